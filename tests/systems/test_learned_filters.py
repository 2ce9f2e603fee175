"""Learned filters: r against dense matrices, its prox, what it restores, files and messages."""

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.signal import correlate2d
from sklearn.datasets import load_sample_image

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.learning.photographs import averaged
from dadao_sim.local_steps.learned.filters import (
    Filters,
    filters_in,
    filters_step,
    operator_of,
    save_filters,
)
from dadao_sim.local_steps.learned.networks import load_network, reference_of
from dadao_sim.local_steps.learned.weight_file import FILES
from dadao_sim.local_steps.reweighting import Reweighted, conjugate_gradients
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make
from dadao_sim.plotting.curves import figure_of
from dadao_sim.problems.data.image import in_grey
from dadao_sim.reports.recovered import psnr
from dadao_sim.results.look import FigureSpec
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

SHAPE = (7, 9)
PIXELS = 63


@cache
def network():
    return load_network("filters")


@cache
def held_out(size=24, top=60, left=140):
    """A square of a photograph that no training saw, and the same with noise of 0.1."""
    clean = averaged(in_grey(load_sample_image("flower.jpg") / 255.0), 2)
    clean = clean[top : top + size, left : left + size]
    return clean, clean + 0.1 * np.random.default_rng(0).standard_normal(clean.shape)


def dense(net, shape):
    """The matrices G_k, from what a library's correlation makes of unit vectors."""
    units = np.eye(shape[0] * shape[1]).reshape(-1, *shape)
    return [
        np.array([correlate2d(unit, g, mode="valid").ravel() for unit in units]).T
        for g in net.filters
    ]


def textbook_value(net, shape, x, strength=1.0):
    answers = [correlate2d(x.reshape(shape), g, mode="valid") for g in net.filters]
    p, e = net.p, net.epsilon
    sums = [((u**2 + e**2) ** (p / 2) - e**p).sum() for u in answers]
    return strength * net.strengths @ sums


# --- The term ----------------------------------------------------------------------------------


def test_there_are_81_numbers():
    net = network()
    assert net.filters.size + net.strengths.size + 1 == 81
    assert_allclose(net.filters.mean(axis=(1, 2)), 0, atol=1e-15)
    assert_allclose((net.filters**2).sum(axis=(1, 2)), 1, rtol=1e-14)
    assert 0 < net.p < 0.5


def test_the_term_is_its_formula():
    net, rng = network(), np.random.default_rng(1)
    step = filters_step(net, PIXELS, 0.3, SHAPE)
    for size in (0.01, 0.1, 1.0):
        x = size * rng.standard_normal(PIXELS)
        assert step.value(x) == pytest.approx(textbook_value(net, SHAPE, x, 0.3), rel=1e-12)
    assert abs(step.value(np.full(PIXELS, 0.7))) <= 1e-12  # what is constant costs nothing
    assert (step.exact, step.has_value, step.convex, step.compiled) == (True, True, False, True)
    assert isinstance(step.operator, Reweighted)


def test_the_square_touches_the_term_and_lies_above_it():
    """S(x) = G'WG by dense matrices; S(x) x is the gradient by differences."""
    net, rng = network(), np.random.default_rng(2)
    step, matrices = filters_step(net, PIXELS, 1.0, SHAPE), dense(net, SHAPE)
    for size in (0.02, 0.2, 2.0):
        x, v = size * rng.standard_normal((2, PIXELS))
        S, wanted = step.operator.majoriser(x), np.zeros(PIXELS)
        for G, s in zip(matrices, net.strengths, strict=True):
            W = s * net.p * ((G @ x) ** 2 + net.epsilon**2) ** (net.p / 2 - 1)
            wanted += G.T @ (W * (G @ v))
        assert_allclose(S(v), wanted, rtol=1e-11, atol=1e-13)
        units = 1e-6 * np.eye(PIXELS)
        slopes = [(step.value(x + d) - step.value(x - d)) / 2e-6 for d in units]
        assert_allclose(S(x), slopes, atol=1e-7)
        for far in (1e-2, 1.0, 10.0):
            y = x + far * rng.standard_normal(PIXELS)
            assert step.value(y) <= step.value(x) + (y @ S(y) - x @ S(x)) / 2 + 1e-12


