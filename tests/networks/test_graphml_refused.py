"""Files that are not one simple graph: one line that names the file and the ids."""

import subprocess
import sys
import textwrap

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.networks import Network, read_graphml, write_graphml
from dadao_sim.networks.graphml import NAMESPACE

HEAD = f'<graphml xmlns="{NAMESPACE}">'
KEYS = "".join(
    f'<key id="{name}" for="{kind}" attr.name="{name}" attr.type="{data_type}"/>'
    for kind, name, data_type in (
        *(("node", "longitude", "string"), ("node", "latitude", "double")),
        *(("node", "label", "string"), ("edge", "length_km", "string")),
        *(("edge", "weight", "string"), ("all", "note", "string")),
    )
)


def node(name, content=""):
    return f'<node id="{name}">{content}</node>'


def edge(source, target, content="", more=""):
    return f'<edge source="{source}" target="{target}" {more}>{content}</edge>'


def data(**values):
    return "".join(f'<data key="{key}">{value}</data>' for key, value in values.items())


def graph(*parts, direction="undirected"):
    return f'<graph id="G" edgedefault="{direction}">{"".join(parts)}</graph>'


ABC = node("Aa") + node("Bb") + node("Cc")
PATH = ABC + edge("Aa", "Bb") + edge("Bb", "Cc")


def document(*parts, head=HEAD):
    return f"{head}{KEYS}{''.join(parts)}</graphml>"


@pytest.fixture
def read(tmp_path):
    def read(content, rates=None):
        path = tmp_path / "net.graphml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_graphml(path, rates)

    return read


def refused(read, content, *words, rates=None):
    with pytest.raises(InputError) as caught:
        read(content, rates)
    line = str(caught.value)
    assert line.startswith("file: ")
    for word in ("net.graphml", *words):
        assert word in line
    assert "\n" not in line
    assert len(line) <= 300
    return line


REFUSED = [
    (graph(PATH) + graph(node("x")), ["more than one graph"]),
    (graph(PATH, node("d", graph(node("e"), direction="undirected"))), ["'d'", "a graph lies"]),
    (graph(PATH, "<hyperedge/>"), ["hyperedge"]),
    (graph(ABC, node("Dd", '<port name="p"/>')), ["'Dd'", "ports"]),
    (graph(PATH, edge("Aa", "Cc", more='sourceport="p"')), ["'Aa'-'Cc'", "ports"]),
    (graph(PATH, edge("Aa", "Cc", more='directed="true"')), ["'Aa'-'Cc'", "directed"]),
    (graph(PATH, direction="directed"), ["no way leads from node 'Bb' to node 'Aa'"]),
    (
        graph(PATH, edge("Cc", "Aa", more='directed="false"'), direction="directed"),
        ["edge 'Cc'-'Aa': it is undirected, and the graph is directed; write it as two"],
    ),
    (graph(PATH, edge("Aa", "Bb"), direction="directed"), ["'Aa'->'Bb' is given more than once"]),
    (graph(PATH, direction="both"), ["edgedefault is 'both'"]),
    (graph(PATH, node("Bb")), ["two nodes have the id 'Bb'"]),
    (graph(PATH, "<node/>"), ["no id"]),
    (graph(PATH, "<nod id='x'/>"), ["<nod> is no element"]),
    (graph(PATH, edge("Cc", "Londn")), ["'Cc'-'Londn'", "no <node> has the id 'Londn'"]),
    (graph(PATH, edge("Bb", "Bb")), ["'Bb' has an edge to itself"]),
    (graph(PATH, edge("Cc", "Bb", data(length_km=3))), ["'Bb' and 'Cc' is given more than once"]),
    (graph(PATH, edge("Cc", "Bb", data(weight=3))), ["'Bb' and 'Cc' is given more than once"]),
    (graph(PATH, edge("Aa", "Cc", '<data key="speed">1</data>')), ["'Aa'-'Cc'", "'speed'"]),
    (graph(PATH, edge("Aa", "Cc", data(longitude=1))), ["'Aa'-'Cc'", "'longitude'", "for node"]),
    (graph(PATH, edge("Aa", "Cc", data(weight=1) * 2)), ["'Aa'-'Cc'", "'weight' twice"]),
    (graph(PATH, '<edge source="Aa"/>'), ["edge number 3"]),
    (graph(ABC, edge("Aa", "Bb")), ["not connected, it has 2 components"]),
    (graph(node("Aa")), ["at least 2 nodes"]),
    (graph(), ["the graph is empty"]),
    ("", ["no graph in it"]),
    (node("Aa") + graph(PATH), ["outside the graph"]),
    ('<key id="label" attr.name="x"/>' + graph(PATH), ["two <key> have the id 'label'"]),
    ('<key id="z" attr.name="speed" attr.type="decimal"/>' + graph(PATH), ["'speed'", "'decimal'"]),
]


