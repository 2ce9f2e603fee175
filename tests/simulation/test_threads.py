"""Threads change no byte: levels, delayed events, limits in a window, rounds, workspaces."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from cases import lollipop, small_problem
from operator_cases import case
from scipy import sparse
from simulation.test_player import atomic_log, with_delays

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract import gossip
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compiled import parallel
from dadao_sim.compiled.parallel import use_threads
from dadao_sim.engine import operators, oracles
from dadao_sim.engine.levels import Leveller
from dadao_sim.engine.workspace import DECLARED, own, shareable
from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import TERMS, make
from dadao_sim.simulation import event_player
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.threads import threads_of


@pytest.fixture
def eager(monkeypatch):
    """Threads, however little there is to do."""
    for module, name in (
        *((event_player, "LEAST"), (event_player, "LEAST_NODES")),
        (event_player, "LEAST_OBSERVED"),
        *((gossip, "LEAST_TERMS"), (parallel, "LEAST_NUMBERS"), (oracles, "LEAST_NUMBERS")),
    ):
        monkeypatch.setattr(module, name, 1)


# ---- Levels --------------------------------------------------------------------------------------


def levels_by_hand(i, j, slot):
    latest, found = {}, []
    for row in range(len(i)):
        mine = [("node", i[row])]
        mine += [("node", j[row])] if j[row] >= 0 else []
        mine += [("slot", slot[row])] if slot[row] >= 0 else []
        found.append(1 + max(latest.get(one, -1) for one in mine))
        latest |= dict.fromkeys(mine, found[-1])
    return np.array(found)


@pytest.mark.parametrize("least", [1, 3, 10, 10**6])
def test_levels_are_those_by_hand(least):
    rng, leveller = np.random.default_rng(0), Leveller(40)
    for _ in range(20):  # whose memory is clean every time
        rows = int(rng.integers(1, 300))
        i = rng.integers(0, 40, rows).astype(np.int32)
        j = np.where(rng.random(rows) < 0.5, -1, (i + 1) % 40).astype(np.int32)
        slot = np.where(rng.random(rows) < 0.7, -1, rng.integers(0, 25, rows))
        first = int(rng.integers(0, rows))
        order, begins = leveller.levels(i, j, slot, first, rows, slots=25, least=least)
        wanted = levels_by_hand(i[first:], j[first:], slot[first:])
        widths = np.bincount(wanted)
        wide = int(np.argmax(widths < least)) if (widths < least).any() else len(widths)
        parts = [order[a:b].tolist() for a, b in pairwise(begins)]
        assert len(parts) == wide + 1
        for level in range(wide):
            assert parts[level] == (first + np.flatnonzero(wanted == level)).tolist()
        assert parts[-1] == (first + np.flatnonzero(wanted >= wide)).tolist()


# ---- Delayed events --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dadao", "ad_psgd"])
def test_delayed_events_have_the_same_bytes(name, eager):
    """Slots that are taken again within a window are waited for, though other nodes have them."""
    problem, network = small_problem(7), lollipop()
    rng = np.random.default_rng(1)
    delays = rng.exponential(0.7, 400)
    log = with_delays(atomic_log(name, network, problem), network, lambda k: delays[k])
    method, ends = METHODS[name], []
    for threads, spare in ((1, 0), (2, 0), (2, 2**27)):
        player = make_player(
            *(method, problem, method.tune(problem, network, {}), np.ones((7, 3)), {})
        )
        with pytest.MonkeyPatch.context() as patch, use_threads(threads):
            patch.setattr("dadao_sim.engine.slots.SPARE_BYTES", spare)
            for first in range(0, len(log), 250):
                window = log[first : first + 250]
                player.play(window, 0, 90)
                player.play(window, 90, len(window))
        ends.append(player.arrays)
    for other in ends[1:]:
        for left, right in zip(ends[0], other, strict=True):
            np.testing.assert_array_equal(left, right)


# ---- Whole runs ----------------------------------------------------------------------------------

SCENARIO = {
    "name": "threads",
    "seed": 3,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 6, "condition_number": 10},
    },
    "network": {"graph": "cycle", "nodes": 24},
    "algorithms": ["dadao", "gradient_tracking"],
    "stop": {"time": 40, "communications": 5_001},
    "record": {"points": 17},
}
WORLD = {"links": {"latency": 0.2, "loss": {"probability": 0.1}}}


@pytest.mark.parametrize("world", [None, WORLD])
def test_runs_have_the_same_bytes_with_samples_and_limits_within_a_window(world, eager, tmp_path):
    scenario = SCENARIO if world is None else {**SCENARIO, "world": world}
    folders = [tmp_path / f"{threads}" for threads in (1, 3)]
    for threads, folder in zip((1, 3), folders, strict=True):
        simulate(scenario, out=folder, threads=threads)
    files = [sorted(p.relative_to(folder) for p in folder.rglob("*.*")) for folder in folders]
    assert files[0] == files[1]
    for file in files[0]:
        if file.name in ("curves.parquet", "summary.csv", "manifest.json") or file.suffix == ".npz":
            one, other = ((folder / file).read_bytes() for folder in folders)
            assert one == other, file


def test_a_run_of_one_thread_is_gone_on_with_by_two(eager, tmp_path):
    few = {**SCENARIO, "algorithms": ["gradient_tracking"]}
    simulate(few, out=tmp_path / "r", threads=1)
    found = simulate({**few, "repeats": 2}, out=tmp_path / "r", threads=2, resume=True)
    whole = simulate({**few, "repeats": 2}, threads=1)
    assert found.curves.equals(whole.curves)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "two", True])
def test_what_is_no_number_of_threads_is_refused(wrong):
    with pytest.raises(InputError) as caught:
        simulate(SCENARIO, threads=wrong)
    right = "auto, or a whole number of at least 1"
    assert str(caught.value) == f"threads: {wrong!r} given; {right}"


def test_jobs_share_the_cores(monkeypatch):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    assert [threads_of("auto", jobs) for jobs in (1, 2, 3, 8, 9)] == [8, 4, 2, 1, 1]
    assert threads_of(5, 8) == 5
    assert threads_of(np.int64(5), 8) == 5


def test_a_player_has_no_more_hands_than_its_nodes_keep_busy():
    plan = Study(SCENARIO).plan(("dadao", 0))
    player = make_player(plan.method, plan.parts.problem, plan.tuning, plan.parts.x0, {}, None)
    player.least = player.least_observed = 5  # of 24 nodes
    with use_threads(1_000):
        assert len(player._hands()) == 4
    with use_threads(3):
        assert len(player._hands()) == 3


# ---- Rounds --------------------------------------------------------------------------------------


def test_sparse_products_have_the_bytes_of_scipy(eager):
    rng = np.random.default_rng(0)
    for n, d in ((1, 1), (2, 3), (301, 1), (301, 10)):
        W = sparse.random_array((n, n), density=0.1, format="csr", rng=rng)
        for V in (rng.standard_normal((n, d)), np.asfortranarray(rng.standard_normal((n, d)))):
            with use_threads(3):
                np.testing.assert_array_equal(gossip.product(W, V), W @ V)


# ---- Workspaces ----------------------------------------------------------------------------------


def read_only(parts, path=""):
    """The arrays that are not declared as workspace, by where they are."""
    if isinstance(parts, np.ndarray):
        return {path: parts}
    if not isinstance(parts, tuple):
        return {}
    written = DECLARED.get(type(parts), ())
    fields = parts._asdict() if hasattr(parts, "_fields") else dict(enumerate(parts))
    return {
        where: array
        for name, part in fields.items()
        if name not in written
        for where, array in read_only(part, f"{path}.{name}").items()
    }


def reads_only(parts, ask):
    before = {where: array.copy() for where, array in read_only(parts).items()}
    ask()
    for where, array in read_only(parts).items():
        np.testing.assert_array_equal(array, before[where], err_msg=f"{type(parts)}{where}")


@pytest.mark.parametrize("kind", TERMS)
def test_a_term_writes_to_its_workspace_only(kind):
    rng = np.random.default_rng(0)
    for _ in range(3):
        local_step, _, v, step = case(kind, rng)
        operator = local_step.operator
        if not isinstance(operator, tuple):
            assert not shareable(operator)
            return
        assert shareable(operator)

        def ask(local_step=local_step, v=v, step=step):
            local_step.prox(v, step)
            local_step.value(v)

        reads_only(operator, ask)


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
def test_an_objective_writes_to_its_workspace_only(kind):
    problem = small_problem(7, kind).with_local_step(make("l1", 3, strength=0.2))
    objective, x, out = problem.with_conjugate(), np.ones(3), np.empty(3)
    assert shareable(objective)

    def ask():
        for i in range(7):
            oracles.gradient(objective, i, x, np.uint64(0), out)
            oracles.local_direction(objective, 0.1, x, out, 0.0)
            oracles.conjugate_gradient(objective, i, x, out)

    reads_only(objective, ask)


def test_all_nodes_are_asked_by_threads_with_workspaces_of_their_own(eager):
    problem = small_problem(200, "logistic_l2").with_local_step(make("l1", 3, strength=0.2))
    objective, rng = problem.with_conjugate(), np.random.default_rng(0)
    X, steps, found = rng.standard_normal((200, 3)), rng.uniform(0.1, 1, 200), []
    for threads in (1, 4):
        with use_threads(threads):
            Y, G = np.empty((200, 3)), X[::-1].copy()
            oracles.all_conjugate_gradients(objective, 0.01 * X, Y)
            oracles.all_local_directions(objective, steps, X, 0.0, G)
            found.append((Y, G))
    for left, right in zip(*found, strict=True):
        np.testing.assert_array_equal(left, right)


def test_own_copies_workspaces_and_nothing_else():
    problem = small_problem(7).with_local_step(make("tv_1d", 3, strength=0.2))
    mine = own(problem.oracle_objective)
    theirs = problem.oracle_objective
    assert type(mine) is type(theirs)
    assert mine.v is not theirs.v
    assert mine.operator.line.knot is not theirs.operator.line.knot
    for where, array in read_only(theirs).items():
        assert read_only(mine)[where] is array


def test_what_does_not_say_what_it_writes_to_is_played_by_one_thread():
    class Mine(NamedTuple):
        scratch: np.ndarray

    one = Mine(np.zeros(3))
    assert not shareable(one)
    assert not shareable((one,))
    assert not shareable(object())
    assert shareable(Problem.averaging(np.eye(3)).oracle_objective)
    assert operators.answers_lmo(one) is False
