"""Orthonormal columns: the geometry, and where landing and its rivals end."""

from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import FastICA
from stiefel_cases import (
    COMPONENTS,
    NODES,
    ON_MATRICES,
    PCA,
    RING,
    eigenvectors,
    landing_centralised,
    played,
    polar,
    projector,
    rounds_to,
    rows,
    start,
)

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.landing import safe_step
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.data.mixtures import MixturesData
from dadao_sim.problems.data.rotated import RotatedData
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.ica import amari, ica_problem
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.problems.kinds.procrustes import procrustes_problem

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
