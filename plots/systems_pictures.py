"""The pictures of the systems beyond convex sums: the figures that their scenarios ask for."""

from pathlib import Path
from typing import TYPE_CHECKING

from pictures import Picture, ResultOf, caption, sweep_picture

from dadao_sim.plotting.curves import figure_of
from dadao_sim.results.look import FigureSpec
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_file
from dadao_sim.scenario.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYSTEMS_SCENARIOS = tuple(name for name in shipped.scenarios() if name.startswith("systems/"))


def systems_pictures() -> list[Picture]:
    """Of every system its figures; the first has the scenario's name."""
    return [picture for name in SYSTEMS_SCENARIOS for picture in pictures_of(name)]


def pictures_of(name: str) -> list[Picture]:
    """The figures that a scenario asks for; of a sweep the cost against what is swept."""
    loaded = load_file(shipped.scenarios()[name])
    if isinstance(loaded, Sweep):
        return [sweep_picture(name, next(iter(loaded.cells[0].values)))]
    return [
        system_picture(name, spec, is_first=number == 0)
        for number, spec in enumerate(loaded.figures or ())
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
