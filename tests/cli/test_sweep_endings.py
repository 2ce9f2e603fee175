"""How `run` ends, of a scenario and of a sweep alike, and what it says of missing figures."""

import json
import shutil

import pytest
from kills import Process, files_of
from ruamel.yaml import YAML

import dadao_sim.simulation.simulate as simulate_module
import dadao_sim.simulation.sweep as sweep_module
from dadao_sim.errors import WorkerKilled
from dadao_sim.files import file_digest
from dadao_sim.reports.sweep import numbered, profile
from dadao_sim.results.sweep import load_sweep

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
                "no figure of cost against a swept key: no swept key has numbers",
            ],
        ),
        (MOST, ["no figure of cost against a swept key: 3 swept keys are left beside "]),
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
    for option in ("--against", "--accuracy", "--at"):  # which `run` does not have
        assert option not in out.replace(f"`dadao-sim plot` has {option}:", "")


def test_plot_says_why_there_is_no_figure(dadao_sim, written):
    dadao_sim("run", written(sweep=OF_TEXT), "--out", "out")
    code, _, err = dadao_sim("plot", "out", "--out", "f.png")
    assert code == 2
    assert err.splitlines() == [
        "dadao-sim: --against: no swept key has numbers; draw a profile instead"
    ]


def ending_of(out):
    """What the last line says of the runs."""
    return out.splitlines()[-1].removeprefix("sweep: out")


def test_the_ending_says_where_the_runs_came_from(dadao_sim, written, tmp_path):
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out")
    code, out, _ = dadao_sim(*asked)
    assert (code, ending_of(out)) == (0, "; 2 runs were made")
    code, out, _ = dadao_sim(*asked, "--resume")
    assert (code, ending_of(out)) == (0, ", complete before: nothing was left to run")
    more = written(sweep={"network.nodes": [3, 4, 5]})
    code, out, _ = dadao_sim("run", more, "--out", "out", "--resume")
    assert (code, ending_of(out)) == (0, "; 1 run was made, 2 were there before")
    code, out, _ = dadao_sim("run", more, "--out", "beside", "--json")
    assert json.loads(out)["runs"] == {"made": 0, "before": 0, "shared": 0, "taken": 3}
    twice = written(sweep={"algorithms": {"one": ["dadao"], "two": ["dadao", "nids"]}})
    code, out, _ = dadao_sim("run", twice, "--out", "out", "--overwrite")
    assert (code, ending_of(out)) == (0, "; 2 runs were made, 1 is that of another cell")


