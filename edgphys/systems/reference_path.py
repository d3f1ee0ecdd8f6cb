# SPDX-License-Identifier: MIT
"""A way from a system of known partition function to the system at hand, along one of its couplings.

    ising   J from 0:                free spins,  log Z = n_sites log(2 cosh(beta h))
    phi4    kappa (or hop) from 0:   free sites,  log Z = n_sites log int exp(-quadratic x^2 - quartic x^4) dx
    continuous  path from 0:         a Gaussian,  see edgphys.systems.continuous.gaussian_path

Each system says which (`AbstractSystem.reference`). A path crosses a line of phase transitions where the
system at hand is ordered; swaps between the rungs carry configurations over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["ReferencePath"]


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
    draw : callable, optional
        ``draw(n, rng)`` gives n independent configurations of the reference, float64 (n, n_variables); None
        where the path is of use to ladders of chains only.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> path = Ising(lattices.build("square", (4, 4)), temperature=2.0).reference()
    >>> path.coupling, path.first, path.last, round(path.log_z / 16, 6)
    ('coupling', 0.0, 1.0, 0.693147)
    """

    coupling: str
    first: float
    last: float
    log_z: float
    knots: tuple[float, ...] = ()
    draw: Callable[[int, np.random.Generator], NDArray[np.float64]] | None = field(
        default=None, compare=False, repr=False
    )
