"""Which of DADAO's sets of constants converges at which latency on which graph, drawn.

    python benchmarks/patient_set.py --map > map.tsv        # some ten minutes
    python benchmarks/stability_map.py map.tsv docs/stability-map.png

Time above, communications below; a cross where not every one of the three repeats got there.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

from dadao_sim.plotting.style import WIDE, new_figure, paper, save_figure

QUANTITIES = {"time": "Time to $10^{-6}$", "communications": "Communications to $10^{-6}$"}
REPEATS = 3


def stability_map(rows):
    """A panel for each set and quantity: graphs down, latencies across."""
    names, graphs = list(dict.fromkeys(rows["set"])), list(dict.fromkeys(rows["graph"]))
    latencies = sorted(set(rows["latency"]))
    with paper():
        figure = new_figure(WIDE, 4.6)
        panels = figure.subplots(2, len(names), sharex=True, sharey=True, squeeze=False)
        for line, (quantity, label) in zip(panels, QUANTITIES.items(), strict=True):
            reached = rows[rows["reached"] == REPEATS][quantity]
            scale = LogNorm(reached.min(), reached.max())
            for axes, name in zip(line, names, strict=True):
                of_set = rows[rows["set"] == name].set_index(["graph", "latency"])
                table = of_set[quantity].where(of_set["reached"] == REPEATS).unstack("latency")
                table = table.reindex(index=graphs, columns=latencies)
                drawn = axes.imshow(table, norm=scale, cmap="cividis_r", aspect="auto")
                missing = np.argwhere(~np.isfinite(table.to_numpy(dtype=float)))
                axes.plot(missing[:, 1], missing[:, 0], "x", color="black", markersize=3)
                axes.set_xticks(range(len(latencies)), [f"{x:g}" for x in latencies], rotation=90)
                axes.set_yticks(range(len(graphs)), graphs)
                axes.tick_params(length=0)
                axes.label_outer()
            figure.colorbar(drawn, ax=list(line), label=label, pad=0.01)
        for axes, name in zip(panels[0], names, strict=True):
            axes.set_title(name.replace("_", " "), fontsize="medium")
        figure.supxlabel("Latency (mean gradient intervals)", fontsize="medium")
    return figure


if __name__ == "__main__":
    source, target = sys.argv[1:]
    save_figure(stability_map(pd.read_csv(source, sep="\t")), Path(target), overwrite=True)
