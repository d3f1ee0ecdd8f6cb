# SPDX-License-Identifier: MIT
"""Chains that move together in numpy, for systems whose energy is a torch function."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from edgphys.mcmc.core.acceptance import acceptances
from edgphys.mcmc.core.sampler import ACCEPTED, ATTEMPTED, GRADIENTS
from edgphys.mcmc.random.normal import fill_normal
from edgphys.mcmc.random.xoshiro import uniform

__all__ = ["Batch"]


@dataclass(eq=False)
class Batch:
    """Members at their positions, with what the next move needs.

    Attributes
    ----------
    x, gradient : float64, shape (n_members, n_variables)
        Positions, and dE/dx there (not kept up by moves that do not need it).
    energy : float64, shape (n_members,)
    rng : uint64, shape (n_members + 1, 4)
        One generator for each member, and one for what all members share.
    counts : int64, shape (5,)
        As in `ChainState`.
    head : float64
        Of the tuning, see `edgphys.mcmc.continuous.tuning`.
    """

    x: np.ndarray
    energy: np.ndarray
    gradient: np.ndarray
    rng: np.ndarray
    counts: np.ndarray
    head: np.ndarray

    def normals(self) -> np.ndarray:
        """Standard normal numbers of the shape of `x`, a row from each member's generator."""
        out = np.empty_like(self.x)
        _normal_rows(self.rng, out)
        return out

    def accept(self, log_ratio, x, energy, gradient=None, n_gradients: int = 0) -> np.ndarray:
        """Move each member to its row of `x` with probability min(1, exp(log_ratio)); these probabilities."""
        probability, draws = acceptances(log_ratio), np.empty(len(self.x))
        _uniform_rows(self.rng, draws)
        accepted = draws < probability
        self.x[accepted], self.energy[accepted] = x[accepted], energy[accepted]
        if gradient is not None:
            self.gradient[accepted] = gradient[accepted]
        self.counts[ATTEMPTED] += accepted.size
        self.counts[ACCEPTED] += int(accepted.sum())
        self.counts[GRADIENTS] += n_gradients * accepted.size
        return probability


@njit(nogil=True, cache=True)
def _normal_rows(rng, out):
    for m in range(out.shape[0]):
        fill_normal(rng[m], out[m])


@njit(nogil=True, cache=True)
def _uniform_rows(rng, out):
    for m in range(out.size):
        out[m] = uniform(rng[m])
