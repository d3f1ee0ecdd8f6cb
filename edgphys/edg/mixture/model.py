# SPDX-License-Identifier: MIT
r"""The generative model of a continuous system of a few variables, or of many blocks of them.

    x = (x^1 .. x^B) blocks,   c^b ~ p(c),   z^b ~ N(0, 1),   x^b ~ p_D(x^b | z^b, c^b)

with one decoder and one encoder for all blocks (they are exchangeable, as are the pairs of the many-well
energy); B = 1 for all other systems. The energy that is trained on, and that the weights take, is that of the
whole x.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.model import AbstractEDGModel, Decoded, Draw, log_normal
from edgphys.edg.core.module import Module
from edgphys.edg.mixture.encoder import ContinuousEncoder
from edgphys.edg.targets.continuous import AbstractCountedTarget

__all__ = ["ContinuousModel"]

# Least share of a batch for each label, over that of equal shares.
_LEAST_SHARE = 0.2
_LOG_2PI = math.log(2.0 * math.pi)


@final
class ContinuousModel(AbstractEDGModel):
    """Decoder, encoder and shares of the labels.

    Parameters
    ----------
    target : AbstractCountedTarget
    decoder : MixtureDecoder or HamiltonianDecoder
        Of one block.
    log_prior : tensor, shape (n_labels,)
        log p(c) at the start, up to the least shares.
    n_blocks, n_path_steps : int
    diffusion : bool
        False: the encoder is one Gaussian, as in a variational autoencoder; then n_path_steps is 1.
    size : tuple of int
        Width and depth of the encoder's networks.
    generator : torch.Generator
    least_shares : tensor, shape (n_labels,), optional
        Which p(c) cannot fall below; the rest of p(c) is trained. Default: zeros.
    """

    def __init__(
        self,
        target: AbstractCountedTarget,
        decoder: Module,
        log_prior: Tensor,
        *,
        n_blocks: int,
        n_path_steps: int,
        diffusion: bool,
        size: tuple[int, int],
        generator: torch.Generator,
        least_shares: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.target, self.decoder, self.n_blocks = target, decoder, n_blocks
        self.with_force = decoder.has_force
        self.encoder = ContinuousEncoder(decoder, self.with_force, diffusion, size, generator)
        self.label_logits = nn.Parameter(log_prior.float().clone())
        least = torch.zeros(len(log_prior)) if least_shares is None else least_shares.float()
        self.register_buffer("least_shares", least)
        self._has_floor = bool(least.any())
        self.n_path_steps = n_path_steps
        self.n_latent = n_blocks * decoder.n_latent
        # A factor of the variances of each step, and group of latents: what the linear theory misses.
        self.path_log_variance = nn.Parameter(torch.zeros(n_path_steps, decoder.n_latent))

    @property
    def device(self) -> torch.device:
        return self.label_logits.device

    def at_couplings(self, couplings: Mapping[str, float]) -> ContinuousModel:
        other = self.twin()
        other.target = self.target.at(couplings)
        other.decoder = self.decoder.driven_by(other.target.gradient)
        return other

    def _blocks(self, values: Tensor) -> Tensor:
        return values.reshape(len(values) * self.n_blocks, -1)

    def _log_probs(self) -> Tensor:
        return torch.log(self._shares()) if self._has_floor else torch.log_softmax(self.label_logits, 0)

    def _shares(self) -> Tensor:
        """p(c)."""
        trained = torch.softmax(self.label_logits, 0)
        return self.least_shares + (1.0 - self.least_shares.sum()) * trained if self._has_floor else trained

    def _load_from_state_dict(self, state_dict, prefix, *rest):
        """As torch does it; models of before had no least shares."""
        state_dict.setdefault(prefix + "least_shares", torch.zeros_like(self.least_shares))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        like = {"generator": generator, "device": self.device}
        z = torch.randn(n_samples, self.n_latent, **like)
        shares = self._shares().detach()
        label = torch.multinomial(shares, n_samples * self.n_blocks, True, generator=generator)
        x, log_prob = self._decoded(z, label, generator)
        label = label.view(n_samples, self.n_blocks)
        log_prob = log_prob.double() + log_normal(z) + self.log_prior_label(label).double()
        return Draw(z, label, x, log_prob)

    def _decoded(self, z: Tensor, label: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """x, and log p_D(x | z, c) in float64, from labels by block, (n_batch * n_blocks,)."""
        mean, log_sd = self.decoder.centre(self._blocks(z), label)
        xi = torch.randn(mean.shape, generator=generator, device=z.device, dtype=z.dtype)
        y = mean + torch.exp(log_sd) * xi
        log_prob = -(0.5 * xi.double() ** 2 + log_sd + 0.5 * _LOG_2PI).sum(1)
        log_prob = log_prob - self.decoder.frames.log_dets[label]
        x = self.decoder.frames.outward(y, label)
        return x.reshape(len(z), -1), log_prob.view(len(z), -1).sum(1)

    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        like = {"generator": generator, "device": self.device}
        z = torch.randn(n_batch, self.n_latent, **like)
        log_probs = self._log_probs()
        shares = self._shares().detach()
        if self.n_blocks == 1:
            least = _LEAST_SHARE / len(shares)
            wanted = least + (1.0 - _LEAST_SHARE) * shares
            offset = torch.rand(1, **like)
            points = (torch.arange(n_batch, device=self.device) + offset) / n_batch
            label = torch.searchsorted(torch.cumsum(wanted, 0), points).clamp(max=len(shares) - 1)
            share = torch.exp(log_probs[label]) / wanted[label]
        else:
            # The shares stay near those of the search: no gradient of them passes through the energy, whose
            # noise grows with the number of blocks.
            label = torch.multinomial(shares, n_batch * self.n_blocks, True, generator=generator)
            share = torch.ones(n_batch, device=self.device)
        x, log_prob = self._decoded(z, label, generator)
        label = label.view(n_batch, self.n_blocks)
        rest = log_prob.float() + self.log_prior_label(label) - self.log_prob_label(x, label)
        return Decoded(z, label, x, share, (share * rest).mean())

    def _drive(self, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        flat, rows = label.reshape(-1), self._blocks(x)
        force = None
        if self.with_force:
            force = self.decoder.force(self.decoder.frames.inward(rows, flat), flat)
        sigma = sigma.repeat_interleave(self.n_blocks)
        drive, variance = self.encoder.drive(self.decoder, self._blocks(z), rows, sigma, flat, force)
        return drive.view(len(z), -1), variance.view(len(z), -1)

    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        return self._drive(z, x, sigma, label)[0]

    def denoise(
        self, z: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor, step: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        drive, variance = self._drive(z, x, sigma, label)
        if step is not None:
            variance = variance * torch.exp(self.path_log_variance[step]).repeat(1, self.n_blocks)
        return alpha[:, None] * z + sigma[:, None] ** 2 * drive, variance

    def project(self, z: Tensor) -> Tensor:
        return self.encoder.project(self._blocks(z)).view(len(z), -1)

    def combine(self, coefficients: Tensor) -> Tensor:
        return self.encoder.combine(self._blocks(coefficients)).view(len(coefficients), -1)

    def log_prior_label(self, label: Tensor) -> Tensor:
        return self._log_probs()[label].sum(1)

    def _label_log_probs(self, x: Tensor) -> Tensor:
        """log p_E(c | x) of every label, shape (n_batch * n_blocks, n_labels)."""
        return torch.log_softmax(
            self.encoder.label_logits(self.decoder, self._blocks(x), self._log_probs()), 1
        )

    def log_prob_label(self, x: Tensor, label: Tensor) -> Tensor:
        chosen = self._label_log_probs(x).gather(1, label.reshape(-1, 1))
        return chosen.view(len(x), -1).sum(1)

    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        probabilities = torch.exp(self._label_log_probs(x))
        return torch.multinomial(probabilities, 1, generator=generator).view(len(x), -1)

    def log_prob_given(self, x: Tensor, z: Tensor, label: Tensor) -> Tensor:
        flat = label.reshape(-1)
        mean, log_sd = self.decoder.centre(self._blocks(z), flat)
        y = self.decoder.frames.inward(self._blocks(x).double(), flat)
        xi = (y - mean.double()) / torch.exp(log_sd.double())
        log_prob = -(0.5 * xi**2 + log_sd + 0.5 * _LOG_2PI).sum(1) - self.decoder.frames.log_dets[flat]
        return log_prob.view(len(x), -1).sum(1) + log_normal(z) + self.log_prior_label(label).double()
