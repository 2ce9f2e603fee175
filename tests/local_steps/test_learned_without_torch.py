"""What learned local steps say and do where torch is not installed."""

import io
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Problem, learning
from dadao_sim.errors import InputError
from dadao_sim.local_steps import learned
from dadao_sim.local_steps.learned import (
    ExpansiveDenoiserWarning,
    denoiser,
    load_weights,
    save_weights,
)
from dadao_sim.local_steps.learned.weight_file import FILES
from dadao_sim.local_steps.section import build_local_step

NEEDED = 'needs torch; install it with: pip install "dadao-sim[learned]"'


@pytest.fixture
def no_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


def test_the_extra_is_named_where_torch_is_missing(no_torch):
    for ask in (
        lambda: build_local_step({"learned": "laplacian"}, 3),
        lambda: learning.train,
        lambda: learning.learn,
        lambda: learning.learn_unrolled,
    ):
        with pytest.raises(InputError) as refused:
            ask()
        assert str(refused.value).removeprefix("learned: ") == NEEDED
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = learned.trian


def test_nothing_imports_torch_before_it_is_used():
    program = (
        "import sys, dadao_sim.simulation.simulate, dadao_sim.cli.main, dadao_sim.cli.learned;"
        "from dadao_sim.local_steps.learned import denoiser, load_weights;"
        "load_weights('laplacian'); denoiser(lambda v: v, 3); print('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout == "False\n", answer.stderr


# --- Weight files ------------------------------------------------------------------------------


def test_the_shipped_weights_say_how_they_were_made():
    weights, metadata = load_weights("laplacian")
    assert metadata["command"] == "dadao-sim learn-prior laplacian --out laplacian.npz --seed 0"
    assert weights.symmetric is True
    assert (weights.radius, weights.output.shape, weights.hidden.shape) == (3.5, (16,), (1, 16, 16))
    assert (FILES.folder / "laplacian.npz").stat().st_size < 8000


def test_weights_survive_the_file(tmp_path):
    weights, _ = load_weights("laplacian")
    save_weights(tmp_path / "mine.npz", weights, {"seed": 3})
    again, metadata = load_weights(tmp_path / "mine.npz")
    assert metadata["seed"] == 3
    for one, other in zip(weights, again, strict=True):
        assert_array_equal(one, other)


def test_a_network_that_is_not_there():
    with pytest.raises(InputError, match=r"unknown network 'gauss' \(shipped: .*laplacian, .*\)"):
        load_weights("gauss")
    with pytest.raises(InputError, match=r"gauss\.npz: there is no such file"):
        load_weights("gauss.npz")


def test_damaged_and_foreign_files_are_refused_in_one_line(tmp_path):
    whole = (FILES.folder / "laplacian.npz").read_bytes()
    foreign, single = io.BytesIO(), io.BytesIO()
    np.savez(foreign, a=np.ones(3))
    np.save(single, np.ones(3))
    broken = [whole[:1000], b"", b"not a file of numbers", foreign.getvalue(), single.getvalue()]
    broken += [
        whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(60, 2000, 97)
    ]
    for content in broken:
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.npz: .*`learn-prior`") as refused:
            load_weights(tmp_path / "broken.npz")
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="it is no file"):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"output": -np.ones(16)}, "negative weight"),
        ({"bias": np.ones((2, 3))}, r"bias has the shape \(2, 3\)"),
        ({"skip": np.ones((0, 0))}, r"skip has the shape \(0, 0\)"),
        ({"skip": np.full((2, 16), np.nan)}, "skip is not finite"),
        ({"beta": 0.0}, "beta > 0"),
        ({"radius": -1.0}, "radius > 0"),
        ({"skip": np.ones((2, 16), dtype=complex)}, "skip has the type complex128"),
        ({"bias": np.full((2, 16), "a")}, "bias has the type <U1"),
        ({"symmetric": 0.5}, "symmetric has the type float64"),
    ],
)
def test_weights_that_are_no_network_are_refused(tmp_path, change, reason):
    weights, _ = load_weights("laplacian")
    save_weights(tmp_path / "odd.npz", weights._replace(**change), {})
    with pytest.raises(InputError, match=reason):
        load_weights(tmp_path / "odd.npz")


