"""Without the extra: the same optimum by the interior-point method, and a clear word on solvers."""

import numpy as np
import pytest

from dadao_sim.errors import InputError
from dadao_sim.networks.graphs import build
from dadao_sim.networks.rates import conic, optimal_rates


@pytest.fixture(autouse=True)
def _absent(monkeypatch):
    monkeypatch.setattr(conic, "find_spec", lambda name: None)


@pytest.mark.parametrize("method", ["exact", "auto"])
def test_the_optimum_needs_no_conic_solver(method):
    rates = optimal_rates(build("barbell", 16, np.random.default_rng(0)), method)
    assert rates.solver == "interior_point"
    assert rates.total_rate == pytest.approx(32.92, abs=0.01)
    assert rates.gap < 1e-5


def test_first_order_is_certified_all_the_same():
    rates = optimal_rates(build("barbell", 16, np.random.default_rng(0)), "first_order")
    assert 32.9 * 0.97 < rates.lower_bound <= rates.total_rate


def test_a_solver_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(InputError, match=r"'SCS' is not installed .* use one of interior_point$"):
        optimal_rates(build("path", 4, np.random.default_rng(0)), "exact", solver="SCS")
