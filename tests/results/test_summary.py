"""The cost to accuracy against closed forms, numpy's percentiles, and hand-counted tables."""

import io
import math
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.results.axes import TABLED, Terms, Weights
from dadao_sim.results.latex import escape, number, power, summary_table
from dadao_sim.results.result import Result
from dadao_sim.results.summary import (
    costs_to_accuracy,
    percentile,
    summarise,
    summary_columns,
    summary_csv,
)

finite = st.floats(-1e6, 1e6)


# ---- percentiles ----------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.lists(finite, min_size=1, max_size=30), st.integers(0, 100))
def test_percentiles_of_finite_values_are_those_of_numpy(values, percent):
    expected = np.percentile(values, percent)
    assert percentile(values, percent) == pytest.approx(expected, rel=1e-12, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1e3), max_size=10), st.integers(0, 10), st.sampled_from([10, 50, 90]))
def test_infinite_values_are_the_limit_of_large_ones(values, missing, percent):
    if not values and not missing:
        return
    huge = percentile([*values, *[1e30] * missing], percent)
    infinite = percentile([*values, *[math.inf] * missing], percent)
    assert not math.isnan(infinite)
    if math.isinf(infinite):
        assert huge > 1e20
    else:
        assert infinite == huge


def test_a_percentile_on_an_order_statistic_is_that_value():
    for count in (11, 21, 31, 101):
        values = [*range(count - 1), math.inf]
        assert percentile(values, 10) == (count - 1) // 10
        assert percentile(values, 90) == 9 * (count - 1) // 10


def test_median_with_a_failed_half_is_infinite():
    assert percentile([1.0, 2.0, math.inf], 50) == 2.0
    assert percentile([1.0, math.inf], 50) == math.inf
    assert percentile([1.0, 2.0, 3.0, math.inf], 90) == math.inf


# ---- cost to accuracy -----------------------------------------------------------------------


def first_sample(rate: float, accuracy: float) -> int:
    """Smallest whole t with exp(-rate t) <= accuracy."""
    return math.ceil(-math.log(accuracy) / rate - 1e-9)


def test_cost_of_exponential_decay_is_the_closed_form():
    rate, gradients, communications = 0.037, 12, 31
    run = result(
        finished_run("dadao", rate=rate, gradients=gradients, communications=communications)
    )
    costs = costs_to_accuracy(run.curves, run.runs, [1e-2, 1e-4, 1e-6], Terms(Weights(2.0, 0.25)))
    for row, accuracy in zip(costs.itertuples(), [1e-2, 1e-4, 1e-6], strict=True):
        t = first_sample(rate, accuracy)
        assert row.accuracy == accuracy
        assert row.time == t
        assert row.gradients == gradients * t
        assert row.communications == communications * t
        assert row.cost == 2.0 * gradients * t + 0.25 * communications * t


def test_there_is_no_interpolation_and_equal_counts_as_reached():
    run = finished_run("dadao", samples=5, end=4.0)
    run.curves["accuracy"] = [1.0, 0.5, 0.1, 0.2, 0.01]
    both = result(run)
    costs = costs_to_accuracy(both.curves, both.runs, [0.5, 0.49, 0.15, 0.1, 0.05, 0.001])
    assert costs["time"].tolist() == [1.0, 2.0, 2.0, 2.0, 4.0, math.inf]


def test_nothing_of_a_diverged_run_counts_as_reached():
    run = finished_run("dadao", samples=5, end=4.0, status="diverged")
    run.curves["accuracy"] = [1.0, 10.0, 1e6, np.inf, np.nan]
    diverged = result(run)
    costs = costs_to_accuracy(diverged.curves, diverged.runs, [0.1])
    assert costs[list(TABLED)].to_numpy().tolist() == [[math.inf] * 5]


def test_summary_is_the_percentiles_of_the_runs():
    rates = [0.05, 0.07, 0.11, 0.13, 0.2]
    several = result(*(finished_run("dadao", k, rate=rate) for k, rate in enumerate(rates)))
    summary = several.summary
    assert tuple(summary.columns) == summary_columns()
    for row, accuracy in zip(summary.itertuples(), [1e-2, 1e-4, 1e-6], strict=True):
        times = [first_sample(rate, accuracy) for rate in rates]
        assert (row.repeats, row.reached, row.status) == (5, 5, "converged")
        assert row.time_median == np.median(times)
        assert row.time_p10 == pytest.approx(np.percentile(times, 10))
        assert row.time_p90 == pytest.approx(np.percentile(times, 90))
        assert row.cost_median == (10 + 0.5 * 30) * np.median(times)


