"""How commands speak: lines, tables, and the table of costs that several of them end in."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dadao_sim.text.labels import printed_name
from dadao_sim.text.lines import printable

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.console import Console


def console() -> "Console":
    """Where everything is printed; as wide as the terminal, if it is one."""
    return _console(sys.stdout)


@lru_cache(maxsize=1)
def _console(stream: Any) -> "Console":
    from rich.console import Console

    width = None if stream.isatty() else 110
    # What is printed was written by others as a rule: "[b]" and ":100:" are text.
    return Console(
        file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True, width=width
    )


def encodable(text: str) -> str:
    """A text as standard output can show it: what has no character there is a number."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def say(text: str) -> None:
    """One line for the user, whatever names are in it."""
    console().print(encodable(text))


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, wrap: bool = False
) -> None:
    """A table whose first ``words`` columns are words, and the others numbers, at the right.

    It is wider than the terminal where a word or a number has no room.
    """
    from rich.measure import Measurement
    from rich.table import Table

    cells = [[encodable(cell) for cell in row] for row in (titles, *rows)]
    table = Table(box=None, pad_edge=False)
    for k, (title, *column) in enumerate(zip(*cells, strict=True)):
        if k < words:
            table.add_column(title)
        else:
            whole = None if wrap else max(map(len, (title, *column)))
            table.add_column(title, justify="right", no_wrap=not wrap, min_width=whole)
    for row in cells[1:]:
        table.add_row(*row)
    output = console()
    needed = Measurement.get(output, output.options.update(max_width=10**6), table).minimum
    if needed > output.width:
        table.width = needed
    output.print(table)


def print_costs(summary: "DataFrame", titles: Mapping[str, str], by: Sequence[str] = ()) -> None:
    """The cost to each accuracy, as medians over the repeats; summary.csv has the ranges.

    ``summary`` is one of ``summarise``, with the columns ``by`` beside them; ``titles`` are those
    of its methods.
    """
    from dadao_sim.results.axes import AXES
    from dadao_sim.results.summary import cost_text, quantities_of

    def median(row: Mapping[Any, Any], name: str) -> str:
        number = "{:,.0f}".format if AXES[name].whole else _three_digits
        return cost_text(row[f"{name}_median"], number)

    quantities = quantities_of(summary)
    words = (*by, "algorithm")
    rows = []
    for row in summary.to_dict("records"):
        label, method = row["algorithm"], row["method"]
        cells = [str(row[name]) for name in by]
        flags = row["experimental"], row["constants"]
        cells.append(printed_name(label, method, titles[method], *flags))
        tried = not math.isnan(row[f"{quantities[0]}_median"])
        reached = f"{row['reached']}/{row['repeats']}" if tried else "-"
        cells += [accuracy_text(row["accuracy"]), reached]
        rows.append([*cells, *(median(row, name) for name in quantities)])
    print_table((*words, "accuracy", "reached", *quantities), rows, words=len(words))


def _three_digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 or number == round(number) else f"{number:.3g}"


def accuracy_text(accuracy: float) -> str:
    """1e-02; in more digits where one is not the number itself."""
    short = f"{accuracy:.0e}"
    return short if float(short) == accuracy else f"{accuracy:g}"
