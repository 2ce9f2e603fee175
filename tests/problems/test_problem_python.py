"""Python objectives agree with the compiled ones; compiled kernels agree with plain Python."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import problem_cases as cases
import pytest

from dadao_sim.errors import InputError
from dadao_sim.problems import Problem


class Mirror:
    """Node i of a problem, as a user might write it; keeps and spoils what it is given."""

    def __init__(self, problem, i):
        self.problem, self.i = problem, i

    def value(self, x):
        return self.problem.value(self.i, x)

    def gradient(self, x):
        result = self.problem.gradient(self.i, x)
        x[:] = np.nan
        return result

    def conjugate_gradient(self, y):
        return self.problem.conjugate_gradient(self.i, y)


@pytest.mark.parametrize("loss", ["ridge", "logistic_l2"])
def test_python_objectives_are_a_problem_like_any_other(loss):
    built_in = cases.problem(loss)
    problem = Problem.from_objectives(
        [Mirror(built_in, i) for i in range(4)], built_in.mu, built_in.L, 3
    )
    assert (problem.nodes, problem.dimension, problem.samples) == (4, 3, None)
    assert problem.has_conjugate
    X = np.random.default_rng(0).standard_normal((4, 3))
    np.testing.assert_array_equal(problem.gradients(X), built_in.gradients(X))
    np.testing.assert_array_equal(problem.gradient(1, X[1]), built_in.gradient(1, X[1]))
    np.testing.assert_array_equal(problem.conjugate_gradients(X), built_in.conjugate_gradients(X))
    assert not np.isnan(X).any()
    np.testing.assert_allclose(problem.x_star, built_in.x_star, rtol=1e-10)
    assert problem.suboptimality(X[0]) == pytest.approx(built_in.suboptimality(X[0]))
    assert problem.suboptimality(problem.x_star) == 0
    moved = problem.relabelled([3, 1, 0, 2])
    np.testing.assert_array_equal(
        moved.gradients(X[[3, 1, 0, 2]]), problem.gradients(X)[[3, 1, 0, 2]]
    )


def test_the_optimum_may_be_given_and_is_checked():
    built_in = cases.problem("ridge")
    objectives = [Mirror(built_in, i) for i in range(4)]
    right = built_in.x_star.copy()
    problem = Problem.from_objectives(objectives, built_in.mu, built_in.L, 3, x_star=right)
    right[:] = np.nan
    np.testing.assert_array_equal(problem.x_star, built_in.x_star)
    for wrong in ([1, 2, 3], built_in.x_star * (1 + 1e-9), np.full(3, np.nan)):
        with pytest.raises(InputError, match=r"^x_star: "):
            Problem.from_objectives(objectives, built_in.mu, built_in.L, 3, x_star=wrong)


@pytest.mark.parametrize("kappa", [1.0, 1e4, 1e8])
def test_an_optimum_that_is_right_to_rounding_is_taken(kappa):
    """Of f_i(x) = sum_k h_k (x_k - c_ik)^2/2 the optimum is the mean of the centres."""
    rng = np.random.default_rng(3)
    curvatures, centres = np.geomspace(1, kappa, 5), 1e3 + rng.standard_normal((4, 5))

    class Bowl:
        def __init__(self, centre):
            self.centre = centre

        def value(self, x):
            return 0.5 * (curvatures * (x - self.centre) ** 2).sum()

        def gradient(self, x):
            return curvatures * x - curvatures * self.centre

    bowls = [Bowl(centre) for centre in centres]
    optimum = centres.mean(axis=0)
    problem = Problem.from_objectives(bowls, 1, kappa, 5, x_star=optimum)
    np.testing.assert_array_equal(problem.x_star, optimum)


SCRIPT = """
import numpy as np
import problem_cases as cases
from dadao_sim import Problem
from dadao_sim.engine import oracles

with np.errstate(over="ignore"):
    for problem in [cases.problem(loss, sizes=(4, 11, 3, 7)) for loss in cases.LOSSES] + [
        cases.problem("ridge", sizes=(1, 2, 2, 1), d=7),
        Problem.averaging(cases.arrays("ridge", (5,) * 4)[0][:, 0]),
    ]:
        X = 3 * np.random.default_rng(0).standard_normal((4, problem.dimension))
        parts = [problem.gradients(X), problem.conjugate_gradients(X), problem.x_star]
        parts.append(np.array([problem.mu, problem.L, problem.value(1, X[1])]))
        parts.append(np.array([problem.suboptimality(x) for x in X]))
        if problem.samples is not None:
            out, marks = np.empty_like(X), np.arange(4, dtype=np.uint64) - np.uint64(2)
            oracles.all_gradients(problem.stochastic_objective(5), X, marks, out)
            parts.append(out)
        print(problem.kind, *[part.tobytes().hex() for part in parts])
"""


@pytest.mark.slow
def test_compiled_and_plain_python_give_the_same_bits():
    here = Path(__file__).parent
    outputs = []
    for disabled in ("0", "1"):
        environment = {
            **os.environ,
            "NUMBA_DISABLE_JIT": disabled,
            "PYTHONPATH": os.pathsep.join([str(here), str(here.parent.parent)]),
        }
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout.splitlines())
    assert len(outputs[0]) == 6
    assert outputs[0] == outputs[1]
