# SPDX-License-Identifier: MIT
"""Two bounds on KL(model || target) - log Z, both trained by plain gradients: minus each is a bound on log Z.

Continuous time. With z_t = alpha z0 + sigma eps, u = alpha eps - sigma z0, sigma uniform on [0, 1],

    L = E[ log p_D(x | z0, g) + U(x) - log p_E(g | x) + log p(g) ] + int_0^1 dsigma E[ sigma |H|^2 + 2 H.u ] .

Pairs (+eps, -eps) at the same z0, x, sigma keep the variance finite as sigma -> 0, and sigma is stratified
over the batch. No derivative of H is taken: Stein's identity has turned the divergence of the score into H.u.

Discrete path of K steps: minus the average log weight of `path`, with the conditional averages over
intermediate z_k done in closed form (each step is a KL between Gaussians), one stratified step per sample.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, Th. 1.
Hyvarinen, Journal of Machine Learning Research 6, 695 (2005), Th. 1 (the partial integration).
Ho, Jain, Abbeel, arXiv:2006.11239, Eq. 5-7 (the discrete terms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.core.model import AbstractEDGModel, Decoded
from edgphys.edg.core.path import step_table
from edgphys.edg.core.walls import walled_energy

__all__ = ["Loss", "batch_loss", "continuous_bound", "path_bound"]


@dataclass(frozen=True)
class Loss:
    """A noisy value of a bound; its two parts tell where a failure comes from.

    Attributes
    ----------
    energy : scalar tensor
        Mean of the target's energy under the decoder.
    rest : scalar tensor
        Everything else.
    """

    energy: Tensor
    rest: Tensor

    @property
    def total(self) -> Tensor:
        """The bound."""
        return self.energy + self.rest


def _antithetic_noise(n: int, model: AbstractEDGModel, generator: torch.Generator) -> Tensor:
    eps = torch.randn(n, model.n_latent, generator=generator, device=model.device)
    return torch.cat([eps, -eps])


def _twice(label: Tensor) -> Tensor:
    return torch.cat([label, label])


def _encoder_of(model: AbstractEDGModel, batch: Decoded) -> AbstractEDGModel:
    """The model at the couplings of the pairs of a batch."""
    return model.at(None if batch.condition is None else _twice(batch.condition))


def continuous_bound(model: AbstractEDGModel, n_batch: int, generator: torch.Generator) -> Loss:
    """The continuous-time bound from `n_batch` decoder samples, an antithetic pair each.

    Parameters
    ----------
    model : AbstractEDGModel
    n_batch : int
    generator : torch.Generator
        On the model's device.
    """
    batch = model.decode(n_batch, generator)
    like = {"generator": generator, "device": model.device}
    strata = torch.randperm(n_batch, **like) + torch.rand(1, **like)
    sigma = (strata / n_batch).repeat(2)
    alpha = torch.sqrt(1.0 - sigma**2)[:, None]
    eps, z2 = _antithetic_noise(n_batch, model, generator), batch.z.repeat(2, 1)
    noisy = alpha * z2 + sigma[:, None] * eps
    velocity = alpha * eps - sigma[:, None] * z2
    drive = _encoder_of(model, batch).drive(noisy, batch.x.repeat(2, 1), sigma, _twice(batch.label))
    integrand = sigma * drive.square().sum(1) + 2.0 * (drive * velocity).sum(1)
    return batch_loss(model, batch, (batch.share.repeat(2) * integrand).mean())


def path_bound(model: AbstractEDGModel, n_batch: int, generator: torch.Generator) -> Loss:
    """Minus the mean log weight of the model's K-step path, from `n_batch` decoder samples.

    Parameters
    ----------
    model : AbstractEDGModel
    n_batch : int
        Best a multiple of K.
    generator : torch.Generator
        On the model's device.
    """
    n_steps, n_latent = model.n_path_steps, model.n_latent
    batch = model.decode(n_batch, generator)
    step = torch.randperm(n_batch, generator=generator, device=model.device) % n_steps
    step, z2, label = step.repeat(2), batch.z.repeat(2, 1), _twice(batch.label)
    table = step_table(n_steps).to(device=model.device, dtype=z2.dtype)[step]
    alpha, sigma, gain, bridge = (column[:, None] for column in table.T)
    noisy = alpha * z2 + sigma * _antithetic_noise(n_batch, model, generator)
    x2, encoder = batch.x.repeat(2, 1), _encoder_of(model, batch)
    mean, spread = encoder.denoise(noisy, x2, alpha[:, 0], sigma[:, 0], label, step)
    error = model.project(z2 - mean)
    variance = bridge + gain**2 * spread
    first = error**2 / variance + torch.log(2.0 * math.pi * variance)
    others = (bridge + (gain * error) ** 2) / variance - 1.0 + torch.log(variance / bridge.clamp(min=1e-30))
    terms = torch.where(step[:, None] == 0, first, others)
    prior = 0.5 * n_latent * (1.0 + math.log(2.0 * math.pi))
    # Each step stands for n_steps / n_batch of the sum; exact when n_batch is a multiple of n_steps.
    share = batch.share.repeat(2) * len(step) / (n_steps * torch.bincount(step, minlength=n_steps)[step])
    return batch_loss(model, batch, 0.5 * n_steps * (share * terms.sum(1)).mean() - prior)


def batch_loss(model: AbstractEDGModel, batch: Decoded, path: Tensor) -> Loss:
    """The bound from a batch and its diffusion part."""
    energy = walled_energy(lambda x: model.target.energy(x, batch.condition), batch.x)
    return Loss((batch.share * energy).mean(), batch.rest + path)
