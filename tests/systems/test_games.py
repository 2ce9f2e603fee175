"""Games whose operator is not monotone: methods against closed forms, transcriptions, and a zero.

The closed forms are of linear games with L = 1, whose operator has the eigenvalues
rho +- i sqrt(1 - rho^2) and is normal: every method multiplies the error by one complex number.
"""

import math
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose

from dadao_sim import Problem, load_result, simulate
from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.convert import as_network
from dadao_sim.plotting.curves import figure_of
from dadao_sim.plotting.game_factors import game_factors_figure
from dadao_sim.plotting.style import save_figure
from dadao_sim.plotting.trajectories import trajectories_figure
from dadao_sim.problems.kinds.saddle import ForsakenSpec, QuadraticGame, QuadraticSpec
from dadao_sim.reports.game_factors import game_factors
from dadao_sim.reports.trajectories import trajectories
from dadao_sim.results.look import FigureSpec
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.replay import make_player
from dadao_sim.testing import LAWS, Case, hold
from dadao_sim.theory.promised import promised
from dadao_sim.theory.rounds import round_rate

ROUNDS = RoundClock(np.random.SeedSequence(1)).window()  # again and again: they draw nothing
RING, PATH = nx.cycle_graph(8), nx.path_graph(8)
GRAPHS = {"ring": RING, "complete": nx.complete_graph(8), "path": PATH, "star": nx.star_graph(7)}


def quadratic(rho, heterogeneity=0.0, dim=6, nodes=8, seed=0):
    spec = QuadraticSpec(kind="quadratic", rho=rho, dim=dim, heterogeneity=heterogeneity)
    return spec.build(nodes, np.random.default_rng(seed))


def forsaken(heterogeneity=0.1, nodes=8):
    spec = ForsakenSpec(kind="forsaken", heterogeneity=heterogeneity)
    return spec.build(nodes, np.random.default_rng(0))


def eigenvalue(rho):
    return rho + 1j * np.sqrt(1 - rho**2)


class Play:
    """A method round by round."""

    def __init__(self, name, problem, graph, x0=None, lookahead=None, **parameters):
        network, method = as_network(graph), get_method(name)
        options = NO_OPTIONS if lookahead is None else Options(lookahead=Lookahead(**lookahead))
        method.check_supported(problem, network, options)
        self.problem, self.method = problem, method
        self.tuning = method.tune(problem, network, parameters, options)
        self.c = self.tuning.params
        shape = problem.nodes, problem.dimension
        x0 = np.random.default_rng(1).standard_normal(shape) if x0 is None else x0
        self.player = make_player(
            *(method, problem, self.tuning, np.broadcast_to(x0, shape).copy(), {})
        )
        self.at = 0
        self.player.begin(ROUNDS)

    def rounds(self, count):
        while count:
            stop = min(self.at + count, len(ROUNDS))
            with np.errstate(all="ignore"):
                self.player.play(ROUNDS, self.at, stop)
            count, self.at = count - (stop - self.at), stop % len(ROUNDS)
        return self

    @property
    def x(self):
        return self.player.blocks(("x",))["x"]

    @property
    def distance(self):
        return math.sqrt(self.problem.squared_distance(self.x))

    def distances(self, every, samples):
        return np.array([self.rounds(every).distance for _ in range(samples)])


# ---- The least rho from which on a method converges ----------------------------------------------


def least_rho(factor):
    """The least rho above which |factor(rho)| < 1 everywhere: from above, as the set need not be an
    interval.
    """
    below = above = 0.99
    while below > -1 and factor(below) < 1:
        above, below = below, below - 0.01
    assert below < above
    for _ in range(16):  # halvings of 0.01, to less than 1e-6
        middle = (above + below) / 2
        above, below = (middle, below) if factor(middle) < 1 else (above, middle)
    return above


def factor_of(name, rounds=1, lookahead=None, **parameters):
    """That of the product: two nodes that are alike, and start alike, are one machine."""

    def factor(rho):
        problem = quadratic(rho, dim=2, nodes=2)
        x0 = problem.x_star + np.array([0.6, 0.8])
        play = Play(name, problem, nx.path_graph(2), x0, lookahead, **parameters)
        return play.rounds(rounds).distance  # it started at 1

    return factor


def least_of_eg(g):
    """Where 4 g rho^2 - 2 (1 + g^2) rho + g (g^2 - 1) < 0 ends."""
    return ((1 + g * g) - math.sqrt((1 + g * g) ** 2 - 4 * g * g * (g * g - 1))) / (4 * g)


