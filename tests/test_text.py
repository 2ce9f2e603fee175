"""Text of others on its way to a line: short, and nothing in it that cannot be seen."""

from hypothesis import given
from hypothesis import strategies as st

from dadao_sim.errors import InputError
from dadao_sim.text.lines import LONGEST, listed, one_line, printable, shortened, shown

ANY = st.text(st.characters(), max_size=1000)  # surrogates and controls too


@given(ANY)
def test_what_does_not_print_is_spelt_and_can_be_read_back(text):
    found = printable(text)
    assert found.isprintable()
    if "\\" not in text:
        pieces = found.encode("ascii", "backslashreplace").decode("unicode_escape")
        assert pieces == text


@given(ANY, st.integers(0, 50))
def test_a_text_that_is_too_long_keeps_both_ends(text, longest):
    found = shortened(text, longest)
    assert len(found) <= longest
    if len(text) <= longest:
        assert found == text
    elif longest >= 5:
        assert found[0] == text[0]
        assert found[-1] == text[-1]
        assert "..." in found


@given(ANY, ANY, ANY)
def test_a_message_is_one_line_that_prints(where, wrong, right):
    line = str(InputError(where, wrong, right))
    assert len(line) <= LONGEST
    assert line.isprintable()


def test_a_message_that_fits_is_left_alone():
    assert str(InputError("a", "b " * 100 + "c", "d")) == "a: " + "b " * 100 + "c; d"
    assert one_line("x" * LONGEST) == "x" * LONGEST


def test_long_words_give_way_before_the_sentence_does():
    path = "/folder" * 60 + "/data.csv"
    line = str(InputError(path, "sample 7 has nan", "leave it out"))
    assert line.endswith("/data.csv: sample 7 has nan; leave it out")
    assert line.startswith("/folder/folder")


def test_what_is_left_of_a_list_is_counted():
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""
    words = [f"word{k}" for k in range(100)]
    found = listed(words)
    shown = found.split(" and ")[0].split(", ")
    assert shown == words[: len(shown)]
    assert found.endswith(f" and {100 - len(shown)} more")
    assert listed(["x" * 999, "y"], longest=10).endswith(" and 1 more")


def test_a_value_is_shown_shortly_whatever_it_is():
    assert shown(10**6000) == "a whole number of 19,932 bits"
    assert shown(True) == "true"
    assert shown("x" * 999) == "'" + "x" * 27 + "..." + "x" * 28 + "'"
    assert shown("one\ntwo") == r"'one\ntwo'"
    assert shown([1] * 999) == "a list"
