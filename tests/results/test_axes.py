"""What is spent, in every unit, against sums done by hand and against the event log of a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic import finished_run, result, scenario

from dadao_sim.errors import InputError
from dadao_sim.plotting.comparison import comparison_figure
from dadao_sim.plotting.curves import curve_figure
from dadao_sim.reports.comparison import comparison_table, ranked
from dadao_sim.results import checks
from dadao_sim.results.axes import AXES, PRICED, TABLED, Terms, Weights, axis_named
from dadao_sim.results.latex import summary_table
from dadao_sim.results.result import load_result
from dadao_sim.scenario.model import CostSpec, EnergySpec
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.simulate import simulate

SCENARIO = {
    "name": "small",
    "problem": {"kind": "ridge", "mu": 0.1, "data": {"kind": "synthetic", "dim": 3,
                "samples_per_node": 5}},
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", "nids"],
    "stop": {"time": 30},
    "record": {"points": 7, "spacing": "linear"},
    "report": {"accuracies": [0.5], "energy": {"gradient": 2.0, "byte": 0.25, "second": 10.0}},
    "world": {"preset": "ideal", "gradient_seconds": 0.1},
}  # fmt: skip
# Per unit of time of `finished_run`: 10 gradients, 30 communications, 16 bytes in each of them.
PER_TIME = {
    "communications": 30,
    "gradients": 10,
    "time": 1,
    "seconds": 0.25,
    "bytes": 480,
    "bits": 3840,
    "messages": 60,
    "events": 40,
    "relaxations": 10 * 7,
    "joules": 2 * 10 + 0.5 * 30 + 0.125 * 480 + 4 * 0.25 + 0.1 * 70,
    "cost": 10 + 0.5 * 30 + 0.01 * 480 + 3 * 0.25 + 0.1 * 103 + 0.5 * 70,
}
REPORT = {
    "accuracies": [1e-2],
    "cost": {
        "gradient": 1.0,
        "communication": 0.5,
        "byte": 0.01,
        "second": 3.0,
        "joule": 0.1,
        "relaxation": 0.5,
    },
    "energy": {
        "gradient": 2.0,
        "communication": 0.5,
        "byte": 0.125,
        "second": 4.0,
        "relaxation": 0.1,
    },
}
WORLD = {"gradient_seconds": 0.25}


def in_a_world(**report):
    run = finished_run("dadao", rate=0.1)
    problem = {"kind": "mlp", "oracle": {"kind": "activation_relaxation", "sweeps": 7}}
    return result(run, world=WORLD, problem=problem, report={**REPORT, **report})


@pytest.fixture(scope="module")
def ran():
    return simulate(SCENARIO)


def test_the_sums_done_by_hand_are_of_every_axis():
    assert set(PER_TIME) == set(AXES) - {"rounds"}
    assert set(TABLED) <= set(AXES)


@pytest.mark.parametrize("name", PER_TIME)
def test_an_axis_is_the_sum_done_by_hand(name):
    made = in_a_world()
    times = made.curves["time"].to_numpy()
    np.testing.assert_allclose(made.spent(name), PER_TIME[name] * times, rtol=1e-12)
    # exp(-0.1 t) is at 1e-2 first at t = 47, of whole ones.
    (row,) = made.summary_of(quantities=[name]).to_dict("records")
    assert row[f"{name}_median"] == pytest.approx(47 * PER_TIME[name], rel=1e-12)
    line = curve_figure(made, name).axes[0].lines[0]
    assert line.get_xdata()[-1] == pytest.approx(PER_TIME[name] * times[-1])


def test_the_axes_of_a_run_are_counts_of_its_log(ran):
    """One row per event in the log; a message of a path's edge each way, 3 numbers of 8 bytes."""
    ends = ran.curves.groupby("algorithm").last()
    dadao, nids = ends.loc["dadao"], ends.loc["nids"]
    assert dadao["events"] == ran.runs.set_index("algorithm")["events"]["dadao"]
    assert dadao["events"] == dadao["gradients"] + dadao["communications"]
    assert nids["events"] == nids["rounds"] == 30
    seconds = dict(zip(ran.curves["algorithm"], ran.spent("seconds"), strict=True))
    assert seconds["nids"] == seconds["dadao"] == 3.0
    bytes_sent = dict(zip(ran.curves["algorithm"], ran.spent("bytes"), strict=True))
    joules = dict(zip(ran.curves["algorithm"], ran.spent("joules"), strict=True))
    for name, end in ends.iterrows():
        assert bytes_sent[name] == 8 * end["floats_sent"]
        assert joules[name] == 2 * end["gradients"] + 0.25 * bytes_sent[name] + 10 * 3.0
    assert bytes_sent["dadao"] == 2 * 3 * 8 * dadao["communications"]


