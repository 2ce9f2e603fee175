"""Data files: what is read is read to the bit, and what could be read wrongly is refused."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import problem_cases as cases
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.problems import build_problem
from dadao_sim.problems.data.files import DataFile
from dadao_sim.problems.data.source import Samples, standardised


def samples(path: Path, *, points: bool = False, **options: Any) -> Samples:
    data = DataFile(kind="file", path=str(path), **options)
    return data.samples(np.random.default_rng(0), points=points)


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        samples(path, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) <= 300
    assert said.isprintable()
    return said


# --- csv, tsv ------------------------------------------------------------------------------------

PLAIN = "a,b,y\n1,2,3\n4,5,6\n"
ROWS, TARGETS = [[1.0, 2.0], [4.0, 5.0]], [3.0, 6.0]

SAME: dict[str, str | bytes] = {
    "plain": PLAIN,
    "no newline at its end": PLAIN[:-1],
    "CRLF": PLAIN.replace("\n", "\r\n"),
    "CR": PLAIN.replace("\n", "\r"),
    "a mark of byte order": b"\xef\xbb\xbf" + PLAIN.encode(),
    "blanks": "a , b,y\n 1,2 , 3\n4,5,6\n",
    "quoted names and numbers": '"a","b","y"\n"1","2","3"\n4,5,6\n',
    "empty lines above": "\n\r\na,b,y\n1,2,3\n4,5,6\n",
    "empty lines": "a,b,y\n\n1,2,3\n\n4,5,6\n\n",
    "exponents": "a,b,y\n1e0,+2.,3.0\n.4e1,5E0,6\n",
    "names beyond ASCII": "ä,β,y\n1,2,3\n4,5,6\n",
    "a comma in a name": '"a,b",c,y\n1,2,3\n4,5,6\n'.replace('"a,b"', '"a.b"'),
}


@pytest.mark.parametrize("text", SAME)
def test_tables_that_say_the_same(tmp_path, text):
    X, y = samples(file(tmp_path, "d.csv", SAME[text]))
    assert (X.tolist(), y.tolist()) == (ROWS, TARGETS)


def test_tabs_separate_a_tsv(tmp_path):
    X, y = samples(file(tmp_path, "d.tsv", PLAIN.replace(",", "\t")))
    assert (X.tolist(), y.tolist()) == (ROWS, TARGETS)
    assert "line 1 of d.tsv has commas" in refused(file(tmp_path, "d.tsv", PLAIN))
    assert "line 1 of d.csv has tabs" in refused(file(tmp_path, "d.csv", PLAIN.replace(",", "\t")))


AMBIGUOUS: dict[str, tuple[str | bytes, str]] = {
    "no names": ("1,2,3\n4,5,6\n", "line 1 of d.csv holds numbers"),
    "no names, text last": ("1,2,yes\n4,5,no\n", "line 1 of d.csv holds numbers"),
    "no names, text first": ("yes,2,3\nno,5,6\n", "line 1 of d.csv holds numbers"),
    "no names, nan": ("nan,2,3\n4,5,6\n", "line 1 of d.csv holds numbers"),
    "no names, below an empty line": ("\n1,2,3\n4,5,6\n", "line 2 of d.csv holds numbers"),
    "no names, decimal commas": ('"1,5","2,5"\n1,2\n', "line 1 of d.csv holds numbers"),
    "numbers of columns as names": ("0,1,y\n1,2,3\n", "line 1 of d.csv holds numbers"),
    "an index": (
        ",a,b,y\n0,1,2,3\n1,4,5,6\n",
        "column 1 of d.csv has no name; say leave_out: [1]",
    ),
    "an index, read and written again": (
        "Unnamed: 0,a,y\n0,1,2\n",
        "column 1 of d.csv has no name",
    ),
    "two indices": (",,a,y\n0,0,1,2\n", "column 1 of d.csv has no name"),
    "a column without name": ("a,,y\n1,2,3\n", "column 2 of d.csv has no name"),
    "commas after all lines": (
        "a,b,y,\n1,2,3,\n",
        "column 4 of d.csv has no name; name it, or rem",
    ),
    "commas after the rows": ("a,b,y\n1,2,3,\n", "line 2 of d.csv has 4 values for 3 names"),
    "a longer row": ("a,b,y\n1,2,3\n4,5,6,7\n", "line 3 of d.csv has 4 values for 3 names"),
    "all rows longer": ("a,b,y\n1,2,3,4\n4,5,6,7\n", "line 2 of d.csv has 4 values for 3 names"),
    "a shorter row": ("a,b,y\n1,2,3\n4,5\n", "line 3 of d.csv has 2 values for 3 names"),
    "names for fewer": ("a,y\n1,2,3\n", "line 2 of d.csv has 3 values for 2 names"),
    "a name twice": ("a,a,y\n1,2,3\n", "line 1 of d.csv has the name 'a' twice"),
    "a name twice but for blanks": ("a,a ,y\n1,2,3\n", "has the name 'a' twice"),
    "semicolons": ("a;b;y\n1;2;3\n", "line 1 of d.csv has semicolons in it; commas separate"),
    "decimal commas": ("a;y\n1,5;2,5\n", "line 1 of d.csv has semicolons"),
    "quoted thousands": (
        'a,y\n"1,000",2\n',
        "is '1,000', no number; write thousands without commas",
    ),
    "quoted decimal commas": ('a,y\n"1,5",2\n', "line 2 of d.csv is '1,5', no number; decimals"),
    "a hole": ("a,b,y\n1,,3\n", "column 'b', line 2 of d.csv is empty"),
    "a hole in the targets": ("a,b,y\n1,2,\n", "column 'y', line 2 of d.csv is empty"),
    "NA": ("a,b,y\n1,NA,3\n", "column 'b', line 2 of d.csv is 'NA', no number"),
    "nan": ("a,b,y\n1,nan,3\n", "line 2 of d.csv is nan or infinite"),
    "inf": ("a,b,y\n1,2,3\n1,-inf,3\n", "line 3 of d.csv is nan or infinite"),
    "a number too large": ("a,b,y\n1,1e999,3\n", "line 2 of d.csv is nan or infinite"),
    "nan as a target": ("a,b,y\n\n1,2,nan\n", "line 3 of d.csv is nan or infinite"),
    "truths": ("a,b,y\n1,True,3\n", "column 'b', line 2 of d.csv is 'True', no number"),
    "1_000": ("a,b,y\n1,1_000,3\n", "column 'b', line 2 of d.csv is '1_000', no number"),
    "0x10": ("a,b,y\n1,0x10,3\n", "column 'b', line 2 of d.csv is '0x10', no number"),
    "thousands": ('a,b,y\n1,"1,000,000",3\n', "column 'b', line 2 of d.csv is '1,000,000', no"),
    "a comment above": ("# of 2020\na,b,y\n1,2,3\n", "line 2 of d.csv has 3 values for 1 names"),
    "text in a feature": (f"a,y\n{'red' * 999},2\n", "column 'a', line 2 of d.csv is 'redred"),
    "text as targets": ("a,y\n1,yes\n2,no\n", "the targets of d.csv are text: 'no', 'yes'; numb"),
    "text of two classes": ("a,y\n1,M\n2,B\n", "or for two classes labels: {positive: 'M'}"),
    "text of three": ("a,y\n1,M\n2,B\n3,C\n", "labels: {positive: ..., negative: ...}"),
    "text to leave out": (
        "id,a,y\nx7,1,2\n",
        "line 2 of d.csv is 'x7', no number; give a number th",
    ),
    "an index with a name": (
        "id,a,y\n0,5,2\n1,6,3\n2,7,3\n",
        "leave_out: column 'id' of d.csv counts the rows from 0; say leave_out: [1] if it is an in",
    ),
    "an index from 1": (
        "n,a,y\n1,5,2\n2,6,3\n3,7,3\n",
        "column 'n' of d.csv counts the rows from 1",
    ),
    "a quote that stays open": ('a,b,y\n1,"2,3\n4,5,6\n', "line 3 of d.csv: unexpected end of"),
    "a cell that is too long": (f'a,y\n"{"1" * 140_000}",2\n', "field larger than field limit"),
    "empty": ("", "d.csv is empty"),
    "blank": ("\n \n", "d.csv is empty"),
    "names alone": ("a,b,y\n", "d.csv holds names and no samples"),
    "targets alone": ("y\n1\n2\n", "d.csv holds targets and no features"),
    "Latin 1": ("ä,y\n1,2\n".encode("latin-1"), "d.csv: byte 0 is not UTF-8"),
    "UTF-16": (PLAIN.encode("utf-16"), "d.csv: byte 0 is not UTF-8"),
    "UTF-16 without mark": (PLAIN.encode("utf-16-le"), "d.csv holds bytes that are no text"),
    "another kind of file": (b"PAR1\x15\x04\x15\x80}\xff" * 99, "d.csv: byte"),
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_tables_that_could_be_read_wrongly(tmp_path, what):
    text, said = AMBIGUOUS[what]
    assert said in refused(file(tmp_path, "d.csv", text))


def test_targets_by_name_and_points(tmp_path):
    path = file(tmp_path, "d.csv", PLAIN)
    X, y = samples(path, target="a")
    assert (X.tolist(), y.tolist()) == ([[2, 3], [5, 6]], [1, 4])
    assert samples(path, points=True).X.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert samples(path, points=True, target="b").X.tolist() == [[1, 3], [4, 6]]
    many = file(tmp_path, "m.csv", ",".join(f"c{k}" for k in range(9999)) + "\n")
    assert refused(many, target="z").startswith("target: no column 'z' in m.csv; it has c0, c1")


numbers = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    table=st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1)
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoted=st.booleans(),
)
def test_every_number_written_is_read_to_the_bit(tmp_path, table, ending, quoted):
    def line(cells: Any) -> str:
        return ",".join(f'"{cell}"' if quoted else f"{cell}" for cell in cells)

    names = [f"c{k}" for k in range(len(table[0]))]
    text = ending.join([line(names), *(line(map(repr, row)) for row in table)])
    X, y = DataFile(kind="file", path=str(file(tmp_path, "d.csv", text))).read(points=False)
    assert np.column_stack([X, y]).tobytes() == np.array(table).tobytes()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_cell_too_many_or_too_few_anywhere_is_refused(tmp_path, data):
    """Whichever line of a table gains or loses cells, no number of it is used."""
    lines = [["a", "b", "y"], ["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
    line = lines[data.draw(st.integers(0, 3))]
    if data.draw(st.booleans()):
        cells = data.draw(st.lists(st.sampled_from(["", "0", "x"]), min_size=1, max_size=2))
        place = data.draw(st.integers(0, 3))
        line[place:place] = cells
    else:
        del line[data.draw(st.integers(0, 2))]
    path = file(tmp_path, "d.csv", "\n".join(map(",".join, lines)) + "\n")
    assert refused(path).startswith("path: ")


def test_what_pandas_writes_is_read_or_refused(tmp_path):
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((5, 3)), columns=["a", "b", "y"])
    table.to_csv(tmp_path / "d.csv", index=False)
    X, y = samples(tmp_path / "d.csv")
    np.testing.assert_array_equal(np.column_stack([X, y]), table.to_numpy())
    table.to_csv(tmp_path / "d.csv")
    assert "column 1 of d.csv has no name" in refused(tmp_path / "d.csv")
    table.to_csv(tmp_path / "d.csv", index=False, header=False)
    assert "line 1 of d.csv holds numbers" in refused(tmp_path / "d.csv")


WITHOUT_NAMES = "5.1,3.5,0\n4.9,3.0,1\n4.7,3.2,1\n"


@pytest.mark.parametrize(("ending", "separator"), [("csv", ","), ("tsv", "\t")])
def test_a_table_without_names_keeps_its_first_sample(tmp_path, ending, separator):
    path = file(tmp_path, f"d.{ending}", "\n" + WITHOUT_NAMES.replace(",", separator))
    as_pandas_reads = pd.read_csv(path, header=None, sep=separator).to_numpy()
    X, y = samples(path, header=False)
    np.testing.assert_array_equal(np.column_stack([X, y]), as_pandas_reads)
    X, y = samples(path, header=False, target=1)
    np.testing.assert_array_equal(np.column_stack([y, X]), as_pandas_reads)
    assert samples(path, header=False, points=True).X.shape == (3, 3)
    assert "header: false" in refused(path)
    said = refused(file(tmp_path, "d.csv", PLAIN), header=False)
    assert said.endswith(
        "line 1 of d.csv holds no number, such as 'a'; leave header: false out if it is names"
    )


@pytest.mark.parametrize("index_label", [None, "id", "Unnamed: 0"])
@pytest.mark.parametrize("by", ["number", "name"])
def test_an_index_is_left_out(tmp_path, index_label, by):
    table = pd.DataFrame(np.random.default_rng(0).standard_normal((5, 3)), columns=["a", "b", "y"])
    table.to_csv(tmp_path / "d.csv", index_label=index_label)
    assert "leave_out: [1]" in refused(tmp_path / "d.csv")
    if by == "name" and index_label is None:
        return
    X, y = samples(tmp_path / "d.csv", leave_out=[1 if by == "number" else index_label])
    np.testing.assert_array_equal(np.column_stack([X, y]), table.to_numpy())


def test_a_count_that_is_a_feature_is_kept_where_that_is_said(tmp_path):
    path = file(tmp_path, "d.csv", "t,a,y\n0,5,1\n1,6,2\n2,9,3\n")
    assert samples(path, leave_out=[]).X.tolist() == [[0, 5], [1, 6], [2, 9]]
    for text in (
        "t,y\n0,1\n1,2\n2,3\n",
        "t,a,y\n0,5,1\n1,6,2\n3,9,3\n",
        "t,a,y\n2,5,1\n3,6,2\n4,9,3\n",
    ):
        samples(file(tmp_path, "d.csv", text))  # the only feature; no count; not from 0 or 1


def test_columns_are_left_out_by_name_and_by_number(tmp_path):
    path = file(tmp_path, "d.csv", "who,a,b,note,y\nx,1,2,fine,3\ny,4,5,ill,6\n")
    X, y = samples(path, leave_out=["who", 4])
    assert (X.tolist(), y.tolist()) == (ROWS, TARGETS)
    assert samples(path, leave_out=["who", 4], target="a").y.tolist() == [1, 4]
    assert samples(path, leave_out=["who", "note", "b"], target=5).X.tolist() == [[1], [4]]
    assert refused(path, leave_out=["whom"]).startswith("leave_out: no column 'whom' in d.csv")
    assert refused(path, leave_out=[6]).startswith(
        "leave_out: no column 6 in d.csv; it has columns"
    )
    assert refused(path, target=6).startswith("target: no column 6 in d.csv")
    assert refused(path, leave_out=["y"], target=5).startswith("leave_out: 5 is the target")
    for option in ({"header": False}, {"leave_out": [1]}):
        assert refused(file(tmp_path, "d.svm", "1 1:2\n"), **option).startswith(next(iter(option)))
        np.savez(tmp_path / "d.npz", A=[[1.0]], b=[1.0])
        assert refused(tmp_path / "d.npz", **option).startswith(next(iter(option)))


@pytest.mark.parametrize("column", [0, -1, "", None, True, 1.0, [1]])
def test_what_names_no_column_is_refused(column):
    data = {"kind": "file", "path": "d.csv", "leave_out": [column]}
    said = cases.refusal({"kind": "ridge", "mu": 1.0, "data": data})
    assert said.startswith("data.leave_out.0: must be the name of a column")


# --- parquet -------------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "a": np.array([1, -2, 300], dtype=np.int16),
        "b": np.array([0.1, np.pi, -1e300]),
        "c": np.array([0.5, 1.5, 2.5], dtype=np.float32),
        "d": [True, False, True],
        "y": ["benign", "malignant", "benign"],
    }
)


@pytest.mark.parametrize("index", [None, False, ["p", "q", "r"]])
@pytest.mark.parametrize("compression", ["snappy", "zstd", None])
def test_parquet_is_read_as_pandas_reads_it(tmp_path, index, compression):
    frame = FRAME if not isinstance(index, list) else FRAME.set_axis(index)
    path = tmp_path / "d.parquet"
    frame.to_parquet(path, index=index is not False, compression=compression)
    X, y = samples(path, labels={"positive": "malignant"})
    np.testing.assert_array_equal(X, pd.read_parquet(path)[["a", "b", "c", "d"]].astype(float))
    assert y.tolist() == [-1, 1, -1]
    assert "the targets of d.parquet are text: 'benign', 'malignant'" in refused(path)
    X, y = samples(path, target="b", leave_out=["y", 4])
    np.testing.assert_array_equal(np.column_stack([X, y]), frame[["a", "c", "b"]].astype(float))


def test_parquet_and_csv_of_one_frame_are_the_same_samples(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(1).standard_normal((40, 6))).add_prefix("c")
    frame.to_parquet(tmp_path / "d.parquet")
    frame.to_csv(tmp_path / "d.csv", index=False)
    one, two = (samples(tmp_path / f"d.{e}", standardise=True) for e in ("parquet", "csv"))
    assert (one.X.tobytes(), one.y.tobytes()) == (two.X.tobytes(), two.y.tobytes())


def test_categories_of_pandas_are_text(tmp_path):
    frame = FRAME.assign(y=FRAME["y"].astype("category"))
    frame.to_parquet(tmp_path / "d.parquet")
    assert samples(tmp_path / "d.parquet", labels={"positive": "benign"}).y.tolist() == [1, -1, 1]


PARQUET: dict[str, tuple[dict[str, Any], str]] = {
    "nan": ({"a": [1.0, np.nan], "y": [1, 2]}, "column 'a', sample 1 (from 0) of d.parquet is"),
    "no target": (
        {"a": [1.0, 2.0], "y": ["p", None]},
        "column 'y', sample 1 (from 0) of d.parquet",
    ),
    "inf": ({"a": [1.0, np.inf], "y": [1, 2]}, "sample 1 (from 0) is nan or infinite"),
    "text": ({"a": ["p", "q"], "y": [1, 2]}, "column 'a' of d.parquet holds text, no numb"),
    "dates": (
        {"a": pd.to_datetime(["2020", "2021"]), "y": [1, 2]},
        "'a' of d.parquet holds timesta",
    ),
    "lists": ({"a": [[1], [2]], "y": [1, 2]}, "column 'a' of d.parquet holds list<"),
    "large": ({"a": [2**60 + 1, 2], "y": [1, 2]}, "column 'a' of d.parquet: whole numbers beyond"),
    "one column": ({"y": [1, 2]}, "d.parquet holds no features"),
    "no rows": ({"a": [], "y": []}, "d.parquet holds no samples"),
    "count": (
        {"i": range(3), "a": [5, 6, 9], "y": [1, 2, 2]},
        "column 'i' of d.parquet counts the",
    ),
}


@pytest.mark.parametrize("what", PARQUET)
def test_parquet_that_cannot_be_used(tmp_path, what):
    columns, said = PARQUET[what]
    pd.DataFrame(columns).to_parquet(tmp_path / "d.parquet")
    assert said in refused(tmp_path / "d.parquet")


def test_damaged_parquet(tmp_path, monkeypatch):
    FRAME.to_parquet(tmp_path / "d.parquet")
    whole = (tmp_path / "d.parquet").read_bytes()
    for cut in range(0, len(whole), 97):
        refused(file(tmp_path, "d.parquet", whole[:cut]))
    assert refused(file(tmp_path, "d.parquet", whole), header=False).startswith("header: ")
    monkeypatch.setattr("dadao_sim.memory.free_bytes", lambda: 10.0)
    assert "d.parquet as a table would take" in refused(tmp_path / "d.parquet")


# --- Other endings -------------------------------------------------------------------------------

JSON = json.dumps({"x": [k / 7 for k in range(3000)]}).encode()
CONTENTS = {"text": PLAIN.encode(), "json": JSON, "bytes": bytes(range(256)) * 40, "nothing": b""}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    "name", ["d.json", "d.feather", "d.npy", "d.txt", "d.xlsx", "d.csv.gz", "d.dat", "d", "d.CSVX"]
)
def test_other_endings_are_not_guessed(tmp_path, name, content):
    said = refused(file(tmp_path, name, CONTENTS[content]))
    assert said.startswith(f"path: {name}: its ending says no format; .csv")
    for ending in (".svm", ".npz", ".csv", ".tsv"):
        assert ending in said


@pytest.mark.parametrize("content", ["json", "bytes", "nothing"])
@pytest.mark.parametrize("format", ["csv", "tsv", "npz", "svmlight"])
def test_a_format_that_is_said_is_not_believed(tmp_path, format, content):
    refused(file(tmp_path, "d.dat", CONTENTS[content]), format=format)


def test_endings_in_capitals(tmp_path):
    assert samples(file(tmp_path, "D.CSV", PLAIN)).X.tolist() == ROWS


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "d.csv").mkdir()
    assert "no file d.csv" in refused(tmp_path / "d.csv")


# --- svmlight ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", [".svm", ".svmlight", ".libsvm"])
def test_svmlight_counts_from_one_unless_there_is_a_zero(tmp_path, ending):
    X, y = samples(file(tmp_path, f"d{ending}", "# of 2020\n1 1:5 3:7\n-1 qid:2 2:6 # last\n"))
    assert (X.tolist(), y.tolist()) == ([[5, 0, 7], [0, 6, 0]], [1, -1])
    X, y = samples(file(tmp_path, f"d{ending}", "1 0:5 2:7\n-1 1:6\n"))
    assert (X.tolist(), y.tolist()) == ([[5, 0, 7], [0, 6, 0]], [1, -1])


SVMLIGHT = {
    "1.5\n-2\n0.5\n": "d.svm has targets and no features",
    "": "d.svm",
    "1 1:2\n-1 2:1 1:3\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\n-1 1:1 1:3\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\nyes 1:1\n": "of d.svm is no line of an svmlight file",
    "1 1:2\n1 a:1\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\n1 -1:1\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\n1 1.5:1\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\n1,2 1:1\n": "of d.svm is no line of an svmlight file",
    "1 1:2\n1 1 2:3\n": "line 2 of d.svm is no line of an svmlight file",
    "1 1:2\n1_0 1:2\n": "line 2 of d.svm has a _ in it",
    "1 1:2 # a_b\n1 1:2_0\n": "line 2 of d.svm has a _ in it",
    "1,2,3\n4,5,6\n": "d.svm",
    "1 1:nan\n": "sample 0 (from 0) is nan",
    "nan 1:1\n": "sample 0 (from 0) is nan",
    "1 1:1e999\n": "sample 0 (from 0) is nan",
    "1 2000000000:1\n-1 1:2\n": "a table of 2 samples and 2,000,000,000 features would take 32 GB",
    "1 3000000000:1\n": "d.svm has a feature number beyond 2^31",
    f"1 {10**30}:1\n": "d.svm has a feature number beyond 2^31",
}


@pytest.mark.parametrize("text", SVMLIGHT)
def test_svmlight_files_that_are_none(tmp_path, text, monkeypatch):
    monkeypatch.setattr("dadao_sim.memory.free_bytes", lambda: 1e9)
    assert SVMLIGHT[text] in refused(file(tmp_path, "d.svm", text))


# --- npz -----------------------------------------------------------------------------------------

X3, Y3 = np.arange(6.0).reshape(3, 2), np.array([1.0, -1.0, 1.0])
NPZ: dict[str, tuple[dict[str, Any], str]] = {
    "no features": ({"b": Y3}, "d.npz holds b; an array named A or X is needed"),
    "no targets": ({"A": X3}, "d.npz holds A; an array named b or y is needed"),
    "nothing": ({}, "d.npz holds nothing"),
    "features twice": ({"A": X3, "X": X3, "b": Y3}, "d.npz holds both A and X; one of them"),
    "targets twice": ({"A": X3, "b": Y3, "y": Y3}, "d.npz holds both b and y; one of them"),
    "objects": ({"A": X3.astype(object), "b": Y3}, "the array A in d.npz cannot be read (Object"),
    "complex": ({"A": X3 + 1j, "b": Y3}, "features in d.npz: complex numbers given"),
    "text": ({"A": X3.astype(str), "b": Y3}, "features in d.npz: text given"),
    "dates": ({"A": X3.astype("M8[s]"), "b": Y3}, "features in d.npz: dates given"),
    "one row": ({"A": X3[0], "b": Y3}, "the features in d.npz have shape (2,)"),
    "three dimensions": ({"A": X3[None], "b": Y3}, "the features in d.npz have shape (1, 3, 2)"),
    "no samples": ({"A": X3[:0], "b": Y3[:0]}, "the features in d.npz have shape (0, 2)"),
    "fewer targets": ({"A": X3, "b": Y3[:2]}, "and targets of shape (2,); one target per sample"),
    "a column of targets": ({"A": X3, "b": Y3[:, None]}, "and targets of shape (3, 1); one target"),
    "complex targets": ({"A": X3, "b": Y3 * 1j}, "targets in d.npz: complex numbers given"),
    "text as targets": ({"A": X3, "b": ["p", "n", "p"]}, "the targets of d.npz are text: 'n', 'p'"),
    "truths as targets": ({"A": X3, "b": Y3 > 0}, "the targets of d.npz are text: 'false', 'true'"),
    "nan": ({"A": X3 * np.nan, "b": Y3}, "sample 0 (from 0) is nan"),
    "many arrays": ({f"a{k}": Y3 for k in range(500)}, "d.npz holds a0, a1, a2"),
}


@pytest.mark.parametrize("what", NPZ)
def test_archives_that_do_not_fit(tmp_path, what):
    arrays, said = NPZ[what]
    np.savez(tmp_path / "d.npz", **arrays)
    assert said in refused(tmp_path / "d.npz")


def bomb(*shapes: str, sizes: tuple[int, int] = (1_600_000, 800_000)) -> bytes:
    """An archive whose arrays A and b say to be of ``shapes`` and unpack to so many zeros."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape, size in zip("Ab", shapes, sizes, strict=True):
            says = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117)
            start = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + says.encode() + b"\n"
            archive.writestr(f"{name}.npy", start + bytes(size))
    return held.getvalue()


