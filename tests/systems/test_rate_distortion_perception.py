"""Rate, distortion and perception: the central solvers against conic ones and closed forms, and
the decentralised ones against them.
"""

from dataclasses import replace
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from rdp_cases import (
    APART,
    GENERATORS,
    HAMMING,
    QUARTER,
    SIX,
    SMOOTH,
    conic,
    letters,
    perceiving,
    rms,
    tradeoff,
)
from typer.testing import CliRunner

from dadao_sim import Problem, load_scenario, make, simulate
from dadao_sim.algorithms.contract.registry import entry
from dadao_sim.cli.main import app
from dadao_sim.errors import InputError
from dadao_sim.plotting.curves import draw
from dadao_sim.plotting.rate_distortion import rate_distortion_figure
from dadao_sim.problems import build_problem
from dadao_sim.problems.data.letters import LettersData
from dadao_sim.problems.kinds.divergences import DIVERGENCES, KL, slope
from dadao_sim.problems.kinds.rate_distortion import RateDistortionKind, rate_distortion
from dadao_sim.problems.kinds.rate_distortion_perception import (
    PerceptionKind,
    rate_distortion_perception,
)
from dadao_sim.reports.rate_distortion import binary_rate
from dadao_sim.reports.rate_distortion import rate_distortion as rate_distortion_report
from dadao_sim.results.look import Look
from dadao_sim.scenario import shipped
from dadao_sim.strict import references_of

SCENARIO = "systems/rate-distortion-perception"
LETTERS = {"kind": "letters", "letters": 3, "samples_per_node": 50}
GRAPHS = {"cycle": nx.cycle_graph(10), "star": nx.star_graph(9)}

# ---- Divergences
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SMOOTH)
def test_a_divergence_is_that_of_its_generator(kind):
    f, made = GENERATORS[kind], DIVERGENCES[kind]()
    q = np.random.default_rng(3).dirichlet(np.ones(6))
    assert_allclose(made.value(SIX, q), (q * f(SIX / q)).sum(), rtol=1e-12)
    assert made.value(SIX, SIX) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_slopes_and_curvatures_are_those_of_the_value(kind):
    made = DIVERGENCES[kind](0.05) if kind == "tv" else DIVERGENCES[kind]()
    q, h = np.random.default_rng(3).dirichlet(np.ones(6)), 1e-6
    steps = h * np.eye(6)
    central = [(made.value(SIX, q + e) - made.value(SIX, q - e)) / (2 * h) for e in steps]
    second = (slope(made, SIX, q + h) - slope(made, SIX, q - h)) / (2 * h)
    assert_allclose(slope(made, SIX, q), central, atol=1e-8)
    assert_allclose(made.curvature(SIX, q), second, rtol=1e-6)


# ---- Central solvers
# --------------------------------------------------------------------------------


@pytest.mark.parametrize(("s", "t"), [(1.0, 0.3), (0.5, 20.0)])
@pytest.mark.parametrize("kind", SMOOTH)
def test_the_newton_alternation_never_rises_and_ends_where_a_conic_solver_does(kind, s, t):
    of = tradeoff(kind, s, t)
    path = of.newton_path()
    values = [of.value(of.channel(q, nu)) for q, nu in pairwise(path)]
    assert np.diff(values).max() < 1e-12
    value, _, q = conic(SIX, APART, kind, s, t)
    assert_allclose(of.value(of.best_channel), value, atol=1e-8)
    assert_allclose(of.optimum, q, atol=1e-6)
    assert np.abs(of.image(of.optimum) - of.optimum).max() < 1e-14


