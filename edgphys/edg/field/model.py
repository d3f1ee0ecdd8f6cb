# SPDX-License-Identifier: MIT
"""The generative model as a whole: sign, latents, decoder, encoder, and the variances of the path kernel.

    p(g = 0) = p_0,  p(g = +1) = p(g = -1) = (1 - p_0) / 2,    z ~ N(0, 1),    x ~ p_D(x | z, g)

g labels the two ordered phases and the configurations in which both coexist. p_0 is trained, but never below
1/50: the wide mixed component keeps the weights of rare configurations bounded, at a price of 0.02 nats where
there is no coexistence. Without a Z2 symmetry all three probabilities are trained, none below 1/50: a
metastable phase cannot be dropped.
"""

from __future__ import annotations

import copy
import math
from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.model import AbstractEDGModel, Decoded, Draw, log_normal
from edgphys.edg.core.schedules import make_schedule
from edgphys.edg.field.decoder import FieldDecoder
from edgphys.edg.field.encoder import FieldEncoder
from edgphys.edg.field.spectral import SpectralBasis
from edgphys.edg.paper.encoder import PaperEncoder
from edgphys.edg.targets.base import AbstractLatticeTarget

__all__ = ["EDGModel"]

# Least probability of a label (of the opposite phase: among the two phases).
_LEAST = 0.02
# Least share of a batch spent on each label: it must be learned before it can be frequent.
_LEAST_SHARE = 0.125


