# SPDX-License-Identifier: MIT
r"""Shares of the draws in bins and basins: with errors that do not vanish where nothing was seen.

    n_visits = (p / its error)^2 :

the independent visits that a share p rests on, whatever the correlations and weights of the draws: of a rare
bin their number is Poissonian, and its relative error 1/sqrt(n_visits). A logarithm of p needs about ten:
below, -T log p has no standard error that means anything (at 10 its bias is 0.16 of it), and is NaN.

A bin that no draw has reached, or that all have, shows no fluctuation. Its error is what so many draws cannot
have seen: one part in the number of independent ones, of the slowest observable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from edgphys.dataset.padding import drawn
from edgphys.estimators.diagnosis import Diagnosis
from edgphys.estimators.draws import draw_dims
from edgphys.estimators.profiles.averages import averages

__all__ = ["MIN_VISITS", "VISITS", "Shares", "shares"]

MIN_VISITS = 10.0
VISITS = "independent visits that the result rests on, (probability / its error)^2"


@dataclass(frozen=True)
class Shares:
    """Shares of the draws, one for each column.

    Attributes
    ----------
    values, errors : float64 arrays, shape (n_columns,)
        Share and one standard error.
    n_visits : float64 array, shape (n_columns,)
        Independent visits that each rests on; 0 where there is none.
    """

    values: np.ndarray
    errors: np.ndarray
    n_visits: np.ndarray

    @property
    def are_rare(self) -> np.ndarray:
        """Whether a share has too few visits for a logarithm."""
        return ~(self.n_visits >= MIN_VISITS)


def shares(samples: xr.Dataset, columns: np.ndarray, diagnosis: Diagnosis, quantum: float = 1.0) -> Shares:
    """Shares with their errors.

    Parameters
    ----------
    samples : Dataset
        Weighted draws, or chains.
    columns : array, shape (n_columns, *draw dims)
        What part of each draw is in the bin, between 0 and 1; of no account beyond the end of a chain.
    diagnosis : Diagnosis
        Of the draws.
    quantum : float
        The smallest part of a draw that a bin can hold.

    Examples
    --------
    >>> from edgphys.estimators.diagnosis import diagnose
    >>> x = np.random.default_rng(0).random((4, 500))
    >>> chains = xr.Dataset({"x": (("chain", "draw"), x)})
    >>> found = shares(chains, np.stack([x < 0.5, x < 0.002, x < 0.0]) * 1.0, diagnose(chains))
    >>> found.are_rare, bool(1.0 <= found.errors[2] * 2000 < 1.5)
    (array([False,  True,  True]), True)
    """
    values, errors = averages(samples, columns, window=diagnosis.window)
    seen = columns[:, drawn(samples, draw_dims(samples))]
    floor = quantum / diagnosis.n_independent
    errors = np.where(np.ptp(seen, axis=1) == 0.0, floor, errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_visits = np.where(values > 0.0, (values / errors) ** 2, 0.0)
        if diagnosis.weights is not None:
            held = diagnosis.weights * columns
            n_visits = np.minimum(n_visits, held.sum(1) ** 2 / np.maximum((held**2).sum(1), 1e-300))
    return Shares(values, errors, n_visits)
