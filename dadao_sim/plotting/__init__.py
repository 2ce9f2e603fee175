"""Figures of results and reports, for papers: see docs/figures.md.

``draw(result, x="bytes", ...)`` draws curves; the keys of the section ``figures`` of a scenario are
its keywords. ``save_figure(figure, "bytes.pdf")`` writes them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dadao_sim.plotting.comparison import comparison_figure as comparison_figure
    from dadao_sim.plotting.curves import curve_figure as curve_figure
    from dadao_sim.plotting.curves import draw as draw
    from dadao_sim.plotting.curves import figure_of as figure_of
    from dadao_sim.plotting.curves import panel_figure as panel_figure
    from dadao_sim.plotting.networks import network_figure as network_figure
    from dadao_sim.plotting.style import save_figure as save_figure
    from dadao_sim.results.look import FigureSpec as FigureSpec
    from dadao_sim.results.look import Look as Look

# Imported when first used: a command that draws one kind does not load the others.
_HOMES = {
    "FigureSpec": "results.look",
    "Look": "results.look",
    "comparison_figure": "plotting.comparison",
    "curve_figure": "plotting.curves",
    "draw": "plotting.curves",
    "figure_of": "plotting.curves",
    "network_figure": "plotting.networks",
    "panel_figure": "plotting.curves",
    "save_figure": "plotting.style",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"dadao_sim.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
