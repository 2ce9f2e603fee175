"""A scenario that is tuned in seconds."""

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.scenario.reading import scenario_from_mapping

DATA = {"kind": "synthetic", "dim": 3, "samples_per_node": 6, "condition_number": 5.0}


def small(*algorithms, **changes):
    """Seven nodes in three dimensions, for at most 60 rounds."""
    mapping = {
        "name": "small",
        "problem": {"kind": "least_squares", "data": DATA},
        "network": {"graph": "random_geometric", "nodes": 7},
        "algorithms": list(algorithms),
        "stop": {"time": 60},
        "record": {"points": 40},
        "report": {"accuracies": [1e-4]},
    }
    names = [a if isinstance(a, str) else a["name"] for a in algorithms]
    if all(METHODS[name].needs_averaging for name in names):
        points = {"kind": "synthetic", "dim": 3, "samples_per_node": 6}
        mapping["problem"] = {"kind": "averaging", "data": points}
    if all(METHODS[name].needs_set for name in names):
        mapping["local_step"] = {"prox": {"kind": "l2_ball", "radius": 0.5}}
    if not any("convex" in METHODS[name].solves for name in names):
        mapping["problem"] = {"kind": "pca", "components": 2, "data": DATA}
        mapping["start"] = {"kind": "orthonormal"}
    return scenario_from_mapping({**mapping, **changes})
