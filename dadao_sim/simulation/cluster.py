"""Work on a cluster of dask.distributed, whose scheduler runs again what a dead worker had."""

import logging
import platform
import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dadao_sim
from dadao_sim.errors import InputError, WorkerKilled
from dadao_sim.simulation.identity import source_digest
from dadao_sim.simulation.manifest import LIBRARIES
from dadao_sim.simulation.workers import ONE_THREAD, Others, Task

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local:"
PATIENCE = 60.0  # seconds until a cluster has a worker
AHEAD = 2  # tasks for each thread: one that runs and one that is there when it has

_one_at_a_time = threading.Lock()


@contextmanager
def cluster(where: str) -> Iterator[Others]:
    """The workers of a cluster, to give to `simulate` or `sweep`.

    ``where`` is the address of a scheduler (``tcp://host:8786``), the file that it wrote
    (``FILE.json``), or ``local:N`` for N processes of this machine. A worker plays one run at a
    time: start it with one thread. It needs this package, and no file of yours.

    Raises InputError where dask.distributed is not installed, where nothing answers, and where a
    worker has other versions; WorkerKilled for a run that killed several workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        needed = "it needs dask.distributed: pip install 'dadao-sim[cluster]'"
        raise InputError("dask", needed) from None
    processes = _local(where)
    if processes is not None:
        with (
            _quiet_processes(),
            LocalCluster(
                n_workers=processes, threads_per_worker=1, dashboard_address=None
            ) as local,
            Client(local) as client,
        ):
            yield _checked(client, where)
        return
    if where.endswith(".json") and not Path(where).is_file():
        raise InputError("dask", f"there is no file {where}", "dask scheduler --scheduler-file")
    by = "scheduler_file" if where.endswith(".json") else "address"
    try:
        client = Client(**{by: where}, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError("dask", f"no scheduler answers at {where} ({said})") from None
    with client:
        yield _checked(client, where)


def _local(where: str) -> int | None:
    if not where.startswith(LOCAL):
        return None
    count = where.removeprefix(LOCAL)
    if not count.isdecimal() or int(count) < 1:
        raise InputError("dask", f"{where!r} given", "local:N starts N processes, at least 1")
    return int(count)


@contextmanager
def _quiet_processes() -> Iterator[None]:
    """Processes of one thread each, whose end is nobody's concern."""
    import dask

    log = logging.getLogger("distributed.nanny")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with dask.config.set({"distributed.nanny.pre-spawn-environ": ONE_THREAD}):
            yield
    finally:
        log.setLevel(level)


def versions() -> dict[str, str]:
    """What has to be the same everywhere for the same bytes."""
    found = {"dadao_sim": dadao_sim.__version__, "its source": source_digest()[:12]}
    found["python"] = platform.python_version()
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _checked(client: "Client", where: str) -> Others:
    """The cluster, with a worker at least, and none of another version."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise InputError("dask", f"the scheduler at {where} has no workers") from None
    ours = versions()
    try:
        for worker, theirs in client.run(versions).items():
            _compare(worker, theirs, ours)
    except (ImportError, AttributeError) as error:
        raise InputError("dask", f"a worker cannot import this package ({error})") from None

    def others(
        function: Callable[..., Any], tasks: Iterator[Task]
    ) -> Generator[tuple[str, Any], None, None]:
        return _played(client, ours, function, tasks)

    return others


def _compare(worker: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    for name, wanted in ours.items():
        found = theirs.get(name, "missing")
        if found != wanted:
            raise InputError("dask", f"{name} is {found} at the worker {worker}, and {wanted} here")


def _played(
    client: "Client", ours: dict[str, str], function: Callable[..., Any], tasks: Iterator[Task]
) -> Generator[tuple[str, Any], None, None]:
    from distributed import CancelledError, KilledWorker, as_completed

    names: dict[Any, str] = {}
    queue = as_completed()
    waiting = iter(tasks)

    def refill() -> None:
        most = AHEAD * max(1, sum(client.nthreads().values()))
        while len(names) < most and (task := next(waiting, None)) is not None:
            name, arguments = task
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that the arguments are large
                future = client.submit(_at_a_worker, ours, function, *arguments, pure=False)
            names[future] = name
            queue.add(future)

    try:
        refill()
        while names:
            future = next(queue)
            name = names.pop(future)
            try:
                answer = future.result()
            except KilledWorker:
                raise WorkerKilled(f"{name}: its worker was killed, again and again") from None
            except CancelledError:
                raise WorkerKilled(f"{name}: the scheduler has forgotten it") from None
            yield name, answer
            refill()
    finally:
        with suppress(Exception):  # the scheduler may be gone
            client.cancel(list(names))


def _at_a_worker(ours: dict[str, str], function: Callable[..., Any], *arguments: Any) -> Any:
    """One task, where others may be under way in other threads: what methods are known is of the
    process. A worker that joined late has not been asked for its versions.
    """
    with _one_at_a_time:
        _compare(platform.node(), versions(), ours)
        return function(*arguments)
