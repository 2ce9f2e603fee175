"""Samples of a file, and what its labels mean."""

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    Strict,
    WithJsonSchema,
    model_validator,
)

from dadao_sim.errors import InputError
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.formats import FORMATS, Asked, Column, by_ending
from dadao_sim.problems.data.source import Samples, SampleSet, Wanted
from dadao_sim.strict import FilePath, StrictModel, misuse, suggestion
from dadao_sim.text.lines import shown


def _known(name: str) -> str:
    if name not in ("auto", *FORMATS):
        raise misuse(f"unknown value {shown(name)}{suggestion(name, ['auto', *FORMATS])}")
    return name


def _list_formats(schema: dict[str, Any]) -> None:
    schema["enum"] = ["auto", *FORMATS]


def _one_or_more(given: Any) -> Any:
    """A label or a list of labels, as it is."""
    for label in listed(given):
        if not isinstance(label, bool | int | float | str):
            raise misuse(f"must be a label or a list of labels, got {shown(given)}")
    if not listed(given):
        raise misuse("must not be empty")
    return given


def listed(labels: Any) -> list[Any]:
    """One label, or a list of them, as a list."""
    return list(labels) if isinstance(labels, list | tuple) else [labels]


MISSING = ("na", "n/a", "nan", "null", "none", "?")
"""Text, in small letters, that is a label only where a scenario says so."""
_LABEL = {"type": ["string", "number", "boolean"]}
OneOrMore = Annotated[
    Any,
    AfterValidator(_one_or_more),
    WithJsonSchema({"anyOf": [_LABEL, {"type": "array", "items": _LABEL, "minItems": 1}]}),
]


def _one_column(given: Any) -> Any:
    """The name of a column, or its number, as it is."""
    if (type(given) is int and 1 <= given < 2**31) or (isinstance(given, str) and given):
        return given
    raise misuse(f"must be the name of a column, or its number from 1, got {shown(given)}")


_COLUMN = {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}]}
ColumnName = Annotated[Column, PlainValidator(_one_column), WithJsonSchema(_COLUMN)]


class Labels(StrictModel):
    """Which labels of a file are 1 and which are -1."""

    positive: OneOrMore = Field(description="label, or list of labels, of the samples that are 1")
    negative: OneOrMore | None = Field(
        default=None, description="the same for -1; if absent, the one that is not positive"
    )

    @model_validator(mode="after")
    def _are_apart(self) -> "Labels":
        if self.negative is not None:
            both = [a for a in listed(self.positive) if any(is_label(a, b) for b in self._negative)]
            if both:
                raise misuse(f"{shown(both[0])} is positive, too", "negative")
        return self

    @property
    def _negative(self) -> list[Any]:
        return [] if self.negative is None else listed(self.negative)

    def signs(self, targets: NDArray[Any], file: str) -> FloatArray:
        """1 or -1 for each of ``targets`` (N,), numbers or text; InputError names the label at
        fault, and says which there are.
        """
        if targets.dtype.kind == "f" and not np.isfinite(targets).all():
            sample = int(np.argmin(np.isfinite(targets)))
            raise InputError(f"the target of sample {sample} (from 0) of {file} is nan or infinite")
        values, place = np.unique(targets, return_inverse=True)
        found = f"found {some_of(values)}"
        positive = _which(values, listed(self.positive))
        negative = _which(values, self._negative)
        for option, labels in (("positive", listed(self.positive)), ("negative", self._negative)):
            for label in labels:
                if not _which(values, [label]).any():
                    wrong = f"no target of {file} is {shown(label)}"
                    raise InputError(f"labels.{option}", wrong, found)
        others = values[~(positive | negative)]
        if self.negative is None and not others.size:
            raise InputError("labels.positive", f"{file} has no other label", "two are needed")
        if self.negative is None and others.size > 1:
            wrong = f"{file} has {others.size} labels besides the positive ones, not 1"
            raise InputError("labels", f"{wrong}: {some_of(others)}", "name the negative ones, too")
        if self.negative is None and str(others[0]).lower() in MISSING:
            wrong = f"{as_written(others[0])} of {file} may stand for a missing target"
            raise InputError("labels", wrong, "leave these samples out, or name it as negative")
        if self.negative is not None and others.size:
            wrong = f"{as_written(others[0])} of {file} is neither positive nor negative"
            raise InputError("labels", wrong, found)
        return np.where(positive, 1.0, -1.0)[place.reshape(-1)]


