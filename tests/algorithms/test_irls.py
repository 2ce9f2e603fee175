"""IRLS against its equations; descent on one machine; many nodes against one; what it refuses."""

import networkx as nx
import numpy as np
import pytest
from cases import lollipop, small_problem
from composite_cases import play
from numpy.testing import assert_allclose

from dadao_sim import Network, Problem, simulate
from dadao_sim.algorithms.irls import METHOD, mean_curvature
from dadao_sim.errors import InputError
from dadao_sim.local_steps.reweighting import (
    annealed_limit,
    conjugate_gradients,
    epsilon_of_step,
)
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make
from dadao_sim.problems.data.image import load

DIMENSION = 80
GEOMETRIC = Network.from_networkx(nx.random_geometric_graph(8, 0.6, seed=3))
CYCLE = Network.from_networkx(nx.cycle_graph(8))
FILTERS = {"network": "filters", "strength": 2 / 256}  # F is ||x - y||^2 over the pixels
LAST = {"first_epsilon": 0.05, "stages": 1}  # of the epsilon of the term at once


def data(seed, nodes=8, dimension=DIMENSION, samples=5, nonzeros=6, noise=0.01):
    """A sparse signal, rows and targets of every node."""
    rng = np.random.default_rng(seed)
    x = np.zeros(dimension)
    x[rng.choice(dimension, nonzeros, replace=False)] = rng.choice([-1, 1], nonzeros) * rng.uniform(
        0.5, 2, nonzeros
    )
    A = rng.standard_normal((nodes, samples, dimension))
    return x, A, A @ x + noise * rng.standard_normal((nodes, samples))


def problem_of(seed, **term):
    x, A, b = data(seed)
    options = {"strength": 5e-3, "p": 0.5, "epsilon": 1e-2, **term}
    smooth = Problem.from_arrays(A, b, "least_squares")
    return x, smooth.with_local_step(make("lp", DIMENSION, **options))


def quadratic(A, b):
    """H and c of f_i(x) = x'H_i x/2 - c_i'x + ..., that is of ||A_i x - b_i||^2/m."""
    m = A.shape[1]
    return 2 / m * np.einsum("nma,nmb->nab", A, A), 2 / m * np.einsum("nma,nm->na", A, b)


def weights(x, s, p, e):
    return s * p * (x**2 + e**2) ** (p / 2 - 1)


def textbook_cg(M, b, x, steps):
    """Hestenes and Stiefel, for one system."""
    r = b - M @ x
    q = r
    for _ in range(steps):
        a = (r @ r) / (q @ M @ q)
        x, new = x + a * q, r - a * M @ q
        r, q = new, new + (new @ new) / (r @ r) * q
    return x


def test_it_is_the_recursion_written_densely():
    """Annealed over three values of epsilon, d updated after x, to 1e-12."""
    _, A, b = data(0, nodes=7, dimension=12, samples=4, nonzeros=3)
    H, c = quadratic(A, b)
    network, s, p, last, rho, T = lollipop(), 0.02, 0.6, 0.05, 0.4, 5
    adjacency = nx.to_numpy_array(network.to_networkx(), nodelist=range(7))
    degrees = adjacency.sum(axis=1)
    X, D = np.zeros((7, 12)), np.zeros((7, 12))
    for k in range(8):
        e = (0.5, 0.5, np.sqrt(0.5 * last), np.sqrt(0.5 * last), last)[min(k, 4)]
        S = weights(X, s, p, e)
        for _ in range(T):
            right = c - D + rho * (degrees[:, None] * X + adjacency @ X)
            X = np.stack(
                [
                    textbook_cg(
                        H[i] + np.diag(S[i]) + 2 * rho * degrees[i] * np.eye(12), right[i], X[i], 3
                    )
                    for i in range(7)
                ]
            )
            D = D + rho * (degrees[:, None] * X - adjacency @ X)
    problem = Problem.from_arrays(A, b, "least_squares").with_local_step(
        make("lp", 12, strength=s, p=p, epsilon=last)
    )
    chosen = {"rho": rho, "gossip_rounds": T, "first_epsilon": 0.5, "stages": 3, "each": 2}
    found = play(METHOD, problem, network, 8, chosen)
    assert_allclose(found["x"], X, rtol=1e-12, atol=1e-12)


def test_rho_follows_the_mean_curvature():
    _, A, b = data(0)
    H, _ = quadratic(A, b)
    exact = np.trace(H.mean(axis=0)) / DIMENSION
    problem = Problem.from_arrays(A, b, "least_squares")
    assert mean_curvature(problem) == pytest.approx(exact, rel=0.15)
    twice = Problem.from_arrays(np.sqrt(2) * A, b, "least_squares")
    assert mean_curvature(twice) == pytest.approx(2 * mean_curvature(problem), rel=1e-9)


