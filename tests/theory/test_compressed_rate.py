"""The exact rate of compressed rounds against all masks one by one, many runs, and both sides of
where it is 0.
"""

import itertools
import math
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from scipy.optimize import bisect

from dadao_sim import Network, Problem
from dadao_sim.algorithms.contract.gossip import Gossip
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.compression.compressor import Compressor
from dadao_sim.compression.masks import Masks
from dadao_sim.compression.quantisers import QSGD, Dither, Ternary
from dadao_sim.compression.sparsifiers import Drop, Identity, RandomK, TopK
from dadao_sim.compression.uniform import uniform
from dadao_sim.errors import InputError
from dadao_sim.networks import GraphSequence
from dadao_sim.theory.compressed_rounds import MOST_STATES
from dadao_sim.theory.rounds import round_rate

PATH = Network(3, np.array([[0, 1], [1, 2]]))
PAIR = Network(2, np.array([[0, 1]]))


class Coins(Compressor):
    """An operator of a user: each number with a probability, divided by it."""

    kind: Literal["coins"] = "coins"
    probability: float
    unbiased = True

    def omega(self, d):
        return 1 / self.probability - 1

    def bits(self, d):
        return 64.0 * d

    def masks(self, d):
        return Masks(1.0, self.omega(d) * np.eye(d))

    def rows(self, V, mark):
        return np.where(uniform(V.shape, mark) < self.probability, V / self.probability, 0.0)


def random_k(k, scaled=True):
    return RandomK(kind="random_k", k=k, scaled=scaled)


def drop(probability):
    return Drop(kind="drop", probability=probability)


def every_mask(Q, d):
    """The masks (d,) of one node and their probabilities, written out."""
    match Q.kind:
        case "random_k":
            scale = d / Q.k if Q.scaled else 1.0
            kept = list(itertools.combinations(range(d), Q.k))
            return [(scale * np.isin(range(d), places), 1 / len(kept)) for places in kept]
        case "drop":
            return [(np.ones(d), Q.probability), (np.zeros(d), 1 - Q.probability)]
        case "coins":
            p = Q.probability
            sides = itertools.product((0, 1), repeat=d)
            return [(np.array(m) / p, math.prod(p if one else 1 - p for one in m)) for m in sides]


class Given:
    """Multiplies the messages of a round by given masks, call after call."""

    def __init__(self, masks):
        self.masks = iter(masks)

    def rows(self, V, mark):
        return next(self.masks) * V

    def numbers(self, d):
        return d

    def bits(self, d):
        return 64.0 * d


def in_own_coordinates(method, W, n, d):
    """The states whose copies hw and kw are W h and W k, and whose conserved means are 0."""
    places = {block: k for k, block in enumerate(method.blocks)}
    eye, others = np.eye(n), np.linalg.svd(np.eye(n) - 1 / n)[0][:, :-1]
    columns = []
    for block in method.blocks:
        if block not in ("hw", "kw"):
            rows = np.zeros((len(places), n, n))
            rows[places[block]] = eye
            if block in ("h", "k"):
                rows[places[f"{block}w"]] = W
            if block in method.invariant:
                rows = rows @ others
            columns.append(rows.reshape(len(places) * n, -1))
    return np.kron(np.hstack(columns), np.eye(d))


def dense_pair(method, f, network, Q, overrides):
    """E A (x) A, from the method's own step under every mask of every node and message, and the
    coordinates that it is in.
    """
    n, d = f.nodes, f.dimension
    tuning = METHODS[method].tune(f, network, overrides, Options(compression=Q))
    method = METHODS[method]
    W = tuning.weights(network).toarray()
    basis = in_own_coordinates(method, W, n, d)
    inverse, size = np.linalg.pinv(basis), basis.shape[1]
    calls = 2 if method.name == "beer" else 1
    pair = np.zeros((size**2, size**2))
    for drawn in itertools.product(every_mask(Q, d), repeat=n * calls):
        masks = np.array([m for m, _ in drawn]).reshape(calls, n, d)
        A = np.empty((size, size))
        for column in range(size):
            blocks = basis[:, column].reshape(len(method.blocks), n, d)
            state = method.state(dict(zip(method.blocks, blocks, strict=True)))
            nodes = Nodes(
                *(f.objective, np.ones(n), Tally()), stochastic=False, compressor=Given(masks)
            )
            nodes.at(1, 0)
            gossip = Gossip(tuning.network.graphs, tuning.weights, Tally())
            method.step(state, tuning.params, nodes, gossip)
            after = np.stack([getattr(state, name) for name in method.blocks]).ravel()
            A[:, column] = inverse @ after
            assert np.abs(basis @ A[:, column] - after).max() < 1e-12
        pair += math.prod(chance for _, chance in drawn) * np.kron(A, A)
    return pair, basis


