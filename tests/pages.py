"""The pages of the documentation: what a reader would type and write, run in the page's order.

A page is README.md, CONTRIBUTING.md, or a file below docs/. Of its fenced blocks

- `python` runs, all in one namespace;
- `sh` runs line by line, `dadao-sim` in this process and anything else by the shell;
- `yaml` is a scenario, or some sections of one, and is played for a short time; a key that stands
  again at the top begins another example;
- whatever has a name (`# NAME: ...` in its first line, or `title="NAME"` beside the language) is a
  file instead, which is there before anything runs;
- `text` right below another block is what that one prints, where `...` stands for anything;
- `toml` is only read.

What cannot be so is said in the page, in comments right above the block:

    <!-- tests: skip: REASON -->                    the block, or
    <!-- tests: skip "BEGINNING": REASON -->        its lines that begin so, are not run
    <!-- tests: add "BEGINNING": WORDS -->          these words go to the end of the lines
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from dadao_sim import plugins, simulate
from dadao_sim.cli import main
from dadao_sim.registration import contents, put_back
from dadao_sim.results.columns import LAST_ROUND
from dadao_sim.scenario.model import Scenario
from dadao_sim.scenario.reading import scenario_from_mapping, sweep_from_mapping
from dadao_sim.scenario.sweep import Sweep

ROOT = Path(__file__).parents[1]
PATHS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path for path in PATHS}
LANGUAGES = ("python", "sh", "yaml", "toml", "csv", "text")
FENCED = re.compile(r"^((?:<!--.*?-->\n)*)^```([^\n]*)\n(.*?)^```$", re.M | re.S)
MARK = re.compile(r'<!-- tests: (skip|add)(?: "([^"]+)")?: (.+?) -->')
NAMED = re.compile(r"# ([\w-]+\.\w+)(?::.*)?\n")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
BASE = {
    "name": "page",
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4, "condition_number": 10},
    },
    "network": {
        "graph": "cycle",
        "nodes": 4,
        "ids": ["Basel", "Bern", "Davos", "Chur"],
        "edge_table": "lengths.csv",
    },
    "algorithms": ["dadao", "pg_extra"],
    "stop": {"time": 20},
}
"""What the sections of a page are put into."""


@dataclass(frozen=True)
class Mark:
    what: str  # skip or add
    beginning: str
    words: str

    @property
    def holds(self) -> bool:
        """Whether it is so here: what needs a package or a program that is there is run."""
        needed = re.fullmatch(r"needs (\w+)", self.words) if self.what == "skip" else None
        return needed is None or not (find_spec(needed[1]) or shutil.which(needed[1]))


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    name: str | None
    text: str
    marks: tuple[Mark, ...]
    is_shown: bool  # right below another one
    comments: int = 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def lines(self) -> list[str]:
        """Of the shell, with those joined that a backslash divides."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in lines if line.strip()]

    def marked(self, what: str, line: str = "") -> list[str]:
        """The words of the marks of this line, or of the whole block."""
        return [
            mark.words
            for mark in self.marks
            if mark.what == what and mark.holds and line.startswith(mark.beginning)
        ]


@dataclass
class Ran:
    """What a page leaves: files, names, and what every block or line has printed."""

    folder: Path
    names: dict[str, Any] = field(default_factory=dict)
    printed: list[tuple[str, str]] = field(default_factory=list)

    def output(self, beginning: str) -> str:
        """What the one line printed that begins so."""
        (found,) = (text for line, text in self.printed if line.startswith(beginning))
        return found


def blocks(page: str) -> list[Block]:
    text, found, last = PAGES[page].read_text("utf-8"), [], 0
    for match in FENCED.finditer(text):
        marks, info, inside = match.groups()
        language, _, title = info.partition(" ")
        name = re.fullmatch(r'title="(.+)"', title) or NAMED.match(inside)
        between = text[last : match.start()]
        found.append(
            Block(
                page,
                text.count("\n", 0, match.start(2)) + 1,
                language,
                name[1] if name else None,
                inside,
                tuple(Mark(w, b or "", rest) for w, b, rest in MARK.findall(marks)),
                bool(found) and not between.strip(),
                marks.count("<!-- tests:"),
            )
        )
        last = match.end()
    return found


def run(page: str, folder: Path) -> Ran:
    """Run all blocks of a page in ``folder``, as a copy of the repository without results."""
    ran = Ran(folder)
    _write_files(page, folder)
    before = contents()
    shown: list[str] = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
            patch.setattr(plugins, "_LOADED", {})
            for block in blocks(page):
                if block.language == "text" and block.is_shown:
                    if shown:
                        alike(block, shown)
                elif block.name is None:
                    shown = _run_block(block, ran)
    finally:
        put_back(before)
    return ran


