"""Learned proximal networks of vectors: f = grad psi for an input-convex network psi: R^d -> R.

Equations, with s(a) = log(1 + exp(beta a))/beta, and W, w not negative, so that psi is convex:

    a_1 = H_1 y + b_1,    a_2 = W s(a_1) + H_2 y + b_2,    psi(y) = <w, s(a_2)> + (alpha/2) ||y||^2
    f(y) = grad psi(y) = alpha y + H_2' q + H_1' ((W' q) o s'(a_1)),    q = w o s'(a_2)

The gradient of a convex function is the proximal operator of some R, whatever was learned, and of
this one exactly (Gribonval and Nikolova 2020):

    R(x) = <x, y> - ||x||^2/2 - psi(y)    where f(y) = x

As alpha > 0, f is one to one, and R is finite and smooth on all of R^d. f is the prox of R at the
step 1; the prox of multiples of R is not to be had from it, as it is, by scaling, of one that is
homogeneous. So a local step answers f(v) at every step a, and the method's own step is what F
weighs against R: it looks for x = f(x - a grad F(x)), a stationary point of a F + R.

Guarantee
    x+ = f(x - a grad F(x)) with a < 1/L: a F + R falls in every step, by (1 - a L)/2 ||x+ - x||^2
    at least, however steep f is, as x+ minimises a <grad F(x), z - x> + ||z - x||^2/2 + R(z) over
    z. Bounded sequences end in stationary points (Theorem 4.1 of the paper).
Reference
    Z. Fang, S. Buchanan, J. Sulam, "What's in a Prior? Learned Proximal Networks for Inverse
    Problems", ICLR 2024.
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import root
from scipy.special import expit

from dadao_sim.archives import Stored
from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, check_output
from dadao_sim.given import reals
from dadao_sim.local_steps.learned.nature import Nature
from dadao_sim.local_steps.learned.weight_file import FILES, LARGEST, WEIGHTS
from dadao_sim.local_steps.local_step import LocalStep

FloatArray = NDArray[np.float64]

FORMAT = "dadao_sim convex network 1"
ACCURACY = 1e-7
"""Of y: the largest |f(y) - x| that is accepted. The error of R is of second order in it."""


class ConvexNetwork(NamedTuple):
    """The weights of psi: H1 (h, d), b1 (h,), W (h, h), H2 (h, d), b2 (h,), w (h,); alpha, beta."""

    H1: FloatArray
    b1: FloatArray
    W: FloatArray
    H2: FloatArray
    b2: FloatArray
    w: FloatArray
    alpha: float
    beta: float

    @property
    def dimension(self) -> int:
        """d."""
        return self.H1.shape[1]

    @property
    def nature(self) -> Nature:
        """See :class:`Nature`."""
        return Nature("fang2024whats")

    def local_step(
        self, dimension: int, strength: float, shape: tuple[int, int] | None = None
    ) -> LocalStep:
        """See :func:`convex_network_step`."""
        return convex_network_step(self, dimension, strength)


# --- In NumPy: psi, f, its derivative, and R, at many points ------------------------------------


def _activation(net: ConvexNetwork, a: FloatArray) -> FloatArray:
    """s(a)."""
    return np.logaddexp(0.0, net.beta * a) / net.beta


def _entering(net: ConvexNetwork, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """a_1 and a_2."""
    a1 = y @ net.H1.T + net.b1
    return a1, _activation(net, a1) @ net.W.T + y @ net.H2.T + net.b2


def potential(net: ConvexNetwork, y: ArrayLike) -> FloatArray:
    """psi at each of y (..., d)."""
    y = np.asarray(y, dtype=np.float64)
    _, a2 = _entering(net, y)
    return np.asarray(_activation(net, a2) @ net.w + 0.5 * net.alpha * (y**2).sum(axis=-1))


def gradient(net: ConvexNetwork, y: ArrayLike) -> FloatArray:
    """f at each of y (..., d)."""
    y = np.asarray(y, dtype=np.float64)
    a1, a2 = _entering(net, y)
    q = net.w * expit(net.beta * a2)
    p = (q @ net.W) * expit(net.beta * a1)
    return np.asarray(net.alpha * y + q @ net.H2 + p @ net.H1)


def jacobian(net: ConvexNetwork, y: ArrayLike) -> FloatArray:
    """The derivative of f at y (d,), the Hessian of psi: (d, d), symmetric."""
    a1, a2 = _entering(net, np.asarray(y, dtype=np.float64))
    s1, s2 = expit(net.beta * a1), expit(net.beta * a2)
    of_a2 = net.W @ (s1[:, None] * net.H1) + net.H2
    bend2 = net.beta * net.w * s2 * (1 - s2)
    bend1 = net.beta * ((net.w * s2) @ net.W) * s1 * (1 - s1)
    both = of_a2.T @ (bend2[:, None] * of_a2) + net.H1.T @ (bend1[:, None] * net.H1)
    return np.asarray(both + net.alpha * np.eye(net.dimension))


@one_blas_thread()
def largest_slope(net: ConvexNetwork, points: ArrayLike) -> float:
    """The largest eigenvalue of the derivative of f at any of ``points`` (N, d): at most its
    Lipschitz constant.
    """
    return max(float(np.linalg.eigvalsh(jacobian(net, y))[-1]) for y in np.asarray(points))


def prior_at_answer(net: ConvexNetwork, y: ArrayLike) -> FloatArray:
    """R(f(y)), of each of y (..., d): no inversion is needed, for y is known."""
    y = np.asarray(y, dtype=np.float64)
    x = gradient(net, y)
    return np.asarray((x * y).sum(axis=-1) - 0.5 * (x**2).sum(axis=-1) - potential(net, y))


@one_blas_thread()
def inverse(net: ConvexNetwork, x: ArrayLike) -> FloatArray:
    """y with f(y) = x, of each of x (N, d), by Powell's hybrid of Newton's method.

    InputError for another shape, what is not finite, and where |f(y) - x| stays above ``ACCURACY``:
    far outside what the network has seen.
    """
    points = np.atleast_2d(reals("x", x))
    if points.shape[1:] != (net.dimension,) or not np.isfinite(points).all():
        wanted = f"finite numbers of the shape (N, {net.dimension}) are needed"
        raise InputError("prior", f"x of the shape {points.shape} given", wanted)
    found = np.array([_inverse_of(net, point) for point in points])
    left = float(np.abs(gradient(net, found) - points).max(initial=0.0))
    if left > ACCURACY:
        raise InputError("prior", f"f(y) = x is not solved: {left:.1e} are left")
    return found


def _inverse_of(net: ConvexNetwork, x: FloatArray) -> FloatArray:
    def residual(y: FloatArray) -> FloatArray:
        return gradient(net, y) - x

    def derivative(y: FloatArray) -> FloatArray:
        return jacobian(net, y)

    return np.asarray(root(residual, x, jac=derivative, method="hybr", tol=1e-12).x)


def prior_of(net: ConvexNetwork, x: ArrayLike) -> FloatArray:
    """R at each of x (N, d), up to the constant that a proximal operator cannot tell; (N,).

    InputError as :func:`inverse`.
    """
    y = inverse(net, x)
    points = np.atleast_2d(np.asarray(x, dtype=np.float64))
    return np.asarray((points * y).sum(1) - 0.5 * (points**2).sum(1) - potential(net, y))


# --- As a local step, compiled -------------------------------------------------------------------


@workspace("first", "back")
class ConvexNetworkOperator(NamedTuple):
    """f, whatever the step; ``first``, ``back`` (h,) are its workspace."""

    net: ConvexNetwork
    first: FloatArray
    back: FloatArray


@kernel
def answer(r, step, v, out):
    """f(v), by the equations above, whatever the step."""
    net = r.net
    neurons, dimension = net.H1.shape
    for j in range(neurons):
        entering = net.b1[j]
        for k in range(dimension):
            entering += net.H1[j, k] * v[k]
        r.first[j] = net.beta * entering
        r.back[j] = 0.0
    for k in range(dimension):
        out[k] = net.alpha * v[k]
    for i in range(neurons):
        entering = net.b2[i]
        for k in range(dimension):
            entering += net.H2[i, k] * v[k]
        for j in range(neurons):
            if net.W[i, j] > 0.0:
                a = r.first[j]
                entering += net.W[i, j] * (max(a, 0.0) + math.log1p(math.exp(-abs(a)))) / net.beta
        q = net.w[i] * _logistic(net.beta * entering)
        for k in range(dimension):
            out[k] += q * net.H2[i, k]
        for j in range(neurons):
            r.back[j] += q * net.W[i, j]
    for j in range(neurons):
        p = r.back[j] * _logistic(r.first[j])
        for k in range(dimension):
            out[k] += p * net.H1[j, k]


@kernel
def _logistic(a):
    if a >= 0.0:
        return 1.0 / (1.0 + math.exp(-a))
    grown = math.exp(a)
    return grown / (1.0 + grown)


operators.prox.register(ConvexNetworkOperator, answer)


def convex_network_step(net: ConvexNetwork, dimension: int, strength: float = 1.0) -> LocalStep:
    """prox(v, a) = f(v) for every step a. InputError for another dimension, and a strength."""
    if dimension != net.dimension:
        needed = f"it is a prior of {net.dimension}"
        raise InputError("network", f"x has {dimension} numbers", needed)
    if strength != 1.0:
        raise InputError(
            "strength",
            f"{strength:g} given, and this network has none: it is the prox of one R",
            "leave it out; the step of the method is what F weighs against R",
        )
    work = np.empty(net.b1.size), np.empty(net.b1.size)
    operator = ConvexNetworkOperator(net, *work)
    return LocalStep("learned", operator, dimension, convex=False, exact=False, has_value=False)


# --- Files ---------------------------------------------------------------------------------------


def save_convex_network(
    path: str | Path, net: ConvexNetwork, metadata: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a .npz file, matrices in half precision; ``metadata`` says how it came about."""
    check_output(path, WEIGHTS, overwrite=overwrite)
    text = json.dumps({**metadata, "format": FORMAT}, sort_keys=True)
    arrays: dict[str, Any] = {
        name: np.asarray(value).astype(np.float16 if np.ndim(value) == 2 else np.float32)
        for name, value in net._asdict().items()
    }
    atomic_write(Path(path), lambda handle: np.savez(handle, **arrays, metadata=text))


