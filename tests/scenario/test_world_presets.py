"""What a preset gives, and how a scenario takes it back: null, whole sections, keys within keys."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dadao_sim import InputError, load_scenario, simulate
from dadao_sim.events.world.fault import FAULTS
from dadao_sim.events.world.spec import PRESETS, WorldSpec
from dadao_sim.scenario.reading import scenario_from_mapping

SCENARIO = {
    "name": "presets",
    "seed": 1,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 6},
    "algorithms": ["ad_psgd", "prox_ed"],
    "stop": {"time": 60},
    "record": {"points": 10},
}
SET_BY_PRESETS = sorted(
    {
        (preset, section, key)
        for preset, keys in PRESETS.items()
        for section in ("nodes", "links")
        for key in keys.get(section, {})
    }
)
NOTHING = {
    **dict.fromkeys(("latency", "latency_per_km", "jitter", "slowness_spread"), 0.0),
    "gradient": {"kind": "constant", "mean": 0.0},
    "pause": {"kind": "constant", "mean": 0.0},
}


def dumped(spec):
    return scenario_from_mapping({**SCENARIO, "world": spec}).to_mapping()["world"]


@pytest.mark.parametrize(("preset", "section", "key"), SET_BY_PRESETS)
def test_null_switches_off_what_a_preset_switches_on(preset, section, key):
    spec = {"preset": preset, section: {key: None}}
    if key in ("gradient", "pause"):  # one of the two must take time
        spec["nodes"]["pause" if key == "gradient" else "gradient"] = {"kind": "exponential"}
    found, whole = dumped(spec), dumped({"preset": preset})
    assert found[section][key] == NOTHING.get(key)
    same = {"gradient", "pause", key}
    for part in ("nodes", "links"):
        for other, value in whole[part].items():
            assert found[part][other] == value or other in same, (part, other)


@pytest.mark.parametrize(("preset", "section", "key"), SET_BY_PRESETS)
def test_from_a_file_by_set_and_from_python_it_is_the_same(preset, section, key, tmp_path):
    if key == "gradient":
        return
    expected = dumped({"preset": preset, section: {key: None}})
    path = tmp_path / "s.yaml"
    path.write_text(json.dumps({**SCENARIO, "world": {"preset": preset}}))
    text = json.dumps({**SCENARIO, "world": {"preset": preset, section: {key: None}}})
    (tmp_path / "null.yaml").write_text(text.replace("null", "~"))
    for made in (
        load_scenario(path, [f"world.{section}.{key}=null"]),
        load_scenario(path, [f"world.{section}.{key}="]),
        load_scenario(tmp_path / "null.yaml"),
    ):
        assert made.to_mapping()["world"] == expected
    model = WorldSpec(preset=preset, **{section: {key: None}})
    assert model == load_scenario(tmp_path / "null.yaml").world


CHOICES = {
    "nodes": {
        "gradient": [{"kind": "exponential", "mean": 2.0}],
        "pause": [{"kind": "exponential"}],
        "slowness": [None, [1.0] * 6],
        "slowness_spread": [None, 0.1],
        "exchanges_at_once": [None, 2],
        "when_busy": ["wait"],
        "crashes": [None, {"every": 50, "length": 2}],
        "slow_periods": [None, {"every": 50, "length": 2, "factor": 3}],
        "late": [None, [{"node": 1, "at": 5}]],
    },
    "links": {
        "latency": [None, 0.1],
        "jitter": [None, 0.2],
        "bandwidth": [None, 1e6],
        "loss": [None, {"probability": 0.1}, {"probability": 0.1, "noticed": "one"}],
        "outages": [None, {"every": 50, "length": 2}],
    },
}


CUT = [{"at": 3, "down": [[0, 1]]}, {"at": 9, "up": [[0, 1]]}]


def some_of(choices):
    values = {key: st.sampled_from(values) for key, values in choices.items()}
    return st.fixed_dictionaries({}, optional=values)


WORLDS = st.fixed_dictionaries(
    {"preset": st.sampled_from(["ideal", "datacenter", "edge_devices"])},
    optional={
        "links": some_of(CHOICES["links"]) | st.none(),
        "nodes": some_of(CHOICES["nodes"]) | st.none(),
        "changes": st.sampled_from([None, CUT]),
    },
)


@given(WORLDS)
@settings(max_examples=60, deadline=None)
def test_the_resolved_scenario_says_what_holds_and_is_itself(world):
    links = world.get("links") or {}
    if world["preset"] == "ideal" and links.get("jitter") and "latency" not in links:
        with pytest.raises(InputError, match="no effect without latency"):
            scenario_from_mapping({**SCENARIO, "world": world})
        return
    made = scenario_from_mapping({**SCENARIO, "world": world})
    said = made.to_mapping()
    again = scenario_from_mapping(json.loads(json.dumps(said)))
    assert again == made
    assert again.to_mapping() == said
    # A key that is given holds, whatever the preset says, and a section of null is that of none.
    for section in ("nodes", "links"):
        if section not in world:
            continue
        given_keys = world[section] or {}
        free = dumped({"preset": "ideal"})[section]
        for key, value in said["world"][section].items():
            if key in given_keys and given_keys[key] is None:
                assert value == ([] if key == "late" else NOTHING.get(key))
            elif world[section] is None:
                assert value == free[key]


def test_a_resolved_scenario_gives_the_same_bytes(tmp_path):
    world = {"preset": "edge_devices", "nodes": {"crashes": None}, "links": {"loss": None}}
    for name in ("crashes", "loss"):
        assert not any(fault.names() == (name,) for fault in WorldSpec(**world).faults())
    first = simulate({**SCENARIO, "world": world}, out=tmp_path / "a")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["scenario"]["world"]["nodes"]["crashes"] is None
    simulate(manifest["scenario"], out=tmp_path / "b")
    for file in ("curves.parquet", "summary.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    whole = simulate({**SCENARIO, "world": {"preset": "edge_devices"}})
    assert not whole.curves.equals(first.curves)


def test_a_preset_without_its_faults_is_the_preset_written_without_them():
    for preset, keys in PRESETS.items():
        if preset == "wan":
            continue  # needs lengths
        named = {fault.names()[0] for fault in FAULTS.values()}
        spec, bare = {"preset": preset}, {k: v for k, v in keys.items() if not isinstance(v, dict)}
        for section in ("nodes", "links"):
            of_faults = named & keys.get(section, {}).keys()
            spec[section] = dict.fromkeys(of_faults)
            bare[section] = {k: v for k, v in keys.get(section, {}).items() if k not in of_faults}
        runs = [simulate({**SCENARIO, "world": world}) for world in (spec, bare)]
        assert runs[0].curves.equals(runs[1].curves), preset


def test_a_key_within_a_key_is_replaced_with_it():
    """``loss: {probability: 0.1}`` is a loss without the bursts of the preset's."""
    found = dumped({"preset": "edge_devices", "links": {"loss": {"probability": 0.1}}})
    assert found["links"]["loss"]["probability"] == 0.1
    assert found["links"]["loss"]["burst_probability"] is None
    assert found["links"]["jitter"] == 0.5
    law = {"kind": "lognormal", "sigma": 0.5}
    assert dumped({"preset": "edge_devices", "nodes": {"gradient": law}})["nodes"]["gradient"] == {
        **law,
        "mean": 1.0,
    }


