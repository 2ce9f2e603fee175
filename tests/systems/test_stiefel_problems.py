"""Orthonormal columns: principal components, Procrustes and independent components as problems."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from stiefel_cases import DIM, NODES, PCA, SMALL, built, played, polar, projector, start

from dadao_sim.errors import InputError
from dadao_sim.problems.data.rotated import RotatedData
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.ica import ica_problem
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.problems.kinds.procrustes import procrustes_problem


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
