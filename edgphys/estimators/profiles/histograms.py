# SPDX-License-Identifier: MIT
r"""Densities and free energies over bins of a scalar, for weighted draws and chains alike.

    energy_histogram     p(E), probability density
    free_energy_profile  F(s) = -T log p(s) along a coordinate s, p(s) a density

Bins are averages over their width: F of a bin is -T log of the mean density in it. Weights are those of the
joint space. Error bars are one standard error, of each bin on its own; neighbouring bins are correlated. A
bin of fewer than ten independent visits has a density and no free energy, see
`edgphys.estimators.profiles.shares`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.profiles.averages import Coordinate, averages, column, label_of
from edgphys.estimators.profiles.bins import bin_edges, one_hot
from edgphys.estimators.profiles.boltzmann_inversion import positive_or_nan, temperature_of
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.profiles.shares import VISITS, Shares, shares
from edgphys.recording.record import recorded

__all__ = ["energy_histogram", "free_energy_profile"]


@recorded("energy_histogram")
def energy_histogram(samples: xr.Dataset, bins: int | Sequence[float] = 60) -> xr.Dataset:
    """Probability density of the energy.

    Parameters
    ----------
    samples : Dataset
        With the variable ``energy``.
    bins : int or increasing edges
        At least one equal bin over the range of the energies, or edges, all finite.

    Returns
    -------
    Dataset
        ``density``, ``density_err`` and ``n_visits`` over the dimension ``energy`` (centres of the bins);
        ``outside``, the share of weight outside of the bins; the diagnostics of the draws. attrs:
        ``warning``, why not to trust it, empty otherwise.

    Raises
    ------
    TypeError, ValueError
        If `samples` or `bins` are of the wrong kind or value.
    """
    energy = column(samples, "energy")
    edges = bin_edges(bins, np.nanmin(energy), np.nanmax(energy))
    diagnosis = diagnose(samples, {"energy": energy})
    found, widths = shares(samples, one_hot(energy, edges), diagnosis), np.diff(edges)
    words = "probability density of the total energy, mean over the bin"
    return profile_dataset(
        samples,
        diagnosis,
        {"energy": edges},
        {"density": (("energy",), found.values / widths, words)} | _about(found, "energy"),
        {"density": (("energy",), found.errors / widths)},
    )


@recorded("free_energy_profile")
def free_energy_profile(
    samples: xr.Dataset,
    coordinate: Coordinate,
    bins: int | Sequence[float] = 60,
    *,
    temperature: float | None = None,
) -> xr.Dataset:
    """Free energy along a coordinate.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    coordinate : str or callable
        Name of a variable, or a function of configurations, (n, *event_shape) -> (n,).
    bins : int or increasing edges
        At least one equal bin over the range of the coordinate, or edges, all finite.
    temperature : float, optional
        Positive; that of the attributes by default.

    Returns
    -------
    Dataset
        ``free_energy`` and ``density``, with errors, and ``n_visits`` over the dimension ``coordinate``
        (centres of the bins); ``outside``; the diagnostics of the draws. Bins of fewer than ten independent
        visits have a NaN free energy, empty ones the density 0 with the error of what so many draws cannot
        have seen. attrs: ``warning``, why not to trust it, empty otherwise.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value, or no temperature is known.

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(size=(2, 500))
    >>> chains = xr.Dataset({"x": (("chain", "draw"), x)}, attrs={"temperature": 2.0})
    >>> profile = free_energy_profile(chains, "x", [0.0, 0.5, 1.0])
    >>> bool((abs(profile.free_energy) < 3 * profile.free_energy_err).all())
    True
    """
    scale = temperature_of(samples, temperature)
    values = column(samples, coordinate)
    edges = bin_edges(bins, np.nanmin(values), np.nanmax(values))
    diagnosis = diagnose(samples, {label_of(coordinate, "coordinate"): values})
    columns, widths = one_hot(values, edges), np.diff(edges)
    found = shares(samples, columns, diagnosis)
    energy, energy_errors = averages(
        samples, columns, lambda p: -scale * np.log(positive_or_nan(p) / widths), diagnosis.window
    )
    energy, energy_errors = (np.where(found.are_rare, np.nan, array) for array in (energy, energy_errors))
    words = "probability density of the coordinate, mean over the bin"
    return profile_dataset(
        samples,
        diagnosis,
        {"coordinate": edges},
        {
            "free_energy": (("coordinate",), energy, "-T log of the mean density in the bin"),
            "density": (("coordinate",), found.values / widths, words),
        }
        | _about(found, "coordinate"),
        {
            "free_energy": (("coordinate",), energy_errors),
            "density": (("coordinate",), found.errors / widths),
        },
    )


def _about(found: Shares, dim: str) -> dict[str, tuple]:
    """Visits of the bins, and what is in none of them."""
    outside = float(1.0 - found.values.sum())
    return {
        "n_visits": ((dim,), found.n_visits, VISITS),
        "outside": ((), outside, "share of the weight outside of the bins"),
    }
