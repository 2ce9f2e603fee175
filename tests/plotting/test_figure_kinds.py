"""Every kind of figure has what computes it and what draws it, and asks for metrics that exist."""

from importlib import import_module

import pytest

from dadao_sim.metrics import METRICS
from dadao_sim.results.figure_kinds import FIGURE_KINDS


@pytest.mark.parametrize("name", [name for name in FIGURE_KINDS if name != "curves"])
def test_a_kind_is_a_report_and_a_figure_of_its_name(name):
    assert callable(getattr(import_module(f"dadao_sim.reports.{name}"), name))
    assert callable(getattr(import_module(f"dadao_sim.plotting.{name}"), f"{name}_figure"))
    assert set(FIGURE_KINDS[name].metrics) <= set(METRICS)
