"""Whatever stands at whatever key, what is said of it is one line that can be read."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scenario_keys import EVERYTHING, VARIANTS

from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

LONG = "a long name/" * 900
NASTY: dict[str, Any] = {
    "a long word": "x" * 30_000,
    "a long text": LONG,
    "a long path": LONG.replace(" ", "-") + "x.csv",
    "lines": "one\ntwo\r\nthree\u2028four",
    "a colour of the terminal": "\x1b[31mred\x1b[0m",
    "marks of direction": "a\u202eb\u200bc",
    "half a character": "\ud800",
    "many numbers": [k / 7 for k in range(3000)],
    "many mappings": [{"knd": k} for k in range(200)],
    "a mapping of long keys": {f"{LONG}{k}": k for k in range(30)},
    "deep": json.loads("[" * 200 + "]" * 200),
}


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to every part."""
    yield above
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*above, key))


def changed(variant: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The scenario with ``value`` at ``place``."""
    data = copy.deepcopy({**EVERYTHING, **variant})
    part: Any = data
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    return data


def message_of(data: dict[str, Any]) -> str:
    """What is said of it, nothing where it is right."""
    try:
        scenario_from_mapping(data)
    except InputError as error:
        return str(error)
    return ""


def assert_readable(message: str) -> None:
    """One line of at most 300 characters, with the program's name before it."""
    assert len(f"dadao-sim: {message}") <= 300
    assert message.isprintable(), message


@given(data=st.data())
@settings(max_examples=150)
def test_what_is_said_of_any_value_at_any_key_can_be_read(data):
    variant = data.draw(st.sampled_from(VARIANTS), label="variant")
    place = data.draw(
        st.sampled_from([p for p in places({**EVERYTHING, **variant}) if p]), label="place"
    )
    value = data.draw(st.sampled_from(sorted(NASTY)), label="value")
    assert_readable(message_of(changed(variant, place, NASTY[value])))


@given(data=st.data())
@settings(max_examples=50)
def test_what_is_said_of_any_key_anywhere_can_be_read(data):
    variant = data.draw(st.sampled_from(VARIANTS), label="variant")
    whole = {**EVERYTHING, **variant}
    mappings = [
        place
        for place in places(whole)
        if isinstance(part_of(whole, place), dict) and "parameters" not in place  # any name
    ]
    place = data.draw(st.sampled_from(mappings), label="place")
    key = data.draw(st.sampled_from([v for v in NASTY.values() if isinstance(v, str)]), label="key")
    message = message_of(changed(variant, (*place, key), 1))
    assert message
    assert_readable(message)


def part_of(value: Any, place: tuple[Any, ...]) -> Any:
    """What is at ``place``."""
    for key in place:
        value = value[key]
    return value


@pytest.mark.parametrize("count", [1, 2, 200])
def test_of_many_errors_the_first_is_said_and_the_others_are_counted(tmp_path, count):
    keys = "".join(f"  a_key_that_is_none_{k}: {k}\n" for k in range(count))
    path = tmp_path / "s.yaml"
    path.write_text(f"name: s\nstop:\n{keys}  time: 1\n")
    with pytest.raises(InputError) as error:
        load_scenario(path)
    message = str(error.value)
    assert_readable(message)
    assert message.startswith(f"{path}: problem: is missing (and {count + 2} more: ")
    assert "stop.a_key_that_is_none_0" in message


@pytest.mark.parametrize("name", ["x" * 200, "name with blanks " * 3, "lines\nof\nit", "\x1b[7m"])
def test_the_name_of_a_file_is_in_the_line_but_does_not_fill_it(tmp_path, name):
    path = tmp_path / name / f"{name}.yaml"
    path.parent.mkdir()
    path.write_text("name: s\nstop: {time: soon}\n")
    for at, said in ((path, "problem: is missing"), (path.with_suffix(".yml"), "no such file")):
        with pytest.raises(InputError) as error:
            load_scenario(at)
        assert_readable(str(error.value))
        assert str(error.value).startswith(str(tmp_path)[:30])
        assert said in str(error.value)
