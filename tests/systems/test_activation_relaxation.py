"""Activation relaxation: what it leaves of a gradient, what that costs, and who learns with it."""

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Annotated

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pydantic import TypeAdapter
from sklearn.datasets import make_moons

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.registry import entry
from dadao_sim.compiled.splitmix import drawn
from dadao_sim.errors import InputError
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.plotting.gradient_error import gradient_error_figure
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.gradient_oracle import (
    BACKPROP,
    ActivationRelaxation,
    GradientOracle,
)
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.mlp_model import Mlp, count_weights
from dadao_sim.problems.kinds.oracle import ORACLES
from dadao_sim.reports.gradient_error import gradient_error
from dadao_sim.results.axes import AXES
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.parts import build_parts
from dadao_sim.strict import ByKind, references_of
from dadao_sim.tuning.tune import tune

MOONS = {"kind": "moons", "size": 60, "noise": 0.15}


def relaxation(sweeps, step=0.2, start="zeros", **more):
    kind = "activation_relaxation"
    return ActivationRelaxation(kind=kind, sweeps=sweeps, step=step, start=start, **more)


def network(*hidden, activation="tanh", samples=32, seed=0):
    """One node with ``samples`` of 5 features, and weights of a net with as many layers."""
    rng = np.random.default_rng(seed)
    sizes = (5, *hidden, 1)
    A, b = rng.standard_normal((samples, 5)), rng.standard_normal(samples)
    w = np.concatenate(
        [
            np.r_[rng.standard_normal(o * i) / np.sqrt(i), 0.1 * rng.standard_normal(o)]
            for i, o in pairwise(sizes)
        ]
    )
    return Mlp((A,), (b,), np.array([1 / samples]), sizes, activation), w


def answer(model, w, oracle=BACKPROP):
    out = np.empty_like(w)
    replace(model, oracle=oracle).gradient(0, w, None, out)
    return out


def relative_error(model, w, oracle):
    exact = answer(model, w)
    return np.linalg.norm(answer(model, w, oracle) - exact) / np.linalg.norm(exact)


# ---- the gradient
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus"])
@pytest.mark.parametrize("hidden", [(16,), (16, 16, 16), (6,) * 7])
def test_backpropagation_is_the_derivative_by_complex_steps(hidden, activation):
    model, w = network(*hidden, activation=activation)
    f = {
        "tanh": np.tanh,
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "softplus": lambda a: np.log(1 + np.exp(a)),
    }[activation]

    def loss(w):
        x, k = model.rows[0].astype(complex), 0
        for number, (i, o) in enumerate(pairwise(model.sizes)):
            a = x @ w[k : k + o * i].reshape(o, i).T + w[k + o * i : k + o * (i + 1)]
            x, k = f(a) if number < len(hidden) else a, k + o * (i + 1)
        return 0.5 * np.mean((x[:, 0] - model.targets[0]) ** 2)

    assert_allclose(model.value(0, w), loss(w.astype(complex)).real, rtol=1e-13)
    tiny = 1e-30
    derivative = [loss(w + 1j * tiny * e).imag / tiny for e in np.eye(w.size)]
    assert_allclose(answer(model, w), derivative, atol=1e-12)


@pytest.mark.parametrize("start", ["zeros", "activations"])
@pytest.mark.parametrize("hidden", [(16,), (16, 16, 16), (6,) * 7])
def test_a_step_of_1_is_exact_after_as_many_sweeps_as_hidden_layers(hidden, start):
    model, w = network(*hidden)
    exact, found = (answer(model, w, o) for o in (BACKPROP, relaxation(len(hidden), 1.0, start)))
    assert_allclose(found, exact, atol=1e-12 * np.abs(exact).max())
    if len(hidden) > 1:
        assert relative_error(model, w, relaxation(len(hidden) - 1, 1.0, start)) > 1e-3


