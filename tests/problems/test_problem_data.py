"""Generated data, data sets, files, partitions, and the problems that are built from them."""

import hashlib
from typing import Any

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.problems.data.partition import PARTITIONS, node_sizes
from dadao_sim.problems.data.source import Wanted
from dadao_sim.problems.data.synthetic import SyntheticData
from dadao_sim.strict import SMALLEST


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- Generated data ----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(cases.LOSSES),
    kappa=st.floats(1.01, 1e5),
    dim=st.integers(1, 9),
    spare=st.integers(-4, 9),
    heterogeneity=st.floats(0, 2).filter(lambda h: h == 0 or h >= SMALLEST),
    hessians=st.sampled_from(["aligned", "random"]),
    seed=st.integers(0, 99),
)
def test_the_condition_number_is_the_one_asked_for(
    kind, kappa, dim, spare, heterogeneity, hessians, seed
):
    if kind in ("least_squares", "ridge"):
        dim = max(dim, 2)  # in dimension 1 theirs is 1
    samples = max(dim + spare, dim if kind == "least_squares" else 1)
    data = {
        "kind": "synthetic",
        "dim": dim,
        "samples_per_node": samples,
        "condition_number": kappa,
        "heterogeneity": heterogeneity,
        "hessians": hessians,
    }
    problem = build_problem(cases.spec(kind, data), 4, rng(seed))
    assert problem.L / problem.mu == pytest.approx(kappa, rel=1e-9)
    assert problem.samples.tolist() == [samples] * 4


@pytest.mark.parametrize("kind", cases.LOSSES)
def test_heterogeneity_moves_the_nodes_apart(kind):
    """Spread of the nodes' own minimisers, relative to that of the noise alone."""

    def spread(heterogeneity: float) -> float:
        data = {
            "kind": "synthetic",
            "dim": 3,
            "samples_per_node": 400,
            "condition_number": 5.0,
            "heterogeneity": heterogeneity,
        }
        problem = build_problem(cases.spec(kind, data), 20, rng(1))
        own = problem.conjugate_gradients(np.zeros((20, 3)))
        return float(np.linalg.norm(own - own.mean(axis=0)) / np.linalg.norm(own))

    alike, between, apart = spread(0.0), spread(0.5), spread(1.0)
    assert alike < 0.1 < between < apart


def test_hessians_turn_with_heterogeneity():
    for heterogeneity, alike in ((0.0, True), (1.0, False)):
        data = {
            "kind": "synthetic",
            "dim": 3,
            "condition_number": 50.0,
            "heterogeneity": heterogeneity,
        }
        H = build_problem(cases.spec("least_squares", data), 3, rng()).objective.H
        assert np.allclose(H, H[0], atol=1e-10) == alike


def synthetic(**options: Any) -> SyntheticData:
    return SyntheticData(kind="synthetic", dim=3, samples_per_node=5, **options)


@pytest.mark.parametrize(
    ("condition_number", "digest"), [(None, "3563c8b652390a35"), (20.0, "1f6b24adab749f83")]
)
def test_random_hessians_are_the_data_of_always(condition_number, digest):
    data = synthetic(condition_number=condition_number, heterogeneity=0.7)
    wanted = Wanted("ridge", spectrum=lambda d, m, kappa: np.geomspace(kappa, 1, min(d, m)))
    A, b = data.rows(wanted, 4, rng())
    found = hashlib.sha256(A.round(9).tobytes() + b.round(9).tobytes()).hexdigest()
    assert found.startswith(digest)  # of the bytes before there was a choice


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["least_squares", "ridge"]),
    kappa=st.floats(1.01, 1e4),
    dim=st.integers(2, 9),
    spare=st.integers(-4, 9),
    heterogeneity=st.floats(0, 2).filter(lambda h: h == 0 or h >= SMALLEST),
    seed=st.integers(0, 99),
)
def test_aligned_hessians_give_their_condition_number_to_f(
    kind, kappa, dim, spare, heterogeneity, seed
):
    samples = max(dim + spare, dim if kind == "least_squares" else 1)
    data = {
        "kind": "synthetic",
        "dim": dim,
        "samples_per_node": samples,
        "condition_number": kappa,
        "heterogeneity": heterogeneity,
        "hessians": "aligned",
    }
    problem = build_problem(cases.spec(kind, data), 4, rng(seed))
    rows = problem.model.A.reshape(4, samples, dim)
    nodes = 2 * rows.transpose(0, 2, 1) @ rows / samples + problem.model.ridge * np.eye(dim)
    spectra = np.linalg.eigvalsh(np.concatenate([nodes, nodes.mean(axis=0)[None]]))
    # Of ridge with fewer samples than dimensions the rest of the spectrum is its l2 term.
    asked = np.maximum(np.geomspace(1, kappa, dim), 1)
    asked[: dim - min(samples, dim)] = 1
    np.testing.assert_allclose(spectra / spectra[:, :1], np.tile(asked, (5, 1)), rtol=1e-9)
    if heterogeneity > 0:
        own = problem.gradients(np.zeros((4, dim)))
        assert np.ptp(own, axis=0).max() > 0


