# SPDX-License-Identifier: MIT
"""One call from samples of any kind to estimates with errors, and exact results in the same shape.

Which estimator runs follows from the dims: ``(draw,)`` with ``log_weight_joint`` are independent weighted
draws, ``(chain, draw)`` are Markov chains. Names and definitions are those of
`edgphys.observables` for both, so results of different methods may be compared line by line. What
a method cannot give is NaN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from edgphys import _checks
from edgphys.dataset.schema import SCHEMA_VERSION
from edgphys.errors import ShortChainError, UnknownNameError
from edgphys.estimators.chains.autocorrelation import require_length
from edgphys.estimators.chains.chain_estimates import enough_draws, estimate_chains, means_only
from edgphys.estimators.draws import draw_dims, refuse_copies
from edgphys.estimators.weights.weighted_estimates import estimate_weighted
from edgphys.formulas import exact_entropy
from edgphys.observables import DIAGNOSTICS, ESTIMATES, ROTOR, STAGGERED, TABLE, table
from edgphys.recording.record import recorded

__all__ = ["estimate", "estimate_beside_log_z", "estimates_from_exact", "with_log_z"]


@recorded("estimate")
def estimate(samples: xr.Dataset, *, seed: int = 0, refuse_short: bool = False) -> xr.Dataset:
    """Estimates with error bars from weighted draws or from Markov chains.

    Parameters
    ----------
    samples : Dataset
        Dims ``(draw,)`` with ``log_weight_joint``, or ``(chain, draw)``; observables per draw; attrs of the
        system.
    seed : int
        For the bootstrap interval of log_z, the only random number used; chains need none.
    refuse_short : bool
        Raise `edgphys.errors.ShortChainError` where chains are not converged, instead of returning estimates
        with ``converged = 0`` and the reasons in ``warning``. Weighted draws are no chains: theirs is
        ``reliable``.

    Returns
    -------
    Dataset
        Scalars, float64: ``<name>`` and ``<name>_err`` (one standard error) for each name in
        `edgphys.observables.ESTIMATES`, for the observables that the attrs of a system without a lattice
        name, and ``free_energy_difference`` where they name basins; and `edgphys.observables.DIAGNOSTICS`.
        NaN where the method gives none. attrs are those of `samples`, with ``kind="estimates"``,
        ``estimate_seed``, and ``warning``: why the result is not to be trusted, empty otherwise.

    Raises
    ------
    TypeError
        If `samples` is no Dataset.
    ValueError
        If the dims are of neither kind, values are not finite, or draws are there twice.
    ShortChainError
        If chains have fewer than 16 draws, or with `refuse_short` are not converged. Its ``tau_int`` is the
        largest estimated, its ``partial`` the estimates (no errors below 16 draws per chain); the message
        says how many draws would be enough.

    Notes
    -----
    Conventions: <m> of a Z2-symmetric system is 0 with error 0, exactly; elbo is a lower bound on
    log_z. Estimates of nonlinear quantities are bias-corrected by the jackknife.

    Examples
    --------
    >>> attrs = dict(temperature=2.0, beta=0.5, n_sites=4, linear_size=2.0, z2_symmetric=1)
    >>> draws = {"energy": ("draw", np.full(200, -8.0)), "log_weight_joint": ("draw", np.full(200, 3.0))}
    >>> table = estimate(xr.Dataset(draws, attrs=attrs))
    >>> float(table.log_z), float(table.free_energy), float(table.energy), float(table.ess)
    (3.0, -6.0, -8.0, 1.0)
    """
    seed = _checks.seed(seed)
    refuse_copies(samples)
    if draw_dims(samples) == ("chain", "draw"):
        return _from_chains(samples, seed, refuse_short)
    values, notes = estimate_weighted(samples, np.random.default_rng(seed))
    return _assemble(values, {**samples.attrs, **notes, "estimate_seed": int(seed)})


def estimate_beside_log_z(samples: xr.Dataset) -> xr.Dataset:
    """Estimates of chains at the end of a ladder, whose log_z something else gives and judges.

    As `estimate`, but observables of which the chains have not seen any fluctuation, or that of fewer than
    ten independent draws, are NaN, with the reason in the attribute ``blank``, and do not speak against the
    rest.
    """
    return _from_chains(samples, 0, refuse_short=False, blank_unseen=True)


@recorded("estimators.estimates_from_exact")
def estimates_from_exact(values: Mapping[str, float], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Exact results as an estimates dataset: every error is 0, every other name NaN.

    Parameters
    ----------
    values : mapping of name -> float
        Names from `edgphys.observables.ESTIMATES`, or observables that `attrs` name. A missing
        ``free_energy`` is filled in from ``log_z``, and ``entropy`` from ``log_z`` and ``energy``.
    attrs : mapping
        Attributes of the system, ``temperature`` among them; ``method`` becomes ``"exact"`` unless given.

    Returns
    -------
    Dataset
        As `estimate` gives.

    Raises
    ------
    UnknownNameError
        If a name is none of the estimates.

    Examples
    --------
    >>> table = estimates_from_exact({"log_z": 10.0}, {"temperature": 2.0})
    >>> float(table.free_energy), float(table.free_energy_err), bool(np.isnan(table.energy))
    (-20.0, 0.0, True)
    >>> table.attrs["method"]
    'exact'
    """
    unknown = sorted(set(values) - {*ESTIMATES, *STAGGERED, *ROTOR} - set(_own_names(attrs)))
    if unknown:
        raise UnknownNameError(f"values must have names from {ESTIMATES}, got {unknown}")
    filled = {name: float(value) for name, value in values.items()}
    if "log_z" in filled and "temperature" in attrs:
        temperature = float(attrs["temperature"])
        filled.setdefault("free_energy", -temperature * filled["log_z"])
        if "energy" in filled:
            filled.setdefault("entropy", exact_entropy(filled["log_z"], filled["energy"] / temperature))
    errors = {f"{name}_err": 0.0 for name, value in filled.items() if np.isfinite(value)}
    return _assemble(filled | errors, {"method": "exact", "warning": "", **attrs})


