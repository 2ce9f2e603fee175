"""The sampled log obeys the law of independent Poisson clocks: tests with fixed seeds and known
error rates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from dadao_sim import Network
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, GRADIENT, TYPES, concatenate
from dadao_sim.events.poisson import WINDOW, PoissonClock, alias_table
from dadao_sim.networks import GraphSequence

EDGES = np.array([(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)])
NODE_RATES = np.array([1.0, 2.0, 0.5, 1.0])
EDGE_RATES = np.array([0.3, 3.0, 1.0, 0.0, 2.0])
LEVEL = 1e-3  # of each test; the seeds are fixed, so a failure is a change and not bad luck


def clock(seed=0, **options):
    return PoissonClock(NODE_RATES, EDGE_RATES, EDGES, np.random.SeedSequence(seed), **options)


@pytest.fixture(scope="module")
def log():
    source = clock()
    return concatenate([source.window() for _ in range(6)])


def clocks_of(log):
    """Which of the 4 + 5 clocks rang in each row."""
    return np.where(log.kind == GRADIENT, log.i, 4 + log.edge)


def test_each_clock_is_a_poisson_process_of_its_rate(log):
    for k, rate in enumerate([*NODE_RATES, *EDGE_RATES]):
        times = log.time[clocks_of(log) == k]
        if rate == 0:
            assert len(times) == 0
            continue
        gaps = np.diff(times, prepend=0.0)
        assert stats.kstest(gaps, "expon", args=(0, 1 / rate)).pvalue > LEVEL


def test_a_wrong_rate_would_be_noticed(log):
    gaps = np.diff(log.time[clocks_of(log) == 1], prepend=0.0)
    assert stats.kstest(gaps, "expon", args=(0, 1 / 2.1)).pvalue < LEVEL


def test_counts_are_in_proportion_to_the_rates(log):
    rates = np.array([*NODE_RATES, *EDGE_RATES])
    counts = np.bincount(clocks_of(log), minlength=len(rates))[rates > 0]
    expected = len(log) * rates[rates > 0] / rates.sum()
    assert stats.chisquare(counts, expected).pvalue > LEVEL


def test_successive_clocks_are_independent(log):
    which = clocks_of(log)
    table = np.zeros((9, 9))
    np.add.at(table, (which[:-1], which[1:]), 1)
    used = table.sum(axis=1) > 0
    assert stats.chi2_contingency(table[used][:, used]).pvalue > LEVEL


def test_counts_in_disjoint_intervals_are_poisson(log):
    rate = NODE_RATES.sum() + EDGE_RATES.sum()
    length = 4 / rate
    intervals = int(log.time[-1] / length)
    counts = np.bincount((log.time / length).astype(int), minlength=intervals)[:intervals]
    observed = np.bincount(np.minimum(counts, 12), minlength=13)
    law = stats.poisson(4)
    expected = intervals * np.append(law.pmf(np.arange(12)), law.sf(11))
    assert stats.chisquare(observed, expected).pvalue > LEVEL


def test_marks_are_uniform_and_do_not_repeat(log):
    assert len(np.unique(log.mark)) == len(log)
    assert stats.kstest(log.mark / 2.0**64, "uniform").pvalue > LEVEL


def test_exchanges_are_over_their_edges(log):
    gossip = log.kind == GOSSIP
    assert_array_equal(np.stack([log.i, log.j], axis=1)[gossip], EDGES[log.edge[gossip]])
    assert (log.j[~gossip] == -1).all()


def test_windows_follow_each_other():
    source = clock()
    first, second = source.window(), source.window()
    assert (first.first_row, second.first_row) == (0, WINDOW)
    assert first.time[-1] < second.time[0]
    assert (np.diff(first.time) > 0).all()


def test_a_seed_is_a_log():
    one, same, other = clock(0).window(), clock(0).window(), clock(1).window()
    for name in TYPES:
        assert_array_equal(getattr(one, name), getattr(same, name))
    assert (one.time != other.time).all()


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40).filter(lambda rates: sum(rates) > 0))
@settings(max_examples=60, deadline=None)
def test_the_alias_table_holds_the_rates_exactly(rates):
    """Every column is split between its own clock and its alias: summed up, that is the law it
    draws from."""
    rates = np.array(rates)
    count = len(rates)
    accept, alias = np.empty(count), np.empty(count, dtype=np.int32)
    alias_table(rates, accept, alias)
    law = np.zeros(count)
    for column in range(count):
        law[column] += accept[column] / count
        law[alias[column]] += (1 - accept[column]) / count
    assert_allclose(law, rates / rates.sum(), atol=1e-13)
    assert ((accept >= 0) & (accept <= 1 + 1e-12)).all()


def test_a_sequence_of_graphs_takes_its_turns():
    relative = (np.array([1.0, 5.0, 2.0]), np.ones(3))
    graphs = (Network(4, EDGES[[0, 1, 2]], relative[0]), Network(4, EDGES[[3, 4, 1]], relative[1]))
    network = GraphSequence(graphs)
    source = PoissonClock(
        *(np.ones(4), np.full(len(network.edges), 2.0), network.edges, np.random.SeedSequence(2)),
        graphs=[(m, g.rates) for m, g in zip(network.members, graphs, strict=True)],
        switching=3.0,
    )
    log = source.window()
    gossip = log.kind == GOSSIP
    graph = np.floor(3.0 * log.time[gossip]).astype(int) % 2
    for q in range(2):
        used = log.edge[gossip][graph == q]
        counts = np.bincount(used, minlength=len(network.edges))
        assert set(np.flatnonzero(counts)) == set(network.members[q])
        expected = len(used) * graphs[q].rates / graphs[q].rates.sum()
        assert stats.chisquare(counts[network.members[q]], expected).pvalue > LEVEL


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_rates_that_are_no_rates_are_refused(bad):
    with pytest.raises(InputError, match="rates: must be finite, not negative"):
        PoissonClock(np.array([1.0, bad]), np.array([1.0]), EDGES[:1], np.random.SeedSequence(0))
