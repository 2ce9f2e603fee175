"""Small tables of what was measured: CSV files with a line of names, and numbers of the edges."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network
from dadao_sim.separated import check_width, lines_of, names_of, no_number, number, text_of
from dadao_sim.text.lines import listed


class Row(NamedTuple):
    """A row of a table: its file, the number of its line, and its cells without blanks around."""

    path: Path
    line: int
    cells: list[str]

    @property
    def where(self) -> str:
        """What a message calls it."""
        return f"line {self.line} of {self.path.name}"

    def number(self, column: int, name: str) -> float:
        """The number in a column, nan where the cell is empty; InputError for anything else."""
        cell = self.cells[column]
        if not cell:
            return float("nan")
        try:
            return number(cell)
        except ValueError:
            right = "give a number there, or nothing"
            raise no_number(self.path, self.line, name, cell, right) from None


class Table(NamedTuple):
    """The names of the columns and the rows below them."""

    names: list[str]
    rows: list[Row]


def read_table(file: str, columns: Sequence[str]) -> Table:
    """The table of a CSV file by the rules of `separated`, with all of ``columns``.

    InputError, without a place, for a file that cannot be read or is none of these, and for a table
    without rows.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        text = text_of(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    lines = lines_of(path, text)
    line, cells = next(lines)
    names = names_of(path, line, cells)
    if "" in names:
        wrong = f"column {names.index('') + 1} of {path.name} has no name"
        raise InputError(f"{wrong}; name it, or remove the comma at the end of the lines")
    for column in columns:
        if column not in names:
            wrong = f"{path.name} has no column {in_quotes(column)}; it has {listed(names, 100)}"
            raise InputError(wrong)
    rows = []
    for line, cells in lines:
        check_width(path, line, cells, len(names))
        rows.append(Row(path, line, [cell.strip() for cell in cells]))
    if not rows:
        raise InputError(f"{path.name} has no rows; a line of names and rows below are needed")
    return Table(names, rows)


def with_edge_table(network: Network, file: str) -> Network:
    """The network with the numbers of its edges that a CSV file has.

    The first two columns are the ends of an edge, by their ids and in either order; every other one
    is an edge attribute, ``length_km`` the lengths. An edge without a row, and an empty cell, are
    unknown. InputError, without a place, for what is no edge, an edge twice, what is no number, and
    an attribute that the network has already.
    """
    names, rows = read_table(file, ())
    file_name = Path(file).name
    if len(names) < 3:
        wrong = f"{file_name} has {len(names)} columns"
        raise InputError(f"{wrong}; two for the ends of an edge and one for its number are needed")
    found = {name: np.full(len(network.edges), np.nan) for name in names[2:]}
    known = [name for name in found if name in network.edge_attributes]
    if "length_km" in found and network.lengths_km is not None:
        known.append("length_km")
    if known:
        wrong = f"{in_quotes(known[0])} of {file_name} is an attribute of the network already"
        raise InputError(f"{wrong}; rename the column")
    lines: dict[int, str] = {}
    for row in rows:
        with within(row.where):
            i, j = (network.node(end) for end in row.cells[:2])
            edge = int(network.edge_indices(i, j).item())
            if edge in lines:
                wrong = f"edge {network.edge_called(i, j)} has {lines[edge]} already"
                raise InputError(f"{wrong}; links are the same both ways")
        lines[edge] = row.where
        for k, name in enumerate(names[2:], start=2):
            found[name][edge] = row.number(k, name)
    lengths = found.pop("length_km", network.lengths_km)
    attributes = {**network.edge_attributes, **found}
    return replace(network, lengths_km=lengths, edge_attributes=attributes)
