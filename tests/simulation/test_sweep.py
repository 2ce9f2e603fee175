"""A sweep: each cell is what `simulate` makes of it, none is lost, and none is run twice."""

import json
import random
import signal

import numpy as np
import pandas as pd
import pytest
from kills import Process, files_of
from nine_cells import BASE

from dadao_sim import simulate
from dadao_sim.cli.looks import LookOptions
from dadao_sim.cli.sweeps import SweepOptions, draw_sweep
from dadao_sim.errors import InputError
from dadao_sim.results.result import load_result
from dadao_sim.results.summary import summarise
from dadao_sim.results.sweep import load_sweep
from dadao_sim.scenario.reading import load_file, sweep_from_mapping
from dadao_sim.simulation.study import Study
from dadao_sim.simulation.sweep import estimate_sweep, sweep

FEW = BASE | {
    "repeats": 1,
    "algorithms": ["dadao", "nids"],
    "sweep": {"network.nodes": [3, 5], "problem.data.condition_number": [4, 10]},
}


def changed(**sections):
    return FEW | sections


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A folder with nothing beside it, and the sweep in it."""
    folder = tmp_path_factory.mktemp("few") / "s"
    return folder, sweep(FEW, out=folder)


def test_a_cell_is_what_simulate_makes_of_its_scenario(few, tmp_path):
    folder, result = few
    asked = sweep_from_mapping(FEW)
    assert [cell.values for cell in result.cells] == [cell.values for cell in asked.cells]
    for cell, wanted in zip(result.cells, asked.cells, strict=True):
        simulate(wanted.scenario, out=tmp_path / cell.folder.name)
        assert files_of(cell.folder) == files_of(tmp_path / cell.folder.name)
    assert {path.name for path in folder.iterdir()} == {
        *("sweep.json", "cells.parquet", "summary.csv", "cells")
    }


def test_the_tables_are_those_of_the_cells(few):
    folder, result = few
    summary = pd.read_csv(folder / "summary.csv")
    costs = pd.read_parquet(folder / "cells.parquet")
    assert list(summary.columns[:2]) == list(costs.columns[:2]) == list(result.keys)
    for cell in result.cells:
        alone = load_result(cell.folder)
        wanted = summarise(alone.curves, alone.runs, [0.5, 1e-2], alone.terms, 1e-2)
        rows = summary[(summary[list(cell.values)] == pd.Series(cell.values)).all(axis=1)]
        assert len(rows) == len(wanted) == 4
        for name in ("communications_median", "cost_p90"):
            got = [str(float(text)) if text != "not reached" else "inf" for text in rows[name]]
            assert got == [str(float(value)) for value in wanted[name]]
        spent = costs[(costs[list(cell.values)] == pd.Series(cell.values)).all(axis=1)]
        last = alone.curves.groupby("algorithm", sort=False).last()
        reached = spent[spent["accuracy"] == 1e-2].set_index("algorithm")
        for label, run in last[last["accuracy"] <= 1e-2].iterrows():
            assert reached.loc[label, "cost"] == 2 * run["gradients"] + run["communications"]


@pytest.mark.parametrize(
    ("more", "new", "jobs"),
    [
        ({"sweep": FEW["sweep"] | {"network.nodes": [3, 4, 5]}}, 4, 1),
        ({"repeats": 2}, 8, 2),
        ({"algorithms": ["msda", "dadao", "nids"]}, 4, 1),
        ({"report": {"accuracies": [0.1]}}, 0, 1),
        ({"sweep": {"network.nodes": [5]}}, 0, 1),
    ],
)
def test_only_what_is_new_is_run(few, tmp_path, more, new, jobs):
    """In the folder itself and in another one beside it, byte for byte what a new one would be."""
    before = files_of(few[0])
    sweep(FEW, out=tmp_path / "grown", reuse=[few[0]])
    played = []

    def note(cell, key, share, accuracy):
        if share == 1.0 and accuracy > 0:  # 0: was there
            played.append((str(cell), *key))

    sweep(changed(**more), out=tmp_path / "grown", resume=True, jobs=jobs, tick=note)
    assert len(played) == len(set(played)) == new
    (tmp_path / "alone").mkdir()
    sweep(changed(**more), out=tmp_path / "alone" / "s")
    grown, alone = files_of(tmp_path / "grown"), files_of(tmp_path / "alone" / "s")
    if "sweep" in more and new == 0:  # nothing is lost: cells that are not asked for stay
        grown = {name: content for name, content in grown.items() if name in alone}
    assert grown == alone
    again = []
    sweep(changed(**more), out=tmp_path / "beside", tick=lambda *tick: again.append(tick[3]))
    assert set(again) == {0.0}
    assert files_of(tmp_path / "beside") == alone
    assert files_of(few[0]) == before


def test_a_result_beside_it_is_taken_too(tmp_path):
    one = {key: value for key, value in FEW.items() if key != "sweep"}
    simulate(one | {"network": {"graph": "path", "nodes": 5}}, out=tmp_path / "one")
    there = []

    def note(cell, key, share, accuracy):
        if accuracy == 0:
            there.append((cell.values["network.nodes"], key[0]))

    sweep(changed(sweep={"network.nodes": [3, 5]}), out=tmp_path / "s", tick=note)
    assert there == [(5, "dadao"), (5, "nids")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cell_that_fails_leaves_the_others(tmp_path, jobs, monkeypatch):
    parameters = {"paper": {}, "unknown": {"nothing": 2.0}}
    spec = {"network.nodes": [3, 4], "algorithms.1.parameters": parameters}
    methods = ["dadao", {"name": "nids"}]
    result = sweep(changed(sweep=spec, algorithms=methods), out=tmp_path / "s", jobs=jobs)
    assert [cell.error is None for cell in result.cells] == [True, False] * 2
    assert all("nothing" in cell.error for cell in result.failed)
    costs = pd.read_parquet(tmp_path / "s" / "cells.parquet")
    failed = costs[costs["status"] == "failed"]
    assert len(failed) == 2
    assert all("nothing" in reason for reason in failed["reason"])
    assert set(costs[costs["status"] != "failed"]["reason"]) == {""}
    with pytest.raises(InputError, match="the cell failed"):
        _ = result.failed[0].result
    whole = sweep(changed(sweep={"network.nodes": [3, 4]}), out=tmp_path / "t", jobs=jobs)
    for cell, other in zip(result.results(), whole.results(), strict=True):
        pd.testing.assert_frame_equal(cell[1].curves, other[1].curves)


def test_the_number_of_processes_changes_no_byte(few, tmp_path):
    sweep(FEW, out=tmp_path / "s", jobs=2)
    assert files_of(tmp_path / "s") == files_of(few[0])


def test_folders_of_others_are_left_alone(few, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for rule in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(InputError, match="is no sweep of ours"):
            sweep(FEW, out=tmp_path / "mine", **rule)
    with pytest.raises(InputError, match="exists; choose another, or resume or overwrite it"):
        sweep(FEW, out=few[0])
    with pytest.raises(InputError, match="has no section sweep; simulate runs it"):
        sweep({k: v for k, v in FEW.items() if k != "sweep"}, out=tmp_path / "s")


def test_overwritten_it_is_made_again(few, tmp_path):
    sweep(FEW, out=tmp_path / "s", reuse=[few[0]])
    played = []
    result = sweep(
        changed(sweep={"network.nodes": [3]}),
        out=tmp_path / "s",
        overwrite=True,
        tick=lambda cell, key, share, accuracy: played.append(accuracy),
    )
    assert len(played) > 2
    assert min(played) > 0
    assert [path.name for path in (tmp_path / "s" / "cells").iterdir()] == [
        cell.folder.name for cell in result.cells
    ]


def test_damage_is_seen(few, tmp_path):
    sweep(FEW, out=tmp_path / "s", reuse=[few[0]])
    file = tmp_path / "s" / "sweep.json"
    said = json.loads(file.read_text())
    for row in ({"folder": "../../elsewhere"}, {"values": {}}, {"ground": None}):
        file.write_text(json.dumps(said | {"cells": [said["cells"][0] | row]}))
        with pytest.raises(InputError, match="cells: one of them is none"):
            load_sweep(tmp_path / "s")
    file.write_text(json.dumps(said))
    costs = tmp_path / "s" / "cells.parquet"
    costs.write_bytes(costs.read_bytes()[:-9])
    with pytest.raises(InputError, match="parquet"):
        load_sweep(tmp_path / "s")
    with pytest.raises(InputError, match="is no sweep"):
        load_sweep(tmp_path)


def test_the_scenario_is_kept_as_it_was_asked_for(few, tmp_path):
    _, result = few
    (tmp_path / "again.yaml").write_text(result.said["scenario"])
    again = load_file(tmp_path / "again.yaml")
    assert again.cells == sweep_from_mapping(FEW).cells
    assert again.text == result.said["scenario"]  # and so on
    assert result.said["folder"] is None
    assert set(result.said["versions"]) == {"dadao_sim", "source"}


def test_what_python_gave_is_kept_as_a_file_has_it(tmp_path):
    given = changed(
        stop={"time": np.float64(6.0), "accuracy": 1e-2},
        sweep={
            "network.nodes": [3, 5],
            "network": {4: {"graph": "path"}, "no": {"graph": "star"}},
            "zip": ({"seed": (1, np.int64(2)), "record.points": [5, 6]},),
        },
    )
    asked = sweep_from_mapping(given, ["repeats=2"])
    (tmp_path / "again.yaml").write_text(asked.text)
    again = load_file(tmp_path / "again.yaml")
    assert again.cells == asked.cells
    assert [cell.values["network"] for cell in again.cells[::2]] == [4, "no", 4, "no"]
    assert again.cells[0].scenario.repeats == 2


@pytest.mark.slow
def test_killed_ten_times_it_loses_nothing(nine_cells, tmp_path):
    """Five methods, three repeats, nine cells; SIGKILL before a random change of the disk."""
    arguments = ("run", "s.json", "--out", "r", "--resume")
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "s.json").write_text(json.dumps(BASE))
    assert len(load_sweep(nine_cells).costs) == 9 * 5 * 3 * 2
    rng = random.Random(0)
    kills = 0
    while kills < 10:
        process = Process(tmp_path / "killed", *arguments, kill_at=rng.randrange(1, 220))
        code, _ = process.end()
        if code != -signal.SIGKILL:
            break
        kills += 1
    assert kills == 10
    assert Process(tmp_path / "killed", *arguments).end()[0] == 0
    assert files_of(tmp_path / "killed" / "r") == files_of(nine_cells)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_two_cells_have_is_made_once(tmp_path, jobs, monkeypatch):
    """Here and in others, where both cells are open at once; and when all are made anew."""
    methods = {"one": ["nids", "dadao"], "other": ["nids", "msda"]}
    played = []
    taken = Study.taken
    monkeypatch.setattr(Study, "taken", lambda *of: played.append(of[1]) or taken(*of))
    for rule in ({}, {"overwrite": True}):
        played.clear()
        result = sweep(
            changed(sweep={"algorithms": methods}), out=tmp_path / "s", jobs=jobs, **rule
        )
        assert sorted(played) == [("dadao", 0), ("msda", 0), ("nids", 0)]
    alone = sweep(changed(algorithms=["nids", "msda"], sweep={"seed": [0]}), out=tmp_path / "t")
    one, other = result.cells[1].result.curves, alone.cells[0].result.curves
    pd.testing.assert_frame_equal(one, other)


def test_a_run_that_ends_before_its_turn_in_another_cell_is_not_made_again(tmp_path, monkeypatch):
    """The first cell's run is back while the second hands out others, the shared one last."""
    played = []
    taken = Study.taken
    monkeypatch.setattr(Study, "taken", lambda *of: played.append(of[1]) or taken(*of))

    def others(function, tasks):
        """Two tasks ahead: of each two, the second is answered first."""
        waiting = []
        for task in tasks:
            waiting.append(task)
            if len(waiting) == 2:
                name, arguments = waiting.pop(0)
                yield name, function(*arguments)
        for name, arguments in waiting:
            yield name, function(*arguments)

    methods = {"one": ["nids"], "other": ["msda", "dadao", "gradient_tracking", "nids"]}
    sweep(changed(sweep={"algorithms": methods}), out=tmp_path / "s", others=others)
    assert sorted(label for label, _ in played) == ["dadao", "gradient_tracking", "msda", "nids"]


