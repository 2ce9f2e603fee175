"""Multi-layer perceptrons: small networks whose weights the nodes learn together. Not convex."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, Strict, model_validator

from dadao_sim.errors import InputError, within
from dadao_sim.memory import Need, inside
from dadao_sim.problems.data.arrays import FloatArray, IntArray, scales, stacked
from dadao_sim.problems.data.checks import Weighting
from dadao_sim.problems.data.partition import PARTITIONS, Split
from dadao_sim.problems.data.source import DATA, DataSource, SampleSet, Wanted, require_fit
from dadao_sim.problems.kinds.gradient_oracle import BACKPROP, GradientOracle
from dadao_sim.problems.kinds.kind import ProblemKind
from dadao_sim.problems.kinds.mlp_model import Activation, LossName, Mlp, Order, count_weights
from dadao_sim.problems.kinds.oracle import ORACLES
from dadao_sim.problems.kinds.problem import Problem, ProblemClass
from dadao_sim.strict import ByKind, Count, NotNegative, misuse


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MlpProblem(Problem):
    """Networks of the nodes with their samples, and those that no node holds."""

    model: Mlp
    oracle: GradientOracle
    test_rows: FloatArray
    test_targets: FloatArray

    @property
    def problem_class(self) -> ProblemClass:
        """Whatever the samples, units of a layer can be exchanged: there are many minima."""
        return "non-convex"

    @property
    def nodes(self) -> int:
        """Number of nodes n."""
        return len(self.model.rows)

    @property
    def dimension(self) -> int:
        """Weights d."""
        return count_weights(self.model.sizes)

    @property
    def samples(self) -> IntArray:
        """Samples per node (n,)."""
        return np.array([len(targets) for targets in self.model.targets])

    @property
    def has_conjugate(self) -> bool:
        """The conjugate of what is not convex is of no use."""
        return False

    @property
    def objective(self) -> Mlp:
        """The exact one."""
        return self.model

    @property
    def oracle_objective(self) -> Mlp:
        """See :attr:`Problem.oracle_objective`."""
        return replace(self.model, oracle=self.oracle)

    def with_oracle(self, oracle: Any) -> "MlpProblem":
        """See :meth:`Problem.with_oracle`."""
        if not isinstance(oracle, GradientOracle):
            raise InputError("oracle", f"{oracle.kind} is none of problem mlp", "use backprop")
        return replace(self, oracle=oracle)

    def stochastic_objective(self, batch_size: int) -> Mlp:
        """See :meth:`Problem.stochastic_objective`."""
        if int(batch_size) != batch_size or batch_size < 1:
            raise InputError(
                "batch_size", f"{batch_size} given", "an integer of at least 1 is needed"
            )
        return replace(self.oracle_objective, batch=int(batch_size))

    def value(self, i: int, x: ArrayLike) -> float:
        """f_i(x), for x (d,)."""
        return self.model.value(self._node(i), self._point(x))

    def divergence(self, x: ArrayLike, origin: ArrayLike) -> float:
        """See :meth:`Problem.divergence`; of any sign here, and as fine as the values."""
        point, start = self._point(x), self._point(origin)
        slope = self.mean_operator(start) @ (point - start)
        return float(self.mean_value(point) - self.mean_value(start) - slope)

    @property
    def remark(self) -> str:
        """That gradients come out far from exact."""
        return self.oracle.advice(len(self.model.sizes) - 1)

    def require_start(self, x0: FloatArray) -> None:
        """See :meth:`Problem.require_start`: at zeros all units of a layer are alike, and stay so
        whatever the samples.
        """
        if not x0.any():
            raise InputError(
                "start",
                "zeros keeps the units of every layer of an mlp alike",
                "use kind: normal, shared: true",
            )

    @property
    def l2(self) -> float:
        """See :attr:`Problem.l2`."""
        return self.model.l2

    def live_units(self, x: ArrayLike) -> list[NDArray[np.bool_]]:
        """Which units of every hidden layer are not 0 in all that leads into and out of them, at x
        (d,).
        """
        return self.model.live_units(self._point(x))

    def model_bytes(self, x: ArrayLike) -> int:
        """Of the network at x (d,) without the units that are 0: 8 for each of its weights."""
        live = (int(layer.sum()) for layer in self.live_units(x))
        return 8 * count_weights((self.model.sizes[0], *live, self.model.sizes[-1]))

    def test_accuracy(self, x: ArrayLike) -> float:
        """See :meth:`Problem.test_accuracy`."""
        if not len(self.test_targets):
            raise InputError("problem", "no node is without samples to test on", "set held_out")
        if self.model.loss == "cross_entropy":
            outputs = self.model.outputs(self._point(x), self.test_rows)
            return float((outputs.argmax(axis=1) == self.test_targets).mean())
        if not (np.abs(self.test_targets) == 1).all():
            raise InputError("data", "its targets are not -1 and 1", "leave test_accuracy out")
        outputs = self.model.outputs(self._point(x), self.test_rows)[:, 0]
        return float(((outputs > 0) == (self.test_targets > 0)).mean())

    def _mu(self) -> float:
        raise InputError("mu", "an mlp is not convex", "take a method that needs none")

    def _node_L(self) -> FloatArray:
        raise InputError(
            "L",
            "the gradient of an mlp has no Lipschitz constant",
            "give step, or an L that holds where it goes, among the parameters of the algorithm",
        )

    def _optimum(self) -> FloatArray:
        raise InputError("x_star", "an mlp has none that is known")

    def _relabelled(self, order: IntArray) -> "MlpProblem":
        m = self.model
        model = replace(
            m,
            rows=tuple(m.rows[i] for i in order),
            targets=tuple(m.targets[i] for i in order),
            scale=m.scale[order],
        )
        return replace(self, model=model)


class MlpKind(ProblemKind):
    """A network of dense layers: the square loss of one output, of labels -1 and 1 or numbers, or
    the cross-entropy of as many outputs as classes.
    """

    kind: Literal["mlp"] = Field(description="loss of a network; its weights are x")
    hidden: Annotated[tuple[Count, ...], Strict(False), Field(min_length=1)] = Field(
        description="widths of the hidden layers"
    )
    activation: Activation = Field(default="tanh", description="of the hidden layers")
    loss: LossName = Field(
        default="square",
        description="half the square of one output's error, or the cross-entropy of classes 0, 1, "
        "..., an output each",
    )
    l2: NotNegative = Field(default=0.0, description="factor of ||x||^2/2 in every f_i")
    order: Order = Field(
        default="layers",
        description="of the weights in x: layer by layer, or with all that leads into and out of a "
        "unit together, which needs one hidden layer, and the biases of the outputs at the end",
    )
    oracle: Annotated[GradientOracle, ByKind(ORACLES, below=GradientOracle)] = Field(
        default=BACKPROP, description="where gradients come from"
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="share of a data set that no node holds, for test_accuracy"
    )
    weighting: Weighting = Field(
        default="samples", description="every sample counts the same in F, or every node does"
    )
    data: Annotated[DataSource, ByKind(DATA)] = Field(description="the samples")
    partition: Split = None

    @model_validator(mode="after")
    def _data_fit(self) -> "MlpKind":
        if not isinstance(self.data, SampleSet):
            if self.partition is not None:
                raise misuse(f"{self.data.undivided}; leave it out", "partition")
            if self.held_out:
                raise misuse(f"{self.data.undivided}; leave it out", "held_out")
        if self.order == "units" and len(self.hidden) > 1:
            raise misuse("a unit between two hidden layers shares its weights; use layers", "order")
        require_fit(self.data, Wanted(self.kind))
        return self

    @property
    def dimension(self) -> int:
        """As far as the options tell: a data set has more features."""
        return count_weights((self.data.dimension, *self.hidden, 1))

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The samples."""
        return (inside("data", self.data.need(Wanted(self.kind), nodes)),)

    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """See :meth:`ProblemKind.build`."""
        data_rng, partition_rng = rng.spawn(2)
        with within("data"):
            if not isinstance(self.data, SampleSet):
                A, b = self.data.rows(Wanted(self.kind), nodes, data_rng)
                return self._problem(A, b)
            X, y = self.data.samples(data_rng)
            assert y is not None
            test = data_rng.permutation(len(y))[: round(self.held_out * len(y))]
            kept = np.delete(np.arange(len(y)), test)
            partition = self.partition or PARTITIONS["iid"](kind="iid")
            parts = [kept[part] for part in partition.split(y[kept], nodes, partition_rng)]
            return self._problem([X[k] for k in parts], [y[k] for k in parts], X[test], y[test])

    def _problem(
        self,
        A: Sequence[FloatArray] | FloatArray,
        b: Sequence[FloatArray] | FloatArray,
        test_rows: FloatArray | None = None,
        test_targets: FloatArray | None = None,
    ) -> MlpProblem:
        rows, targets, samples = stacked(A, b)
        ends = np.cumsum(samples)[:-1]
        outputs = 1
        if self.loss == "cross_entropy":
            held = [] if test_targets is None else [test_targets]
            outputs = _classes(np.concatenate([targets, *held]))
        sizes = (rows.shape[1], *self.hidden, outputs)
        return MlpProblem(
            kind=self.kind,
            model=Mlp(
                rows=tuple(np.split(rows, ends)),
                targets=tuple(np.split(targets, ends)),
                scale=scales(samples, self.weighting),
                sizes=sizes,
                activation=self.activation,
                loss=self.loss,
                l2=self.l2,
                order=self.order,
            ),
            oracle=self.oracle,
            test_rows=np.empty((0, rows.shape[1])) if test_rows is None else test_rows,
            test_targets=np.empty(0) if test_targets is None else test_targets,
        )


def _classes(targets: FloatArray) -> int:
    """How many there are; InputError unless they are 0, 1, ... and all of them occur."""
    found = np.unique(targets)
    if len(found) < 2 or (found != np.arange(len(found))).any():
        raise InputError(
            "data",
            "its targets are not classes 0, 1, ... that all occur",
            "use loss: square, or digits with targets: digit",
        )
    return len(found)
