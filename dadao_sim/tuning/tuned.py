"""What a search has found: every evaluation, the best constants, the scenario that has them."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.results.axes import AXES, Terms
from dadao_sim.results.summary import percentile
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.text.labels import LONGEST_LABEL
from dadao_sim.tuning.evaluate import REFUSED, Evaluation, at
from dadao_sim.tuning.search import Found, Point, factors

if TYPE_CHECKING:
    from pandas import DataFrame

CONSTANTS = ("first", "second")
"""The constants that are multiplied: what their columns are called by."""
_OF_CONSTANTS = tuple(
    column for k in CONSTANTS for column in (f"{k}_constant", f"{k}_factor", f"{k}_value")
)
COSTS = ("time", "gradients", "communications", "bits")
EVALUATION_COLUMNS = (
    *("algorithm", "method", *_OF_CONSTANTS),
    *("repeat", "status", "reason", "cost", *COSTS, "accuracy"),
)
BEST_COLUMNS = (
    *("algorithm", "method", "first_constant", "first_factor", "second_constant", "second_factor"),
    *("points", "edge", "repeats", "reached", "cost", "accuracy"),
    *("default_reached", "default_cost", "default_accuracy", "gain", "unstable_from"),
    *("fresh_reached", "fresh_cost", "fresh_accuracy"),
    *("fresh_default_reached", "fresh_default_cost", "fresh_default_accuracy", "fresh_gain"),
)

Evaluations = Mapping[Point, list[Evaluation]]
"""By point, one of each repeat."""


@dataclass(frozen=True)
class Goal:
    """To which ``accuracy``, and what is to be small: an axis, computed on these ``terms``."""

    accuracy: float
    by: str
    terms: Terms

    def cost(self, label: str, evaluation: Evaluation) -> float:
        """Of a run of the algorithm that reached the accuracy; infinite of one that did not."""
        if evaluation["status"] != "converged":
            return math.inf
        spent = {**evaluation, "algorithm": label, "bytes_sent": evaluation["bits"] / 8}
        return float(AXES[self.by].of(spent, self.terms))

    def key(self, label: str, evaluations: list[Evaluation]) -> tuple[float, float, float]:
        """How good constants of the algorithm are, small is good: repeats that did not reach the
        accuracy, the median cost, the median accuracy at the end.
        """
        costs = [self.cost(label, one) for one in evaluations]
        return costs.count(math.inf), percentile(costs, 50), percentile(accuracies(evaluations), 50)


def accuracies(evaluations: list[Evaluation]) -> list[float]:
    """At the end of each run; infinite of one that has none, or diverged."""
    return [
        math.inf
        if one["accuracy"] is None or one["status"] in ("diverged", REFUSED)
        else one["accuracy"]
        for one in evaluations
    ]


@dataclass(frozen=True)
class OneTuned:
    """An algorithm, the ``names`` of its constants that were multiplied, and what was found.

    ``fresh`` is how the best and the untuned constants go on the repeats of the scenario itself, of
    which the search knew nothing.
    """

    spec: AlgorithmSpec
    names: tuple[str, ...]
    found: Found
    evaluations: Evaluations
    fresh: Evaluations

    @property
    def title(self) -> str:
        """The method's name in print."""
        return get_method(self.spec.name).title

    @property
    def tuned(self) -> AlgorithmSpec:
        """With the best constants, and a label that says so; itself where nothing is better."""
        if not any(self.found.best):
            return self.spec
        known = self.title if self.spec.label == self.spec.name else self.spec.label
        label = known if known.endswith(", tuned") else f"{known}, tuned"
        best = at(self.spec, self.names, self.found.best)
        return best.model_copy(update={"label": label if len(label) <= LONGEST_LABEL else known})


