"""Networks that are trained to few neurons: the loss against others' programs, the level of WGSEF
in one place and on a ring, and what does not reach it.
"""

import runpy
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from dadao_sim import make, simulate
from dadao_sim.algorithms.contract.registry import entry
from dadao_sim.errors import InputError
from dadao_sim.events.log import ROUND, Events
from dadao_sim.local_steps.section import build_local_step
from dadao_sim.problems.build import build_problem
from dadao_sim.problems.data.source import DATA
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.mlp_model import Mlp, count_weights
from dadao_sim.scenario import shipped
from dadao_sim.scenario.reading import load_scenario, scenario_from_mapping
from dadao_sim.simulation.replay import replay
from dadao_sim.strict import references_of

SCENARIO = load_scenario(shipped.scenarios()["systems/sparse-networks"])
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "sparse_networks.py"
HIDDEN, UNIT, OUTPUTS = 40, 75, 10


def classifier(hidden=(7,), order="units", l2=0.1, samples=20, seed=0):
    """One node with samples of 5 features and 3 classes, and weights."""
    rng = np.random.default_rng(seed)
    sizes = (5, *hidden, 3)
    A, classes = rng.standard_normal((samples, 5)), np.arange(samples) % 3.0
    scale = np.array([1 / samples])
    model = Mlp((A,), (classes,), scale, sizes, "tanh", loss="cross_entropy", l2=l2, order=order)
    return model, rng.standard_normal(count_weights(sizes))


def gradient(model, w):
    out = np.empty_like(w)
    model.gradient(0, w, None, out)
    return out


def layers_of_units(w, p, h, o):
    """W, b, V, c of weights unit by unit, written down anew."""
    table = w[: h * (p + 1 + o)].reshape(h, p + 1 + o)
    return table[:, :p], table[:, p], table[:, p + 1 :], w[h * (p + 1 + o) :]


# ---- the loss
# ----------------------------------------------------------------------------------------


def test_value_and_gradient_by_complex_steps():
    model, w = classifier()

    def loss(w):
        W, b, V, c = layers_of_units(w, 5, 7, 3)
        S = np.tanh(model.rows[0] @ W.T + b) @ V + c
        picked = S[np.arange(20), model.targets[0].astype(int)]
        return np.mean(np.log(np.exp(S).sum(axis=1)) - picked) + 0.05 * (w * w).sum()

    assert_allclose(model.value(0, w), loss(w.astype(complex)).real, rtol=1e-14)
    derivative = [loss(w + 1e-30j * e).imag / 1e-30 for e in np.eye(w.size)]
    assert_allclose(gradient(model, w), derivative, atol=1e-13)


def test_scikit_learn_takes_the_same_step():
    """A step of its stochastic gradients, of all samples, with nothing beside the loss."""
    model, w = classifier(l2=0.0)
    X, y = model.rows[0], model.targets[0]
    other = MLPClassifier(
        (7,), activation="tanh", solver="sgd", alpha=0, learning_rate_init=0.5, momentum=0,
        batch_size=20, shuffle=False,
    )  # fmt: skip
    other.partial_fit(X, y, classes=[0, 1, 2])
    W, b, V, c = layers_of_units(w, 5, 7, 3)
    other.coefs_, other.intercepts_ = [W.T.copy(), V.copy()], [b.copy(), c.copy()]
    assert_allclose(model.value(0, w), log_loss(y, other.predict_proba(X)), rtol=1e-12)
    other.partial_fit(X, y)
    G = layers_of_units(gradient(model, w), 5, 7, 3)
    moved = (other.coefs_[0].T, other.intercepts_[0], other.coefs_[1], other.intercepts_[1])
    for now, before, slope in zip(moved, (W, b, V, c), G, strict=True):
        assert_allclose(now, before - 0.5 * slope, atol=1e-12)


