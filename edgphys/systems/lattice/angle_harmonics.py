# SPDX-License-Identifier: MIT
r"""Energies of one site and of one bond of angles as finite sums of cosines and sines.

    site(x) = sum_r s_r f_r(y) ,   bond(x, x') = sum_rt B_rt f_r(y) f_t(y') ,   y = fold x ,
    f_r(y) = cos(m_r y - phase_r) ,   phase 0 or pi / 2

by the discrete Fourier transform, which is exact up to rounding for functions whose harmonics end before
half the number of nodes, and as good for all that are analytic on a wide enough strip. `fold` is the largest
number by which all harmonics can be divided: 2 for headless rods.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AngleHarmonics", "angle_harmonics"]

_N_NODES, _MOST = 128, 40
# Over the largest coefficient: what is rounding, and what may be left out in all.
_ROUNDING, _LEFT_OUT = 1e-13, 1e-10


@dataclass(frozen=True, eq=False)
class AngleHarmonics:
    """Coefficients of both functions; see the module docstring.

    Attributes
    ----------
    multiples, phases : float64 arrays, shape (n_terms,)
        m_r and phase_r.
    site : float64 array, shape (n_terms,)
    bond : float64 array, shape (n_terms, n_terms)
        Symmetric.
    fold : int
    """

    multiples: NDArray[np.float64]
    phases: NDArray[np.float64]
    site: NDArray[np.float64]
    bond: NDArray[np.float64]
    fold: int

    @property
    def n_axes(self) -> int:
        """Axes singled out: none where all angles may be turned together, one where reflected, else two."""
        is_sine, is_constant = self.phases > 0.0, self.multiples == 0.0
        size = max(float(np.abs(self.bond).max()), float(np.abs(self.site).max()))
        same = (self.multiples[:, None] == self.multiples) & (is_sine[:, None] == is_sine)
        other = self.multiples[:, None] == self.multiples
        by_multiple = np.where(same, self.bond, 0.0).sum(1)
        # cos m(y - y') = cos my cos my' + sin my sin my'.
        turned = np.abs(other @ by_multiple - 2.0 * by_multiple)[~is_constant]
        left = np.abs(np.where(same, 0.0, self.bond)).max(), np.abs(self.site[~is_constant]).max(initial=0.0)
        if max(*left, turned.max(initial=0.0)) <= 100.0 * _ROUNDING * size:
            return 0
        mixed = np.abs(self.bond[is_sine][:, ~is_sine]).max(initial=0.0)
        return 1 if max(mixed, np.abs(self.site[is_sine]).max(initial=0.0)) <= 100.0 * _ROUNDING * size else 2

    def curvature(self, weight: float) -> float:
        """Most of the second derivative by y of ``weight bond + site``, the other angle anywhere."""
        other = np.arange(_N_NODES) * (2.0 * math.pi / _N_NODES)
        coefficients = self.bond @ np.cos(self.multiples[:, None] * other - self.phases[:, None])
        of_bond = self._bounds(coefficients).max()
        return float(weight * of_bond + self._bounds(self.site[:, None])[0])

    def _bounds(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """sum_m m^2 |(a_m, b_m)|, shape (n_terms, n) -> (n,)."""
        squares = np.zeros((int(self.multiples.max()) + 1, coefficients.shape[1]))
        np.add.at(squares, self.multiples.astype(int), coefficients**2)
        multiples = np.arange(len(squares), dtype=np.float64)
        return multiples**2 @ np.sqrt(squares)


def angle_harmonics(site: Callable, bond: Callable) -> AngleHarmonics | None:
    """Of functions of float64 arrays of angles; None if there are too many harmonics, as of a kink.

    Examples
    --------
    >>> found = angle_harmonics(lambda x: 0.0 * x, lambda x, y: -np.cos(2.0 * (x - y)))
    >>> found.fold, found.multiples.tolist(), found.n_axes
    (2, [1.0, 1.0], 0)
    """
    x = np.arange(_N_NODES) * (2.0 * math.pi / _N_NODES)
    multiples = np.arange(_N_NODES // 2)
    every = np.concatenate([multiples, multiples[1:]])
    phases = np.where(np.arange(len(every)) < len(multiples), 0.0, 0.5 * math.pi)
    analysis = np.cos(every[:, None] * x - phases[:, None]) * (2.0 / _N_NODES)
    analysis[0] *= 0.5
    of_site = analysis @ site(x)
    of_bond = analysis @ bond(*np.meshgrid(x, x, indexing="ij")) @ analysis.T
    of_site, of_bond = (
        np.where(np.abs(one) > _ROUNDING * _size(one), one, 0.0) for one in (of_site, of_bond)
    )
    beyond = every > _MOST
    for one in (of_site, of_bond):
        if np.abs(one[beyond]).sum() > _LEFT_OUT * _size(one):
            return None
    kept = ((of_bond != 0.0).any(axis=1) | (of_site != 0.0)) & ~beyond
    if not kept.any():
        kept[0] = True
    fold = math.gcd(*every[kept].tolist()) or 1
    symmetric = 0.5 * (of_bond + of_bond.T)[np.ix_(kept, kept)]
    return AngleHarmonics(every[kept] / fold, phases[kept], of_site[kept], symmetric, fold)


def _size(coefficients: NDArray[np.float64]) -> float:
    """The largest, or an energy so small that nothing is left of it."""
    return max(float(np.abs(coefficients).max()), 1e-300)