def test_rows_are_reweighted_each_by_itself():
    rng = np.random.default_rng(3)
    X, V = rng.standard_normal((2, 2, 3, PIXELS))
    operator = operator_of(network(), SHAPE)
    rows = operator.majoriser(X)(V)
    for place in np.ndindex(2, 3):
        assert_array_equal(rows[place], operator.majoriser(X[place])(V[place]))


def test_another_epsilon_is_another_term():
    x = np.random.default_rng(4).standard_normal(PIXELS)
    operator = operator_of(network(), SHAPE)
    wide = operator_of(network()._replace(epsilon=0.5), SHAPE)
    assert_array_equal(operator.with_epsilon(0.5).majoriser(x)(x), wide.majoriser(x)(x))


# --- The prox ----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.1, 1.0, 5.0])
def test_the_prox_is_a_minimum_that_a_library_does_not_better(step):
    """Stationary to rounding; where L-BFGS goes on from it nothing is gained, and no neighbour is
    better; what it began with is worse.
    """
    _, y = held_out()
    v, term = y.ravel(), filters_step(network(), y.size, 1.0)
    x = term.prox(v, step)

    def J(z):
        return step * term.value(z) + ((z - v) ** 2).sum() / 2

    def slope(z):
        return step * term.operator.majoriser(z)(z) + z - v

    assert np.linalg.norm(slope(x)) <= 1e-12 * np.linalg.norm(v)
    assert J(x) < 0.97 * J(v)
    again = minimize(J, x, jac=slope, method="L-BFGS-B")
    assert J(x) <= again.fun * (1 + 1e-12)
    rng = np.random.default_rng(0)
    for size in 10 ** rng.uniform(-6, -1, 50):
        assert J(x + size * rng.standard_normal(x.size)) >= J(x) * (1 - 1e-13)
    assert_array_equal(term.prox(v, step), x)


def test_a_prox_of_what_is_not_finite_is_not():
    term = filters_step(network(), PIXELS, 1.0, SHAPE)
    assert_array_equal(term.prox(np.zeros(PIXELS), 1.0), np.zeros(PIXELS))
    out = np.empty(PIXELS)
    from dadao_sim.engine import operators

    operators.prox(term.operator, 1.0, np.full(PIXELS, np.nan), out)
    assert np.isnan(out).all()


@pytest.mark.parametrize("solve_steps", [1, 2, 5])
def test_each_step_makes_f_plus_r_fall(solve_steps):
    """By what the square falls, to 1e-13, with any number of conjugate gradients from x."""
    _, y = held_out()
    v, term, x = y.ravel(), filters_step(network(), y.size, 1.0), y.ravel().copy()

    def J(z):
        return term.value(z) + ((z - v) ** 2).sum() / 2

    for _ in range(40):
        S = term.operator.majoriser(x)
        new = conjugate_gradients(lambda z, S=S: z + S(z), v, x, solve_steps)
        of_square = (x @ (x + S(x)) - new @ (new + S(new))) / 2 - v @ (x - new)
        assert J(x) - J(new) >= -1e-13 * J(new)
        assert J(x) - J(new) - of_square >= -1e-13 * J(new)
        x = new
    assert J(x) < 0.9 * J(v)


# --- What it restores --------------------------------------------------------------------------


def restored(clean, seed):
    """PSNR of tv_2d at the strength that is best on the training pictures, and of the filters."""
    y = clean + 0.1 * np.random.default_rng(seed).standard_normal(clean.shape)
    tv = make("tv_2d", y.size, strength=0.055, shape=y.shape)
    learned = filters_step(network(), y.size, 1.0, y.shape)
    return [psnr(one.prox(y.ravel(), 1.0).reshape(y.shape), clean) for one in (tv, learned)]


