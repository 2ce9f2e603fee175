"""SimPy's environment for very many pending events: its queue holds only those that come next."""

from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Any

import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL

# The order does not depend on either.
IN_A_DAY = 256  # entries that come at a time, about
MANY = 2048  # entries of which a heap is slow

Entry = tuple[float, int, int, Any]  # time, priority, number, event


class Agenda(simpy.Environment):
    """An environment that keeps what is far away by days, each unsorted until it has come.

    A heap of 300 000 entries is read all over at each step, and no cache holds it. Here day
    floor(time ``per_unit``) is a list; the queue of SimPy is the heap of what is left of ``today``.
    The order is that of SimPy: by time, then priority, then which was scheduled first.
    """

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[Any] = []
        self.per_unit, self.today = 0.0, 0  # one day, until `spread` says otherwise
        self.days: dict[int, list[Entry]] = {}
        self.coming: list[int] = []  # a heap of the days that there are
        self.pending, self.come = 0, 0  # entries when days were chosen last, and come since then

    def schedule(self, event: Any, priority: Any = NORMAL, delay: float = 0) -> None:
        """Let ``event`` happen ``delay`` from now."""
        time = self._now + delay
        entry = (time, priority, next(self._eid), event)
        day = int(time * self.per_unit)
        if day <= self.today:
            heappush(self._queue, entry)
        elif day in self.days:
            self.days[day].append(entry)
        else:
            self.days[day] = [entry]
            heappush(self.coming, day)

    def spread(self) -> None:
        """Choose days in which about ``IN_A_DAY`` of what is pending comes, where that is many."""
        entries = [*self._queue, *chain.from_iterable(self.days.values())]
        later = sorted(entry[0] - self._now for entry in entries if entry[0] > self._now)
        self.pending, self.come = len(entries), 0
        if len(later) <= MANY:
            return
        half = len(later) // 2  # what comes late, such as crashes, is not to make days long
        self.per_unit = half / IN_A_DAY / later[half]
        self.today = int(self._now * self.per_unit)
        self._queue, self.days = [], {}
        for entry in entries:
            day = int(entry[0] * self.per_unit)
            if day <= self.today:
                self._queue.append(entry)
            else:
                self.days.setdefault(day, []).append(entry)
        heapify(self._queue)
        self.coming = sorted(self.days)

    def _next_day(self) -> None:
        """Put the day that comes next into the queue, which is empty."""
        if self.coming:
            self.today = heappop(self.coming)
            self._queue = self.days.pop(self.today)
            heapify(self._queue)
            self.come += len(self._queue)
            if len(self._queue) > MANY and self.come > self.pending:  # too long a day, not just now
                self.spread()

    def step(self) -> None:
        """The next event, as in SimPy."""
        if not self._queue:
            self._next_day()
        super().step()

    def steps(self, count: int) -> None:
        """``count`` times ``step``, in one call. EmptySchedule where nothing is left."""
        left = count
        while left > 0:
            queue = self._queue
            if not queue:
                self._next_day()
                queue = self._queue
                if not queue:
                    raise EmptySchedule
            while queue and left > 0:
                left -= 1
                self._now, _, _, event = heappop(queue)
                callbacks = event.callbacks
                event.callbacks = None
                for callback in callbacks:
                    callback(event)
                if not event._ok and not hasattr(event, "_defused"):
                    raise event._value
