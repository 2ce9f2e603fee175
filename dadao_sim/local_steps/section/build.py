"""The local step a scenario asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dadao_sim.errors import InputError, within
from dadao_sim.local_steps.blocks import of_blocks
from dadao_sim.local_steps.learned.convex_network import ConvexNetwork, convex_network_step
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights
from dadao_sim.local_steps.learned.filters import Filters, filters_step
from dadao_sim.local_steps.learned.illumination import (
    Illumination,
    check_pixels,
    illumination_step,
)
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.section.spec import BlockSpec, LearnedSpec, LocalStepSpec
from dadao_sim.strict import checked


def build_local_step(section: Any, dimension: int) -> LocalStep:
    """The local step of the ``local_step`` section, as a LocalStepSpec or a mapping.

    Raises InputError naming the key at fault, and for a learned one that needs torch where torch is
    not installed.
    """
    spec: LocalStepSpec = checked(LocalStepSpec, section)
    if spec.quantise is not None:
        return spec.quantise.local_step(dimension)
    if spec.blocks is not None:
        with within("blocks"):
            return build_blocks(spec.blocks, dimension)
    return _build_one(spec, dimension)


def build_blocks(blocks: Sequence[BlockSpec], dimension: int) -> LocalStep:
    """A local step on each of consecutive slices; what no block says of sizes is shared evenly."""
    first = blocks[0].learned
    with within("0.learned"):  # before the sizes of the others, which follow from the picture's
        if first is not None and isinstance(load_network(first.network), Illumination):
            check_pixels(dimension)
    sizes = _sizes(blocks, dimension)
    built = []
    for number, (block, size) in enumerate(zip(blocks, sizes, strict=True)):
        with within(str(number)):
            built.append(_build_one(block, size, is_first=number == 0))
    return of_blocks(built)


def _build_one(
    spec: LocalStepSpec | BlockSpec, dimension: int, *, is_first: bool = False
) -> LocalStep:
    if spec.prox is not None:
        with within("prox"):
            return spec.prox.local_step(dimension)
    assert spec.learned is not None, "there is no other"
    with within("learned"):
        light = build_light(spec.learned, dimension) if is_first else None
        return build_learned(spec.learned, dimension) if light is None else light


def build_learned(spec: LearnedSpec, dimension: int) -> LocalStep:
    """The local step of ``spec.network``, a shipped name or a .npz file, with its strength."""
    return replace(_learned(spec, dimension), settles=spec.settles)


def _learned(spec: LearnedSpec, dimension: int) -> LocalStep:
    network = load_network(spec.network)
    if isinstance(network, Filters):
        return filters_step(network, dimension, spec.strength, spec.shape)
    if spec.shape is not None and not isinstance(network, DenoiserWeights):
        raise InputError("shape", f"{spec.network} has none", "leave it out; it is of pictures")
    if isinstance(network, Illumination):
        raise InputError(
            "network",
            f"{spec.network} is a prior of light, which sees light and reflectance",
            "it can only be the first of blocks",
        )
    if isinstance(network, ConvexNetwork):
        return convex_network_step(network, dimension, spec.strength)
    require_torch()
    if isinstance(network, DenoiserWeights):
        from dadao_sim.local_steps.learned.denoisers import denoising_step

        return denoising_step(network, dimension, spec.strength, spec.shape)
    from dadao_sim.local_steps.learned.step import learned_step

    return learned_step(network, dimension, spec.strength)


def build_light(spec: LearnedSpec, dimension: int) -> LocalStep | None:
    """The same of a prior of light, as the first of several blocks; None where it is none."""
    network = load_network(spec.network)
    if not isinstance(network, Illumination) or spec.shape is not None:
        return None
    step = illumination_step(network, dimension, spec.strength)
    return replace(step, settles=spec.settles)


def _sizes(blocks: Sequence[BlockSpec], dimension: int) -> list[int]:
    known = [block.own_size for block in blocks]
    open_ones = known.count(None)
    left = dimension - sum(size or 0 for size in known)
    share, over = divmod(left, open_ones) if open_ones else (0, left)
    if over or left < 0 or (open_ones and share == 0):
        said = ", ".join("?" if size is None else str(size) for size in known)
        total = "" if open_ones else f" make {dimension - left}"
        raise InputError(
            f"{len(blocks)} blocks of {said}{total}; the dimension is {dimension}, which they must "
            "fill (of task low_light light and reflectance have a block each)"
        )
    return [share if size is None else size for size in known]