@pytest.mark.parametrize(
    "shape", ["(1000000000000, 2)", "(11, 11)", "(-1, 2)", "('x', 2)", "(2.5,)"]
)
def test_archives_that_say_more_than_they_hold(tmp_path, shape):
    path = file(tmp_path, "d.npz", bomb(shape, shape, sizes=(160, 80)))
    assert "the array A in d.npz" in refused(path)


def test_archives_that_unpack_to_more_than_the_memory(tmp_path, monkeypatch):
    path = file(tmp_path, "d.npz", bomb("(100000, 2)", "(100000,)"))
    assert samples(path).X.shape == (100000, 2)
    monkeypatch.setattr("dadao_sim.memory.free_bytes", lambda: 1e6)
    assert "the array A of d.npz would take 1.6 MB of memory, of which 1 MB" in refused(path)


def test_damaged_archives(tmp_path):
    np.savez(tmp_path / "d.npz", A=X3, b=Y3)
    whole = (tmp_path / "d.npz").read_bytes()
    for cut in range(0, len(whole), 7):
        refused(file(tmp_path, "d.npz", whole[:cut]))


def test_arrays_of_any_number_type(tmp_path):
    for dtype in ("i1", "u8", "f2", "f4", ">f8", "?"):
        np.savez(tmp_path / "d.npz", X=(X3 > 2).astype(dtype), y=Y3.astype("i2"))
        X, y = samples(tmp_path / "d.npz")
        np.testing.assert_array_equal(X, X3 > 2)
        np.testing.assert_array_equal(y, Y3)


