"""What a result read is kept as digests: nothing is built again of a file that is another now."""

import json
import shutil

import numpy as np
import pytest
from html_page import Page

from dadao_sim import InputError, PlayedAgain, load_result, simulate, sweep
from dadao_sim.plotting.page.write import page

pytestmark = pytest.mark.usefixtures("own_plugins")

NODES = 6
LINE = '<edge source="{i}" target="{j}"><data key="ms">{ms}</data></edge>'
GRAPH = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="ms" for="edge" attr.name="ms" attr.type="double"/>
<graph edgedefault="undirected">{nodes}{edges}</graph></graphml>
"""
PLUGIN = """
from dadao_sim import Metric

METRIC = Metric("largest", "Largest", lambda problem, X: float(X.max()))
"""
ROWS = np.random.default_rng(3).standard_normal((4 * NODES, 3)).round(3)


def graphml(latency):
    """A cycle; the latency of its first link."""
    nodes = "".join(f'<node id="n{k}"/>' for k in range(NODES))
    edges = "".join(
        LINE.format(i=f"n{k}", j=f"n{(k + 1) % NODES}", ms=5.0 if k else latency)
        for k in range(NODES)
    )
    return GRAPH.format(nodes=nodes, edges=edges)


def table(first):
    """Samples; the first number of them."""
    rows = [",".join(map(str, row)) for row in ROWS.tolist()]
    rows[0] = ",".join(map(str, [first, *ROWS[0, 1:].tolist()]))
    return "\n".join(["a,b,y", *rows]) + "\n"


def trace(last):
    """Compute times of every node."""
    times = [1.0] * (NODES - 1) + [last]
    return "\n".join(["node,time", *(f"n{k},{t}" for k, t in enumerate(times))]) + "\n"


FILES = {
    "links.graphml": (graphml(5.0), graphml(50.0)),
    "rows.csv": (table(0.25), table(0.75)),
    "times.csv": (trace(1.0), trace(2.0)),
    "mine.py": (PLUGIN, PLUGIN.replace("X.max", "X.min")),
}
"""What they hold, and after one number has changed."""
SCENARIO = {
    "name": "of-files",
    "repeats": 2,
    "plugins": ["mine.py"],
    "problem": {"kind": "ridge", "mu": 0.1, "data": {"kind": "file", "path": "rows.csv"}},
    "network": {"file": "links.graphml"},
    "algorithms": ["dadao"],
    "world": {
        "nodes": {"gradient": {"kind": "trace", "file": "times.csv"}},
        "links": {"latency": {"attribute": "ms", "times": 0.001}},
    },
    "stop": {"time": 8.0},
    "record": {"points": 6, "metrics": ["largest"]},
}


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """A folder with files, and the result of them in it, by relative paths."""
    place = tmp_path / "study"
    place.mkdir()
    monkeypatch.chdir(place)
    for name, (content, _) in FILES.items():
        (place / name).write_text(content)
    simulate(SCENARIO, out="out")
    return place


def saved(place, **changes):
    """The result, its manifest as an edited one: None takes a key away."""
    file = place / "out" / "manifest.json"
    manifest = json.loads(file.read_text()) | changes
    kept = {name: value for name, value in manifest.items() if value is not None}
    file.write_text(json.dumps(kept))
    return load_result(place / "out")


def said_by(work):
    with pytest.raises(InputError) as error:
        work()
    return str(error.value)


def again(result):
    """All that is made again of a result: what is said by each, empty where it is made."""
    said = []
    for work in (
        lambda: result.events("dadao", 1),
        lambda: result.trajectory("dadao"),
        lambda: PlayedAgain(result, "dadao").edge_counts(),
        lambda: simulate({**SCENARIO, "repeats": 3}, out="out", resume=True),
    ):
        try:
            work()
            said.append("")
        except InputError as error:
            said.append(str(error))
    return said


def test_a_manifest_has_the_digests_of_what_was_read(ran):
    manifest = json.loads((ran / "out" / "manifest.json").read_text())
    assert list(manifest["inputs"]) == ["rows.csv", "links.graphml", "times.csv"]
    assert len(set(manifest["inputs"].values())) == 3
    assert str(ran) not in json.dumps({k: v for k, v in manifest.items() if k != "plugins"})


def test_untouched_files_are_no_news(ran):
    result = load_result("out")
    read = Page(page({"out": result}))
    assert {"r0-network", "r0-timeline"} <= set(read.data)
    assert "Left out" not in read.text
    assert "Not known" not in read.text
    listed = read.text.partition("It reads what is not in this page:")[2].split()
    assert listed[:4] == list(SCENARIO["plugins"]) + list(result.manifest["inputs"])
    for name in FILES:
        (ran / name).touch()
    assert again(result) == [""] * 4


@pytest.mark.parametrize("gone", [False, True], ids=["changed", "gone"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_another_now_is_noticed_by_all(ran, name, gone):
    result = load_result("out")
    if gone:
        (ran / name).unlink()
    else:
        (ran / name).write_text(FILES[name][1])
    read = Page(page({"out": result}))
    assert not {"r0-network", "r0-timeline"} & set(read.data)
    said = again(result)
    if name == "mine.py":
        how = "no such file" if gone else "has changed since it was run"
        assert all(how in one for one in said[:3])
        whose = f"folder: out holds a result whose plug-in {ran / name} has changed since it was"
        assert said[3].startswith(f"plugins.0: mine.py: {how}" if gone else whose)
        assert how in read.text
        return
    how = f"file {name} {'is gone' if gone else 'has changed since it was run'}"
    assert said[:3] == [f"result: its {how}"] * 3
    assert said[3].startswith(f"folder: out holds a result whose {how};")
    assert read.text.count(f"Left out: result: its {how}.") == 2  # the network and the world
    assert name in read.text.partition("It reads what is not in this page")[2]


def test_a_plug_in_that_was_edited_is_named_by_a_sweep(ran):
    swept = {**SCENARIO, "repeats": 1, "sweep": {"stop.time": [4.0, 8.0]}}
    sweep(swept, out="cells")
    (ran / "mine.py").write_text(FILES["mine.py"][1])
    said = said_by(lambda: sweep(swept, out="cells", resume=True))
    whose = f"folder: cells holds results whose plug-in {ran / 'mine.py'} has changed since it was"
    assert said.startswith(whose)
    assert said.endswith("resume with the same, choose another, or overwrite it")
    sweep(swept, out="cells", overwrite=True)
    assert sweep(swept, out="cells", resume=True).account.before == 2


def test_a_folder_moves_with_its_files(ran, monkeypatch):
    place = ran.parent / "elsewhere"
    monkeypatch.chdir(ran.parent)
    shutil.move(ran, place)
    monkeypatch.chdir(place)
    result = saved(place, plugins=[])  # which are told by their absolute paths
    result.manifest["scenario"] |= {"plugins": []}
    result.manifest["scenario"]["record"] |= {"metrics": []}
    assert "r0-network" in Page(page({"out": result})).data
    (place / "rows.csv").write_text(FILES["rows.csv"][1])
    assert "file rows.csv has changed" in Page(page({"out": result})).text


def test_what_an_older_result_does_not_say_is_said_to_be_unknown(ran):
    older = saved(ran, inputs=None, ground="0" * 64)
    read = Page(page({"out": older}))
    assert "Not known: whether the files that its scenario reads hold what they held" in read.text
    assert {"r0-network", "r0-timeline"} <= set(read.data)
    (ran / "links.graphml").write_text(FILES["links.graphml"][1])
    assert "Not known" in Page(page({"out": older})).text
    assert "is of another version, or of other files" in said_by(lambda: older.events("dadao"))


def test_an_older_result_of_these_files_is_known_by_its_ground(ran):
    read = Page(page({"out": saved(ran, inputs=None)}))
    assert "Not known" not in read.text
    assert "r0-network" in read.data


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "inputs: must be a mapping"),
        ({"rows.csv": "abc"}, "inputs.rows.csv"),
    ],
)
def test_digests_that_are_none_are_refused(ran, inputs, said):
    assert said in said_by(lambda: saved(ran, inputs=inputs))
    more = {**SCENARIO, "seed": 1}
    assert "out holds" in said_by(lambda: simulate(more, out="out", resume=True))


def test_a_scenario_with_other_files_than_were_read_is_refused(ran):
    result = saved(ran, inputs={"other.csv": "0" * 64})
    assert "its scenario names other files than it was run with" in said_by(
        lambda: result.events("dadao")
    )


def test_results_are_equal_wherever_they_are_made(ran, tmp_path, monkeypatch):
    plain = {name: value for name, value in SCENARIO.items() if name != "plugins"}
    plain["record"] = {"points": 6}
    simulate(plain, out="one")
    other = tmp_path / "other"
    shutil.copytree(ran, other)
    monkeypatch.chdir(other)
    simulate(plain, out="two")
    for name in ("manifest.json", "runs.csv", "curves.parquet"):
        assert (ran / "one" / name).read_bytes() == (other / "two" / name).read_bytes()
