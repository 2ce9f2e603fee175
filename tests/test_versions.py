"""The versions that tests run with are those that the package asks for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


def bounds(requirements):
    """The least version of each, from lines such as "numpy>=2.0"."""
    for requirement in map(Requirement, requirements):
        (specifier,) = requirement.specifier
        assert specifier.operator == ">="
        yield canonicalize_name(requirement.name), Version(specifier.version)


def pinned(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def test_the_lowest_versions_are_those_asked_for():
    lowest = pinned("constraints-lowest.txt")
    extras = [line for extra in ("cluster", "libsvm", "report", "tune") for line in EXTRAS[extra]]
    for name, version in bounds([*PROJECT["dependencies"], *extras]):
        assert lowest[name] == version, name


def test_the_pinned_versions_are_allowed():
    versions = pinned("constraints.txt")
    extras = [
        line
        for extra in ("cluster", "deep", "learned", "libsvm", "report", "tune")
        for line in EXTRAS[extra]
    ]
    for name, version in bounds([*PROJECT["dependencies"], *extras]):
        assert versions[name] >= version, name


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_all_that_tests_need_is_pinned(name):
    needed = {canonicalize_name(re.split(r"[\[<>=]", tool)[0]) for tool in EXTRAS["dev"]}
    assert needed - {"dadao-sim"} <= set(pinned(name))