def test_events_never_decrease_and_begin_with_none(ran):
    for _, run in ran.curves.groupby("algorithm"):
        assert run["events"].iloc[0] == 0
        assert (np.diff(run["events"]) >= 0).all()


def test_rounds_are_of_methods_that_have_them(ran):
    with pytest.raises(InputError, match=r"^x: rounds: dadao has none; use another axis$"):
        ran.spent("rounds")
    nids = ran.curves[ran.curves["algorithm"] == "nids"]
    assert axis_named("rounds").spent(nids, ran.terms).tolist() == nids["events"].tolist()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("seconds", "the scenario has no world"),
        ("joules", "the scenario has no report.energy"),
        ("rounds", "dadao has none"),
        ("second", "is unknown; did you mean 'seconds'?"),
    ],
)
def test_an_axis_that_is_not_there_is_one_line(name, why):
    made = result(finished_run("dadao"))
    for call in (made.spent, lambda x: curve_figure(made, x)):
        with pytest.raises(InputError) as caught:
            call(name)
        assert why in str(caught.value)
        assert caught.value.where == "x"
    with pytest.raises(InputError, match=r"^quantities: "):
        made.summary_of(quantities=[name])


def test_what_an_older_result_has_not_is_one_line(ran, tmp_path):
    """Before, there was no column of events; all else is drawn as it was."""
    older = replace(ran, curves=ran.curves.drop(columns="events"))
    older.save(tmp_path / "r")
    read = load_result(tmp_path / "r")
    assert read.spent("bytes").tolist() == ran.spent("bytes").tolist()
    with pytest.raises(InputError, match=r"^x: events: the result is of a version that did not"):
        read.spent("events")


def test_a_price_needs_what_it_is_of():
    for report, right in (
        ({"cost": {"second": 1.0}}, "report.cost.second: the scenario has no world"),
        ({"cost": {"joule": 1.0}}, "report.cost.joule: the scenario has no report.energy"),
        ({"cost": {"relaxation": 1.0}}, "report.cost.relaxation: no gradients of the scenario co"),
        (
            {"cost": {"joule": 1.0}, "energy": {"relaxation": 1.0}},
            "report.cost.joule: no gradients of the scenario come from an oracle",
        ),
        ({"quantities": ["seconds"]}, "report.quantities.0: seconds: the scenario has no world"),
        ({"quantities": ["bits", "bits"]}, "report.quantities.1: 'bits' is named before"),
        ({"quantities": ["euros"]}, "report.quantities.0: unknown value 'euros'"),
    ):
        mapping = {k: v for k, v in SCENARIO.items() if k != "world"}
        with pytest.raises(InputError) as caught:
            scenario_from_mapping({**mapping, "report": report})
        assert right in str(caught.value)


def test_what_is_not_asked_for_is_not_written():
    """So that manifests, and what tells one simulation from another, stay as they were."""
    plain = scenario_from_mapping({**SCENARIO, "report": {"accuracies": [0.5]}})
    assert plain.to_mapping()["report"] == {
        "accuracies": [0.5],
        "cost": {"gradient": 1.0, "communication": 1.0},
    }


