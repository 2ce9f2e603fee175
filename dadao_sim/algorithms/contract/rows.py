"""Oracles of all nodes at once, for synchronous methods: rows in, rows out."""

from typing import Any

import numpy as np

from dadao_sim.engine import oracles

NODE_STRIDE = np.uint64(0xD1342543DE82EF95)  # odd: the marks of different nodes never meet


def gradients(objective: Any, X: np.ndarray, mark: int) -> np.ndarray:
    """grad f_i(X_i) of every node, (n, d) -> (n, d); ``mark`` seeds the minibatches of the
    round.
    """
    marks = np.uint64(mark) + np.arange(len(X), dtype=np.uint64) * NODE_STRIDE
    out = np.empty(X.shape)
    oracles.all_gradients(objective, X, marks, out)
    return out


def conjugate_gradients(objective: Any, Y: np.ndarray) -> np.ndarray:
    """grad f_i*(Y_i) of every node, (n, d) -> (n, d)."""
    out = np.empty(Y.shape)
    oracles.all_conjugate_gradients(objective, Y, out)
    return out


def prox(objective: Any, X: np.ndarray, steps: float | np.ndarray) -> np.ndarray:
    """prox_{a_i r}(X_i) of every node, (n, d) -> (n, d); ``steps`` is one a, or each node's."""
    out = np.empty(X.shape)
    oracles.all_prox(objective, np.broadcast_to(np.float64(steps), len(X)).copy(), X, out)
    return out
