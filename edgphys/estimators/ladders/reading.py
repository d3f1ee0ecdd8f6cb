# SPDX-License-Identifier: MIT
"""What the estimators of free energies read from a ladder: reduced energies of all draws at all rungs.

Rung k has the weight exp(-a_k . X). A ladder is any dataset with ``action_terms`` X (rung, chain, draw, term)
and ``action_coefficients`` a (rung, term), whatever made it; the first dim may have any name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from edgphys._checks import count, finite, instance
from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.ladders.pool import LadderPool

__all__ = ["Ladder", "pool_of", "read_ladder", "rung_dataset", "spread"]


@dataclass(frozen=True)
class Ladder:
    """Arrays of a ladder.

    Attributes
    ----------
    dim : str
        Name of the dim of the rungs.
    terms : float64 array, shape (n_rungs, n_chains, n_draws, n_terms)
        X of each draw of each rung.
    coefficients : float64 array, shape (n_rungs, n_terms)
        a of each rung.
    reference : int
        The rung whose log Z is known.
    log_z_reference : float
        Its value.
    """

    dim: str
    terms: np.ndarray
    coefficients: np.ndarray
    reference: int
    log_z_reference: float

    @property
    def n_rungs(self) -> int:
        return len(self.coefficients)

    def step(self, pair: int) -> np.ndarray:
        """a_{k+1} - a_k, shape (n_terms,)."""
        return self.coefficients[pair + 1] - self.coefficients[pair]


def read_ladder(ladder: xr.Dataset, log_z_reference: float, reference: int) -> Ladder:
    """Check a dataset and take the arrays out.

    Raises
    ------
    TypeError
        If `ladder` is no Dataset.
    ValueError
        If a variable is missing, has other dims or is not finite, there are fewer than two rungs,
        `log_z_reference` is not finite or `reference` is no rung.
    """
    instance(ladder, "ladder", xr.Dataset, "an xarray.Dataset")
    for name in ("action_terms", "action_coefficients"):
        if name not in ladder:
            raise ValueError(
                f"ladder must hold {name}, got {', '.join(map(str, ladder.data_vars)) or 'none'}"
            )
    dim = str(ladder["action_coefficients"].dims[0])
    dims = (dim, "chain", "draw", "term")
    if set(ladder["action_terms"].dims) != set(dims):
        raise ValueError(f"action_terms must have the dims {dims}, got {ladder['action_terms'].dims}")
    terms = np.asarray(ladder["action_terms"].transpose(*dims).values, dtype=np.float64)
    coefficients = np.asarray(ladder["action_coefficients"].values, dtype=np.float64)
    n_rungs = len(coefficients)
    if n_rungs < 2:
        raise ValueError(f"ladder must have at least 2 rungs, got {n_rungs}")
    if not np.isfinite(terms).all():
        raise ValueError(f"action_terms must be finite, got {int((~np.isfinite(terms)).sum())} that are not")
    log_z_reference = finite(log_z_reference, "log_z_reference")
    reference = count(reference, "reference", -n_rungs, n_rungs - 1)
    return Ladder(dim, terms, coefficients, reference % n_rungs, log_z_reference)


def pool_of(ladder: xr.Dataset, most: int) -> LadderPool:
    """All draws of a ladder together, at most so many: every so manieth in time of each rung."""
    data = read_ladder(ladder, 0.0, 0)
    n_rungs, n_chains, n_draws, n_terms = data.terms.shape
    stride = max(1, -(-n_rungs * n_chains * n_draws // most))
    terms = data.terms[:, :, ::stride]
    counts = np.full(n_rungs, n_chains * terms.shape[2])
    return LadderPool(terms.reshape(-1, n_terms), counts, data.coefficients)


def spread(series: np.ndarray) -> tuple[float, bool]:
    """Standard error of the mean of a series (n_chains, n_draws), and whether its window closed."""
    result = gamma_method(series)
    return result.err, result.closed


def rung_dataset(
    source: xr.Dataset,
    ladder: Ladder,
    values: dict[str, np.ndarray],
    definitions: dict[str, str],
    notes: dict,
) -> xr.Dataset:
    """Dataset of kind "rungs", with the coordinates of the ladder; attrs are `notes` and what was sampled."""
    variables = {
        name: ((ladder.dim,), np.asarray(array, dtype=np.float64), {"definition": definitions[name]})
        for name, array in values.items()
    }
    coordinates = {
        name: (ladder.dim, coordinate.values)
        for name, coordinate in source.coords.items()
        if coordinate.dims == (ladder.dim,)
    }
    kept = ("system", "lattice", "extent", "pbc", "ladder", "seed", "n_energy_calls", "n_gradient_calls")
    attrs = {name: source.attrs[name] for name in kept if name in source.attrs}
    attrs |= {"kind": "rungs", "schema_version": SCHEMA_VERSION, "reference": ladder.reference}
    return xr.Dataset(variables, coords=coordinates, attrs=attrs | notes)
