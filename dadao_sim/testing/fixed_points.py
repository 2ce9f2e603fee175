"""Laws of fixed points and invariants."""

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.events.log import ARRIVE_ONE, GOSSIP, SEND, SEND_ONE, Events
from dadao_sim.testing.case import (
    NODES,
    Case,
    Skip,
    law,
)


def _without_drift(case: Case, block: str, value: np.ndarray) -> np.ndarray:
    return value - value.mean(axis=0) if block in case.method.drifting else value


@law
def the_declared_optimum_is_a_fixed_point(case: Case) -> None:
    """At the declared optimum nothing moves, and every node's estimate is x*."""
    scale = max(np.abs(block).max() for block in case.optimum.values())
    after = case.replay(blocks=case.optimum)
    for block, value in case.optimum.items():
        moved = np.abs(_without_drift(case, block, after[block] - value)).max()
        assert moved <= 1e-9 * scale, f"block {block} moves by {moved:.1e} (of {scale:.1e})"
    estimates = np.empty((NODES, case.problem.dimension))
    player = case.player(case.optimum)
    player.begin(case.events)
    player.observe(0.0, estimates)
    error = np.abs(estimates - case.problem.x_star).max()
    assert error <= 1e-9 * scale, f"the estimate is {error:.1e} from x*"


@law
def a_point_off_the_optimum_is_no_fixed_point(case: Case) -> None:
    """The law above can fail: from about 0.1 beside the optimum the blocks move."""
    # Not by the same at every node: there what only averages would stay.
    off = case.random_blocks(5)
    moved = {block: value + 0.1 * off[block] for block, value in case.optimum.items()}
    after = case.replay(case.beginning, blocks=moved)
    distances = [np.abs(after[block] - moved[block]).max() for block in moved]
    assert not all(distance <= 1e-3 for distance in distances)  # it may also diverge


@law
def gossip_conserves_the_declared_invariant(case: Case) -> None:
    """The sum over the nodes of each block in ``invariant`` stays, and the block itself moves.

    Exchanges, and messages that arrive, at one instant, so that no flow mixes in; rounds from dual
    variables that sum to zero.
    """
    method, events = case.method, case.events
    if not method.invariant:
        raise Skip("declares no invariant")
    if isinstance(method, RoundMethod):
        x0 = case.rows(2)
        before = method.initial_values(NODES, case.problem.dimension, x0, {})
        after = case.replay(x0=x0)
    else:
        events = _exchanges_at_once(case)
        before = case.random_blocks()
        after = case.replay(events, blocks=before)
    for block in method.invariant:
        scale = np.abs(after[block]).max()
        assert np.abs(after[block] - before[block]).max() > 1e-3, f"block {block} never moved"
        drift = np.abs(after[block].sum(axis=0) - before[block].sum(axis=0)).max()
        assert drift <= 1e-12 * len(events) * scale, f"the sum of {block} drifts by {drift:.1e}"


def _exchanges_at_once(case: Case) -> Events:
    """The exchanges, and the messages one way, of the case, each there when it is sent."""
    rows = np.flatnonzero(np.isin(case.events.kind, (GOSSIP, SEND, SEND_ONE)))
    one_way = case.events.kind[rows] == SEND_ONE
    i, j, repeats = case.events.i[rows], case.events.j[rows], 1 + one_way
    arrival = np.concatenate([[False], np.diff(np.repeat(rows, repeats)) == 0])
    kind = np.where(np.repeat(one_way, repeats), SEND_ONE, GOSSIP)
    i, j = np.repeat(i, repeats), np.repeat(j, repeats)
    return Events.from_arrays(
        np.zeros(len(kind)),
        np.where(arrival, ARRIVE_ONE, kind),
        np.where(arrival, j, i),
        np.where(arrival, i, j),
        case.network,
        start=np.where(arrival, np.arange(len(kind)) - 1, -1),
    )
