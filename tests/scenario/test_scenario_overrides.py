"""Overrides from the command line: ``--set KEY=VALUE``."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from dadao_sim.errors import InputError
from dadao_sim.problems.data.synthetic import SyntheticData
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

STAR = """\
name: star-regression
problem:
  kind: least_squares
  data: {kind: synthetic, dim: 10, samples_per_node: 50}
network: {graph: star, nodes: 20, rates: uniform}
algorithms: [dadao, {name: dadao, label: twice, rate_factor: 2.0}, msda]
stop: {time: 2000, accuracy: 1e-10}
report:
  cost: {gradient: 1.0}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "star.yaml"
    path.write_text(STAR, encoding="utf-8")
    return path


def test_overrides(file: Path):
    made = load_scenario(
        file,
        [
            "algorithms.0.rate_factor=2",
            "algorithms.1.label=a=b",
            "report.accuracies=[1e-3, 1e-5]",
            "record.points=50",
            "start={kind: normal, scale: 2}",
            "stop.accuracy=",
            "seed=1",
            "seed=2",
        ],
    )
    assert made.algorithms[0].rate_factor == 2.0
    assert made.algorithms[0].name == "dadao"
    assert (made.algorithms[1].label, made.algorithms[1].rate_factor) == ("a=b", 2.0)
    assert made.report.accuracies == (1e-3, 1e-5)
    assert made.report.cost.gradient == 1.0
    assert (made.record.points, made.start.scale, made.stop.accuracy) == (50, 2.0, None)
    assert made.seed == 2


def test_overrides_leave_the_mapping_as_it_is():
    mapping = YAML(typ="safe").load(STAR)
    made = scenario_from_mapping(mapping, ["problem.data.dim=3", "algorithms.0.rate_factor=3"])
    assert isinstance(made.problem.data, SyntheticData)
    assert made.problem.data.dim == 3
    assert mapping == YAML(typ="safe").load(STAR)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("sed=1", "sed: unknown key; did you mean 'seed'? (known: name,"),
        ("a.b=1", "a: unknown key; did you mean 'algorithms'? (known: name,"),
        ("stop.tme=1", "stop.tme: unknown key; did you mean 'time'? (known: time,"),
        ("report.cots.gradient=1", "report.cots: unknown key; did you mean 'cost'? (known: acc"),
        (
            "record.point=5",
            "record.point: unknown key; did you mean 'points'? (known: points, spacing, metrics)",
        ),
        (
            "record={point: 5}",
            "record.point: unknown key; did you mean 'points'? (known: points, spacing, metrics)",
        ),
        ("seed=x", "seed: must be an integer, got 'x'"),
        ("algorithms.4.label=x", "algorithms has no entry '4', only 0 to 2"),
        ("algorithms.-1.label=x", "algorithms has no entry '-1', only 0 to 2"),
        ("algorithms.first.label=x", "algorithms has no entry 'first', only 0 to 2"),
        ("network.rates.attribute=km", "network.rates is 'uniform', which has no 'attribute' in"),
        ("seed", "must be KEY=VALUE, for instance stop.time=100"),
        ("=1", "must be KEY=VALUE, for instance stop.time=100"),
        ("seed=[1", "not valid YAML, column 3: expected"),
        ("stop={time: 1, time: 2}", "time: given before, on line 1"),
    ],
)
def test_an_override_that_is_wrong_is_named(file: Path, override: str, expected: str):
    with pytest.raises(InputError) as caught:
        load_scenario(file, ["repeats=2", override])
    assert str(caught.value).startswith(f"--set {override}: {expected}")
    assert "\n" not in str(caught.value)


def test_an_override_is_not_blamed_for_what_the_file_says(file: Path):
    file.write_text(STAR.replace("dim: 10", "dim: x"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_scenario(file, ["problem.kind=least_squares"])
    assert str(caught.value) == f"{file}:4: problem.data.dim: must be an integer, got 'x'"
