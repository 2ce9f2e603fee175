"""What theory says of a run: exact rates, curves and plateaus, and what theorems promise.

Under Poisson clocks the second moment of a method that is linear on quadratics obeys a linear
equation, whose events have few directions (``linear_events``). So its rate, the least gossip rate
with which it converges, the whole expected curve, its late part where it is too long, and the
plateau are computed, not measured. Of methods of rounds ``rounds`` has the rate; ``promised`` and
``lower_bounds`` what is proven.
"""

from dadao_sim.theory.critical import critical_rate
from dadao_sim.theory.curve import expected_curve
from dadao_sim.theory.late import late_curve
from dadao_sim.theory.latency import critical_latency
from dadao_sim.theory.rate import ExactRate, Limit, exact_rate
from dadao_sim.theory.stationary import stationary

__all__ = [
    "ExactRate",
    "Limit",
    "critical_latency",
    "critical_rate",
    "exact_rate",
    "expected_curve",
    "late_curve",
    "stationary",
]
