# SPDX-License-Identifier: MIT
"""Populations p_b of basins and differences F_b - F_0 = -T log(p_b / p_0), for weighted draws and chains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from edgphys._checks import count, wrong
from edgphys.errors import ArgumentTypeError, ArgumentValueError
from edgphys.estimators.diagnosis import diagnose
from edgphys.estimators.profiles.averages import Coordinate, averages, column, label_of
from edgphys.estimators.profiles.boltzmann_inversion import positive_or_nan, temperature_of
from edgphys.estimators.profiles.profile_dataset import profile_dataset
from edgphys.estimators.profiles.shares import VISITS, shares
from edgphys.recording.record import recorded

__all__ = ["basins"]


@recorded("basins")
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
        ... in the order of `names`; other values are in no basin.
    names : sequence of str
        Names of the basins, all different.
    reference : int
        Number of the basin from which differences are taken.
    temperature : float, optional
        Positive; that of the attributes by default.

    Returns
    -------
    Dataset
        ``population`` and ``free_energy_difference``, with errors, and ``n_visits`` over the dimension
        ``basin``; ``unassigned``, the population outside of all basins; the diagnostics of the draws. The
        difference is NaN where one of the two basins has fewer than ten independent visits. attrs:
        ``warning``, why not to trust it, empty otherwise.

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
    scale = temperature_of(samples, temperature)
    names = _check_names(names)
    reference = count(reference, "reference", 0, len(names) - 1)
    values = column(samples, label)
    columns = np.stack([values == k for k in range(len(names))]).astype(np.float64)
    diagnosis = diagnose(samples, {label_of(label, "basin"): values})
    population = shares(samples, columns, diagnosis)
    difference, errors = averages(
        samples,
        columns,
        lambda p: (
            -scale * (np.log(positive_or_nan(p)) - np.log(positive_or_nan(p))[..., reference : reference + 1])
        ),
        diagnosis.window,
    )
    unknown = (population.are_rare | population.are_rare[reference]) & (np.arange(len(names)) != reference)
    difference, errors = (np.where(unknown, np.nan, array) for array in (difference, errors))
    table = profile_dataset(
        samples,
        diagnosis,
        {},
        {
            "population": (("basin",), population.values, "probability of the basin"),
            "free_energy_difference": (
                ("basin",),
                difference,
                f"F - F_{names[reference]} = -T log(p / p_{names[reference]})",
            ),
            "n_visits": (("basin",), population.n_visits, VISITS),
            "unassigned": ((), 1.0 - population.values.sum(), "probability of being in no basin"),
        },
        {"population": (("basin",), population.errors), "free_energy_difference": (("basin",), errors)},
    )
    return table.assign_coords(basin=names)


def _check_names(names: Sequence[str]) -> list[str]:
    allowed = "a sequence of one or more texts, all different"
    each: list[Any] = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [None]
    if not all(isinstance(name, str) for name in each):
        raise wrong(ArgumentTypeError, "names", allowed, names)
    if not each or len(set(each)) < len(each):
        raise wrong(ArgumentValueError, "names", allowed, names)
    return each
