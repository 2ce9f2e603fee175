"""What is spent, and in which unit: every x axis of a figure, and every cost in a table, said once.

An :class:`Axis` is computed from the columns of the curves and from what the result says of prices,
joules and seconds (:class:`Terms`). To add one, add it to ``AXES``: figures, tables, LaTeX, the
options of the command line and the keys of a scenario read it there. The command line does so
before anything heavy is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pandas import DataFrame


@dataclass(frozen=True)
class Weights:
    """What one of each thing adds to a total, such as its price; 0 adds nothing."""

    gradient: float = 0.0
    communication: float = 0.0
    byte: float = 0.0
    second: float = 0.0
    joule: float = 0.0
    relaxation: float = 0.0

    @classmethod
    def of(cls, given: Mapping[str, float | None]) -> Weights:
        """Those that are said; None says nothing."""
        return cls(**{name: float(one) for name, one in given.items() if one is not None})

    @property
    def said(self) -> dict[str, float]:
        """Those of gradients and communications, and of the rest those that add something."""
        always = ("gradient", "communication")
        return {name: weight for name, weight in vars(self).items() if weight or name in always}


PRICED = tuple(one.name for one in fields(Weights))
"""What can have a price."""


@dataclass(frozen=True)
class Terms:
    """What a result says of its costs, beside what it counts.

    - prices: what each thing adds to the cost (``report.cost`` of the scenario).
    - joules: what each thing adds to the energy (``report.energy``); None: nothing is said.
    - sweeps: by algorithm, the passes over the layers that an oracle takes for a gradient
      (``problem.oracle``, ``algorithms.N.oracle``), one of an exact one; empty where gradients come
      from no oracle.
    - interval: seconds in a mean gradient interval (``world.gradient_seconds``); None: no world.
    """

    prices: Weights = Weights(gradient=1.0, communication=1.0)
    joules: Weights | None = None
    interval: float | None = None
    sweeps: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, scenario: Mapping[str, Any]) -> Terms:
        """Of a scenario in plain data, such as that of a manifest."""
        report, world = scenario["report"], scenario.get("world")
        energy = report.get("energy")
        return cls(
            Weights.of(report["cost"]),
            None if energy is None else Weights.of(energy),
            None if world is None else float(world["gradient_seconds"]),
            _sweeps(scenario),
        )

    def priced(self, **prices: float) -> Terms:
        """With other prices; those not named stay. InputError for what has none."""
        for name, price in prices.items():
            if name not in PRICED:
                raise InputError("price", f"{name!r} cannot have one{_suggestion(name, PRICED)}")
            if not 0 <= price < math.inf:
                raise InputError("price", f"{price:g} for a {name}", "0 or more is needed")
        return replace(self, prices=replace(self.prices, **prices))


def _sweeps(scenario: Mapping[str, Any]) -> dict[str, float]:
    """Those of the oracle of each algorithm: one of an exact one; empty where there is none."""
    common = _oracle(scenario.get("problem"))
    of_each = {
        algorithm["label"]: _oracle(algorithm) or common
        for algorithm in scenario.get("algorithms", ())
    }
    if not any(of_each.values()):
        return {}
    return {label: float(oracle.get("sweeps", 1)) for label, oracle in of_each.items()}


def _oracle(section: Any) -> Mapping[str, Any]:
    """Of a problem, which may be anything of a user's, or an algorithm; empty without one."""
    found = section.get("oracle") if isinstance(section, Mapping) else None
    return found if isinstance(found, Mapping) else {}


Samples = Any
"""Columns by name: curves, or the numbers of one sample."""


def _column(name: str, factor: int = 1) -> Callable[[Samples, Terms], Any]:
    def of(samples: Samples, _: Terms) -> Any:
        return samples[name] if factor == 1 else factor * samples[name]

    return of


def _seconds(samples: Samples, terms: Terms) -> Any:
    return terms.interval * samples["time"]


def _relaxations(samples: Samples, terms: Terms) -> Any:
    whose = samples["algorithm"]
    sweeps = (
        terms.sweeps[whose] if isinstance(whose, str) else whose.map(terms.sweeps).astype(float)
    )
    return samples["gradients"] * sweeps


def _weighted(samples: Samples, terms: Terms, weights: Weights) -> Any:
    total: Any = 0.0
    for name, weight in weights.said.items():
        total = total + weight * _OF[name](samples, terms)
    return total


def _joules(samples: Samples, terms: Terms) -> Any:
    return _weighted(samples, terms, terms.joules or Weights())


_OF: dict[str, Callable[[Samples, Terms], Any]] = {
    "gradient": _column("gradients"),
    "communication": _column("communications"),
    "byte": _column("bytes_sent"),
    "second": _seconds,
    "joule": _joules,
    "relaxation": _relaxations,
}
"""How many there are of each thing that has a weight."""


def _cost(samples: Samples, terms: Terms) -> Any:
    return _weighted(samples, terms, terms.prices)


def _no_reason(_: Terms) -> str:
    return ""


def _no_relaxations(terms: Terms) -> str:
    if terms.sweeps:
        return ""
    return "no gradients of the scenario come from an oracle (problem.oracle), which may relax"


