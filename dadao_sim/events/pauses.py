"""A clock that stops now and then: nothing happens in a pause, and all is that much later."""

from dataclasses import dataclass, replace

import numpy as np

from dadao_sim.events.clock import Clock
from dadao_sim.events.log import Events


@dataclass
class PausedClock:
    """``clock``, with a pause of ``length`` at each of ``at`` (k,), in its own time; what happens
    at that very time is before the pause.
    """

    clock: Clock
    at: np.ndarray
    length: float

    def window(self) -> Events:
        """The next events, each later by the pauses before it."""
        events = self.clock.window()
        pauses = np.searchsorted(self.at, events.time, side="left")
        return replace(events, time=events.time + self.length * pauses)
