"""What of the documentation is written by the program itself: the reference, and pages from above.

`make docs` builds the site. The pages of the reference are made from docstrings, the schema of a
scenario, the help of the commands and the declarations of the methods, so that none can lag. The
notebooks are pages with what is stored in them; that it is what they show is tested.
"""

import base64
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import dadao_sim
from dadao_sim.algorithms.contract.registry import METHODS, citation
from dadao_sim.cli.main import app
from dadao_sim.reports.methods import Described
from dadao_sim.scenario.reading import schema

ROOT = Path(__file__).resolve().parents[1]
ABOVE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "plots/README.md": "plots/gallery.md",
}
"""Pages that lie above the folder of the documentation, and their places in the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and the pictures of those from above."""
    pages = {place: (ROOT / source).read_text("utf-8") for source, place in ABOVE.items()}
    pages |= {
        "reference/python.md": python_page(),
        "reference/scenario.md": scenario_page(),
        "reference/commands.md": commands_page(),
        "reference/methods.md": methods_page(),
    }
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    for notebook in sorted((ROOT / "docs" / "notebooks").glob("*.ipynb")):
        place = f"notebooks/{notebook.stem}"
        page, pictures = notebook_page(notebook)
        files.append(File.generated(config, f"{place}.md", content=page))
        for number, content in enumerate(pictures):
            files.append(File.generated(config, f"{place}-{number}.png", content=content))
    for picture in sorted((ROOT / "plots").glob("*.png")):
        place = f"plots/{picture.name}"
        files.append(File.generated(config, place, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where pages are in the site; files that are none lose theirs."""
    here = page.file.src_uri
    source = {place: name for name, place in ABOVE.items()}.get(here, f"docs/{here}")

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found["text"], found["target"], found["anchor"] or ""
        if "://" in target or not target or here.startswith("reference/"):
            return found[0]
        path = (ROOT / source).parent.joinpath(target).resolve()
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else target
        if name in ABOVE:
            place = ABOVE[name]
        elif name.startswith("docs/") and path.is_file():
            place = re.sub(r"\.ipynb$", ".md", name.removeprefix("docs/"))
        elif name.startswith("plots/") and path.suffix == ".png":
            place = name
        elif path.exists():  # a file of the repository that is no page
            return text
        else:
            return found[0]  # leads nowhere: an error
        up = "../" * here.count("/")
        return f"{found['bang']}[{text}]({up}{place}{anchor})"

    pattern = r"(?P<bang>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)"
    return re.sub(pattern, link, markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Roles of Sphinx, in docstrings, as the code that they are."""
    return re.sub(r":(?:attr|class|func|meth|mod):(?=<code>)", "", html).replace(
        "<code>~", "<code>"
    )


def notebook_page(path: Path) -> tuple[str, list[bytes]]:
    """A notebook with what is stored in it, as Markdown, and its pictures."""
    lines: list[str] = []
    pictures: list[bytes] = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            continue
        lines += ["```python", source, "```", ""]
        for output in cell["outputs"]:
            data = {kind: "".join(parts) for kind, parts in output.get("data", {}).items()}
            if "image/png" in data:
                lines += [f"![What it draws]({path.stem}-{len(pictures)}.png)", ""]
                pictures.append(base64.b64decode(data["image/png"]))
            elif "text/html" in data:
                lines += [_as_of_the_site(data["text/html"]), ""]
            else:
                text = data.get("text/plain") or "".join(output["text"])
                lines += ["```text", text.rstrip(), "```", ""]
    lines += [f'<a href="../{path.name}" download>This page as a notebook</a>']
    return "\n".join(lines), pictures


def _as_of_the_site(html: str) -> str:
    """A table that looks like the others, without the style of pandas."""
    html = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    html = html.replace(' border="1" class="dataframe"', "")
    return "".join(line.strip() for line in html.splitlines())


def python_page() -> str:
    """Every public name, from its docstring."""
    lines = ["# Python", "", "What `import dadao_sim` gives.", ""]
    for name in dadao_sim.__all__:
        if name in dadao_sim._HOMES:
            lines += [f"::: dadao_sim.{dadao_sim._HOMES[name]}.{name}", ""]
    return "\n".join(lines)


def commands_page() -> str:
    """Every command, from its help."""
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group) or hasattr(group, "commands")
    lines = ["# Commands", ""]
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        usage = " ".join(_usage(command))
        lines += [f"## {name}", "", f"    dadao-sim {name} {usage}", "", _text(command.help), ""]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        if options:
            lines += ["| option | what it does | default |", "|---|---|---|"]
            lines += [
                f"| {_option(o)} | {_cell(getattr(o, 'help', ''))} | {_default(o)} |"
                for o in options
            ]
            lines.append("")
        examples = (command.epilog or "").split("\n\n")[1:]
        lines += ["Examples:", "", *(f"    {example}" for example in examples), ""]
    return "\n".join(lines)


def _usage(command: Any) -> Iterator[str]:
    for param in command.params:
        if param.param_type_name == "argument":
            name = param.metavar or param.name.upper()
            yield name if param.required else f"[{name}]"
    yield "[OPTIONS]"


def _option(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"`{names}`" + (f" {option.metavar}" if option.metavar else "")


def _default(option: Any) -> str:
    default = option.default
    if default is None or default is False or callable(default) or default == ():
        return ""
    return f"`{getattr(default, 'value', default)}`"


def scenario_page() -> str:
    """Every key of a scenario, from its schema."""
    whole = schema()
    lines = ["# Keys of a scenario", "", whole["description"], ""]
    lines += [*_table(whole), ""]
    for name, part in whole["$defs"].items():
        if "properties" in part:
            lines += [f"## {name}", "", _text(part.get("description")), "", *_table(part), ""]
    return "\n".join(lines)


def _table(part: dict[str, Any]) -> list[str]:
    required = set(part.get("required", ()))
    lines = ["| key | what it says | values | default |", "|---|---|---|---|"]
    for name, key in part["properties"].items():
        default = "needed" if name in required else _json(key.get("default"))
        said = _cell(key.get("description", ""))
        lines.append(f"| `{name}` | {said} | {_cell(_values(key))} | {default} |")
    return lines


def _values(key: dict[str, Any]) -> str:
    """What a key can be, in words."""
    if "$ref" in key:
        name = key["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for kind in ("anyOf", "oneOf", "allOf"):
        if kind in key:
            return " or ".join(dict.fromkeys(map(_values, key[kind])))
    if "const" in key:
        return f"`{key['const']}`"
    if "enum" in key:
        return ", ".join(f"`{value}`" for value in key["enum"])
    if key.get("type") == "array":
        return f"list of {_values(key['items'])}" if "items" in key else "list"
    return str(key.get("type", "anything"))


def _json(default: Any) -> str:
    return "" if default in (None, {}, []) or isinstance(default, dict | list) else f"`{default}`"


def methods_page() -> str:
    """Every method: its equations and its reference, from its file."""
    lines = ["# Equations of the methods", ""]
    for method in METHODS.values():
        home = sys.modules[method.constants.__module__]
        said = Described(method).docstring
        lines += [f"## {method.title}", "", f"`{method.name}`, `{home.__name__}`", ""]
        lines += ["```text", said, "```", ""]
        lines += ["```bibtex", citation(method).strip(), "```", ""]
    return "\n".join(lines)


def _text(text: str | None) -> str:
    return inspect.cleandoc(text or "")


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("|", "\\|").replace("<", "&lt;").split())
