"""A mean over all nodes: summed up along a tree to the node in its middle, and sent back down."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order

MOST_SWEEPS = 16


@dataclass(frozen=True)
class Server:
    """The way of a mean through a graph (``edges`` (m, 2)) whose node in the middle is the server.

    ``parent`` (n,) is who a node sends its sum to, -1 for the server, over its edge ``up`` (n,);
    ``depth`` (n,) how many edges the server is away.
    """

    edges: np.ndarray
    parent: np.ndarray
    up: np.ndarray
    depth: np.ndarray

    @classmethod
    def of(cls, graph: Any) -> "Server":
        """At a centre of the graph, on a star the hub: see :func:`centre`."""
        edges, n = np.asarray(graph.edges, dtype=np.int64), graph.nodes
        i, j = edges.T
        number = np.arange(1, len(edges) + 1)  # of an edge, from 1: 0 is no edge
        matrix = sparse.coo_array((number, (i, j)), shape=(n, n))
        adjacency = sparse.csr_array(matrix + matrix.T)
        order, parent, depth = _distances(adjacency, centre(adjacency))
        up = np.full(n, -1)
        below = order[1:]
        up[below] = np.asarray(adjacency[below, parent[below]]).ravel() - 1
        return cls(edges, parent, up, depth)

    @property
    def messages(self) -> int:
        """In sequence: up the tree, and down."""
        return 2 * int(self.depth.max())

    @property
    def route(self) -> list[np.ndarray]:
        """Who sends in each of them, as :class:`RoundWorld` takes it: (2, k), for each sender which
        end of an edge it is, 0 or 1, and the edge.
        """
        (below,) = np.nonzero(self.depth)
        edge, level = self.up[below], self.depth[below]
        child = (self.edges[edge, 1] == below).astype(np.int64)
        levels = [np.flatnonzero(level == k) for k in range(1, self.messages // 2 + 1)]
        up = [np.stack([child[nodes], edge[nodes]]) for nodes in levels]
        down = [np.stack([1 - child[nodes], edge[nodes]]) for nodes in levels]
        return up[::-1] + down


def centre(adjacency: sparse.csr_array) -> int:
    """A node whose farthest node is as near as can be, in a connected graph.

    The next candidate is the one that is nearest to all the far nodes found so far, which bounds
    the radius from below; where its own farthest node is no farther, it is a centre. After
    ``MOST_SWEEPS`` candidates the best of them.
    """
    nearest = np.zeros(adjacency.shape[0], dtype=np.int64)  # to all far nodes, at least
    best = 0, adjacency.shape[0]
    for _ in range(MOST_SWEEPS):
        candidate = int(nearest.argmin())
        order, _, distance = _distances(adjacency, candidate)
        radius = int(distance[order[-1]])
        best = min(best, (candidate, radius), key=lambda found: found[1])
        if radius <= nearest[candidate]:
            break
        nearest = np.maximum(nearest, _distances(adjacency, int(order[-1]))[2])
    return best[0]


def _distances(
    adjacency: sparse.csr_array, start: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All nodes by their distance from ``start``, who each was found from (-1: none), and the
    distances (n,).
    """
    order, parent = breadth_first_order(adjacency, start)
    distance = np.zeros(len(order), dtype=np.int64)
    for node in order[1:].tolist():
        distance[node] = distance[parent[node]] + 1
    return order, np.where(parent < 0, -1, parent), distance
