"""Random operators of every term, and what r and its conjugate are by their definitions."""

import itertools
import warnings

import cvxpy as cp
import numpy as np

from dadao_sim.local_steps.terms import TERMS, make

NOT_CONVEX = ("l0", "k_sparse", "scad", "mcp", "rank", "lp", "schatten")
CONVEX = tuple(kind for kind in TERMS if kind not in NOT_CONVEX)
SETS = tuple(kind for kind in TERMS if TERMS[kind].is_set)
MATRIX_BALLS = ("nuclear_ball", "spectral_ball")
MATRICES = tuple(kind for kind in TERMS if "shape" in TERMS[kind].model_fields)


def sizes(rng, dimension):
    """Random sizes of groups that fill the dimension."""
    cuts = np.flatnonzero(rng.random(dimension - 1) < 0.4) + 1
    return np.diff([0, *cuts, dimension]).tolist()


def options(kind, rng, dimension, shape):
    """Random options of a kind; ``shape`` has the dimension. KeyError for a term without a case."""
    strength = float(10 ** rng.uniform(-1.5, 0.5))
    groups = sizes(rng, dimension)
    weights = rng.uniform(0.3, 2, len(groups)).tolist()
    lower = rng.standard_normal(dimension) - 0.5
    size_of_all = np.linspace(0.5, 2, dimension).tolist()
    return {
        "l1": {"strength": strength},
        "squared_l2": {"strength": strength},
        "elastic_net": {"strength": strength, "l2": float(rng.uniform(0.1, 2))},
        "huber": {"strength": strength, "delta": float(rng.uniform(0.1, 2))},
        "group_l2": {"strength": strength, "groups": groups, "weights": weights},
        "wgsef": {
            "strength": strength,
            "k": int(rng.integers(1, len(groups) + 1)),
            "groups": groups,
            "weights": weights,
        },
        "tv_1d": {"strength": strength},
        "tv_2d": {"strength": strength, "shape": list(shape)},
        "tv_bands": {"strength": strength, "shape": [shape[0], 1, shape[1]]},
        "nuclear": {"strength": strength, "shape": list(shape)},
        "box": {"lower": lower, "upper": lower + rng.uniform(0, 2, dimension)},
        "simplex": {"total": float(rng.uniform(0.3, 3))},
        "l2_ball": {"radius": (radius := float(rng.uniform(0.3, 3)))},
        **{kind: {"radius": radius} for kind in ("l1_ball", "linf_ball")},
        **{kind: {"radius": radius, "groups": groups} for kind in ("group_ball", "group_max_ball")},
        **{kind: {"radius": radius, "shape": list(shape)} for kind in MATRIX_BALLS},
        "l0": {"strength": strength},
        "k_sparse": {"k": int(rng.integers(1, dimension + 1))},
        "scad": {"strength": strength, "a": float(rng.uniform(2.1, 5))},
        "mcp": {"strength": strength, "gamma": float(rng.uniform(1.1, 5))},
        "lp": {"strength": strength, "p": 0.5, "epsilon": 0.05, "weights": size_of_all},
        "schatten": {"strength": strength, "p": 0.5, "epsilon": 0.05, "shape": list(shape)},
        "rank": {"k": int(rng.integers(1, min(shape) + 1)), "shape": list(shape)},
    }[kind]


def case(kind, rng):
    """A local step of random size and options, its options, a point and a step."""
    shape = tuple(rng.integers(2, 5, 2).tolist())
    dimension = shape[0] * shape[1] if kind in MATRICES else int(rng.integers(2, 13))
    chosen = options(kind, rng, dimension, shape)
    point = rng.uniform(0.5, 3) * rng.standard_normal(dimension)
    return make(kind, dimension, **chosen), chosen, point, float(10 ** rng.uniform(-1, 1))


def blocks(x, groups):
    bounds = np.concatenate([[0], np.cumsum(groups)])
    return [x[a:b] for a, b in itertools.pairwise(bounds)]


def matrix(x, given):
    return cp.reshape(x, tuple(given["shape"]), order="C")


