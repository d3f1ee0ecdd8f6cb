# SPDX-License-Identifier: MIT
"""A Hamiltonian of one's own on a lattice, from the energy of one site and the energy of one bond.

    E = strength sum_<ij> J_ij bond(v_i, v_j) + sum_i site(v_i),     J = 1 unless given

What v is decides which class serves: one of finitely many values (`states`, or field="spin": -1 and +1), a
real number or an angle (field="real", "angle").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgphys._checks import choice
from edgphys.errors import ArgumentValueError
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.finite_states.own_states import OwnStates
from edgphys.systems.lattice.own_fields import OwnFields
from lattices import Lattice

__all__ = ["LatticePotential"]


def _spins(lattice: Lattice, site: Any, bond: Any, **others: Any) -> AbstractLatticeSystem:
    return OwnStates(lattice, site, bond, (-1.0, 1.0), **others)


def _real(lattice: Lattice, site: Any, bond: Any, **others: Any) -> AbstractLatticeSystem:
    return OwnFields(lattice, site, bond, False, **others)


def _angles(lattice: Lattice, site: Any, bond: Any, **others: Any) -> AbstractLatticeSystem:
    return OwnFields(lattice, site, bond, True, **others)


# Kinds of variables, and what makes a system of them.
_BY_FIELD: dict[str, Callable[..., AbstractLatticeSystem]] = {
    "spin": _spins,
    "real": _real,
    "angle": _angles,
}


def LatticePotential(
    lattice: Lattice,
    site: Callable | None = None,
    bond: Callable | None = None,
    *,
    field: str | None = None,
    states: int | Sequence[float] | None = None,
    temperature: float = 1.0,
    coupling: Any = None,
    **parameters: float,
) -> Any:
    """The system whose energy is that of a function of one site and a function of one bond.

    Parameters
    ----------
    lattice : Lattice
        Any lattice, any boundary conditions; a bond that occurs twice counts twice.
    site, bond : callable, optional
        ``site(v, **parameters)`` and ``bond(v, v, **parameters)``, symmetric; energies, not divided by the
        temperature. Without one of them its part is 0. Of values of finitely many kinds they get plain
        numbers, and are tabulated; of real numbers and angles float64 torch tensors of any shape, and are
        differentiated, and compiled for chains where that can be done.
    field : {"spin", "real", "angle"}, optional
        What v is: -1 or +1, a real number, an angle in [-pi, pi), of which both functions have the period.
    states : int or sequence of float, in place of `field`
        v is one of these values; of a number q, one of 0 .. q - 1. Configurations hold the number of the
        state, from 0.
    temperature : float, default 1.0
        Positive, in the units of the energy (k_B = 1).
    coupling : float, dict or array, default 1.0
        J, of all bonds; by kind of bond (``{"first": 1.0, "second": -0.5}``, 0 for those not named); or of
        each bond, shape (n_bonds,), in the order of ``lattice.bonds``. Where a function has an argument of
        this name, it is a number for that, and no factor of the bonds.
    **parameters : float
        Arguments of the functions with a name, which `replace` and scans change; ``strength`` is the factor
        of the bonds (1).

    Returns
    -------
    AbstractLatticeSystem

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, both or none of `field` and `states` are given, a function fails
        or gives no finite number, or `bond` is not symmetric; of real numbers, if exp(-E/T) seems to have no
        finite integral; if `coupling` has another length, is not finite, or names no kind of bond.

    Examples
    --------
    >>> import lattices
    >>> blume_capel = LatticePotential(
    ...     lattices.build("square", (4, 4)),
    ...     site=lambda s, splitting: splitting * s**2,
    ...     bond=lambda a, b: -a * b,
    ...     states=(-1, 0, 1),
    ...     temperature=0.8,
    ...     splitting=1.5,
    ... )
    >>> float(blume_capel.energy(blume_capel.from_values([[[1.0] * 4] * 4]))[0])
    -8.0
    """
    if (field is None) == (states is None):
        words = f"one of {', '.join(_BY_FIELD)}, or states given in its place"
        got = "neither" if field is None else "both"
        raise ArgumentValueError(f"field must be {words}, got {got}", "field")
    if states is not None:
        return OwnStates(lattice, site, bond, states, temperature, coupling=coupling, **parameters)
    make = _BY_FIELD[choice(field, "field", tuple(_BY_FIELD))]
    return make(lattice, site, bond, temperature=temperature, coupling=coupling, **parameters)
