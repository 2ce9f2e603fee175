"""A run as a film: the network with a colour for each node, and below it the course of all nodes.

A GIF, or one HTML file that needs nothing else, with a slider and a button.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.files import SIGNATURE, FileKind, as_path, atomic_write, check_output, is_signed
from dadao_sim.plotting.networks import draw_names
from dadao_sim.plotting.style import BLUE, VERMILION, finish_ticks, new_figure, paper
from dadao_sim.reports.spread import Spread
from dadao_sim.text.labels import drawable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

FILM = FileKind((".gif", ".html"), is_signed)
WIDTH = 4.8  # inches
BELOW = 1.4  # of it, for the courses of the nodes
DOTS = 110  # an inch
FLOOR = 1e-12  # of errors, below which all are alike


class _Film:
    """The figure of a spread, whose moments are drawn one after the other."""

    def __init__(self, spread: Spread, *, names: bool):
        self.spread = spread
        self.error = spread.shows == "error"
        self.values = np.maximum(spread.values, FLOOR) if self.error else spread.values
        if not np.isfinite(self.values).all():
            raise InputError("animation", "the run diverged to what is no number", "set an end")
        layout = spread.layout
        across, along = np.ptp(layout.positions, axis=0) * (1.0, layout.aspect)
        high = WIDTH * float(np.clip(along / max(across, 1e-9), 0.25, 0.75))
        self.figure: Figure = new_figure(WIDTH, high + BELOW)
        above, below = self.figure.subplots(2, 1, height_ratios=(high, BELOW))
        self._draw_network(above, names=names)
        self._draw_courses(below)

    def _draw_network(self, axes: Any, *, names: bool) -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.colors import LogNorm, Normalize

        layout = self.spread.layout
        low, high = float(self.values.min()), float(self.values.max())
        high = high if high > low else low + 1.0
        norm: Any = LogNorm(low, high) if self.error else Normalize(low, high)
        axes.set_axis_off()
        axes.set_aspect(layout.aspect, adjustable="datalim")
        axes.margins(0.08)
        self.edges = axes.add_collection(LineCollection(list(layout.positions[layout.edges])))
        self.edges.set_zorder(1)
        size = float(np.clip(900 / len(layout.positions), 12, 130))
        self.nodes = axes.scatter(
            *layout.positions.T,
            s=size,
            c=self.values[0],
            cmap="cividis_r" if self.error else "cividis",  # as light in grey as in colour
            norm=norm,
            edgecolors="0.15",
            linewidths=0.6,
            zorder=2,
            clip_on=False,
        )
        if names:
            lower, upper = layout.positions.min(axis=0), layout.positions.max(axis=0)
            inch = WIDTH / max(float((upper - lower)[0]), 1e-9)
            draw_names(axes, layout, inch, size**0.5)
        self.figure.colorbar(self.nodes, ax=axes, label=self.spread.label, shrink=0.9)
        axes.set_title(drawable(self.spread.name))

    def _draw_courses(self, axes: Any) -> None:
        times = self.spread.times
        axes.plot(times, self.values, color="0.7", linewidth=0.5)
        axes.plot(times, self.values.mean(axis=1), color="black", linewidth=1.2, label="mean")
        if self.error:
            axes.set_yscale("log")
        axes.set_xlim(0, times[-1] or 1.0)
        axes.set_xlabel("Time (mean gradient intervals)")
        axes.set_ylabel("Each node")
        self.now = axes.axvline(0.0, color=VERMILION, linewidth=1.0)
        finish_ticks(axes)

    def image(self, frame: int) -> Image:
        """One moment."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        self.nodes.set_array(self.values[frame])
        self.now.set_xdata([self.spread.times[frame]] * 2)
        share = np.zeros(len(self.spread.layout.edges))
        if self.spread.uses is not None:
            share = self.spread.uses[frame] / max(int(self.spread.uses.max()), 1)
        self.edges.set_color([BLUE if one else "0.75" for one in share])
        self.edges.set_linewidth(0.7 + 3 * share)
        if frame:  # what is laid out once stays where it is
            self.figure.set_layout_engine("none")
        canvas = FigureCanvasAgg(self.figure)
        self.figure.set_dpi(DOTS)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


