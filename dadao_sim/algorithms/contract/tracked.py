"""Steps of gradient tracking along arcs that do not blow up where a digraph mixes slowly.

With f_i(x) = L x^2/2 at every node a round is linear in (X, a Y), and depends on a L and the
network alone; what the digraph does to complex modes is in its eigenvalues.
"""

import weakref
from typing import Any

import numpy as np

from dadao_sim.networks.directed import perron_vectors, pull_weights, push_weights

MOST_NODES = 200  # above, a step is taken as it is
MARGIN, SHRINKING = 1.5, 0.7
LEAST = 1e-9
CONSERVED = 1e-9  # by which a growth may miss 1

_FOUND: "weakref.WeakKeyDictionary[Any, dict[tuple[str, float], float]]" = (
    weakref.WeakKeyDictionary()
)


def moves(network: Any) -> float:
    """n p.pi: how many times a grad F the mean moves by, on a sequence at most."""
    pi, p = perron_vectors(network)
    return float(network.nodes * (p * pi).sum(axis=1).max())


def stable_step(network: Any, form: str, most: float) -> float:
    """The largest of a L = ``most``, .7 ``most``, .49 ``most``, ... such that 1.5 times the step
    still converges where all f_i have curvature L.

    ``form`` is the method whose rounds they are. Above ``MOST_NODES`` nodes ``most`` itself.
    """
    if network.nodes > MOST_NODES:
        return most
    known = _FOUND.setdefault(network, {})
    place = form, most
    if place not in known:
        rounds, step = _rounds(network, form), most
        while step > LEAST and not _converges(rounds, MARGIN * step):
            step *= SHRINKING
        known[place] = step
    return known[place]


def _rounds(network: Any, form: str) -> list[tuple[np.ndarray, ...]]:
    """P, Q, T and the scales of the gradients before and after, (n,), of each graph in turn:
    X+ = P X - a Q Y,  Y+ = T Y + S+ grad F(X+) - S grad F(X).
    """
    pi, p = perron_vectors(network)
    n, K, unit = network.nodes, len(network.graphs), np.eye(network.nodes)
    found: list[tuple[np.ndarray, ...]] = []
    for k, graph in enumerate(network.graphs):
        C, R = push_weights(graph).toarray(), pull_weights(graph).toarray()
        P, Q, T = {
            "push_pull": (R, R, C),
            "ab": (R, unit, C),
            "add_opt": (C, unit, C),
            "push_diging": (C, C, C),
            "frost": (R, unit, R),
        }[form]
        if form in ("add_opt", "push_diging"):
            scales = 1 / (n * pi[k]), 1 / (n * pi[(k + 1) % K])
        else:
            scales = (1 / p[0], 1 / p[0]) if form == "frost" else (np.ones(n), np.ones(n))
        found.append((P, Q, T, *scales))
    return found


def _converges(rounds: list[tuple[np.ndarray, ...]], step: float) -> bool:
    """Whether all but what is conserved falls, at a L = ``step``."""
    turn = np.eye(2 * len(rounds[0][0]))
    for P, Q, T, before, after in rounds:
        X, Y = np.hstack([P, -Q]), np.hstack([-step * np.diag(before), T])
        turn = np.vstack([X, Y + step * after[:, None] * X]) @ turn
    # The sum of Y less the gradients stays: an eigenvalue that is 1, and the only one that may be.
    sizes = np.sort(np.abs(np.linalg.eigvals(turn)))
    return bool(sizes[-1] < 1 + CONSERVED and sizes[-2] < 1 - CONSERVED)
