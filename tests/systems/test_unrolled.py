"""SURF as a method: its equations, its last round, its weights and what is said of them."""

import json

import numpy as np
import pytest
from cases import lollipop, sequence, small_problem
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import GraphSequence, load_scenario, replay, simulate
from dadao_sim.algorithms.contract.gossip import normalised
from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.trained import (
    FILES,
    Trained,
    load_trained,
    save_trained,
)
from dadao_sim.algorithms.surf import METHOD, shapes, untrained
from dadao_sim.compiled.splitmix import NODE_STRIDE, drawn
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.events.sleepers import asleep_in
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.kept import reusable
from dadao_sim.simulation.parts import build_parts
from dadao_sim.simulation.replay import make_player
from dadao_sim.simulation.study import Study

LAYERS, TAPS, D, NODES = 4, 3, 3, 7
ROUNDS = RoundClock(np.random.SeedSequence(0)).window()
X0 = np.random.default_rng(1).standard_normal((NODES, D))
W = normalised(lollipop()).toarray()


def made(**more):
    start = {"method": "surf", "kind": "least_squares", "dimension": D, "layers": LAYERS}
    return {**start, "taps": TAPS, "batch_size": None, "features": "gradient", **more}


def random_numbers(**more):
    rng = np.random.default_rng(0)
    about = made(**more)
    return Trained({n: 0.1 * rng.standard_normal(s) for n, s in shapes(about).items()}, about)


def played(trained, rounds=LAYERS, problem=None):
    problem = small_problem(NODES) if problem is None else problem
    method = METHOD.with_weights(trained)
    return replay(method, problem, lollipop(), ROUNDS[:rounds], X0)["y"]


def scenario(weights, **more):
    surf = {"name": "surf", "weights": str(weights), **more.pop("surf", {})}
    return scenario_from_mapping(
        {
            "name": "small",
            "problem": {
                "kind": "least_squares",
                "data": {"kind": "synthetic", "dim": D, "samples_per_node": 8},
            },
            "network": {"graph": "cycle", "nodes": NODES},
            "start": {"kind": "normal"},
            "algorithms": [surf, "dgd"],
            "stop": {"time": 40},
            **more,
        }
    )


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "mine.npz"
    save_trained(path, random_numbers())
    return path


# ---- the equations ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["least_squares", "logistic_l2"])
def test_gradients_against_a_dense_transcription(kind):
    problem, trained = small_problem(NODES, kind), random_numbers(kind=kind)
    h, M, d = trained.arrays["h"], trained.arrays["M"], trained.arrays["bias"]
    Y = X0
    for layer in range(LAYERS):
        mixed = sum(h[layer, k] * np.linalg.matrix_power(W, k) @ Y for k in range(TAPS))
        Y = mixed - (np.hstack([problem.gradients(Y), Y]) @ M[layer] + d[layer])
    assert_allclose(played(trained, problem=problem), Y, rtol=1e-12, atol=1e-12)


def test_samples_against_a_dense_transcription():
    """The draws are those of minibatches: splitmix64 of the round's mark and the node."""
    b, problem = 2, small_problem(NODES)
    trained = random_numbers(batch_size=b, features="samples")
    h, M, d = trained.arrays["h"], trained.arrays["M"], trained.arrays["bias"]
    found = scenario_runs(trained, b, problem)
    Y, A, t = X0, problem.model.A, problem.model.b
    with np.errstate(over="ignore"):
        for layer in range(LAYERS):
            marks = np.uint64(ROUNDS.mark[layer]) + np.arange(NODES, dtype=np.uint64) * NODE_STRIDE
            rows = np.array(
                [[8 * i + drawn(m, k, 8) for k in range(b)] for i, m in enumerate(marks)]
            )
            B = np.concatenate([A[rows], t[rows][..., None]], axis=2).reshape(NODES, -1)
            mixed = sum(h[layer, k] * np.linalg.matrix_power(W, k) @ Y for k in range(TAPS))
            Y = mixed - np.maximum(np.hstack([B, Y]) @ M[layer] + d[layer], 0)
    assert_allclose(found, Y, rtol=1e-12, atol=1e-12)


