"""Drawing a graph until it is connected."""

from collections.abc import Callable

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.edges import count_components
from dadao_sim.networks.graphs.graph import Graph

MOST_DRAWS = 100


def first_connected(
    graph: Graph, draw: Callable[[], np.ndarray], field: str, value: float
) -> np.ndarray:
    """The first edges drawn that connect all nodes.

    Raises InputError, of the ``field`` with this ``value``, where MOST_DRAWS are not enough.
    """
    for _ in range(MOST_DRAWS):
        edges = draw()
        if count_components(graph.nodes, edges) == 1:
            return edges
    raise InputError(
        field,
        f"{value} gave no connected {graph.graph} graph of {graph.nodes} nodes in {MOST_DRAWS} "
        "draws",
        "use a larger one",
    )
