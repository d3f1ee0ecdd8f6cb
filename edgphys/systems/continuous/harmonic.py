# SPDX-License-Identifier: MIT
r"""Independent harmonic oscillators: the simplest system with every answer in closed form.

    E(x) = 1/2 sum_i k_i x_i^2,        k_i = stiffness ratio^{i / (d - 1)},    i = 0 .. d - 1

so that the frequencies spread from sqrt(stiffness) to sqrt(ratio stiffness). Exactly,

    log Z = 1/2 sum_i log(2 pi T / k_i),      <E> = d T / 2,      specific heat 1/2 per variable.

References
----------
Pathria and Beale, Statistical Mechanics, 3rd ed., Elsevier (2011), sec. 3.8.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import positive, temperature_of, whole
from edgphys._sizes import MOST_DIMS
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Harmonic"]


@final
class Harmonic(AbstractContinuousSystem):
    """Harmonic oscillators; see the module docstring.

    Parameters
    ----------
    n_dims : int
        d, at least 1.
    temperature : float
        Positive.
    stiffness : float
        Smallest spring constant, positive.
    ratio : float
        Largest spring constant over the smallest, positive; without effect at ``n_dims = 1``.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no number, or out of range.

    Examples
    --------
    >>> round(Harmonic(n_dims=2).exact_results()["log_z"], 6)     # log 2 pi
    1.837877
    """

    name: ClassVar[str] = "harmonic"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = 1/2 sum_i k_i x_i^2, k_i = stiffness ratio^(i/(d-1))",
        parameters=(
            Parameter("n_dims", "d, at least 1", 1),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("stiffness", "smallest spring constant, positive", 1.0),
            Parameter("ratio", "largest spring constant over the smallest, positive", 1.0),
        ),
        exact=("log_z, free_energy, energy, specific_heat in closed form",),
    )

    def __init__(
        self, n_dims: int = 1, temperature: float = 1.0, stiffness: float = 1.0, ratio: float = 1.0
    ) -> None:
        self.event_shape = (whole(n_dims, "n_dims", 1, MOST_DIMS),)
        self.temperature = temperature_of(temperature)
        self.stiffness = positive(stiffness, "stiffness")
        self.ratio = positive(ratio, "ratio")
        self.parameters = {
            "n_dims": self.n_variables,
            "temperature": self.temperature,
            "stiffness": self.stiffness,
            "ratio": self.ratio,
        }
        self.formula = "1/2 sum_i k_i x_i^2, k_i = stiffness ratio^(i/(d-1))"
        self.width = math.sqrt(self.temperature / self.stiffness)
        exponents = np.linspace(0.0, 1.0, self.n_variables) if self.n_variables > 1 else np.zeros(1)
        self._springs = self.stiffness * self.ratio**exponents

    @property
    def symmetries(self) -> tuple[str, ...]:
        """The sign of x."""
        return ("z2",)

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        return self._springs

    def _energy(self, flat: Tensor) -> Tensor:
        return 0.5 * (flat.new_tensor(self._springs) * flat * flat).sum(1)

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        return self._energy(flat), flat.new_tensor(self._springs) * flat

    def _exact_moments(self) -> tuple[float, float, float]:
        d, t = self.n_variables, self.temperature
        log_z = 0.5 * float(np.log(2.0 * np.pi * t / self._springs).sum())
        return log_z, 0.5 * d * t, 0.5 * d * t * t


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    energy = 0.0
    for i in range(x.size):
        gradient_out[i] = parameters[i] * x[i]
        energy += 0.5 * gradient_out[i] * x[i]
    return energy
