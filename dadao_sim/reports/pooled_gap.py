"""What a sum of local errors loses where the nodes differ, and what a node alone loses."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.kinds.logistic_bellman import LogisticBellmanKind, LogisticBellmanProblem
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import study_of
from dadao_sim.results.result import Result

CONCENTRATIONS = tuple(np.geomspace(0.03, 100.0, 8).tolist())
"""Of the Dirichlet shares of the states at a node; small: the nodes differ."""


@dataclass(frozen=True)
class PooledGap:
    """Largest total variation over the states between a policy and that of all data together.

    - concentration: of the states at the nodes (k,).
    - of_sum: of the minimiser of the sum of the nodes' errors (k,).
    - of_one: of the worst node that has its own data alone (k,).
    """

    concentration: FloatArray
    of_sum: FloatArray
    of_one: FloatArray


def pooled_gap(result: Result) -> PooledGap:
    """Of the first repeat's transitions, split anew by Dirichlet shares. InputError for a result
    without transitions.
    """
    study = study_of(result)
    spec, seed, nodes = study.scenario.problem, study.scenario.seed, study.parts(0).problem.nodes
    if not isinstance(spec, LogisticBellmanKind):
        wrong = f"the problem {spec.kind} has no policies"
        raise InputError("figures", wrong, "leave pooled_gap out")
    of_sum, of_one = [], []
    for concentration in CONCENTRATIONS:
        keys = spec.model_dump() | {
            "form": "sum",
            "partition": {"kind": "dirichlet", "alpha": concentration},
        }
        rng = np.random.default_rng(stream(seed, 0, "data"))
        problem = build_problem(LogisticBellmanKind(**keys), nodes, rng)
        assert isinstance(problem, LogisticBellmanProblem)
        of_sum.append(problem.policy_errors(np.tile(problem.x_star, (nodes, 1)))[0])
        of_one.append(problem.policy_errors_alone().max())
    return PooledGap(np.array(CONCENTRATIONS), np.array(of_sum), np.array(of_one))
