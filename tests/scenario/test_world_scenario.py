"""Whole simulations in the world: presets, units of time, comparable clocks, and refusals."""

import numpy as np
import pytest
from cases import IN_A_WORLD

from dadao_sim import simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.world.spec import PRESETS
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.study import Study

SCENARIO = {
    "name": "physical",
    "seed": 1,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 4, "samples_per_node": 10, "condition_number": 5},
    },
    "network": {"file": "geant2012.graphml"},
    "algorithms": IN_A_WORLD,
    "stop": {"time": 30},
    "record": {"points": 10},
}
ONE_WAY = ("asy_dgd", "asy_sonata", "osgp")
SMALL = {**SCENARIO, "network": {"graph": "star", "nodes": 8}}


def run(base=SMALL, **changes):
    from dadao_sim.scenario import shipped

    scenario = {**base, **changes}
    folder = shipped.folder("graphs")
    return simulate(scenario_from_mapping(scenario, folder=folder))


@pytest.mark.slow
@pytest.mark.parametrize("preset", list(PRESETS))
def test_every_preset_runs_every_method_and_says_what_it_holds(preset):
    # A round with much gossip waits for many crashes; where nothing crashes, it has enough of it.
    end_time = 1200 if preset == "edge_devices" else 300
    stop = {"time": end_time, "communications": 100_000}
    names = [n for n in IN_A_WORLD if preset != "edge_devices" or n not in ONE_WAY]
    base = {**SCENARIO, "algorithms": names}
    result = run(base, world={"preset": preset, "time_unit": "auto"}, stop=stop)
    end = result.curves.groupby("algorithm").last()
    assert set(end.index) == set(names)
    assert (end.gradients > 0).all()
    assert (end.time <= end_time + 1e-9).all()
    world = result.manifest["scenario"]["world"]
    assert world["preset"] == preset
    assert world["links"].keys() >= {"latency", "jitter"}
    again = run(base, world=world, stop=stop)
    assert again.curves.equals(result.curves)


@pytest.mark.parametrize("name", ONE_WAY)
def test_messages_one_way_are_no_exchanges_of_which_some_are_at_once(name):
    with pytest.raises(InputError, match="exchanges_at_once"):
        run(algorithms=[name], world={"preset": "edge_devices"})


def test_a_key_of_the_world_replaces_the_presets_and_leaves_the_others():
    made = scenario_from_mapping(
        {**SMALL, "world": {"preset": "edge_devices", "nodes": {"exchanges_at_once": 2}}}
    ).world
    assert made is not None
    assert made.nodes.exchanges_at_once == 2
    assert made.nodes.gradient.kind == "pareto"
    assert made.links.loss is not None


def test_the_ideal_world_is_the_paper():
    """As accurate, within what other random numbers do; and synchronous methods exactly."""
    stop = {"time": 400}
    algorithms = ["dadao", "msda", "adom_plus"]
    base = {**SMALL, "algorithms": algorithms, "stop": stop, "repeats": 3}
    plain, ideal = run(base), run(base, world={"preset": "ideal"})
    for name in ("msda", "adom_plus"):
        ends = [r.curves[r.curves.algorithm == name].accuracy.iloc[-1] for r in (plain, ideal)]
        assert ends[0] == ends[1]
    slopes = []
    for result in (plain, ideal):
        curve = result.curves[(result.curves.algorithm == "dadao")]
        slopes.append(np.log(curve.groupby("repeat").accuracy.last()).mean())
    assert slopes[0] < -10
    assert slopes[1] == pytest.approx(slopes[0], rel=0.15)


def test_dadao_diverges_under_latency_as_given_and_converges_rescaled():
    world = {"links": {"latency": 0.1}}
    base = {**SMALL, "network": {"graph": "star", "nodes": 16}, "algorithms": ["dadao"]}
    stop = {"time": 20_000, "accuracy": 1e-8}
    as_given = run(base, world=world, stop=stop)
    assert as_given.runs.status[0] == "diverged"
    rescaled = run(base, world={**world, "time_unit": "auto"}, stop=stop)
    assert rescaled.runs.status[0] == "converged"
    constants = rescaled.manifest["runs"][0]["constants"]
    # Every exchange of a star is one of its hub: latency times the total rate over a tenth.
    assert constants["time_unit"] == pytest.approx(0.1 * constants["total_rate"] / 0.1)
    assert as_given.manifest["runs"][0]["constants"]["time_unit"] == 1.0


