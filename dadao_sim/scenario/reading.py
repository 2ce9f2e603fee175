"""Scenarios from YAML: where every value came from, and one plain line on what is wrong."""

import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dadao_sim.errors import InputError
from dadao_sim.files import as_path
from dadao_sim.scenario import shipped, yaml_text
from dadao_sim.scenario.model import Scenario
from dadao_sim.scenario.sweep import SCHEMA as SWEEP_SCHEMA
from dadao_sim.scenario.sweep import SWEEP, Cell, Setting, Sweep, in_order, settings_of
from dadao_sim.strict import sentence, suggestion
from dadao_sim.text.lines import shortened, shown

# Keys from the top of a scenario down, list indices as text: ("algorithms", "0", "label").
Keys = tuple[str, ...]
# Which line, and how to call it: (7, "star.yaml:7"), or (0, "--set seed=1").
Origins = dict[Keys, tuple[int, str]]

STANDARD_INPUT = "-"
"""In the place of a file."""
MERGE_TAG = "tag:yaml.org,2002:merge"


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read and validate a YAML file, after ``overrides`` such as ``algorithms.0.rate_factor=2``.

    ``path`` may also be the name of a scenario that comes with the package, as for ``run``; a file
    of that name comes first; "-" is standard input. Paths inside are relative to the file's folder.
    Raises InputError, one
    line with the file's line and the key, for a file that cannot be read, is not YAML, or is not a
    scenario; and for a sweep, which is many.
    """
    loaded = load_file(path, overrides)
    if isinstance(loaded, Sweep):
        raise InputError(
            f"{path}: sweep",
            f"{len(loaded.cells)} scenarios, of which this takes one",
            "choose it with --set sweep=null and --set KEY=VALUE",
        )
    return loaded


def load_file(path: str | Path, overrides: Sequence[str] = ()) -> Scenario | Sweep:
    """The scenario of a file, or the sweep where it has a section `sweep`; see `load_scenario`."""
    path = shipped.scenario_path(str(as_path("path", path)))
    called = "standard input" if str(path) == STANDARD_INPUT else str(path)
    text = _piped() if str(path) == STANDARD_INPUT else _text(path)
    data, origins = _parsed(text, lambda line: f"{called}:{line}")
    origins[()] = (0, called)
    if data is None:
        raise InputError(f"{called}: is empty; a scenario needs {_required_keys()}")
    return _one_or_many(data, origins, overrides, path.parent)


def sweep_from_mapping(
    mapping: Mapping[str, Any], overrides: Sequence[str] = (), folder: str | Path | None = None
) -> Scenario | Sweep:
    """As :func:`scenario_from_mapping`, of a mapping that may have a section `sweep`."""
    folder = None if folder is None else as_path("folder", folder)
    return _one_or_many(mapping, {}, overrides, folder)


def scenario_from_mapping(
    mapping: Mapping[str, Any], overrides: Sequence[str] = (), folder: str | Path | None = None
) -> Scenario:
    """Validate plain data, for instance of ``Scenario.to_mapping``, after ``overrides``.

    Paths inside are relative to ``folder``, and stay as they are without one. Raises InputError.
    """
    folder = None if folder is None else as_path("folder", folder)
    return _validated(*_changed(mapping, {}, overrides, folder), folder)


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a scenario file, for editors that complete and check YAML."""
    one = Scenario.model_json_schema()
    one["properties"][SWEEP] = SWEEP_SCHEMA
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **one}


