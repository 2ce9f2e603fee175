"""The methods by name: a file in ``algorithms/`` is found there, a user's own joins them."""

import re
from functools import cache
from importlib.resources import files
from typing import Any

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method
from dadao_sim.registration import Registry

FAMILIES = (
    *("accelerated", "tracking", "exact", "inexact", "local", "compressed", "dual", "stochastic"),
    *("gossip", "other"),
)


def _names(thing: Any) -> tuple[str, ...]:
    return (thing.name,) if isinstance(thing, Method) else ()


def _order(method: Method) -> tuple[bool, int, str]:
    """DADAO first; the others by family, then by name."""
    known = method.family in FAMILIES
    rank = FAMILIES.index(method.family) if known else len(FAMILIES)
    return method.name != "dadao", rank, method.name


METHODS: Registry[Method] = Registry("method", "dadao_sim.algorithms", _names, _order)


def register(method: Method) -> Method:
    """Add ``method`` under its name, in the place of an earlier one of that name."""
    if isinstance(method, AsynchronousMethod):
        method.install()
    return METHODS.register(method)


def get_method(name: str) -> Method:
    """The method called ``name``; InputError names the nearest one where there is none."""
    return METHODS[name]


def citation(method: Method) -> str:
    """The BibTeX entry of a method, or what its author gave in the place of one."""
    return entry(method.reference)


def references_to(method: Method) -> list[str]:
    """What is cited of it: its own reference, and those it builds on."""
    return [method.reference, *method.builds_on]


def entry(reference: str) -> str:
    """The BibTeX entry with this key, or the reference itself where there is none."""
    return _bibliography().get(reference, reference)


@cache
def _bibliography() -> dict[str, str]:
    """The entries of ``references.bib`` by key."""
    text = (files("dadao_sim.algorithms") / "references.bib").read_text(encoding="utf-8")
    entries = [entry.strip() for entry in re.split(r"\n(?=@)", text)]
    return {re.split(r"[{,]", entry)[1]: entry for entry in entries}
