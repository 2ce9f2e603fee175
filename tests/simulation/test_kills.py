"""Killed at any moment, a simulation loses nothing: the old result, the new one, or `--resume`."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from kills import MINE, SCENARIO, Process, files_of
from matplotlib.figure import Figure

from dadao_sim.cli import main
from dadao_sim.plotting import curves
from dadao_sim.plotting.style import save_figure
from dadao_sim.results.folder import UNFINISHED, manifest_of
from dadao_sim.results.lock import LOCK
from dadao_sim.results.result import load_result

ATTACKS = ("fresh", "resume", "overwrite", "overwrite a part")
RUN = ("run", "s.json", "--out", "r")
OLD = ("run", "s.json", "--out", "r", "--seed", "1")


def call(folder, *arguments, **options):
    """Exit code and number of changes of a command, what it said."""
    process = Process(folder, *arguments, **options)
    return (*process.end(), process.said.read_text())


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Folders to begin from, by attack; "old" and "new" hold the results that may come of it."""
    root = tmp_path_factory.mktemp("kills")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "panel_figure", lambda _: Figure((1, 1)))  # to be fast
        patch.chdir(root)
        (root / "s.json").write_text(json.dumps(SCENARIO))
        patch.setattr(sys, "argv", ["dadao-sim", *RUN])
        with suppress(SystemExit):
            main.main()  # imports and kernels, once for all forks
        folders = {name: root / name for name in ("new", "old", *ATTACKS)}
        for folder in folders.values():
            folder.mkdir()
            (folder / "s.json").write_text(json.dumps(SCENARIO))
        assert call(folders["new"], *RUN)[0] == 0
        assert call(folders["old"], *OLD)[0] == 0
        # After two of four runs; over an earlier result, and over the beginning of another one.
        code, changes, _ = call(folders["fresh"], *RUN)
        shutil.rmtree(folders["fresh"] / "r")
        assert code == 0
        assert call(folders["resume"], *RUN, kill_at=changes // 3)[0] == -signal.SIGKILL
        assert len(list((folders["resume"] / "r" / UNFINISHED).glob("*.json"))) in (1, 2, 3)
        shutil.copytree(folders["old"] / "r", folders["overwrite"] / "r")
        for name in MINE:
            (folders["overwrite"] / "r" / name).write_text("mine")
        save_figure(Figure((2, 2)), folders["overwrite"] / "r" / "figures" / "accuracy-time.png")
        assert call(folders["overwrite a part"], *OLD, kill_at=changes // 3)[0] == -signal.SIGKILL
        yield folders


def attacked(attack):
    return (*RUN, *{"fresh": (), "resume": ("--resume",)}.get(attack, ("--overwrite",)))


def check(folder, start, attack):
    """What is there is accepted, whole, and leads to the same bytes; what is the user's, is there.

    Returns what there was: "old", "new" or "nothing" whole, and "runs" where some are to go on
    from.
    """
    result, new = folder / "r", files_of(start["new"] / "r")
    old = files_of(start["old"] / "r")
    found = "nothing"
    if manifest_of(result) is not None:
        unread = folder / "unread"  # where nothing can be put in its place
        shutil.copytree(result, unread)
        loaded = load_result(unread)
        found = "new" if loaded.manifest["seed"] == 0 else "old"
        expected = load_result(start[found] / "r")
        assert loaded.manifest == expected.manifest
        assert loaded.curves.equals(expected.curves)
        assert list(loaded.states) == list(expected.states)
        for key, blocks in loaded.states.items():
            for name in blocks:
                assert (blocks[name] == expected.states[key][name]).all()
        code, _, said = call(folder, "compare", "r", "--accuracy", "0.1")
        assert code == 0, said
        now = files_of(result)
        kept = new if found == "new" else old
        figures = {name for name in kept if name.startswith("figures/")}
        assert {name: now.get(name) for name in set(kept) - figures} == {
            name: content for name, content in kept.items() if name not in figures
        }
    assert attack != "overwrite" or found != "nothing"
    runs = (result / UNFINISHED).is_dir()
    code, _, said = call(folder, *RUN, "--resume")
    if code == 2:  # there is but the earlier one
        assert (attack.startswith("overwrite"), runs and attack == "overwrite") == (True, False)
        assert "another scenario" in said
        code, _, said = call(folder, *RUN, "--overwrite")
    assert code == 0, said
    now = files_of(result)
    for name in MINE if attack == "overwrite" else ():
        assert now.pop(name) == b"mine"
    assert now == new
    return found + " runs" * runs


def attack_at(folder, start, attack, kill_at):
    shutil.copytree(start[attack], folder)
    code, _, said = call(folder, *attacked(attack), kill_at=kill_at)
    assert code == -signal.SIGKILL, said
    found = check(folder, start, attack)
    shutil.rmtree(folder)
    return found


def changes_of(tmp_path, start, attack):
    """How often the disk is changed by what is attacked, if nothing stops it."""
    shutil.copytree(start[attack], tmp_path / "whole")
    code, changes, said = call(tmp_path / "whole", *attacked(attack))
    assert code == 0, said
    check(tmp_path / "whole", start, attack)
    return changes


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
def test_killed_before_some_changes_of_the_disk(tmp_path, start, attack):
    changes = changes_of(tmp_path, start, attack)
    for kill_at in sorted(random.sample(range(changes), 2)):
        attack_at(tmp_path / str(kill_at), start, attack, kill_at)


@pytest.mark.torture
@pytest.mark.parametrize("attack", ATTACKS)
def test_killed_before_every_change_of_the_disk(tmp_path, start, attack):
    changes = changes_of(tmp_path, start, attack)
    found = [attack_at(tmp_path / str(k), start, attack, k) for k in range(changes)]
    kinds = {kind: found.count(kind) for kind in sorted(set(found))}
    print(f"\n{attack}: {changes} kills, then there was {kinds}; 0 stuck, 0 lost")
    assert kinds.get("new", 0) > 0
    assert len(kinds) >= 3


# ---- two processes --------------------------------------------------------------------------


def race(folder, start, kinds, delay):
    """Two commands on one folder, the second ``delay`` seconds later: what each said, its code."""
    begin = "overwrite" if "overwrite" in kinds else "resume" if "resume" in kinds else "fresh"
    shutil.copytree(start[begin], folder)
    pipes = [os.pipe() for _ in kinds]
    processes = []
    seeds = [1 if k and kind != "resume" else 0 for k, kind in enumerate(kinds)]
    for k, (kind, (wait, _)) in enumerate(zip(kinds, pipes, strict=True)):
        (folder / str(k)).mkdir()
        arguments = ["run", "../s.json", "--out", "../r", "--seed", seeds[k]]
        arguments += [f"--{kind}"] if kind != "fresh" else []
        processes.append(Process(folder / str(k), *arguments, wait=wait))
    for _, go in pipes:
        os.write(go, b".")
        time.sleep(delay)
    codes = [process.end()[0] for process in processes]
    for pipe in pipes:
        os.close(pipe[0])
        os.close(pipe[1])
    said = [process.said.read_text() for process in processes]
    for code, text in zip(codes, said, strict=True):
        assert code in (0, 2), text
        if code == 2:
            (line,) = [line for line in text.splitlines() if line.startswith("dadao-sim: ")]
            assert any(why in line for why in ("in use by", "exists", "another scenario")), line
    now = files_of(folder / "r")
    for name in MINE if begin == "overwrite" else ():
        assert now.pop(name) == b"mine"
    whole = [files_of(start[name] / "r") for name in ("new", "old")]
    assert now in whole, said
    # It is the result of one that ended well.
    assert (whole.index(now), 0) in zip(seeds, codes, strict=True), said
    return codes


RACES = [
    *(("fresh", "fresh"), ("overwrite", "overwrite"), ("resume", "fresh"), ("fresh", "resume")),
    *(("resume", "resume"), ("resume", "overwrite"), ("overwrite", "fresh")),
]


@pytest.mark.slow
@pytest.mark.parametrize("kinds", RACES[:3], ids="-".join)
def test_two_processes_on_one_folder(tmp_path, start, kinds):
    assert 0 in race(tmp_path / "f", start, kinds, 0.0)


@pytest.mark.torture
def test_two_processes_on_one_folder_many_times(tmp_path, start):
    refused = both = 0
    for k in range(56):
        codes = race(tmp_path / str(k), start, RACES[k % len(RACES)], random.choice([0, 0, 0.3]))
        refused += 2 in codes
        both += codes == [0, 0]
        assert 0 in codes
    print(f"\n56 pairs: {refused} times one was refused, {both} times both ran; 0 wrong, 0 lost")
    assert refused > 25


# ---- whole commands -------------------------------------------------------------------------


def at_work(process, folder):
    """Wait until a process holds the lock of a folder, or has ended."""
    while process.poll() is None:
        with suppress(OSError, ValueError):
            if json.loads((folder / LOCK).read_text())["pid"] == process.pid:
                return
        time.sleep(0.001)


@pytest.mark.torture
def test_whole_commands_killed_at_any_time(tmp_path):
    """A hundred, of fresh folders and over an earlier result; each goes on until it is whole."""
    scenario = {**SCENARIO, "repeats": 12, "stop": {"time": 400}, "record": {"points": 400}}
    (tmp_path / "s.json").write_text(json.dumps(scenario))
    result, before = tmp_path / "r", tmp_path / "before"

    def command(*more):
        line = [sys.executable, "-m", "dadao_sim", *RUN, *more]
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(line, cwd=tmp_path, **said)

    def whole(*more):
        """Seconds that it was at work."""
        process = command(*more)
        at_work(process, result)
        began = time.monotonic()
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said.decode()
        return time.monotonic() - began

    def tables(files):
        return {name: text for name, text in files.items() if not name.startswith("figures/")}

    whole("--seed", "1")
    old = tables(files_of(result))
    result.rename(before)
    seconds = whole()
    expected = files_of(result)
    shutil.rmtree(result)
    unfinished = rounds = 0
    for _ in range(100):
        if not result.exists() and rounds % 2:
            shutil.copytree(before, result)
        over = manifest_of(result) is not None and not (result / UNFINISHED).is_dir()
        process = command("--overwrite" if over else "--resume")
        at_work(process, result)
        time.sleep(random.uniform(0, seconds / 2))
        process.kill()
        process.communicate()
        runs = len(list(result.glob(f"{UNFINISHED}/*.json")))
        unfinished += process.returncode != 0 and (result / UNFINISHED).is_dir() and runs < 24
        manifest = manifest_of(result)
        if manifest is not None:
            shutil.copytree(result, tmp_path / "unread")
            load_result(tmp_path / "unread")
            load_result(result)
            shutil.rmtree(tmp_path / "unread")
            kept = tables(expected) if manifest["seed"] == 0 else old
            now = files_of(result)
            assert {name: now.get(name) for name in kept} == kept
        if manifest is not None and manifest["seed"] == 0:
            whole("--resume")
            assert files_of(result) == expected
            shutil.rmtree(result)
            rounds += 1
    print(f"\n100 kills, {unfinished} while runs were unfinished, {rounds} results; 0 lost")
    assert unfinished >= 60
    assert rounds > 1
