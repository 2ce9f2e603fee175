import math
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence, Network, read_graphml, write_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates.spec import EdgeAttribute
from dadao_sim.networks.section import build_network

GRAPHS = Path(__file__).parents[2] / "graphs"


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("name", "nodes", "edges"),
    [
        ("abilene", 11, 14),
        ("nsfnet", 13, 15),
        ("geant2012", 40, 61),
        ("uscarrier", 158, 189),
        ("cogentco", 197, 243),
        ("kdl", 754, 895),
    ],
)
def test_real_networks(name, nodes, edges):
    network = read_graphml(GRAPHS / f"{name}.graphml")
    assert (network.name, network.nodes, network.edges.shape) == (name, nodes, (edges, 2))
    assert len(network.labels) == nodes
    located = np.isfinite(network.positions).all(axis=1)
    assert located.mean() > 0.9
    # Lengths are great circles between (longitude, latitude): absent where an end has none.
    i, j = network.edges.T
    np.testing.assert_array_equal(np.isnan(network.lengths_km), ~(located[i] & located[j]))
    longitude, latitude = np.radians(network.positions).T
    cosine = np.sin(latitude[i]) * np.sin(latitude[j])
    cosine += np.cos(latitude[i]) * np.cos(latitude[j]) * np.cos(longitude[i] - longitude[j])
    np.testing.assert_allclose(
        network.lengths_km, 6371 * np.arccos(np.minimum(cosine, 1)), rtol=2e-3, atol=1
    )


@pytest.mark.parametrize(("name", "rate"), [("geant2012", 163.3), ("cogentco", 2612)])
def test_least_total_rates_of_real_networks(name, rate):
    network = read_graphml(GRAPHS / f"{name}.graphml")
    w = np.full(len(network.edges), 1 / len(network.edges))
    assert math.sqrt(2 * network.chi1(w) * network.chi2(w)) == pytest.approx(rate, rel=4e-4)


def test_round_trip_keeps_everything(tmp_path):
    geant = read_graphml(GRAPHS / "geant2012.graphml")
    rates = rng().uniform(0.1, 10, len(geant.edges))
    network = Network(
        geant.nodes,
        geant.edges,
        rates,
        "geant2012",
        geant.positions,
        geant.labels,
        geant.lengths_km,
    )
    path = tmp_path / "geant2012.graphml"
    write_graphml(network, path)
    back = read_graphml(path, rates="gossip_rate")
    for field in ("edges", "rates", "positions", "lengths_km"):
        np.testing.assert_array_equal(getattr(back, field), getattr(network, field))
    assert (back.name, back.labels) == (network.name, network.labels)
    assert read_graphml(path).rates.tolist() == [1.0] * len(rates)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # nothing left beside it


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "star.graphml"
    write_graphml(build("star", 5, rng()), path)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_graphml(build("star", 6, rng()), path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"^file: there is no file .*absent\.graphml"):
        read_graphml(tmp_path / "absent.graphml")
    path = tmp_path / "bad.graphml"
    for content in ("", "not xml", "<graphml></graphml>", "<html><body/></html>"):
        path.write_text(content)
        with pytest.raises(InputError, match=r"file: .*bad.graphml: not readable") as info:
            read_graphml(path)
        assert "\n" not in str(info.value)
    nx.write_graphml(nx.path_graph(3, nx.DiGraph), path)
    with pytest.raises(InputError, match="no way leads from node 1 to node 0"):
        read_graphml(path)
    nx.write_graphml(nx.Graph([(0, 1), (2, 3)]), path)
    with pytest.raises(InputError, match="not connected, it has 2 components"):
        read_graphml(path)


# ---- what a scenario asks for --------------------------------------------------------------------


def test_network_of_a_graph():
    spec = {"graph": "barbell", "nodes": 11, "rates": "uniform", "bridge": 3}
    np.testing.assert_array_equal(
        build_network(spec, rng()).edges, build("barbell", 11, rng(), bridge=3).edges
    )


def test_network_of_a_file(tmp_path):
    graph = nx.path_graph(3)
    nx.set_edge_attributes(graph, {(0, 1): 2.0, (1, 2): 5.0}, "speed")
    path = str(tmp_path / "line.graphml")
    nx.write_graphml(graph, path)
    uniform = build_network({"file": path, "rates": "uniform"}, rng())
    assert uniform.rates.tolist() == [1, 1]
    for rates in ({"attribute": "speed"}, EdgeAttribute(attribute="speed")):
        network = build_network({"file": path, "rates": rates}, rng())
        assert network.rates.tolist() == [2, 5]
    with pytest.raises(InputError, match=r"^file: .*line.graphml: rates: 2 of 2 edges .* 'width'"):
        build_network({"file": path, "rates": {"attribute": "width"}}, rng())


def test_sequence_of_independent_draws():
    inner = {"graph": "random_regular", "nodes": 20, "length": 3, "degree": 4}
    sequence = build_network({"sequence": inner, "rates": "uniform"}, rng(4))
    assert isinstance(sequence, GraphSequence)
    assert len({graph.edges.tobytes() for graph in sequence.graphs}) == 3
    generator = rng(4)
    for graph in sequence.graphs:
        expected = build("random_regular", 20, generator, degree=4)
        np.testing.assert_array_equal(graph.edges, expected.edges)


def test_sequence_of_files(tmp_path):
    files = [tmp_path / f"{name}.graphml" for name in ("star", "path")]
    for file in files:
        write_graphml(build(file.stem, 6, rng()), file)
    sequence = build_network({"sequence": {"files": list(map(str, files))}}, rng())
    assert [graph.name for graph in sequence.graphs] == ["star", "path"]
    assert len(sequence.edges) == 9  # 5 + 5, with the edge 0-1 in common


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"graph": "star", "nodes": 5, "rates": {"attribute": "a"}}, "^rates: only a network read"),
        ({"graph": "star", "nodes": 5, "rates": "random"}, "^rates: must be .* got 'random'"),
        (
            {"graph": "star", "nodes": 5, "rates": {"method": "exact", "solver": "x"}},
            "^rates.solver",
        ),
        (
            {"graph": "star", "nodes": 5, "rates": {"method": "best"}},
            "^rates.method: unknown value",
        ),
        ({"graph": "grid_2d", "nodes": 5}, "^nodes: 5 is not possible"),
        (
            {"sequence": {"graph": "star", "nodes": 5, "length": 0}},
            "^sequence.length: must be at l",
        ),
        ({"sequence": {"graph": "grid_2d", "nodes": 5, "length": 1}}, "^sequence.nodes: 5 is not"),
        ({"file": "nowhere.graphml"}, "^file: there is no file nowhere.graphml"),
    ],
)
def test_networks_that_cannot_be_built(spec, message):
    with pytest.raises(InputError, match=message):
        build_network(spec, rng())
