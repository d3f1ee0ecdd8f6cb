# SPDX-License-Identifier: MIT
"""The law of one site: an exponential family whose coefficients a network gives, and the exact one.

A law belongs to a lattice system whose weight is a product over sites and bonds,

    log weight = sum_i local(x_i) + pair sum_<ij> w_ij bond(x_i, x_j) ,     bond(x, y) = <x, message(y)> ,

w_ij = 1 if bonds are of one kind. Spins and fields are their own messages, and the bracket is the product;
where a bond is no product of two numbers a message has several components (a row of the table of bonds for
states, a unit vector for angles), which run along the first dimension.

The coefficients of the learned classes come from a network that sees the window; given all neighbours the
density is exact, ``exp(local(x) + pair <x, s> - log_normaliser(s))`` with s the sum of the messages over the
neighbours, times w_ij.

Laws are learned by log q averaged over x at its exact density given other sites, on a grid of values. The
average is linear in a few moments of x (`moments`), which the reference gives once for all.

Laws of several couplings may be stacked (`stacked`) and taken out one for each sample of a batch (`rows`):
their parameters are then tensors of shape (n_batch, 1) in place of numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.network import AbstractNetwork, OddEvenNetwork

__all__ = ["AbstractLaw", "AbstractVectorLaw", "spread"]


def spread(parameter: float | Tensor, x: Tensor) -> float | Tensor:
    """A parameter as it multiplies `x`; one with a value for each sample runs along the first dimension."""
    if not torch.is_tensor(parameter):
        return parameter
    return parameter.reshape(len(parameter), *[1] * (x.dim() - 1))


class AbstractLaw(Module, ABC):
    """Declaration of a law; concrete laws are final.

    Attributes
    ----------
    n_odd, n_even : int
        Coefficients that change sign with the variables, and those that do not; of laws with an
        `OddEvenNetwork`, as those of all numbers have.
    scale : float
        Size of a variable: networks see x / scale; of numbers.
    pair : float
        Coefficient of the bonds.
    ghost : float
        What the weight of the field of a site is multiplied by, to stand in the sum of messages.
    grid : float64 tensor, shape (n_grid,)
        All values of a variable, or equidistant ones on which its density is summed.
    n_numbers : int
        Of a value; more than one run along the last dimension of x.
    by_coupling : tuple of str
        Names of the attributes that depend on the coupling.
    is_bounded : bool
        Whether the values of a site fill a finite range.
    """

    by_coupling: ClassVar[tuple[str, ...]]
    is_bounded: ClassVar[bool] = True
    n_numbers: ClassVar[int] = 1
    n_odd: int
    n_even: int
    scale: float
    pair: float | Tensor
    ghost: float | Tensor = 0.0
    grid: Tensor

    def stacked(self, laws: Sequence[Self]) -> Self:
        """`laws` of several couplings as one; they agree in all that does not depend on them; see `rows`."""
        stack = self.twin()
        for name in self.by_coupling:
            setattr(stack, name, torch.tensor([[getattr(law, name)] for law in laws]))
        return stack

    def rows(self, index: Tensor) -> Self:
        """Of a stack, those of one number per sample, int64, shape (n_batch,)."""
        chosen = self.twin()
        for name in self.by_coupling:
            setattr(chosen, name, getattr(self, name).to(index.device)[index])
        return chosen

    def network(
        self,
        n_inputs: int,
        n_edges: int,
        width: int,
        generator: torch.Generator,
        *,
        n_stacked: int | None = None,
        n_bumps: int = 0,
    ) -> AbstractNetwork:
        """The network that gives coefficients of this law; parameters as those of `OddEvenNetwork`."""
        more = {"n_stacked": n_stacked, "n_bumps": n_bumps}
        return OddEvenNetwork(n_inputs, n_edges, self.n_odd, self.n_even, width, generator, **more)

    def zeros(self, n_batch: int, n_sites: int, like: Tensor) -> Tensor:
        """Values not known yet, shape (n_batch, n_sites) or (n_batch, n_sites, n_numbers)."""
        shape = (n_batch, n_sites) if self.n_numbers == 1 else (n_batch, n_sites, self.n_numbers)
        return like.new_zeros(shape)

    def by_site(self, configurations: Tensor) -> Tensor:
        """Flat configurations (n_batch, n_variables) as values of sites, the shape of `zeros`."""
        return configurations if self.n_numbers == 1 else configurations.unflatten(1, (-1, self.n_numbers))

    def seen(self, x: Tensor) -> Tensor:
        """What networks see of x, float32, shape (...) or (n_components, ...); 0 means unknown."""
        return (x / self.scale).float()

    def message(self, x: Tensor) -> Tensor:
        """What a neighbour is told of x, shape (...) or (n_components, ...)."""
        return x

    def bond(self, x: Tensor, y: Tensor) -> Tensor:
        """<x, message(y)>, elementwise: what `pair` multiplies."""
        return x * y

    def coupled(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        """``pair <x, s>``, shape (...), s the sum of messages, shape (...) or (n_components, ...)."""
        return spread(self.pair, x) * x * neighbour_sum

    @abstractmethod
    def log_prob(self, x: Tensor, *coefficients: Tensor) -> Tensor:
        """Normalised log-density of x, shape (...), given coefficients (..., n_k) as the network gives them.

        Of an `OddEvenNetwork`: odd ones, shape (..., n_odd), and even ones, shape (..., n_even).
        """

    @abstractmethod
    def draw(self, *coefficients: Any) -> tuple[Tensor, Tensor]:
        """Values, without gradient, and their log-density, shape (...); in the dtype of the coefficients.

        The last argument is the torch.Generator.
        """

    @abstractmethod
    def moments(self, x: Tensor) -> Tensor:
        """Functions of x that log q is linear in, shape (...) -> (..., n_moments)."""

    @abstractmethod
    def mean_log_prob(self, moments: Tensor, *coefficients: Tensor) -> Tensor:
        """Average of the log-density over x of given mean `moments`, shape (...)."""

    @abstractmethod
    def local(self, x: Tensor) -> Tensor:
        """Log-weight of a site alone, elementwise."""

    @abstractmethod
    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """Log of the sum or integral of ``exp(local(x) + pair <x, s>)``, shape (...)."""

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """`log_normaliser` with ``times`` grid values more in the sum, shape (.., n) -> (.., n, n_grid).

        Parameters
        ----------
        neighbour_sum : tensor, shape (..., n)
        times : tensor, shape (n,)
            How often the site with the values of the grid is among the neighbours, or the weight of its bond.
        """
        grid = self.grid.to(neighbour_sum)
        return self.log_normaliser(neighbour_sum[..., None] + times[:, None].to(grid) * grid)

    def log_weight_on_grid(self, field: Tensor) -> Tensor:
        """``local(x) + pair <x, f>`` at all values of the grid, (.., n_batch, n) -> (n_batch, n, n_grid)."""
        grid = self.grid.to(field)[None]
        return self.local(grid)[:, None] + (spread(self.pair, grid) * grid)[:, None] * field[..., None]

    @abstractmethod
    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """Values given all neighbours, shape (...)."""

    def exact_log_prob(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        """Log-density of x given all neighbours, shape (...)."""
        return self.local(x) + self.coupled(x, neighbour_sum) - self.log_normaliser(neighbour_sum)


class AbstractVectorLaw(AbstractLaw):
    """Declaration of a law of sites whose bonds are scalar products of vectors: what a relaxation needs.

    Attributes
    ----------
    n_components : int
        Of the vectors v(x): 1 for spins, q - 1 for Potts states, 2 for angles, 3 in space. 0 where the bonds
        of a system of the family are no such products.
    """

    n_components: int

    @abstractmethod
    def vector(self, x: Tensor) -> Tensor:
        """v(x), shape (...) -> (n_components, ...), in the dtype of x; the first along a field."""

    @property
    def vector_grid(self) -> Tensor:
        """v of all values of the grid, float64, shape (n_components, n_grid)."""
        return self.vector(self.grid)

    @abstractmethod
    def seen_field(self, field: Tensor) -> Tensor:
        """What networks see of a field on the vectors, (n_components, ...) -> the shape of `seen`."""

    @abstractmethod
    def in_field(self, coefficients: tuple[Tensor, ...], field: Tensor, shift: float) -> tuple[Tensor, ...]:
        """Coefficients of the density times ``exp(field . v(x) - shift |v(x)|^2 / 2)``.

        Parameters
        ----------
        coefficients : tuple of tensors, shape (..., n_k)
        field : tensor, shape (n_components, ...)
            Gives its dtype to the result.
        shift : float
        """