def test_where_every_cell_fails_it_says_so(tmp_path):
    wrong = [{"name": "nids", "parameters": {"nothing": 2.0}}]
    result = sweep(changed(algorithms=wrong), out=tmp_path / "s", overwrite=True)
    assert len(result.failed) == len(result.cells) == 4


def test_what_lies_beside_and_is_none_of_ours_is_passed_by(tmp_path):
    beside = tmp_path / "beside"
    beside.mkdir()
    for file, content in (
        ("sweep.json", '{"name": "s", "keys": [], "cells": [1]}'),
        ("sweep.json", '{"name": "s", "keys": [], "cells": [{"folder": "/", "ground": []}]}'),
        ("manifest.json", '{"scenario": {}, "final_states": [], "ground": []}'),
    ):
        (beside / file).write_text(content)
        sweep(changed(sweep={"seed": [1]}), out=tmp_path / "s", overwrite=True)
        sweep(changed(sweep={"seed": [1]}), out=tmp_path / "s", resume=True)
    for wrong in ([tmp_path / "nowhere"], [beside / "sweep.json"], "beside"):
        with pytest.raises(InputError, match=r"^reuse: "):
            sweep(changed(sweep={"seed": [1]}), out=tmp_path / "s", resume=True, reuse=wrong)


def test_a_cell_that_a_later_list_has_not_is_found_all_the_same(few, tmp_path):
    sweep(FEW, out=tmp_path / "s", reuse=[few[0]])
    sweep(changed(sweep={"network.nodes": [3]}), out=tmp_path / "s", resume=True)
    again = []
    sweep(FEW, out=tmp_path / "t", tick=lambda *tick: again.append(tick[3]))
    assert set(again) == {0.0}