@pytest.mark.parametrize("kind", DIVERGENCES)
def test_however_dear_perception_is_the_minimiser_is_found(kind):
    """It goes to the source itself, like 1/t; started at the uniform q alone Newton stays there."""
    apart = []
    for t in (1e3, 1e6, 1e9):
        of = tradeoff(kind, 1.0, t, delta=1e-3 if kind == "tv" else None)
        assert of.left_over < 1e-14
        apart.append(np.abs(of.optimum - SIX).max())
    assert_allclose(np.array(apart[:2]) * [1, 1e3], apart[0], rtol=0.02)
    assert of.largest_damping < 1e-8


def test_its_rate_is_the_least_for_its_distortion_and_perception():
    of = tradeoff("hellinger2", 2.0, 2.0)
    rate, D, P = of.point(of.best_channel)
    assert_allclose(conic(SIX, APART, "hellinger2", D=D, P=P)[1], rate, atol=1e-7)


def test_without_perception_it_is_blahut_arimoto():
    of, K = tradeoff("kl", 3.0, 0.0), np.exp(-3 * APART)
    q = np.full(6, 1 / 6)
    for answer in of.relaxed(1.0, 300):
        assert_allclose(answer, q, rtol=0, atol=1e-12)
        q = q * (K.T @ (SIX / (K @ q)))
    assert_allclose(of.optimum, q, rtol=0, atol=1e-12)


def test_of_two_letters_the_rate_is_that_of_the_books():
    def entropy(x):
        return -x * np.log(x) - (1 - x) * np.log(1 - x)

    for s in (1.5, 3.0, 5.0):
        of = tradeoff("kl", s, 0.0, QUARTER, HAMMING)
        rate, D, _ = of.point(of.best_channel)
        assert_allclose(D, 1 / (1 + np.exp(s)), atol=1e-10)
        assert_allclose(rate, entropy(0.25) - entropy(D), atol=1e-10)
    of = tradeoff("kl", 0.9, 0.0, QUARTER, HAMMING)  # so cheap an error that nothing is said
    assert_allclose(of.point(of.best_channel)[:2], (0, 0.25), atol=1e-9)


@pytest.mark.parametrize(("P", "D"), [(0.0, 0.1), (0.02, 0.05), (0.1, 0.2), (0.3, 0.08)])
def test_the_closed_form_of_two_letters_is_that_of_a_conic_solver(P, D):
    for p in (0.1, 0.4):
        found = conic(np.array([1 - p, p]), HAMMING, "tv", D=D, P=P)[1]
        assert_allclose(binary_rate(p, D, P), found, atol=1e-9)


@pytest.mark.parametrize("delta", [1e-2, 1e-4])
def test_smoothed_total_variation_lies_on_the_closed_form(delta):
    for s, t in ((2.0, 0.5), (2.0, 0.3), (3.0, 0.2)):
        of = tradeoff("tv", s, t, QUARTER, HAMMING, delta)
        Q = of.best_channel
        rate, D, _ = of.point(Q)
        P = np.abs(QUARTER - QUARTER @ Q).sum() / 2
        assert_allclose(rate, binary_rate(0.25, D, P), atol=1e-9)


def test_smoothing_costs_no_more_than_it_may():
    delta, t = 1e-3, 0.5
    of = tradeoff("tv", 1.0, t, delta=delta)
    rate, D, _ = of.point(of.best_channel)
    P = np.abs(SIX - of.optimum).sum() / 2
    above = rate + D + t * P - conic(SIX, APART, "tv", 1.0, t)[0]
    assert -1e-9 < above <= t * 6 * delta / 2


