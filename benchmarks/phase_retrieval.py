"""Robust phase retrieval in numbers: how many of 15 runs end at the signal, by what is trimmed.

python benchmarks/phase_retrieval.py               the tables of docs/systems/phase-retrieval.md
python benchmarks/phase_retrieval.py --repeats 3   fewer runs

Ring of 10, dimension 20, 60 magnitudes a node, gradient tracking where nothing else is said. A run
is at the signal where the rms distance of the nodes to x* or -x* is below 1e-6, relative.
"""

import argparse
from typing import Any

from dadao_sim import simulate

GOSSIP = {"quantile": 0.7, "agree": "gossip", "times": 12}
TRIMS = {
    "none": None,
    "local, 3 medians": {"quantile": 0.5, "multiple": 3},
    "local, quantile .7": {"quantile": 0.7, "every": 250, "times": 12},
    "gossip, quantile .7": GOSSIP,
    "gossip, 3 medians": {**GOSSIP, "quantile": 0.5, "multiple": 3},
}
OTHERS = ("ad_psgd", "a2cid2")
STEP = 0.0025
DIM, TIME = 20, 7000


def scenario(loss: str, kind: str, where: str, fraction: float, repeats: int) -> dict[str, Any]:
    """One row of a table."""
    runs: list[dict[str, Any]] = [
        {"name": "gradient_tracking", "label": label, **({} if trim is None else {"trim": trim})}
        for label, trim in TRIMS.items()
    ]
    if loss == "intensity":
        runs += [{"name": name, "trim": GOSSIP, "parameters": {"step": STEP}} for name in OTHERS]
    outliers = {"fraction": fraction, "kind": kind, "where": where}
    data = {"kind": "magnitudes", "dim": DIM, "samples_per_node": 60, "outliers": outliers}
    return {
        "name": "phases",
        "repeats": repeats,
        "problem": {"kind": "phase_retrieval", "loss": loss, "data": data},
        "network": {"graph": "cycle", "nodes": 10},
        "start": {"kind": "normal", "shared": True},
        "algorithms": runs,
        "stop": {"time": TIME, "accuracy": 1e-20},
        "record": {"points": 30},
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    for loss in ("intensity", "amplitude"):
        print(f"{loss} loss")
        for where in ("nodes", "spread"):
            for kind in ("coherent", "uniform"):
                for fraction in (0.1, 0.2):
                    row = scenario(loss, kind, where, fraction, asked.repeats)
                    curves = simulate(row, jobs=asked.jobs).curves
                    ends = curves.groupby(["algorithm", "repeat"])["mean_squared_distance"].last()
                    good = (ends / DIM) ** 0.5 < 1e-6
                    counts = good.groupby("algorithm", sort=False).sum()
                    said = ", ".join(f"{label} {count}" for label, count in counts.items())
                    print(f"  {kind} {fraction} {where}, of {asked.repeats}: {said}", flush=True)


if __name__ == "__main__":
    main()
