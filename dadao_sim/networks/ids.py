"""What the nodes of a graph are called: by ids of their own, or by their numbers 0..n-1."""

import difflib
from collections.abc import Sequence

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.text.lines import shown

MOST_COMPARED = 2000  # ids among which the nearest to a wrong one is sought


def in_quotes(name: str) -> str:
    """An id, or other text of a file, in a message: on one line, and not too long."""
    return shown(str(name))


def unique(ids: Sequence[str]) -> None:
    """InputError where two nodes have the same id."""
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise InputError(
            "nodes", f"two have the id {in_quotes(twice)}", "give each node an id of its own"
        )


def are_numbers(ids: Sequence[str]) -> bool:
    """Whether they are the numbers 0..n-1, in any order."""
    return set(ids) == {str(k) for k in range(len(ids))}


def numbered(ids: Sequence[str]) -> np.ndarray:
    """The places of ``ids`` in the order in which their nodes are numbered, (n,): that of the ids
    where these are the numbers 0..n-1, their own otherwise.
    """
    if are_numbers(ids):
        return np.argsort(np.array(ids, dtype=np.int64))
    return np.arange(len(ids))


def not_there(name: str | int, ids: Sequence[str] | None, nodes: int) -> InputError:
    """The error for a node that the graph has not."""
    if ids is None:
        wrong = f"node {shown(name)} is not one of the {nodes} nodes"
        return InputError(f"{wrong}; they go from 0 to {nodes - 1}")
    near = difflib.get_close_matches(str(name), list(ids)[:MOST_COMPARED], n=1, cutoff=0.5)
    first = ", ".join(in_quotes(one) for one in ids[:3])
    known = f"its {nodes} nodes are {first}{', ...' if nodes > 3 else ''}"
    right = f"did you mean {in_quotes(near[0])}? {known}" if near else f"{known}, by their ids"
    return InputError(f"the graph has no node with the id {in_quotes(str(name))}; {right}")