@pytest.mark.parametrize(
    ("kind", "least", "works", "fails"), [("kl", -2.1, 0.5, 1.0), ("chi2", -5.1, 0.2, 0.5)]
)
def test_the_eigenvalue_tells_which_damping_works(kind, least, works, fails):
    of = tradeoff(kind, 1.0, 3.0)
    assert_allclose(of.least_eigenvalue, least, atol=0.1)
    assert works < of.largest_damping < fails
    h = 1e-6
    slopes = [
        (of.image(of.optimum + e) - of.image(of.optimum - e)) / (2 * h) for e in h * np.eye(6)
    ]
    assert_allclose(of.jacobian(of.optimum), np.transpose(slopes), atol=1e-8)
    assert_allclose(of.relaxed(works, 500)[-1], of.optimum, atol=1e-12)
    near = of.optimum + 1e-6 * np.array([1, -1, 1, -1, 1, -1])
    for damping, ends in ((0.99, True), (1.01, False)):
        end = of.relaxed(damping * of.largest_damping, 3000, near)[-1]
        assert (np.abs(end - of.optimum).max() < 1e-9) == ends
    end = of.relaxed(fails, 1000)[-1]
    assert not np.abs(end - of.optimum).max() < 1e-2


# ---- The lesson: what the perception is of
# ----------------------------------------------------------


@pytest.mark.parametrize(("s", "t", "least"), [(1.0, 3.0, 1e-3), (3.0, 1.0, 3e-4)])
def test_perception_of_the_prior_is_a_lower_bound_and_no_more(s, t, least):
    """D_f(p||q) of the prior q makes a sum of functions of q, so tempting for a network."""
    of, K = tradeoff("kl", s, t), np.exp(-s * APART)
    q = np.full(6, 1 / 6)
    for _ in range(20_000):
        q = (q * (K.T @ (SIX / (K @ q))) + t * SIX) / (1 + t)
    tempting = -SIX @ np.log(K @ q) + t * KL().value(SIX, q)
    Q = q * K / (K @ q)[:, None]
    true = of.value(of.best_channel)
    assert tempting < true - least
    assert of.value(Q) > true + least


# ---- Problems
# ---------------------------------------------------------------------------------------


def test_the_gradient_is_that_of_the_value():
    problem = letters(kind="rate_distortion", slope=3.0)
    rng, h = np.random.default_rng(5), 1e-6
    for x in (*rng.dirichlet(np.ones(6), 3), np.zeros(6), 0.02 * rng.standard_normal(6)):
        steps = h * np.eye(6)
        central = [(problem.value(2, x + e) - problem.value(2, x - e)) / (2 * h) for e in steps]
        assert_allclose(problem.gradient(2, x), central, atol=1e-6)
        slopes = [
            (problem.mean_operator(x + e) - problem.mean_operator(x - e)) / (2 * h) for e in steps
        ]
        assert_allclose(problem.hessian(x), slopes, atol=1e-5)


def test_the_divergence_is_what_the_value_says_without_its_cancellation():
    problem = letters(kind="rate_distortion", slope=3.0)
    rng = np.random.default_rng(6)
    for size in (1.0, 1e-2, 1e-5):
        for x in (*rng.dirichlet(np.ones(6), 3), np.zeros(6)):
            y = x + size * rng.standard_normal(6)
            plain = (
                problem.mean_value(y) - problem.mean_value(x) - problem.mean_operator(x) @ (y - x)
            )
            assert_allclose(problem.divergence(y, x), plain, rtol=1e-9, atol=1e-13)
            half = (y - x) @ problem.hessian(x) @ (y - x) / 2
            if size == 1e-5 and x.any():
                assert_allclose(problem.divergence(y, x), half, rtol=1e-3)


def test_L_and_mu_hold():
    problem = letters(kind="rate_distortion", slope=3.0)
    Problem.from_objectives(
        [_Node(problem, i) for i in range(10)], None, problem.node_L, 6, problem.tradeoff.optimum
    )
    rng = np.random.default_rng(7)
    for q in rng.dirichlet(np.ones(6), 20):
        for i in range(3):
            one = rate_distortion(problem.model.p[[i]], APART, 3.0)
            one = replace(one, model=one.model._replace(edge=problem.model.edge))
            ends = np.linalg.eigvalsh(one.hessian(q))
            assert problem.mu <= ends[0] * (1 + 1e-9)
            assert ends[-1] <= problem.node_L[i] * (1 + 1e-9)


