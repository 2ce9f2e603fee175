"""Nodes that join later."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, Strict

from dadao_sim.errors import InputError
from dadao_sim.events.world.fault import Fault
from dadao_sim.strict import Positive, StrictModel

if TYPE_CHECKING:
    from dadao_sim.networks import Network


class LateJoin(StrictModel):
    """A node that is not there from the start."""

    node: Annotated[int, Field(ge=0)] = Field(description="which node")
    at: Positive = Field(description="when it comes")


class Late(Fault):
    """Nodes that are not there from the start."""

    place = "nodes"
    late: Annotated[tuple[LateJoin, ...], Strict(False)] = Field(
        default=(), description="nodes that join later"
    )

    def check(self, network: "Network", *, accuracy: bool, end: float) -> None:
        """InputError for nodes that do not exist, or come when all is over."""
        for joins in self.late:
            if joins.node >= network.nodes:
                raise InputError(
                    "nodes.late", f"node {joins.node} is not one of the {network.nodes} nodes"
                )
            if joins.at >= end:
                raise InputError(
                    "nodes.late",
                    f"node {joins.node} would never compute: it joins at {joins.at:g}, "
                    f"and the run ends at {end:g}",
                )

    def joining(self) -> Mapping[int, float]:
        """As the list says."""
        return {joins.node: joins.at for joins in self.late}
