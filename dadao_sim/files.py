"""What may be written, files that are whole or absent, JSON, and file names made from labels."""

import errno
import hashlib
import json
import mmap
import os
import re
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from dadao_sim.errors import InputError, within

HIDDEN = ".dadao-sim"  # how the names of all begin that we put beside what the user asked for
LONGEST_SLUG = 60  # what is put before and behind it still makes the name of a file
SIGNATURE = "drawn by dadao_sim"  # in every figure of ours
LONGEST_NAME = 255  # bytes, of every usual file system


class FileKind(NamedTuple):
    """A kind of file that we write, and how one of ours is told from a user's.

    Attributes:
        suffixes: its endings, lower case with the dot; none: any will do.
        is_ours: whether the file at a path is one that we wrote; never raises for a readable one.

    """

    suffixes: tuple[str, ...]
    is_ours: Callable[[Path], bool]


def is_signed(path: Path) -> bool:
    """Whether a file is a figure of ours."""
    if path.stat().st_size == 0:  # which cannot be mapped
        return False
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(SIGNATURE.encode()) >= 0


def check_outputs(
    outputs: Mapping[str, tuple[Path | None, FileKind]],
    *,
    inputs: Iterable[str | Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Refuse what cannot or may not be written. Every command calls this before its work.

    The rule: links are followed, and their targets replaced. What is there must be a regular file
    that we wrote (or is empty), unless ``overwrite``; never an input, and no two outputs are one
    file. The suffix is one of its kind's, and the folder can be written, or made.

    Args:
        outputs: option, as the user knows it -> path (None: not asked for) and kind, such as
            ``{"--figure": (figure, FIGURE), "--out": (out, GRAPHML)}``.
        inputs: files and folders that the command reads (None and missing ones count for nothing).
        overwrite: whether a file that is not ours may be replaced.

    Raises:
        InputError: for the first that cannot be written, under the name of its option.

    """
    read = set(identities(inputs))
    taken: dict[Path, str] = {}
    for option, (path, kind) in outputs.items():
        if path is None:
            continue
        with within(option):
            target = check_output(path, kind, overwrite=overwrite)
            if read.intersection(identities([target])):
                raise InputError(f"{path} is read by this command; choose another")
            if target in taken:
                raise InputError(f"{path} is the file of {taken[target]} too; choose another")
        taken[target] = option


def as_path(where: str, path: Any) -> Path:
    """The path that an argument ``where`` of a function is. InputError for what is none."""
    if not isinstance(path, str | Path):
        raise InputError(where, f"the path of a file or folder is needed, not {path!r}")
    return Path(path)


def check_output(path: str | Path, kind: FileKind, *, overwrite: bool = False) -> Path:
    """The file that writing to ``path`` will make or replace, by the rule of `check_outputs`.

    What writes a kind of file calls this. Raises InputError where the file may not be written.
    """
    path = as_path("path", path)
    if kind.suffixes and path.suffix.lower() not in kind.suffixes:
        endings = " or ".join(kind.suffixes)
        raise InputError(f"{path}: name a file that ends in {endings}")
    target = regular_target(path)
    check_folder_of(target)
    if not target.exists():
        return target
    if not os.access(target, os.W_OK):
        raise InputError(f"{path} is write-protected; choose another")
    ours = target.stat().st_size == 0 or kind.is_ours(target)
    if not ours and not overwrite:
        raise InputError(f"{path} exists and is not one of ours; choose another, or overwrite it")
    return target


def regular_target(path: Path) -> Path:
    """The regular file that ``path`` is, or will be, at the end of all links.

    Raises InputError for a folder, a device, a pipe, and for what the standard streams write to.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be written ({reason})") from None
    if not stat.S_ISREG(there.st_mode):
        what = "a folder" if stat.S_ISDIR(there.st_mode) else "no regular file"
        raise InputError(f"{path} is {what}; name a file")
    if _identity(there) in _standard_streams():
        raise InputError(f"{path} is where messages are printed; name a file of its own")
    return Path(os.path.realpath(path))


def check_folder_of(target: Path) -> None:
    """InputError unless the folder of a file can be written, or made."""
    folder, names = target.parent, [target.name]
    while not os.path.lexists(folder) and folder != folder.parent:
        folder, names = folder.parent, [folder.name, *names]
    if not folder.is_dir():
        raise InputError(f"{target} cannot be written: {folder} is no folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{target} cannot be written: the folder {folder} is not open to you")
    if max(len(os.fsencode(name)) for name in names) > LONGEST_NAME:
        raise InputError(f"a name of more than {LONGEST_NAME} bytes: {max(names, key=len)[:40]}...")


def atomic_write(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that no reader, and no crash, ever sees half of it.

    Args:
        path: the file to make or replace, or a link to it; missing parent folders are made.
        content: the bytes, or a function that writes them to the open file (large content).

    The bytes go to a hidden temporary file in the same folder, reach the disk, and take the
    name in one step; owner and permissions of a replaced file are kept. If writing raises, the
    temporary file is removed and `path` is untouched.

    This replaces whatever file is there; who writes for a user calls `check_output` before.

    Raises:
        InputError: `path` is no regular file.
        OSError: the disk, or its rights, do not allow it; names `path`.

    """
    path = Path(path)
    target = regular_target(path)
    # A name of its own: with that of the file before it, it might be too long. Not `tempfile`:
    # its files are readable by their owner alone, and a rename keeps that.
    temporary = target.with_name(f"{HIDDEN}-{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as handle:
            if callable(content):
                content(handle)
            else:
                handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        put_in_place(temporary, target)
    except OSError as error:
        # That of a full disk names no file, and the others name the temporary one.
        reason = error.strerror or str(error)
        raise OSError(error.errno or errno.EIO, reason, str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def put_in_place(new: Path, target: Path) -> None:
    """Rename a file, in one step; it takes the owner and permissions of what it replaces, as far
    as we may give them.
    """
    if target.exists():
        rights = target.stat()
        with suppress(PermissionError, AttributeError):  # there are systems without owners
            os.chown(new, rights.st_uid, rights.st_gid)
        with suppress(PermissionError):
            new.chmod(stat.S_IMODE(rights.st_mode))
    os.replace(new, target)


def identities(paths: Iterable[str | Path | None]) -> Iterator[tuple[int, int]]:
    """What tells files from each other, of those at the paths and those in the folders there."""
    for path in (Path(path) for path in paths if path is not None):
        with suppress(OSError, ValueError):
            for file in [path, *(path.iterdir() if path.is_dir() else ())]:
                with suppress(OSError):
                    yield _identity(file.stat())


def _identity(there: os.stat_result) -> tuple[int, int]:
    return there.st_dev, there.st_ino


def _standard_streams() -> Iterator[tuple[int, int]]:
    for descriptor in (1, 2):
        with suppress(OSError):  # closed
            yield _identity(os.fstat(descriptor))


def json_bytes(value: Any) -> bytes:
    """Indented UTF-8 JSON in the order of the mapping; NumPy scalars and arrays as numbers."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    return (text + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file, which is UTF-8. Raises InputError in one line if it cannot be
    read, also for a key given twice, about which readers of JSON disagree.
    """
    try:
        value = json.loads(
            path.read_text(encoding="utf-8"),
            object_pairs_hook=_without_repetition,
        )
    except RecursionError:
        raise InputError(f"{path} cannot be read: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} cannot be read: it should hold a JSON object")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(
            f"{next(name for name in names if names.count(name) > 1)!r} is there twice"
        )
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(path: Path, wanted: str | None) -> None:
    """InputError where the content of a file has another digest than the one ``wanted``, if any."""
    if wanted is not None and file_digest(path) != wanted:
        raise InputError(
            f"{path} cannot be read: it is not as it was written, but damaged or edited; "
            "make it again"
        )


def unreadable(path: Path, error: Exception) -> InputError:
    """The one-line error for a file that is there but damaged."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return InputError(f"{path} cannot be read ({reason}): it is damaged, make it again")


def slug(text: str) -> str:
    """`text` as a file name: lower case letters, digits and hyphens ("ADOM+" -> "adom-plus").

    At most LONGEST_SLUG; of a longer one the beginning, and a digest of the text.
    """
    words = re.findall(r"[a-z0-9]+", text.lower().replace("+", " plus "))
    name = "-".join(words) or "run"
    if len(name) <= LONGEST_SLUG:
        return name
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{name[: LONGEST_SLUG - 9]}-{digest}"


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
