"""Optimal gossip rates of real and of large networks: certified gap and time, as a table.

python benchmarks/rates.py            everything, about a quarter of an hour on one core
python benchmarks/rates.py geant2012  one or more networks by name
"""

import resource
import sys
import time

import numpy as np

from dadao_sim.networks import Network, read_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates import optimal_rates
from dadao_sim.scenario import shipped

# name, least certified gap, seconds that it may take on two cores
GOALS = {
    "barbell": (0.01, 20),
    "lollipop": (0.01, 20),
    "abilene": (0.01, 20),
    "nsfnet": (0.01, 20),
    "geant2012": (0.01, 20),
    "cogentco": (0.01, 60),
    "uscarrier": (0.01, 60),
    "kdl": (0.01, 120),
    "random_geometric_300": (0.02, 180),
    "grid_5000": (0.02, 300),
    "random_geometric_5000": (0.02, 600),
    "grid_10000": (0.02, 600),
    "random_regular_3_10000": (0.1, 600),
    "random_regular_4_10000": (0.1, 600),
    "random_regular_6_10000": (0.1, 600),
    "grid_40000": (0.1, 1200),
}

GRIDS = {"grid_5000": (50, 100), "grid_10000": (100, 100), "grid_40000": (200, 200)}
MOST_DENSE = 8000  # nodes


def network(name: str) -> Network:
    rng = np.random.default_rng(0)
    if name == "barbell":
        return build("barbell", 16, rng)
    if name == "lollipop":
        return build("lollipop", 14, rng, clique=8, tail=6)
    if name.startswith("random_geometric"):
        return build("random_geometric", int(name.rpartition("_")[2]), rng)
    if name.startswith("random_regular"):
        _, degree, nodes = name.rsplit("_", 2)
        return build("random_regular", int(nodes), rng, degree=int(degree))
    if name in GRIDS:
        rows, columns = GRIDS[name]
        return build("grid_2d", None, rng, rows=rows, columns=columns)
    return read_graphml(shipped.folder("graphs") / f"{name}.graphml")


def total_recomputed(graph: Network, rates: np.ndarray) -> float:
    """The total of the rates scaled to chi1 chi2 = 1/2, densely, without the package's spectra; nan
    for more than MOST_DENSE nodes.
    """
    if graph.nodes > MOST_DENSE:
        return float("nan")
    i, j = graph.edges.T
    matrix = np.zeros((graph.nodes, graph.nodes))
    matrix[i, j] = matrix[j, i] = -rates
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    chi1 = 1 / np.linalg.eigvalsh(matrix)[1]
    inverse = np.linalg.inv(matrix + rates.mean())
    chi2 = 0.5 * (inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]).max()
    return rates.sum() * np.sqrt(2 * chi1 * chi2)


def main(names: list[str]) -> None:
    print(f"{'network':22}{'n':>6}{'|E|':>6}{'uniform':>11}{'total':>11}{'bound':>11}", end="")
    print(f"{'gap':>10}{'s':>7}  {'by':15} goals")
    for name in names:
        graph = network(name)
        least_gap, least_seconds = GOALS[name]
        ones = np.ones(len(graph.edges))
        uniform = float(ones.sum() * np.sqrt(2 * graph.chi1(ones) * graph.chi2(ones)))
        start = time.perf_counter()
        found = optimal_rates(graph, cache=False)
        seconds = time.perf_counter() - start
        dense = total_recomputed(graph, found.rates)
        dense = found.total_rate if np.isnan(dense) else dense
        sound = (
            found.lower_bound
            <= dense * (1 + 1e-9)
            <= (1 + found.gap) * found.lower_bound * (1 + 2e-9)
        )
        good = sound and found.gap <= least_gap and seconds <= least_seconds and dense < uniform
        print(
            f"{name:22}{graph.nodes:6}{len(graph.edges):6}{uniform:11.2f}{found.total_rate:11.2f}"
            f"{found.lower_bound:11.2f}{found.gap:10.1e}{seconds:7.1f}  {found.solver:15} "
            f"{'met' if good else 'MISSED'}",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.1f} GiB")


if __name__ == "__main__":
    main(sys.argv[1:] or list(GOALS))
