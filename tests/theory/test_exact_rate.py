"""Exact rates: against the second moment written out, published exponents, and other forms."""

import math

import numpy as np
import pytest
from second_moments import METHODS, alike, network, problem_for, superoperator, unlike

from dadao_sim import Problem
from dadao_sim.algorithms.ad_psgd import METHOD as AD_PSGD
from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS as REGISTERED
from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import GraphSequence
from dadao_sim.theory import exact_rate
from dadao_sim.theory.modes import modes_of
from dadao_sim.theory.perron import Energies, Triangular, crossing, perron
from dadao_sim.theory.setting import Setting
from dadao_sim.theory.symmetric import ModalEnergies


def system(name, graph="path", n=4, dimension=1, **options):
    return Setting.of(name, problem_for(name, n, dimension, **options), network(graph, n))


# ---- Against the second moment itself ------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["path", "complete"])
@pytest.mark.parametrize("name", METHODS)
def test_it_is_the_abscissa_of_the_superoperator(name, graph):
    setting = system(name, graph, 4 if graph == "path" else 3)
    wanted = np.linalg.eigvals(superoperator(setting.along(0))).real.max()
    found = exact_rate(name, setting.problem, setting.network)
    assert found.sigma == pytest.approx(wanted, rel=1e-9)
    assert found.drift <= found.sigma < 0
    assert found.is_stable
    assert not found.linearised


@pytest.mark.parametrize("name", ["dadao", "continuized", "ad_psgd", "dual_proximal_gradient"])
def test_hessians_that_do_not_commute_are_taken_whole(name):
    setting = system(name, "path", 2, 2, turned=True)
    assert setting.coordinates is None
    wanted = np.linalg.eigvals(superoperator(setting.whole())).real.max()
    found = exact_rate(name, setting.problem, setting.network)
    assert found.sigma == pytest.approx(wanted, rel=1e-9)
    assert found.limit.curvatures is None


@pytest.mark.parametrize("name", ["dadao", "continuized", "esdacd"])
def test_blocks_of_sizes_far_apart_cost_no_digits_that_matter(name):
    def scaled(kappa):
        rng = np.random.default_rng(0)
        turns = np.linalg.qr(rng.standard_normal((6, 2, 2)))[0]
        H = (turns * np.array([1.0, kappa])) @ turns.transpose(0, 2, 1)
        H = (H + H.transpose(0, 2, 1)) / 2
        found = exact_rate(name, Problem.quadratic(H, np.ones((6, 2))), network("cycle", 6))
        assert found.drift * (1 + 1e-9) <= found.sigma < 0
        return found.sigma * math.sqrt(kappa)

    # Of order sqrt(mu/L) each, and so the same at both.
    assert scaled(1e7) == pytest.approx(scaled(1e5), rel=0.01)


