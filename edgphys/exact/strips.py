# SPDX-License-Identifier: MIT
r"""Ising model on strips, exactly, by transfer matrices: in a field, with the law of the magnetization.

The lattice is cut into rows across its longest axis, of at most 8 spins each (a torus of width 8, square or
triangular; four cells of a honeycomb lattice). With B the weight of a row on its own and W that of the bonds
between two rows,

    Z(theta) = < exp(i theta M) > Z = Tr [W B e^{i theta M_row}]^L      or, with ends,  1^T B (W B)^{L-1} 1 .

Z(theta) at n_sites + 1 angles gives the law of M by a Fourier transform, and so <|m|> and all moments; <H>
and its variance are derivatives in beta, carried along as power series. Translations around the row divide
the matrices into blocks, which do not depend on theta. All is exact to rounding, which is absolute: what is
below 1e-10 of the largest (a variance deep in the ordered phase) has lost its digits.

References
----------
H. A. Kramers and G. H. Wannier, Phys. Rev. 60, 252 (1941), doi:10.1103/PhysRev.60.252.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from edgphys._checks import finite, positive
from edgphys.errors import NotExactError
from edgphys.exact.matrix_series import series_power
from edgphys.exact.ratios import binder_cumulant, second_moment_length
from lattices import Lattice
from lattices.momenta import lattice_momenta, lowest_momenta
from lattices.rows import MAX_OPEN_ROW, MAX_ROW, MAX_SITES, can_contract, longest_axis, turning_axis

__all__ = ["MAX_ROW", "MAX_SITES", "can_contract", "ising"]

_LOST = 1e-10


class _Strip(NamedTuple):
    """Rows of a lattice: energies of a row and between two rows for J = 1, magnetizations, blocks."""

    n_rows: int
    is_ring: bool
    spins: np.ndarray
    within: np.ndarray
    between: np.ndarray
    sectors: list[np.ndarray]


def ising(
    lattice: Lattice, temperature: float, coupling: float = 1.0, field: float = 0.0
) -> dict[str, float]:
    """All estimates of the Ising model on a strip.

    Parameters
    ----------
    lattice : Lattice
        Rows across its longest axis of at most 8 sites (6 if open), at most 1024 sites.
    temperature : float
        Positive, k_B = 1.
    coupling, field : float
        J and h, of either sign.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.enumeration.ising`, without the staggered ones.

    Raises
    ------
    NotExactError
        If the lattice has longer rows or more sites.
    ValueError, TypeError
        If a number is out of range.

    Examples
    --------
    >>> from lattices import build
    >>> exact = ising(build("square", (8, 8)), temperature=2.269185314213022)
    >>> round(exact["log_z"], 8), round(exact["abs_magnetization"], 8)
    (60.14178079, 0.77733109)
    """
    if not can_contract(lattice):
        raise NotExactError(
            f"lattice must have rows of at most {MAX_ROW} sites ({MAX_OPEN_ROW} if open) across its longest "
            f"axis and {MAX_SITES} sites, got {lattice!r}"
        )
    beta = 1.0 / positive(temperature, "temperature")
    coupling, field = finite(coupling, "coupling"), finite(field, "field")
    strip, n = _rows(lattice), lattice.n_sites
    within = -coupling * strip.within - field * strip.spins.sum(axis=1)
    log_z, energy, variance = _thermal(strip, beta, within, -coupling * strip.between)
    total, law = _law_of_magnetization(strip, beta, within, -coupling * strip.between, n)
    mean = 0.0 if field == 0.0 else float(law @ total)
    second = float(law @ (total - mean) ** 2)
    zero = (second if second > _LOST * n * n else math.nan) / n
    result = {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": energy,
        "specific_heat": variance * beta**2 / n,
        "magnetization": mean / n,
        "abs_magnetization": float(law @ np.abs(total)) / n,
        "susceptibility": beta * zero,
        "binder_cumulant": binder_cumulant(float(law @ total**2) / n**2, float(law @ total**4) / n**4),
    }
    if all(lattice.pbc):
        lowest = _lowest_correlators(strip, lattice, beta, within, -coupling * strip.between)
        lost = not lowest.min() > _LOST * zero
        momenta = lattice_momenta(lattice)
        result["correlation_length"] = math.nan if lost else second_moment_length(zero, lowest, momenta)
    return result


def _rows(lattice: Lattice) -> _Strip:
    along = longest_axis(lattice)
    row_of = lattice.cells[:, along]
    place = np.empty(lattice.n_sites, np.int64)
    for row in range(lattice.extent[along]):
        place[row_of == row] = np.arange(lattice.n_sites // lattice.extent[along])
    n_spins = int(place.max()) + 1
    spins = 1.0 - 2.0 * ((np.arange(1 << n_spins)[:, None] >> np.arange(n_spins)) & 1)
    pairs, ends = lattice.bonds, row_of[lattice.bonds]
    inside = place[pairs[np.all(ends == 0, axis=1)]]
    within = (spins[:, inside[:, 0]] * spins[:, inside[:, 1]]).sum(axis=1)
    upward = place[pairs[np.all(ends == (0, 1), axis=1)]]
    downward = place[pairs[np.all(ends == (1, 0), axis=1)]][:, ::-1]
    table = np.zeros((n_spins, n_spins))
    np.add.at(table, tuple(np.concatenate([upward, downward]).T), 1.0)
    turned = _turned(lattice, along, n_spins)
    return _Strip(
        lattice.extent[along], lattice.pbc[along], spins, within, spins @ table @ spins.T, _sectors(turned)
    )


def _turned(lattice: Lattice, along: int, n_spins: int) -> np.ndarray:
    """Number of the row state that a step along a periodic axis of the row makes of each."""
    states = np.arange(1 << n_spins)
    axis = turning_axis(lattice)
    if axis is None:
        return states
    number = sum(lattice.pbc[:axis])
    first = np.flatnonzero(lattice.cells[:, along] == 0)
    place = {int(site): k for k, site in enumerate(first)}
    moved = [place[int(site)] for site in lattice.translation_generators[number][first]]
    return sum((((states >> k) & 1) << moved[k] for k in range(n_spins)), np.zeros_like(states))


def _sectors(turned: np.ndarray) -> list[np.ndarray]:
    """Orthonormal bases of the eigenspaces of a permutation of states, one per momentum, as columns."""
    orbits, seen = [], np.zeros(len(turned), bool)
    for state in range(len(turned)):
        orbit = []
        while not seen[state]:
            seen[state] = True
            orbit.append(state)
            state = int(turned[state])
        if orbit:
            orbits.append(orbit)
    period = math.lcm(*(len(orbit) for orbit in orbits))
    sectors = []
    for momentum in range(period):
        columns = []
        for orbit in orbits:
            if momentum * len(orbit) % period == 0:
                column = np.zeros(len(turned), complex)
                column[orbit] = (
                    np.exp(2j * np.pi * momentum * np.arange(len(orbit)) / period) / len(orbit) ** 0.5
                )
                columns.append(column)
        if columns:
            sectors.append(np.stack(columns, axis=1))
    return sectors


def _scaled(beta: float, energies: np.ndarray) -> tuple[np.ndarray, float]:
    """exp(-beta E) over its largest, and the logarithm of that."""
    top = float((-beta * energies).max())
    return np.exp(-beta * energies - top), top


def _thermal(
    strip: _Strip, beta: float, within: np.ndarray, between: np.ndarray
) -> tuple[float, float, float]:
    """log Z, <H> and its variance: log Z(beta + x) to the second order in x."""
    low = float(within.min()), float(between.min())  # energies count from the lowest: no large cancellations
    rows, links = within - low[0], between - low[1]
    own, mixed = np.exp(-beta * rows), np.exp(-beta * links)
    row = [own, -rows * own, 0.5 * rows**2 * own]
    link = [mixed, -links * mixed, 0.5 * links**2 * mixed]
    step = [sum((link[j] * row[k - j] for j in range(k + 1)), np.zeros(())) for k in range(3)]
    n_links = strip.n_rows if strip.is_ring else strip.n_rows - 1
    scale = float(step[0].sum(axis=1).max())
    power = series_power([one / scale for one in step], n_links)
    if strip.is_ring:
        z = [float(np.trace(one)) for one in power]
    else:
        z = [sum(float(row[j] @ power[k - j].sum(axis=1)) for j in range(k + 1)) for k in range(3)]
    shift = low[0] * strip.n_rows + low[1] * n_links
    first, second = z[1] / z[0], z[2] / z[0]
    log_z = math.log(z[0]) + n_links * math.log(scale) - beta * shift
    return log_z, shift - first, max(2.0 * second - first**2, 0.0)


def _law_of_magnetization(
    strip: _Strip, beta: float, within: np.ndarray, between: np.ndarray, n_sites: int
) -> tuple[np.ndarray, np.ndarray]:
    """Values of M and their probabilities, each of shape (n_sites + 1,)."""
    row, link = _scaled(beta, within)[0], _scaled(beta, between)[0]
    up = 0.5 * (strip.spins.sum(axis=1) + strip.spins.shape[1])  # spins up in a row, M = 2 up - n
    angles = 2.0 * np.pi * np.arange((n_sites + 1) // 2 + 1) / (n_sites + 1)
    total = np.zeros(len(angles), complex)
    scale = float((link * row).sum(axis=1).max())
    sectors = strip.sectors if strip.is_ring else strip.sectors[:1]  # ends are uniform: momentum 0
    for basis in sectors:
        # The phases are those of an orbit: its first state tells.
        members = np.abs(basis).argmax(axis=0)
        block = basis.conj().T @ (link * row / scale) @ basis
        phases = np.exp(1j * angles[:, None] * up[members])
        step = block * phases[:, None, :]
        power = series_power([step], strip.n_rows if strip.is_ring else strip.n_rows - 1)[0]
        if strip.is_ring:
            total += np.trace(power, axis1=1, axis2=2)
        else:
            ends = basis.conj().T @ np.ones(len(row))
            first = (basis.conj().T @ row) * phases
            total += np.einsum("ta,tab,b->t", first, power, ends)
    # The law is real: the other half of the angles has the conjugate values.
    law = np.fft.irfft(total.conj(), n_sites + 1)
    law = np.maximum(law, 0.0)
    return 2.0 * np.arange(n_sites + 1) - n_sites, law / law.sum()


def _lowest_correlators(
    strip: _Strip, lattice: Lattice, beta: float, within: np.ndarray, between: np.ndarray
) -> np.ndarray:
    """<|sum_x s_x exp(i k.r_x)|^2> / n_sites at the lowest momentum of each axis of a torus."""
    along = longest_axis(lattice)
    step = _scaled(beta, between)[0] * _scaled(beta, within)[0]
    step /= np.abs(np.linalg.eigvals(step)).max()
    powers = [np.eye(len(step))]
    for _ in range(strip.n_rows):
        powers.append(powers[-1] @ step)
    z = float(np.trace(powers[-1]))
    first = lattice.positions[lattice.cells[:, along] == 0]
    values = []
    for k in lowest_momenta(lattice):
        wave = strip.spins @ np.exp(1j * first @ k)
        turn = k @ lattice.basis_vectors[along]
        apart = [
            wave.conj() @ (powers[r] * powers[strip.n_rows - r].T) @ wave * np.exp(1j * turn * r) / z
            for r in range(strip.n_rows)
        ]
        values.append(float(np.sum(apart).real) * strip.n_rows / lattice.n_sites)
    return np.array(values)
