# SPDX-License-Identifier: MIT
"""What the site says that is written elsewhere: every variable, and the pictures of the studies.

A hook of mkdocs. Pages have marks ``<!-- NAME -->`` where text is put:

    variables   tables of `edgphys.observables.TABLE`, by role
    words       definitions that modules of the estimators hold for datasets of one kind
    kinds       the kinds of dataset, from the docstring of `edgphys.dataset.schema`
    attributes  what the schema asks for and how it is kept
    gallery     every picture of `studies/`, with the question and the commands of its study
    commands    the commands, from their functions
    public M    directives for the public names of the module M, each module before what it defines

Pictures are read where the studies keep them; nothing is copied into `docs/`.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the package beside this site, installed or not

from edgphys import observables  # noqa: E402
from edgphys.dataset import schema  # noqa: E402

__all__ = ["TEXTS", "fill", "names", "on_config", "on_files", "on_page_markdown", "pictures"]

_ROLES = {
    "estimate": "Estimates, in every dataset of estimates",
    "own": "Estimates that some systems have",
    "staggered": "Estimates of antiferromagnets",
    "primary": "Columns per draw only",
    "diagnostic": "Diagnostics of weights and chains",
    "ladder": "Of a ladder",
    "bridge": "Of a bridge",
    "cost": "Costs",
}
_WORDS = {
    "curve": "edgphys/estimators/curves/curve_dataset.py",
    "rungs, by MBAR": "edgphys/estimators/ladders/mbar.py",
    "rungs, by thermodynamic integration": "edgphys/estimators/ladders/thermodynamic.py",
    "rungs, entropy": "edgphys/estimators/ladders/entropy.py",
    "times": "edgphys/estimators/chains/times.py",
    "crossings": "edgphys/scaling/crossings.py",
    "collapse": "edgphys/scaling/collapse.py",
}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)])


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def variables() -> str:
    """All records of the one table, a section for each role."""
    head = ("name", "definition", "scale", "unit")
    parts = []
    roles = dict.fromkeys([*_ROLES, *(each.role for each in observables.TABLE.values())])
    for role in roles:
        title = _ROLES.get(role, role.capitalize())
        found = [each for each in observables.TABLE.values() if each.role == role]
        rows = [(f"`{one.name}`", one.definition, one.scale, _plain(one.unit)) for one in found]
        parts.append(f"## {title}\n\n{_table(head, rows)}")
    return "\n\n".join(parts)


def _plain(unit: str) -> str:
    return {r"$k_\mathrm{B}$": "k_B"}.get(unit, unit)


def words() -> str:
    """Definitions of what only datasets of one kind have, from the modules that write them."""
    parts = []
    for kind, path in _WORDS.items():
        rows = [(f"`{name}`", text) for name, text in texts_of(ROOT / path).items()]
        parts.append(f"### {kind.capitalize()}\n\n{_table(('name', 'definition'), rows)}")
    return "\n\n".join(parts)


def texts_of(path: Path) -> dict[str, str]:
    """The dictionary of definitions at the top of a module."""
    return next(value for value in _constants(path).values() if isinstance(value, dict))


def kinds() -> str:
    """The table of kinds, as the schema has it."""
    text = inspect.getdoc(schema) or ""
    return "```text\n" + inspect.cleandoc(text[text.index("    kind ") : text.index("The dim ")]) + "\n```"


def attributes() -> str:
    """Which attributes a dataset of each kind must have, and how they are kept."""
    json_attrs = ", ".join(f"`{name}`" for name in schema.JSON_ATTRS)
    rows = [(f"`{kind}`", ", ".join(f"`{name}`" for name in schema.REQUIRED[kind])) for kind in schema.KINDS]
    return f"JSON text: {json_attrs}.\n\n{_table(('kind', 'attributes it must have'), rows)}"


def pictures() -> list[Path]:
    """All pictures that studies keep."""
    return sorted(ROOT.glob("studies/*/*.png"))


def gallery() -> str:
    """Question, commands and pictures of each study that has some."""
    return "\n\n".join(_study(folder) for folder in dict.fromkeys(path.parent for path in pictures()))


def _study(folder: Path) -> str:
    text = (folder / "README.md").read_text()
    title = next(iter(re.findall(r"^# (.*)$", text, re.MULTILINE)))
    commands = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    python "))
    shown = "\n\n".join(
        f"![{folder.name}: {path.stem}]({_address(path)})" for path in pictures() if path.parent == folder
    )
    return f"## {title}\n\n```sh\n{commands}\n```\n\n{shown}\n\nFrom `studies/{folder.name}`."


def _address(path: Path) -> str:
    return f"pictures/{path.parent.name}/{path.name}"


def commands() -> str:
    """What each command does, in the first sentence of its function."""
    listed = _constants(ROOT / "edgphys" / "cli" / "app.py")["_COMMANDS"]
    rows = [(f"`edgphys {name.replace('_', '-')}`", _summary(name)) for name in listed]
    return _table(("command", "what it does"), rows)


def _summary(command: str) -> str:
    body = ast.parse((ROOT / "edgphys" / "cli" / f"{command}.py").read_text()).body
    function = next(node for node in body if isinstance(node, ast.FunctionDef) and node.name == command)
    return (ast.get_docstring(function) or "").splitlines()[0]


def public(module: str) -> str:
    """Directives of mkdocstrings for all that a module passes on, read from its source."""
    parts = []
    for origin, found in _origins(module).items():
        options = f"\n    options:\n      members: [{', '.join(found)}]" if found else ""
        parts.append(f"::: {origin}{options}")
    return "\n\n".join(parts)


def _origins(module: str) -> dict[str, list[str]]:
    """Modules that define the public names, with these; a module that is itself public without names."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = _constants(path)
    if module == "edgphys":  # names that no other page has
        homes = {name: home for name, home in found["_MEMBERS"].items() if "." in home.partition(".")[2]}
    else:
        homes = dict.fromkeys(found["__all__"], module) | _imported(path)
    origins: dict[str, list[str]] = {}
    for name, home in homes.items():
        if home == module and (path.parent / f"{name}.py").exists():
            origins[f"{home}.{name}"] = []
        else:
            origins.setdefault(home, []).append(name)
    return origins


