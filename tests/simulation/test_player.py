"""The engine: delayed events, objectives in Python, and slots."""

from dataclasses import replace

import numpy as np
import pytest
from cases import GENERAL, lollipop, small_problem
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Events, Problem, replay
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESENT,
    RESET,
    ROUND,
    SEND,
)
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.simulation.replay import make_player


def atomic_log(name, network, problem, count=400):
    rates = METHODS[name].tune(problem, network, {}).clock
    clock = PoissonClock(rates.nodes, rates.edges, network.edges, np.random.SeedSequence(8))
    return clock.window()[:count]


def with_delays(log, network, delay_of=lambda row: 0.0):
    """The same log with every event split into its halves, the second ``delay_of(row)`` later."""
    rows = []  # time, tie-breaker, kind, i, j, mark, number of the atomic row it belongs to
    for k in range(len(log)):
        time, i, j, mark = log.time[k], log.i[k], log.j[k], log.mark[k]
        if log.kind[k] == GRADIENT:
            rows.append((time, len(rows), GRADIENT_START, i, j, mark, k))
            rows.append((time + delay_of(k), len(rows), GRADIENT_END, i, j, mark, k))
        else:
            rows.append((time, len(rows), SEND, i, j, mark, k))
            rows.append((time + delay_of(k), len(rows), ARRIVE_I, i, j, mark, k))
            rows.append((time + delay_of(k), len(rows), ARRIVE_J, i, j, mark, k))
    rows.sort(key=lambda row: row[:2])
    begun = {}
    start = np.full(len(rows), -1)
    for n, row in enumerate(rows):
        if row[2] in (GRADIENT_START, SEND):
            begun[row[6]] = n
        else:
            start[n] = begun[row[6]]
    time, _, kind, i, j, mark, _ = zip(*rows, strict=True)
    return Events.from_arrays(time, kind, i, j, network, mark=mark, start=start)


@pytest.mark.parametrize("name", ["dadao", "continuized"])
def test_without_delay_the_two_halves_are_the_atomic_event(name):
    network, problem = lollipop(), small_problem(7)
    log = atomic_log(name, network, problem)
    whole = replay(name, problem, network, log, np.ones(3))
    halves = replay(name, problem, network, with_delays(log, network), np.ones(3))
    for block, value in whole.items():
        assert_array_equal(halves[block], value, err_msg=block)


def test_delayed_events_across_windows_change_nothing():
    network, problem = lollipop(), small_problem(7)
    log = atomic_log("dadao", network, problem)
    rng = np.random.default_rng(0)
    delays = rng.exponential(0.05, len(log))
    delayed = with_delays(log, network, lambda row: delays[row])
    whole = replay("dadao", problem, network, delayed, np.ones(3))
    tuning = METHODS["dadao"].tune(problem, network, {})
    player = make_player(METHODS["dadao"], problem, tuning, np.ones((7, 3)), {})
    for first in range(0, len(delayed), 13):
        window = delayed[first : first + 13]
        player.play(window, 0, len(window))
    for block, value in player.blocks(METHODS["dadao"].blocks).items():
        assert_array_equal(whole[block], value, err_msg=block)
    atomic = replay("dadao", problem, network, log, np.ones(3))
    assert np.abs(atomic["x"] - whole["x"]).max() > 1e-6, "the delays did nothing"


def test_a_delayed_exchange_acts_with_the_values_at_sending():
    """Written out by hand: two nodes, one exchange that arrives after a gradient has changed node
    0."""
    network, problem = lollipop(), small_problem(7)
    start = {name: np.random.default_rng(1).standard_normal((7, 3)) for name in ("x", "y", "z")}
    time = [0.0, 0.0, 0.0, 0.0]
    kind = [SEND, GRADIENT, ARRIVE_I, ARRIVE_J]
    events = Events.from_arrays(
        time, kind, [0, 0, 0, 0], [1, -1, 1, 1], network, start=[-1, -1, 0, 0]
    )
    after = replay("dadao", problem, network, events, **start)
    m = (start["y"] + start["z"])[0] - (start["y"] + start["z"])[1]
    assert_allclose(after["z"][0], start["z"][0] - m / 2, rtol=1e-14)
    assert_allclose(after["z"][1], start["z"][1] + m / 2, rtol=1e-14)


