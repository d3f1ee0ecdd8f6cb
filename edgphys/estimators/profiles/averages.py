# SPDX-License-Identifier: MIT
r"""Averages over samples of either kind and functions of them, with errors: what all profiles are made of.

Columns a_k are measured on every draw; the result is f(<a_1>, ..., <a_p>), a vector, with one standard error
each.

    weighted draws   <a> = sum w a / sum w; delete-block jackknife of f, bias-corrected (`jackknife`)
    chains           Gamma method on the series sum_k (df/da_k) a_k, the derivative by a complex step; its
                     window is not shorter than that of the slowest observable of the same chains

f must therefore work on complex numbers: no abs, no comparisons.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import xarray as xr

from edgphys.dataset.attribute_values import JSON_ATTRS
from edgphys.dataset.json_text import parsed
from edgphys.dataset.padding import drawn, flat, mean_draw, pooled, scattered
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.diagnosis import Diagnosis, diagnose
from edgphys.estimators.draws import draw_dims, weights_of
from edgphys.estimators.fluctuations import MIN_CARRIERS, carriers
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.resampling import weighted_averages
from edgphys.recording.record import recorded

__all__ = ["Coordinate", "average", "averages", "column", "ends_of", "label_of"]

Transform = Callable[[np.ndarray], np.ndarray]
Coordinate = str | int | Callable[[np.ndarray], np.ndarray]


def column(samples: xr.Dataset, coordinate: Coordinate) -> np.ndarray:
    """A scalar of every draw: a variable by its name, or a function of the stored configurations.

    Parameters
    ----------
    samples : Dataset
        Of chains or weighted draws.
    coordinate : str, int or callable
        Name of a variable, the number of a coordinate of ``configurations``, from 0, or a function of
        these, shape (n, *event_shape), giving (n,).

    Returns
    -------
    float64 array, shape (*draw dims)
        NaN beyond the end of a shorter chain.

    Raises
    ------
    ValueError
        If there is no such variable, no configurations are stored, the shape is another, or values are not
        finite.
    """
    dims = draw_dims(samples)
    there = drawn(samples, dims)
    if isinstance(coordinate, int | np.integer) and not isinstance(coordinate, bool):
        values = scattered(_numbered(_configurations(samples, there), int(coordinate)), there)
    elif callable(coordinate):
        values = np.asarray(coordinate(_configurations(samples, there)))
        if values.shape != (there.sum(),):
            words = f"coordinate must give one number per configuration, shape ({there.sum()},)"
            raise ValueError(f"{words}, got {values.shape}")
        values = scattered(values, there)
    elif isinstance(coordinate, str) and coordinate in samples:
        if set(samples[coordinate].dims) != set(dims):
            raise ValueError(f"{coordinate} must have the dims {dims}, got {samples[coordinate].dims}")
        values = samples[coordinate].transpose(*dims).values
    else:
        raise ValueError(
            f"coordinate must be a function or a variable of samples, {tuple(samples.data_vars)}, "
            f"got {coordinate!r}"
        )
    values = np.asarray(values, np.float64)
    n_bad = int((~np.isfinite(values) & there).sum())
    if n_bad:
        raise ValueError(f"coordinate must be finite on every draw, got {n_bad} that are not")
    return values if there.all() else np.where(there, values, np.nan)


def label_of(coordinate: Coordinate, otherwise: str) -> str:
    """Name of a coordinate: that of the variable or of the function, if it has one."""
    return coordinate if isinstance(coordinate, str) else getattr(coordinate, "__name__", otherwise)


def ends_of(samples: xr.Dataset, coordinate: Coordinate) -> tuple[float | None, float | None]:
    """Where a numbered coordinate begins and ends by the domain of its system; None where it has no end."""
    sides = parsed(samples.attrs.get("domain", "[]"), JSON_ATTRS["domain"], "attr domain")
    if not isinstance(coordinate, int | np.integer) or not 0 <= coordinate < len(sides):
        return None, None
    low, high = sides[int(coordinate)]["low"], sides[int(coordinate)]["high"]
    return low if math.isfinite(low) else None, high if math.isfinite(high) else None


def averages(
    samples: xr.Dataset, columns: np.ndarray, transform: Transform | None = None, window: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """f of the averages of columns, and one standard error of each component.

    Parameters
    ----------
    samples : Dataset
        Tells the kind of the draws, and their weights.
    columns : array, shape (n_columns, *draw dims)
        What is averaged.
    transform : callable, optional
        f, maps averages (..., n_columns), real or complex, to (..., n_out); the identity by default.
    window : int
        Lags that errors of chains take in at least: those of the slowest observable.

    Returns
    -------
    values, errors : float64 arrays, shape (n_out,)
        NaN where f has no value.

    Raises
    ------
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    ShortChainError
        If chains have fewer than 16 draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((4, 1000))
    >>> chains = xr.Dataset({"x": (("chain", "draw"), x)})
    >>> value, error = averages(chains, np.stack([x, x**2]), lambda a: a[..., 1:] - a[..., :1] ** 2)
    >>> bool(abs(value[0] - 1.0) < 3 * error[0]), bool(0.8 < error[0] / (2 / 4000) ** 0.5 < 1.2)
    (True, True)
    """
    function = transform or (lambda means: means)
    weights = weights_of(samples)
    with np.errstate(divide="ignore", invalid="ignore"):
        if weights is None:
            there = drawn(samples, draw_dims(samples))
            return _from_chains(
                columns if there.all() else np.where(there, columns, np.nan), function, window
            )
        return weighted_averages(weights, columns, function)


@recorded("average")
def average(samples: xr.Dataset, coordinate: Coordinate, name: str | None = None) -> xr.Dataset:
    """Mean of a scalar, with its error.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    coordinate : str, int or callable
        Name of a variable, number of a coordinate, or a function of configurations, (n, *event_shape) ->
        (n,).
    name : str, optional
        Name of the result; that of the variable or of the function by default.

    Returns
    -------
    Dataset
        ``<name>`` and ``<name>_err``, and the diagnostics of the draws. attrs: ``warning``, why it is not to
        be trusted, empty if it is: what makes the draws untrustworthy, or that few of them decide.

    Raises
    ------
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    ShortChainError
        If chains have fewer than 16 draws.

    Examples
    --------
    >>> draws = {"energy": ("draw", np.arange(4.0)), "log_weight_joint": ("draw", np.zeros(4))}
    >>> table = average(xr.Dataset(draws), "energy")
    >>> float(table.energy), round(float(table.energy_err), 6)
    (1.5, 0.645497)
    """
    label = name or label_of(coordinate, "average")
    values = column(samples, coordinate)
    diagnosis = diagnose(samples, {label: values})
    (mean,), (err,) = averages(samples, values[None], window=diagnosis.window)
    return profile_dataset(
        samples,
        diagnosis,
        {},
        {label: ((), mean, f"average of {label}")},
        {label: ((), err)},
        _few(values, mean, diagnosis, label),
    )


def _few(values: np.ndarray, mean: float, diagnosis: Diagnosis, label: str) -> str:
    """Why an average rests on too few draws that differ from it; empty if it does not."""
    influence = pooled(values) - mean
    if diagnosis.weights is not None:
        influence = influence * diagnosis.weights
    n_draws = carriers(influence)
    if math.isnan(n_draws):
        return ""
    if diagnosis.weights is None:
        n_draws /= 2.0 * gamma_method(values).tau_int
    if n_draws >= MIN_CARRIERS:
        return ""
    return f"the error of {label} rests on {n_draws:.2g} independent draws, fewer than {MIN_CARRIERS:.0f}"


def _from_chains(columns: np.ndarray, function: Transform, window: int) -> tuple[np.ndarray, np.ndarray]:
    means = mean_draw(columns)
    step = 1e-30
    values = np.real(function(means.astype(complex)))
    slopes = np.imag(function(means + 1j * step * np.eye(len(means)))).T / step  # (n_out, n_columns)
    errors = np.full(len(values), np.nan)
    for k in np.flatnonzero(np.isfinite(values)):
        used = np.flatnonzero(np.isfinite(slopes[k]) & (slopes[k] != 0.0))
        series = np.tensordot(slopes[k, used], columns[used] - means[used, None, None], axes=1)
        if used.size:  # what depends on no average is exact
            errors[k] = gamma_method(series, least_window=window).err
        else:
            errors[k] = 0.0
    return values, errors


def _numbered(configurations: np.ndarray, k: int) -> np.ndarray:
    flat_ones = configurations.reshape(len(configurations), -1)
    n = flat_ones.shape[1]
    if not 0 <= k < n:
        raise ValueError(
            f"coordinate must be a function or a variable of samples, or a number below {n}, got {k}"
        )
    return flat_ones[:, k]


def _configurations(samples: xr.Dataset, there: np.ndarray) -> np.ndarray:
    if "configurations" not in samples:
        raise ValueError("samples must hold configurations for a function of them, got none")
    values = samples["configurations"].transpose(*draw_dims(samples), ...).values
    return flat(values, there)
