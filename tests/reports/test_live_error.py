"""The figure of a live run: its error beside that of simulated runs of the same problem."""

import numpy as np
import pytest

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.live.run import follow_live, run_live
from dadao_sim.plotting.live import live_figure
from dadao_sim.reports.live import live_error
from dadao_sim.simulation.study import Study

pytestmark = pytest.mark.slow
SCENARIO = {
    "name": "live",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 6, "samples_per_node": 12},
    },
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": ["dadao"],
    "stop": {"time": 40},
}


@pytest.fixture(scope="module")
def live():
    return run_live(SCENARIO, unit=0.01, kills=[(2, 30.0)], least_rate=0.0)


def test_simulated_runs_are_of_the_same_problem_with_other_ticks(live):
    found = live_error(live.result, runs=5)
    assert found.times[0] == 0
    assert found.low[0] == found.high[0] == found.live[0] == 1
    assert (found.low <= found.middle).all()
    assert (found.middle <= found.high).all()
    assert found.low[-1] < found.high[-1] < 1
    assert found.deaths == pytest.approx([live.dead[2][1]])
    # The run of the scenario itself, of repeat 0, is another one of the same problem.
    again = simulate(SCENARIO).curves
    simulated = np.interp(found.times[-1], again["time"], np.log(again["accuracy"]))
    assert abs(simulated - np.log(found.middle[-1])) < 3


def test_the_live_curve_is_that_of_the_result(live):
    found = live_error(live.result, runs=2)
    samples = live.result.curves
    at = np.searchsorted(samples["time"], found.times[100])
    low, high = sorted(samples["accuracy"].iloc[[at - 1, at]])
    assert low * (1 - 1e-12) <= found.live[100] <= high * (1 + 1e-12)
    assert np.isnan(found.live[found.times > samples["time"].iloc[-1]]).all()


def test_the_figure_has_a_band_two_lines_and_the_death(live):
    found = live_error(live.result, runs=2)
    (axes,) = live_figure(found).axes
    median, line, death = axes.lines
    assert (median.get_ydata() == found.middle).all()
    assert np.array_equal(line.get_ydata(), found.live, equal_nan=True)
    assert list(death.get_xdata()) == list(found.deaths) * 2
    assert len(axes.collections) == 1
    assert axes.get_xlabel() == "Time in mean gradient intervals (10 ms each)"


def test_other_results_have_no_such_figure(live):
    with pytest.raises(InputError, match="result: is of no live run"):
        live_error(simulate({**SCENARIO, "stop": {"time": 5}}))
    log = Study(SCENARIO).plan(("dadao", 0)).source.window()[:20]
    with pytest.raises(InputError, match="result: its processes followed a log"):
        live_error(follow_live(SCENARIO, log).result)
