"""Which arrays an objective or an operator writes to while it answers: each thread has its own.

What a NamedTuple of this package does not declare, it only reads (tests prove it). A NamedTuple of
a user that declares nothing is played by one thread.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Class = TypeVar("Class", bound=type)
DECLARED: dict[type, tuple[str, ...]] = {}


def workspace(*names: str) -> Callable[[Class], Class]:
    """Decorate a NamedTuple whose verbs write to the arrays ``names`` of it, and to no others; of
    names there may be none.
    """

    def declare(cls: Class) -> Class:
        DECLARED[cls] = names
        return cls

    return declare


def own(parts: Any) -> Any:
    """The same objective or operator with workspaces of its own, down to what it is made of."""
    if not isinstance(parts, tuple):
        return parts
    names = DECLARED.get(type(parts), ())
    if not hasattr(parts, "_fields"):
        return tuple(own(part) for part in parts)
    copies = {
        name: part.copy() if name in names else own(part)
        for name, part in parts._asdict().items()  # type: ignore[attr-defined]
    }
    return type(parts)(**copies)


def shareable(parts: Any) -> bool:
    """Whether threads can play with it, each with what is its :func:`own`."""
    if parts is None or isinstance(parts, np.ndarray) or np.isscalar(parts):
        return True
    if not isinstance(parts, tuple):
        return False
    cls = type(parts)
    known = cls in DECLARED or cls is tuple or cls.__module__.startswith("dadao_sim.")
    return known and all(shareable(part) for part in parts)
