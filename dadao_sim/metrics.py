"""What can be measured of a run at a sample: metrics by name, each with the axis it is drawn on.

Those of ``ALWAYS`` are measured in every run, all at once (``simulation.measures``). The others, of
ours or a user's :class:`Metric` in a plug-in, are measured where ``record.metrics`` names them.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError, failure
from dadao_sim.registration import Registry

if TYPE_CHECKING:
    import numpy as np

MeasureOf = Callable[..., float]


@dataclass(frozen=True)
class Metric:
    """A number of the nodes' estimates, a column of the curves.

    ``of(problem, X)`` measures the estimates X (n, d), a row per node, none of which is to be
    changed; None for what every run measures. ``title`` is what an axis says, with the ``unit`` in
    brackets; ``log`` whether that axis is logarithmic, so that only what is positive is drawn;
    ``rises`` whether more of it is better, so that ``stop.until`` waits for that much; ``plain``
    what stands for the label where there is no TeX. One that is ``timed`` depends on the time of
    the local step too, rounds or mean gradient intervals: ``of(problem, X, t)``.
    """

    name: str
    title: str
    of: MeasureOf | None = None
    unit: str = ""
    log: bool = True
    rises: bool = False
    plain: str = ""
    timed: bool = False

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and re.fullmatch(r"[a-z][a-z0-9_]*", self.name)):
            raise InputError(
                "metric", f"{self.name!r} given as its name", "use small letters, digits and _"
            )

    @property
    def label(self) -> str:
        """What an axis says."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def measure(self, problem: Any, X: "np.ndarray", t: float = 0.0) -> float:
        """``of`` the estimates X (n, d) at time t; nan, unasked, where one of them is no finite
        number.

        Raises InputError for anything but one number, finite or infinite.
        """
        import numpy as np

        if not np.isfinite(X).all():
            return math.nan
        if self.of is None:
            raise InputError(f"metric {self.name!r}: has no function of, which measures it")
        shown = X.view()
        shown.flags.writeable = False
        try:
            found: Any = self.of(problem, shown, *([t] if self.timed else []))
        except InputError as error:
            raise InputError(f"metric {self.name!r}: {error}") from error
        except Exception as error:
            raise InputError(str(failure(f"metric {self.name!r}", error))) from error
        if isinstance(found, np.ndarray) and found.ndim == 0:
            found = found[()]
        if not isinstance(found, Real) or math.isnan(found):
            said = "nan" if isinstance(found, Real) else f"a {type(found).__name__}"
            raise InputError(
                f"metric {self.name!r}: answers {said}; one number, finite or infinite, is needed"
            )
        return float(found)


def _names(thing: Any) -> tuple[str, ...]:
    return (thing.name,) if isinstance(thing, Metric) else ()


METRICS: Registry[Metric] = Registry("metric", __name__, _names)

ACCURACY = Metric(
    "accuracy", r"$\|x-x^\ast\|^2/\,\|x_0-x^\ast\|^2$", plain="Relative squared distance"
)
MEAN_SQUARED_DISTANCE = Metric(
    "mean_squared_distance",
    r"Mean squared distance to $x^\ast$",
    plain="Mean squared distance",
)
SUBOPTIMALITY = Metric(
    "suboptimality",
    r"Suboptimality $F(\bar{x}) - F(x^\ast)$",
    plain="Suboptimality of the mean",
)
CONSENSUS_ERROR = Metric("consensus_error", "Consensus error")
STATIONARITY = Metric(
    "stationarity",
    r"$\|\nabla F(\bar{x})\|^2$",
    lambda problem, X: problem.stationarity(X.mean(axis=0)),
    plain="Stationarity",
)
OBJECTIVE = Metric(
    "objective",
    r"Objective $F(\bar{x})$",
    lambda problem, X: problem.mean_value(X.mean(axis=0)),
    log=False,
    plain="Objective at the mean",
)
TEST_ACCURACY = Metric(
    "test_accuracy",
    r"Test accuracy at $\bar{x}$",
    lambda problem, X: problem.test_accuracy(X.mean(axis=0)),
    log=False,
    rises=True,
    plain="Test accuracy at the mean",
)


