"""The network of a scenario: a graph by name, from a file, or a sequence of either."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    Strict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dadao_sim.strict import (
    Count,
    FilePath,
    Positive,
    StrictModel,
    Text,
    misuse,
    one_by_key,
    shown,
)

GraphName = Literal[
    "star",
    "complete",
    "cycle",
    "path",
    "grid_2d",
    "torus_2d",
    "hypercube",
    "barbell",
    "lollipop",
    "random_geometric",
    "erdos_renyi",
    "barabasi_albert",
    "watts_strogatz",
    "random_regular",
    "exponential",
]
# What a graph takes beside its number of nodes; those not listed take nothing.
GRAPH_OPTIONS: dict[str, tuple[str, ...]] = {
    "grid_2d": ("rows", "columns"),
    "torus_2d": ("rows", "columns"),
    "barbell": ("clique", "bridge"),
    "lollipop": ("clique", "tail"),
    "random_geometric": ("radius",),
    "erdos_renyi": ("probability",),
    "barabasi_albert": ("attach",),
    "watts_strogatz": ("neighbours", "probability"),
    "random_regular": ("degree",),
}


class EdgeAttribute(StrictModel):
    """Gossip rates from the network file."""

    attribute: Text = Field(description="edge attribute that holds the relative gossip rates (> 0)")


RateMethod = Literal[
    "uniform",
    "metropolis",
    "degree",
    "effective_resistance",
    "max_lambda2",
    "min_resistance",
    "exact",
    "first_order",
    "auto",
]


class ComputedRates(StrictModel):
    """Gossip rates computed from the graph."""

    method: RateMethod = Field(description="how; auto is the certified optimum")
    solver: Text | None = Field(default=None, description="exact: an installed solver by name")
    time_limit: Positive | None = Field(
        default=None, description="seconds; the best rates found by then are taken"
    )
    prune: bool = Field(default=False, description="drop edges of negligible rate, solve again")
    shared: bool = Field(
        default=True, description="sequences: one rate per edge for all graphs, or one per graph"
    )


_rates_by_key: Any = one_by_key(method=ComputedRates, attribute=EdgeAttribute).func


def _rates_of_some_kind(rates: Any, info: ValidationInfo) -> Any:
    if isinstance(rates, Mapping):
        return _rates_by_key(rates, info)
    if rates in ("uniform", "optimal") or isinstance(rates, EdgeAttribute | ComputedRates):
        return rates
    known = "uniform, optimal, {method: NAME} or {attribute: NAME}"
    raise misuse(f"must be {known}, got {shown(rates)}")


Rates = Annotated[
    Literal["uniform", "optimal"] | ComputedRates | EdgeAttribute,
    BeforeValidator(_rates_of_some_kind),
]


class _Built(StrictModel):
    graph: GraphName = Field(description="name of the graph")
    nodes: Annotated[int, Field(ge=2)] = Field(description="number of nodes n")
    degree: Count | None = Field(
        default=None, description="random_regular: neighbours of every node"
    )
    probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="erdos_renyi: of an edge; watts_strogatz: of rewiring one"
    )
    radius: Positive | None = Field(
        default=None, description="random_geometric: longest edge, in sides of the unit square"
    )
    rows: Count | None = Field(default=None, description="grid_2d, torus_2d: rows")
    columns: Count | None = Field(default=None, description="grid_2d, torus_2d: columns")
    clique: Count | None = Field(default=None, description="barbell, lollipop: nodes of a clique")
    bridge: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="barbell: nodes between the two cliques"
    )
    tail: Count | None = Field(default=None, description="lollipop: nodes of the tail")
    neighbours: Count | None = Field(
        default=None, description="watts_strogatz: neighbours in the ring before rewiring"
    )
    attach: Count | None = Field(
        default=None, description="barabasi_albert: edges of each new node"
    )

    @property
    def options(self) -> dict[str, int | float]:
        """The options that were given, for ``networks.builders.build``."""
        values = {name: getattr(self, name) for name in GRAPH_OPTIONS.get(self.graph, ())}
        return {name: value for name, value in values.items() if value is not None}

    @model_validator(mode="after")
    def _options_are_of_the_graph(self) -> "_Built":
        known = GRAPH_OPTIONS.get(self.graph, ())
        for name in sorted({option for options in GRAPH_OPTIONS.values() for option in options}):
            if getattr(self, name) is not None and name not in known:
                takes = f"takes {' and '.join(known)}" if known else "takes no option"
                raise misuse(f"{self.graph} has no such option; it {takes}", name)
        return self


class _WithoutAttributes(StrictModel):
    rates: Rates = Field(default="uniform", description="relative gossip rates of the edges")

    @field_validator("rates")
    @classmethod
    def _no_attribute(cls, rates: Any) -> Any:
        if isinstance(rates, EdgeAttribute):
            raise misuse("only a network read from one file has edge attributes; use uniform")
        return rates


class BuiltNetwork(_WithoutAttributes, _Built):
    """A graph made from its name."""


class FileNetwork(StrictModel):
    """A graph read from a file."""

    file: FilePath = Field(description="GraphML file, relative to the scenario file")
    rates: Rates = Field(default="uniform", description="relative gossip rates of the edges")


class BuiltSequence(_Built):
    """Graphs made from a name, one after the other."""

    length: Count = Field(description="number of graphs, after which the first comes again")


class FileSequence(StrictModel):
    """Graphs read from files, one after the other."""

    files: Annotated[tuple[FilePath, ...], Strict(False), Field(min_length=1)] = Field(
        description="GraphML files over the same nodes, relative to the scenario file"
    )


class SequenceNetwork(_WithoutAttributes):
    """A network that changes with time, in a cycle of graphs."""

    sequence: Annotated[
        BuiltSequence | FileSequence, one_by_key(graph=BuiltSequence, files=FileSequence)
    ] = Field(description="the graphs")


NetworkSpec = Annotated[
    BuiltNetwork | FileNetwork | SequenceNetwork,
    one_by_key(graph=BuiltNetwork, file=FileNetwork, sequence=SequenceNetwork),
]
