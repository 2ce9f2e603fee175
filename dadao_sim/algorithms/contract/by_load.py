"""Sets of constants that follow what is on its way."""

from collections.abc import Iterator, Mapping

import numpy as np


class ByLoad(Mapping[str, float]):
    """Factors of constants, each a function of the load of the links: as a mapping those without
    any, and ``at`` a load others.

    The load is the largest eigenvalue of the Laplacian of latencies times rates (per unit of time,
    in its units), the rates those of the constants of the paper. ``loads`` (k,), ascending and
    above 0, are those for which ``factors`` have k numbers each; between them logarithms are linear
    in that of the load, and beyond them factors stay as they are.
    """

    def __init__(self, loads: tuple[float, ...], factors: Mapping[str, tuple[float, ...]]):
        self.loads = loads
        self._factors = dict(factors)

    def __getitem__(self, name: str) -> float:
        return self._factors[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    @property
    def most(self) -> float:
        """The last of the loads, reckoned with the rates that the constants have there."""
        return self.loads[-1] * self._factors.get("total_rate", (1.0,))[-1]

    def at(self, load: float) -> dict[str, float]:
        """The factors at a load of at least 0."""
        if load <= self.loads[0]:
            return dict(self)
        place = np.log(load)
        return {
            name: float(np.exp(np.interp(place, np.log(self.loads), np.log(values))))
            for name, values in self._factors.items()
        }
