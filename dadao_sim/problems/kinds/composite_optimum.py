"""x* of a composite problem, found centrally: a fixed point of the proximal gradient step."""

from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import LocalStep, from_callable
from dadao_sim.local_steps.reweighting import Reweighted, annealed_limit

TOLERANCE = 1e-12
"""Of the gradient mapping, relative to max(||grad F(0)||, mean_i ||grad f_i(x)||)."""
ERROR = 1e-10
"""Of x*, relative: what the gradient mapping over mu bounds, where rounding allows it."""
ACCEPTED = 1e-10
"""Of the gradient mapping, where rounding lets the iteration come no further."""
ACCEPTED_INEXACT = 1e-5
"""The same for operators that are not exact: networks often compute in single precision."""
ITERATIONS = 200_000
PATIENCE = 1000
"""Iterations without a halving after which it comes no further."""
HOPE = 300
"""The same for an operator that is not exact while no point is good enough: searches that found one
had 150 at most.
"""
PLAIN, MEMORY, CUT = 20, 9, 1e-10
"""Of Anderson's acceleration: plain steps first, answers that are kept, singular values of their
changes that count, relative to the largest."""
APART = 1e-5
"""Relative distance of two solutions from which x* is not known."""
FLAT = 1e-12
"""Curvature of F between them, relative to L, that counts as none."""
STEPS, SOLVE_STEPS = 60, 10
"""Of reweighting at the last epsilon, and conjugate gradients in each: the plain iteration goes on
from there.
"""
OWN_SEED = 0x64616461
"""Of a start that has nothing to do with the data, which users draw from seeds like 0."""


@one_blas_thread()
@np.errstate(over="ignore", invalid="ignore")
def optimum(smooth: Any, term: LocalStep, step: float) -> np.ndarray:
    """x = prox_{a r}(x - a grad F(x)) (d,).

    - r convex: the minimiser of F + r, by Nesterov's acceleration, restarted where it turns uphill
      (O'Donoghue and Candes, "Adaptive restart for accelerated gradient schemes", Foundations of
      Computational Mathematics 2015, gradient scheme). The steps fit the curvature of F and are
      at least ``step``, 1/L. Where not every f_i is strongly convex it is looked for twice, from
      far apart.
    - r not convex: of the fixed points at a = ``step`` that the plain iteration reaches from 0,
      from a minimiser of F, and, where F is quadratic and r can be reweighted, from where annealed
      reweighting leads, the one with the lower F + r. There may be better ones.
    - an operator that is not exact: the one that the plain iteration reaches from 0, with
      Anderson's acceleration after its first steps (Walker and Ni, "Anderson acceleration for
      fixed-point iterations", SIAM Journal on Numerical Analysis 2011).

    Raises InputError where ||x - prox(x - a grad F(x))||/a does not fall to ``ACCEPTED``
    (``ACCEPTED_INEXACT``), and where the two searches do not find the same.
    """
    zero = np.zeros(smooth.dimension)
    if not term.exact:
        return _anderson(smooth, term, step, zero)
    if not term.convex:
        points = [_plain(smooth, term, step, start) for start in _starts(smooth, term, step, zero)]
        return min(points, key=lambda x: _value(smooth, term, x))
    x = _accelerated(smooth, term, step, zero)
    if not smooth.is_strongly_convex:
        _require_unique(smooth, term, step, x)
    return x


def _require_unique(smooth: Any, term: LocalStep, step: float, x: np.ndarray) -> None:
    """InputError where the search from elsewhere ends elsewhere."""
    size = float(np.abs(x).max()) or 1.0
    elsewhere = np.random.default_rng((OWN_SEED, x.size)).standard_normal(x.size)
    other = _accelerated(smooth, term, step, x + size * elsewhere)
    distance = np.linalg.norm(other - x)
    if distance <= APART * max(np.linalg.norm(x), np.linalg.norm(other)):
        return
    if 2 * step * smooth.divergence(other, x) <= FLAT * distance**2:
        raise InputError(
            "local_step",
            "x* of the composite problem is not unique, for F is flat between two minimisers",
            "use kind ridge, or a term that decides",
        )
    raise InputError(
        "local_step",
        f"x* of the composite problem is known only to {distance:.1e}, F is too ill-conditioned",
        "use kind ridge, or standardise the features",
    )


def _starts(smooth: Any, term: LocalStep, step: float, zero: np.ndarray) -> list[np.ndarray]:
    """Where to look for fixed points of a term that is not convex; only from 0 where their values
    cannot be compared.
    """
    if not term.has_value:
        return [zero]
    starts = [zero]
    nothing = from_callable(lambda v, step: v, zero.size, convex=True)
    with suppress(InputError):
        starts.append(_accelerated(smooth, nothing, step, zero))
    if smooth.hessians == "constant" and isinstance(term.operator, Reweighted):
        of_mean = partial(_mean_gradient, smooth)
        starts.append(annealed_limit(of_mean, term.operator, zero.size, STEPS, SOLVE_STEPS))
    return starts


