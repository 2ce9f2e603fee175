"""Things found by name: at home, in a module of a user's, and as fields of a scenario."""

import pickle
import types
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from dadao_sim.errors import InputError, within
from dadao_sim.registration import REGISTRIES, Registry
from dadao_sim.strict import ByKind, StrictModel, checked, kinds_of, one_by_key


class Shape(StrictModel):
    pass


class Circle(Shape):
    kind: Literal["circle", "disc"]
    radius: float


class Square(Shape):
    kind: Literal["square"]
    side: float | None = None


@pytest.fixture
def shapes():
    registry = Registry("shape", __name__, kinds_of(Shape))
    yield registry
    REGISTRIES.remove(registry)


def test_a_home_is_read_when_it_is_first_asked(shapes):
    assert not shapes._things
    assert list(shapes) == ["circle", "disc", "square"]
    assert shapes["disc"] is Circle


def test_an_unknown_name_is_one_line_with_the_nearest(shapes):
    with pytest.raises(InputError) as error:
        shapes["sqare"]
    expected = "shape: 'sqare' is unknown; did you mean 'square'? (known: circle, disc, square)"
    assert str(error.value) == expected


def test_a_module_gives_what_it_defines_itself(shapes):
    module = types.ModuleType("mine")
    exec(
        "from typing import Literal\n"
        "from test_registration import Circle, Shape\n"
        "class Line(Shape):\n    kind: Literal['line']\n",
        vars(module),
    )
    assert shapes.collect(module) == ["line"]
    assert set(shapes) == {"circle", "disc", "square", "line"}


def test_what_is_no_such_thing_cannot_be_registered(shapes):
    with pytest.raises(InputError, match="is no shape"):
        shapes.register(StrictModel)


def test_a_field_takes_models_that_join_after_it_was_made(shapes):
    class Drawing(StrictModel):
        shape: Annotated[Shape, ByKind(shapes)] = Field(description="what is drawn")

    class Line(Shape):
        kind: Literal["line"]
        length: float

    shapes.register(Line)
    drawing = Drawing.model_validate({"shape": {"kind": "line", "length": 2.0}})
    assert drawing.shape == Line(kind="line", length=2.0)
    assert drawing.model_dump(mode="json") == {"shape": {"kind": "line", "length": 2.0}}
    square = Drawing.model_validate({"shape": {"kind": "square"}})
    assert square.model_dump(mode="json", exclude_none=True) == {"shape": {"kind": "square"}}
    schema = Drawing.model_json_schema()
    models = [one["$ref"] for one in schema["properties"]["shape"]["oneOf"]]
    assert models == ["#/$defs/Circle", "#/$defs/Square", "#/$defs/Line"]
    assert schema["$defs"]["Line"]["required"] == ["kind", "length"]
    assert schema["properties"]["shape"]["description"] == "what is drawn"


def test_a_model_is_written_once_in_the_schema(shapes):
    class Frame(Shape):
        kind: Literal["frame"]
        inner: Circle
        outer: Circle

    class Drawing(StrictModel):
        shape: Annotated[Shape, ByKind(shapes)]
        another: Annotated[Shape, ByKind(shapes)] | None = None

    shapes.register(Frame)
    schema = Drawing.model_json_schema()
    assert sorted(schema["$defs"]) == ["Circle", "Frame", "Square"]


@pytest.mark.parametrize(
    ("value", "location"),
    [
        ({"kind": "circl", "radius": 1.0}, ("shape", "kind")),
        ({"knd": "circle"}, ("shape", "knd")),
        ({}, ("shape", "kind")),
        ({"kind": 3}, ("shape", "kind")),
        ({"kind": "circle", "radius": "wide"}, ("shape", "radius")),
        (3, ("shape",)),
    ],
)
def test_what_is_wrong_in_such_a_field_is_named(shapes, value, location):
    class Drawing(StrictModel):
        shape: Annotated[Shape, ByKind(shapes)]

    with pytest.raises(ValidationError) as error:
        Drawing.model_validate({"shape": value})
    assert error.value.errors()[0]["loc"] == location


def test_what_a_call_gives_is_named_by_its_own_arguments(shapes):
    shape = Annotated[Shape, ByKind(shapes)]
    assert checked(shape, {"kind": "square", "side": 2.0}) == Square(kind="square", side=2.0)
    for given, message in (
        ({"kind": "disc", "radius": "wide"}, "radius: must be a number, got 'wide'"),
        ({"kind": "disc", "rad": 1.0}, "rad: unknown key; did you mean 'radius'? (known: kind,"),
        # A kind that is not known is said before keys that no other kind has.
        ({"kind": "line", "length": 1.0}, "kind: unknown value 'line' (known: circle,"),
        (3, "must be a mapping, got 3"),
    ):
        with pytest.raises(InputError) as error:
            checked(shape, given)
        assert str(error.value).startswith(message)


def test_one_of_the_keys_may_stand_for_the_models_of_a_registry(shapes):
    class Empty(StrictModel):
        nothing: bool

    by_kind = ByKind(shapes)
    figure = Annotated[Annotated[Shape, by_kind] | Empty, one_by_key(kind=by_kind, nothing=Empty)]
    assert checked(figure, {"kind": "square"}) == Square(kind="square")
    assert checked(figure, {"nothing": True}) == Empty(nothing=True)
    with pytest.raises(InputError, match="sidee: unknown key; did you mean 'side'"):
        checked(figure, {"kind": "square", "sidee": 1.0})
    with pytest.raises(InputError, match="exactly one of the keys kind, nothing, got kind and"):
        checked(figure, {"kind": "square", "nothing": True})


def test_a_caller_says_where_an_error_lies():
    with pytest.raises(InputError) as caught, within("network"), within("rates"):
        raise InputError("method", "'foo' is unknown", "use auto")
    assert str(caught.value) == "network.rates.method: 'foo' is unknown; use auto"
    assert caught.value.where == "network.rates.method"
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    with pytest.raises(InputError, match=r"^network: no such thing$"), within("network"):
        raise InputError("no such thing")