def test_runs_that_never_get_there_are_never_dropped():
    runs = [finished_run("dadao", k, rate=0.1) for k in range(6)]
    runs += [finished_run("dadao", k, rate=0.001) for k in range(6, 10)]
    summary = result(*runs).summary.set_index("accuracy")
    assert summary["reached"].tolist() == [6, 6, 6]
    assert summary["repeats"].tolist() == [10, 10, 10]
    assert summary["time_median"].tolist() == [first_sample(0.1, a) for a in (1e-2, 1e-4, 1e-6)]
    assert summary["time_p90"].tolist() == [math.inf] * 3
    assert summary["status"].tolist() == ["mixed"] * 3


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["converged", "converged"], "converged"),
        (["stopped", "stopped"], "stopped"),
        (["diverged", "diverged"], "diverged"),
        (["converged", "diverged"], "mixed"),
        (["stopped", "converged"], "mixed"),
    ],
)
def test_status_is_the_one_all_runs_share(statuses, expected):
    runs = [finished_run("dadao", k, status=status) for k, status in enumerate(statuses)]
    assert set(result(*runs).summary["status"]) == {expected}


def test_rows_follow_the_runs_and_accuracies_go_down():
    both = result(finished_run("msda"), finished_run("dadao"))
    summary = summarise(both.curves, both.runs, [1e-6, 1e-2])
    assert summary["algorithm"].tolist() == ["msda", "msda", "dadao", "dadao"]
    assert summary["accuracy"].tolist() == [1e-2, 1e-6, 1e-2, 1e-6]


@pytest.mark.parametrize("accuracy", [0.0, -1.0, math.inf, math.nan])
def test_an_accuracy_that_is_none_is_refused(accuracy):
    run = result(finished_run("dadao"))
    with pytest.raises(InputError, match="accuracies"):
        summarise(run.curves, run.runs, [accuracy])


# ---- CSV ------------------------------------------------------------------------------------


def test_csv_holds_the_numbers_in_full_and_says_not_reached():
    runs = result(*(finished_run("dadao", k, rate=r) for k, r in enumerate([0.1, 0.0314, 0.001])))
    summary = runs.summary
    text = summary_csv(summary)
    assert b"not reached" in text
    assert b"inf" not in text
    assert b"nan" not in text
    read = pd.read_csv(io.BytesIO(text), dtype="str")
    for name in summary.columns[8:]:
        values = [math.inf if v == "not reached" else float(v) for v in read[name]]
        assert values == summary[name].tolist()


# ---- LaTeX ----------------------------------------------------------------------------------


def test_numbers_and_powers_read_as_in_print():
    assert number(12_345.4) == r"$12\,345$"
    assert number(99_999.4) == r"$99\,999$"
    assert number(99_999.6) == r"$1.00\times10^{5}$"
    assert number(1_234_567) == r"$1.23\times10^{6}$"
    assert number(57.25) == "$57.2$"
    assert number(3.0) == "$3$"
    assert power(1e-6) == "$10^{-6}$"
    assert power(5e-4) == r"$5\times10^{-4}$"
    assert power(1.25e-10) == r"$1.25\times10^{-10}$"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30))
def test_escaped_text_has_no_active_character_left(text):
    left = escape(text)
    for written in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}"):
        left = left.replace(written, "")
    for written in (r"\textless{}", r"\textgreater{}", r"\textbar{}", r"\&", r"\%", r"\$"):
        left = left.replace(written, "")
    for written in (r"\#", r"\_", r"\{", r"\}"):
        left = left.replace(written, "")
    left = left.replace("{}", "").removeprefix("{[}").removeprefix("{*}")
    assert not set(left) & set("\\~^<>|&%$#_{}\n")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("[lr=1e-3]", "{[}lr=1e-3]"),
        ("*", "{*}"),
        ("a--b---c", "a-{}-b-{}-{}-c"),
        ("''a``", "'{}'a`{}`"),
        ("?`!`,,", "?{}`!{}`,{},"),
        ("step [/b] {x}_1", r"step [/b] \{x\}\_1"),
        ("$\\foo$", r"\$\textbackslash{}foo\$"),
    ],
)
def test_what_latex_would_join_or_take_for_an_argument_prints(text, written):
    assert escape(text) == written


@pytest.fixture
def hard() -> Result:
    """Labels that need escaping, a method that never gets there, one that does sometimes."""
    return result(
        *(finished_run("dadao", k, rate=0.1 + 0.01 * k, communications=40_000) for k in range(4)),
        *(finished_run("msda", k, label="100 % #1_{a}\\b", rate=0.1 * (k < 3)) for k in range(4)),
        *(finished_run("adom_plus", k, rate=-0.1) for k in range(4)),
    )


