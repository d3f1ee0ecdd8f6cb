# SPDX-License-Identifier: MIT
"""The frozen record `Lattice`: graph, site numbering, boundary and symmetry group of a finite lattice.

Sites are numbered row-major over unit cells, the site within its cell fastest, so ``x.reshape(batch,
*lattice.shape)`` is always valid. A permutation p sends site i to ``p[i]``: the transformed configuration
is ``y[..., p] = x``. All arrays are read-only, since lattices are shared; copy them before handing them to
``torch.from_numpy``.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields

import numpy as np

from lattices import symmetry
from lattices.colouring import bipartition
from lattices.numbering import bond_displacements
from lattices.unit_cell import UnitCell

__all__ = ["Lattice"]

_MOST_ENTRIES = 2**26  # 256 MB of int32


@dataclass(frozen=True, eq=False, repr=False)
class Lattice:
    """A finite lattice; made by `lattices.build`.

    Attributes
    ----------
    unit_cell : UnitCell
    extent : tuple of int
        Number of unit cells along each axis.
    pbc : tuple of bool
        Whether each axis is periodic.
    positions : float64 (n_sites, n_dims)
        Cartesian, in units in which the library lattices have nearest-neighbour distance 1.
    bonds : int32 (n_bonds, 2)
        ``i < j``, rows sorted; a row is repeated only where ``allow_double_bonds`` was asked for.
    bond_colours : int32 (n_bonds,)
        Type of each bond, from the unit cell.
    colours : int32 (n_sites,)
        Proper colouring of the sites, contiguous from 0: no bond joins equal colours.
    sublattices : int32 (n_sites,)
        Number of the site within its unit cell.
    cells : int32 (n_sites, n_axes)
        Unit cell of the site.
    """

    unit_cell: UnitCell
    extent: tuple[int, ...]
    pbc: tuple[bool, ...]
    positions: np.ndarray
    bonds: np.ndarray
    bond_colours: np.ndarray
    colours: np.ndarray
    sublattices: np.ndarray
    cells: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    def __getstate__(self) -> dict:
        """The fields alone: cached tables are rebuilt where they are needed, not sent along."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def __repr__(self) -> str:
        return (
            f"Lattice({self.name!r}, extent={self.extent}, pbc={self.pbc}, "
            f"n_sites={self.n_sites}, n_bonds={self.n_bonds})"
        )

    @property
    def name(self) -> str:
        return self.unit_cell.name

    @property
    def critical_temperature(self) -> float | None:
        """Of the ferromagnetic Ising model on the infinite lattice with J = k_B = 1, where known."""
        return self.unit_cell.critical_temperature

    @property
    def critical_temperature_kind(self) -> str | None:
        """How it is known: "exact", "numerical" or None."""
        return self.unit_cell.critical_temperature_kind

    @functools.cached_property
    def basis_vectors(self) -> np.ndarray:
        """Cartesian rows, float64 (n_axes, n_dims)."""
        return _frozen(np.array(self.unit_cell.basis_vectors))

    @property
    def n_sites(self) -> int:
        return len(self.positions)

    @property
    def n_axes(self) -> int:
        return len(self.extent)

    @property
    def n_dims(self) -> int:
        return self.positions.shape[1]

    @property
    def n_cells(self) -> int:
        return math.prod(self.extent)

    @property
    def n_sites_per_cell(self) -> int:
        return self.n_sites // self.n_cells

    @property
    def n_bonds(self) -> int:
        return len(self.bonds)

    @property
    def n_colours(self) -> int:
        return int(self.colours.max()) + 1

    @property
    def shape(self) -> tuple[int, ...]:
        """`extent` where a cell has one site, else ``extent + (n_sites_per_cell,)``."""
        return self.extent if self.n_sites_per_cell == 1 else (*self.extent, self.n_sites_per_cell)

    @functools.cached_property
    def bond_kinds(self) -> np.ndarray:
        """Number of the kind of each bond in ``unit_cell.kinds``, int32 (n_bonds,)."""
        return _frozen(bond_displacements(self.unit_cell, self.extent, self.pbc)[1])

    @functools.cached_property
    def bond_displacements(self) -> np.ndarray:
        """Cartesian vector along each bond from its first to its second site, float64 (n_bonds, n_dims)."""
        return _frozen(bond_displacements(self.unit_cell, self.extent, self.pbc)[0])

    @functools.cached_property
    def coordination(self) -> np.ndarray:
        """Number of bonds at each site, double bonds counted twice, int64 (n_sites,)."""
        return _frozen(np.bincount(self.bonds.ravel(), minlength=self.n_sites))

    @functools.cached_property
    def neighbours(self) -> np.ndarray:
        """Sites joined to each site, ascending, padded with -1, int32 (n_sites, max coordination).

        A double bond lists its neighbour twice.
        """
        starts = np.concatenate([self.bonds[:, 0], self.bonds[:, 1]])
        ends = np.concatenate([self.bonds[:, 1], self.bonds[:, 0]])
        order = np.lexsort((ends, starts))
        starts, ends = starts[order], ends[order]
        first = np.cumsum(self.coordination) - self.coordination
        table = np.full((self.n_sites, int(self.coordination.max(initial=0))), -1, dtype=np.int32)
        table[starts, np.arange(len(starts)) - first[starts]] = ends
        return _frozen(table)

    @functools.cached_property
    def neighbour_bonds(self) -> np.ndarray:
        """Number of the bond that leads to each of the `neighbours`, padded with -1, int32, same shape."""
        starts = np.concatenate([self.bonds[:, 0], self.bonds[:, 1]])
        ends = np.concatenate([self.bonds[:, 1], self.bonds[:, 0]])
        table = np.full(self.neighbours.shape, -1, dtype=np.int32)
        table[self.neighbours >= 0] = np.lexsort((ends, starts)) % self.n_bonds
        return _frozen(table)

    @functools.cached_property
    def adjacency(self) -> np.ndarray:
        """Number of bonds between two sites, float64 (n_sites, n_sites): 0, 1, or 2 for a double bond."""
        matrix = np.zeros((self.n_sites, self.n_sites))
        np.add.at(matrix, (self.bonds[:, 0], self.bonds[:, 1]), 1.0)
        return _frozen(matrix + matrix.T)

    @functools.cached_property
    def bipartition(self) -> np.ndarray | None:
        """Signs, int8 (n_sites,), opposite at the ends of every bond, +1 at site 0; or None."""
        signs = bipartition(self.n_sites, self.bonds)
        return None if signs is None else _frozen(signs)

    @functools.cached_property
    def sublattices_alike(self) -> bool:
        """Whether a symmetry exchanges the two sides of the `bipartition`; False without one."""
        if self.bipartition is None:
            return False
        moves = np.concatenate([self.translation_generators, self.point_group])
        return bool(np.any(np.all(self.bipartition[moves] == -self.bipartition, axis=1)))

    @functools.cached_property
    def point_group(self) -> np.ndarray:
        """Permutations about one fixed point that fit extent and boundary, int32 (order, n_sites).

        Identity first, each once.
        """
        return _frozen(symmetry.point_group(self.unit_cell, self.extent, self.pbc)[0])

    @property
    def n_translations(self) -> int:
        return math.prod(n for n, periodic in zip(self.extent, self.pbc, strict=True) if periodic)

    @functools.cached_property
    def translation_generators(self) -> np.ndarray:
        """Translation by one cell along each periodic axis in turn, int32 (n_periodic_axes, n_sites)."""
        steps = np.eye(self.n_axes, dtype=np.int64)[np.array(self.pbc)]
        return _frozen(symmetry.translations(self.extent, self.pbc, self.n_sites_per_cell, steps))

    @functools.cached_property
    def translations(self) -> np.ndarray:
        """All translations along periodic axes, row-major in the shift, int32 (n_translations, n_sites).

        Raises
        ------
        ValueError
            Above 2**26 entries.
        """
        self._check_size(self.n_translations * self.n_sites, "translations", "use translation_generators")
        return _frozen(symmetry.translations(self.extent, self.pbc, self.n_sites_per_cell))

    def space_group(self) -> np.ndarray:
        """All products translation after point operation, int32 (order, n_sites), each permutation once.

        Identity first, the point operation runs fastest.

        Raises
        ------
        ValueError
            Above 2**26 entries.
        """
        operations = self.point_group[self._coset_representatives]
        n_entries = self.n_translations * operations.size
        self._check_size(n_entries, "space_group", "use translation_generators with point_group")
        return self.translations[:, operations].reshape(-1, self.n_sites)

    @functools.cached_property
    def _coset_representatives(self) -> np.ndarray:
        """Rows of `point_group` that differ by more than a translation (some coincide at extent 2)."""
        shifts = self.cells[self.point_group[:, 0]] * np.array(self.pbc)
        moved = self.cells[self.point_group] - shifts[:, None, :]
        numbers = np.ravel_multi_index(
            tuple(np.moveaxis(moved % np.array(self.extent), -1, 0)), self.extent
        ) * self.n_sites_per_cell + np.take(self.sublattices, self.point_group)
        first: dict[bytes, int] = {}
        for k, row in enumerate(numbers):
            first.setdefault(row.tobytes(), k)
        return np.array(list(first.values()))

    def pair_orbits(self) -> np.ndarray:
        """Orbits of pairs of sites under the space group and exchange, int32 (n_sites, n_sites).

        Labels are contiguous from 0 in order of distance (shortest periodic image), so the diagonal of a
        lattice whose sites are all equivalent is 0. Computed once.

        Raises
        ------
        ValueError
            Above 2**26 entries.
        """
        return self._pair_orbits

    @functools.cached_property
    def _pair_orbits(self) -> np.ndarray:
        self._check_size(self.n_sites**2, "pair_orbits", "use a smaller extent")
        return _frozen(symmetry.pair_orbits(self))

    @functools.cached_property
    def n_pair_orbits(self) -> int:
        return int(self.pair_orbits().max()) + 1

    def _check_size(self, n_entries: int, what: str, instead: str) -> None:
        if n_entries > _MOST_ENTRIES:
            raise ValueError(
                f"{what} of {self!r} would have {n_entries} entries, the limit is {_MOST_ENTRIES}; {instead}"
            )


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
