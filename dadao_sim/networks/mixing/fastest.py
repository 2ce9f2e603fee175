"""The fastest mixing matrices, by convex optimisation.

Both minimise s subject to -s I <= W - J <= s I, W = I - B diag(w) B^T, J the mean: FDLA, fastest
distributed linear averaging, over all w; FMMC, the fastest mixing Markov chain, over w >= 0 with
diag W >= 0. (L. Xiao, S. Boyd, "Fast linear iterations for distributed averaging", Systems and
Control Letters 53, 2004, equations 17 and 53.)
"""

import contextlib
import weakref

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks.mixing.mixing import OwnWeights
from dadao_sim.networks.network import Network

MOST_NODES = 100  # the matrix inequalities have n^2 rows, and the solver factorises their square

# A graph asks for its weights more than once, and they take seconds.
_SOLVED: "weakref.WeakKeyDictionary[Network, dict[bool, np.ndarray]]" = weakref.WeakKeyDictionary()


def fastest(graph: Network, *, markov: bool) -> np.ndarray:
    """The weights w of the fastest W, (|E|,); with ``markov`` of the fastest Markov chain.

    InputError for more than ``MOST_NODES`` nodes, and where the solver finds none.
    """
    import cvxpy as cp

    name = "fmmc" if markov else "fdla"
    n, edges = graph.nodes, graph.edges
    if n > MOST_NODES:
        right = "use best_constant or metropolis, or chebyshev: auto, which needs fewer rounds"
        raise InputError("mixing", f"{name} takes at most {MOST_NODES} nodes, not {n}", right)
    B = np.zeros((n, len(edges)))
    every = np.arange(len(edges))
    B[edges[:, 0], every], B[edges[:, 1], every] = 1, -1
    # The complement of 1, in which W - J acts: one dimension less, and no redundant constraint.
    Q = np.linalg.qr(np.hstack([np.ones((n, 1)), np.eye(n)[:, 1:]]))[0][:, 1:]
    D = Q.T @ B
    w, s = cp.Variable(len(edges)), cp.Variable()
    squares = (D[:, None, :] * D[None, :, :]).reshape((n - 1) ** 2, -1)
    V = np.eye(n - 1) - cp.reshape(squares @ w, (n - 1, n - 1), order="C")
    unit = np.eye(n - 1)
    constraints = [V << s * unit, V >> -s * unit]
    if markov:
        constraints += [w >= 0, np.abs(B) @ w <= 1]
    task = cp.Problem(cp.Minimize(s), constraints)
    with contextlib.suppress(cp.error.SolverError):
        task.solve(solver="CLARABEL")
    if w.value is None or not np.isfinite(w.value).all():
        raise InputError("mixing", f"the solver finds no {name}", "use best_constant")
    return np.maximum(w.value, 0) if markov else w.value


def _kept(graph: Network, *, markov: bool) -> np.ndarray:
    known = _SOLVED.setdefault(graph, {})
    if markov not in known:
        known[markov] = fastest(graph, markov=markov)
    return known[markov]


FDLA = OwnWeights(name="fdla", weights=lambda graph: _kept(graph, markov=False))
LAZY_FDLA = FDLA.lazy()
FMMC = OwnWeights(name="fmmc", weights=lambda graph: _kept(graph, markov=True))
LAZY_FMMC = FMMC.lazy()
