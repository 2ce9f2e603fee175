"""A method, a problem and a network made ready for exact answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method, Tuning
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.networks.network import Network
from dadao_sim.networks.sequence import GraphSequence
from dadao_sim.theory.equal_curvature import Spectrum
from dadao_sim.theory.linear_events import LinearEvents
from dadao_sim.theory.modes import Modes, modes_of
from dadao_sim.theory.played import ROUNDING, Played, play, play_alike
from dadao_sim.theory.quadratics import Quadratics
from dadao_sim.theory.symmetric import are_nodes_alike, is_alike

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

MOST_STATES = 4000  # numbers in the state of what is solved at once: dense matrices of this side
MOST_CONDITION = 1e7  # L/mu, above which a rate is lost among the roundings
DIGITS = 12  # to which curvatures along two axes must agree to be worked out once


def check_answerable(problem: "Problem", network: Network | GraphSequence) -> None:
    """InputError for a network that has not the nodes of the problem, and for gradients of other
    functions, at whose optimum methods end: no accuracy is that of a way to x*.
    """
    if network.nodes != problem.nodes:
        raise InputError(f"network: has {network.nodes} nodes, but the problem has {problem.nodes}")
    if not problem.has_exact_oracle:
        raise InputError("oracle", "a surrogate answers, whose x* is another", "take exact")


def _check_condition(problem: "Problem", overrides: Mapping[str, float]) -> None:
    """InputError where L/mu, or what a method is told that it is, is too large."""
    mu = min(problem.mu, overrides.get("mu", problem.mu))
    L = max(problem.L, overrides.get("L", problem.L))
    if 0 < mu * MOST_CONDITION * (1 + ROUNDING) < L:
        raise InputError(
            "problem",
            f"L/mu is {L / mu:.3g}",
            f"what is exact is lost among the roundings above {MOST_CONDITION:g}",
        )


@dataclass(frozen=True, eq=False)
class Setting:
    """What a method is on a problem and a network."""

    method: AsynchronousMethod
    problem: "Problem"
    network: Network
    played: Played
    quadratics: Quadratics
    options: Options = NO_OPTIONS

    @classmethod
    def of(
        cls,
        method: str | Method,
        problem: "Problem",
        network: Any,
        overrides: Mapping[str, float] = {},
        options: Options = NO_OPTIONS,
    ) -> "Setting":
        """InputError, with the reason, for what has no exact answer."""
        method = method if isinstance(method, Method) else get_method(method)
        network = as_network(network)
        if not isinstance(method, AsynchronousMethod):
            raise InputError(f"{method.name} plays rounds: its rate is theory.rounds.round_rate")
        if problem.local_step is not None:
            raise InputError("problem", "a local step is not linear", "leave local_step out")
        if len(network.graphs) > 1:
            raise InputError("network", "a sequence of graphs given", "give one graph")
        (graph,) = network.graphs
        check_answerable(problem, graph)
        method.check_supported(problem, graph, options)
        _check_condition(problem, overrides)
        tuning = method.tune(problem, graph, overrides, options)
        played = play(method, tuning, graph)
        return cls(method, problem, graph, played, Quadratics.of(problem), options)

    def with_overrides(
        self, overrides: Mapping[str, float], options: Options | None = None
    ) -> "Setting":
        """The same with other constants."""
        chosen = self.options if options is None else options
        tuning = self.method.tune(self.problem, self.network, overrides, chosen)
        return replace(self, played=self._played(tuning), options=chosen)

    def _played(self, tuning: Tuning) -> Played:
        """With other constants: at one pair of nodes only, if these were alike and still are."""
        if self.nodes_alike and not any(np.ndim(value) for value in tuning.params):
            return play_alike(self.method, tuning, self.network, self.played.flow)
        return play(self.method, tuning, self.network)

    @cached_property
    def nodes_alike(self) -> bool:
        """Whether all nodes and edges have the same functions, and all nodes the same rates."""
        return not self.played.counted and are_nodes_alike(self.played)

    @cached_property
    def modes(self) -> Modes | None:
        """Of a graph on which all nodes and edges are alike, as the method is."""
        alike = is_alike(self.played) and not self.played.counted
        return modes_of(self.network) if alike else None

    @cached_property
    def spectrum(self) -> Spectrum | None:
        """Of the gossip of a method whose nodes are alike, on a graph that need not be."""
        if not self.nodes_alike:
            return None
        self._require_room(1)
        return Spectrum.of(self.played)

    @cached_property
    def coordinates(self) -> tuple[int, ...] | None:
        """Axes along which the nodes decouple, one for each that has other curvatures; None if
        the Hessians do not commute.
        """
        if self.quadratics.axes is None:
            return None
        h = self.quadratics.curvatures
        rounded = np.round(h / np.abs(h).max(), DIGITS)
        return tuple(np.sort(np.unique(rounded, axis=1, return_index=True)[1]).tolist())

    def along(self, coordinate: int) -> LinearEvents:
        """The method along one axis."""
        self._require_room(1)
        return LinearEvents.along(self.played, self.quadratics, coordinate)

    def whole(self) -> LinearEvents:
        """The method in all coordinates at once."""
        self._require_room(self.problem.dimension)
        return LinearEvents.whole(self.played, self.quadratics)

    def systems(self) -> Iterator[LinearEvents]:
        """One for each of ``coordinates``, or the whole."""
        if self.coordinates is None:
            yield self.whole()
        else:
            yield from (self.along(c) for c in self.coordinates)

    def _require_room(self, coordinates: int) -> None:
        size = self.network.nodes * self.played.blocks * coordinates
        if size > MOST_STATES:
            raise InputError(
                "network",
                f"{size} numbers in the state, whose second moment is a matrix",
                f"at most {MOST_STATES} are possible where the nodes or edges are not all alike",
            )
