"""Figures of sweeps: what is drawn is what the tables say, on one scale, and nothing is hidden."""

import math

import numpy as np
import pandas as pd
import pytest
import sweeps
from matplotlib.collections import LineCollection

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import save_figure
from dadao_sim.plotting.sweep import against_figure, map_figure, profile_figure
from dadao_sim.reports.sweep import against, heat_maps, profile
from dadao_sim.results.look import Look
from dadao_sim.results.sweep import CellResult, SweepResult

NODES, KAPPA, GRAPH = "network.nodes", "problem.kappa", "network.graph"
IN_PRINT = {
    "dadao": {"title": "DADAO", "look": "blue solid o"},
    "msda": {"title": "MSDA", "look": "black dash-dot ^"},
}


def made(cost, keys):
    """A sweep over some of the keys, two methods, three repeats."""
    frame = pd.MultiIndex.from_product(
        [*keys.values(), IN_PRINT, range(3)], names=[*keys, "algorithm", "repeat"]
    ).to_frame(index=False)
    spent = [cost(row["algorithm"], row[NODES], row["repeat"]) for row in frame.to_dict("records")]
    constant = {"experimental": False, "constants": "paper", "status": "converged"}
    costs = frame.assign(
        method=frame["algorithm"], accuracy=1e-6, reason="", communications=spent, **constant
    )
    values = frame[list(keys)].drop_duplicates().to_dict("records")
    cells = tuple(CellResult(one, None, "0") for one in values)
    return SweepResult("s", tuple(keys), cells, costs, pd.DataFrame(), IN_PRINT)


def grows(label, n, repeat):
    return (2 + repeat) * n ** (2.0 if label == "dadao" else 1.0)


ALL = {NODES: [16, 32, 64], KAPPA: [10, 100], GRAPH: ["path", "star"]}


def test_each_facet_has_the_medians_and_ranges_of_its_cells():
    result = made(grows, ALL)
    figure = against_figure(against(result, NODES), result)
    panels = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_title() for axes in panels] == [
        "kappa = 10, graph = path",
        "kappa = 10, graph = star",
        "kappa = 100, graph = path",
        "kappa = 100, graph = star",
    ]
    scales = {(axes.get_xlim(), axes.get_ylim(), axes.get_xscale()) for axes in panels}
    assert len(scales) == 1
    for axes in panels:
        dadao, msda = axes.lines
        np.testing.assert_allclose(dadao.get_xdata(), [16, 32, 64])
        np.testing.assert_allclose(dadao.get_ydata(), 3 * np.array([16, 32, 64]) ** 2.0)
        np.testing.assert_allclose(msda.get_ydata(), 3 * np.array([16, 32, 64.0]))
        ranges = [c for c in axes.collections if isinstance(c, LineCollection)]
        (_, low), (_, high) = ranges[0].get_segments()[0]
        assert (low, high) == pytest.approx((2.2 * 256, 3.8 * 256))
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert texts == ["2.00 [2.00, 2.00]", "1.00 [1.00, 1.00]"]
    assert figure.get_supxlabel() == "nodes"
    assert "Communications" in figure.get_supylabel()


def test_what_never_arrives_has_no_mark_and_no_exponent():
    result = made(
        lambda label, n, repeat: math.inf if label == "msda" and n == 64 else n,
        {NODES: [16, 32, 64]},
    )
    (axes, *_) = against_figure(against(result, NODES), result).axes
    assert np.isnan(axes.lines[1].get_ydata()[2])
    assert len(axes.get_legend().get_texts()) == 1
    nothing = made(lambda *_: math.inf, {NODES: [16, 32]})
    for draw in (
        lambda: against_figure(against(nothing, NODES), nothing),
        lambda: profile_figure(profile(nothing), nothing),
    ):
        with pytest.raises(InputError, match="no algorithm reached 1e-06 in any cell"):
            draw()


