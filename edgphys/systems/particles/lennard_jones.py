# SPDX-License-Identifier: MIT
r"""Lennard-Jones cluster in a harmonic trap: LJ13 with the defaults, LJ55 with 55 particles.

    E = pair_count epsilon sum_{i<j} [ (rm/r_ij)^12 - 2 (rm/r_ij)^6 ] + oscillator/2 sum_i |x_i - mean|^2

Codes differ by a factor of two in the pair energy, not in the oscillator; ``pair_count`` says which is meant:

    1, "once"    each pair once, well depth epsilon: the bgflow code (sum over i != j, halved), as in
                 epsilon/(2 tau) sum_{i != j} of Koehler et al.; energy_factor=0.5 in the DEM code, which
                 is said there to give the energy of EACF
    2, "twice"   both orders of a pair: the default, energy_factor=1, of the DEM (iDEM) code and of those
                 that took it over, used there with the sample files of equivariant flow matching

At the same temperature "twice" is the more strongly bound system. (rm/r)^12 - 2 (rm/r)^6 is the usual
4 [(sigma/r)^12 - (sigma/r)^6] with rm = 2^(1/6) sigma.

Soft core: for r < core the pair law continues as the straight line that touches it at r = core; the energy is
then finite everywhere, as training needs. Weights are to be taken with core = 0, the true energy.

References
----------
Koehler, Klein, Noe, Equivariant flows, ICML (2020), arXiv:2006.02425.
Klein, Kraemer, Noe, Equivariant flow matching, NeurIPS (2023), arXiv:2306.15030 (LJ13, LJ55).
Akhound-Sadegh et al., Iterated denoising energy matching, ICML (2024), arXiv:2402.06121.
Midgley et al., SE(3) equivariant augmented coupling flows, NeurIPS (2023), arXiv:2308.10364.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edgphys._checks import number, positive, temperature_of, wrong
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError
from edgphys.exact.pair_clusters import can_integrate
from edgphys.systems.particles.base import AbstractParticleSystem, check_counts
from edgphys.systems.particles.gas import gas
from edgphys.systems.particles.mackay import MAGIC_NUMBERS, mackay_cluster
from edgphys.systems.particles.mean_free import (
    ANY_ORDER,
    add_forces_below,
    gather,
    helmert,
    spread,
    squares_below,
)
from edgphys.systems.records import Parameter, SystemRecord

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["PAIR_COUNTS", "LennardJones"]

PAIR_COUNTS = {"once": 1, "twice": 2}


@final
class LennardJones(AbstractParticleSystem):
    """Lennard-Jones cluster; see the module docstring.

    Parameters
    ----------
    n_particles, n_axes : int
        n, at least 2, and the dimension of space.
    temperature : float
        Positive.
    pair_count : {1, 2, "once", "twice"}
        How often each pair counts.
    epsilon, rm : float
        Depth of the well and its distance, positive.
    oscillator : float
        Spring constant of the trap, positive: without it particles evaporate, and Z is infinite.
    core : float
        Radius below which the pair law is a straight line; 0 for none. Below rm.

    Raises
    ------
    TypeError, ValueError
        If a parameter is no number, or out of range.

    Examples
    --------
    >>> system = LennardJones()
    >>> system.n_variables, system.event_shape, system.pair_count
    (36, (13, 3), 1)
    >>> trapless = LennardJones(oscillator=1e-12)
    >>> trapless.energy(0.963 * mackay_cluster(13)[None]).round(2)        # the ground state: -44.33
    array([-44.33])
    """

    name: ClassVar[str] = "lennard_jones"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="E = pair_count epsilon sum over pairs [(rm/r)^12 - 2 (rm/r)^6] + oscillator sum |x_i|^2 / 2",
        parameters=(
            Parameter("n_particles", "at least 2", 13),
            Parameter("n_axes", "dimension of space", 3),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("pair_count", "1 or 2: how often each pair counts", 1, takes_names=True),
            Parameter("epsilon", "depth of a pair, positive", 1.0),
            Parameter("rm", "distance of the minimum of a pair, positive", 1.0),
            Parameter("oscillator", "spring constant towards the centre, positive", 1.0),
            Parameter("core", "radius below which a pair is softened", 0.0),
        ),
        exact=("2 particles, by quadrature",),
    )

    def __init__(
        self,
        n_particles: int = 13,
        n_axes: int = 3,
        temperature: float = 1.0,
        pair_count: int | str = 1,
        epsilon: float = 1.0,
        rm: float = 1.0,
        oscillator: float = 1.0,
        core: float = 0.0,
    ) -> None:
        self.n_particles, self.n_axes = check_counts(n_particles, n_axes)
        self.event_shape = (self.n_particles, self.n_axes)
        self.temperature = temperature_of(temperature)
        self.pair_count = _check_pair_count(pair_count)
        self.epsilon = positive(epsilon, "epsilon")
        self.rm = positive(rm, "rm")
        self.oscillator = positive(oscillator, "oscillator")
        self.core = number(core, "core", least=0.0)
        if self.core >= self.rm:
            raise ValueError(f"core must be below rm = {self.rm:g}, got {self.core:g}")
        self.parameters = {
            "n_particles": self.n_particles,
            "n_axes": self.n_axes,
            "temperature": self.temperature,
            "pair_count": self.pair_count,
            "epsilon": self.epsilon,
            "rm": self.rm,
            "oscillator": self.oscillator,
            "core": self.core,
        }
        self.formula = self._formula()
        self.width = 0.1 * self.rm

    def _formula(self) -> str:
        counted = "each pair once" if self.pair_count == 1 else "each pair twice (both orders)"
        soft = f", pair law linear (C1) below r = {self.core:g}" if self.core else ""
        return (
            f"pair_count epsilon sum_(i<j) [(rm/r)^12 - 2 (rm/r)^6], {counted}{soft}, "
            "+ oscillator/2 sum_i |x_i - mean|^2"
        )

    @property
    def exact(self) -> tuple[str, ...]:
        """All by quadrature for two particles."""
        known = self.n_particles == 2 and can_integrate(2, self.n_axes)
        return (*super().exact, "distance") if known else ()

    @property
    def easy_parameters(self) -> dict[str, float]:
        """A weak pair law, a fifth of T deep (less above 13 particles), with a core of 0.9 rm."""
        # What a decoder leaves of log w adds up over the pairs: of 55 particles' own draws 0.14 are effective
        # at an epsilon of 0.05, 0.72 at 0.02.
        weak = 0.2 * self.temperature * min(1.0, 13 / self.n_particles) ** 1.5 / self.pair_count
        weak = {"epsilon": weak} if weak < self.epsilon else {}
        return weak | ({"core": 0.9 * self.rm} if self.core < 0.9 * self.rm else {})

    @property
    def kernel(self):
        return _kernel

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        depth = self.pair_count * self.epsilon
        height, slope = (
            float(v) for v in self._plain_law(torch.tensor(self.core or 1.0, dtype=torch.float64))
        )
        return np.array(
            [self.n_particles, self.n_axes, depth, self.rm, self.oscillator, self.core, height, slope]
        )

    @property
    def centres(self) -> NDArray[np.float64]:
        """The Mackay cluster, where there is one, contracted as the attraction beyond neighbours has it."""
        if self.n_axes != 3 or self.n_particles not in MAGIC_NUMBERS:
            return np.zeros((1, self.n_variables))
        cluster = mackay_cluster(self.n_particles, 0.95 * self.rm)
        return (helmert(self.n_particles) @ cluster).reshape(1, -1)

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Even rows: a gas, no two particles closer than 0.9 rm; odd rows: a slightly shaken Mackay cluster.

        Where there is no such cluster all rows are gases.
        """
        cluster = self.centres[0]
        rows = np.empty((n, self.n_variables))
        for k in range(n):
            if k % 2 and cluster.any():
                rows[k] = cluster + 0.3 * self.width * rng.standard_normal(self.n_variables)
            else:
                points = gas(rng, self.n_particles, self.n_axes, 0.9 * self.rm)
                rows[k] = (helmert(self.n_particles) @ points).ravel()
        return rows

    def softened(self, radius: float) -> LennardJones:
        """The same system with the pair law continued linearly below `radius`.

        Examples
        --------
        >>> LennardJones().softened(0.8).energy(np.zeros((1, 36))).round(3)       # finite at r = 0
        array([10589.993])
        """
        return self.replace(core=radius)

    def below_core(self, configurations: Tensor | NDArray, radius: float | None = None) -> float:
        """Fraction of configurations with a pair closer than `radius`, by default `core`."""
        limit = self.core if radius is None else positive(radius, "radius")
        close = (self.pair_distances(configurations) < limit).any(1)
        return float(close.mean(dtype=float))  # pyright: ignore[reportArgumentType]  (torch takes it too)

    def _pair_law(self, r: Tensor) -> tuple[Tensor, Tensor]:
        if self.core == 0.0:
            return self._plain_law(r)
        # The true law at max(r, core), plus the line: no infinity is ever formed.
        law, slope = self._plain_law(r.clamp_min(self.core))
        steepness = float(self.kernel_parameters[7])
        return law + steepness * (r - self.core).clamp_max(0.0), slope

    def _plain_law(self, r: Tensor) -> tuple[Tensor, Tensor]:
        depth = self.pair_count * self.epsilon
        sixth = (self.rm / r) ** 6
        return depth * sixth * (sixth - 2.0), 12.0 * depth * sixth * (1.0 - sixth) / r

    def _more_definitions(self) -> dict[str, str]:
        name = {count: word for word, count in PAIR_COUNTS.items()}[self.pair_count]
        return {**super()._more_definitions(), "pair_count": f"{self.pair_count}: each pair counts {name}"}