def test_a_lost_exchange_does_nothing():
    network, problem = lollipop(), small_problem(7)
    events = Events.from_arrays([0.0, 0.0], [SEND, LOST], [0, 0], [1, 1], network, start=[-1, 0])
    z = np.arange(21.0).reshape(7, 3)
    assert_array_equal(replay("dadao", problem, network, events, z=z)["z"], z)


@pytest.mark.parametrize(
    ("kinds", "start", "message"),
    [
        ([SEND, GRADIENT_END], [-1, 0], "nothing of its kind is under way"),
        ([SEND, ARRIVE_I, ARRIVE_J, ARRIVE_I], [-1, 0, 0, 0], "nothing of its kind is under way"),
        ([ARRIVE_I], [-1], "must name an earlier row"),
        ([SEND, ARRIVE_I], [-1, 1], "must name an earlier row"),
    ],
)
def test_a_log_that_ends_what_never_began_is_refused(kinds, start, message):
    network, problem = lollipop(), small_problem(7)
    zeros = np.zeros(len(kinds))

    def play():
        events = Events.from_arrays(zeros, kinds, zeros, zeros + 1, network, start=start)
        replay("dadao", problem, network, events)

    with pytest.raises(InputError, match=message):
        play()


class Quadratic:
    """A user's own objective, in plain Python."""

    def __init__(self, A, b):
        self.A, self.b = A, b

    def value(self, x):
        return ((self.A @ x - self.b) ** 2).mean()

    def gradient(self, x):
        return 2 / len(self.b) * self.A.T @ (self.A @ x - self.b)

    def conjugate_gradient(self, y):
        return np.linalg.solve(self.A.T @ self.A, len(self.b) / 2 * y + self.A.T @ self.b)


@pytest.mark.parametrize(
    "name", [n for n in GENERAL if not (METHODS[n].samples or METHODS[n].reweights)]
)
def test_an_objective_in_python_gives_the_numbers_of_the_built_in_one(name):
    network = lollipop()
    rng = np.random.default_rng(3)
    A, b = rng.standard_normal((7, 8, 3)), rng.standard_normal((7, 8))
    own = Problem.from_arrays(A, b, "least_squares")
    users = Problem.from_objectives(
        [Quadratic(*pair) for pair in zip(A, b, strict=True)], own.mu, own.L, 3
    )
    assert_allclose(users.x_star, own.x_star, rtol=1e-10)
    if METHODS[name].tune(own, network, {}).clock is None:
        from dadao_sim.events.rounds import RoundClock

        log = RoundClock(np.random.SeedSequence(0)).window()[:50]
    else:
        log = atomic_log(name, network, own)
    # Python objects come with one L for all nodes.
    overrides = {"own_steps": 0.0} if name == "nids" else {}
    expected = replay(name, own, network, log, np.ones(3), overrides)
    found = replay(name, users, network, log, np.ones(3), overrides)
    scale = max(np.abs(value).max() for value in expected.values())  # some blocks go to 0
    for block, value in expected.items():
        assert_allclose(found[block], value, rtol=0, atol=1e-9 * scale, err_msg=block)


def test_a_method_of_the_dual_says_that_it_needs_the_conjugate():
    class Half:
        def value(self, x):
            return x @ x / 2

        def gradient(self, x):
            return x

    problem = Problem.from_objectives([Half()] * 7, 1.0, 1.0, 3)
    events = Events.from_arrays([], [], [])
    with pytest.raises(InputError, match="continuized needs the conjugate gradient"):
        replay("continuized", problem, lollipop(), events)


