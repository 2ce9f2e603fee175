"""What the methods are: read off their declarations and docstrings, nothing of it said twice.

What a method asks for (its oracle, its clock, its messages) is found as the simulator finds it, by
tuning it for a small problem.
"""

import inspect
import re
import sys
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dadao_sim.algorithms.contract.method import AsynchronousMethod, Method, Tuning
from dadao_sim.algorithms.contract.options import PAPER
from dadao_sim.algorithms.contract.registry import METHODS, citation
from dadao_sim.algorithms.contract.rounds import RoundMethod
from dadao_sim.errors import InputError
from dadao_sim.local_steps.terms import make
from dadao_sim.networks import Network
from dadao_sim.problems import Problem
from dadao_sim.problems.kinds.bands import bands_problem
from dadao_sim.problems.kinds.pca import pca_problem
from dadao_sim.strict import plain, suggestion

FAMILIES = {
    "accelerated": "accelerated in mu and L, or in the network too",
    "tracking": "gradient tracking",
    "exact": "one step of gossip and a correction: x* with a fixed step",
    "inexact": "gradient descent and gossip: near x* with a fixed step",
    "local": "several local steps between gossips",
    "compressed": "messages of few bits",
    "dual": "splitting and dual methods",
    "stochastic": "made for gradients of samples",
    "projection-free": "linear minimisation over a set in the place of a projection",
    "learned": "trained end to end: layers, after which there is an answer and nothing more",
    "gossip": "averaging alone",
}
"""What the families are; one that is not here stands under its own name."""
CURVATURES = np.array([1.0, 3.0, 10.0])
"""Of the f_i of the small problem, all alike: its mu is 1 and its L 10."""
DIMENSION, NODES, SIDE = len(CURVATURES), 7, 5
L2 = 0.5
SMALL = f"the path of {NODES} nodes with mu = {CURVATURES[0]:g} and L = {CURVATURES[-1]:g}"
LOCAL_STEPS = {"none": "", "proven": "local step", "experimental": "local step (experimental)"}
ACCENTS = {"'": "\u0301", '"': "\u0308", "`": "\u0300"}
DECLARED = ("family", "oracle", "graphs", "clock", "takes", "solves")
"""What methods can be chosen by."""


def small_problem(method: Method) -> Problem:
    """One that the method takes, with every f_i of the same curvatures."""
    if method.needs_kind == "bands":
        cube = np.arange(NODES * SIDE**2).reshape(NODES, SIDE, SIDE) % 5 / 5
        return bands_problem(cube, cube, blur=0.5, mu=1.0)
    if method.needs_averaging:
        return Problem.averaging(np.arange(NODES * DIMENSION).reshape(NODES, DIMENSION) ** 1.5)
    l2 = L2 if method.needs_l2 else 0.0
    A = np.sqrt(np.diag(CURVATURES - l2) * DIMENSION / 2)
    if "convex" not in method.solves:
        return pca_problem(np.array([np.sqrt(2) * A] * NODES), 1)
    b = np.arange(NODES * DIMENSION).reshape(NODES, DIMENSION) ** 1.5
    kind = "ridge" if method.needs_l2 else "least_squares"
    problem = Problem.from_arrays(np.array([A] * NODES), b, kind, mu=l2 or None)
    if method.needs_set:
        return problem.with_local_step(make("l2_ball", DIMENSION, radius=1.0))
    return problem


def small_network() -> Network:
    """A path."""
    return Network(NODES, np.array([(k, k + 1) for k in range(NODES - 1)]))


