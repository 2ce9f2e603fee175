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
below.
"""

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
    Loss,
    check_options,
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
    and ``x`` (n, d) the last estimate of every node (n = 1 for the centralised method).
    """

    method: str
    penalty: str
    values: dict[str, float | FloatArray]
    losses: FloatArray
    x: FloatArray

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
        """For ``local_step:`` of a scenario."""
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
    start: Mapping[str, ArrayLike],
    learned: str | Sequence[str] = ("strength",),
    applications: int = 1,
    iterations: int = 500,
    learning_rate: float = 0.02,
    restart: bool = True,
    x0: ArrayLike | None = None,
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

    InputError for names, shapes and values that cannot be, a step above what the method allows,
    a loss that is no scalar, and one that grows beyond bounds.
    """
    check_options(loss, applications, iterations, learning_rate)
    names = (learned,) if isinstance(learned, str) else tuple(dict.fromkeys(learned))
    fixed_point_map = checked_map(method, problem, network, penalty)
    logarithms = starting_logarithms(fixed_point_map, penalty, start, names)
    state = fixed_point_map.start(origin(x0, problem.dimension))
    descend = Descent(fixed_point_map, loss, logarithms, names, applications, learning_rate)
    losses = np.empty(iterations)
    beginning = state
    for t in range(iterations):
        state, losses[t] = descend(state if restart else beginning, t)
    arrays = {n: v.detach().numpy().copy() for n, v in _exponentials(logarithms).items()}
    values = {name: array if array.ndim else float(array) for name, array in arrays.items()}
    return Learned(method, penalty, values, losses, state[0].numpy().copy())


class Descent:
    """One iteration of learning: K applications of the map, and a step of Adam."""

    def __init__(
        self,
        fixed_point_map: FixedPointMap,
        loss: Loss,
        logarithms: dict[str, torch.Tensor],
        learned: Sequence[str],
        applications: int,
        learning_rate: float,
    ):
        self.map, self.loss, self.applications = fixed_point_map, loss, applications
        self.logarithms, self.moving = logarithms, [logarithms[name] for name in learned]
        self.optimiser = torch.optim.Adam(self.moving, lr=learning_rate)

    def __call__(self, state: torch.Tensor, t: int) -> tuple[torch.Tensor, float]:
        """T_theta^K(state) and the loss at it; theta has moved."""
        self.optimiser.zero_grad()
        theta = _exponentials(self.logarithms)
        state, value = backpropagate(self.map, self.loss, theta, state, self.applications)
        if not np.isfinite(value):
            raise InputError(f"learn: the loss is {value} at iteration {t}; lower learning_rate")
        if not all(array.grad.isfinite().all() for array in self.moving if array.grad is not None):
            raise InputError(f"learn: the loss has no finite derivative at iteration {t}")
        self.optimiser.step()
        _keep_stable(self.map, self.logarithms)
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
