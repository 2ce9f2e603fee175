"""What can be learned by name: how it is trained, and how its weights are kept."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from dadao_sim.errors import InputError
from dadao_sim.local_steps.learned.convex_network import save_convex_network
from dadao_sim.local_steps.learned.denoiser_file import save_denoiser_weights
from dadao_sim.local_steps.learned.filters import save_filters
from dadao_sim.local_steps.learned.illumination import save_illumination
from dadao_sim.local_steps.learned.torch_extra import require_torch
from dadao_sim.local_steps.learned.weight_file import save_weights
from dadao_sim.strict import suggestion


class Training(NamedTuple):
    """``train(seed=..., recipe=recipe)`` gives what ``save(path, weights, metadata)`` keeps; its
    numbers are those of the ``library``, whose version is told.
    """

    recipe: Any
    train: Callable[..., Any]
    save: Callable[..., None]
    library: str


def training_of(prior: str) -> Training:
    """Of a prior, by its name. InputError for one that is unknown, and for one that needs torch
    where torch is not installed.
    """
    known: dict[str, Callable[[], Training]] = {
        "filters": _filters,
        "laplacian": partial(_matching, "laplacian", {}),
        "laplacian_l1": partial(_matching, "laplacian", {"loss": "l1"}),
        "laplacian_l2": partial(_matching, "laplacian", {"loss": "l2"}),
        "digits": _digits,
        "illumination": partial(_illumination, {}),
        "illumination_unmasked": partial(_illumination, {"hidden": 0.0}),
        "unet": partial(_unet, {}),
        "unet_unmasked": partial(_unet, {"masked": False}),
        "equilibrium": partial(_equilibrium, {}),
        "equilibrium_alone": partial(_equilibrium, {"steps": 0}),
        "equilibrium_cold": partial(_equilibrium, _unrolled(5, 200)),
        "equilibrium_unrolled": partial(_equilibrium, _unrolled(20, 60)),
    }
    if prior not in known:
        raise InputError("prior", f"unknown prior {prior!r}{suggestion(prior, known)}")
    return known[prior]()


def _filters() -> Training:
    from dadao_sim.learning import filters

    return Training(filters.Recipe(), filters.train, save_filters, "numba")


def _matching(prior: str, changed: dict[str, Any]) -> Training:
    require_torch()
    from dadao_sim.learning import proximal_matching

    train = partial(proximal_matching.train, prior)
    return Training(proximal_matching.Recipe(**changed), train, save_weights, "torch")


def _digits() -> Training:
    require_torch()
    from dadao_sim.learning import digits

    return Training(digits.Recipe(), digits.train, save_convex_network, "torch")


def _illumination(changed: dict[str, Any]) -> Training:
    require_torch()
    from dadao_sim.learning import illumination

    recipe = illumination.Recipe(**changed)
    return Training(recipe, illumination.train, save_illumination, "torch")


def _unet(changed: dict[str, Any]) -> Training:
    require_torch()
    from dadao_sim.learning import masked_unet

    recipe = masked_unet.Recipe(**changed)
    return Training(recipe, masked_unet.train, save_denoiser_weights, "torch")


def _equilibrium(changed: dict[str, Any]) -> Training:
    require_torch()
    from dadao_sim.learning import equilibrium

    recipe = equilibrium.Recipe(**changed)
    return Training(recipe, equilibrium.train, save_denoiser_weights, "torch")


def _unrolled(layers: int, steps: int) -> dict[str, Any]:
    """The controls: from what was seen, so many layers at a time."""
    return {"applications": layers, "restart": False, "steps": steps}
