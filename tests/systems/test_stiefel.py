"""Orthonormal columns: principal components, Procrustes and independent components by landing."""

from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import FastICA

from dadao_sim import replay, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.landing import safe_step
from dadao_sim.errors import InputError
from dadao_sim.events.log import ROUND, Events
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.data.mixtures import MixturesData
from dadao_sim.problems.data.rotated import RotatedData
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.ica import amari, ica_problem
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.problems.kinds.procrustes import procrustes_problem
from dadao_sim.simulation.replay import make_player

NODES, DIM, COMPONENTS = 16, 20, 3
RING = as_network(nx.cycle_graph(NODES))
ON_MATRICES = ("landing", "landing_tracked", "drgta", "dprgt")


def polar(X):
    u, _, vt = np.linalg.svd(X, full_matrices=False)
    return u @ vt


def rows(seed=0, gap=0.5):
    """Of heterogeneous nodes; the mean has three eigenvalues near 1, then a gap."""
    rng = np.random.default_rng(seed)
    few = COMPONENTS
    values = np.concatenate([np.linspace(1, 0.8, few), 0.8 * gap * np.linspace(1, 0.2, DIM - few)])
    Q, _ = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    A = rng.standard_normal((NODES, 50, DIM)) @ (Q * np.sqrt(values) @ Q.T)
    own = rng.standard_normal((NODES, 1, DIM)) * rng.standard_normal((NODES, 50, 1))
    return A + 0.15 * own


PCA = pca_problem(rows(), COMPONENTS)


def start(problem=PCA, seed=1, shared=True):
    """Orthonormal columns at every node."""
    n, d = problem.nodes, problem.dimension
    drawn = np.random.default_rng(seed).standard_normal((1 if shared else n, d))
    return np.tile(problem.orthonormal(drawn), (n, 1))[:n]


def played(method, problem=PCA, steps=2000, x0=None, network=RING, **constants):
    """The matrices of all nodes (n, d, p)."""
    x0 = start(problem) if x0 is None else x0
    log = Events.from_arrays(np.arange(1.0, steps + 1), [ROUND] * steps, [-1] * steps)
    return problem.matrix(replay(method, problem, network, log, x0, constants)["x"])


def rounds_to(method, error, **constants):
    """Rounds of the ring until the squared distance is below ``error``, to 20; 3000 where later."""
    tuning = METHODS[method].tune(PCA, RING, constants)
    player = make_player(METHODS[method], PCA, tuning, start(), {})
    log = Events.from_arrays(np.arange(1.0, 3001), [ROUND] * 3000, [-1] * 3000)
    for k in range(0, 3000, 20):
        player.play(log, k, k + 20)
        if PCA.squared_distance(player.blocks(("x",))["x"]) < error:
            return k + 20
    return 3000


def projector(X):
    return X @ np.swapaxes(X, -1, -2)


def eigenvectors(A):
    """The first eigenvectors of the covariance of all rows, by NumPy."""
    flat = A.reshape(-1, A.shape[-1])
    return np.linalg.eigh(flat.T @ flat / len(flat))[1][:, ::-1][:, :COMPONENTS]


def landing_centralised(problem, x, rounds, step, lam):
    """Ablin and Peyre, with the whole F in one place and the matrix Skew(G X^T) written out."""
    X = problem.matrix(x)
    for _ in range(rounds):
        G = problem.matrix(problem.mean_operator(X.ravel()))
        M = G @ X.T
        X = X - step * ((M - M.T) / 2 @ X + lam * X @ (X.T @ X - np.eye(X.shape[1])))
    return X


# ---- geometry
# ------------------------------------------------------------------------------


def test_the_two_terms_of_the_field_are_orthogonal_on_the_manifold_and_off():
    rng = np.random.default_rng(0)
    X, G = rng.standard_normal((2, 50, 9, 4))
    field = stiefel.relative_gradient(X, G)
    M = G @ np.swapaxes(X, 1, 2)
    assert_allclose(field, (M - np.swapaxes(M, 1, 2)) / 2 @ X, atol=1e-12)
    inner = (field * stiefel.normal(X)).sum(axis=(1, 2))
    sizes = np.linalg.norm(field, axis=(1, 2)) * np.linalg.norm(stiefel.normal(X), axis=(1, 2))
    assert (np.abs(inner) < 1e-12 * sizes).all()
    # Control: the Riemannian gradient of the manifold is not orthogonal to it elsewhere.
    other = (stiefel.tangent(X, G) * stiefel.normal(X)).sum(axis=(1, 2))
    assert np.abs(other).min() > 1e-3


def test_polar_is_the_nearest_and_does_not_invent_what_is_not_finite():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 3))
    near = stiefel.polar(X)
    assert stiefel.distance(near) < 1e-14
    others = stiefel.polar(near + 0.3 * rng.standard_normal((200, 6, 3)))
    assert (np.linalg.norm(X - others, axis=(1, 2)) > np.linalg.norm(X - near)).all()
    found = stiefel.polar(np.stack([X, np.full_like(X, np.inf)]))
    assert_allclose(found[0], near)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize("own", [True, False], ids=["own gradient", "any direction"])
