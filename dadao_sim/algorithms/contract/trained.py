"""The trained numbers of a method as a file: NumPy arrays, and what they were trained for."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.archives import METADATA, Stored, TrainedFiles, write_state
from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, check_output

FORMAT = "dadao_sim trained method 1"
FILES = TrainedFiles(
    key="weights",
    what="the weights of a method",
    folder=Path(__file__).resolve().parents[1] / "weights",
    command="learn-unrolled",
)


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
    path, stored, made = FILES.opened(weights)
    FILES.check_format(path, made, FORMAT)
    try:
        arrays = {name: stored[name] for name in stored if name != METADATA}
    except InputError as error:
        raise FILES.damaged(path) from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise FILES.refused(path, f"{name} is not finite numbers")
    return Trained({name: array.astype(np.float64) for name, array in arrays.items()}, made)


def _is_ours(path: Path) -> bool:
    try:
        return METADATA in Stored(path)
    except InputError:
        return False


TRAINED = FileKind((".npz",), _is_ours)
