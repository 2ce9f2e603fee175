"""The cache of compiled code on disk: never old code, never too much of it."""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import dadao_sim
from dadao_sim.compiled.kernel import (
    KEPT_CACHES,
    cache_folder,
    compiled_sources,
    kernel,
    source_digest,
)
from dadao_sim.compiled.sources import PACKAGE
from dadao_sim.engine import node, operators, oracles
from dadao_sim.problems.kinds import losses


def test_the_digest_covers_what_compiled_code_can_come_from_and_nothing_else(tmp_path):
    package = tmp_path / "dadao_sim"
    package.mkdir()
    files = {
        "a.py": "from dadao_sim.compiled.kernel import kernel\nfrom dadao_sim.b import (\n    f)\n",
        "b.py": "from dadao_sim import constants\n",
        "constants.py": "TEN = 10\n",
        "figure.py": "from dadao_sim.a import g\n\n\ndef draw():\n    import numba\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    assert [path.name for path in compiled_sources(package)] == ["a.py", "b.py", "constants.py"]
    before = source_digest(package)
    (package / "figure.py").write_text("# a comment\n")
    assert source_digest(package) == before
    for name in ("a.py", "b.py", "constants.py"):
        (package / name).write_text(files[name] + "# a comment\n")
        after = source_digest(package)
        assert after != before, name
        before = after


def test_every_function_that_is_compiled_lies_in_a_file_of_the_digest():
    """Asked of numba's own objects, after all methods, problems and terms are known."""
    for module in pkgutil.walk_packages(dadao_sim.__path__, "dadao_sim."):
        if ".learned" not in module.name and ".learning" not in module.name:
            importlib.import_module(module.name)
    covered = {str(path) for path in compiled_sources()}
    functions = [
        getattr(implementation, "py_func", implementation)
        for table in (node, oracles, operators, losses)
        for verb in vars(table).values()
        for implementation in getattr(verb, "implementations", {}).values()
    ]
    functions += [
        value.py_func
        for module in list(sys.modules.values())
        if getattr(module, "__name__", "").startswith("dadao_sim")
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    ]
    assert len(functions) > 150
    for function in functions:
        file = function.__code__.co_filename
        if PACKAGE in Path(file).parents:
            assert file in covered, f"{function.__qualname__} of {file}"


@pytest.mark.slow
def test_an_edit_of_a_called_file_is_never_answered_from_the_cache(tmp_path):
    """What numba alone gets wrong: the caller is cached, the callee in another file changes."""
    package = tmp_path / "dadao_sim"
    (package / "compiled").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "compiled" / "__init__.py").write_text("")
    for name in ("kernel.py", "sources.py"):
        shutil.copy(PACKAGE / "compiled" / name, package / "compiled" / name)
    (package / "caller.py").write_text(
        textwrap.dedent("""
            from dadao_sim.compiled.kernel import kernel
            from dadao_sim import callee
            inner = kernel(callee.inner)

            @kernel
            def outer(x):
                return inner(x) + 1
        """)
    )

    def answer(body):
        (package / "callee.py").write_text(f"def inner(x):\n    return {body}\n")
        program = (
            "from dadao_sim.caller import outer;"
            "print(outer(10), sum(outer.stats.cache_hits.values()))"
        )
        environment = {
            **os.environ,
            "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
            "PYTHONPATH": str(tmp_path),
        }
        environment.pop("NUMBA_DISABLE_JIT", None)
        out = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout.split()

    assert answer("x") == ["11", "0"]
    assert answer("x") == ["11", "1"], "the second process reads what the first compiled"
    assert answer("2 * x") == ["21", "0"]


def test_what_is_compiled_for_a_users_types_is_not_kept(tmp_path):
    """Old code of theirs is not served, and nobody stumbles over a module he does not have."""
    program = """
from typing import Any, NamedTuple
import numpy as np
from dadao_sim.engine import oracles
from dadao_sim.problems.kinds.averaging import Averaging
from dadao_sim.problems.kinds.composite import Composite

class Own(NamedTuple):
    factor: float

oracles.gradient.register(Own, lambda own, i, x, mark, out: out.fill({factor} * own.factor))
X = np.zeros((1, 2))
for objective in (Averaging(X), Own(2.0), Composite(Own(3.0), Own(1.0), X[0], X[0])):
    out = np.empty((1, 2))
    oracles.all_gradients(objective, X, np.zeros(1, np.uint64), out)
    print(out[0, 0])
print(sum(oracles._compiled_gradients.stats.cache_hits.values()))
"""

    def printed(module, factor):
        (tmp_path / f"{module}.py").write_text(program.format(factor=factor))
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        out = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            env={**environment, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PACKAGE.parent}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        (tmp_path / f"{module}.py").unlink()
        return out.stdout.split()

    assert printed("one", 1) == ["0.0", "2.0", "3.0", "0"]
    assert printed("two", 10) == ["0.0", "20.0", "30.0", "1"]
    assert printed("two", 100) == ["0.0", "200.0", "300.0", "1"]


def test_the_oldest_caches_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    root = tmp_path / "dadao_sim_kernels"
    for age in range(6):
        (root / f"old{age}").mkdir(parents=True)
        os.utime(root / f"old{age}", (1e9 - age, 1e9 - age))
    folder = cache_folder.__wrapped__()
    kept = {path.name for path in root.iterdir()}
    assert kept == {folder.name, *(f"old{age}" for age in range(KEPT_CACHES - 1))}


def test_processes_that_compile_at_once_do_not_mix_their_code(tmp_path, monkeypatch):
    """The second asks for a file name before the first has written the index, and writes before
    the first has written its code: numba alone answers 6 to the last line, from the index of the
    second and the code of the first.
    """
    (tmp_path / "triple.py").write_text("def triple(x):\n    return 3 * x\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("dadao_sim.compiled.kernel.cache_folder", cache_folder.__wrapped__)
    from triple import triple

    first, second, later = kernel(triple), kernel(triple), kernel(triple)
    write = first._cache._cache_file._save_data

    def write_late(name, data):
        assert second(1.5) == 4.5
        write(name, data)

    monkeypatch.setattr(first._cache._cache_file, "_save_data", write_late)
    monkeypatch.setattr(second._cache._cache_file, "_load_index", dict)
    assert first(2) == 6
    assert later(2.5) == 7.5
    assert sum(later.stats.cache_hits.values()) == 1
