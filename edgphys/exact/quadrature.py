# SPDX-License-Identifier: MIT
"""Quadrature: panels graded towards an edge, a grid for a scalar field, moments of a Boltzmann density.

The density is one of one or two dimensions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np

from edgphys.errors import NotExactError

__all__ = ["boltzmann_moments", "field_grid", "graded_rule"]

# exp(-60) of the largest weight at the edge of the box, times its length, is below rounding.
_CUTOFF = 60.0
_N_NODES = 12


def graded_rule(length: float, n_panels: int = 56, n_nodes: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, length) for integrands singular at 0, or within any small distance of it.

    Panels halve in length towards 0 and carry a Gauss-Legendre rule each: an integrable singularity at or
    near the origin, a logarithm for instance, costs no accuracy. The interval that remains, of
    ``length 2^-n_panels``, is the last panel.

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


def boltzmann_moments(
    energy: Callable[[np.ndarray], np.ndarray],
    centres: np.ndarray,
    temperature: float,
    limits: Sequence[tuple[float, float]] | None = None,
    rtol: float = 1e-10,
) -> tuple[float, float, float]:
    """log Z, <E> and the variance of E of the weight ``exp(-E(x) / T)`` in one or two dimensions.

    Panels with a Gauss-Legendre rule each, as a tensor product, over a box that grows from the centres until
    the weight on its faces is below ``e^-60`` of the largest; their number doubles until the three results
    agree with those before.

    Parameters
    ----------
    energy : callable
        Maps a float64 array of shape (n_points, n_dims) to the energies, shape (n_points,); +inf is allowed.
    centres : array, shape (n_centres, n_dims)
        Points in all basins: a basin far outside of their box is missed.
    temperature : float
        Positive, in the units of the energy.
    limits : sequence of (low, high), optional
        Ends of the domain along each axis, infinite by default.
    rtol : float
        Largest change of Z, relative, and of <E> and the variance in units of T and T^2, at which to stop.

    Returns
    -------
    log_z, energy, variance : float

    Raises
    ------
    NotExactError
        If the weight does not fall off, or 128 panels per axis (4096 in one dimension) are too few.

    Examples
    --------
    >>> moments = boltzmann_moments(lambda x: (x * x).sum(1) / 2, np.zeros((1, 2)), 1.0)
    >>> [round(value, 10) for value in moments]        # log 2 pi, T, T^2
    [1.8378770664, 1.0, 1.0]
    """
    centres = np.atleast_2d(np.asarray(centres, np.float64))
    n_dims = centres.shape[1]
    if n_dims not in (1, 2):
        raise NotExactError(f"quadrature is for one or two dimensions, got {n_dims}")
    box, low = _box(energy, centres, temperature, limits or [(-math.inf, math.inf)] * n_dims)
    before = None
    for n_panels in 2 ** np.arange(3, 13 if n_dims == 1 else 8):
        now = _panel_moments(energy, box, low, temperature, int(n_panels))
        if before is not None and np.all(np.abs(now - before) < rtol * np.maximum(1.0, np.abs(now))):
            log_z, mean, variance = now
            return (
                float(log_z - low / temperature),
                float(low + temperature * mean),
                float(temperature**2 * variance),
            )
        before = now
    raise NotExactError(f"quadrature did not converge to {rtol:g} within {n_panels} panels per axis")


def _box(energy, centres, temperature, limits) -> tuple[list[tuple[float, float]], float]:
    """Box outside of which there is no weight, and an energy near the lowest."""
    ends = np.array(limits, np.float64)
    span = max(1e-3, float(np.ptp(centres, axis=0).max()))
    box = np.stack([centres.min(axis=0) - 0.1 * span, centres.max(axis=0) + 0.1 * span], axis=1)
    box = np.clip(box, ends[:, :1], ends[:, 1:])
    box += (box[:, 1:] <= box[:, :1]) * np.where(np.isfinite(ends), 0.0, [[-span, span]])
    for _ in range(400):
        low = float(np.nanmin(energy(_grid([np.linspace(low, high, 65) for low, high in box]))))
        open_ = [
            (axis, end)
            for axis, end in itertools.product(range(len(box)), range(2))
            if math.isinf(ends[axis, end]) and not _face(energy, box, axis, end) > low + _CUTOFF * temperature
        ]
        if not open_:
            return [tuple(side) for side in box.tolist()], low
        size = np.ptp(box, axis=1)
        for axis, end in open_:
            box[axis, end] += (0.1 if end else -0.1) * max(size[axis], 1e-3 * span)
    raise NotExactError("exp(-E/T) does not fall off within reach of the centres: it cannot be normalised")


def _face(energy, box, axis, end) -> float:
    """Lowest energy on one face of the box."""
    sides = [np.linspace(low, high, 129) for low, high in box]
    sides[axis] = box[axis, end : end + 1]
    return float(np.min(energy(_grid(sides))))


def _grid(axes) -> np.ndarray:
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _panel_moments(energy, box, low, temperature, n_panels) -> np.ndarray:
    """log Z, mean and variance of (E - low) / T."""
    x, w = np.polynomial.legendre.leggauss(_N_NODES)
    nodes, weights = [], []
    for left, right in box:
        half = 0.5 * (right - left) / n_panels
        middles = left + half * (2.0 * np.arange(n_panels) + 1.0)
        nodes.append((middles[:, None] + half * x).ravel())
        weights.append(np.tile(half * w, n_panels))
    reduced = (energy(_grid(nodes)) - low) / temperature
    weight = weights[0] if len(box) == 1 else np.outer(*weights).ravel()
    kept = reduced < 700.0  # beyond, the weight is zero, and the energy may be infinite
    density = weight[kept] * np.exp(-reduced[kept])
    z = density.sum()
    mean = (density * reduced[kept]).sum() / z
    return np.array([math.log(z), mean, (density * (reduced[kept] - mean) ** 2).sum() / z])
