"""Problems that change in stages: what nodes agree on by gossip, pauses, restarts, their counts."""

from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dadao_sim import Network, PlayedAgain, replay, simulate
from dadao_sim.algorithms.contract.gossip import normalised
from dadao_sim.algorithms.contract.tally import Tally
from dadao_sim.errors import InputError
from dadao_sim.events.log import ROUND, Events
from dadao_sim.events.pauses import PausedClock
from dadao_sim.events.poisson import PoissonClock
from dadao_sim.events.rounds import RoundClock
from dadao_sim.problems.kinds.kind import PROBLEMS
from dadao_sim.problems.kinds.stages import Stages
from dadao_sim.simulation.agreement import agreed_quantile
from dadao_sim.simulation.study import Study

RING = Network.from_networkx(nx.cycle_graph(8))
EDGES = 8
STAGES = {"quantile": 0.7, "agree": "gossip", "every": 20, "times": 2, "rounds": 15}
DATA = {
    "kind": "magnitudes",
    "dim": 4,
    "samples_per_node": 12,
    "outliers": {"fraction": 0.2, "where": "nodes"},
}


def scenario(*algorithms, trim=STAGES, **more):
    return {
        "name": "stages",
        "seed": 2,
        "problem": {"kind": "phase_retrieval", "data": DATA, "trim": trim},
        "network": {"graph": "cycle", "nodes": 8},
        "start": {"kind": "normal", "shared": True},
        "algorithms": list(algorithms or ["gradient_tracking"]),
        "stop": {"time": 100},
        "record": {"points": 100, "spacing": "linear"},
        **more,
    }


def phases(trim=STAGES):
    kind = PROBLEMS["phase_retrieval"](kind="phase_retrieval", data=DATA, trim=trim)
    return kind.build(8, np.random.default_rng(0))


# ---- a number of each node
# ------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [nx.cycle_graph(8), nx.star_graph(7)])
@pytest.mark.parametrize("q", [0.3, 0.5, 0.7])
def test_nodes_agree_on_a_quantile_of_all_values(graph, q):
    """Though no two nodes have values of one size, and those of two are far beyond the rest."""
    network = Network.from_networkx(graph)
    rng = np.random.default_rng(1)
    values = [rng.lognormal(i / 4, 1, 200) * (1e3 if i < 2 else 1) for i in range(8)]
    own = [np.quantile(held, q) for held in values]
    t = agreed_quantile(values, q, network, 200, Tally())
    shares = [(np.concatenate(values) <= level).mean() for level in t]
    assert_allclose(shares, q, atol=0.05)
    assert t.max() / t.min() < 1.2 < 100 < max(own) / min(own)


def test_agreeing_is_counted():
    tally = Tally(communications=5.0)
    agreed_quantile([np.arange(3.0)] * 8, 0.5, RING, 30, tally)
    sent = 2 * 30 * EDGES
    assert tally.communications == 5 + 30 * EDGES
    assert (tally.messages, tally.floats_sent, tally.bytes_sent) == (sent, sent, 8 * sent)
    assert tally.gradients == 0


def test_values_of_0_are_a_quantile_too():
    t = agreed_quantile([np.zeros(4)] * 8, 0.7, RING, 150, Tally())
    assert np.isfinite(t).all()
    assert (t < 1e-250).all()


# ---- pauses
# ------------------------------------------------------------------------------


def test_a_paused_clock_is_the_clock_later():
    plain = RoundClock(np.random.SeedSequence(1)).window()
    paused = PausedClock(
        RoundClock(np.random.SeedSequence(1)), np.array([250.0, 500.0]), 150
    ).window()
    assert_array_equal(paused.mark, plain.mark)
    late = paused.time - plain.time
    assert_array_equal(late, np.repeat([0, 150, 300], [250, 250, len(plain) - 500]))


def test_nothing_happens_in_a_pause():
    rates = np.ones(8), np.ones(EDGES)
    clock = PoissonClock(*rates, RING.edges, np.random.SeedSequence(1))
    time = PausedClock(clock, np.array([0.7, 1.4, 2.1]), 2.0).window().time
    assert (np.diff(time) >= 0).all()
    for k in range(3):
        begun = 2.7 * k + 0.7
        assert not ((time > begun + 1e-12) & (time < begun + 2 - 1e-12)).any()


