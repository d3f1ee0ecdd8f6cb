# SPDX-License-Identifier: MIT
"""Odd, equivariant layers on any finite lattice, for features laid out as (n_channels, n_batch, n_sites).

* `OrbitConvolution` mixes sites by one matrix per channel, constant on the orbits of pairs of sites under the
  space group: it commutes with every symmetry and reaches across the whole lattice. One batched product.
* `OddBlock` mixes channels: linear features times a sigmoid of squared features, hence odd under a change of
  sign of all inputs. A symmetry that sends the field to its negative is kept by construction.
* `OddNetwork` is a stack of blocks that starts as the zero map.

The cost is n_sites^2 per channel and field: meant for up to a few thousand sites.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import gaussian_parameter

__all__ = ["OddBlock", "OddNetwork", "OrbitConvolution"]


class OrbitConvolution(Module):
    """One equivariant n_sites x n_sites matrix per channel.

    Parameters
    ----------
    n_channels : int
    orbits : int array, shape (n_sites, n_sites)
        Orbit label of each pair of sites, symmetric.
    generator : torch.Generator
        For the initial weights, which give every orbit the same share of the output's variance.
    """

    def __init__(self, n_channels: int, orbits: NDArray, generator: torch.Generator) -> None:
        super().__init__()
        n_sites, n_orbits = len(orbits), int(orbits.max()) + 1
        sizes = np.bincount(orbits.ravel(), minlength=n_orbits) / n_sites
        scale = torch.tensor(1.0 / np.sqrt(sizes * n_orbits), dtype=torch.float32)
        self.n_sites = n_sites
        self.weight = gaussian_parameter((n_channels, n_orbits), 1.0, generator)
        self.register_buffer("scale", scale, persistent=False)
        self.register_buffer("orbits", torch.tensor(orbits.ravel()), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """(n_channels, n_batch, n_sites) -> the same shape."""
        kernel = (self.weight * self.scale)[:, self.orbits].view(-1, self.n_sites, self.n_sites)
        return torch.bmm(features, kernel.to(features.dtype))


class OddBlock(Module):
    """``h + W2 [ (W1 u) * sigmoid(Wg u^2 + b) ]`` with u = (convolved h, h), modulated by a condition.

    Parameters
    ----------
    n_channels : int
    orbits : int array, shape (n_sites, n_sites)
    n_conditions : int
        Length of the condition vector; 0 for none.
    generator : torch.Generator
    """

    def __init__(
        self, n_channels: int, orbits: NDArray, n_conditions: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        n_hidden, n_inputs = 2 * n_channels, 2 * n_channels
        self.mix = OrbitConvolution(n_channels, orbits, generator)
        self.linear = gaussian_parameter((n_hidden, n_inputs), n_inputs**-0.5, generator)
        self.gate = gaussian_parameter((n_hidden, n_inputs), n_inputs**-0.5, generator)
        self.gate_bias = nn.Parameter(torch.zeros(n_hidden, 1, 1))
        self.out = gaussian_parameter((n_channels, n_hidden), 0.3 * n_hidden**-0.5, generator)
        # Feature-wise modulation: (1 + a) on the odd factor, + b inside the even one. Zero at the start.
        self.modulation = nn.Parameter(torch.zeros(2 * n_hidden, n_conditions)) if n_conditions else None

    def forward(self, features: Tensor, condition: Tensor | None = None) -> Tensor:
        """(n_channels, n_batch, n_sites), condition (n_batch, n_conditions) -> the shape of `features`."""
        n_channels, n_batch, n_sites = features.shape
        both = torch.cat([self.mix(features), features]).reshape(2 * n_channels, -1)
        odd = (self.linear @ both).view(-1, n_batch, n_sites)
        even = (self.gate @ (both * both)).view(-1, n_batch, n_sites) + self.gate_bias
        if self.modulation is not None:
            assert condition is not None
            scale, shift = (self.modulation @ condition.T)[..., None].chunk(2)
            odd, even = odd * (1.0 + scale), even + shift
        update = self.out @ (odd * torch.sigmoid(even)).view(-1, n_batch * n_sites)
        return features + update.view(n_channels, n_batch, n_sites)


class OddNetwork(Module):
    """An odd equivariant map of several fields to several fields; zero at the start.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Numbers of fields.
    n_channels, n_blocks : int
        Width and depth.
    orbits : int array, shape (n_sites, n_sites)
    generator : torch.Generator
    n_conditions : int
        Length of the condition vector; 0 for none.
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        n_channels: int,
        n_blocks: int,
        orbits: NDArray,
        generator: torch.Generator,
        n_conditions: int = 0,
    ) -> None:
        super().__init__()
        self.lift = gaussian_parameter((n_channels, n_inputs), n_inputs**-0.5, generator)
        self.blocks = nn.ModuleList(
            OddBlock(n_channels, orbits, n_conditions, generator) for _ in range(n_blocks)
        )
        self.head = nn.Parameter(torch.zeros(n_outputs, n_channels))

    def forward(self, fields: Tensor, condition: Tensor | None = None) -> Tensor:
        """(n_inputs, n_batch, n_sites) -> (n_outputs, n_batch, n_sites)."""
        n_inputs, n_batch, n_sites = fields.shape
        features = (self.lift @ fields.reshape(n_inputs, -1)).view(-1, n_batch, n_sites)
        for block in self.blocks:
            features = block(features, condition)
        return (self.head @ features.reshape(len(features), -1)).view(-1, n_batch, n_sites)
