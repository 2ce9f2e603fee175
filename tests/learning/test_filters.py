"""Training of the filters: the implicit gradient, that it learns, and that it repeats itself."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from training_cases import check_that_the_seed_decides_every_bit, written_by_the_command

from dadao_sim.errors import InputError
from dadao_sim.learning import filters
from dadao_sim.learning.filters import (
    Recipe,
    filters_of,
    mean_gradient,
    parameters_of,
    start_of,
    train,
)
from dadao_sim.learning.photographs import crop, scaled, training_pictures
from dadao_sim.learning.priors import training_of
from dadao_sim.local_steps.learned.networks import load_network

SHORT = Recipe(steps=12, batch=2, size=16)
EXACT = Recipe(
    first_p=0.7, tolerance=1e-14, most_steps=400, adjoint_tolerance=1e-13, adjoint_steps=1000
)


def pictures(count, size, seed=0):
    """Crops of the training pictures, and the same with noise."""
    rng = np.random.default_rng(seed)
    scaled_ones = scaled(training_pictures(), (2,), size)
    clean = np.array([crop(scaled_ones, size, rng) for _ in range(count)])
    return clean, clean + 0.1 * rng.standard_normal(clean.shape)


@pytest.mark.parametrize("place", [0, 13, 40, 71, 72, 75, 79, 80])
def test_the_implicit_gradient_is_that_of_differences(place):
    """Of filters (the first 72), log strengths (the next 8) and the logit of p, to 1e-6."""
    clean, seen = pictures(2, 16)
    rng = np.random.default_rng(1)
    theta = parameters_of(start_of(EXACT))
    theta = theta + 0.1 * rng.standard_normal(theta.size)
    _, gradient = mean_gradient(theta, clean, seen, EXACT)
    unit = 1e-5 * np.eye(theta.size)[place]
    losses = [mean_gradient(theta + change, clean, seen, EXACT)[0] for change in (unit, -unit)]
    differences = (losses[0] - losses[1]) / 2e-5
    assert differences == pytest.approx(
        gradient[place], rel=1e-6, abs=1e-6 * np.abs(gradient).max()
    )
    assert abs(gradient[place]) > 1e-9


def test_parameters_are_filters_of_mean_0_and_norm_1():
    theta = np.random.default_rng(2).standard_normal(81)
    net = filters_of(theta, 0.02)
    assert_allclose(net.filters.mean(axis=(1, 2)), 0, atol=1e-15)
    assert_allclose((net.filters**2).sum(axis=(1, 2)), 1, rtol=1e-14)
    assert net.strengths.min() > 0
    assert 0 < net.p < 1
    for one, other in zip(filters_of(parameters_of(net), 0.02), net, strict=True):
        assert_allclose(one, other, rtol=1e-12)


def test_it_learns_and_the_seed_decides_every_bit():
    recipe = replace(SHORT, first_strength=0.005, learning_rates=(0.15, 0.1))
    net, heard = check_that_the_seed_decides_every_bit(train, recipe)
    assert len(heard) == recipe.steps
    clean, seen = pictures(4, 32, seed=9)
    before = mean_gradient(parameters_of(start_of(recipe)), clean, seen, recipe)[0]
    assert mean_gradient(parameters_of(net), clean, seen, recipe)[0] < 0.8 * before
    cosines = mean_gradient(parameters_of(start_of(Recipe())), clean, seen, recipe)[0]
    shipped = mean_gradient(parameters_of(load_network("filters")), clean, seen, recipe)[0]
    assert shipped < 0.93 * cosines


def test_the_command_writes_filters_that_a_scenario_takes_without_torch(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    short = {"steps": 2, "batch": 1, "size": 16}
    both = written_by_the_command(monkeypatch, tmp_path, filters, "filters", Recipe, **short)
    for one, other in zip(*both, strict=True):
        assert_array_equal(one, other)


def test_the_shipped_filters_are_those_of_the_recipe():
    assert training_of("filters").recipe == Recipe()
    with pytest.raises(InputError, match="unknown prior 'filter'; did you mean 'filters'"):
        training_of("filter")
