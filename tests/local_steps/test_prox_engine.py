"""What the engine relies on: the same bits compiled or not, no allocation, an end on any input."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python, rtsys
from operator_cases import case, options

from dadao_sim.engine import operators, oracles
from dadao_sim.local_steps.terms import TERMS, make
from dadao_sim.local_steps.terms.selection import largest

PROGRAM = """
import numpy as np
from operator_cases import case
from dadao_sim.local_steps.terms import TERMS

for kind in TERMS:
    rng = np.random.default_rng(0)
    for _ in range(8):
        local_step, _, v, step = case(kind, rng)
        v[rng.random(v.size) < 0.15] *= 0
        x = local_step.prox(v, step)
        values = np.array([local_step.value(x), local_step.value(v)])
        print(kind, x.tobytes().hex(), values.tobytes().hex())
"""


@pytest.mark.slow
def test_compiled_and_plain_python_give_the_same_bits():
    here = Path(__file__).parent
    outputs = []
    for disabled in ("0", "1"):
        environment = {
            **os.environ,
            "NUMBA_DISABLE_JIT": disabled,
            "PYTHONPATH": os.pathsep.join([str(here.parent), str(here.parent.parent)]),
        }
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        outputs.append(run.stdout.splitlines())
    assert len(set(outputs[0])) > 7 * len(TERMS)
    assert outputs[0] == outputs[1]


def test_l1_has_the_bits_of_the_numpy_line():
    rng = np.random.default_rng(1)
    for strength, step in ((0.7, 0.9), (0.1, 0.3), (1.0, 1.0)):
        edges = [0.0, -0.0, step * strength, -step * strength, 5e-324, -1e-300, np.inf, -np.inf]
        v = np.concatenate([2 * rng.standard_normal(2000), edges])
        expected = np.sign(v) * np.maximum(np.abs(v) - step * strength, 0.0)
        assert make("l1", v.size, strength=strength).prox(v, step).tobytes() == expected.tobytes()
    assert np.signbit(expected).sum() > np.sum(expected < 0)  # there were negative zeros


@numba.njit
def applied(operator, step, V, out):
    for i in range(V.shape[0]):
        operators.prox(operator, step, V[i], out[i])


@numba.njit
def sorting(operator, step, V, out):
    for i in range(V.shape[0]):
        out[i, 0] = np.partition(V[i], 1)[0]


@pytest.fixture
def counted():
    """Numba counts its allocations."""
    _nrt_python.memsys_enable_stats()
    yield
    _nrt_python.memsys_disable_stats()


@pytest.mark.slow
@pytest.mark.parametrize("kind", TERMS)
def test_in_the_engine_rows_of_a_matrix_are_as_alone_without_allocation(kind, counted):
    rng = np.random.default_rng(2)
    local_step = make(kind, 6, **options(kind, rng, 6, (2, 3)))
    V, out = 2 * rng.standard_normal((20, 6)), np.empty((20, 6))
    expected = np.array([local_step.prox(v, 0.7) for v in V])
    if not local_step.compiled:
        for v, row in zip(V, out, strict=True):
            operators.prox(local_step.operator, 0.7, v, row)
        np.testing.assert_array_equal(out, expected)
        return
    applied(local_step.operator, 0.7, V, out)
    np.testing.assert_array_equal(out, expected)

    def allocations(function, rows):
        function(local_step.operator, 0.7, V[:rows], out)
        before = rtsys.get_allocation_stats().alloc
        function(local_step.operator, 0.7, V[:rows], out)
        return rtsys.get_allocation_stats().alloc - before

    # What is passed in counts too, but not with the rows.
    assert allocations(applied, 20) == allocations(applied, 1)
    assert allocations(sorting, 20) >= allocations(sorting, 1) + 19


@pytest.mark.parametrize("kind", TERMS)
def test_what_is_not_finite_ends_and_shows(kind):
    rng = np.random.default_rng(3)
    local_step = make(kind, 12, **options(kind, rng, 12, (3, 4)))
    v = rng.standard_normal(12)
    v[5] = np.nan
    assert np.isnan(local_step.prox(v, 1.0)).any()
    assert np.isnan(local_step.value(v))
    for wrong in (np.inf, -np.inf, 1e300, -1e300, 1e-320):
        for places in ([0], [11], [2, 7], range(12)):
            v = rng.standard_normal(12)
            v[places] = wrong
            with np.errstate(all="ignore"):
                local_step.prox(v, 1.0)
                value = local_step.value(v)
            assert np.isnan(value) or np.isfinite(v).all()
            local_step.prox(v, 1e-300)


@pytest.mark.parametrize("kind", TERMS)
def test_answers_do_not_depend_on_what_was_asked_before(kind):
    rng = np.random.default_rng(4)
    for _ in range(5):
        local_step, chosen, v, step = case(kind, rng)
        first = local_step.prox(v, step)
        for _ in range(3):
            local_step.prox(rng.standard_normal(v.size), 2 * step)
            local_step.value(rng.standard_normal(v.size))
        assert local_step.prox(v, step).tobytes() == first.tobytes()
        assert make(kind, v.size, **chosen).prox(v, step).tobytes() == first.tobytes()


def test_indicators_forgive_rounding_and_nothing_more():
    rng = np.random.default_rng(5)
    for kind, given in (
        ("box", {"lower": -0.3, "upper": 0.4}),
        ("box", {"lower": 0.0}),
        ("simplex", {"total": 2.0}),
        ("l2_ball", {"radius": 0.7}),
    ):
        local_step = make(kind, 8, **given)
        points = np.array([local_step.prox(v, 1.0) for v in 3 * rng.standard_normal((99, 8))])
        assert local_step.value(points.mean(axis=0)) == 0.0
        assert local_step.value(local_step.prox(points[0] - 1.0, 1.0) * (1 + 1e-11)) == 0.0
        assert local_step.value(local_step.prox(-np.ones(8) * 9, 1.0) - 1e-6) == np.inf


def test_the_kth_largest():
    rng = np.random.default_rng(6)
    for _ in range(300):
        d = int(rng.integers(1, 40))
        k = int(rng.integers(1, d + 1))
        values = rng.integers(0, 8, d).astype(float)
        assert largest(values.copy(), k) == np.sort(values)[d - k]


def test_a_smooth_problem_knows_no_prox():
    """The operators are not the problem's oracles: without a local step, that one copies."""
    out = np.empty(3)
    oracles.prox(object(), 1.0, np.arange(3.0), out)
    np.testing.assert_array_equal(out, np.arange(3.0))


@pytest.mark.slow
def test_libraries_agree_where_they_are_right():
    from skglm.utils import prox_funcs as skglm

    rng = np.random.default_rng(7)
    for v in 3 * rng.standard_normal(200):
        step = float(rng.uniform(0.1, 1.6))  # skglm is wrong from gamma on, and at a - 1
        one = {
            "l1": skglm.ST(v, 0.7 * step),
            "mcp": skglm.prox_MCP(v, step, 0.7, 3.0),
            "scad": skglm.prox_SCAD(v, step, 0.7, 3.7),
        }
        for kind, expected in one.items():
            (x,) = make(kind, 1, strength=0.7).prox([v], step)
            assert x == pytest.approx(expected, abs=1e-12)
