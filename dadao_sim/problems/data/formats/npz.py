"""Archives of NumPy."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.formats.columns import targets_of
from dadao_sim.problems.data.formats.format import Asked, Samples, file_format


@file_format("npz", ".npz")
def npz(path: Path, asked: Asked) -> Samples:
    """Features A or X (N, p) and targets b or y (N,), or those named ``target``."""
    asked.of_a_table_only("npz")
    target = asked.target
    if isinstance(target, int):
        raise InputError("target", f"{path.name} has no column {target}", "give the array's name")
    with zipfile.ZipFile(path) as archive:
        sizes = {
            entry.filename.removesuffix(".npy"): entry.file_size for entry in archive.infolist()
        }

        def one_of(names: list[str], where: str) -> NDArray[Any]:
            there = [name for name in names if name in sizes]
            if len(there) == 1:
                return _array(archive, path, there[0], sizes[there[0]])
            if there:
                wrong, right = f"both {' and '.join(there)}", "one of them"
            else:
                wrong, right = ", ".join(sizes) or "nothing", f"an array named {' or '.join(names)}"
            wrong = wrong if len(wrong) <= 80 else f"{wrong[:77]}..."
            raise InputError(where, f"{path.name} holds {wrong}", f"{right} is needed")

        X = reals(f"path: features in {path.name}", one_of(["A", "X"], "path"), truths=True)
        if asked.points:
            return Samples(X, None)
        named = one_of(["b", "y"], "path") if target is None else one_of([target], "target")
        return Samples(X, targets_of(path, named))


def _array(archive: zipfile.ZipFile, path: Path, name: str, bytes: int) -> NDArray[Any]:
    """An array of an archive. What its entry says of its size is checked before it is unpacked."""
    require_room(Need("path", f"the array {name} of {path.name}", bytes))
    try:
        with archive.open(f"{name}.npy") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError:
        raise InputError("path", f"the array {name} in {path.name} is too large") from None
    except Exception as error:
        said = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise InputError(
            "path", f"the array {name} in {path.name} cannot be read ({said})"
        ) from error
