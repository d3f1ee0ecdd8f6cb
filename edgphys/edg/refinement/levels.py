# SPDX-License-Identifier: MIT
r"""Whether a lattice is drawn level by level, from coarse to fine, or on one level, site after site.

    "halved"   a root and finer and finer classes, each with one network for all its sites; any size
    "one"      all sites but the exact ones are the root, each with a network of its own; up to 256 sites

The sites of one class are independent given what is coarser. Where neighbours of several kinds compete, the
order need not show on every second site: with second neighbours of J2 = -J1 the stripes along x and those
along y agree on the sites of even coordinates, and the first class in between would have to choose between
them in each of its sites anew: on 8 x 8, where it has four, an eighth of the draws is right. Frustration
alone is no reason: on the triangular antiferromagnet classes that share their networks learn faster.
"""

from __future__ import annotations

import numpy as np

from edgphys.edg.refinement.classes import is_uneven
from edgphys.edg.refinement.laws_of import MOST_OF_ONE_LEVEL, are_alike
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.lattice.ising import AbstractIsing
from lattices.colouring import balancing_signs

__all__ = ["LEVELS", "REASON", "compete", "is_frustrated", "levels_of"]

LEVELS = ("halved", "one")
# Of "one", for those who read what was chosen.
REASON = (
    "all sites are of one level (levels='one'), where neighbours of several kinds compete: 8 x 8 with second "
    "neighbours reached a larger effective sample size so in less training time (studies/more_hamiltonians)"
)


def levels_of(system: AbstractLatticeSystem, given: str | None, root: str) -> str | None:
    """The option `levels` completed: None where there is no choice, or the usual one, "halved", was made.

    Raises
    ------
    ArgumentValueError
        If `given` does not serve the system or the root.
    """
    if not are_alike(system):
        if given == "halved":
            words = "must be 'one' for couplings or fields that differ from cell to cell"
            raise ArgumentValueError(f"levels {words}, got 'halved'", "levels")
        return None
    n_sites = system.lattice.n_sites
    if given is None:
        able = root == "autoregressive" and n_sites <= MOST_OF_ONE_LEVEL
        return "one" if able and compete(system) else None
    if given == "one" and n_sites > MOST_OF_ONE_LEVEL:
        words = f"must be 'halved' above {MOST_OF_ONE_LEVEL} sites"
        raise ArgumentValueError(f"levels {words}, got 'one' for {n_sites}", "levels")
    if given == "one" and root != "autoregressive":
        raise ArgumentValueError(f"levels must be 'halved' for root={root!r}, got 'one'", "levels")
    return given


def is_frustrated(system: AbstractSystem) -> bool:
    """Whether `system` is of frustrated spins in cells that are all alike, none of their axes short.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> lattice = lattices.build("triangular", (4, 4))
    >>> [is_frustrated(Ising(lattice, 1.0, coupling=coupling)) for coupling in (1.0, -1.0)]
    [False, True]
    """
    if not isinstance(system, AbstractIsing) or is_uneven(system.lattice):
        return False
    return system.order_signs is None and are_alike(system)


def compete(system: AbstractLatticeSystem) -> bool:
    """Whether bonds of several kinds frustrate spins together, and none of the kinds alone.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> lattice = lattices.build("square-j1j2", (4, 4))
    >>> [compete(Ising(lattice, 1.0, {"first": 1.0, "second": second})) for second in (0.5, -0.5)]
    [False, True]
    """
    if not (is_frustrated(system) and isinstance(system, AbstractIsing)):
        return False
    lattice, couplings = system.lattice, system.bond_couplings
    of_kinds = [(lattice.bond_kinds == kind) & (couplings != 0.0) for kind in np.unique(lattice.bond_kinds)]
    return all(
        balancing_signs(lattice.n_sites, lattice.bonds[some], couplings[some] < 0.0) is not None
        for some in of_kinds
    )
