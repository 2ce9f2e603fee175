"""Compiled code on disk: never old, never damaged, never another user's, and never in the way.

numba's own cache knows a function by the content of its own file only, trusts whatever bytes it
finds, and fails where nothing can be written. Here each function and signature is a file, in a
folder named by a digest of every file that compiled code can come from: an edit of one of them
starts a new folder, and an edit of any other (a command, a figure) compiles nothing again. What
cannot be read, for whatever reason, is compiled again and written anew; what cannot be written is
compiled in each process.
"""

import hashlib
import logging
import multiprocessing
import os
import pickle
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

import dadao_sim
from dadao_sim.compiled import cache_files
from dadao_sim.compiled.sources import PACKAGE, digest, sources

KEPT_CACHES = 4
# Whoever imports one of these at its top hands functions to the compiler, or may.
DOORS = (
    "numba",
    *(f"dadao_sim.compiled.{name}" for name in ("kernel", "dispatch")),
    *(f"dadao_sim.engine.{table}" for table in ("node", "oracles", "operators")),
    "dadao_sim.algorithms.contract.method.AsynchronousMethod",
)
BEHIND_DOORS = tuple(f"{door}." for door in DOORS)


@cache
def compiled_sources(package: Path) -> tuple[Path, ...]:
    """The files below ``package`` that compiled code can come from, sorted.

    Those that import the compiler or the tables of verbs, and whatever they import in turn: a
    kernel may call a function, or freeze a constant, of any of them.
    """
    return tuple(
        sources(
            lambda module, imports: any(
                name in DOORS or name.startswith(BEHIND_DOORS) for name in imports
            ),
            package,
        )
    )


def source_digest(package: Path = PACKAGE) -> str:
    """Digest (16 hex digits) of ``compiled_sources`` and of what reads and compiles them."""
    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__)
    return digest(
        compiled_sources(package), package, more=" ".join(map(str, (*versions, np.__version__)))
    )


@cache
def cache_folder() -> Path | None:
    """Folder of this version's compiled kernels; the oldest folders of other versions are removed.

    Below ``NUMBA_CACHE_DIR`` where that is set and can be written, else in the user's cache folder,
    else in a folder for temporary files that belongs to the user alone. None where there is none of
    these, or the sources cannot be read as files.
    """
    if not compiled_sources(PACKAGE):
        return None
    name = source_digest()
    for root in _roots():
        folder = root / "dadao_sim_kernels" / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        _remove_oldest(folder)
        return folder
    if multiprocessing.current_process().name == "MainProcess":  # workers need not say it again
        logging.getLogger(__name__).warning(
            "dadao-sim: compiled code cannot be kept, each process compiles anew; "
            "let NUMBA_CACHE_DIR be a folder that can be written"
        )
    return None


def _roots() -> Iterator[Path]:
    """Where compiled code may be kept, the best first."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        yield Path(chosen).absolute()
    home = cache_files.user_cache()
    if home is not None:
        yield home
    private = _private_folder()
    if private is not None:
        yield private


def _private_folder() -> Path | None:
    """A folder among the temporary files that nobody else can write; None if there is none.

    Its name is known beforehand, so that the next process finds it. Whoever makes it before the
    user does is its owner, and it is not used.
    """
    try:
        parent = Path(tempfile.gettempdir())
        if not hasattr(os, "geteuid"):  # on Windows these folders are a user's own
            return parent / "dadao_sim"
        user = os.geteuid()
        folder = parent / f"dadao_sim-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        above, found = parent.stat(), folder.lstat()
    except OSError:
        return None
    others_may_rename = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
    if others_may_rename or above.st_uid not in (0, user):
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o077
    return folder if is_ours else None


def _remove_oldest(folder: Path) -> None:
    """Keep the folders of this version and of those used last."""
    try:
        os.utime(folder)
        others = [entry for entry in folder.parent.iterdir() if entry != folder]
        by_age = sorted(others, key=lambda entry: entry.stat().st_mtime, reverse=True)
    except OSError:
        return
    for old in by_age[KEPT_CACHES - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


class KernelCache(_Cache):
    """What numba asks of a cache of ``function``, kept in ``folder``.

    Only what is of this package alone is kept: neither the digest nor the folder knows a user's
    files, and a process without their modules could not read what was compiled for their types.
    """

    def __init__(self, function: Callable[..., Any], folder: Path):
        self.function, self.folder = function, folder
        self.is_enabled = True

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(self.folder)

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The code for these types; None where none is kept that can be used."""
        target_context.refresh()
        if not self._keeps(sig):
            return None
        key = self._key(sig, target_context.codegen())
        content = cache_files.read(self._path(key))
        if content is None:
            return None
        try:
            of, code = pickle.loads(content)
            return CompileResult._rebuild(target_context, *code) if of == key else None
        except Exception:  # whole, but of another kind: nobody can say what reading it raises
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the code for these types, if it can be kept."""
        can_be_read_again = not data.library.has_dynamic_globals and not data.lifted
        if not self._keeps(sig) or not can_be_read_again:
            return
        key = self._key(sig, data.codegen)
        cache_files.write(self._path(key), dumps((key, data._reduce())))

    def enable(self) -> None:
        """Load and save, as at the beginning."""
        self.is_enabled = True

    def disable(self) -> None:
        """Neither load nor save."""
        self.is_enabled = False

    def flush(self) -> None:
        """Nothing: other processes may be reading."""

    def _keeps(self, sig: Any) -> bool:
        return (
            self.is_enabled
            and self.function.__closure__ is None  # it might hold anything
            and _are_ours(sig)
            and _are_as_imported()
        )

    def _key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        """All that decides the code, beside the sources: the function, the types, the processor."""
        code = self.function.__code__
        where = os.path.relpath(os.path.realpath(code.co_filename), PACKAGE)
        return sig, codegen.magic_tuple(), where, self.function.__qualname__, _content(code)

    def _path(self, key: tuple[Any, ...]) -> Path:
        name = re.sub(r"[^\w.]", "", f"{self.function.__module__}.{self.function.__qualname__}")
        return (
            self.folder / f"{name[-80:]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}.bin"
        )


def _content(code: CodeType) -> tuple[Any, ...]:
    """What the code of a function does, as far as the function itself says it."""
    constants = (_content(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_firstlineno, code.co_code, code.co_names, tuple(constants)


def is_ours(function: Callable[..., Any]) -> bool:
    """Whether a function comes from a file of the digest."""
    return os.path.realpath(function.__code__.co_filename) in _compiled_files()


@cache
def _compiled_files() -> frozenset[str]:
    return frozenset(map(str, compiled_sources(PACKAGE)))


def _are_ours(types: Iterable[Any]) -> bool:
    """Whether all NamedTuples among numba's types, and in them, are of this package, and no
    function is among them.
    """
    for kind in types:
        if isinstance(kind, numba.types.Callable):
            return False
        named = getattr(kind, "instance_class", None)
        if named is not None and not named.__module__.startswith("dadao_sim."):
            return False
        if not _are_ours(getattr(kind, "types", None) or ()):
            return False
    return True


def _are_as_imported() -> bool:
    """Whether no source was changed after this process began to import the package.

    Else the digest may be of one content and what was imported of another: a notebook that is open
    while a method is edited.
    """
    changed = "st_mtime" if os.name == "nt" else "st_ctime"  # a copied file has an old st_mtime
    try:
        last = max(getattr(path.stat(), changed) for path in compiled_sources(PACKAGE))
    except OSError:
        return False
    return last <= dadao_sim.IMPORTED_AT
