"""Text that others wrote, on its way to a line, a table, or a message: no longer than that holds,
and nothing in it that the reader could not see.
"""

import os
import unicodedata
from collections.abc import Iterable
from functools import cache
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


# ---- names that are printed and drawn ------------------------------------------------------------

LONGEST_LABEL = 100
FONTS = ("STIXGeneral", "DejaVu Sans")
"""Those of the figures, both shipped with matplotlib; the second has what the first has not."""
EXPERIMENTAL = " (experimental)"


def printed_name(label: str, method: str, title: str, experimental: bool = False) -> str:
    """What to print for an algorithm: the user's label, or its method's ``title`` if none was
    given; marked where no theorem covers the run.
    """
    return (title if label == method else label) + EXPERIMENTAL * experimental


def cannot_be_shown(text: str) -> str:
    """Why a name cannot stand in tables and figures, nothing if it can.

    That does not depend on the machine: the fonts are those that the figures bring with them.
    """
    if text != text.strip():
        return "begins or ends with a blank"
    for character in text:
        if not character.isprintable():
            return f"has {printable(character)} in it, which does not print"
    if text.isascii():
        return ""
    for character in filter(lambda c: not c.isascii(), text):
        code = f"U+{ord(character):04X}"
        if unicodedata.category(character).startswith("M"):
            one = unicodedata.normalize("NFC", text)
            return f"has a mark ({code}) that is no part of its letter" + (
                f"; write {one!r} with letters that have theirs" if one != text else ""
            )
        if unicodedata.bidirectional(character) in ("R", "AL", "AN"):
            return f"has {character!r} ({code}), which runs from right to left, in it"
        if not any(_glyph(font, character) for font in _font_files()):
            return f"has {character!r} ({code}) in it, which the fonts of the figures do not have"
    return ""


def drawable(text: str) -> str:
    r"""``text`` for a figure: ``$`` is a dollar, what has no glyph is written as ``\u4e2d``.

    Labels were checked; names of folders and files were not.
    """
    return "".join(
        c.encode("unicode_escape").decode() if cannot_be_shown(f"x{c}x") else c for c in text
    ).replace("$", r"\$")


def looks(text: str) -> tuple[Any, ...]:
    """What the reader sees of ``text``: two texts print alike where that is equal.

    A letter is its shape, so that those of Latin, Greek and Cyrillic that are drawn alike are one;
    neighbouring blanks are one.
    """
    text = " ".join(text.split())
    if text.isascii():
        return tuple(text)
    shape = {_glyph(_font_files()[-1], c): c for c in map(chr, range(126, 32, -1))}
    return tuple(shape.get(glyph := _glyph(_font_files()[-1], c), glyph or c) for c in text)


@cache
def _font_files() -> tuple[Any, ...]:
    from matplotlib import get_data_path
    from matplotlib.ft2font import FT2Font

    names = (f"{name.replace(' ', '')}.ttf" for name in FONTS)
    fonts = [FT2Font(os.path.join(get_data_path(), "fonts", "ttf", name)) for name in names]
    for font in fonts:
        font.set_size(96, 72)
    return tuple(fonts)


@cache
def _glyph(font: Any, character: str) -> bytes:
    """The outline of a character, empty if the font has none or it leaves no ink."""
    if ord(character) not in font.get_charmap():
        return b""
    from matplotlib import ft2font

    # Hinting fits what is one outline to the script that it stands in.
    known: Any = getattr(ft2font, "LoadFlags", None)  # since matplotlib 3.10
    flag = known.NO_HINTING if known else ft2font.LOAD_NO_HINTING  # type: ignore[attr-defined]
    font.load_char(ord(character), flags=flag)
    points, strokes = font.get_path()
    return bytes(points.tobytes() + strokes.tobytes())
