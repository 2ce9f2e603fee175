"""Methods of rounds against their equations, written with dense matrices from the papers."""

import math

import numpy as np
import pytest
from cases import lollipop, small_problem
from numpy.testing import assert_allclose

from dadao_sim import replay
from dadao_sim.events.rounds import RoundClock

ROUNDS, NODES, DIMENSION = 50, 7, 3


class Affine:
    """grad f_i(x) = H_i x - c_i of a package's quadratic, known by its values alone."""

    def __init__(self, problem):
        def at(x):
            return problem.gradients(np.tile(x, (NODES, 1)))

        self.c = -at(np.zeros(DIMENSION))
        self.H = np.stack([at(e) + self.c for e in np.eye(DIMENSION)], axis=2)
        self.mu, self.L = problem.mu, problem.L

    def __call__(self, X):
        return np.einsum("iab,ib->ia", self.H, X) - self.c

    def conjugate(self, Y):
        return np.linalg.solve(self.H, (Y + self.c)[..., None])[..., 0]


PROBLEM, NETWORK = small_problem(7), lollipop()
G = Affine(PROBLEM)
MU, L, KAPPA = G.mu, G.L, G.L / G.mu
EYE, J = np.eye(NODES), np.full((NODES, NODES), 1 / NODES)
ADJACENCY = np.zeros((NODES, NODES))
for i, j in NETWORK.edges:
    ADJACENCY[i, j] = ADJACENCY[j, i] = 1.0
DEGREES = ADJACENCY.sum(axis=1)
LAPLACIAN = np.diag(DEGREES) - ADJACENCY
SPECTRUM = np.linalg.eigvalsh(LAPLACIAN)
CHI = SPECTRUM[-1] / SPECTRUM[1]
W = EYE - LAPLACIAN / SPECTRUM[-1]
METROPOLIS = ADJACENCY / (1 + np.maximum.outer(DEGREES, DEGREES))
METROPOLIS += np.diag(1 - METROPOLIS.sum(axis=1))
LAZY = (EYE + METROPOLIS) / 2


def second(M):
    return np.linalg.eigvalsh(M)[-2]


def least(M):
    return np.linalg.eigvalsh(M)[0]


def chebyshev(K):
    """T_K(c2 (I - c3 Lap))/T_K(c2) by the eigenvalues, and rho."""
    g = 1 / CHI
    c2, c3 = (1 + g) / (1 - g), 2 / ((1 + g) * SPECTRUM[-1])
    values, vectors = np.linalg.eigh(LAPLACIAN)

    def T(x):
        return np.polynomial.chebyshev.chebval(x, [0] * K + [1])

    return (vectors * (T(c2 * (1 - c3 * values)) / T(c2))) @ vectors.T, 1 / T(c2)


def fast_mix(M, V, K):
    root = math.sqrt(1 - second(M) ** 2)
    h = (1 - root) / (1 + root)
    before, now = V, V
    for _ in range(K):
        before, now = now, (1 + h) * M @ now - h * before
    return now


def dgd(X):
    a = (1 + least(W)) / (2 * L)
    for _ in range(ROUNDS):
        X = W @ X - a * G(X)
    return X


def atc_diffusion(X):
    a = (1 + least(W)) / (2 * L)
    for _ in range(ROUNDS):
        X = W @ (X - a * G(X))
    return X


def extra(X):
    a, Wt = 0.9 / L, (EYE + W) / 2
    before, X = X, W @ X - a * G(X)
    for _ in range(ROUNDS - 1):
        before, X = X, (EYE + W) @ X - Wt @ before - a * (G(X) - G(before))
    return X


def exact_diffusion(X):
    psi = X
    for _ in range(ROUNDS):
        psi_next = X - G(X) / L
        X, psi = (EYE + W) / 2 @ (psi_next + X - psi), psi_next
    return X


def d2(X):
    before, X = X, W @ (X - G(X) / L)
    for _ in range(ROUNDS - 1):
        before, X = X, W @ (2 * X - before - (G(X) - G(before)) / L)
    return X


