"""The network: edges as arrays, the Laplacian of given rates, and the constants chi1 and chi2."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError
from dadao_sim.networks.edges import canonical_edges, count_components, edge_keys, find_edges
from dadao_sim.networks.spectrum_dense import DenseSpectrum

if TYPE_CHECKING:
    import networkx
    from scipy.sparse import csr_array

    from dadao_sim.networks.spectrum_sparse import SparseSpectrum

    Spectrum: TypeAlias = DenseSpectrum | SparseSpectrum

DENSE_NODES = 1500  # up to here the spectrum is computed in full, above it is bounded
KEPT_SPECTRA = 4


@dataclass(frozen=True, eq=False)
class Network:
    """A connected simple graph on nodes 0..n-1, and the relative rates of its edges.

    The constructor puts the edges into one order (i < j, lexicographic), with all that is per edge,
    and makes the arrays read-only.

    - nodes: number of nodes n, at least 2.
    - edges: (|E|, 2) int32, i < j, sorted, no edge twice.
    - rates: (|E|,) relative gossip rates, > 0; by default ones (uniform).
    - name: what to call it in tables and figures.
    - positions: (n, 2) where to draw the nodes (nan where unknown), or None.
    - labels: n names of the nodes, or None.
    - lengths_km: (|E|,) lengths of the edges in kilometres (nan where unknown), or None.

    Raises InputError for anything else, and for a graph that is not connected.
    """

    nodes: int
    edges: np.ndarray
    rates: np.ndarray = None  # type: ignore[assignment]  # ones, see __post_init__
    name: str = "network"
    positions: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    lengths_km: np.ndarray | None = None
    _spectra: dict[bytes, Spectrum] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.nodes, Integral):
            raise InputError("nodes", f"a whole number is needed, not {self.nodes!r}")
        if self.nodes < 2:
            raise InputError("nodes", f"at least 2 nodes are needed, not {self.nodes}")
        edges, order = canonical_edges(self.nodes, self.edges)
        rates = np.ones(len(edges)) if self.rates is None else np.asarray(self.rates, dtype=float)
        rates = checked_rates(rates, len(edges))[order]
        lengths = None if self.lengths_km is None else np.array(self.lengths_km, dtype=float)
        if lengths is not None:
            if lengths.shape != (len(edges),):
                wanted = f"one length per edge is needed, shape ({len(edges)},)"
                raise InputError("lengths_km", f"{wanted}, not {lengths.shape}")
            lengths = lengths[order]
        positions = None if self.positions is None else np.array(self.positions, dtype=float)
        if positions is not None and positions.shape != (self.nodes, 2):
            raise InputError(
                "positions", f"shape ({self.nodes}, 2) is needed, not {positions.shape}"
            )
        if self.labels is not None and len(self.labels) != self.nodes:
            raise InputError("labels", f"{self.nodes} labels are needed, not {len(self.labels)}")
        for array in (edges, rates, lengths, positions):
            if array is not None:
                array.flags.writeable = False
        values = {"edges": edges, "rates": rates, "lengths_km": lengths, "positions": positions}
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)
        parts = count_components(self.nodes, edges)
        if parts > 1:
            raise InputError(f"the graph is not connected, it has {parts} components; connect them")

    @property
    def graphs(self) -> tuple[Network, ...]:
        """The graphs the network goes through: itself (see GraphSequence)."""
        return (self,)

    @cached_property
    def _keys(self) -> np.ndarray:
        return edge_keys(self.edges, self.nodes)

    def edge_indices(self, i: ArrayLike, j: ArrayLike) -> np.ndarray:
        """Ids of the edges {i, j}, in either order; InputError if there is no such edge."""
        return find_edges(self._keys, self.nodes, i, j)

    def relabelled(self, order: ArrayLike) -> Network:
        """The same graph with node ``order[k]`` renamed k; ``order`` is a permutation."""
        order = np.asarray(order)
        if not np.array_equal(np.sort(order), np.arange(self.nodes)):
            raise InputError("order", f"a permutation of 0..{self.nodes - 1} is needed")
        rank = np.empty(self.nodes, dtype=np.int32)
        rank[order] = np.arange(self.nodes)
        return replace(
            self,
            edges=rank[self.edges],
            positions=None if self.positions is None else self.positions[order],
            labels=None if self.labels is None else tuple(self.labels[k] for k in order),
        )

    # ---- the Laplacian of given rates -------------------------------------------------------

    def laplacian(self, weights: ArrayLike | None = None) -> csr_array:
        """Laplacian sum_e w_e b_e b_e^T as a scipy csr array; weights are ones by default."""
        from scipy.sparse import coo_array

        w = self._weights(weights)
        i, j = self.edges.T
        degree = np.bincount(i, w, self.nodes) + np.bincount(j, w, self.nodes)
        every = np.arange(self.nodes, dtype=np.int32)
        rows, columns = np.concatenate([i, j, every]), np.concatenate([j, i, every])
        values = np.concatenate([-w, -w, degree])
        return coo_array((values, (rows, columns)), shape=(self.nodes, self.nodes)).tocsr()

    def spectrum(self, weights: ArrayLike | None = None) -> Spectrum:
        """Eigenvalues and resistances for these weights; the last few are kept."""
        w = self._weights(weights)
        key = hashlib.sha256(w.tobytes()).digest()
        if key not in self._spectra:
            while len(self._spectra) >= KEPT_SPECTRA:
                self._spectra.pop(next(iter(self._spectra)))
            self._spectra[key] = self._new_spectrum(w)
        return self._spectra[key]

    def _new_spectrum(self, w: np.ndarray) -> Spectrum:
        if self.nodes <= DENSE_NODES:
            return DenseSpectrum(self.laplacian(w).toarray(), self.edges)
        from dadao_sim.networks.spectrum_sparse import SparseSpectrum

        return SparseSpectrum(self.laplacian(w), self.edges, w)

    def lambda_2(self, weights: ArrayLike | None = None) -> float:
        """Smallest positive eigenvalue of the Laplacian (above 1500 nodes a lower bound)."""
        return self.spectrum(weights).lambda_2

    def lambda_max(self, weights: ArrayLike | None = None) -> float:
        """Largest eigenvalue of the Laplacian (above 1500 nodes an upper bound)."""
        return self.spectrum(weights).lambda_max

    def resistances(self, rates: ArrayLike | None = None) -> np.ndarray:
        """Effective resistance b_e^T Lambda^+ b_e of every edge (above 1500 nodes upper bounds)."""
        return self.spectrum(rates).resistances

    def chi1(self, rates: ArrayLike | None = None) -> float:
        """1 / lambda_2 of the Laplacian of the rates; never underestimated."""
        return 1.0 / self.lambda_2(rates)

    def chi2(self, rates: ArrayLike | None = None) -> float:
        """Half the largest effective resistance over an edge; never underestimated."""
        return 0.5 * float(self.resistances(rates).max())

    def _weights(self, weights: ArrayLike | None) -> np.ndarray:
        if weights is None:
            return np.ones(len(self.edges))
        return checked_rates(np.asarray(weights, dtype=float), len(self.edges))

    # ---- the border with networkx -----------------------------------------------------------

    @classmethod
    def from_networkx(
        cls, graph: networkx.Graph, rates: str | None = None, name: str | None = None
    ) -> Network:
        """The network of a networkx graph; its nodes are numbered in the graph's own order.

        Kept: labels (node attribute ``label``, else the node itself), ``longitude``/``latitude`` or
        ``pos`` as positions, the edge attribute ``length_km``, and the edge attribute named by
        ``rates`` as relative rates. InputError for directed graphs, multigraphs, missing rates.
        """
        from dadao_sim.networks.convert import from_networkx

        return from_networkx(graph, rates, name)

    def to_networkx(self) -> networkx.Graph:
        """A networkx graph on 0..n-1: ``label``, ``pos``, ``length_km``, ``gossip_rate``."""
        from dadao_sim.networks.convert import to_networkx

        return to_networkx(self)


def checked_rates(rates: np.ndarray, count: int) -> np.ndarray:
    """The rates if there is one per edge, finite and > 0; else InputError."""
    if rates.shape != (count,):
        raise InputError(
            "rates", f"one rate per edge is needed, shape ({count},), not {rates.shape}"
        )
    bad = ~(np.isfinite(rates) & (rates > 0))
    if bad.any():
        edge = int(np.flatnonzero(bad)[0])
        raise InputError(
            "rates", f"the rate of edge {edge} is {rates[edge]}", "rates must be finite and > 0"
        )
    return rates
