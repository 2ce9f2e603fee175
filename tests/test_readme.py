"""The README: what it says of the package is so; and CONTRIBUTING. That it runs: test_pages."""

import re
from pathlib import Path

import house
import pytest
from method_table import PAGES, long_tables, written

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.scenario import shipped

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_methods_are_what_they_declare(page):
    name, table = PAGES[page]
    text = page.read_text("utf-8")
    assert written(text, name, table()) == text, "run `make methods`"


def test_the_tables_of_methods_against_the_papers():
    """What is read off the declarations, against what the papers say."""
    lines = [line for line in long_tables().split("\n") if line.startswith("| `")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    table = {row[0].strip("`"): row[1:] for row in rows}
    assert set(table) >= set(METHODS.ours)
    assert table["dadao"][:4] == ["DADAO", "gradient", "Poisson, nodes and edges", "1 vector"]
    assert table["dadao"][4].startswith("sequences of graphs")
    assert table["dadao"][-1] == "Nabli and Oyallon, 2023"
    assert table["continuized"][1:4] == ["conjugate gradient", "Poisson, edges", "1 vector"]
    assert table["msda"][1:3] == ["conjugate gradient", "rounds"]
    assert table["d_admm"][:3] == ["D-ADMM", "local solve", "rounds"]
    assert table["d_admm"][4] == "local step"
    assert table["gradient_tracking"][-1] == "Nedić, Olshevsky and Shi, 2017"
    assert table["sonata"][3] == "2 of 1 vector"
    assert table["lead"][3:5] == ["compressed", "minibatches, mixing, compression (unbiased)"]
    assert "1 - 1/(2 sqrt kappa)" in table["msda"][5]


def test_the_house_of_the_readme_is_the_package():
    """Every package is drawn below the one it is in."""
    drawn, above = set(), []
    block = README.partition("    dadao_sim/ ")[2].partition("\n    graphs/")[0]
    for indent, name in re.findall(r"^    ( +)(\w+)/ ", block, flags=re.MULTILINE):
        above = [*above[: len(indent) // 2 - 1], name]
        drawn.add(".".join(above))
    assert drawn == house.read().packages


def test_what_the_readme_links_to_is_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_files_that_contributing_names_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+(?:/|\.py))`", text):
        assert (ROOT / name).exists() or [*(ROOT / "dadao_sim").glob(f"**/{name}")], name


def test_the_scenarios_and_networks_travel_with_the_package():
    assert "quickstart" in shipped.scenarios()
    assert shipped.scenario_path("quickstart").is_file()
    assert (shipped.folder("graphs") / "geant2012.graphml").is_file()