@pytest.mark.slow
def test_of_a_held_out_photograph_it_takes_more_noise_than_total_variation():
    clean = averaged(in_grey(load_sample_image("flower.jpg") / 255.0), 2)[20:212, 20:212]
    of_tv, of_filters = restored(clean, 0)
    assert of_filters >= 28.1
    assert of_filters >= of_tv + 0.4


@pytest.mark.slow
@pytest.mark.skipif(find_spec("skimage") is None, reason="scikit-image is not installed")
def test_of_five_held_out_photographs_too():
    from PIL import Image

    folder = Path(find_spec("skimage").origin).parent / "data"
    every = [load_sample_image("flower.jpg")]
    for name in ("camera", "astronaut", "coffee", "chelsea"):
        with Image.open(folder / f"{name}.png") as image:
            every.append(np.asarray(image.convert("RGB")))
    squares = [averaged(in_grey(one / 255.0), 2)[20:212, 20:212] for one in every]
    of_tv, of_filters = np.mean([restored(c, k) for k, c in enumerate(squares)], axis=0)
    assert of_filters >= 28.1
    assert of_filters >= of_tv + 0.4


# --- Files, sections, the scenario -------------------------------------------------------------


def test_the_shipped_filters_say_how_they_were_made():
    path, stored, metadata = FILES.opened("filters")
    assert metadata["command"] == "dadao-sim learn-prior filters --out filters.npz --seed 0"
    assert path.stat().st_size < 4000
    assert all(stored[name].dtype == np.float64 for name in Filters._fields)
    assert reference_of("filters") == "lefkimmiatis2023learning"


def test_filters_survive_the_file(tmp_path):
    save_filters(tmp_path / "mine.npz", network(), {"seed": 3})
    for one, other in zip(network(), load_network(tmp_path / "mine.npz"), strict=True):
        assert_array_equal(one, other)
    with pytest.raises(InputError, match=r"name a file that ends in \.npz"):
        save_filters(tmp_path / "mine.txt", network(), {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"filters": np.ones((8, 5, 5))}, "filters is no finite numbers of the shape"),
        ({"strengths": np.full(8, np.nan)}, "strengths is no finite numbers"),
        ({"strengths": np.zeros(8)}, "strengths > 0, 0 < p <= 1 and epsilon > 0 are needed"),
        ({"p": 1.5}, "strengths > 0, 0 < p <= 1 and epsilon > 0 are needed"),
        ({"epsilon": 0.0}, "strengths > 0, 0 < p <= 1 and epsilon > 0 are needed"),
    ],
)
def test_filters_that_are_none_are_refused(tmp_path, change, reason):
    path = tmp_path / "odd.npz"
    save_filters(path, network()._replace(**change), {})
    with pytest.raises(InputError, match=reason):
        load_network(path)


def test_damaged_files_are_refused(tmp_path):
    content = (FILES.folder / "filters.npz").read_bytes()
    path = tmp_path / "broken.npz"
    for broken in (content[:700], b"", content[:-30]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="not the weights of a learned network, or damaged"):
            load_network(path)
    held = io.BytesIO()
    np.savez(held, filters=np.ones((8, 3, 3)))
    path.write_bytes(held.getvalue())
    with pytest.raises(InputError, match="not the weights of a learned network, or damaged"):
        filters_in(path, np.load(path))


