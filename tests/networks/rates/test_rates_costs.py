"""Rates of least cost: known optima, an independent conic program, the certificate, the errors."""

import json

import networkx as nx
import numpy as np
import pytest
from rate_cases import barbell, constants, lollipop, named, random_graph, sequence

from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence, Network, read_graphml, write_graphml
from dadao_sim.networks.rates import RATE_METHODS, cache, optimal_rates, with_rates
from dadao_sim.networks.rates.problem import RateProblem
from dadao_sim.networks.section import build_network
from dadao_sim.plotting.savings import savings_figure
from dadao_sim.reports.rates import compare_methods, rates_report

SEEDS = (0, 1, 2, 5, 9, 14)  # graphs of 4 to 8 nodes: a matrix inequality per edge


def prices(graph, seed=0, spread=1.0):
    return np.exp(spread * np.random.default_rng(seed).standard_normal(len(graph.edges)))


def small(seed):
    """A connected graph on 4 to 8 nodes, and what its edges cost."""
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(4, 9))
    graph = nx.random_labeled_tree(nodes, seed=seed)
    for _ in range(nodes):
        graph.add_edge(*map(int, rng.choice(nodes, 2, replace=False)))
    network = Network(nodes, np.array(sorted(tuple(sorted(edge)) for edge in graph.edges)))
    return network, prices(network, seed)


def priced(graph, name="latency", seed=0):
    costs = prices(graph, seed)
    return Network(graph.nodes, graph.edges, edge_attributes={name: costs}), costs


def least_cost(graph, costs, w):
    chi1, chi2 = constants(graph, w / (costs @ w))
    return np.sqrt(2 * chi1 * chi2)


def incidence(graph):
    matrix = np.zeros((graph.nodes, len(graph.edges)))
    matrix[graph.edges[:, 0], range(len(graph.edges))] = 1
    matrix[graph.edges[:, 1], range(len(graph.edges))] = -1
    return matrix


def by_matrix_inequalities(graph, costs):
    """The least cost from the conic form as it is written, with nothing of the package in it."""
    import cvxpy as cp

    B = incidence(graph)
    basis = np.linalg.qr(np.column_stack([np.ones(graph.nodes), np.eye(graph.nodes)[:, 1:]]))[0]
    B = basis[:, 1:].T @ B
    w, t, s = cp.Variable(len(costs), nonneg=True), cp.Variable(), cp.Variable()
    laplacian = B @ cp.diag(w) @ B.T
    inequalities = [laplacian - s * np.outer(b, b) >> 0 for b in B.T]
    product = cp.bmat([[t, 1], [1, s]]) >> 0  # t s >= 1
    least = cp.Problem(
        cp.Minimize(costs @ w),
        [laplacian - t * np.eye(graph.nodes - 1) >> 0, *inequalities, product],
    )
    least.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(least.value)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_optimum_is_that_of_a_conic_program(seed):
    graph, costs = small(seed)
    expected = by_matrix_inequalities(graph, costs)
    for method, solver in (("auto", None), ("exact", "CLARABEL")):
        found = optimal_rates(graph, method, cost=costs, solver=solver, tolerance=1e-7)
        assert found.total_cost == pytest.approx(expected, rel=1e-6)
        assert found.lower_bound == pytest.approx(expected, rel=1e-6 if method == "auto" else 1e-5)
        assert costs @ found.rates == pytest.approx(found.total_cost, rel=1e-12)
        assert found.rates.sum() == pytest.approx(found.total_rate, rel=1e-12)


@pytest.mark.parametrize("method", ["auto", "exact", "first_order"])
def test_the_certificate_holds_for_any_rates(method):
    """The bound, beside totals that are recomputed densely: of these rates and of many others."""
    rng = np.random.default_rng(0)
    for graph in (barbell(), random_graph(3), random_graph(8)):
        costs = prices(graph, 7)
        found = optimal_rates(graph, method, cost=costs)
        chi1, chi2 = constants(graph, found.rates)
        assert chi1 * chi2 == pytest.approx(0.5, rel=1e-7)
        best = least_cost(graph, costs, found.rates)
        assert found.lower_bound <= best * (1 + 1e-9) <= found.total_cost * (1 + 1e-7)
        assert found.gap < (0.01 if method == "first_order" else 1e-4)
        for _ in range(30):
            size = 10.0 ** rng.uniform(-3, 0)
            w = found.rates * np.exp(size * rng.standard_normal(len(costs)))
            assert least_cost(graph, costs, w) >= found.lower_bound


