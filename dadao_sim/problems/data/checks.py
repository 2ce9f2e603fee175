"""Checks that several kinds of problems make of what they are given."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from dadao_sim.errors import InputError
from dadao_sim.given import positive
from dadao_sim.strict import StrictModel, misuse
from dadao_sim.text.lines import written

Weighting = Literal["samples", "uniform"]
"""Every sample counts the same in F, or every node does."""


def require_positive(name: str, value: float | None) -> None:
    """InputError unless ``value`` is None or a finite number above 0."""
    if value is not None:
        positive(name, value)


def require_constants(mu: float | None, L: float | None) -> None:
    """InputError unless 0 < mu <= L, as far as they are given."""
    require_positive("mu", mu)
    require_positive("L", L)
    if mu is not None and L is not None and mu > L:
        raise InputError("mu", f"{mu} given, above L = {L}", "mu <= L is needed")


def require_weighting(weighting: str) -> None:
    """InputError unless it is a ``Weighting``."""
    known = get_args(Weighting)
    if not isinstance(weighting, str) or weighting not in known:
        raise InputError("weighting", f"{written(weighting)} is not one of {', '.join(known)}")


def refuse_options_of_others(
    model: type[StrictModel],
    data: Any,
    others: Mapping[str, type[StrictModel]],
    reasons: Mapping[str, str],
) -> None:
    """Say of an option that ``model`` does not have who has it: the ``others`` are by their kinds.

    ``reasons`` are the model's own words for some options. What nobody has is left to StrictModel,
    which knows how to correct a misspelling.
    """
    if not isinstance(data, Mapping):
        return
    strange = [key for key in data if key not in model.model_fields]
    owners = {
        key: [kind for kind, other in others.items() if key in other.model_fields]
        for key in strange
    }
    if all(owners.values()):
        for key in strange:
            known = f"only {' and '.join(owners[key])} can have it, and kind is {data['kind']}"
            raise misuse(reasons.get(key, known), key)
