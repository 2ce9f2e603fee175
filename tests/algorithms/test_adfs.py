"""ADFS: its equations, its rate, what it draws, costs and refuses, and the steps on single samples
that it takes.
"""

from dataclasses import fields, replace

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq
from scipy.sparse import csr_array
from scipy.special import expit

from dadao_sim import replay, simulate
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.engine import oracles
from dadao_sim.errors import InputError
from dadao_sim.events.log import GOSSIP, GRADIENT, RESET, Events
from dadao_sim.local_steps.terms import make
from dadao_sim.networks.graphs import build
from dadao_sim.problems import Problem
from dadao_sim.simulation.plan import clock_of_the_paper
from dadao_sim.simulation.replay import make_player

ADFS = METHODS["adfs"]
DIMENSION = 3
SIZES = (8, 5, 8, 9, 1, 7, 8)
SLOPES = {
    "ridge": (2.0, lambda z, b: 2 * (z - b)),
    "logistic_l2": (0.25, lambda z, b: -b * expit(-b * z)),
    "huber_l2": (1.0, lambda z, b: np.clip(z - b, -1, 1)),
}


def data(kind, sizes=SIZES, size=1.0, d=DIMENSION):
    rng = np.random.default_rng(0)
    A = [size * rng.standard_normal((m, d)) for m in sizes]
    b = [part @ np.ones(d) + rng.standard_normal(len(part)) for part in A]
    return A, [np.sign(part) for part in b] if kind == "logistic_l2" else b


class Dense:
    """The equations in the variables (v, y) of the other common form: every node and every sample
    has vectors of its own, and all count every step.
    """

    def __init__(self, A, b, kind, sigma, network, p_comp=None):
        self.sigma, self.network = sigma, network
        self.a, self.b = np.concatenate(A), np.concatenate(b)
        self.node = np.repeat(np.arange(len(A)), [len(part) for part in A])
        bound, slope = SLOPES[kind]
        self.scale = len(A) / len(self.a)  # every sample counts the same
        self.slope = lambda row, z: self.scale * slope(z, self.b[row])
        self.L = self.scale * bound * (self.a**2).sum(axis=1)
        laplacian = network.laplacian().toarray()
        inverse, lambda_2 = np.linalg.pinv(laplacian), np.linalg.eigvalsh(laplacian)[1]
        self.R = np.array(
            [inverse[i, i] + inverse[j, j] - 2 * inverse[i, j] for i, j in E(network)]
        )
        k = 1 + np.array([self.L[self.node == i].sum() for i in range(len(A))]) / sigma
        self.s_A = lambda_2 / (2 * k.max() * sigma)
        root = np.sqrt(1 + self.L / sigma)
        q = network.rates / network.rates.sum()
        of_edges = (q * np.sqrt(sigma * self.s_A / (2 * self.R))).min()
        of_samples = np.sqrt(k.min() / (2 * k.max())) / root.sum()
        self.p_comp = of_edges / (of_edges + of_samples) if p_comp is None else p_comp
        self.rho = min(self.p_comp * of_samples, (1 - self.p_comp) * of_edges)
        self.p, self.p_e = self.p_comp * root / root.sum(), (1 - self.p_comp) * q
        self.s = self.L * lambda_2 / (sigma * k[self.node]) * self.rho / (self.p * self.s_A)
        self.v, self.y = np.zeros((2, len(A), self.a.shape[1]))
        self.V, self.Y = np.zeros((2, *self.a.shape))

    def lazily(self):
        rho = self.rho
        de = rho * (1 - rho) / (1 + rho)
        self.v, self.y = (1 - rho) * self.v + rho * self.y, de * self.v + (1 - de) * self.y
        self.V, self.Y = (1 - rho) * self.V + rho * self.Y, de * self.V + (1 - de) * self.Y

    def exchange(self, e):
        i, j = E(self.network)[e]
        q = (self.y[i] - self.y[j]) / self.sigma
        s0 = self.rho / (self.p_e[e] * self.s_A)
        s1 = self.rho * s0 * (1 + self.R[e] / self.p_e[e]) / (1 + self.rho)
        self.lazily()
        for node, sign in ((i, -1), (j, 1)):
            self.v[node] += sign * s0 * q
            self.y[node] += sign * s1 * q

    def compute(self, row):
        i, rho, p, s, L = self.node[row], self.rho, self.p[row], self.s[row], self.L[row]
        v, y, V, Y = self.v[i].copy(), self.y[i].copy(), self.V[row].copy(), self.Y[row].copy()
        total = (1 - rho) * (v + V) + rho * (y + Y)
        u = ((1 - rho) * V + rho * Y) / s + y / self.sigma - Y / L
        new = self.proximal(row, 1 / s - 1 / L, u)
        self.lazily()
        for kind, at, old_v, old_y, new_v in (
            ("node", i, v, y, total - new),
            ("sample", row, V, Y, new),
        ):
            jump = rho / p * (new_v - (1 - rho) * old_v - rho * old_y)
            vs, ys = (self.v, self.y) if kind == "node" else (self.V, self.Y)
            vs[at], ys[at] = new_v, (old_y + rho * new_v + jump) / (1 + rho)

    def proximal(self, row, c, u):
        """grad f(x) at the x with x + c grad f(x) = u, by bisection along a."""
        a = self.a[row]
        square = a @ a

        def wrong(z):
            return z + c * square * self.slope(row, z) - a @ u

        width = 1.0
        while wrong(a @ u - width) > 0 or wrong(a @ u + width) < 0:
            width *= 2
        z = brentq(wrong, a @ u - width, a @ u + width, xtol=1e-300, rtol=1e-15)
        return self.slope(row, z) * a


