"""A run of a result once more: its log, what its nodes saw, what its edges were used for."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError, during, within
from dadao_sim.events.files import event_table
from dadao_sim.events.log import Events, concatenate
from dadao_sim.networks import DirectedNetwork, DirectedSequence
from dadao_sim.problems import Problem
from dadao_sim.results.names import label_called
from dadao_sim.results.result import Result
from dadao_sim.simulation.counts import EventCounts, shares
from dadao_sim.simulation.identity import scenario_as_run
from dadao_sim.simulation.limits import Limits
from dadao_sim.simulation.loop import Watch, play_to_the_end
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.plan import Plan
from dadao_sim.simulation.player import Player
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.round_player import RoundPlayer
from dadao_sim.simulation.study import Study

if TYPE_CHECKING:
    from pandas import DataFrame


class PlayedAgain:
    """A run of ``result``, made again from scenario and seed in its manifest, byte for byte.

    ``algorithm`` is a label, or what it is called in print. What was made in Python is taken from
    the result, or ``given`` again (``problem``, ``network``, ``local_step``, ``events``) where it
    was loaded: then the run is played before anything is said of it, as other objects may have
    events that look alike. Nodes are called by their ids where the network has some.

    Raises InputError for a run that the result has not, for what is not given, and where this
    version of the package, or a file of the scenario, is not that of the result.
    """

    def __init__(self, result: Result, algorithm: str, repeat: int = 0, **given: Any):
        label = label_called(algorithm, result.methods, result.titles)
        rows = result.runs[(result.runs["algorithm"] == label) & (result.runs["repeat"] == repeat)]
        if rows.empty:
            there = result.runs["repeat"][result.runs["algorithm"] == label]
            has = f"{label} has repeats {', '.join(map(str, there)) or 'none'}"
            raise InputError("repeat", f"{repeat!r} given", has)
        self._given_again = any(value is not None for value in given.values())
        manifest, given = result.manifest, {**result.given, **given}
        for name in manifest["given_in_python"]:
            if given.get(name) is None:
                raise InputError(name, "was given in Python", f"give it again: {name}=...")
        more = sorted(set(given) - set(manifest["given_in_python"]))
        if more:
            raise InputError(more[0], "was not given in Python, but is of the scenario")
        self._study = Study(scenario_as_run(manifest), **given)
        if manifest.get("ground", self._study.ground) != self._study.ground:
            raise InputError("result", "is of another version, or of other files", "run it again")
        self.key, self.count = (label, repeat), int(rows["events"].iloc[0])
        curves = result.curves
        ours = (curves["algorithm"] == label) & (curves["repeat"] == repeat)
        self.curves = curves[ours].reset_index(drop=True)

    @property
    def problem(self) -> Problem:
        """What it solved."""
        return self._plan.parts.problem

    @cached_property
    def events(self) -> Events:
        """The log, to the last event that was played, for `replay` and `simulate`."""
        log = self._log
        return log if self._plan.unit == 1 else log.in_intervals(self._plan.unit)

    def table(self) -> "DataFrame":
        """The log as a table, a row per event under its number."""
        return event_table(self.events)

    def trajectory(self, nodes: Sequence[int | str] | int | str | None = None) -> "DataFrame":
        """What nodes (numbers, or ids where the network has some; one, several, or by default all)
        held as their estimate of x*, at each sample: ``time``, ``node`` and x0, x1, ...; every node
        is brought to the time of the sample first.
        """
        import pandas as pd

        network = self._plan.network
        first = network.graphs[0]
        rows = np.arange(network.nodes)
        if nodes is not None:
            one = isinstance(nodes, str) or not isinstance(nodes, Iterable)
            names: Any = [nodes] if one else nodes
            with within("nodes"):
                rows = np.array([first.node(name) for name in names], dtype=int)
        seen = _Seen(self._plan.errors, self._plan.limits, rows)
        self._played(seen)
        points = np.concatenate(seen.kept)
        columns = {f"x{k}": points[:, k] for k in range(points.shape[1])}
        called = np.array(first.ids or range(network.nodes))[rows]
        times = np.repeat(self.curves["time"].to_numpy(), len(rows))
        every = np.tile(called, len(seen.kept))
        return pd.DataFrame({"time": times, "node": every, **columns})

    def edge_counts(self) -> "DataFrame":
        """Per edge its ends ``i`` and ``j`` and its ``communications``, which add up to those of
        the run; a round uses every edge of its graph.
        """
        import pandas as pd

        network, plan, log = self._plan.network, self._plan, self._log
        if plan.parts.problem.stages is not None:
            raise InputError("result", "a problem of stages keeps no counts of its edges")
        part = log.communications
        used = part > 0
        counts = np.zeros(len(network.edges))
        np.add.at(counts, log.edge[used], part[used])
        if isinstance(plan.method, RoundMethod):
            counts /= plan.tuning.asked.messages_per_communication
            counts += self._counts_of_rounds(counts.sum())
        names = np.array(network.graphs[0].ids or range(network.nodes))
        i, j = names[network.edges.T]
        return pd.DataFrame({"i": i, "j": j, "communications": counts})

    def node_counts(self) -> "DataFrame":
        """Per ``node`` its ``gradients``, which add up to those of the run, and the
        ``communications`` over its edges.

        The gradients of a method of rounds are nan where minibatches are not the same part of the
        samples at every node, as which of its gradients were of minibatches is not known, and where
        nodes sleep.
        """
        import pandas as pd

        network, plan, log = self._plan.network, self._plan, self._log
        share = shares(plan.method, plan.parts.problem, plan.spec.batch_size)
        if isinstance(plan.method, RoundMethod):
            even = float(share.min()) == float(share.max()) and plan.spec.asleep is None
            total = self.curves["gradients"].iloc[-1] if even else np.nan
            gradients = np.full(network.nodes, total / network.nodes)
        else:
            asked = plan.tuning.asked
            gradients = np.full(network.nodes, asked.start.gradients / network.nodes)
            added = EventCounts(asked, share).gradients(log)
            exchange = (log.j >= 0) & (log.communications == 1)
            np.add.at(gradients, log.i, np.where(exchange, added / 2, added))
            np.add.at(gradients, log.j[exchange], added[exchange] / 2)
        counts = self.edge_counts()["communications"].to_numpy()
        at_nodes = sum(np.bincount(end, counts, network.nodes) for end in network.edges.T)
        names = np.array(network.graphs[0].ids or range(network.nodes))
        return pd.DataFrame({"node": names, "gradients": gradients, "communications": at_nodes})

    # ---- playing --------------------------------------------------------------------------------

    @cached_property
    def _plan(self) -> Plan:
        return self._study.plan(self.key)

    @cached_property
    def _log(self) -> Events:
        """The events that were played, in the method's own time. InputError where objects given
        again are not those of the result.
        """
        if self._given_again:
            self._played(Watch(self._plan.errors, self._plan.limits))
        source = self._study.taken(self.key).source
        windows = [source.window()]
        while sum(map(len, windows)) < self.count:
            windows.append(source.window())
        return concatenate(windows)[: self.count]

    def _counts_of_rounds(self, resent: float) -> np.ndarray:
        """Activations of each edge by the rounds, those that were ``resent`` left out."""
        plan = self._plan
        player = self._played(Watch(self._plan.errors, plan.limits))
        assert isinstance(player, RoundPlayer)
        network = plan.network
        counts = np.zeros(len(network.edges))
        turns, rest = divmod(player.W.made, len(network.graphs))
        share = 1.0
        if isinstance(network, DirectedNetwork | DirectedSequence):
            share = 0.5
            members = tuple(network.edge_indices(*graph.arcs.T) for graph in network.graphs)
        else:
            members = getattr(network, "members", (np.arange(len(network.edges)),))
        for number, edges in enumerate(members):
            np.add.at(counts, edges, share * (turns + (number < rest)))
        means = player.tally.communications - resent - counts.sum()
        if means > 0:
            up = player.W.server.up
            tree = up[up >= 0]
            counts[tree] += means / len(tree)
        return counts

    @one_blas_thread()
    def _played(self, watch: Watch) -> Player:
        """The run, seen by ``watch``. InputError where it goes otherwise than in the result."""
        plan = self._study.taken(self.key)
        parts, batch = plan.parts, plan.spec.batch_size
        player = make_player(plan.method, parts.problem, plan.tuning, parts.x0, {}, batch)
        with during(f"{self.key[0]}, repeat {self.key[1]}"):
            play_to_the_end(player, plan.source, watch, plan.limits, plan.sample_times())
        for name in ("accuracy", "gradients", "communications", "events"):
            found = [sample[name] for sample in watch.outcome.samples]
            if not np.array_equal(found, self.curves[name], equal_nan=True):
                raise InputError("result", "is of other objects or another version", "run it again")
        return player


class _Seen(Watch):
    """Keeps the estimates of some nodes."""

    def __init__(self, errors: Errors, limits: Limits, rows: np.ndarray):
        super().__init__(errors, limits)
        self.rows = rows
        self.kept: list[np.ndarray] = []

    def keep(self, estimates: np.ndarray) -> None:
        """See :meth:`Watch.keep`."""
        self.kept.append(estimates[self.rows])