def is_label(label: Any, value: Any) -> bool:
    """Whether the ``label`` of a scenario is the ``value`` of a file: a number as a number, true
    and false in any case, text to the letter.
    """
    if isinstance(label, bool) or isinstance(value, bool):
        return str(label).lower() == str(value).lower()
    if isinstance(label, str):
        return isinstance(value, str) and label == value
    try:
        return float(value) == label
    except ValueError:
        return False


def _which(values: NDArray[Any], labels: list[Any]) -> NDArray[np.bool_]:
    return np.array([any(is_label(label, value) for label in labels) for value in values])


def as_written(value: Any) -> str:
    """A label as a scenario would have it."""
    return shown(str(value)) if isinstance(value, str) else f"{value:g}"


def offered(targets: NDArray[Any]) -> str:
    """The labels that a scenario could say of such targets: of two those written out."""
    values = np.unique(targets)
    if len(values) == 2:
        return f"labels: {{positive: {as_written(values[1])}}}"
    return "labels: {positive: ..., negative: ...}"


def some_of(values: NDArray[Any]) -> str:
    """A few of the values there are."""
    return ", ".join(as_written(value)[:30] for value in values[:3]) + ", ..." * (len(values) > 3)


class DataFile(SampleSet):
    """A data file, split over the nodes; labels must be -1 and 1 in the file, or be mapped."""

    kind: Literal["file"] = Field(description="samples read from a file")
    path: FilePath = Field(description="the file, relative to the scenario file")
    format: Annotated[str, AfterValidator(_known)] = Field(
        default="auto",
        description="format of the file; auto goes by the ending of its name",
        json_schema_extra=_list_formats,
    )
    header: bool = Field(
        default=True, description="csv, tsv: whether the first line has the names of the columns"
    )
    target: ColumnName | None = Field(
        default=None,
        description="column of the targets, by its name or its number from 1, or array of them",
    )
    leave_out: Annotated[tuple[ColumnName, ...], Strict(False)] | None = Field(
        default=None,
        description="columns that are no features, such as an index; empty: there are none",
    )
    labels: Labels | None = Field(
        default=None, description="for two classes: which targets are 1 and which -1"
    )

    def refusal(self, wanted: Wanted) -> tuple[str, str] | None:
        """Labels are for two classes."""
        if self.labels is not None and not wanted.labels:
            return "labels", f"{wanted.kind} has no classes; leave it out"
        return super().refusal(wanted)

    def read(self, *, points: bool) -> Samples:
        """The samples of the file; InputError names the option at fault."""
        path = Path(self.path)
        if not path.is_file():
            raise InputError("path", f"no file {path.name} at {path}")
        format = by_ending(path) if self.format == "auto" else FORMATS[self.format]
        try:
            X, y = format.read(path, Asked(self.target, points, self.header, self.leave_out))
        except (InputError, OSError):
            raise
        except Exception as error:
            kind = type(error).__name__
            raise InputError("path", f"{path.name} is no {format.name} file ({kind})") from error
        _require_shapes(X, y, path)
        return Samples(X, None if y is None else self._numbers(y, path.name))

    def _numbers(self, y: NDArray[Any], file: str) -> FloatArray:
        """The targets, mapped if that is asked for."""
        if self.labels is not None:
            return self.labels.signs(y, file)
        if y.dtype.kind == "U":
            raise InputError(
                "target",
                f"the targets of {file} are text: {some_of(np.unique(y))}",
                f"numbers are needed, or for two classes {offered(y)}",
            )
        return y


def _require_shapes(X: NDArray[Any], y: NDArray[Any] | None, path: Path) -> None:
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
