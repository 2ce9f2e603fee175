"""Finished runs of an unfinished simulation, so that it can be resumed without losing any."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadao_sim.archives import StoredState, write_state
from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write, json_bytes, read_json, slug
from dadao_sim.results.result import Part, RunKey, State, read_table, write_table

if TYPE_CHECKING:
    from pandas import DataFrame


def fingerprint(scenario: Mapping[str, Any], version: str) -> str:
    """The identity of a simulation: SHA-256 of the resolved scenario and the package's version."""
    plain = json.loads(json_bytes({"scenario": scenario, "version": version}))
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


class RunStore:
    """A folder with one part per finished run, all of one simulation.

    A part is three files; the last one written, `<run>.json`, is the mark that it is finished.
    Processes may save different runs at the same time.

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
                raise InputError(f"{self.folder} holds other files: choose an empty folder")
            atomic_write(self._identity, fingerprint.encode())
        elif self._identity.read_bytes() != fingerprint.encode():
            raise InputError(
                f"{self.folder} holds runs of another scenario or of another version:"
                " resume with the same ones, delete the folder, or choose another"
            )

    def finished(self) -> list[RunKey]:
        """The keys (label, repeat) of the runs that were saved whole, sorted."""
        rows = [read_json(path)["run"] for path in self.folder.glob("*.json")]
        return sorted((row["algorithm"], row["repeat"]) for row in rows)

    def save_part(
        self,
        key: RunKey,
        curves: DataFrame,
        run_row: Mapping[str, Any],
        states: State,
        timing: Mapping[str, Any],
    ) -> None:
        """Keep a finished run; arguments as the fields of `Part`. Interrupted, it leaves no part.

        Raises:
            ValueError: the row of the run is not the one of `key`.

        """
        if (run_row["algorithm"], run_row["repeat"]) != key:
            raise ValueError(f"run_row is not the row of {key}")
        mark = self._path(key, ".json")
        mark.unlink(missing_ok=True)
        write_table(self._path(key, ".parquet"), curves)
        write_state(self._path(key, ".npz"), states)
        atomic_write(mark, json_bytes({"run": dict(run_row), "timing": dict(timing)}))

    def load_part(self, key: RunKey) -> Part:
        """A finished run. Its state stays on disk and is read when asked.

        Raises:
            InputError: the run is not finished, or a file of it is damaged.

        """
        mark = self._path(key, ".json")
        if not mark.is_file():
            raise InputError(f"{self.folder}: no finished run {key[0]!r}, repeat {key[1]}")
        stored = read_json(mark)
        return Part(
            curves=read_table(self._path(key, ".parquet")),
            run=stored["run"],
            states=StoredState(self._path(key, ".npz")),
            timing=stored["timing"],
        )

    def clear(self) -> None:
        """Delete the folder. A Result made of its parts must be saved, and loaded, before."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, key: RunKey, suffix: str) -> Path:
        label, repeat = key
        # Two labels may share a slug, and there is no order of labels here to number them by.
        digest = hashlib.sha256(label.encode()).hexdigest()[:8]
        return self.folder / f"{slug(label)}-{digest}-r{repeat}{suffix}"
