"""The figure of a search: what its lines and marks stand for."""

import math

import pandas as pd
import pytest

from dadao_sim.errors import InputError
from dadao_sim.plotting.style import save_figure
from dadao_sim.plotting.tuning import medians, tuning_figure

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


def row(algorithm, factor, repeat, cost, *, second=math.nan, status="converged", accuracy=1e-6):
    return {
        "algorithm": algorithm,
        "method": algorithm,
        "first_factor": factor,
        "second_factor": second,
        "second_constant": None if math.isnan(second) else "mu",
        "repeat": repeat,
        "status": status,
        "cost": cost,
        "accuracy": accuracy,
    }


@pytest.fixture
def evaluations():
    rows = [row("extra", f, r, 100 / f + r) for f in FACTORS[:4] for r in range(3)]
    rows += [row("extra", 4.0, r, math.inf, status="diverged", accuracy=math.nan) for r in range(3)]
    rows += [row("dadao", f, 0, 50 * f + s, second=s) for f in FACTORS for s in (1.0, 2.0)]
    return pd.DataFrame(rows)


def best(**changes):
    rows = [
        {
            "algorithm": name,
            "method": name,
            "first_constant": constant,
            "first_factor": factor,
            "second_constant": second,
            "edge": edge,
            "cost": cost,
            "accuracy": 1e-6,
            "default_cost": default,
            "default_accuracy": 1e-6,
        }
        for name, constant, second, factor, edge, cost, default in (
            ("extra", "step", None, 2.0, "", 51.0, 101.0),
            ("dadao", "L", "mu", 0.25, "at the edge", 13.5, 52.0),
            ("synchronous_gossip", None, None, math.nan, "", 7.0, 7.0),
        )
    ]
    return pd.DataFrame(rows).assign(**changes)


TITLES = {"extra": "EXTRA", "dadao": "DADAO", "synchronous_gossip": "Gossip"}
LOOKS = {"extra": "sky dotted p", "dadao": "blue solid o", "synchronous_gossip": None}


def draw(evaluations, of=None):
    of = best() if of is None else of
    return tuning_figure(evaluations, of, TITLES, LOOKS, by="cost", accuracy=1e-6)


def test_lines_are_medians_over_the_repeats_of_the_best_second_constant(evaluations):
    of_extra = evaluations[evaluations["algorithm"] == "extra"]
    assert medians(of_extra, "cost") == [
        *((f, 100 / f + 1) for f in FACTORS[:4]),
        (4.0, math.inf),
    ]
    assert medians(of_extra, "accuracy")[-1] == (4.0, math.inf)
    of_dadao = evaluations[evaluations["algorithm"] == "dadao"]
    assert medians(of_dadao, "cost") == [(f, 50 * f + 1) for f in FACTORS]


def test_the_untuned_and_the_best_are_marked_and_the_edge_is_flagged(evaluations):
    left, right = draw(evaluations).axes
    marks = {
        (line.get_marker(), *line.get_xdata(), *line.get_ydata())
        for line in left.lines
        if line.get_linestyle() == "None"
    }
    assert marks == {
        *(("o", 1.0, 101.0), ("*", 2.0, 51.0)),
        *(("o", 1.0, 52.0), ("<", 0.25, 13.5)),
    }
    crosses = [line.get_xdata()[0] for line in right.lines if line.get_marker() == "x"]
    assert crosses == [4.0]  # from where on all runs of EXTRA diverged


def test_the_legend_says_which_constants_and_leaves_out_what_has_none(evaluations):
    (legend,) = draw(evaluations).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("EXTRA: step", "DADAO: L, mu", "untuned", "best", "best, at the edge")
    ]
    (legend,) = draw(evaluations, best(edge="extended")).legends
    assert "best, at the edge" not in [text.get_text() for text in legend.get_texts()]


def test_nothing_to_tune_is_nothing_to_draw(evaluations):
    with pytest.raises(InputError, match="no algorithm has a constant to tune"):
        draw(evaluations, best(first_constant=None))


def test_an_accuracy_that_no_run_reached_is_said_where_its_costs_would_be(evaluations, tmp_path):
    lost = best(cost=math.inf, default_cost=math.inf)
    figure = draw(evaluations.assign(cost=math.inf, status="stopped"), lost)
    left, right = figure.axes
    assert [text.get_text() for text in left.texts] == ["reached by none"]
    assert not right.texts
    save_figure(figure, tmp_path / "f.png")  # without a warning
    gone = best(accuracy=math.inf, default_accuracy=math.inf)
    figure = draw(evaluations.assign(status="diverged", accuracy=math.nan), gone)
    assert [text.get_text() for text in figure.axes[1].texts] == ["all diverged"]
    save_figure(figure, tmp_path / "g.png")
