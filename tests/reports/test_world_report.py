"""The metrics of a world against queueing theory, and its log on disk."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import replay, simulate
from dadao_sim.cli.main import main
from dadao_sim.errors import InputError
from dadao_sim.events.files import event_table, load_events, save_events
from dadao_sim.events.log import ROUND, TYPES, Events
from dadao_sim.plotting.timeline import timeline_figure
from dadao_sim.reports.timeline import world_timeline
from dadao_sim.reports.world import without, world_report
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.study import Study

DATA = {"kind": "synthetic", "dim": 4, "samples_per_node": 10, "condition_number": 5}
NODES = {
    "gradient": {"kind": "constant", "mean": 0.5},
    "pause": {"kind": "exponential", "mean": 0.5},
}


def scenario(world, algorithms=("ad_psgd",), time=2000.0, nodes=8):
    return scenario_from_mapping(
        {
            "name": "report",
            "problem": {"kind": "least_squares", "data": DATA},
            "network": {"graph": "cycle", "nodes": nodes},
            "algorithms": list(algorithms),
            "world": world,
            "stop": {"time": time},
            "record": {"points": 5},
        }
    )


def test_work_flights_and_staleness_are_those_of_queueing_theory():
    """AD-PSGD on a cycle of 8: each edge ticks every two units, each node once per unit."""
    latency = 0.3
    report = world_report(scenario({"nodes": NODES, "links": {"latency": latency}}), "ad_psgd")
    assert_allclose(report.utilisation, 0.5, rtol=0.05)
    # Little's law.
    assert report.in_flight == pytest.approx(8 * 0.5 * latency, rel=0.03)
    # What happens to a node meanwhile: arrivals over its two edges, and gradients it ends.
    assert report.gradient_staleness.mean() == pytest.approx(0.5 * 2 * 0.5, rel=0.05)
    assert report.message_staleness.mean() == pytest.approx(latency * (1 + 2 * 0.5), rel=0.08)
    assert_allclose(report.link_bytes, 0.5 * 2000 * 2 * 4 * 8, rtol=0.12)
    assert not report.link_losses.any()
    assert not report.waiting.any()


def test_the_report_is_of_the_run():
    made = scenario({"preset": "edge_devices"}, time=300.0)
    report = world_report(made, "ad_psgd")
    result = simulate(made)
    end = result.curves.iloc[-1]
    assert result.runs.events[0] == len(report.events)
    assert end.bytes_sent == report.link_bytes.sum()


@pytest.mark.parametrize("name", ["gradient_tracking", "msda", "adom_plus"])
def test_bytes_of_rounds_are_those_of_the_run_also_where_they_are_resent(name):
    made = scenario({"links": {"latency": 0.1, "loss": {"probability": 0.3}}}, [name], 100.0)
    report = world_report(made, name)
    assert report.link_losses.sum() > 20
    end = simulate(made).curves.iloc[-1]
    assert end.bytes_sent == report.link_bytes.sum()


def test_losses_and_queues_are_counted():
    world = {
        "nodes": {"exchanges_at_once": 1},
        "links": {"latency": 0.4, "loss": {"probability": 0.2}},
    }
    report = world_report(scenario(world), "ad_psgd")
    sent = report.link_bytes.sum() / (2 * 4 * 8)
    assert report.link_losses.sum() / sent == pytest.approx(0.2, abs=0.02)
    assert (report.waiting > 0.05).all()


def test_a_synchronous_node_computes_or_waits():
    world = {
        "nodes": {"gradient": {"kind": "constant"}, "slowness": [4.0] + [1.0] * 7},
        "links": {"latency": 0.5},
    }
    # Gradients before the first round, then 20 rounds of one gradient and two messages.
    report = world_report(scenario(world, ["gradient_tracking"], 104.0), "gradient_tracking")
    assert_allclose(report.utilisation, 21 * np.array([4.0] + [1.0] * 7) / 104)
    assert_allclose(report.waiting, 1 - report.utilisation)
    assert (report.events.kind == ROUND).sum() == 20
    assert_array_equal(report.link_bytes, 20 * 2 * 2 * 4 * 8)
    assert report.history is not None
    assert_allclose(report.history[3, :, 0], [19.0, 23.0, 24.0])
    timeline = world_timeline(report)
    for bars, first, others in ((timeline.computing, 4.0, 1.0), (timeline.waiting, 1.0, 4.0)):
        assert_array_equal(np.unique(bars[:, 0]), np.arange(8))
        later = bars[bars[:, 1] >= 9]
        assert_allclose(later[:, 2] - later[:, 1], np.where(later[:, 0] == 0, first, others))
    assert_allclose(timeline.rounds, np.arange(9.0, 105.0, 5.0))
    assert len(timeline.messages) == len(timeline.gradients) == len(timeline.losses) == 0


def test_the_shares_of_rounds_are_those_up_to_the_end():
    """In the middle of a round, a node being late: it waits from its coming on."""
    late = [{"node": 1, "at": 10.0}]
    world = {"nodes": {"gradient": {"kind": "constant"}, "late": late}, "links": {"latency": 0.5}}
    report = world_report(scenario(world, ["prox_ed"], 12.0), "prox_ed")
    # The others compute at 0, node 1 at 10, and all again from 11.5 on.
    assert_allclose(report.utilisation * 12, [1.5] * 8)
    assert_allclose(report.waiting * 12, [10.5, 0.5, *[10.5] * 6])


def test_what_has_no_world_has_no_report():
    made = scenario({}, time=10.0)
    with pytest.raises(InputError, match=r"^algorithm: there is no 'dadao'.*known: ad_psgd"):
        world_report(made, "dadao")
    for end in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(InputError, match=r"^end: .* given; it must be finite and above 0"):
            world_report(made, "ad_psgd", end=end)
    with pytest.raises(InputError, match="scenario: it has no world"):
        world_report(made.model_copy(update={"world": None}), "ad_psgd")


def test_a_log_is_saved_and_replayed(tmp_path):
    made = scenario({"preset": "edge_devices"}, time=60.0)
    report = world_report(made, "ad_psgd")
    save_events(tmp_path / "log.npz", report.events)
    loaded = load_events(tmp_path / "log.npz")
    for name in TYPES:
        assert_array_equal(getattr(loaded, name), getattr(report.events, name))
        assert getattr(loaded, name).dtype == TYPES[name]
    parts = build_parts(made, 0)
    x = replay("ad_psgd", parts.problem, parts.network, loaded, parts.x0)["x"]
    assert_array_equal(x, simulate(made).states["ad_psgd", 0]["x"])
    table = event_table(loaded)
    assert set(table.kind) >= {"gradient_start", "gradient_end", "send", "arrive_i"}
    assert len(table) == len(loaded)
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(InputError, match="is no log of events; it has x"):
        load_events(tmp_path / "other.npz")
    with pytest.raises(InputError, match=r"^path: there is no file .*none\.npz"):
        load_events(tmp_path / "none.npz")


def test_the_log_of_a_rescaled_method_is_in_mean_gradient_intervals(tmp_path):
    """And the unit beside it, with which it replays to the same bits."""
    world = {"preset": "edge_devices", "time_unit": "auto", "links": {"latency": 0.5}}
    made = scenario(world, time=200.0)
    report = world_report(made, "ad_psgd")
    assert report.unit > 3
    assert report.events.time[-1] < 200 / 3
    save_events(tmp_path / "log.npz", report.events.in_intervals(report.unit))
    with np.load(tmp_path / "log.npz") as stored:
        assert stored["unit"] == report.unit
        assert 195 < stored["time"][-1] <= 200 * (1 + 1e-15)
        assert_allclose(stored["time"], report.events.time * report.unit, rtol=1e-15)
    loaded = load_events(tmp_path / "log.npz")
    assert loaded[3:].unit == report.unit
    assert_array_equal(loaded.in_units().time, report.events.time)
    parts = build_parts(made, 0)
    x = replay("ad_psgd", parts.problem, parts.network, loaded, parts.x0)["x"]
    assert_array_equal(x, simulate(made).states["ad_psgd", 0]["x"])
    as_they_stand = replace(loaded, unit=1.0)
    wrong = replay("a2cid2", parts.problem, parts.network, as_they_stand, parts.x0)["x"]
    right = replay("a2cid2", parts.problem, parts.network, loaded, parts.x0)["x"]
    assert np.abs(wrong - right).max() > 1e-6, "its flow knows the time"


@given(st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=50), st.floats(1.0, 1e9) | st.just(1.0))
def test_times_in_intervals_are_those_in_units_to_the_bit(times, unit):
    raw = np.sort(times)
    events = Events.from_arrays(raw / unit, np.zeros(len(raw)), np.zeros(len(raw)))
    there = events.in_intervals(unit)
    assert_array_equal(there.in_units().time, events.time)
    assert_allclose(there.time, raw, rtol=1e-15)
    assert (np.diff(there.time) >= 0).all()
    assert_array_equal(there.in_intervals(1.0).time, there.time)


def test_waiting_for_a_place_is_counted_up_to_the_end():
    """The mean number of waiting exchanges, rebuilt from a longer look at the same clocks."""
    world = {"nodes": {"exchanges_at_once": 1}, "links": {"latency": 0.4}}
    ends = (50.0, 200.0)
    found = [world_report(scenario(world), "ad_psgd", end=end).waiting * end for end in ends]
    study = Study(scenario(world))
    clock = study.plan(("ad_psgd", 0)).source.clock
    places, network = clock.links.places, study.parts(0).network
    waited, now = np.zeros((2, 8)), 0.0
    while now < ends[1]:
        step = max(min(clock.env.peek(), ends[1]) - now, 0.0)
        for k, end in enumerate(ends):
            inside = max(min(now + step, end) - now, 0.0)
            for e in places.waiting():
                waited[k, network.edges[e]] += inside
        now += step
        clock.env.step()
    assert_allclose(found, waited, rtol=1e-9)
    assert (waited[1] > 10).all()


CRASHES = {"every": 15.0, "length": 6.0, "state": "kept"}
FAULTY = {
    "nodes": {"gradient": {"kind": "constant"}, "pause": {"kind": "constant", "mean": 0.0}}
    | {"crashes": CRASHES, "late": [{"node": 2, "at": 9.0}]},
    "links": {"latency": 2.0, "outages": {"every": 30.0, "length": 8.0}},
}


@pytest.mark.parametrize("name", ["ad_psgd", "prox_ed"])
def test_who_is_gone_neither_computes_nor_waits(name):
    report = world_report(scenario(FAULTY, ["ad_psgd", "prox_ed"], 80.0), name)
    timeline = world_timeline(report)
    assert [2, 0.0, 9.0] in timeline.gone.tolist()
    assert len(timeline.gone) > 15
    assert (timeline.gone[:, 2] > timeline.gone[:, 1]).all()
    for bars in (timeline.computing, timeline.waiting):
        for node, begin, end in bars.tolist():
            mine = timeline.gone[timeline.gone[:, 0] == node]
            assert (np.minimum(mine[:, 2], end) - np.maximum(mine[:, 1], begin) < 1e-9).all()
    # A node does one thing or the other all the time.
    if name == "prox_ed":
        assert report.waiting.min() > 0.05
        gone = np.bincount(report.gone[:, 0].astype(int), report.gone @ [0, -1, 1]) / 80
        assert_allclose(report.utilisation + report.waiting + gone, 1.0, rtol=1e-9)
        # Some crash came while the others were waited for: it splits the wait.
        assert report.history is not None
        _, computed, went_on = report.history.transpose(1, 0, 2)
        split = [
            (computed[:, int(i)] < b) & (e < went_on[:, int(i)]) for i, b, e in report.gone[1:]
        ]
        assert np.any(split)


def test_bars_less_the_times_gone():
    bars = np.array([[0, 0.0, 10.0], [1, 0.0, 10.0], [0, 20.0, 30.0]])
    gone = np.array([[0, 2.0, 3.0], [0, 5.0, 25.0], [0, 24.0, 26.0], [2, 0.0, 50.0]])
    expected = [[0, 0, 2], [0, 3, 5], [1, 0, 10], [0, 26, 30]]
    assert_array_equal(without(bars, gone), expected)
    assert without(bars[:1], np.array([[0, 0.0, 10.0]])).shape == (0, 3)


@pytest.mark.parametrize("name", ["ad_psgd", "prox_ed"])
def test_the_legend_of_the_timeline_says_who_is_gone_and_what_is_cut(name):
    made = scenario(FAULTY, ["ad_psgd", "prox_ed"], 80.0)
    timeline = world_timeline(world_report(made, name))
    names = legend_of(timeline_figure(timeline, 0.0, 80.0))
    assert {"computing", "gone", "cut"} <= set(names)
    nodes = {"gradient": {"kind": "constant"}}
    plain = world_timeline(world_report(scenario({"nodes": nodes}, [name], 80.0), name))
    assert not {"gone", "cut"} & set(legend_of(timeline_figure(plain, 0.0, 80.0)))
    # Every cut is below both its ends.
    assert sorted(timeline.cut[: len(timeline.cut) // 2, 1]) == sorted(
        timeline.cut[len(timeline.cut) // 2 :, 1]
    )


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_timeline_shows_every_gradient_and_message():
    world = {"nodes": NODES, "links": {"latency": 0.3}}
    report = world_report(scenario(world, time=10.0), "ad_psgd")
    axes = timeline_figure(world_timeline(report), 0.0, 10.0).axes[0]
    bars = [patch for patch in axes.patches if patch.get_width() > 0]
    table = event_table(report.events)
    assert len(bars) == (table.kind == "gradient_start").sum()
    assert {round(bar.get_width(), 9) for bar in bars if bar.get_x() < 9} == {0.5}
    lines = axes.collections[0].get_segments()
    assert len(lines) == table.kind.isin(["arrive_i", "arrive_j"]).sum()
    assert_allclose([line[1, 0] - line[0, 0] for line in lines], 0.3, rtol=1e-9)
    with pytest.raises(InputError, match="from 5 to 20 is not within 0 and 10"):
        timeline_figure(world_timeline(report), 5.0, 20.0)


def test_the_command_prints_and_draws(capsys, monkeypatch, tmp_path):
    import json

    path = tmp_path / "s.json"
    path.write_text(json.dumps(scenario({"preset": "datacenter"}, time=20.0).to_mapping()))
    files = [
        f"--{name}={tmp_path / name}.{end}"
        for name, end in (("timeline", "png"), ("load", "png"), ("log", "npz"))
    ]
    monkeypatch.setattr("sys.argv", ["dadao-sim", "world", str(path), *files])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out = capsys.readouterr().out
    assert "staleness of messages" in out
    assert (tmp_path / "timeline.png").stat().st_size > 5000
    assert (tmp_path / "load.png").stat().st_size > 5000
    assert len(load_events(tmp_path / "log.npz")) > 100


def test_a_timeline_calls_nodes_by_their_ids():
    base = {
        "name": "ids",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
        "network": {"graph": "path", "nodes": 3},
        "algorithms": ["dadao"],
        "world": {"preset": "datacenter"},
        "stop": {"time": 10},
    }
    for ids, shown in (
        (
            ["Basel", "$a$_[/b]", "a city with a long name"],
            ["Basel", "$a$_[/b]", "a city...ng name"],
        ),
        ([3, 1, 2], ["3", "1", "2"]),
        (["a", "b", "東京"], None),  # no font of ours has it: numbers
        ([2, 0, 1], None),  # the numbers themselves
    ):
        study = Study(base, network=nx.path_graph(ids))
        axes = timeline_figure(world_timeline(world_report(study, "dadao")), 0.0, 10.0).axes[0]
        axes.figure.canvas.draw()
        labels = [label.get_text() for label in axes.get_yticklabels()]
        if shown is None:
            assert set(labels) <= {str(k) for k in range(-1, 4)} | {"\N{MINUS SIGN}1"}
        else:
            assert labels == shown


@pytest.mark.parametrize("label", ["dadao", "nids"])
@pytest.mark.parametrize("end", [1e12, 1e30, 1e300])
def test_an_end_whose_log_no_memory_holds(label, end):
    scenario = {
        "name": "s",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": [label],
        "world": {"preset": "datacenter"},
        "stop": {"time": 5},
    }
    with pytest.raises(InputError, match=r"^end: a log of about \S+ events would take"):
        world_report(scenario, label, end=end)
