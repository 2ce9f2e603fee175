"""Where things of one kind are found by name: the package's own, an installed package's, a user's.

A registry has a home, a package of this one whose modules are read when it is first asked; there a
new thing is a file, or a place in one, and nothing else. Installed packages join by an entry point
in the group ``dadao_sim.plugins`` that names a module; a user's file by ``plugins:`` in a scenario
(see ``plugins``); a notebook by ``register``.
"""

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any, Generic, TypeVar

from dadao_sim.errors import InputError
from dadao_sim.strict import suggestion

T = TypeVar("T")

GROUP = "dadao_sim.plugins"
REGISTRIES: list["Registry[Any]"] = []


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name.

    Args:
        what: how one of them is called in an error, such as ``method``.
        home: the dotted package, or module, that holds our own; all modules in it are read.
        names: what a module's attribute is called here: its names, or none if it is no such thing.
        order: sorts what the home holds; by name where it is not given. Others follow as they come.

    """

    def __init__(
        self,
        what: str,
        home: str,
        names: Callable[[Any], tuple[str, ...]],
        order: Callable[[T], Any] | None = None,
    ):
        self.what, self.home, self.names, self.order = what, home, names, order
        self._things: dict[str, T] = {}
        self._ours: tuple[str, ...] = ()
        self._is_read = False
        REGISTRIES.append(self)

    def register(self, thing: T) -> T:
        """Add ``thing`` under its names, in the place of earlier ones of that name."""
        names = self.names(thing)
        if not names:
            raise InputError(f"register: {thing!r:.80} is no {self.what}")
        self._read()
        self._things.update(dict.fromkeys(names, thing))
        return thing

    def collect(self, module: ModuleType) -> list[str]:
        """Add what ``module`` itself defines of this kind; the names that were added.

        InputError for two things of one name.
        """
        found: dict[str, T] = {}
        for thing in vars(module).values():
            if isinstance(thing, type) and thing.__module__ != module.__name__:
                continue
            for name in self.names(thing):
                if found.setdefault(name, thing) is not thing:
                    raise InputError(f"{self.what} {name!r} is defined twice")
        self._things.update(found)
        return list(found)

    def __getitem__(self, name: str) -> T:
        self._read()
        if not isinstance(name, str):
            raise InputError(self.what, f"a name is needed, not a {type(name).__name__}")
        if name not in self._things:
            near = suggestion(name, self, self.titles)
            raise InputError(self.what, f"{name!r:.60} is unknown{near}")
        return self._things[name]

    def __contains__(self, name: object) -> bool:
        self._read()
        return isinstance(name, str) and name in self._things

    def __iter__(self) -> Iterator[str]:
        self._read()
        return iter(self._things)

    def __len__(self) -> int:
        self._read()
        return len(self._things)

    def __delitem__(self, name: str) -> None:
        del self._things[name]

    @property
    def titles(self) -> dict[str, str]:
        """How things are called in print, by their names."""
        return {name: str(getattr(thing, "title", name)) for name, thing in self.items()}

    @property
    def ours(self) -> tuple[str, ...]:
        """The names that the home gives."""
        self._read()
        return self._ours

    def _read(self) -> None:
        if self._is_read:
            return
        self._is_read = True  # what is read may ask in turn
        try:
            self._read_all()
        except BaseException:
            self._is_read = False  # the next who asks hears of it too
            self._things.clear()
            raise

    def _read_all(self) -> None:
        home = import_module(self.home)
        for module in (home, *_modules(home)):
            self.collect(module)
        if self.order is not None:
            order = self.order
            self._things = dict(sorted(self._things.items(), key=lambda item: order(item[1])))
        else:
            self._things = dict(sorted(self._things.items()))
        self._ours = tuple(self._things)
        for entry, module in _installed():
            before = self._things.copy()
            for name in self.collect(module):
                if name in before and before[name] is not self._things[name]:
                    self._things = before
                    raise InputError(
                        f"{entry}: {self.what} {name!r} is there already; give it another name, "
                        "or uninstall the plug-in"
                    )


Contents = list[tuple[Registry[Any], dict[str, Any]]]


def contents() -> Contents:
    """What every registry holds now."""
    return [(registry, dict(registry)) for registry in REGISTRIES]


def put_back(earlier: Contents) -> None:
    """Let every registry hold what it held then."""
    for registry, things in earlier:
        registry._things = things.copy()


def _modules(package: ModuleType) -> list[ModuleType]:
    """The modules straight below a package, in the order of their names."""
    if not hasattr(package, "__path__"):
        return []
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg)
    return [import_module(f"{package.__name__}.{name}") for name in names]


def _installed() -> list[tuple[str, ModuleType]]:
    """The installed plug-ins and their modules. InputError for one that cannot be imported."""
    modules = []
    for entry in entry_points(group=GROUP):
        called = f"plug-in {entry.name!r} ({entry.value})"
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"{called} cannot be imported ({reason:.150}); mend or uninstall it"
            ) from error
        if not isinstance(module, ModuleType):
            raise InputError(
                f"{called} names a {type(module).__name__}; it must name a module, whose methods, "
                "terms and so on are found"
            )
        modules.append((called, module))
    return modules
