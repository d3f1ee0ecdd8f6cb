# SPDX-License-Identifier: MIT
"""From a unit cell (a library name or a TOML file) to a finite `Lattice`.

Around a short periodic axis some pairs of sites may be joined twice (square, extent 2); such bonds are kept,
and only on request, since most results on "the 2 x 2 torus" mean single bonds. On honeycomb and kagome no
pair is, at any extent that fits.
"""

from __future__ import annotations

import functools
import math
import numbers
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from lattices import unit_cell
from lattices.colouring import proper_colouring
from lattices.lattice import Lattice
from lattices.numbering import all_sites, expand_bonds, site_positions
from lattices.symmetry import check_declared_order
from lattices.unit_cell import UnitCell

__all__ = ["available", "build", "expand"]

_HYPERCUBIC = ("chain", "square", "cubic", "hypercubic")  # the cell with 1, 2, 3, 4 axes
_MOST_SITES = 1 << 22  # some 400 bytes and ten microseconds each; numbers of sites are int32


def available() -> tuple[str, ...]:
    """Names that `build` knows.

    Examples
    --------
    >>> available()[:5]
    ('chain', 'chain-j1j2', 'cubic', 'cubic-j1j2', 'honeycomb')
    """
    files = resources.files("lattices").joinpath("library").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def build(
    name_or_path: str | Path,
    extent: int | tuple[int, ...],
    pbc: bool | tuple[bool, ...] = True,
    *,
    allow_double_bonds: bool = False,
) -> Lattice:
    """Build a finite lattice. The same arguments give the same object.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `available`, or the path of a TOML file (a `Path`, or a text that ends in ``.toml``) as
        described in `lattices.unit_cell`. "hypercubic" takes 1 to 4 extents.
    extent : tuple of int
        Unit cells along each axis: at least 2 along periodic axes, at least 1 along open ones, and no pair of
        sites joined twice without `allow_double_bonds`. A plain integer stands for one axis.
    pbc : bool or tuple of bool
        Periodic (True) or open (False), for all axes or for each.
    allow_double_bonds : bool
        Accept pairs of sites that are joined twice because a periodic axis is short. Each bond is then a
        row of `bonds`, and `adjacency` counts 2.

    Returns
    -------
    Lattice

    Raises
    ------
    ValueError
        For an unknown name, a malformed file, or an extent that is too short or gives over 2^22 sites.
    TypeError
        If `extent` or `pbc` is not made of integers or booleans.

    Examples
    --------
    >>> build("honeycomb", (4, 4))
    Lattice('honeycomb', extent=(4, 4), pbc=(True, True), n_sites=32, n_bonds=48)
    """
    extent = _extent_tuple(extent)
    cell = _find_cell(name_or_path, len(extent))
    if len(extent) != cell.n_axes:
        raise ValueError(f"extent must have {cell.n_axes} entries for lattice {cell.name!r}, got {extent}")
    pbc = _pbc_tuple(pbc, cell.n_axes)
    return expand(cell, extent, pbc, bool(allow_double_bonds))


@functools.lru_cache(maxsize=32)
def expand(
    cell: UnitCell, extent: tuple[int, ...], pbc: tuple[bool, ...], allow_double_bonds: bool
) -> Lattice:
    """The lattice of ``prod(extent)`` copies of `cell`; `extent` and `pbc` have one entry per axis.

    Raises
    ------
    ValueError
        For an extent that is too short, or a cell whose declared point group is not that of its geometry.
    """
    _check_extent(extent, pbc, cell)
    bonds, bond_colours = expand_bonds(cell, extent, pbc)
    if not len(bonds):
        raise ValueError(f"extent {extent} is too short: no bond of lattice {cell.name!r} fits")
    is_double = bool(np.any(np.all(bonds[1:] == bonds[:-1], axis=1)))
    if is_double and not allow_double_bonds:
        raise ValueError(
            f"extent must be longer: {extent} joins some sites of lattice {cell.name!r} twice around a "
            f"periodic axis (pbc {pbc}); pass allow_double_bonds=True to count such bonds twice"
        )
    check_declared_order(cell)
    cells, sublattices = (sites.astype(np.int32) for sites in all_sites(extent, cell.n_sites))
    return Lattice(
        unit_cell=cell,
        extent=extent,
        pbc=pbc,
        positions=site_positions(cell, extent),
        bonds=bonds,
        bond_colours=bond_colours,
        colours=proper_colouring(len(cells), bonds, cells, sublattices, extent, pbc),
        sublattices=sublattices,
        cells=cells,
    )


