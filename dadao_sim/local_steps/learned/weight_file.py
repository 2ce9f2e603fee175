"""The weights of a learned proximal network as a file: NumPy arrays with how they were trained."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.archives import Stored, holds
from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, as_path, atomic_write, check_output

FORMAT = "dadao_sim learned proximal network 1"
SHIPPED = Path(__file__).resolve().parent / "weights"


class Weights(NamedTuple):
    """An input-convex network psi: R -> R of K layers of h neurons, and where to trust it.

    z_1 = s(skip_1 u + bias_1), z_{k+1} = s(hidden_k z_k + skip_{k+1} u + bias_{k+1}),
    psi(u) = <output, z_K> + alpha u^2/2, with s(a) = log(1 + exp(beta a))/beta; where it is
    ``symmetric``, (psi(u) + psi(-u))/2 takes the place of psi. ``hidden`` (K-1, h, h) and
    ``output`` (h,) are not negative, so that psi is convex; ``skip`` and ``bias`` are (K, h).
    ``radius`` bounds the |u| that the network was trained for.
    """

    hidden: NDArray[np.float64]
    skip: NDArray[np.float64]
    bias: NDArray[np.float64]
    output: NDArray[np.float64]
    beta: float
    alpha: float
    radius: float
    symmetric: bool = False


WEIGHTS = FileKind((".npz",), partial(holds, names=(*Weights._fields, "metadata")))


def save_weights(
    path: str | Path, weights: Weights, metadata: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a .npz file; ``metadata`` says how the weights came about.

    Raises InputError for a path of another suffix, and for a file that is none of ours, unless
    ``overwrite``.
    """
    check_output(path, WEIGHTS, overwrite=overwrite)
    text = json.dumps({**metadata, "format": FORMAT}, sort_keys=True)
    arrays: dict[str, Any] = {**weights._asdict(), "metadata": text}
    atomic_write(Path(path), lambda handle: np.savez(handle, **arrays))


def load_weights(network: str | Path) -> tuple[Weights, dict[str, Any]]:
    """The weights and metadata of a shipped network, by its name, or of a .npz file.

    InputError for an unknown name, and for a file that is not one of :func:`save_weights`.
    """
    path = path_of(network)
    if not path.exists():
        raise refused(path, "there is no such file")
    try:
        metadata, arrays = _read(Stored(path))
    except Exception as error:  # the archive, its text, and what the text says
        raise refused(path, "not the weights of a learned network, or damaged") from error
    if metadata["format"] != FORMAT:
        raise refused(path, f"format {metadata['format']!r} is not {FORMAT!r}")
    return _checked(path, arrays), metadata


def _read(stored: Stored) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    metadata = dict(json.loads(str(stored["metadata"])))
    return {"format": None, **metadata}, {name: stored[name] for name in Weights._fields}


def shipped_names() -> list[str]:
    """The networks that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.npz"))


def path_of(network: str | Path) -> Path:
    """A bare word is a shipped network, anything else a file."""
    path = as_path("network", network)
    if not re.fullmatch(r"\w+", str(network)):  # a path has lost the slash at its end
        return path
    names = shipped_names()
    if str(network) not in names:
        raise InputError(
            "network",
            f"unknown network {str(network)!r} (shipped: {', '.join(names)})",
            "for weights of your own give the path of their .npz file",
        )
    return SHIPPED / f"{network}.npz"


def _checked(path: Path, arrays: dict[str, NDArray[Any]]) -> Weights:
    """The weights, if they are those of a convex psi."""
    if arrays["skip"].ndim != 2 or arrays["skip"].size == 0:
        raise refused(path, f"skip has the shape {arrays['skip'].shape}")
    layers, neurons = arrays["skip"].shape
    shapes = {
        **{"hidden": (layers - 1, neurons, neurons), "skip": (layers, neurons)},
        **{"bias": (layers, neurons), "output": (neurons,)},
    }
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()):
            raise refused(path, f"{name} has the shape {array.shape}")
        if array.dtype.kind not in ("b" if name == "symmetric" else "fiu"):
            raise refused(path, f"{name} has the type {array.dtype}")
        if not np.isfinite(array).all():
            raise refused(path, f"{name} is not finite")
    if min(arrays["output"].min(), arrays["hidden"].min(initial=0.0)) < 0:
        raise refused(path, "hidden or output has a negative weight: psi is not convex")
    if arrays["beta"] <= 0 or arrays["alpha"] < 0 or arrays["radius"] <= 0:
        raise refused(path, "beta > 0, alpha >= 0 and radius > 0 are needed")
    return Weights._make(
        array.astype(np.float64) if array.ndim else array.item() for array in arrays.values()
    )


def refused(path: Path, reason: str) -> InputError:
    """What is wrong with a file of weights."""
    return InputError("network", f"{path}: {reason}", "train with `learn-prior`")
