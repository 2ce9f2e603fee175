"""Sets of the LIBSVM page: what libsvmdata makes of a file, without the internet."""

import bz2
import shutil

import numpy as np
import problem_cases as cases
import pytest
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.problems.data.libsvm import Libsvm

RNG = np.random.default_rng(0)
X = np.where(RNG.random((30, 123)) < 0.1, RNG.standard_normal((30, 123)), 0.0)
Y = np.where(RNG.random(30) < 0.5, 1, 2)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Serve ``page/NAME`` as the files of the page, and count how often each is fetched."""
    abstraction = pytest.importorskip("libsvmdata.abstraction")
    from libsvmdata import ALL_DATASETS

    page, kept = tmp_path / "page", tmp_path / "kept"
    page.mkdir()
    kept.mkdir()
    fetched = []

    def download(url, path, **_):
        name = url.rpartition("/")[2]
        fetched.append(name)
        shutil.copy(page / name, path)

    monkeypatch.setattr(abstraction, "download", download)
    for one in ALL_DATASETS.values():
        monkeypatch.setattr(one, "dataset_dir", kept)
    return page, fetched


def samples(name, *, points=False, **options):
    data = Libsvm(kind="libsvm", name=name, **options)
    return data.samples(np.random.default_rng(0), points=points)


@pytest.mark.parametrize("name", ["a1a", "abalone"])
def test_a_set_is_the_file_as_scikit_learn_reads_it_and_is_fetched_once(served, name):
    page, fetched = served
    width = {"a1a": 123, "abalone": 8}[name]
    features = X[:, :width] if name == "a1a" else RNG.standard_normal((30, width))
    dump_svmlight_file(features, Y, str(page / name), zero_based=False)
    wanted, targets = load_svmlight_file(str(page / name), n_features=width)
    for _ in range(2):
        found = samples(name)
        np.testing.assert_array_equal(found.X, wanted.toarray())
        np.testing.assert_array_equal(found.y, targets)
    assert fetched == [name]
    assert samples(name, points=True).y is None


def test_packed_sets_and_labels(served):
    page, _ = served
    dump_svmlight_file(X[:, :54], Y, str(page / "plain"), zero_based=False)
    (page / "covtype.libsvm.binary.bz2").write_bytes(bz2.compress((page / "plain").read_bytes()))
    data = {"kind": "libsvm", "name": "covtype.binary"}
    with pytest.raises(InputError, match=r"found 1, 2; map them with labels: \{positive: 2\}$"):
        build_problem(cases.spec("logistic_l2", data, mu=0.1), 3, np.random.default_rng(0))
    spec = cases.spec("logistic_l2", {**data, "labels": {"positive": 2}}, mu=0.1)
    found = build_problem(spec, 3, np.random.default_rng(0))
    rows = np.column_stack([found.model.A, found.model.b])
    wanted = np.column_stack([X[:, :54], np.where(Y == 2, 1.0, -1.0)])
    np.testing.assert_allclose(sorted(map(tuple, rows)), sorted(map(tuple, wanted)), rtol=1e-15)


def test_what_cannot_be_had_is_said_in_one_line(served, monkeypatch):
    page, _ = served
    with pytest.raises(InputError, match=r"^name: unknown value 'a9b'; did you mean 'a9a'"):
        samples("a9b")
    for name in ("w3a", "w3a_test"):
        with pytest.raises(InputError, match=r"^name: libsvmdata has the file of w1a.* w3"):
            samples(name)
    with pytest.raises(InputError, match=r"^name: a9a cannot be fetched: FileNotFoundError.*by ha"):
        samples("a9a")
    (page / "a9a").write_text("<html>")
    with pytest.raises(InputError, match=r"^name: a9a cannot be fetched: ValueError"):
        samples("a9a")
    monkeypatch.setattr("dadao_sim.memory.free_bytes", lambda: 1e3)
    dump_svmlight_file(X, Y, str(page / "a1a"), zero_based=False)
    with pytest.raises(InputError, match="a1a as a table of 30 samples and 123 features would"):
        samples("a1a")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "libsvmdata", None)
    with pytest.raises(InputError, match=r'^kind: libsvm needs .*"dadao-sim\[libsvm\]"'):
        samples("a9a")


def test_labels_are_for_two_classes():
    data = {"kind": "libsvm", "name": "a9a", "labels": {"positive": 1}}
    said = cases.refusal({"kind": "ridge", "mu": 1.0, "data": data})
    assert said.startswith("data.labels: ridge has no classes")
