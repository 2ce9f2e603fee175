"""One realisation of nodes and links for all methods of a repeat: the same instants for each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from world_cases import COMPUTES, physics, rates

from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    RESET,
    SEND,
    concatenate,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.events.world.situation import Running
from dadao_sim.reports.world import world_report
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study

END = 150.0
PROBES = np.arange(0.0, END, 0.05)
CRASHES = {"every": 20.0, "length": 5.0}
OUTAGES = {"every": 6.0, "length": 4.0}
SLOW = {"every": 15.0, "length": 5.0, "factor": 9.0}
CONSTANT = {
    "gradient": {"kind": "constant", "mean": 0.25},
    "pause": {"kind": "constant", "mean": 0.0},
}


def asynchronous(made, seed, per_edge=0.7):
    """The log up to END, and when nodes and links came and went: (time, what, which)."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("leave", "come", "close", "open"):
            original = getattr(Running, name)

            def spy(world, k, name=name, original=original):
                seen.append((world.env.now, name, k))
                original(world, k)

            patch.setattr(Running, name, spy)
        network = made.network
        clock = WorldClock(made, rates(network, per_edge), 8.0, np.random.SeedSequence(seed))
        windows = [clock.window()]
        while windows[-1].time[-1] * clock.stretch < END:
            windows.append(clock.window())
    return concatenate(windows), [row for row in seen if row[0] < END], clock.stretch


def synchronous(made, seed, **options):
    world = RoundWorld(made, 1, 8.0, np.random.SeedSequence(seed), **options)
    world.history = []
    return world


def probed(made, seed, ask):
    """``ask(fault, times)`` of the first fault of a world of rounds at each of PROBES."""
    (fault,) = synchronous(made, seed).faults
    return np.array([ask(fault, t) for t in PROBES])


def intervals(seen, begins, ends, which):
    begun = [time for time, name, k in seen if name == begins and k == which]
    over = [time for time, name, k in seen if name == ends and k == which]
    return np.array(begun), np.array(over)


def same_instants(put_off, begun, over):
    """Whether what was asked at PROBES was put off within the intervals, to their very ends."""
    for t, until in zip(PROBES, put_off, strict=True):
        inside = (begun <= t) & (t < np.append(over, np.inf)[: len(begun)])
        if not inside.any():
            assert until == t
        elif inside.argmax() < len(over):
            assert until == over[inside.argmax()]
    return len(over)


@given(st.integers(0, 10**6), st.floats(0.1, 5.0), st.sampled_from(["given", "auto"]))
@settings(max_examples=5, deadline=None)
def test_crashes_are_the_same_instants_in_rounds(seed, per_edge, unit):
    made = physics(time_unit=unit, nodes={**COMPUTES, "crashes": CRASHES}, links={"latency": 0.2})
    _, seen, _ = asynchronous(made, seed, per_edge)
    found = probed(made, seed, lambda fault, t: fault.ready(np.full(7, t)))
    met = sum(same_instants(found[:, i], *intervals(seen, "leave", "come", i)) for i in range(7))
    assert met > 20


@given(st.integers(0, 10**6), st.floats(0.1, 5.0))
@settings(max_examples=5, deadline=None)
def test_outages_are_the_same_instants_in_rounds(seed, per_edge):
    made = physics(links={"outages": OUTAGES})
    _, seen, _ = asynchronous(made, seed, per_edge)
    found = probed(made, seed, lambda fault, t: fault.opened(np.full((2, 9), t)))
    assert_array_equal(found[:, 0], found[:, 1])
    met = sum(same_instants(found[:, 0, e], *intervals(seen, "close", "open", e)) for e in range(9))
    assert met > 60


