# SPDX-License-Identifier: MIT
"""What the laws of unit vectors share, in the plane and in space: the exponent beta (J s + h), its sums."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from edgphys.edg.refinement.law import AbstractVectorLaw, spread

__all__ = ["AbstractRotorLaw"]


class AbstractRotorLaw(AbstractVectorLaw):
    """Declaration of a law of unit vectors; `message` gives the components.

    Parameters
    ----------
    reduced_coupling, reduced_field : float
        beta J and beta h.
    with_field : bool, optional
        Whether networks know the direction of the field; default: if there is one.
    """

    by_coupling: ClassVar[tuple[str, ...]] = ("pair", "bias")

    def __init__(self, reduced_coupling: float, reduced_field: float, with_field: bool | None) -> None:
        super().__init__()
        self.pair, self.bias = float(reduced_coupling), float(reduced_field)
        self.with_field = self.bias != 0.0 if with_field is None else with_field

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """From the squares of the sums."""
        given, unit = self._given(neighbour_sum), self.message(self.grid.to(neighbour_sum))
        more = spread(self.pair, given[0]) * times.to(given)
        along = torch.einsum("c...,cg->...g", given, unit)
        square = (given.square().sum(0) + more.square())[..., None] + 2.0 * more[..., None] * along
        return self._log_normaliser_of(square.clamp(min=0.0))

    def log_weight_on_grid(self, field: Tensor) -> Tensor:
        return torch.einsum("c...,cg->...g", self._given(field), self.message(self.grid.to(field)))

    @abstractmethod
    def _given(self, neighbour_sum: Tensor) -> Tensor:
        """beta (J s + h), the exponent's vector."""

    @abstractmethod
    def _log_normaliser_of(self, square: Tensor) -> Tensor:
        """log of the normaliser by the square of that vector."""
