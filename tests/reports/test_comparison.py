"""The comparison of several results against their own summaries."""

import math

import pytest
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.reports.comparison import comparison_table, titles_of
from dadao_sim.results.names import printed_names


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
    dear = {"dear": result(finished_run("dadao", rate=0.05), report=report)}
    row = comparison_table({**results, **dear}, 1e-2).iloc[-1]
    assert row["cost_median"] == 100 * row["gradients_median"]


def test_what_cannot_be_compared_is_refused(results):
    with pytest.raises(InputError, match=r"^results: none given; give at least one"):
        comparison_table({}, 1e-2)
    with pytest.raises(InputError, match=r"^accuracies: 0 given; all must be positive"):
        comparison_table(results, 0.0)


def test_a_label_is_marked_where_it_is_experimental_in_any_of_the_results():
    results = {
        "l1": result(finished_run("dadao"), finished_run("nids")),
        "l0": result(finished_run("dadao", experimental=True)),
    }
    table = comparison_table(results, 1e-2)
    assert table["experimental"].tolist() == [False, False, True]
    names = printed_names(table, titles_of(results))
    assert names == {"dadao": "DADAO (experimental)", "nids": "NIDS"}


def test_the_result_that_lacks_a_quantity_is_named(results):
    with pytest.raises(InputError, match=r"^quantities: path: seconds: the scenario has no world"):
        comparison_table(results, 1e-4, ["seconds"])
    alone = {"path": results["path"]}
    with pytest.raises(InputError, match=r"^quantities: seconds: the scenario has no world"):
        comparison_table(alone, 1e-4, ["seconds"])


def test_only_the_algorithms_asked_for_are_compared(results):
    table = comparison_table(results, 1e-4, ["bits"], algorithms=["msda"])
    assert table[["scenario", "algorithm"]].to_numpy().tolist() == [
        ["path", "msda"],
        ["grid", "msda"],
    ]
    whole = comparison_table(results, 1e-4, ["bits"]).query("algorithm == 'msda'")
    assert table.equals(whole.reset_index(drop=True))
    with pytest.raises(InputError, match=r"^algorithms: 'extra' is in none of the results"):
        comparison_table(results, 1e-4, algorithms=["extra"])
