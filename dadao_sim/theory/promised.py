"""What a method's theorem promises on a problem and a network, from the start of a run."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from dadao_sim.algorithms.contract.guarantee import Gaps, Guarantee
from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method, Tuning
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.options import NO_OPTIONS, PAPER, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, within
from dadao_sim.networks.convert import as_any_network
from dadao_sim.theory.setting import check_answerable

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

SAFE = frozenset({"mu", "L", "rate_factor", "total_rate"})
"""Overrides that a guarantee may see: in the safe direction, which is tested."""


@one_blas_thread()
def promised(
    method: str | Method,
    problem: "Problem",
    network: Any,
    x0: np.ndarray,
    overrides: Mapping[str, float] = {},
    options: Options = NO_OPTIONS,
) -> Guarantee | None:
    """The guarantee of ``method`` from ``x0`` (n, d); None where no theorem covers the run.

    None with a local step, with minibatches, compressed messages of another kind than the method's
    theorem is of, falling steps, an average, a set of constants that is not the paper's, and for
    overridden constants that the theorem does not leave free. Raises InputError for what the method
    cannot do, and above ``guarantee.MOST_NODES`` nodes.
    """
    method = method if isinstance(method, Method) else get_method(method)
    network = as_any_network(network)
    check_answerable(problem, network)
    method.check_supported(problem, network, options)
    tuning = method.tune(problem, network, overrides, options)
    if method.guarantee is None or not covers(method, problem, overrides, options):
        return None
    star = method.optimum(problem, network, tuning)
    if star is None:
        raise InputError(
            method.name, "a guarantee, but no fixed point to start from", "give fixed_point too"
        )
    with within(method.name):
        return method.guarantee(
            constants(problem, network, tuning),
            SimpleNamespace(**start(method, problem, tuning, x0)),
            SimpleNamespace(**star),
            gaps(method, tuning),
        )


def covers(
    method: Method, problem: "Problem", overrides: Mapping[str, float], options: Options
) -> bool:
    """Whether the theorem is about such runs at all."""
    plain = options.batch_size is None and options.averaging == "none" and options.schedule is None
    plain = plain and options.lookahead is None and options.asleep is None
    if not problem.is_convex or problem.local_step is not None:
        return False
    if options.constants != PAPER or not plain:
        return False
    if options.compression is not None and not method.needs_averaging:
        return False
    free = SAFE | set(method.theorem_leaves)
    safe = overrides.get("mu", 0.0) <= problem.mu and overrides.get("L", problem.L) >= problem.L
    return safe and set(overrides) <= free


def constants(problem: "Problem", network: Any, tuning: Tuning) -> SimpleNamespace:
    """Those of the method, with what a theorem may need beside them."""
    given = vars(tuning.params) if isinstance(tuning.params, SimpleNamespace) else {}
    Q, unit = tuning.compressor, {}
    if len(network.graphs) == 1:
        unit = {"lambda_2": network.lambda_2(), "lambda_max": network.lambda_max()}
    return SimpleNamespace(
        **{
            "mu": problem.mu,
            "L": problem.L,
            "node_L": problem.node_L[:, None],
            "contraction": 1.0 if Q is None else Q.delta(problem.dimension),
            **unit,
            **tuning.constants,
            **given,
        }
    )


def start(
    method: Method, problem: "Problem", tuning: Tuning, x0: np.ndarray
) -> dict[str, np.ndarray]:
    """Every block at time 0, (n, d), after what the method prepares."""
    shape = problem.nodes, problem.dimension
    values = method.initial_values(*shape, method.starts_at(problem, x0), {})
    if isinstance(method, AsynchronousMethod):
        method.start(values)
        return values
    assert isinstance(method, RoundMethod)
    tally, objective = Tally(), problem.objective
    if method.needs_conjugate:
        objective = problem.with_conjugate()
    nodes = Nodes(objective, np.ones(problem.nodes), tally, stochastic=False)
    W = method.gossip(tuning, tally)
    state = method.state(values)
    method.prepare(state, tuning.params, nodes, W)
    return dict(vars(state))


def gaps(method: Method, tuning: Tuning) -> Gaps:
    """I - W of the rounds (of a method with a matrix of its own, that); of events the Laplacian of
    the actual rates.
    """
    if isinstance(method, RoundMethod):
        matrices = [tuning.weights(graph) for graph in tuning.network.graphs]
        if method.weights is not None:
            return Gaps(matrices)
        eye = np.eye(tuning.network.nodes)
        full = [W.toarray() for W in matrices]
        if tuning.chebyshev is not None:
            full = [tuning.chebyshev(W, eye) for W in full]
        return Gaps([eye - (W + W.T) / 2 for W in full])
    assert tuning.clock is not None
    graphs: Any = tuning.network.graphs  # undirected: so are all clocks
    total = float(tuning.clock.edges.sum())
    return Gaps(
        [
            sparse.csr_array(graph.laplacian(total * graph.rates / graph.rates.sum()))
            for graph in graphs
        ]
    )
