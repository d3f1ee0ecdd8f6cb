# SPDX-License-Identifier: MIT
"""Definitions of all estimates, as functions of the means of per-draw (primary) observables.

Each estimate is f(<a_1>, ..., <a_p>), where a_k are columns measured on every draw; the same functions serve
weighted draws, Markov chains and their resampled copies, so that a name has one definition everywhere:

    energy              <E>, total                        (phi^4: the action S, beta = 1)
    specific_heat       beta^2 (<E^2> - <E>^2) / n_sites      (without a lattice: / n_variables)
    magnetization       <m>, per site; 0 exactly for a Z2 symmetric system
    abs_magnetization   <|m|>
    susceptibility      beta n_sites (<m^2> - <m>^2), with <m> = 0 exactly for a Z2 symmetric system
    binder_cumulant     1 - <m^4> / (3 <m^2>^2)
    phi2                <phi^2>, mean over sites
    correlation_length  sqrt(G(0)/G(k_min) - 1) / (2 sin(pi/L)), second moment; NaN when the ratio is below 1;
                        G(0) = <correlator_zero>, less n_sites <m>^2 when there is no Z2 symmetry

Systems without a lattice name observables and basins (a, b) of their own in the attributes:

    <observable>            its average; of an indicator the population of a basin
    free_energy_difference  F_a - F_b = -T log(p_a / p_b), one of p_a, p_b an observable, the other 1 minus it

The energy enters its variance as E - E_0 with a fixed E_0 near the mean: exact for any E_0, and free of the
cancellation between two large numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

__all__ = ["DEFINITIONS", "ESTIMATES", "PRIMARIES", "Primaries", "derived", "gradient", "read_primaries"]

PRIMARIES = (
    "energy",
    "magnetization",
    "abs_magnetization",
    "magnetization_2",
    "magnetization_4",
    "correlator_zero",
    "correlator_min",
    "phi2",
)
_SHIFTED = "energy_shifted_2"  # (E - E_0)^2, made here from the energy

DEFINITIONS = {
    "energy": "<E>, total, in units of the coupling (a field theory: the action, dimensionless)",
    "specific_heat": "beta^2 (<E^2> - <E>^2) / n_sites, dimensionless (k_B = 1)",
    "magnetization": "<m>, per site; 0 exactly when z2_symmetric = 1",
    "abs_magnetization": "<|m|>, per site",
    "susceptibility": "beta n_sites (<m^2> - <m>^2), <m> = 0 exactly when z2_symmetric = 1",
    "binder_cumulant": "1 - <m^4> / (3 <m^2>^2), dimensionless",
    "phi2": "<phi^2>, mean over sites",
    "correlation_length": "sqrt(G(0)/G(k_min) - 1) / (2 sin(pi/L)), second moment, in lattice spacings",
    "log_z": "log of the partition function, natural logarithm",
    "free_energy": "-temperature log_z, total, in units of the coupling",
    "elbo": "mean of log_weight_joint: a lower bound on log_z in nats, not an estimate of it",
}
ESTIMATES = tuple(DEFINITIONS)

Means = Mapping[str, np.ndarray]


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

    def means(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Name the last axis of `values`, shape (..., n_columns)."""
        return {name: values[..., k] for k, name in enumerate(self.names)}

    def tracked(self) -> tuple[str, ...]:
        """Columns whose autocorrelation the estimates depend on (the sign of m, only without Z2 symmetry)."""
        skipped = {_SHIFTED, "correlator_zero"} | ({"magnetization"} if self.z2_symmetric else set())
        return tuple(name for name in self.names if name not in skipped) or self.names[:1]


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
    attrs = dict(samples.attrs)
    if "n_variables" in attrs:  # no lattice: no length, and no magnetization to have a symmetry
        attrs = {"n_sites": attrs["n_variables"], "linear_size": np.nan, "z2_symmetric": 0} | attrs
    missing = [key for key in ("beta", "n_sites", "linear_size", "z2_symmetric") if key not in attrs]
    if missing:
        raise ValueError(
            f"samples must have the attrs beta, n_sites, linear_size, z2_symmetric; missing {missing}"
        )
    own = [name for name in json.loads(attrs.get("observables", "[]")) if name in samples]
    names = [name for name in (*PRIMARIES, *own) if name in samples]
    if not names:
        raise ValueError(f"samples must hold at least one of {PRIMARIES}, got {tuple(samples.data_vars)}")
    columns = [_column(samples, name, dims) for name in names]
    energy_zero = 0.0
    if "energy" in names:
        energy = columns[names.index("energy")]
        energy_zero = float(energy.mean())
        names.append(_SHIFTED)
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
    )


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
        for name, (needed, function) in _FORMULAS.items():
            if all(key in means for key in needed):
                out[name] = function(primaries, means)
        out |= {name: means[name] for name in primaries.own if name in means}
        if any(name in means for name in primaries.basins):
            out["free_energy_difference"] = _free_energy_difference(primaries, means)
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
    gradients = {name: np.broadcast_to(slope.imag / step, means.shape) for name, slope in slopes.items()}
    return {name: float(np.real(value)) for name, value in values.items()}, gradients


