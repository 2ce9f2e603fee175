"""Methods in discrete time: every node flows for a step, then one event happens somewhere.

With Phi the flow of a step and p_r the probability of event r, the second moment obeys

    M+ = sum_r p_r (I + W_r Q_r^T) Phi M Phi^T (I + W_r Q_r^T)^T,

and grows by the spectral radius of that map in each step.
"""

import math

import numpy as np
from scipy.sparse import csr_array, eye_array, kron

from dadao_sim.errors import InputError
from dadao_sim.theory.linear_events import LinearEvents
from dadao_sim.theory.perron import Growth, perron
from dadao_sim.theory.second_moment import products

MOST_STATES = 40  # of their square, whose map is applied as many times at once


def step_map(events: LinearEvents) -> csr_array:
    """M -> M+ as one sparse matrix, (N^2, N^2)."""
    p, k = events.rates * events.duration, events.width
    eye = eye_array(len(events.push), format="csr")
    mean = csr_array((events.W * np.repeat(p, k)) @ events.Q.T)
    jumps = (products(events.W, k) * np.repeat(p, k * k)) @ products(events.Q, k).T
    change = kron(mean, eye) + kron(eye, mean) + jumps
    flow = kron(events.A, events.A)
    return csr_array(flow + change @ flow)


def growth_of_steps(events: LinearEvents) -> Growth:
    """As ``Energies.growth``, per unit of time."""
    T, whole = events.reached, step_map(events)
    onto, size = T @ T.T, len(events.push)
    if size > MOST_STATES:
        raise InputError(
            "network",
            f"{size} numbers in the state of a method whose steps are counted",
            f"at most {MOST_STATES} are possible",
        )

    def apply(M: np.ndarray) -> np.ndarray:
        for _ in range(size):  # one step hardly tells the slowest from the next
            M = onto @ (whole @ M.ravel()).reshape(size, size) @ onto
        return M

    root, moment = perron(lambda M: apply(M[0])[None], onto[None])
    mean = np.linalg.eigvals(np.eye(T.shape[1]) + T.T @ (events.drift @ T))
    slowest = 2 * math.log(np.abs(mean).max())
    return Growth(math.log(root) / size / events.duration, slowest / events.duration, moment[0])
