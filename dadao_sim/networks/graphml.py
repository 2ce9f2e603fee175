"""GraphML files, read and written (through networkx)."""

from pathlib import Path
from xml.etree.ElementTree import ParseError

from dadao_sim.errors import InputError
from dadao_sim.files import FileKind, atomic_write, check_output
from dadao_sim.networks.network import Network


def read_graphml(file: Path | str, rates: str | None = None) -> Network:
    """The network in a GraphML file; its name is the file's.

    Kept: node attributes ``label``, ``longitude`` and ``latitude`` (degrees; as positions), edge
    attributes ``length_km`` and, as relative rates, the one named by ``rates`` (ones if None).
    Raises InputError for a file that cannot be read or is no graph that Network takes.
    """
    import networkx as nx

    path = Path(file)
    try:
        graph = nx.read_graphml(path)
    except FileNotFoundError:
        raise InputError("file", f"there is no file {path}") from None
    except (OSError, ParseError, nx.NetworkXError, KeyError, ValueError) as error:
        raise InputError(
            "file", f"{path} is not readable as GraphML ({error})", "write it again"
        ) from None
    return Network.from_networkx(graph, rates, name=path.stem)


def _has_our_rates(path: Path) -> bool:
    with path.open("rb") as file:
        return b'attr.name="gossip_rate"' in file.read(65536)  # keys come first


GRAPHML = FileKind((".graphml",), _has_our_rates)


def write_graphml(network: Network, path: Path | str, *, overwrite: bool = False) -> None:
    """Write what ``read_graphml`` keeps, the rates as edge attribute ``gossip_rate``.

    The file appears whole or not at all. Raises InputError for a path of another suffix, and for a
    file that is none of ours, unless ``overwrite``.
    """
    import networkx as nx

    check_output(path, GRAPHML, overwrite=overwrite)
    graph = network.to_networkx()
    for _, data in graph.nodes(data=True):
        if "pos" in data:
            data["longitude"], data["latitude"] = data.pop("pos")
    text = "\n".join(nx.generate_graphml(graph)) + "\n"
    atomic_write(Path(path), text.encode())
