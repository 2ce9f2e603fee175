"""Where samples come from, as a problem sees it; the sources themselves are in ``data/``."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PrivateAttr, model_validator

from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.memory import Need
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.formats.format import Samples as Samples
from dadao_sim.registration import Registry
from dadao_sim.strict import Count, StrictModel, kinds_of, misuse


@dataclass(frozen=True)
class Wanted:
    """What a problem asks of its samples.

    ``kind`` is that of the problem. ``points``: a point (d,) per node rather than rows and targets.
    ``labels``: targets of -1 and 1. ``sparse``: rows may be scipy's sparse matrices. ``spectrum``
    (dim, samples, kappa): the eigenvalues of A_i^T A_i/m, the largest first, that give the problem
    the condition number kappa; None where its samples do not decide it.
    """

    kind: str
    points: bool = False
    labels: bool = False
    sparse: bool = False
    spectrum: Callable[[int, int, float], FloatArray] | None = None


class DataSource(StrictModel):
    """A source of samples: a class with a ``kind``, its options, and the method that draws them.

    One whose samples are drawn at each node overrides ``rows``, or ``points``, or both; one whose
    samples are yet to be split is a ``SampleSet``. An option ``condition_number``, where it is not
    None, stands for the strength of a problem's l2 term. ``sparse`` is whether rows are scipy's
    sparse matrices.
    """

    sparse: ClassVar[bool] = False

    kind: str

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_stands_beside(cls, data: Any) -> Any:
        if (
            isinstance(data, Mapping)
            and "partition" in data
            and "partition" not in cls.model_fields
        ):
            raise misuse("is a key of the problem, beside data", "partition")
        return data

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """The option at fault and the reason, where these cannot be had; None where they can."""
        if wanted.points and type(self).points is DataSource.points:
            return "kind", f"{wanted.kind} needs points, not regressions; use synthetic"
        if not wanted.points and type(self).rows is DataSource.rows:
            return "kind", f"{wanted.kind} needs regressions, not points; use synthetic"
        return None

    def rows(self, wanted: Wanted, nodes: int, rng: np.random.Generator) -> tuple[Any, Any]:
        """Features and targets: arrays (n, m, d) and (n, m), or n of (m_i, d) and n of (m_i,)."""
        raise NotImplementedError

    def points(self, nodes: int, rng: np.random.Generator) -> FloatArray:
        """A point of each node (n, d)."""
        raise NotImplementedError

    def for_learning(self) -> "DataSource":
        """Where the problems come from that a method is trained on, of streams of their own."""
        return self

    @property
    def dimension(self) -> int:
        """Features of a sample as far as the options tell, at least 1."""
        return int(getattr(self, "dim", 1))

    @property
    def samples_of_a_node(self) -> int:
        """As far as the options tell, at least 1."""
        return int(getattr(self, "samples_per_node", None) or 1)

    def need(self, wanted: Wanted, nodes: int) -> Need:
        """The memory that the samples of so many nodes take while they are made, from the options
        alone; of what is read, the file tells.
        """
        d, m = self.dimension, self.samples_of_a_node
        if wanted.points:
            where = "nodes" if nodes >= d else "dim"
            return Need(where, f"{nodes:,} points of dimension {d:,}", 24 * nodes * d)
        named = {"nodes": nodes, "samples_per_node": m, "dim": d}
        return Need(
            max(named, key=lambda name: named[name]),
            f"{nodes:,} nodes with {m:,} samples of dimension {d:,}",
            8 * (nodes * m * (d + 1) + self.scratch(nodes, m)),
        )

    def scratch(self, nodes: int, samples: int) -> int:
        """Numbers that drawing rows takes besides the rows."""
        return 0

    def beside(self, rows: Any, nodes: int, rng: np.random.Generator) -> dict[str, Any]:
        """What a sparse problem has to carry beside the ``rows``, as fields of it; ``rng`` as it
        was before they were drawn.
        """
        return {}

    @property
    def undivided(self) -> str:
        """Why a partition makes no sense."""
        return f"{self.kind} data are drawn at each node, there is nothing to split"


def require_fit(data: DataSource, wanted: Wanted) -> None:
    """For the validator of a problem with an option ``data``: refuse what cannot be had."""
    refusal = data.refusal(wanted)
    if refusal is not None:
        option, reason = refusal
        raise misuse(reason, "data", option)


Standardise = Annotated[bool, Field(description="give every feature mean 0 and variance 1")]
Components = Annotated[
    Count | None,
    Field(
        description="use the leading principal components, each of variance 1, as the features: "
        "those of what is set aside, or of all samples"
    ),
]
SetAside = Annotated[
    Count | None,
    Field(
        description="samples that no run sees, drawn once for all: methods are trained on problems "
        "of these, and on no others"
    ),
]
Limit = Annotated[Count | None, Field(description="use at most this number of samples")]
Intercept = Annotated[bool, Field(description="append a feature that is 1 for every sample")]


class SampleSet(DataSource):
    """Samples that a partition splits over the nodes; those of a set override ``read``."""

    standardise: Standardise = False
    components: Components = None
    set_aside: SetAside = None
    limit: Limit = None
    intercept: Intercept = False
    _learns: bool = PrivateAttr(default=False)

    def for_learning(self) -> "SampleSet":
        """See :meth:`DataSource.for_learning`: what is set aside. InputError where nothing is."""
        if self.set_aside is None:
            raise InputError("set_aside", "is missing: runs would see what was trained on")
        source = self.model_copy()
        source._learns = True
        return source

    @abstractmethod
    def read(self, *, points: bool) -> Samples:
        """All samples as they are."""

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """None: what is in a set is seen when it is read."""
        return None

    def samples(self, rng: np.random.Generator, *, points: bool = False) -> Samples:
        """The samples as a problem uses them, in this order.

        ``components``: the features, of mean 0 and variance 1 first where ``standardise`` says so,
        become so many principal components. ``set_aside``: the others are left, or for learning
        these. ``limit``: that many of them at random, if there are more. ``standardise``: every
        feature to mean 0 and variance 1 over those that are left (a constant one to 0).
        ``intercept``: a last feature 1, which the l2 term counts like any other; points have none.
        InputError for data that are not finite.
        """
        X, y = self._checked(*self.read(points=points), points)
        good = np.isfinite(X).all(axis=1)
        if y is not None:
            good &= np.isfinite(y)
        if not good.all():
            raise InputError(
                f"sample {int(np.argmin(good))} (from 0) is nan or infinite;"
                " finite numbers are needed"
            )
        order = np.random.default_rng(0).permutation(X.shape[0])  # whatever the repeat
        aside, others = order[: self.set_aside or 0], order[self.set_aside or 0 :]
        if not others.size:
            found = f"{self.set_aside} of {X.shape[0]} samples given"
            raise InputError("set_aside", found, "leave some for the runs")
        if self.components is not None:
            X = standardised(X) if self.standardise else X
            X = whitened(X, X[aside if aside.size else others], self.components)
        if aside.size:
            kept = np.sort(aside if self._learns else others)
            X, y = X[kept], None if y is None else y[kept]
        if self.limit is not None and self.limit < X.shape[0]:
            kept = np.sort(rng.permutation(X.shape[0])[: self.limit])
            X, y = X[kept], None if y is None else y[kept]
        if self.standardise and self.components is None:
            X = standardised(X)
        if self.intercept and not points:
            X = np.column_stack([X, np.ones(X.shape[0])])
        return Samples(X, y)

    def _checked(self, X: Any, y: Any, points: bool) -> Samples:
        """What was read, of the shapes and types it should have."""
        X = _floats(f"features of {self.kind}", X)
        if X.ndim != 2 or 0 in X.shape:
            raise InputError(
                f"features of {self.kind}", f"shape {X.shape} read", "(samples, features) is needed"
            )
        if points:
            return Samples(X, None)
        y = _floats(f"targets of {self.kind}", y)
        if y.shape != X.shape[:1]:
            raise InputError(
                f"targets of {self.kind}", f"shape {y.shape} read", f"{X.shape[:1]} is needed"
            )
        return Samples(X, y)

    def points(self, nodes: int, rng: np.random.Generator) -> FloatArray:
        """The rows (n, d), as many as nodes."""
        X, _ = self.samples(rng, points=True)
        if X.shape[0] != nodes:
            raise InputError(f"{X.shape[0]} points for {nodes} nodes; averaging needs one per node")
        return X


def whitened(X: FloatArray, of: FloatArray, count: int) -> FloatArray:
    """The ``count`` leading principal components of the samples ``of`` (k, p), in X (N, p): each
    has mean 0 and variance 1 over ``of``, and points to where its largest loading is positive.
    InputError where there are fewer.
    """
    mean = of.mean(axis=0)
    with one_blas_thread():
        variances, axes = np.linalg.eigh((of - mean).T @ (of - mean) / len(of))
        variances, axes = variances[::-1], axes[:, ::-1]
        found = int(np.count_nonzero(variances > NEARLY_CONSTANT * variances[0]))
        if count > found:
            raise InputError("components", f"{count} given", f"the samples have {found}")
        axes = axes[:, :count]
        largest = axes[np.abs(axes).argmax(axis=0), np.arange(count)]
        return np.asarray((X - mean) @ (axes * np.sign(largest) / np.sqrt(variances[:count])))


NEARLY_CONSTANT = 1e-11
"""Spread of a feature, relative to its size, from which its mean is too coarse to be taken off."""
LARGE, SMALL = 1e100, 1e-100
"""Sizes and spreads between which squares neither overflow nor vanish."""


def standardised(X: FloatArray) -> FloatArray:
    """Every feature of X (N, p) with mean 0 and variance 1; a constant one is 0.

    A feature is constant if all its values are equal, not if its rounded deviation is 0.
    """
    least, most = X.min(axis=0), X.max(axis=0)
    size = np.maximum(np.abs(least), np.abs(most))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        spread = most - least
        hard = (spread < NEARLY_CONSTANT * size) | (size > LARGE) | (spread < SMALL)
        deviation = X.std(axis=0)
        Z = (X - X.mean(axis=0)) / deviation
    for k in np.flatnonzero(hard):
        Z[:, k] = _standardised_exactly(X[:, k])
    return Z


def _standardised_exactly(x: FloatArray) -> FloatArray:
    """The same of one feature (N,) of any size and spread: both become those of common numbers by
    steps that do not round, powers of two and a difference of near numbers.
    """
    if x.min() == x.max():
        return np.zeros_like(x)
    x = np.ldexp(x, -np.frexp(np.abs(x).max())[1])
    x = x - x[0]
    x = np.ldexp(x, -np.frexp(np.abs(x).max())[1])
    x = x - x.mean()
    return x / x.std()


def _floats(name: str, array: Any) -> FloatArray:
    """The array itself where it is one of float64."""
    return array if type(array) is np.ndarray and array.dtype == np.float64 else reals(name, array)


DATA: Registry[type[DataSource]] = Registry("data", "dadao_sim.problems.data", kinds_of(DataSource))