def test_a_safe_step_never_leaves_the_safe_region(own):
    """Along the field of the node itself, and with any matrix in the place of its gradient."""
    rng = np.random.default_rng(3)
    worst = used = 0.0
    for _ in range(400):
        d = int(rng.integers(2, 12))
        p = int(rng.integers(1, d + 1))
        eps, lam = rng.choice([0.5, 0.3, 0.1, 0.01]), 10.0 ** rng.integers(-2, 3)
        c = SimpleNamespace(p=p, lam=lam, eps=eps)
        X = polar(rng.standard_normal((d, p)))
        for _ in range(40):
            Y = rng.standard_normal((d, p)) * 10.0 ** rng.integers(-2, 3)
            Y = stiefel.relative_gradient(X, Y) if own else Y
            V = Y + lam * stiefel.normal(X)
            a = safe_step(X.reshape(1, -1), V.reshape(1, -1), c)
            assert a.shape == (1, 1)
            X = X - a * V
            worst = max(worst, stiefel.distance(X) / eps)
            used = max(used, stiefel.distance(X) / eps if a < 0.49 / lam else 0.0)
    assert worst <= 1 + 1e-10
    assert used > 0.5  # it is no smaller than it has to be


def test_a_node_far_from_the_manifold_goes_back_to_it():
    """With steps of any length it gets there: without the safe ones this diverges."""
    problem, far = PCA, 1.2 * start()
    assert problem.infeasibility(far) > 0.5
    for step in (None, 50.0):
        constants = {} if step is None else {"step": step}
        network = as_network(nx.complete_graph(NODES))
        found = played("landing", x0=far, steps=600, network=network, **constants)
        assert stiefel.distance(found).max() < 1e-12
    with np.errstate(over="ignore", invalid="ignore"):
        unsafe = landing_centralised(problem, far[0], 10, 50.0, problem.L / 2)
    assert not np.abs(unsafe).max() < 1e6


# ---- problems
# ------------------------------------------------------------------------------


def built(kind, seed=0, nodes=6, **keys):
    return PROBLEMS[kind](kind=kind, **keys).build(nodes, np.random.default_rng(seed))


SMALL = {
    "pca": {
        "components": 2,
        "data": {"kind": "synthetic", "dim": 5, "samples_per_node": 9, "condition_number": 9.0},
    },
    "procrustes": {"data": {"kind": "rotated", "dim": 3, "samples_per_node": 9}},
    "ica": {"data": {"kind": "mixtures", "dim": 3, "samples_per_node": 40}},
}


@pytest.mark.parametrize("kind", SMALL)
def test_gradients_are_those_of_the_values(kind):
    problem = built(kind, **SMALL[kind])
    x = np.random.default_rng(1).standard_normal(problem.dimension)
    h = 1e-6
    for i in range(problem.nodes):
        slopes = [
            (problem.value(i, x + h * e) - problem.value(i, x - h * e)) / (2 * h)
            for e in np.eye(len(x))
        ]
        exact = problem.gradient(i, x)
        assert np.abs(slopes - exact).max() < 1e-8 * np.abs(exact).max()


def test_values_are_the_formulas():
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((2, 4, 7, 3))
    x = rng.standard_normal(9)
    X = x.reshape(3, 3)
    pairs, mixed = procrustes_problem(A, B), ica_problem(A)
    components = pca_problem(A, 2)
    Y = A.reshape(-1, 3) - A.mean(axis=(0, 1))
    Z = (Y @ mixed.whitening).reshape(A.shape)
    assert_allclose(Z.reshape(-1, 3).T @ Z.reshape(-1, 3) / 28, np.eye(3), atol=1e-13)
    for i in range(4):
        assert pairs.value(i, x) == pytest.approx(((A[i] @ X - B[i]) ** 2).sum() / 7, rel=1e-12)
        log_cosh = np.log(np.cosh(X @ Z[i].T)).sum() / 7
        assert mixed.value(i, x) == pytest.approx(log_cosh, rel=1e-12)
        kept = -((A[i] @ X[:, :2]) ** 2).sum() / 14
        assert components.value(i, X[:, :2].ravel()) == pytest.approx(kept, rel=1e-12)


@pytest.mark.parametrize("kind", SMALL)
def test_relabelled_nodes_hold_the_same_and_L_is_a_bound(kind):
    problem = built(kind, **SMALL[kind])
    order = np.array([2, 0, 5, 3, 1, 4])
    other = problem.relabelled(order)
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, problem.dimension))
    for k, i in enumerate(order):
        assert_allclose(other.gradient(k, x), problem.gradient(i, x), rtol=1e-13)
        assert other.node_L[k] == pytest.approx(problem.node_L[i], rel=1e-12)
        change = np.linalg.norm(problem.gradient(i, x) - problem.gradient(i, y))
        assert change <= problem.node_L[i] * np.linalg.norm(x - y)
    assert problem.problem_class == "orthogonal"


