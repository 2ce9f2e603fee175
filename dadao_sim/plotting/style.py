"""One look for every figure: a colour, dash and marker per method, and sizes for a paper.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which people with any common
colour blindness can tell apart. The methods compared most have colours whose lightness differs, and
dashes and markers of their own, so the figures also work in grey.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError
from dadao_sim.files import atomic_write
from dadao_sim.results.names import EXPERIMENTAL

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_WIDTH = 3.4  # inches: one column of a two-column paper
WIDE = 7.0  # both columns

BLACK, BLUE, VERMILION, PURPLE = "#000000", "#0072B2", "#D55E00", "#CC79A7"
ORANGE, GREEN, SKY = "#E69F00", "#009E73", "#56B4E9"  # the eighth, yellow, is lost on white
COLOURS = (BLUE, ORANGE, BLACK, VERMILION, PURPLE, GREEN, SKY)

Dash = tuple[int, tuple[float, ...]]
SOLID: Dash = (0, ())
DASHED: Dash = (0, (4, 1.6))
DOTTED: Dash = (0, (1, 1.3))
DASH_DOT: Dash = (0, (5, 1.4, 1, 1.4))
LONG: Dash = (0, (8, 2))
DASH_DOT_DOT: Dash = (0, (4, 1.2, 1, 1.2, 1, 1.2))
DASHES = (SOLID, DASHED, DASH_DOT, DOTTED, LONG, DASH_DOT_DOT)
MARKERS = ("o", "s", "^", "D", "v", "<", ">", "p", "h", "P")  # the cross means divergence


@dataclass(frozen=True)
class Style:
    """How one algorithm is drawn, in every figure."""

    colour: str
    dash: Dash
    marker: str

    @property
    def line(self) -> dict[str, Any]:
        """Keyword arguments for `Axes.plot` and `Line2D`."""
        return {
            "color": self.colour,
            "linestyle": self.dash,
            "marker": self.marker,
            "markeredgecolor": "white",
            "markeredgewidth": 0.4,
        }


METHODS = {
    "dadao": Style(BLUE, SOLID, "o"),
    "continuized": Style(ORANGE, DASHED, "s"),
    "msda": Style(BLACK, DASH_DOT, "^"),
    "adom_plus": Style(VERMILION, DOTTED, "D"),
    "adom_plus_multi_consensus": Style(PURPLE, LONG, "v"),
    "a2cid2": Style(GREEN, SOLID, "P"),
    "ad_psgd": Style(SKY, DASHED, "<"),
    "gradient_tracking": Style(GREEN, DASH_DOT, ">"),
    "extra": Style(SKY, DOTTED, "p"),
    "pg_extra": Style(SKY, DASH_DOT, "p"),
    "nids": Style(ORANGE, SOLID, "h"),
    "prox_ed": Style(GREEN, LONG, "s"),
    "dgd": Style(VERMILION, DASH_DOT_DOT, "<"),
    "d_psgd": Style(PURPLE, DASH_DOT_DOT, ">"),
    "d_admm": Style(VERMILION, SOLID, "p"),
    "ssda": Style(BLACK, DOTTED, "v"),
    "opapc": Style(PURPLE, DASHED, "h"),
    "lead": Style(SKY, LONG, "D"),
    "prox_lead": Style(SKY, SOLID, "D"),
    "choco_sgd": Style(ORANGE, DOTTED, "P"),
    "sonata": Style(BLACK, LONG, "P"),
    "dual_proximal_gradient": Style(PURPLE, SOLID, "v"),
    "randomised_gossip": Style(SKY, DASH_DOT_DOT, "o"),
    "accelerated_gossip": Style(GREEN, DASHED, "o"),
}


def styles(methods: Mapping[str, str]) -> dict[str, Style]:
    """The style of every label.

    Args:
        methods: label -> method, in the order of the result (`Result.methods`).

    A method of METHODS has its own style. A second label of a method takes another shade of its
    colour, and the next dash and marker that are free; an unknown method takes the next free
    style, in a colour nobody else has as long as there is one. The same labels always give the
    same styles.

    """
    methods = {label: method.removesuffix(EXPERIMENTAL) for label, method in methods.items()}
    chosen: dict[str, Style] = {}
    colours: dict[str, str] = {}
    for label, method in methods.items():
        if method in METHODS and method not in colours:
            chosen[label] = METHODS[method]
            colours[method] = METHODS[method].colour
    for label, method in methods.items():
        if label not in chosen:
            if method not in colours:
                unused = (colour for colour in COLOURS if colour not in colours.values())
                colours[method] = next(unused, COLOURS[len(colours) % len(COLOURS)])
            family = [chosen[other] for other in chosen if methods[other] == method]
            colour = _shade(colours[method], len(family))
            chosen[label] = _free_style(colour, family, chosen)
    return {label: chosen[label] for label in methods}


def _shade(colour: str, number: int) -> str:
    """The colour itself, then darker and lighter ones of the same hue, in turn."""
    target, share = ((0, 0.0), (0, 0.55), (255, 0.5), (0, 0.8))[number % 4]
    parts = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return "#" + "".join(f"{round(part + share * (target - part)):02X}" for part in parts)


def _free_style(colour: str, family: Sequence[Style], chosen: Mapping[str, Style]) -> Style:
    """The next style in a colour; a dash or marker comes back only when all have been used."""
    dashes = [style.dash for style in chosen.values() if style.colour == colour]
    dashes += [style.dash for style in family]
    markers = [style.marker for style in chosen.values()]
    return Style(
        colour,
        min(DASHES, key=lambda dash: (dashes.count(dash), DASHES.index(dash))),
        min(MARKERS, key=lambda marker: (markers.count(marker), MARKERS.index(marker))),
    )


@contextmanager
def paper() -> Iterator[None]:
    """Fonts, sizes and line widths for figures made or saved inside; the user's come back after."""
    import matplotlib

    with matplotlib.rc_context(
        {
            "font.family": "STIXGeneral",
            "mathtext.fontset": "stix",
            "font.size": 8,
            "axes.titlesize": 8,
            "axes.labelsize": 8,
            "legend.fontsize": 7.5,
            "xtick.labelsize": 7.5,
            "ytick.labelsize": 7.5,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "lines.linewidth": 1.2,
            "lines.markersize": 4,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "xtick.major.size": 2.5,
            "ytick.major.size": 2.5,
            "xtick.minor.size": 0,
            "ytick.minor.size": 0,
            "grid.color": "0.88",
            "grid.linewidth": 0.4,
            "pdf.fonttype": 42,
            "svg.hashsalt": "dadao_sim",
        }
    ):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, laid out so that nothing overlaps; it needs no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def finish_ticks(axes: Axes) -> None:
    """Give the ticks the sizes of `paper` now: matplotlib would look them up when it draws."""
    import matplotlib

    rc: Any = matplotlib.rcParams
    for axis in ("x", "y"):
        axes.tick_params(
            axis=axis,
            which="major",
            labelsize=rc[f"{axis}tick.labelsize"],
            width=rc[f"{axis}tick.major.width"],
            length=rc[f"{axis}tick.major.size"],
            labelfontfamily=rc["font.family"][0],
        )
        axes.tick_params(axis=axis, which="minor", length=rc[f"{axis}tick.minor.size"])


