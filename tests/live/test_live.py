"""Live runs: what processes did is, replayed, what they held, to the last bit.

No rate is asserted: how fast a machine is, is its own affair.
"""

import itertools
import json
import multiprocessing
import os
import re
import signal
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dadao_sim import load_events, load_result, replay
from dadao_sim.cli import main
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    KIND_NAMES,
    LOST,
    RESET,
    SEND_ONE,
    Events,
)
from dadao_sim.live import free as free_of
from dadao_sim.live import handlers, post, rates, records, run, supervisor
from dadao_sim.live import wires as wires_of
from dadao_sim.live.board import Board
from dadao_sim.live.free import Clocks, Pace
from dadao_sim.live.post import Post
from dadao_sim.live.rates import Asked, check_cores, check_rates, reached
from dadao_sim.live.run import distance, follow_live, run_live
from dadao_sim.live.telling import TellingNode
from dadao_sim.live.wires import Wire, connected
from dadao_sim.simulation.again import PlayedAgain
from dadao_sim.simulation.simulate import simulate
from dadao_sim.simulation.study import Study


def scenario(**changes):
    return {
        "name": "live",
        "problem": {
            "kind": "least_squares",
            "data": {"kind": "synthetic", "dim": 6, "samples_per_node": 12},
        },
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["dadao"],
        "stop": {"time": 100},
    } | changes


pytestmark = pytest.mark.slow
FREE = {"unit": 0.01, "horizon": 100.0, "least_rate": 0.0}


@pytest.fixture(scope="module")
def free(tmp_path_factory):
    """A run of four nodes, one of which is killed, and its folder."""
    folder = tmp_path_factory.mktemp("live") / "free"
    return run_live(scenario(), out=folder, kills=[(3, 60.0)], **FREE), folder


def states_of(live):
    return {node: rows["values"] for node, rows in live.states.items()}


def replayed(live, events, method="dadao"):
    """The state blocks of every node, (n, blocks, d), by the public replay."""
    parts = Study(live.result.manifest["scenario"]).parts(0)
    return np.stack(list(replay(method, parts.problem, parts.network, events).values()), axis=1)


def test_every_node_holds_its_own_rows_only_and_the_replay_is_equal(monkeypatch):
    """The data and the states of the others are nan, at the beginning and at the end."""

    def blind(self, player, i):
        own = make(self, player, i)
        data, others = own.objective, np.arange(len(player.state.last)) != i
        H, c = data.H.copy(), data.c.copy()
        H[others], c[others] = np.nan, np.nan
        own.objective = data._replace(H=H, c=c)
        return own

    def seen(self):
        others = np.delete(self.state.values, self.i, axis=0)
        assert np.isnan(others).all()
        assert np.isfinite(self.state.values[self.i]).all()
        return rows(self)

    make, rows = run._Live.handlers, handlers.Handlers.rows
    monkeypatch.setattr(run._Live, "handlers", blind)
    monkeypatch.setattr(handlers.Handlers, "rows", seen)
    live = run_live(scenario(), **FREE)
    assert live.equal
    assert sorted(live.states) == [0, 1, 2, 3]
    again = replayed(live, live.events)
    assert all((again[node] == values).all() for node, values in states_of(live).items())
    kinds = set(live.events.kind.tolist())
    assert kinds == {GRADIENT, GOSSIP}
    assert np.abs(again[:, 0]).max() > 0


def test_after_a_kill_the_others_end_and_the_replay_is_equal(free):
    live, _ = free
    assert live.equal
    assert live.difference == 0
    assert sorted(live.states) == [0, 1, 2]
    how, at = live.dead[3]
    assert how == "ended (signal 9)"
    assert at >= 60
    of_the_dead = (live.events.i == 3) | (live.events.j == 3)
    assert live.events.time[of_the_dead].max() <= at
    assert live.events.time.max() > at


