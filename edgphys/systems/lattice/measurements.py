# SPDX-License-Identifier: MIT
r"""Observables that every scalar field on a lattice shares, and their definitions.

For one configuration s (spins or a real field) on n_sites = N sites at positions r_x:

    magnetization     m = (1/N) sum_x s_x
    correlator_zero   N m^2
    correlator_min    mean over axes mu of |sum_x s_x exp(i k_mu . r_x)|^2 / N,   k_mu = b_mu / L_mu

with b_mu the reciprocal vectors of the unit cell (a_mu . b_nu = 2 pi delta) and L_mu the extents: the
smallest non-zero momentum along each axis, for lattices periodic along all axes. The second-moment
correlation length is made of the averages of the last two. Sites enter with their true positions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgphys.observables import definitions
from lattices import Lattice

__all__ = ["DEFINITIONS", "LatticeObservables"]

DEFINITIONS: dict[str, str] = definitions(
    (
        *("magnetization", "abs_magnetization", "magnetization_2", "magnetization_4"),
        *("correlator_zero", "correlator_min", "specific_heat", "susceptibility", "binder_cumulant"),
        *("correlation_length", "free_energy"),
    )
)


class LatticeObservables:
    """Per-draw observables of flat fields on one lattice; see the module docstring.

    Parameters
    ----------
    lattice : Lattice
        Gives the number of sites and the lowest momenta.

    Attributes
    ----------
    momenta : float64 array, shape (n_axes, n_dims), or None
        k_mu in inverse lattice spacings; None unless all axes are periodic.

    Examples
    --------
    >>> import lattices
    >>> observables = LatticeObservables(lattices.build("square", (4, 4)))
    >>> observables(np.ones((1, 16)))["correlator_zero"]
    array([16.])
    """

    def __init__(self, lattice: Lattice) -> None:
        self._n_sites = lattice.n_sites
        self.momenta = _lowest_momenta(lattice) if all(lattice.pbc) else None
        if self.momenta is not None:
            phase = lattice.positions @ self.momenta.T
            self._waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the result."""
        moments = ("magnetization", "abs_magnetization", "magnetization_2", "magnetization_4")
        return (*moments, "correlator_zero", *(() if self.momenta is None else ("correlator_min",)))

    def __call__(self, x: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Per-draw values, float64 arrays (n_batch,) by name, of a float64 array (n_batch, n_sites)."""
        m = x.mean(axis=1)
        values = {
            "magnetization": m,
            "abs_magnetization": np.abs(m),
            "magnetization_2": m**2,
            "magnetization_4": m**4,
            "correlator_zero": self._n_sites * m**2,
        }
        if self.momenta is not None:
            power = ((x @ self._waves) ** 2).sum(axis=1)
            values["correlator_min"] = power / (self._n_sites * len(self.momenta))
        return values


def _lowest_momenta(lattice: Lattice) -> NDArray[np.float64]:
    """Reciprocal vectors over extents, shape (n_axes, n_dims)."""
    reciprocal = 2.0 * np.pi * np.linalg.pinv(lattice.basis_vectors).T
    return reciprocal / np.asarray(lattice.extent, dtype=np.float64)[:, None]
