"""Constants tuned for a network: a table beside the sets that are shipped, and a scenario file."""

import io
import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dadao_sim.algorithms.contract.options import PAPER
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.files import FileKind, atomic_write, check_output
from dadao_sim.scenario.model import Scenario
from dadao_sim.strict import files_named
from dadao_sim.text.labels import LONGEST_LABEL
from dadao_sim.theory.tuned_constants import GAIN, TunedConstants

TUNED = "tuned"
SIGNATURE = "# Written by: dadao-sim tune-constants"
ACCURACY = 1e-6  # of the scenario that is written for a network alone
REACHED = 2.0  # times the expected time to it, until which the paper's constants may run


def _has_our_signature(path: Path) -> bool:
    with path.open("rb") as file:
        return file.readline().startswith(SIGNATURE.encode())


TUNED_SCENARIO = FileKind((".yaml", ".yml"), _has_our_signature)


def tuned_table(
    tuned: TunedConstants,
) -> tuple[list[str], list[list[str]], list[dict[str, str | float]]]:
    """Titles, a row of text for each shipped set and the tuned one, and their numbers in full.

    Decays, communications per unit of time and for an error that falls by a factor of e are those
    at the least and the largest kappa; the gain is how many times less it costs than the paper's
    constants, at the worst kappa.
    """
    ends = sorted({0, len(tuned.kappas) - 1})
    forms = {f"decay, kappa {tuned.kappas[k]:g}": "{:.4g}" for k in ends}
    forms["communications"] = "{:,.4g}"
    forms |= {f"per e-fold, kappa {tuned.kappas[k]:g}": "{:,.4g}" for k in ends}
    forms |= {"critical factor": "{:.3f}", "gain": "{:.2f}"}
    rows: list[list[str]] = []
    records: list[dict[str, str | float]] = []
    for name, judged in {**tuned.shipped, TUNED: tuned.found}.items():
        exchanges = judged.communications
        per_fold = [exchanges / d if d > 0 else math.inf for d in judged.decays]
        numbers = [
            *(judged.decays[k] for k in ends),
            exchanges,
            *(per_fold[k] for k in ends),
            judged.critical,
            tuned.gain(judged, tuned.shipped[PAPER]),
        ]
        written = zip(forms.values(), numbers, strict=True)
        rows.append([name, *(form.format(number) for form, number in written)])
        records.append({"constants": name, **dict(zip(forms, map(float, numbers), strict=True))})
    return ["constants", *forms], rows, records


def verdict(tuned: TunedConstants, aim: str) -> str:
    """Whether the found set is worth having, in one sentence."""
    best = tuned.best_shipped
    if tuned.gained >= GAIN:
        less = "fewer" if aim == "communications" else "less"
        return f"{tuned.gained:.2f} times {less} {aim} than {best}, the best set that is shipped"
    lacking = ""
    if tuned.shipped[best].critical > tuned.margin:
        lacking = f", though it is stable only from {tuned.shipped[best].critical:.3f} of its rates"
    least = f"less than {100 * (GAIN - 1):.0f} % over a set that is shipped"
    return f"nothing is gained ({least}): take constants: {best}{lacking}"


def chosen(tuned: TunedConstants) -> str | dict[str, float]:
    """What to give as ``constants`` of the algorithm: the factors, or a shipped set as good."""
    return tuned.factors if tuned.gained >= GAIN else tuned.best_shipped


def scenario_for(tuned: TunedConstants, network: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """A scenario that plays the paper's constants, the best shipped ones and the tuned ones on
    ``network``, a section of a scenario, on least squares in the middle of the kappas.
    """
    sets = [PAPER, tuned.best_shipped] if tuned.gained >= GAIN else [PAPER]
    shipped = [{"name": tuned.method, "constants": name} for name in dict.fromkeys(sets)]
    middle = len(tuned.kappas) // 2
    time = REACHED * math.log(1 / ACCURACY) / tuned.shipped[PAPER].decays[middle]
    data = {"kind": "synthetic", "dim": 10, "samples_per_node": 20}
    data |= {"condition_number": tuned.kappas[middle], "hessians": "aligned"}
    return {
        "name": "tuned-constants",
        "seed": seed,
        "problem": {"kind": "least_squares", "data": data},
        "network": dict(network),
        "algorithms": [*shipped, _algorithm(tuned, ())],
        "stop": {"time": float(f"{time:.2g}"), "accuracy": ACCURACY},
    }


def scenario_with(tuned: TunedConstants, scenario: Scenario) -> dict[str, Any]:
    """``scenario`` with the tuned constants as one more algorithm; its files by absolute paths."""
    mapping = scenario.to_mapping()
    labels = [spec.label for spec in scenario.algorithms]
    absolute = {file: os.path.abspath(file) for file in files_named(scenario)}
    found: dict[str, Any] = _renamed(mapping, absolute)
    found["algorithms"] = [*found["algorithms"], _algorithm(tuned, labels)]
    return found


def _algorithm(tuned: TunedConstants, labels: Sequence[str]) -> dict[str, Any]:
    title = get_method(tuned.method).title
    label = next(label for label in _labels(f"{title}, tuned") if label not in labels)
    return {"name": tuned.method, "label": label, "constants": chosen(tuned)}


def _labels(label: str) -> Iterator[str]:
    yield label[:LONGEST_LABEL]
    yield from (f"{label[: LONGEST_LABEL - 10]} {k}" for k in itertools.count(2))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return {key: _renamed(part, names) for key, part in value.items()}
        case list():
            return [_renamed(part, names) for part in value]
        case str():
            return names.get(value, value)
    return value


def write_scenario(
    mapping: Mapping[str, Any], notes: Sequence[str], path: Path, *, overwrite: bool = False
) -> None:
    """Write a scenario that ``run`` plays, below ``notes`` as comments."""
    check_output(path, TUNED_SCENARIO, overwrite=overwrite)
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 10_000
    yaml.dump(mapping, text)
    comments = "".join(f"# {note}\n" for note in notes)
    atomic_write(path, f"{SIGNATURE}\n{comments}{text.getvalue()}".encode())
