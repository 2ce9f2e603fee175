"""The command that learns convex surrogates."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dadao_sim.cli.group import Group
from dadao_sim.cli.options import OverwriteOption, ScenarioArgument, SetOption
from dadao_sim.cli.show import print_table, say
from dadao_sim.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dadao_sim.learning.augmented_lagrangian import Round

group = Group("Convex surrogates", place=5)


class Labels(StrEnum):
    """Whose values a surrogate learns."""

    solver = "solver"
    self = "self"


@group.command(
    examples=[
        "learn-surrogate systems/meeting --out meeting.npz",
        "learn-surrogate systems/meeting --labels self --out meeting_self.npz",
    ]
)
def learn_surrogate(
    scenario: ScenarioArgument,
    out: Annotated[Path, typer.Option(help="Write the surrogate to this file (.npz).")],
    labels: Annotated[
        Labels,
        typer.Option(help="Values of the solver, or of a network that learns solutions by itself."),
    ] = Labels.solver,
    seed: Annotated[int, typer.Option(min=0, help="Of the training.")] = 0,
    sets: SetOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Learn a convex surrogate of the value in a scenario of problem meeting (six seconds, or forty
    with `--labels self`; needs torch).

    The file goes into a scenario as `problem: {oracle: {surrogate: FILE.npz}}`, or as the `oracle`
    of an algorithm.
    """
    from dadao_sim.files import check_outputs
    from dadao_sim.local_steps.learned.torch_extra import require_torch
    from dadao_sim.problems.kinds.convex_surrogate import WEIGHTS
    from dadao_sim.problems.kinds.meeting import MeetingKind
    from dadao_sim.scenario import shipped
    from dadao_sim.scenario.reading import load_scenario

    file = shipped.scenario_path(scenario)
    check_outputs({"--out": (out, WEIGHTS)}, inputs=[file], overwrite=overwrite)
    problem = load_scenario(file, sets or []).problem
    if not isinstance(problem, MeetingKind):
        raise InputError(
            "problem.kind",
            f"{problem.kind} has no programme whose value could be learned",
            "use meeting, or learn_surrogate(f, box) from Python",
        )
    require_torch()
    from dadao_sim.learning import learn_meeting

    learned = learn_meeting(problem, labels.value, seed=seed)
    changed = "".join(f" --set {one}" for one in sets or ())
    command = (
        f"dadao-sim learn-surrogate {scenario} --labels {labels.value} --out {out.name} "
        f"--seed {seed}{changed}"
    )
    learned.metadata["command"] = command
    learned.save(out, overwrite=overwrite)
    if learned.rounds:
        print_rounds(learned.rounds, learned.metadata["mean_value"])
    found, (mu, L) = learned.errors, learned.bounds
    say(f"held out: value {found.value:.2%} of its deviation, gradient in x {found.slope:.2%}")
    say(f"certified: mu = {mu:.4g}, L = {L:.4g}")
    say(f"surrogate: {out}")


def print_rounds(rounds: "Sequence[Round]", mean_value: float) -> None:
    """What the network answered after every round, before it is corrected, on what is held out."""
    titles = ("round", "|f - phi|/phi", "violation", "worst", "KKT residual", "|u - u*|")
    rows = [
        (
            str(number + 1),
            f"{one.gap / mean_value:.2%}",
            *(f"{x:.3f}" for x in (one.violation, one.worst_violation)),
            *(f"{x:.3f}" for x in (one.residual, one.distance)),
        )
        for number, one in enumerate(rounds)
    ]
    print_table(titles, rows, name="rounds")
