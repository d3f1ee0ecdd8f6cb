# SPDX-License-Identifier: MIT
"""The arguments of a scan, checked: methods, the maker of systems, workers, the output file."""

from __future__ import annotations

import inspect
import re
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgphys import _checks
from edgphys.errors import ArgumentTypeError, ArgumentValueError, EdgphysError, UnknownNameError
from edgphys.methods import registry
from edgphys.methods.base import AbstractMethod
from edgphys.scans.points import point_label
from edgphys.scans.sizes import Label, value_of
from edgphys.systems.base import AbstractSystem

__all__ = ["Maker", "check_keep", "check_methods", "check_sent", "check_workers", "make_methods"]


def make_methods(
    methods: Sequence[str | AbstractMethod] | str | AbstractMethod,
    n_samples: int,
    edg: Mapping[str, Any] | None,
    mcmc: Mapping[str, Any] | None,
) -> tuple[AbstractMethod, ...]:
    """The methods of a scan as objects, those given by name with the options of their kind.

    Raises
    ------
    TypeError, ValueError
        If there is none, or one twice, or options are wrong or belong to no method that is named.
    """
    listed = (methods,) if isinstance(methods, str | AbstractMethod) else tuple(methods)
    if not listed or not all(isinstance(one, str | AbstractMethod) for one in listed):
        raise ArgumentValueError(
            f"methods must be a non-empty sequence of names or methods, got {_checks.one_line(methods)}",
            "methods",
        )
    options = {"edg": dict(edg or {}), "mcmc": dict(mcmc or {})}
    of_name = {one: registry.arguments_of(one) for one in listed if isinstance(one, str)}
    used = {argument for arguments in of_name.values() for argument in arguments}
    for argument, given in options.items():
        for name, value in () if argument in used else given.items():
            words = f"{name} must be left out where no method takes options of {argument}"
            raise ArgumentValueError(f"{words}, got {_checks.one_line(value)}", name)
    _checks.count(n_samples, "n_samples", 2)
    options["edg"] = {"n_samples": n_samples, **options["edg"]}
    made = tuple(
        registry.make(one, ChainMap(*(options[argument] for argument in of_name[one])))
        if isinstance(one, str)
        else one
        for one in listed
    )
    _check_names([method.name for method in made])
    return made


def _check_names(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise ArgumentValueError(f"methods must not name a method twice, got {names}", "methods")
    for name in names:
        # It is part of keys and of names of files.
        if not re.fullmatch(r"[\w.+-]+", name):
            raise ArgumentValueError(f"methods must have names of one word, got {name!r}", "methods")


def check_methods(methods: Sequence[AbstractMethod], systems: Sequence[Any]) -> None:
    """Refuse a method that one of the systems does not have, or that cannot serve them together.

    Raises
    ------
    UnknownNameError
        If a method does not serve a system; the message lists what does.
    """
    for system in systems:
        for method in methods:
            reason = method.applies_to(system)
            if reason is not None:
                names = ", ".join(registry.available(system))
                allowed = f"method must be one of {names} for the system {system.name}"
                raise UnknownNameError(f"{allowed}, got {method.name!r}: {reason}", "method")
    for method in methods:
        method.check(systems)


def check_workers(workers: Any, scheduler: Any) -> None:
    """`workers` is a count or None, `scheduler` a client of dask or None, and one of the two is None."""
    if workers is not None:
        _checks.count(workers, "workers", 1)
    if scheduler is None:
        return
    if workers is not None:
        raise ArgumentValueError(
            f"workers must be left out where a scheduler is given, got {workers!r}", "workers"
        )
    from distributed import Client

    _checks.instance(scheduler, "scheduler", Client, "a dask.distributed.Client or None")


def check_keep(keep: Any, methods: Sequence[AbstractMethod], out: Any, scheduler: Any) -> None:
    """`keep` is True or False, and True only where there are draws, and a place for them beside `out`."""
    if not _checks.flag(keep, "keep"):
        return
    has_draws = any(method.keeping(Path()) is not None for method in methods)
    wrong = {
        "without out": out is None,
        "where a scheduler is given": scheduler is not None,
        "where no method has draws": not has_draws,
    }
    for where, is_wrong in wrong.items():
        if is_wrong:
            raise ArgumentValueError(f"keep must be left out {where}, got {keep}", "keep")


def check_sent(systems: Sequence[AbstractSystem], scheduler: Any) -> None:
    """Refuse observables of one's own that do not reach the workers of a cluster, before the first cell.

    Raises
    ------
    ArgumentValueError
        If a function cannot be sent, or a worker cannot import its module.
    """
    own = systems[0].own_observables
    if scheduler is None or not own:
        return
    try:
        scheduler.submit(len, own, pure=False).result()
    except Exception as error:  # whatever pickling and importing raise
        words = "observables must be functions that reach the workers: of an installed module, or picklable"
        came = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ArgumentValueError(f"{words}; got {came}", "observables") from error


class Maker:
    """`make_system` called with a point, by keyword or, if it knows none of the names, by position."""

    def __init__(self, make_system: Callable[..., Any], names: tuple[str, ...]) -> None:
        if not callable(make_system):
            words = f"make_system must be callable, got {type(make_system).__name__}"
            raise ArgumentTypeError(words, "make_system")
        self.make_system = make_system
        parameters = inspect.signature(make_system).parameters
        accepts_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        known = [name for name in names if name in parameters]
        self.by_keyword = accepts_any or len(known) == len(names)
        if known and not self.by_keyword:
            missing = ", ".join(name for name in names if name not in known)
            words = f"make_system must take all scanned couplings; it has no parameter {missing}"
            raise ArgumentTypeError(words, "make_system")

    def __call__(self, point: Mapping[str, Label]) -> Any:
        given = {name: value_of(name, label) for name, label in point.items()}
        try:
            system = self.make_system(**given) if self.by_keyword else self.make_system(*given.values())
        except (EdgphysError, ValueError, TypeError):  # these say what is wrong
            raise
        except Exception as error:
            came = f"{type(error).__name__}: {error}"
            words = f"make_system must give a system at {point_label(point)}, got {came}"
            raise ArgumentValueError(words, "make_system") from error
        words = f"a function that gives a system of edgphys.systems at {point_label(point)}"
        return _checks.instance(system, "make_system", AbstractSystem, words)
