"""The table of methods in README.md, made from what the methods declare.

    make methods      writes it there

What a method asks for (its oracle, its clock) is found as the simulator finds it, by tuning it.
"""

import re
import unicodedata
from pathlib import Path
from typing import Any

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.registry import METHODS, citation
from dadao_sim.testing import lollipop, small_problem

README = Path(__file__).resolve().parents[1] / "README.md"
HOME = "dadao_sim.algorithms."
TITLES = ("name", "in print", "oracle", "clock", "graphs", "local step", "reference")
TABLE = re.compile(rf"^\| {TITLES[0]} \| {TITLES[1]} .*\n(?:\|.*\n)+", re.MULTILINE)
LOCAL_STEPS = {"none": "", "proven": "yes", "experimental": "experimental"}
ACCENTS = {"'": "\u0301", '"': "\u0308", "`": "\u0300"}


def method_table() -> str:
    """A row per method of the package, in the registry's order; in Markdown."""
    ours = [m for m in METHODS.values() if (m.constants.__module__ or "").startswith(HOME)]
    lines = [TITLES, ("---",) * len(TITLES), *map(row, ours)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def row(method: Method) -> tuple[str, ...]:
    """What the table says of a method."""
    tuning = method.tune(small_problem(), lollipop())
    return (
        f"`{method.name}`",
        method.title,
        oracle(tuning.asked),
        clock(tuning.clock),
        "fixed, time-varying" if method.time_varying else "fixed",
        LOCAL_STEPS[method.composite],
        reference(citation(method)),
    )


def oracle(asked: Any) -> str:
    """What a node computes of its own function."""
    if asked.per_round.local_solves:
        return "local solve"
    parts = (asked.per_round, asked.gradient, asked.exchange)
    return "conjugate gradient" if any(p.conjugate_gradients for p in parts) else "gradient"


def clock(rates: Any) -> str:
    """What makes its events happen."""
    if rates is None:
        return "rounds"
    return "Poisson, nodes and edges" if rates.nodes.any() else "Poisson, edges"


def reference(entry: str) -> str:
    """Authors and year of a BibTeX entry; what is none stays as it is."""
    found = re.search(r"^ *author *= *\{(.+)\},$", entry, re.MULTILINE)
    if found is None:
        return entry
    names = [name.partition(",")[0] for name in plain(found[1]).split(" and ")]
    year = re.search(r"^ *year *= *\{(\d+)\}", entry, re.MULTILINE)
    assert year is not None, entry
    return f"{in_words(names)}, {year[1]}"


def in_words(names: list[str]) -> str:
    """A; A and B; A, B and C; of more than three the first et al."""
    if len(names) > 3:
        return f"{names[0]} et al."
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def plain(text: str) -> str:
    """LaTeX accents as letters."""
    letters = re.sub(r"\{\\(['\"`])(\w)\}", lambda found: found[2] + ACCENTS[found[1]], text)
    return unicodedata.normalize("NFC", letters)


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(TABLE.sub(lambda _: method_table(), text), encoding="utf-8")
