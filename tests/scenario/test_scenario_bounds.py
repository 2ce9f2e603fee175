"""Texts and numbers that are too large for a scenario: one line, and soon."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dadao_sim.errors import InputError
from dadao_sim.scenario import yaml_text
from dadao_sim.scenario.model import Scenario, StopSpec
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.strict import LARGEST, LARGEST_INTEGER, SMALLEST


def bomb(levels, merge=False):
    """Each level nine times the one before."""
    lines = ["l0: &l0 {x: 1}" if merge else "l0: &l0 [x, x, x]"]
    for k in range(1, levels):
        nine = ", ".join([f"*l{k - 1}"] * 9)
        lines.append(f"l{k}: &l{k} " + (f"{{<<: [{nine}]}}" if merge else f"[{nine}]"))
    return "\n".join(lines)


TOO_MUCH = {
    "aliases": bomb(12),
    "aliases of mappings": bomb(12).replace("[x, x, x]", "{a: x, b: x}"),
    "merges": bomb(12, merge=True),
    "a list in itself": "a: &a [*a]",
    "a mapping merged with itself": "a: &a {<<: *a}",
    "flow lists": "a: " + "[" * 100_000,
    "flow mappings": "{a: " * 60_000,
    "block lists": "- " * 100_000,
    "blocks": "".join(f"{' ' * k}a:\n" for k in range(200)),
    "words": "a: [" + "x, " * 90_000 + "x]",
    "block items": "a:\n" + "- 1\n" * 70_000,
    "keys": "".join(f"k{k}: 1\n" for k in range(25_000)),
    "small lists": "a: [" + "[1], " * 50_000 + "]",
    "a scalar": "a: " + "x" * 1_000_000,
    "a comment": "a: 1 #" + "x" * 1_000_000,
    "numbers that are not closed": "a: [" + "1, " * 200_000,
    "numbers and a word": "a: [" + "1, " * 200_000 + "x]",
    "numbers": "a: [" + "1, " * 600_000 + "1]",
    "numbers by aliases": "a: &a [" + "1, " * 60_000 + "1]\nb: [" + "*a, " * 10 + "*a]",
    "numbers in numbers": "a: " + "[" * 60 + "1, " * 100 + "1" + "]" * 60,
    "JSON": json.dumps({"a": [{"b": [k]} for k in range(20_000)]}),
}


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_too_much_for_a_scenario(text, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"s.yaml:\d+: too much for a scenario: ") as caught:
        load_scenario(file)
    assert len(str(caught.value)) < 300 + len(str(file))


def test_as_many_values_as_there_may_be():
    """The bound is of what is written out, not of the text."""
    item = yaml_text.parse("[x]").data()
    assert item == ["x"]
    most = yaml_text.MOST_VALUES
    half = "[" + "x, " * (most // 2 - 3) + "x]"
    twice = yaml_text.parse(f"[&a {half}, *a]").data()
    assert twice[0] is twice[1]
    with pytest.raises(yaml_text.TooLarge):
        yaml_text.parse(f"[&a {half}, *a, *a]")


number = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map("{:.3f}".format),
    st.floats(-1e6, 1e6).map("{:.2e}".format),
    st.sampled_from(["0", "-0", "-0.0", "007", "1e5", "1E+5", "+1", "1_000", "0x1f", ".5", "5."]),
)
between = st.sampled_from([",", ", ", " ,\n   ", ",\t"])


@given(st.lists(number, min_size=1, max_size=8), between)
def test_a_long_list_is_read_as_a_short_one(numbers, comma):
    """Read at once, or one by one, as lists of a few entries are."""
    text = f"[{comma.join(numbers)}]"
    times = yaml_text.LONG // len(text) + 2
    long = yaml_text.parse(f"a: [{comma.join(numbers * times)}]").data()["a"]
    short = yaml_text.parse(f"a: {text}").data()["a"]
    assert [repr(value) for value in long] == [repr(value) for value in short] * times


def test_a_list_of_a_number_per_node():
    many = 100_000
    read = yaml_text.parse("a: [" + ",".join(["1.5"] * many) + "]\nb: '[1, 2]'").data()
    assert read == {"a": [1.5] * many, "b": "[1, 2]"}


def test_a_long_list_in_text_is_text():
    inside = "[" + "1, " * 200 + "1]"
    assert yaml_text.parse(f"a: '{inside}'").data() == {"a": inside}
    with pytest.raises(yaml_text.TooLarge, match="a tag"):
        yaml_text.parse(f"a: !!set {inside}")


def test_what_is_no_regular_file(tmp_path):
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    large = tmp_path / "large.yaml"
    with large.open("wb") as file:
        file.truncate(10**10)  # of holes
    for path, reason in (
        (pipe, "is no regular file"),
        ("/dev/zero", "is no regular file"),
        (tmp_path, "is a folder"),
        (large, "has 10,000 MB"),
    ):
        with pytest.raises(InputError, match=reason):
            load_scenario(path)


def test_a_path_of_many_keys():
    with pytest.raises(InputError, match="10,000 keys"):
        scenario_from_mapping({}, ["a" + ".a" * 9_999 + "=1"])


# --- numbers -----------------------------------------------------------------------------------

BASE = {
    "name": "s",
    "problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 2}},
    "network": {"graph": "star", "nodes": 4},
    "algorithms": [{"name": "dadao"}],
    "stop": {"time": 1.0},
}


def numeric_fields(schema):
    """Where each number of the schema can stand: paths of its keys, by the definition it is in."""

    def walk(part, path, inside):
        if isinstance(part, list):
            for one in part:
                yield from walk(one, path, inside)
        elif isinstance(part, dict):
            if part.get("type") in ("integer", "number"):
                yield inside, path, part
            for key, value in part.items():
                if key == "properties":
                    for name, below in value.items():
                        yield from walk(below, (*path, name), inside)
                elif key in ("anyOf", "oneOf", "items", "prefixItems", "additionalProperties"):
                    yield from walk(value, path, inside)

    yield from walk(schema, (), "")
    for name, part in schema["$defs"].items():
        yield from walk(part, (), name)


def models():
    """Every strict model that a scenario can hold, by its name in the schema."""
    from dadao_sim.strict import StrictModel

    def below(model):
        for one in model.__subclasses__():
            yield one
            yield from below(one)

    return {model.__name__: model for model in below(StrictModel)}


def test_every_number_of_a_scenario_has_a_bound():
    """By its type, whatever the field: what goes beyond is refused by the field's own model."""
    from pydantic import TypeAdapter, ValidationError

    known, seen = models(), 0
    schema = Scenario.model_json_schema()
    for inside, path, part in numeric_fields(schema):
        model = known.get(inside, Scenario) if inside else Scenario
        if len(path) != 1 or path[0] not in model.model_fields:
            continue
        if (inside, path) == ("LateJoin", ("node",)):  # the id of a node, which may be text
            continue
        field = model.model_fields[path[0]]
        adapter = TypeAdapter(model)
        wholes = [2**63, 2**70, -(2**70), 10**400, 1 << 20_000]
        beyond = {
            "integer": [True, "1e3", 1.5, float("nan"), float("inf"), *wholes],
            "number": [True, "1e3", 1e300, 5e-324, -1e300, float("nan"), float("inf"), *wholes[3:]],
        }[part["type"]]
        if path[0] == "seed":
            beyond = beyond[:5]
        if inside == "Box":  # which may be open, and judges nan in words of its own
            beyond = [value for value in beyond if not isinstance(value, float) or value == 1e300]
        if inside == "DataFile":  # a column by its number, or by its name
            beyond = [value for value in beyond if not isinstance(value, str)]
        if (inside, path) == ("AlgorithmSpec", ("constants",)):  # a number, or the name of a set
            beyond = [value for value in beyond if not isinstance(value, str)]
        for value in beyond:
            for given_value in (value, [value], {"x": value}):
                with pytest.raises(ValidationError) as caught:
                    adapter.validate_python({path[0]: given_value})
                wrong = {str(error["loc"][0]) for error in caught.value.errors(include_url=False)}
                assert path[0] in wrong, (inside, path, value, field)
                seen += 1
    assert seen > 500


