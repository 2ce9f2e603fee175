"""What one says of a figure is what it has: order, colours, names, scales, sizes, fonts, files."""

import re

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from synthetic import finished_run, result

from dadao_sim import plotting
from dadao_sim.cli.looks import LookOptions, look_of
from dadao_sim.errors import InputError
from dadao_sim.plotting import Look, comparison_figure, curve_figure, draw, save_figure
from dadao_sim.results.look import LOWEST, NARROWEST, WIDTHS
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.text.labels import bad_maths

SCENARIO = {
    "name": "small",
    "problem": {"kind": "ridge", "mu": 0.1, "data": {"kind": "synthetic", "dim": 3,
                "samples_per_node": 5}},
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", "nids"],
    "stop": {"time": 30},
}  # fmt: skip


@pytest.fixture(scope="module")
def three():
    rates = {"dadao": 0.1, "msda": 0.05, "nids": 0.02}
    runs = [
        finished_run(name, k, rate=r * (1 + k / 10)) for name, r in rates.items() for k in (0, 1)
    ]
    return result(*runs)


def names(figure):
    where = figure if figure.legends else figure.axes[0]
    legend = figure.legends[0] if figure.legends else where.get_legend()
    return [text.get_text() for text in legend.get_texts()]


def lines(figure, panel=0):
    return {line.get_label(): line for line in figure.axes[panel].lines}


def test_algorithms_are_those_chosen_in_their_order_called_and_coloured_so(three):
    figure = draw(
        three,
        algorithms=["nids", "dadao"],
        labels={"nids": r"NIDS, $\alpha = 1$"},
        colours={"nids": "vermilion", "dadao": "#123456"},
    )
    assert names(figure) == [r"NIDS, $\alpha = 1$", "DADAO"]
    drawn = lines(figure)
    assert list(drawn) == ["nids", "dadao"]
    assert [to_hex(line.get_color()) for line in drawn.values()] == ["#d55e00", "#123456"]
    band = figure.axes[0].collections[0]
    assert to_hex(band.get_facecolor()[0]) == "#d55e00"


def test_who_is_left_out_changes_nobodys_look(three):
    every, one = lines(draw(three)), lines(draw(three, algorithms=["nids"]))
    for what in ("get_color", "get_marker", "get_linestyle"):
        assert getattr(every["nids"], what)() == getattr(one["nids"], what)()
    np.testing.assert_array_equal(every["nids"].get_ydata(), one["nids"].get_ydata())


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_one_scale_for_all_panels(three, scale):
    figure = draw(three, x=["communications", "time", "bytes"], x_scale=scale, y_scale=scale)
    assert [axes.get_xscale() for axes in figure.axes] == [scale] * 3
    assert [axes.get_yscale() for axes in figure.axes] == [scale] * 3


def test_limits_are_those_given_in_every_panel(three):
    figure = draw(three, x=["time", "gradients"], x_limits=[5, 500], y_limits=[1e-3, 2])
    for axes in figure.axes:
        assert axes.get_xlim() == (5, 500)
        assert axes.get_ylim() == (1e-3, 2)


def test_a_cross_outside_the_limits_is_not_drawn():
    made = result(finished_run("dadao"), finished_run("msda", rate=-0.5))
    assert "msda: diverged" in lines(draw(made, x="time", x_limits=[0, 300]))
    assert "msda: diverged" not in lines(draw(made, x="time", x_limits=[0, 5]))


@pytest.mark.parametrize(
    ("width", "inches"),
    [*WIDTHS.items(), (4.25, 4.25), (3, 3.0)],
)
def test_the_file_is_as_wide_and_high_as_asked_for(three, tmp_path, width, inches):
    figure = draw(three, width=width, height=2.5)
    assert figure.get_size_inches().tolist() == [inches, 2.5]
    save_figure(figure, tmp_path / "f.pdf")
    (box,) = re.findall(
        rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+) *\]", (tmp_path / "f.pdf").read_bytes()
    )
    assert [float(one) / 72 for one in box] == pytest.approx([inches, 2.5], abs=1e-3)


def test_widths_of_venues():
    """Of their style files: icml2025.sty (6.75 in, columns of 3.25), neurips_2025.sty (5.5 in)."""
    assert (WIDTHS["icml"], WIDTHS["icml-double"], WIDTHS["neurips"]) == (3.25, 6.75, 5.5)


@pytest.mark.parametrize("place", ["above", "below", "right", "inside", "none"])
def test_the_legend_is_where_it_was_asked_for_and_the_title_over_all(three, place):
    figure = draw(three, legend=place, title="$n = 4$")
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    axes = figure.axes[0].get_window_extent()
    if place == "none":
        assert not figure.legends
        assert figure.axes[0].get_legend() is None
    else:
        legend = figure.axes[0].get_legend() if place == "inside" else figure.legends[0]
        box = legend.get_window_extent(renderer)
        inside = axes.x0 <= box.x0 <= box.x1 <= axes.x1 and axes.y0 <= box.y0 <= box.y1 <= axes.y1
        assert {"above": box.y0 >= axes.y1, "below": box.y1 <= axes.y0, "right": box.x0 >= axes.x1,
                "inside": inside}[place]  # fmt: skip
    title = figure.legends[0].get_title() if place == "above" else figure._suptitle
    assert title.get_text() == "$n = 4$"
    assert title.get_window_extent(renderer).y0 >= axes.y1


