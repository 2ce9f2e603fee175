"""The rule by which the logs of nodes become one, on logs made by hand."""

import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    LOST,
    SEND,
    SEND_ONE,
)
from dadao_sim.live import records
from dadao_sim.live.merge import merge
from dadao_sim.networks import Network

PATH = Network(3, [(0, 1), (1, 2)])


def log(*rows):
    """Records (kind, time, peer, owner, number, mark), of which those that are left out are 0."""
    return np.array([row + (-1, -1, -1, 0)[len(row) - 2 :] for row in rows], dtype=records.RECORD)


def gradient(time, mark=0):
    return (records.GRADIENT, time, -1, -1, -1, mark)


def asked(time, peer, owner, number):
    return (records.REQUESTER, time, peer, owner, number)


def granted(time, owner, number):
    return (records.GRANTER, time, owner, owner, number)


def applied(time, owner, number):
    return (records.APPLIED, time, owner, owner, number)


def lost(time, owner, number):
    return (records.LOST, time, owner, owner, number)


def told(time, peer, owner, number):
    return (records.TOLD, time, peer, owner, number)


def took(time, owner, number):
    return (records.TOOK, time, owner, owner, number)


def rows_of(events):
    columns = (events.time, events.kind, events.i, events.j, events.start)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_what_both_ends_wrote_is_one_exchange():
    merged = merge(
        {
            0: log(gradient(0.5, mark=7), asked(1.25, 1, 0, 0)),
            1: log(granted(1.25, 0, 0), applied(1.25, 0, 0), gradient(2.0)),
            2: log(gradient(1.0)),
        },
        PATH,
    )
    assert rows_of(merged.events) == [
        (0.5, GRADIENT, 0, -1, -1),
        (1.0, GRADIENT, 2, -1, -1),
        (1.25, GOSSIP, 0, 1, -1),
        (2.0, GRADIENT, 1, -1, -1),
    ]
    assert merged.events.mark.tolist() == [7, 0, 0, 0]
    assert merged.events.edge.tolist() == [-1, -1, 0, -1]
    assert (merged.gradients, merged.exchanges, merged.one_sided, merged.nobody) == (3, 1, 0, 0)


def test_at_one_time_the_order_of_each_node_decides():
    """Node 1 made its gradient before the first exchange and after the second, all at time 1."""
    merged = merge(
        {
            0: log(asked(1.0, 1, 0, 4)),
            1: log(
                gradient(1.0),
                granted(1.0, 0, 4),
                applied(1.0, 0, 4),
                asked(1.0, 2, 1, 9),
                gradient(1.0),
            ),
            2: log(granted(1.0, 1, 9), applied(1.0, 1, 9)),
        },
        PATH,
    )
    what = [(kind, i, j) for _, kind, i, j, _ in rows_of(merged.events)]
    assert what == [(GRADIENT, 1, -1), (GOSSIP, 0, 1), (GOSSIP, 1, 2), (GRADIENT, 1, -1)]


@pytest.mark.parametrize("end", ["owner", "other"])
def test_what_acted_on_one_end_is_sent_arrives_there_and_is_lost(end):
    ends = {
        "owner": ([asked(1.0, 1, 0, 0)], [granted(1.0, 0, 0), lost(1.0, 0, 0)]),
        "other": ([], [granted(1.0, 0, 0), applied(1.0, 0, 0)]),
    }[end]
    merged = merge({0: log(*ends[0]), 1: log(gradient(0.5), *ends[1]), 2: log()}, PATH, dead={0})
    arrived = {"owner": ARRIVE_I, "other": ARRIVE_J}[end]
    assert rows_of(merged.events) == [
        (0.5, GRADIENT, 1, -1, -1),
        (1.0, SEND, 0, 1, -1),
        (1.0, arrived, 0, 1, 1),
        (1.0, LOST, 0, 1, 1),
    ]
    assert (merged.exchanges, merged.one_sided, merged.nobody) == (0, 1, 0)


def test_what_acted_on_nobody_is_sent_and_lost_where_who_granted_it_lives():
    """It has flowed to the time of the grant: left out, its flow would be one and not two."""
    merged = merge(
        {0: log(), 1: log(granted(1.0, 0, 3), lost(1.0, 0, 3), gradient(1.5)), 2: log()},
        PATH,
        dead={0},
    )
    assert rows_of(merged.events) == [
        (1.0, SEND, 0, 1, -1),
        (1.0, LOST, 0, 1, 0),
        (1.5, GRADIENT, 1, -1, -1),
    ]
    assert merged.nobody == 1


