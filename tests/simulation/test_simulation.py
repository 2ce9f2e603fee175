"""Whole simulations: the same bytes everywhere, fair counts, interruptions, and a user's own
parts."""

import ctypes
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from cases import GENERAL, lollipop, small_problem

from dadao_sim import GraphSequence, Network, RoundMethod, load_scenario, register, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.results.folder import UNFINISHED
from dadao_sim.results.result import load_result
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.simulation.interrupts import SOON, Interrupts
from dadao_sim.simulation.study import Study

QUICK = [name for name in GENERAL if name != "rapp"]  # a step of which is hundreds of rounds
SCENARIO = {
    "name": "small",
    "seed": 3,
    "repeats": 2,
    "problem": {
        "kind": "least_squares",
        "data": {"kind": "synthetic", "dim": 4, "samples_per_node": 10, "condition_number": 10},
    },
    "network": {"graph": "random_geometric", "nodes": 8},
    "algorithms": QUICK,
    "stop": {"time": 60},
    "record": {"points": 20},
}


def changed(**changes):
    return {**SCENARIO, **changes}


def digest(folder):
    names = ("curves.parquet", "summary.csv", "runs.csv", "summary.tex")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


# ---- reproducibility
# ------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_same_bytes_in_another_process_and_with_other_jobs(tmp_path):
    simulate(SCENARIO, out=tmp_path / "here")
    simulate(SCENARIO, out=tmp_path / "two", jobs=2, threads=2)
    scenario = tmp_path / "small.json"
    scenario.write_text(json.dumps(SCENARIO))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "dadao_sim.cli.main",
            "run",
            str(scenario),
            "--out",
            str(tmp_path / "there"),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        check=True,
        capture_output=True,
    )
    assert digest(tmp_path / "here") == digest(tmp_path / "two") == digest(tmp_path / "there")


def test_another_seed_differs_and_so_does_another_repeat():
    one, other = simulate(SCENARIO).curves, simulate(changed(seed=4)).curves
    for label in SCENARIO["algorithms"]:
        a, b = (
            c[(c.algorithm == label) & (c.repeat == 0)].accuracy.to_numpy() for c in (one, other)
        )
        assert not np.array_equal(a, b), label
        again = one[(one.algorithm == label) & (one.repeat == 1)].accuracy.to_numpy()
        assert not np.array_equal(a, again), label


def test_an_algorithm_does_not_disturb_the_others():
    alone = simulate(changed(algorithms=["dadao"])).curves
    among = simulate(SCENARIO).curves
    among = among[among.algorithm == "dadao"].reset_index(drop=True)
    assert alone.equals(among)


def test_the_recording_does_not_touch_the_run():
    few, many = (simulate(changed(algorithms=["dadao"], record={"points": p})) for p in (3, 50))
    for key, blocks in few.states.items():
        for name, value in blocks.items():
            np.testing.assert_array_equal(value, many.states[key][name])


def test_the_manifest_runs_again_to_the_same_numbers():
    first = simulate(SCENARIO)
    again = simulate(json.loads(json.dumps(first.manifest))["scenario"])
    assert again.curves.equals(first.curves)


# ---- counts
# ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return simulate(SCENARIO)


def ends(result):
    return result.curves.groupby("algorithm", sort=False).last()


