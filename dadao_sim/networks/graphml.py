"""GraphML files: read by the rules of the format, refused where they hold more than one simple
graph, and written through networkx.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.parsers import expat

from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, as_path, atomic_write, check_output
from dadao_sim.networks.convert import (
    Declared,
    as_one_network,
    digraph_of,
    network_of,
    strongly_connected,
    to_directed_networkx,
)
from dadao_sim.networks.directed import Digraph
from dadao_sim.networks.ids import in_quotes
from dadao_sim.networks.network import Network

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
DEEPEST = 64  # elements within elements; a graph needs four, the drawings of editors some more
ELEMENTS = ("graphml", "desc", "key", "default", "graph", "node", "edge", "data")
TYPES = ("boolean", "int", "long", "float", "double", "string")
REFUSED = {
    "port": ("it has ports", "leave them out; edges join nodes"),
    "hyperedge": ("it has a hyperedge", "an edge joins two nodes"),
    "endpoint": ("it has a hyperedge", "an edge joins two nodes"),
    "locator": ("it has parts in other files", "write the graph into one"),
}


def read_graphml(file: Path | str, rates: str | None = None) -> Any:
    """The network in a GraphML file, a Network or, where its edges are directed, a DirectedNetwork;
    its name is the file's, its nodes' ids are the file's.

    Kept: node attributes ``label``, ``longitude`` and ``latitude`` (degrees; as positions), edge
    attributes ``length_km``, others that are numbers, and, as relative rates, the one named by
    ``rates`` (ones if None), which arcs have none of.
    Raises InputError, which names the file, for one that cannot be read or is no graph that
    Network or DirectedNetwork takes.
    """
    path, declared = _read(file)
    with _of_file(path):
        if not declared.directed:
            return network_of(declared, rates, path.stem)
        if rates is not None:
            right = "gossip rates are of undirected edges, leave them out"
            raise InputError(f"the graph is directed; {right}")
        return strongly_connected(digraph_of(declared, path.stem))


def read_graph(file: Path | str) -> Network | Digraph:
    """The same of a graph of a sequence: a directed one alone need not be strongly connected."""
    path, declared = _read(file)
    with _of_file(path):
        if declared.directed:
            return digraph_of(declared, path.stem)
        return network_of(declared, None, path.stem)


def _read(file: Path | str) -> tuple[Path, Declared]:
    path = as_path("file", file)
    content = _content(path)
    if path.suffix in (".yaml", ".yml"):
        right = "name the GraphML file of its network"
        raise InputError("file", f"{path} is a scenario, no GraphML file", right)
    with _of_file(path):
        return path, _Document().read(content)


@contextmanager
def _of_file(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError("file", f"{path}: {error}") from None


ARCS = "<!-- arcs of dadao-sim -->"
"""What tells our files of directed networks, which have no rates, from others."""


def _has_our_rates(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(65536)  # keys come first
    return b'attr.name="gossip_rate"' in head or ARCS.encode() in head


GRAPHML = FileKind((".graphml",), _has_our_rates)


def write_graphml(network: Network | Digraph, path: Path | str, *, overwrite: bool = False) -> None:
    """Write what ``read_graphml`` keeps, the nodes by their ids, the rates as edge attribute
    ``gossip_rate``, or the arcs of a directed network.

    The file appears whole or not at all. Raises InputError for a path of another suffix, and for a
    file that is none of ours, unless ``overwrite``.
    """
    import networkx as nx

    directed = isinstance(network, Digraph)
    if not isinstance(network, Digraph):
        network = as_one_network(network)
    check_output(path, GRAPHML, overwrite=overwrite)
    graph = to_directed_networkx(network) if isinstance(network, Digraph) else network.to_networkx()
    for _, data in graph.nodes(data=True):
        if "pos" in data:
            data["longitude"], data["latitude"] = data.pop("pos")
    text = "\n".join(nx.generate_graphml(graph)) + "\n"
    if directed:
        text = text.replace("\n", f"\n{ARCS}\n", 1)
    atomic_write(Path(path), text.encode())


def _content(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise InputError("file", f"{path} is no regular file", "name a GraphML file")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("file", f"there is no file {path}{_beside(path)}") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError("file", f"{path} cannot be read ({reason})") from None


def _beside(path: Path) -> str:
    """The file that may be meant: one of the same folder whose name is near."""
    import difflib

    folder = path.parent
    there = sorted(folder.glob("*.graphml")) if folder.is_dir() else []
    by_stem = {file.stem: file for file in there}
    near = difflib.get_close_matches(path.stem, by_stem, n=1, cutoff=0.5)
    return f"; did you mean {by_stem[near[0]]}?" if near else ""


def _wrong(what: str, wrong: str, right: str = "") -> InputError:
    """The error of the node or edge ``what``, of the file as a whole where it is empty."""
    if what:
        return InputError(what, wrong, right)
    return InputError(f"{wrong}; {right}" if right else wrong)


def _two_defaults(name: str) -> InputError:
    return InputError(f"attribute {in_quotes(name)}", "it has two defaults", "leave one")


class _Document:
    """What a GraphML file declares, gathered element by element."""

    def __init__(self) -> None:
        self.open: list[str] = []  # names of the elements around; "" for what is not GraphML's
        self.keys: dict[str, dict[str, str]] = {}
        self.defaults: dict[str, str] = {}
        self.graphs = 0
        self.directed = False
        self.nodes: dict[str, dict[str, Any]] = {}
        self.ends: list[tuple[str, str]] = []
        self.of_edges: list[dict[str, Any]] = []
        self.holder: dict[str, Any] = {}  # the attributes of the node or edge around
        self.what = ""  # the node or edge around, as messages call it
        self.key = ""  # of the <data> or <default> around
        self.text: list[str] | None = None

    def read(self, content: bytes) -> Declared:
        """The graph. InputError for what is no GraphML, or more than one simple graph."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(content, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise _wrong(
                self.what, f"not readable as GraphML ({error})", "write it again"
            ) from None
        if not self.graphs:
            raise _wrong("", "not readable as GraphML (no graph in it)", "write it again")
        return self._declared()

    def _declared(self) -> Declared:
        place = {name: k for k, name in enumerate(self.nodes)}
        for ends in self.ends:
            for end in ends:
                if end not in place:
                    edge = ("->" if self.directed else "-").join(map(in_quotes, ends))
                    raise InputError(
                        f"edge {edge}", f"no <node> has the id {in_quotes(end)}", "declare it"
                    )
        for_nodes, for_edges = self._all_defaults("node"), self._all_defaults("edge")
        return Declared(
            ids=list(self.nodes),
            nodes=[{**for_nodes, **data} for data in self.nodes.values()],
            edges=[(place[u], place[v]) for u, v in self.ends],
            of_edges=[{**for_edges, **data} for data in self.of_edges],
            directed=self.directed,
        )

    def _all_defaults(self, kind: str) -> dict[str, str]:
        """The attributes that nodes or edges have where they say nothing."""
        values: dict[str, str] = {}
        for key, value in self.defaults.items():
            name = self.keys[key]["attr.name"]
            here = name and self.keys[key]["for"] in (kind, "all")
            if here and values.setdefault(name, value) != value:
                raise _two_defaults(name)
        return values

    # ---- what the parser calls ------------------------------------------------------------------

    def _entity(self, name: str, *_: Any) -> None:
        raise _wrong(self.what, f"it declares the entity {in_quotes(name)}", "write it without")

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        ours = namespace in ("", NAMESPACE)
        if not self.open and not (ours and local == "graphml"):
            wrong = f"not readable as GraphML (it begins with <{in_quotes(local)[1:-1]}>)"
            raise _wrong(self.what, wrong, f'it must be <graphml xmlns="{NAMESPACE}">')
        if len(self.open) >= DEEPEST:
            raise _wrong(self.what, f"it has more than {DEEPEST} elements within each other")
        around = self.open[-1] if self.open else ""
        within_data = "data" in self.open or "default" in self.open
        if within_data or not ours:
            # What editors draw with; of it only the label that stands beside a node is of use.
            if local == "NodeLabel" and self.open.count("node") == 1:
                self.text = []
            elif self.text is not None:  # then what it holds is neither a number nor a name
                self.text.append(f"<{local}>")
            self.open.append(f" {local}")
            return
        if local not in ELEMENTS and local not in REFUSED:
            raise _wrong(self.what, f"<{in_quotes(local)[1:-1]}> is no element of GraphML")
        if local in REFUSED:
            raise _wrong(self.what, *REFUSED[local])
        self.open.append(local)
        handler = getattr(self, f"_start_{local}", None)
        if handler is not None:
            handler(around, attributes)

    def _end(self, _: str) -> None:
        name = self.open.pop()
        if name in ("node", "edge"):
            self.holder, self.what = {}, ""
        if self.text is None:
            return
        value = "".join(self.text).strip()
        if name == " NodeLabel":
            self.holder.setdefault("label", value)
        elif name == "default":
            if self.defaults.setdefault(self.key, value) != value:
                raise _two_defaults(self.keys[self.key]["attr.name"] or self.key)
        elif name == "data":
            self._keep(value)
        else:
            return
        self.text = None

    def _keep(self, value: str) -> None:
        name = self.keys[self.key]["attr.name"]
        if name in self.holder:
            raise _wrong(self.what, f"it has the attribute {in_quotes(name)} twice")
        self.holder[name] = value

    # ---- the elements ---------------------------------------------------------------------------

    def _start_key(self, around: str, attributes: dict[str, str]) -> None:
        key, name = attributes.get("id"), attributes.get("attr.name", "")
        kind, data_type = attributes.get("for", "all"), attributes.get("attr.type", "string")
        if key is None:
            raise _wrong(self.what, "a <key> has no id")
        if key in self.keys:
            raise _wrong(self.what, f"two <key> have the id {in_quotes(key)}")
        if data_type not in TYPES:
            raise InputError(
                f"attribute {in_quotes(name or key)}",
                f"its type {in_quotes(data_type)} is unknown",
                f"use one of {', '.join(TYPES)}",
            )
        self.keys[key] = {"attr.name": name, "for": kind}
        self.key = key

    def _start_default(self, around: str, attributes: dict[str, str]) -> None:
        self.text = [] if around == "key" else None

    def _start_graph(self, around: str, attributes: dict[str, str]) -> None:
        if around != "graphml":
            raise _wrong(self.what, "a graph lies within it", "give one flat graph")
        self.graphs += 1
        if self.graphs > 1:
            raise _wrong(self.what, "it holds more than one graph", "give each a file of its own")
        direction = attributes.get("edgedefault", "undirected")
        if direction not in ("directed", "undirected"):
            wrong = f"edgedefault is {in_quotes(direction)}"
            raise _wrong(self.what, wrong, "it must be directed or undirected")
        self.directed = direction == "directed"

    def _start_node(self, around: str, attributes: dict[str, str]) -> None:
        if around != "graph":
            raise _wrong(self.what, "a <node> stands outside the graph")
        name = attributes.get("id")
        if name is None:
            raise _wrong(self.what, "a <node> has no id", f"it is number {len(self.nodes) + 1}")
        if name in self.nodes:
            raise _wrong(self.what, f"two nodes have the id {in_quotes(name)}", "give each its own")
        self.holder = self.nodes[name] = {}
        self.what = f"node {in_quotes(name)}"

    def _start_edge(self, around: str, attributes: dict[str, str]) -> None:
        if around != "graph":
            raise _wrong(self.what, "an <edge> stands outside the graph")
        source, target = attributes.get("source"), attributes.get("target")
        if source is None or target is None:
            number = len(self.ends) + 1
            raise _wrong(self.what, f"edge number {number} has no source or no target", "name both")
        self.what = f"edge {in_quotes(source)}-{in_quotes(target)}"
        default = "true" if self.directed else "false"
        if attributes.get("directed", default) != default:
            if self.directed:
                right = "write it as two, one each way"
                raise _wrong(self.what, "it is undirected, and the graph is directed", right)
            right = 'write edgedefault="directed", and each of its edges one way'
            raise _wrong(self.what, "it is directed, and the graph is undirected", right)
        if "sourceport" in attributes or "targetport" in attributes:
            raise _wrong(self.what, *REFUSED["port"])
        self.ends.append((source, target))
        self.holder = {}
        self.of_edges.append(self.holder)

    def _start_data(self, around: str, attributes: dict[str, str]) -> None:
        if around not in ("node", "edge"):
            return  # of the graph or the file as a whole
        key = attributes.get("key")
        if key is None or key not in self.keys:
            named = (
                "no key" if key is None else f"the key {in_quotes(key)}, which no <key> declares"
            )
            raise _wrong(self.what, f"its <data> has {named}")
        if self.keys[key]["for"] not in (around, "all"):
            wrong = f"its <data> has the key {in_quotes(key)}, which is for {self.keys[key]['for']}"
            raise _wrong(self.what, wrong)
        if self.keys[key]["attr.name"]:
            self.key, self.text = key, []