def test_commuting_hessians_decouple():
    setting = system("dadao", "path", 3, 2)
    assert setting.coordinates == (0, 1)
    growth = Energies(setting.whole()).growth()
    found = exact_rate("dadao", setting.problem, setting.network)
    assert found.sigma == pytest.approx(growth.sigma, rel=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_the_power_method_on_the_second_moment_finds_it(name):
    """Steps of e^{h L} on a second moment that starts anywhere."""
    setting = system(name, "star", 4)
    events = setting.along(0)
    moment, size = np.eye(events.reached.shape[1]), 0.0
    generator = superoperator(events)
    step = np.linalg.matrix_power(
        np.eye(len(generator)) + generator / 2**12 + generator @ generator / 2**25, 2**12
    )
    for _ in range(4000):
        after = (step @ moment.ravel()).reshape(moment.shape)
        before, size = size, np.trace(after)
        moment = after / size
        if abs(size - before) < 1e-13 * size:
            break
    found = exact_rate(name, setting.problem, setting.network)
    assert found.sigma == pytest.approx(math.log(size), rel=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_the_moment_keeps_its_shape(name):
    """What is said of the limit is read from an eigenvector."""
    events = system(name, "path", 4).along(0)
    growth = Energies(events).growth()
    M = events.reached.T @ growth.moment @ events.reached
    grown = (superoperator(events) @ M.ravel()).reshape(M.shape)
    assert np.abs(grown - growth.sigma * M).max() <= 1e-6 * np.abs(grown).max()
    assert np.linalg.eigvalsh(growth.moment).min() >= -1e-9


def test_schurs_form_does_the_same():
    energies = Energies(system("accelerated_gossip", "star", 5).along(0))
    diagonal = energies.radius(0.0)
    other = Energies(system("accelerated_gossip", "star", 5).along(0), form_of=Triangular)
    assert other.radius(0.0) == pytest.approx(diagonal, rel=1e-9)
    assert other.growth().sigma == pytest.approx(energies.growth().sigma, rel=1e-9)


def test_a_drift_without_eigenvectors():
    """Accelerated gossip at its critical damping: two eigenvectors of a mode fall together."""
    net = network("complete", 4)
    problem = problem_for("accelerated_gossip", 4)
    rate = 2 / 6
    value = 4 * rate  # l, where (2 eta + l/2)^2 = 4 eta l (alpha + alpha~)
    tilde = (2 + value / 2) ** 2 / (4 * value) - 0.5
    overrides = {"eta": 1.0, "alpha": 0.5, "alpha_tilde": tilde}
    setting = Setting.of("accelerated_gossip", problem, net, overrides)
    energies = Energies(setting.along(0))
    assert isinstance(energies._form, Triangular)
    wanted = np.linalg.eigvals(superoperator(setting.along(0))).real.max()
    assert energies.growth().sigma == pytest.approx(wanted, rel=1e-6)


def test_steps_that_are_counted():
    """ESDACD: every node flows for a step, then an edge is drawn."""
    setting = system("esdacd", "star", 4)
    events = setting.along(0)
    T, step = events.reached, events.duration
    flow, eye = T.T @ (events.A @ T), np.eye(T.shape[1])
    whole = 0.0
    for r, rate in enumerate(events.rates):
        w, q = T.T @ events.W[:, [r]].toarray(), T.T @ events.Q[:, [r]].toarray()
        J = (eye + w @ q.T) @ flow
        whole = whole + rate * step * np.kron(J, J)
    wanted = math.log(np.abs(np.linalg.eigvals(whole)).max()) / step
    found = exact_rate("esdacd", setting.problem, setting.network)
    assert found.sigma == pytest.approx(wanted, rel=1e-9)
    constants = setting.played.tuning.constants
    assert found.sigma < constants["total_rate"] * math.log(1 - constants["rho"])
    assert found.drift <= found.sigma


def test_the_perron_root_of_a_map_that_no_matrix_is_written_of():
    matrix = np.random.default_rng(0).uniform(0, 1, (40, 40))
    root, vector = perron(lambda C: (matrix @ C.ravel()).reshape(C.shape), np.ones((40, 1, 1)))
    assert root == pytest.approx(np.abs(np.linalg.eigvals(matrix)).max(), rel=1e-10)
    assert (vector > 0).all()


# ---- What is known of the methods ----------------------------------------------------------------

EXPONENTS = {10.0: 0.1309, 100.0: 0.1299, 1e4: 0.1298}


@pytest.mark.parametrize("graph", ["path", "cycle", "star", "complete", "barbell", "torus"])
@pytest.mark.parametrize("kappa", EXPONENTS)
def test_dadaos_exponent_is_the_same_on_every_graph(graph, kappa):
    n = 16 if graph == "torus" else 8
    problem = alike(n, np.geomspace(1, kappa, 5))
    found = exact_rate("dadao", problem, network(graph, n))
    assert -found.sigma * math.sqrt(kappa) == pytest.approx(EXPONENTS[kappa], abs=1.0e-4)
    assert found.limit.cause == "drift"
    assert found.limit.curvatures == pytest.approx((kappa, kappa))


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["cycle", "torus"])
def test_dadao_on_thousands_of_nodes(graph):
    found = exact_rate("dadao", alike(4096, [1.0, 100.0]), network(graph, 4096))
    assert -found.sigma * 10 == pytest.approx(0.1299, abs=1e-4)


def test_randomised_gossip_on_graphs_whose_edges_are_alike():
    """The root of sum l^2/(l - w) = 2 sum l, and lambda_2/2 on complete graphs."""
    for graph, share in (("complete", 0.5), ("star", 0.677), ("cycle", 0.990)):
        net = network(graph, 16)
        found = exact_rate("randomised_gossip", problem_for("randomised_gossip", 16), net)
        rates = np.full(len(net.edges), 8 / len(net.edges))
        assert -found.sigma / net.lambda_2(rates) == pytest.approx(share, abs=5e-4)
        assert found.limit.cause == "events"


def test_accelerated_gossip_gains_on_paths():
    """2.5, 5.4 and 11.6 times the rate of plain gossip."""
    for n, gain in ((8, 2.5), (16, 5.4), (32, 11.6)):
        net, problem = network("path", n), problem_for("randomised_gossip", n)
        plain, fast = (
            exact_rate(name, problem, net).sigma
            for name in ("randomised_gossip", "accelerated_gossip")
        )
        assert fast / plain == pytest.approx(gain, abs=0.06)


def test_continuized_with_the_authors_eta_diverges():
    """On a path of 16 at h = mu; with the margin of 2 it converges."""
    net, problem = network("path", 16), alike(16, [1.0, 100.0])
    published = exact_rate("continuized", problem, net, {"margin": 1.0})
    assert published.sigma > 0
    assert not published.is_stable
    assert published.limit.cause == "events"
    assert exact_rate("continuized", problem, net).is_stable


def test_what_limits_is_named():
    """A slow method on a long path waits for its slowest mode; a fast network for mu."""
    net = network("path", 6)
    slow = exact_rate("ad_psgd", alike(6, [1.0, 10.0]), net, {"step": 0.05})
    assert slow.limit.curvatures == pytest.approx((1.0, 1.0))
    assert slow.limit.mode == 0.0
    assert slow.limit.share == pytest.approx(1.0, abs=0.05)
    gossip = exact_rate("randomised_gossip", problem_for("randomised_gossip", 6), net)
    rates = np.full(5, 3 / 5)
    assert gossip.limit.mode == pytest.approx(net.lambda_2(rates))


# ---- Graphs whose edges are alike ----------------------------------------------------------------


@pytest.mark.parametrize("graph", ["cycle", "complete", "torus", "hypercube"])
@pytest.mark.parametrize("name", ["dadao", "continuized", "a2cid2", "ad_psgd"])
def test_modes_give_what_the_whole_gives(name, graph):
    n = 9 if graph == "torus" else 8
    setting = Setting.of(name, alike(n, [3.0]), network(graph, n))
    assert setting.modes is not None
    whole = Energies(setting.along(0))
    modal = ModalEnergies(setting.played, setting.modes, 3.0)
    assert modal.growth().sigma == pytest.approx(whole.growth().sigma, rel=1e-8)
    assert modal.radius(0.0) == pytest.approx(whole.radius(0.0), rel=1e-9)
    assert setting.modes.counts.sum() == n


def test_graphs_that_are_not_alike_have_no_modes():
    """Regular ones too: a prism's edges differ, and so do those of a rectangular torus."""
    import networkx as nx

    from dadao_sim import Network

    for graph in (
        nx.path_graph(5),
        nx.circular_ladder_graph(5),
        nx.circulant_graph(9, [1, 2]),
        nx.grid_2d_graph(3, 5, periodic=True),
        nx.random_regular_graph(3, 12, seed=1),
    ):
        plain = nx.convert_node_labels_to_integers(graph)
        assert modes_of(Network.from_networkx(plain)) is None


def test_modes_are_seen_under_any_numbering():
    net = network("torus", 16)
    order = np.random.default_rng(0).permutation(16)
    modes, other = modes_of(net), modes_of(net.relabelled(order))
    assert np.allclose(modes.values, other.values)
    assert np.array_equal(modes.counts, other.counts)


def test_unequal_rates_are_not_taken_for_alike():
    from dataclasses import replace

    net = network("cycle", 6)
    uneven = replace(net, rates=np.array([1.0, 1, 1, 1, 1, 2]))
    assert Setting.of("dadao", alike(6, [1.0]), uneven).modes is None
    assert Setting.of("dadao", alike(6, [1.0]), net).modes is not None


# ---- Other problems ------------------------------------------------------------------------------


def logistic():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((4, 12, 2)) + np.array([1.5, 0.5])
    b = np.where(rng.random((4, 12)) < 0.5, 1.0, -1.0)
    return Problem.from_arrays(A, b, "logistic_l2", mu=0.3)


def test_other_problems_are_linearised_at_their_optimum():
    problem, net = logistic(), network("path", 4)
    found = exact_rate("dadao", problem, net)
    assert found.linearised
    x = problem.x_star
    H = np.zeros((4, 2, 2))
    for i in range(4):
        for k, unit in enumerate(np.eye(2) * 1e-5):
            H[i, k] = (problem.gradient(i, x + unit) - problem.gradient(i, x - unit)) / 2e-5
    tuning = {name: getattr(problem, name) for name in ("mu", "L")}
    same = exact_rate(
        "dadao", Problem.quadratic((H + H.transpose(0, 2, 1)) / 2, H @ x), net, tuning
    )
    assert found.sigma == pytest.approx(same.sigma, rel=1e-6)


def test_python_objectives_are_asked_for_their_gradients():
    class Square:
        def __init__(self, h):
            self.h = h

        def value(self, x):
            return 0.5 * self.h * float(x @ x)

        def gradient(self, x):
            return self.h * (x - 1.0)

    hs = [1.0, 4.0, 2.0, 10.0]
    python = Problem.from_objectives([Square(h) for h in hs], 1.0, 10.0, 1)
    given = Problem.quadratic(np.array(hs)[:, None, None], np.array(hs)[:, None])
    net = network("path", 4)
    found, wanted = (exact_rate("dadao", problem, net) for problem in (python, given))
    assert found.linearised
    assert found.sigma == pytest.approx(wanted.sigma, rel=1e-8)


# ---- What has no exact rate ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("edge_admm", "nodes remember something of each edge"),
        ("walkman", "exchanges are those of a token that walks"),
        ("extra", "plays rounds"),
    ],
)
def test_methods_of_another_form_are_refused(name, reason):
    with pytest.raises(InputError, match=reason):
        exact_rate(name, unlike(4), network("path", 4))


