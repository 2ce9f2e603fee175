"""Methods of rounds in plain NumPy, as a script would have them: the yardstick of `bench.py field`.

Each takes the gradient of all rows G(X), a sparse W, the constants of the method by name and a
number of rounds, and gives X after them, from 0.
"""

import numpy as np


def dgd(G, W, c, rounds, X):
    """X+ = W X - a grad F(X)."""
    for _ in range(rounds):
        X = W @ X - c["step"] * G(X)
    return X


def exact_diffusion(G, W, c, rounds, X):
    """P+ = X - a grad F(X);  X+ = Wt (P+ + X - P)."""
    P = X
    for _ in range(rounds):
        before, P = P, X - c["step"] * G(X)
        V = P + X - before
        X = (V + W @ V) / 2
    return X


def semi_atc(G, W, c, rounds, X):
    """X+ = W (X - a Y);  Y+ = W Y + grad F(X+) - grad F(X)."""
    Y = g = G(X)
    for _ in range(rounds):
        X, before = W @ (X - c["step"] * Y), g
        g = G(X)
        Y = W @ Y + g - before
    return X


def apapc(G, W, c, rounds, X):
    """The accelerated proximal alternating predictor-corrector method."""
    Xf, Y = X, np.zeros_like(X)
    for _ in range(rounds):
        Xg = c["tau"] * X + (1 - c["tau"]) * Xf
        forward = X - c["eta"] * (G(Xg) - c["mu"] * Xg)
        h = (forward - c["eta"] * Y) / (1 + c["eta"] * c["mu"])
        Y = Y + c["theta"] * (h - W @ h)
        new = (forward - c["eta"] * Y) / (1 + c["eta"] * c["mu"])
        Xf, X = Xg + 2 * c["tau"] / (2 - c["tau"]) * (new - X), new
    return X


def acc_gt(G, W, c, rounds, X):
    """Y = th Z + (1 - th) X;  S = W S + grad F(Y) - grad F(Y-);  Z, X."""
    Z, H = X, np.zeros_like(X)
    for _ in range(rounds):
        Y = c["theta"] * Z + (1 - c["theta"]) * X
        g = G(Y)
        S = H + g
        Z = (W @ (c["q"] * Y + Z) - (c["a"] / c["theta"]) * S) / (1 + c["q"])
        X = c["theta"] * Z + (1 - c["theta"]) * (W @ X)
        H = W @ S - g
    return X


METHODS = {
    "dgd": dgd,
    "exact_diffusion": exact_diffusion,
    "semi_atc": semi_atc,
    "apapc": apapc,
    "acc_gt": acc_gt,
}