def _one_or_many(
    data: Any, origins: Origins, overrides: Sequence[str], folder: Path | None
) -> Scenario | Sweep:
    _check_texts(overrides)
    replaced = any(override.partition("=")[0].strip() == SWEEP for override in overrides)
    if isinstance(data, Mapping) and data.get(SWEEP, ...) is None and not replaced:
        where = _origin((SWEEP,), origins)[1]
        wrong = "is empty; give keys and their values, or leave it out"
        raise InputError(f"{where}: {SWEEP}" if where else SWEEP, wrong)
    data, origins = _changed(data, origins, overrides, folder)
    if data.get(SWEEP) is None:
        known = [*Scenario.model_fields, SWEEP]
        for key in map(str, data):
            near = "" if key in known else suggestion(key, known)
            if f"did you mean {SWEEP!r}" in near:
                where = _origin((key,), origins)[1]
                raise InputError(f"{where}: {key}" if where else key, f"unknown key{near}")
        return _validated({k: v for k, v in data.items() if k != SWEEP}, origins, folder)
    base = {key: value for key, value in data.items() if key != SWEEP}
    try:
        settings = settings_of(_plain(data[SWEEP]))
    except InputError as error:
        where, wrong, _ = error.args
        keys = (SWEEP, where.removeprefix(f"{SWEEP}."))
        line = origins.get(keys) or origins.get((SWEEP,)) or origins.get((), (0, ""))
        raise InputError(f"{line[1]}: {where}" if line[1] else where, wrong) from None
    _check_not_swept(overrides, [setting.key for setting in settings[0]])
    cells = [_cell(base, origins, cell, folder) for cell in settings]
    one, text = cells[0], yaml_text.written(_plain(data))
    return Sweep(one.scenario.name, tuple(one.values), tuple(cells), text, folder)


