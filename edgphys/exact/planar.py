# SPDX-License-Identifier: MIT
r"""Ising models without field on lattices whose bonds do not cross, exactly, for any couplings.

``H = -sum_<ij> J_ij s_i s_j`` on a lattice in the plane, open or periodic; t_b = tanh(beta J_b). The
high-temperature expansion sums the products of t over all closed polygons P,

    Z = 2^n_sites prod_b cosh(beta J_b) sum_P prod_{b in P} t_b,

and, where no bonds cross, that sum is the root of Kac and Ward's determinant on the directed bonds e,

    sum_P prod t = det(1 - T)^(1/2),      T_ef = t_e exp(i angle(e, f) / 2)    if f leaves where e arrives,

f other than e turned round, the angle from e to f between -pi and pi. Around a periodic axis bonds may change
sign (+ no, - yes), and on a torus, with D the root for each choice,

    sum_P prod t = 1/2 (-D_++ + D_+- + D_-+ + D_--);         a cylinder has D_- alone.

With half of the angle of e as its phase, the matrix is real and skew, and D its Pfaffian: a polynomial in t
whose sign is that of its continuation from t = 0, where D = 1. D_++ changes sign at T_c, for instance. Where
couplings repeat from cell to cell, along one axis or both, the matrix is a block for each momentum; k and -k
share the determinant of one, and only the momenta that are their own opposite have Pfaffians. Energy and
specific heat come from derivatives that are carried along; no differences are taken.

Cost: cube of the number of bonds of a block. Rounding: D is a sum of both signs where bonds are frustrated.
At temperatures far below the couplings little of it is left, and the result is refused.

References
----------
M. Kac and J. C. Ward, Phys. Rev. 88, 1332 (1952), doi:10.1103/PhysRev.88.1332. R. B. Potts and J. C. Ward,
Prog. Theor. Phys. 13, 38 (1955), doi:10.1143/PTP.13.38 (tori). D. Cimasoni, J. Stat. Mech. P07023 (2010),
doi:10.1088/1742-5468/2010/07/P07023, theorem 2.1 (signs).
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgphys.errors import NotExactError
from edgphys.exact.pfaffian import pfaffian, product
from lattices import Lattice
from lattices.crossings import bonds_cross

__all__ = ["can_sum", "ising"]

_MOST_WORK, _MOST_MOMENTA = 2.0**33, 2**18  # seconds of one core
_MOST_ENTRIES = 2**21  # of the blocks at hand at once
_MOST_ERROR = 1e-8  # relative, of Z


def can_sum(lattice: Lattice, bonds: NDArray[np.float64]) -> bool:
    """Whether no bonds cross and the blocks are small enough for seconds of computation.

    Parameters
    ----------
    lattice : Lattice
    bonds : float64 array, shape (n_bonds,)
        J_ij.

    Examples
    --------
    >>> from lattices import build, random_bonds
    >>> kagome, square = build("kagome", (64, 64)), build("square", (32, 32))
    >>> can_sum(kagome, np.ones(kagome.n_bonds)), can_sum(square, random_bonds(square, seed=0))
    (True, False)
    """
    if lattice.n_axes != 2 or lattice.n_cells > _MOST_MOMENTA or bonds_cross(lattice.unit_cell):
        return False
    along = _axes_alike(lattice, _oriented(lattice), bonds)
    n_momenta = math.prod(lattice.extent[axis] for axis in along)
    n_sectors = len(_sector_signs(lattice.pbc))
    return n_sectors * n_momenta * (2.0 * lattice.n_bonds / n_momenta) ** 3 <= _MOST_WORK


def ising(lattice: Lattice, temperature: float, bonds: NDArray[np.float64]) -> dict[str, float]:
    """log Z and moments of the energy of the Ising model without field.

    Parameters
    ----------
    lattice : Lattice
        Of two axes, its bonds not crossing; periodic or open.
    temperature : float
        Positive, k_B = 1.
    bonds : float64 array, shape (n_bonds,)
        J_ij in the order of ``lattice.bonds``.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy``, ``energy`` (all extensive), ``specific_heat`` (per site).

    Raises
    ------
    NotExactError
        If bonds cross, or rounding leaves less than eight digits of Z: a frustrated system that is cold.

    Examples
    --------
    >>> from lattices import build
    >>> torus = build("triangular", (12, 12))
    >>> round(ising(torus, 1.0, -np.ones(torus.n_bonds))["log_z"], 8)
    193.8241461
    """
    if lattice.n_axes != 2 or bonds_cross(lattice.unit_cell):
        raise NotExactError(f"lattice must have two axes and no bonds that cross, got {lattice!r}")
    beta = 1.0 / temperature
    block = _block(lattice, bonds, beta)
    # The sum over polygons, as a series in beta: of all sectors together, with the largest at 1.
    signs = _sector_signs(lattice.pbc)
    sectors = [_sector(block, twists) for twists in signs]
    top = max(one.log_scale for one in sectors)
    sizes = np.array([math.exp(one.log_scale - top) for one in sectors])
    weights = sizes * np.array(list(signs.values()))
    polygons = weights @ np.stack([one.series for one in sectors])
    errors = sizes @ [one.loss * abs(one.series[0]) for one in sectors] * np.finfo(float).eps
    if not polygons[0] > 0.0 or errors > _MOST_ERROR * polygons[0]:
        raise NotExactError(
            f"temperature must be higher for the frustrated couplings of {lattice!r}: "
            f"at {temperature:g} rounding leaves too little of Z"
        )
    size, slope = np.abs(beta * bonds), np.tanh(beta * bonds)
    log_cosh = size + np.log1p(np.exp(-2.0 * size)) - math.log(2.0)
    log_z = lattice.n_sites * math.log(2.0) + log_cosh.sum() + top + math.log(polygons[0])
    first, second = polygons[1] / polygons[0], 2.0 * polygons[2] / polygons[0]
    spread = (bonds**2 * (1.0 - slope**2)).sum() + second - first**2
    return {
        "log_z": float(log_z),
        "free_energy": float(-temperature * log_z),
        "energy": float(-(bonds * slope).sum() - first),
        "specific_heat": max(float(beta**2 * spread), 0.0) / lattice.n_sites,
    }


class _Bonds(NamedTuple):
    """Bonds turned so that all copies of one point the same way.

    First and last site, vector between them, and cells by which the last is beyond the boundary.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    vectors: NDArray[np.float64]
    beyond: NDArray[np.int64]


