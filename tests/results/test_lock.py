"""One process at a time works in a folder; whatever ends it, the next one may."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from synthetic import finished_run, result

from dadao_sim.errors import InputError
from dadao_sim.results.lock import LOCK, FolderLock, check_unlocked
from dadao_sim.results.result import load_result

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from dadao_sim.results.lock import FolderLock\n"
    "with FolderLock(Path(sys.argv[1])):\n"
    "    print('held', flush=True); time.sleep(600)\n"
)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of tmp_path/r until it is killed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "r")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_and_told_who_is_there(tmp_path, holder):
    since = json.loads((tmp_path / "r" / LOCK).read_text())["since"]
    who = f"process {holder.pid} on {socket.gethostname()} since {since}"
    expected = re.escape(f"r is in use by {who}")
    for attempt in (FolderLock(tmp_path / "r").__enter__, lambda: check_unlocked(tmp_path / "r")):
        with pytest.raises(InputError, match=expected) as error:
            attempt()
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=expected):
        result(finished_run("dadao")).save(tmp_path / "r")
    assert [path.name for path in (tmp_path / "r").iterdir()] == [LOCK]


def test_a_lock_ends_with_its_process(tmp_path, holder):
    """Its file stays, as after a loss of power, and says what it says: a pid that lives, too."""
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    lock = tmp_path / "r" / LOCK
    for said in (lock.read_bytes(), json.dumps({"pid": os.getpid()}).encode(), b"", b"\xff{"):
        lock.write_bytes(said)
        check_unlocked(tmp_path / "r")
        lock.parent.mkdir(exist_ok=True)
        lock.write_bytes(said)
        with FolderLock(tmp_path / "r"):
            assert json.loads(lock.read_text())["pid"] == os.getpid()
        assert not lock.exists()
    result(finished_run("dadao")).save(tmp_path / "r")
    assert len(load_result(tmp_path / "r").runs) == 1


def test_a_process_does_not_pass_its_own_lock(tmp_path):
    with FolderLock(tmp_path), pytest.raises(InputError, match="in use"), FolderLock(tmp_path):
        pass
    with FolderLock(tmp_path):
        pass


def test_a_folder_that_was_made_for_nothing_is_gone(tmp_path):
    with FolderLock(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK).is_file()
    assert list(tmp_path.iterdir()) == []
    with FolderLock(tmp_path / "a" / "b"):
        (tmp_path / "a" / "mine").write_text("")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["mine"]


def test_one_that_waits_is_next_when_the_first_ends_soon(tmp_path):
    """Eight processes in turn: the file is removed under those that wait, and none is doubled."""
    code = (
        "import os, sys, time; from pathlib import Path\n"
        "from dadao_sim.errors import InputError; from dadao_sim.results import lock\n"
        "lock._PATIENCE = 60\n"
        "for _ in range(25):\n"
        "    with lock.FolderLock(Path(sys.argv[1])):\n"
        "        os.mkdir(sys.argv[1] + '/alone'); os.rmdir(sys.argv[1] + '/alone')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "r")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert list((tmp_path / "r").glob("*")) == []


def test_where_no_lock_can_be_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be locked"), FolderLock(tmp_path / "file" / "r"):
        pass
    monkeypatch.setattr(
        "dadao_sim.results.lock._locked", lambda _: (_ for _ in ()).throw(OSError(37, "No locks"))
    )
    with (
        pytest.raises(InputError, match=r"r cannot be locked \(No locks"),
        FolderLock(tmp_path / "r"),
    ):
        pass
    assert not (tmp_path / "r").exists()
