"""A simulator of decentralised optimisation: DADAO and the field's baselines, event by event."""

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dadao_sim.algorithms.contract.method import AsynchronousMethod as AsynchronousMethod
    from dadao_sim.algorithms.contract.registry import register as register
    from dadao_sim.algorithms.contract.rounds import RoundMethod as RoundMethod
    from dadao_sim.errors import InputError as InputError
    from dadao_sim.events.files import load_events as load_events
    from dadao_sim.events.log import Events as Events
    from dadao_sim.local_steps.local_step import LocalStep as LocalStep
    from dadao_sim.local_steps.terms import make as make
    from dadao_sim.metrics import Metric as Metric
    from dadao_sim.networks import GraphSequence as GraphSequence
    from dadao_sim.networks import Network as Network
    from dadao_sim.networks.graphs import build as build
    from dadao_sim.networks.rates import optimal_rates as optimal_rates
    from dadao_sim.problems import Problem as Problem
    from dadao_sim.results.result import Result as Result
    from dadao_sim.results.result import load_result as load_result
    from dadao_sim.results.sweep import SweepResult as SweepResult
    from dadao_sim.results.sweep import load_sweep as load_sweep
    from dadao_sim.scenario.model import Scenario as Scenario
    from dadao_sim.scenario.reading import load_scenario as load_scenario
    from dadao_sim.simulation.again import PlayedAgain as PlayedAgain
    from dadao_sim.simulation.cluster import cluster as cluster
    from dadao_sim.simulation.replay import replay as replay
    from dadao_sim.simulation.simulate import simulate as simulate
    from dadao_sim.simulation.study import Study as Study
    from dadao_sim.simulation.sweep import sweep as sweep
    from dadao_sim.testing import check_method as check_method

__version__ = "0.1.0"
IMPORTED_AT = time.time()  # sources that are younger may not be what was imported

# Imported when first used: the command line answers before NumPy is loaded.
_HOMES = {
    "AsynchronousMethod": "algorithms.contract.method",
    "Events": "events.log",
    "GraphSequence": "networks",
    "InputError": "errors",
    "LocalStep": "local_steps.local_step",
    "Metric": "metrics",
    "Network": "networks",
    "PlayedAgain": "simulation.again",
    "Problem": "problems",
    "Result": "results.result",
    "RoundMethod": "algorithms.contract.rounds",
    "Scenario": "scenario.model",
    "Study": "simulation.study",
    "SweepResult": "results.sweep",
    "build": "networks.graphs",
    "check_method": "testing",
    "cluster": "simulation.cluster",
    "load_events": "events.files",
    "load_result": "results.result",
    "load_scenario": "scenario.reading",
    "load_sweep": "results.sweep",
    "make": "local_steps.terms",
    "optimal_rates": "networks.rates",
    "register": "algorithms.contract.registry",
    "replay": "simulation.replay",
    "simulate": "simulation.simulate",
    "sweep": "simulation.sweep",
}
__all__ = list(_HOMES)
__all__ += ["__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
