"""Terms by name: ``TERMS`` holds the declarations, ``make`` makes a local step from one.

A new term is one class below :class:`Term`, with the kernels of its operator beside it, in a file
of this package or of a user's.
"""

from typing import Annotated, Any

import numpy as np

from dadao_sim.given import whole
from dadao_sim.local_steps.local_step import LocalStep
from dadao_sim.local_steps.terms.term import Term
from dadao_sim.registration import Registry
from dadao_sim.strict import ByKind, checked, kinds_of

__all__ = ["TERMS", "Term", "make"]

TERMS: Registry[type[Term]] = Registry("term", __name__, kinds_of(Term))
_ANY_TERM = Annotated[Term, ByKind(TERMS)]


def make(kind: str, dimension: int, /, **options: Any) -> LocalStep:
    """The local step ``kind`` in ``dimension`` coordinates.

    Options that are None count as not given. Raises InputError for a kind that is not known, a
    dimension that is not whole and >= 1, an option that the kind does not take or lacks, and a
    value that it cannot have in this dimension.
    """
    given = {name: _plain(value) for name, value in options.items() if value is not None}
    term: Term = checked(_ANY_TERM, {"kind": kind, **given})
    return term.local_step(whole("dimension", dimension))


def _plain(value: Any) -> Any:
    """Python's own numbers and lists for those of NumPy."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value
