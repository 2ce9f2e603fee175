"""tune-constants: what it prints and writes, and one line for what is wrong; critical factors."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dadao_sim.cli.networks import percent
from dadao_sim.networks import Network
from dadao_sim.reports.critical import critical_factor
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.study import Study

SHORT = ("--budget", 22, "--kappa", "30", "--for", "communications")
SMALL = ("--graph", "complete", "--nodes", 4)
PROBLEM = "{kind: least_squares, data: {kind: synthetic, dim: 3, samples_per_node: 5}}"
SCENARIO = f"""
name: small
problem: {PROBLEM}
network: {{file: net.graphml}}
algorithms: [dadao, {{name: dadao, label: "DADAO, tuned", rate_factor: 2.0}}]
stop: {{time: 30}}
record: {{points: 10}}
"""


def the_tuned(path):
    """The last algorithm of a scenario file."""
    return load_scenario(path).algorithms[-1]


@pytest.mark.slow
def test_what_is_written_is_what_is_said_and_runs(dadao_sim, tmp_path):
    code, out, err = dadao_sim("tune-constants", *SMALL, *SHORT, "--out", "a/tuned.yaml")
    assert (code, err) == (0, "")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line}
    assert rows["paper"][-1] == "1.00"
    assert float(rows["tuned"][-1]) >= float(rows["frugal"][-1]) > float(rows["fast"][-1])
    assert re.search(r"the tuned set is stable from 0\.\d+ of its gossip rates on", out)
    printed = re.search(r"^  \{(.*)\}$", out, re.M).group(1)
    factors = dict(pair.split(": ") for pair in printed.split(", "))
    constants = the_tuned(tmp_path / "a/tuned.yaml").constants
    if "nothing is gained" in out:
        assert constants == "frugal"
    else:
        assert constants == {name: float(factor) for name, factor in factors.items()}
    before = (tmp_path / "a/tuned.yaml").read_bytes()
    again = dadao_sim("tune-constants", *SMALL, *SHORT, "--out", "a/tuned.yaml")
    assert again == (code, out, err)
    assert (tmp_path / "a/tuned.yaml").read_bytes() == before
    code, out, _ = dadao_sim("run", "a/tuned.yaml", "--set", "stop.time=20")
    assert code == 0
    assert "(experimental)" in out
    assert "diverged" not in out


@pytest.mark.slow
def test_the_rows_for_programs_are_not_rounded(dadao_sim):
    code, out, err = dadao_sim("tune-constants", *SMALL, *SHORT, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    rows = {row["constants"]: row for row in document["sets"]}
    assert list(rows) == ["paper", "fast", "frugal", "patient", "tuned"]
    assert rows["tuned"]["critical_factor"] == document["stable_from"]
    paper = rows["paper"]
    for row in rows.values():
        ratio = row["communications"] / row["decay_kappa_30"]
        assert row["per_e_fold_kappa_30"] == pytest.approx(ratio, rel=1e-13)
        gain = paper["per_e_fold_kappa_30"] / row["per_e_fold_kappa_30"]
        assert row["gain"] == pytest.approx(gain, rel=1e-13)
    numbers = [row["per_e_fold_kappa_30"] for row in rows.values()]
    assert [float(f"{number:.4g}") for number in numbers] != numbers
    lines = dadao_sim("tune-constants", *SMALL, *SHORT)[1].splitlines()
    for row in rows.values():
        (line,) = [line.split() for line in lines if line.startswith(f"{row['constants']} ")]
        assert float(line[3]) == float(f"{row['per_e_fold_kappa_30']:.4g}")


@pytest.mark.slow
def test_a_scenario_is_tuned_for_its_network_and_condition_number(dadao_sim, tmp_path):
    dadao_sim("rates", *SMALL, "--out", "net.graphml")
    (tmp_path / "s.yaml").write_text(SCENARIO)
    code, out, _ = dadao_sim("tune-constants", "s.yaml", "--budget", 1, "--out", "out/t.yaml")
    assert code == 0
    assert out.startswith("net: 4 nodes, 0 sets of constants tried")
    kappa = float(re.search(r"decay, kappa ([\d.]+)", out).group(1))
    problem = Study("s.yaml").parts(0).problem
    assert kappa == pytest.approx(problem.L / problem.mu, rel=1e-5)
    written = load_scenario(tmp_path / "out/t.yaml")
    assert [spec.label for spec in written.algorithms] == [
        "dadao",
        "DADAO, tuned",
        "DADAO, tuned 2",
    ]
    assert dadao_sim("run", "out/t.yaml")[0] == 0


@pytest.mark.slow
def test_a_file_with_rates_is_what_is_tuned_for(dadao_sim, tmp_path):
    dadao_sim("rates", "--graph", "path", "--nodes", 4, "--out", "net.graphml")
    given = ("net.graphml", "--rates", "gossip_rate", "--kappa", 30, "--budget", 1)
    assert dadao_sim("tune-constants", *given, "--out", "out/t.yaml")[0] == 0
    written = load_scenario(tmp_path / "out/t.yaml")
    assert written.network.rates.attribute == "gossip_rate"
    assert dadao_sim("validate", "out/t.yaml")[0] == 0


def test_a_gain_of_nothing_names_the_set_that_is_shipped(dadao_sim, tmp_path):
    given = ("--graph", "path", "--nodes", 3, "--budget", 1, "--kappa", 30, "--out", "t.yaml")
    out = dadao_sim("tune-constants", *given)[1]
    assert (
        "nothing is gained (less than 5 % over a set that is shipped): take constants: fast" in out
    )
    assert the_tuned(tmp_path / "t.yaml").constants == "fast"


CYCLE = ("tune-constants", "--graph", "cycle", "--nodes", 8)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tune-constants",), "give either a GraphML file or --graph"),
        (("tune-constants", "--graph", "cylce", "--nodes", 8), "did you mean 'cycle'"),
        (("tune-constants", "quickstat"), "did you mean 'quickstart'"),
        (("tune-constants", "no.graphml"), "there is no file no.graphml"),
        (("tune-constants", "quickstart", "--nodes", 4), "do not go with a scenario"),
        ((*CYCLE, "--method", "ad_psgd"), "none of its constants can be scaled"),
        ((*CYCLE, "--method", "extra"), "extra plays rounds"),
        ((*CYCLE, "--method", "dada"), "did you mean 'dadao'"),
        ((*CYCLE, "--kappa", "100:10"), "--kappa: 100:10 is no range"),
        ((*CYCLE, "--kappa", "1:2:3"), "--kappa 1:2:3: must be LOW:HIGH"),
        ((*CYCLE, "--kappa", "nan"), "--kappa nan: must be LOW:HIGH"),
        ((*CYCLE, "--margin", "1.5"), "--margin: 1.5 is no share"),
        ((*CYCLE, "--gradient-price", 1), "go with --for cost"),
        ((*CYCLE, "--for", "cost", "--gradient-price", -1), "--for cost: -1 of a gradient, 1 of"),
        ((*CYCLE, "--out", "t.json"), "--out: t.json: name a file that ends in .yaml"),
        (("network", "--graph", "cycle", "--nodes", 8, "--kappa", 0.5), "--kappa: 0.5 is no L/mu"),
    ],
)
def test_what_is_wrong_is_one_line(dadao_sim, arguments, said):
    code, out, err = dadao_sim(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert said in err


def test_a_missing_library_is_named_with_its_extra(dadao_sim, monkeypatch):
    monkeypatch.setattr("dadao_sim.theory.tuned_constants.find_spec", lambda name: None)
    assert dadao_sim(*CYCLE)[::2] == (
        2,
        'dadao-sim: needs cmaes; install it with: pip install "dadao-sim[tune]"\n',
    )


def test_an_interrupt_is_one_line(dadao_sim, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dadao_sim.theory.tuned_constants._search", interrupted)
    assert dadao_sim(*CYCLE, "--kappa", 30) == (
        130,
        "interrupted: nothing was written\n",
        "",
    )


# ---- the critical factor of network and rates


def test_the_tutorial_prints_what_the_commands_print(dadao_sim):
    root = Path(__file__).parents[2]
    page = (root / "docs/is-my-network-fast-enough.md").read_text("utf-8")
    out = dadao_sim("network", root / "graphs/nsfnet.graphml")[1].splitlines()
    shown = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [line for line in shown if line != "..."] == [
        *out[:3],
        next(line for line in out if line.startswith("DADAO ")),
        out[-1],
    ]
    rows = dadao_sim("rates", root / "graphs/nsfnet.graphml")[1].splitlines()
    for name in ("uniform", "auto"):
        (row,) = (line.split() for line in rows if line.startswith(name))
        (said,) = (line.split() for line in page.splitlines() if line.startswith(name))
        assert (row[:3], row[-1]) == (said[:3], said[-1])


def test_network_prints_the_critical_factor(dadao_sim):
    code, out, _ = dadao_sim("network", "--graph", "cycle", "--nodes", 8)
    assert code == 0
    line = out.splitlines()[-1]
    assert line.startswith("critical factor of DADAO: 0.928 (share of its gossip rate above which")
    report = json.loads(
        dadao_sim("network", "--graph", "path", "--nodes", 8, "--kappa", 10, "--json")[1]
    )
    assert report["critical_factor"] == pytest.approx(0.925, abs=6e-4)
    assert report["critical_left_out"] == ""


@pytest.mark.slow
def test_a_graph_that_takes_long_is_left_out_with_the_reason(dadao_sim):
    out = dadao_sim("network", "--graph", "path", "--nodes", 65)[1]
    assert "critical factor of DADAO left out: 65 nodes; it is computed up to 64, or 300" in out
    report = json.loads(dadao_sim("network", "--graph", "cycle", "--nodes", 100, "--json")[1])
    assert 0.97 < report["critical_factor"] < 1


@pytest.mark.slow
def test_rates_prints_a_critical_factor_for_each(dadao_sim):
    code, out, _ = dadao_sim("rates", "--graph", "barbell", "--nodes", 8, "--json")
    assert code == 0
    methods = json.loads(out)["methods"]
    assert methods["uniform"]["critical_factor"] == pytest.approx(0.712, abs=6e-4)
    assert methods["auto"]["critical_factor"] == pytest.approx(0.906, abs=2e-3)
    dadao_sim("rates", "--graph", "barbell", "--nodes", 8, "--out", "b.graphml")
    out = dadao_sim("network", "b.graphml", "--rates", "gossip_rate")[1]
    printed = float(re.search(r"critical factor of DADAO: ([\d.]+)", out).group(1))
    assert printed == pytest.approx(methods["auto"]["critical_factor"], abs=1e-3)


def test_rates_too_far_apart_have_no_critical_factor():
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    far = Network(nodes=3, edges=edges, rates=np.array([1e20, 1.0, 1.0]))
    assert critical_factor(far, 100.0) == (None, "the rates of the edges are too far apart")
    near = Network(nodes=3, edges=edges, rates=np.array([1e9, 1.0, 1.0]))
    assert 0.5 < critical_factor(near, 100.0).factor < 1


def test_what_rounding_saves_is_nothing():
    assert percent(-2.2e-16) == "0 %"
    assert percent(1e-10) == "1e-08 %"
    assert percent(-0.05) == "-5 %"
