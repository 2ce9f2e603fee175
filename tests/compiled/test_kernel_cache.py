"""The cache of compiled code on disk: never old code, never too much of it."""

import os
import shutil
import subprocess
import sys
import textwrap

from dadao_sim.compiled.kernel import KEPT_CACHES, cache_folder, source_digest


def test_the_digest_covers_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = source_digest(tmp_path)
    (tmp_path / "a.py").write_text("x = 2\n")
    second = source_digest(tmp_path)
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    third = source_digest(tmp_path)
    assert len({first, second, third}) == 3


def test_an_edit_of_a_called_file_is_never_answered_from_the_cache(tmp_path):
    """What numba alone gets wrong: the caller is cached, the callee in another file changes."""
    package = tmp_path / "dadao_sim"
    (package / "compiled").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "compiled" / "__init__.py").write_text("")
    import dadao_sim.compiled.kernel as kernel_module

    shutil.copy(kernel_module.__file__, package / "compiled" / "kernel.py")
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


def test_the_oldest_caches_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    root = tmp_path / "dadao_sim_kernels"
    for age in range(6):
        (root / f"old{age}").mkdir(parents=True)
        os.utime(root / f"old{age}", (1e9 - age, 1e9 - age))
    folder = cache_folder.__wrapped__()
    kept = {path.name for path in root.iterdir()}
    assert kept == {folder.name, *(f"old{age}" for age in range(KEPT_CACHES - 1))}
