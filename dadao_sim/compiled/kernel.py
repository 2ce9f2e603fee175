"""The one way to compile: ``@kernel`` is ``numba.njit`` with a cache that never serves old code.

Numba stamps a cached kernel with the content of its own file only; a change in a file that it calls
would silently return old numbers. Here the cache lives in a folder named by a digest of every file
that compiled code can come from, so that an edit of one of them starts a new folder, and an edit of
any other (a command, a figure) compiles nothing again. And two processes may compile at once.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from platformdirs import user_cache_path

from dadao_sim.compiled.sources import PACKAGE, digest, sources

KEPT_CACHES = 4
# Whoever imports one of these at its top hands functions to the compiler, or may.
DOORS = (
    "numba",
    *(f"dadao_sim.compiled.{name}" for name in ("kernel", "dispatch")),
    *(f"dadao_sim.engine.{table}" for table in ("node", "oracles", "operators")),
    "dadao_sim.algorithms.contract.method.AsynchronousMethod",
)

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled_sources(package: Path = PACKAGE) -> list[Path]:
    """The files below ``package`` that compiled code can come from, sorted.

    Those that import the compiler or the tables of verbs, and whatever they import in turn: a
    kernel may call a function, or freeze a constant, of any of them.
    """
    return sources(
        lambda module, imports: any(
            name == door or name.startswith(f"{door}.") for name in imports for door in DOORS
        ),
        package,
    )


def source_digest(package: Path = PACKAGE) -> str:
    """Digest (16 hex digits) of ``compiled_sources`` and of the compiler's version."""
    return digest(compiled_sources(package), package, more=numba.__version__)


@cache
def cache_folder() -> Path:
    """Folder of this version's compiled kernels; the oldest folders of other versions are removed.

    Below ``NUMBA_CACHE_DIR`` where that is set, else in the user's cache folder.
    """
    base = os.environ.get("NUMBA_CACHE_DIR")
    root = (
        Path(base) if base else user_cache_path("dadao_sim", appauthor=False)
    ) / "dadao_sim_kernels"
    folder = root / source_digest()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        by_age = sorted(root.iterdir(), key=lambda entry: entry.stat().st_mtime, reverse=True)
    except OSError:
        return folder  # a read-only home: numba falls back to compiling in memory
    for old in by_age[KEPT_CACHES:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def kernel(function: Function) -> Function:
    """Compile ``function`` in nopython mode, cached on disk under :func:`source_digest`."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())  # numba reads it here, when the function is decorated
    try:
        compiled: Any = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
    finally:
        config.CACHE_DIR = before
    if not config.DISABLE_JIT:  # else it is the function itself
        _keep_ours(compiled._cache)
        _name_files_apart(compiled._cache._cache_file)
    return compiled


def _keep_ours(cache: Any) -> None:
    """Cache nothing that is compiled for a user's types.

    The digest does not know their files, and numba's index of what there is names their module: a
    process that cannot import it could not read the index.
    """
    load, save = cache.load_overload, cache.save_overload
    cache.load_overload = lambda types, target: load(types, target) if _are_ours(types) else None
    cache.save_overload = lambda types, code: save(types, code) if _are_ours(types) else None


def _are_ours(types: Iterable[Any]) -> bool:
    """Whether all NamedTuples among numba's types, and in them, are of this package."""
    for kind in types:
        named = getattr(kind, "instance_class", None)
        if named is not None and not named.__module__.startswith("dadao_sim."):
            return False
        if not _are_ours(getattr(kind, "types", None) or ()):
            return False
    return True


def _name_files_apart(cache_file: Any) -> None:
    """Let no two processes write the code of two signatures into one file.

    numba numbers the files of a function by an index it has read before: processes that compile it
    at once take the same number, and the index may end up with one's signature before the other's
    code. With names of their own the worst that happens is that something is compiled again.
    """
    name = cache_file._data_name
    cache_file._data_name = lambda number: name(uuid.uuid4().int)
