"""DADAO with counters, delayed gossip, and the methods whose messages go one way: their equations
written densely, what they conserve, and what losses do to them and to others."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from cases import lollipop, small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from dadao_sim import Events, PlayedAgain, Problem, replay, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESET,
    SEND,
    SEND_ONE,
    concatenate,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks import DirectedNetwork, GraphSequence
from dadao_sim.networks.directed import arcs_of, in_turn
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player
from dadao_sim.testing.case import one_way_lollipop

NETWORK, PROBLEM = lollipop(), small_problem(7)
LEVEL = 1e-4  # of p-values, as fixed seeds are a few draws of many
COMPUTES = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}
X0 = np.random.default_rng(0).standard_normal((7, 3))
ONE_WAY = one_way_lollipop()
BOTH = [pytest.param(NETWORK, id="undirected"), pytest.param(ONE_WAY, id="directed")]


def world_log(name, windows=1, loss=0.1, latency=0.2, nodes=COMPUTES, network=NETWORK):
    """The events of a method where messages are late, overtake each other, and get lost."""
    links = {"latency": latency, "jitter": 0.7, "loss": {"probability": loss, "noticed": "one"}}
    spec = WorldSpec.model_validate({"nodes": nodes, "links": links})
    rng = np.random.default_rng(0)
    physics = make_physics(spec, network, rng, accuracy=False, end=1e9)
    tuning = METHODS[name].tune(PROBLEM, network)
    clock = WorldClock(physics, tuning.clock, 8.0, np.random.SeedSequence(1))
    return concatenate([clock.window() for _ in range(windows)])


def play(name, log, network=NETWORK, **constants):
    method = METHODS[name]
    player = make_player(method, PROBLEM, method.tune(PROBLEM, network, constants), X0, {})
    player.play(log, 0, len(log))
    return player


def by_hand(log, send, receive, start, end):
    """Play a log with the given functions; ``receive`` hears in which row a message began."""
    way = {}
    for row, (kind, i, j, begun) in enumerate(zip(log.kind, log.i, log.j, log.start, strict=True)):
        if kind == SEND_ONE:
            way[row] = send(i, j)
        elif kind == ARRIVE_ONE:
            receive(i, j, begun, way.pop(begun))
        elif kind == LOST:
            way.pop(begun)
        elif kind == GRADIENT_START:
            way[row] = start(i)
        elif kind == GRADIENT_END:
            end(i, way.pop(begun))
    return way


def heard_and_told(network):
    """Of each node those it hears, and those it sends to."""
    arcs = arcs_of(network).tolist()
    heard = [[s for s, r in arcs if r == i] for i in range(7)]
    return heard, [[r for s, r in arcs if s == i] for i in range(7)]


# ---- DADAO with counters -------------------------------------------------------------------------


def flow_invariant(player):
    """alpha~ z + alpha z~ of all nodes."""
    p, (z, zt) = player.p, (player.blocks((b,))[b] for b in ("z", "z_tilde"))
    return (p.alpha_tilde * z + p.alpha * zt).sum(axis=0)


@pytest.mark.parametrize("state", ["kept", "lost"])
def test_the_sum_is_conserved_with_what_is_on_its_way(state):
    """To 1e-12 of what it is made of, with losses, overtaking and crashes, at any moment."""
    crashes = {"every": 30.0, "length": 2.0, "state": state}
    log = world_log("dadao_counters", nodes={**COMPUTES, "crashes": crashes}, latency=0.02)
    assert (RESET in log.kind) == (state == "lost")
    alone = []
    for rows in (200, 3000, 9000):
        player = play("dadao_counters", log[:rows])
        p, applied = player.p, player.state.ends[:, :, 3:]
        one_sided = (applied[:, 0] + applied[:, 1]).sum(axis=0)
        c = p.alpha_tilde * p.beta + p.alpha * p.beta_tilde
        total = flow_invariant(player)
        scale = max(c * np.abs(applied).max(), 1.0)
        assert_allclose(total + c * one_sided, 0, atol=1e-12 * scale)
        alone.append(np.abs(total).max() / scale)
    assert max(alone) > 1e-3, "what is on its way counts"


SCENARIO = """
name: tried
problem:
  kind: least_squares
  data: {kind: synthetic, dim: 10, samples_per_node: 50, condition_number: 10, heterogeneity: 0.1}
