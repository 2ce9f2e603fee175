"""The physical world of a scenario: how long things take, what is lost, who leaves.

Times are in mean gradient intervals of a node of ordinary speed, except latency and bandwidth,
which are in seconds; ``gradient_seconds`` connects the two. A key of null is nothing: no time, no
limit, no fault, also where a preset has some.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from dadao_sim.events.world.durations import DURATIONS, Constant, Duration, Exponential, Sigma
from dadao_sim.events.world.fault import FAULTS, Fault, Place
from dadao_sim.events.world.node_ids import NumbersOfNodes
from dadao_sim.events.world.per_link import PerLink, or_per_link
from dadao_sim.events.world.schedule import Schedule
from dadao_sim.events.world.section import Section, WithFaults, with_all_keys
from dadao_sim.strict import ByKind, NotNegative, Positive, StrictModel, misuse, null_is

SHORTEST, LONGEST = 1e-6, 1e9  # of a gradient and its pause: a mean interval is 1 by its name
NO_TIME = Constant(kind="constant", mean=0.0)
Time = Annotated[Duration, ByKind(DURATIONS), null_is(NO_TIME)]
Seconds = Annotated[NotNegative, null_is(0.0, NotNegative)]
SecondsPerLink = Annotated[
    NotNegative | PerLink, or_per_link(NotNegative), null_is(0.0, NotNegative | PerLink)
]
BytesPerSecond = Annotated[Positive | PerLink | None, or_per_link(Positive | None)]


class WorldNodes(Section):
    """The nodes: how long they compute, wait, and how much they talk."""

    place: ClassVar[Place] = "nodes"

    gradient: Time = Field(default=NO_TIME, description="how long a gradient takes")
    pause: Time = Field(
        default=Exponential(kind="exponential", mean=1.0),
        description="from the end of a gradient to the start of the next",
    )
    slowness: NumbersOfNodes = Field(
        default=None,
        description="factor on gradient and pause: one number per node, or a mapping of nodes' "
        "ids; 1 if absent",
    )
    slowness_spread: Annotated[Sigma, null_is(0.0, Sigma)] = Field(
        default=0.0, description="sigma of log-normal factors drawn for the nodes, of median 1"
    )


class WorldLinks(Section):
    """The links: how long a message takes, and whether it arrives."""

    place: ClassVar[Place] = "links"
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "unknown_length_km": ("latency_per_km",),
        "bandwidth_shared": ("bandwidth",),
    }

    latency: SecondsPerLink = Field(
        default=0.0, description="of a message, in seconds; or of each link, {attribute: NAME}"
    )
    latency_per_km: Seconds = Field(
        default=0.0, description="in addition, in seconds per km of length_km (fibre: 4.9e-6)"
    )
    unknown_length_km: Positive | None = Field(
        default=None, description="length of the edges that have none in a network that has some"
    )
    bandwidth: BytesPerSecond = Field(
        default=None,
        description="bytes per second in each direction, or {attribute: NAME}; no limit if absent",
    )
    in_order: bool = Field(
        default=False,
        description="whether a message that goes one way waits for that before it, as over TCP, or "
        "may overtake it",
    )
    bandwidth_shared: bool = Field(
        default=False,
        description="true: it is that of each node, out and in, which all messages that are under "
        "way there share max-min fairly; false: each message has it alone",
    )


FIBRE = 4.9e-6  # seconds per km: the refractive index of glass, 1.468, over the speed of light
# docs/world.md says where the numbers come from.
PRESETS: dict[str, dict[str, Any]] = {
    "ideal": {},
    "datacenter": {
        "gradient_seconds": 0.1,
        "nodes": {
            "gradient": {"kind": "lognormal", "mean": 1.0, "sigma": 0.1},
            "pause": {"kind": "constant", "mean": 0.0},
        },
        "links": {"latency": 5.0e-5, "jitter": 0.3, "bandwidth": 1.25e9},
    },
    "wan": {
        "gradient_seconds": 0.1,
        "nodes": {
            "gradient": {"kind": "lognormal", "mean": 1.0, "sigma": 0.2},
            "pause": {"kind": "constant", "mean": 0.0},
        },
        "links": {
            **{"latency": 5.0e-4, "latency_per_km": FIBRE, "unknown_length_km": 500.0},
            **{"jitter": 0.1, "bandwidth": 1.25e8},
            "loss": {"probability": 1.0e-4},
        },
    },
    "edge_devices": {
        "gradient_seconds": 1.0,
        "nodes": {
            "gradient": {"kind": "pareto", "mean": 1.0, "shape": 2.5},
            "pause": {"kind": "constant", "mean": 0.0},
            "slowness_spread": 0.5,
            "exchanges_at_once": 4,
            "crashes": {"every": 1000.0, "length": 30.0, "state": "kept"},
        },
        "links": {
            **{"latency": 0.05, "jitter": 0.5, "bandwidth": 1.25e6},
            "loss": {
                **{"probability": 0.01, "burst_probability": 0.5},
                **{"burst_start": 0.01, "burst_end": 0.2},
            },
        },
    },
}


class WorldSpec(StrictModel):
    """The physical world in which the methods run."""

    preset: Literal["ideal", "datacenter", "wan", "edge_devices"] = Field(
        default="ideal", description="what holds where nothing else is said; see docs/world.md"
    )
    time_unit: Literal["given", "auto"] = Field(
        default="given",
        description="auto: asynchronous methods are slowed down until the slowest node keeps up "
        "and latency times exchanges per node is at most 0.1, or what constants: latency bear",
    )
    barrier: Literal["global", "neighbourhood"] = Field(
        default="global", description="whom a node of a synchronous method waits for"
    )
    gradient_seconds: Positive = Field(
        default=1.0, description="seconds in a mean gradient interval"
    )
    nodes: Annotated[WorldNodes, WithFaults()] = Field(
        default={}, validate_default=True, description="the nodes"
    )
    links: Annotated[WorldLinks, WithFaults()] = Field(
        default={}, validate_default=True, description="the links"
    )
    changes: Schedule = Field(
        default=(), description="scheduled changes of the graph, in order of time"
    )

    @model_validator(mode="before")
    @classmethod
    def _on_top_of_the_preset(cls, data: Any) -> Any:
        """Each key of ``nodes`` and ``links`` replaces the preset's, whole; the others stay. A key
        of null, and a section of null, leaves nothing of the preset's.
        """
        if not isinstance(data, Mapping):
            return data
        for section, model in (("nodes", WorldNodes), ("links", WorldLinks)):
            for key in data:
                if key not in cls.model_fields and key in with_all_keys(model).model_fields:
                    raise misuse(f"is a key of {section}: world.{section}.{key}", key)
        named = data.get("preset", "ideal")
        preset = PRESETS.get(named, {}) if isinstance(named, str) else {}
        merged = {**preset, **data}
        for section in ("nodes", "links"):
            if isinstance(data.get(section), Mapping):
                merged[section] = {**preset.get(section, {}), **data[section]}
        return merged

    @model_validator(mode="after")
    def _makes_sense(self) -> "WorldSpec":
        if self.links.bandwidth_shared and self.links.in_order:
            raise misuse("cannot act beside bandwidth_shared; say false", "links", "in_order")
        if self.links.bandwidth_shared and not isinstance(self.links.bandwidth, float):
            raise misuse("is shared at the nodes; give one number for them", "links", "bandwidth")
        if self.nodes.pause.of_nodes:
            kind = getattr(self.nodes.pause, "kind", "")
            raise misuse(f"{kind} is for gradients only", "nodes", "pause", "kind")
        interval = self.nodes.gradient.mean + self.nodes.pause.mean
        if interval == 0:
            raise misuse("pause and gradient both take no time; give one of them a mean", "nodes")
        if not SHORTEST <= interval <= LONGEST:
            raise misuse(
                f"pause and gradient take {interval:g} mean gradient intervals together; they must "
                f"take {SHORTEST:g} to {LONGEST:g}",
                "nodes",
            )
        return self

    def faults(self) -> tuple[Fault, ...]:
        """Everything that goes wrong here, in the order in which it acts."""
        places = {"nodes": self.nodes, "links": self.links, "world": self}
        faults = (fault.at(places[fault.place]) for fault in FAULTS.values())
        return tuple(fault for fault in faults if fault.acts)
