"""Denoisers of pictures: the masked U-net, convolutions, and deep networks of other packages."""

import sys
import types
import warnings
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter, uniform_filter

torch = pytest.importorskip("torch", reason="learned local steps need torch")

from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.local_steps.learned import ExpansiveDenoiserWarning, denoiser  # noqa: E402
from dadao_sim.local_steps.learned.denoiser_file import DenoiserWeights  # noqa: E402
from dadao_sim.local_steps.learned.denoisers import (  # noqa: E402
    Convolutions,
    MaskedUnet,
    denoising_step,
    module_of,
    restored,
    save_denoiser,
    weights_of,
)
from dadao_sim.local_steps.learned.factory import at_level, module_from  # noqa: E402
from dadao_sim.local_steps.learned.networks import load_network  # noqa: E402
from dadao_sim.local_steps.learned.weight_file import FILES  # noqa: E402
from dadao_sim.local_steps.section import build_local_step  # noqa: E402
from dadao_sim.problems.data.image import load  # noqa: E402

HAS_UNET = (FILES.folder / "unet.npz").exists()


@cache
def any_unet():
    torch.manual_seed(0)
    return MaskedUnet(4, 5, 6).requires_grad_(False)


# --- The masked U-net --------------------------------------------------------------------------


def test_a_shift_of_the_picture_is_a_shift_of_the_answer_and_the_hidden_does_not_matter():
    rng = np.random.default_rng(0)
    v, shown = rng.random((16, 20)), rng.random((16, 20)) > 0.4
    answer = restored(any_unet(), v, 0.05, shown)
    assert_array_equal(restored(any_unet(), np.where(shown, v, np.nan), 0.05, shown), answer)
    near = uniform_filter(shown.astype(float), 5, mode="constant") > 0.01
    assert near.all()
    assert_allclose(restored(any_unet(), v + 3, 0.05, shown), answer + 3, atol=1e-5)


def test_sides_that_are_no_multiples_of_four_are_mirrored():
    v = np.random.default_rng(1).random((14, 15))
    mirrored = np.pad(v, ((0, 2), (0, 1)), mode="symmetric")
    answer = restored(any_unet(), v, 0.1)
    assert_array_equal(answer, restored(any_unet(), mirrored, 0.1)[:14, :15])


def test_as_a_local_step_its_noise_is_the_root_of_step_times_strength():
    v = np.random.default_rng(2).random(64)
    step = denoising_step(weights_of(any_unet()), 64, 0.02)
    wanted = restored(any_unet(), v.reshape(8, 8), 0.1)
    assert_allclose(step.prox(v, 0.5).reshape(8, 8), wanted, atol=1e-12)
    with pytest.raises(InputError, match=r"noise of 0\.3.*at most 0\.2"):
        step.prox(v, 4.5)


@pytest.mark.skipif(not HAS_UNET, reason="its weights are not shipped")
def test_shipped_it_removes_noise_and_fills_windows():
    """On a photograph that no training saw: against a Gaussian filter at its best, and against
    means of what is shown nearby.
    """
    truth = load("flower", 192)
    rng = np.random.default_rng(0)
    noisy = truth + 0.1 * rng.standard_normal(truth.shape)
    shown = np.kron(rng.random((48, 48)) > 0.5, np.ones((4, 4))) > 0
    unet = module_of(load_network("unet"))
    by_filter = max(psnr(gaussian_filter(noisy, s), truth) for s in (0.6, 0.8, 1.0, 1.2, 1.5))
    assert psnr(restored(unet, noisy, 0.1), truth) > by_filter + 0.5
    count = uniform_filter(shown.astype(float), 5)
    near = uniform_filter(truth * shown, 5) / np.maximum(count, 1e-6)
    by_means = np.where(shown, truth, near)
    assert psnr(restored(unet, truth, 0.0, shown), truth) > psnr(by_means, truth) + 0.5
    assert sum(a.size for a in load_network("unet").arrays.values()) == 22_613
    assert (FILES.folder / "unet.npz").stat().st_size < 55_000


def psnr(found, truth):
    return -10 * np.log10(np.mean((found - truth) ** 2))


# --- Convolutions ------------------------------------------------------------------------------


def test_the_step_weighs_what_the_convolutions_take_away():
    """v - a strength c(v), the whole network where that is 1; c against scipy's correlation."""
    from scipy.ndimage import correlate

    weights = load_network("equilibrium")
    v = load("flower", 16).ravel()

    def layer(h, name):
        kernels, biases = weights.arrays[f"{name}.weight"], weights.arrays[f"{name}.bias"]
        return np.array(
            [
                sum(correlate(one, k, mode="nearest") for one, k in zip(h, row, strict=True)) + b
                for row, b in zip(kernels, biases, strict=True)
            ]
        )

    h = v.reshape(1, 16, 16)
    for name in ("c0", "c1", "c2"):
        h = np.maximum(layer(h, name), 0)
    taken = layer(h, "c3").ravel()
    section = {"learned": {"network": "equilibrium", "strength": 0.5}}
    step = build_local_step(section, 256)
    for length in (0.5, 2.0):
        assert_allclose(step.prox(v, length), v - 0.5 * length * taken, atol=1e-5)
    assert (step.kind, step.convex, step.exact, step.settles) == ("denoiser", False, False, True)
    assert not build_local_step({"learned": {**section["learned"], "settles": False}}, 256).settles


