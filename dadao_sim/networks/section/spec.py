"""The ``network`` section of a scenario: a graph by name, from a file, or a sequence of either."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Self

from pydantic import Field, Strict, create_model, field_validator, model_validator

from dadao_sim.networks.graphs import GRAPHS, Graph
from dadao_sim.networks.rates.spec import EdgeAttribute, Rates
from dadao_sim.strict import ByKind, Count, FilePath, StrictModel, Text, misuse, one_by_key


class _WithoutAttributes(StrictModel):
    rates: Rates = Field(default="uniform", description="relative gossip rates of the edges")

    @field_validator("rates")
    @classmethod
    def _no_attribute(cls, rates: Any) -> Any:
        if isinstance(rates, EdgeAttribute):
            raise misuse("only a network read from one file has edge attributes; use uniform")
        return rates


class _Built(StrictModel):
    """Keys that stand beside those of a graph: the models of both are made when asked for."""

    def __reduce__(self) -> tuple[Any, ...]:
        # No module has these models by their names: a worker process makes them again.
        section, graph, *_ = type(self).__bases__
        return _restored, (graph, section, self.__getstate__())


EdgeTable = Annotated[
    FilePath | None,
    Field(
        description="CSV of numbers of the edges: the first two columns are the ids of their ends, "
        "the others edge attributes"
    ),
]


class BuiltNetwork(_Built):
    """A graph made from its name."""

    rates: Rates = Field(default="uniform", description="relative gossip rates of the edges")
    ids: Annotated[tuple[Text, ...], Strict(False)] | None = Field(
        default=None, description="what the nodes are called, one text each; 0, 1, ... if absent"
    )
    edge_table: EdgeTable = None

    @model_validator(mode="after")
    def _attributes_come_from_a_table(self) -> Self:
        if isinstance(self.rates, EdgeAttribute) and self.edge_table is None:
            only = "only a network read from a file, or with an edge_table, has edge attributes"
            raise misuse(only, "rates")
        return self


class FileNetwork(StrictModel):
    """A graph read from a file."""

    file: FilePath = Field(description="GraphML file, relative to the scenario file")
    rates: Rates = Field(default="uniform", description="relative gossip rates of the edges")
    edge_table: EdgeTable = None


class BuiltSequence(_Built):
    """Graphs made from a name, one after the other."""

    length: Count = Field(description="number of graphs, after which the first comes again")


class FileSequence(StrictModel):
    """Graphs read from files, one after the other."""

    files: Annotated[tuple[FilePath, ...], Strict(False), Field(min_length=1)] = Field(
        description="GraphML files over the same nodes, relative to the scenario file"
    )


class _EveryGraph(Mapping[str, type[StrictModel]]):
    """The graphs there are, each with the keys of ``section``."""

    def __init__(self, section: type[_Built]):
        self.section = section

    def __getitem__(self, name: str) -> type[StrictModel]:
        return _joined(GRAPHS[name], self.section)

    def __contains__(self, name: object) -> bool:
        return name in GRAPHS

    def __iter__(self) -> Iterator[str]:
        return iter(GRAPHS)

    def __len__(self) -> int:
        return len(GRAPHS)


@cache
def _joined(graph: type[Graph], section: type[_Built]) -> type[_Built]:
    name = graph.__name__ + section.__name__.removeprefix("Built")
    bases: Any = (section, graph)
    return create_model(name, __base__=bases, __doc__=graph.__doc__)


def section_of(graph: type[Graph]) -> type[Any]:
    """The section of a scenario whose network is such a graph."""
    return _joined(graph, BuiltNetwork)


def _restored(graph: type[Graph], section: type[_Built], state: dict[Any, Any]) -> _Built:
    model = _joined(graph, section)
    made = model.__new__(model)
    made.__setstate__(state)
    return made


_BUILT_NETWORKS = ByKind(_EveryGraph(BuiltNetwork), "graph")
_BUILT_SEQUENCES = ByKind(_EveryGraph(BuiltSequence), "graph")


class SequenceNetwork(_WithoutAttributes):
    """A network that changes with time, in a cycle of graphs."""

    sequence: Annotated[
        Annotated[BuiltSequence, _BUILT_SEQUENCES] | FileSequence,
        one_by_key(graph=_BUILT_SEQUENCES, files=FileSequence),
    ] = Field(description="the graphs")


NetworkSpec = Annotated[
    Annotated[BuiltNetwork, _BUILT_NETWORKS] | FileNetwork | SequenceNetwork,
    one_by_key(graph=_BUILT_NETWORKS, file=FileNetwork, sequence=SequenceNetwork),
]
