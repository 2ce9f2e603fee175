"""Sources of letters, and plain transcriptions of what is minimised over the channels."""

import warnings

import cvxpy as cp
import numpy as np

from dadao_sim.problems.kinds.divergences import DIVERGENCES
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.rate_distortion import distortion_named
from dadao_sim.problems.kinds.tradeoff import Tradeoff

SIX = np.random.default_rng(0).dirichlet(np.full(6, 2.0))
APART = distortion_named("absolute", 6)
QUARTER = np.array([0.75, 0.25])
HAMMING = distortion_named("hamming", 2)
SMOOTH = ("kl", "reverse_kl", "chi2", "hellinger2", "js")
GENERATORS = {
    "kl": lambda r: r * np.log(r),
    "reverse_kl": lambda r: -np.log(r),
    "chi2": lambda r: (r - 1) ** 2,
    "hellinger2": lambda r: (np.sqrt(r) - 1) ** 2,
    "js": lambda r: (r * np.log(2 * r / (1 + r)) + np.log(2 / (1 + r))) / 2,
}
"""f of D_f(p||q) = sum q f(p/q)."""


def tradeoff(kind, slope, weight, p=SIX, d=APART, delta=None):
    made = DIVERGENCES[kind]() if delta is None else DIVERGENCES[kind](delta)
    return Tradeoff(p, d, slope, weight, made)


def letters(nodes=10, seed=1, **problem):
    """A problem of six letters, as a scenario would have it."""
    data = {"kind": "letters", "letters": 6, "samples_per_node": 200}
    section = {"slope": 1.0, "distortion": "absolute", "data": data, **problem}
    return (
        PROBLEMS[section["kind"]].model_validate(section).build(nodes, np.random.default_rng(seed))
    )


def perceiving(kind="kl", weight=0.3, **problem):
    return letters(
        kind="rate_distortion_perception", perception={"kind": kind, "slope": weight}, **problem
    )


def conic(p, d, kind, slope=None, weight=None, D=None, P=None):
    """The minimum over joint distributions by a conic solver, (value, rate, q): of the sum, or of
    the rate under two constraints.
    """
    J = cp.Variable(d.shape, nonneg=True)
    q = cp.sum(J, 0)
    rate = cp.sum(cp.rel_entr(J, cp.vstack([share * q for share in p])))
    distortion = cp.sum(cp.multiply(J, d))
    perception = {
        "kl": lambda: cp.sum(cp.rel_entr(p, q)),
        "reverse_kl": lambda: cp.sum(cp.rel_entr(q, p)),
        "tv": lambda: cp.norm1(q - p) / 2,
        "chi2": lambda: cp.sum(cp.multiply(p**2, cp.inv_pos(q))) - 1,
        "hellinger2": lambda: 2 - 2 * cp.sum(cp.multiply(np.sqrt(p), cp.sqrt(q))),
        "js": lambda: cp.sum(cp.rel_entr(p, (p + q) / 2) + cp.rel_entr(q, (p + q) / 2)) / 2,
    }[kind]()
    limits = [cp.sum(J, 1) == p]
    limits += [] if D is None else [distortion <= D, perception <= P]
    total = rate if slope is None else rate + slope * distortion + weight * perception
    problem = cp.Problem(cp.Minimize(total), limits)
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # so much is not always reached
        problem.solve(solver=cp.CLARABEL, **tight)
    return problem.value, rate.value, q.value


def rms(X, x):
    """Over the rows of X, of the distance to x."""
    return np.sqrt(((X - x) ** 2).sum(axis=1).mean())