def test_every_asynchronous_method_has_a_rate_or_a_reason():
    refused = {"edge_admm", "walkman", "adfs", "dadao_counters"}
    refused |= {"asy_dgd", "asy_sonata", "delayed_gossip", "osgp"}
    rng = np.random.default_rng(0)
    A = rng.standard_normal((4, 6, 1))
    ridge = Problem.from_arrays(A, A[..., 0] + rng.standard_normal((4, 6)), "ridge", mu=0.5)
    for method in REGISTERED.values():
        if isinstance(method, AsynchronousMethod):
            problem = problem_for(method.name, 4) if method.needs_averaging else ridge
            if method.name in refused:
                with pytest.raises(InputError, match=f"{method.name} is no flow"):
                    exact_rate(method, problem, network("path", 4))
            else:
                assert exact_rate(method, problem, network("path", 4)).sigma < 0


def _with(name, **functions):
    """AD-PSGD with other functions, under a Params of its own."""
    from dataclasses import replace
    from typing import NamedTuple

    class Params(NamedTuple):
        step: float
        alpha: float

    return replace(AD_PSGD, name=name, look=None, params=Params, **functions)


def clipped(state, p, i, g):
    for k in range(g.shape[0]):
        state.values[i, 0, k] -= p.step * max(-1.0, min(1.0, g[k]))


