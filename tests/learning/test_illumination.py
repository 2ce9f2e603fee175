"""Training of the prior of light: that it is what runs use, learns, and repeats itself."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from training_cases import (  # noqa: E402
    check_that_the_seed_decides_every_bit,
    written_by_the_command,
)

from dadao_sim.learning import illumination  # noqa: E402
from dadao_sim.learning.illumination import Recipe, examples, forward, train  # noqa: E402
from dadao_sim.learning.priors import training_of  # noqa: E402
from dadao_sim.local_steps.learned.illumination import (  # noqa: E402
    COSINES,
    GRID,
    PIXELS,
    SIZE,
    light_of,
)
from dadao_sim.local_steps.learned.networks import load_network  # noqa: E402

SHORT = Recipe(scenes=400, steps=150, batch=64)


def test_what_is_trained_is_what_runs():
    """The forward pass of torch, and the compiled one on the same windows, some hidden."""
    net = load_network("illumination")
    rng = np.random.default_rng(0)
    s, shown = rng.standard_normal((SIZE, SIZE)), (rng.random((GRID, GRID)) > 0.4).astype(float)
    means = s.reshape(GRID, SIZE // GRID, GRID, SIZE // GRID).mean(axis=(1, 3))
    tensors = {name: torch.from_numpy(array).float() for name, array in net._asdict().items()}
    rows = (torch.from_numpy(one.reshape(1, -1)).float() for one in (means, shown))
    found = forward(tensors, *rows).double().numpy()
    basis = np.einsum("ai,bj->abij", COSINES, COSINES).reshape(-1, PIXELS)
    assert_allclose(light_of(net, s, shown).ravel(), (found @ basis)[0], atol=1e-5)


def test_it_learns_and_the_seed_decides_every_bit():
    _, heard = check_that_the_seed_decides_every_bit(train, SHORT)
    assert heard[-1] < 0.5 * heard[0]


def test_targets_are_the_nearest_fields():
    """Of smooth lamps 36 cosines leave little: the error of the field is the distance to them."""
    rng = np.random.default_rng(0)
    _, targets = examples(replace(SHORT, scenes=20), rng)
    again = illumination.scenes(illumination.training_pictures(), 20, np.random.default_rng(0))
    basis = np.einsum("ai,bj->abij", COSINES, COSINES).reshape(-1, PIXELS)
    left = targets.numpy() @ basis - again.light.reshape(20, -1)
    assert np.sqrt((left**2).mean()) < 0.1
    assert_allclose(left @ basis.T / PIXELS, 0, atol=1e-4)


def test_the_control_is_the_same_training_without_masks():
    masked, plain = (training_of(name).recipe for name in ("illumination", "illumination_unmasked"))
    assert plain == replace(masked, hidden=0.0)


def test_the_command_writes_weights_that_a_scenario_takes(monkeypatch, tmp_path):
    short = {"scenes": 20, "steps": 2, "batch": 4}
    found, wanted = written_by_the_command(
        monkeypatch, tmp_path, illumination, "illumination", Recipe, **short
    )
    for one, other in zip(found, wanted, strict=True):
        assert_array_equal(one, other.astype(np.float16))
