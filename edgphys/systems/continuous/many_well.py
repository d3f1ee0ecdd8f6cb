# SPDX-License-Identifier: MIT
r"""Many wells: d/2 independent copies of a tilted double well times a Gaussian.

    E(x) = sum over pairs (x, y) of   x^4 - 6 x^2 - x/2 + y^2/2

Pair k is ``x[2k], x[2k + 1]``. Each x has minima near +1.75 and -1.71, so there are 2^(d/2) modes of unequal
weight. Z is the d/2-th power of a one-dimensional quadrature: log Z = 164.6957 at d = 32, T = 1.

References
----------
Midgley, Stimper, Simm, Schoelkopf, Hernandez-Lobato, Flow annealed importance sampling bootstrap,
ICLR (2023), arXiv:2208.01893, appendix (Many Well 32).
Noe, Olsson, Koehler, Wu, Science 365, eaaw1147 (2019), doi:10.1126/science.aaw1147 (the double well).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import temperature_of, whole, wrong
from edgphys._lazy import LazyModule
from edgphys._sizes import MOST_DIMS
from edgphys.errors import ArgumentValueError
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["ManyWell"]

# Minima of x^4 - 6 x^2 - x/2: real roots of 4 x^3 - 12 x - 1/2.
_RIGHT, _LEFT = 1.7525198623, -1.7108290410


@final
class ManyWell(AbstractContinuousSystem):
    """Many wells; see the module docstring.

    Parameters
    ----------
    n_dims : int
        d, even.
    temperature : float
        Positive.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no number, or out of range.

    Examples
    --------
    >>> round(ManyWell(n_dims=32).exact_results()["log_z"], 4)
    164.6957
    """

    name: ClassVar[str] = "many_well"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = sum over pairs (x, y) of x^4 - 6 x^2 - x/2 + y^2/2",
        parameters=(
            Parameter("n_dims", "even", 32),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
        ),
        exact=("log_z, free_energy, energy, specific_heat by quadrature of one pair",),
    )
    observables: ClassVar[tuple[str, ...]] = ("right",)
    basins: ClassVar[tuple[str, ...]] = ("right", "left")

    def __init__(self, n_dims: int = 32, temperature: float = 1.0) -> None:
        n_dims = whole(n_dims, "n_dims", 2, MOST_DIMS)
        if n_dims % 2:
            raise wrong(ArgumentValueError, "n_dims", "even", n_dims)
        self.event_shape = (n_dims,)
        self.temperature = temperature_of(temperature)
        self.parameters = {"n_dims": self.n_variables, "temperature": self.temperature}
        self.formula = "sum over pairs (x, y) of x^4 - 6 x^2 - x/2 + y^2/2"
        self.width = 1.7

    @property
    def n_blocks(self) -> int:
        """Pairs of variables: independent, all with the same law."""
        return self.n_variables // 2

    @property
    def kernel(self):
        return _kernel

    @property
    def centres(self) -> NDArray[np.float64]:
        """All right, all left, and the two alternations of both."""
        points = np.zeros((4, self.n_variables))
        first, second = points[:, 0::4], points[:, 2::4]
        first[:] = np.array([_RIGHT, _LEFT, _RIGHT, _LEFT])[:, None]
        second[:] = np.array([_RIGHT, _LEFT, _LEFT, _RIGHT])[:, None]
        return points

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Every x in one well or the other, independently with equal odds; odd rows less spread than even."""
        rows = rng.standard_normal((n, self.n_variables))
        rows[1::2] *= 0.3
        rows[:, 0::2] += np.where(rng.random((n, self.n_variables // 2)) < 0.5, _RIGHT, _LEFT)
        return rows

    def free_energy_difference(self) -> float:
        """F_right - F_left = -T log(p_right / p_left) of one pair, by quadrature."""
        parts = [self._pair_moments(side)[0] for side in ((0.0, math.inf), (-math.inf, 0.0))]
        return -self.temperature * (parts[0] - parts[1])

    def _pair_moments(self, side=(-math.inf, math.inf)) -> tuple[float, float, float]:
        """log Z, <E> and the variance of E of one x."""
        # Imported here, as everything that only exact results need.
        from edgphys.exact.quadrature import boltzmann_moments

        def energy(x):
            return ((x * x - 6.0) * x * x - 0.5 * x)[:, 0]

        centres = np.array([[_RIGHT], [_LEFT]])
        return boltzmann_moments(energy, centres, self.temperature, limits=[side])

    def _exact_moments(self) -> tuple[float, float, float]:
        n_pairs, t = self.n_variables // 2, self.temperature
        log_z, energy, variance = self._pair_moments()
        log_z += 0.5 * math.log(2.0 * math.pi * t)
        return n_pairs * log_z, n_pairs * (energy + 0.5 * t), n_pairs * (variance + 0.5 * t * t)

    def _energy(self, flat: Tensor) -> Tensor:
        x, y = flat[:, 0::2], flat[:, 1::2]
        return ((x * x - 6.0) * x * x - 0.5 * x + 0.5 * y * y).sum(1)

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        x, y = flat[:, 0::2], flat[:, 1::2]
        return self._energy(flat), torch.stack([(4.0 * x * x - 12.0) * x - 0.5, y], dim=2).reshape(flat.shape)

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"right": (flat[:, 0::2] > 0.0).mean(axis=1)}

    def _more_definitions(self) -> dict[str, str]:
        return {
            "right": "share of the pairs with x > 0; average: population of the right well of a pair",
            "free_energy_difference": "F_right - F_left = -T log(p_right / p_left) of one pair, in the units "
            "of the temperature",
        }


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    energy = 0.0
    for k in range(0, x.size, 2):
        u, v = x[k], x[k + 1]
        square = u * u
        gradient_out[k] = (4.0 * square - 12.0) * u - 0.5
        gradient_out[k + 1] = v
        energy += (square - 6.0) * square - 0.5 * u + 0.5 * v * v
    return energy