def test_the_profile_steps_where_the_ratios_are():
    result = made(grows, {NODES: [16, 32]})
    (axes,) = profile_figure(profile(result), result).axes
    dadao, msda = axes.lines
    x, y = dadao.get_data()
    assert max(y[x <= 15.9]) == 0  # DADAO spends n times as much
    assert max(y[x <= 16.1]) == pytest.approx(0.5)
    assert max(y) == 1
    assert min(msda.get_ydata()[1:]) > 0
    assert msda.get_xdata()[1] == 1  # always the best


def test_the_map_writes_the_medians_where_they_are():
    def cost(label, n, repeat):
        return math.inf if n == 64 and label == "msda" else 100.0 * n

    result = made(cost, {NODES: [16, 64], GRAPH: ["path", "star"]})
    figure = map_figure(heat_maps(result, (GRAPH, NODES)), result)
    first, second = (axes for axes in figure.axes if axes.images)
    assert [text.get_text() for text in first.texts] == ["1.6k", "6.4k"] * 2
    assert [text.get_text() for text in second.texts] == ["1.6k", "never"] * 2
    assert first.images[0].norm is second.images[0].norm
    assert [label.get_text() for label in first.get_xticklabels()] == ["16", "64"]
    assert [label.get_text() for label in first.get_yticklabels()] == ["path", "star"]


def test_it_can_be_told_how_to_look(tmp_path):
    result = made(grows, {NODES: [16, 32, 64]})
    look = Look(
        algorithms=("msda",),
        labels={"msda": "ours"},
        colours={"msda": "orange"},
        x_scale="linear",
        y_limits=(1.0, 1e4),
        width="double",
        title="A title",
    )
    figure = against_figure(against(result, NODES), result, look)
    (axes, *_) = figure.axes
    assert len(axes.lines) == 1
    assert axes.get_xscale() == "linear"
    assert axes.get_ylim() == (1.0, 1e4)
    assert figure.get_figwidth() == 7.0
    save_figure(figure, tmp_path / "a.pdf")
    save_figure(against_figure(against(result, NODES), result, look), tmp_path / "b.pdf")
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    with pytest.raises(InputError, match="'nids' is no label of an algorithm"):
        against_figure(against(result, NODES), result, Look(algorithms=("nids",)))


def test_a_value_without_a_logarithm_is_drawn_all_the_same():
    result = made(lambda label, n, repeat: 3 + n + repeat, {NODES: [0, 1, 2]})
    axes = against_figure(against(result, NODES), result).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    low, high = axes.get_xlim()
    assert low <= 0 < 2 <= high


def test_the_map_of_keys_that_move_together_is_empty_beside_its_diagonal():
    def cost(label, values, repeat, accuracy):
        return {4: 400.0, 8: math.nan, 16: math.inf}[values[NODES]]

    keys = {NODES: [4, 8, 16], KAPPA: [10, 20, 30]}
    result = sweeps.made(cost, keys, ("dadao",), zipped=True)
    maps = heat_maps(result, (NODES, KAPPA), accuracy=1e-6)
    (axes,) = (a for a in map_figure(maps, result).axes if a.images)
    said = {text.get_position(): text.get_text() for text in axes.texts}
    assert said == {(0, 0): "400", (1, 1): "not tried", (2, 2): "never"}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"x_limits": (1000.0, 2000.0)}, "^x_limits: nothing lies within x 1000 to 2000"),
        ({"y_limits": (1e8, 1e9)}, "^y_limits: nothing lies within y 1e[+]08 to 1e[+]09"),
        ({"x_limits": (-1.0, 100.0)}, "^x_limits: begin at -1; a logarithmic axis is above 0"),
    ],
)
def test_limits_that_leave_nothing_are_refused(limits, message):
    result, look = made(grows, ALL), Look(**limits)
    with pytest.raises(InputError, match=message):
        against_figure(against(result, NODES), result, look)
    with pytest.raises(InputError, match=message):
        profile_figure(profile(result), result, look)