def test_the_order_of_the_weights_is_another_name_for_them():
    units, w = classifier()
    layers, _ = classifier(order="layers")
    order = np.concatenate(
        [part.ravel() for layer in units.layers(np.arange(w.size)) for part in layer]
    )
    assert sorted(order) == list(range(w.size))
    assert_allclose(layers.value(0, w[order]), units.value(0, w), rtol=1e-14)
    assert_allclose(gradient(layers, w[order]), gradient(units, w)[order], atol=1e-14)


def test_outputs_far_from_0_neither_overflow_nor_lose_the_loss():
    model, w = classifier(l2=0.0)
    w[-3:] = [0.0, 3000.0, -3000.0]
    found = [model.value(0, w), np.abs(gradient(model, w)).max()]
    assert np.isfinite(found).all()
    S = model.outputs(w, model.rows[0])
    expected = np.mean(S.max(axis=1) - S[np.arange(20), model.targets[0].astype(int)])
    assert_allclose(found[0], expected, rtol=1e-12)


# ---- data, neurons, sizes
# ------------------------------------------------------------------------------


def test_the_digits_are_those_of_scikit_learn():
    X, y = load_digits(return_X_y=True)
    problem = build_problem(SCENARIO.problem, 4, np.random.default_rng(3))
    assert (problem.samples.tolist(), len(problem.test_targets)) == ([300] * 4, 597)
    held = [*zip(problem.model.rows, problem.model.targets, strict=True)]
    held.append((problem.test_rows, problem.test_targets))
    found = sorted((*row, b) for A, t in held for row, b in zip(A, t, strict=True))
    assert found == sorted((*row, float(b)) for row, b in zip(X / 16, y, strict=True))


def test_neurons_are_counted_and_their_bytes():
    problem = build_problem(SCENARIO.problem, 4, np.random.default_rng(0))
    x = np.random.default_rng(0).standard_normal(problem.dimension)
    W, b, V, _ = layers_of_units(x, 64, HIDDEN, OUTPUTS)
    W[5:], b[6:], V[7:] = 0.0, 0.0, 0.0  # views of x: two neurons have a bias or an output alone
    assert np.flatnonzero(problem.live_units(x)[0]).tolist() == [*range(7)]
    assert problem.model_bytes(x) == 8 * (7 * UNIT + OUTPUTS)
    model, w = classifier(hidden=(4, 3), order="layers")
    for (U, bias), unit in zip(model.layers(w), (1, 2), strict=False):
        U[unit], bias[unit] = 0.0, 0.0
    assert [live.tolist() for live in model.live_units(w)] == [[True] * 4, [True] * 3]
    model.layers(w)[1][0][:, 1] = 0.0
    model.layers(w)[2][0][:, 2] = 0.0
    assert [np.flatnonzero(~live).tolist() for live in model.live_units(w)] == [[1], [2]]


