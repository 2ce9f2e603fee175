"""Denoisers inside an iteration: gradients and fixed points in closed form, a state per scene, and
what restarting is worth on held-out pictures, by shipped weights.
"""

from functools import cache, partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

torch = pytest.importorskip("torch", reason="learned local steps need torch")

import typer  # noqa: E402
from sklearn.datasets import load_sample_image  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from dadao_sim import Problem  # noqa: E402
from dadao_sim.cli.learned import learn_prior  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.learning import equilibrium, learn, masked_unet  # noqa: E402
from dadao_sim.learning.equilibrium import BLUR, SIZE, scenes  # noqa: E402
from dadao_sim.learning.fixed_point_maps import MAPS  # noqa: E402
from dadao_sim.local_steps.learned.denoisers import module_of  # noqa: E402
from dadao_sim.local_steps.learned.networks import load_network  # noqa: E402
from dadao_sim.problems.data.image import blur_matrix, in_grey  # noqa: E402

# --- In closed form ----------------------------------------------------------------------------


class Shrink(torch.nn.Module):
    """D(v) = (1 - share) v."""

    def __init__(self, share):
        super().__init__()
        self.share = torch.nn.Parameter(torch.tensor(share, dtype=torch.float64))

    def forward(self, v):
        return (1 - self.share) * v


