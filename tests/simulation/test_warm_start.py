"""A start from states: where an earlier run ended, or any file of numpy.savez."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dadao_sim import load_result, simulate
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.study import Study


def scenario(start, *algorithms, time=40, **more):
    return {
        "name": "warm",
        "problem": {
            "kind": "least_squares",
            "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 6},
        },
        "network": {"graph": "cycle", "nodes": 5},
        "algorithms": list(algorithms or ["gradient_tracking"]),
        "start": start,
        "stop": {"time": time},
        "record": {"points": 5},
        **more,
    }


def states(file, **more):
    return {"kind": "states", "file": str(file), **more}


@pytest.fixture
def first(tmp_path):
    """A run that is kept, and its states."""
    result = simulate(scenario({"kind": "normal"}), out=tmp_path / "first")
    return result, tmp_path / "first" / "final_states" / "gradient-tracking-r0.npz"


def test_a_run_goes_on_where_another_ended(first):
    """Of any method, whatever made the states: only x is taken, duals are what they always were."""
    result, file = first
    again = simulate(scenario(states(file), "gradient_tracking", "nids", "extra"))
    end = result.curves["mean_squared_distance"].iloc[-1]
    for _, curve in again.curves.groupby("algorithm"):
        distances = curve["mean_squared_distance"].to_numpy()
        assert distances[0] == end
        assert distances[-1] < distances[0]
        assert curve["accuracy"].iloc[0] == 1
    x0 = Study(scenario(states(file))).parts(0).x0
    assert_array_equal(x0, result.states["gradient_tracking", 0]["x"])
    duals = Study(scenario(states(file, block="h"))).parts(0).x0
    assert_array_equal(duals, result.states["gradient_tracking", 0]["h"])


@pytest.mark.parametrize("name", ["gradient_tracking", "dadao", "d_admm", "extra"])
def test_a_start_from_a_file_is_that_start(name, tmp_path):
    """To the byte what the same start is that was drawn."""
    drawn = scenario({"kind": "normal"}, name)
    np.savez(tmp_path / "x0.npz", x=Study(drawn).parts(0).x0)
    wanted, found = simulate(drawn), simulate(scenario(states(tmp_path / "x0.npz"), name))
    assert_array_equal(wanted.curves.to_numpy()[:, 2:], found.curves.to_numpy()[:, 2:])


def test_every_repeat_has_that_start_in_whatever_process(first):
    asked = scenario(states(first[1]), repeats=2)
    here, elsewhere = simulate(asked), simulate(asked, jobs=2)
    assert_array_equal(here.curves.to_numpy()[:, 1:], elsewhere.curves.to_numpy()[:, 1:])
    for repeat in range(2):
        assert_array_equal(Study(asked).parts(repeat).x0, Study(asked).parts(0).x0)


def test_a_result_is_of_the_content_of_its_start(first, tmp_path):
    """Known by what the file holds; one that has changed is another start."""
    _, file = first
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "name: warm\n"
        "problem: {kind: least_squares, "
        "data: {kind: synthetic, dim: 3, samples_per_node: 6}}\n"
        "network: {graph: cycle, nodes: 5}\n"
        "algorithms: [extra]\n"
        "start: {kind: states, file: first/final_states/gradient-tracking-r0.npz}\n"
        "stop: {time: 9}\n"
    )
    asked = load_scenario(path)
    assert scenario_from_mapping(asked.to_mapping()) == asked
    simulate(asked, out=tmp_path / "second")
    manifest = load_result(tmp_path / "second").manifest
    assert list(manifest["inputs"]) == [str(file)]
    before = Study(asked).ground
    np.savez(file, x=np.ones((5, 3)))
    assert Study(asked).ground != before
    with pytest.raises(InputError, match=r"gradient-tracking-r0\.npz has changed since it was run"):
        simulate(asked, out=tmp_path / "second", resume=True)


@pytest.mark.parametrize(
    ("arrays", "more", "said"),
    [
        (None, {}, "start.file: there is no file .*x0.npz"),
        ({"y": np.ones((5, 3))}, {}, "start.file: .*x0.npz has no block 'x'; its blocks are y"),
        ({"x": np.ones((4, 3))}, {}, r"block x of .*x0.npz is \(4, 3\); \(5, 3\) finite numbers"),
        ({"x": np.full((5, 3), np.nan)}, {}, r"block x of .*x0.npz is not finite; \(5, 3\) finite"),
        ({"x": np.ones(3)}, {}, r"x is an array \(3,\) of float64, where numbers \(nodes, dim"),
        ({"x": np.ones((5, 3), dtype=int)}, {}, "where numbers .* are needed"),
        (
            {"x": np.ones((5, 3))},
            {"scale": 2.0},
            "start.scale: only kind normal and orthonormal have it, and kind",
        ),
        (
            {"x": np.ones((5, 3))},
            {"shared": True},
            "start.shared: only kind normal and orthonormal have it",
        ),
        ({"x": np.ones((5, 3))}, {"file": None}, "start.file: is missing: which states?"),
        ({"x": np.ones((5, 3))}, {"kind": "normal"}, "start.file: only kind states has it, and"),
        ({}, {"kind": "zeros", "file": None, "block": "y"}, "start.block: only kind states has it"),
    ],
)
def test_states_that_are_no_start_are_refused(arrays, more, said, tmp_path):
    file = tmp_path / "x0.npz"
    if arrays is not None:
        np.savez(file, **arrays)
    with pytest.raises(InputError, match=said) as refused:
        simulate(scenario({**states(file), **more}))
    assert "\n" not in str(refused.value)


def test_a_compressed_or_damaged_file_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.ones((5, 3)))
    (tmp_path / "b.npz").write_bytes(b"no archive")
    for name in ("a.npz", "b.npz"):
        with pytest.raises(InputError, match=r"start\.file: .* cannot be read"):
            simulate(scenario(states(tmp_path / name)))


def test_the_optimum_itself_is_no_start(tmp_path):
    x = Study(scenario({"kind": "normal"})).parts(0).problem.x_star
    np.savez(tmp_path / "x0.npz", x=np.tile(x, (5, 1)))
    with pytest.raises(InputError, match="start: x0 is the optimum itself"):
        simulate(scenario(states(tmp_path / "x0.npz")))


def test_what_averages_starts_at_its_points(tmp_path):
    np.savez(tmp_path / "x0.npz", x=np.ones((5, 2)))
    asked = scenario(states(tmp_path / "x0.npz"), "synchronous_gossip")
    asked["problem"] = {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}}
    with pytest.raises(InputError, match="synchronous_gossip starts at the points it averages"):
        simulate(asked)
