"""`show` and `list` say what the methods declare and compute."""

import inspect
import json
import sys
import types

import numpy as np
import pytest

from dadao_sim.algorithms import dgd
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.reports.methods import CURVATURES, Described, small_network, small_problem

MU, L = CURVATURES[0], CURVATURES[-1]


@pytest.fixture
def shown(dadao_sim):
    def call(*arguments):
        code, out, err = dadao_sim("show", *arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return call


@pytest.fixture
def listed(dadao_sim):
    """The names that a list has."""

    def call(*arguments):
        code, out, err = dadao_sim("list", *arguments, "--json")
        assert (code, err) == (0, "")
        return {row["name"] for row in json.loads(out)["methods"]}

    return call


@pytest.mark.parametrize("name", METHODS.ours)
def test_every_method_has_its_equations_constants_and_guarantee(name):
    described = Described(METHODS[name])
    sections = described.sections
    assert {"Problem", "State", "Guarantee", "Reference"} <= set(sections)
    others = {"Problem", "State", "Constants", "Guarantee", "Reference", "Notes", "Server"}
    assert set(sections) - others, "no equations"
    assert described.guarantee
    assert described.summary.endswith(".")
    parts = [described.summary, *(part for section in sections.items() for part in section)]
    said = " ".join(" ".join(parts).split()).replace(" Notes", "")
    assert sorted(said.split()) == sorted(described.docstring.split()), "nothing is lost"


def test_a_script_that_holds_a_method_does_not_speak_for_it(monkeypatch):
    script = types.ModuleType("script", doc="A study of mine.")
    script.METHOD = METHODS["dgd"]
    monkeypatch.setattr(sys, "modules", {"script": script, **sys.modules})
    assert Described(METHODS["dgd"]).docstring == inspect.getdoc(dgd)


@pytest.mark.parametrize("name", METHODS.ours)
def test_the_constants_that_are_shown_can_be_given_as_parameters(name):
    method = METHODS[name]
    described = Described(method)
    constants = described.tuning.constants
    for constant, value in constants.items():
        problem = small_problem(method)
        again = method.ready_for(problem).tune(problem, small_network(), {constant: value})
        assert again.constants[constant] == value


def test_the_small_problem_has_the_mu_and_the_L_that_are_printed():
    for name in ("dgd", "adfs"):
        problem = small_problem(METHODS[name])
        np.testing.assert_allclose([problem.mu, problem.L], [MU, L])


def test_constants_against_the_papers(shown):
    """W = I - Laplacian/lambda_max has the least eigenvalue 0."""
    assert shown("dgd")["constants"]["step"] == pytest.approx(1 / (2 * L))
    found = shown("k_gt")["constants"]
    assert (found["K"], found["a"]) == (4, pytest.approx(1 / (4 * 4 * L)))
    found = shown("dadao")["constants"]
    assert found["nu"] == pytest.approx(MU / 2)
    assert found["gamma_tilde"] == pytest.approx(1 / (4 * np.sqrt(L * MU / 2)))
    assert found["chi1"] * found["chi2"] == pytest.approx(1 / 2)


def test_constants_of_a_scenario(shown, tmp_path):
    change = ("--set", "problem.data.condition_number=25", "--set", "network.nodes=8")
    found = shown("dadao", "--on", "quickstart", *change)
    assert found["constants_on"] == "quickstart"
    assert found["constants"]["L"] / found["constants"]["mu"] == pytest.approx(25)
    assert found["constants"]["unit_chi1"] == pytest.approx(7)  # of a star of eight


@pytest.mark.parametrize(("name", "arguments"), [("dadao", ()), ("nids", ("--on", "quickstart"))])
def test_the_rows_for_programs_are_not_rounded(shown, name, arguments):
    found = shown(name, *arguments)
    assert {row["constant"]: row["value"] for row in found["values"]} == found["constants"]
    assert any(float(f"{value:.6g}") != value for value in found["constants"].values())
    for title, factors in METHODS[name].constant_sets.items():
        column = {row["constant"]: row[f"times_in_{title}"] for row in found["values"]}
        assert {constant: f for constant, f in column.items() if f is not None} == {
            constant: factors[constant] for constant in column if constant in factors
        }


def test_what_a_person_reads(dadao_sim):
    code, out, err = dadao_sim("show", "dadao")
    assert (code, err) == (0, "")
    page = " ".join(out.split())
    assert " ".join(METHODS["dadao"].constants.__globals__["__doc__"].split()[:40]) in page
    (row,) = [line.split() for line in out.splitlines() if line.startswith("total_rate ")]
    sets = METHODS["dadao"].constant_sets
    assert row[2:] == [f"{s['total_rate']:g}" if "total_rate" in s else "-" for s in sets.values()]
    assert dadao_sim("show", "DADO")[0] == 2
    assert "add --on SCENARIO" in dadao_sim("show", "dadao", "--set", "seed=1")[2]
    assert (
        "has no form for time-varying"
        in dadao_sim("show", "nids", "--on", "paper/time-varying-regression")[2]
    )


OWN = """
from dadao_sim.algorithms.contract.rounds import RoundMethod


def constants(c, problem, network):
    \"\"\"A step that I chose.\"\"\"
    c.step = 1 / (5 * c.L)


def step(s, c, nodes, W):
    \"\"\"X+ = W X - a grad F(X).\"\"\"
    s.x = W(s.x) - c.step * nodes.gradients(s.x)


METHOD = RoundMethod(name="mine", title="Mine", constants=constants, step=step)
"""


@pytest.mark.usefixtures("own_plugins")
def test_a_method_of_ones_own_is_shown(shown, listed, tmp_path):
    (tmp_path / "mine.py").write_text(OWN)
    found = shown("mine", "--plugin", "mine.py")
    assert found["sections"] == {
        "Step": "X+ = W X - a grad F(X).",
        "Constants": "A step that I chose.",
    }
    assert found["constants"]["step"] == pytest.approx(1 / (5 * L))
    assert (found["oracle"], found["guarantee"]) == ("gradient", "")
    assert listed("--plugin", "mine.py", "--family", "other") == {"mine"}


def test_methods_are_listed_by_what_they_ask_for(listed):
    assert listed("--oracle", "local solve") == {"d_admm", "deep_mix", "edge_admm", "walkman"}
    assert listed("--oracle", "local-solve") == listed("--oracle", "LOCAL_SOLVE")
    conjugate = {name for name, method in METHODS.items() if method.needs_conjugate}
    assert listed("--oracle", "conjugate gradient") == conjugate
    varying = {name for name, method in METHODS.items() if method.time_varying}
    assert listed("--graphs", "time-varying") == varying
    assert listed("--graphs", "fixed") == set(METHODS) - varying
    assert listed("--oracle", "gradient", "--graphs", "time-varying") == varying & listed(
        "methods", "--oracle", "gradient"
    )
    assert "adom" not in listed("--oracle", "gradient", "--graphs", "time-varying")
    assert listed("--takes", "minibatches") == {n for n, m in METHODS.items() if m.stochastic}
    able = {name for name, method in METHODS.items() if "operator" in method.solves}
    assert listed("--solves", "operator") == able
    assert listed("--takes", "compression") >= {"choco_sgd", "lead", "beer", "choco_gossip"}
    assert listed("--family", "gossip", "--graphs", "time-varying") == {
        "push_sum",
        "synchronous_gossip",
    }
    assert listed("--clock", "poisson") >= {"dadao", "continuized", "ad_psgd"}
    assert listed("--oracle", "none", "--takes", "minibatches") == set()


def test_lists_of_other_things(dadao_sim):
    code, out, _ = dadao_sim("list", "--json")
    document = json.loads(out)
    assert code == 0
    assert list(document)[:3] == ["said", "methods", "problems"]
    document.pop("said")
    names = {kind: {row["name"] for row in rows} for kind, rows in document.items()}
    assert names["methods"] == set(METHODS)
    assert "learned" in names["local_steps"]
    assert "world/loss" in names["scenarios"]
    assert {row["name"]: row["options"] for row in document["graphs"]}[
        "torus_2d"
    ] == "rows, columns"
    assert json.loads(dadao_sim("list", "graphs", "--json")[1])["graphs"] == document["graphs"]
    code, _, err = dadao_sim("list", "graphs", "--oracle", "gradient")
    assert (code, "--oracle: is of methods, not of graphs; leave it out" in err) == (2, True)
