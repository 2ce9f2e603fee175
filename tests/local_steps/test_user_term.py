"""A term of a user's: declared in one file, found by make, scenarios and the commands."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import TERMS, make
from dadao_sim.scenario.reading import scenario_from_mapping, schema
from dadao_sim.simulation.parts import build_parts

PULL = '''
from typing import Literal, NamedTuple

from pydantic import Field

from dadao_sim.compiled.kernel import kernel
from dadao_sim.engine import operators
from dadao_sim.local_steps import LocalStep
from dadao_sim.local_steps.terms.term import Strength, Term


class PullOperator(NamedTuple):
    strength: float
    target: float


@kernel
def pull_prox(r, step, v, out):
    weight = step * r.strength
    for k in range(v.shape[0]):
        out[k] = (v[k] + weight * r.target) / (1.0 + weight)


@kernel
def pull_value(r, x):
    total = 0.0
    for k in range(x.shape[0]):
        total += (x[k] - r.target) ** 2
    return 0.5 * r.strength * total


operators.prox.register(PullOperator, pull_prox)
operators.value.register(PullOperator, pull_value)


class Pull(Term):
    """(strength/2) ||x - target 1||^2."""

    kind: Literal["pull"] = Field(description="a spring to one point")
    strength: Strength
    target: float = Field(description="every coordinate of the point")

    def local_step(self, dimension):
        operator = PullOperator(self.strength, self.target)
        return LocalStep(self.kind, operator, dimension, convex=True)
'''
SCENARIO = {
    "name": "pull",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 9, "condition_number": 4},
    },
    "local_step": {"prox": {"kind": "pull", "strength": 0.7, "target": 2}},
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": ["pg_extra"],
    "stop": {"time": 2000, "accuracy": 1e-18},
}
RUN = f"""
import json, sys

import pull
from dadao_sim.local_steps.terms import TERMS
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.simulate import simulate

TERMS.register(pull.Pull)
scenario = scenario_from_mapping({SCENARIO})
result = simulate(scenario)
problem = build_parts(scenario, 0).problem
json.dump({{"status": result.runs["status"].tolist(), "x": problem.x_star.tolist()}}, sys.stdout)
"""


@pytest.fixture
def pull(tmp_path):
    file = tmp_path / "pull.py"
    file.write_text(PULL)
    spec = importlib.util.spec_from_file_location("pull", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["pull"] = module
    spec.loader.exec_module(module)
    assert TERMS.collect(module) == ["pull"]
    yield module
    del TERMS._things["pull"], sys.modules["pull"]


@numba.njit
def in_the_engine(operator, step, v, out):
    operators.prox(operator, step, v, out)
    return operators.value(operator, v)


def test_it_is_made_by_name_and_the_same_compiled_or_not(pull):
    rng = np.random.default_rng(0)
    local_step = make("pull", 5, strength=0.7, target=2)
    for v in rng.standard_normal((20, 5)):
        step, plain, compiled = float(rng.uniform(0.1, 5)), np.empty(5), np.empty(5)
        p = local_step.prox(v, step)
        np.testing.assert_allclose(p, (v + 0.7 * step * 2) / (1 + 0.7 * step), rtol=1e-14)
        pull.pull_prox.py_func(local_step.operator, step, v, plain)
        value = in_the_engine(local_step.operator, step, v, compiled)
        assert plain.tobytes() == compiled.tobytes() == p.tobytes()
        assert value == local_step.value(v) == pull.pull_value.py_func(local_step.operator, v)
        assert value == pytest.approx(0.35 * ((v - 2) ** 2).sum(), rel=1e-14)
    with pytest.raises(InputError, match=r"^targt: unknown key; did you mean 'target'\?"):
        make("pull", 5, strength=0.7, targt=2)


@pytest.mark.usefixtures("pull")
def test_a_scenario_with_it_runs_to_the_optimum(dadao_sim, tmp_path):
    scenario = scenario_from_mapping(SCENARIO)
    assert scenario_from_mapping(scenario.to_mapping()) == scenario
    assert "'const': 'pull'" in str(schema())
    code, out, _ = dadao_sim("list")
    assert (code, "pull" in out) == (0, True)

    # Apart and not compiled: the kernels kept on disk are to know nothing of this file.
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": paths}
    run = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["status"] == ["converged"]
    problem = build_parts(scenario_from_mapping({**SCENARIO, "local_step": None}), 0).problem
    g = problem.gradients(np.zeros((4, 3))).mean(axis=0)
    H = np.array([problem.gradients(np.tile(e, (4, 1))).mean(axis=0) - g for e in np.eye(3)])
    optimum = np.linalg.solve(H + 0.7 * np.eye(3), 0.7 * 2 * np.ones(3) - g)
    np.testing.assert_allclose(found["x"], optimum, atol=1e-9)


def test_it_is_gone_when_it_is_removed():
    with pytest.raises(InputError, match="unknown value 'pull'"):
        make("pull", 5, strength=0.7, target=2)
