"""The cache of compiled code on disk: never old code, damaged code or another's, never too much."""

import hashlib
import importlib
import os
import pickle
import pkgutil
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

import dadao_sim
from dadao_sim.compiled import cache
from dadao_sim.compiled.cache import (
    KEPT_CACHES,
    cache_folder,
    compiled_sources,
    source_digest,
)
from dadao_sim.compiled.kernel import kernel
from dadao_sim.compiled.sources import PACKAGE
from dadao_sim.compiled.splitmix import splitmix64
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
    assert [path.name for path in compiled_sources.__wrapped__(package)] == [
        "a.py",
        "b.py",
        "constants.py",
    ]

    def digest():
        compiled_sources.cache_clear()
        return source_digest(package)

    before = digest()
    (package / "figure.py").write_text("# a comment\n")
    assert digest() == before
    for name in ("a.py", "b.py", "constants.py"):
        (package / name).write_text(files[name] + "# a comment\n")
        after = digest()
        assert after != before, name
        before = after


def test_every_function_that_is_compiled_lies_in_a_file_of_the_digest():
    """Asked of numba's own objects, after all methods, problems and terms are known."""
    for module in pkgutil.walk_packages(dadao_sim.__path__, "dadao_sim."):
        if ".learned" not in module.name and ".learning" not in module.name:
            importlib.import_module(module.name)
    covered = {str(path) for path in compiled_sources(PACKAGE)}
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


def without_home(tmp_path):
    """An environment in which no folder of the user's can be written; temporary ones can."""
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "HOME": "/dev/null", "TMPDIR": str(temporary)}
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "NUMBA_DISABLE_JIT"):
        environment.pop(name, None)
    return environment


def copy_of_the_compiler(tmp_path):
    """A package of that name with the modules that compile, and nothing else."""
    package = tmp_path / "dadao_sim"
    (package / "compiled").mkdir(parents=True)
    compiler = ("__init__", "kernel", "cache", "cache_files", "sources")
    for name in ("__init__", *(f"compiled/{module}" for module in compiler)):
        shutil.copy(PACKAGE / f"{name}.py", package / f"{name}.py")
    return package


def printed(program, environment, folder, **options):
    """What a program prints, in words."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        **options,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize("home", [True, False])
def test_an_edit_of_a_called_file_is_never_answered_from_the_cache(tmp_path, home):
    """What numba alone gets wrong: the caller is cached, the callee in another file changes."""
    package = copy_of_the_compiler(tmp_path)
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
    environment = without_home(tmp_path)
    if home:
        environment["NUMBA_CACHE_DIR"] = str(tmp_path / "cache")

    def answer(body):
        (package / "callee.py").write_text(f"def inner(x):\n    return {body}\n")
        program = (
            "from dadao_sim.caller import outer;"
            "print(outer(10), sum(outer.stats.cache_hits.values()))"
        )
        return printed(program, environment, tmp_path)

    assert answer("x") == ["11", "0"]
    assert answer("x") == ["11", "1"], "the second process reads what the first compiled"
    assert answer("2 * x") == ["21", "0"]


@pytest.mark.slow
def test_an_edit_while_a_process_is_open_is_not_kept_under_a_wrong_name(tmp_path):
    """A notebook: what it has imported, and what it imports after an edit, are of two contents."""
    package = copy_of_the_compiler(tmp_path)
    (package / "ten.py").write_text("import numba\nTEN = 10\n")
    (package / "caller.py").write_text(
        "from dadao_sim.compiled.kernel import kernel\nfrom dadao_sim import ten\n"
        "@kernel\ndef outer(x):\n    return x + ten.TEN\n"
    )
    environment = {**without_home(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    ask = "from dadao_sim.caller import outer; print(outer(1))"
    edited = "import numba\nTEN = 20\n"
    edit = f"import dadao_sim.ten, pathlib; pathlib.Path({str(package / 'ten.py')!r})"
    open_notebook = f"{edit}.write_text({edited!r}); {ask}"
    assert printed(open_notebook, environment, tmp_path) == ["11"]
    assert printed(ask, environment, tmp_path) == ["21"]


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

    def said(module, factor):
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

    assert said("one", 1) == ["0.0", "2.0", "3.0", "0"]
    assert said("two", 10) == ["0.0", "20.0", "30.0", "1"]
    assert said("two", 100) == ["0.0", "200.0", "300.0", "1"]


def test_the_oldest_caches_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    root = tmp_path / "dadao_sim_kernels"
    for age in range(6):
        (root / f"old{age}").mkdir(parents=True)
        os.utime(root / f"old{age}", (1e9 - age, 1e9 - age))
    folder = cache_folder.__wrapped__()
    kept = {path.name for path in root.iterdir()}
    assert kept == {folder.name, *(f"old{age}" for age in range(KEPT_CACHES - 1))}


# ---- damage, and processes at once
# --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache of its own."""
    monkeypatch.setattr("dadao_sim.compiled.kernel.cache_folder", lambda: tmp_path)
    return tmp_path


