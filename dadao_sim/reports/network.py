"""What a network costs each method, before anything is run."""

from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.networks.convert import as_any_network
from dadao_sim.networks.directed import (
    AnyNetwork,
    Directed,
    DirectedNetwork,
    DirectedSequence,
    perron_vectors,
)
from dadao_sim.problems import Problem
from dadao_sim.reports.critical import KAPPA, Critical, critical_factor


def network_report(network: AnyNetwork, kappa: float = KAPPA) -> dict[str, Any]:
    """Size, chi1 and chi2 (rate 1 on every edge), and per method its title and communications.

    ``communications_per_round`` is the number by count per n gradients; ``design_rate`` the number
    that the method's theory prints. Neither depends on the problem. On a sequence of graphs chi1
    and chi2 are the worst over it, and methods for fixed graphs are left out. A directed network
    has no chi1 and chi2 but what ``_of_arcs`` says, and the methods for such. ``critical_factor``
    is that of ``critical.critical_factor`` at ``kappa``; None, and ``critical_left_out`` says why,
    where it is left out.
    """
    network = as_any_network(network)
    if isinstance(network, DirectedNetwork | DirectedSequence):
        constants = _of_arcs(network)
        critical = Critical(None, "the network is directed")
    else:
        graphs = network.graphs
        critical = Critical(None, "the graph changes")
        if len(graphs) == 1:
            critical = critical_factor(graphs[0], kappa)
        constants = {
            "chi1": max(graph.chi1() for graph in graphs),
            "chi2": max(graph.chi2() for graph in graphs),
        }
    # Any problem will do: these numbers depend on the network alone.
    problem = Problem.averaging(np.arange(network.nodes, dtype=float)[:, None])
    methods = {}
    for name, method in METHODS.items():
        try:
            method.check_supported(problem, network)
            tuning = method.tune(problem, network)
        except InputError:
            continue
        methods[name] = {
            "title": method.title,
            "communications_per_round": tuning.communications,
            "design_rate": tuning.design_rate,
        }
    return {
        "name": network.name,
        "n": network.nodes,
        "edges": len(network.edges),
        "graphs": len(network.graphs),
        "added_edges": network.added_edges,
        **constants,
        "kappa": kappa,
        "critical_factor": critical.factor,
        "critical_left_out": critical.why,
        "methods": methods,
    }


def _of_arcs(network: Directed) -> dict[str, Any]:
    """The number of arcs, and of edges with one alone; the least n pi_i and n p_i, and n p.pi, of
    the weights of ``networks.directed``, on a sequence the worst.
    """
    pi, p = perron_vectors(network)
    n, arcs = network.nodes, len(network.arcs)
    return {
        "arcs": arcs,
        "one_way_edges": 2 * len(network.edges) - arcs,
        "least_n_pi": float(n * pi.min()),
        "least_n_p": float(n * p.min()),
        "n_p_pi": float(n * (p * pi).sum(axis=1).max()),
    }
