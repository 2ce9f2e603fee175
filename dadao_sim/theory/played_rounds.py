"""Rounds on quadratics as matrices, found by playing a method's step on every unit of the state.

What gossip conserves, and the mean of what drifts, is no part of the state.
"""

import numpy as np

from dadao_sim.algorithms.contract.method import Tuning
from dadao_sim.algorithms.contract.nodes import Nodes
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import InputError
from dadao_sim.problems.kinds.problem import Problem

ROUNDING = 1e-7  # by which a step may miss its linear form, or what is conserved move, relative
ENDED = 1e-6  # a state that counts as 0, from one of size 1
LATER = 5  # times as many rounds after which the step must be the same


class PlayedRounds:
    """The rounds of a method on quadratics with x* = 0, linear in the blocks, of which the means of
    conserved and drifting ones are left out.
    """

    def __init__(self, method: RoundMethod, tuning: Tuning, problem: Problem):
        self.method, self.tuning = method, tuning
        self.shape = problem.nodes, problem.dimension
        objective = problem.with_conjugate() if method.needs_conjugate else problem.objective
        tally = Tally()
        self.nodes = self.oracles(objective, np.ones(problem.nodes), tally)
        self.W = method.gossip(tuning, tally)
        n, d = self.shape
        ones = np.full((n, 1), n**-0.5)
        others = np.linalg.qr(np.hstack([ones, np.eye(n)[:, 1:]]))[0][:, 1:]
        without_mean = {*method.invariant, *method.drifting}
        self.bases = [
            np.kron(others if block in without_mean else np.eye(n), np.eye(d))
            for block in method.blocks
        ]
        self.starts = np.cumsum([0, *(basis.shape[1] for basis in self.bases)])

    def oracles(self, objective: object, share: np.ndarray, tally: Tally) -> Nodes:
        """What the nodes compute."""
        return Nodes(objective, share, tally, stochastic=False)

    @property
    def size(self) -> int:
        """Numbers in the state."""
        return int(self.starts[-1])

    def step(self, rounds: int, heads: bool = True) -> np.ndarray:
        """The matrix of ``rounds`` rounds from the first one, in the coordinates of ``bases``."""
        found = np.empty((self.size, self.size))
        for column, unit in enumerate(np.eye(self.size)):
            found[:, column] = self.play(unit, rounds, heads)
        mixed = np.random.default_rng(0).standard_normal(self.size)
        self.check(found @ mixed, self.play(mixed, rounds, heads), "is not linear")
        later = self.play(mixed, rounds, heads, LATER * rounds)
        self.check(found @ mixed, later, "is another in each round")
        return found

    def check(self, wanted: np.ndarray, after: np.ndarray, wrong: str) -> None:
        """InputError, with what is ``wrong``, where a round leads elsewhere than it should."""
        if np.abs(after - wanted).max() > ROUNDING * max(np.abs(wanted).max(), ENDED):
            raise InputError(f"{self.method.name}: no exact rate is known: its step {wrong}")

    def play(
        self,
        s: np.ndarray,
        rounds: int,
        heads: bool = True,
        first: int | None = None,
        keeps: bool = True,
    ) -> np.ndarray:
        """The state after ``rounds`` rounds, from number ``first``; round 0 may do what no later
        one does. InputError, if it ``keeps`` the means that it declares to, where it does not.
        """
        method, parts = self.method, np.split(s, self.starts[1:-1])
        blocks = [basis @ part for basis, part in zip(self.bases, parts, strict=True)]
        state = method.state(
            {name: v.reshape(self.shape) for name, v in zip(method.blocks, blocks, strict=True)}
        )
        self.W.made = 0
        for number in range(rounds):
            self.nodes.at((first or rounds) + number, 0)
            self.nodes.heads = heads
            method.step(state, self.tuning.params, self.nodes, self.W)
        after = [getattr(state, name).ravel() for name in method.blocks]
        inside = self.inside(after)
        if keeps:
            self._check_means(after, inside)
        return inside

    def inside(self, blocks: list[np.ndarray]) -> np.ndarray:
        """Blocks in the coordinates of ``bases``."""
        return np.concatenate([basis.T @ v for basis, v in zip(self.bases, blocks, strict=True)])

    def _check_means(self, blocks: list[np.ndarray], inside: np.ndarray) -> None:
        parts = np.split(inside, self.starts[1:-1])
        for name, basis, v, u in zip(self.method.blocks, self.bases, blocks, parts, strict=True):
            if name in self.method.invariant and np.abs(v - basis @ u).max() > ROUNDING * max(
                1.0, np.abs(v).max()
            ):
                raise InputError(
                    f"{self.method.name}: block {name} does not keep its mean, as it declares"
                )
