"""A user's function that fails: one line with the run, its event or round, the node, and the
user's line; the runs that are finished are kept.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from dadao_sim import Events, Network, Problem, load_result, replay, simulate
from dadao_sim.cli.main import app
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import from_callable

PATH = Network(2, np.array([[0, 1]]))


def scenario(*algorithms: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 1}},
        "network": {"graph": "path", "nodes": 2},
        "algorithms": list(algorithms),
        "stop": {"time": 100},
        "record": {"points": 20},
        **changes,
    }


class Bowl:
    """||x - c||^2/2, until one of its functions is asked for the ``last`` time and answers else."""

    def __init__(self, centre: Any, what: str = "", last: int = 0, otherwise: Any = None):
        self.centre, self.what, self.left = np.array(centre, float), what, last
        self.otherwise = otherwise

    def answer(self, name: str, right: Any) -> Any:
        if name == self.what:
            self.left -= 1
            if self.left < 0:
                return self.otherwise()
        return right

    def value(self, x):
        return self.answer("value", 0.5 * float(((x - self.centre) ** 2).sum()))

    def gradient(self, x):
        return self.answer("gradient", x - self.centre)

    def conjugate_gradient(self, y):
        return self.answer("conjugate_gradient", y + self.centre)


def boom() -> Any:
    raise ZeroDivisionError("by\ndesign " + "x" * 500)


LINE = next(
    k for k, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "by\\ndesign" in text
)
HERE = rf"ZeroDivisionError at test_users_functions\.py:{LINE}: by design x+"


def refusal(what: str, last: int, otherwise: Any, algorithm: str) -> str:
    def run() -> None:
        objectives = [Bowl([1, 2]), Bowl([3, 0], what, last, otherwise)]
        problem = Problem.from_objectives(objectives, 1, 1, 2)
        simulate(scenario(algorithm), problem=problem, network=PATH)

    with pytest.raises(InputError) as caught:
        run()
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) <= 300
    return said


WHEN = {
    ("gradient", "dadao"): r"event \d+",
    ("gradient", "exact_diffusion"): r"round \d+",
    ("value", "dadao"): r"sample at time [\d.]+",
    ("value", "exact_diffusion"): r"sample at time [\d.]+",
}


@pytest.mark.parametrize(("what", "algorithm"), WHEN)
def test_an_exception_is_told_with_its_run_its_moment_its_node_and_its_line(what, algorithm):
    moment = f"{algorithm}, repeat 0, {WHEN[what, algorithm]}, "
    where = f"objectives: {what} of node 1: "
    last = 45 if what == "gradient" else 12
    assert re.match(f"{moment}{where}{HERE}", refusal(what, last, boom, algorithm))
    assert re.match(f"{where}{HERE}", refusal(what, 0, boom, algorithm))


def test_the_event_is_the_one_of_the_log():
    """Node 1's k-th gradient event, counted in the log of the same seed."""
    from dadao_sim.events.log import GRADIENT
    from dadao_sim.simulation.study import Study

    study = Study(scenario("dadao"), problem=Problem.averaging([[1.0, 2], [3, 0]]), network=PATH)
    events = study.plan(("dadao", 0)).source.first
    asked = np.flatnonzero((events.kind == GRADIENT) & (events.i == 1))
    counted = []

    class Counting(Bowl):
        def gradient(self, x):
            counted.append(1)
            return x - self.centre

    def run(objective: Any) -> None:
        problem = Problem.from_objectives([Bowl([1, 2]), objective], 1, 1, 2, x_star=[2, 1])
        simulate(scenario("dadao"), problem=problem, network=PATH)

    run(Counting([3, 0]))
    beside = len(counted) - asked.size  # asked when it was made, and to measure
    assert beside < 60
    said = refusal("gradient", len(counted) - 1, boom, "dadao")
    assert int(re.search(r"event (\d+)", said)[1]) in asked


