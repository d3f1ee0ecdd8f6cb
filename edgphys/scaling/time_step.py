# SPDX-License-Identifier: MIT
r"""Estimates of a path integral without time step: least squares in powers of the square of the step.

Trotter's formula, taken in its symmetric form, leaves an error even in the step tau = beta / n_slices:

    A(n) = A + a_1 / n^2 + a_2 / n^4 + ...

The estimates of several n_slices are fitted with the first terms, weighted by their errors; the error of A is
that of the fit, and chi^2 per degree of freedom tells whether there are enough terms.

References
----------
Suzuki, J. Math. Phys. 26, 601 (1985), doi:10.1063/1.526596 (even powers). Fye, Phys. Rev. B 33, 6271 (1986),
doi:10.1103/PhysRevB.33.6271.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.dataset.merging import merge
from edgphys.errors import DatasetError
from edgphys.observables import TABLE
from edgphys.recording.record import recorded

__all__ = ["extrapolate_time_step"]

_DIM = "n_slices"
_RESULTS = ("estimate", "own", "staggered")


@recorded("extrapolate_time_step")
def extrapolate_time_step(tables: xr.Dataset | Iterable[xr.Dataset], *, n_terms: int = 1) -> xr.Dataset:
    """Estimates at time step 0 from those at several, method by method and point by point.

    Parameters
    ----------
    tables : Dataset or iterable of Dataset
        A scan over ``n_slices``, and over whatever else; or estimates or scans that differ in it.
    n_terms : int
        Of the fit, besides the result: n_terms + 2 values of `n_slices` show whether they are enough.

    Returns
    -------
    Dataset
        The scan without ``n_slices``: each result with its error, as ``<name>_chi2`` the chi^2 per degree of
        freedom of its fit (NaN without any), and what has no error, as exact results, if it is the same at
        all steps. NaN where fewer than n_terms + 1 values of a method have errors.

    Raises
    ------
    DatasetError
        If there is no dimension ``n_slices`` of n_terms + 1 values.

    Examples
    --------
    >>> import edgphys as ep, lattices
    >>> chain = lattices.build("chain", (4,))
    >>> make = lambda n_slices: ep.TransverseIsing(chain, 1.0, 0.5, n_slices=n_slices)
    >>> options = {"methods": ["swendsen_wang"], "mcmc": {"n_sweeps": 400}, "seed": 1, "progress": False}
    >>> table = ep.scan(make, n_slices=[4, 8], **options)
    >>> extrapolate_time_step(table)["energy"].dims
    ('method',)
    """
    n_terms = _checks.count(n_terms, "n_terms", 1)
    table = tables if isinstance(tables, xr.Dataset) else merge(list(tables))
    if table.sizes.get(_DIM, 0) <= n_terms:
        came = f"{table.sizes.get(_DIM, 0)} of them"
        raise DatasetError(
            f"tables must have a dimension {_DIM} of at least {n_terms + 1} values, got {came}"
        )
    n = table[_DIM].values.astype(float)
    powers = (n[:, None] / n.max()) ** (-2.0 * np.arange(n_terms + 1))
    variables = {}
    for name in map(str, table.data_vars):
        if f"{name}_err" in table and _is_result(name):
            variables |= _fitted(table, name, powers)
    attrs = dict(table.attrs) | {"couplings": json.dumps([c for c in _couplings(table) if c != _DIM])}
    words = {f"{name}_chi2": f"chi^2 per degree of freedom of the fit of {name}" for name in table.data_vars}
    words = {name: text for name, text in words.items() if name in variables}
    attrs["definitions"] = json.dumps(json.loads(attrs["definitions"]) | words)
    attrs["extrapolated"] = json.dumps({_DIM: n.astype(int).tolist(), "n_terms": n_terms})
    result = xr.Dataset(variables, attrs=attrs)
    return result.assign_coords({name: table[name] for name in table.coords if table[name].dims != (_DIM,)})


def _is_result(name: str) -> bool:
    return name not in TABLE or TABLE[name].role in _RESULTS


def _couplings(table: xr.Dataset) -> list[str]:
    return json.loads(table.attrs.get("couplings", "[]"))


def _fitted(table: xr.Dataset, name: str, powers: NDArray[np.float64]) -> dict[str, xr.Variable]:
    values = table[name].transpose(..., _DIM)
    errors = table[f"{name}_err"].transpose(..., _DIM)
    rows = values.values.reshape(-1, len(powers)), errors.values.reshape(-1, len(powers))
    fits = np.array([_fit(value, error, powers) for value, error in zip(*rows, strict=True)])
    dims, shape = values.dims[:-1], values.shape[:-1]
    names = name, f"{name}_err", f"{name}_chi2"
    return {one: xr.Variable(dims, fits[:, k].reshape(shape)) for k, one in enumerate(names)}


def _fit(
    values: NDArray[np.float64], errors: NDArray[np.float64], powers: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Value at step 0, its error and chi^2 per degree of freedom."""
    good = np.isfinite(values) & np.isfinite(errors)
    if good.any() and not errors[good].any():
        same = np.ptp(values[good]) <= 1e-9 * np.abs(values[good]).max()
        return (values[good][0], 0.0, np.nan) if same else (np.nan, np.nan, np.nan)
    good &= errors > 0.0
    n, n_terms = int(good.sum()), powers.shape[1]
    if n < n_terms:
        return np.nan, np.nan, np.nan
    design, target = powers[good] / errors[good, None], values[good] / errors[good]
    solution, *_ = np.linalg.lstsq(design, target, rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    excess = float(np.sum((target - design @ solution) ** 2))
    return solution[0], float(np.sqrt(covariance[0, 0])), excess / (n - n_terms) if n > n_terms else np.nan
