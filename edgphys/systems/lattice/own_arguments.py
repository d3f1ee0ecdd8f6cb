# SPDX-License-Identifier: MIT
"""Which parameters the functions of a user's Hamiltonian on a lattice take."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from edgphys.errors import ArgumentTypeError

__all__ = ["check_taken", "taken_by"]


def taken_by(function: Callable | None, name: str, parameters: dict[str, float]) -> dict[str, float]:
    """Those of the parameters that a function takes.

    Raises
    ------
    ArgumentTypeError
        If the function, the argument `name`, is none.
    """
    if function is None:
        return {}
    if not callable(function):
        raise ArgumentTypeError(f"{name} must be a function, got {type(function).__name__}", name)
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a builtin, a ufunc
        return {}
    if any(one.kind is one.VAR_KEYWORD for one in known.values()):
        return parameters
    return {key: value for key, value in parameters.items() if key in known}


def check_taken(parameters: dict[str, float], takes: list[dict[str, float]]) -> None:
    """Refuse a parameter that no function takes.

    Raises
    ------
    ArgumentTypeError
        If there is one.
    """
    for name in parameters:
        if not any(name in one for one in takes):
            words = "an argument of site or bond, which take no other parameters"
            raise ArgumentTypeError(f"{name} must be {words}, got {parameters[name]:g}", name)
