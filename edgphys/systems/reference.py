# SPDX-License-Identifier: MIT
"""A way from a system of known partition function to the system at hand, along one of its couplings.

    ising   J from 0:                free spins,  log Z = n_sites log(2 cosh(beta h))
    phi4    kappa (or hop) from 0:   free sites,  log Z = n_sites log int exp(-quadratic x^2 - quartic x^4) dx
    continuous  path from 0:         a Gaussian,  see edgphys.systems.continuous.gaussian_path

The site integral is a trapezoidal sum, exact to rounding. A path crosses a line of phase transitions where
the system at hand is ordered; swaps between the rungs carry configurations over it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgphys.errors import NotExactError
from edgphys.systems.continuous.gaussian_path import KNOTS, GaussianPath

__all__ = ["ReferencePath", "reference_path"]


@dataclass(frozen=True)
class ReferencePath:
    """From ``system.replace(**{coupling: first})``, whose log Z is known, to the system itself.

    Attributes
    ----------
    coupling : str
        A parameter of the system in which its action is linear.
    first, last : float
        Its values at the reference and at the system.
    log_z : float
        log Z of the reference.
    knots : tuple of float
        Values in between, growing, at which thermodynamic integration needs a rung: averages vary steeply
        there. Beyond the last some terms of the action have no average at the reference.
    """

    coupling: str
    first: float
    last: float
    log_z: float
    knots: tuple[float, ...] = ()


def reference_path(system) -> ReferencePath:
    """The path to `system` from its reference.

    A continuous system has one once it is wrapped in a `GaussianPath`.

    Raises
    ------
    NotExactError
        If no reference is known for this kind of system.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> path = reference_path(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    >>> path.coupling, path.first, path.last, round(path.log_z / 16, 6)
    ('coupling', 0.0, 1.0, 0.693147)
    """
    if system.family == "ising":
        local = abs(system.beta * system.field)
        log_z = system.n_sites * (local + math.log1p(math.exp(-2.0 * local)))
        return ReferencePath("coupling", 0.0, system.coupling, log_z)
    if system.family == "phi4":
        name = "kappa" if "kappa" in system.parameters else "hop"
        log_z = system.n_sites * _log_site_integral(system.quadratic, system.quartic)
        return ReferencePath(name, 0.0, system.hop, log_z)
    if isinstance(system, GaussianPath):
        return ReferencePath("path", 0.0, system.path, system.log_z_reference, KNOTS)
    raise NotExactError(f"system must have a reference of known log Z, got {system.name}, which has none")


def _log_site_integral(quadratic: float, quartic: float) -> float:
    """log of int exp(-quadratic x^2 - quartic x^4) dx."""
    # Imported here: the exact package brings numba, which training and sampling do without.
    from edgphys.exact.quadrature import field_grid

    nodes, spacing = field_grid(quadratic, quartic, 2001)
    exponents = -(nodes**2) * (quadratic + quartic * nodes**2)
    top = float(exponents.max())
    return top + math.log(float(np.exp(exponents - top).sum()) * spacing)