def test_gossip_at_the_same_instant_keeps_the_order_of_the_rows():
    network, problem = lollipop(), small_problem(7)
    y = np.random.default_rng(0).standard_normal((7, 3))
    for rows in ([0, 1], [1, 0]):
        i, j = np.array([0, 1])[rows], np.array([1, 2])[rows]
        events = Events.from_arrays([1.0, 1.0], [GOSSIP, GOSSIP], i, j, network)
        after = replay("dadao", problem, network, events, y=y)["z"]
        if rows == [0, 1]:
            first = after
    assert np.abs(first - after).max() > 1e-3


# ---- nodes that lose their state, messages that reach one end only -------------------------------


def test_a_node_that_lost_its_state_starts_from_zero():
    """Before the reset it is as anyone; after it, as a node that was zero all along."""
    network, problem = lollipop(), small_problem(7)
    log = atomic_log("dadao", network, problem)
    time = np.insert(log.time, 200, log.time[200])
    columns = {"kind": RESET, "i": 3, "j": -1}
    kind, i, j = (np.insert(getattr(log, name), 200, value) for name, value in columns.items())
    mark = np.insert(log.mark, 200, 0)
    with_reset = Events.from_arrays(time, kind, i, j, network, mark=mark)
    before = replay("dadao", problem, network, log[:200], np.ones(3))
    middle = replay("dadao", problem, network, with_reset[:201], np.ones(3))
    for block in METHODS["dadao"].blocks:
        assert not middle[block][3].any()
        others = np.arange(7) != 3
        assert_array_equal(middle[block][others], before[block][others])
    tuning = METHODS["dadao"].tune(problem, network, {})
    player = make_player(METHODS["dadao"], problem, tuning, np.ones((7, 3)), {})
    player.play(with_reset, 0, 201)
    assert (player.state.seen[3], player.state.last[3]) == (0, log.time[200])
    after = replay("dadao", problem, network, with_reset, np.ones(3))
    atomic = replay("dadao", problem, network, log, np.ones(3))
    assert np.abs(after["x"] - atomic["x"]).max() > 1e-3


@pytest.mark.parametrize("name", ["dadao", "a2cid2", "ad_psgd"])
def test_conservation_counts_what_is_in_flight_and_what_was_lost_at_one_end(name):
    """Exchanges only, at one instant: what the sums lack is what had not arrived, to the bit of
    a rounding error."""
    network, problem = lollipop(), small_problem(7)
    method = METHODS[name]
    rng = np.random.default_rng(5)
    start = {block: rng.standard_normal((7, 3)) for block in method.blocks}
    edges = network.edges[rng.integers(0, len(network.edges), 60)]
    kind, i, j, begun, missing = [], [], [], [], []  # missing: start row, who never heard
    for a, b in edges.tolist():
        row = len(kind)
        fate = rng.integers(3)
        ends = {0: [ARRIVE_I, ARRIVE_J], 1: [ARRIVE_I, LOST], 2: [ARRIVE_J, LOST]}[int(fate)]
        for k in [SEND, *ends]:
            kind.append(k)
            i.append(a)
            j.append(b)
            begun.append(-1 if k == SEND else row)
        if fate:
            missing.append((row, -1 if fate == 1 else 1))  # the sign at the end that lacks it
    events = Events.from_arrays(np.zeros(len(kind)), kind, i, j, network, start=begun)
    after = replay(name, problem, network, events, **start)
    lost = {block: np.zeros(3) for block in method.blocks}
    for row, sign in missing:
        # What the other end would have done with the difference of the messages at sending.
        now = replay(name, problem, network, events[:row], **start)
        both = Events.from_arrays([0.0], [GOSSIP], [i[row]], [j[row]], network)
        then = replay(name, problem, network, both, **now)
        node = j[row] if sign < 0 else i[row]
        for block in method.blocks:
            lost[block] += then[block][node] - now[block][node]
    assert len(missing) > 10
    for block in method.invariant:
        drift = after[block].sum(axis=0) - start[block].sum(axis=0)
        assert np.abs(drift).max() > 1e-2, "one-sided loss breaks conservation"
        assert_allclose(drift, -lost[block], rtol=1e-12, atol=1e-12 * np.abs(after[block]).max())


