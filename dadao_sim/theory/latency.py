r"""The latency of messages at which the second moment of an asynchronous method begins to grow.

Where every message takes tau, what is drawn of the arrivals to come is independent of all that they
act on, so that the second moment is that of a renewal, and no run is needed. With A the flow and
what gradients do on average, u and q the jump and the reading of an exchange, and l the eigenvalues
of the Laplacian of the gossip rates, the mean obeys, mode by mode,

    s' = A s + l u q^T s(t - tau),        Phi^(s) = (s - A - l u q^T e^{-s tau})^{-1},

and the second moment is bounded where all these decay and the map of energies of ``perron``, from
what events change to what events hear, has a spectral radius below 1. It consists of

    int_0^inf (q^T Phi_k(t) w) (q'^T Phi_m(t) w') dt
        = 1/(2 pi) int (q^T Phi^_k(i omega) w) (q'^T Phi^_m(i omega) w')^* d omega

for pairs of modes, which at tau = 0 is that of ``equal_curvature``. As the delayed part has rank 1,
Phi^ follows from the resolvent of A alone.

The mean of a mode that decays at tau = 0 decays up to its delay margin, the least arg(l H)/omega at
an omega > 0 where |l H(i omega)| = 1, H(s) = q^T (s - A)^{-1} u. Such i omega are the imaginary
eigenvalues of a Hamiltonian matrix (Boyd, Balakrishnan and Kabamba, Mathematics of Control, Signals
and Systems 2, 1989).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.critical import alike
from dadao_sim.theory.linear_events import reached_blocks
from dadao_sim.theory.perron import perron
from dadao_sim.theory.setting import Setting
from dadao_sim.theory.symmetric import row_of

PRECISION = 1e-4  # of a latency, relative
POINTS = 24  # of a decade of frequencies
BELOW, ABOVE = 1e-3, 1e3  # the slowest and the fastest of the drift: where frequencies end
ON_AXIS = 1e-7  # of an eigenvalue of the Hamiltonian that counts as imaginary, relative
ZERO = 1e-10  # of an exponent that counts as 0, relative to the largest


@one_blas_thread()
def critical_latency(
    method: str | Method,
    problem: Problem | ArrayLike,
    network: Any,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
    *,
    late_gradients: bool = False,
    precision: float = PRECISION,
) -> float:
    """The time that messages may take, in units of time, before the second moment of ``method``
    grows; to a relative ``precision``. Found by bisection, so one such if there are several.

    All nodes have the same curvatures, those (d,) that stand in the place of a problem or those of
    a quadratic one; the worst of them counts. Every message takes the same. With ``late_gradients``
    a gradient takes an exponential time, the next begins at its end, and it is of the place where
    it began; else it takes none. Infinite where no latency is too long.

    Raises InputError as ``critical_rate``, for nodes that are not alike, for exchanges that act on
    their ends differently, and where it grows without latency.
    """
    if not 0 < precision < 1:
        raise InputError("precision", f"{precision:g} given", "give one above 0, below 1")
    network = as_network(network)
    if not isinstance(problem, Problem):
        problem = alike(network.nodes, problem)
    setting = Setting.of(method, problem, network, overrides, options)
    name, played = setting.method.name, setting.played
    axes = setting.coordinates
    if setting.spectrum is None or axes is None or not all(map(setting.quadratics.is_equal, axes)):
        raise InputError(f"{name}: has no critical latency here: its nodes are not all alike")
    if np.any(played.jumps[0, 0] != played.jumps[0, 1]):
        raise InputError(f"{name}: its exchanges act on their ends differently")
    h = setting.quadratics.curvatures[0, list(axes)]
    return min(_of_one(setting, float(x), late_gradients, precision) for x in h)


def _of_one(setting: Setting, h: float, late: bool, precision: float) -> float:
    """At one curvature."""
    delayed = Delayed(setting, h, late_gradients=late)
    if not delayed.is_stable(0.0):
        raise InputError(f"{setting.method.name} diverges in mean square without latency, too")
    low, high = 0.0, delayed.margin
    if math.isinf(high):  # the mean decays at any latency
        high = 1.0
        while delayed.is_stable(high):
            low, high = high, 2 * high
            if high > 2.0**40:
                return math.inf
    while high - low > precision * high:
        middle = (low + high) / 2
        low, high = (middle, high) if delayed.is_stable(middle) else (low, middle)
    return low


class Delayed:
    """A method at one curvature ``h`` of all nodes, its messages late."""

    def __init__(self, setting: Setting, h: float, *, late_gradients: bool):
        played, spectrum = setting.played, setting.spectrum
        assert spectrum is not None
        self.spectrum, self.edge_rates = spectrum, played.edge_rates
        b = played.blocks
        u, q = played.jumps[0, 0, :, 0], row_of(played.messages[0], h)
        everywhere, differences = reached_blocks(played)
        flow, jumps, rows = played.flow, [u], [q]
        self.node_rate = 0.0
        if played.has_gradients:
            self.node_rate = played.node_rates[0]
            w, g = played.directions[0][:, 0], row_of(played.gradients[0], h)
            if late_gradients:  # one more number: what was read at the beginning, a
                flow, u, q, w, g = (np.pad(x, (0, 1)) for x in (flow, u, q, w, g))
                everywhere, differences = (
                    np.block([[basis, np.zeros((b, 1))], [np.zeros((1, basis.shape[1])), 1.0]])
                    for basis in (everywhere, differences)
                )
                a = np.eye(b + 1)[b]
                # s += w a, and then a is what is read: g s + (g w) a.
                jumps, rows = [u, w + (g @ w - 1) * a, a], [q, a, g]
            else:
                jumps, rows = [u, w], [q, g]
        drift = flow
        for jump, row in zip(jumps[1:], rows[1:], strict=True):
            drift = drift + self.node_rate * np.outer(jump, row)
        # Of the sum over the nodes events may move less, and gossip nothing.
        self.modes = [
            (basis.T @ drift @ basis, np.stack(rows) @ basis, basis.T @ np.stack(jumps).T)
            for basis in (everywhere, differences)
        ]
        self.margin = min(
            (self._margin(level) for level in np.unique(spectrum.values[1:])), default=math.inf
        )
        self._start = self._first()

    def _first(self) -> np.ndarray:
        m, n, k = len(self.edge_rates), len(self.spectrum.values), len(self.modes[0][1]) - 1
        return np.concatenate([np.ones(m), np.tile(np.eye(k), (n, 1, 1)).ravel()])

    def _margin(self, level: float) -> float:
        """The latency up to which the mean of a mode of the eigenvalue ``level`` decays; 0 where it
        does not without any.
        """
        A, rows, jumps = self.modes[1]
        q, u = rows[0], jumps[:, 0]
        if np.linalg.eigvals(A + level * np.outer(u, q)).real.max() >= 0:
            return 0.0
        hamiltonian = np.block(
            [[A, level * np.outer(u, u)], [-level * np.outer(q, q), -A.T]],
        )
        values = np.linalg.eigvals(hamiltonian)
        imaginary = np.abs(values.real) <= ON_AXIS * np.abs(values).max()
        least = ZERO * np.abs(values).max()
        margins = [math.inf]
        for omega in values[imaginary & (values.imag > least)].imag:
            H = level * q @ np.linalg.solve(1j * omega * np.eye(len(A)) - A, u)
            margins.append(float(np.angle(H) % (2 * np.pi) / omega))
        return min(margins)

    def is_stable(self, latency: float) -> bool:
        """Whether the second moment decays where messages take ``latency``."""
        stable_mean = np.linalg.eigvals(self.modes[0][0]).real.max(initial=-1.0) < 0
        if not stable_mean or latency >= self.margin:
            return False
        return self.radius(latency) < 1

    def radius(self, latency: float) -> float:
        """The spectral radius of the map of energies, where the mean decays."""
        K = self._kernels(latency)
        shape = self._start.shape
        root, start = perron(
            lambda c: self._applied(K, c.ravel()).reshape(-1, 1, 1), self._start.reshape(-1, 1, 1)
        )
        self._start = start.reshape(shape)
        return root

    def _frequencies(self) -> tuple[np.ndarray, np.ndarray]:
        """From near 0 to far above the drift, and the weight of each in an integral from 0 on."""
        A, rows, jumps = self.modes[1]
        largest = self.spectrum.values[-1]
        values = np.abs(np.linalg.eigvals(A + largest * np.outer(jumps[:, 0], rows[0])))
        slowest = np.abs(np.linalg.eigvals(A))
        slowest = np.concatenate([slowest[slowest > ZERO * values.max()], values])
        low, high = BELOW * slowest.min(), ABOVE * values.max()
        logs = np.linspace(
            math.log(low), math.log(high), math.ceil(POINTS * math.log10(high / low))
        )
        omega = np.exp(logs)
        weights = omega * (logs[1] - logs[0])
        weights[[0, -1]] /= 2
        # Below the first the answers are constant, above the last they fall as 1/omega.
        weights[[0, -1]] += omega[[0, -1]]
        return omega, weights

    def _kernels(self, latency: float) -> np.ndarray:
        """K (rows, rows, jumps, jumps, n, n): what pairs of rows hear in two modes of a pair of
        jumps.
        """
        omega, weights = self._frequencies()
        values, s = self.spectrum.values, 1j * omega
        answers = np.zeros((len(values), len(omega), *self._sizes), dtype=complex)
        for k, (A, rows, jumps) in zip((slice(0, 1), slice(1, None)), self.modes, strict=True):
            right = np.broadcast_to(jumps, (len(s), *jumps.shape))
            # (frequencies, rows, jumps)
            H = rows @ np.linalg.solve(s[:, None, None] * np.eye(len(A)) - A, right)
            back = values[k, None] * np.exp(-s * latency)
            gain = back / (1 - back * H[:, 0, 0])
            answers[k] = H + gain[..., None, None] * H[:, :, :1] * H[:, :1, :]
        answers[0, :, :, 0] = answers[0, :, 0] = 0.0
        weighed = np.moveaxis(answers * np.sqrt(weights)[:, None, None], 1, -1)
        return np.einsum("krjw,msiw->rsjikm", weighed, weighed.conj(), optimize=True).real / np.pi

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.modes[0][1].shape[0], self.modes[0][2].shape[1]

    def _applied(self, K: np.ndarray, c: np.ndarray) -> np.ndarray:
        """The energies that follow from c: of each edge a number, of each node a matrix."""
        B, V, m = self.spectrum.at_edges, self.spectrum.at_nodes, len(self.edge_rates)
        k = len(K) - 1
        of_nodes = c[m:].reshape(len(V), k, k)
        gossip = (B.T * (self.edge_rates * c[:m])) @ B
        gradients = self.node_rate * np.einsum("il,iab,im->ablm", V, of_nodes, V, optimize=True)
        heard = K[:, :, 0, 0] * gossip
        heard = heard + np.einsum("rsablm,ablm->rslm", K[:, :, 1:, 1:], gradients, optimize=True)
        edges = ((B @ heard[0, 0]) * B).sum(axis=1)
        nodes = np.einsum("il,rslm,im->irs", V, heard[1:, 1:], V, optimize=True)
        nodes = (nodes + nodes.transpose(0, 2, 1)) / 2
        return np.concatenate([edges, nodes.ravel()])
