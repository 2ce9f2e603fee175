"""Damage to files and edits of results, drawn from a seed; and what becomes of who reads them.

python tests/damage.py files 1000     how many damaged files were refused, read, or neither
python tests/damage.py results 500    the same of edited results
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd

from dadao_sim import plugins
from dadao_sim.cli import main
from dadao_sim.errors import InputError
from dadao_sim.events.files import load_events, save_events
from dadao_sim.local_steps.learned.weight_file import FILES, load_weights
from dadao_sim.networks.rates import cache
from dadao_sim.registration import contents, put_back
from dadao_sim.reports.world import world_report
from dadao_sim.results.result import load_result
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.simulate import simulate

SECONDS, BYTES = 10, 2**30
Rng = np.random.Generator

SCENARIO = """\
name: case
seed: 3
problem:
  kind: ridge
  mu: 0.1
  data: {kind: file, path: DATA}
network: {file: g.graphml, rates: {attribute: gossip_rate}}
algorithms: [nids, {name: dadao, label: "ours"}]
world: {preset: datacenter, links: {loss: {probability: 0.01}}}
stop: {time: 3, accuracy: 1.0e-3}
record: {points: 5}
report: {accuracies: [0.5, 0.1]}
"""
PLUGIN = """\
from dadao_sim.metrics import Metric

def far(problem, X):
    return float(abs(X).max())

FAR = Metric("far", "Far away", far)
"""


@dataclass
class Tally:
    """How many were refused in one line, and how many were read; what was neither."""

    refused: int = 0
    read: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.refused + self.read + len(self.wrong)} cases: {self.refused} refused in one "
            f"line, {self.read} read, {len(self.wrong)} wrong; slowest {self.slowest:.1f} s"
        )


class TooSlow(BaseException):
    """A reader took more than SECONDS."""


@contextlib.contextmanager
def limits(seconds: float = SECONDS) -> Iterator[None]:
    """No more than ``seconds``, and BYTES beyond what the process has."""

    def late(*_: Any) -> None:
        raise TooSlow(f"took more than {seconds} s")

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, before[1]))
    handler = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def no_plugin_left() -> Iterator[None]:
    """What a plug-in gives inside is gone after it."""
    before = contents()
    try:
        yield
    finally:
        plugins.forget(plugins.known())
        put_back(before)
        for module in [name for name in sys.modules if name.startswith("dadao_sim_plugin_mine_")]:
            del sys.modules[module]


def command(*arguments: Any) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    words = ["dadao-sim", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main.main()
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), err.getvalue()


def call(read: Callable[[], Any]) -> tuple[int, str, str]:
    """The same of a function, as the command line would say it."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err):  # a warning is a second line
        try:
            return 0, repr(read()), err.getvalue()
        except (InputError, MemoryError) as error:
            return 2, "", f"{err.getvalue()}dadao-sim: {error}\n"


def judged(tally: Tally, what: str, read: Callable[[], tuple[int, str, str]], same: Any) -> None:
    """Count what becomes of a case; ``same(output)`` says whether what was read is right."""
    begun = time.perf_counter()
    try:
        with limits(SECONDS):
            code, out, err = read()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        tally.wrong.append(f"{what}: {type(error).__name__}: {error}"[:400])
        return
    tally.slowest = max(tally.slowest, time.perf_counter() - begun)
    if code == 2 and err.count("\n") == 1 and 12 < len(err) <= 301:
        tally.refused += 1
    elif code == 0 and not err and same(out):
        tally.read += 1
    else:
        tally.wrong.append(
            f"{what}: code {code}, {len(err)} characters: {err[:300]!r} {out[:100]!r}"
        )


class _Canary:
    """Unpickled, it leaves a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("canary",)


def pickled() -> bytes:
    """What runs code where it is unpickled."""
    return pickle.dumps(np.array([_Canary()], dtype=object))


def poisoned_npz(name: str) -> bytes:
    """An archive of NumPy's whose array is such a pickle."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=True, **{name: np.array([_Canary()], dtype=object)})
    return content.getvalue()


def bomb_npz(name: str, compressed: bool) -> bytes:
    """A small archive that says it holds a terabyte, or holds more zeros than bytes."""
    header = io.BytesIO()
    shape = (2**28,) if compressed else (2**37,)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    content = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with (
        zipfile.ZipFile(content, "w", kind, compresslevel=1) as archive,
        archive.open(f"{name}.npy", "w") as file,
    ):
        file.write(header.getvalue())
        for _ in range(32 if compressed else 0):  # 32 MiB are enough to be seen
            file.write(bytes(2**20))
    return content.getvalue()


