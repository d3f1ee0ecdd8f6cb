# SPDX-License-Identifier: MIT
r"""Observables of unit vectors S_i of n components on a lattice: order, stiffness, vortices.

Order. With M = sum_i S_i and the axis of the field, n_sites = N,

    magnetization        component of M / N along that axis (its mean is 0 without a field)
    abs_magnetization    |M| / N, and magnetization_2, _4 its powers, correlator_zero = |M|^2 / N
    correlator_min       sum over the components of those of `edgphys.systems.lattice.measurements`

and the same of eps_i S_i, ``staggered_...``, for an antiferromagnet.

Stiffness. A twist turns the spins of bond (ij) against each other by d e_ij in a plane, e_ij the length of
the bond along an axis of the lattice. The helicity modulus is the second derivative of the free energy per
site with respect to d at 0, in the mean over the n (n - 1) / 2 planes, for axes that are periodic:

    Y = <C> - beta <Q>,    C = (2 / n N) sum_<ij> J_ij e_ij^2 S_i . S_j
                           Q = (2 / n (n - 1) N) sum_planes (sum_<ij> J_ij e_ij (S_i^a S_j^b - S_i^b S_j^a))^2

C and Q are the columns ``helicity_cosine`` and ``helicity_sine_2``: means over the periodic axes and, where
these differ, each with its axis in the name. Along an open axis the twist can be turned away: Y = 0.

Vortices, n = 2. On hypercubic lattices of two axes and more, each plaquette has the winding number q of the
differences theta_j - theta_i around it, each put into [-pi, pi) after taking off pi where J_ij < 0; then
``vorticity`` is the mean of |q| over the plaquettes. In a plaquette with an odd number of bonds J < 0, q is
half an odd number.

References
----------
Teitel and Jayaprakash, Phys. Rev. B 27, 598 (1983), doi:10.1103/PhysRevB.27.598 (Y and half vortices).
Weber and Minnhagen, Phys. Rev. B 37, 5986 (1988), doi:10.1103/PhysRevB.37.5986 (Y on finite lattices).
Tobochnik and Chester, Phys. Rev. B 20, 3761 (1979), doi:10.1103/PhysRevB.20.3761 (vortices).
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from edgphys.formulas import AXES, STAGGERED_PREFIX
from edgphys.observables import definitions
from edgphys.systems.lattice.hopping import is_hypercubic
from edgphys.systems.lattice.measurements import LatticeObservables
from lattices import Lattice

__all__ = ["RotorObservables", "bond_lengths", "plaquettes", "wrapped"]


class RotorObservables:
    """Per-draw observables of unit vectors on one lattice; see the module docstring.

    Parameters
    ----------
    lattice : Lattice
    couplings : float64 array, shape (n_bonds,)
        J of each bond.
    axis : int
        Component along the field.
    staggered : bool
        Whether there are staggered ones too.
    alike : bool
        Whether all bonds of the lattice have one coupling.
    vortices : bool
        Whether plaquettes have vortices: of spins of two components.

    Attributes
    ----------
    lengths : float64 array, shape (n_periodic_axes, n_bonds)
        e_ij along each periodic axis.
    twists : tuple of str
        Endings of the names of C and Q: none, "" or "" and those of the axes.
    plaquettes : int64 array, shape (n_plaquettes, 4)
        Sites around each plaquette; none unless there are vortices.
    phases : float64 array, shape (n_plaquettes, 4)
        What is taken off each difference around it: pi or 0.
    """

    def __init__(
        self,
        lattice: Lattice,
        couplings: NDArray[np.float64],
        axis: int,
        *,
        staggered: bool,
        alike: bool,
        vortices: bool,
    ) -> None:
        self._order = LatticeObservables(lattice, staggered)
        self._axis, self._couplings, self._n_sites = axis, couplings, lattice.n_sites
        self._ends = lattice.bonds.astype(np.int64).T
        self.lengths, names = bond_lengths(lattice)
        sides = {n for n, periodic in zip(lattice.extent, lattice.pbc, strict=True) if periodic}
        differ = len(names) > 1 and not (alike and len(sides) == 1)
        self.twists = (*(("",) if names else ()), *((f"_{name}" for name in names) if differ else ()))
        self.plaquettes = plaquettes(lattice) if vortices else np.empty((0, 4), np.int64)
        self.phases = _phases(lattice, couplings, self.plaquettes)

    @property
    def twist_names(self) -> tuple[str, ...]:
        """Columns of the helicity modulus, C before Q."""
        return tuple(f"helicity_{part}{end}" for end in self.twists for part in ("cosine", "sine_2"))

    @property
    def vortex_names(self) -> tuple[str, ...]:
        """The column of the vortices, if there are any."""
        return ("vorticity",) if len(self.plaquettes) else ()

    @property
    def definitions(self) -> dict[str, str]:
        """Of the names that not every system on a lattice has."""
        moduli = (f"helicity_modulus{end}" for end in self.twists)
        return self._order.definitions | definitions([*self.twist_names, *moduli, *self.vortex_names])

    def __call__(self, spins: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Per-draw values, float64 arrays (n_batch,) by name, of spins (n_batch, n_components, n_sites)."""
        values = self.orders(spins)
        if self.twists:
            values |= self._twist(spins)
        if self.vortex_names:
            values["vorticity"] = self._vortices(np.arctan2(spins[:, 1], spins[:, 0]))
        return values

    def orders(self, spins: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Those of the order alone."""
        by_component = [self._order(each) for each in np.moveaxis(spins, 1, 0)]
        total = {name: np.sum([each[name] for each in by_component], axis=0) for name in by_component[0]}
        for prefix in ("", STAGGERED_PREFIX):
            name = f"{prefix}magnetization"
            if name in total:
                square = total[f"{name}_2"]
                of_size = {f"{prefix}abs_magnetization": np.sqrt(square), f"{name}_4": square**2}
                total |= {name: by_component[self._axis][name], **of_size}
        return total

    def _twist(self, spins: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        n_components = spins.shape[1]
        planes = list(itertools.combinations(range(n_components), 2))
        first, second = spins[:, :, self._ends[0]], spins[:, :, self._ends[1]]
        weights = self._couplings * self.lengths
        alignment = np.einsum("dcb,dcb->db", first, second)
        cosine = (alignment @ (weights * self.lengths).T) * (2.0 / (n_components * self._n_sites))
        sine_2 = np.zeros_like(cosine)
        for a, b in planes:
            sine_2 += ((first[:, a] * second[:, b] - first[:, b] * second[:, a]) @ weights.T) ** 2
        sine_2 /= len(planes) * self._n_sites
        columns = zip((cosine, sine_2), ("cosine", "sine_2"), strict=True)
        values = {}
        for by_axis, part in columns:
            every = np.column_stack([by_axis.mean(axis=1), by_axis]).T
            values |= {f"helicity_{part}{end}": row for end, row in zip(self.twists, every, strict=False)}
        return {name: values[name] for name in self.twist_names}

    def _vortices(self, angles: NDArray[np.float64]) -> NDArray[np.float64]:
        around = angles[:, self.plaquettes]
        steps = wrapped(np.roll(around, -1, axis=2) - around - self.phases)
        return np.abs(steps.sum(axis=2)).mean(axis=1) / (2.0 * np.pi)


def wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles in [-pi, pi).

    Examples
    --------
    >>> (wrapped(np.array([0.5, 3.5, np.pi])) / np.pi).round(3).tolist()
    [0.159, -0.886, -1.0]
    """
    # The second step is for what rounding has put on pi itself.
    angles = angles - 2.0 * np.pi * np.floor((angles + np.pi) / (2.0 * np.pi))
    return np.where(angles >= np.pi, -np.pi, angles)


def bond_lengths(lattice: Lattice) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Length of each bond along each periodic axis, shape (n_periodic_axes, n_bonds); names of these axes."""
    periodic = np.flatnonzero(lattice.pbc)
    directions = lattice.basis_vectors[periodic]
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return directions @ lattice.bond_displacements.T, tuple(AXES[axis] for axis in periodic)


def plaquettes(lattice: Lattice) -> NDArray[np.int64]:
    """Sites in order around every plaquette of a hypercubic lattice, int64 (n_plaquettes, 4); else none.

    Examples
    --------
    >>> import lattices
    >>> plaquettes(lattices.build("square", (2, 3), False)).tolist()
    [[0, 3, 4, 1], [1, 4, 5, 2]]
    """
    if not is_hypercubic(lattice):
        return np.empty((0, 4), np.int64)
    index, found = np.arange(lattice.n_sites).reshape(lattice.extent), []
    for a, b in itertools.combinations(range(lattice.n_axes), 2):
        along = np.roll(index, -1, a)
        corners = np.stack([index, along, np.roll(along, -1, b), np.roll(index, -1, b)], axis=-1)
        for axis in (a, b):
            if not lattice.pbc[axis]:
                corners = np.delete(corners, -1, axis=axis)
        found.append(corners.reshape(-1, 4))
    return np.concatenate(found or [np.empty((0, 4), np.int64)])


def _phases(lattice: Lattice, couplings: NDArray, around: NDArray) -> NDArray[np.float64]:
    """pi for each step around each plaquette that goes along a bond with J < 0."""
    keys = lattice.bonds.astype(np.int64) @ np.array([lattice.n_sites, 1])
    steps = np.sort(np.stack([around, np.roll(around, -1, axis=1)]), axis=0)
    place = np.searchsorted(keys, steps[0] * lattice.n_sites + steps[1])
    return np.where(couplings[np.minimum(place, len(keys) - 1)] < 0.0, np.pi, 0.0)
