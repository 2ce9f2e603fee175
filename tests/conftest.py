"""The command line as a fixture, for every test that speaks to it."""

import sys

import pytest

from dadao_sim.cli import main


@pytest.fixture
def dadao_sim(capsys, monkeypatch, tmp_path):
    """Run a command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dadao-sim", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code or 0
        return (code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def fresh_weights():
    """A whole training, about a quarter of a minute, with another seed than the shipped one."""
    from dadao_sim.learning import train

    return train("laplacian", seed=1)
