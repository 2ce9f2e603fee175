"""What the nodes compute in a round, all at once: rows in, rows out, and counted."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.samples import Samples, Table
from dadao_sim.algorithms.contract.tally import Message, Tally
from dadao_sim.compiled.splitmix import NODE_STRIDE, fill_draws
from dadao_sim.compression import Compressor
from dadao_sim.engine import operators, oracles
from dadao_sim.local_steps.local_step import LocalStep

# Odd, as NODE_STRIDE: the marks of different calls in a round never meet.
CALL_STRIDE = np.uint64(0xA0761D6478BD642F)


class Nodes:
    """The oracles of all nodes, bound to the round at hand.

    ``objective`` answers (see ``engine.oracles``), ``share`` (n,) is what a gradient of each node
    counts: 1, or a minibatch's part of its samples. ``round`` is the number of the round at hand,
    ``heads`` what its coin shows, the same to all nodes, of a method that has one. ``samples`` are
    those of a method that asks for their gradients, and ``table`` what its nodes remember of them
    after :meth:`tabulate`; ``ball`` is the set of a method that minimises linear functions,
    ``term`` the operator of r, None where there is none, and ``notes`` what steps leave for the
    remark of their method. Rows that are returned belong to the caller.

    What is said of rows (n, d) holds of those of a batch of runs, (batch, n, d), too: they draw the
    same, and what is counted is what one of them asks.
    """

    def __init__(
        self,
        objective: Any,
        share: np.ndarray,
        tally: Tally,
        *,
        stochastic: bool,
        compressor: Compressor | None = None,
        samples: Samples | None = None,
        ball: LocalStep | None = None,
    ):
        self.ball = ball
        self.objective, self.tally, self.stochastic = objective, tally, stochastic
        self.compressor, self.samples = compressor, samples
        self.has_term = oracles.shares_a_term(objective)
        self.term = getattr(objective, "operator", None)
        self.notes: dict[str, float] = {}
        self._seen = objective
        self.is_directed = oracles.is_directed(objective)
        self.table: Table | None = None
        self.shares = share
        self.count = len(share)
        self.sleep(np.zeros(self.count, dtype=bool))
        self.every = np.arange(self.count, dtype=np.uint64) * NODE_STRIDE
        self.marks = np.zeros(self.count, dtype=np.uint64)
        self.round = 0
        self.heads = True
        self.mark = 0
        self.compressions = 0

    def at(self, number: int, mark: int) -> None:
        """Begin round ``number``; ``mark`` (uint64) seeds what it draws."""
        self.round, self.mark, self.compressions = number, mark, 0
        if self.stochastic:  # a full gradient draws nothing
            self.marks = np.uint64(mark) + self.every

    def sleep(self, asleep: np.ndarray) -> None:
        """From here on some do, (n,): what they answer comes to nothing, and is not counted."""
        self.share = float(self.shares[~asleep].sum())
        self.awake = self.count - np.count_nonzero(asleep)

    def gradients(self, X: np.ndarray) -> np.ndarray:
        """grad f_i(X_i), or its estimate from the node's minibatch; (n, d) to (n, d).

        Every call in a round draws its own minibatches.
        """
        self.tally.gradients += self.share
        out = np.empty(X.shape)
        oracles.all_gradients(self.objective, X, self.marks, out)
        if self.stochastic:
            self.marks = self.marks + CALL_STRIDE
        return out

    def minibatches(self, shape: tuple[int, int]) -> np.ndarray:
        """The samples themselves that a gradient would be estimated from, (n, b, d + 1): features,
        then the target; ``shape`` is that of a node's. They count as that gradient.
        """
        self.tally.gradients += self.share
        out = np.empty((self.count, *shape))
        for i, of_node in enumerate(out):
            oracles.minibatch(self.objective, i, self.marks[i], of_node)
        self.marks = self.marks + CALL_STRIDE
        return out

    def seen_gradient(self, x: np.ndarray) -> np.ndarray:
        """grad F(x) (d,), as one sees it who watches all nodes: for ``notes``, never for a step. It
        is not counted.
        """
        out = np.empty((self.count, x.shape[-1]))
        marks = np.zeros(self.count, dtype=np.uint64)
        oracles.all_gradients(self._seen, np.tile(x, (self.count, 1)), marks, out)
        return out.mean(axis=0)

    def draw(self) -> np.ndarray:
        """The numbers of samples (n, b) drawn at every node with replacement, from the mark of the
        round.

        Every call in a round draws anew; ask for the gradients of one draw at several points.
        """
        assert self.samples is not None  # of a method that declares them
        out = np.empty((self.count, self.samples.batch), dtype=np.int64)
        with np.errstate(over="ignore"):
            fill_draws(self.marks, self.samples.counts, out)
        self.marks = self.marks + CALL_STRIDE
        return out

    def sample_gradients(self, X: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """The gradient at X_i of each sample that was drawn at node i, (n, d) to (n, b, d).

        f_i is the mean of its samples. A gradient of one counts one part in as many as there are.
        """
        assert self.samples is not None
        self.tally.gradients += self.samples.share
        out = np.empty((*X.shape[:-2], *draw.shape, X.shape[-1]))
        of_runs = zip(X, out, strict=True) if X.ndim > 2 else ((X, out),)
        for rows, answers in of_runs:
            self._sample_gradients(self.samples.node_of_drawn, draw.ravel(), rows, answers)
        return out

    def tabulate(self, X: np.ndarray) -> None:
        """Compute the gradients of all samples of f_i at X_i, (n, d), into ``table``; the cost is
        that of a gradient.
        """
        assert self.samples is not None
        self.tally.gradients += self.count
        rows = np.empty((len(self.samples.node_of_each), X.shape[1]))
        self._sample_gradients(self.samples.node_of_each, self.samples.number_of_each, X, rows)
        self.table = Table(self.samples, rows)

    def _sample_gradients(
        self, nodes: np.ndarray, numbers: np.ndarray, X: np.ndarray, out: np.ndarray
    ) -> None:
        flat = out.reshape(-1, X.shape[1])
        oracles.sample_gradients(self.objective, nodes, numbers, X, flat)

    def compressed(self, V: np.ndarray) -> Message:
        """Q(V_i) of the chosen compression operator, (n, d), as it is sent.

        Every call in a round draws anew.
        """
        assert self.compressor is not None  # of a method that declares one
        # Not what a minibatch of the same round is drawn from.
        mark = (~self.mark + self.compressions * int(CALL_STRIDE)) & (2**64 - 1)
        self.compressions += 1
        Q, d = self.compressor, V.shape[-1]
        rows = Q.rows(V, mark) if V.ndim == 2 else np.stack([Q.rows(rows, mark) for rows in V])
        return Message(rows, numbers=Q.numbers(d), bits=Q.bits(d))

    def conjugate_gradients(self, Y: np.ndarray) -> np.ndarray:
        """grad f_i*(Y_i); (n, d) to (n, d)."""
        self.tally.gradients += self.awake
        self.tally.conjugate_gradients += self.awake
        out = np.empty(Y.shape)
        oracles.all_conjugate_gradients(self.objective, Y, out)
        return out

    def prox(self, X: np.ndarray, step: float | np.ndarray) -> np.ndarray:
        """prox_{a_i r}(X_i), (n, d) to (n, d); ``step`` is one a, or each node's (n, 1).

        Where there is no r it answers X. It is not counted: every node knows r.
        """
        if not self.has_term:
            return X.copy()
        out = np.empty(X.shape)
        oracles.all_prox(self.objective, _of_each_row(step, X), X, out)
        return out

    def lmo(self, S: np.ndarray) -> np.ndarray:
        """argmin <S_i, x> over the set of the method, (n, d) to (n, d). It is not counted: every
        node knows the set.
        """
        assert self.ball is not None  # of a method that needs one
        out = np.empty(S.shape)
        operators.all_lmo(self.ball.operator, S, out)
        return out

    def local_steps(self, X: np.ndarray, G: np.ndarray, curvature: float) -> np.ndarray:
        """Where the local step leads from X_i with gradients G_i, (n, d) to (n, d), by a step of
        length 1/``curvature``: prox_{r/curvature}(X - G/curvature), or X + V/curvature of a local
        step that is a direction v, which knows the number of the round.
        """
        if not self.is_directed:
            return self.prox(X - G / curvature, 1 / curvature)
        V = np.array(G, order="C")
        steps = _of_each_row(1 / curvature, X)
        oracles.all_local_directions(self.objective, steps, X, self.round, V)
        return X - V / curvature

    def local_solves(
        self,
        V: np.ndarray,
        curvature: np.ndarray,
        step: np.ndarray,
        start: np.ndarray,
    ) -> np.ndarray:
        """argmin_x f_i(x) + r(x) + curvature_i ||x||^2/2 - <V_i, x>, (n, d) to (n, d).

        By accelerated proximal gradient steps of length ``step`` (n, 1) from ``start`` (n, d), to
        rounding; ``curvature`` is (n, 1). InputError never: what does not converge keeps its last
        iterate after ``oracles.MOST_STEPS``.
        """
        self.tally.gradients += self.awake
        self.tally.local_solves += self.awake
        X = np.array(start, order="C")
        curvatures, steps = _of_each_row(curvature, X), _of_each_row(step, X)
        oracles.all_local_solves(self.objective, V, curvatures, steps, X)
        return X


def _of_each_row(constant: float | np.ndarray, X: np.ndarray) -> np.ndarray:
    """A constant, of all or of each node (n, 1), for every row of X (n, d)."""
    rows = np.broadcast_to(np.asarray(constant, dtype=float), (*X.shape[:-1], 1))
    return rows.reshape(-1).copy()
