"""The tables of methods in README.md and docs/methods.md, made from what the methods declare.

    make methods      writes them there

What a method asks for (its oracle, its clock, its messages) is found as the simulator finds it, by
tuning it for a small problem.
"""

import inspect
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from dadao_sim import Problem
from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.registry import METHODS, citation
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.testing import lollipop, small_problem

ROOT = Path(__file__).resolve().parents[1]
README, METHODS_PAGE = ROOT / "README.md", ROOT / "docs" / "methods.md"
HOME = "dadao_sim.algorithms."
FAMILIES = {
    "accelerated": "accelerated in mu and L, or in the network too",
    "tracking": "gradient tracking",
    "exact": "one step of gossip and a correction: x* with a fixed step",
    "inexact": "gradient descent and gossip: near x* with a fixed step",
    "local": "several local steps between gossips",
    "compressed": "messages of few bits",
    "dual": "splitting and dual methods",
    "stochastic": "made for gradients of samples",
    "gossip": "averaging alone",
}
"""What the families are; one that is not here stands under its own name."""
TITLES = ("name", "in print", "oracle", "clock", "a message", "takes", "guarantee", "reference")
DIMENSION = 3
LOCAL_STEPS = {"none": "", "proven": "local step", "experimental": "local step (experimental)"}
ACCENTS = {"'": "\u0301", '"': "\u0308", "`": "\u0300"}


def ours() -> list[Method]:
    """The methods of the package, in the registry's order."""
    return [m for m in METHODS.values() if (m.constants.__module__ or "").startswith(HOME)]


def families() -> dict[str, list[Method]]:
    """The same by their families."""
    found: dict[str, list[Method]] = {}
    for method in ours():
        found.setdefault(method.family, []).append(method)
    return found


def short_table() -> str:
    """A row per family; in Markdown."""
    lines = [("what they are", "methods"), ("---", "---")]
    for family, members in families().items():
        names = ", ".join(f"`{method.name}`" for method in members)
        lines.append((FAMILIES.get(family, family), names))
    return _markdown(lines)


def long_tables() -> str:
    """A table per family, a row per method; in Markdown."""
    parts = []
    for family, members in families().items():
        lines = [TITLES, ("---",) * len(TITLES), *map(row, members)]
        title = FAMILIES.get(family, family)
        parts.append(f"### {title[0].upper()}{title[1:]}\n\n{_markdown(lines)}")
    return "\n".join(parts)


def _markdown(lines: list[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def row(method: Method) -> tuple[str, ...]:
    """What the table says of a method."""
    problem = small_problem("ridge" if method.needs_l2 else "least_squares")
    if method.needs_averaging:
        problem = averaging()
    tuning = method.tune(problem, lollipop())
    return (
        f"`{method.name}`",
        method.title,
        oracle(method, tuning.asked),
        clock(tuning.clock),
        message(tuning.asked),
        takes(method),
        guarantee(method),
        reference(citation(method)),
    )


def averaging() -> Problem:
    """Seven points."""
    return Problem.averaging(np.random.default_rng(0).standard_normal((7, DIMENSION)))


def message(asked: Any) -> str:
    """How many in sequence a round has, and what one holds."""
    times = asked.per_round.messages_in_sequence
    floats = asked.message_bytes / 8 / DIMENSION
    held = (
        f"{floats:g} vector{'s' if floats != 1 else ''}" if floats == int(floats) else "compressed"
    )
    return f"{times:g} of {held}" if times > 1 else held


def takes(method: Method) -> str:
    """The options that a user may choose."""
    words = [
        "sequences of graphs" * method.time_varying,
        "minibatches" * method.stochastic,
        LOCAL_STEPS[method.composite],
    ]
    if isinstance(method, RoundMethod):
        own = method.weights is not None or method.server
        words += ["mixing" * (not own), "chebyshev" * (not own and method.compression == "none")]
        words += [f"compression ({method.compression})" * (method.compression != "none")]
    return ", ".join(filter(None, words))


def guarantee(method: Method) -> str:
    """The first sentence of its own under Guarantee."""
    module = next(
        module
        for name, module in sys.modules.items()
        if name.startswith(HOME) and any(thing is method for thing in vars(module).values())
    )
    found = re.search(r"^Guarantee\n((?:    .*\n)+)", f"{inspect.getdoc(module)}\n", re.MULTILINE)
    assert found is not None, method.name
    sentences = re.split(r"(?<=\.) |(?<=;) (?=[A-Z])", " ".join(found[1].split()))
    of_its_own = [s for s in sentences if s.startswith(f"{method.title}: ")]
    chosen = (of_its_own or sentences)[0].removeprefix(f"{method.title}: ").rstrip(".;")
    return (
        (chosen[0].upper() + chosen[1:]).replace("|", r"\|").replace("*", r"\*").replace("_", r"\_")
    )


def oracle(method: Method, asked: Any) -> str:
    """What a node computes of its own function."""
    if method.samples and not isinstance(method, RoundMethod):
        return "step on a sample"
    parts = (asked.per_round, asked.gradient, asked.exchange)
    if not any(p.gradients for p in parts):
        return "none"
    if any(p.local_solves for p in parts):
        return "local solve"
    return "conjugate gradient" if any(p.conjugate_gradients for p in parts) else "gradient"


def clock(rates: Any) -> str:
    """What makes its events happen."""
    if rates is None:
        return "rounds"
    if rates.pace != "poisson":
        of_edges = "steps, nodes and edges" if rates.nodes.any() else "steps, edges"
        return {"steps": of_edges, "walk": "steps, a token"}[rates.pace]
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


def written(text: str, name: str, table: str) -> str:
    """``text`` with the table between the marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    head, found, rest = text.partition(begin)
    assert found, f"no {begin}"
    return f"{head}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


PAGES = {README: ("families", short_table), METHODS_PAGE: ("methods", long_tables)}

if __name__ == "__main__":
    for page, (name, table) in PAGES.items():
        page.write_text(written(page.read_text("utf-8"), name, table()), encoding="utf-8")
