# SPDX-License-Identifier: MIT
"""One random number for each bond of a lattice: quenched disorder, the same for the same seed.

    pm         +1 or -1, alike likely
    gaussian   normal, mean 0 and variance 1

References
----------
Edwards and Anderson, J. Phys. F 5, 965 (1975), doi:10.1088/0305-4608/5/5/017.
"""

from __future__ import annotations

import numpy as np

from lattices.lattice import Lattice

__all__ = ["random_bonds"]

_DRAW = {
    "pm": lambda n, rng: rng.choice(np.array([-1.0, 1.0]), n),
    "gaussian": lambda n, rng: rng.standard_normal(n),
}


def random_bonds(lattice: Lattice, kind: str = "pm", *, seed: int) -> np.ndarray:
    """A number for each bond, float64 (n_bonds,), in the order of ``lattice.bonds``.

    Parameters
    ----------
    lattice : Lattice
    kind : {"pm", "gaussian"}
        See the module docstring.
    seed : int
        Non-negative.

    Raises
    ------
    TypeError
        If `lattice` is none, or `seed` is no integer.
    ValueError
        If there is no such kind, or `seed` is negative.

    Examples
    --------
    >>> import lattices
    >>> lattices.random_bonds(lattices.build("square", (3, 3)), seed=0)[:4].tolist()
    [1.0, 1.0, 1.0, -1.0]
    """
    if not isinstance(lattice, Lattice):
        raise TypeError(f"lattice must be made by lattices.build, got {type(lattice).__name__}")
    if not isinstance(kind, str) or kind not in _DRAW:
        raise ValueError(f"kind must be one of {', '.join(_DRAW)}, got {kind!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"seed must be an integer >= 0, got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must be an integer >= 0, got {seed}")
    return _DRAW[kind](lattice.n_bonds, np.random.default_rng(seed))