def _check_pair_count(value) -> int:
    count = PAIR_COUNTS.get(value, value) if isinstance(value, str) else value
    if isinstance(count, bool) or count not in (1, 2):
        raise wrong(ArgumentValueError, "pair_count", '1 ("once") or 2 ("twice")', value)
    return int(count)


@njit(nogil=True, cache=True)
def _kernel(x, gradient_out, parameters):
    n_particles, n_axes, oscillator = int(parameters[0]), int(parameters[1]), parameters[4]
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
    for k in range(x.size):
        energy += 0.5 * oscillator * x[k] * x[k]
        gradient_out[k] += oscillator * x[k]
    return energy


# error_model: a trajectory that runs away may round two particles onto one place.
@njit(nogil=True, cache=True, fastmath=ANY_ORDER, error_model="numpy")
def _pair_laws(factors, n, parameters):
    """Sum of w(r), and w'(r) / r in the place of r^2, of the first n."""
    depth, core, height, slope = parameters[2], parameters[5], parameters[6], parameters[7]
    unit, nearest = parameters[3] * parameters[3], core * core
    energy = 0.0
    for j in range(n):
        square = factors[j]
        if square < nearest:
            r = math.sqrt(square)
            energy += height + slope * (r - core)
            factors[j] = slope / max(r, 1e-300)
        else:
            inverse = unit / square
            sixth = inverse * inverse * inverse
            energy += depth * sixth * (sixth - 2.0)
            factors[j] = 12.0 * depth / unit * sixth * (1.0 - sixth) * inverse
    return energy