@pytest.mark.parametrize("digits", ["microseconds", "single precision"])
def test_times_that_are_rounded_are_not_equal(free, digits):
    live, _ = free
    time = live.events.time
    rounded = {
        "microseconds": np.round(time * 1e4) / 1e4,  # a unit lasts 10 ms
        "single precision": np.maximum.accumulate(time.astype(np.float32).astype(float)),
    }[digits]
    again = replayed(live, replace(live.events, time=rounded))
    gap = max(np.abs(again[node] - values).max() for node, values in states_of(live).items())
    assert gap > 1e-12 * np.abs(again).max()


def test_the_result_is_an_ordinary_one_and_says_that_it_was_live(free):
    live, folder = free
    result = load_result(folder)
    said = json.loads((folder / "manifest.json").read_text())["live"]
    assert said["replay_equals_live"] is True
    assert said["processes"] == 4
    assert said["ended"][0]["node"] == "3"
    assert result.is_live
    log = load_events(folder / "events.npz")
    assert (log.time == live.events.time).all()
    played = PlayedAgain(result, "dadao")
    assert (played.events.time == log.time).all()
    blocks = result.states["dadao", 0]
    assert (blocks["x"][0] == live.states[0]["values"][0]).all()
    assert result.curves["communications"].iloc[-1] == live.merged.exchanges + live.merged.one_sided


def test_a_result_that_is_not_live_takes_the_log_of_one_with_it(free, tmp_path):
    live, _ = free
    live.result.save(tmp_path / "there")
    assert (tmp_path / "there" / "events.npz").is_file()
    simulate(scenario(stop={"time": 5}), out=tmp_path / "there", overwrite=True)
    assert not (tmp_path / "there" / "events.npz").exists()
    live.result.save(tmp_path / "there")
    (tmp_path / "there" / "events.npz").write_bytes(b"edited")
    with pytest.raises(InputError, match=r"events\.npz"):
        load_result(tmp_path / "there")


def test_what_would_have_been_under_another_method(tmp_path):
    """The recorded log, replayed under two methods: each as `replay` has it."""
    live = run_live(
        scenario(algorithms=["msda", "dadao", "randomised_gossip", "ad_psgd"]),
        **FREE | {"horizon": 30.0, "beside": ["ad_psgd"]},
    )
    assert live.equal
    assert list(live.result.runs["algorithm"]) == ["dadao", "ad_psgd"]
    other = replayed(live, live.events, "ad_psgd")
    assert (live.result.states["ad_psgd", 0]["x"] == other[:, 0]).all()


@pytest.mark.torture  # compiles two more loops
def test_minibatches_are_drawn_by_the_node_and_replayed():
    live = run_live(
        scenario(algorithms=[{"name": "ad_psgd", "batch_size": 2, "parameters": {"step": 0.01}}]),
        **FREE | {"horizon": 30.0},
    )
    assert live.equal
    marks = live.events.mark[live.events.kind == GRADIENT]
    assert len(set(marks.tolist())) == len(marks)


@pytest.mark.parametrize("log", ["simulated", "cut"])
def test_processes_that_follow_a_log_hold_what_the_simulator_does(free, log):
    """A log of the simulator's clock; one with exchanges that were cut by a death."""
    events = free[0].events
    if log == "simulated":
        events = Study(scenario()).plan(("dadao", 0)).source.window()[:2000]
    live = follow_live(scenario(), events)
    assert live.equal
    again = replayed(live, events)
    assert all((again[node] == values).all() for node, values in states_of(live).items())


def test_a_log_of_a_world_is_followed_too():
    """Gradients and exchanges under way, losses, nodes that lose all they held."""
    faults = {"every": 10, "length": 2, "state": "lost"}
    world = {
        "gradient_seconds": 1.0,
        "nodes": {"gradient": {"kind": "exponential", "mean": 0.5}, "crashes": faults},
        "links": {"latency": 0.1, "loss": {"probability": 0.2, "noticed": "one"}},
    }
    plan = Study(scenario(world=world, stop={"time": 60})).plan(("dadao", 0))
    events = plan.source.window()
    events = events[: int(np.searchsorted(events.time, plan.horizon))].in_intervals(plan.unit)
    assert {"gradient_start", "arrive_j", "lost", "reset"} <= {
        KIND_NAMES[kind] for kind in events.kind
    }
    assert follow_live(scenario(), events).equal


