# SPDX-License-Identifier: MIT
"""Couplings of spins as they are given: one number, one for each kind of bond, or one for each bond or site.

    2.0                                    the same everywhere
    {"first": 1.0, "second": -0.5}         by the kind of bond, as ``lattice.unit_cell.kinds`` names them
    array, shape (n_bonds,)                in the order of ``lattice.bonds`` (i < j, rows ascending)
    array, shape (n_sites,)                of fields, in the order of the sites

A kind that is not named has no coupling. Parameters hold them as numbers, dicts and lists, so that they can
be written and read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import finite, numbers_of, wrong
from edgphys.errors import ArgumentTypeError, ArgumentValueError, EdgphysError, UnknownNameError
from lattices import Lattice

__all__ = ["Couplings", "are_invariant", "bond_couplings", "coupling_words", "site_fields", "strength_of"]

Parameter = float | dict[str, float] | list[float]


class Couplings(NamedTuple):
    """Values as parameters hold them, and one for each bond or site.

    Attributes
    ----------
    given : float, dict or list
    values : float64 array, shape (n_bonds,) or (n_sites,)
    """

    given: Parameter
    values: NDArray[np.float64]

    @property
    def is_number(self) -> bool:
        """Whether one number was given for all."""
        return isinstance(self.given, float)


def bond_couplings(lattice: Lattice, value: Any) -> Couplings:
    """J of every bond.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If `value` is none of those above, has another length, or is not finite.
    UnknownNameError
        If the lattice has no bond of a kind.

    Examples
    --------
    >>> import lattices
    >>> bond_couplings(lattices.build("square", (3, 3)), {"x": 1.0}).values[:3].tolist()
    [0.0, 0.0, 1.0]
    """
    if not isinstance(value, Mapping):
        return _listed(value, "coupling", lattice.n_bonds, "bond")
    kinds = lattice.unit_cell.kinds
    for name in value:
        if name not in kinds:
            allowed = f"numbers for kinds of bonds of the lattice {lattice.name} ({', '.join(kinds)})"
            raise wrong(UnknownNameError, "coupling", allowed, name)
    given = {str(name): _of_kind(name, one) for name, one in value.items()}
    by_kind = np.array([given.get(name, 0.0) for name in kinds])
    return Couplings(given, by_kind[lattice.bond_kinds])


def site_fields(lattice: Lattice, value: Any) -> Couplings:
    """h of every site; raises as `bond_couplings`."""
    return _listed(value, "field", lattice.n_sites, "site")


def strength_of(couplings: Couplings, value: Any) -> float:
    """Factor of all couplings: `value`, which must be 1 where they are one number; raises else."""
    strength = finite(value, "strength")
    if couplings.is_number and strength != 1.0:
        words = f"1 where coupling is one number, got {strength:g}: change coupling"
        raise ArgumentValueError(f"strength must be {words}", "strength")
    return strength


def _of_kind(kind: str, value: Any) -> float:
    try:
        return finite(value, f"coupling[{kind!r}]")
    except EdgphysError as error:  # a command line knows the whole argument only
        raise type(error)(str(error), "coupling") from None


def _listed(value: Any, name: str, length: int, what: str) -> Couplings:
    if not isinstance(value, list | tuple | np.ndarray) or np.ndim(value) == 0:
        number = finite(value, name)
        return Couplings(number, np.full(length, number))
    allowed = f"a number or an array of {length} finite numbers, one for each {what} of the lattice"
    values = numbers_of(value, name, allowed)
    if values.shape != (length,):
        shape = f"shape {values.shape}"
        raise ArgumentValueError(f"{name} must be {allowed}, got {shape}", name)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ArgumentValueError(f"{name} must be {allowed}, got {values[bad[0]]} at {what} {bad[0]}", name)
    if np.asarray(value).dtype == bool:
        raise wrong(ArgumentTypeError, name, allowed, value)
    return Couplings(values.tolist(), values.copy())


def coupling_words(value: Any) -> str:
    """A parameter in a few characters.

    Examples
    --------
    >>> coupling_words(1.0), coupling_words({"first": 1.0, "second": -0.5}), coupling_words([1.0, -1.0])
    ('1', 'first=1,second=-0.5', 'array of 2')
    """
    if isinstance(value, Mapping):
        return ",".join(f"{name}={one:g}" for name, one in value.items())
    return f"array of {len(value)}" if isinstance(value, list) else f"{value:g}"


def are_invariant(
    lattice: Lattice, permutations: NDArray, bonds: NDArray[np.float64], sites: NDArray[np.float64]
) -> bool:
    """Whether all permutations of sites, int (n, n_sites), keep the values on bonds and sites."""
    known = _sorted_rows(lattice.bonds, bonds)
    return all(
        np.array_equal(sites[moved], sites)
        and all(map(np.array_equal, _sorted_rows(moved[lattice.bonds], bonds), known))
        for moved in _each(permutations)
    )


def _each(permutations: NDArray) -> Iterator[NDArray]:
    yield from np.asarray(permutations, dtype=np.int64)


def _sorted_rows(bonds: NDArray, values: NDArray) -> tuple[NDArray, NDArray]:
    ends = np.sort(bonds, axis=1)
    order = np.lexsort((values, ends[:, 1], ends[:, 0]))
    return ends[order], values[order]
