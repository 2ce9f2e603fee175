"""Robust phase retrieval: a real signal from magnitudes |<a, x>|, part of them outliers.

The signal is known up to its sign, which is one for the whole network: x* and -x* are the
solutions. Trimming leaves out samples with large residuals; with ``Trim.every`` the problem is one
of stages: a threshold is set, a method goes on with the samples that are kept, and so on. With
fixed signs the loss of a stage is least squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, IntArray, offsets_of, stacked, where_in
from dadao_sim.problems.data.magnitudes import MagnitudesData
from dadao_sim.problems.kinds import magnitude_model as mm
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.magnitude_model import MagnitudeModel
from dadao_sim.problems.kinds.problem import Problem, ProblemClass, finite_point
from dadao_sim.problems.kinds.stages import Agree, Stages
from dadao_sim.problems.kinds.trim import PERIOD, TIMES, Trim
from dadao_sim.strict import misuse
from dadao_sim.text.lines import shown

Loss = Literal["intensity", "amplitude", "signs"]
INTENSITY_STEP, AMPLITUDE_STEP = 0.05, 0.3
"""Of gradient tracking, in units that make both independent of the scales of A and x."""
GAUSSIAN_MEDIAN = 0.6745
"""Median of |N(0, 1)|."""
KEPT_SIGNS = Stages(PERIOD, TIMES, first=0.0)
"""Of signs without trimming."""
ENOUGH = 8
"""Magnitudes for each dimension, about which random starts begin to work."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PhaseRetrievalProblem(Problem):
    """Losses of magnitudes; ``signal`` (d,) is the x* of those that are right, if it is known, and
    ``outliers`` the fraction of those that are wrong.

    The intensity loss is a quartic and has no L. What stands for one is such that 1/L is a step
    with which gradient tracking, started at a point of about the signal's norm, goes to it:
    1/L = .05/(s t^2), where s is the mean square of A and t = median(y)/.6745, which few outliers
    change; 1/L = .3/s for amplitudes. Where a stage keeps its signs (``keeps_signs``) it is least
    squares, posed anew from the start on, and L is exact, of all rows.
    """

    model: MagnitudeModel
    trim: Trim | None = None
    signal: FloatArray | None = None
    outliers: float = 0.0
    keeps_signs: bool = False

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.model.offsets.size - 1

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.model.A.shape[1]

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,), kept or not."""
        return np.diff(self.model.offsets)

    @property
    def objective(self) -> MagnitudeModel:
        """The rows."""
        return self.model

    @property
    def has_conjugate(self) -> bool:
        """Not of what is not convex."""
        return False

    @property
    def problem_class(self) -> ProblemClass:
        """Signs are what is missing."""
        return "non-convex"

    @property
    def posed_class(self) -> ProblemClass:
        """Least squares, where signs are kept."""
        return "convex" if self.keeps_signs else self.problem_class

    @cached_property
    def solutions(self) -> FloatArray | None:
        """The signal, and the same with the other sign (2, d)."""
        return None if self.signal is None else np.stack([self.signal, -self.signal])

    @property
    def remark(self) -> str:
        """That there are few samples."""
        few, d = int(self.samples.sum()), self.dimension
        if few >= ENOUGH * d:
            return ""
        each = f"{self.nodes} nodes x {few // self.nodes} = {few}"
        return f"samples_per_node: {each} for dim {d}; phase retrieval needs about {ENOUGH} dim"

    def require_start(self, x0: FloatArray) -> None:
        """See :meth:`Problem.require_start`."""
        if not x0.any():
            raise InputError(
                "start", "zeros is a saddle of every phase retrieval problem", "use normal"
            )

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,), over the samples that are kept."""
        return float(mm.magnitude_value(self.model, self._node(i), self._point(x)))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; it may be negative."""
        point, start = self._point(x), self._point(origin)
        slope = self.mean_operator(start) @ (point - start)
        return float(self.mean_value(point) - self.mean_value(start) - slope)

    def with_trim(self, trim: Trim) -> "PhaseRetrievalProblem":
        """See :meth:`Problem.with_trim`."""
        if why := trim.kept_outliers(self.outliers):
            raise InputError("trim.quantile", why)
        at_once = trim.period is None and not self.keeps_signs
        model = self.model._replace(
            quantile=float(trim.quantile) if at_once else 0.0, multiple=float(trim.multiple)
        )
        return replace(self, model=model, trim=trim)

    @property
    def stages(self) -> Stages | None:
        """See :attr:`Problem.stages`."""
        if self.keeps_signs:
            return KEPT_SIGNS if self.trim is None else self.trim.stages_from(0.0)
        return None if self.trim is None else self.trim.stages

    def refreshed(self, k: int, X: FloatArray, agree: Agree) -> "PhaseRetrievalProblem":
        """Node i keeps what its estimate X_i explains, up to the threshold, and the signs of its
        <a, X_i> if these are kept.
        """
        m = self.model
        z = np.einsum("kj,kj->k", m.A, np.repeat(X, self.samples, axis=0))
        residuals = np.abs(z**2 - m.y**2) if m.squared else np.abs(np.abs(z) - m.y)
        changed = m._replace(kept=self._kept(residuals, agree))
        if self.keeps_signs:
            changed = changed._replace(signs=np.where(z < 0, -1.0, 1.0))
        return replace(self, model=changed)

    def _kept(self, residuals: FloatArray, agree: Agree) -> NDArray[np.bool_]:
        """Which samples have residuals (N,) up to the threshold of their node."""
        trim = self.trim
        if trim is None:
            return self.model.kept
        of_nodes = np.split(residuals, self.model.offsets[1:-1])
        if trim.agree == "gossip":
            levels = agree(of_nodes, trim.quantile)
        else:
            levels = np.array([np.quantile(values, trim.quantile) for values in of_nodes])
        return residuals <= trim.multiple * np.repeat(levels, self.samples)

    def _mu(self) -> float:
        raise InputError("mu", f"kind {self.kind} has none", "take a method that needs none")

    def _node_L(self) -> FloatArray:
        m = self.model
        with one_blas_thread(), np.errstate(over="ignore"):  # what overflows is told
            if self.keeps_signs:
                parts = np.split(m.A, m.offsets[1:-1])
                return np.array([np.linalg.norm(rows, 2) ** 2 / len(rows) for rows in parts])
            scale = (m.A**2).mean()
            if not m.squared:
                return np.full(self.nodes, scale / AMPLITUDE_STEP)
            size = np.median(m.y) / GAUSSIAN_MEDIAN
            return np.full(self.nodes, scale * size**2 / INTENSITY_STEP)

    def _optimum(self) -> FloatArray:
        raise InputError("x_star", f"kind {self.kind} has two, or none that is known")

    def _relabelled(self, order: IntArray) -> "PhaseRetrievalProblem":
        m = self.model
        rows = np.concatenate([np.arange(m.offsets[i], m.offsets[i + 1]) for i in order])
        offsets = offsets_of(self.samples[order])
        of_rows = {name: getattr(m, name)[rows] for name in ("A", "y", "kept", "signs")}
        return replace(self, model=m._replace(**of_rows, offsets=offsets))


def phase_retrieval_problem(
    A: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike | Sequence[ArrayLike],
    *,
    loss: Loss = "intensity",
    trim: Trim | None = None,
    signal: ArrayLike | None = None,
) -> PhaseRetrievalProblem:
    """From rows (n, m, d) and magnitudes (n, m), or a list of both for each node.

    ``signal`` (d,) is the one that the distance is measured to; without one the stationarity is.
    """
    if loss not in get_args(Loss):
        raise InputError("loss", f"{shown(loss)} given", f"one of {', '.join(get_args(Loss))}")
    rows, magnitudes, samples = stacked(A, y)
    if not rows.any():
        raise InputError("data", "every row is 0", "give rows that say something of x")
    if not (magnitudes >= 0).all():
        where = where_in(int(np.argmin(magnitudes >= 0)), samples)
        raise InputError(f"data of {where}", "a magnitude is negative", "give y >= 0")
    if loss == "intensity" and not np.median(magnitudes) > 0:
        raise InputError("data", "more than half of the magnitudes are 0", "use loss: amplitude")
    model = MagnitudeModel(
        A=np.array(rows),
        y=np.array(magnitudes),
        offsets=offsets_of(samples),
        kept=np.ones(len(rows), dtype=bool),
        signs=np.zeros(len(rows)),
        squared=loss == "intensity",
        quantile=0.0,
        multiple=1.0,
    )
    if signal is not None:
        signal = finite_point("signal", signal, rows.shape[1])
        if not signal.any():
            raise InputError("signal", "it is 0, a saddle", "leave it out if it is not known")
    problem = PhaseRetrievalProblem(
        kind="phase_retrieval", model=model, signal=signal, keeps_signs=loss == "signs"
    )
    return problem if trim is None else problem.with_trim(trim)


class PhaseRetrievalKind(ProblemKind):
    """The nodes hold magnitudes of one signal, and find it up to its sign."""

    reference: ClassVar[str] = "barik2024robust"

    kind: Literal["phase_retrieval"] = Field(description="a signal from magnitudes with outliers")
    loss: Loss = Field(
        default="intensity",
        description="of squares, which random starts take to the signal; of the magnitudes; or "
        "with the signs that the nodes' estimates have where a stage begins: least squares",
    )
    data: MagnitudesData = Field(description="the magnitudes")
    trim: Trim | None = Field(default=None, description="what samples are left out; none if absent")

    @model_validator(mode="after")
    def _outliers_are_left_out(self) -> "PhaseRetrievalKind":
        if self.trim is not None and (why := self.trim.kept_outliers(self.data.fraction)):
            raise misuse(why, "trim", "quantile")
        return self

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The magnitudes."""
        return (inside("data", self.data.need(nodes)),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        A, y, signal = self.data.read(nodes, rng.spawn(2)[0])
        problem = phase_retrieval_problem(A, y, loss=self.loss, signal=signal)
        problem = replace(problem, outliers=self.data.fraction)
        return problem if self.trim is None else problem.with_trim(self.trim)