def test_the_distance_is_to_the_nearest_basis_for_all_nodes_together():
    U, rng = PCA.basis, np.random.default_rng(0)
    Q = polar(rng.standard_normal((3, 3)))
    assert PCA.squared_distance(np.tile((U @ Q).ravel(), (NODES, 1))) < 1e-29
    X = np.stack([polar(U @ Q + 0.1 * rng.standard_normal(U.shape)) for _ in range(NODES)])
    found = PCA.squared_distance(X.reshape(NODES, -1))
    tried = [polar(Q + 0.05 * rng.standard_normal((3, 3))) for _ in range(300)]
    least = min(((X - U @ q) ** 2).sum() / NODES for q in tried)
    assert found <= least < 1.01 * found
    turned = np.stack([U @ polar(rng.standard_normal((3, 3))) for _ in range(NODES)])
    # Every node has the subspace, and no two the same basis: they do not agree.
    assert PCA.squared_distance(turned.reshape(NODES, -1)) > 0.5


def test_no_digits_are_lost_near_a_solution():
    """||X||^2 + p - 2 ||U^T X||_* would: it is even negative."""
    U = PCA.basis
    x = polar(U + 1e-9 * np.random.default_rng(0).standard_normal(U.shape))
    true = np.linalg.norm(projector(x) - projector(U)) ** 2 / 2
    found = PCA.squared_distance(np.tile(x.ravel(), (NODES, 1)))
    assert found == pytest.approx(true, rel=1e-5)
    naive = np.linalg.norm(x) ** 2 + 3 - 2 * np.linalg.norm(U.T @ x, "nuc")
    assert abs(naive - true) > 0.99 * true  # 0, or a multiple of the rounding of 6
    assert 0 < PCA.suboptimality(x.ravel()) < found


@pytest.mark.parametrize("kind", ["pca", "procrustes"])
def test_suboptimality_is_that_of_the_nearest_point_of_the_manifold(kind):
    """Not a divergence: grad F(x*) is not 0."""
    problem = PCA if kind == "pca" else built("procrustes", **SMALL[kind])
    rng = np.random.default_rng(2)
    best = problem.mean_value(problem.x_star)
    assert problem.suboptimality(problem.x_star) < 1e-28
    assert np.linalg.norm(problem.mean_operator(problem.x_star)) > 0.01
    assert problem.stationarity(problem.x_star) < 1e-26
    for size in (0.01, 1.0):
        x = problem.x_star + size * rng.standard_normal(problem.dimension)
        Z = polar(problem.matrix(x)).ravel()
        values = np.mean([problem.value(i, Z) for i in range(problem.nodes)])
        assert problem.mean_value(x) == pytest.approx(values, rel=1e-12)
        assert problem.suboptimality(x) == pytest.approx(values - best, rel=1e-9)
        assert problem.suboptimality(3 * x) == pytest.approx(values - best, rel=1e-9)
    off = problem.divergence(x, problem.x_star)
    slope = problem.mean_operator(problem.x_star) @ (x - problem.x_star)
    F = [np.mean([problem.value(i, y) for i in range(problem.nodes)]) for y in (x, problem.x_star)]
    assert off == pytest.approx(F[0] - F[1] - slope, rel=1e-9)


def test_the_rotation_of_the_data_is_found_again():
    A, B, rotation = RotatedData(kind="rotated", dim=4, samples_per_node=9, noise=0.0).read(
        5, np.random.default_rng(0)
    )
    problem = procrustes_problem(A, B)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert_allclose(problem.matrix(problem.x_star), rotation, atol=1e-13)
    assert problem.mean_value(problem.x_star) < 1e-12


def test_a_subspace_that_is_not_determined_is_remarked_and_only_F_is_reported():
    halves = np.sqrt(DIM * np.array([1.0, 0.9, 0.8, 0.8] + [0.3] * 16))
    problem = pca_problem(np.stack([np.diag(halves)] * NODES), 3)
    said = problem.remark
    assert said.startswith("problem pca: eigenvalues 3 and 4 differ by ")
    assert "the subspace is not determined" in said
    assert problem.solutions is None
    assert np.isnan(problem.squared_distance(start(problem)))
    with pytest.raises(InputError, match="the subspace is not determined"):
        _ = problem.x_star
    X = played("landing", problem, steps=3000)
    assert stiefel.distance(X).max() < 1e-12
    mean = X.mean(axis=0).ravel()
    assert abs(problem.suboptimality(mean)) < 1e-12
    assert problem.stationarity(mean) < 1e-24
    assert PCA.remark == ""


# ---- methods
# ------------------------------------------------------------------------------


def dense(X, problem):
    """F(X), W and the constants of a transcription."""
    Lap = RING.graphs[0].laplacian().toarray()
    spectrum = np.linalg.eigvalsh(Lap)
    W = np.eye(NODES) - Lap / spectrum[-1]
    L = max(np.linalg.eigvalsh(-H)[-1] for H in problem.form.H)
    return X, W, L, 1 - spectrum[1] / spectrum[-1]


def gradients(X, problem):
    return np.stack([H @ x for H, x in zip(problem.form.H, X, strict=True)])


def skew_field(X, G):
    M = np.einsum("iap,ibp->iab", G, X)
    return np.einsum("iab,ibp->iap", (M - M.transpose(0, 2, 1)) / 2, X)


def off(X):
    return np.einsum("iap,ipq->iaq", X, np.einsum("iap,iaq->ipq", X, X) - np.eye(X.shape[2]))


