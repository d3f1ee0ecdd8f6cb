# SPDX-License-Identifier: MIT
"""The law of one site: an exponential family whose coefficients a network gives, and the exact one.

A law belongs to a lattice system whose weight is a product over sites and bonds,

    log weight = sum_i local(x_i) + pair sum_<ij> x_i x_j .

The coefficients of the learned classes come from a network that sees the window; given all neighbours the
density is exact, ``exp(local(x) + pair x s - log_normaliser(s))`` with s the sum over the neighbours.

Laws are learned by log q averaged over x at its exact density given other sites, on a grid of values. The
average is linear in a few moments of x (`moments`), which the reference gives once for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from edgphys.edg.core.module import Module

__all__ = ["AbstractLaw"]


class AbstractLaw(Module, ABC):
    """Declaration of a law; concrete laws are final.

    Attributes
    ----------
    n_odd, n_even : int
        Coefficients that change sign with the variables, and those that do not.
    scale : float
        Size of a variable: networks see x / scale.
    pair : float
        Coefficient of the bonds.
    grid : float64 tensor, shape (n_grid,)
        All values of a variable, or equidistant ones on which its density is summed.
    """

    n_odd: int
    n_even: int
    scale: float
    pair: float
    grid: Tensor

    @abstractmethod
    def log_prob(self, x: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """Normalised log-density of x, shape (...), given coefficients (..., n_odd) and (..., n_even)."""

    @abstractmethod
    def draw(self, odd: Tensor, even: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Values, without gradient, and their log-density, shape (...); in the dtype of the coefficients."""

    @abstractmethod
    def moments(self, x: Tensor) -> Tensor:
        """Functions of x that log q is linear in, shape (...) -> (..., n_moments)."""

    @abstractmethod
    def mean_log_prob(self, moments: Tensor, odd: Tensor, even: Tensor) -> Tensor:
        """Average of the log-density over x of given mean `moments`, shape (...)."""

    @abstractmethod
    def local(self, x: Tensor) -> Tensor:
        """Log-weight of a site alone, elementwise."""

    @abstractmethod
    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """Log of the sum or integral of ``exp(local(x) + pair x s)``, elementwise."""

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """`log_normaliser` with ``times`` grid values more in the sum, shape (..., n) -> (..., n, n_grid).

        Parameters
        ----------
        neighbour_sum : tensor, shape (..., n)
        times : tensor, shape (n,)
            Whole numbers: how often the site with the values of the grid is among the neighbours.
        """
        grid = self.grid.to(neighbour_sum)
        return self.log_normaliser(neighbour_sum[..., None] + times[:, None].to(grid) * grid)

    @abstractmethod
    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """Values given all neighbours, elementwise."""

    def exact_log_prob(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        """Log-density of x given all neighbours, elementwise."""
        return self.local(x) + self.pair * x * neighbour_sum - self.log_normaliser(neighbour_sum)
