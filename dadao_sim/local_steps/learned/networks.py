"""Learned networks by name, of whatever kind they are."""

from collections.abc import Callable
from pathlib import Path

from dadao_sim.archives import Stored
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned import (
    convex_network,
    denoiser_file,
    filters,
    illumination,
    weight_file,
)
from dadao_sim.local_steps.learned.convex_network import ConvexNetwork
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights
from dadao_sim.local_steps.learned.filters import Filters
from dadao_sim.local_steps.learned.illumination import Illumination
from dadao_sim.local_steps.learned.weight_file import FILES, Weights, load_weights

Network = Weights | DenoiserWeights | Illumination | ConvexNetwork | Filters

READERS: dict[str, Callable[[Path, Stored], Network]] = {
    convex_network.FORMAT: convex_network.convex_network_in,
    denoiser_file.FORMAT: denoiser_file.denoiser_weights_in,
    filters.FORMAT: filters.filters_in,
    illumination.FORMAT: illumination.illumination_in,
}
"""By the ``format`` of their files, but for that of proximal networks of scalars."""


def load_network(network: str | Path) -> Network:
    """A shipped network, by its name, or that of a .npz file; what it is says its ``format``.

    InputError for an unknown name, and for a file that is none.
    """
    path, stored, metadata = FILES.opened(network)
    if metadata["format"] in READERS:
        return READERS[metadata["format"]](path, stored)
    if metadata["format"] != weight_file.FORMAT:
        given = str(metadata["format"])[:60]
        raise FILES.refused(path, f"format {given!r} is not one of a learned network")
    return load_weights(path)[0]


def reference_of(network: str | Path) -> str:
    """A key of references.bib; empty for a file that cannot be read."""
    try:
        return load_network(network).nature.reference
    except InputError:
        return ""


def is_of_torch(network: str | Path) -> bool:
    """Whether it runs on torch; so are those of files that cannot be read, which are refused."""
    try:
        return load_network(network).nature.needs_torch
    except InputError:
        return True