def test_constants_that_follow_the_load_of_the_links(tmp_path):
    """By hand: the largest eigenvalue of the Laplacian of latencies times the paper's rates, and
    factors whose logarithms are linear between those of two loads.
    """
    links = tmp_path / "links.csv"
    links.write_text("one,other,late\n0,1,1.5\n1,2,0.3\n2,3,0\n0,3,0.6\n")
    network = {"graph": "cycle", "nodes": 4, "edge_table": str(links)}
    base = {**SMALL, "network": network, "algorithms": [{"name": "dadao", "constants": "latency"}]}
    world = {"links": {"latency": {"attribute": "late"}}}
    stop = {"time": 60}
    followed = run(base, world=world, stop=stop)
    paper = run({**base, "algorithms": ["dadao"]}, world=world, stop=stop)
    found, rate = followed.manifest["runs"][0]["constants"], 0.25 * total_rate(paper)
    L = np.diag([2.1, 1.8, 0.3, 0.6])
    for i, j, late in ((0, 1, 1.5), (1, 2, 0.3), (0, 3, 0.6)):
        L[i, j] = L[j, i] = -late
    load = rate * np.linalg.eigvalsh(L)[-1]
    assert found["load"] == pytest.approx(load, rel=1e-6)
    assert 1 < load < 3, "between two loads of the set"
    share = np.log(load) / np.log(3)
    factor = 0.937 ** (1 - share) * 0.971**share
    assert found["total_rate"] == pytest.approx(factor * 4 * rate)
    # It is the run with these factors, and one that no theorem covers.
    factors = METHODS["dadao"].constant_sets["latency"].at(found["load"])
    same = {"name": "dadao", "label": "dadao", "constants": factors}
    given = run({**base, "algorithms": [same]}, world=world, stop=stop)
    assert (followed.curves.accuracy == given.curves.accuracy).all()
    assert followed.runs.experimental.all()
    # Without a world, and without latency, they are those of ``fast``.
    fast = [{"name": "dadao", "label": "dadao", "constants": "fast"}]
    for ideal in ({}, {"world": {"links": {"latency": 0.0}}}):
        both = [
            run({**base, "algorithms": a}, stop=stop, **ideal) for a in (base["algorithms"], fast)
        ]
        assert (both[0].curves.accuracy == both[1].curves.accuracy).all()


def total_rate(result):
    return result.manifest["runs"][0]["constants"]["total_rate"]


def test_beside_these_constants_only_slow_nodes_and_great_loads_stretch_the_unit():
    slow = {"nodes": {"gradient": {"kind": "exponential", "mean": 1.0}, "pause": None}}
    slow["nodes"]["slowness"] = [3.0] + [1.0] * 15
    base = {**SMALL, "network": {"graph": "star", "nodes": 16}}
    base["algorithms"] = [{"name": "dadao", "constants": "latency", "time_unit": "auto"}]

    def unit_and_load(world):
        found = run(base, world=world, stop={"time": 10}).manifest["runs"][0]["constants"]
        return found["time_unit"], found["load"]

    assert unit_and_load({"links": {"latency": 0.1}}) == (1.0, pytest.approx(1.6, rel=1e-6))
    unit, load = unit_and_load({**slow, "links": {"latency": 0.3}})
    assert (unit, load) == (3.0, pytest.approx(1.6, rel=1e-6))
    # Beyond the last load of the set it is that of the paper's rates, 16 for a latency of 1.
    unit, load = unit_and_load({"links": {"latency": 5.0}})
    assert (unit, load) == (pytest.approx(80 / 30, rel=1e-6), pytest.approx(30.0))


def test_dadao_diverges_with_a_straggler_as_given_and_converges_rescaled():
    world = {
        "nodes": {
            "gradient": {"kind": "exponential", "mean": 1.0},
            "pause": {"kind": "constant", "mean": 0.0},
            "slowness": [30.0] + [1.0] * 15,
        }
    }
    base = {**SMALL, "network": {"graph": "cycle", "nodes": 16}, "algorithms": ["dadao"]}
    stop = {"time": 30_000, "accuracy": 1e-8}
    assert run(base, world=world, stop=stop).runs.status[0] == "diverged"
    rescaled = run(base, world={**world, "time_unit": "auto"}, stop=stop)
    assert rescaled.runs.status[0] == "converged"
    assert rescaled.manifest["runs"][0]["constants"]["time_unit"] == 30.0
    end = rescaled.curves.iloc[-1]
    assert end.gradients == pytest.approx(16 * end.time / 30, rel=0.1), "time is the world's"