@pytest.mark.parametrize("methods", [["dadao"], ["dadao", {"name": "msda", "label": "nids"}]])
def test_what_is_in_the_folder_and_not_asked_for_is_refused_and_stays(few, tmp_path, methods):
    sweep(FEW, out=tmp_path / "s", reuse=[few[0]])
    before = files_of(tmp_path / "s")
    with pytest.raises(InputError, match=r"holds a run of .nids., repeat 0, (which|with)"):
        sweep(changed(algorithms=methods), out=tmp_path / "s", resume=True)
    assert files_of(tmp_path / "s") == before


def test_a_folder_in_which_a_sweep_has_just_begun_is_gone_on_with(few, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / ".dadao-sim.lock").write_text("")
    sweep(FEW, out=tmp_path / "s", resume=True, reuse=[few[0]])
    assert files_of(tmp_path / "s") == files_of(few[0])


def test_whatever_is_wrong_with_its_list_is_said_in_a_line(few, tmp_path):
    sweep(FEW, out=tmp_path / "s", reuse=[few[0]])
    file = tmp_path / "s" / "sweep.json"
    said = json.loads(file.read_text())
    for name in ("name", "keys", "cells", "methods", "files"):
        for value in (1, [1], {"a": 1}, None):
            file.write_text(json.dumps(said | {name: value}))
            with pytest.raises(InputError, match=r"sweep\.json\."):
                load_sweep(tmp_path / "s")
    file.write_text(json.dumps(said | {"cells": [said["cells"][0] | {"folder": "cells/.."}]}))
    with pytest.raises(InputError, match="one of them is none"):
        load_sweep(tmp_path / "s")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"at": ["nodes=3"]}, "--at: 'nodes' is not swept"),
        ({"at": ["network.nodes=3", "network.nodes=5"]}, "--at: two values of one key"),
        ({"at": ["network.nodes=3"], "profile": True}, "--at: a profile is over all cells"),
        ({"theory": True, "profile": True}, "--theory: is for --against"),
        ({"map": "network.nodes,seed"}, "--map: 'seed' is not swept"),
    ],
)
def test_what_a_figure_would_pass_over_is_refused(few, tmp_path, asked, message):
    options = SweepOptions(**asked)
    told = (options, "communications", LookOptions(), tmp_path / "f.png", "png")
    with pytest.raises(InputError, match=message):
        draw_sweep(few[0], *told, overwrite=False)
    assert not (tmp_path / "f.png").exists()


