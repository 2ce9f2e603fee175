"""Arrays from Python: what is no array of real numbers is refused wherever one is taken, and what
is taken is copied.
"""

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import problem_cases as cases
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dadao_sim import Problem, Study
from dadao_sim.errors import InputError
from dadao_sim.given import number, reals

A, b = cases.arrays("ridge", (6, 6, 6), d=2)
WANTED = Problem.from_arrays(A, b, "ridge", mu=0.1).x_star
CENTRES = np.array([[1.0, 2.0], [3.0, 5.0]])
HESSIANS = np.array([[[2.0, 1.0], [1.0, 3.0]], [[4.0, 0.0], [0.0, 1.0]]])

CONSTRUCTORS: dict[str, tuple[Any, Any]] = {
    "A": (A, lambda array: Problem.from_arrays(array, b, "ridge", mu=0.1)),
    "b": (b, lambda array: Problem.from_arrays(A, array, "ridge", mu=0.1)),
    "A of a node": (A[1], lambda array: Problem.from_arrays([A[0], array], b[:2], "ridge", mu=0.1)),
    "b of a node": (b[1], lambda array: Problem.from_arrays(A[:2], [b[0], array], "ridge", mu=0.1)),
    "b of sparse rows": (
        b[1],
        lambda array: Problem.from_arrays(
            [sp.csr_array(A[0]), sp.csr_array(A[1])], [b[0], array], "ridge", mu=0.1
        ),
    ),
    "centres": (CENTRES, Problem.averaging),
    "H": (HESSIANS, lambda array: Problem.quadratic(array, CENTRES)),
    "c": (CENTRES, lambda array: Problem.quadratic(HESSIANS, array)),
    "x": (WANTED, lambda array: Problem.from_arrays(A, b, "ridge", mu=0.1).value(0, array)),
    "X": (A[:, 0], lambda array: Problem.from_arrays(A, b, "ridge", mu=0.1).gradients(array)),
}


def masked(array: Any) -> Any:
    hidden = np.ma.masked_array(array.copy(), mask=np.zeros(array.shape, bool))
    hidden[(0,) * array.ndim] = np.ma.masked
    return hidden


def records(array: Any) -> Any:
    return np.zeros(array.shape, dtype=[("value", float), ("weight", float)])


WRONG: dict[str, Any] = {
    "masked": masked,
    "complex": lambda array: array + 0j,
    "objects": lambda array: array.astype(object),
    "fractions": lambda array: np.vectorize(Fraction, otypes=[object])(array),
    "text": lambda array: array.astype(str),
    "bytes": lambda array: array.astype(str).astype("S"),
    "dates": lambda array: array.astype("M8[s]"),
    "lengths of time": lambda array: array.astype("m8[s]"),
    "records": records,
    "nothing": lambda array: None,
    "a word": lambda array: "0.1",
    "a mapping": lambda array: {"a": 1},
    "a set": lambda array: {1.0, 2.0},
    "one number": lambda array: 3.0,
    "a generator": lambda array: (row for row in array),
    "nan": lambda array: np.where(array == array.flat[0], np.nan, array),
    "a dimension more": lambda array: array[..., None],
    "a dimension less": lambda array: array.reshape(-1)[:-1],
    "a frame of text": lambda array: pd.DataFrame({"a": ["x", "y"]}),
    "one sparse matrix": lambda array: sp.csr_matrix(np.eye(2)),
    "whole numbers that no float is": lambda array: np.full(array.shape, 2**53 + 1),
}
POINTS_MAY_BE = {("x", "nan"), ("X", "nan")}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("where", CONSTRUCTORS)
def test_what_is_no_array_of_real_numbers_is_refused(where, wrong):
    if (where, wrong) in POINTS_MAY_BE:
        return
    array, construct = CONSTRUCTORS[where]
    with pytest.raises(InputError) as caught:
        construct(WRONG[wrong](array))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300


RIGHT: dict[str, Any] = {
    "lists": lambda array: array.tolist(),
    "masked, but nothing is": lambda array: np.ma.masked_array(array.copy()),
    "big-endian": lambda array: array.astype(">f8"),
    "long": lambda array: array.astype(np.longdouble),
    "Fortran's order": np.asfortranarray,
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
    "read-only": lambda array: np.frombuffer(array.tobytes()).reshape(array.shape),
}


@pytest.mark.parametrize("right", RIGHT)
@pytest.mark.parametrize("where", CONSTRUCTORS)
def test_every_layout_is_the_same_numbers(where, right):
    array, construct = CONSTRUCTORS[where]
    found, wanted = construct(RIGHT[right](array)), construct(array)
    if isinstance(wanted, Problem):
        found, wanted = found.x_star, wanted.x_star
    np.testing.assert_array_equal(found, wanted)