def test_no_damage_to_a_file_leaks_an_exception(tmp_path):
    """Bytes changed at random, mostly where the zip file describes itself; a fixed seed."""
    whole = (FILES.folder / "laplacian.npz").read_bytes()
    rng, path, refusals = np.random.default_rng(0), tmp_path / "damaged.npz", []
    headers = np.intersect1d(described(whole), range(len(whole)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in range(600):
            damaged = bytearray(whole)
            places = headers if k % 2 else np.arange(len(whole))
            for at in rng.choice(places, size=rng.integers(1, 5)):
                damaged[at] = rng.integers(256)
            path.write_bytes(damaged[: rng.integers(len(whole))] if k % 10 == 0 else damaged)
            try:
                load_weights(path)
            except InputError as refused:
                refusals.append(str(refused))
    assert len(refusals) > 300
    assert not any("\n" in refusal for refusal in refusals)


def described(content):
    """Where the headers of a zip file are, by their signatures."""
    starts = [at for at in range(len(content)) if content[at : at + 2] == b"PK"]
    return [at + k for at in starts for k in range(46)]


@pytest.mark.parametrize(
    ("at", "value"), [(4, 99), (6, 1), (8, 99)], ids=["zip version", "encrypted", "compression"]
)
def test_zip_files_that_python_cannot_read(tmp_path, at, value):
    """Every local and central header of the file asks for what zipfile does not have."""
    content = bytearray((FILES.folder / "laplacian.npz").read_bytes())
    for signature, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        start = content.find(signature)
        while start >= 0:
            content[start + shift + at] = value
            start = content.find(signature, start + 1)
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(InputError, match="not the weights of a learned network"):
        load_weights(tmp_path / "odd.npz")


@pytest.mark.parametrize("name", ["/", ".", "..", "", "lapla/cian", "laplacian/", "a\0b.npz"])
def test_what_is_no_bare_word_is_a_file(name):
    with pytest.raises(InputError) as refused:
        load_weights(name)
    assert "unknown network" not in str(refused.value)


def test_another_format_is_refused(tmp_path):
    np.savez(
        tmp_path / "odd.npz",
        metadata=json.dumps({"format": "other 2"}),
        **load_weights("laplacian")[0]._asdict(),
    )
    with pytest.raises(InputError, match="format 'other 2' is not"):
        load_weights(tmp_path / "odd.npz")
    # Metadata of another file do not decide about the format that is written.
    save_weights(tmp_path / "mine.npz", load_weights("laplacian")[0], {"format": "other 2"})
    load_weights(tmp_path / "mine.npz")


# --- Denoisers that are plain functions --------------------------------------------------------


@pytest.mark.parametrize("dimension", [5, 100])
def test_the_estimate_of_a_symmetric_map_is_its_largest_eigenvalue(no_torch, dimension):
    rng = np.random.default_rng(dimension)
    Q = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0]
    eigenvalues = np.linspace(-0.7, 0.95, dimension)
    step = denoiser(lambda v: Q @ (eigenvalues * (Q.T @ v)), dimension)
    assert step.operator.function.lipschitz == pytest.approx(0.95, rel=0.02)
    assert step.operator.function.lipschitz < 0.95 + 1e-9


def test_a_small_map_far_from_normal_is_written_out(no_torch):
    matrix = np.diag(np.full(9, 3.0), k=1)  # nilpotent
    with pytest.warns(ExpansiveDenoiserWarning, match="stretches distances by 3 "):
        step = denoiser(lambda v: matrix @ v, 10)
    assert_allclose(step.prox(np.arange(10.0), 1.0), matrix @ np.arange(10.0))


def test_a_proximal_operator_in_the_place_of_a_denoiser_passes(no_torch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step = denoiser(lambda v: np.sign(v) * np.maximum(np.abs(v) - 0.2, 0), 6)
        denoiser(lambda v: np.zeros(6), 6)
    assert_allclose(step.prox(np.full(6, 0.5), 3.0), 0.3)
    assert (step.convex, step.exact, step.has_value) == (False, False, False)


def test_images_keep_their_shape(no_torch):
    step = denoiser(lambda image: image.T.copy().T / 2, 6, shape=(2, 3))
    assert_array_equal(step.prox(np.arange(6.0), 1.0), np.arange(6.0) / 2)
    with pytest.raises(InputError, match=r"answers with shape \(3, 2\); \(2, 3\) is needed"):
        denoiser(lambda image: image.T, 6, shape=(2, 3))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"shape": (2, 2)}, r"shape \(2, 2\) does not hold 6 numbers"),
        ({"region": (1.0, 1.0)}, "low < high"),
        ({"region": (1.0,)}, "low < high"),
        ({"points": 0}, "points 0"),
        ({"points": 1.5}, r"points 1\.5"),
    ],
)
def test_options_that_make_no_sense(no_torch, options, reason):
    with pytest.raises(InputError, match=reason):
        denoiser(lambda v: v, 6, **options)
    with pytest.raises(InputError, match="a function of an array is needed"):
        denoiser("identity", 6)
    with pytest.raises(InputError, match="not finitely"):
        denoiser(lambda v: np.full(6, np.nan), 6)


def test_an_objective_of_torch_names_the_extra(no_torch):
    with pytest.raises(InputError, match="needs torch; install it"):
        Problem.from_torch(None, [], None)
