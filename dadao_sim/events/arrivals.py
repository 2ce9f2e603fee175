"""A clock by which what is sent takes a fixed time until it arrives."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dadao_sim.events.clock import Clock
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    SEND,
    SEND_ONE,
    TYPES,
    Events,
)

COLUMNS = tuple(TYPES)


@dataclass
class Arrivals:
    """``clock``, each of whose exchanges and messages arrives ``delay`` (>= 0) after it began.

    An exchange becomes a row of SEND and later one for each end; a message one way one of arrival.
    What takes no time arrives in the row after that in which it was sent, and an exchange that
    takes none stays one row.
    """

    clock: Clock
    delay: float
    first_row: int = 0
    under_way: dict[str, np.ndarray] = field(
        default_factory=lambda: {name: np.empty(0, kind) for name, kind in TYPES.items()}
    )

    def window(self) -> Events:
        """The next events of the clock, and what arrives until the last of them."""
        events = self.clock.window()
        rows = {name: getattr(events, name) for name in COLUMNS}
        if self.delay > 0:
            rows["kind"] = np.where(rows["kind"] == GOSSIP, SEND, rows["kind"]).astype(np.uint8)
        sent, old = len(events), len(self.under_way["time"])
        # `begun` numbers what a row ends: -1 - k for row k of this window, until that has a place.
        begun = [rows]
        for kind, ends in ((SEND, (ARRIVE_I, ARRIVE_J)), (SEND_ONE, (ARRIVE_ONE,))):
            which = np.flatnonzero(rows["kind"] == kind)
            for end in ends:
                there = {name: values[which] for name, values in rows.items()}
                there["time"] = there["time"] + self.delay
                there["kind"] = np.full(len(which), end, dtype=np.uint8)
                there["start"] = -1 - which.astype(np.int64)
                if end == ARRIVE_ONE:
                    there["i"], there["j"] = there["j"], there["i"]
                begun.append(there)
        arrivals = {name: np.concatenate([part[name] for part in begun[1:]]) for name in COLUMNS}
        # Of two rows at one time that which began first comes first, and what is sent before what
        # arrives; an arrival right behind what it ends.
        place = np.concatenate([np.full(old, -1.0), np.arange(sent), -1.0 - arrivals["start"]])
        is_end = np.concatenate([np.ones(old), np.zeros(sent), np.ones(len(arrivals["time"]))])
        every: dict[str, Any] = {
            name: np.concatenate([self.under_way[name], rows[name], arrivals[name]])
            for name in COLUMNS
        }
        fresh = np.concatenate([np.zeros(old + sent, bool), np.ones(len(arrivals["time"]), bool)])
        order = np.lexsort((every["kind"], is_end, place, every["time"]))
        every = {name: values[order] for name, values in every.items()}
        fresh, origin = fresh[order], (order - old)
        number = np.full(sent, -1, dtype=np.int64)
        of_window = np.flatnonzero((origin >= 0) & (origin < sent))
        number[origin[of_window]] = self.first_row + of_window
        every["start"][fresh] = number[-1 - every["start"][fresh]]
        now = int(np.searchsorted(every["time"], events.time[-1], side="right"))
        self.under_way = {name: values[now:] for name, values in every.items()}
        found = Events(
            **{name: values[:now] for name, values in every.items()}, first_row=self.first_row
        )
        self.first_row += now
        return found
