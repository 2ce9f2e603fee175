"""Local steps from the scenario to the tables: who takes one, where it ends, how it is called."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.linear_model import ElasticNet

from dadao_sim import simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.cli.world import print_worlds
from dadao_sim.errors import InputError
from dadao_sim.local_steps import from_callable
from dadao_sim.local_steps.terms import make
from dadao_sim.plotting.curves import curve_figure, panel_figure
from dadao_sim.reports.comparison import comparison_table
from dadao_sim.reports.world import world_report
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.study import Study

PROVEN = [
    name
    for name, method in METHODS.items()
    if method.composite == "proven" and not method.needs_set
]
SCENARIO = {
    "name": "elastic-net",
    "problem": {
        "kind": "ridge",
        "mu": 0.5,
        "data": {"kind": "sparse_signal", "dim": 8, "samples_per_node": 15, "nonzeros": 3},
    },
    "local_step": {"prox": {"kind": "l1", "strength": 0.3}},
    "network": {"graph": "cycle", "nodes": 10},
    "algorithms": [*PROVEN, "dadao"],
    "stop": {"time": 6000, "accuracy": 1e-17},
}


def soft(v, step):
    return np.sign(v) * np.maximum(np.abs(v) - step * 0.3, 0.0)


@pytest.fixture(scope="module")
def result():
    return simulate(SCENARIO)


@pytest.fixture(scope="module")
def x_star():
    """By scikit-learn: half of ||.||^2/N + 0.25 ||x||^2 + 0.3 |x| is its objective."""
    parts = build_parts(scenario_from_mapping(SCENARIO), 0)
    model = parts.problem.smooth.model
    other = ElasticNet(alpha=0.4, l1_ratio=0.375, fit_intercept=False, tol=1e-15, max_iter=10**6)
    return other.fit(model.A, model.b).coef_


@pytest.mark.parametrize("name", [*PROVEN, "dadao"])
def test_every_method_finds_the_same_optimum(result, x_star, name):
    """The worst node, relative: to 1e-8 where a theorem says so, DADAO to 1e-7."""
    state = result.states[name, 0]
    x = state["x"]
    if name == "dual_proximal_gradient":
        problem = build_parts(scenario_from_mapping(SCENARIO), 0).problem
        x = problem.conjugate_gradients(state["y"])
    assert (x_star == 0).any()
    worst = np.linalg.norm(x - x_star, axis=1).max() / np.linalg.norm(x_star)
    assert worst <= (1e-7 if name == "dadao" else 1e-8)


def test_dadao_is_called_experimental_in_every_table_and_legend(result):
    for table in (result.runs, result.summary, comparison_table({"one": result}, 1e-3)):
        assert dict(zip(table["method"], table["experimental"], strict=True)) == {
            **dict.fromkeys(PROVEN, False),
            "dadao": True,
        }
    for figure in (panel_figure(result), curve_figure(result)):
        names = [text.get_text() for text in figure.legends[0].get_texts()]
        assert "DADAO (experimental)" in names
        assert sum("experimental" in name for name in names) == 1


def test_so_it_is_under_a_label_of_the_users_and_in_latex(tmp_path):
    own = {**SCENARIO, "algorithms": [{"name": "dadao", "label": "Ours"}], "stop": {"time": 3}}
    simulate(own, out=tmp_path / "r")
    assert "Ours (experimental)" in (tmp_path / "r" / "summary.tex").read_text()


@pytest.mark.parametrize(
    "term",
    [
        {"kind": "mcp", "strength": 0.3},
        {"kind": "k_sparse", "k": 3},
    ],
)
def test_no_theorem_covers_a_term_that_is_not_convex(term):
    plans = Study(scenario_from_mapping({**SCENARIO, "local_step": {"prox": term}})).check()
    assert {plan.method.name for plan in plans} == {*PROVEN, "dadao"}
    assert all(plan.experimental for plan in plans)
    smooth = {key: value for key, value in SCENARIO.items() if key != "local_step"}
    assert not any(plan.experimental for plan in Study(scenario_from_mapping(smooth)).check())


def test_a_callable_in_the_place_of_the_built_in_gives_the_same_bytes(result):
    short = {**SCENARIO, "stop": {"time": 60}}
    built_in = simulate(short)
    called = simulate(
        {key: value for key, value in short.items() if key != "local_step"},
        local_step=from_callable(soft, 8, convex=True, value=make("l1", 8, strength=0.3).value),
    )
    assert_frame_equal(called.curves, built_in.curves)
    for key, state in built_in.states.items():
        for block, values in state.items():
            assert_array_equal(called.states[key][block], values, err_msg=f"{key} {block}")
    assert called.manifest["given_in_python"] == ["local_step"]


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(tmp_path):
    short = {**SCENARIO, "stop": {"time": 60}, "repeats": 2}
    one, two = tmp_path / "one", tmp_path / "two"
    simulate(short, out=one)
    simulate(short, out=two, jobs=2)
    assert (one / "curves.parquet").read_bytes() == (two / "curves.parquet").read_bytes()


def test_what_is_infinite_or_unknown_does_not_stop_a_run():
    """Outside a box F + r is infinite; a callable without value has none."""
    box = {**SCENARIO, "local_step": {"prox": {"kind": "box", "upper": 0.1}}}
    short = {**box, "algorithms": ["dadao", "nids"], "stop": {"time": 30}}
    curves = simulate(short).curves
    assert np.isfinite(curves["accuracy"]).all()
    assert (curves.query("algorithm == 'nids'")["suboptimality"].iloc[1:] >= 0).all()
    del short["local_step"]
    result = simulate(short, local_step=from_callable(soft, 8, convex=True))
    assert result.curves["suboptimality"].isna().all()
    with pytest.raises(InputError, match="no run has a positive suboptimality"):
        curve_figure(result, y="suboptimality")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"algorithms": ["msda"]},
            "msda cannot take a local_step: its rate rests on smooth f_i + r; "
            "use dual_proximal_gradient",
        ),
        (
            {"problem": {**SCENARIO["problem"], "kind": "least_squares", "mu": None}},
            "make mu = 0; use kind ridge",
        ),
        (
            {"local_step": {"prox": {"kind": "tv_2d", "strength": 1.0, "shape": [3, 3]}}},
            "local_step.prox.shape: ",
        ),
    ],
)
def test_what_cannot_be_run_is_said_before_the_first_run(changes, message):
    mapping = {**SCENARIO, **changes}
    mapping["problem"] = {k: v for k, v in mapping["problem"].items() if v is not None}
    if "problem" in changes:
        mapping["problem"]["data"] = {**mapping["problem"]["data"], "samples_per_node": 3}
    with pytest.raises(InputError, match=re.escape(message)):
        Study(scenario_from_mapping(mapping)).check()


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("d_admm", {"c": 0.0}, "'c' must be above 0, not 0"),
        ("pg_extra", {"step": -1.0}, "'step' must be above 0, not -1"),
        ("prox_ed", {"step": 0.0}, "'step' must be above 0, not 0"),
        ("nids", {"step": 0.0}, "'step' must be above 0, not 0"),
        ("nids", {"own_steps": 0.5}, "'own_steps' must be a whole number from 0 to 1, not 0.5"),
        ("sonata", {"tau": -3.0}, "'tau' must be above 0, not -3"),
        ("prox_lead", {"bits": 1100.0}, "'bits' must be a whole number from 1 to 52, not 1100"),
        ("prox_lead", {"eta": 0.0}, "'eta' must be above 0, not 0"),
        ("dual_proximal_gradient", {"alpha": -1.0}, "'alpha' must be above 0, not -1"),
        ("dadao", {"gamma": 0.0}, "'gamma' must be above 0, not 0"),
    ],
)
def test_constants_that_make_no_sense(name, parameters, message):
    own = {**SCENARIO, "algorithms": [{"name": name, "parameters": parameters}]}
    with pytest.raises(InputError, match=re.escape(f"algorithms: {name}: parameter {message}")):
        Study(scenario_from_mapping(own)).check()


def test_a_tiny_penalty_of_d_admm_is_slow_but_runs():
    own = {**SCENARIO, "algorithms": [{"name": "d_admm", "parameters": {"c": 1e-100}}]}
    result = simulate({**own, "stop": {"time": 3}})
    assert result.curves["accuracy"].iloc[-1] < result.curves["accuracy"].iloc[0]


def test_a_step_too_long_for_a_denoiser_is_said_before_the_first_run():
    own = {key: value for key, value in SCENARIO.items() if key != "local_step"}
    step = from_callable(lambda v, step: soft(v, 0.1), 8, exact=False)
    Study(scenario_from_mapping({**own, "algorithms": ["prox_ed"]}), local_step=step).check()
    two = scenario_from_mapping({**own, "algorithms": ["prox_ed", "dual_proximal_gradient"]})
    with pytest.raises(InputError, match=r"dual_proximal_gradient at its step \S+: local_step: x"):
        Study(two, local_step=step).check()


def test_without_mu_prox_lead_is_experimental_and_others_say_what_they_lack():
    lasso = {**SCENARIO["problem"], "kind": "least_squares"}
    del lasso["mu"]
    lasso["data"] = {**lasso["data"], "samples_per_node": 3}
    own = {**SCENARIO, "problem": lasso, "algorithms": ["prox_lead", "prox_ed"]}
    plans = Study(scenario_from_mapping(own)).check()
    assert {plan.method.name: plan.experimental for plan in plans} == {
        "prox_lead": True,
        "prox_ed": False,
    }
    for name, reason in (
        ("d_admm", "its c needs mu; give one by parameters: {c: ...} (data of node 0"),
        ("dual_proximal_gradient", "data of node 0: 3 samples in dimension 8 make mu = 0"),
    ):
        with pytest.raises(InputError, match=re.escape(f"algorithms: {name}: {reason}")):
            Study(scenario_from_mapping({**own, "algorithms": [name]})).check()


def test_the_report_of_a_world_calls_it_experimental_too(capsys):
    world = {**SCENARIO, "algorithms": ["dadao"], "world": {"preset": "ideal"}}
    report = world_report(scenario_from_mapping(world), "dadao", end=5.0)
    print_worlds([report])
    assert "DADAO (experimental)" in capsys.readouterr().out


def test_one_local_step_only():
    problem = build_parts(scenario_from_mapping(SCENARIO), 0).problem
    with pytest.raises(InputError, match="the problem has one of its own"):
        simulate(SCENARIO, problem=problem)
