"""The figure of a learned network: the operator and the prior that are drawn are its own."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: E402

from dadao_sim.learning.matching_limit import laplacian_limit  # noqa: E402
from dadao_sim.local_steps.learned import learned_step, load_weights, save_weights  # noqa: E402
from dadao_sim.plotting.prior_losses import prior_losses_figure  # noqa: E402
from dadao_sim.plotting.priors import prior_figure  # noqa: E402
from dadao_sim.plotting.style import save_figure  # noqa: E402
from dadao_sim.reports.prior import BEYOND, prior_report  # noqa: E402


def curve(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line.get_data()


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture(scope="module")
def figure():
    return prior_figure(prior_report(*load_weights("laplacian")))


def test_the_operator_is_drawn_beyond_its_training_against_its_targets(figure):
    weights, _ = load_weights("laplacian")
    y, f = curve(figure.axes[0], "network")
    assert (y[0], y[-1]) == (-BEYOND * weights.radius, BEYOND * weights.radius)
    assert_array_equal(f, learned_step(weights, y.size).prox(y, 1.0))
    outside = np.abs(y) > weights.radius + 0.05
    assert_allclose(np.gradient(f, y)[outside], 1.0, rtol=1e-9)
    soft = np.where(y > 1, y - 1, np.where(y < -1, y + 1, 0.0))
    assert_allclose(curve(figure.axes[0], "soft threshold"), (y, soft), atol=1e-15)
    assert_array_equal(curve(figure.axes[0], "limit"), (y, laplacian_limit(y, 0.2)))


def test_the_operator_minimises_what_the_prior_of_the_figure_says(figure):
    """f(y) is the minimiser of R(x) + (x - y)^2/2 on the points that are drawn."""
    x, R = curve(figure.axes[1], "network")
    step = learned_step(load_weights("laplacian")[0], 1)
    for y in (-4.5, -2.0, 0.4, 1.5, 5.0):
        found = x[np.argmin(R + (x - y) ** 2 / 2)]
        assert found == pytest.approx(step.prox([y], 1.0)[0], abs=x[1] - x[0])


def test_the_constant_is_that_of_the_absolute_value_where_it_was_trained(figure):
    x, R = curve(figure.axes[1], "network")
    assert_array_equal(curve(figure.axes[1], "|x|"), (x, np.abs(x)))
    weights, _ = load_weights("laplacian")
    low, high = learned_step(weights, 2).prox([-weights.radius, weights.radius], 1.0)
    trained = (x >= low) & (x <= high)
    assert (R - np.abs(x))[trained].mean() == pytest.approx(0.0, abs=1e-12)
    for axes, span in zip(
        figure.axes, ((-weights.radius, weights.radius), (low, high)), strict=True
    ):
        (shade,) = axes.patches
        assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx(span)
        assert axes.get_xlim()[0] < span[0] < span[1] < axes.get_xlim()[1]


def test_a_network_of_unknown_origin_is_compared_with_nothing():
    weights, metadata = load_weights("laplacian")
    other = {**metadata, "recipe": {**metadata["recipe"], "sigma": 0.5}}
    for origin in ({}, {"prior": "mine"}, other):
        figure = prior_figure(prior_report(weights, origin))
        assert [len(axes.lines) for axes in figure.axes] == [1, 1]
        assert legend(figure) == ["learned network", "range of the training"]
    assert len(legend(prior_figure(prior_report(weights, metadata)))) == 4


def test_nothing_overlaps(figure):
    FigureCanvasAgg(figure).draw()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes.append(figure.legends[0].get_window_extent())
    for k, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:k])


def test_the_command(dadao_sim, tmp_path):
    weights, metadata = load_weights("laplacian")
    save_weights(tmp_path / "mine.npz", weights, metadata)
    for network in ("laplacian", "mine.npz"):
        code, out, err = dadao_sim("prior", network, "--figure", f"{network}.png")
        said = "largest slope: 1.089 (expansive: no contraction theorem applies)\n"
        assert (code, out, err) == (0, f"figure: {network}.png\n{said}", "")
    save_figure(prior_figure(prior_report(weights, metadata)), tmp_path / "again.png")
    again = (tmp_path / "again.png").read_bytes()
    assert (tmp_path / "laplacian.png").read_bytes() == again
    assert (tmp_path / "mine.npz.png").read_bytes() == again
    for bad in (("gauss", "f.png"), ("nowhere.npz", "f.png"), ("laplacian", "f.docx")):
        code, _, err = dadao_sim("prior", bad[0], "--figure", bad[1])
        assert (code, err.count("\n")) == (2, 1)


def test_networks_of_several_losses_are_drawn_with_their_priors(dadao_sim):
    """Below the kink of |x| by the mean square, nearest to it by matching."""
    names = ("laplacian", "laplacian_l1", "laplacian_l2")
    reports = {name: prior_report(*load_weights(name)) for name in names}
    figure = prior_losses_figure(reports)
    assert legend(figure) == [*names, "soft threshold, absolute value"]
    left, right = figure.axes
    depth = []
    for name, f, R in zip(names, left.lines[1:], right.lines, strict=False):
        y = f.get_xdata()
        assert np.abs(y).max() <= load_weights(name)[0].radius
        assert_allclose(
            f.get_ydata(), learned_step(load_weights(name)[0], y.size).prox(y, 1.0), atol=1e-15
        )
        depth.append(R.get_ydata().min())
    assert 0 < depth[0] < depth[1] < depth[2]
    code, out, _ = dadao_sim("prior", *names[:2], "--figure", "two.png")
    assert (code, out.count("largest slope of laplacian")) == (0, 2)