def _of_policies(name: str, over_nodes: Callable[["np.ndarray"], Any] | None = None) -> MeasureOf:
    """What problems with policies answer by that name: of the problem, or of each node's."""

    def of(problem: Any, X: "np.ndarray") -> float:
        smooth = getattr(problem, "smooth", problem)  # a local step changes no policy
        if not hasattr(smooth, name):
            raise InputError(f"kind {problem.kind} has no policies; logistic_bellman has")
        found = getattr(smooth, name)
        return float(found if over_nodes is None else over_nodes(found(X)))

    return of


def _of_light(over_nodes: Callable[["np.ndarray"], Any]) -> MeasureOf:
    """What pictures taken in low light answer, with a term beside them or not."""

    def of(problem: Any, X: "np.ndarray") -> float:
        smooth = getattr(problem, "smooth", problem)
        if not hasattr(smooth, "light_errors"):
            raise InputError(f"kind {problem.kind} has no light; data of task low_light have")
        return float(over_nodes(smooth.light_errors(X)))

    return of


LIGHT_ERROR = Metric(
    "light_error",
    "Error of the log light, mean of the nodes",
    _of_light(lambda errors: errors.mean()),
    log=False,
)
LEAST_LIGHT_ERROR = Metric(
    "least_light_error",
    "Error of the log light, best node",
    _of_light(lambda errors: errors.min()),
    log=False,
)
WORST_LIGHT_ERROR = Metric(
    "worst_light_error",
    "Error of the log light, worst node",
    _of_light(lambda errors: errors.max()),
    log=False,
)
NEURONS = Metric(
    "neurons",
    "Neurons left at some node",
    lambda problem, X: _live_units(problem, X).any(axis=0).sum(),
    log=False,
)
COMMON_NEURONS = Metric(
    "common_neurons",
    "Neurons left at every node",
    lambda problem, X: _live_units(problem, X).all(axis=0).sum(),
    log=False,
)
MODEL_BYTES = Metric(
    "model_bytes",
    "Size of the largest node's model",
    lambda problem, X: max(_of_layers(problem).model_bytes(x) for x in X),
    unit="bytes",
    log=False,
)
WORST_PSNR = Metric(
    "worst_psnr",
    "PSNR at the worst node",
    lambda problem, X: float(_of_a_picture(problem).psnr(X).min()),
    unit="dB",
    log=False,
    rises=True,
)
GREEDY_RETURN = Metric(
    "greedy_return",
    "Return of the greedy policies",
    _of_policies("greedy_returns", lambda returns: returns.mean()),
    log=False,
    rises=True,
)
WORST_GREEDY_RETURN = Metric(
    "worst_greedy_return",
    "Return of the worst node's greedy policy",
    _of_policies("greedy_returns", lambda returns: returns.min()),
    log=False,
    rises=True,
)
BEST_GREEDY_RETURN = Metric(
    "best_greedy_return",
    "Return of the best node's greedy policy",
    _of_policies("greedy_returns", lambda returns: returns.max()),
    log=False,
    rises=True,
)
OPTIMAL_RETURN = Metric(
    "optimal_return", "Optimal return", _of_policies("optimal_return"), log=False, rises=True
)
REFERENCE_RETURN = Metric(
    "reference_return",
    "Return of the reference policy",
    _of_policies("reference_return"),
    log=False,
    rises=True,
)
SUM_RETURN = Metric(
    "sum_return",
    "Greedy return where the sum of the nodes' errors is least",
    _of_policies("sum_return"),
    log=False,
    rises=True,
)
POLICY_ERROR = Metric(
    "policy_error",
    "Distance to the pooled policy",
    _of_policies("policy_errors", lambda errors: errors.max()),
)
FRANK_WOLFE_GAP = Metric(
    "frank_wolfe_gap",
    r"Certified gap $\max_{s}\,\langle\nabla F(\bar{x}), \bar{x} - s\rangle$",
    lambda problem, X: _of_a_set(problem).frank_wolfe_gap(X.mean(axis=0)),
    plain="Certified Frank-Wolfe gap",
)
INFEASIBILITY = Metric(
    "infeasibility",
    "Infeasibility",
    lambda problem, X, t: _constrained(problem).infeasibility(X, t),
    plain="Infeasibility",
    timed=True,
)
AGREEMENT = Metric(
    "agreement",
    "Coordinates on which nodes agree",
    lambda problem, X: _quantised(problem).agreement(X),
    unit="share",
    log=False,
    rises=True,
)
ROUNDED_OBJECTIVE = Metric(
    "rounded_objective",
    r"Objective $F(Q(\bar{x}))$ of the rounded mean",
    lambda problem, X: _quantised(problem).rounded_objective(X.mean(axis=0)),
    log=False,
    plain="Objective of the rounded mean",
)
ROUNDED_EXCESS = Metric(
    "rounded_excess",
    r"Excess $F(Q(\bar{x})) - \min_Q F$",
    lambda problem, X: _quantised(problem).rounded_excess(X.mean(axis=0)),
    plain="Excess of the rounded mean",
)