def test_each_method_is_counted_as_its_paper_counts(result):
    end = ends(result)
    nodes, dimension, rounds = 8, 4, 60
    edges = {
        repeat: len(simulation_network(repeat).edges) for repeat in range(SCENARIO["repeats"])
    }[1]
    for name in ("msda", "adom_plus", "adom_plus_multi_consensus"):
        row = end.loc[name]
        tuning = result.manifest["runs"]
        constants = next(
            r["constants"] for r in tuning if r["algorithm"] == name and r["repeat"] == 1
        )
        gossip = {"msda": constants.get("K"), "adom_plus": 1}.get(name, constants.get("T"))
        vectors = 1 if name == "msda" else 2
        assert row.rounds == rounds
        # A dual method's estimate at time 0 is a local solve at every node.
        assert row.gradients == nodes * (rounds + (name == "msda"))
        assert row.conjugate_gradients == (row.gradients if name == "msda" else 0)
        assert row.communications == gossip * edges * rounds
        assert row.messages == 2 * row.communications
        assert row.floats_sent == row.messages * vectors * dimension
        assert row.bytes_sent == 8 * row.floats_sent
    row = end.loc["continuized"]
    assert row.gradients == row.conjugate_gradients == 2 * row.communications + nodes
    row = end.loc["dadao"]
    assert row.conjugate_gradients == row.rounds == 0


def simulation_network(repeat):
    from dadao_sim.simulation.parts import build_parts

    return build_parts(scenario_from_mapping(SCENARIO), repeat).network


def test_dadao_computes_and_communicates_at_its_rates():
    """Counts over a long time against the Poisson law, four standard deviations."""
    scenario = changed(algorithms=["dadao"], repeats=1, stop={"time": 5000})
    result = simulate(scenario)
    end = result.curves.iloc[-1]
    rate = result.manifest["runs"][0]["constants"]["total_rate"]
    assert abs(end.gradients - 8 * 5000) < 4 * np.sqrt(8 * 5000)
    assert abs(end.communications - rate * 5000) < 4 * np.sqrt(rate * 5000)


@pytest.mark.parametrize(("name", "value"), [("gradients_per_node", 7), ("communications", 123)])
def test_a_limit_ends_a_run_at_the_event_that_reaches_it(name, value):
    end = ends(simulate(changed(algorithms=["dadao", "msda", "continuized"], stop={name: value})))
    column, limit = ("gradients", 7 * 8) if name == "gradients_per_node" else (name, 123)
    assert end.loc["dadao"][column] == limit
    assert limit <= end.loc["continuized"][column] < limit + 2
    step = end.loc["msda"][column] / end.loc["msda"].rounds
    assert limit <= end.loc["msda"][column] < limit + step


def test_a_minibatch_counts_its_share():
    scenario = changed(
        algorithms=[{"name": "dadao", "batch_size": 2}], stop={"gradients_per_node": 10}
    )
    result = simulate(scenario)
    assert result.curves.iloc[-1].gradients == pytest.approx(80, abs=0.2)
    assert result.curves.iloc[-1].time == pytest.approx(50, rel=0.2)


@pytest.mark.parametrize("method", ["gradient_tracking", "prox_ed"])
def test_rounds_of_minibatches_end_where_their_shares_add_up_to_the_limit(method):
    """Batches of 1 of 10 samples: 10 rounds are a pass, less the one before the first round."""
    scenario = changed(
        algorithms=[{"name": method, "batch_size": 1, "parameters": {"step": 1e-3}}],
        stop={"gradients_per_node": 30},
        repeats=1,
    )
    end = simulate(scenario).curves.iloc[-1]
    assert end.gradients == pytest.approx(30 * 8, abs=1e-6)
    assert end["rounds"] == 300 - (method == "gradient_tracking")


@pytest.mark.parametrize("method", ["msda", "gradient_tracking", "continuized"])
def test_a_start_that_costs_the_limit_ends_the_run(method):
    """Each node computes once before time 0, and is given no more."""
    scenario = changed(algorithms=[method], stop={"gradients_per_node": 1}, repeats=1)
    result = simulate(scenario)
    run, curve = result.runs.iloc[0], result.curves
    assert (run.status, run.reason) == ("stopped", "limit of gradients")
    assert len(curve) == 1
    assert curve.gradients[0] == 8
    assert run.events == curve.time[0] == curve.communications[0] == 0


def test_the_first_sample_is_the_start(result):
    first = result.curves.groupby("algorithm").first()
    assert (first.time == 0).all()
    assert (first.communications == 0).all()
    assert first.accuracy["dadao"] == 1.0