def _plain(value: Any) -> Any:
    """What a file can hold of a scenario that was given in Python."""
    match value:
        case None | bool():
            return value
        case BaseModel():
            return _plain(value.model_dump(mode="json", exclude_none=True))
        case Mapping():
            return {_plain(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case int():
            return int(value)
        case float():
            return float(value)
    if hasattr(value, "tolist"):  # numbers and arrays of NumPy
        return _plain(value.tolist())
    return str(value)


def _cell(base: Any, origins: Origins, settings: tuple[Setting, ...], folder: Path | None) -> Cell:
    """The scenario with the values of one cell put in, each at fault where it stands."""
    origins = dict(origins)
    for setting in in_order(settings):
        keys = tuple(setting.key.split("."))
        above = ".".join(setting.origin[:-1])
        try:
            base = _replaced(base, keys, setting.value)
        except KeyError as error:
            where = _origin(setting.origin, origins)[1] or ".".join(setting.origin)
            raise InputError(where, error.args[0]) from None
        for old in [old for old in origins if old[: len(keys)] == keys]:
            del origins[old]
        depth = len(setting.origin)
        within = {k[depth:]: v for k, v in origins.items() if k[:depth] == setting.origin}
        origins |= {(*keys, *below): place for below, place in within.items()}
        for depth in range(1, len(keys) + 1):
            origins.setdefault(keys[:depth], (0, above))
    values = {setting.key: setting.name for setting in settings}
    return Cell(values, _validated(base, origins, folder))


def _check_not_swept(overrides: Sequence[str], swept: Sequence[str]) -> None:
    """InputError for an override that the sweep would override in its turn."""
    for override in overrides:
        key = override.partition("=")[0].strip()
        for other in swept:
            if f"{key}.".startswith(f"{other}."):
                raise InputError(
                    f"--set {override}", f"{other} is swept", f"set sweep={{{other}: [...]}}"
                )


def _changed(
    data: Any, origins: Origins, overrides: Sequence[str], folder: Path | None
) -> tuple[Mapping[str, Any], Origins]:
    """The data, checked to be a mapping, after the overrides."""
    if not isinstance(data, Mapping):
        where = f"{origins[()][1]}: " if origins else ""
        raise InputError(
            f"{where}a scenario must be a mapping with {_required_keys()}, got {shown(data)}"
        )
    _check_texts(overrides)
    for override in overrides:
        _check_key(data, override, folder)
        data = _overridden(data, origins, override)
    return data, origins


def _check_texts(overrides: Any) -> None:
    texts = isinstance(overrides, list | tuple) and all(isinstance(o, str) for o in overrides)
    if not texts:
        raise InputError("overrides", f"a list of text is needed, not {overrides!r}")


def _validated(data: Mapping[str, Any], origins: Origins, folder: Path | None) -> Scenario:
    try:
        return Scenario.model_validate(dict(data), context={"folder": folder})
    except ValidationError as error:
        raise InputError(_one_line(error.errors(include_url=False), origins)) from None


def _required_keys() -> str:
    return ", ".join(key for key, field in Scenario.model_fields.items() if field.is_required())


def _one_line(errors: list[ErrorDetails], origins: Origins) -> str:
    """The first error in the order of the file, and the keys of the others."""
    found = []
    for error in errors:
        if not _follows_from_another(error, errors):
            # "[key]" marks a key that is wrong, not a value.
            keys = tuple(str(key) for key in error["loc"] if key != "[key]")
            found.append((_origin(keys, origins), ".".join(keys), sentence(error)))
    found.sort(key=lambda item: item[0][0])
    (_, where), key, message = found[0]
    line = ": ".join(part for part in (where, key, message) if part)
    if others := [key for _, key, _ in found[1:]]:
        first = ", ".join(shortened(key, 60) for key in others[:3])
        line += f" (and {len(others)} more: {first}{', ...' if len(others) > 3 else ''})"
    return " ".join(line.split())


def _follows_from_another(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """A label without a name to default to; a list "too short" because its entries are refused."""
    if error["type"] == "default_factory_not_called":
        return True
    here = error["loc"]
    return any(len(e["loc"]) > len(here) and e["loc"][: len(here)] == here for e in errors)


def _origin(keys: Keys, origins: Origins) -> tuple[int, str]:
    # What is missing has no line of its own: that of the mapping it is missing from.
    for depth in range(len(keys), -1, -1):
        if keys[:depth] in origins:
            return origins[keys[:depth]]
    return (0, "")


def _text(path: Path) -> str:
    """What is in a file. InputError for what is none, such as a pipe, which might never end."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) and not path.is_dir():
            raise InputError(f"{path}: is no regular file; a scenario is a YAML file")
        if status.st_size > yaml_text.MOST_BYTES:
            found, most = status.st_size / 1e6, yaml_text.MOST_BYTES / 1e6
            raise InputError(f"{path}: has {found:,.0f} MB; a scenario has at most {most:.0f} MB")
        return path.read_text(encoding="utf-8-sig")
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file{_near(path)}") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder{_files_beside(path / '_')}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{path}: is no name of a file") from None


def _piped() -> str:
    """What is on standard input. InputError for what cannot be a scenario."""
    stream: Any = getattr(sys.stdin, "buffer", sys.stdin)
    given = stream.read(yaml_text.MOST_BYTES + 1)
    if len(given) > yaml_text.MOST_BYTES:
        most = yaml_text.MOST_BYTES / 1e6
        raise InputError(f"standard input: a scenario has at most {most:.0f} MB")
    try:
        return given if isinstance(given, str) else given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input: is not UTF-8 text (byte {error.start})") from None


def _near(path: Path) -> str:
    """What a path that leads nowhere may have meant: a file there, or a scenario of ours."""
    if not path.suffix:
        return f", nor a scenario of this package{suggestion(str(path), shipped.scenarios())}"
    return _files_beside(path)


def _files_beside(path: Path) -> str:
    if not path.parent.is_dir():
        return f", nor is there a folder {path.parent}"
    files = (file.name for file in path.parent.iterdir() if file.suffix in (".yaml", ".yml"))
    names = sorted(name for name in files if not name.startswith("."))
    return suggestion(path.name, names) if names else f"; there is no scenario in {path.parent}"


def _parsed(text: str, place: Callable[[int], str]) -> tuple[Any, Origins]:
    """The data of a YAML 1.2 document, and the line of every key. Raises InputError.

    ``place`` says where a line (counted from 1) is.
    """
    origins: Origins = {}
    try:
        document = yaml_text.parse(text)
        if document is None:
            return None, origins
        _note_lines(document.node, (), place, origins)
        return document.data(), origins
    except yaml_text.TooLarge as error:
        mark = error.problem_mark
        where = place(mark.line + 1 if mark else 1)
        raise InputError(f"{where}: too much for a scenario: {error.problem}") from None
    except yaml_text.NoValue as error:
        where = place(error.problem_mark.line + 1)
        raise InputError(f"{where}: a value cannot be read: {error.problem}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = " ".join(str(error.problem or error.context).split())
        raise InputError(f"{place(line)}: not valid YAML, column {column}: {problem}") from None
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{place(1)}: not valid YAML: {problem}") from None
    except RecursionError:
        raise InputError(f"{place(1)}: nested too deeply for a scenario") from None


def _note_lines(node: Node, keys: Keys, place: Callable[[int], str], origins: Origins) -> None:
    """Fill ``origins`` below ``node``. Raises InputError for a key given twice in one mapping."""

    def note(child: Node, name: str, line: int) -> None:
        origins.setdefault((*keys, name), (line, place(line)))
        _note_lines(child, (*keys, name), place, origins)

    if isinstance(node, SequenceNode):
        for k, item in enumerate(node.value):
            note(item, str(k), item.start_mark.line + 1)
    elif isinstance(node, MappingNode):
        merged: list[Node] = []
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == MERGE_TAG:
                merged += value.value if isinstance(value, SequenceNode) else [value]
                continue
            if not isinstance(key, ScalarNode):
                raise InputError(f"{place(line)}: a key must be text, not a list or a mapping")
            name = str(key.value)
            if name in lines:
                path = ".".join((*keys, name))
                raise InputError(f"{place(line)}: {path}: given before, on line {lines[name]}")
            lines[name] = line
            note(value, name, line)
        for other in merged:  # after the mapping's own keys, which win
            _note_lines(other, keys, place, origins)


def _check_key(data: Mapping[str, Any], override: str, folder: Path | None) -> None:
    """InputError for an override of a key that is none at the top of a scenario, with those of that
    name further down.
    """
    key = override.partition("=")[0].strip()
    if "." in key or not key or key in Scenario.model_fields or key == SWEEP:
        return
    try:
        scenario = Scenario.model_validate(dict(data), context={"folder": folder})
    except ValidationError:
        return  # what is wrong besides will be said
    below = [path for path in _dotted(scenario) if path.rpartition(".")[2] == key]
    if below:
        meant = " or ".join(map(repr, below[:3]))
        raise InputError(f"--set {override}: {key}: unknown key; did you mean {meant}?")


def _dotted(value: Any, above: str = "") -> Iterator[str]:
    """Every key of a model and what it holds, by its whole path."""
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                yield above + name
                yield from _dotted(getattr(value, name), f"{above}{name}.")
        case tuple():
            for k, part in enumerate(value):
                yield from _dotted(part, f"{above}{k}.")


def _overridden(data: Any, origins: Origins, override: str) -> Any:
    """``data`` with the value of ``KEY=VALUE`` put in; ``origins`` then names the override."""
    path, equals, text = override.partition("=")
    source = f"--set {override}"
    if not equals or not path.strip():
        raise InputError(f"{source}: must be KEY=VALUE, for instance stop.time=100")
    value, _ = _parsed(text, lambda line: source)
    keys = tuple(key.strip() for key in path.split("."))
    if len(keys) > yaml_text.MOST_DEPTH:
        raise InputError(f"--set: {len(keys):,} keys in one path; a scenario is not as deep")
    try:
        data = _replaced(data, keys, value)
    except KeyError as error:
        raise InputError(f"{source}: {error.args[0]}") from None
    for old in [old for old in origins if old[: len(keys)] == keys]:
        del origins[old]
    for depth in range(1, len(keys) + 1):
        origins.setdefault(keys[:depth], (0, source))
    return data


def _replaced(data: Any, keys: Keys, value: Any, above: Keys = ()) -> Any:
    """A copy of ``data`` with ``value`` at ``keys``, missing mappings made: validation judges them.

    Raises KeyError, its argument the reason, where ``keys`` lead through what has no keys.
    """
    if not keys:
        return value
    key, below, here = keys[0], keys[1:], (*above, keys[0])
    if above[:1] == ("algorithms",) and len(above) == 2 and isinstance(data, str):
        data = {"name": data}
    if isinstance(data, list | tuple):
        if not key.isdecimal() or int(key) >= len(data):
            reason = f"{'.'.join(above)} has no entry {key!r}, only 0 to {len(data) - 1}"
            raise KeyError(reason)
        k = int(key)
        return [*data[:k], _replaced(data[k], below, value, here), *data[k + 1 :]]
    if data is not None and not isinstance(data, Mapping):
        raise KeyError(f"{'.'.join(above)} is {shown(data)}, which has no {key!r} in it")
    data = data or {}
    return {**data, key: _replaced(data.get(key), below, value, here)}
