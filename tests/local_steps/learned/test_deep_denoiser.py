"""A deep denoiser of another package, whose weights come in its wheel: nothing is fetched."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_sample_image

scico = pytest.importorskip("scico", reason="needs scico: the extra deep")

import jax  # noqa: E402
from scico.denoiser import DnCNN  # noqa: E402

from dadao_sim.learning.photographs import averaged  # noqa: E402
from dadao_sim.local_steps.learned import ExpansiveDenoiserWarning, denoiser  # noqa: E402
from dadao_sim.local_steps.terms import make  # noqa: E402
from dadao_sim.problems.data.image import in_grey  # noqa: E402
from dadao_sim.reports.recovered import psnr  # noqa: E402

SIGMA = 0.1


@pytest.fixture(scope="module")
def network():
    """DnCNN of six layers, which is told the level of the noise."""
    net = jax.jit(DnCNN(variant="6N").__call__, static_argnums=1)
    return lambda v: net(v.astype(np.float32), SIGMA)


@pytest.mark.slow
def test_of_a_held_out_photograph_it_takes_more_noise_than_total_variation(network):
    side = 64
    truth = averaged(in_grey(load_sample_image("flower.jpg") / 255.0), 2)[40:104, 60:124]
    noisy = truth + SIGMA * np.random.default_rng(0).standard_normal(truth.shape)
    with pytest.warns(ExpansiveDenoiserWarning):
        step = denoiser(network, side**2, shape=(side, side), region=(0.0, 1.0), points=1)
    found = step.prox(noisy.ravel(), 0.3).reshape(side, side)
    assert_allclose(found, network(noisy), atol=1e-6)  # whatever the step
    strengths = (0.05, 0.07, 0.1, 0.14)  # the best of them lies within
    every = [make("tv_2d", side**2, strength=s, shape=[side, side]) for s in strengths]
    by_tv = [psnr(tv.prox(noisy.ravel(), 1.0).reshape(side, side), truth) for tv in every]
    assert 0 < int(np.argmax(by_tv)) < len(strengths) - 1
    assert psnr(found, truth) > max(by_tv) + 0.3
    assert psnr(found, truth) > psnr(noisy, truth) + 7


@pytest.mark.slow
def test_the_estimate_is_below_the_norm_of_its_jacobian_and_near_it(network):
    """At the one point where it looks, by the Jacobian that jax writes out."""
    side = 12
    with pytest.warns(ExpansiveDenoiserWarning):
        step = denoiser(network, side**2, shape=(side, side), region=(0.0, 1.0), points=1, seed=3)
    x = np.random.default_rng(3).uniform(0.0, 1.0, side**2).astype(np.float32)
    J = jax.jacfwd(lambda v: network(v.reshape(side, side)).ravel())(x)
    norm = float(np.linalg.norm(np.asarray(J, dtype=float), 2))
    assert 0.8 * norm < step.operator.function.lipschitz < 1.02 * norm
