"""Figures draw from results and reports, and know nothing below them."""

import ast
from pathlib import Path

import pytest

import dadao_sim.plotting

FLOORS = ("plotting", "results", "reports", "errors", "files", "strict", "text")
MODULES = sorted(Path(dadao_sim.plotting.__path__[0]).glob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, also inside functions and for types."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.startswith("dadao_sim.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_figure_imports_results_and_reports_only(path):
    rooms = {name.split(".")[1] for name in imported(path)}
    assert rooms <= set(FLOORS)


def test_imports_are_found_where_they_hide(tmp_path):
    hidden = "def f():\n    from dadao_sim.problems import build\n"
    (tmp_path / "m.py").write_text(f"if TYPE_CHECKING:\n    import dadao_sim.events.log\n{hidden}")
    assert imported(tmp_path / "m.py") == {
        *("dadao_sim.events.log", "dadao_sim.problems", "dadao_sim.problems.build"),
    }
    assert len(MODULES) > 5
