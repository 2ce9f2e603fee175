"""Every method under every option: it keeps its fixed point, or refuses before it compiles."""

import numpy as np
import pytest
from cases import lollipop, problem_of, sequence, small_problem
from numpy.testing import assert_allclose

from dadao_sim.algorithms.contract.options import Options
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.algorithms.contract.schedules import Power
from dadao_sim.compression.quantisers import Dither, Sign
from dadao_sim.compression.sparsifiers import Identity, TopK
from dadao_sim.errors import InputError
from dadao_sim.events.rounds import RoundClock
from dadao_sim.networks.mixing import MIXINGS
from dadao_sim.simulation.replay import make_player

OPTIONS = {
    "none": Options(),
    "minibatches": Options(batch_size=2),
    "mean over events": Options(averaging="events"),
    "mean over time": Options(averaging="time"),
    **{f"mixing {name}": Options(mixing=name) for name in MIXINGS},
    "chebyshev 1": Options(chebyshev=1),
    "chebyshev 3": Options(chebyshev=3),
    "chebyshev auto": Options(chebyshev="auto"),
    "chebyshev of metropolis": Options(mixing="metropolis", chebyshev="auto"),
    "top_k": Options(compression=TopK(kind="top_k", k=2)),
    "too many of top_k": Options(compression=TopK(kind="top_k", k=4)),
    "dither": Options(compression=Dither(kind="dither")),
    "sign": Options(compression=Sign(kind="sign")),
    "identity": Options(compression=Identity(kind="identity")),
    "falling steps": Options(schedule=Power(kind="power")),
}
# Their duals are y_i = -a grad f_i(x*), and follow a step a that falls: see test_schedules.
FOLLOWING = {"d2", "exact_diffusion", "led"}
GRAPHS = {"fixed": lollipop(), "sequence": sequence()}


def refusal(method, f, graph, options):
    """The one line in which it says no; None where it does not."""
    try:
        method.check_supported(f, graph, options)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", sorted(METHODS))
def test_it_is_refused_or_right(name, option, graph):
    method, options, network = METHODS[name], OPTIONS[option], GRAPHS[graph]
    f = problem_of(method)
    said = refusal(method, f, network, options)
    if said is not None:
        assert name in said
        assert "\n" not in said
        assert len(said) <= 300
        return
    tuning = method.tune(f, network, {}, options)
    rest = method.optimum(f, network, tuning) if isinstance(method, RoundMethod) else None
    follows = options.schedule is not None and name in FOLLOWING
    if rest is None or options.batch_size is not None or follows:
        return
    start = np.tile(f.x_star, (f.nodes, 1))
    player = make_player(method, f, tuning, start, rest, None)
    events = RoundClock(np.random.SeedSequence(0)).window()
    player.play(events, 0, 21)  # seven turns of three graphs: w is what it was
    found, scale = player.blocks(method.blocks), max(np.abs(v).max() for v in rest.values())
    for block, value in rest.items():
        moved = found[block] - value
        if block in method.drifting:
            moved -= moved.mean(axis=0)
        assert_allclose(moved, 0, atol=1e-9 * max(scale, 1), err_msg=block)


def test_what_is_refused():
    """How many of each option; a method that takes one more says so here."""
    methods = {
        name: method.ready_for(problem_of(method))
        for name, method in METHODS.items()
        if not method.needs_averaging
    }
    taken = {
        option: [n for n, m in methods.items() if not refusal(m, problem_of(m), lollipop(), chosen)]
        for option, chosen in OPTIONS.items()
    }
    rounds = {name for name, method in methods.items() if isinstance(method, RoundMethod)}
    own = {n for n in rounds if methods[n].weights is not None or methods[n].server}
    own |= {name for name in rounds if methods[name].directed}
    compressing = {name for name in rounds if methods[name].compression != "none"}
    assert set(taken["none"]) == set(methods)
    assert set(taken["mixing lazy_metropolis"]) == rounds - own
    means = {name for name in rounds if methods[name].nonnegative_weights}
    assert set(taken["chebyshev auto"]) == rounds - own - compressing - means
    assert set(taken["top_k"]) == {n for n in compressing if methods[n].compression == "any"}
    assert set(taken["dither"]) == compressing
    assert set(taken["falling steps"]) == {name for name in rounds if methods[name].steps}
    assert not taken["too many of top_k"]


def test_more_chebyshev_rounds_than_floating_point_can_tell_from_the_mean():
    with pytest.raises(InputError, match="10,000 rounds leave less than 1e-100 of what differs"):
        METHODS["extra"].tune(small_problem(7), lollipop(), {}, Options(chebyshev=10_000))
