"""Random graphs by name. All are connected: drawn again until they are, or joined (geometric)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.edges import count_components
from dadao_sim.networks.network import Network
from dadao_sim.networks.node_counts import impossible, required_nodes

MOST_DRAWS = 100


def random_geometric(
    nodes: int | None, rng: np.random.Generator, *, radius: float | None = None
) -> Network:
    """Uniform points in the unit square, joined up to ``radius``.

    By default radius = sqrt(2 log(n) / (pi n)), twice the area at which the graph becomes
    connected. What remains apart is joined by the shortest extra edges: those of the points'
    minimum spanning tree that are longer than the radius. ``lengths_km`` is not set.
    """
    from scipy.spatial import KDTree

    n = required_nodes(nodes)
    reach = float(np.sqrt(2 * np.log(n) / (np.pi * n))) if radius is None else radius
    if not reach > 0:
        raise InputError(f"network.radius: {radius} is not possible; it must be > 0")
    points = rng.random((n, 2))
    edges = KDTree(points).query_pairs(reach, output_type="ndarray").reshape(-1, 2)
    if count_components(n, edges) > 1:
        edges = np.vstack([edges, _spanning_edges_beyond(points, reach)])
    return Network(n, edges, name="random_geometric", positions=points)


def erdos_renyi(
    nodes: int | None, rng: np.random.Generator, *, probability: float | None = None
) -> Network:
    """Every two nodes joined with ``probability``, by default min(1, 2 log(n) / n)."""
    n = required_nodes(nodes)
    p = min(1.0, 2 * float(np.log(n)) / n) if probability is None else probability
    _check_probability(p)
    every = n * (n - 1) // 2

    def draw() -> np.ndarray:
        count = int(rng.binomial(every, p))
        chosen = rng.choice(every, size=count, replace=False, shuffle=False)
        # Pair (i, j), i < j, has number j (j - 1) / 2 + i; the square root may be off by one.
        j = ((1 + np.sqrt(1 + 8 * chosen.astype(float))) / 2).astype(np.int64)
        j -= j * (j - 1) // 2 > chosen
        j += j * (j + 1) // 2 <= chosen
        return np.column_stack([chosen - j * (j - 1) // 2, j])

    return _first_connected(n, draw, "erdos_renyi", "network.probability", p)


def barabasi_albert(nodes: int | None, rng: np.random.Generator, *, attach: int = 2) -> Network:
    """Preferential attachment: every new node joined to ``attach`` old ones (networkx)."""
    import networkx as nx

    n = required_nodes(nodes)
    if attach >= n:
        raise impossible(n, f"attach = {attach} needs more nodes than that", [attach + 1])
    graph = nx.barabasi_albert_graph(n, attach, seed=_seed(rng))
    return Network(n, np.array(graph.edges), name="barabasi_albert")


def watts_strogatz(
    nodes: int | None,
    rng: np.random.Generator,
    *,
    neighbours: int = 4,
    probability: float = 0.1,
) -> Network:
    """Ring joined to ``neighbours`` (even) nearest nodes, ends rewired with ``probability``."""
    import networkx as nx

    n = required_nodes(nodes)
    _check_probability(probability)
    if neighbours % 2:
        raise InputError(
            f"network.neighbours: {neighbours} is odd; half of them lie on each side, "
            f"use {neighbours - 1 or 2} or {neighbours + 1}"
        )
    if neighbours >= n:
        raise impossible(n, f"neighbours = {neighbours} needs more nodes", [neighbours + 1])

    def draw() -> np.ndarray:
        return np.array(nx.watts_strogatz_graph(n, neighbours, probability, seed=_seed(rng)).edges)

    return _first_connected(n, draw, "watts_strogatz", "network.neighbours", neighbours)


def random_regular(nodes: int | None, rng: np.random.Generator, *, degree: int = 4) -> Network:
    """Every node has ``degree`` neighbours: a random pairing whose loops and repeats are switched.

    Uniform in the limit of many nodes and fixed degree.
    """
    n = required_nodes(nodes)
    if degree >= n:
        raise impossible(n, f"degree {degree} needs more nodes", [degree + 1])
    if degree * n % 2:
        raise impossible(n, f"with odd degree {degree} it must be even", [n - 1, n + 1])

    def draw() -> np.ndarray:
        if 2 * degree < n:
            return _random_pairing(n, degree, rng)
        absent = np.zeros((n, n), dtype=bool)
        absent[tuple(_random_pairing(n, n - 1 - degree, rng).T)] = True
        return np.argwhere(np.triu(~(absent | absent.T), k=1))

    return _first_connected(n, draw, "random_regular", "network.degree", degree)


def _random_pairing(n: int, degree: int, rng: np.random.Generator) -> np.ndarray:
    """Edges of a simple graph with all degrees equal, ``degree`` < n / 2."""
    while True:
        ends = rng.permutation(np.repeat(np.arange(n), degree)).reshape(-1, 2)
        ends.sort(axis=1)
        _, first = np.unique(ends[:, 0] * n + ends[:, 1], return_index=True)
        bad = np.ones(len(ends), dtype=bool)
        bad[first] = False
        bad |= ends[:, 0] == ends[:, 1]
        if _switch(ends, np.flatnonzero(bad), n, rng):
            return ends


def _switch(ends: np.ndarray, bad: np.ndarray, n: int, rng: np.random.Generator) -> bool:
    """Replace each bad pair (a, b) and a random pair (c, d) by new edges (a, c), (b, d), in place.

    False if some pair finds no partner.
    """
    if len(bad) == 0:
        return True
    good = np.delete(ends, bad, axis=0)
    taken = set((good[:, 0] * n + good[:, 1]).tolist())
    waiting = set(bad.tolist())

    def key(u: int, v: int) -> int:
        return min(u, v) * n + max(u, v)

    for e in bad.tolist():
        for f in rng.integers(len(ends), size=1000).tolist():
            (a, b), (c, d) = ends[e].tolist(), ends[f].tolist()
            new = key(a, c), key(b, d)
            if f in waiting or a == c or b == d or new[0] == new[1] or taken & set(new):
                continue
            taken.remove(key(c, d))
            taken.update(new)
            waiting.remove(e)
            ends[e], ends[f] = (a, c), (b, d)
            break
        else:
            return False
    return True


def _spanning_edges_beyond(points: np.ndarray, reach: float) -> np.ndarray:
    """Edges longer than ``reach`` of the points' minimum spanning tree (part of Delaunay's)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree
    from scipy.spatial import Delaunay

    n = len(points)
    if n < 4:
        # int32, as Delaunay's: not every SciPy finds trees with longer indices.
        pairs = np.column_stack(np.triu_indices(n, k=1)).astype(np.int32)
    else:
        triangles = Delaunay(points).simplices
        sides = np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])
        pairs = np.unique(np.sort(sides, axis=1), axis=0)
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    tree = minimum_spanning_tree(coo_array((lengths, tuple(pairs.T)), shape=(n, n)).tocsr()).tocoo()
    longer = tree.data > reach
    return np.column_stack([tree.row[longer], tree.col[longer]])


def _first_connected(
    n: int, draw: Callable[[], np.ndarray], name: str, field: str, value: Any
) -> Network:
    for _ in range(MOST_DRAWS):
        edges = draw()
        if count_components(n, edges) == 1:
            return Network(n, edges, name=name)
    raise InputError(
        f"{field}: {value} gave no connected {name} graph of {n} nodes in {MOST_DRAWS} draws; "
        "use a larger one"
    )


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise InputError(f"network.probability: {probability} is not in [0, 1]")


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
