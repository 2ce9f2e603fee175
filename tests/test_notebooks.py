"""The notebooks of the docs run, and what is stored in them is what they show."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from notebooks import HTML, NOTEBOOKS, PNG, TEXT, cells, read, shown
from PIL import Image

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.metrics import METRICS

NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
LARGEST = 250_000  # bytes


@pytest.fixture(autouse=True)
def as_before(monkeypatch, tmp_path):
    """What a notebook registers is gone after it, and what it writes."""
    for registry in (METHODS, METRICS):
        assert len(registry)  # read, before what it has is copied
        monkeypatch.setattr(registry, "_things", registry._things.copy())
    monkeypatch.chdir(tmp_path)


def test_there_are_three():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["first-steps", "your-own-method", "your-own-network"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_stored_in_it(path):
    stored = [cell["outputs"] for cell in cells(path)]
    for number, (is_now, was) in enumerate(zip(shown(path), stored, strict=True)):
        assert [kind(output) for output in is_now] == [kind(output) for output in was], number
        for now, before in zip(is_now, was, strict=True):
            alike(texts(now), texts(before), number)
            if PNG in now.get("data", {}):
                assert size(now) == size(before), number


def kind(output):
    return output["output_type"], sorted(output.get("data", {}))


def texts(output):
    data = output.get("data", {TEXT: output.get("text", [])})
    return ["".join(data[name]) for name in (TEXT, HTML) if name in data]


def alike(now, before, number):
    """The same words; numbers equal to three digits, for libraries round each in their own way."""
    for text, other in zip(now, before, strict=True):
        assert NUMBER.sub("#", text) == NUMBER.sub("#", other), number
        found, stored = (
            [float(x.replace(",", "")) for x in NUMBER.findall(t)] for t in (text, other)
        )
        np.testing.assert_allclose(found, stored, rtol=1e-3, atol=1e-9, err_msg=str(number))


def size(output):
    return Image.open(BytesIO(base64.b64decode(output["data"][PNG]))).size


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_one_of_the_format_and_small(path):
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert path.stat().st_size < LARGEST
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = cells(path)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not any("error" in output["output_type"] for cell in code for output in cell["outputs"])
    assert sum(PNG in o.get("data", {}) for cell in code for o in cell["outputs"]) >= 2