def least_of_two_steps(lam):
    """Where 4 rho^2 - 4 (1 + lam) rho + 5 lam - 2 < 0 ends: of LA-GDA with two steps of 1/L."""
    return ((1 + lam) - math.sqrt((1 + lam) ** 2 - 5 * lam + 2)) / 2


@pytest.mark.parametrize("g", [0.25, 0.5, 1.0])
def test_gradient_steps_need_rho_above_half_their_step(g):
    assert_allclose(least_rho(factor_of("gradient_tracking", step=g)), g / 2, atol=1e-6)


@pytest.mark.parametrize(("g", "printed"), [(0.25, -0.105), (0.5, -0.135), (0.99, -0.005)])
def test_extragradient_steps_can_do_with_a_little_less_than_0(g, printed):
    found = least_rho(factor_of("eg_gt", eta=g))
    assert_allclose(found, least_of_eg(g), atol=1e-6)
    assert round(found, 3) == printed


def test_extragradient_steps_with_accelerated_gossip_are_such_steps():
    assert_allclose(least_rho(factor_of("deg", step=0.5)), least_of_eg(0.5), atol=1e-6)


@pytest.mark.parametrize(("lam", "printed"), [(0.1, -0.273), (0.001, -0.365)])
def test_two_gradient_steps_and_a_pull_are_stable_below_0(lam, printed):
    lookahead = {"period": 2, "weight": lam}
    found = least_rho(factor_of("gradient_tracking", 2, lookahead, step=1.0))
    assert_allclose(found, least_of_two_steps(lam), atol=1e-6)
    assert round(found, 3) == printed


def relaxed(s, g, lam):
    """The relaxed proximal point."""
    return 1 - lam + lam / (1 + g * s)


def picard(s, g, lam, tau):
    """RAPP on one machine: w <- z - g F(w), from z."""
    w = 1.0
    for _ in range(tau):
        w = 1 - g * s * w
    return 1 - lam + lam * w


@pytest.mark.parametrize("alpha", [0.5, 0.1, 0.01])
def test_shorter_second_steps_of_extragradient(alpha):
    """EG+, one machine: extrapolate by 1/L, update by alpha/L."""
    found = least_rho(lambda rho: abs(1 - alpha * eigenvalue(rho) * (1 - eigenvalue(rho))))
    assert_allclose(found, -(1 - alpha) / 2, atol=1e-6)


@pytest.mark.parametrize("g", [0.25, 0.5, 0.95])
@pytest.mark.parametrize("lam", [1.0, 0.5, 0.1])
def test_the_relaxed_proximal_point_and_what_rapp_refuses(g, lam):
    """Least rho -g (1 - lam/2), -g/2 of the proximal point; there the product's refusal begins."""
    wanted = -g * (1 - lam / 2)
    found = least_rho(lambda rho: abs(relaxed(eigenvalue(rho), g, lam)))
    assert_allclose(found, wanted, atol=1e-6)
    Play("rapp", quadratic(wanted + 1e-6, dim=2, nodes=2), nx.path_graph(2), step=g, lam=lam)
    with pytest.raises(InputError, match=r"converges for rho L > -0\.\d+ only"):
        Play("rapp", quadratic(wanted - 1e-6, dim=2, nodes=2), nx.path_graph(2), step=g, lam=lam)


@pytest.mark.parametrize(("tau", "printed"), [(5, 0.057), (20, -0.484), (100, -0.710)])
def test_too_few_inner_steps_lose_the_range(tau, printed):
    found = least_rho(lambda rho: abs(picard(eigenvalue(rho), 0.95, 0.5, tau)))
    assert_allclose(found, printed, atol=6e-4)
    assert found > -0.7125
    s = eigenvalue(-0.3)
    error = abs(picard(s, 0.95, 1.0, tau) - 1 / (1 + 0.95 * s))
    assert_allclose(error, 0.95**tau * abs(1 - 1 / (1 + 0.95 * s)), rtol=1e-12)


def test_the_condition_of_the_relaxed_proximal_point_is_exact():
    rng = np.random.default_rng(0)
    rho, g, lam = rng.uniform([-0.99, 0.01, 0.01], [0.99, 3, 2], (20_000, 3)).T
    converges = np.abs(relaxed(eigenvalue(rho), g, lam)) < 1
    assert (converges == (g * (2 - lam) > -2 * rho)).all()


# ---- Forsaken ------------------------------------------------------------------------------------


def slope(z):
    return z / 2 - 2 * z**3 + z**5


