"""Commands in processes that are killed: before their k-th change of the disk, or at any time."""

import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

from dadao_sim.cli import main

CHANGES = {
    *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"),
    *("os.truncate", "os.chmod", "os.chown", "os.utime"),
}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
BROKEN = 70  # the exit code for a traceback

SCENARIO = {
    "name": "killed",
    "repeats": 2,
    "problem": {
        "kind": "ridge",
        "mu": 0.1,
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 4},
    },
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": ["nids", "dadao"],
    "stop": {"time": 20},
    "record": {"points": 5},
    "report": {"accuracies": [0.1]},
}
MINE = ("notes.txt", "figures/mine.png", "final_states/mine.npz")


def files_of(folder):
    """Every file that is the same in two equal results, hidden ones too."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "timing.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


class Process:
    """A command in a fork of this process, in a folder.

    ``kill_at``: it is killed before its change of the disk of that number, from 0; what it writes
    reaches the disk at the latest as it asks for that (fsync), and half of it before.
    ``wait``: a file descriptor; it begins when there is something to read.
    """

    def __init__(self, folder, *arguments, kill_at=None, wait=None):
        self.number, self.kill_at = 0, kill_at
        self.said = Path(folder) / "said"
        self._pipe, pipe = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks in threads: pytest's
            self.pid = os.fork()
        if self.pid == 0:
            os._exit(self._run(folder, arguments, pipe, wait))
        os.close(pipe)

    def end(self):
        """Wait for it: its exit code (-9: it was killed), and how often it changed the disk."""
        _, status = os.waitpid(self.pid, 0)
        with os.fdopen(self._pipe, "rb") as pipe:
            changes = int(pipe.read() or 0)
        return os.waitstatus_to_exitcode(status), changes

    def _run(self, folder, arguments, pipe, wait):
        os.chdir(folder)
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.stdout, sys.stderr = (os.fdopen(k, "w", closefd=False) for k in (1, 2))
        sys.argv = ["dadao-sim", *map(str, arguments)]
        if wait is not None:
            os.read(wait, 1)
        self._watch()
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = BROKEN
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(pipe, str(self.number).encode())
        return code

    def _watch(self):
        fsync = os.fsync

        def synced(descriptor):
            if self.number == self.kill_at:
                os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            self._change()
            self._change()
            if self.kill_at is not None:  # else to wait for the disk shows nothing
                fsync(descriptor)

        def hook(event, arguments):
            if event in CHANGES or (event == "open" and arguments[2] & WRITES):
                self._change()

        os.fsync = synced
        sys.addaudithook(hook)

    def _change(self):
        if self.number == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.number += 1
