# SPDX-License-Identifier: MIT
"""Exact log Z of Ising models of moderate width, any couplings: the sum over one site after the other.

The sum runs over a tensor with one index of two values for each spin that is still open: sites come in row
by row, and a spin is summed as soon as all its neighbours are in. Memory is 2^(open spins): on a torus one
row around the start and one at the front, 2^24 numbers for a width of 12. Exact up to rounding, 1e-12.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

import edgphys as ep
import lattices

__all__ = ["log_z_by_sites", "log_z_by_triangles", "most_open"]

Neighbours = list[dict[int, int]]


def log_z_by_sites(system: ep.Ising) -> float:
    """log Z of an Ising model on any lattice.

    >>> import lattices
    >>> system = ep.Ising(lattices.build("triangular", (3, 4)), temperature=1.0, coupling=-1.0, field=0.2)
    >>> abs(log_z_by_sites(system) / system.exact_results()["log_z"] - 1.0) < 1e-12
    True
    """
    neighbours = neighbours_of(system)
    order = best_order(system, neighbours)
    k, h = system.beta * system.coupling, system.beta * system.field
    values = dict.fromkeys(order, np.array([1.0, -1.0]))
    # Without a field both values of the first spin give the same.
    values |= {order[0]: np.ones(1)} if h == 0.0 else {}
    tensor, opened = np.ones(()), []
    log_scale = math.log(2.0) if h == 0.0 else 0.0
    for site, closing in zip(order, closed_by(order, neighbours), strict=True):
        inner = tuple(opened.index(one) for one in closing if one != site)
        parts = []
        for value in values[site]:
            factor = np.full((1,) * len(opened), math.exp(h * value))
            for one in set(neighbours[site]) & set(opened):
                shape = [-1 if other == one else 1 for other in opened]
                factor = factor * np.exp(k * neighbours[site][one] * value * values[one]).reshape(shape)
            parts.append((tensor * factor).sum(axis=inner))
        tensor = sum(parts) if site in closing else np.stack(parts, -1)
        opened = [one for one in (*opened, site) if one not in closing]
        scale = float(np.max(tensor))
        tensor, log_scale = tensor / scale, log_scale + math.log(scale)
    return log_scale


def log_z_by_triangles(system: ep.Ising) -> float:
    """log Z of a ferromagnet on the honeycomb or kagome torus, by that of the triangular torus of its cells.

    A star with the coupling L is a triangle with the coupling K, ``exp(4 K) = 2 cosh 2L - 1``: summed over
    its centre it is ``2 cosh(L) exp(K)`` times as large. The triangles of the kagome lattice are stars, and a
    spin between two centres with the coupling L is a bond M of the honeycomb, ``exp(2 M) = cosh 2L``.

    >>> import lattices
    >>> system = ep.Ising(lattices.build("kagome", (3, 3)), temperature=2.0)
    >>> abs(log_z_by_triangles(system) / log_z_by_sites(system) - 1.0) < 1e-12
    True
    """
    lattice, k = system.lattice, system.beta * system.coupling
    n_cells, total = math.prod(lattice.extent), 0.0
    if lattice.n_sites_per_cell == 3:
        double = math.acosh(0.5 * (math.exp(4.0 * k) + 1.0))
        stars = -k - math.log(2.0 * math.cosh(0.5 * double))
        total += n_cells * (2.0 * stars + 3.0 * (math.log(2.0) + 0.5 * math.log(math.cosh(double))))
        k = 0.5 * math.log(math.cosh(double))
    k_triangle = 0.25 * math.log(2.0 * math.cosh(2.0 * k) - 1.0)
    total += n_cells * (math.log(2.0 * math.cosh(k)) + k_triangle)
    triangular = lattices.build("triangular", lattice.extent)
    return total + log_z_by_sites(ep.Ising(triangular, temperature=1.0 / k_triangle))


def neighbours_of(system: ep.Ising) -> Neighbours:
    """Of each site, with the number of bonds to each of them."""
    found: Neighbours = [{} for _ in range(system.n_sites)]
    for first, second in system.lattice.bonds.tolist():
        found[first][second] = found[first].get(second, 0) + 1
        found[second][first] = found[second].get(first, 0) + 1
    return found


def closed_by(order: Sequence[int], neighbours: Neighbours) -> list[list[int]]:
    """Sites whose last neighbour, or they themselves, come in at each place of the order."""
    rank = {site: n for n, site in enumerate(order)}
    closing: list[list[int]] = [[] for _ in order]
    for site in order:
        closing[max([rank[site], *(rank[one] for one in neighbours[site])])].append(site)
    return closing


def most_open(order: Sequence[int], neighbours: Neighbours) -> int:
    """Largest number of indices of the tensor."""
    counts = itertools.accumulate(1 - len(closed) for closed in closed_by(order, neighbours))
    return max(counts)


def best_order(system: ep.Ising, neighbours: Neighbours) -> list[int]:
    """Row by row, by cells or by sublattices, from the place at which fewest spins stay open."""
    lattice = system.lattice
    rows, columns = lattice.cells[:, 0], lattice.cells[:, 1:].T
    orders = []
    for keys in ((*columns, lattice.sublattices, rows), (lattice.sublattices, *columns, rows)):
        order = np.lexsort(keys).tolist()
        orders += [
            order[n:] + order[:n] for n in range(min(len(order), 4 * system.n_sites // lattice.extent[0]))
        ]
    return min(orders, key=lambda order: most_open(order, neighbours))
