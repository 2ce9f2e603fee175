"""Laws of what changes nothing: labels, windows, samples, who is far away, being compiled."""

from itertools import pairwise
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.parallel import use_threads
from dadao_sim.engine.play import play
from dadao_sim.simulation.replay import replay
from dadao_sim.testing.case import (
    EVENTS,
    NODES,
    Case,
    Skip,
    law,
)


@law
def relabelling_the_nodes_relabels_the_result(case: Case) -> None:
    """No node is special by its number."""
    if case.method.samples and isinstance(case.method, RoundMethod):
        raise Skip("draws by the numbers of the nodes")
    order = np.random.default_rng(3).permutation(NODES)
    x0 = case.rows(4)
    # Rounding decides which of two numbers that are nearly the same is sent, and which is left:
    # what that changes falls with the error.
    compressed = getattr(case.method, "compression", "none") != "none"
    events = case.events if compressed else case.beginning
    plain = case.replay(events, x0)
    network: Any = case.network.relabelled(order)
    if not isinstance(case.method, RoundMethod):
        events = events.relabelled(order, network)
    problem, start = case.problem.relabelled(order), case.start(x0[order])
    other = replay(case.method, problem, network, events, **start)
    scale = max(np.abs(value).max() for value in plain.values())  # some blocks go to 0
    for block, value in plain.items():
        wanted = _by_nodes(value)[order]
        if value.shape == (NODES, NODES):  # a number for each node, at each node
            wanted = wanted[:, order]
        error = np.abs(_by_nodes(other[block]) - wanted).max()
        assert error <= (1e-8 if compressed else 1e-10) * scale, (
            f"block {block} differs by {error:.1e}"
        )


def _by_nodes(block: np.ndarray) -> np.ndarray:
    """A row for each node, of a block of nodes or of samples."""
    return block.reshape(NODES, -1)


@law
def windows_change_nothing(case: Case) -> None:
    """A log played in pieces gives the bits that it gives whole; so does a second play."""
    log, end = case.beginning, len(case.beginning)
    pieces = [(0, 1), (1, end // 2), (end // 2, end // 2), (end // 2, end - 1), (end - 1, end)]
    ends = []
    for parts in ([(0, end)], pieces):
        player = case.player()
        for first, last in parts:
            window = log[first:last]
            player.play(window, 0, len(window))
        ends.append(player.blocks(case.method.every_block))
    for block in case.method.every_block:
        assert np.array_equal(ends[0][block], ends[1][block]), f"block {block} differs"


@law
def observing_leaves_the_state_alone(case: Case) -> None:
    """Sampling a run changes no bit of it."""
    player = case.player()
    player.play(case.events, 0, EVENTS // 2)
    before = player.blocks(case.method.every_block)
    player.observe(case.events.time[EVENTS // 2], np.empty((NODES, case.problem.dimension)))
    for block, value in player.blocks(case.method.every_block).items():
        assert np.array_equal(value, before[block]), f"block {block} was changed"


@law
def events_at_other_nodes_do_not_touch_a_node(case: Case) -> None:
    """A node knows of others what they told it, and nothing else."""
    if isinstance(case.method, RoundMethod):
        raise Skip("plays rounds of all nodes")
    events = case.events
    firsts = [int(np.argmax((events.i == k) | (events.j == k))) for k in range(NODES)]
    node, first = int(np.argmax(firsts)), max(firsts)
    assert first > 0
    start = case.random_blocks()
    after = case.replay(events[:first], blocks=start)
    for block, value in start.items():
        same = np.array_equal(_by_nodes(after[block])[node], _by_nodes(value)[node])
        assert same, f"block {block} was touched"


@law
def a_round_is_heard_by_neighbours_only(case: Case) -> None:
    """After one round a change at a node is seen no farther than as many edges away as it had
    messages in sequence.
    """
    if not isinstance(case.method, RoundMethod):
        raise Skip("has no rounds")
    if len(case.network.graphs) > 1:
        raise Skip("distances are of a fixed graph")
    messages = round(case.tuning.asked.with_heads.messages_in_sequence)
    far = 6 - messages if case.method.start_block else -1
    if far < 3:
        raise Skip("a round reaches every node")
    x0 = case.rows(4)
    moved = x0.copy()
    moved[6] += 1.0  # the end of the lollipop's tail; nodes 5, 4, 3 are 1, 2, 3 edges away
    one, other = (case.replay(case.events[:1], rows) for rows in (x0, moved))
    for block in case.method.blocks:
        for node in range(3, far):
            same = np.array_equal(one[block][node], other[block][node])
            assert same, f"block {block} of node {node} heard of node 6, {6 - node} edges away"


@law
def compiled_equals_plain_python(case: Case) -> None:
    """The compiled functions give the bits of the same functions as plain Python."""
    if not isinstance(case.method, AsynchronousMethod):
        raise Skip("is plain Python")
    compiled, plain = case.player(), case.player()
    compiled.play(case.events, 0, 60)
    loop: Any = plain
    loop._play = play
    loop.play(case.events, 0, 60)
    a, b = (player.blocks(case.method.every_block) for player in (compiled, plain))
    for block in case.method.every_block:
        assert np.array_equal(a[block], b[block]), f"block {block} differs"


@law
def threads_change_nothing(case: Case) -> None:
    """Events that share no node commute to the last bit: played level by level, each backwards, and
    by two threads, they leave what they leave one by one.
    """
    if not isinstance(case.method, AsynchronousMethod):
        raise Skip("plays rounds of all nodes")
    played: list[Any] = [case.player() for _ in range(3)]
    one, backwards, threads = played
    one.play(case.events, 0, EVENTS)
    log = backwards._log(case.events)
    order, begins = backwards.leveller.levels(
        *(log.i, log.j, log.slot, 0, EVENTS), slots=len(backwards.slots.vectors), least=1
    )
    order = np.concatenate([order[a:b][::-1] for a, b in pairwise(begins)])
    backwards.play_rows(log, order, 0, EVENTS)
    threads.least = threads.least_nodes = threads.least_observed = 1
    with use_threads(2):
        threads.play(case.events, 0, EVENTS)
        seen = [np.empty(player.shape) for player in played]
        for player, X in zip(played, seen, strict=True):
            player.observe(case.events.time[-1] + 0.1, X)
    for player, X in zip(played[1:], seen[1:], strict=True):
        for name, left, right in zip(one.state._fields, one.arrays, player.arrays, strict=True):
            assert np.array_equal(left, right), f"{name} of the nodes differ"
        assert np.array_equal(seen[0], X), "the estimates differ"
