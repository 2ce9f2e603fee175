"""What a result must say to be believed: its manifest, runs and curves, and that they agree.

A folder is read long after it was written, and anyone may have edited it: what is drawn of it is
checked as a scenario is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field, Strict

import dadao_sim
from dadao_sim.errors import InputError, within
from dadao_sim.metrics import ALWAYS
from dadao_sim.results.columns import (
    CONVERGED,
    COUNT_COLUMNS,
    CURVE_COLUMNS,
    DIVERGED,
    ERROR_COLUMNS,
    LATER_COLUMNS,
    RUN_COLUMNS,
)
from dadao_sim.strict import (
    BelowOne,
    Count,
    NotNegative,
    Positive,
    StrictModel,
    Text,
    checked,
    misuse,
)

if TYPE_CHECKING:
    from pandas import DataFrame

Repeat = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _a_file_of_ours(name: str) -> str:
    if not re.fullmatch(r"final_states/[a-z0-9-]+\.npz", name):
        raise misuse(f"{name!r} is no file of final_states/")
    return name


class Algorithm(StrictModel):
    """Of the scenario: who runs, and its name in tables and figures."""

    name: Text
    label: Text


class Cost(StrictModel):
    """Of the scenario: what things cost."""

    gradient: NotNegative
    communication: NotNegative
    byte: NotNegative | None = None
    second: NotNegative | None = None
    joule: NotNegative | None = None
    relaxation: NotNegative | None = None


class Energy(StrictModel):
    """Of the scenario: what takes how many joules."""

    gradient: NotNegative | None = None
    communication: NotNegative | None = None
    byte: NotNegative | None = None
    second: NotNegative | None = None
    relaxation: NotNegative | None = None


class Report(StrictModel):
    """Of the scenario: what the tables show."""

    accuracies: Annotated[tuple[BelowOne, ...], Strict(False), Field(min_length=1)]
    cost: Cost
    energy: Energy | None = None
    quantities: Annotated[tuple[Text, ...], Strict(False)] | None = None


class World(StrictModel):
    """Of the scenario: how many seconds a mean gradient interval has."""

    gradient_seconds: Positive


class Record(StrictModel):
    """Of the scenario: what was measured."""

    points: Count
    metrics: Annotated[tuple[Text, ...], Strict(False)] = ()


class Stop(StrictModel):
    """Of the scenario: the accuracy, or the metrics, that ended a run."""

    accuracy: BelowOne | None = None
    until: dict[Text, float] | None = None


class Drawn(StrictModel):
    """The scenario, as far as a result is read by it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    repeats: Count
    algorithms: Annotated[tuple[Algorithm, ...], Strict(False), Field(min_length=1)]
    stop: Stop
    record: Record
    report: Report
    world: World | None = None


class MethodInPrint(StrictModel):
    """How a method is drawn, where it may not be known."""

    title: Text
    look: str | None
    estimate: Text | None


class MetricInPrint(StrictModel):
    """How a metric is drawn, where it may not be known."""

    title: Text
    unit: str
    log: bool


class PluginUsed(StrictModel):
    """A file that gave something to the run."""

    file: Text
    sha256: Digest
    gives: dict[Text, Any]


class NetworkUsed(StrictModel):
    """What the nodes are called, None: by number; by repeat, how many edges were added, and the
    costs by which rates were chosen, each attribute by its digest and range.
    """

    ids: Annotated[tuple[str, ...], Strict(False)] | None = None
    added_edges: dict[Text, Repeat] = Field(default={})
    costs: dict[Text, dict[Text, Any]] = Field(default={})


class RunMade(StrictModel):
    """The constants of a run, and what its method had to say of it."""

    algorithm: Text
    repeat: Repeat
    constants: dict[Text, Any]
    remark: Text | None = None


class RunRow(StrictModel):
    """A row of the table of runs."""

    algorithm: Text
    method: Text
    experimental: bool
    constants: Text
    repeat: Repeat
    status: Literal["converged", "stopped", "diverged"]
    reason: str
    events: Repeat
    time: NotNegative
    gradients: NotNegative
    communications: NotNegative


class StateKept(StrictModel):
    """Where the final states of a run are."""

    algorithm: Text
    repeat: Repeat
    file: Annotated[str, AfterValidator(_a_file_of_ours)]


class Manifest(StrictModel):
    """What ``manifest.json`` has to say; what else it says is not read."""

    scenario: Drawn
    given_in_python: Annotated[
        tuple[Literal["problem", "network", "local_step", "events"], ...], Strict(False)
    ]
    interrupted: bool
    versions: dict[Text, Text]
    methods: dict[Text, MethodInPrint]
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], MetricInPrint]
    plugins: Annotated[tuple[PluginUsed, ...], Strict(False)]
    inputs: dict[Text, Digest] = Field(default={})  # older results have none
    network: NetworkUsed = Field(default={}, validate_default=True)  # older results have none
    runs: Annotated[tuple[RunMade, ...], Strict(False)]
    final_states: Annotated[tuple[StateKept, ...], Strict(False)]
    files: dict[Text, Digest] = Field(default={})  # older results have none

    @property
    def keys(self) -> list[tuple[str, int]]:
        """The label and repeat of every run of the scenario, in the order of the tables."""
        labels = [algorithm.label for algorithm in self.scenario.algorithms]
        return [(label, repeat) for label in labels for repeat in range(self.scenario.repeats)]


