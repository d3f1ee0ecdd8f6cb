# SPDX-License-Identifier: MIT
"""Elements of the space group of a lattice, one for each configuration, without a table of the whole group.

An element is a translation along the periodic axes after an operation of the point group; both are drawn
uniformly, and so is their product, since the products form a group in which each element occurs equally
often.
"""

from __future__ import annotations

import math
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
    rest: Tensor

    def __init__(self, lattice: Lattice, *, translations: bool = True, point_operations: bool = True) -> None:
        super().__init__()
        operations = np.asarray(lattice.point_group, dtype=np.int64)[: None if point_operations else 1]
        strides = [
            math.prod(lattice.extent[k + 1 :]) * lattice.n_sites_per_cell for k in range(lattice.n_axes)
        ]
        places = lattice.cells.astype(np.int64) * np.array(strides)
        moved = np.flatnonzero(translations & np.array(lattice.pbc))
        # Extent in cells, and what a step and the whole axis add to the number of a site.
        self._axes = [(lattice.extent[k], strides[k], lattice.extent[k] * strides[k]) for k in moved]
        # The number of an image is a sum over these axes, (n_axes, order, n_sites), and the rest.
        images = np.moveaxis(places[:, moved][operations], -1, 0)
        tables = {"images": images, "rest": operations - images.sum(0)}
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table.astype(np.int32)), persistent=False)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """n independent elements, int64 (n, n_sites): ``x.gather(1, index)`` is the image of x."""
        like = {"generator": generator, "device": self.rest.device}
        which = torch.randint(len(self.rest), (n,), **like)
        index = self.rest.index_select(0, which)
        for images, (extent, stride, length) in zip(self.images, self._axes, strict=True):
            shift = torch.randint(extent, (n, 1), **like) * stride - length
            along = images.index_select(0, which).add_(shift.int())
            # Negative: not beyond the edge. Sign bits as a mask are much cheaper than a remainder.
            index.add_(along).add_((along >> 31).bitwise_and_(length))
        return index.long()

    def move(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Each configuration, shape (n_batch, n_sites, ...), under an element of its own."""
        index = self.draw(len(configurations), generator)
        more = configurations.shape[2:]
        if more:
            index = index.reshape(*index.shape, *[1] * len(more)).expand(*index.shape, *more)
        return configurations.gather(1, index)
