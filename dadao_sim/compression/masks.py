"""What an operator that is linear once it is drawn multiplies the numbers of a vector by."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Masks:
    """Of Q(v) = m * v, m in R^d drawn whatever v is: E m_j = ``mean`` of every number, and Cov m =
    ``covariance`` (d, d). So Q(v) has the mean E m v and the covariance Cov m * v v^T.
    """

    mean: float
    covariance: np.ndarray

    @property
    def are_of_vectors(self) -> bool:
        """Whether all numbers of a vector are multiplied by the same, in any coordinates then."""
        return bool((self.covariance == self.covariance[0, 0]).all())

    @property
    def are_drawn(self) -> bool:
        """Whether there is anything at random."""
        return bool(self.covariance.any())

    def along(self, coordinate: int) -> "Masks":
        """Those of one number."""
        one = slice(coordinate, coordinate + 1)
        return Masks(self.mean, self.covariance[one, one])
