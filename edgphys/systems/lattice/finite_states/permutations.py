# SPDX-License-Identifier: MIT
"""Exchanges of states that leave an energy alone: all permutations, or those of a polygon.

"permutation"   s -> any permutation of 0 .. q - 1        (Potts)
"dihedral"      s -> c + s or c - s, modulo q             (clock)
"z2"            s -> q - 1 - s                            (values of both signs)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["group_of", "keeps", "random_relabelling", "reflections_of"]


def _swaps(q: int) -> NDArray[np.int64]:
    """Exchanges of two states, shape (q (q - 1) / 2, q)."""
    pairs = [(a, b) for a in range(q) for b in range(a)]
    table = np.tile(np.arange(q), (len(pairs), 1))
    for row, (a, b) in zip(table, pairs, strict=True):
        row[[a, b]] = b, a
    return table


def _mirrors(q: int) -> NDArray[np.int64]:
    """s -> c - s modulo q for every c, shape (q, q)."""
    return (np.arange(q)[:, None] - np.arange(q)) % q


def keeps(bond: NDArray, site: NDArray, permutations: NDArray) -> bool:
    """Whether all `permutations`, shape (n, q), leave both tables alone, up to rounding."""
    scale = 1e-12 * max(np.abs(bond).max(), np.abs(site).max())
    return all(
        np.allclose(bond[np.ix_(one, one)], bond, rtol=0.0, atol=scale)
        and np.allclose(site[..., one], site, rtol=0.0, atol=scale)
        for one in permutations
    )


def group_of(bond: NDArray[np.float64], site: NDArray[np.float64]) -> str | None:
    """Name of the group that leaves the tables of bonds and sites alone.

    Examples
    --------
    >>> group_of(-np.eye(4), np.zeros(4)), group_of(-np.eye(4), -np.eye(4)[0])
    ('permutation', None)
    """
    q = len(bond)
    # Neighbouring exchanges, and two neighbouring mirrors, generate the groups.
    neighbours = [np.r_[0:k, k + 1, k, k + 2 : q] for k in range(q - 1)]
    if keeps(bond, site, np.array(neighbours)):
        return "permutation"
    return "dihedral" if keeps(bond, site, _mirrors(q)[:2]) else None


def reflections_of(bond: NDArray[np.float64]) -> NDArray[np.int8]:
    """Exchanges of states, int8 (n, q), that leave the table of bonds alone; none if they do not reach all.

    Examples
    --------
    >>> reflections_of(-np.eye(3)).tolist()
    [[1, 0, 2], [2, 1, 0], [0, 2, 1]]
    """
    group, q = group_of(bond, np.zeros(len(bond))), len(bond)
    every = {"permutation": _swaps, "dihedral": _mirrors, None: lambda q: np.empty((0, q))}[group](q)
    return every.astype(np.int8)


def random_relabelling(
    group: str, n: int, q: int, generator: torch.Generator, device: torch.device
) -> Tensor:
    """n elements of a group, uniformly drawn, int64 (n, q): state s becomes ``table[k, s]``."""
    if group == "permutation":
        return torch.rand(n, q, generator=generator, device=device).argsort(1)
    states = torch.arange(q, device=device)
    signs = 2 * torch.randint(2, (n, 1), generator=generator, device=device) - 1
    if group == "z2":
        return torch.where(signs > 0, states, q - 1 - states)
    return (torch.randint(q, (n, 1), generator=generator, device=device) + signs * states) % q
