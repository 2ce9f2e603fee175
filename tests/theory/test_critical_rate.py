"""The gossip rate below which the second moment grows: a published table, and both its sides."""

from dataclasses import replace

import numpy as np
import pytest
from second_moments import alike, network, problem_for, superoperator, unlike

from dadao_sim.algorithms.ad_psgd import METHOD as AD_PSGD
from dadao_sim.errors import InputError
from dadao_sim.networks.rates import optimal_rates
from dadao_sim.theory import critical_rate, exact_rate
from dadao_sim.theory.rate import is_stable
from dadao_sim.theory.setting import Setting

# For the worst of h = mu and h = L, at kappa 10 and 100, with uniform rates.
TABLE = {
    ("path", 8): (0.925, 0.952),
    ("path", 16): (0.951, 0.969),
    ("cycle", 8): (0.890, 0.928),
    ("cycle", 16): (0.927, 0.953),
    ("star", 8): (0.826, 0.882),
    ("star", 16): (0.814, 0.874),
    ("complete", 8): (0.820, 0.878),
    ("complete", 16): (0.820, 0.878),
    ("barbell", 8): (0.689, 0.712),
    ("barbell", 16): (0.504, 0.530),
}
OPTIMAL = {("barbell", 8): (0.877, 0.906), ("barbell", 16): (0.782, 0.811)}


@pytest.mark.slow
@pytest.mark.parametrize("graph", TABLE, ids=lambda graph: f"{graph[0]}-{graph[1]}")
def test_the_table(graph):
    net = network(*graph)
    for kappa, factor in zip((10.0, 100.0), TABLE[graph], strict=True):
        found = critical_rate("dadao", [1.0, kappa], net, precision=1e-4)
        assert found == pytest.approx(factor, abs=6e-4)


@pytest.mark.slow
@pytest.mark.parametrize("graph", OPTIMAL, ids=lambda graph: f"{graph[0]}-{graph[1]}")
def test_the_table_with_optimal_rates(graph):
    net = network(*graph)
    net = replace(net, rates=optimal_rates(net).rates)
    for kappa, factor in zip((10.0, 100.0), OPTIMAL[graph], strict=True):
        found = critical_rate("dadao", [1.0, kappa], net, precision=1e-4)
        assert found == pytest.approx(factor, abs=6e-4)


@pytest.mark.slow
def test_long_cycles():
    """.984 at kappa 10 and .993 at 1e4 on 256 nodes: chi1 chi2 <= 1/2 becomes necessary."""
    net = network("cycle", 256)
    for kappa, factor in ((10.0, 0.984), (1e4, 0.993)):
        found = critical_rate("dadao", [1.0, kappa], net, precision=1e-4)
        assert found == pytest.approx(factor, abs=6e-4)


@pytest.mark.slow
def test_the_torus_of_4096():
    """.990 of the design rate at kappa 10, with an exact chi2: here it is bounded from above."""
    net = network("torus", 4096)
    uniform = np.full(len(net.edges), 1 / len(net.edges))
    chi2 = 4095 / 2
    design = (chi2 / net.chi2(uniform)) ** 0.5
    assert 0.97 < design <= 1
    setting = Setting.of("dadao", alike(4096, [1.0, 10.0]), net)
    assert is_stable(setting.with_overrides({"rate_factor": 0.9905 * design}))
    assert not is_stable(setting.with_overrides({"rate_factor": 0.9895 * design}))


@pytest.mark.parametrize("graph", [("path", 8), ("star", 16), ("barbell", 8)])
def test_it_grows_below_and_decays_above(graph):
    """Negative controls: the exact rate changes its sign where the table says."""
    net, problem = network(*graph), alike(graph[1], [1.0, 10.0])
    factor = TABLE[graph][0]
    below = exact_rate("dadao", problem, net, {"rate_factor": factor - 0.001})
    above = exact_rate("dadao", problem, net, {"rate_factor": factor + 0.001})
    assert below.sigma > 0 > above.sigma
    assert not below.is_stable
    assert above.is_stable


@pytest.mark.parametrize(
    ("graph", "factor", "sigma"), [(("path", 8), 0.90, 0.059), (("star", 16), 0.78, 0.032)]
)
def test_how_fast_it_grows(graph, factor, sigma):
    """At h = mu, kappa 10."""
    overrides = {"rate_factor": factor, "mu": 1.0, "L": 10.0}
    found = exact_rate("dadao", alike(graph[1], [1.0]), network(*graph), overrides)
    assert found.sigma == pytest.approx(sigma, abs=6e-4)
    assert found.limit.cause == "events"


def test_the_dense_operator_changes_its_sign_there_too():
    net, problem = network("path", 3), unlike(3)
    factor = critical_rate("dadao", problem, net)
    for shift, sign in ((-1e-3, 1), (1e-3, -1)):
        setting = Setting.of("dadao", problem, net, {"rate_factor": factor + shift})
        assert np.sign(np.linalg.eigvals(superoperator(setting.along(0))).real.max()) == sign


def test_hessians_that_do_not_commute():
    net, problem = network("path", 3), unlike(3, 2, turned=True)
    factor = critical_rate("dadao", problem, net, precision=1e-3)
    signs = [
        exact_rate("dadao", problem, net, {"rate_factor": factor * shift}).sigma
        for shift in (0.99, 1.01)
    ]
    assert signs[0] > 0 > signs[1]


def test_averaging_never_grows():
    problem, net = problem_for("randomised_gossip", 4), network("path", 4)
    assert critical_rate("randomised_gossip", problem, net) == 0.0


def test_what_is_refused():
    net = network("path", 4)
    with pytest.raises(InputError, match="rate_factor is what is looked for"):
        critical_rate("dadao", [1.0, 10.0], net, {"rate_factor": 1.0})
    with pytest.raises(InputError, match="diverges in mean square at every gossip rate"):
        critical_rate("ad_psgd", [1.0, 10.0], net, {"step": 1.0})
    with pytest.raises(InputError, match="positive numbers"):
        critical_rate("dadao", [1.0, -10.0], net)
    with pytest.raises(InputError, match="precision: 0 given"):
        critical_rate("dadao", [1.0, 10.0], net, precision=0)

    def constants(c, problem, network):
        c.step, c.alpha, c.total_rate = 0.01, 0.5, 2.0

    from typing import NamedTuple

    class Params(NamedTuple):
        step: float
        alpha: float

    fixed = replace(AD_PSGD, name="fixed", look=None, params=Params, constants=constants)
    with pytest.raises(InputError, match="fixed: has no rate_factor"):
        critical_rate(fixed, [1.0, 10.0], net)
