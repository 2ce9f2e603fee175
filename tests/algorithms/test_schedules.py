"""Step schedules: their factors, where they lead, and who refuses them."""

import numpy as np
import pytest
from cases import ON_MATRICES, lollipop, problem_of, small_problem
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS, get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.schedules import (
    Constant,
    Milestones,
    Power,
    Schedule,
    StepSchedule,
    WarmUp,
)
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.simulate import simulate
from dadao_sim.strict import checked

NODES = 7
ROUNDS = st.integers(0, 10**6)


def schedule(**keys) -> Schedule:
    return checked(StepSchedule, keys)


# ---- Their factors -------------------------------------------------------------------------------


def test_power_is_one_over_k():
    assert [schedule(kind="power").scale(k) for k in range(4)] == [1, 1 / 2, 1 / 3, 1 / 4]
    root = schedule(kind="power", p=0.5)
    assert_allclose([root.scale(k) for k in (0, 3, 99)], [1, 1 / 2, 1 / 10])


@given(ROUNDS, st.floats(1, 1e4), st.floats(0.1, 2))
def test_power_starts_late(k, after, p):
    late = schedule(kind="power", p=p, after=after)
    assert late.scale(0) == 1
    assert_allclose(late.scale(k) ** (-1 / p), 1 + k / after, rtol=1e-9)


@given(ROUNDS, st.integers(1, 1000))
def test_warm_up_grows_to_the_full_step(k, rounds):
    scale = schedule(kind="warm_up", rounds=rounds).scale(k)
    assert scale == (1 if k >= rounds - 1 else (k + 1) / rounds)