@pytest.mark.parametrize(("content", "words"), REFUSED)
def test_what_is_not_one_simple_graph(read, content, words):
    refused(read, document(content), *words)


NUMBERS_THAT_ARE_NONE = ["east", "", "1,5", "1_000", "12 km", "0x10", "٣", "NULL", "true"]


@pytest.mark.parametrize("value", NUMBERS_THAT_ARE_NONE)
@pytest.mark.parametrize("key", ["length_km", "weight", "longitude"])
def test_text_where_a_number_belongs(read, key, value):
    bad = data(**{key: value})
    if key == "longitude":
        nodes = ABC.replace(node("Bb"), node("Bb", bad + data(latitude=1)))
        content, what = nodes + edge("Aa", "Bb") + edge("Bb", "Cc"), "'Bb'"
    else:
        good = data(weight=1) if key == "weight" else ""
        content, what = ABC + edge("Aa", "Bb", bad) + edge("Bb", "Cc", good), "'Aa'-'Bb'"
    rates = "weight" if key == "weight" else None
    refused(read, document(graph(content)), what, f"'{key}'", rates=rates)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("length_km", v) for v in ("-1", "-1e-9", "INF", "inf", "-inf", "1e999")),
        *(("weight", v) for v in ("-1", "0", "-0.0", "INF", "NaN", "1e999", "1e-200")),
    ],
)
def test_numbers_that_no_edge_can_have(read, key, value):
    content = ABC + edge("Aa", "Bb", data(weight=1)) + edge("Bb", "Cc", data(**{key: value}))
    content = content if key == "weight" else content.replace("</edge></graph>", "</edge></graph>")
    refused(
        read, document(graph(content)), "'Bb'-'Cc'", rates="weight" if key == "weight" else None
    )


@pytest.mark.parametrize("value", ["INF", "-inf", "1e300"])
def test_positions_that_lie_nowhere(read, value):
    content = node("Aa", data(longitude=1, latitude=value)) + node("Bb") + edge("Aa", "Bb")
    refused(read, document(graph(content)), "'Aa'", "coordinates must be finite")


def test_half_a_position(read):
    content = node("Aa", data(longitude=1)) + node("Bb") + edge("Aa", "Bb")
    refused(read, document(graph(content)), "'Aa'", "longitude alone")


def test_what_is_missing_for_some_is_unknown(read):
    nodes = node("Aa", data(longitude="2.5", latitude="-1e1")) + node("Bb")
    nodes += node("Cc", data(longitude="NaN", latitude="nan", label="Here"))
    edges = (
        edge("Aa", "Bb", data(length_km=" +5. "))
        + edge("Bb", "Cc")
        + edge("Aa", "Cc", data(length_km="NaN"))
    )
    network = read(document(graph(nodes + edges)))
    np.testing.assert_array_equal(network.positions, [[2.5, -10], [np.nan] * 2, [np.nan] * 2])
    np.testing.assert_array_equal(network.lengths_km, [5, np.nan, np.nan])
    assert network.labels == ("Aa", "Bb", "Here")
    line = refused(
        read,
        document(graph(nodes + edges)),
        "3 of 3 edges",
        "'weight'",
        "'Aa'-'Bb'",
        rates="weight",
    )
    assert "'length_km'" in line


