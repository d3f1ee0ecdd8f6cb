# SPDX-License-Identifier: MIT
r"""A growing cluster as a generative model: a decoder without latents, whose trials are internal.

x are the positions of all others relative to a centre particle, in the order of their distances, flat.
With the choice of the centre c (`edgphys.edg.growth.centre`) and the n! numbers of particles in their order,

    log pi(x) = -U(x) + log c(centre | x) + log n! - (D / 2) log n,      int dx pi(x) = Z,

where n^{-D/2} leads from relative positions to orthonormal coordinates of the mean-free subspace. The trials
are the label c of the interface. Its density is taken relative to that of the way back,

    p_E(c | x) = 1,      p(c) p_D(x | c) = q(x; trials),

so that the label is log q itself, drawn anew with the trials. Another centre with trials of its own is a
view.
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
from torch import Tensor

from edgphys.edg.core.known_density import AbstractDensityModel, score_shares
from edgphys.edg.core.model import Decoded, Draw, check_no_condition
from edgphys.edg.growth.centre import around_any, log_choice
from edgphys.edg.growth.laws import GrowthLaws
from edgphys.edg.targets.base import AbstractTarget
from edgphys.systems.particles.base import AbstractParticleSystem

__all__ = ["GrowthModel", "GrowthTarget"]


@final
class GrowthTarget(AbstractTarget):
    """Positions around a centre particle, in order; see the module docstring.

    Parameters
    ----------
    laws : GrowthLaws
        Of the system that is trained on.
    system : AbstractParticleSystem
        What is sampled: the same, or one at other parameters, to which draws may be annealed.
    """

    can_anneal: ClassVar[bool] = True
    system: AbstractParticleSystem

    def __init__(self, laws: GrowthLaws, system: AbstractParticleSystem) -> None:
        super().__init__()
        self._laws = [laws]  # the model's own module, not a second copy in the state
        self.system, self.n_dims = system, system.n_variables

    @property
    def laws(self) -> GrowthLaws:
        """Of the particles around the centre."""
        return self._laws[0]

    @property
    def training_system(self) -> AbstractParticleSystem:
        return self.laws.system

    def witnesses(self) -> Tensor | None:
        kept = self.laws.witnesses
        return kept if len(kept) and self.training_system is self.system else None

    def start_witnesses(self) -> Tensor | None:
        kept = self.laws.witnesses
        return self._variables(kept) if len(kept) else None

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        check_no_condition(condition)
        return -self._log_density(self.training_system, x)

    def _log_density(self, system: AbstractParticleSystem, x: Tensor) -> Tensor:
        """log pi of positions in order, float64."""
        n, positions = system.n_particles, self._positions(x.double())
        constant = math.lgamma(n + 1) - 0.5 * system.n_axes * math.log(n)
        return constant + log_choice(positions)[:, 0] - system.reduced_energy(positions)

    def _positions(self, x: Tensor) -> Tensor:
        """With the centre, at the origin, first: (n_batch, n_particles, n_axes)."""
        grown = x.unflatten(1, (-1, self.system.n_axes))
        return torch.nn.functional.pad(grown, (0, 0, 1, 0))

    def _numbered(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Positions with zero mean of particles that are numbered at random."""
        positions = self._positions(x.double())
        keys = torch.rand(positions.shape[:2], generator=generator, device=x.device)
        order = keys.argsort(1)[..., None].expand_as(positions)
        positions = positions.gather(1, order)
        return positions - positions.mean(1, keepdim=True)

    def _variables(self, configurations: Tensor) -> Tensor:
        """Mean-free coordinates, of flat positions."""
        points = configurations.double().reshape(len(configurations), *self.system.event_shape)
        return self.system.from_configurations(points).flatten(1)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self._log_density(self.system, x), self._numbered(x, generator).flatten(1)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        positions = configurations.double().reshape(len(configurations), *self.system.event_shape)
        x = around_any(positions, generator).flatten(1)
        return x, self._log_density(self.system, x)

    @torch.no_grad()
    def start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        positions = self._numbered(x, generator)
        return self._variables(positions), self._log_density(self.training_system, x)

    @torch.no_grad()
    def lower_start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = around_any(self.system.to_configurations(x.double()), generator).flatten(1)
        return x, self._log_density(self.training_system, x)

    def trials_as_energies(self, n: float) -> int:
        """As many energies as have the number of pairs of the trials of n clusters."""
        return round(n * self.laws.n_pairs / self.system.n_pairs)

    def count_trials(self, n: float) -> None:
        """Those of n clusters."""
        self.n_energy_calls += self.trials_as_energies(n)


@final
class GrowthModel(AbstractDensityModel):
    """Laws of one system; see the module docstring.

    Parameters
    ----------
    laws : GrowthLaws
    system : AbstractParticleSystem
        What is sampled.
    """

    target: GrowthTarget

    def __init__(self, laws: GrowthLaws, system: AbstractParticleSystem, n_path_steps: int = 1) -> None:
        super().__init__()
        self.laws, self.n_path_steps = laws, n_path_steps
        self.target = GrowthTarget(laws, system)

    @property
    def device(self) -> torch.device:
        return self.laws.device

    @torch.no_grad()
    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        grown, log_prob = self.laws.draw(n_samples, generator)
        self.target.count_trials(n_samples)
        return Draw(self.no_latents(n_samples), log_prob, grown.flatten(1), log_prob)

    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        grown, log_prob = self.laws.draw(n_batch, generator)
        self.target.count_trials(n_batch)
        share, value = score_shares(log_prob)
        return Decoded(
            self.no_latents(n_batch), value, grown.detach().flatten(1), share, (share * value).mean()
        )

    def log_terms(self, x: Tensor, generator: torch.Generator, effort: float = 1.0) -> Tensor:
        """log q of every particle, (n_batch, n_particles - 1), with trials drawn anew."""
        self.target.count_trials(effort * len(x))
        return self.laws.log_terms(x.unflatten(1, (-1, self.target.system.n_axes)), generator, effort)

    def set_invariants(self, configurations: Tensor, seed: int) -> int:
        """Scale what the network sees by configurations, (n, n_variables); energies it took."""
        generator = torch.Generator(device=self.device).manual_seed(seed)
        x, _ = self.target.lower(configurations, generator)
        self.laws.set_invariants(x.unflatten(1, (-1, self.target.system.n_axes)), generator)
        return self.target.trials_as_energies(len(x))

    @torch.no_grad()
    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return self.log_terms(x, generator).sum(1)

    def log_prob_given(self, x: Tensor, z: Tensor, label: Tensor) -> Tensor:
        return label
