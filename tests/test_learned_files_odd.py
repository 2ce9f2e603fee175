"""Weight files that say odd things: one line each, and none is read that nobody would run."""

import json
import os

import numpy as np
import pytest

from dadao_sim.algorithms.contract import trained
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.errors import InputError
from dadao_sim.files import check_output
from dadao_sim.local_steps.learned import weight_file
from dadao_sim.local_steps.learned.networks import is_of_torch, load_network, reference_of
from dadao_sim.problems.kinds import convex_surrogate

NETWORKS = ("filters", "illumination", "digits", "equilibrium", "unet", "laplacian")


def content_of(files, name):
    """Arrays and metadata of a shipped file."""
    with np.load(files.folder / f"{name}.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    return arrays, json.loads(str(arrays.pop("metadata")))


def written(path, arrays, metadata):
    """A file with these."""
    np.savez(path, **arrays, metadata=json.dumps(metadata))
    return path


def refusal(path):
    """What is said of a file, the same by all that read it."""
    with pytest.raises(InputError) as refused:
        load_network(path)
    assert is_of_torch(path)
    assert isinstance(reference_of(path), str)
    said = str(refused.value)
    assert "\n" not in said
    assert len(said.replace(str(path), "")) < 260
    return said


@pytest.mark.parametrize("files", [weight_file.FILES, trained.FILES, convex_surrogate.FILES])
def test_a_pipe_is_not_waited_for(tmp_path, files):
    os.mkfifo(tmp_path / "w.npz")
    for path in (tmp_path / "w.npz", tmp_path):
        with pytest.raises(InputError, match=f"{path}: it is no file; make one with"):
            files.opened(path)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("given", [[], {"a": 1}, 3, None, "dadao_sim filters 99", "x" * 5000])
def test_a_format_that_is_none_is_refused(tmp_path, name, given):
    arrays, metadata = content_of(weight_file.FILES, name)
    said = refusal(written(tmp_path / "w.npz", arrays, {**metadata, "format": given}))
    assert "is not one of a learned network" in said or "or damaged" in said


@pytest.mark.parametrize("name", NETWORKS)
def test_an_array_that_nobody_reads_is_refused(tmp_path, name):
    arrays, metadata = content_of(weight_file.FILES, name)
    path = written(tmp_path / "w.npz", {**arrays, "more": np.ones(2)}, metadata)
    said = refusal(path)
    assert "more is none of its arrays" in said or "or damaged" in said


@pytest.mark.parametrize("given", [[], {}, [1], "x" * 5000, None])
def test_a_denoiser_that_is_none_is_refused(tmp_path, given):
    arrays, metadata = content_of(weight_file.FILES, "equilibrium")
    said = refusal(written(tmp_path / "w.npz", arrays, {**metadata, "network": given}))
    assert "is none of convolutions, masked_unet" in said


def test_what_single_precision_has_not_is_refused(tmp_path):
    arrays, metadata = content_of(weight_file.FILES, "equilibrium")
    large = {**arrays, "c1.weight": np.full(arrays["c1.weight"].shape, 1e300)}
    assert "c1.weight is no finite numbers" in refusal(written(tmp_path / "w.npz", large, metadata))


@pytest.mark.parametrize(
    ("name", "key"),
    [("illumination", "A"), ("illumination", "c"), ("digits", "H1"), ("digits", "w")],
)
def test_what_overflows_is_refused(tmp_path, name, key):
    arrays, metadata = content_of(weight_file.FILES, name)
    large = {**arrays, key: np.full(arrays[key].shape, 1e300)}
    said = refusal(written(tmp_path / "w.npz", large, metadata))
    assert f"{key} is no finite numbers of the shape" in said


@pytest.mark.parametrize("change", [lambda F: 0 * F, lambda F: 1e300 * F, lambda F: F + 0.1])
def test_filters_are_of_mean_0_and_norm_1(tmp_path, change):
    arrays, metadata = content_of(weight_file.FILES, "filters")
    odd = {**arrays, "filters": change(arrays["filters"])}
    assert "filters of mean 0 and norm 1" in refusal(written(tmp_path / "w.npz", odd, metadata))
    half = {**arrays, "filters": arrays["filters"].astype(np.float16)}
    assert load_network(written(tmp_path / "w.npz", half, metadata)).p == arrays["p"]


@pytest.mark.parametrize("name", ["x" * 5000 + ".npz", "nul\0.npz", "a b"])
def test_a_path_where_no_file_can_be_is_refused(name):
    for load in (load_network, trained.load_trained):
        with pytest.raises(InputError, match="there is no such file"):
            load(name)


@pytest.mark.parametrize("name", ["unrolled-digits", "unrolled-regression"])
def test_a_method_whose_batch_size_is_not_told_sees_all_samples(tmp_path, name):
    arrays, metadata = content_of(trained.FILES, name)
    del metadata["batch_size"]
    loaded = trained.load_trained(written(tmp_path / "w.npz", arrays, metadata))
    assert get_method("surf").with_weights(loaded).layers == metadata["layers"]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_learned_is_replaced_and_what_others_wrote_is_not(tmp_path, name):
    arrays, metadata = content_of(weight_file.FILES, name)
    path = written(tmp_path / "w.npz", arrays, metadata)
    assert check_output(path, weight_file.WEIGHTS, overwrite=False) == path
    written(path, arrays, {**metadata, "format": "of others"})
    with pytest.raises(InputError, match="not one of ours"):
        check_output(path, weight_file.WEIGHTS, overwrite=False)
