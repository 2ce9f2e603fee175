"""The network of a scenario: what its section says, and the network that is made from it."""

from dadao_sim.networks.section.build import build_network
from dadao_sim.networks.section.spec import NetworkSpec

__all__ = ["NetworkSpec", "build_network"]
