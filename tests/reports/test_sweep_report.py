"""Exponents, profiles and maps of sweeps, against closed forms and by hand."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from typer.testing import CliRunner

import dadao_sim.reports.theory as theory_module
from dadao_sim import sweep
from dadao_sim.cli.main import app
from dadao_sim.errors import InputError
from dadao_sim.reports.sweep import _ways, against, heat_maps, numbered, power_law, profile
from dadao_sim.reports.theory import COUNTS, predict
from dadao_sim.results.sweep import CellResult, SweepResult

NODES, KAPPA = "network.nodes", "problem.kappa"


def made(cost, *, nodes=(4, 8, 16), kappas=(10, 100), labels=("A", "B"), repeats=3):
    """The outcome of a sweep whose costs are ``cost(label, n, kappa, repeat)``."""
    cells, rows = [], []
    for n in nodes:
        for kappa in kappas:
            cells.append(CellResult({NODES: n, KAPPA: kappa}, None, "0"))
            for label in labels:
                for repeat in range(repeats):
                    for accuracy in (0.1, 0.01):
                        spent = cost(label, n, kappa, repeat) * (1 if accuracy == 0.1 else 2)
                        row = {NODES: n, KAPPA: kappa, "algorithm": label, "repeat": repeat}
                        rows.append(
                            row | {"accuracy": accuracy, "communications": spent, "reason": ""}
                        )
    return SweepResult("s", (NODES, KAPPA), tuple(cells), pd.DataFrame(rows), pd.DataFrame(), {})


def test_an_exact_power_has_its_exponent_and_no_width():
    x = np.array([16, 32, 64, 128])
    law = power_law(x, 3 * x**2.5)
    assert law.exponent == pytest.approx(2.5, abs=1e-12)
    assert law.factor == pytest.approx(3, rel=1e-12)
    assert law.low == pytest.approx(law.high, abs=1e-6)


def test_the_interval_contains_the_exponent_as_often_as_it_says():
    """95 % of 4 000 draws with normal deviations, within 3 standard errors."""
    rng = np.random.default_rng(0)
    x, held = np.array([4.0, 8, 16, 32, 64]), 0
    for noise in rng.normal(0, 0.2, (4000, 5)):
        law = power_law(x, np.exp(1.7 * np.log(x) + noise))
        held += law.low <= 1.7 <= law.high
    assert abs(held / 4000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 4000)


def test_the_interval_is_that_of_least_squares_written_out():
    x, y = np.array([2.0, 3, 5, 9]), np.array([1.0, 4, 6, 30])
    X = np.column_stack([np.ones(4), np.log(x)])
    (_, slope), (rest,), *_ = np.linalg.lstsq(X, np.log(y), rcond=None)
    error = math.sqrt(rest / 2 * np.linalg.inv(X.T @ X)[1, 1])
    half = stats.t(2).ppf(0.975) * error
    law = power_law(x, y)
    assert (law.exponent, law.low, law.high) == pytest.approx((slope, slope - half, slope + half))
    assert str(law) == f"{slope:.2f} [{slope - half:.2f}, {slope + half:.2f}]"


@pytest.mark.parametrize("y", [[1, math.inf, 3], [1, math.nan, 3], [0, 1, 2]])
def test_what_was_not_reached_has_no_exponent(y):
    assert power_law([1, 2, 4], y) is None
    assert power_law([2, 2], [1, 3]) is None
    assert power_law([1, 2], [1, 8]).exponent == pytest.approx(3)
    assert str(power_law([1, 2], [1, 8])) == "3.00"


def test_against_a_key_every_other_value_is_a_facet():
    """Medians and ranges by hand; the smallest accuracy, whose costs are twice the others'."""

    def cost(label, n, kappa, repeat):
        return (1 + repeat) * kappa * n ** (2 if label == "A" else 1)

    found = against(made(cost), NODES)
    assert (found.key, found.accuracy) == (NODES, 0.01)
    assert [facet.values for facet in found.facets] == [{KAPPA: 10}, {KAPPA: 100}]
    assert [facet.title for facet in found.facets] == ["kappa = 10", "kappa = 100"]
    for facet in found.facets:
        for line, power in zip(facet.lines, (2, 1), strict=True):
            wanted = 2 * facet.values[KAPPA] * np.array([4, 8, 16.0]) ** power
            np.testing.assert_allclose(line.median, 2 * wanted)
            np.testing.assert_allclose(line.p10, 1.2 * wanted)
            np.testing.assert_allclose(line.p90, 2.8 * wanted)
            assert line.fit.exponent == pytest.approx(power)
    rows = found.to_rows()
    assert [(row["algorithm"], round(row["exponent"], 9)) for row in rows[:2]] == [
        ("A", 2.0),
        ("B", 1.0),
    ]
    (only,) = against(made(cost), NODES, at={KAPPA: "100"}, accuracy=0.1).facets
    assert only.values == {}
    np.testing.assert_allclose(only.lines[0].median, 200 * np.array([16, 64, 256.0]))


