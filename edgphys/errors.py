# SPDX-License-Identifier: MIT
"""Failures of edgphys, as types that a caller can catch one by one.

A wrong argument is an `ArgumentValueError` or `ArgumentTypeError`, a plain ``ValueError`` or ``TypeError`` to
whoever does not know them; the other classes are for what goes wrong later: a file that is not ours, a
training that diverges, a chain too short to judge. Every error can carry the name of the argument it is
about, which a command line turns into its own spelling.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "ArgumentTypeError",
    "ArgumentValueError",
    "ClusterError",
    "DatasetError",
    "EdgphysError",
    "FileTakenError",
    "NotExactError",
    "ShortChainError",
    "TrainingError",
    "UnknownNameError",
]


class EdgphysError(Exception):
    """Base of all errors raised by edgphys on purpose.

    Attributes
    ----------
    argument : str or None
        Name of the argument that was wrong, as the function called spells it; None where there is none.

    Examples
    --------
    >>> DatasetError("path must be a file", "path").argument
    'path'
    """

    def __init__(self, message: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class ArgumentValueError(EdgphysError, ValueError):
    """An argument of the right type and a wrong value; the message says what is allowed and what came."""


class ArgumentTypeError(EdgphysError, TypeError):
    """An argument of a wrong type; the message says what is allowed and what came."""


class UnknownNameError(ArgumentValueError):
    """A lattice, system, method or observable that does not exist; the message lists what does."""


class DatasetError(EdgphysError, ValueError):
    """A file or dataset that is missing, damaged, of another schema version, or would be overwritten."""


class FileTakenError(DatasetError):
    """A file that was not to be replaced and turned up while a result was computed; the result is kept.

    Attributes
    ----------
    kept : pathlib.Path
        Where the result is, beside the name that was taken.
    """

    def __init__(self, message: str, kept: Path) -> None:
        super().__init__(message)
        self.kept = kept


class NotExactError(EdgphysError, ValueError):
    """An estimate refused because its ingredients cannot give it without bias; the message says why."""


class TooLongError(EdgphysError, ValueError):
    """What was asked for would take days, and nobody has said that it may."""


class TrainingError(EdgphysError, RuntimeError):
    """Training that cannot go on: a loss or an energy that is not finite."""


class ClusterError(EdgphysError, RuntimeError):
    """A cluster that was lost, or whose workers cannot compute; what was finished before is kept."""


class ShortChainError(EdgphysError, RuntimeError):
    """A chain too short for its autocorrelation time; the partial result comes along.

    Attributes
    ----------
    tau_int : float
        The integrated autocorrelation time estimated so far, in draws, a lower bound in practice.
    partial : xarray.Dataset or None
        The estimates so far, as `edgphys.estimate` would have returned them (``converged = 0``); without
        errors where the chain is too short for any; None where the caller worked on a single series.
    """

    def __init__(self, message: str, tau_int: float = float("nan"), partial=None) -> None:
        super().__init__(message)
        self.tau_int = tau_int
        self.partial = partial
