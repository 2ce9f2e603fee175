"""What a simulation leaves: tidy curves, one row per run, final states, and where they came from.

Saved, it is a folder:

    manifest.json        the resolved scenario, seed, versions and tuning: enough to run it again
    curves.parquet       one row per sample; the same bytes for the same scenario and seed
    runs.csv             one row per run: how it ended and what it cost
    summary.csv, .tex    cost to each accuracy of `report.accuracies`
    final_states/*.npz   the blocks of every node at the end of each run
    timing.json          seconds on the wall, the one file that differs between two equal runs
"""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

import dadao_sim
from dadao_sim.archives import StoredState, write_state
from dadao_sim.errors import InputError, within
from dadao_sim.events.files import load_events, save_events
from dadao_sim.files import (
    as_path,
    atomic_write,
    check_digest,
    check_folder_of,
    file_digest,
    json_bytes,
    read_json,
    unique_slugs,
    unreadable,
)
from dadao_sim.metrics import ALWAYS, METRICS, WITHOUT_X_STAR, Metric
from dadao_sim.results.axes import TABLED, Terms, axis_named
from dadao_sim.results.checks import Manifest, check_tables, read_manifest, rows_of_curves
from dadao_sim.results.columns import CURVE_COLUMNS, RUN_COLUMNS, UNKNOWN
from dadao_sim.results.folder import (
    LOG,
    MANIFEST,
    NEW,
    RESULT_FILES,
    check_places,
    file_of,
    manifest_of,
    take_place,
    tidy,
)
from dadao_sim.results.latex import LATEX, summary_table
from dadao_sim.results.lock import FolderLock
from dadao_sim.results.names import printed_names
from dadao_sim.results.summary import costs_card, summarise, summary_csv
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from dadao_sim import PlayedAgain

RunKey = tuple[str, int]
Blocks = Mapping[str, NDArray[np.float64]]

_TEXT_COLUMNS = ("algorithm", "method", "constants", "status", "reason")
_FLAG_COLUMNS = ("experimental",)
_COLUMN_TYPES = ("double", "int64", "string", "large_string", "null")  # null: of a table of no rows
_ATTEMPTS = 3  # to read a result that another process replaces meanwhile


@dataclass(frozen=True)
class FinishedRun:
    """One algorithm in one repeat, at its end.

    Attributes:
        curves: its samples in order of time, columns CURVE_COLUMNS, then metrics of a user's.
        row: of the table of runs, keys RUN_COLUMNS.
        states: block name -> array (n, d), every node at the end.
        timing: wall-clock figures (seconds, events per second).

    """

    curves: DataFrame
    row: dict[str, Any]
    states: Blocks = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> RunKey:
        """Label and repeat."""
        return self.row["algorithm"], self.row["repeat"]


