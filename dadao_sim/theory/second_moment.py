"""The equation of the first and second moments, written out as one sparse matrix.

Of deviations s from the point at rest, where event r reads what is left, o_r, the vector
(E s s^T, E s, 1) obeys y' = L y. Its entries are few: a node's events touch two nodes.
"""

import numpy as np
from scipy.sparse import block_array, block_diag, coo_array, csc_array, csr_array, eye_array, kron

from dadao_sim.theory.rest import Part


def generator(part: Part) -> csr_array:
    """L, ((N^2 + N + 1), the same)."""
    events = part.events
    size, k = events.A.shape[0], events.width
    eye = eye_array(size, format="csr")
    r = part.residuals
    weights = np.repeat(events.rates, k * k)
    jumps = csr_array(products(events.W, k) * weights)
    moments = kron(events.drift, eye) + kron(eye, events.drift) + jumps @ products(events.Q, k).T
    # (q + r)(q + r)^T of what is read, q linear in s.
    across = [np.kron(o[:, None], np.eye(k)) + np.kron(np.eye(k), o[:, None]) for o in r]
    means = jumps @ block_diag(across, format="csr") @ events.Q.T
    constant = jumps @ np.einsum("mk,ml->mkl", r, r).reshape(-1, 1)
    if part.noise is not None:
        more = _of_noise(part)
        moments, means, constant = moments + more[0], means + more[1], constant + more[2]
    rows = [
        [moments, means, csr_array(constant)],
        [None, events.drift, None],
        [None, None, csr_array((1, 1))],
    ]
    return csr_array(block_array(rows, format="csr"))


def _of_noise(part: Part) -> tuple[csr_array, csr_array, np.ndarray]:
    """What the errors of minibatches add to E s s^T: of E s s^T, of E s, and always."""
    noise = part.noise
    assert noise is not None
    n, d = len(noise.rates), noise.errors.dimension
    units = np.eye(d * d).reshape(-1, d, d)
    # Symmetric, for the covariance of errors is a function of symmetric matrices.
    units = (units + units.transpose(0, 2, 1)) / 2
    grown = np.stack([noise.errors.around(np.tile(unit, (n, 1, 1))) for unit in units], axis=-1)
    jumps = csr_array(products(noise.W, d) * np.repeat(noise.rates, d * d))
    around = block_diag(grown.reshape(n, d * d, d * d), format="csr")
    moments = jumps @ around @ products(noise.P, d).T
    states = np.eye(part.events.A.shape[0])
    shifts = np.stack([noise.across(part.rest, unit).ravel() for unit in states], axis=-1)
    constant = jumps @ noise.at(part.rest).reshape(-1, 1)
    return csr_array(moments), csr_array(jumps @ shifts), constant


def products(columns: csc_array, width: int) -> csc_array:
    """w_a (x) w_b for the ``width`` columns a, b of each event: (N^2, events width^2)."""
    size, count = columns.shape
    rows, cols, values = [], [], []
    for event in range(count // width):
        of_event = columns[:, event * width : (event + 1) * width]
        pairs = coo_array(kron(of_event, of_event))
        i, j = pairs.coords
        rows.append(i)
        cols.append(j + event * width**2)
        values.append(pairs.data)
    at = np.concatenate(rows), np.concatenate(cols)
    shape = (size**2, count * width)
    return csc_array(coo_array((np.concatenate(values), at), shape=shape))
