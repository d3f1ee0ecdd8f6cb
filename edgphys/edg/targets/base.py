# SPDX-License-Identifier: MIT
"""What an EDG sampler is trained on: a smooth energy of few variables whose integral is the Z of the system.

A system may have exact partial sums that make it easier to sample. A target is the system after such a sum:

    Z = int dx exp(-energy(x)),      x of n_dims continuous variables,

up to a correction that `lift` supplies without bias while it restores what was summed out. With `energy`
alone (training) ``-<log q + energy>`` is a lower bound on log Z; with the log-density that `lift` returns
(sampling) the weights are unbiased: the average of ``exp(log_density)`` over the internal randomness is the
exact marginal density.

    system             variables                                          summed exactly
    Ising, bipartite   one Gaussian soft spin per site of a sublattice    the spins of both sublattices
    Ising, any         whitened field y of the relaxation, one per site   all spins
    phi^4, bipartite   the field on one sublattice                        the field on the other
    any                the configuration itself                           nothing

A new target of lattice systems subclasses `AbstractLatticeTarget` and joins the list in
`edgphys.edg.targets.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.targets.gaussian_start import GaussianStart
from edgphys.systems import registry
from edgphys.systems.base import AbstractSystem

__all__ = ["AbstractLatticeTarget", "AbstractTarget", "Calls", "partial_sums"]


def partial_sums(system: AbstractSystem) -> tuple[str, ...]:
    """Those that the system declares; none of a subclass, or of an energy replaced by hand."""
    return system.partial_sums if registry.rebuilds(system) else ()


@dataclass(frozen=True)
class Calls:
    """Evaluations of energy and gradient, counted per configuration; a gradient gives the energy with it.

    Examples
    --------
    >>> (Calls(5, 3) - Calls(1, 1)).total
    6
    """

    n_energy_calls: int = 0
    n_gradient_calls: int = 0

    @property
    def total(self) -> int:
        """Evaluations of the energy, alone or with its gradient."""
        return self.n_energy_calls + self.n_gradient_calls

    def __add__(self, other: Calls) -> Calls:
        return Calls(
            self.n_energy_calls + other.n_energy_calls, self.n_gradient_calls + other.n_gradient_calls
        )

    def __sub__(self, other: Calls) -> Calls:
        return self + Calls(-other.n_energy_calls, -other.n_gradient_calls)


class AbstractTarget(Module, ABC):
    """Declaration of a target; concrete targets are final.

    Attributes
    ----------
    system, training_system : AbstractSystem
        What is sampled in the end, and whose energy stands in for it in training: the same, unless the target
        says otherwise.
    n_dims : int
        Number of continuous variables.
    n_energy_calls, n_gradient_calls : int
        What was asked so far, where the target counts; see `Calls`.
    can_anneal : bool
        Whether `start` gives draws of `training_system` that can be annealed to `system`.
    breaks_symmetry : bool
        Whether its draws are the same only on average under symmetries of the system: they are then moved.
    laws : LatticeGenerator
        Root and laws; only where sites are drawn by learned laws.
    """

    can_anneal: ClassVar[bool] = False
    breaks_symmetry: ClassVar[bool] = False
    laws: Any
    system: AbstractSystem
    n_dims: int
    n_energy_calls: int = 0
    n_gradient_calls: int = 0

    @property
    def training_system(self) -> AbstractSystem:
        return self.system

    @property
    def calls(self) -> Calls:
        """Both counters."""
        return Calls(self.n_energy_calls, self.n_gradient_calls)

    def calls_since(self, before: Calls) -> Calls:
        """What was asked since the counters stood at `before`, and set them back."""
        spent = self.calls - before
        self.n_energy_calls, self.n_gradient_calls = before.n_energy_calls, before.n_gradient_calls
        return spent

    @abstractmethod
    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Differentiable energy to train on, shape (n_batch,).

        Parameters
        ----------
        x : tensor, shape (n_batch, n_dims)
        condition : tensor, shape (n_batch, n_conditions), optional
            Couplings of each sample, for a target of a range of them; None: those of the system.
        """

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
        configurations : tensor, shape (n_batch, n_variables)
            Of the system, flat; they carry the weight that `log_density` gives their x.
        """

    @abstractmethod
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The way back: what is internal, x included, drawn given finished configurations.

        Parameters
        ----------
        configurations : tensor, shape (n_batch, n_variables)
        generator : torch.Generator
            On their device.

        Returns
        -------
        x : tensor, shape (n_batch, n_dims)
        log_density : float64 tensor, shape (n_batch,)
            On the extended space of `lift`: with x that made the configuration or with x from here, the same
            function of the state. So ``E[log_density - log q]`` over reference samples is an upper bound on
            log Z, and draws may be weighed from several sides.
        """

    def witnesses(self) -> Tensor | None:
        """Configurations of a Markov chain, shape (n, n_variables), to show what the draws never reach.

        None where the target keeps none.
        """
        return None

    def start_witnesses(self) -> Tensor | None:
        """Those of `training_system`, in its variables; where `can_anneal`."""
        return None

    def start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """float64 variables of `training_system`, and their log-density there; where `can_anneal`."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to anneal from")

    def lower_start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`lower` for variables of `training_system`, as `start` gives them; where `can_anneal`."""
        raise NotImplementedError(f"{type(self).__name__} has nothing to anneal from")

    def finish(self, x: Tensor) -> Tensor:
        """Configurations of `system`, flat, from variables that were annealed to it; where `can_anneal`."""
        return self.system.to_configurations(x, None).flatten(1)


class AbstractLatticeTarget(AbstractTarget):
    """Declaration of a target of lattice systems, for decoders that start from a Gaussian.

    Attributes
    ----------
    name : str
        As `EDG` takes it, for those in the registry.
    orbits : int64 array, shape (n_dims, n_dims)
        Label of the symmetry orbit of each ordered pair of variables; contiguous from 0.
    pattern : float64 array, shape (n_dims,)
        Entries +1 and -1: the sign of the order parameter at each variable.
    symmetric : bool
        Whether ``energy(-x) == energy(x)``.
    exact_energy : bool
        Whether `energy` is minus the log-density exactly, not a bound on it.
    """

    name: ClassVar[str]
    exact_energy: ClassVar[bool]
    orbits: NDArray[np.int64]
    pattern: NDArray[np.float64]
    symmetric: bool

    @classmethod
    def serves(cls, system: AbstractSystem) -> str | None:
        """None, or what keeps this target from being made from the lattice system alone."""
        return f"{cls.__name__} needs more than a system"

    @abstractmethod
    def gaussian_start(self) -> GaussianStart:
        """Self-consistent Gaussian (Hartree) approximation of one phase."""

    @torch.no_grad()
    def variational_free_energy(
        self, mean: NDArray[np.float64], covariance: NDArray[np.float64], n_samples: int = 1024
    ) -> float:
        """<energy> minus entropy of a Gaussian, by Monte Carlo with a fixed seed: ranks candidate starts.

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
