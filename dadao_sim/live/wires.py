"""One TCP connection per edge, on this machine; who waits for what has died hears of it at once."""

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping

import numpy as np

from dadao_sim.errors import InputError

HOST = "127.0.0.1"
MOST_FILES = 1024
"""That ``select`` can wait for; nothing else in the standard library waits for less than a
millisecond.
"""
Edge = tuple[int, int]
Ends = tuple[socket.socket, socket.socket]


class Gone(Exception):
    """The other end of a wire is dead."""


class TooLong(Exception):
    """The other end of a wire lives and says nothing, for longer than is waited."""


class Wire:
    """A node's end of the connection to a neighbour; waits at most ``patience`` seconds."""

    def __init__(self, end: socket.socket, patience: float):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.settimeout(patience)
        self.end = end

    def fileno(self) -> int:
        """For ``select``."""
        return self.end.fileno()

    def send(self, data: bytes) -> None:
        """All of it. Gone, TooLong."""
        with _heard():
            self.end.sendall(data)

    def receive(self, count: int) -> bytes:
        """So many bytes. Gone, TooLong."""
        data = bytearray(count)
        view, first = memoryview(data), 0
        with _heard():
            while first < count:
                got = self.end.recv_into(view[first:])
                if got == 0:
                    raise Gone
                first += got
        return bytes(data)

    def send_some(self, data: memoryview) -> int:
        """As much of it as there is room for: how many bytes. Gone, TooLong."""
        taken = 0
        with _heard():
            taken += self.end.send(data)
        return taken

    def receive_some(self, most: int) -> bytes:
        """What has come, ``most`` bytes of it; nothing where the other end is gone. TooLong."""
        data = b""
        with contextlib.suppress(Gone), _heard():
            data = self.end.recv(most)
        return data

    def receive_vector(self, length: int) -> np.ndarray:
        """So many numbers, as they were sent: to the last bit."""
        return np.frombuffer(self.receive(8 * length))

    def close(self) -> None:
        """The other end reads what was sent, and then that this one is gone."""
        self.end.close()


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise TooLong from error
    except OSError as error:
        raise Gone from error


@contextlib.contextmanager
def connected(edges: list[Edge]) -> Iterator[Mapping[Edge, Ends]]:
    """Both ends of a connection for each edge, made before the processes part: none can be killed
    before it has connected, and the system chooses ports that are free. They are closed at the end.
    """
    with contextlib.ExitStack() as opened:
        try:
            pairs = {edge: _connection(opened) for edge in edges}
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            wrong = f"{len(edges)} edges need {2 * len(edges)} open files"
            raise InputError("network", wrong, "this system allows fewer (ulimit -n)") from None
        if any(end.fileno() >= MOST_FILES for pair in pairs.values() for end in pair):
            wrong = f"{len(edges)} edges need {2 * len(edges)} open files"
            raise InputError("network", wrong, f"{MOST_FILES} are waited for at most, others' too")
        yield pairs


def _connection(opened: contextlib.ExitStack) -> Ends:
    with socket.create_server((HOST, 0), backlog=1) as server:
        one = opened.enter_context(socket.create_connection(server.getsockname()))
        while True:  # whoever else connects to the port is sent away
            other, address = server.accept()
            if address == one.getsockname():
                return one, opened.enter_context(other)
            other.close()
