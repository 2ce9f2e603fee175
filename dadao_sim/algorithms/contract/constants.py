"""The constants of a method: assigned in the order of its paper, any of them overridden by name."""

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from types import SimpleNamespace
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract import connectivity
from dadao_sim.errors import InputError

# What any method may ask of its problem and network; computed at most once, and only if asked.
MEASURED: dict[str, Callable[[Any, Any], float]] = {
    "mu": lambda problem, network: problem.mu,
    "L": lambda problem, network: problem.L,
    "chi": lambda problem, network: connectivity.condition_number(network),
    "lambda_max": lambda problem, network: network.lambda_max(),
    "lambda_2": lambda problem, network: network.lambda_2(),
    "unit_chi1": lambda problem, network: connectivity.unit_chi1(network),
    "unit_chi2": lambda problem, network: connectivity.unit_chi2(network),
}


class Constants:
    """The constants of a method, assigned in the order of the paper; an override wins over the
    formula.

    What is computed later from an overridden constant uses the override::

        c = Constants("dadao", {"nu": 0.1}, problem, network)
        c.nu = c.mu / 2              # is 0.1
        c.r = sqrt(c.nu / c.L)       # follows; mu and L are those of the problem

    A chosen set of constants multiplies those of the paper by ``factors``: the ``tunable`` ones
    where they are first assigned (or measured), so that what is computed from them follows; others
    where the method asks for it by ``factor`` and ``scale``.

    ``mu`` and ``L`` of the problem, ``chi`` (lambda_max/lambda_2 of the Laplacian with unit
    weights, on a sequence the worst), ``lambda_max``, ``lambda_2``, ``unit_chi1`` and ``unit_chi2``
    (of the gossip rates scaled to a total of 1) of the network are there from the start; so are
    ``l2`` and ``ln`` of a method of rounds, the second largest and the least eigenvalue of its W,
    ``contraction``, the delta of its compression, and ``stochastic``, whether its gradients are of
    minibatches; and of one that draws samples ``sample_L``,
    the largest smoothness of any, and ``draws``, how many minibatches the samples of a node fill.
    """

    values: dict[str, float]

    def __init__(
        self,
        method: str,
        overrides: Mapping[str, float],
        problem: Any = None,
        network: Any = None,
        measured: Mapping[str, Callable[[], float]] = {},
        factors: Mapping[str, float] = {},
        tunable: Iterable[str] = (),
    ):
        for name, value in overrides.items():
            # A number that NumPy read from a file is an array without axes.
            if not isinstance(value[()] if isinstance(value, np.ndarray) else value, Real):
                raise InputError(f"{method}: parameter {name!r} must be a number, not {value!r}")
        # Past __setattr__, which is for constants.
        vars(self).update(
            values={},
            _method=method,
            _overrides=dict(overrides),
            _problem=problem,
            _network=network,
            _measured=measured,
            _factors=dict(factors),
            _scaled=set(),
            _tunable=frozenset(tunable),
            _arrays={},
            _whole={},
            _may_be_zero=set(),
            _unknown={},
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._tunable and name not in self._scaled:
            value = self.factor(name) * value
        self.values[name] = float(self._overrides.get(name, value))
        if name in self._overrides and name not in self._whole:
            self._check_range(name, float(value))

    def __getattr__(self, name: str) -> Any:
        if name in vars(self).get("_arrays", {}):
            return self._arrays[name]
        if name in MEASURED and name not in self.values:
            self.measure(**{name: lambda: self._measure_or_nan(name)})
        if name in vars(self).get("_measured", {}):
            vars(self)[name] = self._measured[name]()  # of what was chosen: no constant to override
            return vars(self)[name]
        if name not in vars(self).get("values", {}):
            raise AttributeError(name)
        return self.values[name]

    def _measure_or_nan(self, name: str) -> float:
        """What is measured; nan where it is not known, if overrides may make up for it: `check`
        refuses what they do not.
        """
        try:
            return MEASURED[name](self._problem, self._network)
        except InputError as error:
            if not self._overrides:
                raise
            self._unknown[name] = error
            return math.nan

    @property
    def unknown(self) -> InputError | None:
        """Why a constant of the problem is not known that was asked for; None if all are."""
        return next(iter(self._unknown.values()), None)

    def measure(self, **functions: Callable[[], float]) -> None:
        """Assign what is dear to compute: a function is called only where no override is given."""
        for name, function in functions.items():
            setattr(self, name, math.inf if name in self._overrides else function())

    def whole(self, name: str, value: int, least: int = 1, most: float = math.inf) -> int:
        """Assign a count; InputError where an override is no whole number in the range."""
        self._whole[name] = value
        setattr(self, name, value)
        count = self.values[name]
        if not (least <= count <= most and count == int(count)):
            limit = f"of at least {least}" if most == math.inf else f"from {least} to {most:g}"
            raise InputError(
                f"{self._method}: parameter {name!r} must be a whole number {limit}, not {count:g}"
            )
        self._whole[name] = int(count)
        return int(count)

    def at_most(self, name: str, most: float) -> None:
        """InputError where an override of a constant that is assigned is above that."""
        if self.values[name] > most:
            raise InputError(
                f"{self._method}: parameter {name!r} must be at most {most:g}, "
                f"not {self.values[name]:g}"
            )

    def factor(self, name: str) -> float:
        """What the chosen set of constants multiplies ``name`` by: 1 of the paper's."""
        self._scaled.add(name)
        return float(self._factors.get(name, 1.0))

    def scale(self, *names: str) -> None:
        """Multiply constants by their factors of the chosen set, each once; an override stays as it
        is.
        """
        for name in names:
            if name not in self._scaled:
                setattr(self, name, self.factor(name) * self.values[name])

    @property
    def scaled(self) -> tuple[str, ...]:
        """What the method lets sets of constants multiply."""
        return tuple(sorted(self._scaled))

    def may_be_zero(self, *names: str) -> None:
        """Let overrides of constants that are assigned after this be 0."""
        self._may_be_zero.update(names)

    def of_nodes(self, **arrays: np.ndarray) -> None:
        """Assign constants with a value per node, (n,): seen as (n, 1)."""
        self._arrays.update({name: array[:, None] for name, array in arrays.items()})

    def of_edges(self, **arrays: np.ndarray) -> None:
        """Assign constants with a value per edge, (|E|,)."""
        self._arrays.update(arrays)

    def of_samples(self, **arrays: np.ndarray) -> None:
        """Assign constants with a value per sample, (N,), one node after the other."""
        self._arrays.update(arrays)

    def of_layers(self, layers: int, **arrays: np.ndarray) -> None:
        """Assign trained numbers, and how many ``layers`` they are of."""
        self._arrays.update(arrays, layers=layers)

    def _check_range(self, name: str, formula: float) -> None:
        """InputError for an override that is not finite; where the formula is positive, for one
        that is not above 0, and where it is 0, for one below.
        """
        value, where = self.values[name], f"{self._method}: parameter {name!r}"
        if not math.isfinite(value):
            raise InputError(f"{where} must be a finite number, not {value}")
        may_be_zero = formula == 0 or name in self._may_be_zero
        if not formula < 0 and not (value > 0 or (may_be_zero and value == 0)):
            least = "at least" if may_be_zero else "above"
            raise InputError(f"{where} must be {least} 0, not {value:g}")

    def check(self) -> None:
        """InputError for an override, or a factor, that names no constant."""
        for name in self._unknown:
            del self.values[name]
        if self.unknown and any(map(math.isnan, self.values.values())):
            raise self.unknown
        for name in self._factors:
            if name not in self._scaled:
                known = ", ".join(sorted(self._scaled)) or "none"
                raise InputError(
                    f"{self._method}: constants.{name}: no factor can be given (known: {known})"
                )
        for name in self._overrides:
            if name not in self.values:
                near = difflib.get_close_matches(name, self.values, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                known = ", ".join(self.values) or "none"
                raise InputError(
                    f"{self._method}: parameter {name!r} is unknown{hint} (known: {known})"
                )

    def namespace(self) -> SimpleNamespace:
        """All constants as attributes: floats, counts as int, and arrays."""
        return SimpleNamespace(**{**self.values, **self._whole, **self._arrays})

    def fill(self, params: Any, **options: Any) -> Any:
        """An instance of the NamedTuple ``params`` from the constants of its fields' names, and
        ``options``, which are none of the paper's constants.
        """
        chosen = {**self.values, **self._whole, **self._arrays, **options}
        return params(**{name: chosen[name] for name in params._fields})
