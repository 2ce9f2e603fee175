"""What happens in a world, whatever is computed: work, waiting, staleness, load.

Everything comes from the event log, except the waiting, which the world itself adds up.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    RESENT,
    RESET,
    ROUND,
    SEND,
    SEND_ONE,
    TYPES,
    Events,
    concatenate,
)
from dadao_sim.events.world.clock import WorldClock
from dadao_sim.events.world.rounds import RoundWorld
from dadao_sim.memory import Need, require_room
from dadao_sim.networks import DirectedNetwork, Network
from dadao_sim.results.names import label_called
from dadao_sim.scenario.model import Scenario
from dadao_sim.simulation.loop import next_window
from dadao_sim.simulation.study import Study


@dataclass(frozen=True)
class WorldReport:
    """One algorithm's world up to the time ``end``; times in mean gradient intervals.

    - title: the method's name in print; experimental: whether no theorem covers the run.
    - events: the log up to then, in the method's units of time, each ``unit`` long.
    - utilisation (n,): share of the time in which a node computes, what a crash takes included.
    - waiting (n,): of a synchronous method, share of the time in which a node waits at barriers
      and for messages; else the mean number of its exchanges that wait for a place.
    - gone, cut (rows, 3): the times in which a node was not there, and in which no exchange could
      begin over an edge: node or edge, begin and end. They are the same for all methods.
    - in_flight: mean number of exchanges under way.
    - gradient_staleness, message_staleness: for each gradient and each message that acted, how
      often its node had changed since the gradient began or the message was sent.
    - link_bytes, link_losses (|E|,): bytes sent over each edge, both ways, and exchanges lost.
    - history: of a synchronous method, per round begun when each node began to compute, had
      computed, and went on, (rounds, 3, n); else None.
    """

    label: str
    method: str
    title: str
    experimental: bool
    network: Network
    events: Events
    unit: float
    end: float
    utilisation: np.ndarray
    waiting: np.ndarray
    in_flight: float
    gradient_staleness: np.ndarray
    message_staleness: np.ndarray
    link_bytes: np.ndarray
    link_losses: np.ndarray
    gone: np.ndarray
    cut: np.ndarray
    history: np.ndarray | None = None


def world_report(
    scenario: Study | Scenario, label: str, repeat: int = 0, end: float | None = None
) -> WorldReport:
    """Let the world of an algorithm run to the time ``end`` (the scenario's limit by default).

    The log is that of ``simulate``. ``label`` may also be the method's name, or that in print,
    where it is the only one of the method. Raises InputError where the scenario has no world or no
    such algorithm, or no end is given.
    """
    study = Study.of(scenario)
    scenario = study.scenario
    methods = {spec.label: spec.name for spec in scenario.algorithms}
    label = label_called(label, methods, METHODS.titles)
    if end is not None and not (isinstance(end, Real) and 0 < end < np.inf):
        raise InputError("end", f"{end!r} given", "it must be finite and above 0")
    end = end or scenario.stop.time
    if scenario.world is None:
        raise InputError("scenario", "it has no world", "add world: {preset: ...}")
    if end is None:
        raise InputError("end", "none given, and the scenario has no stop.time", "give one")
    plan = study.taken((label, repeat))
    parts, clock = plan.parts, plan.source.clock
    assert isinstance(clock, WorldClock | RoundWorld)
    assert parts.world is not None
    network = parts.world.network
    if isinstance(clock, RoundWorld):
        clock.history = []
    else:
        clock.now.until = end
    windows = [next_window(clock)]
    per_unit = len(windows[0].time) / (windows[0].time[-1] * plan.unit)
    bytes_each = sum(np.dtype(kind).itemsize for kind in TYPES.values())
    expected = per_unit * end
    require_room(Need("end", f"a log of about {expected:.3g} events", 2 * bytes_each * expected))
    while windows[-1].time[-1] * plan.unit < end:
        windows.append(next_window(clock))
    events = concatenate(windows)
    events = events[: int(np.searchsorted(events.time, end / plan.unit, side="right"))]

    edges = network.edges
    asked = plan.tuning.asked
    size = 2 * asked.message_bytes
    utilisation: np.ndarray
    waiting: np.ndarray
    history: np.ndarray | None = None
    gone, cut = clock.physics.gone(plan.seed, end), clock.physics.cut(plan.seed, end)
    if isinstance(clock, RoundWorld):
        assert clock.history is not None
        rounds = int((events.kind == ROUND).sum())
        history = np.array([h for h in clock.history if h[0].min() < end])
        nodes = parts.problem.nodes
        bars = computing_and_waiting(history, gone)
        utilisation, waiting = (
            np.bincount(rows[:, 0].astype(int), np.minimum(rows, end) @ [0, -1, 1], nodes) / end
            for rows in bars
        )
        losses = per_edge(events, (RESENT,), len(edges))
        made = clock.exchanges_until(rounds)
        # Of an exchange, whose bytes go both ways, half is lost where only one end sends.
        sent: float | np.ndarray = 1.0 if clock.route is None else 0.5
        if isinstance(parts.network, DirectedNetwork):
            sent = made / rounds if rounds else 1.0
        exchanges = losses * sent + made
    else:
        utilisation = busy_share(events, parts.problem.nodes, end / plan.unit)
        waited = np.array(clock.waited()) / end
        at_ends = np.bincount(edges.ravel(), np.repeat(waited, 2), minlength=len(utilisation))
        waiting = at_ends.astype(float)
        exchanges = per_edge(events, (SEND, GOSSIP), len(edges))
        exchanges = exchanges + per_edge(events, (SEND_ONE,), len(edges)) / 2
        losses = per_edge(events, (LOST,), len(edges))
    return WorldReport(
        label=label,
        method=plan.method.name,
        title=plan.method.title,
        experimental=plan.experimental,
        network=network,
        events=events,
        unit=plan.unit,
        end=end,
        utilisation=utilisation,
        waiting=waiting,
        in_flight=float(flights(events)[1].sum() / (end / plan.unit)),
        gradient_staleness=staleness(events, (GRADIENT_END,)),
        message_staleness=staleness(events, (ARRIVE_I, ARRIVE_J, ARRIVE_ONE)),
        link_bytes=exchanges * size,
        link_losses=losses,
        gone=gone,
        cut=cut,
        history=history,
    )


def computing_and_waiting(history: np.ndarray, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the nodes of a synchronous method do with their time, of the ``history`` of a report:
    node, begin and end of each computing and each waiting, (rows, 3) each.

    Before a node began the gradient that it ended it was gone, or computed one that a crash took.
    """
    begun, computed, went_on = history.transpose(1, 0, 2)
    before = np.vstack([np.zeros((1, begun.shape[1])), went_on[:-1]])
    nodes = np.broadcast_to(np.arange(begun.shape[1]), begun.shape)

    def bars(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        rows = np.column_stack([nodes.ravel(), begin.ravel(), end.ravel()])
        return rows[rows[:, 2] > rows[:, 1]]

    lost = without(bars(before, begun), gone)
    return np.vstack([bars(begun, computed), lost]), without(bars(computed, went_on), gone)


def without(bars: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """``bars`` less the times in ``gone``, both (rows, 3): node, begin and end."""
    rest = []
    for node, begin, end in bars.tolist():
        meets = (gone[:, 0] == node) & (gone[:, 1] < end) & (gone[:, 2] > begin)
        for _, out, back in sorted(gone[meets].tolist()):
            rest.append((node, begin, out))
            begin = max(begin, back)
        rest.append((node, begin, end))
    kept = [row for row in rest if row[2] > row[1]]
    return np.array(kept).reshape(-1, 3)


def per_edge(events: Events, kinds: tuple[int, ...], edges: int) -> np.ndarray:
    """How many events of ``kinds`` each edge has, (|E|,)."""
    rows = np.isin(events.kind, kinds) & (events.edge >= 0)
    return np.bincount(events.edge[rows], minlength=edges)


def spans(
    events: Events, begin: int | tuple[int, ...], ends: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The rows in which what began as ``begin`` began, and when it was over (nan: not yet); the
    log is whole from its first row.
    """
    over = np.full(len(events), np.nan)
    last = np.flatnonzero(np.isin(events.kind, ends))
    over[events.start[last]] = events.time[last]  # of several ends the last stays
    rows = np.flatnonzero(np.isin(events.kind, begin))
    return rows, over[rows]


def busy_share(events: Events, nodes: int, end: float) -> np.ndarray:
    """The share of the time up to ``end`` in which each node has a gradient under way, (n,)."""
    rows, over = spans(events, GRADIENT_START, (GRADIENT_END, LOST))
    lengths = np.where(np.isnan(over), end, over) - events.time[rows]
    return np.bincount(events.i[rows], lengths, minlength=nodes) / end


def flights(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """The rows of SEND and SEND_ONE, and how long what was sent was under way up to the end of the
    log.
    """
    rows, over = spans(events, (SEND, SEND_ONE), (ARRIVE_I, ARRIVE_J, ARRIVE_ONE, LOST))
    if not len(rows):
        return rows, np.zeros(0)
    return rows, np.where(np.isnan(over), events.time[-1], over) - events.time[rows]


def staleness(events: Events, ends: tuple[int, ...]) -> np.ndarray:
    """For each event of ``ends``, how often its node changed between its start and itself."""
    rows = np.flatnonzero(np.isin(events.kind, ends))
    node = np.where(events.kind[rows] == ARRIVE_J, events.j[rows], events.i[rows])
    at_i = np.isin(events.kind, (GRADIENT, GRADIENT_END, GOSSIP, ARRIVE_I, ARRIVE_ONE, RESET))
    at_j = np.isin(events.kind, (GOSSIP, ARRIVE_J))
    found = np.zeros(len(rows), dtype=np.int64)
    for k in np.unique(node):
        changes = np.flatnonzero((at_i & (events.i == k)) | (at_j & (events.j == k)))
        mine = node == k
        before = np.searchsorted(changes, rows[mine], side="left")
        found[mine] = before - np.searchsorted(changes, events.start[rows[mine]], side="right")
    return found


TAIL = "{0[mean]:.3g} (99 %: {0[p99]:.0f})"
# What there is to say of a world: how it is called, its value, and how that is printed.
WORLD_ROWS: dict[str, tuple[Callable[[WorldReport], Any], str]] = {
    "unit of time": (lambda r: r.unit, "{:.4g}"),
    "events": (lambda r: len(r.events), "{:,}"),
    "computing, mean": (lambda r: r.utilisation.mean(), "{:.1%}"),
    "computing, least": (lambda r: r.utilisation.min(), "{:.1%}"),
    "waiting, mean": (lambda r: r.waiting.mean(), "{:.3g}"),
    "exchanges in flight": (lambda r: r.in_flight, "{:.3g}"),
    "staleness of gradients": (lambda r: _mean_and_tail(r.gradient_staleness), TAIL),
    "staleness of messages": (lambda r: _mean_and_tail(r.message_staleness), TAIL),
    "bytes per link, mean": (lambda r: r.link_bytes.mean(), "{:,.0f}"),
    "bytes per link, most": (lambda r: r.link_bytes.max(), "{:,.0f}"),
    "exchanges lost": (lambda r: r.link_losses.sum(), "{:,}"),
}


def world_rows(reports: Sequence[WorldReport]) -> list[list[str]]:
    """What the world of each algorithm was like, a row each: what it is, and a text per report."""
    rows = []
    for title, (value, form) in WORLD_ROWS.items():
        values = [value(report) for report in reports]
        rows.append([title, *("-" if v is None else form.format(v) for v in values)])
    return rows


def world_records(reports: Sequence[WorldReport]) -> list[dict[str, Any]]:
    """The same as numbers, a record for each algorithm."""
    values = {re.sub(r"\W+", "_", title): value for title, (value, _) in WORLD_ROWS.items()}
    return [
        {"algorithm": report.label, **{key: value(report) for key, value in values.items()}}
        for report in reports
    ]


def _mean_and_tail(values: np.ndarray) -> dict[str, float] | None:
    """The mean, and what one value in a hundred exceeds."""
    if not len(values):
        return None
    return {"mean": float(values.mean()), "p99": float(np.percentile(values, 99))}