def test_the_dual_point_says_the_same_by_hand():
    """max_g (rho x_g + phi_g / rho) / (2 c_g), from the definition, of a point of this test."""
    from dadao_sim.networks.rates.dual import lower_bound
    from dadao_sim.networks.rates.first_order import smooth_dual

    graph, costs = small(4)
    problem = RateProblem.of(graph, costs=(costs,))
    (point,) = smooth_dual(problem, np.ones(len(costs)))
    B = incidence(graph)
    X = point.factor @ point.factor.T
    X = X / np.trace(X)
    p = point.p / point.p.sum()
    phi = point.potentials / (B[:, point.edges] * point.potentials).sum(axis=0)
    x, energy = (B * (X @ B)).sum(axis=0), (B.T @ phi) ** 2 @ p
    rho = np.exp(np.linspace(-8, 8, 20001))
    largest = ((rho[:, None] * x + energy / rho[:, None]) / costs / 2).max(axis=1).min()
    bound = lower_bound(problem, [point]) * problem.unit
    assert bound == pytest.approx(1 / largest, rel=1e-5)
    assert bound <= optimal_rates(graph, cost=costs).total_cost


@pytest.mark.parametrize("method", list(RATE_METHODS))
def test_at_cost_1_the_rates_are_those_without_to_the_bit(method):
    for network in (lollipop(), sequence()):
        plain = optimal_rates(network, method)
        same = optimal_rates(network, method, cost=np.ones(len(network.edges)))
        assert same.rates.tobytes() == plain.rates.tobytes()
        assert (same.total_cost, same.lower_bound) == (plain.total_cost, plain.lower_bound)
        assert same.total_rate == plain.total_rate == plain.total_cost


def test_the_unit_of_the_costs_and_the_numbers_of_the_nodes_do_not_matter():
    graph, costs = priced(random_graph(6))
    found = optimal_rates(graph, cost="latency")
    for unit in (1e-9, 1e3, 1e12):
        other = optimal_rates(graph, cost=unit * costs)
        assert other.rates == pytest.approx(found.rates, rel=1e-4)
        assert other.total_cost == pytest.approx(unit * found.total_cost, rel=1e-6)
    order = np.random.default_rng(1).permutation(graph.nodes)
    moved = graph.relabelled(order)
    again = optimal_rates(moved, cost="latency")
    assert again.total_cost == pytest.approx(found.total_cost, rel=1e-6)
    assert again.gap < 1e-5
    rank = np.argsort(order)
    where = moved.edge_indices(*rank[graph.edges].T)
    assert moved.edge_attributes["latency"][where] == pytest.approx(costs)


def test_a_dear_edge_is_used_less_and_a_bridge_all_the_same():
    cycle = named("cycle", 8)
    costs = np.where(np.arange(8) == 0, 20.0, 1.0)
    found = optimal_rates(cycle, cost=costs)
    assert found.rates[0] < 0.6 * found.rates[1:].min()
    assert optimal_rates(cycle).rates == pytest.approx(optimal_rates(cycle).rates[0], rel=1e-2)
    path = named("path", 2)
    assert optimal_rates(path, cost=[7.0]).total_cost == pytest.approx(7 * np.sqrt(0.5))


def test_costs_far_apart_are_certified():
    graph = random_graph(12)
    found = optimal_rates(graph, cost=10.0 ** np.linspace(-3, 3, len(graph.edges)))
    assert found.gap < 1e-4


def test_costs_of_a_sequence_are_means_over_its_graphs():
    graphs = [priced(graph, seed=k)[0] for k, graph in enumerate(sequence().graphs)]
    network = GraphSequence(graphs)
    one, several = (optimal_rates(network, cost="latency", shared=s) for s in (True, False))
    for found in (one, several):
        costs = [g.edge_attributes["latency"] for g in graphs]
        spent = np.mean([c @ w for c, w in zip(costs, found.by_graph, strict=True)])
        assert spent == pytest.approx(found.total_cost)
        assert found.lower_bound <= found.total_cost
        assert found.gap < 1e-4
    assert several.total_cost <= one.total_cost
    per_edge = prices(network)
    by_number = optimal_rates(network, cost=per_edge, shared=True)
    assert [c.tolist() for c in by_number.costs] == [per_edge[m].tolist() for m in network.members]


def test_pruning_lowers_the_cost():
    graph = named("random_geometric", 60)
    found = optimal_rates(graph, cost="length", prune=True)
    full = optimal_rates(graph, cost="length")
    assert found.unpruned_total == full.total_cost
    assert found.total_cost < full.total_cost
    kept = graph.edge_attributes["length"][found.kept]
    assert kept @ found.rates == pytest.approx(found.total_cost)
    assert found.network.edge_attributes["length"].tolist() == kept.tolist()


