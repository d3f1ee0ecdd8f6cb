# SPDX-License-Identifier: MIT
"""Elements of the space group of a lattice, one for each configuration, without a table of the whole group.

An element is a translation along the periodic axes after an operation of the point group; both are drawn
uniformly, and so is their product, since the products form a group in which each element occurs equally
often.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from lattices import Lattice

__all__ = ["SpaceGroup"]


@final
class SpaceGroup(nn.Module):
    """Draws group elements as index tables.

    Parameters
    ----------
    lattice : Lattice
    translations, point_operations : bool
        Which of them the energy allows.

    Examples
    --------
    >>> import lattices
    >>> group = SpaceGroup(lattices.build("square", (4, 4)))
    >>> group.draw(3, torch.Generator().manual_seed(0)).shape
    torch.Size([3, 16])
    """

    images: Tensor

    def __init__(self, lattice: Lattice, *, translations: bool = True, point_operations: bool = True) -> None:
        super().__init__()
        operations = np.asarray(lattice.point_group, dtype=np.int64)[: None if point_operations else 1]
        self.extent, self._moves = lattice.extent, tuple(translations and p for p in lattice.pbc)
        # Coordinates and sublattice of every image, axis by axis: (n_axes + 1, order, n_sites).
        places = np.concatenate([lattice.cells, lattice.sublattices[:, None]], axis=1).astype(np.int64)
        self.register_buffer("images", torch.from_numpy(np.moveaxis(places[operations], -1, 0).copy()))
        self.n_sites_per_cell = lattice.n_sites_per_cell

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent elements, int64 (n, n_sites): ``x.gather(1, index)`` is the image of x."""
        like = {"generator": generator, "device": self.images.device}
        which = torch.randint(int(self.images.shape[1]), (n,), **like)
        index = torch.zeros(n, self.images.shape[2], dtype=torch.int64, device=self.images.device)
        for axis, (extent, moves) in enumerate(zip(self.extent, self._moves, strict=True)):
            along = self.images[axis][which]
            if moves:
                along = (along + torch.randint(extent, (n, 1), **like)) % extent
            index = index * extent + along
        return index * self.n_sites_per_cell + self.images[-1][which]

    def move(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Each configuration, shape (n_batch, n_sites), under an element of its own."""
        return configurations.gather(1, self.draw(len(configurations), generator))
