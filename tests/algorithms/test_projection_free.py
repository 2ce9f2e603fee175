"""DeFW and Scion against their equations, written with dense matrices; and what they refuse."""

import networkx as nx
import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose

from dadao_sim import Network, make, replay, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms.matrix_balls import SpectralBall
from dadao_sim.simulation.replay import make_player

ROUNDS, NODES, DIMENSION = 50, 7, 3
SMOOTH, NETWORK = small_problem(NODES), lollipop()
EVENTS = RoundClock(np.random.SeedSequence(1)).window()[:ROUNDS]
LAPLACIAN = nx.laplacian_matrix(NETWORK.graphs[0].to_networkx()).toarray().astype(float)
W = np.eye(NODES) - LAPLACIAN / np.linalg.eigvalsh(LAPLACIAN)[-1]
START = 0.1 * np.random.default_rng(3).standard_normal((NODES, DIMENSION))


def grad(X):
    return SMOOTH.gradients(X)


def l1_vertex(radius):
    def lmo(s):
        x = np.zeros_like(s)
        k = np.abs(s).argmax()
        x[k] = -radius * np.sign(s[k])
        return x

    return lambda S: np.array([lmo(s) for s in S])


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_dense_transcription_of_defw(rounds):
    """The paper's lines; it takes the mean of X_1 first, which the package starts from."""
    problem = SMOOTH.with_local_step(make("l1_ball", DIMENSION, radius=0.8))
    over = {"rounds": rounds}
    found = replay("defw", problem, NETWORK, EVENTS, x0=START, overrides=over)
    lmo, M = l1_vertex(0.8), np.linalg.matrix_power(W, rounds)
    Xbar, before, G = START, 0.0, 0.0
    for t in range(1, ROUNDS + 1):
        G = M @ (G + grad(Xbar) - before)
        before = grad(Xbar)
        X = Xbar + 2 / (t + 1) * (lmo(G) - Xbar)
        Xbar = M @ X
    assert_allclose(found["x"], Xbar, rtol=1e-12, atol=1e-12)
    assert_allclose(found["h"], G - before, rtol=1e-12, atol=1e-12)


def test_where_f_is_not_convex_its_steps_are_longer():
    class Node:
        def value(self, x):
            return float(np.cos(x).sum())

        def gradient(self, x):
            return -np.sin(x)

    from dadao_sim import Problem

    smooth = Problem.from_objectives([Node()] * 3, L=1.0, dimension=1, convex=False)
    problem = smooth.with_local_step(make("l2_ball", 1, radius=1.0))
    network = Network.from_networkx(nx.complete_graph(3))
    x0 = np.full((3, 1), 0.3)
    found = replay("defw", problem, network, EVENTS[:4], x0=x0)["x"]
    x = 0.3
    for t in range(1, 5):
        x = (1 - t**-0.5) * x + t**-0.5 * np.sign(np.sin(x))
    assert_allclose(found, x, rtol=1e-12)


@pytest.mark.parametrize("constrained", [True, False])
@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_a_dense_transcription_of_scion(constrained, memory):
    radius, over = 0.8, {"memory": memory, "gamma": 8.0, "rounds": 2}
    term = make("l1_ball", DIMENSION, radius=radius)
    if constrained:
        problem, options = SMOOTH.with_local_step(term), Options()
    else:
        from dadao_sim.local_steps.terms.norm_balls import L1Ball

        problem, options = SMOOTH, Options(ball=L1Ball(kind="l1_ball", radius=radius))
    method = METHODS["scion"]
    method.check_supported(problem, NETWORK, options)
    tuning = method.tune(problem, NETWORK, over, options)
    player = make_player(method, problem, tuning, START, {})
    player.play(EVENTS, 0, ROUNDS)
    found = player.blocks(method.blocks)
    lmo, X, V, M, mix = l1_vertex(radius), START, 0.0, 0.0, W @ W
    for k in range(1, ROUNDS + 1):
        alpha, gamma = k**-memory, 8.0 / (10 + k)
        after = (1 - alpha) * M + alpha * grad(X)
        V = mix @ (V + after - M)
        if constrained:
            gamma = min(1.0, gamma)
            X = mix @ ((1 - gamma) * X + gamma * lmo(V))
        else:
            X = mix @ (X + gamma * lmo(V))
        M = after
    for block, expected in (("x", X), ("m", M), ("h", V - M)):
        assert_allclose(found[block], expected, rtol=1e-12, atol=1e-12, err_msg=block)
    assert np.abs(found["h"].sum(axis=0)).max() < 1e-12


def test_minibatches_give_scion_a_memory():
    plain = METHODS["scion"].tune(SMOOTH.with_local_step(make("simplex", 3)), NETWORK)
    assert plain.constants == {"gamma": 2, "k0": 10, "power": 1, "memory": 0, "rounds": 1}
    options = Options(batch_size=2)
    noisy = METHODS["scion"].tune(
        SMOOTH.with_local_step(make("simplex", 3)), NETWORK, {"gamma": 0.5}, options
    )
    expected = {"gamma": 0.5, "k0": 0, "power": 0.75, "memory": 0.5, "rounds": 1}
    assert noisy.constants == expected