def test_frames_and_series_of_the_nodes_are_arrays():
    frames, series = [pd.DataFrame(part) for part in A], [pd.Series(part) for part in b]
    np.testing.assert_array_equal(
        Problem.from_arrays(frames, series, "ridge", mu=0.1).x_star, WANTED
    )
    with pytest.raises(InputError, match="A: one DataFrame given; a list with an array for each"):
        Problem.from_arrays(frames[0], series[0], "ridge", mu=0.1)
    mixed = [pd.DataFrame({"a": [1.0], "b": ["x"]})]
    with pytest.raises(InputError, match="A of node 0: objects given"):
        Problem.from_arrays(mixed, [[1.0]], "ridge", mu=0.1)


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array, sp.coo_array, sp.lil_matrix])
def test_sparse_matrices_may_be_of_any_layout_and_among_dense_ones(make):
    for rows in ([make(part) for part in A], [make(A[0]), A[1], A[2]], [A[0], make(A[1]), A[2]]):
        found = Problem.from_arrays(rows, list(b), "ridge", mu=0.1).x_star
        np.testing.assert_allclose(found, WANTED, rtol=1e-9)


SPARSE_WRONG = {
    "complex": lambda: sp.csr_array(A[0] + 1j),
    "objects": lambda: sp.csr_array((np.array([1, 2], object), [0, 1], [0, 1, 2]), shape=(2, 2)),
    "a column too far": lambda: _damaged("indices", 7),
    "a row that ends nowhere": lambda: _damaged("indptr", 99),
    "of another width": lambda: sp.csr_array(np.ones((6, 3))),
    "nan": lambda: sp.csr_array(np.full((6, 2), np.nan)),
}


def _damaged(name: str, value: int) -> Any:
    rows = sp.csr_array(A[0])
    getattr(rows, name)[-1] = value
    return rows


@pytest.mark.parametrize("wrong", SPARSE_WRONG)
def test_sparse_matrices_that_are_none_are_refused(wrong):
    with pytest.raises(InputError):
        Problem.from_arrays([sp.csr_array(A[1]), SPARSE_WRONG[wrong]()], b[:2], "ridge", mu=0.1)


ARGUMENTS: dict[str, dict[str, Any]] = {
    "mu": {"mu": ["0.1", None, True, 1j, [0.1], np.array([0.1]), 10**400, 0, -1, float("inf")]},
    "delta": {"delta": ["1", True, [1.0], 0, float("nan"), np.ones(2)]},
    "weighting": {"weighting": [None, 1, ["samples"], np.ones(2), "Samples"]},
    "loss": {"loss": [None, 1, ["ridge"], np.ones(2), "averaging", "x" * 1000]},
    "L": {"L": ["1", True, [1.0], 0, float("nan"), np.ones(2)]},
}


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in ARGUMENTS.items() for v in values[n]]
)
def test_arguments_that_are_no_such_thing(name, value):
    arguments = {"loss": "huber_l2", "mu": 0.1, name: value}
    with pytest.raises(InputError) as caught:
        Problem.from_arrays(A, b, **arguments)
    assert str(caught.value).startswith(f"{name}: ")
    assert len(str(caught.value)) <= 300


def test_buffers_that_are_filled_anew_change_no_problem():
    """Every array that a constructor takes, in turn; the gradients are those of before."""
    for where, (array, construct) in CONSTRUCTORS.items():
        if where in ("x", "X"):
            continue
        buffer = array.copy()
        problem = construct(buffer)
        point = np.array([0.5, -1.5])
        before = [problem.gradient(i, point) for i in range(problem.nodes)]
        buffer[:] = 77.0
        after = [problem.gradient(i, point) for i in range(problem.nodes)]
        np.testing.assert_array_equal(before, after, err_msg=where)
        np.testing.assert_array_equal(problem.x_star, construct(array).x_star, err_msg=where)
    rows = [sp.csr_array(part) for part in A]
    problem = Problem.from_arrays(rows, list(b), "ridge", mu=0.1)
    for part in rows:
        part.data[:] = 77.0
    np.testing.assert_allclose(problem.x_star, WANTED, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        dtype=st.one_of(
            hnp.floating_dtypes(sizes=(16, 32, 64)),
            hnp.integer_dtypes(sizes=(8, 16, 32)),
            hnp.unsigned_integer_dtypes(sizes=(8, 16, 32)),
        ),
        shape=hnp.array_shapes(max_dims=3, max_side=4),
    )
)
def test_numbers_of_any_size_and_order_are_themselves(array):
    found = reals("x", array)
    assert (found.dtype, found.flags.c_contiguous, found.flags.owndata) == (np.float64, True, True)
    assert found.shape == array.shape
    np.testing.assert_array_equal([float(v) for v in array.flat], found.ravel())
    assert not np.shares_memory(found, array)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4))
