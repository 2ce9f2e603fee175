"""Functions with one meaning and one implementation per type, in compiled code and in plain Python.

``@by_type(position)`` turns a stub into such a function. ``stub.register(Type, implementation)``
adds an implementation for a NamedTuple class ``Type`` at that position of the arguments. Compiled
callers resolve it by overloading when they are compiled (so it is inlined and cached with them);
plain Python resolves it at each call.
"""

import functools
from collections.abc import Callable
from typing import Any

from numba.extending import overload


class ByType:
    """See the module's docstring; made by :func:`by_type`."""

    def __init__(self, stub: Callable[..., Any], position: int):
        self.stub = stub
        self.position = position
        self.implementations: dict[type, Callable[..., Any]] = {}

    def implementation(self, cls: type) -> Callable[..., Any]:
        """The implementation for ``cls``; TypeError where none is registered."""
        for ancestor in cls.__mro__:
            if ancestor in self.implementations:
                return self.implementations[ancestor]
        raise TypeError(f"{self.stub.__name__}() has no implementation for {cls.__name__}")


def by_type(position: int) -> Callable[[Callable[..., Any]], Any]:
    """Decorate a stub whose argument number ``position`` decides which implementation runs."""

    def decorate(stub: Callable[..., Any]) -> Callable[..., Any]:
        table = ByType(stub, position)

        @functools.wraps(stub)
        def call(*arguments: Any) -> Any:
            return table.implementation(type(arguments[position]))(*arguments)

        def resolve(*arguments: Any) -> Callable[..., Any]:
            implementation = table.implementation(arguments[position].instance_class)
            return getattr(implementation, "py_func", implementation)

        overload(call, strict=False, jit_options={"forceinline": True})(resolve)
        call.register = table.implementations.__setitem__  # type: ignore[attr-defined]
        call.implementations = table.implementations  # type: ignore[attr-defined]
        call.implementation = table.implementation  # type: ignore[attr-defined]
        return call

    return decorate