def scenario_runs(trained, batch, problem):
    method = METHOD.with_weights(trained)
    player = make_player(method, problem, method.tune(problem, lollipop()), X0, {}, batch)
    player.play(ROUNDS, 0, LAYERS)
    return player.blocks(("y",))["y"]


def test_taps_01_and_a_multiple_of_the_gradient_are_dgd():
    problem = small_problem(NODES)
    trained = untrained(problem, layers=LAYERS, taps=2)
    dgd = replay("dgd", problem, lollipop(), ROUNDS[:LAYERS], X0, {"step": 1 / problem.L})["x"]
    assert_allclose(played(trained), dgd, rtol=1e-12, atol=1e-12)


def test_without_M_and_bias_it_is_gossip():
    trained = random_numbers()
    arrays = {name: np.zeros_like(array) for name, array in trained.arrays.items()}
    arrays["h"][:, 2] = 1.0
    found = played(Trained(arrays, trained.made))
    assert_allclose(found, np.linalg.matrix_power(W, 2 * LAYERS) @ X0, rtol=1e-12, atol=1e-12)


# ---- the last round --------------------------------------------------------------------------


def test_after_the_last_layer_there_is_nothing():
    trained = random_numbers()
    assert_array_equal(played(trained, rounds=1000), played(trained))


def test_a_run_ends_with_its_last_layer_and_says_so_beforehand(weights):
    study = Study(scenario(weights))
    surf, dgd = study.check()
    assert surf.note == "surf has 4 layers: it stops after round 4 (stop.time 40)"
    assert dgd.note == ""
    assert surf.experimental
    result = simulate(study)
    ends = result.runs.set_index("algorithm")
    assert (ends.loc["surf", "time"], ends.loc["surf", "reason"]) == (4, "last round")
    assert ends.loc["dgd", "time"] == 40
    curve = result.curves[result.curves["algorithm"] == "surf"]
    assert_array_equal(curve["rounds"], range(5))
    assert_array_equal(curve["communications"], 2 * NODES * np.arange(5))  # of one vector each
    assert_array_equal(curve["gradients"], NODES * np.arange(5))
    assert Study(scenario(weights, stop={"time": 4})).check()[0].note == ""
    note = Study(scenario(weights, stop={"communications": 100})).check()[0].note
    assert note.endswith("(no stop.time)")


def test_in_a_world_it_ends_with_its_last_layer_too(weights):
    world = {"nodes": {"slowness": [2.0] * NODES}}
    result = simulate(scenario(weights, world=world))
    assert result.runs.set_index("algorithm").loc["surf", "reason"] == "last round"
    curve = result.curves[result.curves["algorithm"] == "surf"]
    assert curve["rounds"].iloc[-1] == 4


# ---- weights ---------------------------------------------------------------------------------


def test_weights_lie_beside_the_scenario_and_belong_to_what_is_made(weights, tmp_path):
    text = json.dumps(scenario("mine.npz").to_mapping())
    (tmp_path / "s.yaml").write_text(text)
    loaded = load_scenario(tmp_path / "s.yaml")
    assert loaded.algorithms[0].weights == str(weights)
    result = simulate(loaded)
    digest = result.manifest["inputs"][str(weights)]
    before = Study(loaded)
    assert {key for key, _ in reusable(result, before)} == {("surf", 0), ("dgd", 0)}
    trained = random_numbers()
    arrays = {**trained.arrays, "bias": trained.arrays["bias"] + 1}
    save_trained(weights, Trained(arrays, trained.made), overwrite=True)
    after = Study(loaded)
    assert after.identity != before.identity
    assert {key for key, _ in reusable(result, after)} == {("dgd", 0)}
    assert simulate(loaded).manifest["inputs"][str(weights)] != digest