def dense_growth(*setting):
    return np.abs(np.linalg.eigvals(dense_pair(*setting)[0])).max()


def turned(n, d, seed=0, kappa=5.0):
    rng = np.random.default_rng(seed)
    H = np.empty((n, d, d))
    for i in range(n):
        axes = np.linalg.qr(rng.standard_normal((d, d)))[0]
        H[i] = (axes * rng.uniform(1, kappa, d)) @ axes.T
    return Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, np.zeros((n, d)))


def along_axes(n, d, seed=0, kappa=5.0, axes=None):
    """Along those of the numbers that are sent, or others."""
    h = np.random.default_rng(seed).uniform(1, kappa, (n, d))
    axes = np.eye(d) if axes is None else axes
    H = np.einsum("ac,ic,bc->iab", axes, h, axes)
    return Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, np.zeros((n, d)))


def along_others(n, d, seed=0):
    return along_axes(
        n, d, axes=np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    )


SMALL_STEPS = {"gamma": 0.3, "alpha": 0.3}
CASES = [
    ("lead", turned(3, 2), PATH, random_k(1), SMALL_STEPS),
    ("lead", turned(3, 2), PATH, random_k(1), {}),
    ("lead", turned(2, 3), PAIR, random_k(2), SMALL_STEPS),
    ("lead", along_axes(3, 2), PATH, random_k(1), SMALL_STEPS),
    ("lead", along_others(3, 2), PATH, random_k(1), SMALL_STEPS),
    ("lead", turned(3, 2), PATH, Coins(probability=0.6), SMALL_STEPS),
    ("lead", turned(3, 3), PATH, random_k(2), SMALL_STEPS),
    ("prox_lead", turned(2, 2), PAIR, random_k(1), SMALL_STEPS),
    ("choco_sgd", turned(3, 2), PATH, random_k(1, scaled=False), {}),
    ("choco_sgd", turned(2, 3), PAIR, random_k(1, scaled=False), {}),
    ("choco_sgd", turned(2, 3), PAIR, random_k(2), {}),
    ("choco_sgd", turned(3, 2), PATH, drop(0.4), {}),
    ("choco_sgd", along_others(3, 2), PATH, drop(0.4), {}),
    ("choco_sgd", along_others(3, 2), PATH, random_k(1, scaled=False), {}),
    ("choco_gossip", Problem.averaging(np.zeros((3, 3))), PATH, random_k(1, scaled=False), {}),
    ("choco_gossip", Problem.averaging(np.zeros((3, 2))), PATH, drop(0.4), {"gamma": 0.3}),
    ("beer", turned(2, 2), PAIR, random_k(1, scaled=False), {}),
    ("beer", turned(3, 2), PATH, drop(0.4), {}),
    ("beer", along_axes(2, 2), PAIR, random_k(1, scaled=False), {}),
]


@pytest.mark.parametrize(("name", "f", "network", "Q", "overrides"), CASES)
def test_it_is_that_of_all_masks_one_by_one(name, f, network, Q, overrides):
    found = round_rate(name, f, network, overrides, Options(compression=Q)).decay
    dense = dense_growth(name, f, network, Q, overrides)
    assert math.exp(-found) == pytest.approx(dense, rel=1e-9)


