"""Edges are drawn where they are, as wide and dark as they are fast."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch

from dadao_sim.errors import InputError
from dadao_sim.networks import DirectedNetwork
from dadao_sim.networks.directed import in_turn
from dadao_sim.networks.network import Network
from dadao_sim.plotting.networks import network_figure
from dadao_sim.reports.layout import network_layout


@pytest.fixture
def square() -> Network:
    """Four corners and a diagonal."""
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    edges = np.array([(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)])
    return Network(4, edges, positions=corners)


def collections(figure) -> list[LineCollection]:
    return [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]


def test_every_edge_is_drawn_between_its_ends(square):
    (lines,) = collections(network_figure(network_layout(square)))
    drawn = {tuple(map(tuple, segment)) for segment in lines.get_segments()}
    assert drawn == {
        tuple(map(tuple, square.positions[[i, j]].tolist())) for i, j in square.edges.tolist()
    }
    (dots,) = network_figure(network_layout(square)).axes[0].lines
    np.testing.assert_array_equal(np.column_stack(dots.get_data()), square.positions)


def test_rates_are_the_values_of_the_edges_and_widths_grow_with_them(square):
    rates = np.array([3.0, 1.0, 0.5, 2.0, 4.0])
    figure = network_figure(network_layout(square), rates)
    lines = collections(figure)[-1]
    np.testing.assert_array_equal(lines.get_array(), np.sort(rates))  # the fastest on top
    fastest = np.asarray(lines.get_segments()[-1])
    np.testing.assert_array_equal(fastest, square.positions[square.edges[np.argmax(rates)]])
    widths = np.asarray(lines.get_linewidth())
    np.testing.assert_allclose(np.diff(widths) / np.diff(np.sort(rates)), 2.2 / 4.0)
    figure.draw_without_rendering()
    shade = lines.to_rgba(np.sort(rates))[:, :3] @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(shade) < 0).all()  # darker, also in grey
    assert figure.axes[1].get_xlim() == (0, 4)


def test_edges_out_of_use_are_dotted_and_counted(square):
    figure = network_figure(network_layout(square), [1.0, 0.0, 1e-6, 1.0, 1.0])
    unused, used = collections(figure)
    assert len(unused.get_segments()) == 2
    assert len(used.get_segments()) == 3
    legend = figure.axes[0].get_legend()
    assert legend is not None
    (text,) = legend.get_texts()
    assert text.get_text() == "unused (2 of 5 edges)"


def test_a_map_has_the_aspect_of_its_latitude(square):
    # At 60 degrees north a degree of longitude is half as long as one of latitude.
    positions = square.positions + np.array([10.0, 59.5])
    at_sixty = Network(4, square.edges, positions=positions, lengths_km=np.ones(5))
    assert network_figure(network_layout(at_sixty)).axes[0].get_aspect() == pytest.approx(2.0)
    assert network_figure(network_layout(square)).axes[0].get_aspect() == 1.0


@pytest.mark.parametrize(
    "rates", [[1.0], [1, 1, 1, 1, -1.0], [1, 1, 1, 1, np.nan], [0.0] * 5, [[1.0] * 5]]
)
def test_rates_that_are_none_are_refused(square, rates):
    with pytest.raises(InputError, match=r"^rates: ") as error:
        network_figure(network_layout(square), rates)
    assert "\n" not in str(error.value)


def test_the_title_is_above_and_the_page_is_filled(square):
    figure = network_figure(network_layout(square), np.ones(5), title="Square")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    assert figure.axes[0].get_title() == "Square"
    box = figure.axes[0].get_window_extent(renderer)
    assert box.width > 0.85 * figure.bbox.width
    bar = figure.axes[1].get_tightbbox(renderer)
    assert bar is not None
    assert not box.overlaps(bar)


def test_nodes_are_called_by_their_names_beside_them(square):
    named = Network(
        4, square.edges, positions=square.positions, ids=("Oslo", "Bern", "Rome", "$x$")
    )
    figure = network_figure(network_layout(named), names=True)
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["Oslo", "Bern", "Rome", r"\$x\$"]
    np.testing.assert_array_equal([text.xy for text in texts], square.positions)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    boxes = [text.get_window_extent(renderer) for text in texts]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])
    numbers = network_figure(network_layout(square), names=True).axes[0].texts
    assert [text.get_text() for text in numbers] == ["0", "1", "2", "3"]


def bar_of(figure):
    (bar,) = [line for line in figure.axes[0].lines if line.get_label() == "scale"]
    (text,) = figure.axes[0].texts
    return np.ptp(bar.get_xdata()), text.get_text()


def test_the_scale_of_a_map_is_the_great_circle():
    """Between two points on one parallel, by the haversine formula."""
    east, latitude = 20.0, 50.0
    half = np.sin(np.radians(east) / 2) ** 2 * np.cos(np.radians(latitude)) ** 2
    distance = 2 * 6371.0088 * np.arcsin(np.sqrt(half))
    places = np.array([[0.0, latitude], [east, latitude], [east / 2, latitude]])
    network = Network(3, np.array([(0, 1), (1, 2)]), positions=places, lengths_km=np.ones(2))
    length, text = bar_of(network_figure(network_layout(network), scale=True))
    assert text == "200 km"
    assert length == pytest.approx(200 / distance * east, rel=5e-3)


def test_the_scale_of_a_plane_has_its_unit_and_elsewhere_there_is_none(square):
    length, text = bar_of(network_figure(network_layout(square), scale=True))
    assert (length, text) == (pytest.approx(0.5), "0.5")
    with pytest.raises(InputError, match=r"^scale: the nodes have no positions of their own"):
        network_figure(network_layout(Network(2, np.array([(0, 1)]))), scale=True)


def test_every_arc_has_a_head_at_its_receiver():
    """On the line of its edge, from the middle to the receiver's dot; one edge goes both ways."""
    corners = np.array([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
    arcs = np.array([(0, 1), (1, 0), (1, 2), (2, 0)])
    network = DirectedNetwork(3, arcs, positions=corners)
    for rates in (None, [1.0, 2.0, 3.0]):
        figure = network_figure(network_layout(network), rates)
        heads = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
        ends = [head._posA_posB for head in heads]
        wanted = [((corners[s] + corners[r]) / 2, corners[r]) for s, r in network.arcs]
        np.testing.assert_allclose(ends, wanted)
    sequence = in_turn(network, 2)
    np.testing.assert_array_equal(network_layout(sequence).arcs, network.arcs)
    undirected = network_figure(network_layout(network.undirected))
    assert not [p for p in undirected.axes[0].patches if isinstance(p, FancyArrowPatch)]


def test_heads_of_many_arcs_are_smaller():
    """Else they close to a dark collar around each dot."""
    n = 21
    ring = [(k, (k + 1) % n) for k in range(n)]
    every = [(i, j) for i in range(n) for j in range(n) if i != j]
    few, many = (
        network_figure(network_layout(DirectedNetwork(n, np.array(arcs)))) for arcs in (ring, every)
    )
    sizes = [figure.axes[0].patches[0].get_mutation_scale() for figure in (few, many)]
    assert sizes[1] < sizes[0] / 2
