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


@group.command(examples=["learn-prior laplacian --out laplacian.npz --seed 1"])
def learn_prior(
    prior: Annotated[
        str,
        typer.Argument(
            metavar="PRIOR",
            help="What to learn: digits, equilibrium, filters, illumination, laplacian, unet; or a "
            "control of them, equilibrium_alone, equilibrium_cold, equilibrium_unrolled, "
            "illumination_unmasked, laplacian_l1, laplacian_l2, unet_unmasked.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write the weights to this file (.npz).")],
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a learned prior on samples of it (half a minute to three; all but filters need torch).

    The file goes into a scenario as `local_step: {learned: {network: FILE.npz, strength: 0.1}}`,
    one of illumination as the first of `blocks`, one of digits without strength.
    """
    from importlib.metadata import version

    from dadao_sim.files import check_outputs
    from dadao_sim.learning.priors import training_of
    from dadao_sim.local_steps.learned.weight_file import WEIGHTS

    check_outputs({"--out": (out, WEIGHTS)}, overwrite=overwrite)

    training = training_of(prior)
    weights = training.train(seed=seed, recipe=training.recipe)
    metadata = {
        "command": f"dadao-sim learn-prior {prior} --out {out.name} --seed {seed}",
        "prior": prior,
        "recipe": asdict(training.recipe),
        "seed": seed,
        training.library: version(training.library),
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
        "learn-unrolled systems/bands --width 6 --out mix.npz",
    ]
)
def learn_unrolled(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="Write the weights to this file (.npz).")],
    layers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Layers, each a round of the method. [default: 10, of deep_mix 5]"
        ),
    ] = None,
    taps: Annotated[
        int | None,
        typer.Option(min=2, help="Of a layer: one more than it has exchanges. [default: 3]"),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Samples drawn in a layer. [default: that of surf in the scenario; where it says "
            "none, as many as a node holds]",
        ),
    ] = None,
    minibatches: Annotated[
        bool | None,
        typer.Option("--minibatches/--full-gradients", help="Or all samples, none drawn."),
    ] = None,
    features: Annotated[
        SurfFeatures | None,
        typer.Option(
            help="What is seen of them: their gradient, or they themselves. [default: gradient]"
        ),
    ] = None,
    asleep: Annotated[
        int | None,
        typer.Option(min=0, help="Up to so many nodes sleep in a layer of the training."),
    ] = None,
    eps: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Every layer shall shorten the gradient by this. [default: 0.1]"
        ),
    ] = None,
    constrained: Annotated[
        bool | None,
        typer.Option("--constrained/--unconstrained", help="Whether they have to."),
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=1, help="Channels of the convolutions of deep_mix. [default: 6]"),
    ] = None,
    problems: Annotated[int, typer.Option(min=1, help="To train on.")] = 1024,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="Of the training. [default: 2500, of deep_mix 800]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    sets: SetOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train an unrolled method on problems like those of a scenario (a minute; needs torch): of
    problem bands deep_mix, of all others surf.

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
    import torch

    from dadao_sim.learning.trainings import HELD_OUT, Training

    loaded = load_scenario(file, sets or [])
    if batch_size is not None and minibatches is False:
        raise InputError("--batch-size", "given beside --full-gradients", "give one of the two")
    own: dict[str, Any] = {"taps": taps, "batch_size": batch_size}
    own["features"] = None if features is None else features.value
    own |= {"minibatches": minibatches, "asleep": asleep, "eps": eps, "constrained": constrained}
    is_mix = loaded.problem.kind == "bands"
    foreign = own if is_mix else {"width": width}
    for name, value in foreign.items():
        if value is not None:
            method = "deep_mix" if is_mix else "surf"
            raise InputError(f"--{name.replace('_', '-')}", f"{method} has none", "leave it out")
    made, network = training_problems(loaded, problems + HELD_OUT, seed)
    training = Training(loaded, made[:problems], made[problems:], network, seed)
    if is_mix:
        learned = training.of_deep_mix(layers or 5, width or 6, steps)
    else:
        learned = training.of_surf(layers or 10, steps, **own)
    trained = learned.trained
    asked = {**learned.options, "problems": problems, "steps": trained.made["recipe"]["steps"]}
    asked["seed"] = seed
    words = [f"dadao-sim learn-unrolled {scenario}"]
    words += [f"--{n.replace('_', '-')} {value}" for n, value in asked.items() if value is not None]
    words += ["--full-gradients"] if minibatches is False else []
    words += ["--unconstrained"] if constrained is False else []
    words += [f"--set {one!r}" for one in sets or []] + [f"--out {out.name}"]
    more = {"command": " ".join(words), "problems": problems, "torch": torch.__version__}
    save_trained(out, Trained(trained.arrays, {**trained.made, **more}), overwrite=overwrite)
    say(f"held out: {learned.said}", held_out=learned.error)
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
