# SPDX-License-Identifier: MIT
"""phi^4 as a target: the whole field, or one sublattice with the other integrated out exactly.

On a bipartite lattice the field B on one sublattice is independent site by site given the field A on the
other:

    Z = int dphi_A exp(-sum_A V(phi)) prod_{b in B} I(h_b),     h_b = 2 hop sum_{a ~ b} phi_a

with V and I as in `SiteIntegral`. Half the variables, no approximation; B is drawn exactly from its
conditional density afterwards.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.model import check_no_condition
from edgphys.edg.field.hartree import phi4_gaussian
from edgphys.edg.targets.base import AbstractLatticeTarget, partial_sums
from edgphys.edg.targets.gaussian_start import GaussianStart, choose_start
from edgphys.edg.targets.site_integral import SiteIntegral
from edgphys.edg.targets.sublattices import exchange, restrict_orbits
from edgphys.systems import Phi4
from edgphys.systems.base import AbstractSystem

__all__ = ["Phi4FieldTarget", "Phi4SublatticeTarget"]


def _best_start(
    target: Phi4FieldTarget | Phi4SublatticeTarget, sites: np.ndarray, pattern: np.ndarray
) -> GaussianStart:
    system = target.system
    starts = []
    for broken in (False, True) if system.quartic > 0.0 else (False,):
        mean, covariance = phi4_gaussian(
            system.lattice.adjacency, system.hop, system.quadratic, system.quartic, broken=broken
        )
        starts.append((mean * pattern[sites], covariance[np.ix_(sites, sites)]))
    return choose_start(target, starts)


def _pattern(system: Phi4) -> np.ndarray:
    """Sign of the order parameter by site: uniform for hop > 0, staggered for hop < 0 where it can be."""
    signs = system.lattice.bipartition
    return np.ones(system.n_sites) if system.hop >= 0.0 or signs is None else signs.astype(float)


@final
class Phi4FieldTarget(AbstractLatticeTarget):
    """The field itself, one variable per site; any boundary conditions and extents.

    Parameters
    ----------
    system : Phi4
    """

    name: ClassVar[str] = "field"
    exact_energy: ClassVar[bool] = True
    system: Phi4

    @classmethod
    def serves(cls, system: AbstractSystem) -> str | None:
        return None if "sites" in partial_sums(system) else f"{system.name} is no phi^4 theory"

    def __init__(self, system: Phi4) -> None:
        super().__init__()
        self.system, self.n_dims, self.symmetric = system, system.n_sites, True
        self.orbits = system.lattice.pair_orbits().astype(np.int64)
        self.pattern = _pattern(system)
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """The action S."""
        check_no_condition(condition)
        return self.system.reduced_energy(x)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The field is its own configuration."""
        return -self.system.reduced_energy(x.double()), x

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The configuration is its own field."""
        return configurations, -self.system.reduced_energy(configurations.double())

    def gaussian_start(self) -> GaussianStart:
        """The better of the symmetric and the broken Hartree solution."""
        return _best_start(self, np.arange(self.n_dims), self.pattern)


@final
class Phi4SublatticeTarget(AbstractLatticeTarget):
    """The field on one sublattice of a bipartite lattice; see the module docstring.

    Parameters
    ----------
    system : Phi4
        On a lattice with a bipartition.
    """

    name: ClassVar[str] = "sublattice"
    exact_energy: ClassVar[bool] = True
    system: Phi4

    @classmethod
    def serves(cls, system: Any) -> str | None:
        if "sites" not in partial_sums(system):
            return f"the field of {system.name} cannot be integrated at one site"
        if system.lattice.bipartition is None:
            return "the lattice must have two sublattices"
        return "the hopping must not be zero" if system.hop == 0.0 else None

    def __init__(self, system: Phi4) -> None:
        super().__init__()
        lattice = system.lattice
        signs = lattice.bipartition
        # The smaller half carries the variables, on open lattices of odd extent.
        side = 1 if (signs == 1).sum() <= (signs == -1).sum() else -1
        self._kept, self._summed = np.flatnonzero(signs == side), np.flatnonzero(signs == -side)
        self.system, self.n_dims, self.symmetric = system, len(self._kept), True
        self.orbits = restrict_orbits(lattice.pair_orbits(), self._kept)
        self.pattern = _pattern(system)[self._kept]
        coupling = 2.0 * system.hop * lattice.adjacency[np.ix_(self._kept, self._summed)]
        self.site = SiteIntegral(system.quadratic, system.quartic, largest=self._largest_field(coupling))
        swap = exchange(system)
        buffers = {
            "coupling": torch.from_numpy(coupling),
            "kept": torch.from_numpy(self._kept),
            "summed": torch.from_numpy(self._summed),
            "swap": None if swap is None else torch.from_numpy(swap),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def _largest_field(self, coupling: np.ndarray) -> float:
        """Field of neighbours in a uniform configuration of an action 100 nats per site above phi = 0."""
        system = self.system
        if system.quartic == 0.0:
            return 1.0  # any size of table is exact; on open lattices the loop below might not end
        degree = int(system.lattice.coordination.max())
        phi = 1.0
        while (system.quadratic - abs(system.hop) * degree) * phi**2 + system.quartic * phi**4 < 100.0:
            phi *= 1.1
        return float(np.abs(coupling).sum(axis=0).max()) * phi + 1e-3

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """sum_A V(phi) - sum_B log I(h)."""
        check_no_condition(condition)
        squared = x * x
        local = squared * (self.system.quadratic + self.system.quartic * squared)
        return local.sum(1) - self.site.log_integral(x @ self.coupling.to(x.dtype)).sum(1)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the other sublattice from its exact conditional density."""
        x64 = x.double()
        field = torch.empty(len(x), self.system.n_sites, dtype=x.dtype, device=x.device)
        field[:, self.kept] = x
        field[:, self.summed] = self.site.draw(x64 @ self.coupling, generator).to(x.dtype)
        if self.swap is not None:
            moved = torch.rand(len(x), generator=generator, device=x.device) < 0.5
            field[moved] = field[moved][:, self.swap]
        return -self.energy(x64), field

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The kept sublattice, with its marginal density."""
        x = configurations[:, self.kept]
        return x, -self.energy(x.double())

    def gaussian_start(self) -> GaussianStart:
        """The Hartree solution of the whole lattice, restricted."""
        return _best_start(self, self._kept, _pattern(self.system))
