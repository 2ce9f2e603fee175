"""Cubes of bands and DeepMix: the problem, the layers, what they send, and how much gossip."""

import math

import cvxpy as cp
import networkx as nx
import numpy as np
import pytest
from cases import small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import correlate2d

from dadao_sim import load_scenario, replay, simulate
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.trained import FILES, Trained, load_trained
from dadao_sim.algorithms.deep_mix import METHOD, enough_gossip, low_rank, shapes
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import Network
from dadao_sim.plotting.bands import bands_figure
from dadao_sim.problems.data.cubes import cube, photograph
from dadao_sim.problems.kinds.bands import BandsKind, bands_problem, observed
from dadao_sim.reports.bands import bands
from dadao_sim.reports.recovered import recovered
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.study import Study

SCENARIO = "scenarios/systems/bands.yaml"
B, K, WIDTH = 4, 3, 2
ROUNDS = RoundClock(np.random.SeedSequence(0)).window()


def network_of(graph):
    return Network(len(graph), np.array(graph.edges))


def small(size=6, bands=B, mu=1e-3, blur=0.7):
    rng = np.random.default_rng(1)
    truth = rng.random((bands, size, size))
    return bands_problem(truth, truth + 0.1 * rng.standard_normal(truth.shape), blur, mu)


def random_numbers(bands=B, layers=K):
    rng = np.random.default_rng(0)
    made = {"method": "deep_mix", "kind": "bands", "bands": bands, "layers": layers, "width": WIDTH}
    arrays = {name: 0.2 * rng.standard_normal(shape) for name, shape in shapes(made).items()}
    arrays["log"] = np.log([0.2, 0.3, 0.05])
    return Trained(arrays, made)


# ---- the problem -----------------------------------------------------------------------------


def dense_blur(size, blur):
    """H (p, p) of a square, from its kernel, pixel by pixel around the edge."""
    radius = int(3 * blur + 0.5)
    taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * blur**2))
    line = np.zeros((size, size))
    for i in range(size):
        for k, tap in zip(range(-radius, radius + 1), taps / taps.sum(), strict=True):
            line[i, (i + k) % size] += tap
    return np.kron(line, line)


@pytest.mark.parametrize("size", [5, 6])
def test_the_problem_is_its_sum_over_pixels(size):
    """Values, gradients, what is solved at a node and x*, by dense matrices."""
    problem = small(size)
    H, p, d = dense_blur(size, 0.7), size**2, B * size**2
    rng = np.random.default_rng(0)
    X, total = rng.standard_normal((B, d)), np.zeros((d, d))
    right = np.zeros(d)
    for i in range(B):
        A = np.zeros((p, d))
        A[:, i * p : (i + 1) * p] = H
        y = problem.seen[i].ravel()
        hessian, c = 2 / p * A.T @ A + 1e-3 * np.eye(d), 2 / p * A.T @ y
        total, right = total + hessian, right + c
        off = A @ X[i] - y
        assert problem.value(i, X[i]) == pytest.approx(off @ off / p + 5e-4 * X[i] @ X[i])
        assert_allclose(problem.gradient(i, X[i]), hessian @ X[i] - c, atol=1e-13)
        solved = np.linalg.solve(hessian, X[i] + c)
        assert_allclose(problem.conjugate_gradient(i, X[i]), solved, rtol=1e-10)
        assert problem.L == pytest.approx(np.linalg.eigvalsh(hessian)[-1])
    assert_allclose(problem.x_star, np.linalg.solve(total, right), rtol=1e-9, atol=1e-9)
    step = X[0] - X[1]
    assert problem.divergence(X[0], X[1]) == pytest.approx(step @ total @ step / B / 2)


def test_a_cube_is_of_rank_four_and_another_for_each_draw():
    pictures = [cube(photograph("flower"), 8, 32, np.random.default_rng(k)) for k in range(3)]
    for one in pictures:
        values = np.linalg.svd(one.reshape(8, -1), compute_uv=False)
        assert (values > 1e-9 * values[0]).sum() == 4
        assert one.min() >= 0
        assert one.max() == 1
    assert np.abs(pictures[0] - pictures[1]).max() > 0.1


