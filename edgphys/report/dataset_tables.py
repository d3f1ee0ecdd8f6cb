# SPDX-License-Identifier: MIT
"""Tables of one result: estimates beside the exact values, the rungs of a ladder, bins of a profile."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from rich.table import Table

from edgphys import observables
from edgphys.errors import EdgphysError
from edgphys.report.comparison import format_value, is_result
from edgphys.report.exact_curve import builder

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["estimates_table", "exact_of", "ladder_tables", "profile_table"]

# Columns of the table of a ladder, as far as the system has them.
_RUNG = ("energy", "specific_heat", "abs_magnetization", "susceptibility", "phi2")


def estimates_table(view: Table, estimates: xr.Dataset, exact: dict[str, float]) -> Table:
    """Fill `view` with results, their exact values and z, then diagnostics."""
    view.add_column("result", no_wrap=True)
    view.add_column("estimate", justify="right", no_wrap=True)
    if exact:
        view.add_column("exact", justify="right", no_wrap=True)
        view.add_column("z", justify="right", no_wrap=True)
    names = _without_errors(estimates)
    names = observables.ordered(names, estimates.attrs)
    for name in (name for name in names if is_result(name, estimates.attrs)):
        value, err = _value(estimates, name), _value(estimates, f"{name}_err")
        if math.isnan(value):
            continue
        row = [name, format_value(value, err)]
        if exact:
            known = exact.get(name, math.nan)
            z = (value - known) / err if err > 0 else math.nan
            row += ["" if math.isnan(known) else f"{known:.8g}", "" if math.isnan(z) else f"{z:+.1f}"]
        view.add_row(*row)
    view.add_section()
    for name in names:
        value, record = _value(estimates, name), observables.record(name, estimates.attrs)
        if record.role in ("diagnostic", "ladder", "bridge") and record.in_table and not math.isnan(value):
            err = _value(estimates, f"{name}_err") if record.scale == "total" else math.nan
            words = f"{value:.5g}" if math.isnan(err) else format_value(value, err)
            view.add_row(name, words, *([""] * (2 if exact else 0)))
    return view


def ladder_tables(view: Table, ladder: xr.Dataset) -> Table:
    """Fill `view` with the estimates of every rung, and the swap rate with the next."""
    from edgphys.estimators import estimate
    from edgphys.mcmc import rung

    couplings = json.loads(ladder.attrs["ladder"])
    n_rungs = len(next(iter(couplings.values())))
    rows = [estimate(rung(ladder, k)) for k in range(n_rungs)]
    own = json.loads(ladder.attrs.get("observables", "[]"))
    shown = [name for name in (*_RUNG, *own) if not math.isnan(_value(rows[0], name))]
    for name in [*couplings, *shown, "tau_int", "swap rate"]:
        view.add_column(name, justify="right", no_wrap=True)
    rates = ladder["swap_rate"].mean("chain").values if "swap_rate" in ladder else None
    for k, estimates in enumerate(rows):
        row = [f"{values[k]:.6g}" for values in couplings.values()]
        row += [format_value(_value(estimates, name), _value(estimates, f"{name}_err")) for name in shown]
        row += [f"{_value(estimates, 'tau_int'):.4g}"]
        row += [f"{rates[k]:.3f}" if rates is not None and k < len(rates) else ""]
        view.add_row(*row)
    return view


def profile_table(view: Table, profile: xr.Dataset) -> Table:
    """Fill `view` with one row per bin, distance, basin, rung or quantity, and what belongs to none."""
    names = _without_errors(profile)
    over = [name for name in names if profile[name].dims]
    for name in [*map(str, profile.dims), *over] or ["result", "estimate"]:
        view.add_column(name, justify="right", no_wrap=True)
    for dim in profile.dims:
        for k, place in enumerate(profile[dim].values.tolist()):
            row = profile.isel({dim: k})
            cells = [_written(row, name) for name in over]
            view.add_row(place if isinstance(place, str) else f"{place:.6g}", *cells)
        view.add_section()
    for name in names:
        if not profile[name].dims:
            view.add_row(name, _written(profile, name))
    return view


def _without_errors(result: xr.Dataset) -> list[str]:
    """Names of the variables, without error bars of others."""
    names = [str(name) for name in result.data_vars]
    return [name for name in names if not name.endswith("_err") or name.removesuffix("_err") not in names]


def _value(estimates: xr.Dataset, name: str) -> float:
    return float(estimates[name]) if name in estimates else math.nan


def _written(profile: xr.Dataset, name: str) -> str:
    """A result with its error, or a number that has none by nature, as a count."""
    return format_value(
        _value(profile, name), _value(profile, f"{name}_err") if f"{name}_err" in profile else 0.0
    )


def exact_of(samples: xr.Dataset) -> tuple[dict[str, float], str]:
    """Exact results of the system that the attrs describe, none if they do not rebuild it; why there is none.

    Those that took long are kept in the attr ``exact``.
    """
    from edgphys.systems.known import known_exactly

    attrs = samples.attrs
    if "exact" in attrs:
        values, note = json.loads(attrs["exact"])
        return values, note
    try:
        system = builder(samples, {})()
    except (EdgphysError, ValueError, TypeError):
        return {}, ""
    return known_exactly(system)