class _Node:
    def __init__(self, problem, i):
        self.problem, self.i = problem, i

    def value(self, x):
        return self.problem.value(self.i, x)

    def gradient(self, x):
        # Stationary on the simplex: the multiplier, 1, is taken off.
        return self.problem.gradient(self.i, x) + 1


def test_the_continuation_leaves_the_minimiser():
    for distortion in ("hamming", "absolute", "squared"):
        for s in (0.3, 1.0, 4.0):
            problem = letters(kind="rate_distortion", distortion=distortion, slope=s)
            assert (problem.model.K @ problem.tradeoff.optimum > problem.model.edge).all()


def test_the_operator_is_its_definition():
    for kind in DIVERGENCES:
        perception = {"kind": kind, "slope": 0.7, **({"delta": 0.01} if kind == "tv" else {})}
        problem = letters(kind="rate_distortion_perception", perception=perception)
        of = problem.tradeoff
        rng = np.random.default_rng(8)
        for _ in range(3):
            q, pi = rng.dirichlet(np.ones(6), 2)
            tilt = 0.7 * slope(of.divergence, pi, q)
            A = q * np.exp(-of.slope * APART - (tilt - tilt.min()))
            T = problem.model.p[4] @ (A / A.sum(axis=1, keepdims=True))
            expected = np.concatenate([q - T, pi - problem.model.p[4]])
            assert_allclose(problem.gradient(4, np.concatenate([q, pi])), expected, atol=1e-14)
        assert np.abs(problem.mean_operator(problem.x_star)).max() < 1e-14
        beside = problem.x_star - 0.3
        assert np.isfinite(problem.gradient(4, beside)).all()


def test_a_problem_says_how_long_a_step_may_be():
    problem = perceiving(weight=3.0)
    least, limit = problem.tradeoff.least_eigenvalue, problem.tradeoff.largest_damping
    assert_allclose((problem.L, limit), (1 - least, 2 / (1 - least)))
    shown = np.floor(100 * limit) / 100
    assert f"least eigenvalue {least:.2f}; use steps below {shown:g}," in str(problem)
    order = np.arange(10)[::-1]
    assert_allclose(
        problem.relabelled(order).gradients(np.tile(problem.x_star, (10, 1))),
        problem.gradients(np.tile(problem.x_star, (10, 1)))[order],
    )


# ---- Decentralised
# ----------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_nodes_find_what_blahut_arimoto_finds(graph):
    """t = 0, as a convex problem with the simplex for a local step."""
    smooth = letters(kind="rate_distortion", slope=3.0)
    problem, q = smooth.with_local_step(make("simplex", 6)), smooth.tradeoff.optimum
    assert_allclose(problem.x_star, q, atol=1e-11)
    methods = ["nids", "pg_extra", "prox_ed", "sonata"]
    result = simulate(problem, GRAPHS[graph], methods, stop={"time": 9000, "accuracy": 1e-20})
    for name in methods:
        assert rms(result.states[name, 0]["x"], q) < 1e-8
    assert not result.runs.experimental.any()
    ends = result.curves.groupby("algorithm").suboptimality.last()
    assert ((ends >= 0) & (ends < 1e-15)).all()


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize(
    ("kind", "s", "t", "step"),
    [("kl", 1.0, 0.3, 0.5), ("chi2", 1.0, 3.0, 0.2), ("hellinger2", 1.0, 3.0, 0.5)],
)
def test_the_nodes_find_what_the_newton_alternation_finds(graph, kind, s, t, step):
    problem = perceiving(kind, t, slope=s)
    methods = ["gradient_tracking", "exact_diffusion", "d2"]
    asked = [{"name": name, "parameters": {"step": step}} for name in methods]
    result = simulate(problem, GRAPHS[graph], asked, stop={"time": 9000, "accuracy": 1e-20})
    assert list(result.runs.status) == ["converged"] * 3
    assert result.runs.experimental.all()
    for name in methods:
        X = result.states[name, 0]["x"]
        assert rms(X[:, :6], problem.tradeoff.optimum) < 1e-8
        assert rms(X[:, 6:], problem.tradeoff.p) < 1e-8


