"""What is given to a command counts: what does not go together, or comes twice, is refused."""

import numpy as np
import pytest
import yaml
from nine_cells import BASE

from dadao_sim.algorithms.contract.registry import citation, get_method
from dadao_sim.cli.options import prices_of
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.sweep import sweep

ONE = {**BASE, "repeats": 1, "algorithms": ["dadao", "nids"]}
del ONE["sweep"]


@pytest.fixture(scope="module")
def two_cells(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two") / "s"
    return folder, sweep(ONE | {"sweep": {"network.nodes": [3, 5]}}, out=folder)


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("--out", ["zz.png"]),
        ("--x", ["time"]),
        ("--y", ["accuracy"]),
        ("--format", ["png"]),
        ("--width", ["icml"]),
        ("--y-scale", ["auto"]),
        ("--price", ["byte=1"]),
        ("--theory", []),
    ],
)
def test_what_figures_of_a_scenario_say_no_option_says(dadao_sim, option, more):
    code, _, said = dadao_sim("plot", "result", "--figures", "quickstart", option, *more)
    assert code == 2
    assert f"{option}: does not go with --figures; leave it out, or say it in quickstart" in said


def test_figures_of_a_scenario_are_drawn(dadao_sim, two_cells, tmp_path):
    folder = next((two_cells[0] / "cells").iterdir())
    file = tmp_path / "s.yaml"
    file.write_text(yaml.safe_dump(ONE | {"figures": [{"file": "own.png", "x": "time"}]}))
    code, out, _ = dadao_sim("plot", folder, "--figures", file, "--overwrite")
    assert (code, out) == (0, f"figure: {folder / 'figures' / 'own.png'}\n")


def test_one_thing_has_one_price():
    assert prices_of(["gradient=1", "byte = 2"]) == {"gradient": 1, "byte": 2}
    with pytest.raises(InputError, match=r"^--price: two prices of a gradient are given; give one"):
        prices_of(["gradient=1", " gradient=2"])


def test_why_a_sweep_has_no_such_cost(dadao_sim, two_cells):
    folder, _ = two_cells
    reasons = {
        "seconds": "the scenario has no world, which says how many seconds",
        "rounds": "dadao has none (network.nodes=3)",
        "joules": "the scenario has no report.energy",
    }
    for kind in ([], ["--profile"]):
        for name, why in reasons.items():
            code, _, said = dadao_sim("plot", folder, "--x", name, *kind)
            assert code == 2
            assert f"--x: {name}: {why}" in said
            assert "; use communications, gradients, time, " in said


def test_a_result_is_cited_as_its_scenario(dadao_sim, two_cells, tmp_path):
    folder, _ = two_cells
    entries = [citation(get_method(name)) for name in ("dadao", "nids")]
    for place in (folder, next((folder / "cells").iterdir())):
        code, out, _ = dadao_sim("cite", place)
        assert code == 0
        assert all(entry in out for entry in entries)
    code, _, said = dadao_sim("cite", tmp_path)
    assert code == 2
    assert "is a folder without a result; name a method, a scenario, or the folder of a" in said


def test_a_scenario_is_no_network(dadao_sim, tmp_path):
    (tmp_path / "s.yaml").write_text("name: s\n")
    code, _, said = dadao_sim("network", "s.yaml")
    assert code == 2
    assert "file: s.yaml is a scenario, no GraphML file; name the GraphML file" in said


def test_numbers_of_numpy_are_numbers():
    as_python = ONE | {"seed": 3, "repeats": 2, "record": {"points": 5}}
    of_numpy = {"seed": np.int64(3), "repeats": np.uint8(2), "record": {"points": np.int32(5)}}
    assert scenario_from_mapping(ONE | of_numpy) == scenario_from_mapping(as_python)
    stop = {"stop": {"time": np.float32(2)}}
    assert scenario_from_mapping(ONE | stop).stop.time == 2.0
    figures = {"figures": [{"file": "a.png", "width": np.int64(3), "height": np.int64(2)}]}
    (figure,) = scenario_from_mapping(ONE | figures).figures
    assert (figure.width, figure.height) == (3.0, 2.0)
    for wrong, message in (
        (np.int64(0), "^repeats: must be at least 1, got 0"),
        (np.float64(2), "^repeats: must be an integer"),
        (np.bool_(True), "^repeats: must be an integer"),
        (True, "^repeats: must be an integer, got true"),
    ):
        with pytest.raises(InputError, match=message):
            scenario_from_mapping(ONE | {"repeats": wrong})