def test_what_is_written_is_read_again_and_the_same_bytes(weights, tmp_path):
    trained, read = random_numbers(), load_trained(weights)
    for name, array in trained.arrays.items():
        assert_array_equal(read.arrays[name], array)
    assert {**trained.made, "format": read.made["format"]} == read.made
    save_trained(tmp_path / "again.npz", trained)
    assert (tmp_path / "again.npz").read_bytes() == weights.read_bytes()
    np.load(weights, allow_pickle=False)["metadata"].item()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"surf": {"weights": "nothing"}}, "algorithms.surf.weights: unknown weights 'nothing'"),
        ({"surf": {"weights": "./no.npz"}}, "no.npz: there is no such file; make one with"),
        (
            {"problem": {"dim": 5}},
            "algorithms: surf.weights: trained for dimension 3; the problem has 5",
        ),
        (
            {"problem": {"kind": "logistic_l2", "mu": 1.0}},
            "algorithms: surf.weights: trained for kind least_squares; the problem is logistic_l2",
        ),
    ],
)
def test_what_weights_are_not_for_is_refused(weights, change, message):
    mapping = scenario(weights).to_mapping()
    if "surf" in change:
        mapping["algorithms"][0] |= change["surf"]
    problem = dict(change.get("problem", {}))
    mapping["problem"]["data"] |= {k: problem.pop(k) for k in ("dim",) if k in problem}
    mapping["problem"] |= problem
    with pytest.raises(InputError) as caught:
        Study(scenario_from_mapping(mapping)).check()
    assert message in str(caught.value)


def test_a_method_that_is_trained_needs_weights_and_no_other_takes_them(weights):
    for algorithm, message in (
        ("surf", "algorithms: surf.weights: is missing; give the file that learn-unrolled has"),
        (
            {"name": "dgd", "weights": str(weights)},
            "algorithms: dgd: nothing of it is trained; leave out weights",
        ),
    ):
        with pytest.raises(InputError) as caught:
            Study(scenario(weights, algorithms=[algorithm])).check()
        assert message in str(caught.value)


def test_raw_samples_come_in_the_batches_that_were_trained_on(tmp_path):
    path = tmp_path / "raw.npz"
    save_trained(path, random_numbers(batch_size=2, features="samples"))
    for surf in ({}, {"batch_size": 3}):
        with pytest.raises(InputError, match="surf: batch_size: trained on 2 raw samples; give 2"):
            Study(scenario(path, surf=surf)).check()
    curves = simulate(scenario(path, surf={"batch_size": 2})).curves
    counted = curves[curves["algorithm"] == "surf"]["gradients"]
    assert_allclose(counted, NODES * 2 / 8 * np.arange(5))


