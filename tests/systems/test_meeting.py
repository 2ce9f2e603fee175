"""Meeting: convex surrogates of the value, where agents meet by them, and what is refused."""

import json
import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from meeting_cases import (
    FORM,
    GRAPHS,
    HELD_OUT,
    NAMES,
    SCENARIO,
    central,
    gradient,
    instance,
    sampled_slopes,
    thetas,
    value,
)
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Network, Problem, learning, load_scenario, make, simulate
from dadao_sim.algorithms.contract.registry import entry, get_method
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned import torch_extra
from dadao_sim.plotting.curves import draw
from dadao_sim.plotting.meeting import meeting_figure
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.convex_surrogate import (
    FILES,
    ConvexSurrogate,
    load_surrogate,
    save_surrogate,
)
from dadao_sim.problems.kinds.meeting import PLANE, MeetingForm, SurrogateValue, meeting_problem
from dadao_sim.randomness import stream
from dadao_sim.reports.meeting import meeting
from dadao_sim.reports.origin import study_of
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.strict import references_of

# ---- Surrogates ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=NAMES)
def shipped(request):
    return load_surrogate(request.param)


def midpoint_gap(V, count=200_000):
    """The least mean of V at two points less V half way between, in twice the box."""
    a, b = thetas(count, 3, beyond=2.0), thetas(count, 4, beyond=2.0)
    return float(((V.values(a) + V.values(b)) / 2 - V.values((a + b) / 2)).min())


def test_a_surrogate_is_convex_and_one_of_free_signs_is_not(shipped):
    V, _ = shipped
    assert midpoint_gap(V) >= -1e-12
    free = V._replace(w=V.w * np.where(np.arange(len(V.w)) % 2, -1, 1))
    assert midpoint_gap(free) < -1


def test_its_slopes_are_within_its_certified_bounds(shipped):
    V, _ = shipped
    mu, L = V.bounds
    least, most = sampled_slopes(lambda theta: V.slopes(theta[None])[0, :PLANE], 2000)
    assert mu <= least
    assert most <= L
    assert mu >= instance(0).mu * (1 - 1e-6)  # it was learned with that as a floor
    assert L < 10


def test_its_gradient_is_that_of_its_value(shipped):
    V, _ = shipped
    for theta in thetas(50, 5):
        by_differences = central(lambda t: V.values(t[None])[0], theta, 1e-5)
        assert_allclose(V.slopes(theta[None])[0], by_differences, rtol=1e-6, atol=1e-6)


def test_it_is_near_the_value(shipped):
    V, metadata = shipped
    points = thetas(300, 6)
    values = np.array([value(theta) for theta in points])
    slopes = np.array([gradient(theta) for theta in points])
    off = np.sqrt(((V.values(points) - values) ** 2).mean()) / values.std()
    apart = ((V.slopes(points)[:, :PLANE] - slopes) ** 2).sum(axis=1).mean()
    steep = np.sqrt(apart / (slopes**2).sum(axis=1).mean())
    assert off <= 0.04
    assert steep <= 0.05
    assert metadata["errors"]["value"] == pytest.approx(off, rel=0.3)
    assert metadata["errors"]["slope"] == pytest.approx(steep, rel=0.3)


def test_the_labels_of_the_network_came_closer_in_every_round():
    _, metadata = load_surrogate("meeting_self")
    rounds = metadata["rounds"]
    violations = [one["violation"] for one in rounds]
    assert len(rounds) == 10
    assert sum(after < before for before, after in pairwise(violations)) >= 8
    assert rounds[-1]["gap"] <= 0.05 * metadata["mean_value"]
    assert 0 < rounds[-1]["residual"] < 1  # which is reported, and does not vanish
    assert load_surrogate("meeting")[1]["rounds"] == []


@pytest.mark.parametrize("name", NAMES)
def test_agents_meet_near_the_optimum_on_instances_that_nobody_learned_from(name):
    losses, of_means = [], []
    for number in range(HELD_OUT):
        problem = instance(number).with_oracle(SurrogateValue(surrogate=name))
        losses.append(problem.excess(problem.found))
        of_means.append(problem.excess(problem.mean_of_positions))
        assert problem.surrogate_value(problem.found) < problem.surrogate_value(problem.x_star)
    assert max(losses) <= 0.02
    assert np.mean(losses) <= np.mean(of_means) / 3


