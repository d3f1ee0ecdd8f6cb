# SPDX-License-Identifier: MIT
"""Tables for the terminal: a scan with its methods side by side, and the systems that ship.

Columns of a scan are methods, rows are points, one section per result; ``z`` is the difference to the
reference named in the row over the standard error of both (see `edgphys.report.comparison`). A second table
says whether a method can be trusted at a point: effective sample size, R-hat, autocorrelation time.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from edgphys.dataset.schema import KINDS
from edgphys.report.comparison import (
    check_scan,
    format_value,
    has_result,
    reference_method,
    results_of,
    sampled_methods,
    troubles,
    z_scores,
)
from edgphys.report.single import estimates_table, exact_of, ladder_tables, notes_on, profile_table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["print_dataset", "print_scan", "print_systems"]

# Beyond this a difference is not chance: 0.3 % two-sided.
_Z_LIMIT = 3.0


def print_dataset(
    result: xr.Dataset,
    variables: list[str] | None = None,
    exact: dict[str, float] | None = None,
    console: Console | None = None,
) -> None:
    """Print a dataset of any kind.

    A scan, estimates, samples (their estimates), a ladder (each rung), a bound (its mean), anything else line
    by line.

    Parameters
    ----------
    result : xarray.Dataset
    variables : list of str, optional
        Of a scan, as for `print_scan`.
    exact : dict, optional
        Exact values to set beside the estimates; those of the shipped system by default.
    console : rich.console.Console, optional
    """
    kind = result.attrs.get("kind")
    if kind == "scan" or kind not in KINDS:
        print_scan(result, variables, console)
        return
    console = console or _console()
    console.print(_heading(result), highlight=False, soft_wrap=True)
    if kind == "ladder":
        console.print(ladder_tables(_table(f"{result.attrs['method']}, rungs of the ladder"), result))
        notes_on(result, console)
        return
    if kind == "bound":
        from edgphys.estimators import average

        result = average(result, "log_weight_reverse", "log_z_bound")
    if kind not in ("samples", "estimates"):
        console.print(profile_table(_table(str(result.attrs["method"])), result))
        notes_on(result, console)
        return
    if kind == "samples":
        from edgphys.estimators import estimate

        result = estimate(result)
    exact = exact_of(result) if exact is None else exact
    console.print(estimates_table(_table(str(result.attrs["method"])), result, exact))
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
    couplings = check_scan(table)
    names = results_of(table, variables, skip="free_energy" if has_result(table, "log_z") else "")
    console = console or _console()
    console.print(_heading(table), highlight=False, soft_wrap=True)
    console.print(_results_table(table, names, couplings))
    if variables is None and sampled_methods(table):
        console.print(_diagnostics_table(table, couplings))
    for line in _notes(table):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _console() -> Console:
    # Into a file or a pipe nothing is cut: without a terminal rich would take 80 columns.
    return Console() if sys.stdout.isatty() else Console(width=180)


def _heading(table: xr.Dataset) -> str:
    attrs = table.attrs
    extent = "x".join(str(length) for length in np.atleast_1d(attrs.get("extent", [])))
    boundary = "periodic" if np.all(attrs.get("pbc", 1)) else "open"
    parameters = json.loads(attrs.get("parameters", "{}"))
    fixed = " ".join(f"{name}={_plain_value(value)}" for name, value in parameters.items())
    words = f"{attrs.get('system', '')}"
    if "lattice" in attrs:
        words += f" on {attrs['lattice']} {extent} {boundary}"
    return f"[bold]{words}[/bold]  {fixed}  seed {attrs.get('seed', 'unknown')}"


def _plain_value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, title_style="italic")


def _points(table: xr.Dataset, couplings: tuple[str, ...]) -> list[dict[str, float]]:
    shape = tuple(table.sizes[name] for name in couplings)
    return [
        {name: float(table[name].values[i]) for name, i in zip(couplings, index, strict=True)}
        for index in np.ndindex(*shape)
    ]


def _labels(table: xr.Dataset, couplings: tuple[str, ...]) -> list[list[str]]:
    """The couplings of every point, each coupling with the same number of decimals throughout."""
    decimals = {}
    for name in couplings:
        short = [f"{value:.8g}" for value in table[name].values.tolist()]
        # An exponent keeps the shortest form: there are no common decimals.
        counts = [len(word.partition(".")[2]) for word in short]
        decimals[name] = None if any("e" in word for word in short) else max(counts)
    return [
        [f"{v:.8g}" if decimals[name] is None else f"{v:.{decimals[name]}f}" for name, v in point.items()]
        for point in _points(table, couplings)
    ]


def _results_table(table: xr.Dataset, names: list[str], couplings: tuple[str, ...]) -> Table:
    methods = table["method"].values.astype(str).tolist()
    compared = sampled_methods(table) if len(methods) > 1 else []
    view = _table("results (energies are totals)")
    view.add_column("result", no_wrap=True)
    for name in couplings:
        view.add_column(name, justify="right", no_wrap=True)
    for method in methods:
        view.add_column(method, justify="right", no_wrap=True)
    for method in compared:
        view.add_column(f"z {method}", justify="right", no_wrap=True)
    if compared:
        view.add_column("against", no_wrap=True)
    labels = _labels(table, couplings)
    for name in names:
        reference = reference_method(table, name)
        scores = {m: z_scores(table, name, m, reference) for m in compared if reference not in (None, m)}
        for i, point in enumerate(_points(table, couplings)):
            row = [name if i == 0 else "", *labels[i]]
            row += [_cell(table, name, method, point) for method in methods]
            row += [_score(scores[m].sel(point)) if m in scores else "" for m in compared]
            view.add_row(*row, *([(reference or "") if i == 0 else ""] if compared else []))
        view.add_section()
    return view


def _cell(table: xr.Dataset, name: str, method: str, point: dict[str, float]) -> str:
    cell = table.sel({"method": method, **point})
    return format_value(float(cell[name]), float(cell[f"{name}_err"]) if f"{name}_err" in cell else math.nan)


def _score(score: xr.DataArray) -> str:
    z = float(score)
    if not math.isfinite(z):
        return ""
    return f"[bold red]{z:+.1f}[/bold red]" if abs(z) > _Z_LIMIT else f"{z:+.1f}"


def _diagnostics_table(table: xr.Dataset, couplings: tuple[str, ...]) -> Table:
    shown = [name for name in ("ess", "max_weight", "tau_int", "r_hat") if has_result(table, name)]
    view = _table("diagnostics")
    view.add_column("method", no_wrap=True)
    for name in couplings:
        view.add_column(name, justify="right", no_wrap=True)
    bound = has_result(table, "elbo")
    for name in [*shown, *(["elbo"] if bound else []), "trusted", "wall_time"]:
        view.add_column("wall_time / s" if name == "wall_time" else name, justify="right", no_wrap=True)
    labels = _labels(table, couplings)
    failed = {(method, tuple(point.values())) for method, point, _ in troubles(table)}
    for method in sampled_methods(table):
        for i, point in enumerate(_points(table, couplings)):
            cell = table.sel({"method": method, **point})
            row = [method if i == 0 else "", *labels[i]]
            row += [_plain(cell, name, "{:.4g}") for name in shown]
            row += [_cell(table, "elbo", method, point)] if bound else []
            row += ["[bold red]no[/bold red]" if (method, tuple(point.values())) in failed else "yes"]
            view.add_row(*row, _plain(cell, "wall_time", "{:.1f}"))
        view.add_section()
    return view


def _plain(cell: xr.Dataset, name: str, form: str) -> str:
    if name not in cell or not math.isfinite(float(cell[name])):
        return "-"
    return form.format(float(cell[name]))


def _notes(table: xr.Dataset) -> list[str]:
    notes = ["Brackets: one standard error in the last digits. z: (value - reference) / error of both."]
    if has_result(table, "ess"):
        notes.append(
            "ess and max_weight are of the joint space of x and z, not of x alone; elbo bounds log_z."
        )
    for method, point, reason in troubles(table):
        where = " ".join(f"{name}={value:.6g}" for name, value in point.items())
        notes.append(f"NOT TRUSTED: {method} at {where}: {reason}")
    return notes


def print_systems(options: Collection[str], console: Console | None = None) -> None:
    """Print what `edgphys.systems` ships: energy, parameters, lattices, exact results.

    Parameters
    ----------
    options : collection of str
        Parameters that the command line has an option for; the others are given as ``-p NAME=VALUE``.
    console : rich.console.Console, optional
        Where to print; stdout by default.
    """
    import lattices
    from edgphys import systems

    console = console or _console()
    for record in systems.available():
        console.print(f"[bold]{record.name}[/bold]", highlight=False)
        view = Table.grid(padding=(0, 2))
        view.add_column(style="dim", no_wrap=True)
        view.add_column()
        view.add_row("  energy", _escaped(record.energy))
        for parameter in record.parameters:
            default = "" if parameter.default is None else f" (default {_plain_value(parameter.default)})"
            word = f"--{parameter.name}" if parameter.name in options else f"-p {parameter.name}=VALUE"
            view.add_row(f"  {word}", _escaped(parameter.meaning + default))
        view.add_row("  lattices", record.lattices)
        for i, words in enumerate(record.exact):
            view.add_row("  exact" if i == 0 else "", _escaped(words))
        console.print(view)
    console.print(f"lattices: {', '.join(lattices.available())}, or a .toml file", highlight=False)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)
