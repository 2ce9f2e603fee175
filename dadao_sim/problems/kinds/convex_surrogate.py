"""Convex surrogates: a value function of a parameter, in the place of one that takes long.

V(theta) = c + <q, theta> + theta^T H theta/2 + sum_j w_j relu(<a_j, theta> + b_j)^2/2, w_j >= 0, an
input-convex network of one hidden layer. V is convex, whatever the weights were learned from, its
gradient is piecewise affine, as that of a parametric quadratic programme, and it has constants:
H <= V'' <= H + sum_j w_j a_j a_j^T everywhere.
"""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.archives import METADATA, TrainedFiles, holds, write_state
from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, check_output
from dadao_sim.given import reals
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.nesterov import minimiser
from dadao_sim.problems.kinds.problem import Problem

FORMAT = "dadao_sim convex surrogate 1"
FILES = TrainedFiles(
    key="surrogate",
    what="a convex surrogate",
    folder=Path(__file__).resolve().parent / "weights",
    command="learn-surrogate",
)
ROUNDING = 1e-12
"""Relative, of a smallest eigenvalue that is 0."""
LEAST = 1e-6
"""Of mu/L: less is of no use to any method, and counts as none."""


class ConvexSurrogate(NamedTuple):
    """V, and where it was learned: ``a`` (m, p), ``b`` (m,), ``w`` (m,), ``H`` (p, p), ``q`` (p,),
    ``c`` (), ``box`` (p, 2). The first ``dimension`` coordinates of theta are x but for a shift;
    the others are a node's own.
    """

    a: FloatArray
    b: FloatArray
    w: FloatArray
    H: FloatArray
    q: FloatArray
    c: float
    box: FloatArray
    dimension: int

    @property
    def parameters(self) -> int:
        """p."""
        return len(self.q)

    def values(self, thetas: ArrayLike) -> FloatArray:
        """V at each row of ``thetas`` (N, p)."""
        points = np.asarray(thetas, dtype=float)
        active = np.maximum(points @ self.a.T + self.b, 0.0)
        squares = np.einsum("np,pk,nk->n", points, self.H, points)
        return self.c + points @ self.q + squares / 2 + active**2 @ self.w / 2

    def slopes(self, thetas: ArrayLike) -> FloatArray:
        """The gradient of V at each row of ``thetas`` (N, p)."""
        points = np.asarray(thetas, dtype=float)
        active = np.maximum(points @ self.a.T + self.b, 0.0)
        return self.q + points @ self.H + (active * self.w) @ self.a

    @property
    def bounds(self) -> tuple[float, float]:
        """mu and L of V in x, certified."""
        d = self.dimension
        a, H = self.a[:, :d], self.H[:d, :d]
        with one_blas_thread():
            least = float(np.linalg.eigvalsh(H)[0])
            most = float(np.linalg.eigvalsh(H + (a.T * self.w) @ a)[-1])
        return (least if least > LEAST * most else 0.0), most

    def problem(self, points: ArrayLike) -> "SurrogateProblem":
        """The problem of the sum of f_i(x) = V(theta_i + (x, 0)), with the rows of ``points``
        (n, p) as theta_i.
        """
        thetas = reals("points", points)
        if thetas.ndim != 2 or thetas.shape[1] != self.parameters or not len(thetas):
            wrong = f"shape {thetas.shape} given"
            raise InputError("points", wrong, f"(nodes, {self.parameters}) is needed")
        if not np.isfinite(thetas).all():
            raise InputError("points", "nan or infinite", "give finite numbers")
        return SurrogateProblem(kind="surrogate", surrogate=self, points=thetas)


class SurrogateModel(NamedTuple):
    """The f_i in x: ``a`` (m, d), ``w`` (m,), ``H`` (d, d), and of each node what theta_i makes of
    the layer and of the slope, ``inner`` (n, m) and ``slope`` (n, d).
    """

    a: np.ndarray
    w: np.ndarray
    H: np.ndarray
    inner: np.ndarray
    slope: np.ndarray


