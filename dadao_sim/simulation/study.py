"""A scenario made ready once, for all who need it: check, estimate, simulate, reports."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dadao_sim
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.events.files import events_of_table
from dadao_sim.events.log import Events
from dadao_sim.events.played import LogClock
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.metrics import METRICS, Metric
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import AnyNetwork
from dadao_sim.problems import Problem
from dadao_sim.results.result import RunKey
from dadao_sim.results.store import fingerprint
from dadao_sim.scenario.given import scenario_on
from dadao_sim.scenario.model import Scenario
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.effort import takes_long
from dadao_sim.simulation.estimate import Estimate, estimate
from dadao_sim.simulation.identity import asked_of, ground_of, input_digest, inputs_of
from dadao_sim.simulation.parts import Parts, build_parts
from dadao_sim.simulation.plan import Plan, make_plan
from dadao_sim.simulation.room import require_room_for

if TYPE_CHECKING:
    import networkx
    from pandas import DataFrame


class Study:
    """A scenario with what its runs share, each part and each plan made once.

    ``scenario`` is one, a mapping, or the path of a YAML file. ``problem``, ``network`` and
    ``local_step`` take the place of the scenario's sections, for objects made in Python; a network
    may be a graph of networkx. ``events`` is a log that all algorithms play in every repeat. The
    parts and plans of one repeat at a time are kept: runs go repeat by repeat.

    Attributes:
        given: what was made in Python, by name.
        live: of a study of a log that processes left, how they made it; the result says so.

    """

    def __init__(
        self,
        scenario: Scenario | Mapping[str, Any] | str | Path,
        *,
        problem: Problem | None = None,
        network: "AnyNetwork | networkx.Graph | None" = None,
        local_step: LocalStep | None = None,
        events: "Events | DataFrame | None" = None,
    ):
        self.scenario = as_scenario(scenario)
        _require("problem", problem, Problem)
        log = None if events is None else as_log(events)
        self._network = None if network is None else as_any_network(network)
        self._problem, self._local_step, self._log = problem, local_step, log
        given = {"problem": problem, "network": network, "local_step": local_step, "events": log}
        self.given = {name: given[name] for name in sorted(given) if given[name] is not None}
        self.live: dict[str, Any] = {}
        self.node_ids: tuple[str, ...] | None = None  # of the parts made last; see Network
        self._roomy = False
        self._repeat = -1
        self._parts: Parts | None = None
        self._plans: dict[RunKey, Plan] = {}

    @classmethod
    def of(cls, scenario: "Self | Scenario | Mapping[str, Any] | str | Path", **given: Any) -> Self:
        """``scenario`` itself where it is a study, else the study of it.

        Raises InputError for parts given beside a study, which has its own.
        """
        if not isinstance(scenario, cls):
            return cls(scenario, **given)  # type: ignore[arg-type]
        late = [name for name, part in given.items() if part is not None]
        if late:
            raise InputError(late[0], "the study is made already", "give it to Study")
        return scenario

    @classmethod
    def on(
        cls,
        problem: Problem,
        network: "AnyNetwork | networkx.Graph | None",
        algorithms: str | Sequence[str | Mapping[str, Any]] | None,
        *,
        local_step: LocalStep | None = None,
        events: "Events | DataFrame | None" = None,
        **asked: Any,
    ) -> Self:
        """The study of ``algorithms`` on objects made in Python; see `simulate` for the rest."""
        if network is None or algorithms is None:
            missing = "network" if network is None else "algorithms"
            raise InputError(missing, "is missing", "give problem, network and algorithms")
        _require("problem", problem, Problem)
        network = as_any_network(network)
        metrics = [known_metric(metric) for metric in asked.pop("metrics", ())]
        if metrics:
            asked["record"] = {**asked.get("record", {}), "metrics": metrics}
        if events is not None and not {"time", "stop"} & set(asked):
            events = as_log(events)
            asked["time"] = LogClock(events).end
        scenario = scenario_on(problem, network, algorithms, asked)
        given = {"local_step": local_step, "events": events}
        return cls(scenario, problem=problem, network=network, **given)  # type: ignore[arg-type]

    @property
    def labels(self) -> list[str]:
        """The labels of the algorithms, in their order."""
        return [spec.label for spec in self.scenario.algorithms]

    @property
    def keys(self) -> list[RunKey]:
        """Every run, repeat by repeat."""
        return [(label, r) for r in range(self.scenario.repeats) for label in self.labels]

    @cached_property
    def inputs(self) -> dict[str, str | None]:
        """The digests of the files that the scenario reads, as they are when first asked for: at
        the latest before anything is built of them.
        """
        return inputs_of(self.scenario)

    @cached_property
    def input_digest(self) -> str:
        """Digest of the files that the scenario reads."""
        return input_digest(self.inputs)

    def require_room(self, jobs: int = 1) -> None:
        """InputError where the memory is too small, by the numbers of the scenario, for ``jobs``
        processes.
        """
        require_room_for(
            self.scenario, jobs, network=self._network is None, problem=self._problem is None
        )
        self._roomy = True  # what is free is asked once: later the runs have some of it

    @cached_property
    def identity(self) -> str:
        """What tells this simulation from others: digest of scenario, files and version.

        Parts given in Python are not told from each other, but from those of the scenario.
        """
        mapping = {**self.scenario.to_mapping(), "files": self.input_digest}
        mapping |= {"given": list(self.given)} if self.given else {}
        return fingerprint(mapping, dadao_sim.__version__)

    @cached_property
    def ground(self) -> str:
        """What tells a run from others beside its algorithm and repeat; see `identity`."""
        return ground_of(self.scenario, self.inputs)

    @cached_property
    def digests(self) -> dict[str, str]:
        """By label, what tells an algorithm from others."""
        return {spec.label: asked_of(spec, self.inputs) for spec in self.scenario.algorithms}

    def parts(self, repeat: int) -> Parts:
        """What the algorithms of a repeat share. InputError for what cannot be built."""
        if not self._roomy:
            self.require_room()
        if self._parts is None or repeat != self._repeat:
            _ = self.inputs  # a file that changes later is not what was read
            self._plans.clear()
            self._repeat, self._parts = repeat, None  # before the next, which may be as large
            with one_blas_thread():
                self._parts = build_parts(
                    self.scenario, repeat, self._problem, self._network, self._local_step
                )
            self.node_ids = self._parts.network.ids
        return self._parts

    def plan(self, key: RunKey) -> Plan:
        """The plan of a run. InputError for what the method cannot do."""
        parts = self.parts(key[1])
        if key not in self._plans:
            with one_blas_thread():
                self._plans[key] = make_plan(self.scenario, key, parts, self._log)
        return self._plans[key]

    def taken(self, key: RunKey) -> Plan:
        """The plan of a run, to be played: another of it will be a new one."""
        plan = self.plan(key)
        del self._plans[key]
        return plan

    def check(self) -> list[Plan]:
        """The plans of the first repeat. InputError for what cannot run."""
        return [self.plan((label, 0)) for label in self.labels]

    def check_by_numbers(self) -> str:
        """Where the network takes more than seconds to build and to tune for: whether there is room
        for the scenario, and the network in words; else empty. InputError as :meth:`check`.
        """
        long = takes_long(self.scenario) if self._network is None else ""
        if long:
            self.require_room()
        return long

    @one_blas_thread()
    def estimate(self) -> Estimate:
        """Memory of one process, and time and events of all runs in turn, if all go to their
        limits.
        """
        runs = [estimate(plan) for plan in self.check()]
        repeats = self.scenario.repeats
        return Estimate(
            memory=max(run.memory for run in runs),
            seconds=repeats * sum(run.seconds for run in runs),
            events=repeats * sum(run.events for run in runs),
        )


def as_log(events: "Events | DataFrame") -> Events:
    """A log from itself, or from a table of events."""
    if isinstance(events, Events):
        return events
    if not hasattr(events, "columns"):
        wanted = "Events or a table of them are needed"
        raise InputError("events", f"{wanted}, not a {type(events).__name__}")
    return events_of_table(events)


def known_metric(metric: Metric | str) -> str:
    """The name of a metric, known from now on by it."""
    if not isinstance(metric, Metric):
        return metric
    if metric.name in METRICS.ours:
        raise InputError("metrics", f"{metric.name!r} is measured in every run", "name it anew")
    METRICS.register(metric)
    return metric.name


def _require(name: str, given: Any, kind: Any) -> None:
    """InputError for something that is given and is of another kind."""
    if given is not None and not isinstance(given, kind):
        raise InputError(name, f"a {name.title()} is needed, not a {type(given).__name__}")


def as_scenario(scenario: Scenario | Mapping[str, Any] | str | Path) -> Scenario:
    """A scenario from itself, a mapping, or the path of a YAML file."""
    if isinstance(scenario, Scenario):
        return scenario
    if isinstance(scenario, Mapping):
        return scenario_from_mapping(scenario)
    if not isinstance(scenario, str | Path):
        wanted = "a Scenario, a mapping or a path is needed"
        raise InputError("scenario", f"{wanted}, not a {type(scenario).__name__}")
    return load_scenario(scenario)
