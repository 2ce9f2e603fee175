"""What is damaged or edited is refused in one line, or read rightly; nothing of it is ever run.

The cases and who judges them are in ``damage.py``; its command line counts them.
"""

import json
import math
import os
import time
from dataclasses import replace
from pathlib import Path

import damage
import numpy as np
import pandas as pd
import pytest
from damage import Files, Results, Tally, judged, played
from hypothesis import given
from hypothesis import strategies as st
from synthetic import finished_run, result

from dadao_sim.archives import Stored, write_state
from dadao_sim.errors import InputError
from dadao_sim.events.files import load_events, save_events
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GRADIENT_END,
    GRADIENT_START,
    LOST,
    SEND,
    SEND_ONE,
    Events,
)
from dadao_sim.files import read_json
from dadao_sim.networks import Network
from dadao_sim.results.result import load_result, read_table
from dadao_sim.results.store import RunStore
from dadao_sim.scenario.reading import load_scenario


# A file that NumPy finds to be none it leaves for the collector to close.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@pytest.mark.parametrize("kind", [Files, Results])
def test_some_damage(kind):
    tally = played(kind, 60, seed=1)
    assert tally.wrong == []
    assert tally.refused > 30  # most damage is seen


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.torture
@pytest.mark.parametrize(("kind", "count"), [(Files, 1000), (Results, 500)])
def test_much_damage(kind, count):
    tally = played(kind, count, seed=0)
    assert tally.wrong == []


def test_files_that_are_whole_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, (read, same) in Files().readers.items():
        with damage.no_plugin_left():
            code, out, err = read()
        assert (name, code, err, same(out)) == (name, 0, "", True)


def wait():
    time.sleep(5)


@pytest.mark.parametrize(
    ("read", "seen"),
    [
        (lambda: (0, "right", ""), ""),
        (lambda: (2, "", "dadao-sim: one line\n"), ""),
        (lambda: (0, "other", ""), "code 0"),
        (lambda: (0, "right", "a warning\n"), "code 0"),
        (lambda: (1, "", "dadao-sim: one line\n"), "code 1"),
        (lambda: (2, "", "dadao-sim: two\nlines\n"), "code 2"),
        (lambda: (2, "", "dadao-sim: " + "x" * 300 + "\n"), "code 2"),
        (lambda: {}["x"], "KeyError"),
        (lambda: len(bytearray(2**31)), "MemoryError"),
        (wait, "TooSlow"),
    ],
)
def test_the_judge_sees_what_is_wrong(monkeypatch, read, seen):
    monkeypatch.setattr(damage, "SECONDS", 0.2)
    tally = Tally()
    judged(tally, "case", read, lambda out: out == "right")
    assert len(tally.wrong) == bool(seen)
    assert all(seen in line for line in tally.wrong)


def test_the_canary_sings_where_code_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.npz").write_bytes(damage.poisoned_npz("x"))
    np.load("a.npz", allow_pickle=True)["x"]
    assert Path("canary").is_dir()


# ---- archives and JSON ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (damage.poisoned_npz("x"), "holds objects"),
        (damage.bomb_npz("x", compressed=True), "compressed"),
        (damage.bomb_npz("x", compressed=False), "its shape is"),
        (b"", "damaged"),
        (b"PK\x05\x06" + bytes(18), None),
    ],
)
def test_an_archive_is_no_larger_than_its_file(tmp_path, content, said):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    if said is None:
        assert dict(Stored(path)) == {}
        return
    with pytest.raises(InputError, match=said) as error:
        Stored(path)
    assert "a.npz" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": {"b": 1, "b": 1}}', "'b' is there twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": ' + "1" * 10_000 + "}", "cannot be read"),
        ("\ufeff{}", "BOM"),
        ("[]", "JSON object"),
        ("", "cannot be read"),
    ],
)
def test_json_that_readers_would_not_agree_on_is_refused(tmp_path, text, said):
    path = tmp_path / "m.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said) as error:
        read_json(path)
    assert "m.json" in str(error.value)
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize("content", ['{"a": "ü"}'.encode("latin-1"), '{"a": 1}'.encode("utf-16")])
def test_json_is_utf_8(tmp_path, content):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.json cannot be read"):
        read_json(tmp_path / "m.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[]", "{}", '{"a": 1, "a": 2}'])
