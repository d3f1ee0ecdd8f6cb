# SPDX-License-Identifier: MIT
"""A lattice target of an easier system, weighed for, or annealed to, the system itself.

A model that draws configurations s of an easier system (hotter, say), with joint weights w' of their own,
gives those of the system itself,

    w = w' exp(u'(s) - u(s)),      u, u' the reduced energies of the two,

whatever made s: what is internal is the same on both sides. Where the two are far apart, draws are better
moved along a ladder between them, `edgphys.mcmc.annealing.ladder`, from the weights w'.
"""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.targets.base import AbstractTarget
from edgphys.systems.base import AbstractSystem

__all__ = ["EasedTarget", "towards"]


@final
class EasedTarget(AbstractTarget):
    """The target of an easier lattice system, for another one.

    Parameters
    ----------
    inner : AbstractTarget
        Of the easier system.
    system : AbstractSystem
        On the same lattice.
    """

    can_anneal: ClassVar[bool] = True
    breaks_symmetry: ClassVar[bool] = True

    def __init__(self, inner: AbstractTarget, system: AbstractSystem) -> None:
        super().__init__()
        self.inner, self.system, self.n_dims = inner, system, inner.n_dims

    @property
    def training_system(self) -> AbstractSystem:
        return self.inner.system

    @property
    def symmetric(self) -> bool:
        """That of the easier target, of which the model is."""
        return self.inner.symmetric

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """That of the easier target: training sees nothing else."""
        return self.inner.energy(x, condition)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        log_density, configurations = self.inner.lift(x, generator)
        return log_density + self._change(configurations), configurations

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x, log_density = self.inner.lower(configurations, generator)
        return x, log_density + self._change(configurations)

    @torch.no_grad()
    def _change(self, configurations: Tensor) -> Tensor:
        """u' - u, float64, shape (n_batch,)."""
        s = configurations.double()
        return self.training_system.action(s) - self.system.action(s)

    def start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Finished configurations of the easier system, moved by its symmetries as views are."""
        log_density, configurations = self.inner.lift(x, generator)
        return self.training_system.random_symmetry(configurations.double(), generator), log_density

    def lower_start(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.inner.lower(self.training_system.random_symmetry(x, generator), generator)

    def start_witnesses(self) -> Tensor | None:
        return self.inner.witnesses()

    def finish(self, x: Tensor) -> Tensor:
        """They are configurations already."""
        return self.system.settled(x)


def towards(model: AbstractEDGModel, system: AbstractSystem) -> AbstractEDGModel:
    """The model of an easier lattice system with the target of `system`; it shares its weights.

    Parameters
    ----------
    model : AbstractEDGModel
        Of a lattice system, trained or not.
    system : AbstractSystem
        On the same lattice, of the same kind.
    """
    other = model.twin()
    other.target = EasedTarget(model.target, system)  # pyright: ignore[reportArgumentType]
    return other
