"""Scenarios mutated by chance, and what becomes of who checks and plays them.

python tests/mutations.py 5000 [SEED] [FIRST]     how many were refused, played, or neither
"""

from __future__ import annotations

import io
import json
import math
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from damage import TooSlow, command, limits
from ruamel.yaml import YAML

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.networks.graphs import GRAPHS
from dadao_sim.networks.graphs.graph import DirectedGraph
from dadao_sim.registration import contents, put_back
from dadao_sim.results.columns import DIVERGED
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario
from dadao_sim.simulation.simulate import simulate
from dadao_sim.strict import StrictModel

Rng = np.random.Generator
Place = tuple[Any, ...]

SECONDS = 10
"""A case may take so long when what it needs is compiled."""
SMALL = 60
"""Nodes of a scenario that is also played."""
FEW = {"time": 3.0, "communications": 10_000}
"""Where it stops."""
EXTREME: list[Any] = [
    *(0, -1, 1, 2, 3, 7, 64, 1000, 2**31 - 1, 2**31, 2**32, 2**53, 2**62, 2**63, 2**64, 2**70),
    *(10**8, 10**9, 10**20, 10**22, -(2**63), 10**400, 1 << 20_000, True, False, None),
    *(0.0, -0.0, 0.5, 1.0, 1e-9, 1e-12, 1e-100, 5e-324, 1e-300, 1e6, 1e9, 1e16, 1e100, 1e300),
    *(1.7e308, -1e300, math.inf, -math.inf, math.nan, "1e3", "nan", "", " ", "0", "auto", "x"),
    *("a" * 5000, "\u202e\u05d0", "\U0001f600", "\u00e9", "a\nb", "a\tb", "$x_$", "[b]", "../x"),
    *("/dev/zero", "/dev/null", "/", ".", "con", "null", "~", "*a", "&a", "<<", "!x", "%s", "{}"),
    *([], {}, [[]], [{}], {"kind": "x"}, [0], [1, 2], [None], {"": 1}, [[[[]]]], {"a": {"b": {}}}),
]


def bases() -> dict[str, Any]:
    """Scenarios of every kind: those that are shipped, and small ones of what they do not use."""
    shipped_ones = {}
    for name, path in shipped.scenarios().items():
        text = path.read_text("utf-8")
        if "learned" not in text and "\nsweep:" not in text:
            shipped_ones[name] = YAML(typ="safe", pure=True).load(text)
    small: dict[str, Any] = {
        "name": "small",
        "problem": {
            "kind": "ridge",
            "mu": 0.1,
            "data": {"kind": "synthetic", "dim": 3, "samples_per_node": 5},
        },
        "network": {"graph": "cycle", "nodes": 9},
        "algorithms": ["dadao"],
        "stop": {"time": 5},
        "record": {"points": 8},
    }
    made = {"small": small}
    options = {"barbell": {"bridge": 3}, "grid_2d": {}, "torus_2d": {}, "hypercube": {"nodes": 8}}
    for graph in GRAPHS:
        network = {"graph": graph, "nodes": 9, **options.get(graph, {})}
        algorithms = ["push_pull"] if issubclass(GRAPHS[graph], DirectedGraph) else ["dadao"]
        made[f"small {graph}"] = {**small, "network": network, "algorithms": algorithms}
    for method in METHODS:
        made[f"small {method}"] = {**small, "algorithms": [{"name": method, "label": "one"}]}
    data = small["problem"]["data"]
    problems = {
        "averaging": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}},
        "conditioned": {**small["problem"], "data": {**data, "condition_number": 10}},
        "authors": {**small["problem"], "data": {**data, "kind": "authors"}},
        "sparse": {"kind": "ridge", "mu": 1, "data": {**data, "kind": "sparse_signal"}},
        "logistic": {**small["problem"], "kind": "logistic_l2"},
        "digits": {
            "kind": "logistic_l2",
            "mu": 0.1,
            "data": {"kind": "breast_cancer", "standardise": True, "limit": 90, "intercept": True},
            "partition": {"kind": "dirichlet", "alpha": 0.5, "sizes": "uneven"},
        },
        "image": {
            "kind": "ridge",
            "mu": 0.1,
            "data": {"kind": "image", "task": "deblurring", "size": 8, "blur": 0.5},
        },
    }
    problems["conditioned"].pop("mu")
    problems["sparse"]["data"]["nonzeros"] = 2
    for name, problem in problems.items():
        made[f"small {name}"] = {**small, "problem": problem}
    rest = {
        "normal start": {"start": {"kind": "normal", "scale": 2.0}},
        "clock": {"clock": {"node_rates": [1.0, 2.0, *[1.0] * 7]}},
        "sequence": {"network": {"sequence": {"graph": "erdos_renyi", "nodes": 9, "length": 3}}},
        "minibatch": {"algorithms": [{"name": "dadao", "batch_size": 2, "rate_factor": 2.0}]},
        "averages": {"algorithms": [{"name": "dadao", "averaging": "time"}]},
        "prox": {
            "algorithms": ["prox_ed"],
            "local_step": {"prox": {"kind": "l1", "strength": 0.01}},
        },
        "box": {
            "algorithms": ["dual_proximal_gradient"],
            "local_step": {"prox": {"kind": "box", "lower": -1, "upper": 1}},
        },
        "rates": {"network": {**small["network"], "rates": {"method": "exact"}}},
        "world": {
            "world": {
                "preset": "edge_devices",
                "nodes": {"slow_periods": {"every": 3, "length": 1, "factor": 5}},
                "links": {"outages": {"every": 3, "length": 1}},
                "changes": [{"at": 1, "down": [[0, 1]]}, {"at": 2, "up": [[0, 1]]}],
            }
        },
        "rounds in a world": {"algorithms": ["nids"], "world": {"preset": "datacenter"}},
    }
    for name, change in rest.items():
        made[f"small {name}"] = {**small, **change}
    return {**shipped_ones, **made}


