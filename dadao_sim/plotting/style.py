"""One look for every figure: a colour, dash and marker per algorithm, and sizes for a paper.

A method declares its own look; one without takes what is free. The colours are those of Okabe and
Ito (Color Universal Design, 2008), which people with any common colour blindness can tell apart.
The methods compared most have colours whose lightness differs, and dashes and markers of their own,
so the figures also work in grey.
"""

from __future__ import annotations

import math
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from dadao_sim.errors import InputError
from dadao_sim.files import SIGNATURE, FileKind, as_path, atomic_write, check_output, is_signed
from dadao_sim.results.latex import escape
from dadao_sim.results.look import WIDTHS, Look
from dadao_sim.text.colours import BLACK as BLACK
from dadao_sim.text.colours import BLUE as BLUE
from dadao_sim.text.colours import COLOUR_NAMES, hex_colour
from dadao_sim.text.colours import GREEN as GREEN
from dadao_sim.text.colours import ORANGE as ORANGE
from dadao_sim.text.colours import PURPLE as PURPLE
from dadao_sim.text.colours import SKY as SKY
from dadao_sim.text.colours import VERMILION as VERMILION
from dadao_sim.text.labels import FONTS, drawable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN_WIDTH, WIDE = WIDTHS["column"], WIDTHS["double"]
COLOURS = tuple(COLOUR_NAMES.values())

Dash = tuple[int, tuple[float, ...]]
SOLID: Dash = (0, ())
DASHED: Dash = (0, (4, 1.6))
DOTTED: Dash = (0, (1, 1.3))
DASH_DOT: Dash = (0, (5, 1.4, 1, 1.4))
LONG: Dash = (0, (8, 2))
DASH_DOT_DOT: Dash = (0, (4, 1.2, 1, 1.2, 1, 1.2))
DASH_NAMES = {
    "solid": SOLID,
    "dashed": DASHED,
    "dash-dot": DASH_DOT,
    "dotted": DOTTED,
    "long": LONG,
    "dash-dot-dot": DASH_DOT_DOT,
}
DASHES = tuple(DASH_NAMES.values())
MARKERS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "<": "triangle-left",
    ">": "triangle-right",
    "p": "pentagon",
    "h": "hexagon",
    "P": "cross",
}
"""What a page calls each. The saltire is not among them: it means divergence."""
NAMES = {"colour": tuple(COLOUR_NAMES), "dash": tuple(DASH_NAMES), "marker": tuple(MARKERS)}
"""What the three words of a look can be."""


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


def parse_look(look: str) -> Style:
    """The style that a method declares as colour, dash and marker, such as "blue solid o".

    Raises:
        InputError: other than three words, or one that is none of NAMES.

    """
    words = look.split()
    if len(words) == len(NAMES) and all(
        word in known for word, known in zip(words, NAMES.values(), strict=True)
    ):
        colour, dash, marker = words
        return Style(COLOUR_NAMES[colour], DASH_NAMES[dash], marker)
    right = "; ".join(f"a {what} ({', '.join(known)})" for what, known in NAMES.items())
    raise InputError("look", f"{look!r} given", f"three words are needed: {right}")


def styles(methods: Mapping[str, str], looks: Mapping[str, str | None]) -> dict[str, Style]:
    """The style of every label.

    Args:
        methods: label -> method, in the order of the result (`Result.methods`).
        looks: method -> what it declares, or None (`Result.looks`).

    A method with a look has that style. A second label of a method takes another shade of its
    colour, and the next dash and marker that are free; a method without a look takes the next free
    style, in a colour nobody else has as long as there is one. The same labels always give the
    same styles.

    Raises:
        InputError: a look that is none.

    """
    chosen: dict[str, Style] = {}
    colours: dict[str, str] = {}
    for label, method in methods.items():
        look = looks[method]
        if look is not None and method not in colours:
            chosen[label] = parse_look(look)
            colours[method] = chosen[label].colour
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
        min(MARKERS, key=lambda marker: (markers.count(marker), NAMES["marker"].index(marker))),
    )


@dataclass(frozen=True)
class Drawn:
    """An algorithm in a figure: its style, and what it is called there."""

    style: Style
    name: str


def drawn_as(
    methods: Mapping[str, str],
    looks: Mapping[str, str | None],
    names: Mapping[str, str],
    look: Look,
) -> dict[str, Drawn]:
    """The algorithms of a figure by label, in their order, styled among all that there are.

    Args:
        methods: as of `styles`.
        looks: as of `styles`.
        names: what to print for each label.
        look: of the figure.

    Raises:
        InputError: the look names an algorithm that is not there.

    """
    if (unknown := look.unknown_label(methods)) is not None:
        keys, wrong = unknown
        raise InputError(str(keys[0]), wrong)
    write = escape if look.font == "tex" else drawable
    chosen = {}
    every = styles(methods, looks)
    for label in look.algorithms or methods:
        style = every[label]
        if label in look.colours:
            style = replace(style, colour=hex_colour(look.colours[label]))
        chosen[label] = Drawn(style, look.labels.get(label) or write(names[label]))
    return chosen


