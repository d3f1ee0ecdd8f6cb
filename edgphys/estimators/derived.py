# SPDX-License-Identifier: MIT
"""Estimates as functions of the means of per-draw (primary) observables, with their derivatives.

Each estimate is f(<a_1>, ..., <a_p>), where a_k are columns measured on every draw; the functions are those
of `edgphys.observables` and serve weighted draws, Markov chains and their resampled copies: a name has one
definition everywhere. Systems without a lattice name observables and basins (a, b) of their own:

    <observable>            its average; of an indicator the population of a basin
    free_energy_difference  F_a - F_b = -T log(p_a / p_b), one of p_a, p_b an observable, the other 1 minus it

The energy enters its variance as E - E_0 with a fixed E_0 near the mean: exact for any E_0, and free of the
cancellation between two large numbers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from edgphys.dataset.padding import drawn, pooled
from edgphys.estimators.fluctuations import is_still
from edgphys.observables import ESTIMATES, PRIMARIES, ROTOR, SHIFTED, STAGGERED, TABLE, Means

__all__ = ["Primaries", "derived", "errors_unknown", "gradient", "has_primaries", "read_primaries"]

_NO_WAVE = 1e-20  # relative to the uniform configuration; a single spin of a million turned gives 4e-12


@dataclass(frozen=True)
class Primaries:
    """Columns measured on every draw, and the constants that the definitions need.

    Attributes
    ----------
    names : tuple of str
        Names of the columns.
    columns : float64 array, shape (n_columns, *draw axes)
        The values.
    beta, n_sites, linear_size, energy_zero : float
        Inverse temperature, number of sites (without a lattice, of variables), geometric mean extent, E_0 of
        the shifted energy.
    z2_symmetric : bool
        Whether <m> = 0 exactly.
    own : tuple of str
        Columns that are the system's own observables.
    basins : tuple of str
        () or the two basins between which a difference of free energies is taken.
    constants : tuple of str
        Columns that are the same in all configurations, by nature of the system.
    momenta : tuple of float
        khat of the lowest momentum along each axis, `lattices.momenta.lattice_momenta`.
    sublattices_alike : bool
        Whether the staggered magnetization is 0 exactly.
    """

    names: tuple[str, ...]
    columns: np.ndarray
    beta: float
    n_sites: float
    linear_size: float
    energy_zero: float
    z2_symmetric: bool
    own: tuple[str, ...] = ()
    basins: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()
    momenta: tuple[float, ...] = (float("nan"),)
    sublattices_alike: bool = False

    def means(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Name the last axis of `values`, shape (..., n_columns)."""
        return {name: values[..., k] for k, name in enumerate(self.names)}

    def tracked(self) -> tuple[str, ...]:
        """Columns whose autocorrelation the estimates depend on (the sign of m, only without Z2 symmetry)."""
        skipped = {SHIFTED, "correlator_zero", "staggered_correlator_zero", *self.constants}
        skipped |= {"magnetization"} if self.z2_symmetric else set()
        skipped |= {"staggered_magnetization"} if self.sublattices_alike else set()
        return tuple(name for name in self.names if name not in skipped) or self.names[:1]

    def tracked_columns(self) -> dict[str, np.ndarray]:
        """The columns of `tracked`, by name; none that is constant by nature."""
        return {name: self.columns[self.names.index(name)] for name in self.tracked()}

    def with_energy_zero(self, energy_zero: float) -> Primaries:
        """The same with another E_0."""
        energy, columns = self.columns[self.names.index("energy")], self.columns.copy()
        columns[self.names.index(SHIFTED)] = (energy - energy_zero) ** 2
        return replace(self, columns=columns, energy_zero=energy_zero)

    def still(self, weights: np.ndarray | None = None) -> set[str]:
        """Columns that could fluctuate and do not, over chains or over draws of positive weight."""
        seen = self.columns if weights is None else self.columns[:, weights > 0.0]
        pairs = zip(self.names, seen, strict=True)
        return {name for name, column in pairs if name not in self.constants and is_still(column)}


