"""A simulator of decentralised optimisation: DADAO and the field's baselines, event by event."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dadao_sim.algorithms.contract.registry import register as register
    from dadao_sim.events.log import Events as Events
    from dadao_sim.networks import Network as Network
    from dadao_sim.networks.rates import optimal_rates as optimal_rates
    from dadao_sim.problems import Problem as Problem
    from dadao_sim.scenario.reading import load_scenario as load_scenario
    from dadao_sim.simulation.replay import replay as replay
    from dadao_sim.simulation.simulate import simulate as simulate

__version__ = "0.1.0"

# Imported when first used: the command line answers before NumPy is loaded.
_HOMES = {
    "Events": "events.log",
    "Network": "networks",
    "Problem": "problems",
    "load_scenario": "scenario.reading",
    "optimal_rates": "networks.rates",
    "register": "algorithms.contract.registry",
    "replay": "simulation.replay",
    "simulate": "simulation.simulate",
}
__all__ = [
    "Events",
    "Network",
    "Problem",
    "__version__",
    "load_scenario",
    "optimal_rates",
    "register",
    "replay",
    "simulate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
