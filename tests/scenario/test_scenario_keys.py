"""Every key of a scenario: refused when misspelt, with a suggestion; described by the schema."""

import string
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import scenario_from_mapping, schema

SYNTHETIC = {
    "kind": "synthetic",
    "dim": 3,
    "samples_per_node": 5,
    "condition_number": 9,
    "heterogeneity": 1,
    "hessians": "random",
    "noise": 0,
}
CORRELATED = {"kind": "synthetic", "dim": 3, "samples_per_node": 5, "covariance_condition": 4}
SET = {"kind": "digits", "standardise": True, "limit": 9, "intercept": False}
FILE = {**SET, "kind": "file", "path": "a.csv", "format": "csv", "target": "y"}
FILE = {**FILE, "header": False, "leave_out": ["id", 1]}
AUTHORS = {"kind": "authors", "dim": 3, "samples_per_node": 5}
COMPUTED = {
    "method": "exact",
    "solver": "CLARABEL",
    "time_limit": 1,
    "prune": True,
    "shared": True,
}
PARTITION = {"kind": "dirichlet", "alpha": 0.5, "sizes": "uneven"}
EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "seed": 0,
    "repeats": 1,
    "plugins": [],
    "problem": {"kind": "huber_l2", "delta": 1, "weighting": "uniform", "data": SYNTHETIC},
    "network": {"graph": "cycle", "nodes": 4, "rates": "uniform"},
    "algorithms": [
        {
            "name": "dadao",
            "label": "a",
            "rates": "optimal",
            "rate_factor": 2,
            "batch_size": 1,
            "averaging": "time",
            "constants": "paper",
            "parameters": {},
        }
    ],
    "start": {"kind": "normal", "scale": 2},
    "clock": {},
    "stop": {
        "time": 1,
        "gradients_per_node": 2,
        "communications": 3,
        "accuracy": 0.1,
        "until": {},
    },
    "record": {"points": 5, "spacing": "linear", "metrics": ["accuracy"]},
    "report": {
        "accuracies": [0.1],
        "cost": {"gradient": 1, "communication": 2, "byte": 3, "joule": 4, "relaxation": 0},
        "energy": {"gradient": 5, "communication": 6, "byte": 7, "relaxation": 0},
        "quantities": ["bytes"],
    },
}
LAWS = (
    {"kind": "lognormal", "mean": 1, "sigma": 0.5},
    {"kind": "pareto", "mean": 1, "shape": 3},
    {"kind": "empirical", "values": [1, 2]},
    {"kind": "trace", "file": "times.csv", "mean": 1},
)
WORLD: dict[str, Any] = {
    "preset": "wan",
    "time_unit": "auto",
    "barrier": "neighbourhood",
    "gradient_seconds": 0.2,
    "nodes": {
        "gradient": {"kind": "constant", "mean": 1},
        "pause": {"kind": "exponential", "mean": 0},
        "slowness": [1, 1, 1, 2],
        "slowness_spread": 0.1,
        "slow_periods": {"every": 100, "length": 10, "factor": 5},
        "exchanges_at_once": 2,
        "when_busy": "give_up",
        "crashes": {"every": 100, "length": 10, "state": "lost"},
        "late": [{"node": 0, "at": 10}],
    },
    "links": {
        "latency": 0.1,
        "latency_per_km": 1e-6,
        "in_order": True,
        "unknown_length_km": 500,
        "jitter": 0.1,
        "bandwidth": 1e6,
        "loss": {
            "probability": 0.1,
            "noticed": "one",
            "burst_probability": 0.5,
            "burst_start": 0.1,
            "burst_end": 0.1,
        },
        "outages": {"every": 100, "length": 10},
    },
    "changes": [{"at": 10, "down": [[0, 1]], "up": []}],
}
SIGNAL = {
    "kind": "sparse_signal",
    "dim": 4,
    "samples_per_node": 5,
    "nonzeros": 2,
    "group_size": 2,
    "noise": 0,
}
MATRIX = {
    "kind": "matrix_signal",
    "shape": [3, 2],
    "samples_per_node": 4,
    "rank": 1,
    "condition_number": 10,
    "heterogeneity": 0.5,
    "noise": 0,
}
BANDS = {"image": "flower", "size": 8, "bands": 3, "blur": 1, "noise": 0, "mu": 1}
LOW_LIGHT = {"kind": "image", "task": "low_light", "size": 64, "lamps": 3, "noise": 0.01}
DIGIT = {"kind": "digit", "digit": 3, "observed": 0.5, "noise": 0.05}
IMAGE = {
    "kind": "image",
    "task": "deblurring",
    "image": "china",
    "size": 9,
    "blur": 1,
    "observed": 0.5,
    "noise": 0,
}
LETTERS = {
    "kind": "letters",
    "letters": 4,
    "samples_per_node": 5,
    "heterogeneity": 0.5,
    "smoothing": 1,
}
RATES = {"slope": 1, "distortion": "absolute", "data": LETTERS}
PERCEPTION = {"kind": "tv", "slope": 1, "delta": 0.1}
TERMS: tuple[dict[str, Any], ...] = (
    {"kind": "l1", "strength": 1},
    {"kind": "squared_l2", "strength": 1},
    {"kind": "elastic_net", "strength": 1, "l2": 1},
    {"kind": "huber", "strength": 1, "delta": 1},
    {"kind": "group_l2", "strength": 1, "groups": [1, 2], "weights": [1, 2]},
    {"kind": "wgsef", "strength": 1, "k": 2, "groups": 3, "weights": [1]},
    {"kind": "tv_1d", "strength": 1},
    {"kind": "tv_2d", "strength": 1, "shape": [3, 1]},
    {"kind": "tv_bands", "strength": 1, "shape": [3, 1, 1]},
    {"kind": "nuclear", "strength": 1, "shape": [3, 1]},
    {"kind": "box", "lower": 0, "upper": [1, 2, 3]},
    {"kind": "simplex", "total": 2},
    {"kind": "l2_ball", "radius": 2},
    {"kind": "l1_ball", "radius": 2},
    {"kind": "linf_ball", "radius": 2},
    {"kind": "group_ball", "radius": 2, "groups": [1, 2]},
    {"kind": "group_max_ball", "radius": 2, "groups": 3},
    {"kind": "nuclear_ball", "radius": 2, "shape": [3, 1]},
    {"kind": "spectral_ball", "radius": 2, "shape": [3, 1], "lmo": "newton_schulz", "steps": 3},
    {"kind": "l0", "strength": 1},
    {"kind": "lp", "strength": 1, "p": 0.5, "epsilon": 0.1, "weights": [1, 2, 3]},
    {"kind": "schatten", "strength": 1, "shape": [3, 1], "p": 1, "epsilon": 1, "weights": [1]},
    {"kind": "k_sparse", "k": 2},
    {"kind": "scad", "strength": 1, "a": 3},
    {"kind": "mcp", "strength": 1, "gamma": 2},
    {"kind": "rank", "k": 1, "shape": [3, 1]},
)
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"kind": "constant"},
    {"kind": "power", "p": 0.5, "after": 10},
    {"kind": "warm_up", "rounds": 10},
    {"kind": "milestones", "at": [10, 20], "by": 0.5},
)
HUBER = {"kind": "huber_l2", "mu": 1}
BELLMAN = {"kind": "logistic_bellman", "form": "exact", "eta": 2, "alpha": 2, "discount": 0.9}
BELLMAN = {**BELLMAN, "l2": 0.1, "partition": PARTITION}
RANDOM_MDP = {"kind": "random_mdp", "states": 6, "actions": 3, "samples_per_node": 9}
COMPRESSIONS: tuple[dict[str, Any], ...] = (
    {"kind": "top_k", "k": 2},
    {"kind": "random_k", "k": 2, "scaled": False},
    {"kind": "drop", "probability": 0.5},
    {"kind": "qsgd", "levels": 3},
    {"kind": "dither", "bits_per_number": 3, "block": 2},
)
RELAXATION = {
    "kind": "activation_relaxation",
    "sweeps": 5,
    "step": 0.5,
    "start": "activations",
    "nonlinear": False,
}
MLP = {
    "kind": "mlp",
    "hidden": [3],
    "activation": "sigmoid",
    "oracle": {"kind": "backprop"},
    "held_out": 0.5,
    "data": {"kind": "moons", "size": 40, "noise": 0.1, "draw": 1},
}
DIGITS = {"kind": "digits", "targets": "digit", "brightest": 1, "standardise": False}
CLASSIFIER = {**MLP, "loss": "cross_entropy", "l2": 0.1, "order": "units", "data": DIGITS}
MEETING = {
    "kind": "meeting",
    "oracle": {"kind": "surrogate", "surrogate": "meeting"},
    "horizon": 5,
    "interval": 0.4,
    "input_limit": 2,
    "speed_limit": 3,
    "weight": 2,
    "final_speed": 1,
    "effort": 0.1,
    "spread": 1,
    "speed": 0.2,
    "positions": [[0, 1], [1, 0]],
    "velocities": [[0, 0], [0, 0]],
}
QUANTISERS: tuple[dict[str, Any], ...] = (
    {
        "kind": "askew",
        "alpha": 0.2,
        "eps": 0.5,
        "anneal": {"hold": 60, "factor": 0.96, "every": 10},
    },
    {"kind": "straight_through"},
    {"kind": "rounding"},
)
FIGURES = [
    {
        "kind": "curves",
        "file": "a.pdf",
        "x": ["bytes"],
        "y": "accuracy",
        "band": ["suboptimality", "consensus_error"],
        "levels": ["mean_squared_distance"],
        "algorithms": ["a"],
        "labels": {},
        "colours": {},
        "x_scale": "log",
        "y_scale": "linear",
        "x_limits": [1, 2],
        "y_limits": [-1, 1],
        "width": "icml",
        "height": 2,
        "title": "$x^2$",
        "legend": "right",
        "font": "sans",
    }
]
GAMES = [
    {"kind": "quadratic", "rho": -0.3, "dim": 4, "heterogeneity": 0.1},
    {"kind": "forsaken", "heterogeneity": 0.1},
]
TRIM = {"quantile": 0.7, "multiple": 1, "agree": "gossip", "every": 9, "times": 2, "rounds": 5}
ROTATED = {"kind": "rotated", "dim": 3, "samples_per_node": 9, "noise": 0.1}
MIXTURES = {"kind": "mixtures", "dim": 3, "samples_per_node": 9}
PHASES = {
    "kind": "phase_retrieval",
    "loss": "amplitude",
    "trim": TRIM,
    "data": {
        "kind": "magnitudes",
        "dim": 3,
        "samples_per_node": 9,
        "outliers": {"fraction": 0.2, "kind": "coherent", "where": "nodes"},
    },
}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"figures": FIGURES},
    {"problem": {**HUBER, "data": SET, "partition": PARTITION}},
    {"problem": {**HUBER, "data": FILE, "partition": PARTITION}},
    {"problem": {**HUBER, "data": {**SET, "components": 2, "set_aside": 9}}},
    {"problem": {**HUBER, "data": CORRELATED}},
    {"algorithms": [{"name": "surf", "weights": "unrolled-regression"}]},
    {
        "problem": {
            "kind": "logistic_l2",
            "mu": 1,
            "data": {**FILE, "labels": {"positive": "yes", "negative": ["no", 0]}},
        }
    },
    {"problem": {**HUBER, "data": AUTHORS}},
    {"problem": {**HUBER, "data": {**SET, "kind": "libsvm", "name": "abalone"}}},
    {"problem": {**HUBER, "data": SIGNAL}},
    {"problem": {"kind": "least_squares", "data": MATRIX}},
    {"algorithms": [{"name": "scion", "ball": {"kind": "l2_ball", "radius": 2}}]},
    {"problem": {**BELLMAN, "data": {**RANDOM_MDP, "concentration": 1}}},
    {"problem": {**BELLMAN, "data": {"kind": "file", "path": "a.csv", "start": [1, 0]}}},
    {"problem": {"kind": "least_squares", "data": IMAGE}},
    {"problem": {"kind": "least_squares", "data": LOW_LIGHT}},
    {"problem": {"kind": "least_squares", "data": DIGIT}},
    {"problem": {"kind": "bands", **BANDS}},
    {"problem": MLP, "algorithms": [{"name": "ad_psgd", "oracle": RELAXATION}]},
    {"problem": CLASSIFIER},
    {"problem": MEETING, "algorithms": [{"name": "pg_extra", "oracle": {"kind": "exact"}}]},
    {"problem": {"kind": "rate_distortion", **RATES}},
    {"problem": {"kind": "rate_distortion_perception", **RATES, "perception": PERCEPTION}},
    {"problem": PHASES},
    {"start": {"kind": "states", "file": "a.npz", "block": "x"}},
    {
        "problem": {"kind": "pca", "components": 2, "data": SET, "partition": PARTITION},
        "start": {"kind": "orthonormal", "shared": True, "determinant": "negative"},
        "algorithms": ["landing"],
    },
    {"problem": {"kind": "procrustes", "data": ROTATED}, "algorithms": ["drgta"]},
    {"problem": {"kind": "ica", "data": MIXTURES}, "algorithms": ["dprgt", "dprgd"]},
    {"problem": PHASES, "algorithms": [{"name": "gradient_tracking", "trim": TRIM}]},
    *({"local_step": {"prox": term}} for term in TERMS),
    {"local_step": {"learned": {"network": "laplacian", "strength": 2}}},
    {"local_step": {"learned": {"network": "filters", "strength": 1, "shape": [2, 2]}}},
    {
        "local_step": {
            "learned": {"network": "equilibrium", "strength": 2, "shape": [2, 2], "settles": False}
        }
    },
    {
        "local_step": {
            "blocks": [
                {"learned": {"network": "illumination", "strength": 1}, "size": 4096},
                {"prox": {"kind": "l1", "strength": 1}},
            ]
        }
    },
    *({"local_step": {"quantise": {"levels": [-1, 1], **step}}} for step in QUANTISERS),
    {"algorithms": [{"name": "sonata", "local_step": {"prox": {"kind": "l1", "strength": 1}}}]},
    {"network": {"file": "a.graphml", "rates": {"attribute": "km"}}},
    {"network": {"graph": "cycle", "nodes": 4, "rates": COMPUTED}},
    {"network": {"graph": "random_digraph", "nodes": 4, "probability": 1, "turns": 2}},
    {"network": {"graph": "k_out", "nodes": 4, "out": 2, "turns": 2}},
    {"network": {"graph": "path", "nodes": 2, "ids": ["a", "b"], "edge_table": "links.csv"}},
    {"world": {"nodes": {"failures": {"file": "f.csv", "times": 2, "state": "lost"}}}},
    {"world": {"links": {"latency": {"attribute": "ms", "times": 0.001, "unknown": 0.1}}}},
    {"world": {"links": {"bandwidth": 1e6, "bandwidth_shared": True}}},
    {"network": {"sequence": {"files": ["a.graphml"]}, "rates": "uniform"}},
    {"network": {"sequence": {"graph": "random_geometric", "nodes": 9, "radius": 1, "length": 3}}},
    {"network": {"graph": "grid_2d", "nodes": 6, "rows": 2, "columns": 3}},
    {"network": {"graph": "barbell", "nodes": 7, "clique": 3, "bridge": 1}},
    {"network": {"graph": "lollipop", "nodes": 7, "clique": 3, "tail": 4}},
    {"network": {"graph": "random_regular", "nodes": 8, "degree": 3}},
    {"network": {"graph": "barabasi_albert", "nodes": 8, "attach": 2}},
    {"network": {"graph": "watts_strogatz", "nodes": 8, "neighbours": 4, "probability": 0.5}},
    {"clock": {"node_rates": [1, 2, 1, 0.5]}},
    *({"algorithms": [{"name": "d_psgd", "schedule": schedule}]} for schedule in SCHEDULES),
    *({"algorithms": [{"name": "beer", "compression": Q}]} for Q in COMPRESSIONS),
    {"algorithms": [{"name": "gradient_tracking", "lookahead": {"period": 20, "weight": 0.2}}]},
    {"algorithms": [{"name": "gradient_tracking", "asleep": 1}]},
    *({"problem": {"kind": "saddle", "game": game}} for game in GAMES),
    {"algorithms": [{"name": "acc_gt", "mixing": "metropolis", "chebyshev": 2}]},
    {"world": WORLD, "algorithms": [{"name": "dadao", "time_unit": "given"}]},
    *({"world": {"preset": "ideal", "nodes": {"gradient": law}}} for law in LAWS),
    {"world": {"preset": "edge_devices"}},
    {
        "world": {"preset": "datacenter"},
        "report": {"cost": {"second": 2}, "energy": {"second": 3}, "quantities": ["seconds"]},
    },
]


