# SPDX-License-Identifier: MIT
r"""The XY model on any lattice: spins in a plane, O(2).

    H = -J sum_<ij> cos(theta_i - theta_j) - h sum_i cos theta_i,     Z = int prod_i dtheta_i exp(-beta H)

with every angle over one turn: log Z of n free spins is n log 2 pi. Configurations are the angles, in
[-pi, pi). Couplings by kind or by bond and fields by site as in `edgphys.systems.lattice.rotors.base`.

References
----------
Kosterlitz and Thouless, J. Phys. C 6, 1181 (1973), doi:10.1088/0022-3719/6/7/010.
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

__all__ = ["XY"]


@final
class XY(AbstractRotor):
    """XY model; see the module docstring for signs and formulae, `AbstractRotor` for the parameters.

    Examples
    --------
    >>> import lattices
    >>> system = XY(lattices.build("square", (4, 4)), temperature=0.9)
    >>> float(system.energy(torch.full((1, 4, 4), 0.7, dtype=torch.float64))[0])
    -32.0
    >>> round(XY(system.lattice, temperature=0.9, coupling=0.0).reference().log_z / 16, 6)  # log 2 pi
    1.837877
    """

    name: ClassVar[str] = "xy"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="H = -J sum_<ij> cos(theta_i - theta_j) - h sum_i cos theta_i, weight exp(-H/T)",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)"),
            COUPLING,
            Parameter("field", "h along theta = 0; one, or by site", 0.0, takes_several=True),
        ),
        lattices="any lattice, periodic or open",
        exact=(
            "free spins, any lattice: log_z, free_energy, energy, specific_heat, magnetization",
            "chains, any couplings, uniform ones in a field: the same; rings without field: helicity_modulus",
            "square tori of 3 by up to 64 sites without field, T >= 0.6 J: the same, helicity_modulus",
        ),
        title="XY model",
    )
    n_components: ClassVar[int] = 2
    order_field: ClassVar[str] = "angles"

    def vectors(self, flat: Tensor) -> Tensor:
        return torch.stack([flat.cos(), flat.sin()], dim=1)

    def _from_vectors(self, vectors: Tensor) -> Tensor:
        angles = torch.atan2(vectors[:, 1], vectors[:, 0])
        return torch.where(angles >= math.pi, -math.pi, angles)

    def _log_site_integral(self, local_field: float) -> float:
        from scipy.special import ive

        b = abs(local_field)
        return b + math.log(2.0 * math.pi * float(ive(0, b)))

    def _draw_in_fields(self, local_fields: NDArray, n: int, rng: np.random.Generator) -> NDArray:
        angles = rng.vonmises(0.0, np.abs(local_fields), (n, self.n_sites))
        turned = np.where(local_fields < 0.0, np.where(angles < 0.0, angles + np.pi, angles - np.pi), angles)
        return np.where(turned >= np.pi, -np.pi, turned)
