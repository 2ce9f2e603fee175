"""Balls of norms beside the Euclidean one of ``projections``: what is 0 on them, projections, and
linear minimisation oracles.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.engine.workspace import workspace
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.fitting import offsets
from dadao_sim.local_steps.terms.groups import norm
from dadao_sim.local_steps.terms.projections import TOLERANCE, BoxOperator, shorten, threshold
from dadao_sim.local_steps.terms.term import Groups, Radius, Term


class L1BallOperator(NamedTuple):
    """r(x) = 0 where ||x||_1 <= radius."""

    radius: float


@kernel
def l1_size(x):
    """||x||_1."""
    total = 0.0
    for k in range(x.shape[0]):
        total += abs(x[k])
    return total


@kernel
def l1_ball_prox(r, step, v, out):
    """The sizes projected onto the simplex, with the signs of v (Duchi et al. 2008)."""
    if l1_size(v) <= r.radius:
        for k in range(v.shape[0]):
            out[k] = v[k]
        return
    for k in range(v.shape[0]):
        out[k] = abs(v[k])
    top, tau = threshold(out, r.radius)
    for k in range(v.shape[0]):
        rest = out[k] - top - tau
        out[k] = 0.0 if rest < 0.0 else math.copysign(rest, v[k])


@kernel
def l1_ball_value(r, x):
    """0 on the ball."""
    return math.inf if l1_size(x) > r.radius * (1.0 + TOLERANCE) else 0.0


@kernel
def l1_ball_lmo(r, s, out):
    """-radius sign(s_k) at the k where |s_k| is largest, the first of such."""
    best, finite = 0, 0.0
    for k in range(s.shape[0]):
        finite += 0.0 * s[k]
        out[k] = 0.0
        if abs(s[k]) > abs(s[best]):
            best = k
    if s[best] != 0.0 or math.isnan(finite):
        out[best] = finite - math.copysign(r.radius, s[best])


operators.prox.register(L1BallOperator, l1_ball_prox)
operators.value.register(L1BallOperator, l1_ball_value)
operators.lmo.register(L1BallOperator, l1_ball_lmo)


class L1Ball(Term):
    """||x||_1 <= radius."""

    is_set = True

    kind: Literal["l1_ball"] = Field(description="a ball of the l1 norm around 0")
    radius: Radius

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        return LocalStep(self.kind, L1BallOperator(self.radius), dimension, convex=True)


class LinfBall(Term):
    """max_k |x_k| <= radius: a box."""

    is_set = True

    kind: Literal["linf_ball"] = Field(description="a ball of the largest coordinate around 0")
    radius: Radius

    def local_step(self, dimension: int) -> LocalStep:
        """Convex."""
        bound = np.full(dimension, self.radius)
        return LocalStep(self.kind, BoxOperator(-bound, bound), dimension, convex=True)


@workspace("sizes")
class GroupBallOperator(NamedTuple):
    """r(x) = 0 where sum_j ||x_j||_2 <= radius over groups x_j of consecutive coordinates; group j
    is [offsets[j], offsets[j + 1]), and ``sizes`` (m,) is workspace.
    """

    radius: float
    offsets: np.ndarray
    sizes: np.ndarray


@kernel
def group_sizes(r, x):
    """The sum of the ||x_j||, which stand in the workspace."""
    total = 0.0
    for j in range(r.sizes.shape[0]):
        r.sizes[j] = norm(x, r.offsets[j], r.offsets[j + 1])
        total += r.sizes[j]
    return total


@kernel
def group_ball_prox(r, step, v, out):
    """The sizes of the groups projected onto the simplex, their directions as they are."""
    if group_sizes(r, v) <= r.radius:
        for k in range(v.shape[0]):
            out[k] = v[k]
        return
    top, tau = threshold(r.sizes, r.radius)
    for j in range(r.sizes.shape[0]):
        shorten(v, r.offsets[j], r.offsets[j + 1], max(r.sizes[j] - top - tau, 0.0), out)


@kernel
def group_ball_value(r, x):
    """0 on the ball."""
    return math.inf if group_sizes(r, x) > r.radius * (1.0 + TOLERANCE) else 0.0


@kernel
def group_ball_lmo(r, s, out):
    """-radius s_j/||s_j|| on the group where ||s_j|| is largest, the first of such."""
    total = group_sizes(r, s)
    best = 0
    for j in range(r.sizes.shape[0]):
        if r.sizes[j] > r.sizes[best]:
            best = j
    for k in range(s.shape[0]):
        out[k] = 0.0 * total
    shorten(s, r.offsets[best], r.offsets[best + 1], -r.radius, out)


operators.prox.register(GroupBallOperator, group_ball_prox)
operators.value.register(GroupBallOperator, group_ball_value)
operators.lmo.register(GroupBallOperator, group_ball_lmo)


class GroupBall(Term):
    """sum_j ||x_j||_2 <= radius: the ball of the group lasso."""

    is_set = True

    kind: Literal["group_ball"] = Field(description="a ball of the sum of the norms of groups")
    radius: Radius
    groups: Groups

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the groups fill the dimension."""
        bounds = offsets(self.groups, dimension)
        operator = GroupBallOperator(self.radius, bounds, np.empty(len(bounds) - 1))
        return LocalStep(self.kind, operator, dimension, convex=True)


class GroupMaxBallOperator(NamedTuple):
    """r(x) = 0 where max_j ||x_j||_2 <= radius; groups as of :class:`GroupBallOperator`."""

    radius: float
    offsets: np.ndarray


@kernel
def group_max_ball_prox(r, step, v, out):
    """Each group, shortened to the radius."""
    for j in range(r.offsets.shape[0] - 1):
        begin, end = r.offsets[j], r.offsets[j + 1]
        size = norm(v, begin, end)
        scale = 1.0 if size <= r.radius else r.radius / size
        for k in range(begin, end):
            out[k] = scale * v[k]


@kernel
def group_max_ball_value(r, x):
    """0 on the ball."""
    for j in range(r.offsets.shape[0] - 1):
        if norm(x, r.offsets[j], r.offsets[j + 1]) > r.radius * (1.0 + TOLERANCE):
            return math.inf
    return 0.0


@kernel
def group_max_ball_lmo(r, s, out):
    """-radius s_j/||s_j|| in every group."""
    for j in range(r.offsets.shape[0] - 1):
        shorten(s, r.offsets[j], r.offsets[j + 1], -r.radius, out)


operators.prox.register(GroupMaxBallOperator, group_max_ball_prox)
operators.value.register(GroupMaxBallOperator, group_max_ball_value)
operators.lmo.register(GroupMaxBallOperator, group_max_ball_lmo)


class GroupMaxBall(Term):
    """max_j ||x_j||_2 <= radius: every group is normalised by itself."""

    is_set = True

    kind: Literal["group_max_ball"] = Field(description="a ball of the largest norm of a group")
    radius: Radius
    groups: Groups

    def local_step(self, dimension: int) -> LocalStep:
        """Convex. InputError unless the groups fill the dimension."""
        operator = GroupMaxBallOperator(self.radius, offsets(self.groups, dimension))
        return LocalStep(self.kind, operator, dimension, convex=True)