@pytest.mark.slow
def test_a_world_is_the_same_in_other_processes():
    scenario = changed(
        algorithms=["dadao", "msda", "nids"], world={"links": {"latency": 0.1}}, stop={"time": 20}
    )
    assert simulate(scenario, jobs=2).curves.equals(simulate(scenario).curves)


# ---- interruptions
# --------------------------------------------------------------------------------


def test_an_interrupted_run_leaves_what_was_finished_and_goes_on(tmp_path):
    whole = simulate(SCENARIO)
    done = []

    def stop_after_three(key, share, accuracy):
        if share >= 1:
            done.append(key)
            if len(done) == 3:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(SCENARIO, out=tmp_path / "r", tick=stop_after_three)
    partial = load_result(tmp_path / "r")
    assert partial.manifest["interrupted"] is True
    assert len(partial.runs) == 3
    with pytest.raises(InputError, match="r exists; choose another, or resume or overwrite it"):
        simulate(SCENARIO, out=tmp_path / "r")
    with pytest.raises(InputError, match="holds runs of another scenario"):
        simulate(changed(seed=9), out=tmp_path / "r", resume=True)
    ran = set()
    resumed = simulate(SCENARIO, out=tmp_path / "r", resume=True, tick=lambda key, *_: ran.add(key))
    assert not ran & set(done), "a finished run was run again"
    assert resumed.curves.equals(whole.curves)
    assert resumed.manifest["interrupted"] is False
    assert not (tmp_path / "r" / UNFINISHED).exists()


