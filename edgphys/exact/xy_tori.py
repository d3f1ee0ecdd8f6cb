# SPDX-License-Identifier: MIT
r"""The XY model on narrow tori without field, exactly, by the expansion of every bond in waves.

    exp(K cos(theta_i - theta_j)) = sum_n I_n(K) e^{in(theta_i - theta_j)}

The angles integrate to 1 where the integers n, currents on the bonds, flow without source or sink:

    Z = (2 pi)^N sum_currents prod_bonds I_n(K).

A transfer matrix leads from the currents n_1 .. n_w across one row of w sites to those of the next; the ones
within the row are known up to one that goes around. The current through the torus, sum_j n_j, is conserved
and divides the matrix into blocks; so do twists, under which a current has the phase e^{ind}. Currents whose
weight is below `_CUT` of the largest are left out: what they add is below 1e-10.

References
----------
Banks, Myerson and Kogut, Nucl. Phys. B 129, 493 (1977), doi:10.1016/0550-3213(77)90129-8 (currents).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from edgphys.errors import NotExactError
from edgphys.exact.matrix_series import series_power, series_product
from edgphys.exact.rotor_chains import cylinder_waves

__all__ = ["can_sum", "torus"]

_CUT = 1e-12
# Currents that a row may have; their number grows with beta.
_MOST_CURRENTS = 8_000
_WIDTH, _LARGEST = 3, 64


def can_sum(extent: tuple[int, int], strengths: tuple[float, float]) -> bool:
    """Whether a torus of these extents and K along each axis is narrow and warm enough."""
    if max(extent) > _LARGEST or min(extent) != _WIDTH or max(strengths) > 20.0:
        return False
    short = int(np.argmin(extent))
    return len(_row_currents(extent[short], abs(strengths[1 - short]))) <= _MOST_CURRENTS


def torus(extent: tuple[int, int], temperature: float, couplings: tuple[float, float]) -> dict[str, float]:
    """Results of the XY model on a square torus.

    Parameters
    ----------
    extent : tuple of int
        Sites along x and y, the smaller 3, the larger at most 64.
    temperature : float
        Positive, k_B = 1.
    couplings : tuple of float
        J along x and y; their signs must not frustrate a loop, and are then of no effect.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy``, ``energy``, ``specific_heat``, ``magnetization`` (0), ``helicity_modulus``
        and ``helicity_modulus_x``, ``helicity_modulus_y``.

    Raises
    ------
    NotExactError
        If there are too many currents.

    Examples
    --------
    >>> exact = torus((3, 3), 1.0, (1.0, 0.0))      # three rings of three
    >>> from edgphys.exact.rotor_chains import chain
    >>> abs(exact["log_z"] - 3 * chain(2, 1.0, np.ones(3), is_ring=True)["log_z"]) < 1e-10
    True
    """
    beta = 1.0 / temperature
    strengths = beta * abs(couplings[0]), beta * abs(couplings[1])
    if not can_sum(extent, strengths):
        raise NotExactError(f"lattice must be narrow and warm for a sum over currents, got {extent}")
    short = int(np.argmin(extent))
    across, along = (abs(couplings[a]) for a in (short, 1 - short))
    width, length, n = extent[short], extent[1 - short], extent[0] * extent[1]
    by_beta, by_turn, through = np.zeros(3), np.zeros(3), 0.0
    for flow, of_beta, of_twist in _blocks((width, length), beta, across, along):
        partners = 1.0 if flow == 0 else 2.0
        traces = [
            np.array([np.trace(one) for one in series_power(each, length)]) for each in (of_beta, of_twist)
        ]
        by_beta += partners * traces[0]
        by_turn += partners * traces[1]
        through += partners * flow**2 * traces[0][0]
    log_z = n * (math.log(2.0 * math.pi) + beta * (across + along)) + math.log(by_beta[0])
    first, second = by_beta[1] / by_beta[0], 2.0 * by_beta[2] / by_beta[0]
    # A twist along the torus has the phase e^{i flow length d}; the one across is the series.
    moduli = {1 - short: length**2 * through / by_beta[0], short: 2.0 * by_turn[2] / by_turn[0]}
    moduli = {axis: temperature * value / n for axis, value in moduli.items()}
    results = {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": -first,
        "specific_heat": beta**2 * (second - first**2) / n,
        "magnetization": 0.0,
        "helicity_modulus": 0.5 * (moduli[0] + moduli[1]),
        "helicity_modulus_x": moduli[0],
        "helicity_modulus_y": moduli[1],
    }
    return {name: float(value) for name, value in results.items()}


def _row_currents(width: int, strength: float) -> NDArray[np.int64]:
    """Currents across a row whose weight is above the cut, shape (n, width)."""
    ratios = cylinder_waves(strength, 0.0, 60)[0][60:]
    ratios = ratios / ratios[0]
    top = int((ratios > _CUT).sum()) - 1
    every = np.array(list(itertools.product(range(-top, top + 1), repeat=width)), dtype=np.int64)
    return every[ratios[np.abs(every)].prod(axis=1) > _CUT]


def _blocks(
    extent: tuple[int, int], beta: float, across: float, along: float
) -> Iterator[tuple[int, list[NDArray], list[NDArray]]]:
    """Flow, and the matrices of a row as series in beta and in the twist across, for flows of 0 and more."""
    width, length = extent
    currents = _row_currents(width, beta * along)
    n_max = int(np.abs(currents).max(initial=0))
    vertical = cylinder_waves(beta * along, along, n_max)
    weights = _of_all(vertical, n_max + currents)
    for flow in range(int(currents.sum(axis=1).max(initial=0)) + 1):
        mine = np.flatnonzero(currents.sum(axis=1) == flow)
        if weights[0, mine].max(initial=0.0) ** length < _CUT * weights[0].max() ** length:
            break
        of_beta, of_twist = _row_sums(currents[mine], beta * across, across)
        own = weights[:, None, mine]
        yield flow, series_product(own, of_beta), [own[0] * one for one in of_twist]


def _of_all(waves: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Products of the series of waves at the places of each row, (3, n_rows)."""
    product = waves[:, places[:, 0]]
    for column in places.T[1:]:
        product = np.stack(series_product(product, waves[:, column]))
    return product


def _row_sums(currents: NDArray[np.int64], strength: float, slope: float) -> tuple[NDArray, NDArray]:
    """Sums over the current around the row, (3, n, n): series in beta, and in i d, d the twist of a bond."""
    n_top = 60
    waves = cylinder_waves(strength, slope, n_top)
    gains = currents[:, None, :] - currents[None, :, :]
    steps = np.cumsum(gains, axis=2)
    # What goes around only matters near zero: each bond has its weight.
    ratios = waves[0][n_top:] / waves[0][n_top]
    reach = int((ratios > _CUT).sum())
    of_beta, of_twist = (np.zeros((3, *steps.shape[:2])) for _ in range(2))
    for around in range(
        -reach - int(np.abs(steps).max(initial=0)), reach + int(np.abs(steps).max(initial=0)) + 1
    ):
        flows = around + steps
        inside = np.abs(flows).max(axis=2) <= reach
        if not inside.any():
            continue
        rows = flows[inside]
        term = _of_all(waves, n_top + rows)
        total = rows.sum(axis=1)
        of_beta[:, inside] += term
        of_twist[0][inside] += term[0]
        of_twist[1][inside] += total * term[0]
        of_twist[2][inside] += 0.5 * total**2 * term[0]
    return of_beta, of_twist
