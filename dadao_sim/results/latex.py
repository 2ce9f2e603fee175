"""The summary as a LaTeX table for a paper; needs booktabs and nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dadao_sim.files import slug
from dadao_sim.results.axes import AXES
from dadao_sim.results.names import printed_names
from dadao_sim.results.summary import NOT_TRIED, cost_text

if TYPE_CHECKING:
    from pandas import DataFrame

LATEX = ("communications", "gradients")
"""What is tabulated where nothing else is asked for."""
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{character: "\\" + character for character in "&%$#_{}"},
    }
)


ONE_COLUMN = 3
"""Columns of numbers that fit in one column of a paper that has two."""
# Two characters that LaTeX would join to another one, such as -- to a dash.
_LIGATURES = re.compile(r"(?<=-)(?=-)|(?<=')(?=')|(?<=[`!?])(?=`)|(?<=,)(?=,)")


def escape(text: str) -> str:
    """`text` with what LaTeX gives a meaning spelt so that it prints, on one line.

    At the start of a row, `[` and `*` would be taken for arguments of the end of the row before.
    """
    escaped = _LIGATURES.sub("{}", " ".join(text.split()).translate(_ESCAPES))
    return re.sub(r"^([\[*])", r"{\1}", escaped)


def number(value: float) -> str:
    r"""A cost in maths mode: whole below 100 000 (`12\,345`), else to three digits."""
    if math.isinf(value):
        return r"$\infty$"
    if value >= 99_999.5:
        return f"${_scientific(f'{value:.2e}')}$"
    if value >= 100 or value == round(value):
        return f"${value:,.0f}$".replace(",", r"\,")
    return f"${value:.3g}$"


def power(value: float) -> str:
    """An accuracy in maths mode: a power of ten as such, 5e-4 as 5 times one."""
    mantissa, exponent = f"{value:e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    if mantissa == "1":
        return f"$10^{{{int(exponent)}}}$"
    return f"${_scientific(f'{mantissa}e{exponent}')}$"


def summary_table(
    summary: DataFrame,
    names: Mapping[str, str],
    title: str = "",
    quantities: Sequence[str] = LATEX,
) -> str:
    """A booktabs table: methods as rows; what each spent to each accuracy.

    Under each median stands the 10-90 % range over the repeats, and how many repeats reached the
    accuracy when not all of them did. An algorithm with runs that diverged says so.

    Args:
        summary: what `dadao_sim.results.summary.summarise` returns.
        names: what to print for each label, such as `Result.names`.
        title: of the scenario; ends up in the caption and in the label (`tab:<title>`).
        quantities: what is tabulated, among those of the summary.

    """
    if summary.empty:
        return "% No run has finished: there is nothing to tabulate.\n"
    return _table(summary, {"": (summary, names)}, title, quantities)


def comparison_latex(
    table: DataFrame, titles: Mapping[str, str], quantities: Sequence[str] = LATEX
) -> str:
    """The same of a comparison (`reports.comparison`), the rows of each scenario below its name.

    ``titles`` are the names in print of the methods.
    """
    blocks = {
        str(name): (part, printed_names(part, titles))
        for name, part in table.groupby("scenario", sort=False)
    }
    return _table(table, blocks, "", quantities)


def _table(
    summary: DataFrame,
    blocks: Mapping[str, tuple[DataFrame, Mapping[str, str]]],
    title: str,
    quantities: Sequence[str],
) -> str:
    """The table of all rows, block by block: its heading, if it has one, and rows with their names
    in print.
    """
    accuracies = list(dict.fromkeys(summary["accuracy"]))
    wide = len(quantities)
    groups = [rf"\multicolumn{{{wide}}}{{c}}{{to accuracy {power(a)}}}" for a in accuracies]
    firsts = [2 + wide * k for k in range(len(accuracies))]
    rules = [rf"\cmidrule(lr){{{first}-{first + wide - 1}}}" for first in firsts]
    heads = ["Method", *(_head(name) for _ in accuracies for name in quantities)]
    columns = wide * len(accuracies)
    environment = "table*" if columns > ONE_COLUMN else "table"  # both columns of a paper
    repeats = int(summary["repeats"].min()), int(summary["repeats"].max())
    caption = (f"{escape(title)}. " if title else "") + _caption(*repeats)
    if summary[f"{quantities[0]}_median"].isna().any():
        caption += f" What is {NOT_TRIED} lies below the accuracy at which the runs end."
    words = [*blocks, *(name for _, names in blocks.values() for name in names.values())]
    foreign = "".join(dict.fromkeys(c for name in words for c in name if c > "\u017f"))
    lines = [
        "% Needs \\usepackage{booktabs}" + (f", and LuaLaTeX for {foreign}." if foreign else "."),
        rf"\begin{{{environment}}}",
        r"\centering",
        r"\small",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{slug(title) if title else 'summary'}}}",
        rf"\begin{{tabular}}{{l{'r' * columns}}}",
        r"\toprule",
        " & ".join(["", *groups]).strip() + r" \\",
        " ".join(rules),
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    for number, (heading, (part, names)) in enumerate(blocks.items()):
        if heading:
            lines += [r"\addlinespace"] if number else []
            lines += [rf"\multicolumn{{{1 + columns}}}{{l}}{{\textit{{{escape(heading)}}}}} \\"]
        for label, rows in part.groupby("algorithm", sort=False):
            lines += _method_rows(names[str(label)], rows.to_dict("records"), quantities)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", rf"\end{{{environment}}}", ""])


def _head(name: str) -> str:
    """Of a column: the name of the quantity, its unit if it has one that is short."""
    unit = AXES[name].unit
    return name.capitalize() if " " in unit or not unit else f"{AXES[name].title} ({unit})"


def _method_rows(
    name: str, rows: list[dict[Hashable, Any]], quantities: Sequence[str]
) -> list[str]:
    note = {"diverged": "diverged", "mixed": "mixed endings"}.get(rows[0]["status"], "")
    medians, ranges = [escape(name)], [_small(f"({note})") if note else ""]
    for row in rows:
        for quantity in quantities:
            median = row[f"{quantity}_median"]
            medians.append(cost_text(median, number))
            ranges.append(_range(row, quantity))
    lines = [" & ".join(medians) + r" \\"]
    if any(ranges):
        lines.append(" & ".join(ranges).strip() + r" \\")
    return lines


def _range(row: dict[Hashable, Any], quantity: str) -> str:
    low, high = row[f"{quantity}_p10"], row[f"{quantity}_p90"]
    count = f"({row['reached']} of {row['repeats']})"
    if row["repeats"] == 1 or row["reached"] == 0 or math.isnan(low):
        return ""
    if row["reached"] == row["repeats"]:
        return _small(_between(low, high))
    return _small(count if math.isinf(low) else f"{_between(low, high)} {count}")


def _between(low: float, high: float) -> str:
    """Two costs and a dash; a power of ten they share is written once."""
    left, right = number(low), number(high)
    mantissa, times, power = left.partition(r"\times")
    if times and right.endswith(times + power):
        return f"{mantissa}$--{right}"
    return f"{left}--{right}"


def _caption(fewest: int, most: int) -> str:
    if most <= 1:
        return "Cost to accuracy (one run)."
    repeats = f"{most}" if fewest == most else f"{fewest} to {most}"
    return (
        rf"Cost to accuracy: median over {repeats} repeats, with the 10--90\,\% range below it;"
        r" a repeat that did not reach the accuracy counts as infinite, and the number of those"
        r" that did is in brackets."
    )


def _small(text: str) -> str:
    return rf"{{\scriptsize {text}}}"


def _scientific(text: str) -> str:
    mantissa, exponent = text.split("e")
    return rf"{mantissa}\times10^{{{int(exponent)}}}"
