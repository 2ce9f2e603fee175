"""One look per method, wherever it is drawn; files without a date."""

from colorsys import rgb_to_hls
from dataclasses import replace
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from synthetic import finished_run, result, style_of

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.plotting.curves import curve_figure, panel_figure
from dadao_sim.plotting.style import COLOURS, Style, paper, parse_look, save_figure, styles

FIRST = ("dadao", "continuized", "msda", "adom_plus", "adom_plus_multi_consensus")


def luminance(colour: str) -> float:
    """Of WCAG 2 and of CIE: the weighted sum of linear light; 1 is white."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def lightness(colour: str) -> float:
    """CIE L* of a colour: what is left of it in grey."""
    light = luminance(colour)
    return 116 * light ** (1 / 3) - 16 if light > 0.008856 else 903.3 * light


def look_of(methods):
    """The styles of labels of methods, some of which no registry knows."""
    looks = {name: METHODS[name].look if name in METHODS else None for name in methods.values()}
    return styles(methods, looks)


def test_the_first_five_methods_differ_in_grey_by_lightness_dash_and_marker():
    for a, b in combinations(FIRST, 2):
        assert abs(lightness(style_of(a).colour) - lightness(style_of(b).colour)) > 5
        assert style_of(a).dash != style_of(b).dash
        assert style_of(a).marker != style_of(b).marker


def test_the_methods_of_the_figure_of_arcs_have_colours_and_dashes_of_their_own():
    together = ("push_pull", "ab", "push_diging", "add_opt", "frost", "subgradient_push")
    assert len({style_of(name).colour for name in together}) == len(together)
    assert len({style_of(name).dash for name in together}) == len(together)


def test_every_colour_stands_out_from_white():
    assert all(lightness(colour) < 75 for colour in COLOURS)


def test_no_two_methods_look_alike():
    assert len({style_of(name) for name in METHODS}) == len(METHODS)


def test_any_methods_chosen_can_be_told_apart_in_grey():
    """By the dash or the marker; where both are the same, by a contrast of 3 to 1, which WCAG asks
    of graphics. A circle, a pentagon and a hexagon of a few points are one marker.
    """
    assert luminance("#FFFFFF") == pytest.approx(1)
    looks = {name: style_of(name) for name, method in METHODS.items() if method.look}
    looks = {
        name: replace(look, marker="o" if look.marker in "ohp" else look.marker)
        for name, look in looks.items()
    }
    for one, other in combinations(looks, 2):
        a, b = looks[one], looks[other]
        dark, light = sorted([luminance(a.colour) + 0.05, luminance(b.colour) + 0.05])
        assert (a.dash, a.marker) != (b.dash, b.marker) or light / dark >= 3, (one, other)


def test_a_look_is_a_colour_a_dash_and_a_marker():
    assert parse_look("blue solid o") == Style("#0072B2", (0, ()), "o")
    assert parse_look("sky dash-dot-dot <") == Style("#56B4E9", (0, (4, 1.2, 1, 1.2, 1, 1.2)), "<")


@pytest.mark.parametrize(
    "look", ["", "blue", "blue solid", "solid blue o", "blue solid x", "red solid o"]
)
def test_a_look_that_is_none_says_what_one_is(look):
    with pytest.raises(
        InputError, match=f"^look: '{look}' given; three words are needed: a colour"
    ) as e:
        parse_look(look)
    assert "a dash (solid, dashed, " in str(e.value)


def test_a_method_looks_the_same_in_any_company():
    for others in (["msda"], ["adom_plus", "mine", "msda"]):
        methods = {name: name for name in [*others, "dadao"]}
        assert look_of(methods)["dadao"] == style_of("dadao")
        assert look_of(methods)["msda"] == style_of("msda")


def test_a_second_label_takes_a_shade_of_the_colour_with_another_dash_and_marker():
    look = look_of({"dadao": "dadao", "half": "dadao", "double": "dadao", "msda": "msda"})
    ours = [look[label] for label in ("dadao", "half", "double")]
    assert ours[0].colour == style_of("dadao").colour
    hues, _, _ = np.array([rgb_to_hls(*to_rgb(style.colour)) for style in ours]).T
    np.testing.assert_allclose(hues, hues[0], atol=0.01)
    assert len({style.colour for style in ours}) == 3
    assert len({style.dash for style in ours}) == 3
    assert len({style.marker for style in look.values()}) == 4
    assert look["msda"] == style_of("msda")


def test_unknown_methods_get_free_colours_first_and_the_same_ones_again():
    methods = {name: name for name in (*FIRST, "mine", "yours", "theirs")}
    look = look_of(methods)
    assert len({look[name].colour for name in (*FIRST, "mine", "yours")}) == len(COLOURS)
    assert len(set(look.values())) == len(methods)
    assert look_of(methods) == look
    assert list(look) == list(methods)


def test_many_labels_still_differ():
    methods = {f"m{k}": f"m{k}" for k in range(20)}
    assert len(set(look_of(methods).values())) == 20


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_files_are_the_same_bytes_and_undated(tmp_path, kind, monkeypatch):
    run = result(finished_run("dadao"), finished_run("msda", rate=0.05))
    save_figure(panel_figure(run), tmp_path / f"a.{kind}")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    save_figure(panel_figure(run), tmp_path / "b", format=kind)
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / "b").read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_png_has_200_dots_per_inch(tmp_path):
    from matplotlib.image import imread

    figure = curve_figure(result(finished_run("dadao")))
    save_figure(figure, tmp_path / "f.png")
    height, width, _ = imread(tmp_path / "f.png").shape
    assert (width, height) == pytest.approx(figure.get_size_inches() * 200, abs=1)
    assert width == 680


def test_another_format_is_refused(tmp_path):
    figure = curve_figure(result(finished_run("dadao")))
    with pytest.raises(InputError, match="pdf, svg or png"):
        save_figure(figure, tmp_path / "f.docx")
    assert not list(tmp_path.iterdir())


def test_drawing_leaves_the_settings_of_the_user(tmp_path):
    before = dict(matplotlib.rcParams)
    save_figure(panel_figure(result(finished_run("dadao"))), tmp_path / "f.pdf")
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(ZeroDivisionError), paper():
        _ = 1 / 0
    assert dict(matplotlib.rcParams) == before
