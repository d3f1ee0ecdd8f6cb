# SPDX-License-Identifier: MIT
"""Any lattice system as a target: its own continuous variables, nothing summed."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.targets.base import AbstractTarget, GaussianStart
from edgphys.systems.base import AbstractSystem

__all__ = ["ConfigurationTarget"]


@final
class ConfigurationTarget(AbstractTarget):
    """The variables of `system` themselves, started from independent unit Gaussians.

    Parameters
    ----------
    system : AbstractSystem
    """

    exact_energy: ClassVar[bool] = True

    def __init__(self, system: AbstractSystem) -> None:
        super().__init__()
        self.system, self.n_dims, self.symmetric = system, system.n_sites, "z2" in system.symmetries
        self.orbits = system.lattice.pair_orbits().astype(np.int64)
        self.pattern = np.ones(self.n_dims)
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    def energy(self, x: Tensor) -> Tensor:
        """The reduced energy of the system."""
        return self.system.reduced_energy(x)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Configurations that carry the weight of x."""
        return -self.system.reduced_energy(x.double()), self.system.to_configurations(x, generator).flatten(1)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Only for systems whose configurations are their variables."""
        return configurations, -self.system.reduced_energy(configurations.double())

    def gaussian_start(self) -> GaussianStart:
        """Unit variance, no mean."""
        unit = np.eye(self.n_dims)
        return GaussianStart(np.zeros(self.n_dims), unit, unit, -1.0)
