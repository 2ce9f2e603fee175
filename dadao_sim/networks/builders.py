"""Graphs by name: ``build(name, nodes, rng, **options)`` and the registry ``BUILDERS``.

A builder takes ``nodes`` (int or None), ``rng`` and its own keyword options, and returns a Network.
The deterministic ones are here, the random ones in ``random_graphs``.
"""

import inspect
from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.networks.node_counts import impossible, required_nodes
from dadao_sim.networks.random_graphs import (
    barabasi_albert,
    erdos_renyi,
    random_geometric,
    random_regular,
    watts_strogatz,
)

Builder = Callable[..., Network]
FRACTIONS = ("probability", "radius")  # the options that are no counts


def build(name: str, nodes: int | None, rng: np.random.Generator, **options: Any) -> Network:
    """The graph ``name`` with ``nodes`` nodes.

    Options that are None count as not given. Raises InputError for a name that is not registered,
    an option the graph does not take, and a node count the graph cannot have.
    """
    builder = BUILDERS.get(name)
    if builder is None:
        raise InputError(f"network.graph: {name!r} is not known; choose from {', '.join(BUILDERS)}")
    given = {key: value for key, value in options.items() if value is not None}
    taken = options_of(name)
    for key in given:
        if key not in taken:
            says = f"it takes {', '.join(taken)}" if taken else "it takes no options"
            raise InputError(f"network.{key}: the graph {name!r} has no such option; {says}")
    for key in ("nodes", *(key for key in given if key not in FRACTIONS)):
        value = nodes if key == "nodes" else given[key]
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral)):
            raise InputError(f"network.{key}: {value!r} is not possible; it must be an integer")
    for key, value in {"nodes": nodes, **given}.items():
        if (
            value is not None
            and isinstance(value, Integral)
            and value < (0 if key == "bridge" else 1)
        ):
            raise InputError(f"network.{key}: {value} is not possible; it must be positive")
    return builder(nodes, rng, **given)


def options_of(name: str) -> tuple[str, ...]:
    """Names of the options of a builder, besides ``nodes``."""
    return tuple(list(inspect.signature(BUILDERS[name]).parameters)[2:])


# ---- one node after the other, or one in the middle ----------------------------------------------


def star(nodes: int | None, rng: np.random.Generator) -> Network:
    """Node 0 joined to every other."""
    n = required_nodes(nodes)
    leaves = np.arange(1, n)
    positions = np.vstack([np.zeros((1, 2)), _on_circle(n - 1)])
    return Network(n, _pairs(np.zeros(n - 1, dtype=int), leaves), name="star", positions=positions)


def path(nodes: int | None, rng: np.random.Generator) -> Network:
    """Node k joined to k + 1."""
    n = required_nodes(nodes)
    line = np.arange(n)
    positions = np.column_stack([line, np.zeros(n)])
    return Network(n, _pairs(line[:-1], line[1:]), name="path", positions=positions)


def cycle(nodes: int | None, rng: np.random.Generator) -> Network:
    """Node k joined to k + 1 modulo n; at least 3 nodes."""
    n = required_nodes(nodes, least=3)
    ring = np.arange(n)
    return Network(n, _pairs(ring, (ring + 1) % n), name="cycle", positions=_on_circle(n))


def complete(nodes: int | None, rng: np.random.Generator) -> Network:
    """Every two nodes joined."""
    n = required_nodes(nodes)
    return Network(n, _clique(0, n), name="complete", positions=_on_circle(n))


def exponential(nodes: int | None, rng: np.random.Generator) -> Network:
    """Static exponential graph: node i joined to i + 2^k modulo n, for every 2^k < n."""
    n = required_nodes(nodes)
    every = np.arange(n)
    hops = 2 ** np.arange((n - 1).bit_length())
    pairs = np.vstack([_pairs(every, (every + hop) % n) for hop in hops])
    edges = np.unique(np.sort(pairs, axis=1), axis=0)
    return Network(n, edges, name="exponential", positions=_on_circle(n))


# ---- products ------------------------------------------------------------------------------------


def grid_2d(
    nodes: int | None,
    rng: np.random.Generator,
    *,
    rows: int | None = None,
    columns: int | None = None,
) -> Network:
    """Square lattice, row by row: ``nodes`` a perfect square, or ``rows`` and ``columns``."""
    rows, columns = _rows_columns(nodes, rows, columns, least=1)
    place = np.arange(rows * columns).reshape(rows, columns)
    edges = np.vstack([_pairs(place[:, :-1], place[:, 1:]), _pairs(place[:-1], place[1:])])
    return Network(rows * columns, edges, name="grid_2d", positions=_on_lattice(rows, columns))


def torus_2d(
    nodes: int | None,
    rng: np.random.Generator,
    *,
    rows: int | None = None,
    columns: int | None = None,
) -> Network:
    """Square lattice closed in both directions, at least 3 x 3; sizes as for grid_2d."""
    rows, columns = _rows_columns(nodes, rows, columns, least=3)
    place = np.arange(rows * columns).reshape(rows, columns)
    right, down = np.roll(place, -1, axis=1), np.roll(place, -1, axis=0)
    edges = np.vstack([_pairs(place, right), _pairs(place, down)])
    return Network(rows * columns, edges, name="torus_2d", positions=_on_lattice(rows, columns))