def test_a_manifest_that_cannot_be_read_is_of_no_result(dadao_sim, folder, text):
    (folder / "manifest.json").write_text(text)
    for command in (("compare", folder), ("run", "quickstart", "--out", folder, "--overwrite")):
        code, _, error = dadao_sim(*command)
        assert (code, error.count("\n")) == (2, 1)


def test_a_row_of_runs_that_is_too_long_is_refused(folder):
    edit_manifest(folder, keep_digests=False)
    path = folder / "runs.csv"
    path.write_text(path.read_text().replace("\n", ",more\n", 3).replace(",more", "", 1))
    with pytest.raises(InputError, match=r"runs\.csv cannot be read"):
        load_result(folder)


@pytest.mark.parametrize("key", ["[a]", "{a: 1}", "[{a: 1}]", "[]", "{}", "&b [c]"])
@pytest.mark.parametrize("place", ["? KEY\n: 1\n", "{KEY: 1}\n", "problem: {KEY: 1}\n"])
def test_a_key_of_a_scenario_is_text(tmp_path, key, place):
    (tmp_path / "s.yaml").write_text(place.replace("KEY", key))
    with pytest.raises(InputError, match=r"s\.yaml:1: (a key must be text|not valid YAML)"):
        load_scenario(tmp_path / "s.yaml")


def test_curves_are_no_longer_than_they_can_be(tmp_path):
    """Ten million rows of one value take a few bytes."""
    path = tmp_path / "curves.parquet"
    pd.DataFrame({"time": np.zeros(1000)}).to_parquet(path)
    with pytest.raises(InputError, match="1000 rows; there can be 999"):
        read_table(path, 999)
    assert len(read_table(path, 1000)) == 1000


@pytest.mark.parametrize("values", [[[1.0]], [{"a": 1}], [b"x"], [True], [pd.Timestamp(0)]])
def test_curves_are_numbers_and_text(tmp_path, values):
    path = tmp_path / "curves.parquet"
    pd.DataFrame({"time": values}).to_parquet(path)
    with pytest.raises(InputError, match="column 'time' is of type"):
        read_table(path)


# ---- event logs -----------------------------------------------------------------------------

GOOD = {
    "time": [0.0, 0.5, 0.5, 1.0, 2.0, 3.0],
    "kind": [SEND, GRADIENT_START, ARRIVE_I, ARRIVE_J, GRADIENT_END, 0],
    "i": [0, 2, 0, 0, 2, 1],
    "j": [1, -1, 1, 1, -1, -1],
    "start": [-1, -1, 0, 0, 1, -1],
}
# Node 0 sends to 1, twice: the first message arrives, the second is lost; and 1 to 0.
ONE_WAY = {
    "time": [0.0, 0.5, 0.5, 1.0, 2.0, 3.0],
    "kind": [SEND_ONE, SEND_ONE, ARRIVE_ONE, SEND_ONE, LOST, ARRIVE_ONE],
    "i": [0, 0, 1, 1, 1, 0],
    "j": [1, 1, 0, 0, -1, 1],
    "start": [-1, -1, 0, -1, 1, 3],
}


def changed(name, row, value, of=GOOD):
    return {**of, name: [*of[name][:row], value, *of[name][row + 1 :]]}


