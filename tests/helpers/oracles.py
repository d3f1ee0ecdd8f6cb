# SPDX-License-Identifier: MIT
"""Independent brute-force answers, written as plainly as possible and sharing no code with the package.

* `torus_bonds`: bonds of a periodic hypercubic lattice, both of a pair kept at extent 2;
* `enumerate_ising`: all states of at most about 12 spins, in plain python;
* `dense_ising_log_z`: square torus by a dense transfer matrix between rows;
* `sum_over_grid`: averages of any function of up to four real variables, by the trapezoidal rule in each;
* `dense_phi4_log_z`: phi^4 torus by a dense transfer matrix between rows of quadrature nodes;
* `gauss_rule`: Gaussian quadrature for the weight exp(-quadratic x^2 - quartic x^4).
"""

from __future__ import annotations

import itertools
import math

import numpy as np

__all__ = [
    "dense_ising_log_z",
    "dense_phi4_log_z",
    "enumerate_ising",
    "gauss_rule",
    "phi4_action",
    "sum_over_grid",
    "torus_bonds",
]


def torus_bonds(*extent):
    """List of (i, j), one per site and axis, sites numbered row-major."""
    cells = list(itertools.product(*map(range, extent)))
    number = {cell: i for i, cell in enumerate(cells)}
    bonds = []
    for cell in cells:
        for axis, length in enumerate(extent):
            step = list(cell)
            step[axis] = (step[axis] + 1) % length
            bonds.append(tuple(sorted((number[cell], number[tuple(step)]))))
    return sorted(bonds)


def enumerate_ising(n_sites, bonds, temperature, coupling=1.0, field=0.0):
    """Dict of ln Z, <E>, Var E, <m>, <|m|>, <m^2>, <m^4> and the matrix <s_i s_j>, by summing all states."""
    beta = 1.0 / temperature
    states = list(itertools.product((-1, 1), repeat=n_sites))
    energies = [-coupling * sum(s[i] * s[j] for i, j in bonds) - field * sum(s) for s in states]
    lowest = min(energies)
    weights = [math.exp(-beta * (energy - lowest)) for energy in energies]
    total = math.fsum(weights)

    def mean(values):
        return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / total

    m = [sum(s) / n_sites for s in states]
    energy = mean(energies)
    spins = np.array(states, dtype=np.float64)
    return {
        "log_z": math.log(total) - beta * lowest,
        "energy": energy,
        "energy_variance": mean([(e - energy) ** 2 for e in energies]),
        "magnetization": mean(m),
        "abs_magnetization": mean([abs(v) for v in m]),
        "m2": mean([v**2 for v in m]),
        "m4": mean([v**4 for v in m]),
        "correlation": (spins * (np.array(weights) / total)[:, None]).T @ spins,
    }


def dense_ising_log_z(lx, ly, k):
    """ln Z of the lx x ly torus at K = J / T from the 2^lx x 2^lx transfer matrix."""
    rows = np.array(list(itertools.product((-1.0, 1.0), repeat=lx)))
    within = k * (rows * np.roll(rows, 1, axis=1)).sum(axis=1)
    exponent = k * rows @ rows.T + 0.5 * (within[:, None] + within)
    top = exponent.max()
    eigenvalues = np.linalg.eigvalsh(np.exp(exponent - top))
    largest = np.abs(eigenvalues).max()
    return ly * (top + math.log(largest)) + math.log(((eigenvalues / largest) ** ly).sum())


def phi4_action(fields, bonds, hop, quadratic, quartic):
    """Action of a list of fields (arrays of equal shape, one per site)."""
    action = sum(quadratic * x**2 + quartic * x**4 for x in fields)
    return action - 2.0 * hop * sum(fields[i] * fields[j] for i, j in bonds)


def sum_over_grid(n_sites, action, functions, end, n_nodes):
    """ln Z and averages of `functions` of the fields; trapezoidal rule over (-end, end) in every field."""
    x = np.linspace(-end, end, n_nodes)
    fields = np.meshgrid(*[x] * n_sites, indexing="ij", sparse=True)
    exponent = -action(fields)
    top = exponent.max()
    weight = np.exp(exponent - top)
    total = weight.sum()
    averages = [float((weight * function(fields)).sum() / total) for function in functions]
    return float(top + math.log(total) + n_sites * math.log(x[1] - x[0])), averages


def gauss_rule(quadratic, quartic, n_nodes, end=12.0):
    """Nodes and weights, exact for exp(-quadratic x^2 - quartic x^4) times a polynomial."""
    x = np.linspace(-end, end, 4001)
    weight = np.exp(-quadratic * x**2 - quartic * x**4) * (x[1] - x[0])
    previous, current, beta = np.zeros_like(x), np.full_like(x, 1.0 / math.sqrt(weight.sum())), 0.0
    off_diagonal = []
    for _ in range(n_nodes):
        step = x * current - beta * previous  # symmetric weight: no diagonal term
        beta = math.sqrt((weight * step**2).sum())
        previous, current = current, step / beta
        off_diagonal.append(beta)
    jacobi = np.diag(off_diagonal[:-1], 1) + np.diag(off_diagonal[:-1], -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, vectors[0] ** 2 * weight.sum()


def dense_phi4_log_z(width, length, hop, quadratic, quartic, n_nodes):
    """ln Z of a phi^4 torus from the dense transfer matrix between rows of `n_nodes` ** width states."""
    nodes, weights = gauss_rule(quadratic, quartic, n_nodes)
    rows = np.array(list(itertools.product(nodes, repeat=width)))
    weight = np.array(list(itertools.product(weights, repeat=width))).prod(axis=1)
    within = np.exp(hop * (rows * np.roll(rows, 1, axis=1)).sum(axis=1)) * np.sqrt(weight)
    matrix = within[:, None] * np.exp(2.0 * hop * rows @ rows.T) * within
    scale = matrix.max()
    half = np.linalg.matrix_power(matrix / scale, length // 2)
    rest = np.linalg.matrix_power(matrix / scale, length - length // 2)
    return length * math.log(scale) + math.log((half * rest.T).sum())