def definition(kind, x, given):
    """r(x) as a cvxpy expression, and constraints, from the definition in the literature."""
    strength = given.get("strength", 1.0)
    if kind == "l1":
        return strength * cp.norm1(x), []
    if kind == "squared_l2":
        return strength / 2 * cp.sum_squares(x), []
    if kind == "elastic_net":
        return strength * cp.norm1(x) + given["l2"] / 2 * cp.sum_squares(x), []
    if kind == "huber":
        return strength / 2 * cp.sum(cp.huber(x, given["delta"])), []
    if kind == "group_l2":
        parts = zip(given["weights"], blocks(x, given["groups"]), strict=True)
        return strength * sum(w * cp.norm2(part) for w, part in parts), []
    if kind == "wgsef":
        u = cp.Variable(len(given["groups"]))
        parts = zip(given["weights"], blocks(x, given["groups"]), u, strict=True)
        total = sum(w * cp.quad_over_lin(part, share) for w, part, share in parts)
        return strength / 2 * total, [u >= 0, u <= 1, cp.sum(u) <= given["k"]]
    if kind == "tv_1d":
        return strength * cp.norm1(cp.diff(x)), []
    if kind == "tv_2d":
        image = matrix(x, given)
        rows, columns = cp.diff(image, axis=1), cp.diff(image, axis=0)
        return strength * (cp.sum(cp.abs(rows)) + cp.sum(cp.abs(columns))), []
    if kind == "tv_bands":  # each band a line
        bands, _, columns = given["shape"]
        lines = cp.reshape(x, (bands, columns), order="C")
        return strength * cp.sum(cp.abs(cp.diff(lines, axis=1))), []
    if kind == "nuclear":
        return strength * cp.normNuc(matrix(x, given)), []
    if kind == "box":
        return 0.0, [x >= given["lower"], x <= given["upper"]]
    if kind == "simplex":
        return 0.0, [x >= 0, cp.sum(x) == given["total"]]
    return 0.0, [norm_of(kind, x, given) <= given["radius"]]


def norm_of(kind, x, given):
    """The norm of a ball, of a cvxpy expression."""
    if kind in ("group_ball", "group_max_ball"):
        norms = [cp.norm2(part) for part in blocks(x, given["groups"])]
        return sum(norms) if kind == "group_ball" else cp.max(cp.hstack(norms))
    if kind in MATRIX_BALLS:
        return (cp.normNuc if kind == "nuclear_ball" else cp.sigma_max)(matrix(x, given))
    return {"l1_ball": cp.norm1, "l2_ball": cp.norm2, "linf_ball": cp.norm_inf}[kind](x)


def norms_of(kind, x, given):
    """The norm of a ball and its dual, of an array (d,)."""
    groups = np.array([np.linalg.norm(part) for part in blocks(x, given.get("groups", [x.size]))])
    values = groups
    if "shape" in given:
        values = np.linalg.svd(x.reshape(given["shape"]), compute_uv=False)
    if kind in ("l1_ball", "linf_ball"):
        values = np.abs(x)
    sums = kind in ("l1_ball", "group_ball", "nuclear_ball")
    both = values.sum(), values.max()
    return both if sums else both[::-1]


def solve(objective, constraints):
    """Minimise by Clarabel, asked for more than it can always reach: the caller compares."""
    tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-13)
    problem = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        problem.solve(solver="CLARABEL", **tight)
    assert problem.status in ("optimal", "optimal_inaccurate")
    return problem.value


def conjugate(kind, y, given):
    """r*(y) in closed form; the indicators of dual balls allow 1e-9. Not for total variation."""
    strength = given.get("strength", 1.0)

    def indicator(size):
        return 0.0 if size <= 1 + 1e-9 else np.inf

    if kind == "l1":
        return indicator(np.abs(y).max() / strength)
    if kind == "squared_l2":
        return y @ y / (2 * strength)
    if kind == "elastic_net":
        return (np.maximum(np.abs(y) - strength, 0) ** 2).sum() / (2 * given["l2"])
    if kind == "huber":
        return y @ y / (2 * strength) + indicator(np.abs(y).max() / (strength * given["delta"]))
    norms = [np.linalg.norm(part) for part in blocks(y, given.get("groups", [len(y)]))]
    if kind == "group_l2":
        return indicator(max(np.array(norms) / given["weights"]) / strength)
    if kind == "wgsef":
        squares = np.sort(np.array(norms) ** 2 / given["weights"])
        return squares[-given["k"] :].sum() / (2 * strength)
    if kind == "nuclear":
        return indicator(np.linalg.norm(y.reshape(given["shape"]), 2) / strength)
    if kind == "box":
        return np.maximum(given["lower"] * y, given["upper"] * y).sum()
    if kind == "simplex":
        return given["total"] * y.max()
    return given["radius"] * norms_of(kind, y, given)[1]
