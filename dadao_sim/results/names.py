"""How the algorithms of a result are called in print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dadao_sim.errors import InputError
from dadao_sim.strict import plain, suggestion
from dadao_sim.text.labels import printed_name

if TYPE_CHECKING:
    from pandas import DataFrame


def printed_names(table: DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    """What to print for each label of a table, marked where any of its rows is experimental.

    A label whose rows have constants of several kinds, of the paper and tuned, says so.

    Args:
        table: with columns algorithm, method, experimental, constants: `Result.runs`, a summary, a
            comparison.
        titles: method -> its name in print.

    """
    columns = (table[name] for name in ("algorithm", "method", "experimental", "constants"))
    rows = list(zip(*columns, strict=True))
    marked = {label for label, _, experimental, _ in rows if experimental}
    constants: dict[str, dict[str, None]] = {}  # kinds in their order
    for label, *_, kind in rows:
        constants.setdefault(label, {})[kind] = None
    names = {}
    for label, method, *_ in rows:
        kinds = list(constants[label])
        if len(kinds) == 1:
            names[label] = printed_name(label, method, titles[method], label in marked, *kinds)
        else:
            name = f"{printed_name(label, method, titles[method])}, {' and '.join(kinds)} constants"
            names[label] = printed_name(name, method, "", label in marked)
    return names


def label_called(text: str, methods: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """The label that ``text`` means: itself, or the only one whose label, method or name in print
    it is but for capitals, spaces and signs.

    Args:
        text: what a user wrote, such as "AD-PSGD".
        methods: label -> its method.
        titles: method -> its name in print.

    Raises:
        InputError: no label, or several.

    """
    if not isinstance(text, str):
        raise InputError("algorithm", f"a label is needed, not {text!r}")
    if text in methods:
        return text
    calls = {label: (label, name, titles.get(name, name)) for label, name in methods.items()}
    meant = [label for label, called in calls.items() if plain(text) in map(plain, called)]
    if plain(text) and len(meant) == 1:
        return meant[0]
    if plain(text) and meant:
        raise InputError("algorithm", f"{text!r} may be {' or '.join(map(repr, meant))}")
    known = {label: titles.get(name, name) for label, name in methods.items()}
    raise InputError("algorithm", f"there is no {text!r}{suggestion(text, known, known)}")