def test_the_compiled_gradients_are_those_of_the_surrogate(shipped):
    V, _ = shipped
    agents = instance(0).exact.agents
    points = np.hstack([-agents[:, :PLANE], agents[:, PLANE:]])
    problem = V.problem(points)
    X = np.random.default_rng(0).standard_normal((10, PLANE))
    moved = points.copy()
    moved[:, :PLANE] += X
    assert_allclose(problem.gradients(X), V.slopes(moved)[:, :PLANE], rtol=1e-12, atol=1e-12)
    values = [problem.value(i, x) for i, x in enumerate(X)]
    assert_allclose(values, V.values(moved), rtol=1e-12)
    x, y = X[:2]
    expected = problem.mean_value(x) - problem.mean_value(y) - problem.mean_operator(y) @ (x - y)
    assert problem.divergence(x, y) == pytest.approx(expected, rel=1e-9)
    order = np.roll(np.arange(10), 3)
    assert_allclose(problem.relabelled(order).gradients(X[order]), problem.gradients(X)[order])
    assert (problem.mu, problem.L) == V.bounds


def test_what_is_measured_is_never_measured_by_the_surrogate():
    problem = instance(4)
    other = problem.with_oracle(SurrogateValue(surrogate="meeting"))
    x = np.array([0.4, 0.1])
    assert other.mean_value(x) == problem.mean_value(x)
    assert_array_equal(other.gradient(0, x), problem.gradient(0, x))
    assert_array_equal(other.x_star, problem.x_star)
    assert problem.surrogate_value(x) == problem.mean_value(x)
    assert other.surrogate_value(x) != problem.mean_value(x)
    assert (other.mu, other.L) != (problem.mu, problem.L)  # a method's constants are of its oracle
    assert "F 0" in other.remark
    assert problem.remark == ""
    method = get_method("pg_extra")
    assert method.is_experimental(other)
    assert not method.is_experimental(problem)
    boxed = other.with_local_step(make("box", PLANE, lower=-1.0, upper=1.0))
    assert not boxed.has_exact_oracle


def test_agents_that_rest_in_one_place_have_nothing_to_compare_with():
    """F* is 0 there, and F/F* - 1 no number."""
    there = np.tile([0.5, -0.5, 0.0, 0.0], (3, 1))
    problem = meeting_problem(there, MeetingForm()).with_oracle(SurrogateValue(surrogate="meeting"))
    assert_allclose(problem.x_star, [0.5, -0.5], atol=1e-9)
    assert problem.remark.endswith(", and the least is 0")


def test_relabelled_agents_meet_at_the_same_point():
    problem = instance(5).with_oracle(SurrogateValue(surrogate="meeting"))
    order = np.roll(np.arange(10), 4)
    other = problem.relabelled(order)
    assert_array_equal(other.exact.agents, problem.exact.agents[order])
    assert_allclose(other.found, problem.found, atol=1e-11)


# ---- Files ---------------------------------------------------------------------------------------


def test_what_is_shipped_is_small_and_says_its_command():
    assert FILES.names() == sorted(NAMES)
    for name in NAMES:
        path = FILES.folder / f"{name}.npz"
        assert path.stat().st_size < 20_000
        with np.load(path, allow_pickle=False) as archive:
            metadata = json.loads(str(archive["metadata"]))
        labels = "self" if name.endswith("self") else "solver"
        assert metadata["command"] == (
            f"dadao-sim learn-surrogate systems/meeting --labels {labels} --out {name}.npz --seed 0"
        )


def test_a_file_is_read_as_it_was_written(shipped, tmp_path):
    V, metadata = shipped
    for name in ("a.npz", "b.npz"):
        save_surrogate(tmp_path / name, V, metadata)
    again, told = load_surrogate(tmp_path / "a.npz")
    for mine, other in zip(V, again, strict=True):
        assert_array_equal(mine, other)
    assert told == metadata
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def damaged(V):
    H = V.H.copy()
    H[0, 0] = -1
    return {
        r"w or H is negative: V is not convex": [V._replace(w=-V.w), V._replace(H=H)],
        r"w has the shape \(3,\)": [V._replace(w=V.w[:3])],
        r"b is not finite": [V._replace(b=V.b * np.nan)],
        r"dimension or box cannot be": [V._replace(dimension=9), V._replace(box=-V.box)],
        r"dimension has the type float64": [V._replace(dimension=2.0)],
    }