def test_a_folder_to_reuse_without_a_result_is_said(dadao_sim, written, tmp_path):
    for name in ("none", "notes"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
    (tmp_path / "elsewhere" / "notes" / "notes.txt").write_text("mine")
    dadao_sim("run", written(), "--out", "elsewhere/one")
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out")
    for folder, said in (("elsewhere", 0), ("elsewhere/notes", 1)):
        code, out, _ = dadao_sim(*asked, "--overwrite", "--reuse", folder)
        line = f"--reuse {folder}: no result is found in it"
        assert (code, out.splitlines().count(line)) == (0, said)


def spoil_a_cell(how, cell):
    """Damage a cell as the name says."""
    match how:
        case "emptied manifest":
            (cell / "manifest.json").write_text("")
        case "no manifest":
            (cell / "manifest.json").unlink()
        case "edited curves":
            with (cell / "curves.parquet").open("ab") as file:
                file.write(b"more")
        case "no states":
            shutil.rmtree(cell / "final_states")
        case "an edited state":
            state = min((cell / "final_states").iterdir())
            state.write_bytes(state.read_bytes()[:-5] + b"wrong")
        case "a file":
            shutil.rmtree(cell)
            cell.write_text("")


HOW = ["emptied manifest", "no manifest", "edited curves", "no states", "an edited state", "a file"]


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_cell_is_set_aside_and_made_again(dadao_sim, written, tmp_path, how):
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out", "--resume")
    dadao_sim(*asked)
    whole = files_of(tmp_path / "out")
    cell = min((tmp_path / "out" / "cells").iterdir())
    for aside in ("damaged", "damaged-2"):
        spoil_a_cell(how, cell)
        damaged = files_of(cell)
        code, out, err = dadao_sim(*asked, "--json")
        told = json.loads(out)
        assert (code, err) == (0, "")
        assert [one["cell"] for one in told["damaged"]] == [f"out/cells/{cell.name}"]
        kept = cell.with_name(f"{cell.name}.{aside}")
        assert f"kept as {kept.name}, and made again" in told["said"][0]
        assert any(line.startswith("1 to play: ") for line in told["said"])
        assert told["runs"] == {"made": 1, "before": 1, "shared": 0, "taken": 0}
        assert files_of(kept) == damaged
        made = files_of(tmp_path / "out")
        assert {name: made[name] for name in made if ".damaged" not in name} == whole
    code, out, _ = dadao_sim(*asked)
    assert (code, ending_of(out)) == (0, ", complete before: nothing was left to run")


def test_a_damaged_cell_does_not_hinder_that_all_is_made_anew(dadao_sim, written, tmp_path):
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out")
    dadao_sim(*asked)
    cell = min((tmp_path / "out" / "cells").iterdir())
    spoil_a_cell("no manifest", cell)
    code, out, _ = dadao_sim(*asked, "--overwrite")
    assert (code, ending_of(out)) == (0, "; 2 runs were made")
    assert f"out/cells/{cell.name} is damaged (manifest.json is missing or damaged)" in out


def test_what_was_set_aside_is_never_removed(dadao_sim, written, tmp_path):
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out")
    dadao_sim(*asked)
    cell = min((tmp_path / "out" / "cells").iterdir())
    (cell / "curves.parquet").write_bytes(b"edited")  # its manifest is readable
    dadao_sim(*asked, "--resume")
    aside = cell.with_name(f"{cell.name}.damaged")
    kept = files_of(aside)
    dadao_sim("run", written(sweep={"network.nodes": [5]}), "--out", "out", "--overwrite")
    assert files_of(aside) == kept
    assert not cell.exists(), "it was whole, and is asked for no longer"


def test_what_is_reused_is_taken_though_all_is_overwritten(dadao_sim, written, tmp_path):
    asked = ("run", written(sweep=OF_NUMBERS))
    dadao_sim(*asked, "--out", "elsewhere/one")
    dadao_sim(*asked, "--out", "out")
    anew = (*asked, "--out", "out", "--overwrite", "--json")
    code, out, _ = dadao_sim(*anew, "--reuse", "elsewhere")
    assert json.loads(out)["runs"] == {"made": 0, "before": 0, "shared": 0, "taken": 2}
    code, out, _ = dadao_sim(*anew, "--reuse", ".")
    assert json.loads(out)["runs"] == {"made": 2, "before": 0, "shared": 0, "taken": 0}
    code, _, err = dadao_sim(*asked, "--out", "out", "--overwrite", "--reuse", "out")
    said = "dadao-sim: --reuse: out is to be overwritten; leave one of the two out\n"
    assert (code, err) == (2, said)


@pytest.mark.parametrize("seeds", [[2**53, 2**53 + 1], [2**63, 1], [2**64, 1]], ids=str)
def test_large_numbers_are_told_apart(dadao_sim, written, tmp_path, seeds):
    code, _, err = dadao_sim("run", written(sweep={"seed": seeds}), "--out", "out")
    assert (code, err) == (0, "")
    result = load_sweep(tmp_path / "out")
    assert [cell.values["seed"] for cell in result.cells] == seeds
    assert list(dict.fromkeys(result.costs["seed"])) == list(map(str, seeds))
    assert sorted(set(numbered(result, result.costs)["cell"])) == [0, 1]
    assert profile(result).problems == 2
    code, out, _ = dadao_sim("run", written(sweep={"seed": seeds}), "--out", "out", "--resume")
    assert ending_of(out) == ", complete before: nothing was left to run"


BREAKS = """
import time

from dadao_sim.metrics import Metric

def breaks(problem, X):
    if X.any():
        time.sleep(1.0 if abs(X).max() < 1e-3 else 0.0)
        raise ValueError("no number")
    return 0.0

BROKEN = Metric("broken", "Broken", breaks)
"""


@pytest.mark.usefixtures("own_plugins")
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_reason_of_a_cell_is_that_of_its_first_run(dadao_sim, written, tmp_path, jobs):
    """Whichever fails first: the second algorithm does long before the first one."""
    (tmp_path / "broken.py").write_text(BREAKS)
    slow = {"name": "dgd", "label": "slow", "parameters": {"step": 1e-9}}
    file = written(
        algorithms=[slow, "dadao"],
        plugins=["broken.py"],
        record={"metrics": ["broken"]},
        sweep={"network.nodes": [3]},
    )
    code, out, err = dadao_sim("run", file, "--out", "out", "--jobs", jobs)
    assert (code, err) == (1, ""), out
    (cell,) = load_sweep(tmp_path / "out").cells
    assert cell.error.startswith("slow, repeat 0, ")


def test_runs_of_an_unfinished_cell_that_are_damaged_are_made_again(written, tmp_path):
    """Killed within a cell, whose one finished run is spoilt then."""
    (tmp_path / "s.json").write_text(json.dumps({**ONE, "repeats": 2, "sweep": OF_NUMBERS}))
    arguments = ("run", "s.json", "--out", "out", "--resume")
    for kill_at in range(8, 200, 3):
        Process(tmp_path, *arguments, kill_at=kill_at).end()
        if runs := list((tmp_path / "out").glob("cells/*/unfinished_runs/*.json")):
            break
    runs[0].write_text("{}")
    assert Process(tmp_path, *arguments).end()[0] == 0
    assert "is no finished run): kept as " in (tmp_path / "said").read_text()
    assert len(load_sweep(tmp_path / "out").costs) == 4


def test_a_cell_that_cannot_be_read_fails_alone(dadao_sim, written, tmp_path):
    """Its files are as its manifest says, and make no result: the row says what to do."""
    asked = ("run", written(sweep=OF_NUMBERS), "--out", "out", "--resume")
    dadao_sim(*asked)
    cell = min((tmp_path / "out" / "cells").iterdir())
    runs = cell / "runs.csv"
    runs.write_text(runs.read_text().replace("dadao", "msda"))
    manifest = json.loads((cell / "manifest.json").read_text())
    manifest["files"]["runs.csv"] = file_digest(runs)
    (cell / "manifest.json").write_text(json.dumps(manifest))
    code, out, _ = dadao_sim(*asked, "--json")
    told = json.loads(out)
    assert code == 1
    assert [failed["cell"] for failed in told["failed"]] == ["network.nodes=3"]
    todo = f"delete out/cells/{cell.name} and resume: it is made again"
    assert told["failed"][0]["error"].endswith(todo)
    costs = load_sweep(tmp_path / "out").costs
    assert costs.loc[costs["network.nodes"] == 4, "reason"].tolist() == [""]
    assert dadao_sim(*asked, "--repeats", "2")[0] == 0  # where its runs are needed: set aside
    shutil.rmtree(cell)
    assert dadao_sim(*asked, "--repeats", "2")[0] == 0
    assert not load_sweep(tmp_path / "out").failed


def test_rows_that_leave_the_tables_are_named(dadao_sim, written, tmp_path):
    dadao_sim("run", written(sweep={"network.nodes": [3, 4, 5]}), "--out", "out")
    cells = {path.name for path in (tmp_path / "out" / "cells").iterdir()}
    fewer = ("run", written(sweep={"network.nodes": [4]}), "--out", "out", "--resume")
    code, out, _ = dadao_sim(*fewer, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["said"][0] == (
        "cells not asked for now: 2 (network.nodes=3; network.nodes=5); "
        "their rows leave the tables, their folders stay in out/cells"
    )
    assert [row["cell"] for row in told["left_out"]] == ["network.nodes=3", "network.nodes=5"]
    assert {row["folder"].removeprefix("out/cells/") for row in told["left_out"]} < cells
    assert {path.name for path in (tmp_path / "out" / "cells").iterdir()} == cells
    assert "left_out" not in json.loads(dadao_sim(*fewer, "--json")[1])
    longer = (*fewer, "--set", "stop.time=61")
    assert dadao_sim(*longer)[1].splitlines()[0] == (
        "cells made anew, as the scenario or this package is another than it was: 1; "
        "their earlier runs stay in out/cells"
    )


def test_a_file_that_has_changed_is_refused_as_by_a_single_result(dadao_sim, written, tmp_path):
    table = "a,b\n" + "".join(f"{k % 7},{k % 5}\n" for k in range(40))
    (tmp_path / "data.csv").write_text(table)
    data = {"kind": "file", "path": "data.csv", "target": "b"}
    problem = {"kind": "ridge", "mu": 0.1, "data": data}
    asked = {}
    for out, sections in (("one", {}), ("out", {"sweep": OF_NUMBERS})):
        (tmp_path / out).mkdir()
        (tmp_path / f"{out}.json").write_text(json.dumps({**ONE, "problem": problem, **sections}))
        asked[out] = ("run", f"{out}.json", "--out", f"{out}/r", "--resume")
        assert dadao_sim(*asked[out])[0] == 0
    (tmp_path / "data.csv").write_text(table + "1,1\n")
    before = files_of(tmp_path / "out")
    for out, what in (("one", "a result"), ("out", "results")):
        code, _, err = dadao_sim(*asked[out])
        assert code == 2
        assert err.startswith(f"dadao-sim: folder: {out}/r holds {what} whose file ")
        assert err.endswith(
            "data.csv has changed since it was run; resume with the same, choose another, "
            "or overwrite it\n"
        )
    assert files_of(tmp_path / "out") == before
    code, out, _ = dadao_sim(*asked["out"][:-1], "--overwrite")
    assert (code, out.splitlines()[-1]) == (0, "sweep: out/r; 2 runs were made")
    assert len(list((tmp_path / "out/r/cells").iterdir())) == 2


def test_a_list_of_cells_that_was_edited_is_a_line(dadao_sim, written, tmp_path):
    dadao_sim("run", written(sweep=OF_NUMBERS), "--out", "out")
    file = tmp_path / "out" / "sweep.json"
    said = json.loads(file.read_text())
    for value in (77, "text", [3], None):
        said["cells"][0]["values"] = {"network.nodes": value}
        file.write_text(json.dumps(said))
        for command in (("report", "out", "-o", "r.html"), ("plot", "out", "--out", "f.png")):
            code, _, err = dadao_sim(*command)
            assert code == 2
            assert err == (
                "dadao-sim: sweep: its cells are not those of its tables: sweep.json was edited; "
                "resume it\n"
            )
    dadao_sim("run", "s.yaml", "--out", "out", "--resume")
    assert dadao_sim("report", "out", "-o", "r.html")[0] == 0
