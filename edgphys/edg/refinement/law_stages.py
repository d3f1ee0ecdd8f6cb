# SPDX-License-Identifier: MIT
"""How root and laws are trained: from reference configurations, from the energy alone, or both in turn.

chains    maximum likelihood on configurations of the package's chains, or on those that are given
energy    reverse Kullback-Leibler divergence on the model's own draws; of spins, states and rotors the energy
          counts less at first
both      the first, then a short run of the second
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from edgphys.edg.core.bounds import Loss, path_bound
from edgphys.edg.core.stages import chains_then_energy
from edgphys.edg.core.training import Stage, TrainingSettings
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.reference_bound import ReferenceBound

__all__ = ["batch_size_for", "law_stages"]

# Configurations in a step on a lattice of 256 sites, and the fewest and the most on others.
_BATCHES = {"chains": (64, 8, 128), "energy": (256, 32, 256), "both": (64, 8, 128)}


def batch_size_for(n_sites: int, training: str) -> int:
    """Configurations in a step: fewer of larger lattices, which have more sites to learn from."""
    usual, least, most = _BATCHES[training]
    return min(max(round(usual * (256 / n_sites) ** 0.5), least), most)


def law_stages(
    laws: LatticeGenerator, training: str, settings: TrainingSettings, reference: Callable[[], Tensor]
) -> list[Stage]:
    """The runs of a training of root and laws.

    Parameters
    ----------
    laws : LatticeGenerator
    training : {"chains", "energy", "both"}
    settings : TrainingSettings
        Of all runs together.
    reference : callable
        Gives the configurations, shape (n_configurations, n_sites), when they are needed.
    """
    by_chains = Stage(settings, _Likelihood(laws, reference), path_bound)
    if training == "chains":
        return [by_chains]
    if training == "energy":
        # With less of the energy, fields spread out so far that no later step leads them back.
        bounded = laws.refinement.law.is_bounded
        settings = settings if bounded else replace(settings, annealing=0.0)
        return [Stage(settings, path_bound, path_bound)]
    usual = batch_size_for(laws.system.n_sites, "energy")
    return chains_then_energy(by_chains, max(settings.batch_size, usual))


class _Likelihood:
    """`ReferenceBound` of configurations that are asked for at the first step."""

    def __init__(self, laws: LatticeGenerator, reference: Callable[[], Tensor]) -> None:
        self._laws, self._reference = laws, reference
        self._bound: ReferenceBound | None = None

    def __call__(self, model: object, n_batch: int, generator: torch.Generator) -> Loss:
        if self._bound is None:
            self._bound = ReferenceBound(self._laws, self._reference())
        return self._bound(model, n_batch, generator)