def test_a_default_counts_where_nothing_is_said(read):
    """networkx drops it: the length of half the edges would be unknown."""
    key = '<key id="d" for="edge" attr.name="km" attr.type="double"><default>7</default></key>'
    edges = edge("Aa", "Bb", '<data key="d">2</data>') + edge("Bb", "Cc")
    assert read(document(key + graph(ABC + edges)), "km").rates.tolist() == [2, 7]


# ---- text, encodings, XML ------------------------------------------------------------------------

GOOD = document(graph(PATH.replace("Bb", "Zürich")))


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        f'<?xml version="1.0" encoding="latin-1"?>{GOOD}'.encode("latin-1"),
        f'<?xml version="1.0" encoding="cp1252"?>{GOOD}'.encode("cp1252"),
        f'<?xml version="1.0" encoding="UTF-16"?>{GOOD}'.encode("utf-16"),
        f"<!-- by hand -->\r\n{GOOD}".encode(),
        GOOD.replace(f' xmlns="{NAMESPACE}"', "").encode(),
    ],
)
def test_encodings_and_byte_order_marks(read, content):
    assert read(content).ids == ("Aa", "Zürich", "Cc")


@pytest.mark.parametrize(
    "content",
    [
        f'<?xml version="1.0" encoding="{name}"?>{GOOD}'.encode()
        for name in ("klingon", "utf-7", "hex", "rot13", "idna", "utf-32", "shift_jis")
    ]
    + [
        *(b"", b"\0", b"not xml", b"PK\x03\x04zip", b"\x1f\x8bgz", b"{}", b"<html/>", b"<a><b>"),
        *(
            GOOD.encode("latin-1"),
            GOOD.encode()[:-3],
            GOOD.encode() * 2,
            b"\xff\xfe" + GOOD.encode(),
        ),
        GOOD.replace("graphdrawing.org", "example.org").encode(),
        ("<graphml>" * 100_000).encode(),
        (HEAD + "<graph><node id='a'>" + "<data>" * 100_000).encode(),
    ],
)
def test_what_is_no_graphml(read, content):
    refused(read, content)


BOMB = "<!DOCTYPE g [" + '<!ENTITY a0 "ha">' + "".join(
    f'<!ENTITY a{k + 1} "{f"&a{k};" * 10}">' for k in range(9)
)  # fmt: skip
QUADRATIC = f'<!DOCTYPE g [<!ENTITY a "{"x" * 100_000}">]>'


