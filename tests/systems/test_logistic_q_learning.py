"""Logistic Q-learning: what the paper's error is, whatever form it has, and who finds it."""

from dataclasses import replace

import cvxpy as cp
import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import logsumexp

from dadao_sim import Problem, load_result, make, simulate
from dadao_sim.algorithms.contract.registry import entry
from dadao_sim.errors import InputError
from dadao_sim.plotting.curves import draw, figure_of
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.data.mdp import Model, RandomMdp, Transitions
from dadao_sim.problems.data.partitions import Sorted
from dadao_sim.problems.kinds.bellman import Whole
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.logistic_bellman import logistic_bellman_problem
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.study import Study
from dadao_sim.strict import references_of

S, A, NODES = 6, 3, 10
DATA = {"kind": "random_mdp", "states": S, "actions": A, "samples_per_node": 40}


def problem_of(form="exact", *, seed=0, nodes=NODES, **keys):
    asked = {"eta": 2.0, "alpha": 2.0, "discount": 0.9, "l2": 0.01, "data": DATA, **keys}
    asked = {"partition": "by_state", **asked}
    spec = PROBLEMS["logistic_bellman"](kind="logistic_bellman", form=form, **asked)
    return build_problem(spec, nodes, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def both():
    return {form: problem_of(form) for form in ("sum", "exact")}


@pytest.fixture(scope="module")
def drawn():
    """The transitions of the problems above, and which node has them, in the test's own hands."""
    data_rng, split_rng = np.random.default_rng(0).spawn(2)
    seen = RandomMdp(**DATA).read(NODES, 0.9, data_rng)
    return seen, Sorted(kind="sorted").split(seen.x.astype(float), NODES, split_rng)


def local_error(Q, seen, part, *, eta=2.0, alpha=2.0, discount=0.9, l2=0.01):
    """m_i and <nu, V> + ridge as the sheet writes them; Q (S, A) may be complex."""
    x, a, r, y = (column[part] for column in seen[1:])
    V = np.log(np.exp(alpha * Q).mean(axis=1)) / alpha
    m = np.exp(eta * (r + discount * V[y] - Q[x, a])).mean()
    return m, (1 - discount) * seen.model.start @ V + l2 / 2 * (Q * Q).sum()


def by_hand(problem, x, node, seen, part):
    """f_i(x) of both forms."""
    m, rest = local_error(x[: S * A].reshape(S, A), seen, part)
    eta = problem.error.eta
    if not problem.error.exact:
        return np.log(m) / eta + rest
    c = x[-1] + problem.error.level
    return (np.exp(-c) * m + c - 1) / eta + rest


# ---- the functions -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["sum", "exact"])
def test_values_and_compiled_gradients_are_those_of_the_definition(both, drawn, form):
    """By complex steps, which lose no digit."""
    problem, (seen, parts) = both[form], drawn
    x = np.random.default_rng(1).standard_normal(problem.dimension)
    h = 1e-30
    for node in (0, 4, 9):
        assert_allclose(
            problem.value(node, x), by_hand(problem, x, node, seen, parts[node]), atol=1e-12
        )
        steps = x + 1j * h * np.eye(x.size)
        slope = [by_hand(problem, point, node, seen, parts[node]).imag / h for point in steps]
        assert_allclose(problem.gradient(node, x), slope, rtol=0, atol=1e-12)


def test_a_constant_more_changes_nothing_but_the_ridge(both):
    rng = np.random.default_rng(2)
    for form, problem in both.items():
        e = problem.error._replace(l2=0.0)
        flat = replace(problem, error=e)
        x = rng.standard_normal(problem.dimension)
        shifted = x + 7.0
        if form == "exact":
            shifted[-1] = x[-1] - e.eta * (1 - e.discount) * 7.0
        for node in range(NODES):
            assert abs(flat.value(node, shifted) - flat.value(node, x)) < 1e-12


@pytest.mark.parametrize("form", ["sum", "exact"])
def test_every_node_is_convex(both, form):
    problem, rng = both[form], np.random.default_rng(3)
    for _ in range(200):
        x, y = 3 * rng.standard_normal((2, problem.dimension))
        node = rng.integers(NODES)
        ends = (problem.value(node, x) + problem.value(node, y)) / 2
        assert problem.value(node, (x + y) / 2) <= ends * (1 + 1e-14)


def test_the_global_constants_of_the_sum_hold(both):
    problem, rng, worst = both["sum"], np.random.default_rng(4), 0.0
    assert_allclose(problem.L, 2 * (1 + 0.81) + 2 / 2 + 0.01)
    assert problem.mu == 0.01
    for scale in (0.1, 1.0, 5.0):
        for _ in range(10):
            x = scale * rng.standard_normal(problem.dimension)
            for node in range(NODES):
                ends = np.linalg.eigvalsh(problem.node_hessian(node, x))[[0, -1]]
                assert ends[0] >= 0.01 * (1 - 1e-9)
                worst = max(worst, ends[1])
    assert 0.2 * problem.L < worst <= problem.L


@pytest.mark.parametrize("form", ["sum", "exact"])
def test_hessians_and_divergences(both, form):
    problem, rng = both[form], np.random.default_rng(5)
    x, h, mean = rng.standard_normal(problem.dimension), 1e-5, problem.mean_operator
    slopes = [(mean(x + e) - mean(x - e)) / (2 * h) for e in h * np.eye(x.size)]
    assert_allclose(problem.hessian(x), slopes, atol=1e-7)
    alone = [problem.node_hessian(i, x) for i in range(NODES)]
    assert_allclose(np.mean(alone, axis=0), problem.hessian(x), atol=1e-12)
    for scale in (1.0, 1e-3):
        y = x + scale * rng.standard_normal(x.size)
        naive = problem.mean_value(y) - problem.mean_value(x) - mean(x) @ (y - x)
        assert_allclose(problem.divergence(y, x), naive, rtol=1e-6, atol=1e-13)
    y = x + 1e-9 * rng.standard_normal(x.size)
    quadratic = (y - x) @ problem.hessian(x) @ (y - x) / 2
    assert_allclose(problem.divergence(y, x), quadratic, rtol=1e-6)  # naive: rounding of 1e-16


# ---- the optimum ---------------------------------------------------------------------------------


def dual_by_cvxpy(seen, *, eta=2.0, alpha=2.0, discount=0.9, l2=0.01):
    """max <mu, r> - KL(mu||mean)/eta - H(d||d pi0)/alpha - ||d - mu||^2/(2 l2), over laws mu of
    transitions and d of states and actions: sum_a d(y, a) = (1 - gamma) nu0(y) + gamma mu(y next).
    """
    N = seen.x.size
    pairs, next_state = np.zeros((S * A, N)), np.zeros((S, N))
    pairs[seen.x * A + seen.a, np.arange(N)] = 1
    next_state[seen.y, np.arange(N)] = 1
    mu, d = cp.Variable(N, nonneg=True), cp.Variable((S, A), nonneg=True)
    states = cp.sum(d, axis=1)
    spread = cp.sum(cp.rel_entr(d, cp.reshape(states, (S, 1), order="C") @ np.full((1, A), 1 / A)))
    wrong = cp.reshape(d, (S * A,), order="C") - pairs @ mu
    goal = seen.r @ mu - cp.sum(cp.rel_entr(mu, np.full(N, 1 / N))) / eta - spread / alpha
    goal -= cp.sum_squares(wrong) / (2 * l2)
    flow = states == (1 - discount) * seen.model.start + discount * next_state @ mu
    asked = cp.Problem(cp.Maximize(goal), [flow, cp.sum(mu) == 1])
    asked.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return asked.value, d.value


@pytest.mark.parametrize(("eta", "alpha"), [(2.0, 2.0), (8.0, 3.0)])
def test_the_minimum_is_that_of_the_primal(drawn, eta, alpha):
    problem, (seen, _) = problem_of("exact", eta=eta, alpha=alpha), drawn
    value, d = dual_by_cvxpy(seen, eta=eta, alpha=alpha)
    assert abs(problem.mean_value(problem.x_star) - value) < 1e-8
    policy = problem.policies(np.tile(problem.x_star, (NODES, 1)))[0]
    assert_allclose(policy, d / d.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("partition", ["by_state", "iid", {"kind": "iid", "sizes": "uneven"}])
def test_the_exact_form_is_the_pooled_error(partition):
    exact = problem_of("exact", partition=partition)
    alone = problem_of("sum", nodes=1, data={**DATA, "samples_per_node": NODES * 40})
    X = np.tile(exact.x_star, (NODES, 1))
    assert abs(exact.mean_value(exact.x_star) - alone.mean_value(alone.x_star)) < 1e-10
    assert_allclose(exact.x_star[:-1], alone.x_star, atol=1e-10)
    assert np.abs(exact.mean_operator(exact.x_star)).max() < 1e-14
    assert exact.policy_errors(X).max() < 1e-12


def test_the_sum_is_below_the_pooled_error(both):
    """Jensen's inequality, at every Q."""
    rng, pooled = np.random.default_rng(6), Whole.pooled(both["sum"].error)
    for _ in range(50):
        Q = 2 * rng.standard_normal(S * A)
        assert both["sum"].mean_value(Q) <= pooled.value(Q)
    assert both["sum"].mean_value(both["sum"].x_star) < both["exact"].mean_value(
        both["exact"].x_star
    )


def test_repeated_steps_come_down_to_dynamic_programming():
    """(mu0, pi0) <- (mu, pi): the gap to the best policy falls in every step."""
    rng = np.random.default_rng(7)
    x, a = (grid.ravel() for grid in np.meshgrid(np.arange(S), np.arange(A), indexing="ij"))
    y = rng.integers(S, size=S * A)
    model = Model(np.eye(S)[y].reshape(S, A, S), rng.uniform(size=(S, A)), np.full(S, 1 / S))
    seen = Transitions(model, x, a, model.R.ravel(), y)
    problem = logistic_bellman_problem(
        seen, [x * A + a], form="sum", eta=10.0, alpha=10.0, discount=0.9, l2=1e-9
    )
    policy, gaps = np.full((S, A), 1 / A), []
    for _ in range(12):
        law = np.maximum(model.occupancy(policy, 0.9), 1e-300)
        error = problem.error._replace(
            bonus=(model.R + np.log(law) / 10).ravel()[
                problem.error.state * A + problem.error.action
            ],
            log_reference=np.log(np.maximum(policy, 1e-300)),
        )
        whole = Whole.of_nodes(error)
        policy = whole.at(whole.minimiser()).policy
        gaps.append(problem.optimal_return - model.returns(policy, 0.9))
    assert gaps[0] > 1e-3
    assert (np.diff(gaps) < 1e-12).all()
    assert -1e-12 < gaps[-1] < 1e-3 * gaps[0]


def model_of(seed):
    spec = RandomMdp(kind="random_mdp", states=S, actions=A, samples_per_node=1)
    return spec.model(np.random.default_rng(seed))


class OfTheModel:
    """G(Q) = (1/eta) log sum mu0 e^(eta Delta) + (1-gamma) <nu0, V>, Delta = r + gamma P V - Q: the
    paper's error with expected next states, which no sample has.
    """

    def __init__(self, model, law, policy, eta, alpha):
        self.model, self.law, self.policy, self.eta, self.alpha = model, law, policy, eta, alpha

    def at(self, Q):
        """Its value, gradient (S A,), z and pi."""
        P, R, start = self.model
        table = Q.reshape(S, A)
        V = logsumexp(self.alpha * table, b=self.policy, axis=1) / self.alpha
        pi = self.policy * np.exp(self.alpha * (table - V[:, None]))
        exponents = self.eta * (R + 0.9 * P @ V - table)
        total = logsumexp(exponents, b=self.law)
        z = self.law * np.exp(exponents - total)
        w = 0.9 * np.einsum("xa,xay->y", z, P) + 0.1 * start
        return total / self.eta + 0.1 * start @ V, (w[:, None] * pi - z).ravel(), z, pi

    def minimum(self):
        options = {"maxiter": 20000, "maxfun": 40000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 40}
        found = minimize(
            lambda Q: self.at(Q)[:2], np.zeros(S * A), jac=True, method="L-BFGS-B", options=options
        )
        return self.at(found.x)


def of_all_transitions(model, law, policy, eta, alpha):
    """The minimum and the policy of the problem's error where every transition that can be is
    held, as often as ``law`` and the model have it.
    """
    x, a, y = np.array([cell for cell in np.ndindex(S, A, S) if model.P[cell] > 0]).T
    seen = Transitions(model, x, a, model.R[x, a], y)
    problem = logistic_bellman_problem(
        seen, [np.arange(x.size)], form="sum", eta=eta, alpha=alpha, discount=0.9, l2=1e-9
    )
    weights = np.maximum(law[x, a] * model.P[x, a, y], 1e-300)
    whole = Whole.of_nodes(
        problem.error._replace(
            bonus=model.R[x, a] + np.log(weights) / eta,
            log_reference=np.log(np.maximum(policy, 1e-300)),
        )
    )
    Q = whole.minimiser()
    return whole.value(Q), whole.at(Q).policy


def gaps_to_the_best(model, step, times=8):
    """Of the policies (mu0, pi0) <- (mu, pi) to exact dynamic programming."""
    best = model.returns(model.optimal_policy(0.9), 0.9)
    policy, gaps = np.full((S, A), 1 / A), []
    for _ in range(times):
        policy = step(np.maximum(model.occupancy(policy, 0.9), 1e-300), policy)
        gaps.append(best - model.returns(policy, 0.9))
    return np.array(gaps)


@pytest.mark.parametrize("seed", [0, 1])
def test_repeated_steps_come_down_where_next_states_are_random(seed):
    """With the expected next state all the way; with sampled ones as far as their bias lets them.

    Seed 1 is the negative control: e^(eta gamma V(y)) averaged over y stops at a policy that hopes.
    """
    model = model_of(seed)
    expected = gaps_to_the_best(
        model, lambda law, policy: OfTheModel(model, law, policy, 10.0, 10.0).minimum()[3]
    )
    assert (np.diff(expected) < 0).all()
    assert -1e-12 < expected[-1] < expected[0] / 50
    sampled = gaps_to_the_best(
        model, lambda law, policy: of_all_transitions(model, law, policy, 10.0, 10.0)[1]
    )
    assert (np.diff(sampled) < 1e-4).all()
    assert (sampled[-1] > 0.01) == (seed == 1)
    if seed != 1:
        assert (np.diff(sampled) < 0).all()
        assert sampled[-1] < sampled[0] / 50


def test_the_minimum_is_below_the_optimal_return_and_its_law_is_a_policys():
    """G* <= the return of the best policy, and z is the occupancy of the policy."""
    for seed in range(2):
        model = model_of(seed)
        uniform = np.full((S, A), 1 / A)
        law = model.occupancy(uniform, 0.9)
        best = model.returns(model.optimal_policy(0.9), 0.9)
        for eta, alpha in ((1.0, 1.0), (5.0, 2.0), (50.0, 50.0)):
            value, _, z, policy = OfTheModel(model, law, uniform, eta, alpha).minimum()
            assert value <= best + 1e-9
            assert_allclose(model.occupancy(policy, 0.9), z, atol=1e-7)


def test_the_bias_of_sampled_next_states_is_linear_in_eta():
    model, uniform = model_of(0), np.full((S, A), 1 / A)
    law, found = model.occupancy(uniform, 0.9), []
    for eta in (0.5, 1.0, 2.0):
        of_model = OfTheModel(model, law, uniform, eta, 2.0).minimum()[0]
        found.append((of_all_transitions(model, law, uniform, eta, 2.0)[0] - of_model) / eta)
    assert 4e-4 < min(found)
    assert max(found) < min(2e-3, 1.25 * min(found))


def test_the_saddle_form_of_the_paper_has_the_same_minimum(drawn):
    """MinMax-Q-REPS, S(Q, z) = sum z (Delta - log(N z)/eta) + <nu, V>, by full gradients: a way to
    the minimum of the error, and no other problem.
    """
    seen, _ = drawn
    problem = problem_of("sum", nodes=1, data={**DATA, "samples_per_node": NODES * 40})
    whole, x, a, y, N = problem.mean_value, seen.x, seen.a, seen.y, seen.x.size
    Q, log_z, total, gaps = np.zeros((S, A)), np.full(NODES * 40, -np.log(N)), 0.0, {}
    for k in range(1, 4001):
        V = np.log(np.exp(2.0 * Q).mean(axis=1)) / 2.0
        pi, z = np.exp(2.0 * (Q - V[:, None])) / A, np.exp(log_z)
        slope = (0.9 * np.bincount(y, z, S) + 0.1 * seen.model.start)[:, None] * pi + 0.01 * Q
        np.subtract.at(slope, (x, a), z)
        log_z = log_z + seen.r + 0.9 * V[y] - Q[x, a] - (log_z + np.log(N)) / 2.0
        log_z -= logsumexp(log_z)
        Q = Q - 0.5 * slope
        total = total + Q
        if k in (100, 1000, 4000):
            gaps[k] = whole(np.ravel(total) / k) - whole(problem.x_star)
    assert whole(Q.ravel()) - whole(problem.x_star) < 1e-14
    for k, least, most in ((100, 1e-5, 4e-3), (1000, 1e-7, 5e-5), (4000, 1e-8, 3e-6)):
        assert least < gaps[k] < most


def test_the_optimal_return_is_that_of_value_iteration():
    for seed in range(3):
        problem = problem_of("sum", seed=seed)
        P, R, start = problem.model
        V = np.zeros(S)
        for _ in range(400):
            V = (R + 0.9 * P @ V).max(axis=1)
        assert_allclose(problem.optimal_return, 0.1 * start @ V, rtol=1e-12)
        assert problem.reference_return < problem.optimal_return


# ---- the nodes -----------------------------------------------------------------------------------

RAISED = {"eta": 2.0, "alpha": 2.0, "l2": 0.05}


@pytest.mark.parametrize("graph", [nx.cycle_graph(NODES), nx.star_graph(NODES - 1)])
@pytest.mark.parametrize("form", ["sum", "exact"])
def test_the_nodes_find_what_one_of_them_would_with_all_data(graph, form):
    """Two methods, one of them asynchronous, on two graphs."""
    problem = problem_of(form, **RAISED)
    near = {"L": 4.0, "mu": 0.03} if form == "exact" else {}
    asked = [
        {"name": "dadao", "parameters": near},
        {"name": "gradient_tracking", "parameters": {"step": 0.2}},
    ]
    result = simulate(problem, graph, asked, stop={"time": 20000, "accuracy": 1e-20})
    assert set(result.runs["status"]) == {"converged"}
    one = Whole.pooled if form == "exact" else Whole.of_nodes
    centralised = one(problem.error).minimiser()
    for label, _ in result.states:
        X = result.states[label, 0]["x"]
        assert_allclose(X[:, : S * A], np.tile(centralised, (NODES, 1)), atol=1e-8)


def test_the_sum_is_biased_and_the_exact_form_is_not():
    """Sorted by state every node sees other rewards; at random all see the same."""
    found = {}
    for form in ("sum", "exact"):
        for partition in ("by_state", "iid"):
            data = {**DATA, "samples_per_node": 400}
            problem = problem_of(form, data=data, partition=partition)
            X = np.tile(problem.x_star, (NODES, 1))
            found[form, partition] = problem.policy_errors(X).max()
    assert max(found["exact", "by_state"], found["exact", "iid"]) < 1e-12
    assert found["sum", "by_state"] > 0.01
    assert found["sum", "iid"] < found["sum", "by_state"] / 20


def test_metrics_are_measured():
    names = ["greedy_return", "worst_greedy_return", "best_greedy_return"]
    names += ["optimal_return", "reference_return", "policy_error"]
    problem = problem_of("sum", **RAISED)
    result = simulate(
        problem, nx.cycle_graph(NODES), ["nids"], time=40, record={"metrics": names, "points": 4}
    )
    last = result.curves.iloc[-1]
    X = result.states["nids", 0]["x"]
    returns = []
    for Q in X.reshape(NODES, S, A):
        P, R, start = problem.model
        best = np.arange(S), Q.argmax(axis=1)
        visits = np.linalg.solve(np.eye(S) - 0.9 * P[best].T, 0.1 * start)
        returns.append(visits @ R[best])
    assert_allclose(last[names[:3]].astype(float), [np.mean(returns), min(returns), max(returns)])
    assert_allclose(last["policy_error"], problem.policy_errors(X).max())
    assert (result.curves["optimal_return"] == problem.optimal_return).all()
    assert last["reference_return"] < last["worst_greedy_return"] <= last["optimal_return"]
    other = Problem.averaging(np.eye(3))
    with pytest.raises(InputError, match="kind averaging has no policies; logistic_bellman has"):
        simulate(other, nx.cycle_graph(3), ["nids"], time=1, metrics=["greedy_return"])


def test_policies_are_measured_beside_a_local_step():
    problem = problem_of("sum", **RAISED)
    boxed = problem.with_local_step(make("box", S * A, lower=-50.0, upper=50.0))
    found = {}
    for name, one in (("plain", problem), ("boxed", boxed)):
        names = ["greedy_return", "optimal_return", "policy_error"]
        record = {"metrics": names, "points": 3}
        result = simulate(one, nx.cycle_graph(NODES), ["sonata"], time=20, record=record)
        found[name] = result.curves[names].to_numpy(dtype=float)
    assert_allclose(found["boxed"], found["plain"], rtol=1e-9)


# ---- the scenario --------------------------------------------------------------------------------

NAME = "systems/logistic-q-learning"
RETURNS = ["worst_greedy_return", "best_greedy_return", "optimal_return", "sum_return"]


def ends(*changes):
    """What the nodes of each method have at the end (algorithms, RETURNS)."""
    scenario = load_scenario(shipped.scenarios()[NAME], ["record.points=8", *changes])
    return simulate(scenario).curves.groupby("algorithm")[RETURNS].last().to_numpy()


def test_every_node_is_optimal_with_the_exact_form_and_none_with_the_sum():
    worst, best, optimal, of_sum = ends("stop.time=1500").T
    assert_allclose(worst, optimal, rtol=1e-12)
    assert (of_sum < 0.95 * optimal).all()
    worst, best, optimal, of_sum = ends("stop.time=1500", "problem.form=sum").T
    assert_allclose([worst, best], [of_sum, of_sum], rtol=1e-12)
    assert (best < 0.95 * optimal).all()
    worst, best, optimal, of_sum = ends(
        "stop.time=1500", "problem.form=sum", "problem.partition=iid"
    ).T
    assert_allclose(worst, optimal, rtol=1e-12)  # it is where nodes differ that the sum is wrong


def test_what_c_is_counted_from_keeps_the_curvature_low():
    """Between the start and the solution; from 0 the rewards stand in an exponent there."""
    problem = Study(load_scenario(shipped.scenarios()[NAME])).parts(0).problem
    level, found = problem.error.level, []
    for c0 in (level, 0.0):
        like = replace(problem, error=problem.error._replace(level=c0))
        end = problem.x_star + np.append(np.zeros(S * A), level - c0)
        assert np.abs(like.mean_operator(end)).max() < 1e-12
        points = [(i, t * end) for i in range(NODES) for t in np.linspace(0, 1, 11)]
        found.append(max(np.linalg.eigvalsh(like.node_hessian(*each))[-1] for each in points))
    assert_allclose(found, [14.86, 9442], rtol=1e-3)


def test_its_figures_show_what_it_measures(tmp_path):
    scenario = load_scenario(shipped.scenarios()[NAME], ["stop.time=60", "record.points=8"])
    result = simulate(scenario, out=tmp_path / "r")
    first, _, last = scenario.figures
    axes = figure_of(load_result(tmp_path / "r"), first).axes[0]
    lines = {str(line.get_label()): line for line in axes.lines}
    at_end = result.curves.iloc[-1]
    for name in first.levels:
        assert_allclose(lines[name].get_ydata(), at_end[name])
        assert axes.get_ylim()[0] < at_end[name] < axes.get_ylim()[1]
    dadao = result.curves[result.curves["algorithm"] == "dadao"]
    shade = axes.collections[0].get_paths()[0].vertices
    low, high = dadao["worst_greedy_return"], dadao["best_greedy_return"]
    assert_allclose([shade[:, 1].min(), shade[:, 1].max()], [low.min(), high.max()])
    alone, of_sum = figure_of(load_result(tmp_path / "r"), last).axes[0].lines
    assert (alone.get_ydata() > of_sum.get_ydata()).all()
    assert of_sum.get_ydata()[-1] < of_sum.get_ydata()[0] / 20  # 0.03 is the first, 100 the last
    with pytest.raises(InputError, match="levels: unknown value 'optimum'"):
        draw(result, y="greedy_return", levels=["optimum"])


def test_a_gap_is_of_transitions():
    result = simulate(Problem.averaging(np.eye(3)), nx.cycle_graph(3), ["nids"], time=1)
    with pytest.raises(InputError, match="came from Python"):
        draw(result, kind="pooled_gap")
    scenario = load_scenario(shipped.scenarios()["quickstart"]).to_mapping()
    figures = [{"file": "gap.png", "kind": "pooled_gap"}]
    with pytest.raises(InputError, match=r"figures\.0\.kind: is of problem logistic_bellman only"):
        scenario_from_mapping({**scenario, "figures": figures})


def test_what_takes_too_much_memory_is_not_built(monkeypatch):
    monkeypatch.setattr("dadao_sim.memory.free_bytes", lambda: 1e9)
    with pytest.raises(InputError, match=r"data\.states: Newton's method in dimension 9,000 would"):
        problem_of("sum", data={**DATA, "states": 900, "actions": 10})


def test_the_paper_is_cited():
    assert list(references_of(load_scenario(shipped.scenarios()[NAME]))) == ["bas2021logistic"]
    assert entry("bas2021logistic").startswith("@inproceedings{bas2021logistic,")


# ---- what is refused -----------------------------------------------------------------------------


def scenario(**keys):
    problem = {
        **{"kind": "logistic_bellman", "form": "sum", "eta": 2.0, "discount": 0.9, "l2": 0.01},
        **{"data": DATA, **keys},
    }
    return scenario_from_mapping(
        {
            "name": "q",
            "problem": {key: value for key, value in problem.items() if value is not None},
            "network": {"graph": "cycle", "nodes": NODES},
            "algorithms": ["nids"],
            "stop": {"time": 5},
        }
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"l2": None},
            "problem.l2: is missing: adding a constant to Q changes nothing, so the minimiser is "
            "not unique",
        ),
        ({"discount": 1}, "problem.discount: 1 needs the average-reward form; below 1"),
        ({"mu": 0.1}, "problem.mu: of form: sum it is l2; of form: exact it is local, give it in"),
        ({"form": "both"}, "problem.form: unknown value 'both'"),
        ({"weighting": "uniform"}, "problem.weighting: all transitions count the same"),
        ({"partition": "by_action"}, "problem.partition: "),
        ({"data": {"kind": "synthetic"}}, "problem.data.kind: unknown value 'synthetic'"),
        ({"data": {**DATA, "path": "a.csv"}}, "problem.data.path: only file can have it"),
    ],
)
def test_what_cannot_be_is_refused(keys, said):
    with pytest.raises(InputError) as caught:
        scenario(**keys)
    assert str(caught.value).startswith(said)


