"""Text that others wrote, on its way to a line, a table, or a message: no longer than that holds,
and nothing in it that the reader could not see.
"""

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST = 280
"""Characters of a message, so that with the program's name before it there are at most 300."""


def printable(text: str) -> str:
    r"""``text`` with an escape such as ``\x1b`` for each character that does not print.

    Control characters, line breaks, marks of direction, blanks of no or another width, and what is
    no character at all.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, longest: int) -> str:
    """``text`` in at most ``longest`` characters, with dots in its middle if it has more."""
    if len(text) <= longest:
        return text
    kept = max(longest - 3, 0)
    head = kept // 2
    return text[:head] + "..."[:longest] + text[len(text) - (kept - head) :]


def listed(words: Iterable[str], longest: int = 180) -> str:
    """``words`` with commas between; those beyond ``longest`` characters as their count."""
    words = [printable(shortened(str(word), 60)) for word in words]
    shown = words
    while len(", ".join(shown)) > longest and len(shown) > 1:
        shown = shown[:-1]
    left = len(words) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def counted(number: int, thing: str) -> str:
    """``1 run``, ``1,000 runs``."""
    return f"{number:,} {thing}" + "s" * (number != 1)


def one_line(text: str, longest: int = LONGEST) -> str:
    """``text`` as a message: one line that prints, in at most ``longest`` characters.

    What is too long gives way in turn: words (paths, values) lose their middle; then what stands
    before the first colon; a list of what is known its end; at last the whole its middle.
    """
    words = printable(" ".join(text.split())).split(" ")
    for most in (len(text), 120, 80):
        line = " ".join(shortened(word, most) for word in words)
        if len(line) <= longest:
            return line
    where, colon, what = line.partition(": ")
    line = f"{shortened(where, 100)}{colon}{what}"
    if len(line) > longest and "(known: " in line[: longest - 20]:
        return line[: longest - 6].rpartition(" ")[0] + " ...)"
    return shortened(line, longest)


def shown(value: Any) -> str:
    """``value`` as a short phrase of one line, in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case int() if abs(value) >= 10**999:  # Python refuses to spell out such numbers
            return f"a whole number of {value.bit_length():,} bits"
        case str() | int() | float():
            return shortened(repr(value), 60)
        case _:
            return f"a {type(value).__name__}"


def written(value: Any) -> str:
    """``value`` as Python writes it, on one short line."""
    return shortened(" ".join(reprlib.repr(value).split()), 60)
