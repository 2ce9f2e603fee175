"""The pictures of the systems beyond convex sums: the figures that their scenarios ask for."""

from pathlib import Path
from typing import TYPE_CHECKING

from pictures import Picture, ResultOf, caption

from dadao_sim.plotting.curves import figure_of
from dadao_sim.results.look import FigureSpec
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYSTEMS_SCENARIOS = tuple(name for name in shipped.scenarios() if name.startswith("systems/"))


def systems_pictures() -> list[Picture]:
    """Of every system its figures; the first has the scenario's name."""
    return [
        system_picture(name, spec, is_first=number == 0)
        for name in SYSTEMS_SCENARIOS
        for number, spec in enumerate(load_scenario(shipped.scenarios()[name]).figures or ())
    ]


def system_picture(name: str, spec: FigureSpec, *, is_first: bool) -> Picture:
    """One figure of a scenario."""
    short, stem = Path(name).name, Path(spec.file).stem

    def draw(result_of: ResultOf) -> "Figure":
        return figure_of(result_of((name,)), spec)

    return Picture(
        name=short if is_first else f"{short}-{stem}",
        title=name if is_first else f"{name}: {stem.replace('-', ' ')}",
        caption=caption(name)
        if is_first
        else f"`{spec.file}` of the same scenario: see [its page](../docs/systems/{short}.md).",
        command=f"dadao-sim run scenarios/{name}.yaml",
        draw=draw,
    )