@pytest.mark.parametrize(
    ("learned", "dimension", "said"),
    [
        (
            {},
            63,
            "learned.shape: 63 is no number of pixels of a square; rows and columns of the picture "
            "are needed, its shape",
        ),
        ({"shape": [8, 8]}, 63, "learned.shape: 8 x 8 is 64; the dimension is 63"),
        (
            {"shape": [2, 9]},
            18,
            "learned.shape: 2 x 9 pixels given; 3 at least in each direction, the size of a filter",
        ),
        (
            {"network": "laplacian", "shape": [3, 3]},
            9,
            "learned.shape: laplacian has none; leave it out; it is of pictures",
        ),
    ],
)
def test_messages(learned, dimension, said):
    with pytest.raises(InputError) as caught:
        build_local_step({"learned": {"network": "filters", **learned}}, dimension)
    assert str(caught.value) == said


def test_a_square_picture_needs_no_shape_and_a_block_has_that_of_its_filters():
    v = np.random.default_rng(5).standard_normal(81)
    of_square = build_local_step({"learned": "filters"}, 81)
    assert_array_equal(
        of_square.prox(v, 1.0), filters_step(network(), 81, 1.0, (9, 9)).prox(v, 1.0)
    )
    picture = {"learned": {"network": "filters", "shape": [7, 9]}}
    both = build_local_step({"blocks": [picture, {"prox": {"kind": "l1", "strength": 1.0}}]}, 65)
    w = v[:65]
    alone = filters_step(network(), 63, 1.0, (7, 9))
    assert_array_equal(both.prox(w, 0.5)[:63], alone.prox(w[:63], 0.5))
    assert both.value(w) == pytest.approx(alone.value(w[:63]) + np.abs(w[63:]).sum())


def test_the_scenario_needs_no_torch_and_asks_for_its_figure():
    scenario = load_scenario(shipped.scenarios()["systems/learned-filters"])
    assert [figure.kind for figure in scenario.figures] == ["recovered"]
    assert not scenario.local_step.needs_torch
    assert scenario.local_step.learned.reference == "lefkimmiatis2023learning"
    pixels = scenario.problem.data.size**2
    assert scenario.local_step.learned.strength == pytest.approx(2 / pixels, rel=1e-3)


@pytest.mark.slow
def test_a_small_one_arrives_by_reweighting_and_by_the_prox():
    """The scenario at 24 x 24 pixels: the same x*, by the prox for fewer communications."""
    mapping = load_scenario(shipped.scenarios()["systems/learned-filters"]).to_mapping()
    mapping["problem"]["data"]["size"] = 24
    mapping["local_step"]["learned"]["strength"] = 2 / 24**2
    mapping["algorithms"] = mapping["algorithms"][:2]
    result = simulate(scenario_from_mapping(mapping))
    assert (result.runs["status"] == "converged").all()
    assert result.runs["experimental"].all()
    last = result.curves.groupby("algorithm").last()
    by_prox, reweighted = last.loc["filters by their prox"], last.loc["learned filters"]
    assert by_prox["communications"] < 0.5 * reweighted["communications"]
    assert np.abs(last["suboptimality"]).max() < 1e-6
    look = FigureSpec.of({"kind": "recovered", "labels": {"learned filters": "by reweighting"}})
    axes = figure_of(result, look).axes
    assert [one.get_title() for one in axes[:3]] == ["Truth", "Seen", "by reweighting"]
    drawn = [psnr(one.images[0].get_array(), axes[0].images[0].get_array()) for one in axes[1:]]
    assert min(drawn[1:]) > drawn[0] + 3


def test_the_figure_is_of_data_with_a_truth_only():
    scenario = {
        "name": "none",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["nids"],
        "stop": {"time": 3},
        "figures": [{"file": "a.png", "kind": "recovered"}],
    }
    with pytest.raises(InputError, match=r"figures\.0\.kind: only data digit, image, sp"):
        scenario_from_mapping(scenario)
    lit = load_scenario(shipped.scenarios()["systems/low-light"]).to_mapping()
    lit["figures"][0].update(kind="recovered")
    with pytest.raises(InputError, match="light and reflectance are two pictures: draw low_light"):
        scenario_from_mapping(lit)