def operator(z):
    return np.stack([z[..., 1] - 0.45 + slope(z[..., 0]), slope(z[..., 1]) - z[..., 0]], axis=-1)


def clipped(z):
    return np.clip(z, -1.5, 1.5)


Z_STAR = np.array([0.07802667, 0.41193385])
STARTS = np.array([[0.5, 0.5], [1.0, 1.0], [-1.0, 0.8], [1.3, -1.2]])


def test_forsaken_has_one_zero():
    from scipy.optimize import root

    zeros = set()
    for start in np.stack(np.meshgrid(*[np.linspace(-1.4, 1.4, 9)] * 2), axis=-1).reshape(-1, 2):
        found = root(operator, start, tol=1e-14)
        if found.success and (np.abs(found.x) <= 1.5).all() and np.abs(found.fun).max() < 1e-10:
            zeros.add(tuple(np.round(found.x, 7)))
    assert len(zeros) == 1
    problem = forsaken()
    assert_allclose(problem.x_star, zeros.pop(), atol=1e-7)
    assert_allclose(problem.x_star, Z_STAR, atol=1e-7)
    assert_allclose(problem.L, 12.402569, atol=1e-6)
    assert problem.monotonicity == -1.3


def test_the_constants_of_forsaken_hold_on_its_box():
    problem, rng = forsaken(), np.random.default_rng(2)
    at, to = rng.uniform(-1.5, 1.5, (2, 4000, 2))
    to = np.concatenate([to[:2000], clipped(at[2000:] + 1e-4 * to[2000:])])
    moved, change = to - at, operator(to) - operator(at)
    sizes = np.linalg.norm(moved, axis=1)
    along = (moved * change).sum(axis=1) / sizes**2
    assert along.min() >= problem.monotonicity - 1e-6
    assert (np.linalg.norm(change, axis=1) <= problem.L * sizes * (1 + 1e-6)).all()
    assert along.min() < -1.2
    assert (np.linalg.norm(change, axis=1) / sizes).max() > 0.9 * problem.L


def test_the_compiled_operator_is_that_of_the_formula():
    problem = forsaken()
    Z = np.random.default_rng(3).uniform(-1.5, 1.5, (8, 2))
    assert_allclose(problem.gradients(Z), operator(Z) + problem.smooth.operators.c, atol=1e-14)
    assert_allclose(problem.mean_operator(Z[0]), operator(Z[0]), atol=1e-14)


def on_one_machine(step, count, starts=STARTS):
    """The distances to z* of every start, (count, starts)."""
    z, found = starts, []
    for _ in range(count):
        z = step(z)
        found.append(np.linalg.norm(z - Z_STAR, axis=1))
    return np.array(found)


def inner(z, g, tau, lam, *, from_z):
    """RAPP, whose steps go from z; or LA-GDA, whose steps go on."""
    w = z
    for _ in range(tau):
        w = clipped((z if from_z else w) - g * operator(w))
    return (1 - lam) * z + lam * w


@pytest.mark.parametrize(
    "step",
    [
        lambda z, g=1 / 12.4: clipped(z - g * operator(z)),
        lambda z, g=1 / 12.4: clipped(z - g * operator(clipped(z - g * operator(z)))),
        lambda z, g=0.1: clipped(z - g * operator(clipped(z - g * operator(z)))),
        lambda z, g=1 / 12.4: clipped(z - 0.5 * g * operator(clipped(z - g * operator(z)))),
        lambda z: inner(z, 0.2, 20, 0.5, from_z=True),
    ],
    ids=["GDA", "EG", "EG of .1", "EG+", "RAPP of .2"],
)
def test_short_steps_cycle_around_the_zero(step):
    from_outside = np.array([[0.0, 0.0], [1.0, 1.0], [-1.0, 0.5]])
    distances = on_one_machine(step, 4000, from_outside)
    assert distances[3000:].min() > 0.5


@pytest.mark.parametrize(("g", "lam"), [(0.5, 1.0), (0.5, 0.5), (0.5, 0.1), (1.0, 1.0), (1.0, 0.5)])
def test_rapp_with_long_steps_goes_to_the_zero(g, lam):
    distances = on_one_machine(lambda z: inner(z, g, 20, lam, from_z=True), 850)
    assert distances[-1].max() < 1e-6
    gradients = 20 * (1 + (distances < 1e-6).argmax(axis=0))
    assert 1000 < gradients.min() <= gradients.max() < 17_000


