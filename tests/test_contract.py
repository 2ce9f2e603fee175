"""What every registered method must keep, whatever it computes."""

import hashlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Events, replay
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, GRADIENT
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.build import make
from dadao_sim.simulation.player import make_player


def is_synchronous(method):
    return not isinstance(method, AsynchronousMethod)


CASES = [
    *((name, "fixed") for name in METHODS),
    *((name, "time-varying") for name, method in METHODS.items() if method.time_varying),
    *((name, "composite") for name, method in METHODS.items() if method.composite != "none"),
]
each_case = pytest.mark.parametrize(("name", "graph"), CASES)
each_optimum = pytest.mark.parametrize(
    ("name", "graph"), [case for case in CASES if METHODS[case[0]].optimum is not None]
)


def setting(name, graph, kind="least_squares", overrides=None):
    network = sequence() if graph == "time-varying" else lollipop()
    problem = small_problem(network.nodes, kind)
    if graph == "composite":
        problem = problem.with_local_step(make("l1", problem.dimension, strength=0.2))
    method = METHODS[name]
    return method, problem, network, method.tune(problem, network, overrides or {})


def log(method, network, tuning, count=600, seed=1):
    seed = np.random.SeedSequence(seed)
    if not isinstance(method, AsynchronousMethod):
        return RoundClock(seed).window()[:count]
    rates = tuning.clock
    graphs = ()
    if len(network.graphs) > 1:
        graphs = [(m, g.shape) for m, g in zip(network.members, network.graphs, strict=True)]
    clock = PoissonClock(
        *(rates.nodes, rates.edges, network.edges, seed),
        graphs=graphs,
        switching=rates.switching,
    )
    return clock.window()[:count]


def random_start(method, problem, seed=2):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal((problem.nodes, problem.dimension)) for name in method.blocks}


@each_optimum
@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
def test_the_declared_optimum_is_a_fixed_point(name, graph, kind):
    method, problem, network, tuning = setting(name, graph, kind)
    optimum = method.optimum(problem, network, tuning)
    scale = max(np.abs(block).max() for block in optimum.values())
    after = replay(method, problem, network, log(method, network, tuning), **optimum)
    for block, value in optimum.items():
        found = after[block]
        if block in method.drifting:
            found, value = found - found.mean(axis=0), value - value.mean(axis=0)
        assert_allclose(found, value, atol=1e-9 * scale, err_msg=block)
    player = make_player(method, problem, tuning, np.zeros_like(found), optimum)
    estimates = np.empty_like(found)
    player.observe(0.0, estimates)
    assert_allclose(estimates, np.tile(problem.x_star, (problem.nodes, 1)), atol=1e-9 * scale)


@each_optimum
def test_a_point_off_the_optimum_is_no_fixed_point(name, graph):
    method, problem, network, tuning = setting(name, graph)
    optimum = method.optimum(problem, network, tuning)
    moved = {block: value + 0.1 for block, value in optimum.items()}
    after = replay(method, problem, network, log(method, network, tuning), **moved)
    assert max(np.abs(after[block] - moved[block]).max() for block in moved) > 1e-3


@each_case
def test_gossip_conserves_the_declared_invariant(name, graph):
    """Exchanges at one instant, so that no flow mixes in; rounds from dual variables that sum to
    zero."""
    method, problem, network, tuning = setting(name, graph)
    events = log(method, network, tuning)
    if is_synchronous(method):
        start = (
            {method.start_block: random_start(method, problem)[method.start_block]}
            if (method.start_block)
            else {}
        )
        before = method.initial_values(problem.nodes, problem.dimension, np.zeros(3), start)
    else:
        gossip = events.kind == GOSSIP
        events = Events.from_arrays(
            *(np.zeros(gossip.sum()), events.kind[gossip], events.i[gossip], events.j[gossip]),
            network,
        )
        before = start = random_start(method, problem)
    after = replay(method, problem, network, events, **start)
    assert method.invariant
    for block in method.invariant:
        scale = np.abs(after[block]).max()
        assert np.abs(after[block] - before[block]).max() > 1e-3, f"{block} never moved"
        change = after[block].sum(axis=0) - before[block].sum(axis=0)
        assert_allclose(change, 0, atol=1e-12 * len(events) * scale, err_msg=block)


