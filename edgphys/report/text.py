# SPDX-License-Identifier: MIT
"""Datasets in the terminal: a scan with its methods side by side, estimates, a ladder, a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from edgphys.report.console import new_console, print_line
from edgphys.report.content import Content, content_of, content_of_scan

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["print_dataset", "print_scan"]


def print_dataset(
    result: xr.Dataset,
    variables: list[str] | None = None,
    exact: dict[str, float] | None = None,
    console: Console | None = None,
) -> None:
    """Print a dataset of any kind.

    A scan, estimates, samples (their estimates), a ladder (each rung), a curve (some of its values), a bound
    (its mean), anything else line by line.

    Parameters
    ----------
    result : xarray.Dataset
    variables : list of str, optional
        Of a scan or a curve, as for `print_scan`.
    exact : dict, optional
        Exact values to set beside the estimates; those of the shipped system by default.
    console : rich.console.Console, optional
    """
    _print(content_of(result, variables, exact), console)


def print_scan(table: xr.Dataset, variables: list[str] | None = None, console: Console | None = None) -> None:
    """Print a scan.

    Parameters
    ----------
    table : xarray.Dataset
        Result of `edgphys.scan`.
    variables : list of str, optional
        Results to show; all there are by default.
    console : rich.console.Console, optional
        Where to print; stdout by default.

    Raises
    ------
    DatasetError
        If `table` is no scan.
    UnknownNameError
        If a variable is not in it.
    """
    _print(content_of_scan(table, variables), console)


def _print(content: Content, console: Console | None) -> None:
    console = console or new_console()
    print_line(console, (content.title, "bold"), f"  {content.state}")
    for table in content.tables:
        console.print(table)
    for line in content.notes:
        print_line(console, line)
    for line in content.warnings:
        print_line(console, f"NOT TRUSTED: {line}")
