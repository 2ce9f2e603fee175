"""How many threads a run may use."""

from numbers import Integral
from typing import Literal, TypeAlias

from dadao_sim.algorithms.contract.method import AsynchronousMethod
from dadao_sim.engine.workspace import shareable
from dadao_sim.errors import InputError
from dadao_sim.simulation.plan import Plan

AUTO: Literal["auto"] = "auto"
Threads: TypeAlias = int | Literal["auto"]


def threads_of(asked: Threads, processes: int) -> int:
    """The threads of each of ``processes`` runs at a time: as many as are ``asked`` for, or the
    cores that this process may use, divided by them. InputError for what is neither.

    So many are started only where they pay: see ``event_player.LEAST``.
    """
    if asked == AUTO:
        from joblib import cpu_count

        return max(1, int(cpu_count()) // processes)
    if isinstance(asked, bool) or not isinstance(asked, Integral) or asked < 1:
        raise InputError("threads", f"{asked!r} given", "auto, or a whole number of at least 1")
    return int(asked)


def why_one_thread(plan: Plan) -> str:
    """Why the events of a run are played by one thread, however many there are; "" if they are
    not.
    """
    objective = plan.parts.problem.oracle_objective
    if not isinstance(plan.method, AsynchronousMethod) or shareable(objective):
        return ""
    if isinstance(objective, tuple):
        return "it does not say which of its arrays it writes to (docs/threads.md)"
    return "its gradients are Python"