# --- mutations of data -------------------------------------------------------------------------


def _places(value: Any, above: Place = ()) -> Iterator[Place]:
    """Where there is something, from the top down."""
    if above:
        yield above
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    for key, part in pairs:
        yield from _places(part, (*above, key))


def _at(data: Any, place: Place) -> Any:
    for key in place:
        data = data[key]
    return data


def _pick(rng: Rng, choices: Any) -> Any:
    choices = list(choices)
    return choices[int(rng.integers(len(choices)))]


def _words() -> list[str]:
    """Keys and names that some scenario knows."""

    def below(model: Any) -> Iterator[Any]:
        for one in model.__subclasses__():
            yield one
            yield from below(one)

    keys = {name for model in below(StrictModel) for name in model.model_fields}
    return sorted({*keys, *METHODS, *GRAPHS, "kind", "optimal", "uniform", "metropolis"})


def mutated(data: Any, rng: Rng, words: list[str], others: list[Any]) -> Any:
    """``data`` with one thing changed; ``others`` are scenarios to take parts of."""
    data = json.loads(json.dumps(data))
    place = _pick(rng, _places(data))
    above, key = _at(data, place[:-1]), place[-1]
    other = _pick(rng, others)
    elsewhere = _pick(rng, _places(other))
    match int(rng.integers(12)):
        case 0:
            del above[key]
        case 1 | 2 | 3:
            above[key] = _pick(rng, EXTREME)
        case 4 if isinstance(above, list):
            above.extend([above[key]] * int(rng.integers(1, 4)))
        case 4 | 5:
            above[key] = _at(other, elsewhere)
        case 6:
            sections = [p for p in _places(data) if len(p) == 1]
            one, two = _pick(rng, sections)[0], _pick(rng, sections)[0]
            data[one], data[two] = data[two], data[one]
        case 7 if isinstance(above, dict):
            above[_pick(rng, [*words, "", "\u00e9", key + "s", key[:-1], 5])] = above.pop(key)
        case 8 if isinstance(above, dict):
            above[_pick(rng, words)] = _pick(rng, [_at(other, elsewhere), *EXTREME[:60]])
        case 9:
            above[key] = _pick(rng, words)
        case 10 if isinstance(above[key], int | float) and not isinstance(above[key], bool):
            above[key] = above[key] * _pick(rng, [-1, 0.1, 2, 10, 1000, 1e-6, 1e6, 0.5])
        case _:
            above[key] = [above[key]] if rng.random() < 0.5 else {str(key): above[key]}
    return data


NUMBERS: list[Any] = [
    *(0, 1, 2, 3, 4, 5, 8, 9, 10, 16, 25, 50, 100, 427, 1000, 10**4, 10**5, 10**6, 10**8, 10**9),
    *(2**31, 2**53, 2**62, 2**63, 10**20, -1, -5),
]
REALS: list[Any] = [
    *(0.0, -0.0, 0.01, 0.1, 0.5, 0.9, 0.999, 1.0, 1.5, 2.0, 10.0, 1e3, 1e6, 1e9, 1e12, 1e16, 1e30),
    *(
        1e100,
        1e-3,
        1e-6,
        1e-9,
        1e-12,
        1e-16,
        1e-30,
        1e-100,
        5e-324,
        1e300,
        -1.0,
        math.inf,
        math.nan,
    ),
]


