"""All laws, held against all cases of a method."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

import numpy as np

from dadao_sim.algorithms.contract.method import Method
from dadao_sim.errors import InputError
from dadao_sim.testing.case import (
    LAWS,
    Case,
    Law,
    Setting,
    Skip,
    small_problem,
)

SUBJECTS = ("declarations", "fixed_points", "lookaheads", "symmetries", "progress", "paid")
"""Modules with laws, in the order in which they are held."""

for _subject in SUBJECTS:
    import_module(f"dadao_sim.testing.{_subject}")


@dataclass(frozen=True)
class Outcome:
    """What came of a law in a case: ``status`` passed, broken or skipped, and ``why``."""

    law: str
    case: str
    status: Literal["passed", "broken", "skipped"]
    why: str = ""

    def __str__(self) -> str:
        return f"{self.law} ({self.case}): {self.status}" + (f", {self.why}" if self.why else "")


def cases(method: Method) -> list[Case]:
    """The settings that a method declares to support."""
    settings: list[Setting] = ["fixed"]
    settings += ["time-varying"] if method.time_varying else []
    settings += ["directed"] if method.directed else []
    settings += ["arcs in turn"] if method.directed and method.time_varying else []
    settings += ["composite"] if method.composite != "none" and not method.needs_set else []
    kinds: tuple[str, ...] = ("least_squares", "logistic_l2")
    if "convex" not in method.solves:
        kinds = ("pca",)
    if method.needs_averaging or method.needs_l2:
        kinds = ("averaging",) if method.needs_averaging else ("ridge", "logistic_l2")
    if method.reweights:
        kinds = ("least_squares", "ridge")
    if method.needs_kind:
        kinds = (method.needs_kind,)
    ready = {kind: method.ready_for(small_problem(kind)) for kind in kinds}
    # Over arcs nothing new depends on what is minimised.
    once = method.directed * (settings[1:])
    return [
        Case(ready[kind], s, kind) for s in settings for kind in (kinds[:1] if s in once else kinds)
    ]


def outcomes(method: Method) -> Iterator[Outcome]:
    """Every law in every case of ``method``, one after the other."""
    for case in cases(method):
        for one in LAWS:
            yield hold(one, case)


def hold(one: Law, case: Case) -> Outcome:
    """One law in one case; what the method itself raises breaks the law.

    Of a method that diverges the law speaks, and NumPy need not warn.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            one(case)
    except Skip as reason:
        return Outcome(one.__name__, str(case), "skipped", str(reason))
    except AssertionError as error:
        why = str(error) or str(one.__doc__).splitlines()[0]
        return Outcome(one.__name__, str(case), "broken", " ".join(why.split()))
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        return Outcome(one.__name__, str(case), "broken", " ".join(why.split()))
    return Outcome(one.__name__, str(case), "passed")


def check_method(method: Method) -> None:
    """Hold ``method`` against every law.

    Raises AssertionError with one line per law that is broken, InputError for what is no method.
    """
    if not isinstance(method, Method):
        right = "give what is called METHOD in its file, or get_method(its name)"
        raise InputError("method", f"a Method is needed, not a {type(method).__name__}", right)
    broken = [str(o) for o in outcomes(method) if o.status == "broken"]
    if broken:
        raise AssertionError("\n".join([f"{method.name} breaks its contract:", *broken]))