def test_no_method_is_trained_on_the_photograph_that_runs_see():
    kind = BandsKind(kind="bands", bands=B, size=64)
    drawn = kind.for_learning().build(B, np.random.default_rng(0))
    assert drawn.cube.shape == (B, 32, 32)
    with pytest.raises(InputError, match="image: methods are trained on china; use flower"):
        BandsKind(kind="bands", image="china").for_learning()


@pytest.mark.parametrize(
    ("options", "nodes", "message"),
    [
        ({"bands": 8}, 6, "bands: 8 given for 6 nodes; one band for each node is needed"),
        ({"size": 8, "blur": 3.0, "bands": 2}, 2, "blur: 3 makes a kernel of 19 pixels"),
    ],
)
def test_what_cannot_be_built_is_refused(options, nodes, message):
    with pytest.raises(InputError, match=message):
        BandsKind(kind="bands", **options).build(nodes, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cube": np.zeros(8)}, r"cube: shape \(8,\) given; finite numbers \(bands, size, size\)"),
        ({"seen": np.zeros((3, 6, 6))}, "seen: shape"),
        ({"cube": np.zeros((2, 6, 5))}, "cube: shape"),
        ({"cube": np.zeros((0, 6, 6))}, "cube: shape"),
        ({"seen": np.full((2, 6, 6), np.nan)}, "seen: shape"),
        ({"seen": None}, "seen: None given"),
        ({"blur": -1.0}, "blur: -1.0 given"),
        ({"blur": 9.0}, "blur: 9 makes a kernel of"),
        ({"mu": 0}, "mu: 0 given"),
    ],
)
def test_what_is_no_cube_is_refused(changes, said):
    given = {"cube": np.zeros((2, 6, 6)), "seen": np.zeros((2, 6, 6)), "blur": 0.5, "mu": 1e-3}
    with pytest.raises(InputError, match=said):
        bands_problem(**{**given, **changes})


def test_total_variation_of_bands_is_that_of_each():
    """Against cvxpy, and nothing passes from one band to the next."""
    v = np.random.default_rng(0).standard_normal(3 * 4 * 5)
    term = make("tv_bands", v.size, strength=0.3, shape=[3, 4, 5])
    x = cp.Variable(v.size)
    images = [cp.reshape(x[k * 20 : (k + 1) * 20], (4, 5), order="C") for k in range(3)]
    tv = sum(
        cp.sum(cp.abs(one[1:] - one[:-1])) + cp.sum(cp.abs(one[:, 1:] - one[:, :-1]))
        for one in images
    )
    cp.Problem(cp.Minimize(0.7 * 0.3 * tv + cp.sum_squares(x - v) / 2)).solve(solver="CLARABEL")
    assert_allclose(term.prox(v, 0.7), x.value, atol=1e-6)
    x.value = v
    assert term.value(v) == pytest.approx(0.3 * float(tv.value))


# ---- the layers ------------------------------------------------------------------------------


def transcription(problem, trained, graph, T, layers=K):
    """z2 at every node (n, B, s, s): dense blur, SVD, scipy's correlation, a polynomial of W."""
    a, s, p, n = trained.arrays, problem.size, problem.size**2, problem.nodes
    b1, b2, tau = np.exp(a["log"])
    g = 1 / (1 + np.exp(-a["skip"]))
    H = dense_blur(s, problem.blur)
    laplacian = nx.laplacian_matrix(graph).toarray().astype(float)
    values, vectors = np.linalg.eigh(laplacian)
    middle, half = (values[1] + values[-1]) / 2, (values[-1] - values[1]) / 2

    def chebyshev(x):
        return np.polynomial.chebyshev.chebval(x, [0] * T + [1])

    mean = (vectors * (chebyshev((middle - values) / half) / chebyshev(middle / half))) @ vectors.T

    def everywhere(bands):
        alone = np.zeros((n, n, p))
        for i in range(n):
            alone[i, i] = n * bands[i]
        Z = np.einsum("ij,jbp->ibp", mean, alone)
        for i in range(n):
            Z[i, i] = bands[i]
        return Z

    def convolved(h, C, c):
        around = np.pad(h, ((0, 0), (1, 1), (1, 1)), mode="wrap")
        return np.array(
            [
                sum(
                    correlate2d(one, kernel, "valid")
                    for one, kernel in zip(around, kernels, strict=True)
                )
                + c_o
                for kernels, c_o in zip(C, c, strict=True)
            ]
        )

    z1 = z2 = everywhere([H @ y.ravel() for y in problem.seen])
    left = H.T @ H + (b1 + b2 + problem.ridge * p / 2) * np.eye(p)
    for _ in range(layers):
        own = [
            np.linalg.solve(left, H.T @ problem.seen[i].ravel() + b1 * z1[i, i] + b2 * z2[i, i])
            for i in range(n)
        ]
        X = everywhere(own)
        z1, z2 = np.empty_like(X), np.empty_like(X)
        for i in range(n):
            U, S, V = np.linalg.svd(X[i], full_matrices=False)
            z1[i] = U * np.maximum(S - tau * math.sqrt(p), 0) @ V
            h = np.concatenate([X[i], z1[i]]).reshape(2 * n, s, s)
            h = np.maximum(convolved(h, a["C1"], a["a1"]), 0)
            h = np.maximum(convolved(h, a["C2"], a["a2"]), 0)
            c = convolved(h, a["C3"], a["a3"]).reshape(n, p)
            z2[i] = (1 - g) * X[i] + g * z1[i] + c
    return z2


