"""Learning convex surrogates: of a meeting's value by either labels, and of functions of Python."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learning a surrogate needs torch")

from cases import lollipop  # noqa: E402

from dadao_sim import load_scenario, simulate  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.learning import learn_meeting, learn_surrogate, surrogates  # noqa: E402
from dadao_sim.learning.augmented_lagrangian import (  # noqa: E402
    SolutionRecipe,
    corrected,
    falls,
    learn_solutions,
)
from dadao_sim.learning.convex_fit import FitRecipe, Samples, fit  # noqa: E402
from dadao_sim.problems.kinds.convex_surrogate import load_surrogate  # noqa: E402
from dadao_sim.problems.kinds.meeting import PLANE, MeetingKind  # noqa: E402
from dadao_sim.scenario.reading import scenario_from_mapping  # noqa: E402

KIND = MeetingKind(kind="meeting")
PROGRAMME = KIND.form.programme()
QUICK = FitRecipe(samples=2000, iterations=300)
SMALL = SolutionRecipe(widths=(96, 96, 96), samples=2048, batch=512, steps=250)
TINY = FitRecipe(units=8, samples=64, iterations=5)


def uniform(count, seed, box=KIND.box):
    return np.random.default_rng(seed).uniform(box[:, 0], box[:, 1], (count, len(box)))


def midpoint_gap(V):
    a, b = uniform(20_000, 1, 2 * KIND.box), uniform(20_000, 2, 2 * KIND.box)
    return float(((V.values(a) + V.values(b)) / 2 - V.values((a + b) / 2)).min())


@pytest.fixture(scope="module")
def samples():
    return surrogates._solved(PROGRAMME, uniform(QUICK.samples, 3))


@pytest.mark.slow
def test_a_fresh_surrogate_is_near_the_value_and_convex_and_free_signs_are_not(samples):
    learned = learn_meeting(KIND, recipe=QUICK)
    assert learned.errors.value <= 0.04
    assert learned.errors.slope <= 0.05
    assert abs(learned.errors.bias) < 0.1
    assert midpoint_gap(learned.surrogate) >= -1e-12
    mu, L = learned.bounds
    assert PROGRAMME.curvature(PLANE)[0] <= mu < L < 10
    free = fit(samples, KIND.box, PLANE, recipe=QUICK, signs=lambda raw: raw)
    assert midpoint_gap(free) < -0.1
    assert free.w.min() < 0


@pytest.mark.slow
def test_solutions_learned_without_any_come_closer_in_every_round():
    held_out = uniform(200, 4)
    inputs, rounds = learn_solutions(PROGRAMME, KIND.box, held_out, recipe=SMALL)
    values = [PROGRAMME.objective(PROGRAMME.solve(theta).u, theta) for theta in held_out]
    assert len(rounds) == 10
    assert falls([one.violation for one in rounds]) >= 8
    assert rounds[-1].gap <= 0.05 * np.mean(values)
    assert rounds[-1].worst_violation < rounds[0].worst_violation / 3
    # What is taken for a label is corrected: fewer violations, at a larger gap.
    u = inputs(held_out)
    violations = [PROGRAMME.violation(*pair) for pair in zip(u, held_out, strict=True)]
    assert np.mean(violations) < rounds[-1].violation
    found = [PROGRAMME.objective(*pair) for pair in zip(u, held_out, strict=True)]
    assert np.mean(found) == pytest.approx(np.mean(values), rel=0.05)
    again = corrected(PROGRAMME, u, held_out, 200)
    assert max(PROGRAMME.violation(*pair) for pair in zip(again, held_out, strict=True)) < max(
        violations
    )


def test_rounds_are_reported_as_they_are():
    """A network that answers the solutions has no gap, no violation and no residual."""
    points = uniform(20, 5)
    solved = [PROGRAMME.solve(theta).u for theta in points]
    from dadao_sim.learning.augmented_lagrangian import _round

    exact = _round(PROGRAMME, np.array(solved), points, solved)
    assert exact.gap == exact.distance == 0
    assert max(exact.violation, exact.worst_violation) < 1e-12
    assert exact.residual < 1e-9
    off = _round(PROGRAMME, np.array(solved) + 0.1, points, solved)
    assert off.distance == pytest.approx(0.1 * np.sqrt(12))
    assert off.worst_violation > off.violation > 0.05
    assert off.gap > 0


@pytest.mark.parametrize("labels", ["solver", "self"])
def test_the_seed_decides_every_bit(labels):
    tiny = SolutionRecipe(widths=(8,), samples=64, batch=16, rounds=2, steps=3)
    threads = torch.get_num_threads()
    found = []
    for seed, count in ((1, 1), (1, 2), (2, 1)):
        torch.set_num_threads(count)
        one = learn_meeting(KIND, labels, seed=seed, recipe=TINY, of_solutions=tiny)
        found.append(one.surrogate)
    torch.set_num_threads(threads)
    assert_array_equal(found[0].a, found[1].a)
    assert found[0].c == found[1].c
    assert not np.array_equal(found[0].a, found[2].a)


def test_the_command_writes_what_a_scenario_reads(dadao_sim, monkeypatch):
    tiny = SolutionRecipe(widths=(8,), samples=64, batch=16, rounds=2, steps=3)
    quick = partial(learn_meeting, recipe=TINY, of_solutions=tiny)
    monkeypatch.setattr(surrogates, "learn_meeting", quick)
    command = "learn-surrogate systems/meeting --labels self --out mine.npz --set problem.horizon=4"
    code, printed, said = dadao_sim(*command.split())
    assert code == 0, said
    assert "KKT residual" in printed
    assert "certified: mu = " in printed + said
    V, metadata = load_surrogate("mine.npz")
    assert metadata["command"] == (
        "dadao-sim learn-surrogate systems/meeting --labels self --out mine.npz --seed 0 "
        "--set problem.horizon=4"
    )
    assert metadata["form"]["horizon"] == 4
    assert len(metadata["rounds"]) == 2
    assert V.dimension == PLANE
    loaded = scenario_from_mapping(
        {
            "name": "mine",
            "problem": {"kind": "meeting", "horizon": 4, "oracle": {"surrogate": "mine.npz"}},
            "network": {"graph": "cycle", "nodes": 5},
            "algorithms": ["pg_extra"],
            "stop": {"time": 5},
        }
    )
    result = simulate(loaded)
    assert np.isfinite(result.curves["suboptimality"]).all()


# ---- Functions of Python -------------------------------------------------------------------------

BOX = np.array([[-3.0, 3.0], [-2.0, 2.0], [0.5, 1.5]])


def to_a_box(theta):
    """min_z 2 |x - z|^2 + |x|^2/4 with |z_j| <= k, x = theta[:2] and k = theta[2]."""
    x, k = theta[:2], theta[2]
    return float(2 * (np.maximum(np.abs(x) - k, 0) ** 2).sum() + x @ x / 4)


def slope_to_a_box(theta):
    beyond = np.maximum(np.abs(theta[:2]) - theta[2], 0)
    return np.array([*(4 * np.sign(theta[:2]) * beyond + theta[:2] / 2), -4 * beyond.sum()])


def huber(theta):
    """Curved within, and straight beyond."""
    size = np.abs(theta)
    return float(np.where(size <= 1, theta**2 / 2, size - 0.5).sum())


@pytest.mark.slow
@pytest.mark.parametrize("gradient", [None, slope_to_a_box], ids=["values", "gradients"])
def test_a_function_of_a_parameter_is_learned(gradient):
    learned = learn_surrogate(
        to_a_box, BOX, gradient=gradient, dimension=2, floor=0.5, recipe=QUICK
    )
    assert learned.errors.value < 0.02
    assert learned.errors.slope < 0.05
    mu, L = learned.bounds
    assert 0.5 <= mu * (1 + 1e-9)
    assert 4.5 < L < 10  # both ends count, though no point is at both
    V, theta = learned.surrogate, np.array([0.4, -1.0, 0.9])
    assert V.values(theta[None])[0] == pytest.approx(to_a_box(theta), abs=0.1)
    # Seven nodes with targets of their own: the optimum of the sum of V is near that of f.
    targets = np.random.default_rng(0).uniform(-1, 1, (7, 2))
    problem = learned.problem(np.hstack([-targets, np.ones((7, 1))]))
    scenario = load_scenario(
        "quickstart", ["algorithms=[pg_extra, dadao]", "stop.accuracy=1e-12", "repeats=1"]
    )
    result = simulate(scenario, problem=problem, network=lollipop())
    assert (result.runs["status"] == "converged").all()
    slopes = np.mean([slope_to_a_box(np.r_[problem.x_star - t, 1.0])[:2] for t in targets], axis=0)
    assert np.linalg.norm(slopes) < 0.1


def test_what_is_curved_most_within_is_not_come_near_to():
    learned = learn_surrogate(huber, [[-3, 3]] * 2, recipe=QUICK)
    assert learned.errors.value == pytest.approx(0.11, rel=0.2)
    assert learned.errors.slope == pytest.approx(0.24, rel=0.2)
    assert learned.bounds[0] == 0  # what was left of a mu is too small to count


def test_an_affine_scale_changes_little():
    """Thousands instead of units, of theta and of the value, and far from 0."""
    near = learn_surrogate(lambda t: float(t @ t), [[-1, 1]] * 2, recipe=QUICK)
    far = learn_surrogate(
        lambda t: float(1e5 + 1e4 * ((t - 7e3) ** 2).sum() / 1e6), [[6e3, 8e3]] * 2, recipe=QUICK
    )
    assert max(near.errors.value, far.errors.value) < 2e-3
    assert_allclose(far.bounds, np.array(near.bounds) * 1e4 / 1e6, rtol=0.1)


@pytest.mark.parametrize(
    ("f", "box", "options", "reason"),
    [
        (lambda t: float(np.sin(3 * t).sum()), [[-2, 2]], {}, "f: is not convex: half way between"),
        (lambda t: 1 / 0, [[0, 1]], {}, "f"),
        (lambda t: "much", [[0, 1]], {}, "f: "),
        (lambda t: np.nan, [[0, 1]], {}, "f: is nan at"),
        (lambda t: float(t @ t), [0, 1], {}, r"box: has shape \(2,\)"),
        (lambda t: float(t @ t), [[1, 0]], {}, "box: is empty or infinite"),
        (lambda t: float(t @ t), [[0, 1]], {"dimension": 2}, "dimension: 2 given"),
        (lambda t: float(t @ t), [[0, 1]], {"floor": -1.0}, "floor: -1 given"),
        (
            lambda t: float(t @ t),
            [[0, 1]],
            {"floor": 3.0},
            r"floor: 3 given, and f less 3 \|x\|\^2/2 is not convex; give a smaller one",
        ),
        (3, [[0, 1]], {}, "f: 3 given; give a function"),
        (lambda t: float(t @ t), [[0, 1]], {"gradient": 3}, "gradient: 3 given; give a function"),
        (lambda t: float(t @ t), [[0, 1]], {"gradient": lambda t: t * np.nan}, "gradient: is .nan"),
        (lambda t: float(t @ t), [[0, 1]], {"seed": -1}, "seed: -1 given; a whole number >= 0"),
        (lambda t: float(t @ t), [[0, 1]], {"gradient": lambda t: [1.0, 2.0]}, "gradient"),
    ],
)
def test_what_cannot_be_learned_is_said(f, box, options, reason):
    with pytest.raises(InputError, match=reason) as refused:
        learn_surrogate(f, box, recipe=TINY, **options)
    assert "\n" not in str(refused.value)


def test_a_recipe_of_nothing_is_refused():
    with pytest.raises(InputError, match="recipe: units: 0 given; a whole number >= 1 is needed"):
        FitRecipe(units=0)


def test_labels_of_neither_sort_are_refused():
    with pytest.raises(InputError, match="labels: 'both' given; use solver or self"):
        learn_meeting(KIND, "both", recipe=TINY)


def test_a_constant_function_is_no_division_by_zero():
    samples = Samples(uniform(64, 0), np.ones(64), np.zeros((64, 2)))
    V = fit(samples, KIND.box, PLANE, floor=0.1, recipe=TINY)
    assert np.isfinite(V.a).all()
    assert V.bounds[0] >= 0.1 * (1 - 1e-9)
