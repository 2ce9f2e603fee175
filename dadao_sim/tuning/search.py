"""Where to look for better constants: a coarse grid of factors, then finer ones around the best.

A point is a tuple of exponents of 2, one per constant: the factors of what the paper says. The same
number of points for every method: with one constant half of them spread over ``SPAN`` octaves and
half between the neighbours of the best; with two, four square grids, each between the neighbours
of the best point so far. Where the best of the coarse grid lies on its edge, the grid is extended
beyond it, once, which alone costs points of its own.
"""

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from dadao_sim.errors import InputError

Point: TypeAlias = tuple[float, ...]
# How good the points of a stage are: the smallest is the best.
Keys: TypeAlias = Mapping[Point, tuple[Any, ...]]

SPAN, BELOW = 15.5, 0.4  # octaves of one constant, and the share of them below the paper's
SPAN_OF_TWO = 6.0  # of each of two
ROUNDS_OF_TWO = 4
# Grids of an even side: between two neighbours they have no point that was played before.
BUDGETS = tuple(ROUNDS_OF_TWO * side**2 for side in range(2, 17, 2))
REVERSED = frozenset({"L"})
"""What makes a method bolder where it is smaller: its coarse grid reaches farther down than up."""


@dataclass(frozen=True)
class Found:
    """The best point, how many were played, and what became of the edges of the coarse grid.

    ``edge`` is "" where the best of the coarse grid lay within, "extended" where it does after the
    grid was extended, and "at the edge" where it is on the edge still.
    """

    best: Point
    points: int
    edge: str


def check_budget(budget: int) -> int:
    """InputError for a number of points that is none of ``BUDGETS``."""
    if budget not in BUDGETS:
        near = sorted(sorted(BUDGETS, key=lambda known: abs(known - budget))[:3])
        right = f"use the square of a multiple of four, such as {', '.join(map(str, near))}"
        raise InputError("budget", f"{budget} points given", right)
    return budget


def search(names: tuple[str, ...], budget: int) -> Generator[list[Point], Keys, Found]:
    """Yields the points of a stage, is sent their keys, and so on; what was found is returned."""
    default: Point = (0.0,) * len(names)
    if not names:
        keys = yield [default]
        return Found(default, len(keys), "")
    side = budget // 2 if len(names) == 1 else math.isqrt(budget // ROUNDS_OF_TWO)
    span = SPAN if len(names) == 1 else SPAN_OF_TWO
    spacing = [span / (side - 1)] * len(names)
    axes = [coarse(name, side, step) for name, step in zip(names, spacing, strict=True)]
    played = dict((yield list(product(*axes))))
    beyond = extension(axes, best_of(played), spacing)
    edge = ""
    if beyond:
        played |= yield beyond
        widest = [sorted({point[k] for point in played}) for k in range(len(names))]
        still = on_edge(widest, best_of(played))
        edge = "at the edge" if any(still) else "extended"
    for _ in range(1 if len(names) == 1 else ROUNDS_OF_TWO - 1):
        centre = best_of(played)
        axes = [between(x, step, side) for x, step in zip(centre, spacing, strict=True)]
        spacing = [2 * step / (side + 1) for step in spacing]
        played |= yield [point for point in product(*axes) if point not in played]
    return Found(best_of(played), len(played), edge)


def best_of(keys: Keys) -> Point:
    """The point of the smallest key; of several, the nearest to the paper's constants."""
    return min(keys, key=lambda point: (keys[point], sum(map(abs, point)), point))


def coarse(name: str, side: int, spacing: float) -> list[float]:
    """So many exponents, 0 among them: bolder constants farther than more careful ones."""
    below = round(BELOW * (side - 1))
    axis = [(k - below) * spacing for k in range(side)]
    return sorted(0.0 - x for x in axis) if name in REVERSED else axis


def on_edge(axes: list[list[float]], best: Point) -> list[int]:
    """For each axis -1 or 1 where the point is at its lower or upper end, and 0 within."""
    return [(x == axis[-1]) - (x == axis[0]) for x, axis in zip(best, axes, strict=True)]


def extension(axes: list[list[float]], best: Point, spacing: list[float]) -> list[Point]:
    """Half as many points again beyond each edge that the best point lies on."""
    points: list[Point] = []
    for k, side in enumerate(on_edge(axes, best)):
        if side:
            end, more = axes[k][0 if side < 0 else -1], (len(axes[k]) + 1) // 2
            further = [end + side * (j + 1) * spacing[k] for j in range(more)]
            points += product(*axes[:k], further, *axes[k + 1 :])
            axes[k] = sorted([*axes[k], *further])
    return list(dict.fromkeys(points))


def between(centre: float, spacing: float, side: int) -> list[float]:
    """So many points strictly between the neighbours of a point."""
    return [centre + spacing * (2 * (j + 1) / (side + 1) - 1) for j in range(side)]


def factors(names: Iterable[str], point: Point) -> dict[str, float]:
    """By name, what the constants of the paper are multiplied by."""
    return {name: 2.0**x for name, x in zip(names, point, strict=True)}
