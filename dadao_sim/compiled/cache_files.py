"""Files that can be made again: they are read whole or not at all, and kept if they can be."""

import hashlib
import os
import shutil
import uuid
from pathlib import Path

from platformdirs import user_cache_path

DIGEST = hashlib.sha256


def user_cache() -> Path | None:
    """The user's folder for such files, which may not exist yet; None for a user without a home."""
    folder = user_cache_path("dadao_sim", appauthor=False)
    return folder if folder.is_absolute() else None  # else it would be in the working folder


def read(path: Path) -> bytes | None:
    """What :func:`write` kept there; None where there is nothing, or anything else."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    size = DIGEST().digest_size
    return content[size:] if DIGEST(content[size:]).digest() == content[:size] else None


def write(path: Path, content: bytes) -> None:
    """Keep the content behind its digest, in one step, and in the place of whatever is there.

    Where that fails (a full disk, a read-only or removed folder) nothing is kept.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        try:
            temporary.write_bytes(DIGEST(content).digest() + content)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError:
        return
