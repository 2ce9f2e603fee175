"""The scenario: one question asked of the simulator, typed and strict.

These classes are the reference of the scenario file: every field says what it means, and its unit.
Time is in mean gradient intervals of a node. ``reading`` reads YAML into a ``Scenario``.
"""

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dadao_sim import plugins
from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.options import PAPER
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.schedules import StepSchedule
from dadao_sim.archives import is_bare
from dadao_sim.compression import Compression
from dadao_sim.errors import InputError
from dadao_sim.events.world.node_ids import NumbersOfNodes
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.local_steps.section.spec import LocalStepSpec
from dadao_sim.local_steps.terms import TERMS, Term
from dadao_sim.metrics import ALWAYS, METRICS, Metric
from dadao_sim.networks.mixing import MIXINGS
from dadao_sim.networks.rates.spec import EdgeAttribute, Rates
from dadao_sim.networks.section.spec import NetworkSpec
from dadao_sim.problems.kinds.kind import PROBLEMS, ProblemKind
from dadao_sim.problems.kinds.oracle import OneOracle
from dadao_sim.problems.kinds.trim import Trim
from dadao_sim.results.axes import AXES, Terms, not_counted
from dadao_sim.results.figure_kinds import FIGURE_KINDS
from dadao_sim.results.look import FigureSpec
from dadao_sim.strict import (
    LARGEST,
    SMALLEST,
    BelowOne,
    ByKind,
    Count,
    FilePath,
    NameIn,
    NotNegative,
    Positive,
    StrictModel,
    Text,
    from_the_scenario_folder,
    misuse,
    suggestion,
)
from dadao_sim.text.cards import Card, Carded, flow
from dadao_sim.text.labels import (
    EXPERIMENTAL,
    LONGEST_LABEL,
    bad_maths,
    cannot_be_shown,
    looks,
    printed_name,
)
from dadao_sim.text.lines import shown

# Every run reaches them sooner or later; an accuracy it may never reach.
STOP_LIMITS = ("time", "gradients_per_node", "communications")


MOST_ROUNDS = 10_000
"""Of Chebyshev gossip, for one step."""
Rounds = Annotated[int, Field(ge=1, le=MOST_ROUNDS)]


def _rounds_or_auto(given: Any) -> Any:
    """InputError in one line, where a union would tell what each of its members lacks."""
    whole = isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= MOST_ROUNDS
    if given is None or given == "auto" or whole:
        return given
    raise misuse(f"must be auto, or a whole number from 1 to {MOST_ROUNDS:,}, got {shown(given)}")


def _set_or_factors(given: Any) -> Any:
    if isinstance(given, Mapping):
        for name, factor in given.items():
            number = isinstance(factor, int | float) and not isinstance(factor, bool)
            if not isinstance(name, str) or not name:
                raise misuse(f"{shown(name)} is no name of a constant")
            if not number or not 0 < factor < math.inf:
                raise misuse(f"must be a finite number above 0, got {shown(factor)}", name)
            if not SMALLEST <= factor <= LARGEST:
                sizes = f"of a size from {SMALLEST:g} to {LARGEST:g}"
                raise misuse(f"must be {sizes}, got {shown(factor)}", name)
    if isinstance(given, Mapping) or (isinstance(given, str) and given):
        return given
    raise misuse(f"must be the name of a set, or a mapping of factors, got {shown(given)}")


def _name_and_set(algorithm: Mapping[str, Any]) -> str:
    chosen = algorithm["constants"]
    if chosen == PAPER:
        return str(algorithm["name"])
    return f"{METHODS[algorithm['name']].title}, {chosen if isinstance(chosen, str) else 'tuned'}"


def _shown_as_it_is(label: str) -> str:
    if why := cannot_be_shown(label):
        raise misuse(f"{shown(label)} {why}")
    return label


Label = Annotated[
    str, Field(min_length=1, max_length=LONGEST_LABEL), AfterValidator(_shown_as_it_is)
]