def E(network):
    return network.edges.tolist()


def splitmix64(state):
    z = (state + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def sample_of(dense, i, mark):
    """The sample of node i that the event draws, a row of all."""
    rows = np.flatnonzero(dense.node == i)
    part = dense.p[rows].cumsum() / dense.p[rows].sum()
    return rows[np.searchsorted(part, (splitmix64(int(mark)) >> 11) / 2**53, side="right")]


def close(found, wanted):
    assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


def made(problem, network, overrides=None, seed=4):
    """The tuning of the method, and its events."""
    tuning = ADFS.tune(problem, network, overrides or {})
    clock = clock_of_the_paper(tuning, network, np.random.SeedSequence(seed))
    return tuning, clock.window()


# ---- The equations -------------------------------------------------------------------------------

CASES = {
    # kind, sigma, size of the rows, p_comp, and of how many samples 1/s < 1/L
    "ridge": ("ridge", 0.001, 1.0, None, "none"),
    "ridge, 1/s < 1/L of some": ("ridge", 0.1, 1.0, None, "some"),
    "ridge, 1/s < 1/L": ("ridge", 0.5, 0.1, None, "all"),
    "logistic": ("logistic_l2", 0.0003, 1.0, None, "none"),
    "logistic, 1/s < 1/L of some": ("logistic_l2", 0.01, 1.0, None, "some"),
    "logistic, 1/s < 1/L": ("logistic_l2", 0.3, 0.1, None, "all"),
    "huber, 1/s < 1/L of some": ("huber_l2", 0.1, 1.0, None, "some"),
    "ridge, exchanges rare": ("ridge", 0.1, 1.0, 0.98, "none"),
}


@pytest.mark.parametrize("rates", ["equal", "unequal"])
@pytest.mark.parametrize("case", CASES)
def test_it_is_its_equations(case, rates):
    kind, sigma, size, p_comp, below = CASES[case]
    network = lollipop()
    if rates == "unequal":
        network = replace(network, rates=np.linspace(1, 3, len(network.edges)))
    A, b = data(kind, size=size)
    problem = Problem.from_arrays(A, b, kind, mu=sigma)
    dense = Dense(A, b, kind, sigma, network, p_comp)
    overrides = {} if p_comp is None else {"p_comp": p_comp}
    tuning, events = made(problem, network, overrides)
    events = events[:400]
    assert tuning.constants["rho"] == pytest.approx(dense.rho, rel=1e-12)
    assert tuning.constants["p_comp"] == pytest.approx(dense.p_comp, rel=1e-12)
    share = (dense.s > dense.L).mean()
    assert below == {0.0: "none", 1.0: "all"}.get(share, "some")
    own = {"v": 0 * dense.v, "y": 0 * dense.y, "V": 0 * dense.V, "Y": 0 * dense.Y}
    player = make_player(ADFS, problem, tuning, np.ones_like(dense.v), {})
    estimates, seen = np.empty_like(dense.v), set()
    for k in range(len(events)):
        i, j = events.i[k], events.j[k]
        nodes, rows = [i], []
        if events.kind[k] == GOSSIP:
            dense.exchange(events.edge[k])
            nodes.append(j)
        else:
            rows = [sample_of(dense, i, events.mark[k])]
            dense.compute(rows[0])
            seen.add(int(rows[0]))
        for name in own:  # each just after its own last step
            at = nodes if name in "vy" else rows
            own[name][at] = getattr(dense, name)[at]
        if k % 37 == 0:  # at the step itself, and between it and the next
            player.play(events, k - 36 if k else 0, k + 1)
            for later in (0.0, 0.6):
                player.observe((k + 1 + later) / tuning.params.step_rate, estimates)
                close(estimates, dense.y / sigma)
    assert len(seen) > 15
    # x of what is declared is (1 + rho) y - rho v.
    rho, found = dense.rho, replay("adfs", problem, network, events, overrides=overrides)
    close(found["v"], own["v"])
    close(found["x"], (1 + rho) * own["y"] - rho * own["v"])
    close(found["v_ij"][:, None] * dense.a, own["V"])
    close(found["x_ij"][:, None] * dense.a, (1 + rho) * own["Y"] - rho * own["V"])
    # The sums over nodes and samples stay 0.
    for of_nodes, of_samples in ((dense.v, dense.V), (dense.y, dense.Y)):
        sums = of_nodes.sum(axis=0) + of_samples.sum(axis=0)
        assert_allclose(sums, 0, atol=1e-12 * np.abs(of_samples).sum())


def test_each_sample_is_drawn_with_its_probability():
    A, b = data("ridge")
    A[3][2] *= 6  # by far the steepest
    network = replace(lollipop(), rates=np.linspace(1, 3, 9))
    problem = Problem.from_arrays(A, b, "ridge", mu=0.1)
    dense = Dense(A, b, "ridge", 0.1, network)
    tuning = ADFS.tune(problem, network)
    clock = clock_of_the_paper(tuning, network, np.random.SeedSequence(1))
    windows = [clock.window() for _ in range(4)]
    count = sum(map(len, windows))
    times = np.concatenate([events.time for events in windows])
    assert_allclose(times * tuning.params.step_rate, np.arange(1, count + 1), rtol=1e-12)
    edges, samples = np.zeros(9), np.zeros(len(dense.a))
    for events in windows:
        np.add.at(edges, events.edge[events.kind == GOSSIP], 1)
        computed = events.kind == GRADIENT
        for i, mark in zip(events.i[computed], events.mark[computed], strict=True):
            samples[sample_of(dense, i, mark)] += 1
    for found, p in ((edges, dense.p_e), (samples, dense.p)):
        assert_allclose(found / count, p, atol=4.5 * np.sqrt(p.max() / count))
        assert abs(found.sum() / count - p.sum()) < 4 * np.sqrt(0.25 / count)
    rows = np.flatnonzero(dense.p == dense.p.max())
    assert_array_equal(rows, [sum(SIZES[:3]) + 2])
    assert samples[rows[0]] / count == pytest.approx(dense.p.max(), rel=0.05)


# ---- The rate ------------------------------------------------------------------------------------


def decay(dense):
    """1 - E|.|^2 after a step over that before, asymptotically, of squares: from the spectral
    radius of M -> sum_r p_r J_r M J_r^T, the J_r found by playing every event from every start.
    """
    n, d = dense.v.shape
    N = len(dense.a)
    # Nodes, and samples along their rows, whose sum is 0.
    sums = np.hstack([np.tile(np.eye(d), n), dense.a.T])
    basis = np.linalg.svd(sums)[2][d:].T
    size = basis.shape[1]

    def played(event, argument):
        out = np.empty((2 * size, 2 * size))
        for column in range(2 * size):
            halves = np.zeros((2, n * d + N))
            halves[column // size] = basis[:, column % size]
            dense.v, dense.y = halves[:, : n * d].reshape(2, n, d)
            dense.V, dense.Y = halves[:, n * d :, None] * dense.a
            event(argument)
            squares = (dense.a**2).sum(axis=1)
            along = [(part * dense.a).sum(axis=1) / squares for part in (dense.V, dense.Y)]
            after = [
                np.append(part.ravel(), of_samples)
                for part, of_samples in zip((dense.v, dense.y), along, strict=True)
            ]
            out[:, column] = np.concatenate([basis.T @ half for half in after])
        return out

    maps = [(p, played(dense.exchange, e)) for e, p in enumerate(dense.p_e)]
    maps += [(p, played(dense.compute, row)) for row, p in enumerate(dense.p)]
    return 1 - np.abs(np.linalg.eigvals(sum(p * np.kron(J, J) for p, J in maps))).max()


@pytest.mark.parametrize("sigma", [0.01, 0.1, 3.0])
@pytest.mark.parametrize("graph", ["path", "cycle", "star", "complete"])
def test_it_decays_as_it_is_guaranteed_to(graph, sigma):
    A, b = data("ridge", sizes=(2, 3, 1, 2), d=2)
    dense = Dense(A, [0 * part for part in b], "ridge", sigma, build(graph, 4, None))
    exact = decay(dense)
    print(f"{graph}, l2 {sigma:g}: {exact / dense.rho:.2f} of the guaranteed rate")
    assert exact >= dense.rho


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["cycle", "random_geometric"])
@pytest.mark.parametrize("kind", ["ridge", "logistic_l2"])
def test_it_converges_linearly_to_the_optimum(kind, graph):
    """To 1e-9 of the start in the norm, no slower than guaranteed."""
    synthetic = {"kind": "synthetic", "dim": 4, "samples_per_node": 20}
    result = simulate(
        {
            "name": "linear",
            "problem": {"kind": kind, "data": synthetic, "mu": 0.1 if kind == "ridge" else 0.02},
            "network": {"graph": graph, "nodes": 10},
            "algorithms": ["adfs"],
            "stop": {"time": 20000, "accuracy": 1.0e-18},
            "record": {"points": 4000, "spacing": "linear"},
        }
    )
    curves = result.curves
    assert result.runs["status"][0] == "converged", curves.iloc[-1]
    one, two, three = (
        curves["time"][(curves["accuracy"] <= level).idxmax()] for level in (1e-6, 1e-12, 1e-18)
    )
    (run,) = result.manifest["runs"]
    tuning = run["constants"]
    rate = 12 * np.log(10) / ((three - one) * tuning["step_rate"])
    print(
        f"{kind}, {graph}: 1e-6, 1e-12, 1e-18 at {one:g}, {two:g}, {three:g}; "
        f"{rate / tuning['rho']:.2f} of the guaranteed rate"
    )
    assert three - two <= 1.6 * (two - one)
    assert rate >= tuning["rho"]


def test_where_no_proximal_step_is_it_converges_all_the_same():
    """1/s < 1/L for all samples of small rows."""
    A, b = data("logistic_l2", size=0.1)
    problem, network = Problem.from_arrays(A, b, "logistic_l2", mu=0.3), lollipop()
    p = ADFS.tune(problem, network).params
    assert (p.inverse_s < p.inverse_L).all()
    result = simulate(
        {
            "name": "small-rows",
            "problem": {
                "kind": "logistic_l2",
                "mu": 0.3,
                "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 7},
            },
            "network": {"graph": "path", "nodes": 7},
            "algorithms": ["adfs"],
            "stop": {"time": 3000, "accuracy": 1.0e-16},
        },
        problem=problem,
        network=network,
    )
    assert result.runs["status"].tolist() == ["converged"]


# ---- Steps on single samples ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", SLOPES)
def test_a_step_on_a_sample_solves_its_equation(kind):
    """z + weight phi'(z) = r, from weights of nearly -1/sup phi'' to large ones."""
    A, b = data(kind)
    problem = Problem.from_arrays(A, b, kind, mu=0.1)
    objective, curvatures = problem.sample_objective(), problem.sample_terms().curvatures
    scale = len(A) / len(curvatures)
    bound, slope = SLOPES[kind]
    assert_allclose(curvatures, scale * bound, rtol=1e-15)
    rng = np.random.default_rng(1)
    for factor in (-0.999, -0.9, -0.5, 0.0, 1e-3, 0.4, 1.0, 30.0, 1e6):
        weight = factor / curvatures[0]
        for r in (0.0, *rng.standard_normal(20), *(100 * rng.standard_normal(20))):
            found = oracles.sample_slope(objective, 3, 2, weight, r)

            def wrong(z, weight=weight, r=r):
                return z + weight * scale * slope(z, b[3][2]) - r

            far = 2e6 * (1 + abs(r))
            z = brentq(wrong, -far, far, xtol=1e-300, rtol=1e-15)
            rounding = 1e-14 * curvatures[0] * max(abs(r), 1)
            assert found == pytest.approx(scale * slope(z, b[3][2]), rel=1e-11, abs=rounding)
    x = rng.standard_normal(DIMENSION)
    slopes = problem.sample_slopes(x)
    rows = np.split(np.arange(len(slopes)), np.cumsum(SIZES)[:-1])
    for i, mine in enumerate(rows):
        assert_allclose(slopes[mine], scale * slope(A[i] @ x, b[i]), rtol=1e-13)
        assert_allclose(slopes[mine] @ A[i] + 0.1 * x, problem.gradient(i, x), rtol=1e-12)


def test_sparse_rows_are_those_of_dense_ones():
    A, b = data("ridge")
    for part in A:
        part[np.abs(part) < 0.5] = 0.0
    A[2][1] = 0.0  # a row of zeros
    network = lollipop()
    dense = Problem.from_arrays(A, b, "ridge", mu=0.1)
    sparse = Problem.from_arrays([csr_array(part) for part in A], b, "ridge", mu=0.1)
    _, events = made(dense, network)
    one, other = (replay("adfs", f, network, events[:2000]) for f in (dense, sparse))
    for block, value in one.items():
        assert np.isfinite(value).all()
        close(other[block], value)


# ---- What is paid, what is refused ---------------------------------------------------------------

SCENARIO = {
    "name": "samples",
    "problem": {
        "kind": "ridge",
        "mu": 0.3,
        "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 10},
    },
    "network": {"graph": "cycle", "nodes": 8},
    "algorithms": ["adfs"],
    "stop": {"time": 3000, "accuracy": 1.0e-10},
    "record": {"points": 20},
}


def test_a_step_on_a_sample_is_its_part_of_a_gradient():
    result = simulate(SCENARIO)
    assert result.runs["status"].tolist() == ["converged"]
    (run,) = result.manifest["runs"]
    constants, end = run["constants"], result.curves.iloc[-1]
    steps = result.runs["events"][0]
    assert 10 * end.gradients + end.communications == pytest.approx(steps, rel=1e-12)
    assert end.communications / steps == pytest.approx(1 - constants["p_comp"], rel=0.05)
    assert end.gradients == pytest.approx(8 * end.time, rel=0.05)
    assert end.messages == 2 * end.communications
    assert end.floats_sent == 3 * end.messages


def test_a_unit_of_time_has_a_gradient_of_each_node_where_samples_are_uneven():
    A, b = data("ridge")
    tuning, events = made(Problem.from_arrays(A, b, "ridge", mu=0.1), lollipop())
    assert (tuning.clock.nodes / SIZES).sum() == pytest.approx(7, rel=1e-12)
    assert tuning.communications == pytest.approx(tuning.clock.edges.sum(), rel=1e-12)
    gradients = (1 / np.array(SIZES))[events.i[events.kind == GRADIENT]].sum()
    assert gradients == pytest.approx(7 * events.time[-1], rel=0.05)


PYTHON = Problem.from_objectives(
    [
        type("Square", (), {"value": lambda self, x: x @ x / 2, "gradient": lambda self, x: x})()
        for _ in range(7)
    ],
    mu=1.0,
    L=1.0,
    dimension=3,
)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (small_problem(7), "least_squares"),
        (PYTHON, "python"),
        (Problem.averaging(np.eye(7)), "averaging"),
        (Problem.quadratic(np.tile(np.eye(3), (7, 1, 1)), np.ones((7, 3))), "quadratic"),
    ],
)
def test_it_refuses_what_has_no_l2_term(problem, kind):
    said = f"^adfs needs an l2 term in every f_i, which problem '{kind}' does not have$"
    with pytest.raises(InputError, match=said):
        ADFS.check_supported(problem, lollipop())
    with pytest.raises(InputError, match=said):
        replay("adfs", problem, lollipop(), Events.from_arrays([], [], []))