def convex_network_in(path: Path, stored: Stored) -> ConvexNetwork:
    """The weights of a file that is one of these; InputError where psi is not convex, or they are
    not whole.
    """
    FILES.check_names(path, stored, ConvexNetwork._fields)
    try:
        arrays = {name: np.asarray(stored[name]) for name in ConvexNetwork._fields}
        h, d = arrays["H1"].shape
    except Exception as error:
        raise FILES.damaged(path) from error
    shapes = {"H1": (h, d), "b1": (h,), "W": (h, h), "H2": (h, d), "b2": (h,), "w": (h,)}
    for name, array in arrays.items():
        shape = shapes.get(name, ())
        fits = array.shape == shape and array.dtype.kind == "f"
        if not (fits and np.all(np.abs(array) <= LARGEST)):
            raise FILES.refused(path, f"{name} is no finite numbers of the shape {shape}")
    if min(arrays["W"].min(initial=0.0), arrays["w"].min(initial=0.0)) < 0:
        raise FILES.refused(path, "W or w has a negative weight: psi is not convex")
    if 0 in (h, d) or arrays["alpha"] <= 0 or arrays["beta"] <= 0:
        raise FILES.refused(path, "alpha > 0, beta > 0 and weights are needed")
    return ConvexNetwork._make(
        np.ascontiguousarray(array, dtype=np.float64) if array.ndim else float(array)
        for array in arrays.values()
    )
