"""Consoles of any kind: what is asked is done, and what cannot be shown stops nothing."""

import errno
import io
import json
import os
import re
import subprocess
import sys

import hypothesis
import pytest
from hypothesis import strategies as st

from dadao_sim.cli import show, streams
from dadao_sim.cli.streams import Patient, lost

COMMAND = [sys.executable, "-m", "dadao_sim"]
CITE = ["cite", "dadao"]


def environment(**changes):
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "0", **changes}


class Broken(io.StringIO):
    """A stream that takes so many characters, and then fails with this error."""

    def __init__(self, room, number):
        super().__init__()
        self.room, self.number = room, number

    def write(self, text):
        if self.tell() + len(text) > self.room:
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EPIPE, ""),
        (errno.EIO, ""),
        (errno.ENOSPC, "standard output: No space left on device"),
        (errno.EDQUOT, "standard output: Disk quota exceeded"),
    ],
)
def test_a_stream_that_fails_is_written_to_without_an_error(number, said):
    output = Patient(Broken(5, number))
    assert lost(output) == ""
    for _ in range(3):
        print("1234", file=output, flush=True)
    assert output.getvalue() == "1234\n"
    assert lost(output) == said


@hypothesis.given(
    text=st.text(st.characters(exclude_categories=())),  # halves of characters too: file names
    encoding=st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8", "shift_jis"]),
)
def test_whatever_the_encoding_it_can_be_shown(text, encoding):
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding))
        patch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding))
        with streams.patient():
            print(text, end="")
            sys.stdout.flush()
            printed = buffer.getvalue()
            show.say(text)
            shown = show.encodable(text)
            assert shown.encode(encoding).decode(encoding) == shown
        assert sys.stdout.errors == "strict", "as before"
    assert printed == text.encode(encoding, "backslashreplace")
    if text.isprintable():
        assert printed == shown.encode(encoding)


def test_no_number_of_a_table_is_cut_in_a_narrow_terminal(monkeypatch):
    """rich writes 12… where there is no room; columns come below, with the words again."""
    output = io.StringIO()
    output.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("COLUMNS", "20")
    show.print_table(("method", "a long title", "n"), [("DADAO method", "1,234,567", "89,012")])
    first, second = re.sub(r"\x1b\[\d*m", "", output.getvalue()).split("\n\n")
    assert first.split() == ["a", "long", "method", "title", "DADAO", "1,234,567", "method"]
    assert second.split() == ["method", "n", "DADAO", "89,012", "method"]


# ---- real ones
# ---------------------------------------------------------------------------------------


def run(arguments, stdout, folder, **changes):
    """Exit code and standard error of a command with this standard output; None closes it."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL if stdout is None else stdout,
        stderr=subprocess.PIPE,
        preexec_fn=None if stdout is not None else lambda: os.close(1),
        env=environment(**changes),
        text=True,
        errors="replace",
        timeout=300,
    )
    return done.returncode, done.stderr


@pytest.fixture
def nobody():
    """A pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_nobody_listens(tmp_path, nobody, unbuffered):
    for output in (nobody, None):
        assert run(CITE, output, tmp_path, PYTHONUNBUFFERED=unbuffered) == (0, "")


@pytest.mark.slow
def test_a_full_disk_is_said(tmp_path):
    with open("/dev/full", "w") as full:
        code, said = run(CITE, full, tmp_path)
    assert (code, said) == (2, "dadao-sim: standard output: No space left on device\n")
    with open("/dev/full", "w") as full:
        code = subprocess.run([*COMMAND, "cite", "nobody"], stderr=full, timeout=300).returncode
    assert code == 2


@pytest.mark.slow
def test_help_of_no_width(tmp_path):
    asked = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 300}
    said = subprocess.run([*COMMAND, "--help"], env=environment(COLUMNS="0"), **asked).stdout
    assert "Usage: python -m dadao_sim" in said


SCENARIO = {
    "name": "case",
    "problem": {
        "kind": "ridge",
        "mu": 0.1,
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 8},
    },
    "network": {"graph": "cycle", "nodes": 4},
    "algorithms": [{"name": "nids", "label": "\u03ba=10 \u2192 fast"}],
    "stop": {"time": 20},
    "report": {"accuracies": [0.5]},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nobody", "ascii"])
def test_a_run_leaves_the_same_result(tmp_path, nobody, kind):
    (tmp_path / "case.json").write_text(json.dumps(SCENARIO))
    asked = ["run", "case.json", "--out", "result"]
    if kind == "nobody":
        assert run(asked, nobody, tmp_path) == (0, "")
    else:
        with (tmp_path / "said").open("w") as output:
            assert run(asked, output, tmp_path, PYTHONIOENCODING="ascii") == (0, "")
        said = (tmp_path / "said").read_text("ascii")
        titles, row = said.splitlines()[-3:-1]
        assert row.startswith("\\u03ba=10 \\u2192 fast ")
        assert titles.index("accuracy") + len("accuracy") == row.index("5e-01") + len("5e-01")
    figures = {path.name for path in (tmp_path / "result" / "figures").iterdir()}
    assert figures == {"curves.png", "curves.pdf"}
    assert (tmp_path / "result" / "summary.csv").is_file()
