"""The command that holds methods against the contract that all methods keep."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import method_names
from dadao_sim.cli.show import print_table, say
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from dadao_sim.testing import Outcome

BROKEN = 1  # the exit code where a law is broken

group = Group("Methods", place=4)


@group.command(
    examples=["check dadao", "check my_method.py", "check my_methods.py:mine --json", "check --all"]
)
def check(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE.py[:NAME]]",
            help="A file of yours, or a method's name.",
            autocompletion=method_names,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every method that is known.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, a method each.")] = 1,
) -> None:
    """Hold a method against the laws of its contract; exit code 1 if it breaks one."""
    from dadao_sim.algorithms.contract.registry import METHODS

    if (target is None) != every:
        raise InputError("check: give either a file or a method's name, or --all")
    names = list(METHODS) if target is None else _methods(target)
    broken = 0
    for name, outcomes in _checked(names, jobs):
        table = [o for o in outcomes if o.status == "broken"] if every else outcomes
        if table:
            titles = ("law", "case", "outcome")
            records = [{"method": name, **asdict(outcome)} for outcome in table]
            print_table(titles, map(_row, table), words=3, name="laws", records=records)
        broken += _summary(name, outcomes)
    if every:
        say(f"{len(names)} methods, {broken} laws broken")
    if broken:
        raise typer.Exit(BROKEN)


def _methods(target: str) -> list[str]:
    """The names of the methods that are meant. InputError where there are none."""
    from dadao_sim import plugins
    from dadao_sim.algorithms.contract.registry import get_method
    from dadao_sim.strict import suggestion

    file, colon, name = target, "", ""
    if not target.endswith(".py") and ".py:" in target:
        file, colon, name = target.rpartition(":")
    if not file.endswith(".py"):
        return [get_method(target).name]
    plugin = plugins.load(Path(file))
    given = plugin.gives.get("method", [])
    if not given:
        raise InputError(f"{plugin}; it gives no method to check")
    if colon and name not in given:
        raise InputError(f"{plugin.path.name}: has no method {name!r}{suggestion(name, given)}")
    return [name] if colon else given


def _checked(names: Sequence[str], jobs: int) -> "Iterator[tuple[str, list[Outcome]]]":
    """Each method and what came of every law, in the order of the names."""
    if jobs == 1 or len(names) == 1:
        for name in names:
            yield name, _outcomes((), name)
        return
    from dadao_sim import plugins
    from dadao_sim.simulation.workers import elsewhere

    files = [plugin.file for plugin in plugins.known()]
    tasks = ((name, (files, name)) for name in names)
    found: dict[str, list[Outcome]] = {}
    waiting = list(names)
    with closing(elsewhere(_outcomes, tasks, min(jobs, len(names)))) as finishing:
        for name, outcomes in finishing:
            found[name] = outcomes
            while waiting and waiting[0] in found:
                yield waiting[0], found[waiting.pop(0)]


def _outcomes(files: Sequence[tuple[str, bytes]], name: str) -> "list[Outcome]":
    """What came of every law; ``files`` are the plug-ins that a worker process has to know."""
    from dadao_sim import plugins
    from dadao_sim.algorithms.contract.registry import get_method
    from dadao_sim.compiled.threads import one_blas_thread
    from dadao_sim.testing import outcomes

    if files:
        plugins.only(files)
    with one_blas_thread():
        return list(outcomes(get_method(name)))


def _row(outcome: "Outcome") -> tuple[str, str, str]:
    why = f" {outcome.why}" if outcome.why else ""
    return outcome.law.replace("_", " "), outcome.case, outcome.status + why


def _summary(name: str, outcomes: "Sequence[Outcome]") -> int:
    """Say how many laws were kept; the number of those that were not."""
    statuses = [outcome.status for outcome in outcomes]
    counts = {status: statuses.count(status) for status in ("passed", "broken", "skipped")}
    say(f"{name}: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
    return counts["broken"]
