"""What a scenario's methods need, three ways: promised by a theorem, exactly, and measured."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dadao_sim import plugins
from dadao_sim.algorithms.contract.guarantee import Guarantee
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.compression.masks import Masks
from dadao_sim.errors import InputError, within
from dadao_sim.networks import Network
from dadao_sim.networks.directed import arcs_of
from dadao_sim.results.summary import NOT_REACHED, percentile, summarise
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.counts import shares
from dadao_sim.simulation.identity import by_content
from dadao_sim.simulation.plan import Plan, gradient_rate, options_of, overrides_of
from dadao_sim.theory import exact_rate, expected_curve, late_curve
from dadao_sim.theory.lower_bounds import LowerBound, lower_bound
from dadao_sim.theory.promised import promised
from dadao_sim.theory.quadratics import Quadratics
from dadao_sim.theory.rounds import DIGITS, MOST_STATES, period_of, round_rate

if TYPE_CHECKING:
    from dadao_sim.problems import Problem
    from dadao_sim.results.result import Result
    from dadao_sim.simulation.study import Study

TINY = np.finfo(float).tiny
NEVER, AT_ONCE = "never", "at once"  # counts, and decays, that are infinite
COUNTS = ("communications", "gradients", "time")
NEEDS_X_STAR = "theory is of ways to one x* that is known; run the scenario, which measures"
POINTS = 60  # of an expected curve
STRETCHED = (1, 2, 4)  # times as long a curve where it has not come down yet
LATE = 0.65  # of that time, when the part of a long curve begins that is worked out
LATE_STATES = 600  # numbers in what is worked out at once, up to which that is
PAST = 1.3  # times the time at which the slope alone says that an accuracy is reached
CURVE_STATES = 100  # numbers in what is worked out at once, up to which a whole expected curve is
CURVE_EVENTS = 50_000  # that happen until its end, up to which it takes seconds
CURVE_WORK = 2e9  # multiplications of a curve of rounds, up to which it does
QUICK_STATES = 400  # and the slope alone; above, it takes from seconds to minutes
QUICK_ROUNDS = 1_500  # the same of rounds: the spectral radius of one matrix
QUICK_HESSIANS = 1_500  # the same of Hessians, of which it is asked whether they decouple
A_ROUND = 200_000  # multiplications that take as long as to play one, however small
OF_A_RATE = ("seed", "problem", "local_step", "network", "start", "clock", "world")
"""Sections of a scenario in which those that are put beside each other agree."""
QUICK_SECOND_MOMENT = 250  # the same of rounds that a coin or random masks change


@dataclass(frozen=True)
class Curve:
    """Expected accuracies (k,) at ``times`` (k,), of ``rounds`` after each of them; only the late
    part of a curve where they do not begin at 0.
    """

    times: np.ndarray
    accuracies: np.ndarray
    rounds: bool = False

    def reached(self, accuracy: float) -> float | None:
        """From when on they are at most ``accuracy``, of rounds the first after which they are, as
        a run is measured; None where they end above it, and where they begin late and below it.
        """
        if self.rounds:
            below = np.flatnonzero(self.accuracies <= accuracy)
            return float(self.times[below[0]]) if below.size else None
        above = np.flatnonzero(self.accuracies > accuracy)
        after = int(above[-1]) + 1 if above.size else 0
        if after == len(self.times):
            return None
        if after == 0:
            return None if self.is_late else 0.0
        t, y = (v[after - 1 : after + 1] for v in (self.times, self.accuracies))
        return float(np.interp(-math.log(accuracy), -np.log(np.maximum(y, TINY)), t))

    @property
    def is_late(self) -> bool:
        """Whether how it begins is not known."""
        return bool(self.times[0] > 0)

    def begins_below(self, accuracy: float) -> bool:
        """Whether it is too late to tell when an accuracy was reached."""
        return self.is_late and self.accuracies[0] <= accuracy

    def beyond(self, accuracy: float, decay: float) -> float:
        """When an ``accuracy`` below its end is reached at this rate from there."""
        return float(self.times[-1]) + math.log(self.accuracies[-1] / accuracy) / decay

    def is_flat(self, decay: float) -> bool:
        """Whether its last quarter falls by less than half of what this rate has."""
        late = 3 * len(self.times) // 4
        fallen = math.log(self.accuracies[late] / self.accuracies[-1])
        return fallen < decay / 2 * float(self.times[-1] - self.times[late])


@dataclass(frozen=True)
class Predicted:
    """Of one run: what its theorem promises and what is exact; ``why`` says what is missing.

    Methods without ``x_star`` for a fixed point end elsewhere, and minibatches hover around it.
    ``decay`` is the exact exponent of the squared error per unit of time, ``curve`` the exact
    expected curve where it is small enough. ``per_time`` are the counts per unit of time, ``start``
    what is spent before.
    """

    guarantee: Guarantee | None
    decay: float | None
    curve: Curve | None
    linearised: bool
    x_star: bool
    why: str
    distance: float
    per_time: Mapping[str, float]
    start: Mapping[str, float]
    rounds: bool

    def promised(self, accuracy: float) -> dict[str, float]:
        """The counts that the theorem promises to be enough."""
        if self.guarantee is None:
            return dict.fromkeys(COUNTS, math.nan)
        return self._counts(self.guarantee.time(accuracy, self.distance))

    def exact(self, accuracy: float) -> dict[str, float]:
        """The counts at which the expected error is that: by the curve; by the slope alone before
        it begins, and where there is none.
        """
        if self.decay is None:
            return dict.fromkeys(COUNTS, math.nan)
        if self.decay <= 0:
            return dict.fromkeys(COUNTS, math.inf)
        if self.curve is None or self.curve.begins_below(accuracy):
            time = -math.log(accuracy) / self.decay if self.x_star else math.nan
        elif (reached := self.curve.reached(accuracy)) is not None:
            time = reached
        elif self.x_star:
            time = self.curve.beyond(accuracy, self.decay)
        else:
            time = math.inf if self.curve.is_flat(self.decay) else math.nan
        return self._counts(time) if math.isfinite(time) else dict.fromkeys(COUNTS, time)

    def crosses(self, accuracy: float) -> bool:
        """Whether the curve is known as far as that, so that the exact counts are read off it."""
        return self.curve is not None and self.curve.reached(accuracy) is not None

    def slope(self, accuracy: float) -> dict[str, float]:
        """The counts from an error of 1 at the exact exponent, whether the curve is known or not;
        nan of what ends elsewhere.
        """
        return replace(self, curve=None).exact(accuracy)

    def _counts(self, time: float) -> dict[str, float]:
        if self.rounds:
            time = math.ceil(time - 1e-9)
        counts = {name: self.start[name] + time * rate for name, rate in self.per_time.items()}
        return {**counts, "time": time}


@dataclass(frozen=True)
class MethodTheory:
    """Of one algorithm of a scenario, over its repeats. ``costs`` has for each accuracy the medians
    over the repeats of what is ``promised``, ``exact`` and ``measured``, by count; nan where it is
    not known. What is exact is of the ``exact_repeats`` only, and beside it is what is measured in
    the same ones (``measured_of_exact``).
    """

    algorithm: str
    method: str
    title: str
    experimental: bool
    predicted: tuple[Predicted, ...]
    costs: Mapping[float, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    exact_repeats: tuple[int, ...] = ()

    @property
    def theorem(self) -> str:
        """Its name; empty without one."""
        named = self.predicted[0].guarantee
        return "" if named is None else named.theorem

    def median(self, what: Callable[[Predicted], float | None]) -> float:
        """Over the repeats of which it is known; nan where it is of none."""
        values = [v for v in map(what, self.predicted) if v is not None]
        return percentile(values, 50) if values else math.nan


@dataclass(frozen=True)
class TheoryReport:
    """Of all algorithms of a scenario, and what no method can beat on the worst problem with its mu
    and L on its graph (of the first repeat; None on a sequence of graphs); ``repeats`` are those of
    the result, where one is given.
    """

    methods: tuple[MethodTheory, ...]
    least: Mapping[float, LowerBound] | None
    edges: int
    repeats: int

    def to_mapping(self) -> dict[str, Any]:
        """Plain data: None where a number is not known, text where it is none."""
        return {
            "repeats": self.repeats,
            "least": None
            if self.least is None
            else {
                f"{accuracy:g}": {"gradients_in_sequence": b.gradients, "rounds": b.rounds}
                for accuracy, b in self.least.items()
            },
            "algorithms": {
                method.algorithm: {
                    "method": method.method,
                    "theorem": method.theorem or None,
                    "promised_decay": _plain(
                        method.median(lambda p: p.guarantee.decay if p.guarantee else None), AT_ONCE
                    ),
                    "exact_decay": _plain(method.median(lambda p: p.decay), AT_ONCE),
                    "exact_repeats": list(method.exact_repeats),
                    "linearised": method.predicted[0].linearised,
                    "why_not": method.predicted[0].why or None,
                    "costs": {
                        f"{accuracy:g}": {
                            way: {
                                name: _plain(value, NOT_REACHED if "measured" in way else NEVER)
                                for name, value in counts.items()
                            }
                            for way, counts in ways.items()
                        }
                        for accuracy, ways in method.costs.items()
                    },
                }
                for method in self.methods
            },
        }


def _plain(value: float, infinite: str) -> float | str | None:
    """A number; None where it is not known, and what it is called where it is ``infinite``."""
    if math.isnan(value):
        return None
    return infinite if math.isinf(value) else value


def theory_report(
    study: Study,
    result: Result | None = None,
    accuracies: Sequence[float] | None = None,
    *,
    patient: bool = False,
    quick: int = QUICK_STATES,
    labels: Sequence[str] | None = None,
    first_only: bool = False,
) -> TheoryReport:
    """What the theory says of every run of ``study``, beside ``result`` if it is given.

    The accuracies are those of the scenario's report by default, the repeats those of the result
    where one is given: it may have more of them, or fewer. What is exact is of every repeat where
    that takes seconds, else (and if ``first_only``) of the first and those that are the same;
    ``patient``: also where it takes minutes; ``quick`` are the numbers at once of asynchronous
    methods up to which it is said not to. ``labels`` are of algorithms, all by default. Raises
    InputError for a scenario with a world, of which no theorem is, for a result of another
    scenario, and for accuracies that are not between 0 and 1.
    """
    scenario = study.scenario
    if scenario.world is not None:
        raise InputError("world", "no theorem is about delays and losses", "leave it out")
    wanted = tuple(accuracies or scenario.report.accuracies)
    for accuracy in wanted:
        if not 0 < accuracy < 1:
            raise InputError("accuracies", f"{accuracy:g} given", "give one between 0 and 1")
    if result is not None:
        _check_same(study, result)
    labels = study.labels if labels is None else labels
    predicted: dict[str, list[Predicted]] = {label: [] for label in labels}
    plans: dict[str, Plan] = {}
    repeats = list(range(scenario.repeats))
    if result is not None:  # what is measured is of its repeats
        repeats = sorted(set(result.runs["repeat"].tolist()))
    every: dict[str, bool] = {}  # whether what is exact is of all repeats
    for repeat, label in itertools.product(repeats, labels):
        plan, before = study.plan((label, repeat)), predicted[label]
        if before and _is_same(plan, plans[label]):
            before.append(before[0])
            continue
        plans.setdefault(label, plan)
        before.append(
            predict(plan, min(wanted), patient, quick, exact=every.get(label, not before))
        )
        if label not in every:
            soon = patient or _takes_seconds(plan, before[0], len(repeats), quick)
            every[label] = soon and not first_only
    methods = [
        _of_method(plans[label], predicted[label], wanted, repeats, result) for label in labels
    ]
    parts = plans[labels[0]].parts
    problem, graphs = parts.problem, parts.network.graphs
    least = None
    one = graphs[0]
    if len(graphs) == 1 and isinstance(one, Network) and problem.is_strongly_convex:
        least = {a: lower_bound(problem.mu, problem.L, one, a) for a in wanted}
    return TheoryReport(tuple(methods), least, len(graphs[0].edges), len(repeats))


def _check_same(study: Study, result: Result) -> None:
    """InputError for a result of other problems, networks, starts, clocks or methods."""
    if set(study.labels) - set(result.methods):
        missing = ", ".join(sorted(set(study.labels) - set(result.methods)))
        raise InputError("result", f"it has no {missing}", "give a result of this scenario")
    manifest = result.manifest
    plugins.check_unchanged(manifest.get("plugins", ()), manifest["scenario"].get("plugins", ()))
    with within("result"):
        ran = scenario_from_mapping(manifest["scenario"]).to_mapping()
    asked = study.scenario.to_mapping()
    if "inputs" in manifest:  # else a file is told by its name
        ran, asked = by_content(ran, manifest["inputs"]), by_content(asked, study.inputs)
    others = [name for name in OF_A_RATE if _differ(asked.get(name), ran.get(name))]
    of = {algorithm["label"]: algorithm for algorithm in ran["algorithms"]}
    others += [a["label"] for a in asked["algorithms"] if _differ(a, of[a["label"]])]
    if others:
        wrong = f"it has another {', '.join(others)}"
        raise InputError("result", wrong, "give a result of this scenario")


def _differ(one: Any, other: Any) -> bool:
    """Whether plain data do, but for the folders that files lie in."""
    if isinstance(one, dict) and isinstance(other, dict):
        return any(_differ(one.get(key), other.get(key)) for key in one.keys() | other.keys())
    if isinstance(one, str) and isinstance(other, str):
        return Path(one).name != Path(other).name
    return bool(one != other)


def predict(
    plan: Plan,
    least: float,
    patient: bool = False,
    quick: int = QUICK_STATES,
    *,
    exact: bool = True,
) -> Predicted:
    """What the theory says of a run, down to the accuracy ``least``; without ``exact`` only what is
    promised.
    """
    problem, method = plan.parts.problem, plan.method
    overrides, options = overrides_of(plan.spec), options_of(plan.spec)
    args = (method, problem, plan.network)
    share, start = shares(method, problem, options.batch_size), plan.tuning.asked.start
    distance = float(((plan.x0 - _x_star(problem)) ** 2).sum())
    guarantee, decay, curve, linearised, why = None, None, None, False, ""
    try:
        guarantee = promised(*args, plan.x0, overrides, options)
    except InputError as error:
        why = str(error)
    if distance == 0:
        why = "x0 is x*, and no accuracy is relative to an error of 0"
    elif exact:
        try:
            decay, linearised = _exact(plan, patient, quick)
            if not linearised and decay > 0:
                curve = _curve(plan, least, decay, distance, patient)
        except InputError as error:
            why = "; ".join(dict.fromkeys(filter(None, (why, str(error)))))
    return Predicted(
        guarantee=guarantee,
        decay=decay,
        curve=curve,
        linearised=linearised,
        x_star=options.batch_size is None
        and method.optimum(problem, plan.network, plan.tuning) is not None,
        why=why,
        distance=distance,
        per_time={
            "communications": plan.tuning.communications,
            "gradients": gradient_rate(plan.tuning, share),
        },
        start={"communications": start.communications, "gradients": start.gradients},
        rounds=isinstance(method, RoundMethod),
    )


def _x_star(problem: Problem) -> np.ndarray:
    """That of ``problem`` (d,); InputError where there is not one that is known."""
    try:
        return problem.x_star
    except InputError as error:
        where, wrong, right = error.args
        error.args = (where, wrong, right or NEEDS_X_STAR) if wrong else error.args
        raise


def _exact(plan: Plan, patient: bool, quick: int) -> tuple[float, bool]:
    """The exact decay, and whether it is near x* only."""
    args = plan.method, plan.parts.problem, plan.network
    changed = overrides_of(plan.spec), options_of(plan.spec)
    if not patient and (long := _takes_long(plan, quick)):
        raise InputError(f"{long}: what is exact takes up to minutes; ask for it by --patient")
    if isinstance(plan.method, RoundMethod):
        rate = round_rate(*args, *changed)
        return rate.decay, rate.linearised
    found = exact_rate(*args, *changed)
    return -found.sigma, found.linearised


def _curve(plan: Plan, least: float, decay: float, distance: float, patient: bool) -> Curve | None:
    """The expected curve down to ``least``, its late part where it is large or, unless ``patient``,
    long; None where there is none.
    """
    rounds = isinstance(plan.method, RoundMethod)
    if not rounds and _at_once(plan)[0] > CURVE_STATES:
        return _late_curve(plan, least, decay, distance)
    problem, curve = plan.parts.problem, None
    args = plan.method, problem, plan.network
    changed = overrides_of(plan.spec), options_of(plan.spec)
    start = None if plan.method.needs_averaging else plan.x0
    slope = -PAST * math.log(least) / decay
    for stretched in STRETCHED:
        if rounds:
            times = np.arange(math.ceil(stretched * slope) + 2, dtype=float)
            long = len(times) * _at_once(plan)[0] ** 2 > CURVE_WORK
        else:
            times = np.linspace(0, stretched * slope, stretched * POINTS)
            long = times[-1] * (plan.tuning.communications + problem.nodes) > CURVE_EVENTS
        if long and not patient:
            break
        try:
            errors = expected_curve(*args, times, *changed, start)
        except InputError:
            if rounds:  # that draw, or are not the same each time
                return None
            raise
        curve = Curve(times, errors * problem.nodes / distance, rounds)
        if curve.reached(least) is not None or curve.is_flat(decay):
            break
    if curve is None and not rounds:
        return _late_curve(plan, least, decay, distance)
    return curve


def _late_curve(plan: Plan, least: float, decay: float, distance: float) -> Curve | None:
    """The expected curve where it comes down to ``least``; None where it does not, for what hovers
    or counts its steps, and where it is too large.
    """
    problem, method, options = plan.parts.problem, plan.method, options_of(plan.spec)
    clock = plan.tuning.clock
    if (
        _at_once(plan)[0] > LATE_STATES
        or options.batch_size is not None
        or method.optimum(problem, plan.network, plan.tuning) is None
        or (clock is not None and clock.pace == "steps")
    ):
        return None
    begins = -LATE * math.log(least) / decay
    for _ in range(2):
        times = np.linspace(begins, 2 * begins, POINTS)
        start = None if method.needs_averaging else plan.x0
        how = overrides_of(plan.spec), options
        errors = late_curve(method, problem, plan.network, times, *how, start)
        curve = Curve(times, errors * problem.nodes / distance)
        if curve.reached(least) is not None:
            return curve
        begins *= 0.5 if curve.begins_below(least) else 2.0
    return None


def _takes_long(plan: Plan, quick: int, repeats: int = 1) -> str:
    """Why what is exact takes more than seconds; empty where it does not, or is refused at once.

    The work is the cube of the numbers in a state, for each that differs; and to find a step, as
    many plays of a period as there are numbers. To know what differs takes the cube of d.
    """
    problem = plan.parts.problem
    if problem.local_step is not None:  # no axes are looked for that nobody would use
        return ""
    if (d := problem.dimension) > QUICK_HESSIANS:
        return f"the axes of Hessians of {d:,} x {d:,} numbers"
    size, axes = _at_once(plan)
    period, method = 1, plan.method
    if isinstance(method, RoundMethod):
        masks, compressor = _masks(plan), plan.tuning.compressor
        refused = bool(method.widths) or (masks is None and compressor is not None)
        if size > MOST_STATES or refused:
            return ""
        drawn = masks is not None and masks.are_drawn
        by_coin = method.chance(plan.tuning.params) < 1
        quick = QUICK_SECOND_MOMENT if drawn or by_coin else QUICK_ROUNDS
        period = period_of(method, plan.tuning)
    if repeats * axes * size * (size**2 + A_ROUND * (period - 1)) <= quick**3:
        return ""
    times = f", {axes} times" if axes > 1 else ""
    rounds = f", {period:,} rounds in turn" if period > 1 else ""
    return f"{size:,} numbers at once{times}{rounds}"


def _masks(plan: Plan) -> Masks | None:
    Q = plan.tuning.compressor
    return None if Q is None else Q.masks(plan.parts.problem.dimension)


def _takes_seconds(plan: Plan, first: Predicted, repeats: int, quick: int) -> bool:
    """Whether so many repeats take no longer than one may, whose ``first`` was this."""
    if _takes_long(plan, quick, repeats):
        return False
    if first.curve is None:
        return True
    if first.curve.is_late:  # which alone takes its seconds
        return False
    times = first.curve.times
    if first.rounds:
        return repeats * len(times) * _at_once(plan)[0] ** 2 <= CURVE_WORK
    per_time = plan.tuning.communications + plan.parts.problem.nodes
    return repeats * float(times[-1]) * per_time <= CURVE_EVENTS


def _is_same(plan: Plan, other: Plan) -> bool:
    """Whether two repeats of an algorithm have the same problem, network and start."""
    P, Q = plan.parts.problem, other.parts.problem
    graphs, others = plan.network.graphs, other.network.graphs
    if plan.x0.shape != other.x0.shape or len(graphs) != len(others):
        return False
    pairs, ones = [(plan.x0, other.x0)], np.ones(1)
    for one, two in zip(graphs, others, strict=True):
        pairs += [(arcs_of(one), arcs_of(two))]
        pairs += [(getattr(one, "rates", ones), getattr(two, "rates", ones))]
    if P is not Q:
        # Problems with the same optimum may differ, but not in their gradients at any point.
        X = P.x_star + np.random.default_rng(0).standard_normal(plan.x0.shape)
        pairs += [(P.x_star, Q.x_star), (P.gradients(X), Q.gradients(X))]
    return all(np.array_equal(one, two) for one, two in pairs)


def _at_once(plan: Plan) -> tuple[int, int]:
    """Numbers in the state of what does not decouple, and how many such states differ."""
    problem = plan.parts.problem
    curvatures = Quadratics.of(problem).curvatures_under(_masks(plan))
    numbers = problem.nodes * len(plan.method.blocks)
    if curvatures is None:
        return numbers * problem.dimension, 1
    alike = np.round(curvatures / np.abs(curvatures).max(), DIGITS)
    return numbers, np.unique(alike, axis=1).shape[1]


def _of_method(
    plan: Plan,
    predicted: list[Predicted],
    accuracies: tuple[float, ...],
    repeats: list[int],
    result: Result | None,
) -> MethodTheory:
    costs: dict[float, dict[str, dict[str, float]]] = {}
    known = [one for one in predicted if one.decay is not None]
    there = [r for r, one in zip(repeats, predicted, strict=True) if one.decay is not None]
    for accuracy in accuracies:
        ways = {
            "promised": [one.promised(accuracy) for one in predicted],
            "exact": [one.exact(accuracy) for one in known or predicted[:1]],
        }
        costs[accuracy] = {
            way: {name: percentile([counts[name] for counts in found], 50) for name in COUNTS}
            for way, found in ways.items()
        }
        costs[accuracy]["measured"] = _measured(result, plan.key[0], accuracy, repeats)
        costs[accuracy]["measured_of_exact"] = _measured(result, plan.key[0], accuracy, there)
    return MethodTheory(
        algorithm=plan.key[0],
        method=plan.method.name,
        title=plan.method.title,
        experimental=plan.experimental,
        predicted=tuple(predicted),
        costs=costs,
        exact_repeats=tuple(there),
    )


def _measured(
    result: Result | None, label: str, accuracy: float, repeats: list[int]
) -> dict[str, float]:
    """The medians over some of the repeats."""
    if result is None or not repeats:
        return dict.fromkeys(COUNTS, math.nan)
    curves, runs = (
        table[(table["algorithm"] == label) & table["repeat"].isin(repeats)]
        for table in (result.curves, result.runs)
    )
    table = summarise(curves, runs, [accuracy], result.terms, result.stop_accuracy)
    (row,) = table.to_dict("records")
    return {name: float(row[f"{name}_median"]) for name in COUNTS}
