"""The commands that train learned local steps, and draw what was learned."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import FigureOption, OverwriteOption
from dadao_sim.cli.show import say

group = Group("Learned priors", place=5)


@group.command(examples=["learn-prior laplacian --out laplacian.npz --seed 1"])
def learn_prior(
    prior: Annotated[str, typer.Argument(metavar="PRIOR", help="What to learn: laplacian.")],
    out: Annotated[Path, typer.Option(help="Write the weights to this file (.npz).")],
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Train a learned proximal network on samples of a prior (half a minute; needs torch).

    The file goes into a scenario as `local_step: {learned: {network: FILE.npz, strength: 0.1}}`.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned import save_weights
    from dadao_sim.local_steps.learned.torch_extra import require_torch
    from dadao_sim.local_steps.learned.weight_file import WEIGHTS

    check_outputs({"--out": (out, WEIGHTS)}, overwrite=overwrite)
    require_torch()
    import torch

    from dadao_sim.learning.proximal_matching import Recipe, train

    recipe = Recipe()
    weights = train(prior, seed=seed, recipe=recipe)
    metadata = {
        "command": f"dadao-sim learn-prior {prior} --out {out.name} --seed {seed}",
        "prior": prior,
        "recipe": asdict(recipe),
        "seed": seed,
        "torch": torch.__version__,
    }
    save_weights(out, weights, metadata, overwrite=overwrite)
    say(f"weights: {out}")


@group.command(examples=["prior laplacian --figure prior.png"])
def prior(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A shipped network (laplacian), or FILE.npz.")
    ],
    figure: FigureOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """How steep a learned proximal network is; a figure of it and its prior (needs torch)."""
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned import load_weights
    from dadao_sim.local_steps.learned.torch_extra import require_torch
    from dadao_sim.plotting.style import FIGURE

    check_outputs({"--figure": (figure, FIGURE)}, inputs=[network], overwrite=overwrite)
    require_torch()
    from dadao_sim.local_steps.learned.recovery import largest_slope
    from dadao_sim.plotting.priors import prior_figure
    from dadao_sim.plotting.style import save_figure
    from dadao_sim.reports.prior import prior_report

    weights, metadata = load_weights(network)
    if figure is not None:
        save_figure(prior_figure(prior_report(weights, metadata)), figure, overwrite=overwrite)
        say(f"figure: {figure}")
    slope = largest_slope(weights)
    verdict = "nonexpansive" if slope <= 1 else "expansive: no contraction theorem applies"
    say(f"largest slope: {slope:.3f} ({verdict})")
