"""What a method is: a frozen description plus the small functions that are its equations.

Adding a method is one file that ends in an :class:`AsynchronousMethod` or a
:class:`SynchronousMethod`, and one line in ``registry.py`` (or a call of ``register`` from a
notebook).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from dadao_sim.engine import node
from dadao_sim.engine.node import State
from dadao_sim.errors import InputError
from dadao_sim.events.asked import PoissonRates

# The functions of an asynchronous method that the engine calls.
VERBS = (
    *("flow", "gradient", "apply_gradient", "message", "apply_message"),
    *("observe", "reset"),
)


@dataclass(frozen=True)
class Tuning:
    """A method made ready for one problem on one network.

    ``params`` is the NamedTuple that the kernels see; ``constants`` every scalar under its name in
    the paper; ``clock`` None for synchronous methods. ``gossip_rounds`` is the number of rounds of
    gossip in a step, ``communications`` the expected number per unit of time (n gradients),
    ``design_rate`` the number that the method's theory prints for it. ``gossip`` is what a
    synchronous method mixes with. ``prox_step`` is the step at which the method's fixed point knows
    the operator of r; None where it has none. ``costs`` are those of the method unless given.
    """

    params: Any
    constants: dict[str, float]
    communications: float
    design_rate: float
    clock: PoissonRates | None = None
    gossip_rounds: int = 1
    gossip: Any = None
    prox_step: float | None = None
    costs: "Costs | None" = None


class Costs(NamedTuple):
    """What the events of a method cost: per gradient event (or per node and round), and per
    exchange.

    ``vectors`` is the number of vectors of length d that each end of an edge sends in one
    communication; ``in_sequence`` in how many messages, each of which can be sent only after the
    one before has arrived. A number takes ``bits`` of a message; compressed ones come in blocks of
    ``block`` numbers, each with one more at full length, its scale.
    """

    gradients: float = 1.0
    conjugates: float = 0.0
    conjugates_per_gossip: float = 0.0
    vectors: int = 1
    in_sequence: int = 1
    bits: int = 64
    block: int | None = None

    def sent(self, dimension: int) -> tuple[int, int]:
        """Numbers and bytes that each end of an edge sends in one communication."""
        scales = 0 if self.block is None else math.ceil(dimension / self.block)
        bits = self.bits * dimension + 64 * scales
        return self.vectors * (dimension + scales), self.vectors * math.ceil(bits / 8)


@dataclass(frozen=True, kw_only=True)
class Method:
    """What every method declares.

    ``title`` is its name in print, ``family`` its kind in lists, ``reference`` a key of
    ``algorithms/references.bib`` (or a BibTeX entry, or plain text), ``look`` its colour, dash and
    marker in every figure ("blue solid o"; the next free ones where it has none).
    ``tune(problem, network, overrides) -> Tuning``; ``optimum(problem, network, tuning) -> {block:
    (n, d)}`` is a fixed point; ``invariant`` names the blocks whose sum over the nodes gossip
    conserves; ``drifting`` those that the fixed point determines only up to their mean.
    ``start_block`` is the block that x0 fills; ``start`` fills others from it at time 0.
    ``composite`` says whether a local step can be plugged in, and whether a theorem covers it where
    r is convex (and with ``theorem_needs_mu`` the f_i strongly so); ``no_composite`` why not.
    """

    name: str
    title: str = ""
    family: str = "other"
    look: str | None = None
    blocks: tuple[str, ...]
    tune: Callable[[Any, Any, Mapping[str, float]], Tuning]
    reference: str
    optimum: Callable[[Any, Any, Tuning], dict[str, np.ndarray]] | None = None
    start_block: str | None = None
    invariant: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    needs_conjugate: bool = False
    time_varying: bool = False
    stochastic: bool = False
    averaging: bool = False
    composite: Literal["none", "proven", "experimental"] = "none"
    theorem_needs_mu: bool = False
    no_composite: str = "no form of it with a proximal step is known"
    costs: Costs = field(default_factory=Costs)
    start: Callable[[dict[str, np.ndarray]], None] = lambda values: None

    def install(self) -> None:
        """Make the engine know the method; called when it is made, and in each new process."""

    def check_supported(
        self, problem: Any, network: Any, *, stochastic: bool = False, averaging: str = "none"
    ) -> None:
        """Raise InputError, with the reason, for what the method cannot do; nothing is compiled
        before.
        """
        where = f"algorithms: {self.name}"
        if problem.local_step is not None and self.composite == "none":
            raise InputError(f"{where} cannot take a local_step: {self.no_composite}")
        if self.needs_conjugate and not problem.has_conjugate:
            raise InputError(
                f"{where} needs the conjugate gradient, "
                f"which problem {problem.kind!r} does not have"
            )
        if len(network.graphs) > 1 and not self.time_varying:
            raise InputError(f"{where} has no form for time-varying graphs; give it a fixed one")
        if stochastic and not self.stochastic:
            raise InputError(f"{where} has no form for stochastic gradients; leave out batch_size")
        if averaging != "none" and not self.averaging:
            raise InputError(f"{where} keeps no average of its iterates; leave out averaging")

    def is_experimental(self, problem: Any) -> bool:
        """Whether no theorem covers the method on ``problem``: on account of its local step."""
        step = problem.local_step
        if step is None:
            return False
        covered = self.composite == "proven" and step.convex and step.exact
        return not covered or (self.theorem_needs_mu and not problem.is_strongly_convex)

    def tuned(self, problem: Any, network: Any, overrides: Mapping[str, float]) -> Tuning:
        """``tune``, with an InputError where the overridden constants make no sense together."""
        try:
            return self.tune(problem, network, overrides)
        except InputError as error:
            where = f"algorithms: {self.name}"
            if str(error).startswith(where):
                raise
            raise InputError(f"{where}: {error}") from error
        except (ArithmeticError, ValueError) as error:
            given = ", ".join(f"{name}: {value:g}" for name, value in overrides.items())
            raise InputError(
                f"algorithms: {self.name}: the method has no constants with {{{given}}} ({error})"
            ) from error

    def initial_values(
        self, nodes: int, dimension: int, x0: np.ndarray, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Every block at time 0: ``given`` ones, x0 in the start block, zeros elsewhere."""
        values = {block: np.zeros((nodes, dimension)) for block in self.blocks}
        if self.start_block is not None:
            values[self.start_block] = x0
        for name, value in given.items():
            if name not in values:
                raise InputError(
                    f"{self.name}: has no block {name!r}; its blocks are {', '.join(self.blocks)}"
                )
            values[name] = np.broadcast_to(np.asarray(value, dtype=float), (nodes, dimension))
        return values


