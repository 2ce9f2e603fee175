"""What people write instead of a name: it is understood where it can mean one thing only."""

import pytest

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.registration import GROUP, _installed
from dadao_sim.results.names import label_called
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.testing import check_method

TITLES = METHODS.titles
EVERY = {name: name for name in METHODS.ours}


@pytest.mark.parametrize("name", EVERY)
def test_a_method_is_meant_by_its_name_in_print_however_it_is_written(name):
    title = TITLES[name]
    for text in (name, name.upper(), title, title.lower(), title.upper(), title.replace("-", " ")):
        assert label_called(text, EVERY, TITLES) == name


def test_a_label_is_itself_before_it_is_anything_else():
    methods = {"AD-PSGD": "dadao", "b": "ad_psgd"}
    assert label_called("AD-PSGD", methods, TITLES) == "AD-PSGD"
    assert label_called("B", methods, TITLES) == "b"
    assert label_called("DADAO", methods, TITLES) == "AD-PSGD"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dadao", "'as given' or 'rescaled'"),
        ("AD-PSDG", "did you mean 'ad_psgd'"),
        ("DADO", "there is no 'DADO'"),
        ("+", r"there is no '\+'"),
        ("", "there is no ''"),
    ],
)
def test_what_means_several_or_none_is_refused(text, said):
    methods = {"as given": "dadao", "rescaled": "dadao", "ad_psgd": "ad_psgd", "": "extra"}
    del methods[""]
    with pytest.raises(InputError, match=said):
        label_called(text, methods, TITLES)


def test_world_takes_the_name_in_print(dadao_sim):
    change = ("--set", "algorithms=[ad_psgd, prox_lead, dadao]", "--end", 2)
    code, out, _ = dadao_sim("world", "world/loss", "--algorithm", "AD-PSGD", *change)
    assert (code, "AD-PSGD" in out) == (0, True)
    code, _, error = dadao_sim("world", "world/loss", "--algorithm", "ADPSGDX", *change)
    assert code == 2
    assert "did you mean 'ad_psgd'" in error


@pytest.mark.parametrize("title", [TITLES[name] for name in METHODS.ours])
def test_a_scenario_says_what_a_name_in_print_is_called(dadao_sim, title):
    code, _, error = dadao_sim("validate", "quickstart", "--set", f"algorithms=['{title} ']")
    assert code == 2
    name = next(name for name in METHODS.ours if TITLES[name] == title)
    assert f"did you mean '{name}'" in error


@pytest.mark.parametrize(
    ("name", "meant"), [("quickstrat", "quickstart"), ("worl/loss", "world/loss")]
)
def test_a_scenario_of_ours_is_suggested(dadao_sim, name, meant):
    code, _, error = dadao_sim("validate", name)
    assert (code, error.count("\n")) == (2, 1)
    assert f"did you mean '{meant}'" in error


def test_python_finds_the_scenarios_that_commands_find(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_scenario("quickstart").name == "quickstart"
    (tmp_path / "quickstart").write_text("name: [")  # a file of that name comes first
    with pytest.raises(InputError, match="not valid YAML"):
        load_scenario("quickstart")


@pytest.mark.parametrize("key", ["graph", "nodes", "time", "points", "accuracies"])
def test_a_key_without_its_section_is_suggested_with_it(dadao_sim, key):
    code, _, error = dadao_sim("validate", "quickstart", "--set", f"{key}=.2")
    assert (code, "unknown key; did you mean '" in error) == (2, True)
    assert f".{key}'" in error


@pytest.mark.parametrize("number", [".5", "0.5", "5e-1", "+.5", " .5 "])
def test_a_number_may_begin_with_its_point(dadao_sim, number):
    network = ("network", "--graph", "erdos_renyi", "--nodes", 12, "--set")
    same = dadao_sim(*network, "probability=0.5")
    assert dadao_sim(*network, f"probability={number}") == same
    assert same[0] == 0


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "x", "", "[1]", "0x10"])
def test_what_is_no_number_is_no_option(dadao_sim, text):
    network = ("network", "--graph", "erdos_renyi", "--nodes", 12, "--set")
    code, _, error = dadao_sim(*network, f"probability={text}")
    assert (code, "must be OPTION=NUMBER" in error) == (2, True)


def test_a_world_that_asks_for_lengths_says_what_to_add(dadao_sim):
    changes = ("--set", "network={graph: cycle, nodes: 6}", "--set", "world={preset: wan}")
    code, _, error = dadao_sim("validate", "quickstart", *changes)
    assert (code, "add links: {latency_per_km: 0} to world" in error) == (2, True)
    code, _, error = dadao_sim(
        "validate", "quickstart", *changes, "--set", "world.links={latency_per_km: 0}"
    )
    assert (code, error) == (0, "")


@pytest.mark.parametrize("thing", [3, "dadao", None, METHODS, dict])
def test_only_a_method_is_held_against_the_laws(thing):
    with pytest.raises(InputError, match="a Method is needed, not a"):
        check_method(thing)


@pytest.mark.parametrize("name", [3, None, 1.5, ("dadao",), [], b"dadao"])
def test_only_a_text_is_a_name(name):
    with pytest.raises(InputError, match="a name is needed, not a"):
        METHODS[name]
    assert name not in METHODS


class _Entry:
    """An entry point as `importlib.metadata` has it."""

    name, value = "mine", "mine:thing"

    def __init__(self, load):
        self.load = load


def _raising(error):
    def load():
        raise error

    return load


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (lambda: METHODS["dadao"], "names a AsynchronousMethod; it must name a module"),
        (lambda: 3, "names a int"),
        (lambda: None, "names a NoneType"),
        (_raising(SystemExit(3)), "SystemExit: 3"),
        (_raising(ImportError("no\nsuch")), "ImportError: no such"),
        (_raising(AttributeError("thing")), "AttributeError: thing"),
        (_raising(RecursionError("x" * 1000)), "RecursionError: xxx"),
    ],
)
def test_an_installed_plugin_that_is_none_is_named(monkeypatch, load, said):
    asked = []
    monkeypatch.setattr(
        "dadao_sim.registration.entry_points",
        lambda group: asked.append(group) or [_Entry(load)],
    )
    with pytest.raises(InputError, match="plug-in 'mine'") as error:
        _installed()
    assert asked == [GROUP]
    assert said in str(error.value)
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize("word", ["p", "P", "prob"])
def test_the_beginning_of_a_key_suggests_it(dadao_sim, word):
    code, _, err = dadao_sim(
        "network", "--graph", "erdos_renyi", "--nodes", "8", "--set", f"{word}=.2"
    )
    assert code == 2
    assert f"--set {word}: unknown key; did you mean 'probability'?" in err