@pytest.mark.parametrize("T", [1, 3, 6])
def test_layers_against_a_dense_transcription(T):
    problem, graph, trained = small(), nx.path_graph(B), random_numbers()
    method = METHOD.with_weights(trained)
    found = replay(method, problem, network_of(graph), ROUNDS[:K], overrides={"gossip_rounds": T})
    expected = transcription(problem, trained, graph, T)
    assert_allclose(found["z2"].reshape(expected.shape), expected, rtol=1e-8, atol=1e-10)


def test_after_the_last_layer_there_is_nothing():
    method, network = METHOD.with_weights(random_numbers()), network_of(nx.path_graph(B))
    ends = [replay(method, small(), network, ROUNDS[:rounds])["z2"] for rounds in (K, K + 20)]
    assert_array_equal(*ends)


@pytest.mark.parametrize("T", [2, 5])
def test_what_is_sent(T):
    """A cube over every edge, T times in each layer and T times before the first."""
    method, graph = METHOD.with_weights(random_numbers()), nx.cycle_graph(B)
    problem, network = small(), network_of(graph)
    tuning = method.tune(problem, network, {"gossip_rounds": T})
    player = make_player(method, problem, tuning, np.zeros((B, problem.dimension)), {}, None)
    player.play(ROUNDS, 0, K)
    sent = (K + 1) * T * graph.number_of_edges()
    assert player.tally.communications == sent
    assert player.tally.floats_sent == 2 * sent * problem.dimension
    assert player.tally.local_solves == K * B


def test_what_overflows_is_nan_and_asks_no_decomposition():
    X = np.random.default_rng(0).standard_normal((3, B * 9))
    X[1] *= 1e200  # its squares overflow
    X[2, 0] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        Z = low_rank(X, B, 0.1)
    assert np.isfinite(Z[0]).all()
    assert np.isnan(Z[1:]).all()


# ---- how much gossip -------------------------------------------------------------------------

GRAPHS = {"cycle": nx.cycle_graph(8), "path": nx.path_graph(8), "complete": nx.complete_graph(8)}


@pytest.fixture(scope="module")
def held_out():
    """Cubes of the photograph that was not trained on."""
    found = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        truth = cube(photograph("flower"), 8, 48, rng)
        found.append(bands_problem(truth, observed(truth, 1.0, 0.06, rng), 1.0, 1e-6))
    return found


def worst(problem, name, T=None):
    """PSNR at the worst node; nan where it is not finite."""
    method = METHOD.with_weights(load_trained("bands"))
    parameters = {} if T is None else {"gossip_rounds": T}
    network = network_of(GRAPHS[name])
    with np.errstate(over="ignore", invalid="ignore"):
        z2 = replay(method, problem, network, ROUNDS[:5], overrides=parameters)["z2"]
        return float(problem.psnr(z2).min())


@pytest.fixture(scope="module")
def together(held_out):
    """The same in one place: with 60 rounds of gossip every average is exact to rounding."""
    return [worst(problem, "cycle", 60) for problem in held_out]


@pytest.mark.parametrize("name", ["cycle", "path"])
def test_3_sqrt_chi_rounds_are_enough(name, held_out, together):
    """And is what is taken without a choice."""
    network = network_of(GRAPHS[name])
    T = enough_gossip(network.lambda_max() / network.lambda_2())
    assert T == {"cycle": 8, "path": 16}[name]
    for problem, exact in zip(held_out, together, strict=True):
        found = worst(problem, name)
        assert found == worst(problem, name, T)
        assert found >= exact - 0.1