@dataclass(frozen=True, kw_only=True)
class AsynchronousMethod(Method):
    """A method of flows and events; see ``engine/node.py`` for the meaning of the functions.

    ``params`` is the class of the tuning's params: it selects these functions in the engine. A node
    that lost its state starts from zero in every block, unless ``reset`` says otherwise. With
    ``averaging`` the state has one more block, the running average, and ``params`` a field
    ``averaging``.
    """

    params: type
    flow: Callable[..., None]
    gradient: Callable[..., None]
    apply_gradient: Callable[..., None]
    message: Callable[..., None]
    apply_message: Callable[..., None]
    observe: Callable[..., None]
    reset: Callable[..., None] = node.start_from_zero

    def __post_init__(self) -> None:
        self.install()

    def install(self) -> None:
        """Give the engine's verbs their meaning for ``params``."""
        for verb in VERBS:
            known = getattr(node, verb).implementations.get(self.params)
            if known is not None and not _same_function(known, getattr(self, verb)):
                raise InputError(
                    f"algorithms: {self.name}: {self.params.__qualname__} already selects another "
                    f"{verb}; define a Params class of its own for each method, and again after "
                    "each edit"
                )
        for verb in VERBS:
            getattr(node, verb).register(self.params, getattr(self, verb))


def _same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """By content: a worker process unpickles a new object for every task."""
    return one is other or getattr(one, "__code__", one) == getattr(other, "__code__", other)


@dataclass(frozen=True, kw_only=True)
class SynchronousMethod(Method):
    """A method of rounds over the stacked rows of all nodes.

    ``on_round(state, tuning, objective, k, mark)`` makes step k in place; ``observe(state, tuning,
    objective)`` returns every node's estimate of x* (n, d).
    """

    on_round: Callable[[State, Tuning, Any, int, int], None]
    observe: Callable[[State, Tuning, Any], np.ndarray]