def test_the_accuracy_is_one_that_every_cell_asks_for():
    """Where some cells end before 0.01 (nan: not tried), or have it not in their report."""
    result = made(lambda label, n, kappa, repeat: float(n))
    assert against(result, NODES).accuracy == profile(result).accuracy == 0.01
    costs = result.costs
    finest = (costs["accuracy"] == 0.01) & (costs[NODES] == 8)
    untried = costs.assign(communications=costs["communications"].mask(finest))
    for changed in (untried, costs[~finest]):
        found = replace(result, costs=changed)
        assert against(found, NODES).accuracy == profile(found).accuracy == 0.1
        assert {one.accuracy for one in heat_maps(found, (NODES, KAPPA))} == {0.1}
        assert against(found, NODES, accuracy=0.01).accuracy == 0.01
    never = costs.assign(communications=costs["communications"].mask(finest, math.inf))
    assert against(replace(result, costs=never), NODES).accuracy == 0.01  # tried in vain
    apart = (costs["accuracy"] == 0.01) == (costs[NODES] == 8)
    with pytest.raises(InputError, match=r"^accuracy: .*; give one of 0\.1, 0\.01"):
        against(replace(result, costs=costs[apart]), NODES)


def line_of(kinds):
    """The kind of a line, and theory's costs, where its cells know what is in ``kinds``."""
    predicted = {}
    for k, known in enumerate(kinds):
        way = {"exact": 10.0, "promised": 1000.0}
        predicted[k] = SimpleNamespace(
            costs={
                0.01: {name: dict.fromkeys(COUNTS, cost * (k + 1)) for name, cost in way.items()}
            },
            predicted=[
                SimpleNamespace(
                    crosses=lambda _, known=known: "curve" in known,
                    slope=lambda _, known=known, k=k: dict.fromkeys(
                        COUNTS, 100.0 * (k + 1) if "decay" in known else math.nan
                    ),
                )
            ],
        )
    return next(
        (kind, [said[k]["time"] for k in said])
        for kind, said in _ways(predicted, dict.fromkeys(predicted, 0.01)).items()
        if all(math.isfinite(said[k]["time"]) for k in said)
    )


def test_a_line_of_theory_is_of_one_kind():
    both = ("curve", "decay")
    assert line_of([both, both]) == ("exact", [10, 20])
    assert line_of([both, ("decay",)]) == ("slope only", [100, 200])
    assert line_of([both, ()]) == ("theorem", [1000, 2000])


def test_theory_is_worked_out_of_the_chosen_algorithms_only(tmp_path, monkeypatch):
    scenario = {
        "name": "two",
        "repeats": 2,
        "problem": {
            "kind": "least_squares",
            "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 5, "condition_number": 5},
        },
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["dadao", "extra"],
        "stop": {"time": 60},
        "report": {"accuracies": [0.1]},
        "sweep": {"network.nodes": [4, 5]},
    }
    result = sweep(scenario, out=tmp_path / "out")
    asked = []

    def seen(plan, *args, **how):
        asked.append((plan.key[0], how["exact"]))
        return predict(plan, *args, **how)

    monkeypatch.setattr(theory_module, "predict", seen)
    found = against(result, NODES, theory=True, labels=["extra"])
    assert asked == 2 * [("extra", True), ("extra", False)]
    (row,) = found.to_rows()
    assert (row["algorithm"], row["theory_is"]) == ("extra", "exact")
    asked.clear()
    look = ["--algorithm", "EXTRA", "--label", "dadao=other", "--out", str(tmp_path / "f.png")]
    arguments = ["plot", str(tmp_path / "out"), "--against", NODES, "--theory", *look]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exception is None, ran.output
    assert {label for label, _ in asked} == {"extra"}
    assert "DADAO" not in ran.output
    assert "theory (exact, slope only): of the problem of each cell's first repeat" in ran.output


def test_a_run_that_never_arrives_is_not_dropped():
    def cost(label, n, kappa, repeat):
        return math.inf if label == "A" and n == 16 and repeat else float(n)

    (facet,) = against(made(cost), NODES, at={KAPPA: 10}).facets
    assert facet.lines[0].median.tolist() == [8, 16, math.inf]
    assert facet.lines[0].fit is None
    assert facet.lines[1].fit.exponent == pytest.approx(1)


def test_the_profile_by_hand():
    """A is best on kappa 10, B three times as good on kappa 100 but never arrives at n = 16."""

    def cost(label, n, kappa, repeat):
        if n == 16 and label == "B":
            return math.inf
        return 1.0 if (label == "A") == (kappa == 10) else 3.0

    found = profile(made(cost))
    assert found.problems == 3 * 2 * 3
    assert found.share("A", 1) == (9 + 3) / 18  # kappa 10, and where B never arrives
    assert found.share("A", 2.9) == (9 + 3) / 18
    assert found.share("A", 3) == 1
    assert found.share("B", 1) == 6 / 18
    assert found.share("B", 1e9) == 12 / 18
    none = profile(made(lambda *_: math.inf))
    assert none.share("A", 1e9) == 0


