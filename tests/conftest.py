"""How tests run: drawn examples, how often each is attacked, no cache but their own; fixtures."""

import os
import sys

import hypothesis
import pytest
from nine_cells import run_whole

from dadao_sim.cli import main

# On CI the same examples every time, elsewhere new ones in each run.
hypothesis.settings.register_profile("anywhere", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


def pytest_addoption(parser):
    parser.addoption(
        "--attacks",
        type=int,
        default=1,
        metavar="N",
        help="run each test that draws examples N times, with other examples each time",
    )


def pytest_generate_tests(metafunc):
    attacks = metafunc.config.getoption("attacks")
    if attacks > 1 and hypothesis.is_hypothesis_test(metafunc.function):
        metafunc.fixturenames.append("attack")
        metafunc.parametrize("attack", range(attacks), indirect=True, ids="attack {}".format)


@pytest.fixture(scope="session")
def attack(request):
    """The number of the attack; what it draws comes from elsewhere."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def _own_cache_of_rates(tmp_path_factory):
    """No test reads or writes the user's cache of optimal rates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DADAO_SIM_RATES_CACHE", str(tmp_path_factory.mktemp("rates")))
        yield


@pytest.fixture(scope="session")
def nine_cells(tmp_path_factory):
    """The folder of the sweep of nine cells, made once and not to be written to."""
    return run_whole(tmp_path_factory.mktemp("nine"))


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


@pytest.fixture
def own_plugins(monkeypatch):
    """What a test's plug-ins give is gone after it."""
    from dadao_sim import plugins
    from dadao_sim.registration import contents, put_back

    before = contents()
    monkeypatch.setattr(plugins, "_LOADED", {})
    yield
    put_back(before)


@pytest.fixture(scope="session")
def fresh_weights():
    """A whole training, about a quarter of a minute, with another seed than the shipped one."""
    from dadao_sim.learning import train

    return train("laplacian", seed=1)