def test_what_is_no_surrogate_is_refused(tmp_path):
    V, metadata = load_surrogate("meeting")
    for number, (reason, cases) in enumerate(damaged(V).items()):
        for case, one in enumerate(cases):
            path = tmp_path / f"{number}-{case}.npz"
            save_surrogate(path, ConvexSurrogate(*one), metadata)
            with pytest.raises(InputError, match=reason) as refused:
                load_surrogate(path)
            assert "\n" not in str(refused.value)
    (tmp_path / "text.npz").write_text("no archive")
    with np.load(FILES.folder / "meeting.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "more.npz", **arrays, more=np.ones(2))
    np.savez(tmp_path / "less.npz", **{k: a for k, a in arrays.items() if k != "q"})
    np.savez(tmp_path / "objects.npz", **{**arrays, "q": np.array([print, 1], dtype=object)})
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(arrays))
    for path, reason in [
        (tmp_path / "more.npz", "more is none of its arrays"),
        (tmp_path / "less.npz", "q is missing"),
        (tmp_path / "objects.npz", "not a convex surrogate, or damaged"),
        (tmp_path / "pickle.npz", "not a convex surrogate, or damaged"),
        (tmp_path / "text.npz", "not a convex surrogate, or damaged"),
        (tmp_path / "none.npz", "there is no such file"),
        ("elsewhere", r"unknown surrogate 'elsewhere' \(shipped: meeting, meeting_self\)"),
    ]:
        with pytest.raises(InputError, match=reason):
            load_surrogate(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda V: V._replace(dimension=3), "oracle.surrogate: is none of problem meeting"),
        (
            lambda V: V._replace(box=V.box + np.array([[3.0], [0.0], [0.0], [0.0]])),
            r"surrogate: trained for positions in \[-1, 1\]; agent 0 starts .* from the others",
        ),
    ],
)
def test_a_surrogate_of_something_else_is_refused(change, reason, tmp_path):
    V, metadata = load_surrogate("meeting")
    save_surrogate(tmp_path / "other.npz", change(V), metadata)
    with pytest.raises(InputError, match=reason):
        instance(0).with_oracle(SurrogateValue(surrogate=str(tmp_path / "other.npz")))


# ---- Decentralised -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(SCENARIO))


@pytest.mark.slow
def test_the_lesson(result):
    last = result.curves.groupby("algorithm", observed=True).last()
    runs, report = last["suboptimality"], meeting(result)
    assert runs["PG-EXTRA"] < 1e-12
    assert runs["DADAO"] < 1e-6
    for label in ("PG-EXTRA, surrogate", "PG-EXTRA, no solver", "DADAO, surrogate"):
        # It ends at the surrogate's optimum, above the least, and no more than 2 % of it.
        assert runs[label] == pytest.approx(report.excess[label], rel=0.1)
        assert 1e-5 < runs[label] < 0.02 * last["objective"]["PG-EXTRA"]
        assert runs[label] < report.of_mean / 100
        assert last["surrogate_objective"][label] < last["objective"][label]
    exact = last.loc[["PG-EXTRA", "DADAO"]]
    assert_array_equal(exact["surrogate_objective"], exact["objective"])
    assert result.names["DADAO, surrogate"].endswith("(experimental)")
    assert not result.names["DADAO"].endswith("(experimental)")
    # By the share of the least cost, as the scenario says it.
    least = last["objective"]["PG-EXTRA"]
    shares = [runs["PG-EXTRA, surrogate"], runs["PG-EXTRA, no solver"], report.of_mean]
    assert_allclose(np.array(shares) / least, [0.0004, 0.0003, 0.24], rtol=0.15)


def instance_of(result, label):
    plans = study_of(result).check()
    return next(plan.parts.problem for plan in plans if plan.key == (label, 0))


