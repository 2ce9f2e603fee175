"""Lookahead: every so many rounds a method goes only part of the way it has come."""

from typing import Annotated

from pydantic import Field

from dadao_sim.strict import Count, StrictModel


class Lookahead(StrictModel):
    """Every ``period`` rounds a node goes back to (1 - weight) s0 + weight s, with s its blocks now
    and s0 those it had after the last time. It sends nothing for it.

    The fixed points stay, and so does every sum over the nodes that the rounds conserve.
    """

    period: Count = Field(description="rounds between two pulls")
    weight: Annotated[float, Field(gt=0, le=1)] = Field(
        description="share of the way that is kept; 1: all of it"
    )
