"""The physical world of a scenario: how long things take, what is lost, who leaves.

Times are in mean gradient intervals of a node of ordinary speed, except latency and bandwidth,
which are in seconds; ``gradient_seconds`` connects the two.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict, model_validator

from dadao_sim.events.world.durations import DURATIONS, Constant, Duration, Exponential
from dadao_sim.events.world.fault import FAULTS, Fault, Place
from dadao_sim.events.world.schedule import Schedule
from dadao_sim.events.world.section import Section, WithFaults
from dadao_sim.strict import ByKind, NotNegative, Positive, StrictModel, misuse

Time = Annotated[Duration, ByKind(DURATIONS)]


class WorldNodes(Section):
    """The nodes: how long they compute, wait, and how much they talk."""

    place: ClassVar[Place] = "nodes"

    gradient: Time = Field(
        default=Constant(kind="constant", mean=0.0), description="how long a gradient takes"
    )
    pause: Time = Field(
        default=Exponential(kind="exponential", mean=1.0),
        description="from the end of a gradient to the start of the next",
    )
    slowness: Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)] | None = Field(
        default=None, description="factor on gradient and pause, one number per node; 1 if absent"
    )
    slowness_spread: NotNegative = Field(
        default=0.0, description="sigma of log-normal factors drawn for the nodes, of median 1"
    )


class WorldLinks(Section):
    """The links: how long a message takes, and whether it arrives."""

    place: ClassVar[Place] = "links"

    latency: NotNegative = Field(default=0.0, description="of a message, in seconds")
    latency_per_km: NotNegative = Field(
        default=0.0, description="in addition, in seconds per km of length_km (fibre: 4.9e-6)"
    )
    unknown_length_km: Positive | None = Field(
        default=None, description="length of the edges that have none in a network that has some"
    )
    bandwidth: Positive | None = Field(
        default=None, description="bytes per second in each direction; no limit if absent"
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
        "and latency times exchanges per node is at most 0.1",
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
        """Each key of ``nodes`` and ``links`` replaces the preset's; the others stay."""
        if not isinstance(data, Mapping):
            return data
        preset = PRESETS.get(data.get("preset", "ideal")) if _named(data) else None
        return data if preset is None else _merged(preset, data, depth=2)

    @model_validator(mode="after")
    def _makes_sense(self) -> "WorldSpec":
        if self.nodes.gradient.mean == 0 and self.nodes.pause.mean == 0:
            raise misuse("pause and gradient both take no time; give one of them a mean", "nodes")
        return self

    def faults(self) -> tuple[Fault, ...]:
        """Everything that goes wrong here, in the order in which it acts."""
        places = {"nodes": self.nodes, "links": self.links, "world": self}
        faults = (fault.at(places[fault.place]) for fault in FAULTS.values())
        return tuple(fault for fault in faults if fault.acts)


def _named(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("preset", "ideal"), str)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], depth: int) -> dict[str, Any]:
    merged: dict[str, Any] = {**below, **{k: v for k, v in above.items() if v is not None}}
    if depth > 1:
        for key in below:
            if isinstance(below[key], Mapping) and isinstance(above.get(key), Mapping):
                merged[key] = _merged(below[key], above[key], depth - 1)
    return merged
