"""Methods of local steps: their equations, where they end, how fast, and what a round costs."""

import math

import networkx as nx
import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Network, Problem, replay, simulate
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.server import Server
from dadao_sim.errors import InputError
from dadao_sim.events.coin import shows_heads
from dadao_sim.events.log import RESENT, ROUND, concatenate
from dadao_sim.events.rounds import RoundClock
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.rounds import ROUNDS, RoundWorld
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.local_steps.terms import make
from dadao_sim.networks.graphs import build
from dadao_sim.problems import build_problem
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.results.result import load_result
from dadao_sim.simulation.replay import make_player

NODES, DIMENSION = 7, 3
EYE, J = np.eye(NODES), np.full((NODES, NODES), 1 / NODES)


def rounds(count, seed=1):
    clock = RoundClock(np.random.SeedSequence(seed))
    return concatenate([clock.window() for _ in range(-(-count // 1024))])[:count]


def laplacian(network):
    A = np.zeros((network.nodes, network.nodes))
    for i, j in network.edges:
        A[i, j] = A[j, i] = 1.0
    return np.diag(A.sum(axis=1)) - A


def own_matrix(network):
    """I - Laplacian/lambda_max."""
    Lap = laplacian(network)
    return np.eye(len(Lap)) - Lap / np.linalg.eigvalsh(Lap)[-1]


def aligned(kind="least_squares", nodes=NODES, kappa=100.0, seed=0):
    """Quadratics that share the eigenvectors of their Hessians, or logistic regression."""
    data = {"kind": "synthetic", "dim": 4, "samples_per_node": 12, "condition_number": kappa}
    if kind == "least_squares":
        data["hessians"] = "aligned"
    spec = PROBLEMS[kind].model_validate({"kind": kind, "data": data})
    return build_problem(spec, nodes, np.random.default_rng(seed))


def random_quadratics():
    """Whose Hessians differ, so that local steps drift apart."""
    rng = np.random.default_rng(7)
    Q = np.linalg.qr(rng.standard_normal((10, 4, 4)))[0]
    H = Q @ (np.geomspace(1, 20, 4)[:, None] * Q.transpose(0, 2, 1))
    return Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, rng.standard_normal((10, 4)))


# --- The equations ------------------------------------------------------------------------------

COINS_STRIDE, MASK = 0xE7037ED1A0B428DB, 2**64 - 1


def mixed(state):
    """Splitmix64, on Python's integers."""
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def coins(log, p):
    seed = int(log.mark[0])
    return [mixed(seed + (k + 1) * COINS_STRIDE) / 2**64 < p for k in range(len(log))]


def affine(problem):
    """H_i and c_i of grad f_i(x) = H_i x - c_i, by its values alone."""
    zero = np.zeros((problem.nodes, problem.dimension))
    c = -problem.gradients(zero)
    H = np.stack([problem.gradients(zero + e) + c for e in np.eye(problem.dimension)], axis=2)
    return H, c


PROBLEM, NETWORK = small_problem(NODES), lollipop()
H, C = affine(PROBLEM)
L, MU = PROBLEM.L, PROBLEM.mu
W = own_matrix(NETWORK)


def G(X):
    return np.einsum("iab,ib->ia", H, X) - C


def local_sgd(X, log, M=W, K=4):
    for _ in log.time:
        for _ in range(K):
            X = X - G(X) / (2 * K * L)
        X = M @ X
    return {"x": X}


def fedavg(X, log):
    return local_sgd(X, log, J)


def scaffold(X, log, K=4):
    """With one x and one c, as the paper has them; clients start at the server's x."""
    x, c, c_i, a = X[0], np.zeros(DIMENSION), np.zeros_like(X), 1 / (2 * K * L)
    for _ in log.time:
        Y = np.tile(x, (NODES, 1))
        for _ in range(K):
            Y = Y - a * (G(Y) - c_i + c)
        new = c_i - c + (x - Y) / (K * a)
        x = x + (Y - x).mean(axis=0)
        c, c_i = c + (new - c_i).mean(axis=0), new
    return {"x": np.tile(x, (NODES, 1)), "c": np.tile(c, (NODES, 1)), "d": c_i}


OWN_P = 1 / math.sqrt(L / MU * (1 - np.linalg.eigvalsh(W)[-2]))


def scaffnew(X, log, p=OWN_P):
    gam = 1 / L
    assert 0 < sum(coins(log, p)) < len(log)  # both sides of the coin
    h = np.zeros_like(X)
    for heads in coins(log, p):
        Z = X - gam * (G(X) - h)
        X = W @ Z if heads else Z
        h = h + p / gam * (X - Z)
    return {"x": X, "h": h}


@pytest.mark.parametrize(
    ("equation", "given"),
    [
        (local_sgd, {}),
        (local_sgd, {"K": 7}),
        (fedavg, {}),
        (scaffold, {}),
        (scaffnew, {}),
        (scaffnew, {"p": 0.4}),
    ],
)
def test_a_method_is_its_equations(equation, given):
    x0 = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    if equation is scaffold:
        x0 = np.tile(x0[0], (NODES, 1))
    log = rounds(50)
    found = replay(equation.__name__, PROBLEM, NETWORK, log, x0, given)
    for block, wanted in equation(x0, log, **given).items():
        assert_allclose(found[block], wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("name", "parameters", "other", "its"),
    [
        ("local_sgd", {"K": 1, "a": 0.1}, "atc_diffusion", {"step": 0.1}),
        ("scaffnew", {"p": 1}, "d2", {}),
    ],
)
def test_one_local_step_is_another_method(name, parameters, other, its):
    x0 = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    found = replay(name, PROBLEM, NETWORK, rounds(50), x0, parameters)["x"]
    assert_allclose(found, replay(other, PROBLEM, NETWORK, rounds(50), x0, its)["x"], atol=1e-12)


def test_means_over_a_complete_graph_are_gossip():
    """I - Laplacian/n is J there, to the rounding of the eigenvalue."""
    network = build("complete", NODES, np.random.default_rng(0))
    x0 = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    one, other = (
        replay(name, PROBLEM, network, rounds(50), x0)["x"] for name in ("fedavg", "local_sgd")
    )
    assert_allclose(one, other, atol=1e-12)


# --- Where they end, and how fast ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("graph", ["cycle", "random_geometric"])
@pytest.mark.parametrize("name", ["scaffnew", "scaffold"])
def test_they_converge_to_the_optimum(name, graph, kind):
    problem = aligned(kind, nodes=10)
    network = build(graph, 10, np.random.default_rng(4))
    blocks = replay(name, problem, network, rounds(9000))
    wanted = get_method(name).optimum(problem, network, get_method(name).tune(problem, network))
    for block, value in wanted.items():
        scale = np.linalg.norm(value) + np.linalg.norm(problem.x_star)
        assert np.linalg.norm(blocks[block] - value) <= 1e-9 * scale


@pytest.mark.parametrize(("name", "own"), [("local_sgd", True), ("fedavg", False)])
@pytest.mark.parametrize("graph", ["cycle", "random_geometric"])
def test_without_correction_they_end_where_the_equation_says(name, own, graph):
    """X = M (m + (I - a H_i)^K (X - m)), m the nodes' own minimisers: n d linear equations."""
    problem = random_quadratics()
    network = build(graph, 10, np.random.default_rng(4))
    hessians, linear = affine(problem)
    n, d, K = 10, problem.dimension, 4
    M = own_matrix(network) if own else np.full((n, n), 1 / n)
    m = np.linalg.solve(hessians, linear[..., None])[..., 0]
    a = 1 / (2 * K * problem.L)
    P = np.zeros((n * d, n * d))
    for i in range(n):
        P[i * d : (i + 1) * d, i * d : (i + 1) * d] = np.linalg.matrix_power(
            np.eye(d) - a * hessians[i], K
        )
    B = np.kron(M, np.eye(d))
    end = np.linalg.solve(np.eye(n * d) - B @ P, B @ (m.ravel() - P @ m.ravel()))
    found = replay(name, problem, network, rounds(9000))["x"]
    assert np.linalg.norm(found.ravel() - end) <= 1e-12 * np.linalg.norm(end)
    assert np.linalg.norm(found - problem.x_star) > 1e-3 * np.linalg.norm(problem.x_star)


def test_without_correction_logistic_regression_ends_at_newtons_point():
    """Where a round of local gradient steps and gossip moves nothing."""
    problem = aligned("logistic_l2", kappa=30.0)
    found = replay("local_sgd", problem, NETWORK, rounds(9000))["x"]
    a = 1 / (8 * problem.L)

    def moves(x):
        Y = X = x.reshape(found.shape)
        for _ in range(4):
            Y = Y - a * problem.gradients(Y)
        return (own_matrix(NETWORK) @ Y - X).ravel()

    x, e = np.zeros(found.size), 1e-6
    for _ in range(30):
        slope = np.stack([moves(x + e * u) - moves(x - e * u) for u in np.eye(x.size)], axis=1)
        x = x - np.linalg.solve(slope / (2 * e), moves(x))
    assert_allclose(found.ravel(), x, rtol=0, atol=1e-9 * np.linalg.norm(x))


def lyapunov(problem, network, tuning):
    """||X - X*||^2 + (gam/p)^2 ||H - H*||_P^2, P the pseudo-inverse of I - W."""
    P = np.linalg.pinv(np.eye(network.nodes) - own_matrix(network), rcond=1e-10)
    optimum = get_method("scaffnew").optimum(problem, network, tuning)
    c = tuning.params

    def potential(blocks):
        x, h = blocks["x"] - optimum["x"], blocks["h"] - optimum["h"]
        return (x**2).sum() + (c.gam / c.p) ** 2 * (h * (P @ h)).sum()

    return potential


def log_with(heads, p):
    """A log of one round whose coin is as wished."""
    log = rounds(1024)
    shown = [shows_heads(int(mark), 0, p) for mark in log.mark]
    row = shown.index(heads)
    return log[row : row + 1]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    p=st.floats(0.05, 0.95) | st.just(1.0),
    factor=st.floats(0.05, 1.0),
    kind=st.sampled_from(["least_squares", "logistic_l2"]),
)
def test_a_step_of_scaffnew_contracts_as_the_theorem_says(seed, p, factor, kind):
    """In the mean over its coin, exactly, from any blocks whose h sum to 0."""
    problem = small_problem(NODES, kind)
    overrides = {"p": p, "gam": factor / problem.L}
    tuning = get_method("scaffnew").tune(problem, NETWORK, overrides)
    rng = np.random.default_rng(seed)
    x, h = rng.standard_normal((2, NODES, DIMENSION))
    h -= h.mean(axis=0)
    potential = lyapunov(problem, NETWORK, tuning)
    after = {
        heads: potential(
            replay("scaffnew", problem, NETWORK, log_with(heads, p), x, overrides, h=h)
        )
        for heads in ((True, False) if p < 1 else (True,))
    }
    mean = p * after[True] + (1 - p) * after.get(False, 0.0)
    l2 = np.linalg.eigvalsh(W)[-2]
    rate = 1 - min(factor / problem.L * problem.mu, p**2 * (1 - l2))
    assert mean <= rate * potential({"x": x, "h": h}) * (1 + 1e-12)


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
@pytest.mark.parametrize("graph", ["cycle", "random_geometric"])
@pytest.mark.parametrize("kappa", [10.0, 100.0])
def test_scaffnew_is_no_slower_than_its_guarantee(kind, graph, kappa):
    problem = aligned(kind, nodes=10, kappa=kappa)
    network = build(graph, 10, np.random.default_rng(4))
    tuning = get_method("scaffnew").tune(problem, network)
    potential, c = lyapunov(problem, network, tuning), tuning.params
    l2 = np.linalg.eigvalsh(own_matrix(network))[-2]
    guaranteed = math.log1p(-min(c.gam * problem.mu, c.p**2 * (1 - l2)))
    steps = math.ceil(math.log(1e-12) / guaranteed)
    player = make_player(get_method("scaffnew"), problem, tuning, np.zeros((10, 4)), {})
    log = rounds(steps)
    begun = potential(player.blocks(("x", "h")))
    player.play(log, 0, steps)
    measured = math.log(potential(player.blocks(("x", "h"))) / begun) / steps
    print(f"{kind} {graph} {kappa:g}: {guaranteed / measured:.2f} of the guaranteed steps")
    assert measured <= guaranteed


# --- What a round costs -------------------------------------------------------------------------


def test_scaffnew_pays_for_the_rounds_that_gossip():
    log, method = rounds(2000), get_method("scaffnew")
    tuning = method.tune(PROBLEM, NETWORK)
    p, edges, d = tuning.params.p, len(NETWORK.edges), DIMENSION
    heads = sum(coins(log, p))
    assert abs(heads - 2000 * p) < 4 * math.sqrt(2000 * p * (1 - p))
    player = make_player(method, PROBLEM, tuning, np.ones((NODES, d)), {})
    player.play(log, 0, len(log))
    tally = player.tally
    assert tally.gradients == 2000 * NODES
    assert tally.communications == heads * edges
    assert (tally.floats_sent, tally.messages_in_sequence) == (2 * heads * edges * d, heads)
    asked = tuning.asked
    assert tuning.communications == asked.per_round.communications == p * edges
    assert asked.per_round.gradients == NODES
    assert asked.per_round.messages_in_sequence == p
    assert (asked.with_heads.messages_in_sequence, asked.chance) == (1, p)
    assert asked.message_bytes == 8 * d


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**64 - 1), chance=st.floats(0, 1))
def test_the_coin_is_that_of_its_chance(seed, chance):
    shown = [shows_heads(seed, k, chance) for k in range(400)]
    deviation = math.sqrt(400 * chance * (1 - chance))
    assert abs(sum(shown) - 400 * chance) <= 5.5 * deviation + 1
    assert shown == [mixed(seed + (k + 1) * COINS_STRIDE) < chance * 2**64 for k in range(400)]


