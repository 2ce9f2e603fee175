"""The truth drawn is the truth, the recovery that of the worst node, and errors are one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from synthetic import finished_run, result, style_of

from dadao_sim.errors import InputError
from dadao_sim.plotting.pictures import LOST
from dadao_sim.plotting.recovered import recovered_figure
from dadao_sim.plotting.style import save_figure
from dadao_sim.problems.data.image import load
from dadao_sim.reports.recovered import psnr, recovered
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.simulate import simulate

SIZE, NODES = 16, 4
IMAGE = {"kind": "image", "task": "deblurring", "image": "flower", "size": SIZE}
SIGNAL = {"kind": "sparse_signal", "dim": 12, "samples_per_node": 8, "nonzeros": 3}


def scenario(data, **changes):
    problem = {"kind": "least_squares" if data is SIGNAL else "ridge", "data": data}
    if data is not SIGNAL:
        problem["mu"] = 1e-3
    return {
        "name": "recovered",
        "problem": problem,
        "network": {"graph": "cycle", "nodes": NODES},
        "algorithms": ["nids", "prox_ed"],
        "stop": {"time": 30},
        **changes,
    }


def made_up(data, estimates, methods=("nids",), statuses=None, **changes):
    """A result whose final states are given: label -> x (n, d)."""
    names = dict(zip(estimates, methods, strict=False))
    runs = [
        finished_run(names.get(label, label), label=label, status=(statuses or {}).get(label))
        for label in estimates
    ]
    made = result(*runs)
    made.manifest["scenario"] = {**scenario(data), "seed": 0, **changes}
    made.states = {(label, 0): {"x": x} for label, x in estimates.items()}
    return made


def drawn(made, labels=None):
    return recovered_figure(recovered(made, labels))


def images(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def names(figure):
    return [(axes.get_title(), axes.get_xlabel()) for axes in figure.axes]


def noisy(truth, seed=0):
    return truth + 0.1 * np.random.default_rng(seed).standard_normal((NODES, truth.size))


# ---- images -----------------------------------------------------------------------------------


def test_psnr_is_that_of_the_definition():
    truth, picture = np.random.default_rng(0).random((2, 5, 7))
    error = sum((a - b) ** 2 for a, b in zip(truth.flat, picture.flat, strict=True)) / 35
    assert psnr(picture, truth) == pytest.approx(10 * np.log10(1.0**2 / error))
    assert psnr(truth + 0.1, truth) == pytest.approx(20)


def test_a_row_of_pictures_is_the_data_that_was_given():
    truth = load("flower", SIZE)
    estimates = {"nids": noisy(truth.ravel()), "mine": noisy(truth.ravel(), 1)}
    figure = drawn(made_up(IMAGE, estimates, ("nids", "prox_ed")))
    shown = images(figure)
    np.testing.assert_array_equal(shown[0], truth)
    for k, X in enumerate(estimates.values()):
        worst = max(X, key=lambda x: ((x - truth.ravel()) ** 2).mean()).reshape(truth.shape)
        np.testing.assert_array_equal(shown[2 + k], worst)
        least = min(psnr(x.reshape(truth.shape), truth) for x in X)
        assert names(figure)[2 + k] == (("NIDS", "mine")[k], f"{least:.1f} dB")
    assert names(figure)[0] == ("Truth", "")
    for axes in figure.axes:
        assert axes.images[0].get_clim() == (0, 1)
        assert axes.images[0].get_interpolation() == "nearest"
        assert axes.images[0].get_cmap()(0.3) == pytest.approx((0.3, 0.3, 0.3, 1), abs=0.01)


def test_what_was_seen_is_what_the_problem_is_made_of():
    """Of an image that is only noisy, what was seen is the minimiser."""
    data = {**IMAGE, "task": "inpainting", "observed": 1.0, "noise": 0.1}
    problem = {"kind": "ridge", "mu": 1e-13, "data": data}
    made = simulate(scenario(data, problem=problem, stop={"time": 2}))
    figure = drawn(made)
    seen = images(figure)[1]
    x_star = build_parts(scenario_of(made), 0).problem.x_star
    np.testing.assert_allclose(np.asarray(seen).ravel(), x_star, atol=1e-9)
    assert names(figure)[1] == ("Seen", f"{psnr(seen, load('flower', SIZE)):.1f} dB")


def scenario_of(made):
    from dadao_sim.scenario.reading import scenario_from_mapping

    return scenario_from_mapping(made.manifest["scenario"])


def test_lost_pixels_are_no_grey():
    data = {**IMAGE, "task": "inpainting", "observed": 0.25}
    figure = drawn(made_up(data, {"nids": noisy(load("flower", SIZE).ravel())}))
    seen = figure.axes[1].images[0]
    pixels = seen.get_array()
    assert np.isnan(np.ma.filled(pixels, np.nan)).sum() == 0.75 * SIZE**2
    colour = seen.get_cmap()(np.ma.masked_invalid([np.nan]))[0][:3]
    assert tuple(colour) == pytest.approx(to_rgb(LOST))
    assert np.ptp(colour) > 0.3
    assert names(figure)[1] == ("Seen", "25 % of the pixels")


def test_a_diverged_algorithm_is_called_so_if_its_first_repeat_is():
    X = np.full((NODES, SIZE**2), np.inf)
    made = made_up(IMAGE, {"nids": X}, statuses={"nids": "diverged"})
    assert names(drawn(made))[2] == ("NIDS", "diverged")
    made.runs = made.runs.assign(repeat=1)
    made.states = {("nids", 0): {"x": np.zeros_like(X)}}
    assert names(drawn(made))[2][1].endswith(" dB")


@pytest.mark.parametrize(("count", "grid"), [(1, (1, 3)), (3, (1, 5)), (4, (2, 3)), (9, (3, 4))])
def test_many_pictures_take_several_rows(count, grid):
    truth = load("flower", SIZE).ravel()
    figure = drawn(made_up(IMAGE, {f"m{k}": noisy(truth, k) for k in range(count)}))
    assert len(images(figure)) == count + 2
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == grid


# ---- signals ----------------------------------------------------------------------------------


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found


def truth_of(figure):
    return line(figure.axes[0], "truth").get_data()


def test_strips_show_the_signal_and_the_node_farthest_from_it():
    support, values = truth_of(drawn(made_up(SIGNAL, {"nids": np.zeros((NODES, 12))})))
    truth = np.zeros(12)
    truth[support] = values
    assert np.count_nonzero(truth) == 3
    X = noisy(truth)
    figure = drawn(made_up(SIGNAL, {"nids": X, "half": X / 2}, ("nids", "prox_ed")))
    for axes, shown, name in zip(figure.axes, (X, X / 2), ("NIDS", "half"), strict=True):
        worst = max(shown, key=lambda x: np.linalg.norm(x - truth))
        np.testing.assert_array_equal(line(axes, "recovered").get_ydata(), worst)
        np.testing.assert_array_equal(line(axes, "truth").get_data(), (support, values))
        assert axes.get_title("left") == name
        error = np.linalg.norm(worst - truth) / np.linalg.norm(truth)
        assert axes.get_title("right") == f"relative error {error:.2g}"
    assert line(figure.axes[0], "recovered").get_color() == style_of("nids").colour
    assert line(figure.axes[0], "recovered").get_marker() == style_of("nids").marker
    assert figure.axes[1].get_xlabel() == "Coordinate"
    assert figure.get_supylabel() == "Coefficient"


def test_the_signal_is_the_one_that_the_data_are_made_of():
    """Without noise, the samples of all nodes give it back by least squares."""
    data = {**SIGNAL, "noise": 0.0}
    made = simulate(scenario(SIGNAL, problem={"kind": "least_squares", "data": data}))
    problem = build_parts(scenario_of(made), 0).problem
    support, values = truth_of(drawn(made))
    truth = np.zeros(12)
    truth[support] = values
    np.testing.assert_allclose(problem.x_star, truth, atol=1e-9)


def test_a_diverged_run_does_not_set_the_axis():
    X = np.ones((NODES, 12))
    runs = {"nids": X, "prox_ed": 1e30 * X, "pg_extra": np.nan * X}
    bad = dict.fromkeys(("prox_ed", "pg_extra"), "diverged")
    made = made_up(SIGNAL, runs, tuple(runs), statuses=bad)
    figure = drawn(made)
    assert [axes.get_title("right") for axes in figure.axes[1:]] == ["diverged"] * 2
    top = max(1.0, np.abs(truth_of(figure)[1]).max())
    for axes in figure.axes:
        assert axes.get_ylim() == pytest.approx((-1.25 * top, 1.25 * top))


def test_only_the_algorithms_asked_for_in_the_colours_of_all():
    X = np.zeros((NODES, 12))
    made = made_up(SIGNAL, {"a": X, "b": X, "c": X}, ("nids", "nids", "mine"))
    whole, chosen = drawn(made), drawn(made, ["c", "b"])
    assert [axes.get_title("left") for axes in chosen.axes] == ["c", "b"]
    for k, other in ((0, 2), (1, 1)):
        ours, theirs = (line(f.axes[at], "recovered") for f, at in ((chosen, k), (whole, other)))
        assert ours.get_color() == theirs.get_color()
        assert ours.get_marker() == theirs.get_marker()


# ---- both -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("data", [IMAGE, SIGNAL], ids=["image", "signal"])
@pytest.mark.parametrize("count", [1, 4])
def test_nothing_overlaps_and_the_bytes_are_the_same(data, count, tmp_path):
    dimension = SIZE**2 if data is IMAGE else 12
    labels = ["nids", "a label that is much longer than the names of methods are", "c", "d"]
    runs = {label: np.full((NODES, dimension), 0.5) for label in labels[:count]}
    made = made_up(data, runs)
    figure = drawn(made)
    FigureCanvasAgg(figure).draw()
    boxes: list[Any] = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [legend.get_window_extent() for legend in figure.legends]
    for k, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:k])
    paths = [tmp_path / name for name in ("a.png", "b.png")]
    for path in paths:
        save_figure(drawn(made), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_loaded_result_draws_as_a_fresh_one(tmp_path):
    fresh = simulate(scenario(SIGNAL, stop={"time": 5}, repeats=2))
    loaded = simulate(scenario(SIGNAL, stop={"time": 5}, repeats=2), out=tmp_path / "r")
    for k, made in enumerate((fresh, loaded)):
        save_figure(drawn(made), tmp_path / f"{k}.png")
    assert (tmp_path / "0.png").read_bytes() == (tmp_path / "1.png").read_bytes()


REFUSED = {
    "other data": (
        {"data": {**SIGNAL, "kind": "diabetes"}},
        "its problem is least_squares; only data digit",
    ),
    "interrupted": ({"interrupted": True}, "interrupted"),
    "given": ({"given_in_python": ["problem"]}, "given in Python"),
    "no such label": ({"labels": ["nobody"]}, "there is no 'nobody' (known: nids"),
    "a dual x": ({"method": "msda"}, "final states of nids hold no estimate"),
    "no x": ({"block": "y"}, "final states of nids hold no estimate"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_shown_is_one_line(case):
    changes, message = REFUSED[case]
    x = np.zeros((NODES, 12))
    made = made_up(SIGNAL, {"nids": x}, (changes.get("method", "nids"),))
    made.states = {("nids", 0): {changes.get("block", "x"): x}}
    made.manifest |= {k: v for k, v in changes.items() if k in ("interrupted", "given_in_python")}
    if "data" in changes:
        problem = {"kind": "least_squares", "data": {"kind": "diabetes"}}
        made.manifest["scenario"] = {**made.manifest["scenario"], "problem": problem}
    with pytest.raises(InputError, match=r"^(result|labels|algorithm): ") as refused:
        recovered(made, changes.get("labels"))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_command(dadao_sim, tmp_path):
    simulate(scenario(SIGNAL, stop={"time": 5}), out=tmp_path / "r")
    code, out, err = dadao_sim("recovered", "r", "--algorithm", "nids", "--figure", "f.png")
    assert (code, out, err) == (0, "figure: f.png\n", "")
    made = simulate(scenario(SIGNAL, stop={"time": 5}))
    save_figure(drawn(made, ["nids"]), tmp_path / "g.png")
    assert Path("f.png").read_bytes() == (tmp_path / "g.png").read_bytes()
    for bad in (["nowhere"], ["r", "--algorithm", "x"]):
        code, out, err = dadao_sim("recovered", *bad, "--figure", "h.png")
        assert (code, err.count("\n")) == (2, 1)
    assert not Path("h.png").exists()


@pytest.mark.parametrize("dim", [1, 2, 3, 12, 40])
def test_coordinates_are_whole_numbers(dim):
    x = np.zeros((NODES, dim))
    data = {**SIGNAL, "dim": dim, "nonzeros": 1}
    made = made_up(SIGNAL, {"nids": x}, problem=scenario(data)["problem"])
    axis = drawn(made).axes[-1].xaxis
    ticks = axis.get_majorticklocs()
    assert len(ticks) >= min(dim, 2)
    assert all(tick == round(tick) and 0 <= tick < dim for tick in ticks)