@pytest.mark.parametrize(("g", "tau"), [(0.1, 20), (0.1, 40), (0.2, 10), (0.2, 20)])
@pytest.mark.parametrize("lam", [0.2, 0.5])
def test_a_pull_takes_gradient_steps_to_the_zero(g, tau, lam):
    distances = on_one_machine(lambda z: inner(z, g, tau, lam, from_z=False), 80)
    gradients = tau * (1 + (distances < 1e-6).argmax(axis=0))
    assert distances[-1].max() < 1e-6
    assert gradients.max() < 1800


OUTSIDE = [(1.0, 1.0), (-1.0, 0.5)]


@pytest.mark.parametrize("graph", ["ring", "star"])
@pytest.mark.parametrize("start", OUTSIDE)
def test_nodes_with_different_operators_go_where_one_machine_goes(graph, start):
    graph, ahead = GRAPHS[graph], {"period": 20, "weight": 0.5}
    assert Play("sonata", forsaken(), graph, start, ahead, tau=10).rounds(1500).distance < 1e-9
    for name, parameters in (
        ("sonata", {"tau": 10}),
        ("eg_gt", {"eta": 0.04}),
        ("deg", {"step": 0.04}),
    ):
        distances = Play(name, forsaken(), graph, start, **parameters).distances(20, 150)
        assert distances[100:].min() > 0.5


def test_rapp_of_nodes_goes_to_the_zero_of_forsaken():
    """At 1.3 step < 1 its inner problem is strongly monotone, however long step L is."""
    play = Play("rapp", forsaken(), RING, (1.0, 1.0), step=0.7, inner=160)
    assert play.tuning.constants["step"] * play.problem.L > 8
    assert play.rounds(160 * 140).distance < 1e-6


# ---- Decentralised methods against their equations -----------------------------------------------