BAD = [
    *(changed("time", 3, value) for value in (math.nan, math.inf, 0.4, 2.5)),
    *(changed("time", 0, value) for value in (-1e-300, -1.0, -math.inf)),
    *(changed("kind", 5, value) for value in (13, 255, 256, -1, 0.5, "gossip", None, math.nan)),
    *(changed("i", 5, value) for value in (math.nan, -1, 2**31, 2**40, 2**70, 1.5, "a", None, 1j)),
    *(changed("j", 0, value) for value in (0, -1, math.nan, -(2**31))),
    *(changed("start", 2, value) for value in (-1, 1, 2, 3, -2, math.nan, 2**63)),
    *(changed("start", 4, value) for value in (0, 4, 5)),
    *(changed("i", 2, 3), changed("j", 3, 2), changed("i", 4, 1)),
    *(changed("kind", 3, ARRIVE_I), changed("kind", 2, LOST), changed("kind", 4, ARRIVE_I)),
    *({**GOOD, "time": value} for value in (None, 1.0, "abc", [[0.0] * 6], [0.0] * 5, {}, b"x")),
    *({**GOOD, "mark": value} for value in ([-1] * 6, [2**64] * 6, [0.5] * 6, [2.0**64] * 6)),
    *(changed("i", row, value, ONE_WAY) for row, value in ((0, 2), (2, 0), (4, 0), (5, 2))),
    *(changed("j", row, value, ONE_WAY) for row, value in ((2, 1), (2, 2), (4, 2), (5, 0))),
    *(changed("start", row, value, ONE_WAY) for row, value in ((2, 2), (4, 0), (5, 0), (5, -1))),
    *(changed("kind", 2, value, ONE_WAY) for value in (ARRIVE_I, ARRIVE_J, GRADIENT_END)),
    *(changed("kind", 0, value, ONE_WAY) for value in (SEND, GRADIENT_START, 0)),
    changed("kind", 0, SEND_ONE),
    {**GOOD, "edge": [-2] * 6},
    {**GOOD, "time": np.ma.masked_array(GOOD["time"], [False] * 5 + [True])},
    changed("time", 0, np.ma.masked_array(0.5, mask=True)),
    changed("i", 5, np.ma.masked_array(0, mask=True)),
    {**GOOD, "i": np.array(GOOD["i"], dtype="datetime64[s]")},
    {**GOOD, "kind": np.ones(6, dtype=bool)},
]


def test_a_log_that_can_have_happened_is_one():
    log = Events.from_arrays(**GOOD)
    assert log.kind.tolist() == GOOD["kind"]
    assert Events.from_arrays(**ONE_WAY).communications.tolist() == [0.5, 0.5, 0, 0.5, 0, 0]
    lost = changed("kind", 3, LOST)
    assert len(Events.from_arrays(**lost)) == 6  # of the one end that it had not reached


@pytest.mark.parametrize("columns", BAD, ids=range(len(BAD)))
def test_a_log_that_cannot_have_happened_is_refused(columns):
    with pytest.raises(InputError) as error:
        Events.from_arrays(**columns)
    column = str(error.value).partition(":")[0]
    assert column in ("time", "kind", "i", "j", "edge", "mark", "start")
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize("unit", [0, -1.0, math.nan, math.inf, "1", None, [1.0]])
def test_a_unit_that_is_none(unit):
    log = Events.from_arrays(**GOOD)
    for make in (log.in_intervals, lambda unit: replace(log, unit=unit)):
        with pytest.raises(InputError, match=r"^unit: .* given; it is finite and above 0"):
            make(unit)


def test_the_edge_that_a_log_names_is_that_of_its_nodes():
    network = Network(3, np.array([[0, 1], [1, 2]]))
    columns = {"time": [1.0, 2.0], "kind": [1, 1], "i": [0, 2], "j": [1, 1], "network": network}
    for edge in (None, [0, 1], [-1, 1]):
        assert Events.from_arrays(**columns, edge=edge).edge.tolist() == [0, 1]
    for edge in ([1, 1], [0, 0], [0, 7]):
        with pytest.raises(InputError, match=r"^edge: row . says .*, but nodes . and . have edge"):
            Events.from_arrays(**columns, edge=edge)


WRITTEN = {
    "time": [("<f8", v) for v in (-1.0, math.nan, math.inf, 0.4)] + [("<i8", 1), ("<f4", 1.0)],
    "kind": [("<u1", 13), ("<u1", 200), ("<i8", 0), ("<U6", "gossip")],
    "i": [("<i4", -1), ("<i4", -(2**31)), ("<f8", math.nan), ("<i8", 0)],
    "start": [("<i8", 5), ("<i8", -7), ("<f8", 0.0)],
    "mark": [("<f8", 0.0), ("<i8", 0)],
}


@pytest.mark.parametrize(
    ("name", "dtype", "value"),
    [(name, dtype, value) for name, cases in WRITTEN.items() for dtype, value in cases],
)
def test_a_log_on_disk_is_checked_as_one_from_python(tmp_path, name, dtype, value):
    path = tmp_path / "log.npz"
    save_events(path, Events.from_arrays(**GOOD))
    assert load_events(path).time.tolist() == GOOD["time"]
    columns = dict(np.load(path))
    column = columns[name].astype(dtype)
    column[3] = value
    path.unlink()
    write_state(path, {**columns, name: column})
    with pytest.raises(InputError, match=rf"log\.npz\.{name}: ") as error:
        load_events(path)
    assert "\n" not in str(error.value)


