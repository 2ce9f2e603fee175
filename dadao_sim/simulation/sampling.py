"""When a run is sampled: points spread over the time it may take, known before it starts."""

import math
from collections.abc import Iterator

GEOMETRIC, LINEAR = "geometric", "linear"
LATE = 10


def sample_times(horizon: float, points: int, spacing: str, *, whole: bool) -> Iterator[float]:
    """Increasing times without end, ``points`` of them up to ``horizon``.

    ``linear`` has equal steps. ``geometric`` has equal ratios, from one unit of time on (or an
    equal step, where that is less): what a method spent to reach an accuracy is then known to the
    same relative precision, about log(horizon)/points, however early it gets there. ``whole``
    rounds up to whole rounds, each at most once. A run that lasts longer than it was to last, by
    more than ``LATE`` horizons, is sampled at equal ratios: a horizon that was far too short, such
    as that of a fraction of an event, does not make samples for ever.
    """
    if whole:
        horizon = max(1.0, horizon)
    first = horizon / points
    ratio = 1.0
    if spacing == GEOMETRIC and first < horizon:
        first = min(1.0, first)
        ratio = (horizon / first) ** (1 / (points - 1))
    latest = 0.0
    number = 0
    while True:
        number += 1
        # Back from the horizon, so that it is met exactly.
        left = ratio ** (number - points) if ratio > 1 else number / points
        if left > LATE and ratio == 1:
            left = LATE * (1 + 1 / points) ** (number - LATE * points)
        time = horizon * left
        time = math.ceil(time * (1 - 1e-9)) if whole else time
        if time > latest:
            yield time
            latest = time
