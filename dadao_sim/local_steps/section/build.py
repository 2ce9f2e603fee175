"""The local step a scenario asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dadao_sim.errors import InputError, within
from dadao_sim.local_steps.blocks import of_blocks
from dadao_sim.local_steps.learned.networks import load_network
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
    with within("0.learned"):  # before the sizes of the others, which follow from the whole
        whole = None if first is None else load_network(first.network).nature.whole
        if whole is not None:
            whole.check(dimension)
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
        return build_learned(spec.learned, dimension, is_first=is_first)


def build_learned(spec: LearnedSpec, dimension: int, *, is_first: bool = False) -> LocalStep:
    """The local step of ``spec.network``, a shipped name or a .npz file, with its strength;
    ``is_first`` of several blocks, where it may see all of x.
    """
    network = load_network(spec.network)
    nature = network.nature
    if spec.shape is not None and not nature.of_pictures:
        raise InputError("shape", f"{spec.network} has none", "leave it out; it is of pictures")
    if nature.whole is not None and not is_first:
        wanted = "it can only be the first of blocks"
        raise InputError("network", f"{spec.network} is {nature.whole.what}", wanted)
    step = network.local_step(dimension, spec.strength, spec.shape)
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