@pytest.mark.parametrize("start", ["zeros", "activations"])
@pytest.mark.parametrize(
    ("sweeps", "step", "rtol"), [(60_000, 1e-4, 1e-3), (30, 0.2, 1e-10), (9, 1.5, 1e-10)]
)
def test_the_error_has_its_closed_form(sweeps, step, rtol, start):
    """exp(-t) sum_j t^j/j! N^j e(0) at t = 6 for steps of 1e-4; of larger ones the binomial."""
    model, w = network(8, 8, 8, samples=6)
    there = model.forward(w, model.rows[0])
    top = there.activations[-1] - model.targets[0][:, None]
    x = relaxation(sweeps, step, start).backward(*there, top)
    exact = BACKPROP.backward(*there, top)
    first = [np.zeros_like(xbar) if start == "zeros" else xbar for xbar in there.activations[1:-1]]
    for layer in range(3):
        total = np.zeros_like(exact[layer])
        for j in range(3 - layer):
            v = first[layer + j] - exact[layer + j]
            for q in reversed(range(layer + 1, layer + j + 1)):
                v = (v * there.slopes[q]) @ there.weights[q]
            if rtol == 1e-3:
                total += math.exp(-6) * 6**j / math.factorial(j) * v
            else:
                total += math.comb(sweeps, j) * step**j * (1 - step) ** (sweeps - j) * v
        found = x[layer] - exact[layer]
        assert np.abs(found - total).max() <= rtol * np.abs(total).max() + 1e-15


@pytest.mark.parametrize("hidden", [(16,), (16, 16, 16), (6,) * 7])
def test_the_relative_error_decreases_within_its_bound(hidden):
    model, w = network(*hidden)
    layers = len(hidden) + 1
    oracles = [relaxation(K) for K in (1, 5, 10, 20, 40, 80, 160)]
    errors = [relative_error(model, w, one) for one in oracles]
    assert (np.diff(errors) < 0).all()
    for error, one in zip(errors, oracles, strict=True):
        assert error <= one.error(layers) * (1 + 1e-9)
        # From zeros a layer has the exact gradient times a number of its own.
        exact, found = (model.layers(answer(model, w, o)) for o in (BACKPROP, one))
        for depth, (W, V) in enumerate(zip(exact[::-1], found[::-1], strict=True)):
            assert_allclose(V[0], (1 - one.missing(depth)) * W[0], atol=1e-12)
    late = [relative_error(model, w, relaxation(K, start="activations")) for K in (20, 40, 80, 160)]
    assert (np.diff(late) < 0).all()
    assert (np.array(late) > 5 * np.array(errors[3:])).all()


def test_the_error_of_deep_networks_decays_later_than_exp_minus_t():
    """(1 - h)^K of one hidden layer, times K^{L-2}/(L-2)! (h/(1-h))^{L-2} in the end of L - 1."""
    one, many = (network(*hidden) for hidden in ((16,), (6,) * 7))
    soon = [relative_error(*one, relaxation(K, 0.1)) for K in (50, 100)]
    assert_allclose(soon[1] / soon[0], 0.9**50, rtol=1e-9)
    later = [relative_error(*many, relaxation(K, 0.1)) for K in (200, 300)]
    assert later[1] / later[0] > 10 * 0.9**100
    lead = [math.comb(K, 6) * 0.9**K for K in (200, 300)]
    assert_allclose(later[1] / later[0], lead[1] / lead[0], rtol=0.15)


def test_without_the_slopes_two_layers_are_exact_and_four_are_not():
    def cosine(*hidden):
        model, w = network(*hidden)
        g, v = (answer(model, w, o) for o in (BACKPROP, relaxation(400, nonlinear=False)))
        return g @ v / np.linalg.norm(g) / np.linalg.norm(v)

    assert_allclose(cosine(16), 1, rtol=1e-12)
    assert 0.8 < cosine(16, 16, 16) < 0.999


# ---- what is said before
# ----------------------------------------------------------------------------------


