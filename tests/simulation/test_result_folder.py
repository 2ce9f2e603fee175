"""What a simulation may do in a folder: an earlier result, a user's files, what it reads."""

import json

import pytest
from kills import MINE, SCENARIO, files_of

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.files import HIDDEN
from dadao_sim.results.folder import UNFINISHED
from dadao_sim.results.lock import LOCK, FolderLock
from dadao_sim.results.result import load_result

OTHER = {**SCENARIO, "seed": 1}


def stop_after(runs):
    """A tick that stops as Ctrl-C does, once so many runs have finished."""
    done = []

    def tick(key, share, accuracy):
        done.extend([key] if share >= 1 else [])
        if len(done) == runs:
            raise KeyboardInterrupt

    return tick


@pytest.fixture
def r(tmp_path):
    """A result, and files of a user's beside those of it."""
    simulate(SCENARIO, out=tmp_path / "r")
    for name in MINE:
        (tmp_path / "r" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_text("mine")
    return tmp_path / "r"


def test_the_earlier_result_stays_until_the_new_one_is_whole(r, tmp_path):
    before = files_of(r)
    seen = []

    def look(key, share, accuracy):
        if share >= 1:
            now = files_of(r)
            seen.append({name: now.get(name) for name in before} == before)

    simulate(OTHER, out=r, overwrite=True, tick=look)
    assert seen == [True] * 4
    simulate(OTHER, out=tmp_path / "other")
    after = files_of(r)
    assert [after.pop(name) for name in MINE] == [b"mine"] * 3
    assert after == files_of(tmp_path / "other")


def test_ctrl_c_keeps_the_earlier_result_and_what_was_finished(r, tmp_path):
    before = files_of(r)
    with pytest.raises(KeyboardInterrupt):
        simulate(OTHER, out=r, overwrite=True, tick=stop_after(2))
    now = files_of(r)
    assert {name: now.get(name) for name in before} == before
    assert load_result(r).manifest["seed"] == SCENARIO.get("seed", 0)
    with pytest.raises(InputError, match="holds runs of another scenario") as error:
        simulate({**SCENARIO, "seed": 2}, out=r, resume=True)
    assert "\n" not in str(error.value)
    assert simulate(SCENARIO, out=r, resume=True).manifest["seed"] == 0  # complete, as it is
    ran = set()
    simulate(OTHER, out=r, resume=True, tick=lambda key, *_: ran.add(key))
    assert len(ran) == 2
    simulate(OTHER, out=tmp_path / "other")
    after = files_of(r)
    assert {name: after.get(name) for name in files_of(tmp_path / "other")} == files_of(
        tmp_path / "other"
    )
    assert not (r / UNFINISHED).exists()


def test_a_complete_result_is_given_back_as_it_is(r):
    before = {path: path.stat().st_mtime_ns for path in r.rglob("*") if path.is_file()}
    simulate(SCENARIO, out=r, resume=True, tick=lambda *_: pytest.fail("nothing is to be run"))
    assert before == {path: path.stat().st_mtime_ns for path in r.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="result of another scenario"):
        simulate(OTHER, out=r, resume=True)


def test_what_killed_writes_left_is_swept(r):
    """In every place; what is merely named alike, and the user's, stays."""
    left = (".dadao-sim-0.tmp", "figures/.dadao-sim-1.tmp", "final_states/.dadao-sim-2.tmp")
    for name in left:
        (r / name).write_text("half")
    (r / ".dadao-sim-3.old").mkdir()
    (r / ".dadao-sim-3.old" / "run.json").write_text("")
    (r / ".dadao-sim.new").mkdir()
    (r / ".dadao-sim.new" / "curves.parquet").write_text("half")
    (r / LOCK).write_text("")
    (r / "mine.tmp").write_text("mine")
    expected = {name: text for name, text in files_of(r).items() if HIDDEN not in name}
    simulate(SCENARIO, out=r, resume=True)
    assert files_of(r) == expected


def test_a_folder_with_nothing_but_our_leavings_is_empty(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / LOCK).write_text("")
    (tmp_path / "r" / ".dadao-sim-0.old").mkdir()
    assert len(simulate(SCENARIO, out=tmp_path / "r").runs) == 4
    (tmp_path / "q" / UNFINISHED).mkdir(parents=True)  # killed before it said of what
    for options in ({"resume": True}, {"overwrite": True}):
        assert len(simulate(SCENARIO, out=tmp_path / "q", **options).runs) == 4


def test_two_at_once_are_refused_and_readers_are_not(r):
    with FolderLock(r):
        for options in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(InputError, match="in use by process"):
                simulate(SCENARIO, out=r, **options)
        assert len(load_result(r).runs) == 4


@pytest.mark.parametrize("name", ["summary.csv", "final_states", UNFINISHED, "manifest.json"])
def test_something_else_in_a_place_of_ours_is_said_before_the_work(r, name):
    place = r / name
    if name in ("final_states", UNFINISHED):
        if place.is_dir():
            place.rename(r / "moved")
        place.write_text("a file")
    else:
        place.unlink(missing_ok=True)
        place.mkdir()
    with pytest.raises(InputError) as error:
        simulate(OTHER, out=r, overwrite=True, tick=lambda *_: pytest.fail("before the work"))
    assert "\n" not in str(error.value)


def test_a_folder_of_the_users_with_the_name_of_ours_is_not_removed(r):
    (r / UNFINISHED).mkdir()
    (r / UNFINISHED / "mine").write_text("mine")
    for options in ({"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match="unfinished_runs holds other files"):
            simulate(OTHER, out=r, **options)
    assert (r / UNFINISHED / "mine").read_text() == "mine"


def test_what_is_read_is_not_replaced(r, tmp_path):
    """Data in the place of a file of the result, by its name or through a link."""
    (r / "summary.csv").write_text("a,y\n1,2\n2,3\n3,5\n4,4\n5,1\n6,3\n7,7\n8,2\n")
    (tmp_path / "link.csv").symlink_to(r / "summary.csv")
    for path in (r / "summary.csv", tmp_path / "link.csv"):
        data = {"kind": "file", "path": str(path), "target": "y"}
        scenario = {**SCENARIO, "problem": {"kind": "ridge", "mu": 0.1, "data": data}}
        with pytest.raises(InputError, match="is read, and would be replaced"):
            simulate(scenario, out=r, overwrite=True)
    assert (r / "summary.csv").read_text().startswith("a,y\n")


def test_the_command_line_refuses_its_own_scenario(r, dadao_sim):
    (r / "manifest.json").rename(r / "kept")
    (r / "timing.json").write_text(json.dumps(SCENARIO))
    (r / "kept").rename(r / "manifest.json")
    code, _, err = dadao_sim("run", r / "timing.json", "--out", r, "--overwrite")
    assert (code, err.count("\n")) == (2, 1)
    assert "is read, and would be replaced" in err
