"""The one way to compile: ``@kernel`` is ``numba.njit`` with a cache that never serves old code.

Numba stamps a cached kernel with the content of its own file only; a change in a file that it calls
would silently return old numbers. Here the cache lives in a folder named by a digest of all the
package's sources, so any edit starts a new one.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from platformdirs import user_cache_path

PACKAGE = Path(__file__).resolve().parent.parent
KEPT_CACHES = 4

Function = TypeVar("Function", bound=Callable[..., Any])


def source_digest(package: Path = PACKAGE) -> str:
    """Digest (16 hex digits) of every Python source below ``package``, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


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
    """Compile ``function`` in nopython mode, cached on disk under the digest of all sources."""
    config: Any = numba.config
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder())  # numba reads it here, when the function is decorated
    try:
        compiled: Any = numba.njit(cache=True, error_model="numpy", nogil=True)(function)
        return compiled
    finally:
        config.CACHE_DIR = before