def read_primaries(samples: xr.Dataset, dims: tuple[str, ...]) -> Primaries:
    """Take the primary columns out of a sample dataset and check that they are finite.

    Parameters
    ----------
    samples : Dataset
        A sample dataset with the attributes ``beta``, ``n_sites``, ``linear_size`` and ``z2_symmetric``; or,
        for a system without a lattice, ``beta`` and ``n_variables``.
    dims : tuple of str
        The draw dimensions, in the order wanted: ``("draw",)`` or ``("chain", "draw")``.

    Returns
    -------
    Primaries
        NaN beyond the end of a shorter chain.

    Raises
    ------
    ValueError
        If an attribute is missing, there is no known observable, or one has other dims or values that are not
        finite.

    Examples
    --------
    >>> attrs = dict(beta=1.0, n_sites=4, linear_size=2.0, z2_symmetric=1)
    >>> p = read_primaries(xr.Dataset({"energy": ("draw", [1.0, 3.0])}, attrs=attrs), ("draw",))
    >>> p.names, p.energy_zero
    (('energy', 'energy_shifted_2'), 2.0)
    """
    attrs, missing = _constants(samples)
    if missing:
        raise ValueError(
            f"samples must have the attrs beta, n_sites, linear_size, z2_symmetric; missing {missing}"
        )
    own, names = _names(samples)
    constants = json.loads(attrs.get("constants", "[]"))
    if not names:
        raise ValueError(f"samples must hold at least one of {PRIMARIES}, got {tuple(samples.data_vars)}")
    columns = [_column(samples, name, dims) for name in names]
    powers = [k for k, name in enumerate(names) if "correlator_" in name]
    least = _NO_WAVE * max((np.nanmax(columns[k]) for k in powers), default=0.0)
    for k in powers:  # a wave over an ordered configuration adds up to zero, up to rounding
        columns[k] = np.where(columns[k] <= least, 0.0, columns[k])
    energy_zero = 0.0
    if "energy" in names:
        energy = columns[names.index("energy")]
        energy_zero = float(pooled(energy).mean())
        names.append(SHIFTED)
        columns.append((energy - energy_zero) ** 2)
    return Primaries(
        names=tuple(names),
        columns=np.stack(columns),
        beta=float(attrs["beta"]),
        n_sites=float(attrs["n_sites"]),
        linear_size=float(attrs["linear_size"]),
        energy_zero=energy_zero,
        z2_symmetric=bool(attrs["z2_symmetric"]),
        own=tuple(own),
        basins=tuple(json.loads(attrs.get("basins", "[]"))) if own else (),
        constants=(*constants, *((SHIFTED,) if "energy" in constants else ())),
        momenta=_momenta(attrs),
        sublattices_alike=bool(attrs.get("sublattices_alike", attrs["z2_symmetric"])),
    )


def _momenta(attrs: dict[str, Any]) -> tuple[float, ...]:
    """khat along each axis; of files from before it was stored, where the linear size says it, else NaN."""
    if "lattice_momenta" in attrs:
        return tuple(float(momentum) for momentum in np.atleast_1d(attrs["lattice_momenta"]))
    sides = np.atleast_1d(attrs.get("extent", attrs["linear_size"]))
    cubic = attrs.get("lattice", "square") in ("chain", "square", "cubic", "hypercubic")
    same = cubic and np.all(sides == sides[0])
    return (2.0 * float(np.sin(np.pi / attrs["linear_size"])) if same else np.nan,)


def has_primaries(samples: xr.Dataset) -> bool:
    """Whether `read_primaries` finds attributes and observables: it does in what this package has sampled."""
    return not _constants(samples)[1] and bool(_names(samples)[1])