def test_random_hessians_average_out():
    data = {"kind": "synthetic", "dim": 5, "samples_per_node": 20, "condition_number": 1000.0}
    conditions = {}
    for hessians in ("aligned", "random"):
        spec = cases.spec("least_squares", {**data, "hessians": hessians})
        H = build_problem(spec, 10, rng(3)).objective.H
        conditions[hessians] = np.linalg.cond(H.mean(axis=0))
    assert conditions["aligned"] == pytest.approx(1000, rel=1e-9)
    assert conditions["random"] < 10


def test_the_nodes_drawn_do_not_depend_on_how_many_are_drawn_together(monkeypatch):
    data = {"kind": "synthetic", "dim": 2, "condition_number": 4.0}
    whole = build_problem(cases.spec("least_squares", data), 7, rng())
    again = build_problem(cases.spec("least_squares", data), 7, rng())
    assert whole.objective.H.tobytes() == again.objective.H.tobytes()
    monkeypatch.setattr("dadao_sim.problems.kinds.spectra.NODES_AT_ONCE", 3)
    assert (again.mu, again.L) == (whole.mu, whole.L)


def test_averaging_centres():
    alike = build_problem(
        cases.spec("averaging", {"kind": "synthetic", "dim": 4, "heterogeneity": 0.0}), 6, rng()
    )
    apart = build_problem(cases.spec("averaging", {"kind": "synthetic", "dim": 4}), 6, rng())
    assert np.ptp(alike.centres, axis=0).max() == 0 < np.ptp(apart.centres, axis=0).min()


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
def test_authors_tasks_differ_from_node_to_node(kind):
    data = {"kind": "authors", "dim": 3, "samples_per_node": 30}
    fields = {} if kind == "least_squares" else {"mu": 1.0}
    problem = build_problem(cases.spec(kind, data, **fields), 4, rng())
    own = problem.conjugate_gradients(np.zeros((4, 3)))
    assert len(np.unique(own.round(6), axis=0)) == 4
    assert set(np.unique(problem.model.b)) == {-1, 1} or kind == "least_squares"


# --- Data sets and files -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "samples", "dim"),
    [
        ("logistic_l2", "breast_cancer", 569, 31),
        ("logistic_l2", "digits", 1797, 65),
        ("ridge", "diabetes", 442, 11),
        ("huber_l2", "diabetes", 442, 11),
    ],
)
def test_data_sets_that_come_with_scikit_learn(kind, name, samples, dim):
    problem = build_problem(cases.spec(kind, {"kind": name}, mu=0.1), 8, rng())
    assert (problem.samples.sum(), problem.dimension) == (samples, dim)
    features = problem.model.A[:, :-1]
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    deviation = features.std(axis=0)
    assert np.all(np.isclose(deviation, 1) | (deviation == 0))
    np.testing.assert_array_equal(problem.model.A[:, -1], 1)
    other = cases.spec(
        kind, {"kind": name}, mu=0.1, partition={"kind": "sorted", "sizes": "uneven"}
    )
    np.testing.assert_allclose(build_problem(other, 5, rng()).x_star, problem.x_star, atol=1e-9)


def test_limit_and_raw_features():
    data = {"kind": "breast_cancer", "limit": 100, "standardise": False, "intercept": False}
    problem = build_problem(cases.spec("logistic_l2", data, mu=0.1), 4, rng())
    from sklearn.datasets import load_breast_cancer

    X, _ = load_breast_cancer(return_X_y=True)
    assert problem.model.A.shape == (100, 30)
    assert {row.tobytes() for row in problem.model.A} <= {row.tobytes() for row in X}


def table() -> tuple[Any, Any]:
    X = rng(4).standard_normal((12, 3)).round(3)
    return X, np.where(X[:, 0] > 0, 1.0, -1.0)


def written(tmp_path: Any, format: str) -> str:
    X, y = table()
    path = tmp_path / {"svmlight": "data.svm", "npz": "data.npz", "csv": "data.csv"}[format]
    if format == "svmlight":
        lines = [
            f"{int(t)} " + " ".join(f"{j + 1}:{v}" for j, v in enumerate(row))
            for row, t in zip(X, y, strict=True)
        ]
        path.write_text("\n".join(lines) + "\n")
    elif format == "npz":
        np.savez(path, A=X, b=y)
    else:
        lines = ["first,second,third,label"]
        lines += [",".join(map(str, [*row, t])) for row, t in zip(X, y, strict=True)]
        path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize("format", ["svmlight", "npz", "csv"])