def test_whole_numbers_are_exact_or_refused(values):
    exact = all(int(float(value)) == value for value in values)
    try:
        found = reals("x", np.array(values, dtype=np.int64))
    except InputError:
        assert not exact
    else:
        assert exact
        assert [int(value) for value in found] == values


def test_true_and_false_are_numbers_as_features_alone():
    features = [np.array([[True, False], [False, True], [True, True]])]
    problem = Problem.from_arrays(features, [[1.0, 2.0, 3.0]], "ridge", mu=0.1)
    as_numbers = Problem.from_arrays(
        [features[0].astype(float)], [[1.0, 2.0, 3.0]], "ridge", mu=0.1
    )
    np.testing.assert_array_equal(problem.x_star, as_numbers.x_star)
    with pytest.raises(InputError, match="true and false given"):
        reals("gradient", features)


@pytest.mark.parametrize(
    "value", [1, 1.5, np.float32(2), np.int8(3), np.array(4.0), Fraction(1, 2)]
)
def test_one_real_number_is_one(value):
    assert number("value", value) == float(value)


@pytest.mark.parametrize(
    "value",
    [None, True, np.True_, "1", b"1", 1j, np.ones(1), np.array(1j), [1.0], np.ma.masked,
     np.datetime64(1, "s"), np.timedelta64(1, "s"), np.array("1"), object(), 10**400],
)  # fmt: skip
def test_what_is_not_one_real_number_is_none(value):
    with pytest.raises(InputError, match=r"^value: "):
        number("value", value)


@pytest.mark.parametrize("thing", [A, [1, 2], "ridge", CENTRES.tolist(), pd.DataFrame(CENTRES)])
def test_an_array_is_no_problem(thing):
    scenario = {
        "name": "t",
        "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 1}},
        "network": {"graph": "path", "nodes": 2},
        "algorithms": ["nids"],
        "stop": {"time": 1},
    }
    with pytest.raises(InputError, match="problem: a Problem is needed, not a"):
        Study(scenario, problem=thing)


@pytest.mark.parametrize(
    "order", [[0, 0, 1], [0, 1], [0.5, 1, 2], "012", None, [[0, 1, 2]], [0j, 1, 2]]
)
def test_an_order_that_is_no_permutation(order):
    with pytest.raises(InputError, match=r"^order: "):
        Problem.from_arrays(A, b, "ridge", mu=0.1).relabelled(order)


@pytest.mark.parametrize("size", [1e160, 1e200, 1e305])
@pytest.mark.parametrize("loss", cases.LOSSES)
def test_numbers_whose_squares_overflow_are_refused(loss, size):
    rows, targets = cases.arrays(loss, (6, 6), d=2)
    mu = None if loss == "least_squares" else 1.0
    problem = Problem.from_arrays(rows * size, targets, loss, mu=mu, **cases.constants(loss))
    with np.errstate(all="ignore"), pytest.raises(InputError):
        _ = problem.L, problem.x_star
    with np.errstate(all="ignore"), pytest.raises(InputError, match="overflows"):
        _ = Problem.averaging(np.full((2, 1), 1e308)).x_star


def rows_of(array: Any) -> Any:
    """Lists within lists, down to the masked rows."""
    return list(array) if array.ndim == 2 else [rows_of(part) for part in array]


@pytest.mark.parametrize("listed", [list, rows_of, lambda a: tuple(map(rows_of, a))])
def test_masked_arrays_within_lists_are_not_uncovered(listed):
    H, c = np.stack([np.eye(2), 2 * np.eye(2)]), np.ones((2, 2))
    makers = {
        "A of node 0": lambda mask: Problem.from_arrays(listed(mask(A)), b, "ridge", mu=0.1),
        "H": lambda mask: Problem.quadratic(listed(mask(H)), c),
    }
    for name, make in makers.items():
        with pytest.raises(InputError, match=f"^{name}: some numbers are masked"):
            make(masked)
        assert np.isfinite(make(np.ma.masked_array).x_star).all()


@pytest.mark.parametrize("centres", [[[np.ma.masked, 1.0]], list(masked(np.ones((2, 2))))])
def test_masked_centres_within_lists(centres):
    with pytest.raises(InputError, match=r"^centres: some numbers are masked"):
        Problem.averaging(centres)


def test_records_with_masks_and_views_of_memory():
    with pytest.raises(InputError, match=r"^centres: records given"):
        Problem.averaging(np.ma.zeros(3, dtype="f8,f8"))
    view = memoryview(np.ascontiguousarray(A))
    problems = [Problem.from_arrays(rows, b, "ridge", mu=0.1) for rows in (view, A)]
    assert np.array_equal(problems[0].x_star, problems[1].x_star)
