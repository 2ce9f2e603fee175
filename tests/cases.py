"""Small problems and networks that many tests share."""

import numpy as np

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.unrolled import UnrolledMethod
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import GraphSequence
from dadao_sim.networks.graphs import build
from dadao_sim.problems.kinds.bands import bands_problem
from dadao_sim.problems.kinds.pca import pca_problem

DIMENSION = 3
# Methods that minimise any sum, not only that of squared distances, of samples and an l2 term, of
# one kind, over a set or over orthonormal columns; what has to be trained first; and what a world
# can time.
NEEDS = ("needs_averaging", "needs_l2", "needs_set", "needs_kind")
ON_MATRICES = [name for name in METHODS.ours if "convex" not in METHODS[name].solves]
SPECIAL = [name for name in METHODS.ours if any(getattr(METHODS[name], what) for what in NEEDS)]
SPECIAL += ON_MATRICES
TRAINED = [name for name in METHODS.ours if isinstance(METHODS[name], UnrolledMethod)]
GENERAL = [name for name in METHODS.ours if name not in (*SPECIAL, *TRAINED)]
IN_A_WORLD = [name for name in GENERAL if name not in ("esdacd", "walkman")]


def small_problem(nodes, kind="least_squares", seed=0, samples=8):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((nodes, samples, DIMENSION))
    b = A @ np.ones(DIMENSION) + rng.standard_normal((nodes, samples))
    if kind == "logistic_l2":
        b = np.where(b > 0, 1.0, -1.0)
    mu = None if kind == "least_squares" else 0.3
    return Problem.from_arrays(A, b, kind, mu=mu)


def problem_of(method, nodes=7):
    """One that the method is for."""
    if method.needs_averaging:
        return Problem.averaging(np.random.default_rng(0).standard_normal((nodes, DIMENSION)))
    if method.needs_kind == "bands":
        cube = np.random.default_rng(0).random((nodes, 5, 5))
        return bands_problem(cube, cube, blur=0.6, mu=1e-4)
    if method.name in ON_MATRICES:
        A = np.random.default_rng(0).standard_normal((nodes, 8, DIMENSION))
        return pca_problem(A * [2.0, 1.0, 0.5], 1)
    problem = small_problem(nodes, "ridge" if method.needs_l2 else "least_squares")
    if method.needs_set:
        return problem.with_local_step(make("l2_ball", DIMENSION, radius=0.5))
    return problem


def lollipop():
    """Seven nodes without any symmetry that a relabelling could hide behind."""
    edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6)]
    return Network(7, np.array(edges))


def sequence():
    rng = np.random.default_rng(5)
    return GraphSequence(tuple(build("random_geometric", 7, rng) for _ in range(3)))
