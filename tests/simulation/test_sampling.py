"""Sample times: how many, how far apart, and where they end."""

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dadao_sim.simulation.sampling import sample_times

horizons = st.floats(1e-2, 1e6)
counts = st.integers(2, 500)


@given(horizons, counts, st.sampled_from(["geometric", "linear"]))
def test_the_last_point_is_the_horizon(horizon, points, spacing):
    times = list(islice(sample_times(horizon, points, spacing, whole=False), points))
    assert times[-1] == pytest.approx(horizon, rel=1e-12)
    assert all(a < b for a, b in pairwise([0.0, *times]))


def test_linear_steps_are_equal():
    times = list(islice(sample_times(50.0, 100, "linear", whole=False), 120))
    assert times == pytest.approx([0.5 * k for k in range(1, 121)])


def test_geometric_ratios_are_equal_and_start_at_one_unit():
    times = list(islice(sample_times(1000.0, 31, "geometric", whole=False), 33))
    assert times[0] == pytest.approx(1.0)
    assert [b / a for a, b in pairwise(times)] == pytest.approx([10**0.1] * 32)


@given(st.integers(1, 10**5), counts)
def test_rounds_are_whole_and_never_sampled_twice(horizon, points):
    times = list(islice(sample_times(float(horizon), points, "geometric", whole=True), points))
    assert all(time == int(time) for time in times)
    assert all(a < b for a, b in pairwise(times))


def test_every_round_is_sampled_where_there_are_points_enough():
    times = list(islice(sample_times(7.0, 100, "geometric", whole=True), 7))
    assert times == [1, 2, 3, 4, 5, 6, 7]
