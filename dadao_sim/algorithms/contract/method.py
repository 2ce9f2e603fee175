"""What a method is: a frozen description plus the small functions that are its equations.

Adding a method is one file that ends in an :class:`AsynchronousMethod` or a
:class:`~dadao_sim.algorithms.contract.rounds.RoundMethod`: in ``algorithms/`` it is found there, in
a user's own file by ``plugins:`` of a scenario, in a notebook by ``register``.
"""

import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from dadao_sim.algorithms.contract.asked import Asked, asked_of_events
from dadao_sim.algorithms.contract.by_load import ByLoad
from dadao_sim.algorithms.contract.chebyshev import Chebyshev
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.gossip import Weights, normalised
from dadao_sim.algorithms.contract.guarantee import Promise
from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.options import AVERAGINGS, NO_OPTIONS, PAPER, Options
from dadao_sim.algorithms.contract.schedules import Schedule
from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.compression import Compressor
from dadao_sim.engine import node
from dadao_sim.errors import InputError, place_of, within
from dadao_sim.events.asked import PoissonRates
from dadao_sim.given import reals
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.reweighting import Reweighted
from dadao_sim.local_steps.terms import TERMS
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import AnyNetwork, DirectedNetwork, DirectedSequence
from dadao_sim.problems.kinds.averaging import AveragingProblem
from dadao_sim.problems.kinds.problem import CONVEX
from dadao_sim.strict import suggestion

if TYPE_CHECKING:
    from dadao_sim.problems import Problem


# (x, g, mean, constants) -> block: rows; see RoundMethod and AsynchronousMethod.
FixedPoint = Callable[..., Mapping[str, Any]]
# The functions of an asynchronous method that the engine calls.
VERBS = (
    *("flow", "gradient", "apply_gradient", "message", "speak", "apply_message"),
    *("send", "receive", "observe", "reset"),
)


Cover = Literal["proven", "experimental"]
SOLVED = {
    "convex": "minimises convex functions",
    "non-convex": "those that are not",
    "operator": "solves operators",
    "orthogonal": "minimises over matrices with orthonormal columns",
}
"""What a method can be for, in words."""
IS_ONE = {
    "convex": "is convex",
    "non-convex": "is not convex",
    "operator": "is one of operators",
    "orthogonal": "is one of matrices with orthonormal columns",
}
"""What a problem is that a method is not for, in words."""


