# SPDX-License-Identifier: MIT
"""What the site says that is written elsewhere: every variable, and the pictures of the studies.

A hook of mkdocs. Pages have marks ``<!-- NAME -->`` where text is put:

    variables   tables of `edgphys.observables.TABLE`, by role
    words       definitions that modules of the estimators hold for datasets of one kind
    kinds       the kinds of dataset, from the docstring of `edgphys.dataset.schema`
    attributes  what the schema asks for and how it is kept
    gallery     every picture of `studies/`, with the question and the commands of its study

Pictures are read where the studies keep them; nothing is copied into `docs/`.
"""

from __future__ import annotations

import ast
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

__all__ = ["TEXTS", "fill", "on_config", "on_files", "on_page_markdown", "pictures"]

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
    """The dictionary of definitions at the top of a module, without importing it."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            return ast.literal_eval(node.value)
    raise ValueError(f"{path} must hold a dictionary of definitions, got none")


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


TEXTS = {
    "variables": variables,
    "words": words,
    "kinds": kinds,
    "attributes": attributes,
    "gallery": gallery,
}


def fill(text: str) -> str:
    """A page with all its marks replaced.

    Raises
    ------
    KeyError
        If a mark is not one of those in the module docstring.
    """
    return re.sub(r"<!-- (\w+) -->", lambda mark: TEXTS[mark[1]](), text)


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
