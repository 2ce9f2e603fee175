"""How the algorithms of a result are called in print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame

EXPERIMENTAL = " (experimental)"


def printed_name(label: str, method: str, title: str, experimental: bool) -> str:
    """What to print for an algorithm: the user's label, or its method's ``title`` if none was
    given; marked where no theorem covers the run.
    """
    return (title if label == method else label) + EXPERIMENTAL * experimental


def printed_names(table: DataFrame, titles: Mapping[str, str]) -> dict[str, str]:
    """What to print for each label of a table, marked where any of its rows is experimental.

    Args:
        table: with columns algorithm, method, experimental: `Result.runs`, a summary, a comparison.
        titles: method -> its name in print.

    """
    columns = (table[name] for name in ("algorithm", "method", "experimental"))
    rows = list(zip(*columns, strict=True))
    marked = {label for label, _, experimental in rows if experimental}
    return {
        label: printed_name(label, method, titles[method], label in marked)
        for label, method, _ in rows
    }
