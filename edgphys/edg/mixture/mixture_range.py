# SPDX-License-Identifier: MIT
r"""A Gaussian mixture for every coupling of a range: found in the middle, followed to nodes, interpolated.

The components of the mixture in the middle of the range (`explore`) are followed from node to node, each by
population Monte Carlo from its neighbour's: the same components at all nodes, wide ones too
(`edgphys.edg.mixture.wide_components`). In between, log shares, means
and roots of the covariances are linear in the encoded couplings: a convex combination of positive roots is
positive, so that every one is a mixture.
"""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.module import Module
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture, explore, follow
from edgphys.edg.mixture.wide_components import joined, wide_components
from edgphys.edg.targets.continuous import AbstractCountedTarget

__all__ = ["MixtureRange", "explore_range"]

# About so many mixtures, the middle of the range among them where there is one.
_N_NODES = 9


@final
class MixtureRange(Module):
    """Mixtures on a grid of couplings; called with u in [-1, 1]^k it gives what a model at u stands on.

    Parameters
    ----------
    log_shares : tensor, shape (n_along,) * k + (n_components,)
    means, roots : tensor
        The same with (n_components, n_dims) and (n_components, n_dims, n_dims) at the end.
    """

    def __init__(self, log_shares: Tensor, means: Tensor, roots: Tensor) -> None:
        super().__init__()
        for name, values in (("log_shares", log_shares), ("means", means), ("roots", roots)):
            self.register_buffer(name, values.double())

    def mixture(self, u: Tensor) -> GaussianMixture:
        """The mixture at u, shape (k,)."""
        log_shares, means, roots = (
            self._at(u, values) for values in (self.log_shares, self.means, self.roots)
        )
        return GaussianMixture(torch.softmax(log_shares, 0).numpy(), means.numpy(), roots.numpy())

    def forward(self, u: Tensor) -> dict[str, Tensor]:
        """Frames and label logits at u, by their names in a `ContinuousModel`."""
        roots = self._at(u, self.roots)
        return {
            "label_logits": torch.log_softmax(self._at(u, self.log_shares), 0).float(),
            "decoder.frames.means": self._at(u, self.means).float(),
            "decoder.frames.roots": roots,
            "decoder.frames.inverses": torch.linalg.inv(roots),
            "decoder.frames.log_dets": torch.logdet(roots),
        }

    def _at(self, u: Tensor, values: Tensor) -> Tensor:
        """Linear interpolation along every axis of the grid."""
        for number in u.tolist():
            last = len(values) - 1
            place = 0.5 * (number + 1.0) * last
            left = min(max(int(place), 0), last - 1)
            values = torch.lerp(values[left], values[left + 1], place - left)
        return values


def explore_range(
    target: AbstractCountedTarget,
    conditions: Conditions,
    n_blocks: int,
    n_components: int,
    rng: np.random.Generator,
    *,
    with_wide: bool,
) -> tuple[MixtureRange, int]:
    """Mixtures for one block of the variables, on a grid over the range, and their number of wide components.

    Parameters
    ----------
    target : AbstractCountedTarget
        At any couplings; it counts all evaluations.
    conditions : Conditions
    n_blocks, n_components, rng
        As for `explore`.
    with_wide : bool
        Whether there are to be wide components, the last ones.
    """
    n_axes = len(conditions.ranges)
    n_along = max(2, round(_N_NODES ** (1.0 / n_axes)))
    nodes = conditions.nodes(n_along)
    places = np.array([conditions.encoded(node) for node in nodes])
    there = target.at(conditions.decoded([0.0] * n_axes))
    middle = explore(there, n_blocks, n_components, rng)
    wide = wide_components(middle, there, n_blocks, rng) if with_wide else None
    target.add_calls(there.calls)
    found: dict[int, tuple[GaussianMixture, GaussianMixture | None]] = {}
    for k in np.argsort(np.abs(places).max(1), kind="stable"):
        distances = {other: np.abs(places[other] - places[k]).sum() for other in found}
        near, around = found[min(distances, key=distances.__getitem__)] if found else (middle, wide)
        there = target.at(nodes[k])
        here = follow(near, there, n_blocks, rng)
        found[int(k)] = here, around and wide_components(here, there, n_blocks, rng, around)
        target.add_calls(there.calls)
    mixtures = [
        mixture if around is None else joined(mixture, around)
        for mixture, around in (found[k] for k in range(len(nodes)))
    ]
    grid = (n_along,) * n_axes
    columns = zip(*((np.log(m.weights), m.means, m.factors) for m in mixtures), strict=True)
    start = MixtureRange(*(torch.from_numpy(np.stack(one)).unflatten(0, grid) for one in columns))
    return start, 0 if wide is None else len(wide.weights)
