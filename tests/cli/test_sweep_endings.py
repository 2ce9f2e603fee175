"""How `run` ends, of a scenario and of a sweep alike, and what it says of missing figures."""

import pytest
from ruamel.yaml import YAML

import dadao_sim.simulation.simulate as simulate_module
import dadao_sim.simulation.sweep as sweep_module
from dadao_sim.errors import WorkerKilled

ONE = {
    "name": "small",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4, "condition_number": 10},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao"],
    "stop": {"time": 60.0},
    "record": {"points": 5},
    "report": {"accuracies": [0.5]},
}
OF_TEXT = {"network.graph": ["path", "star"]}
OF_NUMBERS = {"network.nodes": [3, 4]}
MOST = {
    **OF_NUMBERS,
    "problem.data.condition_number": [2, 4],
    "problem.data.samples_per_node": [4, 5],
    "seed": [1, 2],
}


@pytest.fixture
def written(tmp_path):
    """Writes a scenario of some sections to a file."""

    def write(**sections):
        with (tmp_path / "s.yaml").open("w") as file:
            YAML(typ="safe").dump({**ONE, **sections}, file)
        return "s.yaml"

    return write


@pytest.mark.parametrize("sections", [{}, {"sweep": OF_NUMBERS}], ids=["one", "sweep"])
@pytest.mark.parametrize(
    ("ends", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted: what was finished is in out; go on with --resume"),
        (
            WorkerKilled("dadao, repeat 0: its worker was killed"),
            None,
            "dadao-sim: dadao, repeat 0: its worker was killed; what was finished is in out; "
            "go on with --resume, perhaps with fewer --jobs",
        ),
    ],
    ids=["ctrl-c", "killed"],
)
def test_what_is_broken_off_says_how_to_go_on(
    dadao_sim, written, monkeypatch, sections, ends, code, said
):
    def end(*_, **__):
        raise ends

    monkeypatch.setattr(simulate_module, "simulate", end)
    monkeypatch.setattr(sweep_module, "sweep", end)
    found, out, err = dadao_sim("run", written(**sections), "--out", "out")
    lines = [line for line in (out + err).splitlines() if "--resume" in line]
    assert lines == [said]
    assert found == code or (code is None and found not in (0, 1, 2, 130))


@pytest.mark.parametrize(
    ("sweep", "missing"),
    [
        (OF_NUMBERS, []),
        (
            OF_TEXT,
            [
                "no figure of cost against a swept key: --against: no swept key has numbers; "
                "draw a profile instead"
            ],
        ),
        (MOST, ["no figure of cost against a swept key: --at: "]),
    ],
    ids=["numbers", "text", "many keys"],
)
def test_a_figure_of_a_sweep_that_cannot_be_drawn_is_said(
    dadao_sim, written, tmp_path, sweep, missing
):
    code, out, err = dadao_sim("run", written(sweep=sweep), "--out", "out")
    assert (code, err) == (0, "")
    said = [line for line in out.splitlines() if line.startswith("no figure")]
    assert len(said) == len(missing)
    assert all(line.startswith(why) for line, why in zip(said, missing, strict=True))
    drawn = {path.name for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert "communications-profile.png" in drawn
    assert len(drawn) == 2 - len(missing)


def test_plot_says_why_there_is_no_figure(dadao_sim, written):
    dadao_sim("run", written(sweep=OF_TEXT), "--out", "out")
    code, _, err = dadao_sim("plot", "out", "--out", "f.png")
    assert code == 2
    assert err.splitlines() == [
        "dadao-sim: --against: no swept key has numbers; draw a profile instead"
    ]