# ---- stages
# ------------------------------------------------------------------------------


def transcription(problem, X, rounds):
    """Dense: tracked gradients, and at the end of a stage thresholds, from which H starts at 0."""
    m = problem.model
    A, y = m.A.reshape(8, 12, 4), m.y.reshape(8, 12)
    W = normalised(RING).toarray()
    kept = np.ones_like(y, dtype=bool)

    def gradients(X):
        z = np.einsum("imd,id->im", A, X)
        return np.einsum("imd,im->id", A, np.where(kept, (z * z - y * y) * z, 0)) / 12

    def start(X):
        return X, gradients(X), np.zeros_like(X)

    X, G, H = start(X)
    for k in range(rounds):
        if k in (20, 40):
            R = np.abs(np.einsum("imd,id->im", A, X) ** 2 - y**2)
            t = np.log(np.median(R, axis=1))
            for _ in range(15):
                t = W @ t + 0.4 * (0.7 - (R <= np.exp(t)[:, None]).mean(axis=1))
            kept = R <= np.exp(t)[:, None]
            X, G, H = start(X)
        X = W @ (X - (H + G) / problem.L)
        G = gradients(X)
        H = W @ (H + G) - G
    return X, kept


def test_stages_are_those_of_a_dense_transcription():
    result = simulate(scenario())
    parts = Study(scenario()).parts(0)
    X, kept = transcription(parts.problem, parts.x0, rounds=70)  # 100 units, 30 of them pauses
    assert not kept.all()
    assert_allclose(result.states[("gradient_tracking", 0)]["x"], X, rtol=1e-11, atol=1e-12)


def test_agreements_pauses_and_preparations_are_counted():
    curves = simulate(scenario()).curves.set_index("time")
    for time, rounds, stages in ((20, 20, 0), (30, 20, 0), (36, 21, 1), (55, 40, 1), (100, 70, 2)):
        row = curves.loc[time]
        assert row["rounds"] == rounds
        assert row["gradients"] == 8 * (rounds + 1 + stages)
        assert row["communications"] == EDGES * (rounds + 15 * stages)
        assert row["floats_sent"] == 2 * EDGES * (rounds * 8 + 15 * stages)
        assert row["bytes_sent"] == 8 * row["floats_sent"]
    assert len(set(curves.loc[20:35, "mean_squared_distance"])) == 1


@pytest.mark.parametrize("name", ["pg_extra", "ad_psgd"])
def test_a_problem_may_be_posed_from_the_start_only(name):
    """A first agreement before all else: stage 0 lasts no time, and nothing is computed in it."""
    asked = scenario(name)
    asked["problem"] = {**asked["problem"], "loss": "signs"}
    curves = simulate(asked).curves.set_index("time")
    still = curves.loc[:15]
    assert (still[["gradients", "communications"]] == 0).all(axis=None)
    assert len(set(still["mean_squared_distance"])) == 1
    assert len(set(curves.loc[35:50, "mean_squared_distance"])) == 1  # the second agreement
    if name == "pg_extra":
        for time, rounds, stages in ((16, 1, 1), (35, 20, 1), (51, 21, 2), (100, 70, 2)):
            row = curves.loc[time]
            assert row["gradients"] == 8 * rounds
            assert row["communications"] == EDGES * (rounds + 15 * stages)


def test_a_local_threshold_costs_nothing_and_takes_no_time():
    trim = {"quantile": 0.7, "every": 20, "times": 2}
    curves = simulate(scenario(trim=trim)).curves
    assert curves["communications"].iloc[-1] == EDGES * 100
    assert curves["gradients"].iloc[-1] == 8 * (100 + 1 + 2)


@pytest.mark.parametrize("name", ["gradient_tracking", "ad_psgd"])
def test_a_limit_ends_the_run_at_the_event_that_reaches_it(name):
    """Also one that is in an agreement: the next event ends the run."""
    for limit in (EDGES * 10, EDGES * 25, EDGES * 38):
        stop = {"time": 100, "communications": limit}
        end = simulate(scenario(name, stop=stop)).curves.iloc[-1]
        assert limit <= end["communications"] <= limit + EDGES * 15
        assert end["time"] < 100
    exact = simulate(scenario(name, stop={"time": 100, "communications": EDGES * 5}))
    assert exact.curves["communications"].iloc[-1] == EDGES * 5


