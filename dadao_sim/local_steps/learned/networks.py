"""Learned networks by name, of whatever kind they are."""

import json
from pathlib import Path

from dadao_sim.archives import Stored
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.illumination import FORMAT, Illumination, illumination_in
from dadao_sim.local_steps.learned.weight_file import Weights, load_weights, path_of, refused


def load_network(network: str | Path) -> Weights | Illumination:
    """A shipped network, by its name, or that of a .npz file; what it is says its ``format``.

    InputError for an unknown name, and for a file that is none.
    """
    path = path_of(network)
    if not path.exists():
        raise refused(path, "there is no such file")
    try:
        stored = Stored(path)
        found = dict(json.loads(str(stored["metadata"]))).get("format")
    except Exception as error:  # the archive, its text, and what the text says
        raise refused(path, "not the weights of a learned network, or damaged") from error
    return illumination_in(path, stored) if found == FORMAT else load_weights(path)[0]


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
        return not isinstance(load_network(network), Illumination)
    except InputError:
        return True
