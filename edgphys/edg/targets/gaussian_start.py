# SPDX-License-Identifier: MIT
"""The Gaussian approximation of one phase of a target, and the choice among candidates for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edgphys.edg.targets.base import AbstractLatticeTarget

__all__ = ["GaussianStart", "choose_start", "choose_tilted_start"]


@dataclass(frozen=True)
class GaussianStart:
    """A Gaussian that approximates one phase of a target: where decoder and encoder start from.

    Attributes
    ----------
    mean : float64 array, shape (n_dims,)
        Of the label g = +1. Zero in a symmetric phase; the positive phase in a broken one.
    covariance : float64 array, shape (n_dims, n_dims)
        Commutes with the symmetry group.
    mixed_covariance : float64 array, shape (n_dims, n_dims)
        Of the symmetric solution, for configurations in which both phases coexist. That of the phase itself
        where there is no symmetry to break.
    opposite : float
        The mean of g = -1 over that of g = +1, times -1; 1 by symmetry.
    mixed_log_odds : float
        Initial log-odds of the mixed configurations, above -log 49 (see `edgphys.edg.field.model`).
    opposite_log_odds : float
        Initial log of p(g = -1) / p(g = +1), above -log 49; 0 by symmetry.
    """

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    mixed_covariance: NDArray[np.float64]
    mixed_log_odds: float
    opposite: float = 1.0
    opposite_log_odds: float = 0.0


def choose_start(
    target: AbstractLatticeTarget, candidates: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> GaussianStart:
    """The candidate (mean, covariance) of lowest variational free energy.

    The first candidate is the symmetric one, if there is any. The log-odds of mixed configurations come from
    the difference of free energies, held between 1/27 and 1/4 in probability: the Gaussian picture of
    coexistence is crude, and training corrects it.
    """
    energies = [target.variational_free_energy(*candidate) for candidate in candidates]
    mean, covariance = candidates[int(np.argmin(energies))]
    cost = min(max(energies[0] - min(energies), 1.0), 3.25)
    return GaussianStart(mean, covariance, candidates[0][1], -cost)


def choose_tilted_start(
    target: AbstractLatticeTarget,
    plus: tuple[NDArray[np.float64], NDArray[np.float64]],
    minus: tuple[NDArray[np.float64], NDArray[np.float64]],
    mixed_covariance: NDArray[np.float64],
) -> GaussianStart:
    """Start of a target without symmetry: the solutions that grow from full order up and down.

    One may be metastable, or the same as the other; g = +1 is the one of lower free energy.
    """
    energies = [target.variational_free_energy(*candidate) for candidate in (plus, minus)]
    best, other = (plus, minus) if energies[0] <= energies[1] else (minus, plus)
    norm = float(best[0] @ best[0])
    opposite = -float(other[0] @ best[0]) / norm if norm > 0.0 else 1.0
    return GaussianStart(
        best[0], best[1], mixed_covariance, -3.0, opposite, -min(abs(energies[1] - energies[0]), 3.25)
    )
