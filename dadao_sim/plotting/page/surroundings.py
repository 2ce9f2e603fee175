"""The network and the world of a result, for its part of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.plotting.page import pictures
from dadao_sim.plotting.page.ranking import number
from dadao_sim.plotting.timeline import MOST_NODES
from dadao_sim.reports.layout import Layout, network_layout
from dadao_sim.reports.origin import Asked, asked_of, study_of, unknown_inputs, worlds_of
from dadao_sim.reports.timeline import Timeline, world_timeline
from dadao_sim.reports.world import WorldReport, world_rows
from dadao_sim.results.result import Result

Loads = Mapping[str, tuple[str, NDArray[np.float64]]]


@dataclass(frozen=True)
class Surroundings:
    """The network and the worlds of the first repeat, built again; or why there is none of them.

    ``loads`` have a title, a unit, and a number per edge; ``layout`` is None for more edges than
    are drawn. ``timelines`` are those of ``worlds``, by the names of their algorithms. ``unknown``
    says where it may not be what was run.
    """

    network: Asked | None = None
    network_why: str = ""
    unknown: str = ""
    loads: Loads | None = None
    layout: Layout | None = None
    worlds: Sequence[WorldReport] = ()
    timelines: Mapping[str, Timeline] | None = None
    world_why: str = ""


def surroundings(result: Result) -> Surroundings:
    """Of a result, from its scenario."""
    has_world = result.manifest["scenario"].get("world") is not None
    try:
        study = study_of(result)
        asked = asked_of(study)
    except (InputError, OSError) as error:
        why = f"Left out: {error}."
        return Surroundings(network_why=why, world_why=why if has_world else "")
    worlds: list[WorldReport] = []
    world_why = ""
    if has_world:
        try:
            worlds = worlds_of(study, result)
        except InputError as error:
            world_why = f"Left out: {error}."
    drawn = len(asked.network.edges) <= pictures.MOST_EDGES
    names = result.names
    return Surroundings(
        network=asked,
        unknown=unknown_inputs(study, result),
        loads=_loads(names, asked, worlds),
        layout=network_layout(asked.network) if drawn else None,
        worlds=worlds,
        timelines={names[world.label]: world_timeline(world) for world in worlds},
        world_why=world_why,
    )


def _loads(names: Mapping[str, str], asked: Asked, worlds: Sequence[WorldReport]) -> Loads:
    """What the edges are asked to do; in a world, what they did."""
    loads = {}
    if asked.rates is not None:
        loads["Rates of the network"] = ("relative rate", asked.rates)
    seen = {world.label: world for world in worlds}
    for label in names:  # those with a run
        if label not in seen and label not in asked.loads:
            continue
        if label not in seen:
            unit = "exchanges per mean gradient interval"
            loads[f"Load: {names[label]}"] = (unit, asked.loads[label])
            continue
        world = seen[label]
        rate = world.link_bytes / world.end
        loads[f"Load: {names[label]}"] = ("bytes per mean gradient interval", rate)
        if world.link_losses.any():
            lost = world.link_losses.astype(float)
            loads[f"Losses: {names[label]}"] = ("exchanges lost", lost)
    return loads


def said_of_network(id: str, seen: Surroundings, room: float, data: dict[str, Any]) -> Any:
    """What the template has to say of the network; ``data`` gets what is drawn, in the ``room``
    that there is on the page.
    """
    if seen.network is None or seen.loads is None:
        return None
    asked = seen.network
    shown: Loads = {}
    if seen.layout is not None:
        shown = pictures.shown_loads(seen.loads, room)
        ids = asked.network.ids
        data[f"{id}-network"] = pictures.network_picture(seen.layout, ids, shown)
    return {
        "name": asked.network.name,
        "nodes": asked.network.nodes,
        "edges": len(asked.network.edges),
        "graphs": asked.graphs,
        "drawn": seen.layout is not None,
        "most_edges": pictures.MOST_EDGES,
        "loads": [
            {
                "title": title,
                "unit": unit,
                "least": f"{values.min():.4g}",
                "mean": f"{values.mean():.4g}",
                "most": f"{values.max():.4g}",
            }
            for title, (unit, values) in seen.loads.items()
        ],
    }


def said_of_world(id: str, seen: Surroundings, room: float, data: dict[str, Any]) -> Any:
    """The same of the world."""
    if not seen.worlds or seen.timelines is None:
        return None
    drawn = {
        name: timeline for name, timeline in seen.timelines.items() if timeline.nodes <= MOST_NODES
    }
    if drawn:
        data[f"{id}-timeline"] = [
            pictures.timeline_picture(name, timeline, room / len(drawn))
            for name, timeline in drawn.items()
        ]
    return {
        "names": list(seen.timelines),
        "until": [number(world.end) for world in seen.worlds],
        "rows": world_rows(seen.worlds),
        "drawn": bool(drawn),
        "most_nodes": MOST_NODES,
    }
