"""The clock of synchronous methods: one round of all nodes per unit of time."""

from typing import Any

import numpy as np

from dadao_sim.events.log import ROUND, TYPES, Events

WINDOW = 1024  # rounds drawn at a time; part of what a seed means


class RoundClock:
    """A source of windows of ``WINDOW`` rounds each; round k ends at time k."""

    def __init__(self, seed: np.random.SeedSequence):
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.first_row = 0

    def window(self) -> Events:
        """The next ``WINDOW`` rounds."""
        arrays: dict[str, Any] = {
            name: np.full(WINDOW, -1).astype(kind) for name, kind in TYPES.items()
        }
        arrays["time"] = np.arange(self.first_row + 1, self.first_row + WINDOW + 1, dtype=float)
        arrays["kind"][:] = ROUND
        arrays["mark"] = self.rng.integers(0, 2**64, size=WINDOW, dtype=np.uint64)
        events = Events(**arrays, first_row=self.first_row)
        self.first_row += WINDOW
        return events
