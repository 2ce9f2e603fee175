"""The command that trains, and the way of its weights into a scenario."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

import typer  # noqa: E402
from cases import lollipop, small_problem  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from dadao_sim import simulate  # noqa: E402
from dadao_sim.cli.learned import learn_prior  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.learning import learn, proximal_matching  # noqa: E402
from dadao_sim.local_steps.learned import learned_step, load_weights, save_weights  # noqa: E402
from dadao_sim.local_steps.terms import make  # noqa: E402
from dadao_sim.scenario.reading import load_scenario  # noqa: E402

SCENARIO = """
name: learned
problem:
  kind: least_squares
  data: {kind: synthetic, dim: 5, samples_per_node: 12}
local_step: {learned: LEARNED}
network: {graph: cycle, nodes: 6}
algorithms: [prox_ed]
stop: {time: 400}
"""


@pytest.fixture
def command(monkeypatch, tmp_path):
    """`learn-prior` with a training that takes no time."""
    short = partial(proximal_matching.Recipe, warm_up=5, steps_per_gamma=4, pairs=32)
    monkeypatch.setattr(proximal_matching, "Recipe", short)
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(learn_prior)
    return partial(CliRunner().invoke, app)


def test_the_command_writes_weights_that_say_how_to_make_them(command, tmp_path):
    answer = command(["laplacian", "--out", "mine.npz", "--seed", "3"])
    assert (answer.exit_code, answer.output) == (0, "weights: mine.npz\n")
    weights, metadata = load_weights(tmp_path / "mine.npz")
    assert metadata["command"] == "dadao-sim learn-prior laplacian --out mine.npz --seed 3"
    assert metadata["recipe"]["warm_up"] == 5
    again = proximal_matching.train(seed=3, recipe=proximal_matching.Recipe())
    assert_array_equal(weights.skip, again.skip)


@pytest.mark.parametrize("out", [".", "weights.txt"])
def test_where_to_write_is_checked_before_the_training(command, out):
    answer = command(["laplacian", "--out", out])
    assert isinstance(answer.exception, InputError)
    assert "name a file that ends in .npz" in str(answer.exception)


@pytest.mark.parametrize(
    "learned", ["laplacian", "{network: laplacian, strength: 0.3}", "{network: ./mine.npz}"]
)
def test_a_scenario_runs_with_it(tmp_path, learned):
    """The curve falls to where the centralised fixed point is."""
    weights, _ = load_weights("laplacian")
    save_weights(tmp_path / "mine.npz", weights, {})
    (tmp_path / "learned.yaml").write_text(SCENARIO.replace("LEARNED", learned))
    result = simulate(load_scenario(tmp_path / "learned.yaml"))
    assert result.curves.accuracy.iloc[-1] < 1e-12


def test_the_strength_of_a_scenario_is_that_of_the_step():
    from dadao_sim.local_steps.section import build_local_step
    from dadao_sim.local_steps.section.spec import LocalStepSpec

    spec = LocalStepSpec.model_validate({"learned": {"network": "laplacian", "strength": 0.3}})
    v = np.linspace(-2, 2, 5)
    expected = learned_step(load_weights("laplacian")[0], 5, 0.3).prox(v, 0.7)
    assert_array_equal(build_local_step(spec, 5).prox(v, 0.7), expected)


def test_what_was_learned_goes_straight_into_a_scenario():
    """The run ends where learning ended: at the optimum of the learned strength."""
    problem, network = small_problem(7), lollipop()
    options = {"method": "prox_ed", "network": network, "applications": 10, "iterations": 300}
    found = learn(problem, lambda x: ((x - 0.8) ** 2).sum(), start={"strength": 0.05}, **options)
    scenario = {
        "name": "learned-strength",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}},
        "local_step": found.local_step,
        "network": {"graph": "cycle", "nodes": 7},
        "algorithms": [{"name": "prox_ed", "parameters": found.parameters}],
        "stop": {"time": 500},
    }
    result = simulate(scenario, problem=problem, network=network)
    assert result.curves.accuracy.iloc[-1] < 1e-12
    x_star = problem.with_local_step(make("l1", 3, strength=found.values["strength"])).x_star
    assert_allclose(found.x, np.tile(x_star, (7, 1)), atol=1e-3)
    assert result.manifest["runs"][0]["constants"]["step"] == found.parameters["step"]
