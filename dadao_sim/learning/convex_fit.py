"""Fitting a convex surrogate to values of a function of a parameter, and to its gradients.

Problem
    min sum_k (V(theta_k) - v_k)^2/var(v) + |grad_x V(theta_k) - g_k|^2/mean |g|^2
    for V(theta) = c + <q, theta> + |A^T theta|^2/2 + (mu/2) |x|^2
    + sum_j w_j relu(<a_j, theta> + b_j)^2/2 with w_j = softplus(.) > 0: convex for any weights.
Step
    L-BFGS with a strong Wolfe line search on all samples, in double precision; theta is scaled to
    [-1, 1]^p and the values to a standard deviation of 1, and both back in the end.
What it cannot be near
    V'' along a line is the sum of a rising function and a falling one: a value that is curved most
    in the middle, as Huber's, is none. That of a parametric programme curves more where constraints
    are active, which is towards the ends.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn.functional import softplus

from dadao_sim.errors import InputError
from dadao_sim.given import whole
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.convex_surrogate import ConvexSurrogate


@dataclass(frozen=True)
class FitRecipe:
    """The constants of a fit; the defaults give the shipped weights."""

    units: int = 64
    samples: int = 4096
    iterations: int = 1000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            whole(f"recipe: {name}", value)


FITTED = FitRecipe()
Signs = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Samples:
    """``thetas`` (N, p), ``values`` (N,) there, and ``slopes`` (N, d) in the first d coordinates,
    None where they are not known.
    """

    thetas: FloatArray
    values: FloatArray
    slopes: FloatArray | None


@dataclass(frozen=True)
class FitErrors:
    """On samples that were not learned from: of V over the standard deviation of the values, of its
    gradient in x over that of the function, both root mean squares, and the mean error of V.
    """

    value: float
    slope: float
    bias: float


@one_torch_thread()
def fit(
    samples: Samples,
    box: FloatArray,
    dimension: int,
    *,
    floor: float = 0.0,
    seed: int = 0,
    recipe: FitRecipe = FITTED,
    signs: Signs = softplus,
) -> ConvexSurrogate:
    """The surrogate of ``samples`` in the ``box`` (p, 2), with the mu of ``floor`` at least. The
    same ``seed`` gives the same weights. ``signs`` makes the w_j; only a positive one makes V
    convex.
    """
    generator = torch.Generator().manual_seed(seed)
    middle, half = box.mean(axis=1), (box[:, 1] - box[:, 0]) / 2
    scale = float(samples.values.std()) or 1.0
    p, m = len(middle), recipe.units
    centred = samples.thetas - middle
    of_x = centred[:, :dimension]
    S = _tensor(centred / half)
    v = _tensor((samples.values - floor * (of_x**2).sum(axis=1) / 2) / scale)
    weights = _tensor(scale / half[:dimension]) ** 2
    if samples.slopes is not None:
        g = _tensor((samples.slopes - floor * of_x) * half[:dimension] / scale)
        size = float((samples.slopes**2).sum(axis=1).mean()) or 1.0
    a, b, A = (_normal(shape, generator) for shape in ((m, p), (m,), (p, p)))
    A, raw, q, c = A / 2, torch.full((m,), -2.0).double(), torch.zeros(p).double(), v.mean()
    learned = [a, b, A, raw, q, c]
    for one in learned:
        one.requires_grad_(True)

    def loss() -> torch.Tensor:
        w = signs(raw)
        active, root = torch.relu(torch.addmm(b, S, a.T)), S @ A
        value = c + S @ q + (root**2).sum(dim=1) / 2 + active**2 @ w / 2
        of_values = ((value - v) ** 2).mean()
        if samples.slopes is None:
            return of_values
        slope = (q + root @ A.T + (active * w) @ a)[:, :dimension]
        return of_values + ((slope - g) ** 2 @ weights).mean() / size

    def backward() -> torch.Tensor:
        optimiser.zero_grad()
        found = loss()
        found.backward()
        return found

    optimiser = torch.optim.LBFGS(
        learned,
        max_iter=recipe.iterations,
        max_eval=2 * recipe.iterations,
        history_size=30,
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )
    optimiser.step(backward)
    arrays = [t.detach().numpy() for t in (a, b, signs(raw), A, q, c)]
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError("learn_surrogate: the fit diverged; use another seed")
    return _unscaled(arrays, scale, floor, dimension, box)


def _unscaled(
    arrays: list[FloatArray], scale: float, floor: float, dimension: int, box: FloatArray
) -> ConvexSurrogate:
    """In theta what was learned in (theta - middle)/half."""
    a, b, w, A, q, c = arrays
    middle, half = box.mean(axis=1), (box[:, 1] - box[:, 0]) / 2
    a = a / half
    root = A / half[:, None]
    H = scale * root @ root.T + floor * np.diag((np.arange(len(half)) < dimension).astype(float))
    H = (H + H.T) / 2
    slope = scale * q / half
    return ConvexSurrogate(
        a=a,
        b=b - a @ middle,
        w=scale * w,
        H=H,
        q=slope - H @ middle,
        c=float(scale * c - slope @ middle + middle @ H @ middle / 2),
        box=box,
        dimension=dimension,
    )


def errors(surrogate: ConvexSurrogate, held_out: Samples) -> FitErrors:
    """Of a surrogate on samples with slopes that it was not learned from."""
    assert held_out.slopes is not None
    off = surrogate.values(held_out.thetas) - held_out.values
    slopes = surrogate.slopes(held_out.thetas)[:, : surrogate.dimension]
    size = float(np.sqrt((held_out.slopes**2).sum(axis=1).mean()))
    return FitErrors(
        value=_rms(off) / (float(held_out.values.std()) or 1.0),
        slope=_rms(np.linalg.norm(slopes - held_out.slopes, axis=1)) / (size or 1.0),
        bias=float(off.mean()),
    )


def _rms(x: FloatArray) -> float:
    return float(np.sqrt((x**2).mean()))


def _tensor(x: FloatArray) -> torch.Tensor:
    return torch.from_numpy(np.array(x, dtype=np.float64))


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64)
