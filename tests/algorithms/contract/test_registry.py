"""Methods by name, and the entries that cite them."""

import re

import pytest

from dadao_sim.algorithms.contract.registry import (
    METHODS,
    citation,
    entry,
    get_method,
    references_to,
)
from dadao_sim.errors import InputError

ENTRY = re.compile(r"@(article|inproceedings|misc)\{(\w+),\n(  \w+ +\= \{.*\},?\n)+\}")


@pytest.mark.parametrize("name", METHODS)
def test_every_method_cites_one_whole_entry(name):
    """One field a line, braces that close, and the fields that its kind of entry needs."""
    entry = citation(METHODS[name])
    assert ENTRY.fullmatch(entry), entry
    assert entry.count("{") == entry.count("}")
    fields = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.MULTILINE))
    container = {"article": "journal", "inproceedings": "booktitle", "misc": "eprint"}
    assert {"title", "author", "year", container[entry[1 : entry.index("{")]]} <= set(fields)
    assert re.fullmatch(r"[^,]+, [^,]+( and [^,]+, [^,]+)*", fields["author"])


def test_what_a_method_builds_on_is_cited_with_it():
    for method in METHODS.values():
        assert all(ENTRY.fullmatch(entry(key)) for key in method.builds_on), method.name
    assert references_to(METHODS["landing"]) == ["sun2024global", "ablin2022fast"]


def test_an_unknown_method_is_one_line_with_the_nearest():
    with pytest.raises(InputError, match=r"^method: 'dado' is unknown; did you mean 'dadao'\?"):
        get_method("dado")


def test_every_method_has_a_title_and_a_look_of_its_own():
    assert all(method.title for method in METHODS.values())
    looks = [method.look for method in METHODS.values()]
    assert None not in looks
    assert len(set(looks)) == len(looks)
