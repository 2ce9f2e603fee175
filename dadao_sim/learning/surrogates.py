"""Learning convex surrogates: of the value of a meeting's programme, and of any function of a
parameter.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError, users_code
from dadao_sim.given import number, reals, vector, whole
from dadao_sim.learning.augmented_lagrangian import SOLVED, Round, SolutionRecipe, learn_solutions
from dadao_sim.learning.convex_fit import FITTED, FitErrors, FitRecipe, Samples, errors, fit
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.convex_surrogate import (
    ConvexSurrogate,
    SurrogateProblem,
    save_surrogate,
)
from dadao_sim.problems.kinds.meeting import PLANE, MeetingKind
from dadao_sim.problems.kinds.parametric_programme import ParametricProgramme
from dadao_sim.text.lines import written

Labels = Literal["solver", "self"]
HELD_OUT = 500
"""Samples that nothing is learned from."""
PAIRS, ROUNDING = 128, 1e-6
"""Of points between which a function is tried for convexity, and what it may miss by, relative."""
SPACING = 1e-5
"""Of central differences, over the width of the box."""
WHAT = "learn_surrogate"


@dataclass(frozen=True)
class LearnedSurrogate:
    """What was learned: the ``surrogate``, its ``errors`` on samples held out, and how it came
    about; ``rounds`` of training where labels were those of a network.
    """

    surrogate: ConvexSurrogate
    errors: FitErrors
    metadata: dict[str, Any]
    rounds: tuple[Round, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """mu and L in x, certified; mu is 0 where there is none."""
        return self.surrogate.bounds

    def problem(self, points: ArrayLike) -> SurrogateProblem:
        """See :meth:`ConvexSurrogate.problem`: for ``simulate``, compiled."""
        return self.surrogate.problem(points)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write it to a .npz file; see ``load_surrogate``."""
        save_surrogate(path, self.surrogate, self.metadata, overwrite=overwrite)


def learn_meeting(
    kind: MeetingKind,
    labels: Labels = "solver",
    *,
    seed: int = 0,
    recipe: FitRecipe = FITTED,
    of_solutions: SolutionRecipe = SOLVED,
    tick: Callable[[int, Round], None] | None = None,
) -> LearnedSurrogate:
    """The surrogate of the value of a meeting's programme, for agents as they are drawn.

    ``labels``: values and gradients of the solver, or of a network that learns the solutions by
    itself (``learning.augmented_lagrangian``), whose rounds ``tick`` hears of.
    """
    if labels not in get_args(Labels):
        known = " or ".join(get_args(Labels))
        raise InputError("learn_meeting: labels", f"{labels!r} given", f"use {known}")
    programme, box = kind.form.programme(), kind.box
    learned_rng, held_out_rng = _generators("learn_meeting", seed)
    held_out = _solved(programme, _drawn(box, HELD_OUT, held_out_rng))
    thetas = _drawn(box, recipe.samples, learned_rng)
    rounds: list[Round] = []
    if labels == "self":
        inputs, rounds = learn_solutions(
            programme, box, held_out.thetas, seed=seed, recipe=of_solutions, tick=tick
        )
        samples = _labelled(programme, inputs(thetas), thetas)
    else:
        samples = _solved(programme, thetas)
    floor, _ = programme.curvature(PLANE)
    surrogate = fit(samples, box, PLANE, floor=floor, seed=seed, recipe=recipe)
    metadata = {
        "form": kind.form._asdict(),
        "labels": labels,
        "mean_value": float(held_out.values.mean()),
        "recipe": asdict(recipe),
        "recipe_of_solutions": asdict(of_solutions) if labels == "self" else None,
        "rounds": [asdict(one) for one in rounds],
    }
    return _finished(surrogate, held_out, metadata, seed, tuple(rounds))


