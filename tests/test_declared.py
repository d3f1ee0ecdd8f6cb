# SPDX-License-Identifier: MIT
"""Systems and methods declare, nobody probes: outside `edgphys.systems` no code asks what something is.

Forbidden, found in the syntax trees of all product files:

    isinstance, issubclass, type(x) is C    with C a class of systems
    hasattr, getattr(x, "name", ..)         an attribute that may be missing
    x.family == "ising" and the like        comparison of a text, or of several with `in`, with x.family,
                                            x.geometry, x.name, or a variable method, algorithm or decoder

Names read from a list, as in ``getattr(options, field.name)``, are no probing, and neither is a table by
family or name. What else is allowed stands in `ALLOWED`, with the reason.
"""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import edgphys
from edgphys import systems

ROOT = Path(edgphys.__file__).parent
CLASSES = {name for name in systems.__all__ if inspect.isclass(getattr(systems, name))}
CLASSES = {name for name in CLASSES if issubclass(getattr(systems, name), systems.AbstractSystem)}
CLASSES |= {"AbstractParticleSystem", "GaussianPath"}
ASKED = {"family", "geometry", "name"}
NAMED = {"method", "algorithm", "decoder"}

ALLOWED = {
    ("_files.py", "os.name == 'nt'"): "the operating system",
    ("cli/app.py", "getattr(error, '__notes__', [])"): "notes are there once one was added",
    ("estimators/comparison/mmd.py", "self.name == 'polynomial'"): "a kernel of two, named by the caller",
    (
        "estimators/profiles/averages.py",
        "getattr(coordinate, '__name__', otherwise)",
    ): "any callable",
    (
        "estimators/profiles/boltzmann_inversion.py",
        "getattr(value, 'ndim', None)",
    ): "a number or an array of one",
}


def test_nobody_probes():
    found = [
        (str(path.relative_to(ROOT)), line, what)
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] != "systems"
        for line, what in probes(path.read_text())
    ]
    wrong = [f"{file}:{line}: {what}" for file, line, what in found if (file, what) not in ALLOWED]
    assert not wrong, "\n".join(wrong)
    unused = set(ALLOWED) - {(file, what) for file, _, what in found}
    assert not unused, f"allowed, but not there any more: {unused}"


def probes(source: str) -> list[tuple[int, str]]:
    """Line and text of every probe in a source."""
    return [
        (node.lineno, ast.unparse(node))
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Call) and _asks(node)) or (isinstance(node, ast.Compare) and _compares(node))
    ]


def _asks(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    if name in ("isinstance", "issubclass"):
        return bool(CLASSES & _names(call.args[1]))
    text = len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
    return name == "hasattr" or (name == "getattr" and text)


def _compares(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
        return any(isinstance(side, ast.Call) and _names(side.func) == {"type"} for side in sides) and bool(
            CLASSES & set().union(*map(_names, sides))
        )
    asked = any(
        (isinstance(side, ast.Attribute) and side.attr in ASKED)
        or (isinstance(side, ast.Name) and side.id in NAMED)
        for side in sides
    )
    return asked and any(_is_text(side) for side in sides)


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(_is_text, node.elts))
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _names(node: ast.expr) -> set[str]:
    attributes = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
    return attributes | {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(system, Ising)",
        "isinstance(system, (Phi4, systems.Potential))",
        "type(system) is Ising",
        "hasattr(system, 'kernel')",
        "getattr(system, 'easy_parameters', {})",
        "system.family != 'continuous'",
        "self.system.geometry in ('lattice', 'particles')",
        "method == 'edg'",
        "'exact' != method",
        "sampler.name == 'hmc'",
    ],
)
def test_a_probe_is_found(source):
    assert probes(f"if {source}:\n    pass") == [(1, source)]


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(x, torch.Tensor)",
        "getattr(options, field.name)",
        "sampler.family == system.family",
        "TABLE[system.family]",
        "method in known",
        "kind == 'samples'",
        "system.kernel is None",
    ],
)
def test_what_is_no_probe_is_not_found(source):
    assert not probes(f"if {source}:\n    pass")