def regressions(count=6, same_camera=True, nodes=1):
    """Scenes of 4 unknowns, seen by the same rows or by rows of their own."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((nodes, 7, 4))
    made = []
    for _ in range(count):
        rows = A if same_camera else rng.standard_normal(A.shape)
        made.append(Problem.from_arrays(rows, rng.standard_normal((nodes, 7)), "least_squares"))
    return made


def hessian(problem):
    at = [problem.gradients(np.tile(e, (problem.nodes, 1))).mean(axis=0) for e in np.eye(4)]
    c = -problem.gradients(np.zeros((problem.nodes, 4))).mean(axis=0)
    return np.stack(at, axis=1) + c[:, None], c


def fixed_point(problem, step, weight):
    """x = (1 - weight) (x - a (H x - c)) for the shrinking D."""
    H, c = hessian(problem)
    return np.linalg.solve(np.eye(4) / (1 - weight) - np.eye(4) + step * H, step * c)


@pytest.mark.parametrize("same_camera", [True, False])
def test_every_scene_comes_to_its_fixed_point_whatever_scenes_are_drawn(same_camera):
    """A rate of next to nothing: theta stays, the states go on."""
    problems = regressions(same_camera=same_camera)
    step, weight = 0.5 / max(p.L for p in problems), 0.3
    options = {"start": {"step": step, "strength": 0.6 / step}, "learning_rate": 1e-12}
    found = learn(
        problems,
        lambda x, chosen: (x**2).sum(),
        denoiser=Shrink(0.5),  # w share = .6 x .5
        iterations=900,
        scenes_per_step=2,
        **options,
    )
    wanted = np.array([fixed_point(one, step, weight) for one in problems])
    assert found.x.shape == (6, 1, 4)
    assert_allclose(found.x[:, 0], wanted, atol=1e-7)


def test_the_gradient_of_the_denoiser_is_that_of_the_fixed_point_for_many_applications():
    (problem,) = regressions(1)
    step, share, h = 1 / problem.L, 0.2, 1e-6
    module = Shrink(share)
    fixed_point_map = MAPS["proximal_gradient"]([problem], None, denoised(module))
    theta = {
        "step": torch.tensor(step, dtype=torch.float64),
        "strength": torch.tensor(1 / step, dtype=torch.float64),
    }
    z = torch.from_numpy(fixed_point(problem, step, share)).reshape(1, 1, 1, 4)
    for _ in range(200):
        z = fixed_point_map(z, theta)
    z.sum().backward()
    exact = (fixed_point(problem, step, share + h) - fixed_point(problem, step, share - h)).sum()
    assert float(module.share.grad) == pytest.approx(exact / (2 * h), rel=1e-6)


def denoised(module):
    from dadao_sim.learning.inputs import checked_denoiser

    return checked_denoiser(module, None, 4)


@pytest.mark.parametrize("learned", ["denoiser", "strength"])
@pytest.mark.parametrize("method", ["proximal_gradient", "prox_ed"])
def test_what_is_learned_is_the_best_shrinking_of_all_scenes(learned, method):
    """The pictures are fixed points of a weight that is known; learning starts elsewhere. The
    weight is share x step x strength: either of the two can make it.
    """
    import networkx as nx

    nodes, network = (1, None) if method == "proximal_gradient" else (4, nx.cycle_graph(4))
    problems = regressions(4, nodes=nodes)
    step = 0.3 / max(p.node_L.max() for p in problems)
    truth = torch.from_numpy(np.array([fixed_point(one, step, 0.25) for one in problems]))
    given = Shrink(0.05)
    found = learn(
        problems,
        lambda x, chosen: ((x - truth[chosen][:, None]) ** 2).mean(),
        method=method,
        network=network,
        denoiser=given,
        start={"step": step},
        learned=learned,
        applications=5,
        iterations=500,
        learning_rate=0.05,
        last_rate=0.05,
        denoiser_rate=0.02,
        scenes_per_step=2,
    )
    weight = found.denoiser.share.item() * found.values["step"] * found.values["strength"]
    assert weight == pytest.approx(0.25, abs=0.01)
    assert given.share.item() == 0.05  # a copy learned
    assert found.penalty == "denoiser"
    with pytest.raises(InputError, match="save_denoiser") as refused:
        _ = found.local_step
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"denoiser": lambda v: v}, r"denoiser: a torch\.nn\.Module is needed"),
        ({"shape": (3, 3)}, r"shape \(3, 3\) does not hold 4 numbers"),
        ({"denoiser": torch.nn.Linear(4, 3)}, r"denoiser: answers \(6, 4\) with shape \(6, 3\)"),
        ({"scenes_per_step": 7}, "scenes_per_step: 1 to 6 are possible, got 7"),
        ({"learned": "metric"}, "learned: metric given"),
        ({"x0": np.ones((5, 4))}, r"x0: finite numbers of shape \(4,\)"),
    ],
)
def test_what_cannot_be_learned_with_a_denoiser_is_said(options, reason):
    options = {"denoiser": Shrink(0.1), "learned": "denoiser", **options}
    with pytest.raises(InputError, match=reason) as refused:
        learn(regressions(), lambda x, chosen: (x**2).sum(), **options)
    assert "\n" not in str(refused.value)


def test_scenes_of_unequal_shapes_and_none_are_refused():
    loss = partial(lambda x, chosen: (x**2).sum())
    with pytest.raises(InputError, match="no problem given"):
        learn([], loss, start={"strength": 1.0})
    with pytest.raises(InputError, match="2 shapes of problems"):
        learn([*regressions(1), *regressions(1, nodes=3)], loss, start={"strength": 1.0})


# --- On pictures -------------------------------------------------------------------------------


@cache
def held_out():
    """Crops of a photograph that no training saw."""
    return scenes([in_grey(load_sample_image("flower.jpg") / 255.0)], 12, 5, SCALES)


SCALES = (6,)


@cache
def decibels(name, rounds):
    """Mean over the scenes, of x = D(x - a grad F(x)) from what was seen, without the package's
    maps: B'(B x - y), which is a grad F at a = N/2.
    """
    of = held_out()
    B = torch.from_numpy(blur_matrix(SIZE, BLUR).toarray()).float()
    truth, seen = (torch.from_numpy(one).float() for one in of)
    module, x = module_of(load_network(name)), torch.from_numpy(of.seen).float()
    with torch.inference_mode():
        for _ in range(rounds):
            v = x - (x @ B.T - seen) @ B
            x = module(v.reshape(-1, 1, SIZE, SIZE)).reshape(x.shape)
        return float((-10 * torch.log10(((x - truth) ** 2).mean(dim=1))).mean())


def test_restarted_it_is_stable():
    assert abs(decibels("equilibrium", 150) - decibels("equilibrium", 600)) <= 0.2


def test_restarted_it_beats_the_same_denoiser_trained_alone():
    assert decibels("equilibrium", 150) >= decibels("equilibrium_alone", 150) + 0.1


def test_unrolled_from_the_start_it_diverges():
    """Five rounds at a time from what was seen: good after five, lost when run on."""
    assert decibels("equilibrium_cold", 5) > decibels("equilibrium_cold", 0)
    assert not decibels("equilibrium_cold", 150) >= 20


@pytest.mark.torture
def test_twenty_layers_diverge_later():
    from dadao_sim.learning.priors import training_of

    training = training_of("equilibrium_unrolled")
    module = module_of(training.train(recipe=training.recipe))
    of = held_out()
    B = torch.from_numpy(blur_matrix(SIZE, BLUR).toarray()).float()
    truth, seen = (torch.from_numpy(one).float() for one in of)
    x, found = seen, {}
    with torch.inference_mode():
        for k in range(1, 601):
            v = x - (x @ B.T - seen) @ B
            x = module(v.reshape(-1, 1, SIZE, SIZE)).reshape(x.shape)
            found[k] = float((-10 * torch.log10(((x - truth) ** 2).mean(dim=1))).mean())
    assert not found[600] >= found[20] - 3


@pytest.mark.parametrize(
    ("name", "home", "recipe"),
    [
        (
            "equilibrium",
            equilibrium,
            {"crops": 20, "alone": 3, "scenes": 2, "batch": 2, "steps": 2},
        ),
        ("unet_unmasked", masked_unet, {"steps": 2, "batch": 2}),
    ],
)
def test_the_command_writes_weights_and_the_seed_decides_every_bit(
    monkeypatch, tmp_path, name, home, recipe
):
    short = partial(home.Recipe, **recipe)
    monkeypatch.setattr(home, "Recipe", lambda **changed: short(**{**changed, **recipe}))
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(learn_prior)
    answer = CliRunner().invoke(app, [name, "--out", "mine.npz", "--seed", "1"])
    assert (answer.exit_code, answer.output) == (0, "weights: mine.npz\n")
    found = load_network(tmp_path / "mine.npz")
    masked = {"masked": False} if home is masked_unet else {}
    wanted = home.train(recipe=short(**masked), seed=1)
    for key, array in wanted.arrays.items():
        assert_array_equal(found.arrays[key], array.astype(np.float16))
    other = home.train(recipe=short(**masked), seed=2)
    assert any((other.arrays[key] != wanted.arrays[key]).any() for key in wanted.arrays)
