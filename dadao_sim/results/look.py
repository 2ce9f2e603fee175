"""How a figure looks where somebody says so: which algorithms, their colours and names, how wide.

A :class:`Look` is what every figure can be told; a :class:`FigureSpec` a figure of the section
``figures`` of a scenario. The keywords of Python and the options of the command line are the same.
"""

from collections.abc import Collection, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Strict,
    field_validator,
    model_validator,
)

from dadao_sim.results.axes import AXES
from dadao_sim.results.figure_kinds import FIGURE_KINDS, what_kinds_show
from dadao_sim.strict import NameIn, StrictModel, Text, checked, misuse, suggestion
from dadao_sim.text.colours import COLOUR_NAMES, hex_colour
from dadao_sim.text.labels import bad_maths, cannot_be_shown
from dadao_sim.text.lines import shown

WIDTHS = {
    "column": 3.4,  # of a paper with two
    "double": 7.0,  # both
    "acm": 3.33,
    "acm-double": 7.0,
    "aistats": 3.25,
    "aistats-double": 6.75,
    "iclr": 5.5,
    "icml": 3.25,
    "icml-double": 6.75,
    "ieee": 3.5,
    "ieee-double": 7.16,
    "jmlr": 6.0,
    "lncs": 4.8,
    "neurips": 5.5,
}
"""Widths in inches by name: of a column, of both, and of the text of venues."""
NARROWEST, LOWEST, WIDEST = 2.5, 1.25, 40.0
"""Inches: what the labels of the axes have room in, and more than any page."""
NEVER_NEGATIVE = "what is spent is never less than 0"
Scale = Literal["auto", "linear", "log"]
Place = Literal["above", "below", "right", "inside", "none"]
Font = Literal["serif", "sans", "computer-modern", "tex"]
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(FIGURE_KINDS)]


def _width(given: Any) -> Any:
    number = isinstance(given, Real) and not isinstance(given, bool)
    if number and NARROWEST <= given <= WIDEST:
        return float(given)
    if isinstance(given, str) and given in WIDTHS:
        return given
    if isinstance(given, str):
        raise misuse(f"unknown value {shown(given)}{suggestion(given, WIDTHS)}, or inches")
    raise misuse(f"must be {NARROWEST:g} to {WIDEST:g} inches or a name, got {shown(given)}")


def _text_with_maths(text: str) -> str:
    if why := cannot_be_shown(text) or bad_maths(text):
        raise misuse(f"{shown(text)} {why}")
    return text


def _colour(colour: str) -> str:
    try:
        hex_colour(colour)
    except ValueError:
        known = ", ".join(COLOUR_NAMES)
        raise misuse(f"{shown(colour)} is no colour; use {known}, or #RRGGBB") from None
    return colour


