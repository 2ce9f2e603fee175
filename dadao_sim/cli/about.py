"""The commands that say what there is: names, the keys of a scenario, whom to cite."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import PluginOption, load_plugins
from dadao_sim.cli.show import say

group = Group("About", place=6)


@group.command("list")
def list_names(plugin: PluginOption = None) -> None:
    """The methods, problems, data, graphs, matrices, faults and shipped scenarios by name."""
    from dadao_sim.algorithms.contract.registry import METHODS
    from dadao_sim.compression import COMPRESSORS
    from dadao_sim.events.world.fault import FAULTS
    from dadao_sim.local_steps.terms import TERMS
    from dadao_sim.metrics import METRICS
    from dadao_sim.networks.graphs import GRAPHS
    from dadao_sim.networks.mixing import MIXINGS
    from dadao_sim.problems.data.source import DATA
    from dadao_sim.problems.kinds.kind import PROBLEMS
    from dadao_sim.scenario import shipped

    load_plugins(plugin)
    say("methods")
    for name, method in METHODS.items():
        oracle = "conjugate gradients" if method.needs_conjugate else "gradients"
        needs = [
            "averaging problems" if method.needs_averaging else oracle,
            *(["an l2 term"] if method.needs_l2 else []),
            *(["time-varying graphs"] if method.time_varying else []),
            *(["stochastic gradients"] if method.stochastic else []),
            *(["local steps"] if method.composite == "proven" else []),
            *(["local steps: experimental"] if method.composite == "experimental" else []),
        ]
        say(f"  {name:28}{method.title} ({', '.join(needs)})")
    say("problems")
    say("  " + ", ".join(PROBLEMS))
    say("data")
    say("  " + ", ".join(DATA))
    say("local steps")
    say("  " + ", ".join([*TERMS, "learned"]))
    say("graphs")
    for name, graph in GRAPHS.items():
        options = [key for key in graph.model_fields if key not in ("graph", "nodes")]
        say(f"  {name:28}{', '.join(options)}".rstrip())
    say("mixing matrices")
    say("  " + ", ".join(MIXINGS))
    say("compression")
    say("  " + ", ".join(COMPRESSORS))
    say("faults")
    say("  " + ", ".join(f"{fault.place}.{name}" for name, fault in FAULTS.items()))
    say("metrics")
    say("  " + ", ".join(METRICS))
    say("scenarios")
    files = shipped.scenarios()
    width = max(map(len, files)) + 2
    for name, path in files.items():
        say(f"  {name:{width}}{_first_comment(path)}")


@group.command()
def schema(plugin: PluginOption = None) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from dadao_sim.scenario.reading import schema as scenario_schema

    load_plugins(plugin)
    print(json.dumps(scenario_schema(), indent=2))


@group.command()
def cite(
    method: Annotated[str, typer.Argument(metavar="METHOD")], plugin: PluginOption = None
) -> None:
    """Print the BibTeX entry of a method."""
    from dadao_sim.algorithms.contract.registry import citation, get_method

    load_plugins(plugin)
    print(citation(get_method(method)))


def _first_comment(path: Path) -> str:
    """What a scenario file says it shows: its first comment that is not for editors."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# ") and "yaml-language-server" not in line:
            return line[2:]
    return ""
