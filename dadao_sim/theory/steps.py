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
from dadao_sim.theory.perron import Growth
from dadao_sim.theory.second_moment import products

MOST_STATES = 40  # of half their square, of whose map all eigenvalues are found


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
    """As ``Energies.growth``, per unit of time.

    By all eigenvalues of the map: a step hardly tells the slowest part from the next, so that
    powers of it seem to settle long before they do.
    """
    size = len(events.push)
    if size > MOST_STATES:
        raise InputError(
            "network",
            f"{size} numbers in the state of a method whose steps are counted",
            f"at most {MOST_STATES} are possible",
        )
    T = events.reached
    symmetric = _symmetric(T)
    values, vectors = np.linalg.eig(symmetric.T @ (step_map(events) @ symmetric))
    largest = int(np.abs(values).argmax())
    moment = (symmetric @ vectors[:, largest].real).reshape(size, size)
    mean = np.linalg.eigvals(np.eye(T.shape[1]) + T.T @ (events.drift @ T))
    return Growth(
        math.log(np.abs(values[largest])) / events.duration,
        2 * math.log(np.abs(mean).max()) / events.duration,
        moment / np.trace(moment),
    )


def _symmetric(T: np.ndarray) -> np.ndarray:
    """An orthonormal basis, by columns, of the symmetric matrices T S T^T, (N^2, r (r + 1)/2)."""
    r = T.shape[1]
    pairs = np.kron(T, T)
    a, b = np.triu_indices(r)
    found = pairs[:, a * r + b] + pairs[:, b * r + a]
    return np.asarray(found / np.where(a == b, 2.0, math.sqrt(2)))
