"""The logs of the nodes as one: an order in which everything that saw something comes after it.

The records of a node are in its own order, the two ends of an exchange have its owner and number,
and a message is taken after it was sent: together a partial order. Any total order that keeps it
replays to the same bits, as events that share no node do not see each other; taken is the one that
goes by time.
"""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.events import log
from dadao_sim.events.log import Events
from dadao_sim.live.records import APPLIED, GRADIENT, GRANTER, LOST, REQUESTER, TOLD, TOOK
from dadao_sim.networks import Network

_ROW = [(name, log.TYPES[name]) for name in ("time", "kind", "i", "j", "start", "mark")]

# ("gradient", node, row) or ("exchange", owner, number); of a message one way, by who sent it,
# ("told", owner, number) and ("took", owner, number).
Happening: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True)
class Merged:
    """The log of a live run, and how many happenings of which kind are in it.

    ``one_sided`` exchanges acted on one end only, and ``nobody`` of them on none: a process was
    killed in between. Of ``messages`` one way so many ``arrived``, and so many are ``lost``: one of
    their ends was killed before they acted. The others are on their way at the end.
    """

    events: Events
    gradients: int
    exchanges: int
    one_sided: int
    nobody: int
    messages: int = 0
    arrived: int = 0
    lost: int = 0

    def counted(self, *, one_way: bool) -> dict[str, int]:
        """What became of the exchanges, or of the messages one way."""
        if one_way:
            return {"sent": self.messages, "arrived": self.arrived, "lost": self.lost}
        return {"both_ends": self.exchanges, "one_end": self.one_sided, "nobody": self.nobody}


@dataclass
class _Seen:
    """A happening at ``time``, of node i, and of j where it is an exchange, of which i is owner, or
    a message, which i sends to j or takes from j.
    """

    time: float
    i: int
    j: int = -1
    mark: int = 0


def merge(
    records: Mapping[int, np.ndarray], network: Network, dead: Collection[int] = ()
) -> Merged:
    """One log of the ``records`` of every node; ``dead`` are the nodes that were killed.

    An exchange that both ends applied is one event. One that acted on one end only was sent,
    arrived there, and was lost. One that acted on nobody was sent and lost, as who granted it has
    flowed to its time; where who granted it is dead, nothing of it is left. A message one way that
    never acted is lost where one of its ends is dead.

    Raises InputError where the records contradict each other.
    """
    happened, order, applied = _read(records)
    rows: list[tuple[float, int, int, int, int, int]] = []  # time, kind, i, j, start, mark
    gradients = exchanges = one_sided = nobody = messages = arrived = lost = 0
    told: dict[Happening, int] = {}
    for key in _in_order(happened, order):
        one = happened[key]
        what, owner, number = key
        if what == "gradient":
            gradients += 1
            rows.append((one.time, log.GRADIENT, one.i, -1, -1, one.mark))
            continue
        if what == "told":
            messages += 1
            told[key] = start = len(rows)
            rows.append((one.time, log.SEND_ONE, one.i, one.j, -1, 0))
            if {one.i, one.j} & set(dead) and ("took", owner, number) not in happened:
                lost += 1
                rows.append((one.time, log.LOST, one.j, one.i, start, 0))
            continue
        if what == "took":
            arrived += 1
            start = told["told", owner, number]
            rows.append((one.time, log.ARRIVE_ONE, one.i, one.j, start, 0))
            continue
        ends = applied.get(key, set())
        if len(ends) == 2:
            exchanges += 1
            rows.append((one.time, log.GOSSIP, one.i, one.j, -1, 0))
            continue
        one_sided += len(ends)
        nobody += not ends
        if not ends and one.j in dead:
            continue
        start = len(rows)
        acted = [
            kind for kind, end in ((log.ARRIVE_I, one.i), (log.ARRIVE_J, one.j)) if end in ends
        ]
        for kind in (log.SEND, *acted, log.LOST):
            rows.append((one.time, kind, one.i, one.j, -1 if kind == log.SEND else start, 0))
    table = np.array(rows, dtype=_ROW)
    columns: dict[str, Any] = {name: table[name] for name, _ in _ROW}
    events = Events.from_arrays(**columns, network=network)
    return Merged(events, gradients, exchanges, one_sided, nobody, messages, arrived, lost)


def _read(
    records: Mapping[int, np.ndarray],
) -> tuple[dict[Happening, _Seen], dict[int, list[Happening]], dict[Happening, set[int]]]:
    """What happened, in which order at each node, and on which ends each exchange acted."""
    happened: dict[Happening, _Seen] = {}
    order: dict[int, list[Happening]] = {node: [] for node in records}
    applied: dict[Happening, set[int]] = {}
    taken: list[tuple[int, int, Happening]] = []
    for node, rows in records.items():
        for row, (kind, time, peer, owner, number, mark) in enumerate(rows.tolist()):
            key: Happening = ("exchange", owner, number)
            if kind == GRADIENT:
                key = ("gradient", node, row)
                happened[key] = _Seen(time, node, mark=mark)
            elif kind in (REQUESTER, GRANTER):
                seen = _Seen(time, owner, peer if kind == REQUESTER else node)
                if happened.setdefault(key, seen) != seen or owner not in (node, peer):
                    raise _contradiction(node, row, f"exchange {number} of node {owner} is another")
                if kind == REQUESTER:
                    applied.setdefault(key, set()).add(node)
            elif kind == TOLD:
                key = ("told", owner, number)
                if owner != node or key in happened:
                    raise _contradiction(node, row, f"message {number} of node {owner} is another")
                happened[key] = _Seen(time, node, peer)
            elif kind == TOOK:
                key = ("took", owner, number)
                if key in happened:
                    raise _contradiction(node, row, f"message {number} of node {owner} came before")
                happened[key] = _Seen(time, node, owner)
                taken.append((node, row, key))
            elif kind in (APPLIED, LOST):
                if key not in order[node]:
                    raise _contradiction(node, row, f"exchange {number} of node {owner} is unknown")
                if kind == APPLIED:
                    applied.setdefault(key, set()).add(node)
                continue
            else:
                raise _contradiction(node, row, f"kind {kind} is unknown")
            order[node].append(key)
    for node, row, (_, owner, number) in taken:
        sent = happened.get(("told", owner, number))
        if sent is None or sent.j != node:
            raise _contradiction(node, row, f"message {number} of node {owner} was not sent to it")
    return happened, order, applied


def _in_order(
    happened: Mapping[Happening, _Seen], order: Mapping[int, list[Happening]]
) -> list[Happening]:
    """All that happened, each after what came before it at its nodes, the earliest first."""
    waits = dict.fromkeys(happened, 0)
    after: dict[Happening, list[Happening]] = {key: [] for key in happened}
    pairs = [pair for keys in order.values() for pair in pairwise(keys)]
    pairs += [(("told", *key[1:]), key) for key in happened if key[0] == "took"]
    for earlier, later in pairs:
        after[earlier].append(later)
        waits[later] += 1
    ready = [(happened[key].time, key) for key, count in waits.items() if count == 0]
    heapq.heapify(ready)
    found = []
    while ready:
        _, key = heapq.heappop(ready)
        found.append(key)
        for later in after[key]:
            waits[later] -= 1
            if waits[later] == 0:
                heapq.heappush(ready, (happened[later].time, later))
    if len(found) < len(happened):
        raise InputError("live", "the logs of the nodes contradict each other: they go in a circle")
    return found


def _contradiction(node: int, row: int, what: str) -> InputError:
    return InputError("live", f"the log of node {node}, record {row}: {what}")
