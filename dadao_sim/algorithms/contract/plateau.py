"""Where a method of rounds on minibatches ends, predicted: its mean squared error on quadratics.

With squares for losses a round is affine in the state s and in the errors e of its minibatches,
s+ = A s + b + sum_k B_k e_k (k counts the calls for gradients), and the errors are independent of
what was before, with mean 0 and a covariance that is quadratic in the points where gradients are
asked for. Mean and covariance of s follow for all times, and so do their limits::

    s = A s + b,    M = A M A^T + sum_k B_k S_k(s, M) B_k^T

A, b and B are found by playing rounds, so that this holds for every method whose step is affine.
What a method conserves keeps its value from the start, and no error may reach it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import schur

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.minibatches import MinibatchErrors
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_any_network

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

ROUNDING = 1e-8  # by which a round may miss its affine form, or what is conserved change, relative
CONSERVED = 1e-7  # by which the modulus of an eigenvalue must be below 1, to count as decaying
DOUBLINGS = 60  # after 2^60 rounds nothing is left of the start
SETTLED = 1e-13  # what the last half of the rounds may add, relative
POWERS = 100_000
PASSES = 200  # for the covariance of the errors and that of the state to agree
AGREED = 1e-11  # how well, relative


@dataclass(frozen=True)
class Plateau:
    """The limit of the mean over the nodes of E||x_i - x*||^2: ``bias``, of the mean E x_i, and
    ``variance``, of what is around it. ``additive`` is the variance if the errors of minibatches
    had everywhere the covariance that they have at the mean point.
    """

    bias: float
    variance: float
    additive: float

    @property
    def error(self) -> float:
        """Both together."""
        return self.bias + self.variance


@one_blas_thread()
def plateau(
    method: Method,
    problem: "Problem",
    network: Any,
    batch_size: int,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
) -> Plateau:
    """The limit of the mean squared error of ``method`` with minibatches of ``batch_size`` samples.

    Memory and time grow with the square and the cube of (blocks x nodes x dimension).

    Raises InputError for a method that takes no minibatches, is not affine or diverges, and for a
    problem that is not of squares.
    """
    rounds, samples = _made_ready(method, problem, network, batch_size, overrides, options)
    mean = rounds.limit_of_mean()
    constant = [samples.at((E @ mean + e).reshape(rounds.shape)) for E, e in rounds.points]
    additive = variance = rounds.limit_of_covariance(constant)
    for _ in range(PASSES):
        spread = rounds.errors_of_calls(variance, constant, samples)
        before, variance = variance, rounds.limit_of_covariance(spread)
        if np.abs(variance - before).max() <= AGREED * np.abs(variance).max():
            break
    else:
        raise rounds.diverges()
    off = rounds.estimate(mean) - problem.x_star
    nodes = problem.nodes
    return Plateau(
        bias=float((off**2).sum()) / nodes,
        variance=rounds.of_estimate(variance) / nodes,
        additive=rounds.of_estimate(additive) / nodes,
    )


@one_blas_thread()
def growth(
    method: Method,
    problem: "Problem",
    network: Any,
    batch_size: int,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
) -> float:
    """What the covariance of the state is multiplied by each round, apart from what is added::

        M -> A M A^T + sum_k B_k S_k(M) B_k^T,  S_k the part of S_k(s, M) that is linear in M

    Above 1 there is no plateau. Arguments and errors as :func:`plateau`.
    """
    rounds, samples = _made_ready(method, problem, network, batch_size, overrides, options)
    return rounds.growth(samples)


def _made_ready(
    method: Method,
    problem: "Problem",
    network: Any,
    batch_size: int,
    overrides: Mapping[str, float],
    options: Options,
) -> "tuple[_AffineRounds, MinibatchErrors]":
    network = as_any_network(network)
    samples = MinibatchErrors.of(problem, batch_size)
    if not isinstance(method, RoundMethod) or not method.stochastic or method.samples:
        raise InputError(f"{method.name} has no plateau: it takes no minibatches in rounds")
    if options.schedule is not None:
        raise InputError(f"{method.name} has a plateau with constant steps; leave out schedule")
    method.check_supported(problem, network, options)
    tuning = method.tune(problem, network, overrides, options)
    for unknown, what in (
        (len(network.graphs) > 1, "on a sequence of graphs"),
        (bool(method.widths), "whose nodes divide by numbers that they learn"),
        (options.asleep is not None, "with nodes that sleep"),
        (tuning.compressor is not None, "of compressed messages"),
        (tuning.ball is not None, "of minima over a ball, which are not linear"),
        (method.coin is not None, "of rounds that a coin decides on"),
    ):
        if unknown:
            raise InputError(f"{method.name}: no plateau is known {what}")
    return _AffineRounds(method, problem, tuning), samples


class _NoisyNodes(Nodes):
    """Nodes whose gradients have given errors, and that remember where they were asked for."""

    def begin(self, noise: Mapping[int, np.ndarray]) -> None:
        """A round in which call k has the error ``noise[k]``."""
        self.noise, self.points = noise, list[np.ndarray]()

    def gradients(self, X: np.ndarray) -> np.ndarray:
        """Full gradients, and the errors."""
        g = super().gradients(X) + self.noise.get(len(self.points), 0.0)
        self.points.append(X.copy())
        return g


class _AffineRounds:
    """s+ = A s + b + sum_k B_k e_k; call k asks at E_k s + e_k + sum_{l<k} D_kl e_l."""

    def __init__(self, method: RoundMethod, problem: "Problem", tuning: Any):
        self.method, self.tuning = method, tuning
        self.shape = problem.nodes, problem.dimension
        self.size = problem.nodes * problem.dimension
        self.nodes = _NoisyNodes(
            problem.objective, np.ones(problem.nodes), Tally(), stochastic=False
        )
        self.W = method.gossip(tuning, Tally())
        values = method.initial_values(*self.shape, np.zeros(self.shape), {})
        state = method.state(values)
        self.nodes.begin({})
        method.prepare(state, tuning.params, self.nodes, self.W)
        self.start = self._flat(state)
        self.b, at_zero = self.play(np.zeros_like(self.start), {})
        self.A = np.empty((self.start.size, self.start.size))
        E = np.empty((len(at_zero), self.size, self.start.size))
        for column, unit in enumerate(np.eye(self.start.size)):
            after, points = self.play(unit, {})
            self.A[:, column] = after - self.b
            E[:, :, column] = [p - p0 for p, p0 in zip(points, at_zero, strict=True)]
        self.points = list(zip(E, at_zero, strict=True))
        self.B = np.empty((len(at_zero), self.start.size, self.size))
        self.D = np.empty((len(at_zero), len(at_zero), self.size, self.size))
        for k in range(len(at_zero)):
            for column, unit in enumerate(np.eye(self.size)):
                after, points = self.play(np.zeros_like(self.start), {k: unit})
                self.B[k, :, column] = after - self.b
                self.D[:, k, :, column] = [p - p0 for p, p0 in zip(points, at_zero, strict=True)]
        self._check_affine()
        self._split()

    def play(
        self, s: np.ndarray, noise: Mapping[int, np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """A round from s: the state after it, and where gradients were asked for."""
        blocks = s.reshape(-1, *self.shape)
        state = self.method.state(dict(zip(self.method.blocks, blocks, strict=True)))
        self.nodes.begin({k: e.reshape(self.shape) for k, e in noise.items()})
        self.method.step(state, self.tuning.params, self.nodes, self.W)
        return self._flat(state), [X.ravel() for X in self.nodes.points]

    def _flat(self, state: Any) -> np.ndarray:
        return np.concatenate([getattr(state, block).ravel() for block in self.method.blocks])

    def _check_affine(self) -> None:
        rng = np.random.default_rng(0)
        s, e = rng.standard_normal(self.start.size), rng.standard_normal((len(self.B), self.size))
        found, _ = self.play(s, dict(enumerate(e)))
        wanted = self.A @ s + self.b + np.einsum("kij,kj->i", self.B, e)
        if np.abs(found - wanted).max() > ROUNDING * np.abs(found).max():
            raise InputError(f"{self.method.name}: no plateau is known: its step is not affine")

    def _split(self) -> None:
        """The state in coordinates u that decay and v that are conserved: s = Z1 u + Z2 v,
        u+ = T u + R v + Z1^T b.
        """
        T, Z, decaying = schur(
            self.A, sort=lambda re, im=0.0: np.hypot(re, im) < 1 - CONSERVED, output="real"
        )
        self.T, self.R = T[:decaying, :decaying], T[:decaying, decaying:]
        self.Z1, self.Z2 = Z[:, :decaying], Z[:, decaying:]
        conserved = T[decaying:, decaying:]
        moved = (conserved - np.eye(len(conserved))) @ self.Z2.T @ self.start + self.Z2.T @ self.b
        scale = np.abs(self.start).max() + np.abs(self.b).max()
        reached = np.abs(np.einsum("ia,kib->kab", self.Z2, self.B)).max(initial=0.0)
        if np.abs(moved).max(initial=0.0) > ROUNDING * scale or reached > ROUNDING:
            raise self.diverges()
        self.powers = [self.T]
        while np.abs(self.powers[-1]).max(initial=0.0) > SETTLED and len(self.powers) < DOUBLINGS:
            self.powers.append(self.powers[-1] @ self.powers[-1])

    def limit_of_mean(self) -> np.ndarray:
        """What s = A s + b leads to from the start."""
        v = self.Z2.T @ self.start
        u = np.linalg.solve(np.eye(len(self.T)) - self.T, self.R @ v + self.Z1.T @ self.b)
        return self.Z1 @ u + self.Z2 @ v

    def limit_of_covariance(self, errors: Any) -> np.ndarray:
        """M = A M A^T + sum_k B_k S_k B_k^T, from 0, for ``errors`` S_k (n, d, d)."""
        M = self._pushed(errors)
        for power in self.powers:  # the sum over twice as many rounds
            M += power @ M @ power.T
        if not np.isfinite(M).all():
            raise self.diverges()
        return self.Z1 @ M @ self.Z1.T

    def growth(self, samples: MinibatchErrors) -> float:
        """See the function of this name: by powers from I."""
        M, before = np.eye(len(self.T)) / len(self.T), 0.0
        nothing = [np.zeros((*self.shape, self.shape[1])) for _ in self.points]
        for _ in range(POWERS):
            errors = self.errors_of_calls(self.Z1 @ M @ self.Z1.T, nothing, samples)
            M = self.T @ M @ self.T.T + self._pushed(errors)
            found = float(np.trace(M))
            M /= found
            if abs(found - before) <= AGREED * found:
                return found
            before = found
        raise InputError(f"{self.method.name}: its growth did not settle in {POWERS:,} rounds")

    def _pushed(self, errors: list[np.ndarray]) -> np.ndarray:
        """What the errors of all calls put into the covariance of u."""
        M = np.zeros((len(self.T), len(self.T)))
        for B, S in zip(self.B, errors, strict=True):
            of_nodes = (self.Z1.T @ B).reshape(len(M), *self.shape)
            M += np.einsum("pia,iab,qib->pq", of_nodes, S, of_nodes, optimize=True)
        return M

    def errors_of_calls(
        self, M: np.ndarray, constant: list[np.ndarray], samples: MinibatchErrors
    ) -> list[np.ndarray]:
        """The covariances of the errors, (n, d, d) for each call, where the state has M: those at
        the mean points, ``constant``, and what is added by the spread.
        """
        n, d = self.shape
        errors: list[np.ndarray] = []
        for k, (E, _) in enumerate(self.points):
            of_nodes = E.reshape(n, d, -1)
            P = np.einsum("iap,pq,ibq->iab", of_nodes, M, of_nodes, optimize=True)
            for earlier, S in enumerate(errors):
                D = self.D[k, earlier].reshape(n, d, n, d)
                P += np.einsum("iajc,jce,ibje->iab", D, S, D, optimize=True)
            errors.append(constant[k] + samples.around(P))
        return errors

    @property
    def _place(self) -> slice:
        first = self.size * self.method.blocks.index(self.method.estimate)
        return slice(first, first + self.size)

    def estimate(self, s: np.ndarray) -> np.ndarray:
        """Of x* at every node, (n, d)."""
        return s[self._place].reshape(self.shape)

    def of_estimate(self, M: np.ndarray) -> float:
        """The trace of the covariance of the estimates."""
        return float(np.trace(M[self._place, self._place]))

    def diverges(self) -> InputError:
        """What is raised where there is no limit."""
        return InputError(f"{self.method.name} has no plateau: with these constants it diverges")