def keys_below(part: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(part, dict):
        here = [(*above, key) for key in part]
        return here + [k for key, value in part.items() for k in keys_below(value, (*above, key))]
    if isinstance(part, list):
        return [key for k, value in enumerate(part) for key in keys_below(value, (*above, k))]
    return []


def renamed(part: Any, path: tuple[Any, ...], name: str) -> Any:
    """``part`` with the key at the end of ``path`` called ``name``, in its place."""
    if isinstance(part, list):
        return [renamed(v, path[1:], name) if k == path[0] else v for k, v in enumerate(part)]
    if len(path) == 1:
        return {name if key == path[0] else key: value for key, value in part.items()}
    return {k: renamed(v, path[1:], name) if k == path[0] else v for k, v in part.items()}


def misspellings(word: str) -> set[str]:
    """Everything that one letter left out, put in, replaced, or exchanged with the next, makes."""
    letters = string.ascii_lowercase + "_"
    cuts = [(word[:k], word[k:]) for k in range(len(word) + 1)]
    left_out = {a + b[1:] for a, b in cuts if b}
    put_in = {a + c + b for a, b in cuts for c in letters}
    replaced = {a + c + b[1:] for a, b in cuts if b for c in letters}
    exchanged = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    return (left_out | put_in | replaced | exchanged) - {word, ""}


def known_keys(text: str) -> list[str]:
    return text.rsplit("(known: ", 1)[1].removesuffix(")").split(", ")


VALID = [{**EVERYTHING, **variant} for variant in VARIANTS]
MISSPELLABLE = sorted(
    {
        (number, path)
        for number, (variant, mapping) in enumerate(zip(VARIANTS, VALID, strict=True))
        for path in keys_below(mapping)
        if not variant or path[0] in variant
    },
    key=str,
)


@pytest.mark.parametrize("mapping", VALID)
def test_the_scenarios_to_misspell_are_right(mapping: dict[str, Any]):
    made = scenario_from_mapping(mapping)
    assert scenario_from_mapping(made.to_mapping()) == made


def test_the_scenarios_to_misspell_have_every_key():
    written = {str(path[-1]) for _, path in MISSPELLABLE}
    in_schema = {key for part in object_schemas(of_one()) for key in part["properties"]}
    assert written == in_schema


@given(st.sampled_from(MISSPELLABLE), st.data())
@settings(max_examples=400, deadline=None)
def test_a_misspelt_key_is_refused_with_the_right_suggestion(
    place: tuple[int, tuple[Any, ...]], data: st.DataObject
):
    number, path = place
    assume(len(path[-1]) > 3)  # of a misspelt k nothing is left; tp is as near at as up
    wrong = data.draw(st.sampled_from(sorted(misspellings(path[-1]))), label="misspelling")
    with pytest.raises(InputError) as caught:
        scenario_from_mapping(renamed(VALID[number], path, wrong))
    text = str(caught.value)
    known = known_keys(text)
    # As near to another key of the same mapping: either suggestion is right.
    assume(not any(wrong in misspellings(key) for key in known if key != path[-1]))
    where = ".".join(map(str, (*path[:-1], wrong)))
    assert text.startswith(f"{where}: unknown key; did you mean {path[-1]!r}? (known: ")


# ---- JSON Schema ---------------------------------------------------------------------------------


def object_schemas(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """Every part of the schema that describes a mapping of known keys, wherever it stands."""
    found = [whole] if isinstance(whole.get("properties"), dict) and "type" in whole else []
    for part in whole.values():
        for inner in part if isinstance(part, list) else [part]:
            if isinstance(inner, dict):
                found += object_schemas(inner)
    return found


def of_one() -> dict[str, Any]:
    """The schema but for the section `sweep`, which has keys of its own: see test_sweep_section."""
    whole = schema()
    assert whole["properties"].pop("sweep")["description"]
    return whole


def test_schema_describes_every_key_and_allows_no_other():
    whole = of_one()
    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["required"] == ["name", "problem", "network", "algorithms", "stop"]
    for part in object_schemas(whole):
        assert part["additionalProperties"] is False, part["title"]
        assert part["description"], part["title"]
        for name, key in part["properties"].items():
            assert key.get("description"), (part["title"], name)


def test_schema_knows_that_algorithms_are_names_or_mappings():
    name, mapping = schema()["properties"]["algorithms"]["items"]["anyOf"]
    assert name["type"] == "string"
    assert {"dadao", "msda", "adom_plus_multi_consensus"} <= set(name["examples"])
    assert mapping == {"$ref": "#/$defs/AlgorithmSpec"}
    assert schema()["$defs"]["AlgorithmSpec"]["required"] == ["name"]


def test_schema_against_a_validator():
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    validator.check_schema(schema())
    for mapping in VALID:
        validator.validate(mapping)
    for number, path in MISSPELLABLE:
        assert not validator.is_valid(renamed(VALID[number], path, path[-1] + "x")), path
    assert not validator.is_valid({**EVERYTHING, "stop": {"accuracy": 0.1}})
