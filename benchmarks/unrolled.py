"""What ten trained layers do beside tuned methods, on problems that they were not trained on.

    python benchmarks/unrolled.py [--repeats 32]
    python benchmarks/unrolled.py --elsewhere
    python benchmarks/unrolled.py --disturbed
    python benchmarks/unrolled.py --train

print the tables of docs/systems/unrolled.md. The first: the median squared distance to x* at the
320 communications that ten layers of SURF take, that of others at the best of many steps, which is
chosen on these very problems, and how many communications they need for the error of SURF. A
minute. The second: the weights for regressions on networks and problems that they were not trained
for. The third: the same with noise on what every node has after each layer, and with an x* three
times as far away, beside others at the best of their steps there. The fourth, which needs torch and
three minutes of one core: what constraints, minibatches, sleepers and raw samples change.
"""

import argparse
from dataclasses import replace

import numpy as np
import pandas as pd

from dadao_sim import Problem, load_scenario, replay, simulate
from dadao_sim.algorithms.contract.registry import get_method
from dadao_sim.algorithms.contract.trained import load_trained
from dadao_sim.events.log import ROUND, Events
from dadao_sim.scenario import shipped
from dadao_sim.simulation.parts import build_parts

SCENARIOS = ("systems/unrolled", "systems/unrolled-digits")
OTHERS = ("dgd", "gradient_tracking", "exact_diffusion", "pg_extra", "nids")
FACTORS = np.geomspace(0.25, 32.0, 15)
"""Of the step of each method's own paper."""
LIMIT, LONGEST = 320, 1600


