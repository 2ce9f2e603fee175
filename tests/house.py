"""The floors of the package: who imports whom, read from its source.

    make house                            of this tree
    python tests/house.py PATH/dadao_sim  of another one

A room is a package (a sub-package is a room of its own) or a module that stands at the top. An
arrow goes from a room to one that it imports, be it in a function or for a type checker only. The
package's face, ``dadao_sim/__init__.py``, is no room: it imports nothing until it is asked, and
what imports it asks for the version.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx

PACKAGE = Path(__file__).resolve().parents[1] / "dadao_sim"

Module = tuple[str, ...]  # the parts of its name below the package; () is the package's face


@dataclass(repr=False)
class House:
    """Its rooms, and for each arrow the imports that make it."""

    packages: set[str]
    top: set[str]
    arrows: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    @property
    def rooms(self) -> set[str]:
        """Packages, and modules at the top."""
        return self.packages | self.top

    def graph(self) -> nx.DiGraph:
        """Rooms and arrows."""
        graph = nx.DiGraph()
        graph.add_nodes_from(sorted(self.rooms))
        graph.add_edges_from(self.arrows)
        return graph

    def circles(self) -> list[list[str]]:
        """The sets of rooms each of which can be reached from each other one."""
        components = nx.strongly_connected_components(self.graph())
        return sorted(sorted(rooms) for rooms in components if len(rooms) > 1)

    def floors(self) -> list[list[str]]:
        """Rooms by the longest chain of imports below them, lowest first; a circle shares one."""
        solid = nx.condensation(self.graph())
        height: dict[int, int] = {}
        for block in reversed(list(nx.topological_sort(solid))):
            height[block] = max((height[below] + 1 for below in solid[block]), default=0)
        floors: list[list[str]] = [[] for _ in range(max(height.values()) + 1)]
        for block, floor in height.items():
            floors[floor] += solid.nodes[block]["members"]
        return [sorted(rooms) for rooms in floors]


def read(package: Path = PACKAGE) -> House:
    """The house at ``package``."""
    sources: dict[Module, str] = {}
    packages: set[Module] = set()
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).with_suffix("").parts
        if module[-1] == "__init__":
            module = module[:-1]
            packages.add(module)
        sources[module] = path.read_text(encoding="utf-8")

    def room(module: Module) -> str:
        return ".".join(module if len(module) == 1 or module in packages else module[:-1])

    house = House(
        packages={room(module) for module in packages if module},
        top={room(module) for module in sources if len(module) == 1} - set(map(room, packages)),
    )
    for module, text in sources.items():
        for target in imported(text, package.name, set(sources)):
            if module and target and room(target) != room(module):
                line = f"{'.'.join(module)} imports {'.'.join(target)}"
                house.arrows.setdefault((room(module), room(target)), set()).add(line)
    return house


def imported(text: str, name: str, modules: set[Module]) -> Iterator[Module]:
    """Each module of the package ``name`` that a file imports."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            asked = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports of the package are absolute"
            asked = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for dotted in asked:
            package, *parts = dotted.split(".")
            if package == name:
                while tuple(parts) not in modules:  # a name in a module
                    parts.pop()
                yield tuple(parts)


def report(house: House) -> str:
    """The house in numbers, its floors from the top, and a row per room."""
    floors = house.floors()
    lines = [
        f"modules at the top  {len(house.top)}",
        f"packages            {len(house.packages)}",
        f"floors              {len(floors)}",
        f"arrows              {len(house.arrows)}",
        f"circles             {'; '.join(' <-> '.join(c) for c in house.circles()) or 'none'}",
        "",
    ]
    below: dict[str, list[str]] = {}
    for source, target in sorted(house.arrows):
        below.setdefault(source, []).append(target)
    width = max(map(len, house.rooms))
    for floor in reversed(range(len(floors))):
        for name in floors[floor]:
            lines.append(f"{floor:2d}  {name:{width}}  {', '.join(below.get(name, ['-']))}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report(read(*map(Path, sys.argv[1:]))))
