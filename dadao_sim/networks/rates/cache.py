"""Results on disk, by the content of the problem: an optimum is computed once per graph.

Below ``DADAO_SIM_RATES_CACHE`` where that is set ("off": no cache), else in the user's cache
folder. The key covers the edges, their costs, the method, its options and all sources that rates
come from.
"""

import hashlib
import io
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim.compiled import cache_files
from dadao_sim.compiled.sources import PACKAGE, digest, sources
from dadao_sim.networks.rates.problem import RateProblem

VARIABLE = "DADAO_SIM_RATES_CACHE"
WORTH_KEEPING = 1.0  # seconds that the result took


def folder() -> Path | None:
    """Where results are kept; None if nowhere."""
    base = os.environ.get(VARIABLE)
    if base == "off":
        return None
    if base:
        return Path(base)
    home = cache_files.user_cache()
    return None if home is None else home / "rates"


def key(problem: RateProblem, **options: Any) -> str:
    """Digest of all that decides the result."""
    mixed = hashlib.sha256(_sources().encode())
    mixed.update(json.dumps(options, sort_keys=True).encode())
    for graph, ids in zip(problem.graphs, problem.members, strict=True):
        mixed.update(np.array([graph.nodes, len(ids)], dtype=np.int64).tobytes())
        mixed.update(np.ascontiguousarray(graph.edges).tobytes())
        mixed.update(ids.astype(np.int64).tobytes())
    mixed.update(np.append(problem.cost, problem.unit).tobytes())
    return mixed.hexdigest()


def load(name: str) -> dict[str, Any] | None:
    """What was stored under this key; None if nothing is there or it is damaged."""
    place = folder()
    if place is None:
        return None
    content = cache_files.read(place / f"{name}.rates")
    if content is None:
        return None
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {field: stored[field] for field in stored.files}


def store(name: str, **fields: Any) -> None:
    """Keep the fields under this key, if the folder can be written."""
    place = folder()
    if place is None:
        return
    content = io.BytesIO()
    np.savez(content, **fields)
    with suppress(OSError):  # a read-only home: compute again next time
        place.mkdir(parents=True, exist_ok=True)
        cache_files.write(place / f"{name}.rates", content.getvalue())


@cache
def _sources(package: Path = PACKAGE) -> str:
    rooms = f"{package.name}.networks."
    return digest(sources(lambda module, _: module.startswith(rooms), package), package)