@pytest.mark.parametrize(
    "graph", ["star", "complete", "path", "cycle", "grid_2d", "random_geometric"]
)
def test_a_mean_goes_through_the_middle(graph):
    network = build(graph, 9, np.random.default_rng(0))
    server = Server.of(network)
    radius = nx.radius(network.to_networkx())
    assert server.messages == 2 * radius
    (root,) = np.flatnonzero(server.parent < 0)
    assert nx.eccentricity(network.to_networkx(), root) == radius
    sums = np.eye(9)  # of which nodes each has heard, and how often
    ends = network.edges.T
    assert len(server.route) == 2 * radius
    for sends in server.route[:radius]:
        before = sums.copy()
        for s, e in sends.T:
            sums[ends[1 - s, e]] += before[ends[s, e]]
    assert_array_equal(sums[root], np.ones(9))
    knows = np.arange(9) == root
    for sends in server.route[radius:]:
        told = [(ends[s, e], ends[1 - s, e]) for s, e in sends.T]
        assert all(knows[sender] for sender, _ in told)
        for _, receiver in told:
            assert not knows[receiver]
            knows[receiver] = True
    assert knows.all()
    assert sum(sends.shape[1] for sends in server.route) == 2 * (9 - 1)


@settings(max_examples=60, deadline=None)
@given(nodes=st.integers(2, 40), extra=st.integers(0, 30), seed=st.integers(0, 10**6))
def test_the_server_is_at_a_centre(nodes, extra, seed):
    rng = np.random.default_rng(seed)
    graph = nx.Graph((int(rng.integers(k)), k) for k in range(1, nodes))
    graph.add_edges_from(e for e in rng.integers(nodes, size=(extra, 2)).tolist() if e[0] != e[1])
    edges = np.array(sorted(tuple(sorted(edge)) for edge in graph.edges))
    server = Server.of(Network(nodes, edges))
    assert server.messages == 2 * nx.radius(graph)
    (root,) = np.flatnonzero(server.parent < 0)
    distances = nx.single_source_shortest_path_length(graph, int(root))
    assert server.depth.tolist() == [distances[k] for k in range(nodes)]