@dataclass(frozen=True)
class Described:
    """A method, in words."""

    method: Method

    @cached_property
    def tuning(self) -> Tuning:
        """That for the small problem, with the constants of the paper."""
        problem = small_problem(self.method)
        return self.method.ready_for(problem).tune(problem, small_network())

    @property
    def oracle(self) -> str:
        """What a node computes of its own function."""
        asked = self.tuning.asked
        if self.method.samples and not isinstance(self.method, RoundMethod):
            return "step on a sample"
        parts = (asked.per_round, asked.gradient, asked.exchange)
        if not any(p.gradients for p in parts):
            return "none"
        if any(p.local_solves for p in parts):
            return "local solve"
        return "conjugate gradient" if any(p.conjugate_gradients for p in parts) else "gradient"

    @property
    def clock(self) -> str:
        """What makes its events happen."""
        rates = self.tuning.clock
        if rates is None:
            return "rounds"
        if rates.pace != "poisson":
            of_edges = "steps, nodes and edges" if rates.nodes.any() else "steps, edges"
            return {"steps": of_edges, "walk": "steps, a token"}[rates.pace]
        links = "arcs" if len(rates.arcs) else "edges"
        return f"Poisson, nodes and {links}" if rates.nodes.any() else f"Poisson, {links}"

    @property
    def message(self) -> str:
        """How many in sequence a round has, and what one holds."""
        times = self.tuning.asked.per_round.messages_in_sequence
        dimension = small_problem(self.method).dimension
        beside = self._numbers_beside
        numbers = sum(count for count, _ in beside)
        floats = (self.tuning.asked.message_bytes / 8 - numbers) / dimension
        held = (
            f"{floats:g} vector{'s' if floats != 1 else ''}"
            if floats == int(floats)
            else "compressed"
        )
        held = ", ".join([held, *(word for _, word in beside)])
        return f"{times:g} of {held}" if times > 1 else held

    @property
    def _numbers_beside(self) -> list[tuple[int, str]]:
        """What a message holds beside vectors: how many numbers, and in words."""
        if isinstance(self.method, AsynchronousMethod):
            return [(1, "a number")] * self.method.scalars
        assert isinstance(self.method, RoundMethod)
        shapes = self.method.block_shapes(small_problem(self.method).nodes, 0)
        words = dict.fromkeys((shapes[b][1] for b in self.method.widths), "n numbers")
        return [(width, "a number" if width == 1 else word) for width, word in words.items()]

    @property
    def graphs(self) -> str:
        """Whether it takes sequences of them."""
        return "time-varying" if self.method.time_varying else "fixed"

    @property
    def takes(self) -> list[str]:
        """The options that a user may choose, but for the graphs."""
        words = ["directed graphs" * self.method.directed]
        words += ["minibatches" * self.method.stochastic, LOCAL_STEPS[self.method.composite]]
        if isinstance(self.method, RoundMethod):
            kind = self.method.compression
            own = self.method.has_own_weights or self.method.server
            whole = kind == "none" and not self.method.nonnegative_weights
            words += ["mixing" * (not own), "chebyshev" * (not own and whole)]
            words += [f"compression ({kind})" * (kind != "none")]
        return list(filter(None, words))

    @property
    def solves(self) -> list[str]:
        """Which classes of problems, and which of them by experiment only."""
        return [
            what if cover == "proven" else f"{what} ({cover})"
            for what, cover in self.method.solves.items()
        ]

    @property
    def needs(self) -> list[str]:
        """What its problem must have beside that oracle."""
        method = self.method
        a_set = "a local step that is a set" + ", or a ball" * method.takes_ball
        return (
            ["an l2 term"] * method.needs_l2
            + ["the problem averaging"] * method.needs_averaging
            + [f"the problem {method.needs_kind}"] * bool(method.needs_kind)
            + [a_set] * method.needs_set
            + ["quadratic f_i"] * method.reweights
        )

    @property
    def docstring(self) -> str:
        """That of its file; of a method made elsewhere what its functions say."""
        step = getattr(self.method, "step", None)
        for function in (self.method.constants, step):
            module = sys.modules.get(getattr(function, "__module__", None) or "")
            if module is None or module.__name__ == "__main__" or not module.__doc__:
                continue
            named = (thing.name for thing in vars(module).values() if isinstance(thing, Method))
            if self.method.name in named:  # the same, or a copy that a worker was sent
                return inspect.getdoc(module) or ""
        given = {"Step": step, "Constants": self.method.constants}
        said = {heading: inspect.getdoc(function) for heading, function in given.items()}
        parts = [f"{h}\n    " + text.replace("\n", "\n    ") for h, text in said.items() if text]
        return "\n".join((f"{self.method.title}.\n", *parts))

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        return " ".join(self.docstring.partition("\n\n")[0].split())

    @property
    def sections(self) -> dict[str, str]:
        """The sections of the docstring by their headings, and what stands below them as Notes."""
        found: dict[str, list[str]] = {}
        lines = self.docstring.partition("\n\n")[2].split("\n")
        heading = "Notes"
        for k, line in enumerate(lines):
            below = lines[k + 1] if k + 1 < len(lines) else ""
            if line and not line.startswith(" "):
                starts = below.startswith("    ")
                heading = line if starts else "Notes"
                if starts:
                    found[heading] = []
                    continue
            found.setdefault(heading, []).append(line.removeprefix("    "))
        texts = {heading: "\n".join(lines).strip("\n") for heading, lines in found.items()}
        return {heading: text for heading, text in texts.items() if text}

    @property
    def guarantee(self) -> str:
        """The first sentence of its own under Guarantee, nothing where there is none."""
        text = " ".join(self.sections.get("Guarantee", "").split())
        sentences = re.split(r"(?<=\.) |(?<=;) (?=[A-Z])", text)
        of_its_own = [s for s in sentences if s.startswith(f"{self.method.title}: ")]
        chosen = (of_its_own or sentences)[0].removeprefix(f"{self.method.title}: ").rstrip(".;")
        return chosen[:1].upper() + chosen[1:]

    @property
    def reference(self) -> str:
        """Authors and year; what is no BibTeX entry stays as it is."""
        entry = citation(self.method)
        found = re.search(r"^ *author *= *\{(.+)\},$", entry, re.MULTILINE)
        if found is None:
            return entry
        names = [name.partition(",")[0] for name in _without_latex(found[1]).split(" and ")]
        year = re.search(r"^ *year *= *\{(\d+)\}", entry, re.MULTILINE)
        return f"{_in_words(names)}, {year[1] if year else 'no year'}"

    def declared(self) -> dict[str, Any]:
        """The above, for tables and for JSON."""
        return {
            "name": self.method.name,
            "title": self.method.title,
            "family": self.method.family,
            "oracle": self.oracle,
            "clock": self.clock,
            "message": self.message,
            "graphs": self.graphs,
            "takes": self.takes,
            "solves": self.solves,
            "needs": self.needs,
            "sets": {PAPER: {}, **{n: dict(s) for n, s in self.method.constant_sets.items()}},
            "guarantee": self.guarantee,
            "reference": self.reference,
        }