@pytest.mark.parametrize("key", ["gradient_seconds", "time_unit", "barrier", "preset"])
def test_what_cannot_be_nothing_is_refused(key):
    with pytest.raises(InputError, match=rf"^world\.{key}: must be .*got nothing"):
        dumped({"preset": "edge_devices"} | {key: None})


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"crashes": None}, "world.crashes: is a key of nodes: world.nodes.crashes"),
        ({"loss": {"probability": 0.1}}, "world.loss: is a key of links: world.links.loss"),
        ({"nodes": 3}, "world.nodes: must be a mapping, got 3"),
        (
            {"links": {"loss": {"probability": 0.1, "burst_probability": 0.9}}},
            "world.links.loss.burst_probability: has no effect without burst_start; give both",
        ),
        (
            {"links": {"loss": {"probability": 0.1, "burst_start": 0.1, "burst_end": 0.5}}},
            "world.links.loss.burst_start: has no effect without burst_probability; give both",
        ),
        (
            {"links": {"loss": {"probability": 0.1, "burst_end": 0.5}}},
            "world.links.loss.burst_end: has no effect without burst_probability; give both",
        ),
        (
            {"links": {"jitter": 0.5}},
            "world.links.jitter: has no effect without latency or latency_per_km; give both",
        ),
        (
            {"links": {"unknown_length_km": 3.0, "latency": 0.1}},
            "world.links.unknown_length_km: has no effect without latency_per_km; give both",
        ),
        (
            {"nodes": {"when_busy": "give_up"}},
            "world.nodes.when_busy: has no effect without exchanges_at_once; give both",
        ),
        (
            {"nodes": {"late": [{"node": 3, "at": 2}, {"node": 1, "at": 2}, {"node": 3, "at": 9}]}},
            "world.nodes.late.2: node 3 joins at 2 already; leave one out",
        ),
        (
            {"changes": [{"at": 5, "down": [[0, 1]], "up": [[1, 0]]}]},
            "world.changes.0.up: edge 1-0 is changed twice at 5; leave one out",
        ),
        (
            {"changes": [{"at": 5, "down": [[0, 1], [0, 1]]}]},
            "world.changes.0.down: edge 0-1 is changed twice at 5; leave one out",
        ),
        (
            {"changes": [{"at": 5, "down": [[0, 1]]}, {"at": 5, "up": [[0, 1]]}]},
            "world.changes.1.up: edge 0-1 is changed twice at 5; leave one out",
        ),
        ({"changes": [{"at": 5}]}, "world.changes.0: changes nothing; give down, up or both"),
        (
            {"nodes": {"crashes": {"every": 1e-9, "length": 1e-9}}},
            "world.nodes.crashes: one comes every 2e-09 mean gradient intervals; every and length "
            "must make at least 0.0001",
        ),
        (
            {"nodes": {"slow_periods": {"every": 5, "length": 5, "factor": 0.5}}},
            "world.nodes.slow_periods.factor: must be at least 1, got 0.5",
        ),
        (
            {"nodes": {"pause": {"kind": "constant", "mean": 1e-90}}},
            "world.nodes: pause and gradient take 1e-90 mean gradient intervals together; they "
            "must take 1e-06 to 1e+09",
        ),
        ({"nodes": {"gradient": None, "pause": None}}, "world.nodes: pause and gradient both take"),
        ({"links": {"latency": 0.1, "jitter": 50}}, "world.links.jitter: must be at most 10"),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(world, message):
    with pytest.raises(InputError) as caught:
        dumped(world)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("value", [-1.0, -1e-300, float("inf"), float("nan"), "soon", True, []])