def test_without_tracking_the_nodes_do_not_agree():
    problem = perceiving()
    q = problem.tradeoff.optimum
    asked = [
        {"name": name, "parameters": {"step": 0.5}}
        for name in ("gradient_tracking", "dgd", "atc_diffusion", "d_psgd")
    ]
    result = simulate(problem, GRAPHS["cycle"], asked, time=2500)
    found = {name: rms(result.states[name, 0]["x"][:, :6], q) for name, _ in result.states}
    assert found.pop("gradient_tracking") < 1e-8
    assert min(found.values()) > 0.1
    alone = [replace(problem.tradeoff, p=p).optimum for p in problem.model.p]
    assert rms(np.array(alone), q) > 0.3


@pytest.mark.parametrize(("share", "ends"), [(0.9, True), (1.1, False)])
def test_the_limit_is_that_of_the_network_too(share, ends):
    """Past the problem, which refuses such a step: as plain operators."""
    problem = perceiving(weight=3.0)
    functions = [lambda z, i=i: problem.gradient(i, z) for i in range(10)]
    plain = Problem.from_operators(functions, 12, z_star=problem.x_star)
    step = share * problem.tradeoff.largest_damping
    asked = [{"name": "gradient_tracking", "parameters": {"step": step}}]
    start = {"kind": "normal", "scale": 0.1}
    result = simulate(plain, nx.complete_graph(10), asked, time=1500, start=start)
    assert (rms(result.states["gradient_tracking", 0]["x"], problem.x_star) < 1e-8) == ends


# ---- The scenario
# -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report():
    return rate_distortion_report(simulate(load_scenario(shipped.scenarios()[SCENARIO])))


def test_the_nodes_agree_with_tracking_alone(report):
    """The lesson: on the q of all letters together, which no node finds alone or by averaging."""
    with_tracking = [report.found[name] for name in ("gradient_tracking", "exact_diffusion")]
    for q in with_tracking:
        assert rms(q, report.optimum) < 1e-8
        assert np.ptp(q, axis=0).max() < 1e-8
    for q in (report.alone, report.found["DGD, without tracking"]):
        assert rms(q, report.optimum) > 0.1
        assert np.ptp(q, axis=0).max() > 0.2
    assert report.weight == 0.3
    assert report.divergence == "kl"


def test_the_curves_are_those_of_the_closed_form(report):
    for curve, closed in zip(report.binary, report.closed, strict=True):
        assert_allclose(curve.rate, closed, atol=1e-9)
    rates = [np.interp(0.2, c.distortion[::-1], c.rate[::-1]) for c in report.binary]
    assert (np.diff(rates) > 1e-3).all()  # likeness has its price
    unlike = [np.interp(0.5, c.distortion[::-1], c.perception[::-1]) for c in report.curves]
    assert (np.diff(unlike) < 0).all()
    own = next(curve for curve in report.curves if curve.weight == 0.3)
    assert_allclose(
        np.interp(report.point.distortion, own.distortion[::-1], own.rate[::-1]),
        report.point.rate,
        rtol=0.02,
    )
    figure = rate_distortion_figure(report, Look(algorithms=["gradient_tracking"], title="R"))
    drawn = [axes for axes in figure.axes if axes.axison]
    assert [len(axes.lines) for axes in drawn] == [9, 5, 5, 11, 11]
    assert [axes.get_title() for axes in drawn[3:]] == [
        "Nodes alone",
        "Gradient tracking (experimental)",
    ]


