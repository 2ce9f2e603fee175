"""Laws of what a method keeps, and how far it gets."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.testing.case import (
    EVENTS,
    NODES,
    Case,
    Skip,
    law,
)


@law
def a_table_of_samples_is_declared(case: Case) -> None:
    """It keeps a gradient of each sample if it says so, and only then: memory is planned for it."""
    if not case.method.samples:
        raise Skip("asks for no samples")
    if not isinstance(case.method, RoundMethod):
        raise Skip("has no rounds")
    player: Any = case.player()
    player.play(case.events, 0, 2)
    assert (player.nodes.table is not None) == case.method.table


@law
def it_makes_progress(case: Case) -> None:
    """From ones it comes closer to x* in the mean over the nodes, and stays finite."""
    errors = []
    player = case.player()
    estimates = np.empty((NODES, case.problem.dimension))
    player.begin(case.events)
    for first, last in ((0, 0), (0, EVENTS)):
        player.play(case.events, first, last)
        player.observe(case.events.time[last - 1] if last else 0.0, estimates)
        errors.append(case.problem.squared_distance(estimates))
    assert errors[1] < errors[0], f"the error goes from {errors[0]:.2e} to {errors[1]:.2e}"


@law
def it_equals_what_it_says_it_equals(case: Case) -> None:
    """With ``same_as`` its estimates are those of that method, to rounding."""
    if case.method.same_as is None:
        raise Skip("equals no other method")
    other = Case(get_method(case.method.same_as), case.setting, case.kind)
    estimates = []
    for one in (case, other):
        player = one.player()
        player.play(case.events, 0, 100)
        estimates.append(np.empty((NODES, case.problem.dimension)))
        player.observe(case.events.time[99], estimates[-1])
    error = np.abs(estimates[0] - estimates[1]).max()
    assert error <= 1e-10 * np.abs(estimates[1]).max(), f"they differ by {error:.1e}"