def with_log_z(table: xr.Dataset, values: Mapping[str, float], warning: str) -> xr.Dataset:
    """Estimates of chains, changed in place, with log_z and its diagnostics as something else gives them.

    Parameters
    ----------
    table : Dataset
        As `estimate` gives.
    values : mapping of name -> float
        ``log_z`` and ``log_z_err``, from which free energies follow, ``entropy_err`` with the covariance of
        log_z and the energy, and other names of the table of observables, with or without errors.
    warning : str
        Why they are not to be trusted; put before the reasons that `table` has.
    """
    temperature = float(table.attrs["temperature"])
    energy, energy_err = (float(table[name]) / temperature for name in ("energy", "energy_err"))
    own = values.get("entropy_err", energy_err if values["log_z_err"] == 0.0 else np.nan)
    values = {
        **values,
        "free_energy": -temperature * values["log_z"],
        "free_energy_err": temperature * values["log_z_err"],
        "entropy": values["log_z"] + energy,
        "entropy_err": own if np.isfinite(energy_err) else np.nan,
    }
    definitions = json.loads(table.attrs["definitions"])
    definitions |= {name: TABLE[name].definition for name in TABLE if name in values and name not in table}
    for name, value in values.items():
        words = definitions.get(name, f"one standard error of {name.removesuffix('_err')}")
        attrs = dict(table[name].attrs) if name in table else {"definition": words}
        table[name] = ((), float(value), attrs)
    reasons = [text for text in (warning, table.attrs["warning"]) if text]
    table.attrs |= {"warning": "; ".join(reasons), "definitions": json.dumps(definitions)}
    return table


def _own_names(attrs: Mapping[str, Any]) -> tuple[str, ...]:
    """Estimates that a system without a lattice has for itself."""
    basins = json.loads(attrs.get("basins", "[]"))
    difference = ("free_energy_difference",) if basins else ()
    return (*json.loads(attrs.get("observables", "[]")), *difference)


def _from_chains(
    samples: xr.Dataset, seed: int, refuse_short: bool, blank_unseen: bool = False
) -> xr.Dataset:
    """Estimates from chains; a ShortChainError carries them."""
    refusal = None
    if not (samples.sizes["chain"] and samples.sizes["draw"]):
        require_length(0, float("nan"))
    try:
        values, notes = estimate_chains(samples, blank_unseen=blank_unseen)
        tau_int = values["tau_int"]
    except ShortChainError as error:
        refusal, tau_int = error, error.tau_int
        values, notes = means_only(samples)
    table = _assemble(values, {**samples.attrs, **notes, "estimate_seed": int(seed)})
    if refusal is None and not (refuse_short and notes["warning"]):
        return table
    n, enough = int(values["n_draws"]), enough_draws(samples.sizes["chain"], tau_int)
    advice = (
        f"about {enough} would be enough at tau_int = {tau_int:.3g}" if n < enough else "look at the chains"
    )
    reason = str(refusal) if refusal else f"chains must be converged: {notes['warning']}"
    raise ShortChainError(f"{reason}; {n} draws over all chains, {advice}", tau_int, table) from refusal


def _assemble(values: Mapping[str, float], attrs: Mapping[str, Any]) -> xr.Dataset:
    """Dataset with all names there are, NaN where `values` has none; definitions on every variable."""
    records, described, variables = table(attrs), {}, {}
    units = json.loads(attrs.get("units", "{}"))
    staggered = STAGGERED if any(name in values for name in STAGGERED) else ()
    rotor = tuple(name for name in ROTOR if name in values)
    for name in (*ESTIMATES, *staggered, *rotor, *_own_names(attrs)):
        described |= {name: records[name].definition, f"{name}_err": f"one standard error of {name}"}
    described |= {name: TABLE[name].definition for name in DIAGNOSTICS}
    for name, text in described.items():
        joint = name in TABLE and TABLE[name].joint
        extra = {"space": "joint space of configurations and latents"} if joint else {}
        extra |= {"unit": units[name]} if units.get(name) else {}
        variables[name] = ((), np.float64(values.get(name, np.nan)), {"definition": text, **extra})
    merged = {
        **attrs,
        "schema_version": SCHEMA_VERSION,
        "kind": "estimates",
        "definitions": json.dumps(json.loads(attrs.get("definitions", "{}")) | described),
    }
    return xr.Dataset(variables, attrs=merged)
