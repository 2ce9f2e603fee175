"""Every registered method keeps its contract; and the contract can be broken."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dadao_sim.algorithms.contract import gossip, nodes
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.tally import Message
from dadao_sim.errors import InputError
from dadao_sim.events.log import (
    ARRIVE_I,
    ARRIVE_J,
    ARRIVE_ONE,
    GOSSIP,
    GRADIENT,
    SEND,
    SEND_ONE,
)
from dadao_sim.networks import GraphSequence
from dadao_sim.simulation.replay import replay as play_log
from dadao_sim.testing import (
    LAWS,
    Case,
    cases,
    check_method,
    hold,
    lollipop,
    outcomes,
    small_problem,
)

CASES = [case for method in METHODS.values() for case in cases(method)]
BY_NAME = {one.__name__: one for one in LAWS}
costs = BY_NAME["what_it_costs_is_what_it_asks_for"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.method.name}, {case}")
def test_every_method_keeps_every_law(case):
    found = [hold(one, case) for one in LAWS]
    assert not [str(outcome) for outcome in found if outcome.status == "broken"]
    assert sum(outcome.status == "passed" for outcome in found) >= 9


def test_a_law_is_skipped_for_what_a_method_does_not_declare_and_only_then():
    """Every built-in method declares a fixed point or says in its guarantee that it has none."""
    skipped = {
        (o.law, method.name)
        for method in METHODS.values()
        for o in outcomes_of_fixed_points(method)
        if o.status == "skipped"
    }
    law = "the_declared_optimum_is_a_fixed_point"
    plateaus = {"a2cid2", "ad_psgd", "dgd", "d_psgd", "atc_diffusion", "choco_sgd"}
    plateaus |= {"subgradient_push", "sgp"}
    plateaus |= {"local_sgd", "fedavg", "dprgd", "deg", "surf", "deep_mix", "osgp", "asy_dgd"}
    assert {name for one, name in skipped if one == law} == plateaus | {"apm_c", "defw", "scion"}


def outcomes_of_fixed_points(method):
    return [hold(BY_NAME["the_declared_optimum_is_a_fixed_point"], cases(method)[0])]


# ---- Mutations: what is wrong turns a law red ----------------------------------------------------


def broken(method, setting="fixed"):
    """The laws that a method breaks in one setting."""
    case = Case(method, setting)
    return {one.__name__ for one in LAWS if hold(one, case).status == "broken"}


def test_a_counter_that_misses_gradients_is_seen(monkeypatch):
    """NIDS at a quarter of a gradient."""
    real = nodes.Nodes.gradients

    def quarter(self, X):
        before = self.tally.gradients
        out = real(self, X)
        self.tally.gradients = before + self.share / 4
        return out

    monkeypatch.setattr(nodes.Nodes, "gradients", quarter)
    assert hold(costs, Case(METHODS["nids"], "fixed")).status == "broken"


def test_a_counter_that_misses_a_vector_is_seen(monkeypatch):
    """SONATA at one vector of its two."""
    monkeypatch.setattr(gossip.Gossip, "again", lambda self, V: self._mixed((V,), self.made - 1, 1))
    outcome = hold(costs, Case(METHODS["sonata"], "fixed"))
    assert outcome.status == "broken"
    assert "50 messages in sequence are counted, 100 were sent" in outcome.why


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_wrong_number_of_bits_is_seen(monkeypatch, wrong):
    """Prox-LEAD's five symbols take three bits, not two or four."""
    real = nodes.Nodes.compressed

    def miscounted(self, V):
        message = real(self, V)
        return Message(message.rows, message.numbers, message.bits + wrong * V.shape[1] * 3)

    monkeypatch.setattr(nodes.Nodes, "compressed", miscounted)
    outcome = hold(costs, Case(METHODS["prox_lead"], "fixed"))
    assert outcome.status == "broken"
    assert "bytes counted" in outcome.why