def onto_tangent(X, V):
    return np.stack([v - x @ (x.T @ v + v.T @ x) / 2 for x, v in zip(X, V, strict=True)])


def mix(W, X):
    return np.tensordot(W, X, 1)


def landing(X, problem, t):
    X, W, L, l2 = dense(X, problem)
    a, lam, W = np.sqrt(1 - l2**t) / L, L / 2, np.linalg.matrix_power(W, t)
    F = skew_field(X, gradients(X, problem))
    Y = F
    for _ in range(50):
        X = mix(W, X - a * (Y + lam * off(X)))
        before, F = F, skew_field(X, gradients(X, problem))
        Y = mix(W, Y + F - before)
    return X


def landing_tracked(X, problem, t):
    X, W, L, l2 = dense(X, problem)
    a, lam, W = np.sqrt(1 - l2**t) / L, L / 10, np.linalg.matrix_power(W, t)
    F = skew_field(X, gradients(X, problem)) + lam * off(X)
    Y = F
    for _ in range(50):
        X = mix(W, X - a * Y)
        before, F = F, skew_field(X, gradients(X, problem)) + lam * off(X)
        Y = mix(W, Y + F - before)
    return X


def drgta(X, problem, t):
    X, W, L, l2 = dense(X, problem)
    b, W = np.sqrt(1 - l2**t) / (2 * L), np.linalg.matrix_power(W, t)
    R = onto_tangent(X, gradients(X, problem))
    Y = R
    for _ in range(50):
        V = onto_tangent(X, mix(W, X) - X) - b * onto_tangent(X, Y)
        X = np.stack([polar(x + v) for x, v in zip(X, V, strict=True)])
        before, R = R, onto_tangent(X, gradients(X, problem))
        Y = mix(W, Y) + R - before
    return X


def dprgt(X, problem, t):
    X, W, L, l2 = dense(X, problem)
    b, W = np.sqrt(1 - l2**t) / (2 * L), np.linalg.matrix_power(W, t)
    R = onto_tangent(X, gradients(X, problem))
    Y = R
    for _ in range(50):
        X = np.stack([polar(x) for x in mix(W, X) - b * onto_tangent(X, Y)])
        before, R = R, onto_tangent(X, gradients(X, problem))
        Y = mix(W, Y) + R - before
    return X


def dprgd(X, problem, t):
    X, W, L, _ = dense(X, problem)
    W = np.linalg.matrix_power(W, t)
    for k in range(50):
        b = 1 / (2 * L * np.sqrt(k + 1))
        V = mix(W, X) - b * onto_tangent(X, gradients(X, problem))
        X = np.stack([polar(x) for x in V])
    return X


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize(
    "equation", [landing, landing_tracked, drgta, dprgt, dprgd], ids=lambda one: one.__name__
)
def test_a_method_is_its_equations(equation, rounds):
    """From starts that are near each other: the steps are as long as they are asked to be."""
    near = 0.02 * np.random.default_rng(7).standard_normal((NODES, PCA.dimension))
    x0 = PCA.orthonormal(start() + near)
    found = played(equation.__name__, steps=50, x0=x0, rounds=rounds)
    wanted = equation(PCA.matrix(x0), PCA, rounds)
    assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.fixture(scope="module")
def ends():
    """All methods on the ring, 2000 rounds from one start."""
    return {name: played(name) for name in ON_MATRICES}


@pytest.mark.parametrize("name", ON_MATRICES)
def test_the_subspace_is_that_of_eigh(ends, name):
    """Within 2000 rounds of a ring, with an eigengap of .44 and L = 1.8."""
    assert PCA.eigengap > 0.4
    off = projector(ends[name]) - projector(eigenvectors(rows()))
    assert np.linalg.norm(off, axis=(1, 2)).max() < 1e-8
    assert stiefel.distance(ends[name]).max() < 1e-12
    mean = ends[name].mean(axis=0).ravel()
    assert PCA.suboptimality(mean) < 1e-20
    assert PCA.stationarity(mean) < 1e-20


@pytest.mark.parametrize("name", ["landing", "dprgt"])
@pytest.mark.parametrize("graph", [nx.cycle_graph(NODES), nx.star_graph(NODES - 1)])
def test_decentralised_is_centralised(name, graph):
    """Landing with all data in one place ends at the same subspace."""
    x0 = start(seed=4)
    step = 0.5 / PCA.L
    one = landing_centralised(PCA, x0[0], 700, step, PCA.L / 2)
    found = played(name, x0=x0, steps=1800, network=as_network(graph))
    assert np.linalg.norm(projector(found) - projector(one), axis=(1, 2)).max() < 1e-9


def test_on_a_complete_graph_landing_is_that_of_one_machine():
    """Step by step, from one start."""
    x0 = start()
    found = played("landing", x0=x0, steps=60, network=as_network(nx.complete_graph(NODES)))
    L = PCA.L
    assert_allclose(
        found, np.tile(landing_centralised(PCA, x0[0], 60, 1 / L, L / 2), (NODES, 1, 1)), atol=1e-12
    )


