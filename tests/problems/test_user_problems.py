"""A user's own data, partition, loss and problem, registered and asked for by a scenario."""

import math
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
import problem_cases as cases
import pytest
from pydantic import Field

from dadao_sim import Problem
from dadao_sim.compiled.kernel import kernel
from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.problems.data.partition import PARTITIONS, Partition
from dadao_sim.problems.data.source import DATA, DataSource, Samples, SampleSet
from dadao_sim.problems.kinds import losses
from dadao_sim.problems.kinds.kind import PROBLEMS, ProblemKind
from dadao_sim.problems.kinds.linear_kind import WithL2
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.simulate import simulate


@pytest.fixture(autouse=True)
def _own_things(monkeypatch):
    """What a test registers is gone after it."""
    for registry in (DATA, PARTITIONS, PROBLEMS):
        assert list(registry)
        monkeypatch.setattr(registry, "_things", dict(registry._things))


def result_of(problem: dict[str, Any]) -> Any:
    """DADAO on a cycle of four, until it is there."""
    scenario = {
        "name": "own",
        "problem": problem,
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["dadao"],
        "stop": {"time": 2000, "accuracy": 1e-20},
    }
    return simulate(scenario_from_mapping(scenario))


def reached(result: Any) -> np.ndarray:
    (x,) = (blocks["x"] for blocks in result.states.values())
    return x


class Ramp(DataSource):
    """Node i sees the line y = slope t at m times of its own."""

    kind: Literal["ramp"] = Field(description="a line through 0")
    slope: float = Field(description="of the line")
    samples_per_node: Annotated[int, Field(ge=1)] = Field(default=3, description="times")

    def rows(self, wanted, nodes, rng):
        if nodes > 9:
            raise InputError("slope", "is not seen by so many")
        t = 1 + np.arange(nodes * self.samples_per_node, dtype=float).reshape(nodes, -1)
        return t[:, :, None], self.slope * t


def test_data_drawn_at_each_node():
    DATA.register(Ramp)
    result = result_of({"kind": "least_squares", "data": {"kind": "ramp", "slope": 3.0}})
    np.testing.assert_allclose(reached(result), 3.0, rtol=1e-6)
    assert result.manifest["scenario"]["problem"]["data"] == {
        "kind": "ramp",
        "slope": 3.0,
        "samples_per_node": 3,
    }


def test_own_data_is_checked_like_ours():
    DATA.register(Ramp)
    section = {"kind": "least_squares", "data": {"kind": "ramp", "slop": 3.0}}
    assert cases.refusal(section).startswith("data.slop: unknown key; did you mean 'slope'?")
    averaging = {"kind": "averaging", "data": {"kind": "ramp", "slope": 3.0}}
    assert cases.refusal(averaging).startswith("data.kind: averaging needs points")
    spec = cases.spec("ridge", {"kind": "ramp", "slope": 3.0}, mu=0.1)
    with pytest.raises(InputError, match=r"^data\.slope: is not seen by so many$"):
        build_problem(spec, 10, np.random.default_rng(0))


class Primes(SampleSet):
    """The first primes under a constant feature."""

    kind: Literal["primes"] = Field(description="2, 3, 5, 7, ...")

    def read(self, *, points):
        return Samples(np.ones((8, 1)), np.array([2.0, 3, 5, 7, 11, 13, 17, 19]))


class RoundRobin(Partition):
    """Sample k on node k modulo n."""

    kind: Literal["round_robin"] = Field(description="in turn")

    def order(self, targets, sizes, rng):
        return np.arange(targets.size).reshape(-1, sizes.size).T.ravel()


def test_a_data_set_and_a_partition():
    DATA.register(Primes)
    PARTITIONS.register(RoundRobin)
    section = {"kind": "primes"}
    spec = cases.spec("least_squares", section, partition={"kind": "round_robin"})
    problem = build_problem(spec, 4, np.random.default_rng(0))
    assert problem.model.b.tolist() == [2, 11, 3, 13, 5, 17, 7, 19]
    assert problem.x_star == pytest.approx(77 / 8)
    result = result_of(
        {"kind": "least_squares", "data": section, "partition": {"kind": "round_robin"}}
    )
    np.testing.assert_allclose(reached(result), 77 / 8, rtol=1e-6)


class Springs(ProblemKind):
    """Node i pulls at i + 1 with its own stiffness; no data."""

    kind: Literal["springs"] = Field(description="quadratics on a line")
    stiffness: Annotated[float, Field(gt=0)] = Field(default=2.0, description="of node 0")

    def build(self, nodes, rng):
        k = self.stiffness + np.arange(nodes)
        return Problem.quadratic(k[:, None, None], (k * (1 + np.arange(nodes)))[:, None])


