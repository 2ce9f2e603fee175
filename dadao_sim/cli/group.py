"""How the commands of a file come to the command line."""

import typer


class Group(typer.Typer):
    """The commands of one file, under a heading of their own in ``--help``; ``main`` finds them.

    A command is a function with the decorator ``group.command()``. Headings come in the order of
    ``place``. What is heavy is imported inside the command, for ``--help`` reads all files.
    """

    def __init__(self, heading: str, place: int):
        super().__init__()
        self.heading, self.place = heading, place
