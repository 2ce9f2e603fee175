"""Constants of a method for one network, found by search on its exact rate.

A set of factors of the paper's constants is worth its least decay over curvatures in [mu, L], equal
at all nodes and unequal, at several condition numbers; and it must be stable at fewer exchanges
than it asks for, too. No theorem covers what is found.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.by_load import ByLoad
from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method
from dadao_sim.algorithms.contract.options import PAPER, Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.compiled.threads import one_blas_thread
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_network
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.theory.critical import critical_rate
from dadao_sim.theory.rate import AnyEnergies, energies_along
from dadao_sim.theory.setting import Setting

Factors = Mapping[str, float]

MARGIN = 0.93  # of its gossip rates, at which a set must be stable
GAIN = 1.05  # over the best set that is shipped; less is nothing
CURVATURES = 5  # in [mu, L] while searching, and FINE at the end
FINE = 17
MOST_NODES = 48  # of a graph whose edges are not alike; MOST_MODES eigenvalues of others
MOST_MODES = 130
UNEQUAL_NODES = 20  # up to which curvatures that differ from node to node are tried
SPREAD = 0.2  # of the logarithms of the first factors
DIGITS = 4  # of a factor that is found
PRECISION = 3e-5  # of a decay, relative; it is no more than is found
SAID = 6  # digits of what is said of a set: the last bits are another machine's
ALMOST = 1e-9  # growth of what grows, at least
MOST_KAPPA = 1e6  # above it a decay is lost among the roundings
CRITICAL = 1e-3  # of a critical factor
# What a set of factors is worth that has no decay: worse than any that has one.
UNSAFE, GROWS, IMPOSSIBLE = 1e2, 1e3, 1e5


@dataclass(frozen=True)
class Price:
    """What a gradient of one node costs, and an exchange over one edge."""

    gradient: float
    communication: float


PRICES = {"time": Price(1.0, 0.0), "communications": Price(0.0, 1.0)}


@dataclass(frozen=True)
class Judged:
    """What a set of factors is worth on a network.

    - decays: of E||s||^2 per unit of time, for each kappa the least over the curvatures.
    - communications: per unit of time.
    - critical: the share of the gossip rates at which it stops being stable, over the kappas.
    """

    decays: tuple[float, ...]
    communications: float
    critical: float

    @property
    def is_stable(self) -> bool:
        """Whether it converges at every kappa."""
        return min(self.decays) > 0

    def costs(self, price: Price, nodes: int) -> tuple[float, ...]:
        """For each kappa, of a mean square error that falls by a factor of e."""
        rate = price.gradient * nodes + price.communication * self.communications
        return tuple(rate / decay if decay > 0 else math.inf for decay in self.decays)


@dataclass(frozen=True)
class TunedConstants:
    """What a search found: ``factors``, ``found`` what they are worth, and the ``shipped`` sets.

    ``unequal`` says whether unequal curvatures were tried; ``margin`` is the share of the rates at
    which the found set is stable at least.
    """

    method: str
    nodes: int
    kappas: tuple[float, ...]
    price: Price
    margin: float
    factors: dict[str, float]
    found: Judged
    shipped: dict[str, Judged]
    evaluations: int
    unequal: bool

    def gain(self, judged: Judged, over: Judged) -> float:
        """How many times less a set costs than another, at the worst kappa; 0 where it grows."""
        costs = (each.costs(self.price, self.nodes) for each in (judged, over))
        return min(b / a if math.isfinite(a) else 0.0 for a, b in zip(*costs, strict=True))

    @property
    def best_shipped(self) -> str:
        """The shipped set that costs least, by its worst kappa."""
        paper = self.shipped[PAPER]
        return max(self.shipped, key=lambda name: self.gain(self.shipped[name], paper))

    @property
    def gained(self) -> float:
        """How many times less the found set costs than the best that is shipped."""
        return self.gain(self.found, self.shipped[self.best_shipped])


def require_cmaes() -> None:
    """InputError, with the command that helps, where cmaes is not installed."""
    if find_spec("cmaes") is None:
        raise InputError('needs cmaes; install it with: pip install "dadao-sim[tune]"')


@one_blas_thread()
def tuned_constants(
    method: str | Method,
    network: Any,
    price: Price = PRICES["time"],
    kappas: tuple[float, float] = (10.0, 1000.0),
    seed: int = 0,
    budget: int = 600,
    margin: float = MARGIN,
    tick: Callable[[int, float], None] = lambda evaluations, gain: None,
) -> TunedConstants:
    """The factors of the constants of ``method`` that cost least on ``network`` for an error that
    falls by a factor of e, by CMA-ES from the best set that is shipped.

    ``kappas`` are the least and the largest condition number that count; at the end what is found
    is judged at their geometric mean, too. What counts is the worst of them, relative to the
    paper's constants there. ``margin`` is the share of its gossip rates at which a set must be
    stable, too. ``tick`` hears of each of at most ``budget`` evaluations, and how many times less
    than the paper's constants the best set costs. The same seed finds the same factors.

    Raises InputError as ``exact_rate``, for a method none of whose constants can be scaled, for a
    network that is too large, and where cmaes is not installed.
    """
    low, high = kappas
    if not 1 <= low <= high <= MOST_KAPPA:
        right = f"give LOW:HIGH, 1 <= LOW <= HIGH <= {MOST_KAPPA:g}"
        raise InputError("kappa", f"{low:g}:{high:g} is no range", right)
    if not 0 < margin <= 1:
        raise InputError("margin", f"{margin:g} is no share of the rates", "give 0 < M <= 1")
    prices = price.gradient, price.communication
    if not (min(prices) >= 0 and 0 < sum(prices) < math.inf):
        given = f"{price.gradient:g} of a gradient, {price.communication:g} of an exchange"
        raise InputError("price", given, "give finite prices of at least 0, one above")
    require_cmaes()
    bench = _Bench(method, as_network(network), _between(low, high), price, margin)
    shipped = bench.method.constant_sets
    sets: dict[str, Factors] = {PAPER: {}}
    sets |= {name: of for name, of in shipped.items() if not isinstance(of, ByLoad)}
    best = min(sets, key=lambda name: bench.value(sets[name]))
    factors, evaluations = _search(bench, sets[best], seed, budget, tick)
    return TunedConstants(
        method=bench.method.name,
        nodes=bench.network.nodes,
        kappas=bench.kappas,
        price=price,
        margin=margin,
        factors=factors,
        found=bench.judged(factors),
        shipped={name: bench.judged(sets[name]) for name in sets},
        evaluations=evaluations,
        unequal=bench.unequal,
    )


def _search(
    bench: "_Bench",
    start: Factors,
    seed: int,
    budget: int,
    tick: Callable[[int, float], None],
) -> tuple[dict[str, float], int]:
    """The best factors that were met, and how many were tried."""
    from cmaes import CMA

    best = {name: start.get(name, 1.0) for name in bench.names}
    least, spent = bench.value(best), 0
    mean = np.log([best[name] for name in bench.names])
    optimiser = CMA(mean=mean, sigma=SPREAD, seed=seed)
    while spent + optimiser.population_size <= budget and not optimiser.should_stop():
        tried = []
        for _ in range(optimiser.population_size):
            x = optimiser.ask()
            rounded = (float(f"{f:.{DIGITS}g}") for f in np.exp(x).tolist())
            factors = dict(zip(bench.names, rounded, strict=True))
            value = bench.value(factors, least)
            if value < least:
                best, least = factors, value
            tried.append((x, value))
            spent += 1
            tick(spent, math.exp(-least))
        optimiser.tell(tried)
    return best, spent


class _Bench:
    """A network on which sets of factors are tried."""

    def __init__(
        self,
        method: str | Method,
        network: Any,
        kappas: tuple[float, ...],
        price: Price,
        margin: float,
    ):
        self.kappas, self.price, self.margin = kappas, price, margin
        n = network.nodes
        self.unequal = 2 < n <= UNEQUAL_NODES
        ends = sorted({kappas[0], kappas[-1]})  # what is between has been between, always
        problems = [_quadratic(n, kappa, CURVATURES, self.unequal) for kappa in ends]
        method = method if isinstance(method, Method) else get_method(method)
        if not isinstance(method, AsynchronousMethod):
            raise InputError(
                f"{method.name} plays rounds: its constants cannot be tuned; try dadao"
            )
        self.settings = [Setting.of(method, problem, network) for problem in problems]
        first = self.settings[0]
        self.method, self.network, tuning = first.method, first.network, first.played.tuning
        # What a method tunes for a problem is what its own constants are computed from.
        self.names = tuple(name for name in tuning.scaled if name not in (self.method.tunes or ()))
        if not self.names or "rate_factor" not in tuning.constants:
            raise InputError(
                f"{self.method.name}: none of its constants can be scaled; choose a method with "
                "sets of constants, such as dadao"
            )
        self._require_room()
        self.price_of_paper = self._price(first)
        self.paper = [_decay(_systems(setting, equal=True)) for setting in self.settings]
        if min(self.paper) <= 0:
            raise InputError(f"{self.method.name}: its own constants diverge in mean square")

    def _require_room(self) -> None:
        modes, n = self.settings[0].modes, self.network.nodes
        if modes is not None and len(modes.values) <= MOST_MODES:
            return
        if modes is not None or n > MOST_NODES:
            raise InputError(
                "network",
                f"{n:,} nodes, of which each of hundreds of trials would take seconds",
                f"constants are tuned up to {MOST_NODES} nodes, or {MOST_MODES} distinct "
                "eigenvalues of a graph whose edges are all alike",
            )

    def value(self, factors: Factors, best: float = math.inf) -> float:
        """What counts of a set: the logarithm of its cost relative to the paper's constants; above
        ``UNSAFE`` where it is not stable enough. Unequal curvatures, which are dear, are asked for
        only where equal ones are better than ``best``.
        """
        try:
            chosen = Options(constants=factors)
            settings = [setting.with_overrides({}, chosen) for setting in self.settings]
            safe = [setting.with_overrides({"rate_factor": self.margin}) for setting in settings]
            price = math.log(self._price(settings[0]) / self.price_of_paper)
            value = self._value(settings, safe, price, equal=True)
            if self.unequal and value < best:
                value = max(value, self._value(settings, safe, price, equal=False))
        except (InputError, np.linalg.LinAlgError, FloatingPointError, ValueError):
            return IMPOSSIBLE  # there is no such flow
        return round(value, SAID)

    def _value(
        self, settings: list[Setting], safe: list[Setting], price: float, equal: bool
    ) -> float:
        ratio = math.inf  # of the decay to the paper's, so far
        for setting, paper in zip(settings, self.paper, strict=True):
            decay = _decay(_systems(setting, equal), ratio * paper)
            if decay <= 0:
                return GROWS - decay
            ratio = min(ratio, decay / paper)
        for setting in safe:
            decay = _decay(_systems(setting, equal), 0.0)
            if decay < 0:
                return UNSAFE - decay
        return price - math.log(ratio)

    def _price(self, setting: Setting) -> float:
        """Of a unit of time."""
        exchanges = setting.played.tuning.communications
        return self.price.gradient * self.network.nodes + self.price.communication * exchanges

    def judged(self, factors: Factors) -> Judged:
        """What a set is worth, on more curvatures than the search asked for."""
        options, decays = Options(constants=dict(factors)), []
        n, network = self.network.nodes, self.network
        for kappa in self.kappas:
            problem = _quadratic(n, kappa, FINE, self.unequal)
            setting = Setting.of(self.method, problem, network, {}, options)
            decay = _decay(energies_along(setting, c) for c in range(problem.dimension))
            decays.append(float(f"{decay:.{SAID}g}"))
        critical = math.inf
        if min(decays) > 0:
            critical = max(
                critical_rate(
                    self.method, np.geomspace(1, kappa, CURVATURES), network, {}, CRITICAL, options
                )
                for kappa in self.kappas
            )
        return Judged(tuple(decays), setting.played.tuning.communications, critical)


def _between(low: float, high: float) -> tuple[float, ...]:
    return tuple(np.unique(np.geomspace(low, high, 3)).tolist()) if high > low else (low,)


def _quadratic(nodes: int, kappa: float, curvatures: int, unequal: bool) -> Problem:
    """A coordinate for each of some curvatures in [1, kappa] that all nodes have; then, if asked
    for, for neighbours (by number) that are unlike, for one steep node among flat ones, and one
    flat among steep ones.
    """
    equal = np.tile(np.geomspace(1, kappa, curvatures), (nodes, 1))
    first, odd = np.arange(nodes) == 0, np.arange(nodes) % 2 == 1
    patterns = [np.where(steep, kappa, 1.0) for steep in (odd, first, ~first)]
    h = np.column_stack([equal, *patterns]) if unequal else equal
    H = h[:, :, None] * np.eye(h.shape[1])
    return Problem.quadratic(H, np.zeros(h.shape))


def _systems(setting: Setting, equal: bool) -> Iterable[AnyEnergies]:
    """Along the axes on which all nodes have one curvature, or on which they do not."""
    for c in range(setting.problem.dimension):
        if setting.quadratics.is_equal(c) == equal:
            yield energies_along(setting, c)


def _decay(systems: Iterable[AnyEnergies], known: float = math.inf) -> float:
    """The least decay of some systems, if it is less than what is ``known``; else that. Where one
    grows it is negative: how far its radius is above 1, or its drift above 0.

    It is found by bisection: whether a radius is below 1 takes much less than how large it is.
    """
    for system in systems:
        if system.abscissa >= 0:
            return -1 - system.abscissa
        most = -2 * system.abscissa
        if known < most and system.is_below_one(-known):
            continue
        if not system.is_below_one(0.0):
            return -min(max(system.radius(0.0) - 1, ALMOST), 1.0)
        low, high = 0.0, min(known, most)
        while high - low > PRECISION * high:
            middle = (low + high) / 2
            low, high = (middle, high) if system.is_below_one(-middle) else (low, middle)
        known = high if high == most else low
    return known
