"""A sweep of nine cells, five methods and three repeats, that nothing interrupts."""

import json

import pytest

from dadao_sim.cli import main

BASE = {
    "name": "swept",
    "repeats": 3,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 2, "samples_per_node": 4, "condition_number": 10},
    },
    "network": {"graph": "path", "nodes": 4},
    "algorithms": ["dadao", "continuized", "msda", "nids", "gradient_tracking"],
    "stop": {"time": 6.0, "accuracy": 1e-2},
    "record": {"points": 5},
    "report": {"accuracies": [0.5, 1e-2], "cost": {"gradient": 2.0}},
    "sweep": {
        "network.nodes": [3, 4, 5],
        "network": {kind: {"graph": kind} for kind in ("path", "star", "complete")},
    },
}


def run_whole(folder):
    """The sweep made by ``dadao-sim run`` in a folder: where it is."""
    (folder / "s.json").write_text(json.dumps(BASE))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("sys.argv", ["dadao-sim", "run", "s.json", "--out", "r"])
        with pytest.raises(SystemExit) as ended:
            main.main()
    assert not ended.value.code
    return folder / "r"
