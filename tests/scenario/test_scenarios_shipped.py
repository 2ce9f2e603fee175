"""The scenarios that travel with the package, and the gallery made of them.

Every scenario is checked down to the constants of its methods; all together that takes seconds.
"""

import json
from pathlib import Path

import make_gallery as gallery
import pytest

from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_file, load_scenario, schema
from dadao_sim.scenario.sweep import Sweep
from dadao_sim.simulation.simulate import simulate
from dadao_sim.simulation.study import Study

ROOT = Path(__file__).resolve().parents[2]
PLOTS = ROOT / "plots"
SCENARIOS = shipped.scenarios()
PAPER = ("dadao", "continuized", "msda", "adom_plus", "adom_plus_multi_consensus")


def pictures():
    return [picture for section in gallery.sections().values() for picture in section]


def scenarios_of(name):
    """The scenario of a file, or all those of a sweep."""
    loaded = load_file(SCENARIOS[name])
    return [cell.scenario for cell in loaded.cells] if isinstance(loaded, Sweep) else [loaded]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_can_be_run_in_every_method(name):
    for scenario in scenarios_of(name):
        steps = [scenario.local_step, *(spec.local_step for spec in scenario.algorithms)]
        if any(step is not None and step.learned is not None for step in steps):
            pytest.importorskip("torch", reason="learned local steps need torch")
        plans = Study(scenario).check()
        assert [plan.spec.label for plan in plans] == [spec.label for spec in scenario.algorithms]


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_begins_with_its_schema_and_its_question(name):
    first, question = SCENARIOS[name].read_text(encoding="utf-8").splitlines()[:2]
    path = first.removeprefix("# yaml-language-server: $schema=")
    assert (SCENARIOS[name].parent / path).resolve() == ROOT / "scenarios/scenario.schema.json"
    assert question.startswith("# ")
    assert question.endswith("?")


def test_scenarios_are_named_after_their_files():
    # So no two of them share a folder of results or a figure.
    for name in SCENARIOS:
        assert {scenario.name for scenario in scenarios_of(name)} == {Path(name).name}
    assert len({Path(name).name for name in SCENARIOS}) == len(SCENARIOS)


def test_schema_is_that_of_the_package():
    shipped = json.loads((ROOT / "scenarios/scenario.schema.json").read_text(encoding="utf-8"))
    assert shipped == schema(), "dadao-sim schema > scenarios/scenario.schema.json"


def test_the_comparison_of_the_paper_is_complete():
    for graph in ("star", "complete", "cycle", "path", "grid", "barbell"):
        for kind, loss in (("regression", "least_squares"), ("logistic", "logistic_l2")):
            scenario = load_scenario(SCENARIOS[f"paper/{graph}-{kind}"])
            assert scenario.problem.kind == loss
            assert tuple(spec.name for spec in scenario.algorithms) == PAPER
            assert scenario.repeats >= 3


def test_all_methods_of_the_quickstart_reach_its_accuracy():
    scenario = load_scenario(SCENARIOS["quickstart"], ["repeats=1"])
    result = simulate(scenario)
    assert tuple(result.runs["method"]) == PAPER
    assert set(result.runs["status"]) == {"converged"}
    last = result.curves.groupby("algorithm")["accuracy"].last()
    assert (last <= scenario.stop.accuracy).all()


def test_below_its_least_rate_dadao_diverges():
    scenario = load_scenario(SCENARIOS["gossip-rate"], ["repeats=2"])
    runs = simulate(scenario).runs
    status = {label: set(rows["status"]) for label, rows in runs.groupby("algorithm")}
    assert status == {
        "half the least rate": {"diverged"},
        "the least rate": {"converged"},
        "twice the least rate": {"converged"},
    }


def test_gallery_shows_every_scenario():
    shown = {picture.title for picture in pictures()}
    assert set(SCENARIOS) <= shown


def test_gallery_page_is_up_to_date():
    page = (PLOTS / "README.md").read_text(encoding="utf-8")
    assert page.startswith(gallery.INTRODUCTION)
    for picture in pictures():
        assert gallery.entry(picture) in page, f"make gallery: {picture.name} has changed"


def test_figures_are_those_of_the_gallery():
    names = [f"{picture.name}.png" for picture in pictures()]
    assert len(set(names)) == len(names)
    assert {path.name for path in PLOTS.glob("*.png")} == set(names)
