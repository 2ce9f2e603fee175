"""The weights of a learned denoiser as a file: NumPy arrays, in half precision, with how they were
trained. What runs on them is in ``denoisers``.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dadao_sim.archives import METADATA, Stored
from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, check_output
from dadao_sim.local_steps.learned.nature import Nature
from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.learned.weight_file import FILES, LARGEST, WEIGHTS
from dadao_sim.local_steps.local_step import LocalStep

FloatArray = NDArray[np.float64]
Shapes = dict[str, tuple[int, ...]]

FORMAT = "dadao_sim denoiser 1"


class DenoiserWeights(NamedTuple):
    """The name of a network in ``NETWORKS``, and its arrays by their names."""

    network: str
    arrays: dict[str, FloatArray]

    @property
    def nature(self) -> Nature:
        """See :class:`Nature`."""
        return Nature(REFERENCES[self.network], needs_torch=True, of_pictures=True)

    def local_step(
        self, dimension: int, strength: float, shape: tuple[int, int] | None = None
    ) -> LocalStep:
        """See :func:`denoising_step`."""
        require_torch()
        from dadao_sim.local_steps.learned.denoisers import denoising_step

        return denoising_step(self, dimension, strength, shape)


def _convolutions(of: Mapping[str, Any]) -> Shapes:
    width = of["c0.bias"].size
    shapes: Shapes = {"c0": (width, 1, 3, 3), "c1": (width, width, 3, 3)}
    shapes |= {"c2": (width, width, 3, 3), "c3": (1, width, 3, 3)}
    return _with_biases(shapes)


def _masked_unet(of: Mapping[str, Any]) -> Shapes:
    a, b, c = (of[f"{name}.bias"].size for name in ("e1", "e2", "e3"))
    shapes: Shapes = {
        "e1": (a, 3, 3, 3),
        "d1": (b, a, 2, 2),
        "e2": (b, b, 3, 3),
        "d2": (c, b, 2, 2),
    }
    shapes |= {"e3": (c, c, 3, 3), "u2": (b, c + b, 3, 3), "u1": (a, b + a, 3, 3)}
    return _with_biases({**shapes, "out": (1, a, 3, 3)})


def _with_biases(shapes: Shapes) -> Shapes:
    both = ((f"{n}.weight", shape) for n, shape in shapes.items())
    return {**dict(both), **{f"{n}.bias": shape[:1] for n, shape in shapes.items()}}


NETWORKS: dict[str, Callable[[Mapping[str, Any]], Shapes]] = {
    "convolutions": _convolutions,
    "masked_unet": _masked_unet,
}
"""What the shapes of the arrays must be, given the arrays; see ``denoisers``."""
REFERENCES = {"convolutions": "davy2025restarted", "masked_unet": "zheng2023empowering"}
"""What is cited for them, keys of references.bib."""


def save_denoiser_weights(
    path: str | Path, weights: DenoiserWeights, metadata: dict[str, Any], *, overwrite: bool = False
) -> None:
    """Write a .npz file; ``metadata`` says how the weights came about."""
    check_output(path, WEIGHTS, overwrite=overwrite)
    said = {**metadata, "format": FORMAT, "network": weights.network}
    arrays: dict[str, Any] = {n: one.astype(np.float16) for n, one in weights.arrays.items()}
    arrays[METADATA] = json.dumps(said, sort_keys=True)
    atomic_write(Path(path), lambda handle: np.savez(handle, **arrays))


def denoiser_weights_in(path: Path, stored: Stored) -> DenoiserWeights:
    """Of a file that is one of these; InputError where they are not whole."""
    network = json.loads(str(stored[METADATA])).get("network")
    if not (isinstance(network, str) and network in NETWORKS):
        raise FILES.refused(path, f"network {str(network)[:60]!r} is none of {', '.join(NETWORKS)}")
    try:
        arrays = {name: np.asarray(stored[name]) for name in stored if name != METADATA}
        shapes = NETWORKS[network](arrays)
    except (InputError, KeyError) as error:
        raise FILES.damaged(path) from error
    if arrays.keys() != shapes.keys():
        raise FILES.damaged(path)
    for name, array in arrays.items():
        fits = array.shape == shapes[name] and array.dtype.kind == "f"
        if not (fits and np.all(np.abs(array) <= LARGEST)):
            raise FILES.refused(path, f"{name} is no finite numbers of the shape {shapes[name]}")
    return DenoiserWeights(network, {name: np.asarray(a, np.float64) for name, a in arrays.items()})
