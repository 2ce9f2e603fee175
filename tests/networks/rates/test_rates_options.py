"""Errors, limits, failing solvers, sequences, pruning, the cache."""

import time

import numpy as np
import pytest
from rate_cases import (
    barbell,
    constants,
    least_total,
    lollipop,
    named,
    random_graph,
    real,
    sequence,
)

from dadao_sim.errors import InputError
from dadao_sim.networks import Network
from dadao_sim.networks.rates import methods, optimal_rates
from dadao_sim.networks.rates import optimal as optimal_module
from dadao_sim.networks.rates.pruning import needed_edges


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, r"^method: 'best' is unknown \(known: uniform, metropolis"),
        ({"method": "exact", "solver": "GUROBI"}, r"\(known: interior_point, CLARABEL, SCS"),
        ({"method": "exact", "solver": "HIGHS"}, r"\(known: interior_point, CLARABEL, SCS"),
        ({"method": "uniform", "solver": "SCS"}, "^solver: uniform takes none; use method exact"),
        ({"time_limit": -1.0}, "^time_limit: -1.0 seconds; it must be positive"),
        ({"tolerance": 0.0}, "^tolerance: 0.0; it must lie between 0 and 1"),
    ],
)
def test_errors_are_one_line(options, message):
    with pytest.raises(InputError, match=message) as raised:
        optimal_rates(barbell(), **options)
    assert "\n" not in str(raised.value)


def test_sizes_that_a_method_refuses():
    with pytest.raises(InputError, match="takes at most 100 nodes, not 197"):
        optimal_rates(real("cogentco"), "exact", solver="CLARABEL")
    with pytest.raises(InputError, match="use first_order"):
        optimal_rates(named("path", 2000), "exact")
    with pytest.raises(InputError, match="a sequence cannot be pruned"):
        optimal_rates(sequence(), prune=True)


@pytest.mark.parametrize("method", ["exact", "first_order", "auto", "max_lambda2"])
@pytest.mark.parametrize("seconds", [1e-3, 0.05])
def test_out_of_time_means_the_best_so_far_with_its_gap(method, seconds):
    graph = real("cogentco")
    found = optimal_rates(graph, method, time_limit=seconds)
    dense = least_total(graph, found.rates)
    assert dense == pytest.approx(found.total_rate, rel=1e-7)
    assert 0 < found.lower_bound <= dense
    if method != "max_lambda2":
        assert dense <= 2612.3 * (1 + 1e-6)  # uniform


@pytest.mark.slow
def test_an_inaccurate_solver_is_not_believed():
    found = optimal_rates(real("geant2012"), "exact", solver="SCS")
    assert found.lower_bound <= 114.61861 <= found.total_rate * (1 + 1e-7)
    assert found.gap < 0.01


@pytest.mark.parametrize("answer", ["raises", "nothing", "nonsense"])
def test_a_failing_solver_is_replaced_by_first_order(monkeypatch, answer):
    import cvxpy as cp

    def solve(self, *args, **kwargs):
        if answer == "raises":
            raise cp.error.SolverError("broken")
        if answer == "nonsense":
            rng = np.random.default_rng(0)
            for variable in self.variables():
                variable.save_value(rng.random(variable.shape))
            self._status, self._value = "optimal", 1e9

    monkeypatch.setattr(cp.Problem, "solve", solve)
    found = optimal_rates(lollipop(), "exact", solver="CLARABEL")
    assert found.total_rate == pytest.approx(44.46, abs=0.05)
    assert 40 < found.lower_bound <= found.total_rate


def test_beyond_the_dense_sizes(monkeypatch):
    monkeypatch.setattr(methods, "LARGEST", 10)
    monkeypatch.setattr("dadao_sim.networks.rates.certificate.LARGEST", 10)
    monkeypatch.setattr(methods, "EXACT_EDGES", 10)
    found = optimal_rates(barbell())
    assert found.total_rate < optimal_rates(barbell(), "effective_resistance").total_rate
    assert found.lower_bound < 32.92
    monkeypatch.setattr(methods, "LARGEST_EXPANDER", 10)
    closed = optimal_rates(barbell())
    assert closed.solver == "closed form"
    assert closed.total_rate == optimal_rates(barbell(), "effective_resistance").total_rate
    assert closed.lower_bound <= found.lower_bound
    with pytest.raises(InputError, match="at most 10 nodes"):
        optimal_rates(barbell(), "max_lambda2")


