"""Markov decision processes, and transitions that were seen in them: drawn, or read from a file."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import Field, Strict, model_validator

from dadao_sim.archives import Stored
from dadao_sim.errors import InputError
from dadao_sim.given import reals
from dadao_sim.problems.data.arrays import FloatArray, IntArray
from dadao_sim.problems.data.checks import refuse_options_of_others
from dadao_sim.problems.data.formats import Asked, by_ending
from dadao_sim.registration import Registry
from dadao_sim.strict import Count, FilePath, NotNegative, Positive, StrictModel, kinds_of

COLUMNS = ("state", "action", "reward", "next_state")
MOST_CELLS = 10**7
"""Of the table P of a model, beyond which a number in a file is taken for a mistake."""
SCALE = 2.0**53
"""Below this whole numbers are exact."""


class Model(NamedTuple):
    """P(y|x, a) (S, A, S), the rewards R(x, a) (S, A), and the law of the first state (S,)."""

    P: FloatArray
    R: FloatArray
    start: FloatArray

    def occupancy(self, policy: FloatArray, discount: float) -> FloatArray:
        """(1 - discount) sum_t discount^t Pr(x_t = x, a_t = a) of a ``policy`` (..., S, A) that
        draws a with policy[x, a]; of the same shape.
        """
        moves = np.einsum("...xa,xay->...xy", policy, self.P)
        steady = np.eye(len(self.start)) - discount * moves.swapaxes(-1, -2)
        visits = np.linalg.solve(steady, (1 - discount) * self.start[:, None])
        return visits * policy

    def returns(self, policy: FloatArray, discount: float) -> FloatArray:
        """(1 - discount) E sum_t discount^t r_t of each policy (..., S, A), as (...,)."""
        return (self.occupancy(policy, discount) * self.R).sum(axis=(-2, -1))

    def optimal_policy(self, discount: float) -> FloatArray:
        """One without a better, (S, A) of zeros and ones, by policy iteration, which is exact."""
        policy = greedy_policy(self.R)
        for _ in range(self.R.size * 100):
            moves = np.einsum("xa,xay->xy", policy, self.P)
            earned = (policy * self.R).sum(axis=1)
            value = np.linalg.solve(np.eye(len(earned)) - discount * moves, earned)
            ahead = self.R + discount * self.P @ value
            rounding = 1e-12 * np.abs(ahead).max()
            better = ahead.max(axis=1) > (policy * ahead).sum(axis=1) + rounding
            if not better.any():
                break
            policy = np.where(better[:, None], greedy_policy(ahead), policy)
        return policy


def greedy_policy(values: FloatArray) -> FloatArray:
    """Takes the best action by ``values`` (..., S, A), of equal ones the first; of that shape."""
    return np.eye(values.shape[-1])[values.argmax(axis=-1)]


class Transitions(NamedTuple):
    """Transitions (x, a, r, y), each (N,), seen in ``model``: the true one, or what they tell."""

    model: Model
    x: IntArray
    a: IntArray
    r: FloatArray
    y: IntArray


class MdpData(StrictModel):
    """A source of transitions: a class with a ``kind``, its options, and the method ``read``."""

    kind: str

    @model_validator(mode="before")
    @classmethod
    def _refuse_options_of_others(cls, data: Any) -> Any:
        refuse_options_of_others(cls, data, MDPS, {})
        return data

    @property
    def number_of_states(self) -> int:
        """S as far as the options tell, at least 1."""
        return 1

    @property
    def size(self) -> int:
        """S A as far as the options tell, at least 1."""
        return 1

    def transitions_of(self, nodes: int) -> int:
        """As far as the options tell, at least 1."""
        return 1

    @abstractmethod
    def read(self, nodes: int, discount: float, rng: np.random.Generator) -> Transitions:
        """All transitions, those of so many nodes; InputError names the option at fault."""


class RandomMdp(MdpData):
    """A model drawn at random, and transitions where the uniform policy comes: their (x, a) are of
    its discounted occupancy.
    """

    kind: Literal["random_mdp"] = Field(description="a random model and its uniform policy")
    states: Count = Field(description="S")
    actions: Annotated[int, Field(ge=2)] = Field(description="A")
    samples_per_node: Count = Field(description="transitions, on average over the nodes")
    concentration: Positive = Field(
        default=0.3, description="Dirichlet parameter of P(.|x, a); small: few next states"
    )

    @property
    def number_of_states(self) -> int:
        """See :class:`MdpData`."""
        return self.states

    @property
    def size(self) -> int:
        """See :class:`MdpData`."""
        return self.states * self.actions

    def transitions_of(self, nodes: int) -> int:
        """See :class:`MdpData`."""
        return nodes * self.samples_per_node

    def model(self, rng: np.random.Generator) -> Model:
        """P of Dirichlet rows, rewards uniform on [0, 1], a first state of a Dirichlet law."""
        S, A = self.states, self.actions
        P = rng.dirichlet(np.full(S, self.concentration), size=(S, A))
        return Model(P, rng.uniform(size=(S, A)), rng.dirichlet(np.ones(S)))

    def read(self, nodes: int, discount: float, rng: np.random.Generator) -> Transitions:
        """See :meth:`MdpData.read`."""
        model = self.model(rng)
        S, A = model.R.shape
        law = model.occupancy(np.full((S, A), 1 / A), discount).ravel()
        pairs = rng.choice(S * A, self.transitions_of(nodes), p=law / law.sum())
        x, a = pairs // A, pairs % A
        ladder = model.P.cumsum(axis=2)[x, a]
        y = (ladder < rng.uniform(size=pairs.size)[:, None] * ladder[:, -1:]).sum(axis=1)
        return Transitions(model, x, a, model.R[x, a], y)


class MdpFile(MdpData):
    """Transitions of a file; the model is what they tell, by their frequencies.

    An action that was never taken in a state stays there, at the least reward of the file: what
    nobody tried is not what a policy is praised for.
    """

    kind: Literal["file"] = Field(description="transitions read from a file")
    path: FilePath = Field(
        description="with state, action (from 0), reward, next_state: columns, or arrays of a npz"
    )
    start: Annotated[tuple[NotNegative, ...], Strict(False)] | None = Field(
        default=None, description="probabilities of the first state; all the same if absent"
    )

    def read(self, nodes: int, discount: float, rng: np.random.Generator) -> Transitions:
        """See :meth:`MdpData.read`."""
        columns = _columns(Path(self.path))
        x, a, y = (_whole(columns, name) for name in ("state", "action", "next_state"))
        S, A = int(max(x.max(), y.max())) + 1, max(int(a.max()) + 1, 2)
        if S * A * S > MOST_CELLS:
            wrong = f"{S:,} states and {A:,} actions: P would have more than {MOST_CELLS:,} numbers"
            raise InputError("path", wrong, "number both from 0")
        nowhere = np.setdiff1d(np.arange(S), x)
        if nowhere.size:
            wrong = f"state {nowhere[0]} has no transition of its own"
            raise InputError("path", wrong, "where all ends, add one to itself of reward 0")
        r = columns["reward"]
        return Transitions(_empirical(x, a, r, y, (S, A), self._law(S)), x, a, r, y)

    def _law(self, states: int) -> FloatArray:
        if self.start is None:
            return np.full(states, 1 / states)
        law = np.array(self.start)
        if law.size != states or not abs(law.sum() - 1) < 1e-9:
            wrong = f"{law.size} numbers that add up to {law.sum():g}"
            raise InputError("start", wrong, f"{states} that add up to 1 are needed")
        return law


def _empirical(
    x: IntArray, a: IntArray, r: FloatArray, y: IntArray, shape: tuple[int, int], law: FloatArray
) -> Model:
    S, A = shape
    seen, earned = np.zeros((S, A, S)), np.zeros((S, A))
    np.add.at(seen, (x, a, y), 1.0)
    np.add.at(earned, (x, a), r)
    counts = seen.sum(axis=2)
    never = counts == 0
    seen[never] = np.eye(S)[np.nonzero(never)[0]]
    counts[never], earned[never] = 1.0, r.min()
    return Model(seen / counts[:, :, None], earned / counts, law)


def _columns(path: Path) -> Mapping[str, FloatArray]:
    """The four columns, finite and of one length; InputError names what is missing."""
    if not path.is_file():
        raise InputError("path", f"no file {path.name} at {path}")
    if path.suffix.lower() == ".npz":
        stored = Stored(path)
        lacking = [name for name in COLUMNS if name not in stored]
        if lacking:
            wrong = f"{path.name} has no array {lacking[0]}"
            raise InputError("path", wrong, f"{', '.join(COLUMNS)} are needed")
        found = {name: reals(f"path: {name} of {path.name}", stored[name]) for name in COLUMNS}
    else:
        found = {name: _column(path, name) for name in COLUMNS}
    length = found["state"].shape
    for name, values in found.items():
        if values.ndim != 1 or not values.size or values.shape != length:
            wrong = f"{name} of {path.name} has shape {values.shape}"
            raise InputError("path", wrong, "one number for each transition is needed")
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            wrong = f"{name} of transition {row} (from 0) is nan or infinite"
            raise InputError("path", wrong, "finite numbers are needed")
    return found


def _column(path: Path, name: str) -> FloatArray:
    try:
        _, values = by_ending(path).read(path, Asked(target=name, leave_out=()))
    except InputError as error:
        where, wrong, right = error.args
        raise InputError("path" if where == "target" else where, wrong, right) from error
    return reals(f"path: {name} of {path.name}", values)


def _whole(columns: Mapping[str, FloatArray], name: str) -> IntArray:
    values = columns[name]
    wrong = (values != np.floor(values)) | (values < 0) | (values >= SCALE)
    if wrong.any():
        row = int(wrong.argmax())
        said = f"{name} of transition {row} (from 0) is {values[row]:g}"
        raise InputError("path", said, "whole numbers from 0 are needed")
    return values.astype(np.int64)


MDPS: Registry[type[MdpData]] = Registry("data", "dadao_sim.problems.data", kinds_of(MdpData))
