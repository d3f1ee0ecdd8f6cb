# SPDX-License-Identifier: MIT
r"""Systems with one of q states on each site: an energy of every bond and one of every site, as tables.

    E(s) = sum_<ij> w_ij bond_table[s_i, s_j] + sum_i site_table[s_i],     s_i = 0, 1, ..., q - 1

Configurations hold the numbers of the states. A bond that occurs twice counts twice. Each state has a vector
e(s) in the space of the order parameter, m = (1/N) sum_i e(s_i): ``magnetization`` is its first component,
along the field, ``abs_magnetization`` is |m|, and so on, see `edgphys.systems.lattice.measurements`.

Continuous form. With Phi the normal distribution function, s_i = floor(q Phi(x_i)) is any of the states with
probability 1/q for normal x_i, so that

    U(x) = |x|^2 / 2 + (N/2) log 2 pi - N log q + beta E(s(x)),     int exp(-U) dx = Z = sum_s exp(-beta E(s))

and s(x) carries the weight of its x. U has a jump wherever a state changes; x -> -x reverses the order of the
states.
"""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.couplings import Couplings
from edgphys.systems.lattice.finite_states.exact import exact_names, exact_values
from edgphys.systems.lattice.finite_states.permutations import (
    group_of,
    keeps,
    random_relabelling,
    reflections_of,
)
from edgphys.systems.reference_path import ReferencePath
from lattices.colouring import balancing_signs

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["MOST_STATES", "AbstractFiniteStates"]

# Chains keep states in bytes, with one number more for a site that is not there.
MOST_STATES = 126
# Numbers gathered over the bonds at a time.
_CHUNK = 1 << 22