@pytest.mark.parametrize(
    ("graph", "share", "off"),
    [("complete", 0.1, 1e-7), ("cycle", 0.1, 0.05), ("cycle", 0.03, 1e-2)],
)
def test_the_local_rate_is_half_of_the_eigengap(graph, share, off):
    """1 - a (w_p - w_{p+1})/2 a round, from beside U in the direction that decays last; on a ring,
    where nodes first come to differ, others decay as well for a long time.
    """
    network = RING if graph == "cycle" else as_network(nx.complete_graph(NODES))
    step = share * METHODS["landing"].tune(PCA, RING).constants["step"]
    x = PCA.basis.copy()
    x[:, -1] += 1e-4 * PCA.spectrum[1][:, COMPONENTS]
    x0 = np.tile(x.ravel(), (NODES, 1))
    sizes = [
        PCA.squared_distance(
            played("landing", x0=x0, steps=k, network=network, step=step).reshape(NODES, -1)
        )
        for k in (1000, 2000)
    ]
    rate = (sizes[1] / sizes[0]) ** (1 / 2000)
    assert 0.99 < rate < 0.9995
    assert abs(rate - (1 - step * PCA.eigengap / 2)) <= 1e-4
    assert abs((1 - rate) / (step * PCA.eigengap / 2) - 1) <= off


def test_on_a_ring_the_rate_is_that_of_the_linearised_round_and_half_of_the_eigengap_but_for_a2():
    """The second largest eigenvalue where sum H = 0: the largest is 1, for a turn of all bases."""
    rng = np.random.default_rng(6)
    A = rng.standard_normal((6, 40, 5)) * np.sqrt([3.0, 2.5, 1.0, 0.4, 0.2])
    problem = pca_problem(A + rng.standard_normal((6, 1, 5)), 2)
    ring, shape = as_network(nx.cycle_graph(6)), (6, 5, 2)
    Lap = nx.laplacian_matrix(nx.cycle_graph(6)).toarray()
    W, L = np.eye(6) - Lap / 4, problem.L

    def one_round(z, a):
        X, H = z[:60].reshape(shape), np.zeros(shape)
        H[:-1] = z[60:].reshape(5, 5, 2)
        H[-1] = -H[:-1].sum(axis=0)
        F = skew_field(X, gradients(X, problem))
        X = mix(W, X - a * (H + F + L / 2 * off(X)))
        F = skew_field(X, gradients(X, problem))
        return np.concatenate([X.ravel(), (mix(W, H + F) - F)[:-1].ravel()])

    x = np.tile(problem.basis, (6, 1, 1))
    end = np.concatenate([x.ravel(), -skew_field(x, gradients(x, problem))[:-1].ravel()])

    def second(a):
        assert_allclose(one_round(end, a), end, atol=1e-13)
        rows = [one_round(end + h, a) - one_round(end - h, a) for h in 1e-5 * np.eye(len(end))]
        sizes = np.sort(np.abs(np.linalg.eigvals(np.array(rows) / 2e-5)))
        assert sizes[-1] == pytest.approx(1, abs=1e-8)
        return sizes[-2]

    def off_by(a):
        return (1 - second(a)) / (a * problem.eigengap / 2) - 1

    base = METHODS["landing"].tune(problem, ring).constants["step"]
    assert 0 < off_by(base / 10) < 1e-3
    assert off_by(base) > 30 * off_by(base / 10)
    x0 = problem.basis.copy()
    x0[:, -1] += 1e-4 * problem.spectrum[1][:, 2]
    x0 = np.tile(x0.ravel(), (6, 1))
    late = [
        problem.squared_distance(played("landing", problem, k, x0, ring).reshape(6, -1))
        for k in (300, 400)
    ]
    rate = (late[1] / late[0]) ** (1 / 200)
    assert rate == pytest.approx(second(base), abs=2e-4)
    assert abs(rate - (1 - base * problem.eigengap / 2)) > 1e-3


def test_without_tracking_nodes_do_not_come_to_the_subspace():
    """Control: gossip and a step along the node's own field, however long it goes on."""
    landing = METHODS["landing"]

    def step(s, c, nodes, W):
        field = landing.step.__globals__["relative"](s.x, nodes, c)
        normal = landing.step.__globals__["normal_term"](s.x, c)
        s.x = W(s.x) - c.step * (field + normal)

    untracked = replace(
        landing, name="untracked", blocks=("x",), step=step, invariant=(), fixed_point=None
    )
    untracked = replace(untracked, prepare=lambda s, c, nodes, W: None, renew=None)
    a = landing.tune(PCA, RING).constants["step"] / 2
    errors = [
        PCA.squared_distance(played(untracked, steps=k, step=a).reshape(NODES, -1))
        for k in (2000, 4000)
    ]
    assert min(errors) > 1e-3
    assert errors[1] > 0.99 * errors[0]


def test_an_own_normal_term_allows_a_larger_one():
    """The two forms: tracked as well, the normal term slows its own decay."""

    own = [rounds_to("landing", 1e-16, lam=share * PCA.L) for share in (0.1, 0.5)]
    tracked = [rounds_to("landing_tracked", 1e-16, lam=share * PCA.L) for share in (0.1, 0.5)]
    assert max(own) <= 1.1 * min(own)
    assert tracked[0] <= 1.1 * own[0]
    assert tracked[1] > 1.5 * own[1]


