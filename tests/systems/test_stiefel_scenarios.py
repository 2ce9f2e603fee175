"""Orthonormal columns in scenarios: what is measured, what is refused, and the lesson."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from stiefel_cases import NODES, PCA, SMALL, played, projector

from dadao_sim import simulate
from dadao_sim.errors import InputError
from dadao_sim.problems.kinds import stiefel
from dadao_sim.problems.kinds.ica import ica_problem
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.problems.kinds.procrustes import procrustes_problem

# ---- scenarios, and what is refused
# ------------------------------------------------------------------------------

DATA = {"kind": "synthetic", "dim": 8, "samples_per_node": 30, "condition_number": 100}
PCA_OF_DATA = {"kind": "pca", "components": 2, "data": {**DATA, "heterogeneity": 0.3}}


def scenario(algorithms=("landing", "dprgt"), **changes):
    return {
        "name": "stiefel",
        "seed": 0,
        "repeats": 1,
        "problem": PCA_OF_DATA,
        "network": {"graph": "cycle", "nodes": 8},
        "start": {"kind": "orthonormal", "shared": True},
        "algorithms": list(algorithms),
        "stop": {"time": 1500},
        "record": {"points": 300, "metrics": ["infeasibility", "objective", "stationarity"]},
        **changes,
    }


def test_a_run_measures_the_distance_to_the_manifold_and_stops_by_it():
    off = {"kind": "orthonormal", "shared": True, "scale": 1.1}
    stop = {"time": 1500, "until": {"infeasibility": 1e-8}}
    last = simulate(scenario(["landing"], start=off, stop=stop)).curves.iloc[-1]
    assert 10 < last["time"] < 1500
    assert last["infeasibility"] <= 1e-8
    result = simulate(scenario())
    last = result.curves.groupby("algorithm", observed=True).last()
    assert (last["mean_squared_distance"] <= 1e-20).all()
    first = result.curves[result.curves["time"] == 0]
    assert first["infeasibility"].max() < 1e-14
    assert first["mean_squared_distance"].min() > 0.1
    landing = result.curves[result.curves["algorithm"] == "landing"]
    assert landing["infeasibility"].max() > 1e-4  # it leaves the manifold, and comes back
    assert (result.curves["suboptimality"] >= 0).all()
    falls = result.curves["objective"] - result.curves["suboptimality"]
    assert_allclose(falls, falls.iloc[0], rtol=1e-12)  # F* of the eigenvalues
    X = result.states["landing", 0]["x"].reshape(8, 8, 2)
    assert last.loc["landing", "infeasibility"] == pytest.approx(stiefel.distance(X).max())
    assert result.summary["experimental"].all()
    assert "Riemannian" in result.metrics["stationarity"].title  # grad F itself is not 0


def test_starts_are_drawn_on_the_manifold_and_shared_if_asked():
    from dadao_sim.simulation.study import Study

    def drawn(**start):
        return Study(scenario(start={"kind": "orthonormal", **start})).parts(0).x0

    own, shared = drawn(), drawn(shared=True)
    for X in (own, shared):
        assert stiefel.distance(X.reshape(8, 8, 2)).max() < 1e-14
    assert np.ptp(shared, axis=0).max() == 0
    assert np.ptp(own, axis=0).min() > 0.01
    square = scenario(problem={"kind": "procrustes", **SMALL["procrustes"]})
    for said, sign in (("positive", 1), ("negative", -1)):
        square["start"] = {"kind": "orthonormal", "determinant": said}
        x0 = Study(square).parts(0).x0
        assert_allclose(np.linalg.det(x0.reshape(8, 3, 3)), sign)


def test_digits_that_are_sorted_over_the_nodes():
    """Every node has one or two digits, and all find the components of all."""
    problem = {
        "kind": "pca",
        "components": 2,
        "data": {"kind": "digits", "standardise": True},
        "partition": {"kind": "sorted"},
    }
    result = simulate(scenario(["landing"], problem=problem, record={"points": 10}))
    assert result.curves["mean_squared_distance"].iloc[-1] < 1e-6
    from sklearn.datasets import load_digits

    Y = load_digits().data
    Y = (Y - Y.mean(axis=0)) / np.where(Y.std(axis=0) > 0, Y.std(axis=0), 1)
    U = np.linalg.svd(Y, full_matrices=False)[2][:2].T
    X = result.states["landing", 0]["x"].reshape(8, 64, 2)
    assert np.linalg.norm(projector(X) - projector(U), axis=(1, 2)).max() < 1e-2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"problem": {"kind": "pca", "components": 30, "data": DATA}},
            "problem.components: 30 given; at most the dimension 8",
        ),
        (
            {"start": {"kind": "zeros"}},
            "start: pca needs a start with orthonormal columns: zeros is a fixed point; "
            "use kind: orthonormal",
        ),
        (
            {"start": {"kind": "normal"}},
            "start: pca needs a start with orthonormal columns: ||X^T X - I|| is ",
        ),
        (
            {"algorithms": ["dadao"]},
            "algorithms: dadao minimises convex functions and those that are not, and the problem "
            "pca is one of matrices with orthonormal columns; use one of dprgt, drgta, landing, "
            "landing_tracked, dprgd",
        ),
        (
            {"algorithms": ["gradient_tracking"]},
            "gradient_tracking minimises convex functions and those that are not and solves "
            "operators, and the problem pca is one of matrices with orthonormal columns",
        ),
        (
            {"problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 4}}},
            "start.kind: orthonormal is of matrices, and the x of averaging is a vector",
        ),
        (
            {
                "problem": {"kind": "least_squares", "data": DATA},
                "start": {"kind": "zeros"},
                "record": {},
            },
            "landing minimises over matrices with orthonormal columns, and the problem "
            "least_squares is convex; give it such a problem",
        ),
        (
            {"start": {"kind": "orthonormal", "scale": 2}},
            "start: pca needs a start with orthonormal columns: ||X^T X - I|| is 4.24, above 0.5",
        ),
        (
            {"start": {"kind": "normal", "determinant": "negative"}},
            "start.determinant: only kind orthonormal has it, and kind is normal",
        ),
        (
            {"start": {"kind": "orthonormal", "determinant": "negative"}},
            "start.determinant: negative given, and X of 8 x 2 has none; leave it out",
        ),
        (
            {"algorithms": [{"name": "landing_tracked", "parameters": {"eps": 2}}]},
            "landing_tracked: parameter 'eps' must be at most 1, not 2",
        ),
        (
            {"algorithms": [{"name": "dprgt", "rounds": 3}]},
            "algorithms.0.rounds: unknown key; constants go into parameters: {rounds: ...}",
        ),
        (
            {"algorithms": [{"name": "landing", "parameters": {"p": 3}}]},
            "landing: parameter 'p' must be a whole number from 2 to 2, not 3",
        ),
        (
            {"algorithms": [{"name": "dprgt", "parameters": {"rounds": 1.5}}]},
            "dprgt: parameter 'rounds' must be a whole number of at least 1, not 1.5",
        ),
        (
            {"local_step": {"prox": {"kind": "l1", "strength": 1}}},
            "landing cannot take a local_step",
        ),
        (
            {
                "problem": {
                    "kind": "pca",
                    "components": 2,
                    "data": {"kind": "digits", "intercept": True},
                }
            },
            "problem.data.intercept: pca has none; leave it out",
        ),
        ({"record": {"metrics": ["amari"]}}, "kind pca separates no mixtures; ica does"),
        (
            {"problem": {**PCA_OF_DATA, "partition": {"kind": "sorted"}}},
            "problem.partition: synthetic data are drawn at each node",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(changes, said):
    with pytest.raises(InputError) as refused:
        simulate(scenario(**changes))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda A: pca_problem(A, 4), "components: 4 given; at most the dimension 3"),
        (lambda A: pca_problem(A, 1.5), "components: 1.5 given; a whole number from 1 to the dim"),
        (lambda A: pca_problem(A, 1, "all"), "weighting: 'all' is not one of samples, uniform"),
        (lambda A: ica_problem(A, mixing="x"), "mixing: 'x' given; an array of real numbers"),
        (lambda A: ica_problem(A, mixing=np.full((3, 3), np.nan)), "mixing: nan or infinite"),
        (lambda A: procrustes_problem(A, A[:, :5]), "data: A and B have the shapes"),
        (lambda A: ica_problem(A[:, :, :1]), "data: one mixture alone; two or more are needed"),
        (lambda A: ica_problem(A[:, :, [0, 0]]), "the covariance of all samples is singular"),
        (lambda A: ica_problem(A, mixing=np.eye(2)), "mixing: has shape (2, 2)"),
        (lambda A: pca_problem(A * np.inf, 1), "data of node 0, row 0: nan or infinite"),
    ],
)
def test_data_that_are_none_are_refused(make, said):
    A = np.random.default_rng(0).standard_normal((4, 9, 3))
    with pytest.raises(InputError) as refused:
        make(A)
    assert said in str(refused.value)


def test_zeros_is_a_fixed_point_indeed():
    """Control: what is refused would stay there for ever."""
    X = played("landing", x0=np.zeros((NODES, PCA.dimension)), steps=200)
    assert (X == 0).all()


# ---- the lesson
# ------------------------------------------------------------------------------


def shipped_as(name, labels, stop):
    """The curves of some algorithms of a shipped scenario, up to so many communications."""
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    stop = f"stop={{communications: {stop}}}"
    asked = load_scenario(shipped.scenarios()[f"systems/{name}"], [stop])
    some = tuple(spec for spec in asked.algorithms if spec.label in labels)
    curves = simulate(asked.model_copy(update={"algorithms": some, "figures": None})).curves
    return dict(list(curves.groupby("algorithm", observed=True)))


def communications_to(curves, accuracy):
    return curves.loc[curves["accuracy"] < accuracy, "communications"].min()


def test_no_retraction_is_needed_and_none_saves_communications():
    """The lesson, of sorted digits; without tracking nodes do not come to the subspace."""
    found = shipped_as("stiefel", ["landing", "dprgt", "dprgd"], 12_000)
    need = {name: communications_to(found[name], 1e-8) for name in ("landing", "dprgt")}
    assert 0.85 < need["landing"] / need["dprgt"] < 1.15
    assert 0.005 < found["landing"]["infeasibility"].max() < 0.5
    assert found["landing"]["infeasibility"].iloc[-1] < 1e-5
    assert found["dprgt"]["infeasibility"].max() < 1e-13
    assert found["dprgd"]["accuracy"].min() > 0.1


def test_the_shipped_rotation_and_the_shipped_separation_are_found():
    for name in ("procrustes", "ica"):
        quick = "Landing, Chebyshev gossip"
        found = shipped_as(name, ["landing", "dprgt", "dprgd", quick], 6000)
        if quick in found:  # the network is what limits the others
            assert found[quick]["accuracy"].iloc[-1] < 1e-16 < found["landing"]["accuracy"].min()
        assert found["landing"]["accuracy"].iloc[-1] < 1e-5
        assert found["dprgt"]["accuracy"].iloc[-1] < 1e-5
        assert found["dprgd"]["accuracy"].iloc[-1] > 1e-5
    ends = [found[label]["amari"].iloc[-1] for label in ("landing", "dprgt")]
    assert max(ends) < 0.03
    assert abs(ends[0] - ends[1]) < 1e-3
