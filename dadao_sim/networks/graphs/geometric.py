"""Random graphs of points in the plane."""

from typing import Literal

import numpy as np
from pydantic import Field

from dadao_sim.networks.edges import count_components
from dadao_sim.networks.graphs.graph import Graph, Size
from dadao_sim.networks.network import Network
from dadao_sim.strict import Positive


class RandomGeometric(Graph):
    """Uniform points in the unit square, joined up to ``radius``.

    By default radius = sqrt(2 log(n) / (pi n)), twice the area at which the graph becomes
    connected. What remains apart is joined by the shortest extra edges: those of the points'
    minimum spanning tree that are longer than the radius; ``added_edges`` is how many.
    ``lengths_km`` is not set; the edge attribute ``length`` is in sides of the square.
    """

    graph: Literal["random_geometric"] = Field(description="near points of a square joined")
    radius: Positive | None = Field(
        default=None,
        description="longest edge, in sides of the unit square; twice the area of connectivity "
        "if absent",
    )

    def size(self) -> Size:
        """The pairs, times the area of a disc."""
        n, area = self.nodes, min(1.0, np.pi * self._reach**2)
        return Size(n, int(n * (n - 1) // 2 * area))

    @property
    def _reach(self) -> float:
        if self.radius is not None:
            return self.radius
        return float(np.sqrt(2 * np.log(self.nodes) / (np.pi * self.nodes)))

    def build(self, rng: np.random.Generator) -> Network:
        """At the points."""
        from scipy.spatial import KDTree

        n, reach = self.nodes, self._reach
        points = rng.random((n, 2))
        edges = KDTree(points).query_pairs(reach, output_type="ndarray").reshape(-1, 2)
        added = np.empty((0, 2), dtype=edges.dtype)
        if count_components(n, edges) > 1:
            added = _spanning_edges_beyond(points, reach)
        every = np.vstack([edges, added])
        return Network(
            n,
            every,
            name=self.graph,
            positions=points,
            added_edges=len(added),
            edge_attributes={
                "length": np.linalg.norm(points[every[:, 0]] - points[every[:, 1]], axis=1)
            },
        )


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
