"""A scenario is made ready once: parts per repeat, a plan and a clock per run."""

from collections import Counter

import cloudpickle
import numpy as np
import pytest

import dadao_sim.simulation.plan as plan_module
import dadao_sim.simulation.study as study_module
from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.study import Study

WORLD_RUNS = [("world/edge-devices", label) for label in ("DADAO, rescaled", "gradient_tracking")]
QUICK = ("stop.time=20", "stop.accuracy=1.0e-30")


@pytest.fixture
def made(monkeypatch):
    """How often each thing was made."""
    counts = Counter()

    def watch(module, name):
        real = getattr(module, name)

        def counted(*arguments, **named):
            counts[name] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, counted)

    for module, name in (
        *((study_module, "build_parts"), (study_module, "make_plan")),
        *((plan_module, "make_clock"), (study_module, "inputs_of")),
        *((plan_module, "PoissonClock"), (plan_module, "RoundClock")),
    ):
        watch(module, name)
    return counts


def test_fifteen_runs_take_fifteen_plans_and_fifteen_clocks(made, dadao_sim):
    """The quickstart's three repeats of five methods, by the command: checked, estimated, run."""
    sets = [word for change in QUICK for word in ("--set", change)]
    code, out, err = dadao_sim("run", "quickstart", *sets, "--out", "r")
    assert (code, err) == (0, ""), out
    assert made["make_plan"] == made["make_clock"] == 15
    assert made["PoissonClock"] + made["RoundClock"] == 15
    assert made["build_parts"] == 3
    assert made["inputs_of"] == 1


def test_a_study_is_handed_on(made):
    study = Study(load_scenario(shipped.scenario_path("quickstart"), QUICK))
    study.check()
    study.estimate()
    one = simulate(study)
    assert (made["make_plan"], made["build_parts"]) == (15, 3)
    assert one.curves.equals(simulate(study.scenario).curves)


def test_looking_at_the_first_window_takes_nothing_from_the_run():
    study = Study(load_scenario(shipped.scenario_path("quickstart"), QUICK))
    key = ("dadao", 0)
    looked, fresh = study.taken(key), study.plan(key)
    first = looked.source.first
    for _ in range(2):
        a, b = looked.source.window(), fresh.source.window()
        np.testing.assert_array_equal(a.time, b.time)
    assert first.first_row == 0


@pytest.mark.slow
def test_runs_of_a_world_go_to_other_processes():
    """Their clocks, which are generators, stay here: each process makes its own."""
    study = Study(load_scenario(shipped.scenario_path("world/loss"), ("stop.time=20", "repeats=1")))
    study.estimate()
    assert simulate(study, jobs=2).curves.equals(simulate(study.scenario).curves)


def test_parts_beside_a_study_are_refused():
    study = Study(load_scenario(shipped.scenario_path("quickstart")))
    with pytest.raises(InputError, match="problem: the study is made already; give it to Study"):
        simulate(study, problem=study.parts(0).problem)


@pytest.mark.parametrize(("name", "label"), [("quickstart", "dadao"), *WORLD_RUNS])
def test_a_plan_that_was_looked_at_travels_to_another_process(name, label):
    """Where it begins anew, at the first event."""
    plan = Study(load_scenario(shipped.scenario_path(name))).plan((label, 0))
    assert len(plan.source.first)
    sent = cloudpickle.loads(cloudpickle.dumps(plan))
    for _ in range(2):
        window, there = plan.source.window(), sent.source.window()
        for column in ("time", "kind", "i", "j", "mark", "start"):
            np.testing.assert_array_equal(getattr(there, column), getattr(window, column))


def test_the_manifest_reads_no_file_twice(monkeypatch):
    """A file that changes during a run does not change what the run says it was of."""
    calls = []
    real = study_module.inputs_of
    monkeypatch.setattr(study_module, "inputs_of", lambda s: calls.append(s) or real(s))
    study = Study(load_scenario(shipped.scenario_path("quickstart"), QUICK))
    study.check()
    assert len(calls) == 1  # before it is built
    assert study.input_digest == study.input_digest
    assert study.ground
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("scenario", "given", "message"),
    [
        (3, {}, "scenario: a Scenario, a mapping or a path is needed, not a int"),
        ("quickstart", {"problem": 3}, "problem: a Problem is needed, not a int"),
        (
            "quickstart",
            {"network": "star"},
            "network: a Network, a GraphSequence or a networkx graph is needed, not a str",
        ),
    ],
)
def test_things_of_another_kind_are_refused(scenario, given, message):
    if scenario == "quickstart":
        scenario = shipped.scenario_path(scenario)
    with pytest.raises(InputError) as caught:
        Study(scenario, **given)
    assert str(caught.value) == message
