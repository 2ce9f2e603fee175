"""Which room of the package stands on which: arrows go down, and never in a circle."""

import pytest
from house import PACKAGE, read

# From the top: a room may import those on floors below its own, no other.
FLOORS = (
    ("__main__",),
    ("cli",),
    ("plotting.page",),
    ("plotting",),
    ("live", "reports", "testing", "tuning"),
    ("simulation",),
    ("scenario",),
    ("results",),
    ("learning", "plugins", "theory"),
    ("algorithms",),
    ("algorithms.contract",),
    ("problems",),
    ("problems.kinds",),
    ("problems.data",),
    ("problems.data.formats",),
    ("local_steps.section",),
    ("local_steps.learned",),
    ("local_steps.quantise", "local_steps.terms"),
    ("local_steps",),
    ("engine",),
    ("events.world.faults",),
    ("events.world",),
    ("events",),
    ("networks.section",),
    ("networks.graphs", "networks.mixing", "networks.rates"),
    ("networks", "compression"),
    ("compiled", "metrics"),
    ("archives", "registration", "separated"),
    ("given",),
    ("files", "memory", "strict"),
    ("errors", "randomness"),
    ("text",),
)
SMALL = {room for floor in FLOORS[-5:] for room in floor}
HEIGHT = {room: -floor for floor, rooms in enumerate(FLOORS) for room in rooms}


@pytest.fixture(scope="module")
def house():
    return read()


def imports(house, wrong):
    """The imports that make the arrows for which ``wrong(source, target)``."""
    return sorted(line for arrow, lines in house.arrows.items() if wrong(*arrow) for line in lines)


def test_every_room_has_its_floor(house):
    assert house.rooms <= set(HEIGHT)


def test_arrows_go_down(house):
    assert imports(house, lambda source, target: HEIGHT[source] <= HEIGHT[target]) == []


def test_there_is_no_circle(house):
    assert house.circles() == []


def test_when_things_happen_does_not_depend_on_what_is_computed(house):
    clocks, methods = ("events", "events.world"), ("algorithms", "algorithms.contract")
    assert imports(house, lambda source, target: source in clocks and target in methods) == []


def test_figures_are_drawn_from_results_and_reports_only(house):
    allowed = {
        "plotting": {"results", "reports", *SMALL},
        "plotting.page": {"plotting", "results", "reports", *SMALL},
    }
    assert imports(house, lambda s, t: t not in allowed.get(s, {t})) == []


def test_few_modules_stand_at_the_top(house):
    assert len(house.top) <= 12


def test_every_folder_is_a_package():
    """Others would be left out of what is installed."""
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


# ---- the reader itself ----------------------------------------------------------------------


def test_imports_are_found_wherever_they_stand(tmp_path):
    package = tmp_path / "dadao_sim"
    files = {
        "__init__.py": "from dadao_sim.top import everything\n",
        "errors.py": "import dadao_sim\n",
        "top.py": "import dadao_sim.low.deep.well as well\n",
        "low/__init__.py": "",
        "low/room.py": "def f():\n    from dadao_sim.low.deep import a_name\n",
        "low/deep/__init__.py": "a_name = 1\n",
        "low/deep/well.py": "if TYPE_CHECKING:\n    from dadao_sim import errors, top\n",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    house = read(package)
    assert house.top == {"errors", "top"}
    assert house.packages == {"low", "low.deep"}
    assert house.arrows == {
        ("top", "low.deep"): {"top imports low.deep.well"},
        ("low", "low.deep"): {"low.room imports low.deep"},
        ("low.deep", "errors"): {"low.deep.well imports errors"},
        ("low.deep", "top"): {"low.deep.well imports top"},
    }
    assert house.circles() == [["low.deep", "top"]]
    assert house.floors() == [["errors"], ["low.deep", "top"], ["low"]]
