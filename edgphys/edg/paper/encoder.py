# SPDX-License-Identifier: MIT
r"""The encoder of the EDG paper: a score in its boundary form, on one of the usual schedules.

With w = t / T and c_T^2 the variance of the marginal at T,

    s(z_t, x, t, g) = (1 - w) grad_z [ log p_D(x | z, g) + log N(z) ] + w grad_z log N(z; 0, c_T^2)
                      + w (1 - w) s' ,

exact at t = 0 and without signal at t = T. grad_z log p_D(x | z, g) = J_mu^T C^{-1} (x - mu(z_t, g)) costs a
backward pass through the decoder at every call, and s' is a network in units of the linear theory, A / s by
mode.

`drive` is the same encoder on the angle schedule: with zhat = z_t / c at equal signal-to-noise ratio,

    H = [ c s(c zhat, x, t, g) + zhat ] / cos(angle) ,      0 beyond angle(T),

written so that nothing cancels. Bounds and weights of the angle schedule then apply as they stand.
`FieldEncoder` is cheaper and starts from the linear theory; this one is the reference it is compared with.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, section 3 (boundary form of the score).
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from edgphys.edg.core.networks import TimeEmbedding
from edgphys.edg.core.schedules import AbstractSchedule
from edgphys.edg.field.decoder import FieldDecoder
from edgphys.edg.field.encoder import AbstractEncoder
from edgphys.edg.field.layers import OddNetwork
from edgphys.edg.paper.time_proposal import TimeProposal
from edgphys.edg.targets.base import AbstractLatticeTarget

__all__ = ["PaperEncoder"]

_N_CONDITIONS = 32


def likelihood_score(decoder: FieldDecoder, z: Tensor, x: Tensor, sign: Tensor) -> tuple[Tensor, Tensor]:
    """grad_z log p_D(x | z, g), shape (n_batch, n_latent), and the residual x - mu(z, g).

    By ``torch.func``, so that it can be differentiated once more and works where gradients are off.
    """
    made: tuple[Any, ...] = torch.func.vjp(lambda latents: decoder.mean(latents, sign), z)
    mean, pull = made[0], made[1]
    residual = x - mean
    precision = decoder.noise().to(z.dtype) ** -2
    return pull(decoder.basis.apply_multiplier(residual, precision))[0], residual


@final
class PaperEncoder(AbstractEncoder):
    """Encoder of the paper's form for a `FieldDecoder`; see the module docstring.

    Parameters
    ----------
    target : AbstractLatticeTarget
    decoder : FieldDecoder
        Gives the modes, the initial amplitudes, and at every call mu and its derivative.
    schedule : AbstractSchedule
        Of a finite signal at its horizon: `SubVPSchedule` or `VPLinearSchedule`.
    n_channels, n_blocks : int
        Width and depth of the network s'.
    generator : torch.Generator

    Attributes
    ----------
    proposal : TimeProposal
        Learned density of t for `edgphys.edg.paper.bound.paper_bound`; saved with the weights.
    """

    def __init__(
        self,
        target: AbstractLatticeTarget,
        decoder: FieldDecoder,
        schedule: AbstractSchedule,
        *,
        n_channels: int,
        n_blocks: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(target, decoder, generator)
        self.schedule = schedule
        self.embedding = TimeEmbedding(_N_CONDITIONS, generator)
        self.network = OddNetwork(7, 1, n_channels, n_blocks, target.orbits, generator, _N_CONDITIONS)
        self.proposal = TimeProposal(schedule.horizon)
        horizon = torch.tensor(schedule.horizon, dtype=torch.float64)
        self._last_variance = 1.0 + float(schedule.variance_excess(horizon))

    def score(self, decoder: FieldDecoder, z: Tensor, x: Tensor, t: Tensor, sign: Tensor) -> Tensor:
        """s(z_t, x, t, g), shape (n_batch, n_latent).

        Parameters
        ----------
        decoder : FieldDecoder
        z : tensor, shape (n_batch, n_latent)
            In the variables of the schedule, of variance c(t)^2.
        x : tensor, shape (n_batch, n_dims)
        t : tensor, shape (n_batch,)
            In [0, T].
        sign : tensor, shape (n_batch,)
        """
        w = (t / self.schedule.horizon).to(z.dtype)[:, None]
        prior = (1.0 - w) + w / self._last_variance
        return (1.0 - w) * self._signal(decoder, z, x, t, sign) - prior * z

    def drive(self, decoder: FieldDecoder, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        """H of the module docstring, from the score."""
        wide = sigma.double()
        alpha = torch.sqrt((1.0 - wide**2).clamp(min=0.0))
        t = self.schedule.time(torch.atan2(wide, alpha))
        excess, w = self.schedule.variance_excess(t), t / self.schedule.horizon
        last = self._last_variance
        # 1 - c^2 (1 - w + w / c_T^2), and like (1 - w) zero at T.
        rest = w * (last - 1.0 - excess) / last - (1.0 - w) * excess
        scale = torch.sqrt(1.0 + excess)
        coefficients = torch.stack([scale * (1.0 - w), rest]) / alpha.clamp(min=1e-12)
        # Also by rounding: at T and beyond there is no signal.
        signal, own = torch.where(w < 1.0, coefficients, 0.0).to(z.dtype)[..., None]
        noisy = scale.to(z.dtype)[:, None] * z
        return signal * self._signal(decoder, noisy, x, t, sign) + own * z

    def _signal(self, decoder: FieldDecoder, z: Tensor, x: Tensor, t: Tensor, sign: Tensor) -> Tensor:
        """grad log p_D(x | z, g) + w s'."""
        gradient, residual = likelihood_score(decoder, z, x, sign)
        w = (t / self.schedule.horizon).to(z.dtype)
        amplitude, noise = self.amplitude(sign).to(z.dtype), self.noise().to(z.dtype)
        sigma = torch.sin(self.schedule.angle(t)).to(z.dtype)[:, None]
        width = torch.sqrt(noise**2 + sigma**2 * amplitude**2)
        modes = self.basis.project(residual)
        linear, rho, sharp = self.basis.combine(
            torch.stack([amplitude * self.basis.project(z), modes / width, modes / noise])
        )
        # `sharp` is the one of the gradient, which s' has to take back at large t.
        inputs = torch.stack([z, linear / self.scale, x / self.size, rho, sharp, *decoder.constants(sign, z)])
        learned = self.network(inputs, self.embedding(w))[0]
        return gradient + w[:, None] * self.basis.apply_multiplier(learned, amplitude / noise)
