"""A figure of ours is drawn below the cell of a notebook whose last line it is."""

from io import BytesIO

import numpy as np
from PIL import Image
from synthetic import finished_run, result

from dadao_sim.plotting import draw, save_figure
from dadao_sim.plotting.inline import SHOWN_DPI


def test_a_figure_shows_itself_as_it_is_saved(tmp_path):
    figure = draw(result(finished_run("dadao", 0)), x="time")
    shown = Image.open(BytesIO(figure._repr_png_()))
    inches = figure.get_size_inches()
    assert np.allclose(shown.size, SHOWN_DPI * inches, atol=1)
    save_figure(figure, tmp_path / "figure.png")
    saved = Image.open(tmp_path / "figure.png")
    small = np.asarray(saved.convert("L").resize(shown.size), dtype=float)
    there = np.asarray(shown.convert("L"), dtype=float)
    assert there.std() > 10  # an empty picture is none
    assert np.corrcoef(small.ravel(), there.ravel())[0, 1] > 0.8
    assert np.corrcoef(small[::-1].ravel(), there.ravel())[0, 1] < 0.4  # upside down is another
    assert figure._repr_png_() == figure._repr_png_()
