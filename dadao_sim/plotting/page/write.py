"""One file that says what was asked, what came of it, and how to have it again.

A page is made of parts, each with a template of its own, in their order: a comparison where there
are several results, then a section for each; that of a sweep is of all its cells. What else takes
results is one more module that returns a `Part`, and its template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dadao_sim.errors import InputError
from dadao_sim.files import SIGNATURE, FileKind, atomic_write, check_output, is_signed
from dadao_sim.plotting.page.compared import comparison_part
from dadao_sim.plotting.page.one_result import result_part
from dadao_sim.plotting.page.one_sweep import sweep_part
from dadao_sim.plotting.page.part import Part
from dadao_sim.plotting.page.ranking import number
from dadao_sim.plotting.page.surroundings import surroundings
from dadao_sim.results.result import Result
from dadao_sim.results.sweep import SweepResult

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE = FileKind((".html", ".htm"), is_signed)
MOST_BYTES = 6_000_000
SCRIPTS = ("sweep.js", "page.js")  # the second draws what the first knows how to
ROOMS = (1.0, 0.3, 0.1)  # of what there would be room for, until it all fits


def require_extra() -> None:
    """InputError unless what pages are made with is installed."""
    try:
        import jinja2
        import plotly
    except ImportError as error:
        raise InputError(
            f'report: needs {error.name}; install it with: pip install "dadao-sim[report]"'
        ) from None
    _ = jinja2, plotly


def page(results: Mapping[str, Result | SweepResult]) -> bytes:
    """The page of results and sweeps, by the names that they are told apart by: HTML that needs
    nothing else. Results, of which there are several, are compared; sweeps have sections only.

    The same results give the same bytes.

    Raises:
        InputError: no results; what pages are made with is not installed; more than fits in a page.

    """
    if not results:
        raise InputError("results", "none given", "give at least one")
    require_extra()
    ids = {name: f"r{k}" for k, name in enumerate(results)}
    single = {name: result for name, result in results.items() if isinstance(result, Result)}
    seen = {name: surroundings(result) for name, result in single.items()}
    title = " and ".join(results) if len(results) < 4 else f"{len(results)} results"
    for room in ROOMS:
        share = room / len(results)
        parts = [
            result_part(ids[name], name, result, seen[name], share)
            if isinstance(result, Result)
            else sweep_part(ids[name], name, result, share)
            for name, result in results.items()
        ]
        if len(single) > 1:
            parts.insert(0, comparison_part(single, ids))
        whole = write(title, parts)
        if len(whole) <= MOST_BYTES:
            return whole
    raise InputError(
        "results",
        f"a page of {len(whole) / 1e6:.1f} MB would come of them, and {MOST_BYTES / 1e6:g} is the "
        "most",
        "give fewer",
    )


def save_page(
    results: Mapping[str, Result | SweepResult], path: Path, *, overwrite: bool = False
) -> None:
    """Write the page of results. InputError as `page`, or for a file that may not be replaced."""
    check_output(path, PAGE, overwrite=overwrite)
    atomic_write(path, page(results))


def write(title: str, parts: Sequence[Part]) -> bytes:
    """The parts as a page."""
    from plotly.offline import get_plotlyjs

    environment = _environment()
    here = Path(__file__).parent
    return (
        environment.get_template("page.html")
        .render(
            title=title,
            signature=SIGNATURE,
            parts=parts,
            data={name: data for part in parts for name, data in part.data.items()},
            style=(here / "page.css").read_text("utf-8"),
            scripts=[(here / name).read_text("utf-8") for name in SCRIPTS],
            plotly=get_plotlyjs(),
        )
        .encode("utf-8", "backslashreplace")
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def filled(part: Part) -> Markup:
        template = environment.get_template(part.template)
        return Markup(template.render(id=part.id, **part.context))

    environment.filters["filled"] = filled
    environment.filters["embedded"] = lambda data: Markup(embedded(data))
    environment.filters["short"] = "{:g}".format
    environment.filters["number"] = number
    return environment


def embedded(data: Any) -> str:
    """Data as JSON that can stand in a script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