def test_what_acted_on_nobody_is_left_out_where_who_granted_it_is_dead():
    """Who had asked for it has not flowed, nor done anything else."""
    merged = merge(
        {0: log(gradient(0.5), gradient(1.5)), 1: log(granted(1.0, 0, 3)), 2: log()}, PATH, dead={1}
    )
    assert rows_of(merged.events) == [(0.5, GRADIENT, 0, -1, -1), (1.5, GRADIENT, 0, -1, -1)]
    assert merged.nobody == 1


def test_a_message_is_taken_after_it_was_sent_though_both_are_at_one_time():
    """One arrives, one comes to a node that was killed, and one is on its way at the end."""
    merged = merge(
        {
            0: log(took(1.0, 1, 0), gradient(1.0)),
            1: log(told(1.0, 0, 1, 0), told(1.5, 2, 1, 1), told(2.0, 0, 1, 2)),
            2: log(gradient(1.25)),
        },
        PATH,
        dead={2},
    )
    assert rows_of(merged.events) == [
        (1.0, SEND_ONE, 1, 0, -1),
        (1.0, ARRIVE_ONE, 0, 1, 0),
        (1.0, GRADIENT, 0, -1, -1),
        (1.25, GRADIENT, 2, -1, -1),
        (1.5, SEND_ONE, 1, 2, -1),
        (1.5, LOST, 2, 1, 4),
        (2.0, SEND_ONE, 1, 0, -1),
    ]
    assert merged.counted(one_way=True) == {"sent": 3, "arrived": 1, "lost": 1}


def test_what_a_node_told_that_was_killed_is_lost_where_it_never_acted():
    merged = merge({0: log(told(1.0, 1, 0, 0), told(1.5, 1, 0, 1)), 1: log(took(1.25, 0, 0))}, PATH)
    assert merged.counted(one_way=True) == {"sent": 2, "arrived": 1, "lost": 0}
    dead = merge(
        {0: log(told(1.0, 1, 0, 0), told(1.5, 1, 0, 1)), 1: log(took(1.25, 0, 0))}, PATH, dead=[0]
    )
    assert dead.counted(one_way=True) == {"sent": 2, "arrived": 1, "lost": 1}
    assert rows_of(dead.events)[2:] == [(1.5, SEND_ONE, 0, 1, -1), (1.5, LOST, 1, 0, 2)]


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({0: [asked(1.0, 1, 0, 0)], 1: [granted(1.25, 0, 0)]}, "is another"),
        ({0: [], 1: [applied(1.0, 0, 0)]}, "is unknown"),
        ({0: [(9, 1.0)], 1: []}, "kind 9 is unknown"),
        (
            {
                0: [asked(1.0, 1, 0, 0), asked(1.0, 1, 0, 1)],
                1: [granted(1.0, 0, 1), granted(1.0, 0, 0)],
            },
            "in a circle",
        ),
        ({0: [told(1.0, 1, 0, 0)], 1: [took(1.0, 0, 1)]}, "message 1 of node 0 was not sent to it"),
        ({0: [told(1.0, 1, 0, 0)], 1: [], 2: [took(1.0, 0, 0)]}, "was not sent to it"),
        ({0: [told(1.0, 1, 0, 0)], 1: [took(1.0, 0, 0)] * 2}, "message 0 of node 0 came before"),
        ({0: [told(1.0, 1, 0, 0)] * 2, 1: []}, "message 0 of node 0 is another"),
    ],
)
def test_logs_that_contradict_each_other_are_refused(nodes, said):
    with pytest.raises(InputError, match=said):
        merge({node: log(*rows) for node, rows in nodes.items()}, PATH)


def test_a_record_cut_by_a_kill_is_left_out(tmp_path):
    writer = records.Writer(tmp_path / "0.log")
    writer.write(records.GRADIENT, 0.1, mark=2**63)
    writer.write(records.GRADIENT, 0.2)
    data = (tmp_path / "0.log").read_bytes()
    (tmp_path / "0.log").write_bytes(data[:-1])
    rows = records.read_records(tmp_path / "0.log")
    assert rows["time"].tolist() == [0.1]
    assert rows["mark"].tolist() == [2**63]
    assert len(records.read_records(tmp_path / "1.log")) == 0
