"""A learned proximal network of digits: that it is one, what its prior knows, the theorem that
holds for it, and what nodes that see other pixels fill in. Weights are shipped; nothing here needs
torch.
"""

from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.convex_network import (
    ConvexNetwork,
    convex_network_step,
    gradient,
    inverse,
    jacobian,
    potential,
    prior_at_answer,
    prior_of,
    save_convex_network,
)
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.local_steps.terms import make
from dadao_sim.plotting.digit import digit_figure
from dadao_sim.plotting.digit_priors import digit_prior_figure
from dadao_sim.problems.build import build_problem, picture
from dadao_sim.problems.data.digit import PIXELS, conditional_mean, digits
from dadao_sim.problems.kinds.least_squares import LeastSquares
from dadao_sim.reports.digit import digit as digit_report
from dadao_sim.reports.digit import proximal_gradient
from dadao_sim.reports.digit_prior import decibels, digit_prior
from dadao_sim.reports.recovered import psnr, recovered
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping

NOISE = 0.05


@cache
def network():
    return load_network("digits")


def noisy_digits(sigma, count=297, seed=1):
    truth = digits().held_out[:count]
    return truth + sigma * np.random.default_rng(seed).standard_normal(truth.shape)


@cache
def half_seen():
    """Of each held-out digit the half of the pixels that is seen, and what is seen."""
    rng = np.random.default_rng(5)
    seen = np.array([rng.permutation(PIXELS) < PIXELS // 2 for _ in digits().held_out])
    return seen, noisy_digits(NOISE, seed=6)


def iterated(weight, steps):
    """x+ = f(x - a grad F(x)) of all half seen digits at a = weight/L: the last x, the lengths of
    all steps, and a F + R after each; R by y, of which x+ is the answer.
    """
    known, y = half_seen()
    x, lengths, values = np.zeros_like(y), [], []
    for _ in range(steps):
        v = x - weight * np.where(known, x - y, 0)
        after = gradient(network(), v)
        lengths.append(np.linalg.norm(after - x, axis=1))
        x = after
        misfit = (np.where(known, x - y, 0) ** 2).sum(axis=1) / 2
        values.append(weight * misfit + prior_at_answer(network(), v))
    return x, np.array(lengths), np.array(values)


# --- The network -------------------------------------------------------------------------------


def psi(net, y):
    """The equations, of complex numbers too, whose imaginary parts are derivatives."""

    def s(a):
        return np.log(1 + np.exp(net.beta * a)) / net.beta

    z1 = s(net.H1 @ y + net.b1)
    z2 = s(net.W @ z1 + net.H2 @ y + net.b2)
    return net.w @ z2 + net.alpha / 2 * (y @ y)


def f(net, y):
    def logistic(a):
        return 1 / (1 + np.exp(-net.beta * a))

    a1 = net.H1 @ y + net.b1
    a2 = net.W @ np.log(1 + np.exp(net.beta * a1)) / net.beta + net.H2 @ y + net.b2
    q = net.w * logistic(a2)
    return net.alpha * y + net.H2.T @ q + net.H1.T @ ((net.W.T @ q) * logistic(a1))


def complex_step(function, y):
    """The derivatives of ``function`` at y by each coordinate, without cancellation."""
    h = 1e-30
    return np.array([function(y + 1j * h * e).imag / h for e in np.eye(y.size)])


def test_the_answer_is_the_gradient_of_a_convex_function():
    net = network()
    for y in noisy_digits(0.15, 3):
        assert potential(net, y) == pytest.approx(psi(net, y), rel=1e-12)
        slope = complex_step(lambda v: psi(net, v), y)
        assert_allclose(gradient(net, y), slope, atol=1e-12)
        assert_allclose(convex_network_step(net, PIXELS).prox(y, 0.3), slope, atol=1e-12)
        J = complex_step(lambda v: f(net, v), y)
        assert np.abs(J - J.T).max() < 1e-12
        assert_allclose(jacobian(net, y), J, atol=1e-11)
        assert net.alpha - 1e-12 < np.linalg.eigvalsh(J)[0]
    assert min(net.W.min(), net.w.min()) >= 0


def test_it_is_a_proximal_operator_of_the_prior_and_expansive():
    """f(y) is better than digits, noise and what is near, under R(z) + ||z - y||^2/2, although f
    stretches distances, so that R is not convex.
    """
    net, rng = network(), np.random.default_rng(0)
    others = [*noisy_digits(0.0, 20), *rng.standard_normal((5, PIXELS))]
    for y in noisy_digits(0.15, 3):
        x = gradient(net, y)
        near = x + np.array([0.01, 0.1, 0.3])[:, None] * rng.standard_normal((3, PIXELS))
        z = np.array([*others, *near])
        best = prior_at_answer(net, y) + ((x - y) ** 2).sum() / 2
        assert (prior_of(net, z) + ((z - y) ** 2).sum(axis=1) / 2 > best).all()
    assert max(np.linalg.eigvalsh(jacobian(net, y))[-1] for y in noisy_digits(0.15, 20)) > 1.5


def test_the_prior_is_the_convex_conjugate():
    """R + ||.||^2/2 is the conjugate of psi: its gradient at x is f^{-1}(x)."""
    net = network()
    x = digits().held_out[:4]
    y = inverse(net, x)
    assert np.abs(gradient(net, y) - x).max() < 1e-7
    assert_allclose(prior_of(net, x), prior_at_answer(net, y), rtol=1e-12)
    h = 1e-4
    for k in (10, 35, 60):
        step = h * np.eye(PIXELS)[k]
        slope = (prior_of(net, x + step) - prior_of(net, x - step)) / (2 * h)
        assert_allclose(slope, y[:, k] - x[:, k], atol=2e-5)


# --- What its prior knows ----------------------------------------------------------------------


def test_noise_is_less_likely_than_digits():
    """Of 40 held-out digits, with noise of .1 and more; with .05 of all but a few."""
    net, rng = network(), np.random.default_rng(1)
    clean = digits().held_out[:40]
    R = prior_of(net, clean)
    rises = [
        prior_of(net, clean + sigma * rng.standard_normal(clean.shape)) - R
        for sigma in (0.05, 0.1, 0.2, 0.3)
    ]
    assert (np.array(rises[1:]) > 0).all()
    assert (rises[0] > 0).mean() >= 0.95
    assert (np.diff(np.mean(rises, axis=1)) > 1).all()


def test_it_denoises_better_than_a_gaussian_prior_and_total_variation():
    """By more than 1 dB, at the noise of its training; at a third of that it does not."""
    truth, net = digits().held_out, network()
    y = noisy_digits(0.15)
    every = np.arange(PIXELS)
    found = decibels(gradient(net, y), truth)
    assert found > decibels(conditional_mean(every, y, 0.15), truth) + 1
    tv = make("tv_2d", PIXELS, strength=0.08, shape=(8, 8))
    shown = y + digits().mean
    assert found > decibels(np.array([tv.prox(v, 1.0) for v in shown]), truth + digits().mean) + 1
    y = noisy_digits(0.05)
    of_gaussian = decibels(conditional_mean(every, y, 0.05), truth)
    assert decibels(gradient(net, y), truth) < of_gaussian - 1


# --- The theorem -------------------------------------------------------------------------------


def test_below_one_over_L_the_objective_falls_by_what_the_theorem_says():
    """(1 - a L)/2 ||x+ - x||^2 at least, in each of 60 steps of each of 297 digits."""
    weight = 0.9
    _, lengths, values = iterated(weight, 60)
    fall = -np.diff(values, axis=0)
    assert (fall >= (1 - weight) / 2 * lengths[1:] ** 2 - 1e-13).all()


def test_the_theorem_ends_where_it_says():
    """Nearly twice that step: a F + R rises for a third of the digits at least."""
    _, _, values = iterated(1.9, 60)
    assert (np.diff(values, axis=0).max(axis=0) > 1e-6).mean() > 1 / 3


def test_the_iteration_comes_to_rest_and_fills_in_more_than_a_gaussian_prior():
    """1 dB more than the conditional mean of 20 principal components, and some, by three standard
    errors, more than that of all 64; half of the pixels are lost.
    """
    x, lengths, _ = iterated(0.9, 300)
    truth = digits().held_out
    assert (lengths[-1] <= 1e-8).mean() > 0.95
    known, y = half_seen()
    seen = [np.flatnonzero(k) for k in known]
    of_all = [conditional_mean(own, v[own], NOISE) for own, v in zip(seen, y, strict=True)]
    _, values, axes = np.linalg.svd(digits().training, full_matrices=False)
    leading = (axes[:20].T * (values[:20] ** 2 / len(digits().training))) @ axes[:20]
    leading += 1e-4 * np.eye(PIXELS)
    of_few = []
    for own, v in zip(seen, y, strict=True):
        gram = leading[np.ix_(own, own)] + NOISE**2 * np.eye(own.size)
        of_few.append(leading[:, own] @ np.linalg.solve(gram, v[own]))
    found = decibels(x, truth)
    assert found > decibels(np.array(of_few), truth) + 1
    squares = [((one - truth) ** 2).mean(axis=1) for one in (x, np.array(of_all))]
    gain = 10 * np.log10(squares[1] / squares[0])
    assert gain.mean() > 3 * gain.std() / np.sqrt(len(gain))


# --- The data ----------------------------------------------------------------------------------


def spec(**options):
    data = {"kind": "digit", "digit": 14, "observed": 0.5, "noise": NOISE, **options}
    return LeastSquares(kind="least_squares", data=data)


@pytest.mark.parametrize(("nodes", "seen"), [(1, 64), (4, 32), (5, 32), (7, 10)])
def test_every_pixel_is_seen_by_one_node(nodes, seen):
    section = spec(observed=seen / PIXELS, noise=0.0)
    problem = build_problem(section, nodes, np.random.default_rng(3))
    shown = picture(section, nodes, np.random.default_rng(3))
    known = ~np.isnan(shown.seen.ravel())
    assert known.sum() == seen
    assert_array_equal(shown.seen.ravel()[known], shown.truth.ravel()[known])
    assert problem.samples.max() - problem.samples.min() <= 1
    truth, x = digits().held_out[14], np.random.default_rng(0).standard_normal(PIXELS)
    assert problem.mean_value(truth) == pytest.approx(0.0, abs=1e-15)
    assert problem.mean_value(x) == pytest.approx(((x - truth)[known] ** 2).sum() / seen)
    mean = problem.gradients(np.tile(x, (nodes, 1))).mean(axis=0)
    assert_allclose(mean, np.where(known, 2 * (x - truth) / seen, 0), atol=1e-13)


def test_noise_and_pixels_are_the_same_for_every_number_of_nodes():
    one, four = (picture(spec(), nodes, np.random.default_rng(2)).seen.ravel() for nodes in (1, 4))
    assert_array_equal(one, four)
    added = (one - picture(spec(), 1, np.random.default_rng(2)).truth.ravel())[~np.isnan(one)]
    assert 0.5 * NOISE < added.std() < 1.5 * NOISE


def test_no_training_digit_is_held_out():
    both = np.concatenate([digits().training, digits().held_out])
    assert both.shape == (1797, PIXELS)
    assert len(np.unique(both, axis=0)) == 1797
    assert_allclose(digits().training.mean(axis=0), 0, atol=1e-12)
    shown = both + digits().mean
    assert (shown.min(), shown.max()) == pytest.approx((0.0, 1.0), abs=1e-12)


def test_what_cannot_be_is_said():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"observed: 0.05 of 64 pixels is 3, for 4 nodes"):
        build_problem(spec(observed=0.05), 4, rng)
    with pytest.raises(InputError, match="digit needs targets that are numbers"):
        scenario_from_mapping(
            {**MAPPING, "problem": {"kind": "logistic_l2", "mu": 1, "data": DIGIT}}
        )
    other = {"kind": "synthetic", "dim": 64, "samples_per_node": 3}
    with pytest.raises(InputError, match="is of data of kind digit only"):
        scenario_from_mapping({**MAPPING, "problem": {"kind": "least_squares", "data": other}})


DIGIT = {"kind": "digit"}
MAPPING = {
    "name": "digits",
    "problem": {"kind": "least_squares", "data": DIGIT},
    "local_step": {"learned": "digits"},
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": ["prox_ed"],
    "stop": {"time": 5},
    "figures": [{"kind": "digit", "file": "digit.png"}],
}


# --- The local step and its files --------------------------------------------------------------


def test_the_local_step_says_what_it_is():
    step = build_local_step({"learned": "digits"}, PIXELS)
    assert (step.compiled, step.convex, step.exact, step.has_value) == (True, False, False, False)
    v = noisy_digits(0.15, 1)[0]
    assert_array_equal(step.prox(v, 0.1), step.prox(v, 7.0))
    with pytest.raises(
        InputError, match=r"learned\.network: x has 80 numbers; it is a prior of 64"
    ):
        build_local_step({"learned": "digits"}, 80)
    with pytest.raises(
        InputError, match=r"learned\.strength: 0\.5 given, and this network has none"
    ):
        build_local_step({"learned": {"network": "digits", "strength": 0.5}}, PIXELS)


def small(**changes):
    rng = np.random.default_rng(0)
    matrices = {"H1": (3, 2), "b1": (3,), "W": (3, 3), "H2": (3, 2), "b2": (3,), "w": (3,)}
    arrays = {name: np.abs(rng.standard_normal(shape)) for name, shape in matrices.items()}
    return ConvexNetwork(**{**arrays, "alpha": 0.5, "beta": 10.0, **changes})


def test_a_file_is_the_network_up_to_half_precision(tmp_path):
    net = small()
    save_convex_network(tmp_path / "mine.npz", net, {"format": "other"})
    for one, other in zip(load_network(tmp_path / "mine.npz"), net, strict=True):
        assert_allclose(one, other, rtol=1e-3)
    step = build_local_step({"learned": str(tmp_path / "mine.npz")}, 2)
    assert_allclose(step.prox([0.3, -2.0], 1.0), f(net, np.array([0.3, -2.0])), rtol=2e-3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"W": -np.ones((3, 3))}, "negative weight: psi is not convex"),
        ({"w": np.full(3, -0.1)}, "negative weight"),
        ({"b1": np.ones(4)}, r"b1 is no finite numbers of the shape \(3,\)"),
        ({"H2": np.full((3, 2), np.nan)}, "H2 is no finite numbers"),
        ({"alpha": 0.0}, "alpha > 0"),
        ({"beta": -1.0}, "beta > 0"),
    ],
)
def test_files_that_are_no_proximal_network_are_refused(tmp_path, changes, reason):
    save_convex_network(tmp_path / "odd.npz", small(**changes), {})
    with pytest.raises(InputError, match=reason):
        load_network(tmp_path / "odd.npz")


