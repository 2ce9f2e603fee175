"""What theorems promise beside what is measured, over the scenarios of the paper's figures.

    python benchmarks/promised.py [NAME...]     all of scenarios/paper, or those named

For every method with a theorem and every accuracy of the scenario's report: the median over the
repeats of the communications, over those that the theorem promises to be enough, with its own
constant in front of the error of the start. Ends with 1 where one is above 1, or has not got there
though the theorem promises it within the limits of the scenario.
"""

import math
import sys
from pathlib import Path

from dadao_sim import simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.reports.theory import predict
from dadao_sim.results.summary import percentile, summarise
from dadao_sim.simulation.study import Study

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "paper"


def ratios(study):
    """(label, accuracy, measured, promised) of every method with a theorem, nan where it does not
    cover the run; what the limits of the scenario end before the theorem promises it is left out.
    """
    accuracies = study.scenario.report.accuracies
    promised = {(label, a): [] for label in study.labels for a in accuracies}
    for label, repeat in study.keys:
        predicted = predict(study.plan((label, repeat)), min(accuracies), exact=False)
        for accuracy in accuracies:
            promised[label, accuracy].append(predicted.promised(accuracy))
    result = simulate(study)
    table = summarise(result.curves, result.runs, accuracies, result.terms, result.stop_accuracy)
    for row in table.to_dict("records"):
        if METHODS[row["method"]].guarantee is not None:
            counts = promised[row["algorithm"], row["accuracy"]]
            enough, time = (
                percentile([count[what] for count in counts], 50)
                for what in ("communications", "time")
            )
            measured = row["communications_median"]
            if measured < math.inf or time <= study.scenario.stop.time:
                yield row["algorithm"], row["accuracy"], measured, enough


def main(names):
    """Print every ratio; the number of those above 1."""
    above = 0
    for path in sorted(SCENARIOS.glob("*.yaml")):
        if names and path.stem not in names:
            continue
        print(path.stem)
        for label, accuracy, measured, promised in ratios(Study(path)):
            if math.isnan(measured) or math.isnan(promised):
                continue
            ratio = measured / promised
            above += not ratio <= 1
            print(f"  {label:28}{accuracy:8.0e}{measured:14,.0f}{promised:16,.0f}{ratio:7.2f}")
            sys.stdout.flush()
    return above


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