@pytest.mark.parametrize(("name", "vectors"), [("fedavg", 1), ("scaffold", 2)])
def test_a_mean_costs_a_message_up_and_one_down(name, vectors):
    asked = get_method(name).tune(PROBLEM, NETWORK).asked
    once = asked.per_round
    assert once.communications == NODES - 1
    assert once.floats_sent == 2 * (NODES - 1) * vectors * DIMENSION
    assert once.messages_in_sequence == 2 * nx.radius(NETWORK.to_networkx())
    assert asked.message_bytes == 8 * vectors * DIMENSION
    assert once.gradients == 4 * NODES
    resent = type(once)()
    asked.count_resent(resent)
    assert (resent.communications, resent.floats_sent) == (0.5, vectors * DIMENSION)


# --- Time in a world ----------------------------------------------------------------------------


def world(network, exchanges=1, seed=1, chance=1.0, route=None, **spec):
    nodes = {"gradient": {"kind": "constant", "mean": 1.0}}
    made = WorldSpec.model_validate({"nodes": nodes, **spec})
    physics = make_physics(made, network, np.random.default_rng(0), accuracy=False, end=1e9)
    sequence = np.random.SeedSequence(seed)
    return RoundWorld(physics, exchanges, 8.0, sequence, chance=chance, route=route)