def _file_or_shipped(weights: str, info: ValidationInfo) -> str:
    return weights if is_bare(weights) else from_the_scenario_folder(weights, info)


SIZES_OF_SETS = ("radius", "total", "lower", "upper")


def _with_a_radius(ball: Any) -> Any:
    if isinstance(ball, Mapping) and isinstance(ball.get("kind"), str):
        term = TERMS.get(ball["kind"])
        known = term.model_fields if term is not None and term.is_set else {}
        if "radius" in known.keys() - ball.keys() and ball.keys() <= known.keys():
            raise misuse("is missing; it is a length in x", "radius")
    return ball


AlgorithmName = Annotated[Text, NameIn(METHODS), Field(description="registered name")]


class AlgorithmSpec(StrictModel):
    """A method, and what of it differs from the paper."""

    name: AlgorithmName
    constants: Annotated[Text | dict[Text, float], BeforeValidator(_set_or_factors)] = Field(
        default=PAPER,
        description="set of constants by name (paper, and what the method has beside it), or what "
        "the paper's are multiplied by",
    )
    label: Label = Field(
        default_factory=_name_and_set,
        description="name in tables and figures, unlike all others; the method's if absent",
    )
    rates: Rates | None = Field(
        default=None, description="gossip rates for this one only; those of the network if absent"
    )
    rate_factor: Positive = Field(
        default=1.0, description="gossip rates, in multiples of the method's own"
    )
    batch_size: Count | None = Field(
        default=None, description="samples of a stochastic gradient; the full gradient if absent"
    )
    oracle: OneOracle | None = Field(
        default=None, description="where gradients come from, instead of problem.oracle"
    )
    local_step: LocalStepSpec | None = Field(
        default=None, description="for this one only; that of the scenario if absent"
    )
    trim: Trim | None = Field(
        default=None, description="which samples are left out, instead of problem.trim"
    )
    averaging: Literal["none", "events", "time"] = Field(
        default="none", description="average reported for a node: over its events, or over time"
    )
    mixing: Annotated[Text, NameIn(MIXINGS)] | None = Field(
        default=None,
        description="matrix of a method of rounds; I - Laplacian/lambda_max (laplacian) if absent",
    )
    chebyshev: Annotated[Literal["auto"] | Rounds | None, BeforeValidator(_rounds_or_auto)] = Field(
        default=None,
        description="rounds of Chebyshev gossip in the place of each round of a method of rounds, "
        "or auto",
    )
    compression: Compression | None = Field(
        default=None, description="of the messages of a method that compresses; its own if absent"
    )
    schedule: StepSchedule | None = Field(
        default=None, description="factor of the steps of a method of rounds; 1 if absent"
    )
    lookahead: Lookahead | None = Field(
        default=None,
        description="of a method of rounds: every so many of them a share of the way is taken back",
    )
    asleep: Count | None = Field(
        default=None,
        description="of a method of rounds: how many nodes, drawn anew in each round, keep their "
        "values in it, which the others still read; none if absent",
    )
    ball: Annotated[Term, ByKind(TERMS), BeforeValidator(_with_a_radius)] | None = Field(
        default=None,
        description="set of a method such as scion that minimises linear functions over it, where "
        "there is no local_step; its radius is a length in x",
    )
    time_unit: Literal["given", "auto"] | None = Field(
        default=None, description="in a world, instead of world.time_unit"
    )
    weights: Annotated[Text, AfterValidator(_file_or_shipped)] | None = Field(
        default=None,
        description="what was trained of a method with layers, by learn-unrolled: name of shipped "
        "weights, or an .npz file, relative to the scenario file",
    )
    parameters: dict[Text, float] = Field(
        default={}, description="constants of the method to override, under the paper's names"
    )

    @model_validator(mode="before")
    @classmethod
    def _constants_are_parameters(cls, data: Any) -> Any:
        for key, value in data.items() if isinstance(data, Mapping) else ():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and isinstance(key, str) and _is_no_key(key, cls.model_fields):
                if key in SIZES_OF_SETS:
                    right = f"{{kind: ..., {key}: ...}}"
                    raise misuse(
                        f"unknown key; it is one of a set: give local_step: {{prox: {right}}}, or "
                        f"ball: {right} of a method such as scion",
                        key,
                    )
                raise misuse(f"unknown key; constants go into parameters: {{{key}: ...}}", key)
        return data

    @field_validator("rates")
    @classmethod
    def _no_attribute(cls, rates: Any) -> Any:
        if isinstance(rates, EdgeAttribute):
            raise misuse("edge attributes are read with the network: use network.rates")
        return rates


