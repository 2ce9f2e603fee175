"""What may be chosen of a method beside its constants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from dadao_sim.algorithms.contract.lookahead import Lookahead
from dadao_sim.algorithms.contract.schedules import Schedule
from dadao_sim.compression import Compressor
from dadao_sim.local_steps.terms import Term

PAPER = "paper"
"""The constants of a method as its paper has them."""
Averaging = Literal["none", "events", "time"]
AVERAGINGS: tuple[Averaging, ...] = get_args(Averaging)
"""What a node may report: its x, the mean of x over its events, or over time."""


@dataclass(frozen=True)
class Options:
    """Choices a method may support; ``check_supported`` refuses those it does not.

    ``constants`` names a set of them, or gives what those of the paper are multiplied by;
    ``batch_size`` is that of the minibatches that gradients are estimates from, or of what is drawn
    by a method that draws samples anyway; ``averaging`` says which average a node reports.
    ``mixing`` is the matrix of a method of rounds by name, None its own, and ``chebyshev`` the
    rounds of Chebyshev gossip in the place of each of its rounds, "auto" the number that makes the
    network's part of the rate a constant; ``compression`` is what is made of the messages of a
    method that compresses, None its own; ``schedule`` is what its steps are multiplied by in each
    round; ``lookahead`` pulls it back every so many of them; ``asleep`` is how many nodes keep
    their values in a round, None none. ``ball`` is the set over which linear
    functions are minimised where the problem has none. ``load`` is that of the links of a world,
    for sets of constants that follow it (``by_load``).
    """

    constants: str | Mapping[str, float] = PAPER
    batch_size: int | None = None
    averaging: Averaging = "none"
    mixing: str | None = None
    chebyshev: int | Literal["auto"] | None = None
    compression: Compressor | None = None
    schedule: Schedule | None = None
    lookahead: Lookahead | None = None
    asleep: int | None = None
    ball: Term | None = None
    load: float = 0.0


NO_OPTIONS = Options()
