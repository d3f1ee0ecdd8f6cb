# SPDX-License-Identifier: MIT
r"""Densities and free energies over bins of a scalar, for weighted draws and chains alike.

    energy_histogram     p(E), probability density
    free_energy_profile  F(s) = -T log p(s) along a coordinate s, p(s) a density, or a pair of two

Bins are averages over their width: F of a bin is -T log of the mean density in it. Weights are those of the
joint space. Error bars are one standard error, of each bin on its own; neighbouring bins are correlated. A
bin of fewer than ten independent visits has a density and no free energy, see
`edgphys.estimators.profiles.shares`.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys._checks import wrong
from edgphys.errors import ArgumentValueError
from edgphys.estimators.diagnosis import Diagnosis, diagnose
from edgphys.estimators.profiles.averages import Coordinate, averages, column, ends_of, label_of
from edgphys.estimators.profiles.bins import bin_edges, one_hot
from edgphys.estimators.profiles.boltzmann_inversion import positive_or_nan, temperature_of
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.profiles.shares import VISITS, Shares, shares
from edgphys.recording.record import recorded

__all__ = ["energy_histogram", "free_energy_profile"]

_OUTSIDE = "share of the weight outside of the bins"


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
    coordinate: Coordinate | Sequence[Coordinate],
    bins: int | Sequence[Any] = 60,
    *,
    temperature: float | None = None,
) -> xr.Dataset:
    """Free energy along a coordinate, or a pair of two.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    coordinate : str, int or callable, or a pair of these
        Name of a variable, number of a coordinate, or a function of configurations, (n, *event_shape) ->
        (n,).
    bins : int or increasing edges
        At least one equal bin over the range of the coordinate, or edges, all finite. For two coordinates an
        integer for both, or a pair. A numbered coordinate of a bounded domain ranges from end to end, any
        other over the draws.
    temperature : float, optional
        Positive; that of the attributes by default.

    Returns
    -------
    Dataset
        ``free_energy`` and ``density``, with errors, and ``n_visits`` over the dimension ``coordinate``
        (centres of the bins), of a pair over ``coordinate`` and ``other``, with the density of both;
        ``outside``; the diagnostics of the draws. Bins of fewer than ten independent
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
    along = _along(coordinate, bins)
    values = {dim: column(samples, one) for dim, (one, _) in along.items()}
    edges = {
        dim: bin_edges(of_dim, *_range(values[dim], *ends_of(samples, one)))
        for dim, (one, of_dim) in along.items()
    }
    diagnosis = diagnose(samples, {label_of(one, dim): values[dim] for dim, (one, _) in along.items()})
    *outer, (inner, last) = edges.items()
    rows = one_hot(values[outer[0][0]], outer[0][1]) if outer else [1.0]
    widths = np.diff(outer[0][1]) if outer else [1.0]
    within = one_hot(values[inner], last)
    # Row by row: of a map, all bins at once would be more than a memory.
    parts = [
        _row(samples, row * within, width * np.diff(last), scale, diagnosis)
        for row, width in zip(rows, widths, strict=True)
    ]
    shape, dims = tuple(len(one) - 1 for one in edges.values()), tuple(edges)
    found = {name: np.reshape([part[name] for part in parts], shape) for name in parts[0]}
    texts = {
        "free_energy": "-T log of the mean density in the bin",
        "density": f"probability density of the {'coordinate' if len(dims) == 1 else 'two coordinates'}, "
        "mean over the bin",
        "n_visits": VISITS,
    }
    outside = float(1.0 - found["share"].sum())
    return profile_dataset(
        samples,
        diagnosis,
        edges,
        {name: (dims, found[name], text) for name, text in texts.items()}
        | {"outside": ((), outside, _OUTSIDE)},
        {name: (dims, found[f"{name}_err"]) for name in ("free_energy", "density")},
    )


def _along(coordinate: Coordinate | Sequence[Coordinate], bins: Any) -> dict[str, tuple[Coordinate, Any]]:
    """Coordinate and bins of each dim."""
    if isinstance(coordinate, str | int) or callable(coordinate):
        return {"coordinate": (coordinate, bins)}
    if len(coordinate) != 2:
        raise wrong(ArgumentValueError, "coordinate", "one, or a pair of two", coordinate)
    pair = [bins, bins] if isinstance(bins, numbers.Integral) else bins
    if np.ndim(np.array(pair, dtype=object)) == 0 or len(pair) != 2:
        raise wrong(ArgumentValueError, "bins", "an integer, or a pair for two coordinates", bins)
    return dict(zip(("coordinate", "other"), zip(coordinate, pair, strict=True), strict=True))


def _range(values: np.ndarray, low: float | None, high: float | None) -> tuple[float, float]:
    """From end to end, or as far as the values go where there is none."""
    return (
        float(np.nanmin(values)) if low is None else low,
        float(np.nanmax(values)) if high is None else high,
    )


def _row(
    samples: xr.Dataset, columns: np.ndarray, widths: np.ndarray, scale: float, diagnosis: Diagnosis
) -> dict[str, np.ndarray]:
    """Numbers of some bins, with errors; NaN where there are too few visits."""
    found = shares(samples, columns, diagnosis)
    energy, errors = averages(
        samples, columns, lambda p: -scale * np.log(positive_or_nan(p) / widths), diagnosis.window
    )
    return {
        "free_energy": np.where(found.are_rare, np.nan, energy),
        "free_energy_err": np.where(found.are_rare, np.nan, errors),
        "density": found.values / widths,
        "density_err": found.errors / widths,
        "n_visits": found.n_visits,
        "share": found.values,
    }


def _about(found: Shares, dim: str) -> dict[str, tuple]:
    """Visits of the bins, and what is in none of them."""
    outside = float(1.0 - found.values.sum())
    return {
        "n_visits": ((dim,), found.n_visits, VISITS),
        "outside": ((), outside, _OUTSIDE),
    }
