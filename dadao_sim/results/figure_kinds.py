"""What can be drawn of a result, said once: what a figure shows, and what it needs of a scenario.

To add one, add it to ``FIGURE_KINDS``, with a function NAME in ``reports/NAME.py`` that computes it
of a result, and NAME_figure in ``plotting/NAME.py`` that draws what this returns. The keys of a
scenario, what refuses them, and what draws read it here.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from dadao_sim.problems.build import has_no_truth, is_digit, is_low_light


def _any(problem: Any) -> str:
    return ""


def _of_kind(kind: str) -> Callable[[Any], str]:
    return lambda problem: "" if problem.kind == kind else f"is of problem {kind} only"


def _of_a_digit(problem: Any) -> str:
    return "" if is_digit(problem) else "is of data of kind digit only"


def _of_low_light(problem: Any) -> str:
    return "" if is_low_light(problem) else "is of data of task low_light only"


def _of_a_plane(problem: Any) -> str:
    d = problem.dimension
    return "" if d == 2 else f"trajectories are of dimension 2, not {d}"


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure: what it ``shows``, why it is none of a ``problem`` section (empty where it
    is), and the ``metrics`` that have to be recorded.
    """

    shows: str
    unfit: Callable[[Any], str] = _any
    metrics: tuple[str, ...] = ()

    def lacks(self, name: str, problem: Any, measured: Collection[str]) -> str:
        """Why it cannot be drawn of such a scenario, called by its ``name``; empty if it can."""
        if why := self.unfit(problem):
            return why
        missing = [metric for metric in self.metrics if metric not in measured]
        return f"{name} draws {missing[0]}; name it in record.metrics" if missing else ""


FIGURE_KINDS: dict[str, FigureKind] = {
    "curves": FigureKind("an error against costs"),
    "gradient_error": FigureKind(
        "what an oracle's gradients lack against the time that it relaxes"
    ),
    "pooled_gap": FigureKind(
        "how far the sum of local errors and nodes alone are from all data together",
        _of_kind("logistic_bellman"),
    ),
    "rate_distortion": FigureKind("R(D, P) and what the nodes agreed on"),
    "trajectories": FigureKind("where the mean of the nodes went, in two dimensions", _of_a_plane),
    "game_factors": FigureKind(
        "what a step multiplies the distance by in quadratic games, against their rho"
    ),
    "paths": FigureKind("the coordinates of quantised models"),
    "meeting": FigureKind(
        "what the point costs where agents meet, and their paths to it", _of_kind("meeting")
    ),
    "recovery": FigureKind("the share of sparse signals recovered against the measurements"),
    "recovered": FigureKind(
        "a picture or signal, what was seen of it and what the nodes made of it", has_no_truth
    ),
    "low_light": FigureKind(
        "a picture taken in low light, what nodes made of it, and how far off",
        _of_low_light,
        metrics=("least_light_error", "light_error", "worst_light_error"),
    ),
    "digit": FigureKind(
        "a digit, what nodes made of it alone and together, and how a F + R falls", _of_a_digit
    ),
    "bands": FigureKind(
        "a band of a cube, and how good the worst node's cube is for what was sent",
        _of_kind("bands"),
        metrics=("worst_psnr",),
    ),
}
"""By name; curves are drawn of the result itself."""


def what_kinds_show() -> str:
    """All of them in one sentence."""
    *others, last = (kind.shows for kind in FIGURE_KINDS.values())
    return f"{'; '.join(others)}; or {last}"