_SECTIONS: tuple[tuple[str, type[StrictModel]], ...] = (
    ("report", Report),
    ("record", Record),
    ("stop", Stop),
    ("world", World),
)


def read_manifest(manifest: Mapping[str, Any]) -> Manifest:
    """The manifest, checked; InputError names the key at fault.

    A scenario says more than is read here: it is checked whole where its runs are made again.
    """
    versions = manifest.get("versions")
    version = versions.get("dadao_sim") if isinstance(versions, Mapping) else None
    if isinstance(version, str) and _numbers(version) > _numbers(dadao_sim.__version__):
        raise InputError(
            "versions.dadao_sim",
            f"the result is of version {version}, and this is {dadao_sim.__version__}",
            "a version that is not older is needed",
        )
    known = _only(manifest, Manifest)
    scenario = known.get("scenario")
    if isinstance(scenario, Mapping):
        scenario = _only(scenario, Drawn)
        for name, model in _SECTIONS:
            if isinstance(scenario.get(name), Mapping):
                scenario[name] = _only(scenario[name], model)
        if isinstance(scenario.get("algorithms"), list | tuple):
            scenario["algorithms"] = [
                _only(one, Algorithm) if isinstance(one, Mapping) else one
                for one in scenario["algorithms"]
            ]
        known["scenario"] = scenario
    found: Manifest = checked(Manifest, known)
    _check_names(found)
    return found


def _only(given: Mapping[str, Any], model: type[StrictModel]) -> dict[str, Any]:
    return {name: given[name] for name in model.model_fields if name in given}


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3] if len(part) < 9]


def _check_names(manifest: Manifest) -> None:
    """InputError where one part of a manifest names what another does not know."""
    algorithms = manifest.scenario.algorithms
    labels = [algorithm.label for algorithm in algorithms]
    for number, algorithm in enumerate(algorithms):
        where = f"scenario.algorithms.{number}"
        if algorithm.label in labels[:number]:
            raise InputError(f"{where}.label", f"{algorithm.label!r} is the label of another")
        if algorithm.name not in manifest.methods:
            raise InputError(f"{where}.name", f"{algorithm.name!r} is not among the methods")
    keys = set(manifest.keys)
    for name in ("runs", "final_states"):
        rows = getattr(manifest, name)
        for number, row in enumerate(rows):
            if (row.algorithm, row.repeat) not in keys:
                what = f"{row.algorithm!r}, repeat {row.repeat}"
                raise InputError(f"{name}.{number}", f"{what} is no run of the scenario")
        if len({(row.algorithm, row.repeat) for row in rows}) < len(rows):
            raise InputError(name, "a run is there twice")
    if len({row.file for row in manifest.final_states}) < len(manifest.final_states):
        raise InputError("final_states", "two runs have the same file")
    wanted = [name for name in manifest.scenario.record.metrics if name not in ALWAYS]
    if wanted != list(manifest.metrics):
        measured = ", ".join(wanted) or "none"
        raise InputError("metrics", f"are not those of scenario.record.metrics ({measured})")


OVERTIME = 64
"""Times the samples that were asked for: of runs that last longer than they were to last, as rounds
do in a world, sampling goes on at equal ratios of time; so many are never reached.
"""


def rows_of_curves(manifest: Manifest) -> int:
    """As many samples as the runs can have: those asked for and more, the first, and the last."""
    return len(manifest.runs) * (OVERTIME * manifest.scenario.record.points + 2)


def check_tables(manifest: Manifest, runs: DataFrame, curves: DataFrame, folder: Path) -> None:
    """InputError, with the file and the run, where the tables are none of such a scenario.

    Args:
        manifest: as read.
        runs: one row per run, RUN_COLUMNS.
        curves: one row per sample, CURVE_COLUMNS and the metrics of the manifest.
        folder: where they were read, for the message.

    """
    methods = {a.label: a.name for a in manifest.scenario.algorithms}
    with within(str(folder / "runs.csv")):
        _check_columns(runs, RUN_COLUMNS)
        rows = [_run(row) for row in runs.to_dict("records")]
        keys = [(row.algorithm, row.repeat) for row in rows]
        made = {(run.algorithm, run.repeat) for run in manifest.runs}
        wanted = [key for key in manifest.keys if key in made or not manifest.interrupted]
        for found, should_be in zip_longest(keys, wanted):
            if should_be is not None and should_be not in keys:
                raise InputError(f"{_called(should_be)} is missing")
            if found != should_be:
                raise InputError(
                    f"{_called(found)} is there twice, is not in its place, or is none"
                )
        if len(made) != len(wanted):
            raise InputError("it has runs whose constants the manifest does not have")
        for row in rows:
            if row.method != methods[row.algorithm]:
                raise InputError(f"{row.algorithm!r} is not of the method {row.method!r}")
    with within(str(folder / "curves.parquet")):
        older = [name for name in LATER_COLUMNS if name not in curves]
        known = [name for name in CURVE_COLUMNS if name not in older]
        _check_columns(curves, [*known, *manifest.metrics])
        _check_numbers(curves)
        groups = dict(iter(curves.groupby(["algorithm", "repeat"], sort=False)))
        for found, should_be in zip_longest(groups, keys):
            if found != should_be:
                raise InputError(
                    f"{_called(should_be)} has no samples, or not in its place"
                    if should_be is not None
                    else f"{_called(found)} is not in runs.csv"
                )
        for row in rows:
            _check_samples(row, groups[row.algorithm, row.repeat], manifest.scenario.stop)


