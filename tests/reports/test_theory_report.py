"""What a scenario's methods need: promised, exact and measured beside each other."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import dadao_sim.reports.theory as theory_module
from dadao_sim import simulate
from dadao_sim.cli.main import app
from dadao_sim.errors import InputError
from dadao_sim.plotting.theory import theory_figure
from dadao_sim.reports.theory import predict, theory_report
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.scenario.shipped import scenario_path
from dadao_sim.simulation.study import Study

SCENARIO = {
    "name": "theory",
    "repeats": 3,
    "problem": {
        "kind": "least_squares",
        "data": {
            **{"kind": "synthetic", "dim": 2, "samples_per_node": 6, "condition_number": 10},
            "hessians": "aligned",
        },
    },
    "network": {"graph": "cycle", "nodes": 5},
    "algorithms": ["dadao", "continuized", "ad_psgd", "exact_diffusion", "scaffnew", "dgd"],
    "stop": {"time": 600, "accuracy": 1e-6},
    "report": {"accuracies": [1e-2, 1e-6]},
}


@pytest.fixture(scope="module")
def study():
    return Study(SCENARIO)


@pytest.fixture(scope="module")
def result(study):
    return simulate(study)


@pytest.fixture(scope="module")
def report(study, result):
    return theory_report(study, result)


def test_nothing_measured_is_above_what_is_promised(report):
    seen = 0
    for method in report.methods:
        for ways in method.costs.values():
            for name, promised in ways["promised"].items():
                if not math.isnan(promised):
                    assert ways["measured"][name] <= promised, (method.algorithm, name)
                    seen += 1
    assert seen == 4 * 2 * 3  # all but ad_psgd and dgd


def test_what_is_exact_is_near_what_is_measured(report):
    by_label = {method.algorithm: method for method in report.methods}
    for label in ("dadao", "continuized", "exact_diffusion", "scaffnew"):
        ways = by_label[label].costs[1e-6]
        ratio = ways["measured"]["communications"] / ways["exact"]["communications"]
        assert 0.5 < ratio < 1.5, (label, ratio)
        assert by_label[label].predicted[0].decay > 0


def test_what_ends_elsewhere_never_gets_there(report):
    by_label = {method.algorithm: method for method in report.methods}
    assert by_label["ad_psgd"].costs[1e-6]["exact"]["time"] == math.inf
    assert by_label["dgd"].costs[1e-6]["exact"]["time"] == math.inf
    assert math.isnan(by_label["dgd"].predicted[0].slope(1e-6)["time"])
    assert by_label["dgd"].theorem == ""


def test_the_exact_count_is_where_the_expected_curve_crosses(report):
    first = report.methods[0].predicted[0]
    time = first.exact(1e-2)["time"]
    at = np.interp(time, first.curve.times, np.log(first.curve.accuracies))
    assert math.exp(at) == pytest.approx(1e-2, rel=1e-6)
    per_time = first.per_time["communications"]
    assert first.exact(1e-2)["communications"] == pytest.approx(time * per_time)


def test_rounds_cost_what_their_own_curve_says(report, result):
    """To the round and the message: nothing of them is drawn."""
    (method,) = [method for method in report.methods if method.algorithm == "exact_diffusion"]
    curves = result.curves
    run = curves[(curves["algorithm"] == "exact_diffusion") & (curves["repeat"] == 0)]
    for accuracy in (1e-2, 1e-6):
        first = run[run["accuracy"] <= accuracy].iloc[0]
        exact = method.predicted[0].exact(accuracy)
        assert method.predicted[0].crosses(accuracy)
        assert exact["time"] <= first["time"] <= 1.01 * exact["time"] + 1  # as it is sampled
        alone = method.predicted[0].slope(accuracy)
        assert alone["time"] == math.ceil(-math.log(accuracy) / method.predicted[0].decay)
    assert abs(alone["time"] - first["time"]) > 2  # the slope alone is another answer


def of_one(algorithm, **changed):
    """What the theory says of the first run of a scenario with one algorithm."""
    study = Study({**SCENARIO, "repeats": 1, "algorithms": [algorithm], **changed})
    (method,) = theory_report(study).methods
    return method.predicted[0]


def test_an_accuracy_past_the_end_of_the_curve_is_on_its_slope():
    # Dual methods start with an error that first grows by the condition number.
    data = {**SCENARIO["problem"]["data"], "condition_number": 100}
    first = of_one("continuized", problem={**SCENARIO["problem"], "data": data})
    end, last = first.curve.times[-1], first.curve.accuracies[-1]
    slope = math.log(10) / first.decay
    assert first.exact(last / 10)["time"] == pytest.approx(end + slope)
    alone = replace(first, curve=None)
    assert alone.exact(1e-3)["time"] == pytest.approx(3 * slope)


def test_minibatches_are_not_said_to_get_where_they_hover():
    small = {**SCENARIO["problem"]["data"], "samples_per_node": 4}
    problem = {**SCENARIO["problem"], "data": small}
    network = {"graph": "cycle", "nodes": 4}
    hovers = of_one({"name": "dadao", "batch_size": 1}, problem=problem, network=network)
    assert hovers.exact(1e-6)["time"] == math.inf
    alone = replace(hovers, curve=None)
    assert math.isnan(alone.exact(1e-6)["time"])


def test_gossip_has_its_curve_from_the_points_it_averages():
    problem = {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}}
    first = of_one("accelerated_gossip", problem=problem)
    assert first.curve.accuracies[0] == pytest.approx(1)
    assert first.why == ""


def test_of_a_long_curve_the_end_is_worked_out():
    study = Study(
        {
            **SCENARIO,
            "algorithms": ["continuized"],
            "problem": {
                "kind": "least_squares",
                "data": {**SCENARIO["problem"]["data"], "condition_number": 1e7},
            },
        }
    )
    (method,) = theory_report(study).methods
    first = method.predicted[0]
    assert first.curve.is_late
    assert first.crosses(1e-6)


def test_a_large_curve_is_worked_out_where_it_ends():
    """At 5 nodes there is time for both; before it begins the slope alone is known."""
    whole = of_one("dadao")
    plan = Study({**SCENARIO, "repeats": 1, "algorithms": ["dadao"]}).plan(("dadao", 0))
    curve = theory_module._late_curve(plan, 1e-6, whole.decay, whole.distance)
    late, alone = replace(whole, curve=curve), replace(whole, curve=None)
    assert late.crosses(1e-6)
    assert late.exact(1e-6)["time"] == pytest.approx(whole.exact(1e-6)["time"], rel=2e-3)
    assert abs(alone.exact(1e-6)["time"] / whole.exact(1e-6)["time"] - 1) > 0.01
    assert not late.crosses(0.1)
    assert late.exact(0.1) == alone.exact(0.1)
    # From another slope the first window is too late to have it, and one before it is looked at.
    curve = theory_module._late_curve(plan, 1e-6, 0.5 * whole.decay, whole.distance)
    found = replace(whole, curve=curve).exact(1e-6)["time"]
    assert found == pytest.approx(whole.exact(1e-6)["time"], rel=2e-3)
    assert theory_module._late_curve(plan, 1e-6, 0.2 * whole.decay, whole.distance) is None


@pytest.mark.parametrize("algorithm", [{"name": "dadao", "batch_size": 1}, "ad_psgd", "esdacd"])
def test_what_hovers_or_counts_has_no_late_curve(algorithm):
    study = Study({**SCENARIO, "repeats": 1, "algorithms": [algorithm]})
    plan = study.plan((study.labels[0], 0))
    assert theory_module._late_curve(plan, 1e-6, 0.05, 1.0) is None


def test_its_plain_data_has_no_numbers_that_json_has_not(report):
    text = json.dumps(report.to_mapping(), allow_nan=False)
    read = json.loads(text)
    assert read["algorithms"]["dadao"]["theorem"].startswith("Nabli")
    # Never, and not known.
    assert read["algorithms"]["ad_psgd"]["costs"]["1e-06"]["exact"]["time"] == "never"
    assert read["algorithms"]["ad_psgd"]["costs"]["1e-06"]["promised"]["time"] is None
    assert read["algorithms"]["ad_psgd"]["costs"]["1e-06"]["measured"]["time"] == "not reached"
    assert read["algorithms"]["dgd"]["costs"]["1e-06"]["exact"]["time"] == "never"
    assert read["least"]["1e-06"]["rounds"] > 0


def test_a_method_that_ends_in_one_round_has_its_rate():
    problem = {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}}
    first = of_one("synchronous_gossip", problem=problem, network={"graph": "complete", "nodes": 4})
    assert first.exact(1e-6)["time"] == 1


def test_a_decay_that_is_infinite_has_a_word_for_json(report):
    ends = replace(report.methods[0].predicted[0], decay=math.inf)
    method = replace(report.methods[0], predicted=(ends,))
    read = replace(report, methods=(method,)).to_mapping()["algorithms"]["dadao"]
    assert read["exact_decay"] == "at once"


def compressed(**changed):
    masked = {"kind": "random_k", "k": 1}
    return of_one({"name": "lead", "compression": masked, **changed})


def test_what_is_exact_of_compressed_messages():
    slow = {"gamma": 0.2, "alpha": 0.2}
    falls, grows = compressed(parameters=slow), compressed()
    assert falls.exact(1e-6)["time"] > of_one("exact_diffusion").exact(1e-6)["time"]
    assert grows.exact(1e-6)["time"] == math.inf
    unknown = compressed(compression={"kind": "natural"})
    assert math.isnan(unknown.exact(1e-6)["time"])
    assert "messages by natural, whose variance is not quadratic" in unknown.why


def test_large_second_moments_of_compressed_messages_are_left_to_the_patient():
    data = {"kind": "synthetic", "dim": 3, "samples_per_node": 6}
    algorithm = {"name": "lead", "compression": {"kind": "random_k", "k": 2}}
    large = {
        **{"problem": {"kind": "least_squares", "data": data}, "algorithms": [algorithm]},
        **{"network": {"graph": "cycle", "nodes": 24}, "repeats": 1},
    }
    (method,) = theory_report(Study({**SCENARIO, **large})).methods
    assert "288 numbers at once" in method.predicted[0].why
    assert "--patient" in method.predicted[0].why


LONG = {
    "paper/barbell-logistic": ("adom_plus", "2,800 numbers at once"),
    "paper/time-varying-regression": ("adom_plus", "3,500 numbers at once, 10 rounds in turn"),
    "breast-cancer-sorted": ("msda", "3,720 numbers at once"),
}


@pytest.mark.parametrize("name", LONG)
def test_what_takes_minutes_of_a_shipped_scenario_is_left_to_the_patient(name, monkeypatch):
    monkeypatch.setattr(theory_module, "round_rate", pytest.fail)  # which is the work
    label, said = LONG[name]
    plan = Study(load_scenario(scenario_path(name))).plan((label, 0))
    why = predict(plan, 1e-6).why
    assert why == f"{said}: what is exact takes up to minutes; ask for it by --patient"


@pytest.mark.parametrize("patient", [False, True])
def test_no_axes_are_looked_for_that_nobody_would_use(monkeypatch, patient):
    """Of a picture that takes minutes, and a local step is not linear anyway."""
    monkeypatch.setattr(theory_module.Quadratics, "of", pytest.fail)
    monkeypatch.setattr("dadao_sim.theory.rounds.Quadratics.of", pytest.fail)
    term = {"prox": {"kind": "l1", "strength": 0.01}}
    plan = Study({**SCENARIO, "algorithms": ["prox_ed"], "local_step": term}).plan(("prox_ed", 0))
    assert "with a local step, which is not linear" in predict(plan, 1e-6, patient).why


def test_whether_large_hessians_decouple_is_left_to_the_patient(monkeypatch):
    monkeypatch.setattr(theory_module, "QUICK_HESSIANS", 1)
    plan = Study(SCENARIO).plan(("dadao", 0))
    why = predict(plan, 1e-6).why
    assert why.startswith("the axes of Hessians of 2 x 2 numbers: what is exact takes up to min")
    assert predict(plan, 1e-6, patient=True).decay > 0


def test_the_command_names_what_it_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps({**SCENARIO, "repeats": 1}))
    monkeypatch.setattr(theory_module, "QUICK_ROUNDS", 12)  # exact_diffusion: 10, two times
    ran = CliRunner().invoke(app, ["theory", "s.yaml"])
    (line,) = [line for line in ran.output.splitlines() if "--patient" in line]
    assert line.startswith("exact_diffusion: ")
    assert "10 numbers at once, 2 times: what is exact takes up to minutes" in line
    patient = CliRunner().invoke(app, ["theory", "s.yaml", "--patient"]).output
    assert "ask for it by" not in patient


@pytest.mark.parametrize(
    ("changed", "most", "is_long"),
    [
        ({}, 13, False),  # two axes: 2 x 10^3 and 12.6^3
        ({}, 12, True),
        ({"algorithms": ["scaffnew"]}, 12, False),  # which a coin changes has its own bound
        ({"network": {"sequence": {"graph": "cycle", "nodes": 5, "length": 3}}}, 13, True),
        ({"network": {"sequence": {"graph": "cycle", "nodes": 5, "length": 3}}}, 300, False),
    ],
)
def test_the_work_grows_with_axes_and_with_rounds_in_turn(monkeypatch, changed, most, is_long):
    monkeypatch.setattr(theory_module, "QUICK_ROUNDS", most)
    one = {**SCENARIO, "algorithms": ["gradient_tracking"], "repeats": 1, **changed}
    if "sequence" not in one["network"]:
        one = {**one, "algorithms": changed.get("algorithms", ["exact_diffusion"])}
    (method,) = theory_report(Study(one)).methods
    assert ("--patient" in method.predicted[0].why) == is_long
    assert (method.predicted[0].decay is None) == is_long


@pytest.mark.parametrize(
    ("algorithm", "said"),
    [
        ({"name": "lead", "compression": {"kind": "natural"}}, "messages by natural"),
        ({"name": "adom_plus"}, "at most 4000 are possible"),
    ],
)
def test_what_patience_does_not_help_with_is_said_at_once(algorithm, said):
    data = {"kind": "synthetic", "dim": 60, "samples_per_node": 3}
    problem = {"kind": "ridge", "mu": 0.1, "data": data}
    large = {"problem": problem, "network": {"graph": "cycle", "nodes": 12}, "repeats": 1}
    (method,) = theory_report(Study({**SCENARIO, **large, "algorithms": [algorithm]})).methods
    assert said in method.predicted[0].why
    assert "--patient" not in method.predicted[0].why


def test_the_figure_has_an_exact_line_for_each_that_is_known(report, result):
    axes = theory_figure(report, result).axes[0]
    dotted = [line for line in axes.lines if line.get_color() == "black" and len(line.get_xdata())]
    assert len(dotted) == len(report.methods)


def test_no_theorem_is_about_a_world():
    with pytest.raises(InputError, match="no theorem is about delays"):
        theory_report(Study({**SCENARIO, "world": {"preset": "ideal"}}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--accuracy", "2"], "--accuracy: "),
        (["--figure", "x.png"], "--figure: it is drawn over a result; give --result DIR"),
        (["--quantity", "bits"], "--quantity: bits given"),
        (["--result", "nowhere"], "nowhere"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps(SCENARIO))
    ran = CliRunner().invoke(app, ["theory", "s.yaml", *arguments])
    assert isinstance(ran.exception, InputError)
    assert message in str(ran.exception)


def test_a_result_of_another_scenario(study, result):
    other = Study({**SCENARIO, "algorithms": ["msda"]})
    with pytest.raises(InputError, match="it has no msda"):
        theory_report(other, result)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"seed": 1}, "seed"),
        ({"network": {"graph": "cycle", "nodes": 6}}, "network"),
        ({"algorithms": [{"name": "dadao", "parameters": {"rate_factor": 2.0}}]}, "dadao"),
        ({"clock": {"node_rates": [1, 1, 1, 1, 2]}}, "clock"),
        ({"local_step": {"prox": {"kind": "l1", "strength": 0.1}}}, "local_step"),
    ],
)
def test_a_result_of_other_runs_of_the_same_names(result, changed, what):
    with pytest.raises(InputError, match=f"it has another {what}; give a result of this"):
        theory_report(Study({**SCENARIO, **changed}), result)


@pytest.mark.parametrize("asked", [1, 5])
def test_the_repeats_are_those_of_the_result(report, result, asked, tmp_path, monkeypatch):
    few = {**SCENARIO, "repeats": asked, "algorithms": ["exact_diffusion", "dgd"]}
    other = theory_report(Study(few), result).to_mapping()
    whole = report.to_mapping()
    assert other["repeats"] == whole["repeats"] == 3
    for label, said in other["algorithms"].items():
        assert said == whole["algorithms"][label]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps(few))
    result.save(tmp_path / "out")
    ran = CliRunner().invoke(app, ["theory", "s.yaml", "--result", "out"])
    assert ran.exception is None
    assert f"repeats: the 3 of the result, not the {asked} asked for" in ran.output.splitlines()
    ran = CliRunner().invoke(app, ["theory", "s.yaml", "--result", "out", "--set", "repeats=3"])
    assert "repeats:" not in ran.output


def test_a_result_of_other_data_under_the_same_name(tmp_path):
    rows = np.random.default_rng(0).standard_normal((20, 3))
    for place, first in (("one", 1.0), ("two", 2.0), ("three", 1.0)):
        rows[0, 0] = first
        (tmp_path / place).mkdir()
        np.savetxt(tmp_path / place / "d.csv", rows, delimiter=",", header="a,b,y", comments="")

    def of(place):
        data = {"kind": "file", "path": str(tmp_path / place / "d.csv")}
        problem = {"kind": "ridge", "mu": 0.1, "data": data}
        few = {"algorithms": ["nids"], "stop": {"time": 3}, "repeats": 1}
        return Study({**SCENARIO, **few, "problem": problem})

    result = simulate(of("one"))
    theory_report(of("three"), result)
    with pytest.raises(InputError, match="it has another problem"):
        theory_report(of("two"), result)
    del result.manifest["inputs"]  # of an older version: a file is told by its name
    theory_report(of("two"), result)


def test_a_result_that_was_played_in_a_world():
    short = {**SCENARIO, "algorithms": ["dadao"], "repeats": 1, "stop": {"time": 3}}
    delayed = simulate({**short, "world": {"preset": "datacenter"}})
    with pytest.raises(InputError, match="it has another world"):
        theory_report(Study(short), delayed)


def test_the_least_accuracy_there_is(study):
    report = theory_report(study, None, [5e-324])
    for method in report.methods:
        for ways in method.costs.values():
            assert not any(map(math.isinf, ways["promised"].values()))


def test_a_run_that_was_ended_is_not_one_that_never_gets_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extra = {"name": "extra", "parameters": {"step": 100.0}}
    short = {**SCENARIO, "algorithms": ["dadao", extra], "stop": {"time": 20}, "repeats": 1}
    (tmp_path / "s.yaml").write_text(json.dumps(short))
    simulate(Study(short)).save(tmp_path / "out")
    arguments = ["theory", "s.yaml", "--result", "out", "--accuracy", "1e-6", "--figure", "f.png"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exception is None
    rows = {line.split()[0]: line for line in ran.output.splitlines()}
    assert "never" not in rows["DADAO"]
    assert "not reached" in rows["DADAO"]
    assert "never" in rows["EXTRA"]


DRAWN = {
    **{"name": "drawn", "repeats": 3, "algorithms": ["extra"], "start": {"kind": "normal"}},
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 5, "condition_number": 10},
    },
    "network": {"graph": "cycle", "nodes": 4},
    **{"stop": {"time": 200}, "record": {"points": 201, "spacing": "linear"}},
    "report": {"accuracies": [0.1, 0.01]},
}


def test_every_repeat_has_its_own_exact_count():
    """Rounds that are sampled one by one: in each repeat what is exact is what is measured."""
    result = simulate(DRAWN)
    (method,) = theory_report(Study(DRAWN), result).methods
    assert method.exact_repeats == (0, 1, 2)
    counts = [one.exact(0.01)["time"] for one in method.predicted]
    assert len(set(counts)) == 3
    for ways in method.costs.values():
        assert ways["exact"] == ways["measured"] == ways["measured_of_exact"]


def test_where_all_repeats_take_long_the_first_is_compared_with_itself(monkeypatch, tmp_path):
    result = simulate(DRAWN)
    monkeypatch.setattr(theory_module, "QUICK_ROUNDS", 26)  # a state has 24 numbers
    report = theory_report(Study(DRAWN), result)
    (method,) = report.methods
    assert method.exact_repeats == (0,)
    for accuracy, ways in method.costs.items():
        assert ways["exact"] == method.predicted[0].exact(accuracy) == ways["measured_of_exact"]
    assert method.costs[0.01]["measured"] != method.costs[0.01]["measured_of_exact"]
    assert report.to_mapping()["algorithms"]["extra"]["exact_repeats"] == [0]
    (patient,) = theory_report(Study(DRAWN), result, patient=True).methods
    assert patient.exact_repeats == (0, 1, 2)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps(DRAWN))
    result.save(tmp_path / "out")
    lines = CliRunner().invoke(app, ["theory", "s.yaml", "--result", "out"]).output.splitlines()
    rows = [line.split() for line in lines if line.startswith("EXTRA")]
    assert [row[-1] for row in rows] == ["1.00", "1.00"]
    (line,) = [line for line in lines if line.startswith("extra: ")]
    assert "the expected curve, of repeat 0 alone, as is what it is compared with" in line


def test_repeats_that_are_the_same_are_worked_out_once(monkeypatch, tmp_path):
    asked = []

    def seen(*args, **how):
        asked.append(how["exact"])
        return predict(*args, **how)

    monkeypatch.setattr(theory_module, "predict", seen)
    rows = np.random.default_rng(0).standard_normal((20, 3))
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",", header="a,b,y", comments="")
    data = {"kind": "file", "path": str(tmp_path / "d.csv")}
    read = {"kind": "ridge", "mu": 0.1, "data": data, "partition": {"kind": "sorted"}}
    same = {**DRAWN, "problem": read, "start": {"kind": "zeros"}}
    (method,) = theory_report(Study(same), first_only=True).methods
    assert asked == [True]
    assert method.exact_repeats == (0, 1, 2)
    (method,) = theory_report(Study({**same, "start": {"kind": "normal"}})).methods
    assert asked == [True] + 3 * [True]
    (method,) = theory_report(Study(DRAWN), first_only=True).methods
    assert asked[4:] == [True, False, False]
    assert method.exact_repeats == (0,)


def test_the_command(tmp_path, monkeypatch, result):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(json.dumps(SCENARIO))
    result.save(tmp_path / "out")
    arguments = ["theory", "s.yaml", "--result", "out", "--figure", "f.png"]
    ran = CliRunner().invoke(app, arguments)
    assert ran.exception is None
    assert (tmp_path / "f.png").exists()
    assert "promised" in ran.output
    assert "exact: the expected curve" in ran.output
    ran = CliRunner().invoke(app, ["theory", "s.yaml", "--json"])
    assert (
        json.loads(ran.output)["algorithms"]["dadao"]["costs"]["0.01"]["measured"]["time"] is None
    )


def test_a_surrogate_answers_for_another_optimum_and_promises_nothing_of_x_star():
    surrogate = {"oracle": {"surrogate": "meeting"}}
    asked = ["pg_extra", "dadao"]
    study = Study(
        {
            "name": "met",
            "problem": {"kind": "meeting"},
            "network": {"graph": "cycle", "nodes": 4},
            "algorithms": [*asked, *({"name": n, "label": f"{n}, V", **surrogate} for n in asked)],
            "stop": {"time": 10},
            "report": {"accuracies": [1e-6]},
        }
    )
    for method in theory_report(study).methods:
        is_known = not method.algorithm.endswith("V")
        for way in ("promised", "exact"):
            known = math.isfinite(method.costs[1e-6][way]["communications"])
            assert known == is_known, (method.algorithm, way)
        assert ("a surrogate answers" in method.predicted[0].why) != is_known


@pytest.mark.parametrize("name", ["phase-retrieval", "activation-relaxation"])
def test_without_one_x_star_theory_says_what_to_do_instead(name):
    with pytest.raises(InputError, match=r"^x_star: .*; theory is of ways to one x\* .*; run"):
        theory_report(Study(load_scenario(scenario_path(f"systems/{name}"))))
