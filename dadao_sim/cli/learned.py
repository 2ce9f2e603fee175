"""The commands that train learned local steps and unrolled methods, and draw what was learned."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import FigureOption, OverwriteOption, ScenarioArgument, SetOption
from dadao_sim.cli.show import say
from dadao_sim.errors import InputError

group = Group("Learned priors and methods", place=5)

HELD_OUT = 64
"""Problems on which an unrolled method is tried that it was not trained on."""


@group.command(examples=["learn-prior laplacian --out laplacian.npz --seed 1"])
def learn_prior(
    prior: Annotated[
        str,
        typer.Argument(
            metavar="PRIOR",
            help="What to learn: digits, laplacian, or illumination; or a control of them, "
            "laplacian_l1, laplacian_l2, illumination_unmasked.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write the weights to this file (.npz).")],
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a learned prior on samples of it (half a minute to two; needs torch).

    The file goes into a scenario as `local_step: {learned: {network: FILE.npz, strength: 0.1}}`,
    one of illumination as the first of `blocks`, one of digits without strength.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned.torch_extra import require_torch
    from dadao_sim.local_steps.learned.weight_file import WEIGHTS

    check_outputs({"--out": (out, WEIGHTS)}, overwrite=overwrite)
    require_torch()
    import torch

    from dadao_sim.learning.priors import training_of

    training = training_of(prior)
    weights = training.train(seed=seed, recipe=training.recipe)
    metadata = {
        "command": f"dadao-sim learn-prior {prior} --out {out.name} --seed {seed}",
        "prior": prior,
        "recipe": asdict(training.recipe),
        "seed": seed,
        "torch": torch.__version__,
    }
    training.save(out, weights, metadata, overwrite=overwrite)
    say(f"weights: {out}")


class SurfFeatures(StrEnum):
    """What the nodes see of their own samples in a layer."""

    gradient = "gradient"
    samples = "samples"


@group.command(
    examples=[
        "learn-unrolled systems/unrolled --layers 10 --taps 3 --out surf.npz",
        "learn-unrolled systems/unrolled --asleep 4 --out sleepers.npz",
    ]
)
def learn_unrolled(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="Write the weights to this file (.npz).")],
    layers: Annotated[int, typer.Option(min=1, help="Layers, each a round of the method.")] = 10,
    taps: Annotated[
        int, typer.Option(min=2, help="Of a layer: one more than it has exchanges.")
    ] = 3,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Samples drawn in a layer. [default: that of surf in the scenario; where it says "
            "none, as many as a node holds]",
        ),
    ] = None,
    minibatches: Annotated[
        bool, typer.Option("--minibatches/--full-gradients", help="Or all samples, none drawn.")
    ] = True,
    features: Annotated[
        SurfFeatures, typer.Option(help="What is seen of them: their gradient, or they themselves.")
    ] = SurfFeatures.gradient,
    asleep: Annotated[
        int, typer.Option(min=0, help="Up to so many nodes sleep in a layer of the training.")
    ] = 0,
    eps: Annotated[
        float, typer.Option(min=0, max=1, help="Every layer shall shorten the gradient by this.")
    ] = 0.1,
    constrained: Annotated[
        bool, typer.Option("--constrained/--unconstrained", help="Whether they have to.")
    ] = True,
    problems: Annotated[int, typer.Option(min=1, help="To train on.")] = 1024,
    steps: Annotated[int, typer.Option(min=1, help="Of the training.")] = 2500,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    sets: SetOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train an unrolled method on problems like those of a scenario (a minute; needs torch).

    The scenario's own problems are none of them. The file goes into a scenario as
    `algorithms: [{name: surf, weights: FILE.npz, batch_size: 30}]`.
    """
    from dadao_sim.algorithms.contract.trained import TRAINED, Trained, save_trained
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned.torch_extra import require_torch
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario
    from dadao_sim.simulation.training import training_problems

    file = shipped.scenario_path(scenario)
    check_outputs({"--out": (out, TRAINED)}, inputs=[file], overwrite=overwrite)
    require_torch()
    import numpy as np
    import torch

    from dadao_sim.learning import unrolled

    loaded = load_scenario(file, sets or [])
    if batch_size is not None and not minibatches:
        raise InputError("--batch-size", "given beside --full-gradients", "give one of the two")
    made, network = training_problems(loaded, problems + HELD_OUT, seed)
    if batch_size is None and minibatches:
        ours = (one.batch_size for one in loaded.algorithms if one.name == "surf")
        held = made[0].samples
        batch_size = next(ours, None) or (None if held is None else int(held.mean()))
    start = unrolled.Start(loaded.start.scale, loaded.start.shared)
    if loaded.start.kind == "zeros":
        start = unrolled.Start()
    recipe = unrolled.Recipe(steps=steps, eps=eps, constrained=constrained, asleep=asleep)
    trained = unrolled.learn_unrolled(
        made[:problems],
        network,
        layers=layers,
        taps=taps,
        batch_size=batch_size,
        features=features.value,
        start=start,
        seed=seed,
        recipe=recipe,
    )
    asked = {
        **{"--layers": layers, "--taps": taps, "--batch-size": batch_size},
        **{"--features": features.value, "--asleep": asleep, "--eps": eps},
        **{"--problems": problems, "--steps": steps, "--seed": seed},
    }
    words = [f"dadao-sim learn-unrolled {scenario}"]
    words += [f"{name} {value}" for name, value in asked.items() if value is not None]
    words += [] if minibatches else ["--full-gradients"]
    words += [] if constrained else ["--unconstrained"]
    words += [f"--set {one!r}" for one in sets or []] + [f"--out {out.name}"]
    more = {"command": " ".join(words), "problems": problems, "torch": torch.__version__}
    trained = Trained(trained.arrays, {**trained.made, **more})
    save_trained(out, trained, overwrite=overwrite)
    played = unrolled.play(trained, made[problems:], network, start, seed=seed + 1)
    first, last = (float(np.median(played.squared_distance[k])) for k in (0, -1))
    say(
        f"held out: ||x - x*||^2 {first:.3g} -> {last:.3g}, median of {HELD_OUT} problems; "
        f"the gradient falls in {played.falling} of {layers} layers",
        held_out=last,
    )
    say(f"weights: {out}")


