"""Nodes that join later."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, Strict

from dadao_sim.errors import InputError, within
from dadao_sim.events.world.fault import Fault
from dadao_sim.events.world.node_ids import NodeId
from dadao_sim.strict import Positive, StrictModel, misuse, null_is

if TYPE_CHECKING:
    from dadao_sim.networks import Network


class LateJoin(StrictModel):
    """A node that is not there from the start."""

    node: NodeId = Field(description="which node, by its id")
    at: Positive = Field(description="when it comes")


def _once_each(late: tuple[LateJoin, ...]) -> tuple[LateJoin, ...]:
    first: dict[str, float] = {}  # 3 and "3" are one node
    for k, joins in enumerate(late):
        if str(joins.node) in first:
            before = first[str(joins.node)]
            raise misuse(f"node {joins.node} joins at {before:g} already; leave one out", k)
        first[str(joins.node)] = joins.at
    return late


class Late(Fault):
    """Nodes that are not there from the start."""

    place = "nodes"
    late: Annotated[
        tuple[LateJoin, ...], Strict(False), AfterValidator(_once_each), null_is(())
    ] = Field(default=(), description="nodes that join later")

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """InputError for nodes that do not exist, or come when all is over."""
        for joins in self.late:
            with within("nodes.late"):
                node = network.node(joins.node)
            if joins.at >= end:
                raise InputError(
                    "nodes.late",
                    f"node {network.called(node)} would never compute: it joins at {joins.at:g}, "
                    f"and the run ends at {end:g}",
                )

    def joining(self, network: "Network") -> Mapping[int, float]:
        """As the list says."""
        return {network.node(joins.node): joins.at for joins in self.late}