# --- Labels --------------------------------------------------------------------------------------

LABELLED: dict[str, tuple[list[str], dict[str, Any], list[int]]] = {
    "0 and 1": (["0", "1", "1"], {"positive": 1}, [-1, 1, 1]),
    "the other way": (["0", "1", "1"], {"positive": 0}, [1, -1, -1]),
    "1 and 2": (["1", "2", "1.0"], {"positive": 2, "negative": 1}, [-1, 1, -1]),
    "words": (["benign", "malignant", "benign"], {"positive": "malignant"}, [-1, 1, -1]),
    "NA said": (["yes", "NA"], {"positive": "yes", "negative": "NA"}, [1, -1]),
    "plus and minus": (["+", "-"], {"positive": "+"}, [1, -1]),
    "words with blanks": ([" a", "b ", "a"], {"positive": "a"}, [1, -1, 1]),
    "truths": (["True", "false", "TRUE"], {"positive": True}, [1, -1, 1]),
    "words that are numbers somewhere": (["1", "x", "1.0"], {"positive": 1}, [1, -1, 1]),
    "more than two": (["3", "8", "5"], {"positive": [3, 5], "negative": [8]}, [1, -1, 1]),
    "one of more than two": (["3", "8", "5"], {"positive": 8, "negative": [3, 5]}, [-1, 1, -1]),
    "-1 and 1, turned": (["-1", "1", "1"], {"positive": -1}, [1, -1, -1]),
}


