"""Where a result came from: everything needed to run it again."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import dadao_sim
from dadao_sim import plugins
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.randomness import STREAMS
from dadao_sim.scenario.model import Scenario

LIBRARIES = ["numpy", "scipy", "numba", "networkx", "pandas", "pyarrow", "scikit-learn", "simpy"]


def make_manifest(
    scenario: Scenario,
    inputs: Mapping[str, str | None],
    given: list[str],
    runs: list[dict[str, Any]],
    problem: dict[str, Any],
    network: dict[str, Any],
) -> dict[str, Any]:
    """Everything needed to run it again: the resolved scenario, what the files that it reads held
    (``inputs``), the streams, versions, every constant; the condition numbers of the ``problem``,
    and what the nodes of the ``network`` are called.
    """
    steps = [scenario.local_step, *(spec.local_step for spec in scenario.algorithms)]
    learned = any(step is not None and step.needs_torch for step in steps)
    libraries = [*LIBRARIES, "torch"] if learned else LIBRARIES
    used = [plugins.loaded(path) for path in scenario.plugins]
    metrics, titles = scenario.record.more_metrics, scenario.problem.titles
    methods = [get_method(name) for name in dict.fromkeys(s.name for s in scenario.algorithms)]
    return {
        "scenario": scenario.to_mapping(),
        "given_in_python": given,
        "seed": scenario.seed,
        "streams": {"spawn_key": "(repeat, part)", "parts": list(STREAMS)},
        "versions": {
            "dadao_sim": dadao_sim.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
        },
        "platform": {"system": platform.system(), "machine": platform.machine()},
        "methods": {
            m.name: {"title": m.title, "look": m.look, "estimate": m.estimate} for m in methods
        },
        "metrics": {
            m.name: {"title": titles.get(m.name, m.title), "unit": m.unit, "log": m.log}
            for m in metrics
        },
        "plugins": [{"file": str(p.path), "sha256": p.sha256, "gives": p.gives} for p in used],
        "inputs": {
            name: content
            for name, content in inputs.items()
            if content is not None and name not in scenario.plugins
        },
        "problem": problem,
        "network": network,
        "runs": runs,
    }
