"""Methods over directed graphs: against dense matrices, fixed points in closed form, and what goes
wrong without them.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import PlayedAgain, replay, simulate
from dadao_sim.algorithms.contract.nodes import CALL_STRIDE
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compression.quantisers import Dither
from dadao_sim.compression.sparsifiers import Identity, TopK
from dadao_sim.errors import InputError
from dadao_sim.events.log import ROUND, Events
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks import DirectedNetwork, DirectedSequence, Network
from dadao_sim.networks.directed import arcs_of, in_turn, perron_vectors
from dadao_sim.networks.graphs import build
from dadao_sim.problems import Problem
from dadao_sim.simulation.plan import route_of
from dadao_sim.simulation.replay import make_player
from dadao_sim.theory.round_curve import round_curve
from dadao_sim.theory.rounds import round_rate

N, D = 10, 4
TRACKING = ("add_opt", "push_diging", "push_pull", "ab", "frost")
DIRECTED = ("push_sum", "subgradient_push", "sgp", *TRACKING)
SETTINGS = ("whole", "halves", "one peer")


@cache
def quadratics(kappa=10.0):
    """Aligned Hessians of that condition number, and minimisers that differ."""
    rng = np.random.default_rng(1)
    h = np.geomspace(1, kappa, D) * np.ones((N, 1))
    H = np.stack([np.diag(row) for row in h])
    return Problem.quadratic(H, h * rng.standard_normal((N, D)))


@cache
def centres():
    return Problem.averaging(np.random.default_rng(2).standard_normal((N, D)))


@cache
def network(setting):
    if setting == "one peer":
        return build("exponential_one_peer", N, np.random.default_rng(0))
    whole = build("random_digraph", N, np.random.default_rng(5), probability=0.25)
    return in_turn(whole, 2) if setting == "halves" else whole


def rounds(count):
    return Events.from_arrays(np.arange(1.0, count + 1), [ROUND] * count, [-1] * count)


def played(name, problem, on, count, **given):
    given.setdefault("x0", None if name == "push_sum" else x0())
    return replay(name, problem, on, rounds(count), **given)


def x0():
    return np.random.default_rng(3).standard_normal((N, D))


def estimate(name, blocks):
    return blocks[METHODS[name].estimate]


def dense(on):
    """C and R of every graph, from the list of its arcs alone."""
    found = []
    for graph in on.graphs:
        C, R = np.eye(N), np.eye(N)
        for s, r in arcs_of(graph).tolist():
            C[r, s] = R[r, s] = 1.0
        found.append((C / C.sum(axis=0), R / R.sum(axis=1, keepdims=True)))
    return found


# ---- the equations -------------------------------------------------------------------------------


def transcribed(name, problem, on, count, a):
    """The estimate after each round, by the sheet of equations and full matrices."""
    matrices, G = dense(on), problem.gradients
    X = problem.centres if name == "push_sum" else x0()
    w, Z = np.ones((N, 1)), X
    Y, E = (None, None) if name == "push_sum" else (G(X), np.eye(N))
    for k in range(count):
        C, R = matrices[k % len(matrices)]
        before = Z
        if name in ("push_pull", "ab"):
            Z = R @ (Z - a * Y) if name == "push_pull" else R @ Z - a * Y
            Y = C @ Y + G(Z) - G(before)
        elif name == "frost":
            Z = R @ Z - a * Y
            later = R @ E
            Y = R @ Y + G(Z) / np.diag(later)[:, None] - G(before) / np.diag(E)[:, None]
            E = later
        else:
            w = C @ w
            if name == "push_sum":
                X = C @ X
                Z = X / w
            elif name == "subgradient_push":
                U = C @ X
                Z = U / w
                X = U - a * G(Z)
            elif name == "sgp":
                X = C @ (X - a * G(Z))
                Z = X / w
            else:
                X = C @ (X - a * Y) if name == "push_diging" else C @ X - a * Y
                Z = X / w
                Y = C @ Y + G(Z) - G(before)
    return Z


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", DIRECTED)
def test_every_method_is_its_equations(name, setting):
    on, problem = network(setting), centres() if name == "push_sum" else quadratics()
    if name == "frost" and setting != "whole":
        with pytest.raises(InputError, match="frost has no form for time-varying graphs"):
            played(name, problem, on, 1)
        return
    a = 0.0 if name == "push_sum" else METHODS[name].tune(problem, on).constants["step"]
    for count in (1, 2, 25):
        ours = estimate(name, played(name, problem, on, count))
        assert_allclose(ours, transcribed(name, problem, on, count, a), rtol=1e-11, atol=1e-13)


def test_the_default_steps_are_those_of_the_eigenvectors():
    on, problem = network("whole"), quadratics()
    (C, R), L = dense(on)[0], 10.0
    pi, p = (np.linalg.matrix_power(M, 4000)[:, 0] for M in (C, R.T))
    wanted = {
        "push_pull": 0.25 / (N * (p @ pi) * L),
        "ab": 0.1 / (N * (p @ pi) * L),
        "add_opt": 0.25 * N * pi.min() / L,
        "push_diging": min(1, N * pi.min()) / L,
        "frost": 0.2 * p.min() / L,
        "sgp": N * pi.min() / (2 * L),
    }
    for name, step in wanted.items():
        found = METHODS[name].tune(problem, on).constants["step"]
        assert found == pytest.approx(step, rel=1e-10), name


@pytest.mark.parametrize("name", DIRECTED)
def test_an_undirected_network_is_that_of_both_arcs_of_each_edge(name):
    path = build("path", N, np.random.default_rng(0))
    both = DirectedNetwork(N, arcs_of(path))
    problem = centres() if name == "push_sum" else quadratics()
    one, other = (played(name, problem, on, 10) for on in (path, both))
    for block in METHODS[name].blocks:
        assert_array_equal(one[block], other[block])


# ---- where it leads ------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ["push_sum", *TRACKING[:-1]])
def test_exact_methods_reach_the_optimum_with_their_default_steps(name, setting):
    problem = centres() if name == "push_sum" else quadratics()
    slow = {"add_opt": 20_000, "ab": 6000}.get(name, 4000)
    ends = estimate(name, played(name, problem, network(setting), slow))
    assert_allclose(ends, np.tile(problem.x_star, (N, 1)), atol=1e-9)


def test_frost_reaches_it_too_and_diverges_with_a_step_of_a_tenth():
    """At a = .2 min p/L and at .1/L."""
    problem, on = quadratics(), network("whole")
    ends = played("frost", problem, on, 5000)["x"]
    assert_allclose(ends, np.tile(problem.x_star, (N, 1)), atol=1e-9)
    too_long = played("frost", problem, on, 2000, overrides={"step": 0.1 / problem.L})["x"]
    assert not np.abs(too_long).max() < 1e6


@pytest.mark.parametrize("name", ["subgradient_push", "sgp"])
def test_the_plateau_of_push_with_a_constant_step_is_a_linear_system(name):
    """[(I - C) diag(n pi) + a C diag(H)] Z = a C c, to 1e-13 of its size; the same for both."""
    problem, on = quadratics(), network("whole")
    a = METHODS[name].tune(problem, on).constants["step"]
    C = dense(on)[0][0]
    n_pi = N * np.linalg.matrix_power(C, 4000)[:, 0]
    c = -problem.gradients(np.zeros((N, D)))
    plateau = np.empty((N, D))
    for k in range(D):
        h = problem.gradients(np.eye(D)[[k] * N])[:, k] + c[:, k]
        plateau[:, k] = np.linalg.solve((np.eye(N) - C) * n_pi + a * C * h, a * C @ c[:, k])
    ends = estimate(name, played(name, problem, on, 3000))
    assert_allclose(ends, plateau, atol=1e-13 * np.abs(plateau).max())
    assert np.abs(plateau - problem.x_star).max() > 1e-2  # biased


def test_falling_steps_lead_subgradient_push_to_the_optimum():
    """Steps of a/(1 + k/500): an error that falls like them, but for terms of second order."""
    schedule = {"kind": "power", "p": 1.0, "after": 500}
    algorithm = {"name": "subgradient_push", "schedule": schedule, "parameters": {"step": 0.01}}
    errors = []
    for time in (4000, 12_000):
        result = simulate(quadratics(), network("halves"), [algorithm], time=time)
        errors.append(result.curves["mean_squared_distance"].iloc[-1])
    assert errors[1] == pytest.approx(errors[0] * (9 / 25) ** 2, rel=0.1)


# ---- what stays ----------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS)
def test_sums_stay(setting):
    on, problem = network(setting), quadratics()
    blocks = played("push_sum", centres(), on, 101)
    assert_allclose(blocks["x"].sum(axis=0), centres().centres.sum(axis=0), rtol=1e-12)
    assert blocks["w"].sum() == pytest.approx(N, rel=1e-13)
    for name in TRACKING[:-1]:
        blocks = played(name, problem, on, 101)
        at = estimate(name, blocks)
        assert_allclose(blocks["g"], problem.gradients(at), rtol=1e-13)
        y = blocks["h"] + blocks["g"]
        assert_allclose(y.sum(axis=0), blocks["g"].sum(axis=0), atol=1e-11)


def test_frost_keeps_the_weighted_sum_and_learns_the_eigenvector():
    on, problem = network("whole"), quadratics()
    _, (p,) = perron_vectors(on)
    blocks = played("frost", problem, on, 300)
    assert_allclose(blocks["e"], np.tile(p, (N, 1)), rtol=1e-10)
    assert_allclose(p @ blocks["h"], 0, atol=1e-13)
    assert_allclose(p @ played("frost", problem, on, 3)["h"], 0, atol=1e-13)


# ---- negative controls ---------------------------------------------------------------------------


def test_row_sums_alone_lead_to_the_wrong_point():
    """Gradient tracking with a Metropolis-like W, which on a digraph has row sums of 1 only, and
    push-sum without its division: each ends off, where the left eigenvector says.
    """
    on, problem = network("whole"), quadratics()
    C, R = dense(on)[0]
    _, (p,) = perron_vectors(on)
    a = METHODS["push_pull"].tune(problem, on).constants["step"]
    X, Y = x0(), problem.gradients(x0())
    first = Y
    for _ in range(4000):
        before, X = X, R @ (X - a * Y)
        Y = R @ Y + problem.gradients(X) - problem.gradients(before)
    assert np.ptp(X, axis=0).max() < 1e-9  # they agree
    assert np.abs(X - problem.x_star).max() > 0.05  # on something else
    gradients = problem.gradients(X)
    assert_allclose(p @ gradients, 0, atol=1e-9)
    assert np.abs(p @ first - first.mean(axis=0)).max() > 0.01
    sums = np.linalg.matrix_power(C, 4000) @ centres().centres
    mean = centres().x_star
    assert np.abs(sums - mean).max() > 0.05
    assert_allclose(sums / np.linalg.matrix_power(C, 4000).sum(axis=1)[:, None], mean + 0 * sums)


def test_steps_that_forget_how_often_the_mean_is_moved_diverge():
    """AB at the step that suits Push-Pull on a network of equal weights, on a sparse digraph."""
    on = build("k_out", 30, np.random.default_rng(4), out=2)
    rng = np.random.default_rng(0)
    h = np.ones((30, D)) * np.geomspace(1, 10, D)
    problem = Problem.quadratic(np.stack([np.diag(row) for row in h]), rng.standard_normal((30, D)))
    ends = [
        replay("ab", problem, on, rounds(6000), overrides={"step": step})["x"]
        for step in (METHODS["ab"].tune(problem, on).constants["step"], 1 / problem.L)
    ]
    assert np.abs(ends[0] - problem.x_star).max() < 1e-9
    assert not np.abs(ends[1]).max() < 1e6


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("name", TRACKING)
def test_on_a_directed_ring_the_default_step_is_cut_and_still_leads_there(name, turns):
    """n min pi and p.pi are 1 there, and the step that they say diverges: Push-Pull at 1/(4L)."""
    if name == "frost" and turns > 1:
        return
    ring = build("directed_ring", N, np.random.default_rng(0), turns=turns)
    problem = quadratics(2.0)
    longer = {"add_opt": 0.25, "push_diging": 1.0, "push_pull": 0.25, "ab": 0.1, "frost": 0.02}
    step = METHODS[name].tune(problem, ring).constants["step"]
    assert step < 0.7 * longer[name] / problem.L
    ends = estimate(name, played(name, problem, ring, 6000))
    assert_allclose(ends, np.tile(problem.x_star, (N, 1)), atol=1e-7)
    at = {"step": longer[name] / problem.L}
    far = estimate(name, played(name, problem, ring, 6000, overrides=at))
    assert not np.abs(far).max() < 10


def test_frost_warns_where_what_it_divides_by_falls_too_far():
    ring = build("directed_ring", 30, np.random.default_rng(0))
    c = METHODS["frost"].tune(Problem.averaging(np.eye(30)), ring).params
    assert METHODS["frost"].warning(c, ring) == (
        "on the way to p the numbers that gradients are divided by fall to 6e-08 of it, and the "
        "method may diverge; Push-Pull divides by none"
    )
    assert METHODS["frost"].warning(c, network("whole")) == ""


# ---- what it costs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("push_sum", D + 1),
        *((name, D + 1) for name in ("subgradient_push", "sgp")),
        *((name, 2 * D + 1) for name in ("add_opt", "push_diging")),
        *((name, 2 * D) for name in ("push_pull", "ab")),
        ("frost", 2 * D + N),
    ],
)
def test_a_message_along_an_arc_is_half_a_communication(name, numbers):
    ring = build("directed_ring", N, np.random.default_rng(0))
    chord = DirectedNetwork(N, np.vstack([ring.arcs, [(0, 5)]]))  # an odd number of arcs
    problem = centres() if name == "push_sum" else quadratics()
    start = {} if name == "push_sum" else {"start": {"kind": "normal"}}
    result = simulate(problem, chord, [name], time=3, **start)
    run = result.curves.iloc[-1]
    assert run["communications"] == 3 * 11 / 2
    assert run["floats_sent"] == 3 * 11 * numbers
    assert run["bytes_sent"] == 8 * run["floats_sent"]


def test_the_arcs_of_a_sequence_are_counted_as_they_come():
    result = simulate(quadratics(), network("halves"), ["push_pull"], time=3)
    first, second = (len(graph.arcs) for graph in network("halves").graphs)
    assert result.runs["communications"].iloc[0] == (2 * first + second) / 2


@pytest.mark.parametrize("setting", ["whole", "halves"])
def test_counts_of_edges_add_up_to_those_of_the_run(setting):
    on = network(setting)
    given = {"problem": quadratics(), "network": on}
    again = PlayedAgain(simulate(*given.values(), ["push_pull"], time=5), "push_pull", **given)
    counts = again.edge_counts().set_index(["i", "j"])["communications"]
    wanted = dict.fromkeys(map(tuple, on.edges.tolist()), 0.0)
    for k in range(5):
        for s, r in on.graphs[k % len(on.graphs)].arcs.tolist():
            wanted[min(s, r), max(s, r)] += 0.5
    assert counts.to_dict() == wanted


def test_in_a_world_a_node_waits_for_those_it_hears_alone():
    """A ring with one slow node: the world against the recursion of who hears whom."""
    on = build("directed_ring", N, np.random.default_rng(0))
    slowness = [1.0] * (N - 1) + [2.5]
    spec = {
        "nodes": {"gradient": {"kind": "constant", "mean": 1.0}, "slowness": slowness},
        "links": {"latency": 0.25},
        "barrier": "neighbourhood",
    }
    made = WorldSpec.model_validate(spec)
    physics = make_physics(made, on, np.random.default_rng(0), accuracy=False, end=1e9)
    asked = METHODS["push_pull"].tune(quadratics(), on).asked
    clock = RoundWorld(physics, 1, 8.0, np.random.SeedSequence(1), route=route_of(asked, on))
    log = clock.window()
    ends = log.time[log.kind == ROUND][:30]
    ready, wanted = np.zeros(N), []
    for _ in range(30):
        computed = ready + slowness
        ready = np.maximum(computed, np.roll(computed, 1) + 0.25)
        wanted.append(ready.max())
    assert_allclose(ends, wanted, rtol=1e-12)
    assert_allclose(clock.exchanges_until(30), np.full(N, 15.0))  # of an edge, half of one a round


def test_the_exact_curve_of_push_pull_is_its_run():
    on, problem = network("whole"), quadratics()
    for name in ("push_pull", "ab"):
        curve = round_curve(name, problem, on, 40, x0=x0())
        for k in (1, 10, 40):
            error = played(name, problem, on, k)["x"] - problem.x_star
            assert curve[k] == pytest.approx((error**2).sum() / N, rel=1e-8)
        errors = [
            ((played(name, problem, on, k)["x"] - problem.x_star) ** 2).sum() for k in (1500, 1600)
        ]
        decay = round_rate(name, problem, on).decay
        if errors[1] > 1e-24:
            assert np.log(errors[0] / errors[1]) / 100 == pytest.approx(decay, rel=1e-3)
    halves = round_rate("push_pull", problem, network("halves")).decay
    assert 0 < halves < round_rate("push_pull", problem, on).decay
    with pytest.raises(InputError, match=r"^add_opt: no exact rate .* divide by numbers"):
        round_rate("add_opt", problem, on)


# ---- compressed ----------------------------------------------------------------------------------

TWO_BITS = Dither(kind="dither")


def cpp_played(count, seed=0, **given):
    """The rounds of CPP, with marks."""
    log = rounds(count)
    marks = np.random.default_rng(seed).integers(0, 2**63, count).astype(np.uint64)
    problem = quadratics()
    tuning = METHODS["cpp"].tune(problem, network("whole"), given.pop("overrides", {}), **given)
    player = make_player(METHODS["cpp"], problem, tuning, x0(), {})
    player.play(replace(log, mark=marks), 0, count)
    return player, marks


@pytest.mark.parametrize("kind", ["dither", "top_k"])
def test_cpp_is_its_equations_with_full_matrices(kind):
    """X and Y with what was sent of them, not what is kept of R H and C K."""
    Q = TWO_BITS if kind == "dither" else TopK(kind="top_k", k=2)
    player, marks = cpp_played(40, overrides={"gamma": 0.9}, options=Options(compression=Q))
    (C, R), problem, a = dense(network("whole"))[0], quadratics(), player.c.step
    X, H, K = x0(), np.zeros((N, D)), np.zeros((N, D))
    G = problem.gradients(X)
    Y = G
    for mark in marks.tolist():
        draws = [(~mark + call * int(CALL_STRIDE)) & (2**64 - 1) for call in range(2)]
        P, S = Q.rows(X - H, draws[0]), Q.rows(Y - K, draws[1])
        X, before = X - 0.9 * (np.eye(N) - R) @ (H + P) - a * Y, G
        G = problem.gradients(X)
        Y = Y - 0.9 * (np.eye(N) - C) @ (K + S) + G - before
        H, K = H + 0.5 * P, K + 0.5 * S
    found = player.blocks(("x", "r", "hr", "kc"))
    assert_allclose(found["x"], X, atol=1e-12)
    assert_allclose(found["r"] + G, Y, atol=1e-12)
    assert_allclose(found["hr"], R @ H, atol=1e-12)
    assert_allclose(found["kc"], C @ K, atol=1e-12)


def test_cpp_without_compression_is_ab():
    whole = Options(compression=Identity(kind="identity"))
    player, _ = cpp_played(300, options=whole)
    wanted = played("ab", quadratics(), network("whole"), 300)["x"]
    assert_allclose(player.blocks(("x",))["x"], wanted, atol=1e-12)


def test_cpp_reaches_the_optimum_in_few_bits_and_plain_compression_does_not():
    """Negative control: AB whose neighbours see Q(X) and Q(Y) themselves stops far off x*."""
    player, marks = cpp_played(3000)
    problem, (C, R) = quadratics(), dense(network("whole"))[0]
    assert_allclose(player.blocks(("x",))["x"], np.tile(problem.x_star, (N, 1)), atol=1e-9)
    own_r, own_c = (np.diag(np.diag(M)) for M in (R, C))
    X, a = x0(), player.c.step
    G = problem.gradients(X)
    Y, errors = G, []
    for mark in marks.tolist():
        sent = TWO_BITS.rows(X, mark), TWO_BITS.rows(Y, mark ^ 1)
        X, before = own_r @ X + (R - own_r) @ sent[0] - a * Y, G
        G = problem.gradients(X)
        Y = own_c @ Y + (C - own_c) @ sent[1] + G - before
        errors.append(np.abs(X - problem.x_star).max())
    assert min(errors[1000:]) > 0.1


@pytest.mark.parametrize(
    ("algorithm", "numbers", "bits"),
    [
        ("cpp", 2 * (D + 1), 2 * 8 * 10),  # three bits for each of four numbers, and a float: 76
        ({"name": "cpp", "compression": {"kind": "top_k", "k": 1}}, 2, 2 * 8 * 9),  # 64 and 2
        ("push_pull", 2 * D, 2 * D * 64),
    ],
)
def test_bits_along_arcs_are_those_of_the_code(algorithm, numbers, bits):
    result = simulate(quadratics(), network("whole"), [algorithm], time=3, start={"kind": "normal"})
    run, arcs = result.curves.iloc[-1], len(network("whole").arcs)
    assert run["communications"] == 3 * arcs / 2
    assert run["floats_sent"] == 3 * arcs * numbers
    assert 8 * run["bytes_sent"] == 3 * arcs * bits


# ---- what is refused -----------------------------------------------------------------------------


def test_methods_that_need_answers_refuse_a_directed_network_by_name():
    for name in ("dadao", "gradient_tracking", "walkman"):
        with pytest.raises(InputError) as caught:
            simulate(quadratics(), network("whole"), [name], time=1)
        assert str(caught.value) == (
            f"algorithms: {name} needs an undirected network, and random_digraph is directed; use "
            "one of ab, add_opt, asy_sonata, frost, push_diging, push_pull, subgradient_push, cpp, "
            "osgp, sgp, push_sum"
        )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"mixing": "metropolis"}, "push_pull has a gossip matrix of its own; leave out mixing"),
        ({"chebyshev": 2}, "push_pull has a gossip matrix of its own; leave out chebyshev"),
        ({"asleep": 1}, "push_pull: a node that slept would keep what it has sent; leave out"),
        ({"rates": "optimal"}, "push_pull: rates: push_pull gossips with unit weights in rounds"),
        (
            {"compression": {"kind": "natural"}},
            "push_pull sends whole vectors; leave out compression, or use one of cpp",
        ),
    ],
)
def test_options_that_make_no_sense_along_arcs(option, message):
    with pytest.raises(InputError) as caught:
        simulate(quadratics(), network("whole"), [{"name": "push_pull", **option}], time=1)
    assert str(caught.value).startswith(f"algorithms: {message}")


def test_a_networkx_digraph_is_taken_where_a_network_is():
    graph = network("whole").to_networkx()
    result = simulate(quadratics(), graph, ["push_pull"], time=2)
    assert result.runs["communications"].iloc[0] == len(graph.edges)
    assert isinstance(network("halves"), DirectedSequence)
    assert isinstance(network("whole").undirected, Network)