YAML_BOMB = b"a: &a [x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (k + 1, k + 1, *[k] * 8)
    for k in range(97, 117)
)
ODD = (
    *("nan", "inf", "-inf", "-1", "1e999", "9" * 30, "1e-320", "null", "{}", "[]", "true", "''"),
    *("'x'", "0", "-0.0", "0x10", "1_0", "!!python/object/apply:os.mkdir [canary]", "&a [*a]"),
    *("1e308", "2147483648", "18446744073709551616", "∞", "x" * 2000),
)


def damaged(content: bytes, rng: Rng, others: list[bytes]) -> bytes:
    """The content of a file with one kind of damage."""
    size = len(content)
    place = int(rng.integers(size + 1))
    end = min(size, place + int(rng.integers(1, 40)))
    match int(rng.integers(15)):
        case 0:
            return content[:place]
        case 1 | 2:
            array = bytearray(content)
            for k in rng.integers(size, size=int(rng.integers(1, 9))):
                array[k] ^= 1 << int(rng.integers(8))
            return bytes(array)
        case 3:
            return content[:place] + rng.bytes(int(rng.integers(1, 20))) + content[place:]
        case 4:
            return content[:place] + content[end:]
        case 5:
            return content[:end] + content[place:]
        case 6:
            fields = re.split(rb"([,\s<>:]+)", content)
            a, b = rng.integers(len(fields), size=2)
            fields[a], fields[b] = fields[b], fields[a]
            return b"".join(fields)
        case 7:
            return b"" if rng.random() < 0.3 else bytes(size)
        case 8:
            return others[int(rng.integers(len(others)))]
        case 9:
            return rng.bytes(int(rng.integers(1, 500)))
        case 10:
            prefix = [b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\n", b"# \xe9\n", b"PK\x03\x04"]
            return prefix[int(rng.integers(len(prefix)))] + content
        case 11:
            return content.decode("latin-1").encode("utf-16" if rng.random() < 0.5 else "utf-7")
        case _:
            numbers = list(re.finditer(rb"-?\d+(\.\d+)?(e-?\d+)?", content))
            if not numbers:
                return content[: size // 2]
            number = numbers[int(rng.integers(len(numbers)))]
            odd = ODD[int(rng.integers(len(ODD)))].encode()
            return content[: number.start()] + odd + content[number.end() :]


def replaced(path: Path, content: bytes, rng: Rng) -> None:
    """Write a damaged file; now and then it is something else altogether."""
    draw = rng.random()
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    if draw < 0.01:
        path.mkdir()
    elif draw < 0.02:
        path.symlink_to(path.name)  # a loop
    elif draw < 0.03:
        path.symlink_to("nowhere")
    elif draw < 0.04:
        return
    else:
        path.write_bytes(content)


def _always(_: str) -> bool:
    return True


class Files:
    """A file of every kind that is read, in the working folder, and who reads it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        A = rng.standard_normal((12, 2))
        b = A @ [1.0, 2.0]
        graph = (
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
            '<key id="r" for="edge" attr.name="gossip_rate" attr.type="double"/>'
            '<key id="l" for="edge" attr.name="length_km" attr.type="double"/>'
            '<graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="c"/>'
            + "".join(
                f'<edge source="{s}" target="{t}"><data key="r">{k}.5</data>'
                f'<data key="l">{k}0</data></edge>'
                for k, (s, t) in enumerate(["ab", "bc", "ca"], start=1)
            )
            + "</graph></graphml>\n"
        )
        Path("g.graphml").write_text(graph)
        rows = [f"{x!r},{y!r},{z!r}" for (x, y), z in zip(A.tolist(), b.tolist(), strict=True)]
        Path("d.csv").write_text("\n".join(["u,v,w", *rows]) + "\n")
        rows = [f"{z!r} 1:{x!r} 2:{y!r}" for (x, y), z in zip(A.tolist(), b.tolist(), strict=True)]
        Path("d.svmlight").write_text("\n".join(rows) + "\n")
        np.savez("d.npz", A=A, b=b)
        for name in ("csv", "svmlight", "npz"):
            Path(f"{name}.yaml").write_text(SCENARIO.replace("DATA", f"d.{name}"))
        Path("mine.py").write_text(PLUGIN)
        Path("mine.yaml").write_text(
            SCENARIO.replace("DATA", "d.csv").replace("seed: 3", "seed: 3\nplugins: [mine.py]")
        )
        as_json = scenario_json("csv.yaml")
        Path("json.yaml").write_text(as_json)
        study = scenario_from_mapping(
            {
                **json.loads(as_json),
                "network": {"graph": "cycle", "nodes": 4},
                "algorithms": ["dadao"],
            }
        )
        save_events("log.npz", world_report(study, "dadao", end=4.0).events)
        shutil.copy(FILES.folder / "laplacian.npz", "w.npz")
        with mock.patch.dict(os.environ, {cache.VARIABLE: "kept"}):
            cache.store("key", rates=np.arange(1.0, 5.0))
        (kept,) = Path("kept").iterdir()
        self.readers: dict[str, tuple[Callable[[], tuple[int, str, str]], Any]] = {
            name: (lambda name=scenario: command("validate", name), _always)  # type: ignore[misc]
            for name, scenario in {
                **{"csv.yaml": "csv.yaml", "json.yaml": "json.yaml", "g.graphml": "csv.yaml"},
                **{"d.csv": "csv.yaml", "d.svmlight": "svmlight.yaml", "d.npz": "npz.yaml"},
                "mine.py": "mine.yaml",
            }.items()
        }
        self.readers["log.npz"] = (lambda: call(lambda: len(load_events("log.npz"))), _always)
        self.readers["w.npz"] = (lambda: call(lambda: load_weights("./w.npz")), _always)

        def cached() -> Any:
            with mock.patch.dict(os.environ, {cache.VARIABLE: "kept"}):
                found = cache.load("key")
            return None if found is None else found["rates"].tolist()

        right = {repr(None), repr([1.0, 2.0, 3.0, 4.0])}
        self.readers[str(kept)] = (lambda: call(cached), right.__contains__)
        self.contents = {name: Path(name).read_bytes() for name in self.readers}
        self.others = [
            *self.contents.values(),
            *(pickled(), YAML_BOMB, b"[" * 100_000, b"{" * 5000, b'{"a":' * 20_000, b"- " * 5000),
            *(poisoned_npz(name) for name in ("A", "time", "metadata")),
            *(bomb_npz(name, packed) for name in ("A", "time") for packed in (False, True)),
        ]

    def play(self, tally: Tally, count: int, seed: int) -> None:
        """Damage one file after the other, ``count`` times."""
        names = list(self.readers)
        for k in range(count):
            rng = np.random.default_rng([seed, k])
            name = names[k % len(names)]
            content = self.contents[name]
            broken = damaged(content, rng, self.others)
            replaced(Path(name), broken, rng)
            read, same = self.readers[name]
            with no_plugin_left():
                judged(tally, f"case {k}, {name}", read, same)
            if Path("canary").exists():
                tally.wrong.append(f"case {k}, {name}: its code was run")
                Path("canary").rmdir()
            path = Path(name)
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_bytes(content)


def scenario_json(name: str) -> str:
    """A scenario as JSON, which is YAML too."""
    return json.dumps(load_scenario(name).to_mapping())


JUNK: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**30, 1e308, "", "x", "../../x", "\0", "[/b]", [], {}, [[]]),
    *(float("nan"), float("inf"), "x" * 5000, {"a": 1}, ["a"], "2030-01-01", "99.9.9"),
)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries: Any = ()
    if isinstance(value, dict):
        entries = value.items()
    elif isinstance(value, list):
        entries = enumerate(value)
    for key, part in entries:
        yield (*above, key)
        yield from _paths(part, (*above, key))


def _edit_json(text: str, rng: Rng) -> str:
    """One entry changed, removed, doubled, or put in the place of another."""
    whole = json.loads(text)
    paths = list(_paths(whole))
    path = paths[int(rng.integers(len(paths)))]
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    last = path[-1]
    match int(rng.integers(5)):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, list):
            holder.append(holder[last])
        case 2:
            other = paths[int(rng.integers(len(paths)))]
            value = whole
            for key in other:
                value = value[key]
            holder[last] = json.loads(json.dumps(value))
        case _:
            holder[last] = JUNK[int(rng.integers(len(JUNK)))]
    return json.dumps(whole)


def _edit_table(table: pd.DataFrame, rng: Rng) -> pd.DataFrame:
    """A table with a cell, a row or a column changed."""
    row, column = int(rng.integers(len(table))), int(rng.integers(table.shape[1]))
    name = table.columns[column]
    match int(rng.integers(9)):
        case 0:
            return table.drop(index=row)
        case 1:
            return pd.concat([table, table.iloc[[row]]])
        case 2:
            return table.drop(columns=name)
        case 3:
            return table.rename(columns={name: "other"})
        case 4:
            return table.assign(more=1.0)
        case 5:
            return table.iloc[::-1]
        case 6:
            return table[table["repeat"] != 1]
        case 7:
            return table[table.columns[::-1]]
        case _:
            values = table[name].tolist()
            odd = [math.nan, -1, -1.0, 10**15, float("inf"), "x", None, 0, 1, [1.0]]
            values[row] = odd[int(rng.integers(len(odd)))]
            return table.assign(**{name: pd.Series(values, index=table.index)})


class Results:
    """A result in the folder ``r``, and what is said of it when it was edited."""

    def __init__(self) -> None:
        scenario = {
            "name": "edited",
            "repeats": 2,
            "problem": {
                "kind": "ridge",
                "mu": 0.1,
                "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 5},
            },
            "network": {"graph": "cycle", "nodes": 4},
            "algorithms": ["nids", {"name": "extra", "label": "E"}],
            "stop": {"time": 30, "accuracy": 0.01},
            "record": {"points": 12},
            "report": {"accuracies": [0.5, 0.1]},
        }
        simulate(scenario, out="whole")
        shutil.copytree("whole", "r")
        code, self.right, _ = self._read()
        assert code == 0

    def _edit(self, rng: Rng) -> tuple[str, bool]:
        """Edit the result in ``r``; what was done, and whether another outcome can be right."""
        folder = Path("r")
        manifest = json.loads((folder / "manifest.json").read_text())
        bare = bool(rng.random() < 0.6)  # as one of before there were digests
        if bare:
            del manifest["files"]
            (folder / "manifest.json").write_text(json.dumps(manifest))
        what = ("manifest.json", "manifest.json", "runs.csv", "curves.parquet", "states", "other")[
            int(rng.integers(6))
        ]
        state = sorted((folder / "final_states").iterdir())[int(rng.integers(4))]
        if what == "manifest.json":
            path = folder / what
            path.write_text(_edit_json(path.read_text(), rng))
            return what, True
        if what == "runs.csv":
            table = pd.read_csv(folder / what)
            _edit_table(table, rng).to_csv(folder / what, index=False)
        elif what == "curves.parquet":
            table = pd.read_parquet(folder / what)
            edited = _edit_table(table, rng)
            try:
                edited.to_parquet(folder / what, index=False)
            except Exception:  # a column of several types
                edited.astype(str).to_parquet(folder / what, index=False)
        elif what == "states":
            blocks = dict(np.load(state))
            name = next(iter(blocks))
            block = blocks[name]
            edits: list[Callable[[], Any]] = [
                lambda: np.savez(state, **{**blocks, name: block[0]}),
                lambda: np.savez(state, **{**blocks, name: block.astype(int)}),
                lambda: np.savez(state, **{**blocks, name: block + 1j}),
                lambda: np.savez_compressed(state, **blocks),
                lambda: np.savez(state, **{**blocks, name: -block}),
                lambda: np.savez(state, **{**blocks, name: block.astype(str)}),
                lambda: state.write_bytes(poisoned_npz(name)),
                lambda: state.write_bytes(bomb_npz(name, compressed=True)),
                lambda: state.write_bytes(bomb_npz(name, compressed=False)),
            ]
            edits[int(rng.integers(len(edits)))]()
        else:
            names = ["manifest.json", "runs.csv", "curves.parquet", "timing.json", "summary.csv"]
            path = folder / names[int(rng.integers(len(names)))]
            what = path.name
            content = path.read_bytes()
            replaced(path, damaged(content, rng, [pickled(), YAML_BOMB, b"[" * 100_000]), rng)
            return what, bare or what == "manifest.json"
        return what, bare

    def play(self, tally: Tally, count: int, seed: int) -> None:
        """Edit the result, ``count`` times."""
        for k in range(count):
            rng = np.random.default_rng([seed, k])
            shutil.rmtree("r", ignore_errors=True)
            shutil.copytree("whole", "r")
            what, may_differ = self._edit(rng)

            def same(out: str, may_differ: bool = may_differ) -> bool:
                return may_differ or out == self.right

            judged(tally, f"case {k}, {what}", self._read, same)
            if Path("canary").exists():
                tally.wrong.append(f"case {k}, {what}: its code was run")
                Path("canary").rmdir()

    def _read(self) -> tuple[int, str, str]:
        def states() -> list[Any]:
            result = load_result("r")
            return [
                {name: block.sum() for name, block in s.items()} for s in result.states.values()
            ]

        code, out, err = call(states)
        if code == 0:
            code, more, err = command("compare", "r", "--accuracy", 0.1)
            out += more
        return code, out, err


def played(kind: type[Files] | type[Results], count: int, seed: int) -> Tally:
    """Play ``count`` cases in an empty folder."""
    tally = Tally()
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            kind().play(tally, count, seed)
        finally:
            os.chdir(here)
    return tally


if __name__ == "__main__":
    tally = played({"files": Files, "results": Results}[sys.argv[1]], int(sys.argv[2]), seed=0)
    print(tally)
    print(*Counter(line[:600] for line in tally.wrong), sep="\n")
    sys.exit(bool(tally.wrong))
