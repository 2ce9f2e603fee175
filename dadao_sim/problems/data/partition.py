"""Partitions of samples over nodes, every sample on exactly one; those there are in ``data/``."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.checks import refuse_options_of_others
from dadao_sim.registration import Registry
from dadao_sim.strict import ByKind, StrictModel, kinds_of


class Partition(StrictModel):
    """How samples are split over the nodes: a class with a ``kind``, its options and ``order``."""

    kind: str
    sizes: Literal["equal", "uneven"] = Field(default="equal", description="samples per node")

    @model_validator(mode="before")
    @classmethod
    def _refuse_options_of_others(cls, data: Any) -> Any:
        refuse_options_of_others(cls, data, PARTITIONS, {})
        return data

    @abstractmethod
    def order(self, targets: FloatArray, sizes: IntArray, rng: np.random.Generator) -> IntArray:
        """An order of the samples (N,), which the nodes take in turn, ``sizes[i]`` each."""

    def split(
        self, targets: FloatArray, nodes: int, rng: np.random.Generator, *, minimum: int = 1
    ) -> list[IntArray]:
        """Indices of the samples of every node, each sample once, at least ``minimum`` per node.

        InputError if there are not enough samples.
        """
        counts = node_sizes(
            targets.size, nodes, rng, uneven=self.sizes == "uneven", minimum=minimum
        )
        order = self.order(targets, counts, rng)
        if not np.array_equal(np.sort(order), np.arange(targets.size)):
            raise InputError("partition", f"the order of {self.kind} is not each sample once")
        return np.split(order, np.cumsum(counts)[:-1])


def node_sizes(
    samples: int, nodes: int, rng: np.random.Generator, *, uneven: bool, minimum: int
) -> IntArray:
    """Samples per node (nodes,), which add up to ``samples``: equal up to one, or uneven.

    Uneven ones are proportional to log-normal draws (sigma 1) above the minimum.
    """
    if samples < nodes * minimum:
        raise InputError(
            f"{samples} samples for {nodes} nodes, which need at least {minimum} each;"
            f" at most {samples // minimum} nodes are possible"
        )
    spare = samples - nodes * minimum
    if uneven:
        weights = rng.lognormal(size=nodes)
    else:
        weights = np.ones(nodes)
        spare, minimum = samples, 0
    exact = spare * weights / weights.sum()
    counts = np.floor(exact).astype(np.int64)
    # The largest remainders get what rounding down has left over.
    counts[np.argsort(counts - exact, kind="stable")[: spare - counts.sum()]] += 1
    return counts + minimum


def iid_unless_said(data: Any) -> Any:
    """A partition of no kind is at random."""
    return {"kind": "iid", **data} if isinstance(data, Mapping) else data


PARTITIONS: Registry[type[Partition]] = Registry(
    "partition", "dadao_sim.problems.data", kinds_of(Partition)
)
Split = Annotated[
    Annotated[Partition, ByKind(PARTITIONS), BeforeValidator(iid_unless_said)] | None,
    Field(description="how a data set is split over the nodes; iid and equal if absent"),
]
"""Of a kind of problem whose data may be a data set."""
