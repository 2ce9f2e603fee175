"""Compression operators: their bits by a code that is written and read, their constants by law."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import TypeAdapter

from dadao_sim.compression import COMPRESSORS, Compression
from dadao_sim.errors import InputError

DIMENSION = 7
KINDS = [
    {"kind": "identity"},
    {"kind": "top_k", "k": 1},
    {"kind": "top_k", "k": 3},
    {"kind": "top_k", "k": DIMENSION},
    {"kind": "random_k", "k": 2},
    {"kind": "random_k", "k": 2, "scaled": False},
    {"kind": "drop", "probability": 0.3},
    {"kind": "qsgd", "levels": 1},
    {"kind": "qsgd", "levels": 5},
    {"kind": "dither"},
    {"kind": "dither", "bits_per_number": 1, "block": 3},
    {"kind": "dither", "bits_per_number": 6, "block": 4},
    {"kind": "sign"},
    {"kind": "ternary"},
    {"kind": "natural"},
]
numbers = st.floats(-1e6, 1e6).map(lambda x: x if abs(x) > 1e-30 else 0.0)
vectors = st.one_of(
    arrays(float, DIMENSION, elements=numbers),
    arrays(float, DIMENSION, elements=st.sampled_from([-2.0, 2.0])),  # equal moduli
    arrays(float, DIMENSION, elements=st.sampled_from([-1.0, -0.0, 0.0, 3.0])),
    st.just(np.zeros(DIMENSION)),
)
every_kind = pytest.mark.parametrize(
    "data", KINDS, ids=lambda data: "-".join(map(str, data.values()))
)


def operator(data):
    return TypeAdapter(Compression).validate_python(data)


def sent(Q, v, mark=3):
    """Q(v) of one node."""
    return Q.rows(v[None, :], mark)[0]


def test_every_operator_is_tried():
    assert {data["kind"] for data in KINDS} == set(COMPRESSORS)


# --- bits: a message is written as a string of bits, and read again ------------------------------


def _float(x):
    return f"{struct.unpack('>Q', struct.pack('>d', x))[0]:064b}"


def _read_float(bits):
    return struct.unpack(">d", struct.pack(">Q", int(bits, 2)))[0]


def _whole(value, width):
    return f"{value:0{width}b}" if width else ""


def _signed_levels(q, norm, levels, width):
    """A norm, and a sign and a level for each number."""
    sizes = [0 if norm == 0 else round(abs(x) / norm * levels) for x in q]
    return _float(norm) + "".join(
        str(int(math.copysign(1, x) < 0)) + _whole(size, width)
        for x, size in zip(q, sizes, strict=True)
    )


def _read_signed_levels(bits, count, levels, width):
    norm, at, out = _read_float(bits[:64]), 64, []
    for _ in range(count):
        size = norm / levels * int(bits[at + 1 : at + 1 + width] or "0", 2)
        out.append(-size if bits[at] == "1" else size)
        at += 1 + width
    return out


def through_a_wire(Q, v, q):
    """q = Q(v) as bits, and what a reader makes of them, who knows Q and the seed and no more."""
    d = len(q)
    match Q.kind:
        case "identity":
            bits = "".join(map(_float, q))
            return bits, [_read_float(bits[64 * k : 64 * k + 64]) for k in range(d)]
        case "top_k":
            width = math.ceil(math.log2(d))
            places = sorted(range(d), key=lambda k: (-abs(v[k]), k))[: Q.k]
            bits = "".join(_whole(k, width) + _float(q[k]) for k in places)
            read = np.zeros(d)
            for one in range(0, len(bits), width + 64):
                read[int(bits[one : one + width], 2)] = _read_float(
                    bits[one + width : one + width + 64]
                )
            return bits, read
        case "random_k":
            places = np.flatnonzero(sent(Q, np.ones(d)))  # drawn from the seed, not from v
            bits = "".join(_float(q[k]) for k in places)
            read = np.zeros(d)
            read[places] = [_read_float(bits[64 * k : 64 * k + 64]) for k in range(Q.k)]
            return bits, read
        case "drop":
            whole = bool((q == v).all())
            bits = "1" + "".join(map(_float, q)) if whole else "0"
            read = (
                [_read_float(bits[1 + 64 * k : 65 + 64 * k]) for k in range(d)]
                if whole
                else np.zeros(d)
            )
            return bits, read
        case "qsgd":
            width = math.ceil(math.log2(Q.levels + 1))
            bits = _signed_levels(q, float(np.linalg.norm(v)), Q.levels, width)
            return bits, _read_signed_levels(bits, d, Q.levels, width)
        case "dither":
            # 2 s + 1 symbols, the two zeros being one, are no more than 2^{b+1}
            bits, read, width = "", [], Q.bits_per_number
            for first in range(0, d, Q.block):
                part = slice(first, min(first + Q.block, d))
                norm = float(np.abs(v[part]).max())
                code = _signed_levels(q[part], norm, Q.levels, width)
                bits += code
                read += _read_signed_levels(code, len(q[part]), Q.levels, width)
            return bits, read
        case "sign":
            bits = _float(float(np.abs(v).mean())) + "".join("0" if x >= 0 else "1" for x in v)
            size = _read_float(bits[:64])
            return bits, [-size if bit == "1" else size for bit in bits[64:]]
        case "ternary":
            bits = _float(float(np.abs(v).max())) + "".join(
                _whole(int(np.sign(x)) % 3, 2) for x in q
            )
            norm = _read_float(bits[:64])
            signs = [(0, 1, -1)[int(bits[k : k + 2], 2)] for k in range(64, len(bits), 2)]
            return bits, [sign * norm for sign in signs]
        case "natural":
            bits = "".join(_float(x)[:12] for x in q)  # the mantissa of a power of two is 0
            return bits, [_read_float(bits[k : k + 12] + "0" * 52) for k in range(0, len(bits), 12)]
    raise AssertionError(Q.kind)


@every_kind
@given(v=vectors, mark=st.integers(0, 2**64 - 1))
def test_a_message_has_the_bits_that_are_declared_and_says_all(data, v, mark):
    Q = operator(data)
    q = Q.rows(v[None, :], 3 if Q.kind == "random_k" else mark)[0]
    bits, read = through_a_wire(Q, v, q)
    if Q.kind == "drop":
        assert len(bits) in (1, 1 + 64 * DIMENSION)
        mean = Q.probability * (1 + 64 * DIMENSION) + (1 - Q.probability)
        assert Q.bits(DIMENSION) == pytest.approx(mean)
    else:
        assert len(bits) == Q.bits(DIMENSION)
    assert_allclose(read, q, rtol=4e-16, atol=0)


@every_kind
def test_the_bits_grow_with_the_dimension_as_the_code_does(data):
    Q = operator(data)
    rng = np.random.default_rng(0)
    if Q.kind == "drop":
        return
    for d in (DIMENSION, 8, 9, 40, 256, 257):
        v = rng.standard_normal(d)
        assert len(through_a_wire(Q, v, sent(Q, v))[0]) == Q.bits(d), d


# --- constants -----------------------------------------------------------------------------------


def check_constants(Q, v, rows, slack):
    """E Q(v) = v and E||Q(v) - v||^2 <= omega ||v||^2 where Q is unbiased, E||Q(v) - v||^2 <=
    (1 - delta) ||v||^2 of Q/(1 + omega) or Q, over ``rows`` nodes that all have v; each up to
    ``slack`` of numbers with the standard deviations seen.
    """
    q = Q.rows(np.tile(v, (rows, 1)), 11)
    square, d = float(v @ v), len(v)

    def mean_square(errors):
        squares = (errors**2).sum(axis=1)
        return squares.mean() - slack(squares, square)

    if Q.unbiased:
        assert (np.abs(q.mean(axis=0) - v) <= slack(q, math.sqrt(square))).all()
        assert mean_square(q - v) <= Q.omega(d) * square
        q = q / (1 + Q.omega(d)) if Q.kind != "random_k" else q * Q.k / d
    assert mean_square(q - v) <= (1 - Q.delta(d)) * square


@every_kind
@pytest.mark.parametrize("d", [1, 3, 30])
def test_the_mean_and_the_spread_are_those_declared(data, d):
    """Within five standard deviations."""
    rows, v = 40_000, np.random.default_rng(d).standard_normal(d)
    Q = operator(data)
    if getattr(Q, "k", 1) > d:
        return
    check_constants(
        Q, v, rows, lambda x, scale: 5 * x.std(axis=0) / math.sqrt(rows) + 1e-12 * scale
    )


@every_kind
@given(v=vectors)
def test_and_for_any_vector(data, v):
    """Rare draws may not be seen in so few: up to a third of the norm, or its square."""
    check_constants(operator(data), v, 1000, lambda x, scale: 0.34 * scale)


def worst(levels, count=DIMENSION):
    """The number that is rounded worst beside a 1: most t(1/s - t)/(1 + (B - 1) t^2)."""
    root = math.sqrt(1 + (count - 1) / levels**2)
    return (root - 1) / ((count - 1) / levels)


@pytest.mark.parametrize(
    ("data", "v"),
    [
        ({"kind": "top_k", "k": 3}, np.ones(DIMENSION)),
        ({"kind": "sign"}, np.eye(DIMENSION)[0]),
        ({"kind": "random_k", "k": 2, "scaled": False}, np.arange(DIMENSION) + 1.0),
        ({"kind": "random_k", "k": 2}, np.arange(DIMENSION) + 1.0),
        ({"kind": "drop", "probability": 0.3}, np.arange(DIMENSION) + 1.0),
        (
            {"kind": "ternary"},
            np.array([1.0, *[1 / (1 + math.sqrt(DIMENSION))] * (DIMENSION - 1)]),
        ),
        ({"kind": "natural"}, np.full(DIMENSION, 4 / 3)),
        ({"kind": "dither"}, np.array([1.0, *[worst(2)] * (DIMENSION - 1)])),
        (
            {"kind": "dither", "bits_per_number": 1, "block": 3},
            np.array([*[1.0, worst(1, 3), worst(1, 3)] * 2, 0.0]),
        ),
    ],
    ids=lambda part: part["kind"] if isinstance(part, dict) else "",
)
def test_the_constants_are_no_larger_than_needed(data, v):
    """Some v reaches omega, or 1 - delta."""
    Q = operator(data)
    q = Q.rows(np.tile(v, (20_000, 1)), 5)
    error = ((q - v) ** 2).sum(axis=1).mean()
    bound = (Q.omega(DIMENSION) if Q.unbiased else 1 - Q.delta(DIMENSION)) * (v @ v)
    assert error == pytest.approx(bound, rel=0.03)


# --- what is sent --------------------------------------------------------------------------------


@given(v=vectors, k=st.integers(1, DIMENSION))
def test_top_k_keeps_the_largest_moduli(v, k):
    q = sent(operator({"kind": "top_k", "k": k}), v)
    kept = np.flatnonzero(q != 0)
    assert_array_equal(q[kept], v[kept])
    left = np.delete(np.abs(v), kept)
    assert len(kept) == min(k, np.count_nonzero(v))
    assert not len(left) or not len(kept) or left.max() <= np.abs(v[kept]).min()


def test_of_equal_moduli_top_k_keeps_the_first():
    q = sent(operator({"kind": "top_k", "k": 2}), np.array([1.0, -2, 2, -2, 1, 0, 0]))
    assert_array_equal(q, [0, -2, 2, 0, 0, 0, 0])


def test_random_k_takes_every_place_as_often():
    q = operator({"kind": "random_k", "k": 2}).rows(np.ones((70_000, DIMENSION)), 1)
    assert ((q != 0).sum(axis=1) == 2).all()
    often = (q != 0).mean(axis=0)
    spread = math.sqrt(2 / 7 * 5 / 7 / 70_000)
    assert (np.abs(often - 2 / 7) < 5 * spread).all()


def test_natural_is_one_of_the_two_powers_beside():
    v = np.array([3.0, -3.0, 4.0, 0.7, -1e-300, 1e300, 0.0])
    q = operator({"kind": "natural"}).rows(np.tile(v, (500, 1)), 2)
    lower = 2.0 ** np.floor(np.log2(np.abs(v[:-1])))
    for column, low, x in zip(q.T[:-1], lower, v[:-1], strict=True):
        assert set(np.abs(column)) == ({low} if abs(x) == low else {low, 2 * low})
        assert (np.sign(column) == np.sign(x)).all()
    assert (q[:, -1] == 0).all()


@every_kind
def test_zeros_stay_zeros_and_the_rows_of_a_node_are_its_own(data):
    Q = operator(data)
    assert_array_equal(Q.rows(np.zeros((3, DIMENSION)), 9), np.zeros((3, DIMENSION)))
    V = np.random.default_rng(1).standard_normal((5, DIMENSION))
    kept = V.copy()
    whole = Q.rows(V, 4)
    assert_array_equal(V, kept)
    assert_array_equal(Q.rows(V[:2], 4), whole[:2])
    assert not np.shares_memory(whole, V)
    assert_array_equal(Q.rows(V, 4), whole)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kind": "top_k", "k": 8}, "8 of 7 numbers cannot be sent"),
        ({"kind": "random_k", "k": 100}, "100 of 7 numbers cannot be sent"),
    ],
)
def test_more_numbers_than_there_are(data, says):
    with pytest.raises(InputError, match=says):
        operator(data).check(DIMENSION)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "top_k"},
        {"kind": "top_k", "k": 0},
        {"kind": "drop", "probability": 0},
        {"kind": "drop", "probability": 1},
        {"kind": "qsgd", "levels": 1.5},
        {"kind": "dither", "bits_per_number": 53},
        {"kind": "top-k", "k": 1},
        {"kind": "sign", "k": 1},
    ],
)
def test_what_is_no_operator(data):
    with pytest.raises(Exception, match=r"k|probability|levels|bits_per_number|top-k"):
        operator(data)
