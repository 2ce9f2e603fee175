"""docs/python.md works as written, and gives what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from dadao_sim.metrics import METRICS

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """What the blocks leave, run one after the other, and the folder they ran in."""
    left = {"folder": tmp_path_factory.mktemp("page")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(left["folder"])
        assert "worst_loss" not in METRICS
        patch.setattr(METRICS, "_things", METRICS._things.copy())
        for block in BLOCKS:
            exec(compile(block, str(PAGE), "exec"), left)
    return left


def test_the_result_of_two_objects(names):
    runs = names["result"].runs
    assert set(runs["status"]) == {"converged"}
    assert len(runs) == 6
    assert len(repr(names["result"])) < 2000


def test_what_happened_in_a_run(names):
    run = names["result"].runs.query("algorithm == 'dadao' and repeat == 0").iloc[0]
    log, nodes = names["log"], names["nodes"]
    assert len(log) == run["events"]
    assert (log["kind"] == "gossip").sum() == run["communications"]
    assert (log["kind"] == "gradient").sum() == nodes["gradients"].sum() == run["gradients"]
    gossip = log[log["kind"] == "gossip"]
    most = gossip.groupby(["i", "j"]).size().nlargest(3)
    assert_array_equal(names["busiest"]["communications"], most)
    A, b = names["A"].reshape(-1, 5), names["b"].ravel()
    x_star = np.linalg.lstsq(A, b, rcond=None)[0]
    assert_allclose(names["seen"].iloc[-1, 2:].astype(float), x_star, atol=0.02)
    assert set(names["seen"]["node"]) == {3}


def test_gossip_keeps_the_mean_and_spreads_it(names):
    spreading, mean = names["spreading"], names["values"].mean()
    assert_allclose(spreading.mean(axis=1), mean, rtol=1e-10)
    assert_array_equal(spreading.iloc[0], names["values"][:, 0])
    assert spreading.iloc[-1].std() < spreading.iloc[0].std() / 5
    with Image.open(names["folder"] / "gossip.gif") as film:
        assert film.n_frames == 20


def test_the_log_written_by_hand(names):
    played = names["played"]
    assert_array_equal(played.states["randomised_gossip", 0]["x"][:, 0], [4, 4, 6, 10])
    end = played.curves.iloc[-1]
    assert (end["time"], end["communications"]) == (4, 4)
    assert_allclose(end["accuracy"], (4 + 4 + 0 + 16) / (36 + 4 + 4 + 36))


def test_the_metric_of_the_page(names):
    curves = names["measured"].curves
    start = curves[curves["time"] == 0]["worst_loss"]
    assert_allclose(start, (names["b"] ** 2).mean())
    ends = curves.groupby("algorithm")["worst_loss"].last()
    assert ends["dadao"] < ends["dgd"] < start.iloc[0]


def test_a_run_waits_for_a_metric_that_rises(names):
    runs, curves = names["waited"].runs, names["waited"].curves
    assert set(runs["status"]) == {"converged"}
    assert set(runs["reason"]) == {"until test_accuracy 0.95"}
    for _, run in curves.groupby("algorithm"):
        assert run["test_accuracy"].iloc[-1] >= 0.95 > run["test_accuracy"].iloc[:-1].max()