def problem_of(nodes=6, **keys):
    spec = PROBLEMS["mlp"](**{"kind": "mlp", "hidden": (4,), "data": MOONS, **keys})
    return build_problem(spec, nodes, np.random.default_rng(0))


def test_how_many_sweeps_are_enough():
    assert relaxation(10).advice(4) == (
        "oracle.sweeps: 10 at step 0.2 leaves a relative error of up to 0.68 with 4 layers; "
        "39 or more"
    )
    assert "with 4 layers, and more from activations; 39" in relaxation(
        10, start="activations"
    ).advice(4)
    assert relaxation(39).advice(4) == ""
    assert relaxation(38).advice(4) != ""
    assert relaxation(3, 1.0).advice(4) == relaxation(12, 1.5).advice(2) == ""
    for step in (0.05, 0.5, 1.0, 1.7):
        enough = relaxation(1, step).enough(5)
        assert relaxation(enough, step).error(5) <= 0.01
        assert step > 1 or relaxation(max(enough - 1, 1), step).error(5) > 0.01
    oracle = {"kind": "activation_relaxation", "sweeps": 10, "step": 0.2}
    assert problem_of(hidden=(4, 4, 4), oracle=oracle).remark == relaxation(10).advice(4)
    assert problem_of().remark == ""


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"oracle": {"kind": "activation_relaxation", "sweeps": 5, "step": 2.1}},
         "problem.oracle.step: 2.1 diverges; in (0, 2)"),
        ({"oracle": {"kind": "activation_relaxation", "sweeps": 0, "step": 1}},
         "problem.oracle.sweeps: must be at least 1"),
        ({"held_out": 0.2, "partition": None,
          "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 5}},
         "problem.held_out: synthetic data are drawn at each node"),
        ({"hidden": []}, "problem.hidden: must not be empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(keys, said):
    with pytest.raises(InputError) as caught:
        scenario_from_mapping(scenario("cycle", [], **keys))
    assert said in str(caught.value)


def test_the_paper_is_cited_where_it_is_used():
    path = shipped.scenarios()["systems/activation-relaxation"]
    assert list(references_of(load_scenario(path))) == ["millidge2020activation"] * 5
    assert entry("millidge2020activation").startswith("@article{millidge2020activation,")
    assert list(references_of(scenario_from_mapping(scenario("cycle", [])))) == []


def scenario(graph, algorithms, time=5, *, metrics=(), **keys):
    asked = {"kind": "mlp", "hidden": [4], "data": MOONS, "partition": {"kind": "sorted"}}
    return {
        "name": "small",
        "problem": {**asked, **keys},
        "network": {"graph": graph, "nodes": 6},
        "start": {"kind": "normal", "scale": 0.5, "shared": True},
        "algorithms": algorithms or ["gradient_tracking"],
        "stop": {"time": time},
        "record": {"points": 5, "metrics": ["objective", *metrics]},
    }


def test_what_is_not_known_of_it_is_said_where_it_is_asked_for():
    with pytest.raises(InputError, match="gradient_tracking: L: the gradient of an mlp has no Lip"):
        simulate(scenario("cycle", []))
    with pytest.raises(InputError, match="nids minimises convex functions, and the problem mlp"):
        simulate(scenario("cycle", ["nids"]))
    tracked = {"name": "gradient_tracking", "parameters": {"step": 0.1}}
    with pytest.raises(InputError, match="no node is without samples to test on; set held_out"):
        simulate(scenario("cycle", [tracked], metrics=["test_accuracy"]))
    with pytest.raises(InputError, match="start: zeros keeps the units of every layer of an mlp"):
        simulate({**scenario("cycle", [tracked]), "start": {"kind": "zeros"}})
    exact = Problem.quadratic(np.ones((6, 1, 1)), np.arange(6.0)[:, None])
    asked = [{**tracked, "oracle": {"kind": "backprop"}}]
    with pytest.raises(InputError, match="oracle: the gradients of kind quadratic have none; lea"):
        simulate(exact, nx.cycle_graph(6), asked, time=5)


# ---- data
# -----------------------------------------------------------------------------------------------


def test_the_samples_are_the_moons_each_at_one_node_or_held_out():
    problem = problem_of(held_out=0.25, partition={"kind": "sorted"})
    X, y = make_moons(60, noise=0.15, random_state=0)
    parts = [*zip(problem.model.rows, problem.model.targets, strict=True)]
    parts.append((problem.test_rows, problem.test_targets))
    found = sorted((*row, b) for A, targets in parts for row, b in zip(A, targets, strict=True))
    assert found == sorted((*row, 2.0 * b - 1) for row, b in zip(X, y, strict=True))
    assert (problem.samples.sum(), len(problem.test_targets)) == (45, 15)
    assert sum(abs(targets.sum()) == len(targets) for targets in problem.model.targets) >= 5
    assert problem.dimension == count_weights((2, 4, 1)) == 17


def test_accuracy_is_the_share_of_labels_told_right():
    problem = problem_of(held_out=0.5)
    w = np.zeros(17)
    w[-1] = 1.0  # the last bias: every output is 1
    assert problem.test_accuracy(w) == (problem.test_targets == 1).mean()
    assert problem.test_accuracy(-w) == (problem.test_targets == -1).mean()


def test_accuracy_is_known_beside_a_local_step():
    problem = problem_of(held_out=0.5)
    quantised = problem.with_local_step(
        build_local_step({"quantise": {"kind": "rounding", "levels": [-1, 1]}}, 17)
    )
    w = np.random.default_rng(0).standard_normal(17)
    assert quantised.test_accuracy(w) == problem.test_accuracy(w)


def test_a_minibatch_is_the_gradient_of_the_samples_drawn():
    problem = problem_of(weighting="uniform", oracle=relaxation(7, start="activations"))
    w, mark = np.random.default_rng(1).standard_normal(17), np.uint64(12345)
    out = np.empty(17)
    problem.stochastic_objective(5).gradient(2, w, mark, out)
    picked = [drawn(mark, k, 10) for k in range(5)]
    A, b = problem.model.rows[2][picked], problem.model.targets[2][picked]
    alone = replace(problem.model, rows=(A,), targets=(b,), scale=np.array([0.2]))
    assert_allclose(out, answer(alone, w, relaxation(7, start="activations")), rtol=1e-13)
    assert_allclose(problem.gradient(2, w), answer(replace(
        alone, rows=(problem.model.rows[2],), targets=(problem.model.targets[2],),
        scale=np.array([0.1])), w))  # fmt: skip


def test_the_nodes_keep_what_they_hold_in_another_order():
    problem = problem_of(partition={"kind": "iid", "sizes": "uneven"})
    other = problem.relabelled([3, 1, 0, 2, 5, 4])
    w = np.random.default_rng(1).standard_normal(17)
    assert other.value(0, w) == problem.value(3, w)
    assert (other.gradient(5, w) == problem.gradient(4, w)).all()
    assert_allclose(other.mean_value(w), problem.mean_value(w), rtol=1e-14)


# ---- what it costs, and the lesson
# ------------------------------------------------------------------------


@cache
def lesson():
    """Of the scenario all but the curves between."""
    path = shipped.scenarios()["systems/activation-relaxation"]
    kept = load_scenario(path, ["stop.time=1200", "record.points=3"]).to_mapping()
    kept["algorithms"] = [a for a in kept["algorithms"] if a["label"] != "40 sweeps"]
    del kept["figures"]
    return simulate(kept)


def test_few_sweeps_from_the_activations_are_useless_and_many_are_backpropagation():
    ends = lesson().curves.groupby("algorithm").last()
    loss = ends["objective"]
    assert abs(loss["80 sweeps"] - loss["backpropagation"]) < 1e-3
    assert loss["10 sweeps"] > 5 * loss["backpropagation"]
    assert loss["20 sweeps"] > 3 * loss["backpropagation"]
    assert ends["test_accuracy"]["80 sweeps"] > 0.95
    assert ends["test_accuracy"]["10 sweeps"] < 0.8
    assert ends["stationarity"]["10 sweeps"] > 1000 * ends["stationarity"]["80 sweeps"]
    # The control: it is the start at the activations, not the number of sweeps.
    assert loss["10 sweeps, from zeros"] < 1.2 * loss["backpropagation"]


def test_relaxations_are_gradients_times_sweeps():
    result = lesson()
    curves = result.curves.assign(relaxations=result.spent("relaxations"))
    sweeps = {"backpropagation": 1, "80 sweeps": 80, "20 sweeps": 20, "10 sweeps": 10}
    for label, run in curves.groupby("algorithm"):
        assert (run["relaxations"] == sweeps.get(label, 10) * run["gradients"]).all()
    assert "relaxations_median" in result.summary
    exact = simulate(
        scenario("cycle", [{"name": "gradient_tracking", "parameters": {"step": 0.1}}])
    )
    assert (exact.spent("relaxations") == exact.spent("gradients")).all()
    problem = Problem.quadratic(np.ones((6, 1, 1)), np.arange(6.0)[:, None])
    other = simulate(problem, nx.cycle_graph(6), ["nids"], time=5)
    with pytest.raises(InputError, match="x: relaxations: no gradients of the scenario come from "):
        other.spent("relaxations")
    assert AXES["relaxations"].why_not(other.curves, other.terms)


def test_a_price_per_relaxation_puts_backpropagation_and_sweeps_on_one_axis():
    """Of two that lose as little: by gradients alone they cost the same, by sweeps ten times."""
    curves = lesson().curves
    exact, relaxed = (
        curves["algorithm"] == name for name in ("backpropagation", "10 sweeps, from zeros")
    )
    for price, ratio in ((0.0, 1.0), (0.5, 10.0)):
        terms = lesson().terms.priced(gradient=0 if price else 1, communication=0, relaxation=price)
        cost = lesson().spent("cost", terms)
        assert (cost[relaxed] == ratio * cost[exact]).all()
        assert (cost[exact] == (price or 1) * curves["gradients"][exact]).all()
    tracked = {"name": "gradient_tracking", "parameters": {"step": 0.1}}
    asked = scenario("cycle", [tracked], oracle=relaxation(7).model_dump())
    dear = {"gradient": 0, "communication": 2, "relaxation": 3}
    made = simulate({**asked, "report": {"cost": dear}})
    spent = 2 * made.spent("communications") + 3 * 7 * made.spent("gradients")
    assert (made.spent("cost") == spent).all()


def test_the_problems_oracle_is_that_of_all_algorithms_that_have_none():
    tracked = {"name": "gradient_tracking", "parameters": {"step": 0.1}}
    oracle = relaxation(10, start="activations").model_dump()
    exact = {**tracked, "label": "exact", "oracle": {"kind": "backprop"}}
    result = simulate(scenario("cycle", [tracked, exact], 20, oracle=oracle))
    few = {**tracked, "label": "few", "oracle": oracle}
    other = simulate(scenario("cycle", [tracked, few], 20))
    x, y = (
        {label: state["x"] for (label, _), state in made.states.items()} for made in (result, other)
    )
    assert (x["exact"] == y["gradient_tracking"]).all()
    assert (x["gradient_tracking"] == y["few"]).all()
    assert np.abs(x["exact"] - x["gradient_tracking"]).max() > 0.1
    assert result.terms.sweeps == {"gradient_tracking": 10, "exact": 1}


def test_the_figure_of_the_error_shows_what_was_measured():
    report = gradient_error(lesson())
    assert (report.layers, report.step) == (3, 0.2)
    for start in ("zeros", "activations"):
        assert_allclose(report.measured[start], report.predicted[start], rtol=1e-3, atol=1e-12)
    late = report.time > 5
    for decay, least, most in zip(report.decay, (1, 0.01), (20, 1), strict=True):
        share = report.measured["zeros"][late] / decay[late]
        assert ((share > least) & (share < most)).all()
    (axes,) = gradient_error_figure(report).axes
    drawn_at = [line.get_ydata() for line in axes.lines if line.get_marker() == "s"]
    assert (drawn_at[0] == report.measured["activations"]).all()


# ---- decentralised is centralised
# -------------------------------------------------------------------------


def descent(step, steps):
    """Gradient descent on F from the common start: its last point."""
    parts = build_parts(scenario_from_mapping(scenario("cycle", [])), 0)
    x = parts.x0[0].copy()
    for _ in range(steps):
        x -= step * parts.problem.mean_operator(x)
    return parts.problem, x


@pytest.mark.parametrize("graph", ["cycle", "star", "complete"])
def test_the_nodes_descend_as_one(graph):
    algorithms = [
        {"name": "gradient_tracking", "parameters": {"step": 0.05}},
        {"name": "a2cid2", "parameters": {"step": 0.0025}},
    ]
    result = simulate(scenario(graph, algorithms, 1500, metrics=["stationarity"]))
    ends = result.curves.groupby("algorithm").last()
    for label, step, start in (("gradient_tracking", 0.05, 1), ("a2cid2", 0.0025, 0)):
        end = ends.loc[label]
        problem, x = descent(step, round(end["gradients"] / 6) - start)
        near = 1e-3 if label == "gradient_tracking" else 2e-3  # its clocks are random
        assert abs(end["objective"] - problem.mean_value(x)) < near
        assert end["consensus_error"] < 2e-3
        if (graph, label) == ("complete", "gradient_tracking"):  # an average in every round
            X = result.states[label, 0]["x"]
            assert_allclose(X, np.tile(x, (6, 1)), rtol=1e-9, atol=1e-10)
            assert_allclose(end["stationarity"], problem.stationarity(x), rtol=1e-8)


def test_a_kind_of_oracle_is_refused_with_those_there_are():
    asked = TypeAdapter(Annotated[GradientOracle, ByKind(ORACLES)])
    assert asked.validate_python({"kind": "backprop"}) == BACKPROP
    with pytest.raises(InputError, match="backprop"):
        scenario_from_mapping(scenario("cycle", [], oracle={"kind": "backpropp"}))


def test_a_search_of_constants_counts_sweeps_as_well():
    """By a cost that is of sweeps alone, what ten take is ten times the gradients."""
    tracked = {"name": "gradient_tracking", "parameters": {"L": 30.0}}
    asked = scenario("cycle", [tracked], 60, oracle=relaxation(10).model_dump())
    prices = {"gradient": 0, "communication": 0, "relaxation": 0.5}
    asked["report"] = {"accuracies": [0.5], "cost": prices}
    found = tune(asked, budget=16).evaluations.query("status == 'converged'")
    assert len(found) > 3
    assert (found["cost"] == 5 * found["gradients"]).all()


def test_its_accuracy_is_the_stationarity_over_that_of_the_start():
    tracked = {"name": "gradient_tracking", "parameters": {"step": 0.2}}
    asked = {**scenario("complete", [tracked], 400, metrics=["stationarity"])}
    asked["stop"]["accuracy"] = 0.3
    asked["record"]["points"] = 200
    curves = simulate(asked).curves
    ratio = curves["stationarity"] / curves["stationarity"].iloc[0]
    assert_allclose(curves["accuracy"], ratio, rtol=1e-12)
    assert curves["mean_squared_distance"].isna().all()
    assert curves["accuracy"].iloc[-1] <= 0.3 < curves["accuracy"].iloc[-2]
    assert curves["time"].iloc[-1] < 400
    absolute = 0.3 * curves["stationarity"].iloc[0]
    asked["stop"] = {"time": 400, "until": {"stationarity": absolute}}
    assert simulate(asked).curves["time"].iloc[-1] == curves["time"].iloc[-1]
