"""The exact critical factor of DADAO's gossip rate on a network, where it takes no long time."""

from typing import NamedTuple

import numpy as np

from dadao_sim.errors import InputError
from dadao_sim.networks import Network
from dadao_sim.theory.critical import critical_rate
from dadao_sim.theory.modes import modes_of
from dadao_sim.theory.tuned_constants import MOST_KAPPA

METHOD = "dadao"
KAPPA = 100.0  # L/mu, where none is given
PRECISION = 2e-4
FARTHEST = 1e12  # by which rates may differ: beyond it rounding decides
FAR_APART = "the rates of the edges are too far apart"
MOST_NODES = 64  # of any graph: a second
MOST_NODES_ALIKE = 300  # of one whose nodes and edges are all alike


class Critical(NamedTuple):
    """``factor`` is None where it is left out, ``why`` then says why."""

    factor: float | None
    why: str = ""


def critical_factor(network: Network, kappa: float) -> Critical:
    """The share of DADAO's own gossip rate above which it is stable in mean square, for the worst
    of the curvatures mu and L at ``kappa`` = L/mu. InputError for a kappa that is none.
    """
    if not 1 <= kappa <= MOST_KAPPA:
        raise InputError(
            "kappa", f"{kappa:g} is no L/mu", f"give a number from 1 to {MOST_KAPPA:g}"
        )
    if _takes_long(network):
        most = f"{MOST_NODES}, or {MOST_NODES_ALIKE} where all nodes and edges are alike"
        return Critical(None, f"{network.nodes:,} nodes; it is computed up to {most}")
    if network.rates.max() / FARTHEST > network.rates.min():
        return Critical(None, FAR_APART)
    try:
        return Critical(critical_rate(METHOD, [1.0, kappa], network, precision=PRECISION))
    except InputError as error:
        return Critical(None, str(error))
    except np.linalg.LinAlgError:
        return Critical(None, FAR_APART)


def _takes_long(network: Network) -> bool:
    if network.nodes <= MOST_NODES:
        return False
    alike = network.nodes <= MOST_NODES_ALIKE and not np.ptp(network.rates)
    return not (alike and modes_of(network) is not None)