def test_the_inverse_refuses_what_it_cannot_have():
    with pytest.raises(InputError, match=r"finite numbers of the shape \(N, 64\)"):
        inverse(network(), np.ones((2, 5)))
    with pytest.raises(InputError, match="finite numbers"):
        prior_of(network(), np.full(PIXELS, np.nan))


# --- The scenario ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(shipped.scenarios()["systems/digits"]))


@pytest.mark.slow
def test_nodes_that_see_eight_pixels_find_what_one_machine_finds(result):
    """Each at its own step, to 1e-6; and what they find together is nearer than alone."""
    report = digit_report(result)
    section = result.manifest["scenario"]
    rng_seed = section["seed"]
    assert rng_seed == 14
    weights = {label: one.weight for label, one in report.found.items()}
    assert weights["prox_ed"] <= 0.25 + 1e-12
    assert 0.85 < weights["sonata"] < 1
    for label, one in report.found.items():
        X = result.states[label, 0]["x"]
        assert np.abs(X - X.mean(axis=0)).max() < 1e-6
        assert result.curves[result.curves.algorithm == label].accuracy.iloc[-1] < 1e-12
        fall = -np.diff(one.objective)
        assert (fall >= (1 - one.weight) / 2 * one.changes[1:] ** 2 - 1e-13).all()
    truth = report.picture.truth.reshape(1, -1)
    together = decibels(report.found["sonata"].found.reshape(1, -1), truth)
    alone = [decibels(one.reshape(1, -1), truth) for one in report.found["sonata"].alone]
    assert together > max(alone) + 2
    assert together > decibels(report.found["prox_ed"].found.reshape(1, -1), truth) + 1


