"""What training finds, against the limit of its loss computed by quadrature."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from scipy.integrate import quad  # noqa: E402
from scipy.optimize import minimize_scalar  # noqa: E402
from scipy.stats import kstest, laplace, norm  # noqa: E402

from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.learning import train  # noqa: E402
from dadao_sim.learning.matching_limit import (  # noqa: E402
    laplacian_limit,
    laplacian_mean,
    laplacian_median,
)
from dadao_sim.learning.proximal_matching import (  # noqa: E402
    PRIORS,
    Recipe,
    initial_weights,
    matching_loss,
    samples,
)
from dadao_sim.local_steps.learned import learned_step, load_weights  # noqa: E402
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork  # noqa: E402

BOUND = 0.03  # of |f - f_gamma| on |y| <= 3.5; twice what was measured
LAST_GAMMA = 0.2


def largest_error(weights):
    y = np.linspace(-3.5, 3.5, 141)
    return np.abs(learned_step(weights, y.size).prox(y, 1.0) - laplacian_limit(y, LAST_GAMMA)).max()


def test_the_target_is_that_of_the_issue_and_of_quadrature():
    found = [laplacian_limit(1.0, gamma)[0] for gamma in (0.5, 0.3, 0.2, 0.1)]
    assert_allclose(found, [0.310, 0.236, 0.182, 0.111], atol=2e-3)

    def likelihood(z):
        def integrand(x):
            return np.exp(-((z - x) ** 2) / 0.04 - abs(x) - (1.7 - x) ** 2 / 2)

        return quad(integrand, z - 2, z + 2, points=[0.0])[0]

    by_quadrature = minimize_scalar(lambda z: -likelihood(z), bounds=(0, 1.7), method="bounded")
    assert laplacian_limit(1.7, 0.2)[0] == pytest.approx(by_quadrature.x, abs=1e-4)
    # And it tends to the soft threshold, the proximal operator of the absolute value.
    y = np.linspace(-3, 3, 13)
    soft = np.sign(y) * np.maximum(np.abs(y) - 1, 0)
    assert_allclose(laplacian_limit(y, 0.01), soft, atol=0.03)


def test_the_shipped_network_is_at_the_limit():
    weights, metadata = load_weights("laplacian")
    assert largest_error(weights) < BOUND
    lists = {name: tuple(v) for name, v in metadata["recipe"].items() if isinstance(v, list)}
    assert Recipe(**{**metadata["recipe"], **lists}) == Recipe()
    assert Recipe().gammas[-1] == LAST_GAMMA


def test_mean_and_median_are_those_of_quadrature():
    for y in (-2.5, 0.0, 0.4, 1.0, 3.0):

        def density(x, y=y):
            return np.exp(-abs(x) - (y - x) ** 2 / 2)

        total = quad(density, -9, 9, points=[0.0])[0]
        mean = quad(lambda x: x * density(x), -9, 9, points=[0.0])[0] / total
        assert laplacian_mean(y)[0] == pytest.approx(mean, abs=1e-8)
        median = laplacian_median(y)[0]
        below = quad(density, -9, median, points=[min(0.0, median)])[0]
        assert below == pytest.approx(total / 2, abs=1e-8)


@pytest.mark.parametrize(
    ("loss", "limit", "other"),
    [("l1", laplacian_median, laplacian_mean), ("l2", laplacian_mean, laplacian_median)],
)
def test_other_losses_learn_other_operators(loss, limit, other):
    """The posterior median and mean, each nearer than to that of the other loss, and far from the
    proximal operator of the prior.
    """
    weights, metadata = load_weights(f"laplacian_{loss}")
    y = np.linspace(-3.5, 3.5, 141)
    f = learned_step(weights, y.size).prox(y, 1.0)
    assert np.abs(f - limit(y)).max() < BOUND
    assert np.abs(f - other(y)).max() > BOUND
    assert np.abs(f - np.sign(y) * np.maximum(np.abs(y) - 1, 0)).max() > 0.3
    assert metadata["recipe"]["loss"] == loss


def test_a_fresh_training_is_at_the_limit(fresh_weights):
    """Trains for a quarter of a minute (once, for this test and that of plug-and-play)."""
    assert largest_error(fresh_weights) < 1.5 * BOUND


def test_a_network_that_saturates_is_not_at_the_limit():
    """The error of the control is where the extension begins too early."""
    weights, _ = load_weights("laplacian")
    assert largest_error(weights._replace(radius=0.8)) > 2 * BOUND


def test_the_halves_of_the_training_set_give_the_same_gradient():
    """Of an odd network: learning from x >= 0 is learning from the whole prior."""
    recipe = Recipe(pairs=64)
    network = ProximalNetwork(initial_weights(recipe, torch.Generator().manual_seed(1)))
    x, y = samples(PRIORS["laplacian"], recipe, torch.Generator().manual_seed(0))
    gradients = []
    for sign in (1, torch.tensor([1.0, -1.0])[:, None]):
        network.zero_grad()
        target, noisy = (torch.as_tensor(sign * v).flatten().double() for v in (x, y))
        matching_loss(network.gradient(noisy) - target, 0.5).backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for half, whole in zip(*gradients, strict=True):
        assert_allclose(half, whole, rtol=1e-10, atol=1e-15)


def test_samples_are_the_prior_and_its_noise():
    """Of x >= 0: the mirror images are what the symmetry of the network stands for."""
    recipe = Recipe(pairs=2000, sigma=0.5)
    x, y = samples(PRIORS["laplacian"], recipe, torch.Generator().manual_seed(0))
    noise = ((y - x) / 0.5).numpy()
    x = x.numpy()
    assert kstest(np.concatenate([x, -x]), laplace.cdf).statistic < 0.005
    assert kstest(noise, norm.cdf).statistic < 0.005
    assert abs(np.corrcoef(x, noise)[0, 1]) < 0.02


def test_the_loss_is_that_of_the_paper():
    residual = torch.tensor([0.0, 0.1, -0.3], dtype=torch.float64)
    expected = np.mean(1 - np.exp(-np.array([0.0, 0.01, 0.09]) / 0.04))
    assert float(matching_loss(residual, 0.2)) == pytest.approx(expected, rel=1e-12)
    assert float(matching_loss(residual, None)) == pytest.approx(0.4 / 3, rel=1e-12)


def test_the_seed_decides_every_bit():
    short = replace(Recipe(), warm_up=20, steps_per_gamma=8, pairs=64)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    one, again, other = (train(seed=seed, recipe=short) for seed in (4, 4, 5))
    torch.set_num_threads(threads)
    for mine, same, different in zip(one[:4], again[:4], other[:4], strict=True):
        assert_array_equal(mine, same)
        assert not np.array_equal(mine, different)
    assert min(one.hidden.min(), one.output.min()) >= 0


def test_what_cannot_be_learned_is_said():
    with pytest.raises(InputError, match="unknown prior 'gaussian'"):
        train("gaussian")