def test_what_it_will_take_is_that_of_the_cells_that_remain(few, tmp_path):
    """The sum of those of the cells; nothing of one that is there, all of it when made again."""
    asked = sweep_from_mapping(FEW)
    each = [Study(cell.scenario).estimate().events for cell in asked.cells]
    found = estimate_sweep(asked, tmp_path / "s")
    assert (found.cells, found.remaining) == (4, 4)
    assert found.whole.events == pytest.approx(sum(each))
    assert found.whole.seconds > 0
    more = sweep_from_mapping(FEW | {"sweep": {**FEW["sweep"], "network.nodes": [3, 5, 6]}})
    found = estimate_sweep(more, few[0])
    assert (found.cells, found.remaining) == (2, 2)
    alone = [Study(cell.scenario).estimate().events for cell in more.cells[-2:]]
    assert found.whole.events == pytest.approx(sum(alone))
    assert estimate_sweep(more, few[0], overwrite=True).remaining == 6


def test_an_estimate_takes_no_longer_than_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr("dadao_sim.simulation.sweep.PATIENCE", -1.0)
    found = estimate_sweep(sweep_from_mapping(FEW), tmp_path / "s")
    assert (found.cells, found.remaining) == (0, 4)


def test_a_cell_that_has_no_room_is_refused_before_the_first_is_played(tmp_path):
    large = changed(sweep={"network.nodes": [3, 2 * 10**9]})
    played = []
    for call in (
        lambda: sweep(large, out=tmp_path / "s", tick=lambda *tick: played.append(tick)),
        lambda: estimate_sweep(sweep_from_mapping(large), tmp_path / "s"),
    ):
        with pytest.raises(InputError, match=r"^network\.nodes=2000000000\..* of memory, of"):
            call()
    assert not played
    assert not (tmp_path / "s").exists()


def test_the_command_says_what_it_will_take(dadao_sim, tmp_path):
    (tmp_path / "s.json").write_text(json.dumps(FEW))
    events = round(estimate_sweep(sweep_from_mapping(FEW), tmp_path / "none").whole.events)
    code, said, errors = dadao_sim("run", "s.json")
    assert code == 0
    assert f"4 to play: at most {events:,} events, about 1 s, 1 MiB of arrays" in said + errors
    code, said, errors = dadao_sim("run", "s.json", "--resume")
    assert code == 0
    assert "to play" not in said + errors
