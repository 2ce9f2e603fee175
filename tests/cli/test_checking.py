"""dadao-sim check: a table of laws, and an exit code that says whether one is broken."""

import pytest
import your_own

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.cli import checking
from dadao_sim.testing import outcomes

pytestmark = pytest.mark.usefixtures("own_plugins")

DGD = your_own.FILES["my_dgd.py"]
# Its gossip is of weights 2 W, so that it goes away from x*.
WRONG = DGD.replace("W(s.x)", "2 * W(s.x)").replace('"my_dgd"', '"wrong"')


@pytest.fixture
def file(tmp_path):
    (tmp_path / "my_dgd.py").write_text(DGD)
    (tmp_path / "both.py").write_text(DGD + WRONG.replace("DGD =", "WRONG ="))
    return tmp_path


def test_a_file_that_keeps_every_law(dadao_sim, file):
    code, out, err = dadao_sim("check", "my_dgd.py")
    assert (code, err) == (0, "")
    found = list(outcomes(METHODS["my_dgd"]))
    lines = out.splitlines()
    assert len(lines) == len(found) + 2
    for line, outcome in zip(lines[1:], found, strict=False):
        assert outcome.law.replace("_", " ") in line
        assert outcome.case in line
        assert f"{outcome.status} {outcome.why}".strip() in line
    passed = sum(outcome.status == "passed" for outcome in found)
    assert lines[-1] == f"my_dgd: {passed} passed, 0 broken, {len(found) - passed} skipped"


def test_a_method_that_breaks_a_law_is_said_and_fails(dadao_sim, file):
    code, out, err = dadao_sim("check", "both.py:wrong")
    assert (code, err) == (1, "")
    (*table, summary) = out.splitlines()
    broken = [line for line in table if " broken " in line]
    assert broken
    assert all(line.startswith("it makes progress") for line in broken)
    assert f", {len(broken)} broken, " in summary


def test_all_methods_of_a_file_in_two_processes(dadao_sim, file):
    one, two = (dadao_sim("check", "both.py", "--jobs", jobs) for jobs in (1, 2))
    assert one == two
    assert one[0] == 1
    summaries = [line.split(":")[0] for line in one[1].splitlines() if " passed, " in line]
    assert summaries == ["my_dgd", "wrong"]


def test_every_method_in_one_go(dadao_sim, file):
    """Of two of ours, and then of two more: what all of ours keep is tested beside the laws."""
    for name in set(METHODS.ours) - {"nids", "pg_extra"}:
        del METHODS[name]
    code, out, _ = dadao_sim("check", "--all", "--jobs", 2)
    assert code == 0
    names = [line.split(": ")[0] for line in out.splitlines()]
    assert names == ["nids", "pg_extra", "2 methods, 0 laws broken"], "no table of what is kept"
    dadao_sim("list", "--plugin", "both.py")
    code, out, _ = dadao_sim("check", "--all")
    assert code == 1
    lines = out.splitlines()
    broken = [line for line in lines if line.startswith("it makes progress")]
    assert broken
    assert lines[-1] == f"4 methods, {len(broken)} laws broken"


def test_a_method_of_ours_by_name(dadao_sim):
    code, out, _ = dadao_sim("check", "nids")
    assert (code, out.splitlines()[-1].split(",")[1]) == (0, " 0 broken")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "check: give either a file or a method's name, or --all"),
        (["nids", "--all"], "check: give either a file or a method's name, or --all"),
        (["nidz"], "method: 'nidz' is unknown; did you mean 'nids'?"),
        (["no.py"], "no.py: no such file"),
        (["no.py:my_dgd"], "no.py: no such file"),
        (
            ["my_dgd.py:dgg"],
            "my_dgd.py: has no method 'dgg'; did you mean 'my_dgd'? (known: my_dgd)",
        ),
        (["worst.py"], "worst.py: metric worst; it gives no method to check"),
    ],
)
def test_wrong_input_is_one_line(dadao_sim, file, arguments, said):
    (file / "worst.py").write_text(your_own.FILES["my_worst.py"])
    code, out, err = dadao_sim("check", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"dadao-sim: {said}")
    assert checking.BROKEN not in (0, code)
