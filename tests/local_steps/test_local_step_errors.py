"""Local steps called from Python: what is not a real array of the dimension is one line."""

import numpy as np
import pytest

from dadao_sim.engine import operators
from dadao_sim.errors import InputError
from dadao_sim.local_steps.local_step import from_callable
from dadao_sim.local_steps.terms import make

NO_VECTORS = [
    (np.full(3, 1j), "no array of real numbers"),
    ("text", "no array of real numbers"),
    (["1", "2", "3"], "no array of real numbers"),
    (None, "no array of real numbers"),
    ([[1.0], [2.0, 3.0]], "no array of real numbers"),
    (1.0, "shape ()"),
    ([1.0, 2.0], "shape (2,)"),
    ([[1.0, 2.0, 3.0]], "shape (1, 3)"),
]


def message(call):
    with pytest.raises(InputError) as error:
        call()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("wrong", "given"), NO_VECTORS)
def test_points_and_answers_are_real_vectors(wrong, given):
    l1 = make("l1", 3, strength=1.0)
    assert message(lambda: l1.prox(wrong, 1.0)) == f"v: has {given}; (3,) is needed"
    assert message(lambda: l1.value(wrong)) == f"x: has {given}; (3,) is needed"
    first = message(lambda: from_callable(lambda v, step: wrong, 3))
    assert first == f"function: answers zeros with {given}; (3,) is needed"
    later = from_callable(lambda v, step: v if step == 1 else wrong, 3)
    expected = f"function: answers with {given}; (3,) is needed"
    assert message(lambda: later.prox(np.ones(3), 2.0)) == expected
    engine = (later.operator, 2.0, np.ones(3), np.empty(3))
    assert message(lambda: operators.prox(*engine)) == expected


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_function_answers_zeros_finitely(wrong):
    said = message(lambda: from_callable(lambda v, step: v + wrong, 3))
    assert said.startswith("function: answers zeros not finitely; finite numbers are needed")


def test_integers_and_single_precision_are_real():
    single = from_callable(lambda v, step: v.astype(np.float32), 2)
    np.testing.assert_array_equal(single.prox([1, 2], 1), [1.0, 2.0])
    np.testing.assert_array_equal(make("l1", np.int64(2), strength=1).prox([3, 0], 1), [2.0, 0.0])


@pytest.mark.parametrize("step", [None, "1", 1j, np.ones(2), [1.0], True, 0, -1.0, np.nan, np.inf])
def test_a_step_is_a_finite_number_above_zero(step):
    said = message(lambda: make("l1", 2, strength=1.0).prox(np.ones(2), step))
    assert said == f"step: {step!r} given; a finite number > 0 is needed"


def test_a_value_is_a_real_number():
    def answering(answer):
        return from_callable(lambda v, step: v, 2, value=lambda x: answer)

    for right in (2, np.float32(2), np.array(2.0)):
        assert answering(right).value(np.ones(2)) == 2.0
    for wrong in (1j, np.complex128(1), "2", None, np.ones(2)):
        said = message(lambda wrong=wrong: answering(wrong).value(np.ones(2)))
        assert said.startswith("value: answers with ")