@pytest.mark.parametrize("name", ON_MATRICES)
def test_starts_of_their_own_lead_to_the_same(name):
    x0 = start(shared=False, seed=11)
    assert PCA.squared_distance(x0) > 3
    X = played(name, x0=x0, steps=2200)
    assert PCA.squared_distance(X.reshape(NODES, -1)) < 1e-13


def test_three_rounds_of_gossip_in_a_step():
    """Fewer steps, and no fewer communications."""
    steps = {
        (name, rounds): rounds_to(name, 1e-14, rounds=rounds)
        for name in ("landing", "dprgt", "drgta")
        for rounds in (1, 3)
    }
    for name in ("landing", "dprgt", "drgta"):
        assert 1 / 3 < steps[name, 3] / steps[name, 1] < 0.5
    assert abs(steps["dprgt", 1] / steps["drgta", 1] - 1) < 0.05
    assert abs(steps["dprgt", 1] / steps["landing", 1] - 1) < 0.15
    asked = {
        name: METHODS[name].tune(PCA, RING, {"rounds": 3}).asked.per_round
        for name in ("landing", "dprgt")
    }
    for tally in asked.values():
        assert tally.communications == 3 * NODES
        assert tally.gradients == NODES
        assert tally.floats_sent == 2 * 3 * NODES * 2 * PCA.dimension
    assert asked["landing"].messages_in_sequence == 6
    assert asked["dprgt"].messages_in_sequence == 3


# ---- Procrustes and independent components
# ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs():
    A, B, _ = RotatedData(kind="rotated", dim=5, samples_per_node=30, noise=0.3).read(
        NODES, np.random.default_rng(0)
    )
    return A, B, procrustes_problem(A, B)


@pytest.mark.parametrize("name", ["landing", "drgta", "dprgt"])
def test_procrustes_is_the_closed_form(pairs, name):
    A, B, problem = pairs
    best = polar(np.einsum("nmi,nmj->ij", A, B))
    assert_allclose(problem.matrix(problem.x_star), best, atol=1e-13)
    X = played(name, problem, steps=2500)
    assert np.linalg.norm(X - best, axis=(1, 2)).max() < 1e-10
    assert stiefel.distance(X).max() < 1e-12


@pytest.mark.parametrize("name", ["landing", "dprgt"])
def test_the_sign_of_the_determinant_stays(pairs, name):
    """Control: from the other component the end is 2 from x*, and as orthogonal as any."""
    problem = pairs[2]
    n, d = problem.nodes, problem.dimension
    drawn = np.random.default_rng(3).standard_normal((1, d))
    x0 = np.tile(problem.orthonormal(drawn, -1), (n, 1))
    X = played(name, problem, x0=x0, steps=4500)
    assert_allclose(np.linalg.det(X), -1, atol=1e-8)
    off = np.linalg.norm(X - problem.matrix(problem.x_star), axis=(1, 2))
    assert_allclose(off, 2.0, atol=1e-8)
    assert stiefel.distance(X).max() < 1e-7


def test_independent_components_are_those_of_fast_ica():
    """Up to order and signs, by the Amari distance between the two."""
    Y, mixing = MixturesData(kind="mixtures", dim=4, samples_per_node=200).read(
        8, np.random.default_rng(7)
    )
    network = as_network(nx.cycle_graph(8))
    problem = ica_problem(Y, mixing=mixing)
    fast = FastICA(
        4, fun="logcosh", whiten="unit-variance", random_state=0, tol=1e-10, max_iter=2000
    ).fit(Y.reshape(-1, 4))
    theirs = amari(fast.components_ @ mixing)
    for name in ("landing", "dprgt"):
        X = played(name, problem, steps=1200, network=network)
        assert stiefel.distance(X).max() < 1e-12
        mean = X.mean(axis=0)
        found = amari(polar(mean) @ problem.whitening @ np.linalg.inv(fast.components_))
        assert found < 1e-4
        assert problem.amari(mean.ravel()) == pytest.approx(theirs, abs=1e-4)
    assert problem.amari(start(problem)[0]) > 0.2
    assert theirs < 0.05


def test_the_amari_distance_is_0_of_a_separation_only():
    P = np.diag([2.0, -3.0, 0.5])[[2, 0, 1]]
    assert amari(P) == 0
    assert amari(np.ones((3, 3))) == pytest.approx(1)
    with pytest.raises(InputError, match="what mixed the sources is not known"):
        ica_problem(np.random.default_rng(0).standard_normal((2, 9, 3))).amari(np.eye(3).ravel())


# ---- scenarios, and what is refused
# ------------------------------------------------------------------------------

DATA = {"kind": "synthetic", "dim": 8, "samples_per_node": 30, "condition_number": 100}
PCA_OF_DATA = {"kind": "pca", "components": 2, "data": {**DATA, "heterogeneity": 0.3}}


def scenario(algorithms=("landing", "dprgt"), **changes):
    return {
        "name": "stiefel",
        "seed": 0,
        "repeats": 1,
        "problem": PCA_OF_DATA,
        "network": {"graph": "cycle", "nodes": 8},
        "start": {"kind": "orthonormal", "shared": True},
        "algorithms": list(algorithms),
        "stop": {"time": 1500},
        "record": {"points": 300, "metrics": ["infeasibility", "objective", "stationarity"]},
        **changes,
    }


