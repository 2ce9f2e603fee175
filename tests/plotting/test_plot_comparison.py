"""The comparison of several results, drawn: the marks are the numbers of its table."""

import numpy as np
import pytest
from matplotlib.lines import Line2D
from synthetic import finished_run, result, style_of

from dadao_sim.errors import InputError
from dadao_sim.plotting.comparison import comparison_figure
from dadao_sim.reports.comparison import comparison_table


@pytest.fixture
def results():
    return {
        "path": result(
            *(finished_run("dadao", k, rate=0.05 + 0.01 * k) for k in range(5)),
            *(finished_run("msda", k, rate=0.001) for k in range(5)),
        ),
        "grid": result(
            *(finished_run("msda", k, rate=0.1 + 0.01 * k) for k in range(5)),
            *(finished_run("adom_plus", k, rate=0.1 if k < 4 else 1e-3) for k in range(5)),
        ),
    }


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
    assert drawn[style_of("dadao").colour, 0] == (
        row["communications_median"],
        style_of("dadao").colour,
    )
    spans: list[Line2D] = [
        x for x in axes.lines if np.size(x.get_xdata()) == 2 and x.get_linestyle() == "-"
    ]
    ours = [x for x in spans if x.get_color() == style_of("dadao").colour]
    np.testing.assert_allclose(
        np.asarray(ours[0].get_xdata()), [row["communications_p10"], row["communications_p90"]]
    )


def test_what_was_not_reached_is_hollow_beyond_every_cost(results):
    figure = comparison_figure(results, 1e-4)
    table = comparison_table(results, 1e-4)
    costs = table.filter(regex="^communications").to_numpy()
    place, face = marks(figure)[style_of("msda").colour, 0]
    assert face == "white"
    assert place > costs[np.isfinite(costs)].max()
    assert place < figure.axes[0].get_xlim()[1]
    assert "not reached" in [text.get_text() for text in figure.axes[0].texts]
    place, face = marks(figure)[style_of("adom_plus").colour, 1]
    assert face == style_of("adom_plus").colour  # four of five did


def test_no_strip_when_all_arrived(results):
    figure = comparison_figure(
        {"grid": result(finished_run("dadao"), finished_run("msda"))}, 1e-2, "time"
    )
    assert not figure.axes[0].texts
    assert not figure.axes[0].patches


def test_what_cannot_be_compared_is_refused(results):
    with pytest.raises(InputError, match=r"^quantity: 'hours' is unknown \(known: "):
        comparison_figure(results, 1e-2, "hours")
    with pytest.raises(InputError, match=r"^accuracy: no algorithm reached 1e-06"):
        comparison_figure({"slow": result(finished_run("dadao", rate=1e-4))}, 1e-6)