def _imported(path: Path) -> dict[str, str]:
    """Public names that a module imports, and where from."""
    known = _constants(path)["__all__"]
    imports = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    return {one.name: str(node.module) for node in imports for one in node.names if one.name in known}


def _constants(path: Path) -> dict[str, Any]:
    """Literals at the top of a module, without importing it."""
    values = {}
    for node in ast.parse(path.read_text()).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name):
            with contextlib.suppress(ValueError):
                values[target.id] = ast.literal_eval(node.value)
    return values


TEXTS = {
    "variables": variables,
    "words": words,
    "kinds": kinds,
    "attributes": attributes,
    "gallery": gallery,
    "commands": commands,
    "public": public,
}


def fill(text: str) -> str:
    """A page with all its marks replaced.

    Raises
    ------
    KeyError
        If a mark is not one of those in the module docstring.
    """
    return re.sub(r"<!-- (\w+)((?: [\w.]+)*) -->", lambda mark: TEXTS[mark[1]](*mark[2].split()), text)


# ------------------------------------------------------------------------------- what mkdocs calls


def on_config(config: Any) -> Any:
    """Averages such as <E> are meant, no tags: there is no HTML in pages and docstrings."""
    from markdown import Extension

    class PlainText(Extension):
        def extendMarkdown(self, md: Any) -> None:
            md.preprocessors.deregister("html_block", strict=False)
            md.inlinePatterns.deregister("html", strict=False)

    config.markdown_extensions.append(PlainText())
    return config


def on_files(files: Any, config: Any) -> Any:
    """The pictures of the studies, as if they lay in the folder of the pages."""
    from mkdocs.structure.files import File

    for path in pictures():
        files.append(File.generated(config, _address(path), abs_src_path=str(path)))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    """Marks are replaced before a page is read."""
    return fill(text)


def names() -> Iterator[str]:
    """All names that the generated tables define."""
    yield from observables.TABLE
    for path in _WORDS.values():
        yield from texts_of(ROOT / path)
