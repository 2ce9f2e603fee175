"""Laws of what a method says of itself."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import citation
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.schedules import Schedule
from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import make
from dadao_sim.simulation.replay import make_player
from dadao_sim.testing.case import (
    BATCH,
    Case,
    Skip,
    law,
    lollipop,
    one_way_lollipop,
    sequence,
    small_problem,
)


@law
def it_can_be_cited(case: Case) -> None:
    """It names its reference, by a key of references.bib, as BibTeX or as text."""
    reference = case.method.reference
    assert reference, "reference is empty"
    whole = " " in reference or citation(case.method) != reference
    assert whole, f"reference {reference!r} is no key of references.bib"


@law
def it_refuses_what_it_cannot_do(case: Case) -> None:
    """What it does not declare is refused in one line that names it."""
    method, problem = case.method, small_problem(case.kind)
    attempts: list[Callable[[], None]] = []
    if method.needs_averaging or "convex" not in method.solves:
        attempts.append(lambda: method.check_supported(small_problem(), lollipop()))
    if method.composite == "none":
        composite = problem.with_local_step(make("l1", problem.dimension, strength=0.2))
        attempts.append(lambda: method.check_supported(composite, lollipop()))
    if method.reweights:
        attempts.append(lambda: method.check_supported(small_problem("logistic_l2"), lollipop()))
        norm = make("l1", problem.dimension, strength=0.2)
        attempts.append(lambda: method.check_supported(problem.with_local_step(norm), lollipop()))
    if method.needs_l2:
        attempts.append(lambda: method.check_supported(small_problem(), lollipop()))
    if method.needs_set:
        attempts.append(lambda: method.check_supported(small_problem(), lollipop()))
    if not method.time_varying:
        attempts.append(lambda: method.check_supported(problem, sequence()))
    if not method.directed:
        attempts.append(lambda: method.check_supported(problem, one_way_lollipop()))
    if not method.stochastic:
        attempts.append(
            lambda: method.check_supported(problem, lollipop(), Options(batch_size=BATCH))
        )
    if not getattr(method, "steps", ()):
        attempts.append(lambda: method.check_supported(problem, lollipop(), Options(schedule=HALF)))
    if method.samples or not isinstance(method, RoundMethod):
        ahead = Options(lookahead=Lookahead(period=2, weight=0.5))
        attempts.append(lambda: method.check_supported(problem, lollipop(), ahead))
    if method.samples or method.directed or not isinstance(method, RoundMethod):
        attempts.append(lambda: method.check_supported(problem, lollipop(), Options(asleep=1)))
    for attempt in attempts:
        said = _refusal(attempt)
        assert method.name in said, f"the refusal does not name it: {said}"


def _refusal(attempt: Callable[[], Any]) -> str:
    """The line that an attempt is refused with; AssertionError where it is not, or in several."""
    try:
        attempt()
    except InputError as error:
        said = str(error)
    else:
        raise AssertionError("it accepted what it should have refused")
    assert "\n" not in said, f"a refusal has several lines: {said}"
    return said


@law
def overrides_win_and_nonsense_is_refused(case: Case) -> None:
    """Every constant can be overridden by its name; unknown names and infinities are refused."""
    problem, network, method = case.problem, case.network, case.method
    _refusal(lambda: method.tune(problem, network, {"no_such_constant": 1.0}))
    for name in case.tuning.constants:
        _refusal(partial(method.tune, problem, network, {name: math.nan}))
    whole = {name for name, value in case.tuning.constants.items() if value == int(value)}
    for name, value in case.tuning.constants.items():
        if name not in whole:
            changed = method.tune(problem, network, {name: 0.97 * value}).constants[name]
            assert changed == 0.97 * value, f"parameter {name!r} was overridden by {changed}"


class Half(Schedule):
    """Steps of half the length, in every round."""

    kind: Literal["half"] = "half"

    def scale(self, k: int) -> float:
        """1/2."""
        return 0.5


HALF = Half()


@law
def a_schedule_changes_its_steps_only(case: Case) -> None:
    """With steps halved in every round it plays as with the constants themselves halved."""
    steps = getattr(case.method, "steps", ())
    if not steps:
        raise Skip("has no step that may vary")
    constants = case.tuning.constants
    halved = {name: 0.5 * constants[name] for name in steps}
    ends = []
    for overrides, options in (({}, Options(schedule=HALF)), (halved, Options()), ({}, Options())):
        tuning = case.method.tune(case.problem, case.network, overrides, options)
        player = make_player(case.method, case.problem, tuning, case.ones(), {})
        player.play(case.events, 0, 50)
        ends.append(player.blocks(case.method.blocks))
    for block in case.method.blocks:
        assert np.array_equal(ends[0][block], ends[1][block]), f"block {block} differs"
    some = case.method.blocks[0]
    assert not np.array_equal(ends[0][some], ends[2][some]), "half a step changes nothing"
