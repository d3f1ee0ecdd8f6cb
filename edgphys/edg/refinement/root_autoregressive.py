# SPDX-License-Identifier: MIT
"""The root drawn one site after the other: p(x_1) p(x_2 | x_1) ..., each law with a small network of its own.

The order visits sites far apart first: by the parities of the root's cells, all even coordinates first. A
root of all sites of a uniform lattice goes row by row: a site then depends on few others, those at the rim of
what is known, and views average over where the rows begin. The networks are stacked, so that the density of
given values is one parallel evaluation in which site k sees the first k - 1 only.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.classes import Classes
from edgphys.edg.refinement.couplings import Couplings
from edgphys.edg.refinement.law import AbstractLaw

__all__ = ["AutoregressiveRoot"]


@final
class AutoregressiveRoot(Module):
    """Density of the root's sites.

    Parameters
    ----------
    classes : Classes
    law : AbstractLaw
    width : int
        Hidden units for each site.
    by_rows : bool
        Whether sites are visited in the order of their numbers; see the module docstring.
    n_bumps : int
        As in `Refinement`.
    seed : int
        Of the initial weights.
    """

    order: Tensor
    back: Tensor
    mask: Tensor

    def __init__(
        self,
        classes: Classes,
        law: AbstractLaw,
        *,
        width: int = 64,
        by_rows: bool = False,
        n_bumps: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.law, self.n_root = law, len(classes.root)
        self.bump: Tensor | None = None
        order = np.arange(self.n_root) if by_rows else _far_apart(classes)
        self.register_buffer("order", torch.from_numpy(order), persistent=False)
        self.register_buffer("back", torch.from_numpy(np.argsort(order)), persistent=False)
        mask = torch.ones(self.n_root, self.n_root).tril(-1)
        self.register_buffer("mask", mask[:, None], persistent=False)
        generator = torch.Generator().manual_seed(seed)
        self.network = law.network(self.n_root, 0, width, generator, n_stacked=self.n_root, n_bumps=n_bumps)

    @property
    def couplings(self) -> Couplings:
        """Those of the system; most methods take others, one for each sample of a batch."""
        return Couplings(self.law, self.bump)

    def at(self, couplings: Couplings) -> AutoregressiveRoot:
        """The same root at other couplings."""
        other = self.twin()
        other.law, other.bump = couplings.law, couplings.bump
        return other

    def log_prob(self, x: Tensor, couplings: Couplings | None = None) -> Tensor:
        """Log-density of root values, in their dtype, shape (n_batch, n_root) -> (n_batch,)."""
        given, x = couplings or self.couplings, x[:, self.order]
        return given.law.log_prob(x, *self._coefficients(x, given)).sum(1)

    def mean_log_prob(self, x: Tensor, moments: Tensor, couplings: Couplings | None = None) -> Tensor:
        """`log_prob` with each site averaged, given its mean moments, shape (n_batch, n_root, n_moments)."""
        given = couplings or self.couplings
        coefficients = self._coefficients(x[:, self.order], given)
        return given.law.mean_log_prob(moments[:, self.order], *coefficients).sum(1)

    def _coefficients(self, x: Tensor, given: Couplings) -> tuple[Tensor, ...]:
        """Of all sites in their order, each of shape (n_batch, n_root, n_k)."""
        seen = self.law.seen(x)
        mask = self.mask if seen.dim() == 2 else self.mask[:, None]
        return tuple(one.transpose(0, 1) for one in self.network(mask * seen, bump=given.bump))

    @torch.no_grad()
    def draw(
        self,
        n_samples: int,
        generator: torch.Generator,
        couplings: Couplings | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> tuple[Tensor, Tensor]:
        """Root values, shape (n_samples, n_root), and their log-density."""
        like = {"dtype": dtype, "device": self.mask.device}
        total = torch.zeros(n_samples, **like)
        x = self.law.zeros(n_samples, self.n_root, total)
        given = couplings or self.couplings
        for k in range(self.n_root):
            coefficients = self.network.one(k, self.law.seen(x[:, :k]), given.bump)
            x[:, k], log_prob = given.law.draw(*(one.to(dtype) for one in coefficients), generator)
            total = total + log_prob
        return x[:, self.back], total


def _far_apart(classes: Classes) -> NDArray[np.int64]:
    """Positions in `classes.root` by the number of odd coordinates of their cells, then by the parities."""
    cells = classes.lattice.cells[classes.root] // np.array(classes.spacings[-1])
    parity = cells % 2
    return np.lexsort((*cells.T[::-1], *parity.T[::-1], parity.sum(1)))
