"""What a scenario asks for that takes more than seconds, from its numbers alone."""

from dadao_sim.errors import within
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.room import built_graph

LARGE = 200_000
"""Nodes and edges of all graphs from which on their spectrum takes more than seconds."""
COMPUTED = 4000
"""The same where gossip rates are computed."""


def takes_long(scenario: Scenario) -> str:
    """The network whose constants take more than seconds, in words; empty if it has none.

    Of files nothing is known before they are read. InputError for a graph that cannot be.
    """
    graph, copies = built_graph(scenario)
    if graph is None:
        return ""
    with within("network" if copies is None else "network.sequence"):
        nodes, edges, _ = graph.size()
    rates = [scenario.network.rates, *(spec.rates for spec in scenario.algorithms)]
    computed = any(given not in (None, "uniform") for given in rates)
    if (copies or 1) * (nodes + edges) < (COMPUTED if computed else LARGE):
        return ""
    several = "" if copies is None else f"{copies:,} graphs of "
    what = f"{several}{nodes:,} nodes and {edges:,} edges"
    return f"the rates of {what}" if computed else what