network: {graph: GRAPH, nodes: 16}
world:
  nodes:
    gradient: {kind: exponential, mean: 1.0}
    pause: {kind: constant, mean: 0.0}
  links: {latency: 0.02, loss: {probability: LOSS, noticed: one}}
algorithms: [ALGORITHM]
stop: {time: 4000, accuracy: 1.0e-10}
record: {points: 100}
"""


def run(graph, loss, algorithm):
    text = SCENARIO.replace("GRAPH", graph).replace("LOSS", str(loss))
    result = simulate(yaml.safe_load(text.replace("ALGORITHM", algorithm)))
    return result.runs["status"][0], result.curves["accuracy"].iloc[-1]


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["grid_2d", "cycle", "star", "complete", "barbell"])
def test_one_in_a_hundred_messages_lost_at_one_end_leaves_no_bias(graph):
    assert run(graph, 0.01, "{name: dadao_counters, time_unit: auto}")[0] == "converged"
    status, accuracy = run(graph, 0.01, "{name: dadao, time_unit: auto}")
    assert (status, accuracy > 1e-4) == ("stopped", True)


@pytest.mark.slow
def test_a_tenth_lost_needs_more_careful_constants():
    """What is lost comes late, and DADAO's constants know no delay: on the cycle it diverges."""
    counters = "{name: dadao_counters, time_unit: auto"
    assert run("cycle", 0.1, counters + "}")[0] == "diverged"
    for careful in ("constants: patient", "rate_factor: 2"):
        for loss in (0.1, 0.3):
            assert run("cycle", loss, f"{counters}, {careful}}}")[0] == "converged"


@pytest.mark.slow
def test_a_node_that_lost_its_state_gets_back_what_the_edges_know(tmp_path):
    """One failure: DADAO stays beside x*, for a sum that is no longer 0; with counters it is."""
    (tmp_path / "failures.csv").write_text("node,from,to\n5,150,160\n")
    failures = f"{{file: {tmp_path / 'failures.csv'}, state: lost}}"
    for name, expected in (("dadao_counters", "converged"), ("dadao", "stopped")):
        text = SCENARIO.replace("GRAPH", "grid_2d").replace("LOSS", "0.0")
        text = text.replace("  nodes:\n", f"  nodes:\n    failures: {failures}\n", 1)
        text = text.replace("ALGORITHM", f"{{name: {name}, time_unit: auto}}")
        assert simulate(yaml.safe_load(text)).runs["status"][0] == expected


# ---- delayed gossip ------------------------------------------------------------------------------


def test_delayed_gossip_is_its_equation():
    problem = Problem.averaging(X0)
    method = METHODS["delayed_gossip"]
    tuning = method.tune(problem, NETWORK, {"delay": 0.6})
    log = clock_of_the_paper(tuning, NETWORK, np.random.SeedSequence(2)).window()[:600]
    p = np.full(9, 3.5 / 9)
    shares = np.array([[len({*a} & {*b}) > 0 for b in NETWORK.edges] for a in NETWORK.edges])
    K = p / (2 * (1 + shares @ (p * 0.6 * (1 + np.e))))
    x, read = X0.copy(), {}
    for row in range(len(log)):
        i, j, e, start = log.i[row], log.j[row], log.edge[row], log.start[row]
        if log.kind[row] == SEND:
            read[row] = x[i] - x[j]
        elif log.kind[row] == ARRIVE_I:
            x[i] -= K[e] / p[e] * read[start]
        elif log.kind[row] == ARRIVE_J:
            x[j] += K[e] / p[e] * read[start]
    found = replay(method, problem, NETWORK, log, overrides={"delay": 0.6})["x"]
    assert_allclose(found, x, rtol=0, atol=1e-14)


def test_where_plain_gossip_diverges_delayed_gossip_arrives():
    star = build("star", 16, np.random.default_rng(0))
    problem = Problem.averaging(np.random.default_rng(1).standard_normal((16, 2)))
    method = METHODS["delayed_gossip"]
    tuning = method.tune(problem, star, {"delay": 1.0})
    clock = clock_of_the_paper(tuning, star, np.random.SeedSequence(2))
    log = concatenate([clock.window() for _ in range(2)])[:60_000]
    late = replay(method, problem, star, log, overrides={"delay": 1.0})["x"]
    plain = replay("randomised_gossip", problem, star, log[:10_000])["x"]
    assert np.abs(late - problem.x_star).max() < 1e-7
    assert not np.abs(plain).max() < 1e6


