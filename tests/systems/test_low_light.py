"""Low light: the prior of light on held-out scenes, with and without masks, and what nodes make of
a dark picture together. Weights are shipped; nothing here needs torch.
"""

from functools import cache

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, zoom
from sklearn.datasets import load_sample_image

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.illumination import (
    COSINES,
    GRID,
    PIXELS,
    SIZE,
    WINDOW,
    Illumination,
    illumination_step,
    light_of,
    save_illumination,
)
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.learned.weight_file import FILES
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make
from dadao_sim.plotting.low_light import low_light_figure
from dadao_sim.problems.build import build_problem, picture
from dadao_sim.problems.data.image import ImageData, in_grey
from dadao_sim.problems.data.lamps import FLOOR, light_errors, log_light, photographed, trust
from dadao_sim.problems.kinds.least_squares import Ridge
from dadao_sim.randomness import stream
from dadao_sim.reports.low_light import ERRORS
from dadao_sim.reports.low_light import low_light as low_light_report
from dadao_sim.reports.recovered import recovered
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.strict import checked

NOISE = 0.01
BLOCKS = {
    "blocks": [
        {"learned": {"network": "illumination", "strength": 2.4e-4}},
        {"prox": {"kind": "tv_2d", "strength": 1.2e-5, "shape": [64, 64]}},
    ]
}


@cache
def network(name="illumination"):
    return load_network(name)