FONTS = {"serif": b"STIXGeneral-Regular", "sans": b"DejaVuSans", "computer-modern": b"Cmr10"}


@pytest.mark.parametrize("font", FONTS)
def test_fonts_are_those_asked_for_and_embedded(three, tmp_path, font):
    """In a PDF a font is embedded where its descriptor has a FontFile."""
    save_figure(draw(three, font=font, title="A title"), tmp_path / "f.pdf")
    content = (tmp_path / "f.pdf").read_bytes()
    descriptors = re.findall(rb"/Type /FontDescriptor.*?endobj", content, flags=re.DOTALL)
    used = re.findall(rb"/FontName /[A-Z]{6}\+([\w-]+)", content)
    assert FONTS[font].lower() in {name.lower() for name in used}
    assert len(descriptors) == len(used) > 0
    assert all(re.search(rb"/FontFile\d? \d+ 0 R", one) for one in descriptors)
    others = {name.lower() for other, name in FONTS.items() if other != font}
    if font != "computer-modern":  # which has no norm bars
        assert not others & {name.lower() for name in used}


def test_tex_is_refused_in_one_line_where_there_is_none(three, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        InputError, match=r"^font: tex needs latex and dvipng, which cannot be found"
    ):
        draw(three, font="tex")


def test_the_same_look_gives_the_same_bytes(three, tmp_path):
    for name in ("a.pdf", "b.pdf"):
        save_figure(draw(three, x=["bytes", "bits"], width="double", font="sans"), tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_the_scenario_python_and_the_default_draw_alike(three, tmp_path):
    """Nothing said is the figure there always was."""
    save_figure(curve_figure(three, "bits"), tmp_path / "a.png")
    save_figure(draw(three, x="bits"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"algorithms": ["dada"]},
            r"^algorithms: 'dada' is no label of an algorithm; did",
        ),
        ({"colours": {"msd": "blue"}}, r"^colours: 'msd' is no label"),
        ({"colours": {"msda": "bleu"}}, r"^colours.msda: 'bleu' is no colour; use blue, "),
        ({"labels": {"msda": r"$\frac{$"}}, r"^labels.msda: .* is no maths that can be drawn: "),
        ({"title": "5 $"}, r"^title: '5 \$' has a \$ that begins maths and none that ends it"),
        ({"width": "icmk"}, r"^width: unknown value 'icmk'; did you mean 'icml'"),
        ({"width": 0.1}, r"^width: must be 2.5 to 40 inches or a name, got 0.1"),
        ({"height": 1.2}, r"^height: must be at least 1.25, got 1.2"),
        ({"x_limits": [-5, -1]}, r"^x_limits.1: must end above 0, got -1: what is spent is never"),
        ({"x_limits": [1e7, 1e8]}, r"^x_limits: nothing lies within x 1e\+07 to 1e\+08; use"),
        ({"y_limits": [1e7, 1e8]}, r"^y_limits: nothing lies within y 1e\+07 to 1e\+08; use"),
        (
            {"x": ["time", "bits"], "x_limits": [1000, 9000]},
            r"^x_limits: nothing lies within x 1000 to 9000 in the panel of time; use wider ones",
        ),
        ({"x_limits": [2, 1]}, r"^x_limits: must go up, got 2 to 1"),
        ({"y_scale": "log", "y_limits": [0, 1]}, r"^y_limits.0: must be above 0 where y_scale is"),
        ({"y_limits": [0, 1]}, r"^y_limits: begin at 0; a logarithmic axis is above 0"),
        ({"legend": "left"}, r"^legend: unknown value 'left'"),
        ({"colors": {}}, r"^colors: unknown key; did you mean 'colours'"),
        ({"x": "bites"}, r"^x.0: unknown value 'bites'; did you mean 'bits'"),
        ({"y": "loss"}, r"^y: unknown value 'loss' \(known: accuracy"),
    ],
)
def test_what_a_figure_cannot_have_is_one_line(three, keys, message):
    with pytest.raises(InputError, match=message) as caught:
        draw(three, **keys)
    assert "\n" not in str(caught.value)


def test_maths_that_can_be_drawn_and_maths_that_cannot():
    for right in ("plain", r"\$5", r"$\bar{x}_i^2$", r"a $\kappa$ and $\chi_1$", r"$\$5$"):
        assert bad_maths(right) == "", right
    for wrong in ("$", r"$\nosuch$", "$x^{2$", "$a$ $b"):
        assert bad_maths(wrong), wrong


