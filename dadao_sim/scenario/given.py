"""The scenario of objects made in Python: its problem and network say that they were given."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from dadao_sim.errors import InputError
from dadao_sim.files import slug
from dadao_sim.networks import Network
from dadao_sim.networks.directed import AnyNetwork
from dadao_sim.networks.graphs import Graph
from dadao_sim.networks.graphs.graph import Size
from dadao_sim.networks.section.spec import section_of
from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.scenario.model import Scenario, StopSpec
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.strict import suggestion

GIVEN = "given"
_DATA = {"kind": "synthetic", "dim": 1, "samples_per_node": 1}
_STAND_IN: dict[str, Any] = {
    "problem": {"kind": "least_squares", "data": _DATA},
    "network": {"graph": "cycle", "nodes": 3},
}
"""What is checked in the place of what was given: sections that nothing is built from."""
_LIMITS = tuple(StopSpec.model_fields)
_KEYS = tuple(key for key in Scenario.model_fields if key not in (*_STAND_IN, "algorithms"))


class GivenProblem(ProblemKind):
    """A problem that was made in Python."""

    kind: Literal["given"] = Field(default="given", description="made in Python")

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """InputError: it can only be given again."""
        raise InputError("was given in Python; give it again: problem=...")


class GivenGraph(Graph):
    """A network that was made in Python, with so many ``nodes`` and ``edges``."""

    graph: Literal["given"] = Field(description="made in Python")
    edges: int

    def size(self) -> Size:
        """See :meth:`Graph.size`."""
        return Size(self.nodes, self.edges)

    def build(self, rng: np.random.Generator) -> Network:
        """InputError: it can only be given again."""
        raise InputError("was given in Python; give it again: network=...")


def scenario_on(
    problem: Problem,
    network: AnyNetwork,
    algorithms: str | Sequence[str | Mapping[str, Any]],
    asked: Mapping[str, Any],
) -> Scenario:
    """The scenario of ``algorithms`` on a problem and a network.

    ``asked`` are limits of ``stop`` by their names, and other keys of a scenario. Raises InputError
    for what is neither, and for what a scenario cannot be.
    """
    for name in asked:
        if name not in (*_LIMITS, *_KEYS):
            near = suggestion(name, [*_LIMITS, *_KEYS])
            raise InputError(name, f"is no key of a scenario{near}")
    limits = {name: value for name, value in asked.items() if name in _LIMITS}
    if limits and "stop" in asked:
        raise InputError("stop", f"{', '.join(limits)} is given beside it", "give one of the two")
    called = network.name if network.name != "network" else ""
    said: dict[str, Any] = {
        "name": slug(f"{problem.kind} {called}"),
        "algorithms": [algorithms] if isinstance(algorithms, str) else algorithms,
        **{name: value for name, value in asked.items() if name not in limits},
    }
    said |= {"stop": limits} if limits else {}
    section = section_of(GivenGraph)
    size = {"nodes": network.nodes, "edges": len(network.edges)}
    return with_given(scenario_from_mapping(said | _STAND_IN), section(graph=GIVEN, **size))


def with_given(scenario: Scenario, network: Any) -> Scenario:
    """A checked scenario whose problem and ``network`` were given."""
    return scenario.model_copy(update={"problem": GivenProblem(), "network": network})


def scenario_of(mapping: Mapping[str, Any]) -> Scenario:
    """The scenario that a manifest has, with what was given in Python as it is."""
    if mapping["problem"] != {"kind": GIVEN}:
        return scenario_from_mapping(mapping)
    network = section_of(GivenGraph).model_validate(mapping["network"])
    return with_given(scenario_from_mapping({**mapping, **_STAND_IN}), network)
