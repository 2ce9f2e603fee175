"""The condition numbers that a problem is said to have, against those of its Hessians."""

import numpy as np
import problem_cases as cases
import pytest

from dadao_sim import simulate
from dadao_sim.local_steps.terms import make
from dadao_sim.problems import Problem, build_problem, conditions
from dadao_sim.problems.conditions import conditions as conditions_of


def data(**options):
    return {"kind": "synthetic", "dim": 4, "samples_per_node": 9, **options}


def slopes(problem, x, step=1e-5):
    """The Hessian of F at x by central differences of its gradient."""

    def mean(point):
        return problem.gradients(np.tile(point, (problem.nodes, 1))).mean(axis=0)

    shifts = step * np.eye(x.size)
    return np.array([(mean(x + shift) - mean(x - shift)) / (2 * step) for shift in shifts])


def sparse():
    from scipy.sparse import csr_array

    A, b = cases.arrays("ridge", sizes=(4, 6, 5))
    return Problem.from_arrays([csr_array(part) for part in A], b, "ridge", mu=cases.MU)


def quadratic():
    rng = np.random.default_rng(0)
    H = rng.standard_normal((4, 3, 3))
    H = H @ H.transpose(0, 2, 1) + np.eye(3)
    return Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, rng.standard_normal((4, 3)))


PROBLEMS = {
    **{loss: lambda loss=loss: cases.problem(loss) for loss in cases.LOSSES},
    "uneven": lambda: cases.problem("ridge", sizes=(4, 9, 6)),
    "sparse": sparse,
    "quadratic": quadratic,
    "averaging": lambda: Problem.averaging(np.arange(6.0).reshape(3, 2)),
    "composite": lambda: cases.problem("logistic_l2").with_local_step(make("l1", 3, strength=0.1)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_both_are_those_of_the_problem(name):
    problem = PROBLEMS[name]()
    found = conditions_of(problem)
    assert found.why == {}
    assert found.nodes == problem.L / problem.mu
    H = problem.hessian(problem.x_star)
    np.testing.assert_allclose(H, slopes(problem, problem.x_star), atol=1e-6 * np.abs(H).max())
    np.testing.assert_allclose(H, H.T, rtol=1e-12)
    assert found.mean == pytest.approx(np.linalg.cond(H), rel=1e-9)


def test_of_aligned_data_they_are_what_was_asked_for():
    spec = cases.spec("ridge", data(condition_number=70.0, hessians="aligned"))
    found = conditions_of(build_problem(spec, 5, np.random.default_rng(1)))
    assert found.nodes == pytest.approx(70, rel=1e-9)
    assert found.mean == pytest.approx(70, rel=1e-9)
    assert found.in_words() == "condition number of the nodes (L/mu) 70, of their mean 70"


class Bowl:
    def value(self, x):
        return float(x @ x / 2)

    def gradient(self, x):
        return x


def test_what_is_not_known_has_a_reason(monkeypatch):
    found = conditions_of(Problem.from_objectives([Bowl()] * 2, 1.0, 1.0, 3))
    assert (found.nodes, found.mean) == (1.0, None)
    assert "the Hessians of kind python are not known" in found.in_words()
    A = np.ones((3, 2, 4)) * np.arange(1.0, 4.0)[:, None, None]
    found = conditions_of(Problem.from_arrays(A, np.ones((3, 2)), "least_squares"))
    assert (found.nodes, found.mean) == (None, None)
    assert "mu = 0" in found.why["nodes"]
    assert found.why["mean"] == "F is not strongly convex at x*"
    monkeypatch.setattr(conditions, "MOST_WORK", 10)
    found = conditions_of(cases.problem("ridge"))
    assert found.why == dict.fromkeys(("nodes", "mean"), "it would take more than seconds")


def test_a_result_has_them_for_each_repeat(tmp_path):
    scenario = {
        "name": "two",
        "repeats": 2,
        "problem": {"kind": "least_squares", "data": data(condition_number=20)},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["dgd", "extra"],
        "stop": {"time": 3},
    }
    found = [
        simulate(scenario, out=tmp_path / str(jobs), jobs=jobs).manifest["problem"]
        for jobs in (1, 2)
    ]
    assert found[0] == found[1]
    numbers = found[0]["conditions"]
    assert list(numbers) == ["0", "1"]
    assert numbers["0"]["nodes"] == pytest.approx(20, rel=1e-9)
    assert numbers["0"]["mean"] != numbers["1"]["mean"] < 20
