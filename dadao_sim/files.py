"""Files that are either whole or absent: atomic writes, JSON, and file names made from labels."""

import json
import os
import re
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dadao_sim.errors import InputError


def atomic_write(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that no reader, and no crash, ever sees half of it.

    Args:
        path: the file to make or replace; missing parent folders are made.
        content: the bytes, or a function that writes them to the open file (large content).

    The bytes go to a hidden temporary file in the same folder, reach the disk, and take the
    name in one step. If writing raises, the temporary file is removed and `path` is untouched.

    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not `tempfile`: its files are readable by their owner alone, and a rename keeps that.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as handle:
            if callable(content):
                content(handle)
            else:
                handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def json_bytes(value: Any) -> bytes:
    """Indented UTF-8 JSON in the order of the mapping; NumPy scalars and arrays as numbers."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return (text + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Raises InputError in one line if it cannot be read."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} cannot be read: it should hold a JSON object")
    return value


def unreadable(path: Path, error: Exception) -> InputError:
    """The one-line error for a file that is there but damaged."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} cannot be read ({reason}): it is damaged, make it again")


def slug(text: str) -> str:
    """`text` as a file name: lower case letters, digits and hyphens ("ADOM+" -> "adom-plus")."""
    words = re.findall(r"[a-z0-9]+", text.lower().replace("+", " plus "))
    return "-".join(words) or "run"


def unique_slugs(texts: Iterable[str]) -> dict[str, str]:
    """A slug per distinct text; a later text whose slug is taken gets -2, -3, ..."""
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        base, name, count = slug(text), slug(text), 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        slugs[text] = name
        taken.add(name)
    return slugs


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} is not JSON")
