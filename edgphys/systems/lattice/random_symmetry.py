# SPDX-License-Identifier: MIT
"""Uniformly drawn elements of the space group, one for each configuration, without a table of the group.

An element is a translation times a point operation, as permutations of the sites:

    (g s)_i = s_{g(i)},     g(i) = point[T(i)],     T the shift of cells along the periodic axes,

so a draw costs O(n_sites), and only the point group is tabulated, (order, n_sites). Every element of the
space group is as likely as any other, since the translations are a normal subgroup.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from lattices import Lattice
from lattices.numbering import all_sites, strides

__all__ = ["RandomSymmetry"]


@final
class RandomSymmetry(nn.Module):
    """Space-group elements, and flips of the sign where the energy has that symmetry too.

    Parameters
    ----------
    lattice : Lattice
    symmetries : tuple of str
        Those of the system: "translation", "point_group" and "z2" are drawn from.

    Examples
    --------
    >>> import lattices
    >>> moves = RandomSymmetry(lattices.build("chain", (4,)), ("point_group", "translation", "z2"))
    >>> moved = moves(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.Generator().manual_seed(0))
    >>> sorted(moved.abs().flatten().tolist()), moves.order
    ([1.0, 2.0, 3.0, 4.0], 16)
    """

    def __init__(self, lattice: Lattice, symmetries: tuple[str, ...]) -> None:
        super().__init__()
        n_basis = lattice.n_sites_per_cell
        cells, sublattices = all_sites(lattice.extent, n_basis)
        moved = "translation" in symmetries
        periods = [
            n if moved and periodic else 1 for n, periodic in zip(lattice.extent, lattice.pbc, strict=True)
        ]
        point = lattice.point_group if "point_group" in symmetries else lattice.point_group[:1]
        self.flips = "z2" in symmetries
        self.order = math.prod(periods) * len(point) * (2 if self.flips else 1)
        buffers = {
            "cells": torch.from_numpy(cells).T.contiguous(),
            "sublattices": torch.from_numpy(sublattices),
            "periods": torch.tensor(periods),
            "extent": torch.tensor(lattice.extent),
            "strides": torch.from_numpy(strides(lattice.extent, n_basis)),
            "point": torch.tensor(point, dtype=torch.int64),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def permutations(self, n: int, generator: torch.Generator) -> Tensor:
        """`n` elements as site permutations, int64 (n, n_sites), on the generator's device."""
        device = generator.device
        shape = (n, len(self.periods))
        steps = torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
        steps = (steps * self.periods.to(device)).long()
        sites = self.sublattices.to(device).expand(n, -1)
        for axis, stride in enumerate(self.strides.tolist()):
            shifted = (self.cells[axis].to(device) + steps[:, axis, None]) % self.extent[axis].item()
            sites = sites + stride * shifted
        chosen = torch.randint(len(self.point), (n,), generator=generator, device=device)
        return self.point.to(device)[chosen].gather(1, sites)

    def forward(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """Each configuration moved by an element of its own.

        Parameters
        ----------
        configurations : tensor, shape (n_batch, n_sites)
        generator : torch.Generator
            On their device.

        Returns
        -------
        tensor, shape (n_batch, n_sites)
        """
        moved = configurations.gather(1, self.permutations(len(configurations), generator))
        if not self.flips:
            return moved
        signs = torch.randint(2, (len(moved), 1), generator=generator, device=moved.device)
        return moved * (2 * signs - 1).to(moved.dtype)
