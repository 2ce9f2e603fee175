"""The differentiable maps against the methods of the package, round by round."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from cases import lollipop, small_problem  # noqa: E402

from dadao_sim import Problem, replay  # noqa: E402
from dadao_sim.algorithms import exact_diffusion, extra, nids  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.events.rounds import RoundClock  # noqa: E402
from dadao_sim.learning.fixed_point_maps import MAPS, hessians  # noqa: E402
from dadao_sim.local_steps.terms import make  # noqa: E402

METHODS = {"prox_ed": exact_diffusion.PROX_ED, "pg_extra": extra.PG_EXTRA, "nids": nids.METHOD}
STRENGTHS = {
    "l1": {"strength": 0.3},
    "squared_l2": {"strength": 0.3},
    "elastic_net": {"strength": 0.2, "l2": 0.4},
}
ROUNDS = 40


def tensors(**values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


def applied(fixed_point_map, state, theta, times):
    for _ in range(times):
        state = fixed_point_map(state, theta)
    return state


@pytest.mark.parametrize("penalty", STRENGTHS)
@pytest.mark.parametrize("name", METHODS)
def test_a_map_is_a_round_of_its_method(name, penalty):
    problem, network = small_problem(7, samples=4), lollipop()
    composite = problem.with_local_step(make(penalty, 3, **STRENGTHS[penalty]))
    log = RoundClock(np.random.SeedSequence(0)).window()[:ROUNDS]
    x0 = np.array([1.0, -2.0, 0.5])
    step = 0.7 / problem.L
    found = replay(METHODS[name], composite, network, log, x0, {"step": step})
    fixed_point_map = MAPS[name](problem, network, penalty)
    theta = tensors(step=step, **STRENGTHS[penalty])
    state = fixed_point_map.start(torch.from_numpy(x0))
    if name == "nids":  # its first step is one without gossip
        first = replay(METHODS[name], composite, network, log[:1], x0, {"step": step})
        state = torch.from_numpy(np.stack([first[block] for block in ("x", "z", "d")]))
    state = applied(fixed_point_map, state, theta, ROUNDS - (name == "nids")).numpy()
    assert_allclose(state[0], found["x"], rtol=1e-9, atol=1e-12)
    if name == "nids":
        assert_allclose(state[2], found["d"], rtol=1e-9, atol=1e-11)
    else:
        assert_allclose(step * state[1], found["y"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*METHODS, "proximal_gradient"])
def test_every_map_ends_at_the_optimum_whatever_the_parameters_did_on_the_way(name):
    problem = small_problem(7)
    network = None if name == "proximal_gradient" else lollipop()
    fixed_point_map = MAPS[name](problem, network, "l1")
    state = fixed_point_map.start(torch.full((3,), 2.0, dtype=torch.float64))
    for step, strength in [(0.4, 0.9), (0.2, 0.1), (0.6, 0.5)]:
        theta = tensors(step=step / problem.L, strength=strength)
        state = applied(fixed_point_map, state, theta, 60)
    state = applied(fixed_point_map, state, theta, 4000)
    x_star = problem.with_local_step(make("l1", 3, strength=0.5)).x_star
    assert_allclose(state[0], np.tile(x_star, (len(state[0]), 1)), atol=1e-9)


def test_steps_of_the_nodes_own_and_a_metric_lead_to_the_same_optimum():
    problem = small_problem(7)
    x_star = problem.with_local_step(make("l1", 3, strength=0.5)).x_star
    nids_map = MAPS["nids"](problem, lollipop(), "l1")
    theta = tensors(step=np.linspace(0.5, 1.5, 7) / problem.node_L, strength=0.5)
    state = applied(nids_map, nids_map.start(torch.zeros(3)), theta, 3000)
    assert_allclose(state[0], np.tile(x_star, (7, 1)), atol=1e-9)
    gradient_map = MAPS["proximal_gradient"](problem, None, "l1")
    theta = tensors(step=0.5 / problem.L, metric=np.array([0.7, 1.0, 3.0]), strength=0.5)
    state = applied(gradient_map, gradient_map.start(torch.zeros(3)), theta, 3000)
    assert_allclose(state[0, 0], x_star, atol=1e-9)


@pytest.mark.parametrize("name", [*METHODS, "proximal_gradient"])
def test_the_largest_step_separates_converging_from_diverging(name):
    """On identical f_i, where the bounds are sharp, without a penalty to speak of."""
    H = np.tile(np.diag([1.0, 4.0, 10.0]), (7, 1, 1))
    problem = Problem.quadratic(H, np.ones((7, 3)))
    network = None if name == "proximal_gradient" else lollipop()
    fixed_point_map = MAPS[name](problem, network, "squared_l2")
    theta = tensors(step=0.0, strength=1e-12)
    start = fixed_point_map.start(torch.ones(3, dtype=torch.float64))
    start[0] += torch.linspace(-1, 1, start.shape[1])[:, None]
    beyond = 1.27 if name == "pg_extra" else 1.03  # its bound is only sufficient
    for factor, converges in ((0.97, True), (beyond, False)):
        theta["step"] = factor * fixed_point_map.largest_step(theta)
        far = applied(fixed_point_map, start, theta, 1500)[0] - 1 / torch.tensor([1.0, 4.0, 10.0])
        assert (float(far.abs().max()) < 1e-3) == converges


def test_the_metric_bounds_the_step():
    problem = small_problem(5)
    m = np.array([0.5, 2.0, 1.0])
    H = hessians(problem)[0].mean(axis=0)
    eigenvalues = np.linalg.eigvals(H / m[:, None]).real
    bound = MAPS["proximal_gradient"](problem, None, "l1").largest_step(tensors(metric=m))
    assert float(bound) == pytest.approx(2 / eigenvalues.max(), rel=1e-10)


def test_hessians_come_from_any_quadratic_and_from_nothing_else():
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((4, 6, 3)), rng.standard_normal((4, 6))
    H, c = hessians(Problem.from_arrays(A, b, "ridge", mu=0.2))
    assert_allclose(H, 2 / 6 * A.transpose(0, 2, 1) @ A + 0.2 * np.eye(3), atol=1e-12)
    assert_allclose(c, 2 / 6 * np.einsum("nmd,nm->nd", A, b), atol=1e-12)
    with pytest.raises(InputError, match="logistic_l2 is not quadratic"):
        hessians(small_problem(4, "logistic_l2"))
    with pytest.raises(InputError, match="needs a network"):
        MAPS["prox_ed"](small_problem(7), None, "l1")
    with pytest.raises(InputError, match="one fixed network of 5 nodes"):
        MAPS["prox_ed"](small_problem(5), lollipop(), "l1")
    with pytest.raises(InputError, match="is centralised"):
        MAPS["proximal_gradient"](small_problem(7), lollipop(), "l1")