def _column(samples: xr.Dataset, name: str, dims: tuple[str, ...]) -> np.ndarray:
    variable = samples[name]
    if set(variable.dims) != set(dims):
        raise ValueError(f"{name} must have the dims {dims}, got {variable.dims}")
    values = np.asarray(variable.transpose(*dims).values, dtype=np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(values)))
    if n_bad:
        raise ValueError(f"{name} must be finite on every draw, got {n_bad} of {values.size} that are not")
    return values


def _specific_heat(p: Primaries, mean: Means) -> np.ndarray:
    return p.beta**2 * (mean[_SHIFTED] - (mean["energy"] - p.energy_zero) ** 2) / p.n_sites


def _magnetization(p: Primaries, mean: Means) -> np.ndarray:
    return 0.0 * mean["magnetization"] + 0.0 if p.z2_symmetric else mean["magnetization"]


def _susceptibility(p: Primaries, mean: Means) -> np.ndarray:
    squared = 0.0 if p.z2_symmetric else mean["magnetization"] ** 2
    return p.beta * p.n_sites * (mean["magnetization_2"] - squared)


def _binder(p: Primaries, mean: Means) -> np.ndarray:
    # np.divide: 0/0 (no magnetization at all) is NaN, for plain floats as well
    return 1.0 - np.divide(mean["magnetization_4"], 3.0 * mean["magnetization_2"] ** 2)


def _correlation_length(p: Primaries, mean: Means) -> np.ndarray:
    disconnected = 0.0 if p.z2_symmetric else p.n_sites * mean["magnetization"] ** 2
    excess = np.divide(mean["correlator_zero"] - disconnected, mean["correlator_min"]) - 1.0
    length = np.sqrt(excess) / (2.0 * np.sin(np.pi / p.linear_size))
    return np.where((np.real(excess) >= 0.0) & np.isfinite(excess), length, np.nan)


def _free_energy_difference(p: Primaries, mean: Means) -> np.ndarray:
    a, b = p.basins
    of_a = mean[a] if a in mean else 1.0 - mean[b]
    of_b = mean[b] if b in mean else 1.0 - mean[a]
    seen = (np.real(of_a) > 0.0) & (np.real(of_b) > 0.0)  # rounding may leave less than nothing
    log_a, log_b = (np.log(np.where(seen, population, 1.0)) for population in (of_a, of_b))
    return np.where(seen, log_b - log_a, np.nan) / p.beta


Formula = tuple[tuple[str, ...], Callable[[Primaries, Means], np.ndarray]]
_FORMULAS: dict[str, Formula] = {
    "energy": (("energy",), lambda p, mean: mean["energy"]),
    "specific_heat": (("energy", _SHIFTED), _specific_heat),
    "magnetization": (("magnetization",), _magnetization),
    "abs_magnetization": (("abs_magnetization",), lambda p, mean: mean["abs_magnetization"]),
    "susceptibility": (("magnetization_2",), _susceptibility),
    "binder_cumulant": (("magnetization_2", "magnetization_4"), _binder),
    "phi2": (("phi2",), lambda p, mean: mean["phi2"]),
    "correlation_length": (("correlator_zero", "correlator_min"), _correlation_length),
}