def nearly_right(data: Any, rng: Rng, others: list[Any]) -> Any:
    """``data`` with one thing changed for another that could stand there."""
    data = json.loads(json.dumps(data))
    places = list(_places(data))
    other = json.loads(json.dumps(_pick(rng, others)))
    match int(rng.integers(7)):
        case 0:  # a section of another scenario
            key = _pick(rng, other)
            data[key] = other[key]
        case 1 | 2:
            numbers = [place for place in places if type(_at(data, place)) in (int, float)]
            place = _pick(rng, numbers)
            whole = isinstance(_at(data, place), int)
            _at(data, place[:-1])[place[-1]] = _pick(rng, NUMBERS if whole else REALS)
        case 3:  # something that is not needed, perhaps
            place = _pick(rng, [place for place in places if len(place) > 1])
            del _at(data, place[:-1])[place[-1]]
        case 4:  # what another scenario has under this key
            place = _pick(rng, places)
            same = [found for found in _places(other) if found[-1] == place[-1]]
            _at(data, place[:-1])[place[-1]] = _at(other, _pick(rng, same))
        case 5:
            options: dict[str, list[Any]] = {
                "batch_size": NUMBERS,
                "rate_factor": REALS,
                "averaging": ["events", "time"],
                "rates": [
                    {"method": "auto", "time_limit": 1.0},
                    "uniform",
                    "metropolis",
                    {"method": "exact", "prune": True},
                ],
                "label": ["a", "b c", "\u00e9", "$x$"],
                "time_unit": ["auto", "given"],
            }
            names = _pick(rng, [[], ["batch_size"], ["averaging"], list(options)])
            algorithm = {name: _pick(rng, options[name]) for name in names if rng.random() < 0.7}
            data["algorithms"] = [{"name": _pick(rng, METHODS), **algorithm}]
        case _:  # a key that it does not have
            below = {
                found[:-1]: found for found in _places(other) if found[:-1] and found[:-1] in places
            }
            place = _pick(rng, below.values())
            above = _at(data, place[:-1])
            if isinstance(above, dict):
                above[place[-1]] = _at(other, place)
    return data


# --- mutations of text -------------------------------------------------------------------------


def text_of(data: Any, rng: Rng | None = None) -> str:
    """As YAML, or as YAML or JSON by chance."""
    if rng is None:
        return json.dumps(data)
    if rng.random() < 0.2:
        try:
            return json.dumps(data, ensure_ascii=bool(rng.random() < 0.5))
        except ValueError:  # an integer that Python does not write
            return "{}"
    yaml, out = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = _pick(rng, [None, False, True])
    yaml.allow_unicode = True
    try:
        yaml.dump(data, out)
    except ValueError:
        return "seed: 0x" + "f" * 5000
    return out.getvalue()


def _text_mutated(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True) or ["\n"]
    k = int(rng.integers(len(lines)))
    at = int(rng.integers(len(text) + 1))
    odd = _pick(
        rng,
        [
            *(
                "\0",
                "\t",
                "\r",
                "\ufeff",
                "\u2028",
                "\u0085",
                "\ud7ff",
                "\U0001f600",
                "'",
                '"',
                "#",
            ),
            *(
                ": ",
                "- ",
                "[",
                "]",
                "{",
                "}",
                "&a ",
                "*a",
                "!!int ",
                "!!python/name:os.system ",
                "|",
            ),
            *(
                "<<: *a\n",
                "---\n",
                "...\n",
                "%YAML 1.1\n",
                "? ",
                ", ",
                "\n",
                "\n  ",
                ">",
                "!!binary ",
            ),
        ],
    )
    changes: list[Callable[[], str]] = [
        lambda: "".join(lines[:k] + lines[k + 1 :]),
        lambda: "".join([*lines[:k], lines[k], *lines[k:]]),
        lambda: "".join([*lines[:k], "  " + lines[k], *lines[k + 1 :]]),
        lambda: "".join([*lines[:k], lines[k].lstrip(), *lines[k + 1 :]]),
        lambda: text[:at],
        lambda: text[:at] + odd + text[at:],
        lambda: text[:at] + text[at + int(rng.integers(1, 9)) :],
        lambda: text.replace(": ", ": &a ", 1).replace("\n", "\nx: *a\n", 1),
        lambda: text.replace("\n", "\r\n"),
        lambda: "b: &a [" + "x, " * 40 + "]\nc: &b [" + "*a, " * 400 + "]\n" + text,
        lambda: "\ufeff" + text,
        lambda: text * 2,
        lambda: text.replace("name", _pick(rng, ["\u00f1ame", "Name", "name ", "na me"]), 1),
    ]
    return _pick(rng, changes)()


