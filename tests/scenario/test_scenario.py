"""The scenario's models: what they accept, what they refuse, and that nothing is lost."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.problems.kinds.kind import PROBLEMS, ProblemKind
from dadao_sim.scenario.model import Scenario
from dadao_sim.strict import sentence
from dadao_sim.text.labels import cannot_be_shown, looks

SYNTHETIC = {"kind": "synthetic", "dim": 3, "samples_per_node": 5}
MINIMAL: dict[str, Any] = {
    "name": "minimal",
    "problem": {"kind": "least_squares", "data": SYNTHETIC},
    "network": {"graph": "star", "nodes": 4},
    "algorithms": ["dadao"],
    "stop": {"time": 10},
}


def scenario(**changes: Any) -> Scenario:
    return Scenario.model_validate({**MINIMAL, **changes})


def problem(kind: str, **parts: Any) -> ProblemKind:
    return PROBLEMS[kind].model_validate({"kind": kind, "data": SYNTHETIC, **parts})


def test_defaults_are_those_of_the_documentation():
    made = scenario()
    assert (made.seed, made.repeats, made.record.points) == (0, 1, 200)
    assert made.report.accuracies == (1e-2, 1e-4, 1e-6)
    assert (made.report.cost.gradient, made.report.cost.communication) == (1.0, 1.0)
    assert (made.start.kind, made.start.scale) == ("zeros", 1.0)
    assert (made.problem.weighting, made.problem.partition) == ("samples", None)
    assert problem("huber_l2", mu=1).delta == 1.0
    assert made.network.rates == "uniform"
    (dadao,) = made.algorithms
    assert (dadao.name, dadao.label, dadao.rate_factor) == ("dadao", "dadao", 1.0)
    assert (dadao.batch_size, dadao.averaging, dadao.parameters) == (None, "none", {})


def test_whole_numbers_are_floats_where_floats_are_meant():
    stop = scenario(stop={"time": 2000, "communications": 10**6}).stop
    assert type(stop.time) is float
    assert type(stop.communications) is float


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("seed", "0"),
        ("seed", 0.0),
        ("seed", True),
        ("repeats", 0),
        ("repeats", 5.0),
        ("name", "a/b"),
        ("name", "..\\x"),
        ("name", ""),
        ("name", ".hidden"),
        ("name", 7),
        ("stop", {"time": "10"}),
        ("stop", {"time": True}),
        ("stop", {"time": float("inf")}),
        ("stop", {"time": float("nan")}),
        ("stop", {"time": 0}),
        ("stop", {"accuracy": 1e-3}),
        ("stop", {"time": 1, "accuracy": 1.0}),
        ("record", {"points": 1}),
        ("report", {"accuracies": []}),
        ("report", {"accuracies": [1e-2, 1e-2]}),
        ("report", {"accuracies": [1e-4, 1e-2]}),
        ("report", {"accuracies": [0.0]}),
        ("report", {"cost": {"gradient": -1.0}}),
        ("start", {"kind": "zeros", "scale": 2.0}),
        ("algorithms", []),
        ("algorithms", "dadao"),
        ("algorithms", ["dadao", "dadao"]),
        ("algorithms", ["msda", {"name": "dadao", "label": "msda"}]),
        ("algorithms", [{"name": "dadao", "rate_factor": 0.0}]),
        ("algorithms", [{"name": "dadao", "batch_size": 0}]),
        ("algorithms", [{"name": "dadao", "parameters": {"eta": "small"}}]),
        ("network", {"graph": "star", "nodes": 1}),
        ("network", {"graph": "star", "nodes": 4, "radius": 0.3}),
        ("network", {"graph": "star", "nodes": 4, "rates": {"attribute": "km"}}),
        ("network", {"sequence": {"files": []}}),
        ("network", {"sequence": {"files": ["a"]}, "rates": {"attribute": "km"}}),
        ("network", {"graph": "star", "nodes": 4, "file": "a.graphml"}),
        ("network", {"rates": "uniform"}),
    ],
)
def test_refused(part: str, value: Any):
    with pytest.raises(ValidationError) as caught:
        scenario(**{part: value})
    assert {error["loc"][0] for error in caught.value.errors()} == {part}


@pytest.mark.parametrize(
    ("kind", "parts", "location", "words"),
    [
        ("ridge", {}, ("mu",), "data.condition_number"),
        ("logistic_l2", {"data": {"kind": "breast_cancer"}}, ("mu",), "is missing"),
        ("huber_l2", {"mu": 1, "data": {**SYNTHETIC, "condition_number": 9}}, ("mu",), "one of"),
        ("least_squares", {"mu": 0.1}, ("mu",), "ridge"),
        ("averaging", {"mu": 0.1}, ("mu",), "no l2 term"),
        ("least_squares", {"delta": 0.5}, ("delta",), "only huber_l2"),
        ("least_squares", {"partition": {}}, ("partition",), "drawn at each node"),
        ("logistic_l2", {"mu": 1, "data": {"kind": "diabetes"}}, ("data", "kind"), "two classes"),
        (
            "averaging",
            {"data": {"kind": "authors", "dim": 2, "samples_per_node": 3}},
            ("data", "kind"),
            "synthetic",
        ),
        (
            "averaging",
            {"data": {"kind": "synthetic", "dim": 2, "condition_number": 3}},
            ("data", "condition_number"),
            "is 1",
        ),
        (
            "least_squares",
            {"data": {"kind": "synthetic", "dim": 2}},
            ("data", "samples_per_node"),
            "is missing",
        ),
        (
            "least_squares",
            {"data": {"kind": "digits"}, "partition": {"kind": "dirichlet"}},
            ("partition", "alpha"),
            "is missing",
        ),
        (
            "least_squares",
            {"data": {"kind": "digits"}, "partition": {"alpha": 0.5}},
            ("partition", "alpha"),
            "only dirichlet",
        ),
    ],
)
def test_parts_of_a_problem_that_do_not_fit(
    kind: str, parts: dict[str, Any], location: tuple[str, ...], words: str
):
    with pytest.raises(ValidationError) as caught:
        problem(kind, **parts)
    (error,) = caught.value.errors()
    assert error["loc"] == location
    assert words in sentence(error)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("ridge", {"mu": 0.1}),
        ("logistic_l2", {"data": {**SYNTHETIC, "condition_number": 50}}),
        ("logistic_l2", {"mu": 0.1, "data": {"kind": "breast_cancer"}, "partition": {}}),
        ("huber_l2", {"mu": 0.1, "delta": 0.5}),
        ("averaging", {"data": {"kind": "synthetic", "dim": 2}}),
        (
            "least_squares",
            {
                "data": {"kind": "file", "path": "a.csv"},
                "partition": {"kind": "dirichlet", "alpha": 0.1, "sizes": "uneven"},
            },
        ),
    ],
)
def test_parts_of_a_problem_that_fit(kind: str, parts: dict[str, Any]):
    assert problem(kind, **parts).kind == kind


def test_models_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        scenario().seed = 3


# ---- nothing is lost: to_mapping and back --------------------------------------------------------

positive = st.floats(1e-100, 1e100)
count = st.integers(1, 10**9)
text = st.text(min_size=1, max_size=8)


def optional(**fields: Any) -> Any:
    return st.fixed_dictionaries({}, optional=fields)


data_sets = st.fixed_dictionaries(
    {"kind": st.sampled_from(["breast_cancer", "digits"])},
    optional={"standardise": st.booleans(), "limit": count, "intercept": st.booleans()},
) | st.fixed_dictionaries(
    {"kind": st.just("file"), "path": text},
    optional={"format": st.sampled_from(["auto", "svmlight", "npz", "csv"]), "target": text},
)
partitions = st.fixed_dictionaries(
    {"kind": st.sampled_from(["iid", "sorted"])},
    optional={"sizes": st.sampled_from(["equal", "uneven"])},
) | st.fixed_dictionaries({"kind": st.just("dirichlet"), "alpha": positive})
problems = st.fixed_dictionaries(
    {"kind": st.just("huber_l2"), "mu": positive, "data": data_sets},
    optional={"partition": partitions, "delta": positive},
) | st.fixed_dictionaries(
    {
        "kind": st.just("least_squares"),
        "data": st.fixed_dictionaries(
            {"kind": st.just("synthetic"), "dim": count, "samples_per_node": count},
            optional={
                "condition_number": st.floats(1, 1e12),
                "heterogeneity": st.floats(1e-9, 1e9),
                "noise": st.floats(1e-9, 1e9),
            },
        ),
    },
    optional={"weighting": st.sampled_from(["samples", "uniform"])},
)
graphs = st.fixed_dictionaries(
    {"graph": st.sampled_from(["star", "cycle"]), "nodes": st.integers(3, 10**6)}
) | st.fixed_dictionaries(
    {"graph": st.just("watts_strogatz"), "nodes": st.integers(2, 99)},
    optional={"neighbours": count, "probability": st.floats(1e-9, 1)},
)
networks = (
    graphs
    | st.fixed_dictionaries(
        {"file": text},
        optional={
            "rates": st.just("uniform") | st.fixed_dictionaries({"attribute": text}),
        },
    )
    | st.fixed_dictionaries(
        {"sequence": st.fixed_dictionaries({"files": st.lists(text, min_size=1, max_size=3)})}
    )
    | st.builds(lambda graph: {"sequence": {**graph, "length": 5}}, graphs)
)
labels = st.text(min_size=1, max_size=8).filter(lambda label: not cannot_be_shown(label))
algorithms = st.lists(
    st.sampled_from(METHODS.ours)
    | st.fixed_dictionaries(
        {"name": st.sampled_from(METHODS.ours), "label": labels},
        optional={
            "rate_factor": positive,
            "batch_size": count,
            "averaging": st.sampled_from(["none", "events", "time"]),
            "parameters": st.dictionaries(text, st.floats(1e-100, 1e100), max_size=3),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda item: looks(item if isinstance(item, str) else item["label"]),
)
scenarios = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
        "problem": problems,
        "network": networks,
        "algorithms": algorithms,
        "stop": st.builds(
            lambda limit, value, more: {**more, limit: value},
            st.sampled_from(["time", "gradients_per_node", "communications"]),
            positive,
            optional(accuracy=st.floats(1e-100, 0.99)),
        ),
    },
    optional={
        "seed": st.integers(0, 2**128 - 1),
        "repeats": count,
        "start": st.fixed_dictionaries({"kind": st.just("normal"), "scale": positive}),
        "record": optional(points=st.integers(2, 10**6)),
        "report": optional(
            accuracies=st.lists(st.floats(1e-100, 0.99), min_size=1, max_size=5, unique=True).map(
                lambda values: sorted(values, reverse=True)
            ),
            cost=optional(gradient=st.floats(1e-9, 1e9), communication=st.floats(1e-9, 1e9)),
        ),
    },
)


@given(scenarios)
@settings(max_examples=100, deadline=None)
def test_to_mapping_loads_back_to_an_equal_scenario(given_mapping: dict[str, Any]):
    made = Scenario.model_validate(given_mapping)
    mapping = made.to_mapping()
    assert Scenario.model_validate(mapping) == made
    assert json.loads(json.dumps(mapping, allow_nan=False)) == mapping
    # Every default is written out: another version's defaults do not change what a manifest says.
    given = {name for name in Scenario.model_fields if getattr(made, name) is not None}
    assert set(mapping) == given
