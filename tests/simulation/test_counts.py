"""What events cost: sums of NumPy's, wherever they are cut, and the very row of a limit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.algorithms.contract.asked import Asked, EventCosts
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.events.log import (
    GOSSIP,
    GRADIENT,
    GRADIENT_START,
    RESENT,
    RESET,
    SEND,
    SEND_ONE,
    Events,
)
from dadao_sim.simulation.counts import EventCounts
from dadao_sim.simulation.limits import Limits

ASKED = Asked(
    start=Tally(gradients=4.0),
    gradient=EventCosts(3.0, 1.0, 1.0),
    exchange=EventCosts(2.0, 2.0),
    numbers=5,
)
KINDS = [GRADIENT, GOSSIP, GRADIENT_START, SEND, RESET, RESENT, SEND_ONE]
SHARE = np.array([0.5, 1.0, 0.25, 0.125])


def some_events(seed, rows):
    rng = np.random.default_rng(seed)
    kind, i = rng.choice(KINDS, rows), rng.integers(0, 4, rows)
    return Events.from_arrays(np.arange(float(rows)), kind, i, (i + 1) % 4)


def by_numpy(events):
    """Gradients, conjugate gradients, local solves and communications after each row."""
    kind, share = events.kind, SHARE[events.i]
    begins = np.isin(kind, [GRADIENT, GRADIENT_START])
    both, once = np.isin(kind, [GOSSIP, SEND]), np.isin(kind, [GOSSIP, SEND, RESENT])
    rows = [
        begins * (1 + 1 + share) + both * 2,  # one gradient of three is of a minibatch
        begins * 1 + both * 2,
        begins * 1,
        once + (kind == SEND_ONE) / 2,
    ]
    return np.cumsum(rows, axis=1) + np.array([[4], [0], [0], [0]])


def parts_of(tally):
    return [
        *(tally.gradients, tally.conjugate_gradients, tally.local_solves, tally.communications),
    ]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 300), max_size=5))
@settings(max_examples=50, deadline=None)
def test_counts_are_the_sums_wherever_they_are_cut(seed, cuts):
    events, counts = some_events(seed, 300), EventCounts(ASKED, SHARE)
    wanted = by_numpy(events)
    places = [0, *sorted(cuts), 300]
    for first, stop in pairwise(places):
        assert counts.add(events, first, stop, Limits()) == (stop, "")
        expected = wanted[:, stop - 1] if stop else np.array([4.0, 0, 0, 0])
        assert parts_of(counts.tally) == expected.tolist()
        assert counts.tally.floats_sent == 10 * counts.tally.communications
    assert np.cumsum(counts.gradients(events)).tolist() == (wanted[0] - 4).tolist()


@pytest.mark.parametrize("name", ["gradients", "communications"])
def test_a_limit_ends_at_the_row_that_comes_to_it(name):
    events = some_events(1, 300)
    wanted = by_numpy(events)[{"gradients": 0, "communications": 3}[name]]
    for limit in (4.5, 20.0, 33.3, 60.0):
        counts = EventCounts(ASKED, SHARE)
        row = int(np.argmax(wanted >= limit)) + 1
        assert counts.add(events, 0, 300, Limits(**{name: limit})) == (row, name)
        assert getattr(counts.tally, name) == wanted[row - 1]
    assert EventCounts(ASKED, SHARE).add(events, 0, 300, Limits(**{name: 1e9})) == (300, "")


def test_of_two_limits_the_first_row_ends():
    events = some_events(2, 300)
    gradients, _, _, communications = by_numpy(events)
    both = Limits(gradients=gradients[100], communications=communications[200])
    row, name = EventCounts(ASKED, SHARE).add(events, 0, 300, both)
    assert (row, name) == (int(np.argmax(gradients >= gradients[100])) + 1, "gradients")


@pytest.mark.parametrize(("batch", "samples"), [(7, 50), (1, 3), (1, 10)])
def test_many_small_shares_come_to_a_limit_at_the_very_row(batch, samples):
    """A million rows, of which plain sums are off by more than a limit is nearly."""
    rows = 1_000_000
    time = np.arange(rows + 9.0)
    events = Events.from_arrays(time, np.full(len(time), GRADIENT), np.zeros(len(time), int))
    share = np.array([batch / samples])
    limit = rows * batch / samples
    assert abs(np.cumsum(np.full(rows, share[0]))[-1] / limit - 1) > 1e-12
    counts = EventCounts(Asked(gradient=EventCosts(1.0)), share)
    assert counts.add(events, 0, rows // 3, Limits(gradients=limit)) == (rows // 3, "")
    assert counts.add(events, rows // 3, rows + 9, Limits(gradients=limit)) == (rows, "gradients")
    assert counts.tally.gradients == pytest.approx(limit, rel=1e-15)
