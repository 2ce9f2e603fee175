"""Certified bounds on the effective resistance of every edge, from the graph near the edge only.

For an edge e = (i, j) of resistance R = b^T L^+ b, b = e_i - e_j, and a ball B of nodes around it:

(a) R <= the resistance of e in the subgraph induced by B (Rayleigh: removing edges raises it);
(b) with L_BB phi = b on B and phi = 0 outside, R >= b^T phi (Dirichlet: shorting all nodes outside
    B into one lowers it). The residual r = b - L phi lives outside B, where phi is zero, and sums
    to zero, so that
    R = (L phi + r)^T L^+ (L phi + r) = b^T phi + r^T L^+ r <= b^T phi + chi1 |r|^2.

(a) is tight where the graph is like a lattice, (b) where it is an expander. Both need one
elimination of B down to the pair (i, j): the network as seen from its two ends.
Where the way round an edge is long, neither sees it: a few such edges are solved for globally.
"""

import numpy as np
from scipy.sparse import csr_array

from dadao_sim.compiled.kernel import kernel
from dadao_sim.networks.spectrum_dense import resistances_by_cholesky

FIRST_BALL = 32
LARGEST_BALL = 512
TOLERANCE = 0.02  # relative width at which an interval counts as closed
PILOTS = 8
MOST_STEPS = 1000  # of conjugate gradients
MOST_SOLVED = 20_000_000  # nodes times edges solved for globally
LARGEST_DENSE = 8192  # nodes up to which the whole graph may be inverted: half a GiB
DENSE_SPEED = 10  # steps of an inversion that take as long as one of the balls
HUB_DEGREE = 1024  # nodes with more neighbours stay outside the balls, for time


