# SPDX-License-Identifier: MIT
"""A complete generator of lattice configurations with a known density: a root and its refinement.

    q(x) = p_root(x_root) q(x | x_root),      w(x) = exp(-beta E(x)) / q(x),      E[w] = Z

for any networks, trained or not.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.refinement.root_autoregressive import AutoregressiveRoot
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["LatticeGenerator"]


@final
class LatticeGenerator(Module):
    """Root and refinement of one system.

    Parameters
    ----------
    system : AbstractLatticeSystem
    radius, width, n_colours, n_bumps, seed
        As in `Refinement`.
    root_width : int
        Hidden units for each root site.

    Attributes
    ----------
    witnesses : tensor, shape (n_witnesses, n_sites)
        Configurations of a chain, kept with the weights to show what the laws have lost; none at first.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> model = LatticeGenerator(Ising(lattices.build("square", (8, 8)), temperature=2.5), width=8)
    >>> spins, log_prob = model.sample(10, torch.Generator().manual_seed(0))
    >>> bool(torch.allclose(model.log_prob(spins), log_prob))
    True
    """

    witnesses: Tensor

    def __init__(
        self,
        system: AbstractLatticeSystem,
        *,
        radius: float = 4.0,
        width: int = 48,
        root_width: int = 64,
        n_colours: int = 2,
        n_bumps: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.refinement = Refinement(
            system, radius=radius, width=width, n_colours=n_colours, n_bumps=n_bumps, seed=seed
        )
        self.root = AutoregressiveRoot(
            self.refinement.classes, self.refinement.law, width=root_width, n_bumps=n_bumps, seed=seed + 1
        )

        self.register_buffer("witnesses", torch.zeros(0, system.lattice.n_sites))

    def _load_from_state_dict(self, state_dict, prefix, *more):
        """As torch does it; the number of witnesses is that of the state."""
        kept = state_dict.get(prefix + "witnesses")
        if kept is not None:
            self.witnesses = torch.empty_like(kept, device=self.device)
        super()._load_from_state_dict(state_dict, prefix, *more)

    @property
    def system(self) -> AbstractLatticeSystem:
        """What is sampled."""
        return self.refinement.system

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.root.mask.device

    @torch.no_grad()
    def sample(
        self, n_samples: int, generator: torch.Generator, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Configurations, float64, shape (n_samples, n_sites), and log q."""
        coarse, log_root = self.root.draw(n_samples, generator, condition)
        configurations, log_rest = self.refinement.sample(coarse, generator, condition)
        return configurations, log_root + log_rest

    def draw_learned(
        self, n_samples: int, generator: torch.Generator, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """All but the exact sites, float32, and log q with the gradient of the laws: what training needs."""
        coarse, _ = self.root.draw(n_samples, generator, condition, dtype=torch.float32)
        configurations, log_rest = self.refinement.draw_learned(coarse, generator, condition)
        # One parallel evaluation has a shorter way back than the sequence of draws.
        return configurations, self.root.log_prob(coarse, condition) + log_rest

    def log_prob(self, configurations: Tensor, condition: Tensor | None = None) -> Tensor:
        """log q of given configurations, in their dtype, shape (n_batch,)."""
        coarse = self.refinement.restrict(configurations)
        return self.root.log_prob(coarse, condition) + self.refinement.log_density(configurations, condition)

    def log_weight(self, configurations: Tensor, log_prob: Tensor) -> Tensor:
        """log w of configurations whose log q is known, shape (n_batch,)."""
        return -self.system.beta * self.system.energy(configurations) - log_prob
