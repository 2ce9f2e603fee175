"""What ``import dadao_sim`` gives: every public name, and nothing before it is asked for."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dadao_sim
from dadao_sim import plotting


def test_importing_the_package_imports_nothing_but_python():
    program = (
        "import sys; before = set(sys.modules); import dadao_sim;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    imported = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert set(imported) <= {"dadao_sim", *sys.stdlib_module_names}


def test_every_public_name_is_that_of_its_home():
    names = set(dadao_sim.__all__) - {"__version__"}
    assert names == set(dadao_sim._HOMES)
    for name, home in dadao_sim._HOMES.items():
        assert getattr(dadao_sim, name) is getattr(import_module(f"dadao_sim.{home}"), name)
    assert set(dadao_sim.__all__) <= set(dir(dadao_sim))


@pytest.mark.parametrize("package", [dadao_sim, plotting])
def test_type_checkers_see_the_same_names(package):
    source = ast.parse(Path(package.__file__).read_text("utf-8"))
    checked = {
        (alias.asname, f"{node.module}.{alias.name}")
        for block in source.body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    assert checked == {(name, f"dadao_sim.{home}.{name}") for name, home in package._HOMES.items()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Problme'"):
        _ = dadao_sim.Problme
