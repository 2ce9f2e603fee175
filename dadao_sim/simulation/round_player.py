"""The player of synchronous methods: rounds over the rows of all nodes, in NumPy."""

import copy
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import Tuning
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.samples import Samples
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import during, users_code
from dadao_sim.events.coin import shows_heads
from dadao_sim.events.log import RESENT, RESET, ROUND, Events
from dadao_sim.events.sleepers import asleep_in
from dadao_sim.results.columns import LAST_ROUND
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.player import Player


class RoundPlayer(Player):
    """Plays rounds: NumPy and sparse products. ``given`` blocks keep their values at the start.

    Of blocks (batch, n, d), and constants (batch, 1, 1) or (batch, n, 1) where they differ, it
    plays a batch of runs, and counts one of them.
    """

    def __init__(
        self,
        method: RoundMethod,
        tuning: Tuning,
        objective: Any,
        values: Mapping[str, np.ndarray],
        share: np.ndarray,
        *,
        given: Sequence[str] = (),
        stochastic: bool = False,
        samples: Samples | None = None,
    ):
        self.method, self.c, self.objective = method, tuning.params, objective
        self.schedule, self.lookahead = tuning.schedule, tuning.lookahead
        self.asleep = tuning.asleep
        self.anchor: dict[str, np.ndarray] = {}
        self.asked, self.given, self.last = tuning.asked, tuple(given), tuning.rounds
        self._tally = Tally()
        self.nodes = Nodes(
            *(objective, share, self._tally),
            stochastic=stochastic or samples is not None,
            compressor=tuning.compressor,
            samples=samples,
            ball=tuning.ball,
        )
        self.W = method.gossip(tuning, self._tally)
        self.s = method.state(values)
        self.shape = getattr(self.s, method.estimate).shape
        self.is_prepared, self.number, self.coin_seed = False, 0, 0
        self._window: tuple[Events, list[int]] | None = None

    @property
    def tally(self) -> Tally:
        """See :meth:`Player.tally`."""
        return self._tally

    @property
    def arrays(self) -> list[np.ndarray]:
        """See :meth:`Player.arrays`."""
        table = [] if self.nodes.table is None else [self.nodes.table.rows]
        full = [W for W in self.W.matrices if isinstance(W, np.ndarray)]
        return [*vars(self.s).values(), *self.anchor.values(), *table, *full]

    @property
    def remark(self) -> str:
        """See :meth:`Player.remark`."""
        return self.method.remark(self.c, self.nodes.notes)

    def blocks(self, names: tuple[str, ...]) -> dict[str, np.ndarray]:
        """See :meth:`Player.blocks`."""
        return {name: np.array(getattr(self.s, name)) for name in names}

    def begin(self, events: Events) -> None:
        """See :meth:`Player.begin`."""
        if self.is_prepared:
            return
        self.is_prepared, self.coin_seed = True, int(events.mark[0])
        # Not the mark of round 0: what is drawn before it shall not be drawn in it again.
        mark = int(events.mark[events.kind == ROUND][0]) if self.nodes.stochastic else 0
        self.nodes.at(0, ~mark & (2**64 - 1))
        moment = during("before round 0")
        with np.errstate(over="ignore", invalid="ignore"), moment, users_code(self.method.name):
            self.method.prepared(self.s, self.c, self.nodes, self.W, self.given)
        self._drop_anchor()

    def play_until(self, events: Events, first: int, stop: int, limits: Limits) -> tuple[int, str]:
        """See :meth:`Player.play_until`."""
        if self._window is None or self._window[0] is not events:
            self._window = events, events.kind.tolist()
        kinds, tally = self._window[1], self._tally
        self.begin(events)
        moment = during(lambda: f"round {self.number}")
        with np.errstate(over="ignore", invalid="ignore"), moment, users_code(self.method.name):
            for row in range(first, stop):
                if kinds[row] == ROUND:
                    self._round(events.mark[row])
                elif kinds[row] == RESENT:
                    self.asked.count_resent(tally)
                elif kinds[row] == RESET:
                    for block in (*vars(self.s).values(), *self.anchor.values()):
                        block[..., events.i[row], :] = 0.0
                    if self.nodes.table is not None:
                        self.nodes.table.forget(events.i[row])
                limit = LAST_ROUND if self.number == self.last else limits.reached(tally)
                if limit:
                    return row + 1, limit
        return stop, ""

    def keep(self, kept: np.ndarray) -> None:
        """Go on with those runs of a batch that ``kept`` (batch,) says."""
        for name, block in vars(self.s).items():
            setattr(self.s, name, block[kept])
        of_runs = {name: c[kept] for name, c in vars(self.c).items() if np.ndim(c) == 3}
        self.c = SimpleNamespace(**{**vars(self.c), **of_runs})
        self.shape = getattr(self.s, self.method.estimate).shape

    def _round(self, mark: np.uint64) -> None:
        self.nodes.at(self.number, int(mark))
        self.nodes.heads = shows_heads(self.coin_seed, self.number, self.asked.chance)
        c = self.method.constants_of_round(self.number, self.c, self.schedule)
        self._step(c, mark)
        self.number += 1
        if self.lookahead is not None and self.number % self.lookahead.period == 0:
            weight = self.lookahead.weight
            self.method.pulled_back(self.s, self.anchor, weight, c, self.nodes, self.W)
            self._drop_anchor()

    def _step(self, c: SimpleNamespace, mark: np.uint64) -> None:
        """A step of all nodes, but for those that sleep in this round."""
        if self.asleep is None:
            self.method.step(self.s, c, self.nodes, self.W)
            return
        asleep = asleep_in(int(mark), self.nodes.count, self.asleep)
        kept = {name: block[..., asleep, :] for name, block in vars(self.s).items()}
        self.nodes.sleep(asleep)
        self.method.step(self.s, c, self.nodes, self.W)
        for name, rows in kept.items():
            getattr(self.s, name)[..., asleep, :] = rows

    def _drop_anchor(self) -> None:
        """A lookahead will pull back to the blocks as they are now."""
        if self.lookahead is not None:
            self.anchor = self.blocks(self.method.blocks)

    def observe(self, t: float, out: np.ndarray) -> None:
        """See :meth:`Player.observe`."""
        out[:] = getattr(self.s, self.method.estimate)

    def clock(self, t: float) -> float:
        """See :meth:`Player.clock`: the last round that was played, whose step it was."""
        return float(max(self.number - 1, 0))

    def warm_up(self) -> None:
        """See :meth:`Player.warm_up`."""
        s, nodes, W = copy.deepcopy(self.s), copy.copy(self.nodes), copy.copy(self.W)
        nodes.tally = W.tally = Tally()
        nodes.notes = {}
        trial = during("trial round")
        with np.errstate(over="ignore", invalid="ignore"), trial, users_code(self.method.name):
            self.method.prepare(s, self.c, nodes, W)
            self.method.step(s, self.c, nodes, W)