class _Block(NamedTuple):
    """The skew matrix without the entries that depend on momentum, and what these need.

    Attributes
    ----------
    series : float64 array, shape (3, 2 n, 2 n)
        Coefficients in the change of beta; rows 2 b and 2 b + 1 are bond b along itself and turned round.
    steps : int64 array, shape (n, 2)
        Cells, or turns around the lattice, that a bond goes along each axis.
    n_momenta : tuple of int
        Along each axis; 1 where couplings do not repeat.
    """

    series: NDArray[np.float64]
    steps: NDArray[np.int64]
    n_momenta: tuple[int, ...]


class _Sector(NamedTuple):
    """D for one choice of signs, ``exp(log_scale) * series``; `loss` multiplies the rounding error of D."""

    log_scale: float
    series: NDArray[np.float64]
    loss: float


def _oriented(lattice: Lattice) -> _Bonds:
    first, last = lattice.bonds.astype(np.int64).T.copy()
    vectors = lattice.bond_displacements.copy()
    turn = (vectors[:, 0] < -1e-9) | ((np.abs(vectors[:, 0]) < 1e-9) & (vectors[:, 1] < 0.0))
    first[turn], last[turn] = lattice.bonds[turn, 1], lattice.bonds[turn, 0]
    vectors[turn] *= -1.0
    there = lattice.positions[first] + vectors - lattice.positions[last]
    return _Bonds(
        first, last, vectors, np.rint(there @ np.linalg.inv(lattice.basis_vectors)).astype(np.int64)
    )


def _cell_steps(lattice: Lattice, oriented: _Bonds) -> NDArray[np.int64]:
    """Unit cells from the first to the last site of each bond, shape (n_bonds, 2)."""
    return lattice.cells[oriented.last] + oriented.beyond - lattice.cells[oriented.first]


def _axes_alike(lattice: Lattice, oriented: _Bonds, bonds: NDArray[np.float64]) -> list[int]:
    """Periodic axes along which every cell has the couplings of the one before."""
    if (bonds == bonds[0]).all():
        return [axis for axis, periodic in enumerate(lattice.pbc) if periodic]
    first, last = oriented.first, oriented.last
    ends = lattice.sublattices[first], lattice.sublattices[last]
    of_cell = np.column_stack([*ends, _cell_steps(lattice, oriented)])
    _, kind = np.unique(of_cell, axis=0, return_inverse=True)
    table = np.full((*lattice.extent, kind.max() + 1), np.nan)
    table[(*lattice.cells[first].T, kind.ravel())] = bonds
    return [
        axis
        for axis, periodic in enumerate(lattice.pbc)
        if periodic and np.array_equal(table, np.roll(table, 1, axis), equal_nan=True)
    ]


def _block(lattice: Lattice, bonds: NDArray[np.float64], beta: float) -> _Block:
    oriented = _oriented(lattice)
    along = _axes_alike(lattice, oriented, bonds)
    cells = lattice.cells.astype(np.int64)
    steps, site = oriented.beyond // np.array(lattice.extent), lattice.sublattices.astype(np.int64)
    steps[:, along] = _cell_steps(lattice, oriented)[:, along]
    here = np.ones(lattice.n_bonds, bool)
    for axis, length in enumerate(lattice.extent):
        if axis in along:
            here &= cells[oriented.first, axis] == 0
        else:
            site = site * length + cells[:, axis]
    n = int(here.sum())
    ends = np.stack([site[oriented.last[here]], site[oriented.first[here]]], 1).ravel()
    skew = _turns(oriented.vectors[here], ends)
    # Bonds along themselves carry t = tanh(beta J), turned round 1: their product is what counts.
    coupling = bonds[here]
    t = np.tanh(beta * coupling)
    slope = coupling * (1.0 - t**2)
    factors = np.zeros((3, 2 * n))
    factors[0] = 1.0
    factors[:, ::2] = t, slope, -coupling * t * slope
    pairs = [sum(np.outer(factors[k], factors[order - k]) for k in range(order + 1)) for order in range(3)]
    n_momenta = tuple(lattice.extent[axis] if axis in along else 1 for axis in range(2))
    return _Block(-skew * np.stack(pairs), steps[here], n_momenta)


