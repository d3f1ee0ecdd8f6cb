# SPDX-License-Identifier: MIT
"""An energy of one's own for sites of finitely many states: functions of one site and of one bond, tabulated.

    E(s) = strength sum_<ij> J_ij bond(v(s_i), v(s_j)) + sum_i site(v(s_i))

with v the values of the states and J the couplings, 1 unless given. Made by `edgphys.LatticePotential`. The
order parameter is the value: ``magnetization`` is the mean of v over the sites.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgphys import _checks
from edgphys.errors import ArgumentValueError, EdgphysError
from edgphys.systems.lattice.couplings import Couplings
from edgphys.systems.lattice.finite_states.base import MOST_STATES, AbstractFiniteStates
from edgphys.systems.lattice.own_arguments import AbstractOwnHamiltonian, check_taken, taken_by
from lattices import Lattice

__all__ = ["OwnStates"]


@final
class OwnStates(AbstractOwnHamiltonian, AbstractFiniteStates):
    """A system of finitely many states with the energy of a user's functions.

    Parameters
    ----------
    lattice : Lattice
    site : callable or None
        ``site(value, **parameters)``, the energy of one site; None: 0.
    bond : callable or None
        ``bond(value, value, **parameters)``, the energy of one bond, symmetric; None: 0. Both get plain
        numbers, one pair of states at a time, and must give a finite number.
    states : int or sequence of float
        Values of the states; of a number q the values are the integers 0 .. q - 1.
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
    values : float64 array, shape (q,)
        Values of the states: ``system.values[configurations.astype(int)]``.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind; if a function fails, gives no finite number, or bond(a, b) is not
        bond(b, a); if no function takes a parameter.
    """

    def __init__(
        self,
        lattice: Lattice,
        site: Callable | None,
        bond: Callable | None,
        states: int | Sequence[float],
        temperature: float,
        strength: float = 1.0,
        coupling: Any = None,
        **parameters: float,
    ) -> None:
        functions = site, bond
        given, couplings = self._set_parameters(
            lattice, temperature, strength, coupling, functions, parameters
        )
        self._functions, self._states = functions, states
        numbers, self.values = _values_of(states)
        takes = [taken_by(function, name, given) for function, name in ((site, "site"), (bond, "bond"))]
        check_taken(given, takes)
        of_site = np.array([_call(site, "site", (a,), takes[0]) for a in numbers])
        of_bond = np.array([[_call(bond, "bond", (a, b), takes[1]) for b in numbers] for a in numbers])
        _check_symmetric(of_bond, numbers)
        fields = Couplings(1.0, np.ones(lattice.n_sites))
        self._set_energy(of_bond, of_site, couplings, fields, self.parameters["strength"])

    @property
    def order_vectors(self) -> NDArray[np.float64]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.values[:, None]

    def from_values(self, values: Any) -> NDArray[np.float64]:
        """Configurations, numbers of states, that have these values; float64, of the same shape.

        Raises
        ------
        ArgumentValueError
            If one is no value of a state.
        """
        given = np.asarray(values, dtype=np.float64)
        order = np.argsort(self.values)
        places = np.searchsorted(self.values[order], given).clip(0, self.n_states - 1)
        numbers = order[places]
        bad = self.values[numbers] != given
        if bad.any():
            known = ", ".join(f"{one:g}" for one in self.values)
            raise ArgumentValueError(f"values must be among {known}, got {given[bad][0]:g}", "values")
        return numbers.astype(np.float64)

    @property
    def _factor(self) -> str:
        """An argument of the functions may be called coupling."""
        return "strength"

    @property
    def _made_of(self) -> tuple[Any, ...]:
        return *self._functions, self._states

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        energy = f"E = {self._bonds_in_words} bond(v_i, v_j) + sum_i site(v_i), total; average <E>"
        order = "m = sum of the values of the states / n_sites per draw; average <m>"
        return {**super().definitions, "energy": energy, "magnetization": order}

    def identity(self) -> dict[str, Any]:
        """Name, parameters, and what the functions give."""
        content = b"".join(one.tobytes() for one in (*self.unit_tables, self.values))
        return {**super().identity(), "fingerprint": hashlib.sha256(content).hexdigest()[:16]}


def _values_of(states: Any) -> tuple[list, NDArray[np.float64]]:
    """What the functions are called with, plain numbers, and the values as an array."""
    allowed = f"a number of states from 2 to {MOST_STATES}, or as many different finite values"
    if np.ndim(states) == 0:
        numbers = list(range(_checks.whole(states, "states", 2, MOST_STATES)))
        return numbers, np.array(numbers, dtype=np.float64)
    values = _checks.numbers_of(states, "states", allowed).astype(np.float64)
    fine = values.ndim == 1 and 2 <= len(values) <= MOST_STATES and len(np.unique(values)) == len(values)
    if not (fine and np.isfinite(values).all()):
        raise _checks.wrong(ArgumentValueError, "states", allowed, states)
    return values.tolist(), values


def _call(function: Callable | None, name: str, values: tuple, parameters: dict[str, float]) -> float:
    """The number that a function gives; 0 without one."""
    if function is None:
        return 0.0
    place = f"{name}({', '.join(map(str, values))})"
    try:
        result = float(function(*values, **parameters))
    except EdgphysError:
        raise
    except Exception as error:  # whatever a user's function does
        first = (str(error).strip().splitlines() or [""])[0]
        words = f"{name} must give a number for plain numbers"
        raise ArgumentValueError(f"{words}, got {type(error).__name__}: {first} at {place}", name) from error
    if not np.isfinite(result):
        raise ArgumentValueError(f"{name} must give a finite number, got {place} = {result}", name)
    return result


def _check_symmetric(table: NDArray[np.float64], numbers: list) -> None:
    bad = np.argwhere(np.abs(table - table.T) > 1e-12 * np.abs(table).max())
    if len(bad):
        a, b = bad[0]
        one, other = f"bond({numbers[a]}, {numbers[b]})", f"bond({numbers[b]}, {numbers[a]})"
        words = f"{one} = {table[a, b]:g} and {other} = {table[b, a]:g}"
        raise ArgumentValueError(f"bond must be symmetric, got {words}", "bond")
