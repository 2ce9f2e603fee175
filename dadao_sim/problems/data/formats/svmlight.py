"""Files of svmlight: lines of a target and number:value pairs."""

import itertools
import re
from pathlib import Path

from dadao_sim.errors import InputError
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.formats.format import Asked, Samples, file_format

SVMLIGHT_LINE = re.compile(rb"\s*([^\s:#]+(\s+qid:\d+)?(\s+\d+:[^\s:#]+)*\s*)?(#.*)?")


@file_format("svmlight", ".svmlight", ".svm", ".libsvm")
def svmlight(path: Path, asked: Asked) -> Samples:
    """Lines of a target and ``number:value`` pairs, the numbers increasing.

    A number is that of a feature, from 0 if the file has a feature 0, else from 1. Comments after #
    and ``qid:`` are passed over.
    """
    from sklearn.datasets import load_svmlight_file

    asked.of_a_table_only("svmlight")
    if asked.target is not None:
        raise InputError("target", "svmlight files name no columns", "leave it out")
    _refuse_underscores(path)
    try:
        with path.open("rb") as file:
            X, y = load_svmlight_file(file, zero_based="auto")
    except OverflowError:
        raise InputError("path", f"{path.name} has a feature number beyond 2^31") from None
    except ValueError:
        raise InputError(
            "path",
            f"{_wrong_line(path)} is no line of an svmlight file",
            "a target and number:value pairs, the numbers increasing, are needed",
        ) from None
    if X.indices.size == 0:
        raise InputError("path", f"{path.name} has targets and no features", "number:value pairs")
    rows, columns = X.shape
    dense = f"{path.name} as a table of {rows:,} samples and {columns:,} features"
    require_room(Need("path", dense, 8 * rows * columns))
    return Samples(X.toarray(), None if asked.points else y)


def _refuse_underscores(path: Path) -> None:
    """InputError for 1_000, which Python takes for a number."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if b"_" in line.split(b"#")[0]:
                where = f"line {number} of {path.name}"
                raise InputError("path", f"{where} has a _ in it", "write 1000, not 1_000")


def _wrong_line(path: Path) -> str:
    """Which line of a file is not of svmlight, as far as can be seen."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not SVMLIGHT_LINE.fullmatch(line.rstrip()):
                return f"line {number} of {path.name}"
            pairs = [int(pair) for pair in re.findall(rb"\s(\d+):", line.split(b"#")[0])]
            if any(left >= right for left, right in itertools.pairwise(pairs)):
                return f"line {number} of {path.name}"
    return f"a line of {path.name}"
