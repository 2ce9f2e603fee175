"""A hyperspectral cube whose bands are at the nodes: each saw its own, blurred and noisy.

The unknown x is the whole cube, its B bands one after the other, each row by row: d = B size^2.
With the p = size^2 pixels x_b of the band b that node i holds,

    f_i(x) = ||H x_b - y_b||^2/p + (mu/2) ||x||^2,

H a Gaussian blur, periodic. No node's data tell anything of another's band: what bands have in
common, materials and edges, is for a local step to say, or for a method that was trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, PrivateAttr

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import positive, reals
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.cubes import TRAINED_ON, cube, photograph
from dadao_sim.problems.data.image import kernel_width
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.periodic_blur import PeriodicBlur, blur_of_a_line, fourier_basis
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import NotNegative, Positive

SIDE_IN_TRAINING = 32


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class BandsProblem(Problem):
    """``cube`` is the truth and ``seen`` what the nodes saw of it, both (B, size, size); ``band``
    (n,) is which band each node holds.
    """

    cube: FloatArray
    seen: FloatArray
    band: IntArray
    blur: float
    ridge: float

    @property
    def nodes(self) -> int:
        """Number of nodes n, and of bands."""
        return len(self.band)

    @property
    def dimension(self) -> int:
        """Dimension d of x."""
        return self.cube.size

    @cached_property
    def objective(self) -> PeriodicBlur:
        """Compiled."""
        C = _blur_of_a_line(self.size, self.blur)
        basis, waves = fourier_basis(self.size)
        gains = np.fft.fft(C[0]).real[waves]
        with one_blas_thread():
            weight = 2 / self.size**2
            return PeriodicBlur(
                gram=C @ C,
                basis=basis,
                turned=np.ascontiguousarray(basis.T),
                curvatures=weight * np.outer(gains, gains) ** 2,
                slopes=weight * (C @ self.seen[self.band] @ C),
                band=self.band,
                weight=weight,
                ridge=self.ridge,
                **{name: np.zeros(C.shape) for name in "abc"},
            )

    @property
    def size(self) -> int:
        """Pixels of a side of a band."""
        return self.cube.shape[1]

    @property
    def l2(self) -> float:
        """See :attr:`Problem.l2`."""
        return self.ridge

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        point, band = self._point(x), self.band[self._node(i)]
        off = self._blurred(point)[band] - self.seen[band]
        return float((off**2).mean() + self.ridge / 2 * (point @ point))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`."""
        step = self._point(x) - self._point(origin)
        return float((self._blurred(step) ** 2).mean() + self.ridge / 2 * (step @ step))

    def psnr(self, X: ArrayLike) -> FloatArray:
        """Peak signal-to-noise ratio in dB of the cube of each node, (n, d) to (n,)."""
        with np.errstate(divide="ignore", over="ignore"):
            off = (self._points(X) - self.cube.ravel()) ** 2
            return np.asarray(-10 * np.log10(off.mean(axis=1)))

    def _blurred(self, x: FloatArray) -> FloatArray:
        C = _blur_of_a_line(self.size, self.blur)
        with one_blas_thread():
            return np.asarray(C @ x.reshape(self.cube.shape) @ C)

    def _mu(self) -> float:
        return self.ridge

    def _node_L(self) -> FloatArray:
        return np.full(self.nodes, self.objective.curvatures.max() + self.ridge)

    def _optimum(self) -> FloatArray:
        """In the Fourier basis; of the other nodes' f_i the ridge alone is in a band's way."""
        m, x = self.objective, np.empty(self.cube.shape)
        with one_blas_thread():
            waves = m.turned @ m.slopes @ m.basis / (m.curvatures + self.nodes * self.ridge)
            x[self.band] = m.basis @ waves @ m.turned
        return x.ravel()

    def _relabelled(self, order: IntArray) -> "BandsProblem":
        return replace(self, band=self.band[order], given_x_star=self._x_star_if_any)