@pytest.mark.slow
@each_case
def test_relabelling_the_nodes_relabels_the_result(name, graph):
    method, problem, network, tuning = setting(name, graph)
    events = log(method, network, tuning)
    order = np.random.default_rng(3).permutation(problem.nodes)
    x0 = np.random.default_rng(4).standard_normal((problem.nodes, problem.dimension))
    plain = replay(method, problem, network, events, x0)
    other_network = network.relabelled(order)
    relabelled = events if is_synchronous(method) else events.relabelled(order, other_network)
    other = replay(method, problem.relabelled(order), other_network, relabelled, x0[order])
    for block, value in plain.items():
        error = np.abs(other[block] - value[order]).max()
        assert error <= 1e-10 * np.abs(value).max(), block


@pytest.mark.parametrize(
    "name", [name for name, method in METHODS.items() if method.composite == "none"]
)
def test_a_method_that_cannot_take_a_local_step_says_why(name):
    network = lollipop()
    problem = small_problem(network.nodes).with_local_step(make("l1", 3, strength=0.2))
    reason = f"{name} cannot take a local_step: {METHODS[name].no_composite}"
    with pytest.raises(InputError, match=re.escape(reason)):
        METHODS[name].check_supported(problem, network)


@each_case
def test_windows_change_nothing(name, graph):
    method, problem, network, tuning = setting(name, graph)
    events = log(method, network, tuning)
    x0 = np.ones((problem.nodes, problem.dimension))
    whole = make_player(method, problem, tuning, x0, {})
    whole.play(events, 0, len(events))
    cut = make_player(method, problem, tuning, x0, {})
    for first, last in [(0, 1), (1, 250), (250, 250), (250, 599), (599, 600)]:
        window = events[first:last]
        cut.play(window, 0, len(window))
    assert_array_equal(cut.state.values, whole.state.values)


@each_case
def test_observing_leaves_the_state_alone(name, graph):
    method, problem, network, tuning = setting(name, graph)
    events = log(method, network, tuning)
    player = make_player(method, problem, tuning, np.ones((problem.nodes, problem.dimension)), {})
    player.play(events, 0, 300)
    before = player.state.values.copy()
    player.observe(events.time[300], np.empty((problem.nodes, problem.dimension)))
    assert_array_equal(player.state.values, before)


@pytest.mark.parametrize(
    ("name", "graph"), [case for case in CASES if not is_synchronous(METHODS[case[0]])]
)
def test_events_at_other_nodes_do_not_touch_a_node(name, graph):
    method, problem, network, tuning = setting(name, graph)
    events = log(method, network, tuning)
    start = random_start(method, problem)
    node = 6
    touched = (events.i == node) | (events.j == node)
    first = int(np.argmax(touched))
    assert first > 0
    after = replay(method, problem, network, events[:first], **start)
    for block, value in start.items():
        assert_array_equal(after[block][node], value[node])


DIGEST_PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from test_contract import digests
print(*digests(), sep="\\n")
"""


def digest_of(name, graph, kind):
    """A fingerprint of every bit that a short replay leaves."""
    method, problem, network, tuning = setting(name, graph, kind)
    events = log(method, network, tuning, count=60)
    player = make_player(method, problem, tuning, np.ones((problem.nodes, problem.dimension)), {})
    player.play(events, 0, len(events))
    estimates = np.empty((problem.nodes, problem.dimension))
    player.observe(events.time[-1] + 0.1, estimates)
    digest = hashlib.sha256(events.time.tobytes() + events.i.tobytes() + events.mark.tobytes())
    digest.update(np.ascontiguousarray(player.state.values).tobytes() + estimates.tobytes())
    return digest.hexdigest()


def digests():
    return [digest_of(*case, kind) for case in CASES for kind in ("least_squares", "logistic_l2")]


@pytest.mark.slow
def test_compiled_equals_plain_python_to_the_last_bit():
    program = DIGEST_PROGRAM.format(tests=os.path.dirname(__file__))
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    compiled = digests()
    assert compiled == plain.split()
    assert len(set(compiled)) == 2 * len(CASES), "two different replays gave the same numbers"


def test_the_log_of_each_asynchronous_method_has_the_kinds_it_declares():
    for name, method in METHODS.items():
        if isinstance(method, AsynchronousMethod):
            _, _, network, tuning = setting(name, "fixed")
            kinds = set(log(method, network, tuning).kind)
            computes = method.costs.gradients or method.costs.conjugates
            expected = {GRADIENT, GOSSIP} if computes else {GOSSIP}
            assert kinds == expected, name