WRONG = {
    "None": lambda: None,
    "text": lambda: "1",
    "a truth": lambda: True,
    "complex": lambda: np.array([1j, 2.0]),
    "complex without imaginary part": lambda: np.array([1 + 0j, 2.0]),
    "masked": lambda: np.ma.masked_array([1.0, 2.0], [True, False]),
    "objects": lambda: np.array([1.0, None]),
    "too many": lambda: np.ones(3),
    "a column": lambda: np.ones((2, 1)),
    "one number": lambda: np.ones(1),
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "dates": lambda: np.array([1, 2], "M8[s]"),
    "a way out": lambda: exit(3),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("what", ["value", "gradient", "conjugate_gradient"])
def test_answers_that_are_no_numbers_are_refused_when_the_problem_is_made(what, wrong):
    objectives = [Bowl([1, 2]), Bowl([3, 0], what, 0, WRONG[wrong])]
    with pytest.raises(InputError, match=f"^objectives: {what} of node 1: "):
        Problem.from_objectives(objectives, 1, 1, 2)


@pytest.mark.parametrize("what", ["value", "gradient"])
@pytest.mark.parametrize("wrong", ["None", "complex", "masked"])
def test_answers_that_are_no_numbers_later_name_the_moment_and_the_node(what, wrong):
    said = refusal(what, 12 if what == "value" else 45, WRONG[wrong], "exact_diffusion")
    assert re.match(rf"exact_diffusion, repeat 0, .*, objectives: {what} of node 1: ", said)


def test_a_value_that_is_nan_is_none_and_one_number_of_any_kind_is_one():
    for right in (1, np.float32(1), np.array(1.0), np.int8(1)):
        bowl = Bowl([3, 0], "value", 0, lambda right=right: right)
        assert Problem.from_objectives([bowl], 1, 1, 2).value(0, [0.0, 0.0]) == 1
    said = refusal("value", 12, lambda: float("nan"), "exact_diffusion")
    assert said.endswith("objectives: value of node 1: nan given; one real number is needed")
    for name in ("value", "gradient", "conjugate_gradient"):
        wrong = Bowl([3, 0], name, 0, lambda name=name: np.inf if name == "value" else [np.inf, 0])
        with pytest.raises(InputError, match=f"{name} of node 0: nan or infinite at x = 0"):
            Problem.from_objectives([wrong], 1, 1, 2)


@pytest.mark.parametrize(
    "objectives", [None, 3, "ab", {}, (Bowl([1, 2]) for _ in range(2)), Bowl([1, 2]), [], [None]]
)
def test_objectives_that_are_no_list_of_them(objectives):
    with pytest.raises(InputError, match=r"^objectives: "):
        Problem.from_objectives(objectives, 1, 1, 2)


@pytest.mark.parametrize("dimension", [0, -1, 2.0, "2", None, True, [2]])
def test_dimensions_that_are_none(dimension):
    with pytest.raises(InputError, match=r"^dimension: "):
        Problem.from_objectives([Bowl([1, 2])], 1, 1, dimension)


def test_a_local_step_that_fails_is_told_like_an_objective():
    asked = []

    def shrink(v, step):
        asked.append(1)
        return v / (1 + step) if len(asked) < 2000 else boom()

    problem = Problem.averaging([[1.0, 2.0], [3.0, 0.0]])
    with pytest.raises(InputError) as caught:
        simulate(
            scenario("pg_extra", stop={"time": 2000}),
            problem=problem,
            network=PATH,
            local_step=from_callable(shrink, 2, convex=True),
        )
    said = f"pg_extra, repeat 0, round \\d+, local_step: function: {HERE}"
    assert re.match(said, str(caught.value))


def test_what_is_finished_is_saved_and_can_be_read(tmp_path):
    """exact_diffusion is asked less often than EXTRA's run would need after it."""
    objectives = [Bowl([1, 2]), Bowl([3, 0], "gradient", 150, boom)]
    problem = Problem.from_objectives(objectives, 1, 1, 2)
    with pytest.raises(InputError, match=r"1 finished run is kept$"):
        simulate(
            scenario("exact_diffusion", "extra"), problem=problem, network=PATH, out=tmp_path / "r"
        )
    kept = load_result(tmp_path / "r")
    assert kept.runs.algorithm.tolist() == ["exact_diffusion"]
    assert kept.manifest["interrupted"] is True


PLUGIN = """
from pathlib import Path
from typing import Literal
import numpy as np
from pydantic import Field
from dadao_sim import Problem
from dadao_sim.problems.kinds.kind import ProblemKind

SWITCH = Path(__file__).with_name("broken")

class Bowl:
    def __init__(self, centre):
        self.centre = centre
        self.asked = 0
    def value(self, x):
        return 0.5 * float(((x - self.centre) ** 2).sum())
    def gradient(self, x):
        self.asked += 1
        if SWITCH.exists() and self.asked > 150:
            raise OSError("the switch is on")
        return x - self.centre

class Bowls(ProblemKind):
    kind: Literal["bowls"] = Field(description="bowls")
    def build(self, nodes, rng):
        return Problem.from_objectives([Bowl(float(k)) for k in range(nodes)], 1, 1, 2)
"""


@pytest.mark.slow
def test_a_run_that_failed_goes_on_with_resume(tmp_path, own_plugins):
    """From the command line: exit code 2, one line, and the same bytes as without the failure."""
    (tmp_path / "bowls.py").write_text(PLUGIN)
    (tmp_path / "s.yaml").write_text(
        "name: s\nplugins: [bowls.py]\nproblem: {kind: bowls}\nnetwork: {graph: path, nodes: 2}\n"
        "algorithms: [exact_diffusion, extra]\nstop: {time: 100}\nrecord: {points: 20}\n"
    )

    def run(out: str, *options: str) -> Any:
        return CliRunner().invoke(
            app, ["run", str(tmp_path / "s.yaml"), "--out", str(tmp_path / out), *options]
        )

    assert run("whole").exit_code == 0
    (tmp_path / "broken").touch()
    failed = run("r")
    assert isinstance(failed.exception, InputError)
    said = str(failed.exception)
    assert re.match(r"extra, repeat 0, round \d+, objectives: gradient of node 0: OSError at", said)
    assert said.endswith("bowls.py:20: the switch is on; 1 finished run is kept, for --resume")
    (tmp_path / "broken").unlink()
    assert run("r", "--resume").exit_code == 0
    for name in ("curves.parquet", "summary.csv"):
        assert (tmp_path / "r" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


BUILDS = {
    "raises": ("raise KeyError('nothing')", r"problem: KeyError at mine\.py:7: 'nothing'"),
    "an array": ("return [[1.0]]", r"problem\.kind: mine builds a list, not a Problem"),
    "nothing": ("pass", r"problem\.kind: mine builds a NoneType, not a Problem"),
    "a wrong array": ("return Problem.averaging([[1j]])", r"problem\.centres: complex numbers"),
}


@pytest.mark.parametrize("what", BUILDS)
def test_a_kind_of_problem_that_builds_none(tmp_path, own_plugins, what):
    statement, said = BUILDS[what]
    (tmp_path / "mine.py").write_text(
        "from typing import Literal\nfrom dadao_sim import Problem\n"
        "from dadao_sim.problems.kinds.kind import ProblemKind\nclass Mine(ProblemKind):\n"
        f"    kind: Literal['mine']\n    def build(self, nodes, rng):\n        {statement}\n"
    )
    plugins = {"plugins": [str(tmp_path / "mine.py")], "problem": {"kind": "mine"}}
    with pytest.raises(InputError, match=f"^{said}"):
        simulate(scenario("exact_diffusion", **plugins))


READS = {
    "raises": ("raise KeyError('nothing')", r"problem: KeyError at mine\.py:7: 'nothing'"),
    "text": (
        "return Samples(np.array([['a']]), np.ones(1))",
        r"problem\.data\.features of mine: t",
    ),
    "a row": ("return Samples(np.ones(4), np.ones(4))", r"problem\.data\.features of mine: shape"),
    "fewer": (
        "return Samples(np.ones((4, 1)), np.ones(3))",
        r"problem\.data\.targets of mine: s",
    ),
    "complex": (
        "return Samples(np.ones((4, 1)) + 1j, np.ones(4))",
        r"problem\.data\.features of ",
    ),
}


@pytest.mark.parametrize("what", READS)
def test_a_set_of_samples_that_is_none(tmp_path, own_plugins, what):
    statement, said = READS[what]
    (tmp_path / "mine.py").write_text(
        "from typing import Literal\nimport numpy as np\n"
        "from dadao_sim.problems.data.source import Samples, SampleSet\nclass Mine(SampleSet):\n"
        f"    kind: Literal['mine']\n    def read(self, *, points):\n        {statement}\n"
    )
    problem = {"kind": "ridge", "mu": 1.0, "data": {"kind": "mine"}}
    with pytest.raises(InputError, match=f"^{said}"):
        simulate(scenario("exact_diffusion", plugins=[str(tmp_path / "mine.py")], problem=problem))


@pytest.mark.parametrize("x0", [[1j, 0], ["a", "b"], np.ma.masked_array([1, 2], [1, 0]), None])
def test_a_replay_takes_numbers_alone(x0):
    problem, log = Problem.averaging([[1.0, 2.0], [3.0, 0.0]]), Events.from_arrays([], [], [])
    if x0 is None:
        with pytest.raises(InputError, match=r"^problem: a Problem is needed, not a ndarray"):
            replay("dadao", np.ones((2, 2)), PATH, log)
        return
    with pytest.raises(InputError, match=r"^x0: "):
        replay("dadao", problem, PATH, log, x0)
    with pytest.raises(InputError, match=r"^y: this cannot be a block of dadao"):
        replay("dadao", problem, PATH, log, y=x0)


SECTIONS = {
    "graph": (
        "from dadao_sim.networks.graphs import Graph\nclass Mine(Graph):\n"
        "    graph: Literal['mine']\n    def build(self, rng):\n        return 1 / 0\n",
        {"network": {"graph": "mine", "nodes": 2}},
    ),
    "fields": (
        "from pydantic import model_validator\nfrom dadao_sim.networks.graphs import Graph\n"
        "class Mine(Graph):\n    graph: Literal['mine']\n    @model_validator(mode='after')\n"
        "    def _check(self):\n        return 1 / 0\n",
        {"network": {"graph": "mine", "nodes": 2}},
    ),
    "partition": (
        "import numpy as np\nfrom dadao_sim.problems.data.partition import Partition\n"
        "class Mine(Partition):\n    kind: Literal['mine']\n"
        "    def order(self, targets, sizes, rng):\n        return np.zeros(targets.size, int)\n",
        {
            "problem": {
                **{"kind": "ridge", "mu": 1.0, "data": {"kind": "diabetes"}},
                "partition": {"kind": "mine"},
            }
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("section", SECTIONS)
def test_the_command_line_says_in_one_line_what_fails_in_a_plugin(tmp_path, section):
    code, changes = SECTIONS[section]
    (tmp_path / "mine.py").write_text(f"from typing import Literal\n{code}")
    mapping = scenario("exact_diffusion", plugins=["mine.py"], **changes)
    (tmp_path / "s.yaml").write_text(json.dumps(mapping))
    done = subprocess.run(
        [sys.executable, "-m", "dadao_sim", "validate", "s.yaml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    wanted = "the order of mine" if section == "partition" else "ZeroDivisionError at mine.py:"
    assert wanted in line