class AbstractFiniteStates(AbstractLatticeSystem):
    """Declaration of a system of finitely many states; see the module docstring for its energy.

    Attributes
    ----------
    n_states : int
        q.
    bond_table : float64 array, shape (q, q)
        Energy of one bond, symmetric.
    site_table : float64 array, shape (q,) or (n_sites, q)
        Energy of one site.
    pair_weights : float64 array, shape (n_bonds,), or None
        w_ij; None where all are 1.
    bond_couplings : float64 array, shape (n_bonds,)
        J of each bond, where a coupling is what the bonds have.
    order_vectors : float64 array, shape (q, n_components)
        e(s).
    reflections : int8 array, shape (n_reflections, q)
        Exchanges of states that leave the energies of bonds alone, each its own inverse, and that lead from
        any state to any other; none, shape (0, q), where there are not enough.
    coefficients : tuple of two floats
        Factors of the two sums that the energy is made of, `action_terms`.

    Notes
    -----
    `symmetries` beside those of the lattice: "permutation", all permutations of the states; "dihedral", those
    of a polygon with q corners; "z2", the reversal s -> q - 1 - s (x -> -x), if the order parameter then
    vanishes on average.
    """

    family: ClassVar[str] = "states"
    has_reference: ClassVar[bool] = True
    n_states: int
    bond_table: NDArray[np.float64]
    site_table: NDArray[np.float64]
    order_vectors: NDArray[np.float64]
    bond_couplings: NDArray[np.float64]
    coefficients: tuple[float, float]

    def _set_energy(
        self,
        bond: NDArray[np.float64],
        site: NDArray[np.float64],
        couplings: Couplings,
        fields: Couplings,
        strength: float = 1.0,
    ) -> None:
        """Tables of one bond with coupling 1 and one site in field 1, and what these are multiplied by."""
        self._bond_unit, self._site_unit = bond, site
        self.n_states = len(bond)
        self.is_uniform = couplings.is_number and fields.is_number
        self.coefficients = (
            couplings.given if isinstance(couplings.given, float) else strength,
            fields.given if isinstance(fields.given, float) else 1.0,
        )
        self._pair_weights = None if couplings.is_number else couplings.values
        self._site_weights = None if fields.is_number else fields.values
        self.bond_couplings = self.coefficients[0] * (
            np.ones(self.lattice.n_bonds) if couplings.is_number else couplings.values
        )
        self.bond_table = self.coefficients[0] * bond + 0.0  # no negative zeros
        by_site = 1.0 if fields.is_number else fields.values[:, None]
        self.site_table = by_site * self.coefficients[1] * site + 0.0

    @property
    def pair_weights(self) -> NDArray[np.float64] | None:
        return self._pair_weights

    @property
    def has_field(self) -> bool:
        """Whether states differ in the energy of a site."""
        return bool(np.ptp(self.site_table, axis=-1).any())

    def why_no_decoder(self) -> str | None:
        return f"learns from a gradient, and the energy of {self.name} has jumps instead"

    # --------------------------------------------------------------------------------------- symmetries

    @functools.cached_property
    def _kept(self) -> tuple[str, ...]:
        if self.is_uniform:
            return self._kept_by(None)
        sites = np.ones(self.n_sites) if self._site_weights is None else self._site_weights
        return self._kept_by((self.bond_weights, sites))

    @functools.cached_property
    def _group(self) -> str | None:
        """Name of the group that exchanges the states; None if it has no more than the reversal."""
        return group_of(self.bond_table, self.site_table)

    @property
    def bond_weights(self) -> NDArray[np.float64]:
        """`pair_weights`, shape (n_bonds,), ones where all are alike."""
        return np.ones(self.lattice.n_bonds) if self._pair_weights is None else self._pair_weights

    @functools.cached_property
    def order_signs(self) -> NDArray[np.int8] | None:
        """Signs of the sites, int8 (n_sites,): where two agree their bond favours equal states, else unequal.

        +1 at the first site of each connected part; None if a loop is frustrated.
        """
        # What two equal states gain on the average of all pairs.
        gains = self.bond_weights * (self.bond_table.mean() - self.bond_table[0, 0])
        there = gains != 0.0
        return balancing_signs(self.n_sites, self.lattice.bonds[there], gains[there] < 0.0)

    @functools.cached_property
    def bonds_by_colour(self) -> bool:
        """Whether a bond only tells equal states from unequal ones."""
        return group_of(self.bond_table, np.zeros(self.n_states)) == "permutation"

    @functools.cached_property
    def reflections(self) -> NDArray[np.int8]:
        return reflections_of(self.bond_table)

    @functools.cached_property
    def symmetries(self) -> tuple[str, ...]:
        """Those of the lattice, as far as the weights have them, and those of the states."""
        vectors, group = self.order_vectors, () if self._group is None else (self._group,)
        left = vectors.mean(0) if group else 0.5 * (vectors + vectors[::-1])
        vanishes = bool(np.allclose(left, 0.0, rtol=0.0, atol=1e-12 * np.abs(vectors).max()))
        z2 = vanishes and keeps(self.bond_table, self.site_table, np.arange(self.n_states)[None, ::-1])
        return (*self._kept, *group, *(("z2",) if z2 else ()))

    def random_symmetry(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Moved by the space group of the lattice, and the states exchanged, as `symmetries` declares."""
        moved = self._space_group.to(configurations.device).move(configurations, generator)
        group = self._group or ("z2" if "z2" in self.symmetries else None)
        if group is None:
            return moved
        table = random_relabelling(group, len(moved), self.n_states, generator, moved.device)
        return table.gather(1, moved.long()).to(moved.dtype)

    # ---------------------------------------------------------------------------------------- densities

    def states(self, x: Tensor) -> Tensor:
        """Numbers of the states at x of the continuous form, int64, shape of x."""
        share = torch.special.ndtr(x.detach().double())
        return (self.n_states * share).long().clamp(0, self.n_states - 1)

    def reduced_energy(self, x: Tensor) -> Tensor:
        """U(x); integrates to Z over R^N, so that -log E[w] needs no further constant.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_sites)

        Returns
        -------
        Tensor, shape (n_batch,)
            Dimensionless. Its gradient is that between the jumps: x.
        """
        y = self._field(x)
        constant = self.n_sites * (0.5 * math.log(2.0 * math.pi) - math.log(self.n_states))
        return 0.5 * (y * y).sum(1) + constant + self.beta * self._energy(self.states(y).to(y.dtype))

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The states at x, shape (n_batch, *event_shape), of the dtype and device of x."""
        y = self._field(x)
        return self.states(y).to(y.dtype).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """x of the standard normal density where it has these states, shape (n_batch, n_sites)."""
        flat = self._field(configurations)
        uniform = torch.rand(flat.shape, generator=generator, dtype=torch.float64, device=flat.device)
        numbers = self._numbers(flat)
        x, middle = (
            torch.special.ndtri((numbers + inside) / self.n_states).to(flat.dtype)
            for inside in (uniform, torch.full_like(uniform, 0.5))
        )
        # Next to a jump rounding may have crossed it.
        return torch.where((self.states(x) == numbers) & x.isfinite(), x, middle)

    def reference(self) -> ReferencePath:
        """The factor of the bonds from 0: independent sites, log Z = sum_i log sum_s exp(-beta E_i(s))."""
        log_terms = -self.beta * self.site_table
        log_site = np.logaddexp.reduce(log_terms, axis=-1)
        log_z = math.fsum(log_site) if log_site.ndim else self.n_sites * float(log_site)
        name = self._factor
        return ReferencePath(name, 0.0, self.parameters[name], log_z, draw=self._draw_free)

    @property
    def _factor(self) -> str:
        """Name of the parameter that multiplies all bonds."""
        return "coupling" if isinstance(self.parameters.get("coupling"), float) else "strength"

    def _draw_free(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Independent sites, by the largest of energies with Gumbel noise."""
        log_terms = np.broadcast_to(-self.beta * self.site_table, (self.n_sites, self.n_states))
        if not self.has_field:
            return self.random_configurations(n, rng)
        drawn = [(log_terms + rng.gumbel(size=log_terms.shape)).argmax(1) for _ in range(n)]
        return np.array(drawn, dtype=np.float64).reshape(n, self.n_sites)

    def random_configurations(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """All states alike, float64 (n, n_sites)."""
        return rng.integers(self.n_states, size=(n, self.n_sites)).astype(np.float64)

    def _some_configurations(self) -> NDArray[np.float64]:
        rng = np.random.default_rng(0)
        return rng.integers(self.n_states, size=(3, *self.event_shape)).astype(np.float64)

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates known exactly for this instance."""
        return exact_names(self)

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`."""
        return exact_values(self)

    # --------------------------------------------------------------------------- energy and observables

    @property
    def constants(self) -> tuple[str, ...]:
        """Without bonds and fields there is no energy."""
        return ("energy",) if not (self.bond_table.any() or self.site_table.any()) else ()

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """beta times the `coefficients`, for the sums over bonds and over sites that they multiply."""
        return self.beta * np.array(self.coefficients)

    @property
    def unit_tables(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Energies of a bond and of a site, shapes (q, q) and (q,), that the `coefficients` multiply."""
        return self._bond_unit, self._site_unit

    @property
    def site_weights(self) -> NDArray[np.float64] | None:
        """Factors of the sites, shape (n_sites,); None where all are 1."""
        return self._site_weights

    def _energy(self, flat: Tensor) -> Tensor:
        bonds, sites = self._sums(flat)
        return (self.coefficients[0] * bonds + self.coefficients[1] * sites).to(flat.dtype)

    def _action_terms(self, flat: Tensor) -> Tensor:
        return torch.stack(self._sums(flat), dim=1)

    def _sums(self, flat: Tensor) -> tuple[Tensor, Tensor]:
        """The sums over bonds and sites of the unit tables, float64 (n_batch,)."""
        numbers, device = self._numbers(flat), flat.device
        tables = [torch.as_tensor(one, device=device).flatten() for one in self.unit_tables]
        weights = [
            torch.ones(n, dtype=torch.float64, device=device)
            if one is None
            else torch.as_tensor(one).to(device)
            for one, n in ((self._pair_weights, self.lattice.n_bonds), (self._site_weights, self.n_sites))
        ]
        ends = torch.as_tensor(np.asarray(self.lattice.bonds, np.int64).reshape(-1, 2), device=device)
        rows = max(1, _CHUNK // max(1, len(ends)))
        parts = [
            (tables[0][part[:, ends[:, 0]] * self.n_states + part[:, ends[:, 1]]]) @ weights[0]
            for part in numbers.split(rows)
        ]
        return torch.cat(parts), tables[1][numbers] @ weights[1]

    def _numbers(self, flat: Tensor) -> Tensor:
        numbers = flat.long()
        bad = (numbers != flat) | (numbers < 0) | (numbers >= self.n_states)
        if bool(bad.any()):
            words = f"numbers of states from 0 to {self.n_states - 1}"
            raise ArgumentValueError(
                f"configurations must hold {words}, got {float(flat[bad][0]):g}", "configurations"
            )
        return numbers

    def _measure(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        numbers = flat.astype(np.int64)
        components = (self.order_vectors[:, k][numbers] for k in range(self.order_vectors.shape[1]))
        return {**self._observables.of_components(components), **self._measure_more(flat)}

    def _geometry_attrs(self) -> dict[str, Any]:
        names, vectors = self._own_names, json.dumps(self._stored_vectors)
        more = {"order_vectors": vectors} | ({"observables": json.dumps(names)} if names else {})
        return super()._geometry_attrs() | more

    @property
    def _stored_vectors(self) -> Any:
        """e(s) as datasets hold them, see `edgphys.estimators.profiles.order_components`."""
        return self.order_vectors.tolist()

    @property
    def _own_names(self) -> tuple[str, ...]:
        """Of what `_measure_more` gives."""
        return ()
