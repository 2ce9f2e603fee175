"""The constants of a method: assigned in the order of its paper, any of them overridden by name."""

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dadao_sim.errors import InputError


class Constants:
    """The constants of a method, assigned in the order of the paper; an override wins over the
    formula.

    What is computed later from an overridden constant uses the override::

        c = Constants("dadao", {"nu": 0.1})
        c.nu = mu / 2                # is 0.1
        c.r = sqrt(c.nu / L)         # follows
    """

    values: dict[str, float]

    def __init__(self, method: str, overrides: Mapping[str, float]):
        # Past __setattr__, which is for constants.
        vars(self).update(values={}, _method=method, _overrides=dict(overrides))

    def __setattr__(self, name: str, value: Any) -> None:
        self.values[name] = float(self._overrides.get(name, value))

    def __getattr__(self, name: str) -> Any:
        if name not in vars(self).get("values", {}):
            raise AttributeError(name)
        return self.values[name]

    def measure(self, **functions: Callable[[], float]) -> None:
        """Assign what is dear to compute: a function is called only where no override is given."""
        for name, function in functions.items():
            setattr(self, name, self._overrides[name] if name in self._overrides else function())

    def whole(self, name: str, value: int, least: int = 1, most: float = math.inf) -> int:
        """Assign a count; InputError where an override is no whole number in the range."""
        setattr(self, name, value)
        count = self.values[name]
        if not (least <= count <= most and count == int(count)):
            limit = f"of at least {least}" if most == math.inf else f"from {least} to {most:g}"
            raise InputError(
                f"algorithms: {self._method}: parameter {name!r} must be a whole number {limit}, "
                f"not {count:g}"
            )
        return int(count)

    def positive(self, *names: str) -> None:
        """InputError where an override of one of ``names`` is not above 0."""
        for name in names:
            if not self.values[name] > 0:
                raise InputError(
                    f"algorithms: {self._method}: parameter {name!r} must be above 0, "
                    f"not {self.values[name]:g}"
                )

    def fill(self, params: Any, **arrays: Any) -> Any:
        """An instance of the NamedTuple ``params`` from the constants and ``arrays``.

        Raises InputError for an override that names no constant or is not a finite number.
        """
        for name, value in self._overrides.items():
            where = f"algorithms: {self._method}: parameter {name!r}"
            if name not in self.values:
                near = difflib.get_close_matches(name, self.values, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                known = ", ".join(self.values)
                raise InputError(f"{where} is unknown{hint} (known: {known})")
            if not np.isfinite(value):
                raise InputError(f"{where} must be a finite number, not {value}")
        chosen = {name: value for name, value in self.values.items() if name in params._fields}
        return params(**chosen, **arrays)
