"""What all clocks are: sources of events, window after window."""

from typing import Protocol

from dadao_sim.events.log import Events


class Clock(Protocol):
    """A source of events that never ends; what comes next depends on its seed alone.

    Of this kind are ``PoissonClock``, ``RoundClock``, ``WorldClock`` and ``RoundWorld``, and
    whatever a test scripts.
    """

    def window(self) -> Events:
        """The next events, at least one; ``first_row`` follows the last of the window before.

        Raises InputError where nothing happens any more.
        """
        ...