@pytest.mark.parametrize("name", ["gradient_tracking", "ad_psgd", "a2cid2"])
def test_before_the_first_stage_ends_all_is_as_without_stages(name):
    """And the events are those of the same clock, whatever the pauses."""
    staged = simulate(scenario(name)).curves
    plain = simulate(scenario(name, trim=None)).curves
    first = staged["time"] <= 20
    assert_array_equal(staged[first].to_numpy()[:, 2:], plain[first].to_numpy()[:, 2:])
    assert staged["accuracy"].iloc[-1] != plain["accuracy"].iloc[-1]


def test_the_bytes_are_the_same_for_any_number_of_processes():
    asked = scenario("gradient_tracking", "ad_psgd", "a2cid2", repeats=2)
    alone, together = simulate(asked), simulate(asked, jobs=2)
    assert_array_equal(alone.curves.to_numpy(), together.curves.to_numpy())
    for key, blocks in alone.states.items():
        for name, rows in blocks.items():
            assert_array_equal(together.states[key][name], rows)


@pytest.mark.parametrize("name", ["gradient_tracking", "a2cid2"])
def test_a_run_is_made_again_from_its_log(name):
    result = simulate(scenario(name))
    again = PlayedAgain(result, name, 0)
    parts = Study(scenario(name)).parts(0)
    blocks = replay(name, parts.problem, parts.network, again.events, x0=parts.x0)
    for block, rows in result.states[(name, 0)].items():
        assert_array_equal(blocks[block], rows)
    seen = again.trajectory([3])
    assert_array_equal(
        seen.iloc[-1][["x0", "x1", "x2", "x3"]].to_numpy(dtype=float)[0],
        seen["x0"].to_numpy()[-1],
    )
    with pytest.raises(InputError, match="a problem of stages keeps no counts of its edges"):
        again.edge_counts()


def test_an_event_in_a_pause_is_refused():
    rounds = Events.from_arrays(np.arange(1.0, 31), np.full(30, ROUND), np.full(30, -1))
    with pytest.raises(InputError, match=r"something happens at 21, where the nodes do nothing"):
        replay("gradient_tracking", phases(), RING, rounds, x0=np.ones(4))


def test_a_block_cannot_be_given_to_stages():
    rounds = Events.from_arrays([1.0], [ROUND], [-1])
    with pytest.raises(InputError, match="h: stages start at x0 alone; leave it out"):
        replay("gradient_tracking", phases(), RING, rounds, x0=np.ones(4), h=np.ones((8, 4)))


def test_methods_are_tuned_one_by_one():
    """A batch of runs is of one problem; that of stages changes by what each run finds."""
    from dadao_sim.tuning.batch import structure

    study = Study(scenario(trim=None))
    plan = study.plan(study.keys[0])
    assert structure(plan) is not None
    assert structure(replace(plan, parts=Study(scenario()).parts(0))) is None


# ---- a user's own
# ------------------------------------------------------------------------------


def test_any_problem_may_have_stages():
    """In stage k the nodes average their points times 1 + k; what they found is handed on."""
    from dadao_sim.problems.kinds.averaging import AveragingProblem

    heard = []

    @dataclass(frozen=True, eq=False, kw_only=True, repr=False)
    class Moving(AveragingProblem):
        @property
        def stages(self):
            return Stages(every=60.0, times=3)

        def refreshed(self, k, X, agree):
            heard.append((k, X.mean(axis=0)))
            return replace(self, centres=self.centres * (1 + k) / k)

    centres = np.random.default_rng(0).standard_normal((8, 2)) + 3
    problem = Moving(kind="averaging", centres=centres)
    asked = {"time": 500, "start": {"kind": "normal"}}
    result = simulate(problem, RING, ["gradient_tracking"], **asked)
    mean = centres.mean(axis=0)
    for (k, found), stage in zip(heard, [1, 2, 3], strict=True):
        assert k == stage
        assert_allclose(found, k * mean, rtol=1e-3)
    X = result.states[("gradient_tracking", 0)]["x"]
    assert_allclose(X, np.tile(4 * mean, (8, 1)), rtol=1e-3)