def test_epsilon_falls_in_stages_and_stays():
    found = [epsilon_of_step(k, 1.0, 1e-2, 3, 2) for k in range(8)]
    assert_allclose(found, [1, 1, 0.1, 0.1, *[1e-2] * 4], rtol=1e-15)
    assert epsilon_of_step(0, 1e-3, 1e-2, 3, 2) == 1e-2  # it never rises


# ---- One machine ---------------------------------------------------------------------------------


class OneMachine:
    """F + r of one problem, by dense matrices."""

    def __init__(self, seed, p, s=0.02, e=0.05, dimension=40, samples=4, nonzeros=5):
        _, A, b = data(seed, dimension=dimension, samples=samples, nonzeros=nonzeros)
        H, c = quadratic(A, b)
        self.H, self.c, self.s, self.p, self.e = H.mean(axis=0), c.mean(axis=0), s, p, e
        self.r = make("lp", dimension, strength=s, p=p, epsilon=e).operator
        self.value_of_term = make("lp", dimension, strength=s, p=p, epsilon=e).value

    def J(self, x):
        return x @ self.H @ x / 2 - self.c @ x + self.value_of_term(x)

    def step(self, x, solve_steps, start=None):
        """The next x, and by how much the square above J fell."""
        S = self.r.majoriser(x)
        M = self.H + np.diag(S(np.ones(len(x))))
        if solve_steps is None:
            new = np.linalg.solve(M, self.c)
        else:
            begun = x if start is None else start
            new = conjugate_gradients(lambda v: M @ v, self.c, begun, solve_steps)
        return new, (x @ M @ x - new @ M @ new) / 2 - self.c @ (x - new)


@pytest.mark.parametrize("p", [1.0, 0.7, 0.5, 0.3])
@pytest.mark.parametrize("solve_steps", [None, 1, 2, 5])
def test_each_step_makes_f_plus_r_fall_by_what_the_square_above_it_falls(p, solve_steps):
    for seed in range(4):
        machine, x = OneMachine(seed, p), np.zeros(40)
        for _ in range(60):
            new, of_square = machine.step(x, solve_steps)
            fall = machine.J(x) - machine.J(new)
            assert fall >= -1e-13 * abs(machine.J(new))
            assert fall - of_square >= -1e-13 * abs(machine.J(new))
            x = new


def test_conjugate_gradients_from_zero_need_not_descend():
    """The control: they minimise the same square, but what they begin at is worse than x."""
    machine, x = OneMachine(0, 0.5), np.zeros(40)
    for _ in range(30):
        x, _ = machine.step(x, None)
    new, _ = machine.step(x, 2, start=np.zeros(40))
    assert machine.J(new) > machine.J(x) + 1e-3 * abs(machine.J(x))
    assert machine.J(machine.step(x, 2)[0]) <= machine.J(x) + 1e-13


@pytest.mark.parametrize("p", [1.0, 0.5])
def test_it_ends_at_a_stationary_point_linearly(p):
    machine, x = OneMachine(0, p, e=0.02, dimension=80, samples=5, nonzeros=6), np.zeros(80)
    gradient = {}
    for k in range(1, 1001):
        x, _ = machine.step(x, None)
        S = machine.r.majoriser(x)
        gradient[k] = np.linalg.norm(machine.H @ x - machine.c + S(x))
    assert gradient[60] <= 1e-9
    assert gradient[1000] <= 1e-12
    assert gradient[30] <= 1e-2 * gradient[10]


# ---- Many nodes ----------------------------------------------------------------------------------


def limit_of(problem, steps=300, solve_steps=40):
    def gradient(v):
        return problem.gradients(np.tile(v, (problem.nodes, 1))).mean(axis=0)

    return annealed_limit(
        gradient, problem.local_step.operator, problem.dimension, steps, solve_steps
    )


def apart(X, x):
    return np.linalg.norm(X - x) / np.sqrt(len(X)) / np.linalg.norm(x)


@pytest.mark.parametrize("network", [GEOMETRIC, CYCLE], ids=["geometric", "cycle"])
def test_the_nodes_end_where_one_machine_ends(network):
    """strength 5e-3, epsilon 1e-2, annealed, then 60 steps: to 1e-5 with ten rounds of gossip, to
    1e-9 with thirty; with one they are on a support that is wrong, and arrive later.
    """
    truth, problem = problem_of(0)
    limit = limit_of(problem)
    found = {T: play(METHOD, problem, network, 100, {"gossip_rounds": T})["x"] for T in (1, 10, 30)}
    assert apart(found[10], limit) <= 1e-5
    assert apart(found[30], limit) <= 1e-9
    assert apart(found[1], limit) > 0.1
    support = np.abs(truth) > 0
    assert (np.abs(found[10].mean(axis=0)) > 0.1).tolist() == support.tolist()
    assert (np.abs(found[1].mean(axis=0)) > 0.1).tolist() != support.tolist()
    later = play(METHOD, problem, network, 3000, {"gossip_rounds": 1})["x"]
    assert apart(later, limit) <= 1e-8