def _value(smooth: Any, term: LocalStep, x: np.ndarray) -> float:
    """F(x) + r(x)."""
    return float(np.mean([smooth.value(i, x) for i in range(smooth.nodes)])) + term.value(x)


def _plain(smooth: Any, term: LocalStep, step: float, x: np.ndarray) -> np.ndarray:
    progress = _Progress(smooth, term)
    while progress.goes_on:
        gradients = _gradients(smooth, x)
        after = term.prox(x - step * gradients.mean(axis=0), step)
        progress.note(x, after, gradients, step)
        x = after
    return progress.result()


def _anderson(smooth: Any, term: LocalStep, step: float, x: np.ndarray) -> np.ndarray:
    """The plain iteration, which soon goes on from the combination of its last answers whose
    changes cancel best; it forgets them where that makes the change twice as large.
    """
    progress = _Progress(smooth, term)
    answers: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    last = np.inf
    while progress.goes_on:
        gradients = _gradients(smooth, x)
        after = term.prox(x - step * gradients.mean(axis=0), step)
        progress.note(x, after, gradients, step)
        change = after - x
        size = float(np.linalg.norm(change))
        if size > 2 * last:
            answers, changes = [], []
        last = size
        answers, changes = [*answers, after][-MEMORY:], [*changes, change][-MEMORY:]
        x = after
        if len(changes) > 1 and progress.iterations > PLAIN and np.isfinite(size):
            of_changes, of_answers = np.diff(changes, axis=0), np.diff(answers, axis=0)
            weights = np.linalg.lstsq(of_changes.T, change, rcond=CUT)[0]
            x = after - weights @ of_answers
    return progress.result()


def _accelerated(smooth: Any, term: LocalStep, step: float, x: np.ndarray) -> np.ndarray:
    progress = _Progress(smooth, term)
    y, momentum = x, 1.0
    safe, step = step, step * smooth.nodes  # F may be that much flatter than one of the f_i
    while progress.goes_on:
        gradients = _gradients(smooth, y)
        mean = gradients.mean(axis=0)
        after = term.prox(y - step * mean, step)
        while step > safe and 2 * step * smooth.divergence(after, y) > ((after - y) ** 2).sum():
            step = max(step / 2, safe)
            after = term.prox(y - step * mean, step)
        progress.note(y, after, gradients, step)
        if (after - y) @ (after - x) < 0:
            momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        y = after + (momentum - 1) / following * (after - x)
        x, momentum = after, following
    return progress.result()


class _Progress:
    """The best point so far, and whether it makes sense to go on.

    An operator that is not exact may have no fixed point: where it has none in reach, the search
    ends after ``HOPE``.
    """

    def __init__(self, smooth: Any, term: LocalStep):
        self.exact = term.exact
        zero = np.zeros(smooth.dimension)
        self.at_zero = float(np.linalg.norm(_gradients(smooth, zero).mean(axis=0)))
        self.accepted = ACCEPTED if term.exact else ACCEPTED_INEXACT
        self.mu = smooth.mu if smooth.is_strongly_convex else np.inf
        self.answer, self.best, self.halved = zero, np.inf, np.inf
        self.iterations, self.stalled = 0, 0
        self.goes_on = True

    def note(self, x: np.ndarray, after: np.ndarray, gradients: np.ndarray, step: float) -> None:
        """Take the step from x to ``after``; ``gradients`` (n, d) are those of the nodes at x."""
        change = float(np.linalg.norm(after - x))
        scale = max(self.at_zero, float(np.linalg.norm(gradients, axis=1).mean())) or 1.0
        residual = change / (step * scale) if change else 0.0
        self.iterations += 1
        self.stalled += 1
        if residual < 0.5 * self.halved:
            self.halved, self.stalled = residual, 0
        if residual < self.best:
            self.best, self.answer = residual, after
        sufficient = TOLERANCE
        if np.isfinite(self.mu):
            sufficient = min(TOLERANCE, ERROR * self.mu * float(np.linalg.norm(after)) / scale)
        self.goes_on = (
            np.isfinite(residual)
            and residual > sufficient
            and self.stalled <= self._patience
            and self.iterations < ITERATIONS
        )

    @property
    def _patience(self) -> int:
        """Iterations without a halving that are borne."""
        if self.best <= self.accepted:
            return PATIENCE
        return ITERATIONS if self.exact else HOPE

    def result(self) -> np.ndarray:
        """The best point; InputError where it is not good enough."""
        if self.best <= self.accepted:
            return self.answer
        if self.iterations == ITERATIONS:
            reason = "a larger l2 term or strength helps"
        elif not self.exact and self.stalled > HOPE:
            reason = "another strength, or settles: false where none comes to rest"
        else:
            reason = "is the operator a prox at this step, and F convex?"
        raise InputError(
            "local_step",
            (
                f"x* of the composite problem was not found to {self.accepted:g}, only to "
                f"{self.best:.1e} in {self.iterations:,} iterations"
            ),
            reason,
        )


def _mean_gradient(smooth: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(_gradients(smooth, x).mean(axis=0))


def _gradients(smooth: Any, x: np.ndarray) -> np.ndarray:
    return smooth.gradients(np.tile(x, (smooth.nodes, 1)))