@pytest.mark.slow
def test_the_figure_shows_what_the_agents_do(result):
    report = meeting(result)
    assert report.paths.shape == (10, 7, PLANE)
    assert_allclose(report.paths[:, 0].mean(axis=0), report.mean)
    assert report.surrogate == "PG-EXTRA, surrogate"
    for (a, b), row, column in [((3, 8), 8, 3), ((20, 2), 2, 20)]:
        x = np.array([report.axes[0][a], report.axes[1][b]])
        problem = instance_of(result, "PG-EXTRA, surrogate")
        assert report.values[row, column] == pytest.approx(problem.suboptimality(x))
        above = problem.surrogate_value(x) - problem.surrogate_value(problem.found)
        assert report.surrogate_values[row, column] == pytest.approx(above)
    assert min(report.values.min(), report.surrogate_values.min()) >= 0
    assert set(report.found) == set(result.methods)
    figure = draw(result, kind="meeting", algorithms=["PG-EXTRA", "DADAO, surrogate"])
    costs, places = figure.axes
    lines = {line.get_label() for line in costs.lines}
    assert {"PG-EXTRA", "DADAO, surrogate"} <= lines
    assert "DADAO" not in lines
    assert costs.get_yscale() == "log"
    assert places.get_aspect() == 1
    assert len(places.collections) == 1  # level lines of F; a surrogate's go with its curve
    _, places = meeting_figure(report).axes
    assert len(places.collections) == 2