@dataclass(repr=False)
class Result(Carded):
    """The outcome of a scenario.

    Attributes:
        manifest: the resolved scenario under "scenario", and seed, versions, platform, tuning;
            under "methods" the title and the look of each method in it, so that a result can be
            drawn where its methods are not known; under "metrics" the same of those that were
            measured beside ours, and under "plugins" the files that gave them.
        curves: one row per sample, columns CURVE_COLUMNS and those metrics, by algorithm, repeat
            and time.
        runs: one row per run, columns RUN_COLUMNS; `status` is one of STATUSES, `experimental`
            whether no theorem covers the run, `constants` whose it has: "paper", a set of the
            method by name, "tuned" (multiplied), "own" (overridden).
        states: (label, repeat) -> block name -> array (n, d); read from disk when asked if loaded.
        timing: wall-clock figures.
        given: what was made in Python for it, by name; of a result that was loaded nothing but the
            log of a live run.

    """

    manifest: dict[str, Any]
    curves: DataFrame
    runs: DataFrame
    states: dict[RunKey, Blocks] = field(default_factory=dict)
    timing: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_runs(
        cls, manifest: dict[str, Any], runs: Iterable[FinishedRun], labels: Sequence[str]
    ) -> Result:
        """Join finished runs, sorted by the order of `labels`, then by repeat."""
        import pandas as pd

        rank = {label: k for k, label in enumerate(labels)}
        runs = sorted(runs, key=lambda run: (rank[run.key[0]], run.key[1]))
        samples = [run.curves for run in runs if len(run.curves)]
        columns = [*CURVE_COLUMNS, *manifest.get("metrics", ())]
        return cls(
            manifest=manifest,
            curves=pd.concat(samples, ignore_index=True)[columns]
            if samples
            else pd.DataFrame(columns=columns),
            runs=pd.DataFrame([run.row for run in runs], columns=list(RUN_COLUMNS)),
            states={run.key: run.states for run in runs if run.states},
            timing={
                "runs": [
                    {"algorithm": run.key[0], "repeat": run.key[1], **run.timing} for run in runs
                ]
            },
        )

    @property
    def terms(self) -> Terms:
        """What costs are computed with: prices, joules, and how long a gradient interval is."""
        _section(_report(self.manifest), "cost")
        return Terms.of(_section(self.manifest, "scenario"))

    @property
    def quantities(self) -> tuple[str, ...] | None:
        """What the tables show (`report.quantities` in the scenario); None: what they always do."""
        asked = _report(self.manifest).get("quantities")
        return None if asked is None else tuple(asked)

    @property
    def stop_accuracy(self) -> float | None:
        """The accuracy at which a run ends (`stop.accuracy` in the scenario), if at any."""
        return (_section(self.manifest, "scenario").get("stop") or {}).get("accuracy")

    @property
    def remarks(self) -> dict[RunKey, str]:
        """(label, repeat) -> what the method had to say of the run, of those that had."""
        runs = self.manifest.get("runs", ())
        return {
            (run["algorithm"], run["repeat"]): run["remark"] for run in runs if run.get("remark")
        }

    @property
    def methods(self) -> dict[str, str]:
        """The method behind each label, in the order of the scenario."""
        return dict(zip(self.runs["algorithm"], self.runs["method"], strict=True))

    @property
    def node_ids(self) -> tuple[str, ...] | None:
        """What the nodes are called, in the order of the rows of ``states``; None: 0..n-1."""
        ids = self.manifest.get("network", {}).get("ids")
        return None if ids is None else tuple(ids)

    @property
    def titles(self) -> dict[str, str]:
        """The name in print of each method."""
        methods = _section(self.manifest, "methods")
        return {name: method["title"] for name, method in methods.items()}

    @property
    def looks(self) -> dict[str, str | None]:
        """The colour, dash and marker of each method, such as "blue solid o"; None: has none."""
        methods = _section(self.manifest, "methods")
        return {name: method["look"] for name, method in methods.items()}

    @property
    def metrics(self) -> dict[str, Metric]:
        """What was measured, by the columns of the curves: ours, then those asked for."""
        asked = self.manifest.get("metrics", {})
        found = {name: METRICS[name] for name in ALWAYS}
        if self.curves["mean_squared_distance"].head(1).isna().any():
            title, plain = WITHOUT_X_STAR
            found["accuracy"] = replace(found["accuracy"], title=title, plain=plain)
        return {**found, **{name: Metric(name, **axis) for name, axis in asked.items()}}

    @property
    def names(self) -> dict[str, str]:
        """What to print for each label; see `results.names.printed_names`."""
        return printed_names(self.runs, self.titles)

    def estimates(self, label: str) -> NDArray[np.float64]:
        """The estimates (n, d) of the nodes of an algorithm at the end of the first repeat.

        Raises InputError where its final states hold none.
        """
        block = self.manifest["methods"][self.methods[label]]["estimate"]
        state = self.states.get((label, 0), {})
        if block not in state:
            raise InputError(
                "labels",
                f"the final states of {label} hold no estimate of x*",
                "choose other algorithms of the result",
            )
        return state[block]

    @property
    def summary(self) -> DataFrame:
        """Cost to each accuracy of `report.accuracies`: see `results.summary.summarise`."""
        return self.summary_of()

    def summary_of(
        self,
        accuracies: Iterable[float] | None = None,
        quantities: Sequence[str] | None = None,
        terms: Terms | None = None,
        algorithms: Sequence[str] | None = None,
    ) -> DataFrame:
        """The summary to other accuracies, in other quantities (names of `results.axes.AXES`), on
        other terms (such as `result.terms.priced(byte=1e-9)`) than the scenario says, of the
        ``algorithms`` with these labels alone.

        Raises InputError as `results.summary.costs_to_accuracy`.
        """
        curves, runs = self.curves, self.runs
        if algorithms is not None:
            curves, runs = (t[t["algorithm"].isin(list(algorithms))] for t in (curves, runs))
        return summarise(
            curves,
            runs,
            _report(self.manifest)["accuracies"] if accuracies is None else accuracies,
            self.terms if terms is None else terms,
            self.stop_accuracy,
            quantities or self.quantities or TABLED,
        )

    def spent(self, x: str, terms: Terms | None = None) -> NDArray[np.float64]:
        """What had been spent at each row of the curves, along an axis of `results.axes.AXES`.

        Raises InputError for an axis that is unknown, or that the result does not have.
        """
        return axis_named(x).spent(self.curves, self.terms if terms is None else terms)

    def card(self) -> Card:
        """See `Carded`: medians of the cost to the finest accuracy that any algorithm reached."""
        scenario = self.manifest.get("scenario", {})
        repeats = self.runs["repeat"].nunique()
        count = f"{counted(len(self.methods), 'algorithm')} x {counted(repeats, 'repeat')}"
        title = f"Result {scenario.get('name', '')}: {count}, {len(self.curves):,} samples"
        with suppress(InputError, KeyError):  # of a manifest that is none of ours
            summary = self.summary
            reached = summary[np.isfinite(summary["time_median"])]["accuracy"]
            finest = reached.min() if len(reached) else summary["accuracy"].max()
            return costs_card(title, summary[summary["accuracy"] == finest])
        return Card(title)

    def events(self, algorithm: str, repeat: int = 0, **given: Any) -> DataFrame:
        """The log of a run as a table, made again from its scenario and seed; see `PlayedAgain`,
        which has it as it can be replayed.
        """
        return self._again(algorithm, repeat, given).table()

    def trajectory(
        self,
        algorithm: str,
        repeat: int = 0,
        *,
        nodes: Sequence[int | str] | int | str | None = None,
        **given: Any,
    ) -> DataFrame:
        """The estimates of one node, of several or of all, at each sample; see `PlayedAgain`."""
        return self._again(algorithm, repeat, given).trajectory(nodes)

    def edge_counts(self, algorithm: str, repeat: int = 0, **given: Any) -> DataFrame:
        """How often each edge was used in a run; see `PlayedAgain`."""
        return self._again(algorithm, repeat, given).edge_counts()

    def node_counts(self, algorithm: str, repeat: int = 0, **given: Any) -> DataFrame:
        """What each node did in a run; see `PlayedAgain`."""
        return self._again(algorithm, repeat, given).node_counts()

    def _again(self, algorithm: str, repeat: int, given: dict[str, Any]) -> PlayedAgain:
        # By its public name, as a user would: results know nothing of simulation.
        return dadao_sim.PlayedAgain(self, algorithm, repeat, **given)

    @property
    def is_live(self) -> bool:
        """Whether its log was left by processes, and is kept with it."""
        return bool(self.manifest.get("live"))

    def save(self, folder: str | Path) -> None:
        """Write the result to `folder`, replacing an earlier one there.

        However it is interrupted, the folder holds the earlier one or this one, whole.

        Raises:
            InputError: another process is at work in the folder, it cannot be written, or has a
                file of such a name that is not of a result.

        """
        folder = as_path("folder", folder)
        check_folder_of(folder / MANIFEST)
        check_places(folder)
        if manifest_of(folder) is None:
            for name in RESULT_FILES:
                if (folder / name).exists():
                    raise InputError(
                        "folder", f"{folder / name} is not of a result", "choose another"
                    )
        with FolderLock(folder):
            tidy(folder)
            self.write(folder)

    def write(self, folder: Path, *, replace_figures: bool = False) -> None:
        """What `save` does once the lock of the folder is held; ``replace_figures``: those drawn of
        an earlier result, in its folder ``figures``, go with it.
        """
        # Everything that can fail is computed before anything on disk is touched.
        summary = self.summary
        slugs = unique_slugs(self.runs["algorithm"])
        names = {key: f"final_states/{slugs[key[0]]}-r{key[1]}.npz" for key in self.states}
        listed = [{"algorithm": k[0], "repeat": k[1], "file": f} for k, f in names.items()]
        timing = json_bytes(self.timing)
        title = str(_section(self.manifest, "scenario").get("name") or "")
        latex = summary_table(summary, self.names, title, self.quantities or LATEX).encode()

        new = folder / NEW
        try:
            atomic_write(new / "timing.json", timing)
            write_table(new / "curves.parquet", self.curves)
            runs = self.runs.to_csv(index=False, lineterminator="\n", na_rep="nan")
            atomic_write(new / "runs.csv", runs.encode())
            atomic_write(new / "summary.csv", summary_csv(summary))
            atomic_write(new / "summary.tex", latex)
            for key, name in names.items():
                write_state(new / name, self.states[key])
            if replace_figures:
                (new / "figures").mkdir()
            log = self.given["events"] if self.is_live else None
            if log is not None:
                save_events(new / LOG, log)
            read = ("curves.parquet", "runs.csv", *([] if log is None else [LOG]), *names.values())
            files = {name: file_digest(new / name) for name in read}
            manifest = {**self.manifest, "final_states": listed, "files": files}
            atomic_write(new / MANIFEST, json_bytes(manifest))
        except BaseException:
            if not (new / MANIFEST).is_file():
                shutil.rmtree(new, ignore_errors=True)
            raise
        take_place(folder)


