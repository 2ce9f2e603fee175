"""The logistic Bellman error of transitions: the gradients of the nodes, compiled, and the whole.

    Delta(x, a, r, y) = r + gamma V(y) - Q(x, a)
    V(x) = (1/alpha) log sum_a pi0(a|x) exp(alpha Q(x, a))
    m_i(Q) = mean of exp(eta Delta) over the transitions of node i
    f_i(Q) = (s_i/eta) log m_i + <nu, V> + (l2/2) ||Q||^2                     (a sum of errors)
    f_i(Q, b) = (s_i e^-c m_i + c - 1)/eta + <nu, V> + (l2/2) ||Q||^2, c = b + c0     (exact)

with nu = (1 - gamma) nu0 and s_i node i's share of the transitions, times n. Minimised over b the
mean of the exact f_i has (1/eta) log of the mean over all transitions, for log m = min_c e^-c m +
c - 1. That is so for any c0; it is log m at Q = 0, so that 0 is where to begin.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray, IntArray

LARGEST = 700.0
"""Of an exponent: what diverges does so without an exception of plain Python."""
SERIES = 0.1
"""Size of t below which e^t - 1 - t is summed as its series."""
MOST_STEPS = 200
NEAR = 1e-14
"""Of what a Newton step gains, below which it has to fall faster than by a quarter."""


class LogisticBellman(NamedTuple):
    """What the nodes hold: cells, each all transitions (x, a, y) of a node.

    Node i has the cells from ``offsets[i]`` to before ``offsets[i + 1]``. ``bonus`` is
    (1/eta) log of the sum of e^(eta r) over the transitions of a cell, over those of the node, so
    that m_i = sum e^(eta (bonus + gamma V(y) - Q(x, a))). ``start`` is nu (S,), ``log_reference``
    log pi0 (S, A), ``level`` c0; x is Q by states, and of the ``exact`` form b at its end.
    """

    offsets: np.ndarray
    state: np.ndarray
    action: np.ndarray
    after: np.ndarray
    bonus: np.ndarray
    share: np.ndarray
    start: np.ndarray
    log_reference: np.ndarray
    eta: float
    alpha: float
    discount: float
    l2: float
    level: float
    exact: bool


@kernel
def soft_maximum(log_reference, alpha, x, s):
    """V(s)."""
    actions = log_reference.shape[1]
    top = -np.inf
    for a in range(actions):
        top = max(top, log_reference[s, a] + alpha * x[s * actions + a])
    total = 0.0
    for a in range(actions):
        total += math.exp(log_reference[s, a] + alpha * x[s * actions + a] - top)
    return (top + math.log(total)) / alpha


@kernel
def bellman_gradient(error, i, x, mark, out):
    """w(s) pi(a|s) - z(s, a) + l2 Q(s, a), where z are the weights of the transitions, e^(eta
    Delta) by their sum, or by e^c; and of b its own, (1 - sum z)/eta.
    """
    states, actions = error.log_reference.shape
    size = states * actions
    work = np.zeros((2, states))
    values, reached = work[0], work[1]
    for s in range(states):
        values[s] = soft_maximum(error.log_reference, error.alpha, x, s)
    for j in range(size):
        out[j] = 0.0
    first, last = error.offsets[i], error.offsets[i + 1]
    top = error.level + x[size] if error.exact else -np.inf
    if not error.exact:
        for k in range(first, last):
            ahead = error.bonus[k] + error.discount * values[error.after[k]]
            top = max(top, error.eta * (ahead - x[error.state[k] * actions + error.action[k]]))
    total = 0.0
    for k in range(first, last):
        j = error.state[k] * actions + error.action[k]
        ahead = error.bonus[k] + error.discount * values[error.after[k]]
        weight = math.exp(min(error.eta * (ahead - x[j]) - top, LARGEST))
        out[j] -= weight
        reached[error.after[k]] += weight
        total += weight
    factor = error.share[i] if error.exact else error.share[i] / total
    for s in range(states):
        visits = error.start[s] + factor * error.discount * reached[s]
        for a in range(actions):
            j = s * actions + a
            chance = math.exp(error.log_reference[s, a] + error.alpha * (x[j] - values[s]))
            out[j] = factor * out[j] + visits * chance + error.l2 * x[j]
    if error.exact:
        out[size] = (1.0 - error.share[i] * total) / error.eta


oracles.gradient.register(LogisticBellman, bellman_gradient)


class At(NamedTuple):
    """What a point Q gives: V (S,), the policy (S, A), exponents eta Delta of the cells (N,)."""

    values: FloatArray
    policy: FloatArray
    exponents: FloatArray


@dataclass(frozen=True, eq=False)
class Whole:
    """sum_g p_g (1/eta) log m_g + <nu, V> + (l2/2) ||Q||^2, over groups g of the cells.

    With the nodes as groups it is the mean of the sum form's f_i; with one group the pooled error.
    ``group`` (N,) is that of each cell; ``p`` (groups,).
    """

    error: LogisticBellman
    group: IntArray
    bonus: FloatArray
    p: FloatArray

    @classmethod
    def of_nodes(cls, error: LogisticBellman) -> "Whole":
        """The mean over the nodes of the errors of each."""
        return cls(error, _nodes_of(error), error.bonus, error.share / len(error.share))

    @classmethod
    def pooled(cls, error: LogisticBellman) -> "Whole":
        """The error of all transitions together."""
        nodes = _nodes_of(error)
        bonus = error.bonus + np.log(error.share / len(error.share))[nodes] / error.eta
        return cls(error, np.zeros_like(nodes), bonus, np.ones(1))

    @classmethod
    def of_node(cls, error: LogisticBellman, i: int) -> "Whole":
        """That of the transitions of one node."""
        cells = slice(error.offsets[i], error.offsets[i + 1])
        names = ("state", "action", "after", "bonus")
        alone = error._replace(
            offsets=np.array([0, cells.stop - cells.start]),
            share=np.ones(1),
            **{name: getattr(error, name)[cells] for name in names},
        )
        return cls.of_nodes(alone)

    def at(self, Q: FloatArray) -> At:
        """Of Q (S A,)."""
        e, table = self.error, Q.reshape(self.error.log_reference.shape)
        logits = e.log_reference + e.alpha * table
        values = _log_sum_exp(logits) / e.alpha
        ahead = self.bonus + e.discount * values[e.after] - table[e.state, e.action]
        return At(values, np.exp(logits - e.alpha * values[:, None]), e.eta * ahead)

    def log_means(self, at: At) -> FloatArray:
        """log m_g of every group."""
        return np.array([_log_sum_exp(at.exponents[cells]) for cells in self._cells])

    def weights(self, at: At) -> FloatArray:
        """z of every cell (N,): the share p_g of its group, by e^(eta Delta)."""
        return self.p[self.group] * np.exp(at.exponents - self.log_means(at)[self.group])

    def visits(self, z: FloatArray) -> FloatArray:
        """w(x) (S,): what V(x) counts."""
        e = self.error
        return e.start + e.discount * np.bincount(e.after, z, len(e.start))

    def value(self, Q: FloatArray) -> float:
        """The whole at Q."""
        at, e = self.at(Q), self.error
        means = float(self.p @ self.log_means(at)) / e.eta
        return means + float(e.start @ at.values) + 0.5 * e.l2 * float(Q @ Q)

    def gradient(self, Q: FloatArray) -> FloatArray:
        """Its gradient, (S A,)."""
        at, e = self.at(Q), self.error
        z = self.weights(at)
        slope = self.visits(z)[:, None] * at.policy
        np.subtract.at(slope, (e.state, e.action), z)
        return slope.ravel() + e.l2 * Q

    def hessian(self, Q: FloatArray) -> FloatArray:
        """Its Hessian, (S A, S A)."""
        at, e = self.at(Q), self.error
        z, rows = self.weights(at), self.slopes(at)
        H = e.eta * rows.T @ (z[:, None] * rows) + e.l2 * np.eye(Q.size)
        for g, cells in enumerate(self._cells):
            mean = z[cells] @ rows[cells]
            H -= e.eta * np.outer(mean, mean) / self.p[g]
        return H + self.curvature_of_values(at, self.visits(z))

    def slopes(self, at: At) -> FloatArray:
        """grad Delta of every cell (N, S A)."""
        e = self.error
        S, A = at.policy.shape
        rows = np.zeros((len(e.after), S, A))
        cells = np.arange(len(e.after))
        rows[cells, e.after] = e.discount * at.policy[e.after]
        rows[cells, e.state, e.action] -= 1.0
        return rows.reshape(len(cells), -1)

    def curvature_of_values(self, at: At, visits: FloatArray) -> FloatArray:
        """sum_x w(x) times the Hessian of V(x)."""
        S, A = at.policy.shape
        H = np.zeros((S, A, S, A))
        for s, pi in enumerate(at.policy):
            H[s, :, s] = visits[s] * self.error.alpha * (np.diag(pi) - np.outer(pi, pi))
        return H.reshape(S * A, S * A)

    def divergence(self, Q: FloatArray, origin: FloatArray) -> float:
        """The whole at Q minus its tangent at origin, of parts that are none of them negative."""
        at, e = self.at(origin), self.error
        z = self.weights(at)
        change, bent = self.changes(at, Q - origin)
        parts = [
            self.p[g] * log_sum_exp_divergence(z[cells] / self.p[g], change[cells])
            for g, cells in enumerate(self._cells)
        ]
        step = Q - origin
        return float(sum(parts) / e.eta + self.visits(z) @ bent + 0.5 * e.l2 * (step @ step))

    def changes(self, at: At, step: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How the exponents change with Q by ``step``, and V beyond its tangent (S,)."""
        e = self.error
        table = step.reshape(at.policy.shape)
        pairs = list(zip(at.policy, e.alpha * table, strict=True))
        bent = np.array([log_sum_exp_divergence(pi, h) for pi, h in pairs]) / e.alpha
        values = bent + (at.policy * table).sum(axis=1)
        return e.eta * (e.discount * values[e.after] - table[e.state, e.action]), bent

    def minimiser(self) -> FloatArray:
        """By Newton's method, halving steps by Armijo's condition, to rounding."""
        Q = np.zeros(self.error.log_reference.size)
        before = math.inf
        with one_blas_thread():
            for _ in range(MOST_STEPS):
                g = self.gradient(Q)
                step = -np.linalg.solve(self.hessian(Q), g)
                slope, t = -float(g @ step), 1.0
                while self.divergence(Q + t * step, Q) > 0.9 * t * slope and t > 1e-12:
                    t /= 2
                Q = Q + t * step
                if slope < NEAR and slope >= 0.25 * before:  # no better: it is rounding
                    return Q
                before = slope
        raise InputError("l2", f"{self.error.l2:g}: no minimiser was found", "give a larger one")

    @cached_property
    def _cells(self) -> list[IntArray]:
        return [np.flatnonzero(self.group == g) for g in range(len(self.p))]


def _nodes_of(error: LogisticBellman) -> IntArray:
    return np.repeat(np.arange(len(error.share)), np.diff(error.offsets))


def _log_sum_exp(t: FloatArray) -> FloatArray:
    """Over the last axis."""
    top = t.max(axis=-1)
    found: FloatArray = top + np.log(np.exp(t - top[..., None]).sum(axis=-1))
    return found


def exp_divergence(t: FloatArray) -> FloatArray:
    """e^t - 1 - t, never negative and to a few digits of the last however small t is."""
    with np.errstate(over="ignore"):
        large = np.expm1(t) - t
    small = np.where(np.abs(t) < SERIES, t, 0.0)
    term = small * small / 2
    series = term.copy()
    for k in range(3, 13):
        term = term * small / k
        series += term
    return np.where(np.abs(t) < SERIES, series, large)


def log_sum_exp_divergence(p: FloatArray, h: FloatArray) -> float:
    """log sum p e^h - <p, h>, for p that add up to 1, free of cancellation."""
    mean = float(p @ h)
    centred = h - mean
    if not centred.max() < 500:
        top = centred.max()
        return float(top + np.log(p @ np.exp(centred - top)))
    return float(np.log1p(p @ exp_divergence(centred)))