@pytest.mark.parametrize("named", [False, True])
def test_files(tmp_path, format, named):
    X, y = table()
    data = {"kind": "file", "path": written(tmp_path, format)}
    data["format"] = format if named else "auto"
    problem = build_problem(cases.spec("logistic_l2", data, mu=0.2), 3, rng())
    found = np.column_stack([problem.model.A, problem.model.b])
    expected = np.column_stack([X, y])
    np.testing.assert_array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])


def test_target_of_a_csv_by_name(tmp_path):
    X, _ = table()
    data = {"kind": "file", "path": written(tmp_path, "csv"), "target": "second"}
    problem = build_problem(cases.spec("ridge", data, mu=0.2), 3, rng())
    np.testing.assert_array_equal(np.sort(problem.model.b), np.sort(X[:, 1]))
    assert problem.dimension == 3


def test_averaging_of_the_rows_of_a_file(tmp_path):
    X, _ = table()
    for format in ("npz", "csv"):
        data = {"kind": "file", "path": written(tmp_path, format)}
        if format == "csv":
            data["target"] = "label"
        problem = build_problem(cases.spec("averaging", data), 12, rng())
        np.testing.assert_array_equal(problem.centres, X)
    with pytest.raises(InputError, match="12 points for 5 nodes"):
        build_problem(cases.spec("averaging", data), 5, rng())


# --- Partitions --------------------------------------------------------------------------------


def partition(kind: str, alpha: float | None = None, **options: Any) -> Any:
    given = options if alpha is None else {"alpha": alpha, **options}
    return PARTITIONS[kind].model_validate({"kind": kind, **given})


@settings(max_examples=80, deadline=None)
@given(
    samples=st.integers(10, 200),
    nodes=st.integers(1, 10),
    kind=st.sampled_from(["iid", "sorted", "dirichlet"]),
    sizes=st.sampled_from(["equal", "uneven"]),
    alpha=st.sampled_from([1e-4, 0.1, 1.0, 100.0]),
    labels=st.sampled_from(["two", "ten", "real"]),
    seed=st.integers(0, 9),
)
def test_every_sample_is_on_one_node(samples, nodes, kind, sizes, alpha, labels, seed):
    targets = {
        "two": rng(seed).choice([-1.0, 1.0], samples),
        "ten": rng(seed).integers(0, 10, samples).astype(float),
        "real": rng(seed).standard_normal(samples),
    }[labels]
    minimum = samples // (2 * nodes) or 1
    chosen = partition(kind, alpha if kind == "dirichlet" else None, sizes=sizes)
    parts = chosen.split(targets, nodes, rng(seed), minimum=minimum)
    assert len(parts) == nodes
    assert min(part.size for part in parts) >= minimum
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(samples))
    if sizes == "equal":
        assert np.ptp([part.size for part in parts]) <= 1
    again = chosen.split(targets, nodes, rng(seed), minimum=minimum)
    assert all(np.array_equal(p, q) for p, q in zip(parts, again, strict=True))


def imbalance(kind: str, alpha: float | None = None) -> float:
    """Mean over the nodes of how far their share of the ones is from a half."""
    targets = np.repeat([-1.0, 1.0], 500)
    parts = partition(kind, alpha).split(targets, 20, rng())
    return float(np.mean([abs(targets[part].mean()) / 2 for part in parts]))


def test_how_far_apart_partitions_set_the_nodes():
    assert imbalance("sorted") == 0.5
    concentrated, spread = imbalance("dirichlet", 0.05), imbalance("dirichlet", 1000.0)
    assert concentrated > 0.35 > 0.1 > spread
    # A Dirichlet(a/2, a/2) has a mean distance of 1/4 from a half at a = 2: it is uniform.
    assert imbalance("dirichlet", 2.0) == pytest.approx(0.25, abs=0.08)
    assert imbalance("iid") < 0.1


def test_uneven_sizes_are_uneven():
    counts = node_sizes(1000, 10, rng(), uneven=True, minimum=20)
    assert counts.sum() == 1000
    assert counts.min() >= 20
    assert counts.max() > 2 * counts.min()


def test_the_split_does_not_change_the_data():
    def rows(part: dict[str, str]) -> Any:
        data = {"kind": "breast_cancer", "limit": 60}
        problem = build_problem(cases.spec("logistic_l2", data, mu=0.1, partition=part), 4, rng())
        return np.sort(problem.model.A, axis=0)

    np.testing.assert_array_equal(
        rows({"kind": "sorted"}), rows({"kind": "iid", "sizes": "uneven"})
    )
