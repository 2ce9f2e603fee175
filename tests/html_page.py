"""What a page says, read by Python's own parser: tables, data, addresses."""

import json
from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"meta", "link", "br", "input", "img", "hr"}


class Cell(NamedTuple):
    text: str  # that of small print aside
    small: str
    attributes: dict


class Table(NamedTuple):
    within: list[dict]  # the attributes of what it stands in, outermost first
    rows: list  # lists of cells
    of_rows: list  # the attributes of each


class Page(HTMLParser):
    """``tables`` by their class, ``data`` by id, ``scripts`` and ``styles``, ``elements`` (tag and
    attributes), and the ``text`` outside of scripts.
    """

    def __init__(self, content):
        super().__init__(convert_charrefs=True)
        self.tables, self.data, self.scripts, self.elements = {}, {}, [], []
        self.text, self._open, self._table = "", [], None
        self.feed(content.decode())
        assert not self._open

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag == "table":
            within = [of for _, of in self._open]
            self._table = Table(within, [], [])
            self.tables.setdefault(attributes.get("class"), []).append(self._table)
        elif tag == "tr":
            self._table.rows.append([])
            self._table.of_rows.append(attributes)
        elif tag in ("td", "th"):
            self._table.rows[-1].append(Cell("", "", attributes))
        elif tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_endtag(self, tag):
        last, attributes = self._open.pop()
        assert last == tag
        if tag == "table":
            self._table = None
        elif tag == "script" and attributes.get("type") == "application/json":
            self.data[attributes["id"]] = json.loads(self.scripts[-1])

    def handle_data(self, data):
        tags = [tag for tag, _ in self._open]
        if "script" in tags:
            self.scripts[-1] += data
        elif "style" not in tags:
            self.text += data
            if "td" in tags or "th" in tags:
                cells = self._table.rows[-1]
                cell = cells[-1]
                if "small" in tags:
                    cells[-1] = cell._replace(small=cell.small + data.strip())
                else:
                    cells[-1] = cell._replace(text=(cell.text + data).strip())

    def table(self, kind, **within):
        """The only table of a class, in what has these data attributes."""
        (found,) = (
            table
            for table in self.tables[kind]
            if all(
                any(of.get(f"data-{name}") == value for of in table.within)
                for name, value in within.items()
            )
        )
        return found