# ---- nothing hangs --------------------------------------------------------------------------


@pytest.mark.parametrize("kills", [[(1, 0.0)], [(0, 5.0), (1, 5.0)]], ids=["at 0", "both ends"])
def test_kills_at_the_start_and_of_both_ends_of_an_edge(kills):
    live = run_live(scenario(), **FREE | {"horizon": 20.0, "kills": kills})
    assert live.equal
    assert sorted(live.dead) == [node for node, _ in kills]
    assert live.events.time[(live.events.i == 3)].max() > 5


@pytest.mark.parametrize(
    ("node", "kind", "moment", "acted"),
    [
        (3, records.GRANTER, "after", (0, 1)),  # granted by the dead, who told nobody
        (0, records.REQUESTER, "before", (0, 1)),  # granted by who lives, to the dead
        (0, records.REQUESTER, "after", (1, 0)),  # on the dead alone
        (3, records.APPLIED, "before", (1, 0)),  # on who lives alone
    ],
)
def test_an_exchange_that_is_cut_at_a_given_record(monkeypatch, node, kind, moment, acted):
    """The process dies at its fifth record of a kind, before or after it is written."""

    def dies(self, what, *rest, **others):
        count = vars(self).setdefault("count", itertools.count(1))
        last = what == kind and self.path.stem == str(node) and next(count) == 5
        if last and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        write(self, what, *rest, **others)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    write = records.Writer.write
    monkeypatch.setattr(records.Writer, "write", dies)
    live = run_live(scenario(), **FREE | {"horizon": 30.0})
    assert list(live.dead) == [node]
    assert (live.merged.one_sided, live.merged.nobody) == acted
    assert live.equal
    assert live.events.time.max() > 20


def test_marks_drawn_by_plain_python_are_those_of_the_compiled_and_warn_of_nothing(monkeypatch):
    monkeypatch.setattr(free_of, "splitmix64", getattr(splitmix64, "py_func", splitmix64))
    live = run_live(scenario(), **FREE | {"horizon": 20.0})
    assert len(live.states) == 4  # a warning would be an error of its node
    node = int(live.events.i[live.events.kind == GRADIENT][0])
    marks = live.events.mark[(live.events.kind == GRADIENT) & (live.events.i == node)]
    first = Study(scenario()).plan(("dadao", 0)).seed.spawn(4)[node]
    key = int(np.random.default_rng(first).integers(0, 2**64, dtype=np.uint64))
    wanted = [splitmix64(np.uint64((key + k) % 2**64)) for k in range(len(marks))]
    assert marks.tolist() == wanted


def test_a_node_that_stands_still_is_given_up_by_its_neighbours(monkeypatch):
    """It is alive and says nothing: who waits for it leaves, and what was logged stays exact."""

    def stands(self, j):
        if self.i == 1 and self.clock() > 5:
            os.kill(os.getpid(), signal.SIGSTOP)
        serve(self, j)

    serve = run.ExchangingNode._serve
    monkeypatch.setattr(run.ExchangingNode, "_serve", stands)
    monkeypatch.setattr(run, "PATIENCE", 0.3)
    begun = time.monotonic()
    live = run_live(scenario(), **FREE | {"horizon": 20.0})
    assert time.monotonic() - begun < 20
    assert live.dead[0][0] == "waited too long for a neighbour, and gave up"
    assert live.dead[1][0] == "ended (signal 9)"
    assert live.states
    assert live.equal


def test_an_error_of_a_node_is_told_and_no_process_is_left(monkeypatch):
    def wrong(self):
        raise ArithmeticError("no tick")

    monkeypatch.setattr(run.ExchangingNode, "_tick_if_due", wrong)
    with pytest.raises(InputError, match=r"node \d failed: ArithmeticError at .*: no tick"):
        run_live(scenario(), **FREE | {"horizon": 5.0})


def _command(output, *arguments):
    """What a process of its own does: the command, in the folder of its output."""
    os.chdir(output.parent)
    sys.argv = ["dadao-sim", *arguments]
    with output.open("w") as sys.stdout:
        main.main()


