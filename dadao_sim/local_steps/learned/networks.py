"""Learned networks by name, of whatever kind they are."""

from pathlib import Path

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned import convex_network, illumination
from dadao_sim.local_steps.learned.convex_network import ConvexNetwork, convex_network_in
from dadao_sim.local_steps.learned.illumination import Illumination, illumination_in
from dadao_sim.local_steps.learned.weight_file import FILES, Weights, load_weights

Network = Weights | Illumination | ConvexNetwork


def load_network(network: str | Path) -> Network:
    """A shipped network, by its name, or that of a .npz file; what it is says its ``format``.

    InputError for an unknown name, and for a file that is none.
    """
    path, stored, metadata = FILES.opened(network)
    if metadata["format"] == illumination.FORMAT:
        return illumination_in(path, stored)
    if metadata["format"] == convex_network.FORMAT:
        return convex_network_in(path, stored)
    return load_weights(path)[0]


def reference_of(network: str | Path) -> str:
    """A key of references.bib; empty for a file that cannot be read."""
    try:
        found = load_network(network)
    except InputError:
        return ""
    return "zheng2023empowering" if isinstance(found, Illumination) else "fang2024whats"


def is_of_torch(network: str | Path) -> bool:
    """Whether it runs on torch; so are those of files that cannot be read, which are refused."""
    try:
        return isinstance(load_network(network), Weights)
    except InputError:
        return True
