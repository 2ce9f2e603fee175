"""The fixed-point maps of the proximal methods for quadratics, differentiable in their parameters.

A state is a tensor (blocks, n, d); block 0 is the estimate x of every node; n = 1 for the
centralised method. Of Q problems at once it is (blocks, Q, n, d). Parameters theta: ``step`` a,
``strength`` s of the penalty, and what else a map names. The duals Y and D are zero in the mean
over the nodes, whatever theta does on the way. Y is that of ``dadao_sim.algorithms`` over a, so
that its limit is the same at every step a.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dadao_sim.algorithms.contract.gossip import normalised
from dadao_sim.errors import InputError

Theta = Mapping[str, torch.Tensor]


def l1(v: torch.Tensor, a: torch.Tensor, theta: Theta) -> torch.Tensor:
    """Prox of s ||x||_1."""
    return torch.sign(v) * torch.relu(v.abs() - a * theta["strength"])


def squared_l2(v: torch.Tensor, a: torch.Tensor, theta: Theta) -> torch.Tensor:
    """Prox of (s/2) ||x||^2."""
    return v / (1 + a * theta["strength"])


def elastic_net(v: torch.Tensor, a: torch.Tensor, theta: Theta) -> torch.Tensor:
    """Prox of s ||x||_1 + (q/2) ||x||^2, q the parameter ``l2``."""
    return l1(v, a, theta) / (1 + a * theta["l2"])


Prox = Callable[[torch.Tensor, torch.Tensor, Theta], torch.Tensor]
PENALTIES: dict[str, Prox] = {"l1": l1, "squared_l2": squared_l2, "elastic_net": elastic_net}


class Denoised:
    """v + w (D(v) - v), w = a s: a denoiser in the place of a prox.

    Its fixed points with a gradient step on F solve grad F(x) + s (v - D(v)) = 0 at
    v = x - a grad F(x). ``shape`` is that of x as D takes a batch of it.
    """

    def __init__(self, module: torch.nn.Module, shape: tuple[int, ...]):
        self.module, self.shape = module, shape
        stored = (one.dtype for one in module.parameters())
        self.dtype = next((dtype for dtype in stored if dtype.is_floating_point), torch.float32)

    def __call__(self, v: torch.Tensor, a: torch.Tensor, theta: Theta) -> torch.Tensor:
        """Of v (..., d), in the precision of the module."""
        images = v.reshape(-1, *self.shape)
        answer = self.module(images.to(self.dtype))
        if answer.shape != images.shape:
            found = tuple(answer.shape)
            raise InputError(f"learn: denoiser: answers {tuple(images.shape)} with shape {found}")
        return v + a * theta["strength"] * (answer.to(v.dtype).reshape(v.shape) - v)


class FixedPointMap:
    """state -> T_theta(state) for ``problem``, or several of one shape, with quadratic f_i, and the
    ``prox`` of r.
    """

    blocks = 1
    fraction = 0.5
    """The default step, over the largest one."""
    vectors: tuple[str, ...] = ()
    """Parameters that may have an entry per node (step) or coordinate (metric)."""

    def __init__(self, problem: Any, network: Any, prox: str | Prox):
        self.H, self.c = (torch.from_numpy(array) for array in stacked_hessians(problem))
        node_L = np.max([one.node_L for one in problems_of(problem)], axis=0)
        self.L = torch.from_numpy(node_L.copy())
        self.laplacian = torch.from_numpy(normalised_laplacian(network, len(node_L)))
        self.prox = PENALTIES[prox] if isinstance(prox, str) else prox

    def of(self, chosen: torch.Tensor) -> "FixedPointMap":
        """The same map of some of several problems, by their numbers."""
        some = copy.copy(self)
        some.c = self.c[chosen]
        some.H = self.H[chosen] if self.H.ndim > 3 else self.H
        return some

    def __call__(self, state: torch.Tensor, theta: Theta) -> torch.Tensor:
        """One application."""
        raise NotImplementedError

    def start(self, x0: torch.Tensor) -> torch.Tensor:
        """The state (blocks, n, d) with every node at ``x0`` (d,), or (Q, 1, d) of Q problems."""
        state = torch.zeros((self.blocks, *self.c.shape), dtype=torch.float64)
        state[0] = x0
        return state

    def largest_step(self, theta: Theta) -> torch.Tensor:
        """What the step must stay below for the method to converge."""
        return 2 / self.L.max()

    def default_step(self, theta: Theta) -> torch.Tensor:
        """A step () for the other parameters: mostly 1/L."""
        return self.fraction * self.largest_step(theta)

    def gradient(self, X: torch.Tensor) -> torch.Tensor:
        """grad f_i(X_i) at every node, (n, d) to (n, d), or of Q problems (Q, n, d)."""
        if X.ndim == 2:
            return torch.einsum("nab,nb->na", self.H, X) - self.c
        return torch.einsum("...nab,...nb->...na", self.H, X) - self.c


class ProximalGradient(FixedPointMap):
    """x+ = prox_{a r}(x - a grad F(x)) in the metric with the weights m_j > 0, if theta has
    ``metric`` (d,): coordinate j then takes the step a/m_j.
    """

    vectors = ("metric",)

    def __init__(self, problem: Any, network: Any, prox: str | Prox):
        if network is not None:
            raise InputError("learn: proximal_gradient is centralised; leave out the network")
        H, c = stacked_hessians(problem)
        self.H = torch.from_numpy(H.mean(axis=-3, keepdims=True))
        self.c = torch.from_numpy(c.mean(axis=-2, keepdims=True))
        self.L = self._largest(self.H)
        self.prox = PENALTIES[prox] if isinstance(prox, str) else prox

    def __call__(self, state: torch.Tensor, theta: Theta) -> torch.Tensor:
        """One application."""
        a = theta["step"] / theta.get("metric", torch.ones(()))
        return self.prox(state - a * self.gradient(state[0]), a, theta)

    def largest_step(self, theta: Theta) -> torch.Tensor:
        """2 over the largest eigenvalue of M^{-1/2} H M^{-1/2}."""
        if "metric" not in theta:
            return 2 / self.L[0]
        root = theta["metric"].to(self.H) ** -0.5
        return 2 / self._largest(root[:, None] * self.H * root)[0]

    @staticmethod
    def _largest(H: torch.Tensor) -> torch.Tensor:
        """The largest eigenvalue (1,), of several problems that of the steepest."""
        return torch.linalg.eigvalsh(H)[..., -1].amax().reshape(1)


class ProxED(FixedPointMap):
    """Z = X - a (grad F(X) + Y);  Y+ = Y + (I - W) Z/(2 a);  X+ = prox_{a r}(Wt Z)."""

    blocks = 2

    def __call__(self, state: torch.Tensor, theta: Theta) -> torch.Tensor:
        """One application."""
        a, (X, Y) = theta["step"], state
        Z = X - a * (self.gradient(X) + Y)
        half = self.laplacian @ Z / 2
        return torch.stack([self.prox(Z - half, a, theta), Y + half / a])


class PGExtra(FixedPointMap):
    """X+ = prox_{a r}(W X - a (grad F(X) + Y));  Y+ = Y + (I - W) X/(2 a)."""

    blocks = 2
    fraction = 0.95

    def __call__(self, state: torch.Tensor, theta: Theta) -> torch.Tensor:
        """One application."""
        a, (X, Y) = theta["step"], state
        apart = self.laplacian @ X
        after = self.prox(X - apart - a * (self.gradient(X) + Y), a, theta)
        return torch.stack([after, Y + apart / (2 * a)])

    def largest_step(self, theta: Theta) -> torch.Tensor:
        """2 lambda_min(Wt)/L = 1/L, as lambda_max(I - W) = 1."""
        return 1 / self.L.max()


class Nids(FixedPointMap):
    """S = 2 X - Z - A (grad F(X) + D);  D+ = D + c (I - W) S;  Z+ = X - A (grad F(X) + D+);
    X+ = prox_{A r}(Z+), with A = diag(a_i) and c = 1/max a_i.

    ``step`` () is that of a node with the largest L_i, a_i = step L/L_i; or (n,), the a_i.
    """

    blocks = 3
    vectors = ("step",)

    def __call__(self, state: torch.Tensor, theta: Theta) -> torch.Tensor:
        """One application."""
        a = self.node_steps(theta["step"])[:, None]
        X, Z, D = state
        forward = X - a * self.gradient(X)
        D = D + self.laplacian @ (X + forward - Z - a * D) / a.amax()
        Z = forward - a * D
        return torch.stack([self.prox(Z, a, theta), Z, D])

    def start(self, x0: torch.Tensor) -> torch.Tensor:
        """As Z+ with D = 0 would have it where grad F is 0."""
        state = super().start(x0)
        state[1] = x0
        return state

    def node_steps(self, step: torch.Tensor) -> torch.Tensor:
        """The a_i (n,)."""
        return step if step.ndim else step * self.L.max() / self.L

    def largest_step(self, theta: Theta) -> torch.Tensor:
        """2/L, or 2/L_i of every node where every node has a step of its own."""
        each = "step" in theta and theta["step"].ndim
        return 2 / self.L if each else 2 / self.L.max()


MAPS: dict[str, type[FixedPointMap]] = {
    "proximal_gradient": ProximalGradient,
    "prox_ed": ProxED,
    "pg_extra": PGExtra,
    "nids": Nids,
}


def problems_of(problem: Any) -> Sequence[Any]:
    """One problem, or several, as several."""
    return problem if isinstance(problem, Sequence) else (problem,)


def stacked_hessians(problem: Any) -> tuple[np.ndarray, np.ndarray]:
    """H (n, d, d) and c (n, d) of a problem; of Q of them c (Q, n, d) and H (Q, n, d, d), or
    (n, d, d) where all have the same. InputError where they are of unequal shapes.
    """
    if not isinstance(problem, Sequence):
        return hessians(problem)
    shapes = {(one.nodes, one.dimension) for one in problem}
    if len(shapes) != 1:
        raise InputError(f"learn: {len(shapes)} shapes of problems given; all must have one")
    H, c = hessians(problem[0])
    found = [(H, c), *(_hessians_like(one, H) for one in problem[1:])]
    if all(other is H for other, _ in found):
        return H, np.stack([c for _, c in found])
    every = [np.stack(arrays) for arrays in zip(*found, strict=True)]
    return every[0], every[1]


def _hessians_like(problem: Any, H: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`hessians`, and ``H`` itself where the gradient at a random point says that it is it:
    scenes seen through one camera differ in c only.
    """
    c = -problem.gradients(np.zeros((problem.nodes, problem.dimension)))
    x = np.random.default_rng(0).standard_normal(problem.dimension)
    found, wanted = problem.gradients(np.tile(x, (problem.nodes, 1))), H @ x - c
    if np.allclose(found, wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max()):
        return H, c
    return hessians(problem)


