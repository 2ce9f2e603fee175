"""The network: edges as arrays, the Laplacian of given rates, and the constants chi1 and chi2."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from dadao_sim.errors import InputError
from dadao_sim.networks.edges import canonical_edges, count_components, edge_keys, find_edges
from dadao_sim.networks.ids import in_quotes, not_there, unique
from dadao_sim.networks.spectrum_dense import DenseSpectrum
from dadao_sim.strict import hides
from dadao_sim.text.cards import Card, Carded
from dadao_sim.text.lines import listed

if TYPE_CHECKING:
    import networkx
    from scipy.sparse import csr_array

    from dadao_sim.networks.spectrum_sparse import SparseSpectrum

    Spectrum: TypeAlias = DenseSpectrum | SparseSpectrum

SHOWN_CHI = 300  # nodes, up to which what is printed of a network has its constants
DENSE_NODES = 1500  # up to here the spectrum is computed in full, above it is bounded
KEPT_SPECTRA = 4
LEAST_RATE, LARGEST_RATE = 1e-100, 1e100  # beyond them products of chi1 and chi2 overflow
MOST_NODES = 2**31 - 1  # what the numbers of edges' ends can hold
FARTHEST = 1e12  # coordinate, beyond which nothing can be drawn


@dataclass(frozen=True, eq=False, repr=False)
class Network(Carded):
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
    - ids: n names of the nodes, all different, by which scenarios and messages call them; None
      where these are the numbers 0..n-1.
    - added_edges: how many edges were added to what was asked for, so that all is connected.
    - edge_attributes: by name, (|E|,) numbers of the edges (nan where unknown): latencies, prices.

    Raises InputError for anything else, and for a graph that is not connected.
    """

    nodes: int
    edges: np.ndarray
    rates: np.ndarray = None  # type: ignore[assignment]  # ones, see __post_init__
    name: str = "network"
    positions: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    lengths_km: np.ndarray | None = None
    ids: tuple[str, ...] | None = None
    added_edges: int = 0
    edge_attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    _spectra: dict[bytes, Spectrum] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.nodes, Integral):
            raise InputError("nodes", f"a whole number is needed, not {self.nodes!r}")
        if self.nodes < 2:
            raise InputError("nodes", f"at least 2 nodes are needed, not {self.nodes}")
        if self.nodes > MOST_NODES:
            raise InputError("nodes", f"{self.nodes} are too many", f"at most {MOST_NODES}")
        object.__setattr__(self, "ids", self._checked_ids())
        edges, order = canonical_edges(self.nodes, self.edges, self.called)
        given = np.asarray(self.edges)
        rates = np.ones(len(edges)) if self.rates is None else real_numbers("rates", self.rates)
        rates = self._checked_rates(rates, given)[order]
        lengths = None
        if self.lengths_km is not None:
            lengths = checked_lengths(
                self.lengths_km, order, lambda k: f"edge {self.edge_called(*given[order[k]])}"
            )
        positions = None
        if self.positions is not None:
            positions = self._checked_positions(real_numbers("positions", self.positions))
        labels = None if self.labels is None else _texts("labels", self.labels)
        if labels is not None and len(labels) != self.nodes:
            raise InputError("labels", f"{self.nodes} labels are needed, not {len(labels)}")
        for array in (edges, rates, lengths, positions):
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "labels", labels)
        values = {"edges": edges, "rates": rates, "lengths_km": lengths, "positions": positions}
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)
        attributes = numbers_by_name("edge_attributes", self.edge_attributes, order)
        object.__setattr__(self, "edge_attributes", attributes)
        parts = count_components(self.nodes, edges)
        if parts > 1:
            raise InputError(f"the graph is not connected, it has {parts} components; connect them")

    def _checked_ids(self) -> tuple[str, ...] | None:
        if self.ids is None:
            return None
        ids = _texts("ids", self.ids)
        if len(ids) != self.nodes:
            raise InputError("ids", f"{self.nodes} ids are needed, not {len(ids)}")
        unique(ids)
        return None if ids == tuple(map(str, range(self.nodes))) else ids

    def _checked_rates(self, rates: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """The rates if there is one per edge and chi1 and chi2 can be computed of them."""
        _check_shape("rates", rates, (len(edges),))
        bad = ~((rates >= LEAST_RATE) & (rates <= LARGEST_RATE))
        if bad.any():
            edge = int(bad.argmax())
            raise InputError(
                "rates",
                f"the rate of edge {self.edge_called(*edges[edge])} is {rates[edge]}",
                "rates must be finite and > 0"
                if not 0 < rates[edge] < np.inf
                else f"they must lie between {LEAST_RATE:g} and {LARGEST_RATE:g}",
            )
        return rates

    def _checked_positions(self, positions: np.ndarray) -> np.ndarray:
        _check_shape("positions", positions, (self.nodes, 2))
        bad = (np.abs(positions) > FARTHEST).any(axis=1)
        if bad.any():
            node = int(bad.argmax())
            x, y = positions[node]
            raise InputError(
                "positions",
                f"node {self.called(node)} lies at ({x:g}, {y:g})",
                f"coordinates must be finite, at most {FARTHEST:g}",
            )
        return positions

    def card(self) -> Card:
        """See :class:`Carded`; chi1 and chi2 where they take no time."""
        degree = np.bincount(self.edges.ravel(), minlength=self.nodes)
        mean = f", mean {degree.mean():.3g}" if degree.min() < degree.max() else ""
        facts = {
            "degree": in_range(degree) + mean,
            "rates": in_range(self.rates),
        }
        if self.nodes <= SHOWN_CHI:
            facts["chi1, chi2"] = f"{self.chi1(self.rates):.4g}, {self.chi2(self.rates):.4g}"
        facts |= {} if self.ids is None else {"ids": listed(self.ids, 60)}
        facts |= {} if not self.edge_attributes else {"of edges": listed(self.edge_attributes, 60)}
        facts |= {"added": f"{self.added_edges:,} edges"} if self.added_edges else {}
        return Card(f"Network {self.name}: {self.nodes:,} nodes, {len(self.edges):,} edges", facts)

    @property
    def graphs(self) -> tuple[Network, ...]:
        """The graphs the network goes through: itself (see GraphSequence)."""
        return (self,)

    @cached_property
    def _keys(self) -> np.ndarray:
        return edge_keys(self.edges, self.nodes)

    def edge_indices(self, i: ArrayLike, j: ArrayLike) -> np.ndarray:
        """Ids of the edges {i, j}, in either order; InputError if there is no such edge."""
        return find_edges(self._keys, self.nodes, i, j, self.called)

    # ---- what nodes are called ------------------------------------------------------------------

    @cached_property
    def _places(self) -> dict[str, int]:
        ids = map(str, range(self.nodes)) if self.ids is None else self.ids
        return {name: k for k, name in enumerate(ids)}

    def node(self, name: int | str) -> int:
        """The number, 0..n-1, of the node with this id; InputError if there is none.

        Where the graph has ids a number is one of them, never a place.
        """
        if str(name) in self._places:
            return self._places[str(name)]
        raise not_there(name, self.ids, self.nodes)

    def called(self, node: int) -> str:
        """What a message calls node number ``node``: its id in quotes, or the number."""
        return str(node) if self.ids is None else in_quotes(self.ids[node])

    def edge_called(self, i: int, j: int) -> str:
        """What a message calls the edge between nodes number i and j."""
        return f"{self.called(int(i))}-{self.called(int(j))}"

    def relabelled(self, order: ArrayLike) -> Network:
        """The same graph with node ``order[k]`` as number k; ``order`` is a permutation.

        Nodes that have ids keep them, others are called by their new numbers.
        """
        given, order = order, np.asarray(order)
        whole = np.issubdtype(order.dtype, np.integer) and not hides(given)
        whole &= order.shape == (self.nodes,)
        if not whole or not np.array_equal(np.sort(order), np.arange(self.nodes)):
            raise InputError("order", f"a permutation of 0..{self.nodes - 1} is needed")
        rank = np.empty(self.nodes, dtype=np.int32)
        rank[order] = np.arange(self.nodes)
        return replace(
            self,
            edges=rank[self.edges],
            positions=None if self.positions is None else self.positions[order],
            labels=None if self.labels is None else tuple(self.labels[k] for k in order),
            ids=None if self.ids is None else tuple(self.ids[k] for k in order),
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
            return DenseSpectrum(self.laplacian(w).toarray(), self.edges, w)
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
        return self._checked_rates(real_numbers("rates", weights), self.edges)

    # ---- the border with networkx -----------------------------------------------------------

    @classmethod
    def from_networkx(
        cls, graph: networkx.Graph, rates: str | None = None, name: str | None = None
    ) -> Network:
        """The network of a networkx graph; its nodes are numbered in the graph's own order, those
        called 0..n-1 by these numbers.

        Kept: the nodes as ids (their text), labels (node attribute ``label``, else the node
        itself), ``longitude``/``latitude`` or ``pos`` as positions, the edge attribute
        ``length_km``, other edge attributes that are numbers, and the one named by ``rates`` as
        relative rates. InputError for directed graphs, multigraphs, missing rates, what is no
        number.
        """
        from dadao_sim.networks.convert import from_networkx

        return from_networkx(graph, rates, name)

    def to_networkx(self) -> networkx.Graph:
        """A networkx graph on the ids, or 0..n-1: ``label``, ``pos``, ``length_km``, the other
        edge attributes, ``gossip_rate``.
        """
        from dadao_sim.networks.convert import to_networkx

        return to_networkx(self)


def _texts(what: str, names: Any) -> tuple[str, ...]:
    """One text per node. InputError for what is no list of anything."""
    try:
        return tuple(map(str, names))
    except TypeError:
        raise InputError(what, f"one text per node is needed, not {names!r}") from None


def in_range(values: np.ndarray) -> str:
    """Numbers by their range; of equal ones that they are."""
    least, most = float(values.min()), float(values.max())
    return f"all {least:.4g}" if least == most else f"{least:.4g} to {most:.4g}"


def real_numbers(name: str, values: ArrayLike) -> np.ndarray:
    """A new array of floats. InputError for what is not made of real numbers."""
    if hides(values):
        raise InputError(name, "some are masked", "give every one")
    with suppress(TypeError, ValueError, OverflowError):
        given = np.asarray(values)
        text = given.dtype.kind == "O" and any(isinstance(one, str | bytes) for one in given.flat)
        if given.dtype.kind in "biuf" or (given.dtype.kind == "O" and given.ndim and not text):
            return np.array(given, dtype=float)
    raise InputError(name, "real numbers are needed", "give an array of floats")


def checked_lengths(
    lengths: ArrayLike, order: np.ndarray, called: Callable[[int], str], each: str = "edge"
) -> np.ndarray:
    """Lengths of edges or arcs in the ``order`` (m,), read-only; number k of that is ``called`` so.

    InputError for a wrong number of them, and for one that is negative or infinite.
    """
    found = real_numbers("lengths_km", lengths)
    _check_shape("lengths_km", found, order.shape, each)
    found = found[order]
    bad = (found < 0) | np.isinf(found)
    if bad.any():
        worst = int(bad.argmax())
        wrong = f"{called(worst)} is {found[worst]:g} km long"
        raise InputError("lengths_km", wrong, "lengths must be finite and at least 0")
    found.flags.writeable = False
    return found


def numbers_by_name(
    where: str, given: Any, order: np.ndarray, each: str = "edge"
) -> dict[str, np.ndarray]:
    """Attributes of edges or arcs, read-only, in the ``order`` (m,). InputError, of the argument
    ``where``, for what is none.
    """
    if not isinstance(given, Mapping):
        raise InputError(where, f"arrays by name are needed, not a {type(given).__name__}")
    found = {}
    for name, values in given.items():
        if not isinstance(name, str):
            raise InputError(where, f"names are texts, not {name!r}")
        numbers = real_numbers(f"{where}.{name}", values)
        _check_shape(f"{where}.{name}", numbers, order.shape, each)
        found[name] = numbers[order]
        found[name].flags.writeable = False
    return found


def _check_shape(name: str, values: np.ndarray, shape: tuple[int, ...], each: str = "edge") -> None:
    if values.shape != shape:
        one = f"one per {each} is needed, " if len(shape) == 1 else ""
        raise InputError(name, f"{one}shape {shape}, not {values.shape}")
