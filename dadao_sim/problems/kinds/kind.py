"""The problem of a scenario; the kinds of problem themselves are in ``kinds/``."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import model_validator

from dadao_sim.errors import within
from dadao_sim.memory import Need
from dadao_sim.problems.data.checks import refuse_options_of_others
from dadao_sim.problems.data.source import DataSource
from dadao_sim.problems.kinds.problem import Problem
from dadao_sim.registration import Registry
from dadao_sim.strict import StrictModel, kinds_of


class ProblemKind(StrictModel):
    """What is minimised, F(x) = (1/n) sum_i f_i(x): a class with a ``kind``, options and ``build``.

    Samples, where it has any, are an option ``data``. ``lacks``: what to say of an option that
    others have and users look for here. ``titles``: what an axis says of a metric that means
    something else here. ``reference``: the paper to cite, as that of a method.
    """

    lacks: ClassVar[Mapping[str, str]] = {}
    titles: ClassVar[Mapping[str, str]] = {}
    reference: ClassVar[str] = ""

    kind: str

    @model_validator(mode="before")
    @classmethod
    def _refuse_options_of_others(cls, data: Any) -> Any:
        refuse_options_of_others(cls, data, PROBLEMS, cls.lacks)
        return data

    @property
    def dimension(self) -> int:
        """d of x as far as the options tell, at least 1."""
        return int(getattr(getattr(self, "data", None), "dimension", 1))

    def for_learning(self) -> Self:
        """What makes the problems that a method is trained on: the samples are none of the runs'.
        InputError names the option that would have to say which.
        """
        data = getattr(self, "data", None)
        if not isinstance(data, DataSource):
            return self
        with within("data"):
            return self.model_copy(update={"data": data.for_learning()})

    def needs(self, nodes: int, *, conjugate: bool = False) -> tuple[Need, ...]:
        """The memory that the problem takes, from the options alone, and with ``conjugate``
        gradients: what is too large is not built. ``where`` is "nodes" or an option.
        """
        return ()

    @abstractmethod
    def build(self, nodes: int, rng: np.random.Generator) -> Problem:
        """The problem for so many nodes; InputError names the option at fault."""


PROBLEMS: Registry[type[ProblemKind]] = Registry(
    "problem", "dadao_sim.problems.kinds", kinds_of(ProblemKind)
)
