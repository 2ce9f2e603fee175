"""A picture taken in low light: what the nodes made of its light, and what each would alone."""

from dataclasses import dataclass

import numpy as np

from dadao_sim.local_steps.learned.illumination import GRID, SIZE, Illumination, light_of
from dadao_sim.local_steps.learned.networks import load_network
from dadao_sim.local_steps.section import LocalStepSpec
from dadao_sim.problems.build import picture
from dadao_sim.problems.data.arrays import FloatArray
from dadao_sim.problems.data.image import Picture
from dadao_sim.problems.data.lamps import light_errors
from dadao_sim.randomness import stream
from dadao_sim.reports.origin import scenario_to_draw
from dadao_sim.results.figure_kinds import FIGURE_KINDS
from dadao_sim.results.result import Result
from dadao_sim.scenario.model import Scenario

ERRORS = FIGURE_KINDS["low_light"].metrics
"""At the best node, in the mean, and at the worst."""


@dataclass(frozen=True)
class Relit:
    """What one algorithm made of the picture in the first repeat, all of it (size, size).

    - light, reflectance: log light and reflectance at the node whose light is farthest off.
    - alone: the log light that its prior infers at each node from the windows that the node sees
      whole (n, size, size), before anything is sent; None where it has no prior of light, or a node
      sees no window whole.
    - errors: of the log light by communications, at the best node, on average, at the worst one;
      (3, samples); of ``alone`` at each node (n,).
    """

    light: FloatArray
    reflectance: FloatArray
    alone: FloatArray | None
    alone_errors: FloatArray | None
    communications: FloatArray
    errors: FloatArray


@dataclass(frozen=True)
class LowLight:
    """The picture, which pixels each node holds as a mask (n, size, size), and by label what was
    made of it.
    """

    picture: Picture
    held: FloatArray
    found: dict[str, Relit]
    result: Result


def low_light(result: Result) -> LowLight:
    """Of a result whose data are of task ``low_light``. InputError for another, for a run that was
    interrupted, and where the errors of the light were not recorded.
    """
    scenario = scenario_to_draw(result, "low_light")
    states = {label: result.estimates(label) for label in result.methods}
    nodes = len(next(iter(states.values())))
    rng = np.random.default_rng(stream(scenario.seed, 0, "data"))
    seen = picture(scenario.problem, nodes, rng)
    held = np.zeros((nodes, seen.truth.size))
    for i, strip in enumerate(np.array_split(np.arange(seen.truth.size), nodes)):
        held[i, strip] = 1
    held = held.reshape(nodes, *seen.truth.shape)
    assert seen.light is not None, "a picture taken in low light has it"
    networks = _networks(scenario)
    found = {}
    for label, X in states.items():
        network = networks[label]
        alone = None if network is None else _alone(network, seen.seen, held)
        worst = int(np.argmax(light_errors(X[:, : seen.truth.size], seen.light)))
        light, reflectance = X[worst].reshape(2, *seen.truth.shape)
        curves = result.curves
        curves = curves[(curves["algorithm"] == label) & (curves["repeat"] == 0)]
        found[label] = Relit(
            light=light,
            reflectance=np.exp(reflectance),
            alone=alone,
            alone_errors=None if alone is None else light_errors(alone, seen.light),
            communications=curves["communications"].to_numpy(dtype=float),
            errors=curves[list(ERRORS)].to_numpy(dtype=float).T,
        )
    return LowLight(seen, held, found, result)


def best_gain(found: FloatArray, truth: FloatArray) -> FloatArray:
    """``found`` times the number that brings it nearest to the truth, cut to [0, 1]: a picture and
    its light are known up to a gain.
    """
    return np.clip(found * ((found * truth).sum() / (found**2).sum()), 0.0, 1.0)


def _alone(net: Illumination, seen: FloatArray, held: FloatArray) -> FloatArray | None:
    """m of what each node sees, with all windows hidden that it does not see whole."""
    if seen.shape != (SIZE, SIZE):
        return None
    window = SIZE // GRID
    whole = held.reshape(-1, GRID, window, GRID, window).min(axis=(2, 4))
    if not whole.any(axis=(1, 2)).all():
        return None
    return np.array([light_of(net, np.log(seen), shown) for shown in whole])


def _networks(scenario: Scenario) -> dict[str, Illumination | None]:
    """The prior of light of each algorithm, by label; None where there is none."""
    networks = {}
    for spec in scenario.algorithms:
        step: LocalStepSpec | None = spec.local_step or scenario.local_step
        first = None if step is None or step.blocks is None else step.blocks[0].learned
        network = None if first is None else load_network(first.network)
        networks[spec.label] = network if isinstance(network, Illumination) else None
    return networks
