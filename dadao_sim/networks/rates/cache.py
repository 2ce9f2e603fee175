"""Results on disk, by the content of the problem: an optimum is computed once per graph.

Below ``DADAO_SIM_RATES_CACHE`` where that is set ("off": no cache), else in the user's cache
folder. The key covers the edges, the method, its options and all sources that rates come from.
"""

import hashlib
import io
import json
import os
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path

from dadao_sim.compiled.sources import PACKAGE, digest, sources
from dadao_sim.files import atomic_write
from dadao_sim.networks.rates.problem import RateProblem

VARIABLE = "DADAO_SIM_RATES_CACHE"
WORTH_KEEPING = 1.0  # seconds that the result took


def folder() -> Path | None:
    """Where results are kept; None if nowhere."""
    base = os.environ.get(VARIABLE)
    if base == "off":
        return None
    return Path(base) if base else user_cache_path("dadao_sim", appauthor=False) / "rates"


def key(problem: RateProblem, **options: Any) -> str:
    """Digest of all that decides the result."""
    mixed = hashlib.sha256(_sources().encode())
    mixed.update(json.dumps(options, sort_keys=True).encode())
    for graph, ids in zip(problem.graphs, problem.members, strict=True):
        mixed.update(np.array([graph.nodes, len(ids)], dtype=np.int64).tobytes())
        mixed.update(np.ascontiguousarray(graph.edges).tobytes())
        mixed.update(ids.astype(np.int64).tobytes())
    return mixed.hexdigest()


def load(name: str) -> dict[str, Any] | None:
    """What was stored under this key; None if nothing is there or it is damaged."""
    place = folder()
    if place is None:
        return None
    try:
        with np.load(place / f"{name}.npz", allow_pickle=False) as stored:
            return {field: stored[field] for field in stored.files}
    except (OSError, ValueError, BadZipFile, EOFError):
        return None


def store(name: str, **fields: Any) -> None:
    """Keep the fields under this key, if the folder can be written."""
    place = folder()
    if place is None:
        return
    content = io.BytesIO()
    np.savez(content, **fields)
    try:
        atomic_write(place / f"{name}.npz", content.getvalue())
    except OSError:
        return  # a read-only home: compute again next time


@cache
def _sources(package: Path = PACKAGE) -> str:
    rooms = f"{package.name}.networks."
    return digest(sources(lambda module, _: module.startswith(rooms), package), package)
