"""The network against autograd, its R against the definition of a proximal operator."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from scipy.integrate import quad  # noqa: E402
from scipy.optimize import brentq, minimize_scalar  # noqa: E402

from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.local_steps.learned import learned_step, load_weights, prior  # noqa: E402
from dadao_sim.local_steps.learned.proximal_network import ProximalNetwork  # noqa: E402
from dadao_sim.local_steps.learned.recovery import largest_slope  # noqa: E402
from dadao_sim.local_steps.learned.weight_file import Weights  # noqa: E402


def random_weights(layers, seed, symmetric=False):
    rng = np.random.default_rng(seed)
    return Weights(
        hidden=rng.random((layers - 1, 5, 5)) / 5,
        skip=rng.standard_normal((layers, 5)),
        bias=rng.standard_normal((layers, 5)),
        output=rng.random(5),
        beta=4.0,
        alpha=0.05,
        radius=2.0,
        symmetric=symmetric,
    )


def psi(weights, u):
    """The equations of `Weights`, one number at a time."""
    if weights.symmetric:
        one_sided = weights._replace(symmetric=False)
        return (psi(one_sided, u) + psi(one_sided, -u)) / 2

    def s(a):
        return np.logaddexp(0.0, weights.beta * a) / weights.beta

    z = s(weights.skip[0] * u + weights.bias[0])
    for k in range(len(weights.hidden)):
        z = s(weights.hidden[k] @ z + weights.skip[k + 1] * u + weights.bias[k + 1])
    return weights.output @ z + weights.alpha * u**2 / 2


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_written_out_gradient_is_that_of_psi(layers, symmetric):
    weights = random_weights(layers, layers, symmetric)
    network = ProximalNetwork(weights)
    u = torch.linspace(-3.0, 3.0, 41, dtype=torch.float64, requires_grad=True)
    assert_allclose(
        network.potential(u).detach(), [psi(weights, t) for t in u.tolist()], rtol=1e-12
    )
    (slope,) = torch.autograd.grad(network.potential(u).sum(), u)
    assert_allclose(network.gradient(u).detach(), slope, rtol=1e-12, atol=1e-14)
    (slope,) = torch.autograd.grad(network.extended_potential(u).sum(), u)
    assert_allclose(network(u).detach(), slope, rtol=1e-12, atol=1e-14)


def test_the_training_differentiates_the_written_out_gradient():
    network = ProximalNetwork(random_weights(2, seed=0))
    u = torch.linspace(-1.0, 1.0, 9, dtype=torch.float64, requires_grad=True)
    network.gradient(u).square().sum().backward()
    found = [p.grad.clone() for p in network.parameters()]
    network.zero_grad()
    (slope,) = torch.autograd.grad(network.potential(u).sum(), u, create_graph=True)
    slope.square().sum().backward()
    for mine, theirs in zip(found, network.parameters(), strict=True):
        assert_allclose(mine, theirs.grad, rtol=1e-11, atol=1e-13)


def test_a_symmetric_network_is_odd_and_any_other_is_not():
    """Nothing stays nothing: 0 is a fixed point of the prox of an even prior."""
    y = np.linspace(-6, 6, 2001)
    for weights in (load_weights("laplacian")[0], random_weights(3, 0, symmetric=True)):
        f = learned_step(weights, y.size).prox(y, 1.0)
        assert_allclose(f, -f[::-1], atol=1e-14)
        assert f[1000] == 0.0
        R = prior(weights, np.linspace(-3, 3, 13))
        assert_allclose(R, R[::-1], atol=1e-8)
        one_sided = weights._replace(symmetric=False)
        assert abs(learned_step(one_sided, 1).prox([0.0], 1.0)[0]) > 1e-3


@pytest.mark.parametrize("layers", [1, 3])
def test_the_largest_slope_is_that_of_differences(layers):
    for weights in (load_weights("laplacian")[0], random_weights(layers, 5)):
        y = np.linspace(-weights.radius, weights.radius, 20_001)
        f = learned_step(weights, y.size).prox(y, 1.0)
        steepest = max(1.0, (np.diff(f) / np.diff(y)).max())
        assert largest_slope(weights) == pytest.approx(steepest, rel=1e-4)
    assert 1.05 < largest_slope(load_weights("laplacian")[0]) < 1.1  # what its documents say
    flat = random_weights(1, 5)._replace(output=np.zeros(5))
    assert largest_slope(flat) == 1.0


@pytest.mark.parametrize("layers", [1, 3])
def test_f_is_increasing_and_goes_on_with_slope_1(layers):
    step = learned_step(random_weights(layers, seed=3), 2001)
    u = np.linspace(-6.0, 6.0, 2001)
    slopes = np.diff(step.prox(u, 1.0)) / np.diff(u)
    assert (slopes >= 0.05 - 1e-9).all()  # alpha
    assert_allclose(slopes[np.abs(u[1:] - 0.003) > 2.01], 1.0, rtol=1e-9)


def test_the_local_step_scales_the_network():
    """prox(v, a) = c f(v/c) with c = a s, which is the prox of c^2 R(./c)."""
    weights, _ = load_weights("laplacian")
    step = learned_step(weights, 3, strength=0.5)
    v, c = np.array([-4.0, 0.3, 1.7]), 0.4 * 0.5
    for j in range(3):
        found = minimize_scalar(
            lambda x, j=j: c**2 * prior(weights, x / c)[0] + (x - v[j]) ** 2 / 2,
            bracket=(v[j] - 1, v[j]),
            tol=1e-10,
        )
        assert step.prox(v, 0.4)[j] == pytest.approx(found.x, abs=1e-6)
    assert (step.kind, step.convex, step.exact, step.has_value) == ("learned", *[False] * 3)
    assert np.isnan(step.value(v))


def test_the_prior_integrates_the_inverse_of_f():
    """R'(x) = f^{-1}(x) - x, inside and outside the radius, by root finding and quadrature."""
    weights, _ = load_weights("laplacian")
    step = learned_step(weights, 1)

    def slope(x):
        return brentq(lambda y: step.prox(np.array([y]), 1.0)[0] - x, x - 5, x + 5, xtol=1e-12) - x

    R = prior(weights, [-4.0, 0.3, 2.0, 5.0])
    for k, (one, other) in enumerate([(-4.0, 0.3), (0.3, 2.0), (2.0, 5.0)]):
        assert R[k + 1] - R[k] == pytest.approx(quad(slope, one, other)[0], abs=1e-6)


def test_the_prior_of_the_shipped_network_is_nearly_the_absolute_value():
    """Up to a constant, and to the smoothing of the kink at 0 by the last gamma, 0.2."""
    weights, _ = load_weights("laplacian")
    x = np.linspace(-6, 6, 121)
    R = prior(weights, x)
    assert np.abs((R - R[[30, 90]].mean()) - (np.abs(x) - 3)).max() < 0.2
    far = np.abs(x) > 1
    assert_allclose(np.abs(np.gradient(R, x))[far], 1.0, atol=0.05)
    assert prior(weights, x[:0]).shape == (0,)
    with pytest.raises(InputError, match="finite x"):
        prior(weights, [np.nan])


def test_the_number_of_torch_threads_changes_no_bit_and_stays():
    weights, _ = load_weights("laplacian")
    v = 3 * np.random.default_rng(0).standard_normal(50_000)
    step, before = learned_step(weights, v.size), torch.get_num_threads()
    answers = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        answers.append(step.prox(v, 0.3))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert_array_equal(*answers)
    with pytest.raises(InputError, match=r"strength: 0\.0 given"):
        learned_step(weights, 3, 0.0)
    with pytest.raises(InputError, match="strength: 'much' given"):
        learned_step(weights, 3, "much")
