"""A bar for all runs of a simulation, in a terminal or below the cell of a notebook."""

import math
import sys
import time
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, Self

from dadao_sim.results.result import RunKey
from dadao_sim.text.lines import shortened

if TYPE_CHECKING:
    from rich.console import Console

NOTEBOOK = "ZMQInteractiveShell"
EVERY = 0.2  # seconds between two looks of a notebook's bar


class Bar(Protocol):
    """What shows how many of all runs are done, and what is under way."""

    def show(self, done: float, doing: str) -> None:
        """``done`` runs and the part of one under way."""

    def close(self) -> None:
        """Leave nothing behind."""


class Progress:
    """One step per run, and the accuracy of the run under way; entered, it is shown.

    ``finished`` are the runs that were. In a notebook the bar is HTML that needs no widgets; else
    it is drawn on ``console``, by default that of the errors, and only if that is a terminal.
    """

    def __init__(self, name: str, runs: int, console: "Console | None" = None):
        self.name, self.runs, self.console = name, runs, console
        self.finished: set[Any] = set()
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if in_a_notebook() and self.console is None:
            self._bar = NotebookBar(self.name, self.runs)
        else:
            self._bar = TerminalBar(self.name, self.runs, self.console)
        return self

    def __exit__(self, *_: Any) -> None:
        assert self._bar is not None
        self._bar.close()

    def tick(self, key: RunKey, share: float, accuracy: float) -> None:
        """A sample of a run, or (share 1) its end."""
        self._show(key, key, share, accuracy)

    def tick_of_cell(self, cell: Any, key: RunKey, share: float, accuracy: float) -> None:
        """The same, of a run of one cell of a sweep."""
        self._show((str(cell), *key), key, share, accuracy)

    def _show(self, which: Any, key: RunKey, share: float, accuracy: float) -> None:
        assert self._bar is not None
        if share >= 1:
            self.finished.add(which)
        part = 0.0 if which in self.finished else share
        doing = f"{key[0]}, repeat {key[1]}: {accuracy:.0e}"
        self._bar.show(len(self.finished) + part, doing)


def in_a_notebook() -> bool:
    """Whether what is displayed appears below a cell."""
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return type(running).__name__ == NOTEBOOK


class TerminalBar:
    """A bar of rich."""

    def __init__(self, name: str, runs: int, console: "Console | None"):
        from rich import progress
        from rich.console import Console

        self.progress = progress.Progress(
            progress.TextColumn("{task.description:32.32}", markup=False),
            progress.BarColumn(),
            progress.TextColumn("{task.completed:5.1f}/{task.total:.0f} runs", markup=False),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left:"),
            progress.TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self.task = self.progress.add_task(name, total=runs)
        self.progress.start()

    def show(self, done: float, doing: str) -> None:
        """See :class:`Bar`."""
        self.progress.update(self.task, completed=done, description=doing)

    def close(self) -> None:
        """See :class:`Bar`."""
        self.progress.stop()


class NotebookBar:
    """A line of HTML, changed in its place a few times a second."""

    def __init__(self, name: str, runs: int):
        from IPython.display import HTML, display

        self.html, self.runs = HTML, runs
        self.begun = self.shown = time.monotonic()
        self.handle = display(HTML(self._line(0.0, name)), display_id=True)

    def show(self, done: float, doing: str) -> None:
        """See :class:`Bar`."""
        now = time.monotonic()
        if now - self.shown >= EVERY:
            self.shown = now
            self.handle.update(self.html(self._line(done, doing)))

    def close(self) -> None:
        """See :class:`Bar`."""
        self.handle.update(self.html(""))

    def _line(self, done: float, doing: str) -> str:
        passed = time.monotonic() - self.begun
        left = f", {math.ceil(passed * (self.runs - done) / done)} s left" if done else ""
        bar = f"<progress value='{done:.3f}' max='{self.runs}'></progress>"
        said = f"{done:.1f}/{self.runs} runs, {passed:.0f} s{left}"
        return f"<div>{bar} {said} <code>{escape(shortened(doing, 60))}</code></div>"
