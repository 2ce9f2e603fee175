"""Linear models as a scenario, or ``Problem.from_arrays``, asks for them.

A loss is a file beside this one: a NamedTuple of its constants with the verbs of ``losses``, and a
kind of problem below ``WithL2`` that names it, whose options have the constants' names.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator
from scipy.sparse import issparse

from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, parts_of
from dadao_sim.problems.data.checks import (
    Weighting,
    require_constants,
    require_positive,
    require_weighting,
)
from dadao_sim.problems.data.files import offered
from dadao_sim.problems.data.partition import PARTITIONS, Split
from dadao_sim.problems.data.source import DATA, DataSource, SampleSet, Wanted, require_fit
from dadao_sim.problems.kinds.kind import PROBLEMS, ProblemKind
from dadao_sim.problems.kinds.linear_problem import linear_problem
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.problems.kinds.sparse_problem import SparseProblem, sparse_problem
from dadao_sim.problems.kinds.square import Square
from dadao_sim.strict import ByKind, Positive, misuse
from dadao_sim.text.lines import written


class LinearKind(ProblemKind):
    """A ``loss`` of a.x and the target, over the samples (a, b) of a node, without l2 term.

    ``full_rank``: a node needs as many samples as features for f_i to be strongly convex.
    """

    loss: ClassVar[type[Any]]
    full_rank: ClassVar[bool] = False

    weighting: Weighting = Field(
        default="samples", description="every sample counts the same in F, or every node does"
    )
    data: Annotated[DataSource, ByKind(DATA)] = Field(description="the samples")
    partition: Split = None

    @model_validator(mode="after")
    def _data_fit(self) -> "LinearKind":
        if self.partition is not None and not isinstance(self.data, SampleSet):
            raise misuse(f"{self.data.undivided}; leave it out", "partition")
        require_fit(self.data, self.wanted)
        return self

    @property
    def constants(self) -> dict[str, float]:
        """Those of the loss."""
        return {name: getattr(self, name) for name in self.loss._fields}

    @property
    def wanted(self) -> Wanted:
        """What is asked of the data."""
        loss = self.loss(**self.constants)
        sparse = isinstance(loss, Square)
        return Wanted(self.kind, labels=loss.labels, sparse=sparse, spectrum=self.spectrum)

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The samples, and the Hessians: that of F, and of the square those of the nodes where they
        are fewer numbers than the rows, or have an inverse.
        """
        data = inside("data", self.data.need(self.wanted, nodes))
        if self.data.sparse:
            return (data,)
        d, count = self.dimension, 3  # of F, and what solves with it
        if issubclass(self.loss, Square) and (conjugate or self.data.samples_of_a_node >= d):
            count += nodes * (4 if conjugate else 1)
        what = f"Hessians of {nodes:,} nodes in dimension {d:,}"
        return (data, Need("nodes" if nodes >= d else "data.dim", what, 8 * count * d * d))

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        data_rng, partition_rng = rng.spawn(2)
        before = deepcopy(data_rng)
        with within("data"):
            if isinstance(self.data, SampleSet):
                A, b = self._split(self.data, nodes, data_rng, partition_rng)
            else:
                A, b = self.data.rows(self.wanted, nodes, data_rng)
        mu = self._l2_strength(A, b)
        problem = problem_of(
            type(self), self.kind, A, b, self.constants, mu, weighting=self.weighting
        )
        if isinstance(problem, SparseProblem):
            return replace(problem, **self.data.beside(A, nodes, before))
        return problem

    def _split(
        self,
        data: SampleSet,
        nodes: int,
        data_rng: np.random.Generator,
        partition_rng: np.random.Generator,
    ) -> tuple[list[FloatArray], list[FloatArray]]:
        """Features and targets of every node."""
        X, y = data.samples(data_rng)
        assert y is not None
        if self.wanted.labels and not (np.abs(y) == 1).all():
            values = np.unique(y)
            found = ", ".join(f"{value:g}" for value in values[:3]) + ", ..." * (len(values) > 3)
            hint = f"; map them with {offered(y)}" * ("labels" in type(data).model_fields)
            raise InputError(f"{self.kind} needs labels -1 and 1; found {found}{hint}")
        partition = self.partition or PARTITIONS["iid"](kind="iid")
        minimum = X.shape[1] if self.full_rank else 1
        parts = partition.split(y, nodes, partition_rng, minimum=minimum)
        return [X[part] for part in parts], [y[part] for part in parts]

    def spectrum(self, dim: int, samples: int, kappa: float) -> FloatArray:
        """See :class:`Wanted`. InputError where there is nothing to choose."""
        raise InputError("condition_number", f"{self.kind} has none to choose", "leave it out")

    def _l2_strength(self, A: Any, b: Any) -> float | None:
        """Strength of the l2 term for these rows and targets; None where there is none."""
        return None


