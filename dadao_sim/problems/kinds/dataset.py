"""Linear models of a data set that is given in one piece and split over nodes."""

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse

from dadao_sim.errors import InputError, within
from dadao_sim.given import reals, whole
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.files import Labels, as_written, some_of
from dadao_sim.problems.data.frames import table
from dadao_sim.problems.data.partition import PARTITIONS, Partition
from dadao_sim.problems.data.source import standardised
from dadao_sim.problems.kinds.linear_kind import kind_of, loss_of, problem_of
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.strict import ByKind, checked
from dadao_sim.text.lines import written


def from_dataset(
    X: Any,
    y: Any,
    nodes: Any,
    partition: Any,
    loss: str,
    *,
    mu: float | None,
    L: float | None,
    weighting: str,
    labels: Any,
    standardise: bool,
    intercept: bool,
    seed: int,
    constants: Mapping[str, float],
) -> Problem:
    """See :meth:`Problem.from_dataset`."""
    kind = kind_of(loss)
    count = whole("nodes", getattr(nodes, "nodes", nodes))
    X, targets = table(X, y)
    y = _numbers(targets, labels, loss, two_classes=loss_of(kind, loss, constants).labels)
    if standardise:
        if issparse(X):
            raise InputError("standardise", "a sparse matrix would become dense", "leave it out")
        X = standardised(X)
    if intercept:
        ones = np.ones((X.shape[0], 1))
        X = csr_array(hstack([X, ones])) if issparse(X) else np.column_stack([X, ones])
    parts = _parts(partition, y, nodes, count, X.shape[1] if kind.full_rank else 1, seed)
    A, b = [X[part] for part in parts], [y[part] for part in parts]
    return problem_of(kind, loss, A, b, constants, mu, L, weighting)


def _numbers(targets: NDArray[Any], labels: Any, loss: str, *, two_classes: bool) -> FloatArray:
    """The targets as numbers; -1 and 1 where the loss is one of two classes."""
    if labels is not None:
        if not two_classes:
            raise InputError("labels", f"{loss} has no classes", "leave it out")
        given = labels if isinstance(labels, Labels | Mapping) else {"positive": labels}
        with within("labels"):
            mapping = checked(Labels, given)
        return mapping.signs(targets, "y")
    text = targets.dtype.kind == "U"
    if text or (two_classes and not (np.abs(targets) == 1).all()):
        values = np.unique(targets)
        found = some_of(values)
        needed = "numbers are needed"
        if two_classes:
            one = as_written(values[1]) if len(values) == 2 else "{'positive': [...], ...}"
            needed = f"-1 and 1 are needed; say labels={one}"
        raise InputError("y", f"targets {found} given", needed)
    return targets


def _parts(
    partition: Any, y: FloatArray, nodes: Any, count: int, minimum: int, seed: int
) -> list[IntArray]:
    """The samples of every node, by a partition or by what ``partition`` says of each sample."""
    if isinstance(partition, str):
        partition = {"kind": partition}
    if isinstance(partition, Mapping):
        with within("partition"):
            partition = checked(Annotated[Partition, ByKind(PARTITIONS)], partition)
    if isinstance(partition, Partition):
        # The streams of a scenario: the same data are split in the same way here and there.
        rng = np.random.default_rng(seed).spawn(2)[1]
        return partition.split(y, count, rng, minimum=minimum)
    owner = _owners(partition, nodes, count, y.size)
    parts = [np.flatnonzero(owner == i) for i in range(count)]
    few = [i for i in range(count) if parts[i].size < minimum]
    if few:
        wrong = f"node {_called(nodes, few[0])} gets {parts[few[0]].size} samples"
        raise InputError("partition", wrong, f"at least {minimum} are needed at each")
    return parts


def _owners(partition: Any, nodes: Any, count: int, samples: int) -> IntArray:
    """The number of the node that holds each sample (N,), from numbers, or from a network's ids."""
    given = np.asarray(partition)
    if given.shape != (samples,):
        wrong = f"shape {given.shape} given for {samples} samples"
        raise InputError("partition", wrong, "a kind, or the node of each sample, is needed")
    if given.dtype.kind in "OU":
        if not hasattr(nodes, "node"):
            wrong = f"names such as {written(str(given.flat[0]))} given for {count} nodes"
            raise InputError("partition", wrong, "give the network as nodes, which has the names")
        names, place = np.unique(given.astype(str), return_inverse=True)
        with within("partition"):
            return np.array([nodes.node(str(name)) for name in names])[place.reshape(-1)]
    owner = reals("partition", given)
    wrong = (owner != np.floor(owner)) | (owner < 0) | (owner >= count)
    if wrong.any():
        sample = int(wrong.argmax())
        said = f"{owner[sample]:g} given for sample {sample}"
        raise InputError("partition", said, f"numbers of nodes from 0 to {count - 1} are needed")
    return owner.astype(np.int64)


def _called(nodes: Any, node: int) -> str:
    return str(nodes.called(node)) if hasattr(nodes, "called") else str(node)
