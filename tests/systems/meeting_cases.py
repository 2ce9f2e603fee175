"""Meetings that nothing was learned from, and what is measured of their values."""

import networkx as nx
import numpy as np

from dadao_sim.problems.build import build_problem
from dadao_sim.problems.kinds.meeting import PLANE, MeetingForm, MeetingKind

SCENARIO = "systems/meeting"
KIND = MeetingKind(kind="meeting")
FORM = MeetingForm()
PROGRAMME = FORM.programme()
NAMES = ("meeting", "meeting_self")
HELD_OUT = 10
GRAPHS = {"cycle": nx.cycle_graph(5), "star": nx.star_graph(4)}


def instance(number, agents=10):
    """Agents as a scenario draws them, of a seed of the tests' own."""
    return build_problem(KIND, agents, np.random.default_rng([77, number]))


def thetas(count, seed=0, beyond=1.0):
    box = KIND.box * beyond
    return np.random.default_rng([78, seed]).uniform(box[:, 0], box[:, 1], (count, len(box)))


def value(theta):
    return PROGRAMME.objective(PROGRAMME.solve(theta).u, theta)


def central(f, x, h):
    return np.array([(f(x + e) - f(x - e)) / (2 * h) for e in h * np.eye(len(x))])


def gradient(theta):
    return PROGRAMME.slope(PROGRAMME.solve(theta), theta)[:PLANE]


def sampled_slopes(slope, count):
    """The least and the largest <g(x) - g(y), x - y>/|x - y|^2 in x, theta's rest the same."""
    found = []
    for theta, other in zip(thetas(count, 1), thetas(count, 2), strict=True):
        moved = np.concatenate([other[:PLANE], theta[PLANE:]])
        step = (theta - moved)[:PLANE]
        found.append((slope(theta) - slope(moved)) @ step / (step @ step))
    return min(found), max(found)
