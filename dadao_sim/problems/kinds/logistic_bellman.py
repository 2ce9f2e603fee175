"""Logistic Q-learning: the nodes hold transitions of one Markov decision process, and want its Q.

Bas-Serrano, Curi, Krause and Neu, Logistic Q-Learning (AISTATS 2021), tabular and discounted. See
:mod:`dadao_sim.problems.kinds.bellman` for the functions.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.mdp import MDPS, MdpData, Model, Transitions, greedy_policy
from dadao_sim.problems.data.partition import PARTITIONS, Partition, iid_unless_said
from dadao_sim.problems.kinds.bellman import (
    LogisticBellman,
    Whole,
    exp_divergence,
)
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import ByKind, Positive, misuse

Form = Literal["sum", "exact"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LogisticBellmanProblem(Problem):
    """The logistic Bellman error of the transitions of all nodes, or the sum of those of each.

    x is Q, (S, A) by states, and in the exact form one number b more. ``model`` is what policies
    are judged by: they have returns, (1 - discount) times the discounted sum of rewards.
    """

    error: LogisticBellman
    counts: IntArray
    model: Model

    @property
    def objective(self) -> LogisticBellman:
        """The cells."""
        return self.error

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return self.error.share.size

    @property
    def dimension(self) -> int:
        """S A, and one more in the exact form."""
        return self.error.log_reference.size + int(self.error.exact)

    @property
    def samples(self) -> IntArray:
        """Transitions of every node."""
        return self.counts

    @property
    def has_conjugate(self) -> bool:
        """There is no formula for it."""
        return False

    def stochastic_objective(self, batch_size: int) -> Any:
        """InputError: the log of a mean is no mean."""
        wrong = "the log of a mean over transitions has no unbiased minibatch"
        raise InputError("batch_size", wrong, "leave it out")

    @property
    def l2(self) -> float:
        """Of the sum; b has none."""
        return 0.0 if self.error.exact else self.error.l2

    @property
    def hessians(self) -> Literal["varying"]:
        """Known in closed form."""
        return "varying"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        point = self._point(x)
        if not self.error.exact:
            return self._whole.hessian(point)
        return self._exact_hessian(self._pooled, point)

    def node_hessian(self, i: int, x: ArrayLike) -> FloatArray:
        """That of f_i at x; (d,) to (d, d). Its eigenvalues say which L and mu hold there."""
        point, node = self._point(x), self._node(i)
        if self.error.exact:
            return self._exact_hessian(self._whole, point, node)
        e, alone = self.error, Whole.of_node(self.error, node)
        alone = replace(alone, p=alone.p * e.share[node])
        return alone.hessian(point)

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        point, node, e = self._point(x), self._node(i), self.error
        at = self._whole.at(point[: e.log_reference.size])
        cells = slice(e.offsets[node], e.offsets[node + 1])
        rest = float(e.start @ at.values)
        Q = point[: e.log_reference.size]
        rest += 0.5 * e.l2 * float(Q @ Q)
        if e.exact:
            c = e.level + float(point[-1])
            with np.errstate(over="ignore"):
                mean = float(e.share[node] * np.exp(at.exponents[cells] - c).sum())
            return (mean + c - 1) / e.eta + rest
        log_mean = float(self._whole.log_means(at)[node])
        return e.share[node] * log_mean / e.eta + rest

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; of parts that are none of them negative."""
        point, start = self._point(x), self._point(origin)
        if not self.error.exact:
            return self._whole.divergence(point, start)
        e, whole = self.error, self._pooled
        at, step = whole.at(start[:-1]), point - start
        z = np.exp(at.exponents - e.level - start[-1])
        change, bent = whole.changes(at, step[:-1])
        with np.errstate(over="ignore"):
            spread = float(z @ exp_divergence(change - step[-1]))
        ridge = 0.5 * e.l2 * float(step[:-1] @ step[:-1])
        return spread / e.eta + float(whole.visits(z) @ bent) + ridge

    # --- Policies ------------------------------------------------------------------------------

    def greedy_returns(self, X: ArrayLike) -> FloatArray:
        """Of every node's greedy policy, for X (n, d)."""
        return self.model.returns(greedy_policy(self._tables(X)), self.error.discount)

    def policies(self, X: ArrayLike) -> FloatArray:
        """pi0 e^(alpha (Q - V)) of every node (n, S, A), for X (n, d)."""
        logits = self.error.log_reference + self.error.alpha * self._tables(X)
        chances = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return chances / chances.sum(axis=-1, keepdims=True)

    def policy_errors(self, X: ArrayLike) -> FloatArray:
        """Total variation, in the worst state, between each node's policy and that of the error of
        all transitions together; for X (n, d).
        """
        apart = np.abs(self.policies(X) - self._pooled_policy)
        worst: FloatArray = 0.5 * apart.sum(axis=-1).max(axis=-1)
        return worst

    @cached_property
    def optimal_return(self) -> float:
        """That of no policy is larger: by dynamic programming in the model."""
        best = self.model.optimal_policy(self.error.discount)
        return float(self.model.returns(best, self.error.discount))

    @cached_property
    def reference_return(self) -> float:
        """That of the reference policy pi0."""
        reference = np.exp(self.error.log_reference)
        return float(self.model.returns(reference, self.error.discount))

    @cached_property
    def sum_return(self) -> float:
        """That of the greedy policy where the sum of the nodes' errors is least."""
        best = greedy_policy(self._whole.minimiser().reshape(self.error.log_reference.shape))
        return float(self.model.returns(best, self.error.discount))

    def policy_errors_alone(self) -> FloatArray:
        """:meth:`policy_errors` of what every node finds in its own transitions (n,)."""
        alone = [Whole.of_node(self.error, i).minimiser() for i in range(self.nodes)]
        rest = np.zeros((self.nodes, int(self.error.exact)))
        return self.policy_errors(np.hstack([alone, rest]))

    @cached_property
    def pooled_optimum(self) -> FloatArray:
        """Q (S A,) that minimises the error of all transitions together, with the l2 term."""
        return self._pooled.minimiser()

    @cached_property
    def _pooled_policy(self) -> FloatArray:
        logits = self.error.log_reference.ravel() + self.error.alpha * self.pooled_optimum
        chances = np.exp(logits - logits.max()).reshape(self.error.log_reference.shape)
        return chances / chances.sum(axis=1, keepdims=True)

    def _tables(self, X: ArrayLike) -> FloatArray:
        shape = self.error.log_reference.shape
        size = self.error.log_reference.size
        return self._points(X)[:, :size].reshape(-1, *shape)

    # --- Constants -----------------------------------------------------------------------------

    @cached_property
    def _whole(self) -> Whole:
        return Whole.of_nodes(self.error)

    @cached_property
    def _pooled(self) -> Whole:
        return Whole.pooled(self.error)

    def _mu(self) -> float:
        if self.error.exact:
            raise self._only_near("mu", float(min(s[0] for s in self._spectra_at_x_star)))
        return self.error.l2

    def _node_L(self) -> FloatArray:
        """s_i eta (1 + gamma^2) of m_i, w alpha/2 of V with w adding up to s_i gamma + 1 - gamma,
        and l2.
        """
        e = self.error
        if e.exact:
            raise self._only_near("L", float(max(s[-1] for s in self._spectra_at_x_star)))
        of_values = e.alpha / 2 * (e.share * e.discount + e.start.sum())
        return e.share * e.eta * (1 + e.discount**2) + of_values + e.l2

    def _only_near(self, name: str, found: float) -> InputError:
        return InputError(
            self.kind,
            f"form: exact has no global {name}",
            f"give {name}, or form: sum ({name} is {found:.3g} near the solution)",
        )

    @cached_property
    def _spectra_at_x_star(self) -> list[Any]:
        """Eigenvalues of the Hessian of every exact f_i at x*, in order."""
        return [
            np.linalg.eigvalsh(self.node_hessian(node, self.x_star)) for node in range(self.nodes)
        ]

    def _exact_hessian(self, whole: Whole, x: FloatArray, node: int | None = None) -> FloatArray:
        """Of f_i, with the nodes' errors as the whole, or of F with the pooled one."""
        e, at = self.error, whole.at(x[:-1])
        z = np.exp(at.exponents - e.level - x[-1])
        if node is not None:
            z = np.where(whole.group == node, e.share[node] * z, 0.0)
        rows = np.column_stack([e.eta * whole.slopes(at), -np.ones(len(z))])
        H = rows.T @ (z[:, None] * rows) / e.eta
        H[:-1, :-1] += whole.curvature_of_values(at, whole.visits(z))
        H[:-1, :-1] += e.l2 * np.eye(len(x) - 1)
        return H

    def _optimum(self) -> FloatArray:
        if not self.error.exact:
            return self._whole.minimiser()
        Q = self.pooled_optimum
        return np.append(Q, self._pooled.log_means(self._pooled.at(Q)) - self.error.level)

    def _relabelled(self, order: IntArray) -> "LogisticBellmanProblem":
        e = self.error
        cells = [np.arange(e.offsets[i], e.offsets[i + 1]) for i in order]
        kept = np.concatenate(cells)
        error = e._replace(
            offsets=_offsets([len(some) for some in cells]),
            share=e.share[order],
            **{name: getattr(e, name)[kept] for name in ("state", "action", "after", "bonus")},
        )
        return replace(self, error=error, counts=self.counts[order], given_x_star=self.x_star)


