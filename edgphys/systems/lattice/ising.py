# SPDX-License-Identifier: MIT
r"""Ising model on any lattice, in an exact continuous form.

    H(s) = -J sum_<ij> s_i s_j - h sum_i s_i,     s_i = +1 or -1,     Z = sum_s exp(-beta H(s))

`energy` is H, in the units of J and h; J > 0 is ferromagnetic. A bond that occurs twice counts twice. J may
differ from kind to kind of bond or from bond to bond, and h from site to site: H = -sum_<ij> J_ij s_i s_j -
sum_i h_i s_i; in what follows J A is then the symmetric matrix of the J_ij, and h has an index.

Continuous form. With A the adjacency matrix, M = beta J A + a positive definite and s_i^2 = 1,

    exp(-beta H) = exp(s^T M s / 2 + beta h sum s - a N / 2),

and exp(s^T M s / 2) is a Gaussian integral over y in which s enters linearly through x = M^{1/2} y; the sum
over spins then factorises:

    U(y) = |y|^2 / 2 - sum_i log 2 cosh(x_i + beta h) + (N / 2) log 2 pi + a N / 2,     int exp(-U) dy = Z
    p(s | y) = prod_i exp(s_i (x_i + beta h)) / 2 cosh(x_i + beta h),     y | s ~ N(M^{1/2} s, 1)

so `reduced_energy` is U, with all its constants, and spins drawn from p(s | y) carry the weight of their y.

Exactly known: everything by enumeration up to 20 sites and on the ring of up to 4096; Z, energy and specific
heat on the square torus without field (Kaufman), where the sign of J is immaterial or positive; everything on
strips (transfer matrices), with couplings and fields of any kind.

References
----------
Hubbard, Phys. Rev. Lett. 3, 77 (1959). Baker, Phys. Rev. 126, 2071 (1962).
Zhang, Sutton, Storkey, Ghahramani, Continuous Relaxations for Discrete Hamiltonian Monte Carlo,
NeurIPS (2012) (the choice of the shift a).
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.systems.lattice.coupled import COUPLING, AbstractCoupledSystem
from edgphys.systems.lattice.couplings import are_invariant
from edgphys.systems.lattice.free_sites import draw_spins, draw_spins_in_fields
from edgphys.systems.lattice.ising_exact import exact_names, exact_values
from edgphys.systems.lattice.measurements import DEFINITIONS
from edgphys.systems.lattice.relaxation import LatticeOperator
from edgphys.systems.records import Parameter, SystemRecord
from edgphys.systems.reference_path import ReferencePath

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["RELATIVE_MARGIN", "AbstractIsing", "Ising", "log_2cosh"]

# Smallest eigenvalue of M over the width of its spectrum. The shift a acts as a coupling of each spin to
# itself, which makes the wells of U deeper and the tunnelling between them rarer: so as small as can be. A
# margin of exactly zero would still be correct in exact arithmetic, but rounding would put a NaN under the
# square root, and no inverse would exist. At 1e-3 the condition number of M is 1e3, so that M^{-1/2} and
# M^{-1} keep four digits in float32, and the extra self-coupling is a thousandth of the band.
RELATIVE_MARGIN = 1e-3
_UNIFORM = "H = -J sum_<ij> s_i s_j - h sum_i s_i, total; units of J; average <H>"
_GENERAL = "H = -sum_<ij> J_ij s_i s_j - sum_i h_i s_i, total; units of the temperature; average <H>"


def log_2cosh(x: Tensor) -> Tensor:
    """log(2 cosh x), elementwise and without overflow.

    Written as ``log(1 + exp(2x)) - x``, whose derivatives of every order are right everywhere, x = 0
    included: the first is tanh(x). The usual ``|x| + log(1 + exp(-2|x|))`` has a wrong second derivative at
    0. The threshold 40, beyond which softplus returns its argument, is where exp(-40) drops below the
    rounding of float64.

    Examples
    --------
    >>> log_2cosh(torch.tensor([0.0, 1000.0], dtype=torch.float64)).tolist()
    [0.6931471805599453, 1000.0]
    """
    return torch.nn.functional.softplus(2.0 * x, threshold=40.0) - x


class AbstractIsing(AbstractCoupledSystem):
    """Spins on a lattice with the weight exp(beta (sum_<ij> J_ij s_i s_j + sum_i h_i s_i)).

    What follows from couplings of bonds and sites alone; a class says what its energy is, and which parameter
    is the field on the sites.
    """

    family: ClassVar[str] = "ising"
    field_name: ClassVar[str] = "field"
    has_reference: ClassVar[bool] = True

    # The continuous form, for those who ask: chains do without it, and on large open lattices it takes long.

    @functools.cached_property
    def _reduced_coupling(self) -> LatticeOperator:
        strength = self.coefficients[0]
        if self.one_coupling:
            return LatticeOperator.from_adjacency(self.lattice, lambda w: self.beta * strength * w)
        return LatticeOperator.from_couplings(
            self.lattice,
            self.bond_weights,
            lambda w: self.beta * strength * w,
            translations=self._is_invariant(self.lattice.translation_generators),
        )

    def _is_invariant(self, permutations: NDArray) -> bool:
        return are_invariant(self.lattice, permutations, self.bond_weights, self.site_weights)

    def _bias(self, like: Tensor) -> float | Tensor:
        """beta h: a number, or one for each site."""
        if self.one_field:
            return self.beta * self.coefficients[1]
        return torch.as_tensor(self.beta * self.site_fields, dtype=like.dtype, device=like.device)

    @functools.cached_property
    def shift(self) -> float:
        """a, see above."""
        values = self._reduced_coupling.values
        low, high = float(values.min()), float(values.max())
        return RELATIVE_MARGIN * (high - low) - low

    @functools.cached_property
    def relaxation(self) -> LatticeOperator:
        """M^{1/2}, see above."""
        # Free spins (J = 0) have M = 0, up to the sign of a rounding error.
        return self._reduced_coupling.function(lambda w: np.sqrt(np.maximum(w + self.shift, 0.0)))

    @property
    def _constant(self) -> float:
        return 0.5 * self.n_sites * (math.log(2.0 * math.pi) + self.shift)

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Translations along periodic axes, the point group of the lattice, spin reversal without field.

        As far as the couplings of bonds and sites have them; the point group as a whole or not at all.
        """
        return (*self._kept, *(("z2",) if not self.site_fields.any() else ()))

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {
            "energy": _UNIFORM if self.is_uniform else _GENERAL,
            "reduced_energy": "U(y) of the continuous form, all constants included: exp(-U) integrates to Z",
            "log_z": "log of Z = sum over spins of exp(-beta H), natural logarithm",
            **DEFINITIONS,
            **self._observables.definitions,
        }

    def fields(self, y: Tensor) -> Tensor:
        """Local fields x = M^{1/2} y (without beta h), shape of y."""
        return self.relaxation.apply(self._field(y)).reshape(y.shape)

    @property
    def partial_sums(self) -> tuple[str, ...]:
        return ("spins", "equal_spins") if self.is_uniform else ("spins",)

    def reduced_energy(self, x: Tensor) -> Tensor:
        """U(y) at y = `x`; integrates to Z over R^N, so that -log E[w] needs no further constant.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_sites)
            The whitened variable y.

        Returns
        -------
        Tensor, shape (n_batch,)
            Dimensionless.

        Examples
        --------
        >>> import lattices
        >>> system = Ising(lattices.build("chain", (4,)), temperature=1.0)
        >>> at_zero = float(system.reduced_energy(torch.zeros(1, 4, dtype=torch.float64))[0])
        >>> round(at_zero - (2 * math.log(2 * math.pi) + 2 * system.shift - 4 * math.log(2)), 12)
        0.0
        """
        y = self._field(x)
        local = self.relaxation.apply(y) + self._bias(y)
        return (0.5 * y * y - log_2cosh(local)).sum(1) + self._constant

    def gradient(self, x: Tensor) -> Tensor:
        """``y - M^{1/2} tanh(M^{1/2} y + beta h)`` at y = `x`, shape of x."""
        y = self._field(x)
        local = self.relaxation.apply(y) + self._bias(y)
        return (y - self.relaxation.apply(torch.tanh(local))).reshape(x.shape)

    def to_configurations(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Spins drawn from p(s | y) at y = `x`.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_sites)
            The whitened variable y.
        generator : torch.Generator
            Required, on the device of x.

        Returns
        -------
        Tensor, shape (n_batch, *event_shape)
            +1 or -1, of the dtype and device of x.

        Raises
        ------
        TypeError
            If `generator` is not a torch.Generator.
        """
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator must be a torch.Generator, got {type(generator).__name__}")
        local = self.relaxation.apply(self._field(x)) + self._bias(x)
        # float64 uniforms: those of float32 come in steps of 2^-24, too coarse for rare spins.
        uniform = torch.rand(local.shape, generator=generator, dtype=torch.float64, device=x.device)
        up = uniform < torch.sigmoid(2.0 * local.double())
        spins = 2.0 * up.to(x.dtype) - 1.0
        return spins.reshape(-1, *self.event_shape)

    def to_field(self, spins: Tensor, generator: torch.Generator | None) -> Tensor:
        """y drawn from p(y | s) = N(M^{1/2} s, 1): takes reference spins to the continuous form.

        Parameters
        ----------
        spins : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_sites)
            +1 or -1.
        generator : torch.Generator
            On the device of `spins`.

        Returns
        -------
        Tensor, shape (n_batch, *event_shape)
            If the spins are Boltzmann distributed, y has density exp(-U(y)) / Z.
        """
        flat = self._field(spins)
        noise = torch.randn(flat.shape, generator=generator, dtype=flat.dtype, device=flat.device)
        return (self.relaxation.apply(flat) + noise).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """y drawn from p(y | s), shape (n_batch, n_sites); see `to_field`."""
        return self.to_field(configurations, generator).flatten(1)

    @property
    def energy_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """(w, v, c) of the energy -sum_<ij> w_ij s_i s_j - sum_i v_i s_i + c: J, h and none."""
        return self.bond_couplings, self.site_fields, 0.0

    def reference(self) -> ReferencePath:
        """J, or the strength of all J, from 0: free spins, log Z = sum_i log(2 cosh(beta h_i))."""
        if self.one_field:
            local = abs(self.beta * self.coefficients[1])
            log_z = self.n_sites * (local + math.log1p(math.exp(-2.0 * local)))
        else:
            log_z = math.fsum(np.logaddexp(self.beta * self.site_fields, -self.beta * self.site_fields))
        return ReferencePath(self._factor, 0.0, self.parameters[self._factor], log_z, draw=self._draw_free)

    def _draw_free(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        if self.one_field:
            return draw_spins(self.beta * self.coefficients[1], (n, self.n_sites), rng)
        return draw_spins_in_fields(self.beta * self.site_fields, n, rng)

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Spread spins to start from, float64 (n, n_sites): through the continuous form if J is one number.

        Else of independent signs: the continuous form would take a matrix of n_sites^2 numbers.
        """
        if self.one_coupling:
            return super().random_configurations(n, rng)
        return rng.choice(np.array([-1.0, 1.0]), (n, self.n_sites))

    def _energy(self, flat: Tensor) -> Tensor:
        coupling, field = self.coefficients
        return -coupling * self._bonds.pair_sum(flat) - field * self._site_sum(flat)

    def _site_sum(self, flat: Tensor) -> Tensor:
        if self.one_field:
            return flat.sum(1)
        return flat @ torch.as_tensor(self.site_weights, dtype=flat.dtype, device=flat.device)

    def _action_terms(self, flat: Tensor) -> Tensor:
        return torch.stack([self._bonds.pair_sum(flat), self._site_sum(flat)], dim=1)