def derived(primaries: Primaries, means: Means) -> dict[str, np.ndarray]:
    """All estimates that the columns at hand can give, from means of the columns.

    Parameters
    ----------
    primaries : Primaries
        Constants of the definitions; its columns are not read.
    means : mapping of name -> array, shape (...)
        Means of the columns, real or complex (see `gradient`), all of one shape.

    Returns
    -------
    dict of name -> array, shape (...)
        NaN where the definition has no value.

    Examples
    --------
    >>> p = Primaries((), np.empty(0), 2.0, 4.0, 2.0, 0.0, z2_symmetric=True)      # beta = 2, n_sites = 4
    >>> {k: float(v) for k, v in derived(p, {"magnetization_2": 0.5, "magnetization_4": 0.25}).items()}
    {'susceptibility': 4.0, 'binder_cumulant': 0.6666666666666667}
    """
    out = {}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for name in (*ESTIMATES, *STAGGERED, *ROTOR):
            record = TABLE[name]
            if record.formula and all(key in means for key in record.needs):
                out[name] = record.formula(primaries, means)
        out |= {name: means[name] for name in primaries.own if name in means}
        if any(name in means for name in primaries.basins):
            formula = TABLE["free_energy_difference"].formula
            assert formula is not None
            out["free_energy_difference"] = formula(primaries, means)
    return out


def gradient(primaries: Primaries, means: np.ndarray) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Estimates at the means, and their derivatives with respect to every column, by a complex step.

    f(a + i h e_k) = f(a) + i h df/da_k + O(h^2) with h = 1e-30: exact to rounding, no difference of near
    numbers.

    Parameters
    ----------
    primaries : Primaries
        Names and constants.
    means : array, shape (n_columns,)
        Means of the columns.

    Returns
    -------
    values : dict of name -> float
    gradients : dict of name -> float64 array, shape (n_columns,)

    References
    ----------
    W. Squire and G. Trapp, SIAM Review 40 (1998) 110, doi:10.1137/S003614459631241X.
    """
    step = 1e-30
    perturbed = means + 1j * step * np.eye(len(means))
    values = derived(primaries, primaries.means(means))
    slopes = derived(primaries, primaries.means(perturbed))
    gradients = {name: np.broadcast_to(np.imag(slope) / step, means.shape) for name, slope in slopes.items()}
    return {name: float(np.real(value)) for name, value in values.items()}, gradients


def errors_unknown(
    primaries: Primaries, gradients: Mapping[str, np.ndarray], still: Collection[str]
) -> dict[str, bool]:
    """Estimates whose errors the draws do not show: True for unknown, False for none.

    Parameters
    ----------
    primaries : Primaries
        Names and constants.
    gradients : mapping of name -> array, shape (n_columns,)
        As `gradient` gives them.
    still : collection of str
        Columns that could fluctuate and do not.

    Returns
    -------
    dict of name -> bool
        True where every column that the estimate depends on is constant, one at least not by nature; False
        where all are constant by nature, or there is none: it has no error. Others are left out.
    """
    known = {}
    for name, slope in gradients.items():
        used = {primaries.names[k] for k in np.flatnonzero(slope)} - set(primaries.constants)
        if used <= set(still):
            known[name] = bool(used)
    return known


def _constants(samples: xr.Dataset) -> tuple[dict[str, Any], list[str]]:
    """Attributes with the constants of the definitions, and the names of those that are missing."""
    attrs: dict[str, Any] = {str(name): value for name, value in samples.attrs.items()}
    if "n_variables" in attrs:  # no lattice: no length, and no magnetization to have a symmetry
        attrs = {"n_sites": attrs["n_variables"], "linear_size": np.nan, "z2_symmetric": 0} | attrs
    return attrs, [key for key in ("beta", "n_sites", "linear_size", "z2_symmetric") if key not in attrs]


def _names(samples: xr.Dataset) -> tuple[list[str], list[str]]:
    """Observables of the system's own, and all that are known."""
    own = [name for name in json.loads(samples.attrs.get("observables", "[]")) if name in samples]
    return own, [name for name in (*PRIMARIES, *own) if name in samples]


def _column(samples: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    variable = samples[name]
    if set(variable.dims) != set(dims):
        raise ValueError(f"{name} must have the dims {dims}, got {variable.dims}")
    values, there = np.asarray(variable.transpose(*dims).values, dtype=np.float64), drawn(samples, dims)
    n_bad = int(np.count_nonzero(~np.isfinite(values) & there))
    if n_bad:
        raise ValueError(f"{name} must be finite on every draw, got {n_bad} of {values.size} that are not")
    return values if there.all() else np.where(there, values, np.nan)