def test_the_map_has_its_medians_in_their_places():
    result = made(lambda label, n, kappa, repeat: n * kappa + repeat)
    first, second = heat_maps(result, (NODES, KAPPA))
    assert (first.algorithm, second.algorithm) == ("A", "B")
    wanted = 2 * (np.outer([4, 8, 16], [10, 100]) + 1)
    np.testing.assert_array_equal(first.median, wanted)
    turned, _ = heat_maps(result, (KAPPA, NODES), accuracy=0.1)
    np.testing.assert_array_equal(turned.median, wanted.T / 2)


def test_keys_that_move_together_are_one():
    """Three of them beside the key: a facet for each point, none of them empty."""
    together = [(10, "a", True), (100, "b", False)]
    keys = (NODES, KAPPA, "name", "flag")
    rows, cells = [], []
    for n in (4, 8):
        for kappa, name, flag in together:
            values = dict(zip(keys, (n, kappa, name, flag), strict=True))
            cells.append(CellResult(values, None, "0"))
            rows.append(
                {
                    **values,
                    **{"algorithm": "A", "repeat": 0, "accuracy": 0.1, "reason": ""},
                    "communications": float(n * kappa),
                }
            )
    costs = pd.DataFrame(rows).astype({"flag": str})
    result = SweepResult("s", keys, tuple(cells), costs, pd.DataFrame(), {})
    facets = against(result, NODES).facets
    assert [list(facet.values.values()) for facet in facets] == [
        [10, "a", "True"],
        [100, "b", "False"],
    ]
    assert [facet.lines[0].median.tolist() for facet in facets] == [[40, 80], [400, 800]]


def test_a_method_that_was_not_asked_for_somewhere_has_not_failed_there():
    result = made(lambda label, n, kappa, repeat: 1.0 + (label == "B"))
    costs = result.costs
    apart = (costs["algorithm"] == "A") == (costs[NODES] == 4)
    only = SweepResult("s", result.keys, result.cells, costs[apart], pd.DataFrame(), {})
    with pytest.raises(InputError, match="no cell in which all algorithms were run"):
        profile(only)
    some = costs[apart | (costs[NODES] == 16)]
    found = profile(SweepResult("s", result.keys, result.cells, some, pd.DataFrame(), {}))
    assert found.problems == 2 * 3
    assert (found.share("A", 1), found.share("B", 1.9), found.share("B", 2)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: against(r, "nodes"), "key: 'nodes' is not swept; use network.nodes, problem"),
        (lambda r: against(r, NODES, "euros"), "quantity: 'euros' is unknown (known: "),
        (
            lambda r: against(r, NODES, accuracy=0.5),
            "accuracy: 0.5 given; the report has 0.1",
        ),
        (lambda r: against(r, NODES, at={KAPPA: 3}), "at: problem.kappa=3 given; the sweep has 10"),
        (lambda r: heat_maps(r, (NODES, NODES)), "keys: network.nodes is given twice"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(InputError) as error:
        call(made(lambda *_: 1.0))
    assert str(error.value).startswith(message)


def test_values_of_several_types_are_told_apart():
    """Columns of a table are of one type each, and an integer beside 0.5 is a float there."""
    result = made(lambda label, n, kappa, repeat: n**2 * kappa, kappas=(0.5, 10))
    (low, high) = against(result, NODES, accuracy=0.1).facets
    assert (low.values, high.values) == ({KAPPA: 0.5}, {KAPPA: 10})
    np.testing.assert_allclose(low.lines[0].median, 0.5 * np.array([4, 8, 16]) ** 2)
    cells = numbered(result, result.costs)["cell"]
    assert cells.is_monotonic_increasing
    assert cells.nunique() == 6


def test_keys_that_move_together_make_one_line_and_one_map():
    whole = made(lambda label, n, kappa, repeat: n**2, kappas=(8, 16, 32))
    cells = tuple(cell for cell in whole.cells if cell.values[KAPPA] == 2 * cell.values[NODES])
    costs = whole.costs[whole.costs[KAPPA] == 2 * whole.costs[NODES]]
    result = replace(whole, cells=cells, costs=costs)
    for key, x in ((NODES, [4, 8, 16]), (KAPPA, [8, 16, 32])):
        (facet,) = against(result, key, accuracy=0.1).facets
        assert facet.values == {}
        assert facet.lines[0].x.tolist() == x
        np.testing.assert_allclose(facet.lines[0].median, [16, 64, 256])


def test_whole_numbers_among_others_find_their_cells():
    """A column of 4 and 7.5 holds 4.0, and a row of the two columns would hold 3.0."""
    result = made(lambda label, n, kappa, repeat: n * kappa, kappas=(4, 7.5), labels=("A",))
    assert against(result, NODES, at={KAPPA: "4"}).facets[0].lines[0].median.tolist() == [
        *(2 * 4 * n for n in (4, 8, 16))
    ]
    assert profile(result).problems == 18
    with pytest.raises(InputError, match=r"kappa=x given; the sweep has 4\.0, 7\.5"):
        against(result, NODES, at={KAPPA: "x"})
