"""The part of a page that is about one result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dadao_sim.files import json_bytes, slug
from dadao_sim.plotting.page import curves, ranking
from dadao_sim.plotting.page.axes import ranked
from dadao_sim.plotting.page.part import Part
from dadao_sim.plotting.page.question import phrases
from dadao_sim.plotting.page.surroundings import Surroundings, said_of_network, said_of_world
from dadao_sim.reports.origin import files_read, given_in_python, scenario_text
from dadao_sim.results.result import Result

MOST_MANIFEST = 60_000  # characters of a page; of a longer one the constants of runs are left out


def result_part(id: str, name: str, result: Result, seen: Surroundings, room: float = 1.0) -> Part:
    """The section of one result, which has so much ``room`` on its page, of 1."""
    data: dict[str, Any] = {f"{id}-samples": curves.samples(result, room)}
    data[f"{id}-curves"] = curves.figure({f"{id}-samples": result})
    accuracies = ranking.accuracies([result])
    tables = {accuracy: ranking.table(result, accuracy) for accuracy in accuracies}
    first = ranking.shown_first({a: [[row.cells[0] for row in rows]] for a, rows in tables.items()})
    context = {
        "asked": _asked(result),
        "algorithms": _algorithms(result),
        "quantities": ranked(result),
        "tables": tables,
        "shown": first,
        "left_out": data[f"{id}-samples"]["left_out"],
        "endings": _endings(result),
        "runs": result.runs.to_dict("records"),
        "names": result.names,
        "interrupted": _interrupted(result),
        "again": _again(name, result, room),
        "network": said_of_network(id, seen, room, data),
        "network_why": seen.network_why,
        "unknown": seen.unknown,
        "world": said_of_world(id, seen, room, data),
        "world_why": seen.world_why,
    }
    return Part(id, name, "result.html", context, data)


def _asked(result: Result) -> list[tuple[str, str]]:
    rows = [("scenario", str(result.manifest["scenario"]["name"]))]
    rows += phrases(result.manifest["scenario"])
    conditions: Any = result.manifest
    for key in ("problem", "conditions", "0"):  # what was not checked may be anything
        conditions = conditions.get(key) if isinstance(conditions, Mapping) else None
    if isinstance(conditions, Mapping) and conditions:
        said = ", ".join(
            f"{_number(value)} ({'worst node' if name == 'nodes' else name})"
            for name, value in conditions.items()
            if value is not None
        )
        rows.insert(2, ("condition number", said))
    if result.is_live:
        rows.append(("live run", _live(result)))
    given = given_in_python(result)
    if given:
        rows.insert(1, ("given in Python", ", ".join(given)))
    return rows


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _algorithms(result: Result) -> list[dict[str, Any]]:
    names = result.names
    first = result.runs.drop_duplicates("algorithm")
    return [
        {
            "name": names[row["algorithm"]],
            "method": row["method"],
            "constants": row["constants"],
        }
        for row in first.to_dict("records")
    ]


def _endings(result: Result) -> list[dict[str, Any]]:
    """How the runs of each algorithm ended, those that ended alike together."""
    columns = ["algorithm", "status", "reason"]
    rows, names = [], result.names
    for key, group in result.runs.groupby(columns, sort=False):
        label, status, reason = (str(part) for part in key)
        rows.append(
            {
                "name": names[label],
                "status": status,
                "reason": reason,
                "repeats": ", ".join(map(str, group["repeat"])),
                "time": _span(group["time"]),
                "communications": _span(group["communications"]),
                "gradients": _span(group["gradients"]),
            }
        )
    return rows


def _span(values: Iterable[float]) -> str:
    numbers = sorted(values)
    low, high = ranking.number(numbers[0]), ranking.number(numbers[-1])
    return low if low == high else f"{low} to {high}"


def _live(result: Result) -> str:
    """How the log of a live run came about."""
    said = result.manifest["live"]
    how = "followed a log"
    if "unit_seconds" in said:
        how = f"with a unit of {said['unit_seconds'] * 1e3:g} ms"
    equal = "equals" if said["replay_equals_live"] else "differs from"
    ended = "".join(
        f"; node {one['node']} {one['how']} at {one['time']:.1f}" for one in said["ended"]
    )
    return f"{said['processes']} processes {how}{ended}; the replay {equal} what they held"


def _interrupted(result: Result) -> str:
    """How much of an interrupted simulation there is; empty for a finished one."""
    if not result.manifest.get("interrupted"):
        return ""
    scenario = result.manifest["scenario"]
    whole = len(scenario["algorithms"]) * scenario["repeats"]
    return f"interrupted: {len(result.runs)} of {whole} runs are finished"


def _again(name: str, result: Result, room: float) -> dict[str, Any]:
    """How to run it again: the scenario, the command, and what it came from."""
    manifest = result.manifest
    scenario, platform = manifest["scenario"], manifest.get("platform")
    file = f"{slug(str(scenario['name']))}.yaml"
    text = json_bytes(manifest).decode()
    if len(text) > MOST_MANIFEST * room:
        text = json_bytes({k: v for k, v in manifest.items() if k != "runs"}).decode()
    fits = len(text) <= MOST_MANIFEST * room
    command = f"dadao-sim run {file}"
    if result.is_live:
        command = f"dadao-sim live {file} --follow {Path(name).name}/events.npz"
    return {
        "file": file,
        "scenario": scenario_text(scenario),
        "command": f"{command} --out results/{scenario['name']}",
        "given": given_in_python(result),
        "files": files_read(manifest),
        "versions": manifest["versions"],
        "platform": platform if isinstance(platform, Mapping) else {},
        "manifest": text if fits else "",
        "manifest_file": f"{Path(name).name}/manifest.json",
    }
