# SPDX-License-Identifier: MIT
"""``--observable module:function``: observables of one's own, from modules also in the current folder."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgphys.errors import EdgphysError

if TYPE_CHECKING:
    from edgphys.systems.own_observables import OwnObservable

__all__ = ["Observables", "read_observables"]

Observables = Annotated[
    list[str] | None,
    typer.Option(
        "--observable",
        metavar="MODULE:FUNCTION",
        help="Measure a function of configurations too, or what ep.observable made of one, from a module "
        "that is installed or in the current folder; repeat.",
    ),
]


def read_observables(texts: list[str] | None) -> tuple[OwnObservable, ...]:
    """What the texts name.

    Raises
    ------
    ValueError
        If there is no such module or function, the module fails, or the name of an observable is taken.
    """
    if not texts:
        return ()
    from edgphys.systems.own_observables import as_observables

    found = []
    for text in texts:
        try:
            (one,) = as_observables([_named(text)])
        except EdgphysError as error:
            raise ValueError(f"--observable {text}: {error}") from error
        if one.name in [other.name for other in found]:
            raise ValueError(f"--observable must name an observable once, got {one.name!r} twice")
        found.append(one)
    return tuple(found)


def _named(text: str) -> Any:
    module, colon, name = text.partition(":")
    if not (colon and name and all(part.isidentifier() for part in module.split("."))):
        raise ValueError(f"--observable must be MODULE:FUNCTION, got {text!r}")
    loaded = _module(module, text)
    try:
        return vars(loaded)[name]
    except KeyError:
        raise ValueError(f"--observable {text}: {loaded.__file__ or module} has no {name}") from None


def _module(name: str, text: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # last: a file of a common name there does not hide what others import
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        came = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"--observable {text}: module {name} must be one to import, got {came}") from error
    if Path(module.__file__ or "").is_relative_to(folder):
        with contextlib.suppress(ImportError):
            import cloudpickle

            # Workers elsewhere have no such folder: its functions travel as they are.
            cloudpickle.register_pickle_by_value(module)
    return module