def test_by_default_there_is_gossip_enough():
    """A path, whose chi is 25: 16 rounds."""
    path = Network.from_networkx(nx.path_graph(8))
    _, problem = problem_of(1)
    tuning = METHOD.tune(problem, path)
    assert tuning.params.gossip_rounds == 16
    assert tuning.asked.per_round.communications == 16 * 7
    assert tuning.asked.per_round.gradients == 8 * (1 + 16 * 4)
    X = play(METHOD, problem, path, 160)["x"]
    assert apart(X, limit_of(problem)) <= 1e-5


@pytest.mark.slow
def test_nodes_with_strips_of_a_picture_end_where_one_machine_ends():
    """Learned filters, 16 x 16 pixels: to 1e-5 with ten rounds of gossip, after 60 steps at the
    last epsilon; with one round they have not met then.
    """
    rng = np.random.default_rng(0)
    y = load("flower", 16).ravel() + 0.1 * rng.standard_normal(256)
    strips = np.arange(256).reshape(4, 64)
    smooth = Problem.from_arrays(np.eye(256)[strips], y[strips], "least_squares")
    problem = smooth.with_local_step(build_local_step({"learned": FILTERS}, 256))
    limit, operator = limit_of(problem), problem.local_step.operator
    slope = problem.gradients(np.tile(limit, (4, 1))).mean(axis=0)
    assert_allclose(slope, -operator.majoriser(limit)(limit), atol=1e-12 * np.abs(slope).max())
    cycle = Network.from_networkx(nx.cycle_graph(4))
    found = {T: play(METHOD, problem, cycle, 100, {"gossip_rounds": T})["x"] for T in (1, 10)}
    assert apart(found[1], limit) > 1e-4
    assert apart(found[10], limit) <= 1e-5


def test_x_star_is_no_worse_than_where_reweighting_leads():
    _, problem = problem_of(2)
    limit = limit_of(problem)
    assert problem.suboptimality(limit) >= -1e-10
    assert apart(problem.x_star[None], limit) <= 1e-6  # here it is the same


def test_without_a_term_it_goes_to_x_star():
    problem = small_problem(7)
    X = play(METHOD, problem, lollipop(), 60)["x"]
    assert_allclose(X, np.tile(problem.x_star, (7, 1)), rtol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_low_rank_by_schatten_where_the_nuclear_norm_fails(seed):
    """Rank 2 of 10 x 8 from 48 measurements, on one machine."""
    rng = np.random.default_rng(seed)
    truth = (rng.standard_normal((10, 2)) @ rng.standard_normal((2, 8))).ravel()
    A = rng.standard_normal((6, 8, 80))
    b = A @ truth + 0.01 * rng.standard_normal((6, 8))
    smooth = Problem.from_arrays(A, b, "least_squares")

    def error(p):
        term = make("schatten", 80, shape=[10, 8], strength=2e-3, p=p, epsilon=1e-3)
        return apart(limit_of(smooth.with_local_step(term), 20)[None], truth)

    assert error(0.5) < 0.005
    assert error(1.0) > 0.02


# ---- What it says --------------------------------------------------------------------------------

SCENARIO = {
    "name": "few",
    "problem": {
        "kind": "least_squares",
        "data": {
            **{"kind": "sparse_signal", "dim": 40, "samples_per_node": 3},
            **{"nonzeros": 4, "noise": 0.01},
        },
    },
    "local_step": {"prox": {"kind": "lp", "strength": 5e-3, "p": 0.5, "epsilon": 0.01}},
    "network": {"graph": "cycle", "nodes": 8},
    "algorithms": [
        {"name": "irls", "label": "too little", "parameters": {"gossip_rounds": 1}},
        {"name": "irls", "label": "enough", "parameters": {"gossip_rounds": 30}},
    ],
    "stop": {"time": 80},
    "record": {"points": 5},
}


def test_a_run_says_where_there_was_too_little_gossip(tmp_path):
    result = simulate(SCENARIO, out=tmp_path / "few")
    (key,) = result.remarks
    assert key == ("too little", 0)
    said = result.remarks[key]
    assert said.startswith("irls: J rose in ")
    assert said.endswith(
        " of 40 steps; gossip_rounds: 1 is too few for it to fall on this network, about 8 are "
        "needed"
    )
    again = simulate(SCENARIO, out=tmp_path / "few", resume=True)
    assert again.remarks == result.remarks
    assert result.runs["experimental"].all()


@pytest.mark.parametrize(
    ("kind", "term", "said"),
    [
        ("logistic_l2", None, "irls needs quadratic f_i, and those of problem 'logistic_l2' are"),
        ("least_squares", "l1", "irls cannot take the local_step l1: it needs one that can be"),
    ],
)
def test_what_it_refuses(kind, term, said):
    problem = small_problem(7, kind)
    if term is not None:
        problem = problem.with_local_step(make(term, problem.dimension, strength=1.0))
    with pytest.raises(InputError, match="irls") as caught:
        METHOD.check_supported(problem, lollipop())
    assert str(caught.value).startswith(said)