def of_all_steps(name: str, repeats: int) -> pd.DataFrame:
    """The curves of SURF, and of every other method at every step."""
    scenario = load_scenario(shipped.scenarios()[name]).to_mapping()
    surf = next(one for one in scenario["algorithms"] if one["name"] == "surf")
    tried = [
        {"name": other, "label": f"{other} {factor:.3g}", "constants": {"step": float(factor)}}
        for other in OTHERS
        for factor in FACTORS
    ]
    changes = {
        "repeats": repeats,
        "algorithms": [{**surf, "label": "surf"}, *tried],
        "stop": {"communications": LONGEST},
        "record": {"points": LONGEST // 16, "spacing": "linear"},
        "figures": None,
    }
    return simulate({**scenario, **changes}).curves


def medians(curves: pd.DataFrame) -> pd.DataFrame:
    """By communications, the median error of every label; what ended before has none."""
    table = curves.pivot_table(
        index="communications",
        columns="algorithm",
        values="mean_squared_distance",
        aggfunc="median",
        observed=True,
    )
    count = curves["repeat"].nunique()
    whole = curves.pivot_table(
        index="communications", columns="algorithm", values="repeat", aggfunc="nunique"
    )
    return table.where(whole == count)


def compare(name: str, repeats: int) -> None:
    """The first table, of one scenario."""
    errors = medians(of_all_steps(name, repeats))
    ours = float(errors["surf"].loc[LIMIT])
    print(f"{name}: median of {repeats} held-out problems at {LIMIT} communications")
    print(f"  {'surf':20s} {ours:.3g}")
    for other in OTHERS:
        labels = [label for label in errors if label.startswith(f"{other} ")]
        at = errors.loc[LIMIT, labels]
        best = str(at.idxmin())
        reached = [errors.index[errors[label] <= ours] for label in labels]
        needed = min((int(index[0]) for index in reached if len(index)), default=None)
        sent = (
            f"not within {LONGEST}"
            if needed is None
            else f"{needed} communications for that of surf"
        )
        share = f"surf has {ours / at[best]:.2f} of it"
        print(f"  {other:20s} {at[best]:.3g}  at {best.split()[1]} of its step; {share}; {sent}")


ASLEEP = ["algorithms.0.asleep=4", "algorithms.3.asleep=4"]
CHANGING = "network={sequence: {graph: random_geometric, nodes: 16, radius: 0.5, length: 5}}"
ELSEWHERE = {
    "its family": [],
    "4 of 16 asleep in every round": ASLEEP,
    "the same, trained with sleepers": [*ASLEEP, "algorithms.0.weights=unrolled-sleepers"],
    "a network that changes": [CHANGING],
    "a grid of 4 by 4": ["network={graph: grid_2d, nodes: 16}"],
    "a complete graph": ["network={graph: complete, nodes: 16}"],
    "minibatches of 30": ["algorithms.0.batch_size=30"],
    "a start three times as far": ["start.scale=3"],
    "equal variances": ["problem.data.covariance_condition=1"],
    "variances down to 1/100": ["problem.data.covariance_condition=100"],
    "ten samples at a node": ["problem.data.samples_per_node=10"],
    "nodes that have nothing in common": ["problem.data.heterogeneity=1"],
}


def elsewhere(repeats: int) -> None:
    """The second table: untouched weights, and 20 rounds of NIDS, elsewhere; of tuned gradient
    tracking where NIDS has no form for it.
    """
    file = shipped.scenarios()[SCENARIOS[0]]
    for title, changes in ELSEWHERE.items():
        limits = [f"repeats={repeats}", "stop={time: 20}", "record={points: 2}"]
        scenario = load_scenario(file, [*limits, *changes])
        other = "gradient tracking, tuned" if changes == [CHANGING] else "NIDS"
        chosen = tuple(one for one in scenario.algorithms if one.label in ("SURF", other))
        curves = simulate(scenario.model_copy(update={"algorithms": chosen})).curves
        last = curves[curves["rounds"] > 0].groupby(["algorithm", "repeat"], observed=True).last()
        error = last["mean_squared_distance"].groupby("algorithm", observed=True).median()
        print(f"{title:36s} surf {error['SURF']:.3g}, {other} {error[other]:.3g}", flush=True)


def noisy(method, size: float, seed: int):
    """The method, with normal noise of this standard deviation in every node's estimate after each
    step.
    """
    rng = np.random.default_rng(seed)

    def step(s, c, nodes, W) -> None:
        method.step(s, c, nodes, W)
        estimate = getattr(s, method.estimate)
        setattr(s, method.estimate, estimate + size * rng.standard_normal(estimate.shape))

    return replace(method, step=step) if size else method


def farther(problem, factor: float):
    """The same features with targets, and so an x*, so many times as large."""
    model = problem.model
    parts = zip(model.offsets[:-1], model.offsets[1:], strict=True)
    rows = [(model.A[a:b], factor * model.b[a:b]) for a, b in parts]
    return Problem.from_arrays(*zip(*rows, strict=True), "least_squares")


def disturbed(repeats: int) -> None:
    """The third table: 320 communications are ten layers, and 20 rounds of the others."""
    scenario = load_scenario(shipped.scenarios()[SCENARIOS[0]])
    surf = get_method("surf").with_weights(load_trained("unrolled-regression"))
    repeated = [build_parts(scenario, k) for k in range(repeats)]

    def error(method, rounds: int, noise: float, of_x_star: float, factor: float = 1.0) -> float:
        log = Events.from_arrays(np.arange(1.0, rounds + 1), [ROUND] * rounds, [-1] * rounds)
        found = []
        for k, parts in enumerate(repeated):
            problem = farther(parts.problem, of_x_star)
            step = {} if factor == 1 else method.tune(problem, parts.network, {}).constants["step"]
            constants = {"step": factor * step} if factor != 1 else {}
            played = noisy(method, noise, k)
            X = replay(played, problem, parts.network, log, parts.x0, constants)[method.estimate]
            found.append(problem.squared_distance(X))
        return float(np.median(found))

    for noise, of_x_star in ((0.0, 1.0), (0.03, 1.0), (0.1, 1.0), (0.3, 1.0), (0.0, 3.0)):
        line = (
            f"noise {noise:g}, x* times {of_x_star:g}: surf {error(surf, 10, noise, of_x_star):.3g}"
        )
        for other in ("dgd", "gradient_tracking", "nids"):
            tried = {
                factor: error(get_method(other), 20, noise, of_x_star, factor) for factor in FACTORS
            }
            best = min(tried, key=lambda factor: tried[factor])
            line += f", {other} {tried[best]:.3g} at {best:.2g} of its step"
        print(line, flush=True)


def train() -> None:
    """The fourth table: what constraints, minibatches, sleepers and raw samples change."""
    from dadao_sim.learning.unrolled import Recipe, Start, learn_unrolled, play
    from dadao_sim.simulation.training import training_problems

    problems, network = training_problems(load_scenario(shipped.scenarios()[SCENARIOS[0]]), 1152)
    start, held_out = Start(1.0), problems[1024:]
    samples = {"features": "samples", "batch_size": 10}
    for title, options, recipe in (
        ("minibatches of 30", None, "unrolled-regression"),
        ("the same, up to 4 asleep", None, "unrolled-sleepers"),
        ("full gradients", {}, Recipe()),
        ("the same, unconstrained", {}, Recipe(constrained=False)),
        ("raw samples", samples, Recipe()),
        ("raw samples, unconstrained", samples, Recipe(constrained=False)),
    ):
        if isinstance(recipe, str):
            trained = load_trained(recipe)
        else:
            trained = learn_unrolled(
                problems[:1024], network, start=start, recipe=recipe, **options
            )
        awake, asleep = (play(trained, held_out, network, start, asleep=k) for k in (0, 4))
        errors = [np.median(one.squared_distance[-1]) for one in (awake, asleep)]
        found = f"{errors[0]:.3g}, with 4 of 16 asleep {errors[1]:.3g}"
        if trained.made["features"] == "gradient":
            full = trained._replace(made={**trained.made, "batch_size": None})
            of_full = np.median(play(full, held_out, network, start).squared_distance[-1])
            found += f", by full gradients {of_full:.3g}"
        print(f"{title}: {found}; the gradient falls in {awake.falling} of 10 layers", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=32)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--elsewhere", action="store_true")
    parser.add_argument("--disturbed", action="store_true")
    asked = parser.parse_args()
    if asked.train:
        train()
    elif asked.elsewhere:
        elsewhere(asked.repeats)
    elif asked.disturbed:
        disturbed(asked.repeats)
    else:
        for scenario in SCENARIOS:
            compare(scenario, asked.repeats)
