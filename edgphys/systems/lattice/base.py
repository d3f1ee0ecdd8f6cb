# SPDX-License-Identifier: MIT
"""What systems on a lattice share: sites, lattice axes, and the observables of a field or of spins."""

from __future__ import annotations

import functools
import hashlib
import math
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.angle_harmonics import AngleHarmonics
from edgphys.systems.lattice.couplings import are_invariant, coupling_words
from edgphys.systems.lattice.measurements import DEFINITIONS, LatticeObservables
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from edgphys.systems.lattice.space_group import SpaceGroup
else:
    torch = LazyModule("torch")

__all__ = ["AbstractLatticeSystem", "check_lattice"]


class AbstractLatticeSystem(AbstractSystem):
    """Declaration of a lattice system: one variable per site.

    Attributes
    ----------
    lattice : Lattice
        Geometry; `n_sites` and ``event_shape = lattice.shape`` come from it. The system s is rebuilt by
        ``type(s)(s.lattice, **s.parameters)``.
    log_constant : float
        Of a factor of all weights, which no coupling of the classical variables contains.

    Notes
    -----
    `symmetries` is a subset of ("translation", "periodic_translation", "point_group", "z2"). "translation"
    means along every axis; a lattice with an open axis does not declare it, but "periodic_translation", along
    its other axes.

    `measure` gives `energy`, `magnetization`, `abs_magnetization`, `magnetization_2`, `magnetization_4`,
    `correlator_zero`, and `correlator_min` on lattices periodic along all axes; of an antiferromagnet the
    same for the staggered magnetization; the system may add its own.
    """

    geometry: ClassVar[str] = "lattice"
    lattice: Lattice
    log_constant: float = 0.0

    @functools.cached_property
    def _observables(self) -> LatticeObservables:
        return LatticeObservables(self.lattice, self.antiferromagnetic)

    @property
    def lattice_observables(self) -> LatticeObservables:
        """What is measured of every configuration besides the energy."""
        return self._observables

    @property
    def built_on(self) -> Lattice:
        """The lattice that the constructor takes."""
        return self.lattice

    @property
    def antiferromagnetic(self) -> bool:
        """Whether neighbours prefer opposite signs, on a lattice of two sublattices."""
        return False

    @property
    def sublattices_alike(self) -> bool:
        """Whether a symmetry of the energy exchanges the two sublattices of an antiferromagnet."""
        return self.lattice.sublattices_alike

    @property
    def pair_weights(self) -> NDArray[np.float64] | None:
        """Weights of the bonds in the energy, shape (n_bonds,), up to a factor; None where all are alike."""
        return None

    @property
    def angle_harmonics(self) -> AngleHarmonics | None:
        """Energies of a site and of a bond of angles, where these are a user's functions and finite sums."""
        return None

    @property
    def observables(self) -> tuple[str, ...]:
        """Names that `measure` gives after `energy`."""
        return tuple(self._measure(np.ones((1, self.n_variables))))

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {**super().definitions, **DEFINITIONS, **self._observables.definitions}

    @property
    def _translation_symmetry(self) -> tuple[str, ...]:
        """What a system with the same couplings everywhere declares of translations."""
        if all(self.lattice.pbc):
            return ("translation",)
        return ("periodic_translation",) if any(self.lattice.pbc) else ()

    def _kept_by(self, weights: tuple[NDArray, NDArray] | None) -> tuple[str, ...]:
        """What remains of the symmetry of the lattice with these weights of bonds and sites; None: alike."""
        lattice = self.lattice
        moved = weights is None or are_invariant(lattice, lattice.translation_generators, *weights)
        turned = weights is None or are_invariant(lattice, lattice.point_group, *weights)
        return (*(self._translation_symmetry if moved else ()), *(("point_group",) if turned else ()))

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return self.lattice.n_sites

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one configuration, with the lattice axes apart."""
        return tuple(self.lattice.shape)

    def replace(self, **changes: Any) -> Self:
        """The same system on the same lattice with some parameters changed.

        Examples
        --------
        >>> import lattices
        >>> from edgphys.systems import Ising
        >>> Ising(lattices.build("chain", (4,)), temperature=1.0).replace(temperature=2.0).beta
        0.5
        """
        kind: Any = type(self)
        return self._told(kind(self.built_on, **{**self.parameters, **changes}))

    def identity(self) -> dict[str, Any]:
        """Name, parameters, and the lattice by its extent and its bonds."""
        lattice = self.built_on
        bonds = hashlib.sha256(np.ascontiguousarray(lattice.bonds).tobytes()).hexdigest()[:16]
        return {
            **super().identity(),
            "lattice": lattice.name,
            "extent": [int(n) for n in lattice.extent],
            "bonds": bonds,
        }

    def configuration_dims(self) -> tuple[str, ...]:
        """x, y, z, t along the axes, and ``basis`` if a cell has several sites."""
        n_axes = len(self.lattice.extent)
        return ("x", "y", "z", "t")[:n_axes] + ("basis",) * (len(self.lattice.shape) - n_axes)

    def _geometry_attrs(self) -> dict[str, Any]:
        lattice, z2 = self.built_on, "z2" in self.symmetries
        about: dict[str, Any] = {
            "lattice": lattice.name,
            "extent": [int(length) for length in lattice.extent],
            "pbc": [int(periodic) for periodic in lattice.pbc],
            "n_sites": int(lattice.n_sites),
            "z2_symmetric": int(z2),
            # Rounded: 216 ** (1/3) is not 6 in floating point.
            "linear_size": round(math.prod(lattice.extent) ** (1.0 / len(lattice.extent)), 12),
        }
        if len(self._observables.sizes):
            about["lattice_momenta"] = self._observables.sizes.tolist()
        if self.antiferromagnetic:
            about["sublattices_alike"] = int(z2 or self.sublattices_alike)
        return about

    def _some_configurations(self) -> NDArray[np.float64]:
        """Signs: spins and fields alike, and at no cost however large the lattice."""
        return np.random.default_rng(0).choice([-1.0, 1.0], (3, *self.event_shape))

    def random_symmetry(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Moved by the space group of the lattice, and z2, as far as `symmetries` declares them."""
        moved = self._space_group.to(configurations.device).move(configurations, generator)
        if "z2" not in self.symmetries:
            return moved
        signs = torch.randint(2, (len(moved), 1), generator=generator, device=moved.device)
        return moved * (2 * signs - 1).to(moved.dtype)

    @functools.cached_property
    def _space_group(self) -> SpaceGroup:
        from edgphys.systems.lattice.space_group import SpaceGroup  # a torch module

        names = set(self.symmetries)
        return SpaceGroup(
            self.lattice,
            translations=bool(names & {"translation", "periodic_translation"}),
            point_operations="point_group" in names,
        )

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {**self._observables(flat), **self._measure_more(flat)}

    def _measure_more(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Observables beyond the shared ones."""
        return {}

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={coupling_words(value)}" for key, value in self.parameters.items())
        extent = "x".join(map(str, self.built_on.extent))
        return f"{type(self).__name__}({self.built_on.name} {extent}, {values})"


def check_lattice(lattice: Any) -> Lattice:
    """`lattice` itself; TypeError with advice unless it is a Lattice."""
    if not isinstance(lattice, Lattice):
        raise TypeError(f"lattice must be made by lattices.build, got {type(lattice).__name__}")
    return lattice
