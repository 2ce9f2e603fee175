"""Landing and retractions: the tables of docs/systems/stiefel.md.

python benchmarks/stiefel.py            all of them
python benchmarks/stiefel.py --steps    only what a step costs a node, in units of a landing step
"""

import argparse
import timeit

import networkx as nx
import numpy as np

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.events.log import ROUND, Events
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.pca import PcaProblem, pca_problem
from dadao_sim.simulation.replay import make_player

NODES, DIM, COMPONENTS = 16, 20, 3
MOST = 4000
SIZES = ((20, 3), (100, 10), (300, 30), (500, 100), (300, 300))


def problem(seed: int = 0) -> PcaProblem:
    """Of heterogeneous nodes: three eigenvalues near 1, then a gap."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.linspace(1, 0.8, 3), 0.4 * np.linspace(1, 0.2, DIM - 3)])
    Q, _ = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    A = rng.standard_normal((NODES, 50, DIM)) @ (Q * np.sqrt(values) @ Q.T)
    own = rng.standard_normal((NODES, 1, DIM)) * rng.standard_normal((NODES, 50, 1))
    return pca_problem(A + 0.15 * own, COMPONENTS)


def rounds(name: str, pca: PcaProblem, **constants: float) -> str:
    """Of a ring, until the squared distance is below 1e-16."""
    network = as_network(nx.cycle_graph(NODES))
    drawn = np.random.default_rng(1).standard_normal((1, pca.dimension))
    x0 = np.tile(pca.orthonormal(drawn), (NODES, 1))
    method = METHODS[name]
    player = make_player(method, pca, method.tune(pca, network, constants), x0, {})
    log = Events.from_arrays(np.arange(1.0, MOST + 1), [ROUND] * MOST, [-1] * MOST)
    for k in range(0, MOST, 10):
        player.play(log, k, k + 10)
        if pca.squared_distance(player.blocks(("x",))["x"]) < 1e-16:
            return str(k + 10)
    return f"> {MOST}"


def normal_terms() -> None:
    """The two forms of landing by lam/L, and the others."""
    pca = problem()
    shares = (0.03, 0.1, 0.25, 0.5, 1, 2)
    print(f"eigengap {pca.eigengap:.2f}, L = {pca.L:.2f}")
    print("rounds to 1e-16 by lam/L:", *shares)
    for name in ("landing", "landing_tracked"):
        print(f"  {name}:", *(rounds(name, pca, lam=share * pca.L) for share in shares))
    for t in (1, 3):
        for name in ("landing", "drgta", "dprgt"):
            print(f"  {name}, {t} rounds of gossip a step:", rounds(name, pca, rounds=t), "steps")


def best(function) -> float:
    """Seconds of a call, the least of some."""
    number = max(1, int(0.05 / max(timeit.timeit(function, number=1), 1e-6)))
    return min(timeit.repeat(function, number=number, repeat=7)) / number


def steps() -> None:
    """What a node computes beside its gradient, in units of landing's field."""
    rng = np.random.default_rng(0)
    print("size: polar by singular values, QR, the gradient C X; in landing steps")
    with one_blas_thread():
        for d, p in SIZES:
            X = stiefel.polar(rng.standard_normal((d, p)))
            G, C = rng.standard_normal((d, p)), rng.standard_normal((d, d))

            def landing(X=X, G=G):
                S = X.T @ X
                return X - 0.01 * (0.5 * G @ S + X @ (0.5 * (S - np.eye(S.shape[0]) - G.T @ X)))

            def projected(X=X, G=G):
                return X - 0.01 * stiefel.tangent(X, G)

            unit = best(landing)
            others = (
                lambda: stiefel.polar(projected()),
                lambda: np.linalg.qr(projected()),
                lambda: C @ X,  # noqa: B023
            )
            print(f"  {d} x {p}:", *(f"{best(other) / unit:.1f}" for other in others))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", action="store_true")
    if not parser.parse_args().steps:
        normal_terms()
    steps()
