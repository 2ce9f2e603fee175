"""Laws of what is paid."""

import math
from typing import Any

import networkx as nx
import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.events.log import GOSSIP, SEND, SEND_ONE
from dadao_sim.networks.directed import arcs_of
from dadao_sim.testing.case import (
    BATCH,
    NODES,
    SAMPLES,
    Case,
    Skip,
    law,
)
from dadao_sim.testing.watched import Watched, watching


@law
def what_it_costs_is_what_it_asks_for(case: Case) -> None:
    """Gradients, conjugate gradients, local solves, messages, numbers and bytes are counted where
    they are asked for: an objective and matrices that count come to the same.
    """
    player: Any = case.player()
    estimates = np.empty((NODES, case.problem.dimension))
    with watching(player) as (watched, wire):
        player.begin(case.events)
        if not isinstance(case.method, RoundMethod):
            player.observe(0.0, estimates)  # a start that has to be computed is paid
        _compare_oracles(watched, player.tally, "before the first event")
        rounds = 50
        player.play(case.events, 0, rounds)
        _compare_oracles(watched, player.tally, f"after {rounds} events")
    tally = player.tally
    arcs = [len(arcs_of(graph)) for graph in case.network.graphs]
    if isinstance(case.method, RoundMethod):
        messages = len(wire.rows)
        if wire.means:  # up a tree and down
            graph: Any = case.network.graphs[0]
            messages += 2 * nx.radius(graph.to_networkx()) * len(wire.means)
        assert tally.messages_in_sequence == messages, (
            f"{tally.messages_in_sequence:g} messages in sequence are counted, {messages} were sent"
        )
        if len(arcs) > 1:
            return  # which graph a message went over is not seen here
        widths = [rows.shape[1] for rows in wire.rows]
        takes = {d: wire.numbers_and_bits(d) for d in set(widths)}
        sent = [takes[d] for d in widths]
        in_trees = 2 * (NODES - 1) * sum(wire.means)
        numbers = arcs[0] * sum(n for n, _ in sent) + in_trees
        size = arcs[0] * sum(math.ceil(bits / 8) for _, bits in sent) + 8 * in_trees
        most = arcs[0] / 2 * len(wire.rows) + (NODES - 1) * len(wire.means)
    else:
        kinds, length = case.events.kind[:rounds], _message_length(case)
        exchanges = int(np.isin(kinds, (GOSSIP, SEND)).sum())
        one_way = int((kinds == SEND_ONE).sum())
        messages = one_way + (exchanges if case.tuning.asked.one_way else 2 * exchanges)
        most = exchanges + one_way / 2
        numbers, size = messages * length, 8 * messages * length
        assert (tally.communications, tally.messages) == (most, messages)
    assert 0 <= tally.communications <= most
    assert tally.floats_sent == numbers, f"{tally.floats_sent:g} numbers counted, {numbers} sent"
    assert tally.bytes_sent == size, f"{tally.bytes_sent:g} bytes counted, {size} sent"


def _compare_oracles(watched: Watched, tally: Any, when: str) -> None:
    asked = watched.gradients + watched.conjugate_gradients + watched.local_solves
    for what, counted, found in (
        ("oracle calls", tally.gradients, asked),
        ("conjugate gradients", tally.conjugate_gradients, watched.conjugate_gradients),
        ("local solves", tally.local_solves, watched.local_solves),
    ):
        assert counted == found, f"{counted:g} {what} are counted {when}, {found} were asked for"


def _message_length(case: Case) -> int:
    """The numbers that an asynchronous method writes into its messages."""
    method: Any = case.method
    player: Any = case.player()
    d = case.problem.dimension
    out = np.full(method.vectors * d + method.scalars, np.nan)
    objective = case.problem.with_conjugate() if method.needs_conjugate else player.objective
    clock = case.tuning.clock
    if clock is not None and len(clock.arcs):
        method.send(player.state, player.p, 0, case.network.edges[0, 0], out)
    else:
        method.message(player.state, player.p, objective, 0, out)
    assert not np.isnan(out).any(), "message leaves part of its vectors unwritten"
    return len(out)


@law
def a_minibatch_counts_its_share(case: Case) -> None:
    """With minibatches a gradient counts batch over samples, and the draws are the run's own."""
    if not case.method.stochastic:
        raise Skip("takes full gradients only")
    if case.method.samples:
        raise Skip("draws samples in any case")
    full, batch, again = case.player(), case.player(batch_size=BATCH), case.player(batch_size=BATCH)
    for player in (full, batch, again):
        player.play(case.events, 0, 100)
    share = batch.tally.gradients / full.tally.gradients
    assert abs(share - BATCH / SAMPLES) < 1e-12, f"a minibatch counts {share:g} of a gradient"
    ends = [player.blocks(case.method.blocks) for player in (full, batch, again)]
    some = case.method.blocks[0]
    assert not np.array_equal(ends[0][some], ends[1][some]), "minibatches changed nothing"
    for block in case.method.blocks:
        assert np.array_equal(ends[1][block], ends[2][block]), f"block {block} was drawn anew"