def hessians(problem: Any) -> tuple[np.ndarray, np.ndarray]:
    """H (n, d, d) and c (n, d) with grad f_i(x) = H_i x - c_i, from d + 2 gradients per node.

    InputError where the gradients are not of that form.
    """
    n, d = problem.nodes, problem.dimension

    def gradients(x: np.ndarray) -> np.ndarray:
        return problem.gradients(np.tile(x, (n, 1)))

    c = -gradients(np.zeros(d))
    H = np.stack([gradients(e) + c for e in np.eye(d)], axis=2)
    x = np.linspace(-1.0, 2.0, d)
    if not np.allclose(gradients(x), H @ x - c, rtol=1e-9, atol=1e-9 * np.abs(c).max()):
        raise InputError(f"learn: kind {problem.kind} is not quadratic, which every f_i must be")
    return H, c


def normalised_laplacian(network: Any, nodes: int) -> np.ndarray:
    """I - W (n, n), the mixing of the methods: the Laplacian over its largest eigenvalue."""
    if network is None:
        raise InputError("learn: a decentralised method needs a network")
    if len(network.graphs) > 1 or network.nodes != nodes:
        raise InputError(f"learn: one fixed network of {nodes} nodes is needed")
    return np.eye(nodes) - normalised(network.graphs[0]).toarray()
