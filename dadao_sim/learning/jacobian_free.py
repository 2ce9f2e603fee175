"""Learning the parameters of a fixed-point map by Jacobian-free backpropagation with restart.

Problem
    minimise loss(x*(theta)) over theta, where z* = T_theta(z*) is the fixed point of a method's
    map and x* its estimate.
Step (K applications of the map)
    z = T_theta^K(stopgrad(z_t));  theta moves against d loss(z)/d theta through the K
    applications;  z_{t+1} = stopgrad(z).
Guarantee
    At z_t = z*, with J and B the derivatives of T by z and theta, the gradient is
    loss' (I + J + ... + J^{K-1}) B: that of the fixed point, loss' (I - J)^{-1} B, up to O(q^K),
    q < 1 the factor by which the map contracts. Restarting from z_t, and not from the start, is
    what brings z_t to z* while theta moves.
Reference
    L. Davy, L. M. Briceno-Arias, N. Pustelnik, "Restarted contractive operators to learn at
    equilibrium", arXiv:2506.13239, 2025.

theta moves in its logarithm, by Adam's rule; a step is kept at 0.99 of what its method allows, or
below. The parameters of a denoiser move as they are. Of several problems, scenes, each has a state
z_t of its own, which waits while others are drawn.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from dadao_sim.errors import InputError
from dadao_sim.learning.fixed_point_maps import FixedPointMap, Theta
from dadao_sim.learning.inputs import (
    BELOW,
    DENOISER,
    Loss,
    check_options,
    checked_denoiser,
    checked_map,
    origin,
    scalar,
    starting_logarithms,
)
from dadao_sim.local_steps.learned.torch_extra import one_torch_thread

FloatArray = NDArray[np.float64]
STRENGTHS = ("strength", "l2")


@dataclass(frozen=True)
class Learned:
    """What :func:`learn` found.

    ``values`` are all parameters of the map, ``losses`` (T,) what the loss was at every iteration,
    and ``x`` (n, d) the last estimate of every node (n = 1 for the centralised method); of Q scenes
    (Q, n, d). ``denoiser`` is a copy of the module that was given, which has learned.
    """

    method: str
    penalty: str
    values: dict[str, float | FloatArray]
    losses: FloatArray
    x: FloatArray
    denoiser: torch.nn.Module | None = None

    @property
    def parameters(self) -> dict[str, float]:
        """For ``parameters:`` of the algorithm in a scenario, and ``overrides`` of ``replay``.

        InputError where no method of a scenario is the map that was learned.
        """
        if self.method == "proximal_gradient":
            raise InputError(
                "learn: proximal_gradient is centralised: no method of a scenario is that map, and "
                "its step (and metric) may be too large for one; `local_step` holds, see `values`"
            )
        step = self.values["step"]
        if not isinstance(step, float):
            raise InputError("learn: a scenario holds one step, not one per node; see `values`")
        return {"step": step}

    @property
    def local_step(self) -> dict[str, Any]:
        """For ``local_step:`` of a scenario. InputError for a denoiser, which is a file there."""
        if self.denoiser is not None:
            raise InputError(
                "learn: a scenario knows denoisers by their files: keep `.denoiser` with "
                "save_denoiser, and say local_step: {learned: {network: FILE.npz, strength: ...}}"
            )
        strengths = {name: self.values[name] for name in STRENGTHS if name in self.values}
        return {"prox": {"kind": self.penalty, **strengths}}


@one_torch_thread()
def learn(
    problem: Any,
    loss: Loss,
    *,
    method: str = "proximal_gradient",
    network: Any = None,
    penalty: str = "l1",
    denoiser: torch.nn.Module | None = None,
    shape: Sequence[int] | None = None,
    start: Mapping[str, ArrayLike] | None = None,
    learned: str | Sequence[str] = ("strength",),
    applications: int = 1,
    iterations: int = 500,
    learning_rate: float = 0.02,
    last_rate: float = 1.0,
    denoiser_rate: float = 1e-3,
    clip: float | None = None,
    scenes_per_step: int | None = None,
    restart: bool = True,
    x0: ArrayLike | None = None,
    seed: int = 0,
) -> Learned:
    """Learn parameters of ``method`` on ``problem`` with r = ``penalty``; see the module.

    ``method``: proximal_gradient (centralised), prox_ed, pg_extra or nids (with ``network``);
    ``penalty``: l1, squared_l2 or elastic_net. ``problem`` has quadratic f_i, r aside. ``loss``
    takes the estimates x (n, d), a torch tensor, to a scalar one.

    ``start`` holds the strengths and, if not the default one, the ``step``: a number, or for nids
    (n,) of them; ``metric`` (d,) are the weights of a diagonal metric of proximal_gradient.
    ``learned`` names those that move. ``applications`` is K, ``learning_rate`` about the relative
    change per iteration. Without ``restart`` every iteration starts from ``x0`` (d,), 0 by default,
    which is plain truncated unrolling: how good is x after K rounds? Learn a step with that, since
    the fixed point does not depend on it.

    A ``denoiser`` D, a module that takes batches of x in ``shape``, stands in the place of a prox:
    v + w (D(v) - v), w = step x strength, at first 1 unless the strength is given. Its own
    parameters move where ``learned`` names "denoiser", by Adam at ``denoiser_rate``; the module
    that was given does not.

    ``problem`` may be a list of Q scenes of one shape. ``scenes_per_step`` of them are drawn for an
    iteration (``seed``; all by default), the loss gets their x (q, n, d) and their numbers (q,),
    ``x0`` may be (Q, d), and with restart each goes on from where it was left. Rates fall
    geometrically to ``last_rate`` of the first, and gradients longer than ``clip`` are shortened.

    InputError for names, shapes and values that cannot be, a step above what the method allows,
    a loss that is no scalar, and one that grows beyond bounds.
    """
    check_options(loss, applications, iterations, learning_rate)
    names = (learned,) if isinstance(learned, str) else tuple(dict.fromkeys(learned))
    scenes = len(problem) if isinstance(problem, Sequence) else None
    dimension = problem.dimension if scenes is None else problem[0].dimension if scenes else 0
    denoised, start = None, {} if start is None else start
    if denoiser is not None:
        denoised = checked_denoiser(copy.deepcopy(denoiser), shape, dimension)
    fixed_point_map = checked_map(method, problem, network, penalty, denoised)
    logarithms = starting_logarithms(fixed_point_map, penalty, start, names)
    state = fixed_point_map.start(origin(x0, dimension, scenes))
    groups = [{"params": [logarithms[n] for n in names if n != DENOISER], "lr": learning_rate}]
    if DENOISER in names and denoised is not None:
        groups.append({"params": list(denoised.module.parameters()), "lr": denoiser_rate})
    groups = [group for group in groups if group["params"]]
    descend = Descent(logarithms, groups, applications, last_rate ** (1 / iterations), clip)
    losses = np.empty(iterations)
    beginning, generator = state, torch.Generator().manual_seed(seed)
    drawn = scenes if scenes is None else _drawn(scenes, scenes_per_step)
    for t in range(iterations):
        came = state if restart else beginning
        if drawn is None or scenes is None:
            state, losses[t] = descend(fixed_point_map, loss, came, t)
            continue
        chosen = torch.randperm(scenes, generator=generator)[:drawn]
        of_chosen = _of_scenes(loss, chosen)
        after, losses[t] = descend(fixed_point_map.of(chosen), of_chosen, came[:, chosen], t)
        state = state.clone()
        state[:, chosen] = after
    arrays = {n: v.detach().numpy().copy() for n, v in _exponentials(logarithms).items()}
    values = {name: array if array.ndim else float(array) for name, array in arrays.items()}
    module, kind = (None, penalty) if denoised is None else (denoised.module, DENOISER)
    return Learned(method, kind, values, losses, state[0].numpy().copy(), module)


def _drawn(scenes: int, asked: int | None) -> int:
    """Scenes of an iteration."""
    if asked is None:
        return scenes
    if isinstance(asked, bool) or not isinstance(asked, int) or not 1 <= asked <= scenes:
        raise InputError(f"learn: scenes_per_step: 1 to {scenes} are possible, got {asked!r}")
    return asked


def _of_scenes(loss: Loss, chosen: torch.Tensor) -> Loss:
    return lambda x: loss(x, chosen)


class Descent:
    """One iteration of learning: K applications of the map, and a step of Adam."""

    def __init__(
        self,
        logarithms: dict[str, torch.Tensor],
        groups: Sequence[dict[str, Any]],
        applications: int,
        factor: float,
        clip: float | None,
    ):
        """Rates are multiplied by ``factor`` after each, gradients shortened to ``clip``."""
        self.logarithms, self.applications = logarithms, applications
        self.factor, self.clip = factor, clip
        self.moving = [array for group in groups for array in group["params"]]
        self.optimiser = torch.optim.Adam(groups)

    def __call__(
        self, fixed_point_map: FixedPointMap, loss: Loss, state: torch.Tensor, t: int
    ) -> tuple[torch.Tensor, float]:
        """T_theta^K(state) and the loss at it; theta has moved."""
        self.optimiser.zero_grad()
        theta = _exponentials(self.logarithms)
        state, value = backpropagate(fixed_point_map, loss, theta, state, self.applications)
        if not np.isfinite(value):
            raise InputError(f"learn: the loss is {value} at iteration {t}; lower learning_rate")
        if not all(array.grad.isfinite().all() for array in self.moving if array.grad is not None):
            raise InputError(f"learn: the loss has no finite derivative at iteration {t}")
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.moving, self.clip)
        self.optimiser.step()
        for group in self.optimiser.param_groups:
            group["lr"] *= self.factor
        _keep_stable(fixed_point_map, self.logarithms)
        return state, value


def backpropagate(
    fixed_point_map: FixedPointMap, loss: Loss, theta: Theta, state: torch.Tensor, applications: int
) -> tuple[torch.Tensor, float]:
    """z = T_theta^K(state) without its history, and the loss at it.

    The gradient through the K ``applications`` is left at the leaves that ``theta`` is made of.
    """
    z = state.detach()
    for _ in range(applications):
        z = fixed_point_map(z, theta)
    try:
        value = scalar(loss(z[0]))
    except (RuntimeError, TypeError) as error:
        reason = f"it is given a torch tensor of shape {tuple(z[0].shape)} ({error})"
        raise InputError(f"learn: loss failed: {reason}") from error
    value.backward()
    return z.detach(), float(value.detach())


def _exponentials(logarithms: Theta) -> dict[str, torch.Tensor]:
    return {name: logarithm.exp() for name, logarithm in logarithms.items()}


@torch.no_grad()
def _keep_stable(fixed_point_map: FixedPointMap, logarithms: Theta) -> None:
    """Pull the step below what the method allows; with a metric, the metric may have moved it."""
    bound = torch.log(BELOW * fixed_point_map.largest_step(_exponentials(logarithms)))
    step = logarithms["step"]
    step.copy_(torch.minimum(step, bound))
