"""A sweep: one scenario, at many values of some of its keys.

sweep:
network.nodes: [16, 32, 64]                       # every value with every one of the others
network: {path: {graph: path, nodes: 16}, ...}    # whole sections, each with a name
zip: {stop.time: [...], start.scale: [...]}       # keys that move together; or a list of such
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from dadao_sim.errors import InputError
from dadao_sim.scenario.model import Scenario
from dadao_sim.strict import suggestion
from dadao_sim.text.lines import shown

SWEEP, ZIP = "sweep", "zip"
OF_ALL = ("name", "repeats")  # what the cells have in common
MOST_CELLS = 10_000
Value = int | float | bool | str

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "run the scenario at every combination of values of these keys",
    "minProperties": 1,
    "properties": {
        ZIP: {
            "description": "keys that move together, all with as many values; or a list of such",
            "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
        }
    },
    "additionalProperties": {
        "description": "values of this key of the scenario; sections by the names they shall have",
        "anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}],
    },
}


@dataclass(frozen=True)
class Cell:
    """One scenario of a sweep; ``values`` are those of the swept keys, of sections the names."""

    values: dict[str, Value]
    scenario: Scenario

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.values.items())


@dataclass(frozen=True)
class Sweep:
    """All of them, the last key fastest. ``keys`` are dotted, as in ``network.nodes``.

    ``text`` is the file that asks for them, its section `sweep` and what was overridden included;
    paths in it are relative to ``folder``, where there is one.
    """

    name: str
    keys: tuple[str, ...]
    cells: tuple[Cell, ...]
    text: str = ""
    folder: Path | None = None


@dataclass(frozen=True)
class Setting:
    """A key at one of its values: its ``name`` in tables, what to put there, where it stands."""

    key: str
    name: Value
    value: Any
    origin: tuple[str, ...]


def settings_of(section: Any) -> list[tuple[Setting, ...]]:
    """For each cell of the section ``sweep`` of a scenario file, what is set in it.

    Raises InputError for what is none, naming the key.
    """
    if not isinstance(section, Mapping) or not section:
        raise _wrong((), f"must be a mapping of keys to their values, got {shown(section)}")
    _check_count(math.prod(map(_length, section.items())))  # before each of them is looked at
    axes: list[list[tuple[Setting, ...]]] = []
    for key, given in section.items():
        if key == ZIP:
            several = isinstance(given, list | tuple) and len(given) > 0
            for number, zipped in enumerate(given if several else [given]):
                axes.append(_zipped(zipped, (ZIP, str(number)) if several else (ZIP,)))
        else:
            axes.append([(setting,) for setting in _settings(key, given, (key,))])
    keys = [setting.key for axis in axes for setting in axis[0]]
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            raise _wrong((key,), "is swept twice")
        seen.add(key)
    _check_count(math.prod(map(len, axes)))
    return [tuple(setting for part in cell for setting in part) for cell in product(*axes)]


def in_order(cell: tuple[Setting, ...]) -> Iterator[Setting]:
    """Sections before the keys within them."""
    yield from sorted(cell, key=lambda setting: setting.key.count("."))


def _length(item: tuple[Any, Any]) -> int:
    """How many values a key has; 1 for what is to be refused, or is a list of such."""
    key, given = item
    if key == ZIP and isinstance(given, Mapping):
        return max(map(_length, given.items()), default=1)
    return len(given) if key != ZIP and isinstance(given, list | tuple | Mapping) and given else 1


def _check_count(cells: int) -> None:
    if cells > MOST_CELLS:
        raise _wrong((), f"has {cells:,} cells; at most {MOST_CELLS:,} are played")


def _zipped(given: Any, where: tuple[str, ...]) -> list[tuple[Setting, ...]]:
    if not isinstance(given, Mapping) or not given:
        raise _wrong(where, f"must be a mapping of keys to their values, got {shown(given)}")
    columns = [list(_settings(key, values, (*where, key))) for key, values in given.items()]
    lengths = {key: len(column) for key, column in zip(given, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{key} has {count}" for key, count in lengths.items())
        raise _wrong(where, f"keys that move together need as many values each; {counts}")
    return list(zip(*columns, strict=True))


def _settings(key: str, given: Any, where: tuple[str, ...]) -> Iterator[Setting]:
    top = str(key).partition(".")[0]
    if top not in Scenario.model_fields:
        raise _wrong(where, f"unknown key{suggestion(top, Scenario.model_fields)}")
    if key in OF_ALL:
        raise _wrong(where, "is one for all scenarios of a sweep")
    named = isinstance(given, Mapping)
    if not (named or isinstance(given, list | tuple)) or not given:
        needed = "must be a list of values, or a mapping of names to values"
        raise _wrong(where, f"{needed}, got {shown(given)}")
    seen: dict[Value, Value] = {}
    for name, value in given.items() if named else enumerate(given):
        origin = (*where, str(name))
        if not named and isinstance(value, Mapping):
            raise _wrong(origin, "a section needs a name: give a mapping of names to sections")
        shown_as = name if named else _name_of(value)
        if named and not _is_name(name):
            raise _wrong(origin, f"a name must be text or a number, got {shown(name)}")
        for look in _looks(shown_as):
            if look in seen:
                raise _wrong(origin, f"{shown_as!r} is given twice, as {seen[look]!r} before")
        seen |= dict.fromkeys(_looks(shown_as), shown_as)
        yield Setting(key, shown_as, value, (SWEEP, *origin))


def _name_of(value: Any) -> Value:
    if isinstance(value, int | float | str):
        return value
    return "none" if value is None else json.dumps(value, ensure_ascii=False)


def _is_name(name: Any) -> bool:
    return name == name and isinstance(name, int | float | str) and name != ""


def _looks(value: Value) -> tuple[Value, ...]:
    """What a value is in a column of text, and in one of numbers: two that share one of these
    cannot be told apart.
    """
    return (str(value),) if isinstance(value, bool | str) else (str(value), value)


def _wrong(where: tuple[str, ...], what: str) -> InputError:
    return InputError(".".join((SWEEP, *map(str, where))), what)
