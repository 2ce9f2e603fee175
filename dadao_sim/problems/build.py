"""From the problem section of a scenario to a Problem; a new kind is one function and one line."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.data import synthetic
from dadao_sim.problems.data.files import DATASETS, Samples, prepared
from dadao_sim.problems.data.partition import partition
from dadao_sim.problems.data.sparse_signal import SparseSignal, sparse_signal
from dadao_sim.problems.kinds.linear_problem import LOSSES
from dadao_sim.problems.problem import FloatArray, Problem


def build_problem(spec: Any, nodes: int, rng: np.random.Generator) -> Problem:
    """The problem of a scenario.

    ``spec`` is a ``ProblemSpec`` or anything with its attributes: kind, mu, weighting, delta, data
    (kind and options), partition (None, or kind, alpha, sizes). Partition and data have streams of
    their own, spawned from ``rng``: the same data are split in different ways. InputError names the
    field at fault.
    """
    if spec.kind not in KINDS:
        raise InputError(f"problem.kind: {spec.kind!r} is not one of {', '.join(KINDS)}")
    return KINDS[spec.kind](spec, nodes, rng)


def _linear(spec: Any, nodes: int, rng: np.random.Generator) -> Problem:
    data_rng, partition_rng = rng.spawn(2)
    if spec.data.kind in (*NODE_DATA, "image") and spec.partition is not None:
        raise InputError(
            f"problem.partition: {spec.data.kind} data are drawn at each node; leave it out"
        )
    if spec.data.kind == "image":
        return _image(spec, nodes, data_rng)
    if spec.data.kind in NODE_DATA:
        A, b = NODE_DATA[spec.data.kind](spec.kind, nodes, spec.data, data_rng)[:2]
        mu, kappa = spec.mu, getattr(spec.data, "condition_number", None)
        if mu is None and kappa is not None and spec.kind != "least_squares":
            mu = l2_strength(A, spec.kind, kappa)
        return Problem.from_arrays(
            A, b, spec.kind, mu=mu, weighting=spec.weighting, delta=spec.delta
        )
    parts, targets = _split(spec, nodes, data_rng, partition_rng)
    return Problem.from_arrays(
        parts, targets, spec.kind, mu=spec.mu, weighting=spec.weighting, delta=spec.delta
    )


def _image(spec: Any, nodes: int, rng: np.random.Generator) -> Problem:
    from dadao_sim.problems.data.image import image_data
    from dadao_sim.problems.kinds.sparse_problem import sparse_problem

    A, b = image_data(spec.data, nodes, rng)
    return sparse_problem(A, b, spec.kind, mu=spec.mu, weighting=spec.weighting)


def picture(spec: Any, nodes: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """The true image and what the nodes saw of it, (size, size) each, nan where none did.

    Of the problem that :func:`build_problem` makes of ``spec`` with a generator in the same state.
    """
    from dadao_sim.problems.data import image

    return image.picture(spec.data, nodes, rng.spawn(2)[0])


def true_signal(spec: Any, nodes: int, rng: np.random.Generator) -> FloatArray:
    """The signal (d,) that data of kind ``sparse_signal`` are made of; ``rng`` as for
    :func:`picture`.
    """
    return _sparse_signal(spec.kind, nodes, spec.data, rng.spawn(2)[0]).signal


def _averaging(spec: Any, nodes: int, rng: np.random.Generator) -> Problem:
    """From normal centres, or from the rows of a file, as many as nodes."""
    data = spec.data
    if data.kind == "synthetic":
        return Problem.averaging(
            synthetic.centres(nodes, data.dim, rng, heterogeneity=data.heterogeneity)
        )
    X, _ = _samples(data, rng, points=True)
    if X.shape[0] != nodes:
        raise InputError(
            f"problem.data: {X.shape[0]} points for {nodes} nodes; averaging needs one per node"
        )
    return Problem.averaging(X)


def l2_strength(A: FloatArray, loss: str, kappa: float) -> float:
    """The mu of the l2 term with which max L_i = kappa mu, for features A (n, m, d)."""
    flat = Problem.from_arrays(A, np.ones(A.shape[:2]), loss, mu=1.0)
    return (flat.L - 1.0) / (kappa - 1.0)


def _samples(data: Any, rng: np.random.Generator, *, points: bool) -> Samples:
    if data.kind not in DATASETS:
        known = ", ".join([*NODE_DATA, "image", *DATASETS])
        raise InputError(f"problem.data.kind: {data.kind!r} is not one of {known}")
    return prepared(
        DATASETS[data.kind](data, points),
        rng,
        standardise=data.standardise,
        limit=data.limit,
        intercept=data.intercept and not points,
    )


def _split(
    spec: Any,
    nodes: int,
    data_rng: np.random.Generator,
    partition_rng: np.random.Generator,
) -> tuple[list[FloatArray], list[FloatArray]]:
    X, y = _samples(spec.data, data_rng, points=False)
    assert y is not None
    if spec.kind == "logistic_l2" and not (np.abs(y) == 1).all():
        labels = np.unique(y)
        found = ", ".join(f"{value:g}" for value in labels[:3]) + ", ..." * (len(labels) > 3)
        raise InputError(f"problem.data: logistic_l2 needs labels -1 and 1; found {found}")
    options = (
        {}
        if spec.partition is None
        else {
            "kind": spec.partition.kind,
            "alpha": spec.partition.alpha,
            "sizes": spec.partition.sizes,
        }
    )
    minimum = X.shape[1] if spec.kind == "least_squares" else 1
    parts = partition(y, nodes, partition_rng, minimum=minimum, **options)
    return [X[part] for part in parts], [y[part] for part in parts]


def _synthetic(
    loss: str, nodes: int, data: Any, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    return synthetic.synthetic(
        loss,
        nodes,
        data.dim,
        data.samples_per_node,
        rng,
        condition_number=data.condition_number,
        heterogeneity=data.heterogeneity,
        noise=data.noise,
    )


def _authors(
    loss: str, nodes: int, data: Any, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    return synthetic.authors(loss, nodes, data.dim, data.samples_per_node, rng)


def _sparse_signal(loss: str, nodes: int, data: Any, rng: np.random.Generator) -> SparseSignal:
    return sparse_signal(
        loss,
        nodes,
        data.dim,
        data.samples_per_node,
        data.nonzeros,
        rng,
        group_size=data.group_size,
        noise=data.noise,
    )


NODE_DATA: dict[str, Callable[..., tuple[FloatArray, ...]]] = {
    "synthetic": _synthetic,
    "authors": _authors,
    "sparse_signal": _sparse_signal,
}
"""Data drawn node by node -> function (loss, nodes, options, rng) -> A, b, ..."""

KINDS: dict[str, Callable[[Any, int, np.random.Generator], Problem]] = {
    **dict.fromkeys(LOSSES, _linear),
    "averaging": _averaging,
}