LEGEND_ROW = 0.15  # inches


def legend_columns(names: Sequence[str], width: float) -> int:
    """The most columns that fit in `width` inches, entries running down the columns."""
    for columns in range(len(names), 1, -1):
        rows = math.ceil(len(names) / columns)
        longest = [max(map(len, names[k : k + rows])) for k in range(0, len(names), rows)]
        # A handle and its gaps, and the mean width of a character at the size of `paper`.
        if sum(0.55 + 0.05 * length for length in longest) <= width:
            return len(longest)
    return 1


def add_legend(figure: Figure, handles: Sequence[Artist], columns: int) -> None:
    """One legend for the figure, above its axes and never over the data."""
    figure.legend(
        handles=list(handles),
        loc="outside upper center",
        ncols=columns,
        frameon=False,
        handlelength=2.6,
        columnspacing=1.4,
        handletextpad=0.5,
        labelspacing=0.3,
        borderpad=0,
    )


# What each format would date or sign its files with.
_METADATA: dict[str, dict[str, None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}


def save_figure(figure: Figure, path: str | Path, format: str | None = None) -> None:
    """Write a figure, atomically; the same figure gives the same bytes.

    Args:
        figure: any matplotlib figure.
        path: the file.
        format: "pdf", "svg" or "png" (200 dots per inch); by default the suffix of `path`.

    Raises:
        InputError: another format.

    """
    path = Path(path)
    kind = (format or path.suffix.removeprefix(".")).lower()
    if kind not in _METADATA:
        raise InputError(f"figure {path.name}: the format should be pdf, svg or png, not {kind!r}")
    buffer = BytesIO()
    with paper():
        figure.savefig(buffer, format=kind, dpi=200, metadata=_METADATA[kind])
    atomic_write(path, buffer.getvalue())