def test_floats_that_are_called_bits_are_seen(monkeypatch):
    """A message that claims three bits a number, and sends floats."""

    def claimed(self, V):
        return Message(V.copy(), V.shape[1] + 1, 3 * V.shape[1] + 64)

    monkeypatch.setattr(nodes.Nodes, "compressed", claimed)
    assert hold(costs, Case(METHODS["prox_lead"], "fixed")).status == "broken"


def test_conjugate_gradients_and_local_solves_that_nobody_pays_are_seen(monkeypatch):
    def free(self, *arguments, **named):
        tally = self.tally
        self.tally = replace(tally)
        out = real(self, *arguments, **named)
        self.tally = tally
        return out

    for verb, name in (("conjugate_gradients", "msda"), ("local_solves", "d_admm")):
        real = getattr(nodes.Nodes, verb)
        with monkeypatch.context() as patch:
            patch.setattr(nodes.Nodes, verb, free)
            assert hold(costs, Case(METHODS[name], "fixed")).status == "broken", name


def test_a_start_that_has_to_be_computed_is_paid():
    """A node's estimate of a dual method is a conjugate gradient; tracking needs its gradients."""
    for name, gradients, conjugates in (
        *(("msda", 7, 7), ("continuized", 7, 7), ("dual_proximal_gradient", 7, 7)),
        *(("gradient_tracking", 7, 0), ("sonata", 7, 0), ("nids", 0, 0), ("dadao", 0, 0)),
    ):
        case = Case(METHODS[name], "fixed")
        player = case.player()
        player.begin(case.events)
        tally = player.tally
        assert (tally.gradients, tally.conjugate_gradients) == (gradients, conjugates), name


def test_a_wrong_fixed_point_a_wrong_invariant_and_a_wrong_kin_are_seen():
    extra = METHODS["pg_extra"]
    off = replace(extra, fixed_point=lambda x, g, mean, c: {"x": x, "y": c.step * g})
    assert "the_declared_optimum_is_a_fixed_point" in broken(off)
    assert "gossip_conserves_the_declared_invariant" in broken(replace(extra, invariant=("x",)))
    assert "it_equals_what_it_says_it_equals" in broken(replace(extra, same_as="nids"))


def test_a_round_that_hears_of_everyone_is_seen():
    def step(s, c, nodes, W):
        mixed = W(s.x)
        s.x = mixed - c.step * nodes.gradients(s.x) + 1e-3 * (s.x.mean(axis=0) - s.x)

    cheat = replace(METHODS["pg_extra"], blocks=("x",), step=step, fixed_point=None, invariant=())
    assert "a_round_is_heard_by_neighbours_only" in broken(cheat)


def test_a_special_node_and_a_step_that_keeps_its_own_memory_are_seen():
    memory = []

    def favours(s, c, nodes, W):
        s.x = W(s.x) - c.step * nodes.gradients(s.x)
        s.x[3] *= 0.9

    def remembers(s, c, nodes, W):
        memory.append(s.x.copy())
        s.x = W(memory[-1]) - c.step * nodes.gradients(memory[-1]) + 1e-9 * len(memory)

    plain = replace(METHODS["pg_extra"], blocks=("x",), fixed_point=None, invariant=())
    assert "relabelling_the_nodes_relabels_the_result" in broken(replace(plain, step=favours))
    assert "windows_change_nothing" in broken(replace(plain, step=remembers))


def test_blocks_that_are_one_array_are_refused():
    def prepare(s, c, nodes, W):
        s.y = s.x

    shared = replace(METHODS["pg_extra"], prepare=prepare)
    with pytest.raises(AssertionError, match="blocks x and y are the same array") as caught:
        check_method(shared)
    assert str(caught.value).startswith("pg_extra breaks its contract:")