def case(seed: int, number: int, start: dict[str, Any], words: list[str]) -> tuple[str, str]:
    """The name of a base and the text of a scenario mutated from it."""
    rng = np.random.default_rng([seed, number])
    name = _pick(rng, start)
    data, others, wild = start[name], list(start.values()), rng.random() < 0.3
    for _ in range(int(rng.integers(1, 4))):
        try:
            data = mutated(data, rng, words, others) if wild else nearly_right(data, rng, others)
        except (ValueError, IndexError, TypeError, KeyError):  # nothing is left to change
            break
        if not isinstance(data, dict) or not data:
            break
    text = text_of(data, rng)
    return name, _text_mutated(text, rng) if wild and rng.random() < 0.5 else text


# --- who judges --------------------------------------------------------------------------------


@dataclass
class Count:
    """What became of the cases."""

    refused: int = 0
    valid: int = 0
    played: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.refused + self.valid + len(self.wrong)} cases: {self.refused} refused in one "
            f"line, {self.valid} valid, of which {self.played} were played, {len(self.wrong)} "
            f"wrong; slowest {self.slowest:.1f} s"
        )


def _is_small(file: Path) -> bool:
    scenario = load_scenario(file)
    nodes = getattr(scenario.network, "nodes", 0) or SMALL
    size = scenario.problem.dimension
    return nodes <= SMALL and size <= 500 and len(scenario.algorithms) <= 12


def _played(file: Path) -> str:
    """Play a few events; what is wrong with the result."""
    scenario = load_scenario(file)
    data = scenario.to_mapping()
    given = data["stop"]
    least = {name: min(most, given.get(name, most)) for name, most in FEW.items()}
    points = min(5, data["record"]["points"])
    algorithms = data["algorithms"][:2]
    short = {**data, "stop": {**given, **least}, "repeats": 1, "algorithms": algorithms}
    result = simulate({**short, "record": {**data["record"], "points": points}})
    for run in result.runs.itertuples():
        curves = result.curves[result.curves["algorithm"] == run.algorithm]
        numbers = curves.select_dtypes("number").drop(columns="suboptimality")
        if run.status != DIVERGED and not np.isfinite(numbers.to_numpy(float)).all():
            return f"{run.algorithm} is {run.status}, and its curves are not finite"
    return ""


def _one(file: Path) -> tuple[str, str]:
    """``refused``, ``valid``, ``played`` or ``wrong`` with the reason."""
    code, out, err = command("validate", file)
    if code == 2 and err.startswith("dadao-sim: ") and err.count("\n") == 1 and len(err) <= 301:
        return "refused", err
    if code != 0 or err or not out:
        return "wrong", f"code {code}, {len(err)} characters: {err[:400]!r} {out[:100]!r}"
    if not _is_small(file):
        return "valid", ""
    try:
        wrong = _played(file)
    except InputError as error:
        line = str(error)
        return ("refused", line) if "\n" not in line and len(line) <= 300 else ("wrong", line)
    return ("wrong", wrong) if wrong else ("played", "")


def _judged(file: Path) -> tuple[str, str, float]:
    """The same within the bounds of time and memory; once more where something was compiled."""
    taken = 0.0
    for seconds in (300, SECONDS):
        before, begun = contents(), time.process_time()
        try:
            with limits(seconds):
                found, said = _one(file)
        except KeyboardInterrupt:
            raise
        except TooSlow as error:
            found, said = "wrong", str(error)
        except BaseException as error:
            found, said = "wrong", f"{type(error).__name__}: {error}"[:400]
        finally:
            put_back(before)
        taken = time.process_time() - begun
        if taken < SECONDS:
            break
    return found, said, taken


def played(count: int, seed: int, first: int = 0) -> Count:
    """Judge ``count`` mutated scenarios."""
    tally, start, words = Count(), bases(), _words()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "graphs").symlink_to(shipped.folder("graphs"))
        for number in range(first, first + count):
            name, text = case(seed, number, start, words)
            where = root / "scenarios" / Path(name.replace(" ", "-")).parent
            where.mkdir(parents=True, exist_ok=True)
            file = where / "case.yaml"
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
            found, said, seconds = _judged(file)
            tally.slowest = max(tally.slowest, seconds)
            match found:
                case "refused":
                    tally.refused += 1
                case "valid" | "played":
                    tally.valid += 1
                    tally.played += found == "played"
                case _:
                    tally.wrong.append(f"case {number}, {name}: {said}")
        shutil.rmtree(root / "scenarios")
    return tally


if __name__ == "__main__":
    arguments = [int(word) for word in sys.argv[1:]]
    tally = played(arguments[0], *(arguments[1:] or [0]))
    print(tally)
    print(*(f"{n} x {line}" for line, n in Counter(tally.wrong).items()), sep="\n")
    sys.exit(bool(tally.wrong))