@pytest.mark.parametrize("Q", [random_k(1), random_k(3, scaled=False), drop(0.3)])
def test_masks_are_those_of_the_operator(Q):
    d, marks = 4, 6000
    V = np.random.default_rng(0).standard_normal((2, d))
    sent = np.array([Q.rows(V, 977 * mark) for mark in range(marks)])
    masks = Q.masks(d)
    both = sent.reshape(marks, -1)
    wanted = np.zeros((2, d, 2, d))
    for i in range(2):  # the two rows are drawn apart
        wanted[i, :, i] = masks.covariance * np.outer(V[i], V[i])
    wanted = wanted.reshape(2 * d, 2 * d)
    error = math.sqrt(30 / marks)
    assert sent.mean(axis=0) == pytest.approx(masks.mean * V, abs=error * np.abs(V).max())
    assert np.cov(both.T) == pytest.approx(wanted, abs=error * np.abs(wanted).max())
    chances = every_mask(Q, d)
    mean = sum(chance * m for m, chance in chances)
    second = sum(chance * np.outer(m, m) for m, chance in chances)
    assert mean == pytest.approx(np.full(d, masks.mean))
    assert second - np.outer(mean, mean) == pytest.approx(masks.covariance, abs=1e-12)


def test_nothing_lost_is_the_rate_without_compression():
    f = turned(3, 3)
    exact = [
        round_rate("lead", f, PATH, {}, Options(compression=Q)).decay
        for Q in (Identity(kind="identity"), random_k(3))
    ]
    assert exact[0] == pytest.approx(exact[1], rel=1e-12)
    # Of a message that is whole h is no part: exact diffusion, but for h that follows behind.
    diffusion = round_rate("exact_diffusion", f, PATH).decay
    assert exact[0] == pytest.approx(min(diffusion, -2 * math.log(1 / 2)), rel=1e-9)


def lead_decay(f, overrides):
    return round_rate("lead", f, PATH, overrides, Options(compression=random_k(1))).decay


def errors_of_lead(f, overrides, rounds, runs):
    """sum_i ||x_i||^2, (runs, rounds + 1), from one start with random_k of 1."""
    method = METHODS["lead"]
    Q, shape = random_k(1), (f.nodes, f.dimension)
    tuning = method.tune(f, PATH, overrides, Options(compression=Q))
    gossip = Gossip(tuning.network.graphs, tuning.weights, Tally())
    nodes = Nodes(f.objective, np.ones(f.nodes), Tally(), stochastic=False, compressor=Q)
    rng = np.random.default_rng(0)
    errors = np.empty((runs, rounds + 1))
    for run in range(runs):
        state = method.state(method.initial_values(*shape, np.ones(shape), {}))
        errors[run, 0] = (state.x**2).sum()
        for k, mark in enumerate(rng.integers(0, 2**63, rounds)):
            nodes.at(k, int(mark))
            method.step(state, tuning.params, nodes, gossip)
            errors[run, k + 1] = (state.x**2).sum()
    return errors


def expected_of_lead(f, overrides, rounds):
    """Their expectation, of all masks one by one."""
    pair, basis = dense_pair("lead", f, PATH, random_k(1), overrides)
    width = f.nodes * f.dimension
    start = np.linalg.pinv(basis)[:, :width].sum(axis=1)
    M, size, of_x = np.kron(start, start), basis.shape[1], basis[:width]
    errors = np.empty(rounds + 1)
    for k in range(rounds + 1):
        errors[k] = np.trace(of_x @ M.reshape(size, size) @ of_x.T)
        M = pair @ M
    return errors


@pytest.mark.parametrize("seed", [3, 5])
def test_runs_fall_as_fast(seed):
    """In each window as fast as the exact expectation, and in the last as the rate says."""
    f, runs = turned(3, 2, seed), 400
    measured = errors_of_lead(f, SMALL_STEPS, 160, runs)
    exact = expected_of_lead(f, SMALL_STEPS, 160)
    rng = np.random.default_rng(1)
    samples = [rng.integers(0, runs, runs) for _ in range(400)]
    for first, last in ((10, 40), (60, 100), (100, 160)):

        def slope(errors, first=first, last=last):
            return math.log(errors[..., first].mean() / errors[..., last].mean()) / (last - first)

        wanted = [slope(exact)]
        if last == 160:
            wanted.append(lead_decay(f, SMALL_STEPS))
        error = np.std([slope(measured[sample]) for sample in samples])
        assert error < 0.02 * slope(exact)
        assert slope(measured) == pytest.approx(np.array(wanted), abs=3 * error)


