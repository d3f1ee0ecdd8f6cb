# SPDX-License-Identifier: MIT
"""A curve for readers: some values with z against exact results, the check, and the table of a picture.

Exact results are there where the system that ships is built again from the attributes and has some.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from edgphys import observables
from edgphys.dataset.schema import NOT_THERE
from edgphys.errors import DatasetError, EdgphysError
from edgphys.report.comparison import format_value, is_result, names_among
from edgphys.report.exact_curve import builder

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["as_scan", "check_line", "coupling_of", "curve_table"]

_MOST_ROWS = 11
# Shown unasked, as far as there is room.
_MOST_COLUMNS = 5
# A picture without exact results rather than one that takes longer.
_SECONDS = 5.0


def coupling_of(curve: xr.Dataset) -> str:
    """Name of the coupling that a curve is over."""
    return json.loads(curve.attrs["couplings"])[0]


def curve_table(view: Table, curve: xr.Dataset, variables: Sequence[str] | None) -> Table:
    """Fill `view` with some values of the curve, evenly chosen, and z where exact results are known.

    Raises
    ------
    UnknownNameError
        If one of `variables` is no result of the curve.
    """
    coupling, names = coupling_of(curve), _names(curve, variables)
    n = curve.sizes[coupling]
    rows = curve.isel({coupling: np.unique(np.linspace(0, n - 1, min(n, _MOST_ROWS)).round().astype(int))})
    exact, _ = _exact(curve, rows[coupling].values)
    for name in (coupling, *names, "ess"):
        view.add_column(name, justify="right", no_wrap=True)
        if name in exact and name in names:
            view.add_column("z", justify="right", no_wrap=True)
    for k, value in enumerate(rows[coupling].values.tolist()):
        cells = [f"{value:.6g}"]
        for name in names:
            estimate, err = (float(rows[one][k]) for one in (name, f"{name}_err"))
            cells.append(format_value(estimate, err))
            if name in exact:
                known = err > 0 and math.isfinite(err) and math.isfinite(exact[name][k])
                cells.append(f"{(estimate - exact[name][k]) / err:+.1f}" if known else "")
        view.add_row(*cells, f"{float(rows['ess'][k]):.3f}")
    return view


def check_line(curve: xr.Dataset) -> str:
    """Words for the check of weights against energies; for reweighted rungs how many values they serve."""
    if f"{coupling_of(curve)}_node" not in curve.dims:
        good, n = int(curve["reliable"].sum()), curve.sizes[coupling_of(curve)]
        return (
            f"Reweighted from {json.loads(curve.attrs['settings'])['n_rungs']} rungs: {good} of {n} values."
        )
    largest = [
        float(np.nanmax(np.abs(curve[name].values), initial=0.0))
        for name in ("log_z_node_deviation", "derivative_deviation")
    ]
    n_nodes = curve.sizes[f"{coupling_of(curve)}_node"]
    return (
        f"Draws from {n_nodes} nodes. log_z of single nodes against the energies of all draws: "
        f"off by at most {largest[0]:.1f} errors, its slopes between nodes by {largest[1]:.1f}."
    )


def as_scan(curve: xr.Dataset) -> xr.Dataset:
    """The curve as a scan of one method, and of exact results where they are known: what pictures take."""
    import xarray as xr

    coupling, method = coupling_of(curve), str(curve.attrs["method"])
    if coupling not in curve.dims:
        raise DatasetError(f"curve must have the dimension {coupling}, {NOT_THERE}")
    names = [name for name, variable in curve.data_vars.items() if variable.dims == (coupling,)]
    values = curve[coupling].values
    exact, seconds = _exact(curve, values)
    arrays = {name: [curve[name].values] for name in names}
    if exact:
        for name, rows in arrays.items():
            base = str(name).removesuffix("_err")
            known = exact.get(base, np.full(len(values), np.nan))
            rows.append(known if base == name else np.where(np.isnan(known), np.nan, 0.0))
        arrays["wall_time"] = [np.full(len(values), np.nan), np.full(len(values), seconds)]
    methods = [method, "exact"] if exact else [method]
    ranges = {coupling: [float(values[0]), float(values[-1])]}
    settings = {method: json.loads(curve.attrs.get("settings", "{}")) | {"conditions": ranges}}
    return xr.Dataset(
        {name: (("method", coupling), np.array(rows)) for name, rows in arrays.items()},
        {"method": methods, coupling: values},
        curve.attrs | {"kind": "scan", "settings": json.dumps(settings)},
    )


def _names(curve: xr.Dataset, variables: Sequence[str] | None) -> list[str]:
    there = [str(name) for name in curve.data_vars if f"{name}_err" in curve]
    there = [name for name in there if curve[name].dims == (coupling_of(curve),)]
    if variables is not None:
        return names_among(variables, there)
    constant = {"magnetization"} if curve.attrs.get("z2_symmetric") else set()
    shown = [name for name in there if is_result(name, curve.attrs) and name not in constant]
    shown = observables.ordered(shown, curve.attrs)
    own = json.loads(curve.attrs.get("units", "{}"))
    return [name for k, name in enumerate(shown) if k < _MOST_COLUMNS or name in own]


def _exact(curve: xr.Dataset, values: NDArray[np.float64]) -> tuple[dict[str, NDArray[np.float64]], float]:
    """Exact results at some values by name, none if unknown or slow; seconds that a value takes."""
    from edgphys.systems.known import known_exactly

    rows, begin, last = [], time.perf_counter(), 0.0
    try:
        build = builder(curve, {})
        for value in values.tolist():
            last = time.perf_counter()
            rows.append(known_exactly(build(**{coupling_of(curve): value}))[0])
            now = time.perf_counter()
            # The first takes longer: it imports and compiles.
            if len(rows) > 1 and now - begin + (now - last) * (len(values) - len(rows)) > _SECONDS:
                return {}, 0.0
    except (TypeError, ValueError, EdgphysError):  # a system, a lattice or a coupling of one's own
        return {}, 0.0
    names = set().union(*rows)
    return {
        name: np.array([row.get(name, np.nan) for row in rows]) for name in names
    }, time.perf_counter() - last