_FONTS: dict[str, Any] = {
    "serif": {"font.family": list(FONTS), "mathtext.fontset": "stix"},
    "sans": {"font.family": list(FONTS[::-1]), "mathtext.fontset": "dejavusans"},
    "computer-modern": {
        "font.family": ["cmr10", *FONTS],
        "mathtext.fontset": "cm",
        "axes.formatter.use_mathtext": True,  # the font has no minus
    },
    "tex": {"font.family": "serif", "text.usetex": True},
}
_font_of: WeakKeyDictionary[Any, str] = WeakKeyDictionary()


def _require_tex() -> None:
    missing = [name for name in ("latex", "dvipng") if shutil.which(name) is None]
    if missing:
        raise InputError(
            "font", f"tex needs {' and '.join(missing)}, which cannot be found", "use another font"
        )


@contextmanager
def paper(font: str = "serif") -> Iterator[None]:
    """Fonts, sizes and line widths for figures made or saved inside; the user's come back after.

    Raises InputError for the font tex where there is no TeX.
    """
    import matplotlib

    if font == "tex":
        _require_tex()
    with matplotlib.rc_context(
        {
            "text.usetex": False,  # labels are text
            **_FONTS[font],
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


def new_figure(width: float, height: float, font: str = "serif") -> Figure:
    """An empty figure in inches, laid out so that nothing overlaps; it needs no display. It will be
    saved with the ``font``.
    """
    from dadao_sim.plotting.inline import InlineFigure

    figure = InlineFigure(figsize=(width, height), layout="constrained")
    _font_of[figure] = font
    return figure


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
            labelfontfamily=rc["font.family"],
        )
        axes.tick_params(axis=axis, which="minor", length=rc[f"{axis}tick.minor.size"])


def logarithmic_limits(axis: str, limits: tuple[float, float], *, log: bool) -> tuple[float, float]:
    """The limits of ``x`` or ``y``. InputError where a logarithmic axis cannot have them."""
    if log and limits[0] <= 0:
        raise InputError(
            f"{axis}_limits", f"begin at {limits[0]:g}", "a logarithmic axis is above 0"
        )
    return limits


def refuse_empty(axes: Axes, look: Look, x: str = "") -> None:
    """InputError where limits of the look leave nothing of what is drawn within the axes."""
    import numpy as np

    asked = {f"{axis}_limits": getattr(look, f"{axis}_limits") for axis in ("x", "y")}
    given = {key: limits for key, limits in asked.items() if limits is not None}
    drawn = any(np.size(line.get_xdata()) for line in axes.lines)
    if given and drawn and not _is_anything_within(axes):
        said = " and ".join(f"{key[0]} {low:g} to {high:g}" for key, (low, high) in given.items())
        panel = f" in the panel of {x}" if x else ""
        raise InputError(next(iter(given)), f"nothing lies within {said}{panel}", "use wider ones")


def _is_anything_within(axes: Axes) -> bool:
    """Whether a sample, what joins two, or a band is seen."""
    import numpy as np
    from matplotlib.path import Path as Outline
    from matplotlib.transforms import Bbox

    place = axes.transData - axes.transAxes
    whole = Bbox.unit()
    for line in axes.lines:
        with np.errstate(divide="ignore", invalid="ignore"):
            points = place.transform(np.asarray(line.get_xydata(), dtype=float))
        points = points[np.isfinite(points).all(axis=1)]
        if ((points >= 0) & (points <= 1)).all(axis=1).any():
            return True
        joined = line.get_linestyle() != "None" and len(points) > 1
        if joined and Outline(points).intersects_bbox(whole, filled=False):
            return True
    bands = (path for shade in axes.collections for path in shade.get_paths())
    return any(place.transform_path(path).intersects_bbox(whole, filled=True) for path in bands)


LEGEND_ROW = 0.15  # inches
TITLE = 0.2


def legend_columns(names: Sequence[str], width: float) -> int:
    """The most columns that fit in `width` inches, entries running down the columns."""
    for columns in range(len(names), 1, -1):
        rows = math.ceil(len(names) / columns)
        longest = [max(map(len, names[k : k + rows])) for k in range(0, len(names), rows)]
        # A handle and its gaps, and the mean width of a character at the size of `paper`.
        if sum(0.55 + 0.05 * length for length in longest) <= width:
            return len(longest)
    return 1


def add_legend_of(
    figure: Figure,
    axes: Sequence[Axes],
    width: float,
    look: Look = Look(),  # noqa: B008
) -> None:
    """:func:`add_legend` of all that is named in ``axes``, in as many columns as fit."""
    handles = [handle for one in axes for handle in one.get_legend_handles_labels()[0]]
    names = [str(handle.get_label()) for handle in handles]
    add_legend(figure, handles, legend_columns(names, width), look.legend, look.title)


_PLACES = {
    "above": "outside upper center",
    "below": "outside lower center",
    "right": "outside right upper",
}


def add_legend(
    figure: Figure,
    handles: Sequence[Artist],
    columns: int,
    place: str = "above",
    title: str | None = None,
) -> None:
    """One legend for the figure, beside its axes and never over the data; long names in lines.

    ``place`` may also be "inside" the first axes, where there is most room, or "none". The title of
    the figure, if any, is above all.
    """
    import matplotlib

    size = matplotlib.rcParams["axes.titlesize"]
    if title is not None and place != "above":
        figure.suptitle(title, fontsize=size)
    if place == "none":
        return
    most = max(round((figure.get_figwidth() - 0.55) / 0.05), 1)
    where: Any = figure.axes[0] if place == "inside" else figure
    where.legend(
        handles=list(handles),
        # Given apart from the handles, for matplotlib leaves those out that begin with "_".
        labels=[_in_lines(str(handle.get_label()), most) for handle in handles],
        loc=_PLACES.get(place, "best"),
        ncols=columns if place in ("above", "below") else 1,
        # Two things above the axes would be laid over each other.
        title=title if place == "above" else None,
        title_fontsize=size,
        frameon=place == "inside",
        framealpha=0.8,
        edgecolor="none",
        handlelength=2.6,
        columnspacing=1.4,
        handletextpad=0.5,
        labelspacing=0.3,
        borderpad=0,
    )


def legend_height(rows: int, place: str) -> float:
    """Inches that a legend of so many rows adds to a figure."""
    return LEGEND_ROW * (rows + 0.5) if place in ("above", "below") else 0.0


def _in_lines(name: str, longest: int) -> str:
    """A name of more than so many characters in several lines; maths is not broken."""
    if len(name) <= longest or "$" in name.replace(r"\$", ""):
        return name
    return textwrap.fill(name, longest)


# Files are signed, and neither dated nor of a version.
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Creator": SIGNATURE, "Producer": None},
    "svg": {"Date": None, "Creator": SIGNATURE},
    "png": {"Software": SIGNATURE},
}

