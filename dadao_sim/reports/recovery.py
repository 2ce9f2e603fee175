"""How many measurements of a sparse signal are enough, with the l1 norm and with a lower power."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.local_steps.reweighting import annealed_limit
from dadao_sim.local_steps.terms.reweighted import LpOperator
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import Wanted
from dadao_sim.problems.data.sparse_signal import SparseSignalData
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

MEASUREMENTS = (20, 24, 28, 32, 36, 40)
SIGNALS = 40
NEAR = 0.02
"""Relative error from which a signal is recovered."""
L1_STRENGTHS = (1e-3, 4e-3)
"""Of the l1 norm, of which the better one is taken at each number of measurements."""
LASSO_STEPS, STEPS, SOLVE_STEPS = 8000, 60, 60


@dataclass(frozen=True)
class Recovery:
    """The share of signals that one machine recovers to ``NEAR`` from all measurements together.

    - measurements: how many (k,).
    - of_l1: with the l1 norm, at the better of ``L1_STRENGTHS`` (k,).
    - of_power: with the term of the scenario, reweighted (k,).
    - p: its power.
    """

    measurements: FloatArray
    of_l1: FloatArray
    of_power: FloatArray
    p: float


def recovery(result: Result) -> Recovery:
    """Of new signals of the scenario's kind, size, support and noise. InputError for a result of
    other data, or without the term lp.
    """
    study = study_of(result)
    scenario, step = study.scenario, study.parts(0).problem.local_step
    data = getattr(scenario.problem, "data", None)
    if not isinstance(data, SparseSignalData) or step is None:
        raise InputError("figures", "there is no sparse signal", "leave recovery out")
    if not isinstance(step.operator, LpOperator):
        raise InputError("figures", f"the term is {step.kind}, not lp", "leave recovery out")
    shares = [
        shares_recovered(data, step.operator, m, stream(scenario.seed, m, "data"))
        for m in MEASUREMENTS
    ]
    of_l1, of_power = np.array(shares).T
    return Recovery(np.array(MEASUREMENTS, dtype=float), of_l1, of_power, step.operator.p)


@one_blas_thread()
def shares_recovered(
    data: SparseSignalData, term: LpOperator, measurements: int, seed: np.random.SeedSequence
) -> tuple[float, float]:
    """With the l1 norm, and with ``term``."""
    rng = np.random.default_rng(seed)
    alone = data.model_copy(update={"samples_per_node": measurements})
    drawn = [_signal_and_rows(alone, rng) for _ in range(SIGNALS)]
    truth, A, b = (np.array(part) for part in zip(*drawn, strict=True))
    H = 2 / measurements * np.swapaxes(A, 1, 2) @ A
    c = 2 / measurements * (np.swapaxes(A, 1, 2) @ b[..., None])[..., 0]
    of_l1 = max(_share(lasso(H, c, strength), truth) for strength in L1_STRENGTHS)
    limits = [
        annealed_limit(partial(_gradient, *one), term, data.dim, STEPS, SOLVE_STEPS)
        for one in zip(H, c, strict=True)
    ]
    return of_l1, _share(np.array(limits), truth)


def _signal_and_rows(
    data: SparseSignalData, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    seed = int(rng.integers(2**63))
    A, b = data.rows(Wanted("least_squares"), 1, np.random.default_rng(seed))
    return data.signal(np.random.default_rng(seed)), A[0], b[0]


def _gradient(H: FloatArray, c: FloatArray, x: FloatArray) -> FloatArray:
    return np.asarray(H @ x - c)


def _share(X: FloatArray, truth: FloatArray) -> float:
    errors = np.linalg.norm(X - truth, axis=1) / np.linalg.norm(truth, axis=1)
    return float((errors <= NEAR).mean())


def lasso(H: FloatArray, c: FloatArray, strength: float) -> FloatArray:
    """argmin x'Hx/2 - c'x + strength ||x||_1 of each problem (k, d), by accelerated steps that are
    restarted where they turn uphill.
    """
    L = np.linalg.eigvalsh(H)[:, -1:]
    x = y = np.zeros_like(c)
    momentum = np.ones_like(L)
    for _ in range(LASSO_STEPS):
        v = y - ((H @ y[..., None])[..., 0] - c) / L
        after = np.sign(v) * np.maximum(np.abs(v) - strength / L, 0.0)
        uphill = ((y - after) * (after - x)).sum(axis=1, keepdims=True) > 0
        momentum = np.where(uphill, 1.0, momentum)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        y = after + (momentum - 1) / following * (after - x)
        x, momentum = after, following
    return x
