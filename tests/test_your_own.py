"""What is in docs/your-own.md computes what that page says; that it runs: test_pages."""

import numpy as np
import pytest
import your_own
from numpy.testing import assert_allclose

from dadao_sim import simulate
from dadao_sim.events.log import ARRIVE_I, ARRIVE_J
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.study import Study

SPOKES = {(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)}
RIM = {(1, 2), (2, 3), (3, 4), (4, 5), (1, 5)}
STRENGTH, TARGET, SLOPE = 0.1, 2.0, 3.0
# f_i is the mean of three squares (t x - 3 t)^2 with t = 1, 19/18, ... in turn over six nodes.
CURVATURES = 2 * ((1 + np.arange(18).reshape(6, 3) / 18) ** 2).mean(axis=1)


@pytest.fixture
def path(tmp_path, own_plugins):
    return your_own.write(tmp_path)


def test_every_example_is_in_the_scenario():
    named = your_own.SCENARIO.split("plugins: [")[1].split("]")[0].split(", ")
    assert named == list(your_own.FILES)
    assert len(named) == 7


@pytest.mark.slow
def test_the_scenario_of_the_page(path):
    result = simulate(path)
    H = CURVATURES.mean()
    x_star = (SLOPE * H + STRENGTH * TARGET) / (H + STRENGTH)
    assert_allclose(result.states["pg_extra", 0]["x"], x_star, rtol=1e-8)

    A = np.zeros((6, 6))
    for i, j in SPOKES | RIM:
        A[i, j] = A[j, i] = 1
    laplacian = np.diag(A.sum(axis=0)) - A
    W = np.eye(6) - laplacian / np.linalg.eigvalsh(laplacian)[-1]
    step = 1 / (10 * CURVATURES.max())
    end = result.curves.query("algorithm == 'my_dgd'").iloc[-1]
    x = np.zeros(6)
    for _ in range(int(end.rounds)):
        v = W @ x - step * CURVATURES * (x - SLOPE)
        x = (v + step * STRENGTH * TARGET) / (1 + step * STRENGTH)
    assert end.rounds > 50
    assert_allclose(result.states["my_dgd", 0]["x"][:, 0], x, rtol=1e-10)
    assert_allclose(end.worst, ((x - x_star) ** 2).max(), rtol=1e-6)


def test_the_problem_of_the_page(path):
    spec = load_scenario(path, ["problem={kind: springs, stiffness: 2}"]).problem
    assert spec == PROBLEMS["springs"](kind="springs", stiffness=2.0)
    made = spec.build(4, np.random.default_rng(0))
    k, centres = np.array([2, 3, 4, 5]), np.arange(4)
    assert_allclose(made.x_star, (k @ centres) / k.sum())
    assert_allclose(made.gradients(np.full((4, 1), 7.0))[:, 0], k * (7.0 - centres))


def test_the_fault_of_the_page(path):
    study = Study(load_scenario(path, ["algorithms=[ad_psgd]", "local_step=null"]))
    log = study.plan(("ad_psgd", 0)).source.first
    ends = np.isin(log.kind, (ARRIVE_I, ARRIVE_J))
    assert ends.any()
    assert_allclose(log.time[ends] - log.time[log.start[ends]], 0.75, rtol=1e-9)