# ---- sequences -----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("shared", [True, False])
def test_rates_of_a_sequence(shared):
    network = sequence()
    found = {
        method: optimal_rates(network, method, shared=shared)
        for method in ("uniform", "exact", "first_order", "auto")
    }
    for rates in found.values():
        pairs = [constants(g, w) for g, w in zip(network.graphs, rates.by_graph, strict=True)]
        chi1, chi2 = np.max(pairs, axis=0)
        assert chi1 * chi2 == pytest.approx(0.5, rel=1e-9)
        assert rates.total_rate == pytest.approx(np.mean([w.sum() for w in rates.by_graph]))
        assert rates.lower_bound <= rates.total_rate
    assert found["exact"].total_rate == pytest.approx(found["auto"].total_rate, rel=1e-5)
    assert found["auto"].gap < 2e-6
    assert found["first_order"].gap < 0.02
    if shared:
        by_edge = found["auto"].rates
        for ids, part in zip(network.members, found["auto"].by_graph, strict=True):
            assert np.array_equal(by_edge[ids], part)


def test_a_set_per_graph_is_no_worse_than_one_set():
    network = sequence()
    one, several = (optimal_rates(network, shared=shared) for shared in (True, False))
    assert several.total_rate < one.total_rate
    assert [g.nodes for g in several.network.graphs] == [10, 10, 10]
    assert np.array_equal(several.network.graphs[1].rates, several.by_graph[1])


def test_a_sequence_of_one_graph_is_that_graph():
    from dadao_sim.networks import GraphSequence

    graph = random_graph(4)
    found = optimal_rates(GraphSequence([graph, graph]))
    assert found.total_rate == pytest.approx(optimal_rates(graph).total_rate, rel=1e-5)


# ---- pruning -------------------------------------------------------------------------------------


def test_pruning_drops_an_edge_that_only_counts():
    """A chord that no good rates use still counts in chi2."""
    graph = named("random_geometric", 60)
    full, found = optimal_rates(graph), optimal_rates(graph, prune=True)
    assert found.unpruned_total == pytest.approx(full.total_rate)
    assert found.total_rate < full.total_rate
    assert found.pruning_gain == pytest.approx(1 - found.total_rate / full.total_rate)
    assert np.array_equal(found.network.edges, graph.edges[found.kept])
    assert len(found.kept) < len(graph.edges)
    assert least_total(found.network, found.rates) == pytest.approx(found.total_rate, rel=1e-9)
    assert found.lower_bound <= found.total_rate


def test_pruning_keeps_what_it_needs():
    star = named("star", 8)
    found = optimal_rates(star, prune=True)
    assert np.array_equal(found.kept, np.arange(7))
    assert found.pruning_gain == 0
    rates = np.array([1.0, 1e-9, 1e-9, 1.0])
    cycle = Network(4, np.array([(0, 1), (1, 2), (2, 3), (0, 3)]))
    assert needed_edges(cycle, rates).sum() == 3  # one of the two small ones holds it together


# ---- the cache -----------------------------------------------------------------------------------


def test_results_are_kept_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("DADAO_SIM_RATES_CACHE", str(tmp_path))
    monkeypatch.setattr(optimal_module.disk, "WORTH_KEEPING", 0.0)
    calls = []
    method = methods.RATE_METHODS["auto"]
    monkeypatch.setitem(methods.RATE_METHODS, "auto", lambda *a: calls.append(1) or method(*a))

    first = optimal_rates(barbell())
    again = optimal_rates(barbell())
    assert len(calls) == 1
    assert np.array_equal(first.rates, again.rates)
    assert (first.lower_bound, first.seconds) == (again.lower_bound, again.seconds)
    optimal_rates(lollipop())
    optimal_rates(barbell(), tolerance=1e-3)
    optimal_rates(barbell(), cache=False)
    optimal_rates(barbell(), time_limit=60.0)
    assert len(calls) == 5
    assert len(list(tmp_path.iterdir())) == 3
    for file in tmp_path.iterdir():
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    for _ in range(2):  # computed again, and kept again
        assert optimal_rates(barbell()).total_rate == first.total_rate
    assert len(calls) == 6
    monkeypatch.setenv("DADAO_SIM_RATES_CACHE", "off")
    optimal_rates(barbell())
    assert len(calls) == 7


@pytest.mark.slow
def test_the_same_bits_every_time():
    graph = real("geant2012")
    for method in ("exact", "first_order", "auto"):
        a, b = (optimal_rates(graph, method, cache=False) for _ in range(2))
        assert a.rates.tobytes() == b.rates.tobytes()
        assert a.lower_bound == b.lower_bound


def test_seconds_are_those_of_the_computation():
    start = time.perf_counter()
    found = optimal_rates(barbell())
    assert 0 < found.seconds <= time.perf_counter() - start