@given(st.floats(SMALLEST, LARGEST), st.integers(1, LARGEST_INTEGER))
def test_numbers_within_the_bounds_stay(time, repeats):
    made = scenario_from_mapping({**BASE, "stop": {"time": time}, "repeats": repeats})
    assert (made.stop.time, made.repeats) == (time, repeats)


@given(st.integers(0, 2**128 - 1))
def test_seeds_may_be_longer_than_other_integers(seed):
    assert scenario_from_mapping({**BASE, "seed": seed}).seed == seed


@pytest.mark.parametrize("seed", [-1, 2**128, 1 << 20_000], ids=["below", "above", "bits"])
def test_seeds_that_are_none(seed):
    with pytest.raises(InputError, match="seed: must be"):
        scenario_from_mapping({**BASE, "seed": seed})


def test_a_model_that_is_asked_again_is_checked_once():
    """Each time that its schema is made the checks would be one deeper, to the end of the stack."""
    sizes = {len(repr(TypeAdapter(StopSpec | None).core_schema)) for _ in range(5)}
    assert len(sizes) == 1


@pytest.mark.parametrize("rounds", [0, -1, 10_001, 2.5, True, "many", [2], {"K": 2}])
def test_rounds_of_chebyshev_gossip_are_auto_or_a_few(rounds):
    """In one line of their own: that of a union names its members."""
    algorithm = {"name": "acc_gt", "chebyshev": rounds}
    with pytest.raises(InputError) as caught:
        scenario_from_mapping({**BASE, "algorithms": [algorithm]})
    said = str(caught.value)
    assert said.startswith(
        "algorithms.0.chebyshev: must be auto, or a whole number from 1 to 10,000"
    )


@pytest.mark.parametrize("rounds", [None, "auto", 1, 10_000])
def test_rounds_that_are_taken(rounds):
    algorithm = {"name": "acc_gt", "chebyshev": rounds}
    assert (
        scenario_from_mapping({**BASE, "algorithms": [algorithm]}).algorithms[0].chebyshev == rounds
    )