def test_a_run_measures_the_distance_to_the_manifold_and_stops_by_it():
    off = {"kind": "orthonormal", "shared": True, "scale": 1.1}
    stop = {"time": 1500, "until": {"infeasibility": 1e-8}}
    last = simulate(scenario(["landing"], start=off, stop=stop)).curves.iloc[-1]
    assert 10 < last["time"] < 1500
    assert last["infeasibility"] <= 1e-8
    result = simulate(scenario())
    last = result.curves.groupby("algorithm", observed=True).last()
    assert (last["mean_squared_distance"] <= 1e-20).all()
    first = result.curves[result.curves["time"] == 0]
    assert first["infeasibility"].max() < 1e-14
    assert first["mean_squared_distance"].min() > 0.1
    landing = result.curves[result.curves["algorithm"] == "landing"]
    assert landing["infeasibility"].max() > 1e-4  # it leaves the manifold, and comes back
    assert (result.curves["suboptimality"] >= 0).all()
    falls = result.curves["objective"] - result.curves["suboptimality"]
    assert_allclose(falls, falls.iloc[0], rtol=1e-12)  # F* of the eigenvalues
    X = result.states["landing", 0]["x"].reshape(8, 8, 2)
    assert last.loc["landing", "infeasibility"] == pytest.approx(stiefel.distance(X).max())
    assert result.summary["experimental"].all()
    assert "Riemannian" in result.metrics["stationarity"].title  # grad F itself is not 0


def test_starts_are_drawn_on_the_manifold_and_shared_if_asked():
    from dadao_sim.simulation.study import Study

    def drawn(**start):
        return Study(scenario(start={"kind": "orthonormal", **start})).parts(0).x0

    own, shared = drawn(), drawn(shared=True)
    for X in (own, shared):
        assert stiefel.distance(X.reshape(8, 8, 2)).max() < 1e-14
    assert np.ptp(shared, axis=0).max() == 0
    assert np.ptp(own, axis=0).min() > 0.01
    square = scenario(problem={"kind": "procrustes", **SMALL["procrustes"]})
    for said, sign in (("positive", 1), ("negative", -1)):
        square["start"] = {"kind": "orthonormal", "determinant": said}
        x0 = Study(square).parts(0).x0
        assert_allclose(np.linalg.det(x0.reshape(8, 3, 3)), sign)


