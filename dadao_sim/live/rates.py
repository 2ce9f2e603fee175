"""Whether a live run keeps up: the rates that were reached, beside those that were asked for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.live.board import BUSY, EXCHANGES, GRADIENTS
from dadao_sim.live.wires import Edge

SENSIBLE_WORK = 0.3  # of a node's time: beyond, exchanges wait for each other
SENSIBLE_LOAD = 0.3  # of a node's time in which a delay locks it
MESSAGES = 3  # of an exchange, one after the other
NEXT_UNIT = 1.5  # times the unit that was too short, at least
NODES_PER_CORE = 4
LONG_UNIT = 0.1  # seconds in which any number of nodes has its turn
FIRST_JUDGED = 1.0  # seconds
DOUBT = 3.0  # standard deviations of a Poisson count that are no failure


@dataclass(frozen=True)
class Asked:
    """The rates that the clocks have, per unit of time: of nodes (n,), and of ``edges`` (|E|,).

    A unit of time lasts ``unit`` seconds, a message ``delay`` seconds more than it must. Where
    messages go one way, ``edges`` are arcs, and nobody waits for what is ``delay`` late.
    """

    nodes: np.ndarray
    edge_rates: np.ndarray
    edges: list[Edge]
    unit: float
    delay: float = 0.0
    one_way: bool = False

    @property
    def over_edges(self) -> str:
        """What goes over the edges."""
        return "messages" if self.one_way else "exchanges"

    @property
    def load(self) -> float:
        """The part of its time for which the delays of messages lock the busiest node."""
        if self.one_way:
            return 0.0
        exchanges = np.zeros(len(self.nodes))
        for rate, edge in zip(self.edge_rates, self.edges, strict=True):
            exchanges[list(edge)] += rate
        return float(MESSAGES * self.delay * exchanges.max() / self.unit)

    def expected(self, t: float, dead: Mapping[int, float]) -> tuple[float, float]:
        """How many gradients and exchanges there should be at time t; ``dead`` nodes have none
        after theirs.
        """
        lived = [min(t, dead.get(i, t)) for i in range(len(self.nodes))]
        exchanges = sum(
            rate * min(lived[i], lived[j])
            for rate, (i, j) in zip(self.edge_rates, self.edges, strict=True)
        )
        return float(self.nodes @ lived), float(exchanges)


@dataclass(frozen=True)
class Reached:
    """The parts of their rates at which gradients and exchanges, or messages one way, ran (nan of
    what nobody asks for), and the part of the time for which each node was at work, (n,).
    """

    gradients: float
    exchanges: float
    work: np.ndarray
    short: str = ""
    """Which of the two ran below the least rate, beyond doubt."""

    @property
    def busiest(self) -> int:
        """The node that worked most."""
        return int(self.work.argmax())


def reached(
    asked: Asked, counts: np.ndarray, t: float, dead: Mapping[int, float], least: float = 0.0
) -> Reached:
    """The rates by the ``counts`` (n, 4) of a board at time t, in units."""
    parts, short = {}, ""
    wanted = dict(zip((GRADIENTS, EXCHANGES), asked.expected(t, dead), strict=True))
    for column, name in ((GRADIENTS, "gradients"), (EXCHANGES, "exchanges")):
        made, expected = float(counts[:, column].sum()), wanted[column]
        parts[name] = made / expected if expected > 0 else math.nan
        if made < least * expected - DOUBT * math.sqrt(expected):
            short = name
    work = counts[:, BUSY] / max(t * asked.unit, 1e-9)
    return Reached(parts["gradients"], parts["exchanges"], work, short)


def check_rates(asked: Asked, was: Reached) -> None:
    """InputError where the machine did not keep up, with a unit of time that it should keep up
    with.
    """
    if not was.short:
        return
    work = float(was.work.max())
    rate = getattr(was, was.short)
    what = asked.over_edges if was.short == "exchanges" else was.short
    unit = rounded_up(asked.unit * max(work / SENSIBLE_WORK, asked.load / SENSIBLE_LOAD, NEXT_UNIT))
    raise InputError(
        "live",
        f"{what} ran at {rate:.2f} of their rate: the unit of time is too short for this "
        f"machine (work {min(work, 1.0):.2f} of the time at node {was.busiest})",
        f"use --unit {in_words(unit)}",
    )


def check_cores(nodes: int, cores: int, unit: float) -> None:
    """InputError for more nodes than can have their turn within a unit of so many seconds."""
    most = NODES_PER_CORE * cores
    if nodes > most and unit < LONG_UNIT:
        right = f"at most {most} are sensible, or --unit {in_words(LONG_UNIT)}"
        raise InputError("live", f"{nodes} nodes on {cores} cores", right)


def rounded_up(seconds: float) -> float:
    """The next of 1, 2, 4, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= seconds * (1 - 1e-9))


def in_words(seconds: float) -> str:
    """Such as 40ms."""
    return f"{seconds * 1e3:g}ms" if seconds < 1 else f"{seconds:g}s"