@final
class EDGModel(AbstractEDGModel):
    """Decoder and encoder for one target.

    Parameters
    ----------
    target : AbstractLatticeTarget
    n_path_steps : int
        K for which the variances of the path kernel are trained.
    decoder_size, encoder_size : tuple of int
        Channels and blocks of the two networks.
    seed : int
        Of the initial weights.
    schedule : {"angle", "sub-vp", "vp-linear"}
        "angle" is the default form, the others are the paper's, with its score network.
    """

    n_labels = 3
    _shares: Tensor | None = None

    def __init__(
        self,
        target: AbstractLatticeTarget,
        *,
        n_path_steps: int,
        decoder_size: tuple[int, int],
        encoder_size: tuple[int, int],
        seed: int,
        schedule: str = "angle",
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        start = target.gaussian_start()
        basis = SpectralBasis(start.covariance)
        self.target = target
        self.decoder = FieldDecoder(
            target, start, basis, n_channels=decoder_size[0], n_blocks=decoder_size[1], generator=generator
        )
        size = {"n_channels": encoder_size[0], "n_blocks": encoder_size[1], "generator": generator}
        if schedule == "angle":
            self.encoder = FieldEncoder(target, self.decoder, **size)
        else:
            self.encoder = PaperEncoder(target, self.decoder, make_schedule(schedule), **size)
        # log of (variance of the reverse kernel's estimate of z0) over its linear theory, per step and level.
        self.path_log_variance = nn.Parameter(torch.zeros(2, n_path_steps, basis.n_levels))
        # In units of 0.1: Adam then moves them ten times as fast as a weight.
        self.mixed_logit = nn.Parameter(torch.tensor(0.1 * _logit_above_least(start.mixed_log_odds)))
        opposite = torch.tensor(0.1 * _logit_above_least(start.opposite_log_odds))
        self.opposite_logit = nn.Parameter(opposite, requires_grad=not target.symmetric)

    @property
    def n_latent(self) -> int:
        """Latents, as many as the target has variables."""
        return self.decoder.n_latent

    @property
    def n_path_steps(self) -> int:
        """K that the path variances belong to."""
        return self.path_log_variance.shape[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.path_log_variance.device

    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        """H(z, x, sigma, g) of the encoder, shape (n_batch, n_latent)."""
        return self.encoder.drive(self.decoder, z, x, sigma, sign)

    def log_prob_label(self, x: Tensor, sign: Tensor) -> Tensor:
        """log p_E(g | x), shape (n_batch,)."""
        return self.encoder.log_prob_sign(self.decoder, x, sign)

    def label_probabilities(self) -> Tensor:
        """p(g) for g = -1, 0, +1, shape (3,)."""
        if self._shares is not None:
            return self._shares
        mixed = _LEAST + (1.0 - 2.0 * _LEAST) * torch.sigmoid(10.0 * self.mixed_logit)
        minus = 0.5
        if not self.target.symmetric:
            minus = _LEAST + (1.0 - 2.0 * _LEAST) * torch.sigmoid(10.0 * self.opposite_logit)
        return torch.stack([(1.0 - mixed) * minus, mixed, (1.0 - mixed) * (1.0 - minus)])

    def with_label_shares(self, shares: Tensor) -> EDGModel:
        """Both phases alike where the target is symmetric."""
        other = copy.copy(self)
        shares = 0.5 * (shares + shares.flip(0)) if self.target.symmetric else shares
        other._shares = (shares / shares.sum()).to(self.path_log_variance)
        return other

    def label_number(self, label: Tensor) -> Tensor:
        return label.long() + 1

    def log_prior_label(self, sign: Tensor) -> Tensor:
        """log p(g), shape (n_batch,)."""
        return torch.log(self.label_probabilities())[sign.long() + 1]

    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        """Latents, sign and x, with the density they were drawn from.

        Parameters
        ----------
        n_samples : int
        generator : torch.Generator
            On `device`.
        """
        like = {"generator": generator, "device": self.device}
        z = torch.randn(n_samples, self.decoder.n_latent, **like)
        xi = torch.randn(n_samples, self.decoder.n_dims, **like)
        labels = torch.multinomial(self.label_probabilities().detach(), n_samples, True, generator=generator)
        sign = labels.to(z.dtype) - 1.0
        x = self.decoder.add_noise(self.decoder.mean(z, sign), xi)
        log_prob = (
            self.decoder.log_prob_of_noise(xi.double()) + log_normal(z) + self.log_prior_label(sign).double()
        )
        return Draw(z, sign, x, log_prob)

    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        """A training batch; labels are stratified, with at least an eighth of the batch each."""
        like = {"generator": generator, "device": self.device}
        z = torch.randn(n_batch, self.n_latent, **like)
        xi = torch.randn(n_batch, self.decoder.n_dims, **like)
        sign, share = self._stratified_labels(n_batch)
        x = self.decoder.add_noise(self.decoder.mean(z, sign), xi)
        labels = (share * (self.log_prior_label(sign) - self.log_prob_label(x, sign))).mean()
        return Decoded(z, sign, x, share, labels - self.decoder.entropy())

    def _stratified_labels(self, n_batch: int) -> tuple[Tensor, Tensor]:
        """Labels of a batch and weights of its samples, both (n_batch,); these carry the gradient of p(g)."""
        minus, mixed, plus = self.label_probabilities()
        if self.target.symmetric:
            # One sign is enough: flipping g, z, x and the noise together changes no term.
            labels, probabilities = (0.0, 1.0), torch.stack([mixed, minus + plus])
        else:
            labels, probabilities = (-1.0, 0.0, 1.0), torch.stack([minus, mixed, plus])
        if n_batch < len(labels):
            raise ValueError(f"n_batch must be at least {len(labels)}, got {n_batch}")
        wanted = probabilities.detach().clamp(min=_LEAST_SHARE).tolist()
        counts = [max(1, round(n_batch * share / sum(wanted))) for share in wanted]
        counts[counts.index(max(counts))] += n_batch - sum(counts)
        repeats = torch.tensor(counts, device=self.device)
        sign = torch.repeat_interleave(torch.tensor(labels, device=self.device), repeats)
        return sign, torch.repeat_interleave(probabilities * n_batch / repeats, repeats)

    def denoise(
        self, z: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor, step: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As in `AbstractEDGModel`; the variance is that of the linear theory times a trained factor."""
        mean = alpha[:, None] * z + sigma[:, None] ** 2 * self.drive(z, x, sigma, label)
        variance = self.encoder.posterior_variance(sigma[:, None], label)
        if step is not None:
            factor = torch.exp(self.path_log_variance[label.abs().long(), step])
            variance = variance * self.encoder.basis.expand(factor)
        return mean, variance

    def project(self, z: Tensor) -> Tensor:
        """Coefficients of the modes."""
        return self.encoder.basis.project(z)

    def combine(self, coefficients: Tensor) -> Tensor:
        """Latents from the coefficients of the modes."""
        return self.encoder.basis.combine(coefficients)

    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """g = -1, 0 or 1 from p_E(g | x)."""
        ones = torch.ones(len(x), device=x.device, dtype=x.dtype)
        probabilities = torch.stack([torch.exp(self.log_prob_label(x, g * ones)) for g in (-1, 0, 1)], 1)
        return torch.multinomial(probabilities, 1, generator=generator)[:, 0].to(x.dtype) - 1.0

    def log_prob_given(self, x: Tensor, z: Tensor, sign: Tensor) -> Tensor:
        """log of p(g) N(z) p_D(x | z, g) at a given x, float64, shape (n_batch,)."""
        decoder = self.decoder
        xi = decoder.basis.apply_multiplier(
            (x - decoder.mean(z, sign)).double(), 1.0 / decoder.noise().double()
        )
        return decoder.log_prob_of_noise(xi) + log_normal(z) + self.log_prior_label(sign).double()


def _logit_above_least(log_odds: float) -> float:
    """The logit for which a probability held above the least has these log-odds, as the encoder assumes."""
    share = (1.0 / (1.0 + math.exp(-log_odds)) - _LEAST) / (1.0 - 2.0 * _LEAST)
    return math.log(share / (1.0 - share))
