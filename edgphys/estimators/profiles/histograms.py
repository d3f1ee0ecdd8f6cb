# SPDX-License-Identifier: MIT
r"""Densities and free energies over bins of a scalar, for weighted draws and chains alike.

    energy_histogram     p(E), probability density
    free_energy_profile  F(s) = -T log p(s) along a coordinate s, p(s) a density

Bins are averages over their width: F of a bin is -T log of the mean density in it. Weights are those of the
joint space. Error bars are one standard error, of each bin on its own; neighbouring bins are correlated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys.estimators.profiles.averages import Coordinate, averages, column
from edgphys.estimators.profiles.bins import bin_edges, density_over, one_hot
from edgphys.estimators.profiles.boltzmann_inversion import positive_or_nan, temperature_of
from edgphys.estimators.profiles.profile_dataset import profile_dataset

__all__ = ["energy_histogram", "free_energy_profile"]


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
        ``density``, ``density_err`` over the dimension ``energy`` (centres of the bins), and ``outside``, the
        share of weight outside of the bins.

    Raises
    ------
    TypeError, ValueError
        If `samples` or `bins` are of the wrong kind or value.
    """
    energy = column(samples, "energy")
    edges = bin_edges(bins, energy.min(), energy.max())
    density, errors, outside = density_over(samples, energy, edges)
    return profile_dataset(
        samples,
        {"energy": edges},
        {
            "density": (("energy",), density, "probability density of the total energy, mean over the bin"),
            "outside": ((), outside, "share of the weight outside of the bins"),
        },
        {"density": (("energy",), errors)},
    )


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
        ``free_energy`` and ``density``, with errors, over the dimension ``coordinate`` (centres of the bins),
        and ``outside``. Empty bins have the density 0 and a NaN free energy.

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
    edges = bin_edges(bins, values.min(), values.max())
    density, errors, outside = density_over(samples, values, edges)
    widths = np.diff(edges)
    energy, energy_errors = averages(
        samples, one_hot(values, edges), lambda p: -scale * np.log(positive_or_nan(p) / widths)
    )
    return profile_dataset(
        samples,
        {"coordinate": edges},
        {
            "free_energy": (("coordinate",), energy, "-T log of the mean density in the bin"),
            "density": (("coordinate",), density, "probability density of the coordinate, mean over the bin"),
            "outside": ((), outside, "share of the weight outside of the bins"),
        },
        {"free_energy": (("coordinate",), energy_errors), "density": (("coordinate",), errors)},
    )
