"""The tradeoff of rate, distortion and perception, solved centrally: what decentralised runs are
measured against. Rates are in nats.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds import divergences
from dadao_sim.problems.kinds.divergences import KL, Divergence

RESIDUAL = 1e-14
"""Of the implicit equation of a Newton alternation, and of its changes of q."""
ALTERNATIONS, NEWTON_STEPS, SHORTEST = 5000, 60, 1e-8
"""Most of each, and the least share of a Newton step."""


class Point(NamedTuple):
    """I(p, Q), E d and D_f(p||pQ) of a channel."""

    rate: float
    distortion: float
    perception: float


@dataclass(frozen=True, eq=False)
class Tradeoff:
    """Minimise I(p, Q) + s E d + t D_f(p||pQ) over the channels Q(y|x).

    ``p`` (m,) is the source, ``distortion`` d (m, l), ``slope`` s, ``weight`` t; with a weight
    l = m. Minimisers have the form Q(y|x) ~ q(y) exp(-s d(x, y) - t D'(y)) with q = pQ and D' the
    slope of the divergence at q; they are found by alternation between q and Q.
    """

    p: FloatArray
    distortion: FloatArray
    slope: float
    weight: float = 0.0
    divergence: Divergence = KL()  # noqa: RUF009 (it has no state)

    def channel(self, q: FloatArray, nu: FloatArray | None = None) -> FloatArray:
        """Q(y|x) ~ q(y) exp(-s d(x, y) - t D'(nu(y))) (m, l), nu = q where it is not given."""
        with np.errstate(divide="ignore"):
            logits = np.log(q) - self.slope * self.distortion
        if self.weight:
            logits -= self.weight * divergences.slope(
                self.divergence, self.p, q if nu is None else nu
            )
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def image(self, q: FloatArray) -> FloatArray:
        """T(q) = pQ with the channel of q (l,): a step of relaxed alternation (RAM), of
        Blahut-Arimoto where the weight is 0.
        """
        return self.p @ self.channel(q)

    def point(self, Q: FloatArray) -> Point:
        """Where the channel Q (m, l) lies on the surface R(D, P)."""
        q = self.p @ Q
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where(Q > 0, Q * np.log(Q / q), 0.0)
        perception = self.divergence.value(self.p, q) if len(q) == len(self.p) else np.nan
        return Point(
            float(self.p @ rates.sum(axis=1)),
            float(self.p @ (Q * self.distortion).sum(axis=1)),
            float(perception),
        )

    def value(self, Q: FloatArray) -> float:
        """I + s E d + t D_f of the channel Q (m, l)."""
        rate, distortion, perception = self.point(Q)
        return rate + self.slope * distortion + (self.weight * perception if self.weight else 0.0)

    def relaxed(self, damping: float, steps: int, q: FloatArray | None = None) -> FloatArray:
        """q+ = (1 - w) q + w T(q), so many times from q, uniform where it is not given: the
        answers (steps + 1, l), nan from where one is no distribution any more.
        """
        path = np.full((steps + 1, self.distortion.shape[1]), np.nan)
        path[0] = 1 / path.shape[1] if q is None else q
        for k in range(steps):
            path[k + 1] = (1 - damping) * path[k] + damping * self.image(path[k])
            if not path[k + 1].min() > 0:
                path[k + 1 :] = np.nan
                break
        return path

    def marginal(self, q: FloatArray) -> FloatArray:
        """nu = p Q(nu) (l,), with the channel of q tilted by the slope at nu itself, by Newton's
        method in log nu, damped; from q or from p, which it goes to where the weight is large.
        """
        u = min((np.log(q), np.log(self.p)), key=lambda u: _size(self._wrong(q, u)[0]))
        wrong, Q = self._wrong(q, u)
        for _ in range(NEWTON_STEPS):
            if _size(wrong) < RESIDUAL:
                break
            m, nu = self.p @ Q, np.exp(u)
            tilt = self.weight * self.divergence.curvature(self.p, nu) * nu
            jacobian = -self._covariance(Q) * tilt / m[:, None] - np.eye(len(m))
            step, share = np.linalg.solve(jacobian, -wrong), 1.0
            while share > SHORTEST:
                after, Q_after = self._wrong(q, u + share * step)
                if _size(after) < _size(wrong):
                    break
                share /= 2
            else:
                break  # rounding
            u, wrong, Q = u + share * step, after, Q_after
        return np.exp(u)

    def _wrong(self, q: FloatArray, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """log pQ - u, nan beyond all numbers, and Q."""
        with np.errstate(all="ignore"):
            Q = self.channel(q, np.exp(u))
            return np.log(self.p @ Q) - u, Q

    def newton_path(self) -> list[FloatArray]:
        """Every q (l,) of the exact alternation (NAM) from the uniform one: Q is exact for q, and
        q for Q, so that the value of neither ever rises. Blahut-Arimoto where the weight is 0.
        """
        count = self.distortion.shape[1]
        path = [np.full(count, 1 / count)]
        for _ in range(ALTERNATIONS):
            before = path[-1]
            path.append(self.marginal(before) if self.weight else self.image(before))
            if np.abs(path[-1] - before).max() < RESIDUAL:
                break
        return path

    @cached_property
    @one_blas_thread()
    @np.errstate(all="ignore")
    def optimum(self) -> FloatArray:
        """q (l,) of the minimiser: where the alternation ends, and some Newton steps on q = T(q),
        as long as they help.
        """
        q = self.newton_path()[-1]
        wrong = self.image(q) - q
        for _ in range(NEWTON_STEPS):
            try:
                after = q + np.linalg.solve(np.eye(len(q)) - self.jacobian(q), wrong)
            except np.linalg.LinAlgError:
                break
            if not after.min() > 0:
                break
            wrong_after = self.image(after) - after
            if not np.abs(wrong_after).max() < np.abs(wrong).max():
                break
            q, wrong = after, wrong_after
        return q

    @property
    def left_over(self) -> float:
        """Of q = T(q) at the optimum that was found, over the steepest slope of q - T(q): rounding,
        unless the alternation goes on so slowly that it did not come to its end.
        """
        wrong = np.abs(self.image(self.optimum) - self.optimum).max()
        return float(wrong) / (1 - self.least_eigenvalue)

    @property
    def best_channel(self) -> FloatArray:
        """The minimiser Q (m, l)."""
        return self.channel(self.optimum)

    def _covariance(self, Q: FloatArray) -> FloatArray:
        """diag(pQ) - Q^T diag(p) Q: minus the derivative of pQ in the tilt."""
        return np.diag(self.p @ Q) - Q.T @ (self.p[:, None] * Q)

    def jacobian(self, q: FloatArray) -> FloatArray:
        """Of T at q (l,); (l, l)."""
        Q = self.channel(q)
        covariance = self._covariance(Q)
        found = covariance / q
        if self.weight:
            found = found - covariance * (self.weight * self.divergence.curvature(self.p, q))
        return found

    @cached_property
    def least_eigenvalue(self) -> float:
        """Of the Jacobian of T at its fixed point, from which T leads away where it is below -1."""
        floor = np.maximum(self.optimum, np.finfo(float).tiny)
        with one_blas_thread():
            return float(np.linalg.eigvals(self.jacobian(floor)).real.min())

    @property
    def largest_damping(self) -> float:
        """2/(1 - least eigenvalue): q+ = (1 - w) q + w T(q) goes to the fixed point for w below."""
        return 2 / (1 - self.least_eigenvalue)


def _size(wrong: FloatArray) -> float:
    """The largest; infinite where one is no number."""
    largest = float(np.abs(wrong).max())
    return largest if largest < np.inf else np.inf
