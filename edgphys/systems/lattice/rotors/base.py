# SPDX-License-Identifier: MIT
r"""Unit vectors of n components on any lattice, in an exact continuous form.

    H(S) = -J sum_<ij> S_i . S_j - h sum_i S_i^a,      Z = int prod_i dOmega_i exp(-beta H)

with dOmega the area of the unit sphere in n dimensions (its whole is A_n: 2 pi for n = 2, 4 pi for n = 3) and
a the axis of the field. `energy` is H, in the units of J and h; J > 0 is ferromagnetic. A bond that occurs
twice counts twice. J may differ from kind to kind of bond or from bond to bond, and h from site to site.

Continuous form. A vector x_i of n normal variables on each site has a direction S_i that is uniform on the
sphere, and independent of its length:

    U(x) = |x|^2 / 2 + N c + beta H(x_i / |x_i|),     c = (n / 2) log 2 pi - log A_n,     int exp(-U) dx = Z

so `reduced_energy` is U, and the directions carry the weight of their x. The way back draws the lengths.
"""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.systems.lattice.coupled import AbstractCoupledSystem
from edgphys.systems.lattice.measurements import DEFINITIONS
from edgphys.systems.lattice.rotors.exact import exact_values
from edgphys.systems.lattice.rotors.measurements import RotorObservables
from edgphys.systems.reference_path import ReferencePath

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["ORDER", "AbstractRotor"]

ORDER = {
    "magnetization": "component of m = sum over sites of S / n_sites along the field, per draw; average",
    "abs_magnetization": "|m| per draw, m the vector sum over sites of S / n_sites; average <|m|>",
    "magnetization_2": "|m|^2 per draw",
    "magnetization_4": "|m|^4 per draw",
    "correlator_zero": "n_sites |m|^2 per draw: structure factor at zero momentum, not subtracted",
    "susceptibility": "beta n_sites (<|m|^2> - <m_h>^2), m_h along the field, <m_h> = 0 without one; summed "
    "over the components; 1/energy",
    "binder_cumulant": "1 - <|m|^4> / (3 <|m|^2>^2)",
}


