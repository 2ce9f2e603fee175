"""The exact rate of rounds against closed forms, long runs, and a dense second moment."""

import math

import networkx as nx
import numpy as np
import pytest
from cases import lollipop, sequence
from simulated_rounds import decay_by_restarts, decay_of_run

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.plateau import plateau
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.theory.rounds import round_rate

NODES = 7
LINEAR = (
    *("extra", "pg_extra", "exact_diffusion", "prox_ed", "d2", "nids", "gradient_tracking"),
    *("diging", "semi_atc", "sonata", "dgd", "atc_diffusion", "apapc", "opapc", "acc_gt"),
    *("adom", "adom_plus", "adom_plus_multi_consensus", "dlm", "d_admm", "k_gt", "led"),
    *("local_sgd", "fedavg"),
)
# Rounding in the sums of z, which ADOM and ADOM+ conserve, reaches x.
ROUNDED = ("adom", "adom_plus", "adom_plus_multi_consensus")
CRITICAL = ("msda", "ssda", "mudag", "acc_dngd_sc")  # a power of k beside the exponential


def hessians(seed, kappa, d=3, aligned=True):
    rng = np.random.default_rng(seed)
    H = np.empty((NODES, d, d))
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    for i in range(NODES):
        if not aligned:
            Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
        h = np.exp(rng.uniform(0, math.log(kappa), d))
        h[0], h[-1] = 1.0, kappa
        H[i] = (Q * h) @ Q.T
    return (H + H.transpose(0, 2, 1)) / 2


def at_rest_at_zero(seed, kappa, aligned=True):
    """x* = 0 and all gradients there are 0: errors fall to 1e-300."""
    return Problem.quadratic(hessians(seed, kappa, aligned=aligned), np.zeros((NODES, 3)))


def of_modes(name, h, W, a):
    """Largest modulus over the modes of W of the roots of a method's own equation, equal h."""
    largest = 0.0
    for w in np.linalg.eigvalsh(W):
        t = (1 + w) / 2
        match name:
            case "extra":  # X++ = (I + W) X+ - Wt X - a (G+ - G)
                roots = np.roots([1, -(1 + w - a * h), t - a * h])
            case "exact_diffusion":  # X++ = Wt (2 X+ - X - a (G+ - G))
                roots = np.roots([1, -t * (2 - a * h), t * (1 - a * h)])
            case "d2":
                roots = np.roots([1, -w * (2 - a * h), w * (1 - a * h)])
            case "gradient_tracking":  # X++ = 2 W X+ - W^2 X - a W^2 (G+ - G)
                roots = np.roots([1, -(2 * w - a * h * w**2), w**2 * (1 - a * h)])
            case "diging":
                roots = np.roots([1, -(2 * w - a * h), w**2 - a * h])
        if w > 1 - 1e-12:  # the equation's differences add a root 1, which no error has
            roots = np.delete(roots, np.abs(roots - 1).argmin())
        largest = max(largest, np.abs(roots).max())
    return -2 * math.log(largest)


@pytest.mark.parametrize("h", [1.0, 7.0, 50.0])
@pytest.mark.parametrize("name", ["extra", "exact_diffusion", "d2", "gradient_tracking", "diging"])
def test_it_is_the_root_of_the_methods_own_equation(name, h):
    network = lollipop()
    f = Problem.quadratic(np.full((NODES, 1, 1), h), np.ones((NODES, 1)))
    tuning = METHODS[name].tune(f, network, {"L": 50.0})
    W = tuning.weights(network).toarray()
    found = round_rate(name, f, network, {"L": 50.0})
    assert found.decay == pytest.approx(of_modes(name, h, W, tuning.constants["step"]), rel=1e-9)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("name", LINEAR)
def test_a_long_run_falls_as_fast(name, aligned):
    f, network = at_rest_at_zero(3, 12.0, aligned), lollipop()
    exact = round_rate(name, f, network)
    assert not exact.linearised
    assert (exact.coordinate is not None) == aligned
    of_run = decay_by_restarts if name in ROUNDED else decay_of_run
    measured = of_run(METHODS[name], f, network, exact.decay)
    assert measured == pytest.approx(exact.decay, rel=0.05)


@pytest.mark.parametrize("name", CRITICAL)
def test_a_long_run_of_critical_damping_falls_nearly_as_fast(name):
    f, network = at_rest_at_zero(3, 12.0), lollipop()
    exact = round_rate(name, f, network).decay
    assert 0.85 * exact <= decay_of_run(METHODS[name], f, network, exact) <= exact


@pytest.mark.parametrize("name", ["gradient_tracking", "acc_gt", "adom_plus", "dgd"])
def test_on_a_sequence_it_is_that_of_a_period(name):
    f, network = at_rest_at_zero(2, 5.0), sequence()
    exact = round_rate(name, f, network).decay
    of_run = decay_by_restarts if name in ROUNDED else decay_of_run
    measured = of_run(METHODS[name], f, network, exact)
    assert measured == pytest.approx(exact, rel=0.05)


def test_chebyshev_gossip_and_other_matrices_are_seen():
    f, network = at_rest_at_zero(1, 10.0), Network(8, np.array(nx.path_graph(8).edges()))
    f = Problem.quadratic(np.tile(np.diag([1.0, 3.0, 10.0]), (8, 1, 1)), np.zeros((8, 3)))
    plain = round_rate("exact_diffusion", f, network).decay
    faster = round_rate("exact_diffusion", f, network, {}, Options(chebyshev="auto")).decay
    assert faster > 3 * plain
    # The network is gone: a = 1/L leaves 1 - 1/kappa.
    assert faster == pytest.approx(-2 * math.log(1 - 1 / 10), rel=1e-9)
    assert round_rate("extra", f, network, {}, Options(mixing="metropolis")).decay != plain


