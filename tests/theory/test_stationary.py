"""Plateaus of asynchronous methods: against dense equations, all draws, and long runs."""

from itertools import pairwise

import numpy as np
import pytest
from second_moments import alike, network, unlike
from simulated import errors_of
from test_expected_curve import ridge

from dadao_sim import Problem
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.errors import InputError
from dadao_sim.theory import exact_rate, expected_curve, stationary
from dadao_sim.theory.rest import parts_of
from dadao_sim.theory.setting import Setting


def scalars(nodes=8):
    """Curvatures in [1, 10] and centres of their own."""
    rng = np.random.default_rng(1)
    h, c = rng.uniform(1, 10, nodes), 3 * rng.standard_normal(nodes)
    return Problem.quadratic(h[:, None, None], (h * c)[:, None])


@pytest.mark.slow
@pytest.mark.parametrize("graph", ["cycle", "path", "star"])
@pytest.mark.parametrize("name", ["ad_psgd", "a2cid2"])
def test_long_runs_hover_there(name, graph):
    """Within 2 %, as a mean over time."""
    problem, net = scalars(), network(graph, 8)
    found = stationary(name, problem, net, {"step": 0.05})
    times = np.arange(600.0, 20_000.0, 0.9)
    measured = errors_of(name, problem, net, times, [5], {"step": 0.05}).mean()
    assert measured == pytest.approx(found.error, rel=0.02)
    # Neither part alone would do.
    assert max(found.bias, found.variance) < 0.9 * measured
    assert found.additive == pytest.approx(found.variance, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "batch"), [("ad_psgd", 1), ("a2cid2", 2), ("dadao", 2)])
def test_long_runs_on_minibatches_hover_there(name, batch):
    problem, net, options = ridge(4, 1), network("path", 4), Options(batch_size=batch)
    found = stationary(name, problem, net, options=options)
    times = np.arange(200.0, 30_000.0, 0.9)
    measured = errors_of(name, problem, net, times, [7], options=options).mean()
    assert measured == pytest.approx(found.error, rel=0.03)
    assert found.additive < found.variance
    assert (found.bias == 0) == (name == "dadao")
    assert stationary(name, problem, net).error < 0.8 * measured


def test_it_is_the_end_of_the_curve():
    for problem, options in ((scalars(4), Options()), (ridge(4, 2), Options(batch_size=1))):
        for name in ("ad_psgd", "a2cid2"):
            net = network("star", 4)
            found = stationary(name, problem, net, options=options)
            (end,) = expected_curve(name, problem, net, [900.0], options=options)
            assert end == pytest.approx(found.error, rel=1e-8)


def test_ad_psgd_solves_its_equations():
    """Mean and covariance from the jumps s -> J s + f of all events, written out."""
    problem, net = scalars(4), network("path", 4)
    step = 0.05
    found = stationary("ad_psgd", problem, net, {"step": step})
    h, c = problem.form.H[:, 0, 0], problem.form.c[:, 0]
    eye, lam = np.eye(4), 2 / 3
    events = [
        (eye - step * hi * np.outer(e, e), step * ci * e, 1.0)
        for hi, ci, e in zip(h, c, eye, strict=True)
    ]
    for i, j in net.edges:
        b = eye[i] - eye[j]
        events.append((eye - np.outer(b, b) / 2, np.zeros(4), lam))
    drift = sum(rate * (J - eye) for J, _, rate in events)
    mean = np.linalg.solve(drift, -sum(rate * f for _, f, rate in events))
    operator = sum(rate * (np.kron(J, J) - np.eye(16)) for J, _, rate in events)
    source = sum(
        rate * (np.kron(J @ mean, f) + np.kron(f, J @ mean) + np.kron(f, f))
        for J, f, rate in events
    )
    moment = np.linalg.solve(operator, -source).reshape(4, 4)
    assert found.bias == pytest.approx(((mean - problem.x_star) ** 2).mean(), rel=1e-9)
    variance = np.trace(moment - np.outer(mean, mean)) / 4
    assert found.variance == pytest.approx(variance, rel=1e-9)


def test_methods_that_converge_have_none():
    for name in ("dadao", "continuized", "dual_proximal_gradient"):
        found = stationary(name, unlike(4, 2), network("path", 4))
        assert found.error == 0.0


def test_the_plateau_falls_with_the_step():
    problem, net = scalars(), network("cycle", 8)
    steps = [stationary("ad_psgd", problem, net, {"step": 0.01 / k}) for k in (1, 2, 4)]
    for one, half in pairwise(steps):
        assert half.error < one.error / 1.5


def test_minibatches_slow_what_they_make_noisy():
    """The errors grow with the distance: the second moment decays more slowly, or grows."""
    problem, net = ridge(4, 2), network("path", 4)
    full = exact_rate("ad_psgd", problem, net)
    one, four = (exact_rate("ad_psgd", problem, net, options=Options(batch_size=b)) for b in (1, 4))
    assert full.sigma < four.sigma < one.sigma < 0
    assert one.drift == pytest.approx(full.drift)
    step = {"step": 30 / (16 * problem.L)}
    assert exact_rate("ad_psgd", problem, net, step).sigma < 0
    assert exact_rate("ad_psgd", problem, net, step, Options(batch_size=1)).sigma > 0


def test_many_events_are_solved_for_without_a_matrix():
    problem, net = ridge(6, 2), network("complete", 6)
    found = stationary("a2cid2", problem, net, options=Options(batch_size=1))
    (end,) = expected_curve("a2cid2", problem, net, [900.0], options=Options(batch_size=1))
    assert end == pytest.approx(found.error, rel=1e-8)


def test_the_mean_that_gossip_conserves_is_kept():
    """Gossip rests at the mean of its own start."""
    centres = np.arange(4.0)[:, None]
    setting = Setting.of("accelerated_gossip", Problem.averaging(centres), network("path", 4))
    (part,) = parts_of(setting, None, None)
    assert part.rest == pytest.approx(np.full(8, 1.5))


def test_what_is_refused():
    net, problem = network("path", 4), unlike(4)
    with pytest.raises(InputError, match=r"ad_psgd has no plateau: .* it diverges"):
        stationary("ad_psgd", problem, net, {"step": 1.0})
    with pytest.raises(InputError, match=r"dadao has no plateau: .* it diverges"):
        stationary("dadao", alike(4, [1.0, 10.0]), net, {"rate_factor": 0.5})
    with pytest.raises(InputError, match="esdacd: no plateau is known of steps"):
        stationary("esdacd", problem, net)
    with pytest.raises(InputError, match="no form for stochastic"):
        stationary("continuized", ridge(4), net, options=Options(batch_size=1))
