"""One rule for every file that is written, by a command or from Python: `files.check_outputs`."""

import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from matplotlib.figure import Figure

from dadao_sim import build
from dadao_sim.errors import InputError
from dadao_sim.events.files import save_events
from dadao_sim.events.log import TYPES, Events
from dadao_sim.files import HIDDEN, atomic_write, check_outputs
from dadao_sim.local_steps.learned import load_weights, save_weights
from dadao_sim.networks import write_graphml
from dadao_sim.plotting.style import FIGURE, save_figure

SCENARIO = """
name: small
problem: {kind: ridge, mu: 0.1, data: {kind: synthetic, dim: 3, samples_per_node: 4}}
network: {graph: cycle, nodes: 4}
world: {preset: edge_devices}
algorithms: [nids]
stop: {time: 20}
record: {points: 5}
report: {accuracies: [0.1]}
"""


class Writing(NamedTuple):
    """A command that writes a file, the suffix of it, and a file that it reads."""

    arguments: str
    suffix: str = ".png"
    reads: str = "s.yaml"

    def __str__(self):
        return " ".join(word for word in self.arguments.split() if not word[0].isdigit())


WORLD = [
    Writing("world s.yaml --log", ".npz"),
    Writing("world s.yaml --timeline"),
    Writing("world s.yaml --load"),
    Writing("animate s.yaml --frames 2 --out", ".gif"),
]
NETWORKS = [
    Writing("rates g.graphml --method auto --out", ".graphml", "g.graphml"),
    Writing("rates g.graphml --method auto --figure", reads="g.graphml"),
    Writing("network g.graphml --figure", reads="g.graphml"),
]
RESULTS = [
    Writing("compare r --accuracy 0.1 --figure", reads="r/curves.parquet"),
    Writing("compare r --accuracy 0.1 --out", ".csv", "r/curves.parquet"),
    Writing("plot r --out", reads="r/manifest.json"),
    Writing("report r --out", ".html", "r/curves.parquet"),
]
LONG = [
    Writing("recovered r --figure", reads="r/manifest.json"),
    Writing("prior ./w.npz --figure", reads="w.npz"),
    Writing("learn-prior laplacian --out", ".npz", ""),
    Writing("learn-surrogate s.yaml --out", ".npz"),
    Writing("learn-unrolled s.yaml --steps 1 --out", ".npz"),
]


@pytest.fixture
def here(dadao_sim, tmp_path):
    """A folder with what the commands read."""
    (tmp_path / "s.yaml").write_text(SCENARIO)
    write_graphml(build("path", 4, np.random.default_rng(0)), tmp_path / "g.graphml")
    save_weights(tmp_path / "w.npz", load_weights("laplacian")[0], {})
    (tmp_path / "r").mkdir()
    for name in ("curves.parquet", "manifest.json"):
        (tmp_path / "r" / name).write_text("{}")
    return tmp_path


def refused(answer, *words):
    """Whether a command ended in one line that has these words."""
    code, _, err = answer
    assert (code, err.count("\n")) == (2, 1), err
    assert all(word in err for word in words), err
    return True


def hidden(folder):
    return [path for path in Path(folder).rglob("*") if path.name.startswith(HIDDEN)]


@pytest.mark.parametrize("writing", WORLD + NETWORKS + RESULTS + LONG, ids=str)
def test_what_may_not_be_written_is_refused_before_the_work(here, dadao_sim, writing):
    def write(path, *more):
        return dadao_sim(*writing.arguments.split(), path, *more)

    suffix, names = writing.suffix, ("pipe", "null", "folder", "loop", "mine", "link", "hard")
    pipe, null, folder, loop, mine, link, hard = (here / f"{name}{suffix}" for name in names)
    os.mkfifo(pipe)
    null.symlink_to("/dev/null")
    folder.mkdir()
    loop.symlink_to(loop.name)
    for path in (pipe, null, folder, loop):
        assert refused(write(path.name, "--overwrite"), path.name)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(null.stat().st_mode)
    for path in ("/dev/null", "/dev/stdout", ".", "o.txt", "o", ""):
        assert refused(write(path), f"name a file that ends in {writing.suffix[:1]}")
    assert refused(write(f"s.yaml/o{suffix}"), "s.yaml")
    assert refused(write("x" * 300 + suffix), "x" * 40)
    assert refused(write("new/" + "x" * 300 + suffix), "x" * 40)

    mine.write_text("mine")
    assert refused(write(mine.name), mine.name, "overwrite")
    assert refused(write("./r/../" + mine.name), "overwrite")
    assert mine.read_text() == "mine"
    if writing.reads:
        before = (here / writing.reads).read_bytes()
        link.symlink_to(here / writing.reads)
        hard.hardlink_to(here / writing.reads)
        for path in (link.name, hard.name, f"./r/../{link.name}"):
            assert refused(write(path, "--overwrite"), "read by this command")
        assert (here / writing.reads).read_bytes() == before
    assert not hidden(here)
    assert not (here / "new").exists()


@pytest.mark.parametrize("writing", WORLD + NETWORKS, ids=str)
def test_what_is_ours_is_replaced_and_keeps_its_place_and_rights(here, dadao_sim, writing):
    def write(path, *more):
        return dadao_sim(*writing.arguments.split(), path, *more)[0] == 0

    mine, link = here / f"mine{writing.suffix}", here / f"link{writing.suffix}"
    mine.write_text("mine")
    mine.chmod(0o640)
    link.symlink_to("mine" + writing.suffix)
    assert write(link.name, "--overwrite")
    ours = mine.read_bytes()
    assert ours != b"mine"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o640
    mine.write_bytes(b"")  # as `mktemp` makes it
    for _ in range(2):  # one that is empty, and one of ours
        assert write(link.name)
        assert mine.read_bytes() == ours
        assert link.is_symlink()
    assert not hidden(here)


