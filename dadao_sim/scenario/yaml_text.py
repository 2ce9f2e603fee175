"""YAML 1.2 into plain data, within bounds: no text takes all time or memory, however it is made.

A few hundred bytes can stand for billions of values, by aliases of aliases or merges of merges. So
values are counted as they stand at the end, each alias for all that it stands for, before any of
them is made. Long lists of numbers, one per node of a large network, are read at once.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.main import DocInfo
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tokens import ScalarToken

MOST_BYTES = 2**23
"""Of a file, and MOST_CHARACTERS of them outside long lists of numbers."""
MOST_CHARACTERS = 300_000
MOST_VALUES = 10_000
"""Values, keys and items, of a whole document; MOST_NUMBERS in long lists of numbers."""
MOST_NUMBERS = 500_000
MOST_DEPTH = 50

LONG = 200
"""Characters from which on a list of numbers is read at once."""
_NUMBER = r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_NUMBERS = re.compile(rf"\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER})*+\s*\]")
_LISTS = re.compile(r"\[[\s0-9.,eE+-]*\]")
_AT_ONCE = "numbers"
"""The style of a scalar that is a whole list; YAML's own styles are quotes, | and >."""


class TooLarge(MarkedYAMLError):
    """More than a scenario can be."""


class NoValue(MarkedYAMLError):
    """A value that is none of its kind, such as the 30th of February."""


@dataclass(frozen=True)
class Document:
    """The one document in a text: its node, and how its data are made."""

    node: Node
    constructor: SafeConstructor

    def data(self) -> Any:
        """Plain data. Raises NoValue and other YAMLErrors."""
        return self.constructor.construct_document(self.node)


def parse(text: str) -> Document | None:
    """The document in ``text``, None where there is none.

    Raises TooLarge beyond the bounds, other YAMLErrors for what is no YAML.
    """
    _check_length(text)
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Composer, yaml.Constructor = _Scanner, _Composer, _Constructor
    yaml.composer.warn_double_anchors = False  # legal YAML: the later one counts
    yaml.doc_infos.append(DocInfo())  # where %YAML and %TAG are noted
    constructor, _ = yaml.get_constructor_parser(text)
    node = constructor.composer.get_single_node()
    if node is None:
        return None
    _check_expanded(node)
    return Document(node, constructor)


def _check_length(text: str) -> None:
    outside = len(text) if len(text) <= MOST_CHARACTERS else len(_LISTS.sub("", text))
    if outside > MOST_CHARACTERS:
        raise TooLarge(
            problem=f"{outside:,} characters beside lists of numbers; at most "
            f"{MOST_CHARACTERS:,} are read",
        )


class _Scanner(Scanner):
    """Makes one token of a long list of numbers; two escapes may be one character, as in JSON."""

    def scan_flow_scalar_non_spaces(self, double: Any, start_mark: Any) -> Any:
        """Pieces of what is in quotes."""
        try:
            pieces = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (ValueError, OverflowError):
            problem = "found an escape that is no character"
            raise ScannerError(None, None, problem, self.reader.get_mark()) from None
        halves = "".join(pieces).encode("utf-16", "surrogatepass")
        return [halves.decode("utf-16", "surrogatepass")]

    def fetch_flow_sequence_start(self) -> None:
        """A list of anything, or of many numbers."""
        buffer, pointer = self.reader.buffer, self.reader.pointer
        end = buffer.find("]", pointer) + 1
        found = _NUMBERS.fullmatch(buffer, pointer, end) if end - pointer > LONG else None
        if found is None:
            super().fetch_flow_sequence_start()
            return
        self.save_possible_simple_key()
        self.allow_simple_key = False
        start = self.reader.get_mark()
        self.reader.forward(end - pointer)
        stop = self.reader.get_mark()
        self.tokens.append(ScalarToken(found[0], False, start, stop, style=_AT_ONCE))


class _Composer(Composer):
    """Counts as it goes: a text of a million values is given up after the first ones."""

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.values = self.level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node."""
        self.values += 1
        self.level += 1
        mark = self.parser.peek_event().start_mark
        if self.values > MOST_VALUES:
            raise TooLarge(problem=f"more than {MOST_VALUES:,} values", problem_mark=mark)
        if self.level > MOST_DEPTH:
            raise TooLarge(problem=f"nested more than {MOST_DEPTH} deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        return node


class _Constructor(SafeConstructor):
    """Makes lists of numbers at once, and says of what is no value where it is."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        """The value of a node."""
        if getattr(node, "style", None) == _AT_ONCE:
            return [_number(text) for text in node.value[1:-1].split(",")]
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, ArithmeticError) as error:
            problem = str(error).partition(";")[0]  # Python goes on with how to change itself
            raise NoValue(problem=problem, problem_mark=node.start_mark) from None


def _number(text: str) -> int | float:
    whole = text.strip().lstrip("-").isdecimal()
    return int(text) if whole else float(text)


def _check_expanded(root: Node) -> None:
    """TooLarge for more values, numbers or levels than there may be, aliases written out."""
    known: dict[int, tuple[int, int, int]] = {}
    open_nodes: set[int] = set()

    def measure(node: Node) -> tuple[int, int, int]:
        """Values, numbers and levels of what a node stands for."""
        if id(node) in known:
            return known[id(node)]
        if id(node) in open_nodes:
            raise TooLarge(problem="a part that contains itself", problem_mark=node.start_mark)
        open_nodes.add(id(node))
        children: list[Node] = []
        if isinstance(node, SequenceNode):
            children = node.value
        elif isinstance(node, MappingNode):
            children = [child for pair in node.value for child in pair]
        parts = [measure(child) for child in children]
        numbers = node.value.count(",") + 1 if _is_list_of_numbers(node) else 0
        values = 1 + sum(part[0] for part in parts)
        numbers += sum(part[1] for part in parts)
        levels = 1 + max((part[2] for part in parts), default=0)
        for what, found, most in (
            ("values", values, MOST_VALUES),
            ("numbers in lists", numbers, MOST_NUMBERS),
            ("levels", levels, MOST_DEPTH),
        ):
            if found > most:
                text = f"{found:,} {what}, with aliases written out; at most {most:,} are read"
                raise TooLarge(problem=text, problem_mark=node.start_mark)
        open_nodes.remove(id(node))
        known[id(node)] = values, numbers, levels
        return known[id(node)]

    measure(root)


def _is_list_of_numbers(node: Node) -> bool:
    if not (isinstance(node, ScalarNode) and node.style == _AT_ONCE):
        return False
    if not str(node.tag).endswith(":str"):  # what a scalar that is not plain has without a tag
        raise TooLarge(problem="a tag on a long list of numbers", problem_mark=node.start_mark)
    return True


def written(data: Mapping[str, Any]) -> str:
    """Plain data as YAML, which `parse` reads as equal to it; keys in their order."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 100
    yaml.dump(dict(data), text)
    return text.getvalue()
