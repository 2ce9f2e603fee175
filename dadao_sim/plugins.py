"""A user's own methods, terms, graphs, problems, data, faults and metrics, from a file of theirs.

    name: mine
    plugins: [my_dgd.py]
    algorithms: [dadao, dgd]

A plug-in is one file: what it says besides is content of the result, like that of a data file, and
is in its digest; several files make a package, which joins by an entry point (``registration``).
It becomes a module named by its place and its content, so that a worker process that reads the same
bytes has the same module, and what is pickled by name is found there.
"""

import hashlib
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

# Whoever reads a plug-in has to know what it can give: these modules declare the registries.
import dadao_sim.algorithms.contract.registry
import dadao_sim.events.world.durations
import dadao_sim.events.world.fault
import dadao_sim.local_steps.quantise
import dadao_sim.local_steps.terms
import dadao_sim.metrics
import dadao_sim.networks.graphs
import dadao_sim.problems.data.partition
import dadao_sim.problems.data.source
import dadao_sim.problems.kinds.kind  # noqa: F401
from dadao_sim.errors import InputError, within
from dadao_sim.registration import REGISTRIES, Contents, contents, put_back


@dataclass(frozen=True)
class Plugin:
    """A file that was read: where it is, what is in it, and the names that it gives by kind."""

    path: Path
    content: bytes
    module: ModuleType
    gives: dict[str, list[str]]

    @property
    def sha256(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def file(self) -> tuple[str, bytes]:
        """Its name and its content, for :func:`only` in another process."""
        return str(self.path), self.content

    def __str__(self) -> str:
        kinds = (f"{what} {', '.join(names)}" for what, names in self.gives.items())
        return f"{self.path.name}: {'; '.join(kinds)}"


_LOADED: dict[Path, Plugin] = {}
_LOADING: set[Path] = set()


def load(path: str | Path) -> Plugin:
    """Read a Python file, and offer what it defines to every registry.

    The same content is read once; a file that has changed is read again, and what it gave before is
    forgotten. Raises InputError, one line with the file, for one that is not there or no Python
    file, that fails, that gives nothing, and that gives what is there already.
    """
    path = Path(path)
    if path.suffix != ".py":
        raise InputError(f"{path}: a plug-in is a Python file, whose name ends in .py")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return define(path, content)


def define(path: str | Path, content: bytes) -> Plugin:
    """See :func:`load`: for a file whose content is known."""
    path = Path(path).resolve()
    known = _LOADED.get(path)
    if known is not None and known.content == content:
        return known
    if path in _LOADING:
        raise InputError(
            f"{path.name}: asks for itself while it is read; put what it runs below "
            'if __name__ == "__main__":'
        )
    before = contents()
    _LOADING.add(path)
    try:
        forget([known] if known is not None else [])
        others = contents()
        module = _module(path, content)
        gives = _gives(path, module, others)
    except BaseException:
        put_back(before)
        sys.modules.pop(_module_name(path, content), None)
        if known is not None:
            _LOADED[path] = known
        raise
    finally:
        _LOADING.remove(path)
    _LOADED[path] = Plugin(path, content, module, gives)
    return _LOADED[path]


def loaded(path: str | Path) -> Plugin:
    """The plug-in as it was read from this file, whatever has become of the file."""
    return _LOADED.get(Path(path).resolve()) or load(path)


def known() -> list[Plugin]:
    """Those that were read and are not forgotten."""
    return list(_LOADED.values())


def only(files: Iterable[tuple[str, bytes]]) -> None:
    """Let the plug-ins be these files and no others: what a worker process needs to know."""
    wanted = dict(files)
    forget([plugin for plugin in known() if str(plugin.path) not in wanted])
    for path, content in wanted.items():
        define(path, content)


def forget(plugins: Iterable[Plugin]) -> None:
    """Take what plug-ins gave out of the registries."""
    for plugin in plugins:
        del _LOADED[plugin.path]
        for registry in REGISTRIES:
            for name in plugin.gives.get(registry.what, ()):
                if name in registry:
                    del registry[name]


def _module_name(path: Path, content: bytes) -> str:
    digest = hashlib.sha256(str(path).encode() + b"\0" + content).hexdigest()[:16]
    return f"dadao_sim_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{digest}"


def _module(path: Path, content: bytes) -> ModuleType:
    """The content as a module. InputError says in which line it fails."""
    module = ModuleType(_module_name(path, content))
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        # Not by the import system, which would keep bytecode of an older content of equal size.
        exec(compile(content, str(path), "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"{path.name}{_line(path, error)}: cannot be read: {said}") from error
    return module


def _line(path: Path, error: BaseException) -> str:
    """``:12`` where the error comes from line 12 of the file, or from what that line calls."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


def _gives(path: Path, module: ModuleType, others: Contents) -> dict[str, list[str]]:
    """What is new in the registries: found in ``module``, or registered by it as it was read."""
    gives: dict[str, list[str]] = {}
    for registry, earlier in others:
        with within(path.name):
            registry.collect(module)
        new = [name for name, thing in registry.items() if earlier.get(name) is not thing]
        for name in new:
            if name in earlier:
                owner = _owner(registry.what, name, name in registry.ours)
                raise InputError(
                    f"{path.name}: {registry.what} {name!r} is {owner}; give it another name"
                )
        if new:
            gives[registry.what] = new
    if not gives:
        kinds = ", ".join(sorted(registry.what for registry in REGISTRIES))
        raise InputError(f"{path.name}: defines nothing that counts; one of these would: {kinds}")
    return dict(sorted(gives.items()))


def _owner(what: str, name: str, is_ours: bool) -> str:
    if is_ours:
        return "one of this package"
    for plugin in _LOADED.values():
        if name in plugin.gives.get(what, ()):
            return f"given by {plugin.path} already"
    return "registered already"


def check_unchanged(used: Iterable[Mapping[str, str]], named: Iterable[str]) -> None:
    """InputError where the files of a manifest, ``used`` with their digests, are not there, are
    others by now, or are not those that its scenario has ``named``.
    """
    used = list(used)
    for plugin in used:
        path = Path(plugin["file"])
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            said = str(error.strerror).lower()
            raise InputError("result", f"it needs its plug-in: {path}: {said}") from None
        # Before it is run: a file that nobody named in a scenario is nobody's plug-in.
        if found != plugin["sha256"]:
            raise InputError("result", f"its plug-in {path} has changed since it was run")
    if [str(Path(name).resolve()) for name in named] != [plugin["file"] for plugin in used]:
        raise InputError("result", "its scenario names other plug-ins than it was run with")
