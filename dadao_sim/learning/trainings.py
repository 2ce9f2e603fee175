"""Trainings of unrolled methods for a scenario, and what came of them on problems held out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from dadao_sim.algorithms.contract.trained import Trained
from dadao_sim.algorithms.contract.unrolled import Features
from dadao_sim.learning import unrolled
from dadao_sim.problems import Problem

HELD_OUT = 64
"""Problems on which an unrolled method is tried that it was not trained on."""


class Learned(NamedTuple):
    """What was ``trained``, with which ``options``, and what came of it on problems held out, as
    words and as a number.
    """

    trained: Trained
    options: dict[str, Any]
    said: str
    error: float


class Training(NamedTuple):
    """What an unrolled method is trained and tried on: problems of the family of a scenario, and
    its network.
    """

    scenario: Any
    problems: list[Problem]
    held_out: list[Problem]
    network: Any
    seed: int

    def of_surf(
        self,
        layers: int,
        steps: int | None,
        *,
        taps: int | None,
        batch_size: int | None,
        minibatches: bool | None,
        features: Features | None,
        asleep: int | None,
        eps: float | None,
        constrained: bool | None,
    ) -> Learned:
        """``surf``; None is the default. The number is the median of ||x - x*||^2."""
        if batch_size is None and minibatches is not False:
            ours = (one.batch_size for one in self.scenario.algorithms if one.name == "surf")
            held = self.problems[0].samples
            batch_size = next(ours, None) or (None if held is None else int(held.mean()))
        options: dict[str, Any] = {
            **{"layers": layers, "taps": taps or 3, "batch_size": batch_size},
            **{"features": features or "gradient"},
            **{"asleep": asleep or 0, "eps": 0.1 if eps is None else eps},
        }
        recipe = unrolled.Recipe(
            eps=options["eps"], constrained=constrained is not False, asleep=options["asleep"]
        )
        given = self.scenario.start
        start = unrolled.Start(given.scale, given.shared)
        if given.kind == "zeros":
            start = unrolled.Start()
        trained = unrolled.learn_unrolled(
            self.problems,
            self.network,
            layers=layers,
            taps=options["taps"],
            batch_size=batch_size,
            features=options["features"],
            start=start,
            seed=self.seed,
            recipe=replace(recipe, steps=steps or recipe.steps),
        )
        played = unrolled.play(trained, self.held_out, self.network, start, seed=self.seed + 1)
        first, last = (float(np.median(played.squared_distance[k])) for k in (0, -1))
        said = (
            f"||x - x*||^2 {first:.3g} -> {last:.3g}, median of {len(self.held_out)} problems; "
            f"the gradient falls in {played.falling} of {layers} layers"
        )
        return Learned(trained, options, said, last)

    def of_deep_mix(self, layers: int, width: int, steps: int | None) -> Learned:
        """``deep_mix``, in one place: the network of the scenario has no part in it. The number is
        the mean PSNR in dB.
        """
        recipe = unrolled.MIX_RECIPE
        trained = unrolled.learn_mix(
            self.problems,
            layers=layers,
            width=width,
            seed=self.seed,
            recipe=replace(recipe, steps=steps or recipe.steps),
        )
        psnr = unrolled.play_mix(trained, self.held_out)
        found = float(psnr[-1].mean())
        said = f"{psnr[0].mean():.2f} -> {found:.2f} dB, mean of {len(self.held_out)} cubes"
        return Learned(trained, {"layers": layers, "width": width}, said, found)