@dataclass(frozen=True)
class Tuned:
    """What was found for every algorithm of ``scenario``, in their order, on the repeats of
    another ``seed``; ``looks`` are of the methods.
    """

    scenario: Scenario
    goal: Goal
    seed: int
    repeats: int
    budget: int
    algorithms: tuple[OneTuned, ...]

    @property
    def titles(self) -> dict[str, str]:
        """The name in print of each method."""
        return {one.spec.name: one.title for one in self.algorithms}

    @property
    def looks(self) -> dict[str, str | None]:
        """The colour, dash and marker of each method; None: has none."""
        return {one.spec.name: get_method(one.spec.name).look for one in self.algorithms}

    @property
    def tuned_scenario(self) -> Scenario:
        """The scenario, with its own seed, and the constants that were found."""
        name = f"{self.scenario.name[: LONGEST_LABEL - 6]}-tuned"
        specs = tuple(one.tuned for one in self.algorithms)
        labels = {one.spec.label: one.tuned.label for one in self.algorithms}
        figures = self.scenario.figures and tuple(f.renamed(labels) for f in self.scenario.figures)
        changes = {"name": name, "algorithms": specs, "figures": figures}
        mapping = self.scenario.model_copy(update=changes).to_mapping()
        return scenario_from_mapping(mapping)  # checked: labels, for one

    @property
    def evaluations(self) -> DataFrame:
        """One row per algorithm, point and repeat, columns EVALUATION_COLUMNS, points in order.

        A factor is of the paper's formula (or of the set that the scenario chose), a value what
        came of it. `cost` is inf where the run did not reach the accuracy, and the costs beside it
        are those at its end.
        """
        import pandas as pd

        rows = []
        for one in self.algorithms:
            for point in sorted(one.evaluations):
                multiplied = factors(one.names, point)
                for repeat, evaluation in enumerate(one.evaluations[point]):
                    row: dict[str, Any] = dict.fromkeys(_OF_CONSTANTS)
                    for k, (name, factor) in zip(CONSTANTS, multiplied.items(), strict=False):
                        row[f"{k}_constant"], row[f"{k}_factor"] = name, factor
                        row[f"{k}_value"] = evaluation["constants"].get(name)
                    rows.append(
                        {
                            "algorithm": one.spec.label,
                            "method": one.spec.name,
                            **row,
                            "repeat": repeat,
                            **{name: evaluation[name] for name in ("status", "reason", *COSTS)},
                            "cost": self.goal.cost(one.spec.label, evaluation),
                            "accuracy": evaluation["accuracy"],
                        }
                    )
        return pd.DataFrame(rows, columns=list(EVALUATION_COLUMNS))

    @property
    def best(self) -> DataFrame:
        """One row per algorithm, columns BEST_COLUMNS.

        Costs are medians over the repeats, `gain` is that of the paper's constants over the best
        one, `unstable_from` the least factor of the first constant above the best at which a run
        diverged or was refused, the other as it is; `points` were played. Columns `fresh_` are of
        as many repeats with the scenario's own seed: of the best of many points some are lucky in
        the repeats that they were chosen on, and these say how they go elsewhere.
        """
        import pandas as pd

        rows = []
        for one in self.algorithms:
            best, default = one.found.best, (0.0,) * len(one.found.best)
            here = one.evaluations[best]
            row: dict[str, Any] = {"algorithm": one.spec.label, "method": one.spec.name}
            for k, (name, factor) in zip(CONSTANTS, factors(one.names, best).items(), strict=False):
                row[f"{k}_constant"], row[f"{k}_factor"] = name, factor
            row |= {"points": one.found.points, "edge": one.found.edge, "repeats": len(here)}
            for prefix, played in (("", one.evaluations), ("fresh_", one.fresh)):
                for which, point in (("", best), ("default_", default)):
                    missed, cost, accuracy = self.goal.key(one.spec.label, played[point])
                    row[f"{prefix}{which}reached"] = len(played[point]) - int(missed)
                    row[f"{prefix}{which}cost"] = cost
                    row[f"{prefix}{which}accuracy"] = accuracy
                untuned, cost = row[f"{prefix}default_cost"], row[f"{prefix}cost"]
                has_gain = math.isfinite(cost) and cost
                row[f"{prefix}gain"] = untuned / cost if has_gain else math.nan
            row["unstable_from"] = _unstable_from(one)
            rows.append(row)
        return pd.DataFrame(rows, columns=list(BEST_COLUMNS))

    def scenario_text(self) -> str:
        """The tuned scenario as YAML, which reads back as itself."""
        scenario = self.tuned_scenario
        brief = scenario.model_dump(mode="json", exclude_defaults=True)
        if scenario_from_mapping(brief) != scenario:  # kinds that are defaults, for one
            brief = scenario.to_mapping()
        said = [
            f"# The constants of {self.scenario.name}, tuned: what the paper's are multiplied by.",
            f"# Smallest {self.goal.by} to {self.goal.accuracy:g}, {self.budget} points for each",
            f"# method, {self.repeats} repeats of seed {self.seed}, which is not reported here.",
        ]
        yaml, text = YAML(typ="safe", pure=True), io.StringIO()
        yaml.default_flow_style = None
        yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        yaml.width = 100
        yaml.dump(brief, text)
        return "\n".join(said) + "\n" + text.getvalue()


def _unstable_from(one: OneTuned) -> float:
    best = one.found.best
    bad = [
        point[0]
        for point, runs in one.evaluations.items()
        if point
        and point[0] > best[0]
        and point[1:] == best[1:]
        and any(run["status"] in ("diverged", REFUSED) for run in runs)
    ]
    return 2.0 ** min(bad) if bad else math.nan
