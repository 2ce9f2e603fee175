"""Sweeps without a simulation: what they would have spent is said."""

from pathlib import Path

import pandas as pd

from dadao_sim.algorithms.contract.registry import METHODS
from dadao_sim.results.sweep import CellResult, SweepResult, summary_of


def made(
    cost,
    keys,
    methods=("dadao", "msda"),
    repeats=3,
    accuracies=(0.1, 1e-6),
    failed=(),
    zipped=False,
):
    """A sweep over all values of the keys, whose runs spend ``cost(method, values, repeat,
    accuracy)`` communications, twice as many messages, and the square root of that in time. The
    cells with the numbers ``failed`` have failed. With ``zipped`` the last two keys move together.
    """
    grid = pd.MultiIndex.from_product(keys.values(), names=list(keys)).to_frame(index=False)
    if zipped:
        *_, one, other = keys
        grid = grid[grid[other] == grid[one].map(dict(zip(keys[one], keys[other], strict=True)))]
    cells, rows = [], []
    for number, values in enumerate(grid.to_dict("records")):
        error = "<b>no</b> such thing" if number in failed else None
        cells.append(CellResult(values, Path("nowhere") / f"cell-{number}", str(number), error))
        for method in methods if error is None else [""]:
            for repeat in range(repeats if error is None else 1):
                for accuracy in accuracies if error is None else [float("nan")]:
                    spent = cost(method, values, repeat, accuracy) if error is None else None
                    row = {**values, "algorithm": method, "method": method}
                    row |= {"experimental": False, "constants": "paper", "repeat": repeat}
                    row |= {"status": "converged" if error is None else "failed"}
                    row |= {"accuracy": accuracy, "communications": spent, "reason": error or ""}
                    rows.append(row)
    costs = pd.DataFrame(rows)
    costs["messages"] = 2 * costs["communications"]
    costs["time"] = costs["communications"] ** 0.5
    in_print = {
        name: {"title": METHODS[name].title, "look": METHODS[name].look} for name in methods
    }
    names = tuple(keys)
    return SweepResult("s", names, tuple(cells), costs, summary_of(names, costs), in_print)
