"""What an object says of itself where it is printed, or is the last line of a notebook's cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from dadao_sim.text.lines import printable, shortened

LONGEST = 1900
"""Characters of a card as text; of its rows those are left out that have no room."""
MOST_ROWS = 12
LONGEST_CELL, LONGEST_FACT = 44, 110


@dataclass(frozen=True)
class Card:
    """A title, facts by name, and a table: some lines of text, or of HTML, however much there is.

    ``words`` columns of the table are words, the others numbers, at the right.
    """

    title: str
    facts: Mapping[str, str] = field(default_factory=dict)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    words: int = 1

    @property
    def _facts(self) -> dict[str, str]:
        return {name: _fits(value, LONGEST_FACT) for name, value in self.facts.items()}

    def _table(self, most: int) -> list[list[str]]:
        """The columns' names and the first rows."""
        rows = [self.columns, *self.rows[:most]] if self.rows and most else []
        return [[_fits(cell, LONGEST_CELL) for cell in row] for row in rows]

    def _left(self, most: int) -> list[str]:
        left = len(self.rows) - most
        return [f"... and {left:,} more"] if left > 0 else []

    def __str__(self) -> str:
        most = MOST_ROWS
        while len(text := self._text(most)) > LONGEST and most:
            most -= 1
        return text

    def _text(self, most: int) -> str:
        width = max(map(len, self.facts), default=0)
        lines = [f"{name:{width}}  {value}" for name, value in self._facts.items()]
        table = self._table(most)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for row in table:
            sides = "<" * self.words + ">" * (len(row) - self.words)
            cells = zip(row, sides, widths, strict=True)
            lines.append("  ".join(f"{cell:{side}{width}}" for cell, side, width in cells))
        lines += self._left(most)
        return "\n  ".join([_fits(self.title, LONGEST_FACT), *map(str.rstrip, lines)])

    def html(self) -> str:
        """The same as HTML, in the colours of the page it stands in."""
        parts = [f"<b>{escape(_fits(self.title, LONGEST_FACT))}</b>"]
        if self.facts:
            lines = (_row("th", [name], [value]) for name, value in self._facts.items())
            parts.append(f"<table>{''.join(lines)}</table>")
        if table := self._table(MOST_ROWS):
            head = f"<thead>{_row('th', table[0][: self.words], table[0][self.words :])}</thead>"
            body = (_row("td", row[: self.words], row[self.words :], "right") for row in table[1:])
            parts.append(f"<table>{head}<tbody>{''.join(body)}</tbody></table>")
        parts += [f"<div>{line}</div>" for line in self._left(MOST_ROWS)]
        return f"<div>{''.join(parts)}</div>"


class Carded:
    """Printed as its card, in a terminal and in a notebook."""

    def card(self) -> Card:
        """What it says of itself."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self.card())

    def __str__(self) -> str:
        return str(self.card())

    def _repr_html_(self) -> str:
        return self.card().html()


def _row(tag: str, first: Sequence[str], rest: Sequence[str], align: str = "left") -> str:
    cells = [f"<{tag} style='text-align:left'>{escape(cell)}</{tag}>" for cell in first]
    cells += [f"<td style='text-align:{align}'>{escape(cell)}</td>" for cell in rest]
    return f"<tr>{''.join(cells)}</tr>"


def flow(value: Any) -> str:
    """Plain data as YAML has it on one line, the outermost mapping without its braces."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_inner(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_inner, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _inner(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{flow(value)}}}"
    return f"[{flow(value)}]" if isinstance(value, list | tuple) else flow(value)


def _fits(text: str, longest: int) -> str:
    return shortened(printable(" ".join(str(text).split())), longest)