@pytest.mark.parametrize("what", LABELLED)
def test_labels_are_mapped(tmp_path, what):
    written, labels, wanted = LABELLED[what]
    text = "a,y\n" + "".join(f"{k},{label}\n" for k, label in enumerate(written))
    assert samples(file(tmp_path, "d.csv", text), labels=labels).y.tolist() == wanted


def test_labels_of_other_formats_are_mapped(tmp_path):
    for targets, positive in (([0, 1, 0], 1), (["n", "p", "n"], "p"), ([False, True, False], True)):
        np.savez(tmp_path / "d.npz", A=X3, y=targets)
        found = samples(tmp_path / "d.npz", labels={"positive": positive})
        assert found.y.tolist() == [-1, 1, -1]
    path = file(tmp_path, "d.svm", "2 1:1\n1 1:2\n")
    assert samples(path, labels={"positive": 2}).y.tolist() == [1, -1]


UNMAPPED: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "none of it": (["0", "1"], {"positive": 2}, "labels.positive: no target of d.csv is 2; found"),
    "a word for a number": (["0", "1"], {"positive": "1"}, "no target of d.csv is '1'; found 0, 1"),
    "another case": (["yes", "no"], {"positive": "Yes"}, "is 'Yes'; found 'no', 'yes'"),
    "none negative": (["0", "1"], {"positive": 1, "negative": 2}, "labels.negative: no target of"),
    "a third": (["0", "1", "2"], {"positive": 1}, "labels besides the positive ones, not 1: 0, 2"),
    "a third beside both": (
        ["0", "1", "2"],
        {"positive": 1, "negative": 0},
        "2 of d.csv is",
    ),
    "a missing one": (["yes", "no", "NA"], {"positive": "yes"}, "2 labels besides the positive"),
    "nan": (["0", "1", "nan"], {"positive": 1}, "line 4 of d.csv is nan"),
    "nan alone": (["1", "nan"], {"positive": 1}, "line 3 of d.csv is nan or infinite"),
    "inf": (["1", "-inf"], {"positive": 1}, "line 3 of d.csv is nan or infinite"),
    **{
        f"{missing} alone": (["yes", missing], {"positive": "yes"}, "may stand for a missing")
        for missing in ("NA", "nan", "?", "N/A", "None", "NULL")
    },
    "all of them": (["1", "1"], {"positive": 1}, "labels.positive: d.csv has no other label"),
}


