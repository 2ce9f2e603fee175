"""The problems that a method is trained on for a scenario: of its family, none of its repeats."""

from collections.abc import Iterable

import numpy as np

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, users_code, within
from dadao_sim.networks import Network
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.section import build_network
from dadao_sim.problems import Problem, build_problem
from dadao_sim.randomness import learning_streams
from dadao_sim.scenario.model import Scenario


@one_blas_thread()
def training_problems(
    scenario: Scenario, count: int, seed: int = 0
) -> tuple[list[Problem], Network]:
    """``count`` problems as the scenario draws them, from streams of their own, and a network.

    Of a data set they are made of what is set aside from the runs. InputError where nothing is, for
    a local step, for networks that change, and for other starts than zeros and normal.
    """
    if scenario.local_step is not None:
        raise InputError("local_step", "nothing is trained with one", "leave it out")
    if scenario.start.kind not in ("zeros", "normal"):
        asked = f"{scenario.start.kind} given"
        raise InputError("start.kind", asked, "methods are trained from zeros or normal")
    first, *others = learning_streams(seed, count + 1)
    with users_code("network"), within("network"):
        graphs = as_network(build_network(scenario.network, np.random.default_rng(first))).graphs
        if len(graphs) > 1:
            raise InputError("sequence", "methods are trained on one network", "give a fixed one")
    with users_code("problem"), within("problem"):
        kind = scenario.problem.for_learning()
        return [build_problem(kind, graphs[0].nodes, rng) for rng in _generators(others)], graphs[0]


def _generators(seeds: Iterable[np.random.SeedSequence]) -> Iterable[np.random.Generator]:
    return (np.random.default_rng(seed) for seed in seeds)
