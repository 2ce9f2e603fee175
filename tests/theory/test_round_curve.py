"""Curves of rounds: against a method's own equation in the modes of its graph, and runs."""

import networkx as nx
import numpy as np
import pytest

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.theory import expected_curve
from dadao_sim.theory.round_curve import round_curve

H = 4.0
ROUNDS = 40


def alike(nodes, h=H, d=1):
    """All nodes with curvature ``h``, and minima of their own."""
    rng = np.random.default_rng(0)
    return Problem.quadratic(np.tile(h * np.eye(d), (nodes, 1, 1)), rng.standard_normal((nodes, d)))


def unlike(nodes, d=3, aligned=False):
    rng = np.random.default_rng(1)
    turns = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(nodes)]
    turns = turns[:1] * nodes if aligned else turns
    hessians = np.stack([(Q * rng.uniform(1, 6, d)) @ Q.T for Q in turns])
    return Problem.quadratic(
        (hessians + hessians.transpose(0, 2, 1)) / 2, rng.standard_normal((nodes, d))
    )


def laplacian_modes(graph):
    return np.linalg.eigh(nx.laplacian_matrix(graph).toarray().astype(float))


def gossiped(w, constants, name):
    """The eigenvalue of what a step multiplies t by, in the mode ``w`` of the Laplacian."""
    if name == "ssda":
        return w
    K, c2, c3 = (constants[key] for key in ("K", "c2", "c3"))
    if K == 1:
        return c3 * w
    T = np.polynomial.Chebyshev.basis(int(K))
    return 1 - T(c2 * (1 - c3 * w)) / T(c2)


def by_modes(name, problem, graph, constants):
    """Nesterov's method on the dual, one number for each mode, as the papers write it: the mean
    over the nodes of (t_i - x*)^2 after each round.
    """
    values, vectors = laplacian_modes(graph)
    targets = vectors.T @ problem.form.c[:, 0] / H
    errors = np.zeros(ROUNDS + 1)
    for w, target in zip(values[1:], targets[1:], strict=True):
        g = gossiped(w, constants, name)
        x = y = 0.0
        for k in range(ROUNDS + 1):
            t = x / H + target
            errors[k] += t**2
            after = x - constants["eta"] * g * t
            x, y = after + constants["momentum"] * (after - y), after
    return errors / len(graph)


def constants_of(name, problem, graph, **overrides):
    study = simulate(problem, graph, [{"name": name, "parameters": overrides}], time=1)
    return study.manifest["runs"][0]["constants"]


@pytest.mark.parametrize("graph", [nx.path_graph(9), nx.star_graph(7), nx.cycle_graph(8)])
@pytest.mark.parametrize("name", ["msda", "ssda"])
def test_it_is_the_methods_own_equation_in_the_modes_of_the_graph(name, graph):
    problem = alike(len(graph))
    overrides = {"mu": 2.0, "L": 9.0}
    method = METHODS[name]
    tuned = constants_of(name, problem, graph, **overrides)
    found = round_curve(method, problem, graph, ROUNDS, overrides)
    np.testing.assert_allclose(found, by_modes(name, problem, graph, tuned), rtol=1e-9, atol=1e-20)
    wrong = by_modes(name, problem, graph, {**tuned, "momentum": 0.9 * tuned["momentum"]})
    assert np.abs(np.log(wrong[5:30] / found[5:30])).max() > 0.1  # another constant is seen


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(
    "name",
    ["dgd", "extra", "gradient_tracking", "msda", "opapc", "acc_gt", "adom_plus", "d_admm", "k_gt"],
)
def test_a_run_is_on_it(name, aligned):
    """All along, whether the axes decouple or not, and where a method ends elsewhere than at x*."""
    problem, graph = unlike(5, aligned=aligned), nx.path_graph(5)
    record = {"points": 12, "spacing": "linear"}
    run = simulate(problem, graph, [name], time=12, record=record).curves
    rounds = run["time"].to_numpy().astype(int)
    found = expected_curve(name, problem, graph, run["time"]) / (problem.x_star**2).sum()
    assert len(set(rounds)) == 13
    np.testing.assert_allclose(found, run["accuracy"], rtol=1e-6)
    later = expected_curve(name, problem, graph, run["time"] + 1) / (problem.x_star**2).sum()
    assert np.abs(later[1:] / run["accuracy"][1:] - 1).max() > 1e-3


def test_it_starts_where_a_run_starts():
    problem, graph = unlike(4), nx.cycle_graph(4)
    x0 = np.random.default_rng(3).standard_normal((4, 3))
    (found,) = round_curve("extra", problem, graph, 0, x0=x0)
    assert found == pytest.approx(((x0 - problem.x_star) ** 2).sum() / 4)
    times = [0.0, 0.9, 1.0, 1.0, 2.5]
    curve = round_curve("extra", problem, graph, 2, x0=x0)
    assert expected_curve("extra", problem, graph, times, x0=x0).tolist() == [
        curve[k] for k in (0, 0, 1, 1, 2)
    ]


def test_what_is_refused():
    problem, graph = alike(4, d=2), nx.path_graph(4)
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((4, 9, 1)), np.where(rng.random((4, 9)) < 0.5, 1.0, -1.0)
    logistic = Problem.from_arrays(A, b, "logistic_l2", mu=0.3)
    for name, given, more, reason in (
        ("dadao", problem, {}, "plays events"),
        ("extra", logistic, {}, "is not quadratic"),
        ("lead", problem, {}, "of compressed messages"),
        ("apm_c", unlike(4), {}, "another in each round"),
        ("extra", problem, {"x0": np.ones(3)}, "x0: shape"),
        ("extra", alike(4, d=2), {"overrides": {"nothing": 1.0}}, "nothing"),
        ("dgd", problem, {"options": Options(batch_size=1)}, "of gradients of samples"),
    ):
        with pytest.raises(InputError, match=reason):
            round_curve(name, given, graph, 30, **more)
