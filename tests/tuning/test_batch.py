"""A batch of constants gives what its runs give one by one, byte for byte, or there is none."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tuning_cases import small

from dadao_sim.algorithms.contract.registry import METHODS, register
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError
from dadao_sim.problems.data.magnitudes import MagnitudesData
from dadao_sim.problems.kinds.phase_retrieval import phase_retrieval_problem
from dadao_sim.simulation.measures import Errors
from dadao_sim.simulation.study import Study
from dadao_sim.tuning import evaluate as evaluating
from dadao_sim.tuning.batch import Accuracies, structure
from dadao_sim.tuning.evaluate import Task, evaluate
from dadao_sim.tuning.tune import tune

TUNABLE = [name for name in METHODS.ours if METHODS[name].tunable]
OF_ROUNDS = [name for name in TUNABLE if isinstance(METHODS[name], RoundMethod)]
# Two keep a table, or notes, of one run; the other makes as many rounds of gossip as its constants
# say.
ONE_BY_ONE = {"gt_saga", "apm_c", "irls"}
# Another probability is another coin, and here all have another number of rounds of gossip.
APART = {"scaffnew", "mudag"}
# Different in the last two, so that nothing is stacked by chance.
EXPONENTS = (-0.5, 0.0, 0.25, 7.0)


def tasks(scenario, *, points=None):
    """The same task played as batches, and one run by one."""
    spec, parts = scenario.algorithms[0], Study(scenario).parts(0)
    names = METHODS[spec.name].tunable
    if points is None:
        points = tuple((x, -x)[: len(names)] for x in EXPONENTS)
    together = Task(scenario, spec, 0, parts, names, points)
    return together, replace(together, alone=True)


@pytest.fixture
def batches(monkeypatch):
    """Whether each batch that was tried could be played."""
    played, play = [], evaluating.play_batch

    def spy(plans):
        ends = play(plans)
        played.append(ends is not None)
        return ends

    monkeypatch.setattr(evaluating, "play_batch", spy)
    return played


@pytest.mark.parametrize("name", OF_ROUNDS)
def test_a_batch_is_its_runs_one_by_one(name, batches):
    together, alone = tasks(small(name))
    assert evaluate(together) == evaluate(alone)
    if name in ONE_BY_ONE:
        assert not any(batches)
    elif name not in APART:
        assert batches == [True]


@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        ({"name": "dgd", "schedule": {"kind": "power"}}, {}),
        ({"name": "d_psgd", "batch_size": 2}, {}),
        ({"name": "exact_diffusion", "chebyshev": 2, "mixing": "lazy_metropolis"}, {}),
        ({"name": "gradient_tracking"}, {"world": {"preset": "edge_devices"}}),
        ({"name": "pg_extra"}, {"local_step": {"prox": {"kind": "l1", "strength": 0.1}}}),
        (
            {"name": "dgd"},
            {"network": {"sequence": {"graph": "random_geometric", "nodes": 7, "length": 3}}},
        ),
        ({"name": "extra"}, {"network": {"graph": "cycle", "nodes": 201}}),  # a sparse W
    ],
)
def test_whatever_is_chosen_of_a_method(algorithm, changes, batches):
    together, alone = tasks(small(algorithm, **changes))
    assert evaluate(together) == evaluate(alone)
    assert batches == [True]


def test_runs_that_end_early_leave_the_others_as_they_are(batches):
    points = tuple((x / 4,) for x in range(-8, 12))
    together, alone = tasks(
        small("exact_diffusion", stop={"time": 200, "accuracy": 1e-3}), points=points
    )
    found = evaluate(together)
    assert found == evaluate(alone)
    assert {row["status"] for row in found} >= {"converged", "diverged"}
    assert len({row["time"] for row in found}) > 4


def mixes_at_once(s, c, nodes, W):
    """A mean over the first axis: of the nodes in one run, of the runs in a batch."""
    s.x = W(s.x) - c.step * nodes.gradients(s.x) + 0 * s.x.mean(axis=0)
    s.x = s.x - 0.1 * s.x.mean(axis=0)


def mixes_later(s, c, nodes, W):
    """From the tenth round on each run feels the others of its batch."""
    s.x = W(s.x) - c.step * nodes.gradients(s.x)
    if nodes.round >= 10:
        s.x = s.x * (1 - 1e-3 * np.tanh(np.abs(s.x).max()))


def fails_later(s, c, nodes, W):
    """A branch that a batch cannot take."""
    s.x = W(s.x) - c.step * nodes.gradients(s.x)
    if nodes.round >= 10 and c.step > 0:
        s.x = s.x * 0.999


@pytest.fixture
def mine():
    """Register a method like DGD with another step, and forget it afterwards."""

    def make(step, **changes):
        register(
            replace(METHODS["dgd"], name="mine", title="Mine", look=None, step=step, **changes)
        )

    yield make
    del METHODS["mine"]


@pytest.mark.parametrize("step", [mixes_at_once, fails_later])
def test_a_step_that_does_not_broadcast_is_played_one_by_one(step, mine, batches):
    mine(step)
    together, alone = tasks(small("mine"))
    assert evaluate(together) == evaluate(alone)
    assert batches == [False]


def test_a_step_that_says_so_is_never_tried(mine, batches):
    mine(mixes_later, broadcasts=False)
    together, alone = tasks(small("mine"))
    assert evaluate(together) == evaluate(alone)
    assert batches == []


def test_a_step_that_mixes_up_its_runs_unsaid_is_found_out(mine):
    mine(mixes_later)
    with pytest.raises(InputError) as caught:
        tune(small("mine"), budget=16)
    assert str(caught.value) == (
        "mine: its step plays several runs at once otherwise than one by one; "
        "declare broadcasts=False"
    )


def test_what_has_an_optimum_of_its_own_is_played_alone():
    scenario = small("dadao")
    study = Study(scenario)
    assert structure(study.plan(("dadao", 0))) is None


@pytest.mark.parametrize("known", [True, False])
def test_the_accuracy_is_that_of_a_run_with_several_solutions_or_none(known):
    """The nearest of x* and -x* for a whole network, each run of a batch for itself."""
    A, y, signal = MagnitudesData(kind="magnitudes", dim=3, samples_per_node=9).read(
        4, np.random.default_rng(0)
    )
    problem = phase_retrieval_problem(A, y, signal=signal if known else None)
    rng = np.random.default_rng(1)
    x0 = rng.standard_normal((4, 3))
    near = 0.1 * rng.standard_normal((4, 3))
    runs = np.stack([signal + near, 2 * near - signal, x0])
    accuracies, errors = Accuracies(problem, x0), Errors(problem, x0)
    wanted = [errors(run)["accuracy"] for run in runs]
    assert_allclose(accuracies.of(runs), wanted, rtol=1e-14)
    assert_allclose([accuracies(run)["accuracy"] for run in runs], wanted, rtol=1e-14)
    assert wanted[2] == 1
    assert max(wanted[:2]) < 1
