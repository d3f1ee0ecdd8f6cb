# SPDX-License-Identifier: MIT
"""What an estimate can be at all: its smallest and largest value, and when a ratio has no value.

Averages lie within the range of their data; of derived quantities `edgphys.observables` tells the range. A
bias correction that leaves it is not applied (`edgphys.estimators.resampling.jackknife`).

A ratio whose denominator is within two standard errors of zero has no confidence interval of finite length at
95 %, be the data as they may: its value is NaN. So are logarithms of such populations.

References
----------
E. C. Fieller, J. R. Stat. Soc. B 16 (1954) 175 (intervals of ratios).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from edgphys.estimators.derived import Primaries
from edgphys.observables import TABLE

__all__ = ["ranges", "undetermined"]

MIN_DENOMINATOR = 2.0  # in standard errors


def ranges(primaries: Primaries, names: Iterable[str]) -> np.ndarray:
    """Smallest and largest possible value of estimates, float64, shape (2, n_names)."""
    found = []
    for name in names:
        if name in primaries.names:
            column = primaries.columns[primaries.names.index(name)]
            found.append((column.min(), column.max()))
        else:
            found.append((TABLE[name].low, TABLE[name].high))
    return np.array(found).T


def undetermined(primaries: Primaries, means: Mapping[str, float], errors: Mapping[str, float]) -> list[str]:
    """Estimates with a denominator that may be zero.

    Parameters
    ----------
    primaries : Primaries
        Names of columns and basins.
    means, errors : mapping of column -> float
        Averages of the columns, as far as there are any, and their standard errors.

    Returns
    -------
    list of str
        Names of estimates.
    """
    small = {name for name, err in errors.items() if abs(means[name]) <= MIN_DENOMINATOR * err}
    none_left = {name for name, err in errors.items() if abs(1.0 - means[name]) <= MIN_DENOMINATOR * err}
    names = [name for name, record in TABLE.items() if small & set(record.denominators)]
    basins = set(primaries.basins)
    return names + (["free_energy_difference"] if basins & (small | none_left) else [])
