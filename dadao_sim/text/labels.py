"""Names that are printed and drawn: what can be shown, and what looks alike."""

import os
import unicodedata
from functools import cache
from typing import Any

from dadao_sim.text.lines import printable

LONGEST_LABEL = 100
FONTS = ("STIXGeneral", "DejaVu Sans")
"""Those of the figures, both shipped with matplotlib; the second has what the first has not."""
EXPERIMENTAL = " (experimental)"


ITS_OWN = ("paper", "own", "unknown")
"""Whose constants a method has where its name in print says nothing of them."""


def printed_name(
    label: str, method: str, title: str, experimental: bool = False, constants: str = ITS_OWN[0]
) -> str:
    """What to print for an algorithm: the user's label, or its method's ``title`` if none was
    given, with the set of its ``constants``; marked where no theorem covers the run.
    """
    if label == method:
        label = title if constants in ITS_OWN else f"{title}, {constants}"
    return label + EXPERIMENTAL * experimental


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


def bad_maths(text: str) -> str:
    """Why a text in which ``$`` begins and ends maths cannot be drawn, nothing if it can."""
    if "$" not in text:
        return ""
    if text.count("$") % 2 != text.count(r"\$") % 2:
        return r"has a $ that begins maths and none that ends it; \$ is a dollar"
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("path").parse(text)
    except ValueError as error:
        *_, said = str(error).strip().splitlines() or ["it cannot be read"]
        return f"is no maths that can be drawn: {said.rpartition('Exception: ')[2]}"
    return ""


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
