"""The tables of methods in README.md and docs/methods.md, made from what the methods declare.

make methods      writes them there
"""

from pathlib import Path

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.reports.methods import FAMILIES, Described

ROOT = Path(__file__).resolve().parents[1]
README, METHODS_PAGE = ROOT / "README.md", ROOT / "docs" / "methods.md"
HOME = "dadao_sim.algorithms."
TITLES = ("name", "in print", "oracle", "clock", "a message", "takes", "guarantee", "reference")


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
    described = Described(method)
    assert described.guarantee, method.name
    return (
        f"`{method.name}`",
        method.title,
        described.oracle,
        described.clock,
        described.message,
        ", ".join(["sequences of graphs"] * method.time_varying + described.takes),
        described.guarantee.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_"),
        described.reference,
    )


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
