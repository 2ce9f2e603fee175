"""Finished runs of an unfinished simulation, so that it can be resumed without losing any."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dadao_sim.archives import StoredState, write_state
from dadao_sim.errors import InputError, within
from dadao_sim.files import atomic_write, json_bytes, read_json, slug
from dadao_sim.results.checks import check_finished
from dadao_sim.results.folder import discard
from dadao_sim.results.result import FinishedRun, RunKey, read_table, write_table


def fingerprint(scenario: Mapping[str, Any], version: str) -> str:
    """The identity of a simulation: SHA-256 of the resolved scenario and the package's version."""
    plain = json.loads(json_bytes({"scenario": scenario, "version": version}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def identity_of(folder: Path) -> str | None:
    """The fingerprint of the simulation whose runs a folder holds; None if it holds none."""
    try:
        return (folder / "simulation").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


class RunStore:
    """A folder of finished runs, all of one simulation.

    A run is three files; the last one written, `<run>.json`, is the mark that it is finished.
    One process writes at a time: who opens it holds the lock of the result's folder.

    Args:
        folder: made if it does not exist.
        fingerprint: what `fingerprint` gives for this simulation.

    Raises:
        InputError: the folder holds runs of another scenario or of another version.

    """

    def __init__(self, folder: str | Path, fingerprint: str):
        self.folder = Path(folder)
        self._identity = self.folder / "simulation"
        if not self._identity.is_file():
            # Hidden files may be what a killed process left of the identity.
            if any(not path.name.startswith(".") for path in self.folder.glob("*")):
                raise InputError(
                    "folder", f"{self.folder} holds other files", "choose an empty one"
                )
            atomic_write(self._identity, fingerprint.encode())
        elif self._identity.read_bytes() != fingerprint.encode():
            raise InputError(
                "folder",
                f"{self.folder} holds runs of another scenario or of another version",
                "resume with the same ones, delete it, or choose another",
            )

    def finished(self) -> list[RunKey]:
        """The keys (label, repeat) of the runs that were saved whole, sorted."""
        return sorted(self._read(path).key for path in self.folder.glob("*.json"))

    def save(self, run: FinishedRun) -> None:
        """Keep a finished run. Interrupted, it leaves none."""
        mark = self._path(run.key, ".json")
        mark.unlink(missing_ok=True)
        write_table(self._path(run.key, ".parquet"), run.curves)
        write_state(self._path(run.key, ".npz"), run.states)
        atomic_write(mark, json_bytes({"row": run.row, "timing": run.timing}))

    def load(self, key: RunKey) -> FinishedRun:
        """A finished run. Its state stays on disk and is read when asked.

        Raises:
            InputError: the run is not finished, or a file of it is damaged.

        """
        mark = self._path(key, ".json")
        if not mark.is_file():
            raise InputError(
                "key", f"{self.folder} has no finished run {key[0]!r}, repeat {key[1]}"
            )
        return self._read(mark)

    def _read(self, mark: Path) -> FinishedRun:
        stored = read_json(mark)
        if not all(isinstance(stored.get(name), dict) for name in ("row", "timing")):
            raise InputError(f"{mark} cannot be read: it is no finished run")
        curves = read_table(mark.with_suffix(".parquet"))
        with within(str(mark)):
            check_finished(stored["row"], curves)
        states = StoredState(mark.with_suffix(".npz"))
        return FinishedRun(curves, stored["row"], states, stored["timing"])

    def clear(self) -> None:
        """Delete the folder. A Result made of its runs must be saved, and loaded, before."""
        discard(self.folder)

    def _path(self, key: RunKey, suffix: str) -> Path:
        label, repeat = key
        # Two labels may share a slug, and there is no order of labels here to number them by.
        digest = hashlib.sha256(label.encode()).hexdigest()[:8]
        return self.folder / f"{slug(label)}-{digest}-r{repeat}{suffix}"