@pytest.mark.parametrize("barrier", ["global", "neighbourhood"])
def test_rounds_of_tails_wait_for_nobody(barrier):
    clock = world(NETWORK, chance=0.3, links={"latency": 0.25}, barrier=barrier)
    log = concatenate([clock.window() for _ in range(2)])
    heads = np.array(coins(log, 0.3))
    assert 0 < heads.sum() < len(log)
    assert_allclose(np.diff(log.time, prepend=0.0), 1 + 0.25 * heads, rtol=1e-9)
    assert_array_equal(clock.exchanges_until(len(log)), np.full(9, heads.sum()))


def test_with_losses_the_world_and_the_method_see_the_same_coins():
    """Rounds in which something is lost are among those in which the method gossips."""
    links = {"latency": 0.1, "loss": {"probability": 0.4}}
    clock = world(NETWORK, chance=0.3, links=links)
    log = concatenate([clock.window() for _ in range(2)])
    number = np.cumsum(log.kind == ROUND)
    lost_in = np.unique(number[log.kind == RESENT])
    heads = [shows_heads(int(log.mark[0]), k, 0.3) for k in range(2 * ROUNDS)]
    assert len(lost_in) > 50
    assert set(lost_in) <= set(np.flatnonzero(heads))
    player = make_player(
        get_method("scaffnew"),
        PROBLEM,
        get_method("scaffnew").tune(PROBLEM, NETWORK, {"p": 0.3}),
        np.ones((NODES, DIMENSION)),
        {},
    )
    player.play(log, 0, len(log))
    assert player.tally.messages_in_sequence == sum(heads)
    resent = int((log.kind == RESENT).sum())
    assert player.tally.communications == pytest.approx(9 * sum(heads) + resent)


