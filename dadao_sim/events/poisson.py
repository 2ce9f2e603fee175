"""Independent Poisson clocks, one per node, edge and arc, by exact superposition.

The union of independent Poisson processes is one of the summed rate, each of whose events belongs
to clock k with probability rate_k / sum, independently of everything else.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.splitmix import splitmix64
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, GRADIENT, SEND_ONE, TYPES, Events

WINDOW = (
    16384  # events drawn at a time; part of what a seed means, so it never depends on a setting
)


@kernel
def alias_table(rates, accept, alias):
    """Fill Walker's alias table of ``rates`` (k,), by Vose's method: O(k) once, O(1) a draw."""
    count = rates.shape[0]
    scale = count / rates.sum()
    small = np.empty(count, dtype=np.int64)
    large = np.empty(count, dtype=np.int64)
    smalls = larges = 0
    for k in range(count):
        accept[k] = rates[k] * scale
        alias[k] = k
        if accept[k] < 1.0:
            small[smalls] = k
            smalls += 1
        else:
            large[larges] = k
            larges += 1
    while smalls > 0 and larges > 0:
        smalls -= 1
        poor = small[smalls]
        rich = large[larges - 1]
        alias[poor] = rich
        accept[rich] -= 1.0 - accept[poor]
        if accept[rich] < 1.0:
            larges -= 1
            small[smalls] = rich
            smalls += 1
    # What is left differs from 1 by rounding alone.
    for k in range(smalls):
        accept[small[k]] = 1.0
    for k in range(larges):
        accept[large[k]] = 1.0


@kernel
def place(uniform, accept, alias):
    """The clock chosen by one uniform number in [0, 1): its high part picks a column, its low part
    decides.
    """
    position = uniform * accept.shape[0]
    column = min(int(position), accept.shape[0] - 1)
    if position - column < accept[column]:
        return column
    return alias[column]


@kernel
def fill_window(gaps, uniforms, now, first_row, key, total, accept, alias, nodes, edges, columns):
    """Write a window of events on a fixed graph; clocks are those of the ``nodes``, then those of
    the edges, then those of the arcs, two of each edge.
    """
    time, kind, i, j, edge, mark = columns
    both_ways = nodes + edges.shape[0]
    for row in range(gaps.shape[0]):
        now += gaps[row] / total
        clock = place(uniforms[row], accept, alias)
        time[row] = now
        mark[row] = splitmix64(key + np.uint64(first_row + row))
        if clock < nodes:
            kind[row] = GRADIENT
            i[row] = clock
            j[row] = edge[row] = -1
        elif clock < both_ways:
            kind[row] = GOSSIP
            edge[row] = clock - nodes
            i[row] = edges[clock - nodes, 0]
            j[row] = edges[clock - nodes, 1]
        else:
            arc = clock - both_ways
            kind[row] = SEND_ONE
            edge[row] = arc // 2
            i[row] = edges[arc // 2, arc % 2]
            j[row] = edges[arc // 2, 1 - arc % 2]
    return now


@kernel
def redirect_window(uniforms, switching, members, cumulative, begins, edges, columns):
    """Give each exchange an edge, or each message an arc, of the graph present at its time,
    floor(t ``switching``) mod K.

    ``members`` lists the edges of one graph after the other, from ``begins``, or of messages the
    arcs, 2e from the first node of edge e to its second and 2e + 1 back; ``cumulative`` (as long)
    sums up their rates within each graph.
    """
    time, kind, i, j, edge, _ = columns
    graphs = begins.shape[0] - 1
    for row in range(time.shape[0]):
        if kind[row] == GOSSIP or kind[row] == SEND_ONE:
            graph = int(time[row] * switching) % graphs
            first, last = begins[graph], begins[graph + 1] - 1
            target = uniforms[row] * cumulative[last]
            while first < last:
                middle = (first + last) // 2
                if cumulative[middle] > target:
                    last = middle
                else:
                    first = middle + 1
            member, end = members[first], 0
            if kind[row] == SEND_ONE:
                member, end = member // 2, member % 2
            edge[row] = member
            i[row] = edges[member, end]
            j[row] = edges[member, 1 - end]


class PoissonClock:
    """A source of windows of ``WINDOW`` events each, the same for the same seed sequence.

    ``node_rates`` (n,), ``edge_rates`` (|E|,) and ``arc_rates`` (|E|, 2), none by default, are in
    events per unit of time, >= 0; ``edges`` (|E|, 2). An arc that ticks is a row of SEND_ONE, whose
    arrival is for another clock to say (:class:`~dadao_sim.events.arrivals.Arrivals`). With
    ``graphs`` (of each graph of a sequence the ids of its edges, or arcs as ``redirect_window``
    counts them, and their relative rates) an exchange or a message takes one of the present graph;
    ``totals`` are the gossip rates of the graphs relative to their mean (equal by default),
    ``switching`` the number of graphs per unit of time. With ``steps`` event k is at the time k
    over the sum of the rates.
    """

    def __init__(
        self,
        node_rates: np.ndarray,
        edge_rates: np.ndarray,
        edges: np.ndarray,
        seed: np.random.SeedSequence,
        *,
        graphs: Sequence[tuple[np.ndarray, np.ndarray]] = (),
        totals: np.ndarray | None = None,
        switching: float = 0.0,
        steps: bool = False,
        arc_rates: np.ndarray | None = None,
    ):
        self.keep: np.ndarray | None = None
        if totals is not None and np.ptp(totals) > 0:
            # The clock ticks as in the busiest graph; in the others ticks are left out.
            self.keep = totals / totals.max()
            edge_rates = edge_rates * totals.max()
            arc_rates = None if arc_rates is None else arc_rates * totals.max()
        arcs = np.empty(0) if arc_rates is None else np.ravel(arc_rates)
        rates = np.concatenate([node_rates, edge_rates, arcs])
        self.nodes = len(node_rates)
        if not np.isfinite(rates).all() or (rates < 0).any() or rates.sum() <= 0:
            raise InputError("rates", "must be finite, not negative, and not all zero")
        self.total = float(rates.sum())
        self.accept = np.empty(len(rates))
        self.alias = np.empty(len(rates), dtype=np.int32)
        alias_table(rates, self.accept, self.alias)
        self.edges = np.ascontiguousarray(edges, dtype=np.int32)
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.key = self.rng.integers(0, 2**64, dtype=np.uint64)
        self.switching, self.steps = switching, steps
        self.begins = np.cumsum([0, *(len(members) for members, _ in graphs)])
        if graphs:
            self.members = np.concatenate([members for members, _ in graphs]).astype(np.int32)
            self.cumulative = np.concatenate([np.cumsum(shares) for _, shares in graphs])
        self.now = 0.0
        self.first_row = self.drawn = 0

    def window(self) -> Events:
        """The next ``WINDOW`` events."""
        gaps = self.rng.standard_exponential(WINDOW)
        uniforms = self.rng.random(WINDOW)
        arrays: dict[str, Any] = {
            name: np.empty(WINDOW, dtype=kind) for name, kind in TYPES.items()
        }
        start = arrays.pop("start")
        start[:] = -1
        columns = tuple(arrays.values())
        with np.errstate(over="ignore"):  # splitmix64 wraps around, also as plain Python
            now = fill_window(
                *(gaps, uniforms, self.now, self.drawn, self.key, self.total),
                *(self.accept, self.alias, self.nodes, self.edges, columns),
            )
        if len(self.begins) > 1:
            picks = self.rng.random(WINDOW)
            redirect_window(
                *(picks, self.switching, self.members, self.cumulative, self.begins),
                *(self.edges, columns),
            )
        arrays["start"] = start
        if self.keep is not None:
            graph = (arrays["time"] * self.switching).astype(np.int64) % len(self.keep)
            left_out = self.rng.random(WINDOW) >= self.keep[graph]
            stays = ~(left_out & np.isin(arrays["kind"], (GOSSIP, SEND_ONE)))
            arrays = {name: values[stays] for name, values in arrays.items()}
        if self.steps:  # no sum of many gaps, which would drift
            arrays["time"] = (self.drawn + np.arange(1.0, WINDOW + 1)) / self.total
        events = Events(**arrays, first_row=self.first_row)
        self.now = now
        self.drawn += WINDOW
        self.first_row += len(events)
        return events
