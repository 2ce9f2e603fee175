"""Prox-LEAD against its equations; its quantiser against the law that the proof asks for."""

import numpy as np
import pytest
from composite_cases import RING, distance, elastic_net, mixing, play, prox_of, random_rows
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim.algorithms import exact_diffusion
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.tally import Tally, numbers_and_bytes
from dadao_sim.algorithms.lead import BLOCK
from dadao_sim.algorithms.lead import PROX_LEAD as METHOD
from dadao_sim.compression.quantisers import Dither
from dadao_sim.events.rounds import RoundClock

MASK = 2**64 - 1


def dither(bits):
    return Dither(kind="dither", bits_per_number=bits, block=BLOCK)


def message(bits, d):
    """What LEAD sends of ten nodes."""
    nodes = Nodes(None, np.ones(10), Tally(), stochastic=False, compressor=dither(bits))
    return nodes.compressed(np.ones((10, d)))


def splitmix64(state):
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def transcribed_quantiser(V, bits, mark):
    """Number by number, in Python's integers."""
    Q = np.empty_like(V)
    for i, row in enumerate(V):
        norm, s = np.abs(row).max(), 2 ** (bits - 1)
        for k, v in enumerate(row):
            draw = splitmix64((~mark + i * 0xD1342543DE82EF95 + k) & MASK)
            Q[i, k] = norm / s * np.sign(v) * np.floor(s * abs(v) / norm + (draw >> 11) / 2**53)
    return Q


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("composite", [True, False])
def test_it_is_its_equations(composite, bits):
    problem = elastic_net() if composite else elastic_net().smooth
    prox, W, eta = prox_of(problem), mixing(RING), 0.5 / problem.L
    alpha, gamma = 0.4, 0.7
    X, H = random_rows(problem), 0 * random_rows(problem)
    D, Hw = H, H
    for mark in RoundClock(np.random.SeedSequence(0)).window().mark[:30].tolist():
        Z = X - eta * problem.gradients(X) - eta * D
        Q = transcribed_quantiser(Z - H, bits, mark)
        Zh, Zw = H + Q, Hw + W @ Q
        H, Hw = H + alpha * Q, Hw + alpha * W @ Q
        D = D + gamma * (Zh - Zw) / (2 * eta)
        X = prox(Z - gamma * (Zh - Zw) / 2, eta)
    overrides = {"eta": eta, "alpha": alpha, "gamma": gamma, "bits": bits}
    found = play(METHOD, problem, RING, 30, overrides, x0=random_rows(problem))
    for block, value in {"x": X, "d": D, "h": H, "hw": Hw}.items():
        assert_allclose(found[block], value, rtol=1e-9, atol=1e-11, err_msg=block)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_the_quantiser_is_unbiased_with_the_variance_of_its_rounding(bits):
    rows, s = 40_000, 2 ** (bits - 1)
    v = np.array([1.5, -0.3, 0.75, 0.0, -1.1, 0.01])
    Q = dither(bits).rows(np.tile(v, (rows, 1)), 12345)
    part = s * np.abs(v) / 1.5 % 1
    variance = (1.5 / s) ** 2 * part * (1 - part)
    assert (np.abs(Q.mean(axis=0) - v) <= 4.5 * np.sqrt(variance / rows)).all()
    assert_allclose(Q.var(axis=0), variance, rtol=0.05, atol=1e-30)
    correlations = np.corrcoef(Q[:, variance > 0].T) - np.eye((variance > 0).sum())
    assert np.abs(correlations).max() < 0.03
    assert len(np.unique(Q * s / 1.5)) <= 2**bits + 1


def test_the_nodes_and_the_rounds_draw_their_own():
    v = np.full((2000, 1), 0.5) @ np.ones((1, 2))
    v[:, 0] = 1.0  # the norm; the other number is rounded to 0.5 -> 0 or 1 at one bit
    one, other = (dither(1).rows(v, mark)[:, 1] for mark in (7, 8))
    for first, second in ((one[:-1], one[1:]), (one, other)):
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert_array_equal(one, dither(1).rows(v, 7)[:, 1])


def test_every_block_of_256_numbers_has_its_own_norm():
    v = np.random.default_rng(0).standard_normal((3, 600)) * np.repeat([1, 1e-3, 1e3], 200)
    Q = dither(2).rows(v, 1)
    for first in (0, 256, 512):
        part = slice(first, first + 256)
        norms = np.abs(v[:, part]).max(axis=1, keepdims=True)
        levels = 2 * Q[:, part] / norms
        assert_allclose(levels, np.round(levels), atol=1e-12)
        assert (np.abs(Q - v)[:, part] <= norms / 2).all()


def test_zeros_stay_zeros():
    assert_array_equal(dither(2).rows(np.zeros((2, 3)), 1), np.zeros((2, 3)))


def test_with_many_bits_it_is_prox_ed():
    problem = elastic_net()
    fine = play(METHOD, problem, RING, 100, {"bits": 45}, x0=random_rows(problem))["x"]
    exact = play(exact_diffusion.PROX_ED, problem, RING, 100, x0=random_rows(problem))["x"]
    assert_allclose(fine, exact, atol=1e-9)


def test_a_dual_start_off_the_mean_ends_elsewhere():
    problem = elastic_net()
    d = random_rows(problem)
    centred = play(METHOD, problem, RING, 2000, d=d - d.mean(axis=0))["x"]
    assert distance(centred, problem) < 1e-8
    assert distance(play(METHOD, problem, RING, 2000, d=d)["x"], problem) > 1e-2


def test_sending_what_is_known_of_h_wrongly_ends_elsewhere():
    """The negative control of hw = W h."""
    problem = elastic_net()
    h = random_rows(problem)
    right = play(METHOD, problem, RING, 2000, h=h, hw=mixing(RING) @ h)["x"]
    wrong = play(METHOD, problem, RING, 2000, h=h)["x"]
    assert distance(right, problem) < 1e-8
    assert not distance(wrong, problem) < 1e-2


def test_a_message_is_counted_bit_by_bit():
    """Five symbols take three bits; each block of 256 numbers a norm of 64 bits."""
    assert (dither(2).numbers(600), dither(2).bits(600)) == (603, 3 * 600 + 3 * 64)
    assert numbers_and_bytes((message(2, 600),)) == (603, (3 * 600 + 3 * 64) // 8)
    assert numbers_and_bytes((message(7, 256),)) == (257, 264)
    asked = METHOD.tune(elastic_net(), RING, {"bits": 7}).asked
    assert asked.message_bytes == (8 * 8 + 64) // 8
