# SPDX-License-Identifier: MIT
"""What is told of a dataset of any kind, before it is known where: heading, tables, notes and warnings.

The terminal (`edgphys.report.text`) and the page (`edgphys.report.page`) show the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from edgphys.dataset.schema import KINDS
from edgphys.methods.condition_ranges import range_words
from edgphys.recording.record import unrecorded
from edgphys.report.comparison import (
    blanks,
    boundary_words,
    check_scan,
    has_result,
    looks,
    model_ranges,
    results_of,
    sampled_methods,
    troubles,
    whole_scan,
)
from edgphys.report.console import empty_table, plain_value
from edgphys.report.curve_results import check_line, curve_table
from edgphys.report.dataset_tables import estimates_table, exact_of, ladder_tables, profile_table
from edgphys.report.scan_tables import diagnostics_table, not_run, results_table, where
from edgphys.report.training_results import bounded_log_z, training_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Content", "content_of", "content_of_scan"]

_BRACKETS = "Brackets: one standard error in the last digits."


@dataclass(frozen=True)
class Content:
    """The words of one dataset.

    Attributes
    ----------
    title, state : str
        The system and where it lives; its parameters and the seed.
    tables : list of rich.table.Table
    notes : list of str
        How to read the tables.
    warnings : list of str
        What is not to be trusted, and why.
    """

    title: str
    state: str
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def content_of(
    result: xr.Dataset, variables: list[str] | None = None, exact: dict[str, float] | None = None
) -> Content:
    """What is told of a dataset of any kind.

    Parameters
    ----------
    result : xarray.Dataset
    variables : list of str, optional
        Of a scan or a curve; all there are by default.
    exact : dict, optional
        Exact values to set beside the estimates; those of the shipped system by default.

    Raises
    ------
    DatasetError, UnknownNameError
        As `content_of_scan`.
    """
    kind = result.attrs.get("kind")
    if kind == "scan" or kind not in KINDS:
        return content_of_scan(result, variables)
    with unrecorded():  # what is shown is not kept: its source need not be read to the end for a record
        return _content_of(result, variables, exact)


def _content_of(result: xr.Dataset, variables: list[str] | None, exact: dict[str, float] | None) -> Content:
    """Of all kinds but scans."""
    kind = result.attrs["kind"]
    title, state = _heading(result)
    view, notes = empty_table(str(result.attrs["method"])), [_BRACKETS]
    if kind == "ladder":
        view.title = f"{view.title}, rungs of the ladder"
        ladder_tables(view, result)
    elif kind == "curve":
        curve_table(view, result, variables)
        notes = [check_line(result), _BRACKETS]
    elif kind in ("samples", "estimates"):
        result, about_exact = _estimates(result, view, exact)
        notes = [*about_exact, _BRACKETS]
    elif kind == "history":
        training_table(view, result)
        log_z = bounded_log_z(result)
        notes = ["Means over parts of the training, one batch a step."]
        notes += [f"gap: exact log_z = {log_z:.8g} less the bound."] if np.isfinite(log_z) else []
    else:
        profile_table(view, _mean_bound(result) if kind == "bound" else result)
    if result.attrs.get("blank"):
        notes = [*notes, f"Blank: {result.attrs['blank']}."]
    warning = str(result.attrs.get("warning", ""))
    return Content(title, state, [view], notes, [warning] if warning else [])


def _mean_bound(result: xr.Dataset) -> xr.Dataset:
    from edgphys.estimators import average

    return average(result, "log_weight_reverse", "log_z_bound")


def _estimates(
    result: xr.Dataset, view: Table, exact: dict[str, float] | None
) -> tuple[xr.Dataset, list[str]]:
    """The estimates that fill the table; why there are no exact results beside them, or what these are."""
    if result.attrs["kind"] == "samples":
        from edgphys.estimators import estimate

        result = estimate(result)
    exact, note = exact_of(result) if exact is None else (exact, "")
    estimates_table(view, result, exact)
    if note:
        return result, [f"No exact results of {note}"]
    return result, _exact_note(result) if exact else []


def content_of_scan(table: xr.Dataset, variables: list[str] | None = None) -> Content:
    """What is told of a scan; only its heading while no cell is finished.

    Raises
    ------
    DatasetError
        If `table` is no scan.
    UnknownNameError
        If one of `variables` is not in it.
    """
    table = whole_scan(table)
    couplings = check_scan(table)
    title, state = _heading(table)
    if not table.data_vars:
        return Content(title, state)
    names = results_of(table, variables, skip="free_energy" if has_result(table, "log_z") else "")
    tables = [results_table(table, names, couplings)]
    if variables is None and sampled_methods(table):
        tables.append(diagnostics_table(table, couplings))
    warnings = [f"{method} at {where(point)}: {reason}" for method, point, reason in troubles(table)]
    notes = [*_notes(table), not_run(table, couplings)]
    return Content(title, state, tables, [*filter(None, notes)], warnings)


def _heading(table: xr.Dataset) -> tuple[str, str]:
    attrs = table.attrs
    extent = "x".join(str(length) for length in np.atleast_1d(attrs.get("extent", [])))
    parameters = json.loads(attrs.get("parameters", "{}"))
    fixed = " ".join(f"{name}={plain_value(value)}" for name, value in parameters.items())
    words = f"{attrs.get('system', '')}"
    if "lattice" in attrs:
        words += " ".join(filter(None, [" on", attrs["lattice"], extent, boundary_words(attrs)]))
    return words, f"{fixed}  seed {attrs.get('seed', 'unknown')}"


def _exact_note(result: xr.Dataset) -> list[str]:
    """How exact results are to be read, with a capital and a full stop; nothing as a rule."""
    note = str(result.attrs.get("exact_note", ""))
    return [f"{note[:1].upper()}{note[1:]}."] if note else []


def _notes(table: xr.Dataset) -> list[str]:
    notes = [f"{_BRACKETS} z: (value - reference) / error of both."]
    if has_result(table, "ess"):
        notes.append(
            "ess and max_weight are of the joint space of x and z, not of x alone; elbo bounds log_z."
        )
    if any(look.is_exact for look in looks(table).values()):
        notes += _exact_note(table)
    for method in sampled_methods(table):
        ranges = model_ranges(table, method)
        if ranges:
            notes.append(f"{method}: one model for {range_words(ranges)}, drawn from anew at each point.")
    for method, point, reason in blanks(table):
        how_many = "Not all" if method in sampled_methods(table) else "No"
        notes.append(f"{how_many} results of {method} at {where(point)}: {reason}")
    return notes
