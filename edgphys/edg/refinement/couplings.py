# SPDX-License-Identifier: MIT
"""Couplings of one model for a range of them: the laws there, and how the networks see them.

Training draws couplings from nodes of the range, one for each sample of a batch. Asked at one coupling, node
or not, root and laws are like those of an ordinary model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.module import Module
from edgphys.edg.refinement.law import AbstractLaw
from edgphys.edg.refinement.laws_of import common_form, law_of
from edgphys.edg.refinement.network import bumps
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["CouplingRange", "Couplings"]

# Bumps of the networks along each condition; nodes at which models learn, along the one there is, or shared
# among several down to one for each bump.
_N_BUMPS, _N_NODES = 8, 24


@dataclass(frozen=True)
class Couplings:
    """What root and laws need to know of the couplings of a batch.

    Attributes
    ----------
    law : AbstractLaw
        At one set of couplings, or at one for each sample (`AbstractLaw.rows`).
    bump : tensor, shape (n_batch or 1, n_bumps), or None
        What the networks see of them; None for a model of one set of couplings.
    """

    law: AbstractLaw
    bump: Tensor | None = None


@final
class CouplingRange(Module):
    """Nodes of a range, with their laws.

    Parameters
    ----------
    system : AbstractLatticeSystem
    conditions : Conditions
        Not empty.

    Attributes
    ----------
    systems : list of AbstractLatticeSystem
        `system` at the nodes.
    laws : AbstractLaw
        A stack of theirs.
    """

    points: Tensor
    laws: AbstractLaw

    def __init__(self, system: AbstractLatticeSystem, conditions: Conditions) -> None:
        super().__init__()
        self.conditions = conditions
        nodes = conditions.nodes(max(_N_BUMPS, _N_NODES // len(conditions.ranges)))
        self.systems = [system.replace(**node) for node in nodes]
        self.form = common_form(self.systems)
        laws = [law_of(one, self.form) for one in self.systems]
        self.laws = laws[0].stacked(laws)
        points = torch.tensor([conditions.encoded(node) for node in nodes])
        self.register_buffer("points", points, persistent=False)

    @property
    def n_bumps(self) -> int:
        """Inputs of the networks that tell the couplings."""
        return _N_BUMPS * len(self.conditions.ranges)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Numbers of nodes, int64, shape (n,), ascending and as evenly as can be (systematic sampling)."""
        offset = torch.rand(1, generator=generator, device=generator.device)
        places = (torch.arange(n, device=generator.device) + offset) * (len(self.systems) / n)
        return places.long().clamp(max=len(self.systems) - 1)

    def at(self, index: Tensor) -> Couplings:
        """Those of the nodes of these numbers, one for each sample."""
        return Couplings(self.laws.rows(index), _bumps(self.points[index]))

    def at_couplings(self, couplings: Mapping[str, float]) -> tuple[AbstractLatticeSystem, Couplings]:
        """The system at one set of couplings, and what root and laws need to know of it."""
        system = self.systems[0].replace(**couplings)
        law = law_of(system, self.form).to(self.points.device)
        point = torch.tensor([self.conditions.encoded(couplings)], device=self.points.device)
        return system, Couplings(law, _bumps(point))

    def nearest(self, couplings: Mapping[str, float]) -> int:
        """Number of the node nearest to some couplings."""
        point = torch.tensor(self.conditions.encoded(couplings), device=self.points.device)
        return int((self.points - point).square().sum(1).argmin())


def _bumps(points: Tensor) -> Tensor:
    """Bumps of every condition side by side, shape (n, n_conditions) -> (n, n_bumps)."""
    return torch.cat([bumps(column, _N_BUMPS) for column in points.T], dim=1)
