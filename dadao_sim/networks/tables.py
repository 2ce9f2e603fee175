"""Small tables of what was measured: CSV files with a line of names, and numbers of the edges."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dadao_sim.errors import InputError, within
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network
from dadao_sim.text.lines import listed


class Row(NamedTuple):
    """A row of a table: what a message calls its line, and its cells without blanks around."""

    where: str
    cells: list[str]

    def number(self, column: int, name: str) -> float:
        """The number in a column, nan where the cell is empty; InputError for anything else."""
        cell = self.cells[column]
        if not cell:
            return float("nan")
        try:
            if "_" not in cell:  # 1_000, which Python takes for a number
                return float(cell)
        except ValueError:
            pass
        wrong = f"column {in_quotes(name)}, {self.where} is {in_quotes(cell)}, no number"
        raise InputError(wrong)


class Table(NamedTuple):
    """The names of the columns and the rows below them."""

    names: list[str]
    rows: list[Row]


def read_table(file: str, columns: Sequence[str]) -> Table:
    """The table of a CSV file: commas between, a line of names, among them all of ``columns``.

    InputError, without a place, for a file that cannot be read or is none of these, and for a table
    without rows.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not UTF-8; save it so") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} of {path.name}: {error}") from None
    if len(lines) < 2:
        raise InputError(f"{path.name} has no rows; a line of names and rows below are needed")
    names = lines[0][1]
    twice = [name for name, count in Counter(names).items() if count > 1 or not name]
    if twice:
        raise InputError(f"{path.name} has a column without a name, or two of one name")
    for column in columns:
        if column not in names:
            wrong = f"{path.name} has no column {in_quotes(column)}; it has {listed(names, 100)}"
            raise InputError(wrong)
    rows = [Row(f"line {number} of {path.name}", cells) for number, cells in lines[1:]]
    for where, cells in rows:
        if len(cells) != len(names):
            raise InputError(f"{where} has {len(cells)} values for {len(names)} names")
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