def bands_problem(cube: FloatArray, seen: FloatArray, blur: float, mu: float) -> BandsProblem:
    """Node i holds band i of ``seen`` (B, size, size), a blurred and noisy ``cube``.

    Raises InputError for arrays that are no two cubes of one shape, and for blur and mu that are
    not above 0, or a blur wider than the cube.
    """
    cube, seen = reals("cube", cube), reals("seen", seen)
    for name, array in {"cube": cube, "seen": seen}.items():
        square = array.ndim == 3 and array.size > 0 and array.shape[1] == array.shape[2]
        if not (square and array.shape == cube.shape and np.isfinite(array).all()):
            given = f"shape {array.shape} given"
            raise InputError(name, given, "finite numbers (bands, size, size) are needed, as many")
    blur, mu = positive("blur", blur), positive("mu", mu)
    _check_kernel(blur, cube.shape[1])
    return BandsProblem(
        kind="bands", cube=cube, seen=seen, band=np.arange(len(cube)), blur=blur, ridge=mu
    )


def _check_kernel(blur: float, size: int) -> None:
    width = kernel_width(blur)
    if width > size:
        wrong = f"{blur:g} makes a kernel of {width} pixels"
        raise InputError("blur", wrong, f"at most size = {size} are possible")


def observed(cube: FloatArray, blur: float, noise: float, rng: np.random.Generator) -> FloatArray:
    """What is seen of a cube (B, size, size)."""
    C = _blur_of_a_line(cube.shape[1], blur)
    with one_blas_thread():
        return np.asarray(C @ cube @ C + noise * rng.standard_normal(cube.shape))


class BandsKind(ProblemKind):
    """A hyperspectral cube to be restored, a band at each node."""

    lacks: ClassVar[Mapping[str, str]] = {"data": "its cube is drawn, as image and bands say"}

    kind: Literal["bands"] = Field(description="a cube, of which each node saw one band")
    image: Literal["flower", "china"] = Field(
        default="flower",
        description="the photograph whose colours are mixed to materials; methods are trained on "
        "others than flower",
    )
    size: Annotated[int, Field(ge=4, le=200)] = Field(
        default=64, description="pixels of a side of a band; d is its square times the bands"
    )
    bands: Annotated[int, Field(ge=2, le=100)] = Field(
        default=8, description="bands of the cube, as many as there are nodes"
    )
    blur: Positive = Field(
        default=1.0, description="standard deviation of the Gaussian blur, in pixels; periodic"
    )
    noise: NotNegative = Field(
        default=0.06, description="standard deviation of the noise; the cube lies in [0, 1]"
    )
    mu: Positive = Field(default=1e-6, description="strength of the l2 term")
    _learns: bool = PrivateAttr(default=False)

    @property
    def dimension(self) -> int:
        """See :attr:`ProblemKind.dimension`."""
        return self.bands * self.size**2

    def for_learning(self) -> Self:
        """Crops of 32 x 32 at most, of photographs that no run sees. InputError for one that would
        be among them.
        """
        if self.image in TRAINED_ON:
            raise InputError("image", f"methods are trained on {self.image}", "use flower")
        source = self.model_copy(update={"size": min(self.size, SIDE_IN_TRAINING)})
        source._learns = True
        return source

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """Three cubes."""
        what = f"{self.bands} bands of {self.size} x {self.size} pixels"
        return (Need("size", what, 24 * self.dimension),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        if nodes != self.bands:
            given = f"{self.bands} given for {nodes} nodes"
            raise InputError("bands", given, "one band for each node is needed")
        _check_kernel(self.blur, self.size)
        name = TRAINED_ON[rng.integers(len(TRAINED_ON))] if self._learns else self.image
        truth = cube(_photograph(name), self.bands, self.size, rng)
        seen = observed(truth, self.blur, self.noise, rng)
        return bands_problem(truth, seen, self.blur, self.mu)


_blur_of_a_line, _photograph = cache(blur_of_a_line), cache(photograph)