EXPECTED = 0x6E789E6AA1B965F4  # the second output of splitmix64 seeded with 0, as published


def answer():
    """The mixer of a new process, as it were: its answer, and whether it came from the cache."""
    mixer = kernel(splitmix64.py_func)
    return int(mixer(np.uint64(0x9E3779B97F4A7C15))), sum(mixer.stats.cache_hits.values())


def the_file(folder):
    (path,) = folder.iterdir()
    return path


def sealed(content):
    """Bytes that pass for undamaged."""
    return hashlib.sha256(content).digest() + content


def in_place(make):
    """A kind of damage that puts something else where the file was."""

    def damage(path):
        path.unlink()
        make(path)

    return damage


OF_ANOTHER_VERSION = b"cdadao_sim.compiled.kernel\nNameOfBefore\n."  # a pickle of what is gone


DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "only the digest": lambda path: path.write_bytes(path.read_bytes()[:32]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "random": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
    "another version": lambda path: path.write_bytes(sealed(OF_ANOTHER_VERSION)),
    "another pickle": lambda path: path.write_bytes(sealed(pickle.dumps(("key", "code")))),
    "no pickle": lambda path: path.write_bytes(sealed(b"text")),
    "a folder": in_place(lambda path: (path / "full").mkdir(parents=True)),
    "a link to nothing": in_place(lambda path: path.symlink_to("nowhere")),
    "a link to a folder": in_place(lambda path: path.symlink_to(path.parent)),
    "no permission": lambda path: path.chmod(0),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_compiled_again_and_replaced(folder, kind):
    assert answer() == (EXPECTED, 0)
    assert answer() == (EXPECTED, 1)
    DAMAGE[kind](the_file(folder))
    expected = 1 if kind == "no permission" and os.geteuid() == 0 else 0  # root may read it
    assert answer() == (EXPECTED, expected)
    assert answer() == (EXPECTED, 1)
    assert the_file(folder).is_file()


@hypothesis.given(place=st.integers(0, 2**32 - 1))
@hypothesis.settings(
    max_examples=15, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
def test_a_flipped_bit_is_never_executed(folder, place):
    answer()
    path = the_file(folder)
    content = bytearray(path.read_bytes())
    bit = place % (8 * len(content))  # a function compiled once more may be longer
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert answer() == (EXPECTED, 0)


def test_code_of_other_constants_is_not_taken_for_it(folder):
    """Two functions alike in name, place and byte code: numba alone takes the first for both."""
    source = "def plus(x):\n    return x + {}\n"
    found = []
    for number in (1, 2):
        names = {}
        file = PACKAGE / "compiled" / "splitmix.py"
        exec(compile(source.format(number), str(file), "exec"), names)
        found.append(kernel(names["plus"])(10))
    assert found == [11, 12]


def test_what_cannot_be_written_is_compiled_in_memory(folder, monkeypatch):
    """A full disk."""

    def full(path, content):
        path.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert answer() == (EXPECTED, 0)
    assert list(folder.iterdir()) == [], "nothing half written stays"
    assert answer() == (EXPECTED, 0)


def test_processes_that_write_at_once_leave_one_whole_file(folder, monkeypatch):
    """The second writes, and a third reads, between the first's bytes and its name."""
    replace, answers = os.replace, []

    def replace_late(source, target):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replace)
            answers.extend([answer(), answer()])
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_late)
        answers.append(answer())
    assert answers == [(EXPECTED, 0), (EXPECTED, 1), (EXPECTED, 0)]
    assert the_file(folder).is_file()
    assert answer() == (EXPECTED, 1)