def nids(X):
    a = 1 / L
    What = EYE - a * (1 / (a * (1 - least(W)))) * (EYE - W)
    before, X = X, X - a * G(X)
    for _ in range(ROUNDS - 1):
        before, X = X, What @ (2 * X - before - a * (G(X) - G(before)))
    return X


def tracking(X, M, a, of_x, of_y):
    Y = G(X)
    for _ in range(ROUNDS):
        new = of_x(M, X, Y, a)
        Y = of_y(M, Y, G(new) - G(X))
        X = new
    return X


def outside(M, X, Y, a):
    return M @ X - a * Y


def inside(M, X, Y, a):
    return M @ (X - a * Y)


def y_outside(M, Y, change):
    return M @ Y + change


def y_inside(M, Y, change):
    return M @ (Y + change)


ATC_STEP = min(1, math.sqrt(KAPPA) * (1 - second(W))) / L


def diging(X):
    return tracking(X, LAZY, least(LAZY) ** 2 / L, outside, y_outside)


def semi_atc(X):
    return tracking(X, W, ATC_STEP, inside, y_outside)


def gradient_tracking(X):
    return tracking(X, W, ATC_STEP, inside, y_inside)


def acc_dngd_sc(X):
    h = min((1 - second(W)) ** 2, 0.25) / L
    al = math.sqrt(MU * h)
    V = Y = X
    S = G(Y)
    for _ in range(ROUNDS):
        X = W @ Y - h * S
        V = (1 - al) * W @ V + al * W @ Y - h / al * S
        before, Y = Y, (X + al * V) / (1 + al)
        S = W @ S + G(Y) - G(before)
    return Y


def acc_gt(X):
    a = min((1 - second(W)) ** 2, 0.25) / L
    th = math.sqrt(MU * a) / 2
    q = MU * a / th
    Z, S, before = X, None, None
    for _ in range(ROUNDS):
        Y = th * Z + (1 - th) * X
        S = G(Y) if S is None else W @ S + G(Y) - G(before)
        before = Y
        Z = (W @ (q * Y + Z) - a / th * S) / (1 + q)
        X = th * Z + (1 - th) * W @ X
    return X


def mudag(X):
    al = math.sqrt(MU / L)
    K = math.ceil(math.log(10 * KAPPA) / math.sqrt(1 - second(W)))
    Y = Y_before = X
    G_before = np.zeros_like(X)
    for _ in range(ROUNDS):
        new = fast_mix(W, Y + (X - Y_before) - (G(Y) - G_before) / L, K)
        Y_before, G_before = Y, G(Y)
        Y, X = new + (1 - al) / (1 + al) * (new - X), new
    return X


def apm_c(X):
    th = math.sqrt(MU / L)
    before = X
    for k in range(ROUNDS):
        T = math.ceil(k * th / math.sqrt(1 - second(W))) + 1
        vt = (1 - th) ** (k + 1)
        Y = X + (L * th - MU) * (1 - th) / ((L - MU) * th) * (X - before)
        Z = Y - G(Y) / L
        before, X = X, (L * vt * Z + L * fast_mix(W, Z, T)) / (L * vt + L)
    return X


def papc(X, P):
    spectrum = np.linalg.eigvalsh(P)
    chi = spectrum[-1] / spectrum[1]
    tau = min(1, math.sqrt(chi / KAPPA) / 2)
    eta = 1 / (4 * tau * L)
    theta = 1 / (eta * spectrum[-1])
    Xf, Y = X, np.zeros_like(X)
    for _ in range(ROUNDS):
        Xg = tau * X + (1 - tau) * Xf
        h = (X - eta * (G(Xg) - MU * Xg + Y)) / (1 + eta * MU)
        Y = Y + theta * P @ h
        new = (X - eta * (G(Xg) - MU * Xg + Y)) / (1 + eta * MU)
        X, Xf = new, Xg + 2 * tau / (2 - tau) * (new - X)
    return X


def apapc(X):
    return papc(X, LAPLACIAN / SPECTRUM[-1])


