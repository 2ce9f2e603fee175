"""What a search judges by is what a run reports, whatever solutions a problem has."""

import numpy as np
import pytest

from dadao_sim import Problem
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.simulation.measures import Errors
from dadao_sim.tuning.batch import Accuracies


class Well:
    """(|x|^2 - 1)^2/4, with two of its minima or none that are known."""

    def value(self, x):
        return float((x @ x - 1) ** 2 / 4)

    def gradient(self, x):
        return (x @ x - 1) * x


TWO = np.array([[1.0, 0.0], [-1.0, 0.0]])
LEVELS = {"quantise": {"kind": "rounding", "levels": [-1, 1]}}
PROBLEMS = {
    "one": Problem.averaging(np.arange(8.0).reshape(4, 2)),
    "two": Problem.from_objectives([Well()] * 4, dimension=2, convex=False, x_star=TWO),
    "none": Problem.from_objectives([Well()] * 4, dimension=2, convex=False),
    "levels": Problem.averaging(np.arange(8.0).reshape(4, 2)).with_local_step(
        build_local_step(LEVELS, 2)
    ),
}


@pytest.mark.parametrize("solutions", PROBLEMS)
def test_the_accuracy_of_a_batch_is_that_of_its_runs(solutions):
    problem, rng = PROBLEMS[solutions], np.random.default_rng(0)
    x0, runs = rng.standard_normal((4, 2)), rng.standard_normal((3, 4, 2)) - 1.0
    runs[2, 1, 0] = np.inf
    one_by_one = [Errors(problem, x0)(X)["accuracy"] for X in runs]
    found = Accuracies(problem, x0)
    np.testing.assert_allclose(found.of(runs), one_by_one, rtol=1e-12)
    np.testing.assert_allclose([found(X)["accuracy"] for X in runs], one_by_one, rtol=1e-12)