def test_arrays_of_other_shapes_and_methods_are_refused(tmp_path):
    trained = random_numbers()
    without = {"h": trained.arrays["h"], "M": trained.arrays["M"]}
    with pytest.raises(InputError, match=r"surf.weights: bias is missing \(h, M, bias\)"):
        METHOD.with_weights(Trained(without, trained.made))
    wrong = {**trained.arrays, "h": trained.arrays["h"][:2]}
    with pytest.raises(InputError, match=r"h has the shape \(2, 3\), not \(4, 3\)"):
        METHOD.with_weights(Trained(wrong, trained.made))
    with pytest.raises(InputError, match="trained for other"):
        METHOD.with_weights(Trained(trained.arrays, made(method="other")))
    more = {**trained.arrays, "more": np.ones(3)}
    with pytest.raises(InputError, match=r"surf.weights: more is none of its arrays \(h, M, bias"):
        METHOD.with_weights(Trained(more, trained.made))
    for change, reason in [
        ({"layers": "ten"}, "layers is 'ten', not a whole number >= 1"),
        ({"dimension": None}, "dimension is None, not a whole number >= 1"),
        ({"features": "pixels"}, "of features 'pixels', not of gradient or samples"),
        ({"features": "samples"}, "batch_size is None, not a whole number >= 1"),
        ({"kind": 3}, "kind is 3, not that of a problem"),
    ]:
        with pytest.raises(InputError, match=f"surf.weights: {reason}"):
            METHOD.with_weights(Trained(trained.arrays, made(**change)))
    nan = {**trained.arrays, "bias": np.full((4, 3), np.nan)}
    save_trained(tmp_path / "nan.npz", Trained(nan, trained.made))
    with pytest.raises(InputError, match="bias is not finite numbers"):
        load_trained(tmp_path / "nan.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(InputError, match="not the weights of a method, or damaged"):
        load_trained(tmp_path / "text.npz")


# ---- graphs that change, and nodes that sleep --------------------------------------------------


def test_every_exchange_takes_the_next_graph_of_a_sequence():
    trained, problem = random_numbers(), small_problem(NODES)
    graphs = sequence()
    Ws = [normalised(graph).toarray() for graph in graphs.graphs]
    h, M, d = trained.arrays["h"], trained.arrays["M"], trained.arrays["bias"]
    Y, exchanges = X0, 0
    for layer in range(LAYERS):
        power, mixed = Y, h[layer, 0] * Y
        for k in range(1, TAPS):
            power, exchanges = Ws[exchanges % len(Ws)] @ power, exchanges + 1
            mixed = mixed + h[layer, k] * power
        Y = mixed - (np.hstack([problem.gradients(Y), Y]) @ M[layer] + d[layer])
    method = METHOD.with_weights(trained)
    found = replay(method, problem, graphs, ROUNDS[:LAYERS], X0)["y"]
    assert_allclose(found, Y, rtol=1e-12, atol=1e-12)
    # What it asks for is that of its layers, also where there are more graphs than these.
    longer = GraphSequence(graphs.graphs * LAYERS)
    few, many = (method.tune(problem, one).asked.per_round for one in (graphs, longer))
    assert few.gradients == many.gradients == NODES


ASLEEP = 3


def test_who_sleeps_keeps_its_values_and_the_others_read_them():
    trained, problem = random_numbers(), small_problem(NODES)
    h, M, d = trained.arrays["h"], trained.arrays["M"], trained.arrays["bias"]
    method, options = METHOD.with_weights(trained), Options(asleep=ASLEEP)
    player = make_player(
        *(method, problem, method.tune(problem, lollipop(), {}, options), X0.copy(), {})
    )
    Y, slept = X0, np.zeros(NODES)
    for layer in range(LAYERS):
        mixed = sum(h[layer, k] * np.linalg.matrix_power(W, k) @ Y for k in range(TAPS))
        after = mixed - (np.hstack([problem.gradients(Y), Y]) @ M[layer] + d[layer])
        asleep = asleep_in(int(ROUNDS.mark[layer]), NODES, ASLEEP)
        Y, slept = np.where(asleep[:, None], Y, after), slept + asleep
        player.play(ROUNDS, layer, layer + 1)
        assert_allclose(player.blocks(("y",))["y"], Y, rtol=1e-12, atol=1e-12)
    assert slept.sum() == LAYERS * ASLEEP
    assert len(set(slept)) > 1  # others in every round
    assert player.tally.gradients == LAYERS * (NODES - ASLEEP)
    assert player.tally.communications == LAYERS * (TAPS - 1) * len(lollipop().edges)


def test_all_nodes_sleep_as_often():
    share = np.mean([asleep_in(mark, NODES, ASLEEP) for mark in range(4000)], axis=0)
    assert_allclose(share, ASLEEP / NODES, atol=5 * np.sqrt(0.25 / 4000))


def test_sleepers_are_the_same_for_every_method_and_counted_in_a_run(weights):
    asleep = {"asleep": ASLEEP}
    algorithms = [{"name": "surf", "weights": str(weights), **asleep}, {"name": "dgd", **asleep}]
    algorithms.append({"name": "dgd", "label": "awake"})
    study = Study(scenario(weights, algorithms=algorithms, stop={"gradients_per_node": 30}))
    surf, dgd, awake = study.check()
    assert surf.experimental
    assert dgd.experimental
    assert not awake.experimental
    result = simulate(study)
    last = result.curves.groupby("algorithm", observed=True).last()
    assert last.loc["dgd", "gradients"] == pytest.approx(30 * NODES, abs=NODES)
    assert last.loc["dgd", "rounds"] * (NODES - ASLEEP) == last.loc["dgd", "gradients"]
    assert last.loc["awake", "rounds"] * NODES == last.loc["awake", "gradients"]


@pytest.mark.parametrize(
    ("algorithm", "more", "reason"),
    [
        ({"name": "dgd", "asleep": 7}, {}, "dgd: asleep: 7 given; at most 6 of 7 can sleep"),
        ({"name": "dgd", "asleep": 0}, {}, "asleep: must be at least 1"),
        ({"name": "dadao", "asleep": 2}, {}, "dadao has no rounds to sleep through; leave out"),
        ({"name": "gt_saga", "asleep": 2}, {}, "gt_saga draws samples, and remembers them"),
        (
            {"name": "dgd", "asleep": 2, "lookahead": {"period": 2, "weight": 0.5}},
            {},
            "dgd: a lookahead would pull back nodes that slept; leave out asleep or it",
        ),
        (
            {"name": "dgd", "asleep": 2},
            {"world": {"preset": "ideal"}},
            "algorithms: dgd: asleep: a round of a world waits for all nodes; leave asleep out",
        ),
    ],
)
def test_sleep_that_cannot_be_is_refused_in_a_line(weights, algorithm, more, reason):
    with pytest.raises(InputError, match=reason) as refused:
        Study(scenario(weights, algorithms=[algorithm], **more)).check()
    assert "\n" not in str(refused.value)


# ---- what is shipped -------------------------------------------------------------------------


def test_what_is_shipped_is_small_and_says_how_to_make_it():
    ours = ["unrolled-digits", "unrolled-regression", "unrolled-sleepers"]
    assert FILES.names() == ["bands", *ours]
    for name in ours:
        trained = load_trained(name)
        assert (FILES.folder / f"{name}.npz").stat().st_size < 40_000
        assert trained.made["command"].startswith("dadao-sim learn-unrolled systems/unrolled")
        assert trained.made["command"].endswith(f"--out {name}.npz")
        METHOD.with_weights(trained)


@pytest.mark.parametrize("family", ["unrolled", "unrolled-digits"])
def test_the_lesson(family):
    """At 320 communications at most half the error of the best tuned DGD and gradient tracking,
    which are chosen on these very problems, none of which was trained on.
    """
    changes = ["stop={communications: 320}", "record={points: 2}"]
    scenario = load_scenario(f"scenarios/systems/{family}.yaml", changes)
    found = simulate(scenario.model_copy(update={"algorithms": scenario.algorithms[:3]}))
    ends = found.curves.sort_values("time").groupby(["algorithm", "repeat"], observed=True).last()
    error = ends["mean_squared_distance"].groupby("algorithm", observed=True).median()
    assert set(ends.loc["SURF", "communications"]) == {320}
    assert error["SURF"] <= error["DGD, tuned"] / 3
    assert error["SURF"] <= error["gradient tracking, tuned"] / 2


def test_who_learned_with_sleepers_minds_them_less():
    """In runs with 4 of 16 nodes asleep in every round."""
    changes = ["stop={communications: 320}", "record={points: 2}", "algorithms=[surf]"]
    scenario = load_scenario("scenarios/systems/unrolled.yaml", changes)
    names = ("unrolled-regression", "unrolled-sleepers")
    own = [
        {"name": "surf", "label": name, "weights": name, "asleep": 4, "batch_size": 30}
        for name in names
    ]
    found = simulate({**scenario.to_mapping(), "algorithms": own, "figures": None})
    ends = found.curves.sort_values("time").groupby(["algorithm", "repeat"], observed=True).last()
    plain, sleepers = (ends.loc[name, "mean_squared_distance"].median() for name in names)
    assert sleepers <= 0.7 * plain


@pytest.mark.parametrize(("family", "least"), [("unrolled", 10), ("unrolled-digits", 9)])
def test_the_layers_that_are_shipped_shorten_the_gradient(family, least):
    """That of F at every node's own point, on average over problems, by more than was asked for:
    every layer by a tenth. On images that it was not trained on one layer may fail.
    """
    scenario = load_scenario(f"scenarios/systems/{family}.yaml")
    method = METHOD.with_weights(load_trained(scenario.algorithms[0].weights))
    norms = []
    for repeat in range(6):
        parts = build_parts(scenario, repeat)
        problem, log = parts.problem, RoundClock(np.random.SeedSequence(repeat)).window()
        X, network = parts.x0, parts.network
        ys = [replay(method, problem, network, log[:k], X)["y"] for k in range(1, 11)]
        norms.append([np.linalg.norm([mean_gradient(problem, y) for y in Y]) for Y in (X, *ys)])
    mean = np.mean(norms, axis=0)
    assert np.count_nonzero(np.diff(mean) < 0) >= least
    assert mean[-1] < 0.9**10 * mean[0]


def mean_gradient(problem, y):
    return problem.gradients(np.tile(y, (problem.nodes, 1))).mean(axis=0)


def test_get_method_knows_it_without_weights():
    assert get_method("surf").trained is None
