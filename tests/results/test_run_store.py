"""Finished runs survive; unfinished ones are never seen; another simulation's are refused."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic import finished_run, result, scenario

from dadao_sim.errors import InputError
from dadao_sim.results.result import Result, load_result
from dadao_sim.results.store import RunStore, fingerprint

IDENTITY = fingerprint(scenario(), "0.1.0")


def test_a_run_comes_back_as_it_was(tmp_path):
    store, run = RunStore(tmp_path / "runs", IDENTITY), finished_run("dadao", 3, label="A/b ∇")
    store.save(run)
    assert store.finished() == [("A/b ∇", 3)]
    loaded = RunStore(tmp_path / "runs", IDENTITY).load(("A/b ∇", 3))
    pd.testing.assert_frame_equal(loaded.curves, run.curves, check_exact=True)
    assert (loaded.row, loaded.timing) == (run.row, run.timing)
    assert list(loaded.states) == list(run.states)
    np.testing.assert_array_equal(loaded.states["x"], run.states["x"])


def test_a_result_of_resumed_runs_is_the_same_bytes(tmp_path):
    runs = [finished_run("dadao", 0), finished_run("dadao", 1, rate=0.2), finished_run("msda", 0)]
    whole = result(*runs)
    store = RunStore(tmp_path / "runs", IDENTITY)
    for run in reversed(runs):
        store.save(run)
    stored = [store.load(key) for key in store.finished()]
    resumed = Result.from_runs(whole.manifest, stored, ["dadao", "msda"])
    whole.save(tmp_path / "whole")
    resumed.save(tmp_path / "resumed")
    store.clear()
    assert not (tmp_path / "runs").exists()
    for path in (tmp_path / "whole").rglob("*.*"):
        twin = tmp_path / "resumed" / path.relative_to(tmp_path / "whole")
        assert path.read_bytes() == twin.read_bytes()
    assert set(load_result(tmp_path / "resumed").states) == set(whole.states)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("fail_at", [0, 1, 2])
def test_an_interrupted_run_is_not_finished(tmp_path, monkeypatch, fail_at, again):
    """Stop at each of the three files of a run: a new one, or one that replaces an older."""
    store, run = RunStore(tmp_path, IDENTITY), finished_run("dadao", 0)
    store.save(finished_run("msda", 0))
    if again:
        store.save(run)
    os_replace, calls = os.replace, []

    def failing(source, target):
        calls.append(target)
        if len(calls) > fail_at:
            raise KeyboardInterrupt
        return os_replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(KeyboardInterrupt):
        store.save(run)
    monkeypatch.undo()
    reopened = RunStore(tmp_path, IDENTITY)
    assert reopened.finished() == [("msda", 0)]
    with pytest.raises(InputError, match="no finished run 'dadao', repeat 0"):
        reopened.load(("dadao", 0))
    reopened.save(run)
    assert reopened.finished() == [("dadao", 0), ("msda", 0)]


def test_an_exception_in_the_middle_of_a_file_leaves_no_run(tmp_path):
    store, run = RunStore(tmp_path, IDENTITY), finished_run("dadao", 0)

    class Broken:
        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("interrupted")

    with pytest.raises(RuntimeError, match="interrupted"):
        store.save(replace(run, states={"x": Broken()}))
    assert store.finished() == []
    assert not list(tmp_path.glob(".*.tmp"))


def test_what_a_killed_process_leaves_is_not_a_run(tmp_path):
    """A temporary file cut short, next to the finished files of the same run."""
    (tmp_path / ".simulation.0.tmp").write_bytes(IDENTITY.encode()[:10])
    store = RunStore(tmp_path, IDENTITY)
    store.save(finished_run("dadao", 0))
    (mark,) = tmp_path.glob("*.json")
    content = mark.read_bytes()
    mark.unlink()
    mark.with_name(f".{mark.name}.0.tmp").write_bytes(content[: len(content) // 2])
    assert RunStore(tmp_path, IDENTITY).finished() == []


@pytest.mark.parametrize(
    "other", [fingerprint(scenario(seed=1), "0.1.0"), fingerprint(scenario(), "0.2.0")]
)
def test_another_simulation_is_refused(tmp_path, other):
    RunStore(tmp_path, IDENTITY).save(finished_run("dadao", 0))
    with pytest.raises(InputError, match="another scenario or of another version") as error:
        RunStore(tmp_path, other)
    assert "\n" not in str(error.value)
    assert RunStore(tmp_path, IDENTITY).finished() == [("dadao", 0)]


def test_the_order_of_keys_and_the_type_of_numbers_do_not_make_another_scenario():
    plain = {"a": 1.5, "b": [1, 2]}
    same = {"b": (1, np.int64(2)), "a": np.float64(1.5)}
    assert fingerprint(plain, "1") == fingerprint(same, "1")
    assert fingerprint(plain, "1") != fingerprint({"a": 1.5, "b": [2, 1]}, "1")


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="other files"):
        RunStore(tmp_path, IDENTITY)


def test_runs_of_labels_with_one_slug_are_two(tmp_path):
    store = RunStore(tmp_path, IDENTITY)
    store.save(finished_run("dadao", 0, label="a b"))
    store.save(finished_run("dadao", 0, label="A-B", rate=0.2))
    assert store.finished() == [("A-B", 0), ("a b", 0)]
    assert store.load(("A-B", 0)).row["reason"] == "rate 0.2, as asked"


def test_a_damaged_run_is_named(tmp_path):
    store = RunStore(tmp_path, IDENTITY)
    store.save(finished_run("dadao", 0))
    (curves,) = tmp_path.glob("*.parquet")
    curves.write_bytes(curves.read_bytes()[:100])
    with pytest.raises(InputError, match=curves.name):
        store.load(("dadao", 0))
