# SPDX-License-Identifier: MIT
r"""What systems of identical particles without a box share: mean-free coordinates, pair laws, symmetries.

    E(x) = sum_{i<j} w(|x_i - x_j|) + oscillator/2 sum_i |x_i - mean|^2

Translations are divided out. A configuration is the positions, shape (n_particles, n_axes), with zero mean.
What samplers and networks see is y, shape ((n_particles - 1) n_axes,): orthonormal coordinates of the
mean-free subspace,

    positions = B^T y,     y = B positions,     B B^T = 1,     B (1, ..., 1)^T = 0,

with the Helmert rows B_k = (1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1)), k = 1 .. n - 1. Hence
|y|^2 = sum_i |x_i|^2, distances are kept, and

    Z = int exp(-E / T) dy

over the mean-free subspace: no volume, no 1/n!, no momenta. Densities on the positions with the centre fixed
in another way differ from it by a constant factor, n^{D/2} where one particle is held.

References
----------
Koehler, Klein, Noe, Equivariant flows: exact likelihood generative learning for symmetric densities, ICML
(2020), arXiv:2006.02425 (mean-free subspace, the two particle systems).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, overload

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import whole
from edgphys._lazy import LazyModule
from edgphys._sizes import check_memory
from edgphys.systems.continuous.base import AbstractContinuousSystem
from edgphys.systems.particles.mean_free import helmert
from edgphys.systems.particles.pair_law import PairLaw

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["AbstractParticleSystem"]

_MEASURE_ROWS = 4096


class AbstractParticleSystem(AbstractContinuousSystem):
    """Declaration of a cluster of identical particles; a concrete one gives `_pair_law`, kernel and width.

    Every function that takes a configuration takes positions, (n_batch, n_particles, n_axes), of which only
    the mean-free part counts, or y, (n_batch, n_variables); the number of axes of the array tells them apart.

    Attributes
    ----------
    n_particles, n_axes : int
        n and the dimension D of space.
    oscillator : float
        Spring constant that ties every particle to the mean.
    event_shape : tuple of int
        (n_particles, n_axes), of a configuration.
    """

    geometry: ClassVar[str] = "particles"
    observables: ClassVar[tuple[str, ...]] = ("distance", "shortest_distance", "radius_of_gyration")
    n_particles: int
    n_axes: int
    oscillator: float

    @abstractmethod
    def _pair_law(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """w(r) and dw/dr of distances of any shape."""

    @property
    def n_variables(self) -> int:
        """(n_particles - 1) n_axes, the dimension of the mean-free subspace."""
        return (self.n_particles - 1) * self.n_axes

    @property
    def n_pairs(self) -> int:
        """n (n - 1) / 2."""
        return self.n_particles * (self.n_particles - 1) // 2

    @property
    def symmetries(self) -> tuple[str, ...]:
        """All permutations of the particles, all rotations and reflections of space."""
        return ("permutation", "rotation", "reflection")

    @property
    def conditions(self) -> tuple[str, ...]:
        """All parameters but the counts."""
        return tuple(name for name in self.parameters if name not in ("n_particles", "n_axes", "pair_count"))

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Positions with zero mean, shape (n_batch, n_particles, n_axes), of y or of other positions."""
        y = self._field(x)
        basis = y.new_tensor(helmert(self.n_particles))
        return torch.einsum("ki,bka->bia", basis, y.reshape(len(y), -1, self.n_axes))

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """y, shape (n_batch, n_variables), of positions; their mean is dropped.

        Examples
        --------
        >>> from edgphys.systems.particles.double_well_particles import DoubleWellParticles
        >>> system = DoubleWellParticles()
        >>> y = torch.arange(6.0, dtype=torch.float64)[None]
        >>> bool(torch.allclose(system.from_configurations(system.to_configurations(y) + 3.0), y))
        True
        """
        return self._field(configurations)

    def _shaped(self, flat: NDArray) -> NDArray:
        if flat[0].size != self.n_variables:
            return super()._shaped(flat)
        return self.to_configurations(torch.from_numpy(flat.reshape(len(flat), -1))).numpy()

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `reduced_energy`, shape of x: with respect to y, or to every position."""
        slope = self.beta * self._energy_gradient(self._field(x))[1]
        if x.ndim == 2:
            return slope
        return torch.einsum(
            "ki,bka->bia", slope.new_tensor(helmert(self.n_particles)), slope.reshape(len(x), -1, self.n_axes)
        )

    @overload
    def pair_distances(self, configurations: Tensor) -> Tensor: ...

    @overload
    def pair_distances(self, configurations: NDArray) -> NDArray[np.float64]: ...

    def pair_distances(self, configurations):
        """Distances of all pairs i < j, shape (n_batch, n_pairs), in the order of `numpy.triu_indices`."""
        if isinstance(configurations, torch.Tensor):
            return self._separations(self._field(configurations)).norm(dim=2)
        return self._separations(torch.from_numpy(self._flat_array(configurations))).norm(dim=2).numpy()

    def pair_energy(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """w(r) with the pair's share of the oscillator: the whole energy is the sum of it over pairs.

        sum_i |x_i - mean|^2 = 1/n sum_{i<j} |x_i - x_j|^2.
        """
        law = self._pair_law(torch.as_tensor(r, dtype=torch.float64))[0].numpy()
        return law + 0.5 * self.oscillator / self.n_particles * np.square(r)

    @property
    def pair_law(self) -> PairLaw | None:
        """E / T as a sum over pairs; None for a class that adds to the energy what is no sum over pairs."""
        if type(self)._energy is not AbstractParticleSystem._energy:
            return None
        return PairLaw(self.n_particles, self.n_axes, self._reduced_pair)

    def _reduced_pair(self, squares: Tensor) -> Tensor:
        """Share of a pair in E / T, of squared distances of any shape."""
        law = self._pair_law(squares.sqrt())[0]
        return self.beta * (law + (0.5 * self.oscillator / self.n_particles) * squares)

    def exact_pairs(self):
        """`edgphys.exact.pair_clusters.PairMoments` of this system, by quadrature: also the mean distance.

        Raises
        ------
        NotExactError
            If there are more than four particles, or more than two in space.
        """
        # Imported here, as everything that only exact results need.
        from edgphys.exact.pair_clusters import pair_moments

        if self._moments is None:
            self._moments = pair_moments(self.pair_energy, self.n_particles, self.n_axes, self.temperature)
        return self._moments

    _moments = None

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`: also the mean distance of a pair."""
        values = super().exact_results()
        return values | {"distance": self.exact_pairs().distance} if values else values

    def _exact_moments(self) -> tuple[float, float, float]:
        result = self.exact_pairs()
        return result.log_z, result.energy, result.variance

    def _flat(self, x: Tensor, argument: str) -> Tensor:
        flat = self._checked(x, argument)
        if x.ndim == 2:
            return flat
        flat = flat if flat.is_floating_point() else flat.double()
        basis = flat.new_tensor(helmert(self.n_particles))
        return torch.einsum("ki,bia->bka", basis, flat).reshape(len(x), self.n_variables)

    def _flat_array(self, x: NDArray) -> NDArray[np.float64]:
        # A copy: torch refuses read-only and negatively strided memory.
        array = self._checked(np.array(x, dtype=np.float64, order="C"), "configurations")
        if array.ndim == 2:
            return array
        return np.matmul(helmert(self.n_particles), array).reshape(len(array), self.n_variables)

    def _checked(self, x, argument: str):
        allowed = ((self.n_variables,), self.event_shape)
        if tuple(x.shape[1:]) not in allowed:
            sizes = f"(n_batch, {self.n_particles}, {self.n_axes}) or (n_batch, {self.n_variables})"
            raise ValueError(f"{argument} must have shape {sizes}, got {tuple(x.shape)}")
        return x

    def _pair_matrix(self, like: Tensor) -> Tensor:
        """P, shape (n_pairs, n_particles - 1): separations = P y."""
        basis = helmert(self.n_particles)
        first, second = np.triu_indices(self.n_particles, 1)
        return like.new_tensor((basis[:, first] - basis[:, second]).T)

    def _separations(self, flat: Tensor) -> Tensor:
        y = flat.reshape(len(flat), -1, self.n_axes)
        return torch.einsum("pk,bka->bpa", self._pair_matrix(flat), y)

    def _energy(self, flat: Tensor) -> Tensor:
        law, _ = self._pair_law(self._separations(flat).norm(dim=2))
        return law.sum(1) + 0.5 * self.oscillator * (flat * flat).sum(1)

    def _energy_gradient(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        pairs = self._pair_matrix(flat)
        separations = torch.einsum("pk,bka->bpa", pairs, flat.reshape(len(flat), -1, self.n_axes))
        r = separations.norm(dim=2)
        law, slope = self._pair_law(r)
        # Particles at one point have no direction to go: no force.
        forces = (slope / r.clamp_min(1e-30))[:, :, None] * separations
        gradient = torch.einsum("pk,bpa->bka", pairs, forces).reshape(flat.shape) + self.oscillator * flat
        return law.sum(1) + 0.5 * self.oscillator * (flat * flat).sum(1), gradient

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        # The distances of a few thousand configurations at a time.
        parts = [
            self._separations(torch.from_numpy(flat[start : start + _MEASURE_ROWS])).norm(dim=2)
            for start in range(0, max(1, len(flat)), _MEASURE_ROWS)
        ]
        return {
            "distance": np.concatenate([part.mean(1).numpy() for part in parts]),
            "shortest_distance": np.concatenate([part.amin(1).numpy() for part in parts]),
            "radius_of_gyration": np.sqrt((flat * flat).sum(1) / self.n_particles),
        }

    def _more_definitions(self) -> dict[str, str]:
        return {
            "log_z": "log of Z = integral of exp(-E/T) over the mean-free subspace, with the Lebesgue "
            "measure of its orthonormal coordinates (no volume, no 1/n!), natural logarithm",
            "distance": "mean distance over all pairs of particles of a configuration",
            "shortest_distance": "smallest distance of two particles of a configuration",
            "radius_of_gyration": "sqrt(1/n sum_i |x_i - mean|^2)",
        }


def check_counts(n_particles, n_axes) -> tuple[int, int]:
    """Both as int: at least two particles, at least one axis."""
    n_particles, n_axes = whole(n_particles, "n_particles", 2), whole(n_axes, "n_axes", 1)
    pairs = f"all pairs of {n_particles} particles"
    check_memory(8.0 * n_particles * (n_particles - 1) * (n_axes + 1) / 2, "n_particles", pairs)
    return n_particles, n_axes
