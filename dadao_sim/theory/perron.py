"""The growth of a second moment, from the Perron root of a small nonnegative map.

The noise of the events enters M' = Ab M + M Ab^T + sum_r lambda_r W_r C_r W_r^T only by
C_r = Q_r^T M Q_r, k x k each. So M grows as e^{sigma t} where the map of energies, from C to

    G(sigma) C = Q_r^T [int_0^inf e^{-sigma t} e^{Ab t} N e^{Ab^T t} dt] Q_r   for all r,
    N = sum_s lambda_s W_s C_s W_s^T,

which keeps positive matrices positive, has the spectral radius 1; this radius falls with sigma.
The second moment decays iff Ab is Hurwitz and the radius of G(0) is below 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import matrix_balance, schur
from scipy.linalg.lapack import dtrsyl
from scipy.optimize import brentq
from scipy.sparse import csc_array, hstack
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigs

from dadao_sim.errors import InputError
from dadao_sim.theory.linear_events import LinearEvents
from dadao_sim.theory.minibatches import GradientNoise

PRECISION = 1e-12  # of a growth, relative to that of the drift
WORST_CONDITION = 1e8  # of eigenvectors, above which the drift is brought to Schur's form instead
SMALL = 24  # size up to which a map is written out
TOLERANCE = 1e-11  # of a Perron root, relative
NEAR = 1e-10  # a growth this near to the drift's own, relative, is the drift's
NEGLIGIBLE = 1e-6  # a drift that decays this slowly, relative to its entries, counts as at rest
RESTARTS = 200  # of ARPACK
POWERS = 10_000  # steps of the power method, where ARPACK does not converge
Positive = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Growth:
    """``sigma``: E||s||^2 grows as e^{sigma t}; ``drift``: ||E s||^2 does with at most this.

    ``moment`` (N, N) is the second moment that keeps its shape while it grows.
    """

    sigma: float
    drift: float
    moment: np.ndarray


class Energies:
    """The map G of some events, on the space that they reach; ``noise`` of gradients adds an event
    for each node, whose C_i is the covariance of its errors.

    ``shape`` is that of the C_r: (events, k, k). Unless ``noise_moves`` the covariance of errors
    counts as the same everywhere.
    """

    def __init__(
        self,
        events: LinearEvents,
        noise: GradientNoise | None = None,
        form_of: "Callable[[np.ndarray], Form] | None" = None,
    ):
        self.noise, self.noise_moves = noise, True
        self.rates, self.plain, k = events.rates, len(events.rates), events.width
        W, Q = events.W, events.Q
        if noise is not None:
            self.rates = np.concatenate([events.rates, noise.rates])
            W, Q = (
                hstack([of, widened(more, len(noise.rates), k)])
                for of, more in ((W, noise.W), (Q, noise.P))
            )
        m = len(self.rates)
        self.shape = m, k, k
        T = self.basis = events.reached
        self.drift = T.T @ (events.drift @ T)
        form = self._form = (form_of or best_form)(self.drift)
        self.abscissa = float(form.eigenvalues.real.max())
        self._in = form.inverse @ (W.T @ T).T
        self._out = (Q.T @ T) @ form.vectors
        self._kept_in = self._in[form.kept]
        self._kept_out = (self._out[:, form.kept] * form.weights).reshape(m, k, -1)
        self._start = np.tile(np.eye(k), (m, 1, 1))

    def __call__(self, C: np.ndarray, sigma: float) -> np.ndarray:
        """G(sigma) C; symmetric."""
        m, k, _ = self.shape
        right = (self._integral(C, sigma) @ self._out.T).reshape(-1, m, k)
        found = np.einsum("mka,aml->mkl", self._kept_out, right, optimize=True).real
        found = (found + found.transpose(0, 2, 1)) / 2
        if self.noise is None:
            return found
        d = self.noise.errors.dimension
        spread = self.noise.errors.around(found[self.plain :, :d, :d]) if self.noise_moves else None
        return self.filled(found[: self.plain], spread)

    def filled(self, plain: np.ndarray, noise: np.ndarray | None) -> np.ndarray:
        """The C_r of all events: those of ``plain`` ones, and the covariances ``noise`` (n, d, d)
        of errors, 0 if None.
        """
        found = np.zeros(self.shape)
        found[: self.plain] = plain
        if noise is not None:
            found[self.plain :, : noise.shape[1], : noise.shape[2]] = noise
        return found

    def _integral(self, C: np.ndarray, sigma: float) -> np.ndarray:
        """What is between the brackets of the module's docstring, in the coordinates of the form;
        the rows that this keeps.
        """
        m, k, _ = self.shape
        if k == 1:
            pushed = self._kept_in * (self.rates * C.ravel())
        else:
            weighed = self.rates[:, None, None] * C
            pushed = np.einsum("amk,mkl->aml", self._kept_in.reshape(-1, m, k), weighed)
        return self._form.integral(pushed.reshape(-1, m * k) @ self._in.T, sigma)

    def moment(self, C: np.ndarray, sigma: float) -> np.ndarray:
        """What is between the brackets, (N, N)."""
        form = self._form
        V = self.basis @ form.vectors
        return ((V[:, form.kept] * form.weights) @ self._integral(C, sigma) @ V.T).real

    def radius(self, sigma: float) -> float:
        """The spectral radius of G(sigma), for a sigma above twice the abscissa of the drift."""
        root, self._start = perron(lambda C: self(C, sigma), self._start)
        return root

    def is_below_one(self, sigma: float) -> bool:
        """Whether the radius is below 1."""
        return self.radius(sigma) < 1

    @cached_property
    def is_stable(self) -> bool:
        """Whether E||s||^2 decays."""
        return self.abscissa < 0 and self.is_below_one(0.0)

    def growth(self) -> Growth:
        """How the second moment grows."""
        least = 2 * self.abscissa
        scale = max(abs(least), NEGLIGIBLE * float(np.abs(self.drift).max()))
        above = crossing(lambda x: self.radius(least + x), NEAR * scale, scale, PRECISION * scale)
        M = self.moment(self._start, least + max(above, NEAR * scale))
        return Growth(least + above, least, M / np.trace(M))


def widened(columns: csc_array, events: int, width: int) -> csc_array:
    """Columns (N, events d) with zeros beside those of each event, to ``width`` for each."""
    d = columns.shape[1] // events
    place = np.arange(events * d) // d * width + np.arange(events * d) % d
    unit = (np.ones(events * d), (np.arange(events * d), place))
    return csc_array(columns @ csc_array(unit, shape=(events * d, events * width)))


def crossing(radius: Callable[[float], float], near: float, far: float, precision: float) -> float:
    """Where a ``radius`` that falls crosses 1, above ``near``; 0 if it does not. ``far`` is a guess
    at it.
    """
    at_near, at_far = radius(near), radius(far)
    if at_near <= 1:
        return 0.0
    while at_far > 1:
        near, at_near, far = far, at_far, 4 * far
        at_far = radius(far)
    # Near 0 the radius is c + a/x: a first guess, which is one end of what is left.
    a = (at_near - at_far) / (1 / near - 1 / far)
    guess = min(max(a / (1 - at_far + a / far), 2 * near), far / 2)
    if near < guess < far:
        near, far = (guess, far) if radius(guess) > 1 else (near, guess)

    def height(y: float) -> float:
        return math.log(radius(math.exp(y)))

    try:
        return math.exp(brentq(height, math.log(near), math.log(far), xtol=precision / far))
    except ValueError:  # asked again, the radius is on the other side of 1
        raise InputError("the rate is lost among the roundings: L/mu is too large") from None


def perron(apply: Positive, start: np.ndarray) -> tuple[float, np.ndarray]:
    """The spectral radius of a map that keeps positive matrices (m, k, k) positive, and a positive
    eigenvector of it, found from ``start``.
    """
    shape, size = start.shape, start.size

    def flat(c: np.ndarray) -> np.ndarray:
        return apply(c.reshape(shape)).ravel()

    if size <= SMALL:
        values, vectors = np.linalg.eig(np.column_stack([flat(unit) for unit in np.eye(size)]))
    else:
        operator = LinearOperator((size, size), flat, dtype=float)
        try:
            values, vectors = eigs(
                operator,
                1,
                which="LM",
                v0=start.ravel(),
                ncv=min(size, 16),
                tol=TOLERANCE,
                maxiter=RESTARTS,
            )
        except (ArpackError, ArpackNoConvergence):
            return _by_powers(apply, start)
    largest = int(np.abs(values).argmax())
    vector = vectors[:, largest].real.reshape(shape)
    return float(np.abs(values[largest])), vector / np.einsum("mkk->", vector)


def _by_powers(apply: Positive, start: np.ndarray) -> tuple[float, np.ndarray]:
    C, root = start / np.einsum("mkk->", start), 0.0
    for _ in range(POWERS):
        after, before = apply(C), root
        root = float(np.einsum("mkk->", after))
        C = after / root
        if abs(root - before) <= TOLERANCE * root:
            break
    return root, C


class Diagonal:
    """A drift by its eigenvectors; of each conjugate pair of rows one is kept, of double weight."""

    def __init__(self, drift: np.ndarray):
        eigenvalues, self.vectors = np.linalg.eig(drift)
        self.eigenvalues, self.inverse = eigenvalues, np.linalg.inv(self.vectors)
        self.kept = np.flatnonzero(eigenvalues.imag >= 0)
        self.weights = np.where(eigenvalues[self.kept].imag > 0, 2.0, 1.0)
        self._sums = eigenvalues[self.kept][:, None] + eigenvalues

    def integral(self, noise: np.ndarray, sigma: float) -> np.ndarray:
        """Of e^{-sigma t} e^{Ab t} noise e^{Ab^T t}, over all t > 0."""
        return noise / (sigma - self._sums)


class Triangular:
    """A drift by its real Schur form: slower, for any."""

    def __init__(self, drift: np.ndarray):
        self._T, self.vectors = schur(drift, output="real")
        self.eigenvalues = np.linalg.eigvals(drift)
        self.inverse = self.vectors.T
        self.kept, self.weights = np.arange(len(drift)), np.ones(len(drift))

    def integral(self, noise: np.ndarray, sigma: float) -> np.ndarray:
        """Of e^{-sigma t} e^{Ab t} noise e^{Ab^T t}, over all t > 0."""
        T = self._T - sigma / 2 * np.eye(len(self._T))
        found, scale, _ = dtrsyl(T, T, -noise, tranb="T")
        return found / scale


Form = Diagonal | Triangular


def best_form(drift: np.ndarray) -> Form:
    """The faster one, unless its eigenvectors are nearly dependent; of the drift in balanced units,
    as the blocks of a method may be of sizes far apart.
    """
    balanced, (units, _) = matrix_balance(drift, permute=False, separate=True)
    form = _form_of(balanced)
    form.vectors, form.inverse = units[:, None] * form.vectors, form.inverse / units
    return form


def _form_of(drift: np.ndarray) -> Form:
    try:
        form = Diagonal(drift)
    except np.linalg.LinAlgError:
        return Triangular(drift)
    condition = np.linalg.norm(form.vectors, 1) * np.linalg.norm(form.inverse, 1)
    return form if condition < WORST_CONDITION else Triangular(drift)
