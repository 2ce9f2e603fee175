"""What a node writes down: one record per event, on disk before anybody else can see the event."""

import os
from pathlib import Path
from typing import Any

import numpy as np

GRADIENT = 0  # it computed a gradient and applied it
REQUESTER = 1  # an exchange that it had asked for: it flowed to the time agreed on, and applied it
GRANTER = 2  # an exchange that it was asked for: it flowed to the time that it set
APPLIED = 3  # the exchange that it granted last acted on it
LOST = 4  # the exchange that it granted last will not act on it: the other end has gone
TOLD = 5  # it sent a message one way
TOOK = 6  # a message one way acted on it

RECORD = np.dtype(
    [
        ("kind", "u1"),
        ("time", "f8"),  # exact: in a log of microseconds a replay is off by 1e-6
        ("peer", "i4"),  # the other end; -1 of a gradient
        ("owner", "i4"),  # who asked for the exchange, or sent the message, and counts its own
        ("number", "i8"),
        ("mark", "u8"),  # what the node drew for a minibatch
    ]
)


def log_of(folder: Path, node: int) -> Path:
    """Where a node writes."""
    return folder / f"{node}.log"


class Writer:
    """The log of one node: what is written is there, whoever kills the process then."""

    def __init__(self, path: Path):
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        self._record = np.zeros(1, RECORD)

    def write(
        self,
        kind: int,
        time: float,
        peer: int = -1,
        owner: int = -1,
        number: int = -1,
        mark: Any = 0,
    ) -> None:
        """One record; there is no buffer."""
        self._record[0] = (kind, time, peer, owner, number, mark)
        os.write(self._file, self._record.tobytes())


def read_records(path: Path) -> np.ndarray:
    """The whole records of a file; of a node that was killed before it had one, none."""
    if not path.is_file():
        return np.empty(0, RECORD)
    data = path.read_bytes()
    return np.frombuffer(data[: len(data) // RECORD.itemsize * RECORD.itemsize], RECORD)
