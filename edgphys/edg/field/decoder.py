# SPDX-License-Identifier: MIT
"""The field decoder: a spectral linear map, an odd equivariant network, and noise with a spectrum.

    x | z, g ~ N(mu(z, g), C),       z ~ N(0, 1)^n,   g = +1, -1 or 0,
    mu(z, g) = g M + S_|g| z + f(z, S_|g| z, g),       S = V diag(A_k) V^T,     C = V diag(s_k^2) V^T

V are the modes of the Hartree covariance (momenta, on a torus). At the start f = 0, M is the Hartree mean and
A_k^2 + s_k^2 the Hartree variance of mode k. For every symmetry T of the lattice ``mu(T z, g) = T mu(z, g)``,
and ``mu(-z, -g) = -mu(z, g)``: with the signs g = +1 and -1 equally likely both signs of the order parameter
are. g = 0 stands for configurations in which both phases coexist; its amplitudes start from the symmetric
Hartree solution. Where the system has no such symmetry, in a field, the phases have means and probabilities
of their own, and a constant joins the inputs of the network, which then need not be odd.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.field.layers import OddNetwork
from edgphys.edg.field.spectral import SpectralBasis
from edgphys.edg.targets.base import AbstractLatticeTarget
from edgphys.edg.targets.gaussian_start import GaussianStart

__all__ = ["FieldDecoder"]

# Output noise over the smallest Hartree variance: half of the stiffest mode is noise. More makes the
# posterior of z simpler, less lets the network shape every mode; 0.25 to 0.75 gave the same bound.
_NOISE_SHARE = 0.5


@final
class FieldDecoder(Module):
    """One-shot map of latents to the variables of a target; see the module docstring.

    Parameters
    ----------
    target : AbstractLatticeTarget
    start : GaussianStart
    basis : SpectralBasis
        Modes of ``start.covariance``.
    n_channels, n_blocks : int
        Width and depth of the network.
    generator : torch.Generator
        For the initial weights.

    Attributes
    ----------
    n_latent, n_dims : int
        Equal here.
    mixed_log_odds, opposite_log_odds : float
        Log-odds of g = 0, and log of p(g = -1) / p(g = +1), at the start.
    """

    def __init__(
        self,
        target: AbstractLatticeTarget,
        start: GaussianStart,
        basis: SpectralBasis,
        *,
        n_channels: int,
        n_blocks: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_latent = self.n_dims = target.n_dims
        self.basis = basis
        # Row |g|: mixed configurations, then one phase.
        variances = torch.tensor(np.stack([basis.level_variances(start.mixed_covariance), basis.variances]))
        noise = _NOISE_SHARE * variances.min()
        self.log_noise = nn.Parameter((0.5 * torch.log(noise.expand(basis.n_levels))).float())
        self.log_amplitude = nn.Parameter((0.5 * torch.log(variances - noise)).float())
        self.mixed_log_odds, self.opposite_log_odds = start.mixed_log_odds, start.opposite_log_odds
        self.order = nn.Parameter(torch.tensor(1.0 if abs(start.mean).max() > 0.0 else 0.0))
        tilted = not target.symmetric
        self.order_opposite = nn.Parameter(torch.tensor(float(start.opposite)), requires_grad=tilted)
        self.register_buffer("tilt", torch.full((self.n_dims,), float(tilted)), persistent=False)
        profile = start.mean if abs(start.mean).max() > 0.0 else target.pattern
        self.scale = math.sqrt(float(start.covariance.trace()) / self.n_dims)
        self.register_buffer("profile", torch.tensor(profile, dtype=torch.float32), persistent=False)
        self.register_buffer("pattern", torch.tensor(target.pattern, dtype=torch.float32), persistent=False)
        self.network = OddNetwork(4, 1, n_channels, n_blocks, target.orbits, generator)

    def amplitude(self, sign: Tensor) -> Tensor:
        """A_k for the label of each sample, one value per eigenvector, shape (n_batch, n_dims)."""
        return self.basis.expand(torch.exp(self.log_amplitude))[sign.abs().long()]

    def noise(self) -> Tensor:
        """s_k, shape (n_dims,)."""
        return self.basis.expand(torch.exp(self.log_noise))

    def mean(self, z: Tensor, sign: Tensor) -> Tensor:
        """mu(z, g), shape (n_batch, n_dims).

        Parameters
        ----------
        z : tensor, shape (n_batch, n_latent)
        sign : tensor, shape (n_batch,)
            g.
        """
        linear = self.basis.apply_multiplier(z, self.amplitude(sign).to(z.dtype))
        inputs = [z, linear / self.scale, *self.constants(sign, z)]
        correction = self.network(torch.stack(inputs))[0]
        order = torch.where(sign < 0, self.order_opposite, 1.0) * self.order * sign
        return order[:, None].to(z.dtype) * self.profile.to(z.dtype) + linear + self.scale * correction

    def constants(self, sign: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of the networks that carry no field: g times the pattern of order, and the tilt."""
        return sign[:, None] * self.pattern.to(like.dtype), self.tilt.to(like.dtype).expand_as(like)

    def add_noise(self, mean: Tensor, xi: Tensor) -> Tensor:
        """x = mean + C^{1/2} xi."""
        return mean + self.basis.apply_multiplier(xi, self.noise().to(xi.dtype))

    def log_prob_of_noise(self, xi: Tensor) -> Tensor:
        """log p_D(x | z, g) of x = mu + C^{1/2} xi, shape (n_batch,), dtype of xi."""
        log_det = self.basis.expand(self.log_noise).to(xi.dtype).sum()
        return -0.5 * (xi * xi).sum(1) - log_det - 0.5 * self.n_dims * math.log(2.0 * math.pi)

    def entropy(self) -> Tensor:
        """-<log p_D(x | z, g)>, the same for every z."""
        return 0.5 * self.n_dims * (1.0 + math.log(2.0 * math.pi)) + self.basis.expand(self.log_noise).sum()
