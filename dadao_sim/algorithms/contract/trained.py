"""The trained numbers of a method as a file: NumPy arrays, and what they were trained for."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.archives import Stored, write_state
from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, as_path, check_output

FORMAT = "dadao_sim trained method 1"
SHIPPED = Path(__file__).resolve().parents[1] / "weights"
METADATA = "metadata"


class Trained(NamedTuple):
    """The ``arrays`` of a method by name, and how they came about.

    ``made`` names the ``method``, and the ``kind``, ``dimension`` and ``batch_size`` of the
    problems that it was trained on; what else it holds is for people, and for the method.
    """

    arrays: Mapping[str, np.ndarray]
    made: Mapping[str, Any]


def save_trained(path: str | Path, trained: Trained, *, overwrite: bool = False) -> None:
    """Write a .npz file, the same bytes for the same numbers.

    Raises InputError for a path of another suffix, and for a file that is none of ours, unless
    ``overwrite``.
    """
    check_output(path, TRAINED, overwrite=overwrite)
    text = json.dumps({**trained.made, "format": FORMAT}, sort_keys=True)
    write_state(Path(path), {**trained.arrays, METADATA: np.array(text)})


def load_trained(weights: str | Path) -> Trained:
    """The numbers of a shipped file, by its name, or of a .npz file.

    InputError for an unknown name, and for a file that is not one of :func:`save_trained`.
    """
    path = _path(weights)
    if not path.exists():
        raise _refused(path, "there is no such file")
    try:
        stored = Stored(path)
        made = {"format": None, **json.loads(str(stored[METADATA]))}
        arrays = {name: stored[name] for name in stored if name != METADATA}
    except Exception as error:  # the archive, its text, and what the text says
        raise _refused(path, "not the weights of a method, or damaged") from error
    if made["format"] != FORMAT:
        raise _refused(path, f"format {made['format']!r} is not {FORMAT!r}")
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise _refused(path, f"{name} is not finite numbers")
    return Trained({name: array.astype(np.float64) for name, array in arrays.items()}, made)


def shipped_names() -> list[str]:
    """The files that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.npz"))


def is_shipped(weights: str) -> bool:
    """Whether this is the name of a shipped file: a bare word, with hyphens; else it is a path."""
    return re.fullmatch(r"[\w-]+", weights) is not None


def _path(weights: str | Path) -> Path:
    path = as_path("weights", weights)
    if not is_shipped(str(weights)):  # a path has lost the slash at its end
        return path
    names = shipped_names()
    if str(weights) not in names:
        raise InputError(
            "weights",
            f"unknown weights {str(weights)!r} (shipped: {', '.join(names)})",
            "for your own give the path of their .npz file",
        )
    return SHIPPED / f"{weights}.npz"


def _is_ours(path: Path) -> bool:
    try:
        return METADATA in Stored(path)
    except InputError:
        return False


def _refused(path: Path, reason: str) -> InputError:
    return InputError("weights", f"{path}: {reason}", "train with `learn-unrolled`")


TRAINED = FileKind((".npz",), _is_ours)
