"""The expected error of an asynchronous method late on, where its whole curve would be too long.

The Laplace transform of the second moment is known by that of the energies of ``perron``, which are
as many numbers as there are events:

    M^(s) = (s - Lb)^{-1} (M_0 + N(C^)),    C^ = g_0(s) + G(s) C^,

Lb the drift of M, g_0(s) what the events hear of (s - Lb)^{-1} M_0. So is that of the error,
e^(s) = tr E M^(s) E^T, whose poles are the exponents of the second moment. The slowest of them
alone says little: others crowd beside it (of DADAO on a path of 8 nodes six within 8 %, one with
fifteen times its amplitude), and where runs end they have not yet died away. Hence all of them are
taken, by the integral

    e(t) = 1/(2 pi i) int e^{st} e^(s) ds,    s = sigma + mu (1 + iu)^2,

along a parabola around them, by the midpoint rule (Weideman and Trefethen, Math. Comp. 76, 2007),
which with N points above the real axis misses e^{-2 pi N / sqrt(8 RATIO + 1)}. Of ||E s||^2, the
mean's part, all is known by its eigenvectors: only what events add to it is found so. What
oscillates outside the parabola is left out; by then it has decayed, and whether it has is tested:
two parabolas, one in the other, must say the same, and of the mean's part what is known.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, gmres

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.theory.perron import Diagonal, Energies
from dadao_sim.theory.rest import Part, parts_of
from dadao_sim.theory.setting import Setting

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

RATIO = 2.0  # of the last time to the first, at most: parabolas are of times that are near
POINTS = (24, 36)  # on the upper halves of both parabolas
AGREEMENT = 1e-3  # of what both say, and of what is known of the mean, relative to the error
FORGOTTEN = 1e-10  # a point whose weight is below it has no say
CLOSE = 0.01  # above the drift's exponent, relative, where a parabola may begin
ACCURACY = 1e-8  # of the energies, relative
ENOUGH = 1e-5  # what they may have where rounding ends it: the parabolas tell if that counts
MOST_STEPS = 60  # until they are known


@one_blas_thread()
def late_curve(
    method: str | Method,
    problem: "Problem",
    network: Any,
    times: ArrayLike,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
    x0: Any = None,
) -> np.ndarray:
    """As ``expected_curve``, to 1e-3 of itself, at late ``times`` (k,), ascending, the last at most
    RATIO times the first.

    For methods that converge to x*, on quadratics. It takes as long for late times as for early
    ones: for each axis along which the nodes decouple some 400 products of a matrix of nodes x
    blocks with one of as many rows and a column for each node and edge (64 nodes: seconds).

    Raises InputError as ``expected_curve``, for times too far apart, with minibatches, and where no
    transform is known: of steps that are counted, of a drift without a basis of eigenvectors, of
    what hovers or diverges, and of slow oscillations, whose exponents are not real.
    """
    t = reals("times", times)
    if t.ndim != 1 or not t.size or not 0 < t[0] or (np.diff(t) < 0).any() or t[-1] > RATIO * t[0]:
        raise InputError("times", "given otherwise", f"give ascending ones, within {RATIO:g} times")
    setting = Setting.of(method, problem, network, overrides, options)
    name = setting.method.name
    if options.batch_size is not None:
        raise InputError(f"{name}: no late curve is known of minibatches, which hover")
    found = np.zeros((len(POINTS), len(t)))
    missed = np.zeros_like(found)
    for part in parts_of(setting, x0, None):
        transform = _Transform(part)
        mean = transform.mean(t)
        for k, points in enumerate(POINTS):
            added, of_mean = transform.inverted(t, points)
            found[k] += mean + added
            missed[k] += of_mean - mean
    inner, errors = found
    most = AGREEMENT * errors
    if not ((abs(inner - errors) <= most) & (abs(missed) <= most)).all():
        raise InputError(
            f"{name}: its curve is no sum of exponentials at these times: what oscillates is slow"
        )
    return np.asarray(errors / problem.nodes)


class _Transform(Energies):
    """e^(s) of one system, from its start."""

    def __init__(self, part: Part):
        name = part.name
        if part.events.played.counted:
            raise InputError(f"{name}: no late curve is known of steps that are counted")
        if part.hovers:
            raise InputError(f"{name}: no late curve is known of what hovers")
        super().__init__(part.events)
        form = self._form
        if not isinstance(form, Diagonal):
            raise InputError(f"{name}: no late curve is known: its drift has no eigenbasis")
        if not self.is_stable:
            raise InputError(f"{name} has no late curve: with these constants it diverges")
        close = (1 - CLOSE) * 2 * self.abscissa
        self.name = name
        self.origin = close if self.is_below_one(close) else self.growth().sigma
        self._exponents = form.eigenvalues
        self._start_in = form.inverse @ (self.basis.T @ (part.start - part.rest))
        self._moment_in = np.outer(self._start_in, self._start_in)
        self._estimate = part.events.estimate @ (self.basis @ form.vectors)
        self._weights = self._estimate.T @ self._estimate
        self._last: np.ndarray | None = None  # energies at the last s, which is near

    def mean(self, times: np.ndarray) -> np.ndarray:
        """The squared error of the mean, ||E s||^2."""
        moved = np.exp(np.outer(self._exponents, times)) * self._start_in[:, None]
        return np.asarray((abs(self._estimate @ moved) ** 2).sum(axis=0))

    def inverted(self, times: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
        """What events add to the squared errors of the mean, and these, by a parabola of so many
        points.
        """
        wide = math.sqrt(8 * RATIO + 1)
        step, mu = wide / points, math.pi * points / (4 * wide * times[-1])
        vertex = 1 + 1j * step * (np.arange(points) + 0.5)
        z = mu * vertex**2
        kept = z.real * times[0] >= math.log(FORGOTTEN)
        z, weights = z[kept], (2 * mu * step / math.pi) * vertex[kept]
        self._last = None
        values = np.array([self._at(self.origin + s) for s in z])
        waves = np.exp(np.outer(times, self.origin + z))
        added, of_mean = (waves @ (weights[:, None] * values)).real.T
        return added, of_mean

    def _at(self, s: complex) -> tuple[complex, complex]:
        """What events add to the transform of ||E s||^2, and this."""
        resolvent = 1 / (s - (self._exponents[:, None] + self._exponents))
        right = self._heard(self._moment_in * resolvent)

        def left(C: np.ndarray) -> np.ndarray:
            return C - self._heard(self._pushed(C) * resolvent)

        operator = LinearOperator((right.size, right.size), left, dtype=complex)
        C, rounded = gmres(
            operator, right, x0=self._last, rtol=ACCURACY, restart=MOST_STEPS, maxiter=1
        )
        if rounded and np.linalg.norm(left(C) - right) > ENOUGH * np.linalg.norm(right):
            raise InputError(f"{self.name}: the transform of its curve cannot be computed")
        self._last = C
        read = self._weights * resolvent
        return (read * self._pushed(C)).sum(), (read * self._moment_in).sum()

    def _heard(self, M: np.ndarray) -> np.ndarray:
        """Q_r^T M Q_r of all events, flat."""
        m, k, _ = self.shape
        right = (M @ self._out.T).reshape(-1, m, k)
        if k == 1:
            return np.asarray(np.einsum("ma,am->m", self._out, right[:, :, 0]))
        return np.asarray(np.einsum("mka,aml->mkl", self._out.reshape(m, k, -1), right).ravel())

    def _pushed(self, C: np.ndarray) -> np.ndarray:
        """The sum of lambda_r W_r C_r W_r^T over the events."""
        m, k, _ = self.shape
        weighed = self.rates[:, None, None] * C.reshape(m, k, k)
        pushed = np.einsum("amk,mkl->aml", self._in.reshape(-1, m, k), weighed)
        return np.asarray(pushed.reshape(-1, m * k) @ self._in.T)
