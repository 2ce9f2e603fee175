"""The colours of the figures by name, those of Okabe and Ito (Color Universal Design, 2008), which
people with any common colour blindness can tell apart. The eighth, yellow, is lost on white.
"""

from typing import Any

BLACK, BLUE, VERMILION, PURPLE = "#000000", "#0072B2", "#D55E00", "#CC79A7"
ORANGE, GREEN, SKY = "#E69F00", "#009E73", "#56B4E9"
COLOUR_NAMES = {
    "blue": BLUE,
    "orange": ORANGE,
    "black": BLACK,
    "vermilion": VERMILION,
    "purple": PURPLE,
    "green": GREEN,
    "sky": SKY,
}


def hex_colour(colour: str) -> str:
    """``colour`` as #RRGGBB: one of ours by name, else whatever matplotlib takes for one.

    Raises ValueError for what is none.
    """
    if colour in COLOUR_NAMES:
        return COLOUR_NAMES[colour]
    from matplotlib.colors import to_hex

    found: Any = to_hex(colour)
    return str(found).upper()
