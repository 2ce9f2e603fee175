"""A figure that a notebook shows, whatever backend it has."""

from matplotlib.figure import Figure

SHOWN_DPI = 110


class InlineFigure(Figure):
    """A figure that is drawn below the cell of a notebook whose last line it is."""

    def _repr_png_(self) -> bytes:
        from dadao_sim.plotting.style import drawn

        return drawn(self, "png", SHOWN_DPI)