@pytest.mark.slow
@pytest.mark.parametrize("oracle", ["exact", {"surrogate": "meeting"}], ids=["exact", "surrogate"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_the_nodes_end_where_one_machine_does(graph, oracle):
    mapping = {
        "name": "small",
        "problem": {"kind": "meeting", "oracle": oracle},
        "network": {"graph": graph, "nodes": 5},
        "algorithms": ["pg_extra", "gradient_tracking"],
        "stop": {"time": 1200},
        "record": {"points": 3},
    }
    if oracle == "exact":
        mapping["stop"]["accuracy"] = 1e-10
    scenario = scenario_from_mapping(mapping)
    found = simulate(scenario)
    problem = build_problem(scenario.problem, 5, np.random.default_rng(stream(0, 0, "data")))
    for label in scenario.algorithms:
        X = found.states[label.label, 0]["x"]
        assert_allclose(X, np.tile(problem.found, (5, 1)), atol=3e-5)


def test_dadao_ends_at_the_optimum_of_a_surrogate_as_a_problem_of_its_own():
    V, _ = load_surrogate("meeting")
    agents = instance(6, agents=5).exact.agents
    problem = V.problem(np.hstack([-agents[:, :PLANE], agents[:, PLANE:]]))
    settings = ["algorithms=[pg_extra, dadao]", "stop.time=1500", "stop.accuracy=1e-12"]
    scenario = load_scenario("quickstart", [*settings, "repeats=1"])
    found = simulate(scenario, problem=problem, network=Network.from_networkx(GRAPHS["cycle"]))
    assert (found.runs["status"] == "converged").all()


# ---- What cannot be ------------------------------------------------------------------------------


def scenario(**problem):
    return {
        "name": "small",
        "problem": {"kind": "meeting", **problem},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["pg_extra"],
        "stop": {"time": 5},
    }


AT = [[0, 0], [1, 0], [0, 1], [5.2, 0]]
SLOW = [[0, 0]] * 4
FAST = [[0, 0], [0, 0], [0.7, -0.7], [0, 0]]
SURROGATE = {"surrogate": "meeting"}


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (
            {"oracle": SURROGATE, "positions": AT, "velocities": SLOW},
            r"problem\.oracle\.surrogate: trained for positions in \[-4, 4\]; agent 0 starts 5\.2 "
            "from the others",
        ),
        (
            {"oracle": SURROGATE, "velocities": [[0.6, 0], *SLOW[1:]]},
            r"trained for velocities in \[-0\.55, 0\.55\]; agent 0 starts with 0\.6",
        ),
        (
            {"oracle": SURROGATE, "horizon": 8},
            r"problem\.oracle\.surrogate: trained with horizon 6; the problem has 8",
        ),
        (
            {"oracle": SURROGATE, "weight": 3.5},
            r"trained with weight 4\.0; the problem has 3\.5",
        ),
        (
            {"velocities": FAST},
            r"problem\.velocities: agent 2 starts at \|v\|_1 = 1\.4, above the limit 1\.2; no "
            "feasible inputs",
        ),
        ({"positions": AT[:3]}, "positions: 3 given; one of each of 4 agents"),
        (
            {"oracle": {"surrogate": "nowhere"}},
            r"problem\.oracle\.surrogate: unknown surrogate 'no",
        ),
        ({"oracle": {"surrogate": "none.npz"}}, r"none\.npz: there is no such file"),
        ({"oracle": {"kind": "backprop"}}, "backprop is none of problem meeting"),
        ({"oracle": "exakt"}, "did you mean 'exact'"),
        ({"speed": 0.7}, r"problem\.speed: must be at most half of speed_limit, 0\.6, got 0\.7"),
        ({"mu": 1.0}, "mu"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(problem, reason, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=reason) as refused:
        simulate(scenario_from_mapping(scenario(**problem)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ({"kind": "mlp", "hidden": [3], "data": {"kind": "moons", "size": 40}}, "mlp"),
        (
            {
                "kind": "least_squares",
                "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4},
            },
            "least_squares have none",
        ),
    ],
)
def test_other_problems_have_no_surrogate(kind, reason):
    mapping = scenario() | {"problem": kind, "start": {"kind": "normal", "shared": True}}
    mapping["algorithms"] = [{"name": "gradient_tracking", "oracle": SURROGATE}]
    with pytest.raises(InputError, match=reason):
        simulate(scenario_from_mapping(mapping))


def test_a_figure_and_a_metric_of_meeting_are_refused_elsewhere():
    quick = load_scenario("quickstart").to_mapping()
    with pytest.raises(InputError, match="is of problem meeting only"):
        scenario_from_mapping(quick | {"figures": [{"kind": "meeting", "file": "a.png"}]})
    quick["record"] = {"metrics": ["surrogate_objective"]}
    with pytest.raises(InputError, match="has no surrogate; meeting has"):
        simulate(scenario_from_mapping(quick))


def test_points_of_a_surrogate_are_checked():
    V, _ = load_surrogate("meeting")
    for points in (np.ones((3, 2)), np.ones(4), np.full((2, 4), np.nan)):
        with pytest.raises(InputError, match="points"):
            V.problem(points)
    flat = V._replace(H=np.zeros((4, 4)))
    assert flat.bounds[0] == 0
    with pytest.raises(InputError, match="certifies none"):
        _ = flat.problem(np.ones((2, 4))).mu


def test_a_start_that_is_too_fast_is_refused_from_python_too():
    agents = np.zeros((2, 4))
    agents[1, 2:] = 0.8, 0.5
    with pytest.raises(InputError, match="agent 1 starts at"):
        meeting_problem(agents, FORM)
    slower = replace(meeting_problem(agents / 2, FORM))
    assert isinstance(slower, Problem)


def test_the_paper_is_cited():
    assert "2505.04037" in entry("liu2025learning")
    assert "liu2025learning" in list(references_of(load_scenario(SCENARIO)))


def test_a_surrogate_is_learned_of_a_meeting_only(dadao_sim):
    code, _, said = dadao_sim("learn-surrogate", "quickstart", "--out", "a.npz")
    assert code == 2
    assert "has no programme whose value could be learned" in said


def test_what_a_surrogate_costs_is_said_beforehand(dadao_sim):
    code, printed, said = dadao_sim("validate", SCENARIO)
    assert code == 0
    for label, percent in [("PG-EXTRA, surrogate", "0.042"), ("PG-EXTRA, no solver", "0.026")]:
        line = f"{label}: gradients are those of a surrogate, whose minimiser has F {percent} %"
        assert line in " ".join((printed + said).split())


def test_without_torch_it_says_what_to_install(dadao_sim, monkeypatch):
    monkeypatch.setattr(torch_extra, "find_spec", lambda name: None)
    code, _, said = dadao_sim("learn-surrogate", SCENARIO, "--out", "a.npz")
    assert code == 2
    assert 'needs torch; install it with: pip install "dadao-sim[learned]"' in said
    with pytest.raises(InputError, match="needs torch"):
        _ = learning.learn_surrogate