AMARI = Metric(
    "amari",
    r"Amari distance of $\bar{x}$ to a separation",
    lambda problem, X: _of_mixtures(problem).amari(X.mean(axis=0)),
    plain="Amari distance of the mean",
)


def _of_layers(problem: Any) -> Any:
    """The problem without its term; InputError unless it has layers of units."""
    smooth = getattr(problem, "smooth", problem)
    if not hasattr(smooth, "live_units"):
        raise InputError(f"kind {problem.kind} has no neurons; mlp has")
    return smooth


def _live_units(problem: Any, X: "np.ndarray") -> "np.ndarray":
    """Which hidden units are not 0, a row for each node."""
    import numpy as np

    layers = _of_layers(problem)
    return np.array([np.concatenate(layers.live_units(x)) for x in X])


def _constrained(problem: Any) -> Any:
    """The problem; InputError unless it says how far points are from what is feasible."""
    if not hasattr(problem, "infeasibility"):
        raise InputError("it is of quantised models, of orthonormal columns, and of sets")
    return problem


def _of_a_set(problem: Any) -> Any:
    """The problem; InputError unless it has a set."""
    if getattr(problem, "local_step", None) is None:
        raise InputError("it is of local steps that are sets; give one, such as l1_ball")
    return problem


def _of_mixtures(problem: Any) -> Any:
    """The problem; InputError unless it separates mixtures."""
    if not hasattr(problem, "amari"):
        raise InputError(f"kind {problem.kind} separates no mixtures; ica does")
    return problem


def _of_a_picture(problem: Any) -> Any:
    """The smooth part of the problem; InputError unless it knows the picture that was seen."""
    smooth = getattr(problem, "smooth", problem)
    if not hasattr(smooth, "psnr"):
        raise InputError(
            f"kind {problem.kind} has no picture to compare with; data image and bands have"
        )
    return smooth


def _quantised(problem: Any) -> Any:
    """The problem; InputError unless it has levels."""
    if not hasattr(problem, "rounded_objective"):
        raise InputError("it is of quantised models; give the scenario local_step.quantise")
    return problem


def _as_the_oracle_has_it(problem: Any, X: "np.ndarray") -> float:
    found = problem if problem.local_step is None else problem.smooth
    if not hasattr(found, "surrogate_value"):
        raise InputError(f"kind {problem.kind} has no surrogate; meeting has")
    return float(found.surrogate_value(X.mean(axis=0)))


SURROGATE_OBJECTIVE = Metric(
    "surrogate_objective",
    r"Objective at $\bar{x}$ as the oracle has it",
    _as_the_oracle_has_it,
    log=False,
    plain="Objective at the mean, as the oracle has it",
)


ALWAYS = ("accuracy", "mean_squared_distance", "suboptimality", "consensus_error")
"""What every run measures; the others are measured where ``record.metrics`` names them."""
WITHOUT_X_STAR = (
    r"$\|\nabla F(\bar{x})\|^2/\,\|\nabla F(\bar{x}_0)\|^2$",
    "Relative stationarity",
)
"""What the accuracy is called where no x* is known: its title, and the plain one."""