@pytest.mark.parametrize("graph", ["cycle", "star"])
def test_delayed_gossip_decays_as_the_laplacian_of_its_gains_says(graph):
    """At 2 lambda_2 of the Laplacian with weights K, to a tenth, from short delays to long ones."""
    network = build(graph, 16, np.random.default_rng(0))
    problem = Problem.averaging(np.random.default_rng(1).standard_normal((16, 200)))
    p = 8 / len(network.edges)
    for delay in (0.2, 1.0, 5.0):
        tuning = METHODS["delayed_gossip"].tune(problem, network, {"delay": delay})
        K = p * np.asarray(tuning.params.gain)
        rate = 2 * np.linalg.eigvalsh(network.laplacian(K).toarray())[1]
        algorithm = {"name": "delayed_gossip", "parameters": {"delay": delay}}
        curves = simulate(problem, network, [algorithm], time=18 / rate, repeats=4).curves
        late = curves[curves["time"] > 6 / rate].assign(
            log=lambda rows: np.log(rows["mean_squared_distance"])
        )
        slopes = [np.polyfit(run["time"], run["log"], 1)[0] for _, run in late.groupby("repeat")]
        assert -np.mean(slopes) == pytest.approx(rate, rel=0.1)


# ---- messages that go one way --------------------------------------------------------------------


