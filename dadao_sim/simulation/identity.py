"""What a run depends on, as digests: equal ones promise equal bytes."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dadao_sim
from dadao_sim import plugins
from dadao_sim.results.store import fingerprint
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.strict import files_named

NOT_OF_A_RUN = ("name", "repeats", "algorithms", "report", "figures")
"""Keys of a scenario that change no run: which are made, and what is said of them."""


@cache
def source_digest() -> str:
    """Digest of the package's source: the version tells releases apart, not what is edited."""
    package = Path(dadao_sim.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def ground_of(scenario: Scenario) -> str:
    """Digest of all that a run depends on beside its algorithm and repeat: the scenario, the
    content of its files (not where they lie), and this package.
    """
    contents = {str(name): _content(scenario, name) for name in files_named(scenario)}

    def by_content(value: Any) -> Any:
        match value:
            case Mapping():
                return {name: by_content(part) for name, part in value.items()}
            case list():
                return [by_content(part) for part in value]
            case str():
                return contents.get(value, value)
        return value

    kept = {k: v for k, v in scenario.to_mapping().items() if k not in NOT_OF_A_RUN}
    return fingerprint(by_content(kept), f"{dadao_sim.__version__} {source_digest()}")


def asked_of(algorithm: AlgorithmSpec | Mapping[str, Any]) -> str:
    """Digest of an algorithm as a scenario, or the manifest of a result, has it."""
    if isinstance(algorithm, AlgorithmSpec):
        algorithm = algorithm.model_dump(mode="json", exclude_none=True)
    return fingerprint(algorithm, "")


def _content(scenario: Scenario, name: str) -> str:
    """The digest of a file; its name where there is none, for the run to refuse."""
    if name in scenario.plugins:
        return f"sha256 {plugins.loaded(name).sha256}"
    path = Path(name)
    return f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else name
