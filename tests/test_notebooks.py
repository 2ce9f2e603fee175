"""The notebooks of the docs run, and what is stored in them is what they show."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from notebooks import HTML, NOTEBOOKS, PNG, TEXT, cells, executed, read
from PIL import Image

NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
LARGEST = 250_000  # bytes


def test_there_are_three():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["first-steps", "your-own-method", "your-own-network"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_stored_in_it(tmp_path, path):
    stored = [cell["outputs"] for cell in cells(read(path))]
    shown = [cell["outputs"] for cell in cells(executed(path, tmp_path))]
    for number, (is_now, was) in enumerate(zip(shown, stored, strict=True)):
        assert [kind(output) for output in is_now] == [kind(output) for output in was], number
        for now, before in zip(is_now, was, strict=True):
            alike(texts(now), texts(before), number)
            if PNG in now.get("data", {}):
                assert is_same_picture(picture(now), picture(before)), number


def kind(output):
    return output["output_type"], sorted(output.get("data", {}))


def texts(output):
    data = output.get("data", {TEXT: output.get("text", [])})
    return ["".join(data[name]) for name in (TEXT, HTML) if name in data]


def alike(now, before, number):
    """The same words; numbers equal to three digits, for libraries round each in their own way,
    and what is below 1e-6 is what a solver left."""
    for text, other in zip(now, before, strict=True):
        assert NUMBER.sub("#", text) == NUMBER.sub("#", other), number
        found, stored = (
            [float(x.replace(",", "")) for x in NUMBER.findall(t)] for t in (text, other)
        )
        np.testing.assert_allclose(found, stored, rtol=1e-3, atol=1e-6, err_msg=str(number))


def picture(output):
    """The brightness of every pixel, from 0 to 1."""
    with Image.open(BytesIO(base64.b64decode(output["data"][PNG]))) as found:
        return np.asarray(found.convert("L"), dtype=float) / 255


def is_same_picture(now, before):
    """Of one size, and as dark in every part: fonts and their edges are each machine's own."""
    if now.shape != before.shape:
        return False
    one, other = (coarse(1 - pixels) for pixels in (now, before))
    return np.abs(one - other).max() < 0.1 and np.abs(one.mean() / other.mean() - 1) < 0.05


def coarse(pixels, width=16):
    """The means over squares of 16 x 16 pixels."""
    rows, columns = (n // width for n in pixels.shape)
    squares = pixels[: rows * width, : columns * width].reshape(rows, width, columns, width)
    return squares.mean(axis=(1, 3))


def test_other_pictures_are_told_apart():
    pictures = [
        picture(output)
        for path in NOTEBOOKS
        for cell in cells(read(path))
        for output in cell["outputs"]
        if PNG in output.get("data", {})
    ]
    for before in pictures:
        assert is_same_picture(before, before)
        assert is_same_picture(np.roll(before, 1, axis=1), before)
        assert not is_same_picture(np.ones_like(before), before)
        assert not is_same_picture(np.roll(before, 40, axis=0), before)
        without_a_part = before.copy()
        rows, columns = before.shape
        without_a_part[rows // 4 : rows // 2, : columns // 2] = 1
        assert not is_same_picture(without_a_part, before)
        for other in pictures:
            assert other is before or not is_same_picture(other, before)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_one_of_the_format_and_small(path):
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert path.stat().st_size < LARGEST
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    code = cells(notebook)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not any("error" in output["output_type"] for cell in code for output in cell["outputs"])
    assert sum(PNG in o.get("data", {}) for cell in code for o in cell["outputs"]) >= 2