def test_time_is_comparable_a_synchronous_method_waits_for_the_straggler():
    world = {
        "nodes": {"gradient": {"kind": "constant"}, "slowness": [10.0] + [1.0] * 7},
        "links": {"latency": 0.5},
    }
    result = run(algorithms=["gradient_tracking", "msda"], world=world, stop={"time": 500})
    end = result.curves.groupby("algorithm").last()
    msda = METHODS["msda"]
    K = next(r["constants"]["K"] for r in result.manifest["runs"] if r["algorithm"] == msda.name)
    # Both compute once before the first round.
    assert end.rounds["msda"] == int((500 - 10) / (10 + K * 0.5))
    assert end.rounds["gradient_tracking"] == int((500 - 10) / (10 + 2 * 0.5))


def test_the_estimate_counts_the_events_of_the_world():
    made = scenario_from_mapping(
        {
            **SMALL,
            "world": {"preset": "datacenter"},
            "algorithms": ["a2cid2"],
            "stop": {"time": 2000},
        }
    )
    events = simulate(made).runs.events[0]
    assert Study(made).estimate().events == pytest.approx(events, rel=0.03)


def test_bytes_cost_time_where_bandwidth_is_limited():
    """Two vectors of ADOM+ against one of DADAO on the same link."""
    world = {"nodes": {"gradient": {"kind": "constant"}}, "links": {"bandwidth": 32.0}}
    result = run(algorithms=["adom_plus"], world=world, stop={"time": 90})
    assert result.curves.rounds.iloc[-1] == int(90 / (1 + 2 * 4 * 8 / 32.0))


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"links": {"bandwidth": 0.0}}, r"world\.links\.bandwidth: must be above 0"),
        ({"nodes": {"slowness": [0.0] * 8}}, r"world\.nodes\.slowness\.0: must be above 0"),
        ({"nodes": {"slowness": [1.0] * 7 + [1e9]}}, "would hardly ever compute"),
        ({"nodes": {"late": [{"node": 1, "at": 30}]}}, "node 1 would never compute"),
        ({"nodes": {"pause": {"kind": "constant", "mean": 0}}}, "both take no time"),
        ({"links": {"loss": {"probability": 1.0}}}, "must be below 1"),
        ({"changes": [{"at": 3, "down": [[0, 1]]}]}, "in 2 parts for ever"),
        ({"preset": "wan"}, "the edges of the network have no length_km"),
    ],
)
def test_impossible_settings_are_refused_in_one_line(world, message):
    with pytest.raises(InputError, match=message) as caught:
        run(world=world, stop={"time": 30, "accuracy": 1e-3})
    assert "\n" not in str(caught.value)


def test_a_synchronous_method_is_refused_where_a_link_stays_cut():
    changes = [{"at": 3, "down": [[0, 1]]}]
    with pytest.raises(InputError, match="stops a synchronous method for ever"):
        run(world={"changes": changes}, algorithms=["msda"])
    result = run(world={"changes": changes}, algorithms=["dadao"])
    assert result.runs.status[0] == "stopped"


def test_what_shows_only_as_it_runs_is_said_of_the_world():
    nodes = {"crashes": {"every": 0.01, "length": 0.01}, "gradient": {"kind": "constant"}}
    said = r"^gradient_tracking, repeat 0, world\.nodes\.crashes: node \d never gets a gradient"
    with pytest.raises(InputError, match=said):
        run(world={"nodes": nodes}, algorithms=["gradient_tracking"])


def test_edges_of_unknown_length_are_not_guessed():
    links = {"latency_per_km": 4.9e-6}
    with pytest.raises(InputError, match=r"unknown_length_km: \d+ of 61 edges have no length_km"):
        run(SCENARIO, world={"links": links})


def test_node_rates_and_sequences_are_of_other_clocks():
    with pytest.raises(InputError, match=r"clock\.node_rates: a world has its own"):
        run(world={}, clock={"node_rates": [1.0] * 8})
    sequence = {"sequence": {"graph": "random_geometric", "nodes": 8, "length": 2}}
    with pytest.raises(InputError, match="world: a sequence of graphs has no links that last"):
        run(world={}, network=sequence, algorithms=["dadao"])
