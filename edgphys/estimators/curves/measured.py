# SPDX-License-Identifier: MIT
"""The same configurations as a system sees them at many values of a coupling: energies and observables.

Where the action is linear, weight exp(-a . X) with terms X that do not depend on the coupling
(`edgphys.systems.energy`), everything is measured once, and each coupling costs a product with its own a.
Whether it is, is found out by evaluation: on some configurations at the first, the middle and the last of the
couplings. Else each coupling measures all configurations again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from edgphys.systems.base import AbstractSystem

__all__ = ["Measured"]

_N_CHECKED = 64
_ROUNDING = 1e-9


class Measured:
    """Configurations, to be asked for what a system measures of them.

    Parameters
    ----------
    configurations : array, shape (n_draws, n_variables)
    systems : sequence of AbstractSystem
        One system in the order of its couplings, which span all that is asked for.

    Attributes
    ----------
    is_linear : bool
        Whether measuring once is enough.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> systems = [Ising(lattices.build("chain", (4,)), temperature=t) for t in (1.0, 2.0, 3.0)]
    >>> measured = Measured(np.ones((2, 4)), systems)
    >>> measured.is_linear, measured.at(systems[1])["reduced_energy"].values
    (True, array([-2., -2.]))
    """

    def __init__(self, configurations: NDArray, systems: Sequence[AbstractSystem]) -> None:
        self._configurations = configurations
        some = configurations[:: max(1, len(configurations) // _N_CHECKED)]
        ends = [systems[k] for k in (0, len(systems) // 2, -1)]
        # What not all systems have, as the staggered order where a coupling changes its sign, is left out.
        self._names = set.intersection(*(set(system.measure(some[:1])) for system in ends))
        self.is_linear = _is_linear(some, ends, self._names)
        if self.is_linear:
            self._terms = systems[0].action_terms(configurations)
            measured = systems[0].measure(configurations)
            self._columns = {name: column for name, column in measured.items() if name in self._names}

    def at(self, system: AbstractSystem) -> xr.Dataset:
        """Dim ``draw``: energy, observables and ``reduced_energy``; attrs of the system."""
        if self.is_linear:
            reduced = self._terms @ system.action_coefficients
            columns = {**self._columns, "energy": system.temperature * reduced}
        else:
            columns = {k: v for k, v in system.measure(self._configurations).items() if k in self._names}
            reduced = system.beta * columns["energy"]
        columns["reduced_energy"] = reduced
        return xr.Dataset({name: ("draw", column) for name, column in columns.items()}, attrs=system.attrs())


def _is_linear(configurations: NDArray, systems: Sequence[AbstractSystem], names: set[str]) -> bool:
    first, *others = (_facts(configurations, system, names) for system in systems)
    if not all(_same(energy, action) for energy, action, _ in (first, *others)):
        return False
    return all(_same(first[2], rest) for *_, rest in others)


def _facts(
    configurations: NDArray, system: AbstractSystem, names: set[str]
) -> tuple[NDArray, NDArray, NDArray]:
    """Reduced energies measured and by the terms, and what must be the same at all couplings."""
    columns, terms = system.measure(configurations), system.action_terms(configurations)
    measured = system.beta * columns.pop("energy")
    rest = np.column_stack([terms, *(column for name, column in columns.items() if name in names)])
    return measured, terms @ system.action_coefficients, rest


def _same(a: NDArray, b: NDArray) -> bool:
    return np.allclose(a, b, rtol=_ROUNDING, atol=_ROUNDING)
