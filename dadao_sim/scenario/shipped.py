"""The scenarios and networks that travel with the package."""

import os.path
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """Folder of the shipped scenarios or graphs: in the package, or beside it in a clone."""
    inside = PACKAGE / "shipped" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def scenarios() -> dict[str, Path]:
    """Every shipped scenario by the name that ``run`` takes, such as ``paper/star-regression``."""
    root = folder("scenarios")
    return {
        path.relative_to(root).with_suffix("").as_posix(): path
        for path in sorted(root.rglob("*.yaml"))
    }


def scenario_path(name: str) -> Path:
    """A file by its path, else the shipped scenario of that name, else the path as it was given."""
    path = Path(name)
    return path if os.path.exists(path) else scenarios().get(name.removesuffix(".yaml"), path)
