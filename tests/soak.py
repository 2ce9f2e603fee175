"""Scenarios checked, played and drawn for a while in one process, whose memory has to stay flat.

python tests/soak.py [SECONDS]     resident memory after each round, and whether it grew
"""

import itertools
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from damage import command
from mutations import bases, text_of

from dadao_sim.networks.graphs import GRAPHS

WARM_UP = 3
"""Rounds until everything was compiled, imported and seen once."""
GROWTH = 1.05
"""Between the first quarter of the other rounds and the last."""


def resident() -> int:
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def commands(name: str, data: dict[str, Any], number: int) -> Iterator[tuple[Any, ...]]:
    """What is done with a scenario; each time with another seed."""
    file, folder = f"{name}.yaml", f"r/{name}"
    Path(file).write_text(text_of({**data, "seed": number}))
    yield "validate", file
    yield "run", file, "--out", folder, "--overwrite"
    yield "compare", folder, "--accuracy", 0.99, "--figure", "figures/compared.png", "--overwrite"
    yield "plot", folder, "--x", "time", "--y", "suboptimality", "--format", "pdf", "--overwrite"
    if data["problem"]["data"]["kind"] in ("image", "sparse_signal"):
        yield "recovered", folder, "--figure", "figures/recovered.png", "--overwrite"
    if "world" in data:
        outputs = ("--log", "log.npz", "--timeline", "figures/time.png", "--load", "figures/l.png")
        yield "world", file, *outputs, "--overwrite"


def networks(number: int) -> Iterator[tuple[Any, ...]]:
    """A network of each graph, and the rates of one."""
    for graph in GRAPHS:
        asked = ("--graph", graph, "--nodes", 16, "--seed", number)
        yield "network", *asked, "--figure", "figures/network.png", "--overwrite"
    yield "rates", "--graph", "barbell", "--nodes", 8 + 2 * (number % 10), "--json"


def a_round(number: int, small: dict[str, dict[str, Any]]) -> int:
    """Do everything once; how many commands that were."""
    scenarios = (commands(name, data, number) for name, data in small.items())
    count = 0
    for words in itertools.chain(*scenarios, networks(number)):
        code, _, err = command(*words)
        if code and "no algorithm reached" not in err:
            raise SystemExit(f"{' '.join(map(str, words))}: {err}")
        count += 1
    return count


def soak(seconds: float) -> bool:
    """Whether memory stayed flat for so long."""
    small = {
        name.replace(" ", "-"): data for name, data in bases().items() if name.startswith("small")
    }
    begun, sizes, count = time.monotonic(), [], 0
    while time.monotonic() - begun < seconds or len(sizes) < WARM_UP + 4:
        count += a_round(len(sizes), small)
        sizes.append(resident())
        print(f"round {len(sizes)}: {sizes[-1] / 2**20:.1f} MiB", flush=True)
    later = sizes[WARM_UP:]
    part = max(1, len(later) // 4)
    first, last = statistics.median(later[:part]), statistics.median(later[-part:])
    print(
        f"{count} commands of {len(small)} scenarios in {time.monotonic() - begun:.0f} s: "
        f"{first / 2**20:.1f} MiB after the warm-up, {last / 2**20:.1f} MiB at the end, "
        f"{last / first - 1:+.1%}"
    )
    return last <= GROWTH * first


if __name__ == "__main__":
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("figures").mkdir()
        flat = soak(float(sys.argv[1]) if len(sys.argv) > 1 else 600.0)
        os.chdir(here)
    sys.exit(not flat)
