"""How ill-conditioned a problem is: at its nodes, and as the one function that is minimised."""

from typing import Any, NamedTuple

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.problems.kinds.problem import Problem

MOST_WORK = 5e8
"""Products of numbers that the Hessian of F takes, beyond which it would be more than seconds."""


class Conditions(NamedTuple):
    """Two condition numbers of a problem, None where there is none: ``why`` says it.

    ``nodes`` is L/mu, the largest L_i over the smallest mu_i, which the constants of most methods
    are made of. ``mean`` is that of the Hessian of F at x*, without r: on quadratics what F is for
    a method that knew all of it. Where the f_i differ it may be far smaller.
    """

    nodes: float | None
    mean: float | None
    why: dict[str, str]

    def in_words(self) -> str:
        """Both, in a line."""
        nodes, mean = (
            f"unknown ({self.why[name]})" if value is None else f"{value:.4g}"
            for name, value in (("nodes", self.nodes), ("mean", self.mean))
        )
        return f"condition number of the nodes (L/mu) {nodes}, of their mean {mean}"

    def to_mapping(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {"nodes": self.nodes, "mean": self.mean, **({"why": self.why} if self.why else {})}


def conditions(problem: Problem) -> Conditions:
    """Of ``problem``; what takes more than seconds is left out."""
    found: dict[str, float | None] = {"nodes": None, "mean": None}
    why = {}
    work = _work(problem)
    for name, function in (("nodes", _of_nodes), ("mean", _of_mean)):
        try:
            if work > MOST_WORK:
                raise InputError("it would take more than seconds")
            found[name] = function(problem)
        except InputError as error:
            why[name] = str(error)
    return Conditions(**found, why=why)


def _work(problem: Problem) -> float:
    """Of the Hessians of all nodes, and their eigenvalues."""
    n, d = problem.nodes, problem.dimension
    rows = 0 if problem.samples is None else int(problem.samples.sum())
    return float(rows + n * d) * d**2


def _of_nodes(problem: Problem) -> float:
    return problem.L / problem.mu


def _of_mean(problem: Problem) -> float:
    step = problem.local_step
    if problem.hessians == "unknown":
        raise InputError(f"the Hessians of kind {problem.kind} are not known")
    if problem.hessians == "constant":
        x = np.zeros(problem.dimension)
    elif step is not None and not step.exact:
        raise InputError("x* depends on the method where the local step is not exact")
    else:
        x = problem.x_star
    with one_blas_thread():
        eigenvalues = np.linalg.eigvalsh(problem.hessian(x))
    if not eigenvalues[0] > problem.dimension * np.finfo(float).eps * eigenvalues[-1]:
        raise InputError("F is not strongly convex at x*")
    return float(eigenvalues[-1] / eigenvalues[0])