def test_prices_can_be_others_afterwards():
    made = in_a_world()
    terms = made.terms.priced(gradient=0, communication=0, byte=2, second=0, joule=0, relaxation=0)
    assert made.spent("cost", terms).tolist() == (2 * made.spent("bytes")).tolist()
    assert AXES["cost"].label(terms) == "Cost (gradient 0, communication 0, byte 2)"
    for wrong in ({"watt": 1.0}, {"byte": -1.0}, {"byte": math.inf}):
        with pytest.raises(InputError, match=r"^price: "):
            made.terms.priced(**wrong)
    assert set(PRICED) == set(REPORT["cost"])
    lonely = result(finished_run("dadao"))
    with pytest.raises(InputError, match="cost: the scenario has no world"):
        lonely.spent("cost", lonely.terms.priced(second=1.0))


def test_the_tables_show_what_the_scenario_asks_for(tmp_path):
    made = in_a_world(quantities=["seconds", "bytes", "joules"])
    made.save(tmp_path)
    first = (tmp_path / "summary.csv").read_text().splitlines()[0]
    assert first.endswith(
        "status,seconds_median,seconds_p10,seconds_p90,bytes_median,bytes_p10,bytes_p90,"
        "joules_median,joules_p10,joules_p90"
    )
    latex = (tmp_path / "summary.tex").read_text()
    assert r"Method & Time (s) & Bytes & Energy (J) \\" in latex
    assert rf"DADAO & ${47 * 0.25:.3g}$ & $22\,560$ & $4\,841$ \\" in latex
    assert r"\begin{table}" in latex, "three columns of numbers fit in one of a paper's"
    assert load_result(tmp_path).quantities == ("seconds", "bytes", "joules")


def test_a_table_that_is_not_asked_for_more_is_as_it_was():
    made = result(finished_run("dadao"))
    columns = [name for name in made.summary if name.endswith("_median")]
    assert columns == [f"{name}_median" for name in TABLED]
    assert r"Method & Communications & Gradients & Comm" in summary_table(made.summary, made.names)


def test_a_comparison_is_ranked_along_any_axis():
    runs = [finished_run("dadao", rate=0.02), finished_run("msda", rate=0.2)]
    runs += [finished_run("nids", rate=-0.1), finished_run("extra", rate=0.1)]
    made = result(*runs, world=WORLD)
    table = comparison_table({"a": made}, 1e-2, ["seconds", "bytes"])
    order = ranked(table, "seconds")["algorithm"].tolist()
    assert order == ["msda", "extra", "dadao", "nids"]
    assert table["algorithm"].tolist() == ["dadao", "msda", "nids", "extra"]
    figure = comparison_figure({"a": made}, 1e-2, "seconds")
    assert figure.axes[0].get_xlabel() == "Time (s) to accuracy $10^{-2}$"


def test_terms_are_those_of_the_scenario():
    assert Terms.of(scenario()) == Terms(Weights(1.0, 0.5))
    assert Terms.of({"report": REPORT, "world": WORLD}) == Terms(
        Weights(1.0, 0.5, 0.01, 3.0, 0.1, 0.5),
        Weights(2.0, 0.5, 0.125, 4.0, relaxation=0.1),
        0.25,
    )


def test_what_has_a_weight_is_the_same_wherever_it_is_said():
    assert PRICED == tuple(CostSpec.model_fields) == tuple(checks.Cost.model_fields)
    without = tuple(name for name in PRICED if name != "joule")
    assert without == tuple(EnergySpec.model_fields) == tuple(checks.Energy.model_fields)
    samples = dict.fromkeys(("gradients", "communications", "bytes_sent", "time"), 3.0)
    samples["algorithm"] = "dadao"
    for name in PRICED:
        weights = Weights(**{name: 2.0})
        joules = Weights(gradient=5.0)
        terms = Terms(weights, joules, interval=7.0, sweeps={"dadao": 11.0})
        spent = AXES["cost"].of(samples, terms)
        assert spent == 2 * 3 * {"second": 7, "joule": 5, "relaxation": 11}.get(name, 1)