@pytest.mark.slow
def test_ctrl_c_on_the_command_line(tmp_path):
    scenario = tmp_path / "long.json"
    scenario.write_text(
        json.dumps(changed(algorithms=["msda", "dadao"], repeats=1, stop={"time": 1e7}))
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "dadao_sim.cli.main",
            "run",
            str(scenario),
            "--out",
            str(tmp_path / "r"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # what runs in the background inherits a SIGINT that is ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "r" / UNFINISHED).is_dir() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "go on with --resume" in out
    assert "Traceback" not in err
    assert load_result(tmp_path / "r").manifest["interrupted"] is True


@pytest.mark.parametrize("compiler_fails", [True, False])
def test_ctrl_c_within_a_callback_of_the_compiler_is_not_lost(tmp_path, compiler_fails):
    """Python drops what a callback of C raises; the compiler then fails, or does not."""

    @ctypes.CFUNCTYPE(None)
    def callback():
        raise KeyboardInterrupt

    played = []

    def tick(key, share, accuracy):
        played.append(key)
        if len(played) == 3:
            callback()
            if compiler_fails:
                raise RuntimeError("no compiled object yet")

    scenario = changed(algorithms=["dadao", "msda"], repeats=1)
    with pytest.raises(KeyboardInterrupt):
        simulate(scenario, out=tmp_path / "r", tick=tick)
    assert played == [("dadao", 0)] * 3
    assert load_result(tmp_path / "r").manifest["interrupted"] is True


@ctypes.CFUNCTYPE(None)
def interrupted_callback():
    raise KeyboardInterrupt


def test_what_was_dropped_is_raised_though_nobody_asks():
    """Between two samples of a long run there may be hours."""

    def long_run():
        with Interrupts():
            interrupted_callback()
            for _ in range(6000):
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        long_run()


def test_what_was_dropped_is_raised_once():
    interrupts = Interrupts()

    def asks():
        with interrupts:
            interrupted_callback()
            interrupts.check()

    with pytest.raises(KeyboardInterrupt):
        asks()
    time.sleep(1.5 * SOON)
    interrupts.check()


def test_a_signal_whose_interrupt_is_swallowed_comes_again():
    """As where C clears what a method of Python has raised."""

    def swallows():
        with Interrupts():
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            for _ in range(6000):
                time.sleep(0.01)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        swallows()
    assert signal.getsignal(signal.SIGINT) is before


def test_what_cleans_up_after_an_interrupt_is_left_alone():
    done = []

    def cleans_up():
        with Interrupts():
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                time.sleep(2.5 * SOON)
                done.append("clean")

    with pytest.raises(KeyboardInterrupt):
        cleans_up()
    assert done == ["clean"]


def test_other_errors_that_python_drops_are_reported_as_ever(monkeypatch):
    @ctypes.CFUNCTYPE(None)
    def callback():
        raise ValueError("of the callback")

    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: heard.append(str(dropped.exc_value)))
    with Interrupts() as interrupts:
        callback()
    assert heard == ["of the callback"]
    interrupts.check()  # nothing to raise


def test_a_diverging_run_does_not_stop_the_others():
    scenario = changed(
        algorithms=[{"name": "dadao", "label": "too slow", "rate_factor": 0.1}, "msda"],
        network={"graph": "path", "nodes": 8},
        stop={"time": 3000, "accuracy": 1e-8},
    )
    result = simulate(scenario)
    status = result.runs.groupby("algorithm").status.unique()
    assert list(status["too slow"]) == ["diverged"]
    assert list(status["msda"]) == ["converged"]
    summary = result.summary.set_index("algorithm")
    assert np.isinf(summary.loc["too slow"].communications_median).all()


# ---- a user's own parts
# ---------------------------------------------------------------------------


def test_objects_made_in_python_take_the_place_of_sections():
    problem, network = small_problem(7), lollipop()
    result = simulate(changed(stop={"time": 400}), problem=problem, network=network)
    last = result.curves.groupby("algorithm").accuracy.last()
    assert (last < 0.1).all()
    assert (last.drop(["asy_sonata", "osgp"]) < 1e-2).all()  # small steps, a plateau
    assert result.manifest["given_in_python"] == ["network", "problem"]


def test_a_result_is_of_the_content_of_its_files(tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "d.npz"
    problem = {"kind": "least_squares", "data": {"kind": "file", "path": str(file)}}
    scenario = changed(problem=problem, algorithms=["dadao"], repeats=2)
    ends = []
    for _ in range(2):
        np.savez(file, A=rng.standard_normal((80, 2)), b=rng.standard_normal(80))
        ends.append(simulate(scenario).curves.mean_squared_distance.iloc[-1])
    assert ends[0] != ends[1], "the second run used the first one's data"

    def stop(key, share, accuracy):
        if share >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(scenario, out=tmp_path / "r", tick=stop)
    np.savez(file, A=rng.standard_normal((80, 2)), b=rng.standard_normal(80))
    with pytest.raises(InputError, match="holds runs of another scenario"):
        simulate(scenario, out=tmp_path / "r", resume=True)


@pytest.mark.parametrize("jobs", [0, -1, 1.5])
def test_jobs_are_a_count(jobs):
    with pytest.raises(InputError, match="jobs"):
        simulate(SCENARIO, jobs=jobs)


def test_rates_of_its_own_are_refused_where_gossip_has_unit_weights():
    with pytest.raises(InputError, match="msda gossips with unit weights"):
        simulate(changed(algorithms=[{"name": "msda", "rates": "optimal"}]))


def test_parts_given_in_python_are_not_resumed(tmp_path):
    with pytest.raises(InputError, match="resume: what is given in Python cannot"):
        simulate(SCENARIO, problem=small_problem(7), out=tmp_path, resume=True)


def test_a_network_and_a_problem_of_different_sizes_are_refused():
    with pytest.raises(InputError, match="network: has 7 nodes, but the problem has 5"):
        simulate(SCENARIO, problem=small_problem(5), network=lollipop())


def test_the_optimum_is_no_start():
    problem = small_problem(7, "ridge")
    centred = type(problem).averaging(np.array([[1.0], [-1.0]]))
    with pytest.raises(InputError, match="start: x0 is the optimum itself"):
        simulate(
            changed(network={"graph": "path", "nodes": 2}, algorithms=["dadao"]), problem=centred
        )


# ---- the estimate
# ---------------------------------------------------------------------------------


def test_the_estimate_counts_the_events_and_the_arrays():
    scenario = scenario_from_mapping(changed(algorithms=["dadao"], repeats=1, stop={"time": 1000}))
    estimate = Study(scenario).estimate()
    result = simulate(scenario)
    assert result.runs.events[0] == pytest.approx(estimate.events, rel=0.1)
    assert estimate.memory > 2 * sum(block.nbytes for block in result.states["dadao", 0].values())
    assert estimate.seconds > 0


def test_the_estimate_takes_a_window_of_few_events():
    """One busy graph among many quiet ones: most ticks of the clock are left out."""
    edges = [(i, i + 1) for i in range(6)]
    graphs = [Network(7, edges, rates=np.full(6, 1.0 if q == 0 else 0.01)) for q in range(30)]
    scenario = changed(algorithms=["dadao"], stop={"time": 20})
    study = Study(scenario, network=GraphSequence(graphs), problem=small_problem(7))
    assert len(study.plan(("dadao", 0)).source.first) < 2000
    assert study.estimate().events > 0


def test_the_quickstart_methods_converge_linearly():
    """log(accuracy) is a line in time, from 1e-3 to the 1e-10 that the scenario stops at."""
    path = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
    result = simulate(load_scenario(path, ["repeats=1"]))
    assert set(result.runs.status) == {"converged"}
    for label, curve in result.curves.groupby("algorithm"):
        assert curve.accuracy.iloc[-1] <= 1e-10
        late = curve[curve.accuracy < 1e-3]
        correlation = np.corrcoef(late.time, np.log(late.accuracy))[0, 1]
        assert correlation < -0.99, label


@pytest.mark.slow
def test_a_users_method_runs_in_other_processes(tmp_path):
    """A script registers the README's method in its main module, which no worker can import."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = next(b for b in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "dgd" in b)
    method = block[: block.index("scenario = ")]
    script = tmp_path / "own.py"
    script.write_text(
        f"{method}\n"
        "import sys, json\n"
        "from dadao_sim import simulate\n"
        "if __name__ == '__main__':\n"
        "    scenario = json.loads(sys.argv[1])\n"
        "    one, two = (simulate(scenario, jobs=jobs).curves for jobs in (1, 2))\n"
        "    print(one.equals(two), set(one.algorithm))\n"
    )
    scenario = json.dumps(changed(algorithms=["dgd"]))
    done = subprocess.run(
        [sys.executable, str(script), scenario], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "{'dgd'}"]


@pytest.mark.parametrize(
    ("step", "asked", "other"),
    [
        (lambda s, c, nodes, W: setattr(s, "x", W(s.x)), "communications", "gradients"),
        (lambda s, c, nodes, W: nodes.gradients(s.x), "gradients", "communications"),
    ],
)
def test_a_method_may_ask_for_one_thing_only(step, asked, other):
    """A step of gossip, or of gradients, alone; a limit of the other would never be reached."""
    register(RoundMethod(name="one_thing", constants=lambda c, p, n: None, step=step))
    try:
        end = simulate(changed(algorithms=["one_thing"])).curves.iloc[-1]
        assert end[asked] > 0
        assert end[other] == 0
        limit = "gradients_per_node" if other == "gradients" else other
        with pytest.raises(InputError, match="stop: one_thing would never end"):
            simulate(changed(algorithms=["one_thing"], stop={limit: 5}))
    finally:
        del METHODS["one_thing"]


def test_a_constant_that_has_a_key_is_set_once():
    twice = {"name": "dadao", "rate_factor": 2.0, "parameters": {"rate_factor": 3.0}}
    with pytest.raises(InputError, match=r"dadao: parameters\.rate_factor: .* set beside it"):
        simulate(changed(algorithms=[twice]))


def test_load_scenario_and_simulate_take_a_path():
    path = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
    assert load_scenario(path).name == "quickstart"