@pytest.mark.parametrize(
    ("constant", "low", "high", "others"),
    [("eta", 0.3, 0.7, SMALL_STEPS), ("gamma", 0.8, 2.0, {"alpha": 0.3})],
)
def test_on_both_sides_of_where_it_is_critical(constant, low, high, others):
    """A step too long for any messages, and a gap closed too fast for these."""
    f = turned(3, 2, 3)

    def decay(value):
        return lead_decay(f, {**others, constant: value})

    critical = bisect(decay, low, high, xtol=1e-3)
    falls = decay(0.99 * critical) > 0
    assert falls != (decay(1.01 * critical) > 0)
    for factor in (0.99, 1.01):
        overrides = {**others, constant: factor * critical}
        dense = dense_growth("lead", f, PATH, random_k(1), overrides)
        assert (dense < 1) == (falls if factor < 1 else not falls)
        errors = expected_of_lead(f, overrides, 400)
        assert (errors[400] < errors[200]) == (dense < 1)
    for factor in (0.8, 1.2):
        errors = errors_of_lead(f, {**others, constant: factor * critical}, 80, 200).mean(axis=0)
        assert (errors[80] < errors[40]) == (decay(factor * critical) > 0)


@pytest.mark.parametrize("Q", [TopK(kind="top_k", k=1), Dither(kind="dither"), None])
def test_of_other_operators_it_says_that_nothing_is_known(Q):
    kind = "top_k" if Q is None else Q.kind  # its own
    with pytest.raises(InputError, match=f"messages by {kind}, whose variance is not quadratic"):
        round_rate("beer", turned(2, 3), PAIR, {}, Options(compression=Q))


@pytest.mark.parametrize("Q", [QSGD(kind="qsgd"), Ternary(kind="ternary")])
def test_quantisers_have_no_masks(Q):
    assert Q.masks(3) is None


def test_what_has_no_exact_rate_says_why():
    options = Options(compression=random_k(1))
    large = Network(40, np.array([(i, i + 1) for i in range(39)]))
    with pytest.raises(InputError, match=f"at most {MOST_STATES} are possible"):
        round_rate("lead", turned(40, 6), large, {}, options)
    networks = GraphSequence((PATH, Network(3, np.array([[0, 1], [0, 2]]))))
    of_sequences = replace(METHODS["lead"], time_varying=True)
    with pytest.raises(InputError, match="no exact rate of compressed messages on a sequence"):
        round_rate(of_sequences, turned(3, 2), networks, {}, options)


def test_what_is_conserved_from_another_start_is_refused():
    def prepare(s, c, nodes, W):
        s.hw = s.x.copy()

    method = replace(METHODS["lead"], prepare=prepare)
    with pytest.raises(InputError, match="it conserves what it does not declare"):
        round_rate(method, turned(3, 2), PATH, {}, Options(compression=random_k(1)))


def test_a_step_that_is_not_linear_in_what_arrives_is_refused():
    def step(s, c, nodes, W):
        METHODS["lead"].step(s, c, nodes, W)
        s.x = np.maximum(s.x, 0.0)

    method = replace(METHODS["lead"], step=step)
    with pytest.raises(InputError, match="its step is not linear"):
        round_rate(method, turned(3, 2), PATH, {}, Options(compression=random_k(1)))


def test_an_operator_that_is_not_what_it_says_is_refused():
    class Rounded(Coins):
        def rows(self, V, mark):
            return np.round(V)

    with pytest.raises(InputError, match="compression: coins has masks, but multiplies other"):
        round_rate("lead", turned(3, 2), PATH, {}, Options(compression=Rounded(probability=0.5)))


@pytest.mark.parametrize("Q", [random_k(1, scaled=False), drop(0.4)])
def test_a_message_may_tell_of_what_was_lost_of_one_before(Q):
    """Two rounds played as one."""
    one, f = METHODS["choco_sgd"], turned(3, 2)

    def step(s, c, nodes, W):
        one.step(s, c, nodes, W)
        one.step(s, c, nodes, W)

    overrides, options = {"gamma": 0.9, "eta": 1 / f.L}, Options(compression=Q)
    two = round_rate(replace(one, step=step), f, PATH, overrides, options)
    alone = round_rate(one, f, PATH, overrides, options)
    assert two.decay == pytest.approx(2 * alone.decay, rel=1e-8)
    # Which what is lost has a part in.
    assert alone.decay != pytest.approx(
        round_rate(one, f, PATH, overrides, Options(compression=Identity(kind="identity"))).decay,
        rel=0.1,
    )