def test_the_figure_is_of_rates_alone():
    problem = {"kind": "rate_distortion", "slope": 2.0, "data": LETTERS}
    scenario = {
        "name": "rates",
        "problem": problem,
        "local_step": {"prox": {"kind": "simplex"}},
        "network": {"graph": "cycle", "nodes": 4},
        "algorithms": ["nids"],
        "stop": {"time": 50},
    }
    result = simulate(scenario)
    report = rate_distortion_report(result)
    assert [curve.weight for curve in report.curves] == [0.0]
    assert draw(result, kind="rate_distortion").axes
    averaging = {"kind": "averaging", "data": LETTERS}
    result = simulate({**scenario, "problem": averaging, "local_step": None})
    with pytest.raises(InputError, match="problem averaging has no rates"):
        draw(result, kind="rate_distortion")


def test_run_leaves_the_figure_and_says_the_limit(tmp_path):
    changes = ["stop.time=40", "algorithms=[{name: gradient_tracking, parameters: {step: 0.5}}]"]
    changes.append("figures=[{file: rate-distortion.png, kind: rate_distortion}]")
    sets = [part for change in changes for part in ("--set", change)]
    done = CliRunner().invoke(app, ["run", SCENARIO, "--out", str(tmp_path / "r"), *sets])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "r/figures/rate-distortion.png").is_file()
    assert "use steps below" in done.output


def test_the_papers_are_cited():
    found = list(references_of(load_scenario(shipped.scenarios()[SCENARIO])))
    assert found == ["serra2024alternating"]
    for key in (*found, "blahut1972computation"):
        assert entry(key).startswith(f"@article{{{key},")


# ---- Errors
# -----------------------------------------------------------------------------------------


def test_a_step_that_is_too_long_is_refused():
    asked = [{"name": "gradient_tracking", "parameters": {"step": 1.0}}]
    limit = perceiving(weight=3.0).tradeoff.largest_damping
    with pytest.raises(InputError) as caught:
        simulate(perceiving(weight=3.0), GRAPHS["cycle"], asked, time=5)
    assert str(caught.value).startswith(
        "algorithms: gradient_tracking: perception.slope: 3 makes the fixed-point map expansive "
        "(eigenvalue -1."
    )
    assert str(caught.value).endswith(f"; use step below {np.floor(100 * limit) / 100:g}")


def _refused(**section):
    with pytest.raises((InputError, ValueError)) as caught:
        letters(**{"kind": "rate_distortion_perception", **section})
    return str(caught.value)


def test_what_cannot_be_asked_is_refused():
    assert "tv is not smooth; give delta" in _refused(perception={"kind": "tv", "slope": 1.0})
    smooth = {"kind": "kl", "slope": 1.0, "delta": 0.1}
    assert "kl is smooth; leave it out" in _refused(perception=smooth)
    few = {"kind": "letters", "letters": 6, "samples_per_node": 1, "smoothing": 0.0}
    perception = {"kind": "reverse_kl", "slope": 1.0}
    said = _refused(perception=perception, data=few, nodes=2)
    assert "data.letters: no node ever sees letter" in said
    assert "D_f may be infinite; add smoothing" in said
    points = {"kind": "synthetic", "dim": 4}
    said = _refused(perception=perception, data=points)
    assert "those of node 0 are no frequencies of letters" in said


@pytest.mark.parametrize("nodes", [2, 10**9])
def test_what_has_no_room_is_refused_before_it_is_built(nodes):
    data = {"kind": "letters", "letters": 10**7, "samples_per_node": 5}
    for kind in (RateDistortionKind, PerceptionKind):
        spec = kind.model_construct(data=LettersData(**data), kind="any")
        with pytest.raises(InputError, match=r"(data\.letters|nodes): .* of memory"):
            build_problem(spec, nodes, np.random.default_rng(0))


