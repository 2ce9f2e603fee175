"""What can be learned by name: how it is trained, and how its weights are kept."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from dadao_sim.errors import InputError
from dadao_sim.learning import digits, illumination, proximal_matching
from dadao_sim.local_steps.learned.convex_network import save_convex_network
from dadao_sim.local_steps.learned.illumination import save_illumination
from dadao_sim.local_steps.learned.weight_file import save_weights
from dadao_sim.strict import suggestion


class Training(NamedTuple):
    """``train(seed=..., recipe=recipe)`` gives what ``save(path, weights, metadata)`` keeps."""

    recipe: Any
    train: Callable[..., Any]
    save: Callable[..., None]


def training_of(prior: str) -> Training:
    """Of a prior, by its name. InputError for one that is unknown."""
    known: dict[str, Callable[[], Training]] = {
        **{name: partial(_matching, name, {}) for name in proximal_matching.PRIORS},
        **{
            f"{name}_{loss}": partial(_matching, name, {"loss": loss})
            for name in proximal_matching.PRIORS
            for loss in ("l1", "l2")
        },
        "digits": _digits,
        "illumination": partial(_illumination, {}),
        "illumination_unmasked": partial(_illumination, {"hidden": 0.0}),
    }
    if prior not in known:
        raise InputError("prior", f"unknown prior {prior!r}{suggestion(prior, known)}")
    return known[prior]()


def _matching(prior: str, changed: dict[str, Any]) -> Training:
    train = partial(proximal_matching.train, prior)
    return Training(proximal_matching.Recipe(**changed), train, save_weights)


def _digits() -> Training:
    return Training(digits.Recipe(), digits.train, save_convex_network)


def _illumination(changed: dict[str, Any]) -> Training:
    return Training(illumination.Recipe(**changed), illumination.train, save_illumination)
