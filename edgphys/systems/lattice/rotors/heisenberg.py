# SPDX-License-Identifier: MIT
r"""The classical Heisenberg model on any lattice: spins in space, O(3).

    H(S) = -J sum_<ij> S_i . S_j - h sum_i S_i^z,     |S_i| = 1,     Z = int prod_i dOmega_i exp(-beta H)

with the area of the unit sphere as the measure: log Z of n free spins is n log 4 pi. Configurations are the
unit vectors (x, y, z), a last axis of three. Couplings by kind or by bond and fields by site as in
`edgphys.systems.lattice.rotors.base`.

References
----------
Fisher, Am. J. Phys. 32, 343 (1964), doi:10.1119/1.1970340 (the chain).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.systems.lattice.coupled import COUPLING
from edgphys.systems.lattice.rotors.base import AbstractRotor
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Heisenberg"]


@final
class Heisenberg(AbstractRotor):
    """Heisenberg model; see the module docstring for signs and formulae, `AbstractRotor` for the parameters.

    Examples
    --------
    >>> import lattices
    >>> system = Heisenberg(lattices.build("cubic", (4, 4, 4)), temperature=1.5)
    >>> up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(1, 4, 4, 4, 3)
    >>> float(system.energy(up)[0])
    -192.0
    """

    name: ClassVar[str] = "heisenberg"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="H = -J sum_<ij> S_i . S_j - h sum_i S_i^z, weight exp(-H/T)",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)"),
            COUPLING,
            Parameter("field", "h along z; one, or by site", 0.0, takes_several=True),
        ),
        lattices="any lattice, periodic or open",
        exact=(
            "free spins, any lattice: log_z, free_energy, energy, specific_heat, magnetization",
            "chains, any couplings, uniform ones in a field: the same; rings without field: helicity_modulus",
        ),
        title="Heisenberg model",
    )
    n_components: ClassVar[int] = 3
    field_axis: ClassVar[int] = 2
    order_field: ClassVar[str] = "vectors"

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one configuration: the lattice axes, then the components."""
        return (*self.lattice.shape, 3)

    def configuration_dims(self) -> tuple[str, ...]:
        return (*super().configuration_dims(), "component")

    def vectors(self, flat: Tensor) -> Tensor:
        return flat.reshape(len(flat), self.n_sites, 3).transpose(1, 2)

    def _from_vectors(self, vectors: Tensor) -> Tensor:
        length = vectors.square().sum(1, keepdim=True).sqrt()
        return (vectors / length).transpose(1, 2).flatten(1)

    def _log_site_integral(self, local_field: float) -> float:
        b = abs(local_field)
        if b < 1e-4:  # the series of sinh(b) / b, exact to rounding here
            return math.log(4.0 * math.pi) + b * b / 6.0
        return b + math.log(2.0 * math.pi * -math.expm1(-2.0 * b) / b)

    def _draw_in_fields(self, local_fields: NDArray, n: int, rng: np.random.Generator) -> NDArray:
        fields = np.abs(local_fields)
        u, azimuth = rng.random((n, self.n_sites)), 2.0 * np.pi * rng.random((n, self.n_sites))
        # 1 - cos of the angle to the field, from the inverse of its distribution function.
        with np.errstate(divide="ignore", invalid="ignore"):
            below = -np.log1p(u * np.expm1(-2.0 * fields)) / fields
        below = np.clip(np.where(fields > 1e-8, below, 2.0 * u), 0.0, 2.0)
        across = np.sqrt(below * (2.0 - below))
        along = np.where(local_fields < 0.0, below - 1.0, 1.0 - below)
        spins = np.stack([across * np.cos(azimuth), across * np.sin(azimuth), along], axis=-1)
        return spins.reshape(n, -1)
