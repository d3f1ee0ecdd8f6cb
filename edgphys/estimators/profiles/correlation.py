# SPDX-License-Identifier: MIT
r"""Correlation function along the axes of the lattice, with errors, from chains or from weighted draws.

    G(r) = < s_x s_{x + r a_mu} >,   r = 0 .. L/2 ,

averaged over the sites x and the axes mu, with a_mu the basis vectors of the unit cell and L the shortest
extent; not connected: no <s>^2 is subtracted. Axes must be periodic. Per draw it is the variable
``correlation`` where the sampler has measured it (clusters give it with less noise), else it is made from the
kept configurations, by a Fourier transform along each axis:

    sum_x s_x s_{x + r a} = (1/L) sum_k exp(2 pi i k r / L) |s_k|^2 .

Chains: means with errors by the Gamma method at each distance. Weighted independent draws: self-normalised
means sum_i w_i g_i / sum_i w_i with jackknife errors. Values at different distances come from the same draws
and are correlated with each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
import xarray as xr

from edgphys.dataset.padding import drawn, flat, pooled, scattered
from edgphys.estimators.chains.autocorrelation import gamma_method
from edgphys.estimators.diagnosis import Diagnosis, diagnose
from edgphys.estimators.draws import draw_dims
from edgphys.estimators.profiles.order_components import order_components, sites_first
from edgphys.estimators.resampling import weighted_averages
from edgphys.recording.record import recorded

__all__ = ["correlation_dataset", "correlation_function", "correlation_of", "draw_means", "first_and_last"]

_NUMBERS_AT_ONCE = 2**22  # 32 MB of configurations go through the transform together

_DEFINITION = "<s_x s_{x + r a}> averaged over sites x and axes a, r in unit cells; not connected"


@recorded("estimators.correlation_function")
def correlation_function(samples: xr.Dataset) -> xr.Dataset:
    """Estimate of G(r) along the axes, r = 0 .. L/2, with errors.

    Parameters
    ----------
    samples : Dataset
        Samples of a system on a lattice, dims ``(chain, draw)``, or ``(draw,)`` with ``log_weight_joint``;
        with the variable ``correlation`` (option ``correlation`` of the cluster algorithms) or with
        ``configurations`` (``keep=True``). The attrs ``extent`` and ``pbc`` are read.

    Returns
    -------
    Dataset
        Dim and coordinate ``distance`` in unit cells; ``correlation``, ``correlation_err`` (one standard
        error) and ``tau_int`` (in draws, 1/2 at least; NaN for weighted draws), float64. attrs are those of
        `samples`, with ``kind="correlation"`` and ``warning``: why not to trust it, empty otherwise. The
        diagnostics of the draws are there too.

    Raises
    ------
    TypeError
        If `samples` is no Dataset.
    ValueError
        If an axis is open, if there is neither ``correlation`` nor ``configurations``, or if dims or values
        do not fit.
    NotExactError
        If the log weights are noisy (Hutchinson probes).
    ShortChainError
        If chains have fewer than 16 draws.

    Examples
    --------
    >>> spins = np.sign(np.random.default_rng(0).standard_normal((2, 500, 6)))
    >>> chains = xr.Dataset({"configurations": (("chain", "draw", "x"), spins)}, attrs=dict(extent=6, pbc=1))
    >>> table = correlation_function(chains)
    >>> table["distance"].values, table["correlation"].values.round(1) + 0.0
    (array([0, 1, 2, 3]), array([1., 0., 0., 0.]))
    """
    dims = draw_dims(samples)
    values = _per_draw(samples, dims)
    diagnosis = diagnose(samples, first_and_last(values))
    columns = draw_means(diagnosis, values)
    if np.allclose(pooled(values[..., 0]), 1.0, rtol=0.0, atol=1e-12):  # spins: G(0) is the mean of s^2 = 1
        columns[1:, 0] = 0.0, 0.5 if diagnosis.weights is None else np.nan
    given = json.loads(samples.attrs.get("definitions", "{}")).get("correlation", _DEFINITION)
    texts = given, "one standard error of correlation", "integrated autocorrelation time, in draws"
    names = ["correlation", "correlation_err", "tau_int"]
    described = {name: (column, text) for name, column, text in zip(names, columns, texts, strict=True)}
    return correlation_dataset(samples, diagnosis, described, {"distance": np.arange(columns.shape[1])})


def correlation_dataset(
    samples: xr.Dataset,
    diagnosis: Diagnosis,
    columns: Mapping[str, tuple[np.ndarray, str]],
    coords: Mapping[str, Any],
) -> xr.Dataset:
    """Dataset of kind "correlation", from numbers at each distance with their definitions."""
    variables = {name: ("distance", value, {"definition": text}) for name, (value, text) in columns.items()}
    variables = diagnosis.variables() | variables  # tau_int is that of each distance
    return xr.Dataset(variables, coords, diagnosis.attrs(samples) | {"kind": "correlation"})


def first_and_last(values: np.ndarray) -> dict[str, np.ndarray]:
    """The nearest and the farthest distance, which stand for all."""
    last = values.shape[-1] - 1
    return {f"correlation at distance {r}": values[..., r] for r in (min(1, last), last)}


def draw_means(diagnosis: Diagnosis, values: np.ndarray) -> np.ndarray:
    """Means, standard errors and tau_int of numbers per draw.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of the draws: their weights, and the window of the slowest observable of chains.
    values : float64 array, shape (*draw dims, n)

    Returns
    -------
    float64 array, shape (3, n)
        tau_int in draws, NaN for weighted draws.
    """
    if (weights := diagnosis.weights) is None:
        results = [
            gamma_method(values[..., r], least_window=diagnosis.window) for r in range(values.shape[-1])
        ]
        return np.array([(g.mean, g.err, g.tau_int) for g in results]).T
    means, errors = weighted_averages(weights, values.T, origin=values[np.argmax(weights)])
    return np.stack([means, errors, np.full_like(means, np.nan)])


def correlation_of(configurations: np.ndarray, n_axes: int) -> np.ndarray:
    """G(r) of single configurations, averaged over sites and axes.

    Parameters
    ----------
    configurations : array, shape (n_batch, *extent) or (n_batch, *extent, n_basis)
        Real fields on a torus.
    n_axes : int
        Number of lattice axes, which follow the first dimension; what comes after them is averaged over.

    Returns
    -------
    float64 array, shape (n_batch, L/2 + 1)
        L is the shortest extent.

    Examples
    --------
    >>> correlation_of(np.array([[1.0, -1.0, 1.0, -1.0]]), 1).round(12)
    array([[ 1., -1.,  1.]])
    """
    n_distances = min(configurations.shape[1 : 1 + n_axes]) // 2 + 1
    total = np.zeros((len(configurations), n_distances))
    for axis in range(1, 1 + n_axes):
        lines = np.moveaxis(configurations.astype(np.float64), axis, -1)
        length = lines.shape[-1]
        power = np.abs(scipy.fft.rfft(lines)) ** 2
        power = power.reshape(len(lines), -1, power.shape[-1]).mean(axis=1)
        total += scipy.fft.irfft(power, length)[:, :n_distances] / length
    return total / n_axes


def _per_draw(samples: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    """Values of each draw, float64, shape (*draws, n_distances)."""
    if "correlation" in samples:
        variable = samples["correlation"]
        if set(variable.dims) != {*dims, "distance"}:
            raise ValueError(f"correlation must have the dims {(*dims, 'distance')}, got {variable.dims}")
        values = np.asarray(variable.transpose(*dims, "distance").values, dtype=np.float64)
    elif "configurations" in samples:
        values = _from_configurations(samples, dims)
    else:
        raise ValueError(
            "samples must hold configurations (keep=True) or correlation (option of the cluster algorithms), "
            f"got {tuple(samples.data_vars)}"
        )
    there = drawn(samples, dims)[..., None]
    n_bad = int(np.count_nonzero(~np.isfinite(values) & there))
    if n_bad:
        raise ValueError(f"correlation must be finite on every draw, got {n_bad} values that are not")
    return values if there.all() else np.where(there, values, np.nan)


def _from_configurations(samples: xr.Dataset, dims: tuple[str, ...]) -> np.ndarray:
    missing = [name for name in ("extent", "pbc") if name not in samples.attrs]
    if missing:
        raise ValueError(f"samples must have the attrs extent and pbc of a lattice; missing {missing}")
    extent = tuple(int(length) for length in np.atleast_1d(samples.attrs["extent"]))
    if not np.all(samples.attrs["pbc"]):
        raise ValueError(f"pbc must be true along all axes, got {samples.attrs['pbc']}")
    variable = sites_first(samples["configurations"], dims, samples.attrs)
    shape, n_draw_dims = variable.shape, len(dims)
    if shape[n_draw_dims : n_draw_dims + len(extent)] != extent:
        raise ValueError(f"configurations must have the site shape {extent}, got {shape[n_draw_dims:]}")
    there = drawn(samples, dims)
    fields = flat(variable.values, there)
    step = max(1, _NUMBERS_AT_ONCE // max(1, fields[:1].size))
    parts = [
        sum(correlation_of(one, len(extent)) for one in order_components(fields[i : i + step], samples.attrs))
        for i in range(0, len(fields), step)
    ]
    return scattered(np.concatenate(parts), there)