@dataclass(frozen=True)
class Tuning:
    """A method made ready for one problem on one network.

    ``params`` is what its functions see of its constants, ``constants`` every scalar under its name
    in the paper; ``clock`` None for methods of rounds. ``communications`` is the expected number
    per unit of time (n gradients), ``design_rate`` the number that the method's theory prints for
    it. ``asked`` is what it asks of nodes and edges of ``network``. ``weights`` (graph -> W),
    ``chebyshev`` and ``compressor`` are the gossip of methods of rounds, ``schedule`` what their
    steps are multiplied by, ``lookahead`` what pulls them back, ``asleep`` how many nodes sleep
    in a round, ``ball`` the set over which linear functions are minimised. ``scaled`` names what
    sets of constants may multiply. ``rounds`` is how many a method has that ends by itself.
    """

    params: Any
    constants: dict[str, float]
    communications: float
    design_rate: float
    asked: Asked
    network: AnyNetwork
    clock: PoissonRates | None = None
    weights: Weights = normalised
    chebyshev: Chebyshev | None = None
    compressor: Compressor | None = None
    schedule: Schedule | None = None
    lookahead: Lookahead | None = None
    asleep: int | None = None
    ball: LocalStep | None = None
    scaled: tuple[str, ...] = ()
    rounds: int | None = None

    @property
    def prox_step(self) -> float | None:
        """The step at which the method asks for the prox of r, the smallest of its nodes'; None
        where it never does.
        """
        return self.asked.prox_step


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """What every method declares.

    ``title`` is its name in print (the ``name`` if not given), ``family`` its kind in lists,
    ``reference`` a key of ``algorithms/references.bib`` (or a BibTeX entry, or plain text),
    ``builds_on`` those of works without which it would not be, which are cited with it,
    ``look`` its colour, dash and marker in every figure ("blue solid o"; the next free ones where
    it has none). Block ``start_block`` is filled by x0, the others start at 0; block ``estimate``
    estimates x*, None where that takes a computation. One that ``needs_averaging`` only takes the
    mean of the centres c_i of f_i(x) = ||x - c_i||^2/2: they are its x0. One that ``needs_l2`` is
    for f_i that are known to have a term (l2/2) ||x||^2; one that ``needs_kind`` is for problems of
    that kind alone; one that ``needs_set`` minimises linear
    functions over the set on which the local step is 0, or, if it ``takes_ball``, over one of the
    user's choice where there is no local step; one that ``reweights`` is for quadratic f_i and an r
    that reweighting can majorise (``local_steps.reweighting``), or none. It ``solves`` minimisation
    of "convex" functions, or also of "non-convex" ones, or an "operator", or "orthogonal" problems
    (:class:`~dadao_sim.problems.Problem` says what these are), "proven" or "experimental".

    One that is ``directed`` needs no answer over an edge: its network may be directed, of an
    undirected one every edge is an arc each way.
    ``constants(c, problem, network)`` assigns the constants to c. ``invariant`` names the blocks
    whose sum over the nodes gossip conserves; ``drifting`` those that a fixed point determines only
    up to their mean. ``composite`` says whether a local step can be plugged in, and whether a
    theorem covers it where r is convex (and with ``theorem_needs_mu`` the f_i strongly so);
    ``no_composite`` why not; ``directions``, whether one may be a direction (x, g, t) -> v instead
    of a prox. With ``samples`` it asks for full gradients and for those of single
    samples, or if it is asynchronous for steps on single samples; with ``table`` it keeps a
    gradient of each; with ``stochastic`` its gradients may be of minibatches, or its samples drawn
    in such. ``same_as`` names the method whose iterates these are. ``constant_sets`` are what the
    constants of the paper may be multiplied by instead, by the name of the set, numbers or a
    :class:`~dadao_sim.algorithms.contract.by_load.ByLoad`; no theorem covers
    them. ``guarantee`` is what a theorem promises without a local step and with full gradients, for
    the constants of the paper; ``theorem_leaves`` names those it leaves free. ``tunes`` are the
    constants, at most two, that a search for better ones multiplies (and ``mu`` and ``L``, as the
    method believes them to be): what follows from them follows. None stands for its ``steps``.
    """

    name: str
    title: str = ""
    family: str = "other"
    look: str | None = None
    reference: str = ""
    builds_on: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ("x",)
    constants: "Callable[[Constants, Problem, Any], None]"
    start_block: str | None = "x"
    estimate: str | None = "x"
    invariant: tuple[str, ...] = ()
    drifting: tuple[str, ...] = ()
    needs_conjugate: bool = False
    needs_averaging: bool = False
    needs_l2: bool = False
    needs_kind: str = ""
    needs_set: bool = False
    takes_ball: bool = False
    reweights: bool = False
    solves: Mapping[str, Cover] = field(default_factory=lambda: {"convex": "proven"})
    time_varying: bool = False
    directed: bool = False
    stochastic: bool = False
    samples: bool = False
    table: bool = False
    averaging: bool = False
    composite: Literal["none", "proven", "experimental"] = "none"
    directions: bool = False
    theorem_needs_mu: bool = False
    no_composite: str = "no form of it with a proximal step is known"
    same_as: str | None = None
    constant_sets: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    guarantee: Promise | None = None
    theorem_leaves: tuple[str, ...] = ()
    tunes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("name", "it is empty", "give the method a name")
        if not self.title:
            object.__setattr__(self, "title", self.name)
        for what, blocks in (
            ("start_block", (self.start_block,)),
            ("estimate", (self.estimate,)),
            ("invariant", self.invariant),
            ("drifting", self.drifting),
        ):
            for block in blocks:
                if block is not None and block not in self.blocks:
                    known = f"the blocks of {self.name} are {', '.join(self.blocks)}"
                    raise InputError(what, f"{block!r} is no block", known)

    @abstractmethod
    def _tune(
        self,
        c: Constants,
        problem: "Problem",
        network: AnyNetwork,
        options: Options,
    ) -> Tuning:
        """The tuning, from constants that were assigned and checked."""

    @abstractmethod
    def optimum(
        self, problem: "Problem", network: AnyNetwork, tuning: Tuning
    ) -> dict[str, np.ndarray] | None:
        """A fixed point: every block (n, d); None where the method declares none."""

    def tune(
        self,
        problem: "Problem",
        network: AnyNetwork,
        overrides: Mapping[str, float] = {},
        options: Options = NO_OPTIONS,
    ) -> Tuning:
        """The method for ``problem`` on ``network``, constants replaced by name.

        ``options`` are those that ``check_supported`` lets pass. Raises InputError
        for an override that is unknown or not finite, where the constants make no sense together,
        and where a function of the method fails, with its file and line.
        """
        network = as_any_network(network)
        self._check_direction(network)
        if not self.time_varying and len(network.graphs) == 1:
            network = as_any_network(network.graphs[0])  # of a sequence of one graph that graph
        c = Constants(
            *(self.name, overrides, problem, network),
            measured=self._measured(problem, network, options),
            factors=self.factors(options),
            tunable=self.tunable,
        )
        try:
            self.constants(c, problem, network)
            c.check()
            problem.check_constants(c.values)
            return replace(self._tune(c, problem, network, options), scaled=c.scaled)
        except InputError as error:
            if str(error).startswith((f"{self.name}: ", f"{self.name} ")):
                raise
            raise InputError(f"{self.name}: {error}") from error
        except (ArithmeticError, ValueError) as error:
            if c.unknown:
                raise InputError(f"{self.name}: {c.unknown}") from error
            given = ", ".join(f"{name}: {value:g}" for name, value in overrides.items())
            raise InputError(
                f"{self.name}: the method has no constants with {{{given}}} ({error})"
            ) from error
        except Exception as error:  # of a user's method, which is asked here for the first time
            innermost = traceback.extract_tb(error.__traceback__)[-1]
            where = place_of(error) or f"{Path(innermost.filename).name}:{innermost.lineno}"
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"{self.name}: {where}: {said}") from error

    def check_supported(
        self,
        problem: "Problem",
        network: AnyNetwork,
        options: Options = NO_OPTIONS,
    ) -> None:
        """Raise InputError, with the reason, for what the method cannot do; nothing is compiled
        before.
        """
        network = as_any_network(network)
        self._check_direction(network)
        step = problem.local_step
        if step is not None and not (step.has_prox or self.directions):
            if self.composite == "none":
                raise InputError(f"{self.name} cannot take a local_step: {self.no_composite}")
            raise InputError(
                f"{self.name} has no form with a local step of this kind: it needs (x, gradient), "
                "not a prox"
            )
        if what_is_solved(problem) not in self.solves:
            raise InputError(f"{self.name} {self._solves_something_else(problem)}")
        if step is not None and self.composite == "none":
            raise InputError(f"{self.name} cannot take a local_step: {self.no_composite}")
        if self.needs_conjugate and not problem.has_conjugate:
            raise InputError(
                f"{self.name} needs the conjugate gradient, "
                f"which problem {problem.kind!r} does not have"
            )
        if self.needs_averaging and not isinstance(problem, AveragingProblem):
            raise InputError(
                f"{self.name} takes the mean of the nodes' points and minimises nothing else; "
                "give it the problem averaging"
            )
        if self.needs_kind and problem.kind != self.needs_kind:
            raise InputError(
                f"{self.name} is for problems of kind {self.needs_kind} alone, "
                f"not for {problem.kind!r}"
            )
        if self.needs_l2 and not problem.l2 > 0:
            raise InputError(
                f"{self.name} needs an l2 term in every f_i, "
                f"which problem {problem.kind!r} does not have"
            )
        if options.ball is not None and not self.takes_ball:
            raise InputError(f"{self.name} minimises no linear functions over it; leave out ball")
        if self.needs_set:
            self._ball(problem, options)
        if self.reweights:
            self._check_reweighted(problem)
        if len(network.graphs) > 1 and not self.time_varying:
            raise InputError(
                f"{self.name} has no form for time-varying graphs; give it a fixed one"
            )
        if options.batch_size is not None and not self.stochastic:
            raise InputError(
                f"{self.name} has no form for stochastic gradients; leave out batch_size"
            )
        if options.averaging != "none" and not self.averaging:
            raise InputError(f"{self.name} keeps no average of its iterates; leave out averaging")

    def _check_direction(self, network: AnyNetwork) -> None:
        """InputError for a directed network where the method has no form for one."""
        if self.directed or not isinstance(network, DirectedNetwork | DirectedSequence):
            return
        from dadao_sim.algorithms.contract.registry import METHODS

        able = ", ".join(name for name, method in METHODS.items() if method.directed)
        raise InputError(
            f"{self.name} needs an undirected network, and {network.name} is directed; use one of "
            f"{able}"
        )

    def _ball(self, problem: "Problem", options: Options) -> LocalStep | None:
        """The set over which it minimises linear functions: that of the local step, or the chosen
        one. None for a method that does not; InputError where there is none.
        """
        step, asked = problem.local_step, f"{self.name} needs a set"
        if not self.needs_set:
            return None
        if options.ball is not None and step is not None:
            wrong = f"{self.name}: ball: it has the set of local_step {step.kind}"
            raise InputError(f"{wrong}; leave out one of them")
        if options.ball is not None:
            with within(f"{self.name}: ball"):
                step = options.ball.local_step(problem.dimension)
        sets = ", ".join(kind for kind, term in TERMS.items() if term.is_set)
        if step is None:
            or_ball = ", or a ball of its own, whose radius is a length in x" * self.takes_ball
            raise InputError(f"{asked}; give local_step.prox one of {sets}{or_ball}")
        try:
            step.require_lmo()
        except InputError as error:
            if options.ball is not None:
                _, wrong, _ = error.args
                where = f"{self.name}: ball.kind"
                raise InputError(where, wrong, f"one of {sets} has one") from error
            raise InputError(f"{asked}: {error}; one of {sets} has one") from error
        return step

    def _check_reweighted(self, problem: "Problem") -> None:
        if problem.hessians != "constant":
            raise InputError(
                f"{self.name} needs quadratic f_i, and those of problem {problem.kind!r} are not"
            )
        step = problem.local_step
        if step is not None and not isinstance(step.operator, Reweighted):
            raise InputError(
                f"{self.name} cannot take the local_step {step.kind}: it needs one that can be "
                "reweighted, as lp, schatten and learned filters"
            )

    def _solves_something_else(self, problem: "Problem") -> str:
        from dadao_sim.algorithms.contract.registry import METHODS

        wanted = what_is_solved(problem)
        others = ", ".join(name for name, other in METHODS.items() if wanted in other.solves)
        solved = " and ".join(SOLVED[what] for what in self.solves)
        right = "give it such a problem" if wanted == "convex" else f"use one of {others}"
        return f"{solved}, and the problem {problem.kind} {IS_ONE[wanted]}; {right}"

    @property
    def tunable(self) -> tuple[str, ...]:
        """The constants that a search for better ones multiplies."""
        return self.tunes or ()

    def factors(self, options: Options) -> Mapping[str, float]:
        """What the chosen set multiplies constants by. InputError for an unknown set, and for a
        factor that is not finite and above 0.
        """
        chosen = options.constants
        if not isinstance(chosen, str):
            for name, factor in chosen.items():
                if not 0 < factor < math.inf:
                    wrong = f"{self.name}: constants.{name}: {factor:g} is no factor"
                    raise InputError(f"{wrong}; give a finite number above 0")
            return chosen
        if chosen == PAPER:
            return {}
        if chosen not in self.constant_sets:
            known = suggestion(chosen, (PAPER, *self.constant_sets))
            raise InputError(f"{self.name}: constants: there is no set {chosen!r}{known}")
        chosen_set = self.constant_sets[chosen]
        return chosen_set.at(options.load) if isinstance(chosen_set, ByLoad) else chosen_set

    def by_load(self, options: Options) -> ByLoad | None:
        """The chosen set of constants, if it follows the load of the links."""
        chosen = options.constants
        factors = self.constant_sets.get(chosen) if isinstance(chosen, str) else None
        return factors if isinstance(factors, ByLoad) else None

    def with_weights(self, trained: Trained) -> Self:
        """The method with numbers that were trained. InputError where it takes none."""
        raise InputError(f"{self.name}: nothing of it is trained; leave out weights")

    def ready_for(self, problem: "Problem") -> Self:
        """What the laws of methods are held against on ``problem``: the method, if it can be run as
        it is.
        """
        return self

    def _measured(
        self, problem: "Problem", network: AnyNetwork, options: Options
    ) -> Mapping[str, Callable[[], float]]:
        """What the constants may ask for beside ``MEASURED``."""
        return {}

    def is_experimental(self, problem: "Problem", options: Options = NO_OPTIONS) -> bool:
        """Whether no theorem covers the method on ``problem``: on account of what it is, of what
        answers its gradients, of its local step, of the set of constants, of a lookahead or
        sleepers, or because it is solved as another one.
        """
        step = problem.local_step
        if options.lookahead is not None or options.asleep is not None:
            return True
        if problem.posed_class != problem.problem_class:
            return True
        if not problem.has_exact_oracle:
            return True
        if self.needs_set and (ball := self._ball(problem, options)) is not None:
            step = ball
            if ball.exact_operator is not None:  # what answers is an approximation
                return True
        if options.constants != PAPER or self.solves[what_is_solved(problem)] == "experimental":
            return True
        if step is None:
            return False
        covered = self.composite == "proven" and step.convex and step.exact
        return not covered or (self.theorem_needs_mu and not problem.is_strongly_convex)

    def starts_at(self, problem: "Problem", x0: np.ndarray) -> np.ndarray:
        """Where the nodes start, (n, d): at ``x0``; what only averages starts at the centres."""
        if self.needs_averaging and isinstance(problem, AveragingProblem):
            return problem.centres
        return x0

    @property
    def every_block(self) -> tuple[str, ...]:
        """The names of the blocks, of nodes and then of samples."""
        return self.blocks

    def initial_values(
        self, nodes: int, dimension: int, x0: np.ndarray, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Every block at time 0: ``given`` ones, x0 in the start block, zeros elsewhere.

        Raises InputError for a given one that is no block, or not finite numbers of that shape.
        """
        shapes = self.block_shapes(nodes, dimension)
        values = {block: np.zeros(shape) for block, shape in shapes.items()}
        if self.start_block is not None:
            values[self.start_block] = x0
        for name, value in given.items():
            if name not in values:
                raise InputError(
                    f"{self.name}: has no block {name!r}; its blocks are {', '.join(self.blocks)}"
                )
            values[name] = self._block(name, value, shapes[name])
        return values

    def block_shapes(self, nodes: int, dimension: int) -> dict[str, tuple[int, int]]:
        """The shape of every block."""
        return dict.fromkeys(self.blocks, (nodes, dimension))

    def _block(self, name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        """A given block; InputError unless it is finite numbers of that shape."""
        try:
            block = np.broadcast_to(reals(name, value), shape)
        except ValueError:  # an InputError is one
            block = np.full(shape, np.nan)
        if not np.isfinite(block).all():
            right = f"give finite numbers of shape {shape}"
            raise InputError(name, f"this cannot be a block of {self.name}", right)
        return block


@dataclass(frozen=True, kw_only=True)
class AsynchronousMethod(Method):
    """A method of flows and events; see ``engine/node.py`` for the meaning of the functions.

    ``params`` is the class of the tuning's params: it selects these functions in the engine, and
    its fields are filled by the constants of their names. ``clock(c, problem, network)`` is what it
    asks of the clocks; a constant ``total_rate`` is the rate of all edges together. What it does
    not say: nothing flows, no node computes, block x is sent, and is the estimate; a node that lost
    its state starts from zero in every block. ``start`` fills other blocks from those at time 0,
    ``ends(values, network)`` then what nodes remember of their edges, (|E|, 2, w), if they do: the
    vectors of length d that ``end_blocks`` names, one after the other. In an exchange a node sends
    its message, unless ``speak`` says what else, by the edge; a method whose clock has ``arcs``
    says what it does with messages that go one way, by ``send`` and ``receive``. With ``newest`` a
    node passes over what arrives after something that the same neighbour sent later. A message is
    ``vectors`` of length d and so many ``scalars``; ``one_way`` says that only one end
    of an exchange sends one. ``design_rate(c)`` is what its theory prints, where that differs from
    the communications of its clock. With ``averaging`` the state has one more block, the running
    average, and ``params`` a field ``averaging``, an index of ``AVERAGINGS``.

    A step of ``gradient`` is ``step_vectors`` of length d. With ``samples`` each is of one sample,
    and counts as its part of a gradient; under every name in ``sample_blocks`` the nodes remember a
    number of each sample, zero at time 0. ``fixed_point`` is then given the slopes of all samples
    at x* too (``Problem.sample_slopes``).
    """

    params: type
    clock: "Callable[[Constants, Problem, Any], PoissonRates]"
    apply_message: node.ApplyMessage = node.ignore_message
    flow: node.Flow = node.stay
    gradient: node.Gradient = node.compute_nothing
    apply_gradient: node.ApplyGradient = node.apply_nothing
    message: node.Message = node.send_first_block
    speak: node.Speak = node.speak_message
    send: node.Send = node.send_one_block
    receive: node.Receive = node.ignore_message
    observe: node.Observe = node.observe_first_block
    reset: node.Reset = node.start_from_zero
    start: Callable[[dict[str, np.ndarray]], None] = lambda values: None
    ends: "Callable[[dict[str, np.ndarray], Any], np.ndarray] | None" = None
    end_blocks: tuple[str, ...] = ("end",)
    newest: bool = False
    fixed_point: FixedPoint | None = None
    vectors: int = 1
    scalars: int = 0
    step_vectors: int = 1
    sample_blocks: tuple[str, ...] = ()
    one_way: bool = False
    design_rate: Callable[[Any], float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.install()

    def install(self) -> None:
        """Give the engine's verbs their meaning for ``params``; again in each new process."""
        for verb in VERBS:
            known = getattr(node, verb).implementations.get(self.params)
            if known is not None and not _same_function(known, getattr(self, verb)):
                raise InputError(
                    f"{self.name}: {self.params.__qualname__} already selects another "
                    f"{verb}; define a Params class of its own for each method, and again after "
                    "each edit"
                )
        for verb in VERBS:
            getattr(node, verb).register(self.params, getattr(self, verb))

    def check_supported(
        self,
        problem: "Problem",
        network: AnyNetwork,
        options: Options = NO_OPTIONS,
    ) -> None:
        """See :meth:`Method.check_supported`."""
        super().check_supported(problem, network, options)
        if self.samples:
            try:
                problem.sample_terms()
            except InputError as error:
                raise InputError(f"{self.name} takes steps on single samples: {error}") from error
        if options.schedule is not None:
            raise InputError(
                f"{self.name} has no rounds in which its step could vary; leave out schedule"
            )
        if options.lookahead is not None:
            raise InputError(
                f"{self.name} has no rounds to look ahead over; leave out lookahead, or take a "
                "method of rounds"
            )
        if options.asleep is not None:
            raise InputError(
                f"{self.name} has no rounds to sleep through; leave out asleep, or take a method "
                "of rounds"
            )
        for name in ("mixing", "chebyshev", "compression"):
            if getattr(options, name) is not None:
                raise InputError(
                    f"{self.name} exchanges whole vectors over one edge at a time; leave out {name}"
                )

    def _tune(
        self,
        c: Constants,
        problem: "Problem",
        network: AnyNetwork,
        options: Options,
    ) -> Tuning:
        averaging = AVERAGINGS.index(options.averaging)
        clock = self.clock(c, problem, network)
        communications = c.values.get("total_rate", clock.communications)
        params = c.fill(self.params, **({"averaging": averaging} if self.averaging else {}))
        return Tuning(
            params=params,
            constants=c.values,
            communications=communications,
            design_rate=self.design_rate(c) if self.design_rate else communications,
            asked=asked_of_events(self, params, problem, network),
            network=network,
            clock=clock,
        )

    def optimum(
        self, problem: "Problem", network: AnyNetwork, tuning: Tuning
    ) -> dict[str, np.ndarray] | None:
        """See :meth:`Method.optimum`."""
        if self.fixed_point is None:
            return None
        slopes = (problem.sample_slopes(problem.x_star),) if self.samples else ()
        return dict(self.fixed_point(*at_optimum(problem), tuning.params, *slopes))

    @property
    def every_block(self) -> tuple[str, ...]:
        """See :attr:`Method.every_block`."""
        return (*self.blocks, *self.sample_blocks)

    def initial_values(
        self, nodes: int, dimension: int, x0: np.ndarray, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """See :meth:`Method.initial_values`; those of samples are left out."""
        of_nodes = {name: v for name, v in given.items() if name not in self.sample_blocks}
        return super().initial_values(nodes, dimension, x0, of_nodes)

    def initial_samples(
        self, problem: "Problem", given: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the nodes remember of their samples at time 0, (N, k), and when that was, (N,): the
        ``given`` ones of ``sample_blocks``, zeros elsewhere. InputError as of the other blocks.
        """
        if not self.sample_blocks:
            return np.empty((0, 0)), np.empty(0)
        assert problem.samples is not None
        rows = int(problem.samples.sum())
        samples = np.zeros((rows, len(self.sample_blocks)))
        for k, name in enumerate(self.sample_blocks):
            if name in given:
                samples[:, k] = self._block(name, given[name], (rows,))
        return samples, np.zeros(rows)


def at_optimum(problem: "Problem") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x* and the gradients grad f_i(x*), a row per node (n, d), and the mean of these (d,).

    The mean is exactly 0 where there is no r.
    """
    x = np.tile(problem.x_star, (problem.nodes, 1))
    g = problem.gradients(x)
    mean = g.mean(axis=0)
    if problem.local_step is None:
        g -= mean
        mean = np.zeros_like(mean)
    return x, g, mean


def what_is_solved(problem: "Problem") -> str:
    """Which key of ``Method.solves`` the problem is for."""
    posed = problem.posed_class
    return "convex" if posed in CONVEX else posed


def _same_function(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    """By content: a worker process unpickles a new object for every task."""
    return one is other or getattr(one, "__code__", one) == getattr(other, "__code__", other)