@cache
def held_out(count, seed):
    """Crops of a photograph that no training saw, at three scales, under one to three lamps: log
    light and log y, (count, 64, 64).
    """
    rng = np.random.default_rng(seed)
    grey = in_grey(load_sample_image("flower.jpg") / 255.0)
    scaled = []
    for scale in (2, 3, 4):
        rows, columns = (length // scale for length in grey.shape)
        whole = grey[: rows * scale, : columns * scale]
        scaled.append(whole.reshape(rows, scale, columns, scale).mean(axis=(1, 3)))
    light, seen = [], []
    for _ in range(count):
        of = scaled[rng.integers(3)]
        top, left = (rng.integers(length - SIZE + 1) for length in of.shape)
        light.append(log_light(SIZE, rng.integers(1, 4), rng))
        square = of[top : top + SIZE, left : left + SIZE]
        seen.append(np.log(photographed(light[-1], square, NOISE, rng)))
    return np.array(light), np.array(seen)


def by_hand(means):
    """The light as windows (8, 8) that are smoothed over two windows and pulled to their mean."""
    smooth = gaussian_filter(means, 2, mode="nearest")
    smooth = smooth.mean() + 0.8 * (smooth - smooth.mean())
    return zoom(smooth, WINDOW, order=1, mode="nearest", grid_mode=True)


def windows(s):
    return s.reshape(-1, GRID, WINDOW, GRID, WINDOW).mean(axis=(2, 4))


def standard_error(differences):
    return differences.std() / np.sqrt(len(differences))


# --- The network -------------------------------------------------------------------------------


def test_the_network_is_its_equations():
    """Against NumPy's own matrices, with windows hidden and without."""
    net, (_, seen) = network(), held_out(300, 1)
    rng = np.random.default_rng(0)
    basis = np.einsum("ai,bj->abij", COSINES, COSINES).reshape(36, PIXELS)
    for s, share in zip(seen[:5], (0, 0.2, 0.5, 0.7, 0.9), strict=True):
        shown = (rng.random(GRID**2) >= share).astype(float)
        means = windows(s).ravel()
        c = (means * shown).sum() / shown.sum()
        h = np.maximum(net.A @ np.concatenate([(means - c) * shown, shown]) + net.a, 0)
        h = h + np.maximum(net.B @ h + net.b, 0)
        coefficients = net.C @ h + net.c
        coefficients[0] += c
        found = light_of(net, s, shown.reshape(GRID, GRID))
        assert_allclose(found.ravel(), coefficients @ basis, atol=1e-10)


def test_a_gain_is_a_gain_of_light():
    s = held_out(300, 1)[1][0]
    for c in (-2.0, 0.3, 5.0):
        assert_allclose(light_of(network(), s + c), light_of(network(), s) + c, atol=1e-5)


def test_what_is_hidden_does_not_matter():
    s = held_out(300, 1)[1][0]
    shown = np.zeros((GRID, GRID))
    shown[2:4] = 1
    other = np.where(np.kron(shown, np.ones((WINDOW, WINDOW))) > 0, s, np.nan)
    assert_array_equal(light_of(network(), other, shown), light_of(network(), s, shown))
    with pytest.raises(InputError, match="shown: no window is"):
        light_of(network(), s, 0 * shown)


def test_light_of_held_out_scenes_is_nearer_than_by_hand():
    """By .03 at least, on 300 crops; and than a constant, and a linear regression on windows."""
    light, seen = held_out(300, 1)
    found = light_errors(np.array([light_of(network(), s) for s in seen]), light)
    hand = light_errors(np.array([by_hand(w) for w in windows(seen)]), light)
    constant = light_errors(np.zeros_like(light), light)
    gain = hand - found
    assert gain.mean() > 0.03
    assert gain.mean() > 3 * standard_error(gain)
    assert found.mean() < hand.mean() < constant.mean()


def test_a_node_with_a_strip_needs_a_network_that_knew_of_hiding():
    """One row of windows of eight is shown; on that strip the same network without masks is off by
    .04 more at least. All strips together are nearer still.
    """
    light, seen = held_out(300, 1)
    plain = network("illumination_unmasked")
    errors = {"masked": [], "plain": [], "together": []}
    for k in range(GRID):
        shown, rows = np.zeros((GRID, GRID)), slice(k * WINDOW, (k + 1) * WINDOW)
        shown[k] = 1
        for name, found in (
            ("masked", [light_of(network(), s, shown) for s in seen]),
            ("plain", [light_of(plain, s, shown) for s in seen]),
            ("together", [light_of(network(), s) for s in seen]),
        ):
            errors[name].append(light_errors(np.array(found)[:, rows], light[:, rows]))
    masked, without, together = (np.mean(errors[name], axis=0) for name in errors)
    gain = without - masked
    assert gain.mean() > 0.04
    assert gain.mean() > 3 * standard_error(gain)
    assert together.mean() < masked.mean() - 0.02


# --- The data ----------------------------------------------------------------------------------


def low_light(**options):
    options = {"image": "flower", "noise": NOISE, "lamps": 2, **options}
    return Ridge(kind="ridge", mu=2e-6, data={"kind": "image", "task": "low_light", **options})


@cache
def problem():
    """That of the shipped scenario."""
    return build_problem(low_light(), 4, stream_of_data())


def stream_of_data():
    return np.random.default_rng(stream(98, 0, "data"))


def test_the_problem_is_its_equations():
    """F and its gradient, against the sum over pixels; each pixel is at one node."""
    made = problem()
    shown = picture(low_light(), 4, stream_of_data())
    y = shown.seen.ravel()
    w = np.clip((y / (10 * NOISE)) ** 2, 0.05, 1)
    assert_array_equal(trust(y, NOISE), w)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2 * PIXELS)
    light, rho = x[:PIXELS], x[PIXELS:]
    residual = light + rho - np.log(y)
    value = (w * residual**2).sum() / PIXELS + 1e-6 * (x**2).sum()
    assert np.mean([made.value(i, x) for i in range(4)]) == pytest.approx(value, rel=1e-12)
    gradient = np.tile(2 * w * residual / PIXELS, 2) + 2e-6 * x
    found = made.gradients(np.tile(x, (4, 1)))
    assert_allclose(found.mean(axis=0), gradient, atol=1e-15)
    held = np.abs(found - 2e-6 * x)[:, :PIXELS] > 0
    assert_array_equal(held.sum(axis=0), np.ones(PIXELS))


def test_the_picture_is_light_times_reflectance_and_noise():
    shown = picture(low_light(), 4, np.random.default_rng(3))
    noise = shown.seen - np.exp(shown.light) * shown.truth
    clear = shown.seen > FLOOR
    assert noise[clear].std() == pytest.approx(NOISE, rel=0.1)
    assert shown.seen.min() >= FLOOR
    assert np.exp(shown.light).min() > 0.03
    assert np.exp(shown.light).max() <= 0.95 + 1e-12
    for nodes in (1, 5, 8):  # the same scene for every number of nodes
        again = picture(low_light(), nodes, np.random.default_rng(3))
        assert_array_equal(again.seen, shown.seen)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"blur": 2.0}, "^blur: only deblurring has it, and task is low_light"),
        ({"observed": 0.3}, "^observed: only inpainting has it"),
        (
            {"task": "inpainting", "lamps": 3},
            "^lamps: only low_light has it, and task is inpainting",
        ),
        ({"lamps": 0}, "^lamps: "),
    ],
)
def test_options_of_other_tasks_are_refused(options, reason):
    given = {"kind": "image", "task": "low_light", **options}
    with pytest.raises(InputError, match=reason):
        checked(ImageData, given)


