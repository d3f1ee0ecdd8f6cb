# SPDX-License-Identifier: MIT
"""A system whose variables are images of the points of a `Domain`: circles, intervals, half lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.domain import Domain

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    _System = AbstractSystem
else:
    _System = object

__all__ = ["FoldedVariables"]


class FoldedVariables(_System):
    """What a class of systems on a domain inherits first; its `_energy` takes any images and folds them.

    Attributes
    ----------
    domain : Domain
        Of the flat configurations.
    """

    domain: Domain

    def reduced_energy(self, x: Tensor) -> Tensor:
        """E / T of the folded x, less the log of its share: integrates to Z over the whole line.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_variables)
            Any real numbers.

        Returns
        -------
        Tensor, shape (n_batch,)
        """
        flat = self._field(x)
        reduced = self.beta * self._energy(flat)
        return reduced if self.domain.is_everywhere else reduced - self.domain.log_share(flat)

    def gradient(self, x: Tensor) -> Tensor:
        """Gradient of `reduced_energy`, shape of x."""
        if self.domain.is_everywhere:
            return super().gradient(x)
        return AbstractSystem.gradient(self, x)

    def to_configurations(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The points of the domain, shape (n_batch, *event_shape), of which x are images."""
        return self.domain.fold(self._field(x)).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Images of points, shape (n_batch, n_variables), drawn by their shares.

        Without a generator the points themselves, from which chains may start.
        """
        return self.domain.image(self.domain.fold(self._field(configurations)), generator)

    def settled(self, configurations: Tensor) -> Tensor:
        """Folded."""
        return self.domain.fold(configurations)

    def redrawn(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x drawn anew among the images of the same points."""
        if self.domain.is_everywhere:
            return x
        return self.domain.image(self.domain.fold(x), generator)
