"""The examples of docs/your-own.md: the files of a user, and the scenario that names them."""

from pathlib import Path

import pages

BLOCKS = pages.blocks("docs/your-own.md")
FILES = {block.name: block.text for block in BLOCKS if block.language == "python"}
(SCENARIO,) = (block.text for block in BLOCKS if block.name == "mine.yaml")


def write(folder: Path) -> Path:
    """The files in ``folder``; the scenario there."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "mine.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path
