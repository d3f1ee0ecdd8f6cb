# SPDX-License-Identifier: MIT
r"""The autoregressive root and its refinement as a generative model: a decoder without latents.

The density of what is drawn is known, so there is nothing for an encoder to infer: n_latent = 0, the path
weights are exp(-U) / q for any number of steps, and the bounds are the reverse Kullback-Leibler divergence

    <log q + U>,     U = -log of the weight with the exact sites summed or integrated out.

Draws of spins have no derivative: the gradient is that of the score function, see
`edgphys.edg.core.known_density`. A model of a range of couplings takes the mean over the samples at one
coupling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, final

import torch
from torch import Tensor

from edgphys.edg.core.known_density import AbstractDensityModel, score_shares
from edgphys.edg.core.model import Decoded, Draw
from edgphys.edg.refinement.couplings import CouplingRange
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.targets.base import AbstractTarget

__all__ = ["RefinementModel", "RefinementTarget"]

# Samples of a training batch at one coupling, at least.
_GROUP = 16


@final
class RefinementTarget(AbstractTarget):
    """All sites but the exact ones, which are summed or integrated out; they stay 0 in x.

    Parameters
    ----------
    generator : LatticeGenerator
    """

    exact_energy: ClassVar[bool] = True
    breaks_symmetry: ClassVar[bool] = True

    def __init__(self, generator: LatticeGenerator) -> None:
        super().__init__()
        self._laws = [generator]  # the model's own module, not a second copy in the state
        self.system, self.n_dims = generator.system, generator.system.n_variables

    @property
    def laws(self) -> LatticeGenerator:
        """Root and laws."""
        return self._laws[0]

    @property
    def refinement(self) -> Refinement:
        """Whose exact sites they are."""
        return self.laws.refinement

    def witnesses(self) -> Tensor | None:
        return self.laws.witnesses if len(self.laws.witnesses) else None

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """Minus the log-weight of x; a condition is the number of a node of the range, for each sample."""
        every = self.laws.range
        couplings = None if condition is None or every is None else every.at(condition[:, 0])
        return -self.refinement.log_marginal(self._by_site(x), couplings=couplings)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the exact sites."""
        x = self._by_site(x.double())
        return self.refinement.log_marginal(x), self.refinement.complete(x, generator).flatten(1)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Leave the exact sites out."""
        x = self._by_site(configurations.double()).index_fill(1, self.refinement.exact, 0.0)
        return x.flatten(1), self.refinement.log_marginal(x)

    def _by_site(self, x: Tensor) -> Tensor:
        return self.refinement.law.by_site(x)


@final
class RefinementModel(AbstractDensityModel):
    """Root and laws of one system; see the module docstring.

    Parameters
    ----------
    generator : LatticeGenerator
    """

    target: RefinementTarget

    def __init__(self, generator: LatticeGenerator, n_path_steps: int = 1) -> None:
        super().__init__()
        self.generator, self.n_path_steps = generator, n_path_steps
        self.target = RefinementTarget(generator)

    @property
    def device(self) -> torch.device:
        return self.generator.device

    def _nothing(self, n: int) -> tuple[Tensor, Tensor]:
        """The latents of n samples, and their labels."""
        return self.no_latents(n), torch.zeros(n, device=self.device)

    @torch.no_grad()
    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        coarse, log_root = self.generator.root.draw(n_samples, generator)
        x, log_rest = self.generator.refinement.draw_learned(coarse, generator)
        return Draw(*self._nothing(n_samples), x.flatten(1), log_root + log_rest)

    def at(self, condition: Tensor | None) -> RefinementModel:
        """Itself: there are no latents to infer, at no coupling."""
        return self

    def at_couplings(self, couplings: Mapping[str, float]) -> RefinementModel:
        return RefinementModel(self.generator.at_couplings(couplings), self.n_path_steps)

    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        every = self.generator.range
        if every is not None:
            return self._decode_range(every, n_batch, generator)
        x, log_prob = self.generator.draw_learned(n_batch, generator)
        share, value = score_shares(log_prob)
        return Decoded(*self._nothing(n_batch), x, share, (share * value).mean())

    def _decode_range(self, every: CouplingRange, n_batch: int, generator: torch.Generator) -> Decoded:
        """Groups of samples at one coupling, each with a baseline of its own: log Z differs between them."""
        n_groups = max(1, n_batch // _GROUP)
        group = torch.arange(n_batch, device=self.device) * n_groups // n_batch
        node = every.draw(n_groups, generator)[group]
        x, log_prob = self.generator.draw_learned(n_batch, generator, every.at(node))
        value = log_prob.detach()
        score, count = log_prob - value, torch.bincount(group)
        mean = (score.new_zeros(n_groups).index_add(0, group, score) / count)[group]
        # The mean holds the sample itself, which takes a share of 1 / count from its gradient.
        share = 1.0 + (score - mean) * (count / (count - 1.0).clamp(min=1.0))[group]
        return Decoded(*self._nothing(n_batch), x, share, (share * value).mean(), node[:, None])

    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return self._nothing(len(x))[1]

    def log_prob_given(self, x: Tensor, z: Tensor, label: Tensor) -> Tensor:
        root, refinement = self.generator.root, self.generator.refinement
        x = refinement.law.by_site(x)
        rest = refinement.learned_log_density(x, range(refinement.n_classes))
        return root.log_prob(refinement.restrict(x)) + rest
