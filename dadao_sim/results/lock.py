"""Who is at work in a folder: a lock of the operating system, which ends with its process."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO

from dadao_sim.errors import InputError
from dadao_sim.files import HIDDEN, read_json

LOCK = f"{HIDDEN}.lock"
_PATIENCE = 0.5  # seconds: somebody who only looks, or is about to end, is soon gone

if sys.platform == "win32":
    import msvcrt

    def _locked(file: IO[bytes]) -> bool:
        file.seek(2**20)  # beyond what the file says of its holder, which others have to read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _locked(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class FolderLock:
    """Held, while entered, by the one who writes into a folder; the folder is made if need be.

    The lock is the system's: whatever ends the process ends it, so that none is ever stale. The
    file that bears it says who holds it (pid, host, since), and is removed at the end; so is a
    folder that was made and stayed empty.

    Raises:
        InputError: another process holds it, or the folder cannot be locked.

    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._made: list[Path] = []

    def __enter__(self) -> FolderLock:
        try:
            self._file = self._acquire()
        except OSError as error:
            self._remove_made()
            raise InputError(
                "folder", f"{self.folder} cannot be locked ({error.strerror})", "choose another"
            ) from error
        except InputError:
            self._remove_made()
            raise
        since = datetime.now().astimezone().isoformat(" ", "seconds")
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
        self._file.truncate(0)
        self._file.write(json.dumps(who).encode())
        self._file.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with suppress(OSError):  # the folder itself may be gone
            (self.folder / LOCK).unlink()
        self._file.close()
        self._remove_made()

    def _acquire(self) -> IO[bytes]:
        path, deadline = self.folder / LOCK, time.monotonic() + _PATIENCE
        while True:
            late = time.monotonic() > deadline
            self._make_folder()
            try:
                file = path.open("a+b")
            except FileNotFoundError:  # its maker had no use for the folder
                if late:
                    raise
                continue
            try:
                held = _locked(file)
            except OSError:  # there are no locks on this file system
                file.close()
                path.unlink()
                raise
            if held:
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                        return file
                file.close()  # its holder removed it meanwhile: another one takes its place
                continue
            file.close()
            if late:
                raise InputError(
                    "folder",
                    f"{self.folder} is in use by {_holder(path)}",
                    "wait for it to end, or choose another",
                )
            time.sleep(0.02)

    def _make_folder(self) -> None:
        missing = [self.folder, *self.folder.parents]
        for folder in reversed([path for path in missing if not path.exists()]):
            with suppress(FileExistsError):  # another process was faster
                folder.mkdir()
                self._made.append(folder)

    def _remove_made(self) -> None:
        for folder in reversed(self._made):
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def check_unlocked(folder: Path) -> None:
    """InputError if a process is at work in the folder."""
    if (folder / LOCK).exists():
        with FolderLock(folder):
            pass


def _holder(path: Path) -> str:
    """Who holds a lock, as its file says."""
    try:
        who = read_json(path)
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except (InputError, KeyError):
        return "another process"
