"""Problem.from_dataset: a set given in one piece is split as a scenario would split its file."""

import numpy as np
import pandas as pd
import problem_cases as cases
import pytest
import scipy.sparse
from sklearn.datasets import load_breast_cancer

from dadao_sim import Network, Problem
from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem

RNG = np.random.default_rng(3)
X = RNG.standard_normal((60, 4))
Y = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.standard_normal(60)
KINDS = np.where(Y > 0, "M", "B")
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(whole=np.arange(60) % 7, yes=Y > 1)


def of_file(path, kind, nodes, seed, partition=None, **options):
    section = cases.spec(kind, {"kind": "file", "path": str(path), **options}, mu=0.1)
    if partition is not None:
        section = section.model_copy(update={"partition": cases_partition(partition)})
    return build_problem(section, nodes, np.random.default_rng(seed))


def cases_partition(partition):
    from dadao_sim.problems.data.partition import PARTITIONS

    return PARTITIONS[partition["kind"]].model_validate(partition)


PARTITIONS = [
    {"kind": "iid"},
    {"kind": "sorted"},
    {"kind": "dirichlet", "alpha": 0.3},
    {"kind": "dirichlet", "alpha": 0.3, "sizes": "uneven"},
]


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("seed", [0, 5])
def test_a_frame_is_split_as_a_scenario_splits_its_file(tmp_path, partition, seed):
    frame = FRAME.assign(kind=KINDS)
    frame.astype({"yes": int}).to_csv(tmp_path / "d.csv", index=False)
    found = Problem.from_dataset(
        frame, "kind", 12, partition, loss="logistic_l2", mu=0.1, labels="M", seed=seed
    )
    wanted = of_file(
        tmp_path / "d.csv", "logistic_l2", 12, seed, partition, labels={"positive": "M"}
    )
    np.testing.assert_array_equal(found.model.A, wanted.model.A)
    np.testing.assert_array_equal(found.model.b, wanted.model.b)
    np.testing.assert_array_equal(found.samples, wanted.samples)
    assert found.samples.sum() == 60
    assert len(found.samples) == 12


@pytest.mark.parametrize("kind", ["least_squares", "ridge", "huber_l2"])
def test_every_sample_is_on_one_node_and_x_star_does_not_depend_on_which(kind):
    mu = None if kind == "least_squares" else 0.1
    one = Problem.from_dataset(X, Y, 3, loss=kind, mu=mu, seed=1)
    two = Problem.from_dataset(X, Y, 5, "sorted", loss=kind, mu=mu)
    for problem in (one, two):
        rows = np.column_stack([problem.model.A, problem.model.b])
        assert sorted(map(tuple, rows)) == sorted(map(tuple, np.column_stack([X, Y])))
    np.testing.assert_allclose(one.x_star, two.x_star, atol=1e-10)
    if kind == "least_squares":
        np.testing.assert_allclose(one.x_star, np.linalg.lstsq(X, Y)[0], atol=1e-10)


@pytest.mark.parametrize("make", ["csr_matrix", "coo_array", "csc_array"])
@pytest.mark.parametrize("intercept", [False, True])
def test_sparse_features_are_the_dense_ones(make, intercept):
    thinned = np.where(np.abs(X) > 1, X, 0.0)
    options = {"loss": "ridge", "mu": 0.2, "seed": 4, "intercept": intercept}
    matrix = getattr(scipy.sparse, make)(thinned)
    sparse = Problem.from_dataset(matrix, Y, 6, PARTITIONS[2], **options)
    dense = Problem.from_dataset(thinned, Y, 6, PARTITIONS[2], **options)
    assert type(sparse) is not type(dense)
    points = RNG.standard_normal((6, 4 + intercept))
    np.testing.assert_allclose(sparse.gradients(points), dense.gradients(points), atol=1e-13)
    np.testing.assert_allclose(sparse.x_star, dense.x_star, atol=1e-11)


