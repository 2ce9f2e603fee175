"""SimPy's environment for very many pending events: only those that come next stand in order."""

from bisect import bisect_right
from heapq import heappop, heappush
from itertools import islice
from math import inf
from operator import length_hint
from typing import Any

import numpy as np
import simpy
from simpy.core import EmptySchedule
from simpy.events import NORMAL

# The order does not depend on either.
IN_A_DAY = 64  # events that come at a time, about
MANY = 1024  # events that are too many for a day

Day = tuple[list[float], list[Any]]  # when, and the event


class Agenda(simpy.Environment):
    """An environment that keeps what is far away by days, each unsorted until it has come.

    A heap of 300 000 entries is read all over at each step, and no cache holds it. Here day
    floor(time ``per_unit``) is two lists, sorted when it comes; what is left of ``today`` is
    ``times`` and ``events``. The order is that of SimPy: by time, then priority, then which was
    scheduled first. What is not of the usual priority stands in the queue of SimPy.
    """

    def __init__(self) -> None:
        super().__init__()
        self.per_unit, self.today = 0.0, -1  # one day, until `spread` says otherwise
        self.times: list[float] = []
        self.events: list[Any] = []
        self.days: dict[int, Day] = {}
        self.coming: list[int] = []  # a heap of the days that there are
        self.pending, self.come = 0, 0  # events when days were chosen last, and come since then

    def schedule(self, event: Any, priority: Any = NORMAL, delay: float = 0) -> None:
        """Let ``event`` happen ``delay`` from now."""
        if priority != NORMAL:
            super().schedule(event, priority, delay)
            return
        self._at(self._now + delay, event)

    def _at(self, time: float, event: Any) -> None:
        day = int(time * self.per_unit)
        if day <= self.today:
            place = bisect_right(self.times, time)
            self.times.insert(place, time)
            self.events.insert(place, event)
        elif day in self.days:
            times, events = self.days[day]
            times.append(time)
            events.append(event)
        else:
            self.days[day] = [time], [event]
            heappush(self.coming, day)

    def spread(self) -> None:
        """Choose days in which about ``IN_A_DAY`` of what is pending comes, where that is many."""
        before = [(self.times, self.events), *self.days.values()]
        times = np.concatenate([times for times, _ in before])
        self.pending, self.come = len(times), 0
        later = times[times > self._now] - self._now
        if len(later) <= MANY:
            return
        # What comes late, such as crashes, is not to make days long.
        self.per_unit = float(len(later) / 2 / IN_A_DAY / np.median(later))
        self.today = int(self._now * self.per_unit) - 1
        self.times, self.events, self.days, self.coming = [], [], {}, []
        for day_before in before:
            for time, event in zip(*day_before, strict=True):
                self._at(time, event)
        self._next_day()

    def _next_day(self) -> None:
        """Put the day that comes next in order, today being over. EmptySchedule without one."""
        if not self.coming:
            raise EmptySchedule
        self.today = heappop(self.coming)
        times, events = self.days.pop(self.today)
        order = sorted(range(len(times)), key=times.__getitem__)
        self.times, self.events = [times[k] for k in order], [events[k] for k in order]

    def peek(self) -> float:
        """When the next event comes, as in SimPy: infinity where nothing is left."""
        times = self.times
        if not times and self.coming:
            times, _ = self.days[self.coming[0]]
        return min(min(times, default=inf), super().peek())

    def step(self) -> None:
        """The next event, as in SimPy."""
        self._step_at_most(1)

    def steps(self, count: int) -> None:
        """``count`` times ``step``, in one call. EmptySchedule where nothing is left."""
        while count > 0:
            count -= self._step_at_most(count)

    def _step_at_most(self, most: int) -> int:
        """One step or more, as far as today goes; how many."""
        unusual = self._queue
        if not self.times and (self.coming or not unusual):
            self._next_day()
        if len(self.times) > MANY and self.come >= self.pending:  # not just now
            self.spread()
        if unusual:
            most = 1
            if not self.times or unusual[0][:2] < (self.times[0], NORMAL):
                super().step()
                return 1
        times, events = self.times, self.events
        ahead = iter(times)
        try:
            # What is scheduled meanwhile stands behind the present event, where the loop finds it.
            for self._now, event in zip(islice(ahead, most), events, strict=False):
                callbacks = event.callbacks
                event.callbacks = None
                for callback in callbacks:
                    callback(event)
                if not event._ok and not hasattr(event, "_defused"):
                    raise event._value
                if unusual:
                    break
        finally:
            done = len(times) - length_hint(ahead)
            self.come += done
            del times[:done], events[:done]
        return done