def test_a_problem_of_quadratics():
    PROBLEMS.register(Springs)
    k = np.array([2.0, 3.0, 4.0, 5.0])
    result = result_of({"kind": "springs"})
    np.testing.assert_allclose(reached(result), (k @ [1, 2, 3, 4]) / k.sum(), rtol=1e-6)
    refused = cases.refusal({"kind": "springs", "mu": 1.0})
    assert refused.startswith(
        "mu: only bands and huber_l2 and logistic_l2 and ridge can have it, and kind"
    )


class LogCosh:
    """log cosh(x - c) + x^2/2, a Python object."""

    def __init__(self, centre: float):
        self.centre = centre

    def value(self, x):
        return float(np.log(np.cosh(x - self.centre)).sum() + x @ x / 2)

    def gradient(self, x):
        return np.tanh(x - self.centre) + x


class Soft(ProblemKind):
    """Objectives in Python."""

    kind: Literal["soft"] = Field(description="log cosh")

    def build(self, nodes, rng):
        return Problem.from_objectives([LogCosh(c) for c in rng.normal(size=nodes)], 1.0, 2.0, 1)


def test_a_problem_of_python_objects():
    PROBLEMS.register(Soft)
    x = reached(result_of({"kind": "soft"}))
    assert np.ptp(x) < 1e-6
    assert result_of({"kind": "soft"}).curves.equals(result_of({"kind": "soft"}).curves)


class Pseudo(NamedTuple):
    """c^2 (sqrt(1 + (r/c)^2) - 1) of the residual r: Huber's loss without its kink."""

    c: float = 1.0

    @property
    def smoothness(self):
        return 1.0

    @property
    def labels(self):
        return False


@kernel
def pseudo_value(pseudo, z, b):
    return pseudo.c**2 * (math.hypot(1.0, (z - b) / pseudo.c) - 1.0)


@kernel
def pseudo_slope(pseudo, z, b):
    return (z - b) / math.hypot(1.0, (z - b) / pseudo.c)


@kernel
def pseudo_curvature(pseudo, z, b):
    return math.hypot(1.0, (z - b) / pseudo.c) ** -3


@kernel
def pseudo_divergence(pseudo, z, b, h):
    before, after = (z - b) / pseudo.c, (z + h - b) / pseudo.c
    s, inner = math.hypot(1.0, before), 1.0 + before * after
    product = s * math.hypot(1.0, after)
    if inner > 0.0:
        return h * h / (s * (product + inner))
    return pseudo.c**2 * (product - inner) / s


class PseudoL2(WithL2):
    """The smoothed loss and an l2 term."""

    loss: ClassVar[type] = Pseudo

    kind: Literal["pseudo_l2"] = Field(description="the smoothed loss of a.x - b, and an l2 term")
    c: Annotated[float, Field(gt=0)] = Field(default=1.0, description="where it bends")


def test_a_loss(monkeypatch):
    for verb, own in (
        (losses.value, pseudo_value),
        (losses.slope, pseudo_slope),
        (losses.curvature, pseudo_curvature),
        (losses.divergence, pseudo_divergence),
    ):
        monkeypatch.setitem(verb.implementations, Pseudo, own)
    PROBLEMS.register(PseudoL2)
    data = {"kind": "synthetic", "dim": 2, "samples_per_node": 6, "condition_number": 8.0}
    spec = cases.spec("pseudo_l2", data, c=0.5)
    problem = build_problem(spec, 4, np.random.default_rng(1))
    assert problem.L / problem.mu == pytest.approx(8)
    x = np.array([0.3, -0.2])
    for i in range(4):
        by_differences = cases.slope(lambda x, i=i: problem.value(i, x), x)
        np.testing.assert_allclose(problem.gradient(i, x), by_differences, atol=1e-7)
    A, b = problem.model.A[:6], problem.model.b[:6]
    mean = 0.25 * np.mean(np.sqrt(1 + ((A @ x - b) / 0.5) ** 2) - 1)
    assert problem.value(0, x) == pytest.approx(mean + problem.mu / 2 * x @ x)
    again = Problem.from_arrays([A], [b], "pseudo_l2", mu=problem.mu, c=0.5)
    assert again.value(0, x) == pytest.approx(problem.value(0, x))
    result = result_of({"kind": "pseudo_l2", "data": data, "c": 0.5})
    assert np.ptp(reached(result), axis=0).max() < 1e-6
