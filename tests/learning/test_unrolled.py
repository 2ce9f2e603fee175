"""Training unrolled layers: the network is the method, and what the constraints and sleepers do."""

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

import typer  # noqa: E402
from cases import lollipop, small_problem  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from dadao_sim import Problem, load_scenario, replay  # noqa: E402
from dadao_sim.algorithms.contract.gossip import normalised  # noqa: E402
from dadao_sim.algorithms.contract.trained import load_trained  # noqa: E402
from dadao_sim.algorithms.surf import METHOD, shapes, untrained  # noqa: E402
from dadao_sim.cli.learned import learn_unrolled as command  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.events.rounds import RoundClock  # noqa: E402
from dadao_sim.learning import unrolled  # noqa: E402
from dadao_sim.learning.problem_batches import ProblemBatch  # noqa: E402
from dadao_sim.learning.unrolled import Recipe, Start, learn_unrolled, play  # noqa: E402
from dadao_sim.learning.unrolled_layers import LAYERS  # noqa: E402
from dadao_sim.simulation.parts import build_parts  # noqa: E402
from dadao_sim.simulation.training import training_problems  # noqa: E402

REGRESSION = "scenarios/systems/unrolled.yaml"
DIGITS = "scenarios/systems/unrolled-digits.yaml"
FULL = ["--full-gradients"]
SHORT = Recipe(steps=8, problems_per_step=3)
NODES, D = 7, 3


def family(kind="least_squares", count=5, samples=8):
    return [small_problem(NODES, kind, seed=seed, samples=samples) for seed in range(count)]


# ---- the network is the method ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["least_squares", "ridge", "logistic_l2"])
def test_F_its_gradient_and_those_of_the_nodes_are_the_problems(kind):
    problems = family(kind)
    batch = ProblemBatch.of(problems)
    X = np.random.default_rng(0).standard_normal((5, NODES, D))
    Y = torch.as_tensor(X).float()
    local = batch.local_gradient(batch.draw(None, torch.Generator()), Y)
    for q, problem in enumerate(problems):
        at = [problem.gradients(np.tile(x, (NODES, 1))).mean(axis=0) for x in X[q]]
        value = [np.mean([problem.value(i, x) for i in range(NODES)]) for x in X[q]]
        assert_allclose(batch.gradient(Y)[q], at, rtol=1e-4, atol=1e-5)
        assert_allclose(batch.value(Y)[q], value, rtol=1e-4, atol=1e-5)
        assert_allclose(local[q], problem.gradients(X[q]), rtol=1e-4, atol=1e-5)
    drawn = batch.draw(4000, torch.Generator().manual_seed(0))
    assert_allclose(batch.local_gradient(drawn, Y), local, atol=0.6)


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
def test_the_network_is_the_method_of_numpy(kind):
    """Full gradients, so that nothing is drawn; to what single precision leaves."""
    problems, rng = family(kind), np.random.default_rng(0)
    made = {"layers": 4, "taps": 3, "batch_size": None, "features": "gradient"}
    made |= {"method": "surf", "kind": kind, "dimension": D}
    arrays = {name: 0.1 * rng.standard_normal(shape) for name, shape in shapes(made).items()}
    net = LAYERS["surf"](arrays, made).double()
    batch = ProblemBatch.of(problems)
    batch = replace(batch, **{n: getattr(batch, n).double() for n in ("A", "b", "scale", "ridge")})
    x0 = rng.standard_normal((5, NODES, D))
    W = torch.as_tensor(normalised(lollipop()).toarray())
    with torch.inference_mode():
        found = net(torch.as_tensor(x0), batch, W, torch.Generator())[-1].numpy()
    log = RoundClock(np.random.SeedSequence(0)).window()[:4]
    method = METHOD.with_weights(net.trained)
    for q, problem in enumerate(problems):
        assert_allclose(found[q], replay(method, problem, lollipop(), log, x0[q])["y"], atol=1e-6)


