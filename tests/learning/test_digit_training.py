"""Training of the network of digits: that it is what runs use, learns, and repeats itself."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from training_cases import (  # noqa: E402
    check_that_the_seed_decides_every_bit,
    written_by_the_command,
)

from dadao_sim.learning import digits  # noqa: E402
from dadao_sim.learning.digits import Recipe, forward, matching_loss, train  # noqa: E402
from dadao_sim.local_steps.learned.convex_network import gradient  # noqa: E402
from dadao_sim.local_steps.learned.networks import load_network  # noqa: E402
from dadao_sim.local_steps.learned.weight_file import FILES  # noqa: E402
from dadao_sim.problems.data.digit import digits as every_digit  # noqa: E402

SHORT = Recipe(neurons=12, warm_up=150, steps_per_gamma=40, batch=64)


def test_what_is_trained_is_what_runs():
    net = load_network("digits")
    y = every_digit().held_out[:5] + 0.1
    tensors = {name: torch.from_numpy(getattr(net, name)) for name in net._fields[:6]}
    found = forward(tensors, torch.from_numpy(y), Recipe())
    assert_allclose(found.numpy(), gradient(net, y), atol=1e-7)  # alpha is in single precision
    slow = {name: array.clone().requires_grad_(True) for name, array in tensors.items()}
    u = torch.from_numpy(y).requires_grad_(True)
    (J,) = torch.autograd.grad(forward(slow, u, Recipe())[0, 20], u)
    (other,) = torch.autograd.grad(forward(slow, u, Recipe())[0, 43], u)
    assert float(J[0, 43]) == pytest.approx(float(other[0, 20]), abs=1e-12)


def test_it_learns_and_the_seed_decides_every_bit():
    net, heard = check_that_the_seed_decides_every_bit(train, SHORT)
    assert heard[1] < 0.7 * heard[0]
    assert min(net.W.min(), net.w.min()) >= 0


def test_the_loss_is_that_of_the_paper():
    residual = torch.tensor([[0.3, -0.4], [0.0, 1.0]], dtype=torch.float64)
    expected = 1 - (np.exp(-0.25 / 4) + np.exp(-1 / 4)) / 2
    assert float(matching_loss(residual, 2.0)) == pytest.approx(expected, rel=1e-12)
    assert float(matching_loss(residual, None)) == pytest.approx((0.7 + 1.0) / 2)
    gammas = [gamma for _, gamma in replace(SHORT, warm_up=2, steps_per_gamma=1).stages()]
    assert gammas == [None, None, 2.0, 1.4, 1.0, 0.8]


def test_the_shipped_weights_say_how_they_were_made():
    _, stored, metadata = FILES.opened("digits")
    assert metadata["command"] == "dadao-sim learn-prior digits --out digits.npz --seed 0"
    recipe = {**asdict(Recipe()), "gammas": list(Recipe().gammas)}
    assert metadata["recipe"] == {**recipe, "learning_rates": list(Recipe().learning_rates)}
    assert stored.path.stat().st_size < 50_000


def test_the_command_writes_weights_that_a_scenario_takes(monkeypatch, tmp_path):
    short = {"neurons": 5, "warm_up": 2, "steps_per_gamma": 1}
    found, wanted = written_by_the_command(monkeypatch, tmp_path, digits, "digits", Recipe, **short)
    for one, other in zip(found, wanted, strict=True):
        assert_allclose(one, other, rtol=2e-3, atol=1e-6)
