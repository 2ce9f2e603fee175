"""A log that is there already, as a clock."""

from typing import Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events.log import ROUND, TYPES, Events

_NEVER: dict[str, Any] = {name: np.full(1, -1).astype(kind) for name, kind in TYPES.items()}
_NEVER |= {"time": np.array([np.inf]), "kind": np.array([ROUND], dtype=np.uint8)}


class LogClock:
    """The rows of ``log``, in the method's units of time, and after them none: the next would be at
    the end of time.

    Raises InputError for a log with nothing after time 0.
    """

    def __init__(self, log: Events):
        if len(log) == 0 or not log.time[-1] > 0:
            raise InputError("events", "the log has none after time 0", "give one that has")
        self.end = float(log.time[-1])
        self._windows = [log, Events(**_NEVER, first_row=log.first_row + len(log))]

    def window(self) -> Events:
        """The log; the second time what never comes."""
        return self._windows.pop(0)
