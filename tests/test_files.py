"""Files are whole or absent, and say nothing of when or where they were written."""

import json
import stat
import threading
import time

import numpy as np
import pytest

from dadao_sim.archives import StoredState, write_state
from dadao_sim.files import atomic_write, json_bytes, slug, unique_slugs

# ---- atomic files ---------------------------------------------------------------------------


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table"
    atomic_write(path, b"old")

    def interrupted(handle):
        handle.write(b"half of the n")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic_write(path, interrupted)
    assert [p.name for p in tmp_path.iterdir()] == ["table"]
    assert path.read_bytes() == b"old"


def test_a_reader_sees_whole_files_only(tmp_path):
    path, contents = tmp_path / "table", {bytes([k]) * 200_000 for k in range(8)}
    atomic_write(path, min(contents))
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 20
    while len(seen) < 3 and time.monotonic() < deadline:
        for content in contents:
            atomic_write(path, content)
    stop.set()
    reader.join()
    assert len(seen) >= 3
    assert seen <= contents


def test_files_get_the_permissions_of_ordinary_files(tmp_path):
    (tmp_path / "ordinary").write_bytes(b"")
    atomic_write(tmp_path / "ours", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ordinary", "ours")]
    assert modes[0] == modes[1]


def test_slugs_are_file_names_and_never_the_same():
    assert slug("ADOM+ (multi-consensus)") == "adom-plus-multi-consensus"
    assert slug("../../etc") == "etc"
    assert slug("∇") == "run"
    texts = ["a b", "A-B", "a b", "∇", "run", "a-b-2"]
    slugs = unique_slugs(texts)
    assert slugs == {"a b": "a-b", "A-B": "a-b-2", "∇": "run", "run": "run-2", "a-b-2": "a-b-2-2"}


def test_json_takes_numpy_and_refuses_what_it_cannot_hold():
    value = {"L": np.float64(0.1), "n": np.int32(3), "rates": np.array([1.0, 2.0])}
    assert json.loads(json_bytes(value)) == {"L": 0.1, "n": 3, "rates": [1.0, 2.0]}
    with pytest.raises(TypeError, match="object is not JSON"):
        json_bytes({"x": object()})


# ---- states ---------------------------------------------------------------------------------


def test_a_state_is_a_plain_npz_and_comes_back_bit_for_bit(tmp_path):
    blocks = {"x": np.array([[0.1, -0.0], [np.nan, np.inf]]), "file": np.zeros((0, 2))}
    write_state(tmp_path / "s.npz", blocks)
    stored = StoredState(tmp_path / "s.npz")
    assert list(stored) == ["x", "file"]
    for name, block in blocks.items():
        assert stored[name].tobytes() == block.tobytes()
        assert stored[name].shape == block.shape
    with np.load(tmp_path / "s.npz") as archive:
        np.testing.assert_array_equal(archive["x"], blocks["x"])
    with pytest.raises(KeyError):
        stored["y"]


def test_a_state_has_no_date(tmp_path, monkeypatch):
    write_state(tmp_path / "now.npz", {"x": np.ones((2, 2))})
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    write_state(tmp_path / "later.npz", {"x": np.ones((2, 2))})
    assert (tmp_path / "now.npz").read_bytes() == (tmp_path / "later.npz").read_bytes()
