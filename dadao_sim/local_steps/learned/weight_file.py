"""The weights of a learned proximal network as a file: NumPy arrays with how they were trained."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.archives import TrainedFiles
from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, atomic_write, check_output
from dadao_sim.local_steps.learned.nature import Nature
from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.local_step import LocalStep

LARGEST = np.finfo(np.float32).max
"""What runs on torch has single precision; products of three such numbers are finite in double."""
FORMAT = "dadao_sim learned proximal network 1"
FILES = TrainedFiles(
    key="network",
    what="the weights of a learned network",
    folder=Path(__file__).resolve().parent / "weights",
    command="learn-prior",
)


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

    @property
    def nature(self) -> Nature:
        """See :class:`Nature`."""
        return Nature("fang2024whats", needs_torch=True)

    def local_step(
        self, dimension: int, strength: float, shape: tuple[int, int] | None = None
    ) -> LocalStep:
        """See :func:`learned_step`."""
        require_torch()
        from dadao_sim.local_steps.learned.step import learned_step

        return learned_step(self, dimension, strength)


def _is_ours(path: Path) -> bool:
    """Of whatever sort."""
    try:
        return str(FILES.opened(path)[2]["format"]).startswith("dadao_sim ")
    except InputError:
        return False


WEIGHTS = FileKind((".npz",), _is_ours)


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
    path, stored, metadata = FILES.opened(network)
    FILES.check_format(path, metadata, FORMAT)
    FILES.check_names(path, stored, Weights._fields)
    try:
        arrays = {name: stored[name] for name in Weights._fields}
    except (KeyError, InputError) as error:
        raise FILES.damaged(path) from error
    return _checked(path, arrays), metadata


def _checked(path: Path, arrays: dict[str, NDArray[Any]]) -> Weights:
    """The weights, if they are those of a convex psi."""
    if arrays["skip"].ndim != 2 or arrays["skip"].size == 0:
        raise FILES.refused(path, f"skip has the shape {arrays['skip'].shape}")
    layers, neurons = arrays["skip"].shape
    shapes = {
        **{"hidden": (layers - 1, neurons, neurons), "skip": (layers, neurons)},
        **{"bias": (layers, neurons), "output": (neurons,)},
    }
    for name, array in arrays.items():
        if array.shape != shapes.get(name, ()):
            raise FILES.refused(path, f"{name} has the shape {array.shape}")
        if array.dtype.kind not in ("b" if name == "symmetric" else "fiu"):
            raise FILES.refused(path, f"{name} has the type {array.dtype}")
        if not np.isfinite(array).all():
            raise FILES.refused(path, f"{name} is not finite")
    if min(arrays["output"].min(), arrays["hidden"].min(initial=0.0)) < 0:
        raise FILES.refused(path, "hidden or output has a negative weight: psi is not convex")
    if arrays["beta"] <= 0 or arrays["alpha"] < 0 or arrays["radius"] <= 0:
        raise FILES.refused(path, "beta > 0, alpha >= 0 and radius > 0 are needed")
    return Weights._make(
        array.astype(np.float64) if array.ndim else array.item() for array in arrays.values()
    )