@given(st.integers(0, 10**6), st.floats(0.1, 5.0))
@settings(max_examples=5, deadline=None)
def test_slow_periods_are_the_same_instants_in_rounds(seed, per_edge):
    made = physics(nodes={**CONSTANT, "slow_periods": SLOW})
    log, _, _ = asynchronous(made, seed, per_edge)
    ends = np.flatnonzero(log.kind == GRADIENT_END)
    begun = log.time[log.start[ends]]
    slow = log.time[ends] - begun > 1
    assert slow.sum() > 20
    (fault,) = synchronous(made, seed).faults
    for row in np.argsort(begun, kind="stable"):
        factor = fault.durations(np.ones(7), np.full(7, begun[row]))[log.i[ends[row]]]
        assert factor == (9.0 if slow[row] else 1.0)


def test_a_node_of_rounds_is_gone_when_one_of_events_is():
    """Seen from what they do, on two nodes that hardly wait for each other."""
    nodes = {**CONSTANT, "crashes": CRASHES, "late": [{"node": 3, "at": 12.0}]}
    made = physics(nodes=nodes, barrier="neighbourhood")
    _, seen, _ = asynchronous(made, 4)
    world = synchronous(made, 4)
    while world.ready.min() < END:
        world.step()
    begun, computed, went_on = np.array(world.history).transpose(1, 0, 2)
    gone = made.gone(np.random.SeedSequence(4), END)
    for i in range(7):
        left, back = intervals(seen, "leave", "come", i)
        mine = gone[gone[:, 0] == i]
        assert_array_equal(mine[:, 1], left)
        assert_array_equal(mine[:, 2], np.append(back, END)[: len(left)])
        assert (left[0] == 0) == (i == 3)
        for k, until in enumerate(back):
            assert not ((begun[:, i] < until) & (computed[:, i] > left[k])).any()
        # A gradient that was put off begins when the node is back.
        late = begun[1:, i] > went_on[:-1, i]
        assert late.sum() >= 1
        assert set(begun[1:, i][late & (begun[1:, i] < END)]) <= set(back)


def test_who_has_not_joined_yet_does_not_crash_in_any_world():
    """The crash that the drawn times put across its joining does not hold it up."""
    nodes = {**CONSTANT, "crashes": {"every": 5.0, "length": 20.0}}
    seed, late = 2, 40.0
    gone = physics(nodes=nodes).gone(np.random.SeedSequence(seed), 1e3)
    node = next(i for i, b, e in gone.tolist() if b < late < e)
    made = physics(nodes={**nodes, "late": [{"node": int(node), "at": late}]})
    _, seen, _ = asynchronous(made, seed)
    assert (late, "come", node) in seen
    world = synchronous(made, seed)
    world.step()
    later = made.gone(np.random.SeedSequence(seed), 1e3)
    assert later[0].tolist() == [node, 0.0, late]
    first = next(b for i, b, _ in later[1:].tolist() if i == node)
    assert first > late
    assert (world.history[0][0][int(node)] == late) == (first >= late + 0.25)


def test_faults_have_random_numbers_of_their_own_and_so_has_each_node():
    seed = np.random.SeedSequence(5)
    alone = physics(nodes={**COMPUTES, "crashes": CRASHES}).gone(seed, END)
    with_outages = physics(
        nodes={**COMPUTES, "crashes": CRASHES}, links={"outages": OUTAGES, "latency": 1.0}
    )
    assert_array_equal(with_outages.gone(seed, END), alone)
    assert len(with_outages.cut(seed, END)) > 60
    for i in range(7):
        for j in range(i):
            first, second = (alone[alone[:, 0] == k][0, 1] for k in (i, j))
            assert first != second
    assert (
        len(
            np.intersect1d(
                alone[:, 1],
                physics(nodes={"crashes": CRASHES}).gone(np.random.SeedSequence(6), END)[:, 1],
            )
        )
        == 0
    )


def test_the_times_between_and_of_crashes_have_their_means():
    crashes = {"every": 20.0, "length": 5.0}
    gone = physics(nodes={"crashes": crashes}).gone(np.random.SeedSequence(1), 20_000.0)
    lengths = gone[:, 2] - gone[:, 1]
    assert lengths.mean() == pytest.approx(5, rel=0.05)
    gaps = [np.diff(gone[gone[:, 0] == i, 1:].ravel())[1::2] for i in range(7)]
    assert np.concatenate(gaps).mean() == pytest.approx(20, rel=0.05)
    assert len(gone) == pytest.approx(7 * 20_000 / 25, rel=0.05)