def test_much_noise_is_remarked():
    assert problem().remark == ""
    noisy = build_problem(low_light(noise=0.2), 4, np.random.default_rng(0))
    assert "data.noise: 0.2 leaves " in noisy.remark
    assert noisy.remark.endswith("of the pixels above noise; at most 0.05 is sensible")


def test_other_data_have_no_light():
    scenario = {
        "name": "none",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["nids"],
        "stop": {"time": 3},
        "record": {"metrics": ["light_error"]},
    }
    with pytest.raises(InputError, match=r"light_error'?: kind averaging has no light"):
        simulate(scenario)
    scenario["figures"] = [{"file": "a.png", "kind": "low_light"}]
    with pytest.raises(InputError, match=r"figures\.0\.kind: is of data of task low_light only"):
        simulate(scenario)


# --- Plug and play -----------------------------------------------------------------------------


def test_the_block_is_its_equation():
    """l = (v_l + q m(v_l + v_rho))/(1 + q), rho = the prox of total variation."""
    rng = np.random.default_rng(0)
    v, a = rng.standard_normal(2 * PIXELS), 900.0
    step = build_local_step(BLOCKS, 2 * PIXELS)
    q = a * 2.4e-4
    m = light_of(network(), (v[:PIXELS] + v[PIXELS:]).reshape(SIZE, SIZE)).ravel()
    tv = make("tv_2d", PIXELS, strength=1.2e-5, shape=[64, 64])
    wanted = np.concatenate([(v[:PIXELS] + q * m) / (1 + q), tv.prox(v[PIXELS:], a)])
    assert_allclose(step.prox(v, a), wanted, atol=1e-13)
    assert (step.compiled, step.convex, step.exact, step.has_value) == (True, *(False,) * 3)


@cache
def centralised(name="illumination", rounds=500):
    """The plain iteration in one place at the step n/L, and its last change."""
    blocks = {"blocks": [{"learned": {"network": name, "strength": 2.4e-4}}, BLOCKS["blocks"][1]]}
    made, step = problem(), build_local_step(blocks, 2 * PIXELS)
    x, a = np.zeros(2 * PIXELS), 4 / problem().L
    change = np.inf
    for _ in range(rounds):
        after = step.prox(x - a * made.gradients(np.tile(x, (4, 1))).mean(axis=0), a)
        change, x = np.abs(after - x).max(), after
    return x, change


def test_the_iteration_comes_to_rest():
    assert centralised()[1] < 1e-6


def test_together_the_nodes_know_more_of_the_light_than_alone():
    """The lesson of the scenario, in one place: by .1 at least; without masks by .03 less."""
    seen = picture(low_light(), 4, stream_of_data())
    strips = np.kron(np.eye(4), np.ones((2, 1)))  # (windows down, node)
    shown = [np.tile(strip[:, None], GRID) for strip in strips.T]
    inferred = [light_of(network(), np.log(seen.seen), one) for one in shown]
    alone = light_errors(np.array(inferred), seen.light)
    masked, plain = (
        light_errors(centralised(name)[0][None, :PIXELS], seen.light)[0]
        for name in ("illumination", "illumination_unmasked")
    )
    assert masked < alone.mean() - 0.1
    assert masked < plain - 0.03
    assert problem().light_errors(np.tile(centralised()[0], (4, 1))) == pytest.approx(masked)


@pytest.mark.torture
def test_nodes_end_where_one_machine_does():
    """Prox-ED within 1 % of the iteration in one place, which takes four times its step."""
    made = problem().with_local_step(build_local_step(BLOCKS, 2 * PIXELS))
    result = simulate(made, nx.cycle_graph(4), ["prox_ed"], time=800)
    X = result.states[("prox_ed", 0)][result.manifest["methods"]["prox_ed"]["estimate"]]
    x = centralised()[0]
    assert np.linalg.norm(X - x, axis=1).max() < 0.01 * np.linalg.norm(x)
    assert result.curves["consensus_error"].iloc[-1] < 1e-6 * (x**2).sum()
    assert result.runs["experimental"].all()