def _is_no_key(word: str, known: Collection[str]) -> bool:
    return word not in known and "did you mean" not in suggestion(word, known)


def _spelt_out(algorithm: Any) -> Any:
    if isinstance(algorithm, str):
        return {"name": algorithm}
    if isinstance(algorithm, Mapping | AlgorithmSpec):
        return algorithm
    raise misuse(f"must be a name or a mapping, got {shown(algorithm)}")


Algorithm = Annotated[
    AlgorithmSpec, BeforeValidator(_spelt_out, json_schema_input_type=AlgorithmName | AlgorithmSpec)
]


class StartSpec(StrictModel):
    """x0 of every node."""

    kind: Literal["zeros", "normal", "orthonormal", "states"] = Field(
        default="zeros",
        description="zeros, drawn at each node (normal, or matrices with orthonormal columns), or "
        "what an earlier run ended with",
    )
    scale: Positive = Field(
        default=1.0,
        description="standard deviation of each coordinate of normal; factor of orthonormal",
    )
    shared: bool = Field(default=False, description="one draw for all nodes")
    determinant: Literal["positive", "negative"] = Field(
        default="positive", description="that of orthonormal ones that are square; methods keep it"
    )
    file: FilePath | None = Field(
        default=None,
        description="of states: final_states/LABEL-rREPEAT.npz of a result, or one of numpy.savez, "
        "relative to the scenario file; of every repeat",
    )
    block: Text = Field(default="x", description="in the file, the start of each node (n, d)")

    @model_validator(mode="after")
    def _no_option_is_idle(self) -> "StartSpec":
        if self.kind == "states" and self.file is None:
            raise misuse("is missing: which states?", "file")
        drawn = ("normal", "orthonormal")
        of_kinds: dict[str, tuple[str, ...]] = {
            "scale": drawn,
            "shared": drawn,
            "determinant": ("orthonormal",),
            "file": ("states",),
            "block": ("states",),
        }
        for name, kinds in of_kinds.items():
            if self.kind in kinds:
                continue
            if getattr(self, name) != type(self).model_fields[name].default:
                known = " and ".join(kinds)
                verb = "have" if len(kinds) > 1 else "has"
                raise misuse(f"only kind {known} {verb} it, and kind is {self.kind}", name)
        return self


class ClockSpec(StrictModel):
    """How fast the nodes compute."""

    node_rates: NumbersOfNodes = Field(
        default=None,
        description="gradients per unit of time of each node: one number per node, or a mapping of "
        "nodes' ids; 1 if absent",
    )