def test_every_row_of_the_table_has_the_columns_of_the_head(hard):
    table = summary_table(hard.summary, hard.names, title="path_16 & co")
    body = table[table.index(r"\toprule") : table.index(r"\bottomrule")].splitlines()
    rows = [line for line in body if line.endswith(r"\\")]
    assert len(rows) == 2 + 3 * 2
    spec = table[table.index(r"\begin{tabular}{") :].split("{")[2].split("}")[0]
    assert spec == "l" + "rr" * 3
    for row in rows[1:]:
        assert row.replace(r"\&", "").count("&") == 6
    assert r"\caption{path\_16 \& co. " in table
    assert r"\label{tab:path-16-co}" in table


def test_the_table_says_what_was_not_reached(hard):
    table = summary_table(hard.summary, hard.names)
    lines = table.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith("ADOM+ "))
    assert lines[first].count("not reached") == 6
    assert lines[first + 1] == r"{\scriptsize (diverged)} " + "&  " * 5 + r"& \\"
    some = next(k for k, line in enumerate(lines) if line.startswith(r"100 \% \#1\_\{a\}"))
    assert "not reached" not in lines[some]
    assert lines[some + 1].count(r"--$\infty$ (3 of 4)") == 6


def test_what_lies_below_the_accuracy_that_ends_the_runs_was_not_tried():
    """The last step may go beyond it; what it did not reach is unknown, and never a failure."""
    runs = [finished_run("dadao", k, rate=r) for k, r in enumerate([0.1, 0.2])]
    runs += [finished_run("msda", 0, rate=0.001)]
    made = result(*runs)
    made.manifest["scenario"]["stop"] = {"accuracy": 1e-2}
    made.manifest["scenario"]["report"]["accuracies"] = [1e-1, 1e-2, 1e-3, 1e-200]
    summary = made.summary
    below = summary[summary.accuracy < 1e-2]
    assert not np.isinf(below[[f"{q}_p90" for q in TABLED]]).any(axis=None)
    last = summary[summary.accuracy == 1e-200]
    assert (
        last[[c for c in last.columns if c.endswith(("median", "p10", "p90"))]]
        .isna()
        .all(axis=None)
    )
    cells = pd.read_csv(io.BytesIO(summary_csv(summary)), dtype="str", keep_default_na=False)
    words = cells.set_index(["algorithm", "accuracy"])["communications_median"]
    assert words["msda", "0.01"] == words["msda", "0.1"] == "not reached"
    assert words["msda", "0.001"] == words["dadao", "1e-200"] == "not tried"
    # The same runs without that accuracy: nothing is nan.
    del made.manifest["scenario"]["stop"]
    assert not made.summary.isna().any(axis=None)
    assert b"not tried" not in summary_csv(made.summary)


def test_a_repeat_that_was_not_to_get_there_leaves_nothing_known():
    values = [3.0, math.nan, 1.0, math.inf]
    assert all(math.isnan(percentile(values, percent)) for percent in (10, 50, 90))


def test_the_table_says_what_was_not_tried():
    made = result(finished_run("dadao", 0, rate=0.1), finished_run("dadao", 1, rate=0.2))
    made.manifest["scenario"]["stop"] = {"accuracy": 1e-2}
    made.manifest["scenario"]["report"]["accuracies"] = [1e-1, 1e-200]
    table = summary_table(made.summary, made.names)
    assert table.count("& not tried & not tried") == 1
    assert "not reached" not in table
    assert "What is not tried lies below the accuracy at which the runs end." in table
    assert "nan" not in table


def test_letters_that_pdflatex_does_not_know_are_said():
    made = result(finished_run("dadao", label="é κ→"))
    first = summary_table(made.summary, made.names).splitlines()[0]
    assert first == "% Needs \\usepackage{booktabs}, and LuaLaTeX for κ→."


def test_medians_in_the_table_are_those_of_the_summary(hard):
    line = next(
        x for x in summary_table(hard.summary, hard.names).splitlines() if x.startswith("DADAO")
    )
    cells = [cell.strip() for cell in line.removesuffix(r" \\").split("&")][1:]
    dadao = hard.summary[hard.summary["algorithm"] == "dadao"]
    expected = []
    for row in dadao.itertuples():
        expected += [number(row.communications_median), number(row.gradients_median)]
    assert cells == expected


def test_a_shared_power_of_ten_is_written_once():
    runs = [finished_run("dadao", k, rate=0.1 + 0.01 * k, communications=40_000) for k in range(3)]
    made = result(*runs)
    table = summary_table(made.summary.query("accuracy == 1e-6"), made.names)
    low, high = made.summary.iloc[2][["communications_p10", "communications_p90"]]
    assert rf"${low / 1e6:.2f}$--${high / 1e6:.2f}\times10^{{6}}$" in table


def test_one_run_has_no_ranges():
    made = result(finished_run("dadao"))
    table = summary_table(made.summary, made.names)
    assert r"\scriptsize" not in table
    assert "one run" in table


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_the_table_compiles_with_booktabs_alone(tmp_path, hard):
    head = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    document = head + summary_table(hard.summary, hard.names, title="a_b") + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