@pytest.mark.parametrize("name", list(METHODS))
def test_a_sequence_of_one_graph_is_that_graph(name):
    case = cases(METHODS[name])[0]
    method, problem, events = case.method, case.problem, case.events[:3]
    one, other = (
        play_log(method, problem, network, events)
        for network in (lollipop(), GraphSequence([lollipop()]))
    )
    for block in METHODS[name].blocks:
        np.testing.assert_array_equal(one[block], other[block])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"name": ""}, "name: it is empty; give the method a name"),
        ({"estimate": "w"}, "estimate: 'w' is no block; the blocks of pg_extra are x, y"),
        ({"start_block": "z"}, "start_block: 'z' is no block; the blocks of pg_extra are x, y"),
        ({"invariant": ("y", "q")}, "invariant: 'q' is no block; the blocks of pg_extra are x, y"),
    ],
)
def test_a_method_that_names_what_it_has_not_is_refused(declared, message):
    with pytest.raises(InputError) as caught:
        replace(METHODS["pg_extra"], **declared)
    assert str(caught.value) == message


def test_an_undeclared_block_is_named():
    def step(s, c, nodes, W):
        s.x = W(s.x) - c.step * nodes.gradients(s.x)
        s.velocity = s.x.copy()

    other = replace(METHODS["pg_extra"], step=step)
    with pytest.raises(AssertionError, match=r"s\.velocity is no block of it"):
        check_method(other)


def test_a_block_of_another_shape_is_refused():
    """NumPy would hand one row to every node."""

    def step(s, c, nodes, W):
        s.x = W(s.x).mean(axis=0)

    other = replace(METHODS["pg_extra"], step=step)
    with pytest.raises(InputError, match=r"pg_extra: s.x has shape \(3,\); a block is \(7, 3\)"):
        other.tune(small_problem(), lollipop())


def test_a_step_that_fails_is_one_line_with_its_place():
    def step(s, c, nodes, W):
        s.x = W(s.x) - c.stepp * nodes.gradients(s.x)

    with pytest.raises(InputError) as caught:
        Case(replace(METHODS["pg_extra"], step=step), "fixed").tuning  # noqa: B018
    said = str(caught.value)
    assert re.fullmatch(r"pg_extra: test_contract\.py:\d+: AttributeError: .* 'stepp'", said)


def test_all_laws_are_heard_for_each_case():
    found = list(outcomes(METHODS["ad_psgd"]))
    assert len(found) == len(LAWS) * len(cases(METHODS["ad_psgd"]))


# ---- Bits ----------------------------------------------------------------------------------------

DIGEST_PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from test_contract import digests
print(*digests(), sep="\\n")
"""


def digest_of(case):
    """A fingerprint of every bit that a short replay leaves."""
    events, player = case.events[:60], case.player()
    player.play(events, 0, len(events))
    estimates = np.empty(player.shape)
    player.observe(events.time[-1] + 0.1, estimates)
    digest = hashlib.sha256(events.time.tobytes() + events.i.tobytes() + events.mark.tobytes())
    for block in (*player.blocks(case.method.blocks).values(), estimates):
        digest.update(np.ascontiguousarray(block).tobytes())
    return digest.hexdigest()


def digests():
    return [digest_of(case) for case in CASES]


def test_compiled_equals_plain_python_to_the_last_bit():
    """With every kernel as plain Python too, in a process of its own."""
    program = DIGEST_PROGRAM.format(tests=os.path.dirname(__file__))
    plain = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    compiled = digests()
    assert compiled == plain.split()
    replays = [(case.method.same_as or case.method.name, case.setting, case.kind) for case in CASES]
    first = dict(zip(compiled, replays, strict=True))
    assert [first[digest] for digest in compiled] == replays, "two replays gave the same numbers"


def test_the_log_of_each_asynchronous_method_has_the_kinds_it_asks_for():
    for method in METHODS.values():
        if not isinstance(method, RoundMethod):
            case = cases(method)[0]
            clock, asked = case.tuning.clock, case.tuning.asked.gradient
            exchange = {SEND, ARRIVE_I, ARRIVE_J} if clock.delay else {GOSSIP}
            exchange = {SEND_ONE, ARRIVE_ONE} if len(clock.arcs) else exchange
            expected = exchange | ({GRADIENT} if asked.gradients else set())
            assert set(case.events.kind) == expected, method.name