def test_accuracy_is_the_share_of_classes_told_right():
    problem = build_problem(SCENARIO.problem, 4, np.random.default_rng(0))
    x = np.zeros(problem.dimension)
    x[-OUTPUTS + 4] = 1.0
    assert problem.test_accuracy(x) == (problem.test_targets == 4).mean()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"hidden": (4, 4)},
         "order: a unit between two hidden layers shares its weights; use layers"),
        ({"data": {"kind": "digits", "brightest": 1.0}},
         "data.brightest: standardised pixels have variance 1; set standardise: false"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(keys, said):
    mapping = SCENARIO.to_mapping()
    mapping["problem"] |= keys
    with pytest.raises(InputError, match=said):
        scenario_from_mapping(mapping)


def test_classes_are_counted_from_0():
    moons = {"kind": "mlp", "hidden": (4,), "loss": "cross_entropy", "data": {"kind": "moons"}}
    with pytest.raises(InputError, match=r"data: its targets are not classes 0, 1, \.\.\. that"):
        build_problem(PROBLEMS["mlp"](**moons), 4, np.random.default_rng(0))
    ten = {"kind": "digits", "targets": "digit"}
    with pytest.raises(InputError, match="two classes, digits are ten; use parity"):
        scenario_from_mapping(
            {**SCENARIO.to_mapping(), "problem": {"kind": "logistic_l2", "mu": 0.1, "data": ten}}
        )
    assert set(DATA["digits"](kind="digits").read(points=False).y) == {-1.0, 1.0}


def test_neurons_are_of_networks_only():
    mapping = SCENARIO.to_mapping()
    mapping |= {"problem": {"kind": "averaging", "data": {"kind": "synthetic", "dim": 3}}}
    mapping |= {"algorithms": ["nids"], "record": {"metrics": ["neurons"]}, "figures": None}
    with pytest.raises(InputError, match="kind averaging has no neurons; mlp has"):
        simulate(scenario_from_mapping(mapping))


def test_the_paper_is_cited_where_its_term_is_used():
    assert "refael2022learning" in list(references_of(SCENARIO))
    assert entry("refael2022learning").startswith("@article{refael2022learning,")


# ---- in one place
# ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark():
    """Its functions."""
    return runpy.run_path(str(BENCHMARK))


def trained(benchmark, local_step, steps=4000):
    problem = benchmark["problem_of"](1)
    x = benchmark["train"](problem, benchmark["start"](HIDDEN, 0), 0, local_step, steps=steps)
    return benchmark["neurons"](x), problem.test_accuracy(x)


@pytest.mark.slow
def test_the_level_is_reached_once_the_strength_suffices_and_not_below(benchmark):
    wgsef = benchmark["wgsef"]
    for k, strength in ((12, 0.05), (8, 0.1)):
        count, accuracy = trained(benchmark, wgsef(k, strength))
        assert count == k
        assert accuracy >= 0.94
    count, accuracy = trained(benchmark, wgsef(12, 0.01))
    assert count >= 16
    assert accuracy >= 0.95


@pytest.mark.slow
def test_group_l2_of_stochastic_gradients_keeps_most_neurons(benchmark):
    """The control: what it takes away gradients in noise bring back."""
    count, accuracy = trained(benchmark, benchmark["group_l2"](0.004))
    assert count >= 24
    assert accuracy >= 0.95


@pytest.mark.slow
def test_a_network_that_was_trained_to_be_cut_survives_it_and_one_that_was_not_does_not(benchmark):
    whole, small = benchmark["problem_of"](1), benchmark["problem_of"](1, 12)
    train, start, cut = benchmark["train"], benchmark["start"], benchmark["cut"]
    dense = train(whole, start(HIDDEN, 0), 0, steps=3000)
    told = train(whole, start(HIDDEN, 0), 0, benchmark["wgsef"](12, 0.05), steps=3000)
    found = []
    for x in (dense, told):
        left = cut(x, benchmark["largest"](x, 12))
        on = train(small, left, 0, steps=1000, rate=0.02)
        found += [small.test_accuracy(left), small.test_accuracy(on)]
    assert found[0] <= 0.92 < 0.945 <= found[2]
    assert found[3] >= whole.test_accuracy(dense) - 0.015


def test_a_block_for_the_biases_is_a_last_group_of_hardly_any_weight():
    """The form of the scenario and that of the paper, at points on their way."""
    blocks = [
        {"prox": {"kind": "wgsef", "strength": 0.1, "k": 8, "groups": UNIT}, "size": HIDDEN * UNIT},
        {"prox": {"kind": "squared_l2", "strength": 1e-7}},
    ]
    d = HIDDEN * UNIT + OUTPUTS
    ours = build_local_step({"blocks": blocks}, d)
    groups = [UNIT] * HIDDEN + [OUTPUTS]
    weights = [1.0] * HIDDEN + [1e-6]
    whole = make("wgsef", d, strength=0.1, k=8, groups=groups, weights=weights)
    v = np.random.default_rng(0).standard_normal(d)
    one, other = ours.prox(v, 0.5), whole.prox(v, 0.5)
    assert np.abs(one - other).max() <= 1e-3 * np.abs(v).max()
    live = [x[:-OUTPUTS].reshape(HIDDEN, UNIT).any(axis=1) for x in (one, other)]
    np.testing.assert_array_equal(*live)


# ---- on a ring
# ------------------------------------------------------------------------------------


def played(algorithms, time, points=20):
    mapping = SCENARIO.to_mapping()
    mapping |= {"algorithms": algorithms, "stop": {"time": time}, "figures": None}
    mapping["record"] |= {"points": points}
    return simulate(scenario_from_mapping(mapping))


def is_agreed(X, row, k):
    """k neurons, the same at every node; the weights alike; digits told."""
    mean = X.mean(axis=0)
    live = X[:, :-OUTPUTS].reshape(len(X), HIDDEN, UNIT).any(axis=2)
    assert live.sum(axis=1).tolist() == [k] * len(X)
    assert (live == live[0]).all()
    assert row.neurons == row.common_neurons == k
    assert row.model_bytes == 8 * (k * UNIT + OUTPUTS)
    assert np.linalg.norm(X - mean) / np.linalg.norm(X) <= 1e-4
    assert row.test_accuracy >= 0.95


@pytest.mark.slow
def test_four_nodes_agree_on_the_same_twelve_neurons():
    asked = SCENARIO.to_mapping()["algorithms"][2]
    result = played([asked], 2400)
    row = result.curves.iloc[-1]
    is_agreed(result.states[asked["label"], 0]["x"], row, 12)
    assert result.runs.experimental.all()
    assert row.bytes_sent == 2400 * 4 * 2 * 8 * (HIDDEN * UNIT + OUTPUTS)  # messages are dense


@pytest.mark.torture
def test_the_whole_scenario_and_other_methods():
    """As long as the scenario: eight neurons take longer. Three methods end at one network."""
    algorithms = SCENARIO.to_mapping()["algorithms"]
    result = played(algorithms, SCENARIO.stop.time)
    last = result.curves.groupby("algorithm").last()
    for asked, k in ((algorithms[1], 8), (algorithms[2], 12)):
        is_agreed(result.states[asked["label"], 0]["x"], last.loc[asked["label"]], k)
    dense = last.loc["no term"]
    assert dense.neurons == HIDDEN
    assert dense.test_accuracy >= last.test_accuracy.max()
    others = [{**algorithms[2], "name": name, "label": name} for name in ("pg_extra", "sonata")]
    others[1]["parameters"] = {"L": 2}
    result = played(others, SCENARIO.stop.time)
    last = result.curves.groupby("algorithm").last()
    for name in ("pg_extra", "sonata"):
        is_agreed(result.states[name, 0]["x"], last.loc[name], 12)


def test_where_gossip_is_a_mean_sonata_is_the_proximal_gradient_method():
    smooth = build_problem(SCENARIO.problem, 4, np.random.default_rng(0))
    local_step = build_local_step(SCENARIO.algorithms[2].local_step, smooth.dimension)
    problem = smooth.with_local_step(local_step)
    x = x0 = 0.125 * np.random.default_rng(1).standard_normal(problem.dimension)
    log = Events.from_arrays(np.arange(30.0), np.full(30, ROUND), np.full(30, -1))
    found = replay("sonata", problem, nx.complete_graph(4), log, x0, {"L": 2.0, "gamma": 1.0})
    first = problem.gradients(np.tile(x, (4, 1)))  # what nothing has been averaged of yet
    x = np.mean([local_step.prox(x - g / 2, 0.5) for g in first], axis=0)
    for _ in range(29):
        x = local_step.prox(x - problem.mean_operator(x) / 2, 0.5)
    assert np.abs(x - x0).max() > 0.1
    assert_allclose(found["x"], np.tile(x, (4, 1)), atol=1e-12)
