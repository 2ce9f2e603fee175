"""A user's files: what they give, wherever a scenario with them goes; and all that is refused."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
import your_own

from dadao_sim import plugins, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.registration import REGISTRIES
from dadao_sim.results.result import load_result
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping, schema
from dadao_sim.simulation.identity import inputs_of

pytestmark = pytest.mark.usefixtures("own_plugins")

DGD = your_own.FILES["my_dgd.py"]
EVENTS = """
from typing import NamedTuple

from dadao_sim.algorithms.contract.clocks import half_an_exchange_per_gradient
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine import oracles


class Params(NamedTuple):
    step: float


def constants(c, problem, network):
    c.total_rate = problem.nodes / 2
    c.step = 1 / (16 * c.L)


def gradient(state, p, objective, i, mark, out):
    oracles.gradient(objective, i, state.values[i, 0], mark, out)


def apply_gradient(state, p, i, g):
    for k in range(g.shape[0]):
        state.values[i, 0, k] -= p.step * g[k]


def apply_message(state, p, e, i, m):
    for k in range(m.shape[0]):
        state.values[i, 0, k] -= m[k] / 2


MINE = AsynchronousMethod(
    name="mine",
    params=Params,
    constants=constants,
    clock=half_an_exchange_per_gradient,
    gradient=gradient,
    apply_gradient=apply_gradient,
    apply_message=apply_message,
    reference="nobody, never",
)
"""
SMALL = """
name: small
plugins: [my_dgd.py]
problem: {kind: averaging, data: {kind: synthetic, dim: 2}}
network: {graph: path, nodes: 4}
algorithms: [my_dgd, nids]
repeats: 2
stop: {time: 20}
"""


@pytest.fixture
def small(tmp_path):
    (tmp_path / "my_dgd.py").write_text(DGD)
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def refusal(file, content=None):
    if content is not None:
        file.write_text(content)
    before = [dict(registry) for registry in REGISTRIES]
    with pytest.raises(InputError) as error:
        plugins.load(file)
    assert [dict(registry) for registry in REGISTRIES] == before, "something stayed"
    said = str(error.value)
    assert "\n" not in said
    return said


# ---- what is loaded ------------------------------------------------------------------------------


def test_a_file_gives_what_it_defines_and_what_it_registers(tmp_path):
    file = tmp_path / "two things.py"
    register = "from dadao_sim import register\n[register(DGD)]\ndel DGD\n"
    file.write_text(DGD + register + your_own.FILES["my_worst.py"])
    plugin = plugins.load(file)
    assert plugin.gives == {"method": ["my_dgd"], "metric": ["worst"]}
    assert str(plugin) == "two things.py: method my_dgd; metric worst"
    assert METHODS["my_dgd"].title == "DGD"


def test_what_a_file_imports_is_not_what_it_gives(tmp_path):
    file = tmp_path / "my_dgd.py"
    imports = "from dadao_sim.algorithms.extra import PG_EXTRA\nfrom dadao_sim.metrics import *\n"
    file.write_text(imports + DGD)
    assert plugins.load(file).gives == {"method": ["my_dgd"]}


def test_the_same_content_is_loaded_once_and_another_one_anew(tmp_path, monkeypatch):
    file = tmp_path / "my_dgd.py"
    file.write_text(DGD)
    first = plugins.load(file)
    monkeypatch.chdir(tmp_path)
    assert plugins.load("my_dgd.py") is first
    assert plugins.load(tmp_path / "." / "my_dgd.py") is first
    changed = DGD.replace('"my_dgd"', '"my_dg2"')  # of the same size, within the same second
    file.write_text(changed)
    second = plugins.load(file)
    assert second.module.__name__ != first.module.__name__
    assert "my_dg2" in METHODS
    assert "my_dgd" not in METHODS
    said = refusal(file, changed.replace("import", "imports", 1))
    assert said.startswith("my_dgd.py:2: cannot be read: SyntaxError: ")
    assert plugins.loaded(file) is second, "what it gave stays until it can be read again"


def test_a_module_has_a_name_of_its_place_and_content(tmp_path):
    file = tmp_path / "my-dgd.v2.py"
    file.write_text(DGD)
    module = plugins.load(file).module
    assert pickle.loads(pickle.dumps(module.step)) is module.step
    program = (
        "import sys; from dadao_sim import plugins\n"
        f"print(plugins.load({str(file)!r}).module.__name__)"
    )
    other = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == module.__name__


def test_only_makes_a_process_know_these_files_and_no_others(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text(DGD)
    sent = cloudpickle.dumps(METHODS[plugins.load(one).gives["method"][0]])
    assert len(sent) < 2000, "sent by name"
    plugins.only([(str(two), DGD.encode())])
    assert [plugin.path.name for plugin in plugins.known()] == ["two.py"]
    assert METHODS["my_dgd"].step is plugins.known()[0].module.step
    plugins.only([])
    assert "my_dgd" not in METHODS


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x = 1\n\ny = x / 0\n", "mine.py:3: cannot be read: ZeroDivisionError: division by zero"),
        ("def f(:\n", "mine.py:1: cannot be read: SyntaxError: "),
        ("import nowhere_at_all\n", "mine.py:1: cannot be read: ModuleNotFoundError: No module"),
        ("\nimport sys\nsys.exit(3)\n", "mine.py:3: cannot be read: SystemExit: 3"),
        ("raise ValueError('a\\nb')\n", "mine.py:1: cannot be read: ValueError: a b"),
        (
            "x = 1\n",
            "mine.py: defines nothing that counts; one of these would: compression,",
        ),
        (
            DGD.replace('"my_dgd"', '"dadao"'),
            "mine.py: method 'dadao' is one of this package; give",
        ),
        (
            your_own.FILES["my_worst.py"].replace('"worst"', '"accuracy"'),
            "mine.py: metric 'accuracy' is one of this package; give it another name",
        ),
        (
            DGD.replace('"my_dgd"', '"msda"') + "from dadao_sim import register\nregister(DGD)\n",
            "mine.py: method 'msda' is one of this package",
        ),
        (
            DGD + "from dataclasses import replace\nTHE_SAME = DGD\nOTHER = replace(DGD, step=max)",
            "mine.py: method 'my_dgd' is defined twice",
        ),
        (
            "from dadao_sim import plugins\nplugins.load(__file__)\n",
            "mine.py:2: cannot be read: InputError: mine.py: asks for itself while it is read; put",
        ),
        (
            your_own.FILES["my_worst.py"].replace('"worst"', '"The worst"'),
            "cannot be read: InputError: metric: 'The worst' given as its name; use small letters",
        ),
    ],
)
def test_a_file_that_cannot_join_is_one_line_and_leaves_nothing(tmp_path, content, said):
    before = set(sys.modules)
    assert said in refusal(tmp_path / "mine.py", content)
    left = set(sys.modules) - before
    assert not [name for name in left if name.startswith("dadao_sim_plugin_mine_")]


def test_a_file_that_is_not_there_or_no_python_is_one_line(tmp_path):
    assert refusal(tmp_path / "no.py") == f"{tmp_path / 'no.py'}: no such file"
    said = refusal(tmp_path / "mine.yaml", "x: 1")
    assert said == f"{tmp_path / 'mine.yaml'}: a plug-in is a Python file, whose name ends in .py"
    (tmp_path / "folder.py").mkdir()
    assert refusal(tmp_path / "folder.py").startswith(f"{tmp_path / 'folder.py'}: cannot be read")


def test_two_files_with_one_name_are_refused(tmp_path):
    (tmp_path / "one.py").write_text(DGD)
    plugins.load(tmp_path / "one.py")
    said = refusal(tmp_path / "two.py", DGD)
    given = (
        f"two.py: method 'my_dgd' is given by {tmp_path / 'one.py'} already; give it another name"
    )
    assert said == given


def test_a_name_of_a_notebook_is_refused_too(tmp_path):
    (tmp_path / "one.py").write_text(DGD)
    METHODS.register(plugins.load(tmp_path / "one.py").module.DGD)
    plugins.forget(plugins.known())
    METHODS.register(METHODS["nids"].__class__(name="my_dgd", constants=max, step=max))
    assert refusal(tmp_path / "one.py") == (
        "one.py: method 'my_dgd' is registered already; give it another name"
    )


# ---- scenarios -----------------------------------------------------------------------------------


def test_a_scenario_knows_its_plugins_before_all_else(small):
    scenario = load_scenario(small)
    mapping = scenario.to_mapping()
    assert mapping["plugins"] == [str(small.parent / "my_dgd.py")]
    assert scenario_from_mapping(mapping) == scenario
    assert "my_dgd" in schema()["$defs"]["AlgorithmSpec"]["properties"]["name"]["examples"]
    (small.parent / "my_wheel.py").write_text(your_own.FILES["my_wheel.py"])
    changes = ["plugins=[my_dgd.py, my_wheel.py]", "network.graph=wheel"]
    assert load_scenario(small, changes).network.graph == "wheel"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "[my_dgd, nids]",
            "[my_dgdd, nids]",
            "small.yaml:6: algorithms.0.name: unknown value 'my_dgdd'; did you mean 'my_dgd'?",
        ),
        (
            "[my_dgd.py]",
            "[my_dgd.py, no.py]",
            "small.yaml:3: plugins.1: {folder}/no.py: no such file",
        ),
        ("[my_dgd.py]", "my_dgd.py", "small.yaml:3: plugins: must be a list, got 'my_dgd.py'"),
        ("[my_dgd.py]", "[3]", "small.yaml:3: plugins.0: must be text, got 3"),
        ("plugins:", "plugin:", "small.yaml:3: plugin: unknown key; did you mean 'plugins'?"),
        (
            "{kind: averaging,",
            "{kind: springs,",
            "small.yaml:4: problem.kind: unknown value 'springs' (known: averaging, ",
        ),
    ],
)
def test_a_scenario_that_is_wrong_is_named_with_its_line(small, old, new, said):
    assert old in SMALL
    small.write_text(SMALL.replace(old, new))
    with pytest.raises(InputError) as error:
        load_scenario(small)
    expected = said.replace("{folder}", str(small.parent))
    assert expected in str(error.value), str(error.value)  # a long folder loses its middle


def test_a_plugin_that_fails_is_the_error_and_not_what_follows_from_it(small):
    (small.parent / "my_dgd.py").write_text("1 / 0\n")
    lines = SMALL.replace("plugins: [my_dgd.py]\n", "") + "plugins: [my_dgd.py]\n"
    small.write_text(lines)
    with pytest.raises(InputError) as error:
        load_scenario(small)
    assert str(error.value) == (
        f"{small}:8: plugins.0: my_dgd.py:1: cannot be read: ZeroDivisionError: division by zero"
    )


# ---- runs ----------------------------------------------------------------------------------------


def interrupted(scenario, folder):
    def stop(key, share, accuracy):
        if share >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(scenario, out=folder, tick=stop)


def test_a_resumed_run_is_of_the_same_plugin(small, tmp_path):
    whole = simulate(small)
    interrupted(small, tmp_path / "r")
    file = tmp_path / "my_dgd.py"
    file.write_text(DGD.replace("10 *", "11 *"))
    with pytest.raises(InputError, match="holds runs of another scenario"):
        simulate(small, out=tmp_path / "r", resume=True)
    file.write_text(DGD)
    assert simulate(small, out=tmp_path / "r", resume=True).curves.equals(whole.curves)


def test_the_content_of_every_file_that_is_named_counts(tmp_path):
    source = """