@given(st.lists(st.integers(0, 2**64 - 1), max_size=8))
def test_marks_keep_their_64_bits(marks):
    log = Events.from_arrays(np.arange(len(marks)), [0] * len(marks), [0] * len(marks), mark=marks)
    assert log.mark.tolist() == marks


@given(st.data())
def test_windows_of_a_good_log_are_good(data):
    log = Events.from_arrays(**GOOD)
    first = data.draw(st.integers(0, 6))
    last = data.draw(st.integers(first, 6))
    log[first:last].check(3)


# ---- results --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    runs = [finished_run("dadao", k, rate=0.1 + k / 100) for k in range(2)]
    result(*runs, finished_run("msda", 0), finished_run("msda", 1, rate=-0.1)).save(tmp_path / "r")
    return tmp_path / "r"


def edit_manifest(folder, keep_digests=True, **changes):
    path = folder / "manifest.json"
    said = json.loads(path.read_text())
    if not keep_digests:
        del said["files"]
    for name, value in changes.items():
        *above, last = name.split("__")
        holder = said
        for key in above:
            holder = holder[int(key) if key.isdecimal() else key]
        if value is ...:
            del holder[last]
        else:
            holder[last] = value
    path.write_text(json.dumps(said))


MANIFESTS = {
    **{f"{key} missing": ({key: ...}, key) for key in ("scenario", "methods", "versions", "runs")},
    "newer": ({"versions__dadao_sim": "99.0.0"}, "of version 99.0.0"),
    "price": ({"scenario__report__cost__gradient": -1.0}, "scenario.report.cost.gradient"),
    "price nan": ({"scenario__report__cost__gradient": math.nan}, "scenario.report.cost.gradient"),
    "accuracies": ({"scenario__report__accuracies": []}, "scenario.report.accuracies"),
    "repeats": ({"scenario__repeats": 3}, "repeat 2, is missing"),
    "fewer repeats": ({"scenario__repeats": 1}, "no run of the scenario"),
    "title": ({"methods__dadao__title": 3}, "methods.dadao.title"),
    "method": ({"methods__msda": ...}, "'msda' is not among the methods"),
    "label": ({"scenario__algorithms__0__label": "msda"}, "label"),
    "path": ({"final_states__0__file": "../../x.npz"}, "final_states.0.file"),
    "absolute": ({"final_states__0__file": "/etc/passwd"}, "final_states.0.file"),
    "two of one": ({"final_states__0__file": "final_states/dadao-r1.npz"}, "the same file"),
    "of none": ({"final_states__0__algorithm": "x"}, "no run of the scenario"),
    "metric": ({"metrics__x": {"title": "x", "unit": "", "log": True}}, "metrics"),
    "interrupted": ({"interrupted": "no"}, "interrupted"),
    "stop": ({"scenario__stop__accuracy": 1e-12}, "not converged"),
}


@pytest.mark.parametrize(("changes", "said"), MANIFESTS.values(), ids=MANIFESTS)
def test_an_edited_manifest_is_refused(folder, changes, said):
    edit_manifest(folder, **changes)
    with pytest.raises(InputError) as error:
        load_result(folder)
    assert said in str(error.value)
    assert str(folder) in str(error.value)


def with_cell(row, name, value):
    def edit(table):
        values = table[name].astype(object)
        values.iloc[row] = value
        return table.assign(**{name: values if isinstance(value, str) else values.astype(float)})

    return edit


