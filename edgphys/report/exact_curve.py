# SPDX-License-Identifier: MIT
"""Exact results between the points of a scan, for a smooth line.

The system is built again from the attributes of the scan. It is the one of the scan only if its exact results
agree with those in the table at every point; else, and where they would take too long, there is no such line.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from edgphys.dataset.extents import EXTENT, attrs_at
from edgphys.errors import ArgumentValueError, EdgphysError
from edgphys.report.comparison import looks

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

__all__ = ["builder", "exact_curve"]

_MOST, _LEAST = 200, 20  # points of a line
_SECONDS, _WANTED = 5.0, 1.0  # that one may take with the fewest points, and that more of them may take
_MOST_SITES = 10**6  # building a lattice of more takes longer than reading a result
_TOLERANCE = 1e-8  # relative: what a library of another version may change


def exact_curve(
    table: xr.Dataset, x_name: str, fixed: dict[str, Any]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]] | None:
    """Exact results along one coupling of a scan.

    Parameters
    ----------
    table : Dataset
        Result of `edgphys.scan`.
    x_name : str
        The coupling.
    fixed : dict of str to label
        Values of the other scanned couplings.

    Returns
    -------
    (float64 array, dict of str to float64 array), or None
        Values of the coupling, rising, those of the scan among them, and results at these by name, total as
        in the table. None if they cannot be had.
    """
    method = next((name for name, look in looks(table).items() if look.is_exact), None)
    if method is None or table.sizes[x_name] < 2 or "wall_time" not in table or x_name == EXTENT:
        return None
    known = table.sel({"method": method, **fixed}).sortby(x_name)
    if float(known["wall_time"].min()) * (known.sizes[x_name] + _LEAST) > _SECONDS:
        return None
    try:
        rows = _rows(known, x_name, builder(table, fixed))
    except (TypeError, ValueError, EdgphysError):  # a system or a lattice of one's own
        return None
    rows = {value: row for value, row in rows.items() if row}  # a gap where none can be had
    x = sorted(rows)
    names = set.intersection(*(set(row) for row in rows.values())) if rows else set()
    return (np.array(x), {name: np.array([rows[v][name] for v in x]) for name in names}) if names else None


def _rows(known: xr.Dataset, x_name: str, build: Callable[..., Any]) -> dict[float, dict[str, float]]:
    """Exact results by value of the coupling; none if they are not those in the table, or too slow."""
    from edgphys.systems.known import known_exactly

    begin, rows = time.perf_counter(), {}
    for value in known[x_name].values.tolist():
        last = time.perf_counter()
        rows[value], _ = known_exactly(build(**{x_name: value}))
    now = time.perf_counter()
    each = max(now - last, 1e-9)
    if now - begin + _LEAST * each > _SECONDS or not _agree(known, x_name, rows):
        return {}
    n_more = min(_MOST, max(_LEAST, int(_WANTED / each)))
    more = set(np.linspace(min(rows), max(rows), n_more).tolist()) - set(rows)
    return rows | {value: known_exactly(build(**{x_name: value}))[0] for value in more}


def builder(table: xr.Dataset, fixed: dict[str, Any]) -> Callable[..., Any]:
    """Makes the system of a scan or curve from the couplings that are not fixed."""
    import lattices
    from edgphys.systems import registry

    couplings = dict(fixed)
    attrs = attrs_at(table.attrs, couplings.pop(EXTENT)) if EXTENT in fixed else table.attrs
    if attrs.get("n_sites", 0) > _MOST_SITES:
        raise ArgumentValueError(
            f"n_sites must be at most {_MOST_SITES} for exact results, got {attrs['n_sites']}"
        )
    lattice = None
    if "lattice" in attrs:
        extent, pbc = (tuple(int(n) for n in np.atleast_1d(attrs[name])) for name in ("extent", "pbc"))
        lattice = lattices.build(attrs["lattice"], extent, tuple(map(bool, pbc)), allow_double_bonds=True)
    parameters = json.loads(attrs["parameters"]) | couplings
    return functools.partial(registry.build, attrs["system"], lattice, **parameters)


def _agree(known: xr.Dataset, x_name: str, rows: dict[float, dict[str, float]]) -> bool:
    """Whether the results of every point are those in the table, and something is known at every point."""
    for value, row in rows.items():
        cell = known.sel({x_name: value})
        shared = [name for name in row if name in cell]
        if not shared or not all(
            np.isclose(row[name], float(cell[name]), rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
            for name in shared
        ):
            return False
    return True
