"""The methods by name; a user's own join by ``register`` or an entry point."""

import difflib
from importlib.metadata import entry_points

from dadao_sim.algorithms import (
    a2cid2,
    ad_psgd,
    adom_plus,
    continuized,
    d_admm,
    dadao,
    dual_proximal_gradient,
    gradient_tracking,
    msda,
    nids,
    pg_extra,
    prox_ed,
    prox_lead,
    sonata,
)
from dadao_sim.algorithms.contract.method import Method
from dadao_sim.errors import InputError

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        dadao.METHOD,
        continuized.METHOD,
        msda.METHOD,
        adom_plus.METHOD,
        adom_plus.MULTI_CONSENSUS,
        a2cid2.METHOD,
        ad_psgd.METHOD,
        gradient_tracking.METHOD,
        dual_proximal_gradient.METHOD,
        pg_extra.METHOD,
        nids.METHOD,
        prox_ed.METHOD,
        sonata.METHOD,
        prox_lead.METHOD,
        d_admm.METHOD,
    )
}


def register(method: Method) -> Method:
    """Add ``method`` under its name, in the place of an earlier one of that name.

    An installed package adds its own by an entry point in the group ``dadao_sim.algorithms``.
    """
    method.install()
    METHODS[method.name] = method
    return method


def get_method(name: str) -> Method:
    """The method called ``name``; InputError names the nearest one where there is none."""
    if name not in METHODS:
        for entry in entry_points(group="dadao_sim.algorithms", name=name):
            register(entry.load())
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"algorithms: {name!r} is unknown{hint} (known: {', '.join(METHODS)})")
    return METHODS[name]
