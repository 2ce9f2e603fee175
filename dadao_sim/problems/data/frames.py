"""Samples given from Python, in one piece: arrays, frames of pandas, sparse matrices of scipy."""

from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.text.lines import listed, written


class Table(NamedTuple):
    """Features (N, p), dense or in CSR, and targets (N,), numbers or text."""

    X: Any
    y: NDArray[Any]


def table(X: Any, y: Any) -> Table:
    """Features and targets of all samples; ``y`` may be the name of a column of a frame ``X``.

    InputError for what is no table of numbers, for missing ones, and where X and y have different
    indices of pandas.
    """
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:
        X, y = _parts_of_a_frame(X, y)
    elif isinstance(y, str):
        raise InputError("y", f"{written(y)} given, and X has no columns with names", "give y")
    features: Any = _sparse(X) if issparse(X) else reals("X", X, truths=True)
    if features.ndim != 2 or 0 in features.shape:
        raise InputError("X", f"shape {features.shape} given", "(samples, features) is needed")
    targets = _targets(y)
    if targets.shape != features.shape[:1]:
        wrong = f"shape {targets.shape} given for {features.shape[0]} samples"
        raise InputError("y", wrong, "one target per sample is needed")
    good = np.isfinite(targets) if targets.dtype.kind == "f" else np.ones(targets.shape, bool)
    if issparse(features):
        bad_rows = np.repeat(np.arange(features.shape[0]), np.diff(features.indptr))
        good[bad_rows[~np.isfinite(features.data)]] = False
    else:
        good &= np.isfinite(features).all(axis=1)
    if not good.all():
        wrong = f"sample {int(np.argmin(good))} (from 0) is nan or infinite"
        raise InputError("X and y", wrong, "finite numbers are needed")
    return Table(features, targets)


def _parts_of_a_frame(X: Any, y: Any) -> tuple[Any, Any]:
    """The numbers of a frame, without the column ``y`` where that is a name, and the targets."""
    twice = X.columns[X.columns.duplicated()]
    if len(twice):
        raise InputError("X", f"it has the column {_column(twice[0])} twice", "rename one")
    if isinstance(y, str) or _is_a_number(y):
        if y not in X.columns:
            raise InputError("y", f"no column {_column(y)} in X", f"it has {listed(X, 100)}")
        X, y = X.drop(columns=y), X[y]
    elif hasattr(y, "index") and hasattr(y, "iloc") and not X.index.equals(y.index):
        raise InputError("y", "its index is not that of X", "X and y need their rows in one order")
    for name, kind in zip(X.columns, X.dtypes, strict=True):
        if getattr(kind, "kind", "O") not in "biuf":
            wrong = f"column {_column(name)} holds {kind} values, no numbers"
            raise InputError("X", wrong, "drop it, or make numbers of it")
        missing = X[name].isna()
        if missing.any():
            wrong = f"column {_column(name)}, sample {int(missing.argmax())} (from 0) is missing"
            raise InputError("X", wrong, "finite numbers are needed")
    return X.to_numpy(dtype=np.float64), y


def _is_a_number(y: Any) -> bool:
    """Whether ``y`` can but name a column: pandas numbers those of an array."""
    return isinstance(y, Real) and not isinstance(y, bool)


def _column(name: Any) -> str:
    return written(name.item() if hasattr(name, "item") else name)


def _sparse(X: Any) -> csr_array:
    if X.dtype.kind not in "biuf":
        raise InputError("X", f"a sparse matrix of {X.dtype} given", "real numbers are needed")
    made = csr_array(X, dtype=np.float64, copy=True)
    made.sum_duplicates()
    return made


def _targets(y: Any) -> NDArray[Any]:
    """Numbers, or text; true and false are text."""
    if getattr(y, "ndim", 1) == 2 and (1 in y.shape or hasattr(y, "iloc")):
        raise InputError("y", f"shape {y.shape} given", "a list of targets is needed, no table")
    if hasattr(y, "isna") and y.isna().any():
        wrong = f"sample {int(y.isna().to_numpy().argmax())} (from 0) is missing"
        raise InputError("y", wrong, "a target of each sample is needed")
    array = y if issparse(y) else np.asarray(y)
    if array.dtype.kind == "O" and all(isinstance(one, str) for one in array.flat):
        array = array.astype(str)
    if array.dtype.kind == "b":
        return np.where(array, "true", "false")
    return array if array.dtype.kind == "U" else reals("y", y)