def _run_block(block: Block, ran: Ran) -> list[str]:
    """What it prints, line by line; nothing if it is not run."""
    printed = len(ran.printed)
    skipped = block.marked("skip")
    if block.language == "yaml":
        for section in sections(block.text):
            play(section, ran.folder, block, runs=not skipped)
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language == "python" and not skipped:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(block.text, str(block), "exec"), ran.names)
        ran.printed.append((str(block), out.getvalue()))
    elif block.language == "sh":
        for line in block.lines:
            if not block.marked("skip", line):
                ran.printed.append((line, _run_line(line, block)))
    return [line for _, text in ran.printed[printed:] for line in text.splitlines()]


def _run_line(line: str, block: Block) -> str:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    tokens = list(lexer)
    added = " ".join(block.marked("add", line))
    into = tokens.pop() if ">" in tokens[-2:] else None
    if into:
        tokens.pop()
    if tokens[0] != "dadao-sim" or any(set(token) <= set("|<>&;") for token in tokens):
        assert not added, f"{block}: {line}: words are added to plain commands"
        done = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, encoding="utf-8", timeout=600
        )
        assert not done.returncode, f"{block}: {line}\n{done.stdout}{done.stderr}"
        return done.stdout
    out, code = io.StringIO(), None
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr(sys, "argv", [*tokens, *shlex.split(added)])
        try:
            main.main()
        except SystemExit as end:
            code = end.code
    assert not code, f"{block}: {line}\n{out.getvalue()}"
    if into:
        Path(into).write_text(out.getvalue(), encoding="utf-8")
    return out.getvalue()


def sections(text: str) -> Iterator[dict[str, Any]]:
    """The mappings of a block: a key that stands again at the top begins the next one."""
    parts: list[list[str]] = [[]]
    keys: set[str] = set()
    for line in text.splitlines():
        key = re.match(r"\w+(?=:)", line)
        if key and key[0] in keys:
            parts.append([])
            keys = set()
        keys |= {key[0]} if key else set()
        parts[-1].append(line)
    for part in parts:
        yield YAML(typ="safe").load("\n".join(part))


def whole(section: dict[str, Any], folder: Path) -> Scenario:
    """A scenario of a short time that has this section; of a sweep its first cell."""
    if set(section) == {"data"}:
        section = {"problem": {"kind": "logistic_l2", "mu": 0.1, **section}}
    mapping = {**BASE, **section, "stop": {"time": 5}, "repeats": 1}
    if "sweep" not in mapping:
        return scenario_from_mapping(mapping, folder=folder)
    asked = sweep_from_mapping(mapping, folder=folder)
    assert isinstance(asked, Sweep)
    return asked.cells[0].scenario


def play(section: dict[str, Any], folder: Path, block: Block, *, runs: bool) -> None:
    """Play a scenario, or sections of one, or only read it."""
    spec = whole(section, folder)
    if runs:
        result = simulate(spec)
        by_itself = result.runs.reason == LAST_ROUND
        assert set(result.runs.time[~by_itself]) == {spec.stop.time}, block


def alike(block: Block, printed: list[str]) -> None:
    """Every line of the block that is not marked was printed, in their order; numbers to two per
    cent or 1e-4.
    """
    rest = iter(printed)
    for line in block.text.splitlines():
        if line.strip() != "..." and not block.marked("skip", line):
            assert any(_same(line, other) for other in rest), f"{block}: {line}\n{printed}"


def _same(line: str, other: str) -> bool:
    words = [re.escape(word).replace(r"\.\.\.", r"\S+") for word in NUMBER.sub("#", line).split()]
    pattern = " ".join(words).replace(r"\#", "(" + NUMBER.pattern + ")")
    found = re.fullmatch(pattern, " ".join(other.split()))
    if not found:
        return False
    if not found.groups():
        return True
    pairs = zip(NUMBER.findall(line), found.groups(), strict=True)
    said, is_now = np.array([[float(n.replace(",", "")) for n in pair] for pair in pairs]).T
    return np.allclose(is_now, said, rtol=0.02, atol=1e-4)


# ---- the files of a page
# ------------------------------------------------------------------------------------


def _write_files(page: str, folder: Path) -> None:
    """The files of the repository, those that the page has, and those that it speaks of."""
    for name in ("scenarios", "graphs"):
        (folder / name).symlink_to(ROOT / name)
    tables = [b for p in PAGES for b in blocks(p) if b.language == "csv"]
    for block in [*tables, *blocks(page)]:
        if block.name:
            (folder / block.name).write_text(block.text, encoding="utf-8")
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
    kinds = np.where(rng.random(60) < 0.4, "malignant", "benign")
    features.assign(diagnosis=kinds).to_csv(folder / "tumours.csv", index=False)
    features.to_csv(folder / "measured.csv", header=False, index=False)
    patients = features.assign(remark="none", days=np.arange(60) % 7)
    patients.to_csv(folder / "patients.tsv", sep="\t")
    ends = ["Basel,Bern,100", "Bern,Davos,200", "Davos,Chur,50", "Chur,Basel,200"]
    (folder / "lengths.csv").write_text("\n".join(["one,other,length_km", *ends]))
    piped = {**BASE, "network": {"graph": "star", "nodes": 16}}
    with (folder / "scenario.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(piped, file)