def hypercube(nodes: int | None, rng: np.random.Generator) -> Network:
    """Nodes joined if their numbers differ in one bit; ``nodes`` a power of two."""
    n = required_nodes(nodes)
    dimension = n.bit_length() - 1
    if n != 2**dimension:
        raise impossible(n, "a hypercube has a power of two", [2**dimension, 2 ** (dimension + 1)])
    every = np.arange(n)
    pairs = [
        _pairs(every[every & bit == 0], every[every & bit == 0] | bit)
        for bit in 2 ** every[:dimension]
    ]
    return Network(n, np.vstack(pairs), name="hypercube")


# ---- cliques with a bottleneck -------------------------------------------------------------------


def barbell(
    nodes: int | None, rng: np.random.Generator, *, clique: int | None = None, bridge: int = 0
) -> Network:
    """Two cliques of ``clique`` nodes joined by a path with ``bridge`` nodes inside.

    nodes = 2 clique + bridge. With bridge = 0 (the default) one edge joins the cliques.
    """
    if clique is None:
        n = required_nodes(nodes, least=4 + bridge)
        if (n - bridge) % 2:
            raise impossible(
                n, f"a barbell with bridge {bridge} has 2 clique + bridge", [n - 1, n + 1]
            )
        clique = (n - bridge) // 2
    n = 2 * clique + bridge
    _check_count(nodes, n, f"2 clique + bridge = {n}")
    line = np.arange(clique - 1, clique + bridge + 1)
    edges = np.vstack(
        [_clique(0, clique), _pairs(line[:-1], line[1:]), _clique(clique + bridge, n)]
    )
    radius = (clique + 1) / np.pi / 2
    between = np.column_stack([np.arange(1, bridge + 1), np.zeros(bridge)])
    left = radius * _on_circle(clique, last_at=0.0) - (radius, 0)
    right = radius * _on_circle(clique, first_at=np.pi) + (radius + bridge + 1, 0)
    return Network(n, edges, name="barbell", positions=np.vstack([left, between, right]))


def lollipop(
    nodes: int | None,
    rng: np.random.Generator,
    *,
    clique: int | None = None,
    tail: int | None = None,
) -> Network:
    """A clique of ``clique`` nodes with a path of ``tail`` more nodes hanging from it.

    nodes = clique + tail; by default clique = ceil(nodes / 2).
    """
    if clique is None or tail is None:
        n = required_nodes(nodes)
        if clique is None:
            clique = -(-n // 2) if tail is None else n - tail
        tail = n - clique if tail is None else tail
    if clique < 1 or tail < 0:
        raise InputError(f"network.nodes: {nodes} is less than clique or tail; use clique + tail")
    n = clique + tail
    _check_count(nodes, n, f"clique + tail = {n}")
    line = np.arange(clique - 1, n)
    edges = np.vstack([_clique(0, clique), _pairs(line[:-1], line[1:])])
    radius = (clique + 1) / np.pi / 2
    head = radius * _on_circle(clique, last_at=0.0) - (radius, 0)
    stick = np.column_stack([np.arange(1, tail + 1), np.zeros(tail)])
    return Network(n, edges, name="lollipop", positions=np.vstack([head, stick]))


# ---- shared --------------------------------------------------------------------------------------


def _pairs(i: np.ndarray, j: np.ndarray) -> np.ndarray:
    return np.column_stack([i.ravel(), j.ravel()])


def _clique(first: int, end: int) -> np.ndarray:
    return np.column_stack(np.triu_indices(end - first, k=1)) + first


def _on_circle(count: int, first_at: float = np.pi / 2, last_at: float | None = None) -> np.ndarray:
    """``count`` points on the unit circle; ``last_at`` fixes the angle of the last instead."""
    step = 2 * np.pi / count
    start = first_at if last_at is None else last_at + step
    angles = start + step * np.arange(count)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _on_lattice(rows: int, columns: int) -> np.ndarray:
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.column_stack([column, -row]).astype(float)


def _check_count(nodes: int | None, count: int, formula: str) -> None:
    if nodes is not None and nodes != count:
        raise impossible(nodes, f"the options give {formula}", [count])


def _rows_columns(
    nodes: int | None, rows: int | None, columns: int | None, least: int
) -> tuple[int, int]:
    if (rows is None) != (columns is None):
        raise InputError("network.rows: give rows and columns together, or nodes alone")
    if rows is None or columns is None:
        n = required_nodes(nodes, least=max(4, least**2))
        side = int(np.sqrt(n))
        if side**2 != n:
            raise impossible(n, "a square lattice has rows x columns", [side**2, (side + 1) ** 2])
        return side, side
    _check_count(nodes, rows * columns, f"rows x columns = {rows * columns}")
    if min(rows, columns) < least:
        raise InputError(
            f"network.rows: {rows} x {columns} is too small; use at least {least} x {least}"
        )
    return rows, columns


BUILDERS: dict[str, Builder] = {
    builder.__name__: builder
    for builder in (
        star,
        path,
        cycle,
        complete,
        exponential,
        grid_2d,
        torus_2d,
        hypercube,
        barbell,
        lollipop,
        random_geometric,
        erdos_renyi,
        barabasi_albert,
        watts_strogatz,
        random_regular,
    )
}