def test_milestones_cut_the_step_from_their_round_on():
    cut = schedule(kind="milestones", at=[2, 4], by=0.5)
    assert [cut.scale(k) for k in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "pwer"}, "did you mean 'power'"),
        ({"kind": "power", "p": 0}, "p: must be above 0"),
        ({"kind": "power", "after": -1.0}, "after: must be above 0"),
        ({"kind": "warm_up"}, "rounds: is missing"),
        ({"kind": "milestones", "at": []}, "at"),
        ({"kind": "milestones", "at": [5, 5]}, "at.1: must be above the one before it, got 5"),
        ({"kind": "milestones", "at": [5], "by": 1.0}, "by: must be below 1"),
        ({"kind": "constant", "p": 1.0}, "unknown key"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(keys, message):
    with pytest.raises(InputError, match=message):
        schedule(**keys)


# ---- Where they lead -----------------------------------------------------------------------------


def played(name, problem, step, how=None, batch=None, rounds=1024, seed=0):
    """The player, and the mean squared error over the last half of the rounds."""
    method = get_method(name)
    (constant,) = method.steps
    options = Options(batch_size=batch, schedule=how)
    tuning = method.tune(problem, lollipop(), {constant: step}, options)
    x0 = np.zeros((NODES, problem.dimension))
    player = make_player(method, problem, tuning, x0, {}, batch)
    clock, errors = RoundClock(np.random.SeedSequence(seed)), []
    for k in range(rounds):
        if k % 1024 == 0:
            window = clock.window()
        player.play(window, k % 1024, k % 1024 + 1)
        if k >= rounds // 2:
            errors.append(((estimates(player) - problem.x_star) ** 2).sum() / NODES)
    return player, np.mean(errors)


def step_of(name, problem):
    """That of all; of FROST, which diverges with it, its default."""
    method = METHODS[name]
    tuned = method.tune(problem, lollipop()).constants if name == "frost" else {}
    return tuned.get("step", 0.1 / problem.L)


def estimates(player):
    """Of x*, (n, d): over arcs they are no sums."""
    return getattr(player.s, player.method.estimate)


def test_steps_that_fall_remove_the_bias_of_dgd_at_the_rate_of_the_steps():
    problem = small_problem(NODES)
    kappa = problem.L / problem.mu
    for p, after in ((1.0, 2 * kappa), (0.5, 1.0)):
        falling, rounds = Power(kind="power", p=p, after=after), 4096
        ends = []
        for n in (rounds, 4 * rounds):
            player, _ = played("dgd", problem, 1 / problem.L, falling, rounds=n)
            ends.append(np.linalg.norm(player.s.x - problem.x_star))
        assert_allclose(np.log(ends[0] / ends[1]) / np.log(4), p, atol=0.05)
    player, _ = played("dgd", problem, 1 / problem.L, rounds=rounds)
    assert np.linalg.norm(player.s.x - problem.x_star) > 10 * ends[0]  # the constant step stays off


SCHEDULED = sorted(
    n for n, m in METHODS.items() if isinstance(m, RoundMethod) and m.steps and n not in ON_MATRICES
)


@pytest.mark.parametrize("name", [n for n in SCHEDULED if not METHODS[n].samples])
def test_steps_that_fall_lower_the_plateau_of_minibatches(name):
    problem = small_problem(NODES)
    step, falling = step_of(name, problem), Power(kind="power", after=200.0)
    _, plateau = played(name, problem, step, batch=1, rounds=4096)
    _, falls = played(name, problem, step, falling, batch=1, rounds=4096)
    assert falls < 0.4 * plateau


EXACT = [n for n in SCHEDULED if METHODS[n].fixed_point and not METHODS[n].samples]


@pytest.mark.parametrize("name", EXACT)
def test_exact_methods_stay_exact_with_steps_that_fall_or_are_cut(name):
    """Also those whose dual is in units of the step, and has to follow it."""
    problem = small_problem(NODES)
    step = step_of(name, problem)
    for how in (Power(kind="power", after=300.0), Milestones(kind="milestones", at=(1500,))):
        player, _ = played(name, problem, step, how, rounds=4096)
        off = np.abs(estimates(player) - problem.x_star).max() / np.linalg.norm(problem.x_star)
        biased, _ = played("dgd", problem, step, how, rounds=4096)
        assert off < 1e-3
        assert off < 0.1 * np.abs(biased.s.x - problem.x_star).max()


@pytest.mark.parametrize("name", ["gt_saga", "gt_svrg", "gt_sarah", "destress"])
def test_methods_that_need_no_falling_step_bear_a_warm_up_and_milestones(name):
    problem = small_problem(NODES)
    step, rounds = 0.1 / problem.sample_L, 512 if name == "destress" else 4096
    plain, _ = played(name, problem, step, rounds=rounds)
    for how in (
        WarmUp(kind="warm_up", rounds=rounds // 10),
        Milestones(kind="milestones", at=(rounds // 8, rounds // 3), by=0.7),
    ):
        player, _ = played(name, problem, step, how, rounds=rounds)
        start = np.linalg.norm(problem.x_star)
        assert np.abs(player.s.x - problem.x_star).max() < 1e-3 * start
        assert not np.array_equal(player.s.x, plain.s.x)


def test_the_constant_schedule_changes_no_bit():
    problem = small_problem(NODES)
    for name in SCHEDULED:
        plain, _ = played(name, problem, 0.1 / problem.L, rounds=20)
        scheduled, _ = played(name, problem, 0.1 / problem.L, Constant(kind="constant"), rounds=20)
        assert np.array_equal(plain.s.x, scheduled.s.x)


# ---- In a scenario -------------------------------------------------------------------------------


def scenario(algorithm, **sections):
    data = {"kind": "synthetic", "dim": 3, "samples_per_node": 6}
    return scenario_from_mapping(
        {
            "name": "s",
            "problem": {"kind": "ridge", "mu": 0.5, "data": data},
            "network": {"graph": "cycle", "nodes": 4},
            "algorithms": [algorithm],
            "stop": {"time": 40},
            "record": {"points": 5},
            **sections,
        }
    )


def test_a_scenario_schedules_the_steps():
    how = {"kind": "milestones", "at": [10], "by": 0.5}
    given = scenario({"name": "d_psgd", "batch_size": 2, "schedule": how})
    assert given.algorithms[0].schedule == Milestones(kind="milestones", at=(10,), by=0.5)
    assert scenario_from_mapping(given.to_mapping()) == given
    plain = scenario({"name": "d_psgd", "batch_size": 2})
    one, other = (simulate(s).curves["mean_squared_distance"].to_numpy() for s in (given, plain))
    assert one[0] == other[0]
    assert one[-1] != other[-1]


@pytest.mark.parametrize("name", sorted(set(METHODS) - {*SCHEDULED, *ON_MATRICES}))
def test_who_has_no_step_that_may_vary_refuses_in_one_line(name):
    problem = problem_of(METHODS[name], NODES)
    with pytest.raises(InputError, match=f"{name} has no .*; leave out schedule") as refusal:
        METHODS[name].check_supported(
            problem, lollipop(), Options(schedule=WarmUp(kind="warm_up", rounds=3))
        )
    assert "\n" not in str(refusal.value)


def test_the_refusal_comes_before_anything_is_played():
    given = scenario({"name": "nids", "schedule": {"kind": "power"}})
    with pytest.raises(InputError, match="algorithms: nids has no step that may vary"):
        simulate(given)
