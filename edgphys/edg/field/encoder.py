# SPDX-License-Identifier: MIT
r"""The encoder: a diffusion model of the latents given x, and the probability of the sign given x.

Forward diffusion on the angle schedule, ``z_t = alpha z0 + sigma eps``, ``alpha^2 + sigma^2 = 1``. The score
is written as

    grad log p(z_t | x) = -z_t + alpha H(z_t, x, sigma, g),      <z0 | z_t, x> = alpha z_t + sigma^2 H .

For a linear decoder it is that of the Gaussian posterior, H = A (s^2 + sigma^2 A^2)^{-1} (x - alpha A z_t)
mode by mode. Here the residual is that of the trained decoder, and a network corrects it in normalised units:

    H = D [ rho + h(z_t, S z_t, x, rho, S rho, g; sigma) ],     D_k = A_k / r_k,
    rho = r^{-1} (x - mu(alpha z_t, g)),     r_k^2 = s_k^2 + sigma^2 A_k^2 .

H has the symmetries of the decoder: ``H(T z, T x) = T H(z, x)`` and odd under a change of sign of (z, x, g).
The sign is a logistic model, ``p_E(g | x) = sigmoid(g l(x))`` with l odd and invariant.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, Th. 1 (the diffusion encoder).
Bishop, Pattern Recognition and Machine Learning, Springer (2006), Eq. 2.116 (the linear theory).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import TimeEmbedding
from edgphys.edg.field.decoder import FieldDecoder
from edgphys.edg.field.layers import OddNetwork
from edgphys.edg.targets.base import AbstractLatticeTarget

__all__ = ["AbstractEncoder", "FieldEncoder"]

_N_CONDITIONS = 32


class AbstractEncoder(Module, ABC):
    """What the encoders of a `FieldDecoder` share: the linear theory mode by mode, and the model of the sign.

    Parameters
    ----------
    target : AbstractLatticeTarget
    decoder : FieldDecoder
        Gives the modes and the initial amplitudes.
    generator : torch.Generator
        For the initial weights.
    """

    def __init__(
        self, target: AbstractLatticeTarget, decoder: FieldDecoder, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.n_dims, self.n_latent, self.basis = target.n_dims, decoder.n_latent, decoder.basis
        self.log_noise = nn.Parameter(decoder.log_noise.detach().clone())
        self.log_amplitude = nn.Parameter(decoder.log_amplitude.detach().clone())
        self.scale = decoder.scale
        self.size = math.sqrt(
            decoder.scale**2 + float((decoder.order.detach() * decoder.profile).square().mean())
        )
        # The constant in units of 0.1, for a larger rate of learning.
        start = _label_start(decoder, self.size)
        self.sign_slope, self.mixed_bias, self.mixed_slope, bias = (
            nn.Parameter(torch.tensor(v)) for v in start
        )
        self.sign_bias = bias.requires_grad_(not target.symmetric)
        self.sign_network = OddNetwork(2, 2, 8, 2, target.orbits, generator)

    @abstractmethod
    def drive(self, decoder: FieldDecoder, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        """H(z, x, sigma, g), shape (n_batch, n_latent).

        Parameters
        ----------
        decoder : FieldDecoder
        z : tensor, shape (n_batch, n_latent)
            Noisy latents.
        x : tensor, shape (n_batch, n_dims)
        sigma : tensor, shape (n_batch,)
            In [0, 1].
        sign : tensor, shape (n_batch,)
        """

    def amplitude(self, sign: Tensor) -> Tensor:
        """A_k of the linear theory for the label of each sample, shape (n_batch, n_dims)."""
        return self.basis.expand(torch.exp(self.log_amplitude))[sign.abs().long()]

    def noise(self) -> Tensor:
        """s_k of the linear theory, shape (n_dims,)."""
        return self.basis.expand(torch.exp(self.log_noise))

    def log_prob_sign(self, decoder: FieldDecoder, x: Tensor, sign: Tensor) -> Tensor:
        """log p_E(g | x), shape (n_batch,): softmax of (-l, q, l) for g = -1, 0, 1; l odd, q even in x."""
        scaled, pattern = x / self.size, decoder.pattern.to(x.dtype)
        order = (pattern * scaled).mean(1)
        odd, other = self.sign_network(torch.stack([scaled, decoder.tilt.to(x.dtype).expand_as(x)]))
        ordered = self.sign_bias + self.sign_slope * order + self.n_dims * (pattern * odd).mean(1)
        mixed = 10.0 * self.mixed_bias + self.mixed_slope * order**2 + self.n_dims * (other * scaled).mean(1)
        log_probs = F.log_softmax(torch.stack([-ordered, mixed, ordered], 1), 1)
        return log_probs.gather(1, sign[:, None].long() + 1)[:, 0]

    def posterior_variance(self, sigma: Tensor, sign: Tensor) -> Tensor:
        """Var(z0 | z_t, x, g) of the linear theory by mode, (n_batch, n_latent); sigma (n_batch or 1, 1)."""
        ratio = (self.amplitude(sign) / self.noise()).to(sigma.dtype) ** 2
        return sigma**2 / (1.0 + sigma**2 * ratio)


def _label_start(decoder: FieldDecoder, size: float) -> tuple[float, float, float, float]:
    """Slope of l, constant and curvature of q, constant of l: right for Gaussians along the order parameter.

    With o the order parameter, m_g its mean in a phase, c and c0 its variances per site in a phase and mixed:
    log p(o | g) = -n (o - m_g)^2 / 2c, -n o^2 / 2 c0, all up to normalisation. o is measured in units of
    `size`.
    """
    n = decoder.n_dims
    pattern = decoder.pattern.double()
    mean = float((pattern * decoder.profile.double()).mean()) * float(decoder.order.detach())
    total = (torch.exp(2 * decoder.log_amplitude) + torch.exp(2 * decoder.log_noise)).detach().double()
    weights = decoder.basis.project(pattern).square() / n
    mixed, ordered = (float((weights * decoder.basis.expand(row)).sum()) for row in total)
    opposite = -mean * float(decoder.order_opposite.detach())
    spread = 0.25 * n * (mean**2 + opposite**2) / ordered
    bias = decoder.mixed_log_odds + math.log(2.0) + spread + 0.5 * math.log(ordered / mixed)
    tilt = -0.5 * decoder.opposite_log_odds - 0.25 * n * (mean**2 - opposite**2) / ordered
    slope = 0.5 * n * (mean - opposite) * size / ordered
    return slope, 0.1 * bias, 0.5 * n * size**2 * (1.0 / ordered - 1.0 / mixed), tilt


@final
class FieldEncoder(AbstractEncoder):
    """Encoder that goes with `FieldDecoder`; see the module docstring.

    Parameters
    ----------
    target : AbstractLatticeTarget
    decoder : FieldDecoder
        Gives the modes, the initial amplitudes, and at every call mu.
    n_channels, n_blocks : int
        Width and depth of the network.
    generator : torch.Generator
    """

    def __init__(
        self,
        target: AbstractLatticeTarget,
        decoder: FieldDecoder,
        *,
        n_channels: int,
        n_blocks: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(target, decoder, generator)
        self.embedding = TimeEmbedding(_N_CONDITIONS, generator)
        self.network = OddNetwork(7, 1, n_channels, n_blocks, target.orbits, generator, _N_CONDITIONS)

    def drive(self, decoder: FieldDecoder, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        """H as in the module docstring."""
        alpha = torch.sqrt((1.0 - sigma * sigma).clamp(min=0.0))[:, None]
        amplitude, noise = self.amplitude(sign).to(z.dtype), self.noise().to(z.dtype)
        width = torch.sqrt(noise**2 + sigma[:, None] ** 2 * amplitude**2)
        residual = self.basis.project(x - decoder.mean(alpha * z, sign))
        coefficients = torch.stack(
            [amplitude * self.basis.project(z), residual / width, residual * amplitude / width]
        )
        linear, rho, smooth = self.basis.combine(coefficients)
        inputs = [
            z,
            linear / self.scale,
            x / self.size,
            rho,
            smooth / self.scale,
            *decoder.constants(sign, z),
        ]
        correction = self.network(torch.stack(inputs), self.embedding(sigma))[0]
        return self.basis.apply_multiplier(rho + correction, amplitude / width)
