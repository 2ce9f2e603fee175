"""Methods of rounds that were trained: as many rounds as layers, each with numbers of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from dadao_sim.algorithms.contract.constants import Constants
from dadao_sim.algorithms.contract.method import Tuning
from dadao_sim.algorithms.contract.options import NO_OPTIONS, Options
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.errors import InputError
from dadao_sim.networks.directed import AnyNetwork

if TYPE_CHECKING:
    from dadao_sim.problems import Problem

Features = Literal["gradient", "samples"]
"""What a node sees of its samples in a layer."""
Made = Mapping[str, Any]
Shapes = Callable[[Made], Mapping[str, tuple[int, ...]]]


def of_its_family(name: str, made: Made, problem: "Problem", options: Options) -> None:
    """InputError unless the problem has the dimension and the kind of those of the training, and
    raw samples come in minibatches of its size.
    """
    if made["dimension"] != problem.dimension:
        raise InputError(
            f"{name}.weights: trained for dimension {made['dimension']}; "
            f"the problem has {problem.dimension}"
        )
    if made["kind"] != problem.kind:
        raise InputError(
            f"{name}.weights: trained for kind {made['kind']}; the problem is {problem.kind}"
        )
    if made["features"] == "samples" and made["batch_size"] != options.batch_size:
        b = made["batch_size"]
        raise InputError(f"{name}: batch_size: trained on {b} raw samples; give {b}")


def require_counts(made: Made, *names: str) -> None:
    """InputError unless what the arrays were made for has these, whole numbers >= 1."""
    for name in names:
        if type(made.get(name)) is not int or made[name] < 1:
            raise InputError(f"{name} is {made.get(name)!r}, not a whole number >= 1")


@dataclass(frozen=True, kw_only=True)
class UnrolledMethod(RoundMethod):
    """A method of rounds whose round l is layer l of a network that was trained.

    The step finds the trained arrays and the number of ``layers`` among its constants, and the
    layer's own number in ``nodes.round``; after the last one there is nothing, and the run ends.
    ``shapes`` are those that the arrays must have, by what they were trained for (see
    :class:`~dadao_sim.algorithms.contract.trained.Trained`); it raises InputError where that does
    not say so. ``fits(name, made, problem, options)``
    raises InputError for a problem that they were not trained for. ``untrained`` are
    arrays to begin with, on which the laws of methods are held. The method itself is known without
    ``trained``; :meth:`with_weights` is what can be run.
    """

    shapes: Shapes
    untrained: "Callable[[Problem], Trained]"
    fits: "Callable[[str, Made, Problem, Options], None]" = of_its_family
    trained: Trained | None = None

    def with_weights(self, trained: Trained) -> Self:
        """The method with these numbers. InputError for those of another, or of other shapes."""
        made = trained.made
        if made.get("method") != self.name:
            raise self._wrong(f"trained for {made.get('method')}")
        if not isinstance(made.get("kind"), str):
            raise self._wrong(f"kind is {made.get('kind')!r}, not that of a problem")
        try:
            wanted = self.shapes(made)
        except InputError as error:
            raise self._wrong(str(error)) from None
        for name in {**wanted, **trained.arrays}:
            if name not in wanted or name not in trained.arrays:
                known = ", ".join(wanted)
                there = "is none of its arrays" if name in trained.arrays else "is missing"
                raise self._wrong(f"{name} {there} ({known})")
            if (found := np.shape(trained.arrays[name])) != wanted[name]:
                raise self._wrong(f"{name} has the shape {found}, not {wanted[name]}")
        return replace(self, trained=trained)

    def ready_for(self, problem: "Problem") -> Self:
        """See :meth:`Method.ready_for`: with the numbers that a training begins with."""
        return self if self.trained else self.with_weights(self.untrained(problem))

    @property
    def layers(self) -> int:
        """How many rounds there are."""
        return int(self._numbers.made["layers"])

    @property
    def _numbers(self) -> Trained:
        if self.trained is None:
            raise InputError(
                f"{self.name}.weights: is missing; give the file that learn-unrolled has written"
            )
        return self.trained

    def check_supported(
        self,
        problem: "Problem",
        network: AnyNetwork,
        options: Options = NO_OPTIONS,
    ) -> None:
        """See :meth:`Method.check_supported`."""
        super().check_supported(problem, network, options)
        self.fits(self.name, self._numbers.made, problem, options)

    def _wrong(self, reason: str) -> InputError:
        return InputError(f"{self.name}.weights: {reason}")

    def _tune(
        self,
        c: Constants,
        problem: "Problem",
        network: AnyNetwork,
        options: Options,
    ) -> Tuning:
        c.of_layers(self.layers, **self._numbers.arrays)
        return super()._tune(c, problem, network, options)
