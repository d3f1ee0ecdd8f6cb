# SPDX-License-Identifier: MIT
r"""Particles with a double-well pair law: DW4 with the defaults.

    E = 1/(2 tau) sum_{i != j} [ a (d_ij - d0) + b (d_ij - d0)^2 + c (d_ij - d0)^4 ]

The sum runs over ordered pairs, so that each pair counts once, with the weight 1/tau. Published codes (bgflow
and all that took it over) sum over i < j without the 1/2: the same energy. With the defaults, four particles
in the plane, the favoured distances are 2.51 and 5.49; exactly, by quadrature at T = tau = 1,

    log Z = 29.667232 (mean-free),     <E> = -22.541510,     mean distance 4.044987.

Sample files that circulate with published codes have a mean energy of -22.45 to -22.48: they are biased.

References
----------
Koehler, Klein, Noe, Equivariant flows, ICML (2020), arXiv:2006.02425, section 6
(DW-4: d0 = 4, a = 0, b = -4, c = 0.9, tau = 1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import finite, positive, temperature_of
from edgphys.exact.pair_clusters import can_integrate
from edgphys.systems.particles.base import AbstractParticleSystem, check_counts
from edgphys.systems.particles.mean_free import (
    add_forces_below,
    gather,
    spread,
    squares_below,
)
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DoubleWellParticles"]


@final
class DoubleWellParticles(AbstractParticleSystem):
    """Particles with a double-well pair law; see the module docstring.

    Parameters
    ----------
    n_particles, n_axes : int
        n, at least 2, and the dimension of space.
    temperature : float
        Positive; only T tau matters.
    a, b, c : float
        Coefficients of the first, second and fourth power; c positive.
    offset : float
        d0, the distance of the barrier, positive.
    tau : float
        Positive.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no number, or out of range.

    Examples
    --------
    >>> system = DoubleWellParticles()
    >>> square = 2.0 * np.array([[[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]]])
    >>> system.energy(square).round(4)         # four sides at the barrier, two diagonals beyond it
    array([-8.3966])
    >>> system.n_variables, system.event_shape
    (6, (4, 2))
    """

    name: ClassVar[str] = "double_well_particles"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = sum over pairs [a u + b u^2 + c u^4] / tau, u = distance - offset; mean-free positions",
        parameters=(
            Parameter("n_particles", "at least 2", 4),
            Parameter("n_axes", "dimension of space", 2),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("a", "coefficient of u", 0.0),
            Parameter("b", "coefficient of u^2", -4.0),
            Parameter("c", "coefficient of u^4, positive", 0.9),
            Parameter("offset", "distance at which u = 0", 4.0),
            Parameter("tau", "divides the energy, positive", 1.0),
        ),
        exact=("2 particles, 3 in one dimension, up to 4 in two, by quadrature",),
    )

    def __init__(
        self,
        n_particles: int = 4,
        n_axes: int = 2,
        temperature: float = 1.0,
        a: float = 0.0,
        b: float = -4.0,
        c: float = 0.9,
        offset: float = 4.0,
        tau: float = 1.0,
    ) -> None:
        self.n_particles, self.n_axes = check_counts(n_particles, n_axes)
        self.event_shape = (self.n_particles, self.n_axes)
        self.temperature = temperature_of(temperature)
        self.a, self.b = finite(a, "a"), finite(b, "b")
        self.c = positive(c, "c")
        self.offset = positive(offset, "offset")
        self.tau = positive(tau, "tau")
        self.oscillator = 0.0
        self.parameters = {
            "n_particles": self.n_particles,
            "n_axes": self.n_axes,
            "temperature": self.temperature,
            "a": self.a,
            "b": self.b,
            "c": self.c,
            "offset": self.offset,
            "tau": self.tau,
        }
        self.formula = (
            "1/(2 tau) sum over ordered pairs i != j (each pair once, weight 1/tau) of "
            "a (d - d0) + b (d - d0)^2 + c (d - d0)^4, d = |x_i - x_j|, d0 = offset"
        )
        # Normal coordinates of this width have pairs at a root mean square distance d0.
        self.width = self.offset / math.sqrt(2.0 * self.n_axes)

    @property
    def exact(self) -> tuple[str, ...]:
        """All by quadrature for two particles, three on a line, and three or four in the plane."""
        return (*super().exact, "distance") if can_integrate(self.n_particles, self.n_axes) else ()

    @property
    def easy_parameters(self) -> dict[str, float]:
        """A temperature of nearly four times the barrier of a pair, or none if this one is higher."""
        barrier = max(-self.b, 0.0) ** 2 / (4.0 * self.c * self.tau)
        return {"temperature": 3.6 * barrier} if self.temperature < 3.6 * barrier else {}

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        scaled = np.array([self.a, self.b, self.c]) / self.tau
        return np.array([self.n_particles, self.n_axes, *scaled, self.offset])

    def _pair_law(self, r: Tensor) -> tuple[Tensor, Tensor]:
        u = r - self.offset
        square = u * u
        law = self.a * u + (self.b + self.c * square) * square
        slope = self.a + (2.0 * self.b + 4.0 * self.c * square) * u
        return law / self.tau, slope / self.tau


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    n_particles, n_axes = int(parameters[0]), int(parameters[1])
    # One piece of memory: asking for it costs as much as a dozen pairs.
    rows = np.zeros((2 * n_axes + 1, n_particles))
    positions, slopes, factors = rows[:n_axes], rows[n_axes : 2 * n_axes], rows[-1]
    spread(x, positions)
    energy = 0.0
    for i in range(1, n_particles):
        squares_below(positions, i, factors)
        energy += _pair_laws(factors, i, parameters)
        add_forces_below(slopes, positions, i, factors)
    gather(slopes, gradient_out)
    return energy


@njit(nogil=True, cache=True)
def _pair_laws(factors, n, parameters):
    """Sum of w(r), and w'(r) / r in the place of r^2, of the first n."""
    a, b, c, offset = parameters[2], parameters[3], parameters[4], parameters[5]
    energy = 0.0
    for j in range(n):
        r = math.sqrt(factors[j])
        u = r - offset
        energy += a * u + (b + c * u * u) * u * u
        factors[j] = (a + (2.0 * b + 4.0 * c * u * u) * u) / max(r, 1e-300)
    return energy
