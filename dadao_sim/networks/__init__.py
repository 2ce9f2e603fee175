"""Networks: graphs as edge arrays, their Laplacians, and the constants chi1 and chi2 of rates."""

from dadao_sim.networks.builders import BUILDERS, build
from dadao_sim.networks.from_spec import build_network, with_rates
from dadao_sim.networks.graphml import read_graphml, write_graphml
from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence

__all__ = [
    "BUILDERS",
    "GraphSequence",
    "Network",
    "build",
    "build_network",
    "read_graphml",
    "with_rates",
    "write_graphml",
]
