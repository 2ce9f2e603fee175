"""No test of the rates reads or writes the user's cache."""

import pytest


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch):
    monkeypatch.setenv("DADAO_SIM_RATES_CACHE", "off")
