"""What holds of every training that `learn-prior` knows."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.testing import assert_array_equal
from typer.testing import CliRunner

from dadao_sim.cli.learned import learn_prior
from dadao_sim.local_steps.learned.networks import load_network


def check_that_the_seed_decides_every_bit(train: Callable[..., Any], recipe: Any) -> Any:
    """Of weights that are a tuple of arrays; the weights, and the losses that were told."""
    heard: list[float] = []
    net = train(recipe=recipe, seed=3, tick=lambda step, loss: heard.append(loss))
    for one, other in zip(net, train(recipe=recipe, seed=3), strict=True):
        assert_array_equal(one, other)
    assert not np.array_equal(net[0], train(recipe=recipe, seed=4)[0])
    return net, heard


def written_by_the_command(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    training: Any,
    prior: str,
    recipe: Any,
    **short: Any,
) -> tuple[Any, Any]:
    """The network in the file that `learn-prior` writes, and the one of the same training: with
    ``short`` constants in the place of those of ``recipe``, in the module ``training``.
    """
    monkeypatch.setattr(training, "Recipe", partial(recipe, **short))
    monkeypatch.chdir(folder)
    app = typer.Typer()
    app.command()(learn_prior)
    answer = CliRunner().invoke(app, [prior, "--out", "mine.npz", "--seed", "1"])
    assert (answer.exit_code, answer.output) == (0, "weights: mine.npz\n")
    return load_network(folder / "mine.npz"), training.train(recipe=recipe(**short), seed=1)
