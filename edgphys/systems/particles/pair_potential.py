# SPDX-License-Identifier: MIT
r"""Identical particles with a pair law of a user's own, in one line.

    E = strength sum_{i<j} u(|x_i - x_j|^2) + oscillator/2 sum_i |x_i - mean|^2

    morse = PairPotential(lambda d2: (1 - torch.exp(3 * (1 - d2.sqrt()))) ** 2, 7, 3, oscillator=0.5)

The law is a torch function of squared distances, any shape to the same shape, called in float64 only;
autograd takes its gradient. +inf is a wall; no distance below 1e-15 is asked for. Z is that of all clusters
(`edgphys.systems.particles.base`): over the mean-free subspace, no volume, no 1/n!.

Soft core: for r < core the pair law continues as the straight line that touches it at r = core, as in
`edgphys.systems.particles.lennard_jones`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import number, positive, temperature_of, whole
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentTypeError, ArgumentValueError, NotExactError
from edgphys.exact.pair_clusters import can_integrate, pair_moments
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.particles import pair_scales
from edgphys.systems.particles.base import AbstractParticleSystem, check_counts
from edgphys.systems.particles.gas import gas
from edgphys.systems.particles.mean_free import helmert
from edgphys.systems.particles.pair_kernels import cluster_kernel
from edgphys.systems.particles.pair_law import PairLaw
from edgphys.systems.particles.user_pair_law import DISTANCES, UserPairLaw

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["PairPotential"]

# Of the quadrature by n_axes, see `edgphys.exact.pair_clusters`: a second or two.
_MOST_POINTS = 1000, 300, 1000


@final
class PairPotential(AbstractParticleSystem):
    """Identical particles with a user's pair law.

    Parameters
    ----------
    law : callable
        u, not divided by the temperature: a differentiable torch function of squared distances, float64 of
        any shape, giving real energies of that shape.
    n_particles : int
        n, at least 2.
    n_axes : {1, 2, 3}
        Dimension of space.
    temperature : float
        Positive, in the units of the energy.
    name : str
        Name in datasets.
    oscillator : float
        Spring constant that ties every particle to the mean; 0 if the law itself confines.
    strength : float
        Multiplies the law, positive.
    core : float
        Radius below which the pair law is a straight line; 0 for none.
    width : float, optional
        Length over which the density varies; by default the law tells.
    kernel : numba dispatcher, optional
        d2 -> (u, du/d(d2)), two floats, for the chains; by default the law is compiled where that can be done
        (`edgphys.systems.particles.traced_law`), and else they run in torch.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range; if the law fails, gives another shape, no real
        numbers or no gradient, couples the pairs, or is NaN where it counts; if exp(-E/T) has no finite
        integral; if the particles do not fit into memory.

    Notes
    -----
    Two of one name are told apart by the law at fixed distances.

    Examples
    --------
    >>> from edgphys.systems.particles.lennard_jones import LennardJones
    >>> system = PairPotential(lambda d2: d2**-6 - 2 * d2**-3, 13, 3, oscillator=1.0)
    >>> points = LennardJones(13).random_configurations(2, np.random.default_rng(0))
    >>> bool(np.allclose(system.energy(points), LennardJones(13).energy(points), rtol=1e-12))
    True
    >>> PairPotential(lambda d2: d2**-6 - 2 * d2**-3, 13, 3)
    Traceback (most recent call last):
    edgphys.errors.ArgumentValueError: law must confine, by growing with the distance or by an ...
    """

    def __init__(
        self,
        law: Callable,
        n_particles: int,
        n_axes: int,
        temperature: float = 1.0,
        name: str = "pair_potential",
        *,
        oscillator: float = 0.0,
        strength: float = 1.0,
        core: float = 0.0,
        width: float | None = None,
        kernel: Callable | None = None,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ArgumentTypeError(f"name must be a non-empty text, got {name!r}", "name")
        self.name = name
        self.n_particles, self.n_axes = check_counts(n_particles, whole(n_axes, "n_axes", 1, 3))
        self.event_shape = (self.n_particles, self.n_axes)
        self.temperature = temperature_of(temperature)
        self.oscillator = number(oscillator, "oscillator", least=0.0)
        self.strength = positive(strength, "strength")
        self.core = number(core, "core", least=0.0)
        names = "n_particles", "n_axes", "temperature", "oscillator", "strength", "core"
        self.parameters = {one: vars(self)[one] for one in names}
        soft = f", pair law linear (C1) below r = {self.core:g}" if self.core else ""
        self.formula = (
            f"strength sum_(i<j) u(|x_i - x_j|^2), u a user's function{soft}, "
            "+ oscillator/2 sum_i |x_i - mean|^2"
        )
        # That of a changed copy has been checked.
        self._law = law if isinstance(law, UserPairLaw) else UserPairLaw(law, kernel)  # pyright: ignore
        self._height, self._steepness = self._at_core()
        self._width = width
        self._check_finite()
        self.width = self._own_width() if width is None else positive(width, "width")

    def _at_core(self) -> tuple[float, float]:
        """Pair law and its slope dw/dr at the core."""
        if self.core == 0.0:
            return 0.0, 0.0
        values, slopes = self._law.with_slope(np.array([self.core**2]))
        height, steepness = self.strength * values[0], 2.0 * self.core * self.strength * slopes[0]
        if not (math.isfinite(height) and math.isfinite(steepness)):
            raise ArgumentValueError(f"core must be where the law is finite, got {self.core:g}", "core")
        return float(height), float(steepness)

    def _check_finite(self) -> None:
        u = self._tabulated(with_oscillator=True)
        if reason := pair_scales.refusal(DISTANCES, u, self.n_particles, self.n_axes):
            raise ArgumentValueError(reason, "law")

    def _tabulated(self, *, with_oscillator: bool) -> NDArray[np.float64]:
        """w / T at `DISTANCES`."""
        u = self.strength * self._law.energies
        if self.core:
            u = np.where(DISTANCES < self.core, self._height + self._steepness * (DISTANCES - self.core), u)
        spring = 0.5 * self.oscillator / self.n_particles if with_oscillator else 0.0
        return self.beta * (u + spring * np.square(DISTANCES))

    def _shape_of_law(self, *, with_oscillator: bool) -> NDArray[np.float64]:
        """As `_tabulated`; a wall in place of what is no number."""
        return np.nan_to_num(self._tabulated(with_oscillator=with_oscillator), nan=np.inf, posinf=np.inf)

    def _own_width(self) -> float:
        """A tenth of the favoured distance of particles with a core; of others normal variables' width."""
        u = self._shape_of_law(with_oscillator=True)
        if pair_scales.has_core(u):
            return 0.1 * float(DISTANCES[np.argmin(u)])
        return pair_scales.root_mean_square(DISTANCES, u, self.n_axes) / math.sqrt(2.0 * self.n_axes)

    @property
    def follows_from_parameters(self) -> bool:
        """The law does not."""
        return False

    def replace(self, **changes: Any) -> PairPotential:
        """The same law with other parameters.

        Examples
        --------
        >>> PairPotential(lambda d2: d2, 3, 2).replace(temperature=2.0, n_particles=4).n_variables
        6
        """
        if unknown := sorted(set(changes) - set(self.parameters)):
            allowed = ", ".join(self.parameters)
            raise TypeError(f"a pair potential has {allowed} to change, got {unknown[0]}")
        new = self.parameters | changes
        return self._told(PairPotential(self._law, name=self.name, width=self._width, **new))

    def why_infinite(self) -> str | None:
        """None: the constructor has refused what has no finite integral."""
        return None

    def identity(self) -> dict[str, Any]:
        """Name, parameters, and the law at fixed distances."""
        return {**super().identity(), "fingerprint": self._law.fingerprint}

    @property
    def exact(self) -> tuple[str, ...]:
        """All by quadrature, where it converges: two particles, three on a line, up to four in the plane."""
        return (*super().exact, "distance") if self._has_quadrature() else ()

    def _has_quadrature(self) -> bool:
        if not can_integrate(self.n_particles, self.n_axes):
            return False
        try:
            if self._moments is None:  # a law with an edge would take minutes to find that out
                law, counts = self.pair_energy, (self.n_particles, self.n_axes)
                most = _MOST_POINTS[self.n_axes - 1]
                self._moments = pair_moments(law, *counts, self.temperature, most_points=most)
        except NotExactError:
            return False
        return True

    @property
    def easy_parameters(self) -> dict[str, float]:
        """A weak law, a fifth of T deep, barriers of T / 3.6, and a soft core, as far as they are none."""
        bare, whole_law = (self._shape_of_law(with_oscillator=one) for one in (False, True))
        deep, high = pair_scales.attraction(bare), pair_scales.barrier(whole_law)
        crowd = min(1.0, 13 / self.n_particles) ** 1.5
        share = min(1.0, 0.2 * crowd / deep if deep else 1.0, 1.0 / (3.6 * high) if high else 1.0)
        if pair_scales.refusal(DISTANCES, share * whole_law, self.n_particles, self.n_axes):
            share = 1.0
        radius = pair_scales.contact(DISTANCES, bare)
        core = {"core": radius} if pair_scales.has_core(share * bare) and self.core < radius else {}
        return core | ({"strength": share * self.strength} if share < 1.0 else {})

    @property
    def kernel(self) -> Callable | None:
        return None if self._law.kernel is None else cluster_kernel(self._law.kernel)

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        at_core = self.core, self._height, self._steepness
        return np.array([self.n_particles, self.n_axes, self.strength, self.oscillator, *at_core])

    def why_no_ladder(self) -> str | None:
        """A ladder needs a compiled law."""
        if self._law.why_no_kernel is None:
            return None
        return (
            f"system must have a numba kernel for a ladder of chains, got {self.name} whose law does not "
            f"compile ({self._law.why_no_kernel}); give kernel=, a numba function d2 -> (u, du/d(d2))"
        )

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Gases without overlaps if the particles have a core, else normal variables of two widths."""
        u = self._shape_of_law(with_oscillator=False)
        if not pair_scales.has_core(u):
            return super().random_configurations(n, rng)
        spacing, basis = pair_scales.contact(DISTANCES, u), helmert(self.n_particles)
        points = [gas(rng, self.n_particles, self.n_axes, spacing) for _ in range(n)]
        return np.array([(basis @ one).ravel() for one in points]).reshape(n, self.n_variables)

    def _pair_of(self, squares: Tensor) -> Tensor:
        """w of squared distances of any shape, without the oscillator."""
        if self.core == 0.0:
            return self.strength * self._law(squares)
        below = squares.clamp_min(1e-30).sqrt().clamp_max(self.core) - self.core
        return self.strength * self._law(squares.clamp_min(self.core**2)) + self._steepness * below

    def _pair_law(self, r: Tensor) -> tuple[Tensor, Tensor]:
        with torch.inference_mode(False), torch.enable_grad():
            at = r.detach().clone().requires_grad_()
            law = self._pair_of(at * at)
            (slope,) = torch.autograd.grad(law.sum(), at)
        return law.detach(), slope

    @property
    def pair_law(self) -> PairLaw:
        return PairLaw(self.n_particles, self.n_axes, self._reduced_pair)

    def _reduced_pair(self, squares: Tensor) -> Tensor:
        spring = 0.5 * self.oscillator / self.n_particles
        return self.beta * (self._pair_of(squares) + spring * squares)

    def _energy(self, flat: Tensor) -> Tensor:
        law = self._pair_of(self._separations(flat).square().sum(2))
        return law.sum(1) + 0.5 * self.oscillator * (flat * flat).sum(1)

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        return AbstractContinuousSystem._energy_gradient(self, flat)
