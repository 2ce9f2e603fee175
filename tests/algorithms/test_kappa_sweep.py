"""Gradients against the condition number, where the network costs nothing: a complete graph of ten.

python -m pytest tests/algorithms/test_kappa_sweep.py -s     prints all exponents
"""

import math

import numpy as np
import pytest

from dadao_sim import Problem, simulate
from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.networks.graphs import build

NODES, DIMENSION, SAMPLES = 10, 4, 12
KAPPAS = np.array([10, 30, 100, 300, 1000])
COMPLETE = build("complete", NODES, np.random.default_rng(0))
ACCELERATED = (
    *("dadao", "continuized", "msda", "ssda", "adom", "adom_plus", "apapc", "opapc"),
    *("acc_gt", "acc_dngd_sc", "mudag", "apm_c", "esdacd"),
)
PLAIN = (
    *("extra", "exact_diffusion", "nids", "d2", "gradient_tracking", "semi_atc", "diging"),
    *("sonata", "pg_extra", "prox_ed", "lead"),
)
REST = (
    *("adom_plus_multi_consensus", "d_admm", "dlm", "led", "k_gt", "beer", "prox_lead"),
    *("dual_proximal_gradient", "scaffnew", "scaffold", "walkman", "edge_admm"),
)
NEAR = 1e-8


def aligned(kappa):
    """Least squares of nodes that share the eigenvectors of their Hessians, so that F has their
    condition number.
    """
    rng = np.random.default_rng(0)
    V = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))[0]
    Q = [np.linalg.qr(rng.standard_normal((SAMPLES, DIMENSION)))[0] for _ in range(NODES)]
    scales = np.geomspace(1, math.sqrt(kappa), DIMENSION) * math.sqrt(SAMPLES / 2)
    b = rng.standard_normal((NODES, SAMPLES))
    f = Problem.from_arrays(np.stack(Q) * scales @ V.T, b, "least_squares")
    assert f.L / f.mu == pytest.approx(kappa)
    return f


def gradients(name, kappa):
    """Per node, to the accuracy NEAR."""
    data = {"kind": "synthetic", "dim": DIMENSION, "samples_per_node": SAMPLES}
    result = simulate(
        {
            "name": "sweep",
            "problem": {"kind": "least_squares", "data": data},
            "network": {"graph": "complete", "nodes": NODES},
            "algorithms": [name],
            "stop": {"accuracy": NEAR, "time": 500 * float(kappa) + 2000},
            "record": {"points": 3000},
        },
        problem=aligned(kappa),
        network=COMPLETE,
    )
    assert result.runs["status"].tolist() == ["converged"]
    return result.runs["gradients"][0] / NODES


def exponent(name):
    """Of kappa in the gradients; the first kappa is left out, where constants weigh."""
    found = [gradients(name, kappa) for kappa in KAPPAS]
    slope = np.polyfit(np.log(KAPPAS[1:]), np.log(found[1:]), 1)[0]
    print(f"{name:28}{slope:6.2f}   gradients per node", *(f"{value:7.0f}" for value in found))
    return slope


@pytest.mark.parametrize("name", ACCELERATED)
def test_accelerated_methods_pay_the_root_of_kappa(name):
    assert abs(exponent(name) - 1 / 2) < 0.1


@pytest.mark.parametrize("name", PLAIN)
def test_plain_methods_pay_kappa(name):
    assert abs(exponent(name) - 1) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", REST)
def test_the_rest_lies_between(name):
    assert 0.4 < exponent(name) < 1.1


def test_every_method_that_reaches_x_star_is_swept():
    swept = {*ACCELERATED, *PLAIN, *REST}
    assert swept <= set(METHODS)
    assert len(swept) == len(ACCELERATED) + len(PLAIN) + len(REST)