def load_result(folder: str | Path) -> Result:
    """Read a result written by `Result.save`, and check it: see `results.checks`.

    Raises:
        InputError: no such folder, not a result, or a file of it is missing, damaged, edited, or
            contradicts another.

    """
    folder = as_path("folder", folder)
    if not folder.is_dir():
        raise InputError("folder", f"there is no folder {folder}")
    if (folder / NEW / MANIFEST).is_file():
        with suppress(InputError, OSError), FolderLock(folder):  # unless another is at it
            tidy(folder)
    for _ in range(_ATTEMPTS):
        before = manifest_of(folder)
        try:
            result = _load(folder)
        except InputError:
            result = None
        if result is not None and manifest_of(folder) == before:
            return result
    return _load(folder)


def check_files(folder: Path) -> tuple[dict[str, Any], Manifest]:
    """What the manifest of a result says, as it is and as it is read. InputError where there is
    none or a file of the result is missing, damaged or edited; the tables are not looked at.
    """
    if not file_of(folder, MANIFEST).is_file():
        raise InputError(
            "folder",
            f"{folder} is not a finished result: it has no manifest.json",
            "run its scenario again",
        )
    place = file_of(folder, MANIFEST)
    said = read_json(place)
    with within(str(place)):
        manifest = read_manifest(said)
    states = [row.file for row in manifest.final_states]
    log = [LOG] if said.get("live") else []
    for name in ("timing.json", "curves.parquet", "runs.csv", *log, *states):
        if not file_of(folder, name).is_file():
            raise InputError(
                "folder", f"{folder} is incomplete: {name} is missing", "run its scenario again"
            )
    for name in ("curves.parquet", "runs.csv", *log):
        check_digest(file_of(folder, name), manifest.files.get(name))
    return said, manifest