FIGURE = FileKind(tuple(f".{kind}" for kind in _METADATA), is_signed)


def save_figure(
    figure: Figure, path: str | Path, format: str | None = None, *, overwrite: bool = False
) -> None:
    """Write a figure, atomically; the same figure gives the same bytes.

    Args:
        figure: any matplotlib figure.
        path: the file.
        format: "pdf", "svg" or "png" (200 dots per inch); by default the suffix of `path`.
        overwrite: whether a file that is no figure of ours may be replaced.

    Raises:
        InputError: another format, or a file that may not be replaced.

    """
    path = as_path("path", path)
    kind = (format or path.suffix.removeprefix(".")).lower()
    if kind not in _METADATA:
        raise InputError("format", f"{kind!r} given for {path.name}", "use pdf, svg or png")
    check_output(path, FIGURE._replace(suffixes=()), overwrite=overwrite)
    atomic_write(path, drawn(figure, kind))


def drawn(figure: Figure, kind: str, dpi: int = 200) -> bytes:
    """What a file of a figure holds. InputError where it cannot be drawn."""
    buffer = BytesIO()
    with paper(_font_of.get(figure, "serif")):
        try:
            figure.savefig(buffer, format=kind, dpi=dpi, metadata=_METADATA[kind])
        except ValueError as error:  # "$" of a title of one's own that is no maths
            raise InputError("figure", f"cannot be drawn: {error}") from error
    _forget_glyphs()
    return buffer.getvalue()


def _forget_glyphs() -> None:
    """Empty the fonts of the figures: matplotlib keeps a font for the whole process, and in it each
    glyph that maths ever drew, some 80 kB a figure.
    """
    from matplotlib.font_manager import fontManager, get_font

    for font in fontManager.ttflist:
        if font.name.startswith(("STIX", "cm", *FONTS)):
            with suppress(OSError):  # removed since matplotlib looked
                get_font(font.fname).clear()