def opapc(X):
    """P = I - W_K; its largest and least positive eigenvalue are those of the interval, 1 +- rho,
    which the spectrum of a graph need not reach.
    """
    W_K, rho = chebyshev(math.floor(math.sqrt(CHI)))
    P = EYE - W_K
    chi = (1 + rho) / (1 - rho)
    tau = min(1, math.sqrt(chi / KAPPA) / 2)
    eta = 1 / (4 * tau * L)
    theta = 1 / (eta * (1 + rho))
    Xf, Y = X, np.zeros_like(X)
    for _ in range(ROUNDS):
        Xg = tau * X + (1 - tau) * Xf
        h = (X - eta * (G(Xg) - MU * Xg + Y)) / (1 + eta * MU)
        Y = Y + theta * P @ h
        new = (X - eta * (G(Xg) - MU * Xg + Y)) / (1 + eta * MU)
        X, Xf = new, Xg + 2 * tau / (2 - tau) * (new - X)
    return X


def ssda(X):
    q = math.sqrt(MU / (L * CHI))
    X = Y = np.zeros((NODES, DIMENSION))
    for _ in range(ROUNDS):
        new = X - MU / SPECTRUM[-1] * LAPLACIAN @ G.conjugate(X)
        X, Y = (1 + (1 - q) / (1 + q)) * new - (1 - q) / (1 + q) * Y, new
    return G.conjugate(X)


def adom(X):
    a, b = 1 / CHI, 1.0
    Lq = LAPLACIAN / SPECTRUM[-1]
    alpha, eta = 1 / (2 * L), 2 * a * math.sqrt(MU * L) / (7 * b)
    tau = a / (7 * b) * math.sqrt(MU / L)
    z = zf = m = np.zeros((NODES, DIMENSION))
    for _ in range(ROUNDS):
        zg = tau * z + (1 - tau) * zf
        g = G.conjugate(zg)
        D = Lq @ (m - eta * g) / b
        m = m - eta * g - D
        z, zf = z + eta * alpha * (zg - z) + D, zg - MU / b * Lq @ g
    return G.conjugate(tau * z + (1 - tau) * zf)


def dlm(X):
    """From equal rows, where Lap X_0 = 0 and alpha_0 = 0."""
    c, rho = L / (4 if KAPPA < 30 else 32), L
    al = np.zeros_like(X)
    for _ in range(ROUNDS):
        X = X - (G(X) + c * LAPLACIAN @ X + al) / (2 * c * DEGREES + rho)[:, None]
        al = al + c * LAPLACIAN @ X
    return X


def led(X, K=4):
    Y = np.zeros_like(X)
    for _ in range(ROUNDS):
        F = X
        for _ in range(K):
            F = F - G(F) / (K * L) - Y / K
        X = W @ F
        Y = Y + F - X
    return X


def k_gt(X, K=4):
    a, C = 1 / (4 * K * L), np.zeros_like(X)
    for _ in range(ROUNDS):
        Y = X
        for _ in range(K):
            Y = Y - a * (G(Y) + C)
        Z = (X - Y) / (K * a)
        C = C - Z + W @ Z
        X = W @ (X - K * a * Z)
    return X


EQUATIONS = (
    *(dgd, atc_diffusion, extra, exact_diffusion, d2, nids, diging, semi_atc, gradient_tracking),
    *(acc_dngd_sc, acc_gt, mudag, apm_c, apapc, opapc, ssda, adom, dlm, led, k_gt),
)
ESTIMATES = {"ssda": "t", "adom": "t", "acc_dngd_sc": "y"}
PARAMETERS = {"nids": {"own_steps": 0}}


@pytest.mark.parametrize("equation", EQUATIONS, ids=lambda equation: equation.__name__)
def test_a_method_is_its_equations(equation):
    name = equation.__name__
    x0 = np.random.default_rng(0).standard_normal((NODES, DIMENSION))
    if name == "dlm":
        x0 = np.tile(x0[0], (NODES, 1))
    log = RoundClock(np.random.SeedSequence(1)).window()[:ROUNDS]
    found = replay(name, PROBLEM, NETWORK, log, x0, PARAMETERS.get(name))
    wanted = equation(x0)
    scale = np.abs(wanted).max()
    assert_allclose(found[ESTIMATES.get(name, "x")], wanted, rtol=0, atol=1e-12 * scale)
