"""Exact diffusion, NIDS, D2, tracking, EXTRA and DIGing by one contraction, which is ours.

Z = (I - C) X - a G - B Y,  Y+ = Y + B Z,  X+ = A Z,  with A, B, C functions of W. Deviations from
the fixed point obey |Z|^2_{I - B^2} + |Y+|^2 = |(I - C) X - a dG|^2 + |Y|^2 - |B Y|^2, and Y stays
in the range of B, so that with s the least positive eigenvalue of B^2

(i)  C = 0, A^2 <= I - B^2:  |X|^2 + |Y|^2 contracts by max(1 - a mu (2 - a L), 1 - s), a < 2/L;
(ii) A = I, B^2 <= C < I:    |X|^2_{I - C} + |Y|^2 contracts by
     max(1 - a mu (2 - a L/l), 1 - s), l the least eigenvalue of I - C, a < 2 l/L.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

NODES, DIMENSION = 6, 2
EYE = np.eye(NODES)


def matrices(method, values):
    """A, B^2, C on eigenvalues of W below 1, and the largest step times L, of the table."""
    w = values
    match method:
        case "exact diffusion":
            return (1 + w) / 2, (1 - w) / 2, 0 * w, 2.0
        case "NIDS":
            half = (1 - w) / 2  # c = 1/2a
            return 1 - half, half, 0 * w, 2.0
        case "D2":
            return w, 1 - w, 0 * w, 2.0
        case "gradient tracking":
            return w**2, (1 - w) ** 2, 0 * w, 2.0
        case "EXTRA":
            return 0 * w + 1, (1 - w) / 2, (1 - w) / 2, 1 + w.min()
        case "DIGing":
            return 0 * w + 1, (1 - w) ** 2, 1 - w**2, 2 * w.min() ** 2
    raise AssertionError(method)


LEAST = {"D2": 0.0, "gradient tracking": 0.0, "DIGing": 0.05}
METHODS = ["exact diffusion", "NIDS", "D2", "gradient tracking", "EXTRA", "DIGing"]


def mixing(rng, least):
    """A symmetric W with W 1 = 1 and its other eigenvalues at random above ``least``."""
    others = np.sort(rng.uniform(least, 0.98, NODES - 1))[::-1]
    Q = np.linalg.qr(np.column_stack([np.ones(NODES), rng.standard_normal((NODES, NODES - 1))]))[0]
    return Q, np.concatenate([[1.0], others])


def of(Q, values):
    return (Q * values) @ Q.T


def hessians(rng, kappa):
    """One per node, eigenvalues from 1 to kappa, not aligned; (n, d, d)."""
    out = []
    for _ in range(NODES):
        V = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
        out.append((V * np.array([1.0, kappa])) @ V.T)
    return np.stack(out)


@pytest.mark.parametrize("method", METHODS)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.98), kappa=st.floats(1.0, 300.0))
def test_no_step_contracts_less_than_the_theorem_says(method, seed, share, kappa):
    rng = np.random.default_rng(seed)
    Q, w = mixing(rng, LEAST.get(method, -0.95))
    A, square, C, largest = matrices(method, w)
    A[0], square[0], C[0] = 1.0, 0.0, 0.0
    a = share * largest / kappa
    H, mu, L = hessians(rng, kappa), 1.0, kappa
    low = (1 - C).min()
    s = square[1:].min()
    factor = max(1 - a * mu * (2 - a * L / low), 1 - s)
    A, B, metric = of(Q, A), of(Q, np.sqrt(square)), of(Q, 1 - C)
    X = rng.standard_normal((NODES, DIMENSION))
    Y = B @ rng.standard_normal((NODES, DIMENSION))

    def size(X, Y):
        return np.vdot(X, metric @ X) + np.vdot(Y, Y)

    for _ in range(3):
        Z = metric @ X - a * np.einsum("iab,ib->ia", H, X) - B @ Y
        before, X, Y = size(X, Y), A @ Z, Y + B @ Z
        assert size(X, Y) <= factor * before * (1 + 1e-9)
        assert factor < 1
