# SPDX-License-Identifier: MIT
"""Two bounds on KL(model || target) - log Z, both trained by plain gradients: minus each is a bound on log Z.

Continuous time (METHOD section 2). With z_t = alpha z0 + sigma eps, u = alpha eps - sigma z0, sigma uniform
on [0, 1],

    L = E[ log p_D(x | z0, g) + U(x) - log p_E(g | x) + log p(g) ] + int_0^1 dsigma E[ sigma |H|^2 + 2 H.u ] .

Pairs (+eps, -eps) at the same z0, x, sigma keep the variance finite as sigma -> 0, and sigma is stratified
over the batch. No derivative of H is taken: Stein's identity has turned the divergence of the score into H.u.

Discrete path of K steps: minus the average log weight of `path`, with the conditional averages over
intermediate z_k done in closed form (each step is a KL between Gaussians), one stratified step a sample.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, Th. 1; Ho, Jain, Abbeel, arXiv:2006.11239, Eq. 5-7 (the discrete
terms).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from edgphys.edg.model import EDGModel
from edgphys.edg.path import step_table

__all__ = ["Decoded", "Loss", "batch_loss", "continuous_bound", "decode", "path_bound"]

# Least share of a batch spent on each label: it must be learned before it can be frequent.
_LEAST_SHARE = 0.125


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


@dataclass(frozen=True)
class Decoded:
    """A training batch, with what the bound needs of it.

    Attributes
    ----------
    z, sign, x : tensor
        As in `Draw`, differentiable. Labels are stratified, with at least an eighth of the batch each.
    share : tensor, shape (n_batch,)
        Weight of each sample in averages over the model; mean 1.
    rest : scalar tensor
        <log p_D(x | z, g) + log p(g) - log p_E(g | x)>.
    """

    z: Tensor
    sign: Tensor
    x: Tensor
    share: Tensor
    rest: Tensor


def decode(model: EDGModel, n_batch: int, generator: torch.Generator) -> Decoded:
    """Draw a training batch."""
    like = {"generator": generator, "device": model.device}
    z = torch.randn(n_batch, model.decoder.n_latent, **like)
    xi = torch.randn(n_batch, model.decoder.n_dims, **like)
    sign, share = _stratified_labels(model, n_batch)
    x = model.decoder.add_noise(model.decoder.mean(z, sign), xi)
    labels = (share * (model.log_prior_sign(sign) - model.log_prob_sign(x, sign))).mean()
    return Decoded(z, sign, x, share, labels - model.decoder.entropy())


def _stratified_labels(model: EDGModel, n_batch: int) -> tuple[Tensor, Tensor]:
    """Labels of a batch and weights of its samples, both (n_batch,); these carry the gradient of p(g)."""
    minus, mixed, plus = model.label_probabilities()
    if model.target.symmetric:
        # One sign is enough: flipping g, z, x and the noise together changes no term.
        labels, probabilities = (0.0, 1.0), torch.stack([mixed, minus + plus])
    else:
        labels, probabilities = (-1.0, 0.0, 1.0), torch.stack([minus, mixed, plus])
    if n_batch < len(labels):
        raise ValueError(f"n_batch must be at least {len(labels)}, got {n_batch}")
    wanted = probabilities.detach().clamp(min=_LEAST_SHARE).tolist()
    counts = [max(1, round(n_batch * share / sum(wanted))) for share in wanted]
    counts[counts.index(max(counts))] += n_batch - sum(counts)
    repeats = torch.tensor(counts, device=model.device)
    sign = torch.repeat_interleave(torch.tensor(labels, device=model.device), repeats)
    return sign, torch.repeat_interleave(probabilities * n_batch / repeats, repeats)


def _antithetic_noise(n: int, model: EDGModel, generator: torch.Generator) -> Tensor:
    eps = torch.randn(n, model.decoder.n_latent, generator=generator, device=model.device)
    return torch.cat([eps, -eps])


def continuous_bound(model: EDGModel, n_batch: int, generator: torch.Generator) -> Loss:
    """The continuous-time bound from `n_batch` decoder samples, an antithetic pair each.

    Parameters
    ----------
    model : EDGModel
    n_batch : int
    generator : torch.Generator
        On the model's device.
    """
    batch = decode(model, n_batch, generator)
    like = {"generator": generator, "device": model.device}
    strata = torch.randperm(n_batch, **like) + torch.rand(1, **like)
    sigma = (strata / n_batch).repeat(2)
    alpha = torch.sqrt(1.0 - sigma**2)[:, None]
    eps, z2 = _antithetic_noise(n_batch, model, generator), batch.z.repeat(2, 1)
    noisy = alpha * z2 + sigma[:, None] * eps
    velocity = alpha * eps - sigma[:, None] * z2
    drive = model.drive(noisy, batch.x.repeat(2, 1), sigma, batch.sign.repeat(2))
    integrand = sigma * drive.square().sum(1) + 2.0 * (drive * velocity).sum(1)
    return batch_loss(model, batch, (batch.share.repeat(2) * integrand).mean())


def path_bound(model: EDGModel, n_batch: int, generator: torch.Generator) -> Loss:
    """Minus the mean log weight of the model's K-step path, from `n_batch` decoder samples.

    Parameters
    ----------
    model : EDGModel
    n_batch : int
        Best a multiple of K.
    generator : torch.Generator
        On the model's device.
    """
    n_steps, n_latent = model.n_path_steps, model.decoder.n_latent
    batch = decode(model, n_batch, generator)
    step = torch.randperm(n_batch, generator=generator, device=model.device) % n_steps
    step, z2, sign = step.repeat(2), batch.z.repeat(2, 1), batch.sign.repeat(2)
    table = step_table(n_steps).to(device=model.device, dtype=z2.dtype)[step]
    alpha, sigma, gain, bridge = (column[:, None] for column in table.T)
    noisy = alpha * z2 + sigma * _antithetic_noise(n_batch, model, generator)
    drive = model.drive(noisy, batch.x.repeat(2, 1), sigma[:, 0], sign)
    error = model.encoder.basis.project(z2 - alpha * noisy - sigma**2 * drive)
    correction = torch.exp(model.encoder.basis.expand(model.path_log_variance[sign.abs().long(), step]))
    variance = bridge + gain**2 * model.encoder.posterior_variance(sigma, sign) * correction
    first = error**2 / variance + torch.log(2.0 * math.pi * variance)
    others = (bridge + (gain * error) ** 2) / variance - 1.0 + torch.log(variance / bridge.clamp(min=1e-30))
    terms = torch.where(step[:, None] == 0, first, others)
    prior = 0.5 * n_latent * (1.0 + math.log(2.0 * math.pi))
    # Each step stands for n_steps / n_batch of the sum; exact when n_batch is a multiple of n_steps.
    share = batch.share.repeat(2) * len(step) / (n_steps * torch.bincount(step, minlength=n_steps)[step])
    return batch_loss(model, batch, 0.5 * n_steps * (share * terms.sum(1)).mean() - prior)


def batch_loss(model: EDGModel, batch: Decoded, path: Tensor) -> Loss:
    """The bound from a batch and its diffusion part."""
    return Loss((batch.share * model.target.energy(batch.x)).mean(), batch.rest + path)