def _load(folder: Path) -> Result:
    said, manifest = check_files(folder)
    states = {(row.algorithm, row.repeat): row.file for row in manifest.final_states}
    runs = _read_runs(file_of(folder, "runs.csv"))
    curves = read_table(file_of(folder, "curves.parquet"), rows_of_curves(manifest))
    check_tables(manifest, runs, curves, folder)
    return Result(
        manifest={k: v for k, v in said.items() if k not in ("final_states", "files")},
        curves=curves,
        runs=runs,
        states={
            key: StoredState(file_of(folder, name), manifest.files.get(name))
            for key, name in states.items()
        },
        timing=read_json(file_of(folder, "timing.json")),
        given={"events": load_events(file_of(folder, LOG))} if said.get("live") else {},
    )


def write_table(path: Path, table: DataFrame) -> None:
    """Write a frame as parquet: equal frames give equal bytes, whatever wrote them and when."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # The metadata pandas adds holds its version and says nothing the schema does not.
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)

    def write(handle: BinaryIO) -> None:
        pq.write_table(arrow, handle, compression="zstd")

    atomic_write(path, write)


def read_table(path: Path, most_rows: int | None = None, *, flags: bool = False) -> DataFrame:
    """Read a table written by `write_table`, of plain numbers and text, and with ``flags`` of what
    is true or false. Raises InputError in one line if it cannot, or if there are more rows than
    ``most_rows``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(path.read_bytes()))
        # Before the rows are read: a small file may say that it holds any number of them.
        if most_rows is not None and file.metadata.num_rows > most_rows:
            raise ValueError(f"{file.metadata.num_rows} rows; there can be {most_rows}")
        for column in file.schema_arrow:
            if str(column.type) not in (*_COLUMN_TYPES, *(["bool"] if flags else [])):
                raise ValueError(f"column {column.name!r} is of type {column.type}")
        return file.read().to_pandas()
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def _read_runs(path: Path) -> DataFrame:
    import pandas as pd

    try:
        # Labels and reasons are kept as they are: an algorithm may well be called "NA".
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pandas warns of rows that are too long
            table = pd.read_csv(path, dtype="str", keep_default_na=False, index_col=False)
        for name in table.columns.difference([*_TEXT_COLUMNS, *_FLAG_COLUMNS]):
            table[name] = _numbers(table[name].tolist())
        for name in table.columns.intersection(list(_FLAG_COLUMNS)):
            table[name] = [bool(("False", "True").index(text)) for text in table[name]]
    except (OSError, OverflowError, ValueError, Warning) as error:
        raise unreadable(path, error) from error
    if "constants" not in table and "experimental" in table:  # older results have none
        place = RUN_COLUMNS.index("constants")
        table.insert(min(place, len(table.columns)), "constants", UNKNOWN)
    return table


def _numbers(texts: list[str]) -> list[int] | list[float]:
    """Whole numbers if all are; Python reads back the very number that was written."""
    try:
        return [int(text) for text in texts]
    except ValueError:
        return [float(text) for text in texts]


def _report(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    return _section(_section(manifest, "scenario"), "report")


def _section(mapping: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = mapping.get(name)
    if not isinstance(section, Mapping):
        raise InputError("manifest", f"a section {name!r} is missing", "one of a result is needed")
    return section
