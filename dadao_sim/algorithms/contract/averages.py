"""What methods that only take the mean start from."""

import numpy as np

from dadao_sim.algorithms.contract.nodes import Nodes


def centres(X: np.ndarray, nodes: Nodes) -> np.ndarray:
    """The c_i of f_i(x) = ||x - c_i||^2/2, (n, d): X - grad F(X), at a gradient for each node."""
    return X - nodes.gradients(X)
