# SPDX-License-Identifier: MIT
"""Quadrature rules: graded panels for a singularity at the edge, a uniform grid for a scalar field."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["field_grid", "graded_rule"]


def graded_rule(length: float, n_panels: int = 56, n_nodes: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, length) for integrands singular at 0, or within any small distance of it.

    Panels halve in length towards 0 and carry a Gauss-Legendre rule each: an integrable singularity at or
    near the origin, a logarithm for instance, costs no accuracy. The remaining interval of ``length
    2^-n_panels`` is the last panel.

    Parameters
    ----------
    length : float
        Upper end of the interval.
    n_panels, n_nodes : int
        Number of panels and nodes in each.

    Returns
    -------
    nodes, weights : float64 array, shape ((n_panels + 1) * n_nodes,)

    Examples
    --------
    >>> x, w = graded_rule(1.0)
    >>> round(float((w * np.log(x)).sum()), 14)
    -1.0
    """
    x, w = np.polynomial.legendre.leggauss(n_nodes)
    edges = length * np.concatenate([[0.0], 0.5 ** np.arange(n_panels, -1.0, -1.0)])
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + x)).ravel(), (half * w).ravel()


def field_grid(mass: float, quartic: float, n_nodes: int, cutoff: float = 60.0) -> tuple[np.ndarray, float]:
    """Symmetric uniform grid over ``exp(-mass x^2 - quartic x^4)`` down to ``e^-cutoff`` of its maximum.

    The trapezoidal rule converges exponentially for analytic integrands that vanish at both ends.

    Parameters
    ----------
    mass, quartic : float
        Coefficients of x^2 and x^4 in a lower bound of the action per site; ``quartic > 0``, or both
        ``quartic == 0`` and ``mass > 0``.
    n_nodes : int
        Number of nodes.
    cutoff : float
        Reduced energy, above the minimum, at the ends of the grid.

    Returns
    -------
    nodes : float64 array, shape (n_nodes,)
    spacing : float
    """
    if mass < 0:
        square = -mass / (2.0 * quartic) + math.sqrt(cutoff / quartic)
    else:
        square = 2.0 * cutoff / (mass + math.hypot(mass, 2.0 * math.sqrt(quartic * cutoff)))
    end = math.sqrt(square)
    nodes = np.linspace(-end, end, n_nodes)
    return nodes, float(nodes[1] - nodes[0])
