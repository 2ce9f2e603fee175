"""Names are printed as they are, whatever they look like, and told apart."""

import json
from pathlib import Path

import pytest
from synthetic import finished_run, result

from dadao_sim.cli import show
from dadao_sim.cli.results import _told_apart
from dadao_sim.errors import InputError
from dadao_sim.files import slug, unique_slugs

MARKUP = ["[b]", "[/b]", "[lr=1e-3]", ":100:", ":smiley:", r"\[x]", "[link=x]", "{0} %s", "$x$"]


@pytest.mark.parametrize("name", MARKUP)
def test_a_name_is_no_markup(capsys, name):
    show.say(f"result: {name}")
    show.print_table((name, "number"), [(name, name)])
    line, head, row = capsys.readouterr().out.splitlines()
    assert line == f"result: {name}"
    assert head.split()[0] == name.split()[0]
    assert row.count(name) == 2


@pytest.mark.parametrize(
    ("name", "spelt"),
    [("a\nb", r"a\nb"), ("\x1b[1mx", r"\x1b[1mx"), ("\u202eb", r"\u202eb"), ("\udcff", r"\udcff")],
)
def test_what_does_not_print_is_spelt(capsys, name, spelt):
    show.say(f"result: {name}")
    show.print_table(("name",), [(name,)])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [f"result: {spelt}", "name", spelt]


def test_accuracies_in_the_table_are_the_numbers_they_are():
    texts = [show.accuracy_text(accuracy) for accuracy in (0.01, 1e-12, 0.15, 0.999)]
    assert texts == ["1e-02", "1e-12", "0.15", "0.999"]


def test_results_are_called_by_their_folders_wherever_they_are_seen_from(tmp_path, monkeypatch):
    for name in ("a/mine", "b/mine", "b/c/mine"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "mine")

    def names(*folders):
        return _told_apart([Path(folder) for folder in folders])

    assert names(".") == ["mine"]
    assert names(".", "..") == ["mine", "a"]
    assert names("../../b/") == ["b"]
    assert names(".", "../../b/mine") == ["a/mine", "b/mine"]
    assert names(tmp_path / "b/mine", tmp_path / "b/c/mine") == ["b/mine", "c/mine"]


def test_a_result_is_compared_once(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to("mine")
    monkeypatch.chdir(tmp_path)
    for again in ("mine", "./mine/", "mine/../mine", tmp_path / "mine", "link"):
        with pytest.raises(InputError, match=r"^compare: .* is mine: give each result once$"):
            _told_apart([Path("mine"), Path(again)])


def test_a_long_label_makes_a_short_name_of_a_file_that_is_its_own():
    longs = ["x" * 250, "x" * 251, "x" * 250 + "!", "word " * 1000]
    slugs = unique_slugs(longs)
    assert len(set(slugs.values())) == len(longs)
    assert all(len(name) <= 60 for name in slugs.values())
    assert slug("x" * 60) == "x" * 60
    assert slug("\ud800" * 3) == "run"


@pytest.mark.slow
def test_a_scenario_of_odd_labels_is_run_compared_and_drawn(dadao_sim, tmp_path):
    labels = ["[/b]", ":100:", "$$", r"$\foo$", "_x", "κ → 0", "x" * 100, "a,b\"'"]
    data = {"kind": "synthetic", "dim": 2, "samples_per_node": 3}
    scenario = {
        "name": "s",
        "problem": {"kind": "ridge", "mu": 0.1, "data": data},
        "network": {"graph": "path", "nodes": 2},
        "algorithms": [{"name": "nids", "label": label} for label in labels],
        "stop": {"time": 3},
        "record": {"points": 3},
    }
    (tmp_path / "s.yaml").write_text(json.dumps(scenario))  # JSON is YAML
    code, out, err = dadao_sim("run", "s.yaml", "--out", "[o]:100:")
    assert (code, err) == (0, "")
    assert "result: [o]:100:\n" in out
    assert all(label[:20] in out for label in labels)
    assert list((tmp_path / "[o]:100:/figures").iterdir())
    code, out, err = dadao_sim("compare", "[o]:100:", "--accuracy", 0.99, "--figure", "c.png")
    assert (code, err) == (0, "")
    assert all(label[:20] in out for label in labels)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rates", "give either a GraphML file or --graph"),
        ("rates --graph foo --nodes 4", "--graph: unknown value 'foo'"),
        ("rates --graph cycle", "--nodes: is missing"),
        ("network --graph cycle --nodes 4 --set degree=3", "--set degree: unknown key"),
        ("world world/edge-devices --algorithm MSDA --end -1", "--end: -1.0 given"),
        ("world world/edge-devices --algorithm zz", "--algorithm: there is no 'zz'"),
        ("run quickstart --seed -1", "--seed: must be "),
        ("run quickstart --repeats 0", "--repeats: must be "),
        ("run quickstart --jobs abc", "--jobs: must be an integer, got 'abc'\n"),
        ("network --graph star --nodes 1.5", "--nodes: must be an integer, got '1.5'\n"),
        ("theory quickstart --accuracy x", "--accuracy: must be a number, got 'x'\n"),
        ("run --foo", "No such option: --foo"),
        ("run", "Missing argument 'SCENARIO'"),
        ("nope", "No such command 'nope'"),
    ],
)
def test_what_is_wrong_is_called_as_the_user_wrote_it(dadao_sim, arguments, said):
    code, _, err = dadao_sim(*arguments.split())
    assert code == 2
    assert err.startswith(f"dadao-sim: {said}")
    assert err.count("\n") == 1


def test_options_of_the_commands_that_read_results_too(dadao_sim, tmp_path):
    result(finished_run("dadao")).save(tmp_path / "o")
    for arguments, said in (
        ("compare o --accuracy -1", "--accuracy: -1 given"),
        ("compare o --accuracy 1e-30 --figure c.png", "--accuracy: no algorithm tried 1e-30"),
        ("plot o --y foo", "--y: unknown value 'foo' (known: accuracy, "),
    ):
        code, _, err = dadao_sim(*arguments.split())
        assert code == 2
        assert err.startswith(f"dadao-sim: {said}")