def test_each_sample_where_it_is():
    """By the numbers of the nodes, and by the names they have in a network."""
    owner = np.arange(60) % 3
    found = Problem.from_dataset(X, Y, 3, owner, loss="ridge", mu=0.1)
    for i in range(3):
        np.testing.assert_array_equal(found.model.A[20 * i : 20 * (i + 1)], X[owner == i])
    sites = Network(3, np.array([[0, 1], [1, 2]]), ids=("Bern", "Basel", "Chur"))
    names = pd.Series(np.array(["Bern", "Basel", "Chur"])[owner])
    by_name = Problem.from_dataset(X, Y, sites, names, loss="ridge", mu=0.1)
    np.testing.assert_array_equal(by_name.model.A, found.model.A)
    np.testing.assert_array_equal(by_name.model.b, found.model.b)


def test_standardised_and_with_intercept_as_scikit_learn_has_them():
    from sklearn.preprocessing import StandardScaler

    raw, y = load_breast_cancer(return_X_y=True, as_frame=True)
    found = Problem.from_dataset(
        raw, y, 4, loss="logistic_l2", mu=0.1, labels=1, standardise=True, intercept=True, seed=2
    )
    wanted = build_problem(
        cases.spec("logistic_l2", {"kind": "breast_cancer"}, mu=0.1), 4, np.random.default_rng(2)
    )
    np.testing.assert_array_equal(found.model.A, wanted.model.A)
    scaled = StandardScaler().fit_transform(raw)
    mine, theirs = (np.array(sorted(map(tuple, part))) for part in (found.model.A[:, :-1], scaled))
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_what_is_given_is_copied():
    given, targets = X.copy(), Y.copy()
    found = Problem.from_dataset(given, targets, 1, np.zeros(60), loss="ridge", mu=0.1)
    given[:], targets[:] = 7.0, 7.0
    np.testing.assert_array_equal(found.model.A, X)
    np.testing.assert_array_equal(found.model.b, Y)


LABELS = {
    "text": (KINDS, "M"),
    "a series": (pd.Series(KINDS), "M"),
    "categories": (pd.Series(KINDS, dtype="category"), {"positive": "M"}),
    "lists": (list(KINDS), {"positive": ["M"], "negative": ["B"]}),
    "0 and 1": ((KINDS == "M").astype(int), 1),
    "truths": (KINDS == "M", True),
    "-1 and 1": (np.where(KINDS == "M", 1, -1), None),
}


@pytest.mark.parametrize("what", LABELS)
def test_labels_of_all_kinds(what):
    y, labels = LABELS[what]
    found = Problem.from_dataset(X, y, 1, np.zeros(60), loss="logistic_l2", mu=1.0, labels=labels)
    assert found.model.b.tolist() == np.where(KINDS == "M", 1.0, -1.0).tolist()


