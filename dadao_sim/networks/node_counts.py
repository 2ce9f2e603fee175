"""What every builder says about a node count its graph cannot have."""

from collections.abc import Iterable

from dadao_sim.errors import InputError


def impossible(count: int, reason: str, possible: Iterable[int]) -> InputError:
    """The error for a node count a graph cannot have; names the nearest counts it can."""
    nearest = " or ".join(str(value) for value in possible)
    return InputError(f"network.nodes: {count} is not possible, {reason}; use {nearest}")


def required_nodes(nodes: int | None, least: int = 2) -> int:
    """``nodes``, if given and at least ``least``; else InputError."""
    if nodes is None:
        raise InputError(f"network.nodes: the number of nodes is missing; give at least {least}")
    if nodes < least:
        raise impossible(nodes, f"the graph has at least {least} nodes", [least])
    return nodes