def shifted(state, p, e, i, m):
    for k in range(m.shape[0]):
        state.values[i, 0, k] -= p.alpha * m[k] + 0.01


def drag(state, p, i, t):
    for k in range(state.values.shape[2]):
        state.values[i, 0, k] *= 1 / (1 + t - state.last[i])


def norm_sent(state, p, objective, i, out):
    for k in range(out.shape[0]):
        out[k] = abs(state.values[i, 0, k])


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        ({"apply_gradient": clipped}, "its gradient event is not linear"),
        ({"apply_message": shifted}, "its exchange is not linear"),
        ({"flow": drag}, "its flow is not linear"),
        ({"message": norm_sent}, "its message is not linear"),
    ],
)
def test_a_users_method_is_played_and_its_fault_named(functions, reason):
    method = _with("mine", **functions)
    with pytest.raises(InputError, match=f"mine is no flow with linear events.*{reason}"):
        exact_rate(method, unlike(4), network("path", 4))


def slower_at_the_ends(state, p, i, g):
    for k in range(g.shape[0]):
        state.values[i, 0, k] -= p.step * g[k] / (1 + i)


def test_a_users_method_whose_nodes_differ():
    method = _with("uneven", apply_gradient=slower_at_the_ends)
    setting = Setting.of(method, unlike(4), network("path", 4))
    wanted = np.linalg.eigvals(superoperator(setting.along(0))).real.max()
    found = exact_rate(method, setting.problem, setting.network).sigma
    assert found == pytest.approx(wanted, rel=1e-9)
    assert found != pytest.approx(exact_rate("ad_psgd", setting.problem, setting.network).sigma)