class AbstractRotor(AbstractCoupledSystem):
    """A unit vector on every site; see the module docstring for signs and formulae.

    A class gives the three maps between configurations and vectors, `name` and `record`.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    coupling : float, dict or array, default 1.0
        J, of either sign, of all bonds, of each kind of bond, or of each bond, as `Ising` takes it.
    field : float or array, default 0.0
        h along the axis of the class, or h of each site, shape (n_sites,).
    strength : float, default 1.0
        Factor of all couplings, where these are a dict or an array: what ladders from free spins change.

    Attributes
    ----------
    n_components : int
    field_axis : int
        Component along the field.
    order_field : {"angles", "vectors"}
        What configurations are, see `edgphys.estimators.profiles.order_components`.
    is_uniform : bool
        Whether coupling and field are one number each.
    bond_couplings, site_fields : float64 arrays, shapes (n_bonds,) and (n_sites,)
        J of each bond, `strength` included, and h of each site.

    Raises
    ------
    TypeError
        If `lattice` is not a Lattice or a parameter is not a real number, or numbers.
    ValueError
        If `temperature` is not positive and finite, `coupling` or `field` not finite or of another length, if
        the lattice lacks a kind of bond, or `strength` is given beside one number.
    """

    family: ClassVar[str] = "rotor"
    has_reference: ClassVar[bool] = True
    n_components: ClassVar[int]
    field_axis: ClassVar[int] = 0
    order_field: ClassVar[str]

    # ----------------------------------------------------------------- vectors, angles, configurations

    @abstractmethod
    def vectors(self, flat: Tensor) -> Tensor:
        """Spins of flat configurations (n_batch, n_variables), shape (n_batch, n_components, n_sites)."""

    @abstractmethod
    def _from_vectors(self, vectors: Tensor) -> Tensor:
        """Flat configurations of the directions of vectors (n_batch, n_components, n_sites)."""

    @abstractmethod
    def _log_site_integral(self, local_field: float) -> float:
        """log int dOmega exp(b S^a) of one site in a reduced field b."""

    @abstractmethod
    def _draw_in_fields(self, local_fields: NDArray, n: int, rng: np.random.Generator) -> NDArray:
        """Flat configurations, float64 (n, n_variables), of free spins in reduced fields (n_sites,)."""

    @property
    def _sphere(self) -> float:
        """A_n."""
        half = 0.5 * self.n_components
        return 2.0 * math.pi**half / math.gamma(half)

    @property
    def n_coordinates(self) -> int:
        """A vector of n components for each site."""
        return self.n_sites * self.n_components

    def why_no_decoder(self) -> str | None:
        n = self.n_components
        return f"draws one number for each variable, and the continuous form of {self.name} has {n} on a site"

    def _points(self, x: Tensor) -> Tensor:
        """The x of the continuous form as vectors, shape (n_batch, n_components, n_sites)."""
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x must be a torch tensor, got {type(x).__name__}")
        if x.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"x must be float32 or float64, got {x.dtype}")
        shapes = (self.n_coordinates,), (*self.lattice.shape, self.n_components)
        if tuple(x.shape[1:]) not in shapes:
            allowed = " or ".join(f"(n_batch, {', '.join(map(str, one))})" for one in shapes)
            raise ValueError(f"x must have shape {allowed}, got {tuple(x.shape)}")
        return x.reshape(len(x), self.n_sites, self.n_components).transpose(1, 2)

    def reduced_energy(self, x: Tensor) -> Tensor:
        """U at `x`; integrates to Z over R^(n_sites n_components).

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *lattice.shape, n_components), or flat

        Returns
        -------
        Tensor, shape (n_batch,)
            Dimensionless.
        """
        points = self._points(x)
        length = points.square().sum(1, keepdim=True).sqrt()
        constant = 0.5 * self.n_components * math.log(2.0 * math.pi) - math.log(self._sphere)
        return 0.5 * points.square().sum((1, 2)) + (
            self.n_sites * constant + self.beta * self._energy_of(points / length)
        )

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Directions of the vectors of `x`, shape (n_batch, *event_shape)."""
        return self._from_vectors(self._points(x)).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x with these directions and lengths drawn at random, shape (n_batch, n_sites n_components).

        Raises
        ------
        TypeError
            If `generator` is not a torch.Generator.
        """
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
        vectors = self.vectors(self._field(configurations))
        like = {"dtype": vectors.dtype, "device": vectors.device, "generator": generator}
        lengths = torch.randn(vectors.shape, **like).square().sum(1, keepdim=True).sqrt()
        return (vectors * lengths).transpose(1, 2).flatten(1)

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent directions, uniform on the sphere, float64 (n, n_variables)."""
        return self._draw_in_fields(np.zeros(self.n_sites), n, rng)

    def _some_configurations(self) -> NDArray[np.float64]:
        return self._shaped(self.random_configurations(3, np.random.default_rng(0)))

    def _geometry_attrs(self) -> dict[str, Any]:
        return super()._geometry_attrs() | {"order_field": self.order_field}

    # ------------------------------------------------------------------------------ what is known of it

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Those of the lattice that couplings keep, "orthogonal" or "axial", and "z2" without a field.

        "orthogonal": all rotations and reflections of the spins together; "axial": those that keep the axis
        of the field. "z2" (S -> -S) is one of the former, and says that the mean magnetization is 0.
        """
        return (*self._kept, *(("axial",) if self.site_fields.any() else ("orthogonal", "z2")))

    def random_symmetry(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Moved by the space group, and all spins together by the orthogonal or axial group."""
        index = self._space_group.to(configurations.device).draw(len(configurations), generator)
        vectors = self.vectors(configurations)
        moved = vectors.gather(2, index[:, None].expand_as(vectors))
        return self._from_vectors(self._matrices(moved, generator) @ moved)

    def _matrices(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Orthogonal matrices by the Haar measure, shape (n_batch, n, n); in a field they keep its axis."""
        n, about = self.n_components, {"dtype": like.dtype, "device": like.device}
        free = [k for k in range(n) if k != self.field_axis] if self.site_fields.any() else list(range(n))
        normal = torch.randn((len(like), len(free), len(free)), generator=generator, **about)
        q, r = torch.linalg.qr(normal)
        # Without the signs QR has a rule of its own for them, and q is not uniform (Mezzadri 2007).
        q = q * r.diagonal(dim1=1, dim2=2).sign()[:, None]
        matrices = torch.eye(n, **about).repeat(len(like), 1, 1)
        rows, columns = torch.meshgrid(*[torch.tensor(free, device=like.device)] * 2, indexing="ij")
        matrices[:, rows, columns] = q
        return matrices

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        assert self.record is not None
        return {
            "energy": f"{self.record.energy.split(', weight')[0]}, total; units of J; average <H>",
            "reduced_energy": "U(x) of the continuous form, all constants included: exp(-U) integrates to Z",
            "log_z": "log of Z = integral of exp(-beta H) over the directions of all spins, area measure",
            **DEFINITIONS,
            **self.rotor_observables.definitions,
            **ORDER,
        }

    def reference(self) -> ReferencePath:
        """J, or the strength of all J, from 0: free spins."""
        fields = self.beta * self.site_fields
        values, counts = np.unique(fields, return_counts=True)
        log_z = math.fsum(n * self._log_site_integral(float(b)) for b, n in zip(values, counts, strict=True))
        draw = functools.partial(self._draw_in_fields, fields)
        return ReferencePath(self._factor, 0.0, self.parameters[self._factor], log_z, draw=draw)

    @functools.cached_property
    def _exact_values(self) -> dict[str, float]:
        return exact_values(self)

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates known exactly: those of free spins, chains, and XY on narrow tori."""
        return tuple(self._exact_values)

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`."""
        return dict(self._exact_values)

    # ------------------------------------------------------------------------------ energy, observables

    @functools.cached_property
    def rotor_observables(self) -> RotorObservables:
        """What is measured of the vectors, and the tables for it."""
        return RotorObservables(
            self.lattice,
            self.bond_couplings,
            self.field_axis,
            staggered=self.antiferromagnetic,
            alike=isinstance(self.coupling, float),
            vortices=self.n_components == 2,
        )

    def _terms(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """sum_<ij> S_i . S_j and sum_i S_i^a, with the weights of bonds and sites."""
        n_batch, n_components, n_sites = vectors.shape
        pairs = self._bonds.pair_sum(vectors.reshape(-1, n_sites)).reshape(n_batch, n_components).sum(1)
        along = vectors[:, self.field_axis]
        if isinstance(self.field, float):
            return pairs, along.sum(1)
        return pairs, along @ torch.as_tensor(self.site_weights, dtype=along.dtype, device=along.device)

    def _energy_of(self, vectors: Tensor) -> Tensor:
        pairs, along = self._terms(vectors)
        return -self.coefficients[0] * pairs - self.coefficients[1] * along

    def _energy(self, flat: Tensor) -> Tensor:
        return self._energy_of(self.vectors(flat))

    def _action_terms(self, flat: Tensor) -> Tensor:
        return torch.stack(self._terms(self.vectors(flat)), dim=1)

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return self.rotor_observables(self.vectors(torch.from_numpy(flat)).numpy())
