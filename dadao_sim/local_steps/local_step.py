"""LocalStep: the proximal operator, or what stands in for one, that a node applies in its step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dadao_sim.engine import operators
from dadao_sim.errors import InputError, failure
from dadao_sim.given import positive, vector, whole
from dadao_sim.text.lines import written

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalStep:
    """The common term r of minimise (1/n) sum_i f_i(x) + r(x), known through its operator.

    ``operator`` is a NamedTuple that the engine compiles (see ``operators``) or a
    :class:`Callback` into Python. ``convex`` says whether r is: the theorems need it. ``exact`` is
    whether ``prox`` belongs to one and the same r at every step; a denoiser's does not, so that
    what a method finds with it depends on the step the method takes. Where nobody knows whether an
    iteration with it comes to rest, ``settles`` is false, and no x* is looked for.
    """

    kind: str
    operator: Any
    dimension: int
    convex: bool
    exact: bool = True
    has_value: bool = True
    bounded: bool = True
    settles: bool = True
    exact_operator: Any = None
    leaves_the_set: bool = False
    has_prox: ClassVar[bool] = True  # else it is a direction (x, g, t) -> v

    @property
    def compiled(self) -> bool:
        """Whether the engine compiles the operator."""
        return isinstance(self.operator, tuple)

    def prox(self, v: ArrayLike, step: float) -> FloatArray:
        """argmin_x step r(x) + ||x - v||^2/2, for v (d,) and step > 0; a new array (d,)."""
        point, length = self._point("v", v), positive("step", step)
        out = np.empty(self.dimension)
        operators.prox(self.operator, length, point, out)
        return out

    def value(self, x: ArrayLike) -> float:
        """r(x), for x (d,): infinite outside the domain of r; nan where r is not known, and where x
        is not finite.
        """
        point = self._point("x", x)
        if not (self.has_value and np.isfinite(point).all()):
            return np.nan
        return float(operators.value(self.operator, point))

    @property
    def is_set(self) -> bool:
        """Whether r is known to be the indicator of a set: it, or a bounded one of its sort, has a
        linear minimisation oracle.
        """
        if isinstance(self.operator, Callback):
            return self.operator.function_lmo is not None
        return operators.answers_lmo(self.operator)

    @property
    def has_lmo(self) -> bool:
        """Whether linear functions are minimised over the set of which r is the indicator."""
        return self.bounded and self.is_set

    def require_lmo(self) -> None:
        """InputError where there is no linear minimisation oracle."""
        if not self.has_lmo:
            what = self.kind if self.bounded else f"{self.kind} with an infinite bound"
            raise InputError("local_step", f"{what} has no linear minimisation oracle")

    def lmo(self, s: ArrayLike, *, exact: bool = False) -> FloatArray:
        """argmin <s, x> over the set on which r is 0, for s (d,); a new array (d,).

        It is what methods get; ``exact``, of a local step that approximates it, the true one.
        InputError where there is none.
        """
        self.require_lmo()
        point, out = self._point("s", s), np.empty(self.dimension)
        approximate = self.exact_operator is None or not exact
        operators.lmo(self.operator if approximate else self.exact_operator, point, out)
        return out

    def distance(self, x: ArrayLike) -> float:
        """The distance of x (d,) to the set on which r is 0. InputError where r is no such set."""
        if not self.is_set:
            raise InputError("local_step", f"{self.kind} is no set", "use one such as l1_ball")
        point = self._point("x", x)
        return float(np.linalg.norm(point - self.prox(point, 1.0)))

    def _point(self, name: str, x: ArrayLike) -> FloatArray:
        return vector(x, self.dimension, name, "has")


@dataclass(frozen=True)
class Callback:
    """A Python operator under the engine's signatures. It receives copies, never the state."""

    function: Callable[[FloatArray, float], ArrayLike]
    function_value: Callable[[FloatArray], float] | None = None
    function_lmo: Callable[[FloatArray], ArrayLike] | None = None

    def prox(self, step: float, v: FloatArray, out: FloatArray) -> None:
        """Write function(v, step) into ``out`` (d,)."""
        try:
            answer = self.function(v.copy(), step)
        except Exception as error:
            raise failure("local_step: function", error) from error
        out[:] = vector(answer, len(out), "function", "answers with")

    def value(self, x: FloatArray) -> float:
        """r(x), for x (d,)."""
        assert self.function_value is not None
        try:
            answer = self.function_value(x.copy())
        except Exception as error:
            raise failure("local_step: value", error) from error
        (value,) = vector([answer], 1, "value", "answers with")
        return float(value)

    def lmo(self, s: FloatArray, out: FloatArray) -> None:
        """Write function_lmo(s) into ``out`` (d,)."""
        assert self.function_lmo is not None
        try:
            answer = self.function_lmo(s.copy())
        except Exception as error:
            raise failure("local_step: lmo", error) from error
        out[:] = vector(answer, len(out), "lmo", "answers with")


def from_callable(
    function: Callable[[FloatArray, float], ArrayLike],
    dimension: int,
    *,
    convex: bool = False,
    exact: bool = True,
    value: Callable[[FloatArray], float] | None = None,
    lmo: Callable[[FloatArray], ArrayLike] | None = None,
    kind: str = "python",
) -> LocalStep:
    """A local step from ``function(v, step)`` -> argmin_x step r(x) + ||x - v||^2/2, (d,) to (d,).

    ``convex`` and ``exact`` are the user's word on r (see :class:`LocalStep`); ``value(x)`` is
    r(x), where it is known, and ``lmo(s)`` argmin <s, x> over the bounded set of which r is the
    indicator. InputError where the dimension is not whole and >= 1, or the function
    does not answer zeros with a finite real (d,).
    """
    if not callable(function):
        raise InputError("function", f"{written(function)} given", "one of (v, step) is needed")
    dimension = whole("dimension", dimension)
    try:
        answer = vector(
            function(np.zeros(dimension), 1.0), dimension, "function", "answers zeros with"
        )
    except InputError:
        raise
    except Exception as error:
        raise failure("function", error) from error
    if not np.isfinite(answer).all():
        raise InputError("function", "answers zeros not finitely", "finite numbers are needed")
    if lmo is not None and not callable(lmo):
        raise InputError("lmo", f"{written(lmo)} given", "a function s -> x is needed")
    operator = Callback(function, value, lmo)
    return LocalStep(kind, operator, dimension, convex, exact, has_value=value is not None)


operators.prox.register(Callback, Callback.prox)
operators.value.register(Callback, Callback.value)
operators.lmo.register(Callback, Callback.lmo)
