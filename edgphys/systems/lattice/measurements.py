# SPDX-License-Identifier: MIT
r"""Observables that every scalar field on a lattice shares, and their definitions.

For one configuration s (spins or a real field) on n_sites = N sites at positions r_x:

    magnetization     m = (1/N) sum_x s_x
    correlator_zero   N m^2
    correlator_min    mean over axes mu of |sum_x s_x exp(i k_mu . r_x)|^2 / N,   k_mu = b_mu / L_mu

with b_mu the reciprocal vectors of the unit cell (a_mu . b_nu = 2 pi delta) and L_mu the extents: the
smallest non-zero momentum along each axis, for lattices periodic along all axes. The second-moment
correlation length is made of the averages of the last two. Sites enter with their true positions. Where the
axes differ there is also

    correlator_min_x, _y, ...   its part along each axis

An antiferromagnet on a lattice of two sublattices has all of them once more, with ``staggered_`` in front: of
s_x eps_x, eps_x = +1 on one sublattice and -1 on the other: at the wave vector of the staggered order.

Of spins with several components m is a vector: ``magnetization`` is its first component, that of the field,
``abs_magnetization`` its length |m|, the powers are |m|^2 and |m|^4, and correlators are sums over the
components.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from edgphys.formulas import AXES, STAGGERED_PREFIX
from edgphys.observables import STAGGERED, definitions
from lattices import Lattice
from lattices.momenta import lattice_momenta, lowest_momenta

__all__ = ["DEFINITIONS", "LatticeObservables", "with_powers"]

_MOMENTS = ("magnetization", "abs_magnetization", "magnetization_2", "magnetization_4", "correlator_zero")
DEFINITIONS: dict[str, str] = definitions(
    (
        *(*_MOMENTS, "correlator_min", "specific_heat", "susceptibility", "binder_cumulant"),
        *("correlation_length", "free_energy", "entropy"),
    )
)


class LatticeObservables:
    """Per-draw observables of flat fields on one lattice; see the module docstring.

    Parameters
    ----------
    lattice : Lattice
        Gives the number of sites and the lowest momenta.
    staggered : bool
        Whether there are staggered ones too; the lattice must have two sublattices.
    waves : bool
        Whether there are correlators at the lowest momenta.

    Attributes
    ----------
    momenta : float64 array, shape (n_axes, n_dims), or None
        k_mu in inverse lattice spacings; None unless all axes are periodic.
    sizes : float64 array, shape (n_axes,)
        Their khat, see `lattices.momenta`; empty unless all axes are periodic.
    correlators : tuple of str
        Names of the correlators at the lowest momenta: none, one, or one and those of the axes.
    signs : int8 array, shape (n_sites,), or None
        eps_x, if staggered.

    Examples
    --------
    >>> import lattices
    >>> observables = LatticeObservables(lattices.build("square", (4, 4)))
    >>> observables(np.ones((1, 16)))["correlator_zero"]
    array([16.])
    """

    def __init__(self, lattice: Lattice, staggered: bool = False, waves: bool = True) -> None:
        self._n_sites = lattice.n_sites
        self.signs = lattice.bipartition if staggered else None
        self.momenta, self.sizes, self.correlators = None, np.empty(0), ()
        if waves and all(lattice.pbc):
            self.momenta, self.sizes = lowest_momenta(lattice), lattice_momenta(lattice)
            differ = not np.allclose(self.sizes, self.sizes[0], rtol=1e-9, equal_nan=True)
            axes = tuple(f"correlator_min_{axis}" for axis in AXES[: lattice.n_axes]) if differ else ()
            self.correlators = ("correlator_min", *axes)
            phase = lattice.positions @ self.momenta.T
            self._waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the result."""
        plain = (*_MOMENTS, *self.correlators)
        return plain if self.signs is None else (*plain, *(STAGGERED_PREFIX + name for name in plain))

    @property
    def definitions(self) -> dict[str, str]:
        """Of the names that not every system on a lattice has."""
        own = set(self.names) - DEFINITIONS.keys()
        return definitions([*sorted(own), *(STAGGERED if self.signs is not None else ())])

    def __call__(self, x: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Per-draw values, float64 arrays (n_batch,) by name, of a float64 array (n_batch, n_sites)."""
        values = self._of(x)
        if self.signs is not None:
            values |= {STAGGERED_PREFIX + name: each for name, each in self._of(x * self.signs).items()}
        return values

    def of_components(self, components: Iterable[NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """Of spins with several components, float64 arrays (n_batch, n_sites), the first along the field.

        Examples
        --------
        >>> import lattices
        >>> observables = LatticeObservables(lattices.build("chain", (4,)))
        >>> measured = observables.of_components([np.full((1, 4), 0.6), np.full((1, 4), 0.8)])
        >>> measured["magnetization"], measured["abs_magnetization"].round(12)
        (array([0.6]), array([1.]))
        """
        first, *others = map(self, components)
        values = {name: sum((one[name] for one in others), each) for name, each in first.items()}
        for prefix in ("", STAGGERED_PREFIX)[: 1 if self.signs is None else 2]:
            square = values[prefix + "magnetization_2"]
            values[prefix + "magnetization"] = first[prefix + "magnetization"]
            values[prefix + "abs_magnetization"] = np.sqrt(square)
            values[prefix + "magnetization_4"] = square**2
        return values

    def _of(self, x: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        values = with_powers({"magnetization": x.mean(axis=1)}, self._n_sites)
        if self.momenta is not None:
            waves = (x @ self._waves) ** 2
            values["correlator_min"] = waves.sum(axis=1) / (self._n_sites * len(self.momenta))
            for axis, name in enumerate(self.correlators[1:]):
                values[name] = waves[:, axis :: len(self.momenta)].sum(axis=1) / self._n_sites
        return values


def with_powers(measured: dict[str, NDArray], n_sites: int) -> dict[str, NDArray]:
    """`measured`, and what follows from the magnetizations in it, unless it was measured itself."""
    values = {}
    for prefix in ("", STAGGERED_PREFIX):
        if prefix + "magnetization" in measured:
            m = measured[prefix + "magnetization"]
            powers = (m, np.abs(m), m**2, m**4, n_sites * m**2)
            values |= {prefix + name: each for name, each in zip(_MOMENTS, powers, strict=True)}
    return values | measured
