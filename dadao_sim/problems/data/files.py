"""Data sets of samples that are yet to be split over nodes: scikit-learn's own, and files.

A data set is a function (options, rng) -> Samples, entered in ``DATASETS``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.problems.problem import FloatArray


class Samples(NamedTuple):
    """Features X (N, p) and targets y (N,); y is None for a file of points (averaging only)."""

    X: FloatArray
    y: FloatArray | None


def breast_cancer() -> Samples:
    """Wisconsin diagnostic breast cancer: 569 samples, 30 features; benign 1, malignant -1."""
    from sklearn.datasets import load_breast_cancer

    X, y = load_breast_cancer(return_X_y=True)
    return Samples(X, 2.0 * y - 1.0)


def digits() -> Samples:
    """Handwritten digits: 1797 samples, 64 pixels; even digits 1, odd ones -1."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Samples(X, np.where(y % 2 == 0, 1.0, -1.0))


def diabetes() -> Samples:
    """Diabetes progression after a year: 442 samples, 10 features, targets from 25 to 346."""
    from sklearn.datasets import load_diabetes

    return Samples(*load_diabetes(return_X_y=True))


def file(path: str, format: str, target: str | None, points: bool) -> Samples:
    """Samples of a file, nothing mapped: labels of logistic_l2 must be -1 and 1 in the file.

    ``format``: ``svmlight``; ``npz`` with features A or X (N, p) and targets b or y (N,), or those
    named ``target``; ``csv`` with one line of names, targets in the column named ``target`` or else
    the last one; ``auto`` goes by the ending (.npz, .csv, anything else is svmlight). With
    ``points`` there are no targets, and only a column that is named ``target`` is left out.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"problem.data.path: no file {source.name} at {source}")
    if format == "auto":
        format = {".npz": "npz", ".csv": "csv"}.get(source.suffix.lower(), "svmlight")
    if format not in READERS:
        known = ", ".join(["auto", *READERS])
        raise InputError(f"problem.data.format: {format!r} is not one of {known}")
    try:
        samples = READERS[format](source, target, points)
    except InputError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"problem.data.path: {source.name} is no {format} file: {reason}"
        ) from error
    if samples.X.ndim != 2 or 0 in samples.X.shape:
        raise InputError(
            f"problem.data.path: the features in {source.name} have shape {samples.X.shape};"
            " (samples, features) is needed"
        )
    if samples.y is not None and samples.y.shape != samples.X.shape[:1]:
        raise InputError(
            f"problem.data.path: {source.name} has features of shape {samples.X.shape} and targets"
            f" of shape {samples.y.shape}; one target per sample is needed"
        )
    return samples


def _svmlight(path: Path, target: str | None, points: bool) -> Samples:
    from sklearn.datasets import load_svmlight_file

    if target is not None:
        raise InputError("problem.data.target: svmlight files name no columns; leave it out")
    X, y = load_svmlight_file(str(path))
    return Samples(X.toarray(), None if points else y)


def _npz(path: Path, target: str | None, points: bool) -> Samples:
    with np.load(path, allow_pickle=False) as arrays:

        def one_of(names: list[str], field: str) -> FloatArray:
            for name in names:
                if name in arrays:
                    return np.asarray(arrays[name], dtype=np.float64)
            raise InputError(
                f"{field}: {path.name} holds {', '.join(arrays) or 'nothing'};"
                f" an array named {' or '.join(names)} is needed"
            )

        X = one_of(["A", "X"], "problem.data.path")
        if points:
            return Samples(X, None)
        if target is not None:
            return Samples(X, one_of([target], "problem.data.target"))
        return Samples(X, one_of(["b", "y"], "problem.data.path"))


def _csv(path: Path, target: str | None, points: bool) -> Samples:
    import pandas as pd

    table = pd.read_csv(path)
    if target is not None and target not in table.columns:
        raise InputError(
            f"problem.data.target: no column {target!r} in {path.name};"
            f" it has {', '.join(map(str, table.columns))}"
        )
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(
                f"problem.data.path: column {column!r} of {path.name} is not numeric;"
                " numbers below one line of names are needed"
            )
    if target is None and not points:
        target = table.columns[-1]
    y = None if target is None else table.pop(target).to_numpy(np.float64)
    return Samples(table.to_numpy(np.float64), None if points else y)


READERS: dict[str, Callable[[Path, str | None, bool], Samples]] = {
    "svmlight": _svmlight,
    "npz": _npz,
    "csv": _csv,
}

DATASETS: dict[str, Callable[[Any, bool], Samples]] = {
    "breast_cancer": lambda options, points: breast_cancer(),
    "digits": lambda options, points: digits(),
    "diabetes": lambda options, points: diabetes(),
    "file": lambda options, points: file(options.path, options.format, options.target, points),
}
"""Name of a data set -> function (options, points) -> Samples."""


def prepared(
    samples: Samples,
    rng: np.random.Generator,
    *,
    standardise: bool,
    limit: int | None,
    intercept: bool,
) -> Samples:
    """The samples as a problem uses them, in this order.

    ``limit``: that many of them at random, if there are more. ``standardise``: every feature to
    mean 0 and variance 1 over those that are left (a constant one to 0). ``intercept``: a last
    feature 1, which the l2 term counts like any other. InputError for data that are not finite.
    """
    X, y = samples
    good = np.isfinite(X).all(axis=1) if y is None else np.isfinite(X).all(axis=1) & np.isfinite(y)
    if not good.all():
        raise InputError(
            f"problem.data: sample {int(np.argmin(good))} (from 0) is nan or infinite;"
            " finite numbers are needed"
        )
    if limit is not None and limit < X.shape[0]:
        kept = np.sort(rng.permutation(X.shape[0])[:limit])
        X, y = X[kept], None if y is None else y[kept]
    if standardise:
        deviation = X.std(axis=0)
        X = (X - X.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    if intercept:
        X = np.column_stack([X, np.ones(X.shape[0])])
    return Samples(X, y)
