"""A method on a small problem and network, and what makes a function a law of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from dadao_sim.algorithms.contract.method import Method, Tuning
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.events.log import Events
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import DirectedNetwork, GraphSequence, Network
from dadao_sim.networks.directed import AnyNetwork, in_turn
from dadao_sim.networks.graphs import build
from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.bands import bands_problem
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player, replay

NODES, DIMENSION, SAMPLES, BATCH = 7, 3, 8, 2
SIDE = 5
"""Of the bands of a cube, in pixels."""
EVENTS = 600

Blocks = Mapping[str, np.ndarray]
NO_BLOCKS: Blocks = {}
Setting = Literal["fixed", "time-varying", "composite", "directed", "arcs in turn"]


def small_problem(kind: str = "least_squares") -> Problem:
    """Linear models, or points, of seven nodes in three dimensions, all different; or their first
    principal component; or a cube of seven bands.
    """
    rng = np.random.default_rng(0)
    if kind == "bands":
        cube = rng.random((NODES, SIDE, SIDE))
        return bands_problem(cube, cube + 0.1 * rng.standard_normal(cube.shape), blur=0.6, mu=1e-4)
    if kind == "averaging":
        return Problem.averaging(rng.standard_normal((NODES, DIMENSION)))
    A = rng.standard_normal((NODES, SAMPLES, DIMENSION))
    if kind == "pca":
        return pca_problem(A * [2.0, 1.0, 0.5], 1)
    b = A @ np.ones(DIMENSION) + rng.standard_normal((NODES, SAMPLES))
    if kind == "logistic_l2":
        b = np.where(b > 0, 1.0, -1.0)
    return Problem.from_arrays(A, b, kind, mu=None if kind == "least_squares" else 0.3)


def lollipop() -> Network:
    """Seven nodes without any symmetry that a relabelling could hide behind."""
    edges = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6)]
    return Network(NODES, np.array(edges))


def sequence() -> GraphSequence:
    """Three graphs in turn."""
    rng = np.random.default_rng(5)
    return GraphSequence(tuple(build("random_geometric", NODES, rng) for _ in range(3)))


def one_way_lollipop() -> DirectedNetwork:
    """Arcs over the edges of the lollipop, in its clique one way, in its tail both ways."""
    arcs = [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (3, 2), (3, 4), (4, 5), (5, 6)]
    return DirectedNetwork(NODES, np.array([*arcs, (4, 3), (5, 4), (6, 5)]))


@dataclass(frozen=True)
class Case:
    """A method on one problem and network."""

    method: Method
    setting: Setting
    kind: str = "least_squares"

    def __str__(self) -> str:
        return f"{self.setting}, {self.kind}"

    @cached_property
    def network(self) -> AnyNetwork:
        """A lollipop, or three graphs in turn; arcs over one, or halves of them in turn."""
        if self.setting in ("directed", "arcs in turn"):
            whole = one_way_lollipop()
            return whole if self.setting == "directed" else in_turn(whole, 2)
        return sequence() if self.setting == "time-varying" else lollipop()

    @cached_property
    def problem(self) -> Problem:
        """Smooth, or with an l1 norm that all nodes share, a smoothed one if need be; in a ball if
        the method needs a set.
        """
        smooth = small_problem(self.kind)
        if self.method.needs_set:
            return smooth.with_local_step(make("l2_ball", DIMENSION, radius=0.5))
        if self.setting != "composite":
            return smooth
        if self.method.reweights:  # convex, and of an epsilon that is annealed no further
            term = make("lp", DIMENSION, strength=0.2, p=1.0, epsilon=1.0)
            return smooth.with_local_step(term)
        return smooth.with_local_step(make("l1", DIMENSION, strength=0.2))

    @cached_property
    def tuning(self) -> Tuning:
        """The method with its own constants."""
        return self.method.tune(self.problem, self.network)

    @cached_property
    def events(self) -> Events:
        """The first events that the method asks for."""
        clock = clock_of_the_paper(self.tuning, self.network, np.random.SeedSequence(1))
        return clock.window()[:EVENTS]

    @property
    def beginning(self) -> Events:
        """As much of them as laws play several times over: a round is an event of every node."""
        rounds = isinstance(self.method, RoundMethod)
        return self.events[: EVENTS // NODES] if rounds else self.events

    @cached_property
    def optimum(self) -> dict[str, np.ndarray]:
        """The fixed point that the method declares; Skip where it declares none."""
        found = self.method.optimum(self.problem, self.network, self.tuning)
        if found is None:
            raise Skip("declares no fixed point")
        return found

    def rows(self, seed: int) -> np.ndarray:
        """A random row for every node."""
        return self._admitted(np.random.default_rng(seed).standard_normal(self._shape))

    def ones(self) -> np.ndarray:
        """The same row for every node."""
        return self._admitted(np.ones(self._shape))

    @property
    def _shape(self) -> tuple[int, int]:
        return NODES, self.problem.dimension

    def _admitted(self, rows: np.ndarray) -> np.ndarray:
        """Where methods may start."""
        is_matrix = self.problem.problem_class == "orthogonal"
        return self.problem.orthonormal(rows) if is_matrix else rows

    def random_blocks(self, seed: int = 2) -> dict[str, np.ndarray]:
        """A random start of every block."""
        rng = np.random.default_rng(seed)
        shapes = self.method.block_shapes(*self._shape)
        found = {block: rng.standard_normal(shape) for block, shape in shapes.items()}
        of_samples = getattr(self.method, "sample_blocks", ())
        return found | {b: rng.standard_normal(NODES * SAMPLES) for b in of_samples}

    def player(self, blocks: Blocks = NO_BLOCKS, batch_size: int | None = None) -> Player:
        """The method at time 0, from ones, or from given blocks."""
        return make_player(
            *(self.method, self.problem, self.tuning, self.ones(), blocks, batch_size)
        )

    def start(self, rows: np.ndarray) -> dict[str, Any]:
        """Arguments of a replay that begins at ``rows``, whatever the method begins at."""
        name = self.method.start_block if self.method.needs_averaging else "x0"
        return {str(name): rows}

    def replay(
        self, events: Events | None = None, x0: Any = None, blocks: Blocks = NO_BLOCKS
    ) -> dict[str, np.ndarray]:
        """Every block after the events."""
        log = self.events if events is None else events
        given: dict[str, Any] = dict(blocks)
        if x0 is not None:
            given |= self.start(x0)
        return replay(self.method, self.problem, self.network, log, **given)


class Skip(Exception):
    """Raised by a law that does not speak of this method."""


Law = Callable[[Case], None]
LAWS: list[Law] = []


def law(function: Law) -> Law:
    """Add a law; its docstring is one sentence that a broken law prints."""
    LAWS.append(function)
    return function
