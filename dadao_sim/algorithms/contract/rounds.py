"""Methods of rounds: named blocks, one step that reads like the paper, constants, a fixed point.

What a method does not say is said once here: the estimate is block x, gossip is I - Laplacian/
lambda_max, a spread over the nodes is nobody's business, and everything is counted where it is
asked for: gradients by ``nodes``, messages by ``W``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from dadao_sim.algorithms.contract.asked import asked_of_rounds
from dadao_sim.algorithms.contract.chebyshev import Chebyshev
from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.directed import DirectedGossip
from dadao_sim.algorithms.contract.gossip import Gossip, Weights, laplacian
from dadao_sim.algorithms.contract.method import FixedPoint, Method, Tuning, at_optimum
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.samples import Samples
from dadao_sim.algorithms.contract.schedules import Schedule
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compression import Compressor
from dadao_sim.errors import InputError, within
from dadao_sim.networks.directed import (
    AnyNetwork,
    DirectedNetwork,
    DirectedSequence,
    perron_vectors,
    push_weights,
)
from dadao_sim.networks.mixing import MIXINGS, Mixing

if TYPE_CHECKING:
    from dadao_sim.problems import Problem


ROUNDING = 1e-9  # by which a computed eigenvalue may miss its bound

# (s, c, nodes, W): the blocks, the constants, what the nodes compute, the gossip.
Step = Callable[[SimpleNamespace, SimpleNamespace, Nodes, Gossip], None]


def _prepare_nothing(s: SimpleNamespace, c: SimpleNamespace, nodes: Nodes, W: Gossip) -> None:
    """Every block but x starts at 0."""


@dataclass(frozen=True, kw_only=True)
class RoundMethod(Method):
    """A method of rounds over the rows of all nodes.

    ``step(s, c, nodes, W)`` makes a round: ``s`` holds the blocks by name, each (n, d), to change
    or replace; ``c`` the constants, those of the nodes (n, 1); ``nodes`` what they compute
    (:class:`~dadao_sim.algorithms.contract.nodes.Nodes`); ``W`` the gossip of the round
    (:class:`~dadao_sim.algorithms.contract.gossip.Gossip`). ``prepare``, with the same arguments,
    fills other blocks from x0 before round 0, and is charged too. ``fixed_point(x, g, mean, c)`` is
    one, from rows of x* and of the gradients there (n, d), and their mean (d,), 0 without r.
    W is the mixing matrix of the user's choice, ``mixing`` without one, K rounds of Chebyshev
    gossip with it where he, or ``chebyshev``, says so; or what ``weights(graph)`` says, and nothing
    else. Its eigenvalues must be at least ``least_eigenvalue``, -1 or 0. A method with
    ``compression`` sends what ``nodes.compressed`` makes of its rows, by an operator that is
    unbiased or any, ``compressor(c, problem)`` without a choice. ``coin`` names the constant that
    is the probability of ``nodes.heads``: a method that has one gossips in these rounds only. One
    with a ``server`` takes means over all nodes, ``W.mean``, and gossips in no other way. One that
    does more in the first of every so many rounds names the constant that says how many, ``cycle``.
    One with ``nonnegative_weights`` takes no W with a negative entry: means of its neighbours keep
    a node in a convex set. ``steps`` are the constants that a schedule may multiply, in each round
    by another number.
    A lookahead pulls all blocks back to where they were, each by the same share, which keeps what
    is linear in them, such as a sum over the nodes or a W h; ``renew``, with the arguments of
    ``step``, then computes anew those that are another function of the others, such as a gradient
    at x that the nodes keep. It is charged, and may not gossip.
    A block is (n, d) but for those in ``widths``, which says how wide: 1, or as many as "nodes". Of
    a ``directed`` method W is a :class:`~dadao_sim.algorithms.contract.directed.DirectedGossip`,
    whose C and R go along arcs, and ``fixed_point`` finds in c also ``n_pi`` and ``p`` (n, 1), with
    C pi = pi and p^T R = p^T.
    ``warning(c, network)`` is what is to be known before a run with these constants, a line or "".
    ``remark(c, notes)`` is what the method has to say of a run, a line or "", by what its steps
    wrote into ``nodes.notes``.
    ``broadcasts`` says that the step also plays a batch of runs at once, in blocks (batch, n, d)
    and with the constants (batch, 1, 1) in which they differ; a step that fails at it is found out,
    one that would mix up the runs of a batch has to say so.
    """

    step: Step
    prepare: Step = _prepare_nothing
    renew: Step | None = None
    fixed_point: FixedPoint | None = None
    mixing: str = "laplacian"
    chebyshev: Literal["auto"] | None = None
    weights: Weights | None = None
    least_eigenvalue: float = -1.0
    nonnegative_weights: bool = False
    compression: Literal["none", "unbiased", "any"] = "none"
    compressor: "Callable[[SimpleNamespace, Problem], Compressor] | None" = None
    coin: str | None = None
    server: bool = False
    cycle: str | None = None
    steps: tuple[str, ...] = ()
    warning: "Callable[[SimpleNamespace, AnyNetwork], str]" = lambda c, network: ""
    widths: Mapping[str, int | Literal["nodes"]] = field(default_factory=dict)
    remark: Callable[[SimpleNamespace, Mapping[str, float]], str] = lambda c, notes: ""
    broadcasts: bool = True
    estimate: str = "x"

    @property
    def tunable(self) -> tuple[str, ...]:
        """See :meth:`Method.tunable`."""
        return self.steps if self.tunes is None else self.tunes

    @property
    def has_own_weights(self) -> bool:
        """Whether no W is to be chosen."""
        return self.weights is not None or self.directed

    @property
    def layers(self) -> int | None:
        """How many rounds there are; None where there is no end of them."""
        return None

    def check_supported(
        self,
        problem: "Problem",
        network: AnyNetwork,
        options: Options = NO_OPTIONS,
    ) -> None:
        """See :meth:`Method.check_supported`."""
        super().check_supported(problem, network, options)
        if self.samples and problem.samples is None:
            raise InputError(
                f"{self.name} takes gradients of single samples, "
                f"which problem {problem.kind!r} does not have"
            )
        for name in ("mixing", "chebyshev"):
            if self.server and getattr(options, name) is not None:
                raise InputError(
                    f"{self.name} takes means by a server and gossips with no matrix; "
                    f"leave out {name}"
                )
            if self.has_own_weights and getattr(options, name) is not None:
                raise InputError(f"{self.name} has a gossip matrix of its own; leave out {name}")
        if options.chebyshev is not None and self.compression != "none":
            raise InputError(
                f"{self.name} compresses what it sends once; Chebyshev gossip would send it "
                "again at full length; leave out chebyshev"
            )
        if options.schedule is not None and not self.steps:
            raise InputError(f"{self.name} has no step that may vary; leave out schedule")
        if options.lookahead is not None and self.samples:
            raise InputError(
                f"{self.name} draws samples, and what it remembers of them is not pulled back; "
                "leave out lookahead"
            )
        if options.asleep is not None:
            self._check_asleep(options.asleep, network.nodes, options)
        if options.compression is not None:
            self._check_compression(options.compression, problem, network)
        if options.chebyshev is not None and len(network.graphs) > 1:
            raise InputError(
                f"{self.name}: Chebyshev gossip is of one graph, not of a sequence; "
                "leave out chebyshev"
            )
        if self.nonnegative_weights:
            self._check_weights(network, options)
        if self.least_eigenvalue > -1 and not self.has_own_weights and not self._rounds(options):
            mixing = self._mixing(options)
            graphs = cast(Any, network.graphs)  # undirected, of a method without weights of its own
            least = min(mixing.eigenvalues(graph)[1] for graph in graphs)
            if least < self.least_eigenvalue - ROUNDING:
                raise InputError(
                    f"{self.name}: mixing: {mixing.name} has the eigenvalue {least:.3f} here, and "
                    f"{self.name} needs {self.least_eigenvalue:g} or more; use lazy_{mixing.name}"
                )

    def _check_weights(self, network: AnyNetwork, options: Options) -> None:
        """InputError for a W that may lead out of a convex set."""
        if options.chebyshev is not None:
            raise InputError(
                f"{self.name} keeps nodes in a convex set by means of others, and Chebyshev gossip "
                "has negative weights; use parameters: {rounds: ...}"
            )
        mixing, graphs = self._mixing(options), cast(Any, network.graphs)
        least = min(float(mixing.matrix(graph).min()) for graph in graphs)
        if least < -ROUNDING:
            raise InputError(
                f"{self.name}: mixing: {mixing.name} has the weight {least:.3f} here, and "
                f"{self.name} needs 0 or more; use metropolis"
            )

    def _check_asleep(self, asleep: int, nodes: int, options: Options) -> None:
        if self.directed:
            raise InputError(
                f"{self.name}: a node that slept would keep what it has sent; leave out asleep"
            )
        if asleep >= nodes:
            raise InputError(
                f"{self.name}: asleep: {asleep} given; at most {nodes - 1} of {nodes} can sleep"
            )
        if self.samples:
            raise InputError(
                f"{self.name} draws samples, and remembers them of nodes that sleep; "
                "leave out asleep"
            )
        if options.lookahead is not None:
            raise InputError(
                f"{self.name}: a lookahead would pull back nodes that slept; leave out asleep or it"
            )

    def _check_compression(self, Q: Compressor, problem: "Problem", network: AnyNetwork) -> None:
        if self.compression == "none":
            from dadao_sim.algorithms.contract.registry import METHODS

            undirected = not isinstance(network, DirectedNetwork | DirectedSequence)
            able = ", ".join(
                name
                for name, method in METHODS.items()
                if getattr(method, "compression", "none") != "none"
                and (undirected or method.directed)
            )
            raise InputError(
                f"{self.name} sends whole vectors; leave out compression, or use one of {able}"
            )
        if self.compression == "unbiased" and not Q.unbiased:
            raise InputError(
                f"{self.name} needs an unbiased compression, and {Q.kind} is biased; "
                "use dither, qsgd, ternary, natural, or random_k with scaled: true"
            )
        with within(f"{self.name}: compression"):
            Q.check(problem.dimension)

    def _mixing(self, options: Options) -> Mixing:
        return MIXINGS[options.mixing or self.mixing]

    def _rounds(self, options: Options) -> int | Literal["auto"] | None:
        """Of Chebyshev gossip; None for plain gossip."""
        return options.chebyshev or self.chebyshev

    def _compressor(self, c: Any, problem: "Problem", options: Options) -> Compressor | None:
        if options.compression is not None or self.compressor is None:
            return options.compression
        return self.compressor(c, problem)

    def chance(self, c: Any) -> float:
        """The probability that a round's coin shows heads, 1 without one; InputError where it is
        none.
        """
        if self.coin is None:
            return 1.0
        chance = float(getattr(c, self.coin))
        if not chance <= 1:
            raise InputError(
                f"{self.name}: parameter {self.coin!r} must be at most 1, not {chance:g}"
            )
        return chance

    def _measured(
        self, problem: "Problem", network: AnyNetwork, options: Options
    ) -> Mapping[str, Callable[[], float]]:
        of_samples = {"stochastic": lambda: float(options.batch_size is not None)}
        if self.samples:
            assert problem.samples is not None
            most, batch = int(problem.samples.max()), options.batch_size or 1
            of_samples |= {
                "sample_L": lambda: problem.sample_L,
                "draws": lambda: math.ceil(most / batch),
            }
        if self.has_own_weights:
            return of_samples
        return {
            **of_samples,
            "contraction": lambda: self._contraction(problem, options),
            "l2": lambda: self._eigenvalues(network, options)[0],
            "ln": lambda: self._eigenvalues(network, options)[1],
        }

    def _contraction(self, problem: "Problem", options: Options) -> float:
        """The delta of the compression, for one that does not depend on the constants."""
        Q = self._compressor(None, problem, options)
        return 1.0 if Q is None else Q.delta(problem.dimension)

    def _eigenvalues(self, network: AnyNetwork, options: Options) -> tuple[float, float]:
        """The second largest and the least eigenvalue of W, the worst over the graphs."""
        chebyshev = self._chebyshev(network, options)
        return self._plain(network, options) if chebyshev is None else chebyshev.eigenvalues()

    def _plain(self, network: AnyNetwork, options: Options) -> tuple[float, float]:
        """The same of the chosen matrix, before Chebyshev."""
        mixing, graphs = self._mixing(options), cast(Any, network.graphs)
        second, least = zip(*(mixing.eigenvalues(graph) for graph in graphs), strict=True)
        return max(second), min(least)

    def _chebyshev(self, network: AnyNetwork, options: Options) -> Chebyshev | None:
        rounds = self._rounds(options)
        if rounds is None:
            return None
        l2, ln = self._plain(network, options)
        return Chebyshev.over(l2, ln, rounds, shifted=self.least_eigenvalue > -1)

    def _tune(
        self,
        c: Constants,
        problem: "Problem",
        network: AnyNetwork,
        options: Options,
    ) -> Tuning:
        params = c.namespace()
        chebyshev = None if self.has_own_weights else self._chebyshev(network, options)
        compressor = self._compressor(params, problem, options)
        samples = self.samples_of(problem, options.batch_size)
        asked = asked_of_rounds(
            *(self, params, problem, network, chebyshev, compressor, samples),
            lookahead=options.lookahead,
            asleep=options.asleep or 0,
        )
        communications = asked.per_round.communications
        return Tuning(
            params=params,
            constants=c.values,
            communications=communications,
            design_rate=communications,
            asked=asked,
            network=network,
            weights=self._weights(options),
            chebyshev=chebyshev,
            compressor=compressor,
            schedule=options.schedule,
            lookahead=options.lookahead,
            asleep=options.asleep,
            rounds=self.layers,
            ball=self._ball(problem, options),
        )

    def _weights(self, options: Options) -> Weights:
        """W of a graph; C of a directed method, which has R too."""
        if self.directed:
            return push_weights
        return laplacian if self.server else self.weights or self._mixing(options).matrix

    def gossip(self, tuning: Tuning, tally: Tally) -> Gossip:
        """W of a run, counted in ``tally``."""
        if self.directed:
            return DirectedGossip(tuning.network.graphs, tally)
        return Gossip(tuning.network.graphs, tuning.weights, tally, tuning.chebyshev)

    def samples_of(self, problem: "Problem", batch_size: int | None) -> Samples | None:
        """What it draws from, one at a time without a ``batch_size``; None where it does not."""
        if not self.samples:
            return None
        assert problem.samples is not None
        return Samples(problem.samples, batch_size or 1)

    def optimum(
        self, problem: "Problem", network: AnyNetwork, tuning: Tuning
    ) -> dict[str, np.ndarray] | None:
        """See :meth:`Method.optimum`; blocks that are not named are 0."""
        if self.fixed_point is None:
            return None
        c = tuning.params
        if self.directed:
            pi, p = perron_vectors(network)
            own = {"n_pi": problem.nodes * pi[0][:, None], "p": p[0][:, None]}
            c = SimpleNamespace(**vars(c), **own)
        found = self.fixed_point(*at_optimum(problem), c)
        shapes = self.block_shapes(problem.nodes, problem.dimension)
        values = {b: np.broadcast_to(found.get(b, 0.0), shape) for b, shape in shapes.items()}
        return {block: np.array(value, dtype=float) for block, value in values.items()}

    def block_shapes(self, nodes: int, dimension: int) -> dict[str, tuple[int, int]]:
        """See :meth:`Method.block_shapes`."""
        widths = {block: self.widths.get(block, dimension) for block in self.blocks}
        return {b: (nodes, nodes if width == "nodes" else width) for b, width in widths.items()}

    def state(self, values: Mapping[str, np.ndarray]) -> SimpleNamespace:
        """The blocks at time 0, each an array of its own."""
        return SimpleNamespace(**{block: np.array(values[block]) for block in self.blocks})

    def prepared(
        self,
        s: SimpleNamespace,
        c: SimpleNamespace,
        nodes: Nodes,
        W: Gossip,
        given: Sequence[str] = (),
    ) -> None:
        """Let ``prepare`` fill the blocks of ``s``; those ``given`` keep their values."""
        kept = {block: getattr(s, block).copy() for block in given}
        self.prepare(s, c, nodes, W)
        vars(s).update(kept)

    def pulled_back(
        self,
        s: SimpleNamespace,
        anchor: Mapping[str, np.ndarray],
        weight: float,
        c: SimpleNamespace,
        nodes: Nodes,
        W: Gossip,
    ) -> None:
        """Go ``weight`` of the way from ``anchor`` to the blocks of ``s``, and renew them."""
        for block, before in anchor.items():
            setattr(s, block, (1 - weight) * before + weight * getattr(s, block))
        if self.renew is not None:
            self.renew(s, c, nodes, W)

    def constants_of_round(
        self, k: int, c: SimpleNamespace, schedule: Schedule | None
    ) -> SimpleNamespace:
        """The constants in round k = 0, 1, ...: ``c``, with its steps as ``schedule`` says."""
        if schedule is None:
            return c
        scale = schedule.scale(k)
        return SimpleNamespace(
            **{**vars(c), **{name: scale * getattr(c, name) for name in self.steps}}
        )

    def check_blocks(self, s: SimpleNamespace, shape: tuple[int, ...]) -> None:
        """InputError unless ``s`` holds the declared blocks, each of ``shape`` (n, d), or its own
        width, and with memory of its own.
        """
        shapes = self.block_shapes(*shape[-2:])
        for name, array in vars(s).items():
            wanted = (*shape[:-2], *shapes.get(name, shape[-2:]))
            if np.shape(array) != wanted:
                raise InputError(
                    f"{self.name}: s.{name} has shape {np.shape(array)}; a block is {wanted}"
                )
        arrays = list(vars(s).items())
        for k, (name, array) in enumerate(arrays):
            for other, earlier in arrays[:k]:
                if np.may_share_memory(array, earlier):
                    raise InputError(
                        f"{self.name}: blocks {other} and {name} are the same array; "
                        f"assign a copy: s.{name} = s.{other}.copy()"
                    )
        if set(vars(s)) != set(self.blocks):
            unknown = ", ".join(sorted(set(vars(s)) - set(self.blocks)))
            raise InputError(
                f"{self.name}: s.{unknown} is no block of it; name it in blocks, "
                "or keep it in a variable of step"
            )