def test_large_graphs_look_at_costs_too(monkeypatch):
    """First order with few eigenvectors, and the closed forms beyond."""
    from dadao_sim.networks.rates import certificate, first_order, methods, smooth

    graph, costs = priced(random_graph(7))
    least = optimal_rates(graph, cost="latency").total_cost
    monkeypatch.setattr(smooth, "EIGENVECTORS", 4)
    for module in (methods, certificate, first_order, smooth):
        monkeypatch.setattr(module, "DENSE_NODES", 3)
    found = optimal_rates(graph, cost="latency")
    assert found.solver == "L-BFGS"
    assert found.lower_bound <= least * (1 + 1e-6) <= found.total_cost * (1 + 2e-6)
    assert found.total_cost < 1.1 * least
    for module in (methods, certificate):
        monkeypatch.setattr(module, "LARGEST", 3)
    found = optimal_rates(graph, cost="latency")
    assert found.lower_bound <= least <= found.total_cost
    assert costs @ found.rates == pytest.approx(found.total_cost)


# ---- where costs come from -----------------------------------------------------------------------


def test_attributes_come_from_files_networkx_and_builders(tmp_path):
    drawn = nx.cycle_graph(5)
    nx.set_edge_attributes(drawn, {edge: 2.0 + edge[1] for edge in drawn.edges}, "price")
    nx.set_edge_attributes(drawn, "fibre", "kind")
    network = Network.from_networkx(drawn)
    assert list(network.edge_attributes) == ["price"]
    assert network.edge_attributes["price"].tolist() == [3, 6, 4, 5, 6]
    file = tmp_path / "cycle.graphml"
    write_graphml(network, file)
    read = build_network(
        {"file": str(file), "rates": {"method": "optimal", "cost": "price"}},
        np.random.default_rng(0),
    )
    expected = optimal_rates(drawn, cost="price")
    assert read.rates == pytest.approx(expected.rates)
    assert with_rates(drawn, {"method": "optimal", "cost": "price"}).rates.tolist() == (
        expected.rates.tolist()
    )
    assert read_graphml(file).edge_attributes["price"].tolist() == [3, 6, 4, 5, 6]
    square = named("random_geometric", 20)
    i, j = square.edges.T
    between = np.linalg.norm(square.positions[i] - square.positions[j], axis=1)
    assert square.edge_attributes["length"] == pytest.approx(between)
    assert len(square.relabelled(np.arange(20)[::-1]).edge_attributes["length"]) == len(between)
    assert optimal_rates(square, "optimal", cost="length").method == "auto"


def with_prices(**changed):
    graph = nx.path_graph(4)
    nx.set_edge_attributes(graph, dict.fromkeys(graph.edges, 1.0), "price")
    for edge, value in changed.items():
        ends = tuple(map(int, edge[1:]))
        if value is None:
            del graph.edges[ends]["price"]
        else:
            graph.edges[ends]["price"] = value
    return graph


@pytest.mark.parametrize(
    ("network", "cost", "message"),
    [
        (with_prices(), "prize", r"cost: no edge of network has a number as attribute 'prize'; "),
        (with_prices(_12=None), "price", r"cost: 1 of 3 edges have no number .* 'price': 1-2; "),
        (with_prices(_01="?"), "price", r"cost: 1 of 3 edges have no number .* 'price': 0-1; "),
        (with_prices(_01=0), "price", r"cost.edge 0-1: it costs 0; costs are finite and > 0"),
        (with_prices(_12=-2), "price", r"cost.edge 1-2: it costs -2; "),
        (with_prices(_23=np.inf), "price", r"cost.edge 2-3: it costs inf; "),
        (
            with_prices(),
            [1e300, 1e-300, 1.0],
            r"cost.edge 0-1: it costs 1e\+300, and another 1e-300",
        ),
        (with_prices(), [1.0, np.nan, 1.0], r"cost.edge 1-2: it costs nan; "),
        (with_prices(), [1.0, 1.0], r"cost: one per edge is needed, shape \(3,\), not \(2,\)"),
        (with_prices(), 1.0, r"cost: one per edge is needed"),
        (with_prices(), ["a", "b", "c"], r"cost: real numbers are needed"),
    ],
)
def test_costs_that_are_none_are_refused_in_one_line(network, cost, message):
    with pytest.raises(InputError, match=f"^{message}") as raised:
        optimal_rates(network, cost=cost)
    assert "\n" not in str(raised.value)


