# SPDX-License-Identifier: MIT
r"""The encoder of a few variables: label by the mixture, latents by linear theory, both with a network.

In the frame of the label (y = L_c^{-1}(x - m_c)) the linear theory of a decoder ``y = sum_k a_k z_k + s xi``,
k = 1 .. n_groups, a_k and s diagonal, is

    rho = [ y - mu(alpha z_t) ] / r,   r^2 = s^2 + sigma^2 sum_k a_k^2,
    H_k = a_k / r (rho + h_k),         Var_j(z0 | z_t, x) = sigma^2 (1 - sigma^2 (e_j.a)^2 / r^2) e^{w_j} .

mu is the trained decoder's; h and w are outputs of one network of (z_t, y, rho, force, c, sigma), zero at the
start. The covariance of the groups, sigma^2 (1 - sigma^2 a a^T / r^2), is diagonal along orthonormal axes e_j
of which the first is along a as it is at the start. For one group this is the linear theory of
`edgphys.edg.field.encoder` in every basin. The label is

    log p_E(c | x) = log_softmax( log p(c) + log N(x; m_c, L_c L_c^T) + l_c(x) ),    l a network:

exact for the mixture that the decoder starts as. Without diffusion the networks do not see z_t, and one step
from sigma = 1 gives the encoder of a variational autoencoder, ``p_E(z | x, c) = N(m, v)``, to compare with.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080, Th. 1 and section 4 (the ablation with a Gaussian encoder).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import Perceptron, TimeEmbedding

__all__ = ["ContinuousEncoder"]

_N_TIME = 16


@final
class ContinuousEncoder(Module):
    """Encoder of one block of variables; see the module docstring.

    Parameters
    ----------
    decoder : MixtureDecoder or HamiltonianDecoder
        Gives the frames and the linear theory; not kept.
    with_force : bool
        Whether the force at x is an input.
    diffusion : bool
        Whether z_t is an input.
    size : tuple of int
        Width and depth of the networks.
    generator : torch.Generator

    Attributes
    ----------
    axes : tensor, shape (n_groups, n_groups)
        Rows e_j.
    """

    def __init__(
        self,
        decoder,
        with_force: bool,
        diffusion: bool,
        size: tuple[int, int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.diffusion, (width, depth) = diffusion, size
        amplitude, noise = decoder.linear_theory()
        self.amplitude, self.log_noise = nn.Parameter(amplitude), nn.Parameter(torch.log(noise))
        self.n_groups, n_dims, self.n_labels = decoder.n_groups, decoder.n_dims, decoder.n_labels
        n_latent = self.n_groups * n_dims
        self.register_buffer("axes", _axes(amplitude.mean((0, 2))), persistent=False)
        self.time = TimeEmbedding(_N_TIME, generator)
        n_inputs = n_latent + (3 if with_force else 2) * n_dims + self.n_labels + _N_TIME
        self.network = Perceptron(n_inputs, 2 * n_latent, width, depth, generator)
        self.label_network = Perceptron(n_dims, self.n_labels, width, 1, generator)
        spread = decoder.frames.means.std(0, unbiased=False)
        extent = torch.sqrt(spread**2 + decoder.frames.roots.float().square().sum(2).mean(0))
        self.register_buffer("middle", decoder.frames.means.mean(0), persistent=False)
        self.register_buffer("extent", extent, persistent=False)

    def label_logits(self, decoder, x: Tensor, log_prior: Tensor) -> Tensor:
        """Unnormalised log p_E(c | x), shape (n_batch, n_labels)."""
        if self.n_labels == 1:
            return x.new_zeros(len(x), 1)
        y = decoder.frames.all_inward(x)
        gaussian = -0.5 * y.square().sum(2) - decoder.frames.log_dets.to(x.dtype)
        return log_prior + gaussian + self.label_network((x - self.middle) / self.extent)

    def drive(
        self, decoder, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor, force: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """H, and the variance of z0 given (z_t, x, c) along `axes`, both (n_batch, n_latent)."""
        if not self.diffusion:
            z = torch.zeros_like(z)
        y, wide = decoder.frames.inward(x, label), sigma[:, None]
        alpha = torch.sqrt((1.0 - wide * wide).clamp(min=0.0))
        amplitude, noise = self.amplitude[label], torch.exp(self.log_noise[label])
        width = torch.sqrt(noise**2 + (wide * amplitude.square().sum(1).sqrt()) ** 2)
        rho = (y - decoder.centre(alpha * z, label)[0]) / width
        kind = nn.functional.one_hot(label, self.n_labels).to(z.dtype)
        inputs = [z, y, rho, kind, self.time(sigma)] + ([] if force is None else [torch.asinh(force)])
        correction, log_factor = self.network(torch.cat(inputs, 1)).chunk(2, 1)
        ratio = amplitude / width[:, None]
        grouped = rho[:, None] + correction.view(len(z), self.n_groups, -1)
        along = self._turned(self.axes, ratio)
        variance = sigma[:, None, None] ** 2 * (1 - (sigma[:, None, None] * along) ** 2)
        return (ratio * grouped).flatten(1), variance.flatten(1).clamp(min=1e-12) * torch.exp(log_factor)

    def project(self, z: Tensor) -> Tensor:
        """Latents (n_batch, n_latent) in the axes e_j of the groups."""
        return self._turned(self.axes, z.view(len(z), self.n_groups, -1)).flatten(1)

    def combine(self, coefficients: Tensor) -> Tensor:
        """Inverse of `project`."""
        return self._turned(self.axes.T, coefficients.view(len(coefficients), self.n_groups, -1)).flatten(1)

    def _turned(self, matrix: Tensor, groups: Tensor) -> Tensor:
        if self.n_groups == 1:
            return groups
        return torch.einsum("gh,nhd->ngd", matrix.to(groups.dtype), groups)


def _axes(direction: Tensor) -> Tensor:
    """Orthonormal rows, the first along `direction`, up to signs."""
    columns = torch.cat([direction[:, None], torch.eye(len(direction))], 1)
    return torch.linalg.qr(columns)[0].T.contiguous()