def _limits(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and not limits[0] < limits[1]:
        raise misuse(f"must go up, got {limits[0]:g} to {limits[1]:g}")
    return limits


Words = Annotated[Text, AfterValidator(_text_with_maths)]
Colour = Annotated[Text, AfterValidator(_colour)]
Width = Annotated[float | str, BeforeValidator(_width)]
Limits = Annotated[Annotated[tuple[float, float], Strict(False)] | None, AfterValidator(_limits)]
Names = Annotated[tuple[Text, ...], Strict(False), Field(min_length=1)]


def _no_name_twice(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    for k, name in enumerate(names or ()):
        if name in (names or ())[:k]:
            raise misuse(f"{name!r} is named before; leave it out", k)
    return names


class Look(StrictModel):
    """How a figure looks; what is not said is as in every figure."""

    algorithms: Annotated[Names | None, AfterValidator(_no_name_twice)] = Field(
        default=None, description="labels of those drawn, in their order; all if absent"
    )
    labels: dict[Text, Words] = Field(
        default={}, description="what algorithms are called, by label; between $ and $ is maths"
    )
    colours: dict[Text, Colour] = Field(
        default={}, description="of algorithms, by label: blue, orange, ..., or #RRGGBB"
    )
    x_scale: Scale = Field(default="auto", description="of the x axes of all panels")
    y_scale: Scale = Field(default="auto", description="of the y axis of all panels")
    x_limits: Limits = Field(default=None, description="where the x axes begin and end")
    y_limits: Limits = Field(default=None, description="where the y axis begins and ends")
    width: Width | None = Field(
        default=None, description="inches, column, double, or of a venue such as icml"
    )
    height: Annotated[float, Field(ge=LOWEST, le=WIDEST)] | None = Field(
        default=None, description="inches; as high as it needs if absent"
    )
    title: Words | None = Field(default=None, description="above; between $ and $ is maths")
    legend: Place = Field(default="above", description="where the names of the algorithms stand")
    font: Font = Field(default="serif", description="tex: typeset by LaTeX, which must be there")

    @model_validator(mode="after")
    def _a_logarithm_begins_above_0(self) -> "Look":
        for axis in ("x", "y"):
            limits = getattr(self, f"{axis}_limits")
            if getattr(self, f"{axis}_scale") == "log" and limits is not None and limits[0] <= 0:
                raise misuse(f"must be above 0 where {axis}_scale is log", f"{axis}_limits", 0)
        return self

    def renamed(self, labels: Mapping[str, str]) -> Self:
        """The same look of algorithms that are called otherwise."""

        def of(label: str) -> str:
            return labels.get(label, label)

        drawn = self.algorithms and tuple(map(of, self.algorithms))
        said = {
            key: {of(label): value for label, value in getattr(self, key).items()}
            for key in ("labels", "colours")
        }
        return self.model_copy(update={"algorithms": drawn, **said})

    def unknown_label(self, known: Collection[str]) -> tuple[tuple[str | int, ...], str] | None:
        """The first label that is none of those known: its keys here, and what is wrong with it."""
        named: list[tuple[tuple[str | int, ...], str]] = []
        named += [(("algorithms", k), name) for k, name in enumerate(self.algorithms or ())]
        named += [
            ((key, name), name) for key in ("labels", "colours") for name in getattr(self, key)
        ]
        for keys, name in named:
            if name not in known:
                return keys, f"{shown(name)} is no label of an algorithm{suggestion(name, known)}"
        return None

    def inches(self, otherwise: float) -> float:
        """The width."""
        if self.width is None:
            return otherwise
        return WIDTHS[self.width] if isinstance(self.width, str) else self.width


class FigureSpec(Look):
    """One figure of a result: an error against costs, a panel for each; or of another ``kind``."""

    kind: Kind = Field(default="curves", description=what_kinds_show())
    file: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(pdf|png|svg)$", max_length=100)
    ] = Field(description="name in the folder figures of the result: .pdf, .png or .svg")
    x: Annotated[tuple[Annotated[Text, NameIn(AXES)], ...], Strict(False), Field(min_length=1)] = (
        Field(default=("communications",), description="what the panels have on their x axes")
    )
    y: Text = Field(default="accuracy", description="the error, or a metric of record.metrics")
    band: Annotated[tuple[Text, Text] | None, Strict(False)] = Field(
        default=None, description="two metrics to shade between, instead of the repeats' spread"
    )
    levels: Annotated[tuple[Text, ...], Strict(False), AfterValidator(_no_name_twice)] = Field(
        default=(), description="metrics that do not change, drawn as level lines"
    )

    @property
    def measured(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """The metrics that it needs, each with its keys here."""
        band = ((("band", k), name) for k, name in enumerate(self.band or ()))
        levels = ((("levels", k), name) for k, name in enumerate(self.levels))
        return ((("y",), self.y), *band, *levels)

    @model_validator(mode="after")
    def _something_is_spent(self) -> "FigureSpec":
        if self.kind == "curves" and self.x_limits is not None and self.x_limits[1] <= 0:
            wrong = f"must end above 0, got {self.x_limits[1]:g}: {NEVER_NEGATIVE}"
            raise misuse(wrong, "x_limits", 1)
        return self

    @field_validator("x", mode="before")
    @classmethod
    def _one_is_a_list(cls, x: Any) -> Any:
        return (x,) if isinstance(x, str) else x

    @field_validator("file")
    @classmethod
    def _not_the_standard_one(cls, file: str) -> str:
        if file.rpartition(".")[0] == "curves":
            raise misuse(f"{file!r} is the standard figure; choose another name")
        return file

    @classmethod
    def of(cls, keys: Mapping[str, Any]) -> "FigureSpec":
        """That of keywords, to be saved anywhere. InputError names the key that is wrong."""
        spec: FigureSpec = checked(cls, {**keys, "file": "figure.pdf"})
        return spec