def test_two_outputs_are_two_files(here, dadao_sim):
    (here / "b.png").symlink_to("a.png")
    for other in ("a.png", "./r/../a.png", "b.png"):
        answer = dadao_sim("world", "s.yaml", "--timeline", "a.png", "--load", other)
        assert refused(answer, "--load", "--timeline")
    assert not (here / "a.png").exists()


def test_what_the_shell_writes_to_is_not_replaced(here):
    """`dadao-sim ... --figure o.png > o.png`, by its name or through /dev/stdout."""
    (here / "stdout.png").symlink_to("/dev/stdout")
    for path in ("o.png", "stdout.png"):
        with (here / "o.png").open("wb") as out:
            command = [sys.executable, "-m", "dadao_sim", "network", "g.graphml", "--figure", path]
            done = subprocess.run(
                command, cwd=here, stdout=out, stderr=subprocess.PIPE, text=True, timeout=120
            )
        assert refused((done.returncode, "", done.stderr), path, "printed")
        assert (here / "o.png").read_bytes() == b""


# ---- from Python ----------------------------------------------------------------------------


def log():
    columns = {name: np.zeros(3, dtype=kind) for name, kind in TYPES.items()}
    return Events(**columns, first_row=0)


SAVES = {
    ".graphml": lambda path, **o: write_graphml(
        build("path", 3, np.random.default_rng(0)), path, **o
    ),
    ".npz": lambda path, **o: save_events(path, log(), **o),
    "-w.npz": lambda path, **o: save_weights(path, load_weights("laplacian")[0], {}, **o),
    ".png": lambda path, **o: save_figure(Figure((1, 1)), path, **o),
    ".pdf": lambda path, **o: save_figure(Figure((1, 1)), path, **o),
    ".svg": lambda path, **o: save_figure(Figure((1, 1)), path, **o),
}


@pytest.mark.parametrize("kind", SAVES)
def test_the_same_rule_holds_in_python(tmp_path, kind):
    save, path = SAVES[kind], tmp_path / f"o{kind}"
    save(path)
    save(path)  # ours
    ours = path.read_bytes()
    for name, other in SAVES.items():
        if name != kind and Path(f"o{name}").suffix != path.suffix:
            continue
        other(tmp_path / f"other{name}")
        path.write_bytes(
            (tmp_path / f"other{name}").read_bytes() if name != kind else b"<a>mine</a>"
        )
        with pytest.raises(InputError, match="not one of ours"):
            save(path)
        save(path, overwrite=True)
        assert path.read_bytes() == ours
    os.mkfifo(tmp_path / f"pipe{kind}")
    with pytest.raises(InputError, match="no regular file"):
        save(tmp_path / f"pipe{kind}", overwrite=True)
    with pytest.raises(InputError):
        save(f"{tmp_path}/nul\0{kind}")


def test_a_figure_of_another_program_is_not_ours(tmp_path):
    for kind in ("png", "pdf", "svg"):
        path = tmp_path / f"theirs.{kind}"
        Figure((1, 1)).savefig(path)
        before = path.read_bytes()
        with pytest.raises(InputError, match="not one of ours"):
            save_figure(Figure((1, 1)), path)
        assert path.read_bytes() == before


def test_atomic_writes_follow_links_and_need_regular_files(tmp_path):
    """The target is replaced in one step, seen through the link and by its name."""
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file", tmp_path / "link"
    link.symlink_to("there/file")  # to nothing yet
    atomic_write(link, b"new")
    target.chmod(0o600)
    inode = target.stat().st_ino
    atomic_write(link, b"newer")
    assert link.is_symlink()
    assert target.read_bytes() == b"newer"
    assert target.stat().st_ino != inode
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="no regular file"):
        atomic_write(Path("/dev/null"), b"")
    with pytest.raises(InputError, match="a folder"):
        atomic_write(tmp_path, b"")
    name = "x" * 255  # the longest there is leaves the temporary one no room
    atomic_write(tmp_path / name, b"long")
    assert (tmp_path / name).read_bytes() == b"long"
    assert not hidden(tmp_path)


def test_a_folder_among_the_inputs_is_not_walked_through(tmp_path):
    """What lies in it counts, what lies deeper does not: it may be the whole disk."""
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for path in (tmp_path / "in" / "a.png", tmp_path / "in" / "deep" / "b.png"):
        path.write_bytes(b"")
    (tmp_path / "in" / "loop").symlink_to(".")
    for name, fine in (("a.png", False), ("deep/b.png", True)):
        outputs, inputs = {"--figure": (tmp_path / "in" / name, FIGURE)}, [tmp_path / "in"]
        with nullcontext() if fine else pytest.raises(InputError, match="read by this command"):
            check_outputs(outputs, inputs=inputs)
    check_outputs({"--figure": (tmp_path / "c.png", FIGURE)}, inputs=["/", None, "no\0where"])


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(tmp_path):
    """By a limit on the size of files, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path; from dadao_sim.files import atomic_write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "try: atomic_write(Path('o'), bytes(5000))\n"
        "except OSError as error: print(error)\n"
    )
    (tmp_path / "o").write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "File too large: 'o'" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["o"]
    assert (tmp_path / "o").read_bytes() == b"old"
