"""The physical world of a scenario: how long things take, what is lost, who leaves.

Times are in mean gradient intervals of a node of ordinary speed, except latency and bandwidth,
which are in seconds; ``gradient_seconds`` connects the two.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from dadao_sim.strict import (
    Count,
    NotNegative,
    Positive,
    StrictModel,
    misuse,
    one_by_kind,
)

Share = Annotated[float, Field(ge=0, lt=1)]
Node = Annotated[int, Field(ge=0)]
Edge = Annotated[tuple[Node, Node], Strict(False)]


class Simple(StrictModel):
    """A constant, or an exponentially distributed time."""

    kind: Literal["constant", "exponential"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")


class LogNormal(StrictModel):
    """A log-normal time."""

    kind: Literal["lognormal"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")
    sigma: Positive = Field(description="standard deviation of the logarithm")


class Pareto(StrictModel):
    """A Pareto time: heavy-tailed."""

    kind: Literal["pareto"] = Field(description="the law")
    mean: NotNegative = Field(default=1.0, description="mean, in mean gradient intervals")
    shape: Annotated[float, Field(gt=1)] = Field(
        description="exponent of the tail, above 1 (up to 2 the variance is infinite)"
    )


class Empirical(StrictModel):
    """A time drawn from a list of measured ones."""

    kind: Literal["empirical"] = Field(description="the law")
    values: Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)] = Field(
        description="measured times, in mean gradient intervals, each as likely"
    )

    @property
    def mean(self) -> float:
        """The mean of the values."""
        return sum(self.values) / len(self.values)


Duration = Annotated[
    Simple | LogNormal | Pareto | Empirical, one_by_kind(Simple, LogNormal, Pareto, Empirical)
]


class Periods(StrictModel):
    """Something that comes and goes, with exponential times between and of it."""

    every: Positive = Field(description="mean time from the end of one to the next")
    length: Positive = Field(description="mean length of one")


class SlowPeriods(Periods):
    """Times in which a node is slower."""

    factor: Positive = Field(description="how many times longer a gradient takes then")


class Crashes(Periods):
    """Times in which a node is gone, with what it was computing and what was sent to it."""

    state: Literal["kept", "lost"] = Field(
        default="kept", description="lost: the node starts again from zero"
    )


class LateJoin(StrictModel):
    """A node that is not there from the start."""

    node: Node = Field(description="which node")
    at: Positive = Field(description="when it comes")


class WorldNodes(StrictModel):
    """The nodes: how long they compute, wait, and how much they talk."""

    gradient: Duration = Field(
        default=Simple(kind="constant", mean=0.0), description="how long a gradient takes"
    )
    pause: Duration = Field(
        default=Simple(kind="exponential", mean=1.0),
        description="from the end of a gradient to the start of the next",
    )
    slowness: Annotated[tuple[Positive, ...], Strict(False), Field(min_length=1)] | None = Field(
        default=None, description="factor on gradient and pause, one number per node; 1 if absent"
    )
    slowness_spread: NotNegative = Field(
        default=0.0, description="sigma of log-normal factors drawn for the nodes, of median 1"
    )
    slow_periods: SlowPeriods | None = Field(default=None, description="of each node")
    exchanges_at_once: Count | None = Field(
        default=None, description="how many exchanges a node can have; no limit if absent"
    )
    when_busy: Literal["wait", "give_up"] = Field(
        default="wait", description="what an exchange does that finds an end at its limit"
    )
    crashes: Crashes | None = Field(default=None, description="of each node")
    late: Annotated[tuple[LateJoin, ...], Strict(False)] = Field(
        default=(), description="nodes that join later"
    )


class Loss(StrictModel):
    """Messages that do not arrive: alone, or in bursts (Gilbert and Elliott)."""

    probability: Share = Field(description="that an exchange (noticed: both) or a message is lost")
    noticed: Literal["both", "one"] = Field(
        default="both",
        description="both: neither end acts; one: each message is lost on its own, unnoticed",
    )
    burst_probability: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="the probability while a burst lasts; no bursts if absent"
    )
    burst_start: Share = Field(default=0.0, description="that one begins at an exchange of a link")
    burst_end: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="that it ends at an exchange of the link"
    )


class WorldLinks(StrictModel):
    """The links: how long a message takes, and whether it arrives."""

    latency: NotNegative = Field(default=0.0, description="of a message, in seconds")
    latency_per_km: NotNegative = Field(
        default=0.0, description="in addition, in seconds per km of length_km (fibre: 4.9e-6)"
    )
    unknown_length_km: Positive | None = Field(
        default=None, description="length of the edges that have none in a network that has some"
    )
    jitter: NotNegative = Field(
        default=0.0, description="sigma of log-normal factors of mean 1 on the latency"
    )
    bandwidth: Positive | None = Field(
        default=None, description="bytes per second in each direction; no limit if absent"
    )
    loss: Loss | None = Field(default=None, description="of messages; none if absent")
    outages: Periods | None = Field(
        default=None, description="of each link, in which no exchange begins"
    )


class Change(StrictModel):
    """Links that are cut, and links that come back."""

    at: Positive = Field(description="when")
    down: Annotated[tuple[Edge, ...], Strict(False)] = Field(
        default=(), description="edges that are cut, as pairs of nodes"
    )
    up: Annotated[tuple[Edge, ...], Strict(False)] = Field(
        default=(), description="edges that come back"
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
    nodes: WorldNodes = Field(default=WorldNodes(), description="the nodes")
    links: WorldLinks = Field(default=WorldLinks(), description="the links")
    changes: Annotated[tuple[Change, ...], Strict(False)] = Field(
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
        times = [change.at for change in self.changes]
        if times != sorted(times):
            raise misuse("must be in order of time", "changes")
        return self


def _named(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("preset", "ideal"), str)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any], depth: int) -> dict[str, Any]:
    merged: dict[str, Any] = {**below, **{k: v for k, v in above.items() if v is not None}}
    if depth > 1:
        for key in below:
            if isinstance(below[key], Mapping) and isinstance(above.get(key), Mapping):
                merged[key] = _merged(below[key], above[key], depth - 1)
    return merged
