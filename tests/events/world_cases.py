"""Worlds to test, and their logs."""

import numpy as np
from cases import lollipop
from numpy.testing import assert_array_equal

from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import (
    TYPES,
    concatenate,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.physics import make_physics
from dadao_sim.events.world.spec import WorldSpec

LEVEL = 1e-3
COMPUTES = {"gradient": {"kind": "exponential"}, "pause": {"kind": "constant", "mean": 0.0}}


def physics(network=None, accuracy=False, end=1e9, **spec):
    world = WorldSpec.model_validate(spec)
    rng = np.random.default_rng(0)
    return make_physics(world, network or lollipop(), rng, accuracy=accuracy, end=end)


def rates(network, per_edge=0.7):
    return PoissonRates(np.ones(network.nodes), np.full(len(network.edges), per_edge))


def world_log(network=None, windows=1, seed=1, per_edge=0.7, size=8.0, **spec):
    network = network or lollipop()
    clock = WorldClock(
        physics(network, **spec), rates(network, per_edge), size, np.random.SeedSequence(seed)
    )
    return concatenate([clock.window() for _ in range(windows)])


def equal(one, other):
    for name in TYPES:
        assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