def _no_seconds(terms: Terms) -> str:
    if terms.interval is not None:
        return ""
    return "the scenario has no world, which says how many seconds a gradient interval has"


def _no_joules(terms: Terms) -> str:
    if terms.joules is None:
        return "the scenario has no report.energy, which says what takes how many joules"
    return not_counted(terms.joules, terms)[1]


def _no_cost(terms: Terms) -> str:
    return not_counted(terms.prices, terms)[1]


def not_counted(weights: Weights, terms: Terms) -> tuple[str, str]:
    """What has a weight and cannot be counted, and why; empty if all can."""
    for name, lacks in _LACKS.items():
        if getattr(weights, name) and (why := lacks(terms)):
            return name, why
    return "", ""


_LACKS = {"second": _no_seconds, "joule": _no_joules, "relaxation": _no_relaxations}
"""Of what can have a weight and not every scenario has."""


@dataclass(frozen=True)
class Axis:
    """Something that is spent.

    Attributes:
        name: of the option, the key and the column.
        title: what a table or a narrow axis says.
        of: its values, from samples (curves, or the numbers of one sample) and terms.
        unit: in brackets behind the title, wherever there is one.
        counted: what is counted, in brackets where there is room.
        columns: of the curves, that it is computed from beside those that every result has.
        whole: whether its numbers are whole as a rule, and printed so.
        of_some: whether only some methods have it at all: then a run that has none of it from its
            begin to its end cannot be put on it.
        lacks: why it cannot be computed under these terms; empty if it can.

    """

    name: str
    title: str
    of: Callable[[Samples, Terms], Any] = field(repr=False)
    unit: str = ""
    counted: str = ""
    columns: tuple[str, ...] = ()
    whole: bool = True
    of_some: bool = False
    lacks: Callable[[Terms], str] = field(default=_no_reason, repr=False)

    @property
    def short_label(self) -> str:
        """The title, with the unit where there is one."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def label(self, terms: Terms) -> str:
        """What an axis says: the title with the unit, what is counted, or the prices."""
        if self.name == "cost":
            prices = (f"{name} {price:g}" for name, price in terms.prices.said.items())
            return f"Cost ({', '.join(prices)})"
        remark = self.unit or self.counted
        return f"{self.title} ({remark})" if remark else self.title

    def why_not(self, curves: DataFrame, terms: Terms) -> str:
        """Why these curves cannot be put on it; empty if they can."""
        if missing := [name for name in self.columns if name not in curves]:
            return f"the result is of a version that did not record {missing[0]}"
        if why := self.lacks(terms):
            return why
        if self.of_some and len(curves):
            most = curves.assign(spent=self.of(curves, terms)).groupby("algorithm")["spent"].max()
            if without := [str(label) for label, value in most.items() if value == 0]:
                return f"{', '.join(without)} {'has' if len(without) == 1 else 'have'} none"
        return ""

    def spent(self, curves: DataFrame, terms: Terms, where: str = "x") -> NDArray[np.float64]:
        """Its value at every sample. InputError, of the argument ``where``, where there is none."""
        if why := self.why_not(curves, terms):
            raise InputError(where, f"{self.name}: {why}", "use another axis")
        values: NDArray[np.float64] = self.of(curves, terms).to_numpy(dtype=float)
        return values


_AXES = (
    Axis("communications", "Communications", _column("communications"), counted="edge activations"),
    Axis("gradients", "Local gradients", _column("gradients"), counted="all nodes"),
    Axis(
        "relaxations",
        "Relaxations",
        _relaxations,
        counted="sweeps, all nodes",
        lacks=_no_relaxations,
    ),
    Axis("time", "Time", _column("time"), unit="mean gradient intervals"),
    Axis("seconds", "Time", _seconds, unit="s", whole=False, lacks=_no_seconds),
    Axis("bytes", "Bytes sent", _column("bytes_sent"), counted="all nodes"),
    Axis("bits", "Bits sent", _column("bytes_sent", 8), counted="all nodes"),
    Axis("messages", "Messages", _column("messages"), counted="all nodes"),
    Axis("rounds", "Rounds", _column("rounds"), of_some=True),
    Axis("events", "Events", _column("events"), counted="all nodes and edges", columns=("events",)),
    Axis("joules", "Energy", _joules, unit="J", whole=False, lacks=_no_joules),
    Axis("cost", "Cost", _cost, whole=False, lacks=_no_cost),
)
AXES: dict[str, Axis] = {axis.name: axis for axis in _AXES}
"""All there are, in their order."""
TABLED = ("communications", "gradients", "time", "cost", "bits")
"""Those of a table where no others are asked for; every result has them."""


def axis_named(name: str, where: str = "x") -> Axis:
    """The axis of that name. InputError, of the argument ``where``, if there is none."""
    if name not in AXES:
        raise InputError(where, f"{name!r} is unknown{_suggestion(name, AXES)}")
    return AXES[name]


def _suggestion(name: str, known: Iterable[str]) -> str:
    from dadao_sim.strict import suggestion

    return suggestion(name, known)
