# ruff: noqa: RUF001
"""Labels are text that is shown as it is, and no two of them print alike."""

import unicodedata

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.errors import InputError
from dadao_sim.scenario.reading import scenario_from_mapping
from dadao_sim.text.labels import cannot_be_shown, drawable, looks

BASE = {
    "name": "s",
    "problem": {"kind": "least_squares", "data": {"kind": "diabetes"}},
    "network": {"graph": "path", "nodes": 4},
    "stop": {"time": 1},
}


def refused(*labels):
    """What is said of NIDS under these labels, nothing if they are taken; None: no label."""
    specs = [{"name": "nids"} | ({} if label is None else {"label": label}) for label in labels]
    try:
        found = scenario_from_mapping({**BASE, "algorithms": specs})
    except InputError as error:
        return str(error)
    assert [spec.label for spec in found.algorithms] == [label or "nids" for label in labels]
    return ""


@pytest.mark.parametrize(
    "label",
    [
        *("NIDS [lr=1e-3]", "[/b]", "[/]", ":100:", "$$", r"$\foo$", "$", r"\$", "%s {0} {x!r}"),
        *("_", "#", "κ=10 → fast", "α ≤ ½", "Łódź", "Жук", "=1+1", "NA", "nan", "a  b", "-"),
        *("../..", "a,b\"c'"),
    ],
)
def test_what_only_looks_special_is_a_label(label):
    assert refused(label) == ""


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("", "must not be empty"),
        (" ", "begins or ends with a blank"),
        ("a ", "begins or ends with a blank"),
        ("\u00a0a", "begins or ends with a blank"),
        ("a\nb", r"has \n in it, which does not print"),
        ("a\tb", "does not print"),
        ("a\x1b[31mb", r"has \x1b in it"),
        ("a\x00b", "does not print"),
        ("a\u200bb", r"has \u200b in it"),
        ("a\u202eb", "does not print"),
        ("a\u2028b", "does not print"),
        ("a\u00adb", "does not print"),
        ("a\ufe0fb", "U+FE0F"),
        ("a\u2800b", "U+2800"),
        ("\ue000", "does not print"),
        ("e\u0301", "write 'é'"),
        ("x\u0302", "has a mark (U+0302)"),
        ("\u0301", "U+0301"),
        ("שלום", "runs from right to left"),
        ("سلام", "runs from right to left"),
        ("中文", "'中' (U+4E2D) in it, which the fonts of the figures do not have"),
        ("🧪", "U+1F9EA"),
        ("x" * 101, "must be of at most 100 characters"),
        ("x" * 100_000, "must be of at most 100 characters"),
        ("\ud800", "algorithms.0.label: "),
        (7, "must be text"),
    ],
)
def test_what_cannot_be_shown_is_refused(label, why):
    said = refused(label)
    assert said.startswith("algorithms.0.label: "), said
    assert why in said


@pytest.mark.parametrize(
    "labels",
    [
        ("a", "a"),
        ("a b", "a  b"),
        ("A", "Α"),  # Greek
        ("cape", "саре"),  # Cyrillic
        ("µ", "μ"),  # micro, Greek
        ("K", "K"),  # kelvin
        ("a-b", "a‐b"),  # hyphen
        ("NIDS", None),  # the title of what has no label
        ("nids", None),
        ("NIDS (experimental)", None),
        ("x", "y", "x"),
    ],
)
def test_two_that_print_alike_are_refused(labels):
    for order in (labels, labels[::-1]):
        last = len(labels) - 1
        assert refused(*order).startswith(f"algorithms.{last}.label: ")
        assert refused(*order).endswith("algorithms.0; give each its own")


@pytest.mark.parametrize(
    "labels", [("a", "A"), ("a", "á"), ("o", "0"), ("l", "I"), ("a b", "ab"), ("a-b", "a—b")]
)
def test_two_that_differ_to_the_eye_are_two(labels):
    assert refused(*labels) == ""


def test_a_label_like_the_title_of_another_method_prints_like_it():
    specs = [{"name": "nids", "label": METHODS["dadao"].title}, "dadao"]
    with pytest.raises(InputError, match="prints like the name of algorithms"):
        scenario_from_mapping({**BASE, "algorithms": specs})
    assert scenario_from_mapping({**BASE, "algorithms": specs[:1]})


@given(st.text(st.characters(), max_size=20))
@settings(max_examples=300, suppress_health_check=[HealthCheck.filter_too_much])
def test_what_is_taken_prints_whatever_it_is(text):
    assume(not cannot_be_shown(text))
    assert text.isprintable()
    assert text == text.strip()
    assert text.encode().decode() == text  # no half of a character
    assert drawable(text) == text.replace("$", r"\$")


@given(st.characters(codec="utf-8"))
@settings(max_examples=300)
def test_only_letters_that_are_drawn_alike_look_like_a_latin_one(character):
    """Against Unicode's own word: what is the same character to it, looks the same."""
    assume(not cannot_be_shown(character))
    one = unicodedata.normalize("NFC", character)
    assert looks(character) == looks(one)


@given(st.text(st.characters(), max_size=30))
def test_what_was_never_checked_can_be_drawn_too(text):
    found = drawable(text)
    assert found.isprintable()
    assert found.count("$") == found.count(r"\$")
    assert not any(cannot_be_shown(f"x{c}x") for c in found)


@pytest.mark.parametrize("name", ["x" * 101, "a\n", "é", ".a", ""])
def test_the_name_of_a_scenario_makes_a_folder(name):
    with pytest.raises(InputError, match=r"^name: "):
        scenario_from_mapping({**BASE, "algorithms": ["nids"], "name": name})
