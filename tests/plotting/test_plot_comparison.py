"""The comparison of several results against their own summaries."""

import math

import numpy as np
import pytest
from matplotlib.lines import Line2D
from synthetic import part, result

from dadao_sim.errors import InputError
from dadao_sim.plotting.comparison import comparison_figure, comparison_table
from dadao_sim.plotting.style import METHODS


@pytest.fixture
def results():
    return {
        "path": result(
            *(part("dadao", k, rate=0.05 + 0.01 * k) for k in range(5)),
            *(part("msda", k, rate=0.001) for k in range(5)),
        ),
        "grid": result(
            *(part("msda", k, rate=0.1 + 0.01 * k) for k in range(5)),
            *(part("adom_plus", k, rate=0.1 if k < 4 else 1e-3) for k in range(5)),
        ),
    }


def test_the_table_is_the_summary_of_each(results):
    table = comparison_table(results, 1e-4)
    assert table[["scenario", "algorithm"]].to_numpy().tolist() == [
        ["path", "dadao"],
        ["path", "msda"],
        ["grid", "msda"],
        ["grid", "adom_plus"],
    ]
    for name, own in results.items():
        summary = own.summary.query("accuracy == 1e-4").reset_index(drop=True)
        rows = table[table["scenario"] == name].reset_index(drop=True)
        assert rows.drop(columns="scenario").equals(summary)


def test_the_accuracy_need_not_be_in_the_report(results):
    row = comparison_table(results, 3e-3).iloc[0]
    assert row["time_median"] == math.ceil(-math.log(3e-3) / 0.07)


def test_each_result_has_its_own_prices(results):
    report = {"accuracies": [1e-2], "cost": {"gradient": 100.0, "communication": 0.0}}
    dear = {"dear": result(part("dadao", rate=0.05), report=report)}
    row = comparison_table({**results, **dear}, 1e-2).iloc[-1]
    assert row["cost_median"] == 100 * row["gradients_median"]


def marks(figure) -> dict[tuple[str, int], tuple[float, str]]:
    """Colour and row of every mark -> where it stands and how it is filled."""
    lines = [x for x in figure.axes[0].lines if x.get_marker() not in ("None", None, "")]
    return {
        (line.get_color(), round(line.get_ydata()[0])): (
            float(line.get_xdata()[0]),
            line.get_markerfacecolor(),
        )
        for line in lines
    }


def test_marks_stand_at_the_medians_and_ranges_span_the_percentiles(results):
    figure = comparison_figure(results, 1e-4)
    axes, table = figure.axes[0], comparison_table(results, 1e-4)
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["path", "grid"]
    drawn = marks(figure)
    assert len(drawn) == 4
    row = table.iloc[0]
    assert drawn[METHODS["dadao"].colour, 0] == (
        row["communications_median"],
        METHODS["dadao"].colour,
    )
    spans: list[Line2D] = [
        x for x in axes.lines if np.size(x.get_xdata()) == 2 and x.get_linestyle() == "-"
    ]
    ours = [x for x in spans if x.get_color() == METHODS["dadao"].colour]
    np.testing.assert_allclose(
        np.asarray(ours[0].get_xdata()), [row["communications_p10"], row["communications_p90"]]
    )


def test_what_was_not_reached_is_hollow_beyond_every_cost(results):
    figure = comparison_figure(results, 1e-4)
    table = comparison_table(results, 1e-4)
    costs = table.filter(regex="^communications").to_numpy()
    place, face = marks(figure)[METHODS["msda"].colour, 0]
    assert face == "white"
    assert place > costs[np.isfinite(costs)].max()
    assert place < figure.axes[0].get_xlim()[1]
    assert "not reached" in [text.get_text() for text in figure.axes[0].texts]
    place, face = marks(figure)[METHODS["adom_plus"].colour, 1]
    assert face == METHODS["adom_plus"].colour  # four of five did


def test_no_strip_when_all_arrived(results):
    figure = comparison_figure({"grid": result(part("dadao"), part("msda"))}, 1e-2, "time")
    assert not figure.axes[0].texts
    assert not figure.axes[0].patches


def test_what_cannot_be_compared_is_refused(results):
    with pytest.raises(InputError, match="at least one"):
        comparison_table({}, 1e-2)
    with pytest.raises(InputError, match="plot x"):
        comparison_figure(results, 1e-2, "hours")
    with pytest.raises(InputError, match="no algorithm reached"):
        comparison_figure({"slow": result(part("dadao", rate=1e-4))}, 1e-6)