def test_rounds_count_what_is_resent_and_skip_it():
    network, problem = lollipop(), small_problem(7)
    kinds = [ROUND, RESENT, RESENT, ROUND]
    log = Events.from_arrays([1.0, 2.0, 2.0, 2.0], kinds, [-1, 0, 3, -1], [-1, 1, 4, -1], network)
    plain = Events.from_arrays([1.0, 2.0], [ROUND, ROUND], [-1, -1])
    found, expected = (replay("msda", problem, network, events) for events in (log, plain))
    assert_array_equal(found["x"], expected["x"])
    tuning = METHODS["msda"].tune(problem, network)
    player = make_player(METHODS["msda"], problem, tuning, np.zeros((7, 3)), {})
    player.play(log, 0, 4)
    rounds = 2 * tuning.params.K * len(network.edges)
    assert player.tally.communications == rounds + 2
    assert player.tally.bytes_sent == (rounds + 2) * 2 * 8 * 3


# ---- what a log and a method may not be ----------------------------------------------------------


def test_edges_of_a_log_are_looked_up_and_checked():
    network, problem = lollipop(), small_problem(7)
    y = np.random.default_rng(0).standard_normal((7, 3))
    with_edges = Events.from_arrays([1.0], [GOSSIP], [0], [1], network)
    without = Events.from_arrays([1.0], [GOSSIP], [0], [1])
    expected, found = (
        replay("continuized", problem, network, log, y=y)["y"] for log in (with_edges, without)
    )
    assert_array_equal(found, expected)
    with pytest.raises(InputError, match=r"edge: row 0 says 77777777"):
        Events.from_arrays([1.0], [GOSSIP], [0], [1], network, edge=[77777777])
    wrong = Events.from_arrays([1.0], [GOSSIP], [0], [1], edge=[77777777])
    with pytest.raises(InputError, match=r"events\.edge: row 0 says 77777777"):
        replay("continuized", problem, network, wrong, y=y)
    no_edge = Events.from_arrays([1.0], [GOSSIP], [0], [6])
    with pytest.raises(InputError, match="no edge"):
        replay("continuized", problem, network, no_edge, y=y)


@pytest.mark.parametrize(
    ("column", "value"), [("kind", -1), ("kind", 300), ("time", "soon"), ("mark", -1), ("i", 2**40)]
)
def test_a_column_that_cannot_hold_a_number_is_named(column, value):
    row = {"time": 1.0, "kind": GRADIENT, "i": 0, column: value}
    with pytest.raises(InputError, match=f"^{column}: "):
        Events.from_arrays(**{name: [value] for name, value in row.items()})


def test_a_variant_of_a_method_needs_params_of_its_own():
    def nothing(state, p, i, g):
        pass

    with pytest.raises(InputError, match="define a Params class of its own"):
        replace(METHODS["dadao"], name="lazy", apply_gradient=nothing)


def test_a_gradient_of_another_shape_is_refused():
    class Wrong:
        later = False

        def value(self, x):
            return x @ x / 2

        def gradient(self, x):
            return 5.0 if self.later else x

    problem = Problem.from_objectives([Wrong() for _ in range(7)], 1.0, 1.0, 3, x_star=np.zeros(3))
    Wrong.later = True
    log = atomic_log("dadao", lollipop(), problem)
    with pytest.raises(InputError, match="objectives: gradient of node"):
        replay("dadao", problem, lollipop(), log, np.ones(3))
