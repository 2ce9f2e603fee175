"""A fault and a law of a user's: their keys, their schema, their random numbers, what they do."""

import pickle
from typing import Literal

import numpy as np
import pytest
from cases import lollipop
from numpy.testing import assert_allclose, assert_array_equal
from pydantic import Field, ValidationError
from scipy import stats
from test_world_rounds import UNIT, round_times, world
from world_cases import COMPUTES, LEVEL, equal, world_log

from dadao_sim.errors import InputError
from dadao_sim.events.log import ARRIVE_I, ARRIVE_J, GRADIENT_END, SEND
from dadao_sim.events.world.draws import NUMBERED, Streams
from dadao_sim.events.world.durations import DURATIONS, Duration
from dadao_sim.events.world.fault import FAULTS, Fault, RoundFault
from dadao_sim.events.world.spec import WorldSpec
from dadao_sim.strict import Positive


class RainInRounds(RoundFault):
    def __init__(self, factor):
        self.factor = factor

    def latency(self, latency):
        return self.factor * latency


class Rain(Fault):
    """Messages take longer; how much is drawn, though it is always the same."""

    place = "links"
    rain: Positive | None = Field(default=None, description="factor on the latency")

    def check(self, network, *, accuracy, end):
        if self.rain > 100:
            raise InputError("links.rain", "nothing gets through")

    def on_links(self, links, rng):
        links.vary(lambda: self.rain * (rng.random() < 2))

    def in_rounds(self, network, rng):
        return RainInRounds(self.rain)


class Uniform(Duration):
    """A time between 0 and twice the mean."""

    kind: Literal["uniform"] = Field(description="the law")
    mean: Positive = Field(default=1.0, description="mean")

    def unit_block(self, rng, size):
        return 2 * rng.random(size)


@pytest.fixture
def registered(monkeypatch):
    for registry, thing in ((FAULTS, Rain), (DURATIONS, Uniform)):
        monkeypatch.setattr(registry, "_things", {**registry})
        registry.register(thing)


def test_before_it_is_registered_its_key_is_unknown():
    with pytest.raises(ValidationError, match="unknown key"):
        WorldSpec.model_validate({"links": {"rain": 2.0}})
    assert "rain" not in WorldSpec.model_json_schema()["$defs"]["WorldLinks"]["properties"]


@pytest.mark.usefixtures("registered")
def test_its_keys_are_checked_and_described_like_ours():
    made = WorldSpec.model_validate({"links": {"rain": 2.0, "latency": 0.1, "jitter": 0.5}})
    assert made.faults()[1] == Rain(rain=2.0)
    assert made.model_dump(mode="json", exclude_none=True)["links"]["rain"] == 2.0
    for again in (
        WorldSpec.model_validate_json(made.model_dump_json()),
        pickle.loads(pickle.dumps(made)),
    ):
        assert again == made
    with pytest.raises(ValidationError) as caught:
        WorldSpec.model_validate({"links": {"rain": 0.0}})
    assert caught.value.errors()[0]["loc"] == ("links", "rain")
    with pytest.raises(ValidationError, match="did you mean 'rain'"):
        WorldSpec.model_validate({"links": {"rainn": 1.0}})
    whole = WorldSpec.model_json_schema()
    schema = whole["properties"]
    assert (
        whole["$defs"]["WorldLinks"]["properties"]["rain"]["description"] == "factor on the latency"
    )
    laws = schema["nodes"]["properties"]["pause"]["oneOf"]
    laws = {whole["$defs"][law["$ref"].rpartition("/")[2]]["title"] for law in laws}
    assert laws == {
        "Constant",
        "Exponential",
        "LogNormal",
        "Pareto",
        "Empirical",
        "Trace",
        "Uniform",
    }


@pytest.mark.usefixtures("registered")
def test_it_acts_event_by_event_and_in_rounds():
    links = {"latency": 0.25, "rain": 3.0}
    log = world_log(links=links)
    ends = np.isin(log.kind, (ARRIVE_I, ARRIVE_J))
    assert_allclose(log.time[ends] - log.time[log.start[ends]], 0.75, rtol=1e-9)
    assert_allclose(np.diff(round_times(world(nodes=UNIT, links=links))), 1.75, rtol=1e-9)
    with pytest.raises(InputError, match=r"^links\.rain: nothing gets through"):
        world_log(links={"rain": 101.0})


@pytest.mark.usefixtures("registered")
def test_it_adds_to_our_faults_and_disturbs_no_other_random_number():
    links = {"latency": 0.5, "jitter": 0.4, "loss": {"probability": 0.2, "noticed": "one"}}
    nodes = {**COMPUTES, "crashes": {"every": 20.0, "length": 5.0}}
    without = world_log(nodes=nodes, links=links)
    equal(without, world_log(nodes=nodes, links={**links, "rain": 1.0}))
    wet = world_log(links={**links, "rain": 2.0})
    dry = world_log(links={**links, "latency": 1.0})
    equal(wet, dry)


def test_streams_are_of_their_names_alone():
    def first(name, *before):
        streams = Streams(np.random.SeedSequence(4, spawn_key=(1,)))
        for other in before:
            streams[other].random(7)
        return streams[name].random()

    names = (*NUMBERED, "rain", "snow")
    assert len({first(name) for name in names}) == len(names)
    for name in names:
        assert first(name) == first(name, *(other for other in names if other != name))
    # The numbers of those that have one are what seeds mean.
    child = np.random.SeedSequence(4, spawn_key=(1, 3))
    assert first("durations") == np.random.Generator(np.random.PCG64(child)).random()


@pytest.mark.usefixtures("registered")
def test_a_law_of_ones_own_is_drawn_from():
    log = world_log(nodes={**COMPUTES, "gradient": {"kind": "uniform", "mean": 2.0}})
    ends = log.kind == GRADIENT_END
    took = log.time[ends] - log.time[log.start[ends]]
    assert stats.kstest(took, stats.uniform(0, 4.0).cdf).pvalue > LEVEL


def test_two_reasons_for_loss_are_both_reasons():
    """An exchange is heard where both faults let it be heard."""
    from world_cases import physics, rates

    from dadao_sim.events.world.clock import WorldClock
    from dadao_sim.events.world.exchanging import HEARD_BY_BOTH, HEARD_BY_I, HEARD_BY_J

    class Walls(Fault):
        place = "links"
        walls: bool = False

        def on_links(self, links, rng):
            links.lose(lambda e: HEARD_BY_I if e == 0 else HEARD_BY_BOTH)
            links.lose(lambda e: HEARD_BY_J if e < 2 else HEARD_BY_BOTH)

    network = lollipop()
    made = physics(network, links={"latency": 0.1})
    made = type(made)(**{**vars(made), "faults": (Walls(walls=True),)})
    log = WorldClock(made, rates(network), 8.0, np.random.SeedSequence(0)).window()
    assert set(log.edge[log.kind == ARRIVE_I]) == set(range(2, 9))
    assert set(log.edge[log.kind == ARRIVE_J]) == set(range(1, 9))
    sent = np.bincount(log.edge[log.kind == SEND], minlength=9)
    assert_array_equal(sent > 0, np.ones(9, dtype=bool))
