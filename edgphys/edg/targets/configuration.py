# SPDX-License-Identifier: MIT
"""Any lattice system as a target: its own continuous variables, nothing summed."""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.model import check_no_condition
from edgphys.edg.targets.base import AbstractLatticeTarget, partial_sums
from edgphys.edg.targets.gaussian_start import GaussianStart
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["ConfigurationTarget"]


@final
class ConfigurationTarget(AbstractLatticeTarget):
    """The variables of `system` themselves, started from independent unit Gaussians.

    Parameters
    ----------
    system : AbstractLatticeSystem
    """

    name: ClassVar[str] = "field"
    exact_energy: ClassVar[bool] = True

    @classmethod
    def serves(cls, system: AbstractSystem) -> str | None:
        if partial_sums(system):
            return f"{system.name} has exact partial sums that are better"
        return None

    def __init__(self, system: AbstractLatticeSystem) -> None:
        super().__init__()
        self.system, self.n_dims, self.symmetric = system, system.n_sites, "z2" in system.symmetries
        self.orbits = system.lattice.pair_orbits().astype(np.int64)
        self.pattern = np.ones(self.n_dims)
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The reduced energy of the system."""
        check_no_condition(condition)
        return self.system.reduced_energy(x)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Configurations that carry the weight of x."""
        return -self.system.reduced_energy(x.double()), self.system.to_configurations(x, generator).flatten(1)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The variables of the configurations."""
        x = self.system.from_configurations(configurations, generator).reshape(len(configurations), -1)
        return x, -self.system.reduced_energy(x.double())

    def gaussian_start(self) -> GaussianStart:
        """Unit variance, no mean."""
        unit = np.eye(self.n_dims)
        return GaussianStart(np.zeros(self.n_dims), unit, unit, -1.0)