def test_in_an_ideal_world_slow_periods_slow_the_clock():
    """Where a gradient takes no time it is the interval that gets longer, as in rounds."""
    nodes = {"slow_periods": {"every": 30.0, "length": 10.0, "factor": 5.0}}
    found = {}
    for unit in ("given", "auto"):
        log, _, stretch = asynchronous(physics(time_unit=unit, nodes=nodes), 1)
        found[unit] = (log.kind == GRADIENT).sum() / (7 * log.time[-1] * stretch), stretch
    # What a period meets begins and ends at the speed of its beginning, hence the tolerance.
    assert found["given"] == (pytest.approx(0.75 + 0.25 / 5, rel=0.1), 1.0)
    assert found["auto"][1] == 0.75 + 0.25 * 5, "the mean of an interval"
    assert 1 / found["auto"][1] <= found["auto"][0] < 0.75
    (fault,) = synchronous(physics(nodes=nodes), 1).faults
    assert set(fault.durations(np.ones(7), np.full(7, 40.0))) == {1.0, 5.0}


SCENARIO = {
    "name": "common",
    "seed": 3,
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 8},
    "world": {
        "preset": "edge_devices",
        "nodes": {"crashes": {"every": 30, "length": 6, "state": "lost"}},
        "links": {"outages": {"every": 20, "length": 5}},
        "changes": [{"at": 30, "down": [[0, 1]]}, {"at": 50, "up": [[1, 0]]}],
    },
    "algorithms": [
        "ad_psgd",
        {"name": "dadao", "label": "slow", "time_unit": "auto"},
        "gradient_tracking",
        "msda",
    ],
    "stop": {"time": 120},
}


@pytest.mark.parametrize("repeat", [0, 1])
def test_all_methods_of_a_repeat_live_in_one_world(repeat):
    study = Study(scenario_from_mapping(SCENARIO))
    reports = [world_report(study, label, repeat) for label in study.labels]
    worlds = [study.plan((label, repeat)).world for label in study.labels]
    other = world_report(study, "ad_psgd", 1 - repeat)
    assert len(reports[0].gone) > 10
    for report, world in zip(reports, worlds, strict=True):
        assert_array_equal(report.gone, reports[0].gone)
        assert_array_equal(report.cut, reports[0].cut)
        assert_array_equal(world.slowness, worlds[0].slowness)
    assert not np.isin(other.gone[:, 1], reports[0].gone[:, 1]).any()
    # And what happened keeps to it: nothing at who is gone, nothing sent over what is cut.
    edge = report.network.edge_indices([0], [1])[0]
    assert [edge, 30.0, 50.0] in reports[0].cut.tolist()
    for report in reports[:2]:
        assert violations(report, report.gone, report.cut) == 0
        assert violations(report, other.gone, report.cut) > 5, "of another repeat's"
        assert violations(report, report.gone, other.cut * [1.0, 0.0, 2.0]) > 5


def violations(report, gone, cut):
    log, time = report.events, report.events.time * report.unit
    found = 0
    for node, begin, end in gone.tolist():
        inside = (time > begin + 1e-9) & (time < end - 1e-9)
        acts = np.isin(log.kind, (GRADIENT_START, GRADIENT_END, ARRIVE_I, SEND)) & (log.i == node)
        acts |= np.isin(log.kind, (ARRIVE_J, SEND)) & (log.j == node)
        found += (inside & acts & (log.kind != RESET)).sum()
    for edge, begin, end in cut.tolist():
        inside = (time > begin + 1e-9) & (time < end - 1e-9)
        found += (inside & (log.kind == SEND) & (log.edge == edge)).sum()
    return found