def learn_surrogate(
    f: Callable[[FloatArray], Any],
    box: ArrayLike,
    *,
    gradient: Callable[[FloatArray], ArrayLike] | None = None,
    dimension: int | None = None,
    floor: float = 0.0,
    seed: int = 0,
    recipe: FitRecipe = FITTED,
) -> LearnedSurrogate:
    """A convex surrogate of any function f(theta) of Python, (p,) to a number, in the ``box``
    (p, 2), such as the least cost of something that is optimised within it.

    The first ``dimension`` coordinates (all if absent) are x but for a shift, the others a node's
    own; ``gradient(theta)`` (p,), where it is known, is learned too, in x. ``floor``: the strong
    convexity in x that f is known to have; without it none may be certified.

    ``learned.problem(points)`` is the problem of the sum of f(theta_i + (x, 0)) by the surrogate,
    for ``simulate``. InputError for a box that is none, an f that fails or that is not convex
    between two points.
    """
    limits = reals(f"{WHAT}: box", box)
    if limits.ndim != 2 or limits.shape[1] != 2 or not len(limits):
        raise InputError(f"{WHAT}: box", f"has shape {limits.shape}", "(p, 2) is needed")
    if not (np.isfinite(limits).all() and (limits[:, 0] < limits[:, 1]).all()):
        raise InputError(f"{WHAT}: box", "is empty or infinite", "low < high is needed")
    p = len(limits)
    d = p if dimension is None else whole(f"{WHAT}: dimension", dimension)
    if not 1 <= d <= p:
        raise InputError(f"{WHAT}: dimension", f"{d} given", f"1 to {p} is needed")
    least = number(f"{WHAT}: floor", floor)
    if not 0 <= least < np.inf:
        raise InputError(f"{WHAT}: floor", f"{least:g} given", "at least 0 is needed")
    for name, function in {"f": f, "gradient": f if gradient is None else gradient}.items():
        if not callable(function):
            raise InputError(f"{WHAT}: {name}", f"{written(function)} given", "give a function")
    generators = _generators(WHAT, seed)

    def value(theta: FloatArray) -> float:
        with users_code(f"{WHAT}: f"):
            found = f(theta.copy())
        told = number(f"{WHAT}: f", found)
        if not np.isfinite(told):
            raise InputError(f"{WHAT}: f", f"is {told} at {theta}", "finite numbers are needed")
        return told

    def slope(theta: FloatArray) -> FloatArray:
        if gradient is not None:
            with users_code(f"{WHAT}: gradient"):
                found = gradient(theta.copy())
            told = vector(found, p, f"{WHAT}: gradient", "answers")
            if not np.isfinite(told).all():
                wrong = f"is {told} at {theta}"
                raise InputError(f"{WHAT}: gradient", wrong, "finite numbers are needed")
            return told[:d]
        steps = SPACING * np.diag(limits[:, 1] - limits[:, 0])[:d]
        each = [(value(theta + e) - value(theta - e)) / (2 * e.max()) for e in steps]
        return np.array(each)

    thetas, others = (
        _drawn(limits, count, rng)
        for count, rng in zip((recipe.samples, HELD_OUT), generators, strict=True)
    )
    values = np.array([value(theta) for theta in thetas])
    _require_convex(value, thetas, values)
    if least > 0:

        def without(theta: FloatArray) -> float:
            return value(theta) - least * float(theta[:d] @ theta[:d]) / 2

        squares = (thetas[:, :d] ** 2).sum(axis=1)
        _require_convex(without, thetas, values - least * squares / 2, floor=least)
    slopes = None if gradient is None else np.array([slope(theta) for theta in thetas])
    of_others = np.array([value(theta) for theta in others])
    held_out = Samples(others, of_others, np.array([slope(theta) for theta in others]))
    surrogate = fit(
        Samples(thetas, values, slopes), limits, d, floor=least, seed=seed, recipe=recipe
    )
    return _finished(surrogate, held_out, {"recipe": asdict(recipe)}, seed)


def _finished(
    surrogate: ConvexSurrogate,
    held_out: Samples,
    metadata: dict[str, Any],
    seed: int,
    rounds: tuple[Round, ...] = (),
) -> LearnedSurrogate:
    found = errors(surrogate, held_out)
    more = {"errors": asdict(found), "seed": seed, "torch": torch.__version__}
    return LearnedSurrogate(surrogate, found, {**metadata, **more}, rounds)


def _generators(what: str, seed: int) -> list[np.random.Generator]:
    """Of what is learned from, and of what is held out."""
    if not isinstance(seed, Integral) or isinstance(seed, bool) or seed < 0:
        raise InputError(f"{what}: seed", f"{seed!r} given", "a whole number >= 0 is needed")
    return np.random.default_rng(int(seed)).spawn(2)


def _require_convex(
    value: Callable[[FloatArray], float],
    thetas: FloatArray,
    values: FloatArray,
    *,
    floor: float = 0.0,
) -> None:
    """InputError where f is above the mean of its values at two points half way between them, or f
    less the square of a ``floor``.
    """
    spread = float(np.ptp(values))
    for k in range(0, 2 * min(PAIRS, len(thetas) // 2), 2):
        a, b = thetas[k], thetas[k + 1]
        above = value((a + b) / 2) - (values[k] + values[k + 1]) / 2
        if above <= ROUNDING * max(spread, 1e-300):
            continue
        if floor > 0:
            wrong = f"{floor:g} given, and f less {floor:g} |x|^2/2 is not convex"
            raise InputError(f"{WHAT}: floor", wrong, "give a smaller one")
        raise InputError(
            f"{WHAT}: f",
            f"is not convex: half way between two points it is {above:.3g} above their mean",
            "give one that is",
        )


def _drawn(box: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    return rng.uniform(box[:, 0], box[:, 1], (count, len(box)))


def _solved(programme: ParametricProgramme, thetas: FloatArray) -> Samples:
    """Values and slopes in x by the solver."""
    found = [programme.solve(theta) for theta in thetas]
    pairs = list(zip(found, thetas, strict=True))
    values = [programme.objective(one.u, theta) for one, theta in pairs]
    slopes = [programme.slope(one, theta)[:PLANE] for one, theta in pairs]
    return Samples(thetas, np.array(values), np.array(slopes))


def _labelled(programme: ParametricProgramme, u: FloatArray, thetas: FloatArray) -> Samples:
    """The same by inputs u (N, m) that are no more than near: without multipliers, which no
    position has a part in.
    """
    values = [programme.objective(*pair) for pair in zip(u, thetas, strict=True)]
    slopes = u @ programme.C + thetas @ programme.R
    return Samples(thetas, np.array(values), slopes[:, :PLANE])