@pytest.mark.parametrize(
    ("how", "follows"), [(signal.SIGINT, False), (signal.SIGKILL, False), (signal.SIGKILL, True)]
)
def test_the_nodes_end_with_who_started_them(free, tmp_path, how, follows):
    (tmp_path / "live.yaml").write_text(json.dumps(scenario(stop={"time": 1e5})))
    given = ("live", "live.yaml", "--horizon", "1e5", "--least-rate", "0")
    if follows:  # for minutes, each message on its way for a second
        given = ("live", "live.yaml", "--follow", str(free[1] / "events.npz"), "--delay", "1s")
    context = multiprocessing.get_context("fork")
    parent = context.Process(target=_command, args=(tmp_path / "output", *given))
    with warnings.catch_warnings():  # of threads, where there are some
        warnings.simplefilter("ignore", DeprecationWarning)
        parent.start()
    nodes = _children(parent, 4)
    os.kill(parent.pid, how)
    parent.join(60)
    until = time.monotonic() + 30
    while any(_runs(node) for node in nodes):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert parent.exitcode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        said = (tmp_path / "output").read_text()
        assert said.startswith("interrupted: the processes have ended")
    assert not (tmp_path / "results").exists()


def test_a_kill_comes_too_late_for_a_process_that_has_ended(tmp_path, monkeypatch):
    """Its number may be that of somebody else's process by then."""

    def ends(wires, board):
        raise wires_of.Gone

    def lives(wires, board):
        board.pause(1.0)
        return {}

    killed = []
    monkeypatch.setattr(os, "kill", lambda process, how: killed.append(process))
    kills = [supervisor.Kill(1, 0.7)]
    ended = supervisor.supervise(
        [lives, ends], [(0, 1)], tmp_path, patience=5.0, limit=20.0, kills=kills
    )
    assert ended.dead[1][0] == "lost a neighbour"
    assert list(ended.states) == [0]
    assert killed == []


def _children(parent, count):
    until = time.monotonic() + 60
    while time.monotonic() < until and parent.is_alive():
        with open(f"/proc/{parent.pid}/task/{parent.pid}/children") as file:
            children = file.read().split()
        if len(children) == count:
            return children
        time.sleep(0.01)
    raise AssertionError(parent.exitcode)


def _runs(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# ---- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "how", "said"),
    [
        ({"algorithms": ["nids"]}, {}, "algorithms: none of nids is asynchronous"),
        (
            {"algorithms": ["nids", "dadao"]},
            {"algorithm": "nids"},
            "algorithm: nids is synchronous",
        ),
        ({"algorithms": ["nids", "dadao"]}, {"beside": ["nids"]}, "beside: nids is synchronous"),
        (
            {"algorithms": ["asy_sonata", "dadao"]},
            {"beside": ["dadao"]},
            "beside: dadao cannot play the log of asy_sonata: .* dadao takes exchanges only",
        ),
        (
            {"algorithms": ["dadao", "osgp"]},
            {"beside": ["osgp"]},
            "beside: osgp cannot play the log of dadao: .* osgp takes messages only that go one",
        ),
        ({}, {"algorithm": "dado"}, "algorithm: 'dado' is not in the scenario"),
        ({"algorithms": ["esdacd"]}, {}, "has no clocks of nodes and edges, but steps"),
        ({"world": {"preset": "wan"}}, {}, "world: a live run has the machine's own"),
        ({"clock": {"node_rates": 2}}, {}, r"clock\.node_rates: "),
        (
            {"network": {"sequence": {"graph": "random_geometric", "nodes": 8, "length": 3}}},
            {},
            "network: it changes with time",
        ),
        ({}, {"horizon": 0.0}, "horizon: 0 given; a finite time above 0"),
        ({}, {"unit": 0.0}, "unit: 0 given; a time from 1us to 3600s"),
        ({}, {"unit": 1e-320, "delay": 1.0}, "unit: .* given; a time from 1us to 3600s"),
        ({}, {"unit": "10ms"}, "unit: '10ms' given; a time from 1us to 3600s"),
        ({}, {"delay": -1.0}, "delay: -1 given; a time from 0s to 3600s"),
        ({}, {"delay": 1e10}, r"delay: 1e\+10 given; a time from 0s to 3600s"),
        ({}, {"delay": None}, "delay: None given"),
        ({}, {"least_rate": 1.5}, "least_rate: 1.5 given; a part from 0 to 1"),
        ({}, {"algorithm": 3}, "algorithm: 3 is not in the scenario"),
        ({}, {"kills": [(7, 1.0)]}, "kill"),
        ({}, {"kills": [3]}, "kill: 3 given; pairs of a node and a time"),
        ({}, {"kills": [(3, "5")]}, "kill: .* given; pairs of a node and a time"),
        ({}, {"kills": [(1, 1.0), (1, 2.0)]}, "kill: node 1 is killed twice"),
        ({}, {"kills": [(1, 101.0)]}, "kill: node 1 at 101 is outside the run; 0 to 100"),
        ({}, {"kills": [(k, 1.0) for k in range(4)]}, "kill: all nodes are killed"),
        (
            {"algorithms": [{"name": "dadao", "averaging": "events"}]},
            {"kills": [(1, 1.0)]},
            "kill: dadao averages over events",
        ),
    ],
)
def test_what_cannot_run_live_is_refused_in_a_line(changes, how, said, monkeypatch):
    monkeypatch.setattr(run, "supervise", None)  # nothing has run
    with pytest.raises(InputError, match=said):
        run_live(scenario(**changes), **FREE | how)


