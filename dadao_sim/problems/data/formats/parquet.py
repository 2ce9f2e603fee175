"""Files of Parquet."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.memory import Need, require_room
from dadao_sim.problems.data.formats.columns import chosen_columns, refuse_a_count, targets_of
from dadao_sim.problems.data.formats.format import Asked, Samples, file_format
from dadao_sim.text.lines import written


@file_format("parquet", ".parquet")
def parquet(path: Path, asked: Asked) -> Samples:
    """Columns of numbers, or of true and false; the targets, which may be text, in the column
    ``target``, or else the last one. What pandas wrote as the index is no column.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    if not asked.header:
        raise InputError("header", "parquet files have names of their own", "leave it out")
    with path.open("rb") as opened, ParquetFile(opened) as file:
        schema = file.schema_arrow
        kept = (schema.pandas_metadata or {}).get("index_columns", [])
        indices = [name for name in kept if isinstance(name, str)]
        names = [name for name in schema.names if name not in indices]
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            wrong = f"{path.name} has the name {written(twice[0])} twice"
            raise InputError("path", wrong, "rename one")
        chosen = chosen_columns(path, names, asked)
        if not chosen.features or file.metadata.num_rows == 0:
            wrong = "no samples" if chosen.features else "no features"
            raise InputError("path", f"{path.name} holds {wrong}", "samples of numbers are needed")
        size = 16 * file.metadata.num_rows * len(names)
        require_room(Need("path", f"{path.name} as a table", size))
        wanted = [names[k] for k in (*chosen.features, chosen.target) if k is not None]
        try:
            table = file.read(columns=wanted)
        except pyarrow.ArrowException as error:
            said = str(error).splitlines()[0][:80]
            raise InputError("path", f"{path.name} cannot be read ({said})") from error
    X = np.empty((table.num_rows, len(chosen.features)), order="F")
    for k, place in enumerate(chosen.features):
        column = _column(path, names[place], table[names[place]])
        if column.dtype.kind not in "biuf":
            what = "text" if column.dtype.kind == "U" else f"{column.dtype} values"
            wrong = f"column {written(names[place])} of {path.name} holds {what}, no numbers"
            raise InputError("path", wrong, f"say leave_out: [{written(names[place])}]")
        X[:, k] = reals(f"path: column {written(names[place])} of {path.name}", column, truths=True)
    refuse_a_count(path, X, names, chosen, asked)
    if chosen.target is None:
        return Samples(X, None)
    name = names[chosen.target]
    return Samples(X, targets_of(path, _column(path, name, table[name])))


def _column(path: Path, name: str, values: Any) -> NDArray[Any]:
    """A column of Arrow as numbers, true and false, or text; InputError where one is missing."""
    import pyarrow

    if values.null_count:
        row = values.is_null().to_pylist().index(True)
        wrong = f"column {written(name)}, sample {row} (from 0) of {path.name} is missing"
        raise InputError("path", wrong, "give a value there, or leave the sample out")
    kind = values.type
    if pyarrow.types.is_dictionary(kind):  # categories of pandas
        values, kind = values.cast(kind.value_type), kind.value_type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return np.array(values.to_pylist(), dtype=str)
    numbers = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
    if numbers or pyarrow.types.is_boolean(kind):
        return values.to_numpy()
    raise InputError(
        "path",
        f"column {written(name)} of {path.name} holds {kind} values",
        f"numbers are needed; say leave_out: [{written(name)}] if it is no feature",
    )