def chosen_methods(**wanted: str | None) -> list[Described]:
    """The methods that declare this, by the words of ``DECLARED``; all where nothing is wanted.

    A word may be written without its signs, and be the beginning of what is declared: "poisson".
    InputError for one that no method declares.
    """
    found = [Described(method) for method in METHODS.values()]
    for what, word in wanted.items():
        if word is None:
            continue
        kept = [d for d in found if any(_begins(text, word) for text in _texts(d, what))]
        if not kept:
            every = [text for m in METHODS.values() for text in _texts(Described(m), what)]
            known = list(dict.fromkeys(every))
            if not any(_begins(text, word) for text in known):
                raise InputError(what, f"unknown value {word!r}{suggestion(word, known)}")
        found = kept
    return found


def _texts(described: Described, what: str) -> list[str]:
    if what == "family":
        return [described.method.family]
    text = getattr(described, what)
    return text if isinstance(text, list) else [text]


def _begins(text: str, word: str) -> bool:
    return bool(plain(word)) and plain(text).startswith(plain(word))


def _in_words(names: list[str]) -> str:
    """A; A and B; A, B and C; of more than three the first et al."""
    if len(names) > 3:
        return f"{names[0]} et al."
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _without_latex(text: str) -> str:
    """LaTeX accents as letters."""
    letters = re.sub(r"\{\\(['\"`])(\w)\}", lambda found: found[2] + ACCENTS[found[1]], text)
    return unicodedata.normalize("NFC", letters)
