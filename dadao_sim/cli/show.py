"""How commands speak: lines, tables, and the table of costs that several of them end in."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from dadao_sim.text import printable, printed_name

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console


@cache
def console() -> "Console":
    """Where everything is printed; as wide as the terminal, if it is one."""
    from rich.console import Console

    # What is printed was written by others as a rule: "[b]" and ":100:" are text.
    return Console(
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        width=None if sys.stdout.isatty() else 110,
    )


def say(text: str) -> None:
    """One line for the user, whatever names are in it."""
    console().print(printable(text))


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, wrap: bool = False
) -> None:
    """A table whose first ``words`` columns are words, and the others numbers, at the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for k, title in enumerate(map(printable, titles)):
        if k < words:
            table.add_column(title)
        else:
            table.add_column(title, justify="right", no_wrap=not wrap)
    for row in rows:
        table.add_row(*map(printable, row))
    console().print(table)


def print_costs(summary: "DataFrame", titles: Mapping[str, str]) -> None:
    """The cost to each accuracy, as medians over the repeats; summary.csv has the ranges.

    ``summary`` is one of ``summarise``, or a comparison; ``titles`` are those of its methods.
    """
    from dadao_sim.results.summary import QUANTITIES, cost_text

    def median(row: Mapping[Any, Any], name: str) -> str:
        return cost_text(row[f"{name}_median"], "{:,.0f}".format)

    words = ("scenario", "algorithm") if "scenario" in summary else ("algorithm",)
    rows = []
    for row in summary.to_dict("records"):
        label, method = row["algorithm"], row["method"]
        cells = [row["scenario"]] if "scenario" in row else []
        cells.append(printed_name(label, method, titles[method], row["experimental"]))
        tried = not math.isnan(row[f"{QUANTITIES[0]}_median"])
        reached = f"{row['reached']}/{row['repeats']}" if tried else "-"
        cells += [f"{row['accuracy']:.0e}", reached]
        rows.append([*cells, *(median(row, name) for name in QUANTITIES)])
    print_table((*words, "accuracy", "reached", *QUANTITIES), rows, words=len(words))
