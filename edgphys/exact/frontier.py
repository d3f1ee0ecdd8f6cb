# SPDX-License-Identifier: MIT
r"""Finitely many states per site, exactly, site after site: transfer matrices for any graph.

    Ising    H = -sum_<ij> J_ij s_i s_j - sum_i h_i s_i
    states   E = sum_<ij> w_ij bond[s_i, s_j] + sum_i site_i[s_i],        s_i = 0 .. q - 1

Sites are added row by row. Those that still have neighbours to come are the frontier; for each of its q^f
states the arrays hold the weight of all that is behind it, and the mean and variance of the energy, of M =
sum_i s_i and of the lowest waves there. A site whose neighbours are all there is summed over, by the laws of
total mean and variance: only positive terms are added, at any temperature. A strip of width w, open along its
length, has f = w + 1; a torus 2 w + 1, since its first row stays. The law of M of an Ising model, and so
<|M|> and <M^4>, is carried along as one more axis where that is not too long.

Exact to rounding. Cost: n_sites q^f, for each component of the order, and n_sites^2 2^f for the law.

References
----------
H. A. Kramers and G. H. Wannier, Phys. Rev. 60, 252 (1941), doi:10.1103/PhysRev.60.252. Dechter, Artificial
Intelligence 113, 41 (1999) (elimination along any order).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgphys.errors import NotExactError
from edgphys.exact.enumeration import order_estimates, wave_rows
from edgphys.exact.ratios import second_moment_length
from lattices import Lattice
from lattices.momenta import lattice_momenta

__all__ = ["MOST_WIDTH", "can_sum", "has_law", "ising", "states"]

# Spins of the frontier, and sites, that `can_sum` allows; states visited in all, and with those of the law.
MOST_WIDTH, _MOST_SITES = 19, 4096
_MOST_STATES, _MOST_OF_LAW = 2.0**27, 2.0**30
# 2^24 states take minutes and gigabytes.
_WIDEST = 24
_SPIN = np.array([1.0, -1.0])
_PAIR = -np.outer(_SPIN, _SPIN)


def can_sum(lattice: Lattice, n_states: int = 2) -> bool:
    """Whether the frontier is narrow enough, and the lattice not too large, for seconds of computation.

    Sites have `n_states` states, and an order parameter of ``n_states - 1`` components at most.

    Examples
    --------
    >>> from lattices import build
    >>> can_sum(build("square", (8, 8))), can_sum(build("square", (12, 40), False))
    (True, True)
    >>> can_sum(build("square", (10, 10)))
    False
    """
    if lattice.n_sites > _MOST_SITES:
        return False
    width = _width(lattice)  # infinite where no frontier is narrow enough
    if width * math.log2(n_states) > MOST_WIDTH:
        return False
    return lattice.n_sites * (n_states - 1) * float(n_states) ** width <= _MOST_STATES


def has_law(lattice: Lattice) -> bool:
    """Whether the law of the magnetization is calculated too."""
    return lattice.n_sites**2 * 2.0 ** _width(lattice) <= _MOST_OF_LAW


def ising(
    lattice: Lattice,
    temperature: float,
    bonds: NDArray[np.float64],
    sites: NDArray[np.float64],
    *,
    staggered: bool = False,
) -> dict[str, float]:
    """All estimates of the Ising model with given couplings and fields.

    Parameters
    ----------
    lattice : Lattice
    temperature : float
        Positive, k_B = 1.
    bonds, sites : float64 arrays, shapes (n_bonds,) and (n_sites,)
        J_ij in the order of ``lattice.bonds``, and h_i.
    staggered : bool
        Whether to give the staggered order too; the lattice must have two sublattices.

    Returns
    -------
    dict of float
        Names as in `edgphys.exact.enumeration.ising`; without ``abs_magnetization`` and ``binder_cumulant``
        where not `has_law`.

    Raises
    ------
    NotExactError
        If the frontier is wider than 24 spins.

    Examples
    --------
    >>> from lattices import build
    >>> square = build("square", (8, 8))
    >>> exact = ising(square, 2.269185314213022, np.ones(128), np.zeros(64))
    >>> round(exact["log_z"], 8), round(exact["abs_magnetization"], 8)
    (60.14178079, 0.77733109)
    """
    if _width(lattice) > _WIDEST:
        raise NotExactError(
            f"lattice must have at most {_WIDEST} sites that separate what is summed from what is not, got "
            f"more in {lattice!r}"
        )
    signs = [np.ones(lattice.n_sites), *([np.asarray(lattice.bipartition, float)] if staggered else [])]
    waves = wave_rows(lattice)
    rows = np.concatenate([np.concatenate([one[None], waves * one]) for one in signs])
    energies = _PAIR, bonds, -sites[:, None] * _SPIN
    log_z, means, variances = _moments(lattice, 1.0 / temperature, energies, rows[..., None] * _SPIN)
    result = {
        "log_z": log_z,
        "free_energy": -temperature * log_z,
        "energy": float(means[0]),
        "specific_heat": float(variances[0]) / (temperature**2 * lattice.n_sites),
    }
    for k, name in enumerate(("", "staggered_")[: len(signs)]):
        first = 1 + k * (1 + len(waves))
        powers = (variances + means**2)[first + 1 : first + 1 + len(waves)].reshape(-1, 2).sum(1)
        law = _law(lattice, 1.0 / temperature, bonds, sites, signs[k]) if has_law(lattice) else None
        of_order = (float(means[first]), float(variances[first])), law, powers
        part = _order(lattice, temperature, *of_order, vanishes=not sites.any())
        result |= {name + key: value for key, value in part.items()}
    return result


def states(
    lattice: Lattice,
    temperature: float,
    bond: NDArray[np.float64],
    site: NDArray[np.float64],
    weights: NDArray[np.float64] | None,
    vectors: NDArray[np.float64],
    *,
    staggered: bool = False,
    vanishes: bool = False,
) -> dict[str, float]:
    """Estimates of a system of finitely many states; arguments as of `edgphys.exact.states.enumerated`.

    Returns
    -------
    dict of float
        ``log_z``, ``free_energy``, ``energy``, ``specific_heat``, ``magnetization``, ``susceptibility`` and,
        on lattices periodic along all axes, ``correlation_length``; the last three of the staggered order,
        too, if asked for.

    Raises
    ------
    NotExactError
        If the frontier has more than 2^24 states.

    Examples
    --------
    >>> from lattices import build
    >>> exact = states(build("chain", (40,)), 1.0, -np.eye(3), np.zeros(3), None, np.eye(3))
    >>> bool(np.isclose(exact["log_z"], np.log((np.e + 2) ** 40 + 2 * (np.e - 1) ** 40)))
    True
    """
    q = len(bond)
    if _width(lattice) * math.log2(q) > _WIDEST:
        most = int(_WIDEST / math.log2(q))
        words = f"lattice must have at most {most} sites of {q} states that separate what is summed from what"
        raise NotExactError(f"{words} is not, got more in {lattice!r}")
    n, waves = lattice.n_sites, wave_rows(lattice)
    energies = bond, np.ones(lattice.n_bonds) if weights is None else weights, np.broadcast_to(site, (n, q))
    signs = [np.ones(n), *([np.asarray(lattice.bipartition, float)] if staggered else [])]
    result, mean_of = {}, np.zeros(len(signs))
    spread, lowest = np.zeros(len(signs)), np.zeros((len(signs), len(waves)))
    for k, component in enumerate(vectors.T):
        rows = np.concatenate([np.concatenate([one[None], waves * one]) for one in signs])
        moments = _moments(lattice, 1.0 / temperature, energies, rows[..., None] * component)
        log_z, (energy, *means), (energy_spread, *variances) = moments
        means, variances = (np.reshape(one, (len(signs), -1)) for one in (means, variances))
        mean_of = means[:, 0] if k == 0 else mean_of
        spread += variances[:, 0]
        lowest += (variances + means**2)[:, 1:]
        result |= {"log_z": log_z, "free_energy": -temperature * log_z, "energy": float(energy)}
        result |= {"specific_heat": float(energy_spread) / (temperature**2 * n)}
    for k, name in enumerate(("", "staggered_")[: len(signs)]):
        zero = vanishes or (k == 1 and lattice.sublattices_alike)
        result[name + "magnetization"] = 0.0 if zero else float(mean_of[k]) / n
        result[name + "susceptibility"] = float(spread[k]) / (n * temperature)
        if len(waves):
            powers = lowest[k].reshape(-1, 2).sum(1) / n
            length = second_moment_length(float(spread[k]) / n, powers, lattice_momenta(lattice))
            result[name + "correlation_length"] = length
    return result


def _order(lattice, temperature, moments, law, powers, *, vanishes: bool) -> dict[str, float]:
    """Estimates of a magnetization from mean and variance of M, its law and the powers of the waves."""
    n = lattice.n_sites
    if law is None:
        values, p = np.array([moments[0]]), np.ones(1)
    else:
        values, p = 2.0 * np.arange(n + 1) - n, law
    table = np.stack([values, np.abs(values), values**2, values**4])
    if law is None:
        table[2] += moments[1]
    result = order_estimates(p, table, powers, lattice, temperature, vanishes=vanishes)
    if law is None:
        del result["abs_magnetization"], result["binder_cumulant"]
    return result


class _Step(NamedTuple):
    """A site that is added: spins of the frontier with it, (axis, bond) of its bonds, axes to be summed."""

    site: int
    n: int
    back: list[tuple[int, int]]
    done: list[int]


@functools.lru_cache(maxsize=64)
def _steps(lattice: Lattice) -> tuple[_Step, ...]:
    """Rows across the axis that leaves the narrowest frontier; none where all are too wide."""
    every = [_steps_along(lattice, axis) for axis in range(lattice.n_axes)]
    return min(filter(None, every), key=lambda steps: max(one.n for one in steps), default=())


def _steps_along(lattice: Lattice, along: int) -> tuple[_Step, ...]:
    cells, steps = lattice.cells, []
    within = [cells[:, axis] for axis in reversed(range(lattice.n_axes)) if axis != along]
    around: list[list[tuple[int, int]]] = [[] for _ in range(lattice.n_sites)]
    for number, (i, j) in enumerate(lattice.bonds.tolist()):
        around[i].append((j, number))
        around[j].append((i, number))
    missing = [len(each) for each in around]
    frontier: list[int] = []
    for site in np.lexsort((lattice.sublattices, *within, cells[:, along])).tolist():
        frontier.append(site)
        if len(frontier) > _WIDEST:
            return ()
        back = [(frontier.index(j), number) for j, number in around[site] if j in frontier]
        for j, _ in around[site]:
            missing[j] -= 1
        # A site may go when it is there itself and all its neighbours are.
        done = [axis for axis, one in enumerate(frontier) if missing[one] == 0]
        steps.append(_Step(site, len(frontier), back, done))
        frontier = [one for axis, one in enumerate(frontier) if axis not in done]
    return tuple(steps)


def _width(lattice: Lattice) -> float:
    """Most spins of the frontier; infinite where there are too many."""
    return max((step.n for step in _steps(lattice)), default=math.inf)


def _on_axis(values: NDArray, axis: int, n: int) -> NDArray:
    """A vector along one of n axes."""
    return values.reshape([len(values) if k == axis else 1 for k in range(n)])


def _step_energy(n: int, back: list[tuple[int, int]], energies: tuple, site: int) -> NDArray:
    """Energy that the last of n sites brings, broadcastable to (q,) * n."""
    bond, weights, sites = energies
    total = _on_axis(sites[site], n - 1, n)
    for axis, number in back:
        shape = [len(bond) if k in (axis, n - 1) else 1 for k in range(n)]
        total = total + weights[number] * bond.reshape(shape)
    return total


def _moments(lattice: Lattice, beta: float, energies: tuple, rows: NDArray) -> tuple[float, NDArray, NDArray]:
    """log Z, means and variances of E and of each sum_i rows[k, i, s_i], shapes (1 + n_rows,).

    `energies` are the table of one bond, (q, q), the weights of the bonds, and the tables of the sites,
    (n_sites, q).
    """
    q = len(energies[0])
    log_z, weight = 0.0, np.ones(())
    mean, variance = np.zeros(1 + len(rows)), np.zeros(1 + len(rows))
    for site, n, back, done in _steps(lattice):
        energy = _step_energy(n, back, energies, site)
        lowest = float(energy.min())
        weight = weight[..., None] * np.exp(-beta * (energy - lowest))
        mean = np.broadcast_to(mean[..., None], (len(mean), *[q] * n)).copy()
        mean[0] += energy
        mean[1:] += rows[:, site].reshape([-1, *[1] * (n - 1), q])
        variance = np.broadcast_to(variance[..., None], mean.shape)
        for axis in reversed(done):
            weight, mean, variance = _summed(weight, mean, variance, axis)
        top = float(weight.max())
        weight = weight / top
        log_z += math.log(top) - beta * lowest
    return log_z + math.log(float(weight)), mean, variance


def _summed(weight: NDArray, mean: NDArray, variance: NDArray, axis: int) -> tuple[NDArray, ...]:
    """Weight, mean and variance of all states of a site together."""
    total = weight.sum(axis, keepdims=True)
    with np.errstate(invalid="ignore"):
        share = np.where(total > 0.0, weight / total, 0.0)
    middle = (share * mean).sum(axis + 1, keepdims=True)
    spread = (share * (variance + (mean - middle) ** 2)).sum(axis + 1)
    return total.squeeze(axis), middle.squeeze(axis + 1), spread


def _law(
    lattice: Lattice, beta: float, bonds: NDArray, sites: NDArray, signs: NDArray
) -> NDArray[np.float64]:
    """Probabilities of sum_i signs_i s_i = -n, -n + 2, ..., n, shape (n_sites + 1,)."""
    law = np.ones((1,))  # the last axis counts signs_i s_i = 1
    energies = _PAIR, bonds, -sites[:, None] * _SPIN
    for site, n, back, done in _steps(lattice):
        energy = _step_energy(n, back, energies, site)
        weight = np.exp(-beta * (energy - energy.min()))
        up, down = np.pad(law, [(0, 0)] * (n - 1) + [(1, 0)]), np.pad(law, [(0, 0)] * (n - 1) + [(0, 1)])
        both = (up, down) if signs[site] > 0 else (down, up)
        law = np.stack(both, axis=n - 1) * weight[..., None]
        law = law.sum(tuple(done)) if done else law
        law /= law.max()
    return law / law.sum()
