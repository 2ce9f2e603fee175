"""Methods of rounds where their guarantees say they go, and as fast: at condition number 100.

python -m pytest tests/algorithms/test_convergence_of_rounds.py -k rate -s     prints the ratios
"""

import functools
import math

import numpy as np
import pytest
from cases import ON_MATRICES

from dadao_sim import Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compression.quantisers import QSGD, Sign
from dadao_sim.compression.sparsifiers import TopK
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.graphs import build
from dadao_sim.simulation.replay import make_player

NODES, DIMENSION, SAMPLES = 10, 4, 12
NEAR = 1e-20
GRAPHS = {
    "cycle": build("cycle", NODES, np.random.default_rng(0)),
    "random geometric": build("random_geometric", NODES, np.random.default_rng(3)),
}


@functools.cache
def problem(kind):
    """Samples whose Hessians share their eigenvectors, so that F is as badly conditioned as the
    nodes are: 100 of least squares (``aligned``) and of ``ridge``, up to 250 of ``logistic``.
    """
    rng = np.random.default_rng(5)
    V = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
    shape = (NODES, SAMPLES)
    A = np.stack([np.linalg.qr(rng.standard_normal((SAMPLES, DIMENSION)))[0] for _ in range(NODES)])
    scales = np.geomspace(1, 10, DIMENSION) * math.sqrt(SAMPLES / 2)
    if kind == "aligned":
        return Problem.from_arrays(A * scales @ V.T, rng.standard_normal(shape), "least_squares")
    if kind == "ridge":
        flat = A * scales @ V.T
        return Problem.from_arrays(flat, rng.standard_normal(shape), "ridge", mu=1.0)
    b = np.where(rng.standard_normal(shape) > 0, 1.0, -1.0)
    return Problem.from_arrays(A * scales @ V.T, b, "logistic_l2", mu=0.05)


@functools.cache
def course(name, kind, graph, rounds, every, **overrides):
    """The mean square distance of the nodes to x*, relative to ||x*||^2, every so many rounds, as
    far as NEAR.
    """
    method, f = METHODS[name], problem(kind)
    tuning = method.tune(f, GRAPHS[graph], overrides)
    start = np.zeros((f.nodes, f.dimension))
    player = make_player(method, f, tuning, start, {}, None)
    clock, X, found = RoundClock(np.random.SeedSequence(0)), np.empty(start.shape), []
    while True:
        events = clock.window()
        for row in range(0, len(events), every):
            player.play(events, row, min(row + every, len(events)))
            player.observe(0.0, X)
            found.append(((X - f.x_star) ** 2).sum(axis=1).mean() / (f.x_star**2).sum())
            if found[-1] < NEAR or len(found) * every >= rounds:
                return np.array(found)


EXACT = [
    name
    for name, method in METHODS.items()
    if isinstance(method, RoundMethod)
    and method.fixed_point
    and not (method.needs_averaging or method.samples or method.reweights or name in ON_MATRICES)
    and name != "rapp"  # kappa proximal steps, of hundreds of rounds each: systems/test_games.py
]
SLOW = {"adom": 1e-5, "adom_plus": 1e-7, "adom_plus_multi_consensus": 1e-7}
"""Those of a sequence of graphs, by 60 000 rounds; with multi-consensus rounding errors then add up
in the sum that it keeps, and x moves away from x* again.
"""


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("kind", ["aligned", "logistic"])
@pytest.mark.parametrize("name", EXACT)
def test_the_nodes_agree_on_x_star(name, kind, graph):
    """To 1e-9, linearly: the last third of the rounds gains at least a third of what the one before
    did.
    """
    near = SLOW.get(name, 1e-9)
    squares = course(name, kind, graph, 60_000 if name in SLOW else 20_000, 8)
    assert squares.min() < near**2
    squares = squares[: np.argmax(squares < near**2) + 1]
    part = len(squares) // 3
    gains = np.log(squares[[part, 2 * part, -1]])
    assert (gains[1] - gains[2]) > (gains[0] - gains[1]) / 3 > 0