def test_digits_that_are_sorted_over_the_nodes():
    """Every node has one or two digits, and all find the components of all."""
    problem = {
        "kind": "pca",
        "components": 2,
        "data": {"kind": "digits", "standardise": True},
        "partition": {"kind": "sorted"},
    }
    result = simulate(scenario(["landing"], problem=problem, record={"points": 10}))
    assert result.curves["mean_squared_distance"].iloc[-1] < 1e-6
    from sklearn.datasets import load_digits

    Y = load_digits().data
    Y = (Y - Y.mean(axis=0)) / np.where(Y.std(axis=0) > 0, Y.std(axis=0), 1)
    U = np.linalg.svd(Y, full_matrices=False)[2][:2].T
    X = result.states["landing", 0]["x"].reshape(8, 64, 2)
    assert np.linalg.norm(projector(X) - projector(U), axis=(1, 2)).max() < 1e-2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"problem": {"kind": "pca", "components": 30, "data": DATA}},
            "problem.components: 30 given; at most the dimension 8",
        ),
        (
            {"start": {"kind": "zeros"}},
            "start: pca needs a start with orthonormal columns: zeros is a fixed point; "
            "use kind: orthonormal",
        ),
        (
            {"start": {"kind": "normal"}},
            "start: pca needs a start with orthonormal columns: ||X^T X - I|| is ",
        ),
        (
            {"algorithms": ["dadao"]},
            "algorithms: dadao minimises convex functions and those that are not, and the problem "
            "pca is one of matrices with orthonormal columns; use one of dprgt, drgta, landing, "
            "landing_tracked, dprgd",
        ),
        (
            {"algorithms": ["gradient_tracking"]},
            "gradient_tracking minimises convex functions and those that are not and solves "
            "operators, and the problem pca is one of matrices with orthonormal columns",
        ),
        (
            {"problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 4}}},
            "start.kind: orthonormal is of matrices, and the x of averaging is a vector",
        ),
        (
            {
                "problem": {"kind": "least_squares", "data": DATA},
                "start": {"kind": "zeros"},
                "record": {},
            },
            "landing minimises over matrices with orthonormal columns, and the problem "
            "least_squares is convex; give it such a problem",
        ),
        (
            {"start": {"kind": "orthonormal", "scale": 2}},
            "start: pca needs a start with orthonormal columns: ||X^T X - I|| is 4.24, above 0.5",
        ),
        (
            {"start": {"kind": "normal", "determinant": "negative"}},
            "start.determinant: only kind orthonormal has it, and kind is normal",
        ),
        (
            {"start": {"kind": "orthonormal", "determinant": "negative"}},
            "start.determinant: negative given, and X of 8 x 2 has none; leave it out",
        ),
        (
            {"algorithms": [{"name": "landing_tracked", "parameters": {"eps": 2}}]},
            "landing_tracked: parameter 'eps' must be at most 1, not 2",
        ),
        (
            {"algorithms": [{"name": "dprgt", "rounds": 3}]},
            "algorithms.0.rounds: unknown key; constants go into parameters: {rounds: ...}",
        ),
        (
            {"algorithms": [{"name": "landing", "parameters": {"p": 3}}]},
            "landing: parameter 'p' must be a whole number from 2 to 2, not 3",
        ),
        (
            {"algorithms": [{"name": "dprgt", "parameters": {"rounds": 1.5}}]},
            "dprgt: parameter 'rounds' must be a whole number of at least 1, not 1.5",
        ),
        (
            {"local_step": {"prox": {"kind": "l1", "strength": 1}}},
            "landing cannot take a local_step",
        ),
        (
            {
                "problem": {
                    "kind": "pca",
                    "components": 2,
                    "data": {"kind": "digits", "intercept": True},
                }
            },
            "problem.data.intercept: pca has none; leave it out",
        ),
        ({"record": {"metrics": ["amari"]}}, "kind pca separates no mixtures; ica does"),
        (
            {"problem": {**PCA_OF_DATA, "partition": {"kind": "sorted"}}},
            "problem.partition: synthetic data are drawn at each node",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(changes, said):
    with pytest.raises(InputError) as refused:
        simulate(scenario(**changes))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda A: pca_problem(A, 4), "components: 4 given; at most the dimension 3"),
        (lambda A: pca_problem(A, 1.5), "components: 1.5 given; a whole number from 1 to the dim"),
        (lambda A: pca_problem(A, 1, "all"), "weighting: 'all' is not one of samples, uniform"),
        (lambda A: ica_problem(A, mixing="x"), "mixing: 'x' given; an array of real numbers"),
        (lambda A: ica_problem(A, mixing=np.full((3, 3), np.nan)), "mixing: nan or infinite"),
        (lambda A: procrustes_problem(A, A[:, :5]), "data: A and B have the shapes"),
        (lambda A: ica_problem(A[:, :, :1]), "data: one mixture alone; two or more are needed"),
        (lambda A: ica_problem(A[:, :, [0, 0]]), "the covariance of all samples is singular"),
        (lambda A: ica_problem(A, mixing=np.eye(2)), "mixing: has shape (2, 2)"),
        (lambda A: pca_problem(A * np.inf, 1), "data of node 0, row 0: nan or infinite"),
    ],
)
def test_data_that_are_none_are_refused(make, said):
    A = np.random.default_rng(0).standard_normal((4, 9, 3))
    with pytest.raises(InputError) as refused:
        make(A)
    assert said in str(refused.value)


def test_zeros_is_a_fixed_point_indeed():
    """Control: what is refused would stay there for ever."""
    X = played("landing", x0=np.zeros((NODES, PCA.dimension)), steps=200)
    assert (X == 0).all()


# ---- the lesson
# ------------------------------------------------------------------------------


def shipped_as(name, labels, stop):
    """The curves of some algorithms of a shipped scenario, up to so many communications."""
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    stop = f"stop={{communications: {stop}}}"
    asked = load_scenario(shipped.scenarios()[f"systems/{name}"], [stop])
    some = tuple(spec for spec in asked.algorithms if spec.label in labels)
    curves = simulate(asked.model_copy(update={"algorithms": some, "figures": None})).curves
    return dict(list(curves.groupby("algorithm", observed=True)))


def communications_to(curves, accuracy):
    return curves.loc[curves["accuracy"] < accuracy, "communications"].min()


def test_no_retraction_is_needed_and_none_saves_communications():
    """The lesson, of sorted digits; without tracking nodes do not come to the subspace."""
    found = shipped_as("stiefel", ["landing", "dprgt", "dprgd"], 12_000)
    need = {name: communications_to(found[name], 1e-8) for name in ("landing", "dprgt")}
    assert 0.85 < need["landing"] / need["dprgt"] < 1.15
    assert 0.005 < found["landing"]["infeasibility"].max() < 0.5
    assert found["landing"]["infeasibility"].iloc[-1] < 1e-5
    assert found["dprgt"]["infeasibility"].max() < 1e-13
    assert found["dprgd"]["accuracy"].min() > 0.1


def test_the_shipped_rotation_and_the_shipped_separation_are_found():
    for name in ("procrustes", "ica"):
        quick = "Landing, Chebyshev gossip"
        found = shipped_as(name, ["landing", "dprgt", "dprgd", quick], 6000)
        if quick in found:  # the network is what limits the others
            assert found[quick]["accuracy"].iloc[-1] < 1e-16 < found["landing"]["accuracy"].min()
        assert found["landing"]["accuracy"].iloc[-1] < 1e-5
        assert found["dprgt"]["accuracy"].iloc[-1] < 1e-5
        assert found["dprgd"]["accuracy"].iloc[-1] > 1e-5
    ends = [found[label]["amari"].iloc[-1] for label in ("landing", "dprgt")]
    assert max(ends) < 0.03
    assert abs(ends[0] - ends[1]) < 1e-3