def test_a_users_own_function_is_not_kept(folder, tmp_path):
    """What it calls may lie in files that no digest covers: a notebook, a plug-in."""
    file = tmp_path.parent / "own.py"
    for factor in (2, 3):
        file.write_text(f"def inner(x):\n    return {factor} * x\n")
        names = {"kernel": kernel}
        exec(compile(file.read_text(), str(file), "exec"), names)
        names["inner"] = kernel(names["inner"])
        exec(compile("def outer(x):\n    return inner(x)", str(file), "exec"), names)
        assert kernel(names["outer"])(10) == 10 * factor
    assert list(folder.iterdir()) == []


# ---- where
# --------------------------------------------------------------------------------------

ASK = (
    "import numpy as np; from dadao_sim.compiled.splitmix import splitmix64 as f;"
    "from dadao_sim.compiled.cache import cache_folder;"
    "print(f(np.uint64(0x9E3779B97F4A7C15)), sum(f.stats.cache_hits.values()), cache_folder())"
)


@pytest.mark.slow
def test_without_a_home_a_private_temporary_folder_is_used(tmp_path):
    environment = without_home(tmp_path)
    first, second = (printed(ASK, environment, PACKAGE.parent) for _ in range(2))
    assert first[:2] == [str(EXPECTED), "0"]
    assert second == [str(EXPECTED), "1", first[2]]
    private = tmp_path / "temporary" / f"dadao_sim-{os.geteuid()}"
    assert private in Path(first[2]).parents
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.slow
def test_without_any_folder_it_compiles_in_memory_and_says_so_once(tmp_path):
    environment = {**without_home(tmp_path), "XDG_CACHE_HOME": "relative"}
    (tmp_path / "temporary" / f"dadao_sim-{os.geteuid()}").mkdir(mode=0o777)
    done = subprocess.run(
        [sys.executable, "-c", ASK + "; import dadao_sim.engine.play"],
        env={**environment, "PYTHONPATH": str(PACKAGE.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(EXPECTED), "0", "None"]
    (line,) = done.stderr.splitlines()
    assert "NUMBA_CACHE_DIR" in line
    assert not (tmp_path / "relative").exists()


def test_a_temporary_folder_that_somebody_else_could_fill_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = tmp_path / f"dadao_sim-{os.geteuid()}"
    assert cache._private_folder() == folder
    for mode in (0o777, 0o770, 0o702):
        folder.chmod(mode)
        assert cache._private_folder() is None, oct(mode)
    folder.chmod(0o700)
    tmp_path.chmod(0o777)
    assert cache._private_folder() is None, "others may put their own in its place"
    tmp_path.chmod(0o1777)
    assert cache._private_folder() == folder
    folder.rename(tmp_path / "mine")
    folder.symlink_to("mine")
    assert cache._private_folder() is None, "a link, which leads wherever its owner likes"
    folder.unlink()
    folder.write_text("")
    assert cache._private_folder() is None
    folder.unlink()
    folder.mkdir(mode=0o700)
    mine = folder.lstat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: mine + 1)
    folder.rename(tmp_path / f"dadao_sim-{mine + 1}")
    assert cache._private_folder() is None, "of another user"