def test_what_is_followed_is_a_log():
    with pytest.raises(InputError, match="events: Events are needed, not a str"):
        follow_live(scenario(), "log.npz")
    with pytest.raises(InputError, match="--follow: it has no rows; give a log in which"):
        follow_live(scenario(), Events.from_arrays([], [], []))


def test_rounds_are_followed_by_no_process():
    log = Study(scenario(algorithms=["nids"])).plan(("nids", 0)).source.window()[:10]
    with pytest.raises(InputError, match="--follow: row 0 is round; processes follow gradient"):
        follow_live(scenario(), log)


def test_of_a_horizon_within_which_nothing_happens(tmp_path):
    with pytest.raises(InputError, match="horizon: nothing happened in 1e-09 units"):
        run_live(scenario(), **FREE | {"horizon": 1e-9, "out": tmp_path / "nothing"})
    assert not (tmp_path / "nothing").exists()


def test_more_nodes_than_the_cores_can_take():
    with pytest.raises(InputError, match=r"live: 12 nodes on 2 cores; at most 8 .* --unit 100ms"):
        check_cores(12, 2, 0.05)
    check_cores(12, 2, 0.1)
    check_cores(8, 2, 0.001)


def test_a_run_that_falls_behind_is_told_a_longer_unit():
    """By constructed counts: three nodes on a path, half of the exchanges made."""
    asked = Asked(np.ones(3), np.array([2.0, 4.0]), [(0, 1), (1, 2)], unit=0.01, delay=1e-3)
    assert asked.load == pytest.approx(3 * 1e-3 * 6 / 0.01)
    assert asked.expected(100.0, {2: 25.0}) == pytest.approx((225.0, 2 * 100 + 4 * 25))
    counts = np.array([[1, 100, 100, 0.2], [1, 100, 200, 0.9], [1, 100, 0, 0.1]])
    was = reached(asked, counts, 100.0, {}, 0.9)
    assert (was.gradients, was.exchanges, was.busiest) == (1.0, 0.5, 1)
    line = r"exchanges ran at 0.50 .* \(work 0.90 of the time at node 1\); use --unit 100ms"
    with pytest.raises(InputError, match=line):
        check_rates(asked, was)
    check_rates(asked, reached(asked, counts, 100.0, {2: 25.0}, 0.9))  # all that a death left
    check_rates(asked, reached(asked, counts, 100.0, {}, 0.0))
    assert rates.rounded_up(0.021) == 0.04
    assert rates.in_words(0.04) == "40ms"


def test_a_difference_is_never_taken_for_none():
    one = np.array([1.0, np.nan, 0.0])
    assert distance(one, one.copy()) == 0
    assert distance(one, np.array([1.0, np.nan, -0.0])) > 0
    assert distance(one, np.array([np.nextafter(1, 2), np.nan, 0.0])) == pytest.approx(
        2.2e-16, rel=0.01
    )
    assert distance(one, np.array([1.0, 0.0, 0.0])) == np.inf