class Dense:
    """The methods with dense matrices, from the sheet's equations."""

    def __init__(self, problem, graph):
        laplacian = nx.laplacian_matrix(graph).toarray().astype(float)
        values = np.linalg.eigvalsh(laplacian)
        self.P = laplacian / values[-1]
        self.W, self.chi = np.eye(len(laplacian)) - self.P, values[-1] / values[1]
        S, c = problem.operators
        self.shape = c.shape
        self.F = lambda Z: np.einsum("iab,ib->ia", S, Z) + c
        self.L = max(np.linalg.norm(s, 2) for s in S)
        self.mu = min(np.linalg.eigvalsh(s + s.T)[0] / 2 for s in S)

    def eg_gt(self, Z, count, eta=0.3):
        eta, S = eta / self.L, self.F(Z)
        for _ in range(count):
            half = Z - eta * S
            ahead = S + self.F(half) - self.F(Z)
            after = self.W @ Z - eta * ahead
            S = self.W @ S + self.F(after) - self.F(Z)
            Z = after
        return Z

    def mixed(self, K):
        """FastMix of K rounds as a matrix, by its three-term recursion in the eigenvalues of W."""
        values, vectors = np.linalg.eigh(self.W)
        root = math.sqrt(1 - values[-2] ** 2)
        h, before, now = (1 - root) / (1 + root), np.ones_like(values), np.ones_like(values)
        for _ in range(K):
            before, now = now, (1 + h) * values * now - h * before
        return vectors * now @ vectors.T

    def deg(self, Z, count, K):
        M, g = self.mixed(K), 1 / (4 * self.L)
        for _ in range(count):
            Z = M @ (Z - g * self.F(M @ (Z - g * self.F(Z))))
        return Z

    def end_of_deg(self, K):
        """Where Z = M (Z - g F(M (Z - g F(Z)))), the linear system."""
        n, d = self.shape

        def once(z):
            return self.deg(z.reshape(n, d), 1, K).ravel()

        b = once(np.zeros(n * d))
        A = np.stack([once(e) - b for e in np.eye(n * d)], axis=1)
        return np.linalg.solve(np.eye(n * d) - A, b).reshape(n, d)

    def tracking(self, Z, count, step, period, weight):
        """With Y itself, and the pull of Y - F."""
        Y = self.F(Z)
        anchor = Z, Y - self.F(Z)
        for k in range(1, count + 1):
            after = self.W @ (Z - step * Y)
            Y = self.W @ (Y + self.F(after) - self.F(Z))
            Z = after
            if k % period == 0:
                h = (1 - weight) * anchor[1] + weight * (Y - self.F(Z))
                Z = (1 - weight) * anchor[0] + weight * Z
                Y = h + self.F(Z)
                anchor = Z, h
        return Z

    def papc(self, F, mu, L, Z, Y, count):
        root = math.sqrt(self.chi)
        beta = mu / L**2
        theta, eta = min(1 / (2 * beta), L * root / 3), 1 / (3 * L * root)
        alpha = 1 - min(1 / (1 + 3 * L * root / mu), 1 / (2 * self.chi))
        Z_before, Y_before = Z, Y
        for _ in range(count):
            D = F(Z) + alpha * (F(Z) - F(Z_before)) - Y - alpha * (Y - Y_before)
            after = Z - eta * D
            Y_before, Y = Y, Y - theta * self.P @ (after - beta * (F(after) - Y))
            Z_before, Z = Z, after
        return Z, Y

    def vi_papc(self, Z, count):
        return self.papc(self.F, self.mu, self.L, Z, np.zeros_like(Z), count)[0]

    def rapp(self, Z, count, lam=0.5, inner=10):
        g = 0.8 / self.L
        W, Y = Z, np.zeros_like(Z)
        for _ in range(count // inner):
            W, Y = self.papc(
                lambda V, Z=Z: V - Z + g * self.F(V),
                *(1 + g * self.mu, 1 + g * self.L, W, Y, inner),
            )
            Z = (1 - lam) * Z + lam * W
        return Z


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_the_methods_are_their_equations(graph):
    game = quadratic(0.3, 0.05)
    dense, Z = Dense(game, graph), np.random.default_rng(1).standard_normal((8, 6))
    ahead = {"period": 7, "weight": 0.3}
    pairs = [
        (Play("eg_gt", game, graph), dense.eg_gt(Z, 50)),
        (Play("vi_papc", game, graph), dense.vi_papc(Z, 50)),
        (Play("deg", game, graph, K=7), dense.deg(Z, 50, 7)),
        (Play("rapp", game, graph, inner=10), dense.rapp(Z, 50)),
        (
            Play("gradient_tracking", game, graph, lookahead=ahead, step=0.2),
            dense.tracking(Z, 50, 0.2, 7, 0.3),
        ),
    ]
    for play, wanted in pairs:
        found = play.rounds(50).x
        assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_vi_papc_keeps_its_promise(graph):
    """The squared error falls by alpha or more in every round."""
    for seed in range(2):
        play = Play("vi_papc", quadratic(0.3, 0.03, seed=seed), graph)
        first, last = play.rounds(150).distance, play.rounds(150).distance
        assert 0.5 < (last / first) ** (2 / 150) <= play.c.alpha


def test_deg_ends_beside_the_zero_by_what_falls_with_its_gossip():
    """A game that is monotone and no more; nodes that are all alike have no such bias."""
    game = quadratic(0.0, 0.3)
    dense, bias = Dense(game, RING), {}
    for K in (5, 10, 20, 30):
        play = Play("deg", game, RING, K=K).rounds(2500)
        assert_allclose(play.x, dense.end_of_deg(K), atol=1e-10)
        bias[K] = play.distance
    assert 1e-3 < bias[10] < 1e-2  # the sheet's game: 2.6e-3, and below 6e-8 with 30
    assert bias[30] < 2e-7
    h = play.c.h
    for few, more in ((5, 10), (10, 20), (20, 30)):
        assert_allclose(bias[more] / bias[few], more / few * h ** ((more - few) / 2), rtol=0.5)
    assert Play("deg", quadratic(0.0), RING, K=5).rounds(2500).distance < 1e-12


def test_deg_is_charged_for_its_gossip():
    play = Play("deg", quadratic(0.3), RING, K=7).rounds(10)
    tally = play.player.tally
    assert tally.gradients == 2 * 8 * 10
    assert tally.communications == 2 * 7 * 8 * 10
    assert tally.floats_sent == 2 * 6 * tally.communications
    assert play.tuning.asked.per_round.communications == 2 * 7 * 8


@pytest.mark.parametrize("graph", [RING, PATH], ids=["ring", "path"])
@pytest.mark.parametrize(("rho", "lam"), [(-0.3, 1.0), (-0.3, 0.5), (-0.45, 0.5), (0.3, 1.0)])
def test_the_outer_rate_of_rapp_is_that_of_one_machine(graph, rho, lam):
    play = Play("rapp", quadratic(rho, 0.1 if rho < 0 else 0.03), graph, lam=lam)
    distances = play.distances(play.c.inner, 45)
    measured = (distances[-1] / distances[-21]) ** (1 / 20)
    assert_allclose(measured, abs(relaxed(eigenvalue(rho), play.c.step, lam)), rtol=0.02)


@pytest.mark.parametrize(("rho", "lam"), [(-0.45, 1.0), (-0.6, 1.0)])
def test_what_rapp_refuses_goes_away_at_the_rate_of_one_machine(monkeypatch, rho, lam):
    with pytest.raises(InputError, match="rapp: lam 1 with step"):
        Play("rapp", quadratic(rho, 0.1), RING, lam=lam)
    monkeypatch.setattr(QuadraticGame, "comonotonicity", None)
    play = Play("rapp", quadratic(rho, 0.1), RING, lam=lam)
    distances = play.distances(play.c.inner, 45)
    factor = abs(relaxed(eigenvalue(rho), play.c.step, lam))
    assert factor > 1.05
    assert_allclose((distances[-1] / distances[-21]) ** (1 / 20), factor, rtol=0.02)


def test_rapp_ends_at_the_zero():
    for graph in (RING, PATH):
        play = Play("rapp", quadratic(-0.3, 0.1), graph)
        assert play.rounds(300 * play.c.inner).distance < 1e-6
        assert_allclose(play.x, np.tile(play.problem.x_star, (8, 1)), atol=1e-6)


AHEAD = {"period": 20, "weight": 0.2}


@pytest.mark.parametrize(("rho", "heterogeneity"), [(0.0, 0.3), (-0.3, 0.1), (-0.45, 0.1)])
@pytest.mark.parametrize("graph", [RING, nx.complete_graph(8)], ids=["ring", "complete"])
def test_a_lookahead_converges_where_tracking_and_extragradient_do_not(graph, rho, heterogeneity):
    game = quadratic(rho, heterogeneity)
    ahead = Play("gradient_tracking", game, graph, lookahead=AHEAD, step=0.1).rounds(4000)
    assert ahead.distance < 1e-7
    assert np.abs(ahead.player.blocks(("h",))["h"].sum(axis=0)).max() < 1e-12
    start = Play("gradient_tracking", game, graph).distance
    plain = Play("gradient_tracking", game, graph, step=0.1).rounds(2000).distance
    extra = Play("eg_gt", game, graph, eta=0.1).rounds(2000).distance
    assert plain > 10 * start
    assert extra > 10 * start if rho < 0 else extra < 0.1 * start


def test_far_below_0_the_weight_of_a_lookahead_decides():
    game = quadratic(-0.6, 0.1)
    ends = {
        weight: Play(
            *("gradient_tracking", game, RING),
            step=0.15,
            lookahead={"period": 20, "weight": weight},
        ).rounds(4000)
        for weight in (0.1, 0.2)
    }
    assert ends[0.1].distance < 1e-7
    assert not ends[0.2].distance < 1e3


def test_a_lookahead_is_charged_for_what_it_computes_anew():
    plain, ahead = (
        Play("gradient_tracking", quadratic(-0.3), RING, step=0.1, lookahead=lookahead).rounds(100)
        for lookahead in (None, AHEAD)
    )
    assert plain.player.tally.gradients == 8 * 101
    assert ahead.player.tally.gradients == 8 * (101 + 100 // 20)
    assert ahead.player.tally.communications == plain.player.tally.communications
    assert ahead.tuning.asked.per_round.gradients == 8 * (1 + 1 / 20)
    assert get_method("gradient_tracking").is_experimental(
        quadratic(-0.3), Options(lookahead=Lookahead(**AHEAD))
    )


@pytest.mark.parametrize(
    ("renew", "why"),
    [
        (lambda s, c, nodes, W: setattr(s, "g", 2 * nodes.gradients(s.x)), "block x differs"),
        (lambda s, c, nodes, W: setattr(s, "g", s.g + 0), None),
        (lambda s, c, nodes, W: setattr(s, "x", W(s.x)), "renew gossips; only step and prepare"),
    ],
)
def test_a_wrong_renew_breaks_the_law_of_lookaheads(renew, why):
    method = replace(get_method("gradient_tracking"), renew=renew)
    (law,) = [law for law in LAWS if law.__name__.startswith("a_lookahead_that_takes")]
    outcome = hold(law, Case(method, "fixed"))
    assert outcome.status == "broken"
    assert (why or "0 gradients more are counted") in outcome.why


# ---- Through a scenario --------------------------------------------------------------------------


def scenario(game, *algorithms, **more):
    return {
        "name": "game",
        "problem": {"kind": "saddle", "game": game},
        "network": {"graph": "cycle", "nodes": 8},
        "algorithms": list(algorithms),
        "start": {"kind": "normal"},
        "stop": {"time": 300},
        **more,
    }


QUADRATIC = {"kind": "quadratic", "rho": -0.3, "dim": 6}


@pytest.mark.parametrize(
    ("game", "algorithm", "said"),
    [
        (QUADRATIC, "vi_papc", "vi_papc: needs strong monotonicity; kind saddle has mu = -0.3"),
        (
            QUADRATIC,
            {"name": "rapp", "parameters": {"step": 1.2}},
            "rapp: step 1.2/L makes the inner map no contraction; at most 1/L",
        ),
        (
            {**QUADRATIC, "rho": -0.6},
            {"name": "rapp", "parameters": {"step": 0.95, "lam": 1.0}},
            "rapp: lam 1 with step 0.95/L converges for rho L > -0.475 only, and rho L = -0.6; "
            "lam below 0.737",
        ),
        (
            {"kind": "forsaken"},
            {"name": "rapp", "parameters": {"step": 1.0}},
            "rapp: step 12.4/L makes the inner operators not strongly monotone; below 9.54/L",
        ),
        (QUADRATIC, "dadao", "dadao minimises convex functions and those that are not, and the"),
        (QUADRATIC, "nids", "nids minimises convex functions, and the problem saddle is one of op"),
        ({"kind": "forsaken"}, "gradient_tracking", "gradient_tracking cannot take a local_step"),
        (
            QUADRATIC,
            {"name": "gradient_tracking", "lookahead": {"period": 0, "weight": 0.2}},
            "algorithms.0.lookahead.period: must be at least 1",
        ),
        (
            QUADRATIC,
            {"name": "gradient_tracking", "lookahead": {"period": 5, "weight": 1.5}},
            "algorithms.0.lookahead.weight: must be at most 1",
        ),
        ({**QUADRATIC, "dim": 5}, "rapp", "problem.game.dim: must be even, half for each player"),
        ({**QUADRATIC, "rho": -1.0}, "rapp", "problem.game.rho: must be above -1"),
        ({"kind": "chess"}, "rapp", "problem.game.kind: "),
    ],
)
def test_errors_of_games(game, algorithm, said):
    with pytest.raises(InputError) as caught:
        simulate(scenario(game, algorithm))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["dadao", "gt_saga"])
def test_a_lookahead_is_of_rounds_without_memory_of_samples(name):
    data = {"kind": "synthetic", "dim": 2, "samples_per_node": 4}
    asked = scenario(QUADRATIC, {"name": name, "lookahead": AHEAD})
    asked["problem"] = {"kind": "least_squares", "data": data}
    with pytest.raises(InputError, match=f"{name} .*leave out lookahead"):
        simulate(asked)


def test_no_rate_is_made_up_for_operators():
    """Their Jacobians are not symmetric: exact rates are of Hessians, theorems of functions."""
    asked = ("gradient_tracking", quadratic(0.3), as_network(RING), np.ones((8, 6)), {"step": 0.1})
    assert promised(*asked) is None
    with pytest.raises(InputError, match="nothing exact is known of operators, as those of saddle"):
        round_rate("eg_gt", quadratic(0.3), as_network(RING))


def test_the_box_of_forsaken_is_its_own():
    box = {"prox": {"kind": "box", "upper": 2.0}}
    with pytest.raises(InputError, match="local_step: the problem has one of its own; leave that"):
        simulate(scenario({"kind": "forsaken"}, "rapp", local_step=box))
    problem = forsaken()
    with pytest.raises(InputError, match="local_step: the game forsaken has its box; leave it out"):
        problem.with_local_step(problem.local_step)


def test_what_is_not_known_of_operators_is_not_refused_and_not_used():
    """Functions of Python: L is the user's word, and nothing is known of rho and mu."""
    game = quadratic(-0.3, 0.1)
    S, c = game.operators
    functions = [lambda z, i=i: S[i] @ z + c[i] for i in range(8)]
    problem = Problem.from_operators(functions, 6, L=game.L, z_star=game.x_star)
    assert (problem.monotonicity, problem.comonotonicity) == (-game.L, None)
    play = Play("rapp", problem, RING)
    assert_allclose(play.c.inner_mu, 0.2)
    unknown = Problem.from_operators(functions, 6)
    with pytest.raises(InputError, match="rapp: L: kind operators has none"):
        Play("rapp", unknown, RING, step=0.5)
    assert Play("rapp", unknown, RING, L=game.L, inner=9).c.step == 0.8 / game.L


# ---- The lessons, as shipped ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """Of both shipped scenarios, by name, loaded again."""

    def run(name):
        folder = tmp_path_factory.mktemp(name) / "result"
        simulate(load_scenario(shipped.scenarios()[f"systems/{name}"]), out=folder)
        return load_result(folder)

    return {name: run(name) for name in ("games", "forsaken")}


def final(result, column):
    return result.curves.groupby("algorithm")[column].last().to_dict()


def test_relaxed_methods_find_what_tracking_and_extragradient_leave(result):
    games = result["games"]
    status = dict(zip(games.runs.algorithm, games.runs.status, strict=True))
    assert status["gradient_tracking"] == status["eg_gt"] == "diverged"
    assert status["Lookahead"] == "converged"
    accuracy, stationarity = final(games, "accuracy"), final(games, "stationarity")
    assert accuracy["rapp"] < 1e-8
    assert max(stationarity["Lookahead"], stationarity["rapp"]) < 1e-7
    assert games.curves.suboptimality.isna().all()


def test_relaxed_methods_come_through_the_cycle_that_holds_the_others(result):
    curves = result["forsaken"].curves
    last = curves[curves.time > 0.75 * curves.groupby("algorithm").time.transform("max")]
    nearest = np.sqrt(last.groupby("algorithm").mean_squared_distance.min())
    assert min(nearest["sonata"], nearest["eg_gt"]) > 0.5
    assert max(nearest["Lookahead"], nearest["rapp"]) < 1e-6


def test_the_boundary_in_rho_is_where_that_of_one_machine_is(result):
    """Where the factor of one machine is above 1 by a hundredth the nodes' is above 1, below below;
    and rapp refuses what it is above 1 for.
    """
    report = game_factors(result["games"], games=14)
    assert set(report.predicted) == {"gradient_tracking", "eg_gt", "Lookahead", "rapp"}
    for label, predicted in report.predicted.items():
        measured = report.measured[label]
        clear = np.isfinite(measured) & (np.abs(predicted - 1) > 0.01)
        assert ((measured < 1) == (predicted < 1))[clear].all()
        assert 2 < (predicted < 1).sum() < 13
        refused = predicted >= 1 if label == "rapp" else np.zeros(14, dtype=bool)
        assert (np.isnan(measured) == refused).all()
    there = np.isfinite(report.measured["rapp"])
    assert there.sum() == 10
    assert_allclose(report.measured["rapp"][there], report.predicted["rapp"][there], rtol=1e-3)


@pytest.fixture(scope="module")
def paths(result):
    """The trajectories of both."""
    return {name: trajectories(one) for name, one in result.items()}


def test_trajectories_are_those_of_the_mean(result, paths):
    games, cycle = paths["games"], paths["forsaken"]
    assert games.diverging == {"gradient_tracking", "eg_gt"}
    (zero,) = games.solutions
    for label in ("Lookahead", "rapp"):
        assert_allclose(games.ends[label], zero, atol=1e-3)
    assert not cycle.diverging
    assert_allclose(cycle.solutions, [Z_STAR], atol=1e-7)
    assert_allclose(cycle.field, -operator(cycle.at), atol=1e-12)
    assert np.isnan(cycle.means["sonata"]).any()  # broken where samples are too far apart
    assert_allclose(cycle.ends["sonata"], result["forsaken"].states["sonata", 0]["x"].mean(axis=0))


def test_the_figures_are_drawn_as_the_scenario_asks(result, paths, tmp_path, monkeypatch):
    monkeypatch.setattr("dadao_sim.reports.trajectories.trajectories", lambda *_: paths["forsaken"])
    for spec in load_scenario(shipped.scenarios()["systems/forsaken"]).figures:
        save_figure(figure_of(result["forsaken"], spec), tmp_path / spec.file)
    figure = trajectories_figure(paths["games"])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [name.endswith(", leaves") for name in names] == [True, True, False, False]
    look = FigureSpec.of({"algorithms": ["eg_gt"], "kind": "game_factors"})
    (axes,) = game_factors_figure(game_factors(result["games"], games=3), look).axes
    assert len(axes.lines) == 4  # 1, the prediction, the marks, and the legend's
    with pytest.raises(InputError, match="factors are of quadratic games; leave it out"):
        figure_of(result["forsaken"], FigureSpec.of({"kind": "game_factors"}))
    asked = scenario(QUADRATIC, "rapp", figures=[{"file": "a.png", "kind": "trajectories"}])
    with pytest.raises(
        InputError, match=r"figures\.0\.kind: trajectories are of dimension 2, not 6"
    ):
        simulate(asked)
