# SPDX-License-Identifier: MIT
r"""The bound in the form of the paper's Theorem 1: a score on any schedule, and its divergence.

With s the encoder's score, d the dimension of z, and the encoder's prior at T equal to the marginal
N(0, c_T^2),

    L = E[ log p_D(x | z0, g) + U(x) - log p_E(g | x) + log p(g) ]
        + int_0^T dt g^2/2 E[ |s|^2 + 2 div s ] + d log(c_T / alpha_T)

and -L is a lower bound on log Z in nats, on the same footing as `edgphys.edg.core.bounds.continuous_bound`.

Where the constant comes from. The relative entropy of the two joint laws of (x, z_[0,T]) is, given x,

    KL( p_D(z_T | x) || N(0, c_T^2) ) + int dt g^2/2 E| grad log p_D(z_t | x) - s |^2 .

Partial integration turns the cross term into the divergence. The entropy balance of the forward process with
drift r z,

    dh/dt = d r + g^2/2 E| grad log p_D(z_t | x) |^2 ,

turns the square of the true score into entropies, and these cancel against log p_D(x), except for

    -d/2 log(2 pi e) - d log alpha_T - E log N(z_T; 0, c_T^2) = d log(c_T / alpha_T) .

The same balance for the marginal shows that this is the theorem's

    int_0^T dt g^2/2 E| grad log p_D(z_t) |^2 = int_0^T dt g^2/2 d / c^2 .

It is used here under the integral, at the sampled t, and as 2 d / c^2 - |z_t|^2 / c^4, whose mean is d / c^2
too: a score without signal then costs nothing, sample by sample.

Finite T. Since the prior is the exact marginal, L needs no correction: it is a bound for every T. What is
lost by stopping is the information left at T, I(x; z_T | g) <= d/2 log(1 + alpha_T^2 / sigma_T^2)
(`horizon_gap`; 2e-5 d for the standard schedules). In terms of `edgphys.edg.core.bounds.continuous_bound` it
is the same functional with H = 0 beyond angle(T).

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, Th. 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgphys._checks import choice, count
from edgphys.edg.core.bounds import Loss, batch_loss
from edgphys.edg.core.divergence import KINDS, field_and_divergence, rademacher
from edgphys.edg.core.schedules import AbstractSchedule
from edgphys.edg.field.model import EDGModel
from edgphys.edg.paper.encoder import PaperEncoder
from edgphys.edg.paper.time_proposal import TimeProposal, stratified

__all__ = ["horizon_gap", "paper_bound", "path_integrand", "score"]


def horizon_gap(schedule: AbstractSchedule, n_latent: int) -> float:
    """Most that the bound can lose, in nats, by ending the diffusion at the schedule's horizon.

    Examples
    --------
    >>> from edgphys.edg.core.schedules import SubVPSchedule
    >>> round(horizon_gap(SubVPSchedule(), 64), 5)
    0.00138
    """
    t = torch.tensor(schedule.horizon, dtype=torch.float64)
    return 0.5 * n_latent * float(torch.log1p((schedule.alpha(t) / schedule.sigma(t)) ** 2))


def score(
    model: EDGModel, schedule: AbstractSchedule, z: Tensor, x: Tensor, t: Tensor, sign: Tensor
) -> Tensor:
    """Score of any encoder on any schedule, shape (n_batch, n_latent).

    Parameters
    ----------
    model : EDGModel
        With a `PaperEncoder` of this schedule, its own score; else ``(cos(angle) H - zhat) / c``, zhat = z /
        c.
    schedule : AbstractSchedule
    z : tensor, shape (n_batch, n_latent)
        In the variables of the schedule.
    x : tensor, shape (n_batch, n_dims)
    t : float64 tensor, shape (n_batch,)
    sign : tensor, shape (n_batch,)
    """
    encoder = model.encoder
    if isinstance(encoder, PaperEncoder) and encoder.schedule == schedule:
        return encoder.score(model.decoder, z, x, t, sign)
    angle, scale = schedule.angle(t), torch.sqrt(1.0 + schedule.variance_excess(t)).to(z.dtype)[:, None]
    drive = model.drive(z / scale, x, torch.sin(angle).to(z.dtype), sign)
    return (torch.cos(angle).to(z.dtype)[:, None] * drive - z / scale) / scale


def path_integrand(
    model: EDGModel,
    schedule: AbstractSchedule,
    z: Tensor,
    x: Tensor,
    t: Tensor,
    sign: Tensor,
    probes: Tensor | None,
) -> Tensor:
    """g^2/2 [ |s|^2 + 2 div s + 2 d / c^2 - |z|^2 / c^4 ] of each sample, shape (n_batch,).

    Parameters
    ----------
    model, schedule, z, x, t, sign
        As in `score`.
    probes : tensor, shape (n_probes, n_batch, n_latent), or None
        Rademacher probes of Hutchinson's estimate; None for the exact divergence.
    """
    value, divergence = field_and_divergence(
        lambda latents: score(model, schedule, latents, x, t, sign), z, probes
    )
    precision = (1.0 / (1.0 + schedule.variance_excess(t))).to(z.dtype)
    squares = (value * value - (precision[:, None] * z) ** 2).sum(1)
    half_rate = 0.5 * schedule.diffusion_2(t).to(z.dtype)
    return half_rate * (squares + 2.0 * (divergence + z.shape[1] * precision))


def _times(
    schedule: AbstractSchedule, proposal: TimeProposal | None, n: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Times and their density, float64, both (n,)."""
    if proposal is not None:
        return proposal.sample(n, generator)
    t = schedule.horizon * stratified(n, generator)
    return t, torch.full_like(t, 1.0 / schedule.horizon)


def paper_bound(
    model: EDGModel,
    n_batch: int,
    generator: torch.Generator,
    *,
    schedule: AbstractSchedule,
    divergence: str = "hutchinson",
    n_probes: int = 1,
    proposal: TimeProposal | None = None,
) -> Loss:
    """The bound of Theorem 1 from `n_batch` decoder samples, one (t, eps) each.

    Parameters
    ----------
    model : EDGModel
    n_batch : int
    generator : torch.Generator
        On the model's device.
    schedule : AbstractSchedule
        Need not be the encoder's own.
    divergence : {"hutchinson", "exact"}
        Both have the same mean; the exact one costs `n_latent` backward passes.
    n_probes : int
        Rademacher probes per sample, for "hutchinson".
    proposal : TimeProposal, optional
        Density of t; adapted to this batch after use while in training mode. Default: uniform.

    Returns
    -------
    Loss
        Minus its total is, on average, a lower bound on log Z in nats.

    Raises
    ------
    ValueError
        For an unknown `divergence`, no probes, or a proposal for another horizon.
    """
    choice(divergence, "divergence", KINDS)
    count(n_probes, "n_probes", 1)
    if proposal is not None and proposal.horizon != schedule.horizon:
        raise ValueError(
            f"proposal must have the horizon {schedule.horizon} of the schedule, got {proposal.horizon}"
        )
    batch = model.decode(n_batch, generator)
    z, x = batch.z, batch.x
    t, density = _times(schedule, proposal, n_batch, generator)
    eps = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
    alpha, sigma = torch.stack([schedule.alpha(t), schedule.sigma(t)]).to(z.dtype)[..., None]
    probes = rademacher(n_probes, z, generator) if divergence == "hutchinson" else None
    integrand = path_integrand(model, schedule, alpha * z + sigma * eps, x, t, batch.label, probes)
    if proposal is not None and proposal.training:
        proposal.update(t, integrand)
    path = (batch.share * integrand / density.to(z.dtype)).mean()
    return batch_loss(model, batch, path)
