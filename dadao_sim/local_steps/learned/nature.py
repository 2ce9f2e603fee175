"""What is to be known of a learned network before it becomes a local step.

Every class of weights tells its own, as ``nature``, and has a method ``local_step(dimension,
strength, shape)``, with ``shape`` None unless it is of pictures.
"""

from collections.abc import Callable
from typing import NamedTuple


class Whole(NamedTuple):
    """Of a network that sees all of x and answers its first block: ``what`` it is, and ``check``,
    which raises InputError for a dimension of x that it cannot have.
    """

    what: str
    check: Callable[[int], None]


class Nature(NamedTuple):
    """Of a network.

    - reference: what is cited for it, a key of references.bib.
    - needs_torch: whether it runs on torch.
    - of_pictures: whether it takes their shape.
    - whole: where it sees all of x, and can only be the first of blocks.
    """

    reference: str
    needs_torch: bool = False
    of_pictures: bool = False
    whole: Whole | None = None
