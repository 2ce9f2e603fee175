"""Where a result came from: its scenario read again, and what it asked of the network."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks import DirectedNetwork, DirectedSequence, GraphSequence, Network
from dadao_sim.reports.world import WorldReport, world_report
from dadao_sim.results.figure_kinds import FIGURE_KINDS
from dadao_sim.results.result import Result
from dadao_sim.scenario import yaml_text
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.identity import scenario_as_run
from dadao_sim.simulation.plan import Plan
from dadao_sim.simulation.study import Study
from dadao_sim.strict import files_named

MOST_EVENTS = 30_000
"""Of a world that is looked at again; a round has as many as there are nodes."""


@dataclass(frozen=True)
class Asked:
    """What the first repeat of a result asked of its network.

    ``rates`` (|E|,) are the relative ones of the scenario, ``loads`` the exchanges that each method
    asks of each edge per mean gradient interval, by label. Of a sequence of graphs ``network`` has
    the union of the edges, and there are no rates and loads: they change with the graph.
    """

    network: Network
    graphs: int
    rates: np.ndarray | None
    loads: dict[str, np.ndarray]


def given_in_python(result: Result) -> list[str]:
    """What of a result no scenario says; the log of a live run is kept with it."""
    kept = {"events"} if result.is_live else set()
    return [name for name in result.manifest.get("given_in_python", ()) if name not in kept]


def scenario_to_draw(result: Result, kind: str) -> Scenario:
    """The scenario of a result that a figure of this kind is drawn of. InputError where it is not
    known or does not hold what the kind needs, and for a run that was interrupted.
    """
    if result.manifest.get("interrupted"):
        raise InputError("result", "its run was interrupted", "finish it with `run --resume`")
    if given_in_python(result):
        raise InputError("result", "a part of it was given in Python", "say it in the scenario")
    scenario = scenario_as_run(result.manifest)
    if why := FIGURE_KINDS[kind].lacks(kind, scenario.problem, result.metrics):
        raise InputError("result", f"the figure {why}")
    return scenario


def study_of(result: Result) -> Study:
    """The study of a result, its first repeat built again; InputError where it is not known, takes
    long, or is not the one that was run: a file that it reads may have changed since.
    """
    given = given_in_python(result)
    if given:
        raise InputError("result", f"its {' and '.join(given)} came from Python")
    study = Study(scenario_as_run(result.manifest))
    if long := study.check_by_numbers():
        raise InputError("result", f"{long} take long to build again")
    made = {
        row["algorithm"]: row["constants"]
        for row in result.manifest.get("runs", ())
        if row["repeat"] == 0
    }
    for plan in study.check():
        if not _agree(made.get(plan.key[0], {}), plan):
            raise InputError(
                "result",
                f"{plan.key[0]} would now have other constants than it was run with: a file that "
                "the scenario reads has changed, or the program",
            )
    return study


def unknown_inputs(study: Study, result: Result) -> str:
    """That it is not known whether the files of a result are as they were, where it is not."""
    known = "inputs" in result.manifest or result.manifest.get("ground") == study.ground
    if known or all(name in study.scenario.plugins for name in study.inputs):
        return ""
    return (
        "Not known: whether the files that its scenario reads hold what they held when it was run; "
        "an older version made this result."
    )


def _agree(made: Mapping[str, Any], plan: Plan) -> bool:
    """Whether the constants of a run are those of the plan; another machine may round otherwise."""
    now = plan.tuning.constants
    return all(
        name not in now
        or (isinstance(value, int | float) and math.isclose(value, now[name], rel_tol=1e-6))
        for name, value in made.items()
    )


def asked_of(study: Study) -> Asked:
    """What the methods ask of the network, by their tunings."""
    network = study.parts(0).network
    if isinstance(network, DirectedNetwork | DirectedSequence):
        return Asked(network.undirected, len(network.graphs), None, {})
    if isinstance(network, GraphSequence):
        union = Network(network.nodes, network.edges, ids=network.ids, name=network.name)
        return Asked(union, len(network.graphs), None, {})
    loads = {}
    for plan in study.check():
        edges = len(plan.network.edges)
        clock = plan.tuning.clock
        same = np.full(edges, plan.tuning.communications / edges)  # a round asks it of all edges
        load = same if clock is None else clock.loads
        if len(load) == len(network.edges):  # the others pruned theirs
            loads[plan.key[0]] = load / plan.unit
    return Asked(network, 1, network.rates, loads)


def worlds_of(study: Study, result: Result) -> list[WorldReport]:
    """The worlds of the first repeat of a result, each up to its end, or to MOST_EVENTS."""
    reports = []
    for row in result.runs[result.runs["repeat"] == 0].to_dict("records"):
        if row["time"] > 0:
            plan = study.plan((row["algorithm"], 0))
            each = plan.parts.problem.nodes if plan.tuning.clock is None else 1  # in a round
            share = min(1.0, MOST_EVENTS / max(each * row["events"], 1))
            reports.append(world_report(study, row["algorithm"], end=share * row["time"]))
    return reports


def files_read(manifest: Mapping[str, Any]) -> list[str]:
    """The files that the scenario of a manifest names, its plug-ins among them."""
    if "inputs" in manifest:
        return [*map(str, manifest["scenario"].get("plugins", ())), *manifest["inputs"]]
    try:
        return list(map(str, files_named(scenario_as_run(manifest))))
    except InputError:
        return [plugin["file"] for plugin in manifest.get("plugins", ())]


def scenario_text(scenario: Mapping[str, Any]) -> str:
    """The scenario of a manifest as YAML, which `dadao-sim run` takes."""
    return yaml_text.written(scenario)