RIDGE = {"loss": "ridge", "mu": 0.1}
LOGISTIC = {"loss": "logistic_l2", "mu": 0.1}
HOLE = FRAME.assign(a=np.where(FRAME.index == 3, np.nan, FRAME["a"]))
TWICE = FRAME.rename(columns={"b": "a"})
REFUSED = {
    "y: targets 'B', 'M' given; -1 and 1 are needed; say labels='M'": (X, KINDS, 4, {**LOGISTIC}),
    "y: targets 0, 1 given; -1 and 1 are needed; say labels=1": (X, (Y > 0) * 1, 4, LOGISTIC),
    "y: targets 0, 1, 2 given; -1 and 1 are needed; say labels={'positive'": (
        *(X, np.arange(60.0) % 3, 4),
        LOGISTIC,
    ),
    "y: targets 'B', 'M' given; numbers are needed": (X, KINDS, 4, RIDGE),
    "labels: ridge has no classes": (X, Y, 4, {**RIDGE, "labels": 1}),
    "labels.positive: no target of y is 'm'": (X, KINDS, 4, {**LOGISTIC, "labels": "m"}),
    "y: no column 'z' in X; it has a, b, c, d, whole, yes": (FRAME, "z", 4, RIDGE),
    "y: no column 7 in X; it has 0, 1, 2, 3": (pd.DataFrame(X), 7, 4, RIDGE),
    "X: it has the column 'a' twice; rename one": (TWICE, Y, 4, RIDGE),
    "X: it has the column 'd' twice; rename one": (
        FRAME.assign(e=Y).set_axis([*"abcd", "whole", "yes", "d"], axis=1),
        "d",
        4,
        RIDGE,
    ),
    "y: shape (60, 2) given; a list of targets": (X, pd.DataFrame(X[:, :2]), 4, RIDGE),
    "y: 'z' given, and X has no columns": (X, "z", 4, RIDGE),
    "X: column 'k' holds": (FRAME.assign(k=KINDS), Y, 4, RIDGE),
    "X: column 'a', sample 3 (from 0) is missing": (HOLE, Y, 4, RIDGE),
    "y: its index is not that of X": (FRAME, pd.Series(Y)[::-1], 4, RIDGE),
    "y: shape (59,) given for 60 samples": (X, Y[:-1], 4, RIDGE),
    "y: shape (60, 1) given": (X, Y[:, None], 4, RIDGE),
    "y: sample 1 (from 0) is missing": (X, pd.Series(["M", None] * 30), 4, LOGISTIC),
    "X and y: sample 2 (from 0) is nan": (X, np.where(np.arange(60) == 2, np.inf, Y), 4, RIDGE),
    "X: shape (60,) given; (samples, features)": (Y, Y, 4, RIDGE),
    "X: text given": (KINDS[:, None], Y, 4, RIDGE),
    "X: a sparse matrix of complex128": (scipy.sparse.csr_array(X * 1j), Y, 4, RIDGE),
    "standardise: a sparse matrix would become dense": (
        *(scipy.sparse.csr_array(X), Y, 4),
        {**RIDGE, "standardise": True},
    ),
    "nodes: 0 given; a whole number": (X, Y, 0, RIDGE),
    "60 samples for 61 nodes": (X, Y, 61, RIDGE),
    "loss: 'rige' is not one of": (X, Y, 4, {**RIDGE, "loss": "rige"}),
    "partition.alpha: is missing": (X, Y, 4, {**RIDGE, "partition": "dirichlet"}),
    "partition.kind: unknown value 'idd'": (X, Y, 4, {**RIDGE, "partition": "idd"}),
    "partition: shape (2,) given for 60 samples": (X, Y, 4, {**RIDGE, "partition": [1, 2]}),
    "partition: 4 given for sample 4": (X, Y, 4, {**RIDGE, "partition": np.arange(60) % 5}),
    "partition: node 3 gets 0 samples": (X, Y, 4, {**RIDGE, "partition": np.arange(60) % 3}),
    "partition: names such as 'M' given for 4 nodes": (X, Y, 4, {**RIDGE, "partition": KINDS}),
    "delta: ridge has no such constant": (X, Y, 4, {**RIDGE, "delta": 1.0}),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_split_is_refused_in_one_line(said):
    features, y, nodes, options = REFUSED[said]
    with pytest.raises(InputError) as caught:
        Problem.from_dataset(features, y, nodes, **options)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_least_squares_gets_as_many_samples_as_features_at_each_node():
    uneven = {"kind": "iid", "sizes": "uneven"}
    found = Problem.from_dataset(X, Y, 10, uneven, loss="least_squares", seed=9)
    assert found.samples.min() >= 4
    assert found.samples.sum() == 60
    with pytest.raises(InputError, match="60 samples for 16 nodes, which need at least 4 each"):
        Problem.from_dataset(X, Y, 16, loss="least_squares")


@pytest.mark.parametrize("name", [2, np.int64(2)])
def test_a_number_is_the_name_of_a_column_where_columns_are_numbered(name):
    frame = pd.DataFrame(np.column_stack([X[:, :2], Y]))
    made = Problem.from_dataset(frame, name, 4, **RIDGE)
    apart = Problem.from_dataset(X[:, :2], Y, 4, **RIDGE)
    np.testing.assert_array_equal(made.x_star, apart.x_star)