def test_a_layer_that_sees_samples_is_that_of_the_paper():
    problems, rng = family(), np.random.default_rng(0)
    made = {"layers": 1, "taps": 2, "batch_size": 2, "features": "samples"}
    made |= {"method": "surf", "kind": "least_squares", "dimension": D}
    arrays = {name: rng.standard_normal(shape) for name, shape in shapes(made).items()}
    net, batch = LAYERS["surf"](arrays, made), ProblemBatch.of(problems)
    Y = torch.randn(5, NODES, D, generator=torch.Generator().manual_seed(0))
    rows = batch.draw(2, torch.Generator().manual_seed(1))
    W = torch.eye(NODES)
    with torch.inference_mode():
        found = net.layer(0, Y, batch, W, torch.Generator().manual_seed(1)).numpy()
    B = np.concatenate([rows.features, rows.targets[..., None]], axis=-1).reshape(5, NODES, -1)
    seen = np.concatenate([B, Y], axis=-1) @ arrays["M"][0] + arrays["bias"][0]
    wanted = arrays["h"][0].sum() * Y.numpy() - np.maximum(seen, 0)
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_sleepers_keep_their_values():
    net = LAYERS["surf"].begin(
        small_problem(NODES),
        torch.Generator().manual_seed(0),
        {"layers": 3, "taps": 2, "batch_size": None, "features": "gradient"}
        | {"kind": "least_squares", "dimension": D},
    )
    batch = ProblemBatch.of(family())
    Y = torch.randn(5, NODES, D, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        outputs = net(Y, batch, torch.eye(NODES), torch.Generator().manual_seed(1), 3)
    for before, after in pairwise(outputs):
        assert_array_equal((before == after).all(-1).sum(1), np.full(5, 3))


# ---- which problems --------------------------------------------------------------------------


def test_no_training_problem_is_one_of_the_repeats():
    scenario = load_scenario(REGRESSION)
    problems, network = training_problems(scenario, 20, seed=scenario.seed)
    assert network.nodes == 16
    trained = np.concatenate([one.model.A for one in problems])
    for repeat in range(8):
        rows = build_parts(scenario, repeat).problem.model.A
        assert not (rows[:, None, 0] == trained[None, :, 0]).any()
    again, _ = training_problems(scenario, 20, seed=scenario.seed)
    assert_array_equal(again[7].model.A, problems[7].model.A)
    other, _ = training_problems(scenario, 1, seed=scenario.seed + 1)
    assert not np.isin(other[0].model.A[:, 0], trained[:, 0]).any()


def test_images_that_are_set_aside_are_those_of_the_training_alone():
    scenario = load_scenario(DIGITS)
    rows = {tuple(a) for one in training_problems(scenario, 12)[0] for a in one.model.A}
    seen = {tuple(a) for r in range(6) for a in build_parts(scenario, r).problem.model.A}
    assert len(rows) > 1100
    assert len(seen) > 500
    assert not rows & seen


def test_a_data_set_with_nothing_set_aside_is_refused():
    scenario = load_scenario(DIGITS, ["problem.data.set_aside=null"])
    with pytest.raises(InputError, match=r"^problem.data.set_aside: is missing: runs would see"):
        training_problems(scenario, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "problem={kind: huber_l2, delta: 1, mu: 1, data: {kind: synthetic, dim: 3, "
            "samples_per_node: 4}}",
            "problem huber_l2: trained on least_squares, ridge and",
        ),
        ("problem={kind: averaging, data: {kind: synthetic, dim: 3}}", "problem averaging"),
        ("local_step={prox: {kind: l1, strength: 1}}", "local_step: nothing is trained with one"),
        ("network={sequence: {graph: random_geometric, nodes: 9, length: 2}}", "one network"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(change, message):
    with pytest.raises(InputError) as caught:
        learn_unrolled(*training_problems(load_scenario(REGRESSION, [change]), 2), recipe=SHORT)
    assert message in str(caught.value)


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="batch_size: is missing; raw samples come in minibatches"):
        learn_unrolled(family(), lollipop(), features="samples", recipe=SHORT)
    with pytest.raises(InputError, match="batch_size: 9 given; no node has more than 8 samples"):
        learn_unrolled(family(), lollipop(), batch_size=9, recipe=SHORT)
    with pytest.raises(InputError, match="asleep: 7 given; at most 6 can sleep"):
        learn_unrolled(family(), lollipop(), recipe=replace(SHORT, asleep=7))


# ---- training --------------------------------------------------------------------------------


def trained_on(scenario=REGRESSION, steps=300, batch_size=30, features="gradient", **recipe):
    problems, network = training_problems(load_scenario(scenario), 320)
    how = Recipe(steps=steps, **recipe)
    options = {"batch_size": batch_size, "features": features, "start": Start(1.0)}
    trained = learn_unrolled(problems[:256], network, recipe=how, **options)
    return partial(play, trained, problems[256:], network, Start(1.0)), trained


@pytest.fixture(scope="module")
def plain():
    return trained_on()


def median(played):
    return float(np.median(played.squared_distance[-1]))


def test_the_same_seed_gives_the_same_numbers():
    threads, found = torch.get_num_threads(), []
    for seed, count in ((3, 1), (3, 2), (4, 1)):  # on one thread, whatever there are
        torch.set_num_threads(count)
        found.append(learn_unrolled(family(), lollipop(), batch_size=2, seed=seed, recipe=SHORT))
    torch.set_num_threads(threads)
    first, again, other = found
    for name, array in first.arrays.items():
        assert_array_equal(array, again.arrays[name])
    assert not np.array_equal(first.arrays["h"], other.arrays["h"])


@pytest.mark.slow
def test_an_eighth_of_the_training_is_enough_to_descend(plain):
    ours, _ = plain
    played = ours()
    assert played.falling == 10
    assert median(played) <= 0.35


@pytest.mark.slow
def test_who_trained_with_sleepers_does_not_mind_them(plain):
    ours, _ = plain
    sleepers, _ = trained_on(asleep=4)
    assert median(sleepers(asleep=4)) <= 0.7 * median(ours(asleep=4))


def regressions():
    """Problems of one covariance, each with a minimiser of its own that all nodes share."""
    for seed in range(128):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((NODES, 8, D)) * np.geomspace(1, 0.2, D)
        noise = 0.1 * rng.standard_normal((NODES, 8))
        yield Problem.from_arrays(A, A @ (2 * rng.standard_normal(D)) + noise, "least_squares")


@pytest.fixture(scope="module")
def small():
    """Train on regressions, and play on others."""
    problems = list(regressions())

    def trained(**options):
        recipe = Recipe(steps=400, dual_rate=0.2, constrained=options.pop("constrained", True))
        numbers = learn_unrolled(
            problems[:96], lollipop(), start=Start(1.0), recipe=recipe, **options
        )
        return played(numbers)

    def played(numbers):
        return play(numbers, problems[96:], lollipop(), Start(1.0))

    return trained, played


@pytest.mark.slow
def test_constraints_make_every_layer_descend(small):
    """Without them the gradient climbs in the middle; the end is near x* with and without."""
    trained, _ = small
    free, bound = trained(constrained=False), trained()
    assert free.falling <= 8 < bound.falling == 10
    assert max(median(free), median(bound)) < 0.02 * np.median(free.squared_distance[0])


@pytest.mark.slow
def test_raw_samples_lose_to_DGD(small):
    trained, played = small
    dgd = played(untrained(next(regressions())))
    raw = trained(features="samples", batch_size=4)
    assert median(raw) > 2 * median(dgd)
    assert median(trained()) < 0.5 * median(dgd)


@pytest.mark.slow
def test_constraints_make_layers_of_raw_samples_descend():
    """As the paper says; here, they are of no use otherwise."""
    fast = {"steps": 400, "learning_rate": 2e-2, "dual_rate": 0.3}
    free, bound = (
        trained_on(batch_size=10, features="samples", constrained=constrained, **fast)[0]()
        for constrained in (False, True)
    )
    assert free.falling <= 7
    assert bound.falling >= 9


@pytest.mark.parametrize(("eps", "pushed"), [(0.999, True), (0.0, False)])
def test_the_multipliers_are_those_of_descent(eps, pushed):
    """A layer that does not descend as asked for gets one, and only such a layer."""
    heard = []
    learn_unrolled(
        family(),
        lollipop(),
        layers=2,
        recipe=replace(SHORT, steps=1, eps=eps, dual_rate=1.0),
        start=Start(10.0),
        tick=lambda step, loss, duals: heard.append(duals.copy()),
    )
    assert_array_equal(heard[0] > 0, [pushed, pushed])


# ---- the command -----------------------------------------------------------------------------


@pytest.fixture
def cli(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(command)
    return partial(CliRunner().invoke, app)


def test_the_command_writes_weights_that_say_how_to_make_them(cli, tmp_path):
    short = ["--steps", "3", "--problems", "4", "--layers", "2", "--taps", "2", "--asleep", "1"]
    short += ["--batch-size", "30"]
    answer = cli(["systems/unrolled", *short, "--out", "mine.npz", "--unconstrained"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("held out: ||x - x*||^2 ")
    assert answer.output.endswith("weights: mine.npz\n")
    made = load_trained(tmp_path / "mine.npz").made
    assert made["command"] == (
        "dadao-sim learn-unrolled systems/unrolled --layers 2 --taps 2 --batch-size 30 "
        "--features gradient --asleep 1 --eps 0.1 --problems 4 --steps 3 --seed 0 "
        "--unconstrained --out mine.npz"
    )
    assert made["start"] == {"scale": 1.0, "shared": False}
    assert (made["batch_size"], made["problems"], made["recipe"]["asleep"]) == (30, 4, 1)
    assert cli(["systems/unrolled", *short, "--out", "mine.npz"]).exit_code == 0  # it is ours
    (tmp_path / "mine.npz").write_text("yours")
    refused = cli(["systems/unrolled", *short, "--out", "mine.npz"])
    assert isinstance(refused.exception, InputError)
    both = cli(["systems/unrolled", *short, "--full-gradients", "--out", "other.npz"])
    assert "--batch-size: given beside --full-gradients" in str(both.exception)


@pytest.mark.parametrize(
    ("more", "batch"), [([], 30), (["--set", "algorithms.0.batch_size=7"], 7), (FULL, None)]
)
def test_layers_learn_from_minibatches_unless_asked_otherwise(cli, tmp_path, more, batch):
    short = ["--steps", "1", "--problems", "2", "--layers", "1", "--out", "mine.npz"]
    answer = cli(["systems/unrolled", *short, *more])
    assert answer.exit_code == 0, answer.output
    made = load_trained(tmp_path / "mine.npz").made
    assert made["batch_size"] == batch
    assert ("--full-gradients" in made["command"]) is (batch is None)


def test_the_shipped_weights_say_the_recipe_of_today():
    for name in ("unrolled-regression", "unrolled-digits"):
        assert unrolled.Recipe(**load_trained(name).made["recipe"]) == Recipe()