def _turns(vectors: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Signs of the passages from one directed bond to another, turned round: skew, shape (2 n, 2 n).

    exp(i angle(e, f) / 2) between bonds of directions a and a', over exp(i (a' - a) / 2), is a sign.
    """
    directions = np.repeat(np.arctan2(vectors[:, 1], vectors[:, 0]), 2)
    directions[1::2] += np.pi
    turned = directions.reshape(-1, 2)[:, ::-1].ravel()
    difference = turned[None, :] - directions[:, None]
    signs = 1.0 - 2.0 * (np.rint(difference / (2.0 * np.pi)) % 2)
    signs[:, 1::2] *= -1.0
    meets = ends[:, None] == ends[None, :]
    np.fill_diagonal(meets, False)
    return np.where(meets, signs, 0.0)


def _sector_signs(pbc: tuple[bool, ...]) -> dict[tuple[int, ...], float]:
    """Factor of D for each choice of periodic axes (1) around which bonds change sign."""
    if all(pbc):
        return {(0, 0): -0.5, (0, 1): 0.5, (1, 0): 0.5, (1, 1): 0.5}
    return {tuple(int(periodic) for periodic in pbc): 1.0}


def _sector(block: _Block, twists: tuple[int, ...]) -> _Sector:
    """D as the product over momenta, pi (2 r + twist) / n along each axis."""
    n_momenta = np.array(block.n_momenta)
    axes = [2 * np.arange(n) + twist for n, twist in zip(n_momenta, twists, strict=True)]
    momenta = np.array(list(itertools.product(*axes)))
    opposite = -momenta % (2 * n_momenta)
    own = (momenta == opposite).all(1)
    # Of k and -k, one.
    number, of_opposite = (one @ [2 * n_momenta[1], 1] for one in (momenta, opposite))
    log_scale, series, loss = _of_pairs(block, momenta[number < of_opposite])
    for momentum in momenta[own]:
        phases = np.rint(_phases(block, momentum[None])[0].real)
        log, one, lost = pfaffian(_with_phases(block.series, phases))
        series, loss = product(series, one * np.prod(-phases)), math.hypot(loss, lost)
        log_scale += log
    return _Sector(log_scale, series, loss)


def _phases(block: _Block, momenta: NDArray[np.int64]) -> NDArray[np.complex128]:
    return np.exp(1j * np.pi * (momenta / np.array(block.n_momenta)) @ block.steps.T)


def _with_phases(series: NDArray, phases: NDArray) -> NDArray:
    """The whole matrix, coefficients (3, ..., 2 n, 2 n), for phases (..., n) of the bonds."""
    along = np.arange(0, series.shape[-1], 2)
    full = np.empty((3, *phases.shape[:-1], *series.shape[1:]), phases.dtype)
    full[:] = series.reshape(3, *[1] * (phases.ndim - 1), *series.shape[1:])
    full[0, ..., along, along + 1] -= np.moveaxis(phases.conj(), -1, 0)
    full[0, ..., along + 1, along] += np.moveaxis(phases, -1, 0)
    return full


def _of_pairs(block: _Block, momenta: NDArray[np.int64]) -> tuple[float, NDArray[np.float64], float]:
    """Logarithm, series and loss of the product of determinants over `momenta`."""
    log_scale, sign, first, second, loss = 0.0, 1.0, 0.0, 0.0, 0.0
    at_once = max(1, _MOST_ENTRIES // block.series[0].size)
    for start in range(0, len(momenta), at_once):
        full = _with_phases(block.series, _phases(block, momenta[start : start + at_once]))
        signs, logs = np.linalg.slogdet(full[0])
        inverse = np.linalg.inv(full[0])
        slope = inverse @ full[1]
        log_scale, sign = log_scale + float(logs.sum()), sign * float(np.prod(signs.real))
        first += float(np.trace(slope, axis1=-2, axis2=-1).real.sum())
        bend = np.einsum("kab,kba->", inverse, full[2]) - 0.5 * np.einsum("kab,kba->", slope, slope)
        second += float(bend.real)
        loss += float((np.abs(inverse).max(axis=(-2, -1)) ** 2).sum())
    return log_scale, sign * np.array([1.0, first, second + 0.5 * first**2]), math.sqrt(loss)
