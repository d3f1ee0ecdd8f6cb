# SPDX-License-Identifier: MIT
"""A complete generator of lattice configurations with a known density: a root and its refinement.

    q(x) = p_root(x_root) q(x | x_root),      w(x) = exp(-beta E(x)) / q(x),      E[w] = Z

for any networks, trained or not. One generator may serve a range of couplings: all its methods then take
those of each sample, and `LatticeGenerator.at_couplings` fixes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor

from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.module import Module
from edgphys.edg.refinement.couplings import CouplingRange, Couplings
from edgphys.edg.refinement.laws_of import are_alike
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.refinement.root_autoregressive import AutoregressiveRoot
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["LatticeGenerator"]


@final
class LatticeGenerator(Module):
    """Root and refinement of one system, or of one at a range of couplings.

    Parameters
    ----------
    system : AbstractLatticeSystem
    conditions : Conditions, optional
        The range.
    radius, width, n_colours, halved, seed
        As in `Refinement`.
    root_width : int
        Hidden units for each root site.

    Attributes
    ----------
    range : CouplingRange or None
    witnesses : tensor, shape (n_witnesses, n_variables)
        Configurations of chains, kept with the weights to show what the laws have lost; none at first. Of a
        range, as many from each of its nodes in turn.

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
        halved: bool | None = None,
        conditions: Conditions | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.range = CouplingRange(system, conditions) if conditions else None
        form, n_bumps = (self.range.form, self.range.n_bumps) if self.range else (None, 0)
        self.refinement = Refinement(
            system,
            radius=radius,
            width=width,
            n_colours=n_colours,
            halved=halved,
            form=form,
            n_bumps=n_bumps,
            seed=seed,
        )
        self.root = AutoregressiveRoot(
            self.refinement.classes,
            self.refinement.law,
            width=root_width,
            by_rows=halved is False and are_alike(system),
            n_bumps=n_bumps,
            seed=seed + 1,
        )
        self.register_buffer("witnesses", torch.zeros(0, system.n_variables))

    def at_couplings(self, couplings: Mapping[str, float]) -> LatticeGenerator:
        """An ordinary generator at one set of couplings of the range; it shares the weights."""
        assert self.range is not None
        system, given = self.range.at_couplings(couplings)
        other = self.twin()
        other.range, other.refinement = None, self.refinement.at(system, given)
        other.root = self.root.at(given)
        if len(self.witnesses):
            near = self.range.nearest(couplings)
            other.witnesses = self.witnesses.unflatten(0, (len(self.range.systems), -1))[near]
        return other

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
        self, n_samples: int, generator: torch.Generator, couplings: Couplings | None = None
    ) -> tuple[Tensor, Tensor]:
        """Configurations, float64, shape (n_samples, n_variables), and log q."""
        coarse, log_root = self.root.draw(n_samples, generator, couplings)
        x, log_rest = self.refinement.sample(coarse, generator, couplings)
        return x.flatten(1), log_root + log_rest

    def draw_learned(
        self, n_samples: int, generator: torch.Generator, couplings: Couplings | None = None
    ) -> tuple[Tensor, Tensor]:
        """All but the exact sites, float32, and log q with the gradient of the laws: what training needs."""
        coarse, _ = self.root.draw(n_samples, generator, couplings, dtype=torch.float32)
        x, log_rest = self.refinement.draw_learned(coarse, generator, couplings)
        # One parallel evaluation has a shorter way back than the sequence of draws.
        return x.flatten(1), self.root.log_prob(coarse, couplings) + log_rest

    def log_prob(self, configurations: Tensor, couplings: Couplings | None = None) -> Tensor:
        """log q of given configurations, in their dtype, shape (n_batch,)."""
        x = self.refinement.law.by_site(configurations)
        coarse = self.refinement.restrict(x)
        return self.root.log_prob(coarse, couplings) + self.refinement.log_density(x, couplings)

    def log_weight(self, configurations: Tensor, log_prob: Tensor) -> Tensor:
        """log w of configurations whose log q is known, shape (n_batch,)."""
        return -self.system.action(configurations) - log_prob
