"""chi1 and chi2 of small graphs in rational arithmetic: exact, whatever the rates are."""

from fractions import Fraction


def laplacian(nodes, edges, rates):
    matrix = [[Fraction(0)] * nodes for _ in range(nodes)]
    for (i, j), rate in zip(edges, rates, strict=True):
        w = Fraction(float(rate))
        matrix[i][i] += w
        matrix[j][j] += w
        matrix[i][j] -= w
        matrix[j][i] -= w
    return matrix


def resistances(nodes, edges, rates):
    """b_e^T L^+ b_e of every edge, by Gauss and Jordan on the Laplacian without node 0."""
    rows = [row[1:] for row in laplacian(nodes, edges, rates)[1:]]
    n = nodes - 1
    rows = [[*row, *(Fraction(k == j) for j in range(n))] for k, row in enumerate(rows)]
    for k in range(n):
        pivot = rows[k][k]
        rows[k] = [value / pivot for value in rows[k]]
        for other in range(n):
            if other != k and rows[other][k]:
                factor = rows[other][k]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[k], strict=True)]

    def inverse(i, j):
        return rows[i - 1][n + j - 1] if i and j else Fraction(0)

    return [inverse(i, i) + inverse(j, j) - 2 * inverse(i, j) for i, j in edges]


def eigenvalues_below(nodes, edges, rates, bound):
    """How many eigenvalues of the Laplacian lie below ``bound``, by Sylvester's law of inertia."""
    matrix = laplacian(nodes, edges, rates)
    shift = Fraction(float(bound))
    for k in range(nodes):
        matrix[k][k] -= shift
    count = 0
    for k in range(nodes):
        pivot = matrix[k][k]
        assert pivot, "the bound is an eigenvalue of a leading block: choose another"
        count += pivot < 0
        for i in range(k + 1, nodes):
            factor = matrix[i][k] / pivot
            if factor:
                for j in range(k + 1, nodes):
                    matrix[i][j] -= factor * matrix[k][j]
    return count