def test_the_coin_of_scaffnew():
    """The dense second moment, and the mean of many runs."""
    f, network = at_rest_at_zero(1, 12.0), lollipop()
    exact = round_rate("scaffnew", f, network).decay
    tuning = METHODS["scaffnew"].tune(f, network)
    p, gam = tuning.constants["p"], tuning.constants["gam"]
    W, H = tuning.weights(network).toarray(), hessians(1, 12.0)
    Q = np.linalg.eigh(H[0])[1]
    growth = 0.0
    for h in np.einsum("ac,iab,bc->ci", Q, H, Q):
        eye, J = np.eye(NODES), np.full((NODES, NODES), 1 / NODES)
        Z = np.hstack([eye - gam * np.diag(h), gam * eye])
        tails = np.vstack([Z, np.hstack([0 * eye, eye])])
        heads = np.vstack([W @ Z, np.hstack([0 * eye, eye]) + p / gam * (W - eye) @ Z])
        no_mean = np.kron(np.diag([1.0, 0.0]), eye) + np.kron(np.diag([0.0, 1.0]), eye - J)
        pair = p * np.kron(heads @ no_mean, heads @ no_mean)
        pair += (1 - p) * np.kron(tails @ no_mean, tails @ no_mean)
        growth = max(growth, np.abs(np.linalg.eigvals(pair)).max())
    assert exact == pytest.approx(-math.log(growth), rel=1e-8)
    assert exact >= -math.log(1 - min(gam * f.mu, p**2 * (1 - np.linalg.eigvalsh(W)[-2])))


def test_near_x_star_it_is_that_of_the_hessians_there():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((NODES, 12, 3)) * np.array([1.0, 2.0, 4.0])
    y = np.where(rng.random((NODES, 12)) < 0.5, -1.0, 1.0)
    f = Problem.from_arrays(A, y, "logistic_l2", mu=0.1)
    exact = round_rate("extra", f, lollipop())
    assert exact.linearised
    again = round_rate("extra", f, lollipop(), {"L": 2 * f.L})
    assert again.decay < exact.decay


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dadao", Options(), "dadao plays events; see exact_rate"),
        ("apm_c", Options(), "its step is another in each round"),
        ("gt_saga", Options(), "of gradients of single samples"),
        ("beer", Options(), "of messages by top_k, whose variance is not quadratic"),
        ("scaffold", Options(), "it conserves what it does not declare"),
    ],
)
def test_what_has_no_exact_rate_says_why(name, options, message):
    rng = np.random.default_rng(0)
    f = Problem.from_arrays(
        rng.standard_normal((NODES, 5, 3)), rng.standard_normal((NODES, 5)), "ridge", mu=0.1
    )
    with pytest.raises(InputError, match=message):
        round_rate(name, f, lollipop(), {}, options)


def test_a_step_beyond_the_theorem_diverges():
    f, network = at_rest_at_zero(3, 12.0), lollipop()
    exact = round_rate("dgd", f, network, {"step": 2.5 / f.L})
    assert exact.decay < 0


def squares(nodes=3, samples=4, d=2):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((nodes, samples, d))
    return A, Problem.from_arrays(A, rng.standard_normal((nodes, samples)), "least_squares")


def of_dense_gossip(A, W, a):
    """The spectral radius of E (W - a H_s) (x) (W - a H_s), samples s drawn at every node: of the
    means, and what the draws of each node add.
    """
    n, samples, d = A.shape
    H = 2 * np.einsum("isa,isb->isab", A, A)  # f_i is the mean of (a.x - b)^2
    mean = np.kron(W, np.eye(d))
    for i in range(n):
        place = slice(d * i, d * i + d)
        mean[place, place] -= a * H[i].mean(axis=0)
    pair = np.kron(mean, mean)
    for i in range(n):
        unit = np.zeros((n, n))
        unit[i, i] = 1.0
        own = np.kron(unit, H[i].mean(axis=0))
        for s in range(samples):
            one = np.kron(unit, H[i, s])
            pair += a**2 / samples * (np.kron(one, one) - np.kron(own, own))
    return np.abs(np.linalg.eigvals(pair)).max()


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_of_minibatches_it_is_that_of_the_dense_second_moment(share):
    A, f = squares()
    network, a = Network(3, np.array([[0, 1], [1, 2]])), share / f.L
    found = round_rate("d_psgd", f, network, {"step": a}, Options(batch_size=1))
    W = METHODS["d_psgd"].tune(f, network).weights(network).toarray()
    assert found.decay == pytest.approx(-math.log(of_dense_gossip(A, W, a)), rel=1e-7)
    full = round_rate("d_psgd", f, network, {"step": a}).decay
    assert found.decay < full
    batches = round_rate("d_psgd", f, network, {"step": a}, Options(batch_size=400)).decay
    assert batches == pytest.approx(full, rel=0.02)


def test_minibatches_that_grow_have_a_negative_decay_and_no_plateau():
    _, f = squares()
    network, options = Network(3, np.array([[0, 1], [1, 2]])), Options(batch_size=1)
    step = 0.95 / f.L
    assert round_rate("d_psgd", f, network, {"step": step}, options).decay < 0
    with pytest.raises(InputError, match="it diverges"):
        plateau(METHODS["d_psgd"], f, network, 1, {"step": step})
