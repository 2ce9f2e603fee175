"""Images, their blur and their masks, against definitions and SciPy's filters."""

from typing import Any

import numpy as np
import problem_cases as cases
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_sample_image

from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.problems.build import picture
from dadao_sim.problems.data import image as images


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def spec(task: str, mu: float | None = None, weighting: str = "samples", **options: Any) -> Any:
    own = {"blur": 1.0} if task == "deblurring" else {}
    data = {"kind": "image", "task": task, "size": 12, **own, **options}
    if mu is None:
        return cases.spec("least_squares", data, weighting=weighting)
    return cases.spec("ridge", data, weighting=weighting, mu=mu)


# --- The image -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["china", "flower"])
def test_the_image_is_the_grey_centre(name):
    colours = load_sample_image(f"{name}.jpg")[:, 106 : 106 + 427].astype(float)
    grey = (299 * colours[..., 0] + 587 * colours[..., 1] + 114 * colours[..., 2]) / 255_000
    np.testing.assert_allclose(images.load(name, 427), grey, atol=1e-12)
    blocks = grey.reshape(61, 7, 61, 7).mean(axis=(1, 3))
    np.testing.assert_allclose(images.load(name, 61), blocks, atol=1e-12)
    for size in (2, 48, 64):
        image = images.load(name, size)
        assert image.shape == (size, size)
        assert 0 <= image.min() < image.max() <= 1
        assert image.mean() == pytest.approx(grey.mean(), abs=1e-12)  # areas count once


# --- The blur ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(size=st.integers(3, 20), deviation=st.floats(0.2, 3), seed=st.integers(0, 9))
def test_blur_is_scipys_filter(size, deviation, seed):
    if 2 * int(3 * deviation + 0.5) + 1 > size:
        with pytest.raises(InputError, match=r"^blur: .* makes a kernel"):
            images.blur_matrix(size, deviation)
        return
    image = rng(seed).standard_normal((size, size))
    expected = gaussian_filter(image, deviation, mode="reflect", truncate=3.0)
    matrix = images.blur_matrix(size, deviation)
    np.testing.assert_allclose(matrix @ image.ravel(), expected.ravel(), atol=1e-13)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-13)
    assert abs(matrix - matrix.T).max() < 1e-16


def test_blur_by_its_definition():
    size, deviation, radius = 9, 1.3, 4
    weights = np.array([np.exp(-(k**2) / (2 * deviation**2)) for k in range(-4, 5)])
    weights /= weights.sum()
    expected = np.zeros((81, 81))
    for row in range(size):
        for column in range(size):
            for p in range(-radius, radius + 1):
                for q in range(-radius, radius + 1):
                    r, c = ((-1 - v if v < 0 else v) for v in (row + p, column + q))
                    r, c = ((17 - v if v > 8 else v) for v in (r, c))
                    expected[9 * row + column, 9 * r + c] += weights[p + 4] * weights[q + 4]
    np.testing.assert_allclose(images.blur_matrix(size, deviation).toarray(), expected, atol=1e-15)
    assert np.linalg.norm(expected, 2) == pytest.approx(1, rel=1e-12)


# --- The problems --------------------------------------------------------------------------------


@pytest.mark.parametrize("weighting", ["samples", "uniform"])
def test_deblurring_is_its_definition(weighting):
    options = spec("deblurring", 0.1, weighting)
    problem = build_problem(options, 5, rng(1))
    _, seen, _ = picture(options, 5, rng(1))
    x = rng(2).standard_normal(144)
    blurred = gaussian_filter(x.reshape(12, 12), 1.0, mode="reflect", truncate=3.0)
    squares = np.array_split(((blurred - seen) ** 2).ravel(), 5)
    scale = [5 / 144] * 5 if weighting == "samples" else [1 / part.size for part in squares]
    for i, part in enumerate(squares):
        assert problem.value(i, x) == pytest.approx(scale[i] * part.sum() + 0.05 * x @ x)
    if weighting == "samples":  # F is the mean over the pixels
        mean = np.mean([problem.value(i, x) for i in range(5)])
        assert mean == pytest.approx(((blurred - seen) ** 2).mean() + 0.05 * x @ x)
    assert problem.mu == 0.1
    assert problem.L <= 2 * max(scale) + 0.1 + 1e-9  # the blur has norm 1


@pytest.mark.parametrize("task", ["deblurring", "inpainting"])
def test_the_true_image_explains_what_is_seen_without_noise(task):
    options = spec(task, noise=0.0)
    problem = build_problem(options, 4, rng())
    truth, *_ = picture(options, 4, rng())
    assert max(problem.value(i, truth.ravel()) for i in range(4)) < 1e-28
    with pytest.raises(InputError, match="mu = 0"):
        _ = problem.mu


@pytest.mark.parametrize("task", ["deblurring", "inpainting"])
def test_the_picture_is_that_of_the_problem(task):
    options = spec(task, image="flower")
    problem = build_problem(options, 4, rng(7))
    truth, seen, _ = picture(options, 4, rng(7))
    np.testing.assert_array_equal(truth, images.load("flower", 12))
    np.testing.assert_array_equal(problem.model.targets, seen.ravel()[~np.isnan(seen.ravel())])
    again = picture(options, 4, rng(7))[1]
    assert again.tobytes() == seen.tobytes() != picture(options, 4, rng(8))[1].tobytes()


