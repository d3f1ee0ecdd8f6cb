# SPDX-License-Identifier: MIT
r"""An energy of one's own for a real number or an angle on every site: functions of one site and of one bond.

    E(x) = strength sum_<ij> J_ij bond(x_i, x_j) + sum_i site(x_i),     Z = int prod_i dx_i exp(-E / T)

over all real x_i, or over one turn of each angle; J is 1 unless given. Made by `edgphys.LatticePotential`.
The functions are written in torch; Markov chains compile them with their derivatives where `torch.fx` can
follow them (`edgphys.systems.particles.traced_law`), and run in torch where not. Ladders start from
independent sites,

    log Z at strength 0:     n_sites log int exp(-site(x) / T) dx,

where this is finite, by quadrature. Angles are images on the line, see `edgphys.systems.continuous.domain`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.errors import NotExactError
from edgphys.systems.base import check_finite_integral
from edgphys.systems.continuous.domain import Domain
from edgphys.systems.continuous.far_away import why_infinite
from edgphys.systems.continuous.folded import FoldedVariables
from edgphys.systems.lattice.angle_harmonics import AngleHarmonics, angle_harmonics
from edgphys.systems.lattice.own_arguments import AbstractOwnHamiltonian, check_taken
from edgphys.systems.lattice.own_field_kernels import field_kernel, field_terms_kernel, no_bond, no_site
from edgphys.systems.lattice.own_function import OwnFunction
from edgphys.systems.lattice.rotors.base import ORDER
from edgphys.systems.lattice.rotors.measurements import RotorObservables
from edgphys.systems.reference_path import ReferencePath
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["OwnFields"]

_TURN = 2.0 * math.pi
_N_STARTS = 8


@final
class OwnFields(FoldedVariables, AbstractOwnHamiltonian):
    """A field of real numbers or of angles with the energy of a user's functions.

    Parameters
    ----------
    lattice : Lattice
    site : callable or None
        ``site(x, **parameters)``, the energy of one site; None: 0.
    bond : callable or None
        ``bond(x, y, **parameters)``, the energy of one bond, symmetric; None: 0. Both get float64 torch
        tensors of any shape, and give energies of that shape with a gradient.
    is_angle : bool
        Whether x is an angle in [-pi, pi): both functions then have the period 2 pi.
    temperature : float
        Positive, in the units of the energy (k_B = 1).
    strength : float
        Factor of the bonds: what ladders from independent sites change.
    coupling : float, dict or array, optional
        J, of all bonds, of each kind of bond, or of each bond, as `Ising` takes it; default: 1.
    **parameters : float
        Passed to both functions, as far as they take them.

    Attributes
    ----------
    bond_factor : float
        Of all bonds: J, where it is one number, and `strength`.
    bond_couplings : float64 array, shape (n_bonds,)
        J of each bond, `strength` included.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind; if a function fails, or is not finite, differentiable, symmetric
        or periodic as it must be; if no function takes a parameter; if exp(-E/T) has no finite integral.
    """

    family: ClassVar[str] = "continuous"

    def __init__(
        self,
        lattice: Lattice,
        site: Callable | None,
        bond: Callable | None,
        is_angle: bool,
        temperature: float,
        strength: float = 1.0,
        coupling: Any = None,
        **parameters: float,
    ) -> None:
        given, couplings = self._set_parameters(
            lattice, temperature, strength, coupling, (site, bond), parameters
        )
        strength = self.parameters["strength"]
        self.bond_factor = couplings.given if isinstance(couplings.given, float) else strength
        self._pair_weights = None if couplings.is_number else couplings.values
        self.bond_couplings = couplings.values if couplings.is_number else strength * couplings.values
        self._is_angle = is_angle
        period = _TURN if is_angle else None
        self._site, self._bond = (
            OwnFunction(function, name, given, period) for function, name in ((site, "site"), (bond, "bond"))
        )
        check_taken(given, [self._site.taken, self._bond.taken])
        self.domain = Domain("torus" if is_angle else "line", self.n_variables, self.width)
        check_finite_integral(self, "site")

    @functools.cached_property
    def angle_harmonics(self) -> AngleHarmonics | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return angle_harmonics(*map(_on_arrays, (self._site, self._bond))) if self._is_angle else None

    @property
    def pair_weights(self) -> NDArray[np.float64] | None:
        return self._pair_weights

    @functools.cached_property
    def _kept(self) -> tuple[str, ...]:
        """What the couplings keep of the symmetry of the lattice."""
        weights = self._pair_weights
        return self._kept_by(None if weights is None else (weights, np.ones(self.n_sites)))

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Those of the lattice, and the sign of all values if it leaves the energy alone."""
        is_even = self._site.is_even() and self._bond.is_even()
        return (*self._kept, *(("z2",) if is_even else ()))

    @property
    def _made_of(self) -> tuple[Any, ...]:
        return self._site.function, self._bond.function, self._is_angle

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        over = "one turn of every angle" if self._is_angle else "all real values on all sites"
        return {
            **super().definitions,
            "energy": f"E = {self._bonds_in_words} bond(x_i, x_j) + sum_i site(x_i), total; average <E>",
            "reduced_energy": "E / T of a configuration",
            "log_z": f"log of Z = integral of exp(-E/T) over {over}, flat measure, natural logarithm",
            **(ORDER if self._is_angle else {}),
        }

    def identity(self) -> dict[str, Any]:
        """Name, parameters, kind of variable, and the functions at fixed values."""
        fingerprint = [*self._site.fingerprint, *self._bond.fingerprint]
        return {**super().identity(), "is_angle": self._is_angle, "fingerprint": fingerprint}

    def why_infinite(self) -> str | None:
        """What the energy of real values does far away that keeps exp(-E/T) from a finite integral."""
        return None if self._is_angle else self._why_infinite

    @functools.cached_property
    def _why_infinite(self) -> str | None:
        starts = self.random_configurations(_N_STARTS, np.random.default_rng(0))
        return why_infinite(self.energy, starts, self.temperature, self.width)

    # ------------------------------------------------------------------------------------------ the path

    @property
    def has_reference(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether independent sites have a finite integral."""
        return self._log_site_integral is not None

    def reference(self) -> ReferencePath:
        """The strength of the bonds from 0: independent sites."""
        if self._log_site_integral is None:
            words = "site must have a finite integral of exp(-site(x)/T) for a path from independent sites"
            raise NotExactError(f"{words}, got none that quadrature finds")
        log_z = self.n_sites * self._log_site_integral
        return ReferencePath("strength", 0.0, self.parameters["strength"], log_z)

    @functools.cached_property
    def _log_site_integral(self) -> float | None:
        """log int exp(-site(x)/T) dx."""
        from edgphys.exact.quadrature import boltzmann_moments

        ends = (-math.pi, math.pi) if self._is_angle else (-math.inf, math.inf)
        centres = np.array([[-math.pi], [math.pi]] if self._is_angle else [[0.0]])
        try:
            return boltzmann_moments(self._site_energies, centres, self.temperature, [ends])[0]
        except NotExactError:
            return None

    def _site_energies(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._site(torch.from_numpy(x[:, 0].copy())).detach().numpy()

    def why_no_ladder(self) -> str | None:
        """A ladder needs compiled functions."""
        if self.kernel is not None:
            return None
        reason = self._site.why_no_law or self._bond.why_no_law
        return f"system must have functions that compile for a ladder of chains, got {self.name}: {reason}"

    # ---------------------------------------------------------------------------------------- the energy

    @functools.cached_property
    def _laws(self) -> tuple[Callable, Callable] | None:
        functions = (self._site, no_site), (self._bond, no_bond)
        laws = [otherwise if one.function is None else one.law for one, otherwise in functions]
        return None if None in laws else (laws[0], laws[1])  # pyright: ignore[reportReturnType]

    @property
    def kernel(self) -> Callable | None:
        return None if self._laws is None else field_kernel(*self._laws)

    @property
    def terms_kernel(self) -> Callable | None:
        return None if self._laws is None else field_terms_kernel(*self._laws)

    @property
    def kernel_parameters(self) -> NDArray[np.float64]:
        weights = np.ones(self.lattice.n_bonds) if self._pair_weights is None else self._pair_weights
        bonds = np.column_stack([self.lattice.bonds, weights])
        values = self._site.parameters.values()
        return np.array([self.bond_factor, len(values), *values, *bonds.ravel()])

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """(strength / T, 1 / T), for the terms (sum_<ij> J_ij bond, sum_i site); one J goes to the first."""
        return self.beta * np.array([self.bond_factor, 1.0])

    def _action_terms(self, flat: Tensor) -> Tensor:
        # Training asks in float32, but a tensor that a function holds has one dtype.
        x = self.domain.fold(flat.double())
        first, second = self.lattice.bonds.astype(np.int64).T
        pairs = self._bond(x[:, first], x[:, second])
        if self._pair_weights is not None:
            pairs = pairs * torch.as_tensor(self._pair_weights, device=x.device)
        return torch.stack([pairs.sum(1), self._site(x).sum(1)], dim=1).to(flat.dtype)

    def _energy(self, flat: Tensor) -> Tensor:
        pairs, sites = self._action_terms(flat).unbind(1)
        return self.bond_factor * pairs + sites

    def energy_and_gradient(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
        """E and dE/dx (not divided by T) of a batch, shapes (n_batch,) and (n_batch, n_sites)."""
        with torch.enable_grad():
            at = torch.from_numpy(x).requires_grad_()
            energy = self._energy(at)
            (gradient,) = torch.autograd.grad(energy.sum(), at)
        at.requires_grad_(False)
        return energy.detach().numpy(), gradient.numpy()

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        if not self._is_angle:
            return super()._measure(flat)
        return self._rotor_observables.orders(np.stack([np.cos(flat), np.sin(flat)], axis=1))

    @functools.cached_property
    def _rotor_observables(self) -> RotorObservables:
        none = np.zeros(self.lattice.n_bonds)
        return RotorObservables(self.lattice, none, 0, staggered=False, alike=True, vortices=False)


def _on_arrays(function: OwnFunction) -> Callable[..., NDArray[np.float64]]:
    """The function of arrays."""

    def of_arrays(*values: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.no_grad():
            return function(*map(torch.from_numpy, values)).numpy()

    return of_arrays