# ---- the command ----------------------------------------------------------------------------


def test_the_command(dadao_sim, tmp_path, monkeypatch):
    (tmp_path / "live.yaml").write_text(json.dumps(scenario()))
    given = ("live", "live.yaml", "--unit", "10ms", "--horizon", 20, "--least-rate", 0)
    code, out, error = dadao_sim(*given, "--kill", "3@10", "--out", "one")
    assert (code, error) == (0, "")
    ended = re.search(r"live: node 3 ended \(signal 9\) at t = ([\d.]+);", out)
    assert ended
    assert float(ended[1]) >= 10  # later on a machine with much else to do
    assert "replay equals the live states to the last bit" in out
    code, out, _ = dadao_sim(
        "live", "live.yaml", "--follow", "one/events.npz", "--out", "two", "--json"
    )
    assert code == 0
    assert json.loads(out)["replay_equals_live"] is True
    code, _, error = dadao_sim(
        "live", "live.yaml", "--follow", "one/events.npz", "--out", "one", "--overwrite"
    )
    assert code == 2
    assert error == (
        "dadao-sim: --out: one/events.npz is read, and would be replaced; choose another\n"
    )
    one, two = (load_result(tmp_path / name) for name in ("one", "two"))
    assert one.curves.equals(two.curves)
    monkeypatch.setattr(run, "distance", lambda one, other: 1e-9)
    code, out, _ = dadao_sim(*given, "--out", "three")
    assert code == 1
    assert "replay differs from the live states: by " in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--resume"], "--resume: the processes of a live run are gone"),
        (["--unit", "10"], "--unit: '10' given; a number and us, ms or s, as 10ms"),
        (["--kill", "3"], "--kill: '3' given; NODE@T, as 3@150"),
        (["--kill", "9@5"], "--kill"),
        (["--horizon", "0"], "--horizon: 0 given"),
        (["--follow", "log.npz"], "--follow: there is no file log.npz"),
        (["--follow", "log.npz", "--unit", "1ms"], "--unit: a log that is followed has its own"),
    ],
)
def test_what_the_command_refuses_is_named_by_its_option(dadao_sim, tmp_path, given, said):
    (tmp_path / "live.yaml").write_text(json.dumps(scenario()))
    code, _, error = dadao_sim("live", "live.yaml", *given)
    assert code == 2
    assert error.startswith(f"dadao-sim: {said}")
    assert len(error.splitlines()) == 1


def test_a_live_result_is_not_gone_on_with(dadao_sim, free, tmp_path):
    _, folder = free
    (tmp_path / "live.yaml").write_text(json.dumps(scenario()))
    code, _, error = dadao_sim("run", "live.yaml", "--resume", "--out", folder)
    assert code == 2
    assert "holds the result of a live run, whose processes are gone" in error


# ---- long series ----------------------------------------------------------------------------

GRAPHS = ("cycle", "path", "star", "complete")