def test_it_refuses_an_l2_term_without_samples():
    class Hidden(type(PYTHON)):
        l2 = 1.0

    hidden = Hidden(**{field.name: getattr(PYTHON, field.name) for field in fields(PYTHON)})
    with pytest.raises(InputError, match=r"^adfs takes steps on single samples: .* has no samples"):
        ADFS.check_supported(hidden, lollipop())


def test_it_refuses_what_it_cannot_do():
    problem, network = small_problem(7, "ridge"), lollipop()
    refused = [
        *(Options(batch_size=2), Options(averaging="events")),
        *(Options(mixing="metropolis"), Options(chebyshev=2)),
    ]
    for options in refused:
        with pytest.raises(InputError, match=r"^adfs "):
            ADFS.check_supported(problem, network, options)
    with pytest.raises(InputError, match=r"^adfs has no form for time-varying graphs"):
        ADFS.check_supported(problem, sequence())
    composite = problem.with_local_step(make("l1", 3, strength=0.2))
    with pytest.raises(InputError, match=r"^adfs cannot take a local_step: "):
        ADFS.check_supported(composite, network)
    A, b = data("ridge", size=1e170)
    with pytest.raises(InputError, match=r"^adfs: data: .* L overflows; rescale them"):
        ADFS.tune(Problem.from_arrays(A, b, "ridge", mu=0.1), network)
    with pytest.raises(InputError, match=r"^adfs: p_comp: 1.5 given; a probability below 1"):
        ADFS.tune(problem, network, {"p_comp": 1.5})


