"""Networks: graphs as edge arrays, their Laplacians, and the constants chi1 and chi2 of rates.

Above this: ``graphs`` makes networks by name, ``rates`` finds the best rates of their edges, and
``section`` makes what a scenario asks for.
"""

from dadao_sim.networks.directed import Digraph, DirectedNetwork, DirectedSequence
from dadao_sim.networks.graphml import read_graphml, write_graphml
from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence

__all__ = [
    "Digraph",
    "DirectedNetwork",
    "DirectedSequence",
    "GraphSequence",
    "Network",
    "read_graphml",
    "write_graphml",
]