def test_on_a_complete_graph_two_are_enough(held_out, together):
    for problem, exact in zip(held_out, together, strict=True):
        assert worst(problem, "complete", 2) == pytest.approx(exact, abs=1e-6)
        assert worst(problem, "complete") == pytest.approx(exact, abs=1e-6)


def test_with_two_on_a_ring_nodes_are_lost(held_out, together):
    """The control: worse than what was seen, by far."""
    for problem, exact in zip(held_out, together, strict=True):
        assert worst(problem, "cycle", 2) < exact - 10


def test_it_is_better_than_what_was_seen(held_out, together):
    for problem, exact in zip(held_out, together, strict=True):
        seen = problem.psnr(np.tile(problem.seen.ravel(), (8, 1)))[0]
        assert exact > seen + 3


def mapping(nodes=8, graph="cycle", **more):
    return {
        "name": "small",
        "problem": {"kind": "bands", "size": 8, "bands": nodes},
        "network": {"graph": graph, "nodes": nodes},
        "algorithms": [{"name": "deep_mix", "weights": "bands", **more}],
        "stop": {"time": 5},
    }


def test_too_little_gossip_is_said_beforehand():
    spec = scenario_from_mapping(mapping(graph="path", parameters={"gossip_rounds": 2}))
    (plan,) = Study(spec).check()
    assert plan.note == (
        "deep_mix: gossip_rounds: 2 on a path of 8: at least 16 are needed "
        "(3 sqrt of lambda_max/lambda_2)"
    )
    (plan,) = Study(scenario_from_mapping(mapping(graph="path"))).check()
    assert plan.note == ""
    assert plan.experimental


def test_other_bands_than_in_the_training_are_refused():
    message = "deep_mix: nodes: 6 given; the network was trained for 8 bands, one per node"
    with pytest.raises(InputError, match=message):
        Study(scenario_from_mapping(mapping(nodes=6))).check()


def test_other_problems_are_refused():
    with pytest.raises(InputError, match="deep_mix is for problems of kind bands alone"):
        METHOD.check_supported(small_problem(3), network_of(nx.cycle_graph(3)))


# ---- what is shipped -------------------------------------------------------------------------


def test_what_is_shipped_is_small_and_says_how_to_make_it():
    trained = load_trained("bands")
    assert (FILES.folder / "bands.npz").stat().st_size < 20_000
    assert sum(array.size for array in trained.arrays.values()) == 1644
    assert trained.made["command"].startswith("dadao-sim learn-unrolled systems/bands")
    assert trained.made["command"].endswith("--out bands.npz")
    assert get_method("deep_mix").with_weights(trained).layers == 5


@pytest.fixture(scope="module")
def result():
    """The scenario, smaller."""
    changes = ["problem.size=16", "stop.time=6", "record.points=4"]
    scenario = load_scenario(SCENARIO, changes).to_mapping()
    scenario["algorithms"][-1]["local_step"]["prox"]["shape"] = [8, 16, 16]
    return simulate(scenario_from_mapping(scenario))


@pytest.mark.slow
def test_the_metric_and_the_report_are_of_the_worst_node(result):
    report = bands(result)
    truth = report.problem.cube
    for label, found in report.found.items():
        error = np.mean((found.cube - truth) ** 2)
        assert found.psnr[-1] == pytest.approx(-10 * np.log10(error), abs=1e-9)
        assert (found.layers is None) == (label == "total variation")
    assert [found.communications[-1] for found in report.found.values()][:4] == [
        48.0 * T for T in (4, 8, 12, 16)
    ]
    with pytest.raises(InputError, match="its problem is bands; a cube is many pictures: draw b"):
        recovered(result)


@pytest.mark.slow
def test_the_figure_has_a_point_for_each_answer_and_a_curve(result):
    axes, *pictures = bands_figure(bands(result)).axes
    lines = [line for line in axes.lines if line.get_label()[0] != "_"]
    assert [len(line.get_xdata()) for line in lines[:4]] == [1] * 4
    assert len(lines[4].get_xdata()) > 1
    assert [one.get_title() for one in pictures] == [
        *("Seen", "T = 16 (experimental)", "Total variation", "Truth")
    ]
