"""The examples of docs/your-own.md: the files of a user, and the scenario that names them."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "your-own.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = {
    re.findall(r"# (\S+\.py)\n", block)[0]: block
    for block in re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
}
(SCENARIO,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)


def write(folder: Path) -> Path:
    """The files in ``folder``; the scenario there."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / "mine.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path
