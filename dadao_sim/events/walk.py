"""The clock of a token that walks over the network: one node after the other has it."""

from typing import Any

import numpy as np

from dadao_sim.compiled.kernel import kernel
from dadao_sim.events.asked import PoissonRates
from dadao_sim.events.log import GOSSIP, GRADIENT, TYPES, Events

STEPS = 8192  # of the walk, drawn at a time; part of what a seed means


def rates_of_walk(network: Any) -> PoissonRates:
    """What comes of a Metropolis-Hastings walk of n steps per unit of time: every node has the
    token as often, and edge (i, j) is gone over at the rate 2/max(deg_i, deg_j).
    """
    degrees = np.bincount(network.edges.ravel(), minlength=network.nodes)
    edges = 2 / degrees[network.edges].max(axis=1)
    return PoissonRates(nodes=np.ones(network.nodes), edges=edges, pace="walk")


@kernel
def walk(uniforms, accepts, holder, begins, neighbours, edge_ids, holders, targets, edges):
    """Write who has the token at each step, and to whom it goes over which edge, -1 where it stays;
    returns who has it then.
    """
    for step in range(uniforms.shape[0]):
        first = begins[holder]
        degree = begins[holder + 1] - first
        place = first + min(int(uniforms[step] * degree), degree - 1)
        target = neighbours[place]
        holders[step] = holder
        if accepts[step] * (begins[target + 1] - begins[target]) < degree:
            targets[step], edges[step] = target, edge_ids[place]
            holder = target
        else:
            targets[step] = edges[step] = -1
    return holder


class WalkClock:
    """A source of windows of ``STEPS`` steps of the token, the same for the same seed sequence.

    At step k, at time k/n, the node that has the token computes; then a neighbour is drawn, which
    gets it over their edge with probability min(1, deg/deg of the neighbour), so that in the long
    run every node has it as often. The first node is drawn too.
    """

    def __init__(self, network: Any, seed: np.random.SeedSequence):
        self.nodes, ends, count = network.nodes, network.edges, len(network.edges)
        order = np.argsort(np.concatenate([ends[:, 0], ends[:, 1]]), kind="stable")
        self.neighbours = np.concatenate([ends[:, 1], ends[:, 0]]).astype(np.int64)[order]
        self.edge_ids = np.tile(np.arange(count), 2)[order]
        degrees = np.bincount(ends.ravel(), minlength=self.nodes)
        self.begins = np.concatenate([[0], np.cumsum(degrees)])
        self.rng = np.random.Generator(np.random.PCG64(seed))
        self.holder = int(self.rng.integers(self.nodes))
        self.first_row = self.steps = 0

    def window(self) -> Events:
        """The events of the next ``STEPS`` steps: a gradient each, and an exchange if it moves."""
        holders, targets, edges = np.empty((3, STEPS), dtype=np.int64)
        self.holder = walk(
            *(self.rng.random(STEPS), self.rng.random(STEPS), self.holder),
            *(self.begins, self.neighbours, self.edge_ids, holders, targets, edges),
        )
        time = (self.steps + np.arange(1.0, STEPS + 1)) / self.nodes
        none = np.full(STEPS, -1)
        columns: dict[str, Any] = {
            "time": (time, time),
            "kind": (np.full(STEPS, GRADIENT), np.full(STEPS, GOSSIP)),
            "i": (holders, holders),
            "j": (none, targets),
            "edge": (none, edges),
        }
        happens = np.stack([np.ones(STEPS, dtype=bool), targets >= 0], axis=1)
        arrays: dict[str, Any] = {
            name: np.stack(pair, axis=1)[happens].astype(TYPES[name])
            for name, pair in columns.items()
        }
        rows = len(arrays["time"])
        marks = self.rng.integers(0, 2**64, size=rows, dtype=np.uint64)
        events = Events(**arrays, mark=marks, start=np.full(rows, -1), first_row=self.first_row)
        self.steps += STEPS
        self.first_row += rows
        return events
