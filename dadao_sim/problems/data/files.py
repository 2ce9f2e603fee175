"""Samples of a file; a format is a function with ``@file_format`` and nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import AfterValidator, Field

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.source import Samples, SampleSet
from dadao_sim.strict import FilePath, Text, misuse, shown, suggestion

Reader = Callable[[Path, str | None, bool], Samples]


class Format(NamedTuple):
    """How files of one ``name`` and ``ending`` are read: (path, target, points) -> Samples."""

    name: str
    ending: str
    read: Reader


FORMATS: dict[str, Format] = {}
"""By name; files of an unknown ending are taken for svmlight."""


def file_format(name: str, ending: str) -> Callable[[Reader], Reader]:
    """Decorate what reads a file of a format.

    It is given the path, the name of the targets or None, and whether points are wanted: then there
    are no targets, and only what is named is left out. InputErrors name ``path`` or ``target``; any
    other exception means that the file is not of this format.
    """

    def decorate(read: Reader) -> Reader:
        FORMATS[name] = Format(name, ending, read)
        return read

    return decorate


def _known(name: str) -> str:
    if name not in ("auto", *FORMATS):
        raise misuse(f"unknown value {shown(name)}{suggestion(name, ['auto', *FORMATS])}")
    return name


def _list_formats(schema: dict[str, Any]) -> None:
    schema["enum"] = ["auto", *FORMATS]


class DataFile(SampleSet):
    """A data file, split over the nodes; nothing is mapped: labels must be -1 and 1 in the file."""

    kind: Literal["file"] = Field(description="samples read from a file")
    path: FilePath = Field(description="the file, relative to the scenario file")
    format: Annotated[str, AfterValidator(_known)] = Field(
        default="auto",
        description="format of the file; auto goes by the ending of its name",
        json_schema_extra=_list_formats,
    )
    target: Text | None = Field(
        default=None, description="name of the column or array of the targets"
    )

    def read(self, *, points: bool) -> Samples:
        """The samples of the file; InputError names the option at fault."""
        path = Path(self.path)
        if not path.is_file():
            raise InputError("path", f"no file {path.name} at {path}")
        format = self._format(path)
        try:
            samples = format.read(path, self.target, points)
        except InputError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError("path", f"{path.name} is no {format.name} file: {reason}") from error
        _require_shapes(samples, path)
        return samples

    def _format(self, path: Path) -> Format:
        if self.format != "auto":
            return FORMATS[self.format]
        by_ending = {format.ending: format for format in FORMATS.values()}
        return by_ending.get(path.suffix.lower(), FORMATS["svmlight"])


def _require_shapes(samples: Samples, path: Path) -> None:
    X, y = samples
    if X.ndim != 2 or 0 in X.shape:
        raise InputError(
            "path",
            f"the features in {path.name} have shape {X.shape}",
            "(samples, features) is needed",
        )
    if y is not None and y.shape != X.shape[:1]:
        raise InputError(
            "path",
            f"{path.name} has features of shape {X.shape} and targets of shape {y.shape}",
            "one target per sample is needed",
        )


@file_format("svmlight", ".svmlight")
def svmlight(path: Path, target: str | None, points: bool) -> Samples:
    """Lines of a target and ``column:value`` pairs."""
    from sklearn.datasets import load_svmlight_file

    if target is not None:
        raise InputError("target", "svmlight files name no columns", "leave it out")
    X, y = load_svmlight_file(str(path))
    return Samples(X.toarray(), None if points else y)


@file_format("npz", ".npz")
def npz(path: Path, target: str | None, points: bool) -> Samples:
    """Features A or X (N, p) and targets b or y (N,), or those named ``target``."""
    with np.load(path, allow_pickle=False) as arrays:

        def one_of(names: list[str], where: str) -> FloatArray:
            for name in names:
                if name in arrays:
                    return np.asarray(arrays[name], dtype=np.float64)
            raise InputError(
                where,
                f"{path.name} holds {', '.join(arrays) or 'nothing'}",
                f"an array named {' or '.join(names)} is needed",
            )

        X = one_of(["A", "X"], "path")
        if points:
            return Samples(X, None)
        if target is not None:
            return Samples(X, one_of([target], "target"))
        return Samples(X, one_of(["b", "y"], "path"))


@file_format("csv", ".csv")
def csv(path: Path, target: str | None, points: bool) -> Samples:
    """Numbers below one line of names; targets in the column ``target``, or else the last one."""
    import pandas as pd

    table = pd.read_csv(path)
    if target is not None and target not in table.columns:
        names = ", ".join(map(str, table.columns))
        raise InputError("target", f"no column {target!r} in {path.name}", f"it has {names}")
    for column in table.columns:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise InputError(
                "path",
                f"column {column!r} of {path.name} is not numeric",
                "numbers below one line of names are needed",
            )
    if target is None and not points:
        target = table.columns[-1]
    y = None if target is None else table.pop(target).to_numpy(np.float64)
    return Samples(table.to_numpy(np.float64), None if points else y)
