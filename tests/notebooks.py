"""The notebooks of docs/notebooks, run as Jupyter runs them: each in a kernel of its own.

    python tests/notebooks.py        # runs them, and writes what they show into them

Nothing in them depends on the time or the machine.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
TEXT, HTML, PNG = "text/plain", "text/html", "image/png"


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def executed(path: Path, folder: Path) -> NotebookNode:
    """The notebook as it is after a new kernel has run it, in ``folder``."""
    notebook = read(path)
    for cell in cells(notebook):
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",  # of this Python
        resources={"metadata": {"path": str(folder)}},
        timeout=600,
        record_timing=False,
    )
    return client.execute()


def write(path: Path) -> None:
    """Run a notebook, and write what it shows into it."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(path, Path(folder))
    notebook.metadata.language_info = {"name": "python"}  # of whatever version
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:] or NOTEBOOKS:
        write(Path(name))
