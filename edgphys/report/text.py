# SPDX-License-Identifier: MIT
"""Datasets in the terminal: a scan with its methods side by side, estimates, a ladder, a profile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from edgphys.dataset.schema import KINDS
from edgphys.methods.condition_ranges import range_words
from edgphys.report.comparison import (
    blanks,
    boundary_words,
    check_scan,
    has_result,
    model_ranges,
    results_of,
    sampled_methods,
    troubles,
    whole_scan,
)
from edgphys.report.console import empty_table, new_console, plain_value, print_line
from edgphys.report.curve_results import check_line, curve_table
from edgphys.report.dataset_tables import estimates_table, exact_of, ladder_tables, notes_on, profile_table
from edgphys.report.scan_tables import diagnostics_table, results_table

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
    kind = result.attrs.get("kind")
    if kind == "scan" or kind not in KINDS:
        print_scan(result, variables, console)
        return
    console = console or new_console()
    print_line(console, *_heading(result))
    if kind == "ladder":
        console.print(ladder_tables(empty_table(f"{result.attrs['method']}, rungs of the ladder"), result))
        notes_on(result, console)
        return
    if kind == "curve":
        console.print(curve_table(empty_table(str(result.attrs["method"])), result, variables))
        print_line(console, check_line(result))
        notes_on(result, console)
        return
    if kind == "bound":
        from edgphys.estimators import average

        result = average(result, "log_weight_reverse", "log_z_bound")
    if kind not in ("samples", "estimates"):
        console.print(profile_table(empty_table(str(result.attrs["method"])), result))
        notes_on(result, console)
        return
    if kind == "samples":
        from edgphys.estimators import estimate

        result = estimate(result)
    exact, note = exact_of(result) if exact is None else (exact, "")
    console.print(estimates_table(empty_table(str(result.attrs["method"])), result, exact))
    if note:
        print_line(console, f"No exact results of {note}")
    notes_on(result, console)


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
    table = whole_scan(table)
    couplings = check_scan(table)
    if not table.data_vars:  # unfinished, and no cell is there yet
        print_line(console or new_console(), *_heading(table))
        return
    names = results_of(table, variables, skip="free_energy" if has_result(table, "log_z") else "")
    console = console or new_console()
    print_line(console, *_heading(table))
    console.print(results_table(table, names, couplings))
    if variables is None and sampled_methods(table):
        console.print(diagnostics_table(table, couplings))
    for line in _notes(table):
        print_line(console, line)


def _heading(table: xr.Dataset) -> list[str | tuple[str, str]]:
    attrs = table.attrs
    extent = "x".join(str(length) for length in np.atleast_1d(attrs.get("extent", [])))
    boundary = boundary_words(attrs)
    parameters = json.loads(attrs.get("parameters", "{}"))
    fixed = " ".join(f"{name}={plain_value(value)}" for name, value in parameters.items())
    words = f"{attrs.get('system', '')}"
    if "lattice" in attrs:
        words += f" on {attrs['lattice']} {extent} {boundary}"
    return [(words, "bold"), f"  {fixed}  seed {attrs.get('seed', 'unknown')}"]


def _notes(table: xr.Dataset) -> list[str]:
    notes = ["Brackets: one standard error in the last digits. z: (value - reference) / error of both."]
    if has_result(table, "ess"):
        notes.append(
            "ess and max_weight are of the joint space of x and z, not of x alone; elbo bounds log_z."
        )
    for method in sampled_methods(table):
        ranges = model_ranges(table, method)
        if ranges:
            notes.append(f"{method}: one model for {range_words(ranges)}, drawn from anew at each point.")
    for method, point, reason in blanks(table):
        how_many = "Not all" if method in sampled_methods(table) else "No"
        notes.append(f"{how_many} results of {method} at {_where(point)}: {reason}")
    for method, point, reason in troubles(table):
        notes.append(f"NOT TRUSTED: {method} at {_where(point)}: {reason}")
    return notes


def _where(point: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in point.items())
