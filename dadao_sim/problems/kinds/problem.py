"""Problem: what the nodes hold, with its exact constants and optimum, whatever the kind."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.compiled.parallel import squared_distances
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.kinds.stages import Agree, Stages
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import written

TOLERANCE = 1e-12
"""Of x*: ||grad F(x*)|| relative to max(||grad F(0)||, mean_i ||grad f_i(x*)||)."""


SHOWN_WORK = 1e6
"""n d^2, up to which what is printed of a problem has its L and mu."""


ProblemClass = Literal["strongly convex", "convex", "non-convex", "operator", "orthogonal"]
"""What can be said of a problem. One of an operator is no minimisation: a zero is wanted. One that
is orthogonal is a minimisation over matrices with orthonormal columns.
"""
CONVEX: tuple[ProblemClass, ...] = ("strongly convex", "convex")


class SampleTerms(NamedTuple):
    """f_i(x) = sum_k phi_ik(<a_ik, x>) + (l2/2) ||x||^2 in numbers, (N,) one node after the other.

    ``squares`` are the ||a_ik||^2, ``curvatures`` the largest second derivatives of the phi_ik.
    """

    squares: FloatArray
    curvatures: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Problem(Carded, ABC):
    """Minimise F(x) = (1/n) sum_i f_i(x), with f_i held by node i, L-smooth and mu-strongly convex.

    Made by :meth:`from_arrays`, :meth:`from_dataset`, :meth:`quadratic`, :meth:`averaging` or
    :meth:`from_objectives`. A kind of problem is a subclass with an ``objective`` for the engine
    and the few methods that only it knows.

    Where ``problem_class`` says so F need not be convex, and any of its stationary points is a
    solution; or there is no F at all, and :meth:`from_operators` makes a problem of operators F_i,
    of whose mean a zero is wanted: what says "gradient" is then F_i. Or x is a matrix whose columns
    are to be orthonormal. Such a problem may know its solutions, or none.
    """

    kind: str
    given_mu: float | None = None
    given_L: float | FloatArray | None = None
    given_x_star: FloatArray | None = None

    # --- What a kind of problem says of itself -------------------------------------------------

    @property
    @abstractmethod
    def nodes(self) -> int:
        """Number of nodes n."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Dimension d of x."""

    @property
    @abstractmethod
    def objective(self) -> Any:
        """The f_i for the engine: a NamedTuple, or an object with the methods of ``oracles``."""

    @property
    def samples(self) -> IntArray | None:
        """Samples per node (n,); None where the f_i have none."""
        return None

    @property
    def has_conjugate(self) -> bool:
        """Whether grad f_i* is known (dual methods need it)."""
        return True

    @property
    def hessians(self) -> Literal["constant", "varying", "unknown"]:
        """Whether :meth:`hessian` answers, and whether the same at every x."""
        return "unknown"

    def hessian(self, x: ArrayLike) -> FloatArray:
        """The Hessian of F at x; (d,) to (d, d). InputError where it is not known."""
        raise InputError(f"the Hessians of kind {self.kind} are not known")

    @abstractmethod
    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""

    @abstractmethod
    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """F(x) - F(origin) - <grad F(origin), x - origin>, for x and origin (d,); never negative,
        and free of the cancellation of that difference.
        """

    @abstractmethod
    def _mu(self) -> float:
        """Smallest mu_i; InputError where it is 0."""

    @abstractmethod
    def _node_L(self) -> FloatArray:
        """L_i of every node (n,)."""

    @abstractmethod
    def _optimum(self) -> FloatArray:
        """The minimiser of F (d,); InputError where it is not unique."""

    @abstractmethod
    def _relabelled(self, order: IntArray) -> "Problem":
        """The same f_i in another order."""

    def with_conjugate(self) -> Any:
        """An objective that also answers conjugate gradients, which need work that is done here."""
        self._require_conjugate()
        return self.objective

    def stochastic_objective(self, batch_size: int) -> Any:
        """An objective whose gradients draw ``batch_size`` samples with replacement.

        They estimate the same f_i without bias. Sample k of a draw is splitmix64(mark + k) mod m_i,
        so that a draw depends on its mark alone. InputError where the f_i have no samples, and for
        a batch_size below 1.
        """
        raise InputError("batch_size", f"kind {self.kind} has no samples to draw", "leave it out")

    @property
    def oracle_objective(self) -> Any:
        """What methods ask for gradients: the ``objective``, unless an inexact oracle answers them.
        What is measured is never measured by it.
        """
        return self.objective

    def with_oracle(self, oracle: Any) -> "Problem":
        """The problem whose ``oracle_objective`` answers by this oracle. InputError where there is
        no choice.
        """
        raise InputError("oracle", f"the gradients of kind {self.kind} have none", "leave it out")

    @property
    def has_exact_oracle(self) -> bool:
        """Whether the ``oracle_objective`` answers for the f_i, and not for others near them, whose
        optimum is another.
        """
        return True

    def sample_objective(self) -> Any:
        """An objective that answers gradients, and those of single samples too, whose mean f_i is
        (``oracles.sample_gradient``). InputError where the f_i have no samples.
        """
        raise self._no_samples()

    @cached_property
    def sample_L(self) -> float:
        """Smoothness of single samples: the largest of all. InputError where the f_i have none."""
        terms, counts = self.sample_terms(), self.samples
        assert counts is not None  # of what is known as sums over samples
        of_all = np.repeat(counts, counts) * terms.curvatures * terms.squares
        return float(of_all.max() + self.l2)

    @property
    def l2(self) -> float:
        """Strength of the term (l2/2) ||x||^2 that every f_i is known to have; 0 without."""
        return 0.0

    def sample_terms(self) -> SampleTerms:
        """The f_i as sums over their samples; InputError where they are not known as such."""
        raise self._no_samples()

    def sample_slopes(self, x: ArrayLike) -> FloatArray:
        """phi_ik'(<a_ik, x>) of all samples, one node after the other; (d,) to (N,). InputError
        as of :meth:`sample_terms`.
        """
        out = np.empty(len(self.sample_terms().squares))
        assert self.samples is not None
        oracles.all_sample_slopes(self.sample_objective(), self.samples, self._point(x), out)
        return out

    def _no_samples(self) -> InputError:
        if self.samples is None:
            return InputError(
                "problem", f"kind {self.kind} has no samples", "give one made of data"
            )
        wrong = f"kind {self.kind} has no gradients of single samples"
        return InputError("problem", wrong, "take a method that needs none")

    # --- Beyond convex sums --------------------------------------------------------------------

    @property
    def problem_class(self) -> ProblemClass:
        """What can be said of F."""
        return "strongly convex" if self.is_strongly_convex else "convex"

    @property
    def posed_class(self) -> ProblemClass:
        """What a method is asked to solve: the class of the problem, unless its stages pose others
        in its place.
        """
        return self.problem_class

    @property
    def is_convex(self) -> bool:
        """Whether F is convex, so that it has an x* that methods go to."""
        return self.problem_class in CONVEX

    @cached_property
    def solutions(self) -> FloatArray | None:
        """The known solutions (k, d), of which any will do; None where none is known. InputError
        where F is convex and x* not unique.
        """
        if self.is_convex or self.given_x_star is not None:
            return self.x_star[None]
        return None

    def nearest_solution(self, X: ArrayLike) -> FloatArray | None:
        """The solution (d,) that is nearest to the rows of X (n, d) all together; None where none
        is known. A problem with a continuum of them has one of them in ``solutions``, and finds the
        nearest here.
        """
        if self.solutions is None:
            return None
        if len(self.solutions) == 1:
            return self.solutions[0]
        points = self._points(X)
        with np.errstate(over="ignore", invalid="ignore"):
            return min(self.solutions, key=lambda x: ((points - x) ** 2).sum())

    def squared_distance(self, X: ArrayLike) -> float:
        """The mean over the nodes of ||X_i - x*||^2, for X (n, d), with the x* that is nearest to
        all of them together where there are several; nan where none is known.
        """
        nearest = self.nearest_solution(X)
        if nearest is None:
            return math.nan
        with np.errstate(over="ignore", invalid="ignore"):
            return float(squared_distances(self._points(X), nearest).mean())

    def mean_operator(self, x: ArrayLike) -> FloatArray:
        """(1/n) sum_i grad f_i(x), for x (d,); of a problem of operators the mean F_i(x)."""
        return self.gradients(np.tile(self._point(x), (self.nodes, 1))).mean(axis=0)

    def stationarity(self, x: ArrayLike) -> float:
        """||grad F(x)||^2, for x (d,); with a local step the square of the gradient mapping at the
        step 1/L, or 1 where there is no L: 0 at solutions alone.
        """
        mean = self.mean_operator(x)
        if self.local_step is not None:
            point = self._point(x)
            try:
                step = 1 / self.L
            except InputError:
                step = 1.0
            mean = (point - self.local_step.prox(point - step * mean, step)) / step
        with np.errstate(over="ignore"):
            return float(mean @ mean)

    def mean_value(self, x: ArrayLike) -> float:
        """F(x), for x (d,), without a local step; InputError of a problem of operators."""
        return float(np.mean([self.value(i, x) for i in range(self.nodes)]))

    @property
    def remark(self) -> str:
        """What is to be known of it before it is run, in a line; empty where there is nothing."""
        return ""

    def require_start(self, x0: FloatArray) -> None:
        """InputError where no method gets away from x0 (n, d)."""

    def orthonormal(self, X: FloatArray, determinant: int = 1) -> FloatArray:
        """The nearest rows to X (n, d) that are matrices with orthonormal columns; of square ones
        with a ``determinant`` of this sign. InputError where x is no matrix.
        """
        wrong = f"orthonormal is of matrices, and the x of {self.kind} is a vector"
        raise InputError("kind", wrong, "use zeros or normal")

    def test_accuracy(self, x: ArrayLike) -> float:
        """Share of the samples that no node holds whose label x (d,) tells. InputError where there
        are none.
        """
        raise InputError("problem", f"kind {self.kind} keeps no samples to test on", "use mlp")

    def check_constants(self, values: Mapping[str, float]) -> None:
        """InputError for constants of a method, by name, that cannot do on this problem."""

    @property
    def stages(self) -> Stages | None:
        """When what the nodes hold changes; None where it never does."""
        return None

    def with_trim(self, trim: Any) -> "Problem":
        """The problem that leaves out samples by this trimming. InputError where there are none."""
        raise InputError("trim", f"kind {self.kind} trims no samples", "leave it out")

    def refreshed(self, k: int, X: FloatArray, agree: Agree) -> "Problem":
        """What the nodes hold in stage k = 1, 2, ..., where X (n, d) is what they found before. The
        method starts again at X. ``agree(values, q)`` is one number for each node (n,), near the
        q-quantile of the ``values`` that the nodes hold, an array each.
        """
        return self

    # --- What follows from it ------------------------------------------------------------------

    def card(self) -> Card:
        """See :class:`Carded`; L and mu where they take no time."""
        facts = {}
        if self.samples is not None:
            least, most = self.samples.min(), self.samples.max()
            each = f"{least}" if least == most else f"{least} to {most}"
            facts["samples"] = f"{self.samples.sum():,}, {each} at a node"
        if self.nodes * self.dimension**2 <= SHOWN_WORK:
            for name in ("L", "mu"):
                with suppress(InputError):
                    facts[name] = f"{getattr(self, name):.4g}"
        facts |= {} if self.is_convex else {"class": self.problem_class}
        facts |= {} if self.local_step is None else {"local step": self.local_step.kind}
        title = f"Problem {self.kind}: {self.nodes:,} nodes, dimension {self.dimension:,}"
        return Card(title, facts)

    @cached_property
    def mu(self) -> float:
        """Strong convexity: the smallest mu_i. InputError where it is 0: not every method needs
        it.
        """
        return self._mu() if self.given_mu is None else self.given_mu

    @cached_property
    def is_strongly_convex(self) -> bool:
        """Whether every f_i is, so that there is a mu."""
        try:
            return self.mu > 0
        except InputError:
            return False

    @property
    def monotonicity(self) -> float:
        """The largest known m with <F_i(u) - F_i(v), u - v> >= m ||u - v||^2 at every node, of
        gradients or operators F_i: mu where there is one, and -L where nothing else is known.
        """
        if self.is_convex:
            return self.mu if self.is_strongly_convex else 0.0
        return -self.L

    @property
    def comonotonicity(self) -> float | None:
        """A rho with <F(u) - F(v), u - v> >= rho ||F(u) - F(v)||^2, of the mean F of the gradients
        or operators: the largest of an operator, 0 of a convex problem, None where none is known.
        """
        return 0.0 if self.is_convex else None

    @cached_property
    def L(self) -> float:
        """Smoothness: the largest L_i."""
        return float(self.node_L.max())

    @cached_property
    def node_L(self) -> FloatArray:
        """Smoothness L_i of each f_i (n,); a given L stands for all."""
        given = self.given_L
        found = self._node_L() if given is None else np.full(self.nodes, given, dtype=float)
        if not np.isfinite(found).all():
            raise InputError("data", "its numbers are too large: L overflows", "rescale them")
        return found

    @cached_property
    def x_star(self) -> FloatArray:
        """The optimum (d,): ||grad F(x*)|| <= 1e-12 max(||grad F(0)||, mean_i ||grad f_i(x*)||)."""
        found = self._optimum() if self.given_x_star is None else self.given_x_star
        if not np.isfinite(found).all():
            raise InputError("data", "its numbers are too large: x* overflows", "rescale them")
        return found

    def suboptimality(self, x: ArrayLike) -> float:
        """F(x) - F(x*), for x (d,). Never negative where F is convex; elsewhere it is where x is
        better than the known solution, and nan where none is known.
        """
        if self.is_convex:
            return self.divergence(x, self.x_star)
        if self.solutions is None or self.problem_class == "operator":
            return math.nan
        return self.mean_value(x) - self.mean_value(self.solutions[0])

    def frank_wolfe_gap(self, x: ArrayLike) -> float:
        """See :meth:`CompositeProblem.frank_wolfe_gap`; InputError without a set."""
        raise InputError(
            "frank_wolfe_gap",
            "the problem has no set",
            "it is of local steps that are sets; give one, such as l1_ball",
        )

    @property
    def local_step(self) -> LocalStep | None:
        """The term r that all nodes share, by its operator; None for a smooth problem."""
        return None

    def with_local_step(self, local_step: LocalStep) -> "Problem":
        """Minimise F(x) + r(x), with r known through ``local_step``."""
        if self.stages is not None:
            raise InputError("local_step", f"{self.kind} with stages takes none", "leave it out")
        from dadao_sim.problems.kinds.composite import composite_problem

        return composite_problem(self, local_step)

    def with_step(self, step: float | None) -> "Problem":
        """The problem that a method solves which applies its local step at ``step``; itself, unless
        the local step is not exact (see :class:`LocalStep`).
        """
        return self

    def gradient(self, i: int, x: ArrayLike) -> FloatArray:
        """Gradient of f_i at x; (d,) to (d,)."""
        out = np.empty(self.dimension)
        oracles.gradient(self.objective, self._node(i), self._point(x), np.uint64(0), out)
        return out

    def gradients(self, X: ArrayLike) -> FloatArray:
        """Row i is grad f_i(X[i]); (n, d) to (n, d)."""
        points = self._points(X)
        out = np.empty_like(points)
        oracles.all_gradients(self.objective, points, np.zeros(self.nodes, np.uint64), out)
        return out

    def conjugate_gradient(self, i: int, y: ArrayLike) -> FloatArray:
        """Gradient of f_i* at y, argmax_x <x, y> - f_i(x); (d,) to (d,)."""
        out = np.empty(self.dimension)
        oracles.conjugate_gradient(self._conjugate, self._node(i), self._point(y), out)
        return out

    def conjugate_gradients(self, Y: ArrayLike) -> FloatArray:
        """Row i is grad f_i*(Y[i]); (n, d) to (n, d)."""
        points = self._points(Y)
        out = np.empty_like(points)
        oracles.all_conjugate_gradients(self._conjugate, points, out)
        return out

    def relabelled(self, order: ArrayLike) -> "Problem":
        """The problem whose node k is node ``order[k]`` of this one, with the same x*, mu and L."""
        given = reals("order", order)
        if not np.array_equal(np.sort(given, axis=None), np.arange(self.nodes)) or given.ndim != 1:
            raise InputError("order", f"not a permutation of the {self.nodes} nodes")
        return self._relabelled(given.astype(np.int64))

    @cached_property
    def _x_star_if_any(self) -> FloatArray | None:
        """x*; None where it is not unique."""
        try:
            return self.x_star
        except InputError:
            return None

    @cached_property
    def _conjugate(self) -> Any:
        return self.with_conjugate()

    def _require_conjugate(self) -> None:
        if not self.has_conjugate:
            raise InputError("objectives", "dual methods need conjugate_gradient(y) at every node")

    def _node(self, i: int) -> int:
        if not isinstance(i, Integral) or isinstance(i, bool) or not 0 <= i < self.nodes:
            given = f"{written(i)} given"
            raise InputError("node", given, f"the problem has nodes 0 to {self.nodes - 1}")
        return int(i)

    def _point(self, x: ArrayLike) -> FloatArray:
        return _shaped(x, (self.dimension,))

    def _points(self, X: ArrayLike) -> FloatArray:
        return _shaped(X, (self.nodes, self.dimension))

    # --- Constructors ----------------------------------------------------------------------------

    @staticmethod
    def from_arrays(
        A: ArrayLike | Sequence[Any],
        b: ArrayLike | Sequence[ArrayLike],
        loss: str,
        mu: float | None = None,
        L: float | None = None,
        weighting: str = "samples",
        **constants: float,
    ) -> "Problem":
        """Linear models from the rows and targets of every node.

        ``A``: (n, m, d), or n arrays or scipy sparse matrices (m_i, d); ``b``: (n, m), or n arrays
        (m_i,). ``loss``: a kind of problem in ``problems/kinds`` or registered, among them

        - ``least_squares``: f_i(x) = (1/m)||A_i x - b_i||^2; mu and L, if given, replace the exact
        - ``ridge``: the same plus (mu/2)||x||^2
        - ``logistic_l2``: (1/m) sum log(1 + exp(-b a.x)) + (mu/2)||x||^2, b = +-1
        - ``huber_l2``: (1/m) sum of Huber(a.x - b; ``delta``, by default 1) + (mu/2)||x||^2

        ``constants`` are those of the loss, such as delta. Sparse matrices are for the first two.

        The last three need mu > 0, the strength of the l2 term. ``weighting`` of uneven nodes:
        ``samples`` replaces 1/m_i by n/N (N all samples), so that x* does not depend on the
        partition; ``uniform`` keeps 1/m_i.

        The arrays are copied. InputError for data that cannot be used, among them masked, complex
        and text arrays, dates and objects: see ``docs/data-and-networks.md``.
        """
        from dadao_sim.problems.kinds.linear_kind import from_arrays

        return from_arrays(A, b, loss, mu=mu, L=L, weighting=weighting, constants=constants)

    @staticmethod
    def from_dataset(
        X: Any,
        y: Any,
        nodes: Any,
        partition: Any = "iid",
        *,
        loss: str,
        mu: float | None = None,
        L: float | None = None,
        weighting: str = "samples",
        labels: Any = None,
        standardise: bool = False,
        intercept: bool = False,
        seed: int = 0,
        **constants: float,
    ) -> "Problem":
        """Linear models of a data set that is split over nodes here.

        ``X``: features of all samples (N, p), an array, a frame of pandas, or for ``least_squares``
        and ``ridge`` a sparse matrix of scipy. ``y``: targets (N,), or the name of a column of the
        frame. ``nodes``: how many, or a network. ``partition``: ``iid``, ``sorted``, a mapping such
        as ``{"kind": "dirichlet", "alpha": 0.3, "sizes": "uneven"}``, or the node of each sample
        (N,), by its number or its id in the network. ``seed`` decides what is random of it, as the
        generator ``default_rng(seed)`` of a scenario would.

        ``labels`` of two classes: which is 1 (``"malignant"``), or ``{"positive": ..., "negative":
        ...}`` with one label or a list for each. ``standardise``: mean 0 and variance 1 of every
        feature. ``intercept``: a last feature 1. The rest as in :meth:`from_arrays`.

        What is given is copied. InputError for what cannot be used.
        """
        from dadao_sim.problems.kinds.dataset import from_dataset

        return from_dataset(
            X,
            y,
            nodes,
            partition,
            loss,
            mu=mu,
            L=L,
            weighting=weighting,
            labels=labels,
            standardise=standardise,
            intercept=intercept,
            seed=seed,
            constants=constants,
        )

    @staticmethod
    def averaging(centres: ArrayLike) -> "Problem":
        """f_i(x) = ||x - c_i||^2/2 for ``centres`` (n, d), copied; x* is their mean."""
        from dadao_sim.problems.kinds.averaging import averaging_problem

        return averaging_problem(centres)

    @staticmethod
    def quadratic(H: ArrayLike, c: ArrayLike) -> "Problem":
        """f_i(x) = x^T H_i x/2 - c_i^T x, for symmetric ``H`` (n, d, d) and ``c`` (n, d), copied.

        mu and L are the extreme eigenvalues over the nodes; InputError where mu would be 0.
        """
        from dadao_sim.problems.kinds.quadratic_problem import quadratic_problem

        return quadratic_problem(H, c)

    @staticmethod
    def from_objectives(
        objectives: Sequence[Any],
        mu: float | None = None,
        L: float | ArrayLike | None = None,
        dimension: int | None = None,
        x_star: ArrayLike | None = None,
        *,
        convex: bool = True,
    ) -> "Problem":
        """Python objects with value(x) and gradient(x), and conjugate_gradient(y) for dual methods.

        mu and L, one or one for each node, must hold for every one of them. Without mu they are
        convex, or not ``convex`` at all; a node's L may be 0, and None where it is not known or
        there is none: then methods need their steps, or an L, among their parameters. Pairs of
        points are tried: InputError names a node whose gradients contradict what is said of it.

        Without ``x_star`` it is found by accelerated gradient steps where there is a mu; InputError
        if they miss the accuracy of :attr:`x_star`, and for a given one that does. One that is not
        convex may be given a stationary point, or several (k, d), any of which will do, or none: it
        is then measured by :meth:`stationarity` alone. Every function is asked at 0 here:
        InputError names the node whose answer is not finite, real, and of the right shape, or which
        fails, there and later.
        """
        from dadao_sim.problems.kinds.python_objective import python_problem

        return python_problem(objectives, mu, L, dimension, x_star, convex=convex)

    @staticmethod
    def from_torch(
        module: Any,
        data: Sequence[Any],
        loss: Any,
        *,
        test: Any = None,
        L: float | None = None,
        weighting: str = "samples",
    ) -> "Problem":
        """A module of torch that the nodes train together (``pip install "dadao-sim[learned]"``).

        ``data``: (inputs, targets) of every node, tensors or arrays with a first axis of samples.
        ``loss(outputs, targets)``: the mean over the samples, such as ``torch.nn.MSELoss()``.
        ``test``: (inputs, labels) for the metric test_accuracy. ``weighting`` as in
        :meth:`from_arrays`; an L may be given, else methods need their steps among their
        parameters.

        x is what is added to the parameters that the module came with: zeros, where a run starts
        unless the scenario says otherwise, are its initialisation. It is copied, in double
        precision and in evaluation mode. Nothing is known of it: it counts as not convex.
        InputError for what cannot be used.
        """
        from dadao_sim.problems.kinds.torch_problem import torch_problem

        return torch_problem(module, data, loss, test=test, L=L, weighting=weighting)

    @staticmethod
    def from_operators(
        operators: Sequence[Any],
        dimension: int,
        *,
        mu: float | None = None,
        L: float | ArrayLike | None = None,
        z_star: ArrayLike | None = None,
    ) -> "Problem":
        """Operators F_i(z), (d,) to (d,), of whose mean a zero is wanted: a saddle point, an
        equilibrium, a fixed point. Functions of Python, one for each node.

        ``mu``: every F_i is strongly monotone with it, <F_i(y) - F_i(z), y - z> >= mu ||y - z||^2;
        ``L`` as in :meth:`from_objectives`, and checked as there. ``z_star`` (d,) or (k, d): zeros
        that are known. There is no value, and no suboptimality.
        """
        from dadao_sim.problems.kinds.python_operator import operator_problem

        return operator_problem(operators, dimension, mu, L, z_star)


def finite_point(name: str, x: ArrayLike, dimension: int) -> FloatArray:
    """``x`` as an array (d,) of its own; InputError names the argument unless it is finite."""
    point = reals(name, x)
    if point.shape != (dimension,) or not np.isfinite(point).all():
        wrong = "nan or infinite" if point.shape == (dimension,) else f"has shape {point.shape}"
        raise InputError(name, wrong, f"({dimension},) finite numbers are needed")
    return point


def _shaped(x: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    point = reals("x", x)
    if point.shape != shape:
        raise InputError(f"an array of shape {point.shape} was given; {shape} is needed")
    return point
