"""What cannot be used is refused in one line that names the place."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import problem_cases as cases
import pytest

from dadao_sim.errors import InputError
from dadao_sim.problems import Problem, build_problem
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.parts import build_parts


def broken(loss: str = "ridge", **changes: Any) -> Any:
    """A problem of ragged arrays with one thing wrong."""
    A, b = cases.arrays(loss, (4, 6, 5))
    options: dict[str, Any] = {"mu": 0.1}
    if "A" in changes:
        node, row, value = changes.pop("A")
        A[node][row, 1] = value
    if "b" in changes:
        node, row, value = changes.pop("b")
        b[node][row] = value
    options.update(changes)
    return lambda: Problem.from_arrays(A, b, loss, **options)


ARRAYS = {
    "data of node 1, row 2: nan": broken(A=(1, 2, np.nan)),
    "data of node 2, row 4: nan or inf": broken(b=(2, 4, np.inf)),
    "node 0, row 3: logistic_l2 needs labels": broken("logistic_l2", b=(0, 3, 0.0)),
    "mu: 0 given": broken(mu=0),
    "mu: -1 given": broken(mu=-1),
    "mu: nan given": broken(mu=float("nan")),
    "mu: ridge needs the strength": broken(mu=None),
    "mu: 3 given, above L = 2": broken(mu=3, L=2),
    "delta: 0 given": broken("huber_l2", delta=0),
    "delta: ridge has no such constant": broken(delta=1),
    "loss: 'squared' is not one of huber_l2, least": lambda: Problem.from_arrays([], [], "squared"),
    "weighting: 'even' is not one of samples": broken(weighting="even"),
    "no nodes": lambda: Problem.from_arrays([], [], "ridge", mu=1),
    "A has 2 nodes and b has 3": lambda: Problem.from_arrays(
        np.ones((2, 3, 1)), np.ones((3, 3)), "ridge", mu=1
    ),
    "b has shape (2, 4); (2, 3) is needed": lambda: Problem.from_arrays(
        np.ones((2, 3, 1)), np.ones((2, 4)), "ridge", mu=1
    ),
    "data of node 1: A has shape (3, 2)": lambda: Problem.from_arrays(
        [np.ones((3, 1)), np.ones((3, 2))], [np.ones(3)] * 2, "ridge", mu=1
    ),
    "data of node 0: A has shape (3, 1) and b (2,)": lambda: Problem.from_arrays(
        [np.ones((3, 1))], [np.ones(2)], "ridge", mu=1
    ),
    "data of node 1: 2 samples in dimension 3 make mu = 0; use kind ridge": lambda: (
        Problem.from_arrays(*cases.arrays("least_squares", (5, 2, 2)), "least_squares").mu
    ),
    "centres: shape (3,)": lambda: Problem.averaging(np.ones(3)),
    "centres: nan or infinite at node 1": lambda: Problem.averaging([[1.0], [np.nan]]),
}


@pytest.mark.parametrize("message", ARRAYS)
def test_arrays(message):
    with pytest.raises(InputError) as error:
        ARRAYS[message]()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def synthetic(**options: Any) -> dict[str, Any]:
    return {"kind": "synthetic", "dim": 4, "condition_number": 10.0, **options}


SECTIONS: dict[str, dict[str, Any]] = {
    "kind: unknown value 'lasso' (known: averaging,": {"kind": "lasso", "data": synthetic()},
    "data.condition_number: must be at least 1, got 0.5": {
        "kind": "least_squares",
        "data": synthetic(condition_number=0.5),
    },
    "partition: synthetic data are drawn at each node": {
        "kind": "ridge",
        "data": synthetic(samples_per_node=3),
        "partition": {"kind": "iid"},
    },
    "data.kind: unknown value 'xyzzy' (known: authors,": {
        "kind": "ridge",
        "mu": 1.0,
        "data": {"kind": "xyzzy"},
    },
    "data.kind: logistic_l2 needs two classes, diabetes has real": {
        "kind": "logistic_l2",
        "mu": 1.0,
        "data": {"kind": "diabetes"},
    },
    **{
        message: {"kind": "ridge", "mu": 1.0, "data": {"kind": "diabetes"}, "partition": partition}
        for message, partition in {
            "partition.alpha: is missing": {"kind": "dirichlet"},
            "partition.alpha: only dirichlet can have it, and kind is sorted": {
                "kind": "sorted",
                "alpha": 1.0,
            },
            "partition.kind: unknown value 'stripes'": {"kind": "stripes"},
            "partition.sizes: unknown value 'odd'": {"kind": "iid", "sizes": "odd"},
            "partition.size: unknown key; did you mean 'sizes'?": {"kind": "iid", "size": "odd"},
        }.items()
    },
    "mu: is missing: huber_l2 needs its l2": {"kind": "huber_l2", "data": {"kind": "diabetes"}},
    "delta: only huber_l2 can have it, and kind is ridge": {
        "kind": "ridge",
        "delta": 2.0,
        "mu": 1.0,
        "data": {"kind": "diabetes"},
    },
    "mu: averaging has no l2 term": {"kind": "averaging", "mu": 1.0, "data": synthetic()},
    "weighting: only huber_l2 and least_squares and": {
        "kind": "averaging",
        "weighting": "uniform",
        "data": {"kind": "synthetic", "dim": 2},
    },
    "data.format: unknown value 'xls' (known: auto, csv, tsv, npz, parquet, svmlight)": {
        "kind": "ridge",
        "mu": 1.0,
        "data": {"kind": "file", "path": "a.csv", "format": "xls"},
    },
    "data.hessians: aligned ones have a spectrum to share; add condition_number": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 4, "samples_per_node": 5, "hessians": "aligned"},
    },
    "data.hessians: those of averaging are the identity; leave it out": {
        "kind": "averaging",
        "data": {"kind": "synthetic", "dim": 4, "hessians": "aligned"},
    },
}


@pytest.mark.parametrize("message", SECTIONS)
def test_sections_of_a_scenario(message):
    assert cases.refusal(SECTIONS[message]).startswith(message)


DRAWN: dict[str, Any] = {
    "data.condition_number: 1.0 given; ridge needs it > 1": cases.spec(
        "ridge", synthetic(condition_number=1.0)
    ),
    "data.condition_number: 10.0 in dimension 1, where it is 1": cases.spec(
        "least_squares", synthetic(dim=1)
    ),
    "data.condition_number: 12.0 in dimension 1, where it is 1": cases.spec(
        "ridge", synthetic(dim=1, condition_number=12.0)
    ),
    "data.samples_per_node: 3 samples in dimension 4": cases.spec(
        "least_squares", synthetic(samples_per_node=3)
    ),
    "data: 20 samples for 30 nodes, which need at least 1": cases.spec(
        "ridge", {"kind": "diabetes", "limit": 20}, mu=1.0
    ),
    "data: 300 samples for 30 nodes, which need at least 11 each; at most 27": cases.spec(
        "least_squares", {"kind": "diabetes", "limit": 300}
    ),
}


@pytest.mark.parametrize("message", DRAWN)
def test_what_is_seen_when_samples_are_drawn(message):
    with pytest.raises(InputError) as error:
        build_problem(DRAWN[message], 30, np.random.default_rng(0))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_scenario_hears_where_in_it_the_error_lies():
    problem = {"kind": "ridge", "mu": 1.0, "data": {"kind": "diabetes", "limit": 20}}
    scenario = scenario_from_mapping(
        {
            "name": "few",
            "problem": problem,
            "network": {"graph": "cycle", "nodes": 30},
            "algorithms": ["dadao"],
            "stop": {"time": 1},
        }
    )
    with pytest.raises(InputError, match=r"^problem\.data: 20 samples for 30 nodes"):
        build_parts(scenario, 0)


FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "data.path: no file missing.csv": ("missing.csv", "", {}),
    "a.npz is no npz file": ("a.npz", "not an archive", {}),
    "line 1 of a.svm is no line": ("a.svm", "one two three\n", {}),
    "data.target: svmlight files name no": ("a.svm", "1 1:2\n", {"target": "y"}),
    "data.target: no column 'z' in a.csv; it has x, y": (
        "a.csv",
        "x,y\n1,2\n",
        {"target": "z"},
    ),
    "column 'x', line 2 of a.csv is 'red', no number": ("a.csv", "x,y\nred,2\n", {}),
    "a.csv holds targets and no features": ("a.csv", "y\n2\n", {}),
    "column 'x', line 3 of a.csv is empty": ("a.csv", "x,y\n1,2\n,3\n", {}),
}


@pytest.mark.parametrize("message", FILES)
def test_files(tmp_path, message):
    name, content, options = FILES[message]
    if content:
        (tmp_path / name).write_text(content)
    spec = cases.spec("ridge", {"kind": "file", "path": str(tmp_path / name), **options}, mu=1.0)
    with pytest.raises(InputError) as error:
        build_problem(spec, 1, np.random.default_rng(0))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_of_a_file_are_not_mapped(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")
    spec = cases.spec("logistic_l2", {"kind": "file", "path": str(tmp_path / "a.csv")}, mu=1.0)
    with pytest.raises(InputError, match="labels -1 and 1; found 0, 1"):
        build_problem(spec, 1, np.random.default_rng(0))


def test_archives_without_the_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.ones((3, 2)))
    spec = cases.spec("ridge", {"kind": "file", "path": str(tmp_path / "a.npz")}, mu=1.0)
    with pytest.raises(InputError, match=r"a\.npz holds features; an array named A or X is needed"):
        build_problem(spec, 1, np.random.default_rng(0))


def test_points_of_the_wrong_size_and_nodes_that_do_not_exist():
    problem = cases.problem("ridge")
    for call in (problem.gradient, problem.conjugate_gradient, problem.value):
        with pytest.raises(InputError, match=r"shape \(2,\) was given; \(3,\)"):
            call(0, [1.0, 2.0])
        with pytest.raises(InputError, match="node: 4 given"):
            call(4, [1.0, 2.0, 3.0])
    with pytest.raises(InputError, match=r"\(4, 3\)"):
        problem.gradients(np.zeros((3, 3)))


class Half:
    """A Python objective, ||x||^2/2."""

    def value(self, x):
        return x @ x / 2

    def gradient(self, x):
        return x


OBJECTIVES: dict[str, Any] = {
    "objectives: node 1 has no method value(x)": lambda: Problem.from_objectives(
        [Half(), SimpleNamespace(gradient=lambda x: x)], 1, 1, 2
    ),
    "objectives: gradient of node 0: has shape (1,)": lambda: Problem.from_objectives(
        [SimpleNamespace(value=Half().value, gradient=lambda x: x[:1])], 1, 1, 2
    ),
    "mu: 2.0 given, above L = 1.0": lambda: Problem.from_objectives([Half()], 2, 1, 2),
    "objectives: none given; at least one node": lambda: Problem.from_objectives([], 1, 1, 2),
    "dual methods need conjugate_gradient": lambda: Problem.from_objectives(
        [Half()], 1, 1, 2
    ).with_conjugate(),
    "L: 0.1 given for node 0, whose gradients change 1 times": lambda: Problem.from_objectives(
        [Shifted(3.0)], 0.1, 0.1, 2
    ),
    "x_star: not found to 1e-12 with mu = 0.1, L = 0.1": lambda: (
        Problem.from_objectives([SteepFarAway()], 0.1, 0.1, 2).x_star
    ),
}


class SteepFarAway:
    """Slope 0.1 up to 50, 5 beyond: the points that are tried are near 0."""

    def value(self, x):
        return float((0.05 * x**2 - 10 * x + 2.45 * np.maximum(x - 50, 0) ** 2).sum())

    def gradient(self, x):
        return 0.1 * x - 10 + 4.9 * np.maximum(x - 50, 0)


class Shifted(Half):
    def __init__(self, centre):
        self.centre = centre

    def value(self, x):
        return super().value(x - self.centre)

    def gradient(self, x):
        return x - self.centre

    def conjugate_gradient(self, y):
        return y + self.centre


@pytest.mark.parametrize("message", OBJECTIVES)
def test_python_objectives(message):
    with pytest.raises(InputError) as error:
        OBJECTIVES[message]()
    assert message in str(error.value)
