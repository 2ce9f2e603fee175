"""Laws of the lookahead of methods of rounds."""

import numpy as np

from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player
from dadao_sim.testing.case import NO_BLOCKS, NODES, Blocks, Case, Skip, law

PERIOD, ROUNDS = 3, 50


def _after_rounds(case: Case, weight: float | None, blocks: Blocks = NO_BLOCKS) -> Player:
    """The method with a lookahead, or with none where ``weight`` is None; Skip of one that has
    none.
    """
    if not isinstance(case.method, RoundMethod) or case.method.samples:
        raise Skip("cannot look ahead")
    lookahead = None if weight is None else Lookahead(period=PERIOD, weight=weight)
    tuning = case.method.tune(case.problem, case.network, {}, Options(lookahead=lookahead))
    player = make_player(case.method, case.problem, tuning, case.rows(2), blocks)
    player.play(case.events, 0, ROUNDS)
    return player


@law
def a_lookahead_that_takes_nothing_back_changes_nothing(case: Case) -> None:
    """With weight 1 what is computed anew is what was there, and is charged."""
    plain, ahead = _after_rounds(case, None), _after_rounds(case, 1.0)
    one, other = plain.blocks(case.method.blocks), ahead.blocks(case.method.blocks)
    for block in case.method.blocks:
        assert np.array_equal(one[block], other[block]), f"block {block} differs"
    renews = getattr(case.method, "renew", None) is not None
    more = ahead.tally.gradients - plain.tally.gradients
    assert more == renews * NODES * (ROUNDS // PERIOD), f"{more:g} gradients more are counted"


@law
def a_lookahead_keeps_what_the_rounds_keep(case: Case) -> None:
    """With weight 1/2 the declared invariant stays as it was, and so does the optimum."""
    player = _after_rounds(case, 0.5)
    x0 = case.method.starts_at(case.problem, case.rows(2))
    before = case.method.initial_values(NODES, case.problem.dimension, x0, {})
    for block in getattr(case.method, "invariant", ()):
        after = player.blocks((block,))[block]
        drift = np.abs(after.sum(axis=0) - before[block].sum(axis=0)).max()
        assert drift <= 1e-10 * np.abs(after).max(), f"the sum of {block} drifts by {drift:.1e}"
    scale = max(np.abs(block).max() for block in case.optimum.values())
    player = _after_rounds(case, 0.5, case.optimum)
    estimates = np.empty((NODES, case.problem.dimension))
    player.observe(0.0, estimates)
    error = np.abs(estimates - case.problem.x_star).max()
    assert error <= 1e-9 * scale, f"the estimate goes {error:.1e} from x*"