@pytest.mark.parametrize(
    "content",
    [
        f"{BOMB}]>{document(graph(PATH + node('&a9;')))}",
        f"{QUADRATIC}{document(graph(PATH + node('d', data(label='&a;' * 50_000))))}",
        f'<!DOCTYPE g [<!ENTITY a SYSTEM "file:///etc/hosts">]>{document(graph(node("&a;")))}',
        f'<!DOCTYPE g [<!ENTITY % p SYSTEM "http://localhost:1/x">%p;]>{document(graph(PATH))}',
    ],
)
def test_entities_are_refused_before_they_grow(read, content):
    refused(read, content, "declares the entity")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_bomb_takes_no_memory(tmp_path):
    (tmp_path / "net.graphml").write_text(f"{BOMB}]>{document(graph(node('&a9;')))}")
    code = """
        import resource
        from dadao_sim.networks import read_graphml
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read_graphml("net.graphml")
        except ValueError:
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 20_000  # KiB


def test_files_that_are_none(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.graphml")
    (tmp_path / "folder.graphml").mkdir()
    for name in ("pipe.graphml", "folder.graphml"):
        with pytest.raises(InputError, match=f"{name} is no regular file"):
            read_graphml(tmp_path / name)
    (tmp_path / "vienna.graphml").write_text(GOOD)
    for name in ("viena.graphml", "vienna", "Vienna.GRAPHML"):
        with pytest.raises(
            InputError, match=r"there is no file .*did you mean .*vienna\.graphml\?"
        ):
            read_graphml(tmp_path / name)
    with pytest.raises(InputError, match="cannot be read"):
        read_graphml("a\0b")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_is_a_network_or_one_line(tmp_path_factory, data):
    """Bytes replaced, dropped or doubled: an InputError, or a network; nothing else."""
    content = bytearray(f'<?xml version="1.0" encoding="utf-8"?>{GOOD}'.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        end = data.draw(st.integers(at, min(at + 40, len(content))))
        content[at:end] = data.draw(
            st.sampled_from([b"", b"&", b"<", b'"', bytes(content[at:end]) * 2, b"\xff", b"a"])
        )
    path = tmp_path_factory.mktemp("damaged") / "net.graphml"
    path.write_bytes(bytes(content))
    try:
        said = read_graphml(path).name
    except InputError as error:
        said = str(error)
    assert len(said.splitlines()) == 1


# ---- against networkx, on what both read ---------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10**6))
def test_it_reads_what_networkx_reads(tmp_path_factory, nodes, seed):
    rng = np.random.default_rng(seed)
    graph = nx.gnp_random_graph(nodes, 0.6, seed=seed)
    graph.add_edges_from(nx.path_graph(nodes).edges)
    for _, of_edge in graph.edges.items():
        of_edge["length_km"], of_edge["w"] = float(rng.uniform(0, 9)), int(rng.integers(1, 9))
    path = tmp_path_factory.mktemp("networkx") / "g.graphml"
    nx.write_graphml(nx.relabel_nodes(graph, {k: f"<{k}> & “{k}”" for k in graph}), path)
    ours, theirs = read_graphml(path, "w"), Network.from_networkx(nx.read_graphml(path), "w")
    for field in ("ids", "labels"):
        assert getattr(ours, field) == getattr(theirs, field)
    for field in ("edges", "rates", "lengths_km"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field))


def test_labels_of_yed(read):
    content = node("n0", '<data key="g"><y:N><y:NodeLabel>Wien</y:NodeLabel></y:N></data>')
    keys = '<key for="node" id="g" yfiles.type="nodegraphics"/>'
    head = f'<graphml xmlns="{NAMESPACE}" xmlns:y="http://www.yworks.com/xml/graphml">'
    network = read(document(keys + graph(content + node("n1") + edge("n0", "n1")), head=head))
    assert network.labels == ("Wien", "n1")


def test_unknown_positions_are_not_written(tmp_path):
    network = Network(
        3, np.array([[0, 1], [1, 2]]), positions=np.array([[1, 2], [np.nan] * 2, [3, 4]])
    )
    write_graphml(network, tmp_path / "n.graphml")
    assert "nan" not in (tmp_path / "n.graphml").read_text().lower()
    np.testing.assert_array_equal(read_graphml(tmp_path / "n.graphml").positions, network.positions)


def test_elements_within_a_number_are_not_read_as_its_digits(read):
    content = document(graph(node("Aa"), node("Bb"), edge("Aa", "Bb", data(weight="5<x>7</x>"))))
    with pytest.raises(InputError, match="'Aa'-'Bb': its attribute 'weight' is '5<x>7'"):
        read(content, "weight")
    assert read(content).rates.tolist() == [1.0]


@pytest.mark.parametrize("second", ["4", "6", "4.0"])
def test_an_attribute_has_one_default(read, second):
    default = "<default>4</default>"
    again = f"<default>{second}</default>"
    start = '<key id="{}" for="edge" attr.name="w" attr.type="double">{}</key>'
    pair = graph(node("Aa"), node("Bb"), edge("Aa", "Bb"))
    for keys in (
        start.format("w", default + again),
        start.format("w", default) + start.format("v", again),
    ):
        content = f"{HEAD}{keys}{pair}</graphml>"
        if second == "4":  # the same: both say so
            assert read(content, "w").rates.tolist() == [4.0]
            continue
        with pytest.raises(InputError, match="attribute 'w': it has two defaults"):
            read(content, "w")
