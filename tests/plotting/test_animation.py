"""A film has a picture of each moment, and is one file that needs nothing else."""

import base64
import io
import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dadao_sim.errors import InputError
from dadao_sim.plotting.animation import film_images, save_film
from dadao_sim.reports.layout import Layout
from dadao_sim.reports.spread import Spread

EDGES = np.array([(0, 1), (1, 2), (2, 3)])
PLACES = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def made(values=None, shows="error"):
    times = np.linspace(0, 10, 5)
    values = np.exp(-times)[:, None] * (1 + np.arange(4)) if values is None else values
    uses = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 1], [0, 0, 0]])
    layout = Layout(PLACES, EDGES, ids=("Oslo", "Bern", "Rome", "Bonn"))
    return Spread(layout, times, values, uses, "A & B", "error", shows)


def test_a_gif_has_a_picture_of_each_moment_and_lasts_as_long_as_asked_for(tmp_path):
    save_film(made(), tmp_path / "a.gif", seconds=2)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 5
        assert film.info["loop"] == 0
        pauses = []
        for frame in range(5):
            film.seek(frame)
            pauses.append(film.info["duration"])
    assert pauses == [400, 400, 400, 400, 1500], "the end stays"


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for kind in ("gif", "html"):
        save_film(made(), tmp_path / f"a.{kind}")
        save_film(made(), tmp_path / f"b.{kind}")
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_page_has_all_its_pictures_in_it_and_asks_for_nothing(tmp_path):
    save_film(made(), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert not re.search(r"https?:|src=|href=|import |fetch|url\(", page)
    pictures = re.findall(r'^"([A-Za-z0-9+/=]+)"', page, flags=re.MULTILINE)
    assert len(pictures) == 5
    first = Image.open(io.BytesIO(base64.b64decode(pictures[0])))
    assert first.size == next(film_images(made())).size
    assert "<title>A &amp; B</title>" in page
    assert "const times = [0,2.5,5,7.5,10];" in page
    assert 'max="4"' in page


def test_a_name_may_be_any_word(tmp_path):
    name = "LAST FRAMES, WIDE PAUSE of TIMES"
    save_film(replace(made(), name=name), tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert f"<title>{name}</title>" in page
    assert len(re.findall(r'^"([A-Za-z0-9+/=]+)"', page, flags=re.MULTILINE)) == 5


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_plays_the_page_to_its_end(tmp_path):
    """Its own script has put the last picture and the last time in their places."""
    save_film(made(), tmp_path / "a.html", seconds=0.2)
    asked = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    home = {**os.environ, "HOME": str(tmp_path)}
    command = [CHROMIUM, *asked, "--dump-dom", (tmp_path / "a.html").as_uri()]
    dom = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env=home, check=True
    ).stdout
    last = re.findall(r'^"([A-Za-z0-9+/=]+)"', dom, flags=re.MULTILINE)[-1]
    assert f'src="data:image/png;base64,{last}"' in dom
    assert re.search(r'<output id="time">time 10</output>', dom)
    assert ">Play</button>" in dom


def test_pictures_change_where_values_and_edges_do():
    first, second, *_ = (np.asarray(image, dtype=int) for image in film_images(made()))
    assert first.shape == second.shape
    changed = np.abs(first - second).sum(axis=2) > 30
    assert 0.001 < changed.mean() < 0.2


def test_nodes_are_called_by_their_names():
    """Names are drawn only where asked for, and other names as other words."""

    def picture(ids, *, names):
        spread = made()
        named = replace(spread, layout=replace(spread.layout, ids=ids))
        return np.asarray(next(film_images(named, names=names)), dtype=int)

    ours, others = ("Oslo", "Bern", "Rome", "Bonn"), ("Oslo", "Bern", "Rome", "Kiev")
    assert (picture(ours, names=False) == picture(others, names=False)).all()
    changed = np.abs(picture(ours, names=True) - picture(others, names=True)).sum(axis=2) > 0
    rows, columns = np.nonzero(changed)  # the last node's word only, at the top left
    height, width = changed.shape
    assert 0 < len(rows) < 0.01 * changed.size
    assert rows.max() < height / 2
    assert columns.max() < width / 2


def test_what_cannot_be_filmed_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"name a file that ends in \.gif or \.html"):
        save_film(made(), tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"^seconds: 0 given; 0.1 to 600 are possible"):
        save_film(made(), tmp_path / "a.gif", seconds=0)
    with pytest.raises(InputError, match="diverged"):
        save_film(made(np.full((5, 4), np.inf)), tmp_path / "a.gif")
    (tmp_path / "theirs.gif").write_bytes(b"GIF89a of somebody")
    with pytest.raises(InputError, match="is not one of ours"):
        save_film(made(), tmp_path / "theirs.gif")
    assert (tmp_path / "theirs.gif").read_bytes() == b"GIF89a of somebody"


def test_a_value_that_never_changes_can_be_filmed(tmp_path):
    save_film(made(np.full((5, 4), 2.0), "value"), tmp_path / "a.gif")
    assert (tmp_path / "a.gif").stat().st_size > 1000
