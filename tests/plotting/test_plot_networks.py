"""Edges are drawn where they are, as wide and dark as they are fast."""

import math

import networkx as nx
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from dadao_sim.errors import InputError
from dadao_sim.networks.network import Network
from dadao_sim.plotting.networks import FORCE_NODES, layout, network_figure


def from_graph(graph: nx.Graph, **attributes) -> Network:
    return Network(len(graph), np.array(graph.edges), **attributes)


@pytest.fixture
def square() -> Network:
    """Four corners and a diagonal."""
    corners = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    edges = np.array([(0, 1), (1, 2), (2, 3), (0, 3), (0, 2)])
    return Network(4, edges, positions=corners)


def collections(figure) -> list[LineCollection]:
    return [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]


def test_every_edge_is_drawn_between_its_ends(square):
    (lines,) = collections(network_figure(square))
    drawn = {tuple(map(tuple, segment)) for segment in lines.get_segments()}
    assert drawn == {
        tuple(map(tuple, square.positions[[i, j]].tolist())) for i, j in square.edges.tolist()
    }
    (dots,) = network_figure(square).axes[0].lines
    np.testing.assert_array_equal(np.column_stack(dots.get_data()), square.positions)


def test_rates_are_the_values_of_the_edges_and_widths_grow_with_them(square):
    rates = np.array([3.0, 1.0, 0.5, 2.0, 4.0])
    figure = network_figure(square, rates)
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
    figure = network_figure(square, [1.0, 0.0, 1e-6, 1.0, 1.0])
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
    assert network_figure(at_sixty).axes[0].get_aspect() == pytest.approx(2.0)
    assert network_figure(square).axes[0].get_aspect() == 1.0


def test_a_node_without_a_place_is_drawn_amid_its_neighbours():
    ladder = nx.path_graph(4)
    positions = np.array([[0.0, 0.0], [np.nan, np.nan], [np.nan, np.nan], [3.0, 6.0]])
    points = layout(from_graph(ladder, positions=positions))
    np.testing.assert_allclose(points, [[0, 0], [1, 2], [2, 4], [3, 6]], atol=1e-12)
    nowhere = from_graph(ladder, positions=np.full((4, 2), np.nan))
    with pytest.raises(InputError, match="not one node"):
        layout(nowhere)


def test_a_path_is_laid_out_as_a_line_along_x():
    points = layout(from_graph(nx.path_graph(12)))
    steps = np.diff(points[:, 0])
    assert (np.sign(steps) == np.sign(steps[0])).all()
    assert np.ptp(points[:, 1]) < 0.1 * np.ptp(points[:, 0])


@pytest.mark.parametrize("rows", [5, math.ceil(math.sqrt(FORCE_NODES)) + 1])
def test_neighbours_are_laid_out_near_each_other_the_same_way_every_time(rows):
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, rows + 2), ordering="sorted")
    network = from_graph(graph)
    points = layout(network)
    np.testing.assert_array_equal(points, layout(network))
    edges = np.linalg.norm(points[network.edges[:, 0]] - points[network.edges[:, 1]], axis=1)
    rng = np.random.default_rng(0)
    pairs = rng.integers(network.nodes, size=(2, 500))
    apart = np.linalg.norm(points[pairs[0]] - points[pairs[1]], axis=1)
    assert edges.mean() < 0.5 * apart.mean()
    assert np.unique(points.round(9), axis=0).shape == points.shape


@pytest.mark.parametrize(
    "rates", [[1.0], [1, 1, 1, 1, -1.0], [1, 1, 1, 1, np.nan], [0.0] * 5, [[1.0] * 5]]
)
def test_rates_that_are_none_are_refused(square, rates):
    with pytest.raises(InputError, match="plot rates") as error:
        network_figure(square, rates)
    assert "\n" not in str(error.value)


def test_the_title_is_above_and_the_page_is_filled(square):
    figure = network_figure(square, np.ones(5), title="Square")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    assert figure.axes[0].get_title() == "Square"
    box = figure.axes[0].get_window_extent(renderer)
    assert box.width > 0.85 * figure.bbox.width
    bar = figure.axes[1].get_tightbbox(renderer)
    assert bar is not None
    assert not box.overlaps(bar)