# --- Files, and the shipped scenario -----------------------------------------------------------


def test_the_shipped_weights_say_how_they_were_made():
    for name in ("illumination", "illumination_unmasked"):
        path = FILES.folder / f"{name}.npz"
        assert path.stat().st_size < 56_000
        with np.load(path, allow_pickle=False) as stored:
            text = str(stored["metadata"])
            assert sum(stored[key].size for key in Illumination._fields) == 25_188
        assert f'"command": "dadao-sim learn-prior {name} --out {name}.npz --seed 0"' in text


def test_weights_survive_the_file_in_half_precision(tmp_path):
    save_illumination(tmp_path / "mine.npz", network(), {"seed": 3})
    for one, other in zip(network(), load_network(tmp_path / "mine.npz"), strict=True):
        assert_array_equal(one, other)


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "odd.npz"
    for change in ({"a": np.ones(3)}, {"C": np.full((36, 96), np.nan)}, {"b": np.ones((96, 1))}):
        save_illumination(path, network()._replace(**change), {}, overwrite=True)
        with pytest.raises(InputError, match=r"odd\.npz: . is no finite numbers of the shape"):
            load_network(path)
    content = (FILES.folder / "illumination.npz").read_bytes()
    for broken in (content[:1000], b"", content[:-30]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="not the weights of a learned network, or damaged"):
            load_network(path)
    with pytest.raises(InputError, match="there is no such file"):
        load_network(tmp_path / "none.npz")


def test_another_size_is_refused():
    with pytest.raises(InputError, match=r"48 given; illumination needs size 64 \(8 x 8 windows"):
        illumination_step(network(), 48**2, 1.0)


@pytest.mark.parametrize(
    ("dimension", "given"),
    [(2 * 32**2, "size 32"), (2 * 96**2, "size 96"), (4096 + 100, "dimension 4196")],
)
def test_a_picture_of_another_size_is_called_so_whatever_the_other_blocks_say(dimension, given):
    blocks = [
        {"learned": {"network": "illumination", "strength": 1.0}},
        {"prox": {"kind": "l1", "strength": 1.0}},
    ]
    with pytest.raises(InputError) as caught:
        build_local_step({"blocks": blocks}, dimension)
    said = f"blocks.0.learned.network: {given} given; illumination needs size 64 "
    assert str(caught.value).startswith(said)


def test_the_scenario_asks_for_its_figure():
    scenario = load_scenario(shipped.scenarios()["systems/low-light"])
    assert [figure.kind for figure in scenario.figures] == ["low_light"]
    labels = [algorithm.label for algorithm in scenario.algorithms]
    assert labels == ["masked", "without masks"]
    assert scenario.problem == low_light()
    assert scenario.seed == 98
    assert not scenario.local_step.needs_torch


def test_the_figure_shows_the_run():
    """A short run: what the report holds, the pictures, and what other results are told."""
    scenario = load_scenario(shipped.scenarios()["systems/low-light"]).to_mapping()
    scenario["stop"], scenario["algorithms"] = {"time": 4}, scenario["algorithms"][:1]
    scenario["figures"][0].update(colours={}, labels={})
    result = simulate(scenario)
    report = low_light_report(result)
    relit = report.found["masked"]
    assert relit.errors[:, -1] == pytest.approx(result.curves[list(ERRORS)].to_numpy()[-1])
    assert relit.alone.shape == report.held.shape == (4, SIZE, SIZE)
    assert_array_equal(report.held.sum(axis=0), np.ones((SIZE, SIZE)))
    figure = low_light_figure(report)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["Seen", "Light, node alone"]
    with pytest.raises(InputError, match="light and reflectance are two pictures"):
        recovered(result)

    scenario["local_step"] = {"prox": {"kind": "squared_l2", "strength": 0.1}}
    without = low_light_report(simulate({**scenario, "algorithms": ["prox_ed"]}))
    assert without.found["prox_ed"].alone is None
    with pytest.raises(InputError, match="prox_ed has no prior of light"):
        low_light_figure(without)
    for wanted in ERRORS:
        fewer = [name for name in ERRORS if name != wanted]
        with pytest.raises(InputError, match=rf"figures\.0\.kind: low_light draws {wanted}"):
            simulate({**scenario, "record": {"metrics": fewer}})
