# SPDX-License-Identifier: MIT
r"""Double well in one or two dimensions.

    E(x)    = barrier (x^2 / position^2 - 1)^2 + tilt x
    E(x, y) = the same + stiffness y^2 / 2

Without tilt the minima are at x = +-position with E = 0 and the barrier at x = 0 has the height `barrier`.
The basins are x > 0 (right) and x < 0 (left). All results are one-dimensional quadratures, y being free:
log Z gains 1/2 log(2 pi T / stiffness).

References
----------
Kramers, Physica 7, 284 (1940), doi:10.1016/S0031-8914(40)90098-2 (the problem of escape from such a well).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import finite, positive, temperature_of, whole
from edgphys._lazy import LazyModule
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["DoubleWell"]


@final
class DoubleWell(AbstractContinuousSystem):
    """Double well; see the module docstring.

    Parameters
    ----------
    n_dims : {1, 2}
        With or without the free direction y.
    temperature : float
        Positive.
    barrier : float
        Height of the barrier, positive.
    position : float
        Distance of the minima from the barrier, positive.
    tilt : float
        Force towards the left.
    stiffness : float
        Spring constant of y, positive; without effect in one dimension.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no number, or out of range.

    Examples
    --------
    >>> system = DoubleWell(n_dims=2, barrier=3.0)
    >>> system.energy(np.array([[0.0, 0.0], [1.0, 2.0]]))
    array([3., 2.])
    """

    name: ClassVar[str] = "double_well"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = barrier (x^2/position^2 - 1)^2 + tilt x + stiffness y^2/2 (y in two dimensions)",
        parameters=(
            Parameter("n_dims", "1 or 2", 1),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("barrier", "height of the barrier, positive", 4.0),
            Parameter("position", "distance of the minima from the barrier, positive", 1.0),
            Parameter("tilt", "force towards the left", 0.0),
            Parameter("stiffness", "spring constant of y, positive", 1.0),
        ),
        exact=("log_z, free_energy, energy, specific_heat; difference of the basins", "by quadrature"),
    )
    observables: ClassVar[tuple[str, ...]] = ("right",)
    basins: ClassVar[tuple[str, ...]] = ("right", "left")

    def __init__(
        self,
        n_dims: int = 1,
        temperature: float = 1.0,
        barrier: float = 4.0,
        position: float = 1.0,
        tilt: float = 0.0,
        stiffness: float = 1.0,
    ) -> None:
        self.event_shape = (whole(n_dims, "n_dims", 1, 2),)
        self.temperature = temperature_of(temperature)
        self.barrier = positive(barrier, "barrier")
        self.position = positive(position, "position")
        self.tilt = finite(tilt, "tilt")
        self.stiffness = positive(stiffness, "stiffness")
        self.parameters = {
            "n_dims": self.n_variables,
            "temperature": self.temperature,
            "barrier": self.barrier,
            "position": self.position,
            "tilt": self.tilt,
            "stiffness": self.stiffness,
        }
        self.formula = "barrier (x^2/position^2 - 1)^2 + tilt x" + (
            " + stiffness y^2/2" if self.n_variables == 2 else ""
        )
        self.width = self.position

    @property
    def symmetries(self) -> tuple[str, ...]:
        """The sign of all coordinates, without tilt."""
        return ("z2",) if self.tilt == 0.0 else ()

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        return np.array([self.barrier, 1.0 / self.position, self.tilt, self.stiffness])

    @property
    def centres(self) -> NDArray[np.float64]:
        points = np.zeros((2, self.n_variables))
        points[:, 0] = self.position, -self.position
        return points

    def free_energy_difference(self) -> float:
        """F_right - F_left = -T log(Z_right / Z_left), by quadrature."""
        parts = [self._moments(side)[0] for side in ((0.0, math.inf), (-math.inf, 0.0))]
        return -self.temperature * (parts[0] - parts[1])

    def _moments(self, side: tuple[float, float] = (-math.inf, math.inf)) -> tuple[float, float, float]:
        # Imported here, as everything that only exact results need.
        from edgphys.exact.quadrature import boltzmann_moments

        one = DoubleWell(**{**self.parameters, "n_dims": 1})
        return boltzmann_moments(one.energy, one.centres, self.temperature, limits=[side])

    def _exact_moments(self) -> tuple[float, float, float]:
        log_z, energy, variance = self._moments()
        if self.n_variables == 2:
            log_z += 0.5 * math.log(2.0 * math.pi * self.temperature / self.stiffness)
            energy += 0.5 * self.temperature
            variance += 0.5 * self.temperature**2
        return log_z, energy, variance

    def _energy(self, flat: Tensor) -> Tensor:
        excess = (flat[:, 0] / self.position) ** 2 - 1.0
        energy = self.barrier * excess * excess + self.tilt * flat[:, 0]
        return energy if self.n_variables == 1 else energy + 0.5 * self.stiffness * flat[:, 1] ** 2

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        scaled = flat[:, 0] / self.position
        slope = 4.0 * self.barrier / self.position * scaled * (scaled * scaled - 1.0) + self.tilt
        parts = [slope] if self.n_variables == 1 else [slope, self.stiffness * flat[:, 1]]
        return self._energy(flat), torch.stack(parts, dim=1)

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"right": (flat[:, 0] > 0.0).astype(np.float64)}

    def _more_definitions(self) -> dict[str, str]:
        return {"right": "1 where x > 0, else 0; average: population of the right basin"}


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    barrier, inverse, tilt, stiffness = parameters[0], parameters[1], parameters[2], parameters[3]
    scaled = x[0] * inverse
    excess = scaled * scaled - 1.0
    gradient_out[0] = 4.0 * barrier * inverse * scaled * excess + tilt
    energy = barrier * excess * excess + tilt * x[0]
    if x.size == 2:
        gradient_out[1] = stiffness * x[1]
        energy += 0.5 * stiffness * x[1] * x[1]
    return energy