def test_the_exact_form_needs_an_l_or_a_step():
    ring, problem = nx.cycle_graph(NODES), problem_of("exact")
    said = "logistic_bellman: form: exact has no global L; give L, or form: sum"
    for name in ("nids", "gradient_tracking", "dadao"):
        with pytest.raises(InputError) as caught:
            simulate(problem, ring, [name], time=5)
        other = said.replace("L;", "mu;").replace("L,", "mu,")
        text = str(caught.value).removeprefix(f"algorithms: {name}: ")
        assert text.startswith((said, other) if name == "dadao" else said)
    for name, given in (
        ("gradient_tracking", {"step": 0.1}),
        ("nids", {"L": 4.0, "own_steps": 0}),
        ("dadao", {"L": 4.0, "mu": 0.03}),
    ):
        simulate(problem, ring, [{"name": name, "parameters": given}], time=5)
    with pytest.raises(InputError, match="batch_size: the log of a mean over transitions has no"):
        problem_of("sum").stochastic_objective(3)


@pytest.mark.parametrize("name", ["adfs", "destress"])
def test_methods_that_take_samples_one_by_one_refuse(name):
    """By scenario too, where room is made for what they keep of each."""
    asked = scenario().to_mapping()
    with pytest.raises(InputError, match="has no gradients of single samples; take a method that"):
        simulate({**asked, "algorithms": [name]})


