"""The question that a scenario asks: its sections as phrases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dadao_sim.text.lines import printable, shortened

KINDS = ("kind", "graph", "preset", "name", "method")  # what begins a phrase
ELSEWHERE = ("name", "plugins", "algorithms", "figures")  # of a scenario, not said here
LONGEST = 400
MOST_ITEMS = 8


def phrases(scenario: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a scenario asks for: a section's name, and what it says."""
    said = {name: value for name, value in scenario.items() if name not in ELSEWHERE}
    numbers = [(name, str(value)) for name, value in said.items() if isinstance(value, int)]
    sections = [
        (name, shortened(phrase(value), LONGEST))
        for name, value in said.items()
        if not isinstance(value, int) and value not in (None, {}, [])
    ]
    return [*sections, *numbers]


def phrase(value: Any) -> str:
    """A value in one line, keys without a value left out."""
    if isinstance(value, Mapping):
        begins = [str(value[name]) for name in KINDS if isinstance(value.get(name), str)]
        parts = [
            f"{name.replace('_', ' ')} {_inner(inner)}"
            for name, inner in value.items()
            if not (name in KINDS and isinstance(inner, str)) and inner not in (None, {}, [], ())
        ]
        return printable(", ".join([*begins, *parts]))
    if isinstance(value, list | tuple):
        shown = [_inner(inner) for inner in value[:MOST_ITEMS]]
        left = len(value) - len(shown)
        return ", ".join(shown) + (f" and {left} more" if left else "")
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def _inner(value: Any) -> str:
    text = phrase(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and "," in text else text
