"""A schedule of changes of the graph, as it stands in a scenario."""

from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from dadao_sim.events.world.node_ids import NodeId
from dadao_sim.strict import Positive, StrictModel, misuse

Edges = Annotated[tuple[Annotated[tuple[NodeId, NodeId], Strict(False)], ...], Strict(False)]


class Change(StrictModel):
    """Links that are cut, and links that come back."""

    at: Positive = Field(description="when")
    down: Edges = Field(default=(), description="edges that are cut, as pairs of nodes' ids")
    up: Edges = Field(default=(), description="edges that come back")


def _in_order(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    times = [change.at for change in changes]
    if times != sorted(times):
        raise misuse("must be in order of time")
    return changes


Schedule = Annotated[tuple[Change, ...], Strict(False), AfterValidator(_in_order)]