@pytest.mark.parametrize(
    ("name", "step", "options", "message"),
    [
        ("defw", None, {}, "defw needs a set; give local_step.prox one of "),
        ("scion", None, {}, "or a ball of its own, whose radius is a length in x"),
        (
            "defw",
            make("l1", 3, strength=1.0),
            {},
            "defw needs a set: local_step: l1 has no linear minimisation oracle; one of .*l1_ball",
        ),
        (
            "scion",
            make("box", 3, lower=0.0),
            {},
            "local_step: box with an infinite bound has no linear minimisation oracle",
        ),
        ("defw", make("simplex", 3), {"chebyshev": 3}, "Chebyshev gossip has negative weights"),
        ("defw", make("simplex", 3), {"batch_size": 2}, "no form for stochastic gradients"),
        (
            "defw",
            make("simplex", 3),
            {"ball": SpectralBall(kind="spectral_ball", radius=1.0, shape=[1, 3])},
            "defw minimises no linear functions over it; leave out ball",
        ),
        (
            "scion",
            make("simplex", 3),
            {"ball": SpectralBall(kind="spectral_ball", radius=1.0, shape=[1, 3])},
            "scion: ball: it has the set of local_step simplex; leave out one of them",
        ),
        (
            "scion",
            None,
            {"ball": SpectralBall(kind="spectral_ball", radius=1.0, shape=[2, 3])},
            "scion: ball.shape: 2 x 3 is 6; the dimension is 3",
        ),
    ],
)
def test_what_they_refuse(name, step, options, message):
    problem = SMOOTH if step is None else SMOOTH.with_local_step(step)
    with pytest.raises(InputError, match=message) as caught:
        METHODS[name].check_supported(problem, NETWORK, Options(**options))
    assert "\n" not in str(caught.value)


def test_a_gossip_matrix_that_leads_out_of_the_set_is_refused():
    problem = SMOOTH.with_local_step(make("simplex", DIMENSION))
    star = Network.from_networkx(nx.star_graph(NODES - 1))
    METHODS["defw"].check_supported(problem, star, Options(mixing="metropolis"))
    with pytest.raises(InputError, match=r"best_constant has the weight -.*use metropolis"):
        METHODS["defw"].check_supported(problem, star, Options(mixing="best_constant"))
    with pytest.raises(InputError, match="no form for time-varying graphs"):
        METHODS["defw"].check_supported(problem, sequence())


def scenario(algorithm, **keys):
    return {
        "name": "free",
        "problem": {
            "kind": "least_squares",
            "data": {"kind": "synthetic", "dim": 6, "samples_per_node": 5},
        },
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": [algorithm],
        "stop": {"time": 5},
        **keys,
    }


def test_scenarios_tell_what_is_missing():
    ball = {"kind": "spectral_ball", "shape": [2, 3]}
    missing = r"algorithms\.0\.ball\.radius: is missing; it is a length in x"
    with pytest.raises(InputError, match=missing):
        simulate(scenario({"name": "scion", "ball": ball}))
    no_set = {"name": "scion", "ball": {"kind": "l1", "strength": 1}}
    with pytest.raises(InputError, match=r"algorithms\.scion: ball\.kind: l1 has no linear"):
        simulate(scenario(no_set))
    with pytest.raises(InputError, match="rounds: unknown key; constants go into parameters"):
        simulate(scenario({"name": "defw", "rounds": 5}))
    matrices = {"kind": "matrix_signal", "shape": [3, 2], "samples_per_node": 5}
    flat = {"kind": "logistic_l2", "data": matrices}
    with pytest.raises(InputError, match=r"condition_number: 1 given; logistic_l2 needs it > 1"):
        simulate(scenario("nids", problem=flat))
    with pytest.raises(InputError, match=r"local_step\.prox\.radius: is missing"):
        simulate(scenario("defw", local_step={"prox": {"kind": "l1_ball"}}))
    with pytest.raises(InputError, match=r"algorithms: defw needs a set: local_step: l1 has no"):
        simulate(scenario("defw", local_step={"prox": {"kind": "l1", "strength": 1}}))
    right = r"it is one of a set: give local_step: {prox: {kind: \.\.\., radius: \.\.\.}}, or ball"
    with pytest.raises(InputError, match=rf"^algorithms\.0\.radius: unknown key; {right}"):
        simulate(scenario({"name": "scion", "radius": 3}))
    with pytest.raises(InputError, match=r"algorithms: nids minimises no linear functions"):
        simulate(scenario({"name": "nids", "ball": {**ball, "radius": 1}}))
    for metric, said in (("frank_wolfe_gap", "it is of local steps that are sets"),):
        with pytest.raises(InputError, match=said):
            simulate(scenario("nids", record={"metrics": [metric]}))
    with pytest.raises(InputError, match="l1 has no linear minimisation oracle"):
        simulate(
            scenario(
                "nids",
                record={"metrics": ["frank_wolfe_gap"]},
                local_step={"prox": {"kind": "l1", "strength": 1}},
            )
        )


def test_what_no_theorem_covers_is_experimental():
    runs = [
        ({"name": "defw"}, False),
        ({"name": "scion"}, True),
        ({"name": "defw", "local_step": {"prox": {**SPECTRAL, "lmo": "newton_schulz"}}}, True),
        ({"name": "defw", "local_step": {"prox": {**SPECTRAL, "lmo": "muon"}}}, True),
        ({"name": "defw", "local_step": {"prox": SPECTRAL}}, False),
    ]
    for algorithm, expected in runs:
        result = simulate(
            scenario(algorithm, local_step={"prox": {"kind": "l2_ball", "radius": 1}})
        )
        assert result.runs.experimental.all() == expected, algorithm


SPECTRAL = {"kind": "spectral_ball", "radius": 1.0, "shape": [2, 3]}
