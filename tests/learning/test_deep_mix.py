"""Training DeepMix: the network is the method, training repeats itself, the command."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

import typer  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from dadao_sim import load_scenario, replay  # noqa: E402
from dadao_sim.algorithms.contract.trained import load_trained  # noqa: E402
from dadao_sim.algorithms.deep_mix import METHOD  # noqa: E402
from dadao_sim.cli.learned import learn_unrolled as command  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.events.rounds import RoundClock  # noqa: E402
from dadao_sim.learning.unrolled import MIX_RECIPE, Recipe, learn_mix, play_mix  # noqa: E402
from dadao_sim.learning.unrolled_layers import low_rank  # noqa: E402
from dadao_sim.networks.graphs import build  # noqa: E402
from dadao_sim.problems.kinds.bands import BandsKind  # noqa: E402
from dadao_sim.simulation.training import training_problems  # noqa: E402

SCENARIO = "scenarios/systems/bands.yaml"
B = 8


def cubes(count, size=16, **options):
    kind = BandsKind(kind="bands", bands=B, size=size, **options)
    return [kind.build(B, np.random.default_rng(seed)) for seed in range(count)]


def test_the_network_is_the_method_of_numpy_where_averages_are_exact():
    """On a complete graph, layer by layer; to what single precision leaves."""
    trained, problems = load_trained("bands"), cubes(2, mu=1e-3)
    network = build("complete", B, np.random.default_rng(0))
    log = RoundClock(np.random.SeedSequence(0)).window()
    psnr = play_mix(trained, problems)
    assert psnr.shape == (6, 2)
    for q, problem in enumerate(problems):
        for rounds in (1, 3, 5):
            z2 = replay(METHOD.with_weights(trained), problem, network, log[:rounds])["z2"]
            assert_allclose(problem.psnr(z2), psnr[rounds, q], atol=1e-3)


def test_the_same_seed_gives_the_same_numbers():
    short = replace(MIX_RECIPE, steps=3, problems_per_step=2)
    first, again, other = (
        learn_mix(cubes(3), layers=2, width=2, seed=seed, recipe=short) for seed in (3, 3, 4)
    )
    for name, array in first.arrays.items():
        assert_array_equal(array, again.arrays[name])
    assert not np.array_equal(first.arrays["C1"], other.arrays["C1"])


def test_what_cannot_be_trained_on_is_refused():
    for change, message in (
        ("problem.image=china", "image: methods are trained on china; use flower"),
        ("local_step={prox: {kind: l1, strength: 1}}", "local_step: nothing is trained with one"),
    ):
        with pytest.raises(InputError, match=message):
            training_problems(load_scenario(SCENARIO, [change]), 1)


@pytest.mark.slow
def test_a_short_training_comes_nearer_to_cubes_of_the_other_photograph():
    problems, _ = training_problems(load_scenario(SCENARIO, ["problem.size=16"]), 48)
    ends = [
        play_mix(learn_mix(problems, width=4, recipe=replace(MIX_RECIPE, steps=steps)), cubes(4))
        for steps in (1, 60)
    ]
    first, last = (end[-1].mean() for end in ends)
    assert last > first + 1


@pytest.fixture
def cli(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(command)
    return partial(CliRunner().invoke, app)


def test_the_command_writes_weights_that_say_how_to_make_them(cli, tmp_path):
    short = ["--steps", "2", "--problems", "3", "--layers", "2", "--width", "2"]
    short += ["--set", "problem.size=8"]
    answer = cli(["systems/bands", *short, "--out", "mine.npz"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.startswith("held out: ")
    made = load_trained(tmp_path / "mine.npz").made
    assert made["command"] == (
        "dadao-sim learn-unrolled systems/bands --layers 2 --width 2 --problems 3 --steps 2 "
        "--seed 0 --set 'problem.size=8' --out mine.npz"
    )
    for option in (["--taps", "3"], ["--eps", "0"], ["--unconstrained"]):
        refused = cli(["systems/bands", *short, *option, "--out", "other.npz"])
        assert "deep_mix has none; leave it out" in str(refused.exception)
    refused = cli(["systems/unrolled", "--width", "3", "--out", "other.npz"])
    assert str(refused.exception) == "--width: surf has none; leave it out"


def test_the_shipped_weights_say_the_recipe_of_today():
    assert Recipe(**load_trained("bands").made["recipe"]) == MIX_RECIPE


def test_the_gradient_of_the_low_rank_module_is_what_it_says():
    """By tau that of differences; by x the transpose of the matrix that a cube was multiplied by,
    not far from the derivative of the singular value decomposition.
    """
    generator = torch.Generator().manual_seed(0)
    first, last = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((8, 4), (4, 64))
    )
    x = (first @ last).view(1, B, 8, 8).requires_grad_(True)
    tau = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    C = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    by_x, by_tau = torch.autograd.grad((low_rank(x, tau) * C).sum(), (x, tau))
    after, before = (float((low_rank(x, tau + h) * C).sum().detach()) for h in (1e-6, -1e-6))
    assert float(by_tau) == pytest.approx((after - before) / 2e-6, rel=1e-6)
    M = x.detach().flatten(2)[0].numpy()
    U, sigma, _ = np.linalg.svd(M, full_matrices=False)
    kept = np.maximum(1 - 0.5 * 8 / np.maximum(sigma, 1e-9), 0)
    assert_allclose(
        by_x.flatten(2)[0].numpy(), (U * kept) @ U.T @ C.flatten(2)[0].numpy(), atol=1e-10
    )
    D = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    exact = [float((low_rank(x.detach() + h * D, tau) * D).sum().detach()) for h in (1e-6, -1e-6)]
    slope = (exact[0] - exact[1]) / 2e-6
    by_hand = float(torch.autograd.grad((low_rank(x, tau) * D).sum(), x)[0].mul(D).sum())
    assert 0.5 * slope < by_hand < slope
