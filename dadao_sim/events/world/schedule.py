"""A schedule of changes of the graph, as it stands in a scenario."""

from typing import Annotated

from pydantic import AfterValidator, Field, Strict, model_validator

from dadao_sim.events.world.node_ids import NodeId
from dadao_sim.strict import Positive, StrictModel, misuse, null_is

Edges = Annotated[tuple[Annotated[tuple[NodeId, NodeId], Strict(False)], ...], Strict(False)]


class Change(StrictModel):
    """Links that are cut, and links that come back."""

    at: Positive = Field(description="when")
    down: Edges = Field(default=(), description="edges that are cut, as pairs of nodes' ids")
    up: Edges = Field(default=(), description="edges that come back")

    @model_validator(mode="after")
    def _changes_something(self) -> "Change":
        if not self.down and not self.up:
            raise misuse("changes nothing; give down, up or both")
        return self


def _one_after_the_other(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    times = [change.at for change in changes]
    if times != sorted(times):
        raise misuse("must be in order of time")
    changed: dict[frozenset[str], float] = {}  # when each edge was last; 3 and "3" are one node
    for number, change in enumerate(changes):
        for key, edges in (("down", change.down), ("up", change.up)):
            for i, j in edges:
                edge = frozenset((str(i), str(j)))
                if changed.get(edge) == change.at:
                    reason = f"edge {i}-{j} is changed twice at {change.at:g}; leave one out"
                    raise misuse(reason, number, key)
                changed[edge] = change.at
    return changes


Schedule = Annotated[
    tuple[Change, ...], Strict(False), AfterValidator(_one_after_the_other), null_is(())
]
