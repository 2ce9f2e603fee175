"""The memory there is, and what would take more of it than that."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dadao_sim.errors import InputError

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]


class NoRoom(InputError):
    """What is asked for takes more memory than is free."""


class Need(NamedTuple):
    """Something that takes ``bytes`` of memory, known from numbers alone: ``what``, in words, and
    the argument ``where`` that makes it large.
    """

    where: str
    what: str
    bytes: float


def inside(place: str, need: Need) -> Need:
    """``need`` of an option that lies in ``place``; the nodes are everybody's."""
    where = need.where if need.where == "nodes" else f"{place}.{need.where}"
    return need._replace(where=where)


def require_room(*needs: Need) -> None:
    """InputError, of the largest, where all together take more memory than is free."""
    total, free = sum(need.bytes for need in needs), free_bytes()
    if total > free:
        largest = max(needs, key=lambda need: need.bytes)
        wrong = f"{largest.what} would take {_size(total)} of memory, of which {_size(free)}"
        raise NoRoom(largest.where, f"{wrong} are free", "make it smaller")


def _size(bytes: float) -> str:
    return f"{bytes / 1e9:.3g} GB" if bytes >= 1e8 else f"{bytes / 1e6:.3g} MB"


def free_bytes(root: Path = Path("/")) -> float:
    """What this process can still take: of the machine, of its container, and by its limits.

    ``root`` is where ``proc`` and ``sys`` are. What cannot be found out counts as no limit.
    """
    return min(
        (*_of_the_machine(root), *_of_containers(root), *_of_limits(root)), default=float("inf")
    )


def _of_the_machine(root: Path) -> Iterator[float]:
    found = re.search(r"^MemAvailable:\s*(\d+) kB", _text(root / "proc/meminfo"), re.MULTILINE)
    if found is not None:
        yield 1024 * int(found[1])


def _of_containers(root: Path) -> Iterator[float]:
    """What the control groups leave, of version 2 and 1, from that of the process upwards."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            top, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = top / path.strip("/")
        for folder in (group, *group.parents):
            limit, used = (_text(folder / name).strip() for name in names[:2])
            if limit.isdecimal() and used.isdecimal():
                # Files that were read once are given up as soon as memory is wanted.
                cache = re.search(rf"^{names[2]} (\d+)", _text(folder / "memory.stat"), re.M)
                yield int(limit) - int(used) + (int(cache[1]) if cache else 0)
            if folder == top:
                break


def _of_limits(root: Path) -> Iterator[float]:
    """What ``ulimit`` leaves."""
    sizes = _text(root / "proc/self/statm").split()
    if resource is None or not sizes:
        return
    page = resource.getpagesize()
    for which, place in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        limit, _ = resource.getrlimit(which)
        if limit != resource.RLIM_INFINITY:
            yield limit - page * int(sizes[place])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
