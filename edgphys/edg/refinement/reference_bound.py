# SPDX-License-Identifier: MIT
r"""Maximum likelihood: root and laws from reference configurations, as an objective of training.

The loss is -<log q> over configurations of a chain, each moved by an element of the space group of its own,
with every site averaged over its law given all others (see `edgphys.edg.refinement.site_means`). No phase of
the reference can be lost. A coarse level needs few sites of a configuration, so it gets larger batches.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgphys.edg.core.bounds import Loss
from edgphys.edg.refinement.classes import Classes
from edgphys.edg.refinement.couplings import Couplings
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.systems.lattice.space_group import SpaceGroup

__all__ = ["ReferenceBound"]

# Configurations in a step for the root and for a coarse level, at most, over those for the finest: each is
# moved as a whole, which costs as much on every level.
_MOST_TIMES = 4


class ReferenceBound:
    """-<log q> of all but the exact sites of a reference.

    Parameters
    ----------
    generator : LatticeGenerator
        What is trained, on its device.
    configurations : tensor, shape (n_configurations, n_variables)
        Any dtype. For a range of couplings, as many from each of its nodes in turn.
    """

    def __init__(self, generator: LatticeGenerator, configurations: Tensor) -> None:
        by_site = generator.refinement.law.by_site(configurations)
        self._laws, self._reference = generator, by_site.to(generator.device)
        names = set(generator.system.symmetries)
        group = SpaceGroup(
            generator.system.lattice,
            translations=bool(names & {"translation", "periodic_translation"}),
            point_operations="point_group" in names,
        )
        self._group = group.to(generator.device)

    def __call__(self, model: object, n_batch: int, generator: torch.Generator) -> Loss:
        """From `n_batch` configurations for the finest level."""
        refinement, root = self._laws.refinement, self._laws.root
        classes = refinement.classes
        sizes = _sites_by_level(classes)
        n_most = max(sizes.values(), default=len(classes.root))

        def batch(n_sites: int) -> tuple[Tensor, Couplings | None]:
            n = n_batch * n_most // n_sites
            return self._batch(min(max(n, n_batch), _MOST_TIMES * n_batch), generator)

        x, given = batch(len(classes.root))
        moments = refinement.root_moments(x, given)
        loss = -root.mean_log_prob(refinement.restrict(x), moments, given).mean()
        for level, n_sites in sizes.items():
            numbers = [k for k, one in enumerate(classes.learned) if one.level == level]
            x, given = batch(n_sites)
            loss = loss - refinement.mean_log_prob(x, numbers, given).mean()
        return Loss(torch.zeros_like(loss), loss)

    def _batch(self, n: int, generator: torch.Generator) -> tuple[Tensor, Couplings | None]:
        """Configurations, moved, and the couplings that they are from."""
        reference, every, given = self._reference, self._laws.range, None
        like = {"generator": generator, "device": reference.device}
        if every is None:
            chosen = torch.randint(len(reference), (n,), **like)
        else:
            node, n_each = every.draw(n, generator), len(reference) // len(every.systems)
            chosen = node * n_each + torch.randint(n_each, (n,), **like)
            given = every.at(node)
        return self._group.move(reference[chosen].float(), generator), given


def _sites_by_level(classes: Classes) -> dict[int, int]:
    """Number of learned sites of every level."""
    sizes: dict[int, int] = {}
    for one in classes.learned:
        sizes[one.level] = sizes.get(one.level, 0) + len(one.sites)
    return sizes