@pytest.mark.torture
@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("nodes", range(3, 9))
@pytest.mark.parametrize("name", ["dadao", "asy_sonata"])
def test_every_graph_with_and_without_kills(graph, nodes, name):
    """A kill at each of several times, of each kind of node; with a delay, which cuts exchanges."""
    asked = scenario(network={"graph": graph, "nodes": nodes}, algorithms=[name])
    how = {"unit": 0.02, "horizon": 40.0, "least_rate": 0.0}
    cases = [[], [(nodes - 1, 10.37)], [(0, 11.1)], [(nodes // 2, 15.3), (nodes - 1, 15.3)]]
    for delay, kills in itertools.product((0.0, 0.001), cases):
        live = run_live(asked, **how, kills=kills, delay=delay)
        assert live.equal, (delay, kills, live.difference)
        assert set(live.dead) == {node for node, _ in kills}
        cut = live.merged.counted(one_way=name == "asy_sonata")
        print(name, graph, nodes, delay, kills, len(live.events), live.difference, cut)


DIGRAPH = {"graph": "random_digraph", "nodes": 5}


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("dadao_counters", {"graph": "cycle", "nodes": 4}),
        ("asy_dgd", {"graph": "star", "nodes": 4}),
        ("asy_sonata", DIGRAPH),
        ("osgp", DIGRAPH),
    ],
)
@pytest.mark.parametrize("kills", [[], [(1, 20.0)]], ids=["all live", "one is killed"])
def test_sums_and_messages_one_way_by_clocks_of_the_nodes(name, network, kills):
    live = run_live(
        scenario(network=network, algorithms=[name]),
        **{"unit": 0.02, "horizon": 40.0, "least_rate": 0.0, "delay": 0.001, "kills": kills},
    )
    assert live.equal
    assert set(live.dead) == {node for node, _ in kills}
    again = replayed(live, live.events, name)
    assert all((again[node] == values).all() for node, values in states_of(live).items())
    said = live.result.manifest["live"]
    if name == "dadao_counters":
        assert said["exchanges"]["both_ends"] == (live.events.kind == GOSSIP).sum() > 0
        return
    counted = [(live.events.kind == kind).sum() for kind in (SEND_ONE, ARRIVE_ONE, LOST)]
    assert list(said["messages"].values()) == counted
    assert set(said["rates"]) == {"gradients", "messages"}
    sent, arrived, lost = counted
    assert sent >= arrived + lost
    assert arrived > 0
    assert lost == 0 or kills
    # Nothing comes before it can, and those over one arc come in their order.
    rows = np.flatnonzero(live.events.kind == ARRIVE_ONE)
    starts = live.events.start[rows]
    assert (live.events.time[rows] >= live.events.time[starts] + 0.001 / 0.02 - 1e-9).all()
    for s, r in Study(scenario(network=network)).parts(0).network.graphs[0].edges:
        for sender, receiver in ((s, r), (r, s)):
            of_arc = (live.events.i[rows] == receiver) & (live.events.j[rows] == sender)
            assert (np.diff(starts[of_arc]) > 0).all()


def test_what_processes_hold_of_running_sums_is_conserved():
    """sum_i z_i + sum (rho - rt) = sum_i g_i of ASY-SONATA, summed over the processes' own states:
    what is on its way when they end is in rho, which its sender holds.
    """
    live = run_live(scenario(network=DIGRAPH, algorithms=["asy_sonata"]), **FREE | {"horizon": 40})
    d = 6
    z, g = (sum(rows["values"][block] for rows in live.states.values()) for block in (1, 3))
    gave, _, _, took = np.split(sum(rows["ends"].sum(0) for rows in live.states.values()), 4)
    assert len(gave) == d
    np.testing.assert_allclose(z + gave - took, g, rtol=0, atol=1e-12 * np.abs(g).max())
    assert np.abs(gave - took).max() > 1e-9  # something was on its way


def test_a_node_that_asks_its_neighbours_for_what_it_lost_follows_no_log():
    log = Events.from_arrays([1.0, 2.0], [GRADIENT, RESET], [0, 0], [-1, -1])
    with pytest.raises(InputError, match="row 1 is reset, and dadao_counters asks its neighbours"):
        follow_live(scenario(algorithms=["dadao_counters"]), log)


@pytest.mark.parametrize(("name", "lost"), [("asy_sonata", 0.2), ("osgp", 0.02)])
def test_processes_follow_messages_one_way_over_the_arcs_of_a_digraph(name, lost):
    """Some of them late, some lost, some overtaken: each process holds the simulator's bits."""
    loss = {"probability": lost, "noticed": "one"}
    world = {
        "nodes": {"gradient": {"kind": "exponential", "mean": 1.0}, "pause": None},
        "links": {"latency": 0.3, "jitter": 1.0, "loss": loss},
    }
    one_way = scenario(network=DIGRAPH, algorithms=[name], stop={"time": 150})
    events = Study(one_way | {"world": world}).plan((name, 0)).source.window()[:1500]
    kinds = {KIND_NAMES[kind] for kind in events.kind}
    assert kinds == {"gradient_start", "gradient_end", "send_one", "arrive_one", "lost"}
    arrived = events.kind == ARRIVE_ONE
    overtaken = [
        (np.diff(events.start[arrived & (events.j == s) & (events.i == r)]) < 0).any()
        for s, r in Study(one_way).parts(0).network.arcs
    ]
    assert any(overtaken)
    live = follow_live(one_way, events)
    assert live.equal
    assert sorted(live.states) == list(range(5))
    again = replayed(live, events, name)
    assert all((again[node] == values).all() for node, values in states_of(live).items())
    assert live.result.curves["communications"].iloc[-1] == (events.kind == SEND_ONE).sum() / 2


def test_the_post_takes_in_what_comes_while_it_sends():
    """Two nodes that send each other more than the wires hold, and read only then."""
    length, count = 1000, 2000
    said = np.arange(2 * count * length, dtype=float).reshape(2, count, length)
    with connected([(0, 1)]) as pairs, ThreadPoolExecutor(2) as threads:
        board = Board(2)
        posts = [
            Post({1 - k: Wire(end, 20.0)}, length, 20.0, board) for k, end in enumerate(pairs[0, 1])
        ]

        def speak(k):
            for row in range(count):
                posts[k].send(1 - k, row, said[k, row])
            return all(
                (posts[k].take(1 - k, row) == said[1 - k, row]).all() for row in range(count)
            )

        assert all(threads.map(speak, range(2)))


class Listener:
    """A method that keeps what it hears, in the place of handlers of node 0."""

    i, last = 0, 0.0

    def __init__(self, length):
        self.parcel, self.heard = np.zeros(length), []

    def tell(self, edge, t):
        return self.parcel

    def take(self, edge, t, payload):
        self.heard.append(payload.tolist())


def test_what_a_neighbour_sent_before_it_died_arrives_after_sending_to_it_has_failed(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(post, "MOST_BYTES", 64)  # of 640 that are there
    with connected([(0, 1)]) as pairs:
        wire, other = pairs[0, 1]
        handlers, board = Listener(2), Board(1)
        for number in range(20):
            other.send(np.int64(number).tobytes() + np.array([0.0, number, 1.0]).tobytes())
        other.close()
        parts = handlers, {1: Wire(wire, 5.0)}, {1: 0}, Pace(unit=0.01, horizon=20.0)
        clocks = Clocks(0.0, {1: 1e-9}, [1], np.random.SeedSequence(0))
        node = TellingNode(*parts, clocks, records.Writer(tmp_path / "0.log"), board, 5.0)
        board.start = time.monotonic_ns()
        until = time.monotonic() + 10
        while 1 in node.due and time.monotonic() < until:
            node._turn_to(1)
        assert 1 not in node.due  # it has failed
        node.run()
        assert handlers.heard == [[number, 1.0] for number in range(20)]


def test_a_delay_makes_no_node_patient_whose_messages_go_one_way(monkeypatch):
    def started(*_, patience, **__):
        waits.append(patience)
        raise InputError("started")

    waits = []
    monkeypatch.setattr(run, "supervise", started)
    for name in ("dadao", "asy_sonata"):
        with pytest.raises(InputError, match="started"):
            run_live(scenario(algorithms=[name]), **FREE | {"delay": 3.0})
    assert waits == [run.PATIENCE + 10 * 4 * 3.0, run.PATIENCE]


def test_messages_that_nobody_sent_are_not_called_exchanges(dadao_sim, tmp_path):
    seldom = {"name": "asy_sonata", "parameters": {"rate_factor": 1e-9}}
    (tmp_path / "live.yaml").write_text(json.dumps(scenario(algorithms=[seldom])))
    code, out, _ = dadao_sim("live", "live.yaml", "--horizon", 20, "--least-rate", 0)
    assert code == 0
    assert ", messages 0.00 of theirs" in out


def test_exchanges_among_messages_one_way_are_not_followed():
    log = Events.from_arrays([1.0, 2.0], [GOSSIP, SEND_ONE], [0, 0], [1, 1])
    with pytest.raises(InputError, match="--follow: the log has exchanges and messages that go"):
        follow_live(scenario(), log)