@pytest.mark.slow
def test_the_centralised_fixed_point_is_that_of_the_nodes(result):
    """From the problem, by the plain iteration, not by the solver of x*."""
    from dadao_sim.reports.origin import study_of

    study = study_of(result)
    for label in result.methods:
        plan = study.plan((label, 0))
        x, _, changes = proximal_gradient(
            network(), plan.parts.problem.smooth, plan.tuning.prox_step
        )
        assert changes[-1] < 1e-10
        assert_allclose(result.states[label, 0]["x"], np.tile(x, (4, 1)), atol=1e-6)


@pytest.mark.slow
def test_the_figure_shows_the_pictures_and_falling_curves(result):
    report = digit_report(result)
    figure = digit_figure(report)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 6
    seen, truth = shown[0].images[0].get_array(), shown[-1].images[0].get_array()
    assert_array_equal(np.ma.getmaskarray(seen), np.isnan(report.picture.seen))
    assert_array_equal(truth, report.picture.truth)
    assert_array_equal(shown[2].images[0].get_array(), report.found["sonata"].found)
    assert_array_equal(shown[4].images[0].get_array(), report.gaussian)
    left, right = (axes for axes in figure.axes if axes.lines)
    assert len(left.lines) == len(right.lines) == 2
    for line in right.lines:
        assert (np.diff(line.get_ydata()) < 1e-12).all()


