# SPDX-License-Identifier: MIT
r"""Observables of molecular systems, for weighted draws and chains alike: xarray datasets with error bars.

    energy_histogram     p(E), probability density
    pair_distances       p(r), density of the distance of a pair, and p(r) / (S_D r^{D-1}), S_D the surface of
                         the unit sphere: what g(r) is in a box, but without a mean density to divide by
    average              <a> of any scalar, such as the radius of gyration
    free_energy_profile  F(s) = -T log p(s) along a coordinate s, p(s) a density
    basins               populations p_b, and F_b - F_0 = -T log(p_b / p_0)

Bins are averages over their width: F of a bin is -T log of the mean density in it. Weights are those of the
joint space. Error bars are one standard error, of each bin on its own; neighbouring bins are correlated.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr

from edgphys._checks import numbers_of, one_line
from edgphys.estimators.profiles.averages import Coordinate, averages, column, draw_dims

__all__ = ["average", "basins", "energy_histogram", "free_energy_profile", "pair_distances"]


def average(samples: xr.Dataset, coordinate: Coordinate, name: str | None = None) -> xr.Dataset:
    """Mean of a scalar, with its error.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    coordinate : str or callable
        Name of a variable, or a function of configurations, (n, *event_shape) -> (n,).
    name : str, optional
        Name of the result; that of the variable or of the function by default.

    Returns
    -------
    Dataset
        ``<name>`` and ``<name>_err``.

    Examples
    --------
    >>> draws = {"energy": ("draw", np.arange(4.0)), "log_weight_joint": ("draw", np.zeros(4))}
    >>> table = average(xr.Dataset(draws), "energy")
    >>> float(table.energy), round(float(table.energy_err), 6)
    (1.5, 0.645497)
    """
    label = name or (
        coordinate if isinstance(coordinate, str) else getattr(coordinate, "__name__", "average")
    )
    values, errors = averages(samples, column(samples, coordinate)[None])
    return _table(samples, {}, {label: ((), values[0], f"average of {label}")}, {label: ((), errors[0])})


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
    edges = _edges(bins, energy.min(), energy.max())
    density, errors, outside = _density(samples, energy, edges)
    return _table(
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
    scale = _temperature(samples, temperature)
    values = column(samples, coordinate)
    edges = _edges(bins, values.min(), values.max())
    density, errors, outside = _density(samples, values, edges)
    widths = np.diff(edges)
    energy, energy_errors = averages(
        samples, _one_hot(values, edges), lambda p: -scale * np.log(_or_nan(p) / widths)
    )
    return _table(
        samples,
        {"coordinate": edges},
        {
            "free_energy": (("coordinate",), energy, "-T log of the mean density in the bin"),
            "density": (("coordinate",), density, "probability density of the coordinate, mean over the bin"),
            "outside": ((), outside, "share of the weight outside of the bins"),
        },
        {"free_energy": (("coordinate",), energy_errors), "density": (("coordinate",), errors)},
    )


def pair_distances(samples: xr.Dataset, bins: int | Sequence[float] = 80) -> xr.Dataset:
    """Distribution of the distances of pairs of particles.

    Parameters
    ----------
    samples : Dataset
        With ``configurations``, positions of the particles, dims (..., particle, axis).
    bins : int or increasing edges
        At least one equal bin from 0 to the largest distance, or edges, finite and not negative.

    Returns
    -------
    Dataset
        ``density`` p(r), integral 1; ``radial_density`` p(r) / (S_D r^{D-1}), exact shell volumes; errors of
        both; over the dimension ``distance``.

    Raises
    ------
    TypeError, ValueError
        If there are no configurations of particles, or `bins` are of the wrong kind or value.
    """
    dims = draw_dims(samples)
    if "configurations" not in samples or samples["configurations"].ndim != len(dims) + 2:
        came = samples["configurations"].dims if "configurations" in samples else "none"
        raise ValueError(f"samples must hold configurations with the dims (..., particle, axis), got {came}")
    positions = np.asarray(samples["configurations"].transpose(*dims, ...).values, np.float64)
    shape, (n_particles, n_axes) = positions.shape[:-2], positions.shape[-2:]
    if n_particles < 2:
        raise ValueError(f"samples must hold configurations of two or more particles, got {n_particles}")
    positions = positions.reshape(-1, n_particles, n_axes)
    first, second = np.triu_indices(n_particles, 1)
    # The diameter of a configuration is at most twice its largest distance from the mean.
    centred = positions - positions.mean(axis=1, keepdims=True)
    edges = _edges(bins, 0.0, 2.0 * np.linalg.norm(centred, axis=2).max())
    if edges[0] < 0.0:
        raise ValueError(f"bins must be distances, not negative, got {edges[0]:g}")
    shares = np.empty((len(positions), len(edges) - 1))
    for start in range(0, len(positions), 4096):
        part = positions[start : start + 4096]
        r = np.linalg.norm(part[:, first] - part[:, second], axis=2)
        shares[start : start + 4096] = _counts(r, edges) / len(first)
    columns = shares.T.reshape(-1, *shape)
    values, errors = averages(samples, columns)
    widths = np.diff(edges)
    ball = math.pi ** (n_axes / 2) / math.gamma(n_axes / 2 + 1)
    shells = ball * np.diff(edges**n_axes)
    return _table(
        samples,
        {"distance": edges},
        {
            "density": (
                ("distance",),
                values / widths,
                "density of the distance of a pair, mean over the bin",
            ),
            "radial_density": (
                ("distance",),
                values / shells,
                "probability that a given pair is in the shell over the volume of the shell",
            ),
        },
        {
            "density": (("distance",), errors / widths),
            "radial_density": (("distance",), errors / shells),
        },
    )


def basins(
    samples: xr.Dataset,
    label: Coordinate,
    names: Sequence[str],
    *,
    reference: int = 0,
    temperature: float | None = None,
) -> xr.Dataset:
    """Populations of basins, and differences of their free energies.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    label : str or callable
        Name of a variable, or a function of configurations, whose values are the number of the basin: 0, 1,
        ... in
        the order of `names`; other values are in no basin.
    names : sequence of str
        Names of the basins, all different.
    reference : int
        Number of the basin from which differences are taken.
    temperature : float, optional
        Positive; that of the attributes by default.

    Returns
    -------
    Dataset
        ``population`` and ``free_energy_difference``, with errors, over the dimension ``basin``;
        `unassigned`, the population outside of all basins. An empty basin has a NaN difference.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or value, or no temperature is known.

    Examples
    --------
    >>> upper = np.random.default_rng(0).random((4, 500)) < 0.8
    >>> chains = xr.Dataset({"upper": (("chain", "draw"), upper)}, attrs={"temperature": 1.0})
    >>> table = basins(chains, "upper", ["lower", "upper"])
    >>> z = (table.free_energy_difference - np.log([1.0, 0.25])) / table.free_energy_difference_err
    >>> bool(abs(z[1]) < 3)
    True
    """
    scale = _temperature(samples, temperature)
    names = _check_names(names)
    if not isinstance(reference, numbers.Integral) or isinstance(reference, bool):
        came = one_line(reference)
        raise TypeError(f"reference must be an integer in 0 .. {len(names) - 1}, got {came}")
    if not 0 <= reference < len(names):
        raise ValueError(f"reference must be in 0 .. {len(names) - 1}, got {reference}")
    values = column(samples, label)
    columns = np.stack([values == k for k in range(len(names))]).astype(np.float64)
    population, population_errors = averages(samples, columns)
    difference, errors = averages(
        samples,
        columns,
        lambda p: -scale * (np.log(_or_nan(p)) - np.log(_or_nan(p))[..., reference : reference + 1]),
    )
    table = _table(
        samples,
        {},
        {
            "population": (("basin",), population, "probability of the basin"),
            "free_energy_difference": (
                ("basin",),
                difference,
                f"F - F_{names[reference]} = -T log(p / p_{names[reference]})",
            ),
            "unassigned": ((), 1.0 - population.sum(), "probability of being in no basin"),
        },
        {"population": (("basin",), population_errors), "free_energy_difference": (("basin",), errors)},
    )
    return table.assign_coords(basin=names)


def _or_nan(p: np.ndarray) -> np.ndarray:
    """p, and NaN in place of 0."""
    return np.where(p == 0.0, np.nan, p)


def _temperature(samples: xr.Dataset, temperature: float | None) -> float:
    draw_dims(samples)  # refuses what has no attributes to look into
    value = samples.attrs.get("temperature") if temperature is None else temperature
    if value is None:
        raise ValueError("temperature must be given where the attributes of samples have none, got None")
    if getattr(value, "ndim", None) == 0:  # a scalar variable of a dataset
        value = value.item()
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"temperature must be a positive finite number, got {one_line(value)}")
    if not 0.0 < value < math.inf:
        raise ValueError(f"temperature must be a positive finite number, got {value}")
    return float(value)


def _check_names(names: Sequence[str]) -> list[str]:
    allowed = "names must be a sequence of one or more texts, all different"
    each = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [None]
    if not all(isinstance(name, str) for name in each):
        raise TypeError(f"{allowed}, got {one_line(names)}")
    if not each or len(set(each)) < len(each):
        raise ValueError(f"{allowed}, got {one_line(names)}")
    return each


def _edges(bins: int | Sequence[float], low: float, high: float) -> np.ndarray:
    """Equal bins from low to high, or the edges that are given."""
    allowed = "an integer >= 1 or finite increasing edges"
    if isinstance(bins, numbers.Integral) and not isinstance(bins, bool):
        if bins < 1:
            raise ValueError(f"bins must be {allowed}, got {bins}")
        return np.linspace(low, high if high > low else low + 1.0, int(bins) + 1)
    edges = numbers_of(bins, "bins", allowed)
    fits = edges.ndim == 1 and len(edges) >= 2 and np.isfinite(edges).all()
    if not fits or not (np.diff(edges) > 0).all():
        raise ValueError(f"bins must be {allowed}, got {one_line(bins)}")
    return edges


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """How many of the values of each row, shape (n_rows, n), are in each bin; the last bin has both its
    edges."""
    n_bins = len(edges) - 1
    where = np.searchsorted(edges, values, side="right") - 1
    where[values == edges[-1]] = n_bins - 1
    inside = (where >= 0) & (where < n_bins)
    flat = (np.arange(len(values))[:, None] * n_bins + where)[inside]
    return np.bincount(flat, minlength=len(values) * n_bins).reshape(len(values), n_bins).astype(np.float64)


def _one_hot(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """1 in the bin of each draw, shape (n_bins, *draw dims)."""
    return _counts(values.reshape(-1, 1), edges).T.reshape(-1, *values.shape)


def _density(samples, values, edges) -> tuple[np.ndarray, np.ndarray, float]:
    shares, errors = averages(samples, _one_hot(values, edges))
    widths = np.diff(edges)
    return shares / widths, errors / widths, float(1.0 - shares.sum())


def _table(samples, axes, values, errors) -> xr.Dataset:
    """Variables with definitions, their errors, and the centres of the bins as coordinates."""
    variables = {name: (dims, data, {"definition": text}) for name, (dims, data, text) in values.items()}
    for name, (dims, data) in errors.items():
        variables[f"{name}_err"] = (dims, data, {"definition": f"one standard error of {name}"})
    coords = {}
    for name, edges in axes.items():
        coords[name] = (name, 0.5 * (edges[1:] + edges[:-1]), {"definition": "centre of the bin"})
        coords[f"{name}_low"] = (name, edges[:-1], {"definition": "lower edge of the bin"})
        coords[f"{name}_high"] = (name, edges[1:], {"definition": "upper edge of the bin"})
    definitions = json.dumps({name: data[2]["definition"] for name, data in variables.items()})
    return xr.Dataset(variables, coords, {**samples.attrs, "kind": "profile", "definitions": definitions})