@pytest.mark.parametrize("what", UNMAPPED)
def test_labels_that_map_not_all(tmp_path, what):
    written, labels, said = UNMAPPED[what]
    text = "a,y\n" + "".join(f"{k},{label}\n" for k, label in enumerate(written))
    assert said in refused(file(tmp_path, "d.csv", text), labels=labels)


def problem(path: Path, kind: str, **options: Any) -> Any:
    spec = cases.spec(kind, {"kind": "file", "path": str(path), **options}, mu=0.1)
    return build_problem(spec, 2, np.random.default_rng(0))


def test_two_classes_need_labels_and_regressions_refuse_them(tmp_path):
    path = file(tmp_path, "d.csv", "a,y\n1,0\n2,1\n3,1\n")
    with pytest.raises(InputError, match=r"found 0, 1; map them with labels: \{positive: 1\}$"):
        problem(path, "logistic_l2")
    mapped = problem(path, "logistic_l2", labels={"positive": 1})
    assert sorted(mapped.model.b) == [-1, 1, 1]
    section = {"kind": "ridge", "mu": 0.1}
    data = {"kind": "file", "path": str(path), "labels": {"positive": 1}}
    assert cases.refusal({**section, "data": data}).startswith("data.labels: ridge has no classes")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({}, "data.labels.positive: is missing"),
        ({"positive": None}, "data.labels.positive: must be a label or a list of labels, got noth"),
        ({"positive": []}, "data.labels.positive: must not be empty"),
        ({"positive": [[1]]}, "data.labels.positive: must be a label or a list of labels"),
        ({"positive": {"a": 1}}, "data.labels.positive: must be a label or a list of labels"),
        ({"positive": 1, "negative": [0, 1.0]}, "data.labels.negative: 1 is positive, too"),
        ({"positive": 1, "negatives": 0}, "data.labels.negatives: unknown key; did you mean"),
    ],
)
def test_sections_of_labels_that_make_no_sense(tmp_path, labels, said):
    data = {"kind": "file", "path": "d.csv", "labels": labels}
    assert cases.refusal({"kind": "logistic_l2", "mu": 1.0, "data": data}).startswith(said)