def resistance_bounds(
    laplacian: csr_array, edges: np.ndarray, weights: np.ndarray, chi1: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bounds of b_e^T L^+ b_e, (|E|,) each; ``chi1`` >= 1/lambda_2.

    Every edge gets a ball of 32 nodes unless its own ends already give it to 2 %. Then the balls
    grow, up to 512 nodes, around the edges that may still have the largest resistance of all, and
    the worst few of those that remain are solved for on the whole graph. Where the first balls
    alone would take longer than an inversion of the whole graph, this gives every edge instead.
    """
    lower, upper = pair_bounds(laplacian, edges, weights, chi1)
    if in_full_is_faster(laplacian, edges, np.flatnonzero(upper > (1 + TOLERANCE) * lower)):
        found, condition = resistances_by_cholesky(laplacian.toarray(), edges)
        if condition > 0:
            return found, found
    csr = (laplacian.indptr, laplacian.indices, laplacian.data, laplacian.diagonal())

    def refine(chosen: np.ndarray, size: int) -> None:
        _refine(*csr, edges, weights, chosen, size, HUB_DEGREE, chi1, lower, upper)

    def solve(chosen: np.ndarray) -> None:
        for e in chosen:
            i, j = int(edges[e, 0]), int(edges[e, 1])
            low, high = solved_bounds(laplacian, i, j, lower[e], chi1)
            lower[e], upper[e] = max(lower[e], low), min(upper[e], high)

    def undecided(among: np.ndarray | None = None) -> np.ndarray:
        """The edges that may have the largest resistance of all, the worst first."""
        candidates = np.arange(len(edges)) if among is None else among
        candidates = candidates[upper[candidates] > (1 + TOLERANCE) * lower.max()]
        return candidates[np.lexsort((-lower[candidates], -upper[candidates]))]

    def grow(among: np.ndarray | None = None) -> None:
        size = FIRST_BALL
        while size < LARGEST_BALL and len(undecided(among)):
            size *= 2
            refine(undecided(among), size)

    refine(np.flatnonzero(upper > (1 + TOLERANCE) * lower), FIRST_BALL)
    # A few edges first, as far as it goes: their lower bounds decide most of the others.
    pilots = undecided()[:PILOTS]
    grow(pilots)
    solve(undecided(pilots))
    grow()
    solve(undecided()[: max(PILOTS, MOST_SOLVED // laplacian.shape[0])])
    return lower, upper


def in_full_is_faster(laplacian: csr_array, edges: np.ndarray, chosen: np.ndarray) -> bool:
    """Whether inverting the Laplacian takes less time than a first ball for each ``chosen`` edge:
    where the nodes of the balls have hundreds of neighbours, as in cliques.
    """
    n = laplacian.shape[0]
    degrees = np.minimum(np.diff(laplacian.indptr), HUB_DEGREE)[edges[chosen]].mean(axis=1)
    steps = FIRST_BALL**3 / 3 + 4 * FIRST_BALL * degrees  # eliminating, reading neighbours
    return n <= LARGEST_DENSE and float(steps.sum()) > 2 * n**3 / DENSE_SPEED


def solved_bounds(
    laplacian: csr_array, i: int, j: int, guess: float, chi1: float
) -> tuple[float, float]:
    """Bounds from conjugate gradients on the whole graph, rigorous wherever they stop.

    With r = b - L phi: R = b^T phi + phi^T r + r^T L^+ r, and r^T L^+ r <= chi1 |r|^2.
    """
    from scipy.sparse.linalg import cg

    b = np.zeros(laplacian.shape[0])
    b[i], b[j] = 1.0, -1.0
    enough = float(np.sqrt(TOLERANCE / 4 * guess / chi1))
    phi, _ = cg(laplacian, b, rtol=0.0, atol=enough, maxiter=MOST_STEPS)
    residual = b - laplacian @ phi
    residual -= residual.mean()
    low = float(b @ phi + phi @ residual)
    return low, low + chi1 * float(residual @ residual)


def pair_bounds(
    laplacian: csr_array, edges: np.ndarray, weights: np.ndarray, chi1: float
) -> tuple[np.ndarray, np.ndarray]:
    """The bounds for B = {i, j}, in closed form: exact for leaves, tight for dense graphs."""
    i, j = edges.T
    n = laplacian.shape[0]
    degree = laplacian.diagonal()
    squares = np.bincount(i, weights**2, n) + np.bincount(j, weights**2, n)
    # phi = (degree_j - w, -(degree_i - w)) / determinant; a leaf has degree - w = 0.
    at_i, at_j = np.maximum(degree[j] - weights, 0), np.maximum(degree[i] - weights, 0)
    determinant = degree[i] * degree[j] - weights**2
    lower = (at_i + at_j) / determinant
    # Nodes next to both ends are counted twice here, with cancellation in truth: an upper bound.
    outside = at_i**2 * (squares[i] - weights**2) + at_j**2 * (squares[j] - weights**2)
    return lower, np.minimum(1 / weights, lower + chi1 * outside / determinant**2)


@kernel
def _refine(
    indptr, indices, data, degree, edges, weights, chosen, size, hub_degree, chi1, lower, upper
):
    """Tighten ``lower`` and ``upper`` at the edges ``chosen`` with balls of ``size`` nodes."""
    n = len(indptr) - 1
    ball = np.empty(size, np.int32)
    place = np.full(n, -1, np.int32)  # where a node is in its ball, -1 outside
    free = np.empty((size, size))  # free[a, b], b < a: conductance between ball nodes a and b
    grounded = np.empty((size, size))
    ground = np.empty(size)  # conductance from a ball node to all that is outside
    nothing = np.zeros(size)
    total = np.empty(size)
    columns = np.empty(size, np.int64)
    phi = np.empty(size)
    inflow = np.zeros(n)
    for e in chosen:
        count = _grow_ball(indptr, indices, edges[e], size, hub_degree, ball, place)
        members = ball[:count]
        complete = _conductances(
            indptr, indices, data, degree, weights[e], members, place, hub_degree, free, ground
        )
        for a in range(count):
            for b in range(a):
                grounded[a, b] = free[a, b]

        _reduce(free, nothing, count, total, columns)
        upper[e] = min(upper[e], 1.0 / free[1, 0])

        _reduce(grounded, ground, count, total, columns)
        both = ground[0] + ground[1]
        through_ground = ground[0] * ground[1] / both if both > 0.0 else 0.0
        resistance = 1.0 / (grounded[1, 0] + through_ground)
        lower[e] = max(lower[e], resistance)
        if complete:
            phi[0] = resistance * ground[1] / both if both > 0.0 else resistance
            phi[1] = phi[0] - resistance
            for a in range(2, count):
                phi[a] = 0.0
                for b in range(a):
                    phi[a] += grounded[a, b] * phi[b]
                phi[a] /= total[a]
            residual = _residual(indptr, indices, data, members, place, phi, inflow)
            upper[e] = min(upper[e], resistance + chi1 * residual)
        for a in range(count):
            place[ball[a]] = -1


@kernel
def _grow_ball(indptr, indices, ends, size, hub_degree, ball, place):
    """Breadth-first from both ends, up to ``size`` nodes and around hubs; returns how many."""
    ball[0], ball[1] = ends[0], ends[1]
    place[ball[0]], place[ball[1]] = 0, 1
    count = 2
    # A node of many neighbours would fill the ball with an arbitrary few of them: its turn is last.
    for most in (size, hub_degree):
        head = 0
        while head < count and count < size:
            k = ball[head]
            head += 1
            if indptr[k + 1] - indptr[k] > most:
                continue
            for at in range(indptr[k], indptr[k + 1]):
                neighbour = indices[at]
                is_hub = indptr[neighbour + 1] - indptr[neighbour] > hub_degree
                if place[neighbour] < 0 and not is_hub and count < size:
                    place[neighbour] = count
                    ball[count] = neighbour
                    count += 1
    return count


@kernel
def _conductances(
    indptr, indices, data, degree, weight, members, place, hub_degree, inside, ground
):
    """Fill the conductances of a ball; False if an end is a hub, whose neighbours are not read."""
    count = len(members)
    for a in range(count):
        ground[a] = 0.0
        for b in range(a):
            inside[a, b] = 0.0
    inside[1, 0] = weight
    complete = True
    for a in range(count - 1, -1, -1):
        k = members[a]
        if indptr[k + 1] - indptr[k] > hub_degree:
            complete = False
            ground[a] = degree[k] - weight
            for c in range(2, count):
                ground[a] -= inside[c, a]
            ground[a] = max(ground[a], 0.0)
            continue
        for at in range(indptr[k], indptr[k + 1]):
            b = place[indices[at]]
            if b < 0:
                ground[a] -= data[at]
            elif b < a:
                inside[a, b] = -data[at]
    return complete


@kernel
def _reduce(conductance, ground, count, total, columns):
    """Eliminate all nodes but the two ends (Kron reduction), the farthest first.

    Only sums of positive numbers: no cancellation. Row a of the lower triangle keeps the
    conductances of node a when it went, ``total`` their sum with the one to the ground.
    """
    for a in range(count - 1, 1, -1):
        used = 0
        total[a] = ground[a]
        for b in range(a):
            if conductance[a, b] != 0.0:
                total[a] += conductance[a, b]
                columns[used] = b
                used += 1
        for s in range(used):
            share = conductance[a, columns[s]] / total[a]
            ground[columns[s]] += share * ground[a]
            for t in range(s):
                conductance[columns[s], columns[t]] += share * conductance[a, columns[t]]


@kernel
def _residual(indptr, indices, data, members, place, phi, inflow):
    """|b - L phi|^2: what flows out of the ball; ``inflow`` is zero before and after."""
    for a in range(len(members)):
        k = members[a]
        for at in range(indptr[k], indptr[k + 1]):
            if place[indices[at]] < 0:
                inflow[indices[at]] -= data[at] * phi[a]
    square = 0.0
    for a in range(len(members)):
        k = members[a]
        for at in range(indptr[k], indptr[k + 1]):
            if place[indices[at]] < 0:
                square += inflow[indices[at]] * inflow[indices[at]]
                inflow[indices[at]] = 0.0
    return square
