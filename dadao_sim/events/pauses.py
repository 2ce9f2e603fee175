"""A clock that stops now and then: nothing happens in a pause, and all is that much later."""

from dataclasses import dataclass, replace

import numpy as np

from dadao_sim.events.clock import Clock
from dadao_sim.events.log import Events


@dataclass
class PausedClock:
    """``clock``, with ``times`` pauses of ``length``, each after ``every`` more units of its time.

    What happens at the very end of these units is before the pause.
    """

    clock: Clock
    every: float
    times: int
    length: float

    def window(self) -> Events:
        """The next events, each later by the pauses before it."""
        events = self.clock.window()
        ends = self.every * np.arange(1, self.times + 1)
        pauses = np.searchsorted(ends, events.time, side="left")
        return replace(events, time=events.time + self.length * pauses)