def test_noise_has_its_size_and_is_the_same_for_every_number_of_nodes():
    options = spec("deblurring", size=64, noise=0.05)
    truth, seen, _ = picture(options, 16, rng(3))
    blurred = gaussian_filter(truth, 1.0, mode="reflect", truncate=3.0)
    assert (seen - blurred).std() == pytest.approx(0.05, rel=0.03)
    np.testing.assert_array_equal(picture(options, 3, rng(3))[1], seen)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(2, 20),
    nodes=st.integers(1, 12),
    observed=st.floats(0.05, 1),
    seed=st.integers(0, 99),
)
def test_inpainting_sees_a_share_of_every_strip(size, nodes, observed, seed):
    options = spec("inpainting", size=size, observed=observed, noise=0.0)
    strips = np.array_split(np.arange(size * size), nodes)
    counts = [round(observed * strip.size) for strip in strips]
    if min(counts) == 0:
        with pytest.raises(InputError, match=r"^data\.(size|observed): "):
            build_problem(options, nodes, rng(seed))
        return
    problem = build_problem(options, nodes, rng(seed))
    assert problem.samples.tolist() == counts
    truth, seen, _ = picture(options, nodes, rng(seed))
    np.testing.assert_array_equal(np.where(np.isnan(seen), truth, seen), truth)
    for i, strip in enumerate(strips):
        columns = problem.rows(i, i + 1).indices
        assert set(columns) <= set(strip)
        np.testing.assert_array_equal(columns, strip[~np.isnan(seen.ravel()[strip])])
    np.testing.assert_allclose(problem.node_L, 2 * nodes / sum(counts), rtol=1e-12)


def test_more_pixels_are_seen_beside_those_seen_before():
    few, many = (
        ~np.isnan(picture(spec("inpainting", observed=share), 4, rng())[1]) for share in (0.3, 0.6)
    )
    assert (few <= many).all()
    assert few.sum() == 4 * round(0.3 * 36)
    assert not np.isnan(picture(spec("inpainting", observed=1.0), 4, rng())[1]).any()


def test_ridge_sharpens():
    options = spec("deblurring", 2 / 32**2 / 300, size=32, blur=1.5, noise=0.005)
    truth, seen, _ = picture(options, 8, rng())
    restored = build_problem(options, 8, rng()).x_star.reshape(32, 32)
    assert np.linalg.norm(restored - truth) < 0.8 * np.linalg.norm(seen - truth)


# --- Refusals and scenarios ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "nodes", "message"),
    [
        (
            {"size": 3, "blur": 0.2},
            10,
            "data.size: 3 makes 9 pixels for 10 nodes; at least 4",
        ),
        ({"blur": 2.0}, 2, "data.blur: 2 makes a kernel of 13 pixels; at most size = 12"),
        (
            {"task": "inpainting", "size": 4, "observed": 0.1},
            4,
            "data.observed: 0.1 of a node's 4 pixels is none",
        ),
    ],
)
def test_refused_options(options, nodes, message):
    with pytest.raises(InputError) as error:
        build_problem(spec(**{"task": "deblurring", **options}), nodes, rng())
    assert message in str(error.value)


def test_the_image_has_an_end():
    with pytest.raises(InputError, match=r"^size: 428 given; the image has 427 pixels at most"):
        images.load("china", 428)


def test_from_a_scenario():
    made = cases.spec("ridge", {"kind": "image", "task": "deblurring", "size": 16}, mu=1e-4)
    problem = build_problem(made, 4, rng())
    assert (problem.nodes, problem.dimension, problem.mu) == (4, 256, 1e-4)
    assert picture(made, 4, rng())[1].shape == (16, 16)
    whole = cases.spec("least_squares", {"kind": "image", "task": "inpainting"})
    inpainting = build_problem(whole, 4, rng())
    assert (inpainting.dimension, inpainting.samples.tolist()) == (4096, [512] * 4)


@pytest.mark.parametrize(
    ("data", "problem", "message"),
    [
        ({}, {}, "data.task: is missing"),
        ({"task": "denoising"}, {}, "data.task: unknown value 'denoising'"),
        ({"task": "inpainting", "blur": 2.0}, {}, "data.blur: only deblurring has it"),
        ({"task": "deblurring", "observed": 0.2}, {}, "data.observed: only inpainting has it"),
        ({"task": "inpainting", "observed": 1.5}, {}, "data.observed: must be at most 1"),
        ({"task": "deblurring", "size": 500}, {}, "data.size: must be at most 427"),
        ({"task": "deblurring"}, {"kind": "averaging"}, "averaging needs points"),
        (
            {"task": "deblurring"},
            {"kind": "logistic_l2", "mu": 1.0},
            "data.kind: image needs least_squares or ridge, not logistic_l2",
        ),
        ({"task": "deblurring"}, {"kind": "ridge"}, "mu: is missing"),
        (
            {"task": "deblurring"},
            {"partition": {"kind": "iid"}},
            "partition: an image is split into strips; leave it out",
        ),
    ],
)
def test_refused_scenarios(data, problem, message):
    section = {"kind": "least_squares", "data": {"kind": "image", **data}, **problem}
    assert message in cases.refusal(section)