@pytest.mark.parametrize(
    "where",
    [
        *("nodes.crashes.every", "nodes.crashes.length", "links.outages.every"),
        *("links.outages.length", "nodes.slow_periods.every", "nodes.slow_periods.length"),
        *("nodes.gradient.mean", "nodes.pause.mean", "links.latency", "links.latency_per_km"),
        *("links.bandwidth", "links.jitter", "nodes.slowness_spread", "nodes.slowness.0"),
        *("nodes.late.0.at", "changes.0.at", "links.loss.probability", "gradient_seconds"),
    ],
)
def test_durations_and_shares_are_finite_numbers_not_below_nothing(where, value):
    whole = {
        "nodes": {
            "gradient": {"kind": "exponential", "mean": 1.0},
            "pause": {"kind": "exponential", "mean": 1.0},
            "crashes": {"every": 5.0, "length": 5.0},
            "slow_periods": {"every": 5.0, "length": 5.0, "factor": 2.0},
            "slowness": [1.0] * 6,
            "late": [{"node": 0, "at": 2.0}],
        },
        "links": {
            "latency": 0.1,
            "loss": {"probability": 0.1},
            "outages": {"every": 1, "length": 1},
        },
        "changes": [{"at": 3, "down": [[0, 1]]}],
    }
    WorldSpec.model_validate(whole)
    *above, last = where.split(".")
    part = whole
    for key in above:
        part = part[int(key) if key.isdecimal() else key]
    part[int(last) if last.isdecimal() else last] = value
    with pytest.raises(ValidationError) as caught:
        WorldSpec.model_validate(whole)
    assert ".".join(map(str, caught.value.errors()[0]["loc"])) == where


@pytest.mark.parametrize(
    ("world", "message"),
    [
        ({"nodes": {"slowness": [1e-9, 1, 1, 1, 1, 1]}}, r"nodes\.slowness: node 0 takes 1e-09"),
        ({"links": {"latency": 1e90}}, r"links\.latency: a message takes 1e\+90"),
        ({"gradient_seconds": 1e-99, "links": {"latency": 1}}, r"links\.latency: a message takes"),
        ({"links": {"bandwidth": 1e-90}}, r"links\.bandwidth: a message takes 1e\+90"),
    ],
)
def test_times_beyond_all_measure_are_refused_before_the_run(world, message):
    with pytest.raises(InputError, match=rf"^world\.{message}"):
        simulate({**SCENARIO, "world": world})