@final
class Ising(AbstractIsing):
    """Ising model; see the module docstring for signs and formulae.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    coupling : float, dict or array, default 1.0
        J, of either sign; 0 gives free spins. A dict has J of each kind of bond (``lattice.unit_cell.kinds``;
        0 where it is not named), such as ``{"first": 1.0, "second": -0.5}``. An array, shape (n_bonds,), has
        J of each bond in the order of ``lattice.bonds``, as `lattices.random_bonds` gives them.
    field : float or array, default 0.0
        h, or h of each site, shape (n_sites,). Without it the system is Z2 symmetric.
    strength : float, default 1.0
        Factor of all couplings, where these are a dict or an array: what ladders from free spins change.

    Attributes
    ----------
    is_uniform : bool
        Whether coupling and field are one number each.
    bond_couplings : float64 array, shape (n_bonds,)
        J of each bond, `strength` included.
    site_fields : float64 array, shape (n_sites,)
    shift : float
        a: puts the smallest eigenvalue of M at `RELATIVE_MARGIN` times the width of the spectrum.
    relaxation : LatticeOperator
        M^{1/2}: ``apply(y)`` on (..., n_sites), ``values`` its eigenvalues, ``eigenvalues`` those of the
        adjacency matrix.

    Raises
    ------
    TypeError
        If `lattice` is not a Lattice or a parameter is not a real number, or numbers.
    ValueError
        If `temperature` is not positive and finite, `coupling` or `field` not finite or of another length, if
        the lattice lacks a kind of bond, or `strength` is given beside one number.

    Examples
    --------
    >>> import lattices
    >>> system = Ising(lattices.build("square", (4, 4)), temperature=2.5)
    >>> float(system.energy(torch.ones(1, 4, 4))[0])
    -32.0
    >>> y = torch.zeros(1, 4, 4, dtype=torch.float64)
    >>> spins = system.to_configurations(y, torch.Generator().manual_seed(0))
    >>> sorted(set(spins.flatten().tolist()))
    [-1.0, 1.0]
    """

    name: ClassVar[str] = "ising"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="H = -J sum_<ij> s_i s_j - h sum_i s_i, weight exp(-H/T)",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)"),
            COUPLING,
            Parameter("field", "h; one, or by site", 0.0, takes_several=True),
        ),
        lattices="any lattice, periodic or open",
        exact=(
            "all estimates by enumeration up to 20 sites",
            "strips with rows of up to 8 sites, in a field too: all estimates by transfer matrix",
            "square torus without field: log_z, free_energy, energy, specific_heat (Kaufman)",
            "lattices whose bonds do not cross (triangular, honeycomb, kagome, your own), periodic or open, "
            "without field: log_z, free_energy, energy, specific_heat (Kac and Ward); couplings by bond on "
            "tori of up to 16 x 16",
            "periodic chain up to 4096 sites: all estimates",
            "couplings by kind or bond, fields by site: all estimates on open strips of up to 16 sites "
            "across, and on tori with rows of up to 8",
        ),
        title="Ising model",
    )

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates known exactly for this instance; the module docstring says when."""
        return exact_names(self)

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`.

        Examples
        --------
        >>> import lattices
        >>> round(Ising(lattices.build("square", (16, 16)), temperature=2.0).exact_results()["log_z"], 3)
        263.296
        """
        return exact_values(self)
