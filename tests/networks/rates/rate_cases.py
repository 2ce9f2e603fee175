"""Networks for the tests of rates, and what rates achieve, from the definitions."""

import networkx as nx
import numpy as np

from dadao_sim.networks import GraphSequence, Network, read_graphml
from dadao_sim.networks.graphs import build
from dadao_sim.scenario import shipped


def constants(graph, rates):
    """chi1 and chi2, from a pseudo-inverse and all eigenvalues."""
    laplacian = np.zeros((graph.nodes, graph.nodes))
    incidence = np.zeros((graph.nodes, len(graph.edges)))
    for e, (i, j) in enumerate(graph.edges):
        incidence[i, e], incidence[j, e] = 1, -1
    laplacian = incidence * rates @ incidence.T
    chi1 = 1 / np.sort(np.linalg.eigvalsh(laplacian))[1]
    resistances = np.diag(incidence.T @ np.linalg.pinv(laplacian, hermitian=True) @ incidence)
    return chi1, resistances.max() / 2


def least_total(graph, w):
    chi1, chi2 = constants(graph, w / w.sum())
    return np.sqrt(2 * chi1 * chi2)


def random_graph(seed):
    """A connected graph on 4 to 16 nodes: a random tree and some more edges."""
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(4, 17))
    graph = nx.random_labeled_tree(nodes, seed=seed)
    for _ in range(int(rng.integers(0, 2 * nodes))):
        i, j = rng.choice(nodes, 2, replace=False)
        graph.add_edge(int(i), int(j))
    return Network(nodes, np.array(sorted(tuple(sorted(edge)) for edge in graph.edges)))


def named(name, nodes=None, **options):
    return build(name, nodes, np.random.default_rng(0), **options)


def real(name):
    return read_graphml(shipped.folder("graphs") / f"{name}.graphml")


def barbell():
    return named("barbell", 16)


def lollipop():
    return named("lollipop", None, clique=8, tail=6)


def sequence():
    rng = np.random.default_rng(3)
    return GraphSequence([build("random_geometric", 10, rng) for _ in range(3)])
