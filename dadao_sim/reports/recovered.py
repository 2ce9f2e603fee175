"""What the nodes made of data whose truth is known: images, and the coefficients of a signal.

The final states of the first repeat are shown, of each algorithm those of the node whose estimate
is farthest from the truth: in the end every node should have the whole answer, and so no node is
worse off than the report says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.build import has_no_truth, is_digit, picture, true_signal
from dadao_sim.problems.data.digit import digits
from dadao_sim.randomness import stream
from dadao_sim.results.columns import DIVERGED
from dadao_sim.results.names import label_called
from dadao_sim.results.result import Result
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.identity import scenario_as_run


@dataclass(frozen=True)
class Recovered:
    """The truth, and what each algorithm found of it.

    - truth: an image (size, size) in [0, 1], or the coefficients (d,) of a signal.
    - seen: of an image what the nodes saw, nan where nobody did; None of a signal.
    - found: label -> what the node farthest from the truth has, in the shape of the truth.
    - diverged: the labels of the runs that did.
    - result: where the labels come from.
    """

    truth: np.ndarray
    seen: np.ndarray | None
    found: dict[str, np.ndarray]
    diverged: frozenset[str]
    result: Result


def recovered(result: Result, labels: Sequence[str] | None = None) -> Recovered:
    """Truth and recovery, for data of kind ``image``, ``digit``, ``sparse_signal``, or
    ``magnitudes`` up to a sign, one for all nodes.

    Args:
        result: of a scenario; its data are made again for the truth.
        labels: the algorithms to show; all of them if None.

    Raises:
        InputError: data of another kind, or a problem given in Python; an interrupted run; an
            unknown label, or a method whose final states hold no estimate of x*.

    """
    scenario = _scenario(result)
    methods, titles = result.methods, result.titles
    chosen = [label_called(label, methods, titles) for label in labels or methods]
    estimates = {label: result.estimates(label) for label in chosen}
    nodes = len(next(iter(estimates.values())))
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    seen = None
    if _data_kind(scenario) in ("image", "digit"):
        truth, seen, _ = picture(scenario.problem, nodes, rng)
    else:
        truth = true_signal(scenario.problem, rng)
    if is_digit(scenario.problem):  # of which the nodes hold what is not the mean of all
        estimates = {label: x + digits().mean for label, x in estimates.items()}
    if _data_kind(scenario) == "magnitudes":
        estimates = {label: _with_sign(x, truth) for label, x in estimates.items()}
    rows = result.runs[(result.runs["repeat"] == 0) & (result.runs["status"] == DIVERGED)]
    for label, x in estimates.items():
        if x.shape != (nodes, truth.size):
            raise InputError(
                "result",
                f"the final states of {label} have shape {x.shape}, not {nodes, truth.size}",
            )
    return Recovered(
        truth=truth,
        seen=seen,
        found={label: _farthest(x, truth) for label, x in estimates.items()},
        diverged=frozenset(rows["algorithm"]),
        result=result,
    )


def _data_kind(scenario: Scenario) -> str | None:
    """None for a problem without data."""
    data = getattr(scenario.problem, "data", None)
    return None if data is None else str(data.kind)


def psnr(picture: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of a picture whose values lie in [0, 1]."""
    return -10 * math.log10(np.mean((picture - truth) ** 2))


def relative_error(x: np.ndarray, truth: np.ndarray) -> float:
    """||x - truth||/||truth||, of vectors (d,)."""
    return float(np.linalg.norm(x - truth) / np.linalg.norm(truth))


def _scenario(result: Result) -> Scenario:
    manifest = result.manifest
    if manifest.get("interrupted"):
        raise InputError("result", "its run was interrupted", "finish it with `run --resume`")
    if "problem" in manifest.get("given_in_python", ()):
        raise InputError("result", "its problem was given in Python, and its truth is not known")
    scenario = scenario_as_run(manifest)
    if why := has_no_truth(scenario.problem):
        raise InputError("result", f"its problem is {scenario.problem.kind}", why)
    return scenario


def _with_sign(x: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """x (n, d), or -x: the one that is nearer to the truth, for all nodes together."""
    with np.errstate(over="ignore", invalid="ignore"):
        return -x if (x.mean(axis=0) @ truth) < 0 else x


def _farthest(x: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The row of ``x`` (n, d) farthest from the truth, in its shape."""
    with np.errstate(over="ignore"):  # of a run that diverged
        row = np.argmax(((x - truth.ravel()) ** 2).sum(axis=1))
    return x[row].reshape(truth.shape)