@group.command(
    examples=[
        "prior digits --figure digits-prior.png",
        "prior laplacian --figure prior.png",
        "prior laplacian laplacian_l1 laplacian_l2 --figure losses.png",
    ]
)
def prior(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK...",
            help="A shipped network (digits, laplacian), or FILE.npz; of scalars also several.",
        ),
    ],
    figure: FigureOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """How steep learned proximal networks are; a figure of what they do, and of their priors.

    Those of scalars need torch; digits do not.
    """
    from dadao_sim.errors import InputError
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned.convex_network import ConvexNetwork
    from dadao_sim.local_steps.learned.networks import load_network
    from dadao_sim.local_steps.learned.weight_file import Weights
    from dadao_sim.plotting.style import FIGURE

    check_outputs({"--figure": (figure, FIGURE)}, inputs=networks, overwrite=overwrite)
    loaded = {name: load_network(name) for name in networks}
    drawn: Any
    if all(isinstance(network, Weights) for network in loaded.values()):
        drawn, slopes = _priors_of_scalars(networks, draws=figure is not None)
    elif len(loaded) == 1 and isinstance(network := loaded[networks[0]], ConvexNetwork):
        drawn, slopes = _prior_of_digits(networks[0], network, draws=figure is not None)
    else:
        needed = "one network of digits, or some of scalars, are needed"
        raise InputError("network", f"{', '.join(networks)} given", needed)
    if figure is not None:
        from dadao_sim.plotting.style import save_figure

        save_figure(drawn, figure, overwrite=overwrite)
        say(f"figure: {figure}")
    for name, slope in slopes.items():
        of = f" of {name}" if len(slopes) > 1 else ""
        verdict = "nonexpansive" if slope <= 1 else "expansive: no contraction theorem applies"
        say(f"largest slope{of}: {slope:.3f} ({verdict})")


def _priors_of_scalars(networks: list[str], *, draws: bool) -> tuple[Any, dict[str, float]]:
    """The figure, where it is asked for, and the largest slopes, by name."""
    from dadao_sim.local_steps.learned import load_weights
    from dadao_sim.local_steps.learned.torch_extra import require_torch

    require_torch()
    from dadao_sim.local_steps.learned.recovery import largest_slope
    from dadao_sim.plotting.prior_losses import prior_losses_figure
    from dadao_sim.plotting.priors import prior_figure
    from dadao_sim.reports.prior import prior_report

    loaded = {name: load_weights(name) for name in networks}
    slopes = {name: largest_slope(weights) for name, (weights, _) in loaded.items()}
    if not draws:
        return None, slopes
    reports = {name: prior_report(*network) for name, network in loaded.items()}
    if len(reports) == 1:
        return prior_figure(reports[networks[0]]), slopes
    return prior_losses_figure(reports), slopes


def _prior_of_digits(name: str, network: Any, *, draws: bool) -> tuple[Any, dict[str, float]]:
    """The same of a network of digits; its slope is the largest at 40 noisy digits."""
    from dadao_sim.plotting.digit_priors import digit_prior_figure
    from dadao_sim.reports.digit_prior import digit_prior

    report = digit_prior(network)
    return digit_prior_figure(report) if draws else None, {name: report.slope}