def run_in_a_world(name, graph, **how):
    """A result in whose world a gradient takes 1 and a message 0.5."""
    data = {"kind": "synthetic", "dim": 3, "samples_per_node": 5, "condition_number": 50}
    scenario = {
        "name": "takes-its-time",
        "problem": {"kind": "least_squares", "data": data},
        "network": {"graph": graph, "nodes": 6},
        "algorithms": [name],
        "world": {
            "nodes": {"gradient": {"kind": "constant", "mean": 1.0}},
            "links": {"latency": 0.5},
            "barrier": "global",
        },
        "stop": {"gradients_per_node": 400},
    }
    return simulate(scenario, **how)


def test_a_run_in_a_world_takes_the_time_of_its_coins():
    end = run_in_a_world("scaffnew", "cycle").curves.iloc[-1]
    gossips = end["communications"] / 6
    assert 0 < gossips < 400
    assert end["time"] == pytest.approx(400 + 0.5 * gossips)


def test_a_run_that_outlasts_its_samples_is_read_again(tmp_path):
    """Rounds of 1 + 4 where 1 was expected: more samples than were asked for."""
    result = run_in_a_world("scaffold", "path", out=tmp_path / "r")
    assert len(result.curves) > result.manifest["scenario"]["record"]["points"] + 2
    assert load_result(tmp_path / "r").curves.equals(result.curves)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_in_a_world_has_a_hub_for_a_server(jobs):
    """100 rounds of four gradients, a message up and one down over each of 5 edges."""
    end = run_in_a_world("scaffold", "star", jobs=jobs).curves.iloc[-1]
    assert end["time"] == pytest.approx(100 * (4 + 2 * 0.5))
    assert end["communications"] == 100 * 5


