"""What theorems promise: their functions fall as they say, and no run is above them.

python -m pytest tests/theory/test_promised.py -s     prints measured over promised
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from cases import lollipop, sequence

from dadao_sim import Problem
from dadao_sim.algorithms.contract.guarantee import Guarantee
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compression.sparsifiers import TopK
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player
from dadao_sim.theory.promised import constants, gaps, promised

NODES, DIMENSION = 7, 3
WITH_THEOREM = [name for name in METHODS.ours if METHODS[name].guarantee is not None]
ROUNDS = [name for name in WITH_THEOREM if isinstance(METHODS[name], RoundMethod)]
EVENTS = [name for name in WITH_THEOREM if name not in ROUNDS]
# Their functions are of more than a state: of the state before, of a mean, of a coin.
NOT_OF_A_STATE = {"gradient_tracking", "nids", "msda", "ssda", "choco_gossip", "scaffnew"}


def quadratic(seed, kappa, d=DIMENSION):
    """Hessians with eigenvalues at both ends or between, aligned or not, and all nodes apart."""
    rng = np.random.default_rng(seed)
    H = np.empty((NODES, d, d))
    aligned = np.linalg.qr(rng.standard_normal((d, d)))[0]
    for i in range(NODES):
        Q = aligned if seed % 2 else np.linalg.qr(rng.standard_normal((d, d)))[0]
        h = np.exp(rng.uniform(0, math.log(kappa), d))
        h[0], h[-1] = 1.0, kappa
        H[i] = (Q * h) @ Q.T
    return Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, 5 * rng.standard_normal((NODES, d)))


def logistic(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((NODES, 12, DIMENSION)) * np.array([1.0, 2.0, 4.0])
    y = np.where(rng.random((NODES, 12)) < 0.5, -1.0, 1.0)
    return Problem.from_arrays(A, y, "logistic_l2", mu=0.05)


def problem_for(name, seed, kappa):
    if METHODS[name].needs_averaging:
        rng = np.random.default_rng(seed)
        return Problem.averaging(rng.standard_normal((NODES, DIMENSION)))
    return quadratic(seed, kappa)


@pytest.mark.parametrize("kappa", [1.5, 30.0, 1000.0])
@pytest.mark.parametrize("name", [name for name in ROUNDS if name not in NOT_OF_A_STATE])
def test_the_function_of_a_theorem_falls_as_it_says(name, kappa):
    """Each round, from every state that a run comes to: the bound of a state is its value."""
    method, network = METHODS[name], lollipop()
    for seed in range(4):
        f = problem_for(name, seed, kappa)
        tuning = method.tune(f, network)
        star = SimpleNamespace(**method.optimum(f, network, tuning))
        P, c = gaps(method, tuning), constants(f, network, tuning)
        x0 = np.random.default_rng(seed).standard_normal((NODES, DIMENSION)) * (seed > 1)
        player = make_player(method, f, tuning, x0, {})
        events, before = RoundClock(np.random.SeedSequence(0)).window(), math.inf
        player.begin(events)
        values = []
        for k in range(60):
            now = method.guarantee(c, SimpleNamespace(**player.blocks(method.blocks)), star, P)
            # A divergence stands in the value at its upper bound: only sums of squares fall.
            values.append(now.start)
            distance = ((player.blocks((method.estimate,))[method.estimate] - f.x_star) ** 2).sum()
            assert distance <= now.start * (1 + 1e-9) + 1e-20
            if name in SUMS_OF_SQUARES:
                assert now.start <= before * (1 + 1e-9) + 1e-20, (name, kappa, seed, k)
            before = now.start * math.exp(-now.decay)
            player.play(events, k, k + 1)


SUMS_OF_SQUARES = {"exact_diffusion", "prox_ed", "d2", "extra", "pg_extra", "synchronous_gossip"}


class Quadratics:
    """What the functions of theorems are made of, of a quadratic problem."""

    def __init__(self, seed, kappa):
        self.f = quadratic(seed, kappa)
        self.mu, self.L = self.f.mu, self.f.L
        self.X = np.tile(self.f.x_star, (NODES, 1))
        self.G = self.f.gradients(self.X)
        at_zero = self.f.gradients(np.zeros(self.X.shape))
        columns = [self.f.gradients(np.tile(e, (NODES, 1))) - at_zero for e in np.eye(DIMENSION)]
        self.H = np.stack(columns, axis=2)

    def divergence(self, X, convexity):
        """Of F - convexity ||.||^2/2, at X from X*."""
        off = X - self.X
        curved = np.einsum("ia,iab,ib->", off, self.H, off)
        return (curved - convexity * (off**2).sum()) / 2

    def dual_divergence(self, Z):
        """Of F*, at Z from Z*."""
        off = (Z - self.G)[..., None]
        return float((off * np.linalg.solve(self.H, off)).sum()) / 2


def adom_function(q, s, c, P):
    m = s["m"] - s["m"].mean(axis=0)
    of_D = 2 * c.eta * (1 - c.eta * c.alpha) / c.tau
    first = ((s["z"] + m - q.G) ** 2).sum()
    return first + of_D * q.dual_divergence(s["zf"]) + 6 * (m**2).sum(), 1 - c.tau


def apapc_function(q, s, c, P):
    y = s["y"] + q.G
    first = ((s["x"] - q.X) ** 2).sum() / c.eta
    first += 2 * (1 - c.tau) / c.tau * q.divergence(s["xf"], q.mu)
    first += P.inverse(y) / c.theta - c.eta / (1 + c.eta * q.mu) * (y**2).sum()
    chi = P.largest / P.least
    return first, 1 / (1 + min(1 / math.sqrt(q.L / q.mu * chi), 1 / chi) / 4)


def adom_plus_function(q, s, c, P):
    ys, zs = q.G - c.nu * q.X, -q.G
    m = s["m"] - s["m"].mean(axis=0)
    first = (1 / c.eta + c.alpha) * ((s["x"] - q.X) ** 2).sum()
    first += 2 / c.tau2 * q.divergence(s["x_f"], c.nu)
    first += (1 / c.theta + c.beta / 2) * ((s["y"] - ys) ** 2).sum()
    first += c.beta / (2 * c.sigma2) * ((s["y_f"] - ys) ** 2).sum()
    first += ((s["z"] - m - zs) ** 2).sum() / c.gamma + 4 / (3 * c.gamma) * (m**2).sum()
    first += ((s["y_f"] + s["z_f"] - ys - zs) ** 2).sum() / (c.nu * c.sigma2)
    chi = c.tau2 / (16 * c.sigma2)
    return first, 1 - math.sqrt(q.mu / q.L) / (32 * chi)


FUNCTIONS = {
    **{"adom": adom_function, "apapc": apapc_function, "opapc": apapc_function},
    **{"adom_plus": adom_plus_function, "adom_plus_multi_consensus": adom_plus_function},
}


@pytest.mark.parametrize("kappa", [1.5, 30.0, 1000.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_of_an_accelerated_method_falls_as_its_theorem_says(name, kappa):
    method, network = METHODS[name], lollipop()
    for seed in range(4):
        q = Quadratics(seed, kappa)
        tuning = method.tune(q.f, network)
        P, c = gaps(method, tuning), tuning.params
        x0 = np.random.default_rng(seed).standard_normal((NODES, DIMENSION)) * (seed > 1)
        player = make_player(method, q.f, tuning, x0, {})
        events = RoundClock(np.random.SeedSequence(0)).window()
        player.begin(events)
        before, _ = FUNCTIONS[name](q, player.blocks(method.blocks), c, P)
        for k in range(80):
            player.play(events, k, k + 1)
            now, factor = FUNCTIONS[name](q, player.blocks(method.blocks), c, P)
            assert now <= factor * before * (1 + 1e-9) + 1e-18, (seed, k)
            before = now


def dadao_drift(q, network, factor, rng, slow):
    """dE V/dt over eta V of DADAO at a random state: the flow's derivative and every event by its
    rate. ``slow`` puts all blocks along the direction in which gossip has least to give.
    """
    method = METHODS["dadao"]
    tuning = method.tune(q.f, network, {"rate_factor": factor})
    c, P = SimpleNamespace(**tuning.constants), gaps(method, tuning)
    blocks = list(method.optimum(q.f, network, tuning))
    sizes = np.exp(rng.uniform(-4, 4, 6)) * np.array([1, 1, c.nu, c.nu, c.nu, c.nu / c.r])
    shapes = [rng.standard_normal(q.X.shape) for _ in blocks]
    if slow:
        shapes = [P.spectra[0][1][:, 1:2] * rng.standard_normal(DIMENSION)] * 6
    off = {block: size * v for block, size, v in zip(blocks, sizes, shapes, strict=True)}
    for block in ("z", "z_tilde"):
        off[block] = off[block] - off[block].mean(axis=0)

    def V(x, x_tilde, y, y_tilde, z, z_tilde):
        squares = [(v**2).sum() for v in (x_tilde, y, y_tilde, y + z)]
        weights = (c.nu**2 / 2, c.r**2 / 8, c.r**2 / 4, 1 / 2)
        dual = c.r**2 / (16 * c.chi1) * P.inverse(z_tilde)
        D = 2 * c.nu * q.divergence(q.X + x, c.nu)
        return D + dual + sum(w * s for w, s in zip(weights, squares, strict=True))

    x, xt, y, yt, z, zt = off.values()
    flow = {
        "x": c.eta * (xt - x),
        "x_tilde": c.eta_tilde * (x - xt),
        "y": c.alpha * (yt - y),
        "y_tilde": -c.theta * (y + z + c.nu * xt),
        "z": c.alpha * (zt - z),
        "z_tilde": c.alpha_tilde * (z - zt),
    }
    here = V(**off)
    # V is quadratic: a central difference is its derivative.
    up, down = ({block: off[block] + h * flow[block] for block in off} for h in (0.5, -0.5))
    drift = V(**up) - V(**down)
    g = np.einsum("iab,ib->ia", q.H, x) - c.nu * x - yt
    for i in range(NODES):
        after = {block: v.copy() for block, v in off.items()}
        after["x"][i] -= c.gamma * g[i]
        after["x_tilde"][i] -= c.gamma_tilde * g[i]
        after["y_tilde"][i] += (c.delta + c.delta_tilde) * g[i]
        drift += V(**after) - here
    for (i, j), rate in zip(network.edges, tuning.clock.edges, strict=True):
        m = (y + z)[i] - (y + z)[j]
        after = {block: v.copy() for block, v in off.items()}
        for block, step in (("z", c.beta), ("z_tilde", c.beta_tilde)):
            after[block][i] -= step * m
            after[block][j] += step * m
        drift += rate * (V(**after) - here)
    return drift / (c.eta * here)


@pytest.mark.parametrize(("factor", "holds"), [(1.0, True), (0.2, False)])
def test_the_function_of_dadao_falls_on_average(factor, holds):
    """At every state by eta V or more; with a fifth of the exchanges it need not."""
    rng, network = np.random.default_rng(0), lollipop()
    found = []
    for trial in range(120):
        q = Quadratics(trial % 6, [1.0, 3.0, 100.0, 1e4][trial % 4])
        found.append(dadao_drift(q, network, factor, rng, slow=trial % 2 == 0))
    assert (max(found) <= -1 + 1e-9) == holds, max(found)


def errors_of(method, f, network, x0, options, time, repeats):
    """Mean over the repeats of sum_i ||x_i - x*||^2 at 20 times up to ``time``."""
    tuning = method.tune(f, network, {}, options)
    times = np.linspace(0, time, 21)[1:]
    if isinstance(method, RoundMethod):
        times = np.unique(np.ceil(times))
    found, out = np.zeros(len(times)), np.empty((NODES, f.dimension))
    for repeat in range(repeats):
        player = make_player(method, f, tuning, x0, {})
        clock = clock_of_the_paper(tuning, network, np.random.SeedSequence([3, repeat]))
        events, row = clock.window(), 0
        player.begin(events)
        for k, t in enumerate(times):
            while True:
                until = int(np.searchsorted(events.time, t, side="right"))
                player.play(events, row, until)
                row = until
                if until < len(events):
                    break
                events, row = clock.window(), 0
            player.observe(t, out)
            found[k] += ((out - f.x_star) ** 2).sum() / repeats
    return times, found


@pytest.mark.parametrize("kind", ["equal", "apart", "logistic"])
@pytest.mark.parametrize("name", WITH_THEOREM)
def test_no_run_is_above_its_theorem(name, kind):
    """The mean over repeats at 20 times, down to rounding; from 0 and from points apart."""
    method, network = METHODS[name], lollipop()
    if method.needs_averaging and kind != "apart":
        return  # one kind of problem
    f = logistic(1) if kind == "logistic" else problem_for(name, 2, 20.0)
    options = Options(compression=TopK(kind="top_k", k=1)) if name == "choco_gossip" else Options()
    x0 = np.zeros((NODES, DIMENSION))
    if kind == "apart":
        x0 = 3 * np.random.default_rng(5).standard_normal((NODES, DIMENSION))
    guarantee = promised(method, f, network, x0, {}, options)
    time = min(math.log(1e14) / guarantee.decay, 60_000)
    times, found = errors_of(method, f, network, x0, options, time, 1 if name in ROUNDS else 20)
    late = found > 1e-18 * max(1.0, found[0])
    bound = guarantee.start * np.exp(-guarantee.decay * times)
    assert np.all(found[late] <= bound[late]), (found / bound)[late].max()
    if late.sum() > 4:
        fall = -np.polyfit(times[late][1:], np.log(found[late][1:]), 1)[0]
        print(f"{name:26}{kind:10}decay measured / promised {fall / guarantee.decay:5.2f}")


@pytest.mark.parametrize("name", ["dadao", "adom", "adom_plus", "adom_plus_multi_consensus"])
def test_theorems_on_sequences_of_graphs(name):
    f, network, method = quadratic(3, 10.0), sequence(), METHODS[name]
    x0 = np.zeros((NODES, DIMENSION))
    guarantee = promised(method, f, network, x0)
    time = min(math.log(1e10) / guarantee.decay, 20_000)
    times, found = errors_of(method, f, network, x0, Options(), time, 1 if name in ROUNDS else 10)
    assert np.all(found <= guarantee.start * np.exp(-guarantee.decay * times) + 1e-16)


def test_what_no_theorem_covers_has_no_guarantee():
    f, network, x0 = quadratic(0, 10.0), lollipop(), np.zeros((NODES, DIMENSION))
    dadao = METHODS["dadao"]
    assert promised(dadao, f, network, x0) is not None
    assert promised(dadao, f, network, x0, {"rate_factor": 2.0}) is not None
    assert promised(dadao, f, network, x0, {"mu": 0.5 * f.mu, "L": 2 * f.L}) is not None
    assert promised(dadao, f, network, x0, {"rate_factor": 0.9}) is None  # chi1 chi2 > 1/2
    assert promised(dadao, f, network, x0, {"eta": 0.1}) is None
    assert promised(dadao, f, network, x0, {"mu": 2 * f.mu}) is None
    assert promised(dadao, f, network, x0, {}, Options(constants="fast")) is None
    assert promised(dadao, f, network, x0, {}, Options(averaging="time")) is None
    assert promised(METHODS["continuized"], f, network, x0, {"margin": 1.0}) is None
    assert promised(METHODS["dgd"], f, network, x0) is None
    step = METHODS["exact_diffusion"].tune(f, network).constants["step"]
    assert promised(METHODS["exact_diffusion"], f, network, x0, {"step": 1.9 * step}) is not None
    assert promised(METHODS["exact_diffusion"], f, network, x0, {"step": 2.1 * step}) is None
    falling = replace(METHODS["extra"], guarantee=lambda c, start, star, P: None)
    assert promised(falling, f, network, x0) is None


def test_a_guarantee_needs_a_fixed_point_and_the_nodes_of_the_problem():
    f, x0 = quadratic(0, 10.0), np.zeros((NODES, DIMENSION))
    nowhere = replace(METHODS["extra"], name="nowhere", fixed_point=None)
    with pytest.raises(InputError, match="nowhere: a guarantee, but no fixed point"):
        promised(nowhere, f, lollipop(), x0)
    for name in ("dadao", "nids"):
        with pytest.raises(InputError, match="network: has 4 nodes, but the problem has 7"):
            promised(name, f, nx.path_graph(4), x0)


def test_an_error_of_0_at_the_start_has_no_accuracies():
    from_x_star = Guarantee("a theorem", 0.1, 2.0)
    assert math.isnan(from_x_star.time(1e-3, 0.0))
    assert Guarantee("a theorem", 0.1, 0.0).time(1e-3, 1.0) == 0