@kernel
def surrogate_gradient(model, i, x, mark, out):
    """Write slope_i + H x + sum_j w_j relu(inner_ij + <a_j, x>) a_j."""
    d = x.shape[0]
    for k in range(d):
        total = model.slope[i, k]
        for other in range(d):
            total += model.H[k, other] * x[other]
        out[k] = total
    for j in range(model.w.shape[0]):
        t = model.inner[i, j]
        for k in range(d):
            t += model.a[j, k] * x[k]
        if t > 0.0:
            for k in range(d):
                out[k] += model.w[j] * t * model.a[j, k]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SurrogateProblem(Problem):
    """f_i(x) = V(theta_i + (x, 0)), theta_i the rows of ``points``."""

    surrogate: ConvexSurrogate
    points: FloatArray

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.points)

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.surrogate.dimension

    @property
    def objective(self) -> SurrogateModel:
        """The layer as the nodes have it."""
        V, d = self.surrogate, self.dimension
        return SurrogateModel(
            a=np.ascontiguousarray(V.a[:, :d]),
            w=V.w,
            H=np.ascontiguousarray(V.H[:d, :d]),
            inner=self.points @ V.a.T + V.b,
            slope=np.ascontiguousarray((V.q + self.points @ V.H)[:, :d]),
        )

    @property
    def has_conjugate(self) -> bool:
        """It has no closed form."""
        return False

    @property
    def hessians(self) -> Literal["varying"]:
        """Constant between the kinks of the gradient."""
        return "varying"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """See :meth:`Problem.hessian`."""
        V, model = self.surrogate, self.objective
        bent = (self._thetas(x) @ V.a.T + V.b > 0).mean(axis=0) * V.w
        return model.H + (model.a.T * bent) @ model.a

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return float(self.surrogate.values(self._thetas(x)[[self._node(i)]])[0])

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        V, d = self.surrogate, self.dimension
        step = self._point(x) - self._point(origin)
        before = self._thetas(origin) @ V.a.T + V.b
        after = before + V.a[:, :d] @ step
        kept, new = np.maximum(before, 0.0), np.maximum(after, 0.0)
        each = (new - kept) ** 2 + 2 * kept * np.maximum(-after, 0.0)
        return float(step @ V.H[:d, :d] @ step / 2 + (each @ V.w).mean() / 2)

    def _thetas(self, x: ArrayLike) -> FloatArray:
        thetas = self.points.copy()
        thetas[:, : self.dimension] += self._point(x)
        return thetas

    def _mu(self) -> float:
        mu, _ = self.surrogate.bounds
        if mu == 0:
            raise InputError("mu", "the surrogate certifies none", "learn it with floor > 0")
        return mu

    def _node_L(self) -> FloatArray:
        return np.full(self.nodes, self.surrogate.bounds[1])

    def _optimum(self) -> FloatArray:
        def gradients(x: FloatArray) -> FloatArray:
            return self.gradients(np.tile(x, (self.nodes, 1)))

        return minimiser(gradients, self.mu, self.L, self.dimension)

    def _relabelled(self, order: IntArray) -> "SurrogateProblem":
        return replace(self, points=self.points[order], given_x_star=self._x_star_if_any)


oracles.gradient.register(SurrogateModel, surrogate_gradient)

# ---- Files ---------------------------------------------------------------------------------------

WEIGHTS = FileKind((".npz",), partial(holds, names=(*ConvexSurrogate._fields, METADATA)))


def save_surrogate(
    path: str | Path,
    surrogate: ConvexSurrogate,
    metadata: dict[str, Any],
    *,
    overwrite: bool = False,
) -> None:
    """Write a .npz file, the same bytes for the same weights; ``metadata`` says how they were made.

    Raises InputError for a path of another suffix, and for a file that is none of ours, unless
    ``overwrite``.
    """
    check_output(path, WEIGHTS, overwrite=overwrite)
    text = json.dumps({**metadata, "format": FORMAT}, sort_keys=True)
    arrays: dict[str, Any] = {**surrogate._asdict(), "metadata": np.array(text)}
    write_state(Path(path), {name: np.asarray(array) for name, array in arrays.items()})


def load_surrogate(surrogate: str | Path) -> tuple[ConvexSurrogate, dict[str, Any]]:
    """The weights and metadata of a shipped surrogate, by its name, or of a .npz file.

    InputError for an unknown name, and for a file that is not one of :func:`save_surrogate`.
    """
    path, stored, metadata = FILES.opened(surrogate)
    FILES.check_format(path, metadata, FORMAT)
    for name in sorted(set(stored) ^ {*ConvexSurrogate._fields, METADATA}):
        raise FILES.refused(
            path, f"{name} is " + ("none of its arrays" if name in stored else "missing")
        )
    try:
        arrays = {name: stored[name] for name in ConvexSurrogate._fields}
    except InputError as error:
        raise FILES.damaged(path) from error
    return _checked(path, arrays), metadata


def _checked(path: Path, arrays: dict[str, Any]) -> ConvexSurrogate:
    """The surrogate, if it is convex."""
    m, p = arrays["a"].shape if arrays["a"].ndim == 2 else (0, 0)
    shapes = {"a": (m, p), "b": (m,), "w": (m,), "H": (p, p), "q": (p,), "box": (p, 2)}
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()) or not array.size:
            raise FILES.refused(path, f"{name} has the shape {array.shape}")
        if array.dtype.kind not in ("iu" if name == "dimension" else "fiu"):
            raise FILES.refused(path, f"{name} has the type {array.dtype}")
        if not np.isfinite(array).all():
            raise FILES.refused(path, f"{name} is not finite")
    if not 1 <= arrays["dimension"] <= p or (arrays["box"][:, 0] >= arrays["box"][:, 1]).any():
        raise FILES.refused(path, "dimension or box cannot be")
    H = arrays["H"]
    if arrays["w"].min() < 0 or not np.array_equal(H, H.T) or not _is_psd(H):
        raise FILES.refused(path, "w or H is negative: V is not convex")
    return ConvexSurrogate._make(
        array.astype(float) if array.ndim else array.item() for array in arrays.values()
    )


def _is_psd(H: FloatArray) -> bool:
    with one_blas_thread():
        eigenvalues = np.linalg.eigvalsh(H)
    return bool(eigenvalues[0] >= -ROUNDING * max(eigenvalues[-1], 1.0))