def test_a_mean_takes_the_way_to_the_server_and_back():
    """A path of 5 whose far end computes for 3: 3 + 2 hops up + 2 hops down, each of 0.5."""
    network = Network(5, np.array([[0, 1], [1, 2], [2, 3], [3, 4]]))
    server = Server.of(network)
    clock = world(
        network,
        server.messages,
        route=server.route,
        nodes={
            "gradient": {"kind": "constant", "mean": 1.0},
            "slowness": [1.0, 1.0, 1.0, 1.0, 3.0],
        },
        links={"latency": 0.5},
    )
    log = clock.window()
    # Node 4 begins its next gradient when the mean has come back to it.
    assert_allclose(np.diff(log.time, prepend=0.0), 3 + 4 * 0.5, rtol=1e-9)
    assert_array_equal(clock.exchanges_until(ROUNDS), np.full(4, ROUNDS))


def test_only_what_is_sent_is_lost():
    network = build("cycle", 6, np.random.default_rng(0))
    server = Server.of(network)
    links = {"latency": 0.1, "loss": {"probability": 0.5}}
    clock = world(network, server.messages, route=server.route, links=links)
    log = clock.window()
    used = np.unique(np.concatenate([sends[1] for sends in server.route]))
    lost = np.bincount(log.edge[log.kind == RESENT], minlength=6)
    assert len(used) == 5
    assert_array_equal(np.flatnonzero(lost), used)
    # Two messages over each edge of the tree in a round, lost once each on average.
    assert_allclose(lost[used] / ROUNDS, 2.0, atol=0.6)


# --- Refusals -----------------------------------------------------------------------------------


def refusal(name, network=NETWORK, problem=PROBLEM, options=NO_OPTIONS, **overrides):
    try:
        get_method(name).check_supported(problem, network, options)
        get_method(name).tune(problem, network, overrides, options)
    except InputError as error:
        said = str(error)
    else:
        raise AssertionError("nothing was refused")
    assert "\n" not in said
    assert name in said
    return said


def test_what_they_cannot_do_is_refused():
    assert "'p' must be at most 1, not 1.5" in refusal("scaffnew", p=1.5)
    assert "'p' must be above 0" in refusal("scaffnew", p=0)
    assert "use lazy_metropolis" in refusal("scaffnew", options=Options(mixing="metropolis"))
    for name in ("scaffnew", "fedavg", "scaffold"):
        assert "no form for time-varying graphs" in refusal(name, sequence())
    for name in ("fedavg", "scaffold"):
        assert "leave out mixing" in refusal(name, options=Options(mixing="metropolis"))
        assert "leave out chebyshev" in refusal(name, options=Options(chebyshev=2))
    composite = PROBLEM.with_local_step(make("l1", DIMENSION, strength=0.1))
    for name in ("local_sgd", "fedavg", "scaffold", "scaffnew"):
        assert "cannot take a local_step" in refusal(name, problem=composite)
    for name in ("local_sgd", "fedavg", "scaffold"):
        assert "'K' must be a whole number" in refusal(name, K=2.5)


def test_gossip_in_spite_of_tails_is_refused():
    def constants(c, problem, network):
        c.p = 0.5

    def step(s, c, nodes, W):
        s.x = W(s.x)

    method = RoundMethod(name="talks", coin="p", constants=constants, step=step)
    with pytest.raises(InputError, match="talks: gossips in rounds whose coin shows tails"):
        method.tune(PROBLEM, NETWORK)