def test_apm_c_is_linear_in_its_steps():
    """Its FastMix takes more rounds each time: no fixed number of steps is a fixed point of it."""
    for kind in ("aligned", "logistic"):
        squares = course("apm_c", kind, "cycle", 400, 4)
        rate = 1 - math.sqrt(problem(kind).mu / problem(kind).L)
        assert squares[-1] <= 10 * rate**400 * squares[0] or squares[-1] < NEAR
        halves = np.log(squares[[0, len(squares) // 2, -1]])
        assert (halves[1] - halves[2]) > 0.5 * (halves[0] - halves[1]) > 0


# --- as fast as their theorems say ---------------------------------------------------------------


def guarantees(name, f, graph, c):
    """What the squared distance falls by each round, from mu, L and the graph alone; None without a
    theorem. ``c`` are the constants of the method.
    """
    mu, L, kappa = f.mu, f.L, f.L / f.mu
    laplacian = np.zeros((NODES, NODES))
    for i, j in graph.edges:
        laplacian[[i, j], [i, j]] += 1
        laplacian[[i, j], [j, i]] -= 1
    values = np.linalg.eigvalsh(laplacian)
    low, top = values[1], values[-1]
    chi, second = top / low, 1 - low / top  # W = I - Laplacian/lambda_max, with the eigenvalue 0
    step = c.get("step")

    def by_gradients(bound):
        return 1 - step * mu * (2 - step * L / bound)

    match name:
        case "exact_diffusion" | "prox_ed":
            return max(by_gradients(1), (1 + second) / 2)
        case "nids":
            return max(by_gradients(1), 1 - c["c"] * step * (1 - second))
        case "d2":
            return max(by_gradients(1), second)
        case "gradient_tracking":
            return max(by_gradients(1), 1 - (1 - second) ** 2)
        case "extra" | "pg_extra":
            return max(by_gradients(1 / 2), (1 + second) / 2)
        case "ssda":
            return 1 - 1 / math.sqrt(kappa * chi)
        case "apapc":
            return 1 / (1 + min(1 / math.sqrt(kappa * chi), 1 / chi) / 4)
        case "opapc":
            root = math.sqrt(1 / chi)
            c1, K = (1 - root) / (1 + root), math.floor(math.sqrt(chi) + 1e-9)
            chi = ((1 + c1**K) / (1 - c1**K)) ** 2
            return 1 / (1 + min(1 / math.sqrt(kappa * chi), 1 / chi) / 4)
        case "adom":
            return 1 - 1 / (7 * chi * math.sqrt(kappa))
    return None


PROVEN = "exact_diffusion prox_ed nids d2 gradient_tracking extra pg_extra ssda apapc opapc adom"


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("kind", ["ridge", "logistic"])
@pytest.mark.parametrize("name", PROVEN.split())
def test_the_rate_is_no_worse_than_guaranteed(name, kind, graph):
    """From where the distance is 1e-4 of what it was."""
    f = problem(kind)
    constants = METHODS[name].tune(f, GRAPHS[graph], {}).constants
    guaranteed = guarantees(name, f, GRAPHS[graph], constants)
    assert 0 < guaranteed < 1
    squares = course(name, kind, graph, 60_000 if name in SLOW else 20_000, 8)
    late = squares[np.argmax(squares < 1e-8) :]
    measured = math.log(late[-1] / late[0]) / (8 * (len(late) - 1))
    ratio = math.log(guaranteed) / measured
    print(f"{name:20}{kind:10}{graph:18}rounds measured / guaranteed {ratio:.2f}")
    assert ratio <= 1


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(
    "Q", [TopK(kind="top_k", k=1), QSGD(kind="qsgd", levels=4), Sign(kind="sign")]
)
def test_choco_gossip_is_no_slower_than_its_theorem(Q, graph):
    """E||X - J X||^2 falls by 1 - delta^2 w/82 each round; of sparse and quantised messages."""
    centres = np.random.default_rng(2).standard_normal((NODES, DIMENSION))
    f, method = Problem.averaging(centres), METHODS["choco_gossip"]
    tuning = method.tune(f, GRAPHS[graph], {}, Options(compression=Q))
    player = make_player(method, f, tuning, centres, {}, None)
    clock, X, found = RoundClock(np.random.SeedSequence(0)), np.empty(centres.shape), []
    for _ in range(20):
        events = clock.window()
        player.play(events, 0, len(events))
        player.observe(0.0, X)
        found.append(((X - f.x_star) ** 2).sum())
    low, top = GRAPHS[graph].lambda_2(), GRAPHS[graph].lambda_max()
    guaranteed = len(events) * math.log(1 - (low / top) ** 2 * Q.delta(DIMENSION) / 82)
    measured = math.log(found[-1] / found[0]) / (len(found) - 1)
    print(f"{Q.kind:10}{graph:18}rounds measured / guaranteed {guaranteed / measured:.2f}")
    assert guaranteed / measured <= 1
    np.testing.assert_allclose(X.mean(axis=0), f.x_star, atol=1e-12)