# ---- files ---------------------------------------------------------------------------------------

WALK = {
    "state": [0, 0, 1, 1, 2, 2, 0, 1],
    "action": [0, 1, 0, 1, 0, 0, 1, 1],
    "reward": [0.0, 0.5, 0.0, 1.0, 0.25, 0.75, 0.5, 0.0],
    "next_state": [0, 1, 0, 2, 2, 2, 1, 1],
}


def from_file(path, **keys):
    return problem_of("sum", nodes=2, data={"kind": "file", "path": str(path), **keys})


def write(path, columns):
    if path.suffix == ".npz":
        np.savez(path, **columns)
        return path
    rows = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_transitions_of_a_file(tmp_path, ending):
    problem = from_file(write(tmp_path / f"walk.{ending}", WALK))
    assert problem.samples.tolist() == [4, 4]
    assert problem.dimension == 6
    assert_allclose(problem.model.P[1], [[1, 0, 0], [0, 0.5, 0.5]])
    assert_allclose(problem.model.R, [[0, 0.5], [0, 0.5], [0.5, 0]])
    assert_allclose(problem.model.P[2], [[0, 0, 1], [0, 0, 1]])  # (2, 1) was never taken
    again = from_file(tmp_path / f"walk.{ending}", start=[1.0, 0.0, 0.0])
    assert again.optimal_return != problem.optimal_return


