"""Whether there is memory for a scenario: from its numbers alone, before anything is built."""

import math
from collections.abc import Iterator

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import within
from dadao_sim.memory import Need, inside, require_room
from dadao_sim.networks.graphs import Graph
from dadao_sim.networks.section.spec import BuiltNetwork, BuiltSequence, SequenceNetwork
from dadao_sim.problems.data.source import DataSource
from dadao_sim.scenario.model import Scenario
from dadao_sim.text.lines import counted

WORKER = 150_000_000
"""Bytes of a worker process before it does anything."""
SAMPLE, KEPT_SAMPLE, RUN = 1200, 350, 20_000
"""Bytes of a sample while it is taken and later in the curves, and of a finished run besides."""
CLOCKS, LINKS = 60, 1500
"""Bytes of the clocks of a node or an edge, and of what goes on there in a world."""
COPIES = 6
"""Of an estimate of all nodes: the start, what a sample is made of, what is left at the end."""


def require_room_for(scenario: Scenario, jobs: int = 1, *, network: bool, problem: bool) -> None:
    """InputError, of the key that makes it large, for a scenario that the memory is too small for.

    ``network`` and ``problem``: whether it is the scenario's own, not one that is there already. Of
    files nothing is known before they are read.
    """
    require_room(*_needs(scenario, jobs, network=network, problem=problem))


def _needs(scenario: Scenario, jobs: int, *, network: bool, problem: bool) -> Iterator[Need]:
    methods = [METHODS[spec.name] for spec in scenario.algorithms]
    nodes, edges = 1, 1
    if network:
        graph, copies = built_graph(scenario)
        if graph is not None:
            place = "network" if copies is None else "network.sequence"
            with within(place):
                nodes, edges, _ = graph.size()
                need = graph.need(copies or 1)
            yield need._replace(where=f"{place}.{need.where}")
    if problem:
        conjugate = any(method.needs_conjugate for method in methods)
        for need in scenario.problem.needs(nodes, conjugate=conjugate):
            yield _of_nodes(inside("problem", need), scenario)
    d = scenario.problem.dimension if problem else 1
    samples = samples_of_a_node(scenario) if problem else None
    if samples is not None and any(method.table for method in methods):
        what = f"a gradient of each of {samples:,} samples of {nodes:,} nodes"
        where = "nodes" if nodes >= samples else "problem.data.samples_per_node"
        # Once more while a trial round makes its own.
        yield _of_nodes(Need(where, what, 16 * samples * nodes * d), scenario)
    remembered = max(len(getattr(method, "sample_blocks", ())) for method in methods)
    if samples is not None and remembered:
        what = f"what {nodes:,} nodes remember of {samples:,} samples each"
        where = "nodes" if nodes >= samples else "problem.data.samples_per_node"
        # Since when, too; and about as many constants of each sample.
        yield _of_nodes(Need(where, what, 16 * (1 + remembered) * samples * nodes), scenario)
    runs = len(methods) * scenario.repeats
    # Once more while a trial round makes its own, and where a lookahead goes back to.
    copies_of = [3 if spec.lookahead else 2 for spec in scenario.algorithms]
    blocks = COPIES + max(
        times * len(method.blocks) for times, method in zip(copies_of, methods, strict=True)
    )
    if any(getattr(method, "ends", None) for method in methods):
        blocks += math.ceil(2 * 2 * edges / nodes)  # a block for each end of an edge
    states = 8 * nodes * d * blocks + CLOCKS * len(methods) * (nodes + edges)
    if scenario.world is not None:
        states += LINKS * (nodes + edges)
    points = scenario.record.points
    if jobs > 1:
        each = WORKER + states + SAMPLE * points
        yield Need("jobs", f"{jobs:,} processes", min(jobs, runs) * each)
    what = f"the states of {nodes:,} nodes in dimension {d:,}"
    yield _of_nodes(Need("nodes" if nodes >= d else "problem.data.dim", what, states), scenario)
    yield Need("record.points", f"{points:,} samples of a run", SAMPLE * points)
    kept = (RUN + KEPT_SAMPLE * points) * runs
    where = "record.points" if points > scenario.repeats else "repeats"
    yield Need(where, f"the results of {counted(runs, 'run')} with {points:,} samples", kept)


def samples_of_a_node(scenario: Scenario) -> int | None:
    """As far as the options tell; None of data of another kind, with whose samples no method has
    to do.
    """
    source = getattr(scenario.problem, "data", None)
    return source.samples_of_a_node if isinstance(source, DataSource) else None


def built_graph(scenario: Scenario) -> tuple[Graph | None, int | None]:
    """The graph that is built, if one is; and how many, of a sequence."""
    spec = scenario.network
    if isinstance(spec, BuiltNetwork):
        assert isinstance(spec, Graph)
        return spec, None
    if isinstance(spec, SequenceNetwork) and isinstance(spec.sequence, BuiltSequence):
        assert isinstance(spec.sequence, Graph)
        return spec.sequence, spec.sequence.length
    return None, None


def _of_nodes(need: Need, scenario: Scenario) -> Need:
    """The number of nodes is said in the network."""
    if need.where != "nodes":
        return need
    graph, copies = built_graph(scenario)
    place = "network.sequence" if copies is not None else "network"
    return need._replace(where=f"{place}.nodes" if graph is not None else place)