def test_comparisons_take_the_same_look(three):
    look = Look(algorithms=("msda", "dadao"), labels={"msda": "M"}, title="T", width="ieee")
    figure = comparison_figure({"a": three}, 1e-2, look=look)
    assert names(figure) == ["M", "DADAO"]
    assert figure.get_figwidth() == 3.5
    (axes,) = figure.axes
    assert len(axes.lines) == 4, "a range and a mark of each"
    costs = three.summary.query("accuracy == 1e-2").set_index("algorithm")["communications_median"]
    height = {line.get_xdata()[0]: line.get_ydata()[0] for line in axes.lines[1::2]}
    assert set(height) == {costs["msda"], costs["dadao"]}
    assert height[costs["msda"]] < height[costs["dadao"]], "the axis goes down"
    wide = Look(x_limits=(1.0, 1e6))
    assert comparison_figure({"a": three}, 1e-2, look=wide).axes[0].get_xlim() == (1.0, 1e6)
    for wrong, where in (
        (Look(x_limits=(1.0, 2.0)), "x_limits"),
        (Look(x_scale="linear"), "x_scale"),
        (Look(y_limits=(0.0, 1.0)), "y_limits"),
        (Look(algorithms=("extra",)), "algorithms"),
    ):
        with pytest.raises(InputError, match=f"^{where}: "):
            comparison_figure({"a": three}, 1e-2, look=wrong)


def test_a_section_of_the_scenario_is_checked_before_the_run():
    def refused(**figure):
        with pytest.raises(InputError) as caught:
            scenario_from_mapping({**SCENARIO, "figures": [{"file": "a.pdf", **figure}]})
        return str(caught.value)

    assert refused(title="$\\frac$").startswith("figures.0.title: ")
    assert refused(labels={"nids": "$x^{$"}).startswith("figures.0.labels.nids: ")
    assert refused(algorithms=["dadao", "nid"]).startswith("figures.0.algorithms.1: 'nid' is no")
    assert refused(x="seconds").startswith("figures.0.x.0: seconds: the scenario has no world")
    assert refused(x="rounds") == "figures.0.x.0: rounds: dadao has none"
    assert refused(y="loss").startswith("figures.0.y: 'loss' is not measured (known: accuracy")
    below = refused(y_limits=[-1, 1])
    assert below.startswith("figures.0.y_limits.0: must be above 0, for the axis of accuracy is")
    assert refused(x_limits=[-5, -1]).startswith("figures.0.x_limits.1: must end above 0, got -1")
    assert refused(file="curves.png").startswith("figures.0.file: 'curves.png' is the standard")
    assert refused(file="../a.png").startswith("figures.0.file: ")
    assert refused(file="a.gif").startswith("figures.0.file: ")
    figures = [{"file": "a.pdf"}, {"file": "A.pdf"}]
    with pytest.raises(InputError, match=r"^figures.1.file: is the file of figures.0 too"):
        scenario_from_mapping({**SCENARIO, "figures": figures})
    for right in (
        {"x": "rounds", "algorithms": ["nids"]},
        {"x_limits": [-5, 10]},
        {"y_limits": [-1, 1], "y_scale": "linear"},
    ):
        scenario_from_mapping({**SCENARIO, "figures": [{"file": "a.pdf", **right}]})


def test_python_refuses_limits_below_all_costs(three):
    with pytest.raises(InputError, match=r"^x_limits: end at 0; what is spent is never less"):
        curve_figure(three, look=Look(x_limits=(-1.0, 0.0)))


def test_between_two_samples_there_is_what_joins_them():
    runs = finished_run("dadao", rate=0.1)
    x = sorted(runs.curves["time"])
    between = [x[4] + 0.3 * (x[5] - x[4]), x[4] + 0.6 * (x[5] - x[4])]
    assert draw(result(runs), x="time", x_limits=between)


@pytest.mark.parametrize("labels", [1, 3])
def test_in_the_smallest_figure_no_label_is_cut_off(three, labels):
    look = Look(width=NARROWEST, height=LOWEST, algorithms=tuple(three.methods)[:labels])
    figure = curve_figure(three, look=look)
    FigureCanvasAgg(figure).draw()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= NARROWEST
    assert drawn.y1 <= LOWEST


@pytest.mark.parametrize(("option", "name"), [("label", "labels"), ("colour", "colours")])
def test_two_names_of_one_algorithm_are_refused(three, option, name):
    asked = {option: ["dadao=red", "DADAO=blue"]}
    with pytest.raises(InputError, match=rf"^--{option}: 'dadao' is given twice; give each"):
        look_of({"": three}, LookOptions(**asked))
    look = look_of({"": three}, LookOptions(**{option: ["dadao=green", "MSDA=blue"]}))
    assert getattr(look, name) == {"dadao": "green", "msda": "blue"}


def test_every_public_name_of_plotting_is_that_of_its_home():
    assert set(plotting.__all__) == set(plotting._HOMES) <= set(dir(plotting))
    for name in plotting.__all__:
        assert getattr(plotting, name).__module__ == f"dadao_sim.{plotting._HOMES[name]}"
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = plotting.plot


def test_a_png_is_of_the_size_asked_for(three, tmp_path):
    save_figure(draw(three, width=4, height=2), tmp_path / "f.png")
    header = (tmp_path / "f.png").read_bytes()[16:24]
    assert [int.from_bytes(header[k : k + 4], "big") for k in (0, 4)] == [800, 400]
