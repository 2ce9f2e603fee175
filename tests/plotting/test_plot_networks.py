"""Edges are drawn where they are, as wide and dark as they are fast."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection

from dadao_sim.errors import InputError
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