def logistic_bellman_problem(
    transitions: Transitions,
    parts: list[IntArray],
    *,
    form: Form,
    eta: float,
    alpha: float,
    discount: float,
    l2: float,
) -> LogisticBellmanProblem:
    """The problem whose node i holds the transitions ``parts[i]``; pi0 is uniform."""
    S, A = transitions.model.R.shape
    counts = np.array([len(part) for part in parts], dtype=np.int64)
    state, action, after, bonus, sizes = [], [], [], [], []
    for part in parts:
        x, a, r, y = (column[part] for column in transitions[1:])
        cells, place = np.unique((x * A + a) * S + y, return_inverse=True)
        top = np.full(cells.size, -np.inf)
        np.maximum.at(top, place, eta * r)
        total = np.bincount(place, np.exp(eta * r - top[place]), cells.size)
        bonus.append((top + np.log(total / len(part))) / eta)
        state.append(cells // S // A)
        action.append(cells // S % A)
        after.append(cells % S)
        sizes.append(cells.size)
    error = LogisticBellman(
        offsets=_offsets(sizes),
        state=np.concatenate(state),
        action=np.concatenate(action),
        after=np.concatenate(after),
        bonus=np.concatenate(bonus),
        share=len(parts) * counts / counts.sum(),
        start=(1 - discount) * transitions.model.start,
        log_reference=np.full((S, A), -np.log(A)),
        eta=float(eta),
        alpha=float(alpha),
        discount=float(discount),
        l2=float(l2),
        level=0.0,
        exact=form == "exact",
    )
    pooled = Whole.pooled(error)
    level = float(pooled.log_means(pooled.at(np.zeros(S * A)))[0])
    return LogisticBellmanProblem(
        kind="logistic_bellman",
        error=error._replace(level=level),
        counts=counts,
        model=transitions.model,
    )


def _offsets(sizes: list[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


BY_NAME = {"by_state": {"kind": "sorted"}, "iid": {"kind": "iid"}}


def _named(partition: Any) -> Any:
    """``by_state`` sorts: what a partition takes for the targets are the states."""
    return BY_NAME.get(partition, partition) if isinstance(partition, str) else partition


def _need_of_newton(where: str, states: int, size: int, transitions: int) -> Need:
    """P, a row of grad Delta for each cell, of which there are no more than transitions, and the
    Hessian with what solves with it.
    """
    rows = 3 * states + 2 * transitions + 4 * size
    return Need(where, f"Newton's method in dimension {size:,}", 8 * rows * size)


class OrByName:
    """Lets editors know that a partition may be a name, too."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """That of the kinds, or one of the names."""
        return {"anyOf": [handler(schema), {"enum": [*BY_NAME]}]}


class LogisticBellmanKind(ProblemKind):
    """Q of one Markov decision process, of whose transitions every node holds some."""

    lacks: ClassVar[dict[str, str]] = {
        "mu": "of form: sum it is l2; of form: exact it is local, give it in parameters",
        "weighting": "all transitions count the same",
    }
    reference: ClassVar[str] = "bas2021logistic"

    kind: Literal["logistic_bellman"] = Field(description="logistic Q-learning (Q-REPS) on a table")
    form: Form = Field(
        description="sum: of the nodes' errors, biased; exact: that of all transitions, with one "
        "number more in x"
    )
    eta: Positive = Field(description="of the logistic Bellman error; its limit is the largest")
    alpha: Positive | None = Field(
        default=None, description="of the policy, pi0 e^(alpha (Q - V)); eta if absent"
    )
    discount: Annotated[float, Field(ge=0)] = Field(description="gamma, below 1")
    l2: Positive | None = Field(default=None, description="strength of the term (l2/2) ||Q||^2")
    data: Annotated[MdpData, ByKind(MDPS)] = Field(description="the transitions")
    partition: Annotated[
        Partition,
        ByKind(PARTITIONS),
        BeforeValidator(iid_unless_said),
        BeforeValidator(_named),
        OrByName(),
    ] = Field(
        default_factory=lambda: PARTITIONS["iid"](kind="iid"),  # none is made at import
        description="of the transitions over the nodes, with their states as the targets; "
        "by_state: sorted; iid if absent",
    )

    @model_validator(mode="after")
    def _is_one_problem(self) -> "LogisticBellmanKind":
        if self.l2 is None:
            why = "adding a constant to Q changes nothing, so the minimiser is not unique"
            raise misuse(f"is missing: {why}", "l2")
        if self.discount >= 1:
            raise misuse(f"{self.discount:g} needs the average-reward form; below 1", "discount")
        return self

    @property
    def dimension(self) -> int:
        """See :class:`ProblemKind`."""
        return self.data.size + int(self.form == "exact")

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The transitions with a row of P each while they are drawn, and what x* takes."""
        count, states = self.data.transitions_of(nodes), self.data.number_of_states
        drawn = Need("nodes", f"{count:,} transitions", 8 * count * (states + 8))
        return drawn, _need_of_newton("data.states", states, self.data.size, count)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        assert self.l2 is not None  # as was checked
        data_rng, partition_rng = rng.spawn(2)
        with within("data"):
            transitions = self.data.read(nodes, self.discount, data_rng)
        shape = transitions.model.R.shape
        require_room(_need_of_newton("data", shape[0], shape[0] * shape[1], transitions.x.size))
        with within("partition"):
            parts = self.partition.split(transitions.x.astype(float), nodes, partition_rng)
        return logistic_bellman_problem(
            transitions,
            parts,
            form=self.form,
            eta=self.eta,
            alpha=self.eta if self.alpha is None else self.alpha,
            discount=self.discount,
            l2=self.l2,
        )