def test_a_letter_that_one_node_never_sees_leaves_no_mu():
    data = {"kind": "letters", "letters": 6, "samples_per_node": 3, "smoothing": 0.0}
    problem = letters(kind="rate_distortion", data=data).with_local_step(make("simplex", 6))
    with pytest.raises(InputError, match=r"letters: node \d never sees letter \d, so that mu = 0"):
        _ = problem.mu
    assert problem.problem_class == "convex"
    with pytest.raises(InputError, match=r"D_f|never sees|mu"):
        simulate(problem, GRAPHS["cycle"], ["dadao"], time=5)


@pytest.mark.parametrize("kind", SMOOTH)
def test_a_letter_that_one_node_never_sees_does_no_harm_to_perception(kind):
    """D_f is of the mean p, which has them all: a node's own zeros are in no quotient."""
    data = {"kind": "letters", "letters": 6, "samples_per_node": 3, "smoothing": 0.0}
    problem = letters(
        kind="rate_distortion_perception", data=data, perception={"kind": kind, "slope": 0.3}
    )
    assert (problem.model.p == 0).any(axis=1).all()
    assert np.isfinite(problem.gradients(np.tile(problem.x_star, (10, 1)))).all()
    assert np.abs(problem.mean_operator(problem.x_star)).max() < 1e-14


def test_without_the_simplex_there_is_no_minimiser():
    with pytest.raises(InputError, match=r"add local_step: \{prox: \{kind: simplex\}\}"):
        simulate(letters(kind="rate_distortion"), GRAPHS["cycle"], ["nids"], time=5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([[1.0, 2.0]], [[0.0]], 1.0), "distortion: shape (1, 1) given"),
        (([1.0, 2.0], np.eye(2), 1.0), "frequencies: shape (2,) given"),
        (([[1.0, -2.0]], np.eye(2), 1.0), "frequencies: those of node 0 are no frequencies"),
        (([[1.0, 2.0]], np.eye(2), 0.0), "slope: "),
    ],
)
def test_what_is_given_in_python_is_checked(arguments, said):
    with pytest.raises(InputError) as caught:
        rate_distortion(*arguments)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("slope", "weight", "said"),
    [
        (-1.0, 1.0, "slope: "),
        (np.nan, 1.0, "slope: "),
        (1.0, -1.0, "weight: -1 given; a finite number of at least 0 is needed"),
        (1.0, np.nan, "weight: nan given"),
        (1.0, np.inf, "weight: inf given"),
        (1.0, "1", "weight: "),
    ],
)
def test_prices_that_are_none_are_refused(slope, weight, said):
    with pytest.raises(InputError) as caught:
        rate_distortion_perception(np.ones((2, 3)), 1 - np.eye(3), slope, weight, KL())
    assert str(caught.value).startswith(said)


def test_what_was_not_found_is_not_measured_against():
    """So cheap is distortion without perception that the alternation takes millions of steps."""
    perception = {"kind": "kl", "slope": 0.0}
    problem = letters(kind="rate_distortion_perception", slope=1e-3, perception=perception)
    asked = [{"name": "gradient_tracking", "parameters": {"step": 0.5}}]
    with pytest.raises(
        InputError, match=r"slope: 0\.001, with perception\.slope 0: no fixed point"
    ):
        simulate(problem, GRAPHS["cycle"], asked, time=5)
    problem = letters(
        kind="rate_distortion_perception", slope=1e-3, perception={"kind": "kl", "slope": 0.1}
    )
    assert np.abs(problem.mean_operator(problem.x_star)).max() < 1e-15


def test_counts_will_do_for_frequencies():
    counts = np.array([[3, 1, 4], [1, 5, 9]])
    one = rate_distortion_perception(counts, 1 - np.eye(3), 2.0, 1.0, KL())
    other = rate_distortion_perception(
        counts / counts.sum(axis=1)[:, None], 1 - np.eye(3), 2.0, 1.0, KL()
    )
    assert_allclose(one.x_star, other.x_star, rtol=1e-12)
    assert_allclose(one.tradeoff.p.sum(), 1)
