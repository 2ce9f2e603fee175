"""Figures of runs in which next to nothing happened are drawn, or refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.plotting.comparison import comparison_figure
from dadao_sim.plotting.curves import curve_figure, panel_figure
from dadao_sim.results.axes import TABLED
from dadao_sim.results.columns import STATUSES
from dadao_sim.results.result import Result

COSTS = ("time", "gradients", "communications")
ERRORS = [0.0, 5e-324, 1e-150, 1e-12, 0.5, 1.0, 1e12, 1e150, 1.7e308, np.inf, np.nan]


def run_of(method, repeat, errors, costs, status):
    """A run whose samples have these errors at these costs."""
    run = finished_run(method, repeat)
    curves = run.curves.iloc[: len(errors)].copy()
    for name in ("accuracy", "suboptimality", "consensus_error", "mean_squared_distance"):
        curves[name] = errors
    for name in COSTS:
        curves[name] = costs
    return replace(run, curves=curves, row={**run.row, "status": status})


@st.composite
def results(draw):
    """One to three methods, one or two repeats, of no sample to four."""
    runs = []
    for method in ("dadao", "msda", "nids")[: draw(st.integers(1, 3))]:
        for repeat in range(draw(st.integers(1, 2))):
            count = draw(st.integers(0, 4))
            errors = draw(st.lists(st.sampled_from(ERRORS), min_size=count, max_size=count))
            steps = draw(st.lists(st.sampled_from([0, 1, 30, 1e9]), min_size=count, max_size=count))
            status = draw(st.sampled_from(STATUSES))
            runs.append(run_of(method, repeat, errors, np.cumsum(steps), status))
    return result(*runs)


def figures(made: Result):
    """Every figure of a result, or why it is refused."""
    draws = [lambda x=x: curve_figure(made, x) for x in TABLED]
    draws += [lambda: panel_figure(made), lambda: panel_figure(made, "consensus_error")]
    draws += [lambda a=a: comparison_figure({"one": made, "two": made}, a) for a in (0.6, 1e-9)]
    for draw in draws:
        try:
            figure = draw()
            figure.draw_without_rendering()
            yield figure
        except InputError as error:
            yield str(error)


@pytest.mark.slow
@given(results())
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])  # a figure takes long
def test_whatever_the_runs_were_a_figure_is_drawn_or_refused_in_one_line(made):
    """Warnings are errors here: one on a user's screen says nothing that helps."""
    something = any(1e-150 <= error <= 1e150 for error in made.curves["accuracy"])
    for found in figures(made):
        if isinstance(found, str):
            assert found.isprintable()
            assert found.startswith(("y: ", "accuracy: "))
            assert something != ("no run has a positive" in found) or found.startswith("accuracy")


@pytest.mark.parametrize("errors", [[], [0.0], [np.nan, np.inf], [0.0, 0.0, 0.0]])
def test_nothing_that_an_axis_can_hold_is_refused(errors):
    made = result(run_of("dadao", 0, errors, np.zeros(len(errors)), "stopped"))
    with pytest.raises(InputError, match=r"^y: no run has a positive accuracy to draw$"):
        panel_figure(made)


def test_repeats_that_share_no_cost_are_refused_and_those_that_share_one_are_drawn():
    """Of the first nothing is known before its 30, of the second nothing after its 1."""
    apart = [run_of("dadao", 0, [1.0], [30], "stopped"), run_of("dadao", 1, [1.0], [1], "stopped")]
    with pytest.raises(InputError, match=r"^y: the repeats have no communications in common"):
        curve_figure(result(*apart))
    other = run_of("nids", 0, [1.0, 0.5], [0, 30], "stopped")
    (axes,) = curve_figure(result(*apart, other)).axes
    assert [line.get_label() for line in axes.lines if len(line.get_xdata())] == ["nids"]


def test_one_sample_without_an_event_is_a_mark():
    made = result(*(run_of("dadao", k, [1.0], [0.0], "stopped") for k in range(2)))
    (axes,) = curve_figure(made).axes
    (line,) = [line for line in axes.lines if line.get_label() == "dadao"]
    assert line.get_xydata().tolist() == [[0.0, 1.0]]


@pytest.mark.slow
def test_a_scenario_in_which_a_method_has_no_event_ends_in_its_result(dadao_sim, tmp_path):
    arguments = ("--set", "repeats=2", "--set", "stop.time=8", "--out", "o")
    code, out, err = dadao_sim("run", "world/edge-devices", *arguments)
    assert (code, err) == (0, "")
    assert "result: o" in out
    assert "no figure" in out or (tmp_path / "o/figures/curves.png").is_file()