class WithL2(LinearKind):
    """The loss of a linear model plus (mu/2) ||x||^2."""

    mu: Positive | None = Field(default=None, description="strength of the l2 term")

    @model_validator(mode="after")
    def _mu_is_known_once(self) -> "WithL2":
        can_be_conditioned = "condition_number" in type(self.data).model_fields
        if self.mu is None and self._kappa is None:
            instead = " (or data.condition_number)" if can_be_conditioned else ""
            raise misuse(f"is missing: {self.kind} needs its l2 strength{instead}", "mu")
        if self.mu is not None and self._kappa is not None:
            raise misuse("determined by data.condition_number; give one of the two", "mu")
        return self

    @property
    def _kappa(self) -> float | None:
        """The condition number that decides the l2 term."""
        return getattr(self.data, "condition_number", None)

    def spectrum(self, dim: int, samples: int, kappa: float) -> FloatArray:
        """Eigenvalues of A_i^T A_i/m, the largest first, log-spaced in [1/kappa, 1], as many as
        there can be; kappa becomes the condition number by the l2 term.
        """
        if not kappa > 1:
            raise InputError("condition_number", f"{kappa} given", f"{self.kind} needs it > 1")
        return np.geomspace(1.0, 1.0 / kappa, dim)[: min(samples, dim)]

    def _l2_strength(self, A: Any, b: Any) -> float | None:
        """mu, or that with which max L_i = kappa mu."""
        if self._kappa is None:
            return self.mu
        if not self._kappa > 1:
            wrong = f"{self._kappa:g} given"
            raise InputError("data.condition_number", wrong, f"{self.kind} needs it > 1")
        flat = problem_of(type(self), self.kind, A, b, self.constants, mu=1.0)
        return (flat.L - 1.0) / (self._kappa - 1.0)


def from_arrays(
    A: ArrayLike | Sequence[Any],
    b: ArrayLike | Sequence[ArrayLike],
    loss: str,
    *,
    mu: float | None,
    L: float | None,
    weighting: str,
    constants: Mapping[str, float],
) -> Problem:
    """See :meth:`Problem.from_arrays`."""
    kind = kind_of(loss)
    # The problem keeps arrays as they are, to which a caller may go on to write.
    A, b = (part.copy() if isinstance(part, np.ndarray) else part for part in (A, b))
    return problem_of(kind, loss, A, b, constants, mu, L, weighting)


def kind_of(loss: str) -> type[LinearKind]:
    """The kind of linear models with this name; InputError where there is none."""
    kinds = {name: kind for name, kind in PROBLEMS.items() if issubclass(kind, LinearKind)}
    if not isinstance(loss, str) or loss not in kinds:
        raise InputError("loss", f"{written(loss)} is not one of {', '.join(kinds)}")
    return kinds[loss]


def loss_of(kind: type[LinearKind], name: str, constants: Mapping[str, float]) -> Any:
    """The loss with its constants; InputError for those that it does not have."""
    for constant, value in constants.items():
        if constant not in kind.loss._fields:
            raise InputError(constant, f"{name} has no such constant", "leave it out")
        require_positive(constant, value)
    return kind.loss(**{constant: float(value) for constant, value in constants.items()})


def problem_of(
    kind: type[LinearKind],
    name: str,
    A: Any,
    b: Any,
    constants: Mapping[str, float],
    mu: float | None,
    L: float | None = None,
    weighting: str = "samples",
) -> Problem:
    """The problem of dense or sparse rows, after all that can be said without looking at them."""
    require_weighting(weighting)
    require_constants(mu, L)
    loss = loss_of(kind, name, constants)
    has_l2 = issubclass(kind, WithL2)
    if has_l2 and mu is None:
        raise InputError("mu", f"{name} needs the strength of its l2 term", "a number > 0")
    sparse = not isinstance(A, np.ndarray) and any(issparse(part) for part in parts_of("A", A))
    make = sparse_problem if sparse else linear_problem
    return make(
        A,
        b,
        name,
        loss,
        ridge=float(mu) if has_l2 and mu is not None else 0.0,
        weighting=weighting,
        given_mu=float(mu) if mu is not None and not has_l2 else None,
        given_L=float(L) if L is not None else None,
    )
