"""Learned networks by name, of whatever kind they are."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

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
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights, denoiser_weights_in
from dadao_sim.local_steps.learned.filters import Filters
from dadao_sim.local_steps.learned.illumination import Illumination
from dadao_sim.local_steps.learned.weight_file import FILES, Weights, load_weights

Compiled = Illumination | ConvexNetwork | Filters
Network = Weights | DenoiserWeights | Compiled


class Sort(NamedTuple):
    """Of networks that run compiled: how one is read from its file, and what is cited for it."""

    read: Callable[[Path, Stored], Compiled]
    reference: str


COMPILED = {
    illumination.FORMAT: Sort(illumination.illumination_in, "zheng2023empowering"),
    convex_network.FORMAT: Sort(convex_network.convex_network_in, "fang2024whats"),
    filters.FORMAT: Sort(filters.filters_in, "lefkimmiatis2023learning"),
}
"""By the ``format`` of their files; all others need torch: denoisers, and proximal
networks of scalars."""


def load_network(network: str | Path) -> Network:
    """A shipped network, by its name, or that of a .npz file; what it is says its ``format``.

    InputError for an unknown name, and for a file that is none.
    """
    path, stored, metadata = FILES.opened(network)
    if metadata["format"] in COMPILED:
        return COMPILED[metadata["format"]].read(path, stored)
    if metadata["format"] == denoiser_file.FORMAT:
        return denoiser_weights_in(path, stored, metadata)
    if metadata["format"] != weight_file.FORMAT:
        given = str(metadata["format"])[:60]
        raise FILES.refused(path, f"format {given!r} is not one of a learned network")
    return load_weights(path)[0]


def reference_of(network: str | Path) -> str:
    """A key of references.bib; empty for a file that cannot be read."""
    try:
        _, _, metadata = FILES.opened(network)
    except InputError:
        return ""
    if metadata["format"] == denoiser_file.FORMAT:
        return denoiser_file.REFERENCES.get(str(metadata.get("network")), "")
    found = COMPILED.get(metadata["format"])
    return "fang2024whats" if found is None else found.reference


def is_of_torch(network: str | Path) -> bool:
    """Whether it runs on torch; so are those of files that cannot be read, which are refused."""
    try:
        return isinstance(load_network(network), Weights | DenoiserWeights)
    except InputError:
        return True
