# SPDX-License-Identifier: MIT
"""Autocorrelation times of everything that chains measure, and of what is derived from it, with errors.

A derived quantity f(<a_1>, ...) has the autocorrelation of its projected series sum_k (df/da_k) a_k, which
can be shorter or longer than that of every a_k. Convention: tau_int = 1/2 + sum_{t>=1} rho(t), in draws. Next
to the Gamma method stands the error by logarithmic binning, which shares nothing with it but the series.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from edgphys._checks import instance
from edgphys.dataset.padding import pooled
from edgphys.estimators.chains.autocorrelation import GammaResult, gamma_method
from edgphys.estimators.chains.binning import log_binning
from edgphys.estimators.chains.chain_estimates import project, unbiased
from edgphys.estimators.chains.verdict import judge_chains
from edgphys.estimators.derived import read_primaries
from edgphys.estimators.draws import refuse_copies, warning_of
from edgphys.recording.record import recorded

__all__ = ["autocorrelation_times"]

_VARIABLES = {
    "tau_int": "integrated autocorrelation time, 1/2 + sum_{t>=1} rho(t), in draws; 1/2 at least",
    "tau_int_err": "standard error of tau_int",
    "window": "largest lag that was summed, in draws",
    "closed": "1 when the window closed below half the chain, else 0: tau_int and err are lower bounds",
    "estimate": "mean, or the derived quantity with its O(1/n) bias removed where the chains allow it",
    "err": "one standard error of estimate, by the Gamma method",
    "err_err": "standard error of err",
    "binning_err": "one standard error of estimate, by logarithmic binning",
    "binning_converged": "1 when the binned error reached a plateau, else 0: it is a lower bound",
}


@recorded("estimators.autocorrelation_times")
def autocorrelation_times(samples: xr.Dataset) -> xr.Dataset:
    """Integrated autocorrelation times with errors, of primary observables and of derived quantities.

    Parameters
    ----------
    samples : Dataset
        Markov chains: dims ``chain`` and ``draw``; observables per draw; attrs of the system, as for
        `edgphys.estimate`.

    Returns
    -------
    Dataset
        Dim ``quantity``: the measured observables, then specific_heat, susceptibility, binder_cumulant and
        correlation_length, as far as their ingredients are there; the coordinate ``kind`` is "primary" or
        "derived". Variables, float64: ``tau_int``, ``tau_int_err``, ``window``, ``closed`` (1 or 0),
        ``estimate``, ``err``, ``err_err`` by the Gamma method, ``binning_err`` and ``binning_converged`` (1
        or 0) by logarithmic binning. NaN for a derived quantity that has no value; times and errors are NaN
        for what does not move. attrs are those of `samples`, with ``kind="times"`` and ``warning``: why not
        to trust the chains, empty otherwise.

    Raises
    ------
    TypeError
        If `samples` is no Dataset.
    ShortChainError
        If a chain has fewer than 16 draws.
    ValueError
        If there is no dim ``chain``, an attribute or observable is missing, values are not finite, or draws
        are there twice.

    Notes
    -----
    The magnetization is listed as measured, sign and all, also where symmetry makes <m> = 0 exact and
    `edgphys.estimate` therefore leaves its autocorrelation out. ``binning_converged`` asks for 1000 to
    4000 (2 tau_int) draws, many more than ``converged`` of `edgphys.estimate`: 0 alone is no reason for
    distrust, a ``binning_err`` well above ``err`` is.

    References
    ----------
    U. Wolff, Comput. Phys. Commun. 156 (2004) 143, hep-lat/0306017.

    Examples
    --------
    >>> attrs = dict(beta=1.0, n_sites=1, linear_size=4.0, z2_symmetric=1)
    >>> x = np.random.default_rng(0).standard_normal((4, 5000))
    >>> times = autocorrelation_times(xr.Dataset({"energy": (("chain", "draw"), x)}, attrs=attrs))
    >>> times["quantity"].values.tolist(), times["kind"].values.tolist()
    (['energy', 'specific_heat'], ['primary', 'derived'])
    >>> bool(abs(times["tau_int"].sel(quantity="specific_heat") - 0.5) < 0.05)
    True
    """
    instance(samples, "samples", xr.Dataset, "an xarray.Dataset")
    if not {"chain", "draw"} <= set(samples.dims):
        raise ValueError(f"samples must have the dims (chain, draw), got {tuple(samples.dims)}")
    refuse_copies(samples)
    primaries = read_primaries(samples, ("chain", "draw"))
    measured = {name: primaries.columns[k] for k, name in enumerate(primaries.names) if name in samples}
    verdict = judge_chains(primaries.tracked_columns())
    table = {
        name: _row(float(pooled(column).mean()), column, verdict.results.get(name))
        for name, column in measured.items()
    }
    corrected = unbiased(primaries, verdict.values["tau_int"])
    plain, projected = project(primaries)
    for name, series in projected.items():
        if name not in measured:
            table[name] = _row(corrected.get(name, plain[name]), series)
    variables = {
        key: ("quantity", np.array([row[key] for row in table.values()]), {"definition": text})
        for key, text in _VARIABLES.items()
    }
    kinds = ["primary" if name in measured else "derived" for name in table]
    coords = {"quantity": list(table), "kind": ("quantity", kinds)}
    attrs = {**samples.attrs, "kind": "times", "warning": warning_of(samples, verdict.reasons)}
    return xr.Dataset(variables, coords, attrs)


def _row(estimate: float, series: np.ndarray | None, gamma: GammaResult | None = None) -> dict[str, float]:
    """One quantity; all NaN but the estimate if it has no series. `gamma` is that of the series, if known."""
    if series is None:
        return dict.fromkeys(_VARIABLES, float("nan")) | {"estimate": estimate}
    gamma, binned = gamma or gamma_method(series), log_binning(series)
    return {
        "tau_int": gamma.tau_int,
        "tau_int_err": gamma.tau_int_err,
        "window": float(gamma.window),
        "closed": float(gamma.closed),
        "estimate": estimate,
        "err": gamma.err,
        "err_err": gamma.err_err,
        "binning_err": binned.err,
        "binning_converged": float(binned.converged),
    }
