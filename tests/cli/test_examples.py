"""Every command says how it is used: examples that can be typed as they are."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from dadao_sim.cli.main import app

COMMANDS = vars(get_command(app))["commands"]


def examples(command):
    """The lines after `Examples:` of a command's help."""
    head, *lines = (command.epilog or "").split("\n\n")
    assert head in ("Examples:", "")
    return [line.removeprefix("dadao-sim ") for line in lines]


EXAMPLES = [(name, example) for name, command in COMMANDS.items() for example in examples(command)]


def words(example):
    """What the shell hands on, and what it reads from."""
    return shlex.split(re.split(r" [<>] ", example)[0])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_in_examples(dadao_sim, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = dadao_sim(name, "--help")
    assert (code, err) == (0, "")
    _, found, below = out.partition("Examples:")
    assert found
    lines = [line.strip() for line in below.splitlines() if line.strip()]
    assert lines == [f"dadao-sim {example}" for example in examples(COMMANDS[name])]
    assert all(option in out for option in ("--json", "--quiet"))


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[e for _, e in EXAMPLES])
def test_an_example_is_understood(name, example):
    """All its options are there, with values of their kinds."""
    first, *rest = words(example)
    assert first == name
    context = COMMANDS[name].make_context(name, rest)
    assert not context.args


QUICK = [
    (name, example)
    for name, example in EXAMPLES
    if name in ("list", "show", "cite", "schema", "network", "world", "validate")
    and not re.search(r"--figure|--timeline|\.yaml", example)
]


@pytest.mark.parametrize(("name", "example"), QUICK, ids=[e for _, e in QUICK])
def test_an_example_does_what_it_says(dadao_sim, name, example):
    code, out, err = dadao_sim(*words(example))
    assert (code, err) == (0, "")
    assert out


ROOT = Path(__file__).parents[2]
TYPED = {
    f"{page.name}: {command}": command
    for page in (
        ROOT / "README.md",
        ROOT / "plots/README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
    for line, inline in re.findall(
        r"^ *dadao-sim (?!--)(.*)$|`dadao-sim ([a-z-]+\s[^`]+)`", page.read_text("utf-8"), re.M
    )
    for command in [line or " ".join(inline.split())]
}


@pytest.mark.parametrize("command", TYPED.values(), ids=TYPED)
def test_what_the_pages_type_is_understood(command):
    text = re.split(r" [<>|] | && | \\$", command)[0]
    name, *rest = shlex.split(text, comments=True)
    assert not COMMANDS[name].make_context(name, rest).args


def test_a_wrong_example_would_be_noticed():
    with pytest.raises(Exception, match="No such option"):
        COMMANDS["list"].make_context("list", words("list --oracel gradient"))


# ---- what was meant
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("rnu quickstart", "No such command 'rnu'; did you mean 'run'? (known: run, "),
        ("tune_constants", "No such command 'tune_constants'; did you mean 'tune-constants'?"),
        ("run quickstart --repeat 3", "No such option: --repeat; did you mean '--repeats'?"),
        ("network --kapa 3", "No such option: --kapa; did you mean '--kappa'? (known: --graph"),
        ("--verison", "did you mean '--version'?"),
        ("plot x --x comm", "--x: unknown value 'comm'; did you mean 'communications'?"),
        (
            "theory quickstart --quantity tme",
            "--quantity: unknown value 'tme'; did you mean 't",
        ),
        ("tune-constants quickstart --for tim", "--for: unknown value 'tim'; did you mean 'time'"),
        (
            "tune quickstart --by tme",
            "--by: unknown value 'tme'; did you mean 'time",
        ),
        ("tune-constants quickstart --method dado", "--method: 'dado' is unknown; did you mean 'd"),
        ("rates --graph path --nodes 4 --method exat", "--method: 'exat' is unknown; did you mean"),
        ("network --graph sta --nodes 4", "--graph: unknown value 'sta'; did you mean 'star'?"),
        ("show nidz", "method: 'nidz' is unknown; did you mean 'nids'?"),
        ("cite AD-PSDG", "did you mean 'ad_psgd'?"),
        ("list grpahs", "there are no 'grpahs'; did you mean 'graphs'?"),
        ("list --oracle gradeint", "--oracle: unknown value 'gradeint'; did you mean 'gradient'?"),
        ("list --graphs varying", "--graphs: unknown value 'varying'; did you mean 'time-varying'"),
        ("list --family acelerated", "--family: unknown value 'acelerated'; did you mean 'accel"),
        ("list --takes batches", "--takes: unknown value 'batches'; did you mean 'minibatches'"),
        ("run quikstart", "did you mean 'quickstart'?"),
        ("world world/loss --algorithm ADPSG", "did you mean 'ad_psgd'?"),
        ("validate quickstart --set sweep.netwrk.nodes=[4]", "did you mean"),
        ("validate quickstart --set 'sweep={network.noodes: [4]}'", "did you mean 'nodes'"),
        ("validate quickstart --set 'sweep={netwrk: {a: 1}}'", "did you mean 'network'"),
        ("validate quickstart --set stop.tme=3", "did you mean 'time'"),
    ],
)
def test_what_was_meant_is_asked(dadao_sim, typed, said):
    code, _, err = dadao_sim(*shlex.split(typed))
    assert (code, err.count("\n")) == (2, 1)
    assert said in err


# ---- standard input
# ------------------------------------------------------------------------------------

TEXT = """
name: piped
problem: {kind: least_squares, data: {kind: synthetic, dim: 3, samples_per_node: 5}}
network: {graph: path, nodes: 4}
algorithms: [dadao]
stop: {time: 9}
"""


def with_input(text, *arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "dadao_sim", *arguments],
        input=text,
        capture_output=True,
        cwd=folder,
        timeout=300,
    )


def test_a_scenario_comes_from_standard_input(tmp_path):
    done = with_input(TEXT.encode(), "run", "-", "--out", "r", "--set", "seed=3", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    (tmp_path / "s.yaml").write_text(TEXT)
    again = with_input(b"", "run", "s.yaml", "--out", "s", "--set", "seed=3", folder=tmp_path)
    assert again.returncode == 0
    for name in ("curves.parquet", "summary.csv"):
        assert (tmp_path / "r" / name).read_bytes() == (tmp_path / "s" / name).read_bytes()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "standard input: is empty; a scenario needs name, problem"),
        (b"name: x\nstopp: {time: 1}\n", "standard input:2: stopp: unknown key; did you mean"),
        (b"name: [", "standard input:1: not valid YAML"),
        (b"\xff\xfe\x00", "standard input: is not UTF-8 text (byte 0)"),
        (b"# " + b"x" * 20_000_000, "standard input: a scenario has at most "),
    ],
)
def test_what_is_wrong_there_has_its_line(tmp_path, text, said):
    done = with_input(text, "validate", "-", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"dadao-sim: {said}")


def test_paths_of_standard_input_are_relative_to_where_one_is(tmp_path):
    text = TEXT.replace("{graph: path, nodes: 4}", "{file: here.graphml}")
    done = with_input(text.encode(), "validate", "-", folder=tmp_path)
    assert done.returncode == 2
    assert b"here.graphml" in done.stderr
