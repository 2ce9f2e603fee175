"""Links that differ, as an attribute of the edges says: each has its own delay, and its losses."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from world_cases import COMPUTES, equal, physics, world_log

from dadao_sim.errors import InputError
from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, LOST, RESENT, ROUND, SEND, concatenate
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.networks import Network
from dadao_sim.networks.graphml import write_graphml
from dadao_sim.networks.section import build_network

SITES = ["Bern", "Basel", "Chur", "Davos"]
MEASURED = pd.DataFrame(
    {
        "one": ["Basel", "Chur", "Bern", "Davos"],
        "other": ["Bern", "Basel", "Davos", "Chur"],
        "ms": [12.5, 40.0, 7.25, 100.0],
        "mbit": [100.0, 10.0, 1000.0, 1.0],
        "lost": [0.0, 0.5, 0.25, 0.0],
    }
)
LINKS = {
    "latency": {"attribute": "ms", "times": 0.001},
    "bandwidth": {"attribute": "mbit", "times": 125000},
}


@pytest.fixture
def network(tmp_path):
    MEASURED.to_csv(tmp_path / "links.csv", index=False)
    section = {
        "graph": "cycle",
        "nodes": 4,
        "ids": SITES,
        "edge_table": str(tmp_path / "links.csv"),
    }
    return build_network(section, np.random.default_rng(0))


def of_edges(network, column):
    """The numbers of a column, edge by edge, looked up in the frame."""
    by_ends = {
        frozenset(ends): value
        for *ends, value in MEASURED[["one", "other", column]].itertuples(index=False)
    }
    return np.array([by_ends[frozenset(SITES[k] for k in edge)] for edge in network.edges.tolist()])


def test_the_table_is_joined_by_the_ids_of_the_ends(network):
    assert network.ids == tuple(SITES)
    assert sorted(network.edge_attributes) == ["lost", "mbit", "ms"]
    for column in network.edge_attributes:
        assert_array_equal(network.edge_attributes[column], of_edges(network, column))


def test_each_message_takes_the_time_of_its_link(network):
    """Latency and bytes over bandwidth, in gradient intervals of 0.2 s."""
    log = world_log(network, size=5000.0, nodes=COMPUTES, gradient_seconds=0.2, links=LINKS)
    arrived = np.isin(log.kind, (ARRIVE_I, ARRIVE_J))
    took = log.time[arrived] - log.time[log.start[arrived]]
    edges = {ends: e for e, ends in enumerate(map(tuple, network.edges.tolist()))}
    which = [edges[i, j] for i, j in zip(log.i[arrived], log.j[arrived], strict=True)]
    wanted = of_edges(network, "ms") / 1000 + 5000 / (of_edges(network, "mbit") * 125000)
    assert set(which) == {0, 1, 2, 3}
    assert_allclose(took, wanted[which] / 0.2, rtol=0, atol=1e-9)


def test_rounds_wait_for_the_slowest_link(network):
    """Gradients of one interval each, then the longest of the messages."""
    world = physics(network, links=LINKS, nodes={**COMPUTES, "gradient": {"kind": "constant"}})
    rounds = RoundWorld(world, 1, 5000.0, np.random.SeedSequence(0)).window()
    delays = of_edges(network, "ms") / 1000 + 5000 / (of_edges(network, "mbit") * 125000)
    assert_allclose(np.diff(rounds.time[rounds.kind == ROUND]), 1 + delays.max(), rtol=1e-9)


def test_equal_links_are_one_number_for_all(network):
    attributes = {"s": np.full(4, 0.02), "b": np.full(4, 1e4), "p": np.full(4, 0.1)}
    even = Network(4, network.edges, edge_attributes=attributes)
    loss = {"noticed": "one", "burst_probability": 0.5, "burst_start": 0.1, "burst_end": 0.3}
    one = {"latency": 0.02, "bandwidth": 1e4, "jitter": 0.2, "loss": {"probability": 0.1, **loss}}
    each = {
        "latency": {"attribute": "s"},
        "bandwidth": {"attribute": "b"},
        "jitter": 0.2,
        "loss": {"probability": {"attribute": "p"}, **loss},
    }
    equal(world_log(even, links=one, nodes=COMPUTES), world_log(even, links=each, nodes=COMPUTES))


def test_each_link_loses_its_share(network):
    loss = {"loss": {"probability": {"attribute": "lost"}}}
    log = world_log(network, windows=3, links=loss, nodes=COMPUTES)
    for edge, share in zip(network.edges, of_edges(network, "lost"), strict=True):
        here = (log.i == edge[0]) & (log.j == edge[1])
        lost, sent = (int((here & (log.kind == kind)).sum()) for kind in (LOST, SEND))
        assert sent > 2000
        assert abs(lost - share * sent) <= 5 * np.sqrt(share * (1 - share) * sent)
    world = physics(network, links=loss, nodes=COMPUTES)
    rounds = RoundWorld(world, 1, 8.0, np.random.SeedSequence(1))
    log = concatenate([rounds.window() for _ in range(8)])
    again = log.kind == RESENT
    for edge, share in zip(network.edges, of_edges(network, "lost"), strict=True):
        resent = int((again & (log.i == edge[0]) & (log.j == edge[1])).sum())
        tries = (log.kind == ROUND).sum()
        mean, spread = tries * share / (1 - share), np.sqrt(tries * share) / (1 - share)
        assert abs(resent - mean) <= 5 * spread


def test_attributes_of_a_graphml_file(tmp_path, network):
    write_graphml(network, tmp_path / "net.graphml")
    again = build_network({"file": str(tmp_path / "net.graphml")}, np.random.default_rng(0))
    for links in (LINKS, {"loss": {"probability": {"attribute": "lost"}}}):
        equal(
            world_log(network, links=links, nodes=COMPUTES),
            world_log(again, links=links, nodes=COMPUTES),
        )


def test_a_table_beside_a_file_and_rates_of_it(tmp_path, network):
    plain = Network(4, network.edges, ids=network.ids)
    write_graphml(plain, tmp_path / "net.graphml")
    section = {
        "file": str(tmp_path / "net.graphml"),
        "edge_table": str(tmp_path / "links.csv"),
        "rates": {"attribute": "mbit"},
    }
    found = build_network(section, np.random.default_rng(0))
    assert_array_equal(found.rates, of_edges(found, "mbit"))
    built = {"graph": "cycle", "nodes": 4, "ids": SITES, "edge_table": section["edge_table"]}
    found = build_network({**built, "rates": {"attribute": "ms"}}, np.random.default_rng(0))
    assert_array_equal(found.rates, of_edges(found, "ms"))
    found = build_network(
        {**built, "rates": {"method": "optimal", "cost": "ms"}}, np.random.default_rng(0)
    )
    assert found.rates.min() > 0


def test_lengths_come_from_a_table_too(tmp_path):
    (tmp_path / "km.csv").write_text("a,b,length_km\n1,0,100\n2,1,\n")
    section = {"graph": "path", "nodes": 3, "edge_table": str(tmp_path / "km.csv")}
    assert_array_equal(build_network(section, np.random.default_rng(0)).lengths_km, [100, np.nan])


def test_what_is_unknown_can_be_said(network):
    holes = Network(4, network.edges, edge_attributes={"ms": np.array([1.0, np.nan, 3.0, 4.0])})
    given = {"latency": {"attribute": "ms", "times": 0.5, "unknown": 9.0}}
    assert_array_equal(physics(holes, links=given).latency, [0.5, 9.0, 1.5, 2.0])
    with pytest.raises(InputError, match=r"links\.latency.attribute: edge 0-3 has no finite 'ms'"):
        physics(holes, links={"latency": {"attribute": "ms"}})


def test_a_world_of_links_is_written_and_read_again():
    world = WorldSpec.model_validate({"preset": "wan", "links": {**LINKS, "jitter": None}})
    for again in (
        pickle.loads(pickle.dumps(world)),
        WorldSpec.model_validate(world.model_dump(mode="json")),
    ):
        assert again == world
    assert world.links.latency.attribute == "ms"
    assert world.links.unknown_length_km == 500


TABLES = {
    "a,b,x\nBern,Zug,1\n": "line 2 of t.csv: the graph has no node with the id 'Zug'",
    "a,b,x\nBern,Chur,1\n": "line 2 of t.csv: no edge between nodes 'Bern' and 'Chur'",
    "a,b,x\nBern,Basel,1\nBasel,Bern,2\n": "edge 'Basel'-'Bern' has line 2 of t.csv already",
    "a,b,x\nBern,Basel,fast\n": "column 'x', line 2 of t.csv is 'fast', no number",
    "a,b,x\nBern,Basel,1_0\n": "column 'x', line 2 of t.csv is '1_0', no number",
    "a,b,x\nBern,Basel\n": "line 2 of t.csv has 2 values for 3 names",
    "a,b\nBern,Basel\n": "t.csv has 2 columns; two for the ends of an edge and one",
    "a,b,x\n": "t.csv has no rows",
    "a,b,\nBern,Basel,1\n": "column 3 of t.csv has no name",
    "a,b,x,x\nBern,Basel,1,2\n": "line 1 of t.csv has the name 'x' twice; rename one",
    "a;b;x\nBern;Basel;1\n": "line 1 of t.csv has semicolons in it; commas separate columns",
    "Bern,Basel,1\nBasel,Chur,1\n": "line 1 of t.csv holds numbers, such as '1'; put names above",
    'a,b,x\nBern,Basel,"1,5"\n': "column 'x', line 2 of t.csv is '1,5', no number; decimals follow",
    "": "t.csv is empty",
    "ä".encode("latin-1"): "t.csv: byte 0 is not UTF-8",
}


@pytest.mark.parametrize("text", TABLES)
def test_tables_that_do_not_fit(tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    section = {"graph": "cycle", "nodes": 4, "ids": SITES, "edge_table": str(path)}
    with pytest.raises(InputError) as caught:
        build_network(section, np.random.default_rng(0))
    assert str(caught.value).startswith("edge_table")
    assert TABLES[text] in str(caught.value)


WORLDS = {
    "links.latency.attribute: the edges of the network have no 'km'; they have ms, mbit": (
        {"latency": {"attribute": "km"}},
        {},
    ),
    "links.latency.attribute: edge 'Basel'-'Bern' has a 'x' that is not at least 0": (
        {"latency": {"attribute": "x"}},
        {"x": [-1, 1, 1, 1]},
    ),
    "links.bandwidth.attribute: edge 'Bern'-'Davos' has a 'x' that is not above 0": (
        {"bandwidth": {"attribute": "x"}},
        {"x": [1, 0, 1, 1]},
    ),
    "links.loss.probability.attribute: edge 'Basel'-'Chur' has a 'x' that is not from 0 to": (
        {"loss": {"probability": {"attribute": "x"}}},
        {"x": [0, 0, 1, 0]},
    ),
    "links.latency.attribute: edge 'Basel'-'Bern' has no finite 'x'": (
        {"latency": {"attribute": "x"}},
        {"x": [np.inf, 1, 1, 1]},
    ),
}


@pytest.mark.parametrize("said", WORLDS)
def test_links_that_cannot_be(network, said):
    links, attributes = WORLDS[said]
    arrays = {name: np.array(values, dtype=float) for name, values in attributes.items()}
    edges = Network(
        4, network.edges, ids=network.ids, edge_attributes={**network.edge_attributes, **arrays}
    )
    with pytest.raises(InputError) as caught:
        physics(edges, links=links)
    assert str(caught.value).replace("'Bern'-'Basel'", "'Basel'-'Bern'").startswith(said)


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ({"latency": {"atribute": "x"}}, "unknown key; did you mean 'attribute'"),
        ({"latency": {"attribute": ""}}, "must not be empty"),
        ({"latency": "slow"}, "must be a number"),
        ({"latency": -1.0}, "must be at least 0"),
        ({"bandwidth": {"attribute": "x", "times": 0.0}}, "must be above 0"),
        ({"loss": {"probability": 1.0}}, "must be below 1"),
    ],
)
def test_sections_of_links_that_make_no_sense(links, said):
    from dadao_sim.strict import checked

    with pytest.raises(InputError, match=said):
        checked(WorldSpec, {"links": links})