def film_images(spread: Spread, *, names: bool = False) -> Iterator[Image]:
    """The moments of a run, one after the other.

    Args:
        spread: the run, from `reports.spread.spread`.
        names: whether the nodes are called by their names.

    Raises:
        InputError: a value that is no number.

    """
    with paper():
        film = _Film(spread, names=names)
        for frame in range(len(spread.times)):
            yield film.image(frame)


def save_film(
    spread: Spread,
    path: str | Path,
    *,
    seconds: float = 8.0,
    names: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a run as a film of so many seconds, atomically; the same run gives the same bytes.

    Args:
        spread: the run, from `reports.spread.spread`.
        path: a file that ends in .gif or .html.
        seconds: how long it lasts.
        names: whether the nodes are called by their names.
        overwrite: whether a file that is no film of ours may be replaced.

    Raises:
        InputError: another ending, a file that may not be replaced, a length that is none, or a
            value that is no number.

    """
    path = as_path("path", path)
    check_output(path, FILM, overwrite=overwrite)
    if not 0.1 <= seconds <= 600:
        raise InputError("seconds", f"{seconds:g} given", "0.1 to 600 are possible")
    images = [image.quantize(256) for image in film_images(spread, names=names)]
    pause = max(20, round(1000 * seconds / len(images)))  # milliseconds
    write = _gif if path.suffix.lower() == ".gif" else _page
    atomic_write(path, write(spread, images, pause))


def _gif(_: Spread, images: list[Image], pause: int) -> bytes:
    buffer = BytesIO()
    pauses = [pause] * (len(images) - 1) + [max(pause, 1500)]  # the end is to be seen
    images[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=pauses,
        loop=0,
        comment=SIGNATURE.encode(),
    )
    return buffer.getvalue()


def _page(spread: Spread, images: list[Image], pause: int) -> bytes:
    pictures = []
    for image in images:
        buffer = BytesIO()
        image.save(buffer, format="PNG", optimize=True)
        pictures.append(base64.b64encode(buffer.getvalue()).decode())
    frames = ",\n".join(f'"{picture}"' for picture in pictures)
    times = ",".join(f"{time:.4g}" for time in spread.times)
    said = {
        "SIGNATURE": SIGNATURE,
        "NAME": html.escape(spread.name),
        "WIDE": str(images[0].width),
        "PAUSE": str(pause),
        "LAST": str(len(images) - 1),
        "TIMES": times,
        "FRAMES": frames,
    }
    # All at once: a name may hold any of these words.
    return re.sub("|".join(said), lambda found: said[found[0]], _PAGE).encode()


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="SIGNATURE">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>NAME</title>
<style>
body { font: 16px/1.4 system-ui, sans-serif; margin: 1rem auto; max-width: WIDEpx;
  padding: 0 .5rem; background: #fff; color: #111; }
img { width: 100%; height: auto; display: block; }
.controls { display: flex; gap: .75rem; align-items: center; }
input { flex: 1; min-width: 0; }
button { font: inherit; min-width: 5rem; padding: .3rem; }
output { min-width: 6.5rem; text-align: right; font-variant-numeric: tabular-nums; }
</style>
</head>
<body>
<img id="picture" alt="NAME: the network, with a colour for each node">
<div class="controls">
<button id="play" type="button">Play</button>
<input id="slider" type="range" min="0" max="LAST" value="0" aria-label="Time">
<output id="time"></output>
</div>
<script>
"use strict";
const times = [TIMES];
const frames = [
FRAMES];
const picture = document.getElementById("picture"), slider = document.getElementById("slider");
const button = document.getElementById("play"), time = document.getElementById("time");
let timer = null;
function show() {
  picture.src = "data:image/png;base64," + frames[slider.value];
  time.textContent = "time " + times[slider.value];
}
function pause() { clearInterval(timer); timer = null; button.textContent = "Play"; }
function play() {
  if (+slider.value === frames.length - 1) slider.value = 0;
  button.textContent = "Pause";
  timer = setInterval(() => {
    slider.value = +slider.value + 1;
    show();
    if (+slider.value === frames.length - 1) pause();
  }, PAUSE);
}
button.onclick = () => timer === null ? play() : pause();
slider.oninput = () => { pause(); show(); };
show();
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play();
</script>
</body>
</html>
"""
