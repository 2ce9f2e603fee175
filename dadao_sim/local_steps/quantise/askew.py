"""AskewSGD: velocities that are skewed towards sets around the levels, which tighten with time.

L. Leconte, S. Schechtman, E. Moulines, "AskewSGD: An Annealed Interval-Constrained Optimisation
Method to Train Quantized Neural Networks", AISTATS 2023.

Of a coordinate w between neighbouring levels a and b, psi(w) = eps - (w - a)^2 (w - b)^2 is below 0
off the set. Its velocity is the v that is nearest to -g with psi'(w) v >= -alpha psi(w) there: with
g = 0 the infeasibility decays as e^{-alpha t}, t in steps times their length.
"""

from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps.quantise.grid import Grid, cell, grid_of, within_levels
from dadao_sim.local_steps.quantise.quantiser import Quantiser
from dadao_sim.strict import NotNegative, Positive, StrictModel, misuse


def _tightens(factor: float) -> float:
    if factor >= 1:
        raise misuse(f"{factor:g} never tightens; below 1")
    return factor


class Annealing(StrictModel):
    """eps(t) = eps_0 factor^{max(0, t - hold)/every}."""

    hold: NotNegative = Field(default=0.0, description="time before the sets begin to tighten")
    factor: Annotated[Positive, AfterValidator(_tightens)] = Field(
        description="what eps is multiplied by, below 1"
    )
    every: Positive = Field(
        default=1.0, description="time that takes: rounds, or mean gradient intervals"
    )


class AskewOperator(NamedTuple):
    """eps(t) = eps factor^{max(0, t - hold)/every}; a step moves no coordinate by more than
    ``most``.
    """

    grid: Grid
    alpha: float
    eps: float
    hold: float
    factor: float
    every: float
    most: float


@kernel
def eps_at(r, t):
    """eps(t)."""
    return r.eps * r.factor ** (max(0.0, t - r.hold) / r.every)


@kernel
def skewed(grid, alpha, eps, w, g):
    """argmin_v |v + g|^2 subject to psi' v >= -alpha psi where psi < 0."""
    a, b = cell(grid, w)
    p = eps - ((w - a) * (w - b)) ** 2
    slope = -2 * (w - a) * (w - b) * ((w - a) + (w - b))
    # Half way between the levels psi' is 0: no v is better there.
    if p >= 0 or slope == 0 or -g * slope >= -alpha * p:
        return -g
    return -alpha * p / slope


@kernel
def advance(r, step, x, g, t, out):
    """x + step v, which moves by ``most`` at most, clipped to the outer levels."""
    eps = eps_at(r, t)
    for k in range(x.shape[0]):
        v = step * skewed(r.grid, r.alpha, eps, x[k], g[k])
        v = -r.most if v < -r.most else r.most if v > r.most else v
        out[k] = within_levels(r.grid, x[k] + v)


operators.advance.register(AskewOperator, advance)


class Askew(Quantiser):
    """Velocities skewed towards {psi >= 0}, whose eps is annealed."""

    reference = "leconte2023askewsgd"

    kind: Literal["askew"] = Field(
        description="velocities skewed towards sets around the levels that tighten (AskewSGD)"
    )
    alpha: Positive = Field(
        description="rate at which infeasibility decays; times the step it is to be below 1"
    )
    eps: Positive | None = Field(
        default=None,
        description="width of the sets at the start; (h/2)^4 if absent, h the distance of the "
        "levels, with which all between the outer levels is feasible",
    )
    anneal: Annealing | None = Field(
        default=None, description="how the sets tighten; they stay as they are if absent"
    )

    def operator(self) -> AskewOperator:
        """See :meth:`Quantiser.operator`. No step is longer than h/4: psi' is 0 half way between
        the levels, and v unbounded next to it.
        """
        grid = grid_of(self.levels)
        eps = (grid.spacing / 2) ** 4 if self.eps is None else self.eps
        tightens = (0.0, 1.0, 1.0)
        if self.anneal is not None:
            tightens = (self.anneal.hold, self.anneal.factor, self.anneal.every)
        return AskewOperator(grid, self.alpha, eps, *tightens, most=grid.spacing / 4)

    def eps_at(self, t: float) -> float:
        """See :meth:`Quantiser.eps_at`."""
        return float(eps_at(self.operator(), float(t)))
