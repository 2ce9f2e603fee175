"""Metrics: ours are what every run measures; a user's is a column, an axis, and one number."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from cases import small_problem
from synthetic import finished_run, result

from dadao_sim import plugins, simulate
from dadao_sim.errors import InputError
from dadao_sim.metrics import ALWAYS, METRICS, Metric
from dadao_sim.plotting.curves import curve_figure, median_and_band, runs_of
from dadao_sim.results.columns import CURVE_COLUMNS
from dadao_sim.results.result import load_result, read_table
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.one_run import run_plan
from dadao_sim.simulation.study import Study

pytestmark = pytest.mark.usefixtures("own_plugins")

SCENARIO = {
    "name": "measured",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", "nids"],
    "start": {"kind": "normal"},
    "stop": {"time": 20},
    "record": {"points": 5},
}
AWAY = Metric("away", "Largest coordinate", lambda problem, X: np.abs(X).max(), unit="m", log=False)


def asking(*names, **changes):
    return {**SCENARIO, "record": {"points": 5, "metrics": list(names)}, **changes}


def test_ours_are_the_errors_of_every_run():
    problem = small_problem(7)
    errors = Errors(problem, np.ones((7, problem.dimension)))
    measured = errors(np.full((7, problem.dimension), 2.0))
    assert set(measured) == set(ALWAYS) == {name for name in METRICS.ours if not METRICS[name].of}
    assert set(ALWAYS) <= set(CURVE_COLUMNS)
    assert len({METRICS[name].label for name in METRICS.ours}) == len(METRICS.ours)


def test_it_is_measured_at_every_sample_and_changes_no_other_byte():
    METRICS.register(AWAY)
    plain, more = simulate(SCENARIO), simulate(asking("away", "accuracy"))
    assert list(more.curves) == [*CURVE_COLUMNS, "away"], "accuracy is there anyway"
    assert more.curves[list(CURVE_COLUMNS)].equals(plain.curves)
    for row, key in enumerate(more.states):
        last = more.curves.groupby("algorithm", sort=False).last().iloc[row]
        if key[0] == "nids":
            assert last.away == np.abs(more.states[key]["x"]).max()
    axis = {"title": "Largest coordinate", "unit": "m", "log": False}
    assert (plain.manifest["metrics"], more.manifest["metrics"]) == ({}, {"away": axis})


def test_a_title_that_cannot_be_drawn_is_refused_before_the_run():
    METRICS.register(replace(AWAY, title=r"$\max_i |x_{i|$"))
    with pytest.raises(
        InputError, match=r"^record.metrics.0: the title of 'away' is no maths that"
    ):
        scenario_from_mapping(asking("away"))


def test_a_saved_result_can_be_drawn_where_the_metric_is_not_known(tmp_path):
    METRICS.register(AWAY)
    simulate(asking("away"), out=tmp_path / "r")
    del METRICS["away"]
    loaded = load_result(tmp_path / "r")
    assert loaded.metrics["away"].label == "Largest coordinate (m)"
    axes = curve_figure(loaded, "time", "away").axes[0]
    assert (axes.get_ylabel(), axes.get_yscale()) == ("Largest coordinate (m)", "linear")
    (line,) = [line for line in axes.lines if line.get_label() == "nids"]
    np.testing.assert_array_equal(line.get_ydata(), loaded.curves.query("algorithm == 'nids'").away)
    with pytest.raises(
        InputError,
        match=r"^y: unknown value 'awai'; did you mean 'away'\? \(.*, away\)$",
    ):
        curve_figure(loaded, y="awai")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda problem, X: math.nan, "answers nan; one number, finite or infinite, is needed"),
        (lambda problem, X: X, "answers a ndarray; one number"),
        (lambda problem, X: None, "answers a NoneType; one number"),
        (lambda problem, X: "1", "answers a str; one number"),
        (lambda problem, X: 1j, "answers a complex; one number"),
        (lambda problem: 1.0, "TypeError: "),
        (lambda problem, X: 1 / 0, r"ZeroDivisionError at test_metrics\.py:\d+: division by zero"),
        (
            lambda problem, X: X.sort(),
            r"ValueError at test_metrics\.py:\d+: sort array is read-only",
        ),
        (None, "has no function of, which measures it"),
    ],
)
def test_what_is_no_number_is_one_line_before_the_first_run(answer, said):
    METRICS.register(Metric("mine", "Mine", answer))
    with pytest.raises(InputError) as error:
        Study(asking("mine")).check()
    assert re.match(f"record.metrics: metric 'mine': {said}", str(error.value))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "number"),
    [(math.inf, math.inf), (-math.inf, -math.inf), (np.float32(0.5), 0.5), (np.array(3), 3.0),
     (True, 1.0), (2, 2.0)],
)  # fmt: skip
def test_what_is_one_number_is_one(answer, number):
    measured = Metric("mine", "Mine", lambda problem, X: answer).measure(None, np.ones((2, 2)))
    assert (measured, type(measured)) == (number, float)


def test_an_estimate_that_is_no_number_has_no_metric():
    X = np.array([[1.0, np.nan]])
    assert math.isnan(Metric("mine", "Mine", lambda problem, X: 1.0).measure(None, X))


def test_a_metric_that_fails_later_stops_the_run_in_one_line():
    METRICS.register(Metric("late", "Late", lambda problem, X: 1.0 if np.ptp(X) == 0 else math.nan))
    plan = Study(asking("late", start={"kind": "zeros"})).plan(("nids", 0))
    with pytest.raises(
        InputError, match=r"^nids, repeat 0, sample at time 1: metric 'late': answers nan"
    ):
        run_plan(plan)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["awai"], "record.metrics.0: unknown value 'awai'; did you mean 'away'? (known: accuracy"),
        (["away", "away"], "record.metrics.1: 'away' is named before; leave it out"),
        (["time"], "record.metrics: metric 'time': the curves have a column of that name; give"),
        (["agreement"], "record.metrics: metric 'agreement': it is of quantised models; give"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(names, said):
    METRICS.register(AWAY)
    METRICS.register(Metric("time", "Time", lambda problem, X: 1.0))
    with pytest.raises(InputError) as error:
        Study(asking(*names)).check()
    assert str(error.value).startswith(said)


def test_the_command_line_draws_it(dadao_sim, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dadao_sim.metrics import Metric\n"
        "M = Metric('spread', 'Spread', lambda problem, X: float((X.max(0) - X.min(0)).sum()))\n"
    )
    scenario = {**asking("spread"), "plugins": ["mine.py"]}
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    assert dadao_sim("run", "s.json", "--out", "r")[0] == 0
    table = read_table(tmp_path / "r" / "curves.parquet")
    assert (table.spread > 0).any()
    plugins.forget(plugins.known())
    assert dadao_sim("plot", "r", "--y", "spread")[:2] == (
        0,
        "figure: r/figures/spread-communications.png\n",
    )
    code, _, err = dadao_sim("plot", "r", "--y", "sprea")
    assert (code, err.count("\n")) == (2, 1)


# ---- axes that are not logarithmic ---------------------------------------------------------------


def with_column(run, values):
    run.curves["away"] = values(run.curves["time"].to_numpy())
    return run


def linear(*runs):
    made = result(*runs)
    made.manifest["metrics"] = {"away": {"title": "Away", "unit": "", "log": False}}
    made.curves["away"] = np.concatenate([run.curves["away"].to_numpy() for run in runs])
    return made


def test_the_band_of_a_linear_axis_is_of_the_values_themselves():
    runs = [
        with_column(finished_run("dadao", k, rate=0.01), lambda t, k=k: k - 0.5 * t)
        for k in range(3)
    ]
    made = linear(*runs)
    band = median_and_band(runs_of(made, "dadao", "time", "away"), log=False)
    np.testing.assert_allclose(band.median, 1 - 0.5 * band.x, rtol=1e-12)
    np.testing.assert_allclose(band.high - band.low, 1.6)
    assert (band.median < 0).any(), "what is negative is drawn too"


def test_a_run_that_diverges_leaves_a_linear_axis_at_a_cross():
    good = with_column(finished_run("dadao", rate=0.01), lambda t: 10 * np.sin(t / 40))
    bad = with_column(finished_run("msda", rate=-0.1, end=200.0), lambda t: t)
    axes = curve_figure(linear(good, bad), "time", "away").axes[0]
    low, high = axes.get_ylim()
    assert low < -9.9
    assert 10 < high < 11
    (cross,) = [line for line in axes.lines if line.get_label() == "msda: diverged"]
    np.testing.assert_allclose([cross.get_xdata()[0], cross.get_ydata()[0]], [high, high])


def test_nothing_finite_is_refused():
    made = linear(with_column(finished_run("dadao"), lambda t: np.full(t.size, np.inf)))
    with pytest.raises(InputError, match="no run has a finite away to draw"):
        curve_figure(made, y="away")
