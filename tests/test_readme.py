"""The README: its Python runs as written, what it says of the package is so; and CONTRIBUTING."""

import re
from pathlib import Path

import house
import numpy as np
import pytest
from method_table import PAGES, long_tables, written

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.scenario import shipped

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def readme():
    """The names that the blocks leave, run one after the other at the top of the repository."""
    names = {}
    assert "my_dgd" not in METHODS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(METHODS, "_things", METHODS._things.copy())
        patch.chdir(ROOT)
        for block in BLOCKS:
            exec(compile(block, "README.md", "exec"), names)
        yield names


def test_the_method_of_the_readme_is_dgd(readme):
    """Against the equation written with dense matrices."""
    A, b, network = readme["A"], readme["b"], readme["network"]
    laplacian = network.laplacian().toarray()
    W = np.eye(16) - laplacian / np.linalg.eigvalsh(laplacian)[-1]
    step = 1 / (10 * max(2 / 20 * np.linalg.eigvalsh(a.T @ a)[-1] for a in A))
    X = np.zeros((16, 5))
    for _ in range(300):
        residuals = np.einsum("imd,id->im", A, X) - b
        X = W @ X - step * 2 / 20 * np.einsum("imd,im->id", A, residuals)
    found = readme["result"].states["my_dgd", 0]["x"]
    np.testing.assert_allclose(found, X, rtol=1e-10)


def test_dgd_is_counted_like_the_others(readme):
    end = readme["result"].curves.query("algorithm == 'my_dgd'").iloc[-1]
    assert (end.rounds, end.gradients, end.communications) == (300, 16 * 300, 16 * 300)


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
