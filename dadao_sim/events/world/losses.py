"""Who hears of an exchange: both ends, one, or none; alone or in bursts (Gilbert and Elliott)."""

from collections.abc import Callable

from dadao_sim.events.world.draws import Draw
from dadao_sim.events.world.spec import Loss

HEARD_BY_NONE, HEARD_BY_I, HEARD_BY_J, HEARD_BY_BOTH = range(4)

Fate = Callable[[int], int]  # of an exchange over an edge: one of the four


def chances(loss: Loss, edges: int, draw: Draw) -> Callable[[int], float]:
    """The probability of loss at an exchange over an edge, whose state moves on with each."""
    burst = [False] * edges
    if loss.burst_probability is None:
        return lambda edge: loss.probability
    in_burst = loss.burst_probability

    def probability(edge: int) -> float:
        if draw() < (loss.burst_end if burst[edge] else loss.burst_start):
            burst[edge] = not burst[edge]
        return in_burst if burst[edge] else loss.probability

    return probability


def fates(loss: Loss, edges: int, draw: Draw) -> Fate:
    """The fate of each exchange: one draw for both ends, or one for each message."""
    probability = chances(loss, edges, draw)
    if loss.noticed == "both":
        return lambda edge: HEARD_BY_BOTH if draw() >= probability(edge) else HEARD_BY_NONE

    def separate(edge: int) -> int:
        p = probability(edge)
        return HEARD_BY_I * (draw() >= p) + HEARD_BY_J * (draw() >= p)

    return separate