def test_pictures_that_are_no_squares_say_their_shape():
    section = {"learned": {"network": "equilibrium", "shape": [2, 9]}}
    assert build_local_step(section, 18).dimension == 18
    for given, reason in (
        ({"network": "equilibrium"}, r"learned\.shape: 18 numbers are no square"),
        ({"network": "equilibrium", "shape": [3, 7]}, r"learned\.shape: 3 x 7; a picture of 18"),
        ({"network": "laplacian", "shape": [2, 9]}, "laplacian has none; leave it out"),
    ):
        with pytest.raises(InputError, match=reason):
            build_local_step({"learned": given}, 18)


# --- Files -------------------------------------------------------------------------------------


def test_a_denoiser_survives_its_file_in_half_precision(tmp_path):
    torch.manual_seed(3)
    for module in (Convolutions(3), MaskedUnet(2, 3, 4)):
        path = tmp_path / f"{type(module).__name__}.npz"
        save_denoiser(path, module, {"seed": 3})
        again = load_network(path)
        for name, array in module.state_dict().items():
            assert_array_equal(again.arrays[name], array.half().double().numpy())
        assert type(module_of(again)) is type(module)
    with pytest.raises(InputError, match="Linear has no file of ours"):
        save_denoiser(tmp_path / "l.npz", torch.nn.Linear(1, 1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"c0.weight": np.ones((3, 2, 3, 3))}, r"c0\.weight is no finite numbers of the shape"),
        ({"c3.bias": np.array([np.nan])}, r"c3\.bias is no finite"),
        ({"c4.bias": np.ones(1)}, "not the weights of a learned network"),
    ],
)
def test_files_that_are_no_denoiser_are_refused(tmp_path, change, reason):
    from dadao_sim.local_steps.learned.denoiser_file import save_denoiser_weights

    arrays = {**weights_of(Convolutions(3)).arrays, **change}
    save_denoiser_weights(tmp_path / "odd.npz", DenoiserWeights("convolutions", arrays), {})
    with pytest.raises(InputError, match=reason) as refused:
        load_network(tmp_path / "odd.npz")
    assert "\n" not in str(refused.value)


# --- Of other packages -------------------------------------------------------------------------


class Told(torch.nn.Module):
    """D(v; sigma) = v - sigma K v, K a convolution: what is told its level of noise."""

    def __init__(self, width=1):
        super().__init__()
        self.K = torch.nn.Conv2d(1, width, 3, padding=1, bias=False)

    def forward(self, v, sigma):
        return v - sigma * self.K(v)


@pytest.fixture
def package(monkeypatch):
    home = types.ModuleType("denoisers_of_others")
    home.Told, home.number = Told, lambda: 3
    monkeypatch.setitem(sys.modules, home.__name__, home)
    return home.__name__


def test_a_module_by_its_name_with_weights_from_a_file(package, tmp_path):
    torch.manual_seed(4)
    kept = Told()
    torch.save(kept.state_dict(), tmp_path / "told.pth")
    found = module_from(f"{package}:Told", options={"width": 1}, weights=tmp_path / "told.pth")
    v = torch.rand(1, 1, 6, 6)
    assert torch.equal(found(v, 0.3), kept(v, 0.3))
    assert not found.training
    # As a local step, with the estimate of its constant: against the singular values written out.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExpansiveDenoiserWarning)
        step = denoiser(at_level(found, 0.3), 36, shape=(1, 1, 6, 6), region=(0.0, 1.0))
    columns = [found(e.reshape(1, 1, 6, 6), 0.3).reshape(-1) for e in torch.eye(36)]
    norm = float(torch.linalg.matrix_norm(torch.stack(columns, 1), 2))
    assert step.operator.function.lipschitz == pytest.approx(norm, rel=0.01)


@pytest.mark.parametrize(
    ("factory", "options", "reason"),
    [
        ("Told", {}, "package.module:name is needed"),
        ("nowhere_at_all:Told", {}, "ModuleNotFoundError"),
        ("denoisers_of_others:Other", {}, "AttributeError"),
        ("denoisers_of_others:Told", {"depth": 1}, "TypeError"),
        ("denoisers_of_others:number", {}, "makes a int, no torch"),
    ],
)
def test_factories_that_make_no_module(package, factory, options, reason):
    with pytest.raises(InputError, match=reason) as refused:
        module_from(factory, options=options)
    assert "\n" not in str(refused.value)


def test_weights_that_do_not_fit(package, tmp_path):
    torch.save(torch.nn.Linear(1, 1).state_dict(), tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("not weights")
    for name, reason in (
        ("other.pth", "RuntimeError"),
        ("text.pth", r"text\.pth: "),
        ("none.pth", "there is no such file"),
    ):
        with pytest.raises(InputError, match=reason) as refused:
            module_from(f"{package}:Told", weights=tmp_path / name)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="sigma: -1"):
        at_level(Told(), -1)
