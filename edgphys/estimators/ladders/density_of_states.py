# SPDX-License-Identifier: MIT
r"""Density of states from draws at several temperatures, by MBAR weights.

    g(E) = sum over draws of energy E of 1 / D(x_n),     Z(beta) = sum_E g(E) exp(-beta E),

D the density of all draws together (`edgphys.estimators.ladders.pool`). Where energies are few, as those of
spins, each is a bin of its own and g counts configurations; else g is a density, a mean over its bin. Its
constant is the one that log Z of the first rung gives. Errors: `edgphys.estimators.ladders.reweighting`; bins
share what is known of the rungs relative to each other, so that neighbours go up and down together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import xarray as xr

from edgphys._checks import finite
from edgphys.errors import ArgumentValueError
from edgphys.estimators.ladders.conditions import read_drawn
from edgphys.estimators.ladders.reweighting import Reweighting
from edgphys.estimators.profiles.bins import bin_edges, bin_of
from edgphys.recording.record import recorded

__all__ = ["density_of_states"]

_MOST_LEVELS = 2_000  # energies that are bins of their own
_DIGITS = 9
_DEFINITIONS = {
    "log_density": "log of the number of states at an energy, or of their density over it, mean over the bin",
    "log_density_err": "one standard error of log_density",
    "n_draws": "draws in the bin",
}


@recorded("density_of_states")
def density_of_states(
    draws: xr.Dataset | Sequence[xr.Dataset],
    bins: int | Sequence[float] | None = None,
    *,
    log_z_reference: float = 0.0,
) -> xr.Dataset:
    """log g(E) from a ladder over temperatures, or from chains at several.

    Parameters
    ----------
    draws : Dataset or sequence of Dataset
        As for `edgphys.reweight`, over no other coupling than the temperature.
    bins : int or increasing edges, optional
        Of the energy; by default one for each energy if they are at most 2000, else 100.
    log_z_reference : float
        log Z of the first rung. With 0, log g is known up to a constant.

    Returns
    -------
    Dataset
        Of kind "profile", over ``energy``: ``log_density`` with error, NaN where there are no draws, and
        ``n_draws``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as above.
    ShortChainError
        If a chain has fewer than 16 draws.

    References
    ----------
    Ferrenberg and Swendsen, Phys. Rev. Lett. 63, 1195 (1989), equation (4).

    Examples
    --------
    >>> import edgphys as ep, lattices
    >>> system = ep.Ising(lattices.build("square", (4, 4)), temperature=2.3)
    >>> ladder = ep.mcmc.temper(system, {"temperature": [2.0, 3.0]}, n_chains=2, n_sweeps=500, seed=1)
    >>> states = density_of_states(ladder)
    >>> ratio = float(states.log_density[1] - states.log_density[0])           # log(32 / 2)
    >>> states.energy.values[:2].tolist(), bool(abs(ratio - np.log(16)) < 0.3)
    ([-32.0, -24.0], True)
    """
    drawn = read_drawn(draws)
    others = [name for name in drawn.varied if name != "temperature"]
    if others:
        raise ArgumentValueError(f"draws must differ in temperature only, got {', '.join(others)}", "draws")
    constant = finite(log_z_reference, "log_z_reference")
    there = Reweighting(drawn.parts, drawn.coefficients)
    energy = there.pool.terms @ drawn.coefficients[0] / drawn.rungs[0]["beta"]
    coords, places, widths = _bins(energy, bins)
    log_weights = -there.pool.log_mixture
    found = np.full((2, len(widths)), np.nan)
    for k in np.unique(places[places >= 0]).tolist():
        value, influence = there.log_sum(log_weights, np.flatnonzero(places == k))
        found[:, k] = constant + value - np.log(widths[k]), there.error(influence)[0]
    counts = np.bincount(places[places >= 0], minlength=len(widths)).astype(float)
    values = dict(zip(_DEFINITIONS, (*found, counts), strict=True))
    variables = {name: ("energy", data, {"definition": _DEFINITIONS[name]}) for name, data in values.items()}
    attrs = {
        **drawn.attrs,
        "kind": "profile",
        "definitions": json.dumps(_DEFINITIONS),
        "method": "reweighting",
    }
    return xr.Dataset(variables, coords, attrs)


def _bins(
    energy: np.ndarray, bins: int | Sequence[float] | None
) -> tuple[dict[str, tuple[str, np.ndarray]], np.ndarray, np.ndarray]:
    """Coordinates, the bin of each draw (-1: none), and what g is divided by."""
    if bins is None:
        levels, places = np.unique(np.round(energy, _DIGITS), return_inverse=True)
        if len(levels) <= min(_MOST_LEVELS, len(energy) // 10):
            return {"energy": ("energy", levels)}, places, np.ones(len(levels))
    edges = bin_edges(100 if bins is None else bins, energy.min(), energy.max())
    coords = {"energy": 0.5 * (edges[1:] + edges[:-1]), "energy_low": edges[:-1], "energy_high": edges[1:]}
    return (
        {name: ("energy", values) for name, values in coords.items()},
        bin_of(energy, edges),
        np.diff(edges),
    )