@pytest.mark.parametrize(
    ("columns", "keys", "said"),
    [
        (
            {"next_state": [0, 1, 0, 2, 2, 3, 1, 1]},
            {},
            "path: state 3 has no transition of its own",
        ),
        ({"state": [0, 0, 1, 1, 2, 2, 0, 1.5]}, {}, "path: state of transition 7 (from 0) is 1.5"),
        ({"action": [-1, 1, 0, 1, 0, 0, 1, 1]}, {}, "path: action of transition 0 (from 0) is -1"),
        ({"reward": [np.nan] * 8}, {}, "path: "),
        ({}, {"start": [0.5, 0.4]}, "start: 2 numbers that add up to 0.9; 3 that add up to 1"),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_wrong_files_are_refused(tmp_path, ending, columns, keys, said):
    path = write(tmp_path / f"walk.{ending}", {**WALK, **columns})
    with pytest.raises(InputError) as caught:
        from_file(path, **keys)
    assert str(caught.value).startswith(f"data.{said}")


@pytest.mark.parametrize("ending", ["csv", "npz"])
def test_a_missing_column_is_named(tmp_path, ending):
    short = {name: WALK[name] for name in ("state", "action", "next_state")}
    path = write(tmp_path / f"walk.{ending}", short)
    with pytest.raises(InputError, match=r"data\.path: .*reward"):
        from_file(path)
    with pytest.raises(InputError, match=r"data\.path: no file none\.csv"):
        from_file(tmp_path / "none.csv")