from typing import Literal
import numpy as np
from dadao_sim.problems.data.source import DataSource
from dadao_sim.strict import FilePath

class Points(DataSource):
    kind: Literal["points_of_mine"]
    table: FilePath

    def points(self, nodes, rng):
        return np.loadtxt(self.table)[:, None]
"""
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "t.txt").write_text("1\n2\n3\n6\n")
    mapping = {
        "name": "mine",
        "plugins": ["mine.py"],
        "problem": {"kind": "averaging", "data": {"kind": "points_of_mine", "table": "t.txt"}},
        "network": {"graph": "path", "nodes": 4},
        "algorithms": ["nids"],
        "stop": {"time": 200},
    }
    scenario = scenario_from_mapping(mapping, folder=tmp_path)
    assert scenario.to_mapping()["problem"]["data"]["table"] == str(tmp_path / "t.txt")
    np.testing.assert_allclose(simulate(scenario).states["nids", 0]["x"], 3.0, rtol=1e-6)
    before = inputs_of(scenario)
    assert inputs_of(scenario_from_mapping(scenario.to_mapping())) == before
    (tmp_path / "t.txt").write_text("1\n2\n3\n7\n")
    assert inputs_of(scenario) != before


@pytest.mark.slow
def test_everything_at_once_from_the_command_line(dadao_sim, tmp_path):
    """All examples of the docs and a compiled method in one scenario, in one process and in two."""
    path = your_own.write(tmp_path)
    (tmp_path / "my_events.py").write_text(EVENTS)
    text = your_own.SCENARIO.replace("my_dgd.py,", "my_dgd.py, my_events.py,")
    path.write_text(
        text.replace("local_step:", "#").replace("[my_dgd, pg_extra]", "[my_dgd, mine]")
    )
    code, out, _ = dadao_sim("validate", path)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("problem: condition number of the nodes")
    assert lines[1:3] == ["my_dgd.py: method my_dgd", "my_events.py: method mine"]
    assert "my_rain.py: fault rain" in lines
    for jobs in (1, 2):
        assert dadao_sim("run", path, "--jobs", jobs, "--out", f"r{jobs}")[0] == 0
    for name in ("curves.parquet", "runs.csv", "final_states/mine-r0.npz"):
        one, two = (tmp_path / folder / name for folder in ("r1", "r2"))
        assert one.read_bytes() == two.read_bytes(), name
    manifest = json.loads((tmp_path / "r1" / "manifest.json").read_text())
    listed = {Path(plugin["file"]).name: plugin for plugin in manifest["plugins"]}
    assert listed.keys() == {*your_own.FILES, "my_events.py"}
    sha256 = subprocess.run(
        ["sha256sum", tmp_path / "my_pull.py"], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert listed["my_pull.py"]["sha256"] == sha256

    plugins.forget(plugins.known())
    for file in tmp_path.glob("my_*.py"):
        file.unlink()
    assert dadao_sim("plot", "r1", "--y", "worst")[0] == 0
    assert dadao_sim("compare", "r1", "r2", "--accuracy", "0.5")[0] == 0
    assert "my_dgd" not in METHODS
    assert load_result(tmp_path / "r1").titles == {"my_dgd": "DGD", "mine": "mine"}


def test_the_other_commands_know_a_file_that_is_named(dadao_sim, tmp_path):
    your_own.write(tmp_path)
    code, out, _ = dadao_sim("network", "--plugin", "my_wheel.py", "--graph", "wheel", "--nodes", 6)
    assert (code, out.splitlines()[0]) == (0, "wheel: 6 nodes, 10 edges")
    names = dadao_sim("list", *(word for file in your_own.FILES for word in ("--plugin", file)))[1]
    for name in ("my_dgd", "pull", "wheel", "springs", "ramp", "links.rain", "worst"):
        assert name in names, name
    plugins.forget(plugins.known())
    assert dadao_sim("cite", "my_dgd", "--plugin", "my_dgd.py")[1] == "Nedic and Ozdaglar, 2009\n"
    printed = json.loads(dadao_sim("schema", "--plugin", "my_dgd.py")[1])
    assert "my_dgd" in printed["$defs"]["AlgorithmSpec"]["properties"]["name"]["examples"]
    assert dadao_sim("list", "--plugin", "no.py") == (2, "", "dadao-sim: no.py: no such file\n")


def test_recovered_needs_the_plugins_of_the_run(dadao_sim, tmp_path):
    (tmp_path / "my_dgd.py").write_text(DGD)
    data = "{kind: sparse_signal, dim: 6, samples_per_node: 5, nonzeros: 2}"
    (tmp_path / "s.yaml").write_text(
        SMALL.replace("averaging", "least_squares").replace("{kind: synthetic, dim: 2}", data)
    )
    assert dadao_sim("run", "s.yaml", "--out", "r")[0] == 0
    assert dadao_sim("recovered", "r", "--figure", "f.png")[0] == 0
    (tmp_path / "my_dgd.py").write_text(DGD + "# \n")
    code, _, err = dadao_sim("recovered", "r", "--figure", "f.png")
    file = tmp_path / "my_dgd.py"
    said = f"dadao-sim: result: its plug-in {file} has changed since it was run\n"
    assert (code, err) == (2, said)
    file.unlink()
    code, _, err = dadao_sim("recovered", "r", "--figure", "f.png")
    assert (code, err) == (
        2,
        f"dadao-sim: result: it needs its plug-in: {file}: no such file or directory\n",
    )


# ---- installed packages --------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path):
    """A function that runs a command where a package with this module is installed."""

    def call(content, *command):
        (tmp_path / "their_method.py").write_text(content)
        folder = tmp_path / "theirs-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[dadao_sim.plugins]\ntheirs = their_method\n")
        paths = os.pathsep.join([str(tmp_path), str(Path(plugins.__file__).parents[1])])
        return subprocess.run(
            [sys.executable, "-m", "dadao_sim", *command],
            env={**os.environ, "PYTHONPATH": paths},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )

    return call


def test_an_installed_package_joins(installed, small):
    small.write_text(SMALL.replace("plugins: [my_dgd.py]\n", ""))
    done = installed(DGD, "validate", "small.yaml")
    said = done.stdout.splitlines()
    assert said[0].startswith("problem: condition number of the nodes"), done.stderr
    assert said[1:] == ["small.yaml: valid; 2 algorithms, 2 repeats"], done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 / 0", "cannot be imported (ZeroDivisionError: division by zero); mend or uninstall it"),
        (DGD.replace('"my_dgd"', '"dadao"'), ": method 'dadao' is there already; give it another"),
    ],
)
def test_an_installed_package_that_cannot_join_is_one_line(installed, content, said):
    done = installed(content, "list")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("dadao-sim: plug-in 'theirs' (their_method)")
    assert said in done.stderr
