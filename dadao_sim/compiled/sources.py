"""What a result can come from: files of the package and what they import in turn, and a digest."""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent

# Imports at the left margin: compiled code cannot import in a function, nor know a type checker's.
IMPORT = re.compile(r"^(?:from ([\w.]+) import (\([^)]*\)|[^\n]*)|import ([\w.]+))", re.MULTILINE)


def sources(is_root: Callable[[str, set[str]], bool], package: Path = PACKAGE) -> list[Path]:
    """The files of the modules below ``package`` for which ``is_root(name, imports)``, and of
    whatever they import in turn at their tops, sorted.
    """
    modules = {
        ".".join((package.name, *path.relative_to(package).with_suffix("").parts)): path
        for path in package.rglob("*.py")
    }
    imports = {module: _imports(path.read_text("utf-8")) for module, path in modules.items()}
    pending = [module for module in modules if is_root(module, imports[module])]
    reached: set[str] = set()
    while pending:
        module = pending.pop()
        for name in (module, f"{module}.__init__"):
            if name in modules and name not in reached:
                reached.add(name)
                pending += imports[name]
    return sorted(modules[module] for module in reached)


def _imports(text: str) -> set[str]:
    """What a file imports: each module, and each name from it, which may be a module itself."""
    found = set()
    for module, names, plain in IMPORT.findall(text):
        words = re.findall(r"\w+", re.sub(r"#.*|\bas \w+", "", names))
        found |= {module or plain, *(f"{module}.{word}" for word in words)}
    return found


def digest(files: Iterable[Path], package: Path = PACKAGE, more: str = "") -> str:
    """Digest (16 hex digits) of names and contents of ``files``, and of ``more``."""
    mixed = hashlib.sha256(more.encode())
    for path in files:
        mixed.update(path.relative_to(package).as_posix().encode())
        mixed.update(b"\0")
        mixed.update(path.read_bytes())
        mixed.update(b"\0")
    return mixed.hexdigest()[:16]
