# SPDX-License-Identifier: MIT
"""What an EDG sampler is trained on: a smooth energy of few variables whose integral is the Z of the system.

A system may have exact partial sums that make it easier to sample. A target is the system after such a sum:

    Z = int dx exp(-energy(x)),      x of n_dims continuous variables,

up to a correction that `lift` supplies without bias while it restores what was summed out. With `energy`
alone (training) ``-<log q + energy>`` is a lower bound on log Z; with the log-density that `lift` returns
(sampling) the weights are unbiased: ``E[exp(log_density)]`` over the internal randomness is the exact
marginal density.

    system             variables                                          summed exactly
    Ising, bipartite   one Gaussian soft spin per site of one sublattice  the spins of both sublattices
    Ising, any         whitened field y of the relaxation, one per site   all spins
    phi^4, bipartite   the field on one sublattice                        the field on the other
    any                the configuration itself                           nothing
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgphys.systems.base import AbstractSystem

__all__ = [
    "AbstractTarget",
    "GaussianStart",
    "choose_start",
    "choose_tilted_start",
    "exchange",
    "restrict_orbits",
]


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


class AbstractTarget(nn.Module, ABC):
    """Declaration of a target; concrete targets are final.

    Attributes
    ----------
    system : AbstractSystem
        What is sampled in the end.
    n_dims : int
        Number of continuous variables.
    orbits : int64 array, shape (n_dims, n_dims)
        Label of the symmetry orbit of each ordered pair of variables; contiguous from 0.
    pattern : float64 array, shape (n_dims,)
        Entries +1 and -1: the sign of the order parameter at each variable.
    symmetric : bool
        Whether ``energy(-x) == energy(x)``.
    exact_energy : bool
        Whether `energy` is minus the log-density exactly, not a bound on it.
    """

    exact_energy: ClassVar[bool]
    system: AbstractSystem
    n_dims: int
    orbits: NDArray[np.int64]
    pattern: NDArray[np.float64]
    symmetric: bool

    @abstractmethod
    def energy(self, x: Tensor) -> Tensor:
        """Differentiable energy, shape (n_batch,), for x of shape (n_batch, n_dims)."""

    @abstractmethod
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Restore what was summed out.

        Parameters
        ----------
        x : tensor, shape (n_batch, n_dims)
        generator : torch.Generator
            On the device of x.

        Returns
        -------
        log_density : float64 tensor, shape (n_batch,)
            Its exponential is, on average over the internal randomness, the unnormalised density of x.
        configurations : tensor, shape (n_batch, n_sites)
            Carry the weight that `log_density` gives their x.
        """

    @abstractmethod
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The way back: variables x of Boltzmann distributed configurations, and an upper log-density.

        Parameters
        ----------
        configurations : tensor, shape (n_batch, n_sites)
        generator : torch.Generator
            On their device.

        Returns
        -------
        x : tensor, shape (n_batch, n_dims)
        log_density : float64 tensor, shape (n_batch,)
            Minus the energy of the extended state (x and what was summed out), so that
            ``E[log_density - log q]`` over reference samples is an upper bound on log Z.
        """

    @abstractmethod
    def gaussian_start(self) -> GaussianStart:
        """Self-consistent Gaussian (Hartree) approximation of one phase."""

    @torch.no_grad()
    def variational_free_energy(
        self, mean: NDArray[np.float64], covariance: NDArray[np.float64], n_samples: int = 1024
    ) -> float:
        """<energy> minus entropy of the Gaussian, by Monte Carlo with a fixed seed: ranks candidate starts.

        A Gaussian with a mean stands for one of two phases when the target is symmetric: log 2 less.
        """
        generator = torch.Generator().manual_seed(0)
        factor = torch.from_numpy(np.linalg.cholesky(covariance))
        noise = torch.randn(n_samples, self.n_dims, generator=generator, dtype=torch.float64)
        x = noise @ factor.T + torch.from_numpy(mean)
        device = next(self.buffers()).device
        mean_energy = float(self.energy(x.to(device)).mean())
        entropy = 0.5 * self.n_dims * np.log(2 * np.pi * np.e) + float(
            torch.log(torch.diagonal(factor)).sum()
        )
        two_phases = np.log(2.0) if self.symmetric and np.abs(mean).max() > 1e-3 else 0.0
        return mean_energy - entropy - float(two_phases)


def choose_start(
    target: AbstractTarget, candidates: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> GaussianStart:
    """The candidate (mean, covariance) of lowest variational free energy; a symmetric one comes first.

    The log-odds of mixed configurations come from the difference of free energies, held between 1/27 and 1/4
    in probability: the Gaussian picture of coexistence is crude, and training corrects it.
    """
    energies = [target.variational_free_energy(*candidate) for candidate in candidates]
    mean, covariance = candidates[int(np.argmin(energies))]
    cost = min(max(energies[0] - min(energies), 1.0), 3.25)
    return GaussianStart(mean, covariance, candidates[0][1], -cost)


def choose_tilted_start(
    target: AbstractTarget,
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


def restrict_orbits(orbits: NDArray, sites: NDArray) -> NDArray[np.int64]:
    """Pair-orbit labels of a subset of the sites, made contiguous."""
    labels = orbits[np.ix_(sites, sites)]
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def exchange(system: AbstractSystem) -> NDArray[np.int64] | None:
    """A symmetry of the lattice that exchanges its two sublattices, or None.

    Applied to every second configuration it restores the symmetry that the choice of one sublattice broke, at
    no cost in weight, because the energy is invariant.
    """
    signs = system.lattice.bipartition
    if signs is None:
        return None
    for permutation in (*system.lattice.translation_generators, *system.lattice.point_group):
        if np.array_equal(signs[permutation], -signs):
            return np.asarray(permutation, dtype=np.int64)
    return None