TABLES = {
    "no row": ("runs.csv", lambda t: t.iloc[1:], "'dadao', repeat 0, is missing"),
    "twice": ("runs.csv", lambda t: pd.concat([t, t.iloc[:1]]), "is there twice"),
    "order": ("runs.csv", lambda t: t.iloc[::-1], "not in its place"),
    "no column": ("runs.csv", lambda t: t.drop(columns="events"), "no column 'events'"),
    "more": ("runs.csv", lambda t: t.assign(x=1), "a column 'x'"),
    "status": ("runs.csv", with_cell(0, "status", "won"), "status"),
    "ended": ("runs.csv", with_cell(0, "status", "stopped"), "not stopped"),
    "events": ("runs.csv", lambda t: t.assign(events=-1), "events"),
    "time": ("runs.csv", with_cell(0, "time", 1.0), "but runs.csv has 1.0"),
    "nan": ("runs.csv", with_cell(0, "time", math.nan), "damaged"),
    "method": ("runs.csv", with_cell(0, "method", "msda"), "not of the method"),
    "samples": ("curves.parquet", lambda t: t[t["repeat"] == 0], "has no samples"),
    "of none": ("curves.parquet", lambda t: t.assign(algorithm="x"), "has no samples"),
    "back": ("curves.parquet", with_cell(5, "time", 0.5), "must not decrease"),
    "negative": ("curves.parquet", with_cell(0, "gradients", -1.0), "gradients"),
    "count nan": ("curves.parquet", with_cell(5, "messages", math.nan), "messages"),
    "error nan": ("curves.parquet", with_cell(5, "accuracy", math.nan), "accuracy"),
    "error": ("curves.parquet", with_cell(5, "consensus_error", -1.0), "consensus_error"),
    "sooner": ("curves.parquet", with_cell(5, "accuracy", 1e-9), "accuracy"),
    "text": ("curves.parquet", lambda t: t.assign(time=t["time"].astype(str)), "wrong type"),
    "column": ("curves.parquet", lambda t: t.drop(columns="rounds"), "no column 'rounds'"),
    "other": ("curves.parquet", lambda t: t.assign(x=1.0), "a column 'x'"),
}


@pytest.mark.parametrize("keep_digests", [True, False])
@pytest.mark.parametrize(("name", "edit", "said"), TABLES.values(), ids=TABLES)
def test_an_edited_table_is_refused(folder, name, edit, said, keep_digests):
    """Its digest tells; without one, what it says does."""
    path = folder / name
    if name.endswith("csv"):
        edit(pd.read_csv(path)).to_csv(path, index=False)
    else:
        edit(pd.read_parquet(path)).to_parquet(path, index=False)
    edit_manifest(folder, keep_digests)
    with pytest.raises(InputError) as error:
        load_result(folder)
    assert ("damaged or edited" if keep_digests else said) in str(error.value)
    assert str(folder) in str(error.value)


def test_a_result_of_before_there_were_digests_is_read(folder):
    whole = load_result(folder)
    edit_manifest(folder, keep_digests=False)
    pd.testing.assert_frame_equal(load_result(folder).curves, whole.curves, check_exact=True)


def test_an_edited_state_is_found_when_it_is_read(folder):
    path = folder / "final_states" / "dadao-r0.npz"
    write_state(path, {name: -block for name, block in np.load(path).items()})
    kept = load_result(folder).states["dadao", 0]
    with pytest.raises(InputError, match=r"dadao-r0\.npz.*damaged or edited"):
        kept["x"]


def test_the_summary_is_of_the_curves_whatever_the_file_says(folder):
    before = load_result(folder).summary
    (folder / "summary.csv").write_text("algorithm\nbetter than all\n")
    pd.testing.assert_frame_equal(load_result(folder).summary, before)


@pytest.mark.parametrize(
    ("key", "value"),
    [("repeat", "0"), ("status", "won"), ("time", -1.0), ("events", 1.5), ("tuning", None)],
)
def test_a_run_that_was_kept_is_checked_too(tmp_path, key, value):
    store = RunStore(tmp_path, "identity")
    store.save(finished_run("dadao"))
    (mark,) = tmp_path.glob("*.json")
    said = json.loads(mark.read_text())
    said["row"][key] = value
    mark.write_text(json.dumps(said))
    with pytest.raises(InputError, match=f"{mark.name}.*{key}"):
        store.finished()


@pytest.mark.parametrize("name", ["manifest.json", "curves.parquet", "runs.csv", "timing.json"])
@pytest.mark.parametrize("kind", ["folder", "loop", "dangling", "pipe"])
def test_what_is_no_file_is_none(folder, name, kind):
    path = folder / name
    path.unlink()
    match kind:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(name)
        case "dangling":
            path.symlink_to("nowhere")
        case "pipe":
            os.mkfifo(path)
    with pytest.raises(InputError, match=name):
        load_result(folder)