def _find_cell(name_or_path: str | Path, n_axes: int) -> UnitCell:
    if isinstance(name_or_path, Path) or str(name_or_path).endswith(".toml"):
        return unit_cell.read(name_or_path)
    if name_or_path not in available():
        raise ValueError(
            f"lattice must be one of {', '.join(available())}, or the path of a .toml file, "
            f"got {name_or_path!r}"
        )
    if name_or_path != "hypercubic":
        return _library_cell(name_or_path)
    if not 1 <= n_axes <= len(_HYPERCUBIC):
        raise ValueError(f"extent must have 1 to {len(_HYPERCUBIC)} entries for 'hypercubic', got {n_axes}")
    return replace(_library_cell(_HYPERCUBIC[n_axes - 1]), name="hypercubic")


@functools.cache
def _library_cell(name: str) -> UnitCell:
    file = resources.files("lattices").joinpath("library", f"{name}.toml")
    return unit_cell.parse(file.read_text(encoding="utf-8"), source=f"library/{name}.toml")


def _extent_tuple(extent: Any) -> tuple[int, ...]:
    entries: Any = (extent,) if isinstance(extent, numbers.Integral) else extent
    try:
        entries = tuple(entries)
    except TypeError:
        entries = (None,)
    if not all(isinstance(n, numbers.Integral) and not isinstance(n, bool) for n in entries):
        raise TypeError(f"extent must be a tuple of integers, one per axis, got {extent!r}")
    return tuple(int(n) for n in entries)


def _pbc_tuple(pbc: Any, n_axes: int) -> tuple[bool, ...]:
    entries = (pbc,) * n_axes if isinstance(pbc, bool | np.bool_) else pbc
    try:
        entries = tuple(entries)
    except TypeError:
        entries = (None,)
    if not all(isinstance(p, bool | np.bool_) for p in entries):
        raise TypeError(f"pbc must be a bool or a tuple of bools, one per axis, got {pbc!r}")
    if len(entries) != n_axes:
        raise ValueError(f"pbc must have {n_axes} entries, one per axis, got {len(entries)}")
    return tuple(bool(p) for p in entries)


def _check_extent(extent: tuple[int, ...], pbc: tuple[bool, ...], cell: UnitCell) -> None:
    shortest_periodic = min((n for n, p in zip(extent, pbc, strict=True) if p), default=2)
    if min(extent) < 1 or shortest_periodic < 2:
        raise ValueError(
            "extent must be integers >= 2 along periodic axes and >= 1 along open axes, "
            f"got extent {extent} with pbc {pbc}"
        )
    if np.prod(extent) * cell.n_sites < 2:
        raise ValueError(f"extent must give at least 2 sites, got extent {extent} for lattice {cell.name!r}")
    n_sites = math.prod(extent) * cell.n_sites
    if n_sites > _MOST_SITES:
        raise ValueError(f"extent must give at most {_MOST_SITES} sites, got {n_sites} of extent {extent}")
    for bond in cell.bonds:
        wound = [p and abs(step) >= n for step, n, p in zip(bond.cell, extent, pbc, strict=True)]
        if any(wound):
            raise ValueError(
                f"extent must exceed the longest bond along periodic axes, got extent {extent} for a bond "
                f"over {bond.cell} cells of lattice {cell.name!r}"
            )