def test_a_scenario_refuses_costs_that_change_nothing():
    section = {"graph": "cycle", "nodes": 5, "rates": {"method": "metropolis", "cost": "price"}}
    with pytest.raises(InputError, match=r"rates.cost: metropolis looks at no costs; use method"):
        build_network(section, np.random.default_rng(0))
    section["rates"] = {"method": "optimal", "cost": "price"}
    with pytest.raises(InputError, match=r"^rates.cost: no edge of cycle has a number as attribut"):
        build_network(section, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"a": np.ones(2)}, r"edge_attributes.a: one per edge is needed, shape \(3,\), not \(2,\)"),
        ({1: np.ones(3)}, "edge_attributes: names are texts, not 1"),
        ([1.0], "edge_attributes: arrays by name are needed, not a list"),
        ({"a": ["x", "y", "z"]}, "edge_attributes.a: real numbers are needed"),
    ],
)
def test_attributes_that_are_none_are_refused(attributes, message):
    with pytest.raises(InputError, match=f"^{message}"):
        Network(4, [(0, 1), (1, 2), (2, 3)], edge_attributes=attributes)


# ---- what is kept, and what is reported ----------------------------------------------------------


def test_the_key_of_the_cache_tells_costs_apart():
    graph, costs = priced(random_graph(1))
    other = costs.copy()
    other[0] *= 1 + 1e-12
    given = [None, (costs,), (other,), (2 * costs,)]
    assert len({cache.key(RateProblem.of(graph, costs=each)) for each in given}) == 4


def scenario(tmp_path, attribute):
    graph = nx.cycle_graph(6)
    nx.set_edge_attributes(graph, {edge: 1.0 + edge[0] for edge in graph.edges}, "price")
    write_graphml(Network.from_networkx(graph), tmp_path / "g.graphml")
    data = {"kind": "synthetic", "dim": 2, "samples_per_node": 5}
    return {
        "name": "costs",
        "problem": {"kind": "least_squares", "data": data},
        "network": {"file": str(tmp_path / "g.graphml")},
        "algorithms": [
            {"name": "dadao"},
            {"name": "dadao", "label": "cheap", "rates": {"method": "optimal", "cost": attribute}},
        ],
        "stop": {"time": 2},
    }


def test_the_manifest_has_the_costs(tmp_path):
    from dadao_sim import load_result, simulate

    simulate(scenario(tmp_path, "price"), out=tmp_path / "result")
    manifest = json.loads((tmp_path / "result" / "manifest.json").read_text())
    record = manifest["network"]["costs"]["0"]["price"]
    assert (record["least"], record["mean"], record["largest"]) == (1, pytest.approx(16 / 6), 5)
    assert len(record["sha256"]) == 64
    assert manifest["scenario"]["algorithms"][1]["rates"]["cost"] == "price"
    assert load_result(tmp_path / "result").runs["algorithm"].tolist() == ["dadao", "cheap"]
    with pytest.raises(InputError, match=r"^algorithms.cheap: rates.cost: no edge of g has a num"):
        simulate(scenario(tmp_path, "prize"))


def test_the_report_and_the_figure_say_what_is_saved():
    graph = named("random_geometric", 30)
    costs = graph.edge_attributes["length"]
    report = rates_report(graph, compare_methods(graph, None, cost="length"))
    *_, blind, best = report["methods"]
    assert (blind, best) == ("auto, blind to costs", "auto")
    optimum, plain = optimal_rates(graph, cost="length"), optimal_rates(graph)
    uniform = optimal_rates(graph, "uniform")
    saved = report["saved_cost"]
    assert saved[blind] == pytest.approx(1 - optimum.total_cost / (costs @ plain.rates))
    assert saved["uniform"] == pytest.approx(1 - optimum.total_cost / (costs @ uniform.rates))
    assert 0 < saved[blind] < saved["uniform"]
    assert report["methods"]["uniform"]["total_rate"] == pytest.approx(uniform.total_rate)
    (axes,) = savings_figure(report).axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == [row["total_cost"] for row in report["methods"].values()]
    assert axes.texts[0].get_text() == f"{100 * saved['uniform']:.0f} % saved"
    assert axes.lines[0].get_xdata()[0] == pytest.approx(optimum.lower_bound)
    without = rates_report(graph, compare_methods(graph, "uniform"))
    assert "saved_cost" not in without
    with pytest.raises(InputError, match="without costs"):
        savings_figure(without)
    pruned = rates_report(graph, compare_methods(graph, "auto", cost="length", prune=True))
    assert pruned["methods"]["auto"]["total_cost"] <= optimum.total_cost


def test_pruned_rates_without_costs_may_keep_other_edges():
    graph = named("random_geometric", 60)
    blind, best = compare_methods(graph, "auto", cost="length", prune=True)[-2:]
    assert set(blind.kept) - set(best.kept)
    costs = graph.edge_attributes["length"]
    assert blind.total_cost == pytest.approx(costs[blind.kept] @ blind.rates)
    assert blind.total_cost > best.total_cost