@pytest.mark.parametrize("name", ["adfs", "walkman"])
def test_who_makes_one_step_at_a_time_has_no_clocks_to_slow_down(name):
    scenario = {**SCENARIO, "algorithms": [name]}
    with pytest.raises(InputError, match=f"world: {name} makes one step at a time"):
        simulate({**scenario, "world": {"preset": "datacenter"}})
    with pytest.raises(InputError, match=rf"clock\.node_rates: {name} has no clocks at its nodes"):
        simulate({**scenario, "clock": {"node_rates": [1.0] * 8}})


def test_blocks_of_samples_are_given_one_number_each():
    problem, network = small_problem(7, "ridge"), lollipop()
    _, events = made(problem, network)
    found = replay("adfs", problem, network, events[:0], v_ij=np.arange(56.0))
    assert_array_equal(found["v_ij"], np.arange(56.0))
    assert not found["x_ij"].any()
    with pytest.raises(InputError, match=r"v_ij: .* give finite numbers of shape \(56,\)"):
        replay("adfs", problem, network, events[:0], v_ij=np.zeros(7))
    with pytest.raises(InputError, match="adfs: has no block 'w_ij'"):
        replay("adfs", problem, network, events[:0], w_ij=np.zeros(56))


def test_a_node_that_lost_its_state_forgets_its_samples_too():
    problem, network = small_problem(7, "ridge"), lollipop()
    tuning, events = made(problem, network)
    keep = 300
    log = Events.from_arrays(
        np.append(events.time[:keep], events.time[keep - 1]),
        np.append(events.kind[:keep], RESET),
        np.append(events.i[:keep], 3),
        np.append(events.j[:keep], -1),
        network,
        mark=np.append(events.mark[:keep], 0).astype(np.uint64),
    )
    player = make_player(ADFS, problem, tuning, np.zeros((7, 3)), {})
    player.play(log, 0, keep)
    before = player.blocks(ADFS.every_block)
    player.play(log, keep, keep + 1)
    mine = np.arange(56) // 8 == 3
    for block, value in player.blocks(ADFS.every_block).items():
        own = mine if len(value) == 56 else np.arange(7) == 3
        assert before[block][own].any()
        assert not value[own].any()
        assert_array_equal(value[~own], before[block][~own])