def check_finished(row: Mapping[str, Any], curves: DataFrame) -> None:
    """InputError where a run that was kept is none: its ``row``, or its samples."""
    run = _run({name: row[name] for name in RUN_COLUMNS if name in row})
    if not isinstance(row.get("tuning"), Mapping):
        raise InputError("tuning", "is missing")
    _check_columns(curves, [*CURVE_COLUMNS, *curves.columns[len(CURVE_COLUMNS) :]])
    _check_numbers(curves)
    _check_samples(run, curves, Stop())


def _called(key: Any) -> str:
    return "" if key is None else f"the run of {key[0]!r}, repeat {key[1]},"


def _run(row: Mapping[Any, Any]) -> RunRow:
    with within(f"the run of {row.get('algorithm')!r}, repeat {row.get('repeat')}"):
        found: RunRow = checked(RunRow, row)
    return found


def _check_columns(table: DataFrame, wanted: Sequence[str]) -> None:
    found = [str(name) for name in table.columns]
    if missing := [name for name in wanted if name not in found]:
        raise InputError(f"it has no column {missing[0]!r}")
    if extra := [name for name in found if name not in wanted]:
        raise InputError(f"it has a column {extra[0]!r}, which no result of its scenario has")
    if found != list(wanted):
        raise InputError(f"its columns are not in their order: {', '.join(wanted)}")


def _check_numbers(curves: DataFrame) -> None:
    """InputError for a column of curves that does not hold what it should, text or numbers."""
    for name in curves.columns if len(curves) else ():
        values = curves[name]
        if name in ("algorithm", "method"):
            right = all(isinstance(value, str) for value in values.unique())
        else:
            right = values.dtype.kind in ("i" if name == "repeat" else "if")
        if not right:
            raise InputError(f"its column {name!r} is of the wrong type, {values.dtype}")


def _check_samples(run: RunRow, curves: DataFrame, stop: Stop) -> None:
    """InputError where the samples are not those of a run that ended so."""
    with within(_called((run.algorithm, run.repeat)).rstrip(",")):
        if len(curves) == 0:
            raise InputError("it has no samples")
        for name, value in (
            ("algorithm", run.algorithm),
            ("method", run.method),
            ("repeat", run.repeat),
        ):
            if (curves[name] != value).any():
                raise InputError(name, "is another one in some samples")
        for name in filter(curves.columns.__contains__, COUNT_COLUMNS):
            values = curves[name].to_numpy(dtype=float)
            if not np.isfinite(values).all() or values[0] < 0 or (np.diff(values) < 0).any():
                raise InputError(name, "must be finite and not negative, and must not decrease")
        ends = ("time", "gradients", "communications", *LATER_COLUMNS)
        for name in filter(curves.columns.__contains__, ends):
            if curves[name].iloc[-1] != getattr(run, name):
                raise InputError(
                    name, f"ends at {curves[name].iloc[-1]}, but runs.csv has {getattr(run, name)}"
                )
        for name in curves.columns[list(curves.columns).index(ERROR_COLUMNS[0]) :]:
            values = curves[name].to_numpy(dtype=float)
            # nan: a term whose value is not known, or a problem without x*.
            may_be_unknown = name == "suboptimality" or (
                name == "mean_squared_distance" and np.isnan(values).all()
            )
            if not may_be_unknown and run.status != DIVERGED and np.isnan(values).any():
                raise InputError(name, "is not a number in some samples")
            if (
                name in ("mean_squared_distance", "accuracy", "consensus_error")
                and values.min() < 0
            ):
                raise InputError(name, "is negative in some samples")
        errors = curves["accuracy"].to_numpy(dtype=float)
        goal = 0.0 if stop.accuracy is None else stop.accuracy
        before = bool((errors[:-1] <= goal).any())
        there, said = errors[-1] <= goal, run.status == CONVERGED
        wrong = there != said if stop.until is None else there and not said
        if stop.accuracy is not None and (before or wrong):
            raise InputError(
                "accuracy", f"its samples and stop.accuracy say that it is not {run.status}"
            )
