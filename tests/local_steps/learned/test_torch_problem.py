"""Modules of torch as objectives, against the same network in NumPy and against what is drawn."""

import pickle
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch", reason="torch objectives need torch")

from dadao_sim import Problem, simulate  # noqa: E402
from dadao_sim.compiled.splitmix import drawn  # noqa: E402
from dadao_sim.errors import InputError  # noqa: E402
from dadao_sim.problems.build import build_problem  # noqa: E402
from dadao_sim.problems.kinds.kind import PROBLEMS  # noqa: E402

HALF_SQUARE = torch.nn.MSELoss()


def half_square(outputs, targets):
    return HALF_SQUARE(outputs[:, 0], targets) / 2


def network(*hidden):
    torch.manual_seed(0)
    sizes = (2, *hidden, 1)
    layers = []
    for i, o in pairwise(sizes):
        layers += [torch.nn.Linear(i, o), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def moons(*hidden, sizes="equal", weighting="samples"):
    """The problem in NumPy, and the module with the same samples."""
    spec = PROBLEMS["mlp"](
        kind="mlp",
        hidden=hidden,
        held_out=0.25,
        weighting=weighting,
        data={"kind": "moons", "size": 80},
        partition={"kind": "sorted", "sizes": sizes},
    )
    plain = build_problem(spec, 6, np.random.default_rng(0))
    data = list(zip(plain.model.rows, plain.model.targets, strict=True))
    test = (plain.test_rows, plain.test_targets)
    module = network(*hidden)
    made = Problem.from_torch(module, data, half_square, test=test, weighting=weighting)
    w = torch.nn.utils.parameters_to_vector(module.double().parameters()).detach().numpy()
    return plain, made, w


@pytest.mark.parametrize(("sizes", "weighting"), [("equal", "samples"), ("uneven", "uniform")])
@pytest.mark.parametrize("hidden", [(8,), (6, 6, 6)])
def test_backpropagation_is_that_of_autograd(hidden, sizes, weighting):
    plain, made, w = moons(*hidden, sizes=sizes, weighting=weighting)
    x = np.random.default_rng(1).standard_normal(w.size)
    assert made.dimension == plain.dimension
    for i in range(6):
        assert_allclose(made.value(i, x), plain.value(i, w + x), rtol=1e-13)
        assert_allclose(made.gradient(i, x), plain.gradient(i, w + x), atol=1e-12)
    assert made.test_accuracy(x) == plain.test_accuracy(w + x)
    assert_allclose(made.divergence(x, 0 * x), plain.divergence(w + x, w), rtol=1e-10)
    assert made.relabelled([5, 4, 3, 2, 1, 0]).value(0, x) == made.value(5, x)


def test_a_minibatch_is_the_gradient_of_the_samples_drawn():
    _, made, w = moons(8, weighting="uniform")
    x, mark, out = np.ones(w.size), np.uint64(7), np.empty(w.size)
    made.stochastic_objective(4).gradient(1, x, mark, out)
    inputs, targets = made.objective.data[1]
    picked = [drawn(mark, k, len(targets)) for k in range(4)]
    alone = Problem.from_torch(network(8), [(inputs[picked], targets[picked])], half_square)
    assert_allclose(out, alone.gradient(0, x), rtol=1e-12)


def test_the_nodes_train_a_module_together(tmp_path):
    _, made, _ = moons(8)
    ring = nx.cycle_graph(6)
    asked = [{"name": "gradient_tracking", "parameters": {"step": 0.3}}]
    asked += [{"name": "ad_psgd", "batch_size": 4, "parameters": {"step": 0.05}}]
    record = {"points": 6, "metrics": ["objective", "stationarity", "test_accuracy"]}
    result = simulate(made, ring, asked, time=300, record=record, out=tmp_path / "r")
    begin, end = (
        getattr(result.curves.groupby("algorithm"), which)() for which in ("first", "last")
    )
    assert (end["objective"] < 0.5 * begin["objective"]).all()
    assert end["test_accuracy"]["gradient_tracking"] >= 0.85
    assert end["stationarity"]["gradient_tracking"] < 0.01 * begin["stationarity"].max()
    again = simulate(pickle.loads(pickle.dumps(made)), ring, asked[:1], time=300, record=record)
    x = [r.states["gradient_tracking", 0]["x"] for r in (result, again)]
    assert (x[0] == x[1]).all()


def test_classes_are_told_by_the_largest_output():
    X, y = np.eye(3), np.array([0, 1, 1])
    module = torch.nn.Linear(3, 3, bias=False)
    torch.nn.init.eye_(module.weight)
    made = Problem.from_torch(module, [(X, y)] * 2, torch.nn.CrossEntropyLoss(), test=(X, y))
    assert made.test_accuracy(np.zeros(9)) == pytest.approx(2 / 3)
    logits = torch.eye(3, dtype=torch.float64)
    assert_allclose(
        made.value(0, np.zeros(9)),
        torch.nn.functional.cross_entropy(logits, torch.tensor(y)).item(),
        rtol=1e-14,
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"module": 3}, "module: 3 given; a torch.nn.Module is needed"),
        ({"module": torch.nn.Tanh()}, "module: it has no parameters"),
        ({"loss": "mse"}, "loss: 'mse' given; a function of outputs and targets"),
        ({"loss": lambda o, t: o[:, 0] - t}, "torch: the module, or the loss, of node 0: answers"),
        ({"data": []}, "data: [] given; a list, a pair for each node"),
        ({"data": [(np.ones((3, 2)), np.ones(4))]}, "data of node 0: inputs and targets have shap"),
        ({"data": [(np.ones((3, 5)), np.ones(3))]}, "torch: the module, or the loss, of node 0: "),
        ({"data": [(np.full((3, 2), np.nan), np.ones(3))]}, "data of node 0: the loss or its grad"),
        ({"weighting": "none"}, "weighting: 'none' is not one of"),
    ],
)
def test_what_cannot_be_used_is_refused(change, said):
    given = {"module": network(4), "data": [(np.ones((3, 2)), np.ones(3))], "loss": half_square}
    with pytest.raises(InputError) as caught:
        Problem.from_torch(**{**given, **change})
    assert str(caught.value).startswith(said)
