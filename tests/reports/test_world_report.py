"""The metrics of a world against queueing theory, and its log on disk."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import replay, simulate
from dadao_sim.cli.main import main
from dadao_sim.errors import InputError
from dadao_sim.events.files import event_table, load_events, save_events
from dadao_sim.events.log import ROUND, TYPES
from dadao_sim.plotting.timeline import timeline_figure
from dadao_sim.reports.timeline import world_timeline
from dadao_sim.reports.world import world_report
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts

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