def test_what_else_is_refused():
    net, problem = network("path", 4), unlike(4)
    cases = [
        ((problem.with_local_step(make("l1", 1, strength=0.1)), net), {}, "local step"),
        ((problem, GraphSequence((net, network("star", 4)))), {}, "one graph"),
        ((problem, network("path", 5)), {}, "has 5 nodes"),
        ((problem, net), {"options": Options(averaging="time")}, "running average"),
        ((alike(700, [1.0]), network("path", 700)), {}, "at most 4000"),
    ]
    with pytest.raises(InputError, match="at most 40"):
        exact_rate("esdacd", alike(40, [1.0]), network("path", 40))
    for arguments, options, reason in cases:
        with pytest.raises(InputError, match=reason) as refusal:
            exact_rate("dadao", *arguments, **options)
        assert "\n" not in str(refusal.value)


def test_a_drift_whose_eigenvalues_coincide():
    """Its own decay is known to half the digits: the general map says the same to as many."""
    f = Problem.quadratic(np.tile(np.diag([1.0, 100.0]), (8, 1, 1)), np.zeros((8, 2)))
    factors = {
        **{"total_rate": 0.3, "nu": 1.27, "eta": 7.8, "eta_tilde": 1.1, "alpha": 0.74},
        **{"alpha_tilde": 0.011, "theta": 1.38, "beta": 0.89, "beta_tilde": 0.105},
        **{"delta": 0.53, "delta_tilde": 0.53, "gamma": 2.6, "gamma_tilde": 1.5},
    }
    cycle, options = network("cycle", 8), Options(constants=factors)
    found = exact_rate("dadao", f, cycle, {"L": 100 / 1.1}, options)
    setting = Setting.of("dadao", f, cycle, {"L": 100 / 1.1}, options)
    whole = max(Energies(setting.along(c)).growth().sigma for c in setting.coordinates)
    assert found.sigma == pytest.approx(whole, rel=1e-4)


# ---- What is too far apart -----------------------------------------------------------------------


def at_condition(kappa, n=4):
    return Problem.quadratic(np.tile(np.diag([1.0, kappa]), (n, 1, 1)), np.ones((n, 2)))


def test_a_rate_that_is_lost_among_the_roundings_is_refused():
    ring = network("cycle", 4)
    found = exact_rate("dadao", at_condition(1e7), ring)
    assert found.sigma == pytest.approx(-0.1298 * 1e7**-0.5, rel=1e-3)
    with pytest.raises(InputError, match=r"L/mu is 1e\+10; what is exact is lost .* above 1e\+07"):
        exact_rate("dadao", at_condition(1e10), ring)
    with pytest.raises(InputError, match=r"L/mu is 1e\+08; what is exact is lost"):
        exact_rate("dadao", at_condition(10.0), ring, {"mu": 1e-7})
    with pytest.raises(InputError, match="the rate is lost among the roundings"):
        crossing(Wavering(), 1e-3, 1.0, 1e-9)


class Wavering:
    """A radius that is another each time it is asked for at the same place."""

    def __init__(self):
        self.asked = 0

    def __call__(self, sigma):
        self.asked += 1
        return 2.0 if self.asked == 1 else 0.5


@pytest.mark.parametrize("name", ["ad_psgd", "a2cid2"])
def test_small_steps_are_linear_too(name):
    ring = network("cycle", 4)
    steep = exact_rate(name, at_condition(1e6), ring).sigma
    assert steep * 1e6 == pytest.approx(exact_rate(name, at_condition(1e4), ring).sigma * 1e4, 1e-5)
