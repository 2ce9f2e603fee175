"""What a run depends on, as digests: equal ones promise equal bytes; and whether what a result read
is still what it was.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dadao_sim
from dadao_sim import plugins
from dadao_sim.errors import InputError
from dadao_sim.files import file_digest
from dadao_sim.results.store import fingerprint
from dadao_sim.scenario.given import scenario_of
from dadao_sim.scenario.model import AlgorithmSpec, Scenario
from dadao_sim.scenario.reading import scenario_from_mapping
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


def inputs_of(scenario: Scenario) -> dict[str, str | None]:
    """The SHA-256 of every file that a scenario reads, by its name there, plug-ins as they were
    read; None where there is no file, for the run to refuse.
    """
    return {str(name): _digest(scenario, name) for name in files_named(scenario)}


def input_digest(inputs: Mapping[str, str | None]) -> str:
    """Digest of the files that a scenario reads: a result is of their content, not their names."""
    digest = hashlib.sha256()
    for content in filter(None, inputs.values()):
        digest.update(bytes.fromhex(content))
    return digest.hexdigest()


def ground_of(scenario: Scenario, inputs: Mapping[str, str | None] | None = None) -> str:
    """Digest of all that a run depends on beside its algorithm and repeat: the scenario, the
    content of its files (``inputs``; not where they lie), and this package.
    """
    inputs = inputs_of(scenario) if inputs is None else inputs
    kept = {k: v for k, v in scenario.to_mapping().items() if k not in NOT_OF_A_RUN}
    return fingerprint(by_content(kept, inputs), f"{dadao_sim.__version__} {source_digest()}")


def by_content(value: Any, inputs: Mapping[str, str | None]) -> Any:
    """Plain data of a scenario with what its files hold in the place of their names."""
    match value:
        case Mapping():
            return {name: by_content(part, inputs) for name, part in value.items()}
        case list():
            return [by_content(part, inputs) for part in value]
        case str():
            content = inputs.get(value)
            return value if content is None else f"sha256 {content}"
    return value


def scenario_as_run(manifest: Mapping[str, Any]) -> Scenario:
    """The scenario of a result, to build again what it was of.

    InputError where a file that it read is gone or has changed since. Results of older versions do
    not say what their files held, but for plug-ins.
    """
    plugins.check_unchanged(manifest.get("plugins", ()), manifest["scenario"].get("plugins", ()))
    scenario = scenario_of_result(manifest)
    inputs = inputs_of(scenario)
    if changed := changed_input(manifest, inputs):
        raise InputError("result", f"its {changed}")
    if set(manifest.get("inputs", ())) - set(inputs):
        raise InputError("result", "its scenario names other files than it was run with")
    return scenario


def scenario_of_result(manifest: Mapping[str, Any]) -> Scenario:
    """What a result is of, whatever has become of the files that it read."""
    read = scenario_of if manifest.get("given_in_python") else scenario_from_mapping
    return read(manifest["scenario"])


def changed_input(manifest: Mapping[str, Any], inputs: Mapping[str, str | None]) -> str:
    """Which file of a result is another one among ``inputs``, under the name that it had, and how;
    empty where none is. Plug-ins are such files, and go by where they are.
    """
    held = manifest.get("inputs")
    for name, content in held.items() if isinstance(held, Mapping) else ():
        if inputs.get(name, content) != content:
            how = "is gone" if inputs[name] is None else "has changed since it was run"
            return f"file {name} {how}"
    places = {str(Path(name).resolve()): content for name, content in inputs.items()}
    for plugin in manifest.get("plugins", ()):
        file, content = plugin["file"], plugin["sha256"]
        if places.get(file, content) != content:
            return f"plug-in {file} has changed since it was run"
    return ""


def asked_of(
    algorithm: AlgorithmSpec | Mapping[str, Any], inputs: Mapping[str, str | None] | None = None
) -> str:
    """Digest of an algorithm as a scenario, or the manifest of a result, has it, with what its
    files hold (``inputs``; of a scenario as they are now) in the place of their names.
    """
    if isinstance(algorithm, AlgorithmSpec):
        if inputs is None:
            files = map(Path, files_named(algorithm))
            inputs = {str(file): file_digest(file) for file in files if file.is_file()}
        algorithm = algorithm.model_dump(mode="json", exclude_none=True)
    return fingerprint(by_content(algorithm, inputs or {}), "")


def _digest(scenario: Scenario, name: str) -> str | None:
    if name in scenario.plugins:
        return plugins.loaded(name).sha256
    path = Path(name)
    return file_digest(path) if path.is_file() else None