# --- Standardised features -----------------------------------------------------------------------

sizes = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1, 0.3, 1 / 3, 1e-300, 1e300, 5e-324, -1.7e308, 123456.789]),
)


@settings(max_examples=150, deadline=None)
@given(value=sizes, samples=st.integers(1, 300))
def test_a_constant_feature_is_exactly_zero(value, samples):
    X = np.column_stack([np.full(samples, value), np.arange(float(samples))])
    assert not standardised(X)[:, 0].any()


@settings(max_examples=150, deadline=None)
@given(
    centre=st.sampled_from([0.0, 0.1, 1 / 3, -7.0, 1e9]),
    spread=st.sampled_from([1.0, 1e-3, 1e-9, 1e-12, 1e-15]),
    scale=st.sampled_from([1e-300, 1e-200, 1e-150, 1.0, 1e150, 1e200, 1e295]),
    samples=st.integers(2, 60),
    seed=st.integers(0, 9),
)
def test_a_feature_that_varies_has_mean_0_and_variance_1(centre, spread, scale, samples, seed):
    """Against exact fractions: what the floats in the file say, however near to each other."""
    from fractions import Fraction

    rng = np.random.default_rng(seed)
    x = scale * (centre + max(abs(centre), 1.0) * spread * rng.standard_normal(samples))
    if x.min() == x.max():
        return
    exact = [Fraction(float(value)) for value in x]
    mean = sum(exact) / samples
    variance = sum((value - mean) ** 2 for value in exact) / samples
    power = Fraction(2) ** int(np.frexp(float(max(abs(value - mean) for value in exact)))[1])
    deviation = float(variance / power**2) ** 0.5
    wanted = [float((value - mean) / power) / deviation for value in exact]
    # The plain formula is kept for the sake of its bits down to spreads of 1e-11.
    close = 1e-4 if spread < 1e-9 else 1e-6
    np.testing.assert_allclose(standardised(x[:, None])[:, 0], wanted, atol=close)


def test_common_features_have_the_bits_of_the_plain_formula():
    X = np.random.default_rng(0).normal(3.0, 2.0, (50, 4))
    assert standardised(X).tobytes() == ((X - X.mean(axis=0)) / X.std(axis=0)).tobytes()


@pytest.mark.parametrize("value", [0.0, 0.1, 100.0, 1e-300])
def test_least_squares_of_a_constant_feature_have_no_unique_optimum(tmp_path, value):
    z = np.random.default_rng(0).normal(size=40)
    text = "a,b,y\n" + "".join(f"{value},{float(v)!r},{float(2 * v + 1)!r}\n" for v in z)
    path = file(tmp_path, "d.csv", text)
    spec = cases.spec("least_squares", {"kind": "file", "path": str(path), "standardise": True})
    found = build_problem(spec, 2, np.random.default_rng(0))
    with pytest.raises(InputError, match="columns are linearly dependent"):
        _ = found.x_star
    with pytest.raises(InputError, match="columns are linearly dependent"):
        _ = found.mu