@pytest.mark.parametrize("network", BOTH)
def test_asy_sonata_is_its_equations_and_conserves_its_sum(network):
    """On a digraph too, whose clocks are those of its arcs alone."""
    log = world_log("asy_sonata", loss=0.3, latency=1.0, network=network)[:4000]
    player = play("asy_sonata", log, network)
    hears, tells = heard_and_told(network)
    a = player.p.step
    x, z, v, g = X0.copy(), np.zeros((7, 3)), X0.copy(), np.zeros((7, 3))
    gave, heard, took = np.zeros((3, 7, 7, 3))  # [sender, receiver]
    seen, newest = np.tile(X0, (7, 1, 1)), np.full((7, 7), -1)

    def start(i):
        x_new = (x[i] - a * z[i] + sum(seen[i, j] for j in hears[i])) / (1 + len(hears[i]))
        return x_new, gradient(i, x_new)

    def end(i, step):
        v[i] = x[i] - a * z[i]
        x[i] = step[0]
        whole = z[i] + sum(heard[j, i] - took[j, i] for j in hears[i]) + step[1] - g[i]
        g[i], z[i] = step[1], whole / (1 + len(tells[i]))
        for j in hears[i]:
            took[j, i] = heard[j, i]
        for j in tells[i]:
            gave[i, j] += z[i]

    def receive(i, j, begun, message):
        if begun > newest[i, j]:
            newest[i, j] = begun
            seen[i, j], heard[j, i] = message

    by_hand(log, lambda i, j: (v[i].copy(), gave[i, j].copy()), receive, start, end)
    found = player.blocks(("x", "z", "v", "g"))
    for block, expected in zip("xzvg", (x, z, v, g), strict=True):
        assert_allclose(found[block], expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    remembered = np.split(player.state.ends, 4, axis=2)
    under_way = (remembered[0] - remembered[3]).sum(axis=(0, 1))
    assert np.abs(under_way).max() > 1e-3
    total = found["z"].sum(axis=0) + under_way
    assert_allclose(total, found["g"].sum(axis=0), rtol=0, atol=1e-12 * np.abs(found["g"]).max())
    sent = log.kind == SEND_ONE
    along = {*zip(log.i[sent].tolist(), log.j[sent].tolist(), strict=True)}
    assert along == {*map(tuple, arcs_of(network).tolist())}


def gradient(i, x):
    out = np.empty((7, 3))
    out[:] = PROBLEM.gradients(np.tile(x, (7, 1)))
    return out[i]


@pytest.mark.parametrize("network", BOTH)
def test_asy_sonata_arrives_at_x_star_whatever_is_lost(network):
    log = world_log("asy_sonata", windows=8, loss=0.3, latency=0.3, network=network)
    x = play("asy_sonata", log, network, step=1 / PROBLEM.L).blocks(("x",))["x"]
    assert_allclose(x, np.tile(PROBLEM.x_star, (7, 1)), rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "network",
    [in_turn(ONE_WAY, 2), GraphSequence([NETWORK, build("cycle", 7, None)])],
    ids=["halves", "undirected"],
)
def test_asy_sonata_arrives_at_x_star_over_graphs_in_turn(network):
    """Arcs ring while their graph is there: of halves of a digraph, neither of them connected."""
    tuning = METHODS["asy_sonata"].tune(PROBLEM, network, {"step": 1 / PROBLEM.L})
    clock = clock_of_the_paper(tuning, network, np.random.SeedSequence(2))
    log = concatenate([clock.window() for _ in range(6)])
    log.check(7)
    sent = np.flatnonzero(log.kind == SEND_ONE)
    present = np.floor(log.time[sent]).astype(int) % 2
    for number, graph in enumerate(network.graphs):
        rows = sent[present == number]
        arcs, counts = np.unique(np.stack([log.i[rows], log.j[rows]]), axis=1, return_counts=True)
        assert_array_equal(arcs.T, arcs_of(graph))
        assert stats.chisquare(counts).pvalue > LEVEL
    assert len(sent) / log.time[-1] == pytest.approx(2 * tuning.constants["total_rate"], rel=0.05)
    x = replay("asy_sonata", PROBLEM, network, log, X0, {"step": 1 / PROBLEM.L})["x"]
    assert_allclose(x, np.tile(PROBLEM.x_star, (7, 1)), rtol=0, atol=1e-10)


def test_weights_that_take_no_notice_of_directions_lead_asy_sonata_elsewhere():
    """Negative control: with C of in-degrees the sum is not kept, and the nodes end beside x*."""
    log = world_log("asy_sonata", windows=8, loss=0.0, latency=0.3, network=ONE_WAY)
    method, ends = METHODS["asy_sonata"], []
    tuning = method.tune(PROBLEM, ONE_WAY, {"step": 0.5 / PROBLEM.L})
    for params in (tuning.params, tuning.params._replace(push=tuning.params.pull)):
        player = make_player(method, PROBLEM, replace(tuning, params=params), X0, {})
        player.play(log, 0, len(log))
        ends.append(np.abs(player.blocks(("x",))["x"] - PROBLEM.x_star).max())
    assert ends[0] < 1e-9
    assert ends[1] > 1e-2


@pytest.mark.parametrize("network", BOTH)
def test_osgp_is_its_equations_and_loses_what_is_lost(network):
    log = world_log("osgp", loss=0.1, latency=1.0, network=network)[:6000]
    player = play("osgp", log, network)
    x, w, share = X0.copy(), np.ones(7), 0.25

    def send(i, j):
        sent = share * x[i], share * w[i]
        x[i] -= sent[0]
        w[i] -= sent[1]
        return sent

    def receive(i, j, begun, message):
        x[i] += message[0]
        w[i] += message[1]

    def end(i, g):
        x[i] -= player.p.step * g

    way = by_hand(log, send, receive, lambda i: gradient(i, x[i] / w[i]), end)
    found = player.blocks(("x", "w"))
    assert_allclose(found["x"], x, rtol=0, atol=1e-12 * np.abs(x).max())
    assert_allclose(found["w"], w[:, None] * np.ones(3), rtol=1e-12)
    weights = sum(m[1] for m in way.values() if isinstance(m, tuple))
    assert w.sum() + weights < 6.9, "some of it was lost"


def test_osgp_on_a_digraph_gives_as_often_as_it_gets_and_stays_near_its_plateau():
    """Rates of arcs that balance; giving half away, as on undirected networks, it diverges."""
    network = build("k_out", 30, np.random.default_rng(4), out=2)
    rates = METHODS["osgp"].tune(Problem.averaging(np.eye(30)), network).clock
    arcs = {*map(tuple, network.arcs.tolist())}
    out, into = np.zeros((2, 30))
    for (first, second), (to, fro) in zip(network.edges.tolist(), rates.arcs, strict=True):
        out[[first, second]] += to, fro
        into[[second, first]] += to, fro
    assert_allclose(out, into, rtol=1e-11)
    assert rates.communications == pytest.approx(30)
    assert_array_equal(
        rates.arcs > 0, [[(a, b) in arcs, (b, a) in arcs] for a, b in network.edges.tolist()]
    )
    rng, h = np.random.default_rng(0), np.geomspace(1, 10, 4) * np.ones((30, 1))
    problem = Problem.quadratic([np.diag(r) for r in h], h * rng.standard_normal((30, 4)))
    result = simulate(
        problem,
        network,
        ["osgp", {"name": "osgp", "label": "halves", "parameters": {"share": 0.5}}],
        time=3000,
    )
    assert list(result.runs["status"]) == ["stopped", "diverged"]
    assert result.curves.query("algorithm == 'osgp'")["accuracy"].iloc[-1] < 0.1


def plateau_of_dgd(step, weights):
    """Where DGD with these W and step comes to rest, for least squares: a linear system."""
    zero = PROBLEM.gradients(np.zeros((7, 3)))
    H = np.stack([PROBLEM.gradients(np.tile(e, (7, 1))) - zero for e in np.eye(3)], axis=2)
    laplacian = NETWORK.laplacian(weights).toarray()
    M = np.kron(laplacian, np.eye(3))
    for i in range(7):
        M[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] += step * H[i]
    return np.linalg.solve(M, -step * zero.ravel()).reshape(7, 3)


def test_asynchronous_dgd_arrives_where_dgd_does_whatever_is_late():
    log = world_log("asy_dgd", windows=6, loss=0.3, latency=2.0)
    player = play("asy_dgd", log)
    expected = plateau_of_dgd(player.p.step, player.p.weights)
    assert_allclose(player.blocks(("x",))["x"], expected, rtol=0, atol=1e-10)
    assert np.abs(expected - PROBLEM.x_star).max() > 1e-2


# ---- what is refused over arcs, and what it costs ------------------------------------------------


@pytest.mark.parametrize("name", ["asy_dgd", "delayed_gossip"])
def test_methods_that_need_both_ways_refuse_a_digraph_in_one_line(name):
    """Rows that alone sum to 1 would lead asynchronous DGD to a minimiser of sum_i p_i f_i."""
    problem = Problem.averaging(X0)
    with pytest.raises(InputError, match=f"^algorithms: {name} needs an undirected network, and "):
        simulate(problem, ONE_WAY, [name], time=1)


def test_osgp_refuses_graphs_in_turn_and_a_share_of_more_than_half():
    with pytest.raises(InputError, match="osgp has no form for time-varying graphs"):
        simulate(PROBLEM, in_turn(ONE_WAY, 2), ["osgp"], time=1)
    with pytest.raises(InputError, match=r"osgp: parameter 'share' must be at most 0\.5, not 0\.6"):
        METHODS["osgp"].tune(PROBLEM, ONE_WAY, {"share": 0.6})


def test_a_message_against_the_arcs_is_refused():
    events = Events.from_arrays([1.0], [SEND_ONE], [1], [0])
    with pytest.raises(InputError, match=r"row 0 \(send_one\): 0 hears nothing of i: no arc leads"):
        replay("osgp", PROBLEM, ONE_WAY, events)
    replay("osgp", PROBLEM, NETWORK, events)


@pytest.mark.parametrize(("name", "numbers"), [("asy_sonata", 6), ("osgp", 4)])
def test_a_message_along_an_arc_is_half_a_communication(name, numbers):
    """In a world, of a networkx digraph: from the log, the curves and the counts of the edges."""
    graph, world = ONE_WAY.to_networkx(), {"preset": "datacenter"}
    result = simulate(PROBLEM, graph, [name], time=50, world=world)
    again = PlayedAgain(result, name, problem=PROBLEM, network=graph)
    counts, run = again.edge_counts(), result.curves.iloc[-1]
    assert counts["communications"].sum() == run["communications"] > 100
    assert run["floats_sent"] == 2 * numbers * run["communications"]
    assert run["bytes_sent"] == 8 * run["floats_sent"]


@pytest.mark.parametrize("name", ["asy_sonata", "osgp"])
def test_an_undirected_network_is_that_of_both_arcs_of_each_edge(name):
    both = DirectedNetwork(7, arcs_of(NETWORK))
    constants = {"step": 0.1 / PROBLEM.L, "total_rate": 5.0}
    log = world_log(name)[:2000]
    one, other = (play(name, log, on, **constants) for on in (NETWORK, both))
    for block in METHODS[name].blocks:
        assert_array_equal(one.blocks((block,))[block], other.blocks((block,))[block])
    rates = [METHODS[name].tune(PROBLEM, on, constants).clock.arcs for on in (NETWORK, both)]
    assert_array_equal(*rates)
