"""A result comes back as it was saved, from the same bytes, or says in one line why it cannot."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.results.columns import CURVE_COLUMNS, RUN_COLUMNS
from dadao_sim.results.folder import NEW
from dadao_sim.results.result import Result, load_result
from dadao_sim.results.summary import summary_csv


@pytest.fixture
def two_methods() -> Result:
    return result(
        finished_run("dadao", 0, rate=0.11),
        finished_run("dadao", 1, rate=0.13),
        finished_run("msda", 0, label="NA", rate=-0.1, experimental=True),
        finished_run("my_method", 0, label='Mine, "100 %"\nof it'),
    )


def files_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


# ---- save and load --------------------------------------------------------------------------


def test_a_result_comes_back_as_it_was(tmp_path, two_methods):
    two_methods.save(tmp_path / "r")
    loaded = load_result(tmp_path / "r")
    pd.testing.assert_frame_equal(loaded.curves, two_methods.curves, check_exact=True)
    pd.testing.assert_frame_equal(loaded.runs, two_methods.runs, check_exact=True)
    pd.testing.assert_frame_equal(loaded.summary, two_methods.summary, check_exact=True)
    assert loaded.manifest == two_methods.manifest
    assert loaded.timing == two_methods.timing
    assert loaded.states.keys() == two_methods.states.keys()
    for key, state in two_methods.states.items():
        assert list(loaded.states[key]) == list(state)
        for name, block in state.items():
            np.testing.assert_array_equal(loaded.states[key][name], block)


def test_columns_are_those_of_the_interface(two_methods):
    assert tuple(two_methods.curves.columns) == CURVE_COLUMNS
    assert tuple(two_methods.runs.columns) == RUN_COLUMNS
    assert two_methods.methods == {
        "dadao": "dadao",
        "NA": "msda",
        'Mine, "100 %"\nof it': "my_method",
    }


def test_runs_are_put_in_the_order_of_the_scenario():
    runs = [
        finished_run("dadao", k, label=label, samples=5) for label in ("a", "b") for k in (10, 2, 0)
    ]
    joined = Result.from_runs({}, runs, ["b", "a"])
    keys = list(zip(joined.runs["algorithm"], joined.runs["repeat"], strict=True))
    assert keys == [("b", 0), ("b", 2), ("b", 10), ("a", 0), ("a", 2), ("a", 10)]
    order = joined.curves[["algorithm", "repeat"]].drop_duplicates().to_numpy().tolist()
    assert [tuple(key) for key in order] == keys


def test_saving_twice_gives_the_same_bytes_also_in_another_process(tmp_path, two_methods):
    two_methods.save(tmp_path / "here")
    load_result(tmp_path / "here").save(tmp_path / "again")
    assert files_of(tmp_path / "here") == files_of(tmp_path / "again")
    code = (
        "from synthetic import finished_run, result, scenario\n"
        "result(finished_run('dadao', 0, rate=0.11), finished_run('dadao', 1, rate=0.13),"
        " finished_run('msda', 0, label='NA', rate=-0.1, experimental=True),"
        " finished_run('my_method', 0, label='Mine, \"100 %\"\\nof it')).save('there')"
    )
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")


def test_a_result_can_be_saved_over_the_one_it_was_loaded_from(tmp_path, two_methods):
    two_methods.save(tmp_path)
    before = files_of(tmp_path)
    load_result(tmp_path).save(tmp_path)
    assert files_of(tmp_path) == before


def test_a_new_result_leaves_nothing_of_the_old_one(tmp_path, two_methods):
    other = result(finished_run("msda"))
    other.save(tmp_path / "alone")
    two_methods.save(tmp_path / "over")
    other.save(tmp_path / "over")
    assert files_of(tmp_path / "over") == files_of(tmp_path / "alone")


def test_labels_with_one_slug_keep_their_own_states(tmp_path):
    both = result(finished_run("dadao", label="A b"), finished_run("dadao", label="a-B"))
    both.states["a-B", 0] = {"x": np.full((4, 3), 9.0)}
    both.save(tmp_path)
    assert sorted(p.name for p in (tmp_path / "final_states").iterdir()) == [
        "a-b-2-r0.npz",
        "a-b-r0.npz",
    ]
    assert (load_result(tmp_path).states["a-B", 0]["x"] == 9.0).all()
    assert (load_result(tmp_path).states["A b", 0]["x"] != 9.0).all()


def test_saved_summary_is_that_of_the_result(tmp_path, two_methods):
    two_methods.save(tmp_path)
    assert (tmp_path / "summary.csv").read_bytes() == summary_csv(two_methods.summary)
    assert r"\toprule" in (tmp_path / "summary.tex").read_text()


def test_a_run_without_state_is_kept(tmp_path):
    both = result(finished_run("dadao"), finished_run("msda"))
    del both.states["msda", 0]
    both.save(tmp_path)
    loaded = load_result(tmp_path)
    assert loaded.runs["algorithm"].tolist() == ["dadao", "msda"]
    assert set(loaded.states) == {("dadao", 0)}


def test_a_result_interrupted_before_its_first_run_can_be_saved(tmp_path):
    manifest = {**result(finished_run("dadao")).manifest, "runs": [], "interrupted": True}
    Result.from_runs(manifest, [], ["dadao"]).save(tmp_path)
    loaded = load_result(tmp_path)
    assert len(loaded.runs) == len(loaded.curves) == len(loaded.summary) == 0
    assert tuple(loaded.curves.columns) == CURVE_COLUMNS
    assert "No run has finished" in (tmp_path / "summary.tex").read_text()


# ---- what is not a result -------------------------------------------------------------------


def one_line(error: pytest.ExceptionInfo[InputError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError) as error:
        load_result(tmp_path / "nowhere")
    assert "there is no folder" in one_line(error)


def test_another_folder_is_not_a_result(tmp_path):
    (tmp_path / "scenario.yaml").write_text("name: x")
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert "not a finished result" in one_line(error)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"final_states": 3}', '{"final_states": [{"algorithm": "a"}]}']
)
def test_another_manifest_is_not_one_of_a_result(tmp_path, two_methods, text):
    two_methods.save(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert "manifest.json" in one_line(error)


NAMES = ["curves.parquet", "runs.csv", "timing.json", "final_states/dadao-r1.npz"]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, two_methods, name):
    two_methods.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert f"incomplete: {name} is missing" in one_line(error)


@pytest.mark.parametrize("damage", ["empty", "half", "noise"])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "runs.csv"])
def test_a_damaged_file_is_named(tmp_path, two_methods, name, damage):
    two_methods.save(tmp_path)
    content = (tmp_path / name).read_bytes()
    noise = np.random.default_rng(0).bytes(500)
    broken = {"empty": b"", "half": content[: len(content) // 2], "noise": noise}[damage]
    (tmp_path / name).write_bytes(broken)
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert name in one_line(error)


@pytest.mark.parametrize(
    "text",
    [
        *("", "algorithm,method\ndadao,dadao\n", 'a,b\n"1,2\n3,4,5\n'),
        "algorithm,method,experimental\ndadao,dadao,perhaps\n",
    ],
)
def test_a_damaged_table_of_runs_is_named(tmp_path, two_methods, text):
    two_methods.save(tmp_path)
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert "runs.csv" in one_line(error)


def test_a_damaged_block_is_found_when_it_is_read(tmp_path, two_methods):
    two_methods.save(tmp_path)
    path = tmp_path / "final_states/dadao-r0.npz"
    content = bytearray(path.read_bytes())
    content[200] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(InputError) as error:
        dict(load_result(tmp_path).states["dadao", 0])
    assert "dadao-r0.npz" in one_line(error)


@pytest.mark.parametrize("fail_at", range(20))
def test_an_interrupted_save_leaves_one_result_whole(tmp_path, two_methods, monkeypatch, fail_at):
    """Stop it at each file in turn: as it is written, the manifest last, and as it takes its place.

    Over an older result of other numbers, with more states.
    """
    old = result(finished_run("dadao", rate=0.05), finished_run("zzz"))
    old.save(tmp_path / "r")
    two_methods.save(tmp_path / "other")
    (tmp_path / "r" / "final_states" / "mine.npz").write_bytes(b"mine")
    replace, calls = os.replace, []

    def failing(source, target):
        calls.append(target)
        if len(calls) > fail_at:
            raise OSError("the disk is full")
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", failing)
        with pytest.raises(OSError, match="disk is full"):
            two_methods.save(tmp_path / "r")
        kept = load_result(tmp_path / "r")  # where nothing can be moved, too
    assert [path.name for path in (tmp_path / "r").glob(".*")] == [NEW] * (fail_at >= 10)
    expected = old if fail_at < 10 else two_methods
    for now in (kept, load_result(tmp_path / "r")):
        pd.testing.assert_frame_equal(now.curves, expected.curves, check_exact=True)
        assert now.timing == expected.timing
        assert set(now.states) == set(expected.states)
    assert [now.states[key]["x"].tobytes() for key in now.states] == [
        expected.states[key]["x"].tobytes() for key in now.states
    ]
    two_methods.save(tmp_path / "r")
    files = files_of(tmp_path / "r")
    assert files.pop("final_states/mine.npz") == b"mine"
    assert files == files_of(tmp_path / "other")


def test_the_save_has_no_more_steps_than_were_interrupted(tmp_path, two_methods, monkeypatch):
    replace, calls = os.replace, []
    monkeypatch.setattr(os, "replace", lambda *names: calls.append(names) or replace(*names))
    two_methods.save(tmp_path)
    assert len(files_of(tmp_path)) == 6 + 4
    assert len(calls) == 20


def test_a_save_spares_what_is_not_of_a_result(tmp_path, two_methods):
    (tmp_path / "summary.csv").write_text("mine")
    with pytest.raises(InputError, match=r"summary.csv is not of a result"):
        two_methods.save(tmp_path)
    assert files_of(tmp_path) == {"summary.csv": b"mine"}


def test_a_save_follows_links_to_another_place(tmp_path, two_methods):
    """Of a file, and of a folder; permissions are kept."""
    (tmp_path / "large").mkdir()
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "final_states").symlink_to("../large")
    (tmp_path / "r" / "curves.parquet").symlink_to("../large/curves")
    for _ in range(2):
        two_methods.save(tmp_path / "r")
        assert (tmp_path / "r" / "final_states").is_symlink()
        assert (tmp_path / "r" / "curves.parquet").is_symlink()
        assert len(list((tmp_path / "large").iterdir())) == 1 + 4
        (tmp_path / "large" / "curves").chmod(0o600)
    assert stat.S_IMODE((tmp_path / "large" / "curves").stat().st_mode) == 0o600
    assert load_result(tmp_path / "r").curves.accuracy.equals(two_methods.curves.accuracy)


def test_a_scenario_without_a_report_fails_before_anything_is_written(tmp_path, two_methods):
    two_methods.save(tmp_path)
    before = files_of(tmp_path)
    two_methods.manifest = {"scenario": {}}
    with pytest.raises(InputError, match="report"):
        two_methods.save(tmp_path)
    assert files_of(tmp_path) == before
    shutil.rmtree(tmp_path)


def test_an_older_result_does_not_say_whose_constants_its_runs_had(tmp_path, two_methods):
    two_methods.save(tmp_path)
    table = pd.read_csv(tmp_path / "runs.csv", dtype="str", keep_default_na=False)
    assert set(table["constants"]) == {"paper"}
    table.drop(columns="constants").to_csv(tmp_path / "runs.csv", index=False)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["files"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    older = load_result(tmp_path)
    assert set(older.runs["constants"]) == {"unknown"}
    assert older.names == two_methods.names
    assert older.summary["cost_median"].tolist() == two_methods.summary["cost_median"].tolist()