@pytest.mark.slow
def test_a_digit_is_recovered_with_the_mean_that_nodes_hold_it_without(result):
    report, made = recovered(result), digit_report(result)
    assert_array_equal(report.truth, made.picture.truth)
    assert_array_equal(report.seen, made.picture.seen)
    for label, one in made.found.items():
        assert_array_equal(report.found[label], one.found)
    assert 16 < psnr(report.found["sonata"], report.truth) < 20


def test_the_figure_of_the_prior_is_of_the_network():
    report = digit_prior(network())
    figure = digit_prior_figure(report)
    left, right = figure.axes
    assert_allclose(left.lines[0].get_ydata(), report.rises.mean(axis=1))
    truth, rng = digits().held_out[:40], np.random.default_rng(1)
    first = truth + 0.05 * rng.standard_normal(truth.shape)
    assert report.rises[0] == pytest.approx(prior_of(network(), first) - prior_of(network(), truth))
    assert report.denoised[0] == pytest.approx(decibels(gradient(network(), first), truth))
    assert_array_equal(right.lines[2].get_ydata(), report.seen)


def test_the_command_tells_the_slope_without_torch(dadao_sim):
    code, out, _ = dadao_sim("prior", "digits", "--figure", "digits.png")
    assert code == 0
    assert "largest slope: 2." in out
    code, _, err = dadao_sim("prior", "digits", "illumination")
    assert code != 0
    assert "one network of digits, or some of scalars, are needed" in err