class StopSpec(StrictModel):
    """When a run ends: at whichever comes first."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [limit]} for limit in STOP_LIMITS]}
    )

    time: Positive | None = Field(
        default=None, description="simulated time, in mean gradient intervals"
    )
    gradients_per_node: Positive | None = Field(default=None, description="mean over the nodes")
    communications: Positive | None = Field(
        default=None, description="edge activations, of all edges"
    )
    accuracy: BelowOne | None = Field(
        default=None,
        description="mean squared distance to x*, relative to that of the start; where no x* is "
        "known, squared norm of the mean gradient at the mean of the nodes instead",
    )
    until: dict[Text, float] | None = Field(
        default=None,
        description="by metric, the value at or below which a run ends, or at or above of one that "
        "rises; those of your own are to be in record.metrics",
    )

    @model_validator(mode="after")
    def _ends(self) -> "StopSpec":
        if all(getattr(self, limit) is None for limit in STOP_LIMITS):
            limits = ", ".join(STOP_LIMITS)
            raise misuse(f"a run might never end: give at least one of {limits}")
        return self


class RecordSpec(StrictModel):
    """What is kept of a run."""

    points: Annotated[int, Field(ge=2)] = Field(
        default=200, description="samples of a run that goes to its limits"
    )
    spacing: Literal["geometric", "linear"] = Field(
        default="geometric", description="of the samples in time: equal ratios, or equal steps"
    )
    metrics: Annotated[tuple[Annotated[Text, NameIn(METRICS)], ...], Strict(False)] = Field(
        default=(),
        description="what is measured too: stationarity, objective, test_accuracy, or of your "
        "own (docs/your-own.md)",
    )

    @field_validator("metrics")
    @classmethod
    def _once_each(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        for k, name in enumerate(metrics):
            if name not in ALWAYS and (why := bad_maths(METRICS[name].label)):
                raise misuse(f"the title of {name!r} {why}", k)
            if name in metrics[:k]:
                raise misuse(f"{name!r} is named before; leave it out", k)
        return metrics

    @property
    def more_metrics(self) -> tuple[Metric, ...]:
        """Those that are not measured in every run anyway."""
        return tuple(METRICS[name] for name in self.metrics if name not in ALWAYS)


class CostSpec(StrictModel):
    """What things cost, in one unit of your own."""

    gradient: NotNegative = Field(default=1.0, description="cost of a gradient of one node")
    communication: NotNegative = Field(default=1.0, description="cost of an activation of one edge")
    byte: NotNegative | None = Field(default=None, description="cost of a byte sent; 0 if absent")
    second: NotNegative | None = Field(
        default=None, description="cost of a second of a world; 0 if absent"
    )
    joule: NotNegative | None = Field(
        default=None, description="cost of a joule of report.energy; 0 if absent"
    )
    relaxation: NotNegative | None = Field(
        default=None,
        description="cost of a sweep of a gradient oracle, one where it is exact; 0 if absent",
    )


class EnergySpec(StrictModel):
    """What takes how many joules; nothing if absent."""

    gradient: NotNegative | None = Field(default=None, description="a gradient of one node")
    communication: NotNegative | None = Field(default=None, description="an activation of an edge")
    byte: NotNegative | None = Field(default=None, description="a byte sent")
    second: NotNegative | None = Field(
        default=None, description="a second of a world, all nodes together, whatever they do"
    )
    relaxation: NotNegative | None = Field(
        default=None, description="a sweep of a gradient oracle, one where it is exact"
    )


Quantity = Annotated[Text, NameIn(AXES)]


class ReportSpec(StrictModel):
    """What the tables show."""

    accuracies: Annotated[tuple[BelowOne, ...], Strict(False), Field(min_length=1)] = Field(
        default=(1e-2, 1e-4, 1e-6), description="accuracies whose cost is reported, decreasing"
    )
    cost: CostSpec = Field(default=CostSpec(), description="prices of the total cost")
    energy: EnergySpec | None = Field(default=None, description="what takes how many joules")
    quantities: Annotated[tuple[Quantity, ...], Strict(False), Field(min_length=1)] | None = Field(
        default=None,
        description="what the tables show of each accuracy, in order; if absent communications, "
        "gradients, time, cost and bits",
    )

    @field_validator("quantities")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for k, name in enumerate(names or ()):
            if name in (names or ())[:k]:
                raise misuse(f"{name!r} is named before; leave it out", k)
        return names

    @field_validator("accuracies")
    @classmethod
    def _decreasing(cls, accuracies: tuple[float, ...]) -> tuple[float, ...]:
        for k in range(1, len(accuracies)):
            if accuracies[k] >= accuracies[k - 1]:
                raise misuse(f"must be below the one before it, got {accuracies[k]}", k)
        return accuracies


class Scenario(Carded, StrictModel):
    """A question asked of the simulator: a problem, a network, and the algorithms to compare."""

    name: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=LONGEST_LABEL)
    ] = Field(description="names the result's folder: letters, digits and . _ - only")
    seed: Annotated[int, Field(ge=0, lt=2**128)] = Field(
        default=0, description="of all random streams"
    )
    repeats: Count = Field(
        default=1, description="runs of each algorithm, with random streams of their own"
    )
    plugins: Annotated[tuple[FilePath, ...], Strict(False)] = Field(
        default=(),
        description="Python files with methods, problems, graphs and so on of your own, relative "
        "to the scenario file; see docs/your-own.md",
    )
    problem: Annotated[ProblemKind, ByKind(PROBLEMS)] = Field(description="what is minimised")
    local_step: LocalStepSpec | None = Field(
        default=None, description="term r added to the problem, by its prox or what stands for one"
    )
    network: NetworkSpec = Field(description="who can talk to whom")
    algorithms: Annotated[tuple[Algorithm, ...], Strict(False), Field(min_length=1)] = Field(
        description="the methods to compare: names, or mappings with overrides and a label"
    )
    start: StartSpec = Field(default=StartSpec(), description="x0 of every node")
    clock: ClockSpec = Field(default=ClockSpec(), description="how fast the nodes compute")
    world: WorldSpec | None = Field(
        default=None, description="the physical world; Poisson clocks and unit rounds if absent"
    )
    stop: StopSpec = Field(description="when a run ends: at whichever comes first")
    record: RecordSpec = Field(default=RecordSpec(), description="what is kept of a run")
    report: ReportSpec = Field(default=ReportSpec(), description="what the tables show")
    figures: Annotated[tuple[FigureSpec, ...], Strict(False)] | None = Field(
        default=None, description="what is drawn beside the standard figure; see docs/figures.md"
    )

    @model_validator(mode="before")
    @classmethod
    def _load_plugins(cls, data: Any, info: ValidationInfo) -> Any:
        # Before all else: what the other keys can say depends on them.
        named = data.get("plugins") if isinstance(data, Mapping) else None
        for number, path in enumerate(named if isinstance(named, list | tuple) else ()):
            if isinstance(path, str) and path:
                try:
                    plugins.load(from_the_scenario_folder(path, info))
                except InputError as error:
                    raise misuse(str(error), "plugins", number) from None
        return data

    @field_validator("algorithms")
    @classmethod
    def _no_two_print_alike(
        cls, algorithms: tuple[AlgorithmSpec, ...]
    ) -> tuple[AlgorithmSpec, ...]:
        seen: dict[tuple[Any, ...], int] = {}
        for number, spec in enumerate(algorithms):
            title = METHODS[spec.name].title
            if why := cannot_be_shown(title):
                raise misuse(f"the title of {spec.name!r} {why}", number, "name")
            printed = printed_name(spec.label, spec.name, title).removesuffix(EXPERIMENTAL)
            for name in dict.fromkeys((spec.label, printed)):  # one in files, the other in print
                if seen.setdefault(looks(name), number) != number:
                    other = seen[looks(name)]
                    is_same = algorithms[other].label == spec.label
                    said = "is the label" if is_same else "prints like the name"
                    reason = f"{name!r} {said} of algorithms.{other}; give each its own"
                    raise misuse(reason, number, "label")
        return algorithms

    @model_validator(mode="after")
    def _one_of_clock_and_world(self) -> "Scenario":
        if self.world is not None and self.clock.node_rates is not None:
            raise misuse("a world has its own; use world.nodes.slowness", "clock", "node_rates")
        for number, algorithm in enumerate(self.algorithms):
            if self.world is None and algorithm.time_unit is not None:
                raise misuse("needs a world", "algorithms", number, "time_unit")
        return self

    @model_validator(mode="after")
    def _until_what_is_measured(self) -> "Scenario":
        measured = (*ALWAYS, *self.record.metrics)
        for name in self.stop.until or ():
            if name == "accuracy":
                raise misuse("has a key of its own: stop.accuracy", "stop", "until", name)
            if name not in measured:
                near = suggestion(name, measured)
                reason = f"is not measured; name it in record.metrics{near}"
                raise misuse(reason, "stop", "until", name)
        return self

    @model_validator(mode="after")
    def _can_be_computed(self) -> "Scenario":
        terms = Terms.of(self.to_mapping())
        name, why = not_counted(terms.prices, terms)
        if why:
            raise misuse(why, "report", "cost", name)
        for number, name in enumerate(self.report.quantities or ()):
            if why := self._lacks(name, terms, None):
                raise misuse(f"{name}: {why}", "report", "quantities", number)
        for number, figure in enumerate(self.figures or ()):
            for panel, name in enumerate(figure.x):
                if why := self._lacks(name, terms, figure.algorithms):
                    raise misuse(f"{name}: {why}", "figures", number, "x", panel)
        return self

    def _lacks(self, axis: str, terms: Terms, labels: Collection[str] | None) -> str:
        """Why those algorithms (None: all) cannot be put on an axis; empty if they can."""
        if why := AXES[axis].lacks(terms):
            return why
        drawn = [one for one in self.algorithms if labels is None or one.label in labels]
        without = [one.label for one in drawn if not isinstance(METHODS[one.name], RoundMethod)]
        if axis == "rounds" and without:
            return f"{', '.join(without)} {'has' if len(without) == 1 else 'have'} none"
        return ""

    @model_validator(mode="after")
    def _figures_are_of_what_runs(self) -> "Scenario":
        labels = [algorithm.label for algorithm in self.algorithms]
        measured = {name: METRICS[name] for name in (*ALWAYS, *self.record.metrics)}
        files: dict[str, int] = {}
        for number, figure in enumerate(self.figures or ()):
            if (unknown := figure.unknown_label(labels)) is not None:
                keys, wrong = unknown
                raise misuse(wrong, "figures", number, *keys)
            kind = FIGURE_KINDS[figure.kind]
            if why := kind.lacks(figure.kind, self.problem, measured):
                raise misuse(why, "figures", number, "kind")
            for keys, name in figure.measured:
                if name not in measured:
                    hint = suggestion(name, measured)
                    raise misuse(f"{shown(name)} is not measured{hint}", "figures", number, *keys)
            log = measured[figure.y].log if figure.y_scale == "auto" else figure.y_scale == "log"
            if log and figure.kind == "curves" and figure.y_limits and figure.y_limits[0] <= 0:
                why = f"must be above 0, for the axis of {figure.y} is logarithmic"
                raise misuse(f"{why}; or say y_scale: linear", "figures", number, "y_limits", 0)
            if files.setdefault(figure.file.casefold(), number) != number:
                other = files[figure.file.casefold()]
                raise misuse(f"is the file of figures.{other} too", "figures", number, "file")
        return self

    def to_mapping(self) -> dict[str, Any]:
        """Plain data, defaults included, that ``scenario_from_mapping`` makes equal to this."""
        return self.model_dump(mode="json", exclude_none=True)

    def card(self) -> Card:
        """See :class:`Carded`; what is not said is as it is by default."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        said["algorithms"] = [algorithm.label for algorithm in self.algorithms]
        facts = {name: flow(value) for name, value in said.items() if name != "name"}
        return Card(f"Scenario {self.name}", facts)
