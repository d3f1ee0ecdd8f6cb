# SPDX-License-Identifier: MIT
"""Sums over the bonds of a lattice in torch: the hopping part of every lattice energy.

For a field x on the sites, with <ij> the rows of ``lattice.bonds`` (a repeated row counts twice):

    pair_sum(x)   = sum_<ij> x_i x_j          neighbours(x)_i = sum_{j ~ i} x_j  (= adjacency @ x)

with a weight w_ij in front of each bond where there are any.

Fields are flat, shape (n_batch, n_sites), in any floating dtype, on any device. On hypercubic lattices the
sums are rolls of the array, elsewhere gathers through the bond list; a dense matrix product is slower than
rolls from 16x16 on, and on a GPU its precision depends on a global setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgphys._lazy import LazyModule
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["BondSums", "is_hypercubic"]


def is_hypercubic(lattice: Lattice) -> bool:
    """Whether the bonds are exactly those between nearest neighbours of a hypercubic grid.

    Parameters
    ----------
    lattice : Lattice
        Any lattice. The bonds are compared, not the name, so that a unit cell of the user's that happens to
        be called "square" cannot pass for one.

    Examples
    --------
    >>> import lattices
    >>> is_hypercubic(lattices.build("square", (4, 3))), is_hypercubic(lattices.build("triangular", (3, 3)))
    (True, False)
    """
    if lattice.n_sites_per_cell != 1:
        return False
    index = np.arange(lattice.n_sites).reshape(lattice.extent)
    pairs = []
    for axis, periodic in enumerate(lattice.pbc):
        ahead = np.roll(index, -1, axis)
        inside = np.arange(index.shape[axis] if periodic else index.shape[axis] - 1)
        pairs.append(np.stack([index.take(inside, axis).ravel(), ahead.take(inside, axis).ravel()], axis=1))
    expected = np.sort(np.concatenate(pairs), axis=1)
    expected = expected[np.lexsort((expected[:, 1], expected[:, 0]))]
    return np.array_equal(expected, lattice.bonds)


class BondSums:
    """Bond sums of flat fields on one lattice; see the module docstring for the formulae.

    Parameters
    ----------
    lattice : Lattice
        Its bonds define the sums.
    weights : float64 array, shape (n_bonds,), optional
        Of the bonds; default: all 1.

    Examples
    --------
    >>> import lattices
    >>> sums = BondSums(lattices.build("square", (4, 4)))
    >>> float(sums.pair_sum(torch.ones(1, 16)))
    32.0
    """

    def __init__(self, lattice: Lattice, weights: NDArray[np.float64] | None = None) -> None:
        self._extent = lattice.extent
        self._pbc = lattice.pbc
        self._weights = weights
        self._grid = weights is None and is_hypercubic(lattice)
        self._bonds = lattice.bonds
        self._index: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Sum over neighbours with every bond counted from one of its ends only, shape (n_batch, n_sites).

        ``(x * forward(x)).sum(1)`` is then `pair_sum`, and fuses with other terms into one reduction.
        """
        if self._grid:
            return self._shifted(x, -1)
        first, second = self._ends(x.device)
        return torch.zeros_like(x).index_add(1, first, self._weighed(x.index_select(1, second)))

    def neighbours(self, x: Tensor) -> Tensor:
        """Sum over all neighbours, ``adjacency @ x``, shape (n_batch, n_sites)."""
        if self._grid:
            return self._shifted(x, -1) + self._shifted(x, 1)
        first, second = self._ends(x.device)
        return self.forward(x).index_add(1, second, self._weighed(x.index_select(1, first)))

    def pair_sum(self, x: Tensor) -> Tensor:
        """``sum_<ij> x_i x_j`` for each field of the batch, shape (n_batch,)."""
        if self._grid:
            return (x * self.forward(x)).sum(1)
        first, second = self._ends(x.device)
        return self._weighed(x.index_select(1, first) * x.index_select(1, second)).sum(1)

    def _weighed(self, on_bonds: Tensor) -> Tensor:
        if self._weights is None:
            return on_bonds
        return on_bonds * torch.as_tensor(self._weights, dtype=on_bonds.dtype, device=on_bonds.device)

    def _shifted(self, x: Tensor, step: int) -> Tensor:
        y = x.reshape(-1, *self._extent)
        total = None
        for axis, periodic in enumerate(self._pbc, start=1):
            shifted = torch.roll(y, step, axis) if periodic else _shift_open(y, step, axis)
            total = shifted if total is None else total + shifted
        assert total is not None  # there is an axis
        return total.reshape(x.shape)

    def _ends(self, device: torch.device) -> tuple[Tensor, Tensor]:
        if device not in self._index:
            # Index tensors take no gradient, but one made in inference mode could not be used outside it.
            with torch.inference_mode(False):
                ends = torch.tensor(self._bonds.astype(np.int64), device=device)
                self._index[device] = (ends[:, 0].contiguous(), ends[:, 1].contiguous())
        return self._index[device]


def _shift_open(y: Tensor, step: int, axis: int) -> Tensor:
    """Roll with zeros coming in from beyond the open edge."""
    length = y.shape[axis]
    edge = torch.zeros_like(y.narrow(axis, 0, 1))
    if step < 0:
        return torch.cat([y.narrow(axis, 1, length - 1), edge], axis)
    return torch.cat([edge, y.narrow(axis, 0, length - 1)], axis)
