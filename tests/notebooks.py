"""The notebooks of docs/notebooks: their cells run in order, and what a notebook shows of them.

    python tests/notebooks.py        # runs them, and writes what they show into them

A last line that is an expression shows its table (HTML), its figure (PNG) or its text; what is
printed stands before it. Nothing in them depends on the time or the machine.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TEXT, HTML, PNG = "text/plain", "text/html", "image/png"


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of code."""
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def shown(path: Path) -> list[list[dict[str, Any]]]:
    """What each cell of code shows, all run in one namespace."""
    names: dict[str, Any] = {"__name__": "__main__"}
    return [_run("".join(cell["source"]), names, path) for cell in cells(path)]


def _run(source: str, names: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    # Of a notebook: an expression, unless a semicolon says that it is not to be shown.
    shows = isinstance(last, ast.Expr) and not source.rstrip().endswith(";")
    out, value = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        if shows:
            tree.body.pop()
        exec(compile(tree, path.name, "exec"), names)
        if shows:
            value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
    outputs: list[dict[str, Any]] = []
    if text := out.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None:
        outputs.append({"output_type": "execute_result", "metadata": {}, "data": _data(value)})
    return outputs


def _data(value: Any) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if hasattr(value, "_repr_png_"):
        data[PNG] = base64.b64encode(value._repr_png_()).decode() + "\n"
    if html := getattr(value, "_repr_html_", lambda: None)():
        data[HTML] = _lines(html)
    return {**data, TEXT: _lines(repr(value))}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def write(path: Path) -> None:
    """Run a notebook, and write what it shows into it."""
    notebook = read(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, outputs) in enumerate(zip(code, shown(path), strict=True), 1):
        cell["execution_count"] = number
        for output in outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = number
        cell["outputs"] = outputs
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or NOTEBOOKS:
        write(Path(name))
