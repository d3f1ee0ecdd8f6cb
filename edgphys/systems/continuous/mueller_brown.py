# SPDX-License-Identifier: MIT
r"""Mueller-Brown potential: two basins and a shallow third one, joined by a curved valley.

    E(x, y) = sum_k A_k exp[ a_k (x - x_k)^2 + b_k (x - x_k)(y - y_k) + c_k (y - y_k)^2 ],    k = 1 .. 4

with the constants of the paper (table below). Stationary points (x, y) and energies:

    upper minimum   (-0.5582,  1.4417)   -146.700
    main saddle     (-0.8220,  0.6243)    -40.665
    middle minimum  (-0.0500,  0.4667)    -80.768
    second saddle   ( 0.2125,  0.2930)    -72.249
    lower minimum   ( 0.6235,  0.0280)   -108.167

Basins: the straight line through the main saddle, along the eigenvector of its positive curvature, divides
the plane; the saddle is the lowest point of the line. The side of the upper minimum is the basin "upper"; the
other side, with the middle and the lower minimum, is the basin "lower". `free_energy_difference` is
F_lower - F_upper. Everything exact is a two-dimensional quadrature.

References
----------
Mueller and Brown, Location of saddle points and minimum energy paths by a constrained simplex optimization
procedure, Theor. Chim. Acta 53, 75 (1979), doi:10.1007/BF00547608.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import temperature_of
from edgphys._lazy import LazyModule
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["MuellerBrown"]

# Rows A, a, b, c, x, y; one column a term.
_CONSTANTS = np.array(
    [
        [-200.0, -100.0, -170.0, 15.0],
        [-1.0, -1.0, -6.5, 0.7],
        [0.0, 0.0, 11.0, 0.6],
        [-10.0, -10.0, -6.5, 0.7],
        [1.0, 0.0, -0.5, -1.0],
        [0.0, 0.5, 1.5, 1.0],
    ]
)
_MINIMA = np.array([[-0.558223634, 1.441725842], [0.623499405, 0.028037759], [-0.050010823, 0.466694105]])
_SADDLE = np.array([-0.822001559, 0.624312802])
# Unit vector across the dividing line, towards the upper minimum.
_NORMAL = np.array([-0.761398, 0.648285])
_NORMAL /= np.linalg.norm(_NORMAL)


@final
class MuellerBrown(AbstractContinuousSystem):
    """Mueller-Brown potential; see the module docstring.

    Parameters
    ----------
    temperature : float
        Positive; the barrier from the upper minimum is 106, so that 15 makes it seven times the temperature.

    Raises
    ------
    TypeError, ValueError
        If `temperature` is no number, or not positive.

    Examples
    --------
    >>> system = MuellerBrown(temperature=15.0)
    >>> system.energy(system.centres).round(3)
    array([-146.7  , -108.167,  -80.768])
    >>> round(system.free_energy_difference(), 4)
    32.61
    """

    name: ClassVar[str] = "mueller_brown"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = sum_k A_k exp(a_k u^2 + b_k u v + c_k v^2), u = x - x_k, v = y - y_k, four terms",
        parameters=(Parameter("temperature", "T, positive, in units of E (k_B = 1)", 15.0),),
        exact=("log_z, free_energy, energy, specific_heat; difference of the basins", "by quadrature"),
    )
    observables: ClassVar[tuple[str, ...]] = ("upper",)
    basins: ClassVar[tuple[str, ...]] = ("lower", "upper")

    def __init__(self, temperature: float = 15.0) -> None:
        self.event_shape = (2,)
        self.temperature = temperature_of(temperature)
        self.parameters = {"temperature": self.temperature}
        self.formula = "Mueller-Brown, four Gaussian terms"
        self.width = 0.3

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        return _CONSTANTS.ravel()

    @property
    def centres(self) -> NDArray[np.float64]:
        return _MINIMA

    def free_energy_difference(self) -> float:
        """F_lower - F_upper = -T log(Z_lower / Z_upper), by quadrature."""
        # Imported here, as everything that only exact results need.
        from edgphys.exact.quadrature import boltzmann_moments

        frame = np.stack([_NORMAL, [-_NORMAL[1], _NORMAL[0]]])  # rows: across the line, along it
        centres = (_MINIMA - _SADDLE) @ frame.T
        log_z = [
            boltzmann_moments(
                lambda u: self.energy(_SADDLE + u @ frame),
                centres,
                self.temperature,
                limits=[side, (-math.inf, math.inf)],
            )[0]
            for side in ((-math.inf, 0.0), (0.0, math.inf))
        ]
        return -self.temperature * (log_z[0] - log_z[1])

    def _exact_moments(self) -> tuple[float, float, float]:
        from edgphys.exact.quadrature import boltzmann_moments

        return boltzmann_moments(self.energy, _MINIMA, self.temperature)

    def _terms(self, flat: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The four terms, and their logarithmic derivatives along x and y, shapes (n_batch, 4)."""
        height, a, b, c, x0, y0 = flat.new_tensor(_CONSTANTS)
        u, v = flat[:, :1] - x0, flat[:, 1:] - y0
        terms = height * torch.exp(a * u * u + b * u * v + c * v * v)
        return terms, 2.0 * a * u + b * v, b * u + 2.0 * c * v

    def _energy(self, flat: Tensor) -> Tensor:
        return self._terms(flat)[0].sum(1)

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        terms, along_x, along_y = self._terms(flat)
        gradient = torch.stack([(terms * along_x).sum(1), (terms * along_y).sum(1)], dim=1)
        return terms.sum(1), gradient

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"upper": ((flat - _SADDLE) @ _NORMAL > 0.0).astype(np.float64)}

    def _more_definitions(self) -> dict[str, str]:
        return {
            "upper": "1 on the side of the upper minimum of the line through the main saddle, else 0; "
            "average: population p of the upper basin, F_lower - F_upper = -T log((1 - p) / p)"
        }


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    energy, along_x, along_y = 0.0, 0.0, 0.0
    for k in range(4):
        a, b, c = parameters[4 + k], parameters[8 + k], parameters[12 + k]
        u, v = x[0] - parameters[16 + k], x[1] - parameters[20 + k]
        term = parameters[k] * math.exp(a * u * u + b * u * v + c * v * v)
        energy += term
        along_x += term * (2.0 * a * u + b * v)
        along_y += term * (b * u + 2.0 * c * v)
    gradient_out[0] = along_x
    gradient_out[1] = along_y
    return energy
